//! `RouteReport`: the route and BGP tables of each vantage, apart from the resources whose status they would churn.

#![allow(
    clippy::duplicated_attributes,
    reason = "printer columns repeat their types and descriptions"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::status::{Provider, State};

/// Most routes of one report, over all vantages: keeps the object far below etcd's limit of 1.5 MiB.
pub const ROUTES_MAX: usize = 2000;
/// Most vantages of one report.
pub const VANTAGES_MAX: usize = 64;
/// Most routes of one vantage.
pub const ROUTES_PER_VANTAGE_MAX: usize = 500;
/// Most sessions of one vantage.
pub const SESSIONS_PER_VANTAGE_MAX: usize = 64;

/// Whether a vantage could be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Readability {
    /// The tables are what the provider last said.
    #[default]
    Readable,
    /// The provider did not answer, or its answer could not be understood; the message says which.
    Unreadable,
}

/// What kind of table a vantage shows.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
pub enum VantageKind {
    /// A Megaport Cloud Router.
    #[default]
    MegaportRouter,
    /// One port of an ExpressRoute circuit (Microsoft's edge).
    CircuitPort,
    /// An ExpressRoute gateway.
    ExpressRouteGateway,
    /// A VPN gateway.
    VpnGateway,
    /// Effective routes of a network interface.
    NetworkInterface,
    /// A route table of the VPC.
    RouteTable,
    /// A private virtual interface.
    VirtualInterface,
    /// A tunnel of a VPN connection.
    VpnTunnel,
    /// A Direct Connect gateway and its association.
    DirectConnectGateway,
}

/// One route as a vantage shows it.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct RouteEntry {
    /// Destination prefix, with its length.
    #[schemars(length(max = 64))]
    pub prefix: String,
    /// Next hop: an address, or the ID of a gateway or interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub next_hop: Option<String>,
    /// AS path, nearest first, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub as_path: Option<String>,
    /// Where the route comes from, in the provider's words, for example EBgp, VirtualNetworkGateway, propagated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub origin: Option<String>,
    /// Weight or local preference, as the provider gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i64>,
    /// The peer from which the route was learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub source: Option<String>,
    /// Direction, where the vantage tells two: accepted or advertised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub direction: Option<String>,
    /// Whether the vantage uses this route, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<bool>,
}

/// One BGP session as a vantage shows it.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, KubeSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct SessionEntry {
    /// Address of this end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub local: Option<String>,
    /// Address of the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub peer: Option<String>,
    /// ASN of the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 4_294_967_295_i64))]
    pub asn: Option<i64>,
    /// State, in the provider's words, for example Connected, up, UP.
    #[schemars(length(max = 64))]
    pub state: String,
    /// How many prefixes were received over it, where the vantage says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub prefixes_received: Option<i64>,
    /// Whether the session is one that must be up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expected: bool,
}

/// A place from which routes are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Vantage {
    /// Name of the vantage, unique in the report, for example circuit-primary or nic-vm-nic.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Whose table it is.
    pub provider: Provider,
    /// What kind of table it is.
    pub kind: VantageKind,
    /// The object that the table belongs to: its ID or name at the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub object: Option<String>,
    /// Readable, or Unreadable with a message.
    pub state: Readability,
    /// Why it could not be read, or what to know about the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
    /// The routes, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub routes: Vec<RouteEntry>,
    /// The BGP sessions, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub sessions: Vec<SessionEntry>,
    /// What could not be understood of the provider's answer, secrets removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub raw: Option<String>,
    /// Whether rows were left out because the table is too long.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// The route and BGP tables around one link or interconnect. Written by the operator; there is nothing to configure.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "causeway.dev",
    version = "v1alpha1",
    kind = "RouteReport",
    namespaced,
    no_spec,
    status = "RouteReportStatus",
    derive = "PartialEq",
    derive = "Default",
    shortname = "rr",
    category = "causeway",
    doc = "The route and BGP tables around one link or interconnect. Written by the operator; there is nothing to configure.",
    printcolumn(
        name = "Subject",
        type_ = "string",
        json_path = ".status.subject.name",
        description = "The resource that the report belongs to"
    ),
    printcolumn(
        name = "Kind",
        type_ = "string",
        json_path = ".status.subject.kind",
        description = "Kind of that resource"
    ),
    printcolumn(
        name = "Vantages",
        type_ = "string",
        json_path = ".status.summary.vantages",
        description = "Vantages readable / all"
    ),
    printcolumn(
        name = "Routes",
        type_ = "integer",
        json_path = ".status.summary.routes",
        description = "Routes in the report"
    ),
    printcolumn(
        name = "Sessions",
        type_ = "string",
        json_path = ".status.summary.sessions",
        description = "Expected BGP sessions up / all expected"
    ),
    printcolumn(
        name = "Unreadable",
        type_ = "string",
        json_path = ".status.summary.unreadable",
        description = "Vantages that could not be read",
        priority = 1
    ),
    printcolumn(
        name = "Updated",
        type_ = "date",
        json_path = ".status.updatedAt",
        description = "When the content last changed"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since when the report exists"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RouteReportSpec {}

/// The resource that a report belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// HybridInterconnect, ExpressRouteLink, DirectConnectLink or VpnPair.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
}

/// The report in numbers, for the columns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportSummary {
    /// Vantages readable / all.
    #[schemars(length(max = 32))]
    pub vantages: String,
    /// Routes in the report.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub routes: i64,
    /// Expected BGP sessions up / all expected, over all vantages.
    #[schemars(length(max = 32))]
    pub sessions: String,
    /// Names of the vantages that could not be read; each says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub unreadable: Option<String>,
}

/// What each vantage shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteReportStatus {
    /// metadata.generation that the report speaks about; -1 until the first look.
    #[serde(default = "crate::status::never_observed")]
    pub observed_generation: i64,
    /// The resource that the report belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// When the content last changed. A look that finds the same tables does not change it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Time>,
    /// The report in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<ReportSummary>,
    /// The tables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub vantages: Vec<Vantage>,
    /// Whether vantages or rows were left out because the report is too long (2000 routes).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

impl Default for RouteReportStatus {
    fn default() -> Self {
        Self {
            observed_generation: crate::status::never_observed(),
            subject: None,
            updated_at: None,
            summary: None,
            vantages: Vec::new(),
            truncated: false,
        }
    }
}

impl RouteReportStatus {
    /// Cuts the report to what the schema takes, sorts every table, and marks what was left out.
    ///
    /// Vantages keep their order of importance (the caller's); rows are sorted first, so that the same tables always give
    /// the same report.
    pub fn bounded(mut self) -> Self {
        if self.vantages.len() > VANTAGES_MAX {
            self.vantages.truncate(VANTAGES_MAX);
            self.truncated = true;
        }
        let mut left = ROUTES_MAX;
        for vantage in &mut self.vantages {
            vantage.routes.sort();
            vantage.sessions.sort();
            let keep = left.min(ROUTES_PER_VANTAGE_MAX);
            if vantage.routes.len() > keep {
                vantage.routes.truncate(keep);
                vantage.truncated = true;
            }
            if vantage.sessions.len() > SESSIONS_PER_VANTAGE_MAX {
                vantage.sessions.truncate(SESSIONS_PER_VANTAGE_MAX);
                vantage.truncated = true;
            }
            self.truncated |= vantage.truncated;
            left -= vantage.routes.len();
        }
        self
    }

    /// Whether two reports say the same, apart from when.
    pub fn same_content(&self, other: &Self) -> bool {
        self.observed_generation == other.observed_generation
            && self.subject == other.subject
            && self.summary == other.summary
            && self.vantages == other.vantages
            && self.truncated == other.truncated
    }
}

/// A session state word of any provider, as up, down or unknown (azure.md §3.6, aws.md §1.4 and §4.5, megaport.md §7.2).
pub fn session_state(word: &str) -> State {
    match word.to_ascii_lowercase().as_str() {
        "connected" | "up" | "established" => State::Up,
        "" | "unknown" => State::Unknown,
        _ => State::Down,
    }
}
