//! Checks of the cloud's side of a VXC order: `bEnd.partnerConfig` (megaport.md §3.4, §3.5).

use super::envelope::Refusal;
use super::order::router;
use super::types::{AwsConnection, AwsVif, AzureCircuit, Cloud, Interface, Mcr, Peer};
use super::{secret::Secret, vrouter};
use crate::arm::provider_side;
use crate::net::view::Port;
use crate::state::State;
use ipnet::IpNet;
use serde_json::Value;

/// Fixed sizes of AWS hosted connections in Mbps (§3.5).
const HOSTED_SIZES: [u32; 13] = [
    50, 100, 200, 300, 400, 500, 1000, 2000, 5000, 10_000, 15_000, 20_000, 25_000,
];

fn text(config: &Value, field: &str) -> Option<String> {
    config
        .get(field)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
}

/// What the B-end is, and its interfaces when it is a router.
pub fn far_end(
    state: &State,
    mcr: &Mcr,
    port: &str,
    rate: u32,
    config: Option<&Value>,
    name: &str,
) -> Result<(Cloud, Vec<Interface>), Refusal> {
    let empty = Value::Null;
    let config = config.unwrap_or(&empty);
    if state.megaport.mcrs.contains_key(port) {
        let far = router(state, port)?;
        if port == mcr.service.uid {
            return Err(Refusal::bad("Valid B-End is required"));
        }
        return Ok((Cloud::Mcr, vrouter::interfaces(Some(config), far)?));
    }
    let kind = text(config, "connectType").unwrap_or_default();
    if let Some(p) = super::ports::aws(state, port) {
        if kind != p.connect_type {
            return Err(Refusal::csp(format!(
                "the B-End takes connectType {}, not '{kind}'",
                p.connect_type
            )));
        }
        if !p.vxc_permitted {
            return Err(Refusal::invalid("the B-End does not permit VXCs"));
        }
        return Ok((
            check_aws(mcr, rate, config, name, p.speed, &kind)?,
            Vec::new(),
        ));
    }
    if let Some((pair, which)) = super::ports::azure(state, port) {
        // Both spellings are in use (§3.4).
        if kind != "AZURE" && kind != "AzureExpressRoute" {
            return Err(Refusal::csp(format!(
                "the B-End takes connectType AZURE, not '{kind}'"
            )));
        }
        let place = pair.peering_location.clone();
        return Ok((
            check_azure(state, mcr, rate, config, which, &place)?,
            Vec::new(),
        ));
    }
    Err(Refusal::no_service(port))
}

fn check_aws(
    mcr: &Mcr,
    rate: u32,
    config: &Value,
    name: &str,
    speed: u32,
    kind: &str,
) -> Result<Cloud, Refusal> {
    let owner = text(config, "ownerAccount")
        .filter(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| Refusal::csp("AWS: ownerAccount must have 12 digits"))?;
    let name = text(config, "name").unwrap_or_else(|| name.to_owned());
    if name.chars().count() > 255 {
        return Err(Refusal::csp("AWS: name is longer than 255 characters"));
    }
    if kind == "AWSHC" {
        if !HOSTED_SIZES.contains(&rate) || rate > speed {
            return Err(Refusal::csp(format!(
                "AWS: {rate} Mbps is not a size of a hosted connection"
            )));
        }
        return Ok(Cloud::AwsHc(AwsConnection {
            owner,
            name,
            connection: None,
        }));
    }
    if rate > 5000 {
        return Err(Refusal::csp(
            "AWS: a hosted virtual interface has at most 5000 Mbps",
        ));
    }
    // A hosted VIF can not be a transit VIF (aws.md §1.2).
    let kind = text(config, "type")
        .filter(|t| matches!(t.as_str(), "private" | "public"))
        .ok_or_else(|| Refusal::csp("AWS: type must be private or public"))?;
    let number = |field: &str| -> Result<Option<u32>, Refusal> {
        match config.get(field).filter(|v| !v.is_null()) {
            None => Ok(None),
            Some(v) => v
                .as_u64()
                .and_then(|n| u32::try_from(n).ok())
                .map(|n| Some(n).filter(|n| *n != 0))
                .ok_or_else(|| Refusal::csp(format!("AWS: {field} is not an ASN"))),
        }
    };
    let auth_key = text(config, "authKey");
    if auth_key
        .as_ref()
        .is_some_and(|k| !(6..=80).contains(&k.len()) || k.contains(char::is_whitespace))
    {
        return Err(Refusal::csp(
            "AWS: authKey must have 6 to 80 characters without blanks",
        ));
    }
    let (customer, amazon) = (
        text(config, "customerIpAddress"),
        text(config, "amazonIpAddress"),
    );
    let net = |a: &Option<String>| match a {
        None => Ok(None),
        Some(a) => a.parse::<IpNet>().map(Some).map_err(|_| {
            Refusal::csp(format!("AWS: '{a}' is not an address with a prefix length"))
        }),
    };
    match (net(&customer)?, net(&amazon)?) {
        (None, None) => {}
        (Some(c), Some(a)) if c.trunc() == a.trunc() && c.addr() != a.addr() => {}
        _ => {
            return Err(Refusal::csp(
                "AWS: customerIpAddress and amazonIpAddress must be two addresses of one subnet",
            ));
        }
    }
    let prefixes = text(config, "prefixes").filter(|_| kind == "public");
    if kind == "public" && prefixes.is_none() {
        return Err(Refusal::csp(
            "AWS: prefixes are required for a public virtual interface",
        ));
    }
    Ok(Cloud::Aws(AwsVif {
        owner,
        kind,
        name,
        asn: number("asn")?.unwrap_or(mcr.asn),
        amazon_asn: number("amazonAsn")?,
        auth_key: auth_key.map(Secret::new),
        customer_address: customer.unwrap_or_default(),
        amazon_address: amazon.unwrap_or_default(),
        prefixes,
        vif: None,
    }))
}

fn check_azure(
    state: &State,
    mcr: &Mcr,
    rate: u32,
    config: &Value,
    port: Port,
    place: &str,
) -> Result<Cloud, Refusal> {
    let key =
        text(config, "serviceKey").ok_or_else(|| Refusal::csp("Azure: missing serviceKey"))?;
    let circuit = provider_side::lookup(state, &key)
        .ok_or_else(|| Refusal::csp("Azure: the service key was not found"))?;
    if !circuit.peering_location.eq_ignore_ascii_case(place) {
        return Err(Refusal::csp(format!(
            "Azure: the service key belongs to {}, the B-End to {place}",
            circuit.peering_location
        )));
    }
    if let Some(other) = super::ports::vxc_on(state, &key, port) {
        return Err(Refusal::csp(format!(
            "Azure: the port is already in use by service ID {}",
            other.service.service_id
        )));
    }
    if rate > circuit.bandwidth_mbps {
        return Err(Refusal::csp(format!(
            "Azure: rateLimit {rate} is more than the circuit's {} Mbps",
            circuit.bandwidth_mbps
        )));
    }
    let empty = Vec::new();
    let peers = config
        .get("peers")
        .and_then(Value::as_array)
        .unwrap_or(&empty)
        .iter()
        .map(|p| check_peer(p, mcr))
        .collect::<Result<_, _>>()?;
    Ok(Cloud::Azure(AzureCircuit {
        service_key: Secret::new(key),
        port,
        bandwidth: circuit.bandwidth_mbps,
        peers,
    }))
}

fn check_peer(p: &Value, mcr: &Mcr) -> Result<Peer, Refusal> {
    let kind = text(p, "type")
        .filter(|t| matches!(t.as_str(), "private" | "microsoft"))
        .ok_or_else(|| Refusal::csp("Azure: peer type must be private or microsoft"))?;
    let vlan = p
        .get("vlan")
        .and_then(|v| {
            v.as_i64()
                .or_else(|| v.as_str().and_then(|s| s.parse().ok()))
        })
        .filter(|v| (1..=4094).contains(v))
        .ok_or_else(|| Refusal::csp("Azure: invalid vlan"))?;
    // A text on the order, a number on reads (§3.4).
    let peer_asn = match p.get("peer_asn") {
        None | Some(Value::Null) => mcr.asn,
        Some(v) => v
            .as_str()
            .and_then(|s| s.parse().ok())
            .or_else(|| v.as_u64().and_then(|n| u32::try_from(n).ok()))
            .ok_or_else(|| Refusal::csp("Azure: invalid peer_asn"))?,
    };
    let subnet = |field: &str| match text(p, field) {
        None => Ok(None),
        Some(s) => s
            .parse::<ipnet::Ipv4Net>()
            .map(|_| Some(s.clone()))
            .map_err(|_| Refusal::csp(format!("Azure: {field} '{s}' is not a subnet"))),
    };
    let (primary_subnet, secondary_subnet) =
        (subnet("primary_subnet")?, subnet("secondary_subnet")?);
    if primary_subnet.is_none() && secondary_subnet.is_none() {
        return Err(Refusal::csp(
            "Azure: missing primary_subnet or secondary_subnet",
        ));
    }
    Ok(Peer {
        kind,
        peer_asn,
        primary_subnet,
        secondary_subnet,
        prefixes: text(p, "prefixes"),
        shared_key: text(p, "shared_key").map(Secret::new),
        vlan: vlan as u16,
    })
}
