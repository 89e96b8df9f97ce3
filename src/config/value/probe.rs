//! What a health check asks: addresses and paths in the container.

use super::super::diagnostic::Mistake;
use super::super::life::Probe;
use super::path;
use alloc::format;
use alloc::string::{String, ToString};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest path or name of a service; it is an argument of a process.
const LONGEST: usize = 1024;

/// `http://HOST[:PORT][/PATH]`.
pub(crate) fn http(text: &str) -> Result<Probe, Mistake> {
    let Some(rest) = text.strip_prefix("http://") else {
        let mistake = Mistake::new(format!("\"{text}\" is no address of a page"));
        return Err(match text.strip_prefix("https://") {
            Some(_) => mistake.help("nothing here checks certificates: write exec = [\"curl\", …]"),
            None => mistake.help("like \"http://localhost:8080/healthz\""),
        });
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    if path.len() > LONGEST || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        let mistake = Mistake::new(format!("\"{path}\" is no path of a page"));
        return Err(mistake.help(format!("at most {LONGEST} letters, others than ASCII's as %XX")));
    }
    let address =
        address(host, Some(80)).map_err(|mistake| mistake.help("like \"http://localhost:8080/\""))?;
    Ok(Probe::Http { address, host: host.to_string(), path: path.to_string() })
}

/// `HOST:PORT`.
pub(crate) fn tcp(text: &str) -> Result<Probe, Mistake> {
    address(text, None).map(Probe::Tcp)
}

/// `HOST:PORT[/SERVICE]`.
pub(crate) fn grpc(text: &str) -> Result<Probe, Mistake> {
    let (host, service) = text.split_once('/').unwrap_or((text, ""));
    if service.len() > LONGEST || !service.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Mistake::new(format!("\"{service}\" is no name of a service")));
    }
    let address = address(host, None)?;
    Ok(Probe::Grpc { address, service: service.to_string() })
}

pub(crate) fn unix(text: &str) -> Result<Probe, Mistake> {
    path::absolute(text).map(Probe::Unix)
}

pub(crate) fn file(text: &str) -> Result<Probe, Mistake> {
    path::absolute(text).map(Probe::File)
}

/// A port of the container itself.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// Names are not looked up: an answer that depends on a name server says little of a container.
fn address(text: &str, usual: Option<u16>) -> Result<SocketAddr, Mistake> {
    let wrong = || Mistake::new(format!("\"{text}\" is no address")).help("like \"localhost:8080\"");
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (text, None),
    };
    let port = match (port, usual) {
        (None, Some(usual)) => usual,
        (None, None) => return Err(Mistake::new(format!("\"{text}\" has no port")).help(like(text))),
        (Some(port), _) => match port.parse() {
            Ok(number) if number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()) => number,
            Ok(_) | Err(_) => {
                return Err(Mistake::new(format!("\"{port}\" is no port")).help("from 1 to 65535"));
            }
        },
    };
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let ip = match (host, inner) {
        ("localhost" | "", _) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        (_, Some(inner)) => IpAddr::V6(inner.parse::<Ipv6Addr>().map_err(|_| wrong())?),
        (host, None) => match host.parse::<Ipv4Addr>() {
            Ok(ip) => IpAddr::V4(ip),
            Err(_) => {
                let mistake = Mistake::new(format!("\"{host}\" is neither localhost nor an IP address"));
                return Err(mistake.help("a health check asks the container itself: \"localhost:8080\""));
            }
        },
    };
    Ok(SocketAddr::new(ip, port))
}

fn like(text: &str) -> String {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("like \"localhost:{text}\"")
    } else {
        format!("like \"{text}:8080\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_container() {
        let check = |text: &str, usual, expected: &str| match address(text, usual) {
            Ok(address) => assert_eq!(address.to_string(), expected, "{text}"),
            Err(mistake) => assert_eq!(mistake.message, expected, "{text}"),
        };
        check("localhost:80", None, "127.0.0.1:80");
        check(":80", None, "127.0.0.1:80");
        check("10.0.0.1:65535", None, "10.0.0.1:65535");
        check("[::1]:443", None, "[::1]:443");
        check("[::1]", Some(80), "[::1]:80");
        check("localhost", Some(80), "127.0.0.1:80");
        check("localhost", None, "\"localhost\" has no port");
        check("localhost:0", None, "\"0\" is no port");
        check("localhost:+1", None, "\"+1\" is no port");
        check("localhost:65536", None, "\"65536\" is no port");
        check("db:5432", None, "\"db\" is neither localhost nor an IP address");
        check("::1:80", None, "\"::1\" is neither localhost nor an IP address");
        check("[db]:80", None, "\"[db]:80\" is no address");
    }

    #[test]
    fn pages_have_an_address_and_a_path() {
        let check = |text: &str, expected: Result<(&str, &str), &str>| match (http(text), expected) {
            (Ok(Probe::Http { address, host: _, path }), Ok(expected)) => {
                assert_eq!((address.to_string().as_str(), path.as_str()), expected);
            }
            (Err(mistake), Err(expected)) => assert_eq!(mistake.message, expected, "{text}"),
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        };
        check("http://localhost:8080/healthz?full=1", Ok(("127.0.0.1:8080", "/healthz?full=1")));
        check("http://localhost", Ok(("127.0.0.1:80", "/")));
        check("https://localhost/", Err("\"https://localhost/\" is no address of a page"));
        check("localhost/", Err("\"localhost/\" is no address of a page"));
        check("http://localhost/a b", Err("\"/a b\" is no path of a page"));
    }
}
