//! What all ARM resources have in common. Every type that is PUT back keeps the fields it does not know.

use super::id::ResourceId;
use crate::clients::wire::{Extra, null_default};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// State of the last ARM operation on a resource (azure.md §1.2). Missing means finished.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum ProvisioningState {
    #[default]
    Succeeded,
    Failed,
    Canceled,
    Creating,
    Updating,
    Deleting,
    /// A word that nobody documented: in progress, as far as we can tell.
    Other(String),
}

impl From<String> for ProvisioningState {
    fn from(s: String) -> Self {
        match s.to_ascii_lowercase().as_str() {
            "succeeded" | "" => Self::Succeeded,
            "failed" => Self::Failed,
            "canceled" | "cancelled" => Self::Canceled,
            "creating" => Self::Creating,
            "updating" => Self::Updating,
            "deleting" => Self::Deleting,
            _ => Self::Other(s),
        }
    }
}
impl From<ProvisioningState> for String {
    fn from(s: ProvisioningState) -> Self {
        s.as_str().to_owned()
    }
}
impl ProvisioningState {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
            Self::Deleting => "Deleting",
            Self::Other(s) => s,
        }
    }
    /// No operation is running.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Canceled)
    }
}

/// A SKU; for gateways `tier` must equal `name` (azure.md §3.2), for circuits `name` is `{tier}_{family}` (§2.2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Sku {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A reference by ID. `properties: {}` is what connections want beside it (azure.md §4.2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reference {
    pub id: String,
    #[serde(flatten)]
    pub extra: Extra,
}

impl Reference {
    pub fn to(id: &ResourceId) -> Self {
        Self {
            id: id.as_str().to_owned(),
            extra: Extra::default(),
        }
    }
    /// With an empty `properties`, where the model wants a whole resource.
    pub fn with_properties(id: &ResourceId) -> Self {
        let mut r = Self::to(id);
        r.extra
            .0
            .insert("properties".to_owned(), serde_json::json!({}));
        r
    }
    pub fn resource_id(&self) -> ResourceId {
        ResourceId::new(self.id.clone())
    }
}

/// A resource with typed properties.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    default,
    bound(deserialize = "P: Default + Deserialize<'de>")
)]
pub struct Resource<P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `W/"…"`; sent as `If-Match` on the PUT that follows a read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub tags: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    #[serde(
        deserialize_with = "null_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub zones: Vec<String>,
    pub properties: P,
    #[serde(flatten)]
    pub extra: Extra,
}

impl<P> Resource<P> {
    pub fn resource_id(&self) -> Option<ResourceId> {
        self.id.clone().map(ResourceId::new)
    }
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
    pub fn sku_name(&self) -> &str {
        self.sku
            .as_ref()
            .and_then(|s| s.name.as_deref())
            .unwrap_or_default()
    }
}
