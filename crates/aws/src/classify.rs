//! What an answer of AWS means. EC2 has no modelled errors, only code strings (aws.md §2.1); Direct Connect has a
//! catch-all whose reason is in the message, and a "server exception" that comes with a 400 and is retryable (§1.1).

use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use std::time::Duration;

/// Which service answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Ec2,
    DirectConnect,
    Sts,
}

/// An error answer, taken apart.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answer<'a> {
    pub status: u16,
    pub code: Option<&'a str>,
    pub message: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub retry_after: Option<Duration>,
}

const AUTH: [&str; 15] = [
    "UnauthorizedOperation",
    "AuthFailure",
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "OptInRequired",
];

const BUSY: [&str; 12] = [
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
    "TransactionInProgressException",
];

/// Maps an error answer of a service.
pub fn classify(
    service: Service,
    operation: &str,
    resource: &str,
    answer: Answer<'_>,
) -> CloudError {
    let status = answer.status.to_string();
    let code = answer.code.unwrap_or(&status);
    let message = readable(answer.message.unwrap_or("the service gave no explanation"));
    let intent = match service {
        Service::DirectConnect => direct_connect(code, &message, answer.retry_after),
        Service::Ec2 | Service::Sts => None,
    }
    .unwrap_or_else(|| ec2(answer.status, code, answer.retry_after));
    let refused = (400..500).contains(&answer.status) && code != "DirectConnectServerException";
    CloudError::new(Provider::Aws, operation, resource, intent, code, message)
        .request_id(answer.request_id.map(str::to_owned))
        .sent(if refused { Sent::No } else { Sent::Maybe })
}

fn blocked(on: &str, retry_after: Option<Duration>) -> Intent {
    Intent::Blocked {
        on: on.to_owned(),
        retry_after,
    }
}

/// `None` where the common table decides.
fn direct_connect(code: &str, message: &str, retry_after: Option<Duration>) -> Option<Intent> {
    let text = message.to_ascii_lowercase();
    match code {
        "DirectConnectClientException" => Some(
            if text.contains("does not exist")
                || text.contains("not found")
                || text.contains("could not be found")
            {
                Intent::NotFound
            } else if text.contains("rate exceeded") || text.contains("throttl") {
                Intent::Transient { retry_after }
            } else if text.contains("not authorized") || text.contains("access denied") {
                Intent::Auth
            } else if text.contains("already") {
                Intent::Conflict
            } else if text.contains("in use")
                || text.contains("still has")
                || text.contains("associated")
                || text.contains("attached")
                || text.contains("must be in")
                || text.contains("invalid state")
                || text.contains("is in state")
                || text.contains("not in a state")
                || text.contains("not available")
            {
                blocked(
                    "the objects involved to reach a state that allows it",
                    retry_after,
                )
            } else {
                Intent::Terminal
            },
        ),
        // Also seen with HTTP 400, which the SDK does not retry (aws.md §1.1).
        "DirectConnectServerException" => Some(Intent::Transient { retry_after }),
        "DuplicateTagKeysException" | "TooManyTagsException" | "LimitExceededException" => {
            Some(Intent::Terminal)
        }
        _ => None,
    }
}

fn ec2(status: u16, code: &str, retry_after: Option<Duration>) -> Intent {
    if code.ends_with(".NotFound") {
        return Intent::NotFound;
    }
    if BUSY.contains(&code) {
        return Intent::Transient { retry_after };
    }
    if AUTH.contains(&code) {
        return Intent::Auth;
    }
    match code {
        "IncorrectState" | "InvalidVpnGatewayState" | "IncorrectInstanceState" => {
            return blocked(
                "the object to leave its present state or lose what uses it",
                retry_after,
            );
        }
        "DependencyViolation" => return blocked("what depends on it to be gone", retry_after),
        "Gateway.NotAttached" => {
            return blocked("the gateway's attachment to the VPC", retry_after);
        }
        "InternalError"
        | "InternalFailure"
        | "InternalServiceError"
        | "Unavailable"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "RequestTimeTooSkewed" => {
            return Intent::Transient { retry_after };
        }
        _ => {}
    }
    if code.ends_with("LimitExceeded")
        || code.starts_with("Invalid")
        || code == "UnsupportedOperation"
    {
        return Intent::Terminal;
    }
    match status {
        401 | 403 => Intent::Auth,
        404 => Intent::NotFound,
        408 | 429 | 500.. | 0..=399 => Intent::Transient { retry_after },
        _ => Intent::Terminal,
    }
}

/// Without the encoded authorisation details that EC2 appends: they are long, and different every time.
fn readable(message: &str) -> String {
    message
        .split(" Encoded authorization failure message:")
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(e: &CloudError) -> &'static str {
        match e.intent {
            Intent::Terminal => "terminal",
            Intent::Blocked { .. } => "blocked",
            Intent::Transient { .. } => "transient",
            Intent::Conflict => "conflict",
            Intent::Auth => "auth",
            Intent::NotFound => "not found",
        }
    }

    fn at(service: Service, status: u16, code: &str, message: &str) -> CloudError {
        classify(
            service,
            "Op",
            "x-1",
            Answer {
                status,
                code: (!code.is_empty()).then_some(code),
                message: Some(message),
                ..Answer::default()
            },
        )
    }

    /// Every row of aws.md §2.1.
    #[test]
    fn every_ec2_code_of_the_reference() {
        let rows = [
            (400, "InvalidVpnGatewayID.NotFound", "not found"),
            (400, "InvalidCustomerGatewayID.NotFound", "not found"),
            (400, "InvalidVpnConnectionID.NotFound", "not found"),
            (400, "InvalidRouteTableID.NotFound", "not found"),
            (400, "InvalidVpcID.NotFound", "not found"),
            (400, "InvalidVpnGatewayAttachment.NotFound", "not found"),
            (400, "IncorrectState", "blocked"),
            (400, "DependencyViolation", "blocked"),
            (400, "Gateway.NotAttached", "blocked"),
            (400, "VpnGatewayLimitExceeded", "terminal"),
            (400, "VpnConnectionLimitExceeded", "terminal"),
            (400, "CustomerGatewayLimitExceeded", "terminal"),
            (400, "VpnGatewayAttachmentLimitExceeded", "terminal"),
            (400, "InvalidParameterValue", "terminal"),
            (400, "InvalidParameterCombination", "terminal"),
            (400, "UnsupportedOperation", "terminal"),
            (503, "RequestLimitExceeded", "transient"),
            (412, "DryRunOperation", "terminal"),
            (403, "UnauthorizedOperation", "auth"),
            (401, "AuthFailure", "auth"),
            (500, "InternalError", "transient"),
            (503, "Unavailable", "transient"),
            (500, "", "transient"),
        ];
        for (status, code, want) in rows {
            let e = at(Service::Ec2, status, code, "why");
            assert_eq!(kind(&e), want, "{status} {code}");
            assert_eq!(e.may_have_happened(), status >= 500, "{status} {code}");
        }
        assert!(at(Service::Ec2, 400, "VpnGatewayLimitExceeded", "").is_quota());
        assert!(at(Service::Ec2, 503, "RequestLimitExceeded", "").is_throttled());
    }

    /// Every error of aws.md §1.1, and the messages that stand for what Direct Connect does not model.
    #[test]
    fn every_direct_connect_error_of_the_reference() {
        let client = "DirectConnectClientException";
        let rows = [
            (
                400,
                client,
                "Virtual Interface dxvif-1 does not exist",
                "not found",
            ),
            (
                400,
                client,
                "Direct Connect Gateway 5f29 does not exist.",
                "not found",
            ),
            (400, client, "VIF is already confirmed", "conflict"),
            (
                400,
                client,
                "The gateway is in use by an association",
                "blocked",
            ),
            (400, client, "Rate exceeded", "transient"),
            (400, client, "asn is not private", "terminal"),
            (
                400,
                "DirectConnectServerException",
                "Unable to process request",
                "transient",
            ),
            (500, "DirectConnectServerException", "oops", "transient"),
            (400, "DuplicateTagKeysException", "", "terminal"),
            (400, "TooManyTagsException", "", "terminal"),
            (400, "LimitExceededException", "", "terminal"),
            (400, "ThrottlingException", "Rate exceeded", "transient"),
            (400, "AccessDeniedException", "", "auth"),
            (400, "UnrecognizedClientException", "", "auth"),
        ];
        for (status, code, message, want) in rows {
            assert_eq!(
                kind(&at(Service::DirectConnect, status, code, message)),
                want,
                "{code} {message}"
            );
        }
        // The association may well be going: look before repeating anything.
        let e = at(
            Service::DirectConnect,
            400,
            "DirectConnectServerException",
            "",
        );
        assert!(e.may_have_happened());
    }

    #[test]
    fn encoded_authorisation_details_are_left_out() {
        let e = at(
            Service::Ec2,
            403,
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. Encoded authorization failure message: a8Jx99",
        );
        assert_eq!(
            e.message,
            "You are not authorized to perform this operation."
        );
    }
}
