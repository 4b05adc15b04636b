//! The graph of a `VpnPair`: i is the gateway instance (0, 1), j the tunnel (1, 2).

use super::{finish, imported, slot};
use crate::desired::{Desired, TunnelSpec};
use crate::slot::{Graph, Level, LockKey, Output, SlotId};
use crate::spec::{Source, Vpn, first_host, second_host};
use std::net::Ipv4Addr;

/// Azure's APIPA addresses per instance, as the gateway gets them: tunnel 1's only (the lab), or those of both tunnels.
/// In each /30 AWS takes the first host and Azure the second (aws.md §4).
pub fn apipa(spec: &Vpn) -> Vec<Vec<Ipv4Addr>> {
    (0..2u8)
        .map(|i| {
            let mut tunnels: Vec<_> = spec
                .tunnels
                .iter()
                .filter(|t| t.instance == i && t.tunnel <= spec.bgp_tunnels_per_instance)
                .collect();
            tunnels.sort_by_key(|t| t.tunnel);
            tunnels.iter().map(|t| second_host(t.inside)).collect()
        })
        .collect()
}

/// Builds it. `recorded` names the slots that status still has.
pub fn graph(spec: &Vpn, recorded: &[SlotId]) -> Graph {
    let mut g = Graph::default();
    let p = &spec.names.prefix;
    let gateway_lock = LockKey::gateway(&spec.gateway_id);
    g.add(imported(
        "vgw",
        if let Source::Referenced { id, .. } = &spec.vgw {
            id.clone()
        } else {
            None
        },
    ));
    let keys = spec.generated_keys.is_some();
    if let Some(k) = &spec.generated_keys {
        g.add(slot(
            "keys",
            Desired::KeysSecret {
                name: k.secret.clone(),
                keys: k.keys.clone(),
            },
        ));
    }
    let azure_asn = match &spec.gateway {
        Source::Managed(m) => {
            g.add(imported(
                "gateway-subnet",
                Some(spec.gateway_subnet_id.clone()),
            ));
            let mut gateway = slot(
                "vpn-gateway",
                Desired::VpnGateway {
                    name: m.name.clone(),
                    sku: m.sku.clone(),
                    generation: m.generation.clone(),
                    asn: m.asn,
                    subnet_id: spec.gateway_subnet_id.clone(),
                    apipa: apipa(spec),
                },
            )
            .needs("gateway-subnet", Level::Exists)
            .lock(LockKey::vnet(&spec.vnet_id))
            .lock(gateway_lock.clone());
            for i in 0..2 {
                let id = format!("pip-{i}");
                g.add(slot(
                    id.clone(),
                    Desired::PublicIp {
                        name: format!("{}-pip-{i}", m.name),
                        zones: m.zones.clone(),
                    },
                ));
                gateway = gateway.needs(&id, Level::Ready);
            }
            g.add(gateway);
            m.asn
        }
        Source::Referenced { id, .. } => {
            g.add(imported("vpn-gateway", id.clone()));
            for i in 0..2 {
                // The public addresses of a referenced gateway are read from it.
                g.add(imported(format!("pip-{i}"), None));
            }
            65515
        }
    };
    for i in 0..2u8 {
        let pip = format!("pip-{i}");
        let cgw = format!("cgw-{i}");
        let connection = format!("vpn-connection-{i}");
        g.add(
            slot(
                cgw.clone(),
                Desired::CustomerGateway {
                    name: format!("{p}-{cgw}"),
                    asn: azure_asn,
                    address: None,
                },
            )
            .needs(&pip, Level::Output(Output::IpAddress)),
        );
        let tunnels: Vec<_> = spec.tunnels.iter().filter(|t| t.instance == i).collect();
        let mut c = slot(
            connection.clone(),
            Desired::VpnConnection {
                name: format!("{p}-{connection}"),
                tunnels: tunnels
                    .iter()
                    .map(|t| TunnelSpec {
                        inside: t.inside,
                        pre_shared_key: t.pre_shared_key.clone(),
                    })
                    .collect(),
                ipsec: spec.ipsec.clone(),
                dpd_seconds: spec.dpd_seconds,
            },
        )
        .needs(&cgw, Level::Ready)
        .needs("vgw", Level::Ready);
        if keys {
            c = c.needs("keys", Level::Ready);
        }
        g.add(c);
        for t in tunnels {
            let j = t.tunnel;
            let lng = format!("lng-{i}-{j}");
            g.add(
                slot(
                    lng.clone(),
                    Desired::LocalNetworkGateway {
                        name: format!("{p}-{lng}"),
                        asn: spec.vgw_asn,
                        bgp_address: first_host(t.inside),
                        inside: t.inside,
                        gateway: None,
                    },
                )
                .needs(&connection, Level::Output(Output::OutsideAddress)),
            );
            // With one APIPA address per instance connections name none: Azure takes the first (azure.md §4.2).
            let custom_bgp = if spec.bgp_tunnels_per_instance == 2 {
                (0..2u8)
                    .filter_map(|other| {
                        spec.tunnels
                            .iter()
                            .find(|x| x.instance == other && x.tunnel == j)
                    })
                    .map(|x| second_host(x.inside))
                    .collect()
            } else {
                Vec::new()
            };
            let mut s = slot(
                format!("ipsec-{i}-{j}"),
                Desired::IpsecConnection {
                    name: format!("{p}-ipsec-{i}-{j}"),
                    shared_key: t.pre_shared_key.clone(),
                    custom_bgp,
                    ipsec: spec.ipsec.clone(),
                    dpd_seconds: spec.dpd_seconds,
                },
            )
            .needs("vpn-gateway", Level::Ready)
            .needs(&lng, Level::Ready)
            .lock(gateway_lock.clone());
            if keys {
                s = s.needs("keys", Level::Ready);
            }
            g.add(s);
        }
    }
    finish(&mut g, recorded);
    g
}
