#!/usr/bin/env bash
# check-symbols.sh LIBRARY HEADER: the library exports the functions that its
# public header declares, none missing, none more; and libmachnet.so, which
# every application loads, does not pull in DPDK. Speaks TAP.
set -euo pipefail
library=$1
header=$2
include=$(cd "$(dirname "$0")/../include" && pwd)

# -fpreprocessed takes out comments and leaves macros as they are.
declared=$(gcc -fpreprocessed -dD -E -P "$include/machnet/$header" |
	grep -v '^#' | tr '\n' ' ' | grep -oE 'MACHNET_API[^;(]*\(' |
	grep -oE '[a-z_0-9]+ *\($' | tr -d ' (' | sort -u)
# Sanitizers add symbols of their own.
exported=$(nm -D --defined-only "$library" |
	awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	grep -v '^__' | sort -u)

echo 1..2
if differences=$(diff <(echo "$declared") <(echo "$exported")); then
	echo "ok 1 - exports the $(wc -l <<<"$declared") functions of $header"
else
	echo "not ok 1 - declared (<) and exported (>) differ"
	grep '^[<>]' <<<"$differences" | sed 's/^/# /'
	failed=1
fi
if [[ $header == machnet.h ]] && ldd "$library" | grep -q librte_; then
	echo "not ok 2 - needs no DPDK"
	failed=1
else
	echo "ok 2 - needs DPDK only if it drives devices"
fi
exit "${failed:-0}"
