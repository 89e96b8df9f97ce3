//! Names as people type them: that of a family is each of its instances.
//!
//! The machine knows containers only. It is asked for its list when it has refused a name, and not before: most
//! names are those of containers.

use std::collections::VecDeque;

use orlop::config::family;
use orlop::control::{Container, Error, ListReply, Request};

use super::client::Client;
use super::failure::Failure;

/// Acts on each, and on each instance of what is a family.
pub(crate) fn each(
    client: &mut Client,
    names: &[String],
    mut act: impl FnMut(&mut Client, &str) -> Result<(), Failure>,
) -> Result<Vec<Failure>, Failure> {
    let mut failures = Vec::new();
    let mut waiting: VecDeque<String> = names.iter().cloned().collect();
    while let Some(name) = waiting.pop_front() {
        let failure = match act(client, &name) {
            Ok(()) => continue,
            // Nobody is there for the rest.
            Err(failure @ (Failure::NobodyReads | Failure::Disconnected(_))) => return Err(failure),
            Err(failure) => failure,
        };
        match instances(client, &failure, core::slice::from_ref(&name)) {
            Some(members) => members.into_iter().rev().for_each(|member| waiting.push_front(member)),
            None => failures.push(failure),
        }
    }
    Ok(failures)
}

/// Asks about all at once; once more about the instances and members, if one of the names was of several.
pub(crate) fn all(
    client: &mut Client,
    names: &[String],
    mut ask: impl FnMut(&mut Client, &[String]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let Err(failure) = ask(client, names) else { return Ok(()) };
    match instances(client, &failure, names) {
        Some(names) => ask(client, &names),
        None => Err(failure),
    }
}

/// What to ask for in the place of `names`, when they were refused because one of them is a family's.
fn instances(client: &mut Client, failure: &Failure, names: &[String]) -> Option<Vec<String>> {
    let Failure::Refused(Error::UnknownContainer { .. }) = failure else { return None };
    if names.iter().all(|name| name.contains('@')) {
        return None;
    }
    // Without it the refusal is what there is to say.
    let list: ListReply = client.call(&Request::List).ok()?;
    let mut found = Vec::new();
    for name in names {
        let is_of =
            |it: &&Container| family(&it.name) == Some(name) || it.group.as_deref() == Some(name.as_str());
        let before = found.len();
        found.extend(list.containers.iter().filter(is_of).map(|it| it.name.clone()));
        if found.len() == before || list.containers.iter().any(|it| it.name == *name) {
            found.push(name.clone());
        }
    }
    Some(found).filter(|found| found != names)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, container, done, reply};
    use super::*;
    use orlop::control::{LogsReply, State, encode_error};

    fn unknown(name: &str) -> Vec<u8> {
        encode_error(&Error::UnknownContainer { name: name.into(), nearest: Some("web@1".into()) })
    }

    fn machine(state: State) -> Vec<u8> {
        let containers = ["db", "web@1", "web@2", "webber@1"].map(|name| container(name, state)).to_vec();
        reply(&ListReply { containers })
    }

    #[test]
    fn what_is_asked_of_a_family_is_asked_of_each_instance() {
        let answers =
            vec![unknown("web"), machine(State::Exited), done(), done(), done(), machine(State::Running)];
        let out = "web@1: running (pid 77)\nweb@2: running (pid 77)\ndb: running (pid 77)\n";
        let found = check("start web db", answers, 0, out, "");
        let wanted = [
            r#"Start {"name":"web"}"#,
            "List",
            r#"Start {"name":"web@1"}"#,
            r#"Start {"name":"web@2"}"#,
            r#"Start {"name":"db"}"#,
            "List",
        ];
        assert_eq!(found.calls(), wanted);
        let answers = vec![unknown("web"), machine(State::Running), done(), done()];
        check("kill -s HUP web", answers, 0, "web@1: SIGHUP sent\nweb@2: SIGHUP sent\n", "");
        let answers = vec![unknown("web"), machine(State::Running), done(), done()];
        check("pause web", answers, 0, "web@1: paused\nweb@2: paused\n", "");
        let answers = vec![unknown("web"), machine(State::Running), done(), done()];
        let out = "web@1: pids=9 until the next start\nweb@2: pids=9 until the next start\n";
        check("update web pids=9", answers, 0, out, "");
    }

    #[test]
    fn logs_of_a_family_are_those_of_all_instances() {
        let answers =
            vec![unknown("web"), machine(State::Running), reply(&LogsReply { entries: Vec::new() })];
        let found = check("logs web db", answers, 0, "", "");
        let asked = &found.calls()[2];
        assert!(asked.contains(r#""names":["web@1","web@2","db"]"#), "{asked}");
    }

    #[test]
    fn a_name_of_nobody_is_refused_as_the_machine_does() {
        let said = "error: there is no container `wbe`; did you mean `web@1`?\n";
        check(
            "restart wbe",
            vec![machine(State::Running), unknown("wbe"), machine(State::Running)],
            1,
            "",
            said,
        );
        let said = "error: there is no container `web@7`; did you mean `web@1`?\n";
        check("start web@7", vec![unknown("web@7")], 1, "", said);
    }
}
