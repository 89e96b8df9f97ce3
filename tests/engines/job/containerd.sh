#!/bin/bash
# What containerd's users do through ctr, with RUNTIME under its shim.
engine=containerd
cat >/job/containerd.env <<'ENV'
ctr() { command ctr -n scenario "$@"; }
# run ARGUMENTS…: with our runtime.
run() { ctr run --runc-binary "$RUNTIME" ${SYSTEMD:+--runc-systemd-cgroup} "$@"; }
gone() {
    for one; do
        ctr task kill -s KILL -a "$one" >/dev/null 2>&1 || true
        until_true bash -c "! ctr -n scenario task ls | grep -q '^$one .*RUNNING'"
        ctr task rm -f "$one" >/dev/null 2>&1 || true
        ctr container rm "$one" >/dev/null 2>&1 || true
    done
}
state() { ctr task ls | awk -v name="$1" '$1 == name { print $3 }'; }
is() { [ "$(state "$1")" = "$2" ]; }
image=docker.io/library/busybox:latest
ENV
. /job/lib.sh

mkdir -p /etc/containerd
printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' >/etc/containerd/config.toml
# With mapped ids ctr forgets which runtime was asked for, and its shim takes the `runc` that it finds.
mkdir -p /job/bin
ln -sf "$RUNTIME" /job/bin/runc
PATH=/job/bin:$PATH containerd >"$LOGS/$NAME/containerd.log" 2>&1 &
daemon=$!

containerd_answers() {
    until_true command ctr version
}

images_come_from_archives() {
    for one in busybox redis; do
        skopeo copy "oci-archive:/job/images/$one.tar" "docker-archive:/tmp/$one.tar:docker.io/library/$one:latest"
        ctr images import "/tmp/$one.tar"
        rm "/tmp/$one.tar"
    done
    ctr images ls
}

run_prints_and_gives_the_exit_status() {
    equal hello "$(run --rm "$image" one echo hello)"
    ends 7 run --rm "$image" one sh -c 'exit 7'
    fails run --rm "$image" one /no/such/program
    gone one
}

a_life_is_run_exec_stop_rm() {
    gone life
    run -d "$image" life sh -c 'trap "exit 3" TERM; while :; do sleep 0.2; done'
    until_true is life RUNNING
    equal in "$(ctr task exec --exec-id a life echo in)"
    ends 42 ctr task exec --exec-id b life sh -c 'exit 42'
    equal /usr "$(ctr task exec --exec-id c --cwd /usr life pwd)"
    equal 33 "$(ctr task exec --exec-id d --user 33 life id -u)"
    within sleep "$(ctr task exec --exec-id e life ps)"
    within "$(ctr task ls | awk '$1 == "life" { print $2 }')" "$(ctr task ps life)"
    ctr task kill -s TERM life
    until_true is life STOPPED
    within 'exit code 3' "$(ctr task rm life 2>&1)"
    ctr container rm life
}

a_terminal_is_one() {
    gone terminal
    within pts "$(script -qec "ctr -n scenario run --rm -t --runc-binary $RUNTIME $image terminal tty" /dev/null)"
    gone terminal
    run -d "$image" terminal sleep 1000
    within pts "$(script -qec 'ctr -n scenario task exec -t --exec-id t terminal tty' /dev/null)"
    gone terminal
}

pause_and_resume() {
    gone paused
    run -d "$image" paused sleep 1000
    ctr task pause paused
    equal PAUSED "$(state paused)"
    ctr task resume paused
    equal RUNNING "$(state paused)"
    gone paused
}

limits_are_in_the_cgroup_and_metrics_tell() {
    gone limited
    run -d --memory-limit 67108864 --cpus 0.5 "$image" limited sleep 1000
    equal 67108864 "$(ctr task exec --exec-id a limited cat /sys/fs/cgroup/memory.max 2>/dev/null || cat "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(ctr task ls | awk '$1 == "limited" { print $2 }')/cgroup")/memory.max")"
    ctr task metrics limited | tee /tmp/metrics
    within 67108864 "$(cat /tmp/metrics)"
    gone limited
}

ids_are_mapped() {
    gone mapped
    run -d --uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels "$image" mapped sleep 1000 || {
        gone mapped
        run -d --uidmap 0:100000:65536 --gidmap 0:100000:65536 "$image" mapped sleep 1000
    }
    equal '0 100000 65536' "$(ctr task exec --exec-id a mapped cat /proc/self/uid_map | xargs)"
    gone mapped
}

privileges_devices_mounts_and_namespaces() {
    mkdir -p /tmp/bound && echo bound >/tmp/bound/file
    equal bound "$(run --rm --mount type=bind,src=/tmp/bound,dst=/bound,options=rbind:ro "$image" one cat /bound/file)"
    run --rm --privileged "$image" one sh -c 'mkdir /mnt2 && mount -t tmpfs none /mnt2'
    equal "$(readlink /proc/self/ns/net)" "$(run --rm --net-host "$image" one readlink /proc/self/ns/net)"
    run --rm --device /dev/fuse "$image" one test -c /dev/fuse
    fails run --rm --read-only "$image" one touch /x
    equal 2 "$(run --rm --seccomp "$image" one sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    equal value "$(run --rm --env KEY=value "$image" one sh -c 'echo $KEY')"
}

a_database_runs_as_its_user() {
    gone store
    run -d docker.io/library/redis:latest store
    until_true ctr task exec --exec-id "p$RANDOM" store redis-cli ping
    gone store
}

many_at_once() {
    for i in 1 2 3 4 5 6; do gone "many$i"; done
    for i in 1 2 3 4 5 6; do run -d "$image" "many$i" sleep 1000 & done
    wait
    equal 6 "$(ctr task ls | grep -c 'many.*RUNNING')"
    for i in 1 2 3 4 5 6; do gone "many$i"; done
}

nothing_is_left() {
    equal '' "$(ctr task ls -q)"
    equal '[]' "$("$RUNTIME" --root /run/containerd/runc/scenario list --format json 2>/dev/null | tr -d '\n' | sed 's/^null$/[]/; s/^$/[]/')"
    equal '' "$(find /sys/fs/cgroup/scenario -mindepth 1 -type d 2>/dev/null)"
}

promise containerd answers
promise images come from archives
promise run prints and gives the exit status
promise a life is run exec stop rm
promise a terminal is one
promise pause and resume
promise limits are in the cgroup and metrics tell
promise ids are mapped
promise privileges devices mounts and namespaces
promise a database runs as its user
promise many at once
promise nothing is left
plan
kill "$daemon"
wait "$daemon"
