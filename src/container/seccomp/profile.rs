//! What a container may ask of the kernel that says nothing else.
//!
//! Written as what is *not* for containers, with the reason: everything that is known and not named
//! here is allowed, and what is not known yet does not exist for a container (ENOSYS). The verdicts
//! are those of Docker's profile, but that newer calls which give no power are allowed, and io_uring is
//! not; a capability that a container was given opens what it is for.

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::architecture::Table;
use super::{Action, Condition, NATIVE, Operator, Rule, Seccomp};

const ENOSYS: u32 = 38;

/// Numbers of capabilities, linux/capability.h.
mod capability {
    pub(super) const DAC_READ_SEARCH: u32 = 2;
    pub(super) const SYS_MODULE: u32 = 16;
    pub(super) const SYS_RAWIO: u32 = 17;
    pub(super) const SYS_CHROOT: u32 = 18;
    pub(super) const SYS_PTRACE: u32 = 19;
    pub(super) const SYS_PACCT: u32 = 20;
    pub(super) const SYS_ADMIN: u32 = 21;
    pub(super) const SYS_BOOT: u32 = 22;
    pub(super) const SYS_NICE: u32 = 23;
    pub(super) const SYS_TIME: u32 = 25;
    pub(super) const SYS_TTY_CONFIG: u32 = 26;
    pub(super) const SYSLOG: u32 = 34;
    pub(super) const PERFMON: u32 = 38;
    pub(super) const BPF: u32 = 39;
}
use capability as cap;

/// Calls that only these capabilities open, each of which is enough.
const CLOSED: &[(&[u32], &[&str])] = &[
    // Mounts, and other namespaces.
    (
        &[cap::SYS_ADMIN],
        &[
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "mount",
            "mount_setattr",
            "move_mount",
            "open_tree",
            "open_tree_attr",
            "pivot_root",
            "setns",
            "umount",
            "umount2",
            "unshare",
        ],
    ),
    // The machine's own: names, quotas, file events of everybody.
    (
        &[cap::SYS_ADMIN],
        &[
            "fanotify_init",
            "lookup_dcookie",
            "lsm_get_self_attr",
            "lsm_list_modules",
            "quotactl",
            "quotactl_fd",
            "setdomainname",
            "sethostname",
        ],
    ),
    (&[cap::SYS_ADMIN, cap::BPF], &["bpf"]),
    (&[cap::SYS_ADMIN, cap::PERFMON], &["perf_event_open"]),
    (&[cap::SYS_CHROOT], &["chroot"]),
    (&[cap::DAC_READ_SEARCH], &["open_by_handle_at"]),
    (&[cap::SYS_MODULE], &["delete_module", "finit_module", "init_module"]),
    (&[cap::SYS_BOOT], &["kexec_file_load", "kexec_load", "reboot"]),
    (&[cap::SYS_PACCT], &["acct"]),
    (&[cap::SYS_TIME], &["clock_settime", "clock_settime64", "settimeofday", "stime"]),
    (&[cap::SYS_RAWIO], &["ioperm", "iopl"]),
    (&[cap::SYS_TTY_CONFIG], &["vhangup"]),
    (&[cap::SYS_ADMIN, cap::SYSLOG], &["syslog"]),
    // Other processes' insides, beyond what ptrace(2) may.
    (&[cap::SYS_PTRACE], &["kcmp", "pidfd_getfd", "process_madvise"]),
    // Where memory lies.
    (&[cap::SYS_NICE], &["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"]),
    // Keys have no namespace; the others have had more holes than users.
    (
        &[],
        &[
            "add_key",
            "io_uring_enter",
            "io_uring_register",
            "io_uring_setup",
            "keyctl",
            "request_key",
            "userfaultfd",
        ],
    ),
    // Of all CPUs, all memory, all processes.
    (&[], &["migrate_pages", "move_pages", "swapoff", "swapon"]),
    // Labels are given by us.
    (&[], &["lsm_set_self_attr"]),
    // Left over from other times.
    (
        &[],
        &[
            "_sysctl",
            "afs_syscall",
            "create_module",
            "epoll_ctl_old",
            "epoll_wait_old",
            "get_kernel_syms",
            "getpmsg",
            "nfsservctl",
            "putpmsg",
            "query_module",
            "security",
            "sysfs",
            "tuxcall",
            "uselib",
            "ustat",
            "vm86",
            "vm86old",
            "vserver",
        ],
    ),
];

/// Flags of clone(2) that make namespaces: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const NEW_NAMESPACES: u64 = 0x7e02_0000;
/// Families of sockets that are not for containers, linux/socket.h. ALG, into the kernel's cryptography, and
/// VSOCK, to the hypervisor, have no namespace; of DECnet, ECONET, ATMSVC, IRDA, WANPIPE, IUCV and CAIF only the
/// holes are left.
const REFUSED_FAMILIES: [u64; 9] = [38, 40, 12, 19, 20, 23, 25, 34, 37];
/// An `int` of the kernel's: what stands above it in the register is not looked at.
const INT: u64 = 0xffff_ffff;
/// Of personality(2): Linux, its 32-bit sibling, either without randomised addresses, and asking.
const PERSONALITIES: [u64; 5] = [0, 0x0008, 0x0002_0000, 0x0002_0008, 0xffff_ffff];

/// The filter of a container with these capabilities (bit N is capability number N), for programs of
/// the machine's own architecture.
#[must_use]
pub fn allowed(capabilities: u64) -> Seccomp {
    let has = |number: &u32| capabilities & (1 << number) != 0;
    let namespaces = has(&cap::SYS_ADMIN);
    let mut rules = conditional(namespaces);
    let closed = CLOSED.iter().filter(|(open_to, _)| !open_to.iter().any(has)).flat_map(|(_, names)| *names);
    let special = rules.iter().flat_map(|rule| &rule.names).map(AsRef::as_ref);
    let not_plain: BTreeSet<&str> = closed.copied().chain(special).collect();
    let known = NATIVE.table().map(names).unwrap_or_default();
    let plain = known.into_iter().filter(|name| !not_plain.contains(name));
    let names = plain.map(Cow::Borrowed).collect();
    rules.insert(0, Rule { names, action: Action::Allow, errno_ret: None, args: Vec::new() });
    Seccomp {
        default_action: Action::Errno,
        default_errno_ret: None,
        architectures: vec![NATIVE],
        flags: Vec::new(),
        listener_path: None,
        listener_metadata: None,
        syscalls: rules,
    }
}

fn names(table: Table) -> Vec<&'static str> {
    (0..=table.last).filter_map(table.name_of).collect()
}

/// Calls whose arguments decide.
fn conditional(namespaces: bool) -> Vec<Rule> {
    let rule = |name: &'static str, args: Vec<Condition>| Rule {
        names: vec![Cow::Borrowed(name)],
        action: Action::Allow,
        errno_ret: None,
        args,
    };
    let first = |op, value, value_two| Condition { index: 0, value, value_two, op };
    let refused = |family| Rule {
        action: Action::Errno,
        ..rule("socket", vec![first(Operator::MaskedEqual, INT, family)])
    };
    let mut rules: Vec<Rule> = REFUSED_FAMILIES.map(refused).into();
    rules.push(rule("socket", Vec::new()));
    rules.extend(PERSONALITIES.map(|value| rule("personality", vec![first(Operator::Equal, value, 0)])));
    if namespaces {
        rules.push(rule("clone", Vec::new()));
        rules.push(rule("clone3", Vec::new()));
    } else {
        rules.push(rule("clone", vec![first(Operator::MaskedEqual, NEW_NAMESPACES, 0)]));
        // Its flags are in memory, where a filter cannot look: libraries then take clone(2).
        let clone3 = Rule { action: Action::Errno, errno_ret: Some(ENOSYS), ..rule("clone3", Vec::new()) };
        rules.push(clone3);
    }
    rules
}
