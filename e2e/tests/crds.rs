//! The definitions on a real API server: served, explained, and refusing exactly what their cases say.
#![allow(clippy::unwrap_used, clippy::panic)] // a failed assumption is a failed test

#[path = "../../crates/api/tests/common/mod.rs"]
mod common;

use causeway_e2e::controlplane::SharedControlPlane;
use common::{Case, base, cases, repository};
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, PostParams};
use serde_json::Value;

fn api(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("causeway.dev", "v1alpha1", kind));
    Api::namespaced_with(client.clone(), namespace, &resource)
}

fn object(document: Value, namespace: &str) -> DynamicObject {
    let mut object: DynamicObject = serde_json::from_value(document).unwrap();
    object.metadata.namespace = Some(namespace.to_owned());
    object
}

#[tokio::test]
async fn kubectl_knows_and_explains_the_kinds() {
    let shared = SharedControlPlane::get().await;
    shared.install_crds().await;
    let space = shared.namespace("explain").await;
    let explained = shared
        .plane()
        .kubectl(&["explain", "hybridinterconnect.spec.expressRoutes.circuit"])
        .await
        .unwrap();
    for field in ["peeringLocation", "bandwidthMbps"] {
        assert!(explained.contains(field), "{explained}");
    }
    let all = shared
        .plane()
        .kubectl(&["get", "causeway", "--namespace", &space.name])
        .await
        .unwrap();
    assert_eq!(all, "");
}

/// Without that default kstatus takes an object that nobody has looked at yet for done (design §1).
#[tokio::test]
async fn the_lab_is_accepted_and_nobody_has_observed_it_yet() {
    let shared = SharedControlPlane::get().await;
    shared.install_crds().await;
    let space = shared.namespace("lab").await;
    let api = api(&space.client, &space.name, "HybridInterconnect");
    let lab = object(base("HybridInterconnect"), &space.name);
    let made = api.create(&PostParams::default(), &lab).await.unwrap();
    assert_eq!(
        made.data["status"]["observedGeneration"], -1,
        "{:#}",
        made.data
    );
    assert_eq!(made.metadata.generation, Some(1));

    let sample = repository().join("config/samples/lab.yaml");
    shared.plane().ensure_namespace("network").await.unwrap();
    let applied = shared
        .plane()
        .kubectl(&["apply", "--filename", &sample.to_string_lossy()])
        .await
        .unwrap();
    assert!(
        applied.contains("hybridinterconnect.causeway.dev/lab created"),
        "{applied}"
    );
}

#[tokio::test]
async fn every_case_is_judged_as_written() {
    let shared = SharedControlPlane::get().await;
    shared.install_crds().await;
    let space = shared.namespace("cases").await;
    let cases = cases();
    assert!(cases.len() > 100, "only {} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(problem) = judge(case, &space.client, &space.name).await {
            wrong.push(format!("{}: {problem}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases are wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

/// Creates, or changes after a real creation, without leaving anything; compares the verdict with the case.
async fn judge(case: &Case, client: &Client, namespace: &str) -> Result<(), String> {
    let api = api(client, namespace, &case.kind);
    let document = base(&case.kind);
    let mut new = object(case.change().apply(&document), namespace);
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let verdict = if let Some(old) = &case.old {
        let old = object(old.apply(&document), namespace);
        let name = old.metadata.name.clone().unwrap_or_default();
        let made = api.create(&PostParams::default(), &old).await;
        let made =
            made.map_err(|error| format!("the object before the change is refused: {error}"))?;
        new.metadata.resource_version = made.metadata.resource_version;
        let verdict = api.replace(&name, &dry, &new).await;
        api.delete(&name, &DeleteParams::default())
            .await
            .map_err(|error| error.to_string())?;
        verdict
    } else {
        api.create(&dry, &new).await
    };
    match (verdict, &case.rejects) {
        (Ok(_), None) => Ok(()),
        (Ok(_), Some(text)) => Err(format!("accepted, but should be refused: {text}")),
        (Err(kube::Error::Api(status)), Some(text)) if status.code == 422 => {
            let said = &status.message;
            let expected: Vec<_> = std::iter::once(text).chain(&case.also).collect();
            match expected.iter().find(|text| !said.contains(text.as_str())) {
                None => Ok(()),
                Some(text) => Err(format!("should say {text:?}, says {said:?}")),
            }
        }
        (Err(error), None) => Err(format!("should be accepted: {error}")),
        (Err(error), Some(_)) => Err(format!("refused in another way: {error}")),
    }
}
