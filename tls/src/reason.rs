//! Why there is no session, in one sentence for whoever reads the machine's log.

use std::io;

use nix::errno::Errno;
use orlop::control::rfc3339;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

/// Nothing here was made before: a clock that says less was never set.
const NEVER_SET: u64 = 1_735_689_600;

pub(crate) fn of(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => refusal(*alert),
        Error::InvalidMessage(_) => "what the collector says is no TLS".to_owned(),
        other => other.to_string(),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the collector's certificate has expired, on {}; this machine's clock says {}",
            day(*not_after),
            day(*time)
        ),
        CertificateError::NotValidYetContext { time, not_before } => {
            let unset = if time.as_secs() < NEVER_SET { ", which was never set," } else { "" };
            format!(
                "the collector's certificate is not valid before {}; this machine's clock{unset} says {}",
                day(*not_before),
                day(*time)
            )
        }
        CertificateError::UnknownIssuer => "nobody in ca has signed the collector's certificate".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented = if presented.is_empty() { "nobody".to_owned() } else { presented.join(", ") };
            format!("the collector's certificate is not for {}, but for {presented}", expected.to_str())
        }
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "the collector shows the certificate of an authority, which speaks for others only".to_owned()
        }
        other => format!("the collector's certificate cannot be used: {other}"),
    }
}

fn refusal(alert: AlertDescription) -> String {
    let why = match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "it wants a certificate of this machine's, in cert and key"
        }
        AlertDescription::UnknownCA => "it does not know who signed this machine's certificate",
        AlertDescription::CertificateExpired => "this machine's certificate has expired, by its clock",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateUnknown => "it takes no such certificate as this machine's",
        AlertDescription::AccessDenied => "this machine may not speak with it",
        AlertDescription::ProtocolVersion => "it speaks neither TLS 1.3 nor 1.2",
        AlertDescription::HandshakeFailure => "there is no way of encrypting that both know",
        AlertDescription::UnrecognisedName => "it goes by another name",
        other => return format!("the collector refused: {other:?}"),
    };
    format!("the collector refused: {why}")
}

/// 2026-11-23
fn day(time: UnixTime) -> String {
    let mut text = rfc3339(i64::try_from(time.as_secs()).unwrap_or(i64::MAX), 0);
    text.truncate(10);
    text
}

/// Without the number.
pub(crate) fn plain(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[test]
    fn an_unset_clock_is_named_where_a_certificate_is_not_valid_yet() {
        let not_yet = |time| {
            let error =
                CertificateError::NotValidYetContext { time: at(time), not_before: at(1_764_000_000) };
            of(&Error::InvalidCertificate(error))
        };
        assert_eq!(
            not_yet(12),
            "the collector's certificate is not valid before 2025-11-24; this machine's clock, which was never set, says 1970-01-01"
        );
        assert!(not_yet(1_763_000_000).ends_with("this machine's clock says 2025-11-13"));
    }
}
