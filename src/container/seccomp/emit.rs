//! Writes classic BPF from its end to its beginning, so that the target of every jump is known.
//!
//! Jumps go forward only, and at most 255 instructions far; farther ones take a step between.

use alloc::vec::Vec;

use super::Operator;

/// `struct sock_filter`, linux/filter.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    pub code: u16,
    pub jump_true: u8,
    pub jump_false: u8,
    pub value: u32,
}

/// Load a word of `struct seccomp_data`; and with, return, and the jumps: linux/bpf_common.h.
pub(super) const LOAD: u16 = 0x20;
pub(super) const AND: u16 = 0x54;
pub(super) const RETURN: u16 = 0x06;
pub(super) const JUMP: u16 = 0x05;
pub(super) const JUMP_EQUAL: u16 = 0x15;
pub(super) const JUMP_GREATER: u16 = 0x25;
pub(super) const JUMP_GREATER_OR_EQUAL: u16 = 0x35;

/// Offsets in `struct seccomp_data`, linux/seccomp.h.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// A place in the program, counted from its end.
pub(super) type Place = usize;

/// The program so far, its last instruction first.
#[derive(Default)]
pub(super) struct Emitter {
    reversed: Vec<Instruction>,
}

impl Emitter {
    pub(super) fn len(&self) -> usize {
        self.reversed.len()
    }

    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.reversed.reverse();
        self.reversed
    }

    fn push(&mut self, code: u16, value: u32, jump_true: u8, jump_false: u8) -> Place {
        self.reversed.push(Instruction { code, jump_true, jump_false, value });
        self.reversed.len() - 1
    }

    /// Returns this verdict: an instruction that is there already, when one is.
    pub(super) fn verdict(&mut self, value: u32) -> Place {
        let same = |it: &Instruction| it.code == RETURN && it.value == value;
        // One that is farther away would need a step on the way: no shorter than another of it.
        let near = self.reversed.len().saturating_sub(usize::from(u8::MAX));
        let there = self.reversed.iter().skip(near).rposition(same).map(|place| near + place);
        there.unwrap_or_else(|| self.push(RETURN, value, 0, 0))
    }

    /// How many instructions the next one would have to skip.
    fn distance(&self, to: Place) -> usize {
        self.reversed.len() - to - 1
    }

    /// `to`, or a step on the way there that a jump can reach, also behind one more instruction.
    fn within_reach(&mut self, to: Place) -> Place {
        const FARTHEST: usize = u8::MAX as usize - 1;
        match self.reversed.get(to) {
            _ if self.distance(to) <= FARTHEST => to,
            Some(Instruction { code: RETURN, value, .. }) => self.push(RETURN, *value, 0, 0),
            _ => self.jump(to),
        }
    }

    fn jump(&mut self, to: Place) -> Place {
        let distance = self.distance(to) as u32;
        self.push(JUMP, distance, 0, 0)
    }

    /// Compares what is loaded with `value`, and goes on at one of two places.
    pub(super) fn branch(&mut self, code: u16, value: u32, yes: Place, no: Place) -> Place {
        let yes = self.within_reach(yes);
        let no = self.within_reach(no);
        let (yes, no) = (self.distance(yes) as u8, self.distance(no) as u8);
        self.push(code, value, yes, no)
    }

    /// Loads the call's number and goes on at `then`.
    pub(super) fn load_number(&mut self, then: Place) -> Place {
        self.load(NUMBER, then)
    }

    /// Loads the architecture's audit value and goes on at `then`.
    pub(super) fn load_architecture(&mut self, then: Place) -> Place {
        self.load(ARCHITECTURE, then)
    }

    /// What follows a load is the next instruction.
    fn load(&mut self, offset: u32, then: Place) -> Place {
        if self.distance(then) != 0 {
            self.jump(then);
        }
        self.push(LOAD, offset, 0, 0)
    }

    /// Looks at one 64-bit argument, half by half.
    pub(super) fn condition(
        &mut self,
        (index, operator): (u32, Operator),
        value: u64,
        value_two: u64,
        yes: Place,
        no: Place,
    ) -> Place {
        let low = ARGUMENTS + 8 * index;
        match operator {
            Operator::Equal => self.equal(low, u64::MAX, value, yes, no),
            Operator::NotEqual => self.equal(low, u64::MAX, value, no, yes),
            Operator::MaskedEqual => self.equal(low, value, value_two, yes, no),
            Operator::Greater => self.greater(low, JUMP_GREATER, value, yes, no),
            Operator::LessOrEqual => self.greater(low, JUMP_GREATER, value, no, yes),
            Operator::GreaterOrEqual => self.greater(low, JUMP_GREATER_OR_EQUAL, value, yes, no),
            Operator::Less => self.greater(low, JUMP_GREATER_OR_EQUAL, value, no, yes),
        }
    }

    fn equal(&mut self, low: u32, mask: u64, value: u64, yes: Place, no: Place) -> Place {
        let mut then = yes;
        for (offset, mask, value) in [(low, mask as u32, value as u32), (low + 4, high(mask), high(value))] {
            // Nothing to look at, and nothing that could differ.
            if mask == 0 && value == 0 {
                continue;
            }
            then = self.branch(JUMP_EQUAL, value, then, no);
            if mask != u32::MAX {
                then = self.push(AND, mask, 0, 0);
            }
            then = self.load(offset, then);
        }
        then
    }

    fn greater(&mut self, low: u32, last: u16, value: u64, yes: Place, no: Place) -> Place {
        let decides = self.branch(last, value as u32, yes, no);
        let low_half = self.load(low, decides);
        let same = self.branch(JUMP_EQUAL, high(value), low_half, no);
        let more = self.branch(JUMP_GREATER, high(value), yes, same);
        self.load(low + 4, more)
    }
}

fn high(value: u64) -> u32 {
    (value >> 32) as u32
}
