//! The graph of a `DirectConnectLink`.

use super::{finish, imported, slot};
use crate::desired::{Desired, McrSession};
use crate::slot::{Birth, Graph, Level, LockKey, Output, Recognition, SlotId};
use crate::spec::{DirectConnect, Source};

/// Builds it. `recorded` names the slots that status still has.
pub fn graph(spec: &DirectConnect, recorded: &[SlotId]) -> Graph {
    let mut g = Graph::default();
    g.add(imported("router", spec.router_uid.clone()));
    let gateway_asn = spec.gateway_asn.or(match &spec.gateway {
        Source::Managed(m) => Some(m.amazon_asn),
        Source::Referenced { .. } => None,
    });
    let session = McrSession {
        local: spec.customer_address.addr(),
        peer: spec.amazon_address.addr(),
        prefix_len: spec.customer_address.prefix_len(),
        peer_asn: gateway_asn.unwrap_or_default(),
        password: Some(spec.auth_key.clone()),
        bfd: spec.bgp.bfd,
        shutdown: spec.bgp.shutdown,
        prepend: spec.bgp.prepend,
        med_out: spec.bgp.med_out,
        deny_export_to: Vec::new(),
    };
    let mut vxc = slot(
        "vxc-aws",
        Desired::VxcAws {
            name: spec.vxc_name.clone(),
            router: spec.router_uid.clone(),
            hosted_connection: spec.hosted_connection,
            rate_limit_mbps: spec.bandwidth_mbps,
            term_months: spec.term_months,
            vif_name: spec.vif_name.clone(),
            amazon_asn: gateway_asn,
            amazon_address: spec.amazon_address,
            customer_address: spec.customer_address,
            auth_key: spec.auth_key.clone(),
            session,
        },
    )
    .needs("router", Level::Ready);
    if let Some(uid) = &spec.router_uid {
        vxc = vxc.lock(LockKey::mcr(uid));
    }
    match &spec.gateway {
        Source::Managed(m) => {
            g.add(slot(
                "dxgw",
                Desired::DirectConnectGateway {
                    name: m.name.clone(),
                    amazon_asn: m.amazon_asn,
                },
            ));
            if let Some(vgw) = &spec.association_vgw {
                let id = if let Source::Referenced { id, .. } = vgw {
                    id.clone()
                } else {
                    None
                };
                g.add(imported("vgw", id));
                g.add(
                    slot(
                        "dxgw-association",
                        Desired::DxgwAssociation {
                            allowed_prefixes: m.allowed_prefixes.clone(),
                        },
                    )
                    .needs("dxgw", Level::Ready)
                    .needs("vgw", Level::Ready),
                );
            }
        }
        Source::Referenced { id, .. } => {
            // Else it was made by this link before its interconnect began to take it over, is still its own, and goes with it.
            if !recorded.iter().any(|r| r.as_str() == "dxgw") {
                g.add(imported("dxgw", id.clone()));
            }
            if gateway_asn.is_none() {
                // The order names the gateway's ASN, so it must be readable first.
                vxc = vxc.needs("dxgw", Level::Exists);
            }
        }
    }
    if let Some(keys) = &spec.generated_keys {
        g.add(slot(
            "keys",
            Desired::KeysSecret {
                name: keys.secret.clone(),
                keys: keys.keys.clone(),
            },
        ));
        vxc = vxc.needs("keys", Level::Ready);
    }
    g.add(vxc);
    let mut vif = slot(
        "vif",
        Desired::Vif {
            name: spec.vif_name.clone(),
            mtu: spec.mtu,
            amazon_address: spec.amazon_address,
            customer_address: spec.customer_address,
            auth_key: spec.auth_key.clone(),
        },
    )
    .needs("dxgw", Level::Ready);
    let emerges = Birth::Emerges {
        from: "vxc-aws".into(),
    };
    if spec.hosted_connection {
        // What Megaport makes is the connection; the virtual interface on it is ours to make (aws.md §1.3).
        let mut connection = slot(
            "connection",
            Desired::HostedConnection {
                name: spec.vif_name.clone(),
            },
        )
        .needs("vxc-aws", Level::Output(Output::ConnectionId));
        connection.birth = emerges;
        connection.leaves_with = Some("vxc-aws".into());
        g.add(connection);
        vif.recognition = Recognition::Tag;
        vif = vif.needs("connection", Level::Ready);
        if spec.generated_keys.is_some() {
            vif = vif.needs("keys", Level::Ready);
        }
    } else {
        vif.birth = emerges;
        vif = vif.needs("vxc-aws", Level::Output(Output::VifId));
    }
    g.add(vif);
    finish(&mut g, recorded);
    g
}
