//! The supervisor is replaced by another binary, or comes back; no container notices either.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::common::programs::{orlop, payload};
use crate::common::{Booted, container, world};

/// e_machine of elf(5).
const MACHINE: std::ops::Range<usize> = 18..20;
const EM_AARCH64: [u8; 2] = 183_u16.to_le_bytes();

/// `orlop upgrade-self FILE`, as a person calls it: exit code and both outputs.
fn upgrade(machine: &Booted, file: &Path) -> (Option<i32>, String) {
    let socket = machine.folder.path().join("control.sock");
    let _serving = machine.serve_control(&socket).unwrap();
    let output = Command::new(orlop())
        .arg(format!("--host=unix:{}", socket.display()))
        .arg("upgrade-self")
        .arg(file)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

fn write(machine: &Booted, name: &str, bytes: &[u8]) -> PathBuf {
    let path = machine.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[track_caller]
fn check(machine: &Booted, file: &Path, code: i32, words: &str, before: &Value) {
    let (found, text) = upgrade(machine, file);
    assert!(found == Some(code) && text.contains(words), "{file:?}: {found:?}\n{text}\ninstead of {words}");
    assert_eq!(machine.identity("still"), *before, "after {file:?}");
}

#[test]
fn upgrades_itself_or_comes_back_and_no_container_notices() {
    let machine = world(&container("still", "sleep", "")).boot();
    machine.wait("still", "running");
    let before = machine.identity("still");
    let binary = std::fs::read(orlop()).unwrap();

    check(&machine, &orlop(), 0, "the machine runs orlop", &before);
    machine.supervisor(2);

    // Refused before anything happens.
    let mut foreign = binary.clone();
    foreign[MACHINE].copy_from_slice(&EM_AARCH64);
    let foreign = write(&machine, "foreign", &foreign);
    check(&machine, &foreign, 1, "another architecture", &before);
    let cut = write(&machine, "cut", &binary[..binary.len() / 2]);
    check(&machine, &cut, 1, "truncated", &before);
    let text = write(&machine, "text", b"#!/bin/sh\nexit 0\n");
    check(&machine, &text, 1, "no 64-bit ELF program", &before);
    machine.supervisor(2);

    // `payload supervisor` is no task of it: it ends at once, with 1.
    check(&machine, &payload(), 1, "the old supervisor is back: it exited with code 1", &before);
    machine.supervisor(4);

    let hanging = write(&machine, "hanging", &hanging(&std::fs::read(payload()).unwrap()));
    check(&machine, &hanging, 1, "the old supervisor is back: it did not serve within 10 s", &before);
    machine.supervisor(6);
    machine.power_off();
}

/// The same program with an endless loop where it begins.
fn hanging(program: &[u8]) -> Vec<u8> {
    /// `jmp` to itself.
    const LOOP: [u8; 2] = [0xeb, 0xfe];
    let mut program = program.to_vec();
    let entry = place(&program, number(&program, 24));
    program[entry..entry + LOOP.len()].copy_from_slice(&LOOP);
    program
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Where an address of the program stands in its file, by the program headers.
fn place(program: &[u8], address: u64) -> usize {
    const PT_LOAD: u32 = 1;
    const HEADER: usize = 56;
    let first = usize::try_from(number(program, 32)).unwrap();
    let count = u16::from_le_bytes([program[56], program[57]]);
    let headers = (0..usize::from(count)).map(|header| first + header * HEADER);
    for header in headers {
        let kind = u32::from_le_bytes(program[header..header + 4].try_into().unwrap());
        let (offset, base, size) =
            (number(program, header + 8), number(program, header + 16), number(program, header + 32));
        if kind == PT_LOAD && (base..base + size).contains(&address) {
            return usize::try_from(address - base + offset).unwrap();
        }
    }
    panic!("no part of the program holds {address:#x}");
}

#[test]
fn one_upgrade_at_a_time_takes_memory() {
    let machine = world("").boot();
    let begin = json!({ "size": 5, "sha256": "0".repeat(64) });
    let mut first = machine.connect().unwrap();
    first.send("UpgradeBegin", &begin, false).unwrap();
    let answer = machine.receive(&mut first).unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    let error = machine.call("UpgradeBegin", begin.clone()).unwrap_err().to_string();
    assert!(error.contains("upgrades"), "{error}");
    // Whoever has begun may begin again, and whoever leaves makes room.
    first.send("UpgradeBegin", &begin, false).unwrap();
    let answer = machine.receive(&mut first).unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    drop(first);
    assert!((0..100).any(|_| machine.call("UpgradeBegin", begin.clone()).is_ok()));
    machine.power_off();
}
