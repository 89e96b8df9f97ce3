//! Golden files of specs and steps: what a configuration becomes, and what a specification does.
//!
//! `tests/specs/NAME.toml` becomes `NAME.json`, the spec; that, and every other `*.json`, become
//! `NAME.steps`. `ORLOP_BLESS=1 cargo test --test specs` writes them anew; read the difference.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot read its cases has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use orlop::config::{Source, read};
use orlop::container::spec::Spec;
use orlop::container::{
    Defaults, DeviceKind, Facts, HostDevice, InsideStep, Root, compile, first_id, plan, root,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs")
}

fn cases(extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|it| it == extension));
    found.sort();
    found
}

fn golden(path: &Path, found: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("ORLOP_BLESS").is_some() {
        return fs::write(path, found).unwrap();
    }
    if fs::read_to_string(path).unwrap_or_default() != found {
        wrong.push(format!("{}: is now\n{found}", path.display()));
    }
}

/// What stands below a path of the machine.
fn devices(path: &str) -> Vec<HostDevice> {
    let all = [("/dev/snd/timer", 116, 33), ("/dev/ttyUSB0", 188, 0), ("/dev/ptmx", 5, 2)];
    let device = |(path, major, minor): &(&str, u32, u32)| HostDevice {
        path: (*path).into(),
        kind: DeviceKind::Character,
        major: *major,
        minor: *minor,
        mode: 0o660,
    };
    all.iter().filter(|(device, ..)| device.starts_with(path)).map(device).collect()
}

/// What a machine would know.
fn facts() -> Facts {
    Facts {
        first_id: first_id(7),
        disks: [("/dev/vda".into(), (254, 0))].into(),
        devices: ["/dev/snd", "/dev/ttyUSB0", "/dev"].map(|path| (path.into(), devices(path))).into(),
        thermal: vec!["/sys/devices/system/cpu/cpu0/thermal_throttle".into()],
        files: "/run/orlop/containers/NAME".into(),
        dev: "/run/orlop/dev".into(),
        volumes: "/run/orlop/volumes".into(),
        pods: "/run/orlop/pods".into(),
        volume_sizes: [("data".into(), 1 << 20)].into(),
        ..Facts::default()
    }
}

/// One line a step. Programs of filters are as long as their rules: their length says enough here.
fn steps(spec: &Spec, root: &Root) -> String {
    let plan = match plan(spec, root) {
        Ok(plan) => plan,
        Err(refused) => return format!("refused: {refused}\n"),
    };
    let setup = plan.setup.iter().map(|step| format!("setup   {step:?}\n"));
    let inside = plan.inside.iter().map(|step| match step {
        InsideStep::Seccomp { program, flags, notifies } => {
            format!(
                "inside  Seccomp {{ {} instructions, flags: {flags:?}, notifies: {notifies} }}\n",
                program.len()
            )
        }
        step => format!("inside  {step:?}\n"),
    });
    setup.chain(inside).collect()
}

#[test]
fn a_configuration_becomes_this_spec_and_these_steps() {
    let mut wrong = Vec::new();
    for case in cases("toml") {
        let text = fs::read_to_string(&case).unwrap();
        let reading = read(&[Source { path: "case.toml".into(), text }]);
        assert!(!reading.has_errors(), "{}", case.display());
        let container = reading.config.containers.values().next().unwrap();
        let image = Defaults {
            entrypoint: vec!["/usr/bin/program".into()],
            environment: vec!["PATH=/usr/bin".into()],
            volumes: vec!["/var/lib/program".into()],
            ..Defaults::default()
        };
        let facts = facts();
        let spec = compile(container, &image, &facts);
        let json = serde_json::to_string_pretty(&spec).unwrap() + "\n";
        golden(&case.with_extension("json"), &json, &mut wrong);
        let root = root(container, &image, &facts, &["upper".into(), "lower".into()], 64 << 20);
        golden(&case.with_extension("steps"), &steps(&spec, &root), &mut wrong);
        // What is written can be read, and means the same.
        assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), spec);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// oci-spec has the types of another implementation: what it understands, and writes again, is what we wrote.
#[test]
fn another_implementation_reads_the_same() {
    for case in cases("toml") {
        let ours = fs::read_to_string(case.with_extension("json")).unwrap();
        let theirs: oci_spec::runtime::Spec =
            serde_json::from_str(&ours).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let again = serde_json::to_string(&theirs).unwrap();
        let [ours, again] = [&ours, &again].map(|text| {
            let mut spec: Spec = serde_json::from_str(text).unwrap();
            // To them these are sets.
            if let Some(sets) = spec.process.as_mut().and_then(|process| process.capabilities.as_mut()) {
                let all = [&mut sets.bounding, &mut sets.effective, &mut sets.permitted];
                all.into_iter().for_each(|set| set.sort());
            }
            spec
        });
        assert!(again == ours, "{}: {again:?}", case.display());
    }
}

#[test]
fn a_specification_becomes_these_steps() {
    let mut wrong = Vec::new();
    let of_toml = cases("toml");
    for case in cases("json").iter().filter(|case| !of_toml.contains(&case.with_extension("toml"))) {
        let spec: Spec = serde_json::from_str(&fs::read_to_string(case).unwrap()).unwrap();
        let root = Root::directory("/bundle/rootfs".into());
        golden(&case.with_extension("steps"), &steps(&spec, &root), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
