#!/usr/bin/env bash
# Fuzzes every parser of foreign bytes for a while.
#
#   tests/fuzz/run.sh            a second each
#   tests/fuzz/run.sh 600        ten minutes each; of some only: tests/fuzz/run.sh 600 pskc csv
#
# Every seed is read first. A panic, a wrong answer, an input that takes too long or too much memory fails the run, and
# so does a parser of which less than its floor was covered: it may not be reached any more. What was found
# stays in target/found/TARGET; `FUZZ_TARGET=TARGET PROGRAM FILE` reads one file again. KEEP=1 adds to the seeds what covers more,
# made as small as it can be.
set -euo pipefail
# With coverage counted, nothing can be shared with other builds.
target="${CARGO_TARGET_DIR:+$(realpath --canonicalize-missing "$CARGO_TARGET_DIR")/fuzz}"
cd "$(dirname "${BASH_SOURCE[0]}")"
target="${target:-$PWD/target}"

seconds="${1:-1}"
shift || true
input_timeout_s=10
memory_max_mb=1024

# The nearest configuration of cargo says how coverage is counted; flags of somebody else are not meant.
export CARGO_TARGET_DIR="$target"
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET CARGO_BUILD_RUSTFLAGS
export CARGO_TERM_PROGRESS_WHEN=never
cargo build --locked
host="$(rustc -vV | sed -n 's/^host: //p')"
program="$target/$host/debug/fuzz"

export LC_ALL=C
# Parsers that only read files get theirs in memory, where there is such a place.
memory=/dev/shm
[[ -w "$memory" ]] || memory="${TMPDIR:-/tmp}"
FUZZ_FILES="$(mktemp --directory --tmpdir="$memory")"
export FUZZ_FILES
trap 'rm -rf "$FUZZ_FILES"' EXIT
known="$(FUZZ_TARGET=list "$program" 2>/dev/null | sort)"
if [[ "$known" != "$(cut -d ' ' -f 1 floors | sort)" || "$known" != "$(ls seeds)" ]]; then
    echo "the parsers, their floors and their seeds do not have the same names" >&2
    exit 1
fi
chosen=("$@")
(($#)) || mapfile -t chosen <<<"$known"

# One parser: its seeds, then what comes of them.
fuzz() {
    local name="$1" corpus="$target/corpus/$1" found="$target/found/$1" log="$target/log-$1" floor covered
    mkdir -p "$corpus" "$found"
    if ! FUZZ_TARGET="$name" "$program" -max_total_time="$seconds" -timeout="$input_timeout_s" \
        -rss_limit_mb="$memory_max_mb" -artifact_prefix="$found/" $(dictionary "$name") \
        "$corpus" "seeds/$name" >"$log" 2>&1; then
        grep --text --invert-match '^#' "$log" | tail -n 40
        echo "FAILED  $name; what it was is in $found"
        return 1
    fi
    floor="$(sed -n "s/^$name //p" floors)"
    covered="$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)"
    printf '%-16s %6d covered, floor %5d, %s\n' "$name" "${covered:-0}" "$floor" "$(tail -n 1 "$log")"
    if ((${covered:-0} < floor)); then
        echo "FAILED  $name covers less than its floor"
        return 1
    fi
    if [[ -n "${KEEP:-}" ]]; then
        FUZZ_TARGET="$name" "$program" -merge=1 "seeds/$name" "$corpus" >>"$log" 2>&1
    fi
}

dictionary() {
    [[ ! -f "words/$1" ]] || echo "-dict=words/$1"
}

failed=0
for name in "${chosen[@]}"; do
    fuzz "$name" || failed=$((failed + 1))
done
((failed == 0))
