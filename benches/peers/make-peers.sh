#!/bin/sh
# Makes the initramfs archives of the machines that Orlop is compared with, from Debian's packages:
#   busybox.cpio   a busybox script mounts what must be mounted and runs crun
#   systemd.cpio   systemd and journald; a unit runs crun
#   runtimes.cpio  crun, runc, bubblewrap, `orlop oci` and the limit run one bundle in turn
#   supervisors.cpio  services that crash or stay, below s6, runit, supervisord and systemd (see supervisors.sh)
#   loggers.cpio, containerd.cpio   much output, into one logger after the other (see loggers.sh)
#   reaper.cpio    the payload: for inits that only stamp, or only reap; and the limit of a machine's containers
# The container in each is the payload, with the specification that `crun spec` writes. Packages
# are fetched once.
#
# OUT holds `seccomp.json`, `filter.bpf` and `machine.bpf` already, which `figures write-filter` makes.
#
# usage: make-peers.sh OUT PAYLOAD ORLOP
set -eu

out=${1:?usage: make-peers.sh OUT PAYLOAD ORLOP}
payload=${2:?usage: make-peers.sh OUT PAYLOAD ORLOP}
orlop=${3:?usage: make-peers.sh OUT PAYLOAD ORLOP}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
suite=bookworm
export LC_ALL=C TZ=UTC
umask 022
mkdir -p "$out"

mirror() {
    apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 2>/dev/null |
        awk -v release="$1" -v otherwise="$2" '$2 == release { uri = $1; exit } END { print uri ? uri : otherwise }'
}

# tree NAME PACKAGES: their files, without what only a person reads.
tree() {
    name=$1 packages=$2
    stamp="$suite $packages"
    if [ "$(cat "$out/$name.stamp" 2>/dev/null || true)" != "$stamp" ]; then
        codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
        mmdebstrap --quiet --variant=extract --include="$packages" \
            --hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr "$suite" "$out/$name.tar" \
            "deb $(mirror "$codename" http://deb.debian.org/debian) $suite main"
        echo "$stamp" >"$out/$name.stamp"
    fi
    rm -rf "$out/$name"
    mkdir "$out/$name"
    tar -C "$out/$name" --no-same-owner --exclude='./dev/*' --exclude='./usr/share/*' --exclude='./var/lib/*' \
        --exclude='./var/cache/*' -xf "$out/$name.tar"
    mkdir -p "$out/$name/dev" "$out/$name/proc" "$out/$name/sys" "$out/$name/run" "$out/$name/tmp" "$out/$name/var/lib"
}

# bundle NAME: the container, in the form that crun takes.
bundle() {
    root=$out/$1
    mkdir -p "$root/bundle/rootfs/dev" "$root/bundle/rootfs/proc" "$root/bundle/rootfs/sys"
    cp "$payload" "$root/bundle/rootfs/payload"
    libraries=$(find "$root/usr/lib" -name 'libc.so.6' | head -n 1)
    libraries=${libraries%/*}
    (
        cd "$root/bundle"
        "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$libraries/systemd" "$root/usr/bin/crun" spec
        python3 - <<'PATCH'
import json
spec = json.load(open("config.json"))
spec["process"]["terminal"] = False
spec["process"]["args"] = ["/payload", "stamp-and-stay"]
json.dump(spec, open("config.json", "w"), indent=1)
spec["process"]["args"] = ["/payload", "stamp"]
json.dump(spec, open("once.json", "w"), indent=1)
PATCH
    )
}

# without_logins NAME: systemd with what it needs to be told, and none of those that nobody wants here; a getty
# waits for udev.
without_logins() {
    units=$out/$1/etc/systemd/system
    mkdir -p "$units"
    for unit in systemd-logind.service getty.target systemd-networkd.service systemd-timesyncd.service; do
        ln -sf /dev/null "$units/$unit"
    done
    echo 0123456789abcdef0123456789abcdef >"$out/$1/etc/machine-id"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$out/$1/etc/passwd"
    echo 'root:x:0:' >"$out/$1/etc/group"
}

# pack NAME: as an initramfs that begins with the witness.
pack() {
    cp "$payload" "$out/$1/witness"
    (cd "$out/$1" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -0 -o -H newc -R 0:0) >"$out/$1.cpio.new"
    mv "$out/$1.cpio.new" "$out/$1.cpio"
    rm -rf "${out:?}/$1"
}

rm -rf "$out/reaper"
mkdir -p "$out/reaper/proc" "$out/reaper/dev"
cp "$out/machine.bpf" "$out/reaper/machine.bpf"
gcc -O2 -static -o "$out/reaper/limit" "$here/../limit/machine.c"
gcc -O2 -static -o "$out/reaper/tried" "$here/../limit/tried.c"
strip "$out/reaper/limit" "$out/reaper/tried"
printf 'sleep 60\njoin /proc/1/ns/mnt\nspawn /tried 50\n' >"$out/reaper/try"
for alive in 12 100; do
    printf 'sleep 60\njoin /proc/1/ns/mnt\nspawn /limit /run/orlop/layers /machine.bpf %d /payload stamp-and-stay\n' \
        "$alive" >"$out/reaper/limit-$alive"
done
printf '%s\n' 'sleep 60' 'join /proc/1/ns/mnt' 'write /dev/kmsg <0>it is asked for' \
    'run /run/answer /witness ask /run/orlop/control.sock {"method":"org.orlop.Control.Power","parameters":{"action":"poweroff"}}' \
    'sleep 100' >"$out/reaper/power-off"
pack reaper

tree busybox busybox-static,crun
bundle busybox
cat >"$out/busybox/init" <<'INIT'
#!/bin/busybox sh
export PATH=/bin
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
busybox mkdir -p /dev/pts /dev/shm
busybox mount -t devpts devpts /dev/pts
busybox mount -t tmpfs tmpfs /dev/shm
busybox mount -t tmpfs tmpfs /run
busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
busybox hostname peer
busybox ifconfig lo up
cd /bundle
crun run --no-pivot web &
# Long after: crun by itself, again and again.
busybox sleep 20
busybox mkdir /again
busybox ln -s /bundle/rootfs /again/rootfs
busybox cp /bundle/once.json /again/config.json
cd /again
for number in 1 2 3 4 5 6 7; do
    echo "before $(/witness stamp)"
    echo "inside $(crun run --no-pivot once)"
done
wait
while :; do busybox sleep 1000; done
INIT
chmod 755 "$out/busybox/init"
pack busybox

tree runtimes busybox-static,crun,runc,bubblewrap
bundle runtimes
cp "$orlop" "$out/runtimes/usr/bin/orlop"
cp "$out"/filter*.bpf "$out"/machine*.bpf "$out/runtimes/bundle/"
gcc -O2 -static -o "$out/runtimes/usr/bin/often" "$here/../limit/often.c"
gcc -O2 -static -o "$out/runtimes/usr/bin/filter" "$here/../limit/filter.c"
gcc -O2 -static -o "$out/runtimes/usr/bin/limit" "$here/../limit/limit.c"
mkdir -p "$out/runtimes/x"
python3 - "$out/seccomp.json" "$out/runtimes/bundle/config.json" <<'PATCH'
import json, sys
seccomp, path = (json.load(open(name)) for name in sys.argv[1:])
path["process"]["args"] = ["/payload", "stamp"]
path["process"]["capabilities"] = {name: [] for name in ("bounding", "effective", "permitted", "inheritable", "ambient")}
path["process"]["noNewPrivileges"] = True
path["process"].pop("rlimits", None)
path["root"]["readonly"] = False
path["hostname"] = "limit"
path["linux"]["seccomp"] = seccomp
path["linux"]["namespaces"] = [{"type": name} for name in ("pid", "network", "ipc", "uts", "cgroup", "mount")]
path["linux"].pop("resources", None)
path["linux"]["maskedPaths"] = ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
    "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware"]
path["linux"]["readonlyPaths"] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
json.dump(path, open(sys.argv[2], "w"), indent=1)
PATCH
cat >"$out/runtimes/init" <<'INIT'
#!/bin/busybox sh
# pivot_root refuses the kernel's own root.
export PATH=/bin:/usr/bin:/usr/sbin
if [ "$1" != again ]; then
    busybox mount --bind / /x
    cd /x
    busybox mount --move . /
    exec busybox chroot . /init again
fi
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
busybox mkdir -p /dev/pts /dev/shm /dev/mqueue
busybox mount -t devpts devpts /dev/pts
busybox mount -t tmpfs tmpfs /dev/shm
busybox mount -t tmpfs tmpfs /run
busybox mount -t cgroup2 cgroup2 /sys/fs/cgroup
busybox ifconfig lo up
cd /bundle
round() {
    name=$1
    shift
    begin=$(/witness stamp)
    inside=$("$@" 2>/run/err)
    end=$(/witness stamp)
    echo "begin $name $begin inside $inside end $end"
    busybox head -n 1 /run/err
}
for number in 1 2 3 4 5 6 7; do
    round limit limit rootfs filter.bpf /payload stamp
    round orlop orlop oci run box
    round crun crun run box
    round bwrap bwrap --unshare-pid --unshare-net --unshare-ipc --unshare-uts --unshare-cgroup --bind rootfs / \
        --proc /proc --dev /dev --seccomp 9 /payload stamp 9<filter.bpf
    round runc runc run box
done
filter filter.bpf filter-short.bpf filter-flat.bpf machine.bpf machine-short.bpf machine-flat.bpf
echo rounds are over
while :; do busybox sleep 1000; done
INIT
chmod 755 "$out/runtimes/init"
pack runtimes

tree systemd systemd,crun
bundle systemd
wants=$out/systemd/etc/systemd/system/multi-user.target.wants
mkdir -p "$wants"
ln -sf /usr/lib/systemd/system/multi-user.target "$out/systemd/etc/systemd/system/default.target"
cat >"$out/systemd/etc/systemd/system/web.service" <<'UNIT'
[Service]
Type=exec
WorkingDirectory=/bundle
ExecStart=/usr/bin/crun run --no-pivot web
StandardOutput=tty
TTYPath=/dev/console
UNIT
ln -sf ../web.service "$wants/web.service"
without_logins systemd
pack systemd

. "$here/supervisors.sh"
. "$here/loggers.sh"
