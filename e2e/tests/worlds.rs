//! What is special about single worlds of `e2e/worlds/`: the leak between two ports of one router, and the route on
//! GatewaySubnet that takes the gateways' sessions away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // a failed assumption is a failed test

use causeway::clients::megaport::{RouterBgp, RouterInterface, VxcUpdate};
use causeway_e2e::harness::{Human, Rig, simulate, worlds};
use causeway_sandbox::net::{self, view::Port};
use serde_json::Value;
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

async fn built(name: &str) -> Rig {
    let mut rig = Rig::new(&worlds::named(name));
    rig.apply_all().await;
    rig.start_operator();
    rig.until("it is built and judged", HOUR * 4, async |rig| {
        let all = rig.list("HybridInterconnect").await;
        rig.all_say("Provisioned").await
            && all.iter().all(|h| h["status"]["activePath"].is_string())
    })
    .await;
    rig
}

fn condition(object: &Value, kind: &str) -> (String, String, String) {
    let all = object["status"]["conditions"].as_array().unwrap();
    let found = all
        .iter()
        .find(|c| c["type"] == kind)
        .unwrap_or_else(|| panic!("no {kind}: {all:#?}"));
    let text = |f: &str| found[f].as_str().unwrap().to_owned();
    (text("status"), text("reason"), text("message"))
}

/// Takes the export filters off both sessions with Microsoft.
async fn unfilter(rig: &Rig) {
    let person = Human::of(rig).await.megaport;
    let products = person.products().await.unwrap();
    let mut changed = 0;
    for vxc in &products.vxcs {
        let Some(router) = vxc.router.as_ref().filter(|_| !vxc.status.is_gone()) else {
            continue;
        };
        let [interface] = &router.interfaces[..] else {
            continue;
        };
        let [session] = &interface.sessions[..] else {
            continue;
        };
        if session.deny_export_to.is_empty() {
            continue;
        }
        let update = VxcUpdate {
            interfaces: Some(vec![RouterInterface {
                description: String::new(),
                vlan: interface.vlan.or(vxc.b_end.inner_vlan).map(|v| v as u16),
                address: interface.ip_addresses[0].parse().unwrap(),
                sessions: vec![RouterBgp {
                    peer_asn: session.row.peer_asn.unwrap(),
                    local_address: session.row.local_ip_address.parse().unwrap(),
                    peer_address: session.row.peer_ip_address.parse().unwrap(),
                    password: None,
                    shutdown: false,
                    description: String::new(),
                    bfd: session.bfd,
                    as_path_prepend: 0,
                    med_out: None,
                    deny_export_to: Vec::new(),
                }],
            }]),
            ..VxcUpdate::default()
        };
        // The router takes one change at a time.
        while person.update_vxc(&vxc.uid, &update).await.is_err() {
            rig.pass(Duration::from_secs(5)).await;
        }
        changed += 1;
    }
    assert_eq!(changed, 2, "the operator set a filter on each port");
}

#[test]
fn without_filters_each_port_shows_the_other_ones_prefixes_and_the_verdict_names_the_filter() {
    simulate(async || {
        let mut rig = built(worlds::UNFILTERED).await;
        let circuit = rig
            .sandbox
            .live()
            .into_iter()
            .find(|o| o.kind == "expressRouteCircuits")
            .unwrap()
            .id;
        let leaks = |rig: &Rig, port| {
            rig.sandbox.read(|s| {
                let rows = net::circuit_routes(s, &circuit, port);
                rows.iter().any(|r| r.as_path == [64600, 12076])
            })
        };
        assert!(
            !leaks(&rig, Port::Primary) && !leaks(&rig, Port::Secondary),
            "filtered at first"
        );
        rig.until("the contract holds", HOUR, async |rig| {
            let hi = rig.get("HybridInterconnect", "lab").await.unwrap();
            condition(&hi, "RoutesAsExpected").0 == "True"
        })
        .await;
        unfilter(&rig).await;
        rig.until("the verdict", HOUR, async |rig| {
            let hi = rig.get("HybridInterconnect", "lab").await.unwrap();
            condition(&hi, "RoutesAsExpected").1 == "UnexpectedPrefix"
        })
        .await;
        rig.pass(Duration::from_mins(3)).await;
        assert!(leaks(&rig, Port::Primary) && leaks(&rig, Port::Secondary));
        let hi = rig.get("HybridInterconnect", "lab").await.unwrap();
        let (status, reason, message) = condition(&hi, "RoutesAsExpected");
        println!("{status} {reason}: {message}");
        assert_eq!(
            (status.as_str(), reason.as_str()),
            ("False", "UnexpectedPrefix")
        );
        for words in [
            "port Primary",
            "port Secondary",
            "172.29.0.0/16",
            "12076",
            "bgp.exportFilter",
            "169.254.101.218",
            "169.254.101.222",
        ] {
            assert!(message.contains(words), "{message:?} lacks {words:?}");
        }
        // Both ports' tables in the report, with the path.
        let report = rig.get("RouteReport", "hi-lab").await.unwrap();
        for port in ["primary", "secondary"] {
            let vantages = report["status"]["vantages"].as_array().unwrap();
            let name = format!("lab-er-main-circuit-{port}");
            let vantage = vantages
                .iter()
                .find(|v| v["name"] == name.as_str())
                .unwrap();
            let text = vantage["routes"].to_string();
            assert!(text.contains("64600 12076"), "{name}: {text}");
        }
        // The traffic goes on: what leaks is longer than what is there.
        assert_eq!(hi["status"]["activePath"], "ExpressRoute");
        // The drift is reported, not repaired: the person's change stands.
        let er = rig.get("ExpressRouteLink", "lab-er-main").await.unwrap();
        assert_eq!(condition(&er, "InSync").0, "False");
        // What the message asks for mends it: Auto, and drift repaired.
        let patch = serde_json::json!({"spec": {"driftPolicy": "Repair"}});
        rig.kind("HybridInterconnect")
            .patch(
                "lab",
                &kube::api::PatchParams::default(),
                &kube::api::Patch::Merge(&patch),
            )
            .await
            .unwrap();
        rig.until("the leak is closed", HOUR, async |rig| {
            let hi = rig.get("HybridInterconnect", "lab").await.unwrap();
            condition(&hi, "RoutesAsExpected").0 == "True"
        })
        .await;
        assert!(!leaks(&rig, Port::Primary) && !leaks(&rig, Port::Secondary));
        rig.stop_operator().await;
    });
}

#[test]
fn the_route_on_gateway_subnet_breaks_the_mesh_and_status_says_which_route_to_add() {
    simulate(async || {
        let mut rig = built("gateway-subnet-appliance").await;
        rig.pass(Duration::from_mins(10)).await;
        let hi = rig.get("HybridInterconnect", "lab").await.unwrap();
        // ExpressRoute carries on; the VPN would not.
        assert_eq!(hi["status"]["activePath"], "ExpressRoute");
        assert_eq!(condition(&hi, "Available").0, "True");
        assert_ne!(condition(&hi, "Redundant").0, "True");
        let vpn = rig.get("VpnPair", "lab-vpn").await.unwrap();
        let told = [
            condition(&hi, "RoutesAsExpected"),
            condition(&hi, "BGPEstablished"),
            condition(&vpn, "RoutesAsExpected"),
        ];
        for t in &told {
            println!("{t:?}");
        }
        let told = told.iter().map(|t| t.2.as_str()).collect::<String>();
        for words in ["GatewaySubnet", "Virtual network"] {
            assert!(told.contains(words), "{told:?} lacks {words:?}");
        }
        // The peers' API answers 500.
        let refused = rig
            .calls_since(0)
            .iter()
            .any(|c| c.operation.contains("getBgpPeerStatus") && c.status >= 500);
        let failed = rig.sandbox.read(|s| {
            net::gateway_peers(
                s,
                hi["status"]["slots"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .find(|s| s["name"] == "er-gateway")
                    .unwrap()["id"]
                    .as_str()
                    .unwrap(),
            )
            .is_none()
        });
        assert!(refused || failed);
        rig.stop_operator().await;
        let mut rig = built("gateway-subnet-local").await;
        rig.until("all is well", HOUR, async |rig| {
            let hi = rig.get("HybridInterconnect", "lab").await.unwrap();
            ["RoutesAsExpected", "BGPEstablished", "Redundant", "Ready"]
                .iter()
                .all(|c| condition(&hi, c).0 == "True")
        })
        .await;
        rig.stop_operator().await;
    });
}
