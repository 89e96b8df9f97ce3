# Read by the other scripts: where we are, and how a long step is run without flooding the terminal.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
logs="$root/build/logs"
target="${CARGO_TARGET_DIR:-$root/target}"
musl="$(uname -m)-unknown-linux-musl"
# Of an architecture that this is not: only ever checked.
foreign_musl="aarch64-unknown-linux-musl"
[ "$(uname -m)" != aarch64 ] || foreign_musl="x86_64-unknown-linux-musl"
mkdir -p "$logs"
cd "$root"
# Tools that are unpacked here instead of being installed; see scripts/setup.
export PATH="$root/build/tools/usr/bin:$PATH"

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# add_rust_target TARGET
add_rust_target() {
    command -v cargo >/dev/null || fail "Rust is missing: see https://rustup.rs"
    [ -d "$(rustc --print sysroot)/lib/rustlib/$1" ] && return 0
    command -v rustup >/dev/null || fail "this Rust has no target $1, and there is no rustup to add it"
    echo "adding the Rust target $1"
    rustup -q target add "$1" >"$logs/setup-rust.log" 2>&1 || {
        cat "$logs/setup-rust.log" >&2
        fail "rustup target add $1"
    }
}

# step NAME COMMAND…: output to build/logs/NAME.log, one line when it is done, the log's end when it
# failed. Returns what the command returned.
step() {
    local name=$1 start=$SECONDS status=0
    shift
    "$@" >"$logs/$name.log" 2>&1 || status=$?
    if [ "$status" -eq 0 ]; then
        printf '%-16s ok       %4d s\n' "$name" $((SECONDS - start))
    else
        printf '%-16s FAILED   %4d s   exit %d, all of it in build/logs/%s.log\n' \
            "$name" $((SECONDS - start)) "$status" "$name"
        explain "$logs/$name.log" | sed 's/^/    /'
    fi
    return "$status"
}

# What a failed test said, or else the end of the log.
explain() {
    if grep -q '^---- .* ----$' "$1"; then
        sed -n '/^---- .* ----$/,/^failures:$/p' "$1" | grep -v '^failures:$' | head -n 80
    else
        tail -n 40 "$1"
    fi
}

# Some tests make namespaces and cgroups, which takes root. For anybody else cargo runs the built test
# programs through sudo; the build itself stays theirs.
as_root_runner() {
    [ "$(id -u)" -ne 0 ] || return 0
    if ! { command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; }; then
        printf 'The tests make namespaces and cgroups; as root, or after `sudo -v`:\n\n    make test\n\n' >&2
        return 1
    fi
    # A password counts for some minutes only; the tests take longer.
    (while kill -0 $$ 2>/dev/null && sudo -n -v 2>/dev/null; do sleep 60; done) >/dev/null 2>&1 &
    local host
    host=$(rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
    export "CARGO_TARGET_${host}_RUNNER=sudo -n -E env PATH=$PATH"
}

# The static binaries that the machines under test boot and run, and where the tests find them. The one that does steps of a
# start as they should not be done has all but itself in common with the others, and is never shipped: src/engine/naive.rs.
build_guest() {
    cargo rustc --locked --profile vm --target "$musl" -p orlop --bin orlop -- --cfg naive &&
        install -D "$ORLOP_BINARY" "$ORLOP_NAIVE_BINARY" &&
        cargo build --locked --profile vm --target "$musl" -p orlop -p orlop-tls -p payload
}
# Without a trial of KVM in every test process; whoever has it working says ORLOP_VM_ACCELERATOR=kvm.
export ORLOP_VM_ACCELERATOR="${ORLOP_VM_ACCELERATOR:-emulated}"
export ORLOP_BINARY="$target/$musl/vm/orlop"
export ORLOP_TLS_BINARY="$target/$musl/vm/orlop-tls"
export ORLOP_NAIVE_BINARY="$target/$musl/vm/naive/orlop"
export ORLOP_PAYLOAD="$target/$musl/vm/payload"

# The OCI images of the demo and of the tests that boot it: beside the demo's configuration, which names
# them as an appliance names its own.
export ORLOP_IMAGES="$root/config/demo/images"
