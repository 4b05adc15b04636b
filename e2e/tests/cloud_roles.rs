//! The roles in config/cloud against the code: nothing is granted that no code asks for. That nothing is missing is shown
//! by the lab's whole life in chart.rs.
#![allow(clippy::unwrap_used)] // a failed assumption is a failed test

#[path = "common/cloud_roles.rs"]
mod cloud_roles;

use cloud_roles::{aws, azure, repository};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// All sources below a folder, as one text.
fn sources(folder: &Path) -> String {
    let mut all = String::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                all.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    all
}

/// `DescribeVpcs` as the SDK's method: `describe_vpcs`.
fn method(action: &str) -> String {
    let mut name = String::new();
    for letter in action.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[test]
fn aws_is_granted_what_the_client_calls_and_nothing_else() {
    let code = sources(&repository().join("crates/aws/src"));
    let granted: BTreeSet<String> = aws("observer").union(&aws("reconciler")).cloned().collect();
    assert!(granted.len() > 25, "{granted:?}");
    // Tags are part of a creation, which EC2 checks as an action of its own.
    let unused: Vec<&String> = granted
        .iter()
        .filter(|a| {
            let name = a.split_once(':').unwrap().1;
            !code.contains(&format!(".{}()", method(name)))
        })
        .collect();
    assert!(unused.is_empty(), "no code calls {unused:?}");
    // Drills interrupt a path: nobody has them by accident.
    let drill = aws("drill");
    assert!(!drill.is_empty());
    assert!(drill.is_disjoint(&granted), "{drill:?}");
}

#[test]
fn azures_observer_is_part_of_its_reconciler_and_writes_nothing() {
    let (observer, reconciler) = (azure("observer"), azure("reconciler"));
    assert!(observer.is_subset(&reconciler));
    for action in &observer {
        assert!(
            !action.ends_with("/write") && !action.ends_with("/delete"),
            "{action}"
        );
    }
    let code = sources(&repository().join("src/clients/azure"));
    for action in &reconciler {
        // `Microsoft.Network/virtualNetworkGateways/getBgpPeerStatus/action`: the client names what is before the verb.
        let words: Vec<&str> = action.split('/').collect();
        let named = words[words.len() - 2];
        let implied = ["join", "operations", "operationResults", "subnets"];
        assert!(
            code.contains(named) || implied.contains(&named),
            "no code names {named}: {action}"
        );
    }
}

#[test]
fn every_role_is_explained() {
    let page = fs::read_to_string(repository().join("docs/security.md")).unwrap();
    for entry in fs::read_dir(repository().join("config/cloud")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(page.contains(&format!("config/cloud/{name}")), "{name}");
    }
}
