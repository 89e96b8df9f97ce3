//! Words → arguments, with the definition of all commands or, for those that engines call most, without.

use std::ffi::OsString;

use clap::{ArgAction, CommandFactory, FromArgMatches};

use super::arguments::Arguments;
use super::values::boolean;

/// The whole command line, for parsing, completions and the manual.
pub(crate) fn command() -> clap::Command {
    booleans(Arguments::command())
}

/// Reads a command line; the first word is the program's name.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    if let Some(arguments) = super::plain::read(&words) {
        return Ok(arguments);
    }
    let mut matches = command().try_get_matches_from(words)?;
    Arguments::from_arg_matches_mut(&mut matches)
}

/// Flags as Go's programs have them: `--debug` and `--debug=false`.
fn booleans(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|arg| {
        if !matches!(arg.get_action(), ArgAction::SetTrue) {
            return arg;
        }
        arg.action(ArgAction::Set)
            .num_args(0..=1)
            .require_equals(true)
            .default_value("false")
            .default_missing_value("true")
            .value_parser(boolean)
            .hide_default_value(true)
            .value_name("true|false")
            .hide_possible_values(true)
    });
    command.mut_subcommands(booleans)
}

#[path = "parse_tests.rs"]
#[cfg(test)]
mod tests;
