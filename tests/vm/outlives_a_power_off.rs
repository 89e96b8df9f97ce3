//! What a machine with a disk knows after a power-off: how containers ended, the configuration that was put in force
//! and confirmed, and how the machine's last end went.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::common::outside::Outside;
use crate::common::{Booted, container, world};

const HOST: &str =
    "[host]\nfault_injection = true\n[host.disk]\ndevice = \"LABEL=orlop\"\ntimeout = \"90s\"\n";

/// An empty file system for a machine, which outlives it.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        std::fs::File::create(disk.path()).unwrap().set_len(32 << 20).unwrap();
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-L", "orlop"]).arg(disk.path()).env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin");
        assert!(make.status().unwrap().success());
        disk
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("disk.img")
    }

    /// The same text is the same machine.
    fn boot(&self, containers: &str) -> Booted {
        let config = format!("{HOST}{containers}");
        let machine = world(&config).options(|options| options.disk = Some(self.path())).boot();
        machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
        machine
    }
}

fn text(answer: &Value) -> String {
    answer["text"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned() + "\n").collect()
}

/// Waits until the next boot is sure to have this configuration.
#[track_caller]
fn is_on_disk(machine: &Booted, number: u64) {
    let text = format!("configuration {number} is on the disk");
    machine.wait_for_console(&text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(machine.ok("ConfigHistory", json!({}))["on_disk"], json!(number));
}

fn numbers(machine: &Booted) -> Vec<u64> {
    let history = machine.ok("ConfigHistory", json!({}));
    history["versions"].as_array().unwrap().iter().map(|it| it["number"].as_u64().unwrap()).collect()
}

#[test]
fn ends_and_the_report_outlive_a_power_off() {
    let disk = Disk::new();
    let containers = [
        container("job", "each cat /etc/group , exit 3", "restart = \"no\""),
        container("gone", "exit 4", "restart = \"no\""),
        container("deaf", "ignore-term", "stop_grace_period = \"1s\""),
    ];
    let machine = disk.boot(&containers.concat());
    machine.wait("job", "failed");
    machine.wait("gone", "failed");
    machine.logged("deaf", "ignoring");
    let first = machine.ok("WhyShutdown", json!({}));
    assert_eq!((&first["before"], &first["unannounced"]), (&json!([]), &json!(false)), "{first}");
    machine.power_off();

    // Another boot, in which one is not declared any more.
    let kept = [&containers[0], &containers[2]].map(String::as_str).concat();
    let machine = disk.boot(&kept);
    machine.wait("job", "failed");
    let why = machine.ok("Why", json!({ "name": "job" }));
    let ends = why["ends"].as_array().unwrap();
    let told: Vec<_> = ends.iter().map(|end| (&end["generation"], &end["exit_code"])).collect();
    assert_eq!(told, [(&json!(1), &json!(3)), (&json!(1), &json!(3))], "{why}");
    assert!(ends[0]["boot"].is_string() && ends[0]["boot"] == why["boot_before"], "{why}");
    assert_eq!(ends[1]["boot"], Value::Null);
    assert!(text(&why).contains("in the boot before this one, 20"), "{why}");
    let shutdown = machine.ok("WhyShutdown", json!({}));
    let lines = shutdown["before"].as_array().unwrap();
    assert!(lines[0].as_str().unwrap().starts_with("shutdown: poweroff, asked for by "), "{shutdown}");
    let killed = "shutdown: deaf did not end within 1 s and was killed";
    assert!(lines.iter().any(|line| line == killed), "{shutdown}");
    assert!(text(&shutdown).contains("Of its end before this boot, at 20"), "{shutdown}");
    machine.power_off();

    let machine = disk.boot(&containers.concat());
    machine.wait("job", "failed");
    let why = text(&machine.ok("Why", json!({ "name": "job" })));
    for wanted in ["in an earlier boot, 20", "in the boot before this one, 20"] {
        assert!(why.contains(wanted), "{wanted}: {why}");
    }
    machine.wait("gone", "failed");
    let gone = machine.ok("Why", json!({ "name": "gone" }));
    assert_eq!(gone["ends"].as_array().unwrap().len(), 1, "what was not declared is forgotten: {gone}");
    machine.cut_power();

    // The last end was without a word, and the one before it is not told for it.
    let machine = disk.boot(&containers.concat());
    let shutdown = text(&machine.ok("WhyShutdown", json!({})));
    assert!(shutdown.contains("has not said on the disk how it ended"), "{shutdown}");
    machine.power_off();
}

#[test]
fn the_configuration_outlives_a_power_off() {
    let disk = Disk::new();
    let built_in = container("name", "each cat /etc/hostname , sleep", "");
    let machine = disk.boot(&built_in);
    machine.logged("name", "name");
    let orlop = Outside::of(&machine);
    let told = orlop.ok("config set container.name.hostname=second");
    assert!(told.ends_with("configuration 1 is in force; the disk keeps it for the next boot\n"), "{told}");
    is_on_disk(&machine, 1);
    drop(orlop);
    machine.cut_power();

    // What is not confirmed is not there after it; the one before is.
    let machine = disk.boot(&built_in);
    assert!(machine.logged("name", "second").contains("second"));
    assert_eq!(numbers(&machine), [0, 1]);
    let orlop = Outside::of(&machine);
    let (code, out, _) = orlop.run("config drift");
    assert_eq!(code, Some(3), "it is not what is in the folder: {out}");
    let folder = machine.folder.path().join("third");
    std::fs::create_dir_all(&folder).unwrap();
    let third =
        format!("{HOST}{}", container("name", "each cat /etc/hostname , sleep", "hostname = \"third\""));
    std::fs::write(folder.join("test.toml"), third).unwrap();
    orlop.ok(&format!("reload --confirm 1h {}", folder.display()));
    machine.logged("name", "third");
    drop(orlop);
    machine.cut_power();

    let machine = disk.boot(&built_in);
    assert!(machine.logged("name", "second").contains("second"));
    assert_eq!(numbers(&machine), [0, 1]);
    assert_eq!(machine.ok("ConfigHistory", json!({}))["notice"], Value::Null);
    // The next supervisor has it too, and the built-in one is never out of reach.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    assert_eq!(numbers(&machine), [0, 1]);
    let orlop = Outside::of(&machine);
    orlop.ok("config rollback --built-in");
    is_on_disk(&machine, 2);
    drop(orlop);
    machine.cut_power();

    let machine = disk.boot(&built_in);
    machine.logged("name", "name");
    let history = machine.ok("ConfigHistory", json!({}));
    assert_eq!((numbers(&machine), &history["notice"]), (vec![0, 1, 2], &Value::Null), "{history}");
    assert_eq!(history["versions"][2]["by"], "rollback, to the built-in one");
    machine.power_off();
}

#[test]
fn a_machine_that_is_built_anew_comes_up_as_it_is_built() {
    let disk = Disk::new();
    let machine = disk.boot(&container("name", "each cat /etc/hostname , sleep", ""));
    Outside::of(&machine).ok("config set container.name.hostname=second");
    is_on_disk(&machine, 1);
    machine.cut_power();

    // One comment more.
    let another = format!("# new\n{}", container("name", "each cat /etc/hostname , sleep", ""));
    let machine = disk.boot(&another);
    assert!(!machine.logged("name", "name").contains("second"));
    let notice =
        "the built-in configuration is in force: the one on the disk was made from another built-in one";
    machine.wait_for_console(notice).unwrap_or_else(|error| panic!("{error}"));
    let orlop = Outside::of(&machine);
    let history = orlop.ok("config history");
    assert!(history.starts_with(&format!("note: {notice}\n")), "{history}");
    assert!(orlop.ok("config drift").starts_with(&format!("note: {notice}\n")));
    assert_eq!(numbers(&machine), [0, 1, 2], "what was before can be read, and gone back to");
    drop(orlop);
    machine.cut_power();

    // Nobody has reloaded: the machine that it was made for has it still.
    let machine = disk.boot(&container("name", "each cat /etc/hostname , sleep", ""));
    machine.logged("name", "second");

    // Three supervisors that die with it are enough, in this boot and the next.
    machine.ok("DebugCrash", json!({ "process": "supervisor", "starts": 3 }));
    assert_eq!(machine.supervisor(5)["safe"], false);
    machine.wait_for_console("the one on the disk had three supervisors in a row die").unwrap();
    machine.logged("name", "name");
    is_on_disk(&machine, 2);
    machine.cut_power();
    let machine = disk.boot(&container("name", "each cat /etc/hostname , sleep", ""));
    assert!(!machine.logged("name", "name").contains("second"));
    machine.power_off();
}

#[test]
fn a_disk_that_is_missing_holds_a_boot_up_for_its_time_only() {
    let name = container("name", "each cat /etc/hostname , sleep", "");
    let config = format!("{}{name}", HOST.replace("90s", "20s"));
    let machine = world(&config).boot();
    // The machine answers meanwhile, and nothing is started.
    machine.wait("name", "waiting");
    let refused = machine.call("Reload", json!({ "sent": false })).unwrap_err();
    assert!(refused.to_string().contains("waits for the disk"), "{refused}");
    machine.logged("name", "name");
    let history = machine.ok("ConfigHistory", json!({}));
    let notice = history["notice"].as_str().unwrap();
    assert!(notice.contains("LABEL=orlop") && notice.contains("could not be read"), "{notice}");
    let boot = machine.ok("Boot", json!({}));
    let phase = boot["phases"].as_array().unwrap().iter().find(|it| it["name"] == "disk").unwrap();
    assert_eq!(phase["ok"], false, "{phase}");
    assert!(phase["duration_us"].as_u64() >= Some(20_000_000), "{phase}");
    machine.power_off();
}
