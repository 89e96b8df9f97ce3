//! The command line of `orlop-image`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use orlop_image::{Bar, Built, Error, KernelSource, Options, Signatures, build_with, table};

/// Builds the bootable files of an Orlop machine.
#[derive(Parser)]
#[command(name = "orlop-image", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Build(Build),
}

/// Build vmlinuz, initrd.img, cmdline and manifest.json from a configuration.
///
/// The configuration is checked first, with the code that the machine uses. The folder is replaced
/// as a whole when everything is done; a build that fails leaves it as it was.
#[derive(clap::Args)]
struct Build {
    /// A folder of TOML, or one file
    config: PathBuf,
    /// The folder to make; it may hold an older build, and nothing else
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Boot this kernel [default: Debian's cloud kernel, fetched once and kept in the cache]
    #[arg(long, value_name = "FILE", requires = "modules")]
    kernel: Option<PathBuf>,
    /// The modules of that kernel: its lib/modules/VERSION
    #[arg(long, value_name = "DIR", requires = "kernel")]
    modules: Option<PathBuf>,
    /// Fetch Debian's newest kernel, whatever the cache holds
    #[arg(long, conflicts_with = "kernel")]
    newest_kernel: bool,
    /// Keep the modules' signatures, which slow the boot down, for a kernel that is locked down
    #[arg(long, value_name = "WHAT", default_value = "strip")]
    signatures: SignatureWords,
    /// The static binary that becomes /init [default: $ORLOP_BINARY, or `orlop` beside this program]
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// The static binary that speaks TLS with collectors of logs, for a configuration that has one
    /// [default: $ORLOP_TLS_BINARY, or `orlop-tls` beside `orlop`, or beside this program]
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Where kernels and converted images are kept [default: $ORLOP_CACHE, or ~/.cache/orlop]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum SignatureWords {
    Keep,
    Strip,
}

impl Build {
    fn options(self) -> Options {
        let mut options = Options::new(self.config, self.output);
        options.init = self.init;
        options.tls = self.tls;
        options.kernel = match (self.kernel, self.modules, self.newest_kernel) {
            (Some(kernel), Some(modules), _) => KernelSource::Files { kernel, modules },
            (_, _, true) => KernelSource::NewestDebian,
            (_, _, false) => KernelSource::Debian,
        };
        options.signatures = match self.signatures {
            SignatureWords::Keep => Signatures::Keep,
            SignatureWords::Strip => Signatures::Strip,
        };
        options.cache = self.cache.unwrap_or(options.cache);
        options
    }
}

fn main() -> ExitCode {
    let Command::Build(build) = Arguments::parse().command;
    match run(build) {
        Ok(built) => {
            for warning in &built.warnings {
                eprintln!("{warning}");
            }
            print!("{}", table(&built));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(build: Build) -> Result<Built, Error> {
    let bar = Bar::on_terminal();
    let built = build_with(&build.options(), &bar);
    bar.clear();
    built
}

/// The configuration's mistakes are complete messages already.
fn say(error: &Error) {
    match error {
        Error::Config(text) => eprintln!("{text}"),
        other => eprintln!("error: {other}"),
    }
}
