//! Names of this computer's users, as `list` and `ps` show them.

/// Its name in /etc/passwd, or `#` and the number.
pub(crate) fn name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    find(&passwd, uid).map_or_else(|| format!("#{uid}"), str::to_owned)
}

fn find(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_number() {
        let passwd = "broken\nroot:x:0:0::/root:/bin/sh\nweb:x:33:33::/:\n";
        assert_eq!(find(passwd, 33), Some("web"));
        assert_eq!(find(passwd, 34), None);
    }
}
