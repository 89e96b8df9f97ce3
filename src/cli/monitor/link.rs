//! A connection that nobody waits on: questions go out at once, answers are taken when they come.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::control::session::CLOSED_ERROR;
use orlop::control::{Decoder, Frame, Reply, Request, encode_call};

use crate::cli::client::Client;
use crate::cli::failure::{self, Failure};
use crate::linux::{fd, socket};

/// Bytes of one read.
const READ: usize = 64 << 10;

pub(super) struct Link {
    connection: OwnedFd,
    decoder: Decoder,
    /// Of questions and streams that are not answered, or not to their end, in order.
    asked: VecDeque<Request>,
}

impl Link {
    /// With its first question.
    pub(super) fn open(client: Client, request: Request) -> Result<Self, Failure> {
        let (stream, decoder) = client.begin(&request)?;
        let connection = OwnedFd::from(stream);
        fd::nonblocking(connection.as_fd()).map_err(|errno| Failure::Failed(errno.desc().to_owned()))?;
        Ok(Self { connection, decoder, asked: VecDeque::from([request]) })
    }

    pub(super) fn ask(&mut self, request: Request) -> Result<(), Failure> {
        let call = encode_call(&request);
        // A question is far smaller than a socket's buffer: what does not take it whole is not read any more.
        match socket::send_now(self.connection.as_fd(), &call) {
            Ok(sent) if sent == call.len() => {
                self.asked.push_back(request);
                Ok(())
            }
            Ok(_) => Err(lost("it takes no question")),
            Err(error) => Err(lost(&failure::why(&error))),
        }
    }

    /// Whether nothing is awaited.
    pub(super) fn is_idle(&self) -> bool {
        self.asked.is_empty()
    }

    pub(super) fn connection(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    /// What has come: each answer with the question that it belongs to.
    pub(super) fn receive(&mut self) -> Result<Vec<(Request, Reply)>, Failure> {
        let mut buffer = vec![0; READ];
        match socket::read(self.connection.as_fd(), &mut buffer) {
            Ok(0) => return Err(lost("it closed the connection")),
            Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(lost(&failure::why(&error))),
        }
        let mut answers = Vec::new();
        while let Some(frame) = self.decoder.next_frame() {
            let Frame::Message(message) = frame else { return Err(lost("its answer is too large")) };
            let reply = Reply::parse(&message).map_err(|error| lost(&error.to_string()))?;
            if reply.error.as_deref() == Some(CLOSED_ERROR) {
                return Err(lost("its supervisor was replaced"));
            }
            let is_last = reply.is_last();
            let Some(request) = self.asked.front().cloned() else { return Err(lost("it answers unasked")) };
            if is_last {
                self.asked.pop_front();
            }
            answers.push((request, reply));
        }
        Ok(answers)
    }
}

fn lost(why: &str) -> Failure {
    Failure::Disconnected(format!("the machine is away: {why}"))
}
