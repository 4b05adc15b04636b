//! Pieces that wire types share: secrets that serialise but never print, unknown fields that survive a round trip, and
//! tolerant readers for one-or-many lists and numbers that come as text.

use causeway_model::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;

/// A secret inside a wire type: serialised for the provider, `***` for everyone else.
#[derive(Clone, PartialEq, Eq)]
pub struct WireSecret(pub Secret);

impl WireSecret {
    pub fn new(s: &Secret) -> Self {
        Self(s.clone())
    }
}
impl fmt::Debug for WireSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
impl Serialize for WireSecret {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0.expose())
    }
}
impl<'de> Deserialize<'de> for WireSecret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|s| Self(Secret::new(s)))
    }
}

/// Fields that we do not model. They go back unchanged on a PUT (azure.md §1.3: what is left out is removed), and
/// `Debug` names them without their values, because some carry keys.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Extra(pub Map<String, Value>);

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// `null` as the default value: lists are null, missing or empty interchangeably (megaport.md §4.2).
pub fn null_default<'de, D, T>(d: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(d)?.unwrap_or_default())
}

/// A list that may be a bare object when it has one element, or null (megaport.md §4.2). Elements that do not fit are
/// left out: one odd entry must not hide the others.
pub fn one_or_many<'de, D, T>(d: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    let items = match Value::deserialize(d)? {
        Value::Null => Vec::new(),
        Value::Array(items) => items,
        one => vec![one],
    };
    Ok(items
        .into_iter()
        .filter_map(|v| serde_json::from_value(v).ok())
        .collect())
}

/// A whole number that may come as text or as `12.0`.
pub fn loose_u32<'de, D: Deserializer<'de>>(d: D) -> Result<Option<u32>, D::Error> {
    Ok(as_i64(&Value::deserialize(d)?).and_then(|n| u32::try_from(n).ok()))
}

/// A signed whole number that may come as text, as `12.0` or as a boolean.
pub fn loose_i64<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    Ok(as_i64(&Value::deserialize(d)?))
}

/// A boolean that may come as 0 or 1 or as text; null is false.
pub fn loose_bool<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(d)? {
        Value::Bool(b) => b,
        Value::String(s) => s.eq_ignore_ascii_case("true") || s == "1",
        other => as_i64(&other).is_some_and(|n| n != 0),
    })
}

/// Text that may come as a number; null is empty.
pub fn loose_text<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
    Ok(match Value::deserialize(d)? {
        Value::Null => String::new(),
        Value::String(s) => s,
        other => other.to_string(),
    })
}

/// A whole number out of a JSON value in any of the forms seen.
pub fn as_i64(v: &Value) -> Option<i64> {
    match v {
        Value::Number(n) => n.as_i64().or_else(|| {
            n.as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() < 9e15)
                .map(|f| f as i64)
        }),
        Value::String(s) => s.trim().parse().ok(),
        Value::Bool(b) => Some(i64::from(*b)),
        _ => None,
    }
}

/// What is wrong with a JSON text, without quoting it: serde's own words may contain the value, and that may be a key.
pub fn json_defect(e: &serde_json::Error) -> String {
    let kind = match e.classify() {
        serde_json::error::Category::Io => "cannot be read",
        serde_json::error::Category::Syntax => "is not JSON",
        serde_json::error::Category::Data => "has another shape than documented",
        serde_json::error::Category::Eof => "ends too early",
    };
    if e.line() == 0 {
        format!("it {kind}")
    } else {
        format!("it {kind} (line {}, column {})", e.line(), e.column())
    }
}

/// How much of an answer that is no table is kept.
const QUOTED: usize = 160;

/// The same for an answer with a table, in which no secret can be: what came instead is kept as text.
pub fn table_defect(e: &serde_json::Error, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.replace(|c: char| c.is_control(), " ");
    let clean = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if clean.is_empty() {
        return json_defect(e);
    }
    let begin: String = clean.chars().take(QUOTED).collect();
    let rest = if clean.chars().count() > QUOTED {
        "…"
    } else {
        ""
    };
    format!("{}; it begins with: {begin}{rest}", json_defect(e))
}

/// `Retry-After` in seconds, or as an HTTP date (megaport.md §1.4); dates count from the answer's own `Date`, so that no
/// clock of ours is involved.
pub fn retry_after(headers: &http::HeaderMap) -> Option<std::time::Duration> {
    let value = headers
        .get(http::header::RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(std::time::Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    let date = headers.get(http::header::DATE)?.to_str().ok()?;
    let now = jiff::fmt::rfc2822::parse(date).ok()?.timestamp();
    std::time::Duration::try_from(at.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests
    use super::*;
    use serde_json::json;

    #[derive(Deserialize)]
    struct T {
        #[serde(default, deserialize_with = "one_or_many")]
        list: Vec<u32>,
        #[serde(default, deserialize_with = "loose_u32")]
        n: Option<u32>,
    }

    #[test]
    fn what_came_instead_of_a_table_is_quoted() {
        let said = |body: &[u8]| {
            let e = serde_json::from_slice::<Value>(body).unwrap_err();
            table_defect(&e, body)
        };
        assert_eq!(
            said(b"<html>\n\x07 bad gateway"),
            "it is not JSON (line 1, column 1); it begins with: <html> bad gateway"
        );
        assert_eq!(said(b""), "it ends too early (line 1, column 0)");
        let long = said(&[b'x'; 500]);
        assert!(long.ends_with('…') && long.len() < 260, "{long}");
    }

    #[test]
    fn one_or_many_in_all_its_forms() {
        let list = |v: Value| serde_json::from_value::<T>(v).unwrap().list;
        assert_eq!(list(json!({"list": 1})), [1]);
        assert_eq!(list(json!({"list": [1, 2, "odd"]})), [1, 2]);
        assert_eq!(list(json!({"list": null})), [0u32; 0]);
        assert_eq!(list(json!({})), [0u32; 0]);
        for n in [json!(12), json!("12"), json!(12.0)] {
            assert_eq!(
                serde_json::from_value::<T>(json!({"n": n})).unwrap().n,
                Some(12)
            );
        }
    }

    #[test]
    fn retry_after_as_seconds_or_date() {
        let mut h = http::HeaderMap::new();
        assert_eq!(retry_after(&h), None);
        h.insert("retry-after", "17".parse().unwrap());
        assert_eq!(retry_after(&h), Some(std::time::Duration::from_secs(17)));
        h.insert("date", "Thu, 26 Nov 2026 08:00:00 GMT".parse().unwrap());
        h.insert(
            "retry-after",
            "Thu, 26 Nov 2026 08:00:30 GMT".parse().unwrap(),
        );
        assert_eq!(retry_after(&h), Some(std::time::Duration::from_secs(30)));
    }

    #[test]
    fn unknown_fields_and_secrets_do_not_print() {
        let e = Extra(
            json!({"authKey": "tell-nobody"})
                .as_object()
                .unwrap()
                .clone(),
        );
        let s = WireSecret(Secret::new("tell-nobody"));
        assert!(!format!("{e:?}{s:?}").contains("tell-nobody"));
        assert_eq!(serde_json::to_value(&s).unwrap(), json!("tell-nobody"));
    }
}
