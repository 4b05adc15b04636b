//! The sandbox as a library under tokio's paused clock: faults, the clock, the call log, snapshots. Megaport stands for
//! all providers here, because its requests need no signature.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "tests"
)]

use base64::Engine as _;
use bytes::Bytes;
use causeway_sandbox::control::{self, ClockChange};
use causeway_sandbox::sandbox::Outcome;
use causeway_sandbox::wire::{Listener, Req, Res};
use causeway_sandbox::{Sandbox, Settings, State, World};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use std::time::Duration;

fn request(method: Method, path: &str, bearer: Option<&str>, body: &Value) -> Req {
    let (path, raw_query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = HeaderMap::new();
    if let Some(token) = bearer {
        headers.insert(
            "authorization",
            HeaderValue::from_str(&format!("Bearer {token}")).unwrap(),
        );
    }
    let query = url::form_urlencoded::parse(raw_query.as_bytes())
        .into_owned()
        .collect();
    Req {
        method,
        path: path.to_owned(),
        query,
        raw_query: raw_query.to_owned(),
        base: "https://megaport.test".to_owned(),
        headers,
        body: if body.is_null() {
            Bytes::new()
        } else {
            Bytes::from(body.to_string())
        },
    }
}

fn answered(outcome: Outcome) -> Res {
    match outcome {
        Outcome::Answer(res) => res,
        Outcome::Broken => panic!("the connection broke"),
    }
}

fn json_of(res: &Res) -> Value {
    serde_json::from_slice(&res.body).unwrap()
}

/// A sandbox with exact durations and a token.
async fn sandbox() -> (Sandbox, String) {
    let world = World {
        jitter: 0.0,
        ..World::default()
    };
    let sandbox = Sandbox::new(Settings {
        world,
        ..Settings::default()
    });
    let key = sandbox.with(|s| {
        let k = &s.world.megaport.causeway;
        format!("{}:{}", k.access_key, k.secret_key.expose())
    });
    let mut req = request(
        Method::POST,
        "/oauth2/token?grant_type=client_credentials",
        None,
        &Value::Null,
    );
    let basic = base64::engine::general_purpose::STANDARD.encode(key);
    req.headers.insert(
        "authorization",
        HeaderValue::from_str(&format!("Basic {basic}")).unwrap(),
    );
    let res = answered(sandbox.call(Listener::MegaportAuth, req).await);
    let token = json_of(&res)["access_token"].as_str().unwrap().to_owned();
    (sandbox, token)
}

fn buy(token: &str, name: &str) -> Req {
    let mcr = json!({
        "productType": "MCR2", "productName": name, "term": 1, "locationId": 67, "portSpeed": 1000,
        "config": {"mcrAsn": 64600, "diversityZone": "red"}, "associatedVxcs": [],
    });
    let body = json!({"networkDesign": [mcr], "discountCodes": []});
    request(Method::POST, "/v4/networkdesign/buy", Some(token), &body)
}

fn products(token: &str) -> Req {
    request(Method::GET, "/v2/products", Some(token), &Value::Null)
}

async fn call(sandbox: &Sandbox, req: Req) -> Outcome {
    sandbox.call(Listener::Megaport, req).await
}

async fn count(sandbox: &Sandbox, token: &str) -> usize {
    let res = answered(call(sandbox, products(token)).await);
    json_of(&res)["data"].as_array().unwrap().len()
}

fn fault(sandbox: &Sandbox, body: Value) -> String {
    let res = control_call(sandbox, Method::POST, "/faults", &body);
    assert_eq!(res.status, 201, "{:?}", res.body);
    json_of(&res)["id"].as_str().unwrap().to_owned()
}

fn control_call(sandbox: &Sandbox, method: Method, path: &str, body: &Value) -> Res {
    control::respond(sandbox, &request(method, path, None, body))
}

fn control_json(sandbox: &Sandbox, path: &str) -> Value {
    let res = control_call(sandbox, Method::GET, path, &Value::Null);
    assert_eq!(res.status, 200, "{path}: {:?}", res.body);
    json_of(&res)
}

#[tokio::test(start_paused = true)]
async fn a_status_fault_is_answered_in_the_providers_envelope_and_nothing_happens() {
    let (sandbox, token) = sandbox().await;
    fault(
        &sandbox,
        json!({"match": {"operation": "POST /v4/networkdesign/buy", "nth": 2}, "effect": "status", "status": 503, "seconds": 7}),
    );
    assert_eq!(
        answered(call(&sandbox, buy(&token, "one")).await).status,
        200
    );
    let second = answered(call(&sandbox, buy(&token, "two")).await);
    assert_eq!(second.status, 503);
    assert_eq!(second.headers["retry-after"], "7");
    assert!(json_of(&second)["message"].is_string());
    assert_eq!(
        answered(call(&sandbox, buy(&token, "three")).await).status,
        200
    );
    assert_eq!(sandbox.ledger().len(), 2);
    let log = control_json(&sandbox, "/calls?since=1");
    let statuses: Vec<u64> = log
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["status"].as_u64().unwrap())
        .collect();
    assert_eq!(statuses, [200, 503, 200]);
    let faults = control_json(&sandbox, "/faults");
    assert_eq!(
        (&faults[0]["seen"], &faults[0]["applied"]),
        (&json!(3), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn lost_requests_do_nothing_and_lost_responses_have_done_it() {
    let (sandbox, token) = sandbox().await;
    let lost = fault(&sandbox, json!({"effect": "loseRequest", "times": 1}));
    assert!(matches!(
        call(&sandbox, buy(&token, "a")).await,
        Outcome::Broken
    ));
    assert_eq!(sandbox.ledger().len(), 0);
    assert!(sandbox.remove_fault(&lost));
    fault(
        &sandbox,
        json!({"match": {"mutating": true}, "effect": "loseResponse", "times": 1}),
    );
    assert!(matches!(
        call(&sandbox, buy(&token, "b")).await,
        Outcome::Broken
    ));
    assert_eq!(sandbox.ledger().len(), 1);
    let calls = sandbox.calls(1, false);
    assert_eq!(calls.iter().map(|c| c.status).collect::<Vec<_>>(), [0, 200]);
}

#[tokio::test(start_paused = true)]
async fn truncated_and_garbled_answers() {
    let (sandbox, token) = sandbox().await;
    let whole = answered(call(&sandbox, products(&token)).await).body;
    let id = fault(&sandbox, json!({"effect": "truncate"}));
    let half = answered(call(&sandbox, products(&token)).await).body;
    assert!(half.len() < whole.len() && serde_json::from_slice::<Value>(&half).is_err());
    sandbox.remove_fault(&id);
    fault(&sandbox, json!({"effect": "garbage"}));
    let garbage = answered(call(&sandbox, products(&token)).await);
    assert_eq!(garbage.status, 200);
    assert!(garbage.body.starts_with(b"<html>"));
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_simulated_time() {
    let (sandbox, token) = sandbox().await;
    sandbox.clock(|c| c.set_speed(60.0));
    fault(&sandbox, json!({"effect": "delay", "seconds": 120}));
    let (sim, real) = (sandbox.now(), tokio::time::Instant::now());
    answered(call(&sandbox, products(&token)).await);
    assert!((120.0..121.0).contains(&sandbox.now().secs_since(sim)));
    assert!((2.0..2.1).contains(&real.elapsed().as_secs_f64()));

    // On a stopped clock it ends when the clock is moved far enough, and not before.
    sandbox
        .set_clock(&ClockChange {
            paused: Some(true),
            ..ClockChange::default()
        })
        .unwrap();
    let (s, req) = (sandbox.clone(), products(&token));
    let waiting = tokio::spawn(async move { s.call(Listener::Megaport, req).await });
    tokio::time::sleep(Duration::from_hours(1)).await;
    let advance = |by| ClockChange {
        advance: Some(by),
        ..ClockChange::default()
    };
    sandbox.set_clock(&advance(119.0)).unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!waiting.is_finished());
    sandbox.set_clock(&advance(2.0)).unwrap();
    assert_eq!(answered(waiting.await.unwrap()).status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_held_call_waits_for_its_own_fault_to_go() {
    let (sandbox, token) = sandbox().await;
    let other = fault(
        &sandbox,
        json!({"match": {"provider": "aws"}, "effect": "hold"}),
    );
    let hold = fault(
        &sandbox,
        json!({"match": {"mutating": true}, "effect": "hold"}),
    );
    let (s, req) = (sandbox.clone(), buy(&token, "held"));
    let waiting = tokio::spawn(async move { s.call(Listener::Megaport, req).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    sandbox.remove_fault(&other);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!waiting.is_finished());
    assert_eq!(sandbox.ledger().len(), 0);
    // Other calls pass meanwhile.
    assert_eq!(count(&sandbox, &token).await, 0);
    let gone = control_call(
        &sandbox,
        Method::DELETE,
        &format!("/faults/{hold}"),
        &Value::Null,
    );
    assert_eq!(gone.status, 204);
    assert_eq!(answered(waiting.await.unwrap()).status, 200);
    assert_eq!(sandbox.ledger().len(), 1);

    // Nobody lets it go: the connection breaks and nothing was done.
    fault(
        &sandbox,
        json!({"match": {"mutating": true}, "effect": "hold"}),
    );
    assert!(matches!(
        call(&sandbox, buy(&token, "forgotten")).await,
        Outcome::Broken
    ));
    assert_eq!(sandbox.ledger().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn stale_reads_show_the_past_and_catch_up() {
    let (sandbox, token) = sandbox().await;
    let by = |seconds: f64| sandbox.clock(|c| c.advance(seconds));
    fault(
        &sandbox,
        json!({"match": {"operation": "GET /v2/products"}, "effect": "staleRead", "seconds": 300}),
    );
    by(1000.0);
    answered(call(&sandbox, buy(&token, "new")).await);
    by(290.0);
    assert_eq!(count(&sandbox, &token).await, 0);
    by(20.0);
    assert_eq!(count(&sandbox, &token).await, 1);
    // An older answer shows the order as it was just after it was made.
    let res = answered(call(&sandbox, products(&token)).await);
    assert_eq!(json_of(&res)["data"][0]["provisioningStatus"], "DEPLOYABLE");
}

#[tokio::test(start_paused = true)]
async fn probabilities_follow_the_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (sandbox, token) = sandbox().await;
        fault(
            &sandbox,
            json!({"match": {"probability": 0.3}, "effect": "status", "status": 500}),
        );
        let mut hits = Vec::new();
        for _ in 0..60 {
            hits.push(
                answered(call(&sandbox, products(&token)).await)
                    .status
                    .as_u16(),
            );
        }
        runs.push(hits);
    }
    let failed = runs[0].iter().filter(|s| **s == 500).count();
    assert!((6..=30).contains(&failed), "{failed}");
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn the_call_log_masks_secrets() {
    let (sandbox, token) = sandbox().await;
    let secret = sandbox.with(|s| s.world.megaport.causeway.secret_key.expose().to_owned());
    // By value, where no field name tells; by name, in a request that is refused.
    let body = json!({"networkDesign": [{"productName": format!("x {secret}"), "password": "hunter2hunter2"}]});
    let req = request(Method::POST, "/v4/networkdesign/buy", Some(&token), &body);
    assert!(answered(call(&sandbox, req).await).status.is_client_error());
    let text = control_json(&sandbox, "/calls?bodies=true").to_string();
    for leak in [secret.as_str(), "hunter2", token.as_str()] {
        assert!(!text.contains(leak), "{leak} in {text}");
    }
    assert!(text.contains("x ***"), "{text}");
    let plain = control_json(&sandbox, "/calls");
    assert!(plain[0].get("body").is_none() && plain[0].get("headers").is_none());
    assert_eq!(plain.as_array().unwrap().len(), 2);
    assert_eq!(control_json(&sandbox, "/calls?since=2"), json!([]));
}

#[tokio::test(start_paused = true)]
async fn the_clock_can_be_driven() {
    let (sandbox, token) = sandbox().await;
    answered(call(&sandbox, buy(&token, "mcr")).await);
    let put = |body: Value| control_call(&sandbox, Method::PUT, "/clock", &body);
    assert_eq!(put(json!({"advance": 10})).status, 409);
    assert_eq!(put(json!({"speed": 0})).status, 400);
    assert_eq!(put(json!({"sped": 1})).status, 400);
    let before = sandbox.now();
    let paused = json_of(&put(json!({"paused": true, "advance": 3600})));
    assert_eq!(
        (&paused["paused"], sandbox.now().secs_since(before)),
        (&json!(true), 3600.0)
    );
    assert_eq!(paused["now"], json!(sandbox.now().rfc3339()));
    // What was due is done by the time of the answer.
    assert!(sandbox.operations().iter().all(|o| o.ended_at.is_some()));
    assert_eq!(sandbox.live()[0].state, "LIVE");
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(sandbox.now().secs_since(before), 3600.0);
    put(json!({"paused": false, "speed": 10}));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(sandbox.now().secs_since(before), 4200.0);
}

#[tokio::test(start_paused = true)]
async fn refusals_of_the_control_api_say_what_to_do() {
    let (sandbox, _) = sandbox().await;
    for (method, path, status, part) in [
        (Method::GET, "/nothing", 404, "GET / lists"),
        (Method::DELETE, "/ledger", 405, "GET /ledger"),
        (Method::GET, "/critical-path", 400, "create or delete"),
        (
            Method::GET,
            "/critical-path?kind=create&since=monday",
            400,
            "monday",
        ),
        (Method::GET, "/calls?since=x", 400, "whole number"),
        (Method::GET, "/calls?bodies=x", 400, "true or false"),
        (Method::GET, "/trace?from=vm", 400, "to is missing"),
        (Method::GET, "/trace?from=nobody&to=vm", 404, "nobody"),
        (Method::POST, "/sessions/none/shutdown", 404, "none"),
        (Method::POST, "/links/a%20b/down", 404, "a b"),
        (Method::DELETE, "/faults/fault-9", 404, "fault-9"),
        (Method::POST, "/events", 400, "body"),
    ] {
        let res = control_call(&sandbox, method.clone(), path, &Value::Null);
        let text = String::from_utf8_lossy(&res.body).into_owned();
        assert_eq!(res.status.as_u16(), status, "{method} {path}: {text}");
        assert!(text.contains(part), "{method} {path}: {text}");
    }
}

/// State as JSON, without what is wall time by nature: the expiry of tokens.
fn frozen(sandbox: &Sandbox) -> String {
    serde_json::to_string(&sandbox.snapshot()).unwrap()
}

/// Orders, reads and time, the same every time.
async fn script(sandbox: &Sandbox, token: &str) {
    for (i, name) in ["p", "q", "r"].iter().enumerate() {
        answered(call(sandbox, buy(token, name)).await);
        sandbox.clock(|c| c.advance(13.7 * (i + 1) as f64));
        answered(call(sandbox, products(token)).await);
    }
    tokio::time::sleep(Duration::from_secs(500)).await;
    answered(call(sandbox, products(token)).await);
}

#[tokio::test(start_paused = true)]
async fn a_clone_continues_identically_also_through_json() {
    let (original, token) = sandbox().await;
    original.with(|s| s.world.jitter = 0.2);
    answered(call(&original, buy(&token, "before")).await);
    original.clock(|c| c.advance(31.0));
    let at_fork = original.snapshot();
    let text = serde_json::to_string(&at_fork).unwrap();
    let clone = Sandbox::from_state(at_fork, 1.0);
    let reread: State = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&reread).unwrap(), text);
    let reread = Sandbox::from_state(reread, 1.0);
    let mut ends = Vec::new();
    let mut begin = None;
    for sandbox in [original, clone, reread] {
        // Each branch starts at the same simulated moment, whatever the tokio clock says by then.
        let now = *begin.get_or_insert(sandbox.now());
        let behind = now.secs_since(sandbox.now());
        sandbox.clock(|c| c.advance(behind));
        script(&sandbox, &token).await;
        ends.push(frozen(&sandbox));
    }
    assert_ne!(ends[0], text);
    assert_eq!(ends[0], ends[1]);
    assert_eq!(ends[0], ends[2]);
}

#[tokio::test(start_paused = true)]
async fn two_runs_with_one_seed_end_alike_and_with_another_do_not() {
    let mut ends = Vec::new();
    for seed in [5, 5, 6] {
        let sandbox = Sandbox::new(Settings {
            seed,
            ..Settings::default()
        });
        // A token that does not depend on the wall clock.
        sandbox.with(|s| {
            let token = causeway_sandbox::megaport::auth::Token {
                principal: "causeway".into(),
                expires: u64::MAX,
            };
            s.megaport.tokens.insert("t".into(), token);
        });
        script(&sandbox, "t").await;
        ends.push(frozen(&sandbox));
    }
    assert_eq!(ends[0], ends[1]);
    assert_ne!(ends[0], ends[2]);
}
