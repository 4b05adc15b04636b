//! The lab's life through the binaries that ship: a real API server, the sandbox over HTTPS, the operator as a process.
#![allow(clippy::unwrap_used, clippy::panic)] // a failed assumption is a failed test

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use causeway_api::HybridInterconnect;
use causeway_e2e::controlplane::SharedControlPlane;
use causeway_e2e::playground::Rig;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::Value;

fn lab(namespace: &str) -> HybridInterconnect {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples/lab.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let mut lab: HybridInterconnect = serde_saphyr::from_str(&text).unwrap();
    lab.metadata.namespace = Some(namespace.to_owned());
    lab
}

/// Looks until `done`, and fails early with the log if a process has ended.
async fn until<F: Future<Output = bool>>(rig: &mut Rig, what: &str, done: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_mins(5);
    while !done().await {
        rig.check().unwrap();
        assert!(
            Instant::now() < deadline,
            "not within five minutes: {what}; logs in {}",
            rig.folder().display()
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn condition(object: &Value, kind: &str) -> String {
    let conditions = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    conditions
        .filter(|condition| condition["type"] == kind)
        .map(|condition| condition["status"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_is_built_once_and_leaves_nothing_even_if_the_operator_is_killed_twice() {
    let shared = SharedControlPlane::get().await;
    let mut rig = Rig::for_test(shared, "life", 600.0).await.unwrap();
    let client = shared.plane().client().await.unwrap();
    let api = Api::<HybridInterconnect>::namespaced(client, rig.namespace());
    let sandbox = rig.sandbox().clone();
    let calls = async || sandbox.get::<Vec<Value>>("/calls").await.unwrap();
    let mutating = async || {
        calls()
            .await
            .iter()
            .filter(|call| call["mutating"] == true)
            .count()
    };

    api.create(&PostParams::default(), &lab(rig.namespace()))
        .await
        .unwrap();
    until(&mut rig, "the operator has begun to build", async || {
        mutating().await > 4
    })
    .await;
    rig.kill_operator().unwrap();
    rig.start_operator().await.unwrap();
    until(&mut rig, "everything is provisioned", async || {
        let lab = serde_json::to_value(api.get("lab").await.unwrap()).unwrap();
        condition(&lab, "Provisioned") == "True"
    })
    .await;
    let live: Vec<Value> = sandbox.get("/live").await.unwrap();
    let mut kinds = BTreeMap::<_, usize>::new();
    let ledger: Vec<Value> = sandbox.get("/ledger").await.unwrap();
    for product in &ledger {
        *kinds.entry(product["kind"].as_str().unwrap()).or_default() += 1;
        assert!(
            product["endedAt"].is_null(),
            "ended before the deletion: {product}"
        );
    }
    // api.md §3: what of the lab costs money.
    let expected = [
        ("expressRouteCircuit", 1),
        ("expressRouteGateway", 1),
        ("mcr", 1),
        ("publicIPAddress", 2),
        ("vpnConnection", 2),
        ("vpnGateway", 1),
        ("vxc", 2),
    ];
    assert_eq!(kinds, BTreeMap::from(expected), "{ledger:#?}");
    assert!(live.len() > ledger.len(), "{live:#?}");

    let before = mutating().await;
    api.delete("lab", &DeleteParams::default()).await.unwrap();
    until(
        &mut rig,
        "the operator has begun to take down",
        async || mutating().await > before + 2,
    )
    .await;
    rig.kill_operator().unwrap();
    rig.start_operator().await.unwrap();
    until(&mut rig, "the object is gone", async || {
        api.get_opt("lab").await.unwrap().is_none()
    })
    .await;

    let live: Vec<Value> = sandbox.get("/live").await.unwrap();
    assert_eq!(live, Vec::<Value>::new());
    let after: Vec<Value> = sandbox.get("/ledger").await.unwrap();
    assert_eq!(
        after.len(),
        ledger.len(),
        "something was ordered during the deletion: {after:#?}"
    );
    for product in &after {
        assert!(product["endedAt"].is_string(), "still paid for: {product}");
    }
    let diff: Value = sandbox.get("/diff").await.unwrap();
    assert!(
        diff.as_array().is_some_and(Vec::is_empty),
        "the world's own objects were changed: {diff:#}"
    );
}
