//! What a text means by itself: each file takes a `&str` and answers a value, or what is wrong with it.

pub(crate) mod address;
pub(crate) mod capability;
pub(crate) mod cpuset;
pub(crate) mod cron;
pub(crate) mod device;
pub(crate) mod disk;
pub(crate) mod end;
pub(crate) mod environment;
pub(crate) mod fits;
pub(crate) mod forward;
pub(crate) mod gate;
pub(crate) mod image;
pub(crate) mod mount;
pub(crate) mod name;
pub(crate) mod path;
pub(crate) mod probe;
pub(crate) mod rlimit;
pub(crate) mod signal;
pub(crate) mod size;
pub(crate) mod socket;
pub(crate) mod time;
pub(crate) mod user;
pub(crate) mod words;
