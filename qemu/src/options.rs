//! What a machine is made of: its files, its size, and what of it is reachable from the host.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How the guest's instructions are executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// KVM when a trial shows that it works, else emulation.
    Auto,
    Kvm,
    /// Software emulation.
    Emulated,
    /// Software emulation in which guest time is the number of instructions executed: exact and
    /// repeatable, for measurements. One CPU only.
    InstructionCount,
}

/// Where the console is written beside the machine's memory of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConsoleCopy {
    None,
    Terminal,
    File(PathBuf),
}

/// One port of the host that leads to one of the guest, TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish {
    pub address: IpAddr,
    /// 0: a free one, see [`crate::Machine::published`].
    pub host: u16,
    pub guest: u16,
}

/// What follows when the guest resets the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    /// That was its end.
    Ends,
    /// It boots again, with what its memory holds.
    Boots,
}

#[derive(Debug, Clone)]
pub struct Options {
    /// Holds `vmlinuz`, `initrd.img` and `cmdline`.
    pub directory: PathBuf,
    /// Bytes.
    pub memory: u64,
    pub cpus: u32,
    pub publish: Vec<Publish>,
    /// A raw image, seen as the first virtio disk.
    pub disk: Option<PathBuf>,
    pub reset: Reset,
    /// Appended to `cmdline`.
    pub kernel_words: Vec<String>,
    pub accelerator: Accelerator,
    pub console: ConsoleCopy,
    /// How long each wait lasts at most.
    pub deadline: Duration,
}

impl Options {
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            memory: 256 << 20,
            // Two emulated CPUs can die in the kernel's patching of its own text.
            cpus: 1,
            publish: Vec::new(),
            disk: None,
            reset: Reset::Ends,
            kernel_words: Vec::new(),
            accelerator: Accelerator::Auto,
            console: ConsoleCopy::None,
            // An emulated machine on a busy host takes some 10 s to boot; ten times that is a hang.
            deadline: Duration::from_secs(100),
        }
    }
}

/// `[ADDRESS:]HOST:GUEST`; the address is loopback unless it is given.
impl FromStr for Publish {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not [ADDRESS:]HOST:GUEST, like 8080:80");
        let (rest, guest) = text.rsplit_once(':').ok_or_else(wrong)?;
        let (address, host) = match rest.rsplit_once(':') {
            Some((address, host)) => (address.parse().map_err(|_| wrong())?, host),
            None => (IpAddr::from([127, 0, 0, 1]), rest),
        };
        let IpAddr::V4(_) = address else {
            return Err(format!("`{text}`: QEMU publishes on IPv4 addresses only"));
        };
        let guest = guest.parse().map_err(|_| wrong())?;
        if guest == 0 {
            return Err(wrong());
        }
        Ok(Self { address, host: host.parse().map_err(|_| wrong())?, guest })
    }
}

/// `256M`, `1G`; whole MiB, because that is what QEMU takes.
pub fn parse_memory(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size in M or G, like 256M");
    let (digits, shift) = match text.strip_suffix(['G', 'g']) {
        Some(digits) => (digits, 30),
        None => (text.strip_suffix(['M', 'm']).ok_or_else(wrong)?, 20),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_publish(text: &str, expected: Result<&str, &str>) {
        let found = text.parse::<Publish>().map(|p| format!("{} {} {}", p.address, p.host, p.guest));
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn publishes_on_loopback_unless_told() {
        check_publish("8080:80", Ok("127.0.0.1 8080 80"));
        check_publish("0.0.0.0:8080:80", Ok("0.0.0.0 8080 80"));
        check_publish("0:80", Ok("127.0.0.1 0 80"));
    }

    #[test]
    fn refuses_what_is_no_pair_of_ports() {
        for text in ["80", "a:80", "8080:", "8080:0", "8080:99999", "host:1:2"] {
            check_publish(text, Err(&format!("`{text}` is not [ADDRESS:]HOST:GUEST, like 8080:80")));
        }
        check_publish("::1:1:2", Err("`::1:1:2`: QEMU publishes on IPv4 addresses only"));
    }

    #[test]
    fn reads_sizes_with_their_unit_only() {
        for (text, expected) in [
            ("96M", Some(96 << 20)),
            ("1g", Some(1 << 30)),
            ("256", None),
            ("0M", None),
            ("99999999999999999G", None),
        ] {
            assert_eq!(parse_memory(text).ok(), expected, "{text}");
        }
    }
}
