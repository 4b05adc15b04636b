//! AWS client.
pub mod http;
