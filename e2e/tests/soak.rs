//! The soak: pairs of crashes and storms of faults, seeded, for hours. `make soak` runs it; `crash.rs`
//! runs a single seed again.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a failed assumption is a failed test

use causeway_e2e::harness::crash::crew::{self, Run, Sum};
use std::time::{Duration, Instant};

fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |n| n.parse().unwrap())
}

#[test]
#[ignore = "hours: make soak"]
fn no_pair_of_crashes_and_no_storm_changes_anything() {
    let began = Instant::now();
    let schedules = number("CAUSEWAY_SOAK_SCHEDULES", 10_000);
    let minutes = number("CAUSEWAY_SOAK_MINUTES", 120);
    let first = number("CAUSEWAY_SOAK_SEED", 1_000_000);
    let references = crew::references(|_, _| true);
    let all: Vec<_> = references.values().cloned().collect();
    let jobs = (0..schedules).map(|n| {
        let seed = first + n;
        let at = usize::try_from(n).unwrap() % all.len();
        // Both sorts for each reference.
        let storm = (n / all.len() as u64) % 2 == 1;
        let run = if storm {
            Run::Storm(seed)
        } else {
            Run::Pair(seed)
        };
        (all[at].clone(), run)
    });
    let until = began + Duration::from_mins(minutes);
    let done = crew::run(jobs, Some(until));
    let mut sum = Sum::default();
    for (of, s) in &done.runs {
        println!(
            "{:14} {:5} pairs, {:5} storms, {} wrong, recovered within {} simulated s",
            references[of].name(),
            s.pairs,
            s.storms,
            s.wrong,
            s.took.as_secs()
        );
        sum.pairs += s.pairs;
        sum.storms += s.storms;
        sum.wrong += s.wrong;
    }
    let ran = sum.pairs + sum.storms;
    println!(
        "{ran} schedules of {schedules} in {:.1} minutes ({}): {} pairs of crashes, {} storms; {} wrong",
        began.elapsed().as_secs_f32() / 60.0,
        if ran as u64 == schedules {
            "all of them"
        } else {
            "the time was over"
        },
        sum.pairs,
        sum.storms,
        sum.wrong
    );
    assert!(done.wrong.is_empty(), "{}", done.wrong.join("\n"));
    assert!(ran > 0);
}
