//! What was asked and what came of it, and the place where a test interferes.
//!
//! May only describe. Bodies are not kept: Secrets are among them.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// One request. In a hook `status` is still 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiRequest {
    /// Counts from 1, over all clients of this server.
    pub seq: u64,
    /// When it arrived, on the server's clock.
    pub at: Timestamp,
    /// Which client ([`super::ApiServer::client_named`]); empty for [`super::ApiServer::client`].
    pub client: String,
    /// As in RBAC: get, list, watch, create, update, patch, delete, deletecollection. Discovery is `get` without a resource.
    pub verb: &'static str,
    /// Plural and group, as in `vpnpairs.causeway.dev` or `secrets`; empty for discovery.
    pub resource: String,
    /// `status`, or empty.
    pub subresource: String,
    /// Empty for all namespaces and for cluster scope.
    pub namespace: String,
    /// Empty for collections, and for a create that leaves the name to the server.
    pub name: String,
    /// Whether it was only a question (`dryRun`).
    pub dry_run: bool,
    /// HTTP code of the answer, also of one that was lost; 0 when the request itself was lost.
    pub status: u16,
    /// What the hook said.
    pub verdict: Verdict,
}

impl ApiRequest {
    /// Whether it asks for a change.
    pub fn mutating(&self) -> bool {
        !self.dry_run && !matches!(self.verb, "get" | "list" | "watch")
    }

    /// `patch expressroutelinks.causeway.dev/status network/lab-er`: for counting and for messages.
    pub fn line(&self) -> String {
        let mut line = format!("{} {}", self.verb, self.resource);
        if !self.subresource.is_empty() {
            line.push_str(&format!("/{}", self.subresource));
        }
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => {}
            ("", name) => line.push_str(&format!(" {name}")),
            (namespace, name) => line.push_str(&format!(" {namespace}/{name}")),
        }
        line
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// It is worked on and answered.
    #[default]
    Continue,
    /// It never arrives: the client sees a broken connection.
    LoseRequest,
    /// It is done, but the answer never arrives: the client sees a broken connection.
    LoseResponse,
    /// It is refused with this HTTP code, undone.
    Fail(u16),
    /// A read is answered as of that many changes ago, as far back as is known. Anything else continues.
    Stale(u64),
}

/// A change on its way to one watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiEvent {
    /// Whose watch, as in [`ApiRequest::client`].
    pub client: String,
    /// As in [`ApiRequest::resource`].
    pub resource: String,
    pub namespace: String,
    pub name: String,
    /// ADDED, MODIFIED or DELETED.
    pub event: &'static str,
    /// The version that the change has.
    pub revision: u64,
}

/// What becomes of a change on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// It arrives at once.
    #[default]
    Send,
    /// It never arrives; the watch goes on as if it had.
    Drop,
    /// It arrives twice.
    Twice,
    /// It arrives after so long, and everything that comes later on this watch after it.
    Late(Duration),
    /// The connection breaks before it.
    Cut,
}

/// Decides about each change on its way to a watch.
pub(super) type EventHook = Arc<dyn Fn(&ApiEvent) -> Delivery + Send + Sync>;

/// Hears of each request once it was worked on.
pub(super) type AnswerHook = Arc<dyn Fn(&ApiRequest) + Send + Sync>;

/// Decides about each request before it is worked on.
pub(super) type Hook = Arc<dyn Fn(&ApiRequest) -> Verdict + Send + Sync>;
