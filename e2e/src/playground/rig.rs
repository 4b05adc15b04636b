//! Sandbox and operator of one namespace: the part of a playground that tests can have many of on one control plane.
//!
//! May start the two processes and make the namespace's Secrets. Two rigs on one control plane do not see each other: each
//! operator watches its own namespace and holds its own Lease there.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sandbox::{self, SandboxClient};
use super::{PlaygroundError, operator, secrets};
use crate::controlplane::{ControlPlane, ProcessId, Processes, SharedControlPlane};

/// Names of the processes, which are also the names of their logs.
pub(super) const SANDBOX: &str = "sandbox";
pub(super) const OPERATOR: &str = "operator";
/// A second operator, which campaigns for the same Lease.
const SECOND_OPERATOR: &str = "operator-2";

/// What to start.
#[derive(Clone, Debug)]
pub struct RigOptions {
    /// Where the sandbox keeps its state (`sandbox/`) and both log (`logs/`).
    pub folder: PathBuf,
    /// The namespace with the Secrets; made if it does not exist.
    pub namespace: String,
    /// Simulated seconds per real second, for sandbox and operator alike; above zero.
    pub speed: f64,
    /// A world file for the sandbox; None: the lab's.
    pub world: Option<PathBuf>,
    /// Who the operator is to the API server; None: the administrator.
    pub operator_kubeconfig: Option<PathBuf>,
    /// More flags for `causeway run`.
    pub operator_arguments: Vec<String>,
}

/// A running sandbox, its Secrets in a namespace, and, once started, the operator. Dropping it ends both.
pub struct Rig {
    options: RigOptions,
    admin_kubeconfig: PathBuf,
    processes: Processes,
    sandbox: SandboxClient,
    operator_address: Option<String>,
}

impl Rig {
    /// Starts the sandbox and makes the Secrets; the operator is started by [`Rig::start_operator`].
    pub async fn start(plane: &ControlPlane, options: RigOptions) -> Result<Self, PlaygroundError> {
        let mut processes = Processes::new(&options.folder.join("logs"))?;
        let folder = options.folder.join("sandbox");
        let command = sandbox::command(&folder, options.speed, options.world.as_deref())?;
        processes.spawn(SANDBOX, command)?;
        let sandbox = sandbox::wait(&mut processes, &folder).await?;
        plane.ensure_namespace(&options.namespace).await?;
        secrets::apply(plane, &options.namespace, &folder).await?;
        let admin_kubeconfig = plane.kubeconfig();
        Ok(Self {
            options,
            admin_kubeconfig,
            processes,
            sandbox,
            operator_address: None,
        })
    }

    /// For a test: in a new namespace of the shared control plane, with an operator that keeps to it.
    pub async fn for_test(
        shared: &SharedControlPlane,
        name: &str,
        speed: f64,
    ) -> Result<Self, PlaygroundError> {
        Self::started_for_test(shared, name, speed, None).await
    }

    /// The same in another world than the lab's (docs/sandbox.md: the world file).
    pub async fn for_test_in(
        shared: &SharedControlPlane,
        name: &str,
        speed: f64,
        world: &Value,
    ) -> Result<Self, PlaygroundError> {
        Self::started_for_test(shared, name, speed, Some(world)).await
    }

    async fn started_for_test(
        shared: &SharedControlPlane,
        name: &str,
        speed: f64,
        world: Option<&Value>,
    ) -> Result<Self, PlaygroundError> {
        shared.install_crds().await;
        let namespace = shared.namespace(name).await.name;
        let folder = shared.plane().folder().join("rigs").join(&namespace);
        let operator_arguments = [
            "--watch-namespace",
            &namespace,
            "--leader-elect-namespace",
            &namespace,
        ]
        .map(str::to_owned)
        .to_vec();
        let world = match world {
            None => None,
            Some(world) => {
                let path = folder.join("world-file.json");
                std::fs::create_dir_all(&folder)
                    .and_then(|()| std::fs::write(&path, world.to_string()))
                    .map_err(|source| PlaygroundError::File {
                        action: "cannot write",
                        path: path.clone(),
                        source,
                    })?;
                Some(path)
            }
        };
        let options = RigOptions {
            folder,
            namespace,
            speed,
            world,
            operator_kubeconfig: None,
            operator_arguments,
        };
        let mut rig = Self::start(shared.plane(), options).await?;
        rig.start_operator().await?;
        Ok(rig)
    }

    /// Starts the operator and waits until it is ready; also again after it was ended or killed.
    pub async fn start_operator(&mut self) -> Result<(), PlaygroundError> {
        let kubeconfig = self
            .options
            .operator_kubeconfig
            .as_ref()
            .unwrap_or(&self.admin_kubeconfig);
        let address = operator::free_address()?;
        let mut command = operator::command(
            &self.sandbox.endpoints,
            self.options.speed,
            kubeconfig,
            &address,
        )?;
        command.args(&self.options.operator_arguments);
        self.processes.spawn(OPERATOR, command)?;
        self.operator_address = Some(address.clone());
        operator::wait(&mut self.processes, &self.options.folder, &address).await
    }

    /// Starts one more operator beside the first, with the same flags; it ends with the rig.
    pub fn start_second_operator(&mut self) -> Result<(), PlaygroundError> {
        let kubeconfig = self
            .options
            .operator_kubeconfig
            .as_ref()
            .unwrap_or(&self.admin_kubeconfig);
        let address = operator::free_address()?;
        let endpoints = &self.sandbox.endpoints;
        let mut command = operator::command(endpoints, self.options.speed, kubeconfig, &address)?;
        command.args(&self.options.operator_arguments);
        self.processes.spawn(SECOND_OPERATOR, command)?;
        Ok(())
    }

    /// Suspends (SIGSTOP) or resumes (SIGCONT) the first operator, or the second.
    pub fn suspend_operator(&mut self, second: bool, suspend: bool) -> Result<(), PlaygroundError> {
        let name = if second { SECOND_OPERATOR } else { OPERATOR };
        let id = self.processes.id(name);
        let id = id.ok_or_else(|| crate::controlplane::ProcessError::Unknown(name.to_owned()))?;
        if suspend {
            id.suspend();
        } else {
            id.resume();
        }
        Ok(())
    }

    /// The process ID of the first operator, or the second.
    pub fn operator_id(&self, second: bool) -> Option<u32> {
        let name = if second { SECOND_OPERATOR } else { OPERATOR };
        self.processes.id(name).map(|id| id.pid)
    }

    /// Ends the sandbox, as a crash would or in an orderly way, and starts it again: it goes on where its folder says.
    pub async fn restart_sandbox(&mut self, crash: bool) -> Result<(), PlaygroundError> {
        self.processes.restart(SANDBOX, crash)?;
        let folder = self.options.folder.join("sandbox");
        self.sandbox = sandbox::wait(&mut self.processes, &folder).await?;
        Ok(())
    }

    /// Ends the operator in an orderly way.
    pub fn stop_operator(&mut self) -> Result<(), PlaygroundError> {
        self.operator_address = None;
        Ok(self.processes.stop(OPERATOR)?)
    }

    /// Ends the operator as a crash would (SIGKILL).
    pub fn kill_operator(&mut self) -> Result<(), PlaygroundError> {
        self.operator_address = None;
        Ok(self.processes.kill(OPERATOR)?)
    }

    /// Fails, with the end of its log, if a process that should run has ended.
    pub fn check(&mut self) -> Result<(), PlaygroundError> {
        Ok(self.processes.check_all()?)
    }

    /// What runs, in the order of its start.
    pub fn ids(&self) -> Vec<ProcessId> {
        self.processes.ids()
    }

    /// The sandbox's control API and where its clouds are.
    pub fn sandbox(&self) -> &SandboxClient {
        &self.sandbox
    }

    /// The namespace with the Secrets.
    pub fn namespace(&self) -> &str {
        &self.options.namespace
    }

    /// The folder with `sandbox/` and `logs/`.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// Where the operator serves `/metrics`, `/healthz`, `/readyz`: `127.0.0.1:PORT`.
    pub fn operator_address(&self) -> Option<&str> {
        self.operator_address.as_deref()
    }

    pub(super) fn processes(&mut self) -> &mut Processes {
        &mut self.processes
    }
}
