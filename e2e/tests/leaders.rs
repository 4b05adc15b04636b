//! Two operators and one Lease, with the clock paused: one stands still or is cut off at moments of the lab's creation and
//! deletion, the other takes over, the first comes back with what it had in hand. Nothing is bought twice, and whoever does
//! not lead changes nothing.
//!
//! `CAUSEWAY_LEADERS_ROUNDS` runs more rounds of seeds; `CAUSEWAY_LEADERS_SEED` runs one case.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway::leader::{LEASE_NAME, Terms};
use causeway_e2e::demo::checks;
use causeway_e2e::harness::apiserver::Verdict;
use causeway_e2e::harness::elected::{Change, holder};
use causeway_e2e::harness::{Case, Elected, Rig, on_threads, simulate};
use causeway_sandbox::SimTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

async fn bought_once(rig: &Rig) {
    assert_eq!(rig.bought(), checks::bought_once(), "{:#?}", rig.products());
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
        count() >= begun + changes || r.seen().await.objects.is_empty() || r.lab_is_ready().await
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

/// Two operators, of which `a` leads.
async fn two(rig: &Rig) -> (Elected, Elected) {
    let a = Elected::start(rig, "a");
    rig.until("a leads", PATIENCE, async |r| {
        holder(r).as_deref() == Some("a")
    })
    .await;
    (a, Elected::start(rig, "b"))
}

/// One life of the lab under two operators, troubled once while it is built and once while it is taken down. Answers how
/// often the Lease went over.
async fn life(seed: u64) -> u64 {
    let mut random = Random(seed);
    let mut case = Case::lab();
    case.seed = seed;
    let rig = Rig::new(&case);
    rig.apply_all().await;
    let (a, b) = two(&rig).await;
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
            rig.until(&format!("Ready: {line}"), PATIENCE, Rig::lab_is_ready)
                .await;
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
    let number = seeds.len() as u64;
    let went = on_threads(seeds, None, |seed| simulate(async || life(seed).await));
    let over: u64 = went.into_iter().sum();
    eprintln!(
        "{number} lives under two operators, troubled twice each: the Lease went over {over} times, everything was bought once"
    );
    assert!(
        number == 1 || over >= number,
        "the Lease went over only {over} times"
    );
}

/// The clouds get slow: between the record of an order and the order itself minutes pass, it leaves in the last moment that
/// the Lease allows, and it arrives half a minute later. The record alone, old as it is by then, would not make the
/// successor wait until the order can be seen.
#[test]
fn an_order_that_arrives_after_the_lease_was_lost_is_waited_for() {
    for seed in 1..=4 {
        simulate(async || late_order(seed).await);
    }
}

async fn late_order(seed: u64) {
    let mut case = Case::lab();
    case.seed = seed;
    let rig = Rig::new(&case);
    rig.apply_all().await;
    let a = Elected::start(&rig, "a");
    let buys = |e: &Elected| {
        e.line
            .changes()
            .iter()
            .filter(|c| c.what.ends_with("/buy"))
            .count()
    };
    a.line.late(|what| {
        if what.ends_with("/validate") {
            // Token, catalogue, key, validation: each may take a minute.
            Duration::from_secs(235)
        } else if what.ends_with("/buy") {
            Duration::from_secs(29)
        } else {
            Duration::ZERO
        }
    });
    let look = Duration::from_millis(100);
    rig.until_each(look, "an order is on its way", PATIENCE, async |_| {
        buys(&a) > 0
    })
    .await;
    let lost = Arc::new(AtomicBool::new(true));
    let while_lost = lost.clone();
    rig.api.on_request(move |r| {
        if r.client == "a" && while_lost.load(Ordering::Relaxed) {
            Verdict::LoseRequest
        } else {
            Verdict::Continue
        }
    });
    let b = Elected::start(&rig, "b");
    rig.until("b leads", PATIENCE, async |r| {
        holder(r).as_deref() == Some("b")
    })
    .await;
    let led = rig.now();
    rig.until(
        "what a ordered is known, or something else is ordered",
        PATIENCE,
        async |r| buys(&b) > 0 || router(r).await.is_some(),
    )
    .await;
    let known = seconds(led, rig.now());
    lost.store(false, Ordering::Relaxed);
    rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
    bought_once(&rig).await;
    eprintln!(
        "seed {seed}: the successor knew of its predecessor's order {known:.0} s after it had taken over"
    );
    a.stop().await;
    b.stop().await;
}

/// The router's ID in status.
async fn router(rig: &Rig) -> Option<String> {
    let object = rig.get("HybridInterconnect", "lab").await?;
    let slots = object["status"]["slots"].as_array()?.clone();
    let slot = slots.iter().find(|s| s["name"] == "router-a")?;
    slot["id"].as_str().map(str::to_owned)
}

/// SIGTERM in the middle of the creation: what has begun is finished, the Lease is let go of, and the successor, who stood
/// by, goes on at once: no waiting for the Lease to run out, nor for orders that nobody can have sent.
#[test]
fn a_hand_over_costs_seconds() {
    let mut took = Vec::new();
    for changes in [1, 4, 9, 15, 20] {
        took.push(simulate(async || {
            let rig = Rig::new(&Case::lab());
            rig.apply_all().await;
            let (a, b) = two(&rig).await;
            rig.until_each(
                Duration::from_millis(100),
                "changes",
                PATIENCE,
                async |_| a.line.changes().len() >= changes,
            )
            .await;
            let ended = rig.now();
            a.stop().await;
            let drained = seconds(ended, rig.now());
            assert!(
                drained <= 25.0,
                "{drained} s to end: Kubernetes would have killed it"
            );
            rig.until_each(Duration::from_millis(100), "b leads", PATIENCE, async |r| {
                holder(r).as_deref() == Some("b")
            })
            .await;
            let led = seconds(ended, rig.now());
            rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
            bought_once(&rig).await;
            b.stop().await;
            (drained, led)
        }));
    }
    eprintln!(
        "SIGTERM in the middle of the creation (seconds to end, seconds until the other leads): {took:?}"
    );
    for (_, led) in took {
        assert!(led <= 5.0, "the successor led only after {led} s");
    }
}

/// What must never happen, made by hand: a second router with the token of the first. Both are named, in a condition and
/// in an Event, the later one is cancelled, and nothing that runs notices.
#[test]
fn a_second_router_with_one_token_is_reported_and_cancelled() {
    use causeway::clients::http::Transport;
    use causeway::clients::megaport::{McrOrder, MegaportClient, MegaportCredential};
    use causeway_e2e::harness::wire::{SandboxTransport, endpoints};
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        rig.start_operator();
        rig.apply_all().await;
        rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
        let key = rig.sandbox.read(|s| s.world.megaport.causeway.clone());
        let key = MegaportCredential {
            access_key: key.access_key,
            secret_key: causeway_model::secret::Secret::new(key.secret_key.expose()),
        };
        let transport: Arc<dyn Transport> = Arc::new(SandboxTransport(rig.sandbox.clone()));
        let client = MegaportClient::new(&key, transport, &endpoints());
        let products = client.products().await.unwrap();
        let first = products.mcrs.iter().find(|m| !m.status.is_gone()).unwrap();
        let second = client
            .buy_mcr(&McrOrder {
                name: first.name.clone(),
                location_id: first.location_id,
                port_speed_mbps: first.port_speed_mbps,
                term_months: 1,
                asn: first.asn.unwrap(),
                diversity_zone: first.diversity_zone.clone(),
                cost_centre: None,
                tags: client.tags(&first.uid).await.unwrap().unwrap_or_default(),
            })
            .await
            .unwrap();
        assert_ne!(first.uid, second);
        let mut told = String::new();
        rig.until_each(SECOND, "the second router has ended", PATIENCE, async |r| {
            let lab = r.get("HybridInterconnect", "lab").await.unwrap();
            let all = lab["status"]["conditions"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let mut messages = all.iter().filter_map(|c| c["message"].as_str());
            if let Some(m) = messages.find(|m| m.contains(&first.uid) && m.contains(&second)) {
                told = m.to_owned();
            }
            let products = client.products().await.unwrap();
            let second = products.mcr(&second);
            !told.is_empty()
                && second.is_none_or(|m| m.status.is_gone() || m.status.is_terminating())
        })
        .await;
        eprintln!("{told}");
        assert!(
            told.contains("exists twice"),
            "no condition named both: {told:?}"
        );
        let events = rig.api.objects("events.events.k8s.io");
        let named = |e: &serde_json::Value| {
            let note = e["note"].as_str().unwrap_or_default();
            e["reason"] == "DuplicateFound" && note.contains(&first.uid) && note.contains(&second)
        };
        assert!(events.iter().any(named), "no Event named both");
        rig.until("Ready again", PATIENCE, Rig::lab_is_ready).await;
        let products = client.products().await.unwrap();
        assert!(
            !products.mcr(&first.uid).unwrap().status.is_gone(),
            "the first one went"
        );
        rig.delete_all().await;
        rig.until("gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        let left: Vec<String> = rig.leftovers();
        assert_eq!(left.len(), 1, "{left:#?}");
        assert!(left[0].starts_with("bought 2 times: mcr"), "{left:#?}");
    });
}
