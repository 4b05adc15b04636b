//! Somebody deletes cloud objects in the portals, with the clock paused: of the living lab each object in turn, and between
//! two steps of its creation and of its deletion whatever the provider lets go; all that one cloud has, while no operator
//! runs. What is gone is made again, once, and works with what stayed; where only a person can help, the object says what to
//! do, and that helps.
//!
//! `CAUSEWAY_HUMANS_EVERY` chooses after how many mutating calls apart people act (default 3; 1: between any two steps).
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway_e2e::demo::checks::bought_once;
use causeway_e2e::harness::{Case, Human, Rig, on_threads, ready_lab, simulate};
use causeway_e2e::objects::{OWN, condition};
use causeway_sandbox::sandbox::LiveObject;
use causeway_sandbox::wire::Provider;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(8);
/// The creation has about 30 mutating calls, the deletion about 25.
const CALLS: usize = 30;

fn moments() -> impl Iterator<Item = usize> {
    let every = std::env::var("CAUSEWAY_HUMANS_EVERY").map_or(3, |n| n.parse().unwrap());
    (1..CALLS).step_by(every)
}

/// What is there, without IDs, which an object that is made again may have others of.
fn inventory(rig: &Rig) -> Vec<String> {
    let live = rig.sandbox.live().into_iter();
    let mut all: Vec<String> = live.map(|o| format!("{} {}", o.kind, o.name)).collect();
    all.sort();
    all
}

/// What is paid for, by kind.
fn open(rig: &Rig) -> BTreeMap<String, usize> {
    let mut open = BTreeMap::new();
    for (kind, _, _) in rig.products().into_iter().filter(|(_, _, ended)| !ended) {
        *open.entry(kind).or_default() += 1;
    }
    open
}

/// Lets time pass until all is Ready, traffic flows, and has for minutes. What only a person can do is done when an object asks for it.
async fn mended(rig: &Rig, human: &Human, what: &str) {
    let mut quiet = 0;
    let mut done = Vec::new();
    let each = Duration::from_secs(15);
    rig.until_each(each, &format!("mended, {what}"), PATIENCE, async |r| {
        let ready = r.lab_holds().await;
        quiet = if ready { quiet + 1 } else { 0 };
        for remedy in REMEDIES {
            if !ready && !done.contains(&remedy) && says(r, remedy).await {
                follow(r, human, remedy).await;
                done.push(remedy);
            }
        }
        quiet > 12
    })
    .await;
    assert_eq!(open(rig), bought_once(), "paid for, {what}");
}

/// What objects ask of a person.
const REMEDIES: [&str; 4] = [
    "disassociate that too",
    "cancel VXC",
    "the VXC must be made anew",
    "set paused, delete its VPN connection",
];

async fn says(rig: &Rig, remedy: &str) -> bool {
    for kind in OWN {
        for object in rig.list(kind).await {
            if condition(&object, "Provisioned").2.contains(remedy) {
                return true;
            }
        }
    }
    false
}

async fn follow(rig: &Rig, human: &Human, remedy: &str) {
    if remedy == "disassociate that too" {
        for object in rig.sandbox.live() {
            if object.kind == "dx-gateway-association" {
                human.delete(&object).await.unwrap();
            }
        }
        return;
    }
    if remedy.contains("VXC") {
        let vxcs = human.megaport.products().await.unwrap().vxcs;
        let to_aws = vxcs.iter().find(|v| v.aws.is_some() && !v.status.is_gone());
        return human
            .megaport
            .cancel_vxc(&to_aws.unwrap().uid)
            .await
            .unwrap();
    }
    pause(rig, true).await;
    for kind in ["vpn-connection", "customer-gateway"] {
        for object in rig.sandbox.live().iter().filter(|o| o.kind == kind) {
            human.delete(object).await.unwrap();
        }
        rig.until(&format!("no {kind}"), PATIENCE, async |r| {
            !r.sandbox.live().iter().any(|o| o.kind == kind)
        })
        .await;
    }
    pause(rig, false).await;
}

async fn pause(rig: &Rig, paused: bool) {
    let patch = json!({"spec": {"paused": paused}});
    let api = rig.kind("HybridInterconnect");
    api.patch("lab", &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .unwrap();
    rig.pass(Duration::from_mins(1)).await;
}

/// Takes everything down, and allows for products that were ordered again under their name.
async fn ends(mut rig: Rig, what: &str) {
    rig.delete_all().await;
    rig.until(&format!("gone, {what}"), PATIENCE, Rig::all_gone)
        .await;
    let left = rig.leftovers().into_iter();
    let left: Vec<String> = left.filter(|l| !l.starts_with("bought ")).collect();
    assert_eq!(left, Vec::<String>::new(), "{what}");
    rig.stop_operator().await;
}

/// Deletes the first object that its provider lets go, beginning with number `from`.
async fn something(rig: &Rig, human: &Human, from: usize) -> Option<LiveObject> {
    let mut live = rig.sandbox.live();
    let number = live.len();
    live.rotate_left(from % number.max(1));
    for object in live {
        if human.delete(&object).await.is_ok() {
            return Some(object);
        }
    }
    None
}

#[test]
fn each_object_that_somebody_deletes_from_the_living_lab_is_made_again_once() {
    let lab = ready_lab();
    let objects = simulate(async || Rig::from_snapshot(lab).sandbox.live());
    let outcomes = on_threads(objects, None, |object: LiveObject| {
        simulate(async || {
            let rig = Rig::awake(lab).await;
            let before = inventory(&rig);
            let human = Human::of(&rig).await;
            let what = format!("{} {} deleted", object.kind, object.name);
            if let Err(refused) = human.delete(&object).await {
                return format!("{what}: refused, {}", refused.message);
            }
            // Some deletions are accepted and come to nothing.
            let mut gone = false;
            let hour = tokio::time::Instant::now() + Duration::from_hours(1);
            while !gone && tokio::time::Instant::now() < hour {
                rig.pass(Duration::from_secs(1)).await;
                gone = !rig.sandbox.live().iter().any(|o| o.id == object.id);
            }
            let since = rig.last_call();
            mended(&rig, &human, &what).await;
            assert_eq!(inventory(&rig), before, "{what}");
            let calls = rig.mutating_since(since);
            let calls: Vec<_> = calls
                .iter()
                .map(|c| {
                    format!(
                        "{} {} {}",
                        c.operation,
                        c.path.rsplit('/').next().unwrap_or_default(),
                        c.status
                    )
                })
                .collect();
            let bought: usize = rig.bought().values().sum();
            let extra = bought - bought_once().values().sum::<usize>();
            assert!(extra <= 1, "{what}: {:?}", rig.bought());
            ends(rig, &what).await;
            let came = if gone { "made again" } else { "did not go" };
            format!("{what}: {came} by {calls:?}, {extra} bought")
        })
    });
    let made = outcomes
        .iter()
        .filter(|o| o.contains(": made again"))
        .count();
    for outcome in &outcomes {
        eprintln!("{outcome}");
    }
    eprintln!(
        "{made} of {} objects went and were made again",
        outcomes.len()
    );
    assert!(made >= 11, "too few could be deleted: {outcomes:#?}");
}

#[test]
fn what_somebody_deletes_between_two_steps_of_the_creation_is_made_again() {
    let outcomes = on_threads(moments(), None, |moment| {
        simulate(async || {
            let mut rig = Rig::new(&Case::lab());
            rig.start_operator();
            rig.apply_all().await;
            rig.reach(0, moment).await;
            let human = Human::of(&rig).await;
            let Some(object) = something(&rig, &human, moment * 7).await else {
                return format!("after {moment} calls: nothing could be deleted");
            };
            let what = format!(
                "{} {} deleted after {moment} calls",
                object.kind, object.name
            );
            mended(&rig, &human, &what).await;
            ends(rig, &what).await;
            what
        })
    });
    eprintln!("{outcomes:#?}");
}

#[test]
fn what_somebody_deletes_between_two_steps_of_the_deletion_stays_gone() {
    let lab = ready_lab();
    let outcomes = on_threads(moments(), None, |moment| {
        simulate(async || {
            let rig = Rig::awake(lab).await;
            let since = rig.last_call();
            rig.delete_all().await;
            rig.reach(since, moment).await;
            let human = Human::of(&rig).await;
            let deleted = something(&rig, &human, moment * 7).await;
            let deleted = deleted.map(|o| format!("{} {}", o.kind, o.name));
            let what = format!("{deleted:?} deleted after {moment} calls");
            rig.goes(&what, PATIENCE).await;
            what
        })
    });
    eprintln!("{outcomes:#?}");
}

#[test]
fn what_one_cloud_loses_while_no_operator_runs_is_made_again() {
    let lab = ready_lab();
    let clouds = [Provider::Azure, Provider::Aws, Provider::Megaport];
    let outcomes = on_threads(clouds, None, |cloud| {
        simulate(async || {
            let mut rig = Rig::from_snapshot(lab);
            let before = inventory(&rig);
            let human = Human::of(&rig).await;
            // What is used goes once its users are gone.
            for _ in 0..8 {
                for object in rig.sandbox.live() {
                    if object.provider == cloud {
                        let _ = human.delete(&object).await;
                    }
                }
                rig.pass(Duration::from_mins(30)).await;
            }
            let left = inventory(&rig);
            let lost: Vec<&String> = before.iter().filter(|o| !left.contains(o)).collect();
            rig.start_operator();
            let what = format!("{cloud:?} lost {lost:?}");
            mended(&rig, &human, &what).await;
            assert_eq!(inventory(&rig), before, "{what}");
            ends(rig, &what).await;
            what
        })
    });
    eprintln!("{outcomes:#?}");
}
