//! The operator as a process: found beside us, told of the sandbox by its public flags, waited for by `/readyz`.
//!
//! May not use the operator's code: what runs here is the binary that ships.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::PlaygroundError;
use super::rig::OPERATOR;
use super::sandbox::Endpoints;
use crate::controlplane::Processes;

/// How long it may take to be ready.
const READY: Duration = Duration::from_mins(1);

/// One of our programs: where `variable` says, else beside the running program (or, for a test, one folder up).
pub(super) fn program(
    name: &'static str,
    variable: &'static str,
) -> Result<PathBuf, PlaygroundError> {
    if let Some(path) = std::env::var_os(variable).map(PathBuf::from) {
        return if path.is_file() {
            Ok(path)
        } else {
            Err(PlaygroundError::NoProgram {
                name,
                path,
                variable,
            })
        };
    }
    let me = std::env::current_exe().map_err(|source| PlaygroundError::File {
        action: "cannot find",
        path: "the running program".into(),
        source,
    })?;
    let mut folder = me.parent().unwrap_or(Path::new("."));
    // cargo puts test programs into `deps` below the folder of the others.
    if folder.ends_with("deps") {
        folder = folder.parent().unwrap_or(folder);
    }
    let path = folder.join(name);
    if path.is_file() {
        Ok(path)
    } else {
        Err(PlaygroundError::NoProgram {
            name,
            path,
            variable,
        })
    }
}

/// A free loopback address for the operator's own endpoints.
pub(super) fn free_address() -> Result<String, PlaygroundError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.to_string())
        .map_err(|source| PlaygroundError::File {
            action: "cannot find a free port on",
            path: "127.0.0.1".into(),
            source,
        })
}

pub(super) fn command(
    endpoints: &Endpoints,
    speed: f64,
    kubeconfig: &Path,
    admin: &str,
) -> Result<Command, PlaygroundError> {
    let mut command = Command::new(program("causeway", "CAUSEWAY_BINARY")?);
    // Whatever cloud this shell is logged in to is none of the playground's business.
    for (name, _) in std::env::vars_os() {
        if ["AWS_", "AZURE_", "CAUSEWAY_"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
    command
        .arg("run")
        // Nobody watches a playground's processes: under load the Lease can be lost, and the operator must go on.
        .arg("--leader-elect-restart")
        .args(["--azure-endpoint", &endpoints.azure])
        .args(["--azure-authority", &endpoints.azure_authority])
        .args(["--aws-endpoint", &endpoints.aws])
        .args(["--megaport-endpoint", &endpoints.megaport])
        .args(["--megaport-auth-endpoint", &endpoints.megaport_auth])
        .args(["--extra-ca-file", &endpoints.ca])
        .args(["--time-scale", &speed.to_string()])
        .args(["--admin-address", admin])
        .env("KUBECONFIG", kubeconfig)
        .env("AWS_EC2_METADATA_DISABLED", "true");
    Ok(command)
}

/// Waits until `/readyz` is fine, the operator has ended, or time is up.
pub(super) async fn wait(
    processes: &mut Processes,
    folder: &Path,
    admin: &str,
) -> Result<(), PlaygroundError> {
    let deadline = Instant::now() + READY;
    let url = format!("http://{admin}/readyz");
    let client = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5))
        .build();
    loop {
        let answer = match &client {
            Ok(client) => client
                .get(&url)
                .send()
                .await
                .and_then(reqwest::Response::error_for_status),
            Err(error) => return Err(not_ready(folder, error.to_string())),
        };
        let last = match answer {
            Ok(_) => return Ok(()),
            Err(error) => error.to_string(),
        };
        processes.check(OPERATOR)?;
        if Instant::now() > deadline {
            return Err(not_ready(folder, last));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn not_ready(folder: &Path, last: String) -> PlaygroundError {
    PlaygroundError::OperatorNotReady {
        seconds: READY.as_secs(),
        last,
        log: folder.join("logs/operator.log"),
    }
}
