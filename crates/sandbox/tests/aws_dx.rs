//! The inconvenient truths of Direct Connect (aws.md §1), one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap fails the test"
)]

mod aws_support;

use aws_support::{Aws, VPC, exact_world, text};
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
