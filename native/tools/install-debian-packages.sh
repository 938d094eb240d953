#!/usr/bin/env bash
# Installs the Debian packages that building and testing need, and only those
# that are missing, so that a machine that has them is not touched. Arguments are
# more packages.
set -euo pipefail

packages=(
	# build
	gcc pkg-config meson ninja-build libdpdk-dev libsodium-dev
	# test and check
	libcmocka-dev clang-format binutils
	# tests over the kernel's stack
	iproute2 iputils-ping iputils-arping ethtool tshark
)

packages+=("$@")

missing=()
for package in "${packages[@]}"; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
	echo "Debian packages: all ${#packages[@]} are installed"
	exit 0
fi

if [ "$(id -u)" -eq 0 ]; then
	as_root=(env)
elif command -v sudo >/dev/null; then
	as_root=(sudo env)
else
	echo "Debian packages are missing and neither root nor sudo is at hand; as root, run" >&2
	echo "  apt-get install ${missing[*]}" >&2
	exit 1
fi

echo "Debian packages: installing ${missing[*]}"
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive
	apt-get -o DPkg::Lock::Timeout=300 -q)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${missing[@]}"
