//! A socket to the kernel's rtnetlink. Carries bytes; what they mean is not known here.

use std::io;

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// The kernel never makes a datagram of a dump larger than 32 KiB (NLMSG_GOODSIZE grows with the
/// reader's buffer up to that; netlink_dump, net/netlink/af_netlink.c). Twice as much leaves room.
const LARGEST_DATAGRAM: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct RouteSocket {
    socket: Socket,
    buffer: Vec<u8>,
}

impl RouteSocket {
    /// Opens a socket of the calling thread's network namespace: close-on-exec, non-blocking, bound,
    /// connected to the kernel, with error texts asked for.
    ///
    /// It can be non-blocking without a poll, because the kernel works on a request inside send(2):
    /// when that returns, the answer (or the first part of a list; each read makes the next) is there.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        socket.set_ext_ack(true)?;
        socket.set_cap_ack(true)?;
        socket.bind_auto()?;
        // From now on nobody but the kernel (port 0) is heard.
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self { socket, buffer: Vec::with_capacity(LARGEST_DATAGRAM) })
    }

    pub(crate) fn send(&self, message: &[u8]) -> io::Result<()> {
        retry(|| self.socket.send(message, 0)).map(|_| ())
    }

    /// The next datagram, whole.
    ///
    /// # Errors
    /// EAGAIN when there is none, EMSGSIZE when it was cut off, ENOBUFS when some were lost.
    pub(crate) fn receive(&mut self) -> io::Result<&[u8]> {
        self.buffer.clear();
        let length = retry(|| self.socket.recv(&mut self.buffer, libc::MSG_TRUNC))?;
        if length > self.buffer.len() {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        Ok(&self.buffer)
    }
}

/// A signal may interrupt; the kernel has done nothing then.
fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
