//! The graph of an `ExpressRouteLink`.

use super::{finish, imported, slot};
use crate::desired::{Desired, McrSession};
use crate::slot::{Graph, Level, LockKey, Output, RefreshRule, SlotId};
use crate::spec::{ExpressRoute, PeeringPort, Port, Source, first_host, second_host};
use std::net::Ipv4Addr;

/// Microsoft's edge, on every circuit (azure.md §2.4).
pub const MSEE_ASN: u32 = 12076;

/// Microsoft's address on a port's link.
fn msee(spec: &ExpressRoute, port: PeeringPort) -> Ipv4Addr {
    second_host(match port {
        PeeringPort::Primary => spec.peering.primary,
        PeeringPort::Secondary => spec.peering.secondary,
    })
}

fn session(spec: &ExpressRoute, port: &Port) -> McrSession {
    let net = match port.port {
        PeeringPort::Primary => spec.peering.primary,
        PeeringPort::Secondary => spec.peering.secondary,
    };
    // Microsoft's edge does not drop 12076 from another port: without this filter the ports on one router, of one circuit
    // or of several, re-announce each other's routes (lab.md, design §3).
    let others = spec
        .ports
        .iter()
        .filter(|o| o.port != port.port && o.shares_router(port))
        .map(|o| msee(spec, o.port));
    let mut deny_export_to: Vec<Ipv4Addr> = if port.export_filter {
        others.chain(port.other_edges.iter().copied()).collect()
    } else {
        Vec::new()
    };
    deny_export_to.sort_unstable();
    deny_export_to.dedup();
    McrSession {
        local: first_host(net),
        peer: second_host(net),
        prefix_len: net.prefix_len(),
        peer_asn: MSEE_ASN,
        password: spec.peering.auth_key.clone(),
        bfd: port.bgp.bfd,
        shutdown: port.bgp.shutdown,
        prepend: port.bgp.prepend,
        med_out: port.bgp.med_out,
        deny_export_to,
    }
}

/// Builds it. `recorded` names the slots that status still has.
pub fn graph(spec: &ExpressRoute, recorded: &[SlotId]) -> Graph {
    let mut g = Graph::default();
    let circuit_lock = LockKey::circuit(&spec.circuit_id);
    let vxcs: Vec<String> = spec
        .ports
        .iter()
        .map(|p| format!("vxc-{}", p.port.lower()))
        .collect();
    match &spec.circuit {
        Source::Managed(c) => {
            let mut s = slot(
                "circuit",
                Desired::Circuit {
                    name: c.name.clone(),
                    service_provider: c.service_provider.clone(),
                    peering_location: c.peering_location.clone(),
                    bandwidth_mbps: c.bandwidth_mbps,
                    tier: c.tier.clone(),
                    family: c.family.clone(),
                },
            )
            .lock(circuit_lock.clone());
            s.refresh = Some(RefreshRule {
                after: vxcs.iter().map(|v| SlotId::new(v.clone())).collect(),
                output: Output::ProviderProvisioned,
            });
            g.add(s);
        }
        Source::Referenced { id, .. } => g.add(imported("circuit", id.clone())),
    }
    for port in &spec.ports {
        let router = format!("router-{}", port.port.lower());
        g.add(imported(router.clone(), port.router_uid.clone()));
        let mut s = slot(
            format!("vxc-{}", port.port.lower()),
            Desired::VxcAzure {
                name: port.name.clone(),
                router: port.router_uid.clone(),
                port: port.port,
                rate_limit_mbps: port.rate_limit_mbps,
                term_months: port.term_months,
                vlan: spec.peering.vlan,
                session: session(spec, port),
            },
        )
        .needs(&router, Level::Ready)
        .needs("circuit", Level::Output(Output::ServiceKey));
        if let Some(uid) = &port.router_uid {
            s = s.lock(LockKey::mcr(uid));
        }
        g.add(s);
    }
    let managed_peering = matches!(spec.circuit, Source::Managed(_));
    if managed_peering {
        let asn = spec.ports.first().map_or(0, |p| p.router_asn);
        g.add(
            slot(
                "peering",
                Desired::Peering {
                    peer_asn: asn,
                    primary: spec.peering.primary,
                    secondary: spec.peering.secondary,
                    vlan: spec.peering.vlan,
                    shared_key: spec.peering.auth_key.clone(),
                },
            )
            .needs("circuit", Level::Output(Output::ProviderProvisioned))
            .needs("circuit", Level::Ready)
            .lock(circuit_lock.clone()),
        );
    }
    match &spec.gateway {
        Source::Managed(m) => {
            g.add(imported(
                "gateway-subnet",
                Some(spec.gateway_subnet_id.clone()),
            ));
            g.add(
                slot(
                    "er-gateway",
                    Desired::ErGateway {
                        name: m.name.clone(),
                        sku: m.sku.clone(),
                        subnet_id: spec.gateway_subnet_id.clone(),
                    },
                )
                .needs("gateway-subnet", Level::Exists)
                .lock(LockKey::vnet(&spec.vnet_id)),
            );
        }
        // Made by this link before its interconnect began to take it over, and still its own: it goes with the link.
        Source::Referenced { .. } if recorded.iter().any(|r| r.as_str() == "er-gateway") => {}
        Source::Referenced { id, .. } => g.add(imported("er-gateway", id.clone())),
    }
    let mut connection = slot(
        "er-connection",
        Desired::ErConnection {
            name: spec.connection.name.clone(),
            routing_weight: spec.connection.routing_weight,
            authorization_key: spec.connection.authorization_key.clone(),
        },
    )
    .needs("er-gateway", Level::Ready)
    .lock(circuit_lock);
    connection = if managed_peering {
        connection.needs("peering", Level::Ready)
    } else {
        connection.needs("circuit", Level::Output(Output::ProviderProvisioned))
    };
    if let Some(gateway) = &spec.gateway_id {
        connection = connection.lock(LockKey::gateway(gateway));
    }
    g.add(connection);
    finish(&mut g, recorded);
    g
}
