//! JSON that wants to be a specification: it is refused with a reason, or becomes steps; and what was
//! read is written so that the same steps come of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::container::spec::{Process, Spec};
use orlop::container::{Names, Root, When, plan, plan_exec, settings};

fuzz_target!(|bytes: &[u8]| {
    let Ok(spec) = serde_json::from_slice::<Spec>(bytes) else { return };
    let names = Names::default();
    let root = Root::directory("/b/rootfs".into());
    let planned = plan(&spec, &root);
    if let Err(refused) = &planned {
        assert!(!refused.field.is_empty() && !refused.why.is_empty());
    }
    let written = serde_json::to_vec(&spec).expect("a specification can be written");
    let again: Spec = serde_json::from_slice(&written).expect("and read");
    assert_eq!(spec, again);
    assert_eq!(planned, plan(&again, &root));
    let _ = plan_exec(&spec, spec.process.as_ref().unwrap_or(&Process::default()), &names);
    let _ = settings(&spec.linux.resources, When::Start);
});
