//! Per-tunnel status calls: what was negotiated, and maintenance (aws.md §2.2).

use super::fault::Fault;
use super::{Ctx, connection, options, print};
use crate::aws::objects::{Life, TunnelOptions};
use crate::aws::xml::Xml;
use crate::net;
use crate::net::view::IpsecPolicy;
use std::net::Ipv4Addr;

/// The policy of the Azure connection whose far end is this tunnel, as far as there is one.
fn far_policy(ctx: &Ctx<'_>, outside: Ipv4Addr) -> Option<IpsecPolicy> {
    crate::arm::view(ctx.state)
        .ipsec_connections
        .into_iter()
        .find(|c| c.remote == outside)
        .and_then(|c| c.policy)
}

/// Azure's name of an algorithm in AWS's spelling (azure.md §4.4, aws.md §2.3).
fn encryption(azure: &str) -> &str {
    match azure {
        "AES128" => "AES128",
        "GCMAES128" => "AES128-GCM-16",
        "GCMAES256" => "AES256-GCM-16",
        _ => "AES256",
    }
}
fn integrity(azure: &str) -> &str {
    match azure {
        "SHA1" => "SHA1",
        "SHA384" => "SHA2-384",
        _ => "SHA2-256",
    }
}
fn group(azure: &str) -> u32 {
    match azure {
        "DHGroup2" | "PFS2" => 2,
        "DHGroup24" | "PFS24" => 24,
        "ECP256" => 19,
        "ECP384" => 20,
        _ => 14,
    }
}

/// The far end's choice when it is allowed here, else the strongest of what is.
fn pick<'a>(allowed: &'a [String], wanted: &str, order: &[&str]) -> Option<&'a String> {
    allowed.iter().find(|a| *a == wanted).or_else(|| {
        order
            .iter()
            .rev()
            .find_map(|o| allowed.iter().find(|a| a == o))
    })
}
fn pick_group(allowed: &[u32], wanted: u32) -> Option<u32> {
    allowed
        .iter()
        .copied()
        .find(|g| *g == wanted)
        .or_else(|| allowed.iter().copied().max())
}

pub fn active_status(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let id = ctx.need("VpnConnectionId")?;
    let address = ctx.need("VpnTunnelOutsideIpAddress")?;
    let vpn = connection::find(ctx, &id)?;
    let t = connection::tunnel(&vpn, &address)?;
    let up = net::tunnel(ctx.state, &id, t.outside).is_some_and(|s| s.ipsec_up);
    let far = far_policy(ctx, t.outside);
    let o: &TunnelOptions = &t.options;
    let ready = vpn.state == Life::Available && !t.interrupted;
    let mut x = Xml::new();
    x.node("activeVpnTunnelStatus", |x| {
        if up {
            let (e1, i1, g1, e2, i2, g2) = match &far {
                Some(p) => (
                    encryption(&p.ike_encryption),
                    integrity(&p.ike_integrity),
                    group(&p.dh_group),
                    encryption(&p.ipsec_encryption),
                    integrity(&p.ipsec_integrity),
                    group(&p.pfs_group),
                ),
                None => ("AES256", "SHA2-256", 2, "AES256", "SHA2-256", 2),
            };
            let (enc, int) = (&options::ENCRYPTION[..2], &options::INTEGRITY[..]);
            x.maybe(
                "phase1EncryptionAlgorithm",
                pick(&o.phase1_encryption, e1, enc),
            )
            .maybe(
                "phase2EncryptionAlgorithm",
                pick(&o.phase2_encryption, e2, enc),
            )
            .maybe(
                "phase1IntegrityAlgorithm",
                pick(&o.phase1_integrity, i1, int),
            )
            .maybe(
                "phase2IntegrityAlgorithm",
                pick(&o.phase2_integrity, i2, int),
            )
            .maybe("phase1DHGroup", pick_group(&o.phase1_dh, g1))
            .maybe("phase2DHGroup", pick_group(&o.phase2_dh, g2))
            .maybe("ikeVersion", pick(&o.ike_versions, "ikev2", &options::IKE));
        }
        if ready {
            x.leaf("provisioningStatus", "available");
        } else {
            x.leaf("provisioningStatus", "pending").leaf(
                "provisioningStatusReason",
                "The tunnel endpoint is being provisioned",
            );
        }
    });
    Ok(x)
}

pub fn replacement_status(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let id = ctx.need("VpnConnectionId")?;
    let address = ctx.need("VpnTunnelOutsideIpAddress")?;
    let vpn = connection::find(ctx, &id)?;
    let t = connection::tunnel(&vpn, &address)?;
    let mut x = Xml::new();
    x.leaf("vpnConnectionId", &vpn.id)
        .leaf("customerGatewayId", &vpn.cgw)
        .leaf("vpnGatewayId", &vpn.vgw)
        .leaf("vpnTunnelOutsideIpAddress", t.outside)
        .node("maintenanceDetails", |x| {
            x.leaf("pendingMaintenance", "NONE").maybe(
                "lastMaintenanceApplied",
                t.last_maintenance.map(print::seconds),
            );
        });
    Ok(x)
}
