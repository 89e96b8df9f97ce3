//! What a [`Machine`] promises to a test that drives it.

use std::time::Duration;

use orlop_vm::{Accelerator, End, Error, Machine, Options};
use serde_json::{Value, json};

use crate::guest;

#[test]
fn boots_speaks_and_tells_a_power_off() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    let answer = machine.call("org.orlop.Test.Echo", json!({ "text": "ahoy" })).unwrap();
    assert_eq!(answer, json!({ "text": "ahoy" }));
    machine.wait_for_console("guest: up").unwrap();
    machine.wait_for("web", "running").unwrap();

    let refused = machine.call("org.orlop.Test.Nothing", json!({})).unwrap_err();
    assert_eq!(refused.refusal(), Some("org.varlink.service.MethodNotFound"));
    let mut numbers = Vec::new();
    let count = |answer: Value| {
        numbers.extend(answer.get("number").and_then(Value::as_u64));
        true
    };
    machine.stream("org.orlop.Test.Count", json!({}), count).unwrap();
    assert_eq!(numbers, [1, 2, 3]);

    machine.power_button().unwrap();
    assert_eq!(machine.wait_for_end().unwrap(), End::PoweredOff);
    assert!(machine.console().contains("guest: power button"));
}

#[test]
fn sessions_survive_what_a_former_client_left() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    for _ in 0..20 {
        // More than there are ports, so that each is used again.
        let mut client = machine.connect().unwrap();
        client.send("org.orlop.Test.Half", &json!({}), false).unwrap();
        client.send_raw(b"{\"method\":\"org.orl").unwrap();
    }
    for _ in 0..10 {
        machine.call("org.orlop.Test.Echo", json!({ "text": "still there" })).unwrap();
    }
    let leases: Vec<_> = (0..8).map(|_| machine.connect().unwrap()).collect();
    assert!(matches!(machine.connect(), Err(Error::NoPort)));
    drop(leases);
    machine.connect().unwrap();
}

#[test]
fn ctrl_alt_del_ends_in_a_reboot() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    machine.wait_for_console("guest: up").unwrap();
    machine.control_alt_delete().unwrap();
    assert_eq!(machine.wait_for_end().unwrap(), End::Rebooted);
    assert!(machine.console().contains("guest: ctrl-alt-del"));
}

#[test]
fn a_panic_is_told_from_a_reboot_and_from_a_failed_wait() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    // There is no answer: the kernel dies in this call.
    let mut client = machine.connect().unwrap();
    client.send("org.orlop.Test.Panic", &json!({}), false).unwrap();
    let error = machine.wait_for_console("something else").unwrap_err();
    assert!(matches!(error, Error::KernelDied { .. }), "{error}");
    assert!(error.to_string().contains("sysrq_handle_crash"), "{error}");
    assert_eq!(machine.wait_for_end().unwrap(), End::Panicked);
}

#[test]
fn a_starved_watchdog_is_told_from_a_reboot() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    machine.call("org.orlop.Test.Starve", json!({})).unwrap();
    assert_eq!(machine.wait_for_end().unwrap(), End::Watchdog);
}

#[test]
fn a_wait_that_fails_shows_the_console_and_ends_the_machine() {
    let built = guest::build();
    let options = Options { deadline: Duration::from_secs(20), ..built.options().clone() };
    let machine = Machine::boot(&options).unwrap();
    machine.wait_for_console("guest: up").unwrap();
    let error = machine.wait_until("web", "web to fly", |_| false).unwrap_err().to_string();
    assert!(error.starts_with("waited 20 s for web to fly; it is {"), "{error}");
    assert!(error.contains("guest: up"), "{error}");
    assert_eq!(machine.wait_for_end().unwrap(), End::Killed { signal: 9 });
}

#[test]
fn a_question_is_asked_again_when_its_answerer_died() {
    let built = guest::build();
    let machine = built.boot().unwrap();
    machine.wait_for_console("guest: up").unwrap();
    // The guest forgets the session of the first of these calls, as a new supervisor does.
    machine.ask("org.orlop.Test.Forget", json!({})).unwrap();
}

#[test]
fn says_what_qemu_says_when_it_cannot_start() {
    let built = guest::build();
    let options = Options { disk: Some("/no/such,disk".into()), ..built.options().clone() };
    let error = Machine::boot(&options).err().map(|e| e.to_string()).unwrap_or_default();
    assert!(error.contains("QEMU ended with code 1") && error.contains("/no/such,disk"), "{error}");
}

#[test]
fn refuses_a_folder_without_a_kernel_by_name() {
    let error = Machine::boot(&Options::new("/no/such/folder")).err().map(|e| e.to_string());
    let expected = "open /no/such/folder/vmlinuz: No such file or directory (os error 2): \
                    `orlop-image build CONFIG -o /no/such/folder` makes such a folder";
    assert_eq!(error.as_deref(), Some(expected));
}

#[test]
fn a_published_port_leads_into_the_machine() {
    use std::io::{Read, Write};
    let built = guest::build();
    let publish = vec!["0:80".parse().unwrap()];
    let machine = Machine::boot(&Options { publish, ..built.options().clone() }).unwrap();
    machine.wait_for_console("serving on 80").unwrap();
    let port = machine.published(80).unwrap();
    let mut page = String::new();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.ends_with("hello from the payload\n"), "{page}");
}

#[test]
fn uses_kvm_only_when_it_works() {
    let built = guest::build();
    let options = Options { accelerator: Accelerator::Auto, ..built.options().clone() };
    let machine = Machine::boot(&options).unwrap();
    machine.wait_for_console("guest: up").unwrap();
    assert_ne!(machine.accelerator(), Accelerator::Auto);
}

#[test]
fn counts_instructions_instead_of_time() {
    let built = guest::build();
    let options = Options { accelerator: Accelerator::InstructionCount, ..built.options().clone() };
    let machine = Machine::boot(&options).unwrap();
    machine.wait_for_console("guest: up").unwrap();
    machine.cut_power();
    assert_eq!(machine.wait_for_end().unwrap(), End::Killed { signal: 9 });
}
