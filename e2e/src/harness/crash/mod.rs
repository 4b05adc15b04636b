//! Crashes: the operator dies at any moment of creating, changing or deleting something, and a new one with an empty
//! memory goes on with what the clouds and the API server have. In the end all must be as if nothing had happened.
//!
//! - `seam`: the two places that every write of the operator passes, where its moments are counted and photographed.
//! - `scene`: what is created, changed and deleted, of each kind.
//! - `end`: how it ended, in lines that two runs can be compared by; and what may never be.
//! - `run`: the reference run, one case, one pair of crashes.
//! - `storm`: faults of everything at random, crashes among them.
//! - `crew`: all of it on two threads, and the words for it.
//!
//! A crash needs no kill: a snapshot of clouds and API server at the moment is all that a dead operator leaves behind,
//! since it keeps nothing on disk. So one reference run supplies every crash of a life, and a case begins at its own.
//!
//! For tests, hence the panics.
#![allow(clippy::panic)]

pub mod crew;
mod end;
mod run;
mod scene;
mod seam;
mod storm;

pub use run::{Case, Reference, Verdict, crash, pair, reference};
pub use scene::{Kind, Phase};
pub use seam::{Moment, Point, Wire};
pub use storm::{STALE, storm};
