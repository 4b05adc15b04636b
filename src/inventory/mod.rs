//! Inventory: per account one poller reads by lists, keeps a snapshot, and wakes the objects that watch the account when
//! something in it changed. So reads grow with accounts, not with objects (design §4). Decides nothing about slots.

pub mod accounts;
pub mod aws;
pub mod azure;
pub mod megaport;

pub use accounts::{AccountError, Accounts};

use causeway_model::intent::CloudError;
use jiff::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

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
    pub fn take(&mut self, began: Timestamp, result: Result<Vec<T>, CloudError>) -> bool {
        match result {
            Ok(items) => {
                let changed =
                    self.read_at.is_none() || self.error.is_some() || *self.items != items;
                if *self.items != items {
                    self.items = Arc::new(items);
                }
                self.read_at = Some(began);
                self.error = None;
                changed
            }
            Err(error) => {
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
    pub fn scaled(scale: f64) -> Self {
        Self {
            calm: Duration::from_secs(15).div_f64(scale),
            busy: Duration::from_secs(5).div_f64(scale),
        }
    }

    /// Telemetry older than three polls is unknown (design §1). Never below a second of wall time: a scaled-down poll
    /// still takes real milliseconds to answer.
    pub fn stale_after(&self) -> Duration {
        (self.calm * 3).max(Duration::from_secs(1))
    }
}

/// A running poller of one account with snapshot type `S`.
pub struct Poller<S> {
    snapshot: watch::Receiver<Arc<S>>,
    kick: Arc<Notify>,
    busy_until: Arc<AtomicI64>,
    watchers: Arc<Mutex<HashMap<String, Waker>>>,
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
    /// Starts one. `read` reads everything once, given the last snapshot, and says whether anything changed.
    pub fn start<F, R>(pace: Pace, read: R) -> Self
    where
        R: Fn(Arc<S>) -> F + Send + Sync + 'static,
        F: Future<Output = (S, bool)> + Send,
    {
        let (tx, rx) = watch::channel(Arc::new(S::default()));
        let kick = Arc::new(Notify::new());
        let busy_until = Arc::new(AtomicI64::new(0));
        let watchers: Arc<Mutex<HashMap<String, Waker>>> = Arc::default();
        let task = tokio::spawn({
            let (kick, busy_until, watchers) = (kick.clone(), busy_until.clone(), watchers.clone());
            async move {
                loop {
                    let last = tx.borrow().clone();
                    let (next, changed) = read(last).await;
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
                    let busy =
                        Timestamp::now().as_millisecond() < busy_until.load(Ordering::Relaxed);
                    let pause = if busy { pace.busy } else { pace.calm };
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = kick.notified() => {}
                    }
                }
            }
        });
        Self {
            snapshot: rx,
            kick,
            busy_until,
            watchers,
            task,
        }
    }

    pub fn snapshot(&self) -> Arc<S> {
        self.snapshot.borrow().clone()
    }

    /// Reads again at once.
    pub fn kick(&self) {
        self.kick.notify_one();
    }

    /// Polls at the busy pace for the next `d`.
    pub fn busy_for(&self, d: Duration) {
        let until = Timestamp::now().as_millisecond()
            + i64::try_from(d.as_millis()).unwrap_or(i64::MAX / 2);
        self.busy_until.fetch_max(until, Ordering::Relaxed);
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
