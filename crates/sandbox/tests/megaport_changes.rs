//! Megaport: changes, cancellation, locks, tombstones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod megaport_support;

use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::{Sandbox, State, megaport};
use http::Method;
use megaport_support::*;
use serde_json::{Value, json};

const KEY: &str = "key-0123456";

fn fails(operation: &str) -> Fault {
    Fault {
        matches: Match {
            operation: Some(operation.into()),
            ..Match::default()
        },
        effect: Effect::LroFails,
        status: None,
        code: None,
        seconds: None,
        times: Some(1),
    }
}

fn session(product: &Value) -> Value {
    product["resources"]["csp_connection"][0]["interfaces"][0]["bgpConnections"][0].clone()
}

async fn router_and_vxc() -> (Client, String, String) {
    let c = Client::new(world()).await;
    let mcr = c.mcr("lab-a").await;
    let vxc = c.aws_vxc(&mcr, "lab-vif", Some(KEY)).await;
    (c, mcr, vxc)
}

#[tokio::test(start_paused = true)]
async fn an_update_answers_before_it_applies() {
    let (c, mcr, vxc) = router_and_vxc().await;
    let path = format!("/v3/product/vxc/{vxc}");
    let change = json!({"name": "renamed", "rateLimit": 80, "costCentre": "net", "shutdown": true});
    let (status, body) = c.put(&path, change).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(body["message"], format!("Product [{vxc}] has been updated"));
    assert_eq!(
        body["data"]["productName"], "lab-vif",
        "still the old values"
    );
    // Meanwhile the router is busy.
    assert_eq!(c.put(&path, json!({"name": "again"})).await.0, 500);
    assert_eq!(c.buy(aws_order(&mcr, "two", Some(KEY))).await.0, 500);
    wait(9.0).await;
    let p = c.product(&vxc).await;
    assert_eq!(
        (
            &p["productName"],
            &p["rateLimit"],
            &p["costCentre"],
            &p["shutdown"],
            &p["up"]
        ),
        (
            &json!("renamed"),
            &json!(80),
            &json!("net"),
            &json!(true),
            &json!(false)
        )
    );
    // Only what is sent changes.
    c.put(&path, json!({"shutdown": false})).await;
    wait(9.0).await;
    let p = c.product(&vxc).await;
    assert_eq!(
        (&p["productName"], &p["up"]),
        (&json!("renamed"), &json!(true))
    );
}

#[tokio::test(start_paused = true)]
async fn interfaces_are_replaced_and_a_session_without_its_key_loses_it() {
    let (c, _, vxc) = router_and_vxc().await;
    let path = format!("/v3/product/vxc/{vxc}");
    assert_eq!(session(&c.product(&vxc).await)["password"], KEY);
    let mut with_key = interfaces(Some(KEY));
    with_key[0]["bgpConnections"][0]["shutdown"] = json!(true);
    c.put(&path, json!({"aEndConfig": {"interfaces": with_key}}))
        .await;
    wait(9.0).await;
    let s = session(&c.product(&vxc).await);
    assert_eq!(
        (&s["shutdown"], &s["password"]),
        (&json!(true), &json!(KEY))
    );
    c.put(
        &path,
        json!({"aEndConfig": {"interfaces": interfaces(None)}}),
    )
    .await;
    wait(9.0).await;
    let s = session(&c.product(&vxc).await);
    assert_eq!(
        (&s["shutdown"], &s["password"]),
        (&json!(false), &Value::Null)
    );
    // A change that has not applied yet survives a restart, and so does what it clears.
    c.put(&path, json!({"costCentre": "net"})).await;
    wait(9.0).await;
    c.put(&path, json!({"costCentre": ""})).await;
    let saved = serde_json::to_string(&c.sandbox.snapshot()).unwrap();
    let state: State = serde_json::from_str(&saved).unwrap();
    let again = Client::on(Sandbox::from_state(state, 1.0)).await;
    assert_eq!(again.product(&vxc).await["costCentre"], "net");
    wait(9.0).await;
    assert_eq!(again.product(&vxc).await["costCentre"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_changed_is_refused_or_ignored() {
    let (c, _, vxc) = router_and_vxc().await;
    let path = format!("/v3/product/vxc/{vxc}");
    let refused = async |change: Value, status: u16, says: &str| {
        let (got, body) = c.put(&path, change).await;
        let message = body["message"].as_str().unwrap().to_owned();
        assert_eq!(got, status, "{message}");
        assert!(message.contains(says), "{message}");
    };
    refused(
        json!({"bEndVlan": 55}),
        403,
        "Only B end owner can change B VLAN",
    )
    .await;
    refused(json!({"aEndVlan": 55}), 400, "vlan update not supported").await;
    refused(
        json!({"bEndConfig": {"connectType": "AWS", "asn": 1}}),
        400,
        "cannot be changed",
    )
    .await;
    refused(json!({"aEndProductUid": "elsewhere"}), 400, "moved").await;
    refused(json!({"rateLimit": 5000}), 400, "rateLimit").await;
    let mut internal = interfaces(Some(KEY));
    internal[0]["bgpConnections"][0]["peerAsn"] = json!(64600);
    refused(json!({"aEndConfig": {"interfaces": internal}}), 400, "iBGP").await;
    // A router's configuration on the B-end of a cloud VXC is ignored.
    let (status, _) = c
        .put(
            &path,
            json!({"bEndConfig": {"interfaces": interfaces(None)}}),
        )
        .await;
    assert_eq!(status, 200);
    wait(9.0).await;
    assert_eq!(session(&c.product(&vxc).await)["password"], KEY);
    // A longer term is fine, a shorter one is a conflict.
    assert_eq!(c.put(&path, json!({"term": 12})).await.0, 200);
    wait(9.0).await;
    refused(json!({"term": 1}), 409, "Service term cannot be extended.").await;
}

#[tokio::test(start_paused = true)]
async fn an_accepted_change_may_never_apply() {
    let (c, _, vxc) = router_and_vxc().await;
    c.sandbox.add_fault(fails("PUT /v3/product/vxc/{uid}"));
    let path = format!("/v3/product/vxc/{vxc}");
    assert_eq!(c.put(&path, json!({"name": "lost"})).await.0, 200);
    wait(60.0).await;
    assert_eq!(c.product(&vxc).await["productName"], "lab-vif");
}

#[tokio::test(start_paused = true)]
async fn a_router_keeps_its_asn_while_a_vxc_is_attached() {
    let (c, mcr, vxc) = router_and_vxc().await;
    let path = format!("/v2/product/mcr2/{mcr}");
    let (status, body) = c
        .put(&path, json!({"name": "r", "costCentre": "", "asn": 64601}))
        .await;
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .starts_with("Cannot update ASN while VXCs are attached")
    );
    // The same ASN is no change.
    assert_eq!(
        c.put(&path, json!({"name": "r", "asn": 64600})).await.0,
        200
    );
    wait(5.0).await;
    assert_eq!(c.product(&mcr).await["productName"], "r");
    c.cancel(&vxc, "").await;
    assert_eq!(
        c.put(&path, json!({"name": "r", "asn": 64601})).await.0,
        200
    );
    wait(5.0).await;
    assert_eq!(
        c.product(&mcr).await["resources"]["virtual_router"]["mcrAsn"],
        64601
    );
}

#[tokio::test(start_paused = true)]
async fn updates_need_a_provisioned_service() {
    let c = Client::new(world()).await;
    let mcr = c.bought(mcr_order("a")).await;
    let (status, body) = c
        .put(&format!("/v2/product/mcr2/{mcr}"), json!({"name": "b"}))
        .await;
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("Service must be correctly provisioned to update")
    );
}

#[tokio::test(start_paused = true)]
async fn cancelling_decommissions_inside_the_call_and_leaves_a_tombstone() {
    let (c, mcr, vxc) = router_and_vxc().await;
    let (status, body) = c.cancel(&mcr, "?safeDelete=true").await;
    assert_eq!(status, 400, "a VXC is attached");
    assert!(body["message"].as_str().unwrap().contains("attached"));
    let (status, body) = c.cancel(&vxc, "").await;
    assert_eq!(status, 200);
    assert_eq!(
        body["message"],
        format!("Action [CANCEL_NOW Service {vxc}] has been done.")
    );
    let p = c.product(&vxc).await;
    assert_eq!(p["provisioningStatus"], "DECOMMISSIONED");
    assert_eq!(p["cancelable"], false);
    assert!(p["terminateDate"].is_i64());
    // What is left of the resources: null, {} or {"vll": []}.
    assert!([Value::Null, json!({}), json!({"vll": []})].contains(&p["resources"]));
    assert_eq!(c.cancel(&mcr, "?safeDelete=true").await.0, 200);
    assert_eq!(c.status(&mcr).await, "DECOMMISSIONED");
    let state = c.sandbox.snapshot();
    assert!(state.ledger.0.iter().all(|e| e.ended_at.is_some()));
    assert!(megaport::live(&state).is_empty());
    // Still listed for about thirty days, then not found, which is a 400.
    wait(29.0 * 86_400.0).await;
    assert_eq!(c.read("/v2/products").await.as_array().unwrap().len(), 1);
    let c = Client::on(c.sandbox.clone()).await;
    wait(2.0 * 86_400.0).await;
    let (status, body) = c.get(&format!("/v2/product/{vxc}")).await;
    assert_eq!(status, 400);
    assert_eq!(
        body["message"],
        format!("Could not find a service with UID {vxc}")
    );
    assert_eq!(body["data"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn without_safe_delete_the_vxcs_go_with_their_router() {
    let (c, mcr, vxc) = router_and_vxc().await;
    assert_eq!(c.cancel(&mcr, "").await.0, 200);
    assert_eq!(c.status(&vxc).await, "CANCELLED_PARENT");
    assert!(
        c.sandbox
            .snapshot()
            .ledger
            .0
            .iter()
            .all(|e| e.ended_at.is_some())
    );
    wait(61.0).await;
    assert_eq!(c.status(&vxc).await, "DECOMMISSIONED");
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_fails_leaves_a_live_service_behind() {
    let (c, mcr, vxc) = router_and_vxc().await;
    c.sandbox
        .add_fault(fails("POST /v3/product/{uid}/action/CANCEL_NOW"));
    assert_eq!(c.cancel(&vxc, "").await.0, 200, "accepted all the same");
    assert_eq!(c.status(&vxc).await, "CANCELLED");
    let state = c.sandbox.snapshot();
    let entry = state.ledger.0.iter().find(|e| e.id == vxc).unwrap();
    assert!(entry.ended_at.is_none(), "still billed");
    assert_eq!(
        megaport::view(&state).vxcs.len(),
        1,
        "still carries packets"
    );
    assert_eq!(c.cancel(&mcr, "?safeDelete=true").await.0, 400);
    assert_eq!(c.cancel(&vxc, "").await.0, 200);
    assert_eq!(c.status(&vxc).await, "DECOMMISSIONED");
}

#[tokio::test(start_paused = true)]
async fn cancel_later_and_restore_are_gone() {
    let (c, _, vxc) = router_and_vxc().await;
    for action in ["CANCEL", "UN_CANCEL"] {
        let path = format!("/v3/product/{vxc}/action/{action}");
        assert_eq!(c.call(Method::POST, &path, None).await.0, 403);
    }
    assert_eq!(c.status(&vxc).await, "LIVE");
}

#[tokio::test(start_paused = true)]
async fn a_lock_blocks_cancelling_and_so_does_one_on_a_vxc() {
    let (c, mcr, vxc) = router_and_vxc().await;
    let lock = format!("/v2/product/{vxc}/lock");
    let (status, body) = c.call(Method::POST, &lock, None).await;
    assert_eq!((status, &body["message"]), (200, &json!("Service locked")));
    let p = c.product(&vxc).await;
    assert_eq!(
        (&p["locked"], &p["cancelable"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(c.cancel(&vxc, "").await.0, 400);
    assert_eq!(c.cancel(&mcr, "").await.0, 400);
    assert_eq!(c.delete(&lock).await.0, 200);
    assert_eq!(c.cancel(&vxc, "").await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn tags_are_replaced_as_a_whole() {
    let (c, mcr, vxc) = router_and_vxc().await;
    for uid in [mcr, vxc] {
        let path = format!("/v2/product/{uid}/tags");
        let new = json!({"resourceTags": [{"key": "a", "value": "1"}]});
        assert_eq!(c.put(&path, new.clone()).await.0, 200);
        assert_eq!(c.read(&path).await, new);
        assert_eq!(c.put(&path, json!({"resourceTags": []})).await.0, 200);
        assert_eq!(
            c.read(&path).await,
            json!({"resourceTags": []}),
            "never null"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn prefix_lists_print_texts_drop_defaults_and_stay_while_in_use() {
    let (c, mcr, vxc) = router_and_vxc().await;
    let one = format!("/v2/product/mcr2/{mcr}/prefixList");
    let all = format!("/v2/product/mcr2/{mcr}/prefixLists?");
    let list = json!({"id": 0, "description": "import", "addressFamily": "IPv4", "entries": [
        {"action": "permit", "prefix": "10.10.0.0/16", "ge": 16, "le": 24},
        {"action": "deny", "prefix": "0.0.0.0/0", "le": 32},
    ]});
    let (status, body) = c.post(&one, list.clone()).await;
    assert_eq!(status, 200, "{body}");
    let id = body["data"]["id"].as_u64().unwrap();
    assert_eq!(
        c.read(&format!("{one}/{id}")).await["entries"],
        json!([
            {"action": "permit", "prefix": "10.10.0.0/16", "le": "24"},
            {"action": "deny", "prefix": "0.0.0.0/0", "le": "32"},
        ])
    );
    assert_eq!(
        c.read(&all).await,
        json!([{"id": id, "description": "import", "addressFamily": "IPv4"}])
    );
    for (field, value) in [
        ("addressFamily", json!("ipv4")),
        ("entries", json!([])),
        (
            "entries",
            json!([{"action": "permit", "prefix": "10.0.0.1/8"}]),
        ),
        (
            "entries",
            json!([{"action": "permit", "prefix": "10.0.0.0/8", "ge": 4}]),
        ),
    ] {
        let mut bad = list.clone();
        bad[field] = value;
        assert_eq!(c.post(&one, bad).await.0, 400, "{field}");
    }
    let mut with = interfaces(Some(KEY));
    with[0]["bgpConnections"][0]["importWhitelist"] = json!(id);
    let (status, body) = c
        .put(
            &format!("/v3/product/vxc/{vxc}"),
            json!({"aEndConfig": {"interfaces": with}}),
        )
        .await;
    assert_eq!(status, 200, "{body}");
    wait(9.0).await;
    let (status, body) = c.delete(&format!("{one}/{id}")).await;
    assert_eq!(status, 409);
    assert!(body["data"].is_object(), "an object this time");
    c.cancel(&vxc, "").await;
    assert_eq!(c.delete(&format!("{one}/{id}")).await.0, 409, "for a while");
    wait(21.0).await;
    assert_eq!(c.delete(&format!("{one}/{id}")).await.0, 200);
    assert_eq!(c.delete(&format!("{one}/{id}")).await.0, 404);
    let (status, body) = c.get(&format!("/v2/product/mcr2/{vxc}/prefixLists")).await;
    assert_eq!(
        (status, &body["message"]),
        (400, &json!("Not supported service type"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_ipsec_add_on_takes_the_router_out_of_its_ready_state() {
    let c = Client::new(world()).await;
    let mcr = c.mcr("a").await;
    let add = format!("/v3/product/{mcr}/addon");
    let (status, body) = c
        .post(&add, json!({"addOnType": "IP_SEC", "tunnelCount": 10}))
        .await;
    assert_eq!(status, 200, "{body}");
    let uid = body["data"]["addOnUid"].as_str().unwrap().to_owned();
    assert_eq!(c.status(&mcr).await, "DEPLOYABLE");
    assert_eq!(c.cancel(&mcr, "").await.0, 500);
    wait(46.0).await;
    let p = c.product(&mcr).await;
    assert_eq!(p["provisioningStatus"], "LIVE");
    assert_eq!(p["addOns"][0]["tunnelCount"], 10);
    assert_eq!(c.post(&add, json!({"tunnelCount": 15})).await.0, 400);
    // A tunnel's source lives on another sub-interface of the same VXC.
    let mut order = aws_order(&mcr, "tunnelled", Some(KEY));
    let mut with = interfaces(Some(KEY));
    with.as_array_mut().unwrap().push(json!({
        "interfaceType": "ipSecTunnel", "description": "t", "ipAddresses": ["10.9.9.1/30"],
        "ipSecTunnelOptions": {"sourceIpAddress": "169.254.50.218", "destinationIpAddress": "192.0.2.1",
                               "preSharedKey": "psk-0123456"},
    }));
    order["associatedVxcs"][0]["aEnd"]["partnerConfig"]["interfaces"] = with;
    let vxc = c.bought(order).await;
    wait(100.0).await;
    let ipsec = c.read(&format!("/v3/products/mcrs/{mcr}/ipsec")).await;
    assert_eq!(ipsec["totalTunnelCount"], 10);
    assert_eq!(ipsec["ipSecConfiguredVxcs"][0]["productUid"], vxc.as_str());
    let off = json!({"addOnType": "IP_SEC", "tunnelCount": 0});
    let (status, body) = c.put(&format!("{add}/{uid}"), off.clone()).await;
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("configured tunnels")
    );
    c.cancel(&vxc, "").await;
    assert_eq!(c.put(&format!("{add}/{uid}"), off).await.0, 200);
    wait(46.0).await;
    assert_eq!(c.product(&mcr).await["addOns"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn the_portals_flag_shuts_one_session() {
    let (c, _, vxc) = router_and_vxc().await;
    let peer = "169.254.50.217".parse().unwrap();
    assert!(
        c.sandbox
            .with(|s| megaport::set_session_shutdown(s, &vxc, peer, true))
    );
    assert_eq!(session(&c.product(&vxc).await)["shutdown"], true);
    let view = c.sandbox.with(|s| megaport::view(s));
    assert!(view.vxcs[0].interfaces[0].sessions[0].shutdown);
    let other = "192.0.2.1".parse().unwrap();
    assert!(
        !c.sandbox
            .with(|s| megaport::set_session_shutdown(s, &vxc, other, true))
    );
}

#[tokio::test(start_paused = true)]
async fn the_critical_path_sees_router_vxc_and_their_lock() {
    let (c, mcr, vxc) = router_and_vxc().await;
    let ops = c.sandbox.snapshot().ops.all;
    let of = |name: &str, resource: &str| {
        ops.iter()
            .find(|o| o.operation == name && o.resource == resource.to_lowercase())
            .unwrap_or_else(|| panic!("{name}"))
            .clone()
    };
    let (made, live) = (of("mcr.create", &mcr), of("mcr.live", &mcr));
    let (ordered, up) = (of("vxc.create", &vxc), of("vxc.live", &vxc));
    assert!(live.depends_on.contains(&made.id));
    assert!(ordered.depends_on.contains(&live.id));
    assert!(up.depends_on.contains(&ordered.id));
    assert!(ops.iter().all(|o| o.ended_at.is_some()));
    assert_eq!(ordered.locks, vec![format!("mcr:{mcr}")]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_product_can_be_cancelled() {
    let c = Client::new(world()).await;
    c.sandbox.add_fault(fails("POST /v4/networkdesign/buy"));
    let mcr = c.bought(mcr_order("doomed")).await;
    wait(100.0).await;
    assert_eq!(c.status(&mcr).await, "FAILED");
    assert_eq!(c.cancel(&mcr, "?safeDelete=true").await.0, 200);
    assert_eq!(c.status(&mcr).await, "DECOMMISSIONED");
    assert_eq!(c.cancel(&mcr, "").await.0, 400);
}
