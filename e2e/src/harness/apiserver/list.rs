//! Lists: at the newest version or an older one, whole or in pages.
//!
//! May only read. A page continues at the version of the first one, as with the API server, until that is compacted.

use std::sync::Arc;

use serde_json::{Value, json};

use super::meta::text;
use super::refuse::Refusal;
use super::serve::Answer;
use super::state::ApiState;
use super::watch::Scope;

/// How to list.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    pub limit: Option<usize>,
    /// What the page before gave; empty for the first.
    pub token: String,
    pub resource_version: String,
    /// `resourceVersionMatch=Exact`.
    pub exact: bool,
}

/// # Errors
/// 410 when the version that a page or an exact list needs is compacted, 400 for a token that is none.
pub(super) fn answer(state: &ApiState, scope: &Scope, params: &Params) -> Result<Answer, Refusal> {
    let (revision, after) = if !params.token.is_empty() {
        let (revision, after) = token(&params.token)?;
        (revision, Some(after))
    } else if params.exact {
        (params.resource_version.parse().unwrap_or(0), None)
    } else {
        (state.revision(), None)
    };
    if revision == state.revision() {
        return Ok(page(
            scope,
            scope.objects(state),
            revision,
            after,
            params.limit,
        ));
    }
    let old = state.as_of(revision)?;
    Ok(page(
        scope,
        scope.objects(&old),
        revision,
        after,
        params.limit,
    ))
}

/// A list of just these.
pub(super) fn of(scope: &Scope, revision: u64, objects: &[Arc<Value>]) -> Answer {
    page(scope, objects.iter(), revision, None, None)
}

type Place = (String, String);

fn place(object: &Value) -> Place {
    (
        text(object, "namespace").to_owned(),
        text(object, "name").to_owned(),
    )
}

fn page<'o>(
    scope: &Scope,
    objects: impl Iterator<Item = &'o Arc<Value>>,
    revision: u64,
    after: Option<Place>,
    limit: Option<usize>,
) -> Answer {
    let mut objects: Vec<_> = objects
        .filter(|object| after.as_ref().is_none_or(|after| place(object) > *after))
        .collect();
    let mut metadata = json!({"resourceVersion": revision.to_string()});
    if let Some(limit) = limit.filter(|limit| objects.len() > *limit) {
        let left = objects.len() - limit;
        objects.truncate(limit);
        if let Some(last) = objects.last() {
            let (namespace, name) = place(last);
            metadata["continue"] = format!("{revision}/{namespace}/{name}").into();
            metadata["remainingItemCount"] = left.into();
        }
    }
    let items: Vec<_> = objects
        .iter()
        .map(|object| {
            let mut item = scope.form(object);
            // The built-in kinds' items do not say what they are; the list does.
            if let (Some(map), true) = (item.as_object_mut(), scope.kind.decode.is_some()) {
                map.retain(|key, _| {
                    scope.metadata_only || !matches!(key.as_str(), "apiVersion" | "kind")
                });
            }
            item
        })
        .collect();
    let (api_version, kind) = if scope.metadata_only {
        (
            "meta.k8s.io/v1".to_owned(),
            "PartialObjectMetadataList".to_owned(),
        )
    } else {
        (scope.kind.api_version(), format!("{}List", scope.kind.kind))
    };
    let list =
        json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items});
    Answer::Json(200, list)
}

fn token(text: &str) -> Result<(u64, Place), Refusal> {
    let mut parts = text.splitn(3, '/');
    let parsed = (|| {
        let revision = parts.next()?.parse().ok()?;
        Some((
            revision,
            (parts.next()?.to_owned(), parts.next()?.to_owned()),
        ))
    })();
    parsed.ok_or_else(|| Refusal::bad_request("continue key is not valid"))
}
