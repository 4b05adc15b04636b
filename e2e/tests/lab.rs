//! The lab's life as a person with kubectl sees it, measured: apply, wait, look, ten quiet hours, delete. No secret of the
//! clouds shows anywhere.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)] // a failed assumption is a failed test

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use causeway_e2e::objects::{KINDS, tally};
use causeway_e2e::secrecy::Secrets;
use causeway_e2e::trial::{Trial, sample, seconds};
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{Event, Secret};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use serde_json::Value;

const SPEED: f64 = 600.0;
/// What operator and machine may add to the clouds' own work, in real seconds. The goal is a ratio of 1.2 on a quiet
/// machine (design §8); at this speed a second of a busy one is ten minutes of the clouds, so that a ratio says little.
const WORST_EXCESS: f64 = 25.0;
const QUIET_HOURS: f64 = 10.0;

struct Lab {
    trial: Trial,
}

impl Lab {
    /// Runs kubectl in the namespace of the test.
    async fn kubectl(&self, arguments: &[&str]) -> String {
        let namespace = self.trial.rig.namespace().to_owned();
        let mut all = arguments.to_vec();
        all.extend(["--namespace", &namespace]);
        self.trial.shared.plane().kubectl(&all).await.unwrap()
    }

    /// Last sequence number of the call log.
    async fn last_call(&self) -> u64 {
        let calls = self.trial.ask("/calls").await;
        let calls = calls.as_array().unwrap();
        calls.last().and_then(|c| c["seq"].as_u64()).unwrap_or(0)
    }

    async fn calls_since(&self, since: u64) -> Vec<Value> {
        let calls = self.trial.ask(&format!("/calls?since={since}")).await;
        calls.as_array().cloned().unwrap()
    }
}

fn by_operation(calls: &[Value]) -> String {
    let text = |call: &Value, field: &str| call[field].as_str().unwrap_or_default().to_owned();
    tally(
        calls
            .iter()
            .map(|c| format!("{} {}", text(c, "provider"), text(c, "operation"))),
    )
}

/// When the API server told of the interconnect: how long kubectl takes to start, and to notice, is not the operator's.
#[derive(Debug, Default)]
struct Moments {
    appeared: OnceLock<Instant>,
    ready: OnceLock<Instant>,
    deleting: OnceLock<Instant>,
    gone: OnceLock<Instant>,
}

impl Moments {
    /// Watches the interconnect `lab` from its first moment to its last.
    fn of(trial: &Trial) -> Arc<Self> {
        let moments = Arc::new(Self::default());
        let told = moments.clone();
        let api = trial.kind("HybridInterconnect");
        tokio::spawn(async move {
            let changes = api.watch(&WatchParams::default(), "0").await.unwrap();
            let mut changes = pin!(changes);
            while let Some(change) = changes.try_next().await.unwrap() {
                let moment = match &change {
                    WatchEvent::Deleted(_) => &told.gone,
                    WatchEvent::Added(_) => &told.appeared,
                    WatchEvent::Modified(o) if o.metadata.deletion_timestamp.is_some() => {
                        &told.deleting
                    }
                    WatchEvent::Modified(o) if is_ready(&o.data) => &told.ready,
                    _ => continue,
                };
                // The first time counts.
                let _ = moment.set(Instant::now());
            }
        });
        moments
    }

    /// Simulated seconds between two of them.
    fn between(from: &OnceLock<Instant>, to: &OnceLock<Instant>) -> f64 {
        let (from, to) = (from.get().unwrap(), to.get().unwrap());
        to.duration_since(*from).as_secs_f64() * SPEED
    }
}

fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter()
            .any(|c| c["type"] == "Ready" && c["status"] == "True")
    })
}

/// Tells the time of a kind of work against the longest chain of the clouds' own work; answers what was added to that, in
/// real seconds.
async fn excess(trial: &Trial, kind: &str, took: f64) -> f64 {
    let path = trial.ask(&format!("/critical-path?kind={kind}")).await;
    let least = path["seconds"].as_f64().unwrap();
    assert!(least > 600.0, "no critical path of {kind}: {path}");
    let excess = (took - least) / SPEED;
    eprintln!(
        "{kind}: {took:.0} simulated seconds, critical path {least:.0}, ratio {:.2}, {excess:.1} real seconds added",
        took / least
    );
    excess
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lab_lives_as_kubectl_shows_it() {
    let trial = Trial::start("lab", SPEED).await;
    let mut lab = Lab { trial };
    let manifest = manifest(&lab.trial);

    let moments = Moments::of(&lab.trial);
    lab.kubectl(&["apply", "-f", &manifest.to_string_lossy()])
        .await;
    let waited = lab
        .kubectl(&[
            "wait",
            "--for=condition=Ready",
            "hybridinterconnect/lab",
            "--timeout=300s",
        ])
        .await;
    let took = Moments::between(&moments.appeared, &moments.ready);
    assert!(waited.contains("lab condition met"), "{waited}");
    let calls = lab.trial.calls().await;
    eprintln!(
        "{} calls until Ready:\n{}",
        calls.len(),
        by_operation(&calls)
    );
    let create = excess(&lab.trial, "create", took).await;
    lab.trial.until_all("Ready", 4).await;
    for condition in ["RoutesAsExpected", "Redundant"] {
        lab.trial
            .until(&format!("the interconnect says {condition}"), async |t| {
                let seen = t.seen().await;
                seen.objects.get("hi/lab").is_some_and(|o| o.is(condition))
            })
            .await;
    }

    look(&lab).await;
    no_secret_shows(&lab.trial).await;
    quiet_hours(&lab).await;

    let before = lab.last_call().await;
    lab.kubectl(&["delete", "hybridinterconnect", "lab"]).await;
    lab.trial.until_gone().await;
    let took = Moments::between(&moments.deleting, &moments.gone);
    let calls = lab.calls_since(before).await;
    eprintln!(
        "{} calls of the deletion:\n{}",
        calls.len(),
        by_operation(&calls)
    );
    let delete = excess(&lab.trial, "delete", took).await;
    assert_eq!(lab.trial.leftovers().await, Vec::<String>::new());
    no_secret_shows(&lab.trial).await;
    for (kind, seconds) in [("create", create), ("delete", delete)] {
        assert!(
            seconds <= WORST_EXCESS,
            "{kind} took {seconds:.1} real seconds more than the clouds' own work"
        );
    }
}

/// The sample in the namespace of the test.
fn manifest(trial: &Trial) -> PathBuf {
    let text = std::fs::read_to_string(sample("lab.yaml")).unwrap();
    let namespaced = text.replace(
        "namespace: network",
        &format!("namespace: {}", trial.rig.namespace()),
    );
    assert_ne!(text, namespaced, "the sample names no namespace");
    let path = trial.rig.folder().join("lab.yaml");
    std::fs::write(&path, namespaced).unwrap();
    path
}

async fn look(lab: &Lab) {
    let all = lab.kubectl(&["get", "causeway"]).await;
    for name in [
        "hybridinterconnect.causeway.dev/lab",
        "expressroutelink.causeway.dev/lab-er-main",
        "directconnectlink.causeway.dev/lab-dx-main",
        "vpnpair.causeway.dev/lab-vpn",
        "routereport.causeway.dev/hi-lab",
    ] {
        assert!(all.contains(name), "{all}");
    }
    let row = all
        .lines()
        .find(|line| line.starts_with("hybridinterconnect.causeway.dev/lab"))
        .unwrap();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[1..4], ["True", "ExpressRoute", "True"], "{all}");
    let bgp: Vec<&str> = cells[4].split('/').collect();
    assert!(bgp[0] == bgp[1] && bgp[0] != "0", "{all}");

    lab.kubectl(&["get", "hybridinterconnects", "-o", "wide"])
        .await;
    let described = lab
        .kubectl(&["describe", "hybridinterconnect", "lab"])
        .await;
    for part in [
        "Active Path:",
        "ExpressRoute",
        "Conditions:",
        "Slots:",
        "Events:",
    ] {
        assert!(described.contains(part), "{part} is missing: {described}");
    }
    lab.kubectl(&["describe", "routereport", "er-lab-er-main"])
        .await;
    let explained = lab
        .kubectl(&["explain", "hybridinterconnect.spec.expressRoutes"])
        .await;
    for field in ["circuit", "peering", "ports", "connection"] {
        assert!(explained.contains(field), "{explained}");
    }
    // Every field has words of its own.
    assert!(!explained.contains("<no description>"), "{explained}");
}

/// Ten simulated hours without a mutating call and without a write to any of our objects.
async fn quiet_hours(lab: &Lab) {
    // What a failed read of an hour ago left behind, and late reports, may settle first.
    tokio::time::sleep(Duration::from_secs_f64(1200.0 / SPEED)).await;
    let versions = lab.trial.versions().await;
    let since = lab.last_call().await;
    let start = lab.trial.now().await;
    let hours = Duration::from_secs_f64(QUIET_HOURS * 3600.0 / SPEED);
    tokio::time::sleep(hours).await;
    let passed = seconds(start, lab.trial.now().await) / 3600.0;
    let calls = lab.calls_since(since).await;
    let mutating: Vec<&Value> = calls.iter().filter(|c| c["mutating"] == true).collect();
    let changed = lab.trial.written_since(&versions).await;
    eprintln!(
        "{passed:.1} quiet hours: {} reads ({:.1} a minute), {} mutating calls, {} objects written",
        calls.len() - mutating.len(),
        (calls.len() - mutating.len()) as f64 / (passed * 60.0),
        mutating.len(),
        changed.len()
    );
    assert!(passed >= QUIET_HOURS * 0.99, "only {passed} hours passed");
    assert!(mutating.is_empty(), "{mutating:#?}");
    assert!(changed.is_empty(), "written: {changed:?}");
}

/// Values that may stand nowhere.
async fn secrets(trial: &Trial) -> Secrets {
    let mut secrets = Secrets::default();
    for file in ["world.json", "state.json"] {
        let path = trial.rig.folder().join("sandbox").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        secrets.collect(file, &serde_json::from_str(&text).unwrap());
    }
    let api = Api::<Secret>::namespaced(trial.client.clone(), trial.rig.namespace());
    for secret in api.list(&ListParams::default()).await.unwrap() {
        secrets.take_keys(secret);
    }
    secrets
}

/// Status, Events, RouteReports, the operator's log and its metrics, as text.
async fn visible(trial: &Trial) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for kind in KINDS {
        for object in trial.list(kind).await {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            texts.insert(format!("{kind} {name}"), object.to_string());
        }
    }
    let events = Api::<Event>::namespaced(trial.client.clone(), trial.rig.namespace());
    let events = events.list(&ListParams::default()).await.unwrap();
    let events = serde_json::to_string(&events.items).unwrap();
    texts.insert("Events".to_owned(), events);
    texts.insert("operator.log".to_owned(), trial.operator_log());
    let url = format!("http://{}/metrics", trial.rig.operator_address().unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let metrics = client.get(url).send().await.unwrap().text().await.unwrap();
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    texts.insert("metrics".to_owned(), metrics);
    texts
}

async fn no_secret_shows(trial: &Trial) {
    let secrets = secrets(trial).await;
    let texts = visible(trial).await;
    let bytes: usize = texts.values().map(String::len).sum();
    let shown = secrets.shown(&texts);
    eprintln!(
        "{} secrets looked for in {bytes} bytes of status, Events, reports, metrics and log",
        secrets.len()
    );
    assert!(secrets.len() >= 6, "only {secrets:?}");
    assert!(shown.is_empty(), "{shown:#?}");
}
