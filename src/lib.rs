//! The operator: everything async. Controllers gather and act; what is decided is decided in `causeway-model`.

pub mod admin;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod controllers;
pub mod health;
pub mod inventory;
pub mod leader;
pub mod start;
pub mod telemetry;
pub mod vantages;
