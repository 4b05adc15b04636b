//! What time it is, for everything that decides by it. In production that is the wall clock; a run in which operator and
//! clouds share one process may drive it by tokio's clock instead, which can be paused. Durations are measured with
//! [`tokio::time::Instant`], which the same paused clock governs: together they let a simulated day pass in seconds.
//!
//! The one place of the operator that may read the wall clock for a decision (`clippy.toml` refuses the others). What
//! tokens, signatures and TLS need is not a decision of ours and stays in wall time.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::time::Instant;

/// A source of time; clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    driven: Option<Arc<Driven>>,
}

#[derive(Debug)]
struct Driven {
    epoch: Timestamp,
    anchor: Instant,
    /// The last answer, in nanoseconds since the Unix epoch.
    last: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    pub fn wall() -> Self {
        Self::default()
    }

    /// A clock that shows `epoch` now and goes on with tokio's.
    pub fn driven(epoch: Timestamp) -> Self {
        Self {
            driven: Some(Arc::new(Driven {
                epoch,
                anchor: Instant::now(),
                last: AtomicI64::new(i64::MIN),
            })),
        }
    }

    /// Now. A driven clock never shows the same moment twice: while tokio's clock stands still it goes on by a
    /// nanosecond with each look, so that what happened later is later also there, as it is on a machine.
    pub fn now(&self) -> Timestamp {
        self.driven.as_ref().map_or_else(wall_now, |d| d.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place")]
fn wall_now() -> Timestamp {
    Timestamp::now()
}

impl Driven {
    fn now(&self) -> Timestamp {
        let elapsed =
            SignedDuration::try_from(self.anchor.elapsed()).unwrap_or(SignedDuration::MAX);
        let shown = self.epoch.saturating_add(elapsed).unwrap_or(Timestamp::MAX);
        // Nanoseconds since the epoch fit until the year 2262.
        let nanos = i64::try_from(shown.as_nanosecond()).unwrap_or(i64::MAX);
        let next = |last: i64| nanos.max(last.saturating_add(1));
        let last = self
            .last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| Some(next(last)))
            .unwrap_or_else(|last| last);
        Timestamp::from_nanosecond(i128::from(next(last))).unwrap_or(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_driven_clock_goes_with_tokios_and_never_stands() {
        let epoch = Timestamp::UNIX_EPOCH;
        let clock = Clock::driven(epoch);
        let same = clock.clone();
        let (a, b) = (clock.now(), same.now());
        assert_eq!(a, epoch);
        assert!(a < b, "{a} {b}: what was asked later is later");
        assert!(b.duration_since(a) < SignedDuration::from_micros(1));
        tokio::time::sleep(Duration::from_hours(10)).await;
        let passed = clock.now().duration_since(epoch);
        assert_eq!(passed.as_hours(), 10);
        assert_eq!(passed.as_secs(), 36_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_does_not_care() {
        let clock = Clock::wall();
        let before = clock.now();
        tokio::time::sleep(Duration::from_hours(10)).await;
        let passed = clock.now().duration_since(before);
        assert!(passed < SignedDuration::from_hours(1), "{passed}");
    }
}
