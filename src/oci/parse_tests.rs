//! Command lines as engines write them.

use std::path::PathBuf;
use std::time::Duration;

use super::super::arguments::{CgroupManager, Command, Format, LogFormat};
use super::*;

fn read(line: &str) -> Result<Arguments, clap::Error> {
    parse(std::iter::once("orlop").chain(line.split_whitespace()).map(OsString::from).collect())
}

#[track_caller]
fn command_of(line: &str) -> Command {
    read(line).unwrap_or_else(|error| panic!("{line}: {error}")).command.unwrap()
}

#[track_caller]
fn refused(line: &str, expected: &str) {
    let text = read(line).unwrap_err().to_string();
    assert!(text.contains(expected), "{line}: {text}");
}

#[test]
fn the_definition_is_sound() {
    command().debug_assert();
}

#[test]
fn general_options_stand_before_and_after_the_command() {
    for line in [
        "--root /r --log /l --log-format json --systemd-cgroup --debug list",
        "list --root /r --log /l --log-format json --systemd-cgroup --debug",
        "--root=/r --log=/l --log-format=json --systemd-cgroup=true list --debug=true",
    ] {
        let read = read(line).unwrap();
        assert_eq!(read.general.root, Some(PathBuf::from("/r")), "{line}");
        assert_eq!(read.general.log, Some(PathBuf::from("/l")), "{line}");
        assert_eq!(read.general.log_format, LogFormat::Json, "{line}");
        assert!(read.general.systemd_cgroup && read.general.debug, "{line}");
    }
    assert!(!read("--debug=false list").unwrap().general.debug);
    assert_eq!(read("--root /a --root /b list").unwrap().general.root, Some(PathBuf::from("/b")));
    assert!(read("--rootless=auto list").is_ok() && read("--rootless true list").is_ok());
    assert!(read("-v").unwrap().version && read("--version").unwrap().version);
    assert_eq!(
        read("--cgroup-manager=disabled list").unwrap().general.cgroup_manager,
        CgroupManager::Disabled
    );
    refused("--log-format xml list", "invalid value 'xml'");
    refused("--rootless=maybe list", "true, false or auto");
    refused("frobnicate", "unrecognized subcommand");
}

#[test]
fn options_stand_before_and_after_the_id() {
    for line in ["kill --all web KILL", "kill web KILL -a", "kill web --all KILL"] {
        let Command::Kill(kill) = command_of(line) else { panic!("{line}") };
        assert_eq!((kill.id.as_str(), kill.signal.as_str(), kill.all), ("web", "KILL", true), "{line}");
    }
    for line in ["delete -f web", "delete web --force", "delete --force=true web"] {
        let Command::Delete(delete) = command_of(line) else { panic!("{line}") };
        assert!(delete.force && delete.id == "web", "{line}");
    }
    let Command::Kill(kill) = command_of("kill web") else { panic!() };
    assert_eq!((kill.signal.as_str(), kill.all), ("TERM", false));
}

#[test]
fn a_missing_or_superfluous_id_is_refused() {
    refused("state", "required arguments were not provided");
    refused("state a b", "unexpected argument 'b'");
    refused("delete --force", "required arguments were not provided");
}

#[test]
fn what_follows_the_id_of_ps_is_for_ps() {
    let Command::Ps(ps) = command_of("ps -f json web -ef --sort pid") else { panic!() };
    assert_eq!(ps.format, Format::Json);
    assert_eq!(ps.words, ["web", "-ef", "--sort", "pid"]);
}

#[test]
fn the_time_between_two_looks_is_gos() {
    let Command::Events(events) = command_of("events --interval=2s web") else { panic!() };
    assert_eq!(events.interval, Duration::from_secs(2));
}
