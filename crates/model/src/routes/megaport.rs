//! Megaport's views of an MCR: diagnostics routes (megaport.md §7.3) and the BGP state map of a VXC (§4.4).

use super::text;
use super::{Learned, NextHop, Route, Session, SessionState, Sessions, Table};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// Next hop with the VXC that it lies behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HopRow {
    #[serde(deserialize_with = "text_or_null")]
    pub ip: String,
    pub vxc: Option<VxcRef>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VxcRef {
    #[serde(deserialize_with = "text_or_null")]
    pub id: String,
    #[serde(deserialize_with = "text_or_null")]
    pub name: String,
}

/// A row of `diagnostics/routes/bgp` and `…/bgp/neighbor`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpRouteRow {
    #[serde(deserialize_with = "text_or_null")]
    pub prefix: String,
    #[serde(deserialize_with = "text_or_null")]
    pub as_path: String,
    #[serde(deserialize_with = "text_or_null")]
    pub origin: String,
    /// The peer's address.
    #[serde(deserialize_with = "text_or_null")]
    pub source: String,
    #[serde(deserialize_with = "number")]
    pub local_pref: Option<u32>,
    #[serde(deserialize_with = "number")]
    pub med: Option<u32>,
    #[serde(deserialize_with = "number")]
    pub weight: Option<u32>,
    #[serde(deserialize_with = "truth")]
    pub best: Option<bool>,
    #[serde(deserialize_with = "truth")]
    pub external: Option<bool>,
    #[serde(deserialize_with = "truth")]
    pub valid: Option<bool>,
    pub next_hop: Option<HopRow>,
}

/// A row of `diagnostics/routes/ip`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IpRouteRow {
    #[serde(deserialize_with = "text_or_null")]
    pub prefix: String,
    /// `BGP`, `STATIC`, `CONNECTED`, …
    #[serde(deserialize_with = "text_or_null")]
    pub protocol: String,
    #[serde(deserialize_with = "number")]
    pub metric: Option<u32>,
    pub next_hop: Option<HopRow>,
}

fn text_or_null<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(match serde_json::Value::deserialize(d)? {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(s) => s,
        other => other.to_string(),
    })
}

/// A number that may come as text, as `12.0` or not at all (megaport.md §10).
fn number<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    Ok(match serde_json::Value::deserialize(d)? {
        serde_json::Value::Number(n) => n
            .as_u64()
            .or_else(|| {
                n.as_f64()
                    .filter(|f| (0.0..4_294_967_296.0).contains(f))
                    .map(|f| f as u64)
            })
            .and_then(|n| u32::try_from(n).ok()),
        serde_json::Value::String(s) => s.trim().parse().ok(),
        _ => None,
    })
}

/// A truth value that may come as text or as 1 and 0 (megaport.md §10). Anything else is not said.
fn truth<'de, D: Deserializer<'de>>(d: D) -> Result<Option<bool>, D::Error> {
    Ok(match serde_json::Value::deserialize(d)? {
        serde_json::Value::Bool(b) => Some(b),
        serde_json::Value::Number(n) => match n.as_u64() {
            Some(1) => Some(true),
            Some(0) => Some(false),
            _ => None,
        },
        serde_json::Value::String(s) => match s.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
        _ => None,
    })
}

fn hop(row: Option<&HopRow>) -> Option<NextHop> {
    match row.map(|h| h.ip.trim()) {
        None | Some("" | "0.0.0.0" | "::") => Some(NextHop::Local),
        Some(ip) => text::address(ip).map(NextHop::Address),
    }
}

/// BGP routes of an MCR, of all sessions or of one neighbour.
pub fn bgp_routes(rows: &[BgpRouteRow]) -> Table {
    Table::collect(rows.iter().map(|row| {
        let what = || format!("MCR BGP route {row:?}");
        let prefix = text::prefix(&row.prefix).ok_or_else(what)?;
        let as_path = text::as_path(&row.as_path).ok_or_else(what)?;
        let learned = match row.external {
            Some(true) => Learned::Ebgp,
            Some(false) if as_path.is_empty() => Learned::Local,
            Some(false) => Learned::Ibgp,
            None => Learned::Bgp,
        };
        let mut route = Route::new(
            prefix,
            hop(row.next_hop.as_ref()).ok_or_else(what)?,
            learned,
        );
        route.as_path = as_path;
        route.peer = text::optional_address(&row.source).ok_or_else(what)?;
        route.local_pref = row.local_pref;
        route.med = row.med;
        route.weight = row.weight;
        route.best = row.best;
        route.usable = row.valid.unwrap_or(true);
        Ok(vec![route])
    }))
}

/// The forwarding table of an MCR.
pub fn ip_routes(rows: &[IpRouteRow]) -> Table {
    Table::collect(rows.iter().map(|row| {
        let what = || format!("MCR route {row:?}");
        let prefix = text::prefix(&row.prefix).ok_or_else(what)?;
        let learned = match row.protocol.to_ascii_uppercase().as_str() {
            "BGP" => Learned::Bgp,
            "STATIC" => Learned::Static,
            "CONNECTED" | "DIRECT" | "LOCAL" | "KERNEL" => Learned::Local,
            _ => Learned::Unknown,
        };
        let next_hop = hop(row.next_hop.as_ref()).ok_or_else(what)?;
        Ok(vec![Route::new(prefix, next_hop, learned)])
    }))
}

/// A BGP connection as a VXC read shows it, without its key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BgpConnectionRow {
    pub peer_asn: Option<u32>,
    pub local_ip_address: String,
    pub peer_ip_address: String,
    pub shutdown: bool,
}

/// Sessions of one VXC: its BGP connections joined with `bgp_status` (peer address to 1 or 0; freshness unknown, so a hint).
/// A shut session is administratively down whatever the map says.
pub fn sessions(
    connections: &[BgpConnectionRow],
    status: &BTreeMap<String, i64>,
    vxc_shutdown: bool,
) -> Sessions {
    Sessions::collect(connections.iter().map(|c| {
        let what = || format!("BGP connection of a VXC {c:?}");
        let peer = text::address(&c.peer_ip_address).ok_or_else(what)?;
        let told = status
            .iter()
            .find(|(ip, _)| text::address(ip) == Some(peer))
            .map(|(_, up)| *up);
        let (state, word) = match told {
            _ if c.shutdown || vxc_shutdown => (SessionState::AdministrativelyDown, "shutdown"),
            Some(1) => (SessionState::Up, "1"),
            Some(0) => (SessionState::Down, "0"),
            _ => (SessionState::Unknown, "not reported"),
        };
        Ok(Session {
            local: text::optional_address(&c.local_ip_address).ok_or_else(what)?,
            peer,
            peer_asn: c.peer_asn,
            state,
            word: word.to_owned(),
            routes_received: None,
        })
    }))
}
