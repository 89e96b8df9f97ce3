//! Builds the bootable files of an Orlop machine.
