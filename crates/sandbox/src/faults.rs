//! Injected faults (contract §4): which calls they match and what they do.

use crate::rng::Rng;
use crate::wire::{Call, Provider};
use serde::{Deserialize, Serialize};

/// Which calls a fault applies to; an absent field matches everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Match {
    pub provider: Option<Provider>,
    pub operation: Option<String>,
    /// Part of the resource's ID, compared without case.
    pub resource: Option<String>,
    pub principal: Option<String>,
    pub mutating: Option<bool>,
    /// Only the n-th matching call, counted from 1 since the fault was made.
    pub nth: Option<u64>,
    /// Between 0 and 1.
    pub probability: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The call is not answered until the fault is deleted.
    Hold,
    /// Answers `status` (and `code`) without doing anything.
    Status,
    /// Answers after `seconds`.
    Delay,
    /// The connection breaks before the request is carried out.
    LoseRequest,
    /// The request is carried out, then the connection breaks.
    LoseResponse,
    /// The answer's body ends half-way.
    Truncate,
    /// The answer's body is not what it should be.
    Garbage,
    /// Reads answer with the state of `seconds` ago.
    StaleRead,
    /// The long-running operation that the call starts ends in failure with `code`.
    LroFails,
    /// The status of the long-running operation that the call starts can not be read.
    LroVanishes,
    /// The provider state of a circuit follows `seconds` later than it would.
    ProviderStateLag,
}

/// A fault as it is posted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    #[serde(default, rename = "match")]
    pub matches: Match,
    pub effect: Effect,
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(default)]
    pub code: Option<String>,
    /// Simulated seconds: how long a delay is, how old a stale read, how late a provider state; for `status` its
    /// `Retry-After`.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// How often it applies; absent means always.
    #[serde(default)]
    pub times: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Active {
    pub id: String,
    pub fault: Fault,
    /// Matching calls seen.
    pub seen: u64,
    /// Times applied.
    pub applied: u64,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Faults {
    pub active: Vec<Active>,
    next: u64,
}

impl Faults {
    pub fn add(&mut self, fault: Fault) -> String {
        self.next += 1;
        let id = format!("fault-{}", self.next);
        self.active.push(Active {
            id: id.clone(),
            fault,
            seen: 0,
            applied: 0,
        });
        id
    }
    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.active.len();
        self.active.retain(|a| a.id != id);
        before != self.active.len()
    }
    /// The first active fault among `effects` that applies to this call; counts it as seen and applied.
    pub fn take(&mut self, rng: &mut Rng, call: &Call, effects: &[Effect]) -> Option<Active> {
        for a in self
            .active
            .iter_mut()
            .filter(|a| effects.contains(&a.fault.effect))
        {
            let m = &a.fault.matches;
            let hit = m.provider.is_none_or(|p| p == call.provider)
                && m.operation
                    .as_ref()
                    .is_none_or(|o| o.eq_ignore_ascii_case(&call.operation))
                && m.principal.as_ref().is_none_or(|p| *p == call.principal)
                && m.mutating.is_none_or(|x| x == call.mutating)
                && m.resource.as_ref().is_none_or(|r| {
                    call.resource
                        .as_ref()
                        .is_some_and(|have| have.to_lowercase().contains(&r.to_lowercase()))
                });
            if !hit {
                continue;
            }
            a.seen += 1;
            let due = m.nth.is_none_or(|n| n == a.seen)
                && m.probability.is_none_or(|p| rng.unit() < p)
                && a.fault.times.is_none_or(|t| a.applied < t);
            if due {
                a.applied += 1;
                return Some(a.clone());
            }
        }
        None
    }
}
