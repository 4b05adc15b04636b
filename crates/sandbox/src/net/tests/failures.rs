//! What keeps sessions and tunnels down, how failures are noticed, and that the network always finds back.

use super::*;
use crate::rng::Rng;

/// The state of the session with this far address on the MCR.
fn state_of(s: &State, peer: &str) -> SessionState {
    let id = mcr_session(s, peer);
    control::sessions(s)
        .into_iter()
        .find(|r| r.id == id)
        .unwrap()
        .state
}

fn reason_of(s: &State, peer: &str) -> String {
    let id = mcr_session(s, peer);
    control::sessions(s)
        .into_iter()
        .find(|r| r.id == id)
        .unwrap()
        .reason
        .unwrap()
}

#[test]
fn mismatches_keep_a_session_down_until_they_are_mended() {
    type Break = fn(&mut View);
    let azure = "169.254.101.218";
    let aws = "169.254.50.217";
    let cases: [(&str, &str, Break, Break); 6] = [
        (
            aws,
            "passwords",
            |v| v.aws.vifs[0].auth_key = Some("other".into()),
            |v| v.aws.vifs[0].auth_key = Some("vif-key".into()),
        ),
        (
            azure,
            "VLANs",
            |v| v.azure.circuits[0].peering.as_mut().unwrap().vlan = 101,
            |v| v.azure.circuits[0].peering.as_mut().unwrap().vlan = 100,
        ),
        (
            azure,
            "AS numbers",
            |v| v.azure.circuits[0].peering.as_mut().unwrap().peer_asn = 64601,
            |v| v.azure.circuits[0].peering.as_mut().unwrap().peer_asn = 64600,
        ),
        (
            azure,
            "addresses",
            |v| v.azure.circuits[0].peering.as_mut().unwrap().primary = net("169.254.101.0/30"),
            |v| v.azure.circuits[0].peering.as_mut().unwrap().primary = net("169.254.101.216/30"),
        ),
        (
            azure,
            "disabled",
            |v| v.azure.circuits[0].peering.as_mut().unwrap().enabled = false,
            |v| v.azure.circuits[0].peering.as_mut().unwrap().enabled = true,
        ),
        (
            aws,
            "failover test",
            |v| v.aws.vifs[0].testing = true,
            |v| v.aws.vifs[0].testing = false,
        ),
    ];
    let mut s = converged();
    for (peer, why, break_it, mend) in cases {
        change(&mut s, break_it);
        advance(&mut s, 30.0);
        assert_ne!(state_of(&s, peer), SessionState::Established, "{why}");
        assert!(reason_of(&s, peer).contains(why), "{}", reason_of(&s, peer));
        change(&mut s, mend);
        advance(&mut s, 30.0);
        assert_eq!(state_of(&s, peer), SessionState::Established, "{why}");
    }
}

fn tunnel_up(s: &State) -> bool {
    tunnel(s, "vpn-0", outside(0, 0)).unwrap().ipsec_up
}

#[test]
fn tunnels_need_an_agreement() {
    type Break = fn(&mut View);
    let cases: [(&str, Break); 7] = [
        ("pre-shared", |v| {
            v.azure.ipsec_connections[0].shared_key = "other".into();
        }),
        ("IKEv2", |v| {
            v.aws.vpn_connections[0].tunnels[0].ike_versions = vec!["ikev1".into()];
        }),
        ("phase 1", |v| {
            v.aws.vpn_connections[0].tunnels[0].phase1_dh_groups = vec![20];
        }),
        ("phase 2", |v| {
            v.aws.vpn_connections[0].tunnels[0].phase2_encryption = vec!["AES128".into()];
        }),
        ("starts", |v| {
            v.aws.vpn_connections[0].tunnels[0].startup_action = "add".into();
            v.azure.ipsec_connections[0].mode = "ResponderOnly".into();
        }),
        ("customer gateway", |v| {
            v.aws.vpn_connections[0].customer_gateway_address = ip("192.0.2.1");
        }),
        ("outside address", |v| {
            v.azure.ipsec_connections[0].remote = ip("192.0.2.1");
        }),
    ];
    for (why, break_it) in cases {
        let mut s = converged();
        assert!(tunnel_up(&s));
        change(&mut s, break_it);
        advance(&mut s, 60.0);
        assert!(!tunnel_up(&s), "{why}");
        let reason = control::links(&s)
            .into_iter()
            .find(|l| l.id == format!("tunnel-{}", outside(0, 0)))
            .unwrap()
            .reason
            .unwrap();
        assert!(reason.contains(why), "{reason}");
        // The direct connection does not care.
        assert_eq!(from_gateway(&s), ["172.16.0.0/16 10.3.129.92"], "{why}");
    }
}

#[test]
fn gcm_without_pfs_dies_at_the_first_rekey_and_stays_down() {
    let gcm = |v: &mut View, pfs: &str| {
        for c in &mut v.azure.ipsec_connections {
            c.policy = Some(IpsecPolicy {
                ipsec_encryption: "GCMAES256".into(),
                ipsec_integrity: "GCMAES256".into(),
                pfs_group: pfs.into(),
                ..policy()
            });
        }
        for c in &mut v.aws.vpn_connections {
            for t in &mut c.tunnels {
                t.phase2_encryption = vec!["AES256-GCM-16".into()];
                t.phase2_lifetime = 900;
            }
        }
    };
    let mut s = converged();
    change(&mut s, |v| gcm(v, "None"));
    advance(&mut s, 890.0);
    assert!(tunnel_up(&s));
    advance(&mut s, 30.0);
    assert!(!tunnel_up(&s));
    advance(&mut s, 7200.0);
    assert!(
        !tunnel_up(&s),
        "it comes back only by another configuration"
    );
    change(&mut s, |v| gcm(v, "PFS2048"));
    advance(&mut s, 7200.0);
    assert!(tunnel_up(&s));
    // Azure's default set with GCM only on AWS's side is the lab's own case.
    change(&mut s, |v| {
        gcm(v, "None");
        v.azure
            .ipsec_connections
            .iter_mut()
            .for_each(|c| c.policy = None);
        for c in &mut v.aws.vpn_connections {
            for t in &mut c.tunnels {
                t.phase1_dh_groups = vec![2, 14];
            }
        }
    });
    advance(&mut s, 60.0);
    assert!(tunnel_up(&s));
    advance(&mut s, 900.0);
    assert!(!tunnel_up(&s));
}

/// Seconds until `f` holds, at most 1000.
fn seconds_until(s: &mut State, f: impl Fn(&State) -> bool) -> f64 {
    for i in 0..10_000 {
        if f(s) {
            return f64::from(i) / 10.0;
        }
        advance(s, 0.1);
    }
    panic!("it never happened");
}

#[test]
fn silent_failures_are_noticed_by_bfd_or_by_the_hold_timer() {
    let down = |s: &State| !vif_bgp_up(s, VIF);
    let mut s = converged();
    control::link(&mut s, "to-aws", false).unwrap();
    let with_bfd = seconds_until(&mut s, down);
    assert!((0.8..=1.1).contains(&with_bfd), "{with_bfd}");

    let mut s = start(lab());
    change(&mut s, |v| {
        v.megaport.vxcs[1].interfaces[0].sessions[0].bfd = false;
    });
    advance(&mut s, 120.0);
    control::link(&mut s, "to-aws", false).unwrap();
    let by_hold = seconds_until(&mut s, down);
    assert!((60.0..=90.1).contains(&by_hold), "{by_hold}");
    // A tunnel: AWS's dead-peer detection and the hold timer of 30 s.
    let mut s = converged();
    let link = format!("tunnel-{}", outside(0, 0));
    control::link(&mut s, &link, false).unwrap();
    let dead = |s: &State| !tunnel(s, "vpn-0", outside(0, 0)).unwrap().ipsec_up;
    let bgp = seconds_until(&mut s, |s| {
        !tunnel(s, "vpn-0", outside(0, 0)).unwrap().bgp_up
    });
    assert!((20.0..=30.1).contains(&bgp), "{bgp}");
    let more = seconds_until(&mut s, dead);
    assert!((29.9..=30.1).contains(&(bgp + more)), "{}", bgp + more);
    assert!(ipsec_status(&s, &ipsec_id(0, 0))[0].1, "Azure waits 45 s");
    advance(&mut s, 16.0);
    assert!(!ipsec_status(&s, &ipsec_id(0, 0))[0].1);
    control::link(&mut s, &link, true).unwrap();
    advance(&mut s, 30.0);
    assert!(tunnel(&s, "vpn-0", outside(0, 0)).unwrap().bgp_up);
}

#[test]
fn a_short_cut_goes_unnoticed_and_what_was_sent_meanwhile_arrives() {
    let mut s = start(lab());
    change(&mut s, |v| {
        for x in &mut v.megaport.vxcs {
            x.interfaces[0].sessions[0].bfd = false;
        }
    });
    advance(&mut s, 120.0);
    let since = |s: &State| {
        let id = mcr_session(s, "169.254.101.218");
        control::sessions(s)
            .into_iter()
            .find(|r| r.id == id)
            .unwrap()
            .since
    };
    let before = since(&s);
    control::link(&mut s, "to-azure", false).unwrap();
    advance(&mut s, 5.0);
    let aws = mcr_session(&s, "169.254.50.217");
    control::session_shutdown(&mut s, &aws, true).unwrap();
    advance(&mut s, 20.0);
    assert_eq!(circuit(&s, Port::Primary).len(), 4, "the withdrawal waits");
    control::link(&mut s, "to-azure", true).unwrap();
    advance(&mut s, 5.0);
    assert_eq!(circuit(&s, Port::Primary).len(), 3);
    assert_eq!(since(&s), before, "the session was never down");
}

#[test]
fn a_route_table_on_gateway_subnet_breaks_the_mesh() {
    let udr = |name: &str, prefix: &str, kind: &str, hop: Option<&str>| Udr {
        name: name.into(),
        prefix: net(prefix),
        next_hop_type: kind.into(),
        next_hop: hop.map(ip),
    };
    let mut s = converged();
    let id = mcr_session(&s, "169.254.50.217");
    control::session_shutdown(&mut s, &id, true).unwrap();
    advance(&mut s, 60.0);
    change(&mut s, |v| {
        v.azure.vnets[0].gateway_subnet_routes = vec![udr(
            "vnet-to-nva",
            "172.29.0.0/16",
            "VirtualAppliance",
            Some("172.29.10.4"),
        )];
    });
    advance(&mut s, 10.0);
    assert!(gateway_peers(&s, VPNGW).is_some(), "nobody has noticed yet");
    advance(&mut s, 200.0);
    assert!(gateway_peers(&s, VPNGW).is_none());
    assert!(gateway_learned(&s, ERGW).is_none());
    assert_eq!(from_gateway(&s), [""; 0]);
    assert!(traced(&s, "vm", "ec2")[0].contains("172.16.0.0/12 says None"));
    change(&mut s, |v| {
        v.azure.vnets[0].gateway_subnet_routes.push(udr(
            "gw-local",
            "172.29.255.0/24",
            "VnetLocal",
            None,
        ));
    });
    advance(&mut s, 60.0);
    assert_eq!(
        from_gateway(&s),
        ["172.16.0.0/16 172.29.255.14", "172.16.0.0/16 172.29.255.15"]
    );
    assert_eq!(gateway_peers(&s, ERGW).unwrap().len(), 4);
    // Packets to the machines still go through the appliance, which drops them.
    assert!(traced(&s, "ec2", "vm")[0].contains("vnet-to-nva"));

    // An appliance that forwards breaks nothing.
    let mut world = World::default();
    world.network.forwarding_appliances = vec![ip("172.29.10.4")];
    let mut s = start_in(world, lab());
    change(&mut s, |v| {
        v.azure.vnets[0].gateway_subnet_routes = vec![udr(
            "vnet-to-nva",
            "172.29.0.0/16",
            "VirtualAppliance",
            Some("172.29.10.4"),
        )];
    });
    advance(&mut s, 300.0);
    assert_eq!(gateway_peers(&s, ERGW).unwrap().len(), 4);
    assert!(!traced(&s, "ec2", "vm")[0].contains('!'));
}

#[test]
fn user_routes_on_the_nic_win() {
    let mut s = converged();
    change(&mut s, |v| {
        v.azure.vnets[0].nics[0].routes = vec![Udr {
            name: "hole".into(),
            prefix: net("172.16.0.0/16"),
            next_hop_type: "None".into(),
            next_hop: None,
        }];
    });
    assert_eq!(from_gateway(&s), [""; 0]);
    assert!(
        effective_routes(&s, NIC)
            .iter()
            .any(|r| r.source == "VirtualNetworkGateway" && !r.active)
    );
    assert!(traced(&s, "vm", "ec2")[0].starts_with("None: "));
}

// ---- sweeps ------------------------------------------------------------------------------------------------------

#[derive(Debug, Clone)]
enum Failure {
    Session(String),
    Link(String),
    Node(String),
}

fn failures(s: &State) -> Vec<Failure> {
    let sessions = control::sessions(s)
        .into_iter()
        .filter(|r| r.b == "mcr-a")
        .map(|r| Failure::Session(r.id));
    let links = control::links(s).into_iter().map(|l| Failure::Link(l.id));
    let nodes = control::nodes(s).into_iter().map(|n| Failure::Node(n.id));
    sessions.chain(links).chain(nodes).collect()
}

fn apply(s: &mut State, f: &Failure, broken: bool) {
    match f {
        Failure::Session(id) => control::session_shutdown(s, id, broken).unwrap(),
        Failure::Link(id) => control::link(s, id, !broken).unwrap(),
        Failure::Node(id) => control::node(s, id, !broken).unwrap(),
    }
}

/// All tables of the world, for comparison.
fn tables(s: &State) -> String {
    format!(
        "{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}",
        circuit(s, Port::Primary),
        circuit(s, Port::Secondary),
        learned(s, ERGW),
        learned(s, VPNGW),
        from_gateway(s),
        vgw_prefixes(s),
        mcr_bgp_routes(s, MCR),
        traced(s, "vm", "ec2"),
        traced(s, "ec2", "vm"),
    )
}

/// Two siblings that lose their tunnels in one moment point at each other until their withdrawals have crossed, as
/// routers do; no loop may last longer than that.
fn assert_no_loop(s: &State, what: &str) {
    let looping = |s: &State| {
        [("vm", "ec2"), ("ec2", "vm")]
            .iter()
            .flat_map(|(from, to)| traced(s, from, to))
            .find(|b| b.contains("loop"))
    };
    if looping(s).is_some() {
        let mut later = s.clone();
        advance(&mut later, 0.5);
        assert_eq!(looping(&later), None, "{what}");
    }
}

/// Whether the branches of a direction agree on arriving.
fn arrives(s: &State, from: &str, to: &str) -> (bool, bool) {
    let all = control::trace(s, from, to).unwrap();
    (all.iter().any(|b| b.arrives), all.iter().all(|b| b.arrives))
}

#[test]
fn after_any_single_failure_all_branches_agree_and_mending_restores_every_table() {
    let base = converged();
    let normal = tables(&base);
    let all = failures(&base);
    assert!(all.len() >= 19, "{}", all.len());
    for f in &all {
        let what = format!("{f:?}");
        let mut s = base.clone();
        apply(&mut s, f, true);
        for _ in 0..50 {
            advance(&mut s, 1.0);
            assert_no_loop(&s, &what);
        }
        advance(&mut s, 350.0);
        for (from, to) in [("vm", "ec2"), ("ec2", "vm")] {
            let (any, every) = arrives(&s, from, to);
            assert_eq!(any, every, "{what}: {:?}", traced(&s, from, to));
            // Only what both paths share can cut the clouds off.
            let shared = what.contains("vgw-1");
            assert_eq!(any, !shared, "{what}: {:?}", traced(&s, from, to));
        }
        apply(&mut s, f, false);
        advance(&mut s, 120.0);
        assert_eq!(tables(&s), normal, "{what}");
    }
}

#[test]
fn random_pairs_of_failures_converge_without_loops_and_heal() {
    let base = converged();
    let normal = tables(&base);
    let all = failures(&base);
    let mut rng = Rng::new(7);
    for case in 0..120 {
        let pick = |rng: &mut Rng| all[rng.below(all.len() as u64) as usize].clone();
        let (x, y) = (pick(&mut rng), pick(&mut rng));
        let what = format!("case {case}: {x:?} and {y:?}");
        let mut s = base.clone();
        advance(&mut s, rng.between(0.0, 60.0));
        apply(&mut s, &x, true);
        advance(&mut s, rng.between(0.0, 20.0));
        apply(&mut s, &y, true);
        for _ in 0..20 {
            advance(&mut s, rng.between(0.0, 20.0));
            assert_no_loop(&s, &what);
        }
        advance(&mut s, 400.0);
        for (from, to) in [("vm", "ec2"), ("ec2", "vm")] {
            let (any, every) = arrives(&s, from, to);
            assert_eq!(any, every, "{what}: {:?}", traced(&s, from, to));
        }
        apply(&mut s, &x, false);
        apply(&mut s, &y, false);
        advance(&mut s, 200.0);
        assert_eq!(tables(&s), normal, "{what}");
    }
}

#[test]
fn two_runs_are_equal_and_a_saved_state_goes_on_as_if_nothing_had_happened() {
    let text = |s: &State| serde_json::to_string(&s).unwrap();
    let run = |save: bool| {
        let mut s = start(lab());
        advance(&mut s, 5.0);
        if save {
            s = serde_json::from_str(&text(&s)).unwrap();
        }
        advance(&mut s, 60.0);
        let id = mcr_session(&s, "169.254.50.217");
        control::session_shutdown(&mut s, &id, true).unwrap();
        advance(&mut s, 1.0);
        if save {
            s = serde_json::from_str(&text(&s)).unwrap();
        }
        advance(&mut s, 30.0);
        text(&s)
    };
    let plain = run(false);
    assert_eq!(plain, run(false));
    assert_eq!(plain, run(true));
}

#[test]
fn refresh_does_nothing_when_nothing_changed() {
    let mut s = converged();
    let before = serde_json::to_string(&s).unwrap();
    for _ in 0..100 {
        refresh(&mut s);
    }
    assert_eq!(before, serde_json::to_string(&s).unwrap());
    let due = s.next_due();
    assert!(
        due.is_none(),
        "a converged network schedules nothing: {due:?}"
    );
}
