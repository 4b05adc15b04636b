//! Conditions from plans: one row per situation that a person may meet.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a missing condition is the test's failure"
)]

use super::*;
use crate::desired::Drift;
use crate::plan::Action;
use crate::plan::{Phase, Why};
use crate::slot::SlotId;
use std::collections::BTreeMap;
use std::time::Duration;

fn plan() -> Plan {
    Plan {
        actions: Vec::new(),
        adopt: BTreeMap::new(),
        forget: Vec::new(),
        blockers: Vec::new(),
        phases: [(SlotId::new("circuit"), Phase::Ready)].into(),
        drift: BTreeMap::new(),
        look_again: Duration::from_secs(1),
        done: true,
    }
}

fn blocked(why: Why, message: &str) -> Plan {
    Plan {
        blockers: vec![Blocker {
            slot: "circuit".into(),
            why,
            message: message.to_owned(),
        }],
        done: false,
        ..plan()
    }
}

fn healthy() -> HealthVerdicts {
    let v = |reason| Some(Verdict::new(Truth::True, reason, "fine"));
    HealthVerdicts {
        bgp_established: v("Established"),
        routes_as_expected: v("RoutesAsExpected"),
        available: v("PathAvailable"),
        redundant: v("Redundant"),
    }
}

fn scope<'a>(
    plan: Option<&'a Plan>,
    rejection: Option<&'a Rejection>,
    health: &'a HealthVerdicts,
) -> Scope<'a> {
    Scope {
        kind: Kind::HybridInterconnect,
        rejection,
        plan,
        deleting: false,
        paused: false,
        retain: false,
        observe_only: false,
        health,
        links: &[],
    }
}

fn get(all: &[Condition], kind: &str) -> (Truth, &'static str) {
    let c = all
        .iter()
        .find(|c| c.kind == kind)
        .unwrap_or_else(|| panic!("no {kind} in {all:#?}"));
    (c.truth, c.reason)
}

fn shown(all: &[Condition], kind: &str) -> bool {
    all.iter().any(|c| c.kind == kind)
}

#[test]
fn ready_needs_everything() {
    let (p, h) = (plan(), healthy());
    let all = report(&scope(Some(&p), None, &h));
    for kind in [
        "Ready",
        "Accepted",
        "Provisioned",
        "BGPEstablished",
        "RoutesAsExpected",
        "Available",
        "Redundant",
        "InSync",
    ] {
        assert_eq!(get(&all, kind).0, Truth::True, "{kind}");
    }
    assert!(
        !shown(&all, "Reconciling")
            && !shown(&all, "Stalled")
            && !shown(&all, "Paused")
            && !shown(&all, "Deleting")
    );

    let down = HealthVerdicts {
        available: Some(Verdict::new(Truth::False, "NoPathAvailable", "both down")),
        ..healthy()
    };
    assert_eq!(
        get(&report(&scope(Some(&p), None, &down)), "Ready"),
        (Truth::False, "NotAvailable")
    );
    // Routes that are not as expected do not unmake Ready: the traffic flows.
    let odd = HealthVerdicts {
        routes_as_expected: Some(Verdict::new(Truth::False, "MissingPrefix", "x")),
        ..healthy()
    };
    assert_eq!(
        get(&report(&scope(Some(&p), None, &odd)), "Ready").0,
        Truth::True
    );
}

#[test]
fn a_link_stands_on_its_sessions_not_on_paths() {
    let p = plan();
    let h = HealthVerdicts {
        bgp_established: Some(Verdict::new(Truth::False, "SessionDown", "down")),
        ..HealthVerdicts::default()
    };
    let all = report(&Scope {
        kind: Kind::DirectConnectLink,
        ..scope(Some(&p), None, &h)
    });
    assert_eq!(get(&all, "Ready"), (Truth::False, "BGPDown"));
    assert!(
        !shown(&all, "Available") && !shown(&all, "Redundant") && !shown(&all, "RoutesAsExpected")
    );
}

#[test]
fn what_only_a_person_can_mend_is_stalled_and_the_rest_is_reconciling() {
    let h = HealthVerdicts::default();
    for (why, provisioned, stalled) in [
        (Why::Settling, "Provisioning", None),
        (Why::ReadLag, "Provisioning", None),
        (Why::Backoff, "Provisioning", None),
        (
            Why::Terminal,
            "ProvisioningFailed",
            Some("ProvisioningFailed"),
        ),
        (
            Why::ProviderFailed,
            "ProvisioningFailed",
            Some("ProvisioningFailed"),
        ),
        (Why::RefusedChange, "ChangeRefused", Some("ChangeRefused")),
        (Why::Quota, "QuotaExceeded", Some("QuotaExceeded")),
        (Why::Auth, "PermissionDenied", Some("PermissionDenied")),
        (Why::LastHealthyPath, "WaitingForRedundancy", None),
        (
            Why::Locked {
                lock: crate::slot::LockKey::vnet("v"),
                by: "x".to_owned(),
            },
            "WaitingForDependency",
            None,
        ),
    ] {
        let p = blocked(why.clone(), "because");
        let all = report(&scope(Some(&p), None, &h));
        assert_eq!(
            get(&all, "Provisioned"),
            (Truth::False, provisioned),
            "{why:?}"
        );
        match stalled {
            Some(reason) => {
                assert_eq!(get(&all, "Stalled"), (Truth::True, reason), "{why:?}");
                assert!(!shown(&all, "Reconciling"), "{why:?}: never both");
            }
            None => {
                assert!(!shown(&all, "Stalled"), "{why:?}");
                assert_eq!(get(&all, "Reconciling").0, Truth::True, "{why:?}");
            }
        }
    }
}

#[test]
fn a_product_too_many_is_told_and_unbuilds_nothing() {
    let mut p = blocked(Why::Duplicate, "router exists twice");
    p.actions.push(Action::CancelTwin {
        slot: "router-a".into(),
        id: "second".to_owned(),
    });
    let all = report(&scope(Some(&p), None, &healthy()));
    assert_eq!(get(&all, "InSync"), (Truth::False, "DuplicateFound"));
    assert_eq!(get(&all, "Provisioned").0, Truth::True);
    assert!(!shown(&all, "Stalled"));
}

#[test]
fn unreadable_is_unknown_and_not_false() {
    let p = blocked(Why::Unreadable, "circuit could not be read: time-out");
    let all = report(&scope(Some(&p), None, &healthy()));
    assert_eq!(get(&all, "Provisioned"), (Truth::Unknown, "StaleTelemetry"));
    assert_eq!(get(&all, "InSync"), (Truth::Unknown, "StaleTelemetry"));
    assert_eq!(get(&all, "Ready").0, Truth::Unknown);
    // While something is still being made, that is the news.
    let mut p = p;
    p.phases.insert("peering".into(), Phase::Pending);
    assert_eq!(
        get(&report(&scope(Some(&p), None, &healthy())), "Provisioned").0,
        Truth::False
    );
}

#[test]
fn a_rejection_says_so_and_stops_the_rest() {
    let r = Rejection {
        reason: "InvalidTopology",
        message: "spec.x: 1 is wrong: use 2".to_owned(),
        undecided: false,
    };
    let h = HealthVerdicts::default();
    let all = report(&scope(None, Some(&r), &h));
    assert_eq!(get(&all, "Accepted"), (Truth::False, "InvalidTopology"));
    assert_eq!(get(&all, "Ready"), (Truth::False, "InvalidTopology"));
    assert_eq!(get(&all, "Stalled"), (Truth::True, "InvalidTopology"));
    assert_eq!(get(&all, "BGPEstablished"), (Truth::Unknown, "NotAccepted"));
    let undecided = Rejection {
        reason: "Validating",
        undecided: true,
        ..r
    };
    let all = report(&scope(None, Some(&undecided), &h));
    assert_eq!(get(&all, "Accepted"), (Truth::Unknown, "Validating"));
    assert_eq!(get(&all, "Reconciling"), (Truth::True, "Retrying"));
    // A provider that can not be asked unbuilds nothing.
    assert_eq!(get(&all, "Provisioned"), (Truth::Unknown, "NotAccepted"));
    assert!(!shown(&all, "Stalled"));
}

#[test]
fn a_deletion_says_so_where_nothing_is_judged_any_more() {
    let h = HealthVerdicts::default();
    let p = plan();
    let mut s = scope(Some(&p), None, &h);
    s.kind = Kind::HybridInterconnect;
    s.deleting = true;
    let all = report(&s);
    for kind in [
        "BGPEstablished",
        "RoutesAsExpected",
        "Available",
        "Redundant",
    ] {
        assert_eq!(
            get(&all, kind),
            (Truth::Unknown, "DeletionInProgress"),
            "{kind}"
        );
        let said = all.iter().find(|c| c.kind == kind).unwrap();
        assert!(said.message.contains("being deleted"), "{}", said.message);
    }
}

#[test]
fn drift_is_named_and_only_its_repair_is_reconciling() {
    let drift = || Drift {
        field: "bandwidthMbps",
        want: "100".to_owned(),
        have: "50".to_owned(),
        change: crate::desired::Change::InPlace,
    };
    let mut p = plan();
    p.drift.insert("circuit".into(), vec![drift()]);
    p.actions.push(Action::Update {
        slot: "circuit".into(),
        drift: vec![drift()],
    });
    let h = healthy();
    let all = report(&scope(Some(&p), None, &h));
    assert_eq!(get(&all, "InSync"), (Truth::False, "Repairing"));
    let message = &all.iter().find(|c| c.kind == "InSync").unwrap().message;
    assert_eq!(message, "circuit: bandwidthMbps is 50 and should be 100");

    let mut p = blocked(Why::ReportOnly, "driftPolicy is Report");
    p.drift.insert("circuit".into(), vec![drift()]);
    let all = report(&scope(Some(&p), None, &h));
    assert_eq!(get(&all, "InSync"), (Truth::False, "Drifted"));
    assert_eq!(
        get(&all, "Provisioned").0,
        Truth::True,
        "what is only reported does not unbuild what is built"
    );
}

#[test]
fn deletion_names_its_blocker() {
    let h = HealthVerdicts::default();
    let deleting = |p: &Plan| {
        report(&Scope {
            deleting: true,
            ..scope(Some(p), None, &h)
        })
    };
    for (why, reason) in [
        (
            Why::WaitingForProviderDeprovision,
            "WaitingForProviderDeprovision",
        ),
        (Why::WaitingForPeeringRemoval, "WaitingForPeeringRemoval"),
        (
            Why::BlockedByDependents { slots: Vec::new() },
            "BlockedByDependents",
        ),
        (Why::Auth, "PermissionDenied"),
        (Why::Settling, "DeletionInProgress"),
    ] {
        let p = blocked(why.clone(), "because");
        let all = deleting(&p);
        assert_eq!(get(&all, "Deleting"), (Truth::True, reason), "{why:?}");
        assert_eq!(get(&all, "Ready"), (Truth::False, "DeletionInProgress"));
    }
    let p = plan();
    let all = report(&Scope {
        deleting: true,
        retain: true,
        ..scope(Some(&p), None, &h)
    });
    assert_eq!(get(&all, "Deleting"), (Truth::True, "RetainedByPolicy"));
    let r = Rejection {
        reason: "CredentialsInvalid",
        message: "Secret azure lacks the key clientID".to_owned(),
        undecided: false,
    };
    let all = report(&Scope {
        deleting: true,
        ..scope(None, Some(&r), &h)
    });
    assert_eq!(get(&all, "Deleting"), (Truth::True, "CredentialsInvalid"));
}

#[test]
fn messages_are_sorted_and_bounded() {
    let mut p = plan();
    p.done = false;
    for i in (0..9).rev() {
        p.blockers.push(Blocker {
            slot: format!("lng-{i}").as_str().into(),
            why: Why::Settling,
            message: format!("m{i}"),
        });
    }
    let h = HealthVerdicts::default();
    let all = report(&scope(Some(&p), None, &h));
    let message = &all
        .iter()
        .find(|c| c.kind == "Provisioned")
        .unwrap()
        .message;
    assert_eq!(message, "m0; m1; m2; m3; and 5 more");
}

#[test]
fn an_interconnect_whose_links_can_not_be_read_is_not_being_built() {
    let mut plan = Plan {
        actions: Vec::new(),
        adopt: BTreeMap::new(),
        forget: Vec::new(),
        blockers: Vec::new(),
        phases: BTreeMap::new(),
        drift: BTreeMap::new(),
        look_again: Duration::from_secs(1),
        done: true,
    };
    plan.phases.insert("vgw".into(), Phase::Ready);
    let link = |unreadable| LinkState {
        describe: "VpnPair lab-vpn".into(),
        provisioned: false,
        unreadable,
        in_sync: true,
        accepted: true,
        held: false,
        message: "HTTP 500".into(),
    };
    let ready = |unreadable| {
        let health = HealthVerdicts::default();
        let links = [link(unreadable)];
        let all = report(&Scope {
            kind: Kind::HybridInterconnect,
            rejection: None,
            plan: Some(&plan),
            deleting: false,
            paused: false,
            retain: false,
            observe_only: false,
            health: &health,
            links: &links,
        });
        all.iter()
            .find(|c| c.kind == "Provisioned")
            .map(|c| (c.truth, c.reason))
            .unwrap()
    };
    assert_eq!(ready(true), (Truth::Unknown, "StaleTelemetry"));
    assert_eq!(ready(false), (Truth::False, "Provisioning"));
}
