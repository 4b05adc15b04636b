//! The transport of a process that acts only while it leads: requests that may change something pass a gate, and have an
//! end, so that a successor knows from when on nothing of its predecessor can still arrive. Reads pass unasked.
//!
//! It decides nothing about leadership; what is not known to only read is taken to change something.

use super::transport::{Transport, TransportError, TransportErrorKind};
use async_trait::async_trait;
use bytes::Bytes;
use causeway_aws::{Closed, Gate};
use causeway_model::intent::Sent;
use http::Method;
use std::sync::Arc;
use std::time::Duration;

/// How long a request that may change something can take from the gate to its answer, in wall time. Longer answers are
/// ambiguous outcomes, which are resolved by looking (design §2.1). The AWS SDK's attempts end sooner.
pub const CHANGE_DEADLINE: Duration = Duration::from_secs(30);

/// A gate on its way to where the first byte is written: what carries requests over sockets asks it there once more.
#[derive(Debug, Clone)]
pub struct AtSending(pub Arc<dyn Gate>);

/// Another transport behind a gate.
#[derive(Debug)]
pub struct Guarded {
    inner: Arc<dyn Transport>,
    gate: Arc<dyn Gate>,
}

impl Guarded {
    pub fn new(inner: Arc<dyn Transport>, gate: Arc<dyn Gate>) -> Self {
        Self { inner, gate }
    }
}

/// Whether a request may change something at a provider. Token requests and ARM's diagnostics are POSTs that do not.
fn may_change(req: &http::Request<Bytes>) -> bool {
    if matches!(*req.method(), Method::GET | Method::HEAD) {
        return false;
    }
    let path = req.uri().path();
    let last = path.rsplit('/').next().unwrap_or_default();
    // Entra, Megaport (`/oauth2/v2.0/token`, `/oauth2/token`), and what only tells (azure.md §8, megaport.md §6).
    let tells = *req.method() == Method::POST
        && (last == "token"
            || last == "validate"
            || last == "effectiveRouteTable"
            || path.contains("/pricebook/")
            || ["get", "list"].iter().any(|verb| last.starts_with(verb))
            || path.contains("/arpTables/")
            || path.contains("/routeTables/")
            || path.contains("/routeTablesSummary/"));
    !tells
}

#[async_trait]
impl Transport for Guarded {
    async fn send(
        &self,
        mut req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        if !may_change(&req) {
            return self.inner.send(req).await;
        }
        if !self.gate.is_open() {
            return Err(not_leading());
        }
        req.extensions_mut().insert(AtSending(self.gate.clone()));
        tokio::time::timeout(CHANGE_DEADLINE, self.inner.send(req))
            .await
            .unwrap_or_else(|_| {
                Err(TransportError::new(
                    TransportErrorKind::Timeout,
                    Sent::Maybe,
                    format!("no answer within {} s", CHANGE_DEADLINE.as_secs()),
                ))
            })
    }
}

/// Surely not sent, because this process does not lead.
pub(super) fn not_leading() -> TransportError {
    TransportError::new(TransportErrorKind::NotLeading, Sent::No, Closed.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize);

    #[async_trait]
    impl Transport for Counting {
        async fn send(
            &self,
            _: http::Request<Bytes>,
        ) -> Result<http::Response<Bytes>, TransportError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(http::Response::new(Bytes::new()))
        }
    }

    #[derive(Debug)]
    struct Switch(AtomicBool);

    impl Gate for Switch {
        fn is_open(&self) -> bool {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_closed_gate_stops_what_changes_and_nothing_else() {
        let inner = Arc::new(Counting::default());
        let gate = Arc::new(Switch(AtomicBool::new(false)));
        let guarded = Guarded::new(inner.clone(), gate.clone());
        let circuit = "https://arm/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/expressRouteCircuits/c";
        let cases = [
            ("GET", circuit.to_owned(), false),
            ("PUT", circuit.to_owned(), true),
            ("DELETE", circuit.to_owned(), true),
            ("PATCH", circuit.to_owned(), true),
            (
                "POST",
                format!("{circuit}/peerings/AzurePrivatePeering/routeTables/primary"),
                false,
            ),
            (
                "POST",
                "https://arm/x/virtualNetworkGateways/g/getBgpPeerStatus".to_owned(),
                false,
            ),
            (
                "POST",
                "https://arm/x/networkInterfaces/n/effectiveRouteTable".to_owned(),
                false,
            ),
            (
                "POST",
                "https://arm/x/virtualNetworkGateways/g/reset".to_owned(),
                true,
            ),
            (
                "POST",
                "https://login/t/oauth2/v2.0/token".to_owned(),
                false,
            ),
            (
                "POST",
                "https://auth-m2m/oauth2/token?grant_type=x".to_owned(),
                false,
            ),
            (
                "POST",
                "https://mp/v4/networkdesign/validate".to_owned(),
                false,
            ),
            ("POST", "https://mp/v4/networkdesign/buy".to_owned(), true),
            (
                "POST",
                "https://mp/v3/product/u/action/CANCEL_NOW".to_owned(),
                true,
            ),
        ];
        for (method, url, changes) in cases {
            let request = || {
                http::Request::builder()
                    .method(method)
                    .uri(&url)
                    .body(Bytes::new())
                    .unwrap()
            };
            let before = inner.0.load(Ordering::Relaxed);
            let closed = guarded.send(request()).await;
            assert_eq!(closed.is_err(), changes, "{method} {url}");
            if let Err(error) = closed {
                assert_eq!(
                    (error.kind, error.sent),
                    (TransportErrorKind::NotLeading, Sent::No)
                );
            }
            gate.0.store(true, Ordering::Relaxed);
            guarded.send(request()).await.unwrap();
            gate.0.store(false, Ordering::Relaxed);
            let sent = inner.0.load(Ordering::Relaxed) - before;
            assert_eq!(sent, if changes { 1 } else { 2 }, "{method} {url}");
        }
    }
}
