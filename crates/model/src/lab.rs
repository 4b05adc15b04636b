//! The lab's objects as the model sees them, for tests.
#![allow(clippy::unwrap_used, reason = "test data")]

use crate::desired::SecretHandle;
use crate::slot::{Graph, SlotId};
use crate::spec::*;
use ipnet::Ipv4Net;

pub fn net(s: &str) -> Ipv4Net {
    s.parse().unwrap()
}

pub const VNET: &str =
    "/subscriptions/s/resourceGroups/vpn-rg/providers/Microsoft.Network/virtualNetworks/vnet";

pub fn policy() -> Policy {
    Policy {
        observe_only: false,
        report_drift_only: false,
        retain: false,
        paused: false,
    }
}

fn key(k: &str) -> SecretHandle {
    SecretHandle {
        secret: "keys".to_owned(),
        key: k.to_owned(),
    }
}

const BGP: BgpOptions = BgpOptions {
    bfd: true,
    shutdown: false,
    prepend: 0,
    med_out: None,
};

pub fn express_route() -> ExpressRoute {
    ExpressRoute {
        vnet_id: VNET.to_owned(),
        circuit_id: "/circuits/to-megaport".to_owned(),
        circuit: Source::Managed(ManagedCircuit {
            name: "to-megaport".to_owned(),
            service_provider: "Megaport".to_owned(),
            peering_location: "Washington DC2".to_owned(),
            bandwidth_mbps: 50,
            tier: "Standard".to_owned(),
            family: "MeteredData".to_owned(),
        }),
        peering: Peering {
            primary: net("169.254.101.216/30"),
            secondary: net("169.254.101.220/30"),
            vlan: 100,
            auth_key: None,
        },
        ports: vec![Port {
            port: PeeringPort::Primary,
            router_uid: Some("mcr-1".to_owned()),
            router_describe: "router a".to_owned(),
            router_asn: 64600,
            name: "lab primary".to_owned(),
            rate_limit_mbps: 50,
            term_months: 1,
            bgp: BGP,
            export_filter: true,
            other_edges: Vec::new(),
        }],
        gateway: Source::Referenced {
            id: Some("/gateways/ergw".to_owned()),
            describe: "gateway of lab".to_owned(),
        },
        gateway_id: Some("/gateways/ergw".to_owned()),
        gateway_subnet_id: format!("{VNET}/subnets/GatewaySubnet"),
        connection: ErConnection {
            name: "lab-er-main-connection".to_owned(),
            routing_weight: 0,
            authorization_key: None,
        },
    }
}

pub fn direct_connect() -> DirectConnect {
    DirectConnect {
        router_uid: Some("mcr-1".to_owned()),
        router_describe: "router a".to_owned(),
        router_asn: 64600,
        partner_port: Some("port-1".to_owned()),
        hosted_connection: false,
        vxc_name: "lab aws".to_owned(),
        bandwidth_mbps: 50,
        term_months: 1,
        vif_name: "lab-vif".to_owned(),
        amazon_address: net("169.254.50.217/30"),
        customer_address: net("169.254.50.218/30"),
        mtu: 1500,
        auth_key: key("vif"),
        bgp: BGP,
        gateway: Source::Referenced {
            id: Some("dxgw-1".to_owned()),
            describe: "gateway of lab".to_owned(),
        },
        gateway_asn: Some(64901),
        association_vgw: None,
        generated_keys: Some(GeneratedKeys {
            secret: "dx-lab-keys".to_owned(),
            keys: vec!["vif".to_owned()],
        }),
    }
}

pub fn vpn() -> Vpn {
    let tunnels = allocate_tunnels(&std::collections::BTreeMap::new(), &[]).unwrap();
    Vpn {
        vnet_id: VNET.to_owned(),
        gateway_subnet_id: format!("{VNET}/subnets/GatewaySubnet"),
        gateway: Source::Managed(ManagedVpnGateway {
            name: "vnet-gateway".to_owned(),
            sku: "VpnGw2AZ".to_owned(),
            generation: "Generation2".to_owned(),
            asn: 65515,
            zones: vec!["1".to_owned(), "2".to_owned(), "3".to_owned()],
        }),
        gateway_id: "/gateways/vnet-gateway".to_owned(),
        vgw: Source::Referenced {
            id: Some("vgw-1".to_owned()),
            describe: "vgw of lab".to_owned(),
        },
        vgw_asn: 64900,
        bgp_tunnels_per_instance: 1,
        tunnels: tunnels
            .into_iter()
            .map(|((instance, tunnel), inside)| Tunnel {
                instance,
                tunnel,
                inside,
                pre_shared_key: key(&format!("instance{instance}-tunnel{tunnel}")),
            })
            .collect(),
        ipsec: IpsecProfile::cbc(),
        dpd_seconds: 45,
        names: VpnNames {
            prefix: "lab-vpn".to_owned(),
        },
        generated_keys: Some(GeneratedKeys {
            secret: "vpn-lab-vpn-keys".to_owned(),
            keys: vec!["instance0-tunnel1".to_owned()],
        }),
    }
}

pub fn interconnect(dependents: Vec<Dependent>) -> Interconnect {
    Interconnect {
        vnet_id: VNET.to_owned(),
        vpc_id: "vpc-1".to_owned(),
        routers: vec![Router {
            name: "a".to_owned(),
            source: Source::Managed(ManagedRouter {
                display_name: "lab a".to_owned(),
                location_id: 67,
                port_speed_mbps: 1000,
                asn: 64600,
                term_months: 1,
                diversity_zone: Some("red".to_owned()),
                cost_centre: None,
            }),
        }],
        er_gateway: Some(Source::Managed(ManagedGateway {
            name: "ergw".to_owned(),
            sku: "ErGw1AZ".to_owned(),
        })),
        vgw: Some(Source::Managed(ManagedVgw {
            name: "lab".to_owned(),
            amazon_asn: 64900,
            route_tables: vec!["rtb-1".to_owned()],
        })),
        dxgw: Some(Source::Managed(ManagedDxgw {
            name: "lab".to_owned(),
            amazon_asn: 64901,
            allowed_prefixes: vec![net("172.16.0.0/16")],
        })),
        dependents,
    }
}

/// The same link with a virtual interface of its own on a hosted connection.
pub fn hosted_connection() -> DirectConnect {
    DirectConnect {
        hosted_connection: true,
        ..direct_connect()
    }
}

/// All four graphs of the lab, by name, and the other kind of Direct Connect.
pub fn graphs() -> Vec<(&'static str, Graph)> {
    let none: [SlotId; 0] = [];
    vec![
        (
            "hosted connection",
            crate::graph::directconnect::graph(&hosted_connection(), &none),
        ),
        (
            "expressroute",
            crate::graph::expressroute::graph(&express_route(), &none),
        ),
        (
            "directconnect",
            crate::graph::directconnect::graph(&direct_connect(), &none),
        ),
        ("vpn", crate::graph::vpn::graph(&vpn(), &none)),
        (
            "interconnect",
            crate::graph::interconnect::graph(&interconnect(Vec::new()), &none),
        ),
    ]
}
