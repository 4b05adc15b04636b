//! Reading on a budget, over a wire that is an in-process service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use crate::clients::azure::{API_VERSION, AzureClient, AzureCredential, ResourceId};
use crate::clients::http::{Endpoints, Transport, TransportError};
use async_trait::async_trait;
use bytes::Bytes;
use causeway_model::secret::Secret;
use causeway_model::spec::PeeringPort;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A cloud whose tables take a moment: a POST is answered with a Location, the second look at that with the rows.
#[derive(Debug, Default)]
struct SlowCloud {
    rows: Mutex<Value>,
    fails: Mutex<Option<u16>>,
    started: AtomicUsize,
    running: AtomicUsize,
    most_at_once: AtomicUsize,
    looks: AtomicUsize,
}

fn answer(status: u16, body: &Value, location: Option<&str>) -> http::Response<Bytes> {
    let mut r = http::Response::builder()
        .status(status)
        .header("content-type", "application/json");
    if let Some(l) = location {
        r = r.header("location", l).header("retry-after", "2");
    }
    r.body(Bytes::from(serde_json::to_vec(body).unwrap()))
        .unwrap()
}

#[async_trait]
impl Transport for SlowCloud {
    async fn send(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let (path, query) = (
            req.uri().path().to_owned(),
            req.uri().query().unwrap_or_default().to_owned(),
        );
        if path.ends_with("/oauth2/v2.0/token") {
            return Ok(answer(
                200,
                &json!({"token_type": "Bearer", "expires_in": 3600, "access_token": "t"}),
                None,
            ));
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
        if let Some(status) = *self.fails.lock().unwrap() {
            let code = if status == 500 {
                "InternalServerError"
            } else {
                "SubscriptionRequestsThrottled"
            };
            return Ok(answer(
                status,
                &json!({"error": {"code": code, "message": "An error occurred."}}),
                None,
            ));
        }
        if req.method() == http::Method::POST {
            self.started.fetch_add(1, Ordering::SeqCst);
            let now = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            return Ok(answer(
                202,
                &Value::Null,
                Some("https://management.azure.com/results/1?looked=0"),
            ));
        }
        self.looks.fetch_add(1, Ordering::SeqCst);
        if query.contains("looked=0") {
            return Ok(answer(
                202,
                &Value::Null,
                Some("https://management.azure.com/results/1?looked=1"),
            ));
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
        Ok(answer(
            200,
            &json!({"value": self.rows.lock().unwrap().clone()}),
            None,
        ))
    }
}

struct Rig {
    cloud: Arc<SlowCloud>,
    vantages: Arc<Vantages>,
    source: Source,
    woken: Arc<AtomicUsize>,
}

/// Fast enough that a wait of the clouds is a few milliseconds here.
const SCALE: f64 = 600.0;

impl Rig {
    fn new() -> Self {
        let cloud = Arc::new(SlowCloud::default());
        *cloud.rows.lock().unwrap() = json!([{"network": "172.16.0.0", "nextHop": "169.254.101.217", "weight": 0, "path": "64600 64901"}]);
        let credential = AzureCredential::ClientSecret {
            tenant_id: "11111111-0000-4000-8000-000000000001".into(),
            client_id: "c".into(),
            client_secret: Secret::new("s"),
        };
        let client = AzureClient::new(
            "sub-1",
            &credential,
            cloud.clone(),
            &Endpoints::default(),
            API_VERSION,
        )
        .unwrap();
        Self {
            cloud,
            vantages: Vantages::new(Clock::wall(), SCALE),
            source: Source::Azure(client),
            woken: Arc::default(),
        }
    }

    fn ask(&self, since: Option<Timestamp>) -> Ask<'static> {
        let woken = self.woken.clone();
        Ask {
            who: "a",
            waker: Arc::new(move || {
                woken.fetch_add(1, Ordering::SeqCst);
            }),
            busy: false,
            since,
        }
    }

    fn get(&self, since: Option<Timestamp>) -> Glimpse {
        self.vantages.get(&self.source, what(), &self.ask(since))
    }

    /// Waits, with an end, until the object was woken this often.
    async fn until_woken(&self, times: usize) {
        for _ in 0..400 {
            if self.woken.load(Ordering::SeqCst) >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!(
            "woken {} times, not {times}",
            self.woken.load(Ordering::SeqCst)
        );
    }
}

fn circuit() -> ResourceId {
    ResourceId::circuit("sub-1", "vpn-rg", "to-megaport")
}
fn what() -> What {
    What::CircuitRoutes(circuit(), PeeringPort::Primary)
}

#[tokio::test]
async fn the_first_answer_is_nothing_and_a_wake_brings_the_table() {
    let rig = Rig::new();
    assert!(!rig.get(None).is_known());
    assert!(
        !rig.get(None).is_known(),
        "asking again does not read twice"
    );
    rig.until_woken(1).await;
    let seen = rig.get(None);
    let Some(Content::Table(t)) = seen.content.as_deref() else {
        panic!("{seen:?}")
    };
    assert_eq!(t.routes[0].as_path, [64600, 64901]);
    assert_eq!(
        (
            rig.cloud.started.load(Ordering::SeqCst),
            rig.cloud.looks.load(Ordering::SeqCst)
        ),
        (1, 2)
    );
    assert!(seen.error.is_none() && seen.began.is_some());
    // Young enough: no second read.
    tokio::time::sleep(Duration::from_millis(50)).await;
    rig.get(None);
    assert_eq!(rig.cloud.started.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_did_not_change_wakes_nobody_and_what_is_outdated_is_read_at_once() {
    let rig = Rig::new();
    rig.get(None);
    rig.until_woken(1).await;
    tokio::time::sleep(rig.vantages.period(false)).await;
    rig.get(None);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        (
            rig.cloud.started.load(Ordering::SeqCst),
            rig.woken.load(Ordering::SeqCst)
        ),
        (2, 1)
    );
    // A cheap signal changed: whoever waits is woken even if the table is the same.
    let changed = Clock::wall().now();
    assert!(rig.get(Some(changed)).began.unwrap() < changed);
    rig.until_woken(2).await;
    assert!(rig.get(Some(changed)).began.unwrap() >= changed);
    // A change wakes.
    *rig.cloud.rows.lock().unwrap() = json!([]);
    tokio::time::sleep(rig.vantages.period(false)).await;
    rig.get(None);
    rig.until_woken(3).await;
}

#[tokio::test]
async fn a_failure_keeps_the_last_table_and_waits_before_it_tries_again() {
    let rig = Rig::new();
    rig.get(None);
    rig.until_woken(1).await;
    *rig.cloud.fails.lock().unwrap() = Some(500);
    let changed = Clock::wall().now();
    rig.get(Some(changed));
    rig.until_woken(2).await;
    let seen = rig.get(Some(changed));
    assert!(seen.content.is_some());
    let (error, at) = seen.error.clone().unwrap();
    assert_eq!(error.code, "InternalServerError");
    assert!(at >= changed);
    *rig.cloud.fails.lock().unwrap() = None;
    let before = rig.cloud.started.load(Ordering::SeqCst);
    rig.get(Some(changed));
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(
        rig.cloud.started.load(Ordering::SeqCst),
        before,
        "not before its time"
    );
    tokio::time::sleep(FLOOR).await;
    rig.get(Some(changed));
    rig.until_woken(3).await;
    assert!(rig.get(None).error.is_none());
}

#[tokio::test]
async fn one_read_at_a_time_per_object_and_few_per_account() {
    let rig = Rig::new();
    for port in [PeeringPort::Primary, PeeringPort::Secondary] {
        rig.vantages.get(
            &rig.source,
            What::CircuitRoutes(circuit(), port),
            &rig.ask(None),
        );
        rig.vantages.get(
            &rig.source,
            What::CircuitSummary(circuit(), port),
            &rig.ask(None),
        );
    }
    rig.until_woken(4).await;
    assert_eq!(rig.cloud.most_at_once.load(Ordering::SeqCst), 1);
    for n in 0..20 {
        let other = ResourceId::circuit("sub-1", "vpn-rg", &format!("c{n}"));
        rig.vantages.get(
            &rig.source,
            What::CircuitRoutes(other, PeeringPort::Primary),
            &rig.ask(None),
        );
    }
    rig.until_woken(24).await;
    assert!(rig.cloud.most_at_once.load(Ordering::SeqCst) <= PER_ACCOUNT);
    // Whoever left is not woken.
    rig.vantages.leave("a");
    *rig.cloud.rows.lock().unwrap() = json!([]);
    let ask = Ask {
        who: "b",
        waker: Arc::new(|| {}),
        busy: true,
        since: Some(Clock::wall().now()),
    };
    rig.vantages.get(&rig.source, what(), &ask);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(rig.woken.load(Ordering::SeqCst), 24);
}
