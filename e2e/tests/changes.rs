//! Changes of a living lab's spec: each by the calls that it needs and no other, and nothing made anew.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use causeway_e2e::harness::truth::{Scope, Truth};
use causeway_e2e::harness::{Case, Human, Rig, Snapshot, built, simulate};
use causeway_sandbox::control::CallView;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(4);

fn case() -> Case {
    let mut case = Case::lab();
    // A second table, so that one can be taken off without cutting the host's.
    let vpc = &mut case.world.aws.vpcs[0];
    let mut second = vpc.route_tables[0].clone();
    "rtb-0b1b2c3d4e5f60718".clone_into(&mut second.id);
    second.main = false;
    second.subnets.clear();
    vpc.route_tables.push(second);
    case
}

fn condition(object: &Value, kind: &str) -> (String, String, String) {
    let all = object["status"]["conditions"].as_array().cloned();
    let found = all
        .unwrap_or_default()
        .into_iter()
        .find(|c| c["type"] == kind);
    let found = found.unwrap_or_default();
    let text = |f: &str| found[f].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"), text("message"))
}

async fn steady(rig: &Rig) {
    for condition in ["Ready", "RoutesAsExpected", "Redundant"] {
        rig.until(condition, PATIENCE, async |r| {
            let seen = r.seen().await;
            seen.objects.get("hi/lab").is_some_and(|o| o.is(condition))
        })
        .await;
    }
    rig.until("all are Ready", PATIENCE, async |r| {
        r.all_say("Ready").await
    })
    .await;
    // Until no read lags behind any more.
    rig.pass(Duration::from_mins(10)).await;
}

/// The lab, Ready for a while: made once for all cases.
fn lab() -> &'static Snapshot {
    static LAB: OnceLock<Snapshot> = OnceLock::new();
    LAB.get_or_init(|| built(&case(), steady))
}

/// One mutating call as a line that is the same in every run: random IDs are left out.
fn line(call: &CallView) -> String {
    let provider = serde_json::to_value(call.provider).unwrap();
    let provider = provider.as_str().unwrap();
    if provider == "aws" {
        return format!("aws {}", call.operation);
    }
    let path: Vec<&str> = call.path.split('/').filter(|p| !p.is_empty()).collect();
    let is_id = |p: &str| p.len() == 36 && p.matches('-').count() == 4;
    let tail = if provider == "azure" {
        let from = path.iter().position(|p| *p == "Microsoft.Network");
        path[from.map_or(0, |i| i + 1)..].join("/")
    } else {
        let hidden = path.iter().map(|p| if is_id(p) { "{uid}" } else { p });
        hidden.collect::<Vec<_>>().join("/")
    };
    format!("{provider} {} {tail}", call.method)
}

/// The operator's mutating calls since a number of the log, sorted: what runs side by side has no order of its own. One that
/// was refused because the provider was busy is printed and left out: it changed nothing and is made again.
fn written(rig: &Rig, since: u64) -> Vec<String> {
    let calls = rig.calls_since(since);
    let mut lines = Vec::new();
    for call in calls.iter().filter(|c| c.mutating) {
        if call.status < 400 {
            lines.push(line(call));
        } else {
            eprintln!("refused: {} {}", call.status, line(call));
        }
    }
    lines.sort();
    lines
}

/// Replaces the interconnect's spec.
async fn edit(rig: &Rig, change: impl Fn(&mut Value)) {
    let api = rig.kind("HybridInterconnect");
    let mut object = api.get("lab").await.unwrap();
    change(&mut object.data["spec"]);
    api.replace("lab", &PostParams::default(), &object)
        .await
        .unwrap();
}

/// Waits until everything says Ready for the present generation, and watches the packets meanwhile.
async fn settled(rig: &Rig, scope: &Scope, may_cut: bool) -> f64 {
    let mut lost = 0.0;
    // The children follow a moment later.
    let mut quiet = 0;
    let each = Duration::from_secs(5);
    rig.until_each(each, "in sync again", PATIENCE, async |r| {
        let truth = r.sandbox.read(|s| Truth::of(s, scope));
        if truth.active() == "None" {
            lost += each.as_secs_f64();
            assert!(may_cut, "packets are lost: {}", truth.why());
        }
        let ready = r.all_say("Ready").await && r.all_say("InSync").await;
        quiet = if ready { quiet + 1 } else { 0 };
        quiet > 24
    })
    .await;
    lost
}

/// One change: the calls that it costs. `cut`: packets may be lost by its nature.
async fn change(
    rig: &Rig,
    scope: &Scope,
    what: &str,
    cut: bool,
    expected: &[&str],
    apply: impl AsyncFnOnce(&Rig),
) {
    let (before, bought) = (rig.last_call(), rig.products().len());
    apply(rig).await;
    let lost = settled(rig, scope, cut).await;
    let calls = written(rig, before);
    eprintln!(
        "{what}: {} calls, {lost} s without a path: {calls:#?}",
        calls.len()
    );
    assert_eq!(calls, expected, "{what}");
    let more = rig.products().len() - bought;
    let orders = expected
        .iter()
        .filter(|c| c.ends_with("netdesign/buy"))
        .count();
    assert_eq!(more, orders, "{what}: something was made anew");
}

/// A running operator on a copy of the lab.
async fn living() -> (Rig, Scope) {
    let mut rig = Rig::from_snapshot(lab());
    rig.start_operator();
    let case = case();
    let scope = Scope::of(&case.world, &case.manifests).remove(0);
    settled(&rig, &scope, false).await;
    (rig, scope)
}

const VXC: &str = "megaport PUT v3/product/vxc/{uid}";

#[test]
fn a_shutdown_follows_the_spec_and_nobody_else() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let (mut rig, scope) = living().await;
        let flag = |r: &Rig| {
            r.sandbox.snapshot(); // what was written has arrived
            r.last_call()
        };
        let set = async |r: &Rig, on: bool| {
            edit(r, |s| {
                s["expressRoutes"][0]["ports"][0]["bgp"]["shutdown"] = on.into();
            })
            .await;
        };
        let before = flag(&rig);
        set(&rig, true).await;
        rig.until("AdministrativelyDown", PATIENCE, async |r| {
            let o = r.get("ExpressRouteLink", "lab-er-main").await.unwrap();
            condition(&o, "BGPEstablished").1 == "AdministrativelyDown"
        })
        .await;
        rig.pass(Duration::from_mins(10)).await;
        assert_eq!(written(&rig, before), [VXC], "shut");
        assert_eq!(rig.sandbox.read(|s| Truth::of(s, &scope)).active(), "VPN");
        let before = flag(&rig);
        set(&rig, false).await;
        settled(&rig, &scope, false).await;
        assert_eq!(written(&rig, before), [VXC], "started again");
        rig.stop_operator().await;
    });
}

#[test]
fn a_new_key_goes_to_both_sides_one_tunnel_at_a_time() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let (mut rig, scope) = living().await;
        let name = "vpn-lab-vpn-keys";
        let secrets = Api::<Secret>::namespaced(rig.client.clone(), rig.namespace());
        let had = secrets.get(name).await.unwrap().data.unwrap();
        let key = had.keys().next().unwrap().clone();
        let new = "anotherKeyThatNobodyKnew12";
        let patch = json!({"data": {key: ByteString(new.as_bytes().to_vec())}});
        change(
            &rig,
            &scope,
            "one pre-shared key",
            false,
            &[
                "aws ModifyVpnTunnelOptions",
                "azure PUT connections/lab-vpn-ipsec-0-1/sharedkey",
            ],
            async |_| {
                secrets
                    .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                    .await
                    .unwrap();
            },
        )
        .await;
        let human = Human::of(&rig).await;
        let id = human.id("connections", "lab-vpn-ipsec-0-1");
        let is = human.azure.shared_key(&id).await.unwrap().unwrap();
        assert_eq!(is.expose(), new);
        rig.stop_operator().await;
    });
}

#[test]
fn a_change_that_needs_a_new_object_is_refused_with_what_to_do() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let (mut rig, scope) = living().await;
        // The stand-in does not evaluate CEL, so what the API server would refuse gets here.
        for (what, apply, undo, words) in [
            (
                "asn",
                (|s: &mut Value| s["megaport"]["routers"][0]["asn"] = 64601.into())
                    as fn(&mut Value),
                (|s: &mut Value| s["megaport"]["routers"][0]["asn"] = 64600.into())
                    as fn(&mut Value),
                ["asn is 64600 and should be 64601", "make a new router"],
            ),
            (
                "speed",
                |s| s["megaport"]["routers"][0]["portSpeedMbps"] = 2500.into(),
                |s| s["megaport"]["routers"][0]["portSpeedMbps"] = 1000.into(),
                ["portSpeedMbps is 1000", "make a new router"],
            ),
            (
                "vgw",
                |s| s["aws"]["virtualPrivateGateway"]["amazonASN"] = 64950.into(),
                |s| s["aws"]["virtualPrivateGateway"]["amazonASN"] = 64900.into(),
                ["amazonASN is 64900", "delete and recreate"],
            ),
        ] {
            let before = rig.last_call();
            edit(&rig, apply).await;
            rig.until(what, PATIENCE, async |r| {
                let o = r.get("HybridInterconnect", "lab").await.unwrap();
                condition(&o, "Provisioned").1 == "ChangeRefused"
            })
            .await;
            let message = condition(
                &rig.get("HybridInterconnect", "lab").await.unwrap(),
                "Provisioned",
            )
            .2;
            eprintln!("{message}");
            for w in words {
                assert!(message.contains(w), "{w}: {message}");
            }
            rig.pass(Duration::from_mins(5)).await;
            let made: Vec<String> = written(&rig, before)
                .into_iter()
                .filter(|c| {
                    c.contains("buy")
                        || c.contains("Create")
                        || c.contains("CANCEL")
                        || c.contains("Delete")
                })
                .collect();
            assert_eq!(made, Vec::<String>::new());
            edit(&rig, undo).await;
            settled(&rig, &scope, false).await;
        }
        rig.stop_operator().await;
    });
}
