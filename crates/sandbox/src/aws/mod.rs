//! Placeholder: Aws.
use crate::rng::Rng;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Listener, Req, Res};
use crate::world::World;
use serde::{Deserialize, Serialize};

pub mod partner;
pub mod world;

/// What will happen on this provider's side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {}

/// This provider's objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AwsState {}

impl AwsState {
    pub fn new(_world: &World, _rng: &mut Rng, _now: SimTime) -> Self {
        Self {}
    }
}

pub fn on_event(_state: &mut State, event: Event) {
    match event {}
}

/// Says what a request is and who sent it, or refuses it (no or wrong credentials, no such route) as the provider does.
pub fn identify(_state: &State, _listener: Listener, _req: &Req) -> Result<Call, Box<Res>> {
    Err(Box::new(Res::empty(501)))
}

/// Carries out a request that was identified.
pub fn handle(_state: &mut State, _listener: Listener, _call: &Call, _req: &Req) -> Res {
    Res::empty(501)
}

/// What exists now, apart from what the world started with (contract §4, `GET /live`).
pub fn live(_state: &State) -> Vec<crate::sandbox::LiveObject> {
    Vec::new()
}

/// The world's own objects as they are now, by ID, without what changes by itself: compared for `GET /diff`.
pub fn world_objects(_state: &State) -> std::collections::BTreeMap<String, serde_json::Value> {
    std::collections::BTreeMap::new()
}

/// Every secret value that this provider knows: masked in the call log.
pub fn secrets(_state: &State) -> Vec<String> {
    Vec::new()
}

/// An error in the dialect of the service that was called.
pub fn error(_call: &Call, status: u16, _code: &str, _message: &str) -> Res {
    Res::empty(status)
}

/// This provider's part of what the network simulation sees.
pub fn view(_state: &State) -> crate::net::view::AwsView {
    crate::net::view::AwsView::default()
}
