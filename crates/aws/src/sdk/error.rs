//! From the SDK's errors to ours: who failed, and whether the request may have been carried out.

use crate::classify::{Answer, Service, classify};
use crate::http::ExchangeError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use std::error::Error;
use std::time::Duration;

/// Maps whatever the SDK reports.
pub(super) fn failed<E>(
    service: Service,
    operation: &str,
    resource: &str,
    e: &SdkError<E, HttpResponse>,
) -> CloudError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let transient = |code: &str, message: String, sent: Sent| {
        CloudError::new(
            Provider::Aws,
            operation,
            resource,
            Intent::Transient { retry_after: None },
            code,
            message,
        )
        .sent(sent)
    };
    match e {
        SdkError::ServiceError(s) => {
            let raw = s.raw();
            let meta = s.err().meta();
            // The SDK also calls an accepted request's unreadable answer a service error.
            if raw.status().is_success() {
                return transient(
                    "UnreadableAnswer",
                    "the answer cannot be understood".to_owned(),
                    Sent::Yes,
                );
            }
            classify(
                service,
                operation,
                resource,
                Answer {
                    status: raw.status().as_u16(),
                    code: meta.code(),
                    message: meta.message(),
                    request_id: meta.extra("aws_request_id"),
                    retry_after: retry_after(raw),
                },
            )
        }
        SdkError::ResponseError(r) => {
            let status = r.raw().status().as_u16();
            let sent = if (200..300).contains(&status) {
                Sent::Yes
            } else {
                Sent::Maybe
            };
            transient(
                "UnreadableAnswer",
                format!("the answer with status {status} cannot be understood"),
                sent,
            )
        }
        SdkError::TimeoutError(_) => {
            transient("Timeout", "no answer in time".to_owned(), Sent::Maybe)
        }
        SdkError::DispatchFailure(d) => {
            let text = chain(e);
            if credentials(&text) {
                return no_credentials(operation, &text);
            }
            let sent = exchange(e).map_or_else(
                // hyper's own words for a failure before anything was sent.
                || {
                    if text.contains("(Connect)") || text.contains("connect timeout") {
                        Sent::No
                    } else {
                        Sent::Maybe
                    }
                },
                |x| x.sent,
            );
            let code = match (sent, d.is_timeout()) {
                (Sent::No, _) => "Unreachable",
                (_, true) => "Timeout",
                (Sent::Yes, _) => "UnreadableAnswer",
                _ => "ConnectionBroken",
            };
            let untrusted =
                text.contains("UnknownIssuer") || text.contains("invalid peer certificate");
            let hint = if untrusted {
                "; if a proxy or private endpoint has a CA of its own, name its PEM file in --extra-ca-file"
            } else {
                ""
            };
            transient(code, format!("{text}{hint}"), sent)
        }
        other => {
            let text = chain(other);
            if credentials(&text) {
                return no_credentials(operation, &text);
            }
            // The request was never built: a defect of the input.
            CloudError::new(
                Provider::Aws,
                operation,
                resource,
                Intent::Terminal,
                "InvalidRequest",
                text,
            )
        }
    }
}

/// An answer that lacks what the model promises.
pub(super) fn incomplete(operation: &str, resource: &str, what: &str) -> CloudError {
    CloudError::new(
        Provider::Aws,
        operation,
        resource,
        Intent::Transient { retry_after: None },
        "UnreadableAnswer",
        format!("the answer has no {what}"),
    )
    .sent(Sent::Yes)
}

fn credentials(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("credential") || text.contains("identity resolver")
}

fn no_credentials(operation: &str, text: &str) -> CloudError {
    CloudError::new(
        Provider::Aws,
        operation,
        "the operator's AWS identity",
        Intent::Auth,
        "NoCredentials",
        text,
    )
}

fn exchange<'a>(e: &'a (dyn Error + 'static)) -> Option<&'a ExchangeError> {
    let mut at: Option<&'a (dyn Error + 'static)> = Some(e);
    while let Some(err) = at {
        if let Some(x) = err.downcast_ref::<ExchangeError>() {
            return Some(x);
        }
        at = err.source();
    }
    None
}

/// An error and its causes in one line.
fn chain(e: &dyn Error) -> String {
    let mut out = e.to_string();
    let mut source = e.source();
    while let Some(s) = source {
        let text = s.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        source = s.source();
    }
    out
}

fn retry_after(raw: &HttpResponse) -> Option<Duration> {
    raw.headers()
        .get("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}
