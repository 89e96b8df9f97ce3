//! What a specification says of resources: files of a cgroup, and a filter of devices.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::container::spec::{Device, Resources};
use orlop::container::{Present, When, devices, settings};

/// BPF_EXIT, linux/bpf_common.h.
const EXIT: u8 = 0x95;

fuzz_target!(|bytes: &[u8]| {
    let Ok((resources, declared)) = serde_json::from_slice::<(Resources, Vec<Device>)>(bytes) else {
        return;
    };
    let present = Present::read(|file| if file == "cpu.max" { "50000 100000".into() } else { "4096".into() });
    for when in [When::Start, When::Update(&present)] {
        match settings(&resources, when) {
            Ok(settings) => {
                for setting in settings {
                    assert!(!setting.file.contains('/') && !setting.value.contains('\0'));
                }
            }
            Err(refused) => assert!(!refused.to_string().is_empty()),
        }
    }
    let program = devices::rules(&resources.devices, &declared).and_then(|rules| devices::program(&rules));
    if let Ok(program) = program {
        assert!(program.last().is_some_and(|last| last.code == EXIT));
        for (at, instruction) in program.iter().enumerate() {
            let target = at + 1 + usize::try_from(instruction.offset).expect("jumps go forward");
            assert!(instruction.code == EXIT || target < program.len());
        }
    }
    let written = serde_json::to_vec(&resources).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<Resources>(&written).ok(), Some(resources));
});
