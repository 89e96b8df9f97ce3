#!/bin/sh
# Makes the OCI images that the demo and the tests run, from Debian's packages:
#   nginx.tar redis.tar busybox.tar   oci-archives
#   busybox/                          the same as a plain folder
# Works as root, and as a user where mmdebstrap may make user namespaces. An image is made again
# only when these scripts change.
#
# usage: make-images.sh OUT
set -eu

out=${1:?usage: make-images.sh OUT}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)

suite=bookworm
# One time for everything in the images: 1 January 2025.
SOURCE_DATE_EPOCH=1735689600
created=2025-01-01T00:00:00Z
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022

for tool in mmdebstrap umoci tar sha256sum; do
    command -v "$tool" >/dev/null || {
        echo "error: $tool is missing: apt-get install mmdebstrap umoci" >&2
        exit 1
    }
done

stamp=$(cat "$here/make-images.sh" "$here/prune.sh" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$out/.stamp" 2>/dev/null || true)" = "$stamp" ]; then
    exit 0
fi

work=$(mktemp -d "$out/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
# mmdebstrap's own user namespace has to get through.
chmod 755 "$work"

mkdir -p "$work/points/dev" "$work/points/proc" "$work/points/run" "$work/points/sys"

# The mirror that this machine uses itself, for the suite and for its security updates.
sources() {
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mirror() {
        apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
            awk -v release="$1" -v otherwise="$2" '$2 == release { uri = $1; exit } END { print uri ? uri : otherwise }'
    }
    echo "deb $(mirror "$codename" http://deb.debian.org/debian) $suite main"
    echo "deb $(mirror "$codename-security" http://deb.debian.org/debian-security) $suite-security main"
}
sources >"$work/sources.list"

# layer NAME PACKAGES PROGRAMS [HOOK…]: extracts packages and what they need, without running
# their scripts, keeps the named programs with their libraries, and writes NAME.tar.
layer() {
    name=$1 packages=$2 PROGRAMS=$3
    shift 3
    export PROGRAMS
    echo "making $name from $packages" >&2
    for hook; do
        set -- "$@" "--extract-hook=$hook"
        shift
    done
    mmdebstrap --quiet --variant=extract --include="$packages" --skip=output/dev,cleanup/apt,cleanup/mmdebstrap \
        --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr \
        --extract-hook="$here/prune.sh" "$@" "$suite" "$work/$name.tar" - <"$work/sources.list" 2>"$work/log" || {
        cat "$work/log" >&2
        exit 1
    }
    # Mount points, which are no packages' business. Those that one has brought stay alone: a layer with a path
    # twice is refused by podman.
    tar -tf "$work/$name.tar" | sed 's|/$||' >"$work/names"
    (cd "$work/points" && for point in ./dev ./proc ./run ./sys; do
        grep -qxF "$point" "$work/names" || echo "$point"
    done | tar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --no-recursion \
        --format=posix --pax-option=delete=atime,delete=ctime -rf "$work/$name.tar" -T -)
}

# image NAME LAYERS CONFIG…: an oci-archive of these layers, with these words for `umoci config`.
image() {
    name=$1 layers=$2
    shift 2
    layout=$work/$name.oci
    umoci init --layout "$layout"
    umoci new --image "$layout:latest"
    for one in $layers; do
        umoci raw add-layer --image "$layout:latest" --history.created "$created" \
            --history.created_by "$one" "$work/$one.tar"
    done
    umoci config --image "$layout:latest" --created "$created" --history.created "$created" \
        --history.created_by config "$@"
    umoci gc --layout "$layout"
    tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        -C "$layout" -cf "$work/$name.archive" .
    mv "$work/$name.archive" "$out/$name.tar"
}

path='PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

# Shared: the C library, a shell, and what both servers need besides.
BASE_LIST=
LIBRARIES='libssl.so.3 libcrypto.so.3 libz.so.1'
export BASE_LIST LIBRARIES
layer base base-files,base-passwd,dash,libssl3,zlib1g 'sh dash'
# Users are added to these: each image brings its own.
tar -tf "$work/base.tar" | grep -v -x -e ./etc/passwd -e ./etc/group >"$work/base.list"

# As the official image has it: root on port 80, logs where the container's output goes.
BASE_LIST=$work/base.list
layer nginx base-files,base-passwd,nginx nginx \
    'mkdir -p "$1/var/log/nginx" "$1/var/lib/nginx" "$1/var/www/html" "$1/etc/nginx/sites-enabled"' \
    'ln -sf ../sites-available/default "$1/etc/nginx/sites-enabled/default"' \
    'cp "$1/usr/share/nginx/html/index.html" "$1/var/www/html/index.html"' \
    'ln -s /dev/stdout "$1/var/log/nginx/access.log"; ln -s /dev/stderr "$1/var/log/nginx/error.log"'
image nginx 'base nginx' --config.env "$path" --config.entrypoint nginx --config.entrypoint -g \
    --config.entrypoint 'daemon off;' --config.exposedports 80/tcp --config.stopsignal SIGQUIT

# The official image starts as root and drops to this user; here it starts as it.
layer redis base-files,base-passwd,redis-server \
    'redis-server redis-check-rdb redis-sentinel redis-cli redis-benchmark' \
    'echo redis:x:999:999::/data:/usr/sbin/nologin >>"$1/etc/passwd"; echo redis:x:999: >>"$1/etc/group"' \
    'ln -s redis-check-rdb "$1/usr/bin/redis-check-aof"; mkdir "$1/data"; chown 999:999 "$1/data"'
image redis 'base redis' --config.env "$path" --config.cmd redis-server --config.workingdir /data \
    --config.user redis:redis --config.volume /data --config.exposedports 6379/tcp

BASE_LIST='' LIBRARIES=''
layer busybox base-passwd,busybox-static busybox \
    'mkdir -m 700 "$1/root"' \
    'for applet in $("$1/usr/bin/busybox" --list | grep -vx busybox); do ln -s busybox "$1/usr/bin/$applet"; done'
image busybox busybox --config.env "$path" --config.cmd sh
mkdir "$work/folder"
tar -C "$work/folder" --no-same-owner -xf "$work/busybox.tar"
rm -rf "$out/busybox"
mv "$work/folder" "$out/busybox"

echo "$stamp" >"$work/stamp"
mv "$work/stamp" "$out/.stamp"
