//! What is read by hand means what the definition says, or is left to it.

use clap::FromArgMatches;

use super::super::parse::command;
use super::*;

fn words(line: &str) -> Vec<OsString> {
    std::iter::once("orlop").chain(line.split(' ')).map(OsString::from).collect()
}

#[track_caller]
fn same(line: &str) {
    let by_hand = read(&words(line)).unwrap_or_else(|| panic!("{line}: not read by hand"));
    let mut matches = command().try_get_matches_from(words(line)).unwrap();
    let defined = Arguments::from_arg_matches_mut(&mut matches).unwrap();
    assert_eq!(format!("{by_hand:?}"), format!("{defined:?}"), "{line}");
}

#[test]
fn as_engines_write_them() {
    for line in [
        "--root /r --log /l --log-format json create --bundle /b --pid-file /p --preserve-fds 3 web",
        "--root=/r --log=/l --log-format=json --systemd-cgroup=true create --no-pivot --console-socket /s web",
        "run -b /b web",
        "run -d --keep web --bundle=/b",
        "start web",
        "state web --root /r",
        "kill web",
        "kill --all web 9",
        "kill web KILL -a",
        "delete web --force=false",
        "delete -f web --debug",
    ] {
        same(line);
    }
}

#[test]
fn every_option_in_every_form() {
    let fitting = |name: &str| match name {
        "log-format" => "json",
        "cgroup-manager" => "systemd",
        "preserve-fds" => "7",
        _ => "some/thing",
    };
    for command in ["create", "run", "start", "state", "kill", "delete"] {
        let (own, _) = known(command).unwrap();
        for (name, letter, takes) in GENERAL.into_iter().chain(own) {
            if takes == Nothing {
                for said in [format!("--{name}"), format!("--{name}=true"), format!("--{name}=False")] {
                    same(&format!("{command} {said} web"));
                }
            } else {
                same(&format!("{command} web --{name} {}", fitting(name)));
                same(&format!("{command} --{name}={} web", fitting(name)));
            }
            if let Some(letter) = letter {
                let value = if takes == Nothing { "" } else { " some/thing" };
                same(&format!("{command} -{letter}{value} web"));
            }
        }
        for (name, _, takes) in GENERAL {
            let value = if takes == Nothing { String::new() } else { format!(" {}", fitting(name)) };
            same(&format!("--{name}{value} {command} web"));
        }
    }
}

#[test]
fn the_rest_is_left_to_the_definition() {
    for line in [
        "create",
        "state --help",
        "--root state list",
        "list",
        "frobnicate",
        "exec web true",
        "state a b",
        "kill web 9 9",
        "delete --frobnicate web",
        "delete --force=perhaps web",
        "run --bundle",
        "run --bundle= web",
        "run -b/b web",
        "run --root /a --root /b web",
        "run --bundle -x web",
        "create --preserve-fds x web",
        "--log-format xml state web",
        "--detach run web",
        "start -- web",
        "--version",
        "--rootless true start web",
        "run -db /b web",
        "start ",
    ] {
        assert!(read(&words(line)).is_none(), "{line}");
    }
    use std::os::unix::ffi::OsStringExt;
    let line = ["orlop", "start"].map(OsString::from).into_iter().chain([OsString::from_vec(vec![0xff])]);
    assert!(read(&line.collect::<Vec<_>>()).is_none());
}
