//! `blockIO`: weights and what a device may do in a second.

use alloc::format;

use super::super::refused::Refused;
use super::super::spec::{BlockIo, Throttle};
use super::{Missing, Settings};

/// Of cgroup v1's blkio.weight, and of the specification therefore.
const LIGHTEST: u16 = 10;
const HEAVIEST: u16 = 1_000;
/// 12 and 20 bits, linux/kdev_t.h.
const MAJORS: i64 = 1 << 12;
const MINORS: i64 = 1 << 20;

pub(super) fn settings(io: &BlockIo, settings: &mut Settings) -> Result<(), Refused> {
    if let Some(weight) = io.weight.filter(|weight| *weight != 0) {
        set_weight("", weight, "weight", settings)?;
    }
    no_leaf_weight(io.leaf_weight, "leafWeight")?;
    for device in &io.weight_device {
        no_leaf_weight(device.leaf_weight, "weightDevice.leafWeight")?;
        let Some(weight) = device.weight else {
            return Err(refused("weightDevice.weight", "is missing"));
        };
        let number = number(device.major, device.minor, "weightDevice")?;
        set_weight(&format!("{number} "), weight, "weightDevice.weight", settings)?;
    }
    for (field, key, throttles) in [
        ("throttleReadBpsDevice", "rbps", &io.throttle_read_bps_device),
        ("throttleWriteBpsDevice", "wbps", &io.throttle_write_bps_device),
        ("throttleReadIOPSDevice", "riops", &io.throttle_read_iops_device),
        ("throttleWriteIOPSDevice", "wiops", &io.throttle_write_iops_device),
    ] {
        for Throttle { major, minor, rate } in throttles {
            let number = number(*major, *minor, field)?;
            match rate {
                // As in cgroup v1; v2 refuses a 0.
                0 => settings.add("io.max", format!("{number} {key}=max")),
                _ => settings.add("io.max", format!("{number} {key}={rate}")),
            }
        }
    }
    Ok(())
}

fn refused(field: &str, why: impl Into<alloc::string::String>) -> Refused {
    Refused::new(format!("linux.resources.blockIO.{field}"), why)
}

/// The BFQ scheduler has the weights of the specification, where it is in use; else 10 to 1,000 is
/// spread over 1 to 10,000, as everybody does.
fn set_weight(device: &str, weight: u16, field: &str, settings: &mut Settings) -> Result<(), Refused> {
    if !(LIGHTEST..=HEAVIEST).contains(&weight) {
        return Err(refused(field, format!("{weight} is not from {LIGHTEST} to {HEAVIEST}")));
    }
    let spread = 1 + u64::from(weight - LIGHTEST) * 9_999 / u64::from(HEAVIEST - LIGHTEST);
    let missing = Missing::Instead { file: "io.weight".into(), value: format!("{device}{spread}") };
    settings.push("io.bfq.weight", format!("{device}{weight}"), missing);
    Ok(())
}

fn no_leaf_weight(weight: Option<u16>, field: &str) -> Result<(), Refused> {
    match weight {
        None | Some(0) => Ok(()),
        Some(_) => Err(refused(field, "in cgroup v2 processes do not compete with groups below theirs")),
    }
}

fn number(major: i64, minor: i64, field: &str) -> Result<alloc::string::String, Refused> {
    if (0..MAJORS).contains(&major) && (0..MINORS).contains(&minor) {
        return Ok(format!("{major}:{minor}"));
    }
    Err(refused(field, format!("{major}:{minor} is no number of a device")))
}
