//! The program, run by a small machine, gives the filter's verdicts.

use proptest::prelude::*;

use super::emit::Instruction;
use super::*;

#[path = "machine.rs"]
mod machine;

const ALLOW: u32 = 0x7fff_0000;
const KILL_PROCESS: u32 = 0x8000_0000;
const EPERM: u32 = 0x0005_0001;
const ENOSYS: u32 = 0x0005_0026;
const X86_64: u32 = 0xc000_003e;
const X86: u32 = 0x4000_0003;

fn run(program: &[Instruction], audit: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let words = program.iter().map(|it| (it.code, it.jump_true, it.jump_false, it.value));
    machine::run(&words.collect::<Vec<_>>(), audit, number, arguments)
}

fn number(name: &str) -> u32 {
    NATIVE.table().unwrap().number_of(name).unwrap()
}

fn audit() -> u32 {
    NATIVE.table().unwrap().audit
}

fn filter(json: &str) -> Seccomp {
    serde_json::from_str(json).unwrap()
}

#[track_caller]
fn check(filter: &Seccomp, call: &str, arguments: &[u64], expected: u32) {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    let program = compile(filter).unwrap();
    assert_eq!(run(&program, audit(), number(call), all), expected, "{call} {arguments:x?}");
}

#[test]
fn a_container_may_do_what_programs_do_and_nothing_that_is_the_machines() {
    let plain = allowed(0);
    for call in ["read", "openat", "execve", "futex", "ptrace", "seccomp", "landlock_create_ruleset", "mseal"]
    {
        check(&plain, call, &[], ALLOW);
    }
    for call in ["mount", "unshare", "setns", "bpf", "kexec_load", "keyctl", "io_uring_setup", "reboot"] {
        check(&plain, call, &[], EPERM);
    }
    check(&plain, "clone", &[0x11], ALLOW);
    check(&plain, "clone", &[0x1000_0011], EPERM);
    check(&plain, "clone3", &[], ENOSYS);
    check(&plain, "personality", &[0xffff_ffff], ALLOW);
    check(&plain, "personality", &[0x0040_0000], EPERM);
    for (family, expected) in [
        (1, ALLOW),
        (2, ALLOW),
        (16, ALLOW),
        (37, EPERM),
        (38, EPERM),
        (39, ALLOW),
        (40, EPERM),
        (41, ALLOW),
        (20, EPERM),
    ] {
        check(&plain, "socket", &[family], expected);
        // The kernel takes the lower half alone.
        check(&plain, "socket", &[family | 7 << 32], expected);
    }
}

#[test]
fn a_capability_opens_what_it_is_for() {
    let check = |capability: u32, opened: &[&str], closed: &[&str]| {
        let filter = allowed(1 << capability);
        opened.iter().for_each(|call| check(&filter, call, &[], ALLOW));
        closed.iter().for_each(|call| check(&filter, call, &[], EPERM));
    };
    check(21, &["mount", "unshare", "bpf", "perf_event_open", "clone3"], &["init_module", "keyctl"]);
    check(16, &["init_module", "finit_module"], &["mount", "bpf"]);
    check(39, &["bpf"], &["perf_event_open", "mount"]);
    check(25, &["settimeofday", "clock_settime"], &["reboot"]);
}

#[test]
fn what_is_newer_than_the_filter_does_not_exist() {
    let program = compile(&allowed(0)).unwrap();
    for newer in [NATIVE.table().unwrap().last + 1, 1000, 0x4000_0000, 0x4000_0001, u32::MAX] {
        assert_eq!(run(&program, audit(), newer, [0; 6]), ENOSYS, "{newer:#x}");
    }
    // Of a filter that knows less, what came after the last call that it knows.
    let old = filter(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["openat"], "action": "SCMP_ACT_ALLOW"}]}"#,
    );
    check(&old, "read", &[], EPERM);
    check(&old, "cachestat", &[], ENOSYS);
    let open = filter(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
    let program = compile(&open).unwrap();
    assert_eq!(run(&program, audit(), 1000, [0; 6]), ALLOW);
    assert_eq!(run(&program, audit(), 0x4000_0001, [0; 6]), ENOSYS, "not a way around the rules");
}

#[test]
fn a_foreign_architecture_is_killed_unless_the_filter_knows_it() {
    let program = compile(&allowed(0)).unwrap();
    assert_eq!(run(&program, 0x1234, number("read"), [0; 6]), KILL_PROCESS);
    let both = filter(
        r#"{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_S390X"],
            "syscalls": [{"names": ["read", "socketcall"], "action": "SCMP_ACT_ALLOW"}]}"#,
    );
    let program = compile(&both).unwrap();
    let verdict = |audit, number| run(&program, audit, number, [0; 6]);
    assert_eq!(verdict(X86_64, 0), ALLOW);
    assert_eq!(verdict(X86, 3), ALLOW);
    assert_eq!(verdict(X86, 102), ALLOW, "socketcall, which only it has");
    assert_eq!(verdict(X86, 0), EPERM);
}

#[test]
fn the_first_rule_that_applies_decides_with_its_own_errno() {
    let filter = filter(
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 3,
             "args": [{"index": 0, "value": 7, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 9, "op": "SCMP_CMP_EQ"}]},
            {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4,
             "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}]},
            {"names": ["kill"], "action": "SCMP_ACT_TRAP"},
            {"names": ["kill"], "action": "SCMP_ACT_ALLOW"}
        ]}"#,
    );
    check(&filter, "kill", &[7, 9], 0x0005_0003);
    check(&filter, "kill", &[7, 8], 0x0003_0000);
    check(&filter, "kill", &[1], 0x0005_0004);
    check(&filter, "kill", &[2], 0x0005_0004);
    check(&filter, "read", &[], ALLOW);
}

#[test]
fn refuses_what_cannot_be_asked_of_the_kernel() {
    let check = |rule: &str, expected: &str| {
        let json = format!(r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{rule}]}}"#);
        assert_eq!(compile(&filter(&json)).unwrap_err().to_string(), expected);
    };
    check(
        r#"{"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096}"#,
        "4096 is no errno: 0 to 4095",
    );
    check(
        r#"{"names": ["kill"], "action": "SCMP_ACT_LOG", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]}"#,
        "`kill` has no argument 6: 0 to 5",
    );
}

#[test]
fn is_as_short_as_its_ranges() {
    let length = compile(&allowed(0)).unwrap().len();
    assert!(length < 160, "{length} instructions");
}

fn operator() -> impl Strategy<Value = Operator> {
    proptest::sample::select(vec![
        Operator::NotEqual,
        Operator::Less,
        Operator::LessOrEqual,
        Operator::Equal,
        Operator::GreaterOrEqual,
        Operator::Greater,
        Operator::MaskedEqual,
    ])
}

/// Values that meet: at the ends of both halves.
fn value() -> impl Strategy<Value = u64> {
    let half = proptest::sample::select(vec![0u64, 1, 2, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff]);
    (half.clone(), half).prop_map(|(high, low)| high << 32 | low)
}

fn rule() -> impl Strategy<Value = Rule> {
    let names = proptest::sample::select(vec!["read", "write", "openat", "kill", "clone", "statx", "futex"]);
    let args = proptest::collection::vec((0..6u32, value(), value(), operator()), 0..3);
    (proptest::collection::vec(names, 1..4), 1..90u32, args).prop_map(|(names, errno, args)| Rule {
        names: names.into_iter().map(Into::into).collect(),
        action: Action::Errno,
        errno_ret: Some(errno),
        args: args
            .into_iter()
            .map(|(index, value, value_two, op)| Condition { index, value, value_two, op })
            .collect(),
    })
}

fn holds(condition: &Condition, arguments: [u64; 6]) -> bool {
    let (argument, value) = (arguments[condition.index as usize], condition.value);
    match condition.op {
        Operator::NotEqual => argument != value,
        Operator::Less => argument < value,
        Operator::LessOrEqual => argument <= value,
        Operator::Equal => argument == value,
        Operator::GreaterOrEqual => argument >= value,
        Operator::Greater => argument > value,
        Operator::MaskedEqual => argument & value == condition.value_two,
    }
}

/// What the rules say, read one by one.
fn expected(rules: &[Rule], call: &str, arguments: [u64; 6]) -> u32 {
    let applies = |rule: &&Rule| {
        let mut indices: Vec<u32> = rule.args.iter().map(|condition| condition.index).collect();
        indices.sort_unstable();
        indices.dedup();
        let any = indices.len() < rule.args.len();
        let mut held = rule.args.iter().map(|condition| holds(condition, arguments));
        let named = rule.names.iter().any(|name| name == call);
        named && (rule.args.is_empty() || if any { held.any(|it| it) } else { held.all(|it| it) })
    };
    let rule = rules.iter().find(applies);
    rule.map_or(ALLOW, |rule| 0x0005_0000 | rule.errno_ret.unwrap())
}

proptest! {
    #[test]
    fn the_program_says_what_the_rules_say(
        rules in proptest::collection::vec(rule(), 0..40),
        arguments in proptest::array::uniform6(value()),
    ) {
        let mut filter = filter(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#);
        filter.syscalls.clone_from(&rules);
        let program = compile(&filter).unwrap();
        for call in ["read", "write", "openat", "kill", "clone", "statx", "futex", "mount"] {
            let verdict = run(&program, audit(), number(call), arguments);
            prop_assert_eq!(verdict, expected(&rules, call, arguments), "{}", call);
        }
    }
}
