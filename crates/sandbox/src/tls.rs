//! The sandbox's own certificate authority, kept in its folder, and the certificate that its listeners show.
//!
//! The CA lives as long as the folder, so that clients may keep trusting `ca.pem`; the server's certificate is made
//! afresh at each start.

use crate::persist;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

/// Why no TLS could be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{0}")]
    File(#[from] persist::PersistError),
    #[error(
        "the key in {path} can not be read ({source}); remove ca.pem and ca-key.pem to get a new CA"
    )]
    Key { path: String, source: rcgen::Error },
    #[error("certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS: {0}")]
    Rustls(#[from] rustls::Error),
}

/// Makes aws-lc-rs the process's TLS provider; a second call does nothing.
pub fn install_provider() {
    // An error only says that one is installed already, which is the same one: there is no other in the tree.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

fn ca_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Causeway sandbox CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params.not_before = rcgen::date_time_ymd(2024, 1, 1);
    params.not_after = rcgen::date_time_ymd(2049, 1, 1);
    params
}

/// Reads the CA in `dir` or makes one, and builds the server configuration for `listen`.
pub fn server_config(dir: &Path, listen: IpAddr) -> Result<Arc<ServerConfig>, TlsError> {
    install_provider();
    let cert_path = dir.join("ca.pem");
    let key_path = dir.join("ca-key.pem");
    let params = ca_params();
    let ca_key = match (persist::read(&key_path)?, persist::read(&cert_path)?) {
        (Some(pem), Some(_)) => {
            KeyPair::from_pem(&String::from_utf8_lossy(&pem)).map_err(|source| TlsError::Key {
                path: key_path.display().to_string(),
                source,
            })?
        }
        _ => {
            let key = KeyPair::generate()?;
            let cert = params.self_signed(&key)?;
            persist::write(&key_path, key.serialize_pem().as_bytes())?;
            persist::write(&cert_path, cert.pem().as_bytes())?;
            key
        }
    };
    let issuer = Issuer::new(params, ca_key);

    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
    leaf.distinguished_name = DistinguishedName::new();
    leaf.distinguished_name
        .push(DnType::CommonName, "Causeway sandbox");
    let mut addresses = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    if !addresses.contains(&listen) {
        addresses.push(listen);
    }
    leaf.subject_alt_names
        .extend(addresses.into_iter().map(SanType::IpAddress));
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Python's strict verification wants the authority key identifier.
    leaf.use_authority_key_identifier_extension = true;
    leaf.not_before = rcgen::date_time_ymd(2024, 1, 1);
    leaf.not_after = rcgen::date_time_ymd(2049, 1, 1);
    let leaf_key = KeyPair::generate()?;
    let cert = leaf.signed_by(&leaf_key, &issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
