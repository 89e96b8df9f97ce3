//! Words on the control socket.
