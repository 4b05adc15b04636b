//! The lab's life while sandbox and API server are ended, in an orderly way or as by a crash, and started again, and while
//! the leading one of two operators stands still (SIGSTOP), at random moments (`causeway_e2e::lives`: seeds and rounds). A
//! test file of its own: its control plane is nobody else's. The tests take turns: they share it.
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

use std::time::{Duration, Instant};

use causeway_e2e::lives::lives;
use causeway_e2e::trial::Trial;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, ListParams};
use tokio::sync::Mutex;

/// Whose turn it is.
static TURN: Mutex<()> = Mutex::const_new(());

/// Our own connections broke, too: waits until one after another holds.
async fn settle(trial: &Trial) {
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut good = 0;
    while good < 5 {
        let listed = trial
            .kind("HybridInterconnect")
            .list(&ListParams::default())
            .await;
        good = if listed.is_ok() { good + 1 } else { 0 };
        assert!(Instant::now() < deadline, "{listed:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn api_server_and_clouds_are_started_again_in_the_middle() {
    let _turn = TURN.lock().await;
    let strike = async |trial: &mut Trial, number: usize, milliseconds: u64| {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        let crash = milliseconds.is_multiple_of(2);
        match number {
            0 | 2 => trial.rig.restart_sandbox(crash).await.unwrap(),
            _ => {
                trial.shared.plane().restart_apiserver(crash).await.unwrap();
                settle(trial).await;
            }
        }
    };
    lives("restarted", async |_| (), strike).await;
}

/// Who holds the Lease: the first operator (false) or the second (true), told by who logged last that it leads.
async fn leader(trial: &Trial) -> bool {
    let leases = Api::<Lease>::namespaced(trial.client.clone(), trial.rig.namespace());
    let lease = leases.get(causeway::leader::LEASE_NAME).await.unwrap();
    let holder = lease
        .spec
        .and_then(|s| s.holder_identity)
        .unwrap_or_default();
    let log = trial.rig.folder().join("logs/operator-2.log");
    let log = std::fs::read_to_string(log).unwrap_or_default();
    !holder.is_empty() && log.contains(&holder)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_operators_and_the_one_that_leads_stands_still() {
    let _turn = TURN.lock().await;
    let begin = async |trial: &mut Trial| {
        trial.rig.start_second_operator().unwrap();
    };
    let strike = async |trial: &mut Trial, number: usize, milliseconds: u64| {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        let second = leader(trial).await;
        // Once longer than the Lease, so that the other takes over; twice shorter, and the same goes on.
        let still = if number == 1 {
            20_000
        } else {
            1_000 + milliseconds * 24
        };
        trial.rig.suspend_operator(second, true).unwrap();
        tokio::time::sleep(Duration::from_millis(still)).await;
        trial.rig.suspend_operator(second, false).unwrap();
        if number == 1 {
            let now = leader(trial).await;
            assert_ne!(now, second, "nobody took over within {still} ms");
        }
    };
    lives("suspended", begin, strike).await;
}
