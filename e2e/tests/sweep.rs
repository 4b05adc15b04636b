//! Every world of `e2e/worlds/`: built by the operator, then broken in every single place, and in 500 random pairs of
//! places. What status says must be what the sandbox's traces say.
//!
//! A failing case names itself: `CAUSEWAY_SWEEP='lab pair 17' cargo test --workspace --test sweep -- --nocapture` runs it
//! alone (`single` likewise; `17..25` runs a row of them on one operator). `CAUSEWAY_SWEEP_SEED` takes other pairs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a failed assumption is a failed test

use causeway_e2e::harness::sweep::{self, Built, Outcome, Planned};
use causeway_e2e::harness::worlds;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// Pairs over all worlds, at least.
const PAIRS: usize = 500;
/// Cases that one operator goes through.
const ROW: usize = 16;
const SEED: u64 = 4;
enum Job {
    Build(&'static str),
    Run(Arc<Built>, &'static str, Vec<Planned>),
}

#[derive(Default)]
struct Work {
    jobs: VecDeque<Job>,
    running: usize,
    /// Of each world: single failures, pairs.
    done: BTreeMap<&'static str, [Outcome; 2]>,
    built: BTreeMap<&'static str, u64>,
}

fn seed() -> u64 {
    std::env::var("CAUSEWAY_SWEEP_SEED").map_or(SEED, |s| s.parse().unwrap())
}

fn rows(built: &Arc<Built>, kind: &'static str, cases: &[Planned]) -> Vec<Job> {
    let row = |c: &[Planned]| Job::Run(built.clone(), kind, c.to_vec());
    cases.chunks(ROW).map(row).collect()
}

/// Takes jobs until there are none and nobody is at work who could add one.
fn worker(work: &(Mutex<Work>, Condvar), pairs: Option<usize>) {
    loop {
        let job = {
            let mut w = work.0.lock().unwrap();
            loop {
                if let Some(job) = w.jobs.pop_front() {
                    w.running += 1;
                    break job;
                }
                if w.running == 0 {
                    return;
                }
                w = work.1.wait(w).unwrap();
            }
        };
        match job {
            Job::Build(name) => {
                let built = Arc::new(sweep::build(name, worlds::named(name)));
                let more = match pairs {
                    None => rows(&built, "single", &sweep::singles(&built)),
                    Some(n) => rows(&built, "pair", &sweep::pairs(&built, seed(), n)),
                };
                let mut w = work.0.lock().unwrap();
                w.built.insert(name, built.seconds);
                w.jobs.extend(more);
            }
            Job::Run(built, kind, cases) => {
                let out = sweep::run(&built, &cases);
                let mut w = work.0.lock().unwrap();
                let all = &mut w.done.entry(built.name).or_default()[usize::from(kind == "pair")];
                all.cases += out.cases;
                all.unknown += out.unknown;
                all.late = all.late.max(out.late);
                all.agreed = all.agreed.max(out.agreed);
                all.recovered = all.recovered.max(out.recovered);
                all.simulated += out.simulated;
                for (number, words) in &out.wrong {
                    // At once: a sweep that is cut off has said what it found.
                    println!("{} {kind} {number}: {words}", built.name);
                }
                all.wrong.extend(out.wrong);
            }
        }
        work.0.lock().unwrap().running -= 1;
        work.1.notify_all();
    }
}

/// One case, or a row of them, as the environment asks.
fn replay(wish: &str) {
    let words: Vec<&str> = wish.split_whitespace().collect();
    let [world, kind, numbers] = words[..] else {
        panic!("CAUSEWAY_SWEEP: say it like `lab pair 17`, `lab single 3` or `lab pair 16..32`");
    };
    let (name, case) = worlds::all()
        .into_iter()
        .find(|(n, _)| *n == world)
        .unwrap();
    let built = sweep::build(name, case);
    let (from, to) = match numbers.split_once("..") {
        Some((a, b)) => (a.parse().unwrap(), b.parse().unwrap()),
        None => (
            numbers.parse().unwrap(),
            numbers.parse::<usize>().unwrap() + 1,
        ),
    };
    let mut cases = match kind {
        "single" => sweep::singles(&built),
        _ => sweep::pairs(&built, seed(), to),
    };
    cases.retain(|c| (from..to).contains(&c.number));
    let out = sweep::run(&built, &cases);
    println!(
        "{} cases; path late by at most {:?}, all that is said by {:?}, recoveries by {:?}; {} simulated s",
        out.cases,
        out.late,
        out.agreed,
        out.recovered,
        out.simulated.as_secs()
    );
    assert!(out.wrong.is_empty(), "{:#?}", out.wrong);
}

#[test]
fn each_single_failure_in_every_world() {
    match std::env::var("CAUSEWAY_SWEEP") {
        Ok(wish) => replay(&wish),
        Err(_) => every_world(false),
    }
}

#[test]
fn random_pairs_of_failures_in_every_world() {
    // One case is replayed by the other test.
    if std::env::var("CAUSEWAY_SWEEP").is_err() {
        every_world(true);
    }
}

fn every_world(in_pairs: bool) {
    let began = Instant::now();
    let mut names: Vec<&'static str> = sweep::worlds().into_iter().map(|(n, _)| n).collect();
    // The largest first: the threads end at about the same time.
    names.sort_by_key(|n| !n.starts_with("two-"));
    let pairs = in_pairs.then(|| PAIRS.div_ceil(names.len()));
    let work = (Mutex::new(Work::default()), Condvar::new());
    work.0.lock().unwrap().jobs = names.iter().map(|n| Job::Build(n)).collect();
    std::thread::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| worker(&work, pairs));
        }
    });
    let w = work.0.into_inner().unwrap();
    let mut wrong = Vec::new();
    let mut cases = std::collections::BTreeSet::new();
    let (mut singles, mut of_two, mut all) = (0, 0, Outcome::default());
    for (world, [single, pair]) in &w.done {
        println!(
            "{world:26} built in {:5} s; {:3} single failures, {:3} pairs, path late by at most {:5.1} s, all that is said by {:5.1} s, recoveries by {:5.1} s; {} directions that nobody could know",
            w.built[world],
            single.cases,
            pair.cases,
            single.late.max(pair.late).as_secs_f32(),
            single.agreed.max(pair.agreed).as_secs_f32(),
            single.recovered.max(pair.recovered).as_secs_f32(),
            single.unknown + pair.unknown,
        );
        for (kind, out) in [("single", single), ("pair", pair)] {
            all.late = all.late.max(out.late);
            all.agreed = all.agreed.max(out.agreed);
            all.recovered = all.recovered.max(out.recovered);
            all.simulated += out.simulated;
            for (number, words) in &out.wrong {
                cases.insert((*world, kind, *number));
                wrong.push(format!(
                    "CAUSEWAY_SWEEP='{world} {kind} {number}' CAUSEWAY_SWEEP_SEED={} cargo test --workspace --test sweep -- --nocapture\n    {words}",
                    seed()
                ));
            }
        }
        singles += single.cases;
        of_two += pair.cases;
    }
    println!(
        "{} worlds, {singles} single failures, {of_two} pairs (seed {}): {} disagreements; after the network came to rest the path was late by at most {:.1} s, all that is said by {:.1} s, recoveries by {:.1} s; {:.1} simulated hours in {:.0} s",
        w.done.len(),
        seed(),
        wrong.len(),
        all.late.as_secs_f32(),
        all.agreed.as_secs_f32(),
        all.recovered.as_secs_f32(),
        all.simulated.as_secs_f64() / 3600.0,
        began.elapsed().as_secs_f32(),
    );
    for words in &wrong {
        println!("{words}");
    }
    assert!(
        cases.is_empty(),
        "{} cases disagree:\n{}",
        cases.len(),
        wrong.join("\n")
    );
    assert_eq!(w.done.len(), names.len());
    if in_pairs {
        assert!(of_two >= PAIRS, "{of_two}");
    } else {
        assert!(singles >= 220, "{singles}");
    }
}
