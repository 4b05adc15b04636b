//! A link as a graph of slots: one cloud object under a fixed name, what its creation needs, what must be gone before
//! its deletion, which locks it takes and how it is recognised (design §4, api.md §3). The planner walks any graph.

use crate::desired::Desired;
use crate::provider::Provider;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

/// The fixed name of a slot within its owner, such as `circuit` or `ipsec-0-1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub String);

impl SlotId {
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Borrow<str> for SlotId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl From<&str> for SlotId {
    fn from(s: &str) -> Self {
        Self(s.to_owned())
    }
}

/// Something that a slot's object yields once it exists and that others need. Values of secret outputs never pass
/// through the model: it only knows whether they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Output {
    /// A circuit's service key (secret).
    ServiceKey,
    /// The circuit's provider state reads `Provisioned`.
    ProviderProvisioned,
    /// The VIF that a VXC to AWS made.
    VifId,
    /// The hosted connection that a VXC to AWS made.
    ConnectionId,
    /// The address of a public IP.
    IpAddress,
    /// The outside addresses of a VPN connection's tunnels, as [`crate::graph::outside_addresses`] writes them.
    OutsideAddress,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServiceKey => "service key",
            Self::ProviderProvisioned => "provider state Provisioned",
            Self::VifId => "virtual interface ID",
            Self::ConnectionId => "connection ID",
            Self::IpAddress => "IP address",
            Self::OutsideAddress => "tunnel outside addresses",
        })
    }
}

/// How far another slot must have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    /// Its object is there and has an ID, in whatever state.
    Exists,
    Output(Output),
    /// Settled and usable.
    Ready,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    pub slot: SlotId,
    pub level: Level,
}

/// How an object comes to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Birth {
    /// By our own call.
    Created,
    /// As a consequence of another slot; then it waits for our confirmation (the hosted VIF, the hosted connection).
    Emerges { from: SlotId },
}

/// What serialises operations at the providers (azure.md §3.5, megaport.md §8.13): one process-wide table over all
/// kinds holds these keys until the object reads back settled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LockKey(pub String);

impl LockKey {
    fn of(kind: &str, id: &str) -> Self {
        Self(format!("{kind}:{}", id.to_lowercase()))
    }
    pub fn vnet(id: &str) -> Self {
        Self::of("vnet", id)
    }
    pub fn gateway(id: &str) -> Self {
        Self::of("gateway", id)
    }
    pub fn circuit(id: &str) -> Self {
        Self::of("circuit", id)
    }
    pub fn mcr(uid: &str) -> Self {
        Self::of("mcr", uid)
    }
}
impl LockKey {
    /// What is locked, for people: the provider works on one thing at a time there.
    pub fn describe(&self) -> String {
        let (kind, id) = self.0.split_once(':').unwrap_or(("", &self.0));
        let name = id.rsplit('/').next().unwrap_or(id);
        match kind {
            "vnet" => format!("virtual network {name}"),
            "gateway" => format!("virtual network gateway {name}"),
            "circuit" => format!("ExpressRoute circuit {name}"),
            "mcr" => format!("Megaport Cloud Router {name}"),
            _ => id.to_owned(),
        }
    }
}
impl fmt::Display for LockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How an object is found again and told from somebody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Recognition {
    /// By its name; our tag on it says that it is ours.
    NameAndTag,
    /// By our tag alone (names are not unique or do not exist).
    Tag,
    /// By the token in name and tag (Megaport).
    Token,
    /// By what it connects; ours only when recorded before the call (attachment, association, propagation, peering).
    Record,
    /// By the ID that another slot yields.
    Emergent,
}

/// Something whose state must turn before others can go on, and that must be asked to look again: the provider state of
/// a circuit (azure.md §2.6: a GET does not refresh it, a PUT of the whole body does).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshRule {
    /// While creating: refresh once one of these is Ready and `output` is still missing.
    pub after: Vec<SlotId>,
    pub output: Output,
}

/// What sort of object a slot holds: tells how it is read and acted on, also for a slot whose desired content is no
/// longer known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Class {
    KeysSecret,
    Router,
    ErGateway,
    GatewaySubnet,
    Vpc,
    VirtualPrivateGateway,
    VgwAttachment,
    RoutePropagation,
    DirectConnectGateway,
    DxgwAssociation,
    Circuit,
    VxcAzure,
    Peering,
    ErConnection,
    VxcAws,
    HostedConnection,
    Vif,
    PublicIp,
    VpnGateway,
    CustomerGateway,
    VpnConnection,
    LocalNetworkGateway,
    IpsecConnection,
    /// A slot of a dependent, seen through the dependent's status.
    Dependent,
}

/// An existing object that the spec asks to take over (`adoptID`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Adoption {
    /// The provider's ID of the object.
    pub id: String,
    /// The field that asks for it, for people: `spec.circuit.adoptID`.
    pub field: String,
}

impl Adoption {
    /// Whether an object is the one that is meant: ARM's IDs do not mind case.
    pub fn means(&self, id: &str) -> bool {
        self.id.eq_ignore_ascii_case(id)
    }
}

/// One cloud object of a link.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slot {
    pub id: SlotId,
    pub class: Class,
    pub provider: Provider,
    /// The provider's own word for the object, for people: `ExpressRoute circuit`, `virtual private gateway`.
    pub noun: &'static str,
    /// What it should be; for a slot that the spec no longer names, what is known of it.
    pub desired: Desired,
    /// False for what is recorded or found but no longer named by the spec: it is taken down.
    pub wanted: bool,
    /// Belongs to another object or to nobody of ours: observed, never acted on.
    pub imported: bool,
    pub needs: Vec<Need>,
    /// Complete list of what must be gone before its deletion.
    pub gone_first: Vec<SlotId>,
    /// Only waits for those of `gone_first` when it ever got this far: an unconfirmed VIF does not hold its VXC.
    pub birth: Birth,
    /// Its object goes when that slot's does, by the provider's doing: no call of ours deletes it.
    pub leaves_with: Option<SlotId>,
    pub locks: Vec<LockKey>,
    pub recognition: Recognition,
    /// Costs money from the moment it is made.
    pub paid: bool,
    pub refresh: Option<RefreshRule>,
    /// The object that is to be taken over instead of making one.
    pub adopt: Option<Adoption>,
    /// The user's tags that it should carry, beside our marks and everybody else's.
    pub tags: BTreeMap<String, String>,
}

impl Slot {
    /// Whether a create that is sent twice makes two objects: what the provider knows by an ID of its own, and we by our mark
    /// alone. Azure's names, and what is known by what it connects, exist once.
    pub fn can_exist_twice(&self) -> bool {
        self.paid || matches!(self.recognition, Recognition::Tag | Recognition::Token)
    }

    /// Settings to record once they are applied: what the cloud says can not tell a change of the spec from one by
    /// somebody else.
    pub fn applied(&self) -> BTreeMap<String, String> {
        let mut applied = BTreeMap::new();
        if let Some(session) = self.desired.session() {
            applied.insert("shutdown".to_owned(), session.shutdown.to_string());
        }
        // Our own marks are never given up while the object is ours.
        for key in self.tags.keys().filter(|k| !k.starts_with(MARK)) {
            applied.insert(format!("{APPLIED_TAG}{key}"), String::new());
        }
        applied
    }

    /// Keys of tags that we wrote once and that the spec no longer names.
    pub fn dropped_tags<'r>(&self, applied: &'r BTreeMap<String, String>) -> Vec<&'r str> {
        applied
            .keys()
            .filter_map(|k| k.strip_prefix(APPLIED_TAG))
            .filter(|k| !self.tags.contains_key(*k))
            .collect()
    }
}

/// Beginning of the keys of ownership marks (design §2.1).
pub const MARK: &str = "causeway-";

/// Beginning of the names under which written tags are recorded.
const APPLIED_TAG: &str = "tag:";

/// All slots of one owner.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Graph {
    pub slots: BTreeMap<SlotId, Slot>,
}

/// Why a graph cannot be walked: a defect of the code that built it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("slot {slot} refers to {missing}, which is not in the graph")]
    Dangling { slot: SlotId, missing: SlotId },
    #[error("slot {0} needs itself through others")]
    Cycle(SlotId),
}

impl Graph {
    pub fn add(&mut self, slot: Slot) {
        self.slots.insert(slot.id.clone(), slot);
    }

    pub fn get(&self, id: &str) -> Option<&Slot> {
        self.slots.get(id)
    }

    /// Gives every slot whose deletion order is the default one (the reverse of creation) its `gone_first`: whoever
    /// needs it. Builders call it before they write the exceptions of api.md §3.
    pub fn reverse_deletion(&mut self) {
        let mut users: BTreeMap<SlotId, Vec<SlotId>> = BTreeMap::new();
        for slot in self.slots.values() {
            for need in &slot.needs {
                users
                    .entry(need.slot.clone())
                    .or_default()
                    .push(slot.id.clone());
            }
        }
        for (id, slot) in &mut self.slots {
            slot.gone_first = users.remove(id).unwrap_or_default();
        }
    }

    /// Proves that creation and deletion order exist.
    ///
    /// # Errors
    /// Names the first slot that refers to nothing or to itself through others.
    pub fn check(&self) -> Result<(), GraphError> {
        let needs = |s: &Slot| s.needs.iter().map(|n| n.slot.clone()).collect::<Vec<_>>();
        self.acyclic(&needs)?;
        self.acyclic(&|s: &Slot| s.gone_first.clone())
    }

    fn acyclic(&self, edges: &dyn Fn(&Slot) -> Vec<SlotId>) -> Result<(), GraphError> {
        let mut remaining: BTreeMap<&SlotId, Vec<SlotId>> = BTreeMap::new();
        for slot in self.slots.values() {
            let to = edges(slot);
            if let Some(missing) = to.iter().find(|t| !self.slots.contains_key(*t)) {
                return Err(GraphError::Dangling {
                    slot: slot.id.clone(),
                    missing: missing.clone(),
                });
            }
            remaining.insert(&slot.id, to);
        }
        while !remaining.is_empty() {
            let free: Vec<SlotId> = remaining
                .iter()
                .filter(|(_, to)| to.iter().all(|t| !remaining.contains_key(t)))
                .map(|(id, _)| (*id).clone())
                .collect();
            let Some(first) = remaining.keys().next() else {
                break;
            };
            if free.is_empty() {
                return Err(GraphError::Cycle((*first).clone()));
            }
            remaining.retain(|id, _| !free.contains(id));
        }
        Ok(())
    }
}
