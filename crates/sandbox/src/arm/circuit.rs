//! ExpressRoute circuits, private peerings and authorizations (azure.md §2).

use super::address::reserved_asn;
use super::errors::{ArmError, ArmResult};
use super::ids::{Child, Name};
use super::plan::{Input, Lock, Plan, required};
use super::seed;
use super::shape::{Shape, Ty};
use super::store::{Resource, list, named, text};
use super::vnet::child_shape;
use crate::ledger::ProductKind;
use crate::state::State;
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub const PRIVATE: &str = "AzurePrivatePeering";

pub static PEERING: Shape = Shape {
    name: "ExpressRouteCircuitPeeringPropertiesFormat",
    fields: &[
        (
            "peeringType",
            Ty::Enum(&[
                "AzurePublicPeering",
                "AzurePrivatePeering",
                "MicrosoftPeering",
            ]),
        ),
        ("state", Ty::Enum(&["Disabled", "Enabled"])),
        ("azureASN", Ty::ReadOnly),
        ("peerASN", Ty::Int(1, 4_294_967_295)),
        ("primaryPeerAddressPrefix", Ty::Str),
        ("secondaryPeerAddressPrefix", Ty::Str),
        ("primaryAzurePort", Ty::ReadOnly),
        ("secondaryAzurePort", Ty::ReadOnly),
        ("sharedKey", Ty::Str),
        ("vlanId", Ty::Int(1, 4094)),
        ("microsoftPeeringConfig", Ty::ReadOnly),
        ("stats", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("gatewayManagerEtag", Ty::ReadOnly),
        ("lastModifiedBy", Ty::ReadOnly),
        ("routeFilter", Ty::ReadOnly),
        ("ipv6PeeringConfig", Ty::ReadOnly),
        ("expressRouteConnection", Ty::ReadOnly),
        ("connections", Ty::ReadOnly),
        ("peeredConnections", Ty::ReadOnly),
    ],
};
child_shape!(PEERING_ENTRY, "ExpressRouteCircuitPeering", &PEERING);

pub static AUTHORIZATION: Shape = Shape {
    name: "AuthorizationPropertiesFormat",
    fields: &[
        ("authorizationKey", Ty::ReadOnly),
        ("authorizationUseStatus", Ty::ReadOnly),
        ("connectionResourceUri", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
    ],
};
child_shape!(
    AUTHORIZATION_ENTRY,
    "ExpressRouteCircuitAuthorization",
    &AUTHORIZATION
);

static SERVICE_PROVIDER: Shape = Shape {
    name: "ExpressRouteCircuitServiceProviderProperties",
    fields: &[
        ("serviceProviderName", Ty::Str),
        ("peeringLocation", Ty::Str),
        ("bandwidthInMbps", Ty::Int(1, 1_000_000)),
    ],
};
static CIRCUIT: Shape = Shape {
    name: "ExpressRouteCircuitPropertiesFormat",
    fields: &[
        ("allowClassicOperations", Ty::Bool),
        ("serviceProviderProperties", Ty::Obj(&SERVICE_PROVIDER)),
        ("peerings", Ty::List(&PEERING_ENTRY)),
        ("authorizations", Ty::List(&AUTHORIZATION_ENTRY)),
        ("expressRoutePort", Ty::Ref),
        ("bandwidthInGbps", Ty::Any),
        ("globalReachEnabled", Ty::Bool),
        ("allowGlobalReach", Ty::Bool),
        ("gatewayManagerEtag", Ty::ReadOnly),
        ("circuitProvisioningState", Ty::ReadOnly),
        ("serviceProviderProvisioningState", Ty::ReadOnly),
        ("serviceKey", Ty::ReadOnly),
        ("serviceProviderNotes", Ty::ReadOnly),
        ("expressRouteLag", Ty::ReadOnly),
        ("stag", Ty::ReadOnly),
        ("resiliencyLevel", Ty::ReadOnly),
        ("partnerAccountId", Ty::ReadOnly),
        ("activationKey", Ty::ReadOnly),
        ("provisioningState", Ty::ReadOnly),
        ("resourceGuid", Ty::ReadOnly),
        ("authorizationKey", Ty::ReadOnly),
        ("authorizationStatus", Ty::ReadOnly),
        ("enableDirectPortRateLimit", Ty::ReadOnly),
    ],
};

/// What the service writes into a circuit and keeps over updates.
const KEPT: &[&str] = &[
    "circuitProvisioningState",
    "serviceProviderProvisioningState",
    "serviceKey",
    "serviceProviderNotes",
    "stag",
    "resourceGuid",
    "gatewayManagerEtag",
];

pub fn plan(input: &Input<'_>) -> ArmResult<Plan> {
    let mut given = CIRCUIT.read(input.properties, "properties")?;
    let id = input.name.id();
    let top = sku(input)?;
    if given.contains_key("expressRoutePort") || given.contains_key("bandwidthInGbps") {
        return Err(ArmError::bad(
            "ExpressRoutePortNotFound",
            format!(
                "Circuit {id} refers to an ExpressRoute Direct port, and the subscription has none."
            ),
        ));
    }
    let provider = required(
        &given,
        "serviceProviderProperties",
        "ExpressRouteCircuitPropertiesFormat",
    )?
    .clone();
    let provider = service_provider(input, &provider)?;
    given.insert("serviceProviderProperties".into(), provider);
    let mut hidden = BTreeMap::new();
    let old_hidden = input.existing.map(|r| r.hidden.clone()).unwrap_or_default();
    // What the body leaves out is dropped (azure.md §1.3).
    let mut peerings = Vec::new();
    for entry in given.get("peerings").map(list).unwrap_or_default() {
        let name = text(&entry["name"]).to_owned();
        let props = entry["properties"].as_object().cloned().unwrap_or_default();
        let (mut body, key) = peering(input.name, input.existing, &name, props, "Customer")?;
        if let Some(old) = named(input.before("peerings"), &name) {
            // A refresh changes nothing of who made it.
            body["properties"]["lastModifiedBy"] = old["properties"]["lastModifiedBy"].clone();
        }
        let slot = format!("peering/{}", PRIVATE.to_lowercase());
        if let Some(key) = key.or_else(|| old_hidden.get(&slot).cloned()) {
            hidden.insert(slot, key);
        }
        peerings.push(body);
    }
    let mut authorizations = Vec::new();
    for entry in given.get("authorizations").map(list).unwrap_or_default() {
        let name = text(&entry["name"]);
        let slot = format!("authorization/{}", name.to_lowercase());
        let old = named(input.before("authorizations"), name);
        match (old, old_hidden.get(&slot)) {
            (Some(old), Some(key)) => {
                authorizations.push(old.clone());
                hidden.insert(slot, key.clone());
            }
            _ => {
                return Err(ArmError::bad(
                    "AuthorizationMustBeCreatedByItself",
                    format!(
                        "Authorization {name} of circuit {id} does not exist; create it with a PUT of its own."
                    ),
                ));
            }
        }
    }
    given.insert("peerings".into(), peerings.into());
    given.insert("authorizations".into(), authorizations.into());
    for member in KEPT {
        let old = input.before(member);
        if !old.is_null() {
            given.insert((*member).to_owned(), old.clone());
        }
    }
    for (member, value) in [
        ("allowClassicOperations", json!(false)),
        ("globalReachEnabled", json!(false)),
        ("allowGlobalReach", json!(false)),
        ("gatewayManagerEtag", json!("")),
        ("serviceProviderNotes", json!("")),
        ("circuitProvisioningState", json!("Disabled")),
        ("serviceProviderProvisioningState", json!("NotProvisioned")),
    ] {
        given.entry(member).or_insert(value);
    }
    Ok(Plan {
        properties: given,
        top,
        hidden,
        locks: vec![Lock::on("circuit", &id)],
        create_duration: "arm.expressRouteCircuit.create",
        update_duration: "arm.expressRouteCircuit.update",
        product: Some(ProductKind::ExpressRouteCircuit),
        ..Plan::default()
    })
}

fn sku(input: &Input<'_>) -> ArmResult<Map<String, Value>> {
    let id = input.name.id();
    let sku = input.top.get("sku").cloned().unwrap_or(Value::Null);
    let (tier, family) = (text(&sku["tier"]), text(&sku["family"]));
    let tiers = ["Standard", "Premium", "Local"];
    let families = ["MeteredData", "UnlimitedData"];
    let find = |words: &[&'static str], word: &str| {
        words.iter().copied().find(|w| w.eq_ignore_ascii_case(word))
    };
    let (Some(tier), Some(family)) = (find(&tiers, tier), find(&families, family)) else {
        return Err(ArmError::bad(
            "InvalidExpressRouteCircuitSku",
            format!(
                "The sku of circuit {id} needs tier (Standard, Premium or Local) and family (MeteredData or UnlimitedData)."
            ),
        ));
    };
    let name = format!("{tier}_{family}");
    if !text(&sku["name"]).eq_ignore_ascii_case(&name) {
        return Err(ArmError::bad(
            "InvalidExpressRouteCircuitSku",
            format!(
                "The sku name {} of circuit {id} must be {name}.",
                sku["name"]
            ),
        ));
    }
    if let Some(old) = input.existing {
        let (was_tier, was_family) = (
            text(&old.doc["sku"]["tier"]),
            text(&old.doc["sku"]["family"]),
        );
        if was_family == "UnlimitedData" && family == "MeteredData"
            || (was_tier == "Local") != (tier == "Local")
        {
            return Err(ArmError::bad(
                "ExpressRouteCircuitSkuCannotBeChanged",
                format!(
                    "The sku of circuit {id} cannot be changed from {was_tier}_{was_family} to {name}."
                ),
            ));
        }
    }
    let mut top = Map::new();
    top.insert(
        "sku".into(),
        json!({"name": name, "tier": tier, "family": family}),
    );
    Ok(top)
}

fn service_provider(input: &Input<'_>, given: &Value) -> ArmResult<Value> {
    let id = input.name.id();
    let provider_name = text(&given["serviceProviderName"]);
    let location = text(&given["peeringLocation"]);
    let mbps = given["bandwidthInMbps"].as_i64().unwrap_or(0);
    let catalogue = &input.state.world.azure.service_providers;
    let Some(provider) = catalogue
        .iter()
        .find(|p| p.name.eq_ignore_ascii_case(provider_name))
    else {
        return Err(ArmError::bad(
            "ServiceProviderNotFound",
            format!("Service provider '{provider_name}' of circuit {id} does not exist."),
        ));
    };
    let Some(location) = provider
        .peering_locations
        .iter()
        .find(|l| l.eq_ignore_ascii_case(location))
    else {
        return Err(ArmError::bad(
            "PeeringLocationNotSupported",
            format!(
                "Service provider {} of circuit {id} has no peering location '{location}'.",
                provider.name
            ),
        ));
    };
    if !provider.bandwidths.iter().any(|b| i64::from(*b) == mbps) {
        return Err(ArmError::bad(
            "BandwidthNotSupported",
            format!(
                "Service provider {} of circuit {id} does not offer {mbps} Mbps.",
                provider.name
            ),
        ));
    }
    let old = input.before("serviceProviderProperties");
    if !old.is_null() {
        for (member, new) in [
            ("serviceProviderName", &provider.name),
            ("peeringLocation", location),
        ] {
            if text(&old[member]) != new {
                return Err(ArmError::bad(
                    "ExpressRouteCircuitPropertyCannotBeChanged",
                    format!(
                        "{member} of circuit {id} cannot be changed; the circuit must be created again."
                    ),
                ));
            }
        }
        if mbps < old["bandwidthInMbps"].as_i64().unwrap_or(0) {
            return Err(ArmError::bad(
                "ExpressRouteCircuitBandwidthCannotBeReduced",
                format!(
                    "The bandwidth of circuit {id} cannot be reduced from {} to {mbps} Mbps.",
                    old["bandwidthInMbps"]
                ),
            ));
        }
    }
    Ok(
        json!({"serviceProviderName": provider.name, "peeringLocation": location, "bandwidthInMbps": mbps}),
    )
}

fn peer_prefix(given: &Map<String, Value>, member: &str, id: &str) -> ArmResult<Ipv4Net> {
    let textual = text(required(
        given,
        member,
        "ExpressRouteCircuitPeeringPropertiesFormat",
    )?);
    textual
        .parse::<Ipv4Net>()
        .ok()
        .filter(|n| n.prefix_len() == 30 && n.addr() == n.network())
        .ok_or_else(|| {
            ArmError::bad(
                "InvalidPeerAddressPrefix",
                format!("{member} '{textual}' of peering {id} must be a /30 network."),
            )
        })
}

/// A peering's body from what was given, and its MD5 key when one was.
pub fn peering(
    circuit: &Name,
    existing: Option<&Resource>,
    name: &str,
    mut given: Map<String, Value>,
    by: &str,
) -> ArmResult<(Value, Option<String>)> {
    let id = format!("{}/peerings/{name}", circuit.id());
    // The codes of these refusals are not in public sources.
    if !name.eq_ignore_ascii_case(PRIVATE) {
        return Err(ArmError::bad(
            "PeeringTypeNotSupported",
            format!(
                "Peering {id} is not supported: this circuit's sku and provider offer {PRIVATE}."
            ),
        ));
    }
    let kind = given.get("peeringType").map_or(PRIVATE, |t| text(t));
    if kind != PRIVATE {
        return Err(ArmError::bad(
            "PeeringTypeMismatch",
            format!("peeringType {kind} of peering {id} does not match its name."),
        ));
    }
    let state = existing.map_or("", |r| text(&r.props()["serviceProviderProvisioningState"]));
    let known = existing.and_then(|r| named(&r.props()["peerings"], name));
    if known.is_none() && state != "Provisioned" {
        return Err(ArmError::bad(
            "ExpressRouteCircuitNotProvisioned",
            format!(
                "Peering {id} cannot be created: the service provider has not provisioned the circuit (serviceProviderProvisioningState is '{state}')."
            ),
        ));
    }
    let asn = required(
        &given,
        "peerASN",
        "ExpressRouteCircuitPeeringPropertiesFormat",
    )?
    .as_i64()
    .unwrap_or(0);
    if reserved_asn(asn) || asn == 65515 {
        return Err(ArmError::bad(
            "InvalidPeerAsn",
            format!("The peerASN {asn} of peering {id} is reserved."),
        ));
    }
    required(
        &given,
        "vlanId",
        "ExpressRouteCircuitPeeringPropertiesFormat",
    )?;
    let primary = peer_prefix(&given, "primaryPeerAddressPrefix", &id)?;
    let secondary = peer_prefix(&given, "secondaryPeerAddressPrefix", &id)?;
    if primary == secondary {
        return Err(ArmError::bad(
            "PeerAddressPrefixesOverlap",
            format!("The primary and secondary prefixes of peering {id} are the same."),
        ));
    }
    let key = given.remove("sharedKey").map(|k| text(&k).to_owned());
    if key.as_ref().is_some_and(|k| k.is_empty() || k.len() > 25) {
        return Err(ArmError::bad(
            "InvalidPeeringSharedKey",
            format!("The sharedKey of peering {id} must have 1 to 25 characters."),
        ));
    }
    let mut body = Value::Object(given);
    body["peeringType"] = PRIVATE.into();
    if body["state"].is_null() {
        body["state"] = "Enabled".into();
    }
    body["azureASN"] = 12076.into();
    body["primaryAzurePort"] = port_name(circuit, 1).into();
    body["secondaryAzurePort"] = port_name(circuit, 2).into();
    body["gatewayManagerEtag"] = "".into();
    body["lastModifiedBy"] = by.into();
    body["connections"] = json!([]);
    body["peeredConnections"] = json!([]);
    Ok((seed::child(circuit, Child::Peering, PRIVATE, body), key))
}

/// The name of Microsoft's port: stable for a circuit.
fn port_name(circuit: &Name, n: u32) -> String {
    let sum: u32 = circuit.key().bytes().map(u32::from).sum();
    format!("MEGAPORT-IAD-{:02}GMR-CIS-{n}-PRI-A", sum % 90 + 10)
}

/// ExpressRoute connections on a circuit, in any subscription.
pub fn connections(state: &State, circuit: &str) -> Vec<String> {
    super::address::connections_using(state, "peer", circuit)
}
