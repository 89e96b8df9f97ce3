#!/bin/bash
# What a runtime's command line does with cgroup v2: the runtime alone, no engine above it.
engine=cgroup
cat >/job/cgroup.env <<'ENV'
cgroups=/sys/fs/cgroup
oci() { "$RUNTIME" --root /run/oci "$@"; }
# bundle SCRIPT [CHANGE]…: a container of this machine's /usr that runs a shell; changes are Python's, to `c`.
bundle() {
    rm -rf /tmp/bundle && mkdir -p /tmp/bundle/rootfs/etc && cd /tmp/bundle
    for link in bin lib lib64 sbin; do ln -s "usr/$link" "rootfs/$link"; done
    python3 - "$@" >config.json <<'PYTHON'
import json, sys
bare = ["nosuid", "noexec", "nodev"]
few = ["CAP_KILL", "CAP_SYS_ADMIN"]
mount = lambda at, kind, source, *options: {"destination": at, "type": kind, "source": source, "options": list(options)}
c = {
    "ociVersion": "1.2.0", "hostname": "inside", "root": {"path": "rootfs"},
    "process": {"args": ["/bin/sh", "-c", sys.argv[1]], "cwd": "/", "user": {"uid": 0, "gid": 0},
                "env": ["PATH=/usr/bin:/usr/sbin", "HOME=/"],
                "capabilities": {"bounding": few, "effective": few, "permitted": few}},
    "mounts": [mount("/proc", "proc", "proc"), mount("/usr", "bind", "/usr", "rbind", "ro"),
               mount("/dev", "tmpfs", "tmpfs", "nosuid", "mode=755"),
               mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
               mount("/dev/shm", "tmpfs", "shm", *bare), mount("/sys", "sysfs", "sysfs", "ro"),
               mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")],
    "linux": {"namespaces": [{"type": kind} for kind in ["pid", "network", "ipc", "uts", "mount", "cgroup"]],
              "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
}
linux, limits = c["linux"], c["linux"]["resources"]
without = lambda kind: linux.update(namespaces=[it for it in linux["namespaces"] if it["type"] != kind])
for change in sys.argv[2:]:
    exec(change)
json.dump(c, sys.stdout)
PYTHON
}
# up SCRIPT [CHANGE]…: such a container, running, with its output in /tmp/said.
up() {
    oci delete -f web >/dev/null 2>&1 || true
    bundle "$@"
    "$RUNTIME" --root /run/oci run -d web </dev/null >/tmp/said 2>&1 || { cat /tmp/said && return 1; }
}
status() { oci state web | python3 -c 'import json, sys; print(json.load(sys.stdin)["status"])'; }
is() { [ "$(status)" = "$1" ]; }
said() { grep -q "$1" /tmp/said; }
count() { oci ps --format json web | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'; }
counts() { [ "$(count)" "$1" "$2" ]; }
ENV
. /job/lib.sh

limits_stand_before_the_program_runs() {
    up 'cd /sys/fs/cgroup; echo $(cat memory.max pids.max cpu.max); cat /proc/self/cgroup; exec sleep 1000' \
        'linux["cgroupsPath"] = "/pods/one/web"' \
        'limits.update(memory={"limit": 67108864}, pids={"limit": 20}, cpu={"quota": 50000, "period": 100000})'
    until_true said '0::/'
    equal $'67108864 20 50000 100000\n0::/' "$(cat /tmp/said)"
    equal 67108864 "$(cat $cgroups/pods/one/web/memory.max)"
    oci delete -f web
    fails test -e $cgroups/pods/one/web
}

one_process_fits_in_a_limit_of_one() {
    up 'exec sleep 1000' 'limits["pids"] = {"limit": 1}' 'linux["cgroupsPath"] = "/web"'
    equal '1 1' "$(cd $cgroups/web && echo $(cat pids.max pids.current))"
    fails oci exec web true
    is running
    up 'exec sleep 1000' 'limits["pids"] = {"limit": 1}' 'linux["cgroupsPath"] = "/web"' \
        'linux["namespaces"].append({"type": "user"})' \
        'linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]'
    equal '1 1' "$(cd $cgroups/web && echo $(cat pids.max pids.current))"
}

below_a_cgroup_with_processes_one_runs_without_limits() {
    oci delete -f web >/dev/null 2>&1 || true
    mkdir -p $cgroups/full
    sleep 1000 &
    echo $! >$cgroups/full/cgroup.procs
    up 'exec sleep 1000' 'linux["cgroupsPath"] = "/full/web"'
    is running
    equal 'domain' "$(cd $cgroups/full && echo $(cat cgroup.type cgroup.subtree_control))"
    oci delete -f web
    bundle true 'linux["cgroupsPath"] = "/full/web"' 'limits["memory"] = {"limit": 67108864}'
    within memory.max "$(oci run web 2>&1 || true)"
    kill $!
    wait $! || true
    rmdir $cgroups/full
}

a_paused_one_stands_still_and_goes_on() {
    up 'while :; do echo x; sleep 0.1; done' 'linux["cgroupsPath"] = "/web"'
    until_true test -s /tmp/said
    oci pause web
    equal paused "$(status)"
    within 'frozen 1' "$(cat $cgroups/web/cgroup.events)"
    before=$(stat -c %s /tmp/said)
    fails oci exec web true
    oci update --pids-limit 77 web
    equal 77 "$(cat $cgroups/web/pids.max)"
    equal "$before" "$(stat -c %s /tmp/said)"
    oci resume web
    equal running "$(status)"
    until_true bash -c "test $before -lt \$(stat -c %s /tmp/said)"
    fails oci resume web
}

a_paused_one_is_killed() {
    up 'exec sleep 1000'
    oci pause web
    oci kill web KILL
    until_true is stopped
    oci delete web
}

a_signal_to_a_paused_one_is_not_lost() {
    up 'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done'
    until_true said up
    oci pause web
    oci kill web TERM
    oci resume web 2>/dev/null || true
    until_true is stopped
}

limits_change_live() {
    up 'exec sleep 1000' 'linux["cgroupsPath"] = "/web"'
    oci update --memory 128M --cpu-quota 20000 --cpu-period 100000 --cpuset-cpus 0 web
    equal '134217728 20000 100000 0' "$(cd $cgroups/web && echo $(cat memory.max cpu.max cpuset.cpus))"
    echo '{"memory": {"limit": 268435456}, "pids": {"limit": 9}}' | oci update -r - web
    equal '268435456 9' "$(cd $cgroups/web && echo $(cat memory.max pids.max))"
    echo '{"unified": {"memory.high": "99999744"}}' >/tmp/limits
    oci update --resources /tmp/limits web
    equal 99999744 "$(cat $cgroups/web/memory.high)"
}

what_it_uses_is_told() {
    up 'exec sleep 1000' 'limits["pids"] = {"limit": 20}'
    oci events --stats web >/tmp/stats
    python3 - <<'PYTHON'
import json
event = json.load(open("/tmp/stats"))
assert event["type"] == "stats" and event["id"] == "web", event
data = event["data"]
assert data["pids"] == {"current": 1, "limit": 20}, data["pids"]
assert data["memory"]["usage"]["usage"] > 0 and data["cpu"]["usage"]["total"] > 0, data
assert "anon" in data["memory"]["raw"], data
PYTHON
    timeout 4 "$RUNTIME" --root /run/oci events --interval 1s web >/tmp/stats || true
    test "$(wc -l </tmp/stats)" -ge 2
}

running_out_of_memory_is_told() {
    up 'until [ -e /dev/shm/go ]; do sleep 0.2; done; tail /dev/zero; exec sleep 1000' \
        'limits["memory"] = {"limit": 33554432, "swap": 33554432}'
    "$RUNTIME" --root /run/oci events --interval 1s web >/tmp/events &
    until_true grep -q stats /tmp/events
    oci exec web touch /dev/shm/go
    until_true grep -q '"type":"oom"' /tmp/events
    oci delete -f web
    wait $!
}

devices_are_those_that_were_declared() {
    up 'echo x >/dev/null && echo null; cat /dev/mem2; cat /dev/zero2 | head -c 1 | wc -c; exec sleep 1000' \
        'device = lambda path, minor: {"path": path, "type": "c", "major": 1, "minor": minor, "fileMode": 438}' \
        'linux["devices"] = [device("/dev/mem2", 11), device("/dev/zero2", 5)]'
    until_true said '^1$'
    within null "$(cat /tmp/said)"
    within 'Operation not permitted' "$(cat /tmp/said)"
}

a_fork_bomb_is_deleted_by_force() {
    # A shell that cannot fork any more ends, and is not the first process.
    up 'sh -c "while :; do sleep 1000 & done" & exec sleep 1001' 'limits["pids"] = {"limit": 30}' 'without("pid")' 'linux["cgroupsPath"] = "/bomb"'
    until_true counts -ge 28
    oci delete -f web
    fails test -e $cgroups/bomb
    fails oci state web
}

kill_all_reaches_those_that_have_left_their_parent() {
    up 'trap "" HUP; (sleep 1000 &) ; exec sleep 1001' 'without("pid")'
    until_true counts -eq 2
    oci kill -a web KILL
    until_true is stopped
    oci delete web
}

an_executed_process_is_in_the_cgroup() {
    up 'exec sleep 1000' 'linux["cgroupsPath"] = "/web"' 'without("cgroup")'
    equal 0::/web "$(oci exec web cat /proc/self/cgroup)"
    mkdir $cgroups/web/below
    equal 0::/web/below "$(oci exec --cgroup below web cat /proc/self/cgroup)"
    fails oci exec --cgroup nowhere web true
}

one_that_made_cgroups_of_its_own_can_still_be_entered() {
    up 'cd /sys/fs/cgroup && mkdir init && echo 0 >init/cgroup.procs && echo +pids >cgroup.subtree_control && echo up; exec sleep 1000' \
        'c["mounts"][-1]["options"] = ["rw"]' 'linux["cgroupsPath"] = "/web"'
    until_true said up
    equal 0::/init "$(oci exec web cat /proc/self/cgroup)"
    oci delete -f web
    fails test -e $cgroups/web
}

a_mapped_root_owns_its_cgroup_where_it_may_write() {
    up 'mkdir /sys/fs/cgroup/own && echo made; exec sleep 1000' 'c["mounts"][-1]["options"] = ["rw"]' \
        'linux["namespaces"].append({"type": "user"})' \
        'linux["uidMappings"] = linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]' \
        'linux["cgroupsPath"] = "/web"'
    until_true said made
    equal 100000 "$(stat -c %u $cgroups/web)"
    equal 0 "$(stat -c %u $cgroups/web/memory.max)"
}

systemds_names_are_its_directories() {
    [ "$NAME" = orlop ] || skip "without systemd"
    oci delete -f web >/dev/null 2>&1 || true
    bundle 'cat /proc/self/cgroup' 'linux["cgroupsPath"] = "a-b.slice:libpod:web"' 'without("cgroup")'
    equal 0::/a.slice/a-b.slice/libpod-web.scope "$(oci --systemd-cgroup run web)"
    fails test -e $cgroups/a.slice
    bundle true 'linux["cgroupsPath"] = "/a/b"'
    fails oci --systemd-cgroup run web
}

a_cgroup_of_others_is_left_alone() {
    oci delete -f web >/dev/null 2>&1 || true
    mkdir -p $cgroups/others
    sleep 1000 &
    echo $! >$cgroups/others/cgroup.procs
    bundle true 'linux["cgroupsPath"] = "/others"'
    fails oci run web
    kill -0 $!
    kill $!
    fails oci state web
}

what_the_kernel_refuses_leaves_nothing() {
    oci delete -f web >/dev/null 2>&1 || true
    bundle true 'limits["unified"] = {"memory.max": "nonsense"}' 'linux["cgroupsPath"] = "/refused/web"'
    fails oci create web
    fails oci state web
    fails test -e $cgroups/refused/web
}

for name in limits_stand_before_the_program_runs one_process_fits_in_a_limit_of_one \
    below_a_cgroup_with_processes_one_runs_without_limits a_paused_one_stands_still_and_goes_on a_paused_one_is_killed \
    a_signal_to_a_paused_one_is_not_lost limits_change_live what_it_uses_is_told running_out_of_memory_is_told \
    devices_are_those_that_were_declared a_fork_bomb_is_deleted_by_force \
    kill_all_reaches_those_that_have_left_their_parent an_executed_process_is_in_the_cgroup \
    one_that_made_cgroups_of_its_own_can_still_be_entered a_mapped_root_owns_its_cgroup_where_it_may_write \
    systemds_names_are_its_directories a_cgroup_of_others_is_left_alone what_the_kernel_refuses_leaves_nothing; do
    promise ${name//_/ }
done
plan
