//! Every CEL rule refuses what it must and lets pass what it must; the samples pass.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use kube::core::cel::{
    CompiledSchema, ErrorKind, ValidationError, Validator, apply_defaults, compile_schema,
};
use serde_json::Value;

use common::{base, cases, samples};

/// A schema and its rules, compiled once.
struct Schema {
    plain: Value,
    compiled: CompiledSchema,
}

fn schemas() -> BTreeMap<String, Schema> {
    common::schemas()
        .into_iter()
        .map(|(kind, plain)| {
            let compiled = compile_schema(&plain);
            assert!(
                !compiled.has_errors(),
                "{kind}: {:?}",
                compiled.compilation_errors()
            );
            (kind, Schema { plain, compiled })
        })
        .collect()
}

/// What the API server's CEL would say, after its defaults.
fn errors(schema: &Schema, new: &Value, old: Option<&Value>) -> Vec<ValidationError> {
    let new = apply_defaults(&schema.plain, new);
    let old = old.map(|o| apply_defaults(&schema.plain, o));
    match Validator::new().validate_compiled(&schema.compiled, &new, old.as_ref()) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec(),
    }
}

/// Decodes a document into its Rust type.
fn decode(document: &Value) -> Result<(), serde_json::Error> {
    let document = document.clone();
    match document["kind"].as_str().unwrap() {
        "HybridInterconnect" => serde_json::from_value::<HybridInterconnect>(document).map(drop),
        "ExpressRouteLink" => serde_json::from_value::<ExpressRouteLink>(document).map(drop),
        "DirectConnectLink" => serde_json::from_value::<DirectConnectLink>(document).map(drop),
        "VpnPair" => serde_json::from_value::<VpnPair>(document).map(drop),
        "Secret" => Ok(()),
        other => panic!("unknown kind {other}"),
    }
}

#[test]
fn samples_pass() {
    let schemas = schemas();
    let mut kinds = BTreeSet::new();
    for sample in samples() {
        let kind = sample["kind"].as_str().unwrap().to_owned();
        decode(&sample).unwrap_or_else(|e| panic!("sample of {kind}: {e}"));
        if let Some(schema) = schemas.get(&kind) {
            assert_eq!(errors(schema, &sample, None), [], "sample of {kind}");
            assert_eq!(
                errors(schema, &sample, Some(&sample)),
                [],
                "unchanged sample of {kind}"
            );
        }
        kinds.insert(kind);
    }
    for kind in [
        "HybridInterconnect",
        "ExpressRouteLink",
        "DirectConnectLink",
        "VpnPair",
    ] {
        assert!(kinds.contains(kind), "no sample of {kind}");
    }
}

#[test]
fn typed_samples_pass_their_own_rules() {
    let lab: HybridInterconnect = serde_json::from_value(base("HybridInterconnect")).unwrap();
    lab.validate_cel().unwrap();
    lab.validate_cel_update(&lab).unwrap();
    let link: ExpressRouteLink = serde_json::from_value(base("ExpressRouteLink")).unwrap();
    link.validate_cel().unwrap();
    let link: DirectConnectLink = serde_json::from_value(base("DirectConnectLink")).unwrap();
    link.validate_cel().unwrap();
    let pair: VpnPair = serde_json::from_value(base("VpnPair")).unwrap();
    pair.validate_cel().unwrap();
}

#[test]
fn cases_hold_and_cover_every_rule() {
    let schemas = schemas();
    let mut names = BTreeSet::new();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    let mut wrong = Vec::new();
    for case in cases() {
        assert!(
            names.insert(format!("{} {}", case.kind, case.name)),
            "two cases are called {}",
            case.name
        );
        let schema = &schemas[&case.kind];
        let document = base(&case.kind);
        let new = case.change().apply(&document);
        let old = case.old.as_ref().map(|change| change.apply(&document));
        if let Some(old) = &old {
            let before = errors(schema, old, None);
            assert!(
                before.is_empty(),
                "{}: the object before the change is invalid: {before:?}",
                case.name
            );
        }
        let found = errors(schema, &new, old.as_ref());
        if let Some(odd) = found
            .iter()
            .find(|e| e.kind != ErrorKind::ValidationFailure)
        {
            wrong.push(format!("{}: {odd:?}", case.name));
            continue;
        }
        let expected: Vec<&String> = case.rejects.iter().chain(&case.also).collect();
        let matches = found.len() == expected.len()
            && expected
                .iter()
                .all(|text| found.iter().any(|e| e.message.starts_with(text.as_str())))
            && case
                .at
                .as_ref()
                .is_none_or(|at| found.iter().any(|e| &e.field_path == at));
        if !matches {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            wrong.push(format!(
                "{}: expected {expected:?} at {:?}, found {found:?}",
                case.name, case.at
            ));
        }
        if case.rejects.is_none() {
            decode(&new).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        }
        refused.extend(found.into_iter().map(|e| e.rule));
    }
    assert!(
        wrong.is_empty(),
        "{} cases are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );

    let mut uncovered = BTreeMap::new();
    for (kind, schema) in &schemas {
        walk(&schema.plain, kind, &mut |path, node| {
            for rule in node["x-kubernetes-validations"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let text = rule["rule"].as_str().unwrap();
                if !refused.contains(text) {
                    uncovered.insert(text.to_owned(), path.to_owned());
                }
            }
        });
    }
    assert!(
        uncovered.is_empty(),
        "no case is refused by: {uncovered:#?}"
    );
}

/// Calls `visit` for every node of a schema.
fn walk(node: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, node);
    for (name, inner) in node["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{name}"), visit);
    }
    if node["items"].is_object() {
        walk(&node["items"], &format!("{path}[]"), visit);
    }
}
