//! The lab's whole life on all three clouds at once: made and taken down as fast as the providers allow. Checks what no
//! provider's own tests can: the critical path against the time it really took, ledger, live objects, sessions, traces,
//! the fail-over, and that copies of the state go on identically.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
mod aws_support;
mod lab_driver;
mod megaport_support;

use causeway_sandbox::critical::Kind;
use causeway_sandbox::{Sandbox, World};
use lab_driver::{CREATE, DELETE, Lab};
use serde_json::json;
use std::time::Duration;

fn report(what: &str, took: f64, lab: &Lab, kind: Kind) {
    let path = lab.sandbox.critical_path(kind, None);
    println!("{what}: {took} s, critical path {} s", path.seconds);
    for s in &path.chain {
        println!(
            "  {:7.1} {:7.1}  {} {}",
            s.done_after, s.seconds, s.operation, s.resource
        );
    }
    assert!(
        path.seconds > 0.0 && took >= path.seconds - 1.0,
        "{what} was faster than its critical path"
    );
    assert!(
        took <= 1.05 * path.seconds,
        "{what} took {took} s, its critical path {} s",
        path.seconds
    );
}

#[tokio::test(start_paused = true)]
async fn the_labs_whole_life() {
    let mut world = World {
        jitter: 0.0,
        ..World::default()
    };
    world.lags.values_mut().for_each(|l| *l = 0.0);
    let lab = Lab::new(world).await;
    let at_start = lab.get("/diff");
    assert_eq!(at_start, json!([]));

    let took = lab.walk(CREATE, true).await;
    report("create", took, &lab, Kind::Create);
    let kinds = |open: bool| {
        let mut kinds: Vec<String> = lab
            .sandbox
            .ledger()
            .into_iter()
            .filter(|e| e.ended_at.is_none() == open)
            .map(|e| {
                serde_json::to_value(e.kind)
                    .unwrap()
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        kinds.sort();
        kinds
    };
    let bought = [
        "expressRouteCircuit",
        "expressRouteGateway",
        "mcr",
        "publicIPAddress",
        "publicIPAddress",
        "vpnConnection",
        "vpnConnection",
        "vpnGateway",
        "vxc",
        "vxc",
    ];
    assert_eq!(kinds(true), bought);
    assert_eq!(kinds(false), [""; 0]);

    // A minute for tunnels and sessions, then both directions go over ExpressRoute.
    tokio::time::sleep(Duration::from_mins(2)).await;
    for session in lab.sandbox.sessions() {
        println!("  {} {:?} {:?}", session.id, session.state, session.reason);
    }
    assert_eq!(lab.path("vm", "ec2"), "ExpressRoute");
    assert_eq!(lab.path("ec2", "vm"), "ExpressRoute");
    lab.show("/sessions");
    lab.show("/trace?from=vm&to=ec2");
    lab.show("/links");
    lab.show("/nodes");

    // The lab's fail-over: BGP shut on the VXC to AWS.
    let vif = lab
        .sandbox
        .sessions()
        .into_iter()
        .find(|s| s.kind == "vif")
        .unwrap();
    let id = url::form_urlencoded::byte_serialize(vif.id.as_bytes()).collect::<String>();
    lab.post(&format!("/sessions/{id}/shutdown"));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(lab.path("vm", "ec2"), "VPN");
    assert_eq!(lab.path("ec2", "vm"), "VPN");
    lab.post(&format!("/sessions/{id}/start"));
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(lab.path("vm", "ec2"), "ExpressRoute");
    assert_eq!(lab.path("ec2", "vm"), "ExpressRoute");
    lab.show("/ledger");
    lab.show("/live");
    lab.show("/diff");
    lab.show("/critical-path?kind=create");

    let took = lab.walk(DELETE, false).await;
    report("delete", took, &lab, Kind::Delete);
    lab.show("/critical-path?kind=delete");
    lab.show("/operations");
    assert_eq!(kinds(true), [""; 0]);
    assert_eq!(kinds(false), bought);
    assert_eq!(lab.get("/diff"), json!([]));
    // What AWS keeps listing for a while is not counted as living.
    assert_eq!(lab.get("/live"), json!([]));
    assert_eq!(lab.sandbox.sessions().len(), 0);
}

/// The whole state without what is wall time by nature: the dates in signed requests.
fn frozen(sandbox: &Sandbox) -> String {
    let mut state = sandbox.snapshot();
    for call in &mut state.calls.entries {
        call.headers.clear();
    }
    serde_json::to_string(&state).unwrap()
}

#[tokio::test(start_paused = true)]
async fn copies_of_the_standing_lab_go_on_identically_also_from_json() {
    // The default world: durations vary and reads lag.
    let lab = Lab::new(World::default()).await;
    lab.walk(CREATE, true).await;
    let state = lab.sandbox.snapshot();
    let json = serde_json::to_string(&state).unwrap();
    let reread: causeway_sandbox::State = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&reread).unwrap(), json);
    let mut ends = Vec::new();
    for state in [state, reread] {
        let copy = lab.on(Sandbox::from_state(state, 1.0));
        copy.walk(DELETE, false).await;
        assert_eq!(copy.sandbox.live(), []);
        ends.push(frozen(&copy.sandbox));
    }
    assert!(
        ends[0] == ends[1],
        "two copies of one state came to different ends"
    );
}
