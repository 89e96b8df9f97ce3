//! The text of resolv.conf(5).

use alloc::string::String;

use crate::config::Dns;

/// One `nameserver` line a server, in the order declared, then one `search` line.
///
/// All are written although libcs ask the first three only: other resolvers read on.
#[must_use]
pub fn resolv_conf(dns: &Dns) -> String {
    let mut text = String::new();
    for server in &dns.servers {
        text.push_str("nameserver ");
        text.push_str(&alloc::string::ToString::to_string(server));
        text.push('\n');
    }
    if !dns.search.is_empty() {
        text.push_str("search ");
        text.push_str(&dns.search.join(" "));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(servers: &[&str], search: &[&str], expected: &str) {
        let dns = Dns {
            servers: servers.iter().map(|text| text.parse().unwrap()).collect(),
            search: search.iter().map(|text| (*text).into()).collect(),
        };
        assert_eq!(resolv_conf(&dns), expected);
    }

    #[test]
    fn resolv_conf_has_a_line_a_server_and_one_search_line() {
        check(&[], &[], "");
        check(&["192.0.2.53"], &[], "nameserver 192.0.2.53\n");
        check(
            &["2001:db8::53", "192.0.2.53"],
            &["plant.example", "example"],
            "nameserver 2001:db8::53\nnameserver 192.0.2.53\nsearch plant.example example\n",
        );
        check(&[], &["example"], "search example\n");
    }
}
