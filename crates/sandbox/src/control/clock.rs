//! The clock: reading it, setting its speed, stopping it, moving it.

use super::Refusal;
use crate::sandbox::Sandbox;
use serde::{Deserialize, Serialize};

/// The farthest jump in one call, in simulated seconds: ten years.
const LONGEST_ADVANCE: f64 = 10.0 * 365.0 * 86_400.0;

/// `GET /clock`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockView {
    /// Simulated time, RFC 3339.
    pub now: String,
    /// Simulated seconds per second.
    pub speed: f64,
    pub paused: bool,
}

/// `PUT /clock`; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClockChange {
    pub speed: Option<f64>,
    pub paused: Option<bool>,
    /// Simulated seconds, while paused (or paused by this same call).
    pub advance: Option<f64>,
}

impl Sandbox {
    /// The clock as it is.
    pub fn clock_view(&self) -> ClockView {
        self.clock(|c| ClockView {
            now: c.now().rfc3339(),
            speed: c.speed(),
            paused: c.paused(),
        })
    }

    /// Sets the clock; returns when all that became due by it is done.
    pub fn set_clock(&self, change: &ClockChange) -> Result<ClockView, Refusal> {
        if let Some(speed) = change.speed.filter(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(Refusal::Bad(format!(
                "speed {speed} must be a positive number of simulated seconds per second; to stop the clock, set paused"
            )));
        }
        if let Some(by) = change.advance {
            if !(by.is_finite() && (0.0..=LONGEST_ADVANCE).contains(&by)) {
                return Err(Refusal::Bad(format!(
                    "advance {by} must be between 0 and {LONGEST_ADVANCE} simulated seconds"
                )));
            }
            if !change.paused.unwrap_or_else(|| self.clock(|c| c.paused())) {
                return Err(Refusal::Conflict(
                    "advance works on a paused clock only: send \"paused\": true with it"
                        .to_owned(),
                ));
            }
        }
        self.clock(|c| {
            if let Some(speed) = change.speed {
                c.set_speed(speed);
            }
            if let Some(paused) = change.paused {
                c.set_paused(paused);
            }
            if let Some(by) = change.advance {
                c.advance(by);
            }
        });
        // Processes what is due, and makes speed and pause last.
        self.change(|_| ());
        Ok(self.clock_view())
    }
}
