//! The program against the rules: both are run for every device and wish of a small world.

use alloc::collections::BTreeSet;
use alloc::string::ToString;

use proptest::prelude::*;

use super::program::{
    AND, EXIT, JUMP_ANY_BIT, JUMP_EQUAL, JUMP_LESS, JUMP_NOT_EQUAL, LOAD_HALF, LOAD_WORD, MOVE,
};
use super::*;

const LETTERS: [(Access, char); 3] = [(Access::READ, 'r'), (Access::WRITE, 'w'), (Access::MAKE, 'm')];

/// What a process wants of a device.
#[derive(Debug, Clone, Copy)]
struct Wish {
    kind: Kind,
    major: u32,
    minor: u32,
    access: Access,
}

impl Wish {
    /// `c 1:3 rw`
    fn read(text: &str) -> Self {
        let (kind, rest) = text.split_once(' ').unwrap();
        let (number, letters) = rest.split_once(' ').unwrap();
        let (major, minor) = number.split_once(':').unwrap();
        let access = LETTERS.iter().filter(|(_, letter)| letters.contains(*letter));
        Self {
            kind: if kind == "c" { Kind::Character } else { Kind::Block },
            major: major.parse().unwrap(),
            minor: minor.parse().unwrap(),
            access: access.fold(Access::NONE, |all, (one, _)| all.and(*one)),
        }
    }

    /// `struct bpf_cgroup_dev_ctx`, linux/bpf.h.
    fn context(self) -> [u8; 12] {
        let kind: u32 = if self.kind == Kind::Character { 2 } else { 1 };
        let words = [u32::from(self.access.0) << 16 | kind, self.major, self.minor];
        words.map(u32::to_le_bytes).concat().try_into().unwrap()
    }
}

/// What the head of the module says, and nothing else: no order turned, nothing left out.
fn allows(rules: &[Rule], wish: Wish) -> bool {
    LETTERS.iter().filter(|(letter, _)| wish.access.overlaps(*letter)).all(|(letter, _)| {
        let speaks = |rule: &&Rule| {
            rule.kind.is_none_or(|kind| kind == wish.kind)
                && rule.major.is_none_or(|major| major == wish.major)
                && rule.minor.is_none_or(|minor| minor == wish.minor)
                && rule.access.overlaps(*letter)
        };
        rules.iter().rev().find(speaks).is_some_and(|rule| rule.allow)
    })
}

/// Where an instruction can lead.
fn next(program: &[Instruction], at: usize) -> Vec<usize> {
    let Instruction { code, offset, .. } = program[at];
    match code {
        EXIT => vec![],
        JUMP_EQUAL | JUMP_NOT_EQUAL | JUMP_ANY_BIT | JUMP_LESS => {
            assert!(offset >= 0, "a jump back at {at}");
            vec![at + 1, at + 1 + usize::try_from(offset).unwrap()]
        }
        LOAD_WORD | LOAD_HALF | AND | MOVE => vec![at + 1],
        other => panic!("{other:#x} at {at}"),
    }
}

/// What the kernel's verifier asks of it: every instruction can be reached, and the end is an exit.
fn verify(program: &[Instruction]) {
    let mut reached = BTreeSet::from([0]);
    for at in 0..program.len() {
        assert!(reached.contains(&at), "{at} is never reached: {program:?}");
        reached.extend(next(program, at));
    }
    assert_eq!(reached.last(), Some(&(program.len() - 1)), "leads out of {program:?}");
}

/// Runs it as the kernel does; reading what was never written fails the test.
fn run(program: &[Instruction], wish: Wish) -> bool {
    let context = wish.context();
    let mut registers: [Option<u64>; 11] = [None; 11];
    let mut at = 0;
    loop {
        let Instruction { code, registers: pair, offset, immediate } = program[at];
        let (to, from) = (usize::from(pair & 15), pair >> 4);
        let value = || registers[to].unwrap_or_else(|| panic!("r{to} is not set at {at}"));
        let constant = i64::from(immediate) as u64;
        let load = |size: usize| {
            assert_eq!(from, 1, "loads from elsewhere at {at}");
            let start = usize::try_from(offset).unwrap();
            context[start..start + size].iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte))
        };
        let holds = match code {
            LOAD_WORD => {
                registers[to] = Some(load(4));
                false
            }
            LOAD_HALF => {
                registers[to] = Some(load(2));
                false
            }
            AND => {
                registers[to] = Some(value() & u64::from(immediate as u32));
                false
            }
            MOVE => {
                registers[to] = Some(constant);
                false
            }
            JUMP_EQUAL => value() == constant,
            JUMP_NOT_EQUAL => value() != constant,
            JUMP_ANY_BIT => value() & constant != 0,
            JUMP_LESS => value() < constant,
            EXIT => match registers[0] {
                Some(0) => return false,
                Some(1) => return true,
                other => panic!("the verdict is {other:?}"),
            },
            other => panic!("{other:#x} at {at}"),
        };
        at += 1 + if holds { usize::try_from(offset).unwrap() } else { 0 };
    }
}

/// `+c 1:3 rw` allows, `-a *:* rwm` denies.
fn given(texts: &[&str]) -> Vec<DeviceRule> {
    let read = |text: &&str| {
        let [kind, number, access] = text[1..].split(' ').collect::<Vec<_>>().try_into().unwrap();
        let (major, minor) = number.split_once(':').unwrap();
        let number = |text: &str| (text != "*").then(|| text.parse().unwrap());
        DeviceRule {
            allow: text.starts_with('+'),
            kind: kind.into(),
            major: number(major),
            minor: number(minor),
            access: access.into(),
        }
    };
    texts.iter().map(read).collect()
}

fn only(texts: &[&str]) -> Vec<Rule> {
    let rules = rules(&given(texts), &[]).unwrap();
    rules[..texts.len()].to_vec()
}

/// How long the program is, and which wishes it grants (`+`) and which not.
#[track_caller]
fn check(rules: &[Rule], length: usize, wishes: &[&str]) {
    let program = program(rules).unwrap();
    verify(&program);
    for text in wishes {
        let (verdict, wish) = text.split_at(1);
        let granted = run(&program, Wish::read(wish));
        assert_eq!(granted, verdict == "+", "{wish} of {rules:?}");
        assert_eq!(granted, allows(rules, Wish::read(wish)), "{wish}, as the rules say");
    }
    assert_eq!(program.len(), length, "{program:?}");
}

#[test]
fn a_container_gets_what_everybody_has_and_nothing_else() {
    let rules = rules(&common(), &[]).unwrap();
    let wishes = [
        "+c 1:3 rwm",
        "+c 1:5 rw",
        "+c 1:7 w",
        "+c 1:8 r",
        "+c 1:9 r",
        "+c 5:0 rw",
        "+c 5:2 rw",
        "+c 136:0 rw",
        "+c 136:1048575 rw",
        "-c 1:1 r",
        "-c 1:4 r",
        "-c 1:11 w",
        "-c 5:1 w",
        "-c 4:0 r",
        "-c 10:200 rw",
        "-c 10:229 rw",
        "-c 137:0 r",
        "-b 1:3 r",
        "-b 8:0 r",
        "-b 254:0 rw",
        "-b 8:0 m",
        "-c 10:232 m",
    ];
    check(&rules, 20, &wishes);
    // As when nothing is said at all: what every container has is always added.
    assert_eq!(program(&rules), program(&super::rules(&[], &[]).unwrap()));
}

#[test]
fn the_last_rule_that_speaks_of_a_letter_decides() {
    check(&only(&[]), 6, &["-c 1:3 r"]);
    check(&only(&["-a *:* rwm"]), 6, &["-c 1:3 r"]);
    check(&only(&["-a *:* rwm", "+a *:* rwm"]), 2, &["+c 1:3 rwm", "+b 8:0 w"]);
    check(
        &only(&["+b 8:* r", "+b 8:0 w"]),
        16,
        &["+b 8:1 r", "-b 8:1 w", "+b 8:0 rw", "-b 8:1 rw", "-b 8:0 m"],
    );
    check(
        &only(&["+a *:* rwm", "-c 10:200 rw"]),
        13,
        &["-c 10:200 r", "+c 10:200 m", "-c 10:200 wm", "+b 10:200 r"],
    );
    check(
        &only(&["+c *:* rwm", "-c 1:* w", "+c 1:3 w"]),
        18,
        &["+c 1:3 rw", "-c 1:4 rw", "+c 1:4 r", "-b 1:3 r"],
    );
    // Two rules together allow what neither does.
    check(&only(&["+c 1:3 r", "-c 1:4 rwm", "+c 1:3 w"]), 14, &["+c 1:3 rw", "-c 1:3 rwm"]);
    // A number is enough, whatever the kind; a kind is enough, whatever the number.
    check(&only(&["+a 8:0 r"]), 12, &["+b 8:0 r", "+c 8:0 r", "-b 8:1 r"]);
    check(&only(&["+b *:* rwm"]), 8, &["+b 7:7 rwm", "-c 7:7 r"]);
    check(&only(&["+a *:7 rwm"]), 8, &["+b 7:7 rwm", "-c 7:8 r"]);
}

#[test]
fn what_is_declared_can_be_made_and_used_if_nothing_is_said() {
    let device = |path: &str, kind: &str, major, minor| Device {
        path: path.into(),
        kind: kind.into(),
        major,
        minor,
        ..Device::default()
    };
    let declared =
        [device("/dev/fuse", "u", 10, 229), device("/dev/sda", "b", 8, 0), device("/run/pipe", "p", 0, 0)];
    let free = rules(&[], &declared).unwrap();
    check(&free, 25, &["+c 10:229 rwm", "+b 8:0 rw", "-b 8:1 m", "+c 1:3 rw", "-c 10:200 m"]);
    let denied = rules(&given(&["-a *:* rwm"]), &declared).unwrap();
    check(&denied, 29, &["-c 10:229 r", "+c 10:229 m", "-b 8:0 rw", "+b 8:0 m", "+c 1:3 rw"]);
}

#[track_caller]
fn refuse(rule: &str, expected: &str) {
    let rule: DeviceRule = serde_json::from_str(rule).unwrap();
    let refused = rules(&[rule], &[]).unwrap_err().to_string();
    assert_eq!(refused, format!("linux.resources.devices[0].{expected}"));
}

#[test]
fn refuses_rules_that_say_nothing_or_nonsense() {
    refuse(r#"{ "allow": true, "type": "u", "access": "r" }"#, "type: `u` is none of a, b, c");
    refuse(r#"{ "allow": true, "access": "rx" }"#, "access: `x` is none of r, w, m");
    refuse(r#"{ "allow": true, "access": "rwa" }"#, "access: `a` is none of r, w, m");
    refuse(r#"{ "allow": true }"#, "access: is missing: of r, w and m");
    refuse(r#"{ "allow": true, "access": "r", "major": 4096 }"#, "major: 4096: Linux has 0 to 4095");
    refuse(r#"{ "allow": true, "access": "r", "minor": -2 }"#, "minor: -2: Linux has 0 to 1048575");
    let deny_more: DeviceRule =
        serde_json::from_str(r#"{ "allow": false, "access": "a", "major": -1 }"#).unwrap();
    assert_eq!(rules(&[deny_more], &[]).unwrap()[0].access, Access::ALL);
    let device = Device { kind: "x".into(), ..Device::default() };
    let refused = rules(&[], &[device]).unwrap_err().to_string();
    assert_eq!(refused, "linux.devices[0].type: `x` is none of c, u, b, p");
}

#[test]
fn refuses_more_rules_than_a_program_has_room_for() {
    let rule =
        |minor| Rule { allow: true, kind: None, major: Some(7), minor: Some(minor), access: Access::ALL };
    let many = |count: u32| program(&(0..count).map(rule).collect::<Vec<_>>());
    verify(&many(4000).unwrap());
    for count in [4096, 5000] {
        let refused = many(count).unwrap_err().to_string();
        let expected = format!("linux.resources.devices: {count} rules are too many for the kernel's filter");
        assert_eq!(refused, expected);
    }
}

/// Few numbers, so that rules meet.
fn any_rule() -> impl Strategy<Value = Rule> {
    let kind = prop_oneof![Just(None), Just(Some(Kind::Block)), Just(Some(Kind::Character))];
    let major = prop_oneof![Just(None), (0..3_u32).prop_map(Some)];
    let minor = prop_oneof![Just(None), (0..3_u32).prop_map(Some), Just(Some(MINORS - 1))];
    (any::<bool>(), kind, major, minor, prop_oneof![2 => Just(7_u8), 3 => 1..8_u8]).prop_map(
        |(allow, kind, major, minor, access)| Rule { allow, kind, major, minor, access: Access(access) },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn the_program_decides_as_the_rules_do(rules in proptest::collection::vec(any_rule(), 0..12)) {
        let program = program(&rules).unwrap();
        verify(&program);
        for kind in [Kind::Block, Kind::Character] {
            for (major, minor) in (0..4).flat_map(|major| [0, 1, 2, 3, MINORS - 1].map(|minor| (major, minor))) {
                for access in 0..8 {
                    let wish = Wish { kind, major, minor, access: Access(access) };
                    prop_assert_eq!(run(&program, wish), allows(&rules, wish), "{:?}: {:?}", wish, program);
                }
            }
        }
    }
}
