#!/bin/bash
# What podman's users do, with RUNTIME under it. MANAGER is podman's cgroup manager.
engine=podman
cat >/job/podman.env <<'ENV'
podman() { command podman --runtime "$RUNTIME" --cgroup-manager "${MANAGER:-cgroupfs}" --events-backend file "$@"; }
# gone NAME…: whatever an earlier promise left.
gone() { podman rm -f -t 0 "$@" >/dev/null 2>&1 || true; }
state() { podman inspect --format '{{.State.Status}}' "$1"; }
is() { [ "$(state "$1")" = "$2" ]; }
cgroup_of() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$(podman inspect --format '{{.State.Pid}}' "$1")/cgroup")"; }
ENV
. /job/lib.sh

# As docs/oci-runtime.md has it: by the name of the file that podman is given.
mkdir -p /etc/containers
printf '[engine]\nruntime_supports_json = ["crun", "runc", "orlop-oci"]\nruntime_supports_nocgroups = ["crun", "orlop-oci"]\n' \
    >/etc/containers/containers.conf

images_come_from_archives() {
    for image in busybox nginx redis; do
        id=$(podman pull -q "oci-archive:/job/images/$image.tar" | tail -n 1)
        podman tag "$id" "localhost/$image:latest"
    done
    podman images
}

run_prints() {
    equal hello "$(podman run --rm busybox echo hello)"
}

run_gives_the_exit_status() {
    ends 7 podman run --rm busybox sh -c 'exit 7'
    ends 127 podman run --rm busybox /no/such/program
    ends 126 podman run --rm busybox /etc
}

run_takes_input() {
    equal 'from outside' "$(echo 'from outside' | podman run -i --rm busybox cat)"
}

run_separates_output_and_error() {
    podman run --rm busybox sh -c 'echo out; echo err >&2' >/tmp/out 2>/tmp/err
    equal out "$(cat /tmp/out)"
    within err "$(cat /tmp/err)"
}

a_life_is_run_exec_logs_stop_rm() {
    gone life
    podman run -d --name life busybox sh -c 'trap "echo stopping; exit 3" TERM; echo up; while :; do sleep 0.2; done'
    until_true is life running
    equal in "$(podman exec life echo in)"
    until_true bash -c '[ -n "$(podman logs life)" ]'
    within up "$(podman logs life)"
    podman stop -t 20 life
    equal exited "$(state life)"
    equal 3 "$(podman inspect --format '{{.State.ExitCode}}' life)"
    within stopping "$(podman logs life)"
    podman start life
    until_true is life running
    podman rm -f -t 0 life
    fails podman inspect life
}

exec_has_user_folder_environment_and_status() {
    gone inside
    podman run -d --name inside busybox sleep 1000
    equal 'uid=33(www-data) gid=33(www-data)' "$(podman exec -u www-data inside id | sed 's/ groups.*//')"
    equal 1234:5678 "$(podman exec -u 1234:5678 inside sh -c 'echo $(id -u):$(id -g)')"
    equal /usr "$(podman exec -w /usr inside pwd)"
    equal value "$(podman exec -e KEY=value inside sh -c 'echo $KEY')"
    ends 42 podman exec inside sh -c 'exit 42'
    ends 127 podman exec inside /no/such/program
    equal piped "$(echo piped | podman exec -i inside cat)"
    podman exec -d inside touch /tmp/detached
    until_true podman exec inside test -e /tmp/detached
    gone inside
}

a_terminal_is_one() {
    gone terminal
    within pts "$(script -qec "podman --runtime $RUNTIME --cgroup-manager ${MANAGER:-cgroupfs} run -t --rm busybox tty" /dev/null)"
    podman run -dt --name terminal busybox sh
    within pts "$(script -qec "podman --runtime $RUNTIME --cgroup-manager ${MANAGER:-cgroupfs} exec -t terminal tty" /dev/null)"
    script -qec "stty rows 33 cols 99; podman --runtime $RUNTIME --cgroup-manager ${MANAGER:-cgroupfs} exec -it terminal stty size" /dev/null | tee /tmp/size
    within '33 99' "$(cat /tmp/size)"
    gone terminal
}

pause_and_unpause() {
    gone paused
    podman run -d --name paused busybox sleep 1000
    podman pause paused
    equal paused "$(state paused)"
    within 'frozen 1' "$(cat "$(cgroup_of paused)/cgroup.events")"
    fails podman exec paused true
    podman unpause paused
    equal running "$(state paused)"
    podman exec paused true
    gone paused
}

limits_are_in_the_cgroup() {
    gone limited
    podman run -d --name limited --memory 64m --memory-reservation 32m --pids-limit 50 --cpus 0.5 --cpu-shares 512 --cpuset-cpus 0 \
        busybox sleep 1000
    equal 67108864 "$(podman exec limited cat /sys/fs/cgroup/memory.max)"
    equal 33554432 "$(podman exec limited cat /sys/fs/cgroup/memory.low)"
    equal 50 "$(podman exec limited cat /sys/fs/cgroup/pids.max)"
    equal '50000 100000' "$(podman exec limited cat /sys/fs/cgroup/cpu.max)"
    # The conversion of runtimes until 2025, and the one since.
    within "=$(podman exec limited cat /sys/fs/cgroup/cpu.weight)=" '=20=59='
    equal 0 "$(podman exec limited cat /sys/fs/cgroup/cpuset.cpus)"
    fails podman exec limited sh -c 'echo max >/sys/fs/cgroup/memory.max'
    gone limited
}

update_changes_limits() {
    gone updated
    podman run -d --name updated --memory 64m busybox sleep 1000
    podman update --memory 96m --cpus 0.25 --pids-limit 33 updated || { podman update --help | grep -q pids-limit && exit 1; podman update --memory 96m --cpus 0.25 updated; }
    equal 100663296 "$(podman exec updated cat /sys/fs/cgroup/memory.max)"
    equal '25000 100000' "$(podman exec updated cat /sys/fs/cgroup/cpu.max)"
    gone updated
}

memory_has_an_end() {
    gone eater
    ends 137 podman run --name eater --memory 16m --memory-swap 16m busybox sh -c 'x=$(head -c 60000000 /dev/zero | tr "\0" x); echo ${#x}'
    gone eater
}

stats_and_top_tell() {
    gone told
    podman run -d --name told busybox sleep 1000
    podman stats --no-stream --format json told | tee /tmp/stats
    equal told "$(jq -r '.[0].name' /tmp/stats)"
    equal 1 "$(jq -r '.[0].pids' /tmp/stats)"
    within sleep "$(podman top told)"
    gone told
}

ids_are_mapped() {
    gone mapped
    podman run -d --name mapped --uidmap 0:100000:65536 --gidmap 0:100000:65536 busybox sleep 1000
    equal '0 100000 65536' "$(podman exec mapped cat /proc/self/uid_map | xargs)"
    equal 0 "$(podman exec mapped id -u)"
    pid=$(podman inspect --format '{{.State.Pid}}' mapped)
    equal 100000 "$(stat -c %u "/proc/$pid")"
    podman exec mapped touch /made
    gone mapped
}

a_private_user_namespace_with_limits_and_a_terminal() {
    gone both
    podman run -dt --name both --uidmap 0:100000:65536 --gidmap 0:100000:65536 --memory 64m --read-only --tmpfs /scratch busybox sh
    within pts "$(script -qec "podman --runtime $RUNTIME --cgroup-manager ${MANAGER:-cgroupfs} exec -t both tty" /dev/null)"
    podman exec both touch /scratch/made
    fails podman exec both touch /made
    gone both
}

power_is_dropped() {
    equal 0000000000000000 "$(podman run --rm --cap-drop all busybox sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal 0000000000000000 "$(podman run --rm --user 1000 busybox sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal 0000000000000000 "$(podman run --rm busybox sed -n 's/^CapInh:\t//p' /proc/self/status)"
    equal 0000000000001000 "$(podman run --rm --cap-drop all --cap-add net_admin busybox sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal 1 "$(podman run --rm --security-opt no-new-privileges busybox sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)"
    equal 2 "$(podman run --rm busybox sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    equal 0 "$(podman run --rm --security-opt seccomp=unconfined busybox sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    fails podman run --rm busybox mount -t tmpfs none /mnt
    fails podman run --rm --user 1000 busybox cat /proc/kcore
}

one_process_fits_in_a_limit_of_one() {
    equal one "$(podman run --rm --pids-limit 1 busybox echo one)"
    gone single
    podman run -d --name single --pids-limit 1 busybox sleep 1000
    fails podman exec single true
    equal running "$(state single)"
    gone single
}

user_namespaces_are_found_automatically() {
    grep -q ^containers: /etc/subuid || echo containers:1000000:1000000 | tee -a /etc/subuid >>/etc/subgid
    podman run --rm --userns auto busybox cat /proc/self/uid_map | tee /tmp/map
    fails grep -q '^ *0 *0 ' /tmp/map
}

a_checkpoint_is_refused_and_harms_nothing() {
    gone kept
    podman run -d --name kept busybox sleep 1000
    fails podman container checkpoint kept
    equal running "$(state kept)"
    gone kept
}

a_filter_of_ones_own_is_in_force() {
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' >/tmp/filter.json
    within 'not implemented' "$(podman run --rm --security-opt seccomp=/tmp/filter.json busybox mkdir /tmp/made 2>&1 || true)"
    podman run --rm --security-opt seccomp=/tmp/filter.json busybox true
}

a_file_of_kubernetes_is_played() {
    cat >/tmp/pod.yaml <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: played}
spec:
  shareProcessNamespace: true
  containers:
  - {name: one, image: localhost/busybox, command: [sleep, "1000"], resources: {limits: {memory: 64Mi}}}
  - {name: two, image: localhost/busybox, command: [sleep, "2000"], securityContext: {runAsUser: 33, readOnlyRootFilesystem: true}}
YAML
    podman kube play /tmp/pod.yaml
    within 'sleep 2000' "$(podman exec played-one ps)"
    equal 33 "$(podman exec played-two id -u)"
    fails podman exec played-two touch /made
    podman kube down /tmp/pod.yaml
}

somebody_without_power_runs_them() {
    # Where systemd is, it lends somebody a cgroup; else nobody does.
    [ "${MANAGER:-}" != systemd ] || systemctl start user@1000.service
    install -d -o somebody -g somebody -m 700 /run/user/1000
    cat >/tmp/rootless.sh <<'SCRIPT'
set -euxo pipefail
cd && export XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus
podman() { command podman --storage-driver vfs --runtime "$RUNTIME" --cgroup-manager "${MANAGER:-cgroupfs}" --events-backend file "$@"; }
podman tag "$(podman pull -q oci-archive:/job/images/busybox.tar | tail -n 1)" localhost/busybox:latest
test "$(podman run --rm --network none busybox id -u)" = 0
test "$(podman run --rm --network none --userns keep-id busybox id -u)" = 1000
[ "${MANAGER:-}" != systemd ] || test "$(podman run --rm --network none --memory 64m busybox cat /sys/fs/cgroup/memory.max)" = 67108864
podman run -d --network none --name in busybox sleep 1000
test "$(podman exec in echo in)" = in
test "$(podman exec -u 33 in id -u)" = 33
podman rm -f -t 0 in
printf 'FROM localhost/busybox\nRUN echo built >/built\nCMD cat /built\n' >Containerfile
podman build -q --network none -t built .
test "$(podman run --rm --network none built)" = built
SCRIPT
    chmod 755 /job /job/orlop* || true
    runuser -u somebody -- env HOME=/home/somebody bash /tmp/rootless.sh
}

privileged_opens_up() {
    equal 0 "$(podman run --rm --privileged busybox sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    podman run --rm --privileged busybox sh -c 'mkdir /mnt2; mount -t tmpfs none /mnt2'
    podman run --rm --privileged busybox test -b /dev/nvme0n1
}

mounts_of_every_kind() {
    gone mounted
    podman volume rm -f data
    mkdir -p /tmp/bound && echo bound >/tmp/bound/file
    podman run --rm -v data:/data -v /tmp/bound:/bound:ro --tmpfs /scratch:size=1m --read-only busybox \
        sh -euc 'echo kept >/data/file; cat /bound/file; ! touch /bound/x; ! touch /x; touch /scratch/x; df -k /scratch | grep -q 1024'
    equal kept "$(podman run --rm -v data:/data:ro busybox cat /data/file)"
    equal bound "$(podman run --rm --mount type=bind,source=/tmp/bound/file,target=/some/where/file busybox cat /some/where/file)"
    equal bound "$(podman run --rm -v /tmp/bound:/bound:rw,rslave,noexec,nosuid,nodev busybox cat /bound/file)"
    within noexec "$(podman run --rm -v /tmp/bound:/bound:rw,rslave,noexec,nosuid,nodev busybox grep ' /bound ' /proc/mounts)"
    podman volume rm data
}

names_and_files_are_injected() {
    equal inside "$(podman run --rm --hostname inside busybox hostname)"
    within '10.9.8.7' "$(podman run --rm --add-host there:10.9.8.7 busybox cat /etc/hosts)"
    podman run --rm busybox test -e /run/.containerenv
    equal /root "$(podman run --rm busybox sh -c 'echo $HOME')"
    equal /usr "$(podman run --rm -w /usr busybox pwd)"
}

kernel_parameters_limits_and_devices() {
    equal 1 "$(podman run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward)"
    equal 1234 "$(podman run --rm --ulimit nofile=1234:1234 busybox sh -c 'ulimit -n')"
    podman run --rm --device /dev/fuse busybox test -c /dev/fuse
    fails podman run --rm busybox test -e /dev/fuse
    within '2048' "$(podman run --rm --shm-size 2m busybox df -k /dev/shm)"
    equal 500 "$(podman run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj)"
    equal 0077 "$(podman run --rm --umask 0077 busybox sh -c umask)"
}

namespaces_are_shared_when_asked() {
    gone first
    podman run -d --name first busybox sleep 1000
    equal "$(readlink /proc/self/ns/net)" "$(podman run --rm --net host busybox readlink /proc/self/ns/net)"
    equal "$(readlink /proc/self/ns/pid)" "$(podman run --rm --pid host busybox readlink /proc/self/ns/pid)"
    equal "$(readlink /proc/self/ns/ipc)" "$(podman run --rm --ipc host busybox readlink /proc/self/ns/ipc)"
    equal "$(readlink /proc/self/ns/uts)" "$(podman run --rm --uts host busybox readlink /proc/self/ns/uts)"
    for space in net pid ipc; do
        equal "$(podman exec first readlink "/proc/self/ns/$space")" "$(podman run --rm --$space container:first busybox readlink "/proc/self/ns/$space")"
    done
    equal "$(podman exec first readlink /proc/1/ns/mnt)" "$(podman exec first readlink /proc/self/ns/mnt)"
    gone first
}

signals_arrive() {
    gone signalled
    podman run -d --name signalled busybox sh -c 'trap "exit 5" USR1; while :; do sleep 0.2; done'
    until_true podman exec signalled true
    podman kill -s USR1 signalled
    equal 5 "$(podman wait signalled)"
    gone signalled
    podman run -d --name signalled busybox sleep 1000
    podman kill signalled
    equal 137 "$(podman wait signalled)"
    gone signalled
}

an_init_reaps() {
    gone reaped
    podman run -d --init --name reaped busybox sleep 1000
    within init "$(podman exec reaped cat /proc/1/comm /proc/1/cmdline | tr '\0' ' ')"
    gone reaped
}

restarts_on_failure() {
    gone again
    podman run -d --name again --restart on-failure:2 busybox sh -c 'echo once; exit 1'
    until_true bash -c '[ "$(podman inspect --format "{{.RestartCount}}" again)" = 2 ] && [ "$(podman inspect --format "{{.State.Status}}" again)" = exited ]'
    equal 3 "$(podman logs again | grep -c once)"
    gone again
}

health_is_checked() {
    gone healthy
    podman run -d --name healthy --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 busybox sleep 1000
    ends 1 podman healthcheck run healthy
    podman exec healthy touch /tmp/well
    podman healthcheck run healthy
    gone healthy
}

files_are_copied_both_ways() {
    gone copied
    podman run -d --name copied busybox sleep 1000
    echo there >/tmp/there
    podman cp /tmp/there copied:/tmp/there
    equal there "$(podman exec copied cat /tmp/there)"
    podman exec copied sh -c 'echo back >/tmp/back'
    podman cp copied:/tmp/back /tmp/back
    equal back "$(cat /tmp/back)"
    gone copied
}

create_then_start_and_attach() {
    gone later
    podman create --name later busybox echo later
    equal created "$(state later)"
    equal later "$(podman start -a later)"
    podman init later || true
    gone later
    gone initialised
    podman create --name initialised busybox sleep 1000
    podman init initialised
    equal initialized "$(state initialised)"
    podman start initialised
    equal running "$(state initialised)"
    gone initialised
}

a_server_answers_on_a_published_port() {
    gone web
    podman run -d --name web -p 8080:80 nginx
    until_true curl -sf http://127.0.0.1:8080/
    within nginx "$(curl -s http://127.0.0.1:8080/)"
    until_true bash -c 'podman logs web 2>&1 | grep -q GET'
    podman stop -t 20 web
    equal 0 "$(podman inspect --format '{{.State.ExitCode}}' web)"
    gone web
}

a_database_keeps_its_volume() {
    gone store
    podman run -d --name store redis
    until_true podman exec store redis-cli ping
    podman exec store redis-cli set key value
    podman exec store redis-cli save
    podman restart -t 20 store
    until_true podman exec store redis-cli ping
    equal value "$(podman exec store redis-cli get key)"
    gone store
    podman volume prune -f
}

a_pod_shares_its_network() {
    podman pod rm -f -t 0 together || true
    podman pod create --name together
    podman run -d --pod together --name together-web nginx
    until_true podman run --rm --pod together busybox wget -q -O /dev/null http://127.0.0.1/
    podman pod pause together
    podman pod unpause together
    podman pod stats --no-stream together
    podman pod stop -t 20 together
    podman pod rm -f -t 0 together
}

commits_and_builds() {
    gone changed
    podman run --name changed busybox sh -c 'echo changed >/changed'
    podman commit -q changed localhost/changed
    equal changed "$(podman run --rm localhost/changed cat /changed)"
    gone changed
    mkdir -p /tmp/build && printf 'FROM localhost/busybox\nRUN echo built >/built\nCMD cat /built\n' >/tmp/build/Containerfile
    podman build -q --network none -t localhost/built /tmp/build
    equal built "$(podman run --rm localhost/built)"
}

many_at_once() {
    for i in 1 2 3 4 5 6 7 8; do gone "many$i"; done
    for i in 1 2 3 4 5 6 7 8; do podman run -d --net none --name "many$i" busybox sleep 1000 & done
    wait
    equal 8 "$(podman ps -q --filter name=many | wc -l)"
    podman rm -f -t 0 many1 many2 many3 many4 many5 many6 many7 many8
}

a_container_that_cannot_start_is_told_and_leaves_nothing() {
    gone wrong
    within no/such "$(podman run --name wrong busybox /no/such/program 2>&1 || true)"
    gone wrong
    fails podman run --name wrong --workdir /etc/passwd busybox true
    gone wrong
    fails podman run --name wrong -v /tmp/there:/etc busybox true
    gone wrong
}

nothing_is_left() {
    podman rm -f -a -t 0
    equal '' "$(podman ps -aq)"
    equal '[]' "$("$RUNTIME" list --format json 2>/dev/null | tr -d '\n' | sed 's/^null$/[]/; s/^$/[]/')"
    equal '' "$(find /sys/fs/cgroup -name 'libpod-*' -not -name '*conmon*' | head)"
    equal 0 "$(grep -c /var/lib/containers/storage/overlay/ /proc/mounts || true)"
}

promise images come from archives
promise run prints
promise run gives the exit status
promise run takes input
promise run separates output and error
promise a life is run exec logs stop rm
promise exec has user folder environment and status
promise a terminal is one
promise pause and unpause
promise limits are in the cgroup
promise update changes limits
promise memory has an end
promise stats and top tell
promise ids are mapped
promise a private user namespace with limits and a terminal
promise power is dropped
promise one process fits in a limit of one
promise user namespaces are found automatically
promise a checkpoint is refused and harms nothing
promise a filter of ones own is in force
promise a file of kubernetes is played
promise somebody without power runs them
promise privileged opens up
promise mounts of every kind
promise names and files are injected
promise kernel parameters limits and devices
promise namespaces are shared when asked
promise signals arrive
promise an init reaps
promise restarts on failure
promise health is checked
promise files are copied both ways
promise create then start and attach
promise a server answers on a published port
promise a database keeps its volume
promise a pod shares its network
promise commits and builds
promise many at once
promise a container that cannot start is told and leaves nothing
promise nothing is left
plan
