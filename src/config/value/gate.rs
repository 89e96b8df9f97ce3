//! Gates: `network-online`, `time-synced`, `boot-complete`, `path:/run/ready`, `device:/dev/ttyUSB0`.

use super::super::diagnostic::Mistake;
use super::super::life::Gate;
use super::super::nearest::nearest;
use super::{device, path};
use alloc::format;
use core::fmt;

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = "^(network-online|time-synced|boot-complete|path:/.*|device:/dev/.+)$";

const NETWORK_ONLINE: &str = "network-online";
const TIME_SYNCED: &str = "time-synced";
const BOOT_COMPLETE: &str = "boot-complete";
const WORDS: [&str; 5] = [NETWORK_ONLINE, TIME_SYNCED, BOOT_COMPLETE, "path:", "device:"];

pub(crate) fn gate(text: &str) -> Result<Gate, Mistake> {
    match text {
        NETWORK_ONLINE => return Ok(Gate::NetworkOnline),
        TIME_SYNCED => return Ok(Gate::TimeSynced),
        BOOT_COMPLETE => return Ok(Gate::BootComplete),
        _ => {}
    }
    if let Some(path) = text.strip_prefix("path:") {
        return path::absolute(path).map(Gate::Path);
    }
    if let Some(device) = text.strip_prefix("device:") {
        return device::source(device).map(Gate::Device);
    }
    let mistake = Mistake::new(format!("\"{text}\" is no gate"));
    let help = if text.starts_with("/dev/") {
        format!("write \"device:{text}\"")
    } else if text.starts_with('/') {
        format!("write \"path:{text}\"")
    } else if let Some(near) = nearest(text, WORDS) {
        format!("did you mean \"{near}\"?")
    } else {
        format!("one of {NETWORK_ONLINE}, {TIME_SYNCED}, {BOOT_COMPLETE}, path:/a/file, device:/dev/name")
    };
    Err(mistake.help(help))
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkOnline => f.write_str(NETWORK_ONLINE),
            Self::TimeSynced => f.write_str(TIME_SYNCED),
            Self::BootComplete => f.write_str(BOOT_COMPLETE),
            Self::Path(path) => write!(f, "path:{path}"),
            Self::Device(path) => write!(f, "device:{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_gate_is_a_word_or_a_place_on_the_machine() {
        for text in [
            "network-online",
            "time-synced",
            "boot-complete",
            "path:/run/ready",
            "path:/",
            "device:/dev/ttyUSB0",
        ] {
            assert_eq!(gate(text).unwrap().to_string(), text);
        }
        assert_eq!(gate("path://run/./ready/").unwrap(), Gate::Path("/run/ready".into()));
        for (text, help) in [
            ("network_online", "did you mean \"network-online\"?"),
            ("/dev/sda", "write \"device:/dev/sda\""),
            ("/run/x", "write \"path:/run/x\""),
            ("path:run/x", "write \"/run/x\""),
            ("moon", "one of network-online, time-synced"),
        ] {
            let mistake = gate(text).unwrap_err();
            assert!(mistake.help.unwrap_or_default().contains(help), "{text}");
        }
        for text in ["", "path:", "device:", "device:/etc/passwd", "device:sda", "path:/a/../b"] {
            assert!(gate(text).is_err(), "{text}");
        }
    }
}
