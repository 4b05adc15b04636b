//! Many cases of the harness on a few threads: each runs on one of its own clock, so that they do not disturb each other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many threads: `CAUSEWAY_CRASH_THREADS`, else two.
fn threads() -> usize {
    let asked = std::env::var("CAUSEWAY_CRASH_THREADS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// Does all jobs, in order, until there are none or `until` has come; answers what came of them, in the order in which they
/// ended.
///
/// # Panics
/// When one of them does.
pub fn on_threads<J: Send, R: Send>(
    jobs: impl IntoIterator<Item = J>,
    until: Option<Instant>,
    work: impl Fn(J) -> R + Sync,
) -> Vec<R> {
    let queue: Mutex<VecDeque<J>> = Mutex::new(jobs.into_iter().collect());
    let done = Mutex::new(Vec::new());
    let over = AtomicBool::new(false);
    std::thread::scope(|s| {
        for _ in 0..threads() {
            s.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let job = queue
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .pop_front();
                    let Some(job) = job else { return };
                    let result = work(job);
                    done.lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(result);
                    if until.is_some_and(|u| Instant::now() >= u) {
                        over.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Does `late` unless what is answered has been dropped within `after`, in real time: work under a paused clock can go on
/// for ever without any time passing in it, and then no time-out of its own ends it.
pub fn deadline(after: Duration, late: impl FnOnce() + Send + 'static) -> impl Sized {
    let (held, watched): (Sender<()>, _) = channel();
    std::thread::spawn(move || {
        if watched.recv_timeout(after) == Err(RecvTimeoutError::Timeout) {
            late();
        }
    });
    held
}
