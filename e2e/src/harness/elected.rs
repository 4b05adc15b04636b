//! Operators that campaign for the Lease, several in one rig: each with a name, a line of its own to the clouds and to the
//! API server, and a supervisor that starts it again with empty memory when it ends.
//!
//! May freeze an operator's line, make its requests late, and remember what it sent. What the process does about it is the
//! operator's business: everything above the line is what ships.

use super::rig::Rig;
use super::wire::{self, SandboxTransport};
use async_trait::async_trait;
use bytes::Bytes;
use causeway::clients::http::{Transport, TransportError, TransportErrorKind};
use causeway::controllers::run::Settings;
use causeway::inventory::Pace;
use causeway::inventory::accounts::Wiring;
use causeway::leader::Terms;
use causeway::start::{self, Campaign};
use causeway_model::intent::Sent;
use causeway_sandbox::SimTime;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How soon a supervisor starts again what has ended.
const RESTART: Duration = Duration::from_secs(2);

/// Something that an operator sent and that may change something.
#[derive(Clone, Debug)]
pub struct Change {
    pub at: SimTime,
    /// Method and path; for AWS, the action.
    pub what: String,
}

type Delay = Arc<dyn Fn(&str) -> Duration + Send + Sync>;

/// What stands between one operator and everybody else.
#[derive(Clone)]
pub struct Line {
    name: String,
    frozen: watch::Sender<bool>,
    delay: Arc<Mutex<Option<Delay>>>,
    sent: Arc<Mutex<Vec<Change>>>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Line {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            frozen: watch::channel(false).0,
            delay: Arc::default(),
            sent: Arc::default(),
        }
    }

    /// While frozen, no request of the operator is answered, and no new one arrives: as if it stood still.
    pub fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }

    /// How late requests arrive from now on, by method and path, or the action at AWS. Those that may change something
    /// arrive also when the operator has given up waiting, or has ended.
    pub fn late(&self, delay: impl Fn(&str) -> Duration + Send + Sync + 'static) {
        *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(delay));
    }

    /// Requests arrive at once again.
    pub fn prompt(&self) {
        *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was sent to the clouds so far that may change something.
    pub fn changes(&self) -> Vec<Change> {
        self.sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn thawed(&self) {
        // The sender is ours: it can not be gone.
        let _ = self.frozen.subscribe().wait_for(|frozen| !frozen).await;
    }
}

/// Method and path, or the action at AWS; and whether it may change something.
fn described(req: &http::Request<Bytes>) -> (String, bool) {
    let host = req.uri().host().unwrap_or_default();
    if host.starts_with("aws.") {
        let target = req
            .headers()
            .get("x-amz-target")
            .and_then(|t| t.to_str().ok());
        let action = target.map_or_else(
            || {
                let body = String::from_utf8_lossy(req.body()).into_owned();
                let mut pairs = body.split('&').filter_map(|p| p.strip_prefix("Action="));
                pairs.next().unwrap_or_default().to_owned()
            },
            |t| t.rsplit('.').next().unwrap_or_default().to_owned(),
        );
        let reads = ["Describe", "Get"].iter().any(|v| action.starts_with(v));
        return (action, !reads);
    }
    let path = req.uri().path();
    let reads = req.method() == http::Method::GET
        || host.starts_with("login.")
        || host.starts_with("auth.")
        // Azure's diagnostics, and what Megaport only computes.
        || (req.method() == http::Method::POST
            && (host.starts_with("management.")
                || path.ends_with("/validate")
                || path.contains("/pricebook/")));
    (format!("{} {path}", req.method()), !reads)
}

/// One operator's way to the sandbox.
#[derive(Debug)]
struct Wire {
    line: Line,
    sandbox: SandboxTransport,
}

#[async_trait]
impl Transport for Wire {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (what, changes) = described(&req);
        let delay = self
            .line
            .delay
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let delay = delay.map_or(Duration::ZERO, |delay| delay(&what));
        if !changes {
            tokio::time::sleep(delay).await;
            self.line.thawed().await;
            return self.sandbox.send(req).await;
        }
        if *self.line.frozen.borrow() {
            // A process that stands still writes nothing; what it finds afterwards is a broken connection.
            self.line.thawed().await;
            return Err(TransportError::new(
                TransportErrorKind::Broken,
                Sent::Maybe,
                "the connection broke while this process stood still",
            ));
        }
        let at = self.sandbox.0.now();
        self.line
            .sent
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Change { at, what });
        let answer = if delay.is_zero() {
            self.sandbox.send(req).await
        } else {
            let sandbox = self.sandbox.clone();
            let arriving = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                sandbox.send(req).await
            });
            arriving.await.unwrap_or_else(|error| {
                Err(TransportError::new(
                    TransportErrorKind::Broken,
                    Sent::Maybe,
                    error.to_string(),
                ))
            })
        };
        self.line.thawed().await;
        answer
    }
}

/// A supervised operator.
pub struct Elected {
    pub line: Line,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Elected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Elected")
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

impl Elected {
    /// Starts an operator that campaigns in the rig's namespace. To the API stand-in it is known as `name`; the identity in
    /// the Lease has a number more for each start.
    pub fn start(rig: &Rig, name: &str) -> Self {
        let line = Line::new(name);
        let transport: Arc<dyn Transport> = Arc::new(Wire {
            line: line.clone(),
            sandbox: SandboxTransport(rig.sandbox.clone()),
        });
        let wiring = Wiring {
            aws_http: wire::aws(transport.clone()),
            transport,
            endpoints: wire::endpoints(),
            pace: Pace::scaled(1.0),
            clock: rig.clock(),
        };
        let namespace = rig.namespace().to_owned();
        let (api, own) = (rig.api.client_named(&namespace, name), line.clone());
        let service = tower::service_fn(move |request| {
            let (api, line) = (api.clone(), own.clone());
            async move {
                line.thawed().await;
                let answer = api.send(request).await;
                line.thawed().await;
                answer
            }
        });
        let client = kube::Client::new(service, namespace.clone());
        let (stop, stopped) = watch::channel(false);
        let name = name.to_owned();
        let task = tokio::spawn(async move {
            for run in 1.. {
                let settings = Settings {
                    namespaces: vec![namespace.clone()],
                    time_scale: 1.0,
                    instance: name.clone(),
                };
                let campaign = Campaign {
                    namespace: namespace.clone(),
                    identity: format!("{name}-{run}"),
                    terms: Terms::default(),
                };
                let ended = start::lead(
                    client.clone(),
                    wiring.clone(),
                    settings,
                    campaign,
                    |_| (),
                    stopped.clone(),
                );
                // Why it ended is told by what happens next.
                let _ = ended.await;
                if *stopped.borrow() {
                    return;
                }
                tokio::time::sleep(RESTART).await;
            }
        });
        Self { line, stop, task }
    }

    /// Ends it as SIGTERM does, for good; answers when it has ended.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // A panic in it shows in the test's own looks.
        let _ = self.task.await;
    }
}

/// Who holds the Lease in the rig's namespace: the identity's name without the number.
pub fn holder(rig: &Rig) -> Option<String> {
    let lease = rig.api.object(
        "leases.coordination.k8s.io",
        rig.namespace(),
        causeway::leader::LEASE_NAME,
    )?;
    let identity = lease["spec"]["holderIdentity"].as_str()?;
    let name = identity.rsplit_once('-').map_or(identity, |(name, _)| name);
    (!name.is_empty()).then(|| name.to_owned())
}
