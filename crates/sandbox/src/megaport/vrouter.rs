//! The virtual router's side of a VXC: checks `aEnd.partnerConfig` / `aEndConfig` (megaport.md §3.3), and builds what
//! Megaport configures by itself when none is sent.

use super::envelope::Refusal;
use super::types::{AwsVif, AzureCircuit, Bgp, Interface, Mcr, PrefixEntry, Vxc};
use crate::net::view::Port;
use ipnet::{IpNet, Ipv4Net};
use serde_json::Value;
use std::net::IpAddr;

/// Interfaces of a partner configuration; none when it is absent, null or names none.
pub fn interfaces(config: Option<&Value>, mcr: &Mcr) -> Result<Vec<Interface>, Refusal> {
    let Some(list) = config
        .and_then(|c| c.get("interfaces"))
        .filter(|l| !l.is_null())
    else {
        return Ok(Vec::new());
    };
    let parsed: Vec<Interface> = serde_json::from_value(list.clone())
        .map_err(|e| Refusal::invalid(format!("vrouter interfaces: {e}")))?;
    for (i, interface) in parsed.iter().enumerate() {
        check(interface, &parsed, mcr)
            .map_err(|e| Refusal::invalid(format!("vrouter interface {i}: {e}")))?;
    }
    Ok(parsed)
}

fn check(interface: &Interface, all: &[Interface], mcr: &Mcr) -> Result<(), String> {
    match interface.interface_type.as_str() {
        "subInterface" => {}
        "ipSecTunnel" => check_tunnel(interface, all, mcr)?,
        other => {
            return Err(format!(
                "interfaceType '{other}' is not one of subInterface, ipSecTunnel"
            ));
        }
    }
    if !(68..=9074).contains(&interface.ip_mtu) {
        return Err(format!(
            "ipMtu {} is not between 68 and 9074",
            interface.ip_mtu
        ));
    }
    if interface
        .vlan
        .is_some_and(|v| v == 1 || !(0..=4093).contains(&v))
    {
        return Err("vlan is not valid".into());
    }
    let nets = interface
        .ip_addresses
        .iter()
        .map(|a| {
            a.parse::<IpNet>()
                .map_err(|_| format!("ipAddresses: '{a}' is not an address with a prefix length"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    for r in &interface.ip_routes {
        r.prefix
            .parse::<IpNet>()
            .map_err(|_| format!("ipRoutes: '{}' is not a prefix", r.prefix))?;
        let hop: IpAddr = r
            .next_hop
            .parse()
            .map_err(|_| format!("ipRoutes: '{}' is not an address", r.next_hop))?;
        if !nets.iter().any(|n| n.contains(&hop)) {
            return Err(format!("ipRoutes: next hop {hop} is not on this interface"));
        }
    }
    for b in &interface.bgp_connections {
        check_session(b, &nets, mcr)
            .map_err(|e| format!("bgpConnections {}: {e}", b.peer_ip_address))?;
    }
    Ok(())
}

fn check_session(b: &Bgp, nets: &[IpNet], mcr: &Mcr) -> Result<(), String> {
    if b.peer_asn == 0 || b.local_asn == Some(0) {
        return Err("an ASN is between 1 and 4294967295".into());
    }
    let Some(net) = nets.iter().find(|n| n.addr() == b.local_ip_address) else {
        return Err(format!(
            "localIpAddress {} is not an address of the interface",
            b.local_ip_address
        ));
    };
    if !net.contains(&b.peer_ip_address) || b.peer_ip_address == b.local_ip_address {
        return Err("peerIpAddress is not in the subnet of localIpAddress".into());
    }
    if b.as_path_prepend_count.is_some_and(|n| n > 10) {
        return Err("asPathPrependCount is between 0 and 10".into());
    }
    if b.as_override == Some(true) && b.peer_asn == b.local_asn.unwrap_or(mcr.asn) {
        return Err("asOverride is for eBGP only".into());
    }
    if let Some(t) = &b.peer_type
        && !matches!(t.as_str(), "" | "NON_CLOUD" | "PRIV_CLOUD" | "PUB_CLOUD")
    {
        return Err(format!(
            "peerType '{t}' is not one of NON_CLOUD, PRIV_CLOUD, PUB_CLOUD"
        ));
    }
    if let Some(p) = &b.export_policy
        && !matches!(p.as_str(), "" | "permit" | "deny")
    {
        return Err(format!("exportPolicy '{p}' is not one of permit, deny"));
    }
    // An address without a session is accepted (§13.9); text that is no address is not.
    for peer in b.permit_export_to.iter().chain(&b.deny_export_to) {
        peer.parse::<IpAddr>()
            .map_err(|_| format!("'{peer}' in permitExportTo or denyExportTo is not an address"))?;
    }
    for id in b.prefix_lists() {
        if !mcr.prefix_lists.iter().any(|l| l.id == id) {
            return Err(format!("prefix list {id} does not exist on this MCR"));
        }
    }
    Ok(())
}

fn check_tunnel(interface: &Interface, all: &[Interface], mcr: &Mcr) -> Result<(), String> {
    let Some(t) = &interface.ip_sec_tunnel_options else {
        return Err("ipSecTunnelOptions is required for an ipSecTunnel interface".into());
    };
    if mcr.add_ons.is_empty() {
        return Err("the MCR has no IPsec add-on".into());
    }
    // The source must live on another sub-interface of the same VXC (§7.2).
    let on_another = all
        .iter()
        .filter(|i| i.interface_type == "subInterface")
        .flat_map(|i| &i.ip_addresses)
        .filter_map(|a| a.parse::<IpNet>().ok())
        .any(|n| n.addr().to_string() == t.source_ip_address);
    if !on_another {
        return Err("sourceIpAddress is not an address of a sub-interface of this VXC".into());
    }
    let (p1, p2) = (
        t.phase1_lifetime.unwrap_or(28_800),
        t.phase2_lifetime.unwrap_or(3600),
    );
    if !(3600..=604_800).contains(&p1) || !(600..=86_400).contains(&p2) || p2 >= p1 {
        return Err("phase1Lifetime or phase2Lifetime is out of range".into());
    }
    Ok(())
}

/// iBGP and eBGP can not change into each other (§3.3, `localAsn`).
pub fn same_kind(old: &[Interface], new: &[Interface], asn: u32) -> Result<(), Refusal> {
    let internal = |b: &Bgp| b.peer_asn == b.local_asn.unwrap_or(asn);
    for b in new.iter().flat_map(|i| &i.bgp_connections) {
        let before = old
            .iter()
            .flat_map(|i| &i.bgp_connections)
            .find(|o| o.peer_ip_address == b.peer_ip_address);
        if before.is_some_and(|o| internal(o) != internal(b)) {
            return Err(Refusal::invalid(format!(
                "BGP session {}: cannot change between iBGP and eBGP",
                b.peer_ip_address
            )));
        }
    }
    Ok(())
}

fn session(
    vlan: Option<i32>,
    local: IpNet,
    peer: IpAddr,
    peer_asn: u32,
    key: Option<super::secret::Secret>,
) -> Interface {
    Interface {
        description: None,
        interface_type: "subInterface".into(),
        vlan,
        ip_mtu: 1500,
        ip_addresses: vec![local.to_string()],
        ip_routes: Vec::new(),
        nat_ip_addresses: Vec::new(),
        bgp_connections: vec![Bgp {
            peer_asn,
            local_asn: None,
            local_ip_address: local.addr(),
            peer_ip_address: peer,
            password: key,
            shutdown: false,
            description: None,
            bfd_enabled: false,
            med_in: None,
            med_out: None,
            as_path_prepend_count: None,
            as_override: None,
            peer_type: Some("PRIV_CLOUD".into()),
            export_policy: Some("permit".into()),
            permit_export_to: Vec::new(),
            deny_export_to: Vec::new(),
            import_whitelist: None,
            import_blacklist: None,
            export_whitelist: None,
            export_blacklist: None,
        }],
        ip_sec_tunnel_options: None,
    }
}

/// What Megaport configures towards Azure when the order has peers and no vrouter configuration: the first host is
/// ours, the second Microsoft's.
pub fn auto_azure(circuit: &AzureCircuit) -> Vec<Interface> {
    let Some(peer) = circuit.peers.iter().find(|p| p.kind == "private") else {
        return Vec::new();
    };
    let subnet = match circuit.port {
        Port::Primary => &peer.primary_subnet,
        Port::Secondary => &peer.secondary_subnet,
    };
    let Some(net) = subnet.as_deref().and_then(|s| s.parse::<Ipv4Net>().ok()) else {
        return Vec::new();
    };
    let mut hosts = net.hosts();
    let (Some(ours), Some(theirs)) = (hosts.next(), hosts.next()) else {
        return Vec::new();
    };
    let Ok(local) = IpNet::new(IpAddr::V4(ours), net.prefix_len()) else {
        return Vec::new();
    };
    vec![session(
        Some(i32::from(peer.vlan)),
        local,
        IpAddr::V4(theirs),
        12_076,
        peer.shared_key.clone(),
    )]
}

/// What Megaport configures towards a hosted VIF when the order has no vrouter configuration.
pub fn auto_aws(vif: &AwsVif) -> Vec<Interface> {
    let (Ok(local), Ok(peer)) = (
        vif.customer_address.parse::<IpNet>(),
        vif.amazon_address.parse::<IpNet>(),
    ) else {
        return Vec::new();
    };
    vec![session(
        None,
        local,
        peer.addr(),
        vif.amazon_asn.unwrap_or(7224),
        vif.auth_key.clone(),
    )]
}

/// The IPv4 sessions of one end in the terms of the network simulation.
pub fn view(vxc: &Vxc, mcr: Option<&Mcr>) -> Vec<crate::net::view::Interface> {
    use crate::net::view::{BgpConnection, Filters, Interface as Seen, PrefixRule};
    let list = |id: Option<u64>| -> Option<Vec<PrefixRule>> {
        let list = mcr?
            .prefix_lists
            .iter()
            .find(|l| Some(l.id) == id && l.family == "IPv4")?;
        let rule = |e: &PrefixEntry| match e.prefix {
            ipnet::IpNet::V4(prefix) => Some(PrefixRule {
                permit: e.action == "permit",
                prefix,
                ge: e.ge,
                le: e.le,
            }),
            ipnet::IpNet::V6(_) => None,
        };
        Some(list.entries.iter().filter_map(rule).collect())
    };
    let v4 = |a: &IpAddr| match a {
        IpAddr::V4(a) => Some(*a),
        IpAddr::V6(_) => None,
    };
    let peers = |list: &[String]| list.iter().filter_map(|a| a.parse().ok()).collect();
    vxc.a
        .interfaces
        .iter()
        .map(|i| Seen {
            vlan: i
                .vlan
                .filter(|v| *v > 0)
                .and_then(|v| u16::try_from(v).ok())
                .or(vxc.b.inner),
            addresses: i
                .ip_addresses
                .iter()
                .filter_map(|a| a.parse().ok())
                .collect(),
            sessions: i
                .bgp_connections
                .iter()
                .filter_map(|b| {
                    Some(BgpConnection {
                        peer_asn: b.peer_asn,
                        local_asn: b.local_asn,
                        local_address: v4(&b.local_ip_address)?,
                        peer_address: v4(&b.peer_ip_address)?,
                        password: b
                            .password
                            .as_ref()
                            .map(|p| p.expose().to_owned())
                            .filter(|p| !p.is_empty()),
                        shutdown: b.shutdown,
                        bfd: b.bfd_enabled,
                        med_in: b.med_in,
                        med_out: b.med_out,
                        prepend: b.as_path_prepend_count.unwrap_or(0),
                        as_override: b.as_override.unwrap_or(false),
                        peer_type: b
                            .peer_type
                            .clone()
                            .filter(|t| !t.is_empty())
                            .unwrap_or_else(|| default_peer_type(vxc).to_owned()),
                        export_policy: b
                            .export_policy
                            .clone()
                            .filter(|p| !p.is_empty())
                            .unwrap_or_else(|| "permit".to_owned()),
                        permit_export_to: peers(&b.permit_export_to),
                        deny_export_to: peers(&b.deny_export_to),
                        filters: Filters {
                            import_permit: list(b.import_whitelist),
                            import_deny: list(b.import_blacklist),
                            export_permit: list(b.export_whitelist),
                            export_deny: list(b.export_blacklist),
                        },
                    })
                })
                .collect(),
        })
        .collect()
}

/// The peer type depends on the far end when the session does not say (§3.3).
pub fn default_peer_type(vxc: &Vxc) -> &'static str {
    use super::types::Cloud;
    match &vxc.cloud {
        Cloud::Aws(v) if v.kind == "public" => "PUB_CLOUD",
        Cloud::Azure(a) if a.peers.iter().any(|p| p.kind == "microsoft") => "PUB_CLOUD",
        Cloud::Aws(_) | Cloud::AwsHc(_) | Cloud::Azure(_) => "PRIV_CLOUD",
        Cloud::Mcr => "NON_CLOUD",
    }
}
