//! What all controllers of this process share.

use super::env::Env;
use super::locks::LockTable;
use super::marks::Marks;
use super::memo::Memos;
use super::secrets::SecretStore;
use super::{Managed, Wakes};
use crate::clock::Clock;
use crate::health::Memories;
use crate::inventory::{Accounts, Waker};
use crate::leader::Leadership;
use crate::vantages::Vantages;
use causeway_api::common::ObjectRef as ApiObjectRef;
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::desired::Desired;
use causeway_model::observe::{Ownership, Present, Seen, State};
use causeway_model::provider::Timing;
use causeway_model::report::Rejection;
use causeway_model::slot::Graph;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, DynamicObject, GroupVersionKind};
use kube::runtime::events::Recorder;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{ResourceExt, discovery};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Caches of the four kinds, filled by the controllers' watches.
#[derive(Debug, Clone)]
pub struct Stores {
    pub interconnects: Store<HybridInterconnect>,
    pub express_routes: Store<ExpressRouteLink>,
    pub direct_connects: Store<DirectConnectLink>,
    pub vpns: Store<VpnPair>,
}

pub struct Context {
    pub client: kube::Client,
    /// UID of `kube-system`: who we are towards the clouds.
    pub cluster: String,
    /// What time it is.
    pub clock: Clock,
    pub timing: Timing,
    pub scale: f64,
    pub leadership: Leadership,
    pub accounts: Arc<Accounts>,
    pub secrets: SecretStore,
    pub locks: LockTable,
    pub memos: Memos,
    pub recorder: Recorder,
    pub stores: Stores,
    /// Whether every kind was listed once: before that, a link that is not found may only not have been read yet.
    pub listed: watch::Receiver<bool>,
    pub wakes: Wakes,
    /// The expensive tables of all accounts.
    pub vantages: Arc<Vantages>,
    pub health: Memories,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// A wait of the clouds in wall time.
    pub fn scaled(&self, d: Duration) -> Duration {
        d.div_f64(self.scale)
    }

    /// Whether another object of the namespace names this Secret.
    pub fn secret_in_use(&self, namespace: &str, secret: &str, except: &str) -> bool {
        fn any<K: Managed>(store: &Store<K>, namespace: &str, secret: &str, except: &str) -> bool {
            store.state().iter().any(|o| {
                o.namespace().as_deref() == Some(namespace)
                    && format!("{} {namespace}/{}", K::KIND, o.name_any()) != except
                    && o.secrets().iter().any(|s| s == secret)
            })
        }
        any(&self.stores.interconnects, namespace, secret, except)
            || any(&self.stores.express_routes, namespace, secret, except)
            || any(&self.stores.direct_connects, namespace, secret, except)
            || any(&self.stores.vpns, namespace, secret, except)
    }

    pub fn interconnect(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<std::sync::Arc<HybridInterconnect>> {
        self.stores
            .interconnects
            .get(&ObjectRef::new(name).within(namespace))
    }

    /// The marks of an object. Its key is what people see in tags.
    pub fn marks(&self, key: &str, owner: &str) -> Marks {
        Marks {
            cluster: self.cluster.clone(),
            owner: owner.to_owned(),
            object: key.to_owned(),
            predecessors: Vec::new(),
            heir: None,
        }
    }

    /// A function that puts an object into its controller's queue.
    pub fn waker<K: Managed>(&self, object: &K) -> Waker {
        let (sender, reference) = (K::wake(&self.wakes).clone(), ObjectRef::from_obj(object));
        Arc::new(move || {
            // Nobody listens any more only when the process ends.
            let _ = sender.send(reference.clone());
        })
    }

    /// The cloud ID in the status of an object of Azure Service Operator or AWS Controllers for Kubernetes.
    /// `None`: the object has no ID yet.
    ///
    /// # Errors
    /// When the object does not exist, or can not be read.
    pub async fn object_ref_id(
        &self,
        namespace: &str,
        reference: Option<&ApiObjectRef>,
        field: &str,
    ) -> Result<Option<String>, Rejection> {
        let Some(r) = reference else { return Ok(None) };
        let no = |reason: &'static str, message: String, undecided: bool| Rejection {
            reason,
            message,
            undecided,
        };
        let (group, version) = r
            .api_version
            .split_once('/')
            .unwrap_or(("", r.api_version.as_str()));
        let gvk = GroupVersionKind::gvk(group, version, &r.kind);
        let what = format!("{} {} in namespace {namespace}", r.kind, r.name);
        let read = async {
            let (resource, _) = discovery::pinned_kind(&self.client, &gvk).await?;
            let api: Api<DynamicObject> =
                Api::namespaced_with(self.client.clone(), namespace, &resource);
            api.get_opt(&r.name).await
        };
        match tokio::time::timeout(Duration::from_secs(20), read).await {
            Err(_) => Err(no(
                "Validating",
                format!("{field}: {what} could not be read in time"),
                true,
            )),
            Ok(Err(e)) => Err(no(
                "ReferenceNotFound",
                format!("{field}: {what} could not be read: {e}"),
                false,
            )),
            Ok(Ok(None)) => Err(no(
                "ReferenceNotFound",
                format!("{field}: {what} does not exist: create it, or correct the reference"),
                false,
            )),
            Ok(Ok(Some(object))) => Ok(cloud_id(&object.data)),
        }
    }

    /// Looks at the Secret with generated keys, which no provider's inventory shows.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn look_at_keys(
        &self,
        env: &mut Env,
        graph: &Graph,
        meta: &ObjectMeta,
    ) -> Result<(), Rejection> {
        let Some(slot) = graph.get("keys") else {
            return Ok(());
        };
        let Desired::KeysSecret { name, keys } = &slot.desired else {
            return Ok(());
        };
        let read = self
            .secrets
            .read(&env.namespace, name)
            .await
            .map_err(|e| Rejection {
                reason: "Validating",
                message: format!("Secret {name} could not be read: {e}"),
                undecided: true,
            })?;
        let seen = read.map_or(Seen::Absent, |content| {
            let ours = meta.uid.as_ref().is_some_and(|uid| content.owners.contains(uid));
            let complete = keys.iter().all(|k| content.values.get(k).is_some_and(|v| !v.is_empty()));
            let state = match (content.deleting && !content.held, complete) {
                (true, _) => State::Deleting,
                (false, true) => State::Ready,
                (false, false) => State::Failed { message: "a key is missing in it: delete the Secret while no tunnel uses it, or restore the key".to_owned() },
            };
            Seen::Present(Box::new(Present {
                id: format!("{}/{name}", env.namespace),
                state,
                provider_state: "present".to_owned(),
                ownership: if ours { Ownership::Ours } else { Ownership::Unmarked },
                outputs: BTreeMap::new(),
                fields: BTreeMap::new(),
                tags: None,
        holds_deletion: None,
            }))
        });
        env.foreign.insert(slot.id.clone(), seen);
        Ok(())
    }
}

/// `status.id` (Azure Service Operator), else the ID field that ACK's resource state names.
fn cloud_id(data: &serde_json::Value) -> Option<String> {
    let status = data.get("status")?.as_object()?;
    let text = |v: &serde_json::Value| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    status.get("id").and_then(text).or_else(|| {
        status
            .iter()
            .find(|(k, v)| k.ends_with("ID") && v.is_string())
            .and_then(|(_, v)| text(v))
    })
}
