//! The API server's audit log (level Metadata): who asked what, and what was answered.
//!
//! May only read it. `apiserver_request_total` does not count refusals by resource (controlplane.md §3), so this is where
//! tests see that an operator's ServiceAccount was never refused, and which rules of its Role it used.

use std::fs;
use std::io;
use std::path::Path;

use serde::Deserialize;

/// One answered request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// `system:serviceaccount:NAMESPACE:NAME`, `admin`, …
    pub user: String,
    /// get, list, watch, create, update, patch, delete, deletecollection; for non-resource paths the HTTP method.
    pub verb: String,
    /// API group; empty for the core group and for non-resource paths.
    pub group: String,
    /// Plural, such as `secrets`; empty for non-resource paths.
    pub resource: String,
    /// Such as `status`; usually empty.
    pub subresource: String,
    /// Empty for cluster-wide requests.
    pub namespace: String,
    /// Empty for collections.
    pub name: String,
    /// Path and query.
    pub uri: String,
    /// HTTP status of the answer.
    pub code: u16,
}

/// All answered requests so far, in the order of their answers. A watch appears twice: when it starts and when it ends.
pub fn read(log: &Path) -> io::Result<Vec<AuditEvent>> {
    let text = fs::read_to_string(log)?;
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole
        .lines()
        .map(|line| parse(line).map_err(io::Error::from))
        .collect()
}

fn parse(line: &str) -> serde_json::Result<AuditEvent> {
    let Event {
        user,
        verb,
        request_uri,
        object_ref,
        response_status,
    } = serde_json::from_str(line)?;
    Ok(AuditEvent {
        user: user.username,
        verb,
        group: object_ref.api_group,
        resource: object_ref.resource,
        subresource: object_ref.subresource,
        namespace: object_ref.namespace,
        name: object_ref.name,
        uri: request_uri,
        code: response_status.code,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    user: User,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}
