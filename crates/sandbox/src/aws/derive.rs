//! What the network simulation sees of AWS: only what is settled enough to carry packets.

use super::Lagged;
use super::objects::{AssociationState, Life, VifState};
use crate::net::view::{
    AwsView, Dxgw, DxgwAssociation, RouteTable, Vgw, Vif, Vpc, VpnConnection, VpnTunnel,
};
use crate::state::State;
use std::net::Ipv4Addr;

pub fn view(state: &State) -> AwsView {
    let aws = &state.aws;
    let mut view = AwsView {
        vpcs: aws.vpcs.values().map(|v| vpc(v.get())).collect(),
        vgws: aws
            .vgws
            .values()
            .map(Lagged::get)
            .filter(|v| v.state == Life::Available)
            .map(|v| Vgw {
                id: v.id.clone(),
                asn: v.asn,
                vpc: v.attached_to().map(str::to_owned),
            })
            .collect(),
        dxgws: aws
            .dxgws
            .values()
            .map(Lagged::get)
            .filter(|g| g.state == Life::Available)
            .map(|g| Dxgw {
                id: g.id.clone(),
                asn: g.asn,
            })
            .collect(),
        associations: aws
            .associations
            .values()
            .map(Lagged::get)
            // Withdrawal happens when disassociation starts (aws.md §1.6).
            .filter(|a| {
                matches!(
                    a.state,
                    AssociationState::Associated | AssociationState::Updating
                )
            })
            .map(|a| DxgwAssociation {
                dxgw: a.dxgw.clone(),
                vgw: a.vgw.clone(),
                allowed_prefixes: a.prefixes.clone(),
            })
            .collect(),
        vifs: Vec::new(),
        vpn_connections: vpn_connections(state),
    };
    for v in aws.vifs.values().map(Lagged::get) {
        if !matches!(v.state, VifState::Provisioned | VifState::Testing) {
            continue;
        }
        let mut gateway = v.dxgw.clone();
        if let Some(vgw) = &v.vgw {
            // A VIF straight on a VGW is the case of a gateway with the VGW's ASN that announces the whole VPC.
            let id = format!("direct:{vgw}");
            if let Some(g) = aws.vgws.get(vgw).map(Lagged::get)
                && view.dxgws.iter().all(|d| d.id != id)
            {
                view.dxgws.push(Dxgw {
                    id: id.clone(),
                    asn: g.asn,
                });
                view.associations.push(DxgwAssociation {
                    dxgw: id.clone(),
                    vgw: vgw.clone(),
                    allowed_prefixes: g
                        .attached_to()
                        .and_then(|p| aws.vpcs.get(p))
                        .map(|p| p.get().world.cidrs.clone())
                        .unwrap_or_default(),
                });
            }
            gateway = Some(id);
        }
        view.vifs.push(Vif {
            id: v.id.clone(),
            vlan: v.vlan,
            asn: v.asn,
            amazon_address: v.amazon_address,
            customer_address: v.customer_address,
            auth_key: Some(v.auth_key.clone()).filter(|k| !k.is_empty()),
            dxgw: gateway,
            testing: v.state == VifState::Testing,
        });
    }
    view
}

fn vpc(v: &super::objects::Vpc) -> Vpc {
    let w = &v.world;
    let explicit: Vec<&String> = w.route_tables.iter().flat_map(|t| &t.subnets).collect();
    Vpc {
        id: w.id.clone(),
        cidrs: w.cidrs.clone(),
        instances: w.instances.iter().map(|i| i.address).collect(),
        route_tables: w
            .route_tables
            .iter()
            .map(|t| RouteTable {
                id: t.id.clone(),
                // The main table has the subnets that have no other (aws.md §2.7).
                subnets: w
                    .subnets
                    .iter()
                    .filter(|s| t.subnets.contains(&s.id) || (t.main && !explicit.contains(&&s.id)))
                    .map(|s| s.cidr)
                    .collect(),
                propagating: v
                    .propagating
                    .get(&t.id)
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect(),
                static_routes: t
                    .routes
                    .iter()
                    .map(|r| (r.destination, r.target.clone()))
                    .collect(),
            })
            .collect(),
    }
}

fn vpn_connections(state: &State) -> Vec<VpnConnection> {
    let aws = &state.aws;
    aws.vpns
        .values()
        .map(Lagged::get)
        .filter(|v| matches!(v.state, Life::Available | Life::Modifying))
        .map(|v| {
            let cgw = aws.cgws.get(&v.cgw).map(Lagged::get);
            VpnConnection {
                id: v.id.clone(),
                vgw: v.vgw.clone(),
                customer_gateway_address: cgw.and_then(|c| c.ip).unwrap_or(Ipv4Addr::UNSPECIFIED),
                customer_asn: cgw.map_or(65000, |c| c.asn),
                static_routes_only: v.static_routes_only,
                tunnels: v
                    .tunnels
                    .iter()
                    .filter(|t| !t.interrupted)
                    .map(|t| VpnTunnel {
                        outside: t.outside,
                        inside: t.options.inside,
                        pre_shared_key: t.options.pre_shared_key.clone(),
                        startup_action: t.options.startup_action.clone(),
                        ike_versions: t.options.ike_versions.clone(),
                        phase1_encryption: t.options.phase1_encryption.clone(),
                        phase1_integrity: t.options.phase1_integrity.clone(),
                        phase1_dh_groups: t.options.phase1_dh.clone(),
                        phase2_encryption: t.options.phase2_encryption.clone(),
                        phase2_integrity: t.options.phase2_integrity.clone(),
                        phase2_dh_groups: t.options.phase2_dh.clone(),
                        phase1_lifetime: t.options.phase1_lifetime,
                        phase2_lifetime: t.options.phase2_lifetime,
                        dpd_seconds: t.options.dpd_timeout,
                    })
                    .collect(),
            }
        })
        .collect()
}
