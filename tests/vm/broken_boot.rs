//! Whatever is wrong with what the machine is given, it boots as far as it can, says why, and answers.

use serde_json::{Value, json};

use crate::common::{Booted, container, world};

/// Where the builder puts what `world` writes.
const CONFIG: &str = "/orlop/config/test.toml";

fn phase(machine: &Booted, name: &str) -> Value {
    let boot = machine.ok("Boot", json!({}));
    let phases = boot["phases"].as_array().unwrap();
    phases.iter().find(|phase| phase["name"] == name).unwrap_or_else(|| panic!("no {name}: {boot}")).clone()
}

fn on_console(machine: &Booted, text: &str) {
    machine.wait_for_console(text).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn an_unreadable_configuration_leaves_a_machine_that_answers() {
    let machine = world(&container("web", "sleep", "")).smuggle(CONFIG, "[host\nhostname = = 7\n").boot();
    on_console(&machine, "boot complete");
    on_console(&machine, "test.toml:1");
    assert_eq!(machine.ok("List", json!({}))["containers"], json!([]));
    let configuration = phase(&machine, "configuration");
    assert_eq!(configuration["ok"], false, "{configuration}");
    machine.power_off();
}

#[test]
fn a_configuration_that_is_not_there_leaves_a_machine_that_answers() {
    let machine = world(&container("web", "sleep", ""))
        .options(|options| {
            options.kernel_words = ["orlop.config=/nowhere", "orlop.colour=blue"].map(str::to_owned).to_vec();
        })
        .boot();
    on_console(&machine, "boot complete");
    on_console(&machine, "/nowhere: No such file or directory");
    on_console(&machine, "orlop.colour: no such word; orlop.config and orlop.log are known");
    assert_eq!(phase(&machine, "configuration")["ok"], false);
    machine.power_off();
}

#[test]
fn a_wrong_container_does_not_stop_the_others() {
    let wrong = container("wrong", "sleep", "colour = \"blue\"");
    let imageless = container("imageless", "sleep", "").replace("dir:payload", "dir:nowhere");
    let right = container("right", "sleep", "");
    let toml = format!("[host]\nmodules = [\"no-such-module\"]\n{wrong}\n{imageless}\n{right}");
    let machine = world(&right).smuggle(CONFIG, &toml).boot();
    machine.wait("right", "running");
    let wrong = machine.wait("wrong", "invalid");
    assert_eq!(wrong["cause"]["kind"], "config", "{wrong}");
    let status = machine.ok("Status", json!({ "name": "wrong" }));
    assert!(status["details"]["problems"][0].as_str().unwrap().contains("colour"), "{status}");
    let imageless = machine.wait("imageless", "invalid");
    assert_eq!(imageless["cause"]["kind"], "image", "{imageless}");
    assert!(imageless["cause"]["text"].as_str().unwrap().contains("nowhere"), "{imageless}");
    // A phase that failed is shown, and the boot went on.
    on_console(&machine, "boot complete");
    let modules = phase(&machine, "modules");
    assert_eq!(modules["ok"], false, "{modules}");
    assert!(modules["error"].as_str().unwrap().contains("no-such-module"), "{modules}");
    machine.power_off();
}

#[test]
fn a_kernel_without_a_controller_fails_who_needs_it_and_nobody_else() {
    let limited = container("limited", "sleep", "limits = { memory = \"24M\" }\nrestart = \"no\"");
    let machine = world(&(limited + &container("web", "sleep", "")))
        .cmdline(|words| format!("{words} cgroup_disable=memory"))
        .boot();
    let web = machine.wait("web", "running");
    assert_eq!(web["restarts"], 0, "{web}");
    let limited = machine.wait("limited", "failed");
    assert!(limited["cause"]["text"].as_str().unwrap().contains("memory.max"), "{limited}");
    machine.power_off();
}

fn without_consoles(words: &str) -> String {
    words.split(' ').filter(|word| !word.starts_with("console=")).collect::<Vec<_>>().join(" ")
}

#[test]
fn no_console_at_all_does_not_hurt() {
    for console in ["", " console=null"] {
        let change = move |words: &str| without_consoles(words) + console;
        let machine = world(&container("web", "sleep", "")).cmdline(change).boot();
        machine.wait("web", "running");
        assert_eq!(machine.console(), "", "there is a console");
        machine.power_off();
    }
}

#[test]
fn three_containers_run_in_96_mib() {
    let names = ["one", "two", "three"];
    let toml = names.map(|name| container(name, "hog 2", "")).join("\n");
    let machine = world(&toml).options(|options| options.memory = 96 << 20).boot();
    for name in names {
        machine.wait(name, "running");
    }
    on_console(&machine, "boot complete");
    for name in names {
        machine.until(name, "to hold its memory", |_| machine.logs(name).contains("holding 2 MB"));
        let container = machine.wait(name, "running");
        assert_eq!(container["restarts"], 0, "{container}");
    }
    machine.power_off();
}
