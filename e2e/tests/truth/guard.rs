//! The route table on GatewaySubnet (lab.md, bonus exercise): said before it bites, named with the route to add when it has
//! bitten, and nothing when it is mended.

use super::*;
use causeway_sandbox::world::World;
use serde_json::json;

/// What there is to add.
const MEND: &str = "add a route for 172.29.255.0/24 with next hop type VnetLocal";

/// The lab's world with a route table on GatewaySubnet that sends the virtual network to an appliance.
fn world(mended: bool, forwards: bool) -> World {
    let mut w = serde_json::to_value(World::default()).unwrap();
    let mut routes = vec![
        json!({"name": "vnet-to-nva", "addressPrefix": "172.29.0.0/16",
        "nextHopType": "VirtualAppliance", "nextHopIpAddress": "172.29.10.4"}),
    ];
    if mended {
        routes.push(json!({"name": "gw-local", "addressPrefix": "172.29.255.0/24", "nextHopType": "VnetLocal"}));
    }
    w["azure"]["routeTables"] = json!([{"name": "gw-routes", "routes": routes}]);
    for subnet in w["azure"]["virtualNetworks"][0]["subnets"]
        .as_array_mut()
        .unwrap()
    {
        if subnet["name"] == "GatewaySubnet" {
            subnet["routeTable"] = json!("gw-routes");
        }
    }
    // Packets to the machines go through the appliance as well; only the gateways' sessions are in question here.
    let list = if forwards {
        "forwardingAppliances"
    } else {
        "filteringAppliances"
    };
    w["network"][list] = json!(["172.29.10.4"]);
    serde_json::from_value(w).unwrap()
}

/// Runs the lab in a world until `look` says so, and hands over what it says then.
fn end(world: World, what: &str, look: impl AsyncFn(&Rig) -> bool) -> (Value, Vec<Value>, Value) {
    simulate(async || {
        let mut rig = Rig::new(&Case {
            world,
            ..Case::lab()
        });
        rig.start_operator();
        rig.apply_all().await;
        rig.until(what, PATIENCE, async |r| look(r).await).await;
        rig.pass(Duration::from_mins(10)).await;
        let out = (
            interconnect(&rig).await,
            rig.list("events.k8s.io/v1/Event").await,
            report(&rig).await,
        );
        rig.stop_operator().await;
        out
    })
}

fn warned(events: &[Value]) -> bool {
    events.iter().any(|e| {
        let text = e.to_string();
        text.contains("RouteTableTrap") && text.contains(MEND)
    })
}

async fn well(rig: &Rig) -> bool {
    let lab = interconnect(rig).await;
    HEALTH.iter().all(|k| said(&lab, k).0 == "True")
}

#[test]
fn the_trap_is_said_before_it_bites() {
    let (lab, events, report) = end(world(false, true), "all is well", well);
    let (status, _, message) = said(&lab, "Redundant");
    assert_eq!(status, "True");
    assert!(
        message.contains("at risk") && message.contains(MEND),
        "{message}"
    );
    let _ = events;
    let table = vantage(&report, "gateway-subnet");
    assert_eq!(table["routes"][0]["prefix"], "172.29.0.0/16");
    assert_eq!(table["routes"][0]["nextHop"], "172.29.10.4");
    println!("before it bites: {message}");
}

#[test]
fn the_trap_that_has_bitten_names_the_route_to_add() {
    let bitten = async |r: &Rig| {
        let lab = interconnect(r).await;
        said(&lab, "BGPEstablished").1 == "SessionDown"
            && said(&lab, "RoutesAsExpected").1 == "MissingPrefix"
    };
    let (lab, events, report) = end(world(false, false), "the broken mesh", bitten);
    for kind in ["BGPEstablished", "RoutesAsExpected", "Redundant"] {
        let (status, reason, message) = said(&lab, kind);
        assert_eq!(status, "False", "{kind} {reason}: {message}");
        assert!(message.contains(MEND), "{kind}: {message}");
        println!("bitten: {kind} {reason}: {message}");
    }
    // ExpressRoute carries the traffic on; what would take over is gone.
    assert_eq!(said(&lab, "Available").0, "True");
    assert_eq!(lab["status"]["activePath"], "ExpressRoute");
    let vpn = lab["status"]["paths"]
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["kind"] == "VPN")
        .unwrap();
    assert_eq!(vpn["azureToAWS"], "Down", "{vpn}");
    assert_eq!(vantage(&report, "er-gateway")["state"], "Unreadable");
    assert!(warned(&events), "{events:?}");
}

#[test]
fn with_the_route_to_the_subnet_itself_there_is_no_trap() {
    let (lab, events, _) = end(world(true, false), "all is well", well);
    for kind in HEALTH {
        let (_, _, message) = said(&lab, kind);
        assert!(!message.contains("VnetLocal"), "{kind}: {message}");
    }
    assert!(!warned(&events));
}
