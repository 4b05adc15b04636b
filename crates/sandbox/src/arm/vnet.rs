//! Virtual networks, subnets, route tables, security groups (azure.md §5.1, §5.2).

use super::errors::{ArmError, ArmResult};
use super::ids::{Child, Kind, Name, same};
use super::plan::{Input, Lock, Plan, required};
use super::seed;
use super::shape::{Shape, Ty};
use super::store::{list, named, text};
use crate::state::State;
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};

const PREFIXES: Shape = Shape {
    name: "AddressSpace",
    fields: &[
        ("addressPrefixes", Ty::Strs),
        ("ipamPoolPrefixAllocations", Ty::ReadOnly),
    ],
};
static DHCP: Shape = Shape {
    name: "DhcpOptions",
    fields: &[("dnsServers", Ty::Strs)],
};
static ADDRESS_SPACE: Shape = PREFIXES;

/// Local network gateways use the same type.
pub static ADDRESSES: Shape = PREFIXES;

pub static SUBNET: Shape = Shape {
    name: "SubnetPropertiesFormat",
    fields: &[
        ("addressPrefix", Ty::Str),
        ("addressPrefixes", Ty::Strs),
        ("networkSecurityGroup", Ty::Ref),
        ("routeTable", Ty::Ref),
        ("natGateway", Ty::Ref),
        ("serviceEndpoints", Ty::Any),
        ("serviceEndpointPolicies", Ty::Any),
        ("delegations", Ty::Any),
        (
            "privateEndpointNetworkPolicies",
            Ty::Enum(&[
                "Enabled",
                "Disabled",
                "NetworkSecurityGroupEnabled",
                "RouteTableEnabled",
            ]),
        ),
        (
            "privateLinkServiceNetworkPolicies",
            Ty::Enum(&["Enabled", "Disabled"]),
        ),
        ("sharingScope", Ty::Enum(&["Tenant", "DelegatedServices"])),
        ("defaultOutboundAccess", Ty::Bool),
        ("privateEndpoints", Ty::ReadOnly),
        ("ipConfigurations", Ty::ReadOnly),
        ("ipConfigurationProfiles", Ty::ReadOnly),
        ("ipAllocations", Ty::ReadOnly),
        ("resourceNavigationLinks", Ty::ReadOnly),
        ("serviceAssociationLinks", Ty::ReadOnly),
        ("purpose", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("applicationGatewayIPConfigurations", Ty::ReadOnly),
        ("ipamPoolPrefixAllocations", Ty::ReadOnly),
        ("serviceGateway", Ty::ReadOnly),
    ],
};

/// A child as it stands in its parent's body.
macro_rules! child_shape {
    ($name:ident, $service_name:literal, $properties:expr) => {
        pub static $name: Shape = Shape {
            name: $service_name,
            fields: &[
                ("name", Ty::Str),
                ("properties", Ty::Obj($properties)),
                ("id", Ty::ReadOnly),
                ("etag", Ty::ReadOnly),
                ("type", Ty::ReadOnly),
            ],
        };
    };
}
pub(super) use child_shape;

child_shape!(SUBNET_ENTRY, "Subnet", &SUBNET);

static VNET: Shape = Shape {
    name: "VirtualNetworkPropertiesFormat",
    fields: &[
        ("addressSpace", Ty::Obj(&ADDRESS_SPACE)),
        ("dhcpOptions", Ty::Obj(&DHCP)),
        ("flowTimeoutInMinutes", Ty::Int(4, 30)),
        ("subnets", Ty::List(&SUBNET_ENTRY)),
        ("enableDdosProtection", Ty::Bool),
        ("enableVmProtection", Ty::Bool),
        (
            "privateEndpointVNetPolicies",
            Ty::Enum(&["Disabled", "Basic"]),
        ),
        ("virtualNetworkPeerings", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("ddosProtectionPlan", Ty::ReadOnly),
        ("bgpCommunities", Ty::ReadOnly),
        ("encryption", Ty::ReadOnly),
        ("ipAllocations", Ty::ReadOnly),
        ("flowLogs", Ty::ReadOnly),
        ("defaultPublicNatGateway", Ty::ReadOnly),
        ("summarizedGatewayPrefixes", Ty::ReadOnly),
    ],
};

pub static ROUTE: Shape = Shape {
    name: "RoutePropertiesFormat",
    fields: &[
        ("addressPrefix", Ty::Str),
        (
            "nextHopType",
            Ty::Enum(&[
                "VirtualNetworkGateway",
                "VnetLocal",
                "Internet",
                "VirtualAppliance",
                "VirtualApplianceEcmp",
                "None",
            ]),
        ),
        ("nextHopIpAddress", Ty::Str),
        ("nextHop", Ty::Any),
        ("provisioningState", Ty::ReadOnly),
        ("hasBgpOverride", Ty::ReadOnly),
    ],
};
child_shape!(ROUTE_ENTRY, "Route", &ROUTE);

static TABLE: Shape = Shape {
    name: "RouteTablePropertiesFormat",
    fields: &[
        ("routes", Ty::List(&ROUTE_ENTRY)),
        ("disableBgpRoutePropagation", Ty::Bool),
        ("disablePeeringRoute", Ty::Enum(&["None", "All"])),
        ("subnets", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
    ],
};

static RULE: Shape = Shape {
    name: "SecurityRulePropertiesFormat",
    fields: &[
        ("description", Ty::Str),
        (
            "protocol",
            Ty::Enum(&["Tcp", "Udp", "Icmp", "Esp", "*", "Ah"]),
        ),
        ("sourcePortRange", Ty::Str),
        ("destinationPortRange", Ty::Str),
        ("sourceAddressPrefix", Ty::Str),
        ("sourceAddressPrefixes", Ty::Strs),
        ("destinationAddressPrefix", Ty::Str),
        ("destinationAddressPrefixes", Ty::Strs),
        ("sourcePortRanges", Ty::Strs),
        ("destinationPortRanges", Ty::Strs),
        ("access", Ty::Enum(&["Allow", "Deny"])),
        ("priority", Ty::Int(100, 4096)),
        ("direction", Ty::Enum(&["Inbound", "Outbound"])),
        ("sourceApplicationSecurityGroups", Ty::ReadOnly),
        ("destinationApplicationSecurityGroups", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
    ],
};
child_shape!(RULE_ENTRY, "SecurityRule", &RULE);

static SECURITY_GROUP: Shape = Shape {
    name: "NetworkSecurityGroupPropertiesFormat",
    fields: &[
        ("flushConnection", Ty::Bool),
        ("securityRules", Ty::List(&RULE_ENTRY)),
        ("defaultSecurityRules", Ty::ReadOnly),
        ("networkInterfaces", Ty::ReadOnly),
        ("subnets", Ty::ReadOnly),
        ("flowLogs", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
    ],
};

/// Parses a prefix as the service does: host bits must be zero.
pub fn prefix(textual: &str, owner: &str) -> ArmResult<Ipv4Net> {
    textual
        .parse::<Ipv4Net>()
        .ok()
        .filter(|n| n.addr() == n.network())
        .ok_or_else(|| {
            ArmError::bad(
                "InvalidAddressPrefixFormat",
                format!("Address prefix {textual} of resource {owner} is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24."),
            )
        })
}

/// The IPv4 prefixes of a subnet's properties (either spelling).
pub fn subnet_prefixes(properties: &Value) -> Vec<Ipv4Net> {
    let one = properties["addressPrefix"].as_str();
    one.into_iter()
        .chain(list(&properties["addressPrefixes"]).iter().map(text))
        .filter_map(|p| p.parse().ok())
        .collect()
}

pub fn vnet_prefixes(properties: &Value) -> Vec<Ipv4Net> {
    list(&properties["addressSpace"]["addressPrefixes"])
        .iter()
        .filter_map(|p| text(p).parse().ok())
        .collect()
}

pub fn is_gateway_subnet(name: &str) -> bool {
    name.eq_ignore_ascii_case("GatewaySubnet")
}

/// Who uses a subnet: IDs of IP configurations of interfaces and gateways.
pub fn subnet_users(state: &State, subnet_id: &str) -> Vec<String> {
    let mut users = Vec::new();
    for kind in [Kind::NetworkInterface, Kind::VirtualNetworkGateway] {
        for (_, r) in state.azure.of_kind(kind) {
            for c in list(&r.props()["ipConfigurations"]) {
                if same(text(&c["properties"]["subnet"]["id"]), subnet_id) {
                    users.push(text(&c["id"]).to_owned());
                }
            }
        }
    }
    if let Some((until, by)) = state.azure.lingering.get(&subnet_id.to_lowercase())
        && *until > state.now
    {
        users.push(by.clone());
    }
    users
}

pub fn in_use_subnet(subnet: &str, user: &str) -> ArmError {
    ArmError::bad(
        "InUseSubnetCannotBeDeleted",
        format!(
            "Subnet {subnet} is in use by {user} and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet. See aka.ms/deletesubnet."
        ),
    )
}

/// Checks a subnet's properties against its network and makes them complete.
pub fn subnet(
    state: &State,
    vnet: &Name,
    space: &[Ipv4Net],
    siblings: &[Value],
    name: &str,
    given: Map<String, Value>,
) -> ArmResult<(Value, Vec<String>)> {
    let id = format!("{}/subnets/{name}", vnet.id());
    let mut properties = Value::Object(given);
    let textual: Vec<&str> = properties["addressPrefix"]
        .as_str()
        .into_iter()
        .chain(list(&properties["addressPrefixes"]).iter().map(text))
        .collect();
    if textual.is_empty() {
        return Err(ArmError::bad(
            "InvalidRequestFormat",
            format!("Subnet {id} has neither addressPrefix nor addressPrefixes."),
        ));
    }
    for t in textual {
        let p = prefix(t, &id)?;
        if !space.iter().any(|s| s.contains(&p)) {
            return Err(ArmError::bad(
                "NetcfgInvalidSubnet",
                format!(
                    "Subnet '{name}' is not valid in virtual network '{}'.",
                    vnet.name
                ),
            ));
        }
        if p.prefix_len() > 29 {
            return Err(ArmError::bad(
                "NetcfgInvalidSubnet",
                format!("Subnet '{name}' is too small: the smallest subnet is a /29."),
            ));
        }
        let overlap = siblings.iter().find(|s| {
            !text(&s["name"]).eq_ignore_ascii_case(name)
                && subnet_prefixes(&s["properties"])
                    .iter()
                    .any(|q| q.contains(&p) || p.contains(q))
        });
        if let Some(other) = overlap {
            return Err(ArmError::bad(
                "NetcfgSubnetRangesOverlap",
                format!(
                    "Subnet '{name}' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '{}': '{}'.",
                    vnet.name,
                    text(&other["name"])
                ),
            ));
        }
    }
    let mut uses = Vec::new();
    for (member, kind) in [
        ("routeTable", Kind::RouteTable),
        ("networkSecurityGroup", Kind::SecurityGroup),
    ] {
        let Some(used) = properties[member]["id"].as_str() else {
            continue;
        };
        let path = format!("properties.{member}");
        let found = super::ids::reference(used).filter(|r| r.name.kind == kind);
        let Some(found) = found else {
            return Err(ArmError::wrong_type(
                used,
                &path,
                &format!("Microsoft.Network/{}", kind.path()),
            ));
        };
        let Some(resource) = state.azure.get(used) else {
            return Err(ArmError::dangling(used, &id));
        };
        let proper = resource.id();
        if is_gateway_subnet(name) {
            gateway_subnet_rules(kind, &found.name.name, resource.props())?;
        }
        uses.push(proper.clone());
        properties[member] = json!({"id": proper});
    }
    seed::subnet_defaults(&mut properties);
    Ok((properties, uses))
}

/// What GatewaySubnet may not carry (azure.md §5.1).
pub fn gateway_subnet_rules(kind: Kind, name: &str, properties: &Value) -> ArmResult<()> {
    if kind == Kind::SecurityGroup {
        return Err(ArmError::bad(
            "NetworkSecurityGroupCannotBeAttachedToGatewaySubnet",
            format!(
                "The operation failed because the network security group {name} can not be associated to the GatewaySubnet. Please remove the network security group associated to the GatewaySubnet. No changes have occurred on the gateway at this time. See here for additional details: https://aka.ms/GatewaySubnet."
            ),
        ));
    }
    // No public source names the codes of these two.
    if list(&properties["routes"])
        .iter()
        .any(|r| text(&r["properties"]["addressPrefix"]) == "0.0.0.0/0")
    {
        return Err(ArmError::bad(
            "RouteTableCannotBeAttachedToGatewaySubnet",
            format!(
                "Route table {name} has a route for 0.0.0.0/0, which is not allowed on the GatewaySubnet. See https://aka.ms/GatewaySubnet."
            ),
        ));
    }
    if properties["disableBgpRoutePropagation"] == true {
        return Err(ArmError::bad(
            "RouteTableCannotBeAttachedToGatewaySubnet",
            format!(
                "Route table {name} disables BGP route propagation, which is not allowed on the GatewaySubnet. See https://aka.ms/GatewaySubnet."
            ),
        ));
    }
    Ok(())
}

pub fn virtual_network(input: &Input<'_>) -> ArmResult<Plan> {
    let given = VNET.read(input.properties, "properties")?;
    let id = input.name.id();
    let space_value = required(&given, "addressSpace", "VirtualNetworkPropertiesFormat")?;
    let mut space = Vec::new();
    for p in list(&space_value["addressPrefixes"]) {
        space.push(prefix(text(p), &id)?);
    }
    if space.is_empty() {
        return Err(ArmError::bad(
            "NetcfgInvalidVirtualNetworkSite",
            format!("Virtual network {id} has no address prefix."),
        ));
    }
    let old = list(input.before("subnets")).to_vec();
    let mut uses = Vec::new();
    // Since 2023-09-01 an absent list keeps the subnets, an empty one deletes them (azure.md §5.2).
    let subnets = match given.get("subnets") {
        None => old.clone(),
        Some(new) => {
            let mut out = Vec::new();
            for entry in list(new) {
                let name = text(&entry["name"]).to_owned();
                let props = entry["properties"].as_object().cloned().unwrap_or_default();
                let (p, u) = subnet(input.state, input.name, &space, &out, &name, props)?;
                uses.extend(u);
                out.push(seed::child(input.name, Child::Subnet, &name, p));
            }
            out
        }
    };
    for s in &old {
        let name = text(&s["name"]);
        let kept = subnets
            .iter()
            .any(|n| text(&n["name"]).eq_ignore_ascii_case(name));
        if !kept && let Some(user) = subnet_users(input.state, text(&s["id"])).first() {
            return Err(in_use_subnet(name, user));
        }
    }
    for s in &subnets {
        for p in subnet_prefixes(&s["properties"]) {
            if !space.iter().any(|a| a.contains(&p)) {
                return Err(ArmError::bad(
                    "NetcfgInvalidSubnet",
                    format!(
                        "Subnet '{}' is not valid in virtual network '{}'.",
                        text(&s["name"]),
                        input.name.name
                    ),
                ));
            }
        }
    }
    let mut properties = given;
    properties.insert("subnets".into(), subnets.into());
    properties
        .entry("virtualNetworkPeerings")
        .or_insert_with(|| json!([]));
    properties
        .entry("enableDdosProtection")
        .or_insert(false.into());
    Ok(Plan {
        properties,
        uses,
        locks: vec![Lock::on("vnet", &id)],
        create_duration: "arm.virtualNetwork",
        update_duration: "arm.virtualNetwork",
        ..Plan::default()
    })
}

pub fn route(id: &str, given: &Map<String, Value>) -> ArmResult<Value> {
    let to = required(given, "addressPrefix", "RoutePropertiesFormat")?;
    // A service tag may stand in for a prefix; it has no digit at its start.
    if text(to).starts_with(|c: char| c.is_ascii_digit()) {
        prefix(text(to), id)?;
    }
    let hop = text(required(given, "nextHopType", "RoutePropertiesFormat")?);
    let address = given.get("nextHopIpAddress").map(text);
    match (hop, address) {
        ("VirtualAppliance", None | Some("")) => Err(ArmError::bad(
            "RouteNextHopIpAddressRequired",
            format!("Route {id} has nextHopType VirtualAppliance and needs nextHopIpAddress."),
        )),
        ("VirtualAppliance", Some(a)) if a.parse::<std::net::Ipv4Addr>().is_err() => {
            Err(ArmError::bad(
                "InvalidIPAddress",
                format!("nextHopIpAddress {a} of route {id} is not an IP address."),
            ))
        }
        ("VirtualAppliance" | "VirtualApplianceEcmp", _) | (_, None | Some("")) => {
            let mut p = Value::Object(given.clone());
            p["hasBgpOverride"] = false.into();
            Ok(p)
        }
        (_, Some(_)) => Err(ArmError::bad(
            "RouteNextHopIpAddressNotAllowed",
            format!("Route {id} has nextHopType {hop}, which takes no nextHopIpAddress."),
        )),
    }
}

/// The subnets that a route table or security group is on.
pub fn attached_subnets(state: &State, id: &str, member: &str) -> Vec<String> {
    state
        .azure
        .of_kind(Kind::VirtualNetwork)
        .flat_map(|(_, v)| list(&v.props()["subnets"]))
        .filter(|s| same(text(&s["properties"][member]["id"]), id))
        .map(|s| text(&s["id"]).to_owned())
        .collect()
}

pub fn route_table(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = TABLE.read(input.properties, "properties")?;
    let id = input.name.id();
    let mut routes: Vec<Value> = Vec::new();
    for entry in given.get("routes").map(list).unwrap_or_default() {
        let name = text(&entry["name"]);
        let route_id = format!("{id}/routes/{name}");
        let props = entry["properties"].as_object().cloned().unwrap_or_default();
        if named(&Value::Array(routes.clone()), name).is_some() {
            return Err(ArmError::bad(
                "DuplicateResourceName",
                format!("There is more than one route {route_id}."),
            ));
        }
        let p = route(&route_id, &props)?;
        routes.push(seed::child(input.name, Child::Route, name, p));
    }
    given.insert("routes".into(), routes.into());
    given
        .entry("disableBgpRoutePropagation")
        .or_insert(false.into());
    let on = attached_subnets(input.state, &id, "routeTable");
    let after = Value::Object(given.clone());
    for subnet in &on {
        if is_gateway_subnet(subnet.rsplit('/').next().unwrap_or_default()) {
            gateway_subnet_rules(Kind::RouteTable, &input.name.name, &after)?;
        }
    }
    Ok(Plan {
        properties: given,
        create_duration: "arm.routeTable",
        update_duration: "arm.routeTable",
        ..Plan::default()
    })
}

pub fn security_group(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = SECURITY_GROUP.read(input.properties, "properties")?;
    let mut rules = Vec::new();
    for entry in given.get("securityRules").map(list).unwrap_or_default() {
        let name = text(&entry["name"]);
        for member in ["protocol", "access", "priority", "direction"] {
            if entry["properties"][member].is_null() {
                return Err(ArmError::bad(
                    "MissingJsonProperty",
                    format!("Required property '{member}' of security rule {name} is missing."),
                ));
            }
        }
        let mut rule = entry.clone();
        rule["id"] = format!("{}/securityRules/{name}", input.name.id()).into();
        rule["type"] = "Microsoft.Network/networkSecurityGroups/securityRules".into();
        rule["properties"]["provisioningState"] = "Succeeded".into();
        rules.push(rule);
    }
    given.insert("securityRules".into(), rules.into());
    Ok(Plan {
        properties: given,
        create_duration: "arm.networkSecurityGroup",
        update_duration: "arm.networkSecurityGroup",
        ..Plan::default()
    })
}
