//! The AWS client: EC2, Direct Connect and STS behind narrow traits in domain types. Nothing else in the workspace names
//! the SDK, because its EC2 crate takes minutes and gigabytes to compile (aws.md §7).
//!
//! It translates and classifies. It keeps no state, waits for nothing, retries reads once and writes never: EC2 and
//! Direct Connect have no client tokens, so that a repeated create is a second object (aws.md §10.4).

pub mod api;
pub mod classify;
pub mod gate;
pub mod http;
mod sdk;
pub mod types;

pub use api::{AwsApi, DirectConnectApi, Ec2Api};
pub use classify::{Answer, Service, classify};
pub use gate::{Closed, Gate, GatedBody, Refused};
pub use http::{AwsHttp, ExchangeError, HttpExchange};
pub use sdk::{AwsCredentials, AwsSettings, SdkAws};
pub use types::*;
