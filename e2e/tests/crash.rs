//! Every crash of every life: the operator dies before, during and after each of its writes, to the clouds and to the API
//! server, while each kind of link alone and the lab's interconnect are created, changed and deleted. Its successor knows
//! nothing, and comes to the same end: the same slots, conditions and cloud objects, each product bought once, nothing left
//! after the deletion, nothing of others touched.
//!
//! A failing run names itself: `CAUSEWAY_CRASH='lab create azure expressRouteCircuits.put to-megaport#1 during' cargo test
//! --workspace --test crash -- --nocapture` runs it alone; `lab create`, or `lab`, all of them; `lab create pair 17` and `lab
//! create storm 17` a seed of the soak.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a failed assumption is a failed test

use causeway_e2e::harness::crash::crew::{self, Run, Sum};
use std::time::Instant;

/// Seeds of pairs of crashes and of storms that the whole sweep runs; the soak runs more.
const PAIRS: u64 = 24;
const STORMS: u64 = 8;

#[test]
fn a_crash_at_any_moment_changes_nothing() {
    match std::env::var("CAUSEWAY_CRASH") {
        Ok(wish) => replay(&wish),
        Err(_) => sweep(PAIRS, STORMS),
    }
}

/// What is asked for, by a failure's line or by a person.
fn replay(wish: &str) {
    let references = crew::references(|kind, phase| {
        let name = format!("{kind} {phase}");
        wish.starts_with(&name) || name.starts_with(wish)
    });
    let jobs = crew::wanted(&references, wish);
    assert!(!jobs.is_empty(), "there is no {wish}");
    let done = crew::run(jobs, None);
    for (of, sum) in &done.runs {
        println!("{}", crew::row(&references[of], sum));
    }
    assert!(done.wrong.is_empty(), "{}", done.wrong.join("\n"));
}

fn sweep(pairs: u64, storms: u64) {
    let began = Instant::now();
    let references = crew::references(|_, _| true);
    let mut jobs = Vec::new();
    // The dearest first.
    for reference in references.values().rev() {
        jobs.extend(crew::crashes(reference, crew::DELETED));
    }
    let all: Vec<_> = references.values().collect();
    let seeded = (0..pairs).map(|n| (n, Run::Pair(n)));
    for (n, run) in seeded.chain((0..storms).map(|n| (n, Run::Storm(n)))) {
        let at = usize::try_from(n * 5).unwrap() % all.len();
        jobs.push((all[at].clone(), run));
    }
    let count = jobs.len();
    let done = crew::run(jobs, None);
    let mut sum = Sum::default();
    let mut points = 0;
    for (of, s) in &done.runs {
        println!("{}", crew::row(&references[of], s));
        points += references[of].points.len() * 3;
        sum.crashes += s.crashes;
        sum.pairs += s.pairs;
        sum.storms += s.storms;
        sum.deleted += s.deleted;
        sum.wrong += s.wrong;
    }
    println!(
        "{} lives: {points} crash points in {} different runs, {} pairs of crashes, {} storms: {} wrong; {} deleted to the empty account afterwards; {:.0} s",
        references.len(),
        sum.crashes,
        sum.pairs,
        sum.storms,
        sum.wrong,
        sum.deleted,
        began.elapsed().as_secs_f32(),
    );
    assert!(
        done.wrong.is_empty(),
        "{} of {count} runs:\n{}",
        done.wrong.len(),
        done.wrong.join("\n")
    );
    for reference in references.values() {
        assert!(reference.points.len() >= 10, "{}", reference.name());
    }
}
