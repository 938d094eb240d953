#!/usr/bin/env bash
# Adds to the corpus in the repository those inputs in the build folder that
# reach code which it does not reach yet: fuzz-corpus.sh TARGET
set -euo pipefail
cd "$(dirname "$0")/../.."

target=$1
program=$(echo native/build-fuzz/*/"${target}_fuzz")
corpus=native/$(basename "$(dirname "$program")")/corpus/$target
mkdir -p "$corpus"
"$program" -merge=1 -use_counters=0 "$corpus" "native/build-fuzz/corpus/$target" 2>&1 |
	tail -n 1
echo "$corpus: $(find "$corpus" -type f | wc -l) files, $(du -bs "$corpus" | cut -f 1) bytes"
