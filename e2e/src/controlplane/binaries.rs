//! Where the five programs come from: `KUBEBUILDER_ASSETS`, the cache, the envtest archive, `go build` — in this order
//! (controlplane.md §1).
//!
//! May write only into the cache folder. Programs enter it one by one, by rename, so a folder never holds half a program
//! and an interrupted build keeps what it finished. One process at a time fills it (a lock file).

use std::fmt::Write as _;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{download, gobuild, versions::Versions};

/// One program of the control plane, or one that talks to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// The store.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// Garbage collection, namespaces, ServiceAccounts.
    KubeControllerManager,
    /// For people and scripts.
    Kubectl,
    /// For the chart.
    Helm,
}

impl Tool {
    /// All of them, in the order in which they are built: kube-apiserver early, because the others reuse its packages.
    pub const ALL: [Self; 5] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::Kubectl,
        Self::Helm,
    ];
    /// What an envtest folder or archive holds.
    pub const ENVTEST: [Self; 3] = [Self::Etcd, Self::KubeApiserver, Self::Kubectl];

    /// The file name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::Kubectl => "kubectl",
            Self::Helm => "helm",
        }
    }
}

/// Receives one line about what is going on.
pub type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// Why the programs could not be had. Each message names the way out.
#[derive(Debug, thiserror::Error)]
pub enum ObtainError {
    /// `KUBEBUILDER_ASSETS` points to something that is not an envtest folder.
    #[error(
        "KUBEBUILDER_ASSETS is {folder}, which has no executable {missing}: point it to a folder with etcd, \
         kube-apiserver and kubectl, or unset it"
    )]
    Assets { folder: PathBuf, missing: String },
    /// The cache could not be read or written.
    #[error("{action} {path}: {source} (XDG_CACHE_HOME moves the cache)")]
    Cache {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// Neither HOME nor XDG_CACHE_HOME is set.
    #[error(
        "neither XDG_CACHE_HOME nor HOME is set: set one, the control plane's programs are kept below it"
    )]
    NoHome,
    /// The archive is not what the index says it is.
    #[error(
        "the archive {url} has the SHA-512 {actual}, but the index says {expected}: somebody or something changed it \
         on the way; set {variable}=off to build from source instead", variable = Sources::INDEX_VARIABLE
    )]
    Checksum {
        url: String,
        expected: String,
        actual: String,
    },
    /// The index names a checksum that is none.
    #[error("cannot unpack the envtest archive with `tar`: {0}")]
    Unpack(String),
    /// Go is needed and missing.
    #[error(
        "{programs} must be built, but {go} cannot be run ({source}): install Go 1.26 or later (https://go.dev/dl), \
         or set KUBEBUILDER_ASSETS to a folder that has all of etcd, kube-apiserver, kube-controller-manager, \
         kubectl and helm"
    )]
    NoGo {
        programs: String,
        go: PathBuf,
        source: io::Error,
    },
    /// The build failed.
    #[error(
        "`go build` of {program} failed ({status}); its last words:\n{tail}\nThe whole output is in {log}"
    )]
    Build {
        program: &'static str,
        status: String,
        tail: String,
        log: PathBuf,
    },
    /// The guard around the build could not be started.
    #[error(transparent)]
    Process(#[from] super::ProcessError),
}

/// Where to look, each place replaceable.
#[derive(Clone)]
pub struct Sources {
    /// `KUBEBUILDER_ASSETS`, if set and not empty.
    pub assets: Option<PathBuf>,
    /// `${XDG_CACHE_HOME:-~/.cache}/causeway/controlplane`.
    pub cache: PathBuf,
    /// The index of envtest archives; None: never download.
    pub envtest_index: Option<String>,
    /// The `go` command.
    pub go: PathBuf,
    /// Who is told about slow steps.
    pub progress: Progress,
}

impl Sources {
    /// Replaces the index of envtest archives by a mirror of it; `off` forbids the download.
    pub const INDEX_VARIABLE: &'static str = "CAUSEWAY_ENVTEST_INDEX";

    /// The sources as the environment sets them. Progress goes to standard error: not through the macros, which a test
    /// harness would swallow while a first build takes ten minutes.
    pub fn from_environment() -> Result<Self, ObtainError> {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let cache = match (variable("XDG_CACHE_HOME"), variable("HOME")) {
            (Some(cache), _) => PathBuf::from(cache),
            (None, Some(home)) => PathBuf::from(home).join(".cache"),
            (None, None) => return Err(ObtainError::NoHome),
        };
        let index = std::env::var(Self::INDEX_VARIABLE).unwrap_or_else(|_| download::INDEX.into());
        Ok(Self {
            assets: variable("KUBEBUILDER_ASSETS").map(PathBuf::from),
            cache: cache.join("causeway/controlplane"),
            envtest_index: Some(index).filter(|index| index != "off"),
            go: variable("GO").map_or_else(|| PathBuf::from("go"), PathBuf::from),
            progress: Arc::new(|line| {
                let _ = writeln!(io::stderr(), "controlplane: {line}");
            }),
        })
    }

    pub(super) fn say(&self, line: &str) {
        (self.progress)(line);
    }
}

/// A folder that holds all five programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Finds, downloads or builds what is missing, as the environment allows. The first time may take ten minutes.
    pub async fn obtain() -> Result<Self, ObtainError> {
        Self::obtain_from(&Sources::from_environment()?).await
    }

    /// [`Binaries::obtain`] with sources of one's own.
    pub async fn obtain_from(sources: &Sources) -> Result<Self, ObtainError> {
        let cached = sources.cache.join(Versions::pinned().folder());
        let Some(assets) = &sources.assets else {
            ensure(sources, &cached, &Tool::ALL).await?;
            return Ok(Self { folder: cached });
        };
        if let Some(missing) = Tool::ENVTEST.into_iter().find(|tool| !has(assets, *tool)) {
            return Err(ObtainError::Assets {
                folder: assets.clone(),
                missing: missing.name().into(),
            });
        }
        let rest: Vec<_> = Tool::ALL
            .into_iter()
            .filter(|tool| !has(assets, *tool))
            .collect();
        if rest.is_empty() {
            return Ok(Self {
                folder: assets.clone(),
            });
        }
        ensure(sources, &cached, &rest).await?;
        Ok(Self {
            folder: join_folders(sources, assets, &cached, &rest)?,
        })
    }

    /// The folder with all of them.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of one.
    pub fn path(&self, tool: Tool) -> PathBuf {
        self.folder.join(tool.name())
    }
}

/// Whether `folder` holds `tool` as a file that can be run.
pub(super) fn has(folder: &Path, tool: Tool) -> bool {
    fs::metadata(folder.join(tool.name())).is_ok_and(|file| {
        file.is_file() && file.len() > 0 && file.permissions().mode() & 0o111 != 0
    })
}

pub(super) fn missing(folder: &Path, wanted: &[Tool]) -> Vec<Tool> {
    wanted
        .iter()
        .copied()
        .filter(|tool| !has(folder, *tool))
        .collect()
}

pub(super) fn names(tools: &[Tool]) -> String {
    tools
        .iter()
        .map(|tool| tool.name())
        .collect::<Vec<_>>()
        .join(", ")
}

/// A neighbour of `folder` in the cache: `NAME.suffix` (not `with_extension`: the name itself has dots).
pub(super) fn beside(folder: &Path, suffix: &str) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    folder.with_file_name(name)
}

pub(super) fn cache_error(
    action: &'static str,
    path: &Path,
) -> impl FnOnce(io::Error) -> ObtainError {
    let path = path.to_owned();
    move |source| ObtainError::Cache {
        action,
        path,
        source,
    }
}

/// Fills `folder` (in the cache) until it holds `wanted`.
async fn ensure(sources: &Sources, folder: &Path, wanted: &[Tool]) -> Result<(), ObtainError> {
    if missing(folder, wanted).is_empty() {
        return Ok(());
    }
    fs::create_dir_all(folder).map_err(cache_error("cannot create", folder))?;
    let lock = beside(folder, "lock");
    let _locked = lock_file(sources, &lock).await?;
    let from_archive = missing(folder, &Tool::ENVTEST)
        .into_iter()
        .any(|tool| wanted.contains(&tool));
    if from_archive && let Some(index) = &sources.envtest_index {
        match download::fetch(sources, index, folder).await {
            Ok(()) => {}
            Err(download::Failed::Unreachable(why)) => {
                sources.say(&format!("{why}; building from source"));
            }
            Err(download::Failed::Bad(error)) => return Err(error),
        }
    }
    let missing = missing(folder, wanted);
    if !missing.is_empty() {
        gobuild::build(sources, folder, &missing).await?;
    }
    Ok(())
}

/// The lock is the file's, so it ends with the process that holds it, however that ends.
async fn lock_file(sources: &Sources, path: &Path) -> Result<File, ObtainError> {
    let file = File::create(path).map_err(cache_error("cannot create", path))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => {
                return Err(cache_error("cannot lock", path)(source));
            }
            Err(TryLockError::WouldBlock) if !told => {
                sources.say(&format!(
                    "another process obtains the control plane (it holds {}); waiting",
                    path.display()
                ));
                told = true;
            }
            Err(TryLockError::WouldBlock) => {}
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A folder of links to the programs in `assets` and, for `rest`, in `cached`: callers need one folder.
fn join_folders(
    sources: &Sources,
    assets: &Path,
    cached: &Path,
    rest: &[Tool],
) -> Result<PathBuf, ObtainError> {
    let mut name = String::from("assets-");
    for byte in Sha256::digest(format!("{}\n{}", assets.display(), cached.display()))
        .iter()
        .take(6)
    {
        let _ = write!(name, "{byte:02x}");
    }
    let folder = sources.cache.join(name);
    fs::create_dir_all(&folder).map_err(cache_error("cannot create", &folder))?;
    for tool in Tool::ALL {
        let target = if rest.contains(&tool) { cached } else { assets };
        let target = fs::canonicalize(target)
            .map_err(cache_error("cannot find", target))?
            .join(tool.name());
        // By rename: another process may be doing the same.
        let link = folder.join(format!(".{}-{}", tool.name(), std::process::id()));
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink(&target, &link).map_err(cache_error("cannot link", &link))?;
        fs::rename(&link, folder.join(tool.name())).map_err(cache_error("cannot link", &link))?;
    }
    Ok(folder)
}

/// Makes `file` executable and gives it its place in `folder` in one step.
pub(super) fn install(file: &Path, folder: &Path, tool: Tool) -> Result<(), ObtainError> {
    fs::set_permissions(file, fs::Permissions::from_mode(0o755))
        .map_err(cache_error("cannot change", file))?;
    fs::rename(file, folder.join(tool.name())).map_err(cache_error("cannot move", file))
}
