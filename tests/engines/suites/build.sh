#!/bin/sh
# In the tree with the compilers: fetches Debian's source packages and builds the tests into /built.
set -eu
export HOME=/root GO111MODULE=off CGO_ENABLED=0 GOFLAGS=-trimpath

# unpacked PACKAGE: its upstream sources, in /sources/PACKAGE.
unpacked() {
    mkdir -p "/sources/$1" /download
    (cd /download && apt-get -qq source --download-only --tar-only -o APT::Sandbox::User=root "$1")
    tar -C "/sources/$1" --strip-components 1 -xf "$(ls /download/"$1"_*.orig.tar.*z)"
}

validation() {
    unpacked golang-github-opencontainers-runtime-tools
    export GOPATH=/go:/usr/share/gocode
    mkdir -p /go/src/github.com/opencontainers /go/src/github.com/mndrix/tap-go /built/validation
    ln -s /sources/golang-github-opencontainers-runtime-tools /go/src/github.com/opencontainers/runtime-tools
    cp /suites/tap.go /go/src/github.com/mndrix/tap-go/
    cd /go/src/github.com/opencontainers/runtime-tools
    go build -o /built/validation/runtimetest ./cmd/runtimetest
    for test in validation/*/; do
        test=$(basename "$test")
        [ "$test" = util ] || go build -o "/built/validation/$test.t" "./validation/$test"
    done
    cp rootfs-*.tar.gz /built/validation/
}

validation
