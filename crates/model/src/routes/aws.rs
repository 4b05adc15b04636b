//! AWS's views: VPC route tables, routes and peers of a virtual interface, tunnel telemetry.

use super::text;
use super::{Learned, NextHop, Route, Session, SessionState, Sessions, Table};
use serde::{Deserialize, Serialize};

/// A route of a VPC route table (aws.md §2.7).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteTableRow {
    /// CIDR; absent for prefix lists, whose ID stands in `prefix_list`.
    pub destination: String,
    pub prefix_list: Option<String>,
    /// `local`, `vgw-…`, `igw-…`, `eni-…`.
    pub target: String,
    /// `CreateRouteTable`, `CreateRoute`, `EnableVgwRoutePropagation`, `Advertisement`.
    pub origin: String,
    /// `active`, `blackhole`, `filtered`.
    pub state: String,
}

/// Which way a route of a virtual interface goes, seen from AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum VifDirection {
    /// From the customer router to AWS.
    Accepted,
    /// From AWS to the customer router.
    Advertised,
}

/// A route of `ListVirtualInterfaceRoutes` (aws.md §1.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VifRouteRow {
    pub cidr: String,
    pub direction: VifDirection,
    /// Segments flattened, nearest AS first.
    pub as_path: Vec<u32>,
    pub communities: Vec<String>,
}

/// A BGP peer of a virtual interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VifPeerRow {
    pub id: String,
    pub asn: u32,
    /// CIDR text.
    pub amazon_address: String,
    pub customer_address: String,
    /// Provisioning state: `verifying`, `pending`, `available`, `deleting`, `deleted`.
    pub peer_state: String,
    /// Session state: `up`, `down`, `unknown`. `up` says nothing about routes (aws.md §1.2).
    pub status: String,
}

/// Telemetry of one tunnel (aws.md §2.5), joined with its options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TunnelRow {
    /// AWS's public address.
    pub outside_address: String,
    /// The /30 inside, as CIDR.
    pub inside_cidr: String,
    /// Telemetry says `UP`; for a BGP connection that includes BGP. `None`: no telemetry for it (yet).
    pub up: Option<bool>,
    /// Human text; `IPSEC IS UP` with `up = false` means that only BGP is missing.
    pub message: String,
    pub accepted_routes: Option<u32>,
}

/// What a tunnel's telemetry means (table of aws.md §2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TunnelHealth {
    /// IPsec and BGP up, routes accepted.
    Healthy,
    /// BGP up, but the peer announces nothing.
    NoRoutes,
    /// IPsec up, BGP not: the lab's normal state of tunnel 2.
    IpsecOnly,
    Down,
    Unknown,
}

impl TunnelRow {
    pub fn health(&self) -> TunnelHealth {
        match (self.up, self.accepted_routes) {
            (None, _) => TunnelHealth::Unknown,
            (Some(true), Some(0)) => TunnelHealth::NoRoutes,
            (Some(true), _) => TunnelHealth::Healthy,
            (Some(false), _) if self.message.to_ascii_uppercase().contains("IPSEC IS UP") => {
                TunnelHealth::IpsecOnly
            }
            (Some(false), _) => TunnelHealth::Down,
        }
    }

    /// The BGP session inside, as AWS sees it: AWS takes the first host, the customer the second (aws.md §4).
    pub fn session(&self) -> Option<Session> {
        let net: ipnet::Ipv4Net = self.inside_cidr.trim().parse().ok()?;
        let base = u32::from(net.network());
        let host = |n: u32| std::net::Ipv4Addr::from(base.wrapping_add(n));
        let (state, word) = match self.health() {
            TunnelHealth::Healthy | TunnelHealth::NoRoutes => (SessionState::Up, "UP"),
            TunnelHealth::IpsecOnly | TunnelHealth::Down => (SessionState::Down, "DOWN"),
            TunnelHealth::Unknown => (SessionState::Unknown, "no telemetry"),
        };
        Some(Session {
            local: Some(host(1).into()),
            peer: host(2).into(),
            peer_asn: None,
            state,
            word: word.to_owned(),
            routes_received: self.accepted_routes,
        })
    }
}

/// A VPC route table. `blackhole` and `filtered` routes are shown but not usable.
pub fn route_table(rows: &[RouteTableRow]) -> Table {
    Table::collect(rows.iter().filter(|r| r.prefix_list.is_none()).map(|row| {
        let prefix = text::prefix(&row.destination).ok_or_else(|| format!("route {row:?}"))?;
        let next_hop = match row.target.as_str() {
            "local" => NextHop::Local,
            "" => NextHop::Unknown,
            id => NextHop::Object(id.to_owned()),
        };
        let learned = match row.origin.as_str() {
            "CreateRouteTable" => Learned::Local,
            "CreateRoute" => Learned::Static,
            "EnableVgwRoutePropagation" | "Advertisement" => Learned::Propagated,
            _ => Learned::Unknown,
        };
        let mut route = Route::new(prefix, next_hop, learned);
        // An unknown state word is not taken for a fault.
        route.usable = !matches!(row.state.as_str(), "blackhole" | "filtered");
        Ok(vec![route])
    }))
}

/// The routes of a virtual interface in one direction.
pub fn vif_routes(rows: &[VifRouteRow], direction: VifDirection) -> Table {
    Table::collect(rows.iter().filter(|r| r.direction == direction).map(|row| {
        let prefix = text::prefix(&row.cidr).ok_or_else(|| format!("VIF route {row:?}"))?;
        let learned = if direction == VifDirection::Accepted {
            Learned::Ebgp
        } else {
            Learned::Bgp
        };
        let mut route = Route::new(prefix, NextHop::Unknown, learned);
        route.as_path.clone_from(&row.as_path);
        Ok(vec![route])
    }))
}

/// The BGP sessions of a virtual interface; peers that are gone are left out.
pub fn vif_sessions(rows: &[VifPeerRow]) -> Sessions {
    let live = rows
        .iter()
        .filter(|r| !matches!(r.peer_state.as_str(), "deleting" | "deleted"));
    Sessions::collect(live.map(|row| {
        let what = || format!("BGP peer of a virtual interface {row:?}");
        Ok(Session {
            local: text::optional_address(&row.amazon_address).ok_or_else(what)?,
            peer: text::address(&row.customer_address).ok_or_else(what)?,
            peer_asn: (row.asn != 0).then_some(row.asn),
            state: match row.status.as_str() {
                "up" => SessionState::Up,
                "down" => SessionState::Down,
                _ => SessionState::Unknown,
            },
            word: row.status.clone(),
            routes_received: None,
        })
    }))
}
