//! The topology rules (design §3): numbered, pure, each with its source. They judge a spec against facts of the clouds
//! before the first mutating call; what the schema can reject is rejected there as well.

#[cfg(test)]
mod tests;

use crate::guard::{self, SubnetRoutes};
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;

/// What was read of the clouds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Facts {
    pub virtual_network: Option<VirtualNetwork>,
    pub vpc: Option<Vec<Ipv4Net>>,
    /// Connectivity providers as Azure's catalogue lists them.
    pub providers: Vec<Provider>,
    /// Megaport's locations.
    pub locations: Vec<Location>,
    /// Route tables of the VPC, by ID.
    pub route_tables: Vec<String>,
    /// Names of the network interfaces that exist among the observed ones.
    pub network_interfaces: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct VirtualNetwork {
    pub name: String,
    pub prefixes: Vec<Ipv4Net>,
    pub gateway_subnet: Option<GatewaySubnet>,
    /// Prefixes of RouteServerSubnet: a Route Server belongs to the gateways' mesh.
    pub route_server_subnet: Vec<Ipv4Net>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct GatewaySubnet {
    pub prefixes: Vec<Ipv4Net>,
    pub network_security_group: Option<String>,
    /// The route table on it, where there is one and it could be read.
    pub routes: Option<SubnetRoutes>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Provider {
    pub name: String,
    pub peering_locations: Vec<String>,
    pub bandwidths_mbps: Vec<u32>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Location {
    pub id: i64,
    pub name: String,
    pub orderable: bool,
    /// Zone (lower case) and the MCR speeds sold there.
    pub zones: Vec<(String, Vec<u32>)>,
}

/// What a spec says, as far as the rules ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Topology {
    /// Field and ID of the virtual network; empty where the spec names none.
    pub virtual_network: Option<(String, String)>,
    pub vpc: Option<(String, String)>,
    /// Whether gateways will be made in the virtual network.
    pub makes_gateways: bool,
    pub circuits: Vec<Circuit>,
    pub routers: Vec<Router>,
    /// Link prefixes with the field that says them.
    pub link_prefixes: Vec<(String, Ipv4Net)>,
    pub route_tables: Vec<String>,
    /// VPN tunnels that carry BGP; 0 without VPN.
    pub vpn_tunnels: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Circuit {
    /// `spec.circuit` or `spec.expressRoutes[main].circuit`.
    pub field: String,
    pub provider: String,
    pub peering_location: String,
    pub bandwidth_mbps: u32,
    /// ASNs of the routers that its ports end on, as far as they are known, with the routers' names.
    pub router_asns: Vec<(String, u32)>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Router {
    pub field: String,
    pub location_id: i64,
    pub speed_mbps: u32,
    pub zone: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Severity {
    /// Nothing is made.
    Error,
    /// An Event, and on we go.
    Warning,
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Number of the rule, as in the documentation of each function.
    pub rule: u8,
    pub severity: Severity,
    /// Reason of `Accepted`.
    pub reason: &'static str,
    /// Field, value and remedy.
    pub message: String,
}

fn error(rule: u8, reason: &'static str, message: String) -> Finding {
    Finding {
        rule,
        severity: Severity::Error,
        reason,
        message,
    }
}

const INVALID: &str = "InvalidTopology";
const MISSING: &str = "ReferenceNotFound";

/// Judges everything; the most useful finding first.
pub fn check(t: &Topology, f: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    out.extend(networks_exist(t, f));
    out.extend(gateway_subnet(t, f));
    out.extend(gateway_routes(t, f));
    out.extend(overlaps(t, f));
    out.extend(circuits(t, f));
    out.extend(routers(t, f));
    out.extend(route_tables(t, f));
    out.extend(vpn_capacity(t));
    out.extend(one_peer_asn(t));
    out.sort_by_key(|x| (x.severity == Severity::Warning, x.rule));
    out
}

/// Rule 1: the virtual network and the VPC exist; they are referenced, never made (design §1).
fn networks_exist(t: &Topology, f: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    if let (Some((field, id)), None) = (&t.virtual_network, &f.virtual_network) {
        out.push(error(
            1,
            MISSING,
            format!(
                "{field}: virtual network {id} does not exist: create it, or correct the reference"
            ),
        ));
    }
    if let (Some((field, id)), None) = (&t.vpc, &f.vpc) {
        out.push(error(1, MISSING, format!("{field}: VPC {id} does not exist in this region and account: create it, or correct the reference")));
    }
    out
}

/// Rules 2 to 4: gateways live in a subnet named exactly `GatewaySubnet`, a /27 or larger, without a network security
/// group (azure.md §3.4, §5.1).
fn gateway_subnet(t: &Topology, f: &Facts) -> Vec<Finding> {
    let (true, Some(network)) = (t.makes_gateways, &f.virtual_network) else {
        return Vec::new();
    };
    let Some(subnet) = &network.gateway_subnet else {
        return vec![error(
            2,
            INVALID,
            format!(
                "virtual network {} has no subnet named GatewaySubnet: add one of /27 or larger; gateways can be made nowhere else",
                network.name
            ),
        )];
    };
    let mut out = Vec::new();
    if let Some(small) = subnet.prefixes.iter().find(|p| p.prefix_len() > 27) {
        out.push(error(3, INVALID, format!("GatewaySubnet of virtual network {} is {small}, which is too small for two gateways: enlarge it to /27 or more", network.name)));
    }
    if let Some(group) = &subnet.network_security_group {
        let group = group.rsplit('/').next().unwrap_or(group);
        out.push(error(4, INVALID, format!("GatewaySubnet of virtual network {} carries the network security group {group}, with which Azure makes no gateway: take it off", network.name)));
    }
    out
}

/// Rules 13 and 14: the route table on GatewaySubnet. Azure forbids there a default route and a table that stops the
/// gateways' own routes (13); one that sends the gateways' subnet elsewhere can end their sessions minutes later (14, a
/// warning: an appliance that forwards them breaks nothing, until it does) (azure.md §5.1, lab.md).
fn gateway_routes(t: &Topology, f: &Facts) -> Vec<Finding> {
    let Some((network, subnet)) = f
        .virtual_network
        .as_ref()
        .and_then(|n| Some((n, n.gateway_subnet.as_ref()?)))
    else {
        return Vec::new();
    };
    let Some(table) = &subnet.routes else {
        return Vec::new();
    };
    let mut out = Vec::new();
    if t.makes_gateways {
        if table.routes.iter().any(|r| r.prefix.prefix_len() == 0) {
            out.push(error(13, INVALID, format!("route table {} on GatewaySubnet of virtual network {} has a route for 0.0.0.0/0, with which Azure makes no gateway: remove the route", table.name, network.name)));
        }
        if table.propagation_disabled {
            out.push(error(13, INVALID, format!("route table {} on GatewaySubnet of virtual network {} has disableBgpRoutePropagation: true, with which gateways stop working: set it to false", table.name, network.name)));
        }
    }
    let nets = |list: &[Ipv4Net]| list.iter().copied().map(IpNet::V4).collect::<Vec<_>>();
    let mut subnets = nets(&subnet.prefixes);
    subnets.extend(nets(&network.route_server_subnet));
    if let Some(trap) = guard::trap(table, &nets(&network.prefixes), &subnets) {
        out.push(Finding {
            rule: 14,
            severity: Severity::Warning,
            reason: "RouteTableTrap",
            message: trap.sentence(),
        });
    }
    out
}

fn overlap(a: Ipv4Net, b: Ipv4Net) -> bool {
    a.contains(&b) || b.contains(&a)
}

/// Rule 5: virtual network, VPC and link prefixes do not overlap: the longest prefix, or a local route, would win and
/// the other side never be reached (aws.md §5, design §3).
fn overlaps(t: &Topology, f: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    let vnet: &[Ipv4Net] = f
        .virtual_network
        .as_ref()
        .map_or(&[], |n| n.prefixes.as_slice());
    let vpc: &[Ipv4Net] = f.vpc.as_deref().unwrap_or_default();
    for a in vnet {
        if let Some(b) = vpc.iter().find(|b| overlap(*a, **b)) {
            out.push(error(5, INVALID, format!("the virtual network's {a} overlaps the VPC's {b}: one of them must be renumbered, or traffic stays local")));
        }
    }
    for (field, link) in &t.link_prefixes {
        for (what, side) in [("virtual network", vnet), ("VPC", vpc)] {
            if let Some(b) = side.iter().find(|b| overlap(link.trunc(), **b)) {
                out.push(error(5, INVALID, format!("{field}: {link} overlaps the {what}'s {b}: choose a link prefix outside both networks, such as one out of 169.254.0.0/16")));
            }
        }
    }
    for (i, (field, a)) in t.link_prefixes.iter().enumerate() {
        for (other, b) in t.link_prefixes.iter().skip(i + 1) {
            // Two fields of one link may name the same /30 by its two hosts.
            let same_link =
                field.rsplit_once('.').map(|(p, _)| p) == other.rsplit_once('.').map(|(p, _)| p);
            if overlap(a.trunc(), b.trunc()) && !same_link {
                out.push(error(
                    5,
                    INVALID,
                    format!("{other}: {b} overlaps {a} of {field}: give every link its own prefix"),
                ));
            }
        }
    }
    out
}

/// Rules 6 to 8: provider, peering location and bandwidth are in Azure's catalogue (azure.md §2.2).
fn circuits(t: &Topology, f: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    for c in &t.circuits {
        let Some(provider) = f.providers.iter().find(|p| p.name == c.provider) else {
            out.push(error(
                6,
                INVALID,
                format!(
                    "{}.serviceProviderName: Azure knows no connectivity provider {}: use Megaport",
                    c.field, c.provider
                ),
            ));
            continue;
        };
        if !provider.peering_locations.contains(&c.peering_location) {
            let near: Vec<&str> = near(&c.peering_location, &provider.peering_locations);
            out.push(error(7, INVALID, format!("{}.peeringLocation: {} offers no peering location {}: use one of its catalogue, such as {}", c.field, c.provider, c.peering_location, near.join(", "))));
        }
        if !provider.bandwidths_mbps.contains(&c.bandwidth_mbps) {
            let list: Vec<String> = provider
                .bandwidths_mbps
                .iter()
                .map(ToString::to_string)
                .collect();
            out.push(error(
                8,
                INVALID,
                format!(
                    "{}.bandwidthMbps: {} offers no {} Mbps: use one of {}",
                    c.field,
                    c.provider,
                    c.bandwidth_mbps,
                    list.join(", ")
                ),
            ));
        }
    }
    out
}

/// Up to three catalogue entries that begin alike, else the first three.
fn near<'a>(wanted: &str, all: &'a [String]) -> Vec<&'a str> {
    let start: String = wanted.chars().take(4).collect::<String>().to_lowercase();
    let alike: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|l| l.to_lowercase().starts_with(&start))
        .take(3)
        .collect();
    if alike.is_empty() {
        all.iter().map(String::as_str).take(3).collect()
    } else {
        alike
    }
}

/// Rules 9 and 10: the Megaport location exists and takes orders, and sells routers of this speed in this zone
/// (megaport.md §2.1).
fn routers(t: &Topology, f: &Facts) -> Vec<Finding> {
    let mut out = Vec::new();
    for r in &t.routers {
        let Some(location) = f.locations.iter().find(|l| l.id == r.location_id) else {
            out.push(error(9, INVALID, format!("{}.locationID: Megaport has no location {}: look the ID up in Megaport's portal", r.field, r.location_id)));
            continue;
        };
        if !location.orderable {
            out.push(error(
                9,
                INVALID,
                format!(
                    "{}.locationID: Megaport takes no orders at location {} ({}): use another one",
                    r.field, r.location_id, location.name
                ),
            ));
            continue;
        }
        let sold: Vec<u32> = location
            .zones
            .iter()
            .filter(|(zone, _)| r.zone.as_ref().is_none_or(|z| z.eq_ignore_ascii_case(zone)))
            .flat_map(|(_, speeds)| speeds.iter().copied())
            .collect();
        if !sold.contains(&r.speed_mbps) {
            let zone = r
                .zone
                .as_ref()
                .map_or_else(String::new, |z| format!(" in zone {z}"));
            let mut list: Vec<u32> = sold;
            list.sort_unstable();
            list.dedup();
            let list: Vec<String> = list.iter().map(ToString::to_string).collect();
            let remedy = if list.is_empty() {
                "use another locationID or diversityZone".to_owned()
            } else {
                format!("use one of {}", list.join(", "))
            };
            out.push(error(
                10,
                INVALID,
                format!(
                    "{}.portSpeedMbps: location {} ({}){zone} sells no router of {} Mbps: {remedy}",
                    r.field, r.location_id, location.name, r.speed_mbps
                ),
            ));
        }
    }
    out
}

/// Rule 11: the route tables that get the gateway's routes belong to the VPC (aws.md §2.7).
fn route_tables(t: &Topology, f: &Facts) -> Vec<Finding> {
    if f.vpc.is_none() {
        return Vec::new();
    }
    t.route_tables
        .iter()
        .filter(|id| !f.route_tables.contains(id))
        .map(|id| error(11, MISSING, format!("spec.aws.virtualPrivateGateway.propagation.routeTableIDs: the VPC has no route table {id}: correct the ID, or use all: true")))
        .collect()
}

/// What one tunnel carries with CBC ciphers (lab.md: about 650 Mbps, whatever the SKU).
const TUNNEL_MBPS: u32 = 650;

/// Rule 12 (a warning): the backup carries less than the circuits it stands in for.
fn vpn_capacity(t: &Topology) -> Vec<Finding> {
    let private: u32 = t.circuits.iter().map(|c| c.bandwidth_mbps).sum();
    let backup = t.vpn_tunnels * TUNNEL_MBPS;
    if t.vpn_tunnels == 0 || backup >= private {
        return Vec::new();
    }
    vec![Finding {
        rule: 12,
        severity: Severity::Warning,
        reason: "BackupTooSmall",
        message: format!(
            "the VPN carries about {backup} Mbps ({} tunnels of about {TUNNEL_MBPS}), the circuits {private} Mbps: a failover may lose traffic",
            t.vpn_tunnels
        ),
    }]
}

/// Rule 15: both ports of a circuit end on routers of one ASN: its private peering has one `peerASN` for both (azure.md
/// §2.4), and the session of the port with another one would never come up.
fn one_peer_asn(t: &Topology) -> Vec<Finding> {
    let mut out = Vec::new();
    for c in &t.circuits {
        let Some((first, asn)) = c.router_asns.first() else {
            continue;
        };
        if let Some((other, different)) = c.router_asns.iter().find(|(_, a)| a != asn) {
            let ports = c.field.rsplit_once('.').map_or("spec", |(p, _)| p);
            out.push(error(
                15,
                INVALID,
                format!("{ports}.ports: {first} has ASN {asn} and {other} has ASN {different}, but the private peering of a circuit has one ASN for both ports: give both routers the same asn"),
            ));
        }
    }
    out
}
