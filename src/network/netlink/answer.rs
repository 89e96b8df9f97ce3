//! Datagrams → what was found, or the kernel's refusal in its own words.

use alloc::string::String;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::reader::{Attribute, Malformed, Message, attributes, messages, u8_at, u16_at, u32_at};
use super::{attribute, flag, kind};
use crate::config::Cidr;
use crate::network::{Address, Found, FoundRoute, Link, Scope};

/// The answer to one request, put together from as many datagrams as it takes.
#[derive(Debug)]
pub struct Answer {
    sequence: u32,
    found: Found,
    interrupted: bool,
}

/// How far an answer has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// Give it the next datagram.
    More,
    /// All there is; nothing, for a change that was acknowledged.
    Done(Found),
    /// What was listed changed meanwhile, and the list may have holes: ask again.
    Interrupted,
    Refused(Refusal),
}

/// The kernel's no: an errno, and since 4.12 often a sentence (NLMSGERR_ATTR_MSG).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub errno: i32,
    pub text: Option<String>,
}

impl Answer {
    #[must_use]
    pub fn to(sequence: u32) -> Self {
        Self { sequence, found: Found::default(), interrupted: false }
    }

    /// # Errors
    /// The datagram is not netlink as it should be. What was read before it is lost.
    pub fn read(&mut self, datagram: &[u8]) -> Result<Progress, Malformed> {
        for message in messages(datagram) {
            let message = message?;
            // An answer to an earlier question that was given up.
            if message.sequence != self.sequence {
                continue;
            }
            self.interrupted |= message.flags & flag::DUMP_INTERRUPTED != 0;
            match message.kind {
                kind::NEW_LINK => self.found.links.push(link(message.body)?),
                kind::NEW_ADDRESS => self.found.addresses.extend(address(message.body)?),
                kind::NEW_ROUTE => self.found.routes.extend(route(message.body)?),
                kind::DONE | kind::ERROR => return self.end(&message),
                _other_kind => {}
            }
        }
        Ok(Progress::More)
    }

    fn end(&mut self, message: &Message<'_>) -> Result<Progress, Malformed> {
        let code = u32_at(message.body, 0).ok_or(Malformed("an end without a code"))?;
        Ok(match code.cast_signed().saturating_neg() {
            0 if self.interrupted => Progress::Interrupted,
            0 => Progress::Done(core::mem::take(&mut self.found)),
            errno => Progress::Refused(Refusal { errno, text: refusal_text(message) }),
        })
    }
}

/// The sentence, where there is one. A malformed one is none: the errno is what counts.
fn refusal_text(message: &Message<'_>) -> Option<String> {
    const CODE: usize = 4;
    const HEADER: usize = 16;
    if message.flags & flag::ACK_ATTRIBUTES == 0 {
        return None;
    }
    // After the code: for DONE the attributes; for ERROR the request, whole unless capped, first.
    let skip = if message.kind == kind::DONE {
        CODE
    } else if message.flags & flag::CAPPED != 0 {
        CODE.saturating_add(HEADER)
    } else {
        let request = usize::try_from(u32_at(message.body, CODE)?).ok()?;
        CODE.saturating_add(request.max(HEADER)).checked_next_multiple_of(4)?
    };
    let text = attributes(message.body.get(skip..)?)
        .filter_map(Result::ok)
        .find(|it| it.kind == attribute::NLMSGERR_ATTR_MSG)?;
    Some(c_string(text.value))
}

/// `struct ifinfomsg` and attributes.
fn link(body: &[u8]) -> Result<Link, Malformed> {
    let short = Malformed("a link is cut short");
    let index = u32_at(body, 4).ok_or(short)?;
    let flags = u32_at(body, 8).ok_or(short)?;
    let mut link = Link {
        index,
        name: String::new(),
        mac: None,
        driver: None,
        up: flags & super::IFF_UP != 0,
        loopback: flags & super::IFF_LOOPBACK != 0,
        mtu: 0,
    };
    for attribute in attributes(body.get(16..).ok_or(short)?) {
        let attribute = attribute?;
        match attribute.kind {
            attribute::IFLA_IFNAME => link.name = c_string(attribute.value),
            attribute::IFLA_ADDRESS => link.mac = attribute.value.try_into().ok(),
            attribute::IFLA_MTU => link.mtu = number(attribute.value)?,
            _other_attribute => {}
        }
    }
    Ok(link)
}

/// `struct ifaddrmsg` and attributes. `None`: of a family that is not IP.
fn address(body: &[u8]) -> Result<Option<Address>, Malformed> {
    let short = Malformed("an address is cut short");
    let family = u8_at(body, 0).ok_or(short)?;
    let prefix = u8_at(body, 1).ok_or(short)?;
    let mut flags = u32::from(u8_at(body, 2).ok_or(short)?);
    let scope = match u8_at(body, 3).ok_or(short)? {
        super::RT_SCOPE_LINK => Scope::Link,
        super::RT_SCOPE_HOST => Scope::Host,
        _wider => Scope::Universe,
    };
    let link = u32_at(body, 4).ok_or(short)?;
    let (mut local, mut other_end) = (None, None);
    for attribute in attributes(body.get(8..).ok_or(short)?) {
        let attribute = attribute?;
        match attribute.kind {
            attribute::IFA_LOCAL => local = ip(family, attribute.value)?,
            attribute::IFA_ADDRESS => other_end = ip(family, attribute.value)?,
            // All 32 bits, where the header has room for eight.
            attribute::IFA_FLAGS => flags = number(attribute.value)?,
            _other_attribute => {}
        }
    }
    let permanent = flags & super::IFA_F_PERMANENT != 0;
    // IPv6 names its own address as IFA_ADDRESS, unless there is another end.
    Ok(local.or(other_end).map(|address| {
        let cidr = Cidr { address, prefix };
        Address { link, cidr, permanent, scope }
    }))
}

/// `struct rtmsg` and attributes. `None`: not a unicast route of the main table through one link.
fn route(body: &[u8]) -> Result<Option<FoundRoute>, Malformed> {
    let short = Malformed("a route is cut short");
    let family = u8_at(body, 0).ok_or(short)?;
    let prefix = u8_at(body, 1).ok_or(short)?;
    let mut table = u32::from(u8_at(body, 4).ok_or(short)?);
    let protocol = u8_at(body, 5).ok_or(short)?;
    let unicast = u8_at(body, 7).ok_or(short)? == super::RTN_UNICAST;
    let mut to = match family {
        super::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        super::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _not_ip => return Ok(None),
    };
    let (mut link, mut via, mut metric) = (None, None, 0);
    for attribute in attributes(body.get(12..).ok_or(short)?) {
        let Attribute { kind, value } = attribute?;
        match kind {
            attribute::RTA_TABLE => table = number(value)?,
            attribute::RTA_DST => to = ip(family, value)?.unwrap_or(to),
            attribute::RTA_OIF => link = Some(number(value)?),
            attribute::RTA_GATEWAY => via = ip(family, value)?,
            attribute::RTA_VIA => via = next_hop(value)?,
            attribute::RTA_PRIORITY => metric = number(value)?,
            _other_attribute => {}
        }
    }
    // The kernel's own clones of routes (RTM_F_CLONED) are in no dump of 6.12.
    let listed = unicast && table == u32::from(super::RT_TABLE_MAIN);
    Ok(link.filter(|_| listed).map(|link| {
        let ours = protocol == super::RTPROT_STATIC;
        FoundRoute { link, to: Cidr { address: to, prefix }, via, metric, ours }
    }))
}

/// `struct rtvia`.
fn next_hop(value: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let short = Malformed("a next hop is cut short");
    let family = u8::try_from(u16_at(value, 0).ok_or(short)?).map_err(|_| short)?;
    ip(family, value.get(2..).ok_or(short)?)
}

/// `None`: not an IP address.
fn ip(family: u8, value: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let wrong = Malformed("an address of the wrong length");
    Ok(match family {
        super::AF_INET => {
            let octets: [u8; 4] = value.try_into().map_err(|_| wrong)?;
            Some(IpAddr::from(octets))
        }
        super::AF_INET6 => {
            let octets: [u8; 16] = value.try_into().map_err(|_| wrong)?;
            Some(IpAddr::from(octets))
        }
        _not_ip => None,
    })
}

fn number(value: &[u8]) -> Result<u32, Malformed> {
    u32_at(value, 0).ok_or(Malformed("a number is cut short"))
}

/// Up to the first NUL; what is not UTF-8 is marked, never refused: it is for people.
fn c_string(value: &[u8]) -> String {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{text} (errno {})", self.errno),
            None => write!(f, "errno {}", self.errno),
        }
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
