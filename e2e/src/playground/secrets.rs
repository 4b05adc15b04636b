//! The sample's Secrets, made from what the sandbox says in `world.json` (contract.md §3; keys: api.md §1).
//!
//! Values go from that file to the API server and nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use serde_json::Value;

use super::PlaygroundError;
use super::sandbox::read_json;
use crate::controlplane::{ControlPlane, ControlPlaneError};

/// Each Secret (also the object in `world.json` that has its values) with its keys.
const SECRETS: [(&str, &[&str]); 3] = [
    ("azure", &["tenantID", "clientID", "clientSecret"]),
    ("aws", &["accessKeyID", "secretAccessKey"]),
    ("megaport", &["accessKey", "secretKey"]),
];

/// Makes the three Secrets in `namespace`, or brings them up to date.
pub(super) async fn apply(
    plane: &ControlPlane,
    namespace: &str,
    sandbox: &Path,
) -> Result<(), PlaygroundError> {
    let path = sandbox.join("world.json");
    let world: Value = read_json(&path)?;
    let api = Api::<Secret>::namespaced(plane.client().await?, namespace);
    let secrets = of(&world).map_err(|problem| PlaygroundError::Content { path, problem })?;
    for secret in &secrets {
        let name = secret.metadata.name.as_deref().unwrap_or_default();
        let apply = PatchParams::apply("causeway-playground").force();
        api.patch(name, &apply, &Patch::Apply(secret))
            .await
            .map_err(|source| ControlPlaneError::Api {
                action: format!("cannot make the Secret {namespace}/{name}"),
                source: Box::new(source),
            })?;
    }
    Ok(())
}

/// The three Secrets, with the values of a `world.json`; says what it lacks.
pub(crate) fn of(world: &Value) -> Result<Vec<Secret>, String> {
    let secret = |(name, keys): (&str, &[&str])| {
        Ok(Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                ..ObjectMeta::default()
            },
            string_data: Some(values(world, name, keys)?),
            ..Secret::default()
        })
    };
    SECRETS.into_iter().map(secret).collect()
}

fn values(world: &Value, name: &str, keys: &[&str]) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    for key in keys {
        let value = world[name][key].as_str().filter(|value| !value.is_empty());
        let value = value
            .ok_or_else(|| format!("has no text at {name}.{key}, which the Secret {name} needs"))?;
        values.insert((*key).to_owned(), value.to_owned());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;

    #[test]
    fn what_the_world_lacks_is_named_and_what_it_has_is_not_shown() {
        let world =
            serde_json::json!({"aws": {"accessKeyID": "AKIAEXAMPLE", "secretAccessKey": ""}});
        let error = values(&world, "aws", SECRETS[1].1).unwrap_err();
        assert_eq!(
            error,
            "has no text at aws.secretAccessKey, which the Secret aws needs"
        );
    }
}
