//! The core: one authenticated exchange, its envelope taken off, its errors classified.

use super::auth::{Tokens, unreachable};
use super::classify::classify;
use crate::clients::http::{Endpoints, Transport};
use crate::clients::wire::{json_defect, table_defect};
use bytes::Bytes;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use causeway_model::secret::Secret;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MegaportCredential {
    pub access_key: String,
    pub secret_key: Secret,
}

/// A client for one API key. Clones share the token: make one per key and keep it.
#[derive(Debug, Clone)]
pub struct MegaportClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    tokens: Tokens,
    transport: Arc<dyn Transport>,
    base: String,
}

/// A request before it has a token.
pub(super) struct Ask<'a> {
    /// Method and route template, as the call log names it.
    pub operation: &'static str,
    /// The object, for messages.
    pub resource: String,
    /// What stands for the placeholder in the operation's route; `None` where it has none.
    id: Option<&'a str>,
    /// Query, with its `?`.
    query: String,
    pub body: Option<Value>,
    /// Values that must not appear in an error, should the service quote them.
    pub secrets: Vec<&'a Secret>,
    /// No secret can be in the answer, so that one which is not understood may be quoted.
    quotable: bool,
}

impl<'a> Ask<'a> {
    /// A call whose route names no object.
    pub fn new(operation: &'static str, resource: &str) -> Self {
        Self {
            operation,
            resource: resource.to_owned(),
            id: None,
            query: String::new(),
            body: None,
            secrets: Vec::new(),
            quotable: false,
        }
    }
    /// A call on the object with this UID.
    pub fn on(operation: &'static str, uid: &'a str) -> Self {
        Self::new(operation, uid).id(uid)
    }
    /// What stands in the route, where that is not what messages should show.
    pub fn id(mut self, id: &'a str) -> Self {
        self.id = Some(id);
        self
    }
    pub fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }
    /// The answer is a table of routes, or the number under which one will be found.
    pub fn table(mut self) -> Self {
        self.quotable = true;
        self
    }
    /// Path and query. UIDs and keys come from specs and reads: they must not change the route.
    fn path(&self) -> Result<String, CloudError> {
        let route = self.operation.split(' ').nth(1).unwrap_or_default();
        let Some(id) = self.id else {
            return Ok(format!("{route}{}", self.query));
        };
        let clean = !id.is_empty()
            && id
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        if !clean {
            return Err(CloudError::new(
                Provider::Megaport,
                self.operation,
                self.resource.clone(),
                Intent::Terminal,
                "InvalidIdentifier",
                "the UID or key is empty or has characters that no Megaport identifier has",
            ));
        }
        let path = route.replace("{uid}", id).replace("{key}", id);
        Ok(format!("{path}{}", self.query))
    }
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
    pub fn secrets(mut self, secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        self.secrets.extend(secrets);
        self
    }
    /// Method, from the operation's name.
    fn method(&self) -> Method {
        let word = self.operation.split(' ').next().unwrap_or("GET");
        Method::from_bytes(word.as_bytes()).unwrap_or(Method::GET)
    }
    pub fn unreadable(&self, why: &str, sent: Sent) -> CloudError {
        CloudError::new(
            Provider::Megaport,
            self.operation,
            self.resource.clone(),
            Intent::Transient { retry_after: None },
            "UnreadableAnswer",
            format!("the answer cannot be understood: {why}"),
        )
        .sent(sent)
    }
}

impl MegaportClient {
    /// Tells clients apart: clones of one share it, for as long as one of them lives.
    pub fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner) as usize
    }

    /// Makes a client; nothing is sent.
    pub fn new(
        credential: &MegaportCredential,
        transport: Arc<dyn Transport>,
        endpoints: &Endpoints,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                tokens: Tokens::new(
                    endpoints.megaport_auth.clone(),
                    credential.access_key.clone(),
                    credential.secret_key.clone(),
                ),
                transport,
                base: endpoints.megaport.clone(),
            }),
        }
    }

    /// Obtains a token: proves that the key is usable.
    pub async fn check_access(&self) -> Result<(), CloudError> {
        self.inner
            .tokens
            .get(&self.inner.transport)
            .await
            .map(|_| ())
    }

    /// Sends a request; answers the status and the `data` of the envelope (null when there is none).
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<(u16, Value), CloudError> {
        let url = format!("{}{}", self.inner.base, ask.path()?);
        let mut again = true;
        loop {
            let token = self.inner.tokens.get(&self.inner.transport).await?;
            let res = self.exchange(ask, &url, &token).await?;
            let status = res.status().as_u16();
            if status == 401 && again {
                // Refused before anything was carried out: the one repetition that is safe for orders too.
                again = false;
                self.inner.tokens.refused(&token).await;
                continue;
            }
            if !res.status().is_success() {
                let e = classify(
                    ask.operation,
                    &ask.resource,
                    status,
                    res.headers(),
                    res.body(),
                );
                return Err(masked(ask, e));
            }
            if res.body().is_empty() {
                return Ok((status, Value::Null));
            }
            let mut body: Value = serde_json::from_slice(res.body()).map_err(|e| {
                let defect = if ask.quotable {
                    table_defect(&e, res.body())
                } else {
                    json_defect(&e)
                };
                ask.unreadable(&defect, Sent::Yes)
            })?;
            let data = body.get_mut("data").map(Value::take).unwrap_or_default();
            return Ok((status, data));
        }
    }

    /// The `data` of an answer as a type.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, CloudError> {
        let (_, data) = self.ask(ask).await?;
        serde_json::from_value(data).map_err(|e| ask.unreadable(&json_defect(&e), Sent::No))
    }

    async fn exchange(
        &self,
        ask: &Ask<'_>,
        url: &str,
        token: &Secret,
    ) -> Result<http::Response<Bytes>, CloudError> {
        let mut req = http::Request::builder()
            .method(ask.method())
            .uri(url)
            .header("accept", "application/json")
            .header(
                "user-agent",
                concat!("causeway/", env!("CARGO_PKG_VERSION")),
            )
            .header("authorization", format!("Bearer {}", token.expose()));
        if ask.method() != Method::GET {
            req = req.header("content-type", "application/json");
        }
        let body = ask
            .body
            .as_ref()
            .map(|b| Bytes::from(b.to_string()))
            .unwrap_or_default();
        let req = req.body(body).map_err(|_| {
            ask.unreadable(
                "it was not asked for, because its URL is malformed",
                Sent::No,
            )
            .intent(Intent::Terminal)
        })?;
        self.inner
            .transport
            .send(req)
            .await
            .map_err(|e| unreachable(ask.operation, &ask.resource, &e))
    }
}

fn masked(ask: &Ask<'_>, e: CloudError) -> CloudError {
    let mut message = e.message.clone();
    for secret in &ask.secrets {
        if secret.expose().len() >= 4 {
            message = message.replace(secret.expose(), "***");
        }
    }
    if message == e.message {
        return e;
    }
    CloudError::new(
        e.provider,
        e.operation.clone(),
        e.resource.clone(),
        e.intent.clone(),
        e.code.clone(),
        message,
    )
    .request_id(e.request_id.clone())
    .sent(e.sent)
}
