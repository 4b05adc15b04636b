//! The lab with its Direct Connect as a hosted connection: Megaport makes the connection, the operator accepts it, makes
//! the virtual interface on it and takes it down again before the VXC, which Megaport refuses to cancel otherwise
//! (aws.md §1.3, megaport.md §5).
#![allow(clippy::unwrap_used, clippy::print_stderr)] // a failed assumption is a failed test; numbers are for people

use causeway_e2e::demo::checks::bought_once;
use causeway_e2e::harness::{Case, Rig, simulate};
use causeway_sandbox::wire::Provider;
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(4);

fn case() -> Case {
    let mut case = Case::lab();
    let link = &mut case.manifests[0]["spec"]["directConnects"][0];
    assert_eq!(link["name"], "main");
    link["type"] = json!("HostedConnection");
    case
}

fn slot<'a>(link: &'a Value, name: &str) -> &'a Value {
    let slots = link["status"]["slots"].as_array().unwrap();
    slots.iter().find(|s| s["name"] == name).unwrap()
}

#[test]
fn a_hosted_connection_carries_the_lab_and_goes_after_its_virtual_interface() {
    simulate(async || {
        let mut rig = Rig::new(&case());
        rig.start_operator();
        rig.apply_all().await;
        for condition in ["Ready", "RoutesAsExpected", "Redundant"] {
            rig.until(condition, PATIENCE, async |r| {
                let seen = r.seen().await;
                seen.objects.get("hi/lab").is_some_and(|o| o.is(condition))
            })
            .await;
        }
        rig.until("the link is Ready", PATIENCE, async |r| {
            let seen = r.seen().await;
            seen.objects
                .get("dx/lab-dx-main")
                .is_some_and(|o| o.is("Ready"))
        })
        .await;
        let link = rig.get("DirectConnectLink", "lab-dx-main").await.unwrap();
        let connection = slot(&link, "connection");
        assert!(
            connection["id"].as_str().unwrap().starts_with("dxcon-"),
            "{connection}"
        );
        assert_eq!(link["status"]["connectionState"], "available");
        assert_eq!(link["status"]["virtualInterfaceState"], "available");
        for (from, to) in [("vm", "ec2"), ("ec2", "vm")] {
            let branches = rig.sandbox.trace(from, to).unwrap();
            let way: Vec<_> = branches.iter().map(|b| (b.arrives, &b.path)).collect();
            eprintln!("{from} to {to}: {way:?}");
            assert!(
                branches
                    .iter()
                    .all(|b| b.arrives && b.path == "ExpressRoute"),
                "{way:?}"
            );
        }

        let before = rig.last_call();
        rig.delete("HybridInterconnect", "lab").await;
        rig.until("everything is gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        rig.stop_operator().await;
        let calls = rig.calls_since(before);
        let refused: Vec<_> = calls
            .iter()
            .filter(|c| c.provider == Provider::Megaport && c.mutating && c.status != 200)
            .collect();
        assert!(refused.is_empty(), "the VXC went too early: {refused:#?}");
        let bought = rig.bought();
        assert_eq!(rig.leftovers(), Vec::<String>::new());
        assert_eq!(bought, bought_once());
    });
}
