//! A machine's options → QEMU's command line. Pure, so that a test can read it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use crate::launch::{CONSOLE_FD, MONITOR_FD};
use crate::options::{Accelerator, Options, Reset};
use crate::ports::{PORTS, socket_path};

/// What the options do not say: where this start's sockets are.
pub(crate) struct Wiring<'a> {
    /// Holds the sockets of the control ports.
    pub(crate) directory: &'a Path,
    /// The file `cmdline`, with the additional words.
    pub(crate) cmdline: &'a str,
}

/// The processor of an emulated machine. `cx16=off`: QEMU 7.2 now and then loses the flags at a
/// `cmpxchg16b`, which kills one boot in five (tried, 1 CPU; never without it in 50). `la57=off`:
/// a fifth level of page tables only makes emulated page walks longer.
const EMULATED_CPU: &str = "max,cx16=off,la57=off";

/// Never `Auto`: that is decided before.
pub(crate) fn arguments(options: &Options, accelerator: Accelerator, wiring: &Wiring<'_>) -> Vec<OsString> {
    let mut line = Line(Vec::new());
    line.flags(&["-nodefaults", "-no-user-config"]);
    if options.reset == Reset::Ends {
        line.flags(&["-no-reboot"]);
    }
    // The HPET stays on: without it guests' clocks ran fast. No microvm machine: it has neither
    // HPET nor PM timer, and on a busy host its kernel cannot calibrate a clock and hangs.
    line.pair("-machine", "q35,hpet=on");
    line.pair("-display", "none");
    line.accelerator(accelerator);
    line.pair("-m", &format!("{}M", options.memory >> 20));
    line.pair("-smp", &options.cpus.to_string());
    line.pair_os("-kernel", options.directory.join("vmlinuz").into());
    line.pair_os("-initrd", options.directory.join("initrd.img").into());
    line.pair("-append", wiring.cmdline);
    line.pair("-chardev", &format!("socket,id=console,fd={}", CONSOLE_FD));
    line.pair("-serial", "chardev:console");
    line.pair("-chardev", &format!("socket,id=monitor,fd={}", MONITOR_FD));
    line.pair("-mon", "chardev=monitor,mode=control");
    line.control_ports(wiring.directory);
    line.network(options);
    if let Some(disk) = &options.disk {
        line.pair_os("-drive", with_path("if=none,id=disk,format=raw,file=", disk));
        // In a slot of its own: see `disk.rs` for what may befall it there.
        line.pair("-device", "pcie-root-port,id=diskport,chassis=1");
        line.pair("-device", "virtio-blk-pci,drive=disk,id=disk,bus=diskport");
    }
    line.pair("-device", "i6300esb");
    line.pair("-device", "pvpanic-pci");
    line.0
}

struct Line(Vec<OsString>);

impl Line {
    fn flags(&mut self, flags: &[&str]) {
        self.0.extend(flags.iter().map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: &str) {
        self.flags(&[option, value]);
    }

    fn pair_os(&mut self, option: &str, value: OsString) {
        self.flags(&[option]);
        self.0.push(value);
    }

    fn accelerator(&mut self, accelerator: Accelerator) {
        match accelerator {
            Accelerator::Kvm => {
                self.pair("-accel", "kvm");
                self.pair("-cpu", "host");
            }
            Accelerator::Auto | Accelerator::Emulated => {
                self.pair("-accel", "tcg");
                self.pair("-cpu", EMULATED_CPU);
            }
            Accelerator::InstructionCount => {
                self.pair("-accel", "tcg,thread=single");
                self.pair("-icount", "shift=0,sleep=off");
                self.pair("-cpu", EMULATED_CPU);
            }
        }
    }

    fn control_ports(&mut self, directory: &Path) {
        // Port 0 of the bus is kept for a console.
        self.pair("-device", &format!("virtio-serial-pci,max_ports={}", PORTS.saturating_add(1)));
        for index in 0..PORTS {
            let head = format!("socket,id=control{index},server=on,wait=off,path=");
            self.pair_os("-chardev", with_path(&head, &socket_path(directory, index)));
            let port = format!("virtserialport,chardev=control{index},name=org.orlop.control.{index}");
            self.pair("-device", &port);
        }
    }

    fn network(&mut self, options: &Options) {
        let mut network = String::from("user,id=network");
        for publish in &options.publish {
            let (address, host, guest) = (publish.address, publish.host, publish.guest);
            network.push_str(&format!(",hostfwd=tcp:{address}:{host}-:{guest}"));
        }
        self.pair("-netdev", &network);
        // No ROM: nothing boots from the network.
        self.pair("-device", "virtio-net-pci,netdev=network,romfile=");
    }
}

/// QEMU's option lists are split at commas; a doubled one stands for itself.
fn with_path(head: &str, path: &Path) -> OsString {
    let mut value = head.as_bytes().to_vec();
    for byte in OsStr::as_bytes(path.as_os_str()) {
        value.push(*byte);
        if *byte == b',' {
            value.push(b',');
        }
    }
    OsString::from_vec(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(change: impl FnOnce(&mut Options), accelerator: Accelerator) -> String {
        let mut options = Options::new("/built");
        change(&mut options);
        let wiring = Wiring { directory: Path::new("/run"), cmdline: "console=ttyS0" };
        let words = arguments(&options, accelerator, &wiring);
        words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    fn check(change: impl FnOnce(&mut Options), accelerator: Accelerator, expected: &[&str]) {
        let line = line(change, accelerator);
        for words in expected {
            assert!(line.contains(words), "{words}\nis not in\n{line}");
        }
    }

    #[test]
    fn a_machine_has_what_orlop_looks_for() {
        check(
            |_| (),
            Accelerator::Emulated,
            &[
                "-machine q35,hpet=on",
                "-m 256M -smp 1 -kernel /built/vmlinuz -initrd /built/initrd.img -append console=ttyS0",
                "-chardev socket,id=console,fd=0 -serial chardev:console",
                "-chardev socket,id=control0,server=on,wait=off,path=/run/control.0",
                "-device virtserialport,chardev=control7,name=org.orlop.control.7",
                "-device i6300esb",
                "-accel tcg -cpu max,cx16=off",
            ],
        );
    }

    #[test]
    fn counts_instructions_when_asked() {
        let expected = ["-accel tcg,thread=single -icount shift=0,sleep=off"];
        check(|_| (), Accelerator::InstructionCount, &expected);
    }

    #[test]
    fn publishes_ports_and_brings_a_disk() {
        let change = |options: &mut Options| {
            options.publish = ["8080:80", "0.0.0.0:53:53"].iter().filter_map(|p| p.parse().ok()).collect();
            options.disk = Some("/a,b.img".into());
        };
        let expected = [
            "-netdev user,id=network,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:0.0.0.0:53-:53",
            "file=/a,,b.img -device pcie-root-port,id=diskport,chassis=1 -device virtio-blk-pci,drive=disk,id=disk,bus=diskport",
        ];
        check(change, Accelerator::Kvm, &expected);
    }
}
