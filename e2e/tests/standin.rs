//! The stand-in is honest: `standin/script.yaml` is run on it and on a real API server with its controller manager, and both
//! answer alike, step by step, and show alike what happened to each object in their watches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // a failed assumption is a failed test

#[path = "../../crates/api/tests/common/mod.rs"]
mod common;
#[path = "standin/side.rs"]
mod side;

use std::path::Path;

use causeway_e2e::controlplane::SharedControlPlane;
use causeway_e2e::harness::apiserver::ApiServer;
use serde_json::Value;

use side::{Side, Step};

/// Where two values differ, by path.
fn difference(path: &str, real: &Value, ours: &Value, lines: &mut Vec<String>) {
    match (real, ours) {
        (Value::Object(a), Value::Object(b)) if path.len() < 40 => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let (a, b) = (
                    a.get(key).unwrap_or(&Value::Null),
                    b.get(key).unwrap_or(&Value::Null),
                );
                difference(&format!("{path}.{key}"), a, b, lines);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                difference(&format!("{path}[{i}]"), a, b, lines);
            }
        }
        _ if real == ours => {}
        _ => lines.push(format!("{path}: real {real}, stand-in {ours}")),
    }
}

#[tokio::test]
async fn the_stand_in_answers_as_the_real_api_server_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin/script.yaml");
    let steps: Vec<Step> = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let shared = SharedControlPlane::get().await;
    shared.install_crds().await;
    let space = shared.namespace("standin").await;
    let standin = ApiServer::new();
    standin.add_namespace(&space.name);
    let mut real = Side::new(space.client.clone(), &space.name);
    let mut ours = Side::new(standin.client(&space.name), &space.name);
    real.follow().await;
    ours.follow().await;
    let mut wrong = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let (expected, got) = (real.run(step).await, ours.run(step).await);
        if std::env::var_os("CAUSEWAY_KEEP").is_some() {
            println!("{} {}: {expected}", n + 1, step.what);
        }
        if expected != got {
            let asked = step.body.clone().unwrap_or_default();
            let mut lines = Vec::new();
            difference("", &expected, &got, &mut lines);
            wrong.push(format!(
                "step {} {} {} {asked}\n  {}",
                n + 1,
                step.what,
                step.query,
                lines.join("\n  ")
            ));
        }
    }
    let (expected, got) = (real.followed().await, ours.followed().await);
    let events: usize = expected.values().map(Vec::len).sum();
    for (object, expected) in &expected {
        let got = got.get(object).cloned().unwrap_or_default();
        if *expected != got {
            let lines = |events: &[Value]| {
                let lines: Vec<_> = events.iter().map(|e| format!("\n    {e}")).collect();
                lines.concat()
            };
            wrong.push(format!(
                "events of {object}\n  real:{}\n  stand-in:{}",
                lines(expected),
                lines(&got)
            ));
        }
    }
    let only: Vec<_> = got
        .keys()
        .filter(|object| !expected.contains_key(*object))
        .collect();
    assert!(only.is_empty(), "only the stand-in shows {only:?}");
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        steps.len(),
        wrong.join("\n")
    );
    println!(
        "{} steps and {events} events of {} objects are the same on both",
        steps.len(),
        expected.len()
    );
    assert!(
        steps.len() > 150 && events > 50,
        "{} steps, {events} events",
        steps.len()
    );
}
