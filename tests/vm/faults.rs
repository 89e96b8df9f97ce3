//! System calls of Orlop fail, one at a time, wherever it makes them: what is wanted is so afterwards, and nothing is
//! left. How they are made to: `docs/decisions/faults-from-outside.md`.

use orlop_vm::End;

use crate::common::{Booted, container, count, world};

const QUICK: &str = r#"stop_grace_period = "2s"
restart = "always"
restart_policy = { delay = "50ms", max_delay = "50ms" }"#;
/// As `tests/payload/src/faults/driver.rs` has them.
const ERRNOS: [&str; 6] = ["EAGAIN", "ENOMEM", "EMFILE", "ENOSPC", "EIO", "EINTR"];
/// Machines that boot and end, in `make test`.
const BOOTS: u64 = 4;
/// Calls of PID 1 that fail in one boot: far enough from each other that each is a single fault.
const BETWEEN: u64 = 23;

/// Injections of each errno into each kind of process in each phase.
fn most() -> u64 {
    count(1)
}

fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

fn machine(errands: &[String]) -> Booted {
    let toml = format!("[host]\npoweroff_timeout = \"10s\"\n{}", container("web", "sleep", QUICK));
    // All sweeps are one wait, and who dies again and again comes back later and later.
    let longer = u32::try_from(most().clamp(1, 1000) * 4).unwrap_or(1);
    world(&toml).options(|it| it.deadline = it.deadline.saturating_mul(longer)).faults(errands).boot()
}

/// What the injector says on the console.
fn said(machine: &Booted) -> Vec<String> {
    let console = machine.console();
    console.lines().filter_map(|line| line.trim_end().strip_prefix("witness: ")).map(str::to_owned).collect()
}

#[track_caller]
fn check_well(machine: &Booted, errands: &[String]) {
    let said = said(machine);
    let is_wrong = |line: &&String| line.starts_with("fault") || line.starts_with("failed");
    let wrong: Vec<&String> = said.iter().filter(is_wrong).collect();
    assert!(wrong.is_empty(), "{errands:?}\n{wrong:#?}\n{}", machine.console());
    // A start that failed says at what, and of which thing.
    for line in machine.console().lines() {
        let Some((_, why)) = line.split_once("could not be started: ") else { continue };
        let (what, _) = why.split_once(": ").unwrap_or_default();
        assert!(what.trim_end() == what && !what.is_empty(), "{line}");
    }
}

/// Sweeps these kinds of processes in these phases: calls of each are hit, and all is well after each.
#[track_caller]
fn check(phases: &[(&str, &[&str])]) {
    let sweep = |phase: &str, kind: &str| format!("sweep {phase} {kind} {} {}", most(), seed() % 1000);
    let errands: Vec<String> =
        phases.iter().flat_map(|(phase, kinds)| kinds.iter().map(move |kind| sweep(phase, kind))).collect();
    let machine = machine(&errands);
    machine.wait_for_console("witness: done").unwrap_or_else(|error| panic!("{error}"));
    check_well(&machine, &errands);
    let said = said(&machine);
    for errand in errands {
        let of = errand.split(' ').skip(1).take(2).collect::<Vec<_>>().join(" ");
        let swept = said.iter().find_map(|line| line.strip_prefix(&format!("swept {of}: ")));
        let swept = swept.unwrap_or_else(|| panic!("{of} is not swept"));
        assert!(!swept.starts_with("0 of"), "{of}: {swept}");
    }
    machine.power_off();
}

#[test]
fn containers_start_and_stop_though_calls_fail() {
    check(&[
        ("start", &["supervisor", "supervisor-child", "init", "log"]),
        ("stop", &["supervisor", "init", "log"]),
    ]);
}

#[test]
fn what_is_replaced_is_replaced_though_calls_fail() {
    let (reload, serve) = (["supervisor", "supervisor-child", "init"], ["supervisor", "init", "init-child"]);
    // A logger that is killed again and again comes back later and later.
    let log: &[&str] = if most() > 1 { &["log", "supervisor"] } else { &[] };
    check(&[("reload", &reload), ("serve", &serve), ("log", log)]);
}

#[test]
fn machines_boot_and_end_though_calls_fail() {
    for number in 0..count(BOOTS) {
        check_boot(seed().wrapping_add(number));
    }
}

/// A boot, and the end of the machine: calls of one kind of process fail in each of them.
#[track_caller]
fn check_boot(number: u64) {
    let errno = |number: u64| ERRNOS[(number % 6) as usize];
    // A supervisor makes a few hundred calls, and none that serves is followed by one that has to begin again.
    let (kind, apart) = if number.is_multiple_of(2) { ("init", BETWEEN) } else { ("supervisor", 0) };
    let first = if apart == 0 { number * 61 % 300 + 1 } else { number % apart + 1 };
    let errands = [
        format!("boot {kind} {} {first} {apart}", errno(number)),
        format!("shutdown {kind} {} {} {apart}", errno(number + 3), number % 19 + 1),
    ];
    let machine = machine(&errands);
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{errands:?}: {error}"));
    assert_eq!(end, End::PoweredOff, "{errands:?}\n{}", machine.console());
    let console = machine.console();
    let booted = console.lines().find(|line| line.contains("booted: ")).unwrap_or_default();
    assert!(booted.contains("failed Some"), "{errands:?}: {booted}");
    check_well(&machine, &errands);
}
