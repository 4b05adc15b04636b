//! The playground: control plane, sandbox and operator on this machine, with the sample's namespace and Secrets
//! (contract.md §2). The demo and the tests of the whole stand on it.
//!
//! May start processes and write into its folder. May not know what the operator does with the sample.
//!
//! ```text
//! Playground::start(options)   everything runs and ends with the value
//!   .detach()                  everything lives on …
//! down(folder)                 … until this, from any process
//! ```

mod files;
mod operator;
mod rig;
mod sandbox;
pub(crate) mod secrets;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::controlplane::{
    Binaries, ControlPlane, ControlPlaneError, ObtainError, ProcessError, ProcessId, Progress,
};
pub use files::{Description, Pids};
pub use rig::{Rig, RigOptions};
pub use sandbox::{Endpoints, SandboxClient, SandboxError};

/// The namespace of `config/samples/lab.yaml`.
pub const NAMESPACE: &str = "network";

/// Why there is no playground.
#[derive(Debug, thiserror::Error)]
pub enum PlaygroundError {
    #[error(transparent)]
    Obtain(#[from] ObtainError),
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Something of it runs already.
    #[error(
        "a playground runs in {folder} ({names}): end it with `playground down --dir {folder}` first"
    )]
    Running { folder: PathBuf, names: String },
    /// A file of it.
    #[error("{action} {path}: {source}")]
    File {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    /// A file of it that does not hold what it should.
    #[error("{path} {problem}")]
    Content { path: PathBuf, problem: String },
    /// A program of ours is missing.
    #[error(
        "cannot find the program {name} at {path}: run `cargo build --workspace --bins`, or set {variable} to it"
    )]
    NoProgram {
        name: &'static str,
        path: PathBuf,
        variable: &'static str,
    },
    /// The operator runs, but does not get ready.
    #[error("the operator is not ready after {seconds} s ({last}); its log is {log}")]
    OperatorNotReady {
        seconds: u64,
        last: String,
        log: PathBuf,
    },
    /// A process could not be ended.
    #[error("{name} (process {pid}) cannot be ended, not even with SIGKILL")]
    Undying { name: String, pid: u32 },
}

/// What to start.
#[derive(Clone)]
pub struct Options {
    /// Where everything is kept.
    pub folder: PathBuf,
    /// Simulated seconds per real second, for sandbox and operator alike; above zero.
    pub speed: f64,
    /// A world file for the sandbox; None: the lab's.
    pub world: Option<PathBuf>,
    /// Without it there are no endpoints, no Secrets and no operator.
    pub sandbox: bool,
    /// Whether to start the operator.
    pub operator: bool,
    /// Who the operator is to the API server; None: the administrator.
    pub operator_kubeconfig: Option<PathBuf>,
    /// The folder of the CRDs.
    pub crds: PathBuf,
    /// Who is told how it goes.
    pub progress: Progress,
}

impl Options {
    /// All of it in `folder`, 120 times as fast as real life, quietly.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            speed: 120.0,
            world: None,
            sandbox: true,
            operator: true,
            operator_kubeconfig: None,
            crds: Path::new(env!("CARGO_MANIFEST_DIR")).join("../crds"),
            progress: Arc::new(|_| {}),
        }
    }
}

/// A running playground. Dropping it ends it.
pub struct Playground {
    options: Options,
    // Before the control plane, so that it ends before it.
    rig: Option<Rig>,
    plane: ControlPlane,
    detached: bool,
}

impl Playground {
    /// Starts everything and returns when all of it is ready. Nothing of it survives a failure, nor a caller that
    /// abandons this.
    pub async fn start(mut options: Options) -> Result<Self, PlaygroundError> {
        let made =
            fs::create_dir_all(&options.folder).and_then(|()| fs::canonicalize(&options.folder));
        let action = "cannot create the folder";
        options.folder = made.map_err(|source| PlaygroundError::File {
            action,
            path: options.folder.clone(),
            source,
        })?;
        let running = files::running(&options.folder)?;
        if !running.is_empty() {
            let names = running
                .iter()
                .map(|id| id.name.as_str())
                .collect::<Vec<_>>()
                .join(", ");
            return Err(PlaygroundError::Running {
                folder: options.folder,
                names,
            });
        }
        files::forget(&options.folder)?;
        let progress = options.progress.clone();
        let started = Instant::now();
        let say = move |what: &str| {
            let line = format!("{what} ({:.1} s)", started.elapsed().as_secs_f64());
            progress(&line);
        };

        let binaries = Binaries::obtain().await?;
        let plane = ControlPlane::start(&binaries, &options.folder).await?;
        say("control plane ready");
        let mut playground = Self {
            options,
            rig: None,
            plane,
            detached: false,
        };
        playground.remember()?;
        playground.plane.ensure_namespace(NAMESPACE).await?;
        playground
            .plane
            .install_crds(&playground.options.crds)
            .await?;
        say("custom resource definitions served");
        if playground.options.sandbox {
            let options = playground.rig_options();
            let mut rig = Rig::start(&playground.plane, options).await?;
            say("sandbox ready, Secrets made");
            if playground.options.operator {
                rig.start_operator().await?;
                say("operator ready");
            }
            playground.rig = Some(rig);
            playground.remember()?;
        }
        Ok(playground)
    }

    fn rig_options(&self) -> RigOptions {
        RigOptions {
            folder: self.options.folder.clone(),
            namespace: NAMESPACE.to_owned(),
            speed: self.options.speed,
            world: self.options.world.clone(),
            operator_kubeconfig: self.options.operator_kubeconfig.clone(),
            operator_arguments: Vec::new(),
        }
    }

    /// Writes down what runs, so that [`down`] finds it.
    fn remember(&mut self) -> Result<(), PlaygroundError> {
        let mut ids = self.plane.processes().ids();
        ids.extend(self.rig.iter().flat_map(Rig::ids));
        let address = self.rig.as_ref().and_then(Rig::operator_address);
        let description = Description {
            kubeconfig: self.plane.kubeconfig(),
            sandbox: self.rig.as_ref().map(|rig| rig.sandbox().endpoints.clone()),
            pids: Pids::of(&ids),
            bin: self.plane.binaries().folder().to_owned(),
            namespace: NAMESPACE.to_owned(),
            speed: self.options.speed,
            operator_admin: address.map(|address| format!("http://{address}")),
        };
        files::remember(&self.options.folder, &ids, &description)
    }

    /// The control plane.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// Sandbox and operator; None if they were not wanted.
    pub fn rig(&self) -> Option<&Rig> {
        self.rig.as_ref()
    }

    /// Sandbox and operator, to end and start the operator. What is changed there is not in `playground.json`.
    pub fn rig_mut(&mut self) -> Option<&mut Rig> {
        self.rig.as_mut()
    }

    /// Where everything is kept.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Fails, with the end of its log, if a process that should run has ended.
    pub fn check(&mut self) -> Result<(), PlaygroundError> {
        self.plane.processes().check_all()?;
        self.rig.as_mut().map_or(Ok(()), Rig::check)
    }

    /// Lets it live on until [`down`].
    pub fn detach(mut self) -> Result<(), PlaygroundError> {
        self.remember()?;
        self.plane.detach();
        if let Some(rig) = &mut self.rig {
            rig.processes().detach();
        }
        self.detached = true;
        Ok(())
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        if !self.detached {
            drop(self.rig.take());
            self.plane.processes().stop_all();
            // What is left there says that nothing runs: `down` would find the same.
            let _ = files::forget(&self.options.folder);
        }
    }
}

/// Ends what [`Playground::detach`] left in `folder`, newest first, and answers what it ended. Doing it twice, or where
/// nothing ever was, is fine. The folder stays: another start continues with what is in it.
pub fn down(folder: &Path) -> Result<Vec<ProcessId>, PlaygroundError> {
    let running = files::running(folder)?;
    for id in running.iter().rev() {
        if !id.stop() {
            return Err(PlaygroundError::Undying {
                name: id.name.clone(),
                pid: id.pid,
            });
        }
    }
    files::forget(folder)?;
    Ok(running)
}

/// Removes what an ended playground left in `folder` (data, certificates, logs), so that the next one begins anew. Other
/// files there stay. Fails if one runs there.
pub fn clear(folder: &Path) -> Result<(), PlaygroundError> {
    let running = files::running(folder)?;
    if !running.is_empty() {
        let names = running.iter().map(|id| id.name.as_str());
        return Err(PlaygroundError::Running {
            folder: folder.to_owned(),
            names: names.collect::<Vec<_>>().join(", "),
        });
    }
    files::forget(folder)?;
    for name in ["etcd", "pki", "logs", "sandbox", "kubectl-cache"] {
        removed(&folder.join(name), fs::remove_dir_all)?;
    }
    for name in ["audit.log", "audit-policy.yaml", "kubeconfig"] {
        removed(&folder.join(name), fs::remove_file)?;
    }
    Ok(())
}

fn removed<'a>(
    path: &'a Path,
    remove: impl FnOnce(&'a Path) -> io::Result<()>,
) -> Result<(), PlaygroundError> {
    match remove(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(PlaygroundError::File {
            action: "cannot remove",
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
