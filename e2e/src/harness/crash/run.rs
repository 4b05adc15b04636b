//! The reference run of a life, and the runs that are held against it: from one crash, or from two.
//!
//! May start operators and wait. What is looked at in the end is in `end`.

use super::super::case::{Snapshot, simulate};
use super::super::rig::Rig;
use super::end::{self, Calls, End};
use super::scene::{self, Kind, Phase};
use super::seam::{Moment, Point, Seam, Taken, Wanted};
use causeway::leader::Leadership;
use causeway_sandbox::control::CallView;
use causeway_sandbox::rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::time::Instant;

/// How long a recovery may take: with lags, tombstones and what a health verdict wants to see three times.
pub(super) const PATIENCE: Duration = Duration::from_mins(100);
/// How often is looked.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// For how long nothing may change at the end of a reference run: longer than any lag that the operator waits for.
const CALM: Duration = Duration::from_mins(6);
/// How long a new operator may look around before something is changed or deleted.
const SETTLE: Duration = Duration::from_mins(2);

/// One crash: a moment, and others that look the same.
#[derive(Debug, Clone)]
pub struct Case {
    pub moments: Vec<(usize, Moment)>,
    pub(super) snapshot: Snapshot,
    last_call: u64,
}

/// A life without a crash, with all the moments at which one can happen.
#[derive(Debug, Clone)]
pub struct Reference {
    pub kind: Kind,
    pub phase: Phase,
    pub points: Vec<Point>,
    pub cases: Vec<Case>,
    /// How long it took, in simulated time, until nothing changed any more.
    pub took: Duration,
    pub(super) start: Snapshot,
    /// What the next phase begins with.
    after: Snapshot,
    pub(super) said: End,
    pub(super) stands: End,
    calls: Calls,
    log: Vec<CallView>,
}

/// What came of a case.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    pub wrong: Vec<String>,
    /// Simulated time until all was as it should be.
    pub took: Duration,
    /// Mutating calls beyond those of the reference.
    pub more_calls: usize,
    /// Whether it was deleted afterwards, to the empty account.
    pub deleted: bool,
    /// Crashes that really happened.
    pub crashes: usize,
}

impl Reference {
    /// `lab create`.
    pub fn name(&self) -> String {
        format!("{} {}", self.kind, self.phase)
    }

    /// Of a moment, as a replay is asked for it.
    pub fn label(&self, (point, moment): (usize, Moment)) -> String {
        let label = self.points.get(point).map_or("", |p| p.label.as_str());
        format!("{} {label} {moment}", self.name())
    }
}

/// A phase of a kind without a crash; `before` is where it begins, unless it is the first.
///
/// # Panics
/// When it does not come to an end, or not to a good one.
pub fn reference(kind: Kind, phase: Phase, before: Option<&Reference>) -> Reference {
    simulate(async || {
        let mut rig = match before {
            None => scene::set(kind).await,
            Some(before) => Rig::from_snapshot(&before.after),
        };
        let seam = Seam::new(&rig, Wanted::All);
        rig.start_operator_on(Leadership::always(), seam.transport());
        if before.is_some() {
            rig.pass(SETTLE).await;
        }
        // What was written while it looked around belongs to no phase.
        drop(seam.album());
        let seen = rig.last_call();
        scene::begin(kind, phase, &rig).await;
        let start = rig.camera().take();
        let took = calm(&rig, phase).await;
        let (points, taken) = seam.album();
        let case = |t: Taken| Case {
            moments: t.moments,
            snapshot: t.snapshot,
            last_call: t.last_call,
        };
        let log = rig.sandbox.calls(seen, true);
        let mut calls = Calls::default();
        calls.add(&log);
        let reference = Reference {
            kind,
            phase,
            points,
            cases: taken.into_iter().map(case).collect(),
            took,
            start,
            after: rig.camera().take(),
            said: end::said(&rig),
            stands: end::stands(&rig),
            calls,
            log,
        };
        let mut wrong = end::bought_twice(&rig);
        if phase == Phase::Delete {
            wrong.extend(remains(&rig));
        }
        assert!(wrong.is_empty(), "{}: {wrong:#?}", reference.name());
        reference
    })
}

/// Waits until nothing has changed for a while, and all is well; answers when that began.
async fn calm(rig: &Rig, phase: Phase) -> Duration {
    let began = Instant::now();
    let mut last = (began, End::default());
    let mut revision = 0;
    loop {
        let now = rig.api.revision();
        if now != revision {
            revision = now;
            let said = end::said(rig);
            if said != last.1 {
                last = (Instant::now(), said);
            }
        }
        let well = match phase {
            Phase::Delete => end::gone(rig),
            Phase::Create | Phase::Update => end::ready(rig),
        };
        if well && last.0.elapsed() >= CALM {
            return last.0 - began;
        }
        assert!(!rig.operator_ended(), "the operator has ended");
        assert!(
            began.elapsed() < PATIENCE,
            "{phase}: the reference does not come to rest: {:#?}\n{}",
            last.1,
            end::messages(rig).join("\n")
        );
        rig.pass(LOOK).await;
    }
}

/// What is left where nothing should be, apart from what people bought.
pub(super) fn remains(rig: &Rig) -> Vec<String> {
    let theirs: Vec<String> = rig
        .sandbox
        .ledger()
        .into_iter()
        .filter(|p| p.principal == "human")
        .map(|p| p.name)
        .collect();
    let mut wrong = rig.leftovers();
    wrong.retain(|w| {
        // A person's router and gateway, with its attachment (which has no name).
        let router = theirs
            .iter()
            .any(|name| w.starts_with("left behind") && w.contains(name.as_str()));
        let gateway = w.starts_with("left behind: vpn-gateway");
        !(router || gateway && w.contains("a person's") || gateway && w.contains("-attachment  "))
    });
    for p in rig.sandbox.ledger() {
        if p.principal == "human" && p.ended_at.is_some() {
            wrong.push(format!("not ours to end: {}", p.name));
        }
    }
    wrong
}

/// Waits until all is as `said` and `stands` say.
pub(super) async fn arrive(rig: &Rig, said: &End, stands: &End) -> Result<Duration, Vec<String>> {
    let began = Instant::now();
    // Comparing the clouds is dear: only when the objects say that all is done, and then more and more rarely.
    let mut dear = Instant::now();
    let mut pause = LOOK;
    let (mut revision, mut as_said) = (0, false);
    loop {
        let now = rig.api.revision();
        if now != revision {
            revision = now;
            as_said = end::said(rig) == *said;
            // What was bought twice will not become better.
            let twice = end::bought_twice(rig);
            if !twice.is_empty() {
                return Err(twice);
            }
        }
        if as_said && Instant::now() >= dear {
            if end::stands(rig) == *stands {
                let shown = rig.secrets().shown(&rig.visible());
                if shown.is_empty() {
                    return Ok(began.elapsed());
                }
                return Err(shown.into_iter().collect());
            }
            dear = Instant::now() + pause;
            pause *= 2;
        }
        if rig.operator_ended() {
            return Err(vec!["the operator has ended".to_owned()]);
        }
        if began.elapsed() >= PATIENCE {
            let mut wrong = vec![format!("not within {} simulated s", PATIENCE.as_secs())];
            wrong.extend(end::messages(rig));
            wrong.extend(end::said(rig).differences(said));
            wrong.extend(end::stands(rig).differences(stands));
            return Err(wrong);
        }
        rig.pass(LOOK).await;
    }
}

/// Runs a case, and turns a panic into words.
pub(super) fn guarded(run: impl FnOnce() -> Verdict) -> Verdict {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let words = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
            .unwrap_or_else(|| "a panic".to_owned());
        Verdict {
            wrong: vec![words],
            ..Verdict::default()
        }
    })
}

/// One crash, and the life of the next operator; `delete`: and then the deletion, as far as it was no deletion.
pub fn crash(reference: &Reference, case: &Case, delete: bool) -> Verdict {
    guarded(|| {
        simulate(async || {
            let mut rig = Rig::from_snapshot(&case.snapshot);
            rig.start_operator();
            let before = reference.log.iter().filter(|c| c.seq <= case.last_call);
            let mut calls = Calls::default();
            calls.add(before);
            finish(reference, &rig, case.last_call, calls, 1, delete).await
        })
    })
}

/// Lets an operator come to the end, and judges.
async fn finish(
    reference: &Reference,
    rig: &Rig,
    since: u64,
    mut calls: Calls,
    crashes: usize,
    delete: bool,
) -> Verdict {
    let mut verdict = Verdict {
        crashes,
        ..Verdict::default()
    };
    match arrive(rig, &reference.said, &reference.stands).await {
        Ok(took) => verdict.took = took,
        Err(wrong) => {
            verdict.wrong = wrong;
            return verdict;
        }
    }
    calls.add(&rig.sandbox.calls(since, true));
    verdict.wrong = calls.too_many(&reference.calls, crashes);
    verdict.more_calls = calls.total().saturating_sub(reference.calls.total());
    if reference.phase == Phase::Delete {
        verdict.wrong.extend(remains(rig));
    } else if delete && verdict.wrong.is_empty() {
        verdict.deleted = true;
        verdict.wrong = emptied(rig).await;
    }
    verdict
}

/// Deletes everything and says what is left.
pub(super) async fn emptied(rig: &Rig) -> Vec<String> {
    rig.delete_all().await;
    let began = Instant::now();
    while !end::gone(rig) {
        if began.elapsed() >= PATIENCE {
            let mut wrong = vec!["the deletion does not come to an end".to_owned()];
            wrong.extend(end::said(rig).differences(&End::default()));
            return wrong;
        }
        rig.pass(LOOK).await;
    }
    let mut wrong = remains(rig);
    for secret in rig.api.objects("secrets") {
        if !secret["metadata"]["finalizers"].is_null() {
            wrong.push(format!("still held: Secret {}", secret["metadata"]["name"]));
        }
    }
    wrong
}

/// Two crashes: a random one of the reference's, and another somewhere in the recovery from it, each with a pause before
/// the next operator starts.
pub fn pair(reference: &Reference, seed: u64) -> Verdict {
    let mut rng = Rng::new(seed);
    let first = usize::try_from(rng.below(reference.cases.len() as u64)).unwrap_or_default();
    let Some(case) = reference.cases.get(first) else {
        return Verdict::default();
    };
    let pause = |rng: &mut Rng| match rng.below(4) {
        0 | 1 => Duration::ZERO,
        2 => Duration::from_secs_f64(rng.between(0.0, 30.0)),
        _ => Duration::from_secs_f64(rng.between(0.0, 600.0)),
    };
    let pauses = [pause(&mut rng), pause(&mut rng)];
    let moment = Moment::ALL[usize::try_from(rng.below(3)).unwrap_or_default()];
    let point = usize::try_from(rng.below(40)).unwrap_or_default();
    // A third of them at any time, while nothing is written.
    let at = (rng.below(3) == 0).then(|| Duration::from_secs_f64(rng.between(0.0, 120.0)));
    guarded(|| {
        let mut calls = Calls::default();
        calls.add(reference.log.iter().filter(|c| c.seq <= case.last_call));
        let (second, last) = simulate(async || {
            let mut rig = Rig::from_snapshot(&case.snapshot);
            rig.pass(pauses[0]).await;
            let seam = Seam::new(&rig, Wanted::One(point, moment));
            rig.start_operator_on(Leadership::always(), seam.transport());
            let mut last = u64::MAX;
            let snapshot = if let Some(at) = at {
                rig.pass(at).await;
                Some(rig.camera().take())
            } else {
                // The recovery may be over before.
                tokio::select! {
                    () = seam.reached() => {}
                    _ = arrive(&rig, &reference.said, &reference.stands) => {}
                }
                let taken = seam.album().1.into_iter().next();
                taken.map(|t| {
                    last = t.last_call;
                    t.snapshot
                })
            };
            let log = rig.sandbox.calls(case.last_call, true);
            // What it still said after the moment was never said.
            let log: Vec<CallView> = log.into_iter().filter(|c| c.seq <= last).collect();
            let last = log.last().map_or(case.last_call, |c| c.seq);
            if snapshot.is_some() {
                calls.add(&log);
            }
            (snapshot, last)
        });
        let (crashes, snapshot, last) = match &second {
            Some(s) => (2, s, last),
            None => (1, &case.snapshot, case.last_call),
        };
        simulate(async || {
            let mut rig = Rig::from_snapshot(snapshot);
            rig.pass(pauses[1]).await;
            rig.start_operator();
            finish(reference, &rig, last, calls, crashes, false).await
        })
    })
}
