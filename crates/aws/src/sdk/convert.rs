//! From the SDK's types to ours, tolerant of everything that may be absent.

use crate::types::*;
use aws_sdk_directconnect::types as dx;
use aws_sdk_ec2::types as ec2;
use causeway_model::routes::aws::{
    RouteTableRow, TunnelRow, VifDirection, VifPeerRow, VifRouteRow,
};
use causeway_model::secret::Secret;
use ipnet::Ipv4Net;

pub(super) fn ec2_tags(tags: Option<Vec<ec2::Tag>>) -> Tags {
    tags.unwrap_or_default()
        .into_iter()
        .filter_map(|t| Some((t.key?, t.value.unwrap_or_default())))
        .collect()
}

pub(super) fn dx_tags(tags: Option<Vec<dx::Tag>>) -> Tags {
    tags.unwrap_or_default()
        .into_iter()
        .map(|t| (t.key, t.value.unwrap_or_default()))
        .collect()
}

fn asn(n: i64) -> Option<u32> {
    u32::try_from(n).ok().filter(|n| *n != 0)
}

/// `asnLong` first: the legacy field is 0 for a 4-byte ASN (aws.md §1.2).
fn dx_asn(long: Option<i64>, legacy: i32) -> u32 {
    long.and_then(asn)
        .or_else(|| asn(i64::from(legacy)))
        .unwrap_or_default()
}

pub(super) fn vpc(v: ec2::Vpc) -> Vpc {
    let primary = v.cidr_block.unwrap_or_default();
    let mut cidrs: Vec<Ipv4Net> = primary.parse().into_iter().collect();
    for a in v.cidr_block_association_set.unwrap_or_default() {
        let gone = a
            .cidr_block_state
            .and_then(|s| s.state)
            .is_some_and(|s| !matches!(s.as_str(), "associated" | "associating"));
        if let Some(net) = a.cidr_block.and_then(|c| c.parse().ok())
            && !gone
            && !cidrs.contains(&net)
        {
            cidrs.push(net);
        }
    }
    Vpc {
        id: v.vpc_id.unwrap_or_default(),
        state: v.state.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        cidrs,
        tags: ec2_tags(v.tags),
    }
}

fn route(r: ec2::Route) -> RouteTableRow {
    let target = r
        .gateway_id
        .or(r.nat_gateway_id)
        .or(r.transit_gateway_id)
        .or(r.vpc_peering_connection_id)
        .or(r.network_interface_id)
        .or(r.instance_id)
        .or(r.egress_only_internet_gateway_id)
        .or(r.local_gateway_id)
        .or(r.carrier_gateway_id)
        .or(r.core_network_arn)
        .unwrap_or_default();
    RouteTableRow {
        destination: r
            .destination_cidr_block
            .or(r.destination_ipv6_cidr_block)
            .unwrap_or_default(),
        prefix_list: r.destination_prefix_list_id,
        target,
        origin: r.origin.map(|o| o.as_str().to_owned()).unwrap_or_default(),
        state: r.state.map(|s| s.as_str().to_owned()).unwrap_or_default(),
    }
}

pub(super) fn route_table(t: ec2::RouteTable) -> RouteTable {
    let associations = t.associations.unwrap_or_default();
    RouteTable {
        id: t.route_table_id.unwrap_or_default(),
        vpc_id: t.vpc_id.unwrap_or_default(),
        routes: t
            .routes
            .unwrap_or_default()
            .into_iter()
            .map(route)
            .collect(),
        propagating_vgws: t
            .propagating_vgws
            .unwrap_or_default()
            .into_iter()
            .filter_map(|g| g.gateway_id)
            .collect(),
        main: associations.iter().any(|a| a.main == Some(true)),
        subnets: associations
            .into_iter()
            .filter_map(|a| a.subnet_id)
            .collect(),
        tags: ec2_tags(t.tags),
    }
}

fn state(s: Option<&str>) -> State {
    State::parse(s.unwrap_or_default())
}

pub(super) fn vpn_gateway(g: ec2::VpnGateway) -> VpnGateway {
    VpnGateway {
        id: g.vpn_gateway_id.unwrap_or_default(),
        state: state(g.state.as_ref().map(ec2::VpnState::as_str)),
        amazon_asn: g.amazon_side_asn.and_then(asn),
        attachments: g
            .vpc_attachments
            .unwrap_or_default()
            .into_iter()
            .map(|a| VpcAttachment {
                vpc_id: a.vpc_id.unwrap_or_default(),
                state: AttachmentState::parse(
                    a.state
                        .as_ref()
                        .map(ec2::AttachmentStatus::as_str)
                        .unwrap_or_default(),
                ),
            })
            .collect(),
        tags: ec2_tags(g.tags),
    }
}

pub(super) fn customer_gateway(g: ec2::CustomerGateway) -> CustomerGateway {
    let number = |s: Option<String>| {
        s.and_then(|s| s.trim().parse::<u32>().ok())
            .filter(|n| *n != 0)
    };
    CustomerGateway {
        id: g.customer_gateway_id.unwrap_or_default(),
        state: state(g.state.as_deref()),
        ip_address: g.ip_address,
        bgp_asn: number(g.bgp_asn_extended).or_else(|| number(g.bgp_asn)),
        device_name: g.device_name,
        tags: ec2_tags(g.tags),
    }
}

pub(super) fn vpn_connection(c: ec2::VpnConnection) -> VpnConnection {
    let telemetry = c.vgw_telemetry.unwrap_or_default();
    let options = c.options;
    let static_routes_only = options
        .as_ref()
        .and_then(|o| o.static_routes_only)
        .unwrap_or_default();
    let mut tunnels: Vec<Tunnel> = options
        .and_then(|o| o.tunnel_options)
        .unwrap_or_default()
        .into_iter()
        .map(|o| tunnel(o, &telemetry))
        .collect();
    tunnels.sort_by(|a, b| a.health.inside_cidr.cmp(&b.health.inside_cidr));
    VpnConnection {
        id: c.vpn_connection_id.unwrap_or_default(),
        state: state(c.state.as_ref().map(ec2::VpnState::as_str)),
        customer_gateway_id: c.customer_gateway_id.unwrap_or_default(),
        vpn_gateway_id: c.vpn_gateway_id.filter(|g| !g.is_empty()),
        static_routes_only,
        tunnels,
        tags: ec2_tags(c.tags),
    }
}

/// Telemetry is joined by the outside address; the order of neither list means anything (aws.md §2.4).
fn tunnel(o: ec2::TunnelOption, telemetry: &[ec2::VgwTelemetry]) -> Tunnel {
    let outside = o.outside_ip_address.unwrap_or_default();
    let told = telemetry
        .iter()
        .find(|t| !outside.is_empty() && t.outside_ip_address() == Some(outside.as_str()));
    let positive = |n: Option<i32>| n.and_then(|n| u32::try_from(n).ok());
    Tunnel {
        health: TunnelRow {
            inside_cidr: o.tunnel_inside_cidr.unwrap_or_default(),
            up: told
                .and_then(|t| t.status())
                .and_then(|s| match s.as_str() {
                    "UP" => Some(true),
                    "DOWN" => Some(false),
                    _ => None,
                }),
            message: told
                .and_then(|t| t.status_message())
                .unwrap_or_default()
                .to_owned(),
            accepted_routes: positive(told.and_then(ec2::VgwTelemetry::accepted_route_count)),
            outside_address: outside,
        },
        policy: TunnelPolicy {
            phase1_encryption: words(o.phase1_encryption_algorithms, |v| v.value),
            phase1_integrity: words(o.phase1_integrity_algorithms, |v| v.value),
            phase1_dh_groups: numbers(o.phase1_dh_group_numbers, |v| v.value),
            phase1_lifetime_seconds: positive(o.phase1_lifetime_seconds),
            phase2_encryption: words(o.phase2_encryption_algorithms, |v| v.value),
            phase2_integrity: words(o.phase2_integrity_algorithms, |v| v.value),
            phase2_dh_groups: numbers(o.phase2_dh_group_numbers, |v| v.value),
            phase2_lifetime_seconds: positive(o.phase2_lifetime_seconds),
            ike_versions: words(o.ike_versions, |v| v.value),
        },
        dpd_timeout_seconds: positive(o.dpd_timeout_seconds),
        startup_action: o.startup_action,
        pre_shared_key: o.pre_shared_key.map(Secret::new),
    }
}

fn words<T>(list: Option<Vec<T>>, value: impl Fn(T) -> Option<String>) -> Vec<String> {
    let mut out: Vec<String> = list
        .unwrap_or_default()
        .into_iter()
        .filter_map(value)
        .collect();
    out.sort();
    out
}

fn numbers<T>(list: Option<Vec<T>>, value: impl Fn(T) -> Option<i32>) -> Vec<u32> {
    let mut out: Vec<u32> = list
        .unwrap_or_default()
        .into_iter()
        .filter_map(value)
        .filter_map(|n| u32::try_from(n).ok())
        .collect();
    out.sort_unstable();
    out
}

/// The fields of a virtual interface, from any of the four answers that carry them.
pub(super) fn vif(v: dx::VirtualInterface) -> Vif {
    Vif {
        id: v.virtual_interface_id.unwrap_or_default(),
        name: v.virtual_interface_name.unwrap_or_default(),
        state: vif_state(v.virtual_interface_state.as_ref()),
        kind: v.virtual_interface_type.unwrap_or_default(),
        region: v.region,
        owner_account: v.owner_account,
        connection_id: v.connection_id,
        location: v.location,
        vlan: u32::try_from(v.vlan).unwrap_or_default(),
        asn: dx_asn(v.asn_long, v.asn),
        amazon_asn: v.amazon_side_asn.and_then(asn),
        amazon_address: v.amazon_address,
        customer_address: v.customer_address,
        mtu: v.mtu.and_then(|m| u32::try_from(m).ok()),
        dx_gateway_id: v.direct_connect_gateway_id.filter(|g| !g.is_empty()),
        vpn_gateway_id: v.virtual_gateway_id.filter(|g| !g.is_empty()),
        peers: v
            .bgp_peers
            .unwrap_or_default()
            .into_iter()
            .map(peer)
            .collect(),
        auth_key: v.auth_key.map(Secret::new),
        tags: dx_tags(v.tags),
    }
}

pub(super) fn vif_state(s: Option<&dx::VirtualInterfaceState>) -> VifState {
    VifState::parse(s.map(dx::VirtualInterfaceState::as_str).unwrap_or_default())
}

fn peer(p: dx::BgpPeer) -> VifPeerRow {
    VifPeerRow {
        id: p.bgp_peer_id.unwrap_or_default(),
        asn: dx_asn(p.asn_long, p.asn),
        amazon_address: p.amazon_address.unwrap_or_default(),
        customer_address: p.customer_address.unwrap_or_default(),
        peer_state: p
            .bgp_peer_state
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
        status: p
            .bgp_status
            .map(|s| s.as_str().to_owned())
            .unwrap_or_default(),
    }
}

pub(super) fn vif_route(r: dx::Route) -> Option<VifRouteRow> {
    Some(VifRouteRow {
        cidr: r.cidr?,
        direction: match r.route_direction?.as_str() {
            "accepted" => VifDirection::Accepted,
            "advertised" => VifDirection::Advertised,
            _ => return None,
        },
        as_path: r
            .as_path
            .unwrap_or_default()
            .into_iter()
            .flat_map(|s| s.path.unwrap_or_default())
            .filter_map(|n| u32::try_from(n).ok())
            .collect(),
        communities: r.communities.unwrap_or_default(),
    })
}

pub(super) fn dx_gateway(g: dx::DirectConnectGateway) -> DxGateway {
    DxGateway {
        id: g.direct_connect_gateway_id.unwrap_or_default(),
        name: g.direct_connect_gateway_name.unwrap_or_default(),
        state: state(
            g.direct_connect_gateway_state
                .as_ref()
                .map(dx::DirectConnectGatewayState::as_str),
        ),
        amazon_asn: g.amazon_side_asn.and_then(asn),
        owner_account: g.owner_account,
        state_change_error: g.state_change_error.filter(|e| !e.is_empty()),
        tags: dx_tags(g.tags),
    }
}

pub(super) fn association(a: dx::DirectConnectGatewayAssociation) -> DxAssociation {
    let gateway = a
        .associated_gateway
        .and_then(|g| g.id)
        .or(a.virtual_gateway_id);
    let mut allowed_prefixes: Vec<Ipv4Net> = a
        .allowed_prefixes_to_direct_connect_gateway
        .unwrap_or_default()
        .into_iter()
        .filter_map(|p| p.cidr?.parse().ok())
        .collect();
    allowed_prefixes.sort();
    DxAssociation {
        id: a.association_id.unwrap_or_default(),
        dx_gateway_id: a.direct_connect_gateway_id.unwrap_or_default(),
        gateway_id: gateway.unwrap_or_default(),
        state: AssociationState::parse(
            a.association_state
                .as_ref()
                .map(dx::DirectConnectGatewayAssociationState::as_str)
                .unwrap_or_default(),
        ),
        allowed_prefixes,
        state_change_error: a.state_change_error.filter(|e| !e.is_empty()),
    }
}

pub(super) fn attachment(a: dx::DirectConnectGatewayAttachment) -> DxAttachment {
    DxAttachment {
        dx_gateway_id: a.direct_connect_gateway_id.unwrap_or_default(),
        vif_id: a.virtual_interface_id.unwrap_or_default(),
        state: AttachmentState::parse(
            a.attachment_state
                .as_ref()
                .map(dx::DirectConnectGatewayAttachmentState::as_str)
                .unwrap_or_default(),
        ),
        region: a.virtual_interface_region,
        owner_account: a.virtual_interface_owner_account,
        state_change_error: a.state_change_error.filter(|e| !e.is_empty()),
    }
}

pub(super) fn connection(c: dx::Connection) -> HostedConnection {
    HostedConnection {
        id: c.connection_id.unwrap_or_default(),
        name: c.connection_name.unwrap_or_default(),
        state: connection_state(c.connection_state.as_ref()),
        vlan: u32::try_from(c.vlan).unwrap_or_default(),
        bandwidth: c.bandwidth,
        location: c.location,
        partner: c.partner_name,
        tags: dx_tags(c.tags),
    }
}

pub(super) fn connection_state(s: Option<&dx::ConnectionState>) -> ConnectionState {
    ConnectionState::parse(s.map(dx::ConnectionState::as_str).unwrap_or_default())
}
