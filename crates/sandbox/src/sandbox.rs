//! The sandbox as a library: one lock around the state, a clock, and the path of every request (identify, faults,
//! carry out, log). Handlers are synchronous; only delays sleep, and they do so outside the lock.

use crate::calls::LoggedCall;
use crate::faults::Effect;
use crate::state::State;
use crate::time::{Clock, SimTime};
use crate::wire::{Call, Listener, Provider, Req, Res};
use crate::world::World;
use crate::{arm, aws, megaport, net};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// An entry of `GET /live`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveObject {
    pub provider: Provider,
    /// The provider's own type name: `expressRouteCircuits`, `vpn-gateway`, `dxvif`, `MCR2`, …
    pub kind: String,
    pub id: String,
    pub name: String,
    pub state: String,
}

/// How a sandbox starts.
#[derive(Debug, Clone)]
pub struct Settings {
    pub world: World,
    pub seed: u64,
    /// Simulated seconds per second of the tokio clock.
    pub speed: f64,
    pub start: SimTime,
}

impl Default for Settings {
    fn default() -> Self {
        // A fixed start makes two runs with one seed comparable.
        Self {
            world: World::default(),
            seed: 1,
            speed: 1.0,
            start: SimTime(1_790_000_000_000),
        }
    }
}

/// What became of a request.
#[derive(Debug)]
pub enum Outcome {
    Answer(Res),
    /// The connection breaks: the client sees no answer.
    Broken,
}

/// A running simulation; clones share it.
#[derive(Debug, Clone)]
pub struct Sandbox {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cell: Mutex<Cell>,
    /// Woken when faults change, for calls that are held.
    faults_changed: Notify,
}

#[derive(Debug)]
struct Cell {
    state: State,
    clock: Clock,
}

impl Sandbox {
    pub fn new(settings: Settings) -> Self {
        let state = State::new(settings.world, settings.seed, settings.start);
        Self::from_state(state, settings.speed)
    }

    /// Continues from a state (a snapshot or what was saved).
    pub fn from_state(state: State, speed: f64) -> Self {
        let clock = Clock::new(state.now, speed);
        let inner = Inner {
            cell: Mutex::new(Cell { state, clock }),
            faults_changed: Notify::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    fn cell(&self) -> MutexGuard<'_, Cell> {
        // A handler that panicked has left a state that is still the best we know.
        self.inner
            .cell
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on the state with everything due processed.
    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut cell = self.cell();
        let now = cell.clock.now();
        cell.state.advance_to(now);
        let out = f(&mut cell.state);
        net::refresh(&mut cell.state);
        out
    }

    /// A copy of the state as it is now.
    pub fn snapshot(&self) -> State {
        self.with(|s| s.clone())
    }

    pub fn clock<T>(&self, f: impl FnOnce(&mut Clock) -> T) -> T {
        f(&mut self.cell().clock)
    }

    /// Adds a fault, or removes one and lets held calls look again.
    pub fn faults_changed(&self) {
        self.inner.faults_changed.notify_waiters();
    }

    /// Handles one request to a provider's listener.
    pub async fn call(&self, listener: Listener, req: Req) -> Outcome {
        let call = match self.with(|s| identify(s, listener, &req)) {
            Ok(call) => call,
            Err(res) => {
                self.with(|s| log(s, &unidentified(listener, &req), &req, res.status.as_u16()));
                return Outcome::Answer(*res);
            }
        };
        loop {
            let woken = self.inner.faults_changed.notified();
            let held = self.with(|s| {
                let State { faults, rng, .. } = s;
                faults.take(rng, &call, &[Effect::Hold]).is_some()
            });
            if !held {
                break;
            }
            woken.await;
        }
        let before = self.with(|s| {
            let State { faults, rng, .. } = s;
            faults.take(
                rng,
                &call,
                &[Effect::Delay, Effect::Status, Effect::LoseRequest],
            )
        });
        if let Some(a) = &before {
            match a.fault.effect {
                Effect::Delay => self.sleep(a.fault.seconds.unwrap_or(1.0)).await,
                Effect::LoseRequest => {
                    self.with(|s| log(s, &call, &req, 0));
                    return Outcome::Broken;
                }
                _ => {
                    let status = a.fault.status.unwrap_or(500);
                    let code = a.fault.code.as_deref().unwrap_or("InternalServerError");
                    let res = fault_answer(call.provider, &call, status, code);
                    self.with(|s| log(s, &call, &req, status));
                    return Outcome::Answer(res);
                }
            }
        }
        let (mut res, after) = self.with(|s| {
            let res = handle(s, listener, &call, &req);
            log(s, &call, &req, res.status.as_u16());
            let State { faults, rng, .. } = s;
            (
                res,
                faults.take(
                    rng,
                    &call,
                    &[Effect::LoseResponse, Effect::Truncate, Effect::Garbage],
                ),
            )
        });
        match after.map(|a| a.fault.effect) {
            Some(Effect::LoseResponse) => return Outcome::Broken,
            Some(Effect::Truncate) => res.body = res.body.slice(..res.body.len() / 2),
            Some(Effect::Garbage) => {
                res.body = Bytes::from_static(b"<html>upstream connect error</html>")
            }
            _ => {}
        }
        Outcome::Answer(res)
    }

    /// Sleeps for simulated seconds on the tokio clock; not at all while paused.
    async fn sleep(&self, seconds: f64) {
        let real = self.clock(|c| c.real(Duration::from_secs_f64(seconds)));
        tokio::time::sleep(real).await;
    }
}

fn provider_of(listener: Listener) -> Provider {
    match listener {
        Listener::Azure | Listener::AzureAuthority | Listener::Control => Provider::Azure,
        Listener::Aws => Provider::Aws,
        Listener::Megaport | Listener::MegaportAuth => Provider::Megaport,
    }
}

fn identify(state: &State, listener: Listener, req: &Req) -> Result<Call, Box<Res>> {
    match provider_of(listener) {
        Provider::Azure => arm::identify(state, listener, req),
        Provider::Aws => aws::identify(state, listener, req),
        Provider::Megaport => megaport::identify(state, listener, req),
    }
}

fn handle(state: &mut State, listener: Listener, call: &Call, req: &Req) -> Res {
    match provider_of(listener) {
        Provider::Azure => arm::handle(state, listener, call, req),
        Provider::Aws => aws::handle(state, listener, call, req),
        Provider::Megaport => megaport::handle(state, listener, call, req),
    }
}

/// An error answer in the provider's own envelope, for faults of effect `status`.
fn fault_answer(provider: Provider, call: &Call, status: u16, code: &str) -> Res {
    match provider {
        Provider::Azure => arm::error(status, code, "Injected fault."),
        Provider::Aws => aws::error(call, status, code, "Injected fault."),
        Provider::Megaport => megaport::error(status, code),
    }
}

fn unidentified(listener: Listener, req: &Req) -> Call {
    Call {
        provider: provider_of(listener),
        operation: "unidentified".to_owned(),
        mutating: req.method != http::Method::GET,
        resource: None,
        principal: String::new(),
    }
}

fn log(state: &mut State, call: &Call, req: &Req, status: u16) {
    let secrets: Vec<String> = [
        arm::secrets(state),
        aws::secrets(state),
        megaport::secrets(state),
    ]
    .concat()
    .into_iter()
    .filter(|s| s.len() >= 6)
    .collect();
    let mask = |text: &str| {
        secrets
            .iter()
            .fold(text.to_owned(), |t, s| t.replace(s.as_str(), "***"))
    };
    let headers = req
        .headers
        .iter()
        .filter(|(k, _)| {
            !matches!(
                k.as_str(),
                "authorization" | "x-amz-security-token" | "cookie"
            )
        })
        .map(|(k, v)| (k.to_string(), mask(&String::from_utf8_lossy(v.as_bytes()))))
        .collect();
    let entry = LoggedCall {
        seq: state.calls.next_seq(),
        at: state.now,
        provider: call.provider,
        operation: call.operation.clone(),
        method: req.method.to_string(),
        path: req.path.clone(),
        status,
        mutating: call.mutating,
        principal: call.principal.clone(),
        query: mask(&req.raw_query),
        headers,
        body: mask(&String::from_utf8_lossy(&req.body)),
    };
    state.calls.entries.push(entry);
}
