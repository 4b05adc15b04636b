//! The providers and the waits that belong to them. Durations are unscaled; the operator divides them by its
//! `--time-scale` once, when it builds a [`Timing`].

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Who holds an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Provider {
    Azure,
    #[serde(rename = "AWS")]
    Aws,
    Megaport,
    Kubernetes,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Azure => "Azure",
            Self::Aws => "AWS",
            Self::Megaport => "Megaport",
            Self::Kubernetes => "Kubernetes",
        })
    }
}

/// The waits that the planner works with, already divided by the time scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timing {
    /// How long reads may lag behind a write (design §2.1): Megaport 5 min, EC2 and Direct Connect 2 min, ARM 1 min.
    pub lag_azure: Duration,
    pub lag_aws: Duration,
    pub lag_megaport: Duration,
    /// How soon to look again while something is being made or taken down.
    pub settling: Duration,
    /// How soon to look again when all is in place; the inventory wakes us earlier when something changes.
    pub resync: Duration,
    /// The first refresh of a circuit's provider state comes at once; the next ones are this far apart (azure.md §2.6:
    /// every 2 to 5 minutes, each a write of 1 to 3 minutes).
    pub refresh: Duration,
    /// The first retry after a failure; doubled up to `retry_max`.
    pub retry: Duration,
    pub retry_max: Duration,
}

impl Timing {
    /// The real-life waits divided by `scale` (at least 1).
    pub fn scaled(scale: f64) -> Self {
        let scale = if scale.is_finite() && scale >= 1.0 {
            scale
        } else {
            1.0
        };
        let s = |secs: u64| Duration::from_secs(secs).div_f64(scale);
        Self {
            lag_azure: s(60),
            lag_aws: s(120),
            lag_megaport: s(300),
            settling: s(15),
            resync: s(300),
            refresh: s(120),
            retry: s(10),
            retry_max: s(300),
        }
    }

    /// The lag window of a provider; Kubernetes reads of our own writes do not lag.
    pub fn lag(&self, provider: Provider) -> Duration {
        match provider {
            Provider::Azure => self.lag_azure,
            Provider::Aws => self.lag_aws,
            Provider::Megaport => self.lag_megaport,
            Provider::Kubernetes => Duration::ZERO,
        }
    }
}
