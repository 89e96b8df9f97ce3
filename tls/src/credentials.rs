//! Who is believed, and who we are: what the files say that it was started with.

use std::fs::File;
use std::os::fd::RawFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use nix::errno::Errno;
use orlop::config::{FileKind, PEM_MAX, judge};
use orlop::log::{PUMP_CA, PUMP_CERT, PUMP_KEY};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore, crypto};

use crate::{linux, reason};

/// # Errors
/// Which file cannot be used, and why.
pub(crate) fn config() -> Result<Arc<ClientConfig>, String> {
    let ca = read("ca", PUMP_CA, FileKind::Certificates)?.unwrap_or_default();
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca", &ca)? {
        roots.add(certificate).map_err(|error| format!("ca: {}", reason::of(&error)))?;
    }
    let own = match (
        read("cert", PUMP_CERT, FileKind::Certificates)?,
        read("key", PUMP_KEY, FileKind::PrivateKey)?,
    ) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(&key).map_err(|error| format!("key: {error}"))?;
            Some((certificates("cert", &cert)?, key))
        }
        _ => None,
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| reason::of(&error))?
        .with_root_certificates(roots);
    let mut config = match own {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                "key: it does not belong to the certificate in cert".to_owned()
            }
            error => format!("cert and key: {}", reason::of(&error)),
        })?,
    };
    // There is one session, and nothing is remembered.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn certificates(key: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| format!("{key}: {error}"))
}

/// From its beginning: others have the same open file. `None`: it was not started with one.
fn read(key: &str, number: RawFd, kind: FileKind) -> Result<Option<Vec<u8>>, String> {
    let file = match linux::inherited(number) {
        Ok(fd) => File::from(fd),
        Err(Errno::EBADF) if number != PUMP_CA => return Ok(None),
        Err(errno) => return Err(format!("{key}: {}", errno.desc())),
    };
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    // One more than is judged to be too much.
    while bytes.len() as u64 <= PEM_MAX {
        match file.read_at(&mut part, bytes.len() as u64) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(part.get(..count).unwrap_or_default()),
            Err(error) => return Err(format!("{key}: {}", reason::plain(&error))),
        }
    }
    judge(kind, &bytes).map_err(|why| format!("{key}: {why}"))?;
    Ok(Some(bytes))
}
