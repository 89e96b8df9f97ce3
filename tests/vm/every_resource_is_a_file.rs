//! What a specification asks for is what the kernel takes, file by file: at a start, and in updates of
//! which each would be refused in another order.

use orlop::container::spec::Resources;
use orlop::container::{Missing, Present, Setting, When, settings};

use crate::common::{container, world};

const GROUP: &str = "/w/cgroup/containers/try";

const START: &str = r#"{
    "memory": { "limit": 67108864, "swap": 100663296, "reservation": 8388608 },
    "cpu": { "shares": 2048, "quota": 50000, "period": 100000, "burst": 20000, "cpus": "0", "mems": "0" },
    "pids": { "limit": 99 },
    "blockIO": {
        "weight": 500,
        "throttleReadBpsDevice": [{ "major": 254, "minor": 0, "rate": 1048576 }],
        "throttleWriteIOPSDevice": [{ "major": 254, "minor": 0, "rate": 77 }]
    },
    "hugepageLimits": [{ "pageSize": "2MB", "limit": 4194304 }],
    "unified": { "memory.high": "50331648", "cgroup.max.depth": "3", "memory.oom.group": "1" }
}"#;

/// Names and what they hold.
type Files = &'static [(&'static str, &'static str)];

/// An update, what the files that it depends on said before, and what the named files say afterwards.
const UPDATES: [(&str, Files, Files); 8] = [
    (r#"{ "cpu": { "period": 200000 } }"#, &[("cpu.max", "50000 100000")], &[("cpu.max", "50000 200000")]),
    (
        r#"{ "cpu": { "quota": 150000, "burst": 140000 } }"#,
        &[],
        &[("cpu.max", "150000 200000"), ("cpu.max.burst", "140000")],
    ),
    (
        r#"{ "cpu": { "quota": 30000, "burst": 1000 } }"#,
        &[],
        &[("cpu.max", "30000 200000"), ("cpu.max.burst", "1000")],
    ),
    (r#"{ "cpu": { "quota": -1 } }"#, &[], &[("cpu.max", "max 200000")]),
    (r#"{ "cpu": { "idle": 1, "shares": 512 } }"#, &[], &[("cpu.idle", "1"), ("cpu.weight", "1")]),
    (r#"{ "cpu": { "idle": 0, "shares": 1024 } }"#, &[], &[("cpu.idle", "0"), ("cpu.weight", "100")]),
    (r#"{ "memory": { "swap": 67112960 } }"#, &[("memory.max", "67108864")], &[("memory.swap.max", "4096")]),
    (r#"{ "memory": { "limit": -1 } }"#, &[], &[("memory.max", "max"), ("memory.swap.max", "max")]),
];

const STARTED: [(&str, &str); 15] = [
    ("memory.max", "67108864"),
    ("memory.swap.max", "33554432"),
    ("memory.low", "8388608"),
    ("memory.high", "50331648"),
    ("memory.oom.group", "1"),
    ("cpu.weight", "174"),
    ("cpu.max", "50000 100000"),
    ("cpu.max.burst", "20000"),
    ("cpuset.cpus", "0"),
    ("cpuset.mems", "0"),
    ("pids.max", "99"),
    ("io.max", "254:0 rbps=1048576 wbps=max riops=max wiops=77"),
    ("hugetlb.2MB.max", "4194304"),
    ("hugetlb.2MB.rsvd.max", "4194304"),
    ("cgroup.max.depth", "3"),
];

/// What is to be asked, and what is to be answered.
#[derive(Default)]
struct Plan(Vec<(String, String)>);

impl Plan {
    fn ask(&mut self, errand: String, answer: &str) {
        self.0.push((errand, answer.to_owned()));
    }

    fn write(&mut self, resources: &str, when: When<'_>) {
        let resources: Resources = serde_json::from_str(resources).unwrap();
        for Setting { file, value, missing, .. } in settings(&resources, when).unwrap() {
            match missing {
                Missing::Refuse | Missing::Pass => self.ask(format!("write {GROUP}/{file} {value}"), "ok"),
                // BFQ is a module that the machine does not load.
                Missing::Instead { file: other, value: another } => {
                    self.ask(format!("write {GROUP}/{file} {value}"), "ENOENT");
                    self.ask(format!("write {GROUP}/{other} {another}"), "ok");
                }
            }
        }
    }

    fn read(&mut self, expected: &[(&str, &str)]) {
        for (file, value) in expected {
            self.ask(format!("read {GROUP}/{file}"), value);
        }
    }
}

#[test]
fn every_resource_is_a_file() {
    let mut plan = Plan::default();
    plan.ask("mount cgroup2 /w/cgroup nsdelegate,memory_recursiveprot".into(), "ok");
    plan.ask("wait /w/cgroup/containers/web/main/cgroup.procs".into(), "ok");
    plan.ask(format!("mkdir {GROUP}"), "ok");
    plan.write(START, When::Start);
    plan.read(&STARTED);
    for (update, before, after) in UPDATES {
        let file = |name: &str| before.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        let present = Present::read(|name| file(name).unwrap_or_default());
        plan.write(update, When::Update(&present));
        plan.read(after);
    }
    let errands: Vec<String> = plan.0.iter().map(|(errand, _)| errand.clone()).collect();

    let disk = "limits = { io = [{ device = \"/dev/vda\", rbps = \"1M\" }] }";
    let world = world(&container("web", "sleep", disk)).witness(&errands);
    let disk = world.config().join("../disk");
    std::fs::File::create(&disk).unwrap().set_len(1 << 20).unwrap();
    let machine = world.options(|options| options.disk = Some(disk)).boot();
    let expected: Vec<String> = plan.0.iter().map(|(errand, answer)| format!("{errand}: {answer}")).collect();
    assert_eq!(machine.witnessed(), expected);
    machine.power_off();
}
