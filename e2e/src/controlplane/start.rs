//! etcd, kube-apiserver and kube-controller-manager on free loopback ports, each waited for.
//!
//! May write below the folder it is given (`etcd/`, `pki/`, `logs/`, `audit.log`, `kubeconfig`); started again on the same
//! folder, it continues with the same objects and certificates on new ports.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::binaries::{Binaries, ObtainError, Tool};
use super::pki::{Pki, PkiError, write_private};
use super::process::{ProcessError, ProcessId, Processes};

/// Names of the processes, which are also the names of their logs.
const ETCD: &str = "etcd";
const APISERVER: &str = "apiserver";
const CONTROLLER_MANAGER: &str = "controllerManager";

/// How long one process may take to be ready. It takes 5 seconds; a machine that compiles on all cores needs patience.
const READY: Duration = Duration::from_mins(2);

/// The range Services get addresses from; nothing routes it here.
const SERVICE_RANGE: &str = "10.0.0.0/16";

const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
";

/// Why there is no control plane.
#[derive(Debug, thiserror::Error)]
pub enum ControlPlaneError {
    #[error(transparent)]
    Obtain(#[from] ObtainError),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// A file below the folder.
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    /// No port to be had.
    #[error("cannot find a free port on 127.0.0.1: {0}")]
    Port(io::Error),
    /// It runs, but it does not get ready.
    #[error("{name} is not ready after {} s ({last}); its log is {log}", READY.as_secs())]
    NotReady {
        name: &'static str,
        last: String,
        log: PathBuf,
    },
    /// The kubeconfig that we wrote cannot be used.
    #[error("cannot use {path}: {message}")]
    Kubeconfig { path: PathBuf, message: String },
    /// The API server refused something.
    #[error("{action}: {source}")]
    Api {
        action: String,
        source: Box<kube::Error>,
    },
    /// kubectl failed.
    #[error("kubectl {arguments} failed: {message}")]
    Kubectl { arguments: String, message: String },
}

/// A running control plane. Dropping it ends it.
pub struct ControlPlane {
    folder: PathBuf,
    binaries: Binaries,
    url: String,
    processes: Mutex<Processes>,
}

impl ControlPlane {
    /// Starts it with its data in `folder` and returns when it can be used: `/readyz` of the API server is fine, and the
    /// controller manager has made the default ServiceAccount.
    pub async fn start(binaries: &Binaries, folder: &Path) -> Result<Self, ControlPlaneError> {
        fs::create_dir_all(folder).map_err(|source| ControlPlaneError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let folder = fs::canonicalize(folder).map_err(|source| ControlPlaneError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let mut attempt = 1;
        loop {
            match Self::attempt(binaries, &folder).await {
                // A free port may be taken by somebody else between our look and the start.
                Err(ControlPlaneError::Process(ProcessError::Exited { tail, .. }))
                    if attempt < 3 && tail.contains("address already in use") =>
                {
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    async fn attempt(binaries: &Binaries, folder: &Path) -> Result<Self, ControlPlaneError> {
        let pki = Pki::in_folder(&folder.join("pki"))?;
        let [client, peer, secure] = free_ports()?;
        let url = format!("https://127.0.0.1:{secure}");
        let processes = Processes::new(&folder.join("logs"))?;
        let mut plane = Self {
            folder: folder.to_owned(),
            binaries: binaries.clone(),
            url,
            processes: Mutex::new(processes),
        };

        plane.write_kubeconfig("kubeconfig", &pki, "admin")?;
        plane.write_kubeconfig(
            "pki/controller-manager.kubeconfig",
            &pki,
            "controller-manager",
        )?;
        plane.write("audit-policy.yaml", AUDIT_POLICY)?;
        let etcd = format!("http://127.0.0.1:{client}");
        plane.spawn(
            ETCD,
            Tool::Etcd,
            etcd_arguments(folder, &etcd, &format!("http://127.0.0.1:{peer}")),
        )?;
        plane.spawn(
            APISERVER,
            Tool::KubeApiserver,
            apiserver_arguments(folder, &pki, &etcd, secure),
        )?;
        plane.wait_for_apiserver().await?;
        plane.spawn(
            CONTROLLER_MANAGER,
            Tool::KubeControllerManager,
            controller_manager_arguments(folder, &pki),
        )?;
        plane.wait_for_controller_manager().await?;
        Ok(plane)
    }

    fn spawn(
        &mut self,
        name: &str,
        tool: Tool,
        arguments: Vec<String>,
    ) -> Result<(), ControlPlaneError> {
        let mut command = Command::new(self.binaries.path(tool));
        command.args(arguments).current_dir(&self.folder);
        self.processes().spawn(name, command)?;
        Ok(())
    }

    async fn wait_for_apiserver(&mut self) -> Result<(), ControlPlaneError> {
        let client = self.client().await?;
        self.wait(&[ETCD, APISERVER], || async {
            let request = http::Request::get("/readyz")
                .body(Vec::new())
                .map_err(|error| error.to_string())?;
            client
                .request_text(request)
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .await
    }

    async fn wait_for_controller_manager(&mut self) -> Result<(), ControlPlaneError> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client().await?, "default");
        self.wait(&[ETCD, APISERVER, CONTROLLER_MANAGER], || async {
            accounts
                .get("default")
                .await
                .map(drop)
                .map_err(|error| error.to_string())
        })
        .await
    }

    /// Asks until the answer is good, a process of `names` ends, or time is up. The last name is the one waited for.
    async fn wait<F>(
        &mut self,
        names: &[&'static str],
        ask: impl Fn() -> F,
    ) -> Result<(), ControlPlaneError>
    where
        F: Future<Output = Result<(), String>>,
    {
        let deadline = Instant::now() + READY;
        loop {
            let Err(last) = ask().await else {
                return Ok(());
            };
            for name in names {
                self.processes().check(name)?;
            }
            if Instant::now() > deadline {
                let name = names.last().copied().unwrap_or_default();
                let log = self.folder.join(format!("logs/{name}.log"));
                return Err(ControlPlaneError::NotReady { name, last, log });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The folder with its data.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The administrator's kubeconfig (group `system:masters`).
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The audit log, for [`super::audit::read`].
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// The programs it was started from.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The running processes. What is spawned here ends before the control plane does.
    pub fn processes(&mut self) -> &mut Processes {
        self.processes
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the API server, as a crash would or in an orderly way, and starts it again with the same data; answers when it
    /// is ready. Its clients' connections break.
    pub async fn restart_apiserver(&self, crash: bool) -> Result<(), ControlPlaneError> {
        let restarted = {
            let mut processes = self
                .processes
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            processes.restart(APISERVER, crash)
        };
        restarted?;
        let deadline = Instant::now() + READY;
        loop {
            let client = self.client().await?;
            let request = http::Request::get("/readyz").body(Vec::new());
            let last = match request {
                Ok(request) => match client.request_text(request).await {
                    Ok(_) => return Ok(()),
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                let log = self.folder.join(format!("logs/{APISERVER}.log"));
                return Err(ControlPlaneError::NotReady {
                    name: APISERVER,
                    last,
                    log,
                });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Lets it live on; ends with [`ProcessId::stop`] of each, the last one first.
    pub fn detach(&mut self) -> Vec<ProcessId> {
        self.processes().detach()
    }

    /// An administrator's client. Clients belong to the runtime that makes them: one per test, not one per process.
    pub async fn client(&self) -> Result<kube::Client, ControlPlaneError> {
        client_for(&self.kubeconfig()).await
    }

    /// Makes `namespace` unless it exists.
    pub async fn ensure_namespace(&self, namespace: &str) -> Result<(), ControlPlaneError> {
        let object = Namespace {
            metadata: ObjectMeta {
                name: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        match Api::<Namespace>::all(self.client().await?)
            .create(&PostParams::default(), &object)
            .await
        {
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
            other => other.map(drop).map_err(api_error(format!(
                "cannot create the namespace {namespace}"
            ))),
        }
    }

    /// Applies the CRDs in `folder` and waits until they are served.
    pub async fn install_crds(&self, folder: &Path) -> Result<(), ControlPlaneError> {
        let path = folder.to_string_lossy();
        // Server-side: a client-side apply would copy each schema into an annotation, which has a size limit.
        self.kubectl(&["apply", "--server-side", "--filename", &path])
            .await?;
        self.kubectl(&[
            "wait",
            "--for=condition=Established",
            "--timeout=60s",
            "--filename",
            &path,
        ])
        .await?;
        // What kubectl learned of the API so far lacks the new kinds, and it would believe that for hours.
        let _ = fs::remove_dir_all(self.kubectl_cache());
        Ok(())
    }

    fn kubectl_cache(&self) -> PathBuf {
        self.folder.join("kubectl-cache")
    }

    /// Runs kubectl as the administrator; answers its standard output.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, ControlPlaneError> {
        let failed = |message: String| ControlPlaneError::Kubectl {
            arguments: arguments.join(" "),
            message,
        };
        let output = tokio::process::Command::new(self.binaries.path(Tool::Kubectl))
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            // No answers cached from another control plane on the same port.
            .env("KUBECACHEDIR", self.kubectl_cache())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(failed(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            ))
        }
    }

    /// Writes a kubeconfig that speaks as the ServiceAccount, with a token good for ten hours, and answers its path.
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<PathBuf, ControlPlaneError> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(36_000),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let action = format!("cannot make a token for the ServiceAccount {namespace}/{name}");
        let answer = accounts
            .create_token_request(name, &PostParams::default(), &request)
            .await;
        let token = answer
            .map_err(api_error(action))?
            .status
            .and_then(|status| status.token)
            .unwrap_or_default();
        let file = format!("{namespace}-{name}.kubeconfig");
        let ca = fs::read(self.folder.join("pki/ca.crt")).map_err(|source| {
            ControlPlaneError::Write {
                path: self.folder.join("pki/ca.crt"),
                source,
            }
        })?;
        self.write(
            &file,
            &kubeconfig(&self.url, &ca, &format!("token: {token}"), namespace),
        )?;
        Ok(self.folder.join(file))
    }

    fn write_kubeconfig(&self, file: &str, pki: &Pki, user: &str) -> Result<(), ControlPlaneError> {
        let read = |name: &str| {
            fs::read(pki.file(name)).map_err(|source| ControlPlaneError::Write {
                path: pki.file(name),
                source,
            })
        };
        let credentials = format!(
            "client-certificate-data: {}\n    client-key-data: {}",
            STANDARD.encode(read(&format!("{user}.crt"))?),
            STANDARD.encode(read(&format!("{user}.key"))?)
        );
        self.write(
            file,
            &kubeconfig(&self.url, &read("ca.crt")?, &credentials, "default"),
        )
    }

    fn write(&self, file: &str, text: &str) -> Result<(), ControlPlaneError> {
        let path = self.folder.join(file);
        write_private(&path, text).map_err(|source| ControlPlaneError::Write { path, source })
    }
}

fn api_error(action: String) -> impl FnOnce(kube::Error) -> ControlPlaneError {
    move |source| ControlPlaneError::Api {
        action,
        source: Box::new(source),
    }
}

/// A client as a kubeconfig describes it.
pub async fn client_for(kubeconfig: &Path) -> Result<kube::Client, ControlPlaneError> {
    let failed = |message: String| ControlPlaneError::Kubeconfig {
        path: kubeconfig.to_owned(),
        message,
    };
    let file = Kubeconfig::read_from(kubeconfig).map_err(|error| failed(error.to_string()))?;
    let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .map_err(|error| failed(error.to_string()))?;
    kube::Client::try_from(config).map_err(|error| failed(error.to_string()))
}

fn kubeconfig(url: &str, ca: &[u8], credentials: &str, namespace: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Config
current-context: causeway
clusters:
- name: causeway
  cluster:
    server: {url}
    certificate-authority-data: {ca}
users:
- name: causeway
  user:
    {credentials}
contexts:
- name: causeway
  context: {{cluster: causeway, user: causeway, namespace: {namespace}}}
",
        ca = STANDARD.encode(ca)
    )
}

/// Ports that are free now, held all at once so that they differ.
fn free_ports<const N: usize>() -> Result<[u16; N], ControlPlaneError> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(ControlPlaneError::Port)?;
        *port = listener
            .local_addr()
            .map_err(ControlPlaneError::Port)?
            .port();
        held.push(listener);
    }
    Ok(ports)
}

fn etcd_arguments(folder: &Path, client: &str, peer: &str) -> Vec<String> {
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--log-level=warn".into(),
        // What is here may be lost with the machine.
        "--unsafe-no-fsync".into(),
    ]
}

fn apiserver_arguments(folder: &Path, pki: &Pki, etcd: &str, port: u16) -> Vec<String> {
    let pem = |name: &str| pki.file(name).display().to_string();
    vec![
        format!("--etcd-servers={etcd}"),
        "--bind-address=127.0.0.1".into(),
        // Without it the address is taken from the default route, which a machine without network lacks.
        "--advertise-address=127.0.0.1".into(),
        "--endpoint-reconciler-type=none".into(),
        format!("--secure-port={port}"),
        format!("--cert-dir={}", folder.join("pki").display()),
        format!("--tls-cert-file={}", pem("apiserver.crt")),
        format!("--tls-private-key-file={}", pem("apiserver.key")),
        format!("--client-ca-file={}", pem("ca.crt")),
        "--authorization-mode=Node,RBAC".into(),
        "--service-account-issuer=https://kubernetes.default.svc".into(),
        format!("--service-account-key-file={}", pem("sa.pub")),
        format!("--service-account-signing-key-file={}", pem("sa.key")),
        format!("--service-cluster-ip-range={SERVICE_RANGE}"),
        format!(
            "--audit-policy-file={}",
            folder.join("audit-policy.yaml").display()
        ),
        format!("--audit-log-path={}", folder.join("audit.log").display()),
        // In MB. Rotation would hide from a reader what came before.
        "--audit-log-maxsize=4096".into(),
    ]
}

fn controller_manager_arguments(folder: &Path, pki: &Pki) -> Vec<String> {
    let pem = |name: &str| pki.file(name).display().to_string();
    vec![
        format!(
            "--kubeconfig={}",
            folder.join("pki/controller-manager.kubeconfig").display()
        ),
        format!("--service-account-private-key-file={}", pem("sa.key")),
        format!("--root-ca-file={}", pem("ca.crt")),
        format!("--cluster-signing-cert-file={}", pem("ca.crt")),
        format!("--cluster-signing-key-file={}", pem("ca.key")),
        "--use-service-account-credentials".into(),
        "--controllers=*".into(),
        "--leader-elect=false".into(),
        // Nothing asks it over the network.
        "--bind-address=127.0.0.1".into(),
        "--secure-port=0".into(),
    ]
}
