//! Stale reads as an injected fault: a matching read is answered from the clouds as they were `seconds` ago.
//!
//! The past is kept only while a fault of this kind is active, so it reaches back to the moment when the fault was
//! made. (The read lag that every provider has of its own after a write is the provider module's business.)

use crate::faults::Effect;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Listener, Req};
use crate::{arm, aws, megaport};
use http::Method;
use serde::{Deserialize, Serialize};

/// The providers' objects as they were until a moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Past {
    until: SimTime,
    azure: arm::AzureState,
    aws: aws::AwsState,
    megaport: megaport::MegaportState,
}

/// Past states, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct History {
    past: Vec<Past>,
}

/// Whether a call reads objects. Tokens and the status of long-running work are never stale: `lroVanishes` is the fault
/// for the latter, and a diagnostic query on ARM is a POST that starts such work.
pub fn applies(listener: Listener, call: &Call, req: &Req) -> bool {
    match listener {
        Listener::Azure => {
            req.method == Method::GET
                && !call.operation.to_ascii_lowercase().starts_with("operation")
        }
        Listener::Megaport => req.method == Method::GET,
        Listener::Aws => !call.mutating,
        Listener::AzureAuthority | Listener::MegaportAuth | Listener::Control => false,
    }
}

/// Default age of a stale read in simulated seconds, where the fault gives none.
pub const DEFAULT_AGE: f64 = 60.0;

/// The oldest age that an active fault may ask for; `None` when there is none.
fn horizon(state: &State) -> Option<f64> {
    state
        .faults
        .active
        .iter()
        .filter(|a| a.fault.effect == Effect::StaleRead)
        .map(|a| a.fault.seconds.unwrap_or(DEFAULT_AGE))
        .reduce(f64::max)
}

/// Keeps the present for later stale reads: call before whatever changes the clouds and when a fault is made. Costs
/// nothing while no fault asks for it.
pub fn remember(state: &mut State) {
    let Some(horizon) = horizon(state) else {
        state.stale.past.clear();
        return;
    };
    let now = state.now;
    let past = Past {
        until: now,
        azure: state.azure.clone(),
        aws: state.aws.clone(),
        megaport: state.megaport.clone(),
    };
    let list = &mut state.stale.past;
    list.push(past);
    // What ended before the horizon is never asked for again.
    let oldest = now.plus_secs(-horizon);
    list.retain(|p| p.until > oldest);
}

/// Runs `read` on the clouds as they were `age` simulated seconds ago and forgets what it changed.
pub fn read<T>(state: &mut State, age: f64, read: impl FnOnce(&mut State) -> T) -> T {
    let then = state.now.plus_secs(-age);
    let found = state.stale.past.iter().find(|p| p.until > then).cloned();
    let Some(past) = found else {
        return read(state);
    };
    // No read looks at the call log or at the past, and both are long.
    let (calls, stale) = (
        std::mem::take(&mut state.calls),
        std::mem::take(&mut state.stale),
    );
    let mut old = state.clone();
    (state.calls, state.stale) = (calls, stale);
    old.azure = past.azure;
    old.aws = past.aws;
    old.megaport = past.megaport;
    read(&mut old)
}
