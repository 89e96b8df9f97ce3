#!/bin/sh
# Makes the machine in which other people's engines and tests run against an OCI runtime: a disk image and a
# kernel, from Debian's packages.
#   SUITE/disk.ext4   podman, containerd, docker and what they need, crun and runc, systemd
#   SUITE/vmlinuz     Debian's cloud kernel, 6.12 or newer; its modules are on the disk
# Made again only when this script or what it puts into the machine changes.
#
# usage: make-guest.sh OUT SUITE
set -eu

out=${1:?usage: make-guest.sh OUT SUITE}
suite=${2:?usage: make-guest.sh OUT SUITE}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
export LC_ALL=C TZ=UTC
umask 022
mkdir -p "$out/$suite"
out=$(CDPATH='' cd -- "$out/$suite" && pwd)

stamp=$(cat "$0" "$here"/guest/* | sha256sum | cut -d' ' -f1)
[ "$(cat "$out/stamp" 2>/dev/null || true)" != "$stamp" ] || exit 0

mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$1" -v otherwise="$2" '$2 == release { uri = $1; exit } END { print uri ? uri : otherwise }'
}
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
archive=$(mirror "$codename" http://deb.debian.org/debian)
security=$(mirror "$codename-security" http://deb.debian.org/debian-security)
kernels=$suite
if [ "$suite" = bookworm ]; then kernels=bookworm-backports; fi

packages=podman,conmon,crun,runc,containerd,docker.io
# In Debian 12 the daemon's package has its client.
[ "$suite" = bookworm ] || packages=$packages,docker-cli,docker-buildx
# Their networks.
packages=$packages,netavark,aardvark-dns,containernetworking-plugins,iptables,nftables,iproute2,iputils-ping,slirp4netns
# Without root, and with an init of their own.
packages=$packages,uidmap,fuse-overlayfs,catatonit,tini,dbus,dbus-user-session,sudo
# What the suites are written with, and what shows what a container sees.
packages=$packages,systemd-sysv,bats,jq,python3,procps,psmisc,kmod,busybox-static,curl,socat,strace,bubblewrap,util-linux-extra
packages=$packages,skopeo,umoci,ca-certificates,xz-utils,apparmor,libcap2-bin,attr,gawk

# The parts of the kernel's package in the tree $1, and where we boot from.
cat >"$out/kernel.hook" <<'HOOK'
#!/bin/sh
set -eu
chroot "$1" sh -eu <<'INSIDE'
cd /tmp
meta=linux-image-cloud-$(dpkg --print-architecture)
version=$(apt-cache madison "$meta" | cut -d'|' -f2 | tr -d ' ' | sort -V | tail -n 1)
parts=$(apt-cache show "$meta=$version" | sed -n 's/^Depends: //p' | tr ',' '\n' | sed -n 's/^ *\(linux-image-[^ ]*\).*/\1/p')
apt-get -qq download -o APT::Sandbox::User=root $parts
for part in *.deb; do dpkg-deb -x "$part" .; rm "$part"; done
# One with usr-merge, one without.
for modules in lib/modules/* usr/lib/modules/*; do
    [ -d "$modules" ] || continue
    mkdir -p /usr/lib/modules
    cp -a "$modules" /usr/lib/modules/
    depmod "$(basename "$modules")"
done
mv boot/vmlinuz-* /vmlinuz
rm -rf boot lib usr
INSIDE
mv "$1/vmlinuz" "$OUT/vmlinuz.new"
HOOK
cat >"$out/disk.hook" <<'HOOK'
#!/bin/sh
set -eu
root=$1
mkdir -p "$root/engines" "$root/job"
cp "$GUEST"/* "$root/engines/"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root/etc/resolv.conf"
echo guest >"$root/etc/hostname"
echo '127.0.0.1 localhost guest' >"$root/etc/hosts"
echo 'nameserver 10.0.2.3' >"$root/etc/resolv.conf"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
# Somebody without power, with ids to map.
chroot "$root" useradd --create-home --shell /bin/bash --uid 1000 somebody
grep -q ^somebody: "$root/etc/subuid" || echo somebody:100000:65536 | tee -a "$root/etc/subuid" >>"$root/etc/subgid"
# With systemd as its init the machine does the job and nothing else.
cat >"$root/etc/systemd/system/job.service" <<'UNIT'
[Unit]
After=basic.target dbus.service
Requires=basic.target
[Service]
Type=exec
Delegate=yes
ExecStart=/engines/job
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
TasksMax=infinity
UNIT
for unit in docker.service docker.socket containerd.service podman.service podman.socket podman-auto-update.timer podman-restart.service \
    getty@tty1.service serial-getty@ttyS0.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    e2scrub_reap.service fstrim.timer systemd-timesyncd.service apparmor.service systemd-networkd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
ln -sf /etc/systemd/system/job.service "$root/etc/systemd/system/default.target.wants/job.service" 2>/dev/null || {
    mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
    ln -sf ../job.service "$root/etc/systemd/system/multi-user.target.wants/job.service"
}
ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
rm -f "$OUT/disk.new"
# Without what mmdebstrap has mounted in it.
mkdir -p "$OUT/tree"
mount --bind "$root" "$OUT/tree"
status=0
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1 -d "$OUT/tree" "$OUT/disk.new" 8G || status=$?
umount "$OUT/tree"
rmdir "$OUT/tree"
exit "$status"
HOOK
chmod 755 "$out/kernel.hook" "$out/disk.hook"

{
    echo "deb $archive $suite main"
    echo "deb $security $suite-security main"
    [ "$kernels" = "$suite" ] || echo "deb $archive $kernels main"
} >"$out/sources.list"
OUT=$out GUEST=$here/guest mmdebstrap --quiet --variant=minbase --include="$packages" \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/icons/*' \
    --customize-hook="$out/kernel.hook" --customize-hook="$out/disk.hook" --skip=output \
    "$suite" /dev/null - <"$out/sources.list"
mv "$out/vmlinuz.new" "$out/vmlinuz"
mv "$out/disk.new" "$out/disk.ext4"
echo "$stamp" >"$out/stamp"
