//! The sweep and the soak on a few threads: which runs there are, what came of them, and how one is run again.
//!
//! May print: failures at once, so that a run that is cut off has said what it found.

#![allow(clippy::print_stdout)]

use super::{Kind, Moment, Phase, Reference, Verdict, Wire};
use crate::harness::{deadline, on_threads};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// All references, by kind and phase.
pub type References = BTreeMap<(Kind, Phase), Arc<Reference>>;

/// One run.
#[derive(Debug, Clone)]
pub enum Run {
    /// From this case of the reference, and whether everything is deleted afterwards.
    Crash(usize, bool),
    Pair(u64),
    Storm(u64),
}

/// A run of a reference.
pub type Job = (Arc<Reference>, Run);

/// The lives without a crash: what is created is changed, and it is deleted as it was created.
pub fn references(wanted: impl Fn(Kind, Phase) -> bool + Sync) -> References {
    // The longest first: the threads end at about the same time.
    let kinds: Vec<Kind> = Kind::ALL.into_iter().rev().collect();
    let lives = on_threads(kinds, None, |kind| {
        let mut life = Vec::new();
        if !Phase::ALL.into_iter().any(|p| wanted(kind, p)) {
            return life;
        }
        let created = Arc::new(super::reference(kind, Phase::Create, None));
        for phase in [Phase::Update, Phase::Delete] {
            if wanted(kind, phase) {
                let next = super::reference(kind, phase, Some(&created));
                life.push(((kind, phase), Arc::new(next)));
            }
        }
        life.push(((kind, Phase::Create), created));
        life
    });
    lives.into_iter().flatten().collect()
}

/// Every crash of a reference; every `deleted`th is followed by the deletion, to the empty account.
pub fn crashes(reference: &Arc<Reference>, deleted: usize) -> Vec<Job> {
    let all = 0..reference.cases.len();
    all.map(|i| (reference.clone(), Run::Crash(i, i % deleted.max(1) == 0)))
        .collect()
}

/// How a run is asked for again.
pub fn label((reference, run): &Job) -> String {
    match run {
        Run::Crash(i, _) => {
            let moment = reference.cases.get(*i).and_then(|c| c.moments.first());
            moment.map_or_else(String::new, |m| reference.label(*m))
        }
        Run::Pair(seed) => format!("{} pair {seed}", reference.name()),
        Run::Storm(seed) => format!("{} storm {seed}", reference.name()),
    }
}

/// What is asked for by a [`label`], or by the name of a kind or phase alone.
pub fn wanted(references: &References, label: &str) -> Vec<Job> {
    let mut out = Vec::new();
    for reference in references.values() {
        let name = reference.name();
        let words = label.strip_prefix(&name).unwrap_or_default().trim();
        if label == name || name.starts_with(&format!("{label} ")) {
            out.extend(crashes(reference, DELETED));
        } else if let Some(seed) = words.strip_prefix("pair ").and_then(|s| s.parse().ok()) {
            out.push((reference.clone(), Run::Pair(seed)));
        } else if let Some(seed) = words.strip_prefix("storm ").and_then(|s| s.parse().ok()) {
            out.push((reference.clone(), Run::Storm(seed)));
        } else if !words.is_empty() {
            let same = |m: &(usize, Moment)| {
                reference.label(*m) == label || format!("{} {}", m.0, m.1) == words
            };
            let found = reference
                .cases
                .iter()
                .position(|c| c.moments.iter().any(same));
            out.extend(found.map(|i| (reference.clone(), Run::Crash(i, true))));
        }
    }
    out
}

/// How long a run may take, of which the longest is done in seconds.
const LONGEST: Duration = Duration::from_mins(5);

/// Of how many crashes one is followed by the deletion.
pub const DELETED: usize = 4;

/// What came of all runs.
#[derive(Debug, Default)]
pub struct Done {
    pub runs: BTreeMap<(Kind, Phase), Sum>,
    /// With the line that runs it again.
    pub wrong: Vec<String>,
}

/// Of the runs of one kind and phase.
#[derive(Debug, Clone, Default)]
pub struct Sum {
    pub crashes: usize,
    pub pairs: usize,
    pub storms: usize,
    pub wrong: usize,
    pub deleted: usize,
    /// The longest recovery, in simulated time.
    pub took: Duration,
    pub more_calls: usize,
    pub real: Duration,
}

/// How a failed run is named.
fn again(label: &str, lines: &[&str]) -> String {
    format!(
        "CAUSEWAY_CRASH='{label}' cargo test --workspace --test crash -- --nocapture\n    {}",
        lines.join("\n    ")
    )
}

/// Does the runs, until there are none or the time is over. One that does not end ends the process: nothing can stop it.
pub fn run(jobs: impl IntoIterator<Item = Job>, until: Option<Instant>) -> Done {
    let (ran, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results = on_threads(jobs, until, |job| {
        let began = Instant::now();
        let (reference, run) = &job;
        let name = label(&job);
        let stuck = name.clone();
        let _watched = deadline(LONGEST, move || {
            let minutes = LONGEST.as_secs() / 60;
            let what = format!("has not ended after {minutes} minutes: time stands still in it");
            // Not to where the test's own lines are kept until it ends.
            let _ = writeln!(std::io::stderr(), "{}", again(&stuck, &[&what]));
            std::process::exit(101);
        });
        let verdict = match run {
            Run::Crash(i, delete) => match reference.cases.get(*i) {
                Some(case) => super::crash(reference, case, *delete),
                None => Verdict::default(),
            },
            Run::Pair(seed) => super::pair(reference, *seed),
            Run::Storm(seed) => super::storm(reference, *seed),
        };
        let line = (!verdict.wrong.is_empty()).then(|| {
            let lines: Vec<&str> = verdict.wrong.iter().take(24).map(String::as_str).collect();
            let line = again(&name, &lines);
            println!("{line}");
            failed.fetch_add(1, Ordering::Relaxed);
            line
        });
        // A run that is cut off has said how far it came.
        let count = 1 + ran.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(500) {
            println!("{count} runs, {} wrong", failed.load(Ordering::Relaxed));
        }
        (
            (reference.kind, reference.phase),
            job.1.clone(),
            verdict,
            line,
            began.elapsed(),
        )
    });
    let mut done = Done::default();
    for (of, run, verdict, line, real) in results {
        let sum = done.runs.entry(of).or_default();
        match run {
            Run::Crash(..) => sum.crashes += 1,
            Run::Pair(_) => sum.pairs += 1,
            Run::Storm(_) => sum.storms += 1,
        }
        sum.wrong += usize::from(line.is_some());
        sum.deleted += usize::from(verdict.deleted);
        sum.took = sum.took.max(verdict.took);
        sum.more_calls = sum.more_calls.max(verdict.more_calls);
        sum.real += real;
        done.wrong.extend(line);
    }
    done
}

/// The points of a reference, as a table's row.
pub fn row(reference: &Reference, sum: &Sum) -> String {
    let of = |wire| reference.points.iter().filter(|p| p.wire == wire).count();
    let moments: usize = reference.cases.iter().map(|c| c.moments.len()).sum();
    format!(
        "{:4} {:6}  {:3} cloud calls + {:3} API writes, before, during and after: {:4} crash points, {:4} of them different; {:4} run, {} wrong, {:3} then deleted; recovered within {:5} s ({} s without a crash), at most {} more mutating calls; {:.0} s of work",
        reference.kind.to_string(),
        reference.phase.to_string(),
        of(Wire::Cloud),
        of(Wire::Api),
        moments,
        reference.cases.len(),
        sum.crashes,
        sum.wrong,
        sum.deleted,
        sum.took.as_secs(),
        reference.took.as_secs(),
        sum.more_calls,
        sum.real.as_secs_f32(),
    )
}
