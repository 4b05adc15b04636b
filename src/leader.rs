//! One active operator, by a Lease: pure rules (`evaluate`, `predecessor`), and a loop that renews with writes conditioned
//! on the resource version. The holder's own deadline is monotonic and local: it passes without any network, so that a
//! process that is cut off stops acting before another one starts (kube.md §8). It is asked by the transports, when a
//! request that may change something is about to be written ([`Gate`]); what was written before may still be carried out
//! for as long as such a request may take, and a successor buys nothing until that has become visible.

use crate::clients::http::CHANGE_DEADLINE;
use crate::clock::Clock;
use causeway_aws::{Closed, Gate};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::client::Body;
use kube::{Api, Client};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

/// Name of the Lease.
pub const LEASE_NAME: &str = "causeway-operator";

/// The Lease's times, in wall time.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    pub duration: Duration,
    /// The holder stops acting this long before the Lease runs out.
    pub margin: Duration,
    pub renew_every: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            margin: Duration::from_secs(5),
            renew_every: Duration::from_secs(2),
        }
    }
}

/// What to do about a Lease as it was just read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nobody holds it, or the holder let it run out while we watched.
    Acquire,
    Renew,
    Wait,
}

/// Decides. `unchanged_for` is how long this process has seen the same (holder, renew time): the holder's clock is never
/// compared with ours.
pub fn evaluate(spec: &LeaseSpec, identity: &str, unchanged_for: Duration) -> Step {
    let duration =
        Duration::from_secs(u64::try_from(spec.lease_duration_seconds.unwrap_or(15)).unwrap_or(15));
    match spec.holder_identity.as_deref() {
        None | Some("") => Step::Acquire,
        Some(holder) if holder == identity => Step::Renew,
        Some(_) if unchanged_for > duration => Step::Acquire,
        Some(_) => Step::Wait,
    }
}

/// For how long after this process took the Lease requests of whoever held it may still arrive at the providers. `None`:
/// there was nobody, or it let go of the Lease after its last request was answered. `mine`: this process held it before.
pub fn predecessor(spec: &LeaseSpec, identity: &str, mine: bool) -> Option<Duration> {
    let term = spec.lease_duration_seconds.unwrap_or(15);
    match spec.holder_identity.as_deref() {
        None | Some("") => None,
        Some(holder) if holder == identity && mine => None,
        // A process of the same name that may not have ended yet: nobody waited for its Lease to run out.
        Some(holder) if holder == identity => {
            Some(Duration::from_secs(u64::try_from(term).unwrap_or(15)) + CHANGE_DEADLINE)
        }
        Some(_) => Some(CHANGE_DEADLINE),
    }
}

/// Says whether this process may act now. Cloned into everything that sends mutating requests.
#[derive(Debug, Clone)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
    always: bool,
    /// Until when requests of the last holder may arrive.
    predecessor: Arc<Mutex<Option<Timestamp>>>,
}

impl Leadership {
    /// For runs without leader election.
    pub fn always() -> Self {
        Self {
            until: Arc::default(),
            always: true,
            predecessor: Arc::default(),
        }
    }

    /// No await and no network: checked right before a request is sent.
    pub fn holds(&self) -> bool {
        self.always
            || self
                .until
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .is_some_and(|t| Instant::now() < t)
    }

    /// Until when requests that the last holder of the Lease had sent may still be carried out.
    pub fn predecessor_until(&self) -> Option<Timestamp> {
        *self
            .predecessor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Gate for Leadership {
    fn is_open(&self) -> bool {
        self.holds()
    }
}

/// A client whose writes are sent only while this process leads; reads and watches always are.
pub fn guarded(client: Client, leadership: Leadership) -> Client {
    let namespace = client.default_namespace().to_owned();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (client, leadership) = (client.clone(), leadership.clone());
        async move {
            let reads = matches!(*request.method(), http::Method::GET | http::Method::HEAD);
            if reads || leadership.holds() {
                client.send(request).await
            } else {
                Err(kube::Error::Service(Box::new(Closed)))
            }
        }
    });
    Client::new(service, namespace)
}

/// How an election ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Nothing of this process is under way: a successor may start at once.
    Release,
    /// Something may be: the Lease runs out by itself, and this process does nothing more.
    Abandon,
}

/// Runs the election until `stop`: `true` goes out once the Lease is held, `false` once it is lost for good.
#[derive(Debug)]
pub struct Elector {
    api: Api<Lease>,
    identity: String,
    terms: Terms,
    clock: Clock,
    leadership: Leadership,
    held: watch::Sender<bool>,
}

impl Elector {
    pub fn new(
        client: Client,
        namespace: &str,
        identity: String,
        terms: Terms,
        clock: Clock,
    ) -> (Self, Leadership, watch::Receiver<bool>) {
        let leadership = Leadership {
            until: Arc::default(),
            always: false,
            predecessor: Arc::default(),
        };
        let (held, receiver) = watch::channel(false);
        let elector = Self {
            api: Api::namespaced(client, namespace),
            identity,
            terms,
            clock,
            leadership: leadership.clone(),
            held,
        };
        (elector, leadership, receiver)
    }

    /// Campaigns and renews; returns when `stop` says so or when the Lease was lost.
    pub async fn run(self, mut stop: watch::Receiver<Option<End>>) {
        let mut seen: Option<(Option<String>, Option<MicroTime>, Instant)> = None;
        loop {
            let end = *stop.borrow();
            if let Some(end) = end {
                self.leadership.set(None);
                if end == End::Release {
                    self.release().await;
                }
                return;
            }
            let before = Instant::now();
            match tokio::time::timeout(self.terms.margin, self.step(&mut seen)).await {
                Ok(Ok(true)) => {
                    // Counted from before the request: the server may have taken it at once.
                    self.leadership.set(Some(
                        before + self.terms.duration.saturating_sub(self.terms.margin),
                    ));
                    if !*self.held.borrow() {
                        info!(identity = %self.identity, "leading");
                        self.held.send_replace(true);
                    }
                }
                Ok(Ok(false)) => {}
                Ok(Err(error)) => warn!(%error, "the Lease could not be read or written"),
                Err(_) => warn!("the Lease could not be read or written in time"),
            }
            if *self.held.borrow() && !self.leadership.holds() {
                warn!(identity = %self.identity, "leadership lost");
                self.held.send_replace(false);
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(self.terms.renew_every) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// One look and, where due, one write. `true`: held.
    async fn step(
        &self,
        seen: &mut Option<(Option<String>, Option<MicroTime>, Instant)>,
    ) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(LEASE_NAME).await? else {
            let lease = Lease {
                metadata: ObjectMeta {
                    name: Some(LEASE_NAME.to_owned()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            return match self.api.create(&PostParams::default(), &lease).await {
                Ok(_) => Ok(true),
                Err(kube::Error::Api(s)) if s.is_already_exists() => Ok(false),
                Err(e) => Err(e),
            };
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let mine = *self.held.borrow();
        let now = Instant::now();
        let same = seen
            .as_ref()
            .is_some_and(|(h, r, _)| *h == spec.holder_identity && *r == spec.renew_time);
        if !same {
            *seen = Some((spec.holder_identity.clone(), spec.renew_time.clone(), now));
        }
        let unchanged_for = seen
            .as_ref()
            .map_or(Duration::ZERO, |(_, _, since)| now.duration_since(*since));
        if evaluate(&spec, &self.identity, unchanged_for) == Step::Wait {
            return Ok(false);
        }
        lease.spec = Some(self.spec(Some(&spec)));
        // The resource version in the object makes a second writer lose.
        match self
            .api
            .replace(LEASE_NAME, &PostParams::default(), &lease)
            .await
        {
            Ok(_) => {
                if !mine {
                    self.follow(&spec);
                }
                Ok(true)
            }
            Err(kube::Error::Api(s)) if s.is_conflict() => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Remembers, once, until when the last holder's requests may arrive.
    fn follow(&self, spec: &LeaseSpec) {
        let Some(wait) = predecessor(spec, &self.identity, false) else {
            return;
        };
        let until = self.clock.now() + jiff::SignedDuration::try_from(wait).unwrap_or_default();
        info!(
            predecessor = spec.holder_identity.as_deref(),
            seconds = wait.as_secs(),
            "the Lease was not released: nothing is bought until what the last holder may have sent has become visible"
        );
        *self
            .leadership
            .predecessor
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(until);
    }

    fn spec(&self, old: Option<&LeaseSpec>) -> LeaseSpec {
        let now = MicroTime(self.clock.now());
        let renewing = old.is_some_and(|o| o.holder_identity.as_deref() == Some(&self.identity));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(self.terms.duration.as_secs()).ok(),
            acquire_time: if renewing {
                old.and_then(|o| o.acquire_time.clone())
            } else {
                Some(now.clone())
            },
            renew_time: Some(now),
            lease_transitions: old.map_or(Some(0), |o| {
                if renewing {
                    o.lease_transitions
                } else {
                    Some(o.lease_transitions.unwrap_or(0) + 1)
                }
            }),
            ..LeaseSpec::default()
        }
    }

    /// Lets go, so that a successor need not wait for the Lease to run out. Best effort.
    async fn release(&self) {
        let work = async {
            let Some(mut lease) = self.api.get_opt(LEASE_NAME).await? else {
                return Ok(());
            };
            if lease
                .spec
                .as_ref()
                .and_then(|s| s.holder_identity.as_deref())
                != Some(self.identity.as_str())
            {
                return Ok(());
            }
            if let Some(spec) = lease.spec.as_mut() {
                spec.holder_identity = Some(String::new());
                spec.renew_time = Some(MicroTime(self.clock.now()));
            }
            self.api
                .replace(LEASE_NAME, &PostParams::default(), &lease)
                .await
                .map(|_| ())
        };
        match tokio::time::timeout(self.terms.margin, work).await {
            Ok(Ok(())) => info!(identity = %self.identity, "the Lease is released"),
            Ok(Err(error)) => warn!(%error, "the Lease could not be released"),
            Err(_) => warn!("the Lease could not be released in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_only_when_free_or_run_out() {
        let s = Duration::from_secs;
        for (spec, unchanged, expected) in [
            (lease(None), s(0), Step::Acquire),
            (lease(Some("")), s(0), Step::Acquire),
            (lease(Some("me")), s(0), Step::Renew),
            (lease(Some("other")), s(0), Step::Wait),
            (lease(Some("other")), s(15), Step::Wait),
            (lease(Some("other")), s(16), Step::Acquire),
        ] {
            assert_eq!(
                evaluate(&spec, "me", unchanged),
                expected,
                "{spec:?} {unchanged:?}"
            );
        }
    }

    #[test]
    fn only_a_lease_that_was_not_released_makes_its_successor_wait() {
        let s = Duration::from_secs;
        for (spec, mine, expected) in [
            (lease(None), false, None),
            (lease(Some("")), false, None),
            (lease(Some("other")), false, Some(CHANGE_DEADLINE)),
            (lease(Some("me")), true, None),
            (lease(Some("me")), false, Some(s(15) + CHANGE_DEADLINE)),
        ] {
            assert_eq!(predecessor(&spec, "me", mine), expected, "{spec:?} {mine}");
        }
    }

    #[test]
    fn leadership_ends_by_itself() {
        let l = Leadership {
            until: Arc::default(),
            always: false,
            predecessor: Arc::default(),
        };
        assert!(!l.holds());
        l.set(Some(Instant::now() + Duration::from_mins(1)));
        assert!(l.holds());
        l.set(Some(Instant::now()));
        assert!(!l.holds(), "the deadline has passed");
    }
}
