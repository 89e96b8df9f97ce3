//! Addresses: IP, IP with the length of its prefix, MAC.

use super::super::diagnostic::Mistake;
use super::super::model::Cidr;
use alloc::format;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

impl Cidr {
    /// The first address of the network that this one is in.
    pub fn network(&self) -> IpAddr {
        let prefix = u32::from(self.prefix);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32u32.saturating_sub(prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128u32.saturating_sub(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
            }
        }
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        let other = Cidr { address: other, prefix: self.prefix };
        self.address.is_ipv4() == other.address.is_ipv4() && self.network() == other.network()
    }
}

pub(crate) fn ip(text: &str) -> Result<IpAddr, Mistake> {
    text.parse().map_err(|_| {
        let mistake = Mistake::new(format!("\"{text}\" is no IP address"));
        match text.split_once('/') {
            Some((address, _)) if address.parse::<IpAddr>().is_ok() => {
                mistake.help(format!("without a prefix: \"{address}\""))
            }
            _ => mistake.help("like \"192.0.2.1\" or \"2001:db8::1\""),
        }
    })
}

/// A host that packets can be sent to: a gateway, a name server.
pub(crate) fn host(text: &str) -> Result<IpAddr, Mistake> {
    let address = ip(text)?;
    if address.is_unspecified() || address.is_multicast() || is_broadcast(address) {
        return Err(Mistake::new(format!("\"{text}\" is no host's address")));
    }
    Ok(address)
}

pub(crate) fn cidr(text: &str) -> Result<Cidr, Mistake> {
    let Some((address, prefix)) = text.split_once('/') else {
        let mistake = Mistake::new(format!("\"{text}\" has no prefix length"));
        return Err(match text.parse() {
            Ok(IpAddr::V4(_)) => mistake.help(format!("like \"{text}/24\"")),
            Ok(IpAddr::V6(_)) => mistake.help(format!("like \"{text}/64\"")),
            Err(_) => mistake.help("like \"192.0.2.7/24\" or \"2001:db8::7/64\""),
        });
    };
    let address = ip(address)?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let digits = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_digit());
    match prefix.parse() {
        Ok(prefix) if digits && prefix <= longest => Ok(Cidr { address, prefix }),
        _ => Err(Mistake::new(format!("\"{text}\": the prefix length is from 0 to {longest}"))),
    }
}

/// An address that an interface of the machine can have.
pub(crate) fn interface(text: &str) -> Result<Cidr, Mistake> {
    let cidr = cidr(text)?;
    let address = cidr.address;
    if cidr.prefix == 0 {
        let mistake = Mistake::new(format!("\"{text}\" would make every host a neighbour"));
        return Err(mistake.help("the prefix length is the network's, like 24"));
    }
    if address.is_unspecified() || address.is_multicast() || address.is_loopback() || is_broadcast(address) {
        return Err(Mistake::new(format!("\"{text}\" is no address that an interface can have")));
    }
    let widest = if address.is_ipv4() { 31 } else { 127 };
    if cidr.prefix < widest && address == cidr.network() && address.is_ipv4() {
        let message = format!("\"{text}\" is the network itself, not an address in it");
        return Err(Mistake::new(message));
    }
    Ok(cidr)
}

/// Where a route leads: a network, or `default`.
pub(crate) fn route(text: &str) -> Result<Option<Cidr>, Mistake> {
    if text == "default" {
        return Ok(None);
    }
    let cidr = cidr(text)?;
    if cidr.address != cidr.network() {
        let mistake = Mistake::new(format!("\"{text}\" is an address in a network, not the network"));
        return Err(mistake.help(format!("write \"{}/{}\"", cidr.network(), cidr.prefix)));
    }
    Ok(Some(cidr))
}

pub(crate) fn mac(text: &str) -> Result<[u8; 6], Mistake> {
    let wrong = || Mistake::new(format!("\"{text}\" is no MAC address")).help("like \"52:54:00:12:34:56\"");
    let mut bytes = [0; 6];
    let mut parts = text.split([':', '-']);
    for byte in &mut bytes {
        let part = parts.next().filter(|part| part.len() == 2).ok_or_else(wrong)?;
        if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        *byte = u8::from_str_radix(part, 16).map_err(|_| wrong())?;
    }
    if parts.next().is_some() || bytes == [0; 6] || bytes.first().is_some_and(|first| first & 1 == 1) {
        return Err(wrong());
    }
    Ok(bytes)
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if address.is_broadcast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_an_interface_can_have() {
        let check = |text, wanted: Result<(), &str>| match (interface(text), wanted) {
            (Ok(_), Ok(())) => {}
            (Err(mistake), Err(part)) => assert!(mistake.message.contains(part), "{text}: {mistake}"),
            (found, _) => panic!("{text}: {found:?}"),
        };
        check("192.0.2.7/24", Ok(()));
        check("192.0.2.6/31", Ok(()));
        check("2001:db8::7/64", Ok(()));
        check("192.0.2.7", Err("no prefix length"));
        check("192.0.2.7/33", Err("from 0 to 32"));
        check("192.0.2.7/+4", Err("from 0 to 32"));
        check("2001:db8::7/129", Err("from 0 to 128"));
        check("192.0.2.0/24", Err("the network itself"));
        check("127.0.0.1/8", Err("an interface can have"));
        check("192.0.2.7/0", Err("neighbour"));
        check("192.0.2.256/24", Err("no IP address"));
    }

    #[test]
    fn knows_what_is_in_a_network() {
        let check = |net, address: &str, wanted| {
            assert_eq!(cidr(net).unwrap().contains(address.parse().unwrap()), wanted, "{net} {address}");
        };
        check("192.0.2.7/24", "192.0.2.1", true);
        check("192.0.2.7/24", "192.0.3.1", false);
        check("0.0.0.0/0", "192.0.3.1", true);
        check("0.0.0.0/0", "::1", false);
        check("2001:db8::7/64", "2001:db8::1", true);
        check("2001:db8::7/128", "2001:db8::1", false);
    }

    #[test]
    fn reads_routes_and_macs() {
        assert_eq!(route("default"), Ok(None));
        assert!(route("10.0.0.0/8").is_ok());
        assert_eq!(route("10.0.0.1/8").unwrap_err().help.unwrap(), "write \"10.0.0.0/8\"");
        assert_eq!(mac("52:54:00:12:34:5F").unwrap(), [0x52, 0x54, 0, 0x12, 0x34, 0x5f]);
        for wrong in ["", "52:54:00:12:34", "52:54:00:12:34:56:78", "52:54:00:12:34:+5", "01:00:5e:00:00:01"]
        {
            assert!(mac(wrong).is_err(), "{wrong}");
        }
    }
}
