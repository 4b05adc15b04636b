//! The generated definitions are current, bounded, documented and affordable.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::Path;

use causeway_api::generate::{all_crds, crd_file_name, crd_yaml};
use kube::core::cel::{ScopeContext, WarningKind, analyze_rule, compile_schema};
use serde_json::{Value, json};

use common::repository;

/// Compares a generated file with the committed one, or rewrites it.
fn check(path: &Path, text: &str) {
    if std::env::var_os("CAUSEWAY_REGENERATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_else(|e| {
        panic!(
            "{} cannot be read ({e}): run `make generate`",
            path.display()
        )
    });
    assert!(
        committed == text,
        "{} is stale: run `make generate`",
        path.display()
    );
}

/// In `crds/` for kubectl, and as a copy in the chart, which can read only its own files.
#[test]
fn definitions_are_current() {
    for folder in ["crds", "charts/causeway/files/crds"] {
        let folder = repository().join(folder);
        let mut expected = Vec::new();
        for crd in all_crds() {
            check(&folder.join(crd_file_name(&crd)), &crd_yaml(&crd).unwrap());
            expected.push(crd_file_name(&crd));
        }
        expected.sort();
        let mut found: Vec<String> = std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != "kustomization.yaml")
            .collect();
        found.sort();
        assert_eq!(
            found,
            expected,
            "{}: remove what no kind has",
            folder.display()
        );
    }
}

#[test]
fn conditions_page_is_current() {
    check(
        &repository().join("docs/conditions.md"),
        &causeway_api::conditions::conditions_markdown(),
    );
}

#[test]
fn validation_page_is_current() {
    check(
        &repository().join("docs/validation.md"),
        &causeway_api::generate::validation_markdown(),
    );
}

/// Calls `visit` for every node of a schema, with its path.
fn walk(node: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, node);
    for (name, inner) in node["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{name}"), visit);
    }
    if node["items"].is_object() {
        walk(&node["items"], &format!("{path}[]"), visit);
    }
    if node["additionalProperties"].is_object() {
        walk(&node["additionalProperties"], &format!("{path}{{}}"), visit);
    }
}

/// Every finding of `judge` over every node below spec and status of every kind.
fn findings(judge: impl Fn(&str, &Value) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for (kind, schema) in common::schemas() {
        walk(&schema, &kind, &mut |path, node| {
            if path.contains('.') && !path.ends_with(".metadata") {
                found.extend(judge(path, node));
            }
        });
    }
    found
}

#[test]
fn yaml_says_what_the_types_say() {
    for crd in all_crds() {
        let parsed: Value = serde_saphyr::from_str(&crd_yaml(&crd).unwrap()).unwrap();
        assert_eq!(
            parsed,
            serde_json::to_value(&crd).unwrap(),
            "{}",
            crd_file_name(&crd)
        );
    }
}

#[test]
fn definitions_fit_into_the_annotation_of_kubectl_apply() {
    for crd in all_crds() {
        let size = serde_json::to_vec(&crd).unwrap().len();
        assert!(
            size < 250_000,
            "{} has {size} bytes, kubectl apply takes 262144",
            crd_file_name(&crd)
        );
    }
}

#[test]
fn every_string_and_list_is_bounded() {
    let unbounded = findings(|path, node| {
        let bounded = match node["type"].as_str()? {
            "string" => {
                !node["maxLength"].is_null()
                    || !node["enum"].is_null()
                    || node["format"] == "date-time"
            }
            "array" => !node["maxItems"].is_null(),
            "object" => node["additionalProperties"].is_null() || !node["maxProperties"].is_null(),
            _ => true,
        };
        (!bounded).then(|| path.to_owned())
    });
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn every_field_is_explained() {
    let silent = findings(|path, node| {
        let explained = node["description"].as_str().is_some_and(|d| d.len() > 3);
        (!explained && !path.ends_with("[]") && !path.ends_with("{}")).then(|| path.to_owned())
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn spec_fields_say_whether_they_change() {
    // Blocks are explained by their fields; names of references by the field that holds the reference.
    let silent = findings(|path, node| {
        let in_spec = path.contains(".spec.") && !path.contains("Ref.") && !path.contains(".ref.");
        let value = !matches!(node["type"].as_str(), Some("object"));
        let text = node["description"].as_str().unwrap_or_default();
        let says = [
            "hange",
            "added",
            "removed",
            "raised",
            "lowered",
            "Can go",
            "unique in the list",
            "Either",
            "Set exactly",
        ]
        .iter()
        .any(|word| text.contains(word));
        (in_spec && value && !path.ends_with("[]") && !path.ends_with("{}") && !says)
            .then(|| format!("{path}: {text}"))
    });
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn formats_are_known_to_the_api_server() {
    let odd = findings(|path, node| {
        let format = node["format"].as_str()?;
        (!["int64", "date-time"].contains(&format)).then(|| format!("{path}: {format}"))
    });
    assert_eq!(odd, Vec::<String>::new());
    let nullable = findings(|path, node| (node["nullable"] == true).then(|| path.to_owned()));
    assert_eq!(nullable, Vec::<String>::new());
    let unions = findings(|path, node| {
        ["anyOf", "oneOf", "allOf"]
            .iter()
            .any(|k| !node[*k].is_null())
            .then(|| path.to_owned())
    });
    assert_eq!(
        unions,
        Vec::<String>::new(),
        "kubectl explain shows nothing of a union"
    );
}

#[test]
fn keyed_lists_are_maps() {
    // Lists of objects with a `name`, `type` or `field` are merged by it, so that two writers do not overwrite each other and
    // transition rules find the old entry.
    let wrong = findings(|path, node| {
        let items = node["items"]["properties"].as_object()?;
        let key = ["name", "type", "field"]
            .iter()
            .find(|k| items.contains_key(**k))?;
        let is_map = node["x-kubernetes-list-type"] == "map"
            && node["x-kubernetes-list-map-keys"][0] == **key;
        (!is_map).then(|| path.to_owned())
    });
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn status_starts_as_never_observed() {
    for (kind, schema) in common::schemas() {
        assert_eq!(
            schema["properties"]["status"]["default"],
            json!({"observedGeneration": -1}),
            "{kind}"
        );
    }
}

#[test]
fn rules_are_well_formed_and_affordable() {
    let wrong = findings(|path, node| {
        let rules = node["x-kubernetes-validations"].as_array()?;
        let compiled = compile_schema(node);
        let mut wrong = Vec::new();
        for rule in rules {
            let text = rule["rule"].as_str().unwrap();
            let message = rule["message"]
                .as_str()
                .or(rule["messageExpression"].as_str())
                .unwrap_or_default();
            if message.len() < 20 || message.contains('\n') {
                wrong.push(format!(
                    "{path}: {text}: the message says too little: {message}"
                ));
            }
            // The estimator below is coarser than the API server's, which refuses what it cannot bound: strings made inside a list
            // and the text of a number.
            for (what, text) in [(".map(", text), ("string(", text), ("string(", message)] {
                if text.contains(what) {
                    wrong.push(format!(
                        "{path}: {text}: the API server cannot bound the cost of {what}…)"
                    ));
                }
            }
            wrong.extend(
                analyze_rule(text, &compiled, ScopeContext::CrdValidation)
                    .iter()
                    // The estimator sees the names that macros bind (t, e, p …) as variables of the rule.
                    .filter(|w| w.kind != WarningKind::WrongScope)
                    .map(|w| format!("{path}: {text}: {}", w.message)),
            );
        }
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    });
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn names_and_columns() {
    let expected = [
        (
            "HybridInterconnect",
            "hi",
            vec!["Ready", "Path", "Redundant", "BGP", "Routes", "Age"],
        ),
        (
            "ExpressRouteLink",
            "erl",
            vec!["Ready", "Provisioned", "BGP", "Provider", "Age"],
        ),
        (
            "DirectConnectLink",
            "dxl",
            vec!["Ready", "Provisioned", "BGP", "VIF", "Age"],
        ),
        (
            "VpnPair",
            "vpnp",
            vec!["Ready", "Provisioned", "BGP", "Gateway", "Age"],
        ),
        (
            "RouteReport",
            "rr",
            vec![
                "Subject", "Kind", "Vantages", "Routes", "Sessions", "Updated", "Age",
            ],
        ),
    ];
    let crds = all_crds();
    assert_eq!(crds.len(), expected.len());
    for (crd, (kind, short, columns)) in crds.iter().zip(expected) {
        assert_eq!(crd.spec.group, causeway_api::GROUP);
        assert_eq!(crd.spec.versions[0].name, causeway_api::VERSION);
        assert_eq!(crd.spec.scope, "Namespaced");
        assert_eq!(crd.spec.names.kind, kind);
        assert_eq!(
            crd.spec.names.short_names.as_deref(),
            Some(&[short.to_owned()][..])
        );
        assert_eq!(
            crd.spec.names.categories.as_deref(),
            Some(&["causeway".to_owned()][..])
        );
        let shown: Vec<&str> = crd.spec.versions[0]
            .additional_printer_columns
            .iter()
            .flatten()
            .filter(|c| c.priority.unwrap_or_default() == 0)
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(shown, columns, "{kind}");
    }
}
