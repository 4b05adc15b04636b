//! Hysteresis and the record of failovers: an explicit down flips a verdict at once; recovery and lost telemetry need
//! three samples (design §1). The state is the caller's, who passes it in again.

use super::Raw;
use super::paths::{Active, Found};
use super::sessions::{SessionVerdict, Standing};
use crate::report::{HealthVerdicts, Truth, Verdict};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Samples that a recovery, lost telemetry or a mere doubt needs.
pub const SAMPLES: u8 = 3;
/// Samples that Split needs: with polls of 15 s, a minute after it was first seen. A dead far end is known as dead only once
/// dead peer detection (45 s at Azure's gateway, azure.md §4.2) or the hold timer (30 s at AWS's tunnels) has run out and was read,
/// and until then tables show the one half of a failover that has happened beside the half that never will.
pub const SPLIT_SAMPLES: u8 = 5;
/// Failovers that are kept.
pub const FAILOVERS: usize = 10;
/// A state between two paths (None, Split) that lasts no longer belongs to the failover that it is part of.
const TRANSIT: Duration = Duration::from_mins(10);

/// The time of a judgement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clock {
    pub now: Timestamp,
    /// The period of the cheap polls, in the time of `now`: judgements closer together are one sample.
    pub poll: Duration,
    /// How many seconds of the clouds pass in one second of `now` (the operator's `--time-scale`).
    pub scale: f64,
}

impl Clock {
    /// Seconds of the clouds since then.
    fn seconds_since(&self, then: Timestamp) -> f64 {
        self.since(then).as_secs_f64() * self.scale
    }
    fn since(&self, then: Timestamp) -> Duration {
        Duration::try_from(self.now.duration_since(then)).unwrap_or_default()
    }
}

/// What is remembered of one verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steady {
    shown: Option<Shown>,
    /// The last definite truth, and whether it was ever True: until then nothing recovers, it is built.
    was: Option<Truth>,
    ever_true: bool,
    candidate: Option<Truth>,
    seen: u8,
    sampled: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    truth: Truth,
    reason: String,
    message: String,
}

impl Steady {
    /// The verdict to show, and whether another one waits for more samples.
    pub(crate) fn settle(&mut self, raw: Raw, clock: &Clock) -> (Verdict, bool) {
        let truth = raw.verdict.truth;
        let Some(shown) = self.shown.clone() else {
            return (self.show(raw.verdict), false);
        };
        if raw.waiting {
            // Whatever was being counted goes on being counted by the next reading that says something.
            return (as_verdict(&shown), true);
        }
        let at_once = match (truth, shown.truth) {
            (a, b) if a == b => true,
            (Truth::False, _) => !raw.soft || !self.ever_true,
            (Truth::True, _) => !self.ever_true || self.was != Some(Truth::False),
            // What is known to be wrong stays wrong until somebody says otherwise; the rest becomes unknown in time.
            (Truth::Unknown, _) => false,
        };
        if at_once {
            return (self.show(raw.verdict), false);
        }
        if self.candidate == Some(truth) {
            // Wakes come in bursts: only what is a poll apart is another sample. Four fifths allow for jitter.
            let apart = self
                .sampled
                .is_none_or(|s| clock.since(s) * 5 >= clock.poll * 4);
            if apart {
                self.seen = self.seen.saturating_add(1);
                self.sampled = Some(clock.now);
            }
        } else {
            self.candidate = Some(truth);
            self.seen = 1;
            self.sampled = Some(clock.now);
        }
        if self.seen >= SAMPLES {
            (self.show(raw.verdict), false)
        } else {
            (as_verdict(&shown), true)
        }
    }

    /// Goes on where an earlier process stopped.
    fn resume(verdict: Option<&Verdict>) -> Self {
        let mut s = Self::default();
        if let Some(v) = verdict.filter(|v| REASONS.contains(&v.reason)) {
            s.show(v.clone());
            // What it was before is not known: a failure that outlived the process recovers like any other.
            s.ever_true = true;
        }
        s
    }

    fn show(&mut self, verdict: Verdict) -> Verdict {
        if verdict.truth != Truth::Unknown {
            self.was = Some(verdict.truth);
        }
        self.ever_true |= verdict.truth == Truth::True;
        self.candidate = None;
        self.seen = 0;
        self.sampled = None;
        self.shown = Some(Shown {
            truth: verdict.truth,
            reason: verdict.reason.to_owned(),
            message: verdict.message.clone(),
        });
        verdict
    }
}

/// Reasons that a verdict of health can have: the closed set of `causeway-api`.
const REASONS: [&str; 16] = [
    "Established",
    "SessionDown",
    "AdministrativelyDown",
    "NoSessionExpected",
    "SourcesDisagree",
    "StaleTelemetry",
    "RoutesAsExpected",
    "MissingPrefix",
    "UnexpectedPrefix",
    "WrongPreference",
    "Asymmetric",
    "PathAvailable",
    "NoPathAvailable",
    "Redundant",
    "SinglePath",
    "SingleExpressRoutePort",
];

/// A verdict as status shows it, if it is one of health: how a new process learns what the last one said.
pub fn shown_verdict(status: &str, reason: &str, message: &str) -> Option<Verdict> {
    let truth = match status {
        "True" => Truth::True,
        "False" => Truth::False,
        _ => Truth::Unknown,
    };
    let reason = REASONS.into_iter().find(|r| *r == reason)?;
    Some(Verdict::new(truth, reason, message))
}

fn as_verdict(s: &Shown) -> Verdict {
    let reason = REASONS
        .into_iter()
        .find(|r| *r == s.reason)
        .unwrap_or("StaleTelemetry");
    Verdict::new(s.truth, reason, s.message.clone())
}

/// A change of the active path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failover {
    pub from: Active,
    pub to: Active,
    pub at: Timestamp,
    /// Seconds of the clouds' time for which no path carried both directions, as far as it was seen.
    pub outage_seconds: Option<i64>,
}

/// What is remembered of one object. Serialisable; lost on restart, after which verdicts start anew (the failovers are
/// then taken from the object's status).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub(crate) bgp: Steady,
    pub(crate) routes: Steady,
    pub(crate) available: Steady,
    pub(crate) redundant: Steady,
    active: Option<Active>,
    lost: u8,
    lost_at: Option<Timestamp>,
    #[serde(default)]
    split_at: Option<Timestamp>,
    out_since: Option<Timestamp>,
    /// Sessions that were up at the last judgement, by link and peer.
    #[serde(default)]
    up: BTreeSet<String>,
    /// Newest first.
    pub failovers: Vec<Failover>,
}

impl Memory {
    /// With what status remembers of an earlier process.
    pub fn resumed(
        verdicts: &HealthVerdicts,
        active: Option<Active>,
        failovers: Vec<Failover>,
    ) -> Self {
        Self {
            bgp: Steady::resume(verdicts.bgp_established.as_ref()),
            routes: Steady::resume(verdicts.routes_as_expected.as_ref()),
            available: Steady::resume(verdicts.available.as_ref()),
            redundant: Steady::resume(verdicts.redundant.as_ref()),
            active,
            failovers,
            ..Self::default()
        }
    }

    /// A session about which nobody knows anything newer stands as it stood while its next reading is on its way.
    pub(crate) fn hold(&mut self, sessions: &mut [SessionVerdict]) {
        let mut up = BTreeSet::new();
        for s in sessions.iter_mut().filter(|s| s.counted) {
            let key = format!("{} {}", s.link, s.peer);
            if s.standing == Standing::Unknown && s.waiting && self.up.contains(&key) {
                s.standing = Standing::Up;
                s.message.clear();
            }
            if s.standing == Standing::Up {
                up.insert(key);
            }
        }
        self.up = up;
    }

    /// Another look will tell whether the path is split.
    pub(crate) fn waits(&self) -> bool {
        self.split_at.is_some()
    }

    /// Takes what was found, and answers what to show. A definite path counts at once; not knowing takes three samples.
    pub(crate) fn move_to(&mut self, found: Found, clock: &Clock) -> Option<Active> {
        let Some(next) = found.active else {
            if !found.waiting {
                let apart = self
                    .lost_at
                    .is_none_or(|s| clock.since(s) * 5 >= clock.poll * 4);
                if apart {
                    self.lost = self.lost.saturating_add(1);
                    self.lost_at = Some(clock.now);
                }
            }
            return if self.lost >= SAMPLES {
                None
            } else {
                self.active
            };
        };
        self.lost = 0;
        self.lost_at = None;
        // The two directions are read at different times, and in between a failover looks like two paths at once: Split is
        // what is still so when every death would be known.
        if next == Active::Split && self.active.is_some_and(|a| a != Active::Split) {
            let since = *self.split_at.get_or_insert(clock.now);
            if clock.since(since) * 5 < clock.poll * 4 * u32::from(SPLIT_SAMPLES - 1) {
                return self.active;
            }
        }
        self.split_at = None;
        let Some(last) = self.active.replace(next) else {
            if next == Active::None {
                self.out_since = Some(clock.now);
            }
            return Some(next);
        };
        if last == next {
            return Some(next);
        }
        let out = if last == Active::None {
            self.out_since.take().map(|t| clock.seconds_since(t))
        } else {
            None
        };
        if next == Active::None {
            self.out_since = Some(clock.now);
        }
        self.record(last, next, out, clock);
        Some(next)
    }

    fn record(&mut self, last: Active, next: Active, out: Option<f64>, clock: &Clock) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "seconds of an outage, rounded"
        )]
        let out = out.map(|s| s.round() as i64);
        let settled = |a: Active| matches!(a, Active::ExpressRoute | Active::Vpn);
        if let Some(top) = self.failovers.first_mut() {
            // ExpressRoute, then nothing, then VPN is one failover.
            let part = top.to == last
                && !settled(last)
                && clock.seconds_since(top.at) <= TRANSIT.as_secs_f64();
            if part {
                top.outage_seconds = match (top.outage_seconds, out) {
                    (Some(a), Some(b)) => Some(a.saturating_add(b)),
                    (a, b) => a.or(b),
                };
                if top.from != next {
                    top.to = next;
                }
                return;
            }
        }
        self.failovers.insert(
            0,
            Failover {
                from: last,
                to: next,
                at: clock.now,
                outage_seconds: out,
            },
        );
        self.failovers.truncate(FAILOVERS);
    }
}
