//! The program inside the test containers: does one odd thing by name, and prints plain lines.
//!
//! Static, std and libc only, so that it runs in an empty root. As PID 1 of a container it cannot
//! die of a signal that it has no handler for; what runs for ever therefore ends on SIGTERM itself.
//! Started as `/init` it is the whole guest for the tests of `orlop-vm` (see `guest`).

#![no_main]

mod attempt;
mod chaos;
mod crowd;
mod faults;
mod given;
mod guest;
mod herald;
mod hostile;
mod look;
mod output;
mod process;
mod script;
mod silent;
mod system;
mod talk;
mod tally;
mod traps;
mod witness;

use std::ffi::{CStr, c_char};
use std::io::Write;

const USAGE: &str = "payload TASK [ARGUMENT]…
  sleep                 for ever; ends with 0 on SIGTERM
  ignore-term           for ever, whatever SIGTERM says
  report-signal         ends with the number of the signal that came
  exit CODE
  die SIGNAL            of it, by name or number; 99 when it survives (as PID 1)
  orphans N             makes N orphans one after the other, waits for all that it can
  orphan-burst N        makes N orphans that end at the same moment
  child-holds-stdout    ends while a child still has its output open
  forkbomb              forks until nothing more can be forked, says how many, goes on
  hog MB                allocates and touches memory, then stays
  burn SECONDS          keeps a CPU busy, then prints the CPU time it got
  each TASK , TASK …    one after the other, each below its name; errors stop nothing
  fds ids ns mounts signals keyring limits procs env args stamp where
  cat FILE | write-file PATH TEXT | stat PATH | ls FOLDER | mkdir PATH
  open r|w PATH         whether it can be opened
  until-file PATH       waits until it is there and not empty, and prints it
  until-alone           waits until there is only process 1 besides
  system-calls          what each of them says to arguments that none takes
  try-host [PATH]       what a container must not be able to do
  try-remount PATH      to make a read-only mount writable
  write BYTES PATTERN   numbered lines, as fast as possible
  write-timed BYTES LINE
                        the same line, and how long that took
  write-forever PATTERN
  noise BYTES           lines that nothing makes shorter
  partial TEXT          without an end of line
  flow PATH on|off      stops the output of a terminal for everybody, as Ctrl-S does; or lets it go on
  messages PATH COUNT PAUSE TEXT
                        numbered ones, each with a priority, to a socket of datagrams or a file, with
                        milliseconds between them
  keep-clock            says to the kernel that the clock is kept right
  copy                  its input, until that ends
  terminal              its size, and the lines typed there, until `exit CODE`
  serve PORT            answers HTTP, with the status in /tmp/status if there is one
  serve-given COUNT     takes clients from descriptor 3, tells each who it is and what it was given; of 0 without end
  shut-given            takes nobody any more from descriptor 3, whoever has a copy of it
  fetch tcp:ADDRESS|unix:PATH
                        prints what is said to it there
  get ADDRESS           asks a server of HTTP, and prints its answer
  ask SOCKET MESSAGE…   sends each with a NUL behind it, and prints what is answered
  notify LINE…          to NOTIFY_SOCKET, in one datagram
  notify-flood          for ever
  line-on NUMBER        writes a line on a descriptor
  listen PATH           takes connections on a Unix socket
  silent-files PATH     mounts files there that answer nobody once one of them was written to
  remove PATH
  stamp-and-stay | stamps MILLISECONDS
                        says when it began, and goes on for ever; or ends after a while by a signal
  run [KEY=VALUE]… PROGRAM [ARGUMENT]…
                        waits for its end, ten seconds at most, and says how it ended
  repeat TIMES PROGRAM [ARGUMENT]…
                        one after the other, the number in the place of %
  swap ONE OTHER        exchanges two names for ever, as fast as it can
  overwrite-exe SECONDS the program of every other process, at the first moment that it can be written
  raise-inherited PATH  gives a file all capabilities that whoever executes it inherits
  await-tail SECONDS PATH
                        until a program is overwritten
  find PATH [WORD]      all that is below it, links not followed
  witness [memory | reaping STREAM BURST | control TIMES | control-among-orphans N |
            script FILE | faults FILE] then INIT [ARGUMENT]…
                        measures an init: see `witness`
  crowd SEED            a thousand clients of the control socket that do not behave
  reap-for-ever         as the least of all inits";

/// Started by the C library itself: Rust's own start-up would ignore SIGPIPE, catch SIGSEGV and
/// open what is missing of 0, 1 and 2, and `signals` and `fds` would show that.
// SAFETY: no other function of this program is called `main`.
#[unsafe(no_mangle)]
extern "C" fn main(count: i32, arguments: *const *const c_char) -> i32 {
    let words: Vec<String> = (0..usize::try_from(count).unwrap_or_default())
        .map(|index| {
            // SAFETY: `arguments` holds `count` strings that live as long as the process.
            let word = unsafe { CStr::from_ptr(*arguments.add(index)) };
            word.to_string_lossy().into_owned()
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.first() == Some(&"/init") {
        guest::run();
    }
    let result = run(words.get(1..).unwrap_or_default());
    let flushed = std::io::stdout().flush();
    if let Err(text) = result.and_then(|()| flushed.map_err(|e| format!("write: {e}"))) {
        eprintln!("payload: {text}");
        return 1;
    }
    0
}

fn run(words: &[&str]) -> Result<(), String> {
    match words {
        ["each", tasks @ ..] => each(tasks),
        ["sleep"] => process::sleep(),
        ["ignore-term"] => process::ignore_term(),
        ["report-signal"] => process::report_signal(),
        ["exit", code] => std::process::exit(number(code)?),
        ["die", signal] => process::die(signal),
        ["orphans", count] => process::orphans(number(count)?),
        ["orphan-burst", count] => process::orphan_burst(number(count)?),
        ["child-holds-stdout"] => process::child_holds_stdout(),
        ["forkbomb"] => process::fork_bomb(),
        ["hog", megabytes] => process::hog(number(megabytes)?),
        ["burn", seconds] => process::burn(number(seconds)?),
        ["ask", socket, messages @ ..] => talk::ask(socket, messages),
        ["fds"] => look::fds(),
        ["ids"] => look::ids(),
        ["ns"] => look::namespaces(),
        ["mounts"] => look::file("/proc/self/mountinfo"),
        ["signals"] => look::signals(),
        ["keyring"] => look::keyring(),
        ["limits"] => look::file("/proc/self/limits"),
        ["procs"] => look::processes(),
        ["env"] => look::environment(),
        ["args", arguments @ ..] => look::arguments(arguments),
        ["stamp"] => look::stamp(),
        ["where"] => look::place(),
        ["cat", path] => look::file(path),
        ["write-file", path, text] => output::write_file(path, text),
        ["symlink", to, path] => output::symlink(to, path),
        ["fifo", path] => output::fifo(path),
        ["exchange", path, to] => output::exchange(path, to),
        ["stat", path] => look::owner(path),
        ["ls", folder] => look::folder(folder),
        ["mkdir", path] => output::make_folder(path),
        ["open", how @ ("r" | "w"), path] => attempt::open(*how == "w", path),
        ["until-file", path] => process::until_file(path),
        ["until-alone"] => process::until_alone(),
        ["try-remount", path] => attempt::remount(path),
        ["system-calls"] => attempt::system_calls(),
        ["try-host", paths @ ..] => attempt::everything(paths),
        ["write", bytes, pattern] => output::write(Some(number(bytes)?), pattern),
        ["write-timed", bytes, line] => output::write_timed(number(bytes)?, line),
        ["write-forever", pattern @ ..] => output::write(None, &pattern.join(" ")),
        ["keep-clock"] => process::keep_clock(),
        ["copy"] => talk::copy(),
        ["terminal"] => talk::terminal(),
        ["noise", bytes] => output::noise(number(bytes)?),
        ["partial", text] => output::partial(text),
        ["flow", path, how @ ("on" | "off")] => talk::flow(path, *how == "on"),
        ["messages", path, count, pause, text] => {
            output::messages(path, number(count)?, number(pause)?, text)
        }
        ["stamp-and-stay"] => process::stamp_and_stay(),
        ["stamps", milliseconds] => process::stamps(number(milliseconds)?),
        ["run", words @ ..] => hostile::run(words),
        ["repeat", times, words @ ..] => hostile::repeat(number(times)?, words),
        ["swap", one, other] => hostile::swap(one, other),
        ["overwrite-exe", seconds] => hostile::overwrite_exe(number(seconds)?),
        ["raise-inherited", path] => hostile::raise_inherited(path),
        ["await-tail", seconds, path] => hostile::await_tail(number(seconds)?, path),
        ["find", path, ..] => hostile::find(path),
        ["witness", words @ ..] => witness::run(words),
        ["crowd", seed] => crowd::run(number(seed)?),
        ["reap-for-ever"] => witness::reap_for_ever(),
        ["shut-given"] => given::shut(),
        ["serve-given", count] => given::serve(number(count)?),
        ["get", address] => given::get(address),
        ["fetch", place] => given::fetch(place),
        ["serve", port] => output::serve(number(port)?),
        ["notify", lines @ ..] => herald::notify(lines),
        ["notify-flood"] => herald::flood(),
        ["line-on", descriptor] => herald::line_on(number(descriptor)?),
        ["silent-files", path] => silent::serve(path),
        ["listen", path] => herald::listen(path),
        ["remove", path] => std::fs::remove_file(path).map_err(|e| format!("{path}: {e}")),
        _ => Err(format!("not a task: {}\n{USAGE}", words.join(" "))),
    }
}

/// `== TASK` before what it prints, `== end` after the last.
fn each(tasks: &[&str]) -> Result<(), String> {
    for task in tasks.split(|word| *word == ",") {
        println!("== {}", task.join(" "));
        if let Err(text) = run(task) {
            println!("{text}");
        }
    }
    println!("== end");
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("not a number that fits: {text}"))
}
