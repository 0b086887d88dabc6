#!/usr/bin/env bash
# Mutation testing of what must not be wrong: does some test fail when a line of it is broken?
#
#   tests/mutants/run.sh                         all scopes of scopes.toml
#   tests/mutants/run.sh decide totp             only these
#   tests/mutants/run.sh domain/src/account.rs   only the mutants of these files
#
# Ends with 1 when fewer than 95 % of a scope's mutants that compile are killed. What is in README.md explains the
# survivors. It takes its own copy of the workspace, in the target folder; MUTANTS_JOBS is how many run at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

version=27.1.0
target="${CARGO_TARGET_DIR:-$PWD/target}/mutants"
export PATH="$target/tools/bin:$PATH"
if [[ "$(cargo mutants --version 2>/dev/null)" != "cargo-mutants $version" ]]; then
    cargo install --quiet --locked --root "$target/tools" --version "$version" cargo-mutants
fi
exec python3 tests/mutants/weave.py "$target" "${MUTANTS_JOBS:-2}" "$@"
