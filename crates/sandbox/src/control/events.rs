//! Happenings on the providers' side that no customer asked for.

use super::Refusal;
use crate::arm;
use crate::aws::{ec2, partner};
use crate::megaport;
use crate::net::control as net;
use crate::sandbox::Sandbox;
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// `POST /events`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", deny_unknown_fields)]
pub enum Happening {
    /// A hosted virtual interface disappears from the customer's account, as when the partner takes it back.
    VifVanishes {
        /// `dxvif-…`
        vif: String,
    },
    /// AWS replaces the endpoint of one tunnel of a VPN connection; the tunnel is down meanwhile.
    #[serde(rename_all = "camelCase")]
    TunnelReplacement {
        /// `vpn-…`, which must be available.
        vpn_connection: String,
        /// The tunnel's outside address; absent means the first one.
        outside: Option<Ipv4Addr>,
    },
    /// Megaport's AWS ports get new UIDs; the old ones vanish from the list.
    PortRotation {},
    /// Azure moves an existing VPN gateway to the zone-redundant SKU of the same size by itself.
    SkuMigration {
        /// The gateway's resource ID.
        gateway: String,
    },
    /// A speaker under maintenance prepends its own AS, so that traffic moves away before it is taken down; `prepend`
    /// 0 ends it.
    Maintenance {
        /// As `GET /nodes` names it.
        node: String,
        /// How many times more it prepends, 0 to 10.
        prepend: u8,
    },
}

impl Sandbox {
    /// Makes something happen; answers what it did.
    pub fn happen(&self, happening: &Happening) -> Result<Value, Refusal> {
        self.change(|s| match happening {
            Happening::VifVanishes { vif } => {
                if !partner::vif_exists(s, vif) {
                    return Err(Refusal::NotFound(format!(
                        "there is no virtual interface {vif}; GET /live lists them"
                    )));
                }
                partner::release_vif(s, vif);
                Ok(json!({"vif": vif}))
            }
            Happening::TunnelReplacement {
                vpn_connection,
                outside,
            } => {
                let first = ec2::outside_addresses(s, vpn_connection).first().copied();
                let address = outside.or(first);
                match address.filter(|a| ec2::replace_tunnel(s, vpn_connection, *a)) {
                    Some(a) => Ok(json!({"vpnConnection": vpn_connection, "outside": a})),
                    None => Err(Refusal::NotFound(format!(
                        "there is no available VPN connection {vpn_connection} with such a tunnel; GET /live lists them"
                    ))),
                }
            }
            Happening::PortRotation {} => {
                megaport::rotate_ports(s);
                Ok(json!({"rotated": s.megaport.rotated}))
            }
            Happening::SkuMigration { gateway } => match arm::migrate_sku(s, gateway) {
                Some(sku) => Ok(json!({"gateway": gateway, "sku": sku})),
                None => Err(Refusal::NotFound(format!(
                    "there is no VPN gateway {gateway} with a SKU of VpnGw1 to VpnGw5; GET /live lists gateways"
                ))),
            },
            Happening::Maintenance { node, prepend } => {
                if *prepend > 10 {
                    return Err(Refusal::Bad(format!("prepend {prepend} must be 0 to 10")));
                }
                net::prepend(s, node, *prepend)?;
                Ok(json!({"node": node, "prepend": prepend}))
            }
        })
    }
}
