//! Products as reads show them, tolerant of everything that megaport.md §4.2 has seen: one-or-many lists, null or missing
//! fields, a VXC listed under each of its ends, tombstones for thirty days.

use super::client::{Ask, MegaportClient};
use super::orders::number;
use crate::clients::wire::{
    loose_bool, loose_i64, loose_text, loose_u32, null_default, one_or_many,
};
use causeway_model::intent::{CloudError, Sent};
use causeway_model::routes::Sessions;
use causeway_model::routes::megaport::{BgpConnectionRow, sessions};
use causeway_model::secret::Secret;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

/// `provisioningStatus` (megaport.md §4.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum ProductStatus {
    New,
    Design,
    /// Accepted, waiting.
    Deployable,
    /// Deployed; goes on to live by itself.
    Configured,
    Live,
    /// Could not be deployed, no longer queued.
    Failed,
    /// Terminating. One that stays so is still live: the network termination failed (§13.3).
    Cancelled,
    CancelledParent,
    Decommissioning,
    /// Gone; shown for about thirty days.
    Decommissioned,
    /// A word that is not modelled, or none: in progress, as far as we can tell.
    #[default]
    Unknown,
    Other(String),
}

impl ProductStatus {
    pub fn parse(word: &str) -> Self {
        match word {
            "NEW" => Self::New,
            "DESIGN" => Self::Design,
            "DEPLOYABLE" => Self::Deployable,
            "CONFIGURED" => Self::Configured,
            "LIVE" => Self::Live,
            "FAILED" => Self::Failed,
            "CANCELLED" => Self::Cancelled,
            "CANCELLED_PARENT" => Self::CancelledParent,
            "DECOMMISSIONING" => Self::Decommissioning,
            "DECOMMISSIONED" => Self::Decommissioned,
            "" => Self::Unknown,
            other => Self::Other(other.to_owned()),
        }
    }
    pub fn as_str(&self) -> &str {
        match self {
            Self::New => "NEW",
            Self::Design => "DESIGN",
            Self::Deployable => "DEPLOYABLE",
            Self::Configured => "CONFIGURED",
            Self::Live => "LIVE",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
            Self::CancelledParent => "CANCELLED_PARENT",
            Self::Decommissioning => "DECOMMISSIONING",
            Self::Decommissioned => "DECOMMISSIONED",
            Self::Unknown => "UNKNOWN",
            Self::Other(s) => s,
        }
    }
    /// Usable on Megaport's side.
    pub fn is_ready(&self) -> bool {
        matches!(self, Self::Configured | Self::Live)
    }
    /// A tombstone.
    pub fn is_gone(&self) -> bool {
        *self == Self::Decommissioned
    }
    /// On its way out, not yet gone.
    pub fn is_terminating(&self) -> bool {
        matches!(
            self,
            Self::Cancelled | Self::CancelledParent | Self::Decommissioning
        )
    }
}

impl fmt::Display for ProductStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ProductStatus {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        loose_text(d).map(|s| Self::parse(&s))
    }
}

/// A Megaport Cloud Router.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mcr {
    pub uid: String,
    pub name: String,
    pub status: ProductStatus,
    pub location_id: i64,
    pub port_speed_mbps: u32,
    pub asn: Option<u32>,
    /// As the API writes it: `red`, `blue`.
    pub diversity_zone: Option<String>,
    pub cost_centre: Option<String>,
    pub term_months: Option<u32>,
    pub locked: bool,
    /// False while it, or something on it, is locked.
    pub cancelable: bool,
    /// VXCs with an end here, tombstones included.
    pub vxc_uids: Vec<String>,
    /// When it was ordered, in milliseconds since the Unix epoch.
    pub created: Option<i64>,
}

/// A Virtual Cross Connect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vxc {
    pub uid: String,
    pub name: String,
    pub status: ProductStatus,
    pub rate_limit_mbps: u32,
    /// Layer 2 works on Megaport's side.
    pub up: bool,
    pub shutdown: bool,
    pub locked: bool,
    pub cancelable: bool,
    pub cost_centre: Option<String>,
    pub term_months: Option<u32>,
    pub a_end: VxcEnd,
    pub b_end: VxcEnd,
    /// Status of a pending approval by the other company, if there is one.
    pub awaits_approval: Option<String>,
    /// The MCR's configuration on it.
    pub router: Option<RouterSide>,
    pub aws: Option<AwsSide>,
    pub azure: Option<AzureSide>,
    /// When it was ordered, in milliseconds since the Unix epoch.
    pub created: Option<i64>,
}

impl Vxc {
    /// The MCR's session with that peer and the interface that it is on: never by position (megaport.md §4.5).
    pub fn session(&self, peer: Ipv4Addr) -> Option<(&SeenInterface, &SeenBgp)> {
        let peer = peer.to_string();
        let interfaces = self.router.iter().flat_map(|r| &r.interfaces);
        interfaces
            .flat_map(|i| i.sessions.iter().map(move |s| (i, s)))
            .find(|(_, s)| s.row.peer_ip_address == peer)
    }

    /// The MCR's BGP sessions on this VXC, as far as Megaport tells.
    pub fn sessions(&self) -> Sessions {
        let Some(router) = &self.router else {
            return Sessions::default();
        };
        let rows: Vec<BgpConnectionRow> = router
            .interfaces
            .iter()
            .flat_map(|i| &i.sessions)
            .map(|s| s.row.clone())
            .collect();
        sessions(&rows, &router.bgp_status, self.shutdown)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VxcEnd {
    /// The B-end's may differ from what was ordered: ports rotate (megaport.md §2.2).
    pub product_uid: String,
    pub location_id: i64,
    pub vlan: Option<i64>,
    pub inner_vlan: Option<i64>,
}

/// The A-end of a VXC on an MCR.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouterSide {
    pub interfaces: Vec<SeenInterface>,
    /// Peer address to 1 (up) or 0; absent without sessions, freshness unknown (megaport.md §4.4).
    pub bgp_status: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SeenInterface {
    #[serde(deserialize_with = "loose_i64")]
    pub vlan: Option<i64>,
    #[serde(deserialize_with = "one_or_many")]
    pub ip_addresses: Vec<String>,
    #[serde(rename = "bgpConnections", deserialize_with = "one_or_many")]
    pub sessions: Vec<SeenBgp>,
}

/// A session as it is read: key by peer address, the order means nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenBgp {
    pub row: BgpConnectionRow,
    pub bfd: bool,
    pub as_path_prepend: u32,
    pub med_out: Option<u32>,
    pub deny_export_to: Vec<String>,
    pub password: Option<Secret>,
}

impl<'de> Deserialize<'de> for SeenBgp {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Raw {
            #[serde(default, deserialize_with = "loose_u32")]
            peer_asn: Option<u32>,
            #[serde(default, deserialize_with = "loose_text")]
            local_ip_address: String,
            #[serde(default, deserialize_with = "loose_text")]
            peer_ip_address: String,
            #[serde(default, deserialize_with = "loose_bool")]
            shutdown: bool,
            #[serde(default, deserialize_with = "loose_bool")]
            bfd_enabled: bool,
            #[serde(default, deserialize_with = "loose_u32")]
            as_path_prepend_count: Option<u32>,
            #[serde(default, deserialize_with = "loose_u32")]
            med_out: Option<u32>,
            #[serde(default, deserialize_with = "one_or_many")]
            deny_export_to: Vec<String>,
            #[serde(default, deserialize_with = "null_default")]
            password: String,
        }
        let raw = Raw::deserialize(d)?;
        Ok(Self {
            row: BgpConnectionRow {
                peer_asn: raw.peer_asn,
                local_ip_address: raw.local_ip_address,
                peer_ip_address: raw.peer_ip_address,
                shutdown: raw.shutdown,
            },
            bfd: raw.bfd_enabled,
            as_path_prepend: raw.as_path_prepend_count.unwrap_or_default(),
            med_out: raw.med_out,
            deny_export_to: raw.deny_export_to,
            // A masked one is not known: it must neither be compared nor sent back.
            password: Some(raw.password)
                .filter(|p| p.chars().any(|c| c != '*'))
                .map(Secret::new),
        })
    }
}

/// The AWS end: hosted VIF or hosted connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsSide {
    /// `AWS` or `AWSHC`.
    pub connect_type: String,
    /// Assigned some time after the order: wait for it.
    pub vif_id: Option<String>,
    /// Of a hosted connection.
    pub connection_id: Option<String>,
    pub owner_account: Option<String>,
    pub vlan: Option<u32>,
    pub asn: Option<u32>,
    pub amazon_asn: Option<u32>,
    pub customer_address: Option<String>,
    pub amazon_address: Option<String>,
    pub auth_key: Option<Secret>,
}

/// The Azure end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureSide {
    pub service_key: Option<Secret>,
    pub vlan: Option<u32>,
    /// Megaport made the peering.
    pub managed: bool,
}

/// Everything that a key's company has, tombstones included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Products {
    pub mcrs: Vec<Mcr>,
    /// Each once, whichever ends it was listed under.
    pub vxcs: Vec<Vxc>,
}

impl Products {
    pub fn mcr(&self, uid: &str) -> Option<&Mcr> {
        self.mcrs.iter().find(|m| m.uid == uid)
    }
    pub fn vxc(&self, uid: &str) -> Option<&Vxc> {
        self.vxcs.iter().find(|v| v.uid == uid)
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Raw {
    #[serde(deserialize_with = "loose_text")]
    product_uid: String,
    #[serde(deserialize_with = "loose_text")]
    product_name: String,
    #[serde(deserialize_with = "loose_text")]
    product_type: String,
    provisioning_status: ProductStatus,
    #[serde(deserialize_with = "loose_i64")]
    location_id: Option<i64>,
    #[serde(deserialize_with = "loose_u32")]
    port_speed: Option<u32>,
    #[serde(deserialize_with = "loose_u32")]
    rate_limit: Option<u32>,
    #[serde(deserialize_with = "null_default")]
    diversity_zone: String,
    #[serde(deserialize_with = "null_default")]
    cost_centre: String,
    #[serde(deserialize_with = "loose_u32")]
    contract_term_months: Option<u32>,
    #[serde(deserialize_with = "loose_bool")]
    locked: bool,
    #[serde(deserialize_with = "loose_bool")]
    admin_locked: bool,
    cancelable: Option<bool>,
    #[serde(deserialize_with = "loose_bool")]
    up: bool,
    #[serde(deserialize_with = "loose_bool")]
    shutdown: bool,
    #[serde(deserialize_with = "one_or_many")]
    associated_vxcs: Vec<Value>,
    #[serde(deserialize_with = "loose_i64")]
    create_date: Option<i64>,
    a_end: Value,
    b_end: Value,
    vxc_approval: Value,
    resources: Value,
}

fn text(v: &Value, keys: &[&str]) -> Option<String> {
    keys.iter()
        .find_map(|k| v.get(*k).and_then(Value::as_str))
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
}

fn end(v: &Value) -> VxcEnd {
    let int = |k: &str| v.get(k).and_then(crate::clients::wire::as_i64);
    VxcEnd {
        product_uid: text(v, &["productUid"]).unwrap_or_default(),
        location_id: int("locationId").unwrap_or_default(),
        vlan: int("vlan"),
        inner_vlan: int("innerVlan"),
    }
}

/// `csp_connection` is an object when there is one, a list when there are two; entries are told by `connectType`.
fn connections(resources: &Value) -> Vec<Value> {
    match resources.get("csp_connection") {
        Some(Value::Array(items)) => items.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => Vec::new(),
    }
}

fn router(entry: &Value) -> RouterSide {
    let interfaces = one_or_many(entry.get("interfaces").cloned().unwrap_or_default());
    RouterSide {
        interfaces: interfaces.unwrap_or_default(),
        bgp_status: entry
            .get("bgp_status")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(ip, up)| Some((ip.clone(), crate::clients::wire::as_i64(up)?)))
            .collect(),
    }
}

fn aws(entry: &Value, connect_type: &str) -> AwsSide {
    AwsSide {
        connect_type: connect_type.to_owned(),
        vif_id: text(entry, &["vif_id"]),
        connection_id: text(entry, &["connectionId"]),
        owner_account: text(entry, &["ownerAccount", "account"]),
        vlan: number(entry.get("vlan")),
        asn: number(entry.get("asn")),
        amazon_asn: number(entry.get("amazonAsn").or_else(|| entry.get("peerAsn"))),
        customer_address: text(entry, &["customerIpAddress", "customer_address"]),
        amazon_address: text(entry, &["amazonIpAddress", "amazon_address"]),
        auth_key: text(entry, &["authKey", "auth_key"]).map(Secret::new),
    }
}

impl Raw {
    fn mcr(&self) -> Mcr {
        Mcr {
            uid: self.product_uid.clone(),
            name: self.product_name.clone(),
            status: self.provisioning_status.clone(),
            location_id: self.location_id.unwrap_or_default(),
            port_speed_mbps: self.port_speed.unwrap_or_default(),
            asn: number(self.resources.pointer("/virtual_router/mcrAsn")),
            diversity_zone: Some(self.diversity_zone.clone()).filter(|z| !z.is_empty()),
            cost_centre: Some(self.cost_centre.clone()).filter(|c| !c.is_empty()),
            term_months: self.contract_term_months,
            locked: self.locked || self.admin_locked,
            cancelable: self.cancelable.unwrap_or(!self.locked),
            vxc_uids: self
                .associated_vxcs
                .iter()
                .filter_map(|v| text(v, &["productUid"]))
                .collect(),
            created: self.create_date,
        }
    }

    fn vxc(&self) -> Vxc {
        let mut out = Vxc {
            uid: self.product_uid.clone(),
            name: self.product_name.clone(),
            status: self.provisioning_status.clone(),
            rate_limit_mbps: self.rate_limit.unwrap_or_default(),
            up: self.up,
            shutdown: self.shutdown,
            locked: self.locked || self.admin_locked,
            cancelable: self.cancelable.unwrap_or(!self.locked),
            cost_centre: Some(self.cost_centre.clone()).filter(|c| !c.is_empty()),
            term_months: self.contract_term_months,
            a_end: end(&self.a_end),
            b_end: end(&self.b_end),
            created: self.create_date,
            awaits_approval: text(&self.vxc_approval, &["status"])
                .filter(|s| s.to_ascii_uppercase().starts_with("PENDING")),
            router: None,
            aws: None,
            azure: None,
        };
        for entry in connections(&self.resources) {
            let side = text(&entry, &["resource_name"]).unwrap_or_default();
            match entry.get("connectType").and_then(Value::as_str) {
                // Between two of our MCRs both ends are routers: ours is the A-end's.
                Some("VROUTER") if out.router.is_none() || side.starts_with("a_") => {
                    out.router = Some(router(&entry));
                }
                Some(kind @ ("AWS" | "AWSHC")) => out.aws = Some(aws(&entry, kind)),
                Some(kind) if kind.to_ascii_uppercase().starts_with("AZURE") => {
                    out.azure = Some(AzureSide {
                        service_key: text(&entry, &["service_key"]).map(Secret::new),
                        vlan: number(entry.get("vlan")),
                        managed: entry
                            .get("managed")
                            .and_then(Value::as_bool)
                            .unwrap_or_default(),
                    });
                }
                _ => {}
            }
        }
        out
    }
}

impl MegaportClient {
    /// Everything in one answer. VXCs are read under every product that lists them and kept once.
    pub async fn products(&self) -> Result<Products, CloudError> {
        let ask = Ask::new("GET /v2/products", "products");
        let (_, data) = self.ask(&ask).await?;
        let Value::Array(items) = data else {
            // A missing list must not look like an empty account.
            return Err(ask.unreadable("it has no list of products", Sent::No));
        };
        let (mut mcrs, mut vxcs) = (Vec::new(), BTreeMap::new());
        for item in items {
            let raw = parse(&ask, item)?;
            for nested in &raw.associated_vxcs {
                let vxc = parse(&ask, nested.clone())?.vxc();
                if !vxc.uid.is_empty() {
                    vxcs.entry(vxc.uid.clone()).or_insert(vxc);
                }
            }
            match raw.product_type.to_ascii_uppercase().as_str() {
                "MCR2" => mcrs.push(raw.mcr()),
                "VXC" => {
                    vxcs.entry(raw.product_uid.clone())
                        .or_insert_with(|| raw.vxc());
                }
                _ => {}
            }
        }
        Ok(Products {
            mcrs,
            vxcs: vxcs.into_values().collect(),
        })
    }

    /// An MCR; `None` when Megaport does not know the UID (a 400, mostly).
    pub async fn mcr(&self, uid: &str) -> Result<Option<Mcr>, CloudError> {
        Ok(self.product(uid).await?.map(|raw| raw.mcr()))
    }

    /// A VXC; `None` when Megaport does not know the UID.
    pub async fn vxc(&self, uid: &str) -> Result<Option<Vxc>, CloudError> {
        Ok(self.product(uid).await?.map(|raw| raw.vxc()))
    }

    async fn product(&self, uid: &str) -> Result<Option<Raw>, CloudError> {
        let ask = Ask::on("GET /v2/product/{uid}", uid);
        match self.ask(&ask).await {
            Ok((_, data)) => parse(&ask, data).map(Some),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }
}

fn parse(ask: &Ask<'_>, value: Value) -> Result<Raw, CloudError> {
    serde_json::from_value(value)
        .map_err(|e| ask.unreadable(&crate::clients::wire::json_defect(&e), Sent::No))
}
