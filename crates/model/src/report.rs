//! The one place that makes conditions: from the plan, the validation and the health verdicts of one object. Reasons
//! are words of the closed set in `causeway-api` (`conditions.rs`; a test of the operator proves that each exists).
//!
//! No timestamps, request IDs or counters in messages: a status is written only when its meaning changed.

mod built;
mod outcome;
#[cfg(test)]
mod tests;

use crate::plan::{Blocker, Plan};
use built::{accepted, in_sync, provisioned};
use outcome::{deleting, ready, reconciling, stalled};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Truth {
    True,
    False,
    Unknown,
}

impl Truth {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// A condition without the times, which the writer of the status adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    pub kind: &'static str,
    pub truth: Truth,
    pub reason: &'static str,
    pub message: String,
}

/// A judgement made elsewhere (health), to be shown as a condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub truth: Truth,
    pub reason: &'static str,
    pub message: String,
}

impl Verdict {
    pub fn new(truth: Truth, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            truth,
            reason,
            message: message.into(),
        }
    }
    fn shown_as(&self, kind: &'static str) -> Condition {
        Condition {
            kind,
            truth: self.truth,
            reason: self.reason,
            message: self.message.clone(),
        }
    }
}

/// Why a spec was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejection {
    /// `InvalidTopology`, `ReferenceNotFound`, `CredentialsInvalid`, `Validating`, …
    pub reason: &'static str,
    /// Names field, value and remedy.
    pub message: String,
    /// A provider could not be asked: not false, but unknown.
    pub undecided: bool,
}

/// Which conditions an object shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Kind {
    HybridInterconnect,
    ExpressRouteLink,
    DirectConnectLink,
    VpnPair,
}

/// Health verdicts of an object; what a kind does not show is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HealthVerdicts {
    pub bgp_established: Option<Verdict>,
    pub routes_as_expected: Option<Verdict>,
    pub available: Option<Verdict>,
    pub redundant: Option<Verdict>,
}

/// How a link of an interconnect stands, as its own status says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkState {
    /// Kind and name, for messages.
    pub describe: String,
    pub provisioned: bool,
    /// Nobody can tell whether it is provisioned: a provider could not be read.
    pub unreadable: bool,
    pub in_sync: bool,
    pub accepted: bool,
    /// The spec no longer names it, and it is kept because it carries the only path that holds.
    pub held: bool,
    /// Message of the condition that stands in the way.
    pub message: String,
}

/// Everything that conditions are made of.
#[derive(Debug, Clone)]
pub struct Scope<'a> {
    pub kind: Kind,
    pub rejection: Option<&'a Rejection>,
    /// Absent while the object was not accepted or could not be gathered.
    pub plan: Option<&'a Plan>,
    pub deleting: bool,
    pub paused: bool,
    pub retain: bool,
    pub observe_only: bool,
    pub health: &'a HealthVerdicts,
    pub links: &'a [LinkState],
}

/// How many blockers a message lists before it says how many more there are.
const LISTED: usize = 4;

fn joined(messages: &[&str]) -> String {
    let mut unique: Vec<&str> = messages.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let more = unique.len().saturating_sub(LISTED);
    let mut text = unique
        .iter()
        .take(LISTED)
        .copied()
        .collect::<Vec<_>>()
        .join("; ");
    if more > 0 {
        text.push_str(&format!("; and {more} more"));
    }
    text
}

/// Makes the conditions, in the order in which they are shown.
pub fn report(scope: &Scope<'_>) -> Vec<Condition> {
    let accepted = accepted(scope);
    let is_accepted = accepted.truth == Truth::True;
    let provisioned = provisioned(scope, is_accepted);
    let in_sync = in_sync(scope, is_accepted);
    let judged = scope.health;
    let unjudged = |kind: &'static str| {
        let (reason, message) = if scope.deleting {
            (
                "DeletionInProgress",
                "nothing is judged any more: the resource is being deleted",
            )
        } else if is_accepted {
            (
                "NotProvisioned",
                "nothing to judge yet: objects are still being made",
            )
        } else {
            ("NotAccepted", "nothing to judge: the spec is not accepted")
        };
        Condition {
            kind,
            truth: Truth::Unknown,
            reason,
            message: message.to_owned(),
        }
    };
    let of = |v: &Option<Verdict>, kind: &'static str| {
        v.as_ref()
            .map_or_else(|| unjudged(kind), |v| v.shown_as(kind))
    };
    let bgp = of(&judged.bgp_established, "BGPEstablished");
    let mut health = vec![bgp];
    if judged.routes_as_expected.is_some() || scope.kind == Kind::HybridInterconnect {
        health.push(of(&judged.routes_as_expected, "RoutesAsExpected"));
    }
    if scope.kind == Kind::HybridInterconnect {
        health.push(of(&judged.available, "Available"));
    }
    if matches!(
        scope.kind,
        Kind::HybridInterconnect | Kind::ExpressRouteLink
    ) {
        health.push(of(&judged.redundant, "Redundant"));
    }
    let decisive_name = if scope.kind == Kind::HybridInterconnect {
        "Available"
    } else {
        "BGPEstablished"
    };
    let decisive = health.iter().find(|c| c.kind == decisive_name).cloned();
    let ready = ready(scope, &accepted, &provisioned, decisive.as_ref(), &in_sync);
    let stalled = stalled(scope, &accepted, &provisioned);
    let reconciling = reconciling(scope, stalled.as_ref(), &accepted, &provisioned, &in_sync);
    let mut all = vec![ready, accepted, provisioned];
    all.extend(health);
    all.push(in_sync);
    all.extend(reconciling);
    all.extend(stalled);
    if scope.paused {
        let message =
            "spec.paused is true: nothing is written to a cloud; health is still read".to_owned();
        all.push(Condition {
            kind: "Paused",
            truth: Truth::True,
            reason: "Paused",
            message,
        });
    }
    all.extend(deleting(scope));
    all
}

fn blockers<'a>(scope: &Scope<'a>) -> &'a [Blocker] {
    scope.plan.map_or(&[], |p| p.blockers.as_slice())
}
