//! What an answer of ARM means (azure.md §1.4). The status alone does not say: 429 is mostly "busy", 409 is anything, and
//! a failed operation arrives in a 200. One table, tested row by row.

use crate::clients::azure::id::ResourceId;
use crate::clients::wire;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use http::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// The error in an answer: its code, the codes of its details, and one message.
#[derive(Debug, Default)]
struct Parsed {
    codes: Vec<String>,
    message: String,
}

impl Parsed {
    fn read(error: &Value, depth: u8) -> Self {
        let mut out = Self::default();
        if let Some(code) = error.get("code").and_then(Value::as_str) {
            out.codes.push(code.to_owned());
        }
        if let Some(message) = error.get("message").and_then(Value::as_str) {
            // Some resource providers nest a JSON error inside the message.
            let nested = (depth < 3 && message.trim_start().starts_with('{'))
                .then(|| serde_json::from_str::<Value>(message).ok())
                .flatten();
            if let Some(inner) = nested {
                let inner = Self::read(inner.get("error").unwrap_or(&inner), depth + 1);
                out.codes.extend(inner.codes);
                out.message = inner.message;
            } else {
                message.clone_into(&mut out.message);
            }
        }
        for detail in error
            .get("details")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if depth >= 3 {
                break;
            }
            let inner = Self::read(detail, depth + 1);
            out.codes.extend(inner.codes);
            if !inner.message.is_empty() && !out.message.contains(&inner.message) {
                if !out.message.is_empty() {
                    out.message.push(' ');
                }
                out.message.push_str(&inner.message);
            }
        }
        out
    }

    fn has(&self, code: &str) -> bool {
        self.codes.iter().any(|c| c.eq_ignore_ascii_case(code))
    }
    fn any(&self, codes: &[&str]) -> bool {
        codes.iter().any(|c| self.has(c))
    }
    /// The most telling code: a detail's, when the outer one says nothing.
    fn code(&self) -> Option<&str> {
        const EMPTY: [&str; 4] = [
            "RetryableError",
            "BadRequest",
            "Conflict",
            "PreconditionFailed",
        ];
        match self.codes.as_slice() {
            [outer, inner, ..] if EMPTY.contains(&outer.as_str()) => Some(inner),
            [first, ..] => Some(first),
            [] => None,
        }
    }
}

/// Spec errors that the same request will meet again.
const SPEC_ERRORS: [&str; 8] = [
    "InvalidJsonReferenceWrongType",
    "InvalidGatewaySize",
    "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
    "VirtualNetworkGatewaySkuCannotBeCreatedForSpecifiedVmGeneration",
    "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
    "PublicIpWithBasicSkuNotAllowedOnExpressRouteGateways",
    "InvalidResourceType",
    "InvalidRequestFormat",
];

/// Maps an answer with a status outside 2xx.
pub fn classify(
    operation: &str,
    resource: &ResourceId,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> CloudError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let parsed = Parsed::read(value.get("error").unwrap_or(&value), 0);
    let intent = intent(status, &parsed, wire::retry_after(headers));
    let request_id = ["x-ms-correlation-request-id", "x-ms-request-id"]
        .iter()
        .find_map(|h| headers.get(*h)?.to_str().ok())
        .map(str::to_owned);
    let sent = if status >= 500 || status == 408 {
        Sent::Maybe
    } else {
        Sent::No
    };
    build(operation, resource, &parsed, intent, &status.to_string())
        .request_id(request_id)
        .sent(sent)
}

/// Maps the `error` of a long-running operation that ended in `Failed` or `Canceled`: the request was accepted.
pub fn classify_operation(operation: &str, resource: &ResourceId, error: &Value) -> CloudError {
    let parsed = Parsed::read(error, 0);
    let intent = intent(0, &parsed, None);
    build(operation, resource, &parsed, intent, "OperationFailed").sent(Sent::Yes)
}

fn build(
    operation: &str,
    resource: &ResourceId,
    parsed: &Parsed,
    intent: Intent,
    fallback: &str,
) -> CloudError {
    let message = if parsed.message.is_empty() {
        format!("the service answered {fallback} without an explanation")
    } else {
        without_status_uri(&parsed.message)
    };
    CloudError::new(
        Provider::Azure,
        operation,
        resource.tail(),
        intent,
        parsed.code().unwrap_or(fallback),
        message,
    )
}

/// `AnotherOperationInProgress` names a status URL with IDs that change every time; conditions must not.
fn without_status_uri(message: &str) -> String {
    message
        .split(' ')
        .filter(|w| !w.contains("/operations/") && !w.contains("/operationResults/"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// `status` 0 stands for the end of a long-running operation.
fn intent(status: u16, e: &Parsed, retry_after: Option<Duration>) -> Intent {
    let blocked = |on: &str| Intent::Blocked {
        on: on.to_owned(),
        retry_after,
    };
    if e.has("AnotherOperationInProgress") {
        return blocked("another operation on it or on what it depends on");
    }
    if e.any(&[
        "RetryableError",
        "RetryableErrorDueToAnotherOperation",
        "ReferencedResourceNotProvisioned",
    ]) {
        return blocked("a resource it refers to that is still being updated");
    }
    if e.has("ConflictError") {
        // Only circuits: the provider has not let go (azure.md §2.6).
        return blocked("the service provider to deprovision the circuit");
    }
    if e.any(&[
        "InUseSubnetCannotBeDeleted",
        "PublicIPAddressCannotBeDeleted",
    ]) || e
        .codes
        .iter()
        .any(|c| c.ends_with("CannotBeDeleted") || c.starts_with("InUse"))
    {
        return blocked("what still uses it to be gone");
    }
    if status == 412 || e.codes.iter().any(|c| c.starts_with("PreconditionFailed")) {
        return Intent::Conflict;
    }
    if e.any(&[
        "GwmOperationTimeOut",
        "InternalServerError",
        "OperationTimedOut",
    ]) {
        return Intent::Transient { retry_after };
    }
    if e.any(&[
        "NetcfgInvalidSubnet",
        "CanceledAndSupersededDueToAnotherOperation",
    ]) {
        // Mostly a race of parallel writes: what was read no longer holds.
        return Intent::Conflict;
    }
    if e.any(&SPEC_ERRORS) || e.any(&["RequestDisallowedByPolicy", "ScopeLocked"]) {
        return Intent::Terminal;
    }
    if e.any(&[
        "LinkedAuthorizationFailed",
        "AuthorizationFailed",
        "SubscriptionNotFound",
    ]) {
        return Intent::Auth;
    }
    if e.codes
        .iter()
        .any(|c| c.ends_with("QuotaExceeded") || c.ends_with("CountLimitReached"))
    {
        return Intent::Terminal;
    }
    if e.has("InvalidResourceReference") {
        // A reference that was just made may not be visible yet (read lag).
        return blocked("a resource it refers to to become visible");
    }
    let updating = e.message.contains("Updating") || e.message.contains("not in Succeeded state");
    if (400..500).contains(&status) && status != 404 && updating {
        return blocked("a resource it refers to that is still being updated");
    }
    match status {
        401 | 403 => Intent::Auth,
        404 | 410 => Intent::NotFound,
        409 => Intent::Conflict,
        429 | 408 | 500.. => Intent::Transient { retry_after },
        // A resource left in Failed is usually fixed by repeating the PUT (azure.md §1.2).
        0 => Intent::Transient { retry_after },
        _ => Intent::Terminal,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests
    use super::*;
    use serde_json::json;

    #[derive(Debug, PartialEq)]
    enum I {
        Terminal,
        Blocked,
        Transient,
        Conflict,
        Auth,
        NotFound,
    }

    fn kind(e: &CloudError) -> I {
        match e.intent {
            Intent::Terminal => I::Terminal,
            Intent::Blocked { .. } => I::Blocked,
            Intent::Transient { .. } => I::Transient,
            Intent::Conflict => I::Conflict,
            Intent::Auth => I::Auth,
            Intent::NotFound => I::NotFound,
        }
    }

    fn at(status: u16, body: &Value) -> CloudError {
        let id = ResourceId::circuit("s", "vpn-rg", "to-megaport");
        classify(
            "x.put",
            &id,
            status,
            &HeaderMap::new(),
            body.to_string().as_bytes(),
        )
    }
    fn coded(status: u16, code: &str, message: &str) -> CloudError {
        at(
            status,
            &json!({"error": {"code": code, "message": message}}),
        )
    }

    /// Every row of azure.md §1.4, with the status it comes with (0: inside a long-running operation).
    #[test]
    fn every_row_of_the_reference() {
        let rows = [
            (409, "AnotherOperationInProgress", I::Blocked),
            (0, "AnotherOperationInProgress", I::Blocked),
            (429, "RetryableError", I::Blocked),
            (429, "RetryableErrorDueToAnotherOperation", I::Blocked),
            (429, "ReferencedResourceNotProvisioned", I::Blocked),
            (429, "TooManyRequests", I::Transient),
            (429, "SubscriptionRequestsThrottled", I::Transient),
            (0, "ConflictError", I::Blocked),
            (400, "InUseSubnetCannotBeDeleted", I::Blocked),
            (409, "InUseSubnetCannotBeDeleted", I::Blocked),
            (400, "PublicIPAddressCannotBeDeleted", I::Blocked),
            (412, "PreconditionFailed", I::Conflict),
            (500, "InternalServerError", I::Transient),
            (0, "InternalServerError", I::Transient),
            (0, "GwmOperationTimeOut", I::Transient),
            (400, "NetcfgInvalidSubnet", I::Conflict),
            (400, "InvalidJsonReferenceWrongType", I::Terminal),
            (400, "InvalidGatewaySize", I::Terminal),
            (
                400,
                "InvalidGatewaySkuSpecifiedForGatewayDeploymentType",
                I::Terminal,
            ),
            (
                400,
                "VirtualNetworkGatewaySkuCannotBeCreatedForSpecifiedVmGeneration",
                I::Terminal,
            ),
            (
                400,
                "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
                I::Terminal,
            ),
            (
                0,
                "VmssVpnGatewayPublicIpsMustHaveZonesConfigured",
                I::Terminal,
            ),
            (
                400,
                "PublicIpWithBasicSkuNotAllowedOnExpressRouteGateways",
                I::Terminal,
            ),
            (403, "LinkedAuthorizationFailed", I::Auth),
            (403, "AuthorizationFailed", I::Auth),
            (401, "InvalidAuthenticationToken", I::Auth),
            (403, "RequestDisallowedByPolicy", I::Terminal),
            (409, "ScopeLocked", I::Terminal),
            (400, "InvalidResourceType", I::Terminal),
            (404, "ResourceNotFound", I::NotFound),
            (503, "ServerUnavailable", I::Transient),
            (400, "SomethingNew", I::Terminal),
            (0, "SomethingNew", I::Transient),
            (400, "PublicIPCountLimitReached", I::Terminal),
        ];
        for (status, code, want) in rows {
            let e = if status == 0 {
                let id = ResourceId::circuit("s", "g", "c");
                classify_operation("x.put", &id, &json!({"code": code, "message": "why"}))
            } else {
                coded(status, code, "why")
            };
            assert_eq!(kind(&e), want, "{status} {code}");
            let sent = match status {
                0 => Sent::Yes,
                500.. => Sent::Maybe,
                _ => Sent::No,
            };
            assert_eq!(e.sent, sent, "{status} {code}");
        }
        assert!(coded(400, "PublicIPCountLimitReached", "").is_quota());
        assert!(coded(429, "TooManyRequests", "").is_throttled());
        assert!(!coded(429, "RetryableError", "").is_throttled());
    }

    #[test]
    fn details_carry_the_telling_code() {
        let e = at(
            429,
            &json!({"error": {"code": "RetryableError", "message": "A retryable error occurred.", "details": [
                {"code": "ReferencedResourceNotProvisioned", "message": "The subnet is not in Succeeded state."}]}}),
        );
        assert_eq!(
            (kind(&e), e.code.as_str()),
            (I::Blocked, "ReferencedResourceNotProvisioned")
        );
        assert!(e.message.contains("not in Succeeded state"));
        let e = at(
            412,
            &json!({"error": {"code": "PreconditionFailed", "details": [{"code": "PreconditionFailedEtagMismatch"}]}}),
        );
        assert_eq!(
            (kind(&e), e.code.as_str()),
            (I::Conflict, "PreconditionFailedEtagMismatch")
        );
    }

    #[test]
    fn a_message_may_be_a_nested_error() {
        let inner =
            json!({"error": {"code": "InvalidGatewaySize", "message": "bad size"}}).to_string();
        let e = coded(400, "BadRequest", &inner);
        assert_eq!(
            (kind(&e), e.code.as_str(), e.message.as_str()),
            (I::Terminal, "InvalidGatewaySize", "bad size")
        );
    }

    #[test]
    fn any_message_that_names_updating_means_busy() {
        let e = coded(
            409,
            "OperationNotAllowed",
            "Operation is not allowed, the gateway is in Updating state.",
        );
        assert_eq!(kind(&e), I::Blocked);
    }

    #[test]
    fn retry_after_is_handed_on_and_status_urls_are_not() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "10".parse().unwrap());
        let body = json!({"error": {"code": "AnotherOperationInProgress", "message": "Another operation is in progress: https://management.azure.com/subscriptions/s/providers/Microsoft.Network/locations/eastus2/operations/7f3a for it"}});
        let id = ResourceId::circuit("s", "g", "c");
        let e = classify("x.put", &id, 409, &headers, body.to_string().as_bytes());
        assert_eq!(e.retry_after(), Some(Duration::from_secs(10)));
        assert_eq!(e.message, "Another operation is in progress: for it");
    }

    #[test]
    fn garbage_is_transient_or_terminal_by_status() {
        let id = ResourceId::circuit("s", "g", "c");
        let e = classify("x.put", &id, 502, &HeaderMap::new(), b"<html>");
        assert_eq!(
            (kind(&e), e.sent, e.code.as_str()),
            (I::Transient, Sent::Maybe, "502")
        );
    }
}
