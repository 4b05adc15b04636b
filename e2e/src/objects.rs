//! The custom resources of one namespace as tests look at them, on a real API server and on the stand-in alike.
//!
//! For tests only, hence the panics: a test whose API server does not answer has failed.
#![allow(clippy::panic)]

use crate::demo::watch::{Reader, Seen};
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, PostParams,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Every kind of ours.
pub const KINDS: [&str; 5] = [
    "HybridInterconnect",
    "ExpressRouteLink",
    "DirectConnectLink",
    "VpnPair",
    "RouteReport",
];

/// Those that own cloud objects.
pub const OWN: [&str; 4] = [
    "HybridInterconnect",
    "ExpressRouteLink",
    "DirectConnectLink",
    "VpnPair",
];

/// The objects of one namespace.
#[derive(Clone)]
pub struct Objects {
    pub client: Client,
    namespace: String,
    reader: Reader,
}

impl Objects {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            reader: Reader::new(&client, namespace),
            client,
            namespace: namespace.to_owned(),
        }
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The API of a kind: ours by its name alone, others as `group/version/Kind`.
    pub fn kind(&self, kind: &str) -> Api<DynamicObject> {
        let parts: Vec<&str> = kind.split('/').collect();
        let gvk = match parts[..] {
            [group, version, kind] => GroupVersionKind::gvk(group, version, kind),
            [version, kind] => GroupVersionKind::gvk("", version, kind),
            _ => GroupVersionKind::gvk("causeway.dev", "v1alpha1", kind),
        };
        Api::namespaced_with(
            self.client.clone(),
            &self.namespace,
            &ApiResource::from_gvk(&gvk),
        )
    }

    /// Creates an object.
    ///
    /// # Panics
    /// When the API server refuses.
    pub async fn create(&self, document: &Value) -> DynamicObject {
        self.try_create(document)
            .await
            .unwrap_or_else(|error| panic!("refused: {error}\n{document:#}"))
    }

    /// Creates an object, if the API server takes it.
    ///
    /// # Panics
    /// When the document is no object at all.
    pub async fn try_create(&self, document: &Value) -> Result<DynamicObject, kube::Error> {
        let object: DynamicObject = serde_json::from_value(document.clone())
            .unwrap_or_else(|error| panic!("not an object: {error}\n{document:#}"));
        let text = |field: &str| document[field].as_str().unwrap_or_default();
        let kind = format!("{}/{}", text("apiVersion"), text("kind"));
        self.kind(&kind)
            .create(&PostParams::default(), &object)
            .await
    }

    /// Asks for the deletion of an object.
    ///
    /// # Panics
    /// When the API server refuses.
    pub async fn delete(&self, kind: &str, name: &str) {
        let deleted = self.kind(kind).delete(name, &DeleteParams::default()).await;
        deleted.unwrap_or_else(|error| panic!("{kind} {name} cannot be deleted: {error}"));
    }

    /// An object as it is, if there is one.
    ///
    /// # Panics
    /// When the API server cannot be read.
    pub async fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let object = self.kind(kind).get_opt(name).await;
        let object = object.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
        object.map(|object| serde_json::to_value(object).unwrap_or_default())
    }

    /// All objects of a kind.
    ///
    /// # Panics
    /// When the API server cannot be read.
    pub async fn list(&self, kind: &str) -> Vec<Value> {
        let objects = self.kind(kind).list(&ListParams::default()).await;
        let objects = objects.unwrap_or_else(|error| panic!("{kind}: {error}"));
        let values = objects.items.iter().map(serde_json::to_value);
        values.map(Result::unwrap_or_default).collect()
    }

    /// What the four kinds with slots say of themselves, as `hi/lab` and so on.
    ///
    /// # Panics
    /// When the API server cannot be read.
    pub async fn seen(&self) -> Seen {
        let seen = self.reader.read().await;
        seen.unwrap_or_else(|error| panic!("the kinds cannot be read: {error}"))
    }

    /// Resource versions of everything that is ours, by kind and name.
    ///
    /// # Panics
    /// When the API server cannot be read.
    pub async fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = BTreeMap::new();
        for kind in KINDS {
            for object in self.list(kind).await {
                let text = |field: &str| {
                    let value = object["metadata"][field].as_str();
                    value.unwrap_or_default().to_owned()
                };
                versions.insert(format!("{kind}/{}", text("name")), text("resourceVersion"));
            }
        }
        versions
    }

    /// What was written or made since these versions, by kind and name.
    ///
    /// # Panics
    /// When the API server cannot be read.
    pub async fn written_since(&self, versions: &BTreeMap<String, String>) -> Vec<String> {
        let now = self.versions().await.into_iter();
        now.filter(|(name, version)| versions.get(name) != Some(version))
            .map(|(name, _)| name)
            .collect()
    }
}

/// Status, reason and message of an object's condition; empty where it has none.
pub fn condition(object: &Value, kind: &str) -> (String, String, String) {
    let all = object["status"]["conditions"].as_array();
    let found = all.and_then(|all| all.iter().find(|c| c["type"] == kind));
    let text = |f: &str| {
        let value = found.and_then(|c| c[f].as_str());
        value.unwrap_or_default().to_owned()
    };
    (text("status"), text("reason"), text("message"))
}

/// How often each thing was done, one a line.
pub fn tally(done: impl IntoIterator<Item = String>) -> String {
    let mut count = BTreeMap::<String, usize>::new();
    for what in done {
        *count.entry(what).or_default() += 1;
    }
    // One line each: a table in a test's output.
    let lines: Vec<String> = count
        .iter()
        .map(|(what, n)| format!("{n:>6}  {what}\n"))
        .collect();
    lines.concat()
}
