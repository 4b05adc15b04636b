//! Checks of a network design (megaport.md §3): what `validate` answers and what `buy` carries out. Nothing here
//! changes the state.

use super::envelope::Refusal;
use super::types::{AwsConnection, AwsVif, AzureCircuit, Cloud, Interface, Mcr, Peer, Tag};
use super::{secret::Secret, vrouter};
use crate::arm::provider_side;
use crate::net::view::Port;
use crate::state::State;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

pub const TERMS: [u32; 6] = [1, 12, 24, 36, 48, 60];
const MCR_SPEEDS: [u32; 8] = [1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 400_000];
/// ASN of an MCR whose order names none (§3.1).
const DEFAULT_ASN: u32 = 133_937;
/// Fixed sizes of AWS hosted connections in Mbps (§3.5).
const HOSTED_SIZES: [u32; 13] = [
    50, 100, 200, 300, 400, 500, 1000, 2000, 5000, 10_000, 15_000, 20_000, 25_000,
];

/// A checked order.
#[derive(Debug)]
pub enum Draft {
    Mcr(McrDraft),
    Vxc(Box<VxcDraft>),
}

#[derive(Debug)]
pub struct McrDraft {
    pub name: String,
    pub location: u32,
    pub speed: u32,
    pub term: u32,
    pub cost_centre: Option<String>,
    pub visible: bool,
    pub asn: u32,
    pub zone: String,
    /// Tunnel and pack counts of IPsec add-ons.
    pub add_ons: Vec<(u32, u32)>,
    pub tags: Vec<Tag>,
}

#[derive(Debug)]
pub struct VxcDraft {
    pub name: String,
    pub rate: u32,
    pub term: u32,
    pub shutdown: bool,
    pub cost_centre: Option<String>,
    pub tags: Vec<Tag>,
    pub mcr: String,
    pub a_vlan: Vlan,
    pub a_inner: Option<u16>,
    pub interfaces: Vec<Interface>,
    /// The port as ordered.
    pub port: String,
    pub b_vlan: Vlan,
    pub b_inner: Option<u16>,
    pub b_interfaces: Vec<Interface>,
    pub cloud: Cloud,
}

/// A VLAN as it is ordered (§3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vlan {
    Auto,
    Untagged,
    Tag(u16),
}

impl Vlan {
    pub fn parse(value: Option<i64>) -> Result<Self, Refusal> {
        match value {
            None | Some(0) => Ok(Self::Auto),
            Some(-1) => Ok(Self::Untagged),
            Some(v @ 2..=4093) => Ok(Self::Tag(v as u16)),
            Some(v) => Err(Refusal::invalid(format!("VLAN {v} is not valid"))),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct McrOrder {
    product_name: Option<String>,
    location_id: Option<u32>,
    port_speed: Option<u32>,
    term: Option<u32>,
    cost_centre: Option<String>,
    marketplace_visibility: Option<bool>,
    config: Option<McrConfig>,
    add_ons: Option<Vec<AddOnOrder>>,
    resource_tags: Option<Vec<Tag>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct McrConfig {
    mcr_asn: Option<u32>,
    diversity_zone: Option<String>,
}

/// An add-on as it is ordered or changed (§7.2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddOnOrder {
    pub add_on_type: Option<String>,
    pub tunnel_count: Option<u32>,
    pub pack_count: Option<u32>,
}

impl AddOnOrder {
    /// The tunnel count; `off` says whether 0, which disables it, is allowed.
    pub fn tunnels(&self, off: bool) -> Result<u32, Refusal> {
        if self.add_on_type.as_deref().unwrap_or("IP_SEC") != "IP_SEC" {
            return Err(Refusal::invalid("addOnType must be IP_SEC"));
        }
        match self.tunnel_count.unwrap_or(10) {
            n @ (10 | 20 | 30) => Ok(n),
            0 if off => Ok(0),
            n => Err(Refusal::invalid(format!("tunnelCount {n} is not one of 10, 20, 30"))),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VxcOrder {
    product_name: Option<String>,
    rate_limit: Option<u32>,
    term: Option<u32>,
    shutdown: Option<bool>,
    cost_centre: Option<String>,
    resource_tags: Option<Vec<Tag>>,
    a_end: Option<EndOrder>,
    b_end: Option<EndOrder>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct EndOrder {
    product_uid: Option<String>,
    vlan: Option<i64>,
    inner_vlan: Option<i64>,
    partner_config: Option<Value>,
}

/// Checks a design: an array of orders.
pub fn check(state: &State, design: &Value) -> Result<Vec<Draft>, Refusal> {
    let orders = design
        .as_array()
        .filter(|o| !o.is_empty())
        .ok_or_else(|| Refusal::invalid("the network design has no order"))?;
    let mut out = Vec::new();
    for order in orders {
        if let Some(vxcs) = order.get("associatedVxcs").and_then(Value::as_array)
            && order.get("productType").is_none_or(Value::is_null)
        {
            let uid = order.get("productUid").and_then(Value::as_str).unwrap_or_default();
            for vxc in vxcs {
                out.push(Draft::Vxc(Box::new(check_vxc(state, uid, vxc)?)));
            }
            continue;
        }
        match order.get("productType").and_then(Value::as_str) {
            Some(t) if t.eq_ignore_ascii_case("MCR2") => out.push(Draft::Mcr(check_mcr(state, order)?)),
            Some(t) => return Err(Refusal::invalid(format!("product type {t} can not be ordered here"))),
            None => return Err(Refusal::invalid("productType is required")),
        }
    }
    Ok(out)
}

fn named(name: Option<String>) -> Result<String, Refusal> {
    name.filter(|n| !n.trim().is_empty())
        .ok_or_else(|| Refusal::invalid("productName is required"))
}

/// Contract terms (§3.1).
pub fn check_term(term: Option<u32>) -> Result<u32, Refusal> {
    term.filter(|t| TERMS.contains(t))
        .ok_or_else(|| Refusal::invalid("term must be one of 1, 12, 24, 36, 48, 60"))
}

/// At most 255 characters; an empty text is none.
pub fn check_cost_centre(text: Option<String>) -> Result<Option<String>, Refusal> {
    match text {
        Some(t) if t.chars().count() > 255 => Err(Refusal::invalid("costCentre is longer than 255 characters")),
        other => Ok(other.filter(|t| !t.is_empty())),
    }
}

/// Tags have a key.
pub fn check_tags(tags: Vec<Tag>) -> Result<Vec<Tag>, Refusal> {
    if tags.iter().any(|t| t.key.is_empty()) {
        return Err(Refusal::invalid("a resource tag has no key"));
    }
    Ok(tags)
}

/// Reserved ASNs (§3.1).
pub fn check_asn(asn: u32) -> Result<u32, Refusal> {
    let reserved = matches!(asn,
        0 | 8074 | 8075 | 12_076 | 23_456 | 64_496..=64_511 | 65_515..=65_520 | 65_535..=65_551 | u32::MAX);
    if reserved {
        return Err(Refusal::invalid(format!("mcrAsn {asn} is reserved")));
    }
    Ok(asn)
}

fn check_mcr(state: &State, order: &Value) -> Result<McrDraft, Refusal> {
    let o: McrOrder = serde_json::from_value(order.clone())
        .map_err(|e| Refusal::invalid(format!("MCR order: {e}")))?;
    let id = o
        .location_id
        .ok_or_else(|| Refusal::invalid("locationId is required"))?;
    let location = state
        .world
        .megaport
        .location(id)
        .ok_or_else(|| Refusal::invalid(format!("location {id} does not exist")))?;
    if location.status != "Active" {
        return Err(Refusal::invalid(format!("location {id} does not take orders")));
    }
    let speed = o
        .port_speed
        .filter(|s| MCR_SPEEDS.contains(s))
        .ok_or_else(|| Refusal::invalid("portSpeed is not an MCR speed"))?;
    let config = o.config.unwrap_or_default();
    let offers = |zone: &str| {
        let z = if zone == "red" { &location.red } else { &location.blue };
        z.as_ref().is_some_and(|z| z.mcr_speed_mbps.contains(&speed))
    };
    let zone = match config.diversity_zone.filter(|z| !z.is_empty()) {
        Some(z) if matches!(z.as_str(), "red" | "blue") => Some(z).filter(|z| offers(z)),
        Some(z) => return Err(Refusal::invalid(format!("diversityZone '{z}' is not one of red, blue"))),
        None => ["red", "blue"].into_iter().find(|z| offers(z)).map(str::to_owned),
    }
    .ok_or_else(|| Refusal::invalid(format!("an MCR of {speed} Mbps is not available at location {id}")))?;
    let add_ons = o
        .add_ons
        .unwrap_or_default()
        .iter()
        .map(|a| Ok((a.tunnels(false)?, a.pack_count.unwrap_or(1))))
        .collect::<Result<_, Refusal>>()?;
    Ok(McrDraft {
        name: named(o.product_name)?,
        location: id,
        speed,
        term: check_term(o.term)?,
        cost_centre: check_cost_centre(o.cost_centre)?,
        visible: o.marketplace_visibility.unwrap_or(false),
        asn: config.mcr_asn.map_or(Ok(DEFAULT_ASN), check_asn)?,
        zone,
        add_ons,
        tags: check_tags(o.resource_tags.unwrap_or_default())?,
    })
}

fn inner(end: &EndOrder, outer: Vlan) -> Result<Option<u16>, Refusal> {
    match Vlan::parse(end.inner_vlan)? {
        Vlan::Tag(_) if outer == Vlan::Untagged => Err(Refusal::invalid("innerVlan needs a tagged outer VLAN")),
        Vlan::Tag(v) => Ok(Some(v)),
        _ => Ok(None),
    }
}

fn check_vxc(state: &State, a_uid: &str, order: &Value) -> Result<VxcDraft, Refusal> {
    let o: VxcOrder = serde_json::from_value(order.clone())
        .map_err(|e| Refusal::invalid(format!("VXC order: {e}")))?;
    let (a, b) = (o.a_end.unwrap_or_default(), o.b_end.unwrap_or_default());
    let mcr = router(state, a_uid)?;
    let name = named(o.product_name)?;
    let rate = o
        .rate_limit
        .filter(|r| *r > 0)
        .ok_or_else(|| Refusal::invalid("rateLimit is required"))?;
    if rate > mcr.speed {
        return Err(Refusal::invalid(format!(
            "rateLimit {rate} is more than the speed of the A-End ({} Mbps)",
            mcr.speed
        )));
    }
    let port = b
        .product_uid
        .clone()
        .filter(|u| !u.is_empty())
        .ok_or_else(|| Refusal::bad("Valid B-End is required"))?;
    let a_vlan = Vlan::parse(a.vlan)?;
    let b_vlan = Vlan::parse(b.vlan)?;
    let (cloud, b_interfaces) = far_end(state, mcr, &port, rate, b.partner_config.as_ref(), &name)?;
    if let (Vlan::Untagged, false) = (b_vlan, matches!(cloud, Cloud::Mcr)) {
        return Err(Refusal::invalid("the B-End must be tagged"));
    }
    if let Vlan::Tag(v) = b_vlan
        && let Some(taken) = taken(state, &port, v)
    {
        return Err(Refusal::bad(format!("VLAN {v} not available on service ID {taken}")));
    }
    Ok(VxcDraft {
        rate,
        term: check_term(o.term)?,
        shutdown: o.shutdown.unwrap_or(false),
        cost_centre: check_cost_centre(o.cost_centre)?,
        tags: check_tags(o.resource_tags.unwrap_or_default())?,
        mcr: mcr.service.uid.clone(),
        a_vlan,
        a_inner: inner(&a, a_vlan)?,
        interfaces: vrouter::interfaces(a.partner_config.as_ref(), mcr)?,
        port,
        b_vlan,
        b_inner: inner(&b, b_vlan)?,
        b_interfaces,
        cloud,
        name,
    })
}

/// A router that VXCs can be ordered on.
fn router<'a>(state: &'a State, uid: &str) -> Result<&'a Mcr, Refusal> {
    let mcr = state
        .megaport
        .mcrs
        .get(uid)
        .filter(|m| m.service.status.attached())
        .ok_or_else(|| Refusal::no_service(uid))?;
    Ok(mcr)
}

/// The service ID of the product that has this VLAN on the partner's capacity group (§13.11), if any.
pub fn taken(state: &State, port: &str, vlan: u16) -> Option<u64> {
    let group = super::ports::capacity_group(state, port);
    state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.service.status.attached())
        .find(|v| v.b.vlan == Some(vlan) && super::ports::capacity_group(state, &v.b.product) == group)
        .map(|v| v.service.service_id)
}

fn text(config: &Value, field: &str) -> Option<String> {
    config
        .get(field)
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
}

fn far_end(
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
        return Ok((check_aws(mcr, rate, config, name, p.speed, &kind)?, Vec::new()));
    }
    if let Some((pair, which)) = super::ports::azure(state, port) {
        // Both spellings are in use (§3.4).
        if kind != "AZURE" && kind != "AzureExpressRoute" {
            return Err(Refusal::csp(format!("the B-End takes connectType AZURE, not '{kind}'")));
        }
        let place = pair.peering_location.clone();
        return Ok((check_azure(state, mcr, rate, config, which, &place)?, Vec::new()));
    }
    Err(Refusal::no_service(port))
}

fn check_aws(mcr: &Mcr, rate: u32, config: &Value, name: &str, speed: u32, kind: &str) -> Result<Cloud, Refusal> {
    let owner = text(config, "ownerAccount")
        .filter(|a| a.len() == 12 && a.bytes().all(|b| b.is_ascii_digit()))
        .ok_or_else(|| Refusal::csp("AWS: ownerAccount must have 12 digits"))?;
    let name = text(config, "name").unwrap_or_else(|| name.to_owned());
    if name.chars().count() > 255 {
        return Err(Refusal::csp("AWS: name is longer than 255 characters"));
    }
    if kind == "AWSHC" {
        if !HOSTED_SIZES.contains(&rate) || rate > speed {
            return Err(Refusal::csp(format!("AWS: {rate} Mbps is not a size of a hosted connection")));
        }
        return Ok(Cloud::AwsHc(AwsConnection {
            owner,
            name,
            connection: None,
        }));
    }
    if rate > 5000 {
        return Err(Refusal::csp("AWS: a hosted virtual interface has at most 5000 Mbps"));
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
        return Err(Refusal::csp("AWS: authKey must have 6 to 80 characters without blanks"));
    }
    let (customer, amazon) = (text(config, "customerIpAddress"), text(config, "amazonIpAddress"));
    let net = |a: &Option<String>| match a {
        None => Ok(None),
        Some(a) => a
            .parse::<IpNet>()
            .map(Some)
            .map_err(|_| Refusal::csp(format!("AWS: '{a}' is not an address with a prefix length"))),
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
        return Err(Refusal::csp("AWS: prefixes are required for a public virtual interface"));
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
    let key = text(config, "serviceKey").ok_or_else(|| Refusal::csp("Azure: missing serviceKey"))?;
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
        .and_then(|v| v.as_i64().or_else(|| v.as_str().and_then(|s| s.parse().ok())))
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
    let (primary_subnet, secondary_subnet) = (subnet("primary_subnet")?, subnet("secondary_subnet")?);
    if primary_subnet.is_none() && secondary_subnet.is_none() {
        return Err(Refusal::csp("Azure: missing primary_subnet or secondary_subnet"));
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
