//! Specs of links made from an interconnect's entries, names, reports and the texts of conditions.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeSet;

use causeway_api::children::KindPrefix;
use causeway_api::conditions::{ConditionType, Reason};
use causeway_api::report::{
    ROUTES_MAX, ROUTES_PER_VANTAGE_MAX, RouteEntry, SessionEntry, VANTAGES_MAX, Vantage,
    session_state,
};
use causeway_api::status::State;
use causeway_api::{
    DirectConnectLink, ExpressRouteLink, HybridInterconnect, Managed, RouteReport, RouteReportSpec,
    RouteReportStatus, VpnPair,
};
use serde_json::json;

fn lab() -> HybridInterconnect {
    serde_json::from_value(common::base("HybridInterconnect")).unwrap()
}

#[test]
fn children_of_the_lab_are_valid_links() {
    let lab = lab();
    let entry = &lab.spec.express_routes[0];
    let link = ExpressRouteLink::new(
        &entry.link_name("lab"),
        lab.child_express_route(entry).unwrap(),
    );
    assert_eq!(link.metadata.name.as_deref(), Some("lab-er-main"));
    link.validate_cel().unwrap();
    let spec = serde_json::to_value(&link.spec).unwrap();
    assert_eq!(
        spec["gatewayRef"],
        json!({"hybridInterconnect": {"name": "lab"}})
    );
    assert_eq!(
        spec["ports"][0]["routerRef"],
        json!({"hybridInterconnect": {"name": "lab", "router": "a"}})
    );
    assert_eq!(spec["circuit"]["name"], "to-megaport");
    assert_eq!(spec["azure"]["virtualNetworkRef"], json!({"name": "vnet"}));
    assert_eq!(
        spec["azure"]["credentialsSecretRef"],
        json!({"name": "azure"})
    );
    assert_eq!(spec["peering"]["vlanID"], 100);

    let entry = &lab.spec.direct_connects[0];
    let link = DirectConnectLink::new(
        &entry.link_name("lab"),
        lab.child_direct_connect(entry).unwrap(),
    );
    assert_eq!(link.metadata.name.as_deref(), Some("lab-dx-main"));
    link.validate_cel().unwrap();
    let spec = serde_json::to_value(&link.spec).unwrap();
    assert_eq!(
        spec["routerRef"],
        json!({"hybridInterconnect": {"name": "lab", "router": "a"}})
    );
    assert_eq!(
        spec["virtualInterface"]["amazonAddress"],
        "169.254.50.217/30"
    );
    assert_eq!(spec["gateway"], json!(null));

    let entry = lab.spec.vpn.as_ref().unwrap();
    let link = VpnPair::new(&entry.link_name("lab"), lab.child_vpn(entry));
    assert_eq!(link.metadata.name.as_deref(), Some("lab-vpn"));
    link.validate_cel().unwrap();
    let spec = serde_json::to_value(&link.spec).unwrap();
    assert_eq!(
        spec["virtualPrivateGatewayRef"],
        json!({"hybridInterconnect": {"name": "lab"}})
    );
    assert_eq!(spec["gateway"]["sku"], "VpnGw2AZ");
}

#[test]
fn children_follow_the_policies_of_their_parent() {
    let mut lab = lab();
    lab.spec.policy.paused = true;
    let link = lab
        .child_express_route(&lab.spec.express_routes[0])
        .unwrap();
    assert!(link.policy.paused);
    assert!(
        lab.child_direct_connect(&lab.spec.direct_connects[0])
            .unwrap()
            .policy
            .paused
    );
    assert!(lab.child_vpn(lab.spec.vpn.as_ref().unwrap()).policy.paused);
    lab.spec.megaport = None;
    assert!(
        lab.child_express_route(&lab.spec.express_routes[0])
            .is_none()
    );
    assert!(
        lab.child_direct_connect(&lab.spec.direct_connects[0])
            .is_none()
    );
}

#[test]
fn a_link_that_is_taken_over_keeps_its_name() {
    let mut lab = lab();
    lab.spec.express_routes[0].adopt_link = Some("old".to_owned());
    assert_eq!(lab.spec.express_routes[0].link_name("lab"), "old");
}

#[test]
fn longest_names_fit_into_a_label() {
    let interconnect = "i".repeat(35);
    let entry = "e".repeat(24);
    assert!(causeway_api::children::express_route_name(&interconnect, &entry).len() <= 63);
    assert!(causeway_api::children::direct_connect_name(&interconnect, &entry).len() <= 63);
    assert_eq!(KindPrefix::Hi.report_name("lab"), "hi-lab");
    assert_eq!(
        <ExpressRouteLink as Managed>::PREFIX.keys_secret_name("lab-er-main"),
        "er-lab-er-main-keys"
    );
    assert_eq!(
        <VpnPair as Managed>::PREFIX.report_name("lab-vpn"),
        "vpn-lab-vpn"
    );
}

#[test]
fn a_new_object_has_never_been_observed() {
    let mut lab = lab();
    assert!(lab.common().is_none());
    assert_eq!(lab.common_mut().observed_generation, -1);
    let read: HybridInterconnect = serde_json::from_value({
        let mut v = common::base("HybridInterconnect");
        v["status"] = json!({"observedGeneration": -1});
        v
    })
    .unwrap();
    assert_eq!(read.common().unwrap().observed_generation, -1);
}

#[test]
fn a_report_has_no_spec() {
    let report = RouteReport::new("hi-lab", RouteReportSpec {});
    let value = serde_json::to_value(&report).unwrap();
    assert!(value.get("spec").is_none(), "{value}");
    let back: RouteReport = serde_json::from_value(value).unwrap();
    assert_eq!(back, report);
}

#[test]
fn reports_are_cut_to_what_the_schema_takes() {
    let vantage = |n: usize, routes: usize| Vantage {
        name: format!("v{n}"),
        routes: (0..routes)
            .rev()
            .map(|i| RouteEntry {
                prefix: format!("10.{}.{}.0/24", i / 256, i % 256),
                ..RouteEntry::default()
            })
            .collect(),
        ..Vantage::default()
    };
    let small = RouteReportStatus {
        vantages: vec![vantage(0, 3)],
        ..RouteReportStatus::default()
    }
    .bounded();
    assert!(!small.truncated);
    assert_eq!(
        small.vantages[0].routes[0].prefix, "10.0.0.0/24",
        "rows are sorted"
    );

    let big = RouteReportStatus {
        vantages: (0..VANTAGES_MAX + 5)
            .map(|n| vantage(n, ROUTES_PER_VANTAGE_MAX + 1))
            .collect(),
        ..RouteReportStatus::default()
    }
    .bounded();
    assert!(big.truncated);
    assert_eq!(big.vantages.len(), VANTAGES_MAX);
    assert_eq!(
        big.vantages.iter().map(|v| v.routes.len()).sum::<usize>(),
        ROUTES_MAX
    );
    assert!(
        big.vantages
            .iter()
            .all(|v| v.truncated && v.routes.len() <= ROUTES_PER_VANTAGE_MAX)
    );
    assert!(big.clone().bounded().same_content(&big));

    let sessions = RouteReportStatus {
        vantages: vec![Vantage {
            sessions: vec![SessionEntry::default(); 100],
            ..Vantage::default()
        }],
        ..RouteReportStatus::default()
    }
    .bounded();
    assert!(sessions.truncated);
    assert_eq!(sessions.vantages[0].sessions.len(), 64);
}

#[test]
fn a_report_that_says_the_same_is_the_same_at_another_time() {
    let a = RouteReportStatus::default();
    let b = RouteReportStatus {
        updated_at: serde_json::from_value(json!("2026-11-22T08:00:00Z")).unwrap(),
        ..RouteReportStatus::default()
    };
    assert!(a.same_content(&b));
    assert!(!a.same_content(&RouteReportStatus {
        truncated: true,
        ..RouteReportStatus::default()
    }));
}

#[test]
fn session_words_of_all_providers() {
    for up in ["Connected", "up", "UP", "Established"] {
        assert_eq!(session_state(up), State::Up, "{up}");
    }
    for down in ["Connecting", "Idle", "Stopped", "down", "DOWN", "Active"] {
        assert_eq!(session_state(down), State::Down, "{down}");
    }
    for unknown in ["", "Unknown", "unknown"] {
        assert_eq!(session_state(unknown), State::Unknown, "{unknown}");
    }
}

#[test]
fn conditions_and_reasons_are_a_closed_set_with_texts() {
    // The pattern that Kubernetes demands of `reason`.
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_ascii_uppercase())
            && w.chars().all(|c| c.is_ascii_alphanumeric())
    };
    let types: BTreeSet<&str> = ConditionType::ALL.iter().map(|t| t.as_str()).collect();
    assert_eq!(types.len(), ConditionType::ALL.len());
    let reasons: BTreeSet<&str> = Reason::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(reasons.len(), Reason::ALL.len());
    for t in ConditionType::ALL {
        assert!(word(t.as_str()));
        assert!(!t.meaning().is_empty() && !t.kinds().is_empty());
        assert_eq!(ConditionType::parse(t.as_str()), Some(*t));
        let has_reason = Reason::ALL.iter().any(|r| r.on().contains(t));
        // Stalled repeats the reason of the condition that decides it.
        assert!(
            has_reason || *t == ConditionType::Stalled,
            "{t} has no reason"
        );
    }
    for r in Reason::ALL {
        assert!(word(r.as_str()));
        assert!(
            !r.meaning().is_empty() && !r.remedy().is_empty() && !r.on().is_empty(),
            "{r}"
        );
        assert_eq!(Reason::parse(r.as_str()), Some(*r));
    }
    // Those that the design names.
    for name in [
        "Accepted",
        "InvalidTopology",
        "ReferenceNotFound",
        "CredentialsInvalid",
        "QuotaExceeded",
        "NameConflict",
        "AdministrativelyDown",
        "MissingPrefix",
        "UnexpectedPrefix",
        "WrongPreference",
        "Asymmetric",
        "SourcesDisagree",
        "StaleTelemetry",
        "SingleExpressRoutePort",
        "WaitingForPeeringRemoval",
        "WaitingForProviderDeprovision",
        "BlockedByDependents",
        "RetainedByPolicy",
    ] {
        assert!(reasons.contains(name), "{name}");
    }
}

#[test]
fn every_reason_is_in_the_page() {
    let page = causeway_api::conditions::conditions_markdown();
    for r in Reason::ALL {
        assert!(page.contains(&format!("| `{r}` |")), "{r}");
    }
}
