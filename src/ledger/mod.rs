//! The frames between PID 1 and the supervisor: fixed size, no allocation.
