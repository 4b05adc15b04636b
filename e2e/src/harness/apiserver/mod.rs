//! A small Kubernetes API server in this process, for deterministic tests.
//!
//! It decides nothing about API semantics: `e2e/tests/standin.rs` runs one script against it and against a real API server and
//! wants equal answers. May keep plain data and wake watches; no threads, no sockets, no clock of its own, no randomness:
//! everything runs under tokio's paused clock, and timestamps come from the clock that it is given.
//!
//! It has: our five kinds from `causeway_api`, Namespace, Secret, ConfigMap, Event (events.k8s.io) and Lease; get, list with
//! pages, watch with bookmarks, initial events and compaction, create with `generateName`, replace, merge patch, JSON patch,
//! server-side apply, status apart, optimistic concurrency, finalizers, deletion with preconditions and policies, owner
//! references and namespaces as kube-controller-manager treats them, defaults, pruning, and the checks of `schema.rs`.
//!
//! It does not have: CEL rules, admission, authorisation, conversion, `managedFields` in objects (ownership is kept, and not
//! shown), strategic merge patch, tables, the conditions of a namespace that is being deleted, and what a cluster puts into
//! each namespace (`kube-root-ca.crt`, the ServiceAccount `default`).

mod call;
mod discover;
mod fields;
mod gc;
mod kinds;
mod list;
mod log;
mod meta;
mod patch;
mod refuse;
mod schema;
mod select;
mod serve;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use http::{Request, Response};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;
use tower::BoxError;

pub use log::{ApiEvent, ApiRequest, Delivery, Verdict};
pub use state::{ApiState, CLUSTER_UID};

use call::Call;
use log::{AnswerHook, EventHook, Hook};
use refuse::Refusal;
use serve::Answer;
use state::{Key, Write};
use watch::Signal;

/// Where the clock stands that a new server has until it is given another: 2026-01-01T00:00:00Z.
const EPOCH_SECONDS: i64 = 1_767_225_600;

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The server. Clones are the same server.
#[derive(Clone)]
pub struct ApiServer {
    shared: Arc<Shared>,
}

/// What requests and watches share.
struct Shared {
    state: Mutex<ApiState>,
    clock: Mutex<Clock>,
    log: Mutex<Vec<ApiRequest>>,
    hook: Mutex<Option<Hook>>,
    answer_hook: Mutex<Option<AnswerHook>>,
    event_hook: Mutex<Option<EventHook>>,
    signal: tokio::sync::watch::Sender<Signal>,
}

impl std::fmt::Debug for ApiServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ApiServer")
            .field(&*self.shared.state())
            .finish()
    }
}

impl Default for ApiServer {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiServer {
    /// A server with the namespaces `default` and `kube-system` (UID [`CLUSTER_UID`]) and nothing else.
    pub fn new() -> Self {
        Self::seeded(0)
    }

    /// The same with other UIDs and generated names.
    pub fn seeded(seed: u64) -> Self {
        let epoch = Timestamp::from_second(EPOCH_SECONDS).unwrap_or(Timestamp::UNIX_EPOCH);
        Self::from_state(ApiState::new(seed, epoch))
    }

    /// A server that goes on where the snapshot was taken: versions, history, UIDs to come. Watches resume from the versions
    /// that they have. Log and hook are new. Its clock goes on from the snapshot's, with tokio's, until it is given another.
    pub fn from_state(state: ApiState) -> Self {
        let (from, started) = (state.at, Instant::now());
        let clock: Clock = Arc::new(move || {
            let passed = started.elapsed();
            from.checked_add(passed).unwrap_or(from)
        });
        let signal = Signal {
            revision: state.revision(),
            epoch: 0,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                clock: Mutex::new(clock),
                log: Mutex::default(),
                hook: Mutex::new(None),
                answer_hook: Mutex::new(None),
                event_hook: Mutex::new(None),
                signal: tokio::sync::watch::Sender::new(signal),
            }),
        }
    }

    /// Takes timestamps from `now`.
    #[must_use]
    pub fn with_clock(self, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        *lock(&self.shared.clock) = Arc::new(now);
        let now = self.shared.now();
        self.shared.state().at = now;
        self
    }

    /// The state now. Costs no copy of any object.
    pub fn snapshot(&self) -> ApiState {
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.at = now;
        state.clone()
    }

    /// Makes a namespace, unless it exists.
    pub fn add_namespace(&self, name: &str) {
        let at = self.shared.now();
        let mut state = self.shared.state();
        state.at = at;
        state.add_namespace(name);
        drop(state);
        self.shared.wake();
    }

    /// Serves the kind of a definition from now on; what references may point at, for instance.
    pub fn add_kind(&self, definition: &CustomResourceDefinition) {
        let mut state = self.shared.state();
        let mut kinds = (*state.kinds).clone();
        let added = kinds::Kind::custom(definition);
        kinds.extend(added.map(|kind| (kind.resource(), Arc::new(kind))));
        state.kinds = Arc::new(kinds);
    }

    /// A client whose every request passes through here. `namespace` is its default one.
    ///
    /// # Panics
    /// Outside of a tokio runtime: the client keeps a task.
    pub fn client(&self, namespace: &str) -> kube::Client {
        self.client_named(namespace, "")
    }

    /// The same under a name that the log shows, to tell two operators apart.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn client_named(&self, namespace: &str, name: &str) -> kube::Client {
        let (shared, name) = (self.shared.clone(), name.to_owned());
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            serve(shared.clone(), name.clone(), request)
        });
        kube::Client::new(service, namespace)
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<ApiRequest> {
        lock(&self.shared.log).clone()
    }

    /// Asks `hook` about each request before it is worked on, instead of a hook that was there. The hook may read this server
    /// ([`Self::object`], [`Self::revision`]), and must not wait.
    pub fn on_request(&self, hook: impl Fn(&ApiRequest) -> Verdict + Send + Sync + 'static) {
        *lock(&self.shared.hook) = Some(Arc::new(hook));
    }

    /// Tells `hook` of each request once it was worked on and before its answer goes out, also when that is lost; instead
    /// of a hook that was there. Nothing else happens between [`Self::on_request`]'s hook and this one. The hook may read
    /// this server, and must not wait.
    pub fn on_answer(&self, hook: impl Fn(&ApiRequest) + Send + Sync + 'static) {
        *lock(&self.shared.answer_hook) = Some(Arc::new(hook));
    }

    /// Asks `hook` about each change on its way to each watch, instead of a hook that was there. The hook must not wait, and
    /// must not ask this server anything: it is called while the change is read. Initial events and bookmarks are not asked
    /// about.
    pub fn on_event(&self, hook: impl Fn(&ApiEvent) -> Delivery + Send + Sync + 'static) {
        *lock(&self.shared.event_hook) = Some(Arc::new(hook));
    }

    /// The version of the newest change.
    pub fn revision(&self) -> u64 {
        self.shared.state().revision()
    }

    /// An object as it is now, without a request. `resource` as in [`ApiRequest::resource`]; `namespace` empty for cluster scope.
    pub fn object(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        let key = Key {
            resource: resource.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        self.shared
            .state()
            .get(&key)
            .map(|object| (**object).clone())
    }

    /// All objects of a resource, without a request.
    pub fn objects(&self, resource: &str) -> Vec<Value> {
        let state = self.shared.state();
        let all = state
            .objects
            .iter()
            .filter(|(key, _)| key.resource == resource);
        all.map(|(_, object)| (**object).clone()).collect()
    }

    /// All objects of every other resource than this one.
    pub fn all_but(&self, resource: &str) -> Vec<Value> {
        let state = self.shared.state();
        let others = state
            .objects
            .iter()
            .filter(|(key, _)| key.resource != resource);
        others.map(|(_, object)| (**object).clone()).collect()
    }

    /// Forgets the history: a watch that resumes from before now is told that its version is too old.
    pub fn compact(&self) {
        self.shared.state().compact();
    }

    /// Ends every open watch, undelivered events included: as if the connections had broken.
    pub fn cut_watches(&self) {
        self.shared.signal.send_modify(|signal| signal.epoch += 1);
    }

    /// While paused, owners' deaths and the deletion of namespaces have no consequences: the controller manager is late.
    pub fn pause_collection(&self, paused: bool) {
        let write = Write::new(self.shared.now(), "");
        let mut state = self.shared.state();
        state.collecting = !paused;
        state.collect(&write);
        drop(state);
        self.shared.wake();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Never held over an await.
    fn state(&self) -> MutexGuard<'_, ApiState> {
        lock(&self.state)
    }

    fn now(&self) -> Timestamp {
        let clock = lock(&self.clock).clone();
        clock()
    }

    fn wake(&self) {
        let revision = self.state().revision();
        self.signal.send_if_modified(|signal| {
            let news = signal.revision != revision;
            signal.revision = revision;
            news
        });
    }

    /// Does a change and what follows from it; a dry run leaves nothing, a refusal neither.
    fn change(
        &self,
        dry_run: bool,
        write: &Write,
        change: impl FnOnce(&mut ApiState) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Refusal> {
        let answer = {
            let mut state = self.state();
            if dry_run {
                let mut copy = state.clone();
                let answer = change(&mut copy);
                // A number that was drawn is not drawn again.
                state.drew(&copy);
                return answer.map(|answer| answer.unwritten(&state));
            }
            state.at = write.now;
            let before = state.revision();
            let answer = change(&mut state);
            state.collect_after(before, write);
            answer
        };
        self.wake();
        answer
    }
}

/// One request from arrival to answer.
async fn serve(
    shared: Arc<Shared>,
    client: String,
    request: Request<kube::client::Body>,
) -> Result<Response<Body>, BoxError> {
    let (parts, body) = request.into_parts();
    crate::harness::pace::count(|| format!("{} {}", parts.method, parts.uri));
    let call = Call::new(&parts, body.collect_bytes().await?.to_vec());
    let [resource, subresource, namespace, name] = call.target();
    let mut entry = ApiRequest {
        seq: 0,
        at: shared.now(),
        client,
        verb: call.verb(),
        resource,
        subresource,
        namespace,
        name,
        dry_run: call.dry_run(),
        status: 0,
        verdict: Verdict::Continue,
    };
    let at = {
        let mut log = lock(&shared.log);
        entry.seq = log.len() as u64 + 1;
        log.push(entry.clone());
        log.len() - 1
    };
    let hook = lock(&shared.hook).clone();
    let verdict = hook.map_or(Verdict::Continue, |hook| hook(&entry));
    let answer = match verdict {
        Verdict::LoseRequest => None,
        Verdict::Fail(code) => Some(Refusal::fault(code).into()),
        Verdict::Stale(changes) => Some(serve::answer(&shared, &call, &entry.client, changes)),
        Verdict::Continue | Verdict::LoseResponse => {
            Some(serve::answer(&shared, &call, &entry.client, 0))
        }
    };
    entry.verdict = verdict;
    entry.status = answer.as_ref().map_or(0, Answer::code);
    if let Some(logged) = lock(&shared.log).get_mut(at) {
        logged.verdict = entry.verdict;
        logged.status = entry.status;
    }
    let told = lock(&shared.answer_hook).clone();
    if let Some(hook) = told {
        hook(&entry);
    }
    match answer {
        Some(answer) if verdict != Verdict::LoseResponse => Ok(answer.into_response()),
        _ => Err(broken()),
    }
}

fn broken() -> BoxError {
    let what = "the connection to the API server broke";
    std::io::Error::new(std::io::ErrorKind::ConnectionReset, what).into()
}
