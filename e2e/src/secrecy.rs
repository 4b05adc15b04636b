//! Secrets that must not show: every one of a world, looked for in all that people get to see, in the forms in which it
//! would show.
//!
//! Knows values and texts, and gathers neither. For tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use k8s_openapi::api::core::v1::Secret;
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::LazyLock;

/// Names of JSON fields whose values are secrets, without dashes and underscores.
const NAMES: [&str; 8] = [
    "clientsecret",
    "secretaccesskey",
    "secretkey",
    "servicekey",
    "sharedkey",
    "presharedkey",
    "authkey",
    "authorizationkey",
];

/// What is shorter would be found by chance.
const SHORTEST: usize = 6;

/// A bearer token that is written out. Tokens are made for each login, so they are known by their form.
static TOKEN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?i)(bearer |access_token"?[:=] ?"?)[a-z0-9._~+/-]{16,}"#).ok());

/// Values with a name for each. Prints the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Secrets {
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let value = value.into();
        if value.len() >= SHORTEST {
            self.0.insert(name.into(), value);
        }
    }

    /// Takes the generated keys of a Secret. Of credentials, the secret half is known from the world; IDs are no secrets.
    pub fn take_keys(&mut self, secret: Secret) {
        let name = secret.metadata.name.unwrap_or_default();
        if !name.ends_with("-keys") {
            return;
        }
        for (key, value) in secret.data.unwrap_or_default() {
            let value = String::from_utf8_lossy(&value.0).into_owned();
            self.add(format!("Secret {name} {key}"), value);
        }
    }

    /// Takes every value of a document whose field has the name of a secret; `path` is what the document is called.
    pub fn collect(&mut self, path: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    let plain = name.to_lowercase().replace(['_', '-'], "");
                    let below = format!("{path}.{name}");
                    match value {
                        Value::String(text) if NAMES.contains(&plain.as_str()) => {
                            self.add(below, text.clone());
                        }
                        value => self.collect(&below, value),
                    }
                }
            }
            Value::Array(items) => {
                for (number, item) in items.iter().enumerate() {
                    self.collect(&format!("{path}[{number}]"), item);
                }
            }
            _ => {}
        }
    }

    /// Takes those of another collection, too.
    pub fn extend(&mut self, others: &Self) {
        let others = others.0.iter().map(|(n, v)| (n.clone(), v.clone()));
        self.0.extend(others);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which secret shows where, by name; and where a token does.
    pub fn shown(&self, texts: &BTreeMap<String, String>) -> BTreeSet<String> {
        let mut shown = BTreeSet::new();
        for (name, value) in &self.0 {
            let forms = forms(value);
            for (place, text) in texts {
                if let Some((form, _)) = forms.iter().find(|(_, f)| text.contains(f.as_str())) {
                    shown.insert(format!("{name} in {place} ({form})"));
                }
            }
        }
        if let Some(token) = TOKEN.as_ref() {
            for (place, text) in texts {
                if let Some(found) = token.find(text) {
                    let begin = text.get(..found.start()).unwrap_or_default();
                    let before: String = begin.chars().rev().take(80).collect();
                    let before: String = before.chars().rev().collect();
                    shown.insert(format!("a bearer token in {place}, after: {before}"));
                }
            }
        }
        shown
    }
}

/// A value as it stands in plain text, in JSON, in a form or a URL, and within something that was encoded as Base64 (a Secret, a
/// Basic header), where what is before it decides which of three spellings it has.
fn forms(value: &str) -> Vec<(&'static str, String)> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let url: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let mut all = vec![
        ("as it is", value.to_owned()),
        ("in JSON", json.trim_matches('"').to_owned()),
        ("in a URL", url),
    ];
    for before in 0..3usize {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value.as_bytes());
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        // The ends hold bits of the neighbours.
        let skipped = [0, 2, 3][before];
        let end = encoded.len() - usize::from(bytes.len() % 3 != 0);
        if let Some(inner) = encoded.get(skipped..end).filter(|i| i.len() >= SHORTEST) {
            all.push(("in Base64", inner.to_owned()));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    fn places(text: &str) -> BTreeSet<String> {
        let mut secrets = Secrets::default();
        secrets.collect(
            "world",
            &json!({"aws": [{"secret_access_key": "s3cr+t/\"key"}]}),
        );
        assert_eq!(secrets.len(), 1);
        secrets.shown(&[("log".to_owned(), text.to_owned())].into())
    }

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        let secret = "s3cr+t/\"key";
        for text in [
            format!("it is {secret}."),
            json!({"said": format!("it is {secret}")}).to_string(),
            "client_secret=s3cr%2Bt%2F%22key&x".to_owned(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("i:{secret}")),
            STANDARD.encode(format!("id:{secret}:")),
            STANDARD.encode(format!("key:{secret}")),
        ] {
            assert_eq!(places(&text).len(), 1, "{text}");
        }
        assert!(places("it is *** and Bearer ***, s3cr").is_empty());
    }

    #[test]
    fn tokens_are_known_by_their_form() {
        assert_eq!(
            places("authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x").len(),
            1
        );
        assert_eq!(
            places(r#"{"access_token":"0123456789abcdef0123"}"#).len(),
            1
        );
    }
}
