//! Where logs are sent: `udp://192.0.2.1:514`, `tcp://[2001:db8::1]:601`, `tls://collector.example:6514`.

use super::super::collector::{Collector, TlsCollector};
use super::super::diagnostic::Mistake;
use super::{address, name};
use alloc::borrow::ToOwned;
use alloc::format;
use core::net::{IpAddr, SocketAddr};

/// Of udp:// and tcp:// names are not looked up: a machine's first words must not wait for a name server. Who speaks TLS
/// is a process of its own, and may.
pub(crate) fn destination(text: &str) -> Result<Collector, Mistake> {
    let wrong = || Mistake::new(format!("\"{text}\" is no collector"));
    let Some((scheme, to)) = text.split_once("://") else {
        return Err(wrong().help(format!("write \"udp://{text}\", \"tcp://{text}\" or \"tls://{text}\"")));
    };
    let port = match scheme {
        "udp" | "tcp" => 514,
        "tls" => 6514,
        _ => return Err(wrong().help("it begins with udp://, tcp:// or tls://")),
    };
    if to.parse::<IpAddr>().is_ok() {
        let to = if to.contains(':') { format!("[{to}]") } else { to.into() };
        return Err(wrong().help(format!("with a port: \"{scheme}://{to}:{port}\"")));
    }
    if scheme == "tls" {
        return tls(to, wrong).map(Collector::Tls);
    }
    let to = socket(to, || wrong().help("an IP address and a port, like \"udp://192.0.2.1:514\""))?;
    Ok(if scheme == "udp" { Collector::Udp(to) } else { Collector::Tcp(to) })
}

fn socket(to: &str, wrong: impl Fn() -> Mistake) -> Result<SocketAddr, Mistake> {
    let to: SocketAddr = to.parse().map_err(|_| wrong())?;
    address::host(&format!("{}", to.ip()))?;
    if to.port() == 0 {
        return Err(wrong().help("its port is 0"));
    }
    Ok(to)
}

fn tls(to: &str, wrong: impl Fn() -> Mistake) -> Result<TlsCollector, Mistake> {
    if to.parse::<SocketAddr>().is_ok() {
        let to = socket(to, wrong)?;
        return Ok(TlsCollector { host: format!("{}", to.ip()), port: to.port(), server_name: None });
    }
    let like = "a name or an IP address, and a port, like \"tls://collector.example:6514\"";
    let (host, port) = to.rsplit_once(':').ok_or_else(|| wrong().help(like))?;
    let port: u16 = port.parse().map_err(|_| wrong().help(like))?;
    name::domain(host)?;
    if port == 0 {
        return Err(wrong().help("its port is 0"));
    }
    Ok(TlsCollector { host: host.to_owned(), port, server_name: None })
}

/// What a certificate is for.
pub(crate) fn server_name(text: &str) -> Result<(), Mistake> {
    if text.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    name::domain(text)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_collector_has_a_transport_an_address_and_a_port() {
        let v4 = Collector::Udp("192.0.2.1:514".parse().unwrap());
        let v6 = Collector::Tcp("[2001:db8::1]:601".parse().unwrap());
        let tls =
            |host: &str| Collector::Tls(TlsCollector { host: host.into(), port: 6514, server_name: None });
        for (text, collector) in [
            ("udp://192.0.2.1:514", v4),
            ("tcp://[2001:db8::1]:601", v6),
            ("tls://collector.example:6514", tls("collector.example")),
            ("tls://192.0.2.1:6514", tls("192.0.2.1")),
            ("tls://[2001:db8::1]:6514", tls("2001:db8::1")),
        ] {
            assert_eq!(collector.to_string(), text);
            assert_eq!(destination(text), Ok(collector));
        }
        for text in [
            "192.0.2.1:514",
            "udp://192.0.2.1",
            "udp://2001:db8::1",
            "udp://collector:514",
            "udp://192.0.2.1:0",
            "udp://0.0.0.0:514",
            "tls://collector.example",
            "tls://collector.example:0",
            "tls://collector.example:65536",
            "tls://collector example:6514",
            "tls://-:6514",
            "tls://:6514",
            "tls://0.0.0.0:6514",
            "tls://2001:db8::1",
            "http://192.0.2.1:80",
            "udp://",
            "tls://",
        ] {
            assert!(destination(text).is_err(), "{text}");
        }
    }
}
