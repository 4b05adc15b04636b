//! HTTP on one side, the state on the other: paths, query parameters, bodies, codes.
//!
//! May change the state through a request, and answers what the API server would. JSON only; discovery as far as
//! `kube::discovery` asks for one group or kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::{Value, json};

use super::Shared;
use super::fields::Manager;
use super::kinds::Kind;
use super::meta;
use super::patch;
use super::refuse::Refusal;
use super::select::Selector;
use super::state::{ApiState, Key, Write};
use super::store::{DeleteOptions, Part, Policy};
use super::watch::{self, Scope, WatchOptions};

/// An answer before it is HTTP.
pub(super) enum Answer {
    Json(u16, Value),
    Stream(Body),
}

impl Answer {
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Json(code, _) => *code,
            Self::Stream(_) => 200,
        }
    }

    pub(super) fn into_response(self) -> Response<Body> {
        let code = StatusCode::from_u16(self.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = match self {
            Self::Json(_, value) => Body::from(serde_json::to_vec(&value).unwrap_or_default()),
            Self::Stream(body) => body,
        };
        let mut response = Response::new(body);
        *response.status_mut() = code;
        let json = header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        response
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Json(refusal.code, refusal.body())
    }
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Path {
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
    path: Path,
    method: Method,
    query: BTreeMap<String, String>,
    media_type: String,
    metadata_only: bool,
    user_agent: String,
    body: Vec<u8>,
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
            metadata_only: head(&parts.headers, header::ACCEPT).contains("as=PartialObjectMetadata"),
            user_agent: head(&parts.headers, header::USER_AGENT),
            body,
        }
    }

    fn param(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn flag(&self, name: &str) -> bool {
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

    fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Refusal::bad_request(format!("the body is no JSON: {error}")))
    }

    fn manager(&self) -> String {
        let given = self.param("fieldManager");
        let agent = self.user_agent.split('/').next().unwrap_or_default();
        match (given, agent) {
            ("", "") => "unknown".to_owned(),
            ("", agent) => agent.to_owned(),
            (given, _) => given.to_owned(),
        }
    }
}

/// Works on a request.
pub(super) fn answer(shared: &Arc<Shared>, call: &Call, stale: u64) -> Answer {
    match try_answer(shared, call, stale) {
        Ok(answer) => answer,
        Err(refusal) => refusal.into(),
    }
}

fn try_answer(shared: &Arc<Shared>, call: &Call, stale: u64) -> Result<Answer, Refusal> {
    let Path::Objects {
        group,
        version,
        plural,
        namespace,
        name,
        subresource,
    } = &call.path
    else {
        return super::discover::answer(&shared.state(), &call.discovery());
    };
    let nothing_here = || Refusal::page_not_found();
    let kind = shared
        .state()
        .kind(group, version, plural)
        .ok_or_else(nothing_here)?;
    let part = match subresource.as_str() {
        "" => Part::Main,
        "status" if kind.status => Part::Status,
        _ => return Err(nothing_here()),
    };
    let scope = Scope {
        selector: Selector::parse(call.param("labelSelector"), call.param("fieldSelector"))?,
        namespace: namespace.clone(),
        metadata_only: call.metadata_only,
        kind: kind.clone(),
    };
    let key = name
        .as_ref()
        .map(|name| Key::new(&kind, namespace.as_deref().unwrap_or_default(), name));
    match (call.verb(), key) {
        ("watch", None) => Ok(Answer::Stream(watch::open(shared, scope, &watch_options(call)?))),
        ("list", None) if stale > 0 => super::list::answer(&shared.state().stale(stale), &scope, &list_params(call)),
        ("list", None) => super::list::answer(&shared.state(), &scope, &list_params(call)),
        ("get", Some(key)) => {
            let object = if stale > 0 {
                shared.state().stale(stale).found(&kind, &key)?
            } else {
                shared.state().found(&kind, &key)?
            };
            Ok(Answer::Json(200, scope.form(&object)))
        }
        (verb, key) => {
            if kind.namespaced && namespace.is_none() {
                return Err(Refusal::method_not_allowed());
            }
            let write = Write::new(shared.now(), &call.manager());
            let mut answer = shared.change(call.dry_run(), &write, |state| match (verb, &key) {
                ("create", None) => {
                    let namespace = namespace.as_deref().unwrap_or_default();
                    let object = state.create(&kind, namespace, call.json()?, &write)?;
                    Ok(Answer::Json(201, (*object).clone()))
                }
                ("update", Some(key)) => {
                    let written = state.update(&kind, key, part, call.json()?, &write)?;
                    Ok(Answer::Json(if written.created { 201 } else { 200 }, (*written.object).clone()))
                }
                ("patch", Some(key)) => patched(state, call, &kind, key, part, &write),
                ("delete", Some(key)) => {
                    let object = state.delete(&kind, key, &delete_options(call)?, &write)?;
                    Ok(Answer::Json(200, object))
                }
                ("deletecollection", None) => {
                    let options = delete_options(call)?;
                    let going: Vec<_> = scope.objects(state).cloned().collect();
                    for object in &going {
                        let name = meta::text(object, "name");
                        let key = Key::new(&kind, namespace.as_deref().unwrap_or_default(), name);
                        state.delete(&kind, &key, &options, &write)?;
                    }
                    Ok(super::list::of(&scope, state.revision(), &going))
                }
                _ => Err(Refusal::method_not_allowed()),
            })?;
            if let (Answer::Json(_, value), true) = (&mut answer, call.metadata_only) {
                *value = scope.form(value);
            }
            Ok(answer)
        }
    }
}

fn patched(
    state: &mut ApiState,
    call: &Call,
    kind: &Kind,
    key: &Key,
    part: Part,
    write: &Write,
) -> Result<Answer, Refusal> {
    let live = state.get(key).cloned();
    let mut write = write.clone();
    let next = match (call.media_type.as_str(), &live) {
        ("application/apply-patch+yaml" | "application/apply-patch+json", _) => {
            let manager = Manager {
                name: call.manager(),
                apply: true,
                status: part == Part::Status,
            };
            let config = applied_config(call, kind, key)?;
            let owners = state.owners.get(key).cloned().unwrap_or_default();
            let applied = patch::apply(
                kind,
                live.as_deref(),
                &owners,
                &config,
                &manager,
                call.flag("force"),
            )?;
            write.applied = Some(applied.owners);
            if live.is_none() {
                if part == Part::Status {
                    return Err(Refusal::not_found(kind, &key.name));
                }
                let object = state.create(kind, &key.namespace, applied.object, &write)?;
                return Ok(Answer::Json(201, (*object).clone()));
            }
            applied.object
        }
        ("application/merge-patch+json", Some(live)) => {
            let mut next = (**live).clone();
            patch::merge(&mut next, &call.json()?);
            next
        }
        ("application/json-patch+json", Some(live)) => patch::json(live, &call.body)?,
        ("application/merge-patch+json" | "application/json-patch+json", None) => {
            return Err(Refusal::not_found(kind, &key.name));
        }
        (other, _) => return Err(Refusal::media_type(other)),
    };
    let written = state.update(kind, key, part, next, &write)?;
    Ok(Answer::Json(200, (*written.object).clone()))
}

/// The body of an apply. Its name and namespace may be left out; they are the URL's.
fn applied_config(call: &Call, kind: &Kind, key: &Key) -> Result<Value, Refusal> {
    if call.param("fieldManager").is_empty() {
        return Err(Refusal::apply_needs_manager());
    }
    let mut config = call.json()?;
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    if !config["metadata"].is_object() {
        config["metadata"] = json!({});
    }
    if meta::text(&config, "name").is_empty() {
        meta::set(&mut config, "name", key.name.clone());
    }
    if kind.namespaced && meta::text(&config, "namespace").is_empty() {
        meta::set(&mut config, "namespace", key.namespace.clone());
    }
    meta::undefaulted(kind, config)
}

fn watch_options(call: &Call) -> Result<WatchOptions, Refusal> {
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

fn list_params(call: &Call) -> super::list::Params {
    super::list::Params {
        limit: call.param("limit").parse().ok().filter(|limit| *limit > 0),
        token: call.param("continue").to_owned(),
        resource_version: call.param("resourceVersion").to_owned(),
        exact: call.param("resourceVersionMatch") == "Exact",
    }
}

fn delete_options(call: &Call) -> Result<DeleteOptions, Refusal> {
    let body = if call.body.is_empty() {
        Value::Null
    } else {
        call.json()?
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let policy = text(&body["propagationPolicy"])
        .or_else(|| call.query.get("propagationPolicy").cloned());
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

impl Call {
    fn discovery(&self) -> super::discover::Question {
        use super::discover::Question;
        match &self.path {
            Path::Version => Question::Version,
            Path::Groups => Question::Groups,
            Path::CoreVersions => Question::CoreVersions,
            Path::Resources { group, version } => Question::Resources(group.clone(), version.clone()),
            Path::Objects { .. } | Path::Unknown => Question::Unknown,
        }
    }
}
