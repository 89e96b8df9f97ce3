//! Builds the bootable files of an Orlop machine.
//!
//! [`build`] takes a configuration, the images that it names, a kernel and the static binary
//! `orlop`, and leaves a folder with `vmlinuz`, `initrd.img`, `cmdline` and `manifest.json`: byte
//! for byte the same for the same inputs, and either complete or not touched at all.

mod arch;
mod assemble;
mod boot_binary;
mod check;
mod cpio;
mod digest;
mod error;
mod images;
mod initramfs;
mod kernel;
pub mod layer;
mod lz4;
pub mod manifest;
mod module_file;
mod module_slim;
mod modules;
mod output;
mod progress;
pub mod source;
pub mod store;
mod table;

pub use assemble::{Built, Options, build, build_with};
pub use error::Error;
pub use kernel::KernelSource;
pub use module_file::Signatures;
pub use progress::{Bar, Progress, Quiet};
pub use table::table;
