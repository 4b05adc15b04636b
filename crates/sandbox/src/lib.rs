//! The three clouds of a hybrid path simulated at the HTTP level: Azure Resource Manager, AWS (EC2, Direct Connect,
//! STS) and Megaport, with the BGP speakers between them.
//!
//! Built as a lazy discrete-event simulation: [`state::State`] is plain data (`Clone + Serialize`), everything that will
//! happen is an [`state::Event`] with a due time, and every request first processes what is due. So there are no
//! background tasks to race with, a paused tokio clock drives it as well as wall time does, and a snapshot is a clone.
//!
//! This crate imitates the providers, not Causeway's clients: it depends on none of the project's other crates.

pub mod arm;
pub mod aws;
pub mod calls;
pub mod control;
pub mod critical;
pub mod describe;
pub mod faults;
pub mod ledger;
pub mod mask;
pub mod megaport;
pub mod net;
pub mod ops;
pub mod persist;
pub mod rng;
pub mod sandbox;
pub mod serve;
pub mod stale;
pub mod state;
pub mod throttle;
pub mod time;
pub mod tls;
pub mod wire;
pub mod world;

pub use sandbox::{Sandbox, Settings};
pub use state::State;
pub use time::SimTime;
pub use world::World;
