//! Words → arguments, with the definition of all commands or, for those that engines call often, of one.

use std::ffi::OsString;

use clap::{ArgAction, ArgMatches, Args, CommandFactory, FromArgMatches};

use super::arguments::{
    Arguments, Command, CreateArguments, DeleteArguments, ExecArguments, General, Id, KillArguments,
    RunArguments,
};
use super::values::boolean;

/// The whole command line, for parsing, completions and the manual.
pub(crate) fn command() -> clap::Command {
    booleans(Arguments::command())
}

/// Reads a command line; the first word is the program's name.
pub(crate) fn parse(words: Vec<OsString>) -> Result<Arguments, clap::Error> {
    if let Some(arguments) = one(&words) {
        return Ok(arguments);
    }
    let mut matches = command().try_get_matches_from(words)?;
    Arguments::from_arg_matches_mut(&mut matches)
}

/// As [`parse`], for a command that engines call often, without a definition of all the others: that
/// takes longer than most commands do. `None`: the whole definition knows what to say.
fn one(words: &[OsString]) -> Option<Arguments> {
    use clap::Command as Definition;
    type Define = fn(Definition) -> Definition;
    type Read = fn(&mut ArgMatches) -> Result<Command, clap::Error>;
    let known: [(&str, Define, Read); 7] = [
        ("create", CreateArguments::augment_args, |it| {
            CreateArguments::from_arg_matches_mut(it).map(Command::Create)
        }),
        ("start", Id::augment_args, |it| Id::from_arg_matches_mut(it).map(Command::Start)),
        ("run", RunArguments::augment_args, |it| RunArguments::from_arg_matches_mut(it).map(Command::Run)),
        ("state", Id::augment_args, |it| Id::from_arg_matches_mut(it).map(Command::State)),
        ("kill", KillArguments::augment_args, |it| {
            KillArguments::from_arg_matches_mut(it).map(Command::Kill)
        }),
        ("delete", DeleteArguments::augment_args, |it| {
            DeleteArguments::from_arg_matches_mut(it).map(Command::Delete)
        }),
        ("exec", ExecArguments::augment_args, |it| {
            ExecArguments::from_arg_matches_mut(it).map(Command::Exec)
        }),
    ];
    // One that is the value of an option comes to nothing here, and the whole definition is asked.
    let named = words.iter().skip(1).find_map(|word| known.iter().find(|(name, ..)| word == name));
    let (name, define, read) = named?;
    let top = General::augment_args(Definition::new("orlop oci").args_override_self(true));
    let definition = booleans(top.subcommand(define(Definition::new(*name))));
    let mut matches = definition.try_get_matches_from(words).ok()?;
    let general = General::from_arg_matches_mut(&mut matches).ok()?;
    let (_, mut below) = matches.remove_subcommand()?;
    Some(Arguments { general, version: false, command: Some(read(&mut below).ok()?) })
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
