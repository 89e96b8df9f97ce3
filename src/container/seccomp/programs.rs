//! Filters that were compiled before: most containers have the same one.

use alloc::vec::Vec;

use super::{Instruction, Refused, Seccomp, allowed, compile};

/// More than one profile, or set of capabilities, is rare; the oldest gives way.
const KEPT: usize = 4;

/// What came of the last few filters, and the default of a set of capabilities.
#[derive(Debug, Default)]
pub struct Programs(Vec<(Seccomp, Vec<Instruction>)>, Option<(u64, Seccomp)>);

impl Programs {
    /// As [`allowed()`].
    pub fn allowed(&mut self, capabilities: u64) -> Seccomp {
        match &self.1 {
            Some((known, filter)) if *known == capabilities => filter.clone(),
            _ => {
                let filter = allowed(capabilities);
                self.1 = Some((capabilities, filter.clone()));
                filter
            }
        }
    }

    /// As [`compile()`].
    ///
    /// # Errors
    /// [`Refused`].
    pub fn of(&mut self, filter: &Seccomp) -> Result<Vec<Instruction>, Refused> {
        if let Some((_, program)) = self.0.iter().find(|(known, _)| known == filter) {
            return Ok(program.clone());
        }
        let program = compile(filter)?;
        if self.0.len() == KEPT {
            self.0.remove(0);
        }
        self.0.push((filter.clone(), program.clone()));
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
            let filter = allowed(capabilities);
            assert_eq!(programs.allowed(capabilities), filter);
            assert_eq!(programs.of(&filter), compile(&filter));
            assert!(programs.0.len() <= KEPT);
        }
    }
}
