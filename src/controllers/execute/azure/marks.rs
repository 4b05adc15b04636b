//! Our marks on Azure's objects: put on what is taken over, taken off what is let go. Everybody else's tags stay.

use super::done;
use crate::clients::azure::{AzureClient, ResourceId};
use crate::controllers::env::AzureEnv;
use crate::controllers::execute::{Done, Executor};
use crate::controllers::marks::{CLUSTER_TAG, OBJECT_TAG, OWNER_TAG, SLOT_TAG};
use causeway_model::intent::CloudError;
use causeway_model::slot::{Class, Slot};
use serde_json::Value;
use std::collections::BTreeMap;

/// Writes our tags on an object that is taken over: read, changed, written, so that everybody else's stay.
pub(super) async fn adopt(
    x: &Executor<'_>,
    azure: &AzureEnv,
    client: &AzureClient,
    slot: &Slot,
) -> Result<Done, CloudError> {
    let id = ResourceId::new(x.id(slot)?);
    let mut tags = tags(client, "adopt", &id).await?;
    x.not_foreign(slot, id.as_str(), &tags)?;
    tags.extend(x.env.marks.tags(&slot.id, &azure.tags));
    Ok(done(
        Some(&id),
        Some(client.patch_tags("adopt", &id, &tags).await?),
    ))
}

pub(super) async fn tags(
    client: &AzureClient,
    operation: &str,
    id: &ResourceId,
) -> Result<BTreeMap<String, String>, CloudError> {
    let body: Value = client.get(operation, id).await?;
    Ok(body
        .get("tags")
        .and_then(|t| serde_json::from_value(t.clone()).ok())
        .unwrap_or_default())
}

/// Takes our tags off and leaves the object alone. What has no tags is simply forgotten.
pub(super) async fn release(
    x: &Executor<'_>,
    client: &AzureClient,
    slot: &Slot,
) -> Result<Done, CloudError> {
    if slot.class == Class::Peering {
        return Ok(Done::default());
    }
    let id = ResourceId::new(x.id(slot)?);
    let mut tags = tags(client, "release", &id).await?;
    for ours in [OWNER_TAG, CLUSTER_TAG, SLOT_TAG, OBJECT_TAG] {
        tags.remove(ours);
    }
    Ok(done(
        None,
        Some(client.patch_tags("release", &id, &tags).await?),
    ))
}
