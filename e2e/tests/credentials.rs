//! Credentials while the operator runs, with the clock paused: rotated, refused, without rights, of the wrong kind, several
//! of one provider side by side, protected while cloud objects live, and removed by force all the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test; numbers are told

use causeway_api::FINALIZER;
use causeway_e2e::harness::{Case, Rig, ready_lab, simulate, worlds};
use causeway_e2e::objects;
use causeway_sandbox::faults::Fault;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_hours(4);
/// How soon what changed in a Secret must show, at the latest: one look of a calm object, and what it then reads.
const SOON: Duration = Duration::from_mins(8);

fn secrets(rig: &Rig) -> Api<Secret> {
    Api::namespaced(rig.client.clone(), rig.namespace())
}

async fn set(rig: &Rig, name: &str, values: &[(&str, &str)]) {
    let values: BTreeMap<&str, &str> = values.iter().copied().collect();
    let patch = json!({ "stringData": values });
    let patched = secrets(rig)
        .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await;
    patched.unwrap();
}

/// Status, reason and message of a condition, empty where there is none.
async fn says(rig: &Rig, kind: &str, name: &str, condition: &str) -> (String, String, String) {
    let object = rig.get(kind, name).await.unwrap_or_default();
    objects::condition(&object, condition)
}

/// What every object says of a condition, in one text.
async fn all_messages(rig: &Rig, condition: &str) -> String {
    let mut text = String::new();
    for kind in objects::OWN {
        for object in rig.list(kind).await {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let (status, reason, message) = objects::condition(&object, condition);
            text.push_str(&format!(
                "{kind} {name}: {condition}={status} {reason}: {message}\n"
            ));
        }
    }
    text
}

fn fault(provider: &str, operation: &str, status: u16, code: &str) -> Fault {
    serde_json::from_value(json!({
        "match": {"provider": provider, "operation": operation, "principal": "causeway"},
        "effect": "status", "status": status, "code": code,
    }))
    .unwrap()
}

/// All three providers get new secrets and refuse the old ones; the Secrets follow a while later. Nobody restarts anything.
#[test]
fn rotated_secrets_are_picked_up_while_running() {
    let lab = ready_lab();
    simulate(async || {
        let rig = Rig::awake(lab).await;
        rig.sandbox.change(|s| {
            let megaport = &mut s.world.megaport.causeway;
            *megaport = serde_json::from_value({
                let mut key = serde_json::to_value(&*megaport).unwrap();
                key["secretKey"] = "rotated-megaport-secret".into();
                key
            })
            .unwrap();
            s.world.azure.causeway.client_secret = "rotated-azure-secret".to_owned();
            for key in s
                .world
                .aws
                .access_keys
                .iter_mut()
                .filter(|k| k.principal == "causeway")
            {
                key.secret_access_key = "rotated/aws/secret".to_owned();
            }
            s.megaport.tokens.clear();
        });
        set(
            &rig,
            "megaport",
            &[("secretKey", "rotated-megaport-secret")],
        )
        .await;
        set(&rig, "azure", &[("clientSecret", "rotated-azure-secret")]).await;
        set(&rig, "aws", &[("secretAccessKey", "rotated/aws/secret")]).await;
        let rotated = rig.last_call();
        rig.pass(SOON).await;
        let refused = |calls: Vec<causeway_sandbox::control::CallView>| {
            calls
                .into_iter()
                .filter(|c| c.status == 401 || c.status == 403)
                .count()
        };
        let before = refused(rig.sandbox.calls(rotated, false));
        let settled = rig.last_call();
        rig.pass(Duration::from_mins(20)).await;
        let calls = rig.sandbox.calls(settled, false);
        let by_us = calls.iter().filter(|c| c.principal == "causeway").count();
        let late = refused(calls);
        eprintln!(
            "rotated: {before} calls refused until the new secrets were read, {late} of {by_us} afterwards"
        );
        assert!(by_us > 100, "only {by_us} calls");
        assert_eq!(late, 0, "old secrets are still in use");
        assert!(
            rig.lab_is_ready().await,
            "{}",
            all_messages(&rig, "Ready").await
        );
        rig.delete_all().await;
        rig.goes("in the end", PATIENCE).await;
    });
}

/// A token that is refused before its time (revoked, or the clocks differ) is fetched anew, and nothing is ordered twice
/// for it.
#[test]
fn a_refused_token_is_renewed() {
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        rig.start_operator();
        rig.apply_all().await;
        for _ in 0..4 {
            rig.pass(Duration::from_mins(7)).await;
            rig.sandbox.change(|s| s.megaport.tokens.clear());
            let mut once = fault(
                "azure",
                "expressRouteCircuits.list",
                401,
                "ExpiredAuthenticationToken",
            );
            once.times = Some(1);
            rig.sandbox.add_fault(once);
        }
        rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
        // Who is refused for a token may be nobody: all calls, not the operator's only.
        let calls = rig.sandbox.calls(0, false);
        let refused = calls.iter().filter(|c| c.status == 401).count();
        eprintln!("{refused} calls refused for their token");
        assert!(refused >= 4, "{refused}");
        rig.delete_all().await;
        rig.goes("in the end", PATIENCE).await;
    });
}

/// Each provider takes a right away: the message names the call that lacks it and the object, a person is asked for, and
/// work goes on when it is granted.
#[test]
fn missing_rights_are_named_with_their_object() {
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        let rights = [
            (
                "azure",
                "expressRouteCircuits.put",
                "AuthorizationFailed",
                "ExpressRouteLink",
                "lab-er-main",
                "to-megaport",
            ),
            (
                "aws",
                "CreateVpnConnection",
                "UnauthorizedOperation",
                "VpnPair",
                "lab-vpn",
                "cgw-",
            ),
            (
                "megaport",
                "POST /v4/networkdesign/buy",
                "403",
                "HybridInterconnect",
                "lab",
                "[cw-",
            ),
        ];
        let mut ids = Vec::new();
        for (provider, operation, code, ..) in rights {
            ids.push(rig.sandbox.add_fault(fault(provider, operation, 403, code)));
        }
        rig.start_operator();
        rig.apply_all().await;
        for (_, operation, _, kind, name, object) in rights {
            rig.until(
                &format!("{kind} {name} lacks {operation}"),
                PATIENCE,
                async |r| {
                    says(r, kind, name, "Stalled").await.0 == "True"
                        && says(r, kind, name, "Accepted").await.1 == "PermissionDenied"
                },
            )
            .await;
            let (_, reason, message) = says(&rig, kind, name, "Accepted").await;
            eprintln!("{kind} {name}: {reason}: {message}");
            for part in [operation, object, "rights"] {
                assert!(message.contains(part), "{part} is missing: {message}");
            }
            let (_, stalled, told) = says(&rig, kind, name, "Stalled").await;
            assert_eq!((stalled.as_str(), &told), ("PermissionDenied", &message));
        }
        for id in ids {
            rig.sandbox.remove_fault(&id);
        }
        rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
        rig.delete_all().await;
        rig.goes("in the end", PATIENCE).await;
    });
}

/// A portal user's name and password where an API key is wanted, in both shapes in which people try it; and a key that
/// Megaport does not know.
#[test]
fn the_wrong_kind_of_megaport_credentials_is_told_what_to_do() {
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        rig.apply_all().await;
        let good = secrets(&rig).get("megaport").await.unwrap();
        let shapes = [
            (
                json!({"username": "ada@example.com", "password": "correct horse"}),
                "name and password",
                "make an API key",
            ),
            (
                json!({"accessKey": "ada@example.com", "secretKey": "correct horse"}),
                "e-mail address",
                "make an API key",
            ),
            (
                json!({"accessKey": "nobody", "secretKey": "correct horse"}),
                "invalid_client",
                "spec.megaport.credentialsSecretRef",
            ),
        ];
        for (number, (values, what, remedy)) in shapes.into_iter().enumerate() {
            let mut secret = good.clone();
            secret.metadata.resource_version = None;
            secret.metadata.uid = None;
            secret.data = None;
            secret.string_data = serde_json::from_value(values).unwrap();
            replace(&rig, secret).await;
            if number == 0 {
                // Not before: it would begin with the good key.
                rig.start_operator();
            }
            rig.until(what, PATIENCE, async |r| {
                let (status, reason, message) =
                    says(r, "HybridInterconnect", "lab", "Accepted").await;
                status == "False" && reason == "CredentialsInvalid" && message.contains(what)
            })
            .await;
            let (_, _, message) = says(&rig, "HybridInterconnect", "lab", "Accepted").await;
            eprintln!("{message}");
            assert!(
                message.contains(remedy) && message.contains("megaport"),
                "{message}"
            );
            assert!(!message.contains("correct horse"), "{message}");
            assert_eq!(
                says(&rig, "HybridInterconnect", "lab", "Stalled").await.0,
                "True"
            );
            assert!(rig.products().is_empty(), "{:?}", rig.products());
        }
        let mut secret = good;
        secret.metadata.resource_version = None;
        replace(&rig, secret).await;
        rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
    });
}

/// Puts a Secret in the place of one with the same name, whatever guards that.
async fn replace(rig: &Rig, secret: Secret) {
    let name = secret.metadata.name.clone().unwrap();
    remove_by_force(rig, &name).await;
    let mut secret = secret;
    secret.metadata.finalizers = None;
    secret.metadata.uid = None;
    secret.metadata.creation_timestamp = None;
    secrets(rig)
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
}

async fn remove_by_force(rig: &Rig, name: &str) {
    let patch = json!({"metadata": {"finalizers": null}});
    let api = secrets(rig);
    api.delete(name, &DeleteParams::default()).await.unwrap();
    let left = api.get_opt(name).await.unwrap();
    if left.is_some() {
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await
            .unwrap();
    }
}

/// Two interconnects with Megaport keys of two companies, in one namespace and one process: each buys with its own.
#[test]
fn several_accounts_of_one_provider_live_side_by_side() {
    simulate(async || {
        let all = worlds::all();
        let (_, mut case) = all
            .into_iter()
            .find(|(name, _)| *name == "two-interconnects")
            .unwrap();
        for manifest in &mut case.manifests {
            if manifest["metadata"]["name"] == "west" {
                manifest["spec"]["megaport"]["credentialsSecretRef"]["name"] =
                    "megaport-west".into();
            }
        }
        let rig = Rig::new(&case);
        let mut rig = rig;
        rig.apply_all().await;
        let human = rig.sandbox.read(|s| s.world.megaport.human.clone());
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "megaport-west"},
            "stringData": {"accessKey": human.access_key, "secretKey": human.secret_key.expose()},
        }))
        .unwrap();
        secrets(&rig)
            .create(&PostParams::default(), &secret)
            .await
            .unwrap();
        rig.start_operator();
        rig.until("both are Ready", PATIENCE, async |r| {
            r.all_say("Ready").await && r.seen().await.objects.len() == 8
        })
        .await;
        let mut bought = BTreeMap::<(String, String), usize>::new();
        for product in rig.sandbox.ledger() {
            let kind = serde_json::to_value(product.kind).unwrap();
            let kind = kind.as_str().unwrap().to_owned();
            if kind == "mcr" || kind == "vxc" {
                *bought.entry((product.principal.clone(), kind)).or_default() += 1;
            }
        }
        eprintln!("bought from Megaport: {bought:?}");
        for principal in ["causeway", "human"] {
            assert_eq!(bought[&(principal.to_owned(), "mcr".to_owned())], 1);
            assert_eq!(bought[&(principal.to_owned(), "vxc".to_owned())], 2);
        }
        rig.delete_all().await;
        rig.goes("in the end", PATIENCE).await;
    });
}

/// Somebody deletes the Secrets, and the namespace's owner with them: our finalizer keeps them until the last cloud object
/// that needs them is gone, and then they go.
#[test]
fn secrets_stay_while_cloud_objects_need_them() {
    let lab = ready_lab();
    simulate(async || {
        let rig = Rig::awake(lab).await;
        for name in ["azure", "aws", "megaport"] {
            secrets(&rig)
                .delete(name, &DeleteParams::default())
                .await
                .unwrap();
            let left = secrets(&rig).get(name).await.unwrap();
            let finalizers = left.metadata.finalizers.unwrap_or_default();
            assert!(
                finalizers.iter().any(|f| f == FINALIZER),
                "{name}: {finalizers:?}"
            );
            assert!(left.metadata.deletion_timestamp.is_some());
        }
        rig.pass(Duration::from_mins(30)).await;
        assert!(
            rig.lab_is_ready().await,
            "{}",
            all_messages(&rig, "Ready").await
        );
        rig.delete_all().await;
        rig.goes("in the end", PATIENCE).await;
        for name in ["azure", "aws", "megaport"] {
            assert!(
                secrets(&rig).get_opt(name).await.unwrap().is_none(),
                "{name} is still there"
            );
        }
    });
}

/// Somebody removes the Secrets with their finalizers: every object that needs one says so and waits, alive or being
/// deleted; nothing is forgotten, and the deletion goes on when they are back.
#[test]
fn a_secret_that_was_removed_by_force_is_named_and_waited_for() {
    let lab = ready_lab();
    simulate(async || {
        let rig = Rig::awake(lab).await;
        let mut kept = Vec::new();
        for name in ["azure", "aws", "megaport"] {
            kept.push(secrets(&rig).get(name).await.unwrap());
            remove_by_force(&rig, name).await;
        }
        let said = async |r: &Rig| {
            let (status, reason, message) = says(r, "HybridInterconnect", "lab", "Accepted").await;
            status == "False" && reason == "ReferenceNotFound" && message.contains("does not exist")
        };
        rig.until(
            "the interconnect misses a Secret",
            Duration::from_mins(15),
            said,
        )
        .await;
        eprintln!("{}", all_messages(&rig, "Accepted").await);
        rig.delete_all().await;
        rig.pass(Duration::from_mins(30)).await;
        // The interconnect is what was deleted; its links live until it can look at what they carry.
        let text = all_messages(&rig, "Deleting").await + &all_messages(&rig, "Accepted").await;
        eprintln!("{text}");
        for (kind, name, condition) in [
            ("HybridInterconnect", "lab", "Deleting"),
            ("ExpressRouteLink", "lab-er-main", "Accepted"),
            ("DirectConnectLink", "lab-dx-main", "Accepted"),
            ("VpnPair", "lab-vpn", "Accepted"),
        ] {
            let line = text
                .lines()
                .find(|l| l.starts_with(&format!("{kind} {name}: {condition}")))
                .unwrap_or_default();
            assert!(
                line.contains("Secret ") && line.contains("does not exist"),
                "{kind}: {line}"
            );
        }
        let live = rig.sandbox.live().len();
        assert!(
            live > 20,
            "only {live} objects live: somebody deleted without credentials?"
        );
        for mut secret in kept {
            secret.metadata.resource_version = None;
            secret.metadata.uid = None;
            secret.metadata.finalizers = None;
            secret.metadata.creation_timestamp = None;
            secrets(&rig)
                .create(&PostParams::default(), &secret)
                .await
                .unwrap();
        }
        rig.goes("in the end", PATIENCE).await;
    });
}
