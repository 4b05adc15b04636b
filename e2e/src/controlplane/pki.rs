//! The cluster's certificates and the key that signs ServiceAccount tokens.
//!
//! May write below its folder, readable by the user alone. Made once per folder: a control plane that starts again on old
//! data must know its old tokens.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, date_time_ymd,
};

/// Failures of making the certificates.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// rcgen refused.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    /// The folder could not be written.
    #[error("cannot write the certificate or key {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// Files, all PEM: `NAME.crt` and `NAME.key` for ca, apiserver, admin and controller-manager; `sa.key`, `sa.pub`.
pub(super) struct Pki {
    folder: PathBuf,
}

/// Written last, so that its presence proves the rest.
const LAST: &str = "sa.pub";

impl Pki {
    /// Uses what is in `folder`, or makes it.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, PkiError> {
        let pki = Self {
            folder: folder.to_owned(),
        };
        if !pki.file(LAST).is_file() {
            fs::create_dir_all(folder).map_err(|source| PkiError::Write {
                path: folder.to_owned(),
                source,
            })?;
            pki.make()?;
        }
        Ok(pki)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn make(&self) -> Result<(), PkiError> {
        let ca_key = KeyPair::generate()?;
        let mut ca = params("causeway control plane", None, &[])?;
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        self.write("ca.key", &ca_key.serialize_pem())?;
        self.write("ca.crt", &ca.self_signed(&ca_key)?.pem())?;
        let issuer = Issuer::new(ca, ca_key);

        // 10.0.0.1 is the first address of the service range: in-cluster clients would come that way.
        let names = [
            "127.0.0.1",
            "10.0.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default.svc",
        ];
        let mut server = params("kube-apiserver", None, &names)?;
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue("apiserver", &server, &issuer)?;
        // A client's common name is its user, its organisation a group.
        for (file, user, group) in [
            ("admin", "admin", Some("system:masters")),
            ("controller-manager", "system:kube-controller-manager", None),
        ] {
            let mut client = params(user, group, &[])?;
            client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            self.issue(file, &client, &issuer)?;
        }
        // RSA, as kubeadm makes it: tokens are then signed with RS256, which every verifier knows.
        let tokens = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
        self.write("sa.key", &tokens.serialize_pem())?;
        self.write(LAST, &tokens.public_key_pem())
    }

    fn issue(
        &self,
        name: &str,
        params: &CertificateParams,
        issuer: &Issuer<'_, KeyPair>,
    ) -> Result<(), PkiError> {
        let key = KeyPair::generate()?;
        self.write(&format!("{name}.key"), &key.serialize_pem())?;
        self.write(
            &format!("{name}.crt"),
            &params.signed_by(&key, issuer)?.pem(),
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<(), PkiError> {
        write_private(&self.file(name), text).map_err(|source| PkiError::Write {
            path: self.file(name),
            source,
        })
    }
}

fn params(
    common_name: &str,
    organisation: Option<&str>,
    names: &[&str],
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>(),
    )?;
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    if let Some(organisation) = organisation {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
    }
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyEncipherment,
    ];
    // A clock that is off, or a playground that stays, must not end it.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    Ok(params)
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
