//! The lab's life through the binaries that ship: a real API server, the sandbox over HTTPS, the operator as a process
//! that is killed (SIGKILL) at three random moments while it builds and at three while it takes down.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use causeway_e2e::demo::checks::bought_once;
use causeway_e2e::lives::Random;
use causeway_e2e::trial::Trial;
use serde_json::Value;

/// Kills and restarts the operator at the given moments, counted in mutating calls from `base`.
async fn kill_at(trial: &mut Trial, what: &str, base: usize, moments: &[(u64, u64)]) {
    for (calls, milliseconds) in moments {
        let wanted = base + usize::try_from(*calls).unwrap();
        trial
            .until(&format!("{calls} calls of the {what}"), async |t| {
                t.mutating().await >= wanted
            })
            .await;
        tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
        trial.rig.kill_operator().unwrap();
        trial.rig.start_operator().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_is_built_once_and_leaves_nothing_whenever_the_operator_is_killed() {
    let seed = match std::env::var("CAUSEWAY_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_millis() as u64,
    };
    let mut random = Random(seed);
    // The creation has about 30 mutating calls, the deletion about 25.
    let (create, delete) = (random.moments(26), random.moments(20));
    eprintln!(
        "CAUSEWAY_SEED={seed}: killed after (calls, ms) {create:?} of the creation, {delete:?} of the deletion"
    );

    let mut trial = Trial::start("life", 600.0).await;
    trial.create(&trial.document("lab.yaml")).await;
    kill_at(&mut trial, "creation", 0, &create).await;
    trial.until_all("Provisioned", 4).await;
    let mut kinds = BTreeMap::<String, usize>::new();
    let products = trial.products().await;
    for product in &products {
        let kind = product["kind"].as_str().unwrap().to_owned();
        *kinds.entry(kind).or_default() += 1;
        assert!(
            product["endedAt"].is_null(),
            "ended before the deletion: {product}"
        );
    }
    assert_eq!(kinds, bought_once(), "{products:#?}");
    let live: Vec<Value> = trial.sandbox().get("/live").await.unwrap();
    assert!(live.len() > products.len(), "{live:#?}");

    let base = trial.mutating().await;
    trial.delete("HybridInterconnect", "lab").await;
    kill_at(&mut trial, "deletion", base, &delete).await;
    trial.until_gone().await;
    assert_eq!(trial.leftovers().await, Vec::<String>::new());
    let after = trial.products().await.len();
    assert_eq!(
        after,
        products.len(),
        "something was ordered during the deletion"
    );
}
