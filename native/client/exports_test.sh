#!/bin/sh
# SPDX-License-Identifier: MIT
# exports_test.sh LIBRARY HEADER: the library exports what the header declares,
# all of it and nothing else.
set -eu
declared=$(tr '\n' ' ' <"$2" | grep -oE 'MACHNET_API [^(]*\(' |
	grep -oE 'machnet_[a-z_]+' | sort -u)
exported=$(nm -D --defined-only "$1" | awk '{ print $3 }' |
	grep -v '^__[a-z]*san_\|^__odr_asan' | sort -u)
echo 1..1
if [ "$declared" = "$exported" ]; then
	echo "ok 1 - $(echo "$declared" | wc -l) symbols"
else
	echo "not ok 1 - declared (<) and exported (>) differ"
	printf '%s\n' "$declared" >"${TMPDIR:-/tmp}/declared.$$"
	printf '%s\n' "$exported" | diff "${TMPDIR:-/tmp}/declared.$$" - |
		sed 's/^/# /'
	rm "${TMPDIR:-/tmp}/declared.$$"
fi
