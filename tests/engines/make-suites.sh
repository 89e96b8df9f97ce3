#!/bin/sh
# Builds other people's tests from Debian's source packages, in a tree of Debian's packages.
#   validation/    opencontainers/runtime-tools: one program a test, `runtimetest` that runs in the containers
# Nothing of theirs is kept here. Made again only when these scripts change.
#
# usage: make-suites.sh OUT
set -eu

out=${1:?usage: make-suites.sh OUT}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# The newest that has what the sources need, whatever the guest is: the programs are static.
suite=trixie
export LC_ALL=C TZ=UTC
umask 022
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)

stamp=$(cat "$0" "$here"/suites/* | sha256sum | cut -d' ' -f1)
[ "$(cat "$out/stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0

mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$1" -v otherwise="$2" '$2 == release { uri = $1; exit } END { print uri ? uri : otherwise }'
}
archive=$(mirror "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" http://deb.debian.org/debian)

packages=golang-go,gcc,libc6-dev,libseccomp-dev,xz-utils,ca-certificates
packages=$packages,golang-github-google-uuid-dev,golang-github-blang-semver-dev,golang-gocapability-dev,golang-github-sirupsen-logrus-dev
packages=$packages,golang-github-urfave-cli-dev,golang-github-mrunalp-fileutils-dev,golang-golang-x-sys-dev,golang-github-hashicorp-go-multierror-dev
packages=$packages,golang-github-opencontainers-selinux-dev,golang-github-xeipuuv-gojsonschema-dev,golang-github-opencontainers-specs-dev

rm -rf "$out/validation"
printf 'deb %s %s main\ndeb-src %s %s main\n' "$archive" "$suite" "$archive" "$suite" |
    mmdebstrap --quiet --variant=apt --include="$packages" --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --customize-hook='mkdir "$1/suites"' --customize-hook="copy-in '$here/suites' /" \
        --customize-hook='chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh /suites/build.sh' --customize-hook="sync-out /built '$out'" \
        --skip=output "$suite" /dev/null -
echo "$stamp" >"$out/stamp"
