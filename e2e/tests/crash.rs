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
use causeway_e2e::harness::crash::{Kind, Phase};
use std::time::Instant;

/// Seeds of the sample: of pairs and storms that are run with the sweep. The soak runs more.
const PAIRS: u64 = 24;
const STORMS: u64 = 8;

#[test]
fn a_crash_at_any_moment_changes_nothing() {
    let began = Instant::now();
    let wish = std::env::var("CAUSEWAY_CRASH").ok();
    let references = crew::references(|kind, phase| {
        let name = format!("{kind} {phase}");
        let asked = |w: &str| w.starts_with(&name) || name.starts_with(w);
        wish.as_deref().is_none_or(asked)
    });
    println!("references in {:.0} s", began.elapsed().as_secs_f32());
    if let Some(wish) = wish {
        let jobs = crew::wanted(&references, &wish);
        assert!(!jobs.is_empty(), "there is no {wish}");
        let done = crew::run(jobs, None);
        for (of, sum) in &done.runs {
            println!("{}", crew::row(&references[of], sum));
        }
        assert!(done.wrong.is_empty(), "{}", done.wrong.join("\n"));
        return;
    }
    // The dearest first.
    let mut jobs = Vec::new();
    for kind in Kind::ALL.into_iter().rev() {
        for phase in Phase::ALL {
            jobs.extend(crew::crashes(&references[&(kind, phase)], crew::DELETED));
        }
    }
    let all: Vec<_> = references.values().collect();
    let seeded = (0..PAIRS).map(|n| (n, Run::Pair(n)));
    for (n, run) in seeded.chain((0..STORMS).map(|n| (n, Run::Storm(n)))) {
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
        "{points} crash points in {} different runs, {} pairs of crashes, {} storms: {} wrong; {} deleted to the empty account afterwards; {:.0} s",
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
    assert_eq!(references.len(), 12);
    for reference in references.values() {
        assert!(reference.points.len() >= 10, "{}", reference.name());
    }
}
