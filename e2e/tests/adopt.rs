//! `adoptID` and `deletionPolicy: Retain`: what exists is taken over after a look at whether it fits, by writing marks and
//! nothing else; and let go of without a trace.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use causeway::clients::azure::{
    ExpressRouteGatewaySpec, PublicIpSpec, ResourceId, VpnGatewaySpec, VpnInstanceSpec,
};
use causeway::clients::megaport::{McrOrder, Tags};
use causeway_aws::{DirectConnectApi, Ec2Api, Select};
use causeway_e2e::harness::rig::by_operation;
use causeway_e2e::harness::truth::{Scope, Truth};
use causeway_e2e::harness::{Case, Human, Rig, router_order, simulate};
use causeway_e2e::objects::condition;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(4);
/// What marks are written with: tags, and the token in a Megaport product's name.
const MARKS: [&str; 6] = [
    "PATCH",
    "CreateTags",
    "DeleteTags",
    "TagResource",
    "UntagResource",
    "tags",
];

async fn object(rig: &Rig, kind: &str, name: &str) -> Value {
    rig.get(kind, name).await.unwrap_or_default()
}

async fn refused(rig: &Rig, name: &str, reason: &str) -> String {
    rig.until(reason, PATIENCE, async |r| {
        let o = object(r, "HybridInterconnect", name).await;
        condition(&o, "Accepted").1 == reason
    })
    .await;
    condition(&object(rig, "HybridInterconnect", name).await, "Accepted").2
}

/// The private path of the lab: everything that has an `adoptID` but the VPN gateway.
fn private() -> Case {
    let mut case = Case::lab();
    case.manifests[0]["spec"]
        .as_object_mut()
        .unwrap()
        .remove("vpn");
    case
}

/// IDs of an interconnect's objects and of its links', by slot.
async fn slots(rig: &Rig, parent: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (kind, name) in [
        ("HybridInterconnect", parent.to_owned()),
        ("ExpressRouteLink", format!("{parent}-er-main")),
        ("DirectConnectLink", format!("{parent}-dx-main")),
    ] {
        let o = object(rig, kind, &name).await;
        for s in o["status"]["slots"].as_array().into_iter().flatten() {
            if s["phase"] != "Imported" {
                all.insert(s["name"].as_str().unwrap().to_owned(), s.clone());
            }
        }
    }
    all
}

fn only_marks(rig: &Rig, since: u64) -> usize {
    let calls = rig.mutating_since(since);
    eprintln!("mutating:\n{}", by_operation(&calls));
    for call in &calls {
        let said = format!("{} {} {}", call.method, call.operation, call.path);
        let renames = call.method == "PUT" && call.path.contains("/product/");
        assert!(
            renames || MARKS.iter().any(|m| said.contains(m)),
            "more than marks was written: {said}"
        );
    }
    calls.len()
}

/// Everything that still carries a mark of ours.
async fn marked(human: &Human, ids: &BTreeMap<String, String>) -> Vec<String> {
    let mut left = Vec::new();
    let mut look = |what: &str, tags: &BTreeMap<String, String>| {
        left.extend(
            tags.keys()
                .filter(|k| k.starts_with("causeway-"))
                .map(|k| format!("{what}: {k}")),
        );
    };
    let arm = |slot: &str| ResourceId::new(ids[slot].clone());
    look(
        "circuit",
        &human
            .azure
            .circuit(&arm("circuit"))
            .await
            .unwrap()
            .unwrap()
            .tags,
    );
    look(
        "er-gateway",
        &human
            .azure
            .gateway(&arm("er-gateway"))
            .await
            .unwrap()
            .unwrap()
            .tags,
    );
    let c = human
        .azure
        .connection(&arm("er-connection"))
        .await
        .unwrap()
        .unwrap();
    look("er-connection", &c.tags);
    look(
        "vgw",
        &human
            .aws
            .vpn_gateways(&Select::id(&ids["vgw"]))
            .await
            .unwrap()[0]
            .tags,
    );
    let gateways = human.aws.dx_gateways().await.unwrap();
    look(
        "dxgw",
        &gateways.iter().find(|g| g.id == ids["dxgw"]).unwrap().tags,
    );
    look(
        "vif",
        &human.aws.vif(&ids["vif"]).await.unwrap().unwrap().tags,
    );
    for slot in ["router-a", "vxc-primary", "vxc-aws"] {
        look(
            slot,
            &human.megaport.tags(&ids[slot]).await.unwrap().unwrap(),
        );
    }
    let products = human.megaport.products().await.unwrap();
    let names = products
        .mcrs
        .iter()
        .map(|m| &m.name)
        .chain(products.vxcs.iter().map(|v| &v.name));
    left.extend(names.filter(|n| n.contains("cw-")).cloned());
    left
}

#[test]
fn what_is_retained_is_clean_and_is_taken_over_whole() {
    simulate(async || {
        let mut case = private();
        case.manifests[0]["spec"]["deletionPolicy"] = "Retain".into();
        case.manifests[0]["spec"]["azure"]["tags"] = json!({"cost": "42"});
        let scope = Scope::of(&case.world, &case.manifests).remove(0);
        let carries = |r: &Rig| {
            r.sandbox
                .read(|s| Truth::of(s, &scope).active() == "ExpressRoute")
        };
        let mut rig = Rig::new(&case);
        rig.start_operator();
        rig.apply_all().await;
        rig.until("Ready", PATIENCE, async |r| {
            r.all_say("Ready").await && r.seen().await.objects.len() == 3
        })
        .await;
        let human = Human::of(&rig).await;
        let ids: BTreeMap<String, String> = slots(&rig, "lab")
            .await
            .into_iter()
            .map(|(k, v)| (k, v["id"].as_str().unwrap_or_default().to_owned()))
            .collect();
        assert!(
            !marked(&human, &ids).await.is_empty(),
            "nothing was marked to begin with"
        );
        let (bought, before) = (rig.products(), rig.last_call());

        rig.delete("HybridInterconnect", "lab").await;
        rig.until("let go", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        rig.pass(Duration::from_mins(10)).await;
        let released = only_marks(&rig, before);
        assert_eq!(marked(&human, &ids).await, Vec::<String>::new());
        assert!(carries(&rig), "letting go cut the path");
        let circuit = human
            .azure
            .circuit(&ResourceId::new(ids["circuit"].clone()))
            .await;
        assert_eq!(
            circuit.unwrap().unwrap().tags["cost"],
            "42",
            "others' tags stay"
        );

        let mut again = case.manifests[0].clone();
        again["metadata"]["name"] = "again".into();
        let spec = &mut again["spec"];
        spec["deletionPolicy"] = "Delete".into();
        let adopt = |entry: &mut Value, slot: &str| entry["adoptID"] = ids[slot].as_str().into();
        adopt(&mut spec["azure"]["expressRouteGateway"], "er-gateway");
        adopt(&mut spec["aws"]["virtualPrivateGateway"], "vgw");
        adopt(&mut spec["aws"]["directConnectGateway"], "dxgw");
        adopt(&mut spec["megaport"]["routers"][0], "router-a");
        let er = &mut spec["expressRoutes"][0];
        adopt(&mut er["circuit"], "circuit");
        adopt(&mut er["ports"][0], "vxc-primary");
        er["connection"] = json!({"name": "lab-er-main-connection"});
        let dx = &mut spec["directConnects"][0];
        adopt(dx, "vxc-aws");
        // The key that the first interconnect generated and left behind.
        dx["virtualInterface"]["authKeySecretRef"] =
            json!({"name": "dx-lab-dx-main-keys", "key": "vif-auth-key"});
        let before = rig.last_call();
        rig.create(&again).await;
        rig.until("taken over", PATIENCE, async |r| {
            assert!(carries(r), "taking over cut the path");
            r.all_say("Ready").await && r.seen().await.objects.len() == 3
        })
        .await;
        rig.pass(Duration::from_mins(10)).await;
        let adopted = only_marks(&rig, before);
        assert_eq!(rig.products(), bought, "something was bought again");
        let now = slots(&rig, "again").await;
        let flagged = now.values().filter(|s| s["adopted"] == true).count();
        assert_eq!(flagged, 8, "{now:#?}");
        for (slot, id) in &ids {
            // A propagation that is on already is somebody else's.
            if slot != "keys" && !slot.starts_with("propagation-") {
                assert_eq!(now[slot]["id"], id.as_str(), "{slot}");
            }
        }
        let circuit = human
            .azure
            .circuit(&ResourceId::new(ids["circuit"].clone()))
            .await;
        assert_eq!(circuit.unwrap().unwrap().tags["cost"], "42");

        rig.delete("HybridInterconnect", "again").await;
        rig.until("gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        rig.stop_operator().await;
        assert_eq!(rig.leftovers(), Vec::<String>::new());
        eprintln!(
            "{released} writes to let go of 12 objects, {adopted} to take them over, none bought"
        );
    });
}

async fn router(human: &Human, asn: u32) -> String {
    let order = McrOrder {
        asn,
        cost_centre: Some("theirs".to_owned()),
        tags: Tags::from([("team".to_owned(), "core".to_owned())]),
        ..router_order()
    };
    human.megaport.buy_mcr(&order).await.unwrap()
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_made() {
    simulate(async || {
        let mut rig = Rig::new(&private());
        let human = Human::of(&rig).await;
        let (wrong, right) = (router(&human, 64555).await, router(&human, 64600).await);
        rig.pass(Duration::from_mins(30)).await;
        rig.start_operator();
        let mut cases = 0;
        let before = rig.last_call();
        for (i, (uid, words)) in [
            (
                wrong.as_str(),
                &[
                    "spec.megaport.routers[a].adoptID",
                    "asn is 64555",
                    "says 64600",
                    "correct",
                ][..],
            ),
            (
                "11111111-2222-4333-8444-555555555555",
                &["routers[a].adoptID", "exists", "remove it"][..],
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let mut case = private().manifests.remove(0);
            case["spec"]["megaport"]["routers"][0]["adoptID"] = uid.into();
            if i == 0 {
                rig.apply_all_but_objects().await;
            }
            rig.create(&case).await;
            let message = refused(&rig, "lab", "AdoptionRefused").await;
            eprintln!("{message}");
            for w in words {
                assert!(message.contains(w), "{w}: {message}");
            }
            rig.pass(Duration::from_mins(5)).await;
            assert_eq!(
                by_operation(&rig.mutating_since(before)),
                "",
                "something was made beside a refused adoption"
            );
            assert_eq!(rig.seen().await.objects.len(), 1, "links were made");
            rig.delete("HybridInterconnect", "lab").await;
            rig.until("gone", PATIENCE, async |r| {
                r.seen().await.objects.is_empty()
            })
            .await;
            cases += 1;
        }
        // The person mends the spec: the router that fits is taken over, what others wrote on it stays.
        let mut case = private().manifests.remove(0);
        case["spec"]["megaport"]["routers"][0]["adoptID"] = right.as_str().into();
        rig.create(&case).await;
        rig.until("taken over", PATIENCE, async |r| {
            slots(r, "lab")
                .await
                .get("router-a")
                .is_some_and(|s| s["phase"] == "Ready")
        })
        .await;
        rig.pass(Duration::from_mins(1)).await;
        let tags = human.megaport.tags(&right).await.unwrap().unwrap();
        assert_eq!(tags["team"], "core");
        assert!(tags.contains_key("causeway-owner"));
        let mcr = human.megaport.mcr(&right).await.unwrap().unwrap();
        assert_eq!(mcr.cost_centre.as_deref(), Some("theirs"));
        // A second one that claims it gets NameConflict and touches nothing.
        case["metadata"]["name"] = "second".into();
        rig.create(&case).await;
        let message = refused(&rig, "second", "NameConflict").await;
        eprintln!("{message}");
        assert!(
            message.contains("HybridInterconnect network/lab"),
            "{message}"
        );
        let second = rig.get("HybridInterconnect", "second").await.unwrap();
        assert!(
            second["status"]["slots"]
                .as_array()
                .unwrap()
                .iter()
                .all(|s| s["id"].is_null()
                    || s["phase"] == "Imported"
                    || s["phase"] == "Ready" && s["name"] == "router-a"),
            "{second:#}"
        );
        rig.delete("HybridInterconnect", "second").await;
        rig.until("second gone", PATIENCE, async |r| {
            r.get("HybridInterconnect", "second").await.is_none()
        })
        .await;
        assert_eq!(
            human.megaport.tags(&right).await.unwrap().unwrap(),
            tags,
            "the second one touched it"
        );
        rig.delete("HybridInterconnect", "lab").await;
        rig.until("gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        rig.stop_operator().await;
        let live: Vec<String> = rig.sandbox.live().into_iter().map(|o| o.id).collect();
        assert_eq!(
            live,
            vec![wrong.clone()],
            "the adopted router goes with its owner, the other one stays"
        );
        eprintln!("{} refusals", cases + 1);
    });
}

#[test]
fn a_person_s_gateways_are_taken_over_with_what_belongs_to_them() {
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        let human = Human::of(&rig).await;
        let subnet = ResourceId::network(
            "00000000-0000-4000-8000-000000000001",
            "vpn-rg",
            "virtualNetworks",
            "vnet",
        )
        .gateway_subnet();
        let ips = [
            human.id("publicIPAddresses", "ip-a"),
            human.id("publicIPAddresses", "ip-b"),
        ];
        for ip in &ips {
            let spec = PublicIpSpec {
                location: "eastus2".to_owned(),
                tags: BTreeMap::from([("team".to_owned(), "core".to_owned())]),
                zones: ["1", "2", "3"].map(str::to_owned).to_vec(),
            };
            human.azure.create_public_ip(ip, &spec).await.unwrap();
        }
        rig.pass(Duration::from_mins(2)).await;
        let gateway = human.id("virtualNetworkGateways", "their-vpn");
        let spec = VpnGatewaySpec {
            location: "eastus2".to_owned(),
            tags: BTreeMap::from([("team".to_owned(), "core".to_owned())]),
            sku: "VpnGw2AZ".to_owned(),
            generation: "Generation2".to_owned(),
            asn: 65515,
            subnet: subnet.clone(),
            instances: ["left", "right"]
                .into_iter()
                .zip(&ips)
                .map(|(n, ip)| VpnInstanceSpec {
                    ip_configuration: n.to_owned(),
                    public_ip: ip.clone(),
                    bgp_addresses: Vec::new(),
                })
                .collect(),
        };
        human
            .azure
            .create_vpn_gateway(&gateway, &spec)
            .await
            .unwrap();
        rig.pass(Duration::from_hours(1)).await;
        let er = human.id("virtualNetworkGateways", "their-er");
        let spec = ExpressRouteGatewaySpec {
            location: "eastus2".to_owned(),
            tags: BTreeMap::new(),
            sku: "ErGw1AZ".to_owned(),
            subnet,
        };
        human
            .azure
            .create_express_route_gateway(&er, &spec)
            .await
            .unwrap();
        rig.pass(Duration::from_hours(1)).await;
        rig.start_operator();
        rig.apply_all_but_objects().await;
        let mut case = Case::lab().manifests.remove(0);
        case["spec"]["azure"]["expressRouteGateway"] =
            json!({"sku": "ErGw1AZ", "adoptID": er.as_str()});
        case["spec"]["vpn"]["gateway"] = json!({"sku": "VpnGw2AZ", "adoptID": gateway.as_str()});
        case["spec"]["vpn"]["bgpTunnelsPerInstance"] = 2.into();
        rig.create(&case).await;
        rig.until("Ready", PATIENCE, async |r| {
            r.all_say("Ready").await && r.seen().await.objects.len() == 4
        })
        .await;
        let bought: Vec<String> = rig.products().into_iter().map(|p| p.0).collect();
        eprintln!("bought: {bought:?}");
        assert!(
            !bought
                .iter()
                .any(|k| k.to_lowercase().contains("gateway")
                    || k.to_lowercase().contains("publicip")),
            "{bought:?}"
        );
        let tags = human.azure.gateway(&gateway).await.unwrap().unwrap().tags;
        assert_eq!(tags["team"], "core");
        let vpn = rig.get("VpnPair", "lab-vpn").await.unwrap();
        let adopted: Vec<&str> = vpn["status"]["slots"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|s| s["adopted"] == true)
            .filter_map(|s| s["name"].as_str())
            .collect();
        assert_eq!(adopted, ["pip-0", "pip-1", "vpn-gateway"]);
        // adoptID may be dropped once the takeover is done: the record keeps the object.
        let before = rig.last_call();
        let patch = json!({"spec": {"azure": {"expressRouteGateway": {"adoptID": null}}, "vpn": {"gateway": {"adoptID": null}}}});
        let api = rig.kind("HybridInterconnect");
        api.patch("lab", &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
        rig.pass(Duration::from_mins(30)).await;
        assert_eq!(by_operation(&rig.mutating_since(before)), "");
        assert!(rig.all_say("Ready").await);
        rig.delete("HybridInterconnect", "lab").await;
        rig.until("gone", PATIENCE, async |r| {
            r.seen().await.objects.is_empty()
        })
        .await;
        rig.stop_operator().await;
        assert_eq!(rig.leftovers(), Vec::<String>::new());
    });
}
