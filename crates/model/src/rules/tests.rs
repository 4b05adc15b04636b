//! Each rule with what keeps it and what breaks it.
#![allow(clippy::unwrap_used, reason = "test data")]

use super::*;

fn net(s: &str) -> Ipv4Net {
    s.parse().unwrap()
}

fn topology() -> Topology {
    Topology {
        virtual_network: Some(("spec.azure.virtualNetworkRef".to_owned(), "vnet".to_owned())),
        vpc: Some(("spec.aws.vpcRef".to_owned(), "vpc-1".to_owned())),
        makes_gateways: true,
        circuits: vec![Circuit {
            field: "spec.expressRoutes[main].circuit".to_owned(),
            provider: "Megaport".to_owned(),
            peering_location: "Washington DC2".to_owned(),
            bandwidth_mbps: 50,
            router_asns: vec![("router a".to_owned(), 64600)],
        }],
        routers: vec![Router {
            field: "spec.megaport.routers[a]".to_owned(),
            location_id: 67,
            speed_mbps: 1000,
            zone: Some("red".to_owned()),
        }],
        link_prefixes: vec![
            (
                "spec.expressRoutes[main].peering.primaryPrefix".to_owned(),
                net("169.254.101.216/30"),
            ),
            (
                "spec.directConnects[main].virtualInterface.amazonAddress".to_owned(),
                net("169.254.50.217/30"),
            ),
            (
                "spec.directConnects[main].virtualInterface.customerAddress".to_owned(),
                net("169.254.50.218/30"),
            ),
        ],
        route_tables: vec!["rtb-1".to_owned()],
        vpn_tunnels: 2,
    }
}

fn facts() -> Facts {
    Facts {
        virtual_network: Some(VirtualNetwork {
            name: "vnet".to_owned(),
            prefixes: vec![net("172.29.0.0/16")],
            gateway_subnet: Some(GatewaySubnet {
                prefixes: vec![net("172.29.255.0/24")],
                network_security_group: None,
                routes: None,
            }),
            route_server_subnet: Vec::new(),
        }),
        vpc: Some(vec![net("172.16.0.0/16")]),
        providers: vec![Provider {
            name: "Megaport".to_owned(),
            peering_locations: vec!["Washington DC2".to_owned()],
            bandwidths_mbps: vec![50, 100],
        }],
        locations: vec![Location {
            id: 67,
            name: "Equinix DC2".to_owned(),
            orderable: true,
            zones: vec![("red".to_owned(), vec![1000, 2500])],
        }],
        route_tables: vec!["rtb-1".to_owned()],
        network_interfaces: Vec::new(),
    }
}

#[test]
fn the_lab_breaks_no_rule() {
    assert_eq!(check(&topology(), &facts()), []);
}

/// A rule's number, what breaks it, and words that the message must have.
type Case = (u8, fn(&mut Topology, &mut Facts), &'static [&'static str]);

#[test]
fn every_rule_says_field_value_and_remedy() {
    let cases: &[Case] = &[
        (
            1,
            |_, f| f.virtual_network = None,
            &["spec.azure.virtualNetworkRef", "vnet", "create it"],
        ),
        (1, |_, f| f.vpc = None, &["spec.aws.vpcRef", "vpc-1"]),
        (
            2,
            |_, f| f.virtual_network.as_mut().unwrap().gateway_subnet = None,
            &["GatewaySubnet", "/27"],
        ),
        (
            3,
            |_, f| {
                f.virtual_network
                    .as_mut()
                    .unwrap()
                    .gateway_subnet
                    .as_mut()
                    .unwrap()
                    .prefixes = vec![net("172.29.255.0/28")];
            },
            &["172.29.255.0/28", "/27"],
        ),
        (
            4,
            |_, f| {
                f.virtual_network
                    .as_mut()
                    .unwrap()
                    .gateway_subnet
                    .as_mut()
                    .unwrap()
                    .network_security_group = Some("/x/nsg-1".to_owned());
            },
            &["nsg-1", "take it off"],
        ),
        (
            5,
            |_, f| f.vpc = Some(vec![net("172.29.128.0/17")]),
            &["172.29.0.0/16", "172.29.128.0/17", "renumbered"],
        ),
        (
            5,
            |t, _| t.link_prefixes[0].1 = net("172.16.5.0/30"),
            &["primaryPrefix", "172.16.5.0/30", "VPC"],
        ),
        (
            5,
            |t, _| t.link_prefixes[0].1 = net("169.254.50.216/30"),
            &["amazonAddress", "overlaps"],
        ),
        (
            6,
            |t, _| t.circuits[0].provider = "Nobody".to_owned(),
            &["serviceProviderName", "Nobody"],
        ),
        (
            7,
            |t, _| t.circuits[0].peering_location = "Washington DC9".to_owned(),
            &["peeringLocation", "Washington DC9", "Washington DC2"],
        ),
        (
            8,
            |t, _| t.circuits[0].bandwidth_mbps = 60,
            &["bandwidthMbps", "60", "50, 100"],
        ),
        (
            9,
            |t, _| t.routers[0].location_id = 9999,
            &["locationID", "9999"],
        ),
        (
            9,
            |_, f| f.locations[0].orderable = false,
            &["locationID", "67", "takes no orders"],
        ),
        (
            10,
            |t, _| t.routers[0].speed_mbps = 5000,
            &["portSpeedMbps", "5000", "1000, 2500"],
        ),
        (
            10,
            |t, _| t.routers[0].zone = Some("blue".to_owned()),
            &["zone blue", "diversityZone"],
        ),
        (
            11,
            |t, _| t.route_tables.push("rtb-9".to_owned()),
            &["rtb-9", "all: true"],
        ),
        (
            12,
            |t, _| t.circuits[0].bandwidth_mbps = 100_000,
            &["1300 Mbps", "100000 Mbps"],
        ),
        (
            15,
            |t, _| {
                t.circuits[0]
                    .router_asns
                    .push(("router b".to_owned(), 64601));
            },
            &[
                "spec.expressRoutes[main].ports",
                "router b",
                "64601",
                "same asn",
            ],
        ),
    ];
    for (rule, breakit, words) in cases {
        let (mut t, mut f) = (topology(), facts());
        breakit(&mut t, &mut f);
        let found = check(&t, &f);
        let finding = found
            .iter()
            .find(|x| x.rule == *rule)
            .unwrap_or_else(|| unreachable!("rule {rule} does not fire: {found:?}"));
        for word in *words {
            assert!(
                finding.message.contains(word),
                "rule {rule}: {:?} lacks {word:?}",
                finding.message
            );
        }
    }
}

fn gateway_table(f: &mut Facts, routes: &[(&str, &str)]) {
    let subnet = f.virtual_network.as_mut().unwrap();
    subnet.gateway_subnet.as_mut().unwrap().routes = Some(SubnetRoutes {
        name: "gw-routes".to_owned(),
        routes: routes
            .iter()
            .map(|(prefix, kind)| crate::guard::UserRoute {
                name: "r".to_owned(),
                prefix: prefix.parse().unwrap(),
                next_hop_type: (*kind).to_owned(),
                next_hop: None,
            })
            .collect(),
        ..SubnetRoutes::default()
    });
}

#[test]
fn the_route_table_trap_is_a_warning_before_it_bites() {
    let mut f = facts();
    gateway_table(&mut f, &[("172.29.0.0/16", "VirtualAppliance")]);
    let found = check(&topology(), &f);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].rule, found[0].severity, found[0].reason),
        (14, Severity::Warning, "RouteTableTrap")
    );
    for words in [
        "gw-routes",
        "172.29.0.0/16",
        "a route for 172.29.255.0/24",
        "VnetLocal",
    ] {
        assert!(found[0].message.contains(words), "{}", found[0].message);
    }
    gateway_table(
        &mut f,
        &[
            ("172.29.0.0/16", "VirtualAppliance"),
            ("172.29.255.0/24", "VnetLocal"),
        ],
    );
    assert_eq!(check(&topology(), &f), []);
    // Route Server belongs to the mesh.
    f.virtual_network.as_mut().unwrap().route_server_subnet = vec![net("172.29.254.0/27")];
    assert!(
        check(&topology(), &f)[0]
            .message
            .contains("172.29.254.0/27")
    );
}

#[test]
fn what_azure_forbids_on_gateway_subnet_is_refused() {
    let mut f = facts();
    gateway_table(&mut f, &[("0.0.0.0/0", "Internet")]);
    let found = check(&topology(), &f);
    assert_eq!((found[0].rule, found[0].severity), (13, Severity::Error));
    assert!(found[0].message.contains("0.0.0.0/0"));
    gateway_table(&mut f, &[]);
    let subnet = f.virtual_network.as_mut().unwrap();
    let table = subnet.gateway_subnet.as_mut().unwrap().routes.as_mut();
    table.unwrap().propagation_disabled = true;
    let found = check(&topology(), &f);
    assert!(found[0].message.contains("disableBgpRoutePropagation"));
    // Gateways that others make are theirs to mend.
    let mut t = topology();
    t.makes_gateways = false;
    assert_eq!(check(&t, &f), []);
}
