//! A gate that requests which change something pass at the last moment: asked when the first byte is about to be written,
//! after every wait for credentials, pools and connections. The operator's own transport uses it too.
//!
//! It decides nothing: whoever makes the gate knows when it is open.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Whether something may be changed at this very moment. Answers at once: no await, no network.
pub trait Gate: Send + Sync + fmt::Debug {
    fn is_open(&self) -> bool;
}

/// Why a request was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "this process does not lead any more, so it changes nothing: the new leader goes on with it"
)]
pub struct Closed;

/// A request body that asks the gate when it is first polled. HTTP clients poll it when the connection stands and the
/// request is next; a closed gate breaks the request off before the first byte of its body, so that no server can take it
/// for whole.
#[derive(Debug)]
pub struct GatedBody {
    bytes: Option<Bytes>,
    gate: Arc<dyn Gate>,
    refused: Refused,
}

/// Tells afterwards whether the gate was closed.
#[derive(Debug, Clone, Default)]
pub struct Refused(Arc<AtomicBool>);

impl Refused {
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl GatedBody {
    /// `bytes` behind `gate`, and what tells whether it was closed.
    pub fn new(bytes: Bytes, gate: Arc<dyn Gate>) -> (Self, Refused) {
        let refused = Refused::default();
        let body = Self {
            bytes: Some(bytes),
            gate,
            refused: refused.clone(),
        };
        (body, refused)
    }
}

impl Body for GatedBody {
    type Data = Bytes;
    type Error = Closed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Closed>>> {
        let Some(bytes) = self.bytes.take() else {
            return Poll::Ready(None);
        };
        if !self.gate.is_open() {
            self.refused.0.store(true, Ordering::Release);
            return Poll::Ready(Some(Err(Closed)));
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |b| b.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed assumption is a failed test

    use super::*;
    use std::task::Waker;

    #[derive(Debug)]
    struct Switch(AtomicBool);

    impl Gate for Switch {
        fn is_open(&self) -> bool {
            self.0.load(Ordering::Acquire)
        }
    }

    #[test]
    fn the_gate_is_asked_when_the_body_is_sent_and_not_when_it_is_made() {
        let gate = Arc::new(Switch(AtomicBool::new(true)));
        let (mut body, refused) = GatedBody::new(Bytes::from_static(b"buy"), gate.clone());
        assert_eq!(body.size_hint().exact(), Some(3));
        gate.0.store(false, Ordering::Release);
        let mut context = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut body).poll_frame(&mut context);
        assert!(
            matches!(polled, Poll::Ready(Some(Err(Closed)))),
            "{polled:?}"
        );
        assert!(refused.is_set());
    }

    #[test]
    fn an_open_gate_lets_everything_pass_once() {
        let gate = Arc::new(Switch(AtomicBool::new(true)));
        let (mut body, refused) = GatedBody::new(Bytes::from_static(b"buy"), gate);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) else {
            unreachable!("the gate is open");
        };
        assert_eq!(frame.into_data().unwrap(), Bytes::from_static(b"buy"));
        assert!(matches!(
            Pin::new(&mut body).poll_frame(&mut context),
            Poll::Ready(None)
        ));
        assert!(!refused.is_set());
    }
}
