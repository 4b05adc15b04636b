//! The sandbox as a process: how it is started, when it is ready, and its control API (contract.md §3, §4).
//!
//! May speak HTTPS with the control listener. Knows the sandbox only by its contract: the crate is not used here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PlaygroundError;
use super::operator::program;
use super::rig::SANDBOX;
use crate::controlplane::Processes;

/// How long it may take to listen.
const READY: Duration = Duration::from_mins(1);

/// Failures of asking the sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No answer.
    #[error("the sandbox does not answer {method} {url}: {source}")]
    Unreachable {
        method: String,
        url: String,
        source: reqwest::Error,
    },
    /// An answer, but not the one asked for.
    #[error("the sandbox answers {method} {url} with {status}: {body}")]
    Refused {
        method: String,
        url: String,
        status: u16,
        body: String,
    },
    /// An answer that cannot be read.
    #[error("the sandbox's answer to {method} {url} cannot be read: {problem}")]
    Unreadable {
        method: String,
        url: String,
        problem: String,
    },
    /// Its certificate authority cannot be read.
    #[error("the sandbox's certificate authority {path} cannot be used: {problem}")]
    Authority { path: PathBuf, problem: String },
    /// It runs but does not serve.
    #[error("the sandbox is not ready after {seconds} s ({last}); its log is {log}")]
    NotReady {
        seconds: u64,
        last: String,
        log: PathBuf,
    },
}

/// `endpoints.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// Azure Resource Manager.
    pub azure: String,
    /// The Azure token endpoint.
    pub azure_authority: String,
    /// EC2, Direct Connect and STS.
    pub aws: String,
    /// The Megaport API.
    pub megaport: String,
    /// The full Megaport token URL.
    pub megaport_auth: String,
    /// The control API.
    pub control: String,
    /// The certificate authority of all of them, PEM.
    pub ca: String,
}

impl Endpoints {
    /// The operator's environment variables for them (contract.md §2: named as its flags).
    pub(super) fn operator_variables(&self) -> [(&'static str, &str); 6] {
        [
            ("CAUSEWAY_AZURE_ENDPOINT", &self.azure),
            ("CAUSEWAY_AZURE_AUTHORITY", &self.azure_authority),
            ("CAUSEWAY_AWS_ENDPOINT", &self.aws),
            ("CAUSEWAY_MEGAPORT_ENDPOINT", &self.megaport),
            ("CAUSEWAY_MEGAPORT_AUTH_ENDPOINT", &self.megaport_auth),
            ("CAUSEWAY_EXTRA_CA_FILE", &self.ca),
        ]
    }

    #[cfg(test)]
    pub(super) fn example() -> Self {
        let url = |port: u16| format!("https://127.0.0.1:{port}");
        Self {
            azure: url(1),
            azure_authority: url(2),
            aws: url(3),
            megaport: url(4),
            megaport_auth: url(5) + "/oauth2/token",
            control: url(6),
            ca: "/ca.pem".into(),
        }
    }
}

/// The control API of a running sandbox.
#[derive(Clone, Debug)]
pub struct SandboxClient {
    /// Where it and the clouds are.
    pub endpoints: Endpoints,
    http: reqwest::Client,
}

impl SandboxClient {
    /// For the sandbox at `endpoints`; trusts its certificate authority and no other.
    pub fn new(endpoints: Endpoints) -> Result<Self, SandboxError> {
        let path = PathBuf::from(&endpoints.ca);
        let failed = |problem: String| SandboxError::Authority {
            path: path.clone(),
            problem,
        };
        let pem = fs::read(&path).map_err(|error| failed(error.to_string()))?;
        let ca = reqwest::Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
        let http = reqwest::Client::builder()
            .tls_certs_only([ca])
            .https_only(true)
            .no_proxy()
            .timeout(Duration::from_mins(1))
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self { endpoints, http })
    }

    /// `GET path`, such as `/ledger`.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, SandboxError> {
        self.send("GET", path, None).await
    }

    /// `POST path` with a body.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, SandboxError> {
        self.send("POST", path, Some(body)).await
    }

    /// `PUT path` with a body.
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, SandboxError> {
        self.send("PUT", path, Some(body)).await
    }

    /// `DELETE path`.
    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, SandboxError> {
        self.send("DELETE", path, None).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, SandboxError> {
        let url = format!("{}{path}", self.endpoints.control);
        let unreachable = |source| SandboxError::Unreachable {
            method: method.to_owned(),
            url: url.clone(),
            source,
        };
        let unreadable = |problem: String| SandboxError::Unreadable {
            method: method.to_owned(),
            url: url.clone(),
            problem,
        };
        let verb = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|error| unreadable(error.to_string()))?;
        let mut request = self.http.request(verb, &url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let text = answer.text().await.map_err(unreachable)?;
        if !status.is_success() {
            return Err(SandboxError::Refused {
                method: method.to_owned(),
                url,
                status: status.as_u16(),
                body: text,
            });
        }
        // Some calls have nothing to say.
        let text = if text.trim().is_empty() {
            "null"
        } else {
            &text
        };
        serde_json::from_str(text).map_err(|error| unreadable(format!("{error} in {text}")))
    }
}

pub(super) fn command(
    folder: &Path,
    speed: f64,
    world: Option<&Path>,
) -> Result<Command, PlaygroundError> {
    let mut command = Command::new(program("causeway-sandbox", "CAUSEWAY_SANDBOX_BINARY")?);
    command
        .arg("--dir")
        .arg(folder)
        .arg("--speed")
        .arg(speed.to_string());
    if let Some(world) = world {
        command.arg("--world").arg(world);
    }
    Ok(command)
}

/// Waits until the sandbox that writes into `folder` answers, or has ended, or time is up.
pub(super) async fn wait(
    processes: &mut Processes,
    folder: &Path,
) -> Result<SandboxClient, PlaygroundError> {
    let deadline = Instant::now() + READY;
    loop {
        // The file may be there from an earlier life, with other ports: only an answer counts.
        let last = match connect(folder).await {
            Ok(client) => return Ok(client),
            Err(error) => error.to_string(),
        };
        processes.check(SANDBOX)?;
        if Instant::now() > deadline {
            let log = folder.with_file_name("logs").join("sandbox.log");
            return Err(SandboxError::NotReady {
                seconds: READY.as_secs(),
                last,
                log,
            }
            .into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn connect(folder: &Path) -> Result<SandboxClient, PlaygroundError> {
    let client = SandboxClient::new(read_json(&folder.join("endpoints.json"))?)?;
    client.get::<Value>("/clock").await?;
    Ok(client)
}

pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, PlaygroundError> {
    let text = fs::read_to_string(path).map_err(|source| PlaygroundError::File {
        action: "cannot read",
        path: path.to_owned(),
        source,
    })?;
    serde_json::from_str(&text).map_err(|error| PlaygroundError::Content {
        path: path.to_owned(),
        problem: format!("is not as expected: {error}"),
    })
}
