//! Virtual network gateways of both types (azure.md §3.2 to §3.4).

use super::address::{self, BGP};
use super::errors::{ArmError, ArmResult};
use super::ids::{Kind, reference, same};
use super::plan::{Input, Lock, Plan, flag, required};
use super::shape::{Shape, Ty};
use super::store::{Resource, list, named, text};
use super::vnet::{self, ADDRESSES, gateway_subnet_rules, is_gateway_subnet};
use super::vpn_gateway;
use crate::ledger::ProductKind;
use crate::state::State;
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

static IP_CONFIGURATION: Shape = Shape {
    name: "VirtualNetworkGatewayIPConfigurationPropertiesFormat",
    fields: &[
        (
            "privateIPAllocationMethod",
            Ty::Enum(&["Static", "Dynamic"]),
        ),
        ("subnet", Ty::Ref),
        ("publicIPAddress", Ty::Ref),
        ("privateIPAddress", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
    ],
};
vnet::child_shape!(
    IP_CONFIGURATION_ENTRY,
    "VirtualNetworkGatewayIPConfiguration",
    &IP_CONFIGURATION
);
static SKU: Shape = Shape {
    name: "VirtualNetworkGatewaySku",
    fields: &[
        ("name", Ty::Enum(SKUS)),
        ("tier", Ty::Enum(SKUS)),
        ("capacity", Ty::ReadOnly),
    ],
};
const SKUS: &[&str] = &[
    "Basic",
    "HighPerformance",
    "Standard",
    "UltraPerformance",
    "VpnGw1",
    "VpnGw2",
    "VpnGw3",
    "VpnGw4",
    "VpnGw5",
    "VpnGw1AZ",
    "VpnGw2AZ",
    "VpnGw3AZ",
    "VpnGw4AZ",
    "VpnGw5AZ",
    "ErGw1AZ",
    "ErGw2AZ",
    "ErGw3AZ",
    "ErGwScale",
];
static BOUNDS: Shape = Shape {
    name: "VirtualNetworkGatewayAutoScaleBounds",
    fields: &[("min", Ty::Int(1, 40)), ("max", Ty::Int(1, 40))],
};
static AUTO_SCALE: Shape = Shape {
    name: "VirtualNetworkGatewayAutoScaleConfiguration",
    fields: &[("bounds", Ty::Obj(&BOUNDS))],
};
static GATEWAY: Shape = Shape {
    name: "VirtualNetworkGatewayPropertiesFormat",
    fields: &[
        ("autoScaleConfiguration", Ty::Obj(&AUTO_SCALE)),
        ("ipConfigurations", Ty::List(&IP_CONFIGURATION_ENTRY)),
        (
            "gatewayType",
            Ty::Enum(&["Vpn", "ExpressRoute", "LocalGateway"]),
        ),
        ("vpnType", Ty::Enum(&["PolicyBased", "RouteBased"])),
        (
            "vpnGatewayGeneration",
            Ty::Enum(&["None", "Generation1", "Generation2"]),
        ),
        ("enableBgp", Ty::Bool),
        ("enablePrivateIpAddress", Ty::Bool),
        ("activeActive", Ty::Bool),
        ("disableIPSecReplayProtection", Ty::Bool),
        ("sku", Ty::Obj(&SKU)),
        ("bgpSettings", Ty::Obj(&BGP)),
        ("customRoutes", Ty::Obj(&ADDRESSES)),
        ("enableDnsForwarding", Ty::Bool),
        ("enableBgpRouteTranslationForNat", Ty::Bool),
        ("allowVirtualWanTraffic", Ty::Bool),
        ("allowRemoteVnetTraffic", Ty::Bool),
        ("adminState", Ty::Enum(&["Enabled", "Disabled"])),
        ("resiliencyModel", Ty::Enum(&["SingleHomed", "MultiHomed"])),
        ("virtualNetworkGatewayMigrationStatus", Ty::ReadOnly),
        ("enableHighBandwidthVpnGateway", Ty::ReadOnly),
        ("gatewayDefaultSite", Ty::ReadOnly),
        ("vpnClientConfiguration", Ty::ReadOnly),
        ("virtualNetworkGatewayPolicyGroups", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("inboundDnsForwardingEndpoint", Ty::ReadOnly),
        ("vNetExtendedLocationResourceId", Ty::ReadOnly),
        ("natRules", Ty::ReadOnly),
    ],
};

/// The VNet (its ID in the service's spelling) of a gateway body.
pub fn vnet_of(properties: &Value) -> String {
    list(&properties["ipConfigurations"])
        .first()
        .and_then(|c| reference(text(&c["properties"]["subnet"]["id"])))
        .map(|r| r.name.id())
        .unwrap_or_default()
}

/// Gateways in a VNet.
pub fn in_vnet<'a>(state: &'a State, vnet: &'a str) -> impl Iterator<Item = &'a Resource> {
    state
        .azure
        .of_kind(Kind::VirtualNetworkGateway)
        .map(|(_, r)| r)
        .filter(move |r| same(&vnet_of(r.props()), vnet))
}

/// GatewaySubnet's prefix.
pub fn gateway_subnet(state: &State, vnet: &str) -> Option<Ipv4Net> {
    let v = state.azure.get(vnet)?;
    let subnet = named(&v.props()["subnets"], "GatewaySubnet")?;
    vnet::subnet_prefixes(&subnet["properties"])
        .first()
        .copied()
}

/// The addresses of a gateway's instances (pinned by the world, lab.md).
pub fn instances(state: &State, properties: &Value) -> Vec<Ipv4Addr> {
    let Some(net) = gateway_subnet(state, &vnet_of(properties)) else {
        return Vec::new();
    };
    let hosts = &state.world.azure.gateway_hosts;
    let express = properties["gatewayType"] == "ExpressRoute";
    let chosen = if express {
        hosts.express_route
    } else {
        hosts.vpn
    };
    let count = if express || properties["activeActive"] == true {
        2
    } else {
        1
    };
    chosen
        .iter()
        .take(count)
        .map(|h| Ipv4Addr::from(u32::from(net.network()) + h))
        .collect()
}

/// Family and size of a SKU, for what may change in place (azure.md §3.2).
pub fn family(sku: &str) -> (&'static str, u32) {
    match sku {
        "Standard" => ("er", 1),
        "HighPerformance" => ("er", 2),
        "UltraPerformance" => ("er", 3),
        "ErGw1AZ" => ("eraz", 1),
        "ErGw2AZ" => ("eraz", 2),
        "ErGw3AZ" => ("eraz", 3),
        "ErGwScale" => ("erscale", 1),
        "Basic" => ("basic", 1),
        s if s.ends_with("AZ") => (
            "vpnaz",
            s.as_bytes().get(5).map_or(0, |b| u32::from(b - b'0')),
        ),
        s => (
            "vpn",
            s.as_bytes().get(5).map_or(0, |b| u32::from(b - b'0')),
        ),
    }
}

pub fn plan(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = GATEWAY.read(input.properties, "properties")?;
    let id = input.name.id();
    let owner = "VirtualNetworkGatewayPropertiesFormat";
    let gateway_type = text(required(&given, "gatewayType", owner)?).to_owned();
    if gateway_type == "LocalGateway" {
        return Err(ArmError::bad(
            "InvalidGatewayType",
            format!("Gateway type LocalGateway of {id} needs an extended location."),
        ));
    }
    let express = gateway_type == "ExpressRoute";
    let sku = required(&given, "sku", owner)?.clone();
    let sku_name = text(&sku["name"]).to_owned();
    let tier = sku["tier"].as_str().unwrap_or(&sku_name);
    sku_rules(input, &gateway_type, &sku_name, tier)?;
    given.insert(
        "sku".into(),
        json!({"name": sku_name, "tier": sku_name, "capacity": 2}),
    );
    input.fixed(
        "gatewayType",
        &gateway_type.as_str().into(),
        "GatewayTypeCannotBeChanged",
    )?;

    let (vnet, uses) = ip_configurations(input, &mut given, express, &sku_name)?;
    if input.existing.is_some()
        && !same(
            &vnet_of(input.existing.map_or(&Value::Null, Resource::props)),
            &vnet,
        )
    {
        return Err(ArmError::bad(
            "VirtualNetworkGatewayVirtualNetworkCannotBeChanged",
            format!("The virtual network of gateway {id} cannot be changed."),
        ));
    }
    // One gateway per type and network (azure.md §3.1); the code is not in public sources.
    if let Some(other) = in_vnet(input.state, &vnet)
        .find(|g| !same(&g.id(), &id) && g.props()["gatewayType"] == gateway_type.as_str())
    {
        return Err(ArmError::bad(
            "OnlyOneVirtualNetworkGatewayOfATypeIsAllowedInAVirtualNetwork",
            format!(
                "Virtual network {vnet} already has the gateway {} of type {gateway_type}.",
                other.id()
            ),
        ));
    }
    if express {
        express_route(input, &mut given)?;
    } else {
        vpn_gateway::check(input, &mut given, &sku_name, &vnet)?;
    }
    for (member, value) in [
        ("enablePrivateIpAddress", json!(false)),
        ("activeActive", json!(false)),
        ("disableIPSecReplayProtection", json!(false)),
        ("natRules", json!([])),
        ("virtualNetworkGatewayPolicyGroups", json!([])),
        ("enableBgpRouteTranslationForNat", json!(false)),
        ("allowRemoteVnetTraffic", json!(false)),
        ("allowVirtualWanTraffic", json!(false)),
    ] {
        given.entry(member).or_insert(value);
    }
    let subnet_id = format!("{vnet}/subnets/GatewaySubnet");
    Ok(Plan {
        properties: given,
        uses,
        locks: vec![
            Lock::referenced("vnet", &vnet, &subnet_id),
            Lock::on("gateway", &id),
        ],
        create_duration: if express {
            "arm.expressRouteGateway.create"
        } else {
            "arm.vpnGateway.create"
        },
        update_duration: if express {
            "arm.expressRouteGateway.update"
        } else {
            "arm.vpnGateway.update"
        },
        product: Some(if express {
            ProductKind::ExpressRouteGateway
        } else {
            ProductKind::VpnGateway
        }),
        ..Plan::default()
    })
}

fn sku_rules(input: &Input<'_>, gateway_type: &str, sku: &str, tier: &str) -> ArmResult<()> {
    let id = input.name.id();
    if sku.is_empty() {
        return Err(ArmError::bad(
            "MissingJsonProperty",
            format!("Required property 'sku.name' of {id} is missing."),
        ));
    }
    if tier != sku {
        return Err(ArmError::bad(
            "InvalidGatewaySkuTier",
            format!("The sku tier {tier} of gateway {id} must equal the sku name {sku}."),
        ));
    }
    let fits = match family(sku).0 {
        "er" => gateway_type == "ExpressRoute" || sku != "UltraPerformance",
        "eraz" | "erscale" => gateway_type == "ExpressRoute",
        _ => gateway_type == "Vpn",
    };
    if !fits {
        return Err(ArmError::bad(
            "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
            format!("The sku {sku} can not be used for gateway {id} of type {gateway_type}."),
        ));
    }
    let old = text(&input.before("sku")["name"]);
    if old == sku {
        return Ok(());
    }
    let retired = format!("{gateway_type}/{sku}");
    if input
        .state
        .world
        .azure
        .retired_gateway_skus
        .contains(&retired)
    {
        return Err(ArmError::bad(
            "NonAzSkusNotAllowedForVPNGateway",
            format!(
                "VPN gateways with the sku {sku} can no longer be created; only VpnGw1AZ to VpnGw5AZ can. Gateway: {id}."
            ),
        ));
    }
    if old.is_empty() {
        return Ok(());
    }
    let (was, old_size) = family(old);
    let (is, size) = family(sku);
    let down_ok = matches!(
        (old, sku),
        ("HighPerformance", "Standard") | ("ErGw2AZ", "ErGw1AZ")
    ) || (is == "vpnaz" && was == "vpnaz");
    let allowed = (was == is && (size > old_size || down_ok)) || (was == "vpn" && is == "vpnaz");
    if !allowed {
        return Err(ArmError::bad(
            "GatewaySkuCannotBeChanged",
            format!("The sku of gateway {id} cannot be changed in place from {old} to {sku}."),
        ));
    }
    Ok(())
}

/// Checks the IP configurations and spells them as the service does; answers the VNet and what is referred to.
fn ip_configurations(
    input: &Input<'_>,
    given: &mut Map<String, Value>,
    express: bool,
    sku: &str,
) -> ArmResult<(String, Vec<String>)> {
    let id = input.name.id();
    let configs = given
        .get("ipConfigurations")
        .map(list)
        .unwrap_or_default()
        .to_vec();
    let active = flag(given, "activeActive");
    let wanted = if express {
        1..=1
    } else if active {
        2..=3
    } else {
        1..=1
    };
    if !wanted.contains(&configs.len()) {
        return Err(ArmError::bad(
            "InvalidNumberOfGatewayIpConfigurations",
            format!(
                "Gateway {id} has {} IP configurations; it needs {} (active-active gateways need two, each with a public IP address).",
                configs.len(),
                wanted.start()
            ),
        ));
    }
    let mut uses: Vec<String> = Vec::new();
    let mut vnet = String::new();
    let mut out: Vec<Value> = Vec::new();
    for (i, c) in configs.iter().enumerate() {
        let name = text(&c["name"]);
        if name.is_empty()
            || out
                .iter()
                .any(|o| text(&o["name"]).eq_ignore_ascii_case(name))
        {
            return Err(ArmError::bad(
                "InvalidResourceName",
                format!("IP configuration {i} of gateway {id} needs a name of its own."),
            ));
        }
        let path = format!("properties.ipConfigurations[{i}].properties");
        let subnet = text(&c["properties"]["subnet"]["id"]);
        let found = reference(subnet)
            .filter(|r| r.name.kind == Kind::VirtualNetwork)
            .and_then(|r| r.child.clone().map(|child| (r, child)))
            .ok_or_else(|| {
                ArmError::wrong_type(
                    subnet,
                    &format!("{path}.subnet"),
                    "Microsoft.Network/virtualNetworks/subnets",
                )
            })?;
        let (found, (_, subnet_name)) = found;
        let network = input
            .state
            .azure
            .get(&found.name.id())
            .filter(|v| v.location() == input.location)
            .ok_or_else(|| ArmError::dangling(subnet, &id))?;
        let entry = named(&network.props()["subnets"], &subnet_name)
            .ok_or_else(|| ArmError::dangling(subnet, &id))?;
        check_subnet(input, &subnet_name, entry)?;
        let this = network.id();
        if !vnet.is_empty() && !same(&vnet, &this) {
            return Err(ArmError::bad(
                "InvalidSubnetReference",
                format!("The IP configurations of gateway {id} are in different virtual networks."),
            ));
        }
        vnet = this;
        let mut properties = json!({
            "provisioningState": "Updating",
            "privateIPAllocationMethod": "Dynamic",
            "subnet": {"id": text(&entry["id"])},
        });
        if let Some(pip) = c["properties"].get("publicIPAddress") {
            let pip_id = public_ip(input, pip, &path, express, sku)?;
            if uses.contains(&pip_id) {
                return Err(pip_taken(&pip_id, &id));
            }
            properties["publicIPAddress"] = json!({"id": pip_id});
            uses.push(pip_id);
        } else if !express {
            return Err(ArmError::bad(
                "VirtualNetworkGatewayPublicIpAddressRequired",
                format!("IP configuration {name} of VPN gateway {id} needs a publicIPAddress."),
            ));
        }
        out.push(json!({
            "name": name,
            "id": format!("{id}/ipConfigurations/{name}"),
            "properties": properties,
        }));
    }
    given.insert("ipConfigurations".into(), out.into());
    // Refers to the subnet, and so to its network: held back by the VNet lock rather than by the network's own state.
    Ok((vnet, uses))
}

fn check_subnet(input: &Input<'_>, name: &str, entry: &Value) -> ArmResult<()> {
    let id = input.name.id();
    if !is_gateway_subnet(name) {
        return Err(ArmError::bad(
            "InvalidSubnetForGateway",
            format!("Gateway {id} must be in a subnet named GatewaySubnet, not {name}."),
        ));
    }
    if input.existing.is_some() {
        return Ok(());
    }
    let prefix = vnet::subnet_prefixes(&entry["properties"])
        .first()
        .copied()
        .unwrap_or_default();
    if prefix.prefix_len() > 27 {
        return Err(ArmError::bad(
            "GatewaySubnetTooSmall",
            format!(
                "GatewaySubnet {prefix} is too small for gateway {id}: it must be /27 or larger."
            ),
        ));
    }
    for (member, kind) in [
        ("networkSecurityGroup", Kind::SecurityGroup),
        ("routeTable", Kind::RouteTable),
    ] {
        if let Some(r) = entry["properties"][member]["id"]
            .as_str()
            .and_then(|u| input.state.azure.get(u))
        {
            gateway_subnet_rules(kind, &r.name.name, r.props())?;
        }
    }
    Ok(())
}

fn pip_taken(pip: &str, gateway: &str) -> ArmError {
    ArmError::bad(
        "PublicIPAddressInUse",
        format!(
            "Resource {gateway} is referencing public IP address {pip} that is already allocated to another resource."
        ),
    )
}

fn public_ip(
    input: &Input<'_>,
    value: &Value,
    path: &str,
    express: bool,
    sku: &str,
) -> ArmResult<String> {
    let id = input.name.id();
    let path = format!("{path}.publicIPAddress");
    let pip = input.refer_same_region(value, &path, Kind::PublicIp)?;
    if express {
        // New gateways have an address of Microsoft's own; giving one was answered with HTTP 500 (azure.md §3.2).
        return Err(ArmError::new(
            500,
            "InternalServerError",
            "An error occurred.",
        ));
    }
    if address::public_ip_user(input.state, &pip.id()).is_some_and(|user| {
        !user
            .to_lowercase()
            .starts_with(&format!("{}/", id.to_lowercase()))
    }) {
        return Err(pip_taken(&pip.id(), &id));
    }
    let zoned = !list(&pip.doc["zones"]).is_empty();
    if sku.ends_with("AZ") && !zoned {
        return Err(ArmError::bad(
            "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
            format!(
                "Standard Public IPs associated with VPN Gateways with AZ VPN skus must have zones configured. Gateway: {id}, public IP address: {}.",
                pip.id()
            ),
        ));
    }
    Ok(pip.id())
}

fn express_route(input: &Input<'_>, given: &mut Map<String, Value>) -> ArmResult<()> {
    let id = input.name.id();
    if given.contains_key("customRoutes") {
        return Err(ArmError::bad(
            "CustomRoutesNotSupportedOnExpressRouteGateway",
            format!("customRoutes is not supported on ExpressRoute gateway {id}."),
        ));
    }
    if flag(given, "activeActive") {
        return Err(ArmError::bad(
            "ActiveActiveNotSupportedOnExpressRouteGateway",
            format!("activeActive is not supported on ExpressRoute gateway {id}."),
        ));
    }
    given.insert("vpnGatewayGeneration".into(), "None".into());
    given.entry("enableBgp").or_insert(false.into());
    // Its ASN and addresses are the service's own.
    let addresses: Vec<String> = instances(input.state, &Value::Object(given.clone()))
        .iter()
        .map(ToString::to_string)
        .collect();
    let config = given
        .get("ipConfigurations")
        .map(list)
        .and_then(|c| c.first());
    let config_id = config.map_or("", |c| text(&c["id"]));
    let bgp = json!({
        "asn": 65515,
        "bgpPeeringAddress": addresses.join(","),
        "peerWeight": 0,
        "bgpPeeringAddresses": [{
            "ipconfigurationId": config_id,
            "defaultBgpIpAddresses": addresses,
            "customBgpIpAddresses": [],
            "tunnelIpAddresses": [],
        }],
    });
    given.insert("bgpSettings".into(), bgp);
    Ok(())
}
