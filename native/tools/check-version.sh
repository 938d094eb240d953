#!/usr/bin/env bash
# There is one version number, written in three files.
set -euo pipefail
cd "$(dirname "$0")/../.."

json_version() { sed -n 's/^  "version": "\(.*\)",$/\1/p' "$1"; }

package=$(json_version package.json)
deno=$(json_version deno.json)
meson=$(sed -n "s/.*\<version: *'\([^']*\)'.*/\1/p" native/meson.build | head -n 1)

if [ -z "$package" ] || [ "$package" != "$deno" ] || [ "$package" != "$meson" ]; then
	echo "Versions differ: package.json '$package', deno.json '$deno'," \
		"native/meson.build '$meson'" >&2
	exit 1
fi
echo "Version $package in package.json, deno.json and native/meson.build"
