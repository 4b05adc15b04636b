//! The graph of a `HybridInterconnect`: what is unique per virtual network or VPC.

use super::{finish, imported, slot};
use crate::desired::Desired;
use crate::slot::{Graph, Level, LockKey, SlotId};
use crate::spec::{Interconnect, Source};

/// Builds it. `recorded` names the slots that status still has.
pub fn graph(spec: &Interconnect, recorded: &[SlotId]) -> Graph {
    let mut g = Graph::default();
    for r in &spec.routers {
        let id = format!("router-{}", r.name);
        g.add(match &r.source {
            Source::Managed(m) => slot(
                id,
                Desired::Router {
                    name: m.display_name.clone(),
                    location_id: m.location_id,
                    port_speed_mbps: m.port_speed_mbps,
                    asn: m.asn,
                    term_months: m.term_months,
                    diversity_zone: m.diversity_zone.clone(),
                    cost_centre: m.cost_centre.clone(),
                },
            ),
            Source::Referenced { id: object, .. } => imported(id, object.clone()),
        });
    }
    match &spec.er_gateway {
        Some(Source::Managed(m)) => {
            let subnet_id = format!("{}/subnets/GatewaySubnet", spec.vnet_id);
            g.add(imported("gateway-subnet", Some(subnet_id.clone())));
            g.add(
                slot(
                    "er-gateway",
                    Desired::ErGateway {
                        name: m.name.clone(),
                        sku: m.sku.clone(),
                        subnet_id,
                    },
                )
                .needs("gateway-subnet", Level::Exists)
                .lock(LockKey::vnet(&spec.vnet_id)),
            );
        }
        Some(Source::Referenced { id, .. }) => g.add(imported("er-gateway", id.clone())),
        None => {}
    }
    if let Some(vgw) = &spec.vgw {
        match vgw {
            Source::Managed(m) => {
                g.add(imported("vpc", Some(spec.vpc_id.clone())));
                g.add(slot(
                    "vgw",
                    Desired::VirtualPrivateGateway {
                        name: m.name.clone(),
                        amazon_asn: m.amazon_asn,
                        vpc_id: spec.vpc_id.clone(),
                    },
                ));
                g.add(
                    slot(
                        "vgw-attachment",
                        Desired::VgwAttachment {
                            vpc_id: spec.vpc_id.clone(),
                        },
                    )
                    .needs("vgw", Level::Ready)
                    .needs("vpc", Level::Exists),
                );
                for table in &m.route_tables {
                    g.add(
                        slot(
                            format!("propagation-{table}"),
                            Desired::RoutePropagation {
                                route_table_id: table.clone(),
                            },
                        )
                        .needs("vgw-attachment", Level::Ready)
                        .needs("vgw", Level::Exists),
                    );
                }
            }
            Source::Referenced { id, .. } => g.add(imported("vgw", id.clone())),
        }
    }
    match &spec.dxgw {
        Some(Source::Managed(m)) => {
            g.add(slot(
                "dxgw",
                Desired::DirectConnectGateway {
                    name: m.name.clone(),
                    amazon_asn: m.amazon_asn,
                },
            ));
            if let Some(vgw) = &spec.vgw {
                let settled = if matches!(vgw, Source::Managed(_)) {
                    "vgw-attachment"
                } else {
                    "vgw"
                };
                g.add(
                    slot(
                        "dxgw-association",
                        Desired::DxgwAssociation {
                            allowed_prefixes: m.allowed_prefixes.clone(),
                        },
                    )
                    .needs("dxgw", Level::Ready)
                    .needs("vgw", Level::Ready)
                    .needs(settled, Level::Ready),
                );
            }
        }
        Some(Source::Referenced { id, .. }) => g.add(imported("dxgw", id.clone())),
        None => {}
    }
    for d in &spec.dependents {
        for s in &d.slots {
            g.add(imported(format!("{}/{s}", d.name), None));
        }
    }
    finish(&mut g, recorded);
    // A router is only held by VXCs that end on it.
    for r in &spec.routers {
        if let Some(s) = g.slots.get_mut(format!("router-{}", r.name).as_str()) {
            s.gone_first.retain(|id| {
                let owner = id.as_str().split_once('/').map(|(o, _)| o);
                spec.dependents
                    .iter()
                    .any(|d| Some(d.name.as_str()) == owner && d.routers.contains(&r.name))
            });
        }
    }
    g
}
