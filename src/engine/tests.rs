//! Bundles on this host's own kernel, as root: its /usr is their only content. There is no cgroup here; what
//! needs one is shown in virtual machines.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use orlop::container::spec::Spec;
use orlop::container::{Root, plan};
use serde_json::{Value, json};

use super::{Environment, Gate, Job, Report, Work, send_go, start};
use crate::linux::clone::Parent;
use crate::linux::{Errno, fd, wait};

/// A container with the usual mounts that runs a shell; `change` makes it another.
fn spec(script: &str, change: impl FnOnce(&mut Value)) -> Spec {
    let bare = ["nosuid", "noexec", "nodev"];
    let mut spec = json!({
        "ociVersion": "1.2.0",
        "hostname": "inside",
        "root": { "path": "rootfs" },
        "process": {
            "args": ["/bin/sh", "-c", script], "cwd": "/", "user": { "uid": 0, "gid": 0 },
            "env": ["PATH=/usr/bin:/usr/sbin", "HOME=/"],
            "capabilities": { "bounding": ["CAP_KILL"], "effective": ["CAP_KILL"], "permitted": ["CAP_KILL"] },
        },
        "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"] },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": bare },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": bare },
            { "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["ro"] },
        ],
        "linux": {
            "namespaces": [{ "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" },
                           { "type": "mount" }],
            "maskedPaths": ["/proc/interrupts", "/proc/acpi", "/sys/firmware"],
            "readonlyPaths": ["/proc/sys", "/proc/sysrq-trigger"],
        },
    });
    change(&mut spec);
    serde_json::from_value(spec).unwrap()
}

/// In a user namespace of its own.
fn mapped(spec: &mut Value) {
    spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    spec["linux"]["uidMappings"] = map.clone();
    spec["linux"]["gidMappings"] = map;
}

fn rootfs(folder: &Path) -> String {
    let rootfs = folder.join("rootfs");
    std::fs::create_dir(&rootfs).unwrap();
    for link in ["bin", "lib", "lib64", "sbin"] {
        std::os::unix::fs::symlink(format!("usr/{link}"), rootfs.join(link)).unwrap();
    }
    std::fs::create_dir_all(rootfs.join("etc")).unwrap();
    rootfs.to_str().unwrap().to_owned()
}

/// How it ended, and all that it wrote; or the failure.
fn run(spec: &Spec) -> Result<(i32, String), String> {
    let folder = tempfile::tempdir().unwrap();
    run_in(spec, Root::directory(rootfs(folder.path())))
}

fn run_in(spec: &Spec, root: Root) -> Result<(i32, String), String> {
    let plan = plan(spec, &root).map_err(|refused| refused.to_string())?;
    let mut out = tempfile::tempfile().unwrap();
    let output = || OwnedFd::from(out.try_clone().unwrap());
    let env = spec.process.as_ref().unwrap().env.as_slice();
    let environment = Environment { base: env.into(), files: Cow::Borrowed(&[]), over: &[] };
    let work = Work { plan: Cow::Borrowed(&plan), environment };
    let job = Job {
        stdio: [fd::null().unwrap(), output(), output()],
        further: super::Further::none(),
        cgroup: None,
        parent: Parent::Caller,
        gate: Gate::Report,
        joins: None,
    };
    let starting = start(job, || Ok(work)).unwrap();
    let mut container = None;
    let mut terminal = None;
    loop {
        match starting.receive() {
            Err(Errno::EAGAIN) => wait_readable(&starting.report),
            Err(errno) => return Err(errno.to_string()),
            Ok(Report::Failed(failure)) => return Err(failure.to_string()),
            Ok(Report::Container { pidfd, .. }) => container = Some(pidfd),
            Ok(Report::Meets) => send_go(starting.report.as_fd(), b"{}").unwrap(),
            Ok(Report::Terminal(end)) => terminal = Some(end),
            Ok(Report::Listener(_)) => {}
            Ok(Report::Ready) => starting.go().unwrap(),
            Ok(Report::Closed) => break,
        }
    }
    let ended = wait::wait_for(container.unwrap().as_fd()).unwrap().unwrap();
    let mut text = String::new();
    if let Some(terminal) = terminal {
        // Ends with EIO when nobody has it open any more.
        let _ = File::from(terminal).read_to_string(&mut text);
    }
    out.rewind().unwrap();
    out.read_to_string(&mut text).unwrap();
    Ok((ended.status, text))
}

fn wait_readable(fd: &OwnedFd) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
}

#[track_caller]
fn check(script: &str, change: impl FnOnce(&mut Value), expected: &str) {
    assert_eq!(run(&spec(script, change)).map(|(_, text)| text).as_deref(), Ok(expected));
}

#[test]
fn a_bundle_runs_in_its_namespaces_and_its_root() {
    let script = "echo $$; hostname; ls /dev; cat /proc/self/mountinfo | grep -c ' /usr '; exit 7";
    let expected = "1\ninside\nfd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n1\n";
    for change in [|_: &mut Value| {}, mapped] {
        assert_eq!(run(&spec(script, change)), Ok((7, expected.to_owned())));
    }
}

#[test]
fn root_of_a_user_namespace_is_mapped_and_owns_what_is_made_for_it() {
    check(
        "cat /proc/self/uid_map; stat -c %u:%g /dev/shm /dev/null",
        mapped,
        "         0     100000      65536\n0:0\n0:0\n",
    );
}

#[test]
fn masked_and_read_only_paths_are() {
    for change in [|_: &mut Value| {}, mapped] {
        check(
            "wc -c < /proc/interrupts; ls /sys/firmware; echo 1 > /proc/sys/kernel/hostname",
            change,
            "0\n/bin/sh: 1: cannot create /proc/sys/kernel/hostname: Read-only file system\n",
        );
    }
}

#[test]
fn a_terminal_is_the_containers_own_and_its_console() {
    for change in [|_: &mut Value| {}, mapped] {
        let terminal = |spec: &mut Value| {
            change(spec);
            spec["process"]["terminal"] = json!(true);
            spec["process"]["consoleSize"] = json!({ "height": 33, "width": 44 });
        };
        check(
            "tty; stty size; test -c /dev/console && echo console",
            terminal,
            "/dev/pts/0\r\n33 44\r\nconsole\r\n",
        );
    }
}

#[test]
fn a_user_keeps_the_capabilities_that_are_ambient_and_no_others() {
    let user = |ambient: bool| {
        move |spec: &mut Value| {
            spec["process"]["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5], "umask": 63 });
            if ambient {
                spec["process"]["capabilities"]["inheritable"] = json!(["CAP_KILL"]);
                spec["process"]["capabilities"]["ambient"] = json!(["CAP_KILL"]);
            }
        }
    };
    let script = "id -u; id -G; umask; grep CapEff /proc/self/status";
    check(script, user(false), "1000\n1001 5\n0077\nCapEff:\t0000000000000000\n");
    check(script, user(true), "1000\n1001 5\n0077\nCapEff:\t0000000000000020\n");
}

#[test]
fn a_failure_names_its_step_and_its_object() {
    let check = |change: fn(&mut Value), expected: &str| {
        assert_eq!(run(&spec("true", change)).unwrap_err(), expected);
    };
    check(|spec| spec["process"]["args"] = json!(["nothing"]), "execute: nothing: No such file or directory");
    check(|spec| spec["process"]["args"] = json!(["/etc"]), "execute: /etc: Permission denied");
    check(
        |spec| spec["mounts"][1]["source"] = json!("/nowhere"),
        "mount: /nowhere on /usr: No such file or directory",
    );
    check(
        |spec| spec["linux"]["namespaces"][0]["path"] = json!("/proc/self/ns/net"),
        "pid: /proc/self/ns/net: Invalid argument",
    );
    check(
        |spec| spec["process"]["cwd"] = json!("/proc/version"),
        "working_dir: /proc/version: Not a directory",
    );
}

#[test]
fn namespaces_are_joined_by_their_paths() {
    let network = |spec: &mut Value| spec["linux"]["namespaces"][1]["path"] = json!("/proc/self/ns/net");
    let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
    check("readlink /proc/self/ns/net", network, &format!("{}\n", ours.to_str().unwrap()));
}

#[test]
fn clocks_of_a_time_namespace_are_ahead() {
    let ahead = |spec: &mut Value| {
        spec["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "time" }));
        spec["linux"]["timeOffsets"] = json!({ "boottime": { "secs": 1_000_000_000, "nanosecs": 0 } });
    };
    for change in [|_: &mut Value| {}, mapped] {
        let both = |spec: &mut Value| {
            change(spec);
            ahead(spec);
        };
        check(
            "cut -c 1-2 < /proc/uptime; cat /proc/self/timens_offsets | grep -c 1000000000",
            both,
            "10\n1\n",
        );
    }
}

#[test]
fn hooks_of_the_container_see_its_namespaces_and_the_hosts_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let script = format!("cat > {0}; readlink /proc/self/ns/uts >> {0}", out.display());
    let hooked = |spec: &mut Value| {
        spec["hooks"] = json!({ "createContainer": [{ "path": "/bin/sh", "args": ["sh", "-c", script] }] });
    };
    let (_, inside) = run(&spec("readlink /proc/self/ns/uts", hooked)).unwrap();
    assert_eq!(std::fs::read_to_string(out).unwrap(), format!("{{}}{inside}"));
}

#[test]
fn recursive_options_reach_the_mounts_below() {
    let below = |options: Value| {
        move |spec: &mut Value| {
            let mounts = spec["mounts"].as_array_mut().unwrap();
            mounts.push(
                json!({ "destination": "/mnt", "type": "bind", "source": "/proc", "options": options }),
            );
        }
    };
    let script = "grep ' /mnt ' /proc/self/mountinfo | cut -d ' ' -f 6";
    check(script, below(json!(["rbind", "rro", "nosuid", "nodev"])), "ro,nosuid,nodev,relatime\n");
}

#[test]
fn a_tmpfs_that_copies_up_begins_with_what_it_covers() {
    let copied = |spec: &mut Value| {
        let mounts = spec["mounts"].as_array_mut().unwrap();
        let options = json!(["tmpcopyup", "ro"]);
        mounts.clear();
        mounts.push(
            json!({ "destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"] }),
        );
        mounts.push(json!({ "destination": "/usr/share/base-files", "type": "tmpfs", "options": options }));
    };
    let count = std::fs::read_dir("/usr/share/base-files").unwrap().count();
    check(
        "ls /usr/share/base-files | wc -l; touch /usr/share/base-files/x 2> /dev/null || echo ro",
        copied,
        &format!("{count}\nro\n"),
    );
}

#[test]
fn a_filter_without_no_new_privs_has_only_the_program_to_answer_for() {
    let filtered = |spec: &mut Value| {
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
        // Nothing that opens a file by openat2, looks for a program or waits at a socket.
        let names =
            ["openat2", "recvmsg", "sendmsg", "faccessat", "faccessat2", "prctl", "fchdir", "close_range"];
        let rule = json!({ "names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": 1 });
        spec["linux"]["seccomp"] = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] });
    };
    let script = "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status";
    let expected = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000020\nNoNewPrivs:\t0\nSeccomp:\t2\n";
    check(script, filtered, expected);
}

#[test]
fn a_shared_root_takes_nothing_away_from_the_host() {
    use crate::linux::mount::{Propagation, propagate_all};
    use crate::linux::testing::in_own_network;
    in_own_network(|| {
        // What is private by then shares with nobody outside.
        propagate_all(Propagation::Shared).unwrap();
        let mounts = || std::fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let before = mounts();
        for wanted in ["shared", "rshared", "slave", "private", "unbindable"] {
            let shared = |spec: &mut Value| spec["linux"]["rootfsPropagation"] = json!(wanted);
            assert_eq!(run(&spec("true", shared)), Ok((0, String::new())), "{wanted}");
            assert_eq!(mounts(), before, "{wanted}");
        }
    });
}

/// Of those that a spec lists, as the container sees them.
fn mounted(change: impl FnOnce(&mut Value)) -> String {
    let script = "while read a b c d at rest; do echo $at; done < /proc/self/mountinfo | grep -v '/dev/null\\|/proc/\\|/sys/'";
    run(&spec(script, change)).unwrap().1
}

#[test]
fn mounts_are_made_in_the_order_of_the_list() {
    assert_eq!(mounted(|_| {}), "/\n/proc\n/usr\n/dev\n/dev/pts\n/dev/shm\n/dev/mqueue\n/sys\n");
    let read_only = |spec: &mut Value| {
        let more = json!([
            { "destination": "/copy", "type": "tmpfs", "options": ["tmpcopyup", "ro"] },
            { "destination": "/sys/kernel", "type": "bind", "source": "/usr/share" },
            { "destination": "/below/it", "type": "tmpfs" },
            { "destination": "/copy", "options": ["remount", "rw"] },
        ]);
        spec["mounts"].as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
        spec["root"]["readonly"] = json!(true);
    };
    assert_eq!(
        mounted(read_only),
        "/\n/proc\n/usr\n/dev\n/dev/pts\n/dev/shm\n/dev/mqueue\n/sys\n/copy\n/below/it\n"
    );
    check(
        "touch /copy/x && echo written; touch /y",
        read_only,
        "written\ntouch: cannot touch '/y': Read-only file system\n",
    );
}

#[test]
fn what_is_mounted_in_a_read_only_tmpfs_is_made_before_it_is_closed() {
    let closed = |spec: &mut Value| spec["mounts"][2]["options"] = json!(["nosuid", "mode=755", "ro"]);
    check(
        "ls /dev/pts/ptmx; touch /dev/x",
        closed,
        "/dev/pts/ptmx\ntouch: cannot touch '/dev/x': Read-only file system\n",
    );
}

#[test]
fn a_tmpfs_without_a_mode_has_that_of_the_directory_under_it() {
    let memory = |spec: &mut Value| {
        let more =
            json!([{ "destination": "/etc", "type": "tmpfs" }, { "destination": "/new", "type": "tmpfs" }]);
        spec["mounts"].as_array_mut().unwrap().extend(more.as_array().unwrap().clone());
    };
    check("stat -c %a /etc /new", memory, "755\n1777\n");
}

#[test]
fn a_working_directory_is_made_in_time_and_entered_by_root_where_the_user_may_not() {
    let missing = |spec: &mut Value| {
        spec["root"]["readonly"] = json!(true);
        spec["process"]["cwd"] = json!("/made/for/it");
    };
    check("pwd", missing, "/made/for/it\n");
    let closed = |spec: &mut Value| {
        let memory = json!({ "destination": "/closed", "type": "tmpfs", "options": ["mode=700"] });
        spec["mounts"].as_array_mut().unwrap().push(memory);
        spec["process"]["cwd"] = json!("/closed");
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    };
    check("pwd; ls .", closed, "/closed\nls: cannot access '.': Permission denied\n");
}

#[test]
fn a_mount_with_a_map_of_its_own_is_made_in_the_order_of_the_list_too() {
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("file"), "").unwrap();
    let map = json!([{ "containerID": 0, "hostID": 1234, "size": 1 }]);
    let mapped = |spec: &mut Value| {
        let bind = json!({ "destination": "/data", "type": "bind", "source": source.path(), "options": ["bind"],
                           "uidMappings": map, "gidMappings": map });
        spec["mounts"].as_array_mut().unwrap().push(bind);
    };
    check("stat -c %u:%g /data/file", mapped, "1234:1234\n");
}

#[test]
fn a_link_of_the_image_leads_no_mount_into_what_the_kernel_shows() {
    let image = tempfile::tempdir().unwrap();
    let root = rootfs(image.path());
    std::os::unix::fs::symlink("/proc/sys", format!("{root}/data")).unwrap();
    let spec = spec("true", |spec| {
        let data = json!({ "destination": "/data", "type": "tmpfs" });
        spec["mounts"].as_array_mut().unwrap().push(data);
    });
    let failed = run_in(&spec, Root::directory(root)).unwrap_err();
    assert_eq!(failed, "mount: /data: Too many symbolic links encountered");
}
