//! Health that does not lie, on the deterministic harness: the lab's printed tables in the RouteReport, each provider's
//! telemetry failing in turn, and the route table on GatewaySubnet.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a failed assumption is a failed test; numbers are what this is for"
)]

#[path = "truth/guard.rs"]
mod guard;
#[path = "truth/restart.rs"]
mod restart;
#[path = "truth/tables.rs"]
mod tables;
#[path = "truth/unreadable.rs"]
mod unreadable;

use causeway_e2e::harness::{Case, Rig, Snapshot, built, simulate};
use causeway_e2e::objects::condition as said;
use serde_json::Value;
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(4);
const HEALTH: [&str; 4] = [
    "BGPEstablished",
    "RoutesAsExpected",
    "Available",
    "Redundant",
];

/// The lab in order: made once for all cases.
fn lab() -> &'static Snapshot {
    static LAB: OnceLock<Snapshot> = OnceLock::new();
    LAB.get_or_init(|| built(&Case::lab(), until_all_true))
}

/// The lab with the BGP session of the VXC to AWS shut, as lab.md fails over.
fn failed_over() -> &'static Snapshot {
    static OVER: OnceLock<Snapshot> = OnceLock::new();
    let normal = lab();
    OVER.get_or_init(|| {
        simulate(async || {
            let mut rig = Rig::from_snapshot(normal);
            rig.start_operator();
            until_all_true(&rig).await;
            shut(&rig, true);
            rig.until("the failover", PATIENCE, async |r| {
                active(r).await == "VPN" && condition(r, "Redundant").await.0 == "False"
            })
            .await;
            rig.pass(Duration::from_mins(5)).await;
            rig.stop_operator().await;
            rig.snapshot()
        })
    })
}

/// Shuts the session that the router has with AWS, or starts it again.
fn shut(rig: &Rig, shutdown: bool) {
    let sessions = rig.sandbox.sessions();
    let vif = sessions.iter().find(|s| s.kind == "vif").unwrap();
    rig.sandbox.session_shutdown(&vif.id, shutdown).unwrap();
}

async fn interconnect(rig: &Rig) -> Value {
    rig.get("HybridInterconnect", "lab").await.unwrap()
}

async fn condition(rig: &Rig, kind: &str) -> (String, String, String) {
    said(&interconnect(rig).await, kind)
}

async fn active(rig: &Rig) -> String {
    let lab = interconnect(rig).await;
    lab["status"]["activePath"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn until_all_true(rig: &Rig) {
    rig.until("all is well", PATIENCE, async |r| {
        let lab = interconnect(r).await;
        ["Ready"]
            .iter()
            .chain(&HEALTH)
            .all(|kind| said(&lab, kind).0 == "True")
    })
    .await;
}

/// The report of the interconnect.
async fn report(rig: &Rig) -> Value {
    rig.get("RouteReport", "hi-lab").await.unwrap()
}

/// A vantage of a report by its name.
fn vantage<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["status"]["vantages"].as_array().unwrap();
    let names: Vec<&Value> = all.iter().map(|v| &v["name"]).collect();
    all.iter()
        .find(|v| v["name"] == name)
        .ok_or_else(|| format!("no {name} among {names:?}"))
        .unwrap()
}
