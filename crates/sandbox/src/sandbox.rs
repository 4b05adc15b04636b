//! The sandbox as a library: one lock around the state, a clock, and the path of every request (identify, faults,
//! carry out, log). Handlers are synchronous; only delays sleep, and they do so outside the lock.

use crate::calls;
use crate::faults::{Effect, Fault};
use crate::stale;
use crate::state::State;
use crate::throttle::{self, Passed};
use crate::time::{Clock, SimTime};
use crate::wire::{Call, Listener, Provider, Req, Res};
use crate::world::World;
use crate::{arm, aws, megaport, net};
use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
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

/// How long a call may be held, in seconds of the tokio clock; then its connection breaks, as a proxy's would.
pub const LONGEST_HOLD: Duration = Duration::from_mins(10);

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
    /// Woken when the clock is set, for calls that are delayed.
    clock_changed: Notify,
    /// Counts what must be on disk before its answer goes out.
    changes: AtomicU64,
}

#[derive(Debug)]
struct Cell {
    state: State,
    clock: Clock,
}

/// How far a request got in one go.
enum Step {
    /// The outcome, and whether it was a plain read: of those nothing must be on disk before its answer goes out.
    Done(Outcome, bool),
    /// Faults are active: the call takes the long way.
    Faults(Call, Passed),
}

impl Sandbox {
    pub fn new(settings: Settings) -> Self {
        let state = State::new(settings.world, settings.seed, settings.start);
        Self::from_state(state, settings.speed)
    }

    /// Continues from a state (a snapshot or what was saved).
    pub fn from_state(state: State, speed: f64) -> Self {
        let clock = Clock::new(state.now, speed);
        Self::from_parts(state, clock)
    }

    /// Continues from a state with a clock of its own.
    pub fn from_parts(state: State, clock: Clock) -> Self {
        let inner = Inner {
            cell: Mutex::new(Cell { state, clock }),
            faults_changed: Notify::new(),
            clock_changed: Notify::new(),
            changes: AtomicU64::new(0),
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
        self.step(|state| {
            let out = f(state);
            net::refresh(state);
            out
        })
    }

    /// Looks at the state with everything due processed. Cheaper than [`Sandbox::with`], which lets the network look
    /// for changes.
    pub fn read<T>(&self, f: impl FnOnce(&State) -> T) -> T {
        self.step(|state| f(state))
    }

    /// Like [`Sandbox::with`], for an `f` that tells the network itself when it may have changed something.
    fn step<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let mut cell = self.cell();
        let now = cell.clock.now();
        cell.state.advance_to(now);
        f(&mut cell.state)
    }

    /// Like [`Sandbox::with`], for something that must be on disk before it is answered.
    pub fn change<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        let out = self.with(|s| {
            stale::remember(s);
            f(s)
        });
        self.changed();
        out
    }

    /// Runs `f` on the state and the clock as they stand, for saving them.
    pub fn raw<T>(&self, f: impl FnOnce(&mut State, &Clock) -> T) -> T {
        let mut cell = self.cell();
        let Cell { state, clock } = &mut *cell;
        f(state, clock)
    }

    /// A copy of the state as it is now.
    pub fn snapshot(&self) -> State {
        self.read(State::clone)
    }

    /// Reads or sets the clock; delayed calls look at it again. What became due happens with the next look at the
    /// state.
    pub fn clock<T>(&self, f: impl FnOnce(&mut Clock) -> T) -> T {
        let out = f(&mut self.cell().clock);
        self.inner.clock_changed.notify_waiters();
        out
    }

    /// Simulated time now.
    pub fn now(&self) -> SimTime {
        self.cell().clock.now()
    }

    /// How many changes there were that must be on disk before they are answered.
    pub fn changes(&self) -> u64 {
        self.inner.changes.load(Ordering::Acquire)
    }

    fn changed(&self) {
        self.inner.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Adds a fault; answers its ID.
    pub fn add_fault(&self, fault: Fault) -> String {
        self.change(|s| {
            let id = s.faults.add(fault);
            stale::remember(s);
            id
        })
    }

    /// Removes a fault and lets held calls go; false when there is none with this ID.
    pub fn remove_fault(&self, id: &str) -> bool {
        let removed = self.change(|s| s.faults.remove(id));
        self.inner.faults_changed.notify_waiters();
        removed
    }

    /// Handles one request to a provider's listener.
    pub async fn call(&self, listener: Listener, req: Req) -> Outcome {
        match self.step(|s| admit(s, listener, &req)) {
            Step::Done(outcome, plain_read) => {
                if !plain_read {
                    self.changed();
                }
                outcome
            }
            Step::Faults(call, passed) => {
                let applied = |s: &State| s.faults.active.iter().map(|a| a.applied).sum::<u64>();
                let before = self.read(applied);
                let outcome = self.call_with_faults(listener, &req, &call, &passed).await;
                // That a fault was used up must not be forgotten, also after a plain read.
                if !plain_read(listener, &call, &req) || self.read(applied) != before {
                    self.changed();
                }
                outcome
            }
        }
    }

    async fn call_with_faults(
        &self,
        listener: Listener,
        req: &Req,
        call: &Call,
        passed: &Passed,
    ) -> Outcome {
        let take = |effects: &[Effect]| {
            self.step(|s| {
                let State { faults, rng, .. } = s;
                faults.take(rng, call, effects)
            })
        };
        while let Some(hold) = take(&[Effect::Hold]) {
            if tokio::time::timeout(LONGEST_HOLD, self.released(&hold.id))
                .await
                .is_err()
            {
                self.step(|s| calls::log(s, call, req, 0));
                return Outcome::Broken;
            }
        }
        if let Some(delay) = take(&[Effect::Delay]) {
            self.sleep(delay.fault.seconds.unwrap_or(1.0)).await;
        }
        if let Some(hit) = take(&[Effect::Status, Effect::LoseRequest]) {
            if hit.fault.effect == Effect::LoseRequest {
                self.step(|s| calls::log(s, call, req, 0));
                return Outcome::Broken;
            }
            let status = hit.fault.status.unwrap_or(500);
            let code = hit.fault.code.as_deref().unwrap_or("InternalServerError");
            let mut res = fault_answer(call.provider, call, status, code);
            if let Some(seconds) = hit.fault.seconds {
                res = res.with("retry-after", &format!("{}", seconds.ceil() as u64));
            }
            self.step(|s| calls::log(s, call, req, status));
            return Outcome::Answer(res);
        }
        let (mut res, after) = self.step(|s| {
            let res = carry_out(s, listener, call, req, passed);
            let State { faults, rng, .. } = s;
            let effects = [Effect::LoseResponse, Effect::Truncate, Effect::Garbage];
            (res, faults.take(rng, call, &effects))
        });
        match after.map(|a| a.fault.effect) {
            Some(Effect::LoseResponse) => return Outcome::Broken,
            Some(Effect::Truncate) => res.body = res.body.slice(..res.body.len() / 2),
            Some(Effect::Garbage) => {
                res.body = Bytes::from_static(b"<html>upstream connect error</html>");
            }
            _ => {}
        }
        Outcome::Answer(res)
    }

    /// Waits until the fault with this ID is gone.
    async fn released(&self, id: &str) {
        loop {
            let woken = self.inner.faults_changed.notified();
            let there = self.step(|s| s.faults.active.iter().any(|a| a.id == id));
            if !there {
                return;
            }
            woken.await;
        }
    }

    /// Waits until simulated time has passed, however the clock gets there.
    async fn sleep(&self, seconds: f64) {
        let until = self.now().plus_secs(seconds);
        loop {
            let woken = self.inner.clock_changed.notified();
            let (now, real) = self.raw(|_, c| {
                let left = Duration::from_secs_f64(until.secs_since(c.now()).max(0.0));
                (c.now(), c.real(left))
            });
            if now >= until {
                return;
            }
            match real {
                // Waking a little early would spin: a millisecond is the clock's grain.
                Some(real) => {
                    tokio::select! {
                        () = woken => {}
                        () = tokio::time::sleep(real.max(Duration::from_millis(1))) => {}
                    }
                }
                None => woken.await,
            }
        }
    }
}

/// Identifies, throttles and, when no fault is active, carries out a request.
fn admit(state: &mut State, listener: Listener, req: &Req) -> Step {
    let call = match identify(state, listener, req) {
        Ok(call) => call,
        Err(res) => {
            let call = unidentified(listener, req);
            calls::log(state, &call, req, res.status.as_u16());
            return Step::Done(Outcome::Answer(*res), true);
        }
    };
    let State {
        throttle,
        world,
        now,
        ..
    } = state;
    let passed = match throttle::admit(throttle, world, *now, listener, &call, req) {
        Ok(passed) => passed,
        Err(res) => {
            calls::log(state, &call, req, res.status.as_u16());
            return Step::Done(Outcome::Answer(*res), true);
        }
    };
    if state.faults.active.is_empty() {
        let res = carry_out(state, listener, &call, req, &passed);
        Step::Done(Outcome::Answer(res), plain_read(listener, &call, req))
    } else {
        Step::Faults(call, passed)
    }
}

/// Whether a call only reads: it changes neither the clouds nor what their network is made of. Not so: what makes tokens
/// or starts long-running work, such as a diagnostic query (a POST on ARM).
fn plain_read(listener: Listener, call: &Call, req: &Req) -> bool {
    match listener {
        Listener::Azure => req.method == Method::GET,
        // A diagnostic query of an MCR is a GET that starts work.
        Listener::Megaport => {
            req.method == Method::GET && !call.operation.contains("/diagnostics/")
        }
        Listener::Aws => !call.mutating,
        Listener::AzureAuthority | Listener::MegaportAuth | Listener::Control => false,
    }
}

/// Lets the provider handle a request, on the past where a fault says so, and logs it.
fn carry_out(
    state: &mut State,
    listener: Listener,
    call: &Call,
    req: &Req,
    passed: &Passed,
) -> Res {
    let stale = if state.faults.active.is_empty() || !stale::applies(listener, call, req) {
        None
    } else {
        let State { faults, rng, .. } = state;
        faults.take(rng, call, &[Effect::StaleRead])
    };
    let res = match stale {
        Some(a) => {
            let age = a.fault.seconds.unwrap_or(stale::DEFAULT_AGE);
            stale::read(state, age, |old| handle(old, listener, call, req))
        }
        None => {
            if plain_read(listener, call, req) {
                handle(state, listener, call, req)
            } else {
                stale::remember(state);
                let res = handle(state, listener, call, req);
                net::refresh(state);
                res
            }
        }
    };
    calls::log(state, call, req, res.status.as_u16());
    passed.mark(res)
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
