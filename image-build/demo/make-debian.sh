#!/bin/sh
# Makes a root of Debian with systemd as its init and little else, for the test that runs it in a container.
# Works as make-images.sh does, and takes the packages from the same mirror.
#
# usage: make-debian.sh OUT      makes OUT/debian
set -eu

out=${1:?usage: make-debian.sh OUT}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)

suite=bookworm
SOURCE_DATE_EPOCH=1735689600
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

stamp=$(sha256sum <"$here/make-debian.sh" | cut -d' ' -f1)
if [ "$(cat "$out/.debian-stamp" 2>/dev/null || true)" = "$stamp" ]; then
    exit 0
fi

work=$(mktemp -d "$out/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"

codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
    awk -v release="$codename" '$2 == release { print $1; exit }')
echo "deb ${mirror:-http://deb.debian.org/debian} $suite main" >"$work/sources.list"

echo "making debian from systemd-sysv" >&2
mmdebstrap --quiet --variant=extract --include=systemd-sysv,dash,base-files,base-passwd,coreutils \
    --skip=output/dev,cleanup/apt,cleanup/mmdebstrap --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr \
    "$suite" "$work/debian.tar" - <"$work/sources.list" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
}
mkdir "$work/debian"
tar -C "$work/debian" --no-same-owner -xf "$work/debian.tar"

cd "$work/debian"
cp usr/share/base-passwd/passwd.master etc/passwd
cp usr/share/base-passwd/group.master etc/group
# It finds one of its own at every start.
: >etc/machine-id
# Programs of an installation, documents, and the C library's alphabets.
for program in usr/bin/*; do
    case ${program##*/} in
        systemctl | systemd-* | journalctl | dash | sh | cat | mv | true) ;;
        *) rm -f "$program" ;;
    esac
done
rm -rf usr/share boot var/lib/apt var/lib/dpkg var/cache var/log/* usr/lib/apt usr/lib/dpkg usr/games usr/src \
    usr/lib/*-linux-gnu/gconv usr/lib/*-linux-gnu/perl* etc/fstab
mkdir -p dev proc sys run tmp mark
cd "$out"
rm -rf "$out/debian"
mv "$work/debian" "$out/debian"

echo "$stamp" >"$work/stamp"
mv "$work/stamp" "$out/.debian-stamp"
