//! Each rule broken once, and what it says then.

use super::*;

fn check(rule: fn(&Source) -> Vec<String>, path: &str, text: &str, expected: &[&str]) {
    assert_eq!(rule(&Source::new(path, text)), expected, "{text}");
}

#[test]
fn an_import_across_the_wall_is_named_with_its_line() {
    let check = |path, text, expected| check(imports, path, text, expected);
    check("src/network/plan.rs", "use crate::config::Cidr;\nuse super::Change;", &[]);
    check(
        "src/network/plan.rs",
        "\nuse crate::image::Digest;",
        &["src/network/plan.rs:2: `network` may not import `crate::image`"],
    );
    check(
        "src/network/plan.rs",
        "use crate::{config::Cidr, network::{Found, image}, supervisor::State};",
        &["src/network/plan.rs:1: `network` may not import `crate::supervisor`"],
    );
    check(
        "src/network/mod.rs",
        "use super::image::Digest;",
        &["src/network/mod.rs:1: `network` may not import `super::image`"],
    );
    check(
        "src/network/plan.rs",
        "fn f() -> super::super::image::Digest {}",
        &["src/network/plan.rs:1: `network` may not import `super::super::image`"],
    );
    check("src/agent/network.rs", "use orlop::network::plan;\nuse crate::linux::netlink;", &[]);
    check(
        "src/agent/network.rs",
        "use crate::cli::Table;",
        &["src/agent/network.rs:1: `agent` may not import `crate::cli`"],
    );
    check(
        "src/init/mod.rs",
        "use orlop::{ledger::Frame, config::Config};",
        &["src/init/mod.rs:1: `init` may not import `orlop::config`"],
    );
    check(
        "src/linux/mount.rs",
        "use orlop::container::Step; // crate::agent",
        &["src/linux/mount.rs:1: `linux` may not import `orlop::container`"],
    );
    check("src/supervisor/tests/world.rs", "use crate::simulation::Machine;", &[]);
    check(
        "src/supervisor/act.rs",
        "use crate::simulation::Machine;",
        &["src/supervisor/act.rs:1: `supervisor` may not import `crate::simulation`"],
    );
    check("src/attic/mod.rs", "", &["src/attic/mod.rs: a room without a line in tests/tidy/rules.rs"]);
    check("src/main.rs", "use crate::agent;", &[]);
}

#[test]
fn std_in_the_library_is_named_unless_it_is_in_a_test() {
    let check = |path, text, expected| check(no_std, path, text, expected);
    check("src/image/mod.rs", "use core::fmt; // std::fmt", &[]);
    check("src/image/mod.rs", "use std::fmt;", &["src/image/mod.rs:1: the library has no std"]);
    check("src/image/mod.rs", "#[cfg(test)]\nmod tests { use std::fs; }", &[]);
    check("src/image/tar_tests.rs", "use std::fs;", &[]);
    check("src/agent/mod.rs", "use std::fs;", &[]);
}

#[test]
fn unsafe_outside_linux_is_named() {
    let check = |path, text, expected| check(no_unsafe, path, text, expected);
    check("src/lib.rs", "#![forbid(unsafe_code)] // unsafe", &[]);
    check("src/linux/mount.rs", "unsafe {}", &[]);
    check("tests/payload/src/main.rs", "unsafe {}", &[]);
    check("src/agent/mod.rs", "unsafe {}", &["src/agent/mod.rs:1: unsafe belongs in src/linux"]);
    check("qemu/src/lib.rs", "\nunsafe {}", &["qemu/src/lib.rs:2: unsafe belongs in src/linux"]);
}

#[test]
fn a_file_that_does_not_say_what_it_is_is_named() {
    check(says_what_it_is, "a.rs", "//! What.\nfn a() {}", &[]);
    check(says_what_it_is, "a.rs", "fn a() {}", &["a.rs: starts without a `//!` line"]);
}

#[test]
fn what_is_left_for_later_is_named() {
    let check = |text: &str, expected| check(nothing_left, "a.rs", text, expected);
    check("fn a() { ignore(\"x!\") }\n// todo! in a comment", &[]);
    check("fn a() {\n    todo!()\n}", &["a.rs:2: todo"]);
    check("dbg!(1);", &["a.rs:1: dbg"]);
    check("#[test]\n#[ignore = \"slow\"]", &["a.rs:2: ignore"]);
    check(concat!("// TO", "DO: later"), &[concat!("a.rs:1: TO", "DO")]);
}

#[test]
fn a_function_longer_than_a_page_is_named() {
    let function = |lines: usize| format!("\nfn long(a: [u8; 2]) {{\n{}}}\n", "\n".repeat(lines));
    check(short_functions, "src/a/b.rs", &function(68), &[]);
    let complaint = "src/a/b.rs:2: `long` has 71 lines, and may have 70";
    check(short_functions, "src/a/b.rs", &function(69), &[complaint]);
    check(short_functions, "src/a/b_tests.rs", &function(69), &[]);
    let callback = format!("type F = fn(u8);\ntrait A {{ fn b();\n{}}}", "\n".repeat(80));
    check(short_functions, "src/a/b.rs", &callback, &[]);
}

#[test]
fn large_files_may_only_shrink() {
    let check = |lines, ratchet: &str, expected: &[&str]| {
        let files = [Source::new("a.rs", &"\n".repeat(lines))];
        assert_eq!(sizes(&files, ratchet), expected, "{lines} {ratchet}");
    };
    check(400, "", &[]);
    check(401, "", &["a.rs: 401 lines, and may have 400: split it"]);
    check(450, "# why\n450 a.rs", &[]);
    check(451, "450 a.rs", &["a.rs: 451 lines, and may have 450: split it"]);
    check(449, "450 a.rs", &["a.rs: 449 lines: lower its entry in large-files.txt"]);
    check(601, "601 a.rs", &["a.rs: 601 lines, and may have 600: split it"]);
    check(1, "500 b.rs", &["b.rs: is gone: take its entry out of large-files.txt"]);
    let tests = |lines| sizes(&[Source::new("a_tests.rs", &"\n".repeat(lines))], "");
    assert_eq!(tests(600), [""; 0]);
    assert_eq!(tests(601), ["a_tests.rs: 601 lines, and may have 600: split it"]);
}

#[test]
fn only_what_looks_like_a_file_of_ours_is_one() {
    let top = ["src".into(), "docs".into(), "deny.toml".into(), "Makefile".into()];
    let check = |text: &str, expected: &[&str]| {
        assert_eq!(named_paths(text, &top), expected, "{text}");
    };
    check("see `src/network/plan.rs`, `deny.toml`", &["src/network/plan.rs", "deny.toml"]);
    check("`/run/orlop`, `net/ipv4`, `src`, `orlop ps`, `src/*.rs`", &[]);
    check("[a](docs/a.md#part) [b](https://example.org/x) [c](#here) [d](b.md)", &["docs/a.md", "b.md"]);
}

#[test]
fn dependencies_are_read_from_all_tables() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nnix = \"1\"\nserde.workspace = true\n# no\n\n\
                    [target.'cfg(unix)'.dev-dependencies]\nproptest={ version = \"1\" }\n[lints]\nworkspace = true";
    assert_eq!(dependencies(manifest), ["nix", "serde", "proptest"]);
}
