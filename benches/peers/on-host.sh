#!/bin/sh
# Runs the runtimes of `runtimes.cpio` on this computer's own kernel, as root: what `figures host` reads.
# Limits and cgroups are left out, since a computer may have the old ones: each runtime is asked for none.
#
# usage: on-host.sh RUNTIMES.CPIO TIMES
set -eu

archive=$(realpath "$1") times=$2
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
(cd "$tree" && cpio --quiet -idm --no-absolute-filenames <"$archive")
cat >"$tree/on-host" <<'INNER'
export PATH=/bin:/usr/bin:/usr/sbin
cd /bundle
measure() {
    name=$1
    shift
    echo "host $name $(often "$TIMES" "$@" 2>/dev/null || echo failed)"
}
measure orlop orlop oci --cgroup-manager disabled run box
measure crun crun --cgroup-manager disabled run box
measure bwrap busybox sh -c 'exec bwrap --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup --bind rootfs / \
    --proc /proc --dev /dev --seccomp 9 /payload stamp 9<filter.bpf'
measure runc runc run box
INNER
# pivot_root wants a root that is a mount, and the tree as the root of it.
TIMES=$times unshare --mount --propagation private sh -c '
    mount --bind "$1" "$1"
    cd "$1"
    mount --rbind /proc proc
    mount --rbind /sys sys
    mount --rbind /dev dev
    mount -t tmpfs run run
    mount --move . /
    exec chroot . /bin/busybox sh /on-host' sh "$tree"
