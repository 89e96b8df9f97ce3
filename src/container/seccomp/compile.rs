//! A filter → BPF: for each architecture a search tree over ranges of numbers that share a verdict.
//!
//! A list of comparisons, one a call, is what makes filters slow to load and to run; ranges of
//! neighbours with the same verdict are a third as many, and a tree finds one in seven steps.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use super::architecture::Table;
use super::emit::{Emitter, Instruction, JUMP_EQUAL, JUMP_GREATER_OR_EQUAL, Place};
use super::{Action, Architecture, Condition, NATIVE, Rule, Seccomp};

/// BPF_MAXINSNS, linux/bpf_common.h.
const LONGEST: usize = 4096;
const ARGUMENTS: u32 = 6;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;
/// MAX_ERRNO, linux/err.h.
const LARGEST_ERRNO: u32 = 4095;

/// Why there is no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    Argument { call: String, index: u32 },
    Errno(u32),
    TooLong(usize),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument { call, index } => write!(f, "`{call}` has no argument {index}: 0 to 5"),
            Self::Errno(errno) => write!(f, "{errno} is no errno: 0 to {LARGEST_ERRNO}"),
            Self::TooLong(length) => write!(f, "{length} instructions, and the kernel takes {LONGEST}"),
        }
    }
}

/// What a number leads to: rules with conditions, in order, and what holds when none applies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Decision<'a> {
    rules: Vec<(&'a [Condition], u32)>,
    otherwise: u32,
}

/// Turns a filter into the kernel's program.
///
/// # Errors
/// [`Refused`].
pub fn compile(filter: &Seccomp) -> Result<Vec<Instruction>, Refused> {
    let mut emitter = Emitter::default();
    // A call of an architecture that the filter does not know could be any other.
    let foreign = emitter.verdict(verdict(Action::KillProcess, None)?);
    let mut wanted = filter.architectures.clone();
    wanted.push(NATIVE);
    wanted.sort_unstable();
    wanted.dedup();
    let mut entries = Vec::new();
    for table in wanted.into_iter().filter_map(Architecture::table) {
        let ranges = ranges(filter, &table)?;
        let root = tree(&mut emitter, &ranges);
        if emitter.len() > LONGEST {
            return Err(Refused::TooLong(emitter.len()));
        }
        entries.push((table.audit, emitter.load_number(root)));
    }
    let choose = entries
        .into_iter()
        .fold(foreign, |otherwise, (audit, entry)| emitter.branch(JUMP_EQUAL, audit, entry, otherwise));
    emitter.load_architecture(choose);
    match emitter.len() {
        length if length > LONGEST => Err(Refused::TooLong(length)),
        _ => Ok(emitter.finish()),
    }
}

/// Decisions and the numbers that each begins at, in ascending order.
fn ranges<'a>(filter: &'a Seccomp, table: &Table) -> Result<Vec<(u32, Decision<'a>)>, Refused> {
    let otherwise = verdict(filter.default_action, filter.default_errno_ret)?;
    let mut by_number: Vec<(u32, usize, &Rule)> = Vec::new();
    for (index, rule) in filter.syscalls.iter().enumerate() {
        let known = rule.names.iter().filter_map(|name| table.number_of(name));
        by_number.extend(known.map(|number| (number, index, rule)));
    }
    by_number.sort_unstable_by_key(|(number, index, _)| (*number, *index));
    // What is newer than all that the filter speaks of did not exist for its author: a program must
    // be able to see that it is missing, and do without (EPERM would be an end).
    let newest = by_number.last().map_or(table.last, |(number, ..)| *number);
    let unheard = match filter.default_action {
        Action::Allow | Action::Log | Action::Notify | Action::Trace => otherwise,
        Action::Errno | Action::Kill | Action::KillThread | Action::KillProcess | Action::Trap => {
            verdict(Action::Errno, Some(ENOSYS))?
        }
    };
    let mut ranges: Vec<(u32, Decision<'_>)> = Vec::new();
    let mut add = |first: u32, decision: Decision<'a>| {
        if ranges.last().is_none_or(|(_, last)| *last != decision) {
            ranges.push((first, decision));
        }
    };
    let mut rest = by_number.as_slice();
    for number in 0..=newest {
        let (here, later) = rest.split_at(rest.iter().take_while(|(at, ..)| *at == number).count());
        rest = later;
        let decision = match here {
            [_, ..] => decide(here, otherwise)?,
            [] if (table.name_of)(number).is_none() => Decision { rules: Vec::new(), otherwise: unheard },
            [] => Decision { rules: Vec::new(), otherwise },
        };
        add(number, decision);
    }
    add(newest + 1, Decision { rules: Vec::new(), otherwise: unheard });
    // On x86-64 these are x32's, which no kernel of ours has.
    const X32: u32 = 0x4000_0000;
    let no_call = verdict(Action::Errno, Some(ENOSYS))?;
    add(X32, Decision { rules: Vec::new(), otherwise: no_call });
    Ok(ranges)
}

/// Conditions up to the first rule that has none.
fn decide<'a>(rules: &[(u32, usize, &'a Rule)], otherwise: u32) -> Result<Decision<'a>, Refused> {
    let mut decision = Decision { rules: Vec::new(), otherwise };
    for (_, _, rule) in rules {
        let verdict = verdict(rule.action, rule.errno_ret)?;
        if rule.args.is_empty() {
            decision.otherwise = verdict;
            return Ok(decision);
        }
        if let Some(bad) = rule.args.iter().find(|condition| condition.index >= ARGUMENTS) {
            let call = rule.names.first().map(ToString::to_string).unwrap_or_default();
            return Err(Refused::Argument { call, index: bad.index });
        }
        if repeats(&rule.args) {
            decision.rules.extend(rule.args.chunks(1).map(|one| (one, verdict)));
        } else {
            decision.rules.push((&rule.args, verdict));
        }
    }
    Ok(decision)
}

/// Whether two conditions are for the same argument.
fn repeats(conditions: &[Condition]) -> bool {
    let mut seen = [false; ARGUMENTS as usize];
    conditions.iter().any(|condition| {
        seen.get_mut(condition.index as usize).is_some_and(|seen| core::mem::replace(seen, true))
    })
}

/// `SECCOMP_RET_*`, linux/seccomp.h.
fn verdict(action: Action, errno: Option<u32>) -> Result<u32, Refused> {
    let data = || match errno.unwrap_or(EPERM) {
        errno if errno <= LARGEST_ERRNO => Ok(errno),
        errno => Err(Refused::Errno(errno)),
    };
    Ok(match action {
        Action::KillProcess => 0x8000_0000,
        Action::Kill | Action::KillThread => 0,
        Action::Trap => 0x0003_0000,
        Action::Errno => 0x0005_0000 | data()?,
        Action::Notify => 0x7fc0_0000,
        Action::Trace => 0x7ff0_0000 | data()?,
        Action::Log => 0x7ffc_0000,
        Action::Allow => 0x7fff_0000,
    })
}

/// Halves the ranges until one is left.
fn tree(emitter: &mut Emitter, ranges: &[(u32, Decision<'_>)]) -> Place {
    let (left, right) = ranges.split_at(ranges.len() / 2);
    match (left, right) {
        ([], [(_, decision)]) => leaf(emitter, decision),
        (_, [(first, _), ..]) => {
            let above = tree(emitter, right);
            let below = tree(emitter, left);
            emitter.branch(JUMP_GREATER_OR_EQUAL, *first, above, below)
        }
        // There is always a range that begins at 0.
        (_, []) => emitter.len().saturating_sub(1),
    }
}

fn leaf(emitter: &mut Emitter, decision: &Decision<'_>) -> Place {
    let mut otherwise = emitter.verdict(decision.otherwise);
    for (conditions, verdict) in decision.rules.iter().rev() {
        let verdict = emitter.verdict(*verdict);
        otherwise = conditions.iter().rev().fold(verdict, |yes, condition| {
            let what = (condition.index, condition.op);
            emitter.condition(what, condition.value, condition.value_two, yes, otherwise)
        });
    }
    otherwise
}
