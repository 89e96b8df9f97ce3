//! Files with certificates and keys (RFC 7468), judged as far as can be without cryptography: what is no PEM, is cut off, or
//! has a passphrase is said before a machine is built with it.

use super::files::FileKind;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A bundle of all public authorities has 230 KiB.
pub const PEM_MAX: u64 = 1 << 20;

/// # Errors
/// What is wrong, for a person.
pub fn judge(kind: FileKind, bytes: &[u8]) -> Result<(), String> {
    let (what, is_one): (_, fn(&str) -> bool) = match kind {
        FileKind::Any => return Ok(()),
        FileKind::Certificates => ("certificate", |label| label == "CERTIFICATE"),
        FileKind::PrivateKey => {
            ("private key", |label| matches!(label, "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY"))
        }
    };
    if bytes.len() as u64 > PEM_MAX {
        return Err(format!("it has more than {} KiB", PEM_MAX >> 10));
    }
    let text = core::str::from_utf8(bytes).unwrap_or_default();
    let mut count = 0u32;
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let Some(label) = line.trim_end().strip_prefix("-----BEGIN ").and_then(|it| it.strip_suffix("-----"))
        else {
            continue;
        };
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line.trim())
            .take_while(|line| !line.starts_with("-----"))
            .collect();
        if label == "ENCRYPTED PRIVATE KEY" || body.iter().any(|line| line.contains("ENCRYPTED")) {
            return Err("the key has a passphrase, and nobody is there to type it".into());
        }
        if !is_one(label) {
            continue;
        }
        if !is_whole(&decoded(&body)) {
            return Err(format!("the {what} in line {number} is damaged or cut off"));
        }
        count = count.saturating_add(1);
    }
    match (kind, count) {
        (_, 0) => Err(format!("there is no {what} in it, as PEM has it")),
        (FileKind::PrivateKey, 2..) => Err("there is more than one key in it".into()),
        (FileKind::PrivateKey | FileKind::Certificates | FileKind::Any, _) => Ok(()),
    }
}

/// What base64 stands for; nothing, when it is none.
fn decoded(lines: &[&str]) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0u32);
    for letter in lines.iter().flat_map(|line| line.bytes()).filter(|letter| *letter != b'=') {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Vec::new(),
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}

/// Whether it is a sequence of ASN.1 that is as long as it says (X.690 §8.1.3).
fn is_whole(der: &[u8]) -> bool {
    let Some((0x30, rest)) = der.split_first() else { return false };
    let Some((first, rest)) = rest.split_first() else { return false };
    let (length, content) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let Some((size, content)) = rest.split_at_checked(usize::from(first & 0x7f)) else {
                return false;
            };
            (size.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), content)
        }
        _ => return false,
    };
    length == content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    fn check(kind: FileKind, text: &str, expected: &str) {
        let found = judge(kind, text.as_bytes()).err().unwrap_or_default();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_is_no_pem_of_that_kind_is_said() {
        use FileKind::{Certificates, PrivateKey};
        // A sequence of three bytes.
        let (one, cut) = (pem("CERTIFICATE", "MAMCAQU="), pem("CERTIFICATE", "MAMCAQ=="));
        let key = pem("PRIVATE KEY", "MAMCAQU=");
        check(Certificates, &format!("some words\n{one}{one}"), "");
        check(Certificates, &one.replace('\n', "\r\n"), "");
        check(Certificates, "", "there is no certificate in it, as PEM has it");
        check(Certificates, &key, "there is no certificate in it, as PEM has it");
        check(Certificates, &format!("{one}{cut}"), "the certificate in line 4 is damaged or cut off");
        check(Certificates, &one.replace("MAMC", "MA*C"), "the certificate in line 1 is damaged or cut off");
        check(Certificates, "-----BEGIN CERTIFICATE-----", "the certificate in line 1 is damaged or cut off");
        check(PrivateKey, &format!("{one}{key}"), "");
        check(PrivateKey, &pem("EC PRIVATE KEY", "MAMCAQU="), "");
        check(PrivateKey, &one, "there is no private key in it, as PEM has it");
        check(PrivateKey, &format!("{key}{key}"), "there is more than one key in it");
        let passphrase = "the key has a passphrase, and nobody is there to type it";
        check(PrivateKey, &pem("ENCRYPTED PRIVATE KEY", "MAMCAQU="), passphrase);
        check(PrivateKey, &pem("RSA PRIVATE KEY", "Proc-Type: 4,ENCRYPTED\n\nMAMCAQU="), passphrase);
        assert_eq!(
            judge(Certificates, &[0xff; 9]).unwrap_err(),
            "there is no certificate in it, as PEM has it"
        );
        check(Certificates, &one.repeat(1 << 15), "it has more than 1024 KiB");
    }
}
