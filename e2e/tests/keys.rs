//! Keys that both ends of a living session share, with the clock paused: somebody removes the Secret that has them, or puts
//! another one into it. No session goes down for that, and the object says what to do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway_api::FINALIZER;
use causeway_e2e::harness::{Rig, ready_lab, simulate};
use causeway_e2e::objects::condition;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(3);

fn secrets(rig: &Rig) -> Api<Secret> {
    Api::namespaced(rig.client.clone(), rig.namespace())
}

/// The Secrets with keys that the operator made: their names and what is in them.
async fn generated(rig: &Rig) -> BTreeMap<String, BTreeMap<String, ByteString>> {
    let all = secrets(rig).list(&ListParams::default()).await.unwrap();
    let made = all.items.into_iter().filter(|s| {
        let labels = s.metadata.labels.clone().unwrap_or_default();
        labels
            .get("app.kubernetes.io/managed-by")
            .map(String::as_str)
            == Some("causeway")
    });
    made.map(|s| (s.metadata.name.unwrap(), s.data.unwrap_or_default()))
        .collect()
}

async fn held_for_minutes(rig: &Rig, what: &str) {
    let mut quiet = 0;
    rig.until_each(Duration::from_secs(15), what, PATIENCE, async |r| {
        quiet = if r.lab_holds().await { quiet + 1 } else { 0 };
        quiet > 12
    })
    .await;
}

#[test]
fn generated_keys_that_somebody_removes_come_back_as_they_were() {
    let lab = ready_lab();
    simulate(async || {
        let mut rig = Rig::awake(lab).await;
        held_for_minutes(&rig, "at first").await;
        let had = generated(&rig).await;
        assert_eq!(had.len(), 2, "{:?}", had.keys());
        let since = rig.last_call();
        for name in had.keys() {
            let api = secrets(&rig);
            api.delete(name, &DeleteParams::default()).await.unwrap();
            let patch = json!({"metadata": {"finalizers": null}});
            api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
                .unwrap();
        }
        assert_eq!(generated(&rig).await, BTreeMap::new());
        rig.until("the Secrets are back", PATIENCE, async |r| {
            generated(r).await.len() == had.len()
        })
        .await;
        assert!(generated(&rig).await == had, "they have other keys");
        held_for_minutes(&rig, "with the Secrets back").await;
        let calls = rig.mutating_since(since);
        assert!(calls.is_empty(), "{calls:#?}");
        for name in had.keys() {
            let secret = secrets(&rig).get(name).await.unwrap();
            assert_eq!(secret.metadata.finalizers.unwrap(), [FINALIZER]);
        }
        rig.delete_all().await;
        rig.goes("in the end", PATIENCE).await;
        rig.stop_operator().await;
    });
}

/// AWS never changes the key of a virtual interface. An update of its VXC replaces the MCR's session, key and all: with the
/// Secret's the session would be gone.
#[test]
fn another_bgp_key_in_the_secret_is_told_and_ends_no_session() {
    let lab = ready_lab();
    simulate(async || {
        let mut rig = Rig::awake(lab).await;
        held_for_minutes(&rig, "at first").await;
        let had = generated(&rig).await;
        let (name, keys) = had.iter().find(|(n, _)| n.contains("dx")).unwrap();
        let api = secrets(&rig);
        let put = async |value: &dyn Fn(&ByteString) -> ByteString| {
            let data: BTreeMap<&String, ByteString> =
                keys.iter().map(|(k, v)| (k, value(v))).collect();
            let patch = json!({ "data": data });
            api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
                .unwrap();
        };
        put(&|_| ByteString(b"anotherKeyThatNobodyKnew12".to_vec())).await;
        rig.until("it is told", PATIENCE, async |r| {
            let link = r.get("DirectConnectLink", "lab-dx-main").await.unwrap();
            let (status, reason, message) = condition(&link, "Provisioned");
            status == "False"
                && reason == "ChangeRefused"
                && message.contains("authKey is another one")
                && message.contains("put it back into the Secret")
        })
        .await;
        let since = rig.last_call();
        let patch =
            json!([{"op": "add", "path": "/spec/directConnects/0/bgp/medOut", "value": 20}]);
        let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
        rig.kind("HybridInterconnect")
            .patch("lab", &PatchParams::default(), &Patch::Json::<()>(patch))
            .await
            .unwrap();
        rig.until("the VXC is changed", PATIENCE, async |r| {
            !r.mutating_since(since).is_empty()
        })
        .await;
        for _ in 0..60 {
            rig.pass(Duration::from_secs(15)).await;
            let down = !rig.all_say("BGPEstablished").await;
            assert!(!down, "a session went down");
        }
        put(&Clone::clone).await;
        held_for_minutes(&rig, "with the old key").await;
        let calls = rig.mutating_since(since);
        assert_eq!(calls.len(), 1, "{calls:#?}");
        rig.stop_operator().await;
    });
}
