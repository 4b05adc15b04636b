//! The lab's view by hand (lab.md, contract.md), for tests of the network without the providers' APIs.

#![allow(clippy::unwrap_used, reason = "a test that can not go on shall fail")]

use super::view::*;
use std::net::Ipv4Addr;

pub const CIRCUIT: &str = "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/expressroutecircuits/to-megaport";
pub const ERGW: &str = "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/virtualnetworkgateways/ergw";
pub const VPNGW: &str = "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/virtualnetworkgateways/vnet-gateway";
pub const VNET: &str =
    "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/virtualnetworks/vnet";
pub const NIC: &str =
    "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/networkinterfaces/vm-nic";
pub const ER_CONNECTION: &str =
    "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/connections/er";
pub const VGW: &str = "vgw-1";
pub const RTB: &str = "rtb-1";
pub const VIF: &str = "dxvif-1";
pub const MCR: &str = "mcr-uid";
pub const VXC_AZURE: &str = "vxc-azure-uid";
pub const VXC_AWS: &str = "vxc-aws-uid";

pub fn ip(s: &str) -> Ipv4Addr {
    s.parse().unwrap()
}
pub fn net(s: &str) -> ipnet::Ipv4Net {
    s.parse().unwrap()
}

pub fn ipsec_id(instance: usize, tunnel: usize) -> String {
    format!(
        "/subscriptions/s/resourcegroups/vpn-rg/providers/microsoft.network/connections/i{instance}t{tunnel}"
    )
}

pub fn outside(instance: usize, tunnel: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, (10 * (instance + 1) + tunnel) as u8)
}

/// `tunnels` BGP tunnels per instance: 1 is the lab, 2 gives each instance both APIPA addresses.
pub fn lab_with(tunnels: usize) -> View {
    View {
        azure: azure(tunnels),
        aws: aws(),
        megaport: megaport(),
    }
}

pub fn lab() -> View {
    lab_with(1)
}

fn azure(tunnels: usize) -> AzureView {
    let apipa = |i: u8| -> Vec<Ipv4Addr> {
        [21u8, 22]
            .iter()
            .take(tunnels)
            .map(|n| Ipv4Addr::new(169, 254, *n, 2 + 4 * i))
            .collect()
    };
    let ipc = |i: usize| format!("{VPNGW}/ipconfigurations/ipc{i}");
    let instances = (0..2u8)
        .map(|i| VpnInstance {
            ip_configuration: ipc(i as usize),
            address: Ipv4Addr::new(172, 29, 255, 14 + i),
            public_ip: Ipv4Addr::new(203, 0, 113, 10 + i),
            apipa: apipa(i),
        })
        .collect();
    let mut ipsec = Vec::new();
    for i in 0..2usize {
        for t in 0..2usize {
            let amazon = Ipv4Addr::new(169, 254, 21 + t as u8, 1 + 4 * i as u8);
            let custom_bgp = if tunnels == 2 {
                (0..2usize)
                    .map(|n| {
                        (
                            ipc(n),
                            Ipv4Addr::new(169, 254, 21 + t as u8, 2 + 4 * n as u8),
                        )
                    })
                    .collect()
            } else {
                Vec::new()
            };
            ipsec.push(IpsecConnection {
                id: ipsec_id(i, t),
                gateway: VPNGW.into(),
                remote: outside(i, t),
                remote_asn: Some(64900),
                remote_bgp_address: Some(amazon),
                remote_prefixes: Vec::new(),
                bgp: true,
                custom_bgp,
                shared_key: format!("key-{i}-{t}"),
                mode: "Default".into(),
                dpd_seconds: 45,
                policy: Some(policy()),
            });
        }
    }
    AzureView {
        vnets: vec![Vnet {
            id: VNET.into(),
            prefixes: vec![net("172.29.0.0/16")],
            gateway_subnet: Some(net("172.29.255.0/24")),
            gateway_subnet_routes: Vec::new(),
            nics: vec![Nic {
                id: NIC.into(),
                address: ip("172.29.0.10"),
                subnet: net("172.29.0.0/24"),
                routes: Vec::new(),
                bgp_propagation: true,
            }],
        }],
        er_gateways: vec![ErGateway {
            id: ERGW.into(),
            vnet: VNET.into(),
            asn: 65515,
            instances: vec![ip("172.29.255.12"), ip("172.29.255.13")],
        }],
        vpn_gateways: vec![VpnGateway {
            id: VPNGW.into(),
            vnet: VNET.into(),
            asn: 65515,
            bgp: true,
            instances,
        }],
        circuits: vec![Circuit {
            id: CIRCUIT.into(),
            service_key: "service-key".into(),
            bandwidth_mbps: 50,
            premium: false,
            peering: Some(PrivatePeering {
                enabled: true,
                peer_asn: 64600,
                primary: net("169.254.101.216/30"),
                secondary: net("169.254.101.220/30"),
                vlan: 100,
                shared_key: None,
            }),
        }],
        er_connections: vec![ErConnection {
            id: ER_CONNECTION.into(),
            gateway: ERGW.into(),
            circuit: CIRCUIT.into(),
            routing_weight: 0,
        }],
        ipsec_connections: ipsec,
    }
}

pub fn policy() -> IpsecPolicy {
    IpsecPolicy {
        sa_life_time_seconds: 3600,
        sa_data_size_kilobytes: 102_400_000,
        ipsec_encryption: "AES256".into(),
        ipsec_integrity: "SHA256".into(),
        ike_encryption: "AES256".into(),
        ike_integrity: "SHA256".into(),
        dh_group: "DHGroup14".into(),
        pfs_group: "PFS2048".into(),
    }
}

fn aws() -> AwsView {
    let list = |v: &[&str]| v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    let connections = (0..2usize)
        .map(|i| VpnConnection {
            id: format!("vpn-{i}"),
            vgw: VGW.into(),
            customer_gateway_address: Ipv4Addr::new(203, 0, 113, 10 + i as u8),
            customer_asn: 65515,
            static_routes_only: false,
            tunnels: (0..2usize)
                .map(|t| VpnTunnel {
                    outside: outside(i, t),
                    inside: ipnet::Ipv4Net::new(
                        Ipv4Addr::new(169, 254, 21 + t as u8, 4 * i as u8),
                        30,
                    )
                    .unwrap(),
                    pre_shared_key: format!("key-{i}-{t}"),
                    startup_action: "start".into(),
                    ike_versions: list(&["ikev2"]),
                    phase1_encryption: list(&["AES256"]),
                    phase1_integrity: list(&["SHA2-256"]),
                    phase1_dh_groups: vec![14],
                    phase2_encryption: list(&["AES256"]),
                    phase2_integrity: list(&["SHA2-256"]),
                    phase2_dh_groups: vec![14],
                    phase1_lifetime: 28800,
                    phase2_lifetime: 3600,
                    dpd_seconds: 30,
                })
                .collect(),
        })
        .collect();
    AwsView {
        vpcs: vec![Vpc {
            id: "vpc-1".into(),
            cidrs: vec![net("172.16.0.0/16")],
            instances: vec![ip("172.16.0.10")],
            route_tables: vec![RouteTable {
                id: RTB.into(),
                subnets: vec![net("172.16.0.0/24")],
                propagating: vec![VGW.into()],
                static_routes: vec![(net("0.0.0.0/0"), "igw-1".into())],
            }],
        }],
        vgws: vec![Vgw {
            id: VGW.into(),
            asn: 64900,
            vpc: Some("vpc-1".into()),
        }],
        dxgws: vec![Dxgw {
            id: "dxgw-1".into(),
            asn: 64901,
        }],
        associations: vec![DxgwAssociation {
            dxgw: "dxgw-1".into(),
            vgw: VGW.into(),
            allowed_prefixes: vec![net("172.16.0.0/16")],
        }],
        vifs: vec![Vif {
            id: VIF.into(),
            vlan: 101,
            asn: 64600,
            amazon_address: net("169.254.50.217/30"),
            customer_address: net("169.254.50.218/30"),
            auth_key: Some("vif-key".into()),
            dxgw: Some("dxgw-1".into()),
            testing: false,
        }],
        vpn_connections: connections,
    }
}

pub fn session(local: &str, peer: &str, peer_asn: u32, password: Option<&str>) -> BgpConnection {
    BgpConnection {
        peer_asn,
        local_asn: None,
        local_address: ip(local),
        peer_address: ip(peer),
        password: password.map(str::to_owned),
        shutdown: false,
        bfd: true,
        med_in: None,
        med_out: None,
        prepend: 0,
        as_override: false,
        peer_type: "PRIV_CLOUD".into(),
        export_policy: "permit".into(),
        permit_export_to: Vec::new(),
        deny_export_to: Vec::new(),
        filters: Filters::default(),
    }
}

pub fn azure_vxc(uid: &str, name: &str, mcr: &str, key: &str, port: Port, third: &str) -> Vxc {
    let last = if port == Port::Primary { 217 } else { 221 };
    let (own, far) = (format!("{third}.{last}"), format!("{third}.{}", last + 1));
    Vxc {
        uid: uid.into(),
        name: name.into(),
        mcr: mcr.into(),
        far: FarEnd::Azure {
            service_key: key.into(),
            port,
        },
        shutdown: false,
        interfaces: vec![Interface {
            vlan: Some(100),
            addresses: vec![net(&format!("{own}/30"))],
            sessions: vec![session(&own, &far, 12076, None)],
        }],
    }
}

fn megaport() -> MegaportView {
    MegaportView {
        mcrs: vec![Mcr {
            uid: MCR.into(),
            name: "mcr-a".into(),
            asn: 64600,
        }],
        vxcs: vec![
            azure_vxc(
                VXC_AZURE,
                "to-azure",
                MCR,
                "service-key",
                Port::Primary,
                "169.254.101",
            ),
            Vxc {
                uid: VXC_AWS.into(),
                name: "to-aws".into(),
                mcr: MCR.into(),
                far: FarEnd::Aws { vif: VIF.into() },
                shutdown: false,
                interfaces: vec![Interface {
                    vlan: None,
                    addresses: vec![net("169.254.50.218/30")],
                    sessions: vec![session(
                        "169.254.50.218",
                        "169.254.50.217",
                        64901,
                        Some("vif-key"),
                    )],
                }],
            },
        ],
    }
}
