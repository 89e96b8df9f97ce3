//! What is listened on: `tcp://0.0.0.0:80`, `udp://[::]:53`, `unix:/run/web.sock`.

use super::super::diagnostic::Mistake;
use super::super::socket::{Listen, Socket};
use super::path;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::{IpAddr, SocketAddr};

/// As JSON Schema has it.
pub(crate) const PATTERN: &str = "^(tcp|udp)://.+:[0-9]+$|^unix:/run/.+";

/// Bytes of a path in sockaddr_un of linux/un.h, less its NUL.
const MAX_PATH: usize = 107;
/// Longest name: as systemd has it.
const MAX_NAME: usize = 255;
/// Whoever can reach its folder.
const ANYBODY: u32 = 0o666;
/// Ids of users and groups; the last one means none.
const LAST_ID: u32 = u32::MAX - 1;

pub(crate) fn listen(text: &str) -> Result<Listen, Mistake> {
    let wrong = || Mistake::new(format!("\"{text}\" is nothing to listen on"));
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path.strip_prefix("//").unwrap_or(path)).map(Listen::Unix);
    }
    let forms = "\"tcp://0.0.0.0:80\", \"udp://[::]:53\" or \"unix:/run/web.sock\"";
    let Some((scheme, at)) = text.split_once("://") else {
        return Err(wrong().help(match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            true => format!("write \"tcp://0.0.0.0:{text}\", or \"tcp://[::]:{text}\" for IPv6 and IPv4"),
            false => format!("like {forms}"),
        }));
    };
    let kind = match scheme {
        "tcp" => Listen::Tcp,
        "udp" => Listen::Udp,
        _ => return Err(wrong().help(format!("like {forms}"))),
    };
    if at.parse::<IpAddr>().is_ok() {
        return Err(wrong().help("with a port: \"tcp://192.0.2.7:80\", \"tcp://[2001:db8::7]:80\""));
    }
    let at: SocketAddr =
        at.parse().map_err(|_| wrong().help("an IP address and a port; 0.0.0.0 is any of IPv4"))?;
    if at.port() == 0 {
        return Err(wrong().help("its port is 0"));
    }
    if at.ip().is_multicast() {
        return Err(wrong().help("an address of the machine"));
    }
    Ok(kind(at))
}

/// Nothing else of the machine's file system can be written to, and one folder there is Orlop's own.
fn unix(text: &str) -> Result<String, Mistake> {
    let path = path::absolute(text)?;
    let wrong = |why: &str| Mistake::new(format!("\"{text}\" is no place for a socket")).help(why);
    if !path.starts_with("/run/") {
        return Err(wrong("a path below /run, like \"unix:/run/web.sock\""));
    }
    if path == "/run/orlop" || path.starts_with("/run/orlop/") {
        return Err(wrong("/run/orlop is Orlop's own"));
    }
    if path.len() > MAX_PATH {
        return Err(wrong(&format!("at most {MAX_PATH} bytes")));
    }
    Ok(path)
}

/// A socket's name: LISTEN_FDNAMES has them with `:` between them.
pub(crate) fn name(text: &str) -> Result<(), Mistake> {
    let right = |byte: u8| byte.is_ascii_graphic() && byte != b':';
    if !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(right) {
        return Ok(());
    }
    Err(Mistake::new(format!("\"{text}\" is no name of a socket")).help("visible letters without `:`"))
}

/// `UID` or `UID:GID`, numbers on the machine.
pub(crate) fn owner(text: &str) -> Result<(u32, u32), Mistake> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|id| *id <= LAST_ID);
    let (user, group) = text.split_once(':').unwrap_or((text, "0"));
    number(user).zip(number(group)).ok_or_else(|| {
        Mistake::new(format!("\"{text}\" is no owner")).help("numbers on the machine, like \"0:1000\"")
    })
}

impl Socket {
    /// With what it is called and who may connect when nothing is said: the port, or the file.
    pub(crate) fn at(listen: Listen) -> Self {
        let name = match &listen {
            Listen::Tcp(at) | Listen::Udp(at) => at.port().to_string(),
            Listen::Unix(path) => path.rsplit('/').next().unwrap_or_default().replace(':', "_"),
        };
        Self { listen, name, mode: ANYBODY, owner: (0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_can_be_listened_on() {
        let check = |text: &str, name: &str| {
            let listen = listen(text).unwrap();
            assert_eq!(listen.to_string(), text);
            assert_eq!(Socket::at(listen).name, name);
        };
        check("tcp://0.0.0.0:80", "80");
        check("udp://[::]:53", "53");
        check("unix:/run/web/http.sock", "http.sock");
        assert_eq!(listen("unix:///run/a"), Ok(Listen::Unix("/run/a".into())));
        let long = format!("unix:/run/{}", "x".repeat(103));
        for wrong in [
            "",
            "80",
            "0.0.0.0:80",
            "tcp://80",
            "tcp://0.0.0.0",
            "tcp://[::]",
            "tcp://0.0.0.0:0",
            "tcp://web:80",
            "udp://224.0.0.1:53",
            "http://0.0.0.0:80",
            "unix:web.sock",
            "unix:/tmp/web.sock",
            "unix:/run/orlop/x",
            "unix:/run/../x",
            &long,
        ] {
            assert!(listen(wrong).is_err(), "{wrong}");
        }
        assert!(listen("80").unwrap_err().help.unwrap().contains("tcp://0.0.0.0:80"));
    }

    #[test]
    fn knows_names_and_owners() {
        assert!(name("http").is_ok() && name("a:b").is_err() && name("").is_err() && name("a b").is_err());
        assert_eq!((owner("5"), owner("0:1000")), (Ok((5, 0)), Ok((0, 1000))));
        assert!(owner("web").is_err() && owner("1:2:3").is_err() && owner("4294967295").is_err());
    }
}
