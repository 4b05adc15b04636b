//! Reads the roles in config/cloud.
#![allow(dead_code)] // each test file uses a part

use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The repository.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> Value {
    let text = fs::read_to_string(repository().join("config/cloud").join(file)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn words(list: &Value) -> impl Iterator<Item = String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|w| w.as_str().unwrap().to_owned())
}

/// The actions of one of AWS's policies: `ec2:DescribeVpcs`.
pub fn aws(role: &str) -> BTreeSet<String> {
    let policy = read(&format!("aws-{role}.json"));
    let statements = policy["Statement"].as_array().unwrap();
    assert!(statements.iter().all(|s| s["Effect"] == "Allow"));
    statements
        .iter()
        .flat_map(|s| words(&s["Action"]))
        .collect()
}

/// The actions of one of Azure's roles.
pub fn azure(role: &str) -> BTreeSet<String> {
    words(&read(&format!("azure-{role}.json"))["Actions"]).collect()
}

/// What a call of the sandbox's log needs in Azure: `connections.put` is `Microsoft.Network/connections/write`.
pub fn azure_action(operation: &str) -> String {
    let (kind, verb) = operation.rsplit_once('.').unwrap();
    let kind = match kind {
        "operations" | "operationResults" => format!("locations/{kind}"),
        kind => kind.to_owned(),
    };
    let right = match verb {
        "get" | "list" => "read".to_owned(),
        "put" | "patch" => "write".to_owned(),
        "delete" => verb.to_owned(),
        action => format!("{action}/action"),
    };
    format!("Microsoft.Network/{kind}/{right}")
}

/// Whether a role's actions, with a `*` at the end of some, contain an action.
pub fn allows(actions: &BTreeSet<String>, action: &str) -> bool {
    actions.iter().any(|a| match a.strip_suffix('*') {
        Some(stem) => action.starts_with(stem),
        None => a == action,
    })
}

/// What of a call log lacks a right. Reads must be covered by the observer alone.
pub fn not_granted(calls: &[Value]) -> BTreeSet<String> {
    let aws = |role: &str| -> BTreeSet<String> {
        // Without the service's name, which the log does not tell.
        let actions = aws(role);
        let names = actions.iter().map(|a| a.split_once(':').unwrap().1);
        names.map(str::to_owned).collect()
    };
    let (mut aws_all, aws_observer) = (aws("reconciler"), aws("observer"));
    aws_all.extend(aws_observer.clone());
    let (azure_all, azure_observer) = (azure("reconciler"), azure("observer"));
    let mut lacking = BTreeSet::new();
    for call in calls {
        let operation = call["operation"].as_str().unwrap();
        let writes = call["mutating"] == true;
        let granted = match call["provider"].as_str().unwrap() {
            // Asking who one is needs no right.
            "aws" if operation == "GetCallerIdentity" => true,
            "aws" => (if writes { &aws_all } else { &aws_observer }).contains(operation),
            // Tokens come from Entra ID, not from Resource Manager.
            "azure" if operation.contains("token") => true,
            "azure" => allows(
                if writes { &azure_all } else { &azure_observer },
                &azure_action(operation),
            ),
            _ => true,
        };
        if !granted {
            lacking.insert(format!("{} {operation}", call["provider"]));
        }
    }
    lacking
}
