//! Megaport and AWS together: hosted VIFs and hosted connections.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod aws_support;
mod megaport_support;

use aws_support::Aws;
use causeway_sandbox::megaport;
use causeway_sandbox::net::view::FarEnd;
use megaport_support::*;
use serde_json::{Value, json};

async fn both() -> (Client, Aws, String) {
    let aws = Aws::with_world(world(), 1);
    let c = Client::on(aws.sandbox.clone()).await;
    let mcr = c.mcr("lab-a").await;
    (c, aws, mcr)
}

async fn vif(aws: &Aws, id: &str) -> Value {
    let got = aws
        .dx(
            "DescribeVirtualInterfaces",
            json!({"virtualInterfaceId": id}),
        )
        .await
        .ok();
    got["virtualInterfaces"][0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_hosted_vif_appears_as_ordered_and_goes_with_its_vxc() {
    let (c, aws, mcr) = both().await;
    let uid = c.aws_vxc(&mcr, "lab-vif", Some("key-0123456")).await;
    let p = c.product(&uid).await;
    let id = p["resources"]["csp_connection"][1]["vif_id"]
        .as_str()
        .unwrap()
        .to_owned();
    wait(120.0).await;
    let v = vif(&aws, &id).await;
    assert_eq!(v["virtualInterfaceState"], "confirming");
    assert_eq!(v["vlan"], p["bEnd"]["vlan"]);
    assert_eq!(
        (&v["asn"], &v["authKey"]),
        (&json!(64600), &json!("key-0123456"))
    );
    assert_eq!(
        (&v["amazonAddress"], &v["customerAddress"]),
        (&json!("169.254.50.217/30"), &json!("169.254.50.218/30"))
    );
    // Whoever confirms the VIF waits for the VXC on the critical path.
    let ops = c.sandbox.snapshot().ops.all;
    let emerged = ops
        .iter()
        .find(|o| o.resource == id && o.operation == "vxc.emerge")
        .unwrap();
    let made = ops
        .iter()
        .find(|o| o.operation == "vxc.create" && o.resource == uid)
        .unwrap();
    assert!(emerged.depends_on.contains(&made.id));
    // The VIF is the partner's: the VXC can be cancelled, and takes it away.
    assert_eq!(c.cancel(&uid, "").await.0, 200);
    wait(300.0).await;
    let gone = vif(&aws, &id).await;
    assert!(
        gone.is_null() || gone["virtualInterfaceState"] == "deleted",
        "{gone}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_vif_on_a_hosted_connection_is_the_customers_and_blocks_its_vxc() {
    let (c, aws, mcr) = both().await;
    let order = json!({"productUid": mcr, "associatedVxcs": [{
        "productName": "hc", "rateLimit": 50, "term": 1,
        "aEnd": {"vlan": 0, "partnerConfig": {"interfaces": interfaces(Some("key-0123456"))}},
        "bEnd": {"productUid": RED_HC,
                 "partnerConfig": {"connectType": "AWSHC", "ownerAccount": "111122223333", "name": "dxcon"}},
    }]});
    let uid = c.bought(order).await;
    wait(120.0).await;
    let p = c.product(&uid).await;
    let csp = &p["resources"]["csp_connection"];
    assert_eq!(
        (&csp[0]["connectType"], &csp[1]["connectType"]),
        (&json!("VROUTER"), &json!("AWSHC"))
    );
    let id = csp[1]["connectionId"].as_str().unwrap().to_owned();
    let dxgw = aws.dxgw().await;
    aws.dx("ConfirmConnection", json!({"connectionId": id}))
        .await
        .ok();
    wait(120.0).await;
    assert!(
        c.sandbox.with(|s| megaport::view(s)).vxcs.is_empty(),
        "no layer 3 yet"
    );
    let made = aws
        .dx(
            "CreatePrivateVirtualInterface",
            json!({"connectionId": id, "newPrivateVirtualInterface": {
                "virtualInterfaceName": "ours", "vlan": p["bEnd"]["vlan"], "asn": 64600, "authKey": "key-0123456",
                "amazonAddress": "169.254.50.217/30", "customerAddress": "169.254.50.218/30",
                "directConnectGatewayId": dxgw,
            }}),
        )
        .await
        .ok();
    let vif = made["virtualInterfaceId"].as_str().unwrap().to_owned();
    let view = c.sandbox.with(|s| megaport::view(s));
    assert_eq!(view.vxcs[0].far, FarEnd::Aws { vif: vif.clone() });
    wait(300.0).await;
    let up = c.product(&uid).await["resources"]["csp_connection"][0]["bgp_status"].clone();
    assert_eq!(up, json!({"169.254.50.217": 1}), "the session comes up");
    let (status, body) = c.cancel(&uid, "").await;
    assert_eq!(status, 400);
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("must be removed in AWS first")
    );
    aws.dx("DeleteVirtualInterface", json!({"virtualInterfaceId": vif}))
        .await
        .ok();
    wait(300.0).await;
    assert_eq!(c.cancel(&uid, "").await.0, 200);
    assert_eq!(c.status(&uid).await, "DECOMMISSIONED");
}
