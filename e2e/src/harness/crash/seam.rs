//! The two seams that every write of the operator passes: the transport to the clouds, the hooks of the API stand-in. Here
//! moments are counted, and the world photographed.
//!
//! May look, and take snapshots; holds nothing up and changes nothing.

use super::super::apiserver::ApiServer;
use super::super::case::{Camera, Snapshot};
use super::super::rig::{OPERATOR, Rig};
use super::super::wire::{self, SandboxTransport};
use async_trait::async_trait;
use bytes::Bytes;
use causeway::clients::http::{Transport, TransportError};
use causeway_sandbox::Sandbox;
use causeway_sandbox::wire::Call;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wire {
    Cloud,
    Api,
}

/// When the operator dies, seen from one write of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// It was never sent.
    Before,
    /// It was carried out and nobody heard the answer.
    During,
    /// It was answered, and the operator dies when it says its next word to anybody.
    After,
}

impl Moment {
    pub const ALL: [Self; 3] = [Self::Before, Self::During, Self::After];
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::During => "during",
            Self::After => "after",
        })
    }
}

/// One write of the operator.
#[derive(Debug, Clone)]
pub struct Point {
    pub wire: Wire,
    /// Says which, also in another run, where the order may be another: what is asked for, and how often it was before.
    pub label: String,
}

/// Two photographs with one key show the same. Only reads, and Events, which nobody reads, may lie between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    /// Cloud calls carried out.
    calls: u64,
    /// The API server's version without what Events made of it.
    revision: u64,
    now: i64,
}

/// A photograph, and the moments that it stands for.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub moments: Vec<(usize, Moment)>,
    pub snapshot: Snapshot,
    /// Number of the last call in the clouds' log.
    pub last_call: u64,
}

/// What a seam has seen.
#[derive(Default)]
struct Album {
    points: Vec<Point>,
    labels: BTreeMap<String, usize>,
    taken: Vec<(Key, Taken)>,
    /// Answered, and nothing said since.
    answered: Vec<usize>,
    open: Option<usize>,
    calls: u64,
    events: u64,
    revision: u64,
}

/// What is wanted of a seam.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A photograph of every moment.
    All,
    /// Of this one alone; then whoever waits is told.
    One(usize, Moment),
}

/// The seams of one rig.
#[derive(Clone)]
pub(super) struct Seam {
    inner: Arc<Inner>,
}

struct Inner {
    camera: Camera,
    sandbox: Sandbox,
    api: ApiServer,
    wanted: Wanted,
    album: Mutex<Album>,
    reached: Notify,
}

impl Seam {
    /// Listens at a rig's API stand-in at once, and at its clouds through [`Self::transport`].
    pub(super) fn new(rig: &Rig, wanted: Wanted) -> Self {
        let seam = Self {
            inner: Arc::new(Inner {
                camera: rig.camera(),
                sandbox: rig.sandbox.clone(),
                api: rig.api.clone(),
                wanted,
                album: Mutex::default(),
                reached: Notify::new(),
            }),
        };
        seam.listen();
        seam
    }

    fn listen(&self) {
        // Weak: the API server would keep itself.
        let (asked, told) = (Arc::downgrade(&self.inner), Arc::downgrade(&self.inner));
        self.inner.api.on_request(move |r| {
            if let Some(inner) = asked.upgrade()
                && r.client == OPERATOR
            {
                inner.spoken();
                if r.mutating() {
                    let event = r.resource.starts_with("events");
                    inner.begin(Wire::Api, &r.line(), event);
                }
            }
            super::super::apiserver::Verdict::Continue
        });
        self.inner.api.on_answer(move |r| {
            if let Some(inner) = told.upgrade()
                && r.client == OPERATOR
                && r.mutating()
            {
                inner.answer_of_api(r.resource.starts_with("events"));
            }
        });
    }

    /// The way to the clouds, past this seam.
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(SeamTransport {
            seam: self.inner.clone(),
            to: SandboxTransport(self.inner.sandbox.clone()),
        })
    }

    /// Returns when the wanted moment has come.
    pub(super) async fn reached(&self) {
        self.inner.reached.notified().await;
    }

    /// What was seen so far; what is seen from now on is counted from the beginning.
    pub(super) fn album(&self) -> (Vec<Point>, Vec<Taken>) {
        self.inner.spoken();
        let mut album = self.inner.album();
        album.labels.clear();
        let taken = std::mem::take(&mut album.taken);
        (
            std::mem::take(&mut album.points),
            taken.into_iter().map(|t| t.1).collect(),
        )
    }
}

impl Inner {
    fn album(&self) -> MutexGuard<'_, Album> {
        self.album.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operator says something: what was answered before is past.
    fn spoken(&self) {
        let answered = std::mem::take(&mut self.album().answered);
        for point in answered {
            self.photograph(point, Moment::After);
        }
    }

    fn begin(&self, wire: Wire, what: &str, event: bool) -> usize {
        let point = {
            let mut album = self.album();
            let times = album.labels.entry(what.to_owned()).or_default();
            *times += 1;
            let label = format!("{what}#{times}");
            album.points.push(Point { wire, label });
            album.points.len() - 1
        };
        self.photograph(point, Moment::Before);
        let mut album = self.album();
        if wire == Wire::Api {
            album.open = Some(point);
            album.revision = if event { self.api.revision() } else { 0 };
        }
        point
    }

    fn answer_of_api(&self, event: bool) {
        let point = {
            let mut album = self.album();
            if event {
                album.events += self.api.revision().saturating_sub(album.revision);
            }
            album.open.take()
        };
        if let Some(point) = point {
            self.photograph(point, Moment::During);
            self.album().answered.push(point);
        }
    }

    fn photograph(&self, point: usize, moment: Moment) {
        let mut album = self.album();
        if let Wanted::One(p, m) = self.wanted
            && (p, m) != (point, moment)
        {
            return;
        }
        let key = Key {
            calls: album.calls,
            revision: self.api.revision() - album.events,
            now: self.sandbox.now().0,
        };
        // What is the same was seen a moment ago, or never.
        let same = album.taken.last_mut().filter(|t| t.0 == key);
        if let Some((_, taken)) = same {
            taken.moments.push((point, moment));
            return;
        }
        let snapshot = self.camera.take();
        let taken = Taken {
            moments: vec![(point, moment)],
            snapshot,
            last_call: self.sandbox.read(|s| s.calls.next_seq() - 1),
        };
        album.taken.push((key, taken));
        if self.wanted != Wanted::All {
            self.reached.notify_one();
        }
    }
}

/// The clouds behind a seam.
struct SeamTransport {
    seam: Arc<Inner>,
    to: SandboxTransport,
}

impl fmt::Debug for SeamTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SeamTransport")
    }
}

/// `azure expressRouteCircuits.put to-megaport`.
fn words(call: &Call) -> String {
    let provider = serde_json::to_value(call.provider).unwrap_or_default();
    let provider = provider.as_str().unwrap_or_default();
    let resource = call.resource.as_deref().unwrap_or_default();
    let name = resource.rsplit('/').next().unwrap_or_default();
    // Names of our own choice are the same in every run; IDs are not.
    if provider == "azure" && !name.is_empty() {
        format!("{provider} {} {name}", call.operation)
    } else {
        format!("{provider} {}", call.operation)
    }
}

#[async_trait]
impl Transport for SeamTransport {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.seam.spoken();
        let call = wire::identify(&self.to.0, &req).filter(|c| c.mutating);
        let point = call.map(|c| self.seam.begin(Wire::Cloud, &words(&c), false));
        let answer = self.to.send(req).await;
        if let Some(point) = point {
            self.seam.album().calls += 1;
            self.seam.photograph(point, Moment::During);
            self.seam.album().answered.push(point);
        }
        answer
    }
}
