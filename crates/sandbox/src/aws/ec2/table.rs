//! Which operations EC2 has here and which parameters each one knows (aws.md §2.2, §2.3; names as on the wire, `#` for
//! a number).

use super::fault::Fault;
use super::{Ctx, change, connection, customer, tags, vgw, vpc, vpn_status};
use crate::aws::xml::Xml;

/// An operation of the API.
pub struct Operation {
    pub name: &'static str,
    pub parameters: &'static [&'static [&'static str]],
    pub run: fn(&mut Ctx<'_>) -> Result<Xml, Fault>,
}

const FILTERS: &[&str] = &["Filter.#.Name", "Filter.#.Value.#"];
const PAGES: &[&str] = &["MaxResults", "NextToken"];
const TAG_SPECIFICATIONS: &[&str] = &[
    "TagSpecification.#.ResourceType",
    "TagSpecification.#.Tag.#.Key",
    "TagSpecification.#.Tag.#.Value",
];
const TUNNEL: &[&str] = &["VpnConnectionId", "VpnTunnelOutsideIpAddress"];

macro_rules! tunnel_options {
    ($prefix:literal) => {
        &[
            concat!($prefix, "TunnelInsideCidr"),
            concat!($prefix, "TunnelInsideIpv6Cidr"),
            concat!($prefix, "PreSharedKey"),
            concat!($prefix, "Phase1LifetimeSeconds"),
            concat!($prefix, "Phase2LifetimeSeconds"),
            concat!($prefix, "RekeyMarginTimeSeconds"),
            concat!($prefix, "RekeyFuzzPercentage"),
            concat!($prefix, "ReplayWindowSize"),
            concat!($prefix, "DPDTimeoutSeconds"),
            concat!($prefix, "DPDTimeoutAction"),
            concat!($prefix, "Phase1EncryptionAlgorithm.#.Value"),
            concat!($prefix, "Phase2EncryptionAlgorithm.#.Value"),
            concat!($prefix, "Phase1IntegrityAlgorithm.#.Value"),
            concat!($prefix, "Phase2IntegrityAlgorithm.#.Value"),
            concat!($prefix, "Phase1DHGroupNumber.#.Value"),
            concat!($prefix, "Phase2DHGroupNumber.#.Value"),
            concat!($prefix, "IKEVersion.#.Value"),
            concat!($prefix, "StartupAction"),
            concat!($prefix, "EnableTunnelLifecycleControl"),
            concat!($prefix, "LogOptions.CloudWatchLogOptions.LogEnabled"),
            concat!($prefix, "LogOptions.CloudWatchLogOptions.LogGroupArn"),
            concat!($prefix, "LogOptions.CloudWatchLogOptions.LogOutputFormat"),
            concat!($prefix, "LogOptions.CloudWatchLogOptions.BgpLogEnabled"),
            concat!($prefix, "LogOptions.CloudWatchLogOptions.BgpLogGroupArn"),
            concat!(
                $prefix,
                "LogOptions.CloudWatchLogOptions.BgpLogOutputFormat"
            ),
        ]
    };
}

macro_rules! op {
    ($name:literal, $run:path $(, $parameters:expr)*) => {
        Operation { name: $name, parameters: &[$($parameters),*], run: $run }
    };
}

const OPERATIONS: &[Operation] = &[
    op!(
        "DescribeVpcs",
        vpc::describe_vpcs,
        FILTERS,
        PAGES,
        &["VpcId.#"]
    ),
    op!("DeleteVpc", vpc::delete_vpc, &["VpcId"]),
    op!(
        "DescribeSubnets",
        vpc::describe_subnets,
        FILTERS,
        PAGES,
        &["SubnetId.#"]
    ),
    op!(
        "DescribeRouteTables",
        vpc::describe_route_tables,
        FILTERS,
        PAGES,
        &["RouteTableId.#"]
    ),
    op!(
        "DescribeInstances",
        vpc::describe_instances,
        FILTERS,
        PAGES,
        &["InstanceId.#"]
    ),
    op!(
        "DescribeRegions",
        vpc::describe_regions,
        FILTERS,
        &["RegionName.#", "AllRegions"]
    ),
    op!(
        "DescribeAvailabilityZones",
        vpc::describe_zones,
        FILTERS,
        &["ZoneName.#", "ZoneId.#", "AllAvailabilityZones"]
    ),
    op!(
        "CreateVpnGateway",
        vgw::create,
        TAG_SPECIFICATIONS,
        &["Type", "AmazonSideAsn", "AvailabilityZone"]
    ),
    op!(
        "DescribeVpnGateways",
        vgw::describe,
        FILTERS,
        &["VpnGatewayId.#"]
    ),
    op!("AttachVpnGateway", vgw::attach, &["VpcId", "VpnGatewayId"]),
    op!("DetachVpnGateway", vgw::detach, &["VpcId", "VpnGatewayId"]),
    op!("DeleteVpnGateway", vgw::delete, &["VpnGatewayId"]),
    op!(
        "EnableVgwRoutePropagation",
        vgw::enable_propagation,
        &["GatewayId", "RouteTableId"]
    ),
    op!(
        "DisableVgwRoutePropagation",
        vgw::disable_propagation,
        &["GatewayId", "RouteTableId"]
    ),
    op!(
        "CreateCustomerGateway",
        customer::create,
        TAG_SPECIFICATIONS,
        &[
            "Type",
            "BgpAsn",
            "BgpAsnExtended",
            "PublicIp",
            "IpAddress",
            "CertificateArn",
            "DeviceName"
        ]
    ),
    op!(
        "DescribeCustomerGateways",
        customer::describe,
        FILTERS,
        &["CustomerGatewayId.#"]
    ),
    op!(
        "DeleteCustomerGateway",
        customer::delete,
        &["CustomerGatewayId"]
    ),
    op!(
        "CreateVpnConnection",
        connection::create,
        TAG_SPECIFICATIONS,
        tunnel_options!("Options.TunnelOptions.#."),
        &[
            "CustomerGatewayId",
            "Type",
            "VpnGatewayId",
            "TransitGatewayId",
            "VpnConcentratorId",
            "PreSharedKeyStorage",
            "Options.StaticRoutesOnly",
            "Options.EnableAcceleration",
            "Options.TunnelInsideIpVersion",
            "Options.LocalIpv4NetworkCidr",
            "Options.RemoteIpv4NetworkCidr",
            "Options.LocalIpv6NetworkCidr",
            "Options.RemoteIpv6NetworkCidr",
            "Options.OutsideIpAddressType",
            "Options.TransportTransitGatewayAttachmentId",
            "Options.TunnelBandwidth"
        ]
    ),
    op!(
        "DescribeVpnConnections",
        connection::describe,
        FILTERS,
        &["VpnConnectionId.#"]
    ),
    op!(
        "ModifyVpnConnection",
        change::modify_target,
        &[
            "VpnConnectionId",
            "CustomerGatewayId",
            "VpnGatewayId",
            "TransitGatewayId"
        ]
    ),
    op!(
        "ModifyVpnConnectionOptions",
        change::modify_options,
        &[
            "VpnConnectionId",
            "LocalIpv4NetworkCidr",
            "RemoteIpv4NetworkCidr",
            "LocalIpv6NetworkCidr",
            "RemoteIpv6NetworkCidr",
            "TunnelBandwidth"
        ]
    ),
    op!(
        "ModifyVpnTunnelOptions",
        change::modify_tunnel,
        TUNNEL,
        tunnel_options!("TunnelOptions."),
        &["SkipTunnelReplacement", "PreSharedKeyStorage"]
    ),
    op!(
        "ReplaceVpnTunnel",
        change::replace,
        TUNNEL,
        &["ApplyPendingMaintenance"]
    ),
    op!(
        "DeleteVpnConnection",
        connection::delete,
        &["VpnConnectionId"]
    ),
    op!(
        "GetActiveVpnTunnelStatus",
        vpn_status::active_status,
        TUNNEL
    ),
    op!(
        "GetVpnTunnelReplacementStatus",
        vpn_status::replacement_status,
        TUNNEL
    ),
    op!(
        "CreateTags",
        tags::create,
        &["ResourceId.#", "Tag.#.Key", "Tag.#.Value"]
    ),
    op!(
        "DeleteTags",
        tags::delete,
        &["ResourceId.#", "Tag.#.Key", "Tag.#.Value"]
    ),
    op!("DescribeTags", tags::describe, FILTERS, PAGES),
];

pub fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|o| o.name == name)
}
