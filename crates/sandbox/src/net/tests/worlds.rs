//! Topologies other than the lab's.

use super::*;

/// The lab with the circuit's second port on the MCR too.
fn both_ports() -> View {
    let mut v = lab();
    v.megaport.vxcs.push(azure_vxc(
        "vxc-azure2-uid",
        "to-azure-2",
        MCR,
        "service-key",
        Port::Secondary,
        "169.254.101",
    ));
    v
}

#[test]
fn both_ports_on_one_mcr_leak_each_others_prefixes_unless_filtered() {
    let mut s = start(both_ports());
    advance(&mut s, 120.0);
    let leak = |s: &State, port| circuit(s, port).iter().any(|r| r.contains("64600 12076"));
    assert!(leak(&s, Port::Primary), "{:?}", circuit(&s, Port::Primary));
    assert!(
        leak(&s, Port::Secondary),
        "{:?}",
        circuit(&s, Port::Secondary)
    );
    // Two entries on the NIC (lab.md), and the gateway hears the VPC from both ports.
    assert_eq!(
        from_gateway(&s),
        ["172.16.0.0/16 10.3.129.92", "172.16.0.0/16 10.3.129.93"]
    );
    change(&mut s, |v| {
        for (i, other) in [(0, "169.254.101.222"), (2, "169.254.101.218")] {
            v.megaport.vxcs[i].interfaces[0].sessions[0].deny_export_to = vec![ip(other)];
        }
    });
    advance(&mut s, 60.0);
    assert!(!leak(&s, Port::Primary), "{:?}", circuit(&s, Port::Primary));
    assert!(!leak(&s, Port::Secondary));
    assert_eq!(
        from_gateway(&s),
        ["172.16.0.0/16 10.3.129.92", "172.16.0.0/16 10.3.129.93"]
    );
    // One port fails: the other one carries on.
    control::link(&mut s, "to-azure", false).unwrap();
    advance(&mut s, 60.0);
    assert_eq!(from_gateway(&s), ["172.16.0.0/16 10.3.129.93"]);
    assert!(traced(&s, "vm", "ec2")[0].starts_with("ExpressRoute: 172.29.255.5 169.254.101.221"));
    assert!(!traced(&s, "ec2", "vm")[0].contains('!'));
}

#[test]
fn vpn_only_and_direct_connect_only() {
    let mut v = lab();
    v.azure.er_gateways.clear();
    v.azure.er_connections.clear();
    v.azure.circuits.clear();
    v.megaport = MegaportView::default();
    v.aws.vifs.clear();
    let mut s = start(v);
    advance(&mut s, 120.0);
    assert_eq!(
        from_gateway(&s),
        ["172.16.0.0/16 172.29.255.14", "172.16.0.0/16 172.29.255.15"]
    );
    assert_eq!(traced(&s, "ec2", "vm").len(), 2);
    assert_eq!(vgw_prefixes(&s), ["172.29.0.0/16"]);

    let mut v = lab();
    v.azure.vpn_gateways.clear();
    v.azure.ipsec_connections.clear();
    v.aws.vpn_connections.clear();
    let mut s = start(v);
    advance(&mut s, 120.0);
    assert_eq!(learned(&s, ERGW).len(), 4);
    let id = mcr_session(&s, "169.254.101.218");
    control::session_shutdown(&mut s, &id, true).unwrap();
    advance(&mut s, 60.0);
    assert!(from_gateway(&s).is_empty());
    // The MCR's interfaces are still up: AWS keeps both /30s.
    assert_eq!(
        vgw_prefixes(&s),
        ["169.254.50.216/30", "169.254.101.216/30"]
    );
    assert!(traced(&s, "vm", "ec2")[0].contains('!'));
}

#[test]
fn a_more_specific_prefix_takes_the_vpn() {
    let mut world = World::default();
    world.network.extra_routes = vec![world::ExtraRoute {
        speaker: VGW.into(),
        prefix: net("172.16.0.0/24"),
        as_path: Vec::new(),
        origin: Origin::Igp,
        towards: Some(topology::SessionKind::Tunnel),
    }];
    let mut s = start_in(world, lab());
    advance(&mut s, 120.0);
    assert_eq!(
        traced(&s, "vm", "ec2"),
        ["VPN: 172.16.0.10", "VPN: 172.16.0.10"]
    );
    // The way back does not change.
    assert!(traced(&s, "ec2", "vm")[0].starts_with("ExpressRoute: "));
}

#[test]
fn allowed_prefixes_filter_a_vpcs_cidrs() {
    for (allowed, reaches) in [
        (vec!["172.16.0.0/16"], true),
        (vec!["172.16.0.0/12"], true),
        (vec!["172.16.0.0/24"], false),
        (vec![], true),
    ] {
        let mut v = lab();
        v.aws.associations[0].allowed_prefixes = allowed.iter().map(|p| net(p)).collect();
        let mut s = start(v);
        advance(&mut s, 60.0);
        let heard = vif_routes(&s, VIF, false);
        assert_eq!(!heard.is_empty(), reaches, "{allowed:?}");
        // It is always the VPC's own prefix that goes out.
        assert!(heard.iter().all(|r| r.prefix == net("172.16.0.0/16")));
    }
}

#[test]
fn too_many_prefixes_drop_the_session() {
    // 101 prefixes from the customer are too many for AWS.
    let extra = |n: u32| -> Vec<world::ExtraRoute> {
        (0..n)
            .map(|i| world::ExtraRoute {
                speaker: "mcr-a".into(),
                prefix: ipnet::Ipv4Net::new(Ipv4Addr::from(0x0a00_0000 + (i << 8)), 24).unwrap(),
                as_path: vec![65001],
                origin: Origin::Igp,
                towards: None,
            })
            .collect()
    };
    let mut world = World::default();
    world.network.extra_routes = extra(97);
    let mut s = start_in(world.clone(), lab());
    advance(&mut s, 60.0);
    assert!(vif_bgp_up(&s, VIF));
    assert_eq!(vif_routes(&s, VIF, true).len(), 100);
    world.network.extra_routes = extra(98);
    let mut s = start_in(world.clone(), lab());
    advance(&mut s, 60.0);
    assert!(!vif_bgp_up(&s, VIF));
    assert_eq!(state_reason(&s), "too many prefixes");
    // Azure takes 4000, or 10000 on a Premium circuit.
    world.network.extra_routes = extra(4000);
    let mut s = start_in(world.clone(), lab());
    advance(&mut s, 60.0);
    assert!(
        circuit(&s, Port::Primary)
            .iter()
            .all(|r| !r.starts_with("10."))
    );
    let mut v = lab();
    v.azure.circuits[0].premium = true;
    let mut s = start_in(world, v);
    advance(&mut s, 60.0);
    assert!(circuit(&s, Port::Primary).len() > 4000);
}

fn state_reason(s: &State) -> String {
    let id = mcr_session(s, "169.254.50.217");
    control::sessions(s)
        .into_iter()
        .find(|r| r.id == id)
        .unwrap()
        .reason
        .unwrap_or_default()
}

#[test]
fn med_and_prepending_steer() {
    // A second VIF on the same MCR: AWS spreads until the MCR makes one less attractive.
    let mut v = lab();
    v.aws.vifs.push(Vif {
        id: "dxvif-2".into(),
        vlan: 102,
        amazon_address: net("169.254.60.217/30"),
        customer_address: net("169.254.60.218/30"),
        ..v.aws.vifs[0].clone()
    });
    v.megaport.vxcs.push(Vxc {
        uid: "vxc-aws2-uid".into(),
        name: "to-aws-2".into(),
        far: FarEnd::Aws {
            vif: "dxvif-2".into(),
        },
        interfaces: vec![Interface {
            vlan: None,
            addresses: vec![net("169.254.60.218/30")],
            sessions: vec![session(
                "169.254.60.218",
                "169.254.60.217",
                64901,
                Some("vif-key"),
            )],
        }],
        ..v.megaport.vxcs[1].clone()
    });
    let ways = |s: &State| {
        let mut all: Vec<String> = control::trace(s, "ec2", "vm")
            .unwrap()
            .iter()
            .map(|b| b.hops[1].address.unwrap().to_string())
            .collect();
        all.dedup();
        all
    };
    let mut s = start(v);
    advance(&mut s, 120.0);
    assert_eq!(ways(&s), ["169.254.50.217", "169.254.60.217"]);
    change(&mut s, |v| {
        v.megaport.vxcs[1].interfaces[0].sessions[0].med_out = Some(100);
    });
    advance(&mut s, 30.0);
    assert_eq!(ways(&s), ["169.254.60.217"]);
    change(&mut s, |v| {
        v.megaport.vxcs[1].interfaces[0].sessions[0].med_out = None;
        v.megaport.vxcs[2].interfaces[0].sessions[0].prepend = 2;
    });
    advance(&mut s, 30.0);
    assert_eq!(ways(&s), ["169.254.50.217"]);
    // Towards AWS the MCR prefers what came with the lower MED.
    change(&mut s, |v| {
        v.megaport.vxcs[1].interfaces[0].sessions[0].med_in = Some(10);
    });
    advance(&mut s, 30.0);
    assert!(traced(&s, "vm", "ec2")[0].contains("169.254.60.217"));
}

#[test]
fn two_circuits_on_one_gateway() {
    let mut v = lab();
    let second = CIRCUIT.replace("to-megaport", "second");
    v.azure.circuits.push(Circuit {
        id: second.clone(),
        service_key: "second-key".into(),
        peering: Some(PrivatePeering {
            primary: net("169.254.102.216/30"),
            secondary: net("169.254.102.220/30"),
            ..v.azure.circuits[0].peering.clone().unwrap()
        }),
        ..v.azure.circuits[0].clone()
    });
    v.azure.er_connections.push(ErConnection {
        id: format!("{ER_CONNECTION}2"),
        circuit: second.clone(),
        ..v.azure.er_connections[0].clone()
    });
    v.megaport.vxcs.push(azure_vxc(
        "vxc-second-uid",
        "to-second",
        MCR,
        "second-key",
        Port::Primary,
        "169.254.102",
    ));
    let mut s = start(v);
    advance(&mut s, 120.0);
    assert_eq!(from_gateway(&s).len(), 2, "{:?}", from_gateway(&s));
    let peers: Vec<Ipv4Addr> = gateway_peers(&s, ERGW)
        .unwrap()
        .iter()
        .filter(|p| p.asn == 12076)
        .map(|p| p.neighbor)
        .collect();
    assert_eq!(
        peers,
        [
            "172.29.255.4",
            "172.29.255.5",
            "172.29.255.6",
            "172.29.255.7"
        ]
        .map(ip)
    );
    // The connection's routing weight chooses between circuits.
    change(&mut s, |v| v.azure.er_connections[1].routing_weight = 10);
    advance(&mut s, 60.0);
    assert!(traced(&s, "vm", "ec2")[0].starts_with("ExpressRoute: 172.29.255.6"));
    // The first connection goes: the second keeps its addresses.
    change(&mut s, |v| {
        v.azure.er_connections.remove(0);
    });
    advance(&mut s, 60.0);
    assert!(er_connected(&s, &format!("{ER_CONNECTION}2")));
    assert!(!er_connected(&s, ER_CONNECTION));
    assert!(traced(&s, "vm", "ec2")[0].starts_with("ExpressRoute: 172.29.255.6"));
}

#[test]
fn public_and_private_clouds_never_exchange() {
    let mut v = lab();
    v.megaport.vxcs[0].interfaces[0].sessions[0].peer_type = "PUB_CLOUD".into();
    let mut s = start(v);
    advance(&mut s, 60.0);
    assert!(
        mcr_neighbor_routes(&s, MCR, ip("169.254.50.217"), false)
            .iter()
            .all(|r| r.prefix != net("172.29.0.0/16"))
    );
    assert!(
        circuit(&s, Port::Primary)
            .iter()
            .all(|r| !r.contains("64901"))
    );
}

#[test]
fn a_speaker_in_maintenance_prepends() {
    let mut s = start(both_ports());
    advance(&mut s, 120.0);
    control::prepend(&mut s, "to-megaport-primary", 2).unwrap();
    advance(&mut s, 60.0);
    assert_eq!(from_gateway(&s), ["172.16.0.0/16 10.3.129.93"]);
    control::prepend(&mut s, "to-megaport-primary", 0).unwrap();
    advance(&mut s, 60.0);
    assert_eq!(from_gateway(&s).len(), 2);
    let down = |s: &State| !tunnel(s, "vpn-0", outside(0, 0)).unwrap().ipsec_up;
    control::tunnel_replacement(&mut s, outside(0, 0), 60.0).unwrap();
    assert!(down(&s));
    advance(&mut s, 59.0);
    assert!(down(&s));
    advance(&mut s, 2.0);
    assert!(!down(&s));
}

#[test]
fn prefix_lists_of_an_mcr_filter_what_it_takes_and_sends() {
    let rule = |permit, prefix: &str, ge, le| PrefixRule {
        permit,
        prefix: net(prefix),
        ge,
        le,
    };
    // (prefix, ge, le) against 172.16.0.0/16
    for (r, hit) in [
        (rule(true, "172.16.0.0/16", None, None), true),
        (rule(true, "172.16.0.0/12", None, None), false),
        (rule(true, "172.16.0.0/12", Some(16), None), true),
        (rule(true, "172.16.0.0/12", Some(17), None), false),
        (rule(true, "172.16.0.0/12", None, Some(16)), true),
        (rule(true, "172.16.0.0/12", None, Some(15)), false),
        (rule(false, "172.16.0.0/16", None, None), false),
    ] {
        for import in [true, false] {
            let mut s = converged();
            change(&mut s, |v| {
                // Only what is on the list comes in from AWS, or goes out to Azure.
                let vxc = usize::from(import);
                let filters = &mut v.megaport.vxcs[vxc].interfaces[0].sessions[0].filters;
                let list = Some(vec![r.clone()]);
                if import {
                    filters.import_permit = list;
                } else {
                    filters.export_permit = list;
                }
            });
            advance(&mut s, 30.0);
            let there = circuit(&s, Port::Primary)
                .iter()
                .any(|row| row.contains("64901"));
            assert_eq!(there, hit, "{r:?} import {import}");
        }
    }
    // A blacklist keeps the leak between two ports away as well.
    let mut v = both_ports();
    for i in [0, 2] {
        v.megaport.vxcs[i].interfaces[0].sessions[0]
            .filters
            .export_deny = Some(vec![rule(true, "172.29.0.0/16", None, Some(32))]);
    }
    let mut s = start(v);
    advance(&mut s, 120.0);
    for port in [Port::Primary, Port::Secondary] {
        assert!(circuit(&s, port).iter().all(|r| !r.contains("64600 12076")));
    }
}

/// Two routers, two circuits with both ports each, a VIF on each router, four tunnels: whatever part of it exists, it
/// settles, forwards without loops, and reaches the other side when any path is whole.
#[test]
fn any_part_of_a_large_world_settles_without_loops() {
    let full = large();
    let mut rng = crate::rng::Rng::new(11);
    for case in 0..60 {
        let mut v = full.clone();
        let keep = |rng: &mut crate::rng::Rng| rng.unit() < 0.7;
        v.megaport.vxcs.retain(|_| keep(&mut rng));
        v.azure.er_connections.retain(|_| keep(&mut rng));
        v.azure.ipsec_connections.retain(|_| keep(&mut rng));
        v.aws.associations.retain(|_| rng.unit() < 0.9);
        let mut s = start(v.clone());
        for _ in 0..20 {
            advance(&mut s, rng.between(0.0, 5.0));
            for (from, to) in [("vm", "ec2"), ("ec2", "vm")] {
                for b in traced(&s, from, to) {
                    assert!(!b.contains("loop"), "case {case}: {b}");
                }
            }
        }
        advance(&mut s, 300.0);
        assert_eq!(s.next_due(), None, "case {case}: it never settles");
        // Whole: a VXC to a connected circuit and one to AWS on the same router, with the association.
        let direct = !v.aws.associations.is_empty()
            && v.megaport.mcrs.iter().any(|m| {
                let own = |x: &&Vxc| x.mcr == m.uid;
                let aws = v
                    .megaport
                    .vxcs
                    .iter()
                    .filter(own)
                    .any(|x| matches!(x.far, FarEnd::Aws { .. }));
                let azure = v.megaport.vxcs.iter().filter(own).any(|x| match &x.far {
                    FarEnd::Azure { service_key, .. } => v.azure.circuits.iter().any(|c| {
                        c.service_key == *service_key
                            && v.azure.er_connections.iter().any(|e| e.circuit == c.id)
                    }),
                    FarEnd::Aws { .. } => false,
                });
                aws && azure
            });
        let vpn = !v.azure.ipsec_connections.is_empty();
        let expected = if direct {
            "ExpressRoute"
        } else if vpn {
            "VPN"
        } else {
            "None"
        };
        for (from, to) in [("vm", "ec2"), ("ec2", "vm")] {
            for b in control::trace(&s, from, to).unwrap() {
                assert_eq!(b.path, expected, "case {case} {from}: {b:?}");
                assert_eq!(b.arrives, direct || vpn, "case {case} {from}: {b:?}");
            }
        }
    }
}

fn large() -> View {
    let mut v = lab_with(2);
    let second = CIRCUIT.replace("to-megaport", "second");
    v.azure.circuits.push(Circuit {
        id: second.clone(),
        service_key: "second-key".into(),
        peering: Some(PrivatePeering {
            peer_asn: 64601,
            primary: net("169.254.102.216/30"),
            secondary: net("169.254.102.220/30"),
            ..v.azure.circuits[0].peering.clone().unwrap()
        }),
        ..v.azure.circuits[0].clone()
    });
    v.azure.er_connections.push(ErConnection {
        id: format!("{ER_CONNECTION}2"),
        circuit: second,
        ..v.azure.er_connections[0].clone()
    });
    v.megaport.mcrs.push(Mcr {
        uid: "mcr2".into(),
        name: "mcr-b".into(),
        asn: 64601,
    });
    v.aws.vifs.push(Vif {
        id: "dxvif-2".into(),
        asn: 64601,
        amazon_address: net("169.254.60.217/30"),
        customer_address: net("169.254.60.218/30"),
        ..v.aws.vifs[0].clone()
    });
    let vxc = |uid: &str, mcr: &str, key: &str, port, third: &str, deny: &str| {
        let mut x = azure_vxc(uid, uid, mcr, key, port, third);
        x.interfaces[0].sessions[0].deny_export_to = vec![ip(deny)];
        x
    };
    v.megaport.vxcs[0].interfaces[0].sessions[0].deny_export_to = vec![ip("169.254.101.222")];
    v.megaport.vxcs.extend([
        vxc(
            "a2",
            MCR,
            "service-key",
            Port::Secondary,
            "169.254.101",
            "169.254.101.218",
        ),
        vxc(
            "b1",
            "mcr2",
            "second-key",
            Port::Primary,
            "169.254.102",
            "169.254.102.222",
        ),
        vxc(
            "b2",
            "mcr2",
            "second-key",
            Port::Secondary,
            "169.254.102",
            "169.254.102.218",
        ),
        Vxc {
            uid: "aws2".into(),
            name: "to-aws-2".into(),
            mcr: "mcr2".into(),
            far: FarEnd::Aws {
                vif: "dxvif-2".into(),
            },
            shutdown: false,
            interfaces: vec![Interface {
                vlan: None,
                addresses: vec![net("169.254.60.218/30")],
                sessions: vec![session(
                    "169.254.60.218",
                    "169.254.60.217",
                    64901,
                    Some("vif-key"),
                )],
            }],
        },
    ]);
    v
}
