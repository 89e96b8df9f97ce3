//! What `orlop-vm` can be told, and what that means for a machine.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use orlop_vm::{Accelerator, ConsoleCopy, Options, Publish, parse_memory};

const EXAMPLES: &str = "\
Examples:
  orlop-vm run machine                                        until Ctrl-C
  orlop-vm run machine --publish 8080:80                      its port 80 is http://localhost:8080
  orlop-vm run machine --headless --control machine.sock &    for orlop --host unix:machine.sock ps";

/// Boots Orlop machines under QEMU.
#[derive(Parser)]
#[command(name = "orlop-vm", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Subcommand)]
pub(crate) enum Task {
    Run(Run),
}

/// Boot a machine, and stay until it ends.
///
/// The console is shown in this terminal; a machine takes no input there. Ctrl-C (or SIGTERM)
/// presses its power button, a second one cuts its power. KVM is used when a short trial shows
/// that it works, else the machine is emulated; ORLOP_VM_ACCELERATOR=kvm or =emulated decides it
/// without a trial.
///
/// Exit codes: 0 powered off or rebooted; 1 anything else; 2 wrong usage.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Run {
    /// Folder with vmlinuz, initrd.img and cmdline, as orlop-image builds it
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// Memory of the machine
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = parse_memory)]
    memory: u64,

    /// Processors of the machine
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,

    /// Make a TCP port of the machine reachable; on loopback unless an address is given
    #[arg(long, value_name = "[ADDRESS:]HOST:GUEST")]
    pub(crate) publish: Vec<Publish>,

    /// Raw image of the machine's disk
    #[arg(long, value_name = "FILE")]
    disk: Option<PathBuf>,

    /// Serve the machine's control socket here, for `orlop --host unix:SOCKET`
    #[arg(long, value_name = "SOCKET")]
    pub(crate) control: Option<PathBuf>,

    /// Write the console to a file instead of the terminal
    #[arg(long, value_name = "FILE")]
    console: Option<PathBuf>,

    /// Show no console
    #[arg(long)]
    headless: bool,

    /// Words to append to the kernel's command line
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    kernel_words: Vec<String>,
}

impl Run {
    pub(crate) fn options(&self) -> Options {
        let console = match (&self.console, self.headless) {
            (Some(path), _) => ConsoleCopy::File(path.clone()),
            (None, true) => ConsoleCopy::None,
            (None, false) => ConsoleCopy::Terminal,
        };
        Options {
            memory: self.memory,
            cpus: self.cpus,
            publish: self.publish.clone(),
            disk: self.disk.clone(),
            kernel_words: self.kernel_words.clone(),
            accelerator: Accelerator::Auto,
            console,
            ..Options::new(&self.directory)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: Result<fn(&Options) -> bool, clap::error::ErrorKind>) {
        let words = words.split_whitespace();
        let found = CommandLine::try_parse_from(["orlop-vm"].into_iter().chain(words));
        match (found.map(|CommandLine { task: Task::Run(run) }| run.options()), expected) {
            (Ok(options), Ok(expected)) => assert!(expected(&options), "{options:?}"),
            (Err(error), Err(expected)) => {
                assert_eq!(error.kind(), expected);
                assert!(!error.use_stderr() || error.exit_code() == 2);
            }
            (found, expected) => panic!("{found:?}, {}", expected.is_ok()),
        }
    }

    #[test]
    fn understands_what_people_write() {
        check("run out", Ok(|o| o.memory == 256 << 20 && o.cpus == 1 && o.console == ConsoleCopy::Terminal));
        check("run out --memory 1G --cpus 2", Ok(|o| o.memory == 1 << 30 && o.cpus == 2));
        check("run out --publish 8080:80 --publish 22:22", Ok(|o| o.publish.len() == 2));
        check("run out --headless", Ok(|o| o.console == ConsoleCopy::None));
        check("run out --headless --console x", Ok(|o| o.console == ConsoleCopy::File("x".into())));
    }

    #[test]
    fn refuses_the_rest_with_exit_code_2() {
        use clap::error::ErrorKind;
        for words in ["run", ""] {
            let kind = if words.is_empty() {
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            } else {
                ErrorKind::MissingRequiredArgument
            };
            check(words, Err(kind));
        }
        check("run out --memory 256", Err(ErrorKind::ValueValidation));
        check("run out --publish 80", Err(ErrorKind::ValueValidation));
        check("run out --cpus 0", Err(ErrorKind::ValueValidation));
        check("run out --floppy", Err(ErrorKind::UnknownArgument));
    }
}
