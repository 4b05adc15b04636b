//! Eyes on a rig while things fail in it: what was true and what status said, in the order in which it was, and where the
//! two differ. [`super::sweep`] says what is compared when.
//!
//! Reads clouds and API server; lets things fail and time pass only as a case's steps say.

use super::apiserver::{ApiRequest, Verdict};
use super::rig::Rig;
use super::sweep::{PATIENCE, Step};
use super::truth::{Ever, Made, Scope, Truth, alone};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What conditions may need beyond that to recover: three samples, each a poll apart (design §1), on objects that hear of
/// it one after the other. The single failures need 99.7 s at most, both together.
const RECOVERY: Duration = Duration::from_mins(2);
/// A network that has not come to rest by then never will.
const RESTLESS: Duration = Duration::from_mins(30);
/// A world counts as built when nothing changed for so long.
const CALM: Duration = Duration::from_secs(150);

const KINDS: [(&str, &str); 4] = [
    ("hybridinterconnects.causeway.dev", "HybridInterconnect"),
    ("expressroutelinks.causeway.dev", "ExpressRouteLink"),
    ("directconnectlinks.causeway.dev", "DirectConnectLink"),
    ("vpnpairs.causeway.dev", "VpnPair"),
];

/// Eyes on a rig: what was true and what status said, in the order in which it was.
pub(super) struct Watch<'a> {
    rig: &'a Rig,
    world: &'static str,
    scopes: &'a [Scope],
    written: Arc<Mutex<BTreeSet<(String, String)>>>,
    bell: Arc<Notify>,
    /// Objects as last read, by `Kind/name`.
    objects: BTreeMap<String, Value>,
    /// What carried the traffic of each interconnect since the case began.
    truths: BTreeMap<String, Vec<&'static str>>,
    /// What was true of each of its directions at any time of the case.
    ever: BTreeMap<String, Ever>,
    /// Statuses of each condition since the case began, with reason and message.
    history: BTreeMap<String, Vec<(String, String)>>,
    /// What each path would be worth alone; good until something changes.
    imagined: Option<BTreeMap<(String, String), Truth>>,
    pub(super) wrong: Vec<String>,
    /// The longest that `activePath` needed after the network had come to rest.
    pub(super) late: Duration,
    /// The same for everything that must agree while something is broken.
    pub(super) agreed: Duration,
    /// The same for everything that must be as it was once all is mended.
    pub(super) recovered: Duration,
    pub(super) unknown: usize,
}

impl<'a> Watch<'a> {
    pub(super) fn new(rig: &'a Rig, world: &'static str, scopes: &'a [Scope]) -> Self {
        let written: Arc<Mutex<BTreeSet<(String, String)>>> = Arc::default();
        let bell = Arc::new(Notify::new());
        rig.api.on_request({
            let (written, bell) = (written.clone(), bell.clone());
            move |r: &ApiRequest| {
                if KINDS.iter().any(|(resource, _)| *resource == r.resource) && r.mutating() {
                    let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
                    written.insert((r.resource.clone(), r.name.clone()));
                    bell.notify_one();
                }
                Verdict::Continue
            }
        });
        let mut objects = BTreeMap::new();
        for (resource, kind) in KINDS {
            for object in rig.api.objects(resource) {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                objects.insert(format!("{kind}/{name}"), object.clone());
            }
        }
        let mut watch = Self {
            rig,
            world,
            scopes,
            written,
            bell,
            objects,
            truths: BTreeMap::new(),
            ever: BTreeMap::new(),
            history: BTreeMap::new(),
            imagined: None,
            wrong: Vec::new(),
            late: Duration::ZERO,
            agreed: Duration::ZERO,
            recovered: Duration::ZERO,
            unknown: 0,
        };
        watch.begin();
        watch
    }

    /// A case begins: what was before is forgotten.
    pub(super) fn begin(&mut self) {
        self.truths.clear();
        self.ever.clear();
        for scope in self.scopes {
            let now = self.truth(scope);
            self.truths.insert(scope.name.clone(), vec![now.active()]);
            let ever = self.ever.entry(scope.name.clone()).or_default();
            ever.take(&now);
        }
        self.history = self
            .conditions()
            .into_iter()
            .map(|(c, status)| (c, vec![(status, "before".to_owned())]))
            .collect();
        self.imagined = None;
        self.wrong.clear();
        // The log of calls would be copied with every imagined world.
        self.rig.sandbox.raw(|s, _| s.calls.entries.clear());
    }

    fn truth(&self, scope: &Scope) -> Truth {
        self.rig.sandbox.read(|s| Truth::of(s, scope))
    }

    pub(super) fn conditions(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (object, value) in &self.objects {
            for c in value["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let text = |f: &str| c[f].as_str().unwrap_or_default().to_owned();
                all.insert(format!("{object} {}", text("type")), text("status"));
            }
        }
        all
    }

    fn claim(&self, scope: &Scope) -> Option<&str> {
        let object = self
            .objects
            .get(&format!("HybridInterconnect/{}", scope.name))?;
        object["status"]["activePath"].as_str()
    }

    /// Notes what is true and what is said now.
    fn look(&mut self) {
        let mut changed = false;
        for scope in self.scopes {
            let truth = self.truth(scope);
            let now = truth.active();
            self.ever
                .entry(scope.name.clone())
                .or_default()
                .take(&truth);
            let all = self.truths.entry(scope.name.clone()).or_default();
            if all.last() != Some(&now) {
                all.push(now);
                changed = true;
            }
        }
        let written =
            std::mem::take(&mut *self.written.lock().unwrap_or_else(PoisonError::into_inner));
        for (resource, name) in written {
            let kind = KINDS.iter().find(|(r, _)| *r == resource);
            let key = format!("{}/{name}", kind.map_or("", |(_, kind)| kind));
            match self.rig.api.object(&resource, self.rig.namespace(), &name) {
                Some(object) => self.objects.insert(key, object),
                None => self.objects.remove(&key),
            };
            changed = true;
        }
        if !changed {
            return;
        }
        for (object, value) in &self.objects {
            for c in value["status"]["conditions"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let text = |f: &str| c[f].as_str().unwrap_or_default().to_owned();
                let all = self
                    .history
                    .entry(format!("{object} {}", text("type")))
                    .or_default();
                if all.last().map(|(status, _)| status.as_str()) != c["status"].as_str() {
                    let words = format!(
                        "{} {}: {}",
                        self.rig.now().rfc3339(),
                        text("reason"),
                        text("message")
                    );
                    all.push((text("status"), words));
                }
            }
        }
        for scope in self.scopes {
            let (claim, truths) = (self.claim(scope), &self.truths[&scope.name]);
            let ever = &self.ever[&scope.name];
            let never = claim.is_some_and(|c| !ever.allows(c));
            if never {
                let text = format!(
                    "HybridInterconnect {} claims {} at {}, which was never true; it was {}",
                    scope.name,
                    claim.unwrap_or_default(),
                    self.rig.now().rfc3339(),
                    truths.join(", ")
                );
                if !self.wrong.iter().any(|w| w.starts_with(&text[..40])) {
                    self.wrong.push(text);
                }
            }
        }
    }

    /// Looks at everything that happens until `end`.
    pub(super) async fn watch_until(&mut self, end: Instant) {
        loop {
            self.look();
            if Instant::now() >= end {
                return;
            }
            self.wait(end).await;
        }
    }

    /// Until the network changes, status is written, or `end`.
    async fn wait(&self, end: Instant) {
        let next = self.rig.sandbox.next_network_change().map(|t| {
            let millis = (t.0 - self.rig.now().0).max(0) + 1;
            Instant::now() + Duration::from_millis(millis as u64)
        });
        let until = next.map_or(end, |n| n.min(end));
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = self.bell.notified() => {}
        }
    }

    /// Waits until the network rests and nothing has been written for a while.
    pub(super) async fn calm(&mut self) {
        let end = Instant::now() + RESTLESS * 2;
        let mut since = Instant::now();
        let mut last = self.conditions();
        while since.elapsed() < CALM && Instant::now() < end {
            self.wait(since + CALM).await;
            self.look();
            let now = self.conditions();
            if now != last || self.rig.sandbox.next_network_change().is_some() {
                since = Instant::now();
                last = now;
            }
        }
    }

    /// Carries out steps, looking all the time.
    pub(super) async fn carry_out(&mut self, steps: &[Step]) {
        for step in steps {
            self.watch_until(Instant::now() + step.after).await;
            step.what.set(self.rig, step.up);
            self.imagined = None;
            self.look();
        }
    }

    /// Waits until the network has come to rest and status agrees; with `conditions`, until they are as given too.
    /// Says whether they came to agree.
    pub(super) async fn agree(
        &mut self,
        what: &str,
        conditions: Option<&BTreeMap<String, String>>,
    ) -> bool {
        let began = Instant::now();
        let patience = if conditions.is_some() {
            PATIENCE + RECOVERY
        } else {
            PATIENCE
        };
        let mut rests: Option<Instant> = None;
        let mut path_agreed = false;
        loop {
            self.look();
            if self.rig.sandbox.next_network_change().is_some() {
                rests = None;
                self.imagined = None;
                if began.elapsed() > RESTLESS {
                    self.wrong
                        .push(format!("{what}: the network does not come to rest"));
                    return false;
                }
                self.wait(Instant::now() + RESTLESS).await;
                continue;
            }
            let since = *rests.get_or_insert_with(Instant::now);
            let here = self
                .scopes
                .iter()
                .all(|s| self.claim(s) == Some(self.truth(s).active()));
            if here && !path_agreed {
                path_agreed = true;
                self.late = self.late.max(since.elapsed());
            }
            let wrong = self.disagreements(conditions);
            if wrong.is_empty() {
                let longest = if conditions.is_some() {
                    &mut self.recovered
                } else {
                    &mut self.agreed
                };
                *longest = since.elapsed().max(*longest);
                return true;
            }
            if since.elapsed() >= patience {
                self.wrong
                    .extend(wrong.into_iter().map(|w| format!("{what}: {w}")));
                return false;
            }
            self.wait(since + patience).await;
        }
    }

    /// Where status differs from what is true, and from the given conditions.
    pub(super) fn disagreements(
        &mut self,
        conditions: Option<&BTreeMap<String, String>>,
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for scope in self.scopes {
            let truth = self.truth(scope);
            let who = format!("HybridInterconnect {}", scope.name);
            let said = self.claim(scope).unwrap_or("nothing").to_owned();
            if said != truth.active() {
                wrong.push(format!(
                    "{who} says activePath {said}, it is {} ({})",
                    truth.active(),
                    truth.why()
                ));
            }
            let key = format!("HybridInterconnect/{} Available", scope.name);
            let available = self.conditions().remove(&key).unwrap_or_default();
            let should = if truth.active() == "None" {
                "False"
            } else {
                "True"
            };
            if available != should {
                wrong.push(format!(
                    "{who} says Available={available}, it is {should} ({})",
                    truth.why()
                ));
            }
        }
        if let Some(wanted) = conditions {
            let now = self.conditions();
            for (condition, status) in wanted {
                let here = now.get(condition).map_or("absent", String::as_str);
                if here != status {
                    wrong.push(format!(
                        "{condition} is {here} and was {status} before the case"
                    ));
                }
            }
        }
        // Imagining costs: only when the rest is right.
        if wrong.is_empty() {
            wrong = self.paths();
        }
        wrong
    }

    /// Every path's two directions against a world in which it is the only one.
    fn paths(&mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut imagined = self.imagined.take().unwrap_or_default();
        for scope in self.scopes {
            let Some(object) = self
                .objects
                .get(&format!("HybridInterconnect/{}", scope.name))
            else {
                continue;
            };
            for path in object["status"]["paths"].as_array().into_iter().flatten() {
                let name = path["name"].as_str().unwrap_or_default().to_owned();
                let Some(made) = Made::of(path, &self.objects) else {
                    wrong.push(format!("path {name}: its links cannot be found"));
                    continue;
                };
                let truth = imagined
                    .entry((scope.name.clone(), name.clone()))
                    .or_insert_with(|| self.imagine(scope, &made));
                for (field, direction) in [
                    ("azureToAWS", &truth.to_aws),
                    ("awsToAzure", &truth.to_azure),
                ] {
                    let said = path[field].as_str().unwrap_or("Unknown");
                    let is = if direction.arrives() { "Up" } else { "Down" };
                    // What no API tells there may be unknown: its answer is 500.
                    if said == "Unknown" && self.world == "gateway-subnet-appliance" {
                        self.unknown += 1;
                    } else if said != is {
                        wrong.push(format!(
                            "path {name} says {field} {said}, alone it is {is} ({}); it says: {}",
                            direction.lost.as_deref().unwrap_or("arrives"),
                            path["message"].as_str().unwrap_or_default()
                        ));
                    }
                }
            }
        }
        self.imagined = Some(imagined);
        wrong
    }

    /// What the path would be worth alone. What was asked of the clouds lately is not copied with them: it makes no
    /// difference to their network, and is most of what they remember.
    fn imagine(&self, scope: &Scope, made: &Made) -> Truth {
        self.rig.sandbox.raw(|s, _| {
            let calls = std::mem::take(&mut s.calls.entries);
            let answers = std::mem::take(&mut s.azure.lros);
            let truth = alone(s, scope, made);
            s.calls.entries = calls;
            s.azure.lros = answers;
            truth
        })
    }

    /// Conditions that changed more often than something really changed.
    pub(super) fn flapping(&self, changes: usize) -> Vec<String> {
        let mut wrong = Vec::new();
        for (condition, all) in &self.history {
            let flips = all.len().saturating_sub(1);
            let (object, kind) = condition.split_once(' ').unwrap_or_default();
            let name = object.strip_prefix("HybridInterconnect/");
            // Whether traffic is carried changes as often as it really does, for instance twice in one failover.
            let allowed = match (name.and_then(|n| self.truths.get(n)), kind) {
                (Some(truths), "Available" | "Ready") => {
                    let carried = truths
                        .windows(2)
                        .filter(|w| (w[0] == "None") != (w[1] == "None"));
                    carried.count()
                }
                _ => changes,
            };
            if flips > allowed {
                let steps: Vec<String> = all
                    .iter()
                    .map(|(status, words)| format!("{status} ({words})"))
                    .collect();
                wrong.push(format!(
                    "{condition} changed {flips} times with {allowed} real changes: {}",
                    steps.join(" > ")
                ));
            }
        }
        wrong
    }
}
