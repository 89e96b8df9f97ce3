//! The supervisor process: the loop, and one acting file for each deciding room.

pub(crate) mod control;
