//! Whole lives of the lab through the binaries that ship, with something that befalls a process at random moments.
//!
//! `CAUSEWAY_LIFE_SEED` chooses the moments, `CAUSEWAY_LIFE_ROUNDS` the number of lives of each test (1: three moments in
//! the creation and three in the deletion). May drive a [`Trial`]. For tests only, hence the panics.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::missing_panics_doc
)]

use crate::demo::checks::bought_once;
use crate::trial::Trial;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::SystemTime;

const SPEED: f64 = 600.0;

/// SplitMix64: enough to choose moments, and the same on every machine.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// A number below `limit`, which is not zero.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }

    /// Three different counts of calls below `limit`, ascending, each with milliseconds to wait after it.
    pub fn moments(&mut self, limit: u64) -> Vec<(u64, u64)> {
        let mut chosen = BTreeMap::new();
        while chosen.len() < 3 {
            chosen.insert(self.below(limit), self.below(250));
        }
        chosen.into_iter().collect()
    }
}

fn seed() -> u64 {
    match std::env::var("CAUSEWAY_LIFE_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_millis() as u64,
    }
}

fn rounds() -> u64 {
    std::env::var("CAUSEWAY_LIFE_ROUNDS").map_or(1, |rounds| rounds.parse().unwrap())
}

/// The creation has about 30 mutating calls, the deletion about 25.
const PHASES: [(&str, u64); 2] = [("creation", 26), ("deletion", 20)];

/// One life: at three moments of each phase, counted in mutating calls, `strike` befalls it (which of the three, and how
/// many milliseconds to wait first). Everything is bought once, and nothing is left.
async fn life(
    trial: &mut Trial,
    name: &str,
    seed: u64,
    mut strike: impl AsyncFnMut(&mut Trial, usize, u64),
) {
    let mut random = Random(seed);
    let mut products = Vec::new();
    for (phase, limit) in PHASES {
        let moments = random.moments(limit);
        eprintln!("CAUSEWAY_LIFE_SEED={seed} {name}: after (calls, ms) {moments:?} of the {phase}");
        let base = trial.mutating().await;
        if phase == "creation" {
            trial.create(&trial.document("lab.yaml")).await;
        } else {
            trial.delete("HybridInterconnect", "lab").await;
        }
        for (number, (calls, milliseconds)) in moments.into_iter().enumerate() {
            let wanted = base + usize::try_from(calls).unwrap();
            trial
                .until(&format!("{calls} calls of the {phase}"), async |t| {
                    // The end may come with fewer calls: a step that was done need not be done again.
                    t.mutating().await >= wanted || t.seen().await.objects.is_empty()
                })
                .await;
            strike(trial, number, milliseconds).await;
        }
        if phase == "creation" {
            trial.until_all("Provisioned", 4).await;
            let mut kinds = BTreeMap::<String, usize>::new();
            products = trial.products().await;
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
        }
    }
    trial.until_gone().await;
    let after = trial.products().await.len();
    assert_eq!(
        after,
        products.len(),
        "something was ordered during the deletion"
    );
    let wrong: Vec<String> = trial.leftovers().await;
    assert_eq!(wrong, Vec::<String>::new());
}

/// As many lives as asked for, each in a world of its own.
pub async fn lives(
    name: &str,
    begin: impl AsyncFn(&mut Trial),
    mut strike: impl AsyncFnMut(&mut Trial, usize, u64),
) {
    let begun = std::time::Instant::now();
    for round in 0..rounds() {
        let mut trial = Trial::start(name, SPEED).await;
        begin(&mut trial).await;
        life(&mut trial, name, seed().wrapping_add(round), &mut strike).await;
    }
    eprintln!(
        "{name}: {0} lives, {1} times in the creation and {1} times in the deletion, in {2:.0} s: each product bought once, nothing left",
        rounds(),
        3 * rounds(),
        begun.elapsed().as_secs_f64()
    );
}
