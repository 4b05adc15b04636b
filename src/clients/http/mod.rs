//! The one seam through which requests leave the process, and the adapters that put azure_identity and the AWS SDK on it.

mod adapters;
mod endpoints;
mod guarded;
#[cfg(test)]
pub mod scripted;
mod transport;

pub use adapters::{AwsExchange, AzureHttp};
pub use endpoints::Endpoints;
pub use guarded::{AtSending, CHANGE_DEADLINE, Guarded};
pub use transport::{ReqwestTransport, Transport, TransportError, TransportErrorKind};
