//! The inconvenient truths of virtual interfaces and hosted connections (aws.md §1.2, §1.3, §1.7), one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap fails the test"
)]

mod aws_support;

use aws_support::{Aws, exact_world, text};
use causeway_sandbox::aws::partner;
use serde_json::json;

async fn confirm(aws: &Aws, vif: &str, dxgw: &str) {
    let got = aws
        .dx(
            "ConfirmPrivateVirtualInterface",
            json!({"virtualInterfaceId": vif, "directConnectGatewayId": dxgw}),
        )
        .await
        .ok();
    assert_eq!(got["virtualInterfaceState"], "pending");
}

#[tokio::test(start_paused = true)]
async fn a_hosted_vif_is_confirmed_once_with_exactly_one_gateway() {
    let aws = Aws::new();
    let (dxgw, vgw) = (aws.dxgw().await, aws.vgw().await);
    let vif = aws.hosted_vif().await;
    let got = aws.dx("DescribeVirtualInterfaces", json!({})).await.ok();
    let v = &got["virtualInterfaces"][0];
    assert_eq!(v["virtualInterfaceState"], "confirming");
    assert_eq!(
        (&v["vlan"], &v["asn"], &v["asnLong"]),
        (&json!(213), &json!(64600), &json!(64600))
    );
    assert_eq!(v["amazonAddress"], "169.254.50.217/30");
    assert!(v.get("directConnectGatewayId").is_none());
    // The partner's connection is not the account's.
    let own = aws.dx("DescribeConnections", json!({})).await.ok();
    assert_eq!(own["connections"], json!([]));
    aws.dx(
        "DescribeConnections",
        json!({"connectionId": v["connectionId"]}),
    )
    .await
    .refused("does not exist");
    let input = |d: Option<&str>, g: Option<&str>| json!({"virtualInterfaceId": vif, "directConnectGatewayId": d, "virtualGatewayId": g});
    aws.dx("ConfirmPrivateVirtualInterface", input(None, None))
        .await
        .refused("Exactly one");
    aws.dx(
        "ConfirmPrivateVirtualInterface",
        input(Some(&dxgw), Some(&vgw)),
    )
    .await
    .refused("Exactly one");
    aws.dx("ConfirmPrivateVirtualInterface", input(Some("nope"), None))
        .await
        .refused("does not exist");
    let arn = format!("arn:aws:directconnect:us-east-1:111122223333:dxvif/{vif}");
    let tag = json!({"resourceArn": arn, "tags": [{"key": "owner", "value": "x"}]});
    aws.dx("TagResource", tag.clone())
        .await
        .refused("confirming");
    confirm(&aws, &vif, &dxgw).await;
    aws.dx("ConfirmPrivateVirtualInterface", input(Some(&dxgw), None))
        .await
        .refused("cannot be confirmed");
    aws.dx("TagResource", tag).await.ok();
    let attachment = async || {
        let got = aws
            .dx(
                "DescribeDirectConnectGatewayAttachments",
                json!({"directConnectGatewayId": dxgw}),
            )
            .await
            .ok();
        text(&got["directConnectGatewayAttachments"][0]["attachmentState"])
    };
    assert_eq!(attachment().await, "attaching");
    aws.dx("DescribeDirectConnectGatewayAttachments", json!({}))
        .await
        .refused("must be given");
    aws.pass(121.0).await;
    assert_eq!(attachment().await, "attached");
    let got = aws
        .dx(
            "DescribeVirtualInterfaces",
            json!({"virtualInterfaceId": vif}),
        )
        .await
        .ok();
    let v = &got["virtualInterfaces"][0];
    assert!(["available", "down"].contains(&v["virtualInterfaceState"].as_str().unwrap()));
    assert_eq!(v["bgpPeers"][0]["bgpPeerState"], "available", "provisioned");
    assert_eq!(
        v["bgpPeers"][0]["bgpStatus"], "down",
        "but there is no session"
    );
    assert_eq!(v["amazonSideAsn"], 64901);
    assert_eq!(v["tags"][0]["key"], "owner");
    assert_eq!(
        aws.sandbox
            .with(|s| causeway_sandbox::aws::view(s))
            .vifs
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn without_bgp_a_vif_is_available_or_down() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..12 {
        let aws = Aws::with_world(exact_world(), seed);
        let dxgw = aws.dxgw().await;
        let vif = aws.hosted_vif().await;
        confirm(&aws, &vif, &dxgw).await;
        aws.pass(121.0).await;
        seen.insert(aws.vif_state(&vif).await);
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["available", "down"]);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_vif_lingers_less_than_fifteen_minutes() {
    let aws = Aws::new();
    let dxgw = aws.dxgw().await;
    let vif = aws.hosted_vif().await;
    confirm(&aws, &vif, &dxgw).await;
    aws.pass(121.0).await;
    let delete = json!({"virtualInterfaceId": vif});
    let got = aws.dx("DeleteVirtualInterface", delete.clone()).await.ok();
    assert_eq!(got["virtualInterfaceState"], "deleting");
    assert!(
        aws.sandbox
            .with(|s| causeway_sandbox::aws::view(s))
            .vifs
            .is_empty()
    );
    aws.dx(
        "DeleteDirectConnectGateway",
        json!({"directConnectGatewayId": dxgw}),
    )
    .await
    .ok();
    aws.pass(95.0).await;
    assert_eq!(aws.vif_state(&vif).await, "deleted");
    aws.dx("DeleteVirtualInterface", delete.clone())
        .await
        .refused("does not exist");
    assert!(!aws.sandbox.with(|s| partner::vif_exists(s, &vif)));
    aws.pass(810.0).await;
    aws.dx("DescribeVirtualInterfaces", delete)
        .await
        .refused("does not exist");
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_vif_is_rejected_by_its_owner_or_goes_with_its_vxc() {
    let aws = Aws::new();
    let vif = aws.hosted_vif().await;
    let got = aws
        .dx("DeleteVirtualInterface", json!({"virtualInterfaceId": vif}))
        .await
        .ok();
    assert_eq!(got["virtualInterfaceState"], "rejected");
    assert_eq!(aws.vif_state(&vif).await, "rejected");
    assert!(causeway_sandbox::aws::live(&aws.sandbox.snapshot()).is_empty());

    let vif = aws.hosted_vif().await;
    aws.sandbox.with(|s| partner::release_vif(s, &vif));
    assert_eq!(aws.vif_state(&vif).await, "deleting");
    aws.pass(91.0).await;
    assert_eq!(aws.vif_state(&vif).await, "deleted");
}

#[tokio::test(start_paused = true)]
async fn what_of_a_vif_can_be_changed() {
    let aws = Aws::new();
    let dxgw = aws.dxgw().await;
    let vif = aws.hosted_vif().await;
    let update = async |more: serde_json::Value| {
        let mut input = json!({"virtualInterfaceId": vif});
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        aws.dx("UpdateVirtualInterfaceAttributes", input).await
    };
    update(json!({"enableSiteLink": true}))
        .await
        .refused("confirming");
    confirm(&aws, &vif, &dxgw).await;
    aws.pass(121.0).await;
    update(json!({"mtu": 9001})).await.refused("MTU");
    update(json!({"rateLimit": "50Mbps"}))
        .await
        .refused("dedicated");
    update(json!({"virtualInterfaceName": "bad name!"}))
        .await
        .refused("name");
    let v = update(json!({"virtualInterfaceName": "new-name", "enableSiteLink": true}))
        .await
        .ok();
    assert_eq!(
        (&v["virtualInterfaceName"], &v["siteLinkEnabled"]),
        (&json!("new-name"), &json!(true))
    );
    let v = update(json!({"mtu": 8500})).await.ok();
    assert_eq!(v["virtualInterfaceState"], "pending");
    assert!(
        aws.sandbox
            .with(|s| causeway_sandbox::aws::view(s))
            .vifs
            .is_empty(),
        "interrupted"
    );
    aws.pass(31.0).await;
    assert_eq!(
        aws.sandbox
            .with(|s| causeway_sandbox::aws::view(s))
            .vifs
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_failover_test_holds_the_session_down_for_its_time() {
    let aws = Aws::new();
    let dxgw = aws.dxgw().await;
    let vif = aws.hosted_vif().await;
    let start = |minutes: serde_json::Value| json!({"virtualInterfaceId": vif, "testDurationInMinutes": minutes});
    aws.dx("StartBgpFailoverTest", start(json!(2)))
        .await
        .refused("confirming");
    confirm(&aws, &vif, &dxgw).await;
    aws.pass(121.0).await;
    aws.dx("StartBgpFailoverTest", start(json!(4321)))
        .await
        .refused("between 1 and 4320");
    let got = aws.dx("StartBgpFailoverTest", start(json!(2))).await.ok();
    assert_eq!(got["virtualInterfaceTest"]["status"], "In progress");
    assert_eq!(aws.vif_state(&vif).await, "testing");
    assert!(aws.sandbox.with(|s| causeway_sandbox::aws::view(s)).vifs[0].testing);
    aws.dx("StartBgpFailoverTest", start(json!(2)))
        .await
        .refused("testing");
    aws.pass(121.0).await;
    assert_ne!(aws.vif_state(&vif).await, "testing");
    let got = aws
        .dx("StartBgpFailoverTest", json!({"virtualInterfaceId": vif}))
        .await
        .ok();
    assert_eq!(
        got["virtualInterfaceTest"]["testDurationInMinutes"], 180,
        "three hours by default"
    );
    aws.dx("StopBgpFailoverTest", json!({"virtualInterfaceId": vif}))
        .await
        .ok();
    aws.dx("StopBgpFailoverTest", json!({"virtualInterfaceId": vif}))
        .await
        .refused("no failover test");
    let got = aws
        .dx(
            "ListVirtualInterfaceTestHistory",
            json!({"virtualInterfaceId": vif}),
        )
        .await
        .ok();
    let states: Vec<String> = got["virtualInterfaceTestHistory"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| text(&t["status"]))
        .collect();
    assert_eq!(states, ["Completed", "Cancelled"]);
    let only = aws
        .dx(
            "ListVirtualInterfaceTestHistory",
            json!({"status": "completed"}),
        )
        .await
        .ok();
    assert_eq!(
        only["virtualInterfaceTestHistory"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_hosted_connection_is_confirmed_and_takes_one_vif() {
    let aws = Aws::new();
    let dxgw = aws.dxgw().await;
    let id = aws.sandbox.with(|s| {
        partner::allocate_connection(s, "111122223333", "lab", "us-east-1", "EqDC2", 300, 50)
    });
    aws.pass(10.0).await;
    let vif = |vlan: u16, name: &str| {
        json!({"connectionId": id, "newPrivateVirtualInterface": {
            "virtualInterfaceName": name, "vlan": vlan, "asnLong": 4200000000u32, "directConnectGatewayId": dxgw,
        }})
    };
    let got = aws.dx("DescribeConnections", json!({})).await.ok();
    let c = &got["connections"][0];
    assert_eq!(
        (&c["connectionState"], &c["partnerName"], &c["bandwidth"]),
        (&json!("ordering"), &json!("Megaport"), &json!("50Mbps"))
    );
    aws.dx("CreatePrivateVirtualInterface", vif(300, "a"))
        .await
        .refused("available state");
    aws.dx("ConfirmConnection", json!({"connectionId": id}))
        .await
        .ok();
    aws.dx("ConfirmConnection", json!({"connectionId": id}))
        .await
        .refused("cannot be confirmed");
    aws.pass(61.0).await;
    aws.dx("CreatePrivateVirtualInterface", vif(301, "a"))
        .await
        .refused("VLAN");
    let made = aws
        .dx("CreatePrivateVirtualInterface", vif(300, "a"))
        .await
        .ok();
    assert_eq!(
        (&made["asn"], &made["asnLong"]),
        (&json!(0), &json!(4200000000u32)),
        "a 4-byte ASN"
    );
    aws.dx("CreatePrivateVirtualInterface", vif(300, "b"))
        .await
        .refused("already has");
    aws.pass(121.0).await;
    assert_eq!(
        aws.sandbox
            .with(|s| causeway_sandbox::aws::view(s))
            .vifs
            .len(),
        1
    );
    aws.sandbox.with(|s| partner::release_connection(s, &id));
    aws.pass(100.0).await;
    assert_eq!(
        aws.vif_state(&text(&made["virtualInterfaceId"])).await,
        "deleted"
    );
}

#[tokio::test(start_paused = true)]
async fn the_slow_chain_is_on_the_record_of_operations() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    let id = aws.associate(&dxgw, &vgw).await;
    let vif = aws.sandbox.with(|s| {
        let hosted = partner::HostedVif {
            owner_account: "111122223333".into(),
            name: "lab".into(),
            kind: "private".into(),
            region: "us-east-1".into(),
            location: "EqDC2".into(),
            vlan: 213,
            asn: 64600,
            amazon_asn: None,
            auth_key: "SecretBgpKey1".into(),
            amazon_address: String::new(),
            customer_address: String::new(),
        };
        partner::allocate_vif(s, &hosted)
    });
    aws.pass(10.0).await;
    confirm(&aws, &vif, &dxgw).await;
    let ops = aws.sandbox.snapshot().ops;
    let on = |resource: &str| {
        ops.all
            .iter()
            .rev()
            .find(|o| o.resource == resource)
            .unwrap()
    };
    let named = |o: &causeway_sandbox::ops::Operation| -> Vec<String> {
        o.depends_on
            .iter()
            .map(|d| ops.get(*d).unwrap().operation.clone())
            .collect()
    };
    let association = named(on(&id));
    for needed in [
        "CreateVpnGateway",
        "AttachVpnGateway",
        "CreateDirectConnectGateway",
    ] {
        assert!(association.iter().any(|o| o == needed), "{association:?}");
    }
    let confirmed = named(on(&vif));
    assert!(
        confirmed.contains(&"virtualInterface.appear".to_owned()),
        "{confirmed:?}"
    );
    assert!(
        confirmed.contains(&"CreateDirectConnectGateway".to_owned()),
        "{confirmed:?}"
    );
    let secret = aws.sandbox.with(|s| causeway_sandbox::aws::secrets(s));
    assert!(secret.contains(&"SecretBgpKey1".to_owned()));
    let shown = format!("{:?}", aws.sandbox.snapshot().aws);
    assert!(!shown.contains("SecretBgpKey1"), "Debug hides the key");
}
