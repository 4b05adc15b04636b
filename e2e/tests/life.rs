//! The lab's life through the binaries that ship: a real API server, the sandbox over HTTPS, the operator as a process
//! that is killed (SIGKILL) at three random moments while it builds and at three while it takes down
//! (`causeway_e2e::lives`: seeds and rounds).
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

use causeway_e2e::lives::lives;
use causeway_e2e::trial::Trial;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_is_built_once_and_leaves_nothing_whenever_the_operator_is_killed() {
    let strike = async |trial: &mut Trial, _, milliseconds: u64| {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        trial.rig.kill_operator().unwrap();
        trial.rig.start_operator().await.unwrap();
    };
    lives("life", async |_| (), strike).await;
}
