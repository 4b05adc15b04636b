//! Takes secrets out of texts before they enter the call log.
//!
//! Two ways, because each alone leaks: by the name of the field (a request that is refused never enters the state), and
//! by value (a known secret may stand where no name tells). The second needs all known secrets, so it is used only
//! where a body can carry one.

use serde_json::Value;
use std::borrow::Cow;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// Ends of field names that hold secrets at one of the three providers, lower case without `_` and `-`.
const SECRET_NAMES: [&str; 12] = [
    "secret",
    "sharedkey",
    "authkey",
    "authorizationkey",
    "password",
    "clientassertion",
    "secretkey",
    "secretaccesskey",
    "accesstoken",
    "refreshtoken",
    "securitytoken",
    "webidentitytoken",
];

fn is_secret(name: &str) -> bool {
    let plain: String = name
        .rsplit('.')
        .next()
        .unwrap_or(name)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| c.to_ascii_lowercase())
        .collect();
    SECRET_NAMES.iter().any(|s| plain.ends_with(s))
}

/// A request's body (or query) with the values of secret fields masked. `path` tells bodies whose only field is the
/// secret: `PUT …/connections/c/sharedkey` with `{"value": …}`.
pub fn by_name<'a>(text: &'a str, path: &str) -> Cow<'a, str> {
    let trimmed = text.trim_start();
    if trimmed.starts_with(['{', '[']) {
        let Ok(mut value) = serde_json::from_str::<Value>(text) else {
            return Cow::Borrowed(text);
        };
        let is_key = path.to_ascii_lowercase().ends_with("/sharedkey");
        return if mask_json(&mut value, is_key) {
            Cow::Owned(value.to_string())
        } else {
            Cow::Borrowed(text)
        };
    }
    if !text.split('&').any(|pair| is_secret(key_of(pair))) {
        return Cow::Borrowed(text);
    }
    let masked: Vec<Cow<'_, str>> = text
        .split('&')
        .map(|pair| {
            let key = key_of(pair);
            if is_secret(key) {
                Cow::Owned(format!("{key}={MASK}"))
            } else {
                Cow::Borrowed(pair)
            }
        })
        .collect();
    Cow::Owned(masked.join("&"))
}

fn key_of(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(k, _)| k)
}

fn mask_json(value: &mut Value, value_is_secret: bool) -> bool {
    let mut hit = false;
    match value {
        Value::Object(map) => {
            for (key, v) in map.iter_mut() {
                let secret = is_secret(key) || value_is_secret && key == "value";
                if secret && v.is_string() {
                    *v = Value::from(MASK);
                    hit = true;
                } else {
                    hit |= mask_json(v, value_is_secret);
                }
            }
        }
        Value::Array(list) => {
            for v in list {
                hit |= mask_json(v, value_is_secret);
            }
        }
        _ => {}
    }
    hit
}

/// `text` with each of `secrets` masked; values shorter than six characters are too common to be told apart.
pub fn by_value(text: String, secrets: &[String]) -> String {
    secrets
        .iter()
        .filter(|s| s.len() >= 6)
        .fold(text, |t, secret| {
            if t.contains(secret.as_str()) {
                t.replace(secret.as_str(), MASK)
            } else {
                t
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_forms_and_shared_keys() {
        let t = |text: &str, path: &str| by_name(text, path).into_owned();
        assert_eq!(
            t(r#"{"properties":{"sharedKey":"abc","vlanId":100}}"#, "/x"),
            r#"{"properties":{"sharedKey":"***","vlanId":100}}"#
        );
        assert_eq!(
            t(r#"[{"aEndConfig":{"bgp":[{"password":"p"}]}}]"#, "/x"),
            r#"[{"aEndConfig":{"bgp":[{"password":"***"}]}}]"#
        );
        assert_eq!(
            t(
                "Action=CreateVpnConnection&Options.TunnelOptions.1.PreSharedKey=abc&Type=ipsec.1",
                "/"
            ),
            "Action=CreateVpnConnection&Options.TunnelOptions.1.PreSharedKey=***&Type=ipsec.1"
        );
        assert_eq!(
            t(
                "grant_type=client_credentials&client_secret=s&client_id=c",
                "/t"
            ),
            "grant_type=client_credentials&client_secret=***&client_id=c"
        );
        assert_eq!(
            t(r#"{"value":"k"}"#, "/a/connections/c/sharedkey"),
            r#"{"value":"***"}"#
        );
        assert_eq!(t(r#"{"value":"k"}"#, "/a"), r#"{"value":"k"}"#);
    }

    #[test]
    fn text_without_secrets_is_untouched() {
        for text in ["", "a=b&c=d", r#"{ "a" : 1 }"#, "{broken", "plain"] {
            assert!(matches!(by_name(text, "/"), Cow::Borrowed(t) if t == text));
        }
    }

    #[test]
    fn by_value_takes_known_secrets_anywhere() {
        let secrets = ["longenough".to_owned(), "short".to_owned()];
        assert_eq!(
            by_value("x longenough short".into(), &secrets),
            "x *** short"
        );
    }
}
