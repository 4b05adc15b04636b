//! Placeholder.
pub mod clients;
