//! TLS to an SMSC.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::SmppError;

/// Root certificates that one file may hold.
const ROOTS_MAX: usize = 1000;

/// Reads root certificates; anything else in the file does not count.
pub(crate) fn private_roots(pem: &[u8]) -> Result<RootCertStore, SmppError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem).take(ROOTS_MAX) {
        roots.add(certificate.map_err(|_| SmppError::Roots)?).map_err(|_| SmppError::Roots)?;
    }
    if roots.is_empty() { Err(SmppError::Roots) } else { Ok(roots) }
}

fn platform_roots() -> Result<RootCertStore, SmppError> {
    let mut roots = RootCertStore::empty();
    // Some of the platform's roots may be unreadable; those that can be read are believed.
    let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(SmppError::Roots) } else { Ok(roots) }
}

/// TLS 1.2 and 1.3 with the roots given, or the platform's.
pub(crate) fn client(roots_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, SmppError> {
    let roots = roots_pem.map_or_else(platform_roots, private_roots)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = versions.map_err(|_| SmppError::Roots)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
