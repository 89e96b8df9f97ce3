//! Boots Orlop machines under QEMU.
