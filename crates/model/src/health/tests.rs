//! The lab normal and failed over, with its own tables; every vantage unreadable in turn; each reason once; steadiness.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

mod contract;
mod lab;
mod mesh;
mod sessions;
mod steady;
mod unreadable;
mod words;
mod worlds;
