//! Sweeps: a world is built once; then sessions, links and speakers of it fail, alone or in pairs, and are mended, while
//! an operator runs. What its status says of the paths is held against the sandbox's own traces: before, during and after.
//!
//! During: of no direction a path may be claimed that did not carry it at some time of the case (being late is allowed, being
//! wrong is not). After: once the network has come to rest (the sandbox says when), status must agree within
//! [`PATIENCE`]: `activePath`, both directions of every path, `Available`. After the mending every condition must be as
//! it was. Over the whole case no condition may change more often than something really changed.
//!
//! For tests, hence the panics.
#![allow(clippy::panic)]

use super::case::{Case, Snapshot, simulate};
use super::rig::Rig;
use super::truth::Scope;
use super::watch::Watch;
use super::worlds;
use causeway_sandbox::rng::Rng;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// How long after the network came to rest status may still disagree: one poll of the tables (60 s while all seems well)
/// and their reading, one after the other per cloud object, at up to ten simulated seconds each. What the 228 single
/// failures need of it: 59.5 s until everything agrees, 42.1 s for `activePath` alone (504 pairs: 50.9 s). The numbers are
/// printed each time; the rest is for pairs that other seeds draw.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// How long a new process may need until it has looked at everything once.
const RESTART: Duration = Duration::from_mins(1);
const BUILT: Duration = Duration::from_hours(4);

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

    pub(super) fn set(&self, rig: &Rig, up: bool) {
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
pub(super) struct Step {
    pub after: Duration,
    pub what: Failure,
    pub up: bool,
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
pub(super) fn hurry(case: &mut Case) {
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
    /// The same for everything that must agree while something is broken.
    pub agreed: Duration,
    /// The same for everything that must be as it was once all is mended.
    pub recovered: Duration,
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
            out.agreed = out.agreed.max(watch.agreed);
            out.recovered = out.recovered.max(watch.recovered);
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
