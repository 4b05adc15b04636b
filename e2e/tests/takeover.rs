//! `adoptLink`: an interconnect takes stand-alone links over. Only marks and records move; no packet is lost, nothing is bought;
//! and whoever crashes, or is deleted in the middle, leaves everything with exactly one owner.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway_aws::Ec2Api;
use causeway_e2e::harness::rig::by_operation;
use causeway_e2e::harness::truth::{Scope, Truth};
use causeway_e2e::harness::{Case, Human, Rig, Snapshot, on_threads, simulate};
use causeway_e2e::objects::condition;
use causeway_e2e::trial::{document, interconnect_of};
use causeway_sandbox::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(4);
const LINKS: [(&str, &str); 3] = [
    ("ExpressRouteLink", "to-azure"),
    ("DirectConnectLink", "to-aws"),
    ("VpnPair", "backup"),
];
/// After how many milliseconds somebody acts: the links are told after about four seconds.
const MOMENTS: [u64; 14] = [
    0, 200, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500, 5_000, 30_000, 120_000,
];

/// Three links alone, Ready, on a person's router and virtual private gateway; and the interconnect that asks for them.
struct Alone {
    snapshot: Snapshot,
    interconnect: Value,
    router: String,
    /// What differs from an empty account by the person's doing.
    theirs: Vec<String>,
}

static ALONE: LazyLock<Alone> = LazyLock::new(|| {
    simulate(async || {
        let mut rig = Rig::new(&Case {
            world: World::default(),
            manifests: Vec::new(),
            seed: 1,
        });
        let human = Human::of(&rig).await;
        let (router, gateway) = (human.router().await, human.gateway(&rig).await);
        rig.pass(Duration::from_mins(5)).await;
        human
            .aws
            .enable_propagation("rtb-0a1b2c3d4e5f60718", &gateway)
            .await
            .unwrap();
        rig.pass(Duration::from_mins(5)).await;
        let theirs = rig.leftovers();
        let namespace = rig.namespace().to_owned();
        let mut links = [
            "expressroutelink.yaml",
            "directconnectlink.yaml",
            "vpnpair.yaml",
        ]
        .map(|file| document(file, &namespace));
        links[0]["spec"]["ports"][0]["routerRef"]["productUID"] = json!(router);
        links[1]["spec"]["routerRef"]["productUID"] = json!(router);
        links[1]["spec"]["association"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
        links[2]["spec"]["virtualPrivateGatewayRef"]["id"] = json!(gateway);
        rig.set_manifests(links.to_vec());
        rig.start_operator();
        rig.apply_all().await;
        rig.until("the links are Ready", PATIENCE, async |r| {
            r.all_say("Ready").await && r.seen().await.objects.len() == 3
        })
        .await;
        rig.stop_operator().await;
        Alone {
            interconnect: interconnect_of(&links, &router, &gateway),
            snapshot: rig.snapshot(),
            router,
            theirs,
        }
    })
});

/// The links alone with a new operator that has seen them.
async fn awake() -> Rig {
    let mut rig = Rig::from_snapshot(&ALONE.snapshot);
    rig.start_operator();
    rig.until("the links are Ready", PATIENCE, async |r| {
        r.all_say("Ready").await
    })
    .await;
    rig
}

/// IDs of everything that the four objects have, with who says that it is theirs.
async fn owners(rig: &Rig) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for (kind, name) in LINKS.into_iter().chain([("HybridInterconnect", "whole")]) {
        let object = rig.get(kind, name).await.unwrap_or_default();
        for s in object["status"]["slots"].as_array().into_iter().flatten() {
            let theirs = !matches!(
                s["phase"].as_str(),
                None | Some("Imported" | "Gone" | "Retained" | "Pending")
            );
            if let (true, Some(id)) = (theirs, s["id"].as_str()) {
                all.entry(id.to_lowercase())
                    .or_default()
                    .push(format!("{kind}/{}", s["name"].as_str().unwrap_or_default()));
            }
        }
    }
    all
}

/// Nothing but tags is written.
fn only_marks(rig: &Rig, since: u64, what: &str) {
    for call in rig.mutating_since(since) {
        let said = format!("{} {} {}", call.method, call.operation, call.path);
        let marks = ["PATCH", "CreateTags", "TagResource"];
        assert!(marks.iter().any(|m| said.contains(m)), "{what}: {said}");
    }
}

fn carries(rig: &Rig) -> bool {
    let scope = Scope::of(&World::default(), std::slice::from_ref(&ALONE.interconnect)).remove(0);
    rig.sandbox
        .read(|s| Truth::of(s, &scope).active() == "ExpressRoute")
}

/// Everything is taken over: all Ready, every object once, and the links the interconnect's.
async fn taken_over(rig: &Rig, since: u64, what: &str) {
    let before = owners(rig).await;
    let uid = rig.get("HybridInterconnect", "whole").await.unwrap()["metadata"]["uid"].clone();
    rig.until(&format!("taken over, {what}"), PATIENCE, async |r| {
        assert!(carries(r), "{what}: the path was cut");
        let mut theirs = r.all_say("Ready").await && r.seen().await.objects.len() == 4;
        for (kind, name) in LINKS {
            let link = r.get(kind, name).await.unwrap();
            theirs &= link["metadata"]["ownerReferences"][0]["uid"] == uid;
        }
        theirs
    })
    .await;
    rig.pass(Duration::from_mins(20)).await;
    only_marks(rig, since, what);
    let after = owners(rig).await;
    for (id, who) in &after {
        assert_eq!(who.len(), 1, "{what}: {id} belongs to {who:?}");
    }
    let ids = |all: &BTreeMap<String, Vec<String>>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(&after), ids(&before), "{what}");
    let whole = |slot: &str| {
        let name = format!("HybridInterconnect/{slot}");
        after.values().any(|who| who[0] == name)
    };
    for slot in ["er-gateway", "dxgw", "dxgw-association"] {
        assert!(whole(slot), "{what}: {slot} did not move: {after:#?}");
    }
    assert!(rig.all_say("InSync").await, "{what}");
}

/// What is left when all of ours is gone: the person's router and gateway, attached and propagated as they were.
fn only_the_persons_things(rig: &Rig, what: &str) {
    assert_eq!(rig.leftovers(), ALONE.theirs, "{what}");
}

#[test]
fn links_are_taken_over_by_marks_and_records_alone() {
    let alone = &*ALONE;
    simulate(async || {
        let rig = awake().await;
        let (bought, since) = (rig.products(), rig.last_call());
        rig.create(&alone.interconnect).await;
        taken_over(&rig, since, "undisturbed").await;
        assert_eq!(rig.products(), bought, "something was bought");
        eprintln!("{}", by_operation(&rig.mutating_since(since)));
        // Taking an entry out takes its link down, as with any other.
        rig.delete("HybridInterconnect", "whole").await;
        rig.until("gone", PATIENCE, Rig::all_gone).await;
        only_the_persons_things(&rig, "undisturbed");
    });
}

/// Some way into the takeover the operator dies and another one begins with nothing in its memory.
#[test]
fn an_operator_that_dies_in_the_middle_loses_and_doubles_nothing() {
    let alone = &*ALONE;
    on_threads(MOMENTS, None, |moment| {
        simulate(async || {
            let what = format!("crash after {moment} ms");
            let rig = awake().await;
            let since = rig.last_call();
            rig.create(&alone.interconnect).await;
            rig.pass(Duration::from_millis(moment)).await;
            let mut rig = Rig::from_snapshot(&rig.snapshot());
            rig.start_operator();
            taken_over(&rig, since, &what).await;
            rig.delete("HybridInterconnect", "whole").await;
            rig.until(&format!("gone, {what}"), PATIENCE, Rig::all_gone)
                .await;
            only_the_persons_things(&rig, &what);
        });
    });
}

/// The interconnect is deleted before it has told the links: they take back what is theirs. What was told goes with it.
#[test]
fn an_interconnect_that_is_deleted_in_the_middle_leaves_everything_with_one_owner() {
    let alone = &*ALONE;
    let ends = on_threads(MOMENTS, None, |moment| {
        simulate(async || {
            let what = format!("deleted after {moment} ms");
            let rig = awake().await;
            rig.create(&alone.interconnect).await;
            rig.pass(Duration::from_millis(moment)).await;
            rig.delete("HybridInterconnect", "whole").await;
            rig.until(
                &format!("the interconnect is gone, {what}"),
                PATIENCE,
                async |r| r.get("HybridInterconnect", "whole").await.is_none(),
            )
            .await;
            rig.until(
                &format!("the links are Ready, {what}"),
                PATIENCE,
                async |r| r.seen().await.objects.is_empty() || r.all_say("Ready").await,
            )
            .await;
            let left = rig.seen().await.objects.len();
            if left == 3 {
                assert!(carries(&rig), "{what}: the path was cut");
            }
            for (id, who) in owners(&rig).await {
                assert_eq!(who.len(), 1, "{what}: {id} belongs to {who:?}");
            }
            for (kind, name) in LINKS {
                if rig.get(kind, name).await.is_some() {
                    rig.delete(kind, name).await;
                }
            }
            rig.until(&format!("all gone, {what}"), PATIENCE, Rig::all_gone)
                .await;
            only_the_persons_things(&rig, &what);
            left
        })
    });
    eprintln!("links that lived on: {ends:?}");
    assert!(ends.contains(&3) && ends.contains(&0), "{ends:?}");
}

/// The links are deleted in the middle, and the interconnect later: what it has marked goes with it, the rest with the links.
#[test]
fn links_that_are_deleted_in_the_middle_leave_nothing() {
    let alone = &*ALONE;
    on_threads(MOMENTS, None, |moment| {
        simulate(async || {
            let what = format!("links deleted after {moment} ms");
            let rig = awake().await;
            rig.create(&alone.interconnect).await;
            rig.pass(Duration::from_millis(moment)).await;
            for (kind, name) in LINKS {
                rig.delete(kind, name).await;
            }
            rig.pass(Duration::from_hours(2)).await;
            rig.delete("HybridInterconnect", "whole").await;
            rig.until(&format!("gone, {what}"), PATIENCE, Rig::all_gone)
                .await;
            // Those that were the interconnect's already were made again while it lived.
            let mut left = rig.leftovers();
            left.retain(|l| !l.starts_with("bought"));
            assert_eq!(left, alone.theirs, "{what}");
        });
    });
}

#[test]
fn what_does_not_fit_is_refused_and_nothing_is_touched() {
    let alone = &*ALONE;
    simulate(async || {
        let rig = awake().await;
        let since = rig.last_call();
        let router = json!({"name": "a", "locationID": 67, "portSpeedMbps": 1000, "asn": 64600});
        let twice = &alone.interconnect["spec"]["expressRoutes"][0];
        let mut again = twice.clone();
        again["name"] = json!("second");
        let cases: [(&str, Value, &str, &[&str]); 9] = [
            (
                "/expressRoutes/0/adoptLink",
                json!("nobody"),
                "ReferenceNotFound",
                &[
                    "spec.expressRoutes[main].adoptLink",
                    "nobody",
                    "does not exist",
                ],
            ),
            (
                "/azure/expressRouteGateway/name",
                json!("other"),
                "AdoptionRefused",
                &["spec.expressRoutes[main].adoptLink", "ergw", "other"],
            ),
            (
                "/aws/directConnectGateway/amazonASN",
                json!(64902),
                "AdoptionRefused",
                &[
                    "spec.directConnects[main].adoptLink",
                    "amazonASN",
                    "64901",
                    "64902",
                ],
            ),
            (
                "/megaport/routers/0",
                router,
                "AdoptionRefused",
                &[
                    "ExpressRouteLink to-azure",
                    alone.router.as_str(),
                    "spec.megaport.routers[a].ref",
                ],
            ),
            (
                "/aws/virtualPrivateGatewayRef/id",
                json!("vgw-00000000000000000"),
                "AdoptionRefused",
                &[
                    "DirectConnectLink to-aws",
                    "vgw-00000000000000000",
                    "can not move",
                ],
            ),
            (
                "/expressRoutes/0/ports/0/name",
                json!("Secondary"),
                "AdoptionRefused",
                &["has the port Primary", "list it"],
            ),
            (
                "/expressRoutes",
                json!([twice, again]),
                "InvalidTopology",
                &[
                    "ExpressRouteLink to-azure is the link of two entries",
                    "spec.expressRoutes[main].adoptLink as well as spec.expressRoutes[second].adoptLink",
                ],
            ),
            (
                "/azure/expressRouteGateway",
                Value::Null,
                "AdoptionRefused",
                &[
                    "made the ExpressRoute gateway",
                    "belong to nobody",
                    "spec.azure.expressRouteGateway",
                ],
            ),
            (
                "/directConnects/0/adoptLink",
                Value::Null,
                "NameConflict",
                &["DirectConnectLink whole-dx-main exists", "adoptLink"],
            ),
        ];
        for (at, value, reason, words) in cases {
            let mut asked = alone.interconnect.clone();
            let spec = &mut asked["spec"];
            if value.is_null() {
                let (parent, field) = at.rsplit_once('/').unwrap();
                let map = spec.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                map.remove(field);
                if field == "expressRouteGateway" {
                    map.insert("expressRouteGatewayRef".to_owned(), json!({"name": "ergw"}));
                }
            } else if let Some(place) = spec.pointer_mut(at) {
                *place = value;
            } else {
                let (parent, field) = at.rsplit_once('/').unwrap();
                spec.pointer_mut(parent).unwrap()[field] = value;
            }
            if reason == "NameConflict" {
                let mut link = document("directconnectlink.yaml", rig.namespace());
                link["metadata"]["name"] = json!("whole-dx-main");
                link["spec"]["paused"] = json!(true);
                rig.create(&link).await;
            }
            rig.create(&asked).await;
            rig.until(&format!("{reason}: {words:?}"), PATIENCE, async |r| {
                let o = r.get("HybridInterconnect", "whole").await.unwrap();
                condition(&o, "Accepted").1 == reason
            })
            .await;
            let o = rig.get("HybridInterconnect", "whole").await.unwrap();
            let message = condition(&o, "Accepted").2;
            eprintln!("{message}");
            for w in words {
                assert!(message.contains(w), "{w}: {message}");
            }
            rig.delete("HybridInterconnect", "whole").await;
            rig.until("the interconnect is gone", PATIENCE, async |r| {
                r.get("HybridInterconnect", "whole").await.is_none()
            })
            .await;
        }
        rig.delete("DirectConnectLink", "whole-dx-main").await;
        rig.pass(Duration::from_mins(5)).await;
        assert_eq!(by_operation(&rig.mutating_since(since)), "");
        for (kind, name) in LINKS {
            let now = rig.get(kind, name).await.unwrap();
            assert!(now["metadata"]["ownerReferences"].is_null(), "{name}");
            assert_eq!(condition(&now, "Ready").0, "True", "{name}");
        }
    });
}
