//! The kinds that the stand-in serves, and how each differs: scope, subresource, schema, what an update may do.
//!
//! May only describe. Our own kinds come from `causeway_api`, so a change of a field is served at once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Decodes into the type that the API server itself uses, so that unknown fields go and wrong types are errors.
pub(super) type Decode = fn(Value) -> Result<Value, serde_json::Error>;

/// A kind and its ways.
#[derive(Debug, Clone)]
pub(super) struct Kind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub singular: String,
    pub short_names: Vec<String>,
    pub categories: Vec<String>,
    pub namespaced: bool,
    /// Has the status subresource: status is then written only there, and only status.
    pub status: bool,
    /// Counts `metadata.generation`: custom resources do, the built-in kinds here do not.
    pub generation: bool,
    /// A replacement without `resourceVersion` is taken as one of the latest version.
    pub unconditional_update: bool,
    /// A replacement of what does not exist creates it.
    pub create_on_update: bool,
    /// Whether deleting it can wait for or orphan dependents.
    pub collects: bool,
    /// Built-in kinds.
    pub decode: Option<Decode>,
    /// Custom resources, as in the definition.
    pub schema: Option<JSONSchemaProps>,
    /// What lists and maps are when two managers share an object, with `metadata` in it.
    pub merge: JSONSchemaProps,
}

impl Kind {
    /// `vpnpairs.causeway.dev`, or `secrets` in the core group.
    pub(super) fn resource(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    /// `causeway.dev/v1alpha1`, or `v1` in the core group.
    pub(super) fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    pub(super) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.kind == "Namespace"
    }

    pub(super) fn is_secret(&self) -> bool {
        self.group.is_empty() && self.kind == "Secret"
    }

    fn builtin<K: DeserializeOwned + Serialize>(
        group: &str,
        kind: &str,
        plural: &str,
        short: &[&str],
    ) -> Self {
        Self {
            group: group.to_owned(),
            version: "v1".to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: short.iter().map(|s| (*s).to_owned()).collect(),
            categories: Vec::new(),
            namespaced: true,
            status: false,
            generation: false,
            unconditional_update: true,
            create_on_update: false,
            collects: true,
            decode: Some(decode::<K>),
            schema: None,
            merge: merge_schema(None),
        }
    }

    /// The served version of a definition; `None` when none is served.
    pub(super) fn custom(crd: &CustomResourceDefinition) -> Option<Self> {
        let version = crd.spec.versions.iter().find(|v| v.served)?;
        let schema = version
            .schema
            .as_ref()
            .and_then(|s| s.open_api_v3_schema.clone())?;
        let names = &crd.spec.names;
        let status = version
            .subresources
            .as_ref()
            .and_then(|s| s.status.as_ref());
        Some(Self {
            group: crd.spec.group.clone(),
            version: version.name.clone(),
            kind: names.kind.clone(),
            plural: names.plural.clone(),
            singular: names
                .singular
                .clone()
                .unwrap_or_else(|| names.kind.to_lowercase()),
            short_names: names.short_names.clone().unwrap_or_default(),
            categories: names.categories.clone().unwrap_or_default(),
            namespaced: crd.spec.scope == "Namespaced",
            status: status.is_some(),
            generation: true,
            unconditional_update: false,
            create_on_update: false,
            collects: true,
            decode: None,
            merge: merge_schema(Some(&schema)),
            schema: Some(schema),
        })
    }
}

fn decode<K: DeserializeOwned + Serialize>(value: Value) -> Result<Value, serde_json::Error> {
    serde_json::to_value(serde_json::from_value::<K>(value)?)
}

/// `metadata` as every kind has it: owner references are told by UID and are atomic, finalizers are a set.
fn merge_schema(own: Option<&JSONSchemaProps>) -> JSONSchemaProps {
    let metadata = json!({
        "type": "object",
        "properties": {
            "ownerReferences": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
                "items": {"type": "object", "x-kubernetes-map-type": "atomic"},
            },
            "finalizers": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        },
    });
    let mut schema = own.cloned().unwrap_or_default();
    // A constant that parses: a default here would only make owner references atomic.
    let metadata = serde_json::from_value(metadata).unwrap_or_default();
    schema
        .properties
        .get_or_insert_default()
        .insert("metadata".to_owned(), metadata);
    schema
}

/// By resource name, as [`Kind::resource`] writes it.
pub(super) type Kinds = BTreeMap<String, Arc<Kind>>;

/// What every new server knows. Built once: deriving the schemas costs milliseconds, and sweeps start thousands of servers.
pub(super) fn standard() -> Arc<Kinds> {
    static STANDARD: OnceLock<Arc<Kinds>> = OnceLock::new();
    STANDARD
        .get_or_init(|| {
            let builtin = [
                Kind {
                    namespaced: false,
                    status: true,
                    ..Kind::builtin::<Namespace>("", "Namespace", "namespaces", &["ns"])
                },
                Kind::builtin::<Secret>("", "Secret", "secrets", &[]),
                Kind::builtin::<ConfigMap>("", "ConfigMap", "configmaps", &["cm"]),
                Kind {
                    create_on_update: true,
                    collects: false,
                    ..Kind::builtin::<Event>("events.k8s.io", "Event", "events", &["ev"])
                },
                Kind {
                    create_on_update: true,
                    unconditional_update: false,
                    ..Kind::builtin::<Lease>("coordination.k8s.io", "Lease", "leases", &[])
                },
            ];
            let custom = causeway_api::generate::all_crds();
            let kinds = builtin
                .into_iter()
                .chain(custom.iter().filter_map(Kind::custom))
                .map(|kind| (kind.resource(), Arc::new(kind)));
            Arc::new(kinds.collect())
        })
        .clone()
}
