//! The smallest filter with the same verdicts as another: the tree over the calls' numbers is found anew, of all
//! trees of comparisons the one that costs least; what follows a number (verdicts, looks at arguments) stays as
//! it is, for each of its conditions needs what it has.
//!
//! Two trees are the least in two ways: by their length, which is what the kernel checks and compiles, and by
//! the steps to all numbers, which it walks to learn what is always allowed.

use std::collections::HashMap;

use orlop::container::seccomp::Instruction;

/// linux/bpf_common.h.
const LOAD: u16 = 0x20;
const RETURN: u16 = 0x06;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// Beyond all numbers of an architecture; x32's begin above.
const NUMBERS: u32 = 1024;
/// So many the kernel asks about when it is given a filter (`NR_syscalls`).
const ASKED: u32 = 467;
const X32: u32 = 0x4000_0000;

/// What is to be least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Least {
    Instructions,
    Steps,
}

/// Numbers that lead to the same place, from the first on.
struct Range {
    first: u32,
    leaf: usize,
    /// Of numbers that the kernel asks about.
    weight: u64,
}

/// The program anew, for one architecture. `None`: it is not of the form that ours have.
pub(crate) fn smallest(program: &[Instruction], least: Least) -> Option<Vec<Instruction>> {
    let [architecture, choice, number, ..] = program else { return None };
    let is_ours = (architecture.code, architecture.value) == (LOAD, ARCHITECTURE)
        && choice.code == JUMP_EQUAL
        && (number.code, number.value) == (LOAD, NUMBER);
    if !is_ours || choice.jump_true != 0 {
        return None;
    }
    let foreign = 2 + usize::from(choice.jump_false);
    let mut ranges: Vec<Range> = Vec::new();
    for number in (0..NUMBERS).chain([X32]) {
        let leaf = same(program, leaf(program, number)?);
        match ranges.last_mut() {
            Some(last) if last.leaf == leaf => last.weight += u64::from(number < ASKED),
            _ => ranges.push(Range { first: number, leaf, weight: u64::from(number < ASKED) }),
        }
    }
    let mut search = Search { ranges: &ranges, least, known: HashMap::new() };
    search.best(0, ranges.len());
    let mut out = Emitter { program, reversed: Vec::new(), placed: HashMap::new() };
    let foreign = out.place(foreign)?;
    let root = search.emit(0, ranges.len(), &mut out)?;
    out.follow(root)?;
    out.push(LOAD, NUMBER, 0, 0);
    let otherwise = out.distance(foreign)?;
    out.push(JUMP_EQUAL, choice.value, 0, otherwise);
    out.push(LOAD, ARCHITECTURE, 0, 0);
    out.reversed.reverse();
    Some(out.reversed)
}

/// Where the tree ends for a number.
fn leaf(program: &[Instruction], number: u32) -> Option<usize> {
    let mut at = 3;
    loop {
        let it = program.get(at)?;
        let yes = match it.code {
            JUMP_EQUAL => number == it.value,
            JUMP_GREATER_OR_EQUAL => number >= it.value,
            JUMP => {
                at += 1 + it.value as usize;
                continue;
            }
            _ => return Some(at),
        };
        at += 1 + usize::from(if yes { it.jump_true } else { it.jump_false });
    }
}

/// The first of all that return the same.
fn same(program: &[Instruction], leaf: usize) -> usize {
    let Some(it) = program.get(leaf).filter(|it| it.code == RETURN) else { return leaf };
    program.iter().position(|other| other == it).unwrap_or(leaf)
}

#[derive(Clone, Copy)]
enum Choice {
    Leaf,
    /// Below and from this range on.
    Split(usize),
    /// One comparison for equality after the other, for all but those that are as this one.
    Chain(usize),
}

/// Over neighbouring ranges: what a tree of them costs, and how it begins.
struct Search<'a> {
    ranges: &'a [Range],
    least: Least,
    known: HashMap<(usize, usize), (u64, Choice)>,
}

impl Search<'_> {
    fn leaf(&self, index: usize) -> Option<usize> {
        self.ranges.get(index).map(|range| range.leaf)
    }

    fn weight(&self, from: usize, to: usize) -> u64 {
        self.ranges.iter().take(to).skip(from).map(|range| range.weight).sum()
    }

    /// A comparison, for as many numbers as come by it.
    fn step(&self, from: usize, to: usize) -> u64 {
        match self.least {
            Least::Instructions => 1,
            Least::Steps => self.weight(from, to),
        }
    }

    fn best(&mut self, from: usize, to: usize) -> u64 {
        if to - from == 1 || self.alike(from, to) {
            self.known.insert((from, to), (0, Choice::Leaf));
            return 0;
        }
        if let Some((cost, _)) = self.known.get(&(from, to)) {
            return *cost;
        }
        let step = self.step(from, to);
        let mut best = (u64::MAX, Choice::Leaf);
        for at in from + 1..to {
            let cost = step + self.best(from, at) + self.best(at, to);
            if cost < best.0 {
                best = (cost, Choice::Split(at));
            }
        }
        for otherwise in [from, from + 1] {
            let picked = self.picked(from, to, otherwise);
            let cost = picked.len() as u64 * step;
            if picked.iter().all(|at| self.is_one(*at)) && cost < best.0 {
                best = (cost, Choice::Chain(otherwise));
            }
        }
        self.known.insert((from, to), best);
        best.0
    }

    fn alike(&self, from: usize, to: usize) -> bool {
        (from..to).all(|at| self.leaf(at) == self.leaf(from))
    }

    /// Those that lead elsewhere.
    fn picked(&self, from: usize, to: usize, otherwise: usize) -> Vec<usize> {
        (from..to).filter(|at| self.leaf(*at) != self.leaf(otherwise)).collect()
    }

    fn is_one(&self, at: usize) -> bool {
        let first = |at: usize| self.ranges.get(at).map(|range| range.first);
        first(at).zip(first(at + 1)).is_some_and(|(one, next)| next - one == 1)
    }

    fn emit(&self, from: usize, to: usize, out: &mut Emitter<'_>) -> Option<usize> {
        let (_, choice) = self.known.get(&(from, to))?;
        let first = |at: usize| self.ranges.get(at).map(|range| range.first);
        match *choice {
            Choice::Leaf => out.place(self.leaf(from)?),
            Choice::Split(at) => {
                let above = self.emit(at, to, out)?;
                let below = self.emit(from, at, out)?;
                out.branch(JUMP_GREATER_OR_EQUAL, first(at)?, above, below)
            }
            Choice::Chain(otherwise) => {
                let mut next = out.place(self.leaf(otherwise)?)?;
                for at in self.picked(from, to, otherwise) {
                    let one = out.place(self.leaf(at)?)?;
                    next = out.branch(JUMP_EQUAL, first(at)?, one, next)?;
                }
                Some(next)
            }
        }
    }
}

/// Writes from the end to the beginning; places are counted from the end.
struct Emitter<'a> {
    program: &'a [Instruction],
    reversed: Vec<Instruction>,
    placed: HashMap<usize, usize>,
}

impl Emitter<'_> {
    fn push(&mut self, code: u16, value: u32, jump_true: u8, jump_false: u8) -> usize {
        self.reversed.push(Instruction { code, jump_true, jump_false, value });
        self.reversed.len() - 1
    }

    fn distance(&self, to: usize) -> Option<u8> {
        u8::try_from(self.reversed.len() - to - 1).ok()
    }

    fn branch(&mut self, code: u16, value: u32, yes: usize, no: usize) -> Option<usize> {
        let (yes, no) = (self.distance(yes)?, self.distance(no)?);
        Some(self.push(code, value, yes, no))
    }

    /// What comes next is at `to`.
    fn follow(&mut self, to: usize) -> Option<()> {
        match self.distance(to)? {
            0 => {}
            far => drop(self.push(JUMP, far.into(), 0, 0)),
        }
        Some(())
    }

    /// What stands at this place of the program, with all that it leads to, once.
    fn place(&mut self, at: usize) -> Option<usize> {
        let at = same(self.program, at);
        if let Some(placed) = self.placed.get(&at) {
            return Some(*placed);
        }
        let it = *self.program.get(at)?;
        let placed = match it.code {
            RETURN => self.push(RETURN, it.value, 0, 0),
            JUMP => self.place(at + 1 + it.value as usize)?,
            code if code & 7 == 5 => {
                let yes = self.place(at + 1 + usize::from(it.jump_true))?;
                let no = self.place(at + 1 + usize::from(it.jump_false))?;
                self.branch(code, it.value, yes, no)?
            }
            code => {
                let next = self.place(at + 1)?;
                self.follow(next)?;
                self.push(code, it.value, 0, 0)
            }
        };
        self.placed.insert(at, placed);
        Some(placed)
    }
}
