//! /etc/passwd and /etc/group of an image: whatever they hold, a number is never another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orlop::container::spec::User;
use orlop::container::{Names, resolve};

fuzz_target!(|input: (&str, &str, &str, u32)| {
    let (passwd, group, name, number) = input;
    let user = User { uid: number, gid: number, ..User::default() };
    let exact = resolve(&user, &Names::default(), passwd, group).expect("numbers need not be there");
    assert_eq!((exact.uid, exact.gid), (number, number));
    assert!(exact.groups.is_empty());
    // It says nothing to the kernel, and is nobody's.
    if number == u32::MAX {
        return;
    }
    let by_number = Names { user: Some(number.to_string()), groups: Vec::new() };
    let found = resolve(&user, &by_number, passwd, group).expect("numbers need not be there");
    assert_eq!(found.uid, number);
    let by_name = Names { user: Some(name.to_owned()), groups: vec![name.to_owned()] };
    let _ = resolve(&user, &by_name, passwd, group);
});
