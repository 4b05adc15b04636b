//! What is special to VPN gateways: type, generation, BGP settings with APIPA addresses (azure.md §3.3, §3.4).

use super::address::reserved_asn;
use super::errors::{ArmError, ArmResult};
use super::gateway::{family, in_vnet, instances};
use super::ids::same;
use super::plan::{Input, flag, word};
use super::store::{list, text};
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

pub fn check(
    input: &Input<'_>,
    given: &mut Map<String, Value>,
    sku: &str,
    vnet: &str,
) -> ArmResult<()> {
    let id = input.name.id();
    let vpn_type = word(given, "vpnType", "RouteBased").to_owned();
    input.fixed(
        "vpnType",
        &vpn_type.as_str().into(),
        "VpnTypeCannotBeChanged",
    )?;
    let active = flag(given, "activeActive");
    let bgp = flag(given, "enableBgp");
    if sku == "Basic" && (bgp || active) {
        return Err(ArmError::bad(
            "BasicSkuFeatureNotSupported",
            format!(
                "BGP and active-active mode are not supported by the Basic sku of gateway {id}."
            ),
        ));
    }
    let beside_express =
        in_vnet(input.state, vnet).any(|g| g.props()["gatewayType"] == "ExpressRoute");
    if vpn_type == "PolicyBased" && (sku != "Basic" || bgp || active || beside_express) {
        return Err(ArmError::bad(
            "PolicyBasedVpnNotSupported",
            format!(
                "Gateway {id} must be RouteBased: PolicyBased gateways exist only as Basic, without BGP, active-active mode or an ExpressRoute gateway beside them."
            ),
        ));
    }
    let size = family(sku).1;
    let default = match (sku, size) {
        ("Basic", _) => "Generation1",
        (_, 4 | 5) => "Generation2",
        _ => "Generation1",
    };
    let old_generation = text(input.before("vpnGatewayGeneration"));
    let default = if old_generation.is_empty() {
        default
    } else {
        old_generation
    };
    let generation = match word(given, "vpnGatewayGeneration", default) {
        "None" => default.to_owned(),
        g => g.to_owned(),
    };
    let mismatch = match generation.as_str() {
        "Generation2" => sku == "Basic" || size == 1,
        _ => size >= 4,
    };
    if mismatch {
        return Err(ArmError::bad(
            "VirtualNetworkGatewaySkuCannotBeCreatedForSpecifiedVmGeneration",
            format!(
                "The Virtual Network Gateway Sku {sku} cannot be used when VirtualNetworkVpnGatewayGeneration is set to {generation}. Gateway: {id}."
            ),
        ));
    }
    input.fixed(
        "vpnGatewayGeneration",
        &generation.as_str().into(),
        "VpnGatewayGenerationCannotBeChanged",
    )?;
    given.insert("vpnType".into(), vpn_type.into());
    given.insert("vpnGatewayGeneration".into(), generation.into());
    given.insert("enableBgp".into(), bgp.into());
    bgp_settings(input, given, beside_express)
}

/// Azure's range for custom BGP addresses (azure.md §3.3).
fn apipa_ok(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    (a, b) == (169, 254) && (c == 21 || c == 22)
}

fn bgp_settings(
    input: &Input<'_>,
    given: &mut Map<String, Value>,
    beside_express: bool,
) -> ArmResult<()> {
    let id = input.name.id();
    let settings = given.get("bgpSettings").cloned().unwrap_or(Value::Null);
    let asn = settings["asn"].as_i64().unwrap_or(65515);
    if reserved_asn(asn) {
        return Err(ArmError::bad(
            "InvalidBgpAsn",
            format!("The BGP ASN {asn} of gateway {id} is reserved."),
        ));
    }
    if beside_express && asn != 65515 {
        return Err(ArmError::bad(
            "VpnGatewayAsnMustBe65515",
            format!(
                "The BGP ASN {asn} of gateway {id} must be 65515 because its virtual network also has an ExpressRoute gateway."
            ),
        ));
    }
    let configs = given
        .get("ipConfigurations")
        .map(list)
        .unwrap_or_default()
        .to_vec();
    let mut custom: Vec<(String, Vec<String>)> = Vec::new();
    let mut seen: Vec<Ipv4Addr> = Vec::new();
    for entry in list(&settings["bgpPeeringAddresses"]) {
        let config = text(&entry["ipconfigurationId"]);
        let Some(own) = configs.iter().find(|c| same(text(&c["id"]), config)) else {
            return Err(ArmError::bad(
                "InvalidBgpPeeringAddressIpConfiguration",
                format!(
                    "ipconfigurationId {config} in the BGP settings is not an IP configuration of gateway {id}."
                ),
            ));
        };
        let mut addresses = Vec::new();
        for a in list(&entry["customBgpIpAddresses"]) {
            let parsed = text(a).parse::<Ipv4Addr>().ok().filter(|a| apipa_ok(*a));
            let Some(parsed) = parsed else {
                return Err(ArmError::bad(
                    "InvalidCustomBgpIpAddress",
                    format!(
                        "The custom BGP address {a} of gateway {id} is not valid: it must be between 169.254.21.0 and 169.254.22.255."
                    ),
                ));
            };
            if seen.contains(&parsed) {
                return Err(ArmError::bad(
                    "DuplicateCustomBgpIpAddress",
                    format!(
                        "The custom BGP address {parsed} is used more than once on gateway {id}."
                    ),
                ));
            }
            seen.push(parsed);
            addresses.push(parsed.to_string());
        }
        custom.push((text(&own["id"]).to_lowercase(), addresses));
    }
    let addresses = instances(input.state, &Value::Object(given.clone()));
    let entries: Vec<Value> = configs
        .iter()
        .zip(&addresses)
        .map(|(c, address)| {
            let config = text(&c["id"]);
            let own = custom
                .iter()
                .find(|(id, _)| *id == config.to_lowercase())
                .map(|(_, a)| a.clone())
                .unwrap_or_default();
            let tunnel: Vec<&str> = input
                .state
                .azure
                .get(text(&c["properties"]["publicIPAddress"]["id"]))
                .and_then(|p| p.props()["ipAddress"].as_str())
                .into_iter()
                .collect();
            json!({
                "ipconfigurationId": config,
                "defaultBgpIpAddresses": [address.to_string()],
                "customBgpIpAddresses": own,
                "tunnelIpAddresses": tunnel,
            })
        })
        .collect();
    let joined: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    let bgp = json!({
        "asn": asn,
        "bgpPeeringAddress": joined.join(","),
        "peerWeight": settings["peerWeight"].as_i64().unwrap_or(0),
        "bgpPeeringAddresses": entries,
    });
    given.insert("bgpSettings".into(), bgp);
    Ok(())
}
