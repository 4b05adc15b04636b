//! Deletion of the lab after every single mutating call of its creation: an empty account, and nothing ordered twice.
//!
//! Each case has its own clouds, namespace and operator; they share a control plane. After the n-th call the sandbox holds
//! every further one, so that exactly n have happened when the object is deleted; then the held ones go through, as calls
//! do that are under way at that moment.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use causeway_e2e::trial::Trial;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};

const SPEED: f64 = 1200.0;
/// Cases that run at once.
const AT_ONCE: usize = 4;
/// No case begins after this.
const BUDGET: Duration = Duration::from_mins(8);
/// So many must have run even on a slow machine.
const LEAST: usize = 8;
/// More calls than the creation has.
const MOST_CALLS: usize = 48;

/// Creates the lab, deletes it after `n` mutating calls (None: when everything is provisioned), and answers how many there
/// were and what is wrong afterwards.
async fn case(n: Option<usize>) -> (usize, Vec<String>) {
    let mut trial = Trial::start("stage", SPEED).await;
    let sandbox = trial.sandbox();
    if let Some(n) = n {
        // Newest first: a call is held by the first fault whose turn it is, and those after it do not count it.
        for nth in (n + 1..=MOST_CALLS).rev() {
            let fault = json!({
                "match": {"principal": "causeway", "mutating": true, "nth": nth},
                "effect": "hold",
            });
            sandbox.post::<Value>("/faults", &fault).await.unwrap();
        }
    }
    trial.create(&trial.document("lab.yaml")).await;
    match n {
        None => trial.until_all("Provisioned", 4).await,
        Some(n) => {
            trial
                .until(&format!("{n} mutating calls"), async |t| {
                    t.mutating().await >= n
                })
                .await;
        }
    }
    let before = trial.mutating().await;
    trial.delete("HybridInterconnect", "lab").await;
    // The deletion is seen while the calls are still held.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let faults: Vec<Value> = sandbox.get("/faults").await.unwrap();
    for fault in faults {
        let path = format!("/faults/{}", fault["id"].as_str().unwrap());
        sandbox.delete::<Value>(&path).await.unwrap();
    }
    trial.until_gone().await;
    (before, trial.leftovers().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_can_be_deleted_after_every_call_of_its_creation() {
    let started = Instant::now();
    let (total, wrong) = case(None).await;
    assert_eq!(wrong, Vec::<String>::new(), "after the whole creation");
    assert!(total > 20 && total < MOST_CALLS, "{total} mutating calls");

    // If time runs out, what did run is spread over the whole creation.
    let order: Vec<usize> = (0..4).flat_map(|rest| (rest..total).step_by(4)).collect();
    let runs = futures::stream::iter(order).map(|n| async move {
        if started.elapsed() > BUDGET {
            return (n, None);
        }
        // A case that panics is a wrong case, not the end of the others.
        let result = AssertUnwindSafe(case(Some(n))).catch_unwind().await;
        (n, Some(result.map_err(|_| "see above".to_owned())))
    });
    let results: Vec<_> = runs.buffer_unordered(AT_ONCE).collect().await;
    let mut ran = 1;
    let mut wrong = Vec::new();
    for (n, result) in results {
        match result {
            None => {}
            Some(Err(problem)) => wrong.push(format!("after {n} calls: {problem}")),
            Some(Ok((_, problems))) => {
                ran += 1;
                wrong.extend(problems.iter().map(|p| format!("after {n} calls: {p}")));
            }
        }
    }
    eprintln!(
        "deleted after {ran} of {} states of the creation (0 to {total} mutating calls) in {} s",
        total + 1,
        started.elapsed().as_secs()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= LEAST, "only {ran} cases in {} s", BUDGET.as_secs());
}
