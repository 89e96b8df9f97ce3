# Read by make-peers.sh:
#   loggers.cpio      who writes much, into s6-log, conmon and journald
#   containerd.cpio   the same into the shim of containerd
tree loggers busybox-static,conmon,coreutils,s6,systemd
cp "$here/loggers.init" "$out/loggers/init"
cp "$here/conmon.runtime" "$out/loggers/usr/bin/runtime"
chmod 755 "$out/loggers/init" "$out/loggers/usr/bin/runtime"
mkdir -p "$out/loggers/etc/systemd" "$out/loggers/var/log"
echo 0123456789abcdef0123456789abcdef >"$out/loggers/etc/machine-id"
printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nRuntimeMaxUse=256M\nReadKMsg=no\n' >"$out/loggers/etc/systemd/journald.conf"
pack loggers

tree containerd busybox-static,containerd,runc
mkdir -p "$out/containerd/x" "$out/containerd/etc/containerd" "$out/containerd/box/dev" "$out/containerd/box/proc" "$out/containerd/box/sys"
cp "$payload" "$out/containerd/box/payload"
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >"$out/containerd/etc/containerd/config.toml"
cp "$here/containerd.init" "$out/containerd/init"
chmod 755 "$out/containerd/init"
pack containerd
