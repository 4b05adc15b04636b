//! The envtest archive: etcd, kube-apiserver and kubectl, as `setup-envtest` gets them.
//!
//! May reach the index and the archive that it names. Nothing is unpacked whose SHA-512 is not the index's.
//! An address that cannot be reached is no failure (there is another source); a wrong archive is.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest as _, Sha512};

use super::binaries::{ObtainError, Sources, Tool, beside, cache_error, has, install};
use super::versions::Versions;

/// The index that the controller-tools project publishes beside its releases.
pub(super) const INDEX: &str =
    "https://raw.githubusercontent.com/kubernetes-sigs/controller-tools/HEAD/envtest-releases.yaml";

pub(super) enum Failed {
    /// There is no archive for us to be had: look elsewhere.
    Unreachable(String),
    /// There is one, and it must not be used, or not be installed.
    Bad(ObtainError),
}

impl From<ObtainError> for Failed {
    fn from(error: ObtainError) -> Self {
        Self::Bad(error)
    }
}

#[derive(Deserialize)]
struct Index {
    releases: BTreeMap<String, BTreeMap<String, Archive>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Archive {
    /// SHA-512 in hexadecimal digits.
    hash: String,
    #[serde(rename = "selfLink")]
    self_link: String,
}

/// Downloads, checks, and installs into `folder` what of the archive is missing there.
pub(super) async fn fetch(sources: &Sources, index: &str, folder: &Path) -> Result<(), Failed> {
    let unreachable = |what: &str, error: reqwest::Error| {
        Failed::Unreachable(format!(
            "cannot get {what} ({})",
            root_cause(&error.without_url())
        ))
    };
    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(10))
        .read_timeout(Duration::from_secs(30))
        .build()
        .map_err(|error| unreachable("a client", error))?;
    let get = async |url: &str| {
        client
            .get(url)
            .send()
            .await?
            .error_for_status()?
            .bytes()
            .await
    };

    let text = get(index)
        .await
        .map_err(|error| unreachable(index, error))?;
    let Some((version, archive)) = select(&text, &Versions::pinned(), platform()) else {
        return Err(Failed::Unreachable(format!(
            "{index} lists no archive of Kubernetes {} for {}-{}",
            Versions::pinned().kubernetes,
            platform().0,
            platform().1
        )));
    };
    sources.say(&format!(
        "downloading etcd, kube-apiserver and kubectl {version} from {}",
        archive.self_link
    ));
    let bytes = get(&archive.self_link)
        .await
        .map_err(|error| unreachable(&archive.self_link, error))?;
    let actual = hex::encode(Sha512::digest(&bytes));
    if !actual.eq_ignore_ascii_case(&archive.hash) {
        return Err(Failed::Bad(ObtainError::Checksum {
            url: archive.self_link,
            expected: archive.hash,
            actual,
        }));
    }
    unpack(&bytes, folder)?;
    sources.say(&format!("downloaded {} MB", bytes.len() / 1_000_000));
    Ok(())
}

/// The innermost error: what reqwest puts around it says only that something failed.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Operating system and architecture in Go's words, which the archives' names use.
fn platform() -> (&'static str, &'static str) {
    let os = if cfg!(target_os = "macos") {
        "darwin"
    } else {
        std::env::consts::OS
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    (os, arch)
}

/// The newest release of our minor version that has an archive for this platform. Patch versions may differ from ours
/// (not each one gets an archive); minor versions may not, or the controller manager would not fit the API server.
fn select(index: &[u8], pinned: &Versions, (os, arch): (&str, &str)) -> Option<(String, Archive)> {
    let index: Index = serde_saphyr::from_slice(index).ok()?;
    let (major, minor) = pinned.kubernetes_minor();
    let prefix = format!("v{major}.{minor}.");
    let patch = |version: &str| version.strip_prefix(&prefix)?.parse::<u32>().ok();
    index
        .releases
        .into_iter()
        .filter_map(|(version, mut archives)| {
            let archive = archives.remove(&format!("envtest-{version}-{os}-{arch}.tar.gz"))?;
            Some((patch(&version)?, version, archive))
        })
        .max_by_key(|(patch, ..)| *patch)
        .map(|(_, version, archive)| (version, archive))
}

/// Unpacks beside `folder`, then moves what is missing into it.
fn unpack(archive: &[u8], folder: &Path) -> Result<(), ObtainError> {
    let scratch = beside(folder, "unpack");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(cache_error("cannot create", &scratch))?;
    let unpacked = tar(archive, &scratch).and_then(|()| {
        // The archive's files are below controller-tools/envtest/.
        for tool in Tool::ENVTEST.into_iter().filter(|tool| !has(folder, *tool)) {
            let file = scratch.join(tool.name());
            if !file.is_file() {
                return Err(ObtainError::Unpack(format!("it holds no {}", tool.name())));
            }
            install(&file, folder, tool)?;
        }
        Ok(())
    });
    let _ = fs::remove_dir_all(&scratch);
    unpacked
}

fn tar(archive: &[u8], into: &Path) -> Result<(), ObtainError> {
    let failed = |error: io::Error| ObtainError::Unpack(error.to_string());
    let mut tar = Command::new("tar")
        .args(["-xzf", "-", "--strip-components=2", "-C"])
        .arg(into)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut pipe) = tar.stdin.take() {
        // A tar that gives up early closes the pipe: its own message, below, says more than ours would.
        let _ = pipe.write_all(archive);
    }
    let output = tar.wait_with_output().map_err(failed)?;
    if output.status.success() {
        Ok(())
    } else {
        Err(ObtainError::Unpack(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;

    const LISTING: &str = "
releases:
  v1.36.2: {envtest-v1.36.2-linux-amd64.tar.gz: {hash: aa, selfLink: http://x/2}}
  v1.36.10: {envtest-v1.36.10-linux-amd64.tar.gz: {hash: bb, selfLink: http://x/10}}
  v1.36.11: {envtest-v1.36.11-darwin-arm64.tar.gz: {hash: cc, selfLink: http://x/11}}
  v1.36.12-rc.0: {envtest-v1.36.12-rc.0-linux-amd64.tar.gz: {hash: dd, selfLink: http://x/12}}
  v1.37.0: {envtest-v1.37.0-linux-amd64.tar.gz: {hash: ee, selfLink: http://x/37}}
";

    #[test]
    fn the_newest_patch_of_the_pinned_minor_for_the_platform() {
        let pinned = Versions {
            kubernetes: "v1.36.3".into(),
            etcd: String::new(),
            helm: String::new(),
        };
        let pick = |platform| select(LISTING.as_bytes(), &pinned, platform);
        assert_eq!(pick(("linux", "amd64")).unwrap().0, "v1.36.10");
        assert_eq!(
            pick(("darwin", "arm64")).unwrap().1.self_link,
            "http://x/11"
        );
        assert_eq!(pick(("linux", "s390x")), None);
    }
}
