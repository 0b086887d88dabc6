#!/bin/sh
# Plants one bug after the other in a copy of the tree, and looks for a seed of the simulated node that finds it.
#
#   tests/planted/run.sh [SEEDS [PATCH...]]
#
# SCRATCH names the folder of the copy, CARGO_TARGET_DIR that of what is built there. The time that is told is that of the
# search, on two threads, without that of the build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
seeds=${1:-2000}
[ $# -gt 0 ] && shift
scratch=${SCRATCH:-$(mktemp -d)/planted}
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$scratch-target}"
git -C "$root" worktree add --quiet --detach "$scratch" HEAD
trap 'git -C "$root" worktree remove --force "$scratch"' EXIT
[ $# -gt 0 ] || set -- "$here"/*.patch
missed=0
for patch in "$@"; do
    name=$(basename "$patch" .patch)
    git -C "$scratch" checkout --quiet -- .
    git -C "$scratch" apply "$patch"
    # Of the tests only the simulation is built, and what it uses.
    printf '#![allow(dead_code)]\nmod door;\nmod node;\nmod outbox;\nmod support;\n' >"$scratch/tests/it/main.rs"
    sed -i '/^countersign-replay/d' "$scratch/tests/Cargo.toml"
    if ! (cd "$scratch" && cargo test -p countersign-tests --test it --no-run) >"$scratch.out" 2>&1; then
        tail -5 "$scratch.out"
        echo "$name: does not build"
        missed=$((missed + 1))
        continue
    fi
    begun=$(date +%s)
    if (cd "$scratch" && COUNTERSIGN_CASES=$seeds RUST_BACKTRACE=0 cargo test -p countersign-tests --test it whatever_goes_wrong) >"$scratch.out" 2>&1; then
        echo "$name: not found in $seeds seeds, $(($(date +%s) - begun)) s"
        missed=$((missed + 1))
    else
        seed=$(sed -n 's/^the seed is //p' "$scratch.out" | sort -n | head -1)
        echo "$name: found by seed ${seed:-none}, $(($(date +%s) - begun)) s"
    fi
done
exit "$missed"
