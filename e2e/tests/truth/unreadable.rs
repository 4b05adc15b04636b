//! Each provider's telemetry failing in turn: Unknown with StaleTelemetry, never a wrong True or False, what is known to
//! have failed stays shown, and all of it recovers by itself.

use super::*;
use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::wire::Provider;

/// How long a provider stays unreadable.
const OUTAGE: Duration = Duration::from_mins(15);
const LOOK: Duration = Duration::from_secs(5);

fn faults() -> Vec<(&'static str, Fault)> {
    let of = |effect, status| Fault {
        matches: Match::default(),
        effect,
        status,
        code: None,
        seconds: None,
        times: None,
    };
    let mut slow = of(Effect::Delay, None);
    // Longer than any client waits.
    slow.seconds = Some(3600.0);
    vec![
        ("500", of(Effect::Status, Some(500))),
        ("429", of(Effect::Status, Some(429))),
        ("time-out", slow),
        ("garbage", of(Effect::Garbage, None)),
    ]
}

/// What a status may say while a provider can not be read, given what is so. `known`: conditions that are False in truth.
fn honest(lab: &Value, known: &[&str], path: &str) -> Result<(), String> {
    for kind in HEALTH {
        let (status, reason, message) = said(lab, kind);
        let fine = match status.as_str() {
            "Unknown" => reason == "StaleTelemetry",
            "True" => !known.contains(&kind),
            "False" => known.contains(&kind),
            _ => false,
        };
        if !fine {
            return Err(format!("{kind} is {status}, {reason}: {message}"));
        }
    }
    let shown = lab["status"]["activePath"].as_str().unwrap_or_default();
    if !shown.is_empty() && shown != path {
        return Err(format!("activePath is {shown}, and packets go over {path}"));
    }
    Ok(())
}

/// One provider, one way of failing, in one state of the lab. Answers how long the recovery took, in seconds.
fn case(
    snapshot: &Snapshot,
    provider: Provider,
    fault: &Fault,
    known: &'static [&'static str],
    path: &'static str,
    name: &str,
) -> f64 {
    simulate(async || {
        let mut rig = Rig::from_snapshot(snapshot);
        rig.start_operator();
        let at_rest = async |r: &Rig| {
            let lab = interconnect(r).await;
            let rest = |kind: &&str| {
                let wanted = if known.contains(kind) {
                    "False"
                } else {
                    "True"
                };
                said(&lab, kind).0 == wanted
            };
            HEALTH.iter().all(rest) && lab["status"]["activePath"] == path
        };
        rig.until("the state to begin with", PATIENCE, at_rest)
            .await;
        rig.pass(Duration::from_mins(5)).await;
        assert!(at_rest(&rig).await, "{name}: not at rest");

        let mut fault = fault.clone();
        fault.matches.provider = Some(provider);
        fault.matches.principal = Some("causeway".to_owned());
        let effect = fault.effect;
        let id = rig.sandbox.add_fault(fault);
        let began = rig.now();
        let mut unknown_after = None;
        while rig.now().secs_since(began) < OUTAGE.as_secs_f64() {
            let lab = interconnect(&rig).await;
            honest(&lab, known, path)
                .map_err(|why| format!("{name}, {:.0} s: {why}", rig.now().secs_since(began)))
                .unwrap();
            // What is known stays known.
            if known.contains(&"BGPEstablished") {
                assert_eq!(said(&lab, "BGPEstablished").0, "False", "{name}");
            }
            if HEALTH.iter().any(|k| said(&lab, k).1 == "StaleTelemetry") {
                unknown_after.get_or_insert(rig.now().secs_since(began));
            }
            rig.pass(LOOK).await;
        }
        // Where a failure is known, it is the news, and it may be all that is said.
        if known.is_empty() {
            assert!(unknown_after.is_some(), "{name}: nobody noticed");
            assert_eq!(
                condition(&rig, "RoutesAsExpected").await.1,
                "StaleTelemetry",
                "{name}"
            );
        }
        let report = report(&rig).await;
        let word = match provider {
            Provider::Azure => "Azure",
            Provider::Aws => "AWS",
            Provider::Megaport => "Megaport",
        };
        let vantages = report["status"]["vantages"].as_array().unwrap();
        let unreadable = |v: &&Value| v["provider"] == word && v["state"] == "Unreadable";
        assert!(
            vantages.iter().filter(unreadable).count() > 0,
            "{name}: the report shows no unreadable vantage of {word}"
        );

        // What came instead of a table is kept (AWS has none: its client reads for us).
        if effect == Effect::Garbage && provider != Provider::Aws {
            let kept = |v: &Value| {
                let message = v["message"].as_str().unwrap_or_default();
                message.contains("it begins with: <html>upstream connect error</html>")
            };
            assert!(vantages.iter().any(kept), "{name}: {vantages:#?}");
        }

        // `kubectl get routereports -o wide` names them.
        let wide = report["status"]["summary"]["unreadable"].as_str().unwrap();
        let first = vantages.iter().find(unreadable).unwrap()["name"].as_str();
        assert!(wide.contains(first.unwrap()), "{name}: {wide}");

        rig.sandbox.remove_fault(&id);
        let back = rig
            .until("recovery by itself", Duration::from_mins(20), at_rest)
            .await;
        rig.stop_operator().await;
        println!(
            "{name}: honest for {} s, unknown after {}, recovered in {:.0} s",
            OUTAGE.as_secs(),
            unknown_after.map_or_else(|| "-".to_owned(), |s| format!("{s:.0} s")),
            back.as_secs_f64()
        );
        back.as_secs_f64()
    })
}

const PROVIDERS: [(Provider, &str); 3] = [
    (Provider::Azure, "Azure"),
    (Provider::Aws, "AWS"),
    (Provider::Megaport, "Megaport"),
];

#[test]
fn a_provider_that_can_not_be_read_makes_unknown_and_recovers() {
    let mut cases = 0;
    let mut slowest: f64 = 0.0;
    for (provider, word) in PROVIDERS {
        for (effect, fault) in faults() {
            let name = format!("{word} answers with {effect}, all is well");
            slowest = slowest.max(case(lab(), provider, &fault, &[], "ExpressRoute", &name));
            cases += 1;
        }
    }
    println!("unreadable: {cases} cases of provider and effect, slowest recovery {slowest:.0} s");
}

#[test]
fn a_known_failure_stays_shown_while_a_provider_can_not_be_read() {
    let known = &["BGPEstablished", "RoutesAsExpected", "Redundant"];
    let mut cases = 0;
    for (provider, word) in PROVIDERS {
        for (effect, fault) in faults() {
            let name = format!("{word} answers with {effect}, failed over");
            case(failed_over(), provider, &fault, known, "VPN", &name);
            cases += 1;
        }
    }
    println!("unreadable while failed over: {cases} cases of provider and effect");
}

#[test]
fn what_fails_while_a_provider_can_not_be_read_is_no_true_for_long() {
    let snapshot = lab();
    let (_, fault) = faults().swap_remove(0);
    let mut cases = 0;
    for (provider, word) in PROVIDERS {
        simulate(async || {
            let mut rig = Rig::from_snapshot(snapshot);
            rig.start_operator();
            until_all_true(&rig).await;
            let mut fault = fault.clone();
            fault.matches.provider = Some(provider);
            fault.matches.principal = Some("causeway".to_owned());
            let id = rig.sandbox.add_fault(fault);
            rig.pass(Duration::from_mins(10)).await;
            shut(&rig, true);
            // The clouds converge, three samples, and the readings that were fresh grow old.
            rig.pass(Duration::from_mins(4)).await;
            for _ in 0..60 {
                let lab = interconnect(&rig).await;
                let wrong = honest(
                    &lab,
                    &["BGPEstablished", "RoutesAsExpected", "Redundant"],
                    "VPN",
                );
                wrong.map_err(|why| format!("{word}: {why}")).unwrap();
                // The other end of the session says it.
                assert_eq!(said(&lab, "BGPEstablished").0, "False", "{word}");
                rig.pass(LOOK).await;
            }
            rig.sandbox.remove_fault(&id);
            rig.until("the truth", Duration::from_mins(20), async |r| {
                active(r).await == "VPN" && condition(r, "Available").await.0 == "True"
            })
            .await;
            rig.stop_operator().await;
        });
        cases += 1;
    }
    println!("a failure during an outage of telemetry: {cases} providers, never a wrong True");
}
