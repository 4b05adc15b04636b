//! `POST /events`: what happens on the providers' side without anybody asking.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
mod aws_support;
mod megaport_support;

use arm_support::{Azure, VPN};
use aws_support::Aws;
use causeway_sandbox::{Sandbox, control};
use http::Method;
use megaport_support::{Client, RED_AWS};
use serde_json::{Value, json};

fn happen(sandbox: &Sandbox, body: &Value) -> (u16, Value) {
    let req = megaport_support::request(&Method::POST, "/events", &[], &body.to_string());
    let res = control::respond(sandbox, &req);
    (
        res.status.as_u16(),
        serde_json::from_slice(&res.body).unwrap(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_retired_gateway_sku_changes_under_its_owner() {
    let mut world = arm_support::world();
    world.azure.retired_gateway_skus.clear();
    let azure = Azure::with_world(world).await;
    azure
        .make("publicIPAddresses/pip-0", &arm_support::pip())
        .await;
    azure
        .make("publicIPAddresses/pip-1", &arm_support::pip())
        .await;
    let mut body = arm_support::vpn_gateway();
    body["properties"]["sku"] = json!({"name": "VpnGw2", "tier": "VpnGw2"});
    azure.make(VPN, &body).await;
    let id = format!("{}/{VPN}", arm_support::NETWORK);
    let event = json!({"type": "skuMigration", "gateway": id});
    let (status, answer) = happen(&azure.sandbox, &event);
    assert_eq!((status, &answer["sku"]), (200, &json!("VpnGw2AZ")));
    let read = azure.get(VPN).await.body;
    assert_eq!(read["properties"]["sku"]["name"], "VpnGw2AZ");
    assert_eq!(read["properties"]["provisioningState"], "Succeeded");
    // Once is enough.
    let (status, answer) = happen(&azure.sandbox, &event);
    assert_eq!(status, 404);
    assert!(
        answer["error"]
            .as_str()
            .unwrap()
            .contains("VpnGw1 to VpnGw5")
    );
}

#[tokio::test(start_paused = true)]
async fn a_hosted_vif_vanishes() {
    let aws = Aws::new();
    let vif = aws.hosted_vif().await;
    assert_eq!(aws.vif_state(&vif).await, "confirming");
    let event = json!({"type": "vifVanishes", "vif": vif});
    assert_eq!(happen(&aws.sandbox, &event).0, 200);
    aws.pass(200.0).await;
    assert!(matches!(aws.vif_state(&vif).await.as_str(), "deleted" | ""));
    assert_eq!(happen(&aws.sandbox, &event).0, 404);
}

#[tokio::test(start_paused = true)]
async fn ports_rotate() {
    let megaport = Client::new(megaport_support::world()).await;
    let ports = async || {
        let list = megaport.read("/v2/dropdowns/partner/megaports").await;
        list.to_string()
    };
    assert!(ports().await.contains(RED_AWS));
    let (status, answer) = happen(&megaport.sandbox, &json!({"type": "portRotation"}));
    assert_eq!(status, 200);
    let new = answer["rotated"][RED_AWS].as_str().unwrap().to_owned();
    let after = ports().await;
    assert!(after.contains(&new) && !after.contains(RED_AWS));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused() {
    let sandbox = Aws::new().sandbox;
    for (body, status, part) in [
        (json!({"type": "earthquake"}), 400, "unknown variant"),
        (
            json!({"type": "maintenance", "node": "x", "prepend": 11}),
            400,
            "0 to 10",
        ),
        (
            json!({"type": "maintenance", "node": "x", "prepend": 1}),
            404,
            "no node x",
        ),
        (
            json!({"type": "tunnelReplacement", "vpnConnection": "vpn-1"}),
            404,
            "vpn-1",
        ),
    ] {
        let (got, answer) = happen(&sandbox, &body);
        let text = answer["error"].as_str().unwrap();
        assert!(
            got == status && text.contains(part),
            "{body}: {got} {answer}"
        );
    }
}
