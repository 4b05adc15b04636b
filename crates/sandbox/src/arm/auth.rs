//! The identity platform as far as service principals need it: OpenID configuration, instance discovery, the token
//! endpoint (client credentials), and the check of bearer tokens at ARM (azure.md §1.1, §11).
//!
//! Token lifetimes are real time: clients compare them with their own clock.

use super::errors::ArmError;
use crate::state::State;
use crate::wire::{Call, Provider, Req, Res};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::{SystemTime, UNIX_EPOCH};

const AUDIENCE: &str = "https://management.azure.com";

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs())
}

fn sign(key: &str, text: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return String::new();
    };
    mac.update(text.as_bytes());
    B64.encode(mac.finalize().into_bytes())
}

/// Who an access token was issued to, or the refusal that ARM gives.
pub fn principal(state: &State, req: &Req) -> Result<String, Box<Res>> {
    let world = &state.world.azure;
    let refuse = |code: &str, message: &str| {
        let challenge = format!(
            "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"{message}\"",
            world.authority, world.tenant_id
        );
        Box::new(
            ArmError::new(401, code, message)
                .answer()
                .with("www-authenticate", &challenge),
        )
    };
    let Some(header) = req.header("authorization") else {
        return Err(refuse(
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        ));
    };
    let Some(token) = header
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "))
        .and_then(|_| header.get(7..))
    else {
        return Err(refuse(
            "AuthenticationFailedInvalidHeader",
            "Authentication failed. The 'Authorization' header is provided in an invalid format.",
        ));
    };
    let invalid = || refuse("InvalidAuthenticationToken", "The access token is invalid.");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(invalid)?;
    if sign(&state.azure.token_key, signed) != signature {
        return Err(invalid());
    }
    let claims: Value = signed
        .split_once('.')
        .and_then(|(_, payload)| B64.decode(payload).ok())
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(invalid)?;
    if claims["exp"].as_u64().unwrap_or(0) <= now() {
        return Err(refuse(
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        ));
    }
    let audience = claims["aud"].as_str().unwrap_or_default();
    if audience.trim_end_matches('/') != AUDIENCE {
        return Err(refuse(
            "InvalidAuthenticationTokenAudience",
            "The access token has been obtained for wrong audience or resource. It should exactly match with one of the \
             allowed audiences 'https://management.core.windows.net/','https://management.azure.com/'.",
        ));
    }
    let app = claims["appid"].as_str().unwrap_or_default();
    named(state, app).map(str::to_owned).ok_or_else(invalid)
}

/// The principal of an app registration.
fn named(state: &State, client_id: &str) -> Option<&'static str> {
    let world = &state.world.azure;
    if world.causeway.client_id.eq_ignore_ascii_case(client_id) {
        Some("causeway")
    } else if world.human.client_id.eq_ignore_ascii_case(client_id) {
        Some("human")
    } else {
        None
    }
}

/// An access token for an app, as the token endpoint issues it.
pub fn issue(state: &State, client_id: &str, audience: &str, issuer: &str) -> String {
    let world = &state.world.azure;
    let from = now();
    let claims = json!({
        "aud": audience, "iss": issuer, "iat": from, "nbf": from,
        "exp": from + world.token_lifetime_seconds,
        "appid": client_id, "oid": client_id, "sub": client_id, "tid": world.tenant_id, "ver": "1.0",
    });
    let head = B64.encode(json!({"typ": "JWT", "alg": "HS256", "kid": "sandbox"}).to_string());
    let signed = format!("{head}.{}", B64.encode(claims.to_string()));
    let signature = sign(&state.azure.token_key, &signed);
    format!("{signed}.{signature}")
}

/// The operation that a request to the authority is.
pub fn identify(req: &Req) -> Call {
    let path = req.path.to_ascii_lowercase();
    let operation = if path.ends_with("/oauth2/v2.0/token") || path.ends_with("/oauth2/token") {
        "token.post"
    } else if path.ends_with("/.well-known/openid-configuration") {
        "openidConfiguration.get"
    } else if path.ends_with("/discovery/instance") {
        "instanceDiscovery.get"
    } else if path.ends_with("/discovery/v2.0/keys") {
        "keys.get"
    } else {
        "unknown"
    };
    Call {
        provider: Provider::Azure,
        operation: operation.into(),
        mutating: false,
        resource: None,
        principal: String::new(),
    }
}

/// Answers the authority's listener.
pub fn handle(state: &State, call: &Call, req: &Req) -> Res {
    match call.operation.as_str() {
        "token.post" => token(state, req),
        "openidConfiguration.get" => {
            let tenant = req
                .path
                .trim_start_matches('/')
                .split('/')
                .next()
                .unwrap_or_default();
            if let Err(e) = tenant_known(state, tenant) {
                return *e;
            }
            let base = &req.base;
            Res::json(
                200,
                &json!({
                    "token_endpoint": format!("{base}/{tenant}/oauth2/v2.0/token"),
                    "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                    "jwks_uri": format!("{base}/{tenant}/discovery/v2.0/keys"),
                    "response_modes_supported": ["query", "fragment", "form_post"],
                    "subject_types_supported": ["pairwise"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                    "scopes_supported": ["openid", "profile", "email", "offline_access"],
                    "issuer": format!("{base}/{tenant}/v2.0"),
                    "authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/authorize"),
                    "device_authorization_endpoint": format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
                    "tenant_region_scope": "NA",
                    "cloud_instance_name": host(base),
                }),
            )
        }
        "instanceDiscovery.get" => {
            let host = host(&req.base);
            let tenant = &state.world.azure.tenant_id;
            Res::json(
                200,
                &json!({
                    "tenant_discovery_endpoint": format!("{}/{tenant}/v2.0/.well-known/openid-configuration", req.base),
                    "api-version": "1.1",
                    "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
                }),
            )
        }
        // Access tokens are opaque to clients: there is no public key to publish.
        "keys.get" => Res::json(200, &json!({"keys": []})),
        _ => Res::empty(404),
    }
}

fn host(base: &str) -> &str {
    base.split_once("://").map_or(base, |(_, h)| h)
}

fn refuse(status: u16, error: &str, code: u32, text: &str) -> Res {
    let trace = "00000000-0000-0000-0000-000000000000";
    Res::json(
        status,
        &json!({
            "error": error,
            "error_description": format!("AADSTS{code}: {text}"),
            "error_codes": [code],
            "timestamp": jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            "trace_id": trace,
            "correlation_id": trace,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        }),
    )
}

fn tenant_known(state: &State, tenant: &str) -> Result<(), Box<Res>> {
    if tenant.eq_ignore_ascii_case(&state.world.azure.tenant_id) {
        return Ok(());
    }
    Err(Box::new(refuse(
        400,
        "invalid_tenant",
        90002,
        &format!("Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."),
    )))
}

fn token(state: &State, req: &Req) -> Res {
    let tenant = req
        .path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    if let Err(e) = tenant_known(state, tenant) {
        return *e;
    }
    let form = req.form();
    let field = |name: &str| {
        form.iter()
            .find(|(k, _)| k == name)
            .map_or("", |(_, v)| v.as_str())
    };
    match field("grant_type") {
        "client_credentials" => {}
        "" => {
            return refuse(
                400,
                "invalid_request",
                900144,
                "The request body must contain the following parameter: 'grant_type'.",
            );
        }
        other => {
            return refuse(
                400,
                "unsupported_grant_type",
                70003,
                &format!("The app requested an unsupported grant type '{other}'."),
            );
        }
    }
    let (basic_id, basic_secret) = basic(req).unwrap_or_default();
    let client_id = if basic_id.is_empty() {
        field("client_id")
    } else {
        basic_id.as_str()
    };
    let secret = if basic_secret.is_empty() {
        field("client_secret")
    } else {
        basic_secret.as_str()
    };
    let world = &state.world.azure;
    let expected = match named(state, client_id) {
        Some("causeway") => &world.causeway.client_secret,
        Some(_) => &world.human.client_secret,
        None => {
            return refuse(
                400,
                "unauthorized_client",
                700016,
                &format!(
                    "Application with identifier '{client_id}' was not found in the directory."
                ),
            );
        }
    };
    if !field("client_assertion").is_empty() {
        return refuse(
            400,
            "invalid_client",
            70021,
            "No matching federated identity record found for presented assertion.",
        );
    }
    if secret.is_empty() {
        return refuse(
            401,
            "invalid_client",
            7000218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        );
    }
    if secret != expected {
        return refuse(
            401,
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not \
             the client secret ID.",
        );
    }
    let scope = if field("scope").is_empty() {
        field("resource")
    } else {
        field("scope")
    };
    let Some(scope) = scope
        .split(' ')
        .find(|s| s.ends_with("/.default") || req.path.ends_with("/oauth2/token"))
    else {
        return refuse(
            400,
            "invalid_scope",
            1002012,
            &format!(
                "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
            ),
        );
    };
    let audience = scope.strip_suffix("/.default").unwrap_or(scope);
    let known = [
        AUDIENCE,
        "https://management.core.windows.net",
        "https://metrics.monitor.azure.com",
        "https://graph.microsoft.com",
    ];
    if !known.contains(&audience.trim_end_matches('/')) {
        return refuse(
            400,
            "invalid_resource",
            500011,
            &format!("The resource principal named {audience} was not found in the tenant."),
        );
    }
    let audience = audience.replace("management.core.windows.net", "management.azure.com");
    let issuer = format!("{}/{tenant}/", req.base);
    let lifetime = world.token_lifetime_seconds;
    Res::json(
        200,
        &json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": issue(state, client_id, audience.trim_end_matches('/'), &issuer),
        }),
    )
    .with("cache-control", "no-store, no-cache")
}

/// Client ID and secret from HTTP basic authentication, form-decoded (RFC 6749 §2.3.1).
fn basic(req: &Req) -> Option<(String, String)> {
    let text = req.header("authorization")?.strip_prefix("Basic ")?;
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |s: &str| {
        url::form_urlencoded::parse(s.as_bytes())
            .next()
            .map(|(k, _)| k.into_owned())
            .unwrap_or_default()
    };
    Some((plain(id), plain(secret)))
}
