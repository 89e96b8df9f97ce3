//! What the machine has besides its containers: a watchdog, a disk.

use alloc::string::String;
use core::time::Duration;

/// What resets the machine when it stands still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    pub device: String,
    pub timeout: Duration,
}

impl Default for Watchdog {
    fn default() -> Self {
        Self { device: String::from("/dev/watchdog"), timeout: Duration::from_secs(60) }
    }
}

/// What is kept over a power-off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub device: DiskName,
    /// Of its file system, as the kernel calls it.
    pub kind: String,
    /// All logs on it, bytes at most.
    pub logs: u64,
    /// How long a boot waits for it.
    pub timeout: Duration,
}

/// How a disk is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskName {
    /// Below /dev.
    Path(String),
    Label(String),
    /// As people write it, in small letters.
    Uuid(String),
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            device: DiskName::Path(String::new()),
            kind: String::from("ext4"),
            logs: 256 << 20,
            timeout: Duration::from_secs(10),
        }
    }
}
