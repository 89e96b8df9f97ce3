#!/usr/bin/env bash
# Boots the machine that make-guest.sh made, has it do one job, and waits for its end. The disk is not changed.
# JOB is a folder with an executable `run`. OUT gets `results` (what it wrote to $RESULTS), `console`, and
# the folder `logs`: a disk that is written through, so that what a hanging job said is there as well.
# Fails when the machine did not come to the job's end, or the job failed.
#
# usage: boot.sh GUEST JOB OUT [init|systemd] [SECONDS]
set -euo pipefail

guest=${1:?usage: boot.sh GUEST JOB OUT [init|systemd] [SECONDS]} job=${2:?} out=${3:?}
first=${4:-init} seconds=${5:-3600}
mkdir -p "$out/logs"
work=$(mktemp -d "$out/.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
export PATH=$PATH:/usr/sbin:/sbin
mke2fs -q -t ext4 -O ^has_journal -m 0 "$work/logs.ext4" 512M

tar -C "$job" --owner=0 --group=0 -cf "$work/job.tar" .
case $first in
    init) words=init=/engines/init ;;
    systemd) words='init=/usr/lib/systemd/systemd systemd.show_status=false' ;;
    *) echo "boot.sh: $first is neither init nor systemd" >&2 && exit 2 ;;
esac
# The emulated processor is that of the machines under test; see qemu/src/arguments.rs.
accelerator=(-accel tcg -cpu max,cx16=off,la57=off)
[ "${ORLOP_VM_ACCELERATOR:-}" != kvm ] || accelerator=(-accel kvm -cpu host)

status=0
# `no_timer_check`: the kernel counts ticks for a moment of guest time and panics when a busy host gave it none.
# One disk of the kind that is the root: several are numbered as they come. The others have names.
# What the machine writes to its disk goes to a temporary file of the emulator's.
TMPDIR=$work timeout --foreground "$seconds" qemu-system-x86_64 -nodefaults -no-user-config -no-reboot \
    -machine q35,hpet=on -display none "${accelerator[@]}" -m "${MEMORY:-2048M}" -smp 1 \
    -kernel "$guest/vmlinuz" \
    -append "console=ttyS0 root=/dev/nvme0n1 rootfstype=ext4 rw panic=10 quiet no_timer_check $words" \
    -drive "if=none,id=disk,format=raw,snapshot=on,file=$guest/disk.ext4" -device nvme,serial=disk,drive=disk \
    -drive "if=none,id=job,format=raw,readonly=on,file=$work/job.tar" -device virtio-blk-pci,serial=job,drive=job \
    -chardev "file,id=console,path=$out/console" -serial chardev:console \
    -chardev "file,id=results,path=$out/results" -serial chardev:results \
    -drive "if=none,id=logs,format=raw,file=$work/logs.ext4" -device virtio-blk-pci,serial=logs,drive=logs \
    -netdev user,id=network,restrict=on -device virtio-net-pci,netdev=network,romfile= \
    </dev/null 2>"$out/emulator" || status=$?

sed -i 's/\r$//' "$out/console" "$out/results"
debugfs -R "rdump / $out/logs" "$work/logs.ext4" 2>"$out/debugfs" || true
rmdir "$out/logs/lost+found" 2>/dev/null || true
end=$(sed -n 's/^engines: end //p' "$out/results")
if [ -z "$end" ]; then
    echo "boot.sh: the machine did not come to the end of its job (emulator's status $status); its console ended:" >&2
    tail -n 20 "$out/console" "$out/emulator" >&2
    exit 1
fi
exit "$end"
