//! One form for every route and session table. Each provider prints BGP in its own dialect (azure.md §2.5, §3.6, §5.3;
//! aws.md §1.8, §2.5, §2.7; megaport.md §4.4, §7.3); the rows arrive here as the API sent them and leave as [`Route`] and
//! [`Session`]. A row that cannot be understood is reported, never dropped in silence, and no input panics.

pub mod aws;
pub mod azure;
pub mod megaport;
mod rows;
mod text;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use rows::Rows;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// Where a route sends traffic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NextHop {
    Address(IpAddr),
    /// A provider's object: `vgw-…`, `igw-…`.
    Object(String),
    /// Delivered where the table is: `local`, `VnetLocal`, a connected network.
    Local,
    /// A word of the provider without an address: `Internet`, `None`.
    Other(String),
    /// The table does not say.
    Unknown,
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(a) => a.fmt(f),
            Self::Object(s) | Self::Other(s) => f.write_str(s),
            Self::Local => f.write_str("local"),
            Self::Unknown => f.write_str("?"),
        }
    }
}

/// How a route came into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Learned {
    /// The network itself: connected, VNet, VPC.
    Local,
    /// Written by somebody.
    Static,
    Ebgp,
    Ibgp,
    /// BGP, but the table does not say which.
    Bgp,
    /// Put there by a gateway that learned it (VGW propagation, VNet gateway).
    Propagated,
    Unknown,
}

/// A route as one vantage sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    pub prefix: IpNet,
    pub next_hop: NextHop,
    /// Nearest AS first; empty for local routes and where the table has no paths. AS sets are flattened.
    pub as_path: Vec<u32>,
    pub learned: Learned,
    /// The peer that it was learned from, where the table says so.
    pub peer: Option<IpAddr>,
    pub weight: Option<u32>,
    pub local_pref: Option<u32>,
    pub med: Option<u32>,
    /// False when the provider shows it but does not use it: invalid, blackhole, filtered, not valid.
    pub usable: bool,
    /// Whether it is the chosen one, where the table says so.
    pub best: Option<bool>,
}

impl Route {
    /// A usable route with nothing else known.
    pub fn new(prefix: IpNet, next_hop: NextHop, learned: Learned) -> Self {
        Self {
            prefix,
            next_hop,
            as_path: Vec::new(),
            learned,
            peer: None,
            weight: None,
            local_pref: None,
            med: None,
            usable: true,
            best: None,
        }
    }
}

/// What was understood, and why the rest was not.
fn sorted_out<T>(rows: impl Iterator<Item = Result<T, String>>) -> (Vec<T>, Vec<String>) {
    let (mut understood, mut not_understood) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => understood.push(row),
            Err(why) => not_understood.push(why),
        }
    }
    (understood, not_understood)
}

/// A route table, and the rows that could not be understood (a defect of ours or a new dialect: shown, not hidden).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub routes: Vec<Route>,
    pub not_understood: Vec<String>,
}

impl Table {
    fn collect(rows: impl Iterator<Item = Result<Vec<Route>, String>>) -> Self {
        let (understood, not_understood) = sorted_out(rows);
        let mut routes = understood.concat();
        // Providers print in no fixed order (megaport.md §8.23); equal tables must compare equal.
        routes.sort();
        routes.dedup();
        Self {
            routes,
            not_understood,
        }
    }

    /// With rows that had not even the shape of a row.
    #[must_use]
    pub fn with_odd(mut self, odd: &[String]) -> Self {
        self.not_understood.extend_from_slice(odd);
        self
    }

    /// Every row was understood. What a table that is not whole lacks may stand in a row that nobody could read: it is
    /// unreadable there, not absent.
    pub fn is_whole(&self) -> bool {
        self.not_understood.is_empty()
    }

    /// The routes to exactly this prefix.
    pub fn to(&self, prefix: IpNet) -> impl Iterator<Item = &Route> {
        self.routes.iter().filter(move |r| r.prefix == prefix)
    }

    /// Whether a usable route to exactly this prefix is there.
    pub fn has(&self, prefix: IpNet) -> bool {
        self.to(prefix).any(|r| r.usable)
    }
}

/// State of a BGP session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum SessionState {
    Up,
    Down,
    /// Somebody shut it.
    AdministrativelyDown,
    /// The provider cannot tell; not the same as down.
    Unknown,
}

/// A BGP session as one vantage sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The end whose table was read, where it says so: tells the instances of a gateway apart.
    pub local: Option<IpAddr>,
    pub peer: IpAddr,
    pub peer_asn: Option<u32>,
    pub state: SessionState,
    /// The provider's own word for the state.
    pub word: String,
    pub routes_received: Option<u32>,
}

/// The sessions that a vantage shows, and the rows that could not be understood.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    pub rows: Vec<Session>,
    pub not_understood: Vec<String>,
}

impl Sessions {
    fn collect(rows: impl Iterator<Item = Result<Session, String>>) -> Self {
        let (mut rows, not_understood) = sorted_out(rows);
        rows.sort();
        Self {
            rows,
            not_understood,
        }
    }

    /// With rows that had not even the shape of a row.
    #[must_use]
    pub fn with_odd(mut self, odd: &[String]) -> Self {
        self.not_understood.extend_from_slice(odd);
        self
    }

    /// As [`Table::is_whole`].
    pub fn is_whole(&self) -> bool {
        self.not_understood.is_empty()
    }
}

impl From<Vec<Session>> for Sessions {
    fn from(rows: Vec<Session>) -> Self {
        Self {
            rows,
            not_understood: Vec::new(),
        }
    }
}
