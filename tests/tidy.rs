//! The habits that no compiler keeps: who imports whom, how large things get, what must not appear.
//!
//! The rules are in `tidy/rules.rs`, each a function of a file; here they meet the repository.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]

#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/source.rs"]
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is built or cached, not written.
const NOT_OURS: &[&str] =
    &["target", "build", ".git", "fuzz/target", "fuzz/corpus", "fuzz/artifacts", "config/demo/images"];

/// Paths relative to the root, of all files that end in `extension`.
fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap();
            if NOT_OURS.iter().any(|theirs| name == Path::new(theirs)) {
                continue;
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == extension) {
                found.push(name.to_path_buf());
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let read = |name: PathBuf| {
        let text = fs::read_to_string(root().join(&name)).unwrap();
        Source::new(name.to_str().unwrap(), &text)
    };
    files("rs").into_iter().map(read).collect()
}

/// Fails with every complaint of `rule`, not with the first.
fn keep(rule: fn(&Source) -> Vec<String>) {
    let complaints: Vec<String> = sources().iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn rooms_import_only_what_they_may() {
    keep(rules::imports);
}

#[test]
fn the_library_has_no_std() {
    keep(rules::no_std);
}

#[test]
fn unsafe_stays_behind_one_door() {
    keep(rules::no_unsafe);
}

#[test]
fn nobody_falls_into_what_is_known() {
    keep(rules::no_traps);
}

#[test]
fn every_file_says_what_it_is() {
    keep(rules::says_what_it_is);
}

#[test]
fn nothing_is_left_for_later() {
    keep(rules::nothing_left);
}

#[test]
fn functions_fit_on_a_page() {
    keep(rules::short_functions);
}

#[test]
fn files_stay_small_and_large_ones_only_shrink() {
    let ratchet = fs::read_to_string(root().join("tests/tidy/large-files.txt")).unwrap();
    let complaints = rules::sizes(&sources(), &ratchet);
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn pid_1_stays_too_small_to_fail() {
    let lines: usize = sources()
        .iter()
        .filter(|source| source.room() == Some("init") && !source.is_test())
        .map(Source::lines_without_tests)
        .sum();
    assert!(lines <= 600, "src/init has {lines} lines, and may have 600");
}

#[test]
fn documents_point_at_files_that_exist() {
    let top: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let mut complaints = Vec::new();
    for document in files("md") {
        let text = fs::read_to_string(root().join(&document)).unwrap();
        for path in rules::named_paths(&text, &top) {
            let beside = root().join(&document).with_file_name(&path);
            if !root().join(&path).exists() && !beside.exists() {
                complaints.push(format!("{}: there is no {path}", document.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn every_dependency_has_its_line() {
    let document = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let mut missing = Vec::new();
    for manifest in files("toml").iter().filter(|path| path.ends_with("Cargo.toml")) {
        let text = fs::read_to_string(root().join(manifest)).unwrap();
        let unnamed = |name: &String| !document.contains(&format!("`{name}`"));
        let names = rules::dependencies(&text).into_iter().filter(unnamed);
        missing.extend(names.map(|name| format!("{}: {name}", manifest.display())));
    }
    assert!(missing.is_empty(), "not in docs/dependencies.md:\n{}\n", missing.join("\n"));
}
