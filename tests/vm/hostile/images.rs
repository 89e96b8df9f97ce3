//! Images that attack the machine which starts them: what they hold in the places that a start opens is
//! a link, a device, a fifo, or too much. What cannot be done right is refused, at once and by name, and
//! the machine goes on.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use crate::common::{Booted, container, programs, section, value, world};

/// A container, what is done to its image, its task, its keys, and what comes of it.
struct Case {
    name: &'static str,
    made: fn(&Path),
    task: &'static str,
    more: &'static str,
    comes: Comes,
}

enum Comes {
    /// Step and object.
    Failed(&'static str, &'static str),
    /// This is in its log.
    Says(&'static str),
}

use Comes::{Failed, Says};

const WEB: &str = "user = \"web\"";
const MINE: &str = "== end";
/// More than is read of it.
const TOO_LARGE: usize = (1 << 20) + 1;

/// What a start opens, mounts on and enters.
const PLACES: &[Case] = &[
    Case {
        name: "proc-is-a-link",
        made: |root| symlink("/etc", root.join("proc")).unwrap(),
        task: "sleep",
        more: "",
        comes: Failed("mount point", "/proc"),
    },
    Case {
        name: "sys-is-a-link",
        made: |root| symlink("../../../tmp", root.join("sys")).unwrap(),
        task: "sleep",
        more: "",
        comes: Failed("mount point", "/sys"),
    },
    Case {
        name: "dev-is-a-link",
        made: |root| symlink("/tmp", root.join("dev")).unwrap(),
        task: "sleep",
        more: "",
        comes: Failed("mount point", "/dev/pts"),
    },
    Case {
        name: "sys-is-a-loop",
        made: |root| symlink("sys", root.join("sys")).unwrap(),
        task: "sleep",
        more: "",
        comes: Failed("mount point", "/sys"),
    },
    // What stands below /dev in an image is covered.
    Case {
        name: "devices-are-links",
        made: |root| {
            fs::create_dir(root.join("dev")).unwrap();
            for name in ["null", "pts", "ptmx", "shm", "console"] {
                symlink("/etc/passwd", root.join("dev").join(name)).unwrap();
            }
        },
        task: "each open w /dev/null , ls /dev/pts , cat /etc/passwd",
        more: "",
        comes: Says("== open w /dev/null\nwrite ok\n== ls /dev/pts\nptmx\n== cat /etc/passwd\nroot:x:0"),
    },
    Case {
        name: "etc-leads-up",
        made: |root| {
            fs::remove_dir_all(root.join("etc")).unwrap();
            symlink("../../../../../../..", root.join("etc")).unwrap();
        },
        // Its own root, with what is mounted at /etc/hosts.
        task: "each stat /hosts , ls /orlop",
        more: "volumes = [\"/etc/below\"]",
        comes: Says("== stat /hosts\n/hosts 644 65534 65534\n== ls /orlop\n/orlop: No such file"),
    },
    Case {
        name: "work-leads-up",
        made: |root| symlink("../../../../../../..", root.join("up")).unwrap(),
        task: "each where , ls . ",
        more: "working_dir = \"/up/up\"",
        comes: Says("cwd /\n"),
    },
    Case {
        name: "works-in-a-descriptor",
        made: |_| {},
        task: "sleep",
        more: "working_dir = \"/proc/self/fd/7\"",
        comes: Failed("working_dir", "/proc/self/fd/7"),
    },
    Case {
        name: "works-in-a-descriptor-by-a-link",
        made: |root| symlink("/proc/self/fd", root.join("fds")).unwrap(),
        task: "sleep",
        more: "working_dir = \"/fds/3\"",
        comes: Failed("working_dir", "/fds/3"),
    },
    // The interpreter is the program that makes containers; here it is a person's command without a machine.
    Case {
        name: "is-ourselves",
        made: |root| {
            let entry = root.join("entry");
            fs::write(&entry, "#!/proc/self/exe\n").unwrap();
            fs::set_permissions(entry, fs::Permissions::from_mode(0o755)).unwrap();
        },
        task: "sleep",
        more: "entry",
        comes: Says("error: "),
    },
    Case {
        name: "overwrites-its-init",
        made: |_| {},
        task: "each open w /proc/1/exe , overwrite-exe 1",
        more: "privileged = true\nuserns = \"host\"\ninit = true",
        // While it runs; and its mount is read-only.
        comes: Says("write ETXTBSY\n"),
    },
    Case {
        name: "looks-at-its-init",
        made: |_| {},
        task: "each open r /proc/1/exe , ls /proc/1/fd , cat /proc/1/environ",
        more: "userns = \"host\"\ninit = true",
        comes: Says("read EACCES\n"),
    },
    // It was forked from what knows all containers.
    Case {
        name: "looks-into-its-init-with-all-power",
        made: |_| {},
        task: "each open r /proc/1/exe , open r /proc/1/mem , open r /proc/1/environ , ls /proc/1/map_files",
        more: "privileged = true\ninit = true",
        comes: Says(concat!(
            "== open r /proc/1/exe\nread EACCES\n== open r /proc/1/mem\nread EACCES\n",
            "== open r /proc/1/environ\nread EACCES\n== ls /proc/1/map_files\n/proc/1/map_files: "
        )),
    },
];

/// Whom the program is to run as.
const USERS: &[Case] = &[
    Case {
        name: "users-too-many",
        made: |root| fs::write(root.join("etc/passwd"), vec![b'a'; TOO_LARGE]).unwrap(),
        task: "sleep",
        more: WEB,
        comes: Failed("user", "/etc/passwd"),
    },
    Case {
        name: "users-too-many-to-ask",
        made: |root| fs::write(root.join("etc/passwd"), vec![b'a'; TOO_LARGE]).unwrap(),
        task: "sleep",
        more: "user = \"7:8\"",
        comes: Failed("user", "/etc/passwd"),
    },
    Case {
        name: "users-of-no-text",
        made: |root| {
            let bytes: Vec<u8> = (0..100_000_u32).map(|number| (number * 37 % 256) as u8).collect();
            fs::write(root.join("etc/passwd"), bytes).unwrap();
        },
        task: "sleep",
        more: WEB,
        comes: Failed("user", "user `web` is not in the image's /etc/passwd"),
    },
    Case {
        name: "users-of-a-fifo",
        made: |root| special(root, SFlag::S_IFIFO, 0),
        task: "sleep",
        more: WEB,
        comes: Failed("user", "/etc/passwd"),
    },
    Case {
        name: "users-of-a-device",
        made: |root| special(root, SFlag::S_IFCHR, makedev(1, 5)),
        task: "sleep",
        more: WEB,
        comes: Failed("user", "/etc/passwd"),
    },
    Case {
        name: "users-of-zeros",
        made: |root| passwd_link(root, "/dev/zero"),
        task: "sleep",
        more: WEB,
        comes: Failed("user", "/etc/passwd"),
    },
    Case {
        name: "users-of-the-kernel",
        made: |root| passwd_link(root, "/proc/self/environ"),
        task: "sleep",
        more: WEB,
        comes: Failed("user", "/etc/passwd"),
    },
    Case {
        name: "users-of-the-machine",
        made: |root| passwd_link(root, "../../../../../orlop/config/test.toml"),
        task: "sleep",
        more: WEB,
        comes: Failed("user", "user `web` is not in the image's /etc/passwd"),
    },
    // Whoever asks for a number gets that number.
    Case {
        name: "users-of-numbers",
        made: |root| fs::write(root.join("etc/passwd"), "5000:x:0:0::/:/\nroot:x:0:0::/:/\n").unwrap(),
        task: "each ids",
        more: "user = \"5000\"",
        comes: Says("Uid 5000 5000 5000 5000\n"),
    },
    Case {
        name: "users-of-wrong-numbers",
        made: |root| {
            fs::write(root.join("etc/passwd"), "web:x:4294967296:-1::/:/\nweb:x:+0: 0::/:/").unwrap()
        },
        task: "sleep",
        more: WEB,
        comes: Failed("user", "user `web` is not in the image's /etc/passwd"),
    },
];

fn special(root: &Path, kind: SFlag, number: u64) {
    fs::remove_file(root.join("etc/passwd")).unwrap();
    mknod(&root.join("etc/passwd"), kind, Mode::from_bits_truncate(0o644), number).unwrap();
}

fn passwd_link(root: &Path, to: &str) {
    fs::remove_file(root.join("etc/passwd")).unwrap();
    symlink(to, root.join("etc/passwd")).unwrap();
}

fn declared(case: &Case) -> String {
    let Case { name, task, more, .. } = case;
    let (entry, more) = if *more == "entry" { ("/entry", "") } else { ("/payload", *more) };
    container(name, task, &format!("{more}\nrestart = \"no\""))
        .replace("dir:payload", &format!("dir:{name}"))
        .replace("[\"/payload\"]", &format!("[\"{entry}\"]"))
}

fn image(folder: &Path, case: &Case) {
    let root = folder.join(case.name);
    for directory in ["etc", "tmp"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::copy(programs::payload(), root.join("payload")).unwrap();
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/\n").unwrap();
    (case.made)(&root);
}

#[test]
fn a_hostile_place_is_refused_by_name_or_harms_its_image_alone() {
    boot_and_check(PLACES).power_off();
}

#[test]
fn a_hostile_list_of_users_makes_nobody_of_anybody() {
    let machine = boot_and_check(USERS);
    let ids = machine.logs("users-of-numbers");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(value(section(&ids, "ids"), set), "0000000000000000", "{set}");
    }
    machine.power_off();
}

fn boot_and_check(cases: &[Case]) -> Booted {
    let bystander = container("bystander", "sleep", "");
    let world = world(&cases.iter().map(declared).chain([bystander]).collect::<String>());
    for case in cases {
        image(&world.config(), case);
    }
    let machine = world.boot();
    let wrong: Vec<String> = cases.iter().filter_map(|case| complaint(&machine, case)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(machine.wait("bystander", "running")["restarts"], 0);
    machine
}

fn complaint(machine: &Booted, case: &Case) -> Option<String> {
    match case.comes {
        Failed(step, object) => {
            let found = machine.wait(case.name, "failed");
            let cause = &found["cause"];
            (cause["step"] != step || cause["object"] != object).then(|| format!("{}: {found}", case.name))
        }
        Says(words) => {
            let log = machine.logged(case.name, if case.task.starts_with("each") { MINE } else { words });
            (!log.contains(words)).then(|| format!("{}: {log}", case.name))
        }
    }
}
