//! Families as people write them, and what is said of those that are wrong.

use super::super::{Condition, Config, MAX_CONTAINERS, Reading, Source, read};

fn reading(text: &str) -> Reading {
    read(&[Source { path: "x.toml".into(), text: text.into() }])
}

/// The configuration of a text that has nothing wrong.
#[track_caller]
fn config(text: &str) -> Config {
    let reading = reading(text);
    let said: Vec<String> = reading.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(said.join("\n"), "", "{text}");
    reading.config
}

fn names(config: &Config) -> Vec<&str> {
    config.containers.keys().map(String::as_str).collect()
}

/// Each message with its line, its notes and its help.
#[track_caller]
fn check(text: &str, wanted: &[&str]) -> Config {
    let reading = reading(text);
    let told = reading.diagnostics.iter().map(|it| {
        let notes: String = it.notes.iter().map(|note| format!(" [{note}]")).collect();
        format!("{}: {}{notes}", it.line, it.message)
    });
    assert_eq!(told.collect::<Vec<_>>(), wanted, "{text}");
    reading.config
}

#[test]
fn a_family_is_what_stands_before_the_at() {
    for (name, wanted) in [("web@1", Some("web")), ("web", None), ("web@", None), ("@1", None)] {
        assert_eq!(super::family(name), wanted, "{name}");
    }
}

#[test]
fn an_instance_has_what_its_template_has_and_it_has_not_itself() {
    let config = config(
        r#"
        [container."worker@"]
        image       = "dir:worker"
        command     = ["work", "--queue", "%i"]
        environment = { QUEUE = "%p/%i", LEVEL = "info", RATE = "5%%" }
        limits      = { memory = "64M", pids = 7 }
        cap_add     = ["NET_RAW", "CHOWN"]
        [container."worker@mail"]
        [container."worker@sms"]
        environment = { LEVEL = "debug" }
        limits.pids = 9
        cap_add     = ["KILL"]
        [container.other]
        image       = "dir:other"
        environment = { RATE = "5%" }
        "#,
    );
    assert_eq!(names(&config), ["other", "worker@mail", "worker@sms"]);
    let (mail, sms) = (&config.containers["worker@mail"], &config.containers["worker@sms"]);
    let command = |words: [&str; 3]| Some(words.map(String::from).to_vec());
    assert_eq!(mail.command, command(["work", "--queue", "mail"]));
    assert_eq!(sms.command, command(["work", "--queue", "sms"]));
    let mut variables = sms.environment.clone();
    variables.sort();
    let wanted = [("LEVEL", "debug"), ("QUEUE", "worker/sms"), ("RATE", "5%")];
    assert_eq!(variables, wanted.map(|(name, value)| (name.into(), value.into())));
    assert_eq!((mail.limits.memory, mail.limits.pids), (Some(64 << 20), Some(7)));
    assert_eq!((sms.limits.memory, sms.limits.pids), (Some(64 << 20), Some(9)));
    assert_eq!((mail.cap_add.0.count_ones(), sms.cap_add.0.count_ones()), (2, 1), "a list is replaced");
    assert_eq!((mail.hostname.as_str(), mail.declared_at.as_str()), ("worker-mail", "x.toml:8"));
    assert_eq!(config.containers["other"].environment, [("RATE".into(), "5%".into())], "a letter elsewhere");
}

#[test]
fn replicas_are_counted_from_one_and_may_differ() {
    let config = config(
        r#"
        [container.web]
        image    = "dir:web"
        replicas = 3
        command  = ["serve", ":808%i"]
        [container."web@2"]
        restart  = "always"
        [container."web@canary"]
        image    = "dir:canary"
        "#,
    );
    assert_eq!(names(&config), ["web@1", "web@2", "web@3", "web@canary"]);
    let last = |name: &str| config.containers[name].command.as_ref().unwrap()[1].clone();
    assert_eq!((last("web@1"), last("web@3")), (":8081".into(), ":8083".into()));
    assert_eq!(config.containers["web@canary"].image.to_string(), "dir:canary");
    assert_eq!(config.containers["web@3"].declared_at, "x.toml:2");
}

#[test]
fn who_depends_on_a_family_waits_for_all_of_it() {
    let config = config(
        r#"
        [container."db@"]
        image    = "dir:db"
        replicas = 2
        [container."web@"]
        image      = "dir:web"
        depends_on = ["db@%i"]
        [container."web@1"]
        [container."web@2"]
        depends_on = { "db@%i" = "completed" }
        [container.front]
        image      = "dir:front"
        depends_on = { web = "healthy", "web@2" = "started" }
        [container.list]
        image      = "dir:list"
        depends_on = ["web", "front"]
        "#,
    );
    let on = |name: &str| -> Vec<_> {
        let edges = config.containers[name].depends_on.iter();
        edges.map(|(name, edge)| (name.as_str(), edge.condition)).collect()
    };
    assert_eq!(on("web@1"), [("db@1", Condition::Started)]);
    assert_eq!(on("web@2"), [("db@2", Condition::Completed)]);
    assert_eq!(on("front"), [("web@1", Condition::Healthy), ("web@2", Condition::Started)]);
    let started = |name| (name, Condition::Started);
    assert_eq!(on("list"), ["front", "web@1", "web@2"].map(started));
}

#[test]
fn a_mistake_of_a_template_is_told_once_and_makes_every_instance_invalid() {
    let text = "[container.web]\nimage = 'dir:web'\nreplicas = 5\nrestart = 'sometimes'\n";
    let note = "[the same in `web@1`, `web@2`, `web@3`, 2 more]";
    let said = format!("4: `restart`: \"sometimes\" is no restart policy {note}");
    let config = check(text, &[&said]);
    assert_eq!(config.invalid.len(), 5);
    // What only an instance can tell has its place in the template, and the instance's name.
    let text = "[container.'w@']\nimage = 'dir:w'\nworking_dir = '%i'\n[container.'w@a']\n[container.'w@b']";
    let config = check(text, &["3: `working_dir`: \"a\" is no absolute path [the same in `w@b`]"]);
    assert_eq!(config.invalid.keys().collect::<Vec<_>>(), ["w@a", "w@b"]);
    // What nobody inherits is wrong all the same, and nobody is invalid for it.
    let text = "[container.'w@']\nrestart = 'sometimes'\n[container.'w@a']\nimage = 'dir:w'\nrestart = 'no'";
    let config = check(text, &["2: `restart`: \"sometimes\" is no restart policy"]);
    assert_eq!((names(&config), config.invalid.len()), (vec!["w@a"], 0));
}

#[test]
fn what_a_broken_file_may_have_lost_is_lost_to_every_instance() {
    let files = ["[container.'w@']\nimage = 'dir:w'\nlimits = { memory = 64M }", "[container.'w@a']"];
    let sources = files.map(|text| Source { path: "x.toml".into(), text: text.into() });
    let reading = read(&sources);
    assert!(reading.config.containers.is_empty(), "{:?}", reading.config.containers.keys());
    assert!(reading.config.invalid.contains_key("w@a"));
}

#[test]
fn circles_through_families_are_told_once() {
    let text = "[container.web]\nimage = 'dir:w'\nreplicas = 3\ndepends_on = ['db']\n\
                [container.db]\nimage = 'dir:d'\ndepends_on = ['web']";
    let circle = "7: containers wait for each other: db -> web@1 -> db \
                  [x.toml:7: `db` depends on `web@1`] [x.toml:4: `web@1` depends on `db`]";
    let config = check(text, &[circle]);
    assert_eq!(config.invalid.len(), 4);
}

#[test]
fn says_what_is_no_family() {
    check(
        "[container.'w@a']\nimage = 'dir:w'\n[container.'wrk@']\nimage = 'dir:w'\n[container.'wrk@b']\n[container.'wkr@c']",
        &["1: there is no template for `w@a`", "6: there is no template for `wkr@c`"],
    );
    check("[container.'w@']\nimage = 'dir:w'", &["1: `w@` has no instance, and runs nothing"]);
    check(
        "[container.w]\nimage = 'dir:w'\n[container.'w@']\nimage = 'dir:w'\n[container.'w@a']",
        &["3: `w` and `w@` are both declared"],
    );
    check(
        "[container.w]\nimage = 'dir:w'\nreplicas = 2\n[container.'w@3']\n[container.'w@1']\nreplicas = 2",
        &["4: `w@3` is none of the 2 replicas of `w`", "6: `w@1` is one container"],
    );
    check(
        "[container.w]\nimage = 'dir:w'\nreplicas = '2'\n[container.x]\nimage = 'dir:x'\ndepends_on = ['w']",
        &["3: `replicas`: expected a whole number from 0 to 1024, found a string"],
    );
    check(
        "[container.'w@']\nimage = 'dir:w'\n[container.'w@a']\n[container.x]\nimage = 'dir:x'\ndepends_on = ['w@']",
        &["6: `depends_on[0]`: `w@` is a template, and runs nothing"],
    );
    check(
        "[container.w]\nimage = 'dir:w'\nreplicas = 0\n[container.x]\nimage = 'dir:x'\ndepends_on = ['w']",
        &["6: `w` has no instance: nothing is waited for"],
    );
}

#[test]
fn a_percent_sign_is_spelt_out_in_a_family() {
    let said = "3: `%s` means nothing in a template [the same in `w@2`]";
    check("[container.w]\nreplicas = 2\ncommand = ['date', '+%s']\nimage = 'dir:w'", &[said]);
    check(
        "[container.w]\nreplicas = 1\nlabels = { '1' = 'a', '%i' = 'b' }\nimage = 'dir:w'",
        &["3: this is `1` in `w@1`, and that is declared, too"],
    );
}

#[test]
fn instances_that_write_to_one_volume_are_told() {
    let volumes =
        "[volume.data]\n[volume.data-1]\n[volume.data-2]\n[container.w]\nimage = 'dir:w'\nreplicas = 2\n";
    check(&format!("{volumes}volumes = ['data:/data']"), &["7: `w@1` and `w@2` both write to `data`"]);
    config(&format!("{volumes}volumes = ['data:/common:ro', 'data-%i:/data', '/scratch']"));
    let config = check(
        &format!("{volumes}volumes = ['dta-%i:/data']"),
        &["7: `w@1` mounts `dta-1`, and there is no volume of this name [the same in `w@2`]"],
    );
    assert_eq!(config.invalid.len(), 2);
}

#[test]
fn what_families_make_is_bounded() {
    let one = "[container.one]\nimage = 'dir:o'\n";
    let text = format!("{one}[container.w]\nimage = 'dir:w'\nreplicas = 1024\n");
    let said = "3: there are more than 1024 containers; `w@1024` and those after it are left out";
    let config = check(&text, &[said]);
    assert_eq!(config.containers.len(), MAX_CONTAINERS);
    let many: Vec<String> = (0..1000).map(|number| format!("'V{number}=1'")).collect();
    let text = format!("[container.w]\nreplicas = 1000\nimage = 'dir:w'\nenvironment = [{}]", many.join(","));
    let said = "1: what `w` and other templates make is too much; `w@131` is left out \
                [the same in `w@132`, `w@133`, `w@134`, 866 more]";
    let config = check(&text, &[said]);
    assert_eq!(config.containers.len(), 130);
    let text = "[container.w]\nimage = 'dir:w'\nreplicas = 500\n\
                [container.x]\nimage = 'dir:x'\nreplicas = 500\ndepends_on = ['w']";
    let said = "7: all of `w` are more than can be waited for here \
                [the same in `x@332`, `x@333`, `x@334`, 238 more]";
    assert_eq!(check(text, &[said]).invalid.len(), 242);
}
