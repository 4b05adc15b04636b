//! The inconvenient truths of EC2's gateways and of what all of EC2 shares (aws.md §2), one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap fails the test"
)]

mod aws_support;

use aws_support::{Aws, TABLE, VPC, exact_world};

async fn vgw_state(aws: &Aws, id: &str) -> String {
    aws.ec2("DescribeVpnGateways", &[("VpnGatewayId.1", id)])
        .await
        .ok()
        .get("state")
}

async fn attachment_states(aws: &Aws, id: &str) -> Vec<String> {
    let res = aws
        .ec2("DescribeVpnGateways", &[("VpnGatewayId.1", id)])
        .await
        .ok();
    let attachments = res.get("attachments");
    aws_support::Xml {
        status: 200,
        body: attachments,
    }
    .all("state")
}

async fn vpn_state(aws: &Aws, id: &str) -> String {
    aws.ec2("DescribeVpnConnections", &[("VpnConnectionId.1", id)])
        .await
        .ok()
        .get("state")
}

#[tokio::test(start_paused = true)]
async fn a_gateway_lives_through_pending_and_lingers_deleted_for_an_hour() {
    let aws = Aws::new();
    let made = aws
        .ec2("CreateVpnGateway", &[("Type", "ipsec.1")])
        .await
        .ok();
    assert_eq!(
        made.get("amazonSideAsn"),
        "64512",
        "the default is returned"
    );
    let id = made.get("vpnGatewayId");
    assert_eq!(vgw_state(&aws, &id).await, "pending");
    aws.ec2("AttachVpnGateway", &[("VpnGatewayId", &id), ("VpcId", VPC)])
        .await
        .refused("IncorrectState");
    aws.pass(5.0).await;
    assert_eq!(vgw_state(&aws, &id).await, "available");
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &id)])
        .await
        .ok();
    assert_eq!(vgw_state(&aws, &id).await, "deleting");
    aws.pass(3500.0).await;
    assert_eq!(vgw_state(&aws, &id).await, "deleted");
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &id)])
        .await
        .refused("InvalidVpnGatewayID.NotFound");
    aws.pass(200.0).await;
    aws.ec2("DescribeVpnGateways", &[("VpnGatewayId.1", &id)])
        .await
        .refused("InvalidVpnGatewayID.NotFound");
}

#[tokio::test(start_paused = true)]
async fn creating_a_gateway_is_not_idempotent_and_has_a_quota_and_private_asns() {
    let aws = Aws::new();
    for bad in ["7224", "64511", "65535", "4199999999", "x"] {
        aws.ec2(
            "CreateVpnGateway",
            &[("Type", "ipsec.1"), ("AmazonSideAsn", bad)],
        )
        .await
        .refused("InvalidParameterValue");
    }
    aws.ec2("CreateVpnGateway", &[])
        .await
        .refused("MissingParameter");
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..5 {
        ids.insert(aws.vgw().await);
    }
    assert_eq!(ids.len(), 5);
    aws.ec2("CreateVpnGateway", &[("Type", "ipsec.1")])
        .await
        .refused("VpnGatewayLimitExceeded");
    // Another region has its own quota and does not see these.
    let west = aws.in_region("us-west-2");
    assert!(
        west.ec2("DescribeVpnGateways", &[])
            .await
            .ok()
            .all("vpnGatewayId")
            .is_empty()
    );
    west.ec2("CreateVpnGateway", &[("Type", "ipsec.1")])
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn attachment_is_one_to_one_and_detached_entries_linger() {
    let aws = Aws::new();
    let (a, b) = (aws.vgw().await, aws.vgw().await);
    aws.ec2("AttachVpnGateway", &[("VpnGatewayId", &a), ("VpcId", VPC)])
        .await
        .ok();
    assert_eq!(attachment_states(&aws, &a).await, ["attaching"]);
    aws.ec2("AttachVpnGateway", &[("VpnGatewayId", &b), ("VpcId", VPC)])
        .await
        .refused("VpnGatewayAttachmentLimitExceeded");
    aws.ec2(
        "AttachVpnGateway",
        &[("VpnGatewayId", &b), ("VpcId", "vpc-0")],
    )
    .await
    .refused("InvalidVpcID.NotFound");
    aws.ec2("DetachVpnGateway", &[("VpnGatewayId", &a), ("VpcId", VPC)])
        .await
        .refused("IncorrectState");
    aws.pass(30.0).await;
    assert_eq!(attachment_states(&aws, &a).await, ["attached"]);
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &a)])
        .await
        .refused("IncorrectState");
    aws.ec2("DeleteVpc", &[("VpcId", VPC)])
        .await
        .refused("DependencyViolation");
    aws.ec2("DetachVpnGateway", &[("VpnGatewayId", &b), ("VpcId", VPC)])
        .await
        .refused("InvalidVpnGatewayAttachment.NotFound");
    aws.ec2("DetachVpnGateway", &[("VpnGatewayId", &a), ("VpcId", VPC)])
        .await
        .ok();
    assert_eq!(attachment_states(&aws, &a).await, ["detaching"]);
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &a)])
        .await
        .refused("IncorrectState");
    aws.pass(20.0).await;
    aws.ec2("AttachVpnGateway", &[("VpnGatewayId", &a), ("VpcId", VPC)])
        .await
        .ok();
    assert_eq!(attachment_states(&aws, &a).await, ["detached", "attaching"]);
}

#[tokio::test(start_paused = true)]
async fn propagation_needs_a_settled_attachment() {
    let aws = Aws::new();
    let id = aws.vgw().await;
    let params = [("GatewayId", id.as_str()), ("RouteTableId", TABLE)];
    aws.ec2("AttachVpnGateway", &[("VpnGatewayId", &id), ("VpcId", VPC)])
        .await
        .ok();
    aws.ec2("EnableVgwRoutePropagation", &params)
        .await
        .refused("Gateway.NotAttached");
    aws.pass(30.0).await;
    aws.ec2(
        "EnableVgwRoutePropagation",
        &[params[0], ("RouteTableId", "rtb-0")],
    )
    .await
    .refused("InvalidRouteTableID.NotFound");
    aws.ec2("EnableVgwRoutePropagation", &params).await.ok();
    let table = aws
        .ec2("DescribeRouteTables", &[("RouteTableId.1", TABLE)])
        .await
        .ok();
    assert!(table.get("propagatingVgwSet").contains(&id));
    let view = aws.sandbox.with(|s| causeway_sandbox::aws::view(s));
    assert_eq!(
        view.vpcs[0]
            .route_tables
            .iter()
            .find(|t| t.id == TABLE)
            .unwrap()
            .propagating,
        std::slice::from_ref(&id)
    );
    aws.ec2("DisableVgwRoutePropagation", &params).await.ok();
    let table = aws
        .ec2("DescribeRouteTables", &[("RouteTableId.1", TABLE)])
        .await
        .ok();
    assert!(!table.get("propagatingVgwSet").contains(&id));
}

#[tokio::test(start_paused = true)]
async fn identical_customer_gateways_are_one_and_its_tags_are_not_touched() {
    let aws = Aws::new();
    let base = [
        ("Type", "ipsec.1"),
        ("IpAddress", "203.0.113.10"),
        ("BgpAsn", "65515"),
        ("DeviceName", "dev"),
    ];
    let tag = |v| {
        [
            ("TagSpecification.1.ResourceType", "customer-gateway"),
            ("TagSpecification.1.Tag.1.Key", "owner"),
            ("TagSpecification.1.Tag.1.Value", v),
        ]
    };
    let first = aws
        .ec2(
            "CreateCustomerGateway",
            &[&base[..], &tag("me")[..]].concat(),
        )
        .await
        .ok();
    let again = aws
        .ec2(
            "CreateCustomerGateway",
            &[&base[..], &tag("you")[..]].concat(),
        )
        .await
        .ok();
    assert_eq!(
        first.get("customerGatewayId"),
        again.get("customerGatewayId")
    );
    assert_eq!(again.get("value"), "me");
    let other = aws
        .ec2(
            "CreateCustomerGateway",
            &[base[0], base[1], base[2], ("DeviceName", "dev2")],
        )
        .await
        .ok();
    assert_ne!(
        first.get("customerGatewayId"),
        other.get("customerGatewayId")
    );
    assert_eq!(first.get("bgpAsn"), "65515");
    let long = aws
        .ec2(
            "CreateCustomerGateway",
            &[base[0], base[1], ("BgpAsnExtended", "4200000001")],
        )
        .await
        .ok();
    assert_eq!(
        (long.get("bgpAsn"), long.get("bgpAsnExtended")),
        (String::new(), "4200000001".to_owned())
    );
    for bad in [
        ("BgpAsn", "2147483648"),
        ("BgpAsn", "0"),
        ("BgpAsn", "7224"),
        ("BgpAsnExtended", "65000"),
    ] {
        aws.ec2("CreateCustomerGateway", &[base[0], base[1], bad])
            .await
            .refused("InvalidParameterValue");
    }
    aws.ec2(
        "CreateCustomerGateway",
        &[base[0], ("IpAddress", "300.1.1.1")],
    )
    .await
    .refused("InvalidParameterValue");
    aws.ec2("CreateCustomerGateway", &[base[0]])
        .await
        .refused("MissingParameter");
}

#[tokio::test(start_paused = true)]
async fn deletion_goes_connection_gateway_detach_gateway() {
    let aws = Aws::new();
    let (vgw, cgw) = (aws.attached_vgw().await, aws.cgw("203.0.113.10").await);
    let vpn = aws.vpn(&cgw, &vgw).await;
    aws.ec2("DeleteCustomerGateway", &[("CustomerGatewayId", &cgw)])
        .await
        .refused("IncorrectState");
    aws.ec2(
        "DetachVpnGateway",
        &[("VpnGatewayId", &vgw), ("VpcId", VPC)],
    )
    .await
    .ok();
    aws.pass(30.0).await;
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &vgw)])
        .await
        .refused("IncorrectState");
    aws.ec2("DeleteVpnConnection", &[("VpnConnectionId", &vpn)])
        .await
        .ok();
    assert_eq!(vpn_state(&aws, &vpn).await, "deleting");
    aws.ec2("DeleteCustomerGateway", &[("CustomerGatewayId", &cgw)])
        .await
        .refused("IncorrectState");
    aws.pass(110.0).await;
    assert_eq!(vpn_state(&aws, &vpn).await, "deleted");
    aws.ec2("DeleteCustomerGateway", &[("CustomerGatewayId", &cgw)])
        .await
        .ok();
    aws.ec2("DeleteVpnGateway", &[("VpnGatewayId", &vgw)])
        .await
        .ok();
    aws.pass(10.0).await;
    let state = aws.sandbox.snapshot();
    assert!(causeway_sandbox::aws::live(&state).is_empty());
    assert_eq!(state.ledger.0.len(), 1);
    assert!(state.ledger.0[0].ended_at.is_some());
    // All of them are still listed as deleted, also with an ID.
    assert_eq!(
        aws.ec2("DescribeCustomerGateways", &[])
            .await
            .ok()
            .get("state"),
        "deleted"
    );
    aws.pass(3700.0).await;
    assert!(
        aws.ec2("DescribeVpnConnections", &[])
            .await
            .ok()
            .all("vpnConnectionId")
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_just_written_may_not_be_seen_yet() {
    let mut world = exact_world();
    world.lags.insert("ec2".into(), 60.0);
    let aws = Aws::with_world(world, 3);
    let id = aws
        .ec2("CreateVpnGateway", &[("Type", "ipsec.1")])
        .await
        .ok()
        .get("vpnGatewayId");
    aws.ec2("DescribeVpnGateways", &[("VpnGatewayId.1", &id)])
        .await
        .refused("InvalidVpnGatewayID.NotFound");
    aws.ec2("AttachVpnGateway", &[("VpnGatewayId", &id), ("VpcId", VPC)])
        .await
        .refused("InvalidVpnGatewayID.NotFound");
    assert!(
        aws.ec2("DescribeVpnGateways", &[])
            .await
            .ok()
            .all("vpnGatewayId")
            .is_empty()
    );
    aws.pass(60.0).await;
    assert_eq!(vgw_state(&aws, &id).await, "available");
    aws.ec2(
        "CreateTags",
        &[
            ("ResourceId.1", &id),
            ("Tag.1.Key", "k"),
            ("Tag.1.Value", "v"),
        ],
    )
    .await
    .ok();
    let tagged = async || {
        aws.ec2("DescribeVpnGateways", &[])
            .await
            .ok()
            .body
            .contains("<key>k</key>")
    };
    assert!(!tagged().await, "the old tags show for a while");
    aws.pass(60.0).await;
    assert!(tagged().await);
}

#[tokio::test(start_paused = true)]
async fn tags_have_rules() {
    let aws = Aws::new();
    let id = aws.vgw().await;
    let tag = |k, v| {
        [
            ("ResourceId.1", id.as_str()),
            ("Tag.1.Key", k),
            ("Tag.1.Value", v),
        ]
    };
    aws.ec2("CreateTags", &tag("aws:x", "v"))
        .await
        .refused("InvalidParameterValue");
    aws.ec2(
        "CreateTags",
        &[("ResourceId.1", "vgw-0"), ("Tag.1.Key", "k")],
    )
    .await
    .refused("InvalidVpnGatewayID.NotFound");
    aws.ec2("CreateTags", &[("ResourceId.1", &id)])
        .await
        .refused("MissingParameter");
    aws.ec2("CreateTags", &tag("k", "v")).await.ok();
    let filter = [
        ("Filter.1.Name", "resource-id"),
        ("Filter.1.Value.1", id.as_str()),
    ];
    let got = aws.ec2("DescribeTags", &filter).await.ok();
    assert_eq!(
        (got.get("key"), got.get("resourceType")),
        ("k".to_owned(), "vpn-gateway".to_owned())
    );
    aws.ec2("DeleteTags", &tag("k", "other")).await.ok();
    assert_eq!(
        aws.ec2("DescribeTags", &filter).await.ok().all("key"),
        ["k"],
        "another value is not deleted"
    );
    aws.ec2("DeleteTags", &[("ResourceId.1", &id), ("Tag.1.Key", "k")])
        .await
        .ok();
    assert!(
        aws.ec2("DescribeTags", &filter)
            .await
            .ok()
            .all("key")
            .is_empty()
    );
    let spec = [
        ("Type", "ipsec.1"),
        ("TagSpecification.1.ResourceType", "vpc"),
        ("TagSpecification.1.Tag.1.Key", "k"),
    ];
    aws.ec2("CreateVpnGateway", &spec)
        .await
        .refused("InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn the_worlds_network_is_described_and_paged() {
    let aws = Aws::new();
    let vpc = aws.ec2("DescribeVpcs", &[("VpcId.1", VPC)]).await.ok();
    assert_eq!(vpc.get("cidrBlock"), "172.16.0.0/16");
    let tables = aws
        .ec2(
            "DescribeRouteTables",
            &[("Filter.1.Name", "vpc-id"), ("Filter.1.Value.1", VPC)],
        )
        .await
        .ok();
    assert_eq!(tables.all("vpcId").len(), 2);
    let explicit = [
        ("Filter.1.Name", "association.subnet-id"),
        ("Filter.1.Value.1", "subnet-0a1b2c3d4e5f60718"),
    ];
    let table = aws.ec2("DescribeRouteTables", &explicit).await.ok();
    assert_eq!(table.all("origin"), ["CreateRouteTable", "CreateRoute"]);
    assert_eq!(
        aws.ec2("DescribeInstances", &[])
            .await
            .ok()
            .get("privateIpAddress"),
        "172.16.0.10"
    );
    aws.ec2("DescribeRouteTables", &[("MaxResults", "4")])
        .await
        .refused("InvalidParameterValue");
    // Paging: a world with more tables than a page.
    let mut world = exact_world();
    for i in 0..6 {
        world.aws.vpcs[0]
            .route_tables
            .push(causeway_sandbox::aws::world::RouteTable {
                id: format!("rtb-{i:017}"),
                main: false,
                subnets: vec![],
                routes: vec![],
            });
    }
    let aws = Aws::with_world(world, 1);
    let first = aws
        .ec2("DescribeRouteTables", &[("MaxResults", "5")])
        .await
        .ok();
    let token = first.get("nextToken");
    let second = aws
        .ec2(
            "DescribeRouteTables",
            &[("MaxResults", "5"), ("NextToken", &token)],
        )
        .await
        .ok();
    let count = |x: &aws_support::Xml| x.all("propagatingVgwSet").len();
    assert_eq!(
        (
            count(&first),
            count(&second),
            second.get("nextToken").as_str()
        ),
        (5, 3, "")
    );
}

#[tokio::test(start_paused = true)]
async fn the_worlds_objects_show_their_changes() {
    let aws = Aws::new();
    let before = aws
        .sandbox
        .with(|s| causeway_sandbox::aws::world_objects(s));
    let vgw = aws.attached_vgw().await;
    let params = [("GatewayId", vgw.as_str()), ("RouteTableId", TABLE)];
    aws.ec2("EnableVgwRoutePropagation", &params).await.ok();
    let during = aws
        .sandbox
        .with(|s| causeway_sandbox::aws::world_objects(s));
    assert_ne!(before[TABLE], during[TABLE]);
    aws.ec2("DisableVgwRoutePropagation", &params).await.ok();
    assert_eq!(
        before,
        aws.sandbox
            .with(|s| causeway_sandbox::aws::world_objects(s))
    );
}
