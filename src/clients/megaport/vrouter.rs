//! The MCR's side of a VXC: interfaces and BGP sessions, as they are ordered and as they are sent again with every update.

use causeway_model::secret::Secret;
use ipnet::Ipv4Net;
use serde_json::{Map, Value, json};
use std::net::Ipv4Addr;

/// An interface of the MCR on a VXC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterInterface {
    pub description: String,
    /// Inner VLAN (for Azure the peering's VLAN); `None` means none.
    pub vlan: Option<u16>,
    /// Our address with its prefix length.
    pub address: Ipv4Net,
    pub sessions: Vec<RouterBgp>,
}

/// A BGP session of the MCR. An update replaces all of them, and one sent without its key loses it (megaport.md §4.5):
/// so this always carries the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterBgp {
    pub peer_asn: u32,
    pub local_address: Ipv4Addr,
    pub peer_address: Ipv4Addr,
    /// MD5 key; must equal the other side's. `None`: the session has none.
    pub password: Option<Secret>,
    pub shutdown: bool,
    pub description: String,
    /// The only BFD setting that has an effect (megaport.md §3.3).
    pub bfd: bool,
    /// 0 to 10.
    pub as_path_prepend: u8,
    pub med_out: Option<u32>,
    /// Peer addresses of other sessions on the same MCR that must not get what this one learned.
    pub deny_export_to: Vec<Ipv4Addr>,
}

impl RouterInterface {
    fn json(&self) -> Value {
        let mut out = Map::new();
        out.insert("description".to_owned(), json!(self.description));
        out.insert("interfaceType".to_owned(), json!("subInterface"));
        if let Some(vlan) = self.vlan {
            out.insert("vlan".to_owned(), json!(vlan));
        }
        out.insert("ipAddresses".to_owned(), json!([self.address.to_string()]));
        let sessions: Vec<Value> = self.sessions.iter().map(RouterBgp::json).collect();
        out.insert("bgpConnections".to_owned(), Value::Array(sessions));
        Value::Object(out)
    }
}

impl RouterBgp {
    fn json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        put("peerAsn", json!(self.peer_asn));
        put("localIpAddress", json!(self.local_address));
        put("peerIpAddress", json!(self.peer_address));
        if let Some(key) = &self.password {
            put("password", json!(key.expose()));
        }
        put("shutdown", json!(self.shutdown));
        put("description", json!(self.description));
        put("bfdEnabled", json!(self.bfd));
        put("asPathPrependCount", json!(self.as_path_prepend));
        if let Some(med) = self.med_out {
            put("medOut", json!(med));
        }
        if !self.deny_export_to.is_empty() {
            put("exportPolicy", json!("permit"));
            put("denyExportTo", json!(self.deny_export_to));
        }
        Value::Object(out)
    }
}

/// `partnerConfig` of an order, `aEndConfig` of an update: the same shape under two names.
pub(super) fn config(interfaces: &[RouterInterface]) -> Value {
    let list: Vec<Value> = interfaces.iter().map(RouterInterface::json).collect();
    json!({ "interfaces": list })
}

pub(super) fn secrets(interfaces: &[RouterInterface]) -> impl Iterator<Item = &Secret> {
    interfaces
        .iter()
        .flat_map(|i| &i.sessions)
        .filter_map(|s| s.password.as_ref())
}
