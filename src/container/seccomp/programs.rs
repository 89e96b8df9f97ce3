//! Filters that were compiled before: most containers have the same one.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Instruction, Refused, Seccomp, allowed, compile};

/// More than one profile, or set of capabilities, is rare; the oldest gives way.
const KEPT: usize = 4;

/// What came of the last few filters, and the default of a set of capabilities.
#[derive(Debug, Default)]
pub struct Programs {
    known: Vec<(Arc<Seccomp>, Arc<[Instruction]>)>,
    default: Option<(u64, Arc<Seccomp>)>,
    forgets: bool,
}

impl Programs {
    /// For who plans once: nothing is kept.
    #[must_use]
    pub fn once() -> Self {
        Self { forgets: true, ..Self::default() }
    }

    /// As [`allowed()`].
    pub fn allowed(&mut self, capabilities: u64) -> Arc<Seccomp> {
        match &self.default {
            Some((known, filter)) if *known == capabilities => Arc::clone(filter),
            _ => {
                let filter = Arc::new(allowed(capabilities));
                self.default = Some((capabilities, Arc::clone(&filter)));
                filter
            }
        }
    }

    /// As [`compile()`].
    ///
    /// # Errors
    /// [`Refused`].
    pub fn of(&mut self, filter: &Arc<Seccomp>) -> Result<Arc<[Instruction]>, Refused> {
        // Two of the same place are not compared word by word.
        if let Some((_, program)) = self.known.iter().find(|(known, _)| known == filter) {
            return Ok(Arc::clone(program));
        }
        let program: Arc<[Instruction]> = compile(filter)?.into();
        if self.forgets {
            return Ok(program);
        }
        if self.known.len() == KEPT {
            self.known.remove(0);
        }
        self.known.push((Arc::clone(filter), Arc::clone(&program)));
        Ok(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_always_that_of_its_filter() {
        let mut programs = Programs::default();
        for capabilities in [0, 1 << 21, 0, 1 << 16, 1 << 39, 1 << 25, 0, 1 << 21] {
            let filter = Arc::new(allowed(capabilities));
            assert_eq!(programs.allowed(capabilities), filter);
            assert_eq!(programs.of(&filter), compile(&filter).map(Arc::from));
            assert!(programs.known.len() <= KEPT);
        }
    }
}
