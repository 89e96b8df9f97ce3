#!/bin/bash
# What Docker's users do, with RUNTIME as dockerd's default runtime.
engine=docker
cat >/job/docker.env <<'ENV'
gone() { docker rm -f "$@" >/dev/null 2>&1 || true; }
state() { docker inspect --format '{{.State.Status}}' "$1"; }
is() { [ "$(state "$1")" = "$2" ]; }
health() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = "$2" ]; }
ENV
. /job/lib.sh

rm -f /etc/containerd/config.toml
mkdir -p /etc/docker
driver=cgroupfs
[ "${MANAGER:-}" != systemd ] || driver=systemd
jq -n --arg path "$RUNTIME" --arg driver "native.cgroupdriver=$driver" \
    '{runtimes: {tested: {path: $path}}, "default-runtime": "tested", "exec-opts": [$driver]}' >/etc/docker/daemon.json
# What builds is told its runtime so.
DOCKER_BUILDKIT_RUNC_COMMAND=$RUNTIME dockerd >"$LOGS/$NAME/dockerd.log" 2>&1 &
daemon=$!

docker_answers() {
    until_true docker version
    equal tested "$(docker info --format '{{.DefaultRuntime}}')"
}

images_come_from_archives() {
    for image in busybox nginx redis; do
        skopeo copy "oci-archive:/job/images/$image.tar" "docker-archive:/tmp/$image.tar:$image:latest"
        docker load -i "/tmp/$image.tar"
        rm "/tmp/$image.tar"
    done
}

run_prints_and_gives_the_exit_status() {
    equal hello "$(docker run --rm busybox echo hello)"
    ends 7 docker run --rm busybox sh -c 'exit 7'
    ends 127 docker run --rm busybox /no/such/program
    ends 126 docker run --rm busybox /etc
    equal 'from outside' "$(echo 'from outside' | docker run -i --rm busybox cat)"
}

a_life_is_run_exec_logs_stop_rm() {
    gone life
    docker run -d --name life busybox sh -c 'trap "echo stopping; exit 3" TERM; echo up; while :; do sleep 0.2; done'
    equal in "$(docker exec life echo in)"
    ends 42 docker exec life sh -c 'exit 42'
    equal 'uid=33(www-data) gid=33(www-data)' "$(docker exec -u www-data life id | sed 's/ groups.*//')"
    equal /usr "$(docker exec -w /usr life pwd)"
    equal piped "$(echo piped | docker exec -i life cat)"
    fails docker exec life /no/such/program
    docker stop -t 20 life
    equal 3 "$(docker inspect --format '{{.State.ExitCode}}' life)"
    within stopping "$(docker logs life)"
    docker start life
    until_true is life running
    docker rm -f life
}

a_terminal_is_one() {
    gone terminal
    within pts "$(script -qec 'docker run -t --rm busybox tty' /dev/null)"
    docker run -dt --name terminal busybox sh
    script -qec 'stty rows 33 cols 99; docker exec -it terminal sh -c "sleep 2; stty size"' /dev/null | tee /tmp/size
    within '33 99' "$(cat /tmp/size)"
    gone terminal
}

pause_and_unpause() {
    gone paused
    docker run -d --name paused busybox sleep 1000
    docker pause paused
    equal paused "$(state paused)"
    fails docker exec paused true
    docker unpause paused
    docker exec paused true
    gone paused
}

limits_and_update() {
    gone limited
    docker run -d --name limited --memory 64m --memory-swap 64m --pids-limit 50 --cpus 0.5 --cpuset-cpus 0 busybox sleep 1000
    equal 67108864 "$(docker exec limited cat /sys/fs/cgroup/memory.max)"
    equal 50 "$(docker exec limited cat /sys/fs/cgroup/pids.max)"
    equal '50000 100000' "$(docker exec limited cat /sys/fs/cgroup/cpu.max)"
    docker update --memory 96m --memory-swap 96m --pids-limit 33 --cpus 0.25 limited
    equal 100663296 "$(docker exec limited cat /sys/fs/cgroup/memory.max)"
    equal 33 "$(docker exec limited cat /sys/fs/cgroup/pids.max)"
    equal '25000 100000' "$(docker exec limited cat /sys/fs/cgroup/cpu.max)"
    gone limited
}

memory_has_an_end() {
    gone eater
    ends 137 docker run --name eater --memory 16m --memory-swap 16m busybox sh -c 'x=$(head -c 60000000 /dev/zero | tr "\0" x); echo ${#x}'
    equal true "$(docker inspect --format '{{.State.OOMKilled}}' eater)"
    gone eater
}

stats_and_top_tell() {
    gone told
    docker run -d --name told busybox sleep 1000
    equal told "$(docker stats --no-stream --format '{{.Name}}' told)"
    within sleep "$(docker top told)"
    gone told
}

power_is_dropped() {
    equal 0000000000000000 "$(docker run --rm --cap-drop all busybox sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal 00000000a80425fb "$(docker run --rm busybox sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal 1 "$(docker run --rm --security-opt no-new-privileges busybox sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)"
    equal 2 "$(docker run --rm busybox sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    docker run --rm --privileged busybox sh -c 'mkdir /mnt2; mount -t tmpfs none /mnt2'
    docker run --rm --privileged busybox test -b /dev/nvme0n1
    fails docker run --rm busybox mount -t tmpfs none /mnt
}

mounts_devices_parameters() {
    mkdir -p /tmp/bound && echo bound >/tmp/bound/file
    docker run --rm -v data:/data -v /tmp/bound:/bound:ro --tmpfs /scratch:size=1m --read-only busybox \
        sh -euc 'echo kept >/data/file; cat /bound/file; ! touch /bound/x; ! touch /x; touch /scratch/x'
    equal kept "$(docker run --rm -v data:/data:ro busybox cat /data/file)"
    equal 1 "$(docker run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward)"
    equal 1234 "$(docker run --rm --ulimit nofile=1234:1234 busybox sh -c 'ulimit -n')"
    docker run --rm --device /dev/fuse busybox test -c /dev/fuse
    equal "$(readlink /proc/self/ns/pid)" "$(docker run --rm --pid host busybox readlink /proc/self/ns/pid)"
    equal inside "$(docker run --rm --hostname inside busybox hostname)"
    within init "$(docker run --rm --init busybox cat /proc/1/cmdline | tr '\0' ' ')"
}

one_process_fits_in_a_limit_of_one() {
    equal one "$(docker run --rm --pids-limit 1 busybox echo one)"
}

namespaces_are_shared_when_asked() {
    gone first
    docker run -d --name first --ipc shareable busybox sleep 1000
    for space in net pid ipc; do
        equal "$(docker exec first readlink "/proc/self/ns/$space")" \
            "$(docker run --rm "--$space" container:first busybox readlink "/proc/self/ns/$space")"
    done
    gone first
}

powers_and_filters_as_asked() {
    equal 0000000000001000 "$(docker run --rm --cap-drop all --cap-add net_admin busybox sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal 0 "$(docker run --rm --security-opt seccomp=unconfined busybox sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}' >/tmp/filter.json
    within 'not implemented' "$(docker run --rm --security-opt seccomp=/tmp/filter.json busybox mkdir /tmp/made 2>&1 || true)"
}

health_is_checked() {
    gone healthy
    docker run -d --name healthy --health-cmd 'test -e /tmp/well' --health-interval 2s --health-retries 1 busybox sleep 1000
    until_true health healthy unhealthy
    docker exec healthy touch /tmp/well
    until_true health healthy healthy
    gone healthy
}

a_server_answers_on_a_published_port() {
    gone web
    docker run -d --name web -p 8081:80 nginx
    until_true curl -sf http://127.0.0.1:8081/
    until_true bash -c 'docker logs web 2>&1 | grep -q GET'
    docker stop -t 20 web
    equal 0 "$(docker inspect --format '{{.State.ExitCode}}' web)"
    gone web
}

restarts_on_failure() {
    gone again
    docker run -d --name again --restart on-failure:2 busybox sh -c 'echo once; exit 1'
    until_true bash -c '[ "$(docker inspect --format "{{.RestartCount}} {{.State.Status}}" again)" = "2 exited" ]'
    equal 3 "$(docker logs again | grep -c once)"
    gone again
}

builds_and_copies() {
    mkdir -p /tmp/build && printf 'FROM busybox\nRUN echo built >/built\nCMD cat /built\n' >/tmp/build/Dockerfile
    DOCKER_BUILDKIT=0 docker build -q --network none -t built /tmp/build
    equal built "$(docker run --rm built)"
    if docker buildx version; then
        DOCKER_BUILDKIT=1 docker build -q --network none -t built-by-kit /tmp/build
        equal built "$(docker run --rm built-by-kit)"
    fi
    gone copied
    docker run -d --name copied busybox sleep 1000
    docker cp copied:/etc/passwd /tmp/passwd
    within root "$(cat /tmp/passwd)"
    gone copied
}

nothing_is_left() {
    equal '' "$(docker ps -aq)"
    equal '[]' "$("$RUNTIME" --root /run/docker/runtime-runc/moby list --format json 2>/dev/null | tr -d '\n' | sed 's/^null$/[]/; s/^$/[]/')"
}

promise docker answers
promise images come from archives
promise run prints and gives the exit status
promise a life is run exec logs stop rm
promise a terminal is one
promise pause and unpause
promise limits and update
promise memory has an end
promise stats and top tell
promise power is dropped
promise mounts devices parameters
promise one process fits in a limit of one
promise namespaces are shared when asked
promise powers and filters as asked
promise health is checked
promise a server answers on a published port
promise restarts on failure
promise builds and copies
promise nothing is left
plan
kill "$daemon"
wait "$daemon"
