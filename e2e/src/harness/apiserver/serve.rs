//! HTTP on one side, the state on the other: paths, query parameters, bodies, codes.
//!
//! May change the state through a request, and answers what the API server would. JSON only; discovery as far as
//! `kube::discovery` asks for one group or kind.

use std::sync::Arc;

use axum::body::Body;
use http::{Response, StatusCode, header};
use serde_json::{Value, json};

use super::Shared;
use super::call::{Call, Path, delete_options, list_params, watch_options};
use super::fields::Manager;
use super::kinds::Kind;
use super::meta;
use super::patch;
use super::refuse::Refusal;
use super::select::Selector;
use super::state::{ApiState, Key, Write};
use super::store::Part;
use super::watch::{self, Scope};

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

    /// An answer to a dry run shows the version that is stored, if any.
    pub(super) fn unwritten(self, state: &ApiState) -> Self {
        let Self::Json(code, mut object) = self else {
            return self;
        };
        let uid = meta::text(&object, "uid");
        let stored = state
            .objects
            .values()
            .find(|stored| meta::text(stored, "uid") == uid)
            .map(|stored| stored["metadata"]["resourceVersion"].clone());
        match stored {
            Some(version) => meta::set(&mut object, "resourceVersion", version),
            None => meta::unset(&mut object, "resourceVersion"),
        }
        Self::Json(code, object)
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

/// Works on a request.
pub(super) fn answer(shared: &Arc<Shared>, call: &Call, client: &str, stale: u64) -> Answer {
    match try_answer(shared, call, client, stale) {
        Ok(answer) => answer,
        Err(refusal) => refusal.into(),
    }
}

fn try_answer(
    shared: &Arc<Shared>,
    call: &Call,
    client: &str,
    stale: u64,
) -> Result<Answer, Refusal> {
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
    let kind = shared
        .state()
        .kind(group, version, plural)
        .ok_or_else(Refusal::page_not_found)?;
    let part = match subresource.as_str() {
        "" => Part::Main,
        "status" if kind.status => Part::Status,
        _ => return Err(Refusal::page_not_found()),
    };
    let scope = Scope {
        selector: Selector::parse(call.param("labelSelector"), call.param("fieldSelector"))?,
        namespace: namespace.clone(),
        client: client.to_owned(),
        metadata_only: call.metadata_only,
        kind: kind.clone(),
    };
    let key = name
        .as_ref()
        .map(|name| Key::new(&kind, namespace.as_deref().unwrap_or_default(), name));
    match (call.verb(), key) {
        ("watch", None) => Ok(Answer::Stream(watch::open(
            shared,
            scope,
            &watch_options(call)?,
        ))),
        ("list", None) if stale > 0 => {
            super::list::answer(&shared.state().stale(stale), &scope, &list_params(call))
        }
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
                    Ok(Answer::Json(
                        if written.created { 201 } else { 200 },
                        (*written.object).clone(),
                    ))
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
