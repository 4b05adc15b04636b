//! Changes of a living lab's spec: each by the calls that it needs and no other, nothing made anew, no packet lost unless
//! the change interrupts by its nature; and the mutating calls of a whole life as a golden list.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test
#![allow(clippy::semicolon_if_nothing_returned)] // changes of one line each

#[path = "changes/golden.rs"]
mod golden;

use causeway_e2e::harness::truth::{Scope, Truth};
use causeway_e2e::harness::{Case, Human, Rig, Snapshot, built, simulate};
use causeway_e2e::objects::condition;
use causeway_sandbox::control::CallView;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;
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
    let orders = expected.iter().filter(|c| c.ends_with("/buy")).count();
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
fn what_can_change_in_place_does_by_one_call_each() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let (mut rig, scope) = living().await;
        let rig_ = &rig;
        change(
            rig_,
            &scope,
            "circuit bandwidth up (its VXC follows)",
            false,
            &["azure PUT expressRouteCircuits/to-megaport", VXC],
            async |r| {
                edit(r, |s| {
                    s["expressRoutes"][0]["circuit"]["bandwidthMbps"] = 100.into()
                })
                .await
            },
        )
        .await;
        change(rig_, &scope, "VXC rate limit", false, &[VXC], async |r| {
            edit(r, |s| s["directConnects"][0]["bandwidthMbps"] = 100.into()).await
        })
        .await;
        change(rig_, &scope, "AS path prepend", false, &[VXC], async |r| {
            edit(r, |s| {
                s["expressRoutes"][0]["ports"][0]["bgp"]["asPathPrepend"] = 2.into()
            })
            .await
        })
        .await;
        change(rig_, &scope, "MED", false, &[VXC], async |r| {
            edit(r, |s| s["directConnects"][0]["bgp"]["medOut"] = 20.into()).await
        })
        .await;
        change(
            rig_,
            &scope,
            "routing weight",
            false,
            &["azure PUT connections/lab-er-main-connection"],
            async |r| {
                edit(r, |s| {
                    s["expressRoutes"][0]["connection"]["routingWeight"] = 10.into()
                })
                .await
            },
        )
        .await;
        change(
            rig_,
            &scope,
            "an allowed prefix more",
            false,
            &["aws UpdateDirectConnectGatewayAssociation"],
            async |r| {
                edit(r, |s| {
                    s["aws"]["directConnectGateway"]["allowedPrefixes"] =
                        json!(["172.16.0.0/16", "172.17.0.0/16"])
                })
                .await
            },
        )
        .await;
        change(
            rig_,
            &scope,
            "an allowed prefix less",
            false,
            &["aws UpdateDirectConnectGatewayAssociation"],
            async |r| {
                edit(r, |s| {
                    s["aws"]["directConnectGateway"]["allowedPrefixes"] = json!(["172.16.0.0/16"])
                })
                .await
            },
        )
        .await;
        let both = json!({"routeTableIDs": ["rtb-0a1b2c3d4e5f60718", "rtb-0b1b2c3d4e5f60718"]});
        change(
            rig_,
            &scope,
            "a propagated table more",
            false,
            &["aws EnableVgwRoutePropagation"],
            async |r| {
                edit(r, |s| {
                    s["aws"]["virtualPrivateGateway"]["propagation"] = both.clone()
                })
                .await
            },
        )
        .await;
        let one = json!({"routeTableIDs": ["rtb-0a1b2c3d4e5f60718"]});
        change(
            rig_,
            &scope,
            "a propagated table less",
            false,
            &["aws DisableVgwRoutePropagation"],
            async |r| {
                edit(r, |s| {
                    s["aws"]["virtualPrivateGateway"]["propagation"] = one.clone()
                })
                .await
            },
        )
        .await;
        change(
            rig_,
            &scope,
            "MTU",
            true,
            &["aws UpdateVirtualInterfaceAttributes"],
            async |r| {
                edit(r, |s| {
                    s["directConnects"][0]["virtualInterface"]["mtu"] = 8500.into()
                })
                .await
            },
        )
        .await;
        change(
            rig_,
            &scope,
            "ExpressRoute gateway SKU",
            true,
            &["azure PUT virtualNetworkGateways/ergw"],
            async |r| {
                edit(r, |s| {
                    s["azure"]["expressRouteGateway"]["sku"] = "ErGw2AZ".into()
                })
                .await
            },
        )
        .await;
        change(
            rig_,
            &scope,
            "VPN gateway SKU",
            true,
            &["azure PUT virtualNetworkGateways/vnet-gateway"],
            async |r| edit(r, |s| s["vpn"]["gateway"]["sku"] = "VpnGw3AZ".into()).await,
        )
        .await;
        rig.stop_operator().await;
    });
}

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
                s["expressRoutes"][0]["ports"][0]["bgp"]["shutdown"] = on.into()
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
fn tags_follow_and_other_people_s_stay() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let (mut rig, scope) = living().await;
        let human = Human::of(&rig).await;
        let id = human.id("expressRouteCircuits", "to-megaport");
        let mut tags = human.azure.circuit(&id).await.unwrap().unwrap().tags;
        tags.insert("theirs".to_owned(), "1".to_owned());
        human.azure.patch_tags("theirs", &id, &tags).await.unwrap();
        rig.pass(Duration::from_mins(5)).await;
        for (azure, expected) in [
            (json!({"cost": "7"}), Some("7")),
            (json!({"cost": "8"}), Some("8")),
            (json!({}), None),
        ] {
            let before = rig.last_call();
            edit(&rig, |s| s["azure"]["tags"] = azure.clone()).await;
            settled(&rig, &scope, false).await;
            let calls = written(&rig, before);
            eprintln!("tags {azure}: {} calls", calls.len());
            assert!(
                calls.iter().all(|c| c.starts_with("azure PATCH ")),
                "{calls:#?}"
            );
            // Circuit, two gateways, five connections, four local gateways, two addresses.
            assert_eq!(calls.len(), 14, "{calls:#?}");
            let now = human.azure.circuit(&id).await.unwrap().unwrap().tags;
            assert_eq!(now.get("cost").map(String::as_str), expected);
            assert_eq!(now["theirs"], "1");
            assert!(now.contains_key("causeway-owner"));
        }
        let before = rig.last_call();
        edit(&rig, |s| s["aws"]["tags"] = json!({"cost": "7"})).await;
        settled(&rig, &scope, false).await;
        eprintln!("{:#?}", written(&rig, before));
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

#[test]
fn the_last_healthy_path_is_kept() {
    // In a runtime of its own.
    lab();
    simulate(async || {
        let (mut rig, scope) = living().await;
        let carries = |r: &Rig| r.sandbox.read(|s| Truth::of(s, &scope).active() != "None");
        let tunnels = |up: bool| {
            move |s: &mut causeway_sandbox::State| {
                for l in causeway_sandbox::net::links(s)
                    .into_iter()
                    .filter(|l| l.kind == "ipsec")
                {
                    causeway_sandbox::net::link(s, &l.id, up).unwrap();
                }
            }
        };
        rig.sandbox.change(tunnels(false));
        rig.until("the VPN is seen down", PATIENCE, async |r| {
            let o = r.get("HybridInterconnect", "lab").await.unwrap();
            condition(&o, "Redundant").0 == "False"
        })
        .await;
        let before = rig.last_call();
        // Removing the private path's first half, deleting its second half by hand, and an interruption of its gateway.
        edit(&rig, |s| {
            s["expressRoutes"] = json!([]);
            s["azure"]["expressRouteGateway"]["sku"] = "ErGw2AZ".into();
        })
        .await;
        rig.delete("DirectConnectLink", "lab-dx-main").await;
        rig.until("it waits", PATIENCE, async |r| {
            let hi = r.get("HybridInterconnect", "lab").await.unwrap();
            let dx = r.get("DirectConnectLink", "lab-dx-main").await.unwrap();
            condition(&hi, "Provisioned").1 == "WaitingForRedundancy"
                && condition(&dx, "Deleting").1 == "WaitingForRedundancy"
        })
        .await;
        for (kind, name, c) in [
            ("HybridInterconnect", "lab", "Provisioned"),
            ("DirectConnectLink", "lab-dx-main", "Deleting"),
        ] {
            let message = condition(&rig.get(kind, name).await.unwrap(), c).2;
            eprintln!("{message}");
            assert!(
                message.contains("another one must hold first")
                    || message.contains("waits for another one"),
                "{message}"
            );
        }
        rig.pass(Duration::from_hours(2)).await;
        // A restart knows no better.
        rig.stop_operator().await;
        rig.start_operator();
        for _ in 0..60 {
            rig.pass(Duration::from_mins(1)).await;
            assert!(carries(&rig), "the last path was cut");
        }
        assert_eq!(written(&rig, before), Vec::<String>::new());
        rig.sandbox.change(tunnels(true));
        rig.until("the rest follows by itself", PATIENCE, async |r| {
            r.get("ExpressRouteLink", "lab-er-main").await.is_none()
        })
        .await;
        assert!(
            carries(&rig),
            "{}",
            rig.sandbox.read(|s| Truth::of(s, &scope).why())
        );
        let calls = written(&rig, before);
        eprintln!("{} calls once the VPN held", calls.len());
        assert!(calls.iter().any(|c| c.contains("CANCEL")), "{calls:#?}");
        rig.stop_operator().await;
    });
}
