//! People in the middle of it, with the clock paused: between two steps of the lab's creation or deletion somebody removes
//! finalizers, wipes status, changes the spec, deletes objects, their parent first, or the namespace, renames or deletes
//! cloud objects in a portal. Nothing is bought twice, nothing is left, nothing of others is touched.
//!
//! `CAUSEWAY_HUMANS_EVERY` chooses after how many mutating calls apart people act (default 5; 1: between any two steps).
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway::clients::megaport::{McrOrder, McrUpdate};
use causeway_api::FINALIZER;
use causeway_e2e::demo::checks::bought_once;
use causeway_e2e::harness::{Case, Human, Rig, on_threads, ready_lab, simulate};
use causeway_e2e::objects::{OWN, condition};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(6);
/// The creation has about 30 mutating calls, the deletion about 25.
const CALLS: usize = 26;

/// The lab's links.
const LINKS: [(&str, &str); 3] = [
    ("ExpressRouteLink", "lab-er-main"),
    ("DirectConnectLink", "lab-dx-main"),
    ("VpnPair", "lab-vpn"),
];

/// Runs `case` for every so many mutating calls, on two threads; answers how many cases there were.
fn everywhere(case: impl Fn(usize) + Sync) -> usize {
    let every = std::env::var("CAUSEWAY_HUMANS_EVERY").map_or(5, |n| n.parse().unwrap());
    let moments: Vec<usize> = (1..CALLS).step_by(every).collect();
    let number = moments.len();
    on_threads(moments, None, case);
    number
}

/// Begins the lab's creation and answers when so many mutating calls were made.
async fn begun(calls: usize) -> Rig {
    begun_in(&Case::lab(), calls).await
}

async fn begun_in(case: &Case, calls: usize) -> Rig {
    let mut rig = Rig::new(case);
    rig.start_operator();
    rig.apply_all().await;
    rig.reach(0, calls).await;
    rig
}

/// The end of a life that somebody meddled with: everything stands, once, and then it goes.
async fn ends_well(mut rig: Rig, what: &str) {
    rig.until(&format!("Ready, {what}"), PATIENCE, Rig::lab_is_ready)
        .await;
    assert_eq!(rig.bought(), bought_once(), "{what}");
    rig.delete_all().await;
    rig.goes(what, PATIENCE).await;
    rig.stop_operator().await;
}

/// Changes every object that there is.
async fn each(rig: &Rig, change: impl AsyncFn(&str, &str)) {
    for kind in OWN {
        for object in rig.list(kind).await {
            change(kind, object["metadata"]["name"].as_str().unwrap()).await;
        }
    }
}

/// Takes the finalizers off everything.
async fn unguard(rig: &Rig) {
    each(rig, async |kind, name| {
        let patch = json!({"metadata": {"finalizers": null}});
        let api = rig.kind(kind);
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    })
    .await;
}

#[test]
fn finalizers_that_somebody_removes_come_back() {
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = begun(moment).await;
            unguard(&rig).await;
            rig.until(
                "the finalizers are back",
                Duration::from_mins(10),
                async |r| {
                    let mut all = true;
                    for kind in OWN {
                        for object in r.list(kind).await {
                            let list = object["metadata"]["finalizers"].as_array().cloned();
                            all &= list.unwrap_or_default().iter().any(|f| f == FINALIZER);
                        }
                    }
                    all
                },
            )
            .await;
            ends_well(rig, &format!("finalizers removed after {moment} calls")).await;
        });
    });
    eprintln!("finalizers removed at {cases} moments of the creation");
}

/// Empties every status.
async fn wipe(rig: &Rig) {
    each(rig, async |kind, name| {
        let api = rig.kind(kind);
        // It may be gone by now.
        let Some(mut object) = api.get_opt(name).await.unwrap() else {
            return;
        };
        object.data["status"] = json!({"observedGeneration": -1});
        // A conflict: the operator was quicker, and writes the whole status anyway.
        let _ = api
            .replace_status(name, &PostParams::default(), &object)
            .await;
    })
    .await;
}

#[test]
fn a_status_that_somebody_wipes_orders_nothing_twice() {
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = begun(moment).await;
            wipe(&rig).await;
            ends_well(rig, &format!("status wiped after {moment} calls")).await;
        });
    });
    eprintln!("status wiped at {cases} moments of the creation");
}

/// Nobody remembers what was ordered a moment ago, and reads do not show it yet.
#[test]
fn a_status_that_somebody_wipes_while_no_operator_runs_orders_nothing_twice() {
    let cases = meddled_with_between_two_operators("status wiped", wipe);
    eprintln!("status wiped at {cases} moments of the creation, between two operators");
}

/// The same, and an object without a finalizer looks like one that nobody ordered anything for yet.
#[test]
fn a_status_and_finalizers_that_somebody_removes_while_no_operator_runs_order_nothing_twice() {
    let cases = meddled_with_between_two_operators("all removed", async |rig| {
        wipe(rig).await;
        unguard(rig).await;
    });
    eprintln!("status and finalizers removed at {cases} moments of the creation");
}

/// Crashes at some moments of a creation in clouds whose reads lag, lets somebody do that, and starts anew.
fn meddled_with_between_two_operators(what: &str, meddle: impl AsyncFn(&Rig) + Sync) -> usize {
    let case = Case::lab().lagging();
    everywhere(|moment| {
        simulate(async || {
            let rig = begun_in(&case, moment).await;
            let crashed = rig.snapshot();
            let mut rig = Rig::from_snapshot(&crashed);
            meddle(&rig).await;
            rig.start_operator();
            ends_well(rig, &format!("{what} after {moment} calls")).await;
        });
    })
}

#[test]
fn a_status_wiped_during_the_deletion_leaves_nothing() {
    let lab = ready_lab();
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = Rig::awake(lab).await;
            let since = rig.last_call();
            rig.delete_all().await;
            rig.reach(since, moment).await;
            wipe(&rig).await;
            rig.goes(&format!("wiped after {moment} calls"), PATIENCE)
                .await;
        });
    });
    eprintln!("status wiped at {cases} moments of the deletion");
}

#[test]
fn a_deletion_in_the_middle_of_the_creation_leaves_nothing() {
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = begun(moment).await;
            rig.delete_all().await;
            rig.goes(&format!("deleted after {moment} calls"), PATIENCE)
                .await;
        });
    });
    eprintln!("deleted at {cases} moments of the creation");
}

#[test]
fn a_namespace_deleted_in_the_middle_leaves_nothing() {
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = begun(moment).await;
            let namespaces = Api::<Namespace>::all(rig.client.clone());
            namespaces
                .delete(rig.namespace(), &DeleteParams::default())
                .await
                .unwrap();
            rig.until(
                &format!("the namespace is gone, deleted after {moment} calls"),
                PATIENCE,
                async |r| namespaces.get_opt(r.namespace()).await.unwrap().is_none(),
            )
            .await;
            assert_eq!(rig.leftovers(), Vec::<String>::new(), "{moment}");
        });
    });
    eprintln!("the namespace deleted at {cases} moments of the creation");
}

#[test]
fn a_spec_changed_in_the_middle_is_what_is_built() {
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = begun(moment).await;
            let patch = json!([{"op": "replace", "path": "/spec/directConnects/0/bandwidthMbps", "value": 100}]);
            let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
            let api = rig.kind("HybridInterconnect");
            api.patch("lab", &PatchParams::default(), &Patch::Json::<()>(patch))
                .await
                .unwrap();
            rig.until(
                &format!("the VXC has 100 Mbps, changed after {moment} calls"),
                PATIENCE,
                async |r| {
                    let built = r
                        .sandbox
                        .read(|s| s.megaport.vxcs.values().any(|v| v.rate == 100));
                    r.lab_is_ready().await && built
                },
            )
            .await;
            ends_well(rig, &format!("bandwidth changed after {moment} calls")).await;
        });
    });
    eprintln!("the bandwidth changed at {cases} moments of the creation");
}

async fn deletes(rig: &Rig, policy: PropagationPolicy) {
    let parameters = DeleteParams {
        propagation_policy: Some(policy),
        ..DeleteParams::default()
    };
    rig.kind("HybridInterconnect")
        .delete("lab", &parameters)
        .await
        .unwrap();
}

/// `--cascade=orphan`: the links are nobody's any more and live on, with all that carries them. The interconnect waits for
/// them and says for whom; when they are deleted, everything goes.
#[test]
fn orphaned_links_live_on_and_their_interconnect_waits_for_them() {
    let lab = ready_lab();
    simulate(async || {
        let rig = Rig::awake(lab).await;
        deletes(&rig, PropagationPolicy::Orphan).await;
        rig.pass(Duration::from_hours(1)).await;
        let seen = rig.seen().await;
        assert_eq!(seen.objects.len(), 4, "{:?}", seen.objects.keys());
        let lab = rig.get("HybridInterconnect", "lab").await.unwrap();
        let (_, _, deleting) = condition(&lab, "Deleting");
        eprintln!("{deleting}");
        for (kind, link) in LINKS {
            let object = rig.get(kind, link).await.unwrap();
            assert!(
                object["metadata"]["deletionTimestamp"].is_null(),
                "{link} is being deleted"
            );
            assert!(
                object["metadata"]["ownerReferences"]
                    .as_array()
                    .is_none_or(Vec::is_empty)
            );
        }
        assert!(
            LINKS.iter().any(|(_, l)| deleting.contains(l)),
            "{deleting}"
        );
        let ended = rig
            .products()
            .into_iter()
            .filter(|(_, _, ended)| *ended)
            .count();
        assert_eq!(ended, 0, "something that the links need was ended");
        for (kind, name) in LINKS {
            rig.delete(kind, name).await;
        }
        rig.goes("in the end", PATIENCE).await;
    });
}

/// Parent first, in the foreground or in the background: the same end.
#[test]
fn a_parent_deleted_before_its_children_takes_everything_down() {
    let lab = ready_lab();
    for policy in [PropagationPolicy::Foreground, PropagationPolicy::Background] {
        simulate(async || {
            let mut rig = Rig::from_snapshot(lab);
            rig.start_operator();
            deletes(&rig, policy.clone()).await;
            rig.goes("in the end", PATIENCE).await;
        });
    }
}

/// The token is gone from the name, and what status recorded is what remains to know it by.
#[test]
fn a_router_renamed_in_the_portal_is_not_bought_again() {
    let cases = everywhere(|moment| {
        simulate(async || {
            let rig = begun(moment).await;
            let person = Human::of(&rig).await.megaport;
            rig.until("the router is live", PATIENCE, async |_| {
                let products = person.products().await.unwrap();
                products.mcrs.iter().any(|m| m.status.as_str() == "LIVE")
            })
            .await;
            let products = person.products().await.unwrap();
            let router = products
                .mcrs
                .iter()
                .find(|m| m.status.as_str() == "LIVE")
                .unwrap();
            let update = McrUpdate {
                name: Some("ours, do not touch".to_owned()),
                cost_centre: router.cost_centre.clone().unwrap_or_default(),
                term_months: None,
            };
            // The router may be at work on something; people try again.
            rig.until("renamed", Duration::from_hours(1), async |_| {
                person.update_mcr(&router.uid, &update).await.is_ok()
            })
            .await;
            ends_well(rig, &format!("the router renamed after {moment} calls")).await;
        });
    });
    eprintln!("the router renamed at {cases} moments of the creation");
}

/// Somebody puts the ID of a router of their own where ours stands. While ours has its name, the name counts; without it nobody
/// knows which is ours, and nothing is cancelled until a person says so.
#[test]
fn a_status_that_somebody_edits_makes_nothing_ours() {
    let lab = ready_lab();
    for renamed in [false, true] {
        simulate(async || {
            let rig = Rig::awake(lab).await;
            let person = Human::of(&rig).await.megaport;
            let ours = person.products().await.unwrap().mcrs.swap_remove(0);
            let theirs = person
                .buy_mcr(&McrOrder {
                    name: "somebody's".to_owned(),
                    location_id: ours.location_id,
                    port_speed_mbps: ours.port_speed_mbps,
                    term_months: 1,
                    asn: ours.asn.unwrap(),
                    diversity_zone: ours.diversity_zone.clone(),
                    cost_centre: None,
                    tags: BTreeMap::new(),
                })
                .await
                .unwrap();
            let call_it = async |name: &str| {
                let update = McrUpdate {
                    name: Some(name.to_owned()),
                    cost_centre: ours.cost_centre.clone().unwrap_or_default(),
                    term_months: None,
                };
                person.update_mcr(&ours.uid, &update).await.unwrap();
            };
            if renamed {
                call_it("core").await;
                rig.pass(Duration::from_mins(10)).await;
            }
            let api = rig.kind("HybridInterconnect");
            let mut object = api.get("lab").await.unwrap();
            let slots = object.data["status"]["slots"].as_array_mut().unwrap();
            let router = slots.iter_mut().find(|s| s["name"] == "router-a").unwrap();
            assert_eq!(router["id"], ours.uid);
            router["id"] = json!(theirs);
            api.replace_status("lab", &PostParams::default(), &object)
                .await
                .unwrap();
            rig.pass(Duration::from_mins(10)).await;
            rig.delete_all().await;
            if renamed {
                rig.until("the router is left alone, and why", PATIENCE, async |r| {
                    let Some(lab) = r.get("HybridInterconnect", "lab").await else {
                        panic!("the interconnect went without its router");
                    };
                    condition(&lab, "Deleting").2.contains("put [cw-")
                })
                .await;
                call_it(&ours.name).await;
            }
            rig.until("gone", PATIENCE, Rig::all_gone).await;
            let products = person.products().await.unwrap();
            assert!(products.mcr(&theirs).is_some_and(|m| !m.status.is_gone()));
            let left = rig.leftovers();
            assert_eq!(left.len(), 1, "{left:#?}");
            assert!(left[0].contains("somebody's"), "{left:#?}");
        });
    }
}

/// What somebody cancels is ordered again, once: the first one has ended by then.
#[test]
fn a_vxc_cancelled_in_the_portal_is_ordered_again_once() {
    let lab = ready_lab();
    simulate(async || {
        let rig = Rig::awake(lab).await;
        let person = Human::of(&rig).await.megaport;
        let products = person.products().await.unwrap();
        let vxc = products
            .vxcs
            .iter()
            .find(|v| v.aws.is_some() && !v.status.is_gone())
            .unwrap();
        person.cancel_vxc(&vxc.uid).await.unwrap();
        rig.until("noticed", PATIENCE, async |r| !r.lab_is_ready().await)
            .await;
        rig.until("Ready again", PATIENCE, Rig::lab_is_ready).await;
        let mut expected = bought_once();
        *expected.get_mut("vxc").unwrap() += 1;
        assert_eq!(rig.bought(), expected);
        let ended = rig
            .products()
            .into_iter()
            .filter(|(_, _, ended)| *ended)
            .count();
        assert_eq!(ended, 1);
        rig.delete_all().await;
        rig.until("gone", PATIENCE, Rig::all_gone).await;
        let left: Vec<String> = rig
            .leftovers()
            .into_iter()
            .filter(|l| !l.starts_with("bought 2 times: vxc"))
            .collect();
        assert_eq!(left, Vec::<String>::new());
    });
}
