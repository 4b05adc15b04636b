//! The lab's life, from apply to Ready and from delete to gone, while the clouds and the API server misbehave: every way of
//! failing once on every operation that changes something, reads that lag, long-running work that fails or is forgotten,
//! watch events that are lost, doubled or late, lists of an earlier time at every restart. The end must be as without any
//! of it: Ready, each product bought once, and afterwards nothing left and nothing of others touched.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a failed assumption is a failed test

use causeway_e2e::harness::apiserver::{ApiEvent, ApiRequest, Delivery, Verdict};
use causeway_e2e::harness::crash::STALE;
use causeway_e2e::harness::{Case, Human, OPERATOR, Rig, on_threads, simulate};
use causeway_e2e::objects::condition;
use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::rng::Rng;
use causeway_sandbox::wire::Provider;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

/// Twice and more what a life takes with every wait and retry.
const PATIENCE: Duration = Duration::from_hours(4);
const SEED: u64 = 5;

/// An operation that changes something, and how often a life without faults calls it.
type Operations = BTreeMap<(Provider, String), u64>;

/// What came of a life.
struct Life {
    /// Products ever ordered, by kind.
    bought: BTreeMap<String, usize>,
    operations: Operations,
    /// Faults that struck.
    struck: u64,
    /// Operations whose fault never struck: the life did not call them as often as the one without faults.
    missed: Vec<String>,
    seconds: u64,
}

/// The life without faults, that the others are held against.
static REFERENCE: LazyLock<Life> = LazyLock::new(|| life(&Case::lab(), &[], &|_| (), None));

/// Restarts the operator a few times, `pause` apart, with its API server's history gone.
async fn restarts(rig: &mut Rig, pause: Option<Duration>) -> u64 {
    let Some(pause) = pause else { return 0 };
    for _ in 0..8 {
        rig.pass(pause).await;
        rig.stop_operator().await;
        rig.api.compact();
        rig.start_operator();
    }
    8
}

/// Creates and deletes the lab. Panics when the end is not as it should be.
fn life(case: &Case, faults: &[Fault], prepare: &dyn Fn(&Rig), pause: Option<Duration>) -> Life {
    simulate(async || {
        let mut rig = Rig::new(case);
        let begun = rig.now();
        for fault in faults {
            rig.sandbox.add_fault(fault.clone());
        }
        prepare(&rig);
        rig.start_operator();
        rig.apply_all().await;
        let mut struck = restarts(&mut rig, pause).await;
        rig.until("all are Ready", PATIENCE, async |r| {
            r.all_say("Ready").await && r.seen().await.objects.len() == 4
        })
        .await;
        let mut names = BTreeSet::new();
        for (kind, name, ended) in rig.products() {
            assert!(!ended, "{kind} {name} was given back during the creation");
            assert!(
                name.is_empty() || names.insert((kind.clone(), name.clone())),
                "{kind} {name} was bought twice"
            );
        }
        let when_ready = rig.bought();
        rig.delete("HybridInterconnect", "lab").await;
        struck += restarts(&mut rig, pause).await;
        rig.until("everything is gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        // A token of the deletion may still be on its way.
        rig.pass(Duration::from_mins(10)).await;
        rig.stop_operator().await;
        let left = rig.leftovers();
        assert!(left.is_empty(), "{left:#?}");
        let bought = rig.bought();
        assert_eq!(
            bought, when_ready,
            "something was bought during the deletion"
        );
        let mut operations = Operations::new();
        for call in rig.mutating_since(0) {
            *operations
                .entry((call.provider, call.operation))
                .or_default() += 1;
        }
        struck += rig
            .sandbox
            .read(|s| s.faults.active.iter().map(|a| a.applied).sum::<u64>());
        let missed = rig.sandbox.read(|s| {
            let idle = s.faults.active.iter().filter(|a| a.applied == 0);
            idle.filter_map(|a| a.fault.matches.operation.clone())
                .collect()
        });
        Life {
            bought,
            operations,
            struck,
            missed,
            seconds: rig.now().secs_since(begun) as u64,
        }
    })
}

/// The life with these faults, held against the one without.
fn same_end(what: &str, case: &Case, faults: &[Fault]) -> u64 {
    let it = life(case, faults, &|_| (), None);
    assert_eq!(it.bought, REFERENCE.bought, "{what}");
    println!(
        "{what}: {} faults struck {} operations (not met: {:?}); {} simulated s instead of {}, everything bought once, \
         nothing left",
        it.struck,
        faults.len(),
        it.missed,
        it.seconds,
        REFERENCE.seconds
    );
    it.struck
}

/// The fault on the n-th call of each operation that changes something and is called as often.
fn everywhere(effect: Effect, nth: u64, status: Option<u16>, seconds: Option<f64>) -> Vec<Fault> {
    let often = REFERENCE.operations.iter().filter(|(_, n)| **n >= nth);
    often
        .map(|((provider, operation), _)| Fault {
            matches: Match {
                provider: Some(*provider),
                operation: Some(operation.clone()),
                mutating: Some(true),
                nth: Some(nth),
                ..Match::default()
            },
            effect,
            status,
            code: None,
            seconds,
            times: Some(1),
        })
        .collect()
}

/// Whether it strikes an order at Megaport.
fn is_order(fault: &Fault) -> bool {
    let operation = fault.matches.operation.as_ref();
    operation.is_some_and(|o| o.ends_with("/buy"))
}

/// On the first, and then on the second call of each operation.
fn once_everywhere(
    case: &Case,
    what: &str,
    effect: Effect,
    status: Option<u16>,
    seconds: Option<f64>,
) {
    for nth in 1..=2 {
        let faults = everywhere(effect, nth, status, seconds);
        let struck = same_end(&format!("{what}, call {nth}"), case, &faults);
        assert!(
            struck >= faults.len() as u64,
            "{what}: only {struck} of {} faults struck",
            faults.len()
        );
    }
}

#[test]
fn each_call_is_throttled_once() {
    once_everywhere(&Case::lab(), "429", Effect::Status, Some(429), Some(20.0));
}

#[test]
fn each_call_fails_once_with_500() {
    once_everywhere(&Case::lab(), "500", Effect::Status, Some(500), None);
}

#[test]
fn each_call_fails_once_with_503() {
    once_everywhere(&Case::lab(), "503", Effect::Status, Some(503), None);
}

#[test]
fn each_call_times_out_once() {
    // Longer than any client waits.
    let faults = everywhere(Effect::Delay, 1, None, Some(600.0));
    let struck = same_end("time-out", &Case::lab(), &faults);
    assert!(struck >= faults.len() as u64, "only {struck} struck");
}

#[test]
fn each_request_is_lost_once() {
    once_everywhere(
        &Case::lab(),
        "request lost",
        Effect::LoseRequest,
        None,
        None,
    );
}

/// What was made by a call whose answer was lost shows itself late: nothing else tells that it was made.
#[test]
fn each_answer_is_lost_once() {
    once_everywhere(
        &Case::lab().lagging(),
        "answer lost",
        Effect::LoseResponse,
        None,
        None,
    );
}

#[test]
fn each_answer_is_truncated_once() {
    once_everywhere(
        &Case::lab().lagging(),
        "answer truncated",
        Effect::Truncate,
        None,
        None,
    );
}

#[test]
fn long_running_work_is_forgotten_once() {
    let faults = everywhere(Effect::LroVanishes, 1, None, None);
    assert!(same_end("result vanished", &Case::lab(), &faults) >= 5);
}

#[test]
fn long_running_work_fails_once() {
    let mut faults = everywhere(Effect::LroFails, 1, None, None);
    // What Megaport fails to deploy is a person's: see the next test.
    faults.retain(|f| !is_order(f));
    assert!(same_end("work failed", &Case::lab(), &faults) >= 5);
}

/// Ordering it again by itself would be buying twice: the failed router is named, nothing more is ordered, and once a person
/// has cancelled it the creation goes on with a new one.
#[test]
fn an_order_that_could_not_be_deployed_waits_for_a_person() {
    let mut fault = everywhere(Effect::LroFails, 1, None, None);
    fault.retain(is_order);
    assert_eq!(fault.len(), 1);
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        let human = Human::of(&rig).await;
        rig.sandbox.add_fault(fault.remove(0));
        rig.start_operator();
        rig.apply_all().await;
        let mut told = String::new();
        rig.until("the failed order is told of", PATIENCE, async |r| {
            let lab = r.get("HybridInterconnect", "lab").await.unwrap();
            let (status, reason, message) = condition(&lab, "Stalled");
            told = message;
            status == "True" && reason == "ProvisioningFailed"
        })
        .await;
        let mcrs = human.megaport.products().await.unwrap().mcrs;
        assert_eq!(mcrs.len(), 1, "{mcrs:?}");
        assert!(told.contains("cancel it and order again"), "{told}");
        rig.pass(Duration::from_hours(1)).await;
        assert_eq!(human.megaport.products().await.unwrap().mcrs.len(), 1);
        human.megaport.cancel_mcr(&mcrs[0].uid).await.unwrap();
        rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
        assert_eq!(rig.bought().get("mcr"), Some(&2), "{:?}", rig.bought());
        rig.delete("HybridInterconnect", "lab").await;
        rig.until("gone", PATIENCE, Rig::all_gone).await;
        let left = rig.leftovers();
        assert!(
            left.len() == 1 && left[0].starts_with("bought 2 times: mcr"),
            "{left:#?}"
        );
    });
}

#[test]
fn reads_lag_behind_writes() {
    // Twice the sandbox's own bounds; then the most.
    for seed in [SEED, SEED + 1] {
        let mut case = Case::lab();
        case.seed = seed;
        for bound in case.world.lags.values_mut() {
            *bound *= 2.0;
        }
        same_end(
            &format!("lags of {:?}, seed {seed}", case.world.lags),
            &case,
            &[],
        );
        case = case.lagging();
        same_end(
            &format!("lags of {:?}, seed {seed}", case.world.lags),
            &case,
            &[],
        );
    }
}

/// Reads of one provider that show the clouds as they were so many seconds ago, each with this probability.
fn earlier(provider: Provider, seconds: f64, probability: f64, times: Option<u64>) -> Fault {
    Fault {
        matches: Match {
            provider: Some(provider),
            probability: Some(probability),
            ..Match::default()
        },
        effect: Effect::StaleRead,
        status: None,
        code: None,
        seconds: Some(seconds),
        times,
    }
}

#[test]
fn reads_jump_back_in_time() {
    let faults = STALE.map(|(provider, back)| earlier(provider, back, 0.3, None));
    let pause = Some(Duration::from_secs(45));
    let it = life(&Case::lab(), &faults, &|_| (), pause);
    assert_eq!(it.bought, REFERENCE.bought);
    println!(
        "{} reads of an earlier time; {} simulated s",
        it.struck, it.seconds
    );
}

/// A new operator sees once what was ordered a moment ago; its next reads are from before the order. Nothing is ordered again,
/// and a deletion at that moment leaves nothing behind.
#[test]
fn reads_from_before_an_order_follow_one_that_shows_it() {
    let orders = [
        (Provider::Megaport, "POST /v4/networkdesign/buy", 1),
        (Provider::Megaport, "POST /v4/networkdesign/buy", 2),
        (Provider::Megaport, "POST /v4/networkdesign/buy", 3),
        (Provider::Aws, "CreateVpnGateway", 1),
        (Provider::Aws, "CreateDirectConnectGateway", 1),
        (Provider::Aws, "CreateVpnConnection", 2),
        (Provider::Azure, "virtualNetworkGateways.put", 2),
    ];
    let bought = &REFERENCE.bought;
    let cases = orders.iter().flat_map(|o| [(o, false), (o, true)]);
    on_threads(cases, None, |((provider, operation, nth), delete)| {
        simulate(async || {
            let what = format!("{operation} {nth}, deleted: {delete}");
            let mut rig = Rig::new(&Case::lab());
            // The past is kept from when a fault of this kind is made; this one never strikes.
            rig.sandbox.add_fault(earlier(*provider, 150.0, 0.0, None));
            rig.start_operator();
            rig.apply_all().await;
            let look = Duration::from_millis(200);
            let (mut since, mut count) = (0, 0);
            rig.until_each(look, &what, PATIENCE, async |r| {
                let calls = r.calls_since(since);
                since = r.last_call();
                count += calls.iter().filter(|c| c.operation == *operation).count();
                count >= *nth
            })
            .await;
            // Until it was seen and recorded.
            rig.pass(Duration::from_secs(15)).await;
            let mut rig = Rig::from_snapshot(&rig.snapshot());
            rig.start_operator();
            rig.pass(Duration::from_secs(1)).await;
            rig.sandbox.add_fault(earlier(*provider, 25.0, 1.0, None));
            if delete {
                rig.delete_all().await;
            }
            rig.pass(Duration::from_secs(12)).await;
            for fault in rig.sandbox.faults() {
                rig.sandbox.remove_fault(&fault.id);
            }
            if delete {
                rig.goes(&what, PATIENCE).await;
            } else {
                rig.until(&what, PATIENCE, Rig::lab_is_ready).await;
                assert_eq!(rig.bought(), *bought, "{what}");
            }
        });
    });
}

/// What happened to events, by kind of mishap.
type Mishaps = Arc<Mutex<(Rng, BTreeMap<&'static str, u64>)>>;

fn mishap(all: &Mishaps, _: &ApiEvent) -> Delivery {
    let mut all = all.lock().unwrap();
    let dice = all.0.unit();
    let late = Duration::from_millis((all.0.unit() * 90_000.0) as u64);
    let (name, what) = match dice {
        d if d < 0.15 => ("lost", Delivery::Drop),
        d if d < 0.30 => ("twice", Delivery::Twice),
        d if d < 0.45 => ("late", Delivery::Late(late)),
        d if d < 0.50 => ("cut off", Delivery::Cut),
        _ => ("in time", Delivery::Send),
    };
    *all.1.entry(name).or_default() += 1;
    what
}

#[test]
fn watch_events_are_lost_doubled_and_late() {
    for seed in SEED..SEED + 3 {
        let all: Mishaps = Arc::new(Mutex::new((Rng::new(seed), BTreeMap::new())));
        let it = life(
            &Case::lab(),
            &[],
            &|rig| {
                let all = all.clone();
                rig.api.on_event(move |e| mishap(&all, e));
            },
            None,
        );
        assert_eq!(it.bought, REFERENCE.bought);
        let all = all.lock().unwrap();
        println!(
            "seed {seed}: events {:?}; {} simulated s",
            all.1, it.seconds
        );
        assert!(all.1["lost"] > 5 && all.1["late"] > 5, "{:?}", all.1);
    }
}

/// What was just ordered is missing in the list and in the clouds: only that the old version can not be written over tells.
#[test]
fn lists_are_of_an_earlier_time_at_every_restart() {
    for seed in SEED..SEED + 3 {
        let stale = Arc::new(Mutex::new((Rng::new(seed), 0u64)));
        let it = life(
            &Case::lab().lagging(),
            &[],
            &|rig| {
                let stale = stale.clone();
                rig.api.on_request(move |r: &ApiRequest| {
                    if r.client != OPERATOR || r.verb != "list" {
                        return Verdict::Continue;
                    }
                    let mut s = stale.lock().unwrap();
                    s.1 += 1;
                    Verdict::Stale(s.0.between(0.0, 40.0) as u64)
                });
            },
            Some(Duration::from_secs(100 + 37 * seed)),
        );
        assert_eq!(it.bought, REFERENCE.bought);
        println!(
            "seed {seed}: {} restarts, each with the history compacted, {} stale lists; {} simulated s",
            it.struck,
            stale.lock().unwrap().1,
            it.seconds
        );
    }
}

/// Ten minutes are within what AWS's signatures allow. Every restart is on another machine, with another clock: what one wrote
/// down of an order lies in the future of the next, or long ago.
#[test]
fn clocks_are_wrong() {
    let pause = Some(Duration::from_secs(170));
    let right = life(&Case::lab(), &[], &|_| (), pause).seconds;
    for skews in [&[600][..], &[-600], &[600, -600], &[-300, 0, 540]] {
        let it = life(&Case::lab(), &[], &|rig| rig.skew(skews), pause);
        assert_eq!(it.bought, REFERENCE.bought, "{skews:?}");
        println!(
            "clocks wrong by {skews:?} s, one after the other: {} restarts, {} simulated s (right clocks: {right}), \
             everything bought once, nothing left",
            it.struck, it.seconds
        );
        // Nothing waits for a time that another clock has written down.
        assert!(it.seconds < right + 120, "{skews:?}: {} s", it.seconds);
    }
}

/// An operator dies while the answer to its order is lost, and the clock of the next one is ahead by more than any read lags,
/// or behind: the record looks old, or lies in the future, and what was ordered shows itself late. How long that is waited for
/// is measured by the clock of the one that waits.
#[test]
fn an_order_written_down_by_another_clock_is_waited_for() {
    let case = Case::lab().lagging();
    let mut orders = everywhere(Effect::LoseResponse, 1, None, None);
    orders.retain(|f| {
        let operation = f.matches.operation.as_deref().unwrap_or_default();
        is_order(f) || operation.starts_with("Create")
    });
    for nth in 2..=3 {
        let more = everywhere(Effect::LoseResponse, nth, None, None);
        orders.extend(more.into_iter().filter(is_order));
    }
    assert!(orders.len() > 6, "{orders:?}");
    let mut cases: Vec<_> = orders.into_iter().map(|order| (order, 600)).collect();
    cases.push((cases[0].0.clone(), -600));
    let number = cases.len();
    on_threads(cases, None, |(order, skew)| dies_at(&case, &order, skew));
    println!("{number} orders by another clock");
}

/// An operator dies at this order, and the next one lives by this clock.
fn dies_at(case: &Case, order: &Fault, skew: i64) {
    let of = &order.matches;
    let what = format!("{:?} {:?}, clock {skew}", of.operation, of.nth);
    simulate(async || {
        let mut rig = Rig::new(case);
        rig.sandbox.add_fault(order.clone());
        rig.start_operator();
        rig.apply_all().await;
        let look = Duration::from_millis(200);
        rig.until_each(look, "the order", PATIENCE, async |r| {
            let mut faults = r.sandbox.read(|s| s.faults.active.clone()).into_iter();
            faults.any(|a| a.applied > 0)
        })
        .await;
        // It runs on, in a world that nobody looks at any more.
        let crashed = rig.snapshot();
        let mut rig = Rig::from_snapshot(&crashed);
        rig.skew(&[skew]);
        rig.start_operator();
        let ready = format!("Ready, {what}");
        rig.until(&ready, PATIENCE, Rig::lab_is_ready).await;
        assert_eq!(rig.bought(), REFERENCE.bought, "{what}");
    });
}
