//! The network's part of the world file: delays, limits, and what only the underlay knows. It holds no routes of its
//! own beyond [`ExtraRoute`]; every table is computed.

use super::table::Origin;
use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// A route that a speaker originates although no object of the clouds explains it: a network behind a customer router
/// that this simulation does not model, or a more specific prefix that somebody announces on one path only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtraRoute {
    /// Name of the speaker (as `GET /nodes` lists it), the provider's ID of the gateway or router behind it, or a kind
    /// of speaker (`mcr`, `vgw`, …): then every one of that kind. IDs are known only once the objects exist.
    pub speaker: String,
    pub prefix: Ipv4Net,
    /// AS path behind the speaker, nearest first; its own ASN is added on export.
    #[serde(default)]
    pub as_path: Vec<u32>,
    #[serde(default = "igp")]
    pub origin: Origin,
    /// Only towards sessions of this kind (`peering`, `vif`, `tunnel`, `erGateway`); absent means all.
    #[serde(default)]
    pub towards: Option<super::topology::SessionKind>,
}

fn igp() -> Origin {
    Origin::Igp
}

/// Times are simulated seconds. `Default` is the lab (lab.md): a shut BGP session takes about 2 s to change AWS's
/// forwarding and about 14 s to change Azure's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NetWorld {
    /// From a change in a gateway's best routes to the virtual network's fabric forwarding by it.
    pub fabric_programming_seconds: f64,
    /// From a change in a VGW's best routes to the VPC forwarding by it.
    pub vgw_programming_seconds: f64,
    /// An UPDATE, a withdrawal or a NOTIFICATION over an eBGP session between two owners.
    pub update_seconds: f64,
    /// The same between an MSEE and an ExpressRoute gateway instance.
    pub express_route_update_seconds: f64,
    /// The same between gateways of one virtual network (iBGP).
    pub mesh_update_seconds: f64,
    /// The same between a Direct Connect gateway and a VGW.
    pub association_update_seconds: f64,
    /// From the moment that both ends could talk to an established BGP session.
    pub bgp_connect_seconds: f64,
    /// From the moment that both ends could negotiate to an established IPsec tunnel.
    pub tunnel_connect_seconds: f64,
    /// How long a session that broke a prefix limit stays down before it is tried again.
    pub limit_retry_seconds: f64,
    /// BFD's detection time: 300 ms times 3 on all three sides (megaport.md §3.3, azure.md, aws.md).
    pub bfd_seconds: f64,
    /// Hold timers that the sides offer; the smaller one of a session counts, a third of it is the keepalive.
    pub azure_hold_seconds: f64,
    pub mcr_hold_seconds: f64,
    pub dx_hold_seconds: f64,
    pub aws_vpn_hold_seconds: f64,
    /// Prefixes that Azure takes on private peering and on a VPN session; more drop the session (azure.md §2.4, §3.3).
    pub azure_prefix_limit: u32,
    /// The same for a circuit of the Premium tier.
    pub azure_premium_prefix_limit: u32,
    /// Prefixes that AWS takes from the customer per VIF or VPN (aws.md §2.7).
    pub aws_prefix_limit: u32,
    /// First host offset in GatewaySubnet that an MSEE gets; the lab has .4 and .5.
    pub msee_offset: u32,
    /// Which instance's view an ExpressRoute gateway's API shows (lab.md: the second, .13).
    pub er_view_instance: usize,
    /// Next hop that effective routes show for the first ExpressRoute port; further ports count on from here.
    pub er_underlay: Ipv4Addr,
    /// Addresses that answer inside AWS before a VGW, one per parallel path; Direct Connect shows the first.
    pub aws_underlay_hops: Vec<Ipv4Addr>,
    /// Network virtual appliances that forward all packets; any other one drops them (lab.md, bonus exercise).
    pub forwarding_appliances: Vec<Ipv4Addr>,
    /// Appliances that forward packets but for BGP between the gateways.
    pub filtering_appliances: Vec<Ipv4Addr>,
    pub extra_routes: Vec<ExtraRoute>,
}

impl Default for NetWorld {
    fn default() -> Self {
        Self {
            fabric_programming_seconds: 12.0,
            vgw_programming_seconds: 1.7,
            update_seconds: 0.1,
            express_route_update_seconds: 1.8,
            mesh_update_seconds: 0.2,
            association_update_seconds: 0.3,
            bgp_connect_seconds: 4.0,
            tunnel_connect_seconds: 6.0,
            limit_retry_seconds: 300.0,
            bfd_seconds: 0.9,
            azure_hold_seconds: 180.0,
            mcr_hold_seconds: 180.0,
            dx_hold_seconds: 90.0,
            aws_vpn_hold_seconds: 30.0,
            azure_prefix_limit: 4000,
            azure_premium_prefix_limit: 10_000,
            aws_prefix_limit: 100,
            msee_offset: 4,
            er_view_instance: 1,
            er_underlay: Ipv4Addr::new(10, 3, 129, 92),
            aws_underlay_hops: vec![
                Ipv4Addr::new(169, 254, 255, 49),
                Ipv4Addr::new(169, 254, 255, 53),
            ],
            forwarding_appliances: Vec::new(),
            filtering_appliances: Vec::new(),
            extra_routes: Vec::new(),
        }
    }
}
