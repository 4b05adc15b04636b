//! Connections of gateways: ExpressRoute and IPsec (azure.md §4.2 to §4.4).

use super::errors::{ArmError, ArmResult};
use super::ids::{Kind, same};
use super::plan::{Input, Lock, Plan, flag, required, word};
use super::shape::{Shape, Ty};
use super::store::{Resource, list, named, text};
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

static POLICY: Shape = Shape {
    name: "IpsecPolicy",
    fields: &[
        ("saLifeTimeSeconds", Ty::Int(300, 172_799)),
        ("saDataSizeKilobytes", Ty::Int(1024, 2_147_483_647)),
        (
            "ipsecEncryption",
            Ty::Enum(&[
                "None",
                "DES",
                "DES3",
                "AES128",
                "AES192",
                "AES256",
                "GCMAES128",
                "GCMAES192",
                "GCMAES256",
            ]),
        ),
        (
            "ipsecIntegrity",
            Ty::Enum(&[
                "MD5",
                "SHA1",
                "SHA256",
                "GCMAES128",
                "GCMAES192",
                "GCMAES256",
            ]),
        ),
        (
            "ikeEncryption",
            Ty::Enum(&[
                "DES",
                "DES3",
                "AES128",
                "AES192",
                "AES256",
                "GCMAES256",
                "GCMAES128",
            ]),
        ),
        (
            "ikeIntegrity",
            Ty::Enum(&["MD5", "SHA1", "SHA256", "SHA384", "GCMAES256", "GCMAES128"]),
        ),
        (
            "dhGroup",
            Ty::Enum(&[
                "None",
                "DHGroup1",
                "DHGroup2",
                "DHGroup14",
                "DHGroup2048",
                "ECP256",
                "ECP384",
                "DHGroup24",
            ]),
        ),
        (
            "pfsGroup",
            Ty::Enum(&[
                "None", "PFS1", "PFS2", "PFS2048", "ECP256", "ECP384", "PFS24", "PFS14", "PFSMM",
            ]),
        ),
    ],
};
static CUSTOM_BGP: Shape = Shape {
    name: "GatewayCustomBgpIpAddressIpConfiguration",
    fields: &[
        ("ipConfigurationId", Ty::Str),
        ("customBgpIpAddress", Ty::Str),
    ],
};
static CONNECTION: Shape = Shape {
    name: "VirtualNetworkGatewayConnectionPropertiesFormat",
    fields: &[
        ("authorizationKey", Ty::Str),
        ("virtualNetworkGateway1", Ty::Ref),
        ("virtualNetworkGateway2", Ty::Ref),
        ("localNetworkGateway2", Ty::Ref),
        (
            "connectionType",
            Ty::Enum(&["IPsec", "Vnet2Vnet", "ExpressRoute", "VPNClient"]),
        ),
        ("connectionProtocol", Ty::Enum(&["IKEv2", "IKEv1"])),
        ("routingWeight", Ty::Int(0, 32000)),
        ("dpdTimeoutSeconds", Ty::Int(0, 3600)),
        (
            "connectionMode",
            Ty::Enum(&["Default", "ResponderOnly", "InitiatorOnly"]),
        ),
        ("sharedKey", Ty::Str),
        ("peer", Ty::Ref),
        ("enableBgp", Ty::Bool),
        ("gatewayCustomBgpIpAddresses", Ty::List(&CUSTOM_BGP)),
        ("useLocalAzureIpAddress", Ty::Bool),
        ("usePolicyBasedTrafficSelectors", Ty::Bool),
        ("ipsecPolicies", Ty::List(&POLICY)),
        ("trafficSelectorPolicies", Ty::Any),
        ("expressRouteGatewayBypass", Ty::Bool),
        ("enablePrivateLinkFastPath", Ty::Bool),
        ("authenticationType", Ty::Enum(&["PSK", "Certificate"])),
        ("ingressNatRules", Ty::ReadOnly),
        ("egressNatRules", Ty::ReadOnly),
        ("tunnelProperties", Ty::ReadOnly),
        ("connectionStatus", Ty::ReadOnly),
        ("tunnelConnectionStatus", Ty::ReadOnly),
        ("egressBytesTransferred", Ty::ReadOnly),
        ("ingressBytesTransferred", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("certificateAuthentication", Ty::ReadOnly),
        ("routingConfiguration", Ty::ReadOnly),
    ],
};

pub fn plan(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = CONNECTION.read(input.properties, "properties")?;
    let owner = "VirtualNetworkGatewayConnectionPropertiesFormat";
    let kind = text(required(&given, "connectionType", owner)?).to_owned();
    input.fixed(
        "connectionType",
        &kind.as_str().into(),
        "ConnectionTypeCannotBeChanged",
    )?;
    let gateway_value = required(&given, "virtualNetworkGateway1", owner)?.clone();
    let gateway = input.refer_same_region(
        &gateway_value,
        "properties.virtualNetworkGateway1",
        Kind::VirtualNetworkGateway,
    )?;
    let old_gateway = text(&input.before("virtualNetworkGateway1")["id"]);
    if !old_gateway.is_empty() && !same(old_gateway, &gateway.id()) {
        return Err(ArmError::bad(
            "ConnectionGatewayCannotBeChanged",
            format!(
                "virtualNetworkGateway1 of connection {} cannot be changed.",
                input.name.id()
            ),
        ));
    }
    given.insert(
        "virtualNetworkGateway1".into(),
        json!({"id": gateway.id(), "properties": {}}),
    );
    for (member, value) in [
        ("routingWeight", json!(0)),
        ("enableBgp", json!(false)),
        ("useLocalAzureIpAddress", json!(false)),
        ("usePolicyBasedTrafficSelectors", json!(false)),
        ("ipsecPolicies", json!([])),
        ("trafficSelectorPolicies", json!([])),
        ("gatewayCustomBgpIpAddresses", json!([])),
        ("expressRouteGatewayBypass", json!(false)),
        ("enablePrivateLinkFastPath", json!(false)),
        ("dpdTimeoutSeconds", json!(0)),
        ("connectionMode", json!("Default")),
    ] {
        given.entry(member).or_insert(value);
    }
    match kind.as_str() {
        "ExpressRoute" => express_route(input, given, gateway),
        "IPsec" => ipsec(input, given, gateway),
        other => Err(ArmError::bad(
            "ConnectionTypeNotSupported",
            format!(
                "Connection type {other} of {} is not supported here.",
                input.name.id()
            ),
        )),
    }
}

fn gateway_type(input: &Input<'_>, gateway: &Resource, wanted: &str) -> ArmResult<()> {
    if gateway.props()["gatewayType"] == wanted {
        return Ok(());
    }
    Err(ArmError::bad(
        "ConnectionTypeNotSupportedByGateway",
        format!(
            "Gateway {} of connection {} is not of type {wanted}.",
            gateway.id(),
            input.name.id()
        ),
    ))
}

/// Another connection between the same two ends.
fn duplicate(input: &Input<'_>, gateway: &Resource, member: &str, far: &str) -> ArmResult<()> {
    let id = input.name.id();
    let other = input.state.azure.of_kind(Kind::Connection).find(|(_, c)| {
        !same(&c.id(), &id)
            && same(
                text(&c.props()["virtualNetworkGateway1"]["id"]),
                &gateway.id(),
            )
            && same(text(&c.props()[member]["id"]), far)
    });
    match other {
        None => Ok(()),
        // The code is not in public sources.
        Some((_, c)) => Err(ArmError::bad(
            "ConnectionAlreadyExistsBetweenResources",
            format!(
                "Connection {} already connects {} with {far}; connection {id} cannot be created.",
                c.id(),
                gateway.id()
            ),
        )),
    }
}

fn express_route(
    input: &Input<'_>,
    mut given: Map<String, Value>,
    gateway: &Resource,
) -> ArmResult<Plan> {
    let id = input.name.id();
    gateway_type(input, gateway, "ExpressRoute")?;
    let peer = required(&given, "peer", "an ExpressRoute connection")?.clone();
    let (_, circuit) = input.refer(&peer, "properties.peer", Kind::Circuit)?;
    let circuit_id = circuit.id();
    let old = text(&input.before("peer")["id"]);
    if !old.is_empty() && !same(old, &circuit_id) {
        return Err(ArmError::bad(
            "ConnectionPeerCannotBeChanged",
            format!("The circuit of connection {id} cannot be changed."),
        ));
    }
    if input.existing.is_none() {
        duplicate(input, gateway, "peer", &circuit_id)?;
        // azure.md §4.2; the codes are not in public sources.
        if text(&circuit.props()["serviceProviderProvisioningState"]) != "Provisioned" {
            return Err(ArmError::bad(
                "ExpressRouteCircuitNotProvisioned",
                format!(
                    "ExpressRoute circuit {circuit_id} of connection {id} is not provisioned by its service provider."
                ),
            ));
        }
        if named(&circuit.props()["peerings"], "AzurePrivatePeering").is_none() {
            return Err(ArmError::bad(
                "ExpressRouteCircuitPrivatePeeringNotFound",
                format!(
                    "ExpressRoute circuit {circuit_id} of connection {id} has no AzurePrivatePeering."
                ),
            ));
        }
        let limit = match text(&gateway.props()["sku"]["name"]) {
            "HighPerformance" | "ErGw2AZ" => 8,
            "UltraPerformance" | "ErGw3AZ" | "ErGwScale" => 16,
            _ => 4,
        };
        let connected =
            super::address::connections_using(input.state, "virtualNetworkGateway1", &gateway.id());
        if connected.len() >= limit {
            return Err(ArmError::bad(
                "ExpressRouteGatewayConnectionLimitReached",
                format!(
                    "Gateway {} has {limit} connections, which is the most that its sku allows; connection {id} cannot be created.",
                    gateway.id()
                ),
            ));
        }
    }
    let mut hidden = input.existing.map(|r| r.hidden.clone()).unwrap_or_default();
    authorization(input, circuit, &mut given, &mut hidden)?;
    let bypass = flag(&given, "expressRouteGatewayBypass");
    if bypass
        && !matches!(
            text(&gateway.props()["sku"]["name"]),
            "UltraPerformance" | "ErGw3AZ" | "ErGwScale"
        )
    {
        return Err(ArmError::bad(
            "ExpressRouteGatewayBypassNotSupported",
            format!(
                "FastPath of connection {id} needs a gateway with sku UltraPerformance or ErGw3AZ."
            ),
        ));
    }
    for absent in [
        "sharedKey",
        "connectionProtocol",
        "localNetworkGateway2",
        "virtualNetworkGateway2",
    ] {
        given.remove(absent);
    }
    given.insert("peer".into(), json!({"id": circuit_id}));
    Ok(Plan {
        properties: given,
        hidden,
        uses: vec![gateway.id(), circuit_id.clone()],
        locks: vec![
            Lock::on("gateway", &gateway.id()),
            Lock::on("circuit", &circuit_id),
        ],
        create_duration: "arm.expressRouteConnection.create",
        update_duration: "arm.expressRouteConnection.update",
        ..Plan::default()
    })
}

/// A circuit of another subscription needs an authorization (azure.md §2.7).
fn authorization(
    input: &Input<'_>,
    circuit: &Resource,
    given: &mut Map<String, Value>,
    hidden: &mut std::collections::BTreeMap<String, String>,
) -> ArmResult<()> {
    let key = given.remove("authorizationKey");
    let foreign = !circuit
        .name
        .subscription
        .eq_ignore_ascii_case(&input.name.subscription);
    if !foreign && key.is_none() || input.existing.is_some() {
        return Ok(());
    }
    let key = key.as_ref().map_or("", |k| text(k));
    let known = circuit
        .hidden
        .iter()
        .find(|(name, value)| name.starts_with("authorization/") && value.as_str() == key);
    if known.is_none() {
        return Err(ArmError::bad(
            "AuthorizationKeyInvalid",
            format!(
                "The authorizationKey of connection {} is not an authorization of circuit {}.",
                input.name.id(),
                circuit.id()
            ),
        ));
    }
    hidden.insert("authorizationKey".into(), key.to_owned());
    Ok(())
}

fn ipsec(input: &Input<'_>, mut given: Map<String, Value>, gateway: &Resource) -> ArmResult<Plan> {
    let id = input.name.id();
    gateway_type(input, gateway, "Vpn")?;
    let far = required(&given, "localNetworkGateway2", "an IPsec connection")?.clone();
    let local = input.refer_same_region(
        &far,
        "properties.localNetworkGateway2",
        Kind::LocalNetworkGateway,
    )?;
    let old = text(&input.before("localNetworkGateway2")["id"]);
    if !old.is_empty() && !same(old, &local.id()) {
        return Err(ArmError::bad(
            "ConnectionLocalNetworkGatewayCannotBeChanged",
            format!("localNetworkGateway2 of connection {id} cannot be changed."),
        ));
    }
    if input.existing.is_none() {
        duplicate(input, gateway, "localNetworkGateway2", &local.id())?;
    }
    let protocol = word(&given, "connectionProtocol", "IKEv2").to_owned();
    input.fixed(
        "connectionProtocol",
        &protocol.as_str().into(),
        "ConnectionProtocolCannotBeChanged",
    )?;
    given.insert("connectionProtocol".into(), protocol.into());
    if flag(&given, "enableBgp") {
        // The codes are not in public sources.
        if gateway.props()["enableBgp"] != true {
            return Err(ArmError::bad(
                "BgpNotEnabledOnGateway",
                format!(
                    "Connection {id} has enableBgp but its gateway {} has not.",
                    gateway.id()
                ),
            ));
        }
        if local.props()["bgpSettings"].is_null() {
            return Err(ArmError::bad(
                "BgpSettingsMissingOnLocalNetworkGateway",
                format!(
                    "Connection {id} has enableBgp but its local network gateway {} has no bgpSettings.",
                    local.id()
                ),
            ));
        }
        let (own, theirs) = (
            &gateway.props()["bgpSettings"]["asn"],
            &local.props()["bgpSettings"]["asn"],
        );
        if own == theirs {
            return Err(ArmError::bad(
                "GatewayAndLocalNetworkGatewayAsnMustDiffer",
                format!(
                    "Gateway and local network gateway of connection {id} have the same ASN {own}."
                ),
            ));
        }
    }
    match given["dpdTimeoutSeconds"].as_i64() {
        // 0 means the default of 45 seconds (azure.md §4.2).
        Some(0) => {
            given.insert("dpdTimeoutSeconds".into(), 45.into());
        }
        Some(n) if n < 9 => {
            return Err(ArmError::bad(
                "InvalidDpdTimeout",
                format!("dpdTimeoutSeconds {n} of connection {id} is not between 9 and 3600."),
            ));
        }
        _ => {}
    }
    policies(&id, &given)?;
    custom_bgp(&id, &mut given, gateway)?;
    let mut hidden = input.existing.map(|r| r.hidden.clone()).unwrap_or_default();
    let key = given.remove("sharedKey").map(|k| text(&k).to_owned());
    if let Some(key) = &key {
        check_key(&id, key)?;
    }
    // A PUT does not change an existing key (azure.md §4.3).
    if !hidden.contains_key("sharedKey")
        && let Some(key) = key
    {
        hidden.insert("sharedKey".into(), key);
    }
    given.remove("peer");
    given.remove("virtualNetworkGateway2");
    given.remove("authorizationKey");
    given.insert(
        "localNetworkGateway2".into(),
        json!({"id": local.id(), "properties": {}}),
    );
    Ok(Plan {
        properties: given,
        hidden,
        uses: vec![gateway.id(), local.id()],
        locks: vec![Lock::on("gateway", &gateway.id())],
        create_duration: "arm.ipsecConnection.create",
        update_duration: "arm.ipsecConnection.update",
        ..Plan::default()
    })
}

/// A pre-shared key: 1 to 128 printable ASCII characters.
pub fn check_key(id: &str, key: &str) -> ArmResult<()> {
    let printable = key.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if key.is_empty() || key.len() > 128 || !printable {
        return Err(ArmError::bad(
            "InvalidSharedKey",
            format!(
                "The shared key of connection {id} must be 1 to 128 printable ASCII characters."
            ),
        ));
    }
    Ok(())
}

fn policies(id: &str, given: &Map<String, Value>) -> ArmResult<()> {
    let policies = given.get("ipsecPolicies").map(list).unwrap_or_default();
    if policies.len() > 1 {
        return Err(ArmError::bad(
            "OnlyOneIpsecPolicyAllowed",
            format!(
                "Connection {id} has {} ipsecPolicies; one is the most.",
                policies.len()
            ),
        ));
    }
    let Some(policy) = policies.first() else {
        if flag(given, "usePolicyBasedTrafficSelectors") {
            return Err(ArmError::bad(
                "PolicyBasedTrafficSelectorsNeedIpsecPolicy",
                format!(
                    "Connection {id} has usePolicyBasedTrafficSelectors and needs an ipsecPolicies entry."
                ),
            ));
        }
        return Ok(());
    };
    for (field, _) in POLICY.fields {
        if policy[*field].is_null() {
            return Err(ArmError::bad(
                "IpsecPolicyIncomplete",
                format!(
                    "The ipsecPolicies entry of connection {id} lacks {field}; all eight fields are required."
                ),
            ));
        }
    }
    let (encryption, integrity) = (
        text(&policy["ipsecEncryption"]),
        text(&policy["ipsecIntegrity"]),
    );
    if (encryption.starts_with("GCM") || integrity.starts_with("GCM")) && encryption != integrity {
        return Err(ArmError::bad(
            "InvalidIpsecPolicyGcm",
            format!(
                "With GCM, ipsecEncryption and ipsecIntegrity of connection {id} must be the same; they are {encryption} and {integrity}."
            ),
        ));
    }
    let (encryption, integrity) = (
        text(&policy["ikeEncryption"]),
        text(&policy["ikeIntegrity"]),
    );
    if integrity.starts_with("GCM") && encryption != integrity {
        return Err(ArmError::bad(
            "InvalidIkePolicyGcm",
            format!(
                "With GCM, ikeEncryption and ikeIntegrity of connection {id} must be the same; they are {encryption} and {integrity}."
            ),
        ));
    }
    Ok(())
}

fn custom_bgp(id: &str, given: &mut Map<String, Value>, gateway: &Resource) -> ArmResult<()> {
    let entries = given
        .get("gatewayCustomBgpIpAddresses")
        .map(list)
        .unwrap_or_default()
        .to_vec();
    let configured = list(&gateway.props()["bgpSettings"]["bgpPeeringAddresses"]);
    let mut out = Vec::new();
    for e in &entries {
        let config = text(&e["ipConfigurationId"]);
        let address = text(&e["customBgpIpAddress"]);
        let Some(own) = configured
            .iter()
            .find(|c| same(text(&c["ipconfigurationId"]), config))
        else {
            return Err(ArmError::bad(
                "InvalidGatewayCustomBgpIpAddress",
                format!(
                    "ipConfigurationId {config} of connection {id} is not an IP configuration of its gateway."
                ),
            ));
        };
        let known = address.parse::<Ipv4Addr>().is_ok()
            && list(&own["customBgpIpAddresses"])
                .iter()
                .any(|a| text(a) == address);
        if !known {
            return Err(ArmError::bad(
                "InvalidGatewayCustomBgpIpAddress",
                format!(
                    "customBgpIpAddress {address} of connection {id} is not among the customBgpIpAddresses of {config}."
                ),
            ));
        }
        out.push(json!({"ipConfigurationId": text(&own["ipconfigurationId"]), "customBgpIpAddress": address}));
    }
    if !out.is_empty() && gateway.props()["activeActive"] == true && out.len() < 2 {
        return Err(ArmError::bad(
            "GatewayCustomBgpIpAddressForEachInstanceRequired",
            format!(
                "Connection {id} of an active-active gateway needs a gatewayCustomBgpIpAddresses entry for each IP configuration."
            ),
        ));
    }
    given.insert("gatewayCustomBgpIpAddresses".into(), out.into());
    Ok(())
}
