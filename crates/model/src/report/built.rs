//! Accepted, Provisioned and InSync: what validation and the plan say.

use super::{Condition, LinkState, Scope, Truth, blockers, joined};
use crate::desired::Drift;
use crate::plan::{Action, Blocker, Phase, Why};
use crate::slot::SlotId;
use std::collections::BTreeMap;

pub(super) fn accepted(scope: &Scope<'_>) -> Condition {
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
        Why::AdoptionRefused => Some(("AdoptionRefused", b)),
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

/// Slots that a plan is making, changing or failing to make.
pub(super) fn provisioned(scope: &Scope<'_>, is_accepted: bool) -> Condition {
    let kind = "Provisioned";
    let Some(plan) = scope.plan else {
        // A provider that can not be asked unbuilds nothing.
        let undecided = scope.rejection.is_some_and(|r| r.undecided);
        let (truth, reason, message) = if is_accepted {
            (Truth::False, "Provisioning", "work has not begun")
        } else if undecided {
            (
                Truth::Unknown,
                "NotAccepted",
                "nobody knows what exists until the spec could be checked",
            )
        } else {
            (
                Truth::False,
                "NotAccepted",
                "nothing is done because the spec is not accepted",
            )
        };
        return Condition {
            kind,
            truth,
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
    // Neither drift that is only reported or being set back nor a product too many unbuilds what is built.
    let hard = |b: &&Blocker| !matches!(b.why, Why::ReportOnly | Why::Duplicate);
    let actions: Vec<&Action> = plan
        .actions
        .iter()
        .filter(|a| !matches!(a, Action::CancelTwin { .. }))
        .collect();
    let found: Vec<&Blocker> = plan.blockers.iter().filter(hard).collect();
    let waiting_links: Vec<&LinkState> = scope.links.iter().filter(|l| !l.provisioned).collect();
    let unreadable = found.iter().any(|b| b.why == Why::Unreadable);
    let all_there = plan.phases.values().all(|p| {
        matches!(
            p,
            Phase::Ready | Phase::Unknown | Phase::Gone | Phase::Updating
        )
    });
    if found.is_empty() && actions.is_empty() && waiting_links.is_empty() {
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
    } else if worst(|w| matches!(w, Why::LastHealthyPath)).is_some()
        || waiting_links.iter().any(|l| l.held)
    {
        ("WaitingForRedundancy", Truth::False)
    } else if (unreadable || found.is_empty())
        && actions.is_empty()
        && all_there
        && waiting_links.iter().all(|l| l.unreadable)
    {
        ("StaleTelemetry", Truth::Unknown)
    } else if plan.phases.values().any(|p| matches!(p, Phase::Updating)) {
        ("Updating", Truth::False)
    } else if actions.is_empty()
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
    let being_made: Vec<String> = actions
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

pub(super) fn in_sync(scope: &Scope<'_>, is_accepted: bool) -> Condition {
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
    // What costs money for nothing comes first: only a person may be able to end it.
    if let Some(b) = plan.blockers.iter().find(|b| b.why == Why::Duplicate) {
        return Condition {
            kind,
            truth: Truth::False,
            reason: "DuplicateFound",
            message: b.message.clone(),
        };
    }
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
