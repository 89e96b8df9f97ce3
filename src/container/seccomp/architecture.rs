//! Numbers of system calls, by architecture: with the ELF machine of `linux/program.rs` the only
//! place that knows which processor this is.

use serde::{Deserialize, Serialize};

macro_rules! architectures {
    ($($(#[$note:meta])* $name:ident = $text:literal,)*) => {
        /// As the specification names them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Architecture {
            $($(#[$note])* #[serde(rename = $text)] $name,)*
        }
    };
}

architectures! {
    X86 = "SCMP_ARCH_X86",
    X86_64 = "SCMP_ARCH_X86_64",
    /// Its calls are answered with ENOSYS, as by a kernel without it.
    X32 = "SCMP_ARCH_X32",
    Arm = "SCMP_ARCH_ARM",
    Aarch64 = "SCMP_ARCH_AARCH64",
    Mips = "SCMP_ARCH_MIPS",
    Mips64 = "SCMP_ARCH_MIPS64",
    Mips64N32 = "SCMP_ARCH_MIPS64N32",
    Mipsel = "SCMP_ARCH_MIPSEL",
    Mipsel64 = "SCMP_ARCH_MIPSEL64",
    Mipsel64N32 = "SCMP_ARCH_MIPSEL64N32",
    Ppc = "SCMP_ARCH_PPC",
    Ppc64 = "SCMP_ARCH_PPC64",
    Ppc64Le = "SCMP_ARCH_PPC64LE",
    S390 = "SCMP_ARCH_S390",
    S390X = "SCMP_ARCH_S390X",
    Parisc = "SCMP_ARCH_PARISC",
    Parisc64 = "SCMP_ARCH_PARISC64",
    Riscv64 = "SCMP_ARCH_RISCV64",
    Loongarch64 = "SCMP_ARCH_LOONGARCH64",
    M68K = "SCMP_ARCH_M68K",
    Sh = "SCMP_ARCH_SH",
    Sheb = "SCMP_ARCH_SHEB",
}

/// What this was compiled for.
#[cfg(target_arch = "x86_64")]
pub const NATIVE: Architecture = Architecture::X86_64;
#[cfg(target_arch = "aarch64")]
pub const NATIVE: Architecture = Architecture::Aarch64;

/// One architecture's calls.
pub(super) struct Table {
    /// `AUDIT_ARCH_*`, linux/audit.h.
    pub(super) audit: u32,
    pub(super) name_of: fn(u32) -> Option<&'static str>,
    /// The newest that is known.
    pub(super) last: u32,
    numbers: &'static Slots,
}

/// Numbers by what their names come to, in the first free place from there on: made when this is compiled,
/// since the crate's own search compares one by one. Less than half are taken.
type Slots = [u16; SLOTS];
const SLOTS: usize = 1024;
const FREE: u16 = u16::MAX;

/// FNV-1a.
const fn place_of(name: &str) -> usize {
    let bytes = name.as_bytes();
    let mut sum = 0x811c_9dc5_u32;
    let mut rest = bytes;
    while let [first, others @ ..] = rest {
        sum = (sum ^ *first as u32).wrapping_mul(0x0100_0193);
        rest = others;
    }
    (sum as usize ^ (sum >> 16) as usize) % SLOTS
}

impl Table {
    pub(super) fn number_of(&self, name: &str) -> Option<u32> {
        let (before, from) = self.numbers.split_at_checked(place_of(name))?;
        let found = from.iter().chain(before).take_while(|number| **number != FREE);
        found.map(|number| u32::from(*number)).find(|number| (self.name_of)(*number) == Some(name))
    }
}

macro_rules! slots {
    ($calls:ty) => {{
        let mut slots = [FREE; SLOTS];
        let mut number = 0;
        while number <= <$calls>::last().id() as usize {
            if let Some(call) = <$calls>::new(number) {
                let mut place = place_of(call.name());
                while slots[place] != FREE {
                    place = (place + 1) % SLOTS;
                }
                slots[place] = number as u16;
            }
            number += 1;
        }
        slots
    }};
}

macro_rules! table {
    ($audit:literal, $module:ident) => {{
        use syscalls::$module::Sysno;
        Table {
            audit: $audit,
            name_of: |number| Sysno::new(number as usize).map(|call| call.name()),
            last: Sysno::last().id().unsigned_abs(),
            numbers: {
                #[allow(clippy::indexing_slicing, reason = "a place that is none does not compile")]
                const NUMBERS: Slots = slots!(Sysno);
                &NUMBERS
            },
        }
    }};
}

impl Architecture {
    /// `None` for one whose programs cannot run beside [`NATIVE`]'s, so that no rule for it is ever
    /// asked, and for 32-bit ARM, whose private calls are in no table: its programs run unconfined only.
    pub(super) fn table(self) -> Option<Table> {
        match self {
            Self::X86_64 if NATIVE == Self::X86_64 => Some(table!(0xc000_003e, x86_64)),
            Self::X86 if NATIVE == Self::X86_64 => Some(table!(0x4000_0003, x86)),
            Self::Aarch64 if NATIVE == Self::Aarch64 => Some(table!(0xc000_00b7, aarch64)),
            Self::X86_64
            | Self::X86
            | Self::Aarch64
            | Self::Arm
            | Self::X32
            | Self::Mips
            | Self::Mips64
            | Self::Mips64N32
            | Self::Mipsel
            | Self::Mipsel64
            | Self::Mipsel64N32
            | Self::Ppc
            | Self::Ppc64
            | Self::Ppc64Le
            | Self::S390
            | Self::S390X
            | Self::Parisc
            | Self::Parisc64
            | Self::Riscv64
            | Self::Loongarch64
            | Self::M68K
            | Self::Sh
            | Self::Sheb => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_its_name_and_nothing_else() {
        for table in [Architecture::X86_64, Architecture::X86, Architecture::Aarch64] {
            let Some(table) = table.table() else { continue };
            for number in 0..=table.last {
                let Some(name) = (table.name_of)(number) else { continue };
                assert_eq!(table.number_of(name), Some(number), "{name}");
                assert_eq!(
                    table.number_of(&name[1..]).and_then(table.name_of),
                    None.or_else(|| {
                        (0..=table.last).filter_map(table.name_of).find(|known| *known == &name[1..])
                    })
                );
            }
            for name in ["", "frobnicate", "READ", "read "] {
                assert_eq!(table.number_of(name), None, "{name}");
            }
        }
    }
}
