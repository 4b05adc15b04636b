//! What ARM does with every type, shown on circuits: ETags, tags, unknown members, operations that fail or vanish, lists
//! that lag and have pages (azure.md §1).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
use arm_support::*;
use causeway_sandbox::faults::{Effect, Fault, Match};
use http::Method;
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn stale_etags_are_refused() {
    let azure = Azure::new().await;
    let old = azure.make(CIRCUIT, &circuit()).await["etag"]
        .as_str()
        .unwrap()
        .to_owned();
    let new = azure.make(CIRCUIT, &circuit()).await["etag"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(old, new);
    let a = azure
        .send(
            Method::PUT,
            CIRCUIT,
            &[("if-match", &old)],
            Some(&circuit()),
        )
        .await;
    assert_eq!(
        (a.status, a.code(), a.detail()),
        (412, "PreconditionFailed", "PreconditionFailedEtagMismatch")
    );
    let a = azure
        .send(
            Method::PUT,
            CIRCUIT,
            &[("if-match", &new)],
            Some(&circuit()),
        )
        .await;
    assert_eq!(a.status, 200);
}

#[tokio::test(start_paused = true)]
async fn tags_are_patched_at_once_and_only_tags() {
    let azure = Azure::new().await;
    let mut body = circuit();
    body["tags"] = json!({"owner": "a"});
    assert_eq!(azure.make(CIRCUIT, &body).await["tags"]["owner"], "a");
    let a = azure.patch(CIRCUIT, &json!({"tags": {"owner": "b"}})).await;
    assert_eq!(
        (a.status, a.body["tags"]["owner"].as_str().unwrap()),
        (200, "b")
    );
    assert!(a.header("azure-asyncoperation").is_empty());
    let a = azure.patch(CIRCUIT, &json!({"properties": {}})).await;
    assert_eq!((a.status, a.code()), (400, "InvalidRequestContent"));
}

#[tokio::test(start_paused = true)]
async fn unknown_members_are_refused_and_read_only_ones_taken() {
    let azure = Azure::new().await;
    let mut body = circuit();
    body["properties"]["colour"] = "blue".into();
    let a = azure.put(CIRCUIT, &body).await;
    assert_eq!(
        (a.status, a.code(), a.detail()),
        (400, "InvalidRequestFormat", "InvalidJson")
    );
    assert!(
        a.body["error"]["details"][0]["message"]
            .as_str()
            .unwrap()
            .contains("Could not find member 'colour'")
    );
    let mut body = circuit();
    body["colour"] = "blue".into();
    assert_eq!(
        azure.put(CIRCUIT, &body).await.code(),
        "InvalidRequestContent"
    );
    let mut body = circuit();
    body["properties"]["provisioningState"] = "Failed".into();
    body["properties"]["serviceKey"] = "mine".into();
    let made = azure.make(CIRCUIT, &body).await;
    assert_ne!(made["properties"]["serviceKey"], "mine");
    let mut body = circuit();
    body["location"] = "westus".into();
    let a = azure.put(CIRCUIT, &body).await;
    assert_eq!((a.status, a.code()), (409, "InvalidResourceLocation"));
    body.as_object_mut().unwrap().remove("location");
    assert_eq!(azure.put(CIRCUIT, &body).await.code(), "LocationRequired");
}

#[tokio::test(start_paused = true)]
async fn a_failed_creation_is_repaired_by_the_same_put() {
    let azure = Azure::new().await;
    azure.sandbox.add_fault(Fault {
        matches: Match {
            operation: Some("expressRouteCircuits.put".into()),
            ..Match::default()
        },
        effect: Effect::LroFails,
        status: None,
        code: Some("GwmOperationTimeOut".into()),
        seconds: None,
        times: Some(1),
    });
    let accepted = azure.put(CIRCUIT, &circuit()).await;
    let end = azure.wait(&accepted).await;
    assert_eq!(
        (end.status, end.body["status"].as_str().unwrap()),
        (200, "Failed")
    );
    assert_eq!(end.body["error"]["code"], "GwmOperationTimeOut");
    assert_eq!(
        azure.get(CIRCUIT).await.body["properties"]["provisioningState"],
        "Failed"
    );
    azure.make(CIRCUIT, &circuit()).await;
    assert_eq!(
        azure.sandbox.with(|s| s.ledger.0.len()),
        1,
        "one order in all"
    );
}

#[tokio::test(start_paused = true)]
async fn an_operations_status_may_vanish() {
    let azure = Azure::new().await;
    azure.sandbox.add_fault(Fault {
        matches: Match {
            operation: Some("expressRouteCircuits.put".into()),
            ..Match::default()
        },
        effect: Effect::LroVanishes,
        status: None,
        code: None,
        seconds: None,
        times: Some(1),
    });
    let accepted = azure.put(CIRCUIT, &circuit()).await;
    assert_eq!(
        azure
            .get(accepted.header("azure-asyncoperation"))
            .await
            .status,
        404
    );
    azure.sleep(91.0).await;
    assert_eq!(
        azure.get(CIRCUIT).await.body["properties"]["provisioningState"],
        "Succeeded"
    );
}

#[tokio::test(start_paused = true)]
async fn a_circuit_made_again_is_not_found_at_first() {
    let azure = Azure::new().await;
    azure.make(CIRCUIT, &circuit()).await;
    azure.remove(CIRCUIT).await;
    let accepted = azure.put(CIRCUIT, &circuit()).await;
    assert_eq!(accepted.status, 201);
    assert_eq!(azure.wait(&accepted).await.body["status"], "Succeeded");
    assert_eq!(azure.get(CIRCUIT).await.status, 404);
    azure.sleep(7.0).await;
    assert_eq!(azure.get(CIRCUIT).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn lists_lag_behind_writes() {
    let mut world = world();
    world.lags.insert("arm".into(), 30.0);
    let azure = Azure::with_world(world).await;
    azure.put(CIRCUIT, &circuit()).await;
    assert_eq!(azure.get(CIRCUIT).await.status, 200);
    assert_eq!(
        azure.get("expressRouteCircuits").await.body["value"],
        json!([])
    );
    azure.sleep(31.0).await;
    assert_eq!(
        azure.get("expressRouteCircuits").await.body["value"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn lists_have_pages() {
    let mut world = world();
    world.azure.page_size = 2;
    let azure = Azure::with_world(world).await;
    for i in 0..5 {
        azure
            .put(&format!("expressRouteCircuits/c{i}"), &circuit())
            .await;
    }
    let mut names = Vec::new();
    let mut page = azure.get("expressRouteCircuits").await.body;
    for _ in 0..5 {
        names.extend(
            page["value"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["name"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["nextLink"].as_str().map(str::to_owned) else {
            break;
        };
        assert!(next.starts_with(BASE) && next.contains("api-version="));
        page = azure.get(&next).await.body;
    }
    assert_eq!(names, ["c0", "c1", "c2", "c3", "c4"]);
}
