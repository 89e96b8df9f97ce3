//! What is said before anything is done.

use super::world::{Said, World};

#[test]
fn wrong_usage_is_one_line_and_code_1() {
    let world = World::new("true");
    world.fails(&["frobnicate"], "unrecognized subcommand 'frobnicate'");
    world.fails(&["state"], "required arguments");
    world.fails(&["state", "a", "b"], "unexpected argument 'b'");
    world.fails(&["--log-format", "xml", "list"], "invalid value 'xml'");
    assert_eq!(world.call(&["state"]).code, 1);
}

#[test]
fn an_id_that_leads_elsewhere_is_refused_by_every_command() {
    let world = World::new("true");
    for words in [&["state"][..], &["create"], &["start"], &["delete", "--force"], &["kill"], &["run"]] {
        for id in ["../x", ".", "..", "a/b", "", "a b"] {
            world.fails(&[words, &[id]].concat(), "container id");
        }
    }
    assert!(!world.path("root").exists());
}

#[test]
fn a_container_that_does_not_exist_is_said_not_to() {
    let world = World::new("true");
    for words in
        [&["state", "x"][..], &["start", "x"], &["kill", "x"], &["delete", "x"], &["exec", "x", "ls"]]
    {
        world.fails(words, "container \"x\" does not exist");
    }
    assert_eq!(world.done(&["delete", "--force", "x"]), "");
    assert_eq!(world.done(&["list", "--format", "json"]), "[]\n");
}

#[test]
fn errors_are_in_the_log_too_in_the_form_that_was_asked_for() {
    let world = World::new("true");
    let log = world.path("log");
    let path = log.to_str().unwrap();
    world.fails(&["--log", path, "--log-format", "json", "state", "x"], "does not exist");
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&log).unwrap()).unwrap();
    assert_eq!((&line["level"], &line["msg"]), (&"error".into(), &"container \"x\" does not exist".into()));
    assert!(line["time"].as_str().unwrap().starts_with("20"));
    world.fails(&["state", "x", "--log", path], "does not exist");
    let text = std::fs::read_to_string(&log).unwrap();
    let last = text.lines().nth(1).unwrap();
    assert!(last.ends_with("level=error msg=\"container \\\"x\\\" does not exist\""), "{last}");
}

#[test]
fn the_version_has_the_lines_that_engines_read() {
    let world = World::new("true");
    for word in ["--version", "-v"] {
        let text = world.done(&[word]);
        assert!(text.starts_with("orlop version ") && text.contains("\nspec: 1.3.0\n"), "{text}");
    }
}

#[test]
fn by_the_name_of_a_runtime_it_is_one() {
    let world = World::new("true");
    for name in ["runc", "crun", "orlop-oci"] {
        let link = world.path(name);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_orlop"), &link).unwrap();
        let output = std::process::Command::new(link).arg("--version").output().unwrap();
        assert!(Said::of(output).out.contains("spec: 1.3.0"), "{name}");
    }
}

#[test]
fn features_say_what_is_understood_and_what_is_not_done() {
    let world = World::new("true");
    let features: serde_json::Value = serde_json::from_str(&world.done(&["features"])).unwrap();
    let has = |path: &str, word: &str| {
        let list = features.pointer(path).and_then(|it| it.as_array()).unwrap_or_else(|| panic!("{path}"));
        assert!(list.iter().any(|it| it == word), "{path}: {word}");
    };
    has("/hooks", "createContainer");
    has("/mountOptions", "rro");
    has("/linux/namespaces", "time");
    has("/linux/capabilities", "CAP_BPF");
    has("/linux/seccomp/actions", "SCMP_ACT_NOTIFY");
    has("/linux/seccomp/operators", "SCMP_CMP_MASKED_EQ");
    has("/linux/memoryPolicy/modes", "MPOL_BIND");
    assert_eq!((&features["ociVersionMin"], &features["ociVersionMax"]), (&"1.0.0".into(), &"1.3.0".into()));
    assert_eq!(features["linux"]["cgroup"]["v1"], false);
    assert_eq!(features["linux"]["intelRdt"]["enabled"], false);
    assert_eq!(features["annotations"]["org.opencontainers.runc.checkpoint.enabled"], "false");
    let missing = features["annotations"]["org.orlop.missing"].as_str().unwrap();
    assert!(missing.starts_with("--cgroup-manager=disabled: containers have no cgroup"), "{missing}");
}

#[test]
fn what_is_not_done_is_refused() {
    let world = World::new("true");
    world.fails(&["checkpoint", "--image-path", "x", "web"], "see `orlop oci features`");
    world.fails(&["restore", "web"], "see `orlop oci features`");
}
