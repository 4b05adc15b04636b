//! One server under comparison: sends the script's steps, follows the objects, and brings answers into a form that two servers
//! can be compared by.
//!
//! May ask the server that it was given, and judges nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{AsyncBufReadExt, StreamExt};
use http::{Method, Request};
use kube::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::common;

/// How long the real controller manager may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// What is watched from the beginning.
const WATCHED: [&str; 4] = ["configmaps", "secrets", "vpnpairs", "expressroutelinks"];

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(rename = "do")]
    pub what: String,
    #[serde(default)]
    pub body: Option<Value>,
    #[serde(default)]
    sample: bool,
    #[serde(default)]
    pub query: String,
    #[serde(default, rename = "in")]
    elsewhere: Option<String>,
    #[serde(default)]
    until: String,
}

/// apiVersion and kind of a plural.
fn kind(plural: &str) -> (&'static str, &'static str) {
    match plural {
        "namespaces" => ("v1", "Namespace"),
        "configmaps" => ("v1", "ConfigMap"),
        "secrets" => ("v1", "Secret"),
        "events" => ("events.k8s.io/v1", "Event"),
        "leases" => ("coordination.k8s.io/v1", "Lease"),
        "vpnpairs" => ("causeway.dev/v1alpha1", "VpnPair"),
        "expressroutelinks" => ("causeway.dev/v1alpha1", "ExpressRouteLink"),
        "routereports" => ("causeway.dev/v1alpha1", "RouteReport"),
        other => panic!("{other}: not in the table"),
    }
}

/// JSON merge patch, by the letter of RFC 7386: not the stand-in's own.
fn overlay(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let map = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            map.shift_remove(key);
        } else {
            overlay(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// One server, and what was learned of its objects.
pub struct Side {
    client: Client,
    namespace: String,
    /// By plural, namespace and name: first and latest version, UID.
    known: BTreeMap<String, (String, String, String)>,
    /// UIDs in the order in which they showed up.
    uids: Vec<String>,
    watches: Vec<JoinHandle<Vec<Value>>>,
}

impl Side {
    pub fn new(client: Client, namespace: &str) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            known: BTreeMap::new(),
            uids: Vec::new(),
            watches: Vec::new(),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let bytes = body.map_or_else(Vec::new, |b| serde_json::to_vec(b).unwrap());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .body(kube::client::Body::from(bytes))
            .unwrap();
        let response = self.client.send(request).await.unwrap();
        let code = response.status().as_u16();
        let bytes = response.into_body().collect_bytes().await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (
            code,
            serde_json::from_slice(&bytes).unwrap_or(Value::String(text)),
        )
    }

    /// The first lines of a watch: as many as come within a moment, at most `most`.
    async fn lines(&self, path: &str, most: usize, moment: Duration) -> Vec<Value> {
        let request = Request::get(path).body(Vec::new()).unwrap();
        let stream = self.client.request_stream(request).await.unwrap();
        let mut lines = Box::pin(stream).lines();
        let mut all = Vec::new();
        while all.len() < most {
            match tokio::time::timeout(moment, lines.next()).await {
                Ok(Some(line)) => all.push(serde_json::from_str(&line.unwrap()).unwrap()),
                Ok(None) | Err(_) => break,
            }
        }
        all
    }

    fn path(
        &self,
        plural: &str,
        namespace: &str,
        name: &str,
        subresource: &str,
        query: &str,
    ) -> String {
        let (version, _) = kind(plural);
        let root = if version.contains('/') { "apis" } else { "api" };
        let mut path = format!("/{root}/{version}");
        if plural == "namespaces" {
            path.push_str("/namespaces");
        } else {
            path.push_str(&format!("/namespaces/{namespace}/{plural}"));
        }
        for part in [name, subresource] {
            if !part.is_empty() {
                path.push_str(&format!("/{part}"));
            }
        }
        if !query.is_empty() {
            path.push_str(&format!("?{query}"));
        }
        path
    }

    /// Follows every object of the watched kinds from now on.
    pub async fn follow(&mut self) {
        for plural in WATCHED {
            let path = self.path(plural, &self.namespace, "", "", "");
            let (_, list) = self.send(Method::GET, &path, "", None).await;
            let version = list["metadata"]["resourceVersion"]
                .as_str()
                .unwrap()
                .to_owned();
            let query = format!("watch=true&resourceVersion={version}&timeoutSeconds=600");
            let path = self.path(plural, &self.namespace, "", "", &query);
            let client = self.client.clone();
            self.watches.push(tokio::spawn(async move {
                let request = Request::get(path).body(Vec::new()).unwrap();
                let mut lines = Box::pin(client.request_stream(request).await.unwrap()).lines();
                let mut all = Vec::new();
                while let Some(line) = lines.next().await {
                    let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
                    if event["object"]["metadata"]["name"] == "zz-end" {
                        break;
                    }
                    all.push(event);
                }
                all
            }));
        }
    }

    /// What the watches saw, by object.
    pub async fn followed(mut self) -> BTreeMap<String, Vec<Value>> {
        for plural in WATCHED {
            let (version, kind) = kind(plural);
            let mut body =
                json!({"apiVersion": version, "kind": kind, "metadata": {"name": "zz-end"}});
            if version.starts_with("causeway") {
                overlay(&mut body, &json!({"spec": common::base(kind)["spec"]}));
            }
            let path = self.path(plural, &self.namespace, "", "", "");
            let (code, answer) = self
                .send(Method::POST, &path, "application/json", Some(&body))
                .await;
            assert_eq!(code, 201, "{answer:#}");
        }
        let mut seen = BTreeMap::<String, Vec<Value>>::new();
        for watch in std::mem::take(&mut self.watches) {
            let events = tokio::time::timeout(PATIENCE, watch).await;
            for mut event in events.expect("the watch ends").unwrap() {
                let object = &mut event["object"];
                if foreign(object) {
                    continue;
                }
                self.normalise(object);
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let key = format!("{} {name}", object["kind"].as_str().unwrap_or_default());
                seen.entry(key).or_default().push(event);
            }
        }
        seen
    }

    fn fill(&self, text: &str, key: &str, namespace: &str) -> String {
        let (first, latest, uid) = self.known.get(key).cloned().unwrap_or_default();
        let mut text = text.to_owned();
        while let Some((before, rest)) = text.clone().split_once("$uid(") {
            let (name, after) = rest.split_once(')').unwrap();
            let other = format!("configmaps {namespace}/{name}");
            let uid = &self
                .known
                .get(&other)
                .unwrap_or_else(|| panic!("no {other} yet"))
                .2;
            text = format!("{before}{uid}{after}");
        }
        text.replace("$rv", &latest)
            .replace("$first", &first)
            .replace("$uid", &uid)
            .replace("$ns", &self.namespace)
    }

    fn fill_all(&self, value: &mut Value, key: &str, namespace: &str) {
        match value {
            Value::String(text) => *text = self.fill(text, key, namespace),
            Value::Array(list) => list
                .iter_mut()
                .for_each(|v| self.fill_all(v, key, namespace)),
            Value::Object(map) => map
                .values_mut()
                .for_each(|v| self.fill_all(v, key, namespace)),
            _ => {}
        }
    }

    /// Runs a step and answers what can be compared.
    pub async fn run(&mut self, step: &Step) -> Value {
        let mut words = step.what.split_whitespace();
        let verb = words.next().unwrap();
        let (plural, subresource) = match words.next().unwrap().split_once('/') {
            Some((plural, subresource)) => (plural.to_owned(), subresource.to_owned()),
            None => (
                step.what.split_whitespace().nth(1).unwrap().to_owned(),
                String::new(),
            ),
        };
        let namespace = match &step.elsewhere {
            Some(word) => format!("{}-{word}", self.namespace),
            None => self.namespace.clone(),
        };
        let name = match words.next() {
            Some(name) => name.to_owned(),
            None if plural == "namespaces" => namespace.clone(),
            None => String::new(),
        };
        let key = format!("{plural} {namespace}/{name}");
        let query = self.fill(&step.query, &key, &namespace);
        let mut body = step.body.clone();
        if let Some(body) = &mut body {
            self.fill_all(body, &key, &namespace);
        }
        let whole = |body: Option<Value>| {
            let (version, kind) = kind(&plural);
            let mut full = json!({"apiVersion": version, "kind": kind, "metadata": {}});
            if !name.is_empty() {
                full["metadata"]["name"] = name.clone().into();
            }
            if step.sample {
                full["spec"] = common::base(kind)["spec"].clone();
            }
            // `null` must reach the server where a spec says so, and takes out of metadata what is filled in here.
            let body = body.unwrap_or_else(|| json!({}));
            overlay(
                &mut full["metadata"],
                &body["metadata"].as_object().map_or(json!({}), |m| json!(m)),
            );
            for (field, value) in body
                .as_object()
                .unwrap()
                .iter()
                .filter(|(f, _)| *f != "metadata")
            {
                match (full.get_mut(field), value) {
                    (Some(Value::Object(old)), Value::Object(new)) => {
                        for (k, v) in new {
                            old.insert(k.clone(), v.clone());
                        }
                    }
                    _ => full[field] = value.clone(),
                }
            }
            full
        };
        let at = |name: &str, subresource: &str| {
            self.path(&plural, &namespace, name, subresource, &query)
        };
        let json = "application/json";
        let (code, answer) = match verb {
            "create" => {
                self.send(Method::POST, &at("", ""), json, Some(&whole(body)))
                    .await
            }
            "get" => {
                self.send(Method::GET, &at(&name, &subresource), json, None)
                    .await
            }
            "list" => self.send(Method::GET, &at("", ""), json, None).await,
            "put" => {
                let now = self.path(&plural, &namespace, &name, "", "");
                let (code, mut object) = self.send(Method::GET, &now, json, None).await;
                if code != 200 {
                    object = json!({});
                }
                overlay(&mut object, &body.unwrap_or_else(|| json!({})));
                self.send(Method::PUT, &at(&name, &subresource), json, Some(&object))
                    .await
            }
            "merge" | "json" => {
                let media = format!("application/{verb}-patch+json");
                self.send(
                    Method::PATCH,
                    &at(&name, &subresource),
                    &media,
                    body.as_ref(),
                )
                .await
            }
            "apply" => {
                let media = "application/apply-patch+yaml";
                self.send(
                    Method::PATCH,
                    &at(&name, &subresource),
                    media,
                    Some(&whole(body)),
                )
                .await
            }
            "delete" => {
                self.send(Method::DELETE, &at(&name, ""), json, body.as_ref())
                    .await
            }
            "clear" => {
                let (code, _) = self.send(Method::DELETE, &at("", ""), json, None).await;
                (code, json!({}))
            }
            "watch" => {
                let query = format!("watch=true&{query}");
                let path = self.path(&plural, &namespace, "", "", &query);
                let mut lines = self.lines(&path, 10, Duration::from_secs(1)).await;
                for event in &mut lines {
                    let object = &mut event["object"];
                    if object["kind"] == "Status" {
                        *object = json!([object["code"], object["reason"]]);
                    }
                    self.normalise(object);
                }
                // The initial events come in any order.
                lines.sort_by_key(|e| e["object"]["metadata"]["name"].as_str().map(str::to_owned));
                return json!({ "events": lines });
            }
            "wait" => {
                self.wait(&at(&name, ""), &step.until).await;
                return json!({ "wait": step.until });
            }
            other => panic!("{other}: no such verb"),
        };
        self.shown(&key, code, answer)
    }

    async fn wait(&self, path: &str, until: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (code, object) = self.send(Method::GET, path, "", None).await;
            let done = match until {
                "gone" => code == 404,
                "deleting" => object["metadata"]["deletionTimestamp"].is_string(),
                other => panic!("{other}: nothing to wait for"),
            };
            if done {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{path} is not {until}: {object:#}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// An answer in the form in which it is compared.
    fn shown(&mut self, key: &str, code: u16, mut answer: Value) -> Value {
        if answer["kind"] == "Status" {
            return self.status(code, &answer);
        }
        if let Some(items) = answer.get_mut("items").and_then(Value::as_array_mut) {
            items.retain(|item| !foreign(item));
            let mut items = std::mem::take(items);
            for item in &mut items {
                self.normalise(item);
            }
            let more = answer["metadata"]["continue"]
                .as_str()
                .is_some_and(|c| !c.is_empty());
            return json!({"code": code, "kind": answer["kind"], "more": more, "items": items});
        }
        let version = answer["metadata"]["resourceVersion"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let uid = answer["metadata"]["uid"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let before = self.known.get(key).cloned();
        // Conditions come into a namespace that is being deleted, and are not compared.
        let moved = !key.starts_with("namespaces")
            && before
                .as_ref()
                .is_none_or(|(_, latest, old)| *latest != version || *old != uid);
        let first = before
            .filter(|(_, _, old)| *old == uid)
            .map_or_else(|| version.clone(), |(first, ..)| first);
        if !uid.is_empty() {
            self.known.insert(key.to_owned(), (first, version, uid));
        }
        self.normalise(&mut answer);
        json!({"code": code, "moved": moved, "object": answer})
    }

    fn status(&self, code: u16, status: &Value) -> Value {
        let causes = status["details"]["causes"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let mut causes: Vec<_> = causes
            .iter()
            .map(|c| {
                format!(
                    "{} {}",
                    c["reason"].as_str().unwrap_or_default(),
                    c["field"].as_str().unwrap_or_default()
                )
            })
            .collect();
        // Said where CEL rules were skipped because the schema is violated already; and some violations are said twice.
        causes.retain(|cause| !cause.ends_with("<nil>"));
        causes.sort();
        causes.dedup();
        let mut details = status["details"].clone();
        if let Some(map) = details.as_object_mut() {
            map.retain(|key, _| matches!(key.as_str(), "name" | "group" | "kind"));
        }
        // Where the wording is Go's own (decoding, etcd's keys) only code, reason and fields count.
        let exact = matches!(code, 404 | 403)
            || code == 409 && !status["message"].to_string().contains("recondition");
        let message = status["message"]
            .as_str()
            .filter(|_| exact)
            .unwrap_or_default();
        let text = json!({
            "code": code, "says": status["code"], "status": status["status"], "reason": status["reason"], "details": details,
            "causes": causes, "message": message,
        });
        serde_json::from_str(&self.anonymous(&text.to_string())).unwrap()
    }

    fn anonymous(&self, text: &str) -> String {
        text.replace(&self.namespace, "$ns")
    }

    /// Takes out what differs between any two servers: versions, times, UIDs (which become numbers), names made at random.
    fn normalise(&mut self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        metadata.shift_remove("managedFields");
        metadata.shift_remove("resourceVersion");
        for field in ["creationTimestamp", "deletionTimestamp"] {
            if metadata.get(field).is_some_and(Value::is_string) {
                metadata.insert(field.to_owned(), "T".into());
            } else {
                metadata.shift_remove(field);
            }
        }
        if let Some(prefix) = metadata
            .get("generateName")
            .and_then(Value::as_str)
            .map(str::to_owned)
        {
            let name = metadata["name"].as_str().unwrap_or_default();
            assert!(
                name.starts_with(&prefix) && name.len() == prefix.len() + 5,
                "{name}"
            );
            metadata.insert("name".to_owned(), format!("{prefix}*").into());
        }
        let uids: Vec<&mut Value> = metadata
            .get_mut("ownerReferences")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get_mut("uid"))
            .collect();
        let numbered = |uids: &mut Vec<String>, uid: &mut Value| {
            let text = uid.as_str().unwrap_or_default().to_owned();
            let at = uids.iter().position(|u| *u == text).unwrap_or_else(|| {
                uids.push(text);
                uids.len() - 1
            });
            *uid = format!("U{at}").into();
        };
        for uid in uids {
            numbered(&mut self.uids, uid);
        }
        if let Some(uid) = metadata.get_mut("uid") {
            numbered(&mut self.uids, uid);
        }
        if object["kind"] == "Namespace" {
            object["status"]
                .as_object_mut()
                .unwrap()
                .shift_remove("conditions");
        }
        *object = sorted(serde_json::from_str(&self.anonymous(&object.to_string())).unwrap());
    }
}

/// What every cluster puts into a namespace.
fn foreign(object: &Value) -> bool {
    object["metadata"]["name"] == "kube-root-ca.crt"
}

/// Keys in order, for a readable difference; `null` is as good as absent.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let set = map.into_iter().filter(|(_, v)| !v.is_null());
            let all: BTreeMap<_, _> = set.map(|(k, v)| (k, sorted(v))).collect();
            Value::Object(all.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(list) => list.into_iter().map(sorted).collect(),
        other => other,
    }
}
