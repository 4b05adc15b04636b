//! Sweeps: a world is built once; then sessions, links and speakers of it fail, alone or in pairs, and are mended, while
//! an operator runs. What its status says of the paths is held against the sandbox's own traces: before, during and after.
//!
//! During: no path may be claimed that did not carry the traffic at some time of the case (being late is allowed, being
//! wrong is not). After: once the network has come to rest (the sandbox says when), status must agree within
//! [`PATIENCE`]: `activePath`, both directions of every path, `Available`. After the mending every condition must be as
//! it was. Over the whole case no condition may change more often than something really changed.
//!
//! For tests, hence the panics.
#![allow(clippy::panic)]

use super::apiserver::{ApiRequest, Verdict};
use super::rig::{Case, Rig, Snapshot, simulate};
use super::truth::{Made, Scope, Truth, alone};
use super::worlds;
use causeway_sandbox::rng::Rng;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long after the network came to rest status may still disagree: one poll of the tables (60 s while all seems well)
/// and their reading, one after the other per cloud object, at up to ten simulated seconds each.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// What conditions may need beyond that to recover: three samples, each a poll apart (design §1).
const RECOVERY: Duration = Duration::from_secs(120);
/// How long a new process may need until it has looked at everything once.
const RESTART: Duration = Duration::from_secs(60);
/// A network that has not come to rest by then never will.
const RESTLESS: Duration = Duration::from_secs(1800);
/// A world counts as built when nothing changed for so long.
const CALM: Duration = Duration::from_secs(150);
const BUILT: Duration = Duration::from_secs(4 * 3600);

const KINDS: [(&str, &str); 4] = [
    ("hybridinterconnects.causeway.dev", "HybridInterconnect"),
    ("expressroutelinks.causeway.dev", "ExpressRouteLink"),
    ("directconnectlinks.causeway.dev", "DirectConnectLink"),
    ("vpnpairs.causeway.dev", "VpnPair"),
];

/// What fails.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// Shut down by the flag that the portal sets.
    Session(String),
    /// Cut silently.
    Link(String),
    /// Silenced.
    Node(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => write!(f, "session {id}"),
            Self::Link(id) => write!(f, "link {id}"),
            Self::Node(id) => write!(f, "node {id}"),
        }
    }
}

impl Failure {
    /// Everything that can fail now: sessions with a flag (an MCR's), links, speakers.
    pub fn all(rig: &Rig) -> Vec<Self> {
        let sessions = rig.sandbox.sessions().into_iter();
        let links = rig.sandbox.links().into_iter();
        let nodes = rig.sandbox.nodes().into_iter();
        sessions
            .filter(|s| s.kind == "peering" || s.kind == "vif")
            .map(|s| Self::Session(s.id))
            .chain(links.map(|l| Self::Link(l.id)))
            .chain(nodes.map(|n| Self::Node(n.id)))
            .collect()
    }

    fn set(&self, rig: &Rig, up: bool) {
        let done = match self {
            Self::Session(id) => rig.sandbox.session_shutdown(id, !up),
            Self::Link(id) => rig.sandbox.link(id, up),
            Self::Node(id) => rig.sandbox.node(id, up),
        };
        done.unwrap_or_else(|e| panic!("{self}: {e}"));
    }
}

/// What happens in a case: when, counted from the step before, to what, and whether it is mended then.
#[derive(Debug, Clone)]
struct Step {
    after: Duration,
    what: Failure,
    up: bool,
}

/// A world with everything in place.
#[derive(Debug, Clone)]
pub struct Built {
    pub name: &'static str,
    pub snapshot: Snapshot,
    pub scopes: Vec<Scope>,
    pub failures: Vec<Failure>,
    /// Status of every condition, by `Kind/name Type`.
    pub conditions: BTreeMap<String, String>,
    /// Simulated seconds that it took.
    pub seconds: u64,
}

/// Builds a world by the operator, with an operator that has just begun, until nothing changes any more.
///
/// # Panics
/// When it is not built in time, or what status says in the end is not true.
pub fn build(name: &'static str, mut case: Case) -> Built {
    hurry(&mut case);
    let scopes = Scope::of(&case.world, &case.manifests);
    simulate(async || {
        let mut rig = Rig::new(&case);
        rig.apply_all().await;
        rig.start_operator();
        let took = rig
            .until(&format!("world {name} stands"), BUILT, async |rig| {
                let paths = rig.list("HybridInterconnect").await;
                rig.all_say("Provisioned").await
                    && paths.iter().all(|h| h["status"]["activePath"].is_string())
            })
            .await;
        let failures = Failure::all(&rig);
        let mut watch = Watch::new(&rig, name, &scopes);
        watch.calm().await;
        let wrong = watch.disagreements(None);
        assert!(wrong.is_empty(), "world {name}, just built: {wrong:#?}");
        let conditions = watch.conditions();
        drop(watch);
        rig.stop_operator().await;
        Built {
            name,
            snapshot: rig.snapshot(),
            scopes: scopes.clone(),
            failures,
            conditions,
            seconds: took.as_secs(),
        }
    })
}

/// How long the providers take is no matter here: what takes minutes takes seconds.
fn hurry(case: &mut Case) {
    let tables: [&[(&str, f64)]; 3] = [
        causeway_sandbox::arm::durations::TABLE,
        &causeway_sandbox::megaport::durations::TABLE,
        &causeway_sandbox::aws::durations::TABLE,
    ];
    // How long what is gone stays visible, and what happens only if nobody does anything, is not waited for.
    let kept = ["linger", "tombstone", "unrefreshed"];
    for (name, seconds) in tables.into_iter().flatten() {
        if *seconds > 30.0 && !kept.iter().any(|k| name.ends_with(k)) {
            case.world.durations.insert((*name).to_owned(), 30.0);
        }
    }
}

/// Eyes on a rig: what was true and what status said, in the order in which it was.
struct Watch<'a> {
    rig: &'a Rig,
    world: &'static str,
    scopes: &'a [Scope],
    written: Arc<Mutex<BTreeSet<(String, String)>>>,
    bell: Arc<Notify>,
    /// Objects as last read, by `Kind/name`.
    objects: BTreeMap<String, Value>,
    /// What carried the traffic of each interconnect since the case began.
    truths: BTreeMap<String, Vec<&'static str>>,
    /// Statuses of each condition since the case began, with reason and message.
    history: BTreeMap<String, Vec<(String, String)>>,
    /// What each path would be worth alone; good until something changes.
    imagined: Option<BTreeMap<(String, String), Truth>>,
    wrong: Vec<String>,
    /// The longest that `activePath` needed after the network had come to rest.
    late: Duration,
    unknown: usize,
}

impl<'a> Watch<'a> {
    fn new(rig: &'a Rig, world: &'static str, scopes: &'a [Scope]) -> Self {
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
            history: BTreeMap::new(),
            imagined: None,
            wrong: Vec::new(),
            late: Duration::ZERO,
            unknown: 0,
        };
        watch.begin();
        watch
    }

    /// A case begins: what was before is forgotten.
    fn begin(&mut self) {
        self.truths = self
            .scopes
            .iter()
            .map(|s| (s.name.clone(), vec![self.truth(s).active()]))
            .collect();
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

    fn conditions(&self) -> BTreeMap<String, String> {
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
            let now = self.truth(scope).active();
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
            let never = claim.is_some_and(|c| !truths.contains(&c));
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
    async fn watch_until(&mut self, end: Instant) {
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
    async fn calm(&mut self) {
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
    async fn carry_out(&mut self, steps: &[Step]) {
        for step in steps {
            self.watch_until(Instant::now() + step.after).await;
            step.what.set(self.rig, step.up);
            self.imagined = None;
            self.look();
        }
    }

    /// Waits until the network has come to rest and status agrees; with `conditions`, until they are as given too.
    /// Says whether they came to agree.
    async fn agree(&mut self, what: &str, conditions: Option<&BTreeMap<String, String>>) -> bool {
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
    fn disagreements(&mut self, conditions: Option<&BTreeMap<String, String>>) -> Vec<String> {
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
                    .or_insert_with(|| alone(&self.rig.sandbox.snapshot(), scope, &made));
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

    /// Conditions that changed more often than something really changed.
    fn flapping(&self, changes: usize) -> Vec<String> {
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

/// One case of a world.
#[derive(Debug, Clone)]
pub struct Planned {
    pub number: usize,
    pub words: String,
    broken: Vec<Step>,
    mended: Vec<Step>,
}

/// Each thing alone.
pub fn singles(built: &Built) -> Vec<Planned> {
    let step = |f: &Failure, up| {
        vec![Step {
            after: Duration::ZERO,
            what: f.clone(),
            up,
        }]
    };
    let of = |(number, f): (usize, &Failure)| Planned {
        number,
        words: f.to_string(),
        broken: step(f, false),
        mended: step(f, true),
    };
    built.failures.iter().enumerate().map(of).collect()
}

/// Two things at a time, in one moment or up to a minute apart, mended in either order.
pub fn pairs(built: &Built, seed: u64, count: usize) -> Vec<Planned> {
    let of_world = built
        .name
        .bytes()
        .fold(seed, |h, b| h.wrapping_mul(31).wrapping_add(u64::from(b)));
    (0..count)
        .map(|number| {
            let mut rng = Rng::new(of_world.wrapping_mul(1_000_003).wrapping_add(number as u64));
            let n = built.failures.len();
            let first = pick(&mut rng, n);
            let second = (first + 1 + pick(&mut rng, n.saturating_sub(1).max(1))) % n;
            let pause = |rng: &mut Rng| {
                if rng.unit() < 0.4 {
                    Duration::ZERO
                } else {
                    Duration::from_millis(rng.between(0.0, 60_000.0) as u64)
                }
            };
            let gaps = [pause(&mut rng), pause(&mut rng)];
            let turned = rng.unit() < 0.5;
            let step = |i: usize, after, up| Step {
                after,
                what: built.failures[i].clone(),
                up,
            };
            let back = if turned {
                [second, first]
            } else {
                [first, second]
            };
            Planned {
                number,
                words: format!(
                    "{}, {} s later {}",
                    built.failures[first],
                    gaps[0].as_secs_f32(),
                    built.failures[second]
                ),
                broken: vec![
                    step(first, Duration::ZERO, false),
                    step(second, gaps[0], false),
                ],
                mended: vec![
                    step(back[0], Duration::ZERO, true),
                    step(back[1], gaps[1], true),
                ],
            }
        })
        .collect()
}

fn pick(rng: &mut Rng, n: usize) -> usize {
    (rng.between(0.0, n as f64) as usize).min(n - 1)
}

/// What came of cases.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub cases: usize,
    /// What was wrong, with the case's number and words.
    pub wrong: Vec<(usize, String)>,
    /// The longest that `activePath` needed after the network had come to rest.
    pub late: Duration,
    /// Path directions that nobody could know.
    pub unknown: usize,
    /// Simulated time.
    pub simulated: Duration,
}

/// Runs cases one after the other on one operator, which recovers from each; on a fresh copy of the world after one that
/// went wrong.
pub fn run(built: &Built, cases: &[Planned]) -> Outcome {
    let mut out = Outcome::default();
    let mut left = cases;
    while !left.is_empty() {
        let done = simulate(async || {
            let began = Instant::now();
            let mut rig = Rig::from_snapshot(&built.snapshot);
            rig.start_operator();
            let mut watch = Watch::new(&rig, built.name, &built.scopes);
            let mut done = 0;
            // A new process reads everything before it says anything of its own.
            watch.watch_until(Instant::now() + RESTART).await;
            watch.agree("restarted", Some(&built.conditions)).await;
            let wrong = std::mem::take(&mut watch.wrong);
            let words = |w: String| (left[0].number, format!("before it, restarted: {w}"));
            out.wrong.extend(wrong.into_iter().map(words));
            for case in left {
                watch.begin();
                watch.carry_out(&case.broken).await;
                let broken = watch.agree("broken", None).await;
                watch.carry_out(&case.mended).await;
                let mended = watch.agree("mended", Some(&built.conditions)).await;
                let flaps = watch.flapping(case.broken.len() + case.mended.len());
                watch.wrong.extend(flaps);
                out.cases += 1;
                done += 1;
                let wrong = std::mem::take(&mut watch.wrong);
                let clean = wrong.is_empty() && broken && mended;
                let words = |w: String| (case.number, format!("{}: {w}", case.words));
                out.wrong.extend(wrong.into_iter().map(words));
                if !clean {
                    break;
                }
            }
            out.late = out.late.max(watch.late);
            out.unknown += watch.unknown;
            out.simulated += began.elapsed();
            drop(watch);
            rig.stop_operator().await;
            done
        });
        left = &left[done..];
    }
    out
}

/// The worlds that are swept.
pub fn worlds() -> Vec<(&'static str, Case)> {
    let mut all = worlds::all();
    all.retain(|(name, _)| *name != worlds::UNFILTERED);
    all
}
