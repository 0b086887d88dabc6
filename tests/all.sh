#!/usr/bin/env bash
# Runs everything that shows what this workspace does, after installing what it takes.
#
#   tests/all.sh              all sections, in order
#   tests/all.sh peers crash  only these
#
# Needs Debian with root, its package registry, PyPI, npm and crates.io, and a Rust toolchain with rustfmt and
# clippy. Whatever else it takes is installed here; a second run finds it there. A section that fails does
# not keep the others from running, and the last line says how many passed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
venv="$target/peers-venv"
node="$target/peers-node"
sections=(install style unit fuzz release peers browser crash bench)
export CARGO_TERM_PROGRESS_WHEN=never PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# ---- the sections

# Programs that nobody here wrote: an authenticator, a QR reader, a shifted clock, a browser with the program that
# drives it, clients of IAM and STS, and gateways of text messages.
install() {
    local missing=()
    command -v python3 >/dev/null || missing+=(python3)
    command -v oathtool >/dev/null || missing+=(oathtool)
    command -v zbarimg >/dev/null || missing+=(zbar-tools)
    command -v faketime >/dev/null || missing+=(faketime)
    command -v node >/dev/null || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    command -v chromium >/dev/null || missing+=(chromium)
    command -v chromedriver >/dev/null || missing+=(chromium-driver)
    command -v mkfs.ext4 >/dev/null || missing+=(e2fsprogs)
    command -v losetup >/dev/null || missing+=(mount)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v c++ >/dev/null || missing+=(g++)
    python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
    if ((${#missing[@]})); then
        apt_install "${missing[@]}"
    fi
    if ! has_clients; then
        rm -rf "$venv"
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --requirement tests/peers/requirements.txt \
            --requirement tests/browser/requirements.txt
        "$venv/bin/pip" install --quiet --no-deps --requirement tests/browser/requirements-no-deps.txt
        wanted_clients >"$venv/installed"
    fi
    if ! cmp --silent tests/peers/smsc/package-lock.json "$node/package-lock.json"; then
        rm -rf "$node"
        mkdir -p "$node"
        cp tests/peers/smsc/package.json tests/peers/smsc/package-lock.json "$node/"
        npm ci --prefix "$node" --silent --no-audit --no-fund || { rm -rf "$node"; return 1; }
    fi
    cargo --version
    printf 'node %s\n' "$(node --version)"
    oathtool --version | head -n 1
    printf 'zbarimg %s\n' "$(zbarimg --version)"
    "$venv/bin/aws" --version
    chromedriver --version
}

wanted_clients() {
    cat tests/peers/requirements.txt tests/browser/requirements*.txt
    python3 --version
}

has_clients() {
    [[ "$(cat "$venv/installed" 2>/dev/null)" == "$(wanted_clients)" ]]
}

# A private archive folder, because the images of containers empty the common one after every update.
apt_install() {
    local archives
    archives="$(mktemp -d)"
    mkdir "$archives/partial"
    chmod 755 "$archives"
    chown -R _apt "$archives"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet --quiet
    apt-get install --quiet --quiet --yes --no-install-recommends \
        -o Dir::Cache::archives="$archives" -o DPkg::Lock::Timeout=120 "$@"
    rm -rf "$archives"
}

style() {
    cargo fmt --all --check
    cargo fmt --manifest-path tests/fuzz/Cargo.toml --check
    cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null
    cargo clippy --workspace --all-targets --locked -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --workspace --locked
}

unit() {
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --workspace --locked
    else
        cargo test --workspace --locked --lib --bins --tests --examples
    fi
    cargo test --workspace --locked --doc
}

# Every parser of foreign bytes for a second; `tests/fuzz/run.sh 600` takes ten minutes for each.
fuzz() {
    tests/fuzz/run.sh 1
}

release() {
    cargo build --release --locked --package countersign-gateway --package countersign-replay
}

# The stories of tests/peers, but for the one that kills the server.
peers() {
    ready
    "$venv/bin/python" -m pytest tests/peers -c tests/peers/pytest.ini -m "not crash" --durations=5
    gateways
}

# The ways to gateways of text messages, against gateways that nobody here wrote: npm's smpp, PyPI's twilio and moto.
gateways() {
    NODE_PATH="$node/node_modules" cargo test --quiet --locked --package countersign-smpp --test it -- --ignored
    COUNTERSIGN_PYTHON="$venv/bin/python" \
        cargo test --quiet --locked --package countersign-sms-http --test it -- --ignored
    local said moto url
    said="$(mktemp)"
    "$venv/bin/moto_server" -H 127.0.0.1 -p 0 >"$said" 2>&1 &
    moto=$!
    # It ends with this section, whatever comes in between.
    trap "kill $moto" EXIT
    url="$(timeout 60 tail --pid "$moto" -n +1 -f "$said" | grep -m 1 --only-matching 'http://127.0.0.1:[0-9]*' || true)"
    [[ -n "$url" ]]
    COUNTERSIGN_MOTO_URL="$url" cargo test --quiet --locked --package countersign-sns --test it -- --ignored
}

# The console's stories and the replay's pages of tests/browser. Pictures of every page go to console-screenshots in
# the target folder.
browser() {
    ready
    "$venv/bin/python" -m pytest tests/browser -c tests/browser/pytest.ini --durations=5
}

# Twenty-five rounds of `kill -9`, sixty power cuts; COUNTERSIGN_CRASH_ROUNDS and COUNTERSIGN_POWER_CUTS make it more.
crash() {
    ready
    "$venv/bin/python" -m pytest tests/peers/test_crash.py tests/peers/test_secrets.py -c tests/peers/pytest.ini
    power --cuts "${COUNTERSIGN_POWER_CUTS:-60}"
    power --must-find lies --cuts 24
    power --must-find early --cuts 24
}

# Power cuts of a store on a file system of its own. A machine that mounts none ends it with 77, and says so.
power() {
    local status=0
    cargo run --quiet --release --locked --package countersign-power -- "$@" || status=$?
    ((status == 0 || status == 77))
}

bench() {
    cargo run --release --locked --package countersign-benches -- --short
}

# ---- how they are run

# The peers talk to the release build. It is built by its own section; alone, they take what is there.
ready() {
    has_clients && command -v chromedriver >/dev/null && [[ -d "$node/node_modules" ]] || install
    export NODE_PATH="$node/node_modules"
    export COUNTERSIGN_BIN="${COUNTERSIGN_BIN:-$target/release/countersign}"
    export COUNTERSIGN_REPLAY_BIN="${COUNTERSIGN_REPLAY_BIN:-$target/release/countersign-replay}"
    [[ -x "$COUNTERSIGN_BIN" && -x "$COUNTERSIGN_REPLAY_BIN" ]] || release
}

passed=() failed=()
run() {
    local began=$SECONDS status
    printf '\n==== %s ====\n' "$1"
    # Outside of a condition, so that the first error ends the section.
    set +e
    (
        set -e
        "$1"
    )
    status=$?
    set -e
    if ((status == 0)); then
        passed+=("$1 $((SECONDS - began)) s")
    else
        failed+=("$1 $((SECONDS - began)) s")
    fi
    printf -- '---- %s: %s, %d s\n' "$1" "$( ((status == 0)) && echo passed || echo "FAILED ($status)")" "$((SECONDS - began))"
}

(($#)) || set -- "${sections[@]}"
for section in "$@"; do
    if [[ " ${sections[*]} " != *" $section "* ]]; then
        echo "no section $section; there are: ${sections[*]}" >&2
        exit 2
    fi
done
for section in "$@"; do
    run "$section"
done

printf '\n==== closing ====\n'
for name in "${passed[@]}"; do printf 'passed  %s\n' "$name"; done
for name in "${failed[@]}"; do printf 'FAILED  %s\n' "$name"; done
printf 'all of it in %d s\n' "$SECONDS"
printf 'sections: %d passed, %d failed\n' "${#passed[@]}" "${#failed[@]}"
((${#failed[@]} == 0))
