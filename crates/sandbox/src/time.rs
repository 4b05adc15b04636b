//! Simulated time. Cloud operations, BGP, read lag and `Retry-After` run in it; signatures, token lifetimes and TLS do
//! not (megaport.md §13.4, azure.md §11): those use [`std::time::SystemTime`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::time::Instant;

/// A moment of simulated time, in milliseconds since the Unix epoch.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct SimTime(pub i64);

impl SimTime {
    /// RFC 3339 with milliseconds, in UTC.
    pub fn rfc3339(self) -> String {
        Timestamp::from_millisecond(self.0)
            .unwrap_or(Timestamp::UNIX_EPOCH)
            .to_string()
    }
    pub fn plus(self, d: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)),
        )
    }
    pub fn plus_secs(self, seconds: f64) -> Self {
        Self(self.0 + (seconds * 1000.0) as i64)
    }
    /// Seconds from `earlier` to `self`; negative when `self` is before it.
    pub fn secs_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0) as f64 / 1000.0
    }
}

/// How simulated time runs: from a base, at `speed` simulated seconds per second of the (possibly paused) tokio clock.
#[derive(Debug, Clone)]
pub struct Clock {
    base: SimTime,
    anchor: Instant,
    speed: f64,
    paused: bool,
}

impl Clock {
    pub fn new(start: SimTime, speed: f64) -> Self {
        Self {
            base: start,
            anchor: Instant::now(),
            speed,
            paused: false,
        }
    }
    pub fn now(&self) -> SimTime {
        if self.paused {
            return self.base;
        }
        self.base
            .plus_secs(self.anchor.elapsed().as_secs_f64() * self.speed)
    }
    fn rebase(&mut self) {
        self.base = self.now();
        self.anchor = Instant::now();
    }
    pub fn speed(&self) -> f64 {
        self.speed
    }
    pub fn paused(&self) -> bool {
        self.paused
    }
    pub fn set_speed(&mut self, speed: f64) {
        self.rebase();
        self.speed = speed;
    }
    pub fn set_paused(&mut self, paused: bool) {
        self.rebase();
        self.paused = paused;
    }
    /// Moves simulated time forward at once; meant for a paused clock.
    pub fn advance(&mut self, seconds: f64) {
        self.rebase();
        self.base = self.base.plus_secs(seconds);
    }
    /// How long the tokio clock takes for `sim` simulated time to pass; `None` when it stands still.
    pub fn real(&self, sim: Duration) -> Option<Duration> {
        (!self.paused && self.speed > 0.0)
            .then(|| Duration::try_from_secs_f64(sim.as_secs_f64() / self.speed).ok())
            .flatten()
    }
}
