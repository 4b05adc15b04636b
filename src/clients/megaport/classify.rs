//! What an answer of Megaport means (megaport.md §1.3, §1.4, §5). Not found may be a 400, 403 may be a rule about
//! ownership, and every 5xx on an order is ambiguous. Messages are matched loosely: they are all there is.

use crate::clients::wire;
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use http::HeaderMap;
use serde_json::Value;
use std::time::Duration;

/// Maps an answer with a status outside 2xx, or one that says that it failed in spite of its status.
pub fn classify(
    operation: &str,
    resource: &str,
    status: u16,
    headers: &HeaderMap,
    body: &[u8],
) -> CloudError {
    let value: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let message = message(&value, status);
    let trace = headers
        .get("trace-id")
        .and_then(|v| v.to_str().ok())
        .or_else(|| value.get("trace_id").and_then(Value::as_str))
        .map(str::to_owned);
    let intent = intent(
        status,
        &message.to_ascii_lowercase(),
        wire::retry_after(headers),
    );
    // Only these statuses are given before anything is carried out.
    let sent = if (400..500).contains(&status) && status != 408 {
        Sent::No
    } else {
        Sent::Maybe
    };
    CloudError::new(
        Provider::Megaport,
        operation,
        resource,
        intent,
        status.to_string(),
        message,
    )
    .request_id(trace)
    .sent(sent)
}

/// The message, and what `data` adds: a string, an object, a list of either, or nothing (megaport.md §1.3).
fn message(body: &Value, status: u16) -> String {
    let mut out = ["message", "error_description", "error"]
        .iter()
        .find_map(|k| body.get(*k).and_then(Value::as_str))
        .unwrap_or_default()
        .trim()
        .to_owned();
    for extra in texts(body.get("data").unwrap_or(&Value::Null)) {
        if !out.contains(&extra) {
            if !out.is_empty() {
                out.push_str(": ");
            }
            out.push_str(&extra);
        }
    }
    if out.is_empty() {
        out = format!("the service answered {status} without an explanation");
    }
    out
}

fn texts(data: &Value) -> Vec<String> {
    match data {
        Value::String(s) if !s.is_empty() => vec![s.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(o) => ["message", "error", "reason", "detail"]
            .iter()
            .filter_map(|k| o.get(*k).and_then(Value::as_str))
            .map(str::to_owned)
            .take(1)
            .collect(),
        _ => Vec::new(),
    }
}

fn intent(status: u16, text: &str, retry_after: Option<Duration>) -> Intent {
    let blocked = |on: &str| Intent::Blocked {
        on: on.to_owned(),
        retry_after,
    };
    let has = |needle: &str| text.contains(needle);
    // Throttling and outages first: their messages mean nothing.
    if status == 429 {
        return Intent::Transient { retry_after };
    }
    if has("could not find a service with uid") {
        return Intent::NotFound;
    }
    if has("attached peering connection") {
        return blocked("the private peering to be removed in Azure");
    }
    if has("must be correctly provisioned") || has("not yet provisioned") {
        return blocked("the product to be provisioned");
    }
    if has("cannot be safely deleted") || has("attached service") || has("has attached vxc") {
        return blocked("the VXCs on it to be gone");
    }
    if has("configured tunnels") {
        return blocked("its tunnels to be gone");
    }
    if has("rollback-only") || has("problem talking with network provisioning system") {
        return Intent::Transient { retry_after };
    }
    if has("decommissioned and cannot")
        || has("cancelled and cannot")
        || has("cancelled_parent and cannot")
    {
        // Somebody was faster: read again.
        return Intent::Conflict;
    }
    match status {
        401 => Intent::Auth,
        // Rules about whose end it is, and locks, are no matter of rights.
        403 if has("owner can") || has("is not permitted") || has("locked") => Intent::Terminal,
        403 => Intent::Auth,
        404 => Intent::NotFound,
        409 if has("cannot be extended") => Intent::Terminal,
        409 => blocked("what still uses it"),
        408 | 500.. | 0..=399 => Intent::Transient { retry_after },
        _ => Intent::Terminal,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests
    use super::*;
    use serde_json::json;

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

    fn at(status: u16, body: &Value) -> CloudError {
        classify(
            "X",
            "uid",
            status,
            &HeaderMap::new(),
            body.to_string().as_bytes(),
        )
    }

    /// Every code and every message of megaport.md §1.3, the retry rules of §1.4, and the refusals of §5.
    #[test]
    fn every_answer_of_the_reference() {
        let rows = [
            (
                400,
                "Validation failed - term must be one of 1, 12",
                "terminal",
            ),
            (400, "Valid B-End is required", "terminal"),
            (400, "Validation of b_csp_request failed", "terminal"),
            (400, "Azure: invalid vlan", "terminal"),
            (
                400,
                "Azure: missing primary_subnet or secondary_subnet",
                "terminal",
            ),
            (403, "Only B end owner can change B VLAN", "terminal"),
            (409, "Service term cannot be extended.", "terminal"),
            (
                400,
                "Cannot update ASN while VXCs are attached to this MCR. Remove them first.",
                "terminal",
            ),
            (400, "IP Transit: vlan update not supported", "terminal"),
            (
                400,
                "Product p - Service must be correctly provisioned to update",
                "blocked",
            ),
            (400, "Not supported service type", "terminal"),
            (400, "MCR has configured tunnels", "blocked"),
            (
                400,
                "Transaction silently rolled back because it has been marked as rollback-only",
                "transient",
            ),
            (
                500,
                "Transaction silently rolled back because it has been marked as rollback-only",
                "transient",
            ),
            (
                500,
                "Problem talking with network provisioning system, got code 500",
                "transient",
            ),
            (
                400,
                "Service x has an attached peering connection that must be removed in Azure first",
                "blocked",
            ),
            (
                400,
                "Could not find a service with UID 11111111",
                "not found",
            ),
            (404, "No such resource", "not found"),
            (401, "Access token is missing", "auth"),
            (403, "You do not have permission", "auth"),
            (403, "Action [CANCEL] is not permitted", "terminal"),
            (409, "Prefix list is in use", "blocked"),
            (
                400,
                "Service m cannot be safely deleted: it has 2 attached service(s)",
                "blocked",
            ),
            (
                400,
                "Service m is DECOMMISSIONED and cannot be cancelled",
                "conflict",
            ),
            (
                400,
                "Service m is locked and cannot be cancelled",
                "terminal",
            ),
            (400, "VLAN 100 not available on service ID 77", "terminal"),
            (429, "", "transient"),
            (502, "", "transient"),
            (503, "maintenance", "transient"),
            (504, "", "transient"),
        ];
        for (status, message, want) in rows {
            let e = at(status, &json!({ "message": message }));
            assert_eq!(kind(&e), want, "{status} {message}");
            // An order may only be repeated when it was surely refused (§1.4).
            assert_eq!(e.may_have_happened(), status >= 500, "{status} {message}");
        }
    }

    #[test]
    fn data_comes_in_all_shapes() {
        for data in [
            json!("why"),
            json!({"message": "why"}),
            json!(["why"]),
            json!([{"error": "why"}]),
        ] {
            let e = at(400, &json!({"message": "Validation failed", "data": data}));
            assert_eq!(e.message, "Validation failed: why", "{data}");
        }
        assert_eq!(at(400, &json!({"message": "m", "data": null})).message, "m");
        let e = classify(
            "X",
            "u",
            502,
            &HeaderMap::new(),
            b"<html>bad gateway</html>",
        );
        assert_eq!((kind(&e), e.sent), ("transient", Sent::Maybe));
    }

    #[test]
    fn trace_id_and_retry_after_are_kept() {
        let mut h = HeaderMap::new();
        h.insert("trace-id", "t-1".parse().unwrap());
        h.insert("retry-after", "7".parse().unwrap());
        let e = classify("X", "u", 429, &h, b"{}");
        assert_eq!(e.request_id.as_deref(), Some("t-1"));
        assert_eq!(e.retry_after(), Some(Duration::from_secs(7)));
        assert!(e.is_throttled());
    }
}
