//! Options of a mount: every word is an option of the mount, one of its file system, or refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::container::MountOptions;

fuzz_target!(|text: &str| {
    let options: Vec<String> = text.split(',').map(String::from).collect();
    let Ok(read) = MountOptions::read(&options) else { return };
    assert_eq!(read.attributes.set & read.attributes.clear & 0x20_008f, 0, "set and cleared at once");
    assert!(read.data.len() + read.propagation.len() <= options.len());
});
