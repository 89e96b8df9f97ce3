//! What `orlop-vm run` promises to the person who typed it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use orlop_vm::Built;

use crate::guest;

fn orlop_vm() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orlop-vm"));
    // The trial of KVM has a test of its own.
    command.env("ORLOP_VM_ACCELERATOR", "emulated");
    command
}

/// Runs the machine, and returns once this stands on its console.
#[expect(clippy::disallowed_methods, reason = "a test on the host; it waits for its child")]
fn run_until(built: &Built, text: &'static str) -> Child {
    let mut command = orlop_vm();
    command.arg("run").arg(&built.options().directory).args(["--kernel-words", "loglevel=7"]);
    let scratch = built.file("scratch");
    std::fs::create_dir(&scratch).unwrap();
    command.env("TMPDIR", scratch);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (tell, told) = mpsc::channel();
    // It reads on after the text, so that the console does not stall.
    let read = move || {
        lines.filter(|line| line.as_ref().unwrap().contains(text)).for_each(|_| {
            // Only the first is waited for.
            let _ = tell.send(());
        })
    };
    std::thread::Builder::new().spawn(read).unwrap();
    if told.recv_timeout(built.options().deadline).is_err() {
        child.kill().unwrap();
        panic!("`{text}` is not on the console: {}", stderr(&child.wait_with_output().unwrap()));
    }
    child
}

fn send(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn ends_the_machine_in_order_on_sigterm_and_says_so() {
    let built = guest::build();
    let child = run_until(&built, "guest: up");
    send(&child, Signal::SIGTERM);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("asked the machine to power off"), "{}", stderr(&output));
    assert!(stderr(&output).ends_with("orlop-vm: the machine powered itself off\n"), "{}", stderr(&output));
    assert_eq!(std::fs::read_dir(built.file("scratch")).unwrap().count(), 0, "it leaves files behind");
}

#[test]
fn a_second_ctrl_c_cuts_the_power() {
    let built = guest::build();
    // The kernel's greeting: nobody there listens to a power button yet.
    let child = run_until(&built, "Linux version");
    let start = Instant::now();
    send(&child, Signal::SIGINT);
    // The same signal twice at once, as `timeout` sends it, is one signal.
    send(&child, Signal::SIGINT);
    let pid = child.id();
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().spawn(move || tell.send(child.wait_with_output().unwrap()).unwrap()).unwrap();
    // Again and again, until one comes late enough to count.
    let output = loop {
        match told.recv_timeout(Duration::from_millis(200)) {
            Ok(output) => break output,
            Err(_) => kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGINT).unwrap(),
        }
    };
    assert!(start.elapsed() >= Duration::from_millis(500), "{}", stderr(&output));
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).ends_with("orlop-vm: QEMU was killed by signal 9\n"), "{}", stderr(&output));
}

#[test]
fn qemu_does_not_outlive_it() {
    let built = guest::build();
    let child = run_until(&built, "guest: up");
    let kernel = built.options().directory.join("vmlinuz").display().to_string();
    assert_eq!(running(&kernel), 1);
    send(&child, Signal::SIGKILL);
    child.wait_with_output().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while running(&kernel) > 0 {
        assert!(Instant::now() < deadline, "QEMU is still there");
        std::thread::yield_now();
    }
}

/// Processes with this argument; this test's folder is in nobody else's.
fn running(argument: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())).count()
}

#[test]
fn names_the_package_when_there_is_no_qemu() {
    let built = guest::build();
    let output =
        orlop_vm().arg("run").arg(&built.options().directory).env("PATH", "/nonexistent").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let expected =
        "orlop-vm: qemu-system-x86_64 is not installed. On Debian: apt-get install qemu-system-x86\n";
    assert_eq!(stderr(&output), expected);
}
