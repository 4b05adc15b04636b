//! `make demo`: the lab's whole life. Apply, Ready, the lab's tables, BGP shut on the MCR's session to AWS, failover, the
//! tables again, restored, deleted, the wait for deprovisioning, the ledger.
//!
//! May start a playground and drive it as a person would: the custom resource by the Kubernetes API, the portal's switch by
//! the sandbox's control API. Reads the truth of the clouds there too; the tables come from the operator's RouteReports.

pub mod checks;
pub mod say;
pub mod tables;
pub mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_api::{HybridInterconnect, RouteReport};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::controlplane::ControlPlaneError;
use crate::playground::{
    self, NAMESPACE, Options as PlaygroundOptions, Playground, PlaygroundError, SandboxClient,
    SandboxError,
};
use checks::{Fact, State};
use say::{Say, cut, minutes, roughly};
use tables::Branch;
use watch::{Reader, Seen, Watch};

/// The object of `config/samples/lab.yaml`.
const LAB: &str = "lab";
const INTERCONNECT: &str = "hi/lab";
/// How often the objects are looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How long the clouds may take for one part of the lab: in simulated time …
const PATIENCE_OF_CLOUDS: Duration = Duration::from_hours(12);
/// … and what this machine may add to that, in real time.
const PATIENCE_OF_MACHINE: Duration = Duration::from_mins(4);
/// How long an object may say that only a person can help: a quick start can look like that for a moment.
const STALLED: Duration = Duration::from_secs(45);

/// What to show.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the playground keeps its files.
    pub folder: PathBuf,
    /// Simulated seconds per real second.
    pub speed: f64,
    /// Leave the playground running.
    pub keep: bool,
    /// The manifest of the lab.
    pub manifest: PathBuf,
}

/// Why the demo did not show what it should.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(transparent)]
    Playground(#[from] PlaygroundError),
    #[error(transparent)]
    ControlPlane(#[from] ControlPlaneError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("the API server: {0}")]
    Kube(#[from] kube::Error),
    /// The manifest.
    #[error("{path}: {problem}")]
    Manifest { path: PathBuf, problem: String },
    /// It never came.
    #[error("not after {after}: {what}")]
    Timeout { what: String, after: String },
    /// Only a person could help, and nobody is asked.
    #[error("the operator is stuck: {0}")]
    Stalled(String),
    /// What should have been there is not.
    #[error("{0}")]
    Missing(String),
    /// It came to an end, but not everything held.
    #[error("{} of {total} checks failed:\n  {}", failed.len(), failed.join("\n  "))]
    NotHeld { failed: Vec<String>, total: usize },
}

struct Demo {
    say: Say,
    speed: f64,
    playground: Playground,
    client: Client,
    sandbox: SandboxClient,
    reader: Reader,
    watch: Watch,
    /// Simulated time at the start.
    start: Timestamp,
    total: usize,
    failed: Vec<String>,
}

/// Shows it all. Abandoning this ends everything that was started.
pub async fn run(options: Options) -> Result<(), DemoError> {
    let say = Say::new();
    let manifest = read_manifest(&options)?;
    playground::clear(&options.folder)?;
    say.plain(&format!(
        "The lab's life at {} simulated seconds per second. Columns: real time, simulated time, what happens.",
        options.speed
    ));
    say.heading("A control plane, three simulated clouds, the operator");
    let mut wanted = PlaygroundOptions::new(&options.folder);
    wanted.speed = options.speed;
    wanted.progress = Arc::new(move |line| say.at(None, line));
    let playground = Playground::start(wanted).await?;
    let client = playground.plane().client().await?;
    let sandbox = playground
        .rig()
        .map(|rig| rig.sandbox().clone())
        .ok_or_else(|| DemoError::Missing("the playground has no sandbox".to_owned()))?;
    let start = now(&sandbox).await?;
    let mut demo = Demo {
        say,
        speed: options.speed,
        reader: Reader::new(&client, NAMESPACE),
        watch: Watch::new(say, options.speed),
        playground,
        client,
        sandbox,
        start,
        total: 0,
        failed: Vec::new(),
    };
    let result = demo.life(&manifest).await;
    if options.keep {
        let folder = demo.playground.folder().display().to_string();
        demo.playground.detach()?;
        say.plain(&format!(
            "\nKept running. To use it: . {folder}/env   To end it: make demo-down"
        ));
    }
    result
}

fn read_manifest(options: &Options) -> Result<HybridInterconnect, DemoError> {
    let failed = |problem: String| DemoError::Manifest {
        path: options.manifest.clone(),
        problem,
    };
    let text =
        std::fs::read_to_string(&options.manifest).map_err(|error| failed(error.to_string()))?;
    serde_saphyr::from_str(&text).map_err(|error| failed(error.to_string()))
}

/// Simulated time.
async fn now(sandbox: &SandboxClient) -> Result<Timestamp, DemoError> {
    let clock: Value = sandbox.get("/clock").await?;
    let text = clock["now"].as_str().unwrap_or_default();
    text.parse()
        .map_err(|error| DemoError::Missing(format!("the sandbox's clock says {clock}: {error}")))
}

fn between(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}

fn over(seen: &Seen, path: &str) -> bool {
    let interconnect = seen.objects.get(INTERCONNECT);
    interconnect.is_some_and(|o| o.active_path.as_deref() == Some(path))
}

impl Demo {
    async fn life(&mut self, manifest: &HybridInterconnect) -> Result<(), DemoError> {
        self.create(manifest).await?;
        self.tables(State::Normal).await?;
        self.fail_over().await?;
        self.delete().await?;
        self.ledger().await?;
        let say = self.say;
        if !self.failed.is_empty() {
            return Err(DemoError::NotHeld {
                failed: std::mem::take(&mut self.failed),
                total: self.total,
            });
        }
        let total = self.total;
        let took = minutes(say.elapsed());
        say.heading(&format!("The lab's life held: {total} checks, {took}"));
        Ok(())
    }

    async fn create(&mut self, manifest: &HybridInterconnect) -> Result<(), DemoError> {
        self.say.heading("kubectl apply -f config/samples/lab.yaml");
        let api = Api::<HybridInterconnect>::namespaced(self.client.clone(), NAMESPACE);
        api.create(&PostParams::default(), manifest).await?;
        let begun = now(&self.sandbox).await?;
        let ready = |seen: &Seen| {
            seen.objects.contains_key(INTERCONNECT)
                && seen.objects.len() == 4
                && seen.objects.values().all(|o| o.is("Ready"))
        };
        self.until("the interconnect and its links are Ready", ready, None)
            .await?;
        let took = between(begun, now(&self.sandbox).await?);
        let path: Value = self.sandbox.get("/critical-path?kind=create").await?;
        self.speak(&format!(
            "Ready after {}",
            self.against_critical_path(took, &path)
        ))
        .await?;
        self.kubectl(&["get", "causeway", "--namespace", NAMESPACE])
            .await
    }

    fn against_critical_path(&self, took: Duration, path: &Value) -> String {
        let seconds = path["seconds"].as_f64().unwrap_or_default();
        let least = Duration::from_secs_f64(seconds.max(0.0));
        let ratio = took.as_secs_f64() / seconds.max(1.0);
        format!(
            "{} of simulated time; the longest chain of the clouds' own work took {} ({ratio:.2})",
            roughly(took),
            roughly(least)
        )
    }

    async fn fail_over(&mut self) -> Result<(), DemoError> {
        let session = self.session_to_aws().await?;
        self.say
            .heading("Somebody shuts BGP from the MCR to AWS, in Megaport's portal");
        let shut = now(&self.sandbox).await?;
        let path = format!("/sessions/{session}/shutdown");
        self.sandbox.post::<Value>(&path, &json!({})).await?;
        self.speak("shut").await?;
        self.until("the active path is VPN", |seen| over(seen, "VPN"), None)
            .await?;
        let noticed = between(shut, now(&self.sandbox).await?);
        self.speak(&format!(
            "the operator saw the failover {} (simulated) after the shutdown",
            roughly(noticed)
        ))
        .await?;
        let shown = Some(State::FailedOver);
        self.until("the reports show it", |seen| over(seen, "VPN"), shown)
            .await?;
        self.kubectl(&["get", "causeway", "--namespace", NAMESPACE])
            .await?;
        self.tables(State::FailedOver).await?;
        self.last_failover().await?;

        self.say.heading("BGP is started again");
        let path = format!("/sessions/{session}/start");
        self.sandbox.post::<Value>(&path, &json!({})).await?;
        let restored = |seen: &Seen| {
            let object = seen.objects.get(INTERCONNECT);
            let holds = ["Ready", "RoutesAsExpected", "Redundant"];
            over(seen, "ExpressRoute") && object.is_some_and(|o| holds.iter().all(|c| o.is(c)))
        };
        self.until("everything is as before", restored, Some(State::Normal))
            .await?;
        self.last_failover().await
    }

    /// The MCR's BGP session to AWS (contract.md §4).
    async fn session_to_aws(&self) -> Result<String, DemoError> {
        let sessions: Vec<Value> = self.sandbox.get("/sessions").await?;
        let session = sessions.iter().find(|s| s["kind"] == "vif");
        session
            .and_then(|s| s["id"].as_str())
            .map(str::to_owned)
            .ok_or_else(|| DemoError::Missing("no BGP session between the MCR and AWS".to_owned()))
    }

    async fn last_failover(&mut self) -> Result<(), DemoError> {
        let api = Api::<HybridInterconnect>::namespaced(self.client.clone(), NAMESPACE);
        let failovers = api.get(LAB).await?.status.unwrap_or_default().failovers;
        let Some(last) = failovers.first() else {
            self.check(vec![Fact {
                what: "status.failovers tells of it".into(),
                holds: false,
                seen: "an empty list".into(),
            }]);
            return Ok(());
        };
        let gap = match last.duration_seconds {
            Some(seconds) => format!("; without a path for {seconds} s"),
            None => String::new(),
        };
        self.speak(&format!(
            "status.failovers: from {:?} to {:?}{gap}",
            last.from, last.to
        ))
        .await
    }

    async fn delete(&mut self) -> Result<(), DemoError> {
        self.say
            .heading("kubectl delete hybridinterconnect lab --namespace network");
        let api = Api::<HybridInterconnect>::namespaced(self.client.clone(), NAMESPACE);
        let begun = now(&self.sandbox).await?;
        api.delete(LAB, &DeleteParams::default()).await?;
        self.until(
            "nothing is left of it",
            |seen| seen.objects.is_empty(),
            None,
        )
        .await?;
        let took = between(begun, now(&self.sandbox).await?);
        let path: Value = self.sandbox.get("/critical-path?kind=delete").await?;
        self.speak(&format!(
            "gone after {}",
            self.against_critical_path(took, &path)
        ))
        .await?;
        let waited = self
            .watch
            .reasons()
            .contains("WaitingForProviderDeprovision");
        let seen = format!("{:?}", self.watch.reasons());
        self.check(vec![Fact {
            what: "the circuit's deletion waited for the provider, and said so".into(),
            holds: waited,
            seen,
        }]);
        Ok(())
    }

    async fn ledger(&mut self) -> Result<(), DemoError> {
        self.say.heading("What was bought, and what is left");
        let ledger: Vec<Value> = self.sandbox.get("/ledger").await?;
        let live: Vec<Value> = self.sandbox.get("/live").await?;
        let diff: Value = self.sandbox.get("/diff").await?;
        let calls: Vec<Value> = self.sandbox.get("/calls").await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let time = |value: &Value| {
            let at = value.as_str().and_then(|t| t.parse().ok());
            at.map_or("-".to_owned(), |at| say::clock(between(self.start, at)))
        };
        let rows: Vec<Vec<String>> = ledger
            .iter()
            .map(|p| {
                vec![
                    text(&p["provider"]),
                    text(&p["kind"]),
                    cut(&text(&p["name"]), 40),
                    time(&p["orderedAt"]),
                    time(&p["endedAt"]),
                ]
            })
            .collect();
        let head = ["Provider", "Kind", "Name", "Ordered", "Ended"];
        self.say.block(&tables::table(&head, &rows));
        let writes = calls.iter().filter(|c| c["mutating"] == true).count();
        self.say.block(&format!(
            "{} calls of the clouds, {writes} of them to change something",
            calls.len()
        ));
        self.check(checks::of_ledger(&ledger, &live, &diff));
        Ok(())
    }

    /// Prints the tables and judges them.
    async fn tables(&mut self, state: State) -> Result<(), DemoError> {
        if state == State::Normal {
            // Reports are written on a budget: what is checked must have arrived.
            self.until("the reports have every table", |_| true, Some(state))
                .await?;
        }
        self.say.heading(match state {
            State::Normal => "The lab's tables: everything is up",
            State::FailedOver => "The lab's tables: ExpressRoute and Direct Connect are down",
        });
        let vantages = self.vantages().await?;
        self.say.block(&tables::render(&vantages));
        let there: Vec<Branch> = self.sandbox.get("/trace?from=vm&to=ec2").await?;
        let back: Vec<Branch> = self.sandbox.get("/trace?from=ec2&to=vm").await?;
        self.say
            .block(&tables::trace("VM 172.29.0.10", "EC2 172.16.0.10", &there));
        self.say.plain("");
        self.say
            .block(&tables::trace("EC2 172.16.0.10", "VM 172.29.0.10", &back));
        self.say.plain("");
        let mut facts = checks::of_tables(&vantages, state);
        facts.extend(checks::of_traces(&there, &back, state));
        self.check(facts);
        Ok(())
    }

    async fn vantages(&self) -> Result<Vec<causeway_api::report::Vantage>, DemoError> {
        let api = Api::<RouteReport>::namespaced(self.client.clone(), NAMESPACE);
        let reports = api.list(&ListParams::default()).await?.items;
        Ok(tables::vantages(&reports))
    }

    /// What the reports do not show yet of this state.
    async fn missing(&self, state: Option<State>) -> Result<Vec<String>, DemoError> {
        let Some(state) = state else {
            return Ok(Vec::new());
        };
        let facts = checks::of_tables(&self.vantages().await?, state);
        let missing = facts.into_iter().filter(|f| !f.holds);
        Ok(missing
            .map(|f| format!("{} (seen: {})", f.what, f.seen))
            .collect())
    }

    fn check(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            self.total += 1;
            if fact.holds {
                self.say.block(&format!("ok      {}", fact.what));
            } else {
                let line = format!("{} (seen: {})", fact.what, fact.seen);
                self.say.block(&format!("FAILED  {line}"));
                self.failed.push(line);
            }
        }
    }

    async fn speak(&self, line: &str) -> Result<(), DemoError> {
        let simulated = between(self.start, now(&self.sandbox).await?);
        self.say.at(Some(simulated), line);
        Ok(())
    }

    async fn kubectl(&self, arguments: &[&str]) -> Result<(), DemoError> {
        let text = self.playground.plane().kubectl(arguments).await?;
        self.say.plain("");
        self.say
            .block(&format!("$ kubectl {}", arguments.join(" ")));
        self.say.block(&text);
        Ok(())
    }

    /// Looks, and tells what changes, until `done`.
    async fn until(
        &mut self,
        what: &str,
        done: impl Fn(&Seen) -> bool,
        tables: Option<State>,
    ) -> Result<(), DemoError> {
        let limit = PATIENCE_OF_CLOUDS.div_f64(self.speed) + PATIENCE_OF_MACHINE;
        let begun = Instant::now();
        loop {
            let seen = self.reader.read().await?;
            let simulated = between(self.start, now(&self.sandbox).await?);
            self.watch.tell(&seen, simulated);
            let missing = if done(&seen) {
                self.missing(tables).await?
            } else {
                Vec::new()
            };
            if done(&seen) && missing.is_empty() {
                return Ok(());
            }
            self.playground.check()?;
            if let Some((since, who)) = self.watch.stalled()
                && since > STALLED
            {
                return Err(DemoError::Stalled(who));
            }
            if begun.elapsed() > limit {
                return Err(DemoError::Timeout {
                    what: [vec![what.to_owned()], missing].concat().join("\n  "),
                    after: minutes(limit),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
