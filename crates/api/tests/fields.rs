//! docs/fields.md names every field of the specs, and says of each what the rules of the definitions say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests fail by panicking, and print what they prove"
)]

mod common;

use causeway_api::generate::all_crds;
use common::repository;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a change of a field is, as the page words it.
const VERDICTS: [&str; 8] = [
    "immutable",
    "restricted",
    "in place",
    "interrupts",
    "other entry",
    "at creation",
    "refused",
    "no cloud",
];

/// Leaves of a schema and the transition rules with the path of the node that has them.
fn walk(path: &str, schema: &Value, leaves: &mut Vec<String>, rules: &mut Vec<(String, String)>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = rule["rule"].as_str().unwrap();
        if text.contains("oldSelf") {
            let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            rules.push((path.to_owned(), one_line));
        }
    }
    if let Some(fields) = schema["properties"].as_object() {
        for (name, field) in fields {
            walk(&format!("{path}.{name}"), field, leaves, rules);
        }
    } else if schema["items"]["properties"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], leaves, rules);
    } else {
        leaves.push(path.to_owned());
    }
}

/// Whether a transition rule lets no other value of a field through.
fn fixes(rule: &str, field: &str) -> bool {
    let same = format!("self.{field} == oldSelf.{field}");
    let optional =
        format!("has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || {same})");
    let moved = rule.starts_with(&format!(
        "(has(self.{field}) && has(self.{field}.hybridInterconnect)"
    )) && rule.ends_with(&format!("|| {same}"));
    rule == same
        || rule == optional
        || rule == format!("!has(oldSelf.{field}) || (has(self.{field}) && {same})")
        || rule == format!("has(self.ref) || has(oldSelf.ref) || ({optional})")
        // A link may move under an interconnect, and nowhere else.
        || moved
}

/// Fields that a rule compares with what they were; that they were there at all is no comparison.
fn compared(rule: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = rule[from..].find("oldSelf.") {
        let begin = from + at;
        let rest = &rule[begin + "oldSelf.".len()..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '.')
            .unwrap_or(rest.len());
        if !rule[..begin].ends_with("has(") {
            found.push(&rest[..end]);
        }
        from = begin + "oldSelf.".len();
    }
    found
}

/// `immutable` or `restricted`, when a rule compares a field with what it was.
fn governed(leaf: &str, rules: &[(String, String)]) -> Option<&'static str> {
    let mut verdict = None;
    for (path, rule) in rules {
        for field in compared(rule) {
            let at = format!("{path}.{field}");
            let under = leaf == at
                || leaf.starts_with(&format!("{at}."))
                || leaf.starts_with(&format!("{at}[]"));
            if under && fixes(rule, field) {
                return Some("immutable");
            }
            if under {
                verdict = Some("restricted");
            }
        }
    }
    // One rule speaks of all tunnels, entry by entry: of their addresses.
    if leaf.contains("tunnels[].") {
        return leaf.ends_with("insideCIDR").then_some("restricted");
    }
    verdict
}

/// Rows of the page: field to verdict and text, by kind.
fn page(text: &str) -> BTreeMap<String, BTreeMap<String, (String, String)>> {
    let mut all: BTreeMap<String, BTreeMap<String, (String, String)>> = BTreeMap::new();
    let mut kind = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            name.clone_into(&mut kind);
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        if let [field, verdict, text] = cells[..]
            && let Some(field) = field.strip_prefix('`').and_then(|f| f.strip_suffix('`'))
        {
            let row = (verdict.to_owned(), text.to_owned());
            let before = all
                .entry(kind.clone())
                .or_default()
                .insert(field.to_owned(), row);
            assert!(before.is_none(), "{kind}: {field} stands twice");
        }
    }
    all
}

#[test]
fn every_field_is_in_the_table_and_the_table_says_what_the_rules_say() {
    let text = std::fs::read_to_string(repository().join("docs/fields.md")).unwrap();
    let mut page = page(&text);
    let (mut fields, mut immutable, mut restricted) = (0, 0, 0);
    for crd in all_crds() {
        let kind = crd.spec.names.kind.clone();
        if kind == "RouteReport" {
            continue;
        }
        let rows = page.remove(&kind).unwrap_or_default();
        let crd = serde_json::to_value(&crd).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let (mut leaves, mut rules) = (Vec::new(), Vec::new());
        walk("spec", spec, &mut leaves, &mut rules);
        for leaf in &leaves {
            let (verdict, text) = rows
                .get(leaf)
                .unwrap_or_else(|| panic!("docs/fields.md: {kind} lacks {leaf}"));
            assert!(
                VERDICTS.contains(&verdict.as_str()),
                "{kind} {leaf}: {verdict} is no word of the page"
            );
            assert!(!text.is_empty(), "{kind} {leaf}: says nothing");
            let ruled = governed(leaf, &rules);
            let said = Some(verdict.as_str()).filter(|v| matches!(*v, "immutable" | "restricted"));
            assert_eq!(
                said, ruled,
                "{kind} {leaf}: the page (left) and the rules (right) differ"
            );
            fields += 1;
            immutable += usize::from(ruled == Some("immutable"));
            restricted += usize::from(ruled == Some("restricted"));
        }
        let stale: Vec<&String> = rows.keys().filter(|r| !leaves.contains(r)).collect();
        assert!(stale.is_empty(), "docs/fields.md: {kind} has no {stale:?}");
    }
    assert!(
        page.is_empty(),
        "docs/fields.md speaks of {:?}",
        page.keys()
    );
    assert!(
        immutable > 50,
        "only {immutable} immutable fields were recognised"
    );
    eprintln!("{fields} fields: {immutable} immutable, {restricted} restricted");
}
