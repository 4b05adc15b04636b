//! The deterministic harness (design §7.4): operator, clouds and a small API stand-in in one process, by one clock that is
//! paused. Simulated time passes only when nobody has anything to do, so that an hour of the clouds takes as long as the
//! work in it, and a snapshot is a value.
//!
//! For tests, sweeps and soaks; nothing here is shipped. What an API server does is decided by the real one (design §6).
//! May start nothing outside of this process and touch neither network nor files but the cases' own.
//!
//! Seeded are the clouds: durations, lags, identifiers, faults. Not fixed is the order in which reconciles that are due in
//! the same moment take their turns: kube's queues are hash tables with keys of their own. A case that depends on it is
//! a race of the operator, and worth finding; run it again with the same seed.

pub mod apiserver;
pub mod case;
pub mod crash;
pub mod elected;
pub mod human;
mod pace;
pub mod rig;
pub mod sweep;
mod threads;
pub mod truth;
mod watch;
pub mod wire;
pub mod worlds;

pub use case::{Case, Snapshot, built, ready_lab, simulate};
pub use elected::Elected;
pub use human::{Human, router_order};
pub use rig::{OPERATOR, Rig};
pub use threads::{deadline, on_threads};
