//! What apt says about packages, read: stanzas, and the dependencies that a kernel is split into.

use std::collections::BTreeMap;

/// One stanza of `apt-cache show`. Lines that continue a field are not kept: none that is asked
/// for here has them.
pub(super) struct Stanza<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Stanza<'a> {
    /// The first stanza: apt shows the version that it would install first.
    pub(super) fn first(text: &'a str) -> Self {
        let lines = text.lines().take_while(|line| !line.trim().is_empty());
        let fields =
            lines.filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| line.split_once(':'));
        Self(fields.map(|(name, value)| (name, value.trim())).collect())
    }

    pub(super) fn field(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied()
    }

    /// The packages that hold the parts of a kernel: up to 6.12 one image, later an image, its
    /// modules and its binary apart. What else a kernel depends on (an initramfs generator) is of
    /// no use to a machine without packages.
    pub(super) fn kernel_parts(&self) -> Vec<String> {
        let clauses = self.field("Depends").unwrap_or_default().split(',');
        let first_choices = clauses.filter_map(|clause| clause.split(['|', '(']).next()).map(str::trim);
        first_choices.filter(|name| is_kernel_part(name)).map(str::to_owned).collect()
    }
}

fn is_kernel_part(name: &str) -> bool {
    ["linux-image-", "linux-modules-", "linux-binary-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether a package's version is of a kernel that Orlop runs on: 6.12 or newer.
pub(super) fn is_new_enough(version: &str) -> bool {
    let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
    let mut numbers = upstream.split(['.', '-', '~', '+']).map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (6, 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_stanza_that_apt_would_install() {
        let text = "Package: a\nVersion: 2\nDescription: one\n more: lines\n\nPackage: a\nVersion: 1\n";
        let stanza = Stanza::first(text);
        assert_eq!(stanza.field("Version"), Some("2"));
        assert_eq!(stanza.field(" more"), None);
    }

    #[test]
    fn finds_the_parts_of_a_kernel_among_its_dependencies() {
        let check = |depends: &str, expected: &[&str]| {
            assert_eq!(Stanza::first(&format!("Depends: {depends}\n")).kernel_parts(), expected);
        };
        check(
            "linux-image-6.12.95+deb12-cloud-amd64 (= 6.12.95-1~bpo12+1)",
            &["linux-image-6.12.95+deb12-cloud-amd64"],
        );
        check("kmod, initramfs-tools (>= 0.120) | linux-initramfs-tool", &[]);
        check(
            "dracut | linux-initramfs-tool, linux-base-7 (= 7), linux-binary-7 (= 7), linux-modules-7 (= 7)",
            &["linux-binary-7", "linux-modules-7"],
        );
    }

    #[test]
    fn knows_a_kernel_that_is_too_old() {
        for version in ["6.12.95-1~bpo12+1", "6.13~rc1-1", "7.0-1", "1:6.12-1"] {
            assert!(is_new_enough(version), "{version}");
        }
        for version in ["6.1.99-1", "5.19-1", "6", ""] {
            assert!(!is_new_enough(version), "{version}");
        }
    }
}
