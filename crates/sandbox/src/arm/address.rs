//! Public IP addresses and local network gateways (azure.md §5.4, §4.1).

use super::errors::{ArmError, ArmResult};
use super::ids::{Kind, same};
use super::plan::{Input, Lock, Plan, word};
use super::shape::{Shape, Ty};
use super::store::{list, text};
use super::vnet::{self, ADDRESSES};
use crate::ledger::ProductKind;
use crate::state::State;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

static PUBLIC_IP: Shape = Shape {
    name: "PublicIpAddressProperties",
    fields: &[
        ("publicIPAllocationMethod", Ty::Enum(&["Static", "Dynamic"])),
        ("publicIPAddressVersion", Ty::Enum(&["IPv4", "IPv6"])),
        ("idleTimeoutInMinutes", Ty::Int(4, 30)),
        ("deleteOption", Ty::Enum(&["Delete", "Detach"])),
        ("dnsSettings", Ty::Any),
        ("ddosSettings", Ty::Any),
        ("ipTags", Ty::Any),
        ("ipAddress", Ty::ReadOnly),
        ("ipConfiguration", Ty::ReadOnly),
        ("publicIPPrefix", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("servicePublicIPAddress", Ty::ReadOnly),
        ("natGateway", Ty::ReadOnly),
        ("migrationPhase", Ty::ReadOnly),
        ("linkedPublicIPAddress", Ty::ReadOnly),
        ("upgradedToV2", Ty::ReadOnly),
    ],
};

/// Who uses a public address: the ID of an IP configuration.
pub fn public_ip_user(state: &State, id: &str) -> Option<String> {
    for (_, r) in state.azure.of_kind(Kind::VirtualNetworkGateway) {
        for c in list(&r.props()["ipConfigurations"]) {
            if same(text(&c["properties"]["publicIPAddress"]["id"]), id) {
                return Some(text(&c["id"]).to_owned());
            }
        }
    }
    state
        .azure
        .lingering
        .get(&id.to_lowercase())
        .filter(|(until, _)| *until > state.now)
        .map(|(_, by)| by.clone())
}

pub fn public_ip(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = PUBLIC_IP.read(input.properties, "properties")?;
    let id = input.name.id();
    let sku = input.top.get("sku").cloned().unwrap_or(Value::Null);
    let sku_name = sku["name"].as_str().unwrap_or("Basic");
    if sku_name == "Basic" {
        // Retired on 30 September 2025 (azure.md §5.4); the code is not in public sources.
        return Err(ArmError::bad(
            "BasicSkuPublicIpNotAllowed",
            format!(
                "Public IP address {id} can not be created with the Basic SKU, which is retired. Use the Standard SKU."
            ),
        ));
    }
    if word(&given, "publicIPAllocationMethod", "Dynamic") != "Static" {
        return Err(ArmError::bad(
            "StandardSkuPublicIPAddressMustUseStaticAllocation",
            format!("Standard sku publicIp {id} must have AllocationMethod set to Static."),
        ));
    }
    let tier = sku["tier"].as_str().unwrap_or("Regional");
    let mut top = Map::new();
    top.insert("sku".into(), json!({"name": sku_name, "tier": tier}));
    let zones = input.top.get("zones").cloned().unwrap_or(Value::Null);
    if let Some(bad) = list(&zones)
        .iter()
        .find(|z| !matches!(text(z), "1" | "2" | "3"))
    {
        return Err(ArmError::bad(
            "InvalidAvailabilityZone",
            format!(
                "The zone {bad} of {id} is not supported in location {}. Supported zones are 1, 2, 3.",
                input.location
            ),
        ));
    }
    if let Some(old) = input.existing {
        if old.doc["zones"] != zones {
            return Err(ArmError::bad(
                "ResourceAvailabilityZonesCannotBeModified",
                format!(
                    "Resource {id} has an existing availability zone constraint {} and the request has {zones}. Zones cannot be added, updated or removed once the resource is created.",
                    old.doc["zones"]
                ),
            ));
        }
        if old.doc["sku"]["name"] != sku_name {
            return Err(ArmError::bad(
                "SkuCannotBeChangedOnPublicIp",
                format!("The SKU of public IP address {id} cannot be changed."),
            ));
        }
        if let Some(address) = old.props()["ipAddress"].as_str() {
            given.insert("ipAddress".into(), address.into());
        }
    }
    if !zones.is_null() {
        top.insert("zones".into(), zones);
    }
    given
        .entry("publicIPAddressVersion")
        .or_insert("IPv4".into());
    given.entry("idleTimeoutInMinutes").or_insert(4.into());
    given.entry("ipTags").or_insert_with(|| json!([]));
    Ok(Plan {
        properties: given,
        top,
        create_duration: "arm.publicIPAddress",
        update_duration: "arm.publicIPAddress",
        product: Some(ProductKind::PublicIPAddress),
        ..Plan::default()
    })
}

/// The next free address of the pool, spread so that two neighbours do not look alike.
pub fn allocate(state: &mut State) -> Ipv4Addr {
    let pool = state.world.azure.public_address_pool;
    let size = 1u32 << (32 - u32::from(pool.prefix_len()).min(31));
    state.azure.next_address = state.azure.next_address.wrapping_add(1);
    let offset = state.azure.next_address.wrapping_mul(37) % size.max(2);
    Ipv4Addr::from(u32::from(pool.network()) | offset)
}

/// ASNs that nobody may bring to Azure (azure.md §3.3); 65515 is Azure's own and barred for peers only.
pub fn reserved_asn(asn: i64) -> bool {
    matches!(asn, 8074 | 8075 | 12076 | 23456 | 64496..=64511 | 65517..=65520 | 65535..=65551)
}

pub static BGP_ADDRESS: Shape = Shape {
    name: "IPConfigurationBgpPeeringAddress",
    fields: &[
        ("ipconfigurationId", Ty::Str),
        ("customBgpIpAddresses", Ty::Strs),
        ("defaultBgpIpAddresses", Ty::ReadOnly),
        ("tunnelIpAddresses", Ty::ReadOnly),
    ],
};

pub static BGP: Shape = Shape {
    name: "BgpSettings",
    fields: &[
        ("asn", Ty::Int(1, 4_294_967_295)),
        ("bgpPeeringAddress", Ty::Str),
        ("peerWeight", Ty::Int(0, 100)),
        ("bgpPeeringAddresses", Ty::List(&BGP_ADDRESS)),
    ],
};

static LOCAL_GATEWAY: Shape = Shape {
    name: "LocalNetworkGatewayPropertiesFormat",
    fields: &[
        ("localNetworkAddressSpace", Ty::Obj(&ADDRESSES)),
        ("gatewayIpAddress", Ty::Str),
        ("fqdn", Ty::Str),
        ("bgpSettings", Ty::Obj(&BGP)),
        ("resourceGuid", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
    ],
};

/// Connections that use this resource in the given member.
pub fn connections_using(state: &State, member: &str, id: &str) -> Vec<String> {
    state
        .azure
        .of_kind(Kind::Connection)
        .filter(|(_, c)| same(text(&c.props()[member]["id"]), id))
        .map(|(key, _)| key.clone())
        .collect()
}

pub fn local_gateway(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = LOCAL_GATEWAY.read(input.properties, "properties")?;
    let id = input.name.id();
    match (
        given.get("gatewayIpAddress").map(text),
        given.get("fqdn").map(text),
    ) {
        (Some(_), Some(_)) => {
            return Err(ArmError::bad(
                "InvalidLocalNetworkGateway",
                format!(
                    "Local network gateway {id} has both gatewayIpAddress and fqdn; give one of them."
                ),
            ));
        }
        (Some(a), None) => {
            let ok = a.parse::<Ipv4Addr>().is_ok_and(|ip| {
                !ip.is_unspecified()
                    && !ip.is_loopback()
                    && !ip.is_multicast()
                    && !ip.is_broadcast()
            });
            if !ok {
                return Err(ArmError::bad(
                    "InvalidGatewayIpAddress",
                    format!(
                        "The gatewayIpAddress {a} of local network gateway {id} is not a valid IP address."
                    ),
                ));
            }
        }
        (None, Some(f)) if !f.is_empty() => {}
        _ => {
            return Err(ArmError::bad(
                "LocalNetworkGatewayIpAddressOrFqdnRequired",
                format!("Local network gateway {id} needs gatewayIpAddress or fqdn."),
            ));
        }
    }
    let space = given
        .entry("localNetworkAddressSpace")
        .or_insert_with(|| json!({"addressPrefixes": []}));
    if space["addressPrefixes"].is_null() {
        space["addressPrefixes"] = json!([]);
    }
    let mut prefixes = Vec::new();
    for p in list(&space["addressPrefixes"]) {
        prefixes.push(vnet::prefix(text(p), &id)?);
    }
    let bgp = given.get("bgpSettings");
    if let Some(bgp) = bgp {
        let asn = bgp["asn"].as_i64().unwrap_or(0);
        if asn == 0 || asn == 65515 || reserved_asn(asn) {
            return Err(ArmError::bad(
                "InvalidBgpAsn",
                format!("The BGP ASN {asn} of local network gateway {id} is missing or reserved."),
            ));
        }
        let peer = text(&bgp["bgpPeeringAddress"]);
        if peer.parse::<Ipv4Addr>().is_err() {
            return Err(ArmError::bad(
                "InvalidBgpPeeringAddress",
                format!(
                    "The bgpPeeringAddress '{peer}' of local network gateway {id} is not an IP address."
                ),
            ));
        }
    } else if prefixes.is_empty() {
        return Err(ArmError::bad(
            "LocalNetworkGatewayAddressSpaceRequired",
            format!("Local network gateway {id} needs an address prefix, or BGP settings."),
        ));
    }
    if let Some(bgp) = given.get_mut("bgpSettings")
        && bgp["peerWeight"].is_null()
    {
        bgp["peerWeight"] = 0.into();
    }
    // An update reaches into the gateways whose connections use it (azure.md §3.5).
    let locks = connections_using(input.state, "localNetworkGateway2", &id)
        .iter()
        .filter_map(|c| input.state.azure.resources.get(c))
        .map(|c| Lock::on("gateway", text(&c.props()["virtualNetworkGateway1"]["id"])))
        .collect();
    Ok(Plan {
        properties: given,
        locks,
        create_duration: "arm.localNetworkGateway",
        update_duration: "arm.localNetworkGateway",
        ..Plan::default()
    })
}
