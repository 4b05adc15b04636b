//! Label and field selectors of lists and watches.
//!
//! May only judge. Fields: `metadata.name` and `metadata.namespace`, the ones that every kind has.

use std::collections::BTreeSet;

use serde_json::Value;

use super::meta::text;
use super::refuse::Refusal;

/// What a list or watch is restricted to.
#[derive(Debug, Clone, Default)]
pub(super) struct Selector {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Label {
    Exists(String),
    Absent(String),
    In(String, BTreeSet<String>),
    NotIn(String, BTreeSet<String>),
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    value: String,
    equal: bool,
}

impl Selector {
    /// # Errors
    /// 400 when it cannot be parsed, or names a field that cannot be selected by.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, Refusal> {
        Ok(Self {
            labels: split(labels)
                .iter()
                .map(|part| label(part))
                .collect::<Result<_, _>>()?,
            fields: split(fields)
                .iter()
                .map(|part| field(part))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|requirement| match requirement {
            Label::Exists(key) => labels[key].is_string(),
            Label::Absent(key) => !labels[key].is_string(),
            Label::In(key, values) => labels[key].as_str().is_some_and(|v| values.contains(v)),
            Label::NotIn(key, values) => !labels[key].as_str().is_some_and(|v| values.contains(v)),
        }) && self.fields.iter().all(|f| {
            let own = match f.name.as_str() {
                "metadata.name" => text(object, "name"),
                _ => text(object, "namespace"),
            };
            (own == f.value) == f.equal
        })
    }
}

/// Parts at the commas that are not in parentheses.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_u32;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(c);
        }
    }
    parts
        .into_iter()
        .map(|p| p.trim().to_owned())
        .filter(|p| !p.is_empty())
        .collect()
}

fn label(part: &str) -> Result<Label, Refusal> {
    let one = |value: &str| BTreeSet::from([value.trim().to_owned()]);
    let key = |key: &str| key.trim().to_owned();
    if let Some((k, v)) = part.split_once("!=") {
        return Ok(Label::NotIn(key(k), one(v)));
    }
    if let Some((k, v)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Ok(Label::In(key(k), one(v)));
    }
    if let Some((head, values)) = part.split_once('(') {
        let values: BTreeSet<String> = values
            .trim_end_matches(')')
            .split(',')
            .map(|v| v.trim().to_owned())
            .collect();
        let mut words = head.split_whitespace();
        return match (words.next(), words.next(), words.next()) {
            (Some(k), Some("in"), None) => Ok(Label::In(key(k), values)),
            (Some(k), Some("notin"), None) => Ok(Label::NotIn(key(k), values)),
            _ => Err(unable(part)),
        };
    }
    match part.strip_prefix('!') {
        Some(k) => Ok(Label::Absent(key(k))),
        None if !part.contains(char::is_whitespace) => Ok(Label::Exists(key(part))),
        None => Err(unable(part)),
    }
}

fn field(part: &str) -> Result<Field, Refusal> {
    let (name, value, equal) = if let Some((name, value)) = part.split_once("!=") {
        (name, value, false)
    } else if let Some((name, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        (name, value, true)
    } else {
        return Err(unable(part));
    };
    if !matches!(name, "metadata.name" | "metadata.namespace") {
        return Err(Refusal::bad_request(format!(
            "field label not supported: {name}"
        )));
    }
    Ok(Field {
        name: name.to_owned(),
        value: value.to_owned(),
        equal,
    })
}

fn unable(part: &str) -> Refusal {
    Refusal::bad_request(format!("unable to parse requirement: {part}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;
    use serde_json::json;

    #[test]
    fn labels_and_fields_select() {
        let object = json!({"metadata": {"name": "a", "namespace": "n", "labels": {"app": "x", "tier": "1"}}});
        for (labels, fields, expected) in [
            ("", "", true),
            ("app=x", "", true),
            ("app==y", "", false),
            ("app!=y,tier", "", true),
            ("!tier", "", false),
            ("app in (x, y),tier notin (2)", "", true),
            ("app notin (x)", "", false),
            ("none!=1", "metadata.name=a", true),
            ("", "metadata.name!=a", false),
            ("", "metadata.namespace=n,metadata.name=b", false),
        ] {
            let selector = Selector::parse(labels, fields).unwrap();
            assert_eq!(selector.matches(&object), expected, "{labels} {fields}");
        }
        assert!(Selector::parse("a b", "").is_err());
        assert!(Selector::parse("", "spec.x=1").is_err());
    }
}
