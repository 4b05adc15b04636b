//! Secrets of the cluster: read on use (no list, no watch: design §9), kept for a short while, held by our finalizer
//! while a cloud object needs them. Values never leave the newtype that prints `***`.

use causeway_api::FINALIZER;
use causeway_model::desired::SecretHandle;
use causeway_model::secret::Secret as SecretValue;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The keys of one Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    pub values: BTreeMap<String, SecretValue>,
    pub held: bool,
    pub deleting: bool,
    /// Owner references' UIDs: tells a Secret of ours from somebody else's of the same name.
    pub owners: Vec<String>,
}

type Cached = (Instant, Option<Arc<Content>>);

/// Reads with a small cache, so that a reconcile every few milliseconds is not a GET every few milliseconds.
#[derive(Clone)]
pub struct SecretStore {
    client: Client,
    ttl: Duration,
    cache: Arc<Mutex<HashMap<(String, String), Cached>>>,
}

impl std::fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretStore")
    }
}

impl SecretStore {
    /// `ttl`, unscaled: how soon a rotated Secret is picked up.
    pub fn new(client: Client, ttl: Duration) -> Self {
        Self {
            client,
            ttl,
            cache: Arc::default(),
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Secret's content; `None` when it does not exist.
    ///
    /// # Errors
    /// The API server's.
    pub async fn read(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Arc<Content>>, kube::Error> {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some((at, content)) = self.cache().get(&key)
            && at.elapsed() < self.ttl
        {
            return Ok(content.clone());
        }
        let got = Api::<Secret>::namespaced(self.client.clone(), namespace)
            .get_opt(name)
            .await?;
        let content = got.map(|s| Arc::new(content(&s)));
        // What is missing is about to be made: it is asked for again.
        if content.is_some() {
            self.cache().insert(key, (Instant::now(), content.clone()));
        }
        Ok(content)
    }

    /// The next read asks the API server.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.cache()
            .remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Puts our finalizer on a Secret, so that deleting its namespace can not strand what needs it.
    ///
    /// # Errors
    /// The API server's.
    pub async fn hold(&self, namespace: &str, name: &str) -> Result<(), kube::Error> {
        let Some(content) = self.read(namespace, name).await? else {
            return Ok(());
        };
        // A Secret that is being deleted can not get a finalizer any more.
        if content.held || content.deleting {
            return Ok(());
        }
        self.finalizer(namespace, name, true).await
    }

    /// Takes our finalizer off.
    ///
    /// # Errors
    /// The API server's.
    pub async fn release(&self, namespace: &str, name: &str) -> Result<(), kube::Error> {
        self.forget(namespace, name);
        let Some(content) = self.read(namespace, name).await? else {
            return Ok(());
        };
        if content.held {
            self.finalizer(namespace, name, false).await
        } else {
            Ok(())
        }
    }

    async fn finalizer(&self, namespace: &str, name: &str, on: bool) -> Result<(), kube::Error> {
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let current = api.get(name).await?;
        let mut list = current.metadata.finalizers.clone().unwrap_or_default();
        list.retain(|f| f != FINALIZER);
        if on {
            list.push(FINALIZER.to_owned());
        }
        // The resource version makes a concurrent change win; the next reconcile tries again.
        let patch = json!({"metadata": {"finalizers": list, "resourceVersion": current.metadata.resource_version}});
        api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        self.forget(namespace, name);
        Ok(())
    }

    /// Reads the values behind handles; what is missing is simply not there.
    ///
    /// # Errors
    /// The API server's.
    pub async fn values(
        &self,
        namespace: &str,
        handles: &[SecretHandle],
    ) -> Result<SecretValues, kube::Error> {
        let mut out = SecretValues::default();
        for handle in handles {
            if let Some(value) = self
                .read(namespace, &handle.secret)
                .await?
                .and_then(|c| c.values.get(&handle.key).cloned())
            {
                out.0.insert(handle.clone(), value);
            }
        }
        Ok(out)
    }
}

fn content(s: &Secret) -> Content {
    let values = s
        .data
        .iter()
        .flatten()
        .filter_map(|(k, v)| {
            Some((
                k.clone(),
                SecretValue::new(
                    String::from_utf8(v.0.clone())
                        .ok()?
                        .trim_end_matches(['\r', '\n'])
                        .to_owned(),
                ),
            ))
        })
        .collect();
    Content {
        values,
        held: s
            .metadata
            .finalizers
            .iter()
            .flatten()
            .any(|f| f == FINALIZER),
        deleting: s.metadata.deletion_timestamp.is_some(),
        owners: s
            .metadata
            .owner_references
            .iter()
            .flatten()
            .map(|o| o.uid.clone())
            .collect(),
    }
}

/// Values that one act step may need, by handle.
#[derive(Debug, Clone, Default)]
pub struct SecretValues(BTreeMap<SecretHandle, SecretValue>);

impl SecretValues {
    /// The value, unless it is missing or empty.
    pub fn get(&self, handle: &SecretHandle) -> Option<SecretValue> {
        self.0.get(handle).filter(|v| !v.is_empty()).cloned()
    }
}
