#!/usr/bin/env bash
# The exported symbols of each library are the functions its public header
# declares: none missing, none more. And the client library, which every
# application loads, does not pull in DPDK.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${1:-build}
status=0

# -fpreprocessed takes out comments and leaves macros as they are.
declared() {
	gcc -fpreprocessed -dD -E -P "include/machnet/$1" | grep -v '^#' |
		tr '\n' ' ' | grep -oE 'MACHNET_API[^;(]*\(' |
		grep -oE '[a-z_0-9]+ *\($' | tr -d ' (' | sort -u
}

exported() {
	nm -D --defined-only "$build/$1" |
		awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

compare() {
	local differences
	if differences=$(diff <(declared "$2") <(exported "$1")); then
		echo "$1 exports the $(declared "$2" | wc -l) functions of $2"
	else
		echo "$1 and $2 differ (< declared, > exported):" >&2
		grep '^[<>]' <<<"$differences" >&2
		status=1
	fi
}

compare libmachnet.so machnet.h
compare libmachnet_engine.so engine.h

if ldd "$build/libmachnet.so" | grep librte_ >&2; then
	echo "libmachnet.so needs DPDK" >&2
	status=1
fi
exit $status
