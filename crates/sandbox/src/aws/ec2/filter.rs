//! Filters of the Describe operations: several values of one name are alternatives, several names must all hold, `*`
//! and `?` are wildcards, a name that the operation does not know is refused (aws.md §2.2).

use super::fault::Fault;
use super::params::Params;
use crate::aws::objects::Tags;

/// The filters of one request.
#[derive(Debug, Clone, Default)]
pub struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    pub fn read(params: &Params) -> Result<Self, Fault> {
        let mut list = Vec::new();
        for f in params.structs("Filter") {
            let name = f.need("Name")?.to_owned();
            let values: Vec<String> = f.list("Value").into_iter().map(str::to_owned).collect();
            if values.is_empty() {
                return Err(Fault::client(
                    "MissingParameter",
                    format!("The filter '{name}' requires at least one value"),
                ));
            }
            list.push((name, values));
        }
        Ok(Self(list))
    }

    /// Refuses names that are neither tag filters nor in `known`: also when nothing exists that they could match.
    pub fn check(&self, known: &[&str]) -> Result<(), Fault> {
        for (name, _) in &self.0 {
            if !(name.starts_with("tag:")
                || name == "tag-key"
                || name == "tag-value"
                || known.contains(&name.as_str()))
            {
                return Err(Fault::client(
                    "InvalidParameterValue",
                    format!("The filter '{name}' is invalid"),
                ));
            }
        }
        Ok(())
    }

    /// Whether an object passes; `values` tells what it has under a filter's name.
    pub fn pass(&self, tags: &Tags, values: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let have: Vec<String> = if let Some(key) = name.strip_prefix("tag:") {
                tags.get(key).cloned().into_iter().collect()
            } else if name == "tag-key" {
                tags.keys().cloned().collect()
            } else if name == "tag-value" {
                tags.values().cloned().collect()
            } else {
                values(name)
            };
            wanted
                .iter()
                .any(|w| have.iter().any(|h| matches(w.as_bytes(), h.as_bytes())))
        })
    }
}

/// Glob match with `*`, `?` and `\` as the escape.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            matches(&pattern[1..], text) || (!text.is_empty() && matches(pattern, &text[1..]))
        }
        (Some(b'?'), Some(_)) => matches(&pattern[1..], &text[1..]),
        (Some(b'\\'), Some(t)) if pattern.len() > 1 => {
            pattern[1] == *t && matches(&pattern[2..], &text[1..])
        }
        (Some(p), Some(t)) => p == t && matches(&pattern[1..], &text[1..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        let m = |p: &str, t: &str| matches(p.as_bytes(), t.as_bytes());
        assert!(m("ab*", "abc") && m("*", "") && m("a?c", "abc") && m("a\\*", "a*"));
        assert!(!m("ab", "abc") && !m("a?", "a") && !m("a\\*", "ab"));
    }
}
