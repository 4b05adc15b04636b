//! The expensive tables (gateway peers, learned routes, circuit tables, effective routes, an MCR's routes, a virtual
//! interface's routes), read in the background on a budget: one at a time per cloud object, a few per account, and only
//! while somebody asks. [`Vantages::get`] never waits: it answers what is known and starts a read when that is too old;
//! those who asked are woken when the answer changed, or when they waited for it. Decides nothing about health.

mod read;
#[cfg(test)]
mod tests;

pub use read::{Content, Source, What};

use crate::clock::Clock;
use crate::inventory::Waker;
use causeway_model::intent::CloudError;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tracing::debug;

/// How often the tables are read, in the clouds' time, while all is well (azure.md §3.6: not below 60 s).
const CALM: Duration = Duration::from_mins(1);
/// While something is wrong or being built.
const BUSY: Duration = Duration::from_secs(15);
/// Scaled down, a read still takes real milliseconds of both sides.
const FLOOR: Duration = Duration::from_millis(250);
/// A read that takes longer than this has failed; not below [`DEADLINE_FLOOR`] of wall time.
const DEADLINE: Duration = Duration::from_mins(5);
const DEADLINE_FLOOR: Duration = Duration::from_secs(20);
/// Reads of one account that run at once.
const PER_ACCOUNT: usize = 4;
/// What nobody asked for this long is forgotten.
const FORGOTTEN: Duration = Duration::from_mins(30);

/// Which table of which account: readings are not shared between identities, whose rights may differ.
type Key = (usize, What);

/// What is known of one table.
#[derive(Debug, Clone, Default)]
pub struct Glimpse {
    /// The last one that could be read.
    pub content: Option<Arc<Content>>,
    /// When the read of `content` began.
    pub began: Option<Timestamp>,
    /// Why the last read failed, and when it began, while it does.
    pub error: Option<(CloudError, Timestamp)>,
}

impl Glimpse {
    /// Whether a first read has ended, well or badly.
    pub fn is_known(&self) -> bool {
        self.content.is_some() || self.error.is_some()
    }
}

/// Who asks, and how fresh the answer must be.
#[derive(Clone)]
pub struct Ask<'a> {
    pub who: &'a str,
    pub waker: Waker,
    /// Something is wrong or being built.
    pub busy: bool,
    /// What was read before this is outdated: a cheap signal changed then.
    pub since: Option<Timestamp>,
}

#[derive(Default)]
struct Entry {
    seen: Glimpse,
    running: bool,
    failures: u32,
    not_before: Option<Timestamp>,
    /// Somebody saw it missing or outdated and waits for the next reading, whatever it says.
    awaited: bool,
    watchers: BTreeMap<String, Waker>,
    asked: Option<Timestamp>,
}

#[derive(Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// One read at a time per cloud object.
    gates: HashMap<String, Arc<tokio::sync::Mutex<()>>>,
    budgets: HashMap<usize, Arc<Semaphore>>,
}

/// All tables that this process reads.
pub struct Vantages {
    clock: Clock,
    scale: f64,
    state: Mutex<State>,
}

impl std::fmt::Debug for Vantages {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vantages").finish_non_exhaustive()
    }
}

impl Vantages {
    pub fn new(clock: Clock, scale: f64) -> Arc<Self> {
        Arc::new(Self {
            clock,
            scale,
            state: Mutex::default(),
        })
    }

    fn scaled(&self, d: Duration) -> Duration {
        d.div_f64(self.scale)
    }

    /// How old a reading may be before another one is due.
    pub fn period(&self, busy: bool) -> Duration {
        self.scaled(if busy { BUSY } else { CALM }).max(FLOOR)
    }

    /// How old a reading may be before it says nothing any more: three periods (design §1). Never below a few seconds of
    /// wall time.
    pub fn stale_after(&self) -> Duration {
        (self.scaled(CALM) * 3).max(Duration::from_secs(5))
    }

    /// What is known of a table; starts a read in the background when it is due.
    pub fn get(self: &Arc<Self>, source: &Source, what: What, ask: &Ask<'_>) -> Glimpse {
        let now = self.clock.now();
        let key = (source.identity(), what);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.entry(key.clone()).or_default();
        entry.watchers.insert(ask.who.to_owned(), ask.waker.clone());
        entry.asked = Some(now);
        let outdated = entry
            .seen
            .began
            .is_none_or(|b| ask.since.is_some_and(|s| b < s));
        entry.awaited |= outdated;
        // Whoever asks once a period must not find it a moment too young, and so read every other time.
        let old = entry
            .seen
            .began
            .is_none_or(|b| age(now, b) * 10 >= self.period(ask.busy) * 9);
        let may = !entry.running && entry.not_before.is_none_or(|t| t <= now);
        let seen = entry.seen.clone();
        if may && (outdated || old) {
            entry.running = true;
            self.forget_old(&mut state, now);
            let gate = state
                .gates
                .entry(key.1.object().to_lowercase())
                .or_default()
                .clone();
            let budget = state
                .budgets
                .entry(key.0)
                .or_insert_with(|| Arc::new(Semaphore::new(PER_ACCOUNT)))
                .clone();
            drop(state);
            tokio::spawn(self.clone().refresh(source.clone(), key, gate, budget));
        }
        seen
    }

    /// Why the last reads of a table failed, while they do, and how many in a row; asks for nothing.
    pub fn last_error(&self, source: &Source, what: &What) -> Option<(CloudError, u32)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = state.entries.get(&(source.identity(), what.clone()))?;
        let (error, _) = entry.seen.error.as_ref()?;
        Some((error.clone(), entry.failures))
    }

    /// An object is gone: it is woken no more.
    pub fn leave(&self, who: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in state.entries.values_mut() {
            entry.watchers.remove(who);
        }
    }

    fn forget_old(&self, state: &mut State, now: Timestamp) {
        let limit = self.scaled(FORGOTTEN).max(Duration::from_mins(1));
        state
            .entries
            .retain(|_, e| e.running || e.asked.is_some_and(|a| age(now, a) < limit));
        state.gates.retain(|_, g| Arc::strong_count(g) > 1);
        let live: Vec<usize> = state.entries.keys().map(|(account, _)| *account).collect();
        state.budgets.retain(|account, _| live.contains(account));
    }

    async fn refresh(
        self: Arc<Self>,
        source: Source,
        key: Key,
        gate: Arc<tokio::sync::Mutex<()>>,
        budget: Arc<Semaphore>,
    ) {
        let _one = gate.lock().await;
        // Never closed: an error here can not happen, and would only mean one read beyond the budget.
        let _few = budget.acquire().await;
        let began = self.clock.now();
        let deadline = self.scaled(DEADLINE).max(DEADLINE_FLOOR);
        let outcome =
            match tokio::time::timeout(deadline, read::read(&source, &key.1, self.scale)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(read::timed_out(&key.1)),
            };
        let wake: Vec<Waker> = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(entry) = state.entries.get_mut(&key) else {
                return;
            };
            entry.running = false;
            let changed = match outcome {
                Ok(content) => {
                    let same = entry.seen.error.is_none()
                        && entry.seen.content.as_deref() == Some(&content);
                    if !same {
                        entry.seen.content = Some(Arc::new(content));
                    }
                    entry.seen.began = Some(began);
                    entry.seen.error = None;
                    entry.failures = 0;
                    entry.not_before = None;
                    !same
                }
                Err(error) => {
                    debug!(what = %key.1, %error, "a table could not be read");
                    entry.failures = entry.failures.saturating_add(1);
                    let own = self
                        .scaled(BUSY * 2u32.pow(entry.failures.min(4) - 1))
                        .max(FLOOR);
                    let wait = error.retry_after().map_or(own, |r| self.scaled(r).max(own));
                    entry.not_before =
                        Some(began + jiff::SignedDuration::try_from(wait).unwrap_or_default());
                    let changed =
                        entry.seen.error.as_ref().map(|(e, _)| &e.code) != Some(&error.code);
                    entry.seen.error = Some((error, began));
                    changed
                }
            };
            let awaited = std::mem::take(&mut entry.awaited);
            if changed || awaited {
                entry.watchers.values().cloned().collect()
            } else {
                Vec::new()
            }
        };
        for w in wake {
            w();
        }
    }
}

fn age(now: Timestamp, then: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(then)).unwrap_or_default()
}
