//! One world with its operator: made, driven, looked at, copied.
//!
//! May apply manifests, look at objects and at the clouds' truth, and let time pass. For tests only, hence the panics: a
//! test whose rig does not run has failed.
#![allow(clippy::panic)]

use super::apiserver::ApiServer;
use super::case::{Camera, Case, Snapshot};
use super::wire::{self, SandboxTransport};
use crate::demo::watch::Seen;
use crate::objects::{Objects, tally};
use crate::playground::secrets;
use crate::secrecy::Secrets;
use crate::trial::summary;
use causeway::clients::http::Transport;
use causeway::clock::Clock;
use causeway::controllers::run::{self, Settings};
use causeway::inventory::Pace;
use causeway::inventory::accounts::Wiring;
use causeway::leader::Leadership;
use causeway_sandbox::control::CallView;
use causeway_sandbox::{Sandbox, SimTime, describe};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Under which name the operator's requests are in the API stand-in's log.
pub const OPERATOR: &str = "operator";

/// How long the lab may take, of which an operator that finds it Ready needs minutes.
pub(super) const BUILT: Duration = Duration::from_hours(4);

/// How often [`Rig::until`] looks, in simulated time.
const LOOK: Duration = Duration::from_secs(1);

/// A running operator.
struct Operator {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), kube::Error>>,
}

/// Clouds, API stand-in and, once started, an operator. Lives in the runtime of [`simulate`] that it was made in.
pub struct Rig {
    pub sandbox: Sandbox,
    pub api: ApiServer,
    clock: Clock,
    objects: Objects,
    manifests: Vec<Value>,
    /// How wrong the clocks of the next operators are, in seconds.
    skews: Mutex<VecDeque<i64>>,
    operator: Option<Operator>,
    /// What [`Rig::seen`] saw last, and at which revision.
    seen: Mutex<Option<(u64, Seen)>>,
}

/// Its objects are asked for as its own.
impl Deref for Rig {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}

impl std::fmt::Debug for Rig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rig")
            .field("namespace", &self.objects.namespace())
            .finish_non_exhaustive()
    }
}

/// The moment of simulated time, for clocks that count in timestamps.
fn timestamp(at: SimTime) -> Timestamp {
    Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The same clock for the API stand-in.
fn reading(clock: &Clock) -> impl Fn() -> Timestamp + Send + Sync + 'static {
    let clock = clock.clone();
    move || clock.now()
}

impl Rig {
    /// The case's world; nothing is applied and no operator runs.
    pub fn new(case: &Case) -> Self {
        let sandbox = Sandbox::new(causeway_sandbox::Settings {
            world: case.world.clone(),
            seed: case.seed,
            ..causeway_sandbox::Settings::default()
        });
        let clock = Clock::driven(timestamp(sandbox.now()));
        let api = ApiServer::seeded(case.seed).with_clock(reading(&clock));
        Self::of(
            sandbox,
            api,
            clock,
            case.namespace(),
            case.manifests.clone(),
        )
    }

    /// Goes on from a snapshot, at its time, without an operator.
    pub fn from_snapshot(s: &Snapshot) -> Self {
        let sandbox = Sandbox::from_state(s.state.clone(), 1.0);
        let clock = Clock::driven(timestamp(sandbox.now()));
        let api = ApiServer::from_state(s.api.clone()).with_clock(reading(&clock));
        Self::of(
            sandbox,
            api,
            clock,
            s.namespace.clone(),
            s.manifests.clone(),
        )
    }

    fn of(
        sandbox: Sandbox,
        api: ApiServer,
        clock: Clock,
        namespace: String,
        manifests: Vec<Value>,
    ) -> Self {
        let objects = Objects::new(api.client(&namespace), &namespace);
        Self {
            sandbox,
            api,
            clock,
            objects,
            manifests,
            skews: Mutex::default(),
            operator: None,
            seen: Mutex::default(),
        }
    }

    /// Has each operator that is started from now on live by a clock that is wrong by so many seconds, one after the other and
    /// then from the beginning.
    pub fn skew(&self, seconds: &[i64]) {
        let mut skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        *skews = seconds.iter().copied().collect();
    }

    /// The clock of the next operator.
    fn next_clock(&self) -> Clock {
        let mut skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seconds) = skews.pop_front() else {
            return self.clock.clone();
        };
        skews.push_back(seconds);
        let wrong = SignedDuration::from_secs(seconds);
        Clock::driven(
            self.clock
                .now()
                .saturating_add(wrong)
                .unwrap_or(Timestamp::UNIX_EPOCH),
        )
    }

    /// A copy of clouds and API server as they are now. Let no operator run while it is taken, unless its crash is meant.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            state: self.sandbox.snapshot(),
            api: self.api.snapshot(),
            manifests: self.manifests.clone(),
            namespace: self.namespace().to_owned(),
        }
    }

    /// The clock that operators of this rig live by.
    pub(super) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// What snapshots of this rig are made of, for whoever takes them at moments of its own.
    pub(super) fn camera(&self) -> Camera {
        Camera {
            sandbox: self.sandbox.clone(),
            api: self.api.clone(),
            manifests: self.manifests.clone(),
            namespace: self.namespace().to_owned(),
        }
    }

    /// Other objects to make and to delete than the case's.
    pub fn set_manifests(&mut self, manifests: Vec<Value>) {
        self.manifests = manifests;
    }

    /// Whether an operator was started and has ended by itself, which it never should.
    pub fn operator_ended(&self) -> bool {
        self.operator.as_ref().is_some_and(|o| o.task.is_finished())
    }

    /// Simulated time.
    pub fn now(&self) -> SimTime {
        self.sandbox.now()
    }

    /// Starts the operator with empty memory, leading.
    pub fn start_operator(&mut self) {
        self.start_operator_with(Leadership::always());
    }

    /// Starts the operator, which acts only while `leadership` holds.
    ///
    /// # Panics
    /// When one runs already.
    pub fn start_operator_with(&mut self, leadership: Leadership) {
        let transport = Arc::new(SandboxTransport(self.sandbox.clone()));
        self.start_operator_on(leadership, transport);
    }

    /// The same, with its requests to the clouds going through `transport`.
    ///
    /// # Panics
    /// When one runs already.
    pub fn start_operator_on(&mut self, leadership: Leadership, transport: Arc<dyn Transport>) {
        assert!(self.operator.is_none(), "an operator runs already");
        let wiring = Wiring {
            aws_http: wire::aws(transport.clone()),
            transport,
            endpoints: wire::endpoints(),
            pace: Pace::scaled(1.0),
            clock: self.next_clock(),
        };
        let settings = Settings {
            namespaces: vec![self.namespace().to_owned()],
            time_scale: 1.0,
            instance: "harness".to_owned(),
        };
        let (stop, stopped) = watch::channel(false);
        // A client of its own: its buffer ends with it.
        let client = self.api.client_named(self.namespace(), OPERATOR);
        let task = tokio::spawn(run::run(
            client,
            wiring,
            settings,
            leadership,
            || (),
            stopped,
        ));
        self.operator = Some(Operator { stop, task });
    }

    /// Ends the operator as SIGTERM does: reconciles that run are finished.
    ///
    /// # Panics
    /// When it ended badly.
    pub async fn stop_operator(&mut self) {
        let Some(operator) = self.operator.take() else {
            return;
        };
        operator.stop.send_replace(true);
        match operator.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the operator could not run: {error}"),
            Err(error) => panic!("the operator ended badly: {error}"),
        }
    }

    /// Makes the namespace, the Secrets with the world's credentials, and the case's objects.
    ///
    /// # Panics
    /// When the stand-in refuses one.
    pub async fn apply_all(&self) {
        self.apply_all_but_objects().await;
        for manifest in &self.manifests {
            self.create(manifest).await;
        }
    }

    /// Makes the namespace and the Secrets with the world's credentials.
    ///
    /// # Panics
    /// When the stand-in refuses one.
    pub async fn apply_all_but_objects(&self) {
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(self.namespace().to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespaces = Api::<Namespace>::all(self.client.clone());
        match namespaces.create(&PostParams::default(), &namespace).await {
            Ok(_) => {}
            // The stand-in may have it from the start.
            Err(kube::Error::Api(s)) if s.is_already_exists() => {}
            Err(error) => panic!("namespace {}: {error}", self.namespace()),
        }
        let world = self.sandbox.read(|s| describe::world(&s.world));
        let secrets = Api::<Secret>::namespaced(self.client.clone(), self.namespace());
        let values = secrets::of(&world);
        for secret in values.unwrap_or_else(|problem| panic!("the world {problem}")) {
            let made = secrets.create(&PostParams::default(), &secret).await;
            made.unwrap_or_else(|error| panic!("Secret {:?}: {error}", secret.metadata.name));
        }
    }

    /// Creates an object in the case's namespace.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn create(&self, manifest: &Value) {
        let mut manifest = manifest.clone();
        manifest["metadata"]["namespace"] = self.namespace().into();
        self.objects.create(&manifest).await;
    }

    /// Asks for the deletion of everything that the case made, in the order in which it was made.
    ///
    /// # Panics
    /// When something can not be deleted.
    pub async fn delete_all(&self) {
        for manifest in &self.manifests {
            let kind = manifest["kind"].as_str().unwrap_or_default();
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
            match self.kind(kind).delete(name, &DeleteParams::default()).await {
                Ok(_) => {}
                Err(kube::Error::Api(s)) if s.is_not_found() => {}
                Err(error) => panic!("{kind} {name} cannot be deleted: {error}"),
            }
        }
    }

    /// What the four kinds with slots say of themselves. Asked only when something was written since the last time: most
    /// waiting is for this, each simulated second.
    ///
    /// # Panics
    /// When the API stand-in can not be read.
    pub async fn seen(&self) -> Seen {
        let revision = self.api.revision();
        let last = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, seen)) = &*last()
            && *at == revision
        {
            return seen.clone();
        }
        let seen = self.objects.seen().await;
        *last() = Some((revision, seen.clone()));
        seen
    }

    /// Whether all objects of the four kinds say `condition`, of which there must be one at least.
    pub async fn all_say(&self, condition: &str) -> bool {
        let seen = self.seen().await;
        !seen.objects.is_empty() && seen.objects.values().all(|o| o.is(condition))
    }

    /// Whether the lab's interconnect and its three links say Ready.
    pub async fn lab_is_ready(&self) -> bool {
        self.all_say("Ready").await && self.seen().await.objects.len() == 4
    }

    /// Whether the lab is Ready, as its spec says, and traffic goes where it should.
    pub async fn lab_holds(&self) -> bool {
        let mut holds = self.lab_is_ready().await;
        for condition in ["InSync", "BGPEstablished", "RoutesAsExpected"] {
            holds = holds && self.all_say(condition).await;
        }
        holds
    }

    /// Whether no object of the four kinds is left.
    pub async fn all_gone(&self) -> bool {
        self.seen().await.objects.is_empty()
    }

    /// Goes on from a snapshot of the Ready lab with a new operator, until that says the same.
    ///
    /// # Panics
    /// When it does not.
    pub async fn awake(lab: &Snapshot) -> Self {
        let mut rig = Self::from_snapshot(lab);
        rig.start_operator();
        rig.until("Ready", BUILT, Self::lab_is_ready).await;
        rig
    }

    /// Waits until no object is left, and looks that nothing is left in the clouds either.
    ///
    /// # Panics
    /// When something is.
    pub async fn goes(&self, what: &str, at_most: Duration) {
        self.until(&format!("gone, {what}"), at_most, Self::all_gone)
            .await;
        assert_eq!(self.leftovers(), Vec::<String>::new(), "{what}");
    }

    /// Looks each simulated second until `look` says so; answers how long that took.
    ///
    /// # Panics
    /// When it does not come within `at_most`, with what all objects say.
    pub async fn until(
        &self,
        what: &str,
        at_most: Duration,
        look: impl AsyncFnMut(&Self) -> bool,
    ) -> Duration {
        self.until_each(LOOK, what, at_most, look).await
    }

    /// The same, looking as often as `each` says.
    ///
    /// # Panics
    /// When it does not come within `at_most`, with what all objects say.
    pub async fn until_each(
        &self,
        each: Duration,
        what: &str,
        at_most: Duration,
        mut look: impl AsyncFnMut(&Self) -> bool,
    ) -> Duration {
        let began = Instant::now();
        while !look(self).await {
            if began.elapsed() >= at_most {
                let seen = self.seen().await;
                let live = self.sandbox.live();
                panic!(
                    "not within {} simulated seconds: {what}\n{}\nin the clouds: {live:#?}",
                    at_most.as_secs(),
                    summary(&seen)
                );
            }
            if let Some(operator) = &self.operator {
                assert!(
                    !operator.task.is_finished(),
                    "the operator has ended while waiting for: {what}"
                );
            }
            tokio::time::sleep(each).await;
        }
        began.elapsed()
    }

    /// Waits until the operator has made so many calls that change something since number `since` of the log, or will make no
    /// more: nothing is left, or, of the whole log, the lab is Ready.
    ///
    /// # Panics
    /// When it does neither within the time that the lab may take.
    pub async fn reach(&self, since: u64, calls: usize) {
        let look = Duration::from_millis(200);
        self.until_each(look, "calls", BUILT, async |r| {
            r.mutating_since(since).len() >= calls
                || r.all_gone().await
                || (since == 0 && r.lab_is_ready().await)
        })
        .await;
    }

    /// Lets simulated time pass.
    pub async fn pass(&self, d: Duration) {
        tokio::time::sleep(d).await;
    }

    /// Number of the last call of the log.
    pub fn last_call(&self) -> u64 {
        self.sandbox.read(|s| s.calls.next_seq() - 1)
    }

    /// The operator's calls after number `since`.
    pub fn calls_since(&self, since: u64) -> Vec<CallView> {
        let mut calls = self.sandbox.calls(since, false);
        calls.retain(|c| c.principal == "causeway");
        calls
    }

    /// Those of them that change something.
    pub fn mutating_since(&self, since: u64) -> Vec<CallView> {
        let mut calls = self.calls_since(since);
        calls.retain(|c| c.mutating);
        calls
    }

    /// Every secret of the world, of what was made in it, and of the Secrets with generated keys.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        let state = self.sandbox.read(|s| serde_json::to_value(s));
        secrets.collect("clouds", &state.unwrap_or_default());
        for secret in self.api.objects("secrets") {
            secrets.take_keys(serde_json::from_value(secret).unwrap_or_default());
        }
        secrets
    }

    /// What a person may read who may not read Secrets: all other objects, Events among them.
    pub fn visible(&self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for object in self.api.all_but("secrets") {
            let text = |pointer: &str| {
                let found = object.pointer(pointer).and_then(Value::as_str);
                found.unwrap_or_default().to_owned()
            };
            let place = format!("{} {}", text("/kind"), text("/metadata/name"));
            texts.insert(place, object.to_string());
        }
        texts
    }

    /// Everything that the operator ordered, as `(kind, name, ended)`.
    pub fn products(&self) -> Vec<(String, String, bool)> {
        let ours = self.sandbox.ledger().into_iter();
        ours.filter(|p| p.principal == "causeway")
            .map(|p| {
                let kind = serde_json::to_value(p.kind).unwrap_or_default();
                (
                    kind.as_str().unwrap_or_default().to_owned(),
                    p.name,
                    p.ended_at.is_some(),
                )
            })
            .collect()
    }

    /// How many of each kind the operator ordered, ended ones included.
    pub fn bought(&self) -> BTreeMap<String, usize> {
        let mut bought = BTreeMap::new();
        for (kind, _, _) in self.products() {
            *bought.entry(kind).or_default() += 1;
        }
        bought
    }

    /// What is wrong with an account that should be as it was at the start: products bought twice under one name or still
    /// paid for, objects left behind, changes of what was there before.
    pub fn leftovers(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut bought = BTreeMap::<String, usize>::new();
        for (kind, name, ended) in self.products() {
            if !ended {
                wrong.push(format!("still paid for: {kind} {name}"));
            }
            if !name.is_empty() {
                *bought.entry(format!("{kind} {name}")).or_default() += 1;
            }
        }
        let twice = bought.into_iter().filter(|(_, n)| *n > 1);
        wrong.extend(twice.map(|(what, n)| format!("bought {n} times: {what}")));
        let live = self.sandbox.live().into_iter();
        wrong.extend(live.map(|o| format!("left behind: {} {} {}", o.kind, o.name, o.state)));
        let diff = self.sandbox.diff().into_iter();
        wrong.extend(diff.map(|c| format!("{}: {} {:?}", c.change, c.id, c.fields)));
        wrong
    }
}

/// How often each operation was called, one a line.
pub fn by_operation(calls: &[CallView]) -> String {
    tally(calls.iter().map(|call| {
        let provider = serde_json::to_value(call.provider).unwrap_or_default();
        format!(
            "{} {}",
            provider.as_str().unwrap_or_default(),
            call.operation
        )
    }))
}
