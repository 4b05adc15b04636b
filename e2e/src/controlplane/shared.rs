//! One control plane per test binary: it costs some seconds and 400 MB, so tests share it and get a namespace each.
//!
//! May keep a control plane until the test process ends (however it ends); its folder goes with it, unless
//! `CAUSEWAY_KEEP` is set.
//! For tests only, hence the panics: a test without its control plane has failed.
#![allow(clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::start::ControlPlaneError;
use super::{Binaries, ControlPlane};

static SHARED: OnceCell<Result<SharedControlPlane, String>> = OnceCell::const_new();

/// The control plane that the tests of this process share.
pub struct SharedControlPlane {
    plane: ControlPlane,
}

/// A namespace of one's own, and a client for it.
pub struct TestNamespace {
    /// Its name.
    pub name: String,
    /// An administrator's client that belongs to the runtime of this test.
    pub client: kube::Client,
}

impl SharedControlPlane {
    /// The shared control plane, started by whoever comes first.
    ///
    /// # Panics
    /// When it cannot be started.
    pub async fn get() -> &'static Self {
        let shared = SHARED
            .get_or_init(|| async { Self::start().await.map_err(|error| error.to_string()) })
            .await;
        shared
            .as_ref()
            .unwrap_or_else(|error| panic!("no control plane: {error}"))
    }

    async fn start() -> Result<Self, ControlPlaneError> {
        let binaries = Binaries::obtain().await?;
        let folder = scratch_folder("shared");
        let mut plane = ControlPlane::start(&binaries, &folder).await?;
        if std::env::var_os("CAUSEWAY_KEEP").is_none() {
            // A static is never dropped: the guard of the processes does the work when this process has ended.
            let folder = plane.folder().to_owned();
            plane.processes().remove_at_end(&folder)?;
        }
        Ok(Self { plane })
    }

    /// What is shared.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.plane.kubeconfig()
    }

    /// Its audit log.
    pub fn audit_log(&self) -> PathBuf {
        self.plane.audit_log()
    }

    /// A new namespace `PREFIX-N` and a client.
    ///
    /// # Panics
    /// When the API server refuses.
    pub async fn namespace(&self, prefix: &str) -> TestNamespace {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("{prefix}-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = self.plane.ensure_namespace(&name).await;
        made.unwrap_or_else(|error| panic!("no namespace for the test: {error}"));
        let client = self
            .plane
            .client()
            .await
            .unwrap_or_else(|error| panic!("no client for the test: {error}"));
        TestNamespace { name, client }
    }

    /// Installs the repository's CRDs once.
    ///
    /// # Panics
    /// When they are refused.
    pub async fn install_crds(&self) {
        static INSTALLED: OnceCell<()> = OnceCell::const_new();
        let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds");
        let install = || async {
            let installed = self.plane.install_crds(&crds).await;
            installed.unwrap_or_else(|error| panic!("the CRDs are refused: {error}"));
        };
        INSTALLED.get_or_init(install).await;
    }
}

/// A folder for a test's control plane that no other test uses.
pub(crate) fn scratch_folder(purpose: &str) -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!(
        "causeway-{purpose}-{}-{number}",
        std::process::id()
    ))
}
