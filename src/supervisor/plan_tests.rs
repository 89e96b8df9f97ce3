//! What is planned, and that nothing is where nothing changed.

use proptest::prelude::*;

use super::*;
use crate::supervisor::tests::declared::declared;

/// A line each: what is done, to whom, why.
fn lines(plan: &Plan) -> Vec<String> {
    let line = |it: &Planned| {
        let keys: String = it.keys.iter().map(|it| format!(" {}", it.key)).collect();
        let after = it.follows.as_ref().map_or(String::new(), |name| format!(" after {name}"));
        format!("{} {}{keys}{after}", it.action.word(), it.name)
    };
    plan.containers.iter().map(line).collect()
}

#[track_caller]
fn check(old: &str, new: &str, expected: &[&str]) {
    assert_eq!(lines(&plan(&declared(old), &declared(new))), expected);
}

#[test]
fn each_container_has_its_part() {
    let old = "[container.db]\n[container.web]\ndepends_on = ['db']\n[container.log]\n";
    check(old, old, &[]);
    check(old, &old.replace("[container.log]\n", ""), &["stop log"]);
    check(old, &(old.to_owned() + "[container.new]\n"), &["start new"]);
    check(old, &old.replace("[container.log]", "[container.log]\ncommand = 'x'"), &["restart log command"]);
    check(
        old,
        &old.replace("[container.log]", "[container.log]\nlimits = { pids = 9 }"),
        &["change log limits.pids"],
    );
    check(old, &old.replace("[container.db]", "[container.db]\ncommand = 'x'"), &["restart db command"]);
    check(old, "[container.web]\n", &["stop log", "stop db", "change web depends_on"]);
    check("", old, &["start db", "start log", "start web"]);
    check(old, "", &["stop web", "stop log", "stop db"]);
}

#[test]
fn a_dependent_follows_where_its_edge_says_so_and_so_do_its_own() {
    let old = "[container.db]\n[container.web]\ndepends_on = { db = { condition = 'started', restart = true } }\n\
               [container.proxy]\ndepends_on = { web = { condition = 'started', restart = true } }\n\
               [container.cron]\ndepends_on = ['db']\n";
    let new = old.replace("[container.db]", "[container.db]\nuser = 'redis'");
    check(old, &new, &["restart db user", "restart web after db", "restart proxy after web"]);
    let both = new.replace("[container.web]", "[container.web]\nuser = 'web'");
    check(old, &both, &["restart db user", "restart web user", "restart proxy after web"]);
    let plan = plan(&declared(old), &declared(&new));
    assert_eq!(plan.replaced().collect::<Vec<_>>(), ["db"], "the others come back by themselves");
}

#[test]
fn one_that_runs_at_its_times_is_not_stopped_for_its_next_ones() {
    let old = "[container.job]\nevery = '1h'\n";
    let at_noon = "[container.job]\nschedule = '0 12 * * *'\ncommand = 'x'\n";
    check(old, at_noon, &["change job schedule command"]);
    assert_eq!(plan(&declared(old), &declared(at_noon)).replaced().collect::<Vec<_>>(), ["job"]);
    check(old, "[container.job]\n", &["restart job type every"]);
    check("[container.job]\ntype = 'oneshot'", old, &["restart job every"]);
}

#[test]
fn one_that_could_not_run_is_started_when_it_can() {
    let mut old = declared("[container.web]\n");
    old.containers.clear();
    old.invalid.insert("web".into(), ["it has a mistake".into()].into());
    assert_eq!(lines(&plan(&old, &declared("[container.web]\n"))), ["start web"]);
    assert_eq!(lines(&plan(&old, &declared(""))), ["stop web"]);
}

/// Some containers with some keys each; dependencies are among those before.
pub(in crate::supervisor) fn configs() -> impl Strategy<Value = String> {
    const KEYS: [&str; 6] = [
        "command = 'x'",
        "limits = { memory = '64M' }",
        "labels = { a = 'b' }",
        "restart = 'always'",
        "volumes = ['/a:/b']",
        "healthcheck = { tcp = 80 }",
    ];
    let container = (any::<u8>(), any::<u8>(), any::<bool>());
    proptest::collection::vec(proptest::option::of(container), 0..5).prop_map(|containers| {
        let mut text = String::new();
        let mut before: Vec<usize> = Vec::new();
        for (number, container) in containers.into_iter().enumerate() {
            let Some((keys, edges, restart)) = container else { continue };
            text += &format!("[container.c{number}]\n");
            for (bit, key) in KEYS.iter().enumerate() {
                text += &if keys >> bit & 1 == 1 { format!("{key}\n") } else { String::new() };
            }
            let edges = before.iter().filter(|on| edges >> **on & 1 == 1);
            for on in edges {
                text += &format!("depends_on.c{on} = {{ condition = 'started', restart = {restart} }}\n");
            }
            before.push(number);
        }
        text
    })
}

proptest! {
    #[test]
    fn nothing_is_done_twice_and_nothing_where_nothing_changed(old in configs(), new in configs()) {
        let (before, after) = (declared(&old), declared(&new));
        prop_assert!(plan(&after, &after).is_empty());
        let there = plan(&before, &after);
        let back = plan(&after, &before);
        prop_assert_eq!(there.is_empty(), back.is_empty());
        // Each at most once, none that is the same but for whom it follows.
        let mut names: Vec<&str> = there.containers.iter().map(|it| it.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), there.containers.len());
        for planned in &there.containers {
            let same = before.containers.get(&planned.name) == after.containers.get(&planned.name);
            prop_assert!(!same || planned.follows.is_some(), "{planned:?}");
        }
        // Another file, other lines, comments: the same.
        let moved = declared(&format!("# moved\n\n{new}\n# end"));
        prop_assert!(plan(&after, &moved).is_empty());
    }
}
