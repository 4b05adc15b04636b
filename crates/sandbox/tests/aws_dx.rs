//! The inconvenient truths of Direct Connect (aws.md §1), one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap fails the test"
)]

mod aws_support;

use aws_support::{Aws, VPC, exact_world, text};
use causeway_sandbox::aws::partner;
use causeway_sandbox::faults::{Effect, Fault, Match};
use serde_json::json;

async fn dxgw_state(aws: &Aws, id: &str) -> Option<String> {
    let got = aws
        .dx(
            "DescribeDirectConnectGateways",
            json!({"directConnectGatewayId": id}),
        )
        .await
        .ok();
    got["directConnectGateways"][0]["directConnectGatewayState"]
        .as_str()
        .map(str::to_owned)
}

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

fn fault(operation: &str, effect: Effect, code: &str) -> Fault {
    Fault {
        matches: Match {
            operation: Some(operation.into()),
            ..Match::default()
        },
        effect,
        status: None,
        code: Some(code.into()),
        seconds: None,
        times: Some(1),
    }
}

#[tokio::test(start_paused = true)]
async fn gateways_are_global_unnamed_by_token_and_vanish_when_deleted() {
    let aws = Aws::new();
    let make = json!({"directConnectGatewayName": "lab", "amazonSideAsn": 64901, "tags": [{"key": "k", "value": "v"}]});
    let made = aws
        .dx("CreateDirectConnectGateway", make.clone())
        .await
        .ok();
    let g = &made["directConnectGateway"];
    assert_eq!(g["directConnectGatewayState"], "pending");
    assert_eq!(g["tags"][0]["value"], "v");
    let id = text(&g["directConnectGatewayId"]);
    let again = aws.dx("CreateDirectConnectGateway", make).await.ok();
    assert_ne!(
        again["directConnectGateway"]["directConnectGatewayId"],
        json!(id),
        "a retry makes a second one"
    );
    aws.dx(
        "DeleteDirectConnectGateway",
        json!({"directConnectGatewayId": id}),
    )
    .await
    .refused("pending");
    aws.pass(31.0).await;
    assert_eq!(dxgw_state(&aws, &id).await.as_deref(), Some("available"));
    assert_eq!(
        dxgw_state(&aws.in_region("us-west-2"), &id)
            .await
            .as_deref(),
        Some("available")
    );
    aws.dx(
        "DeleteDirectConnectGateway",
        json!({"directConnectGatewayId": id}),
    )
    .await
    .ok();
    assert_eq!(dxgw_state(&aws, &id).await.as_deref(), Some("deleting"));
    aws.pass(46.0).await;
    assert_eq!(
        dxgw_state(&aws, &id).await,
        None,
        "an empty list, not an error"
    );
    aws.dx(
        "DeleteDirectConnectGateway",
        json!({"directConnectGatewayId": id}),
    )
    .await
    .refused("does not exist");
    for bad in [json!(7224), json!(65535), json!(0)] {
        let input = json!({"directConnectGatewayName": "x", "amazonSideAsn": bad});
        aws.dx("CreateDirectConnectGateway", input)
            .await
            .refused("ASN");
    }
    let made = aws
        .dx(
            "CreateDirectConnectGateway",
            json!({"directConnectGatewayName": "x"}),
        )
        .await
        .ok();
    assert_eq!(made["directConnectGateway"]["amazonSideAsn"], 64512);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_with_an_association_comes_back_to_life() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    aws.associate(&dxgw, &vgw).await;
    aws.dx(
        "DeleteDirectConnectGateway",
        json!({"directConnectGatewayId": dxgw}),
    )
    .await
    .ok();
    assert_eq!(dxgw_state(&aws, &dxgw).await.as_deref(), Some("deleting"));
    aws.pass(181.0).await;
    let got = aws
        .dx(
            "DescribeDirectConnectGateways",
            json!({"directConnectGatewayId": dxgw}),
        )
        .await
        .ok();
    let g = &got["directConnectGateways"][0];
    assert_eq!(g["directConnectGatewayState"], "available");
    assert!(text(&g["stateChangeError"]).contains("associations"));
}

#[tokio::test(start_paused = true)]
async fn an_association_needs_an_attached_gateway_and_ten_minutes_each_way() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.vgw().await, aws.dxgw().await);
    let input = json!({"directConnectGatewayId": dxgw, "gatewayId": vgw});
    aws.dx("CreateDirectConnectGatewayAssociation", input.clone())
        .await
        .refused("not attached");
    aws.ec2(
        "AttachVpnGateway",
        &[("VpnGatewayId", &vgw), ("VpcId", VPC)],
    )
    .await
    .ok();
    aws.dx("CreateDirectConnectGatewayAssociation", input.clone())
        .await
        .refused("not attached");
    aws.pass(30.0).await;
    let id = aws.associate(&dxgw, &vgw).await;
    aws.dx("CreateDirectConnectGatewayAssociation", input)
        .await
        .refused("already associated");
    let missing = json!({"directConnectGatewayId": dxgw, "gatewayId": "vgw-0"});
    aws.dx("CreateDirectConnectGatewayAssociation", missing)
        .await
        .refused("does not exist");
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("associating")
    );
    let seen = || {
        aws.sandbox
            .with(|s| causeway_sandbox::aws::view(s).associations)
    };
    assert!(seen().is_empty(), "nothing is announced yet");
    let delete = json!({"associationId": id});
    aws.dx("DeleteDirectConnectGatewayAssociation", delete.clone())
        .await
        .refused("associating");
    aws.pass(599.0).await;
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("associating")
    );
    aws.pass(2.0).await;
    let got = aws
        .dx(
            "DescribeDirectConnectGatewayAssociations",
            json!({"associatedGatewayId": vgw}),
        )
        .await
        .ok();
    let a = &got["directConnectGatewayAssociations"][0];
    assert_eq!(a["associationState"], "associated");
    assert_eq!(
        a["allowedPrefixesToDirectConnectGateway"],
        json!([{"cidr": "172.16.0.0/16"}]),
        "computed from the VPC"
    );
    assert_eq!(a["associatedGateway"]["type"], "virtualPrivateGateway");
    assert_eq!(seen().len(), 1);
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &vgw)])
        .await
        .refused("IncorrectState");
    aws.dx("DeleteDirectConnectGatewayAssociation", delete.clone())
        .await
        .ok();
    assert!(seen().is_empty(), "withdrawn at once");
    aws.pass(589.0).await;
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("disassociating")
    );
    aws.pass(2.0).await;
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("disassociated")
    );
    aws.dx("DeleteDirectConnectGatewayAssociation", delete)
        .await
        .refused("does not exist");
    aws.pass(61.0).await;
    assert_eq!(aws.association_state(&id).await, None);
}

#[tokio::test(start_paused = true)]
async fn allowed_prefixes_change_by_difference() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    let id = aws.associate(&dxgw, &vgw).await;
    aws.pass(601.0).await;
    let update = async |add: &[&str], remove: &[&str]| {
        let list = |p: &[&str]| p.iter().map(|c| json!({"cidr": c})).collect::<Vec<_>>();
        aws.dx(
            "UpdateDirectConnectGatewayAssociation",
            json!({
                "associationId": id,
                "addAllowedPrefixesToDirectConnectGateway": list(add),
                "removeAllowedPrefixesToDirectConnectGateway": list(remove),
            }),
        )
        .await
    };
    update(&[], &[]).await.refused("No allowed prefixes");
    update(&["172.16.0.0/16"], &[]).await.refused("already");
    update(&[], &["10.0.0.0/8"])
        .await
        .refused("not an allowed prefix");
    update(&["10.0.0.1/8"], &[])
        .await
        .refused("network address");
    update(&["172.16.0.0/12"], &["172.16.0.0/16"]).await.ok();
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("updating")
    );
    update(&["10.0.0.0/8"], &[]).await.refused("updating");
    let view = aws.sandbox.with(|s| causeway_sandbox::aws::view(s));
    assert_eq!(view.associations.len(), 1, "updating is not an outage");
    aws.pass(381.0).await;
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("associated")
    );
}

#[tokio::test(start_paused = true)]
async fn detaching_takes_minutes_after_an_association_and_waits_for_its_end() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    let id = aws.associate(&dxgw, &vgw).await;
    aws.pass(601.0).await;
    let detach = [("VpnGatewayId", vgw.as_str()), ("VpcId", VPC)];
    let state = async || {
        let res = aws.ec2("DescribeVpnGateways", &[]).await.ok();
        aws_support::Xml {
            status: 200,
            body: res.get("attachments"),
        }
        .get("state")
    };
    aws.ec2("DetachVpnGateway", &detach).await.ok();
    aws.pass(400.0).await;
    assert_eq!(state().await, "detaching", "the association still holds it");
    aws.dx(
        "DeleteDirectConnectGatewayAssociation",
        json!({"associationId": id}),
    )
    .await
    .ok();
    aws.pass(620.0).await;
    assert_eq!(state().await, "detached");

    // And without one in place, but one in the past: minutes, not seconds.
    aws.ec2("AttachVpnGateway", &detach).await.ok();
    aws.pass(30.0).await;
    aws.ec2("DetachVpnGateway", &detach).await.ok();
    aws.pass(60.0).await;
    let res = aws.ec2("DescribeVpnGateways", &[]).await.ok();
    let states = aws_support::Xml {
        status: 200,
        body: res.get("attachments"),
    }
    .all("state");
    assert_eq!(states, ["detached", "detaching"]);
    aws.pass(190.0).await;
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &vgw)])
        .await
        .ok();
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
async fn tags_go_by_arn_and_associations_have_none() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    let association = aws.associate(&dxgw, &vgw).await;
    let arn = format!("arn:aws:directconnect::111122223333:dx-gateway/{dxgw}");
    let tag =
        |arn: &str, key: &str| json!({"resourceArn": arn, "tags": [{"key": key, "value": "v"}]});
    aws.dx("TagResource", tag(&arn, "owner")).await.ok();
    let regional = format!("arn:aws:directconnect:us-east-1:111122223333:dx-gateway/{dxgw}");
    aws.dx("TagResource", tag(&regional, "owner"))
        .await
        .refused("not a valid ARN");
    let other = format!("arn:aws:directconnect::111122223333:dx-gateway-association/{association}");
    aws.dx("TagResource", tag(&other, "owner"))
        .await
        .refused("not a valid ARN");
    let got = aws
        .dx("DescribeTags", json!({"resourceArns": [arn]}))
        .await
        .ok();
    assert_eq!(
        got["resourceTags"][0]["tags"],
        json!([{"key": "owner", "value": "v"}])
    );
    let twice = json!({"resourceArn": arn, "tags": [{"key": "a"}, {"key": "a"}]});
    assert_eq!(
        aws.dx("TagResource", twice).await.body["__type"],
        "DuplicateTagKeysException"
    );
    let many: Vec<_> = (0..50).map(|i| json!({"key": format!("k{i}")})).collect();
    let many = json!({"resourceArn": arn, "tags": many});
    assert_eq!(
        aws.dx("TagResource", many).await.body["__type"],
        "TooManyTagsException"
    );
    aws.dx(
        "UntagResource",
        json!({"resourceArn": arn, "tagKeys": ["owner"]}),
    )
    .await
    .ok();
    let got = aws
        .dx("DescribeTags", json!({"resourceArns": [arn]}))
        .await
        .ok();
    assert!(got["resourceTags"][0].get("tags").is_none());
}

#[tokio::test(start_paused = true)]
async fn lists_are_paged() {
    let aws = Aws::new();
    for i in 0..7 {
        aws.dx(
            "CreateDirectConnectGateway",
            json!({"directConnectGatewayName": format!("g{i}")}),
        )
        .await
        .ok();
    }
    let mut token = serde_json::Value::Null;
    let mut sizes = Vec::new();
    loop {
        let got = aws
            .dx(
                "DescribeDirectConnectGateways",
                json!({"maxResults": 3, "nextToken": token}),
            )
            .await
            .ok();
        sizes.push(got["directConnectGateways"].as_array().unwrap().len());
        match got.get("nextToken") {
            Some(t) => token = t.clone(),
            None => break,
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    aws.dx("DescribeDirectConnectGateways", json!({"nextToken": "x"}))
        .await
        .refused("nextToken");
    // More than a hundred are clamped, not refused.
    aws.dx("DescribeDirectConnectGateways", json!({"maxResults": 1000}))
        .await
        .ok();
    let wrong = aws
        .dx("DescribeDirectConnectGateways", json!({"maxResults": "3"}))
        .await;
    assert_eq!(wrong.body["__type"], "SerializationException");
}

#[tokio::test(start_paused = true)]
async fn reads_lag_behind_writes() {
    let mut world = exact_world();
    world.lags.insert("directconnect".into(), 60.0);
    let aws = Aws::with_world(world, 5);
    let made = aws
        .dx(
            "CreateDirectConnectGateway",
            json!({"directConnectGatewayName": "lab"}),
        )
        .await
        .ok();
    let id = text(&made["directConnectGateway"]["directConnectGatewayId"]);
    assert_eq!(dxgw_state(&aws, &id).await, None);
    aws.pass(61.0).await;
    assert_eq!(dxgw_state(&aws, &id).await.as_deref(), Some("available"));
    aws.dx(
        "UpdateDirectConnectGateway",
        json!({"directConnectGatewayId": id, "newDirectConnectGatewayName": "new"}),
    )
    .await
    .ok();
    let name = async || {
        let got = aws
            .dx("DescribeDirectConnectGateways", json!({}))
            .await
            .ok();
        text(&got["directConnectGateways"][0]["directConnectGatewayName"])
    };
    assert_eq!(name().await, "lab");
    aws.pass(60.0).await;
    assert_eq!(name().await, "new");
}

#[tokio::test(start_paused = true)]
async fn injected_failures_of_slow_work_show_in_state_change_error() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    aws.sandbox.with(|s| {
        s.faults.add(fault(
            "CreateDirectConnectGatewayAssociation",
            Effect::LroFails,
            "no capacity",
        ));
        s.faults.add(fault(
            "DeleteDirectConnectGatewayAssociation",
            Effect::LroFails,
            "try later",
        ));
    });
    let id = aws.associate(&dxgw, &vgw).await;
    aws.pass(601.0).await;
    let got = aws
        .dx(
            "DescribeDirectConnectGatewayAssociations",
            json!({"associationId": id}),
        )
        .await
        .ok();
    let a = &got["directConnectGatewayAssociations"][0];
    assert_eq!(
        (&a["associationState"], &a["stateChangeError"]),
        (&json!("disassociated"), &json!("no capacity"))
    );
    let id = aws.associate(&dxgw, &vgw).await;
    aws.pass(601.0).await;
    let delete = json!({"associationId": id});
    aws.dx("DeleteDirectConnectGatewayAssociation", delete.clone())
        .await
        .ok();
    aws.pass(600.0).await;
    assert_eq!(
        aws.association_state(&id).await.as_deref(),
        Some("associated"),
        "the deletion failed"
    );
    aws.dx("DeleteDirectConnectGatewayAssociation", delete)
        .await
        .ok();
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

#[tokio::test(start_paused = true)]
async fn aws_objects_survive_a_restart() {
    let aws = Aws::new();
    let (vgw, dxgw) = (aws.attached_vgw().await, aws.dxgw().await);
    let id = aws.associate(&dxgw, &vgw).await;
    let saved = serde_json::to_string(&aws.sandbox.snapshot()).unwrap();
    let state = serde_json::from_str(&saved).unwrap();
    let again = Aws {
        sandbox: causeway_sandbox::Sandbox::from_state(state, 1.0),
        ..aws
    };
    again.pass(601.0).await;
    assert_eq!(
        again.association_state(&id).await.as_deref(),
        Some("associated")
    );
}
