//! Tokens: fetched with the client credentials, kept until shortly before they expire (wall time: a token's life is not
//! simulated, megaport.md §13.4), and dropped when the API refuses one.

use super::classify::classify;
use crate::clients::http::{Transport, TransportError, TransportErrorKind};
use crate::clients::wire::loose_i64;
use base64::Engine;
use bytes::Bytes;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use causeway_model::secret::Secret;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const OPERATION: &str = "POST /oauth2/token";
/// A token is renewed this long before it expires, or a tenth of its life if that is shorter.
const MARGIN: Duration = Duration::from_mins(1);

/// An API key and what it last got.
#[derive(Debug)]
pub(super) struct Tokens {
    pub url: String,
    pub access_key: String,
    pub secret_key: Secret,
    cached: Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    value: Secret,
    /// In wall time, as the token's life is: a driven clock does not govern it.
    renew_at: Instant,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token's life is wall time on both sides, and decides nothing about clouds"
)]
fn wall_now() -> Instant {
    Instant::now()
}

#[derive(serde::Deserialize)]
struct Reply {
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default, deserialize_with = "loose_i64")]
    expires_in: Option<i64>,
    #[serde(default)]
    error: Option<String>,
}

impl Tokens {
    pub fn new(url: String, access_key: String, secret_key: Secret) -> Self {
        Self {
            url,
            access_key,
            secret_key,
            cached: Mutex::new(None),
        }
    }

    /// A token that is good for a while. Callers that come at once share one request.
    pub async fn get(&self, transport: &Arc<dyn Transport>) -> Result<Secret, CloudError> {
        let mut cached = self.cached.lock().await;
        if let Some(token) = cached.as_ref().filter(|t| t.renew_at > wall_now()) {
            return Ok(token.value.clone());
        }
        let token = self.fetch(transport).await?;
        let value = token.value.clone();
        *cached = Some(token);
        Ok(value)
    }

    /// Forgets a token that was refused; a newer one stays.
    pub async fn refused(&self, value: &Secret) {
        let mut cached = self.cached.lock().await;
        if cached.as_ref().is_some_and(|t| t.value == *value) {
            *cached = None;
        }
    }

    fn subject(&self) -> String {
        format!("API key {}", self.access_key)
    }

    async fn fetch(&self, transport: &Arc<dyn Transport>) -> Result<Token, CloudError> {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!(
            "{}:{}",
            self.access_key,
            self.secret_key.expose()
        ));
        let req = http::Request::builder()
            .method("POST")
            .uri(format!("{}?grant_type=client_credentials", self.url))
            .header("authorization", format!("Basic {basic}"))
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::new())
            .map_err(|_| {
                // http's own words would quote the value.
                self.error(
                    Intent::Auth,
                    "InvalidCredentials",
                    "the token URL or the key has characters that HTTP cannot carry",
                )
            })?;
        let asked = wall_now();
        let res = transport
            .send(req)
            .await
            .map_err(|e| unreachable(OPERATION, &self.subject(), &e).sent(Sent::No))?;
        let status = res.status().as_u16();
        let reply: Option<Reply> = serde_json::from_slice(res.body()).ok();
        if !res.status().is_success() {
            let e = classify(
                OPERATION,
                &self.subject(),
                status,
                res.headers(),
                res.body(),
            );
            // 400 invalid_client and 401 both mean a wrong key; nothing was ordered in any case.
            let e = if (400..500).contains(&status) && status != 429 {
                e.intent(Intent::Auth)
            } else {
                e
            };
            return Err(e.sent(Sent::No));
        }
        match reply {
            // A failure may come with a 2xx (megaport.md §1.2).
            Some(Reply {
                error: Some(error), ..
            }) if !error.is_empty() => Err(self.error(Intent::Auth, "invalid_client", &error)),
            Some(Reply {
                access_token: Some(value),
                expires_in,
                ..
            }) if !value.is_empty() => {
                // The shortest life that a key can have is five minutes.
                let life = Duration::from_secs(
                    expires_in
                        .and_then(|s| u64::try_from(s).ok())
                        .unwrap_or(300),
                );
                Ok(Token {
                    value: Secret::new(value),
                    renew_at: asked + life.saturating_sub(MARGIN.min(life / 10)),
                })
            }
            _ => Err(self.error(
                Intent::Transient { retry_after: None },
                "UnreadableAnswer",
                "the token endpoint answered without a token; check --megaport-auth-endpoint",
            )),
        }
    }

    fn error(&self, intent: Intent, code: &str, message: &str) -> CloudError {
        CloudError::new(
            Provider::Megaport,
            OPERATION,
            self.subject(),
            intent,
            code,
            message,
        )
    }
}

/// A transport failure in our terms.
pub(super) fn unreachable(operation: &str, resource: &str, e: &TransportError) -> CloudError {
    let (intent, code) = match e.kind {
        TransportErrorKind::Invalid => (Intent::Terminal, "InvalidRequest"),
        TransportErrorKind::Connect => (Intent::Transient { retry_after: None }, "Unreachable"),
        TransportErrorKind::Timeout => (Intent::Transient { retry_after: None }, "Timeout"),
        TransportErrorKind::Broken => (Intent::Transient { retry_after: None }, "ConnectionBroken"),
        TransportErrorKind::NotLeading => (Intent::Transient { retry_after: None }, "NotLeading"),
    };
    CloudError::new(
        Provider::Megaport,
        operation,
        resource,
        intent,
        code,
        e.message.clone(),
    )
    .sent(e.sent)
}
