//! Numbers of system calls, by architecture: with the ELF machine of `linux/program.rs` the only
//! place that knows which processor this is.

use alloc::collections::BTreeMap;

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
}

impl Table {
    /// Numbers by name: made once for many questions, since the crate's own search compares one by one.
    pub(super) fn numbers(&self) -> BTreeMap<&'static str, u32> {
        (0..=self.last).filter_map(|number| Some(((self.name_of)(number)?, number))).collect()
    }
}

macro_rules! table {
    ($audit:literal, $module:ident) => {{
        use syscalls::$module::Sysno;
        Table {
            audit: $audit,
            name_of: |number| Sysno::new(number as usize).map(|call| call.name()),
            last: Sysno::last().id().unsigned_abs(),
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
