//! Names: of containers and volumes, hosts, modules, sysctls, interfaces, time zones.

use super::super::diagnostic::Mistake;
use alloc::format;

/// HOST_NAME_MAX of linux/utsname.h.
const MAX_HOSTNAME: usize = 64;
/// Longest label of a domain name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;
/// Longest domain name in text.
const MAX_DOMAIN: usize = 253;
/// IFNAMSIZ of linux/if.h, less its NUL.
const MAX_INTERFACE: usize = 15;

/// As JSON Schema has them.
pub(crate) const THING: &str = "^[a-z0-9][a-z0-9_.-]{0,62}$";
pub(crate) const CONTAINER: &str = "^[a-z0-9][a-z0-9_.-]{0,62}(@([a-z0-9][a-z0-9_.-]{0,60})?)?$";
pub(crate) const OTHER: &str = "^[a-z0-9][a-z0-9_.-]{0,62}(@[a-z0-9][a-z0-9_.-]{0,60})?$";
pub(crate) const HOSTNAME: &str = "^[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?$";
pub(crate) const SYSCTL: &str = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$";

/// A container's, volume's or network's name: part of paths, cgroups and host names.
pub(crate) fn thing(name: &str) -> Result<(), Mistake> {
    let rule = "names are [a-z0-9][a-z0-9_.-]*, at most 63 characters";
    let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let rest = |c: char| right(c) || matches!(c, '_' | '.' | '-');
    if name.starts_with(right) && name.chars().all(rest) && name.len() <= MAX_LABEL {
        return Ok(());
    }
    let mistake = Mistake::new(format!("`{name}` is no name for this"));
    let lower = name.to_ascii_lowercase().replace(' ', "-");
    if lower != name && thing(&lower).is_ok() {
        return Err(mistake.help(format!("write `{lower}`: {rule}")));
    }
    Err(mistake.help(rule))
}

/// What a table of containers is called: a container, an instance (`worker@a`), or a template (`worker@`).
pub(crate) fn container(name: &str) -> Result<(), Mistake> {
    let Some((family, instance)) = name.split_once('@') else { return thing(name) };
    thing(family)?;
    if !instance.is_empty() {
        thing(instance)?;
    }
    if name.len() > MAX_LABEL {
        let mistake = Mistake::new(format!("`{name}` is too long for a name"));
        return Err(
            mistake.help(format!("at most {MAX_LABEL} characters, the `@` and what follows included"))
        );
    }
    Ok(())
}

/// A container, or all instances of a template.
pub(crate) fn other(name: &str) -> Result<(), Mistake> {
    if let Some(family) = name.strip_suffix('@').filter(|family| thing(family).is_ok()) {
        let mistake = Mistake::new(format!("`{name}` is a template, and runs nothing"));
        return Err(
            mistake.help(format!("write `{family}` for all that is made of it, or name one: `{family}@a`"))
        );
    }
    container(name)
}

pub(crate) fn hostname(name: &str) -> Result<(), Mistake> {
    let rule = format!("letters, digits, `-` and `.`, at most {MAX_HOSTNAME} characters");
    if name.len() <= MAX_HOSTNAME && name.split('.').all(is_label) {
        return Ok(());
    }
    Err(Mistake::new(format!("\"{name}\" is no host name")).help(rule))
}

pub(crate) fn domain(name: &str) -> Result<(), Mistake> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    if bare.len() <= MAX_DOMAIN && bare.split('.').all(is_label) {
        return Ok(());
    }
    Err(Mistake::new(format!("\"{name}\" is no domain name")).help("like \"example.org\""))
}

/// A kernel module as modprobe names it, without a path and without options.
pub(crate) fn module(name: &str) -> Result<(), Mistake> {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !name.is_empty() && name.chars().all(right) && name.len() <= MAX_LABEL {
        return Ok(());
    }
    let bare = name.rsplit('/').next().unwrap_or(name).split('.').next().unwrap_or(name);
    Err(Mistake::new(format!("\"{name}\" is no module's name"))
        .help(format!("the bare name, like \"{bare}\"")))
}

/// A sysctl's key with dots, or a part of one.
pub(crate) fn sysctl(key: &str) -> Result<(), Mistake> {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.split('.').all(|part| !part.is_empty() && part.chars().all(right)) {
        return Ok(());
    }
    let mistake = Mistake::new(format!("`{key}` is no sysctl"));
    let dots = key.trim_start_matches("/proc/sys/").replace('/', ".");
    if dots != key && sysctl(&dots).is_ok() {
        return Err(mistake.help(format!("write `{dots}`")));
    }
    Err(mistake.help("like `net.ipv4.ip_forward`"))
}

/// What is written to a sysctl: one line.
pub(crate) fn sysctl_value(value: &str) -> Result<(), Mistake> {
    if value.is_empty() || value.contains(['\n', '\r']) {
        return Err(Mistake::new("a sysctl's value is one line and not empty"));
    }
    if matches!(value, "true" | "false") {
        return Err(Mistake::new(format!("the kernel does not know `{value}`")).help("write 1 or 0"));
    }
    Ok(())
}

/// The name of a profile of AppArmor.
pub(crate) fn profile(name: &str) -> Result<(), Mistake> {
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Mistake::new(format!("\"{name}\" is no profile's name")).help("without blanks"));
    }
    if name == "unconfined" {
        return Err(Mistake::new("without `apparmor` no profile is applied").help("leave it out"));
    }
    Ok(())
}

/// A network interface's name, as the kernel takes it.
pub(crate) fn interface(name: &str) -> Result<(), Mistake> {
    if name == "lo" {
        return Err(Mistake::new("the loopback interface is always up, and needs no table"));
    }
    let wrong = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':');
    if name.is_empty() || matches!(name, "." | "..") || name.len() > MAX_INTERFACE || name.contains(wrong) {
        let rule = format!("at most {MAX_INTERFACE} bytes, without blanks, `/` and `:`");
        return Err(Mistake::new(format!("\"{name}\" is no interface's name")).help(rule));
    }
    Ok(())
}

fn is_label(label: &str) -> bool {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && label.chars().all(right)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: fn(&str) -> Result<(), Mistake>, right: &[&str], wrong: &[&str]) {
        for name in right {
            assert_eq!(rule(name), Ok(()), "{name}");
        }
        for name in wrong {
            assert!(rule(name).is_err(), "{name}");
        }
    }

    #[test]
    fn knows_each_kind_of_name() {
        let long = "a".repeat(64);
        check(thing, &["db", "web-1", "a.b_c", "0"], &["", "Db", "-a", ".a", "a b", "a/b", "é", &long]);
        let instances = ["db", "web@1", "worker@eth0.7", "worker@"];
        check(
            container,
            &instances,
            &["@", "@a", "w@@", "w@a@b", "w@A", "w@-", "w@.", "W@a", &format!("w@{}", &long[..62])],
        );
        check(other, &["db", "web@1"], &["worker@", "@", "w@A"]);
        check(hostname, &["gateway-7", "a.example.org", "A1"], &["", "-a", "a-", "a..b", "a_b", &long]);
        check(domain, &["example.org", "lan", "example.org."], &["", ".", "a b", "a..b"]);
        check(module, &["virtio_net", "snd-hda"], &["", "a.ko", "a/b", "a b=1"]);
        check(sysctl, &["net.ipv4.ip_forward", "vm"], &["", "net..x", "net/ipv4", ".a", "a.", "a b"]);
        check(interface, &["eth0", "enp1s0.7"], &["", "lo", ".", "a/b", "a b", "abcdefghijklmnop"]);
    }

    #[test]
    fn says_how_the_name_would_be_right() {
        assert!(thing("My DB").unwrap_err().help.unwrap().contains("`my-db`"));
        assert!(sysctl("net/ipv4/ip_forward").unwrap_err().help.unwrap().contains("`net.ipv4.ip_forward`"));
        assert!(module("x/e1000.ko.xz").unwrap_err().help.unwrap().contains("\"e1000\""));
    }
}
