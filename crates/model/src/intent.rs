//! The one error type of the three clouds. It says what a caller should do about an answer ([`Intent`]) and whether the
//! request may have been carried out ([`Sent`]); mapping a provider's dialect to it is the business of one function per
//! provider (`azure::classify`, `aws::classify`, `megaport::classify`). Pure: no network, no clock.

pub use crate::provider::Provider;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// What to do about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "intent", rename_all_fields = "camelCase")]
pub enum Intent {
    /// The same request will be refused again: a person has to change the spec, a quota or the provider's side.
    Terminal,
    /// Something else has to happen first (an operation on the same object, a dependency that still exists or is not
    /// ready). Not a failure: look again, count nothing.
    Blocked {
        /// What is waited for, as a noun phrase ("another operation on the gateway").
        on: String,
        /// The provider's own wish, if it gave one.
        retry_after: Option<Duration>,
    },
    /// Throttling, an overloaded or unreachable provider, a timeout. Try again, later each time.
    Transient {
        /// The provider's own wish, if it gave one.
        retry_after: Option<Duration>,
    },
    /// What was read is out of date (ETag), or the name is taken: read again before deciding.
    Conflict,
    /// The credentials are wrong, expired or lack a right.
    Auth,
    /// The object does not exist (or is not visible yet).
    NotFound,
}

/// Whether the provider may have carried out the request that failed. Decides if a create that costs money may be sent
/// again (design §2.1): only after [`Sent::No`]; otherwise the object is looked for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sent {
    /// Surely not: it never left, or the provider refused it.
    No,
    /// Nobody can tell: a timeout, a broken connection, a 5xx, an answer that is not the provider's.
    Maybe,
    /// It was accepted, and failed or became unreadable afterwards.
    Yes,
}

/// The parts of a [`CloudError`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    pub provider: Provider,
    /// As the call log names it: `expressRouteCircuits.put`, `CreateVpnGateway`, `POST /v4/networkdesign/buy`.
    pub operation: String,
    /// The object concerned, as a person would look for it: `expressRouteCircuits/to-megaport`, `vgw-0a1b`.
    pub resource: String,
    pub intent: Intent,
    /// The provider's error code (`ConflictError`, `IncorrectState`), or the HTTP status where it has none.
    pub code: String,
    /// The provider's own words, without secrets and request IDs as far as we can tell.
    pub message: String,
    /// For support cases; shown in logs, never in conditions.
    pub request_id: Option<String>,
    pub sent: Sent,
}

/// A failed call to a cloud. Dereferences to its [`Failure`] (boxed: results stay small).
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct CloudError(Box<Failure>);

impl CloudError {
    /// An error that no request was sent for unless [`CloudError::sent`] says otherwise.
    pub fn new(
        provider: Provider,
        operation: impl Into<String>,
        resource: impl Into<String>,
        intent: Intent,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Failure {
            provider,
            operation: operation.into(),
            resource: resource.into(),
            intent,
            code: code.into(),
            message: message.into(),
            request_id: None,
            sent: Sent::No,
        }))
    }

    /// With what is known about the request having been carried out.
    pub fn sent(mut self, sent: Sent) -> Self {
        self.0.sent = sent;
        self
    }

    pub fn request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id;
        self
    }

    /// With another intent: where the caller knows more than the answer says.
    pub fn intent(mut self, intent: Intent) -> Self {
        self.0.intent = intent;
        self
    }

    pub fn is_not_found(&self) -> bool {
        self.0.intent == Intent::NotFound
    }

    pub fn is_auth(&self) -> bool {
        self.0.intent == Intent::Auth
    }

    pub fn is_conflict(&self) -> bool {
        self.0.intent == Intent::Conflict
    }

    pub fn is_blocked(&self) -> bool {
        matches!(self.0.intent, Intent::Blocked { .. })
    }

    pub fn is_transient(&self) -> bool {
        matches!(self.0.intent, Intent::Transient { .. })
    }

    pub fn is_terminal(&self) -> bool {
        self.0.intent == Intent::Terminal
    }

    /// Whether the request may have been carried out in spite of the error: then a paid create must look before it is
    /// repeated.
    pub fn may_have_happened(&self) -> bool {
        self.0.sent != Sent::No
    }

    /// The provider's wish for the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.intent {
            Intent::Transient { retry_after } | Intent::Blocked { retry_after, .. } => retry_after,
            _ => None,
        }
    }

    /// Real throttling: the whole client should slow down, not only this object.
    pub fn is_throttled(&self) -> bool {
        self.is_transient()
            && matches!(
                self.0.code.as_str(),
                "TooManyRequests"
                    | "SubscriptionRequestsThrottled"
                    | "RequestLimitExceeded"
                    | "Throttling"
                    | "ThrottlingException"
                    | "TooManyRequestsException"
                    | "EC2ThrottledException"
                    | "429"
            )
    }

    /// A quota of the account is used up (the `QuotaExceeded` reason of `Accepted`).
    pub fn is_quota(&self) -> bool {
        let code = self.0.code.as_str();
        self.is_terminal()
            && (code == "QuotaExceeded"
                || code == "LimitExceededException"
                || (code.ends_with("LimitExceeded") && code != "RequestLimitExceeded")
                || code.ends_with("CountLimitReached")
                || code.ends_with("QuotaExceeded"))
    }

    /// What a reader should do, as one sentence.
    pub fn remedy(&self) -> String {
        let f = &self.0;
        if self.is_quota() {
            return format!(
                "Ask {} to raise the quota, or remove what is not needed.",
                f.provider
            );
        }
        match &f.intent {
            Intent::Terminal => {
                "Causeway will not repeat this on its own at the usual pace: correct the spec or the provider's side."
                    .to_owned()
            }
            Intent::Blocked { on, .. } => format!("Nothing to do: Causeway waits for {on}."),
            Intent::Transient { .. } => "Nothing to do: Causeway tries again.".to_owned(),
            Intent::Conflict => {
                "Nothing to do if it was changed meanwhile (Causeway reads it again); if the name is taken, choose another or adopt it."
                    .to_owned()
            }
            Intent::Auth => format!(
                "Check the {} credentials and the rights they carry for {}.",
                f.provider, f.operation
            ),
            Intent::NotFound => "Check that it exists and that the credentials may see it.".to_owned(),
        }
    }
}

impl Deref for CloudError {
    type Target = Failure;
    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Debug for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names the object, what is wrong and what to do; no request ID, so that it may stand in a condition.
impl fmt::Display for CloudError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &self.0;
        write!(f, "{} {}", e.provider, e.operation)?;
        if !e.resource.is_empty() {
            write!(f, " for {}", e.resource)?;
        }
        f.write_str(" failed: ")?;
        if !e.code.is_empty() {
            write!(f, "{}: ", e.code)?;
        }
        let message = e.message.trim_end();
        f.write_str(message)?;
        if !message.ends_with(['.', '!', '?']) {
            f.write_str(".")?;
        }
        write!(f, " {}", self.remedy())
    }
}

impl std::error::Error for CloudError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(intent: Intent, code: &str) -> CloudError {
        CloudError::new(
            Provider::Azure,
            "expressRouteCircuits.put",
            "expressRouteCircuits/to-megaport",
            intent,
            code,
            "the circuit is busy",
        )
        .request_id(Some("7f3a".to_owned()))
    }

    #[test]
    fn display_names_the_object_the_fault_and_the_remedy_and_no_request_id() {
        let e = error(
            Intent::Blocked {
                on: "another operation on it".to_owned(),
                retry_after: None,
            },
            "AnotherOperationInProgress",
        );
        assert_eq!(
            e.to_string(),
            "Azure expressRouteCircuits.put for expressRouteCircuits/to-megaport failed: AnotherOperationInProgress: the circuit is busy. Nothing to do: Causeway waits for another operation on it."
        );
    }

    #[test]
    fn only_terminal_limits_are_quota() {
        assert!(error(Intent::Terminal, "VpnGatewayLimitExceeded").is_quota());
        let throttled = error(
            Intent::Transient { retry_after: None },
            "RequestLimitExceeded",
        );
        assert!(!throttled.is_quota());
        assert!(throttled.is_throttled());
    }

    #[test]
    fn only_a_request_that_surely_did_not_happen_may_be_repeated() {
        let e = error(Intent::Transient { retry_after: None }, "500");
        assert!(!e.may_have_happened());
        assert!(e.clone().sent(Sent::Maybe).may_have_happened());
        assert!(e.sent(Sent::Yes).may_have_happened());
    }
}
