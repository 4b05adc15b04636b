//! The Secret with generated keys: pre-shared keys and VIF keys that no one gave, stored before the first order
//! (api.md §1). Written once, never changed; one that somebody removed gets the keys of what lives.

use super::{Done, Executor};
use crate::controllers::keys;
use causeway_api::FINALIZER;
use causeway_model::desired::Desired;
use causeway_model::intent::{CloudError, Intent, Sent};
use causeway_model::plan::Action;
use causeway_model::provider::Provider;
use causeway_model::slot::Slot;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use rand::Rng;
use serde_json::json;
use std::collections::BTreeMap;

/// 32 characters out of 62: within AWS's rules for pre-shared keys (8 to 64 of letters, digits, `.` and `_`, not
/// starting with 0; aws.md §2.3) and for VIF keys (6 to 80 characters).
const KEY_LENGTH: usize = 32;

fn generate() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const ALL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut rng = rand::rng();
    (0..KEY_LENGTH)
        .map(|i| {
            let set = if i == 0 { LETTERS } else { ALL };
            char::from(
                set.get(rng.random_range(0..set.len()))
                    .copied()
                    .unwrap_or(b'A'),
            )
        })
        .collect()
}

pub(super) async fn run(
    x: &Executor<'_>,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let api = Api::<Secret>::namespaced(x.client.clone(), &x.env.namespace);
    match (action, &slot.desired) {
        (Action::Create { .. }, Desired::KeysSecret { name, keys: names }) => {
            // One that was lost gets back what living objects have: they would not work with other keys.
            let held = keys::held(x.env, x.graph, &x.observed.seen, name).map_err(|why| {
                let on = format!(
                    "Secret {name} waits until AWS can be read, which may have its keys: {why}"
                );
                x.blocked(slot, "secrets", "Unreadable", on)
            })?;
            let key = |k: &String| held.get(k).map_or_else(generate, |h| h.expose().to_owned());
            let data: BTreeMap<String, ByteString> = names
                .iter()
                .map(|k| (k.clone(), ByteString(key(k).into_bytes())))
                .collect();
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(name.clone()),
                    namespace: Some(x.env.namespace.clone()),
                    owner_references: Some(vec![x.owner.clone()]),
                    finalizers: Some(vec![FINALIZER.to_owned()]),
                    labels: Some(
                        [(
                            "app.kubernetes.io/managed-by".to_owned(),
                            "causeway".to_owned(),
                        )]
                        .into(),
                    ),
                    ..ObjectMeta::default()
                },
                data: Some(data),
                type_: Some("Opaque".to_owned()),
                ..Secret::default()
            };
            match api.create(&PostParams::default(), &secret).await {
                Ok(_) => Ok(Done {
                    id: Some(format!("{}/{name}", x.env.namespace)),
                    operation_url: None,
                }),
                // Written by an earlier run of ours, or somebody's: the next look tells.
                Err(kube::Error::Api(s)) if s.is_already_exists() => Ok(Done::default()),
                Err(e) => Err(failed(slot, &e)),
            }
        }
        (Action::Delete { .. } | Action::Release { .. }, _) => {
            let id = x.id(slot)?;
            let name = id.rsplit('/').next().unwrap_or_default();
            let keep = matches!(action, Action::Release { .. });
            let patch = json!({"metadata": {"finalizers": null, "ownerReferences": if keep { json!(null) } else { json!([x.owner]) }}});
            match api
                .patch(name, &PatchParams::default(), &Patch::Merge(&patch))
                .await
            {
                Ok(_) => {}
                Err(kube::Error::Api(s)) if s.is_not_found() => return Ok(Done::default()),
                Err(e) => return Err(failed(slot, &e)),
            }
            if !keep {
                match api.delete(name, &DeleteParams::default()).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(s)) if s.is_not_found() => {}
                    Err(e) => return Err(failed(slot, &e)),
                }
            }
            Ok(Done::default())
        }
        _ => Err(x.unsupported(slot, action)),
    }
}

fn failed(slot: &Slot, e: &kube::Error) -> CloudError {
    let (intent, code) = match e {
        kube::Error::Api(s) if s.is_forbidden() => (Intent::Auth, "Forbidden".to_owned()),
        kube::Error::Api(s) => (Intent::Transient { retry_after: None }, s.code.to_string()),
        _ => (
            Intent::Transient { retry_after: None },
            "Unreachable".to_owned(),
        ),
    };
    CloudError::new(
        Provider::Kubernetes,
        "secrets",
        slot.id.as_str(),
        intent,
        code,
        e.to_string(),
    )
    .sent(Sent::Maybe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_satisfy_aws() {
        for _ in 0..200 {
            let key = generate();
            assert_eq!(key.len(), KEY_LENGTH);
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(!key.starts_with('0'));
        }
        assert_ne!(generate(), generate());
    }
}
