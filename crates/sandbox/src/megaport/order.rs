//! Checks of a network design (megaport.md §3): what `validate` answers and what `buy` carries out. Nothing here
//! changes the state.

use super::envelope::Refusal;
use super::types::{Cloud, Interface, Mcr, Tag};
use super::{csp, vrouter};
use crate::state::State;
use serde::Deserialize;
use serde_json::Value;

pub const TERMS: [u32; 6] = [1, 12, 24, 36, 48, 60];
const MCR_SPEEDS: [u32; 8] = [1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 400_000];
/// ASN of an MCR whose order names none (§3.1).
const DEFAULT_ASN: u32 = 133_937;

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
            n => Err(Refusal::invalid(format!(
                "tunnelCount {n} is not one of 10, 20, 30"
            ))),
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
            let uid = order
                .get("productUid")
                .and_then(Value::as_str)
                .unwrap_or_default();
            for vxc in vxcs {
                out.push(Draft::Vxc(Box::new(check_vxc(state, uid, vxc)?)));
            }
            continue;
        }
        match order.get("productType").and_then(Value::as_str) {
            Some(t) if t.eq_ignore_ascii_case("MCR2") => {
                out.push(Draft::Mcr(check_mcr(state, order)?));
            }
            Some(t) => {
                return Err(Refusal::invalid(format!(
                    "product type {t} can not be ordered here"
                )));
            }
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
        Some(t) if t.chars().count() > 255 => {
            Err(Refusal::invalid("costCentre is longer than 255 characters"))
        }
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
        return Err(Refusal::invalid(format!(
            "location {id} does not take orders"
        )));
    }
    let speed = o
        .port_speed
        .filter(|s| MCR_SPEEDS.contains(s))
        .ok_or_else(|| Refusal::invalid("portSpeed is not an MCR speed"))?;
    let config = o.config.unwrap_or_default();
    let offers = |zone: &str| {
        let z = if zone == "red" {
            &location.red
        } else {
            &location.blue
        };
        z.as_ref()
            .is_some_and(|z| z.mcr_speed_mbps.contains(&speed))
    };
    let zone = match config.diversity_zone.filter(|z| !z.is_empty()) {
        Some(z) if matches!(z.as_str(), "red" | "blue") => Some(z).filter(|z| offers(z)),
        Some(z) => {
            return Err(Refusal::invalid(format!(
                "diversityZone '{z}' is not one of red, blue"
            )));
        }
        None => ["red", "blue"]
            .into_iter()
            .find(|z| offers(z))
            .map(str::to_owned),
    }
    .ok_or_else(|| {
        Refusal::invalid(format!(
            "an MCR of {speed} Mbps is not available at location {id}"
        ))
    })?;
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
        Vlan::Tag(_) if outer == Vlan::Untagged => {
            Err(Refusal::invalid("innerVlan needs a tagged outer VLAN"))
        }
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
    let (cloud, b_interfaces) =
        csp::far_end(state, mcr, &port, rate, b.partner_config.as_ref(), &name)?;
    if let (Vlan::Untagged, false) = (b_vlan, matches!(cloud, Cloud::Mcr)) {
        return Err(Refusal::invalid("the B-End must be tagged"));
    }
    if let Vlan::Tag(v) = b_vlan
        && let Some(taken) = taken(state, &port, v)
    {
        return Err(Refusal::bad(format!(
            "VLAN {v} not available on service ID {taken}"
        )));
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
pub fn router<'a>(state: &'a State, uid: &str) -> Result<&'a Mcr, Refusal> {
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
        .find(|v| {
            v.b.vlan == Some(vlan) && super::ports::capacity_group(state, &v.b.product) == group
        })
        .map(|v| v.service.service_id)
}
