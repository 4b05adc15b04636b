//! Ready, Stalled, Reconciling and Deleting: what follows from the other conditions and from the blockers.

use super::{Condition, Kind, Scope, Truth, blockers, joined};
use crate::plan::Why;

pub(super) fn ready(
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
pub(super) fn stalled(
    scope: &Scope<'_>,
    accepted: &Condition,
    provisioned: &Condition,
) -> Option<Condition> {
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

pub(super) fn reconciling(
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

pub(super) fn deleting(scope: &Scope<'_>) -> Option<Condition> {
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
    if let Some(b) = find(&|w| *w == Why::LastHealthyPath) {
        return named("WaitingForRedundancy", b.message.clone());
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
