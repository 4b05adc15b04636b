//! Parameters of the EC2 Query protocol: flattened names such as `Filter.1.Value.2`. Reads and checks form; knows no
//! objects.

use super::fault::Fault;
use std::collections::BTreeMap;

/// Decoded form parameters, in the order sent.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    pub fn new(list: Vec<(String, String)>) -> Self {
        Self(list)
    }
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    }
    /// A parameter that must be there and not empty.
    pub fn need(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).filter(|v| !v.is_empty()).ok_or_else(|| {
            Fault::client(
                "MissingParameter",
                format!("The request must contain the parameter {name}"),
            )
        })
    }
    pub fn bool(&self, name: &str) -> Result<Option<bool>, Fault> {
        match self.get(name) {
            None => Ok(None),
            Some("true" | "True" | "1") => Ok(Some(true)),
            Some("false" | "False" | "0") => Ok(Some(false)),
            Some(v) => Err(Fault::invalid(
                name,
                v,
                "Invalid boolean value. Use true or false",
            )),
        }
    }
    pub fn int(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.get(name)
            .map(|v| {
                v.parse()
                    .map_err(|_| Fault::invalid(name, v, "It must be an integer"))
            })
            .transpose()
    }
    /// The values of `name.1`, `name.2`, … in order of their numbers.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let mut found: Vec<(u32, &str)> = self
            .0
            .iter()
            .filter_map(|(k, v)| {
                let n = k.strip_prefix(name)?.strip_prefix('.')?;
                Some((n.parse().ok()?, v.as_str()))
            })
            .collect();
        found.sort_by_key(|(n, _)| *n);
        found.into_iter().map(|(_, v)| v).collect()
    }
    /// The structures `name.1.…`, `name.2.…` in order of their numbers, with the prefix taken off.
    pub fn structs(&self, name: &str) -> Vec<Params> {
        let mut found: BTreeMap<u32, Vec<(String, String)>> = BTreeMap::new();
        for (k, v) in &self.0 {
            let Some((n, rest)) = k
                .strip_prefix(name)
                .and_then(|r| r.strip_prefix('.'))
                .and_then(|r| r.split_once('.'))
            else {
                continue;
            };
            if let Ok(n) = n.parse() {
                found
                    .entry(n)
                    .or_default()
                    .push((rest.to_owned(), v.clone()));
            }
        }
        found.into_values().map(Params).collect()
    }
    /// The members of the structure `name`, with the prefix taken off.
    pub fn within(&self, name: &str) -> Params {
        Params(
            self.0
                .iter()
                .filter_map(|(k, v)| {
                    let rest = k.strip_prefix(name)?.strip_prefix('.')?;
                    Some((rest.to_owned(), v.clone()))
                })
                .collect(),
        )
    }
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(k, _)| k.as_str())
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Refuses what is not one of `allowed` (with `#` for numbers), as EC2 does.
    pub fn check_known(&self, allowed: &[&[&str]]) -> Result<(), Fault> {
        for name in self.names() {
            let shape = name
                .split('.')
                .map(|p| {
                    if !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()) {
                        "#"
                    } else {
                        p
                    }
                })
                .collect::<Vec<_>>()
                .join(".");
            let common = matches!(name, "Action" | "Version" | "DryRun");
            if !common && !allowed.iter().flat_map(|a| a.iter()).any(|a| *a == shape) {
                return Err(Fault::client(
                    "UnknownParameter",
                    format!("The parameter {name} is not recognized"),
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(list: &[(&str, &str)]) -> Params {
        Params::new(
            list.iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        )
    }

    #[test]
    fn lists_go_by_number_not_by_position() {
        let p = params(&[("Id.10", "c"), ("Id.2", "b"), ("Id.1", "a"), ("Idx.1", "x")]);
        assert_eq!(p.list("Id"), ["a", "b", "c"]);
    }

    #[test]
    fn structures_nest() {
        let p = params(&[
            ("Filter.1.Name", "state"),
            ("Filter.1.Value.1", "available"),
            ("Filter.2.Name", "tag:k"),
        ]);
        let s = p.structs("Filter");
        assert_eq!(s.len(), 2);
        assert_eq!(s[0].list("Value"), ["available"]);
        assert_eq!(s[1].get("Name"), Some("tag:k"));
    }

    #[test]
    fn an_unknown_parameter_is_refused() {
        let p = params(&[("Filter.1.Name", "x"), ("Filters.1.Name", "x")]);
        let known: &[&str] = &["Filter.#.Name"];
        assert_eq!(
            p.check_known(&[known]).map_err(|f| f.code),
            Err("UnknownParameter".to_owned())
        );
    }
}
