//! Two operators and one Lease, with the clock paused: one stands still or is cut off at moments of the lab's creation and
//! deletion, the other takes over, the first comes back with what it had in hand. Nothing is bought twice, and whoever does
//! not lead changes nothing.
//!
//! `CAUSEWAY_LEADERS_ROUNDS` runs more rounds of seeds; `CAUSEWAY_LEADERS_SEED` runs one case.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway::leader::{LEASE_NAME, Terms};
use causeway_e2e::demo::checks::BOUGHT;
use causeway_e2e::harness::apiserver::Verdict;
use causeway_e2e::harness::elected::{Change, holder};
use causeway_e2e::harness::{Case, Elected, Rig, simulate};
use causeway_sandbox::SimTime;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(6);
const SECOND: Duration = Duration::from_secs(1);

/// SplitMix64: enough to choose moments, and the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// What befalls the leader.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// It stands still for so many seconds.
    Frozen(u64),
    /// Its requests to the Lease are lost for so many seconds.
    CutOff(u64),
    /// What it sends arrives so many seconds late, and then it stands still for good measure.
    Late(u64),
}

async fn ready(rig: &Rig) -> bool {
    rig.all_say("Ready").await && rig.seen().await.objects.len() == 4
}

async fn bought_once(rig: &Rig) {
    let mut bought = BTreeMap::<String, usize>::new();
    for (kind, _, _) in rig.products() {
        *bought.entry(kind).or_default() += 1;
    }
    let expected = BOUGHT.map(|(kind, n)| (kind.to_owned(), n));
    assert_eq!(bought, BTreeMap::from(expected), "{:#?}", rig.products());
}

fn seconds(from: SimTime, to: SimTime) -> f64 {
    to.secs_since(from)
}

/// Waits until the operators have sent `changes` more requests, then troubles the one that leads. Answers who was
/// troubled, when, and until when its Lease gave it leave.
async fn trouble(
    rig: &Rig,
    both: &[(&str, &Elected)],
    changes: usize,
    trouble: Trouble,
) -> (usize, SimTime) {
    let count = || -> usize { both.iter().map(|(_, e)| e.line.changes().len()).sum() };
    let begun = count();
    rig.until_each(Duration::from_millis(200), "changes", PATIENCE, async |r| {
        count() >= begun + changes || r.seen().await.objects.is_empty() || ready(r).await
    })
    .await;
    let leader = holder(rig).unwrap();
    let at = both.iter().position(|(name, _)| *name == leader).unwrap();
    let (name, operator) = both[at];
    let since = rig.now();
    match trouble {
        Trouble::Frozen(s) => {
            operator.line.freeze(true);
            rig.pass(SECOND * u32::try_from(s).unwrap()).await;
            operator.line.freeze(false);
        }
        Trouble::CutOff(s) => {
            let (on, who) = (Arc::new(AtomicBool::new(true)), name.to_owned());
            let while_on = on.clone();
            rig.api.on_request(move |r| {
                let lost = r.client == who && r.resource.starts_with("leases.");
                if lost && while_on.load(Ordering::Relaxed) {
                    Verdict::LoseRequest
                } else {
                    Verdict::Continue
                }
            });
            rig.pass(SECOND * u32::try_from(s).unwrap()).await;
            on.store(false, Ordering::Relaxed);
        }
        Trouble::Late(s) => {
            operator.line.late(move |what| {
                let reads = what.starts_with("GET ") || what.starts_with("Describe");
                if reads {
                    Duration::ZERO
                } else {
                    Duration::from_secs(s)
                }
            });
            rig.pass(SECOND * 40).await;
            operator.line.freeze(true);
            rig.pass(SECOND * 120).await;
            operator.line.freeze(false);
            operator.line.prompt();
        }
    }
    (at, since)
}

/// Whether an operator sent anything between the end of its Lease and its next one: `from` is when it was troubled.
async fn silent(rig: &Rig, operator: &Elected, from: SimTime, until: SimTime, what: &str) {
    let terms = Terms::default();
    // The deadline was set with the last renewal, at the latest when the trouble began.
    let deadline = terms.duration.as_secs_f64() - terms.margin.as_secs_f64();
    let wrong: Vec<Change> = operator
        .line
        .changes()
        .into_iter()
        .filter(|c| c.at > from && c.at < until && seconds(from, c.at) > deadline + 0.1)
        .collect();
    assert!(
        wrong.is_empty(),
        "{what}: without the Lease it sent {wrong:#?}; now {:?}",
        rig.now()
    );
}

/// One life of the lab under two operators, troubled once while it is built and once while it is taken down. Answers how
/// often the Lease went over.
async fn life(seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut case = Case::lab();
    case.seed = seed;
    let rig = Rig::new(&case);
    rig.apply_all().await;
    let a = Elected::start(&rig, "a");
    rig.until("a leads", PATIENCE, async |r| {
        holder(r).as_deref() == Some("a")
    })
    .await;
    let b = Elected::start(&rig, "b");
    let both = [("a", &a), ("b", &b)];
    for phase in ["creation", "deletion"] {
        let most = if phase == "creation" { 26 } else { 20 };
        let changes = usize::try_from(random.below(most)).unwrap();
        let what = match random.below(3) {
            0 => Trouble::Frozen([8, 14, 25, 120, 900][usize::try_from(random.below(5)).unwrap()]),
            1 => Trouble::CutOff(20 + random.below(60)),
            _ => Trouble::Late(10 + random.below(19)),
        };
        let line = format!(
            "CAUSEWAY_LEADERS_SEED={seed}: {what:?} after {changes} changes of the {phase}"
        );
        eprintln!("{line}");
        let (who, since) = trouble(&rig, &both, changes, what).await;
        let other = both[1 - who].0;
        let over = holder(&rig).as_deref() == Some(other);
        if over && !matches!(what, Trouble::Late(_)) {
            silent(&rig, both[who].1, since, rig.now(), &line).await;
        }
        if phase == "creation" {
            rig.until(&format!("Ready: {line}"), PATIENCE, ready).await;
            bought_once(&rig).await;
            rig.delete_all().await;
        } else {
            rig.until(&format!("gone: {line}"), PATIENCE, async |r| {
                r.seen().await.objects.is_empty()
            })
            .await;
        }
    }
    assert_eq!(rig.leftovers(), Vec::<String>::new(), "seed {seed}");
    bought_once(&rig).await;
    let lease = rig
        .api
        .object("leases.coordination.k8s.io", rig.namespace(), LEASE_NAME)
        .unwrap();
    let went_over = lease["spec"]["leaseTransitions"].as_u64().unwrap_or(0);
    a.stop().await;
    b.stop().await;
    went_over
}

#[test]
fn a_leader_that_stands_still_or_is_cut_off_and_comes_back_buys_nothing_twice() {
    let seeds: Vec<u64> = match std::env::var("CAUSEWAY_LEADERS_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => {
            let rounds = std::env::var("CAUSEWAY_LEADERS_ROUNDS").map_or(1, |r| r.parse().unwrap());
            (1..=rounds * 6).collect()
        }
    };
    let over = AtomicUsize::new(0);
    let next = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let went = simulate(async || life(*seed).await);
                    over.fetch_add(usize::try_from(went).unwrap(), Ordering::Relaxed);
                }
            });
        }
    });
    let over = over.into_inner();
    eprintln!(
        "{} lives under two operators, troubled twice each: the Lease went over {over} times, everything was bought once",
        seeds.len()
    );
    assert!(
        seeds.len() == 1 || over >= seeds.len(),
        "the Lease went over only {over} times"
    );
}
