//! A livelock ends a case instead of hanging it: with tokio's clock paused, work that makes new work without ever waiting
//! lets no simulated time pass, and no time-out of simulated time would come.
//!
//! Counts requests; decides nothing else.

use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// Requests to clouds and API server within one simulated minute that no sound case comes near: the busiest minutes of
/// the lab, with the operator started anew over and over, have a few hundred.
const AT_MOST: u32 = 10_000;
const WINDOW: Duration = Duration::from_mins(1);

thread_local! {
    // A case runs on one thread (`simulate`).
    static SEEN: Cell<Option<(Instant, u32)>> = const { Cell::new(None) };
}

/// Counts one request, of which `what` tells.
///
/// # Panics
/// When there were far too many in one simulated minute.
pub(super) fn count(what: impl FnOnce() -> String) {
    let now = Instant::now();
    let (since, before) = match SEEN.get() {
        // The next case of the thread has a clock of its own, which may be behind.
        Some((since, n))
            if now
                .checked_duration_since(since)
                .is_some_and(|d| d < WINDOW) =>
        {
            (since, n)
        }
        _ => (now, 0),
    };
    SEEN.set(Some((since, before + 1)));
    assert!(
        before < AT_MOST,
        "a livelock: more than {AT_MOST} requests in one simulated minute; at last: {}",
        what()
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a failed assumption is a failed test
mod tests {
    use super::*;
    use crate::harness::simulate;

    #[test]
    fn work_without_end_ends() {
        let panicked = std::panic::catch_unwind(|| {
            simulate(async || {
                for _ in 0..=AT_MOST {
                    count(|| "GET /again".to_owned());
                }
            });
        });
        let message = *panicked.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("GET /again"), "{message}");
    }

    #[test]
    fn work_over_time_goes_on() {
        simulate(async || {
            for _ in 0..20 {
                for _ in 0..AT_MOST {
                    count(String::new);
                }
                tokio::time::sleep(WINDOW).await;
            }
        });
    }
}
