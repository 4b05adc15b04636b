//! Discovery: which groups, versions and resources there are.
//!
//! May only read. The plain form, not the aggregated one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::refuse::Refusal;
use super::serve::Answer;
use super::state::ApiState;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    Version,
    Groups,
    CoreVersions,
    /// Group (empty for the core) and version.
    Resources(String, String),
    Unknown,
}

/// # Errors
/// 404 for what there is not.
pub(super) fn answer(state: &ApiState, question: &Question) -> Result<Answer, Refusal> {
    let body = match question {
        Question::Version => json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.0+standin", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        }),
        Question::CoreVersions => {
            json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
        }
        Question::Groups => groups(state),
        Question::Resources(group, version) => resources(state, group, version)?,
        Question::Unknown => return Err(Refusal::page_not_found()),
    };
    Ok(Answer::Json(200, body))
}

fn groups(state: &ApiState) -> Value {
    let all: BTreeSet<_> = state
        .kinds
        .values()
        .filter(|kind| !kind.group.is_empty())
        .map(|kind| (kind.group.clone(), kind.version.clone()))
        .collect();
    let all: Vec<_> = all
        .into_iter()
        .map(|(group, version)| {
            let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
            json!({"name": group, "versions": [version], "preferredVersion": version})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": all})
}

fn resources(state: &ApiState, group: &str, version: &str) -> Result<Value, Refusal> {
    let mut list = Vec::new();
    let mut group_version = None;
    let served = state
        .kinds
        .values()
        .filter(|kind| kind.group == group && kind.version == version);
    for kind in served {
        group_version = Some(kind.api_version());
        list.push(json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind,
            "shortNames": kind.short_names, "categories": kind.categories,
            "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
        }));
        if kind.status {
            list.push(json!({
                "name": format!("{}/status", kind.plural), "singularName": "", "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": ["get", "patch", "update"],
            }));
        }
    }
    let group_version = group_version.ok_or_else(Refusal::page_not_found)?;
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list,
    }))
}
