//! What the crates may depend on (design §4): the model is pure, the sandbox shares nothing with what it judges.
//! Read from `cargo metadata`, so that a dependency of a dependency counts as well.
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The resolved graph of normal and build dependencies, by package ID.
struct Graph {
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn read() -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = Command::new(env!("CARGO"))
            .args([
                "metadata",
                "--format-version=1",
                "--locked",
                "--manifest-path",
            ])
            .arg(manifest)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Self::parse(&serde_json::from_slice(&output.stdout).unwrap())
    }

    fn parse(metadata: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names = metadata["packages"].as_array().unwrap().iter();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap().iter();
        // A dependency that only tests need has the kind "dev"; normal ones have null.
        let counts = |dependency: &&Value| {
            dependency["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind["kind"] != "dev")
        };
        Self {
            names: names
                .map(|package| (text(&package["id"]), text(&package["name"])))
                .collect(),
            edges: nodes
                .map(|node| {
                    let to = node["deps"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(counts)
                        .map(|to| text(&to["pkg"]));
                    (text(&node["id"]), to.collect())
                })
                .collect(),
        }
    }

    fn id(&self, name: &str) -> &String {
        self.names.iter().find(|(_, n)| *n == name).unwrap().0
    }

    /// The packages that `name` names itself.
    fn direct(&self, name: &str) -> Vec<String> {
        self.edges[self.id(name)]
            .iter()
            .map(|to| self.names[to].clone())
            .collect()
    }

    /// Every package that `name` reaches, with the path to it.
    fn reached_from(&self, name: &str) -> BTreeMap<String, String> {
        let start = self.id(name);
        let mut reached = BTreeMap::new();
        let mut seen = BTreeSet::from([start.clone()]);
        let mut queue = vec![(start.clone(), name.to_owned())];
        while let Some((id, path)) = queue.pop() {
            for next in &self.edges[&id] {
                if seen.insert(next.clone()) {
                    let path = format!("{path} → {}", self.names[next]);
                    reached.insert(self.names[next].clone(), path.clone());
                    queue.push((next.clone(), path));
                }
            }
        }
        reached
    }

    fn offences(&self, from: &str, forbidden: impl Fn(&str) -> bool) -> Vec<String> {
        self.reached_from(from)
            .into_iter()
            .filter(|(name, _)| forbidden(name))
            .map(|(_, path)| path)
            .collect()
    }
}

/// Whatever does input and output, knows Kubernetes or a cloud, or is another crate of ours.
fn impure(name: &str) -> bool {
    let families = [
        "aws-", "azure_", "kube", "k8s-", "tokio", "hyper", "causeway",
    ];
    let single = [
        "reqwest",
        "axum",
        "tower",
        "async-std",
        "smol",
        "mio",
        "socket2",
        "typespec_client_core",
        "rand",
    ];
    families.iter().any(|family| name.starts_with(family)) || single.contains(&name)
}

fn ours(name: &str) -> bool {
    name == "causeway" || name.starts_with("causeway-")
}

#[test]
fn the_model_is_pure() {
    let offences = Graph::read().offences("causeway-model", impure);
    assert!(
        offences.is_empty(),
        "causeway-model must not reach these: {offences:#?}"
    );
}

/// Directly, at least: the `kube` crate is resolved once for the workspace, and there with its client.
#[test]
fn the_api_types_name_no_client_and_no_runtime() {
    let direct = Graph::read().direct("causeway-api");
    let offences: Vec<_> = direct
        .iter()
        .filter(|name| impure(name) && !matches!(name.as_str(), "kube" | "k8s-openapi"))
        .collect();
    assert!(
        offences.is_empty(),
        "causeway-api must not depend on these: {offences:?}"
    );
}

#[test]
fn the_sandbox_shares_no_code_with_what_it_judges() {
    let offences = Graph::read().offences("causeway-sandbox", ours);
    assert!(
        offences.is_empty(),
        "causeway-sandbox must not reach these: {offences:#?}"
    );
}

#[test]
fn only_causeway_aws_names_the_aws_sdk() {
    let graph = Graph::read();
    for name in graph
        .names
        .values()
        .filter(|name| ours(name) && *name != "causeway-aws")
    {
        let sdk: Vec<_> = graph
            .direct(name)
            .into_iter()
            .filter(|to| to.starts_with("aws-sdk-"))
            .collect();
        assert!(
            sdk.is_empty(),
            "{name} names {sdk:?}: that is causeway-aws's part"
        );
    }
}

/// The guard itself: it finds a forbidden package two steps away, and lets one pass that only tests use.
#[test]
fn the_guard_sees_indirect_dependencies_and_not_those_of_tests() {
    let package = |name: &str| serde_json::json!({"id": name, "name": name});
    let edge = |to: &str, kind: Option<&str>| serde_json::json!({"pkg": to, "dep_kinds": [{"kind": kind}]});
    let graph = Graph::parse(&serde_json::json!({
        "packages": [package("causeway-model"), package("innocent"), package("tokio"), package("kube")],
        "resolve": {"nodes": [
            {"id": "causeway-model", "deps": [edge("innocent", None), edge("kube", Some("dev"))]},
            {"id": "innocent", "deps": [edge("tokio", None)]},
            {"id": "tokio", "deps": []},
            {"id": "kube", "deps": []},
        ]},
    }));
    assert_eq!(
        graph.offences("causeway-model", impure),
        ["causeway-model → innocent → tokio"]
    );
}
