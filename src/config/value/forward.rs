//! Where logs are sent: `udp://192.0.2.1:514`, `tcp://[2001:db8::1]:601`.

use super::super::diagnostic::Mistake;
use super::super::model::{Forward, Transport};
use super::address;
use alloc::format;
use core::fmt;
use core::net::SocketAddr;

/// Names are not looked up: a machine's first words must not wait for a name server.
pub(crate) fn destination(text: &str) -> Result<Forward, Mistake> {
    let wrong = || Mistake::new(format!("\"{text}\" is no collector"));
    let Some((scheme, to)) = text.split_once("://") else {
        return Err(wrong().help(format!("write \"udp://{text}\" or \"tcp://{text}\"")));
    };
    let transport = match scheme {
        "udp" => Transport::Udp,
        "tcp" => Transport::Tcp,
        "tls" => return Err(wrong().help("this version sends over udp:// and tcp://")),
        _ => return Err(wrong().help("it begins with udp:// or tcp://")),
    };
    if to.parse::<core::net::IpAddr>().is_ok() {
        let to = if to.contains(':') { format!("[{to}]") } else { to.into() };
        return Err(wrong().help(format!("with a port: \"{scheme}://{to}:514\"")));
    }
    let to: SocketAddr =
        to.parse().map_err(|_| wrong().help("an IP address and a port, like \"udp://192.0.2.1:514\""))?;
    address::host(&format!("{}", to.ip()))?;
    if to.port() == 0 {
        return Err(wrong().help("its port is 0"));
    }
    Ok(Forward { transport, to })
}

/// As it is written.
impl fmt::Display for Forward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        };
        write!(f, "{scheme}://{}", self.to)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_collector_has_a_transport_an_address_and_a_port() {
        let forward = |transport, to: &str| Forward { transport, to: to.parse().unwrap() };
        assert_eq!(destination("udp://192.0.2.1:514"), Ok(forward(Transport::Udp, "192.0.2.1:514")));
        let v6 = forward(Transport::Tcp, "[2001:db8::1]:601");
        assert_eq!(v6.to_string(), "tcp://[2001:db8::1]:601");
        assert_eq!(destination("tcp://[2001:db8::1]:601"), Ok(v6));
        for text in [
            "192.0.2.1:514",
            "udp://192.0.2.1",
            "udp://2001:db8::1",
            "udp://collector:514",
            "udp://192.0.2.1:0",
            "udp://0.0.0.0:514",
            "tls://192.0.2.1:6514",
            "http://192.0.2.1:80",
            "udp://",
        ] {
            assert!(destination(text).is_err(), "{text}");
        }
    }
}
