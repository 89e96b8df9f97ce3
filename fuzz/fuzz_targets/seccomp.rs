//! A filter's program gives for every call the verdict of the first rule that applies, and ends wherever
//! else it is asked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::container::seccomp::{Action, Condition, Operator, Rule, Seccomp, compile};

#[path = "../../src/container/seccomp/machine.rs"]
mod machine;

const X86_64: u32 = 0xc000_003e;
const CALLS: [(&str, u32); 4] = [("read", 0), ("write", 1), ("kill", 62), ("openat", 257)];
const OPERATORS: [Operator; 7] = [
    Operator::NotEqual,
    Operator::Less,
    Operator::LessOrEqual,
    Operator::Equal,
    Operator::GreaterOrEqual,
    Operator::Greater,
    Operator::MaskedEqual,
];

type Argument = (u8, u64, u64, u8);

fn rule((call, errno, arguments): &(u8, u16, Vec<Argument>)) -> Rule {
    let condition = |&(index, value, value_two, op): &Argument| Condition {
        index: u32::from(index % 6),
        value,
        value_two,
        op: OPERATORS[usize::from(op) % OPERATORS.len()],
    };
    Rule {
        names: vec![CALLS[usize::from(*call) % CALLS.len()].0.into()],
        action: Action::Errno,
        errno_ret: Some(u32::from(errno % 4096)),
        args: arguments.iter().map(condition).collect(),
    }
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

fn applies(rule: &Rule, call: &str, arguments: [u64; 6]) -> bool {
    let mut indices: Vec<u32> = rule.args.iter().map(|condition| condition.index).collect();
    indices.sort_unstable();
    indices.dedup();
    let any = indices.len() < rule.args.len();
    let mut held = rule.args.iter().map(|condition| holds(condition, arguments));
    rule.names[0] == call && (rule.args.is_empty() || if any { held.any(|it| it) } else { held.all(|it| it) })
}

fuzz_target!(|input: (Vec<(u8, u16, Vec<Argument>)>, [u64; 6], u32, u32)| {
    let (rules, arguments, audit, number) = input;
    let syscalls: Vec<Rule> = rules.iter().map(rule).collect();
    let filter: Seccomp = serde_json::from_str(r#"{"defaultAction": "SCMP_ACT_ALLOW"}"#).expect("a filter");
    let Ok(program) = compile(&Seccomp { syscalls: syscalls.clone(), ..filter }) else { return };
    let words: Vec<_> = program.iter().map(|it| (it.code, it.jump_true, it.jump_false, it.value)).collect();
    for (call, number) in CALLS {
        let first = syscalls.iter().find(|rule| applies(rule, call, arguments));
        let expected = first.map_or(0x7fff_0000, |rule| 0x0005_0000 | rule.errno_ret.unwrap_or_default());
        assert_eq!(machine::run(&words, X86_64, number, arguments), expected, "{call}");
    }
    let _ = machine::run(&words, audit, number, arguments);
});
