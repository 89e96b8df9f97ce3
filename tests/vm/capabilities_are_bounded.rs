//! Root has the default capabilities and no others; `cap_add` and `cap_drop` change just that.

use crate::common::{container, section, value, world};

/// CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE.
const DEFAULT: u64 = 0x5fb;
const CHOWN: u64 = 1;
const NET_RAW: u64 = 1 << 13;
const SYS_TIME: u64 = 1 << 25;

#[test]
fn capabilities_are_bounded() {
    let cases = [
        ("default", "", DEFAULT, DEFAULT),
        (
            "added",
            "cap_add = [\"NET_RAW\", \"CAP_SYS_TIME\"]",
            DEFAULT | NET_RAW | SYS_TIME,
            DEFAULT | NET_RAW | SYS_TIME,
        ),
        ("dropped", "cap_drop = [\"CHOWN\"]", DEFAULT & !CHOWN, DEFAULT & !CHOWN),
        ("one", "cap_drop = [\"ALL\"]\ncap_add = [\"CHOWN\"]", CHOWN, CHOWN),
        ("none", "cap_drop = [\"ALL\"]", 0, 0),
        ("user", "user = \"web\"", DEFAULT, 0),
    ];
    let config: String = cases.iter().map(|(name, more, ..)| container(name, "each ids", more)).collect();
    let machine = world(&config).boot();
    for (name, _, bounding, effective) in cases {
        let log = machine.logged(name, "== end");
        let ids = section(&log, "ids");
        let expected = [
            ("CapInh", 0),
            ("CapPrm", effective),
            ("CapEff", effective),
            ("CapBnd", bounding),
            ("CapAmb", 0),
        ];
        for (set, bits) in expected {
            assert_eq!(value(ids, set), format!("{bits:016x}"), "{name}: {set}");
        }
    }
    machine.power_off();
}
