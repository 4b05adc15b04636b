//! Storms: for some minutes everything fails at random, in the clouds, at the API server and on its watches, and the operator
//! may crash; then the weather is fine again, and the life must end as it does without a storm.
//!
//! May inject faults. Reads are stale within what the operator allows for (design §2.1), as the providers' are.

use super::super::apiserver::{Delivery, Verdict as Fate};
use super::super::case::simulate;
use super::super::rig::{OPERATOR, Rig};
use super::end;
use super::run::{self, Reference, Verdict};
use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::rng::Rng;
use causeway_sandbox::wire::Provider;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How old what is read may be, in seconds: half of what the operator waits for.
pub const STALE: [(Provider, f64); 3] = [
    (Provider::Azure, 30.0),
    (Provider::Aws, 60.0),
    (Provider::Megaport, 150.0),
];

fn one_of<T: Copy>(rng: &mut Rng, of: &[T], or: T) -> T {
    let at = usize::try_from(rng.below(of.len() as u64)).unwrap_or_default();
    of.get(at).copied().unwrap_or(or)
}

/// One way in which a provider fails for a while.
fn fault(rng: &mut Rng) -> Fault {
    let (provider, stale) = one_of(rng, &STALE, STALE[0]);
    let effect = one_of(
        rng,
        &[
            Effect::Status,
            Effect::Status,
            Effect::Delay,
            Effect::LoseRequest,
            Effect::LoseResponse,
            Effect::LoseResponse,
            Effect::Truncate,
            Effect::Garbage,
            Effect::StaleRead,
            Effect::LroVanishes,
            Effect::ProviderStateLag,
        ],
        Effect::Status,
    );
    let mutating = one_of(rng, &[None, Some(true), Some(true), Some(false)], None);
    let (mut status, mut code, mut seconds) = (None, None, None);
    match effect {
        Effect::Status => {
            let (s, c) = one_of(
                rng,
                &[
                    (429, "TooManyRequests"),
                    (500, "InternalServerError"),
                    (503, "ServiceUnavailable"),
                ],
                (500, "InternalServerError"),
            );
            status = Some(s);
            code = Some(c.to_owned());
            seconds = (s == 429).then(|| rng.between(1.0, 20.0));
        }
        Effect::Delay => seconds = Some(rng.between(1.0, 90.0)),
        Effect::StaleRead => seconds = Some(rng.between(1.0, stale)),
        Effect::ProviderStateLag => seconds = Some(rng.between(10.0, 600.0)),
        _ => {}
    }
    Fault {
        matches: Match {
            provider: Some(provider),
            mutating: mutating.filter(|_| effect != Effect::StaleRead),
            probability: Some(rng.between(0.03, 0.4)),
            ..Match::default()
        },
        effect,
        status,
        code,
        seconds,
        times: None,
    }
}

/// How bad the way to the API server is, in shares of all requests and events.
#[derive(Clone, Copy)]
struct Weather {
    lost: f64,
    refused: f64,
    stale: f64,
    events: f64,
}

impl Weather {
    fn new(rng: &mut Rng) -> Self {
        let share = |rng: &mut Rng, most: f64| {
            if rng.below(3) == 0 {
                0.0
            } else {
                rng.between(0.0, most)
            }
        };
        Self {
            lost: share(rng, 0.15),
            refused: share(rng, 0.15),
            stale: share(rng, 0.3),
            events: share(rng, 0.2),
        }
    }

    fn begin(self, rig: &Rig, rng: &mut Rng) {
        let dice = |seed| Arc::new(Mutex::new(Rng::new(seed)));
        let (asks, events) = (dice(rng.next_u64()), dice(rng.next_u64()));
        rig.api.on_request(move |r| {
            if r.client != OPERATOR {
                return Fate::Continue;
            }
            let mut dice = asks.lock().unwrap_or_else(PoisonError::into_inner);
            let throw = dice.unit();
            if throw < self.lost / 2.0 {
                Fate::LoseRequest
            } else if throw < self.lost {
                Fate::LoseResponse
            } else if throw < self.lost + self.refused {
                // Only writes conflict; the throw is the same, so that other seeds stay what they were.
                match one_of(&mut dice, &[429, 500, 503, 409], 500) {
                    409 if !r.mutating() => Fate::Fail(500),
                    code => Fate::Fail(code),
                }
            } else if r.verb == "list" && dice.unit() < self.stale {
                Fate::Stale(dice.below(20))
            } else {
                Fate::Continue
            }
        });
        rig.api.on_event(move |e| {
            let mut dice = events.lock().unwrap_or_else(PoisonError::into_inner);
            if e.client != OPERATOR || dice.unit() >= self.events {
                return Delivery::Send;
            }
            match dice.below(4) {
                0 => Delivery::Drop,
                1 => Delivery::Twice,
                2 => Delivery::Late(Duration::from_secs_f64(dice.between(0.1, 60.0))),
                _ => Delivery::Cut,
            }
        });
    }

    fn end(rig: &Rig) {
        rig.api.on_request(|_| Fate::Continue);
        rig.api.on_event(|_| Delivery::Send);
        for fault in rig.sandbox.faults() {
            rig.sandbox.remove_fault(&fault.id);
        }
    }
}

/// A life through a storm.
pub fn storm(reference: &Reference, seed: u64) -> Verdict {
    let mut rng = Rng::new(seed);
    let faults: Vec<Fault> = (0..=rng.below(6)).map(|_| fault(&mut rng)).collect();
    let weather = Weather::new(&mut rng);
    let crashes = usize::try_from(rng.below(3)).unwrap_or_default();
    run::guarded(|| {
        let mut snapshot = reference.start.clone();
        for crash in 0..crashes {
            let after = Duration::from_secs_f64(rng.between(0.0, 400.0));
            let down = Duration::from_secs_f64(rng.between(0.0, 60.0));
            snapshot = simulate(async || {
                let mut rig = Rig::from_snapshot(&snapshot);
                if crash == 0 {
                    begin(&rig, &faults);
                }
                weather.begin(&rig, &mut rng);
                rig.pass(down).await;
                rig.start_operator();
                rig.pass(after).await;
                rig.camera().take()
            });
        }
        let lasts = Duration::from_secs_f64(rng.between(30.0, 900.0));
        simulate(async || {
            let mut rig = Rig::from_snapshot(&snapshot);
            if crashes == 0 {
                begin(&rig, &faults);
            }
            weather.begin(&rig, &mut rng);
            rig.start_operator();
            rig.pass(lasts).await;
            Weather::end(&rig);
            let mut verdict = Verdict {
                crashes,
                ..Verdict::default()
            };
            match run::arrive(&rig, &reference.said, &reference.stands).await {
                Ok(took) => verdict.took = took,
                Err(wrong) => verdict.wrong = wrong,
            }
            verdict.wrong.extend(end::bought_twice(&rig));
            if reference.phase == super::Phase::Delete {
                verdict.wrong.extend(run::remains(&rig));
            }
            if !verdict.wrong.is_empty() {
                verdict.wrong.push(format!("the storm: {faults:?}"));
            }
            verdict
        })
    })
}

fn begin(rig: &Rig, faults: &[Fault]) {
    for fault in faults {
        let posted = rig.sandbox.post_fault(fault.clone());
        posted.unwrap_or_else(|e| panic!("{fault:?}: {e}"));
    }
}
