//! Test support: a transport that answers from a list and remembers what it was asked. Only for recorded shapes; the
//! life of the clouds is tested against the sandbox (`tests/clients.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc
)] // test support

use super::transport::{Transport, TransportError, TransportErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use causeway_model::intent::Sent;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What to answer.
#[derive(Debug)]
pub enum Say {
    Json(u16, Value),
    /// Status, headers, body.
    Full(u16, Vec<(&'static str, String)>, String),
    Fail(TransportErrorKind, Sent),
}

/// A request as it was sent.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub url: String,
    pub headers: http::HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Token requests are answered by themselves and kept apart; everything else follows the list.
#[derive(Default)]
pub struct Scripted {
    answers: Mutex<VecDeque<Say>>,
    token_answers: Mutex<VecDeque<Say>>,
    seen: Mutex<Vec<Seen>>,
    tokens: Mutex<Vec<Seen>>,
}

impl std::fmt::Debug for Scripted {
    /// Without what it recorded: tests look for secrets in the `Debug` of clients.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    pub fn new(answers: impl IntoIterator<Item = Say>) -> Arc<Self> {
        Self::with_tokens([], answers)
    }
    /// With answers for the first token requests.
    pub fn with_tokens(
        tokens: impl IntoIterator<Item = Say>,
        answers: impl IntoIterator<Item = Say>,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            token_answers: Mutex::new(tokens.into_iter().collect()),
            ..Self::default()
        })
    }
    /// What was asked, token requests apart.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
    pub fn tokens(&self) -> Vec<Seen> {
        self.tokens.lock().unwrap().clone()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let url = req.uri().to_string();
        let seen = Seen {
            method: req.method().to_string(),
            url: url.clone(),
            headers: req.headers().clone(),
            body: req.body().clone(),
        };
        let say = if url.contains("oauth2") {
            let mut tokens = self.tokens.lock().unwrap();
            tokens.push(seen);
            let n = tokens.len();
            self.token_answers.lock().unwrap().pop_front().unwrap_or_else(|| {
                Say::Json(
                    200,
                    serde_json::json!({"access_token": format!("token-{n}"), "token_type": "Bearer", "expires_in": 3600}),
                )
            })
        } else {
            self.seen.lock().unwrap().push(seen);
            self.answers
                .lock()
                .unwrap()
                .pop_front()
                .unwrap_or_else(|| panic!("unexpected request: {url}"))
        };
        let build = |status: u16, headers: Vec<(&'static str, String)>, body: String| {
            let mut res = http::Response::builder().status(status);
            for (k, v) in headers {
                res = res.header(k, v);
            }
            Ok(res.body(Bytes::from(body)).unwrap())
        };
        match say {
            Say::Json(status, body) => build(
                status,
                vec![("content-type", "application/json".into())],
                body.to_string(),
            ),
            Say::Full(status, headers, body) => build(status, headers, body),
            Say::Fail(kind, sent) => Err(TransportError::new(kind, sent, "as scripted")),
        }
    }
}
