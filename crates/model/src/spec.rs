//! The model's own picture of a spec, after validation: what the rules forbid can not be said in these types.
//! Conversion from the custom resources lives in the operator, next to where references are resolved.

use crate::desired::SecretHandle;
use ipnet::Ipv4Net;
use serde::Serialize;
use std::net::Ipv4Addr;

/// A port of an ExpressRoute circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum PeeringPort {
    Primary,
    Secondary,
}

impl PeeringPort {
    pub fn lower(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// Managed by this object, or used from elsewhere: exactly one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Source<T> {
    Managed(T),
    /// Referenced; the ID as soon as it is known (the other object may not have made it yet).
    Referenced {
        id: Option<String>,
        describe: String,
    },
}

/// First host of a /30, which the customer side of an ExpressRoute link takes, and AWS on a VPN tunnel
/// (azure.md §2.4, aws.md §4).
pub fn first_host(net: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).wrapping_add(1))
}
/// Second host of a /30: Microsoft on ExpressRoute, Azure on a VPN tunnel.
pub fn second_host(net: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).wrapping_add(2))
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Policy {
    pub observe_only: bool,
    pub report_drift_only: bool,
    pub retain: bool,
    pub paused: bool,
}

/// BGP attributes that a link's spec sets on the MCR side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BgpOptions {
    pub bfd: bool,
    pub shutdown: bool,
    pub prepend: u8,
    pub med_out: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Router {
    pub name: String,
    pub source: Source<ManagedRouter>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedRouter {
    /// The product name without the ownership token.
    pub display_name: String,
    pub location_id: i64,
    pub port_speed_mbps: u32,
    pub asn: u32,
    pub term_months: u32,
    pub diversity_zone: Option<String>,
    pub cost_centre: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedGateway {
    pub name: String,
    pub sku: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Interconnect {
    pub vnet_id: String,
    pub vpc_id: String,
    pub routers: Vec<Router>,
    pub er_gateway: Option<Source<ManagedGateway>>,
    pub vgw: Option<Source<ManagedVgw>>,
    pub dxgw: Option<Source<ManagedDxgw>>,
    /// Dependents that still exist: links that use what this object owns, with their slots not yet gone.
    pub dependents: Vec<Dependent>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedVgw {
    pub name: String,
    pub amazon_asn: u32,
    /// Route tables that get its routes; resolved (an `all` in the spec is a list here).
    pub route_tables: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedDxgw {
    pub name: String,
    pub amazon_asn: u32,
    pub allowed_prefixes: Vec<Ipv4Net>,
}

/// A link that uses what an interconnect owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependent {
    /// Kind and name for people: `ExpressRouteLink lab-er-main`.
    pub describe: String,
    /// The link's object name.
    pub name: String,
    /// Its slots that are not gone.
    pub slots: Vec<String>,
    /// Names of this interconnect's routers that it uses.
    pub routers: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpressRoute {
    pub vnet_id: String,
    /// The ARM ID of the circuit when we make it: known before it exists.
    pub circuit_id: String,
    pub circuit: Source<ManagedCircuit>,
    pub peering: Peering,
    pub ports: Vec<Port>,
    pub gateway: Source<ManagedGateway>,
    /// The ARM ID of the gateway: known from the name even before it exists, when managed.
    pub gateway_id: Option<String>,
    pub gateway_subnet_id: String,
    pub connection: ErConnection,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedCircuit {
    pub name: String,
    pub service_provider: String,
    pub peering_location: String,
    pub bandwidth_mbps: u32,
    pub tier: String,
    pub family: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Peering {
    pub primary: Ipv4Net,
    pub secondary: Ipv4Net,
    pub vlan: u16,
    pub auth_key: Option<SecretHandle>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Port {
    pub port: PeeringPort,
    /// The MCR's product UID once known.
    pub router_uid: Option<String>,
    pub router_describe: String,
    pub router_asn: u32,
    pub name: String,
    pub rate_limit_mbps: u32,
    pub term_months: u32,
    pub bgp: BgpOptions,
    /// Keep 12076 from crossing to other ExpressRoute ports on the same router (design §3).
    pub export_filter: bool,
    /// Microsoft's addresses on ports of other circuits that the same interconnect has on this router.
    pub other_edges: Vec<Ipv4Addr>,
}

impl Port {
    /// Whether both end on one router, whatever the references to it are called.
    pub fn shares_router(&self, other: &Self) -> bool {
        match (&self.router_uid, &other.router_uid) {
            (Some(a), Some(b)) => a == b,
            // Not ordered yet: one name is one router.
            _ => self.router_describe == other.router_describe,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErConnection {
    pub name: String,
    pub routing_weight: u32,
    pub authorization_key: Option<SecretHandle>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DirectConnect {
    pub router_uid: Option<String>,
    pub router_describe: String,
    pub router_asn: u32,
    /// The partner port, resolved once and kept in status.
    pub partner_port: Option<String>,
    pub hosted_connection: bool,
    pub vxc_name: String,
    pub bandwidth_mbps: u32,
    pub term_months: u32,
    pub vif_name: String,
    pub amazon_address: Ipv4Net,
    pub customer_address: Ipv4Net,
    pub mtu: u32,
    pub auth_key: SecretHandle,
    pub bgp: BgpOptions,
    pub gateway: Source<ManagedDxgw>,
    pub gateway_asn: Option<u32>,
    /// Only for a link that manages its own gateway: the VGW to associate.
    pub association_vgw: Option<Source<()>>,
    /// Keys that no one gave and that we generate: names within the keys Secret.
    pub generated_keys: Option<GeneratedKeys>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GeneratedKeys {
    pub secret: String,
    pub keys: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Vpn {
    pub vnet_id: String,
    pub gateway_subnet_id: String,
    pub gateway: Source<ManagedVpnGateway>,
    pub gateway_id: String,
    pub vgw: Source<()>,
    pub vgw_asn: u32,
    /// 1 or 2.
    pub bgp_tunnels_per_instance: u8,
    pub tunnels: Vec<Tunnel>,
    pub ipsec: IpsecProfile,
    pub dpd_seconds: u32,
    pub names: VpnNames,
    pub generated_keys: Option<GeneratedKeys>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ManagedVpnGateway {
    pub name: String,
    pub sku: String,
    pub generation: String,
    pub asn: u32,
    pub zones: Vec<String>,
}

/// Tunnel `j` (1 or 2) of instance `i` (0 or 1).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tunnel {
    pub instance: u8,
    pub tunnel: u8,
    pub inside: Ipv4Net,
    pub pre_shared_key: SecretHandle,
}

/// Prefix for the cloud names of a VPN pair's many objects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VpnNames {
    pub prefix: String,
}

/// Cipher policy of both sides of the tunnels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IpsecProfile {
    /// Azure's spelling (azure.md §4.4).
    pub ike_encryption: String,
    pub ike_integrity: String,
    pub dh_group: String,
    pub esp_encryption: String,
    pub esp_integrity: String,
    pub pfs_group: String,
    /// Phase 2 lifetime in seconds, 900 to 3600 (aws.md §2.3).
    pub lifetime_seconds: u32,
}

impl IpsecProfile {
    /// The safe default: AES-256 with SHA-256 and PFS (aws.md §4).
    pub fn cbc() -> Self {
        let s = str::to_owned;
        Self {
            ike_encryption: s("AES256"),
            ike_integrity: s("SHA256"),
            dh_group: s("DHGroup14"),
            esp_encryption: s("AES256"),
            esp_integrity: s("SHA256"),
            pfs_group: s("PFS2048"),
            lifetime_seconds: 3600,
        }
    }
    /// GCM, always with PFS: without it the tunnel dies at the first rekey (lab.md, azure.md §4.4).
    pub fn gcm() -> Self {
        let s = str::to_owned;
        Self {
            esp_encryption: s("GCMAES256"),
            esp_integrity: s("GCMAES256"),
            ..Self::cbc()
        }
    }

    /// Canonical text of the policy as Azure reads back, for comparison.
    pub fn azure_text(&self) -> String {
        format!(
            "{}/{}/{} {}/{}/{} {}s",
            self.ike_encryption,
            self.ike_integrity,
            self.dh_group,
            self.esp_encryption,
            self.esp_integrity,
            self.pfs_group,
            self.lifetime_seconds
        )
    }
}

/// Azure's range for BGP addresses inside tunnels (azure.md §3.3): 128 /30s, none of which AWS reserves.
pub const APIPA_RANGES: [[u8; 4]; 2] = [[169, 254, 21, 0], [169, 254, 22, 0]];

/// Gives every tunnel (instance, tunnel) its /30: the fixed ones as they are, the others the first free ones, tunnel 1
/// out of 169.254.21.0/24 and tunnel 2 out of 169.254.22.0/24, as in the lab.
///
/// # Errors
/// When a /30 is given twice, is used by another connection on the same gateway, or none is free.
pub fn allocate_tunnels(
    fixed: &std::collections::BTreeMap<(u8, u8), Ipv4Net>,
    used: &[Ipv4Net],
) -> Result<std::collections::BTreeMap<(u8, u8), Ipv4Net>, String> {
    let mut out = fixed.clone();
    let mut taken: Vec<Ipv4Net> = used.iter().map(Ipv4Net::trunc).collect();
    for net in fixed.values() {
        if taken.contains(&net.trunc()) {
            return Err(format!(
                "{net} is used by another tunnel on the same virtual private gateway: choose another /30 out of 169.254.21.0 to 169.254.22.255"
            ));
        }
        taken.push(net.trunc());
    }
    for tunnel in 1..=2u8 {
        for instance in 0..2u8 {
            if out.contains_key(&(instance, tunnel)) {
                continue;
            }
            let [a, b, c, _] = APIPA_RANGES[usize::from(tunnel - 1)];
            let free = (0..64u8)
                .map(|k| Ipv4Addr::new(a, b, c, k * 4))
                .filter_map(|ip| Ipv4Net::new(ip, 30).ok())
                .find(|n| !taken.contains(n));
            let Some(net) = free else {
                return Err(format!(
                    "no /30 is free in {a}.{b}.{c}.0/24: remove tunnels that are not used, or name insideCIDRs"
                ));
            };
            taken.push(net);
            out.insert((instance, tunnel), net);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is the test's failure")]
    use super::*;
    use std::collections::BTreeMap;

    fn net(s: &str) -> Ipv4Net {
        s.parse().unwrap()
    }

    #[test]
    fn the_lab_s_tunnels_are_the_first_free_ones() {
        let got = allocate_tunnels(&BTreeMap::new(), &[]).unwrap();
        assert_eq!(got[&(0, 1)], net("169.254.21.0/30"));
        assert_eq!(got[&(0, 2)], net("169.254.22.0/30"));
        assert_eq!(got[&(1, 1)], net("169.254.21.4/30"));
        assert_eq!(got[&(1, 2)], net("169.254.22.4/30"));
    }

    #[test]
    fn what_others_use_is_left_alone() {
        let got = allocate_tunnels(&BTreeMap::new(), &[net("169.254.21.0/30")]).unwrap();
        assert_eq!(got[&(0, 1)], net("169.254.21.4/30"));
        let fixed = BTreeMap::from([((0, 1), net("169.254.21.0/30"))]);
        assert!(
            allocate_tunnels(&fixed, &[net("169.254.21.0/30")])
                .unwrap_err()
                .contains("169.254.21.0/30")
        );
    }
}
