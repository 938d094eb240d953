#!/usr/bin/env bash
# Checks that the programs and libraries in a folder run on another machine:
# what they need is in the folder, but for glibc, and of that no symbol is newer
# than 2.34, which Debian 12, Ubuntu 22.04, RHEL 9 and Amazon Linux 2023 have:
# check-portable.sh FOLDER
set -euo pipefail
folder=$1
glibc_max=2.34
glibc='^(libc|libm|ld-linux-x86-64)\.so'

failed=0
fail() {
	echo "${file#"$folder/"}: $1" >&2
	failed=1
}

checked=0
for file in "$folder"/*; do
	[ -f "$file" ] && readelf -h "$file" >/dev/null 2>&1 || continue
	checked=$((checked + 1))
	newest=$(objdump -T "$file" | grep -o 'GLIBC_[0-9.]*' |
		sed 's/GLIBC_//' | sort -V | tail -n 1)
	[ "$(printf '%s\n' "$newest" $glibc_max | sort -V | tail -n 1)" = $glibc_max ] ||
		fail "needs glibc $newest, and should run with $glibc_max"
	dynamic=$(readelf -d "$file")
	for needed in $(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic"); do
		[[ $needed =~ $glibc ]] || [ -e "$folder/$needed" ] ||
			fail "needs $needed, which is not there"
	done
	case $(basename "$file") in
	machnetd | machnet-fabric | libmachnet*)
		grep -q '(RPATH).*\[$ORIGIN\]' <<<"$dynamic" ||
			fail "does not look for libraries beside itself"
		;;
	esac
done
[ "$checked" -gt 0 ] || { echo "$folder: nothing to check" >&2; exit 1; }
[ "$failed" -eq 0 ] &&
	echo "$folder: $checked programs and libraries need glibc $glibc_max and nothing else"
