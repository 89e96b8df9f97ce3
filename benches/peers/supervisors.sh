# Read by make-peers.sh:
#   supervisors.cpio   s6, runit, supervisord and systemd, with services that crash, or that stay
tree supervisors busybox-static,crun,s6,runit,supervisor,systemd
bundle supervisors
sed -i 's/"stamp-and-stay"/"stamps", "1500"/' "$out/supervisors/bundle/config.json"
gcc -O2 -static -o "$out/supervisors/usr/bin/service" "$here/service.c"
strip "$out/supervisors/usr/bin/service"
cat >"$out/supervisors/usr/bin/boxed" <<'BOXED'
#!/bin/busybox sh
cd /bundle
exec crun run --no-pivot box >>/run/stamps
BOXED
cp "$here/supervisors.init" "$out/supervisors/init"
chmod 755 "$out/supervisors/init" "$out/supervisors/usr/bin/boxed"
printf 'sleep 60\njoin /proc/1/ns/mnt\nread /run/stamps\n' >"$out/supervisors/stamps"

without_logins supervisors
units=$out/supervisors/etc/systemd/system
mkdir -p "$units/many.target.wants"
# unit NAME COMMAND
unit() {
    cat >"$units/$1.service" <<UNIT
[Unit]
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart=$2
Restart=always
RestartSec=0
StandardOutput=null
UNIT
}
unit plain /usr/bin/service
unit crun /usr/bin/boxed
unit many@ '/usr/bin/service stay'
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >"$units/many.target"
number=0
while [ "$number" -lt 500 ]; do
    ln -s ../many@.service "$units/many.target.wants/many@$number.service"
    number=$((number + 1))
done
pack supervisors
