//! A request taken apart: what its path names, its verb, its parameters and options.
//!
//! May only parse. Everything that a client can get wrong here is answered with 400.

use std::collections::BTreeMap;

use http::request::Parts;
use http::{HeaderMap, Method, header};
use serde_json::Value;

use super::discover::Question;
use super::list::Params;
use super::refuse::Refusal;
use super::store::{DeleteOptions, Policy};
use super::watch::WatchOptions;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    Version,
    Groups,
    CoreVersions,
    Resources {
        group: String,
        version: String,
    },
    Objects {
        group: String,
        version: String,
        plural: String,
        namespace: Option<String>,
        name: Option<String>,
        subresource: String,
    },
    Unknown,
}

impl Path {
    fn parse(path: &str) -> Self {
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let (group, version, rest) = match parts.as_slice() {
            ["version"] => return Self::Version,
            ["api"] => return Self::CoreVersions,
            ["apis"] => return Self::Groups,
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Self::Unknown,
        };
        let (group, version) = (group.to_owned(), version.to_owned());
        // `namespaces/NAME` and `namespaces/NAME/status` are the namespace itself.
        let (namespace, rest) = match rest {
            [] => return Self::Resources { group, version },
            ["namespaces", _] | ["namespaces", _, "status" | "finalize"] => (None, rest),
            ["namespaces", namespace, rest @ ..] => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, None, ""),
            [plural, name] => (*plural, Some((*name).to_owned()), ""),
            [plural, name, subresource] => (*plural, Some((*name).to_owned()), *subresource),
            _ => return Self::Unknown,
        };
        Self::Objects {
            group,
            version,
            plural: plural.to_owned(),
            namespace,
            name,
            subresource: subresource.to_owned(),
        }
    }
}

/// A request, taken apart.
pub(super) struct Call {
    pub path: Path,
    method: Method,
    pub query: BTreeMap<String, String>,
    pub media_type: String,
    pub metadata_only: bool,
    user_agent: String,
    pub body: Vec<u8>,
}

fn head(headers: &HeaderMap, name: header::HeaderName) -> String {
    let value = headers.get(name).and_then(|v| v.to_str().ok());
    value.unwrap_or_default().to_owned()
}

impl Call {
    pub(super) fn new(parts: &Parts, body: Vec<u8>) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let media_type = head(&parts.headers, header::CONTENT_TYPE);
        Self {
            path: Path::parse(parts.uri.path()),
            method: parts.method.clone(),
            query: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            media_type: media_type
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned(),
            metadata_only: head(&parts.headers, header::ACCEPT)
                .contains("as=PartialObjectMetadata"),
            user_agent: head(&parts.headers, header::USER_AGENT),
            body,
        }
    }

    pub(super) fn param(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.param(name), "true" | "1")
    }

    pub(super) fn verb(&self) -> &'static str {
        let named = matches!(&self.path, Path::Objects { name: Some(_), .. });
        let objects = matches!(&self.path, Path::Objects { .. });
        match self.method {
            Method::GET if objects && !named && self.flag("watch") => "watch",
            Method::GET if objects && !named => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if named => "delete",
            Method::DELETE => "deletecollection",
            _ => "get",
        }
    }

    /// Resource, subresource, namespace, name: for the log.
    pub(super) fn target(&self) -> [String; 4] {
        let Path::Objects {
            group,
            plural,
            namespace,
            name,
            subresource,
            ..
        } = &self.path
        else {
            return Default::default();
        };
        let resource = if group.is_empty() {
            plural.clone()
        } else {
            format!("{plural}.{group}")
        };
        [
            resource,
            subresource.clone(),
            namespace.clone().unwrap_or_default(),
            name.clone().unwrap_or_default(),
        ]
    }

    pub(super) fn dry_run(&self) -> bool {
        !self.param("dryRun").is_empty()
            || self.method == Method::DELETE && self.json().is_ok_and(|b| !b["dryRun"].is_null())
    }

    pub(super) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("the body is no JSON: {error}")))
    }

    pub(super) fn manager(&self) -> String {
        let given = self.param("fieldManager");
        let agent = self.user_agent.split('/').next().unwrap_or_default();
        match (given, agent) {
            ("", "") => "unknown".to_owned(),
            ("", agent) => agent.to_owned(),
            (given, _) => given.to_owned(),
        }
    }
}

impl Call {
    pub(super) fn discovery(&self) -> Question {
        match &self.path {
            Path::Version => Question::Version,
            Path::Groups => Question::Groups,
            Path::CoreVersions => Question::CoreVersions,
            Path::Resources { group, version } => {
                Question::Resources(group.clone(), version.clone())
            }
            Path::Objects { .. } | Path::Unknown => Question::Unknown,
        }
    }
}

pub(super) fn watch_options(call: &Call) -> Result<WatchOptions, Refusal> {
    let timeout = call.param("timeoutSeconds");
    Ok(WatchOptions {
        resource_version: call.param("resourceVersion").to_owned(),
        bookmarks: call.flag("allowWatchBookmarks"),
        send_initial: call.flag("sendInitialEvents"),
        timeout_seconds: match timeout {
            "" => None,
            text => Some(text.parse().map_err(|_| {
                Refusal::bad_request(format!("timeoutSeconds: {text} is no number"))
            })?),
        },
    })
}

pub(super) fn list_params(call: &Call) -> Params {
    Params {
        limit: call.param("limit").parse().ok().filter(|limit| *limit > 0),
        token: call.param("continue").to_owned(),
        resource_version: call.param("resourceVersion").to_owned(),
        exact: call.param("resourceVersionMatch") == "Exact",
    }
}

pub(super) fn delete_options(call: &Call) -> Result<DeleteOptions, Refusal> {
    let body = if call.body.is_empty() {
        Value::Null
    } else {
        call.json()?
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let policy =
        text(&body["propagationPolicy"]).or_else(|| call.query.get("propagationPolicy").cloned());
    let policy = match (policy.as_deref(), body["orphanDependents"].as_bool()) {
        (Some("Background"), _) | (None, Some(false)) => Some(Policy::Background),
        (Some("Foreground"), _) => Some(Policy::Foreground),
        (Some("Orphan"), _) | (None, Some(true)) => Some(Policy::Orphan),
        (None, None) => None,
        (Some(other), _) => {
            return Err(Refusal::bad_request(format!(
                "propagationPolicy: {other} is none of Background, Foreground, Orphan"
            )));
        }
    };
    Ok(DeleteOptions {
        policy,
        uid: text(&body["preconditions"]["uid"]),
        resource_version: text(&body["preconditions"]["resourceVersion"]),
    })
}
