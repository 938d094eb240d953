#!/usr/bin/env bash
# Puts into a folder with our programs and libraries what else they need, so
# that they run on machines that have nothing but glibc: other libraries, the
# programs that libxdp loads into the kernel, and everybody's licence:
# package-libraries.sh FOLDER
set -euo pipefail
folder=$1

# Of glibc: it cannot be brought along.
system='^(libc|libm|ld-linux-x86-64)\.so'
licenses=$folder/licenses
mkdir -p "$folder/bpf" "$licenses"

# Which Debian package a file is of. Some are listed without /usr.
package_of() {
	dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "${1#/usr}"
}

license() {
	local package
	package=$(package_of "$1" | sed 's/:.*//' | head -n 1)
	cp "/usr/share/doc/$package/copyright" "$licenses/$package"
}

for file in "$folder"/*; do
	[ -f "$file" ] || continue
	ldd "$file"
done | awk '$2 == "=>" { print $1, $3 }' | sort -u |
	while read -r name path; do
		[[ $name =~ $system || -e $folder/$name ]] && continue
		install -m 644 "$(realpath "$path")" "$folder/$name"
		license "$(realpath "$path")"
	done

# EAL and drivers are inside our own files.
archives=$(dirname "$(gcc -print-file-name=librte_eal.a)")
license "$(realpath "$archives/librte_eal.a")"
for object in xdp-dispatcher xsk_def_xdp_prog xsk_def_xdp_prog_5.3; do
	install -m 644 "$(realpath "$archives/bpf/$object.o")" "$folder/bpf"
done

# What those texts refer to.
grep -ho '/usr/share/common-licenses/[A-Za-z]*-[0-9.]*[0-9]' "$licenses"/* |
	sort -u | while read -r text; do
	cp "$text" "$licenses"
done
