//! What tests of the whole share: the lab in a namespace of its own, looked at until something is so, and the account
//! checked afterwards.
//!
//! May drive a [`Rig`]. For tests only, hence the panics: a test whose rig does not run has failed.
#![allow(clippy::panic)]

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

use crate::controlplane::SharedControlPlane;
use crate::demo::watch::Seen;
use crate::objects::Objects;
use crate::playground::{Rig, SandboxClient};

/// How long one thing may take in real time. Generous: the machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_mins(6);

/// How often is looked. Looking costs the machine what the operator needs.
const LOOK: Duration = Duration::from_millis(200);

/// A rig with a name, and what tests ask of it.
pub struct Trial {
    pub rig: Rig,
    pub shared: &'static SharedControlPlane,
    objects: Objects,
    /// The call log as far as it was read: it is long, and asked for often.
    log: Mutex<Vec<Value>>,
}

/// `config/samples/NAME`.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../config/samples")
        .join(name)
}

/// A sample as a value, in `namespace`.
///
/// # Panics
/// When it cannot be read.
pub fn document(name: &str, namespace: &str) -> Value {
    let path = sample(name);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut value: Value =
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    value["metadata"]["namespace"] = namespace.into();
    value
}

/// The `HybridInterconnect` whose entries say what the samples' three links alone are and ask for them, on a person's router
/// and virtual private gateway.
pub fn interconnect_of(links: &[Value; 3], router: &str, gateway: &str) -> Value {
    let [er, dx, vpn] = links.each_ref().map(|link| &link["spec"]);
    let without = |spec: &Value, fields: &[&str]| {
        let mut spec = spec.clone();
        if let Some(map) = spec.as_object_mut() {
            map.retain(|k, _| !fields.contains(&k.as_str()));
        }
        spec
    };
    let mut port = without(&er["ports"][0], &["routerRef"]);
    port["router"] = json!("a");
    let mut direct = without(
        dx,
        &["aws", "megaport", "routerRef", "gateway", "association"],
    );
    direct["name"] = json!("main");
    direct["router"] = json!("a");
    direct["adoptLink"] = json!("to-aws");
    let mut backup = without(
        vpn,
        &[
            "azure",
            "aws",
            "virtualNetworkRef",
            "virtualPrivateGatewayRef",
        ],
    );
    backup["adoptLink"] = json!("backup");
    let mut azure = er["azure"].clone();
    azure["expressRouteGateway"] = json!({"sku": "ErGw1AZ"});
    let mut aws = dx["aws"].clone();
    aws["vpcRef"] = json!({"id": "vpc-0a1b2c3d4e5f60718"});
    aws["virtualPrivateGatewayRef"] = json!({"id": gateway});
    aws["directConnectGateway"] = json!({"amazonASN": 64901, "allowedPrefixes": ["172.16.0.0/16"]});
    json!({
        "apiVersion": "causeway.dev/v1alpha1",
        "kind": "HybridInterconnect",
        "metadata": {"name": "whole"},
        "spec": {
            "azure": azure,
            "aws": aws,
            "megaport": {
                "credentialsSecretRef": er["megaport"]["credentialsSecretRef"],
                "routers": [{"name": "a", "ref": {"productUID": router}}],
            },
            "expressRoutes": [{
                "name": "main", "circuit": er["circuit"], "peering": er["peering"], "ports": [port],
                "connection": er["connection"], "adoptLink": "to-azure",
            }],
            "directConnects": [direct],
            "vpn": backup,
        },
    })
}

/// Its objects are asked for as its own.
impl Deref for Trial {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}

impl Trial {
    /// Sandbox and operator in a new namespace `NAME-N` of the shared control plane.
    ///
    /// # Panics
    /// When they cannot be started.
    pub async fn start(name: &str, speed: f64) -> Self {
        Self::in_world(name, speed, None).await
    }

    /// The same in another world than the lab's.
    ///
    /// # Panics
    /// When they cannot be started.
    pub async fn in_world(name: &str, speed: f64, world: Option<&Value>) -> Self {
        let shared = SharedControlPlane::get().await;
        let rig = match world {
            None => Rig::for_test(shared, name, speed).await,
            Some(world) => Rig::for_test_in(shared, name, speed, world).await,
        };
        let rig = rig.unwrap_or_else(|error| panic!("no rig: {error}"));
        let client = shared
            .plane()
            .client()
            .await
            .unwrap_or_else(|error| panic!("no client: {error}"));
        let objects = Objects::new(client, rig.namespace());
        Self {
            rig,
            shared,
            objects,
            log: Mutex::default(),
        }
    }

    /// The sandbox's control API.
    pub fn sandbox(&self) -> SandboxClient {
        self.rig.sandbox().clone()
    }

    /// A sample as a value, in this namespace.
    pub fn document(&self, name: &str) -> Value {
        document(name, self.rig.namespace())
    }

    /// Looks until `done`. Fails early, with the end of the log, if a process has ended.
    ///
    /// # Panics
    /// When it does not come within [`PATIENCE`].
    pub async fn until(&mut self, what: &str, done: impl AsyncFn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !done(self).await {
            if let Err(error) = self.rig.check() {
                panic!("while waiting for {what}: {error}");
            }
            if Instant::now() > deadline {
                let seen = self.seen().await;
                let live: Value = self.ask("/live").await;
                panic!(
                    "not within {} s: {what}; logs in {}\n{}\n{live:#}",
                    PATIENCE.as_secs(),
                    self.rig.folder().display(),
                    summary(&seen)
                );
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks until the lab with all its links says `condition`.
    pub async fn until_all(&mut self, condition: &str, objects: usize) {
        let what = format!("all {objects} objects say {condition}");
        self.until(&what, async |t| {
            let seen = t.seen().await;
            seen.objects.len() == objects && seen.objects.values().all(|o| o.is(condition))
        })
        .await;
    }

    /// Looks until none of our four kinds is left in the namespace.
    pub async fn until_gone(&mut self) {
        self.until("every object is gone", async |t| {
            t.seen().await.objects.is_empty()
        })
        .await;
    }

    /// An answer of the sandbox's control API.
    ///
    /// # Panics
    /// When there is none.
    pub async fn ask(&self, path: &str) -> Value {
        let answer = self.rig.sandbox().get(path).await;
        answer.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The calls of the log, from the operator.
    pub async fn calls(&self) -> Vec<Value> {
        self.all_calls()
            .await
            .iter()
            .filter(|c| c["principal"] == "causeway")
            .cloned()
            .collect()
    }

    /// How many of them meant to change something.
    pub async fn mutating(&self) -> usize {
        let calls = self.all_calls().await;
        let ours = |c: &&Value| c["principal"] == "causeway" && c["mutating"] == true;
        calls.iter().filter(ours).count()
    }

    async fn all_calls(&self) -> MutexGuard<'_, Vec<Value>> {
        let mut log = self.log.lock().await;
        let last = log.last().and_then(|c| c["seq"].as_u64()).unwrap_or(0);
        let news = self.ask(&format!("/calls?since={last}")).await;
        log.extend(news.as_array().cloned().unwrap_or_default());
        log
    }

    /// Simulated time.
    ///
    /// # Panics
    /// When the sandbox does not tell.
    pub async fn now(&self) -> Timestamp {
        let clock = self.ask("/clock").await;
        time(&clock["now"])
    }

    /// What of the account is not as it should be after everything was deleted: products ordered twice or still paid for,
    /// objects left behind, changes of what was there before.
    pub async fn leftovers(&self) -> Vec<String> {
        let mut wrong = self.duplicates().await;
        for product in self.products().await {
            if product["endedAt"].is_null() {
                wrong.push(format!("still paid for: {product}"));
            }
        }
        for (path, what) in [("/live", "left behind"), ("/diff", "changed")] {
            let list = self.ask(path).await;
            let list = list.as_array().cloned().unwrap_or_default();
            wrong.extend(list.iter().map(|object| format!("{what}: {object}")));
        }
        wrong
    }

    /// Everything that the operator ever ordered.
    pub async fn products(&self) -> Vec<Value> {
        let ledger = self.ask("/ledger").await;
        let ledger = ledger.as_array().cloned().unwrap_or_default();
        ledger
            .into_iter()
            .filter(|p| p["principal"] == "causeway")
            .collect()
    }

    /// Products of the lab that were ordered more often than the lab has them.
    pub async fn duplicates(&self) -> Vec<String> {
        let mut kinds = BTreeMap::<String, usize>::new();
        let mut names = BTreeMap::<String, usize>::new();
        for product in self.products().await {
            let kind = product["kind"].as_str().unwrap_or_default();
            let name = product["name"].as_str().unwrap_or_default();
            *kinds.entry(kind.to_owned()).or_default() += 1;
            if !name.is_empty() {
                *names.entry(format!("{kind} {name}")).or_default() += 1;
            }
        }
        let most = |kind: &str| match kind {
            "publicIPAddress" | "vpnConnection" | "vxc" => 2,
            _ => 1,
        };
        let kinds = kinds.into_iter().filter(|(kind, n)| *n > most(kind));
        let names = names.into_iter().filter(|(_, n)| *n > 1);
        kinds
            .chain(names)
            .map(|(what, n)| format!("ordered {n} times: {what}"))
            .collect()
    }

    /// The operator's log so far.
    pub fn operator_log(&self) -> String {
        std::fs::read_to_string(self.rig.folder().join("logs/operator.log")).unwrap_or_default()
    }
}

/// A time of the sandbox.
///
/// # Panics
/// When it is none.
pub fn time(value: &Value) -> Timestamp {
    let parsed = value.as_str().unwrap_or_default().parse();
    parsed.unwrap_or_else(|error| panic!("{value} is no time: {error}"))
}

/// Simulated seconds between two times of the sandbox.
pub fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64()
}

/// What every object says, for a failed test.
pub fn summary(seen: &Seen) -> String {
    let mut text = String::new();
    for (name, object) in &seen.objects {
        text.push_str(&format!("{name}\n"));
        for c in &object.status.conditions {
            text.push_str(&format!(
                "  {}={} {}: {}\n",
                c.type_, c.status, c.reason, c.message
            ));
        }
        for s in &object.status.slots {
            let message = s.message.as_deref().unwrap_or_default();
            text.push_str(&format!("  {} {:?} {message}\n", s.name, s.phase));
        }
    }
    text
}
