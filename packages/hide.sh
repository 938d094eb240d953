#!/usr/bin/env bash
# Runs a command on a machine without DPDK, without any library that our
# package brings along, and without this repository's build: here they are, but
# the command cannot see them. hide.sh FOLDER COMMAND..., the folder being the
# package's; in a mount namespace of its own (`unshare --mount`).
set -euo pipefail
folder=$1
shift

system=$(dirname "$(ldconfig -p | awk '$1 == "libc.so.6" { print $NF; exit }')")
system=$(realpath "$system")
build=$(realpath "$(dirname "$0")/../native")

for file in "$system"/librte_*.so* "$folder"/*.so.*; do
	file=$system/$(basename "$file")
	[ ! -f "$file" ] || mount --bind /dev/null "$(realpath "$file")"
done
for hidden in "$system"/dpdk "$system"/bpf "$build"; do
	[ ! -d "$hidden" ] || mount -t tmpfs tmpfs "$hidden"
done
exec "$@"
