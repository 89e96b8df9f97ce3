//! The help of `replace`.

pub(super) const REPLACE: &str = "\
Examples:
  orlop replace web

A container is stuck when it was killed and is still there, because the kernel does not let a process
of it go: `orlop why web` says which, and where. What is left is moved out of the container's cgroup,
keeps what it holds (files, volumes, memory), and is gone when the kernel lets it go. The other one
has the same volumes: only you can know whether both may be at work on them.";
