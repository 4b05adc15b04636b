//! Status that all kinds share: conditions, slots, records.
//!
//! Status holds what must survive a crash (intents and outcomes of paid orders, choices made once) and what a person
//! wants to read. It never holds a secret: no service key, pre-shared key or MD5 key, and no hash of one.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most slots of one object. A VpnPair has the most, about twenty; an interconnect has one per route table.
pub const SLOTS_MAX: usize = 128;

/// A three-valued observation: unknown is not false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum State {
    /// Nothing recent is known.
    #[default]
    Unknown,
    /// Up.
    Up,
    /// Down.
    Down,
}

/// Who holds a cloud object.
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
pub enum Provider {
    /// Microsoft Azure.
    #[default]
    Azure,
    /// Amazon Web Services.
    AWS,
    /// Megaport.
    Megaport,
    /// The Kubernetes cluster itself (Secrets, child resources).
    Kubernetes,
}

/// Where a slot is in its life.
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
pub enum SlotPhase {
    /// Wanted, not started: the message says what it waits for.
    #[default]
    Pending,
    /// The decision to make it is recorded; the order may or may not have reached the provider.
    Intended,
    /// The provider is making it.
    Creating,
    /// It exists and is usable.
    Ready,
    /// The provider is changing it.
    Updating,
    /// The provider is deleting it, or its deletion waits for what the message says.
    Deleting,
    /// It was read back as absent.
    Gone,
    /// The provider gave up on it; the message says why.
    Failed,
    /// It belongs to another object and is only used.
    Imported,
    /// It was left behind on purpose (deletionPolicy Retain).
    Retained,
    /// It could not be read.
    Unknown,
}

/// The record that is stored before an order that must not be sent twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// Token that the order carries into the provider's object, so that it can be found again.
    #[schemars(length(max = 128))]
    pub token: String,
    /// Which call it announces: Create, Update, Confirm or Delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub action: Option<String>,
    /// When it was stored. Until the provider's reads can no longer lag behind it, an absent object is not believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
}

/// One cloud object that this resource owns or uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SlotStatus {
    /// Fixed name of the slot, for example circuit or vxc-primary.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
    /// Who holds the object.
    pub provider: Provider,
    /// What it is, in the provider's words, for example expressRouteCircuit, VXC, vpn-connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub kind: Option<String>,
    /// ID of the object at its provider, as soon as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub id: Option<String>,
    /// Name of the object as its provider shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub display_name: Option<String>,
    /// Where the slot is in its life.
    pub phase: SlotPhase,
    /// When the phase last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// What it waits for, or what went wrong, in a sentence without times and counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub message: Option<String>,
    /// Record of an order whose outcome is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Whether the object existed before and was taken over (adoptID).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Whether the object was found already in the wanted state and is therefore not ours to undo (a route table that
    /// propagated before).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
    /// Who owns an imported object, as Kind/name or in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 255))]
    pub owner: Option<String>,
    /// What other slots and resources need from this one, for example ipAddress or asn. Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::short_map")]
    pub outputs: BTreeMap<String, String>,
    /// Settings as they were last applied, where a later change of the spec must be told from a change by somebody else
    /// (bgp.shutdown). Never a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "crate::schema::short_map")]
    pub applied: BTreeMap<String, String>,
}

/// The accounts in which the objects are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountIDs {
    /// Azure subscription.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub azure_subscription: Option<String>,
    /// AWS account, 12 digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub aws: Option<String>,
    /// Megaport company.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub megaport_company: Option<String>,
}

/// A reference of the spec and what it was resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedReference {
    /// Path of the field in spec, for example partnerPort or virtualNetworkRef.
    #[schemars(length(min = 1, max = 255))]
    pub field: String,
    /// ID of what it means at the provider. A partner port is resolved once and then kept.
    #[schemars(length(max = 512))]
    pub id: String,
}

/// What every kind but RouteReport shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommonStatus {
    /// metadata.generation of the spec that this status speaks about; -1 until the first look.
    #[serde(default = "never_observed")]
    pub observed_generation: i64,
    /// The state in conditions: see docs/conditions.md for types and reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "crate::schema::conditions")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Every cloud object that this resource owns or uses, and what it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub slots: Vec<SlotStatus>,
    /// The value of the annotation causeway.dev/owner-id that marks the cloud objects of this resource. Set once.
    #[serde(default, rename = "ownerID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub owner_id: Option<String>,
    /// The accounts in which the objects are.
    #[serde(
        default,
        rename = "accountIDs",
        skip_serializing_if = "Option::is_none"
    )]
    pub account_ids: Option<AccountIDs>,
    /// References of the spec and what they were resolved to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["field".into()]))]
    pub references: Vec<ResolvedReference>,
}

impl Default for CommonStatus {
    fn default() -> Self {
        Self {
            observed_generation: never_observed(),
            conditions: Vec::new(),
            slots: Vec::new(),
            owner_id: None,
            account_ids: None,
            references: Vec::new(),
        }
    }
}

/// kstatus takes an object whose status lacks `observedGeneration` for Current; -1 never equals a generation.
pub(crate) const fn never_observed() -> i64 {
    -1
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// BGP sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionCount {
    /// How many of the expected sessions are up.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub up: i64,
    /// How many are expected.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub expected: i64,
    /// Both as up/expected, for the column BGP.
    #[schemars(length(max = 32))]
    pub summary: String,
}

impl SessionCount {
    /// Both numbers and their printed form.
    pub fn new(up: usize, expected: usize) -> Self {
        Self {
            up: count(up),
            expected: count(expected),
            summary: format!("{up}/{expected}"),
        }
    }
}

/// Routes of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteCount {
    /// How many of the expected prefixes are seen where they belong.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub seen: i64,
    /// How many are expected, over both directions.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub expected: i64,
    /// Both as seen/expected, for the column ROUTES.
    #[schemars(length(max = 32))]
    pub summary: String,
}

impl RouteCount {
    /// Both numbers and their printed form.
    pub fn new(seen: usize, expected: usize) -> Self {
        Self {
            seen: count(seen),
            expected: count(expected),
            summary: format!("{seen}/{expected}"),
        }
    }
}
