//! TOML: whatever stands in a configuration, it is read, and every mistake can be shown.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::config::{Source, read};

fuzz_target!(|text: &str| {
    let source = Source { path: String::from("fuzz.toml"), text: text.to_owned() };
    let sources = [source];
    let reading = read(&sources);
    for diagnostic in &reading.diagnostics {
        assert!(!diagnostic.to_string().is_empty());
    }
    for name in reading.config.invalid.keys() {
        assert!(!reading.config.containers.contains_key(name), "{name} is invalid and would run");
    }
});
