//! The whole state of the simulated clouds, as plain data.

use crate::calls::CallLog;
use crate::faults::Faults;
use crate::ledger::Ledger;
use crate::ops::Ops;
use crate::rng::Rng;
use crate::stale::{self, History};
use crate::throttle::Throttle;
use crate::time::SimTime;
use crate::world::World;
use crate::{arm, aws, megaport, net};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Something that will happen at a known simulated time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "source", content = "event", rename_all = "lowercase")]
pub enum Event {
    Arm(arm::Event),
    Aws(aws::Event),
    Megaport(megaport::Event),
    Net(net::Event),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct State {
    /// Simulated time up to which everything due has been processed.
    pub now: SimTime,
    pub started_at: SimTime,
    pub world: World,
    pub rng: Rng,
    /// Due events in order of (time, insertion).
    #[serde(with = "crate::state::queue")]
    queue: BTreeMap<(SimTime, u64), Event>,
    next_event: u64,
    pub calls: CallLog,
    pub ledger: Ledger,
    pub ops: Ops,
    pub faults: Faults,
    pub throttle: Throttle,
    /// What stale reads see.
    pub stale: History,
    /// The world's own objects as they were at the start, by provider and ID: for `GET /diff`.
    pub initial: BTreeMap<String, Value>,
    pub azure: arm::AzureState,
    pub aws: aws::AwsState,
    pub megaport: megaport::MegaportState,
    pub net: net::NetState,
}

impl State {
    pub fn new(world: World, seed: u64, now: SimTime) -> Self {
        let mut rng = Rng::new(seed);
        let azure = arm::AzureState::new(&world, &mut rng, now);
        let aws = aws::AwsState::new(&world, &mut rng, now);
        let megaport = megaport::MegaportState::new(&world, &mut rng, now);
        let net = net::NetState::new(&world, now);
        let mut state = Self {
            now,
            started_at: now,
            world,
            rng,
            queue: BTreeMap::new(),
            next_event: 0,
            calls: CallLog::default(),
            ledger: Ledger::default(),
            ops: Ops::default(),
            faults: Faults::default(),
            throttle: Throttle::default(),
            stale: History::default(),
            initial: BTreeMap::new(),
            azure,
            aws,
            megaport,
            net,
        };
        state.initial = state.world_objects();
        net::refresh(&mut state);
        state
    }

    /// The world's own objects as they are now, by `provider:ID`.
    pub fn world_objects(&self) -> BTreeMap<String, Value> {
        let of = |provider: &'static str, objects: BTreeMap<String, Value>| {
            objects
                .into_iter()
                .map(move |(id, v)| (format!("{provider}:{id}"), v))
        };
        of("azure", arm::world_objects(self))
            .chain(of("aws", aws::world_objects(self)))
            .chain(of("megaport", megaport::world_objects(self)))
            .collect()
    }

    /// Schedules `event`; one that is already due happens before the next request is handled.
    pub fn schedule(&mut self, at: SimTime, event: Event) {
        self.queue.insert((at, self.next_event), event);
        self.next_event += 1;
    }

    /// When the next event is due.
    pub fn next_due(&self) -> Option<SimTime> {
        self.queue.keys().next().map(|(at, _)| *at)
    }

    /// When the network will change by itself next, as far as it is known now: a timer that runs out, a message that is
    /// on its way, a table that is being programmed. `None`: it has converged. The rekeys of healthy tunnels, and what the
    /// providers' own operations will change, do not count.
    pub fn next_network_change(&self) -> Option<SimTime> {
        self.queue
            .iter()
            .find(|((at, _), e)| matches!(e, Event::Net(e) if net::is_due(self, *at, e)))
            .map(|((at, _), _)| *at)
    }

    /// Processes everything due up to `now`, in order, with `self.now` at each event's own time.
    pub fn advance_to(&mut self, now: SimTime) {
        while let Some((&key, _)) = self.queue.first_key_value() {
            if key.0 > now {
                break;
            }
            if let Some(event) = self.queue.remove(&key) {
                self.now = self.now.max(key.0);
                stale::remember(self);
                match event {
                    Event::Arm(e) => arm::on_event(self, e),
                    Event::Aws(e) => aws::on_event(self, e),
                    Event::Megaport(e) => megaport::on_event(self, e),
                    Event::Net(e) => net::on_event(self, e),
                }
                net::refresh(self);
            }
        }
        self.now = self.now.max(now);
    }

    /// The duration of a named cloud operation in seconds: the world's override or `default_secs`, with the world's
    /// jitter (a fraction; 0 makes durations exact).
    pub fn duration(&mut self, name: &str, default_secs: f64) -> f64 {
        let base = self
            .world
            .durations
            .get(name)
            .copied()
            .unwrap_or(default_secs);
        let jitter = self.world.jitter;
        if jitter > 0.0 {
            base * self.rng.between(1.0 - jitter, 1.0 + jitter)
        } else {
            base
        }
    }

    /// How long reads of `name` (`megaport`, `ec2`, `directconnect`, `arm`) may lag behind this write, in seconds:
    /// drawn afresh, uniform between 0 and the world's bound.
    pub fn read_lag(&mut self, name: &str) -> f64 {
        let bound = self.world.lags.get(name).copied().unwrap_or(0.0);
        self.rng.between(0.0, bound.max(f64::MIN_POSITIVE))
    }
}

/// JSON has no maps with tuple keys: the queue is written as a list.
mod queue {
    use super::{Event, SimTime};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub fn serialize<S: Serializer>(
        q: &BTreeMap<(SimTime, u64), Event>,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        q.iter()
            .map(|((at, n), e)| (at, n, e))
            .collect::<Vec<_>>()
            .serialize(s)
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(
        d: D,
    ) -> Result<BTreeMap<(SimTime, u64), Event>, D::Error> {
        Ok(Vec::<(SimTime, u64, Event)>::deserialize(d)?
            .into_iter()
            .map(|(at, n, e)| ((at, n), e))
            .collect())
    }
}
