//! One active operator, by a Lease: pure rules (`evaluate`), and a loop that renews with writes conditioned on the
//! resource version. The holder's own deadline is monotonic and local: it passes without any network, so that a process
//! that is cut off stops acting before another one starts (kube.md §8).

use crate::clock::Clock;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
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

/// Says whether this process may act now. Cloned into everything that sends mutating requests.
#[derive(Debug, Clone)]
pub struct Leadership {
    until: Arc<Mutex<Option<Instant>>>,
    always: bool,
}

impl Leadership {
    /// For runs without leader election.
    pub fn always() -> Self {
        Self {
            until: Arc::default(),
            always: true,
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

    fn set(&self, until: Option<Instant>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
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

    /// Campaigns and renews; returns when `stop` turns true (the Lease is then released) or when it was lost.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut seen: Option<(Option<String>, Option<MicroTime>, Instant)> = None;
        loop {
            if *stop.borrow() {
                self.leadership.set(None);
                self.release().await;
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
            Ok(_) => Ok(true),
            Err(kube::Error::Api(s)) if s.is_conflict() => Ok(false),
            Err(e) => Err(e),
        }
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
    fn leadership_ends_by_itself() {
        let l = Leadership {
            until: Arc::default(),
            always: false,
        };
        assert!(!l.holds());
        l.set(Some(Instant::now() + Duration::from_mins(1)));
        assert!(l.holds());
        l.set(Some(Instant::now()));
        assert!(!l.holds(), "the deadline has passed");
    }
}
