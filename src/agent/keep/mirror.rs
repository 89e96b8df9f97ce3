//! Small files of the machine that are on the disk too.
