//! API keys and access tokens (megaport.md §1.2). Tokens live in real time (§13.4).

use super::world::ApiKey;
use crate::state::State;
use crate::wire::{Req, Res};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};

/// A token that was given out.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Token {
    pub principal: String,
    /// Seconds since the Unix epoch, real time.
    pub expires: u64,
}

fn real_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

/// The key that a token request presents, as Basic credentials or in the form.
fn presented(req: &Req) -> Option<(String, String)> {
    let basic = req
        .header("authorization")
        .and_then(|h| h.strip_prefix("Basic "))
        .and_then(|b| {
            base64::engine::general_purpose::STANDARD
                .decode(b.trim())
                .ok()
        })
        .and_then(|b| String::from_utf8(b).ok())
        .and_then(|t| t.split_once(':').map(|(a, s)| (a.to_owned(), s.to_owned())));
    basic.or_else(|| {
        let form = req.form();
        let of = |name: &str| form.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone());
        Some((of("client_id")?, of("client_secret")?))
    })
}

fn key_of<'a>(state: &'a State, req: &Req) -> Option<&'a ApiKey> {
    let (access, secret) = presented(req)?;
    let world = &state.world.megaport;
    [&world.causeway, &world.human]
        .into_iter()
        .find(|k| k.access_key == access && k.secret_key.expose() == secret)
}

/// Who asks for a token; empty when the key is wrong.
pub fn principal(state: &State, req: &Req) -> String {
    key_of(state, req)
        .map(|k| k.principal.clone())
        .unwrap_or_default()
}

/// `POST /oauth2/token`. The grant type may be in the query or in the form.
pub fn token(state: &mut State, req: &Req) -> Res {
    let grant = req.query("grant_type").map(str::to_owned).or_else(|| {
        req.form()
            .into_iter()
            .find(|(k, _)| k == "grant_type")
            .map(|(_, v)| v)
    });
    let refuse = |status: u16, error: &str| Res::json(status, &json!({"error": error}));
    match grant.as_deref() {
        Some("client_credentials") => {}
        Some(_) => return refuse(400, "unsupported_grant_type"),
        None => return refuse(400, "invalid_request"),
    }
    let Some(principal) = key_of(state, req).map(|k| k.principal.clone()) else {
        return refuse(400, "invalid_client");
    };
    let now = real_now();
    let seconds = state.world.megaport.token_seconds;
    let token = format!("mpt-{}", state.rng.hex(48));
    state.megaport.tokens.retain(|_, t| t.expires > now);
    state.megaport.tokens.insert(
        token.clone(),
        Token {
            principal,
            expires: now + seconds,
        },
    );
    Res::json(
        200,
        &json!({"access_token": token, "expires_in": seconds, "token_type": "Bearer"}),
    )
}

/// Whose token a request carries; `None` when it has none, or one that is unknown or has expired.
pub fn bearer(state: &State, req: &Req) -> Option<String> {
    let token = req.header("authorization")?.strip_prefix("Bearer ")?;
    state
        .megaport
        .tokens
        .get(token.trim())
        .filter(|t| t.expires > real_now())
        .map(|t| t.principal.clone())
}
