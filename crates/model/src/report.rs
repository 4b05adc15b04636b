//! The one place that makes conditions: from the plan, the validation and the health verdicts of one object. Reasons
//! are words of the closed set in `causeway-api` (`conditions.rs`; a test of the operator proves that each exists).
//!
//! No timestamps, request IDs or counters in messages: a status is written only when its meaning changed.

#[cfg(test)]
mod tests;

use crate::desired::Drift;
use crate::plan::{Blocker, Phase, Plan, Why};
use crate::slot::SlotId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
        let (reason, message) = if is_accepted {
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

fn accepted(scope: &Scope<'_>) -> Condition {
    let kind = "Accepted";
    if let Some(r) = scope.rejection {
        let truth = if r.undecided {
            Truth::Unknown
        } else {
            Truth::False
        };
        return Condition {
            kind,
            truth,
            reason: r.reason,
            message: r.message.clone(),
        };
    }
    // What only a call can find out: somebody else's object, missing rights, a quota.
    let found = blockers(scope).iter().find_map(|b| match b.why {
        Why::NameConflict => Some(("NameConflict", b)),
        Why::Auth => Some(("PermissionDenied", b)),
        Why::Quota => Some(("QuotaExceeded", b)),
        _ => None,
    });
    if let Some((reason, b)) = found {
        return Condition {
            kind,
            truth: Truth::False,
            reason,
            message: b.message.clone(),
        };
    }
    if let Some(l) = scope.links.iter().find(|l| !l.accepted) {
        let message = format!("{}: {}", l.describe, l.message);
        return Condition {
            kind,
            truth: Truth::False,
            reason: "InvalidTopology",
            message,
        };
    }
    let message =
        "the spec is valid, its references are resolved and the credentials work".to_owned();
    Condition {
        kind,
        truth: Truth::True,
        reason: "Accepted",
        message,
    }
}

fn blockers<'a>(scope: &Scope<'a>) -> &'a [Blocker] {
    scope.plan.map_or(&[], |p| p.blockers.as_slice())
}

/// Slots that a plan is making, changing or failing to make.
fn provisioned(scope: &Scope<'_>, is_accepted: bool) -> Condition {
    let kind = "Provisioned";
    let Some(plan) = scope.plan else {
        let (reason, message) = if is_accepted {
            ("Provisioning", "work has not begun")
        } else {
            (
                "NotAccepted",
                "nothing is done because the spec is not accepted",
            )
        };
        return Condition {
            kind,
            truth: Truth::False,
            reason,
            message: message.to_owned(),
        };
    };
    if scope.deleting {
        let message = "objects are being deleted".to_owned();
        return Condition {
            kind,
            truth: Truth::False,
            reason: "Updating",
            message,
        };
    }
    // Drift that is only reported or being set back does not unbuild what is built.
    let hard = |b: &&Blocker| !matches!(b.why, Why::ReportOnly);
    let found: Vec<&Blocker> = plan.blockers.iter().filter(hard).collect();
    let waiting_links: Vec<&LinkState> = scope.links.iter().filter(|l| !l.provisioned).collect();
    let unreadable = found.iter().any(|b| b.why == Why::Unreadable);
    let all_there = plan.phases.values().all(|p| {
        matches!(
            p,
            Phase::Ready | Phase::Unknown | Phase::Gone | Phase::Updating
        )
    });
    if found.is_empty() && plan.actions.is_empty() && waiting_links.is_empty() {
        let message = "every cloud object exists and matches the spec".to_owned();
        return Condition {
            kind,
            truth: Truth::True,
            reason: "Provisioned",
            message,
        };
    }
    let worst = |why: fn(&Why) -> bool| found.iter().find(|b| why(&b.why)).copied();
    let (reason, truth) = if worst(|w| matches!(w, Why::Terminal | Why::ProviderFailed)).is_some() {
        ("ProvisioningFailed", Truth::False)
    } else if worst(|w| matches!(w, Why::RefusedChange)).is_some() {
        ("ChangeRefused", Truth::False)
    } else if worst(|w| matches!(w, Why::Quota)).is_some() {
        ("QuotaExceeded", Truth::False)
    } else if worst(|w| matches!(w, Why::Auth)).is_some() {
        ("PermissionDenied", Truth::False)
    } else if worst(|w| matches!(w, Why::ObserveOnly)).is_some() {
        ("ObjectMissing", Truth::False)
    } else if worst(|w| matches!(w, Why::LastHealthyPath)).is_some() {
        ("WaitingForRedundancy", Truth::False)
    } else if (unreadable || found.is_empty())
        && plan.actions.is_empty()
        && all_there
        && waiting_links.iter().all(|l| l.unreadable)
    {
        ("StaleTelemetry", Truth::Unknown)
    } else if plan.phases.values().any(|p| matches!(p, Phase::Updating)) {
        ("Updating", Truth::False)
    } else if plan.actions.is_empty()
        && !found.is_empty()
        && found.iter().all(|b| matches!(b.why, Why::Locked { .. }))
    {
        ("WaitingForDependency", Truth::False)
    } else {
        ("Provisioning", Truth::False)
    };
    let mut messages: Vec<&str> = found
        .iter()
        .filter(|b| !matches!(b.why, Why::WaitingFor { .. }))
        .map(|b| b.message.as_str())
        .collect();
    if messages.is_empty() {
        messages = found.iter().map(|b| b.message.as_str()).collect();
    }
    let of_links: Vec<String> = waiting_links
        .iter()
        .map(|l| format!("{}: {}", l.describe, l.message))
        .collect();
    messages.extend(of_links.iter().map(String::as_str));
    let being_made: Vec<String> = plan
        .actions
        .iter()
        .map(|a| format!("{} {}", a.verb().to_lowercase(), a.slot()))
        .collect();
    if messages.is_empty() {
        messages = being_made.iter().map(String::as_str).collect();
    }
    Condition {
        kind,
        truth,
        reason,
        message: joined(&messages),
    }
}

fn in_sync(scope: &Scope<'_>, is_accepted: bool) -> Condition {
    let kind = "InSync";
    let Some(plan) = scope.plan else {
        let reason = if is_accepted {
            "NotProvisioned"
        } else {
            "NotAccepted"
        };
        return Condition {
            kind,
            truth: Truth::Unknown,
            reason,
            message: "nothing to compare yet".to_owned(),
        };
    };
    if plan.drift.is_empty() {
        if let Some(l) = scope.links.iter().find(|l| !l.in_sync) {
            return Condition {
                kind,
                truth: Truth::False,
                reason: "Drifted",
                message: format!("{}: {}", l.describe, l.message),
            };
        }
        if let Some(b) = plan.blockers.iter().find(|b| b.why == Why::Unreadable) {
            return Condition {
                kind,
                truth: Truth::Unknown,
                reason: "StaleTelemetry",
                message: b.message.clone(),
            };
        }
        let message = "the cloud objects are what the spec says".to_owned();
        return Condition {
            kind,
            truth: Truth::True,
            reason: "InSync",
            message,
        };
    }
    let held_back = plan.blockers.iter().any(|b| {
        matches!(
            b.why,
            Why::ReportOnly | Why::RefusedChange | Why::ObserveOnly | Why::Paused
        )
    });
    let reason = if held_back { "Drifted" } else { "Repairing" };
    Condition {
        kind,
        truth: Truth::False,
        reason,
        message: drift_text(&plan.drift),
    }
}

fn drift_text(drift: &BTreeMap<SlotId, Vec<Drift>>) -> String {
    let lines: Vec<String> = drift
        .iter()
        .flat_map(|(slot, list)| {
            list.iter()
                .map(move |d| format!("{slot}: {} is {} and should be {}", d.field, d.have, d.want))
        })
        .collect();
    joined(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

fn ready(
    scope: &Scope<'_>,
    accepted: &Condition,
    provisioned: &Condition,
    decisive: Option<&Condition>,
    in_sync: &Condition,
) -> Condition {
    let kind = "Ready";
    if scope.deleting {
        let message = "the resource is being deleted".to_owned();
        return Condition {
            kind,
            truth: Truth::False,
            reason: "DeletionInProgress",
            message,
        };
    }
    for (c, own) in [
        (Some(accepted), None),
        (Some(provisioned), None),
        (
            decisive,
            Some(if scope.kind == Kind::HybridInterconnect {
                "NotAvailable"
            } else {
                "BGPDown"
            }),
        ),
        (Some(in_sync), Some("OutOfSync")),
    ] {
        let Some(c) = c else { continue };
        if c.truth != Truth::True {
            // Unknown anywhere makes Ready unknown only when nothing is known to be wrong: the first in order decides.
            return Condition {
                kind,
                truth: c.truth,
                reason: own.unwrap_or(c.reason),
                message: c.message.clone(),
            };
        }
    }
    Condition {
        kind,
        truth: Truth::True,
        reason: "Ready",
        message: "everything holds for this generation".to_owned(),
    }
}

/// True when only a person can help (kstatus).
fn stalled(scope: &Scope<'_>, accepted: &Condition, provisioned: &Condition) -> Option<Condition> {
    let kind = "Stalled";
    if accepted.truth == Truth::False && !scope.deleting {
        return Some(Condition {
            kind,
            truth: Truth::True,
            reason: accepted.reason,
            message: accepted.message.clone(),
        });
    }
    let b = blockers(scope).iter().find(|b| {
        matches!(
            b.why,
            Why::Terminal | Why::RefusedChange | Why::Auth | Why::Quota
        ) || (b.why == Why::ProviderFailed && scope.plan.is_some_and(|p| p.actions.is_empty()))
    })?;
    let reason = match b.why {
        Why::RefusedChange => "ChangeRefused",
        Why::Auth => "PermissionDenied",
        Why::Quota => "QuotaExceeded",
        _ if provisioned.reason == "ProvisioningFailed" => "ProvisioningFailed",
        _ => "ProvisioningFailed",
    };
    Some(Condition {
        kind,
        truth: Truth::True,
        reason,
        message: b.message.clone(),
    })
}

fn reconciling(
    scope: &Scope<'_>,
    stalled: Option<&Condition>,
    accepted: &Condition,
    provisioned: &Condition,
    in_sync: &Condition,
) -> Option<Condition> {
    let kind = "Reconciling";
    if stalled.is_some() || scope.paused {
        return None;
    }
    let (reason, message) = if scope.deleting {
        ("Updating", "objects are being deleted".to_owned())
    } else if accepted.truth == Truth::Unknown {
        ("Retrying", accepted.message.clone())
    } else if provisioned.truth != Truth::True && !scope.observe_only {
        let reason = match provisioned.reason {
            "Updating" => "Updating",
            "WaitingForDependency" => "WaitingForDependency",
            "WaitingForRedundancy" => "WaitingForRedundancy",
            "StaleTelemetry" => "Retrying",
            _ => "Provisioning",
        };
        (reason, provisioned.message.clone())
    } else if in_sync.reason == "Repairing" {
        ("Repairing", in_sync.message.clone())
    } else {
        return None;
    };
    Some(Condition {
        kind,
        truth: Truth::True,
        reason,
        message,
    })
}

fn deleting(scope: &Scope<'_>) -> Option<Condition> {
    if !scope.deleting {
        return None;
    }
    let kind = "Deleting";
    let all = blockers(scope);
    let find = |f: &dyn Fn(&Why) -> bool| all.iter().find(|b| f(&b.why));
    let named = |reason: &'static str, message: String| {
        Some(Condition {
            kind,
            truth: Truth::True,
            reason,
            message,
        })
    };
    if scope.paused {
        return named(
            "Paused",
            "deletion waits because spec.paused is true".to_owned(),
        );
    }
    if scope.retain {
        return named(
            "RetainedByPolicy",
            "deletionPolicy is Retain: the cloud objects stay, with our marks taken off".to_owned(),
        );
    }
    if let Some(r) = scope.rejection {
        // Nothing can be deleted without its account: says what is missing, and goes on when it is back.
        let reason = if r.reason == "CredentialsInvalid" {
            "CredentialsInvalid"
        } else {
            "DeletionInProgress"
        };
        return named(reason, r.message.clone());
    }
    if let Some(b) = find(&|w| *w == Why::Auth) {
        return named("PermissionDenied", b.message.clone());
    }
    if let Some(b) = find(&|w| *w == Why::WaitingForProviderDeprovision) {
        return named("WaitingForProviderDeprovision", b.message.clone());
    }
    let links: Vec<&str> = scope.links.iter().map(|l| l.message.as_str()).collect();
    let messages: Vec<&str> = all
        .iter()
        .filter(|b| {
            !matches!(
                b.why,
                Why::BlockedByDependents { .. } | Why::WaitingForPeeringRemoval
            )
        })
        .map(|b| b.message.as_str())
        .collect();
    if messages.is_empty() && links.is_empty() {
        if let Some(b) = find(&|w| *w == Why::WaitingForPeeringRemoval) {
            return named("WaitingForPeeringRemoval", b.message.clone());
        }
        if let Some(b) = find(&|w| matches!(w, Why::BlockedByDependents { .. })) {
            return named("BlockedByDependents", b.message.clone());
        }
    }
    let being_deleted: Vec<String> = scope
        .plan
        .map(|p| {
            p.actions
                .iter()
                .map(|a| format!("{} {}", a.verb().to_lowercase(), a.slot()))
                .collect()
        })
        .unwrap_or_default();
    let mut text: Vec<&str> = messages;
    text.extend(links);
    if text.is_empty() {
        text = being_deleted.iter().map(String::as_str).collect();
    }
    let message = if text.is_empty() {
        "objects are being deleted".to_owned()
    } else {
        joined(&text)
    };
    named("DeletionInProgress", message)
}
