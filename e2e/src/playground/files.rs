//! The files that tell others what runs: `playground.json` and `env` (contract.md §2), and `processes.json`, which knows
//! each process well enough to end it.
//!
//! May read and write these three files. Each is replaced in one step, so that a reader never sees half of it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::PlaygroundError;
use super::sandbox::Endpoints;
use crate::controlplane::ProcessId;
use crate::controlplane::write_private;

const PROCESSES: &str = "processes.json";
const DESCRIPTION: &str = "playground.json";
const ENVIRONMENT: &str = "env";

/// `playground.json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Description {
    /// The administrator's kubeconfig.
    pub kubeconfig: PathBuf,
    /// The content of the sandbox's `endpoints.json`; absent until it runs.
    pub sandbox: Option<Endpoints>,
    /// Process IDs; absent for what does not run.
    pub pids: Pids,
    /// The folder with kubectl and helm.
    pub bin: PathBuf,
    /// Where the sample's Secrets are.
    pub namespace: String,
    /// Simulated seconds per real second.
    pub speed: f64,
    /// Where the operator serves `/metrics`, `/healthz` and `/readyz`.
    pub operator_admin: Option<String>,
}

/// Process IDs by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pids {
    pub etcd: Option<u32>,
    pub apiserver: Option<u32>,
    pub controller_manager: Option<u32>,
    pub sandbox: Option<u32>,
    pub operator: Option<u32>,
}

impl Pids {
    pub(super) fn of(ids: &[ProcessId]) -> Self {
        let pid = |name: &str| ids.iter().find(|id| id.name == name).map(|id| id.pid);
        Self {
            etcd: pid("etcd"),
            apiserver: pid("apiserver"),
            controller_manager: pid("controllerManager"),
            sandbox: pid("sandbox"),
            operator: pid("operator"),
        }
    }
}

impl Description {
    /// Lines for `. DIR/env`: kubectl and helm first in the path, and the operator's own variables, so that
    /// `causeway run` by hand finds the sandbox.
    fn environment(&self) -> String {
        let mut text = String::new();
        let mut export = |name: &str, value: &str| {
            let quoted = value.replace('\'', r"'\''");
            let _ = writeln!(text, "export {name}='{quoted}'");
        };
        export("KUBECONFIG", &self.kubeconfig.to_string_lossy());
        if let Some(sandbox) = &self.sandbox {
            for (name, value) in sandbox.operator_variables() {
                export(name, value);
            }
            export("CAUSEWAY_TIME_SCALE", &self.speed.to_string());
            export("CAUSEWAY_SANDBOX_CONTROL", &sandbox.control);
            // Whoever tries the AWS SDK or CLI here means the sandbox, never this machine's own role.
            export("AWS_EC2_METADATA_DISABLED", "true");
        }
        let Pids {
            etcd,
            apiserver,
            controller_manager,
            sandbox,
            operator,
        } = &self.pids;
        for (name, pid) in [
            ("ETCD", etcd),
            ("APISERVER", apiserver),
            ("CONTROLLER_MANAGER", controller_manager),
            ("SANDBOX", sandbox),
            ("OPERATOR", operator),
        ] {
            if let Some(pid) = pid {
                export(&format!("PLAYGROUND_PID_{name}"), &pid.to_string());
            }
        }
        export("PLAYGROUND_BIN", &self.bin.to_string_lossy());
        text.push_str("export PATH=\"$PLAYGROUND_BIN:$PATH\"\n");
        text
    }
}

/// Writes all three.
pub(super) fn remember(
    folder: &Path,
    ids: &[ProcessId],
    description: &Description,
) -> Result<(), PlaygroundError> {
    write(&folder.join(PROCESSES), &json(ids)?)?;
    write(&folder.join(ENVIRONMENT), &description.environment())?;
    write(&folder.join(DESCRIPTION), &json(description)?)
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, PlaygroundError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| PlaygroundError::Content {
        path: DESCRIPTION.into(),
        problem: format!("cannot be written: {error}"),
    })?;
    Ok(text + "\n")
}

fn write(path: &Path, text: &str) -> Result<(), PlaygroundError> {
    let draft = path.with_extension("new");
    write_private(&draft, text)
        .and_then(|()| fs::rename(&draft, path))
        .map_err(|source| PlaygroundError::File {
            action: "cannot write",
            path: path.to_owned(),
            source,
        })
}

/// What of the playground in `folder` still runs, in the order of its start.
pub(super) fn running(folder: &Path) -> Result<Vec<ProcessId>, PlaygroundError> {
    let path = folder.join(PROCESSES);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(PlaygroundError::File {
                action: "cannot read",
                path,
                source,
            });
        }
    };
    let ids: Vec<ProcessId> =
        serde_json::from_str(&text).map_err(|error| PlaygroundError::Content {
            path,
            problem: format!("is not a list of processes: {error}"),
        })?;
    Ok(ids.into_iter().filter(ProcessId::is_alive).collect())
}

/// Removes all three: nothing runs.
pub(super) fn forget(folder: &Path) -> Result<(), PlaygroundError> {
    for name in [DESCRIPTION, ENVIRONMENT, PROCESSES] {
        let path = folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(PlaygroundError::File {
                    action: "cannot remove",
                    path,
                    source,
                });
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;
    use std::process::Command;

    #[test]
    fn the_environment_is_good_for_a_shell_whatever_the_folder_is_called() {
        let description = Description {
            kubeconfig: "/tmp/it's a folder/kubeconfig".into(),
            sandbox: Some(Endpoints::example()),
            pids: Pids {
                etcd: Some(7),
                ..Pids::default()
            },
            bin: "/tmp/it's a bin".into(),
            namespace: "network".into(),
            speed: 120.0,
            operator_admin: None,
        };
        let script = format!(
            "{}\nprintf '%s|' \"$KUBECONFIG\" \"$CAUSEWAY_AZURE_ENDPOINT\" \"$CAUSEWAY_TIME_SCALE\" \"${{PATH%%:*}}\" \"$PLAYGROUND_PID_ETCD\"",
            description.environment()
        );
        let output = Command::new("sh").args(["-euc", &script]).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "/tmp/it's a folder/kubeconfig|https://127.0.0.1:1|120|/tmp/it's a bin|7|"
        );
    }

    #[test]
    fn the_description_has_the_keys_of_the_contract() {
        let description = Description {
            kubeconfig: "/k".into(),
            sandbox: Some(Endpoints::example()),
            pids: Pids {
                controller_manager: Some(3),
                ..Pids::default()
            },
            bin: "/bin".into(),
            namespace: "network".into(),
            speed: 120.0,
            operator_admin: None,
        };
        let value = serde_json::to_value(&description).unwrap();
        assert_eq!(value["kubeconfig"], "/k");
        assert_eq!(value["pids"]["controllerManager"], 3);
        assert_eq!(value["sandbox"]["azureAuthority"], "https://127.0.0.1:2");
        assert_eq!(value["bin"], "/bin");
    }
}
