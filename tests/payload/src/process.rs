//! Living, dying, making children, taking memory and time.

use std::hint::black_box;
use std::io::Write;

use crate::system::{self, Fork, fork, pause_for_ever};

pub(crate) fn sleep() -> Result<(), String> {
    system::end_on_term()?;
    println!("sleeping");
    pause_for_ever()
}

/// Somebody else makes it, elsewhere: nothing announces that here.
pub(crate) fn until_file(path: &str) -> Result<(), String> {
    loop {
        if let Ok(text) = std::fs::read_to_string(path)
            && text.ends_with('\n')
        {
            print!("{text}");
            return Ok(());
        }
        system::sleep(std::time::Duration::from_millis(50));
    }
}

/// Process 1 and this one are all that is left.
pub(crate) fn until_alone() -> Result<(), String> {
    let own = std::process::id();
    loop {
        let entries = std::fs::read_dir("/proc").map_err(|e| e.to_string())?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        if names.filter(|pid| *pid != 1 && *pid != own).count() == 0 {
            println!("alone");
            return Ok(());
        }
        std::thread::yield_now();
    }
}

pub(crate) fn stamp_and_stay() -> Result<(), String> {
    println!("first {}", system::clock(libc::CLOCK_BOOTTIME).as_nanos());
    system::end_on_term()?;
    pause_for_ever()
}

/// The last stamp is the last that it does.
pub(crate) fn stamps(milliseconds: u64) -> Result<(), String> {
    let first = system::clock(libc::CLOCK_BOOTTIME);
    system::sleep(std::time::Duration::from_millis(milliseconds));
    let last = system::clock(libc::CLOCK_BOOTTIME);
    println!("first {}\nlast {}", first.as_nanos(), last.as_nanos());
    let _ = std::io::stdout().flush();
    system::exit_now(1)
}

pub(crate) fn ignore_term() -> Result<(), String> {
    system::on_signal(libc::SIGTERM, libc::SIG_IGN).map_err(|e| format!("ignore SIGTERM: {e}"))?;
    println!("ignoring SIGTERM");
    pause_for_ever()
}

/// Whichever of those that ask a program to end, or to look after itself.
pub(crate) fn report_signal() -> Result<(), String> {
    extern "C" fn end(signal: i32) {
        system::exit_now(signal)
    }
    let handler = end as extern "C" fn(i32) as libc::sighandler_t;
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM, libc::SIGUSR1, libc::SIGWINCH] {
        system::on_signal(signal, handler).map_err(|e| format!("catch signal {signal}: {e}"))?;
    }
    println!("waiting for a signal");
    pause_for_ever()
}

/// As PID 1, only a fault of its own kills a process: those signals come as real faults.
pub(crate) fn die(name: &str) -> Result<(), String> {
    let signal = signal_number(name).ok_or_else(|| format!("not a signal: {name}"))?;
    // SIGKILL and SIGSTOP have no disposition to reset.
    let _ = system::on_signal(signal, libc::SIG_DFL);
    // SAFETY: the set is made by sigemptyset before it is read.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        libc::kill(libc::getpid(), signal);
        match signal {
            libc::SIGSEGV => std::ptr::null_mut::<u8>().write_volatile(0),
            #[cfg(target_arch = "x86_64")]
            libc::SIGILL => std::arch::asm!("ud2"),
            #[cfg(target_arch = "x86_64")]
            libc::SIGTRAP => std::arch::asm!("int3"),
            _ => {}
        }
    }
    println!("survived {name}");
    std::process::exit(99)
}

/// `SIGTERM`, `TERM`, `RTMIN+3` or a number.
fn signal_number(name: &str) -> Option<i32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let name = name.strip_prefix("SIG").unwrap_or(name);
    if let Some(offset) = name.strip_prefix("RTMIN") {
        let offset: i32 = if offset.is_empty() { 0 } else { offset.parse().ok()? };
        // Two of the kernel's 32 are the C libraries' own: everybody counts from 34.
        return 34_i32.checked_add(offset).filter(|number| (34..=64).contains(number));
    }
    let names = [
        ("HUP", libc::SIGHUP),
        ("INT", libc::SIGINT),
        ("QUIT", libc::SIGQUIT),
        ("ILL", libc::SIGILL),
        ("TRAP", libc::SIGTRAP),
        ("ABRT", libc::SIGABRT),
        ("BUS", libc::SIGBUS),
        ("FPE", libc::SIGFPE),
        ("KILL", libc::SIGKILL),
        ("USR1", libc::SIGUSR1),
        ("SEGV", libc::SIGSEGV),
        ("USR2", libc::SIGUSR2),
        ("PIPE", libc::SIGPIPE),
        ("ALRM", libc::SIGALRM),
        ("TERM", libc::SIGTERM),
    ];
    names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number)
}

pub(crate) fn orphans(count: u32) -> Result<(), String> {
    for made in 0..count {
        match fork().map_err(|e| format!("fork {made}: {e}"))? {
            Fork::Child => {
                // The child's child is the orphan; that it could not be made shows in the code.
                let code = match fork() {
                    Ok(Fork::Child | Fork::Parent) => 0,
                    Err(_) => 1,
                };
                system::exit_now(code)
            }
            Fork::Parent => {
                system::reap();
            }
        }
    }
    // Those that came to us, because we are PID 1 here.
    while system::reap() {}
    println!("orphans {count}");
    Ok(())
}

/// All of them wait for the end of a pipe.
pub(crate) fn orphan_burst(count: u32) -> Result<(), String> {
    let (reader, writer) = std::io::pipe().map_err(|e| format!("pipe: {e}"))?;
    let mut writer = Some(writer);
    match fork().map_err(|e| format!("fork: {e}"))? {
        Fork::Child => {
            drop(writer.take());
            for _ in 0..count {
                if let Ok(Fork::Child) = fork() {
                    let _ = std::io::Read::read(&mut &reader, &mut [0]);
                    system::exit_now(0);
                }
            }
            system::exit_now(0)
        }
        Fork::Parent => {
            // The middle one has made them all once it has ended.
            system::reap();
            drop(writer);
        }
    }
    while system::reap() {}
    println!("orphan-burst {count}");
    Ok(())
}

pub(crate) fn child_holds_stdout() -> Result<(), String> {
    match fork().map_err(|e| format!("fork: {e}"))? {
        Fork::Child => pause_for_ever(),
        Fork::Parent => {
            println!("a child holds stdout");
            Ok(())
        }
    }
}

pub(crate) fn fork_bomb() -> Result<(), String> {
    system::end_on_term()?;
    let mut made = 0_u64;
    loop {
        match fork() {
            Ok(Fork::Child) => pause_for_ever(),
            Ok(Fork::Parent) => made = made.saturating_add(1),
            Err(error) => {
                println!("forked {made}, then {}", system::error_name(&error));
                break;
            }
        }
    }
    loop {
        // It does not give up, and it does not print any more.
        if let Ok(Fork::Child) = fork() {
            pause_for_ever();
        }
    }
}

/// Touched in steps, each said: the last line tells how far it got.
pub(crate) fn hog(megabytes: usize) -> Result<(), String> {
    const STEP: usize = 1 << 20;
    system::end_on_term()?;
    let mut held: Vec<Vec<u8>> = Vec::new();
    for done in 1..=megabytes {
        held.push(vec![1; STEP]);
        if done.is_multiple_of(16) || done == megabytes {
            println!("{done} MB");
        }
    }
    black_box(&held);
    println!("holding {megabytes} MB");
    pause_for_ever()
}

pub(crate) fn burn(seconds: u64) -> Result<(), String> {
    system::end_on_term()?;
    let end = system::clock(libc::CLOCK_MONOTONIC) + std::time::Duration::from_secs(seconds);
    while system::clock(libc::CLOCK_MONOTONIC) < end {
        for step in 0..100_000_u32 {
            black_box(step);
        }
    }
    println!("cpu {} us of {seconds} s", system::clock(libc::CLOCK_PROCESS_CPUTIME_ID).as_micros());
    std::io::stdout().flush().map_err(|e| e.to_string())
}

/// As a program does that keeps the time (adjtimex(2)).
pub(crate) fn keep_clock() -> Result<(), String> {
    // SAFETY: All of its fields are numbers.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    state.modes = libc::ADJ_STATUS | libc::ADJ_MAXERROR;
    (state.status, state.maxerror) = (libc::STA_PLL, 0);
    // SAFETY: The kernel reads and fills in one such structure.
    match unsafe { libc::adjtimex(&raw mut state) } {
        -1 => Err(format!("adjtimex: {}", std::io::Error::last_os_error())),
        _ => Ok(()),
    }
}
