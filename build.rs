//! How the machine's binary is linked.
//!
//! Nothing in it unwinds (`panic = "abort"`), and nobody could read a backtrace of a binary without symbols:
//! what unwinding needs is left out, an eighth of the file. Nearly all its relocations are of one kind, which
//! take a bit each instead of 24 bytes (DT_RELR; binutils 2.38, musl 1.2.4). What the processes of a start run
//! lies together: each of them maps every page of it anew.

fn main() {
    println!("cargo::rerun-if-changed=src/binary.ld");
    let is = |key: &str, value: &str| std::env::var(key).is_ok_and(|found| found == value);
    // And all profiles made from it. Cargo does not say which of them abort; these do.
    let aborts = is("PROFILE", "release");
    if is("CARGO_CFG_TARGET_ENV", "musl") && is("CARGO_CFG_TARGET_ARCH", "x86_64") && aborts {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/binary.ld");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs,-T,{script}");
    }
}
