//! Azure's dialects: circuit route tables (Cisco style), gateway peers and routes, effective routes of a NIC.

use super::text;
use super::{Learned, NextHop, Route, Session, SessionState, Sessions, Table};
use serde::{Deserialize, Deserializer, Serialize};

/// A row of `routeTables/{path}` of a circuit's peering (azure.md §2.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitRouteRow {
    #[serde(deserialize_with = "lenient")]
    pub network: String,
    #[serde(deserialize_with = "lenient")]
    pub next_hop: String,
    #[serde(deserialize_with = "lenient")]
    pub loc_prf: String,
    #[serde(deserialize_with = "lenient")]
    pub weight: String,
    #[serde(deserialize_with = "lenient")]
    pub path: String,
}

/// A row of `routeTablesSummary/{path}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CircuitSummaryRow {
    #[serde(deserialize_with = "lenient")]
    pub neighbor: String,
    #[serde(rename = "as", deserialize_with = "lenient")]
    pub asn: String,
    #[serde(deserialize_with = "lenient")]
    pub up_down: String,
    /// A number when the session is established, else a state word.
    #[serde(deserialize_with = "lenient")]
    pub state_pfx_rcd: String,
}

/// A row of `getBgpPeerStatus` (azure.md §3.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayPeerRow {
    #[serde(deserialize_with = "lenient")]
    pub local_address: String,
    #[serde(deserialize_with = "lenient")]
    pub neighbor: String,
    #[serde(deserialize_with = "lenient")]
    pub asn: String,
    #[serde(deserialize_with = "lenient")]
    pub state: String,
    #[serde(deserialize_with = "lenient")]
    pub connected_duration: String,
    #[serde(deserialize_with = "lenient")]
    pub routes_received: String,
}

/// A row of `getLearnedRoutes` and `getAdvertisedRoutes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewayRouteRow {
    #[serde(deserialize_with = "lenient")]
    pub local_address: String,
    #[serde(deserialize_with = "lenient")]
    pub network: String,
    #[serde(deserialize_with = "lenient")]
    pub next_hop: String,
    #[serde(deserialize_with = "lenient")]
    pub source_peer: String,
    #[serde(deserialize_with = "lenient")]
    pub origin: String,
    #[serde(deserialize_with = "lenient")]
    pub as_path: String,
    #[serde(deserialize_with = "lenient")]
    pub weight: String,
}

/// A row of a NIC's `effectiveRouteTable` (azure.md §5.3): prefixes and next hops are arrays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EffectiveRouteRow {
    #[serde(deserialize_with = "lenient")]
    pub source: String,
    #[serde(deserialize_with = "lenient")]
    pub state: String,
    #[serde(deserialize_with = "lenient_list")]
    pub address_prefix: Vec<String>,
    #[serde(deserialize_with = "lenient")]
    pub next_hop_type: String,
    #[serde(deserialize_with = "lenient_list")]
    pub next_hop_ip_address: Vec<String>,
}

/// Text from a string, number, boolean or null.
fn lenient<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(plain(serde_json::Value::deserialize(d)?))
}

/// A list of texts from a list, a single value or null.
fn lenient_list<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<String>, D::Error> {
    Ok(match serde_json::Value::deserialize(d)? {
        serde_json::Value::Null => Vec::new(),
        serde_json::Value::Array(items) => items.into_iter().map(plain).collect(),
        one => vec![plain(one)],
    })
}

fn plain(v: serde_json::Value) -> String {
    match v {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(s) => s,
        other => other.to_string(),
    }
}

/// The route table of one circuit port. VNet prefixes come from the gateway over eBGP with AS 65515; whatever has a path
/// was learned over eBGP, what has none is the edge router's own.
pub fn circuit_routes(rows: &[CircuitRouteRow]) -> Table {
    Table::collect(rows.iter().map(|row| {
        let what = || format!("circuit route {row:?}");
        let prefix = text::prefix(&row.network).ok_or_else(what)?;
        let as_path = text::as_path(&row.path).ok_or_else(what)?;
        let next_hop = match row.next_hop.trim() {
            "" => NextHop::Unknown,
            "0.0.0.0" => NextHop::Local,
            hop => NextHop::Address(text::address(hop).ok_or_else(what)?),
        };
        let learned = if as_path.is_empty() {
            Learned::Local
        } else {
            Learned::Ebgp
        };
        let mut route = Route::new(prefix, next_hop, learned);
        route.as_path = as_path;
        route.weight = text::number(&row.weight).ok_or_else(what)?;
        route.local_pref = text::number(&row.loc_prf).ok_or_else(what)?;
        Ok(vec![route])
    }))
}

/// Learned or advertised routes of a gateway.
pub fn gateway_routes(rows: &[GatewayRouteRow]) -> Table {
    Table::collect(rows.iter().map(|row| {
        let what = || format!("gateway route {row:?}");
        let prefix = text::prefix(&row.network).ok_or_else(what)?;
        let as_path = text::as_path(&row.as_path).ok_or_else(what)?;
        let learned = match row.origin.to_ascii_lowercase().as_str() {
            "network" | "igp" => Learned::Local,
            "ebgp" => Learned::Ebgp,
            "ibgp" => Learned::Ibgp,
            _ => Learned::Unknown,
        };
        let next_hop = match row.next_hop.trim() {
            "" if learned == Learned::Local => NextHop::Local,
            "" => NextHop::Unknown,
            hop => NextHop::Address(text::address(hop).ok_or_else(what)?),
        };
        let mut route = Route::new(prefix, next_hop, learned);
        route.as_path = as_path;
        route.peer = text::optional_address(&row.source_peer).ok_or_else(what)?;
        route.weight = text::number(&row.weight).ok_or_else(what)?;
        Ok(vec![route])
    }))
}

/// A NIC's effective routes: one [`Route`] per prefix and next hop, whichever form the service used for ECMP.
pub fn effective_routes(rows: &[EffectiveRouteRow]) -> Table {
    Table::collect(rows.iter().map(|row| {
        let what = || format!("effective route {row:?}");
        let learned = match row.source.as_str() {
            "Default" => Learned::Local,
            "User" => Learned::Static,
            "VirtualNetworkGateway" => Learned::Propagated,
            _ => Learned::Unknown,
        };
        let mut hops = Vec::new();
        for hop in row
            .next_hop_ip_address
            .iter()
            .filter(|h| !h.trim().is_empty())
        {
            hops.push(NextHop::Address(text::address(hop).ok_or_else(what)?));
        }
        if hops.is_empty() {
            hops.push(match row.next_hop_type.as_str() {
                "VnetLocal" | "VNetLocal" => NextHop::Local,
                "" => NextHop::Unknown,
                other => NextHop::Other(other.to_owned()),
            });
        }
        if row.address_prefix.is_empty() {
            return Err(what());
        }
        let mut routes = Vec::new();
        for p in &row.address_prefix {
            let prefix = text::prefix(p).ok_or_else(what)?;
            for hop in &hops {
                let mut route = Route::new(prefix, hop.clone(), learned);
                route.usable = !row.state.eq_ignore_ascii_case("invalid");
                routes.push(route);
            }
        }
        Ok(routes)
    }))
}

/// BGP peers of a gateway: one row per instance and neighbour. `Connecting` twins on the other instance of a VPN gateway
/// are normal (azure.md §3.6), which is for the reader of all rows to judge.
pub fn gateway_sessions(rows: &[GatewayPeerRow]) -> Sessions {
    Sessions::collect(rows.iter().map(|row| {
        let what = || format!("gateway peer {row:?}");
        let state = match row.state.trim().to_ascii_lowercase().as_str() {
            "connected" => SessionState::Up,
            "stopped" => SessionState::AdministrativelyDown,
            "idle" | "connecting" => SessionState::Down,
            _ => SessionState::Unknown,
        };
        Ok(Session {
            local: text::optional_address(&row.local_address).ok_or_else(what)?,
            peer: text::address(&row.neighbor).ok_or_else(what)?,
            peer_asn: text::optional_asn(&row.asn).ok_or_else(what)?,
            state,
            word: row.state.clone(),
            routes_received: text::number(&row.routes_received).ok_or_else(what)?,
        })
    }))
}

/// What the last column of a summary says of a session that is not established: the states of BGP in the words of the
/// edge routers (azure.md §2.5; RFC 4271 §8.2.2). Any other word is unknown, not down.
fn summary_state(word: &str) -> SessionState {
    let word = word.to_ascii_lowercase();
    let (name, why) = word
        .split_once('(')
        .map_or((word.as_str(), ""), |(n, w)| (n, w));
    match name.trim() {
        "idle" if why.starts_with("admin") => SessionState::AdministrativelyDown,
        "idle" | "connect" | "active" | "opensent" | "openconfirm" | "closing" => {
            SessionState::Down
        }
        _ => SessionState::Unknown,
    }
}

/// Sessions of one circuit port from its summary.
pub fn circuit_sessions(rows: &[CircuitSummaryRow]) -> Sessions {
    Sessions::collect(rows.iter().map(|row| {
        let what = || format!("circuit peer {row:?}");
        let word = row.state_pfx_rcd.trim();
        let received = word.parse::<u32>().ok();
        Ok(Session {
            local: None,
            peer: text::address(&row.neighbor).ok_or_else(what)?,
            peer_asn: text::optional_asn(&row.asn).ok_or_else(what)?,
            state: if received.is_some() {
                SessionState::Up
            } else {
                summary_state(word)
            },
            word: if received.is_some() {
                "Established".to_owned()
            } else {
                word.to_owned()
            },
            routes_received: received,
        })
    }))
}
