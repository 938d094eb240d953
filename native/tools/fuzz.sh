#!/usr/bin/env bash
# Fuzzes one target for so many seconds: fuzz.sh SECONDS TARGET [FOLDER [SEED]].
# It begins with the corpus in the repository, and with what it learned before and
# keeps in the folder, if one is named. One seed gives the same inputs each time,
# as long as nothing was learned; 0, the default, others each time. Inputs that
# make the target fail go to test-results/fuzz; the exit code is then not 0.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=$1
target=$2
program=$(echo native/build-fuzz/*/"${target}_fuzz")
corpus=native/$(basename "$(dirname "$program")")/corpus/$target
found=test-results/fuzz
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
learned=${3:-$scratch/learned}
seed=${4:-0}
mkdir -p "$learned" "$found"

# Memory that was freed is kept from use for long enough with 64 MiB of it.
export ASAN_OPTIONS=quarantine_size_mb=64:malloc_context_size=8
touch "$scratch/start"
status=0
# Each input that is new is a line, which is too much to read.
"$program" "$learned" "$corpus" -max_total_time="$seconds" -max_len=1500 \
	-seed="$seed" -timeout=60 -rss_limit_mb=1500 -artifact_prefix="$found/$target-" \
	-print_final_stats=1 2>&1 |
	grep --line-buffered -avE \
		$'\t(NEW|REDUCE|RELOAD) |# Uses: |ecommended dictionary' |
	sed -u "s/^/$target: /" || status=$?
if [ "$status" -ne 0 ]; then
	find "$found" -name "$target-*" -newer "$scratch/start" \
		-printf "$target: FAILED, replay: $program $found/%f\n"
fi
exit "$status"
