//! The lab's life with the clock paused: the time from apply to Ready, and from delete to gone, against the clouds' own
//! critical path (design §8: at most 1.05), what was called for it, and ten quiet hours in between. The machine's speed
//! has no part in any of it.
#![allow(clippy::print_stderr)] // numbers are what this test is for

use causeway_e2e::demo::checks::bought_once;
use causeway_e2e::harness::rig::by_operation;
use causeway_e2e::harness::{Case, Rig, simulate};
use causeway_sandbox::SimTime;
use causeway_sandbox::critical::Kind;
use std::time::Duration;

/// Time taken ÷ critical path of the clouds' work.
const WORST_RATIO: f64 = 1.05;
const QUIET_HOURS: u64 = 10;
/// Far more than a creation takes.
const PATIENCE: Duration = Duration::from_hours(4);

/// Prints and judges how long something took.
fn judge(rig: &Rig, kind: Kind, since: SimTime, took: Duration) -> f64 {
    let path = rig.sandbox.critical_path(kind, Some(since));
    let ratio = took.as_secs_f64() / path.seconds;
    eprintln!(
        "{kind:?}: {:.0} simulated seconds, critical path {:.0}, ratio {ratio:.3}",
        took.as_secs_f64(),
        path.seconds
    );
    for step in &path.chain {
        let tail = step.resource.rsplit('/').next().unwrap_or_default();
        eprintln!(
            "  {:>6.0} s {:>6.0} s  {} {tail}",
            step.done_after, step.seconds, step.operation
        );
    }
    ratio
}

/// The operations with the time that passed before each began, since the work began that it waited for.
fn gaps(rig: &Rig, since: SimTime) {
    let all = rig.sandbox.read(|s| s.ops.all.clone());
    for op in all.iter().filter(|o| o.started_at >= since) {
        let ready = op
            .depends_on
            .iter()
            .filter_map(|d| all.get(*d as usize))
            .filter(|d| d.started_at >= since)
            .map(|d| d.ended_at.unwrap_or(d.due))
            .max()
            .unwrap_or(since);
        let tail = op.resource.rsplit('/').next().unwrap_or_default();
        eprintln!(
            "  {:>6.0} s to {:>6.0} s, {:>5.1} s late: {} {tail}",
            op.started_at.secs_since(since),
            op.ended_at.unwrap_or(op.due).secs_since(since),
            op.started_at.secs_since(ready),
            op.operation,
        );
    }
}

#[test]
fn the_lab_takes_as_long_as_the_clouds() {
    let wall = std::time::Instant::now();
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        rig.start_operator();
        let begun = rig.now();
        rig.apply_all().await;
        let took = rig
            .until("the interconnect is Ready", PATIENCE, async |r| {
                let seen = r.seen().await;
                seen.objects.get("hi/lab").is_some_and(|o| o.is("Ready"))
            })
            .await;
        let create_wall = wall.elapsed();
        let calls = rig.calls_since(0);
        let reads = calls.iter().filter(|c| !c.mutating).count();
        eprintln!(
            "{} calls until Ready, {reads} of them reads:\n{}",
            calls.len(),
            by_operation(&calls)
        );
        gaps(&rig, begun);
        let created = judge(&rig, Kind::Create, begun, took);
        eprintln!("created in {:.1} real seconds", create_wall.as_secs_f64());

        rig.until("all are Ready", PATIENCE, async |r| {
            r.all_say("Ready").await && r.seen().await.objects.len() == 4
        })
        .await;
        for condition in ["RoutesAsExpected", "Redundant"] {
            rig.until(condition, PATIENCE, async |r| {
                let seen = r.seen().await;
                seen.objects.get("hi/lab").is_some_and(|o| o.is(condition))
            })
            .await;
        }
        quiet_hours(&rig).await;

        let begun = rig.now();
        let before = rig.last_call();
        let wall = std::time::Instant::now();
        rig.delete("HybridInterconnect", "lab").await;
        let took = rig
            .until("everything is gone", PATIENCE, async |r| {
                r.seen().await.objects.is_empty()
            })
            .await;
        let calls = rig.calls_since(before);
        let reads = calls.iter().filter(|c| !c.mutating).count();
        eprintln!(
            "{} calls of the deletion, {reads} of them reads:\n{}",
            calls.len(),
            by_operation(&calls)
        );
        gaps(&rig, begun);
        let deleted = judge(&rig, Kind::Delete, begun, took);
        eprintln!(
            "deleted in {:.1} real seconds",
            wall.elapsed().as_secs_f64()
        );
        rig.stop_operator().await;

        let bought = rig.bought();
        eprintln!("bought: {bought:?}");
        assert_eq!(rig.leftovers(), Vec::<String>::new());
        assert_eq!(bought, bought_once());
        assert!(created <= WORST_RATIO, "the creation took {created:.3}");
        assert!(deleted <= WORST_RATIO, "the deletion took {deleted:.3}");
    });
}

/// Ten simulated hours without a mutating call and without a write to any of our objects.
async fn quiet_hours(rig: &Rig) {
    // What a failed read of the hour before left behind, and late reports, may settle first.
    rig.pass(Duration::from_mins(20)).await;
    let wall = std::time::Instant::now();
    let (versions, since, begun) = (rig.versions().await, rig.last_call(), rig.now());
    rig.pass(Duration::from_hours(QUIET_HOURS)).await;
    let hours = rig.now().secs_since(begun) / 3600.0;
    let calls = rig.calls_since(since);
    let mutating: Vec<_> = calls.iter().filter(|c| c.mutating).collect();
    let changed = rig.written_since(&versions).await;
    eprintln!(
        "{hours:.1} quiet hours: {} reads ({:.1} a minute), {} mutating calls, {} objects written, in {:.1} real seconds",
        calls.len() - mutating.len(),
        (calls.len() - mutating.len()) as f64 / (hours * 60.0),
        mutating.len(),
        changed.len(),
        wall.elapsed().as_secs_f64()
    );
    assert!(hours >= QUIET_HOURS as f64, "only {hours} hours passed");
    assert!(!calls.is_empty(), "nobody looked at the clouds for hours");
    assert!(mutating.is_empty(), "{mutating:#?}");
    assert!(changed.is_empty(), "written: {changed:?}");
}
