//! Everything that the operator says in a life full of refusals, with everything written out that a log filter can ask for, held against
//! every secret of the world. A test file of its own: the subscriber is the process's.
#![allow(clippy::unwrap_used, clippy::print_stdout)] // a failed assumption is a failed test; numbers are told

use causeway::telemetry;
use causeway_e2e::harness::{Case, Rig, simulate};
use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::wire::Provider;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::util::SubscriberInitExt as _;

const PATIENCE: Duration = Duration::from_hours(6);

/// Where the log goes.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Now and then each provider refuses, fails, or answers with something else: errors are what quotes things.
fn refusals() -> Vec<Fault> {
    let mut all = Vec::new();
    for provider in [Provider::Azure, Provider::Aws, Provider::Megaport] {
        for (effect, status) in [
            (Effect::Status, Some(400)),
            (Effect::Status, Some(401)),
            (Effect::Status, Some(409)),
            (Effect::Status, Some(500)),
            (Effect::Garbage, None),
            (Effect::Truncate, None),
            (Effect::LoseResponse, None),
        ] {
            all.push(Fault {
                matches: Match {
                    provider: Some(provider),
                    principal: Some("causeway".to_owned()),
                    probability: Some(0.01),
                    ..Match::default()
                },
                effect,
                status,
                code: None,
                seconds: None,
                times: None,
            });
        }
    }
    all
}

#[test]
fn nothing_secret_is_said_whatever_happens() {
    let log = Written::default();
    let writer = log.clone();
    // The operator's own way of writing, with a filter that asks for everything.
    telemetry::subscriber("trace", true, move || writer.clone())
        .unwrap()
        .try_init()
        .unwrap();
    simulate(async || {
        let mut rig = Rig::new(&Case::lab());
        let faults: Vec<String> = refusals()
            .into_iter()
            .map(|fault| rig.sandbox.add_fault(fault))
            .collect();
        rig.start_operator();
        rig.apply_all().await;
        let mut texts = BTreeMap::new();
        let mut look = |rig: &Rig, when: &str| {
            for (place, text) in rig.visible() {
                texts.insert(format!("{place}, {when}"), text);
            }
        };
        for minute in 0..40 {
            rig.pass(Duration::from_mins(5)).await;
            look(&rig, &format!("{} minutes after apply", minute * 5));
        }
        for id in &faults {
            rig.sandbox.remove_fault(id);
        }
        rig.until("Ready", PATIENCE, Rig::lab_is_ready).await;
        look(&rig, "Ready");
        // Where keys are in use, and where they have just been given back.
        let mut secrets = rig.secrets();
        rig.delete("HybridInterconnect", "lab").await;
        for minute in 0..6 {
            rig.pass(Duration::from_mins(4)).await;
            look(&rig, &format!("{} minutes after delete", minute * 4));
        }
        rig.until("gone", PATIENCE, Rig::all_gone).await;
        secrets.extend(&rig.secrets());
        rig.stop_operator().await;
        let written = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
        assert!(
            written.contains("reconcile") && written.contains("aws_smithy"),
            "{} bytes",
            written.len()
        );
        texts.insert("log".to_owned(), written);
        let bytes: usize = texts.values().map(String::len).sum();
        println!(
            "{} secrets and every token looked for in {bytes} bytes: status, Events and reports at {} moments, and the log with filter trace",
            secrets.len(),
            texts
                .keys()
                .filter(|k| k.contains("HybridInterconnect"))
                .count()
        );
        assert!(secrets.len() >= 20, "{secrets:?}");
        let shown = secrets.shown(&texts);
        assert!(shown.is_empty(), "{shown:#?}");
    });
}
