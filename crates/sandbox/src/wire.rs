//! Requests and answers as values, independent of sockets: a provider is a synchronous function from a request and the
//! state to an answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which listener a request came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Listener {
    /// `management.azure.com`.
    Azure,
    /// `login.microsoftonline.com`.
    AzureAuthority,
    /// All AWS services on one listener; the credential scope tells which.
    Aws,
    /// `api.megaport.com`.
    Megaport,
    /// Megaport's token endpoint.
    MegaportAuth,
    /// The sandbox's own control API.
    Control,
}

/// The provider of a call, as the contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    Azure,
    Aws,
    Megaport,
}

/// A request with its body read.
#[derive(Debug, Clone)]
pub struct Req {
    pub method: Method,
    /// Path without query, still percent-encoded.
    pub path: String,
    /// Decoded query parameters, in order.
    pub query: Vec<(String, String)>,
    pub raw_query: String,
    /// `scheme://host:port` that the client used: absolute links in answers stay on it (azure.md §11).
    pub base: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Req {
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(k, _)| k.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }
    /// The body as JSON; `None` when it is not JSON. An empty body is `Null`.
    pub fn json(&self) -> Option<Value> {
        if self.body.is_empty() {
            Some(Value::Null)
        } else {
            serde_json::from_slice(&self.body).ok()
        }
    }
    /// Form-encoded body parameters, decoded, in order.
    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Res {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Res {
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(
            http::header::CONTENT_TYPE,
            HeaderValue::from_static(content_type),
        );
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            status,
            headers,
            body: body.into(),
        }
    }
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }
    pub fn empty(status: u16) -> Self {
        let mut res = Self::new(status, "text/plain", Bytes::new());
        res.headers.clear();
        res
    }
    /// Adds a header; a value that HTTP cannot carry is dropped.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(v) = HeaderValue::from_str(value) {
            self.headers.insert(name, v);
        }
        self
    }
}

/// What a request is, told before it is carried out: for faults, the call log and authorisation.
#[derive(Debug, Clone)]
pub struct Call {
    pub provider: Provider,
    /// `Type.verb` on ARM (`expressRouteCircuits.put`), the Action on AWS (`CreateVpnGateway`), method and route
    /// template on Megaport (`POST /v4/networkdesign/buy`).
    pub operation: String,
    pub mutating: bool,
    /// The resource that the path or body names first, as the provider spells its ID; used to match faults.
    pub resource: Option<String>,
    /// Who called: `causeway`, `human`, or another name from the world file. Empty where nobody is authenticated.
    pub principal: String,
}
