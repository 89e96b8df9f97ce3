//! Rules → eBPF of type BPF_PROG_TYPE_CGROUP_DEVICE: straight on, without a loop or a call.
//!
//! The kernel runs it for every open and every mknod(2) of a device. It gets `struct
//! bpf_cgroup_dev_ctx` (linux/bpf.h): access << 16 | kind, major, minor; and allows by returning 1.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use super::minimal::minimal;
use super::{Access, Kind, Rule};
use crate::container::refused::Refused;

/// `struct bpf_insn`, linux/bpf.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    pub code: u8,
    /// The destination, and the source above it in four bits each.
    pub registers: u8,
    pub offset: i16,
    pub immediate: i32,
}

/// Load of 32 bits, of 16 bits; and in 32 bits; load of a constant; jumps; exit.
pub(super) const LOAD_WORD: u8 = 0x61;
pub(super) const LOAD_HALF: u8 = 0x69;
pub(super) const AND: u8 = 0x54;
pub(super) const MOVE: u8 = 0xb7;
pub(super) const JUMP_EQUAL: u8 = 0x15;
pub(super) const JUMP_NOT_EQUAL: u8 = 0x55;
pub(super) const JUMP_ANY_BIT: u8 = 0x45;
pub(super) const JUMP_LESS: u8 = 0xa5;
pub(super) const EXIT: u8 = 0x95;

/// The verdict; the context; and what is loaded from it: letters not yet allowed above the kind, the
/// kind alone, and the numbers.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const WANTED: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// Where the letters begin in the context's first word; a smaller word wants none.
const LETTERS: u32 = 16;
const NOTHING_WANTED: i32 = 1 << LETTERS;
/// As many as any kernel takes of anybody (BPF_MAXINSNS), and jumps still reach over them.
const LONGEST: usize = 4096;

/// Where to jump to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Allow,
    Deny,
    /// A place that is known once the code before it is.
    Label(usize),
}

/// Turns rules into the kernel's program.
///
/// # Errors
/// [`Refused`] for more rules than a program has room for.
pub fn program(rules: &[Rule]) -> Result<Vec<Instruction>, Refused> {
    let too_long = || {
        let why = format!("{} rules are too many for the kernel's filter", rules.len());
        Refused::new("linux.resources.devices", why)
    };
    if rules.len() > LONGEST {
        return Err(too_long());
    }
    let rules = minimal(rules);
    let (otherwise, rules) = match rules.split_last() {
        // Everything that the rules before do not decide is allowed, instead of denied.
        Some((Rule { allow: true, kind: None, major: None, minor: None, access: Access::ALL }, before)) => {
            (Target::Allow, before)
        }
        _ => (Target::Deny, rules.as_slice()),
    };
    let mut code = Code::default();
    code.header(rules, otherwise);
    for run in rules.chunk_by(|a, b| a.allow == b.allow && a.kind == b.kind) {
        code.of_kind(run);
    }
    let program = code.finish(otherwise);
    if program.len() > LONGEST { Err(too_long()) } else { Ok(program) }
}

#[derive(Default)]
struct Code {
    instructions: Vec<Instruction>,
    /// Which instructions jump, and where to.
    jumps: Vec<(usize, Target)>,
    /// Where each label is, once it is known.
    labels: Vec<usize>,
}

impl Code {
    fn push(&mut self, code: u8, registers: u8, offset: i16, immediate: i32) {
        self.instructions.push(Instruction { code, registers, offset, immediate });
    }

    fn load(&mut self, code: u8, register: u8, offset: i16) {
        self.push(code, register | CONTEXT << 4, offset, 0);
    }

    fn jump(&mut self, code: u8, register: u8, value: i32, to: Target) {
        self.jumps.push((self.instructions.len(), to));
        self.push(code, register, 0, value);
    }

    fn label(&mut self) -> usize {
        self.labels.push(usize::MAX);
        self.labels.len() - 1
    }

    /// The next instruction is where this label leads.
    fn place(&mut self, label: usize) {
        let here = self.instructions.len();
        if let Some(place) = self.labels.get_mut(label) {
            *place = here;
        }
    }

    /// Loads what the rules ask about, and allows at once who wants nothing (access(2) may).
    fn header(&mut self, rules: &[Rule], otherwise: Target) {
        if otherwise == Target::Allow && rules.is_empty() {
            return;
        }
        self.load(LOAD_WORD, WANTED, 0);
        self.jump(JUMP_LESS, WANTED, NOTHING_WANTED, Target::Allow);
        if rules.iter().any(|rule| rule.kind.is_some()) {
            // Both architectures that this runs on have the lower half first.
            self.load(LOAD_HALF, KIND, 0);
        }
        if rules.iter().any(|rule| rule.major.is_some()) {
            self.load(LOAD_WORD, MAJOR, 4);
        }
        if rules.iter().any(|rule| rule.minor.is_some()) {
            self.load(LOAD_WORD, MINOR, 8);
        }
    }

    /// Rules of one verdict and one kind, which is asked for once.
    fn of_kind(&mut self, run: &[Rule]) {
        let kind = run.first().and_then(|rule| rule.kind).map(|kind| match kind {
            Kind::Block => 1,
            Kind::Character => 2,
        });
        if let ([rule], Some(kind)) = (run, kind)
            && (rule.major, rule.minor) == (None, None)
        {
            return self.last_question(Some((KIND, kind)), rule);
        }
        let end = self.label();
        if let Some(kind) = kind {
            self.jump(JUMP_NOT_EQUAL, KIND, kind, Target::Label(end));
        }
        for majors in run.chunk_by(|a, b| a.major == b.major) {
            self.of_major(majors);
        }
        self.place(end);
    }

    /// Rules of one verdict, kind and major, which is asked for once.
    fn of_major(&mut self, run: &[Rule]) {
        let major = run.first().and_then(|rule| rule.major).map(|major| major as i32);
        if let ([rule], Some(major)) = (run, major)
            && rule.minor.is_none()
        {
            return self.last_question(Some((MAJOR, major)), rule);
        }
        let end = self.label();
        if let Some(major) = major {
            self.jump(JUMP_NOT_EQUAL, MAJOR, major, Target::Label(end));
        }
        for rule in run {
            self.last_question(rule.minor.map(|minor| (MINOR, minor as i32)), rule);
        }
        self.place(end);
    }

    /// If this holds, or without a question, the rule speaks of the device.
    fn last_question(&mut self, question: Option<(u8, i32)>, rule: &Rule) {
        let verdict = if rule.allow { Target::Allow } else { Target::Deny };
        if let (Some((register, value)), Access::ALL) = (question, rule.access) {
            return self.jump(JUMP_EQUAL, register, value, verdict);
        }
        let end = self.label();
        if let Some((register, value)) = question {
            self.jump(JUMP_NOT_EQUAL, register, value, Target::Label(end));
        }
        let letters = i32::from(rule.access.0) << LETTERS;
        if rule.allow {
            // What is allowed is not asked for any more. Nothing left: allowed.
            self.push(AND, WANTED, 0, !letters);
            self.jump(JUMP_LESS, WANTED, NOTHING_WANTED, Target::Allow);
        } else {
            self.jump(JUMP_ANY_BIT, WANTED, letters, Target::Deny);
        }
        self.place(end);
    }

    /// Both verdicts at the end, the one that nothing leads to left out: the kernel refuses code that
    /// is never reached.
    fn finish(mut self, otherwise: Target) -> Vec<Instruction> {
        let other = if otherwise == Target::Allow { Target::Deny } else { Target::Allow };
        let mut verdicts = vec![otherwise];
        if self.jumps.iter().any(|(_, target)| *target == other) {
            verdicts.push(other);
        }
        let mut places = [0; 2];
        for verdict in verdicts {
            let allows = verdict == Target::Allow;
            let [deny, allow] = &mut places;
            *(if allows { allow } else { deny }) = self.instructions.len();
            self.push(MOVE, RESULT, 0, allows.into());
            self.push(EXIT, 0, 0, 0);
        }
        for (at, target) in &self.jumps {
            let place = match target {
                Target::Deny => places[0],
                Target::Allow => places[1],
                Target::Label(label) => self.labels.get(*label).copied().unwrap_or_default(),
            };
            if let Some(instruction) = self.instructions.get_mut(*at) {
                instruction.offset = i16::try_from(place.saturating_sub(at + 1)).unwrap_or(i16::MAX);
            }
        }
        self.instructions
    }
}
