//! The inconvenient truths of VPN connections (aws.md §2.2–§2.6), one test each.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap fails the test"
)]

mod aws_support;

use aws_support::{Aws, exact_world};

async fn vpn_state(aws: &Aws, id: &str) -> String {
    aws.ec2("DescribeVpnConnections", &[("VpnConnectionId.1", id)])
        .await
        .ok()
        .get("state")
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_minutes_and_the_pair_is_its_key() {
    let aws = Aws::new();
    let (vgw, cgw) = (aws.vgw().await, aws.cgw("203.0.113.10").await);
    let made = aws.create_vpn(&cgw, &vgw, &[]).await.ok();
    assert!(
        made.get("customerGatewayConfiguration")
            .contains("vpn_connection")
    );
    let id = made.get("vpnConnectionId");
    let again = aws
        .create_vpn(&cgw, &vgw, &[("Options.StaticRoutesOnly", "true")])
        .await
        .ok();
    assert_eq!(again.get("vpnConnectionId"), id);
    assert_eq!(
        again.get("staticRoutesOnly"),
        "false",
        "the existing one is not changed"
    );
    assert_eq!(aws.sandbox.snapshot().ledger.0.len(), 1, "bought once");
    assert_eq!(vpn_state(&aws, &id).await, "pending");
    let pending = aws.ec2("DescribeVpnConnections", &[]).await.ok();
    assert!(
        pending.get("vgwTelemetry").is_empty(),
        "no telemetry while pending"
    );
    aws.pass(245.0).await;
    let there = aws.ec2("DescribeVpnConnections", &[]).await.ok();
    assert_eq!(there.get("state"), "available");
    assert_eq!(there.all("status"), ["DOWN", "DOWN"]);
    assert_eq!(
        there.all("statusMessage"),
        ["IPSEC IS DOWN", "IPSEC IS DOWN"]
    );
    aws.ec2("DeleteVpnConnection", &[("VpnConnectionId", &id)])
        .await
        .ok();
    let going = aws.ec2("DescribeVpnConnections", &[]).await.ok();
    assert!(
        going.get("customerGatewayConfiguration").is_empty(),
        "only while pending or available"
    );
    let new = aws.create_vpn(&cgw, &vgw, &[]).await.ok();
    assert_ne!(
        new.get("vpnConnectionId"),
        id,
        "a deleting one is not returned"
    );
}

#[tokio::test(start_paused = true)]
async fn defaults_come_back_filled_and_keys_in_clear() {
    let aws = Aws::new();
    let (vgw, cgw) = (aws.vgw().await, aws.cgw("203.0.113.10").await);
    let given = [
        (
            "Options.TunnelOptions.1.TunnelInsideCidr",
            "169.254.21.0/30",
        ),
        ("Options.TunnelOptions.1.PreSharedKey", "Given.Key_1"),
        ("Options.TunnelOptions.1.IKEVersion.1.Value", "ikev2"),
        ("Options.TunnelOptions.1.Phase2DHGroupNumber.1.Value", "14"),
        ("Options.TunnelOptions.1.StartupAction", "start"),
    ];
    let made = aws.create_vpn(&cgw, &vgw, &given).await.ok();
    let items: Vec<String> = made
        .get("tunnelOptionSet")
        .split("</enableTunnelLifecycleControl>")
        .filter(|s| s.contains("tunnelInsideCidr"))
        .map(str::to_owned)
        .collect();
    assert_eq!(items.len(), 2);
    let ours = items
        .iter()
        .find(|i| i.contains("169.254.21.0/30"))
        .unwrap();
    let other = items
        .iter()
        .find(|i| !i.contains("169.254.21.0/30"))
        .unwrap();
    assert!(ours.contains("<preSharedKey>Given.Key_1</preSharedKey>"));
    assert!(ours.contains("<ikeVersionSet><item><value>ikev2</value></item></ikeVersionSet>"));
    assert!(ours.contains(
        "<phase2DHGroupNumberSet><item><value>14</value></item></phase2DHGroupNumberSet>"
    ));
    assert!(ours.contains("<dpdTimeoutSeconds>30</dpdTimeoutSeconds>"));
    // The second tunnel got permissive defaults and a key of its own.
    assert!(other.contains("<startupAction>add</startupAction>"));
    assert!(
        other.contains("ikev1")
            && other.contains("AES256-GCM-16")
            && other.contains("<value>24</value>")
    );
    let keys = made.all("preSharedKey");
    assert_eq!(keys.iter().filter(|k| k.len() == 32).count(), 1);
    // None of them reaches the call log.
    let log = format!("{:?}", aws.sandbox.snapshot().calls);
    assert!(!log.contains("Given.Key_1"));
}

#[tokio::test(start_paused = true)]
async fn tunnels_have_no_stable_order() {
    // Options, telemetry and XML each may show the tunnels the other way round; over some seeds all disagreements
    // occur.
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..24 {
        let aws = Aws::with_world(exact_world(), seed);
        let (vgw, cgw) = (aws.vgw().await, aws.cgw("203.0.113.10").await);
        aws.vpn(&cgw, &vgw).await;
        let res = aws.ec2("DescribeVpnConnections", &[]).await.ok();
        let part = |name: &str| aws_support::Xml {
            status: 200,
            body: res.get(name),
        };
        let options = part("tunnelOptionSet").all("outsideIpAddress");
        let telemetry = part("vgwTelemetry").all("outsideIpAddress");
        let xml = res.get("customerGatewayConfiguration");
        let first_in_xml = options.iter().min_by_key(|o| xml.find(o.as_str())).unwrap();
        seen.insert((options[0] == telemetry[0], options[0] == *first_in_xml));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn inside_ranges_and_keys_and_options_are_checked() {
    let aws = Aws::new();
    let (vgw, cgw) = (aws.vgw().await, aws.cgw("203.0.113.10").await);
    let cgw2 = aws.cgw("203.0.113.11").await;
    const T: &str = "Options.TunnelOptions.1.";
    for (name, value) in [
        ("TunnelInsideCidr", "169.254.5.0/30"),
        ("TunnelInsideCidr", "169.254.169.252/30"),
        ("TunnelInsideCidr", "169.254.21.1/30"),
        ("TunnelInsideCidr", "10.0.0.0/30"),
        ("PreSharedKey", "0startswith"),
        ("PreSharedKey", "short"),
        ("PreSharedKey", "bad-character"),
        ("Phase1LifetimeSeconds", "899"),
        ("Phase2LifetimeSeconds", "3601"),
        ("RekeyMarginTimeSeconds", "1801"),
        ("DPDTimeoutSeconds", "29"),
        ("DPDTimeoutAction", "explode"),
        ("StartupAction", "wait"),
        ("Phase1EncryptionAlgorithm.1.Value", "3DES"),
        ("Phase1DHGroupNumber.1.Value", "5"),
        ("IKEVersion.1.Value", "ikev3"),
        ("ReplayWindowSize", "63"),
    ] {
        let name = format!("{T}{name}");
        aws.create_vpn(&cgw, &vgw, &[(&name, value)])
            .await
            .refused("InvalidParameterValue");
    }
    for bad in [
        [
            ("Options.EnableAcceleration", "true"),
            ("Options.StaticRoutesOnly", "false"),
        ],
        [
            ("Options.TunnelBandwidth", "large"),
            ("Options.StaticRoutesOnly", "false"),
        ],
        [
            ("Options.TunnelOptions.1.StartupAction", "start"),
            ("Options.TunnelOptions.1.IKEVersion.1.Value", "ikev1"),
        ],
    ] {
        aws.create_vpn(&cgw, &vgw, &bad)
            .await
            .refused("InvalidParameterCombination");
    }
    aws.create_vpn(&cgw, &vgw, &[("Options.TunnelOptions.3.PreSharedKey", "x")])
        .await
        .refused("InvalidParameterValue");
    let cidr = [(
        "Options.TunnelOptions.1.TunnelInsideCidr",
        "169.254.21.0/30",
    )];
    let twice = [
        cidr[0],
        (
            "Options.TunnelOptions.2.TunnelInsideCidr",
            "169.254.21.0/30",
        ),
    ];
    aws.create_vpn(&cgw, &vgw, &twice)
        .await
        .refused("InvalidParameterValue");
    aws.create_vpn(&cgw, &vgw, &cidr).await.ok();
    aws.create_vpn(&cgw2, &vgw, &cidr)
        .await
        .refused("InvalidParameterValue");
    assert_eq!(aws.sandbox.snapshot().ledger.0.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn targets_and_asns_are_checked() {
    let aws = Aws::new();
    let vgw = aws.vgw().await;
    let cgw = aws.cgw("203.0.113.10").await;
    aws.create_vpn("cgw-0", &vgw, &[])
        .await
        .refused("InvalidCustomerGatewayID.NotFound");
    aws.create_vpn(&cgw, "vgw-0", &[])
        .await
        .refused("InvalidVpnGatewayID.NotFound");
    let base = [("Type", "ipsec.1"), ("CustomerGatewayId", cgw.as_str())];
    aws.ec2("CreateVpnConnection", &base)
        .await
        .refused("MissingParameter");
    aws.ec2(
        "CreateVpnConnection",
        &[base[0], base[1], ("TransitGatewayId", "tgw-1")],
    )
    .await
    .refused("InvalidTransitGatewayID.NotFound");
    let same = aws
        .ec2(
            "CreateCustomerGateway",
            &[
                ("Type", "ipsec.1"),
                ("IpAddress", "203.0.113.9"),
                ("BgpAsn", "64900"),
            ],
        )
        .await
        .ok()
        .get("customerGatewayId");
    aws.pass(3.0).await;
    aws.create_vpn(&same, &vgw, &[])
        .await
        .refused("InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn ten_connections_fit_on_a_gateway() {
    let aws = Aws::new();
    let vgw = aws.vgw().await;
    for i in 0..11 {
        let cgw = aws.cgw(&format!("203.0.113.{}", 10 + i)).await;
        let made = aws.create_vpn(&cgw, &vgw, &[]).await;
        if i < 10 {
            made.ok();
        } else {
            made.refused("VpnConnectionLimitExceeded");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn modifying_a_tunnel_interrupts_that_tunnel_only() {
    let aws = Aws::new();
    let (vgw, cgw) = (aws.attached_vgw().await, aws.cgw("203.0.113.10").await);
    let vpn = aws.vpn(&cgw, &vgw).await;
    let outside = aws
        .ec2("DescribeVpnConnections", &[])
        .await
        .ok()
        .get("outsideIpAddress");
    let tunnels = || {
        aws.sandbox.with(|s| {
            causeway_sandbox::aws::view(s).vpn_connections[0]
                .tunnels
                .len()
        })
    };
    assert_eq!(tunnels(), 2);
    let base = [
        ("VpnConnectionId", vpn.as_str()),
        ("VpnTunnelOutsideIpAddress", outside.as_str()),
    ];
    aws.ec2("ModifyVpnTunnelOptions", &base)
        .await
        .refused("MissingParameter");
    aws.ec2(
        "ModifyVpnTunnelOptions",
        &[
            base[0],
            ("VpnTunnelOutsideIpAddress", "203.0.113.99"),
            ("TunnelOptions.DPDTimeoutSeconds", "40"),
        ],
    )
    .await
    .refused("InvalidParameterValue");
    let res = aws
        .ec2(
            "ModifyVpnTunnelOptions",
            &[
                base[0],
                base[1],
                ("TunnelOptions.PreSharedKey", "Another.Key_2"),
            ],
        )
        .await
        .ok();
    assert!(res.body.contains("Another.Key_2"));
    assert_eq!(tunnels(), 1);
    aws.ec2(
        "ModifyVpnTunnelOptions",
        &[base[0], base[1], ("TunnelOptions.DPDTimeoutSeconds", "40")],
    )
    .await
    .refused("IncorrectState");
    aws.ec2("ReplaceVpnTunnel", &base)
        .await
        .refused("IncorrectState");
    aws.pass(190.0).await;
    assert_eq!(
        (tunnels(), vpn_state(&aws, &vpn).await.as_str()),
        (2, "available")
    );
    // Lifecycle control: with the skip flag nothing is interrupted.
    let control = ("TunnelOptions.EnableTunnelLifecycleControl", "true");
    aws.ec2(
        "ModifyVpnTunnelOptions",
        &[base[0], base[1], control, ("SkipTunnelReplacement", "true")],
    )
    .await
    .ok();
    assert_eq!(tunnels(), 2);
    aws.ec2("ReplaceVpnTunnel", &base).await.ok();
    assert_eq!(tunnels(), 1);
    let status = aws.ec2("GetActiveVpnTunnelStatus", &base).await.ok();
    assert_eq!(status.get("provisioningStatus"), "pending");
    aws.pass(130.0).await;
    let after = aws.ec2("DescribeVpnConnections", &[]).await.ok();
    assert!(after.body.contains(&outside), "the outside address stays");
    assert_eq!(
        aws.ec2("GetVpnTunnelReplacementStatus", &base)
            .await
            .ok()
            .get("pendingMaintenance"),
        "NONE"
    );
}

#[tokio::test(start_paused = true)]
async fn modifying_a_connection_interrupts_both_tunnels_and_another_target_gives_new_addresses() {
    let aws = Aws::new();
    let (vgw, cgw, cgw2) = (
        aws.attached_vgw().await,
        aws.cgw("203.0.113.10").await,
        aws.cgw("203.0.113.11").await,
    );
    let vpn = aws.vpn(&cgw, &vgw).await;
    let outside = |x: aws_support::Xml| {
        let mut o = aws_support::Xml {
            status: 200,
            body: x.get("tunnelOptionSet"),
        }
        .all("outsideIpAddress");
        o.sort();
        o
    };
    let before = outside(aws.ec2("DescribeVpnConnections", &[]).await.ok());
    let tunnels = || {
        aws.sandbox.with(|s| {
            causeway_sandbox::aws::view(s).vpn_connections[0]
                .tunnels
                .len()
        })
    };
    aws.ec2(
        "ModifyVpnConnectionOptions",
        &[
            ("VpnConnectionId", &vpn),
            ("LocalIpv4NetworkCidr", "172.29.0.0/16"),
        ],
    )
    .await
    .ok();
    assert_eq!(tunnels(), 0);
    aws.pass(190.0).await;
    assert_eq!(tunnels(), 2);
    assert_eq!(
        outside(aws.ec2("DescribeVpnConnections", &[]).await.ok()),
        before
    );
    aws.ec2(
        "ModifyVpnConnection",
        &[("VpnConnectionId", &vpn), ("CustomerGatewayId", &cgw2)],
    )
    .await
    .ok();
    assert_eq!(tunnels(), 0);
    aws.pass(190.0).await;
    let after = aws.ec2("DescribeVpnConnections", &[]).await.ok();
    assert_eq!(after.get("customerGatewayId"), cgw2);
    assert_ne!(outside(after), before);
    aws.ec2("DeleteCustomerGateway", &[("CustomerGatewayId", &cgw)])
        .await
        .ok();
}

#[tokio::test(start_paused = true)]
async fn the_unmodelled_state_shows_only_when_the_world_says_so() {
    for (flag, shown) in [(false, "pending"), (true, "modifying")] {
        let mut world = exact_world();
        world.aws.unmodelled_states = flag;
        let aws = Aws::with_world(world, 1);
        let (vgw, cgw) = (aws.attached_vgw().await, aws.cgw("203.0.113.10").await);
        let vpn = aws.vpn(&cgw, &vgw).await;
        aws.ec2(
            "ModifyVpnConnectionOptions",
            &[
                ("VpnConnectionId", &vpn),
                ("LocalIpv4NetworkCidr", "172.29.0.0/16"),
            ],
        )
        .await
        .ok();
        assert_eq!(vpn_state(&aws, &vpn).await, shown);
        let filter = [("Filter.1.Name", "state"), ("Filter.1.Value.1", shown)];
        assert_eq!(
            aws.ec2("DescribeVpnConnections", &filter)
                .await
                .ok()
                .get("vpnConnectionId"),
            vpn
        );
    }
}

#[tokio::test(start_paused = true)]
async fn keys_in_secrets_manager_are_not_shown() {
    let aws = Aws::new();
    let (vgw, cgw) = (aws.vgw().await, aws.cgw("203.0.113.10").await);
    let made = aws
        .create_vpn(&cgw, &vgw, &[("PreSharedKeyStorage", "SecretsManager")])
        .await
        .ok();
    assert!(made.all("preSharedKey").is_empty());
    assert!(!made.body.contains("pre_shared_key"));
    assert!(
        made.get("preSharedKeyArn")
            .starts_with("arn:aws:secretsmanager:us-east-1:111122223333:")
    );
}

#[tokio::test(start_paused = true)]
async fn filters_really_filter() {
    let aws = Aws::new();
    let (vgw, cgw, cgw2) = (
        aws.vgw().await,
        aws.cgw("203.0.113.10").await,
        aws.cgw("203.0.113.11").await,
    );
    let (a, b) = (aws.vpn(&cgw, &vgw).await, aws.vpn(&cgw2, &vgw).await);
    aws.ec2(
        "CreateTags",
        &[
            ("ResourceId.1", &a),
            ("Tag.1.Key", "owner"),
            ("Tag.1.Value", "team-a"),
        ],
    )
    .await
    .ok();
    let find = async |name: &str, values: &[&str]| {
        let mut params = vec![("Filter.1.Name".to_owned(), name.to_owned())];
        for (i, v) in values.iter().enumerate() {
            params.push((format!("Filter.1.Value.{}", i + 1), (*v).to_owned()));
        }
        let params: Vec<(&str, &str)> = params
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let mut ids = aws
            .ec2("DescribeVpnConnections", &params)
            .await
            .ok()
            .all("vpnConnectionId");
        ids.sort();
        ids
    };
    let mut both = vec![a.clone(), b.clone()];
    both.sort();
    assert_eq!(
        find("tag:owner", &["team-*"]).await,
        std::slice::from_ref(&a)
    );
    assert_eq!(
        find("tag:owner", &["team-?", "x"]).await,
        std::slice::from_ref(&a)
    );
    assert_eq!(find("tag:owner", &["team"]).await, Vec::<String>::new());
    assert_eq!(find("tag-key", &["owner"]).await, std::slice::from_ref(&a));
    assert_eq!(find("vpn-gateway-id", &[&vgw]).await, both);
    assert_eq!(
        find("customer-gateway-id", &[&cgw2]).await,
        std::slice::from_ref(&b)
    );
    assert_eq!(find("bgp-asn", &["65515"]).await, both);
    assert_eq!(
        find("option.static-routes-only", &["true"]).await,
        Vec::<String>::new()
    );
    assert_eq!(find("state", &["deleted"]).await, Vec::<String>::new());
    assert_eq!(find("vpn-connection-id", &[&a, &b]).await, both);
    for action in [
        "DescribeVpnConnections",
        "DescribeVpnGateways",
        "DescribeCustomerGateways",
        "DescribeRouteTables",
        "DescribeVpcs",
    ] {
        aws.ec2(
            action,
            &[("Filter.1.Name", "colour"), ("Filter.1.Value.1", "red")],
        )
        .await
        .refused("InvalidParameterValue");
    }
    // Several filters must all hold.
    let two = [
        ("Filter.1.Name", "tag-key"),
        ("Filter.1.Value.1", "owner"),
        ("Filter.2.Name", "state"),
        ("Filter.2.Value.1", "pending"),
    ];
    assert!(
        aws.ec2("DescribeVpnConnections", &two)
            .await
            .ok()
            .all("vpnConnectionId")
            .is_empty()
    );
    // CGW and VGW filters too, which other fakes ignore.
    let state = [("Filter.1.Name", "state"), ("Filter.1.Value.1", "deleted")];
    assert!(
        aws.ec2("DescribeCustomerGateways", &state)
            .await
            .ok()
            .all("customerGatewayId")
            .is_empty()
    );
    let asn = [
        ("Filter.1.Name", "amazon-side-asn"),
        ("Filter.1.Value.1", "64900"),
    ];
    assert_eq!(
        aws.ec2("DescribeVpnGateways", &asn)
            .await
            .ok()
            .all("vpnGatewayId"),
        [vgw]
    );
}
