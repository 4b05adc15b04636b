//! What was seen of a slot, what was recorded of it, and what the process remembers. A slot is Unreadable, Absent,
//! Present or Gone, never an Option: "we could not read it" must not look like "it is not there".

use crate::slot::{LockKey, Output, SlotId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the last read said of a slot's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// The read failed; says why, for people.
    Unreadable(String),
    /// A complete read does not have it.
    Absent,
    Present(Box<Present>),
    /// The provider still shows a tombstone (`DECOMMISSIONED`, `deleted`), with this ID.
    Gone {
        id: String,
    },
}

impl Seen {
    pub fn present(&self) -> Option<&Present> {
        if let Self::Present(p) = self {
            Some(p)
        } else {
            None
        }
    }
    /// Absent or a tombstone.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Absent | Self::Gone { .. })
    }
}

/// How an object that is there stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Being made or changed by the provider.
    Settling {
        /// The provider refuses to delete it while it is in this state.
        forbids_deletion: bool,
    },
    /// Emerged, and waits for our confirmation.
    AwaitsConfirmation,
    Ready,
    /// The provider gave up; its words.
    Failed {
        message: String,
    },
    Deleting,
}

/// Whose object it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ownership {
    /// Carries our mark for exactly this object, or was recorded before the call.
    Ours,
    /// Carries nobody's mark.
    Unmarked,
    /// Carries another owner's mark; says whose.
    Foreign(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Present {
    /// The provider's ID: ARM ID, `vgw-…`, product UID.
    pub id: String,
    pub state: State,
    /// The provider's own words for its state, for people.
    pub provider_state: String,
    pub ownership: Ownership,
    /// Outputs that are there. Secret ones have an empty text.
    pub outputs: BTreeMap<Output, String>,
    /// Compared fields as canonical text, by the names that [`crate::desired::Desired::fields`] uses. A field that the
    /// provider does not report is absent and not compared.
    pub fields: BTreeMap<String, String>,
    /// Its tags, where it has any; ours among them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Why it can not be deleted yet, or does not go, although nothing of ours holds it: the provider state of a circuit.
    pub holds_deletion: Option<String>,
}

impl Present {
    /// Its deletion was taken and has ended nothing: what Megaport calls `CANCELLED` is taken out of the network within the
    /// call that cancels it when all goes well, and otherwise stays, and is billed (megaport.md §13.3). True also in the
    /// moment before the end, so it counts only when reads show everything.
    pub fn deletion_failed(&self) -> bool {
        self.state == State::Deleting && self.provider_state == "CANCELLED"
    }
}

/// A second object that carries exactly the mark of a slot which has one already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Twin {
    pub id: String,
    /// It was surely ordered after the slot's own.
    pub later: bool,
    /// It surely carries nothing.
    pub unused: bool,
}

/// What status remembers of a slot across restarts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The object's ID once an answer or a read gave it.
    pub id: Option<String>,
    /// Set before a create call and kept until its object was seen: while it is young, "absent" proves nothing.
    pub intent: Option<Timestamp>,
    /// Whether the object was ever seen present.
    pub seen: bool,
    /// Settings as they were last applied, where a change of the spec must be told from a change by somebody else.
    pub applied: BTreeMap<String, String>,
}

/// What this process remembers of a slot; lost on restart, and nothing depends on it for correctness.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memo {
    /// When an update or deletion was last accepted: for a lag window the old state proves nothing.
    pub acted: Option<Timestamp>,
    /// Since when this process knows of a create that was written down and has not shown itself. The record's own time is of
    /// the clock of whoever wrote it, which may have been another machine's.
    pub pending_since: Option<Timestamp>,
    /// Since when this process knows that its object was seen. It was made before that, so that only a read that shows an
    /// older state than this can lack it without it being gone.
    pub seen_since: Option<Timestamp>,
    pub refreshed: Option<Timestamp>,
    /// Consecutive failures of calls on it and when the next try is due.
    pub failures: u32,
    pub not_before: Option<Timestamp>,
    /// The last failure, in words, for the blocker.
    pub failure: Option<Failure>,
}

/// How a call on a slot failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub message: String,
    /// Only a person can help.
    pub terminal: bool,
    /// Credentials or rights.
    pub auth: bool,
    pub quota: bool,
}

/// Everything that the planner knows of the world.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Observed {
    pub seen: BTreeMap<SlotId, Seen>,
    pub records: BTreeMap<SlotId, Record>,
    pub memos: BTreeMap<SlotId, Memo>,
    /// When each slot's snapshot was read. An action that came after it makes it worthless.
    pub read_at: BTreeMap<SlotId, Timestamp>,
    /// Second objects of slots that have one: there should never be any.
    pub twins: BTreeMap<SlotId, Vec<Twin>>,
    /// Locks that somebody holds, with words for who: never our own slot's.
    pub held: BTreeMap<LockKey, String>,
    /// Set while our finalizer is on an object whose status was lost: since when we have been looking. Every slot
    /// whose object can exist twice is ambiguous until a lag window has passed (api.md §3).
    pub amnesia_since: Option<Timestamp>,
    /// Until when requests of another process, which led before this one and did not hand over, may still be carried
    /// out. Nothing is bought until a lag window after it has passed.
    pub predecessor_until: Option<Timestamp>,
}
