//! The generic core: authenticated requests, typed reads, paged lists, full-replace writes, and long-running operations
//! that are looked at and never waited for (azure.md §1).

use super::auth::AzureCredential;
use super::classify::{classify, classify_operation};
use super::diagnostics::Long;
use super::id::ResourceId;
use super::tokens::Tokens;
use crate::clients::http::{Endpoints, Transport, TransportErrorKind};
use crate::clients::wire::{self, json_defect, table_defect};
use bytes::Bytes;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use http::{HeaderMap, Method, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// The pinned API version: it has every operation that is used here, and specs newer than the service have happened
/// (azure.md §0).
pub const API_VERSION: &str = "2025-05-01";

/// A list that does not end after this many pages is broken.
const MAX_PAGES: usize = 1000;

/// An accepted write. The resource decides whether it is done; the URL serves for error details (azure.md §1.2).
#[derive(Clone, PartialEq)]
pub struct Accepted {
    /// `Azure-AsyncOperation`, else `Location`; `None` when the write was synchronous.
    pub operation_url: Option<String>,
    pub retry_after: Option<Duration>,
    /// The resource as the service answered it; null for deletions.
    pub body: Value,
}

impl std::fmt::Debug for Accepted {
    /// Without the body: it may carry keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepted")
            .field("operation_url", &self.operation_url)
            .field("retry_after", &self.retry_after)
            .finish_non_exhaustive()
    }
}

/// How a long-running operation stands.
#[derive(Debug, Clone, PartialEq)]
pub enum OperationStatus {
    InProgress { retry_after: Option<Duration> },
    Succeeded,
    Failed(CloudError),
}

/// A client for one subscription and one identity. Clones share the token cache; make one per credential and keep it.
#[derive(Debug, Clone)]
pub struct AzureClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    subscription: String,
    tokens: Tokens,
    transport: Arc<dyn Transport>,
    base: String,
    api_version: String,
}

impl AzureClient {
    /// Makes a client; fails with [`Intent::Auth`] when the credential is malformed. Nothing is sent.
    pub fn new(
        subscription: &str,
        credential: &AzureCredential,
        transport: Arc<dyn Transport>,
        endpoints: &Endpoints,
        api_version: &str,
    ) -> Result<Self, CloudError> {
        let tokens = Tokens::new(credential, &transport, endpoints)?;
        Ok(Self {
            inner: Arc::new(Inner {
                subscription: subscription.to_owned(),
                tokens,
                transport,
                base: endpoints.azure.clone(),
                api_version: api_version.to_owned(),
            }),
        })
    }

    /// Tells clients apart: clones of one share it, for as long as one of them lives.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }

    pub fn subscription(&self) -> &str {
        &self.inner.subscription
    }

    /// A Microsoft.Network resource of this subscription.
    pub fn id(&self, resource_group: &str, kind: &str, name: &str) -> ResourceId {
        ResourceId::network(&self.inner.subscription, resource_group, kind, name)
    }

    /// Obtains a token and reads the resource group: proves that the credentials are usable (the `CredentialsInvalid`
    /// and `ReferenceNotFound` reasons of `Accepted`).
    pub async fn check_access(&self, resource_group: &str) -> Result<(), CloudError> {
        let id = ResourceId::new(format!(
            "/subscriptions/{}/resourceGroups/{resource_group}",
            self.inner.subscription
        ));
        let url = format!("{}{id}?api-version=2022-09-01", self.inner.base);
        self.exchange("resourceGroups.get", &id, Method::GET, &url, None, None)
            .await
            .map(|_| ())
    }

    /// Reads a resource; an absent one is an error with [`Intent::NotFound`].
    pub async fn get<T: DeserializeOwned>(
        &self,
        operation: &str,
        id: &ResourceId,
    ) -> Result<T, CloudError> {
        let url = self.url(operation, id, "")?;
        let res = self
            .exchange(operation, id, Method::GET, &url, None, None)
            .await?;
        decode(operation, id, res.body(), Sent::No)
    }

    /// Reads a resource that may be absent.
    pub async fn find<T: DeserializeOwned>(
        &self,
        operation: &str,
        id: &ResourceId,
    ) -> Result<Option<T>, CloudError> {
        match self.get(operation, id).await {
            Ok(t) => Ok(Some(t)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// All resources of a Microsoft.Network type in a resource group.
    pub async fn list<T: DeserializeOwned>(
        &self,
        operation: &str,
        resource_group: &str,
        kind: &str,
    ) -> Result<Vec<T>, CloudError> {
        let id = ResourceId::new(format!(
            "/subscriptions/{}/resourceGroups/{resource_group}/providers/Microsoft.Network/{kind}",
            self.inner.subscription
        ));
        self.list_at(operation, &id).await
    }

    /// A paged list at any path; `nextLink` is followed as it is (azure.md §1.6).
    pub async fn list_at<T: DeserializeOwned>(
        &self,
        operation: &str,
        id: &ResourceId,
    ) -> Result<Vec<T>, CloudError> {
        let mut url = self.url(operation, id, "")?;
        let mut out = Vec::new();
        for _ in 0..MAX_PAGES {
            let res = self
                .exchange(operation, id, Method::GET, &url, None, None)
                .await?;
            let page: Page = decode(operation, id, res.body(), Sent::No)?;
            for item in page.value {
                out.push(
                    serde_json::from_value(item)
                        .map_err(|e| unreadable(operation, id, &json_defect(&e), Sent::No))?,
                );
            }
            match page.next_link.filter(|l| !l.is_empty()) {
                Some(next) => url = self.own_url(operation, id, next)?,
                None => return Ok(out),
            }
        }
        Err(unreadable(
            operation,
            id,
            &format!("the list did not end after {MAX_PAGES} pages"),
            Sent::No,
        ))
    }

    /// Replaces a resource as a whole. With `if_match` the write fails with [`Intent::Conflict`] when the resource has
    /// changed since it was read.
    pub async fn put<B: Serialize + ?Sized>(
        &self,
        operation: &str,
        id: &ResourceId,
        body: &B,
        if_match: Option<&str>,
    ) -> Result<Accepted, CloudError> {
        self.write(operation, id, Method::PUT, body, if_match).await
    }

    /// Replaces the tags of a resource: the only PATCH that Microsoft.Network knows (azure.md §1.3).
    pub async fn patch_tags(
        &self,
        operation: &str,
        id: &ResourceId,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> Result<Accepted, CloudError> {
        let body = serde_json::json!({ "tags": tags });
        self.write(operation, id, Method::PATCH, &body, None).await
    }

    async fn write<B: Serialize + ?Sized>(
        &self,
        operation: &str,
        id: &ResourceId,
        method: Method,
        body: &B,
        if_match: Option<&str>,
    ) -> Result<Accepted, CloudError> {
        let url = self.url(operation, id, "")?;
        let body = serde_json::to_vec(body)
            .map_err(|e| unreadable(operation, id, &json_defect(&e), Sent::No))?;
        let res = self
            .exchange(operation, id, method, &url, Some(body.into()), if_match)
            .await?;
        Ok(accepted(&res))
    }

    /// Deletes a resource; `None` when it was not there (204, or 404 when its parent is gone too).
    pub async fn delete(
        &self,
        operation: &str,
        id: &ResourceId,
    ) -> Result<Option<Accepted>, CloudError> {
        let url = self.url(operation, id, "")?;
        match self
            .exchange(operation, id, Method::DELETE, &url, None, None)
            .await
        {
            Ok(res) if res.status().as_u16() == 204 => Ok(None),
            Ok(res) => Ok(Some(accepted(&res))),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Looks at a long-running write. A 200 may carry a failure; words that nobody documented mean "still running".
    pub async fn operation_status(
        &self,
        operation: &str,
        id: &ResourceId,
        url: &str,
    ) -> Result<OperationStatus, CloudError> {
        let url = self.own_url(operation, id, url.to_owned())?;
        let res = self
            .exchange(operation, id, Method::GET, &url, None, None)
            .await?;
        let retry_after = wire::retry_after(res.headers());
        if res.status().as_u16() == 202 {
            return Ok(OperationStatus::InProgress { retry_after });
        }
        let body: Value = serde_json::from_slice(res.body()).unwrap_or(Value::Null);
        Ok(match body.get("status").and_then(Value::as_str) {
            Some("Succeeded") => OperationStatus::Succeeded,
            Some(word @ ("Failed" | "Canceled")) => {
                let fallback = serde_json::json!({ "code": format!("Operation{word}") });
                OperationStatus::Failed(classify_operation(
                    operation,
                    id,
                    body.get("error")
                        .filter(|e| !e.is_null())
                        .unwrap_or(&fallback),
                ))
            }
            Some(_) => OperationStatus::InProgress { retry_after },
            // A `Location` URL answers with the plain result once it is done (azure.md §1.2).
            None => OperationStatus::Succeeded,
        })
    }

    /// Starts a diagnostic POST at `{id}/{action}`.
    pub(super) async fn start<T: DeserializeOwned + Default>(
        &self,
        operation: &str,
        id: &ResourceId,
        action: &str,
        query: &str,
    ) -> Result<Long<T>, CloudError> {
        let at = ResourceId::new(format!("{id}/{action}"));
        let url = self.url(operation, &at, query)?;
        let res = self
            .exchange(operation, id, Method::POST, &url, Some(Bytes::new()), None)
            .await?;
        long(operation, id, &res, None)
    }

    /// Looks at a diagnostic: decided by the HTTP status alone, the result has no `status` field (azure.md §1.2).
    pub async fn poll<T: DeserializeOwned + Default>(
        &self,
        operation: &str,
        id: &ResourceId,
        location: &str,
    ) -> Result<Long<T>, CloudError> {
        let url = self.own_url(operation, id, location.to_owned())?;
        let res = self
            .exchange(operation, id, Method::GET, &url, None, None)
            .await?;
        long(operation, id, &res, Some(location))
    }

    fn url(&self, operation: &str, id: &ResourceId, query: &str) -> Result<String, CloudError> {
        if let Some(defect) = id.defect() {
            return Err(CloudError::new(
                Provider::Azure,
                operation,
                id.as_str(),
                Intent::Terminal,
                "InvalidResourceID",
                format!("the resource ID is not usable: {defect}"),
            ));
        }
        Ok(format!(
            "{}{id}?api-version={}{query}",
            self.inner.base, self.inner.api_version
        ))
    }

    /// A URL that the service gave us, if it stays on the service: a token must not follow a link elsewhere.
    fn own_url(&self, operation: &str, id: &ResourceId, url: String) -> Result<String, CloudError> {
        let own = |base: &str| {
            let (base, there) = (url::Url::parse(base).ok()?, url::Url::parse(&url).ok()?);
            let (host, theirs) = (base.host_str()?, there.host_str()?);
            let regional = theirs
                .strip_suffix(host)
                .is_some_and(|prefix| prefix.ends_with('.'));
            (base.scheme() == there.scheme()
                && base.port_or_known_default() == there.port_or_known_default()
                && (host == theirs || regional))
                .then_some(())
        };
        if own(&self.inner.base).is_some() {
            return Ok(url);
        }
        Err(CloudError::new(
            Provider::Azure,
            operation,
            id.tail(),
            Intent::Terminal,
            "ForeignLink",
            "the answer links to another host than the configured Azure endpoint; check --azure-endpoint",
        ))
    }

    /// One authenticated exchange; statuses outside 2xx become errors.
    async fn exchange(
        &self,
        operation: &str,
        id: &ResourceId,
        method: Method,
        url: &str,
        body: Option<Bytes>,
        if_match: Option<&str>,
    ) -> Result<Response<Bytes>, CloudError> {
        let inner = &*self.inner;
        let token = inner.tokens.get().await?;
        let mut req = http::Request::builder()
            .method(method.clone())
            .uri(url)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", token.token.secret()))
            .header("x-ms-client-request-id", uuid::Uuid::new_v4().to_string());
        if let Some(etag) = if_match {
            req = req.header("if-match", etag);
        }
        if body.is_some() {
            req = req.header("content-type", "application/json");
        }
        let req = req
            .body(body.unwrap_or_default())
            .map_err(|e| unreadable(operation, id, &e, Sent::No).intent(Intent::Terminal))?;
        let res = inner.transport.send(req).await.map_err(|e| {
            let (intent, code) = match e.kind {
                TransportErrorKind::Invalid => (Intent::Terminal, "InvalidRequest"),
                TransportErrorKind::Connect => {
                    (Intent::Transient { retry_after: None }, "Unreachable")
                }
                TransportErrorKind::Timeout => (Intent::Transient { retry_after: None }, "Timeout"),
                TransportErrorKind::NotLeading => {
                    (Intent::Transient { retry_after: None }, "NotLeading")
                }
                TransportErrorKind::Broken => {
                    (Intent::Transient { retry_after: None }, "ConnectionBroken")
                }
            };
            CloudError::new(
                Provider::Azure,
                operation,
                id.tail(),
                intent,
                code,
                e.message,
            )
            .sent(e.sent)
        })?;
        if res.status().is_success() {
            return Ok(res);
        }
        Err(classify(
            operation,
            id,
            res.status().as_u16(),
            res.headers(),
            res.body(),
        ))
    }
}

#[derive(serde::Deserialize)]
struct Page {
    #[serde(default, deserialize_with = "wire::null_default")]
    value: Vec<Value>,
    #[serde(default, rename = "nextLink")]
    next_link: Option<String>,
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn accepted(res: &Response<Bytes>) -> Accepted {
    Accepted {
        operation_url: header(res.headers(), "azure-asyncoperation")
            .or_else(|| header(res.headers(), "location")),
        retry_after: wire::retry_after(res.headers()),
        // An accepted write whose answer is unreadable is still accepted: the next read tells.
        body: serde_json::from_slice(res.body()).unwrap_or(Value::Null),
    }
}

/// What the answer to a diagnostic's POST or poll says.
fn long<T: DeserializeOwned + Default>(
    operation: &str,
    id: &ResourceId,
    res: &Response<Bytes>,
    polled: Option<&str>,
) -> Result<Long<T>, CloudError> {
    match res.status().as_u16() {
        202 => {
            let location = header(res.headers(), "location")
                .or_else(|| polled.map(str::to_owned))
                .ok_or_else(|| {
                    unreadable(operation, id, &"a 202 without a Location header", Sent::No)
                })?;
            Ok(Long::Running {
                location,
                retry_after: wire::retry_after(res.headers()),
            })
        }
        204 => Ok(Long::Done(T::default())),
        _ => {
            let quoted = |e| unreadable(operation, id, &table_defect(&e, res.body()), Sent::No);
            let body: Value = serde_json::from_slice(res.body()).map_err(quoted)?;
            // Some diagnostics end in an error inside a 200, like every operation.
            if body.get("status").and_then(Value::as_str) == Some("Failed")
                && let Some(error) = body.get("error")
            {
                return Err(classify_operation(operation, id, error));
            }
            // Lists come as {"value": […]}; a single result as itself.
            let value = match body {
                Value::Object(mut o) if o.contains_key("value") => {
                    o.remove("value").unwrap_or_default()
                }
                other => other,
            };
            serde_json::from_value(value)
                .map(Long::Done)
                .map_err(quoted)
        }
    }
}

fn decode<T: DeserializeOwned>(
    operation: &str,
    id: &ResourceId,
    body: &[u8],
    sent: Sent,
) -> Result<T, CloudError> {
    serde_json::from_slice(body).map_err(|e| unreadable(operation, id, &json_defect(&e), sent))
}

fn unreadable(
    operation: &str,
    id: &ResourceId,
    why: &dyn std::fmt::Display,
    sent: Sent,
) -> CloudError {
    CloudError::new(
        Provider::Azure,
        operation,
        id.tail(),
        Intent::Transient { retry_after: None },
        "UnreadableAnswer",
        format!("the answer cannot be understood: {why}"),
    )
    .sent(sent)
}
