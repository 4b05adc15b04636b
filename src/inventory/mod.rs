//! Inventory: per account one poller reads by lists, keeps a snapshot, and wakes the objects that watch the account when
//! something in it changed. So reads grow with accounts, not with objects (design §4). Decides nothing about slots.

pub mod accounts;
pub mod aws;
pub mod azure;
pub mod megaport;

pub use accounts::{AccountError, Accounts};

use crate::clock::Clock;
use causeway_model::intent::CloudError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One list of an account as it was last read.
#[derive(Debug, Clone)]
pub struct Part<T> {
    /// The last complete list; empty before the first one.
    pub items: Arc<Vec<T>>,
    /// When the read of `items` began; `None` before the first one.
    pub read_at: Option<Timestamp>,
    /// Why the latest read failed, while it does.
    pub error: Option<CloudError>,
}

impl<T> Default for Part<T> {
    fn default() -> Self {
        Self {
            items: Arc::default(),
            read_at: None,
            error: None,
        }
    }
}

impl<T: PartialEq> Part<T> {
    /// Takes a read's result; says whether the list, or whether it can be read, changed.
    pub fn take(&mut self, began: Timestamp, result: Option<Result<Vec<T>, CloudError>>) -> bool {
        match result {
            // Not asked for this time.
            None => false,
            Some(Ok(items)) => {
                let changed =
                    self.read_at.is_none() || self.error.is_some() || *self.items != items;
                if *self.items != items {
                    self.items = Arc::new(items);
                }
                self.read_at = Some(began);
                self.error = None;
                changed
            }
            Some(Err(error)) => {
                let changed = self.error.as_ref().map(|e| &e.code) != Some(&error.code);
                self.error = Some(error);
                changed
            }
        }
    }
}

impl<T> Part<T> {
    /// The list, unless it was never read or is older than `stale_after`: then why, for people.
    ///
    /// # Errors
    /// The provider's words, or that nothing was read yet.
    pub fn current(&self, now: Timestamp, stale_after: Duration) -> Result<&[T], String> {
        let Some(read_at) = self.read_at else {
            return Err(self
                .error
                .as_ref()
                .map_or_else(|| "not read yet".to_owned(), |e| e.message.clone()));
        };
        let age = Duration::try_from(now.duration_since(read_at)).unwrap_or_default();
        match &self.error {
            Some(e) if age > stale_after => Err(e.message.clone()),
            _ => Ok(&self.items),
        }
    }
}

/// Who wants to be woken: a function that enqueues one custom resource.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// How fast to poll; already divided by the time scale.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// While all is in place (design §8: 15 s).
    pub calm: Duration,
    /// While something is being made or taken down.
    pub busy: Duration,
}

impl Pace {
    /// Divided by the time scale, but never so short that polling eats the machine: a list takes milliseconds of wall
    /// time whatever the scale.
    pub fn scaled(scale: f64) -> Self {
        let scaled = |secs: u64, floor: u64| {
            Duration::from_secs(secs)
                .div_f64(scale)
                .max(Duration::from_millis(floor))
        };
        Self {
            calm: scaled(15, 100),
            busy: scaled(5, 15),
        }
    }

    /// Telemetry older than three polls is unknown (design §1). Never below a second of wall time: a scaled-down poll
    /// still takes real milliseconds to answer.
    pub fn stale_after(&self) -> Duration {
        (self.calm * 3).max(Duration::from_secs(1))
    }
}

/// Lists of an account, as a set of bits: what a poll reads. While one gateway is being made, the busy pace asks for
/// gateways, not for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Parts(pub u32);

impl Parts {
    pub const ALL: Self = Self(u32::MAX);
    pub const NONE: Self = Self(0);

    pub const fn one(bit: u32) -> Self {
        Self(1 << bit)
    }
    pub fn has(self, part: Self) -> bool {
        self.0 & part.0 != 0
    }
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What the next polls should read beside the calm round.
#[derive(Debug, Default)]
struct Wishes {
    /// Parts to read at once.
    now: AtomicU32,
    /// Until when each part is to be read at the busy pace (milliseconds since the epoch), by its bit. Each has its own
    /// end: while one gateway is made for half an hour, nobody asks for the lists of what was done in the first minute.
    busy_until: [AtomicI64; 32],
}

impl Wishes {
    /// Parts to read at the busy pace at this time.
    fn busy(&self, now: i64) -> Parts {
        self.busy_until
            .iter()
            .zip(0u32..)
            .filter(|(until, _)| now < until.load(Ordering::Relaxed))
            .fold(Parts::NONE, |all, (_, bit)| all.and(Parts::one(bit)))
    }
}

/// A running poller of one account with snapshot type `S`.
pub struct Poller<S> {
    clock: Clock,
    snapshot: watch::Receiver<Arc<S>>,
    kick: Arc<Notify>,
    wishes: Arc<Wishes>,
    watchers: Arc<Mutex<BTreeMap<String, Waker>>>,
    task: JoinHandle<()>,
}

impl<S> fmt::Debug for Poller<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Poller")
    }
}

impl<S> Drop for Poller<S> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<S: Clone + Default + Send + Sync + 'static> Poller<S> {
    /// Starts one. `read` reads the given parts once, given the last snapshot, and says whether anything changed.
    pub fn start<F, R>(pace: Pace, clock: Clock, read: R) -> Self
    where
        R: Fn(Arc<S>, Parts) -> F + Send + Sync + 'static,
        F: Future<Output = (S, bool)> + Send,
    {
        let (tx, rx) = watch::channel(Arc::new(S::default()));
        let kick = Arc::new(Notify::new());
        let wishes = Arc::new(Wishes::default());
        let watchers: Arc<Mutex<BTreeMap<String, Waker>>> = Arc::default();
        let task = tokio::spawn({
            let (kick, wishes, watchers) = (kick.clone(), wishes.clone(), watchers.clone());
            let clock = clock.clone();
            async move {
                let mut last_round: Option<Instant> = None;
                loop {
                    let round = last_round.is_none_or(|at| at.elapsed() >= pace.calm);
                    let busy = wishes.busy(clock.now().as_millisecond());
                    let asked = Parts(wishes.now.swap(0, Ordering::Relaxed)).and(busy);
                    let parts = if round { Parts::ALL } else { asked };
                    if round {
                        last_round = Some(Instant::now());
                    }
                    let last = tx.borrow().clone();
                    let (next, changed) = read(last, parts).await;
                    tx.send_replace(Arc::new(next));
                    if changed {
                        let wake: Vec<Waker> = watchers
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .values()
                            .cloned()
                            .collect();
                        for w in wake {
                            w();
                        }
                    }
                    let until_round = last_round
                        .map_or(Duration::ZERO, |at| pace.calm.saturating_sub(at.elapsed()));
                    let pause = if busy != Parts::NONE {
                        pace.busy.min(until_round)
                    } else {
                        until_round
                    };
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = kick.notified() => {}
                    }
                }
            }
        });
        Self {
            clock,
            snapshot: rx,
            kick,
            wishes,
            watchers,
            task,
        }
    }

    pub fn snapshot(&self) -> Arc<S> {
        self.snapshot.borrow().clone()
    }

    /// Reads these parts again at once.
    pub fn kick(&self, parts: Parts) {
        self.wishes.now.fetch_or(parts.0, Ordering::Relaxed);
        self.kick.notify_one();
    }

    /// Polls these parts at the busy pace for the next `d`. The wish is renewed by whoever still waits.
    pub fn busy_for(&self, d: Duration, parts: Parts) {
        if parts == Parts::NONE {
            return;
        }
        let now = self.clock.now().as_millisecond();
        let until = now + i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 2);
        let mut news = false;
        for (slot, bit) in self.wishes.busy_until.iter().zip(0u32..) {
            if parts.has(Parts::one(bit)) {
                news |= slot.fetch_max(until, Ordering::Relaxed) < now;
            }
        }
        if news {
            self.kick.notify_one();
        }
    }

    /// Wakes `waker` whenever something changes, until `unwatch`.
    pub fn watch(&self, who: &str, waker: Waker) {
        self.watchers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(who.to_owned(), waker);
    }

    pub fn unwatch(&self, who: &str) {
        self.watchers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(who);
    }
}

/// Where woken objects of one kind are sent.
pub type WakeSender<K> = mpsc::UnboundedSender<kube::runtime::reflector::ObjectRef<K>>;

/// Carries out a read only when it is wanted.
async fn when<T>(wanted: bool, read: impl Future<Output = T>) -> Option<T> {
    if wanted { Some(read.await) } else { None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn at_the_busy_pace_only_what_somebody_still_waits_for_is_read() {
        let clock = Clock::driven(Timestamp::UNIX_EPOCH);
        let reads: Arc<Mutex<Vec<Parts>>> = Arc::default();
        let poller = Poller::<()>::start(Pace::scaled(1.0), clock, {
            let reads = reads.clone();
            move |_, parts| {
                reads.lock().unwrap().push(parts);
                async { ((), false) }
            }
        });
        let (a, b) = (Parts::one(1), Parts::one(4));
        let minute = Duration::from_mins(1);
        poller.busy_for(minute, a);
        let between_rounds = || -> Vec<Parts> {
            let mut reads = reads.lock().unwrap();
            let all = std::mem::take(&mut *reads);
            all.into_iter().filter(|p| *p != Parts::ALL).collect()
        };
        let mut seen = Vec::new();
        for _ in 0..4 {
            poller.busy_for(minute, b);
            tokio::time::sleep(Duration::from_secs(30)).await;
            seen.push(between_rounds());
        }
        assert!(seen[0].contains(&a.and(b)), "{seen:?}");
        assert!(!seen[3].is_empty(), "b is still waited for: {seen:?}");
        assert!(
            seen[3].iter().all(|p| *p == b),
            "nobody waits for a any more: {seen:?}"
        );
        tokio::time::sleep(minute).await;
        between_rounds();
        tokio::time::sleep(minute).await;
        assert_eq!(between_rounds(), [], "nobody waits for anything");
    }
}
