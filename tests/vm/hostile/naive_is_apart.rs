//! What is done naively for tests is in no binary that boots a machine.

use crate::common::programs;

/// Only the naive steps look for it.
const WORD: &[u8] = b"ORLOP_NAIVE";

fn has(program: &std::path::Path) -> bool {
    std::fs::read(program).unwrap().windows(WORD.len()).any(|bytes| bytes == WORD)
}

#[test]
fn a_binary_that_boots_machines_does_nothing_naively() {
    assert!(has(&programs::naive()), "or there is nothing to look for");
    assert!(!has(&programs::orlop()));
}
