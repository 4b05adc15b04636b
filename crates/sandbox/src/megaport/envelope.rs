//! Answers in Megaport's envelope (megaport.md §1.3), and refusals.

use crate::wire::Res;
use serde_json::{Value, json};

const TERMS: &str = "This data is subject to the Acceptable Use Policy of the provider.";

/// A refused request.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
    /// String, object, array or null: Megaport sends all of them (§1.3).
    pub data: Value,
}

pub type Reply = Result<Res, Refusal>;

impl Refusal {
    fn new(status: u16, message: String, data: Value) -> Self {
        Self {
            status,
            message,
            data,
        }
    }
    /// 400 for a bad order or change; `data` says what is wrong.
    pub fn invalid(what: impl Into<String>) -> Self {
        let what = what.into();
        Self::new(
            400,
            format!("Validation failed - {what}"),
            Value::String(what),
        )
    }
    /// 400 with a message that clients match on, and nothing else.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, message.into(), Value::Null)
    }
    /// 400 for a cloud's side of an order; `data` is a list.
    pub fn csp(what: impl Into<String>) -> Self {
        let what = what.into();
        Self::new(
            400,
            format!("Validation of b_csp_request failed: {what}"),
            json!([what]),
        )
    }
    /// Not found is a 400 (§1.3).
    pub fn no_service(uid: &str) -> Self {
        Self::new(
            400,
            format!("Could not find a service with UID {uid}"),
            Value::Null,
        )
    }
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, message.into(), Value::Null)
    }
    pub fn missing(message: impl Into<String>) -> Self {
        Self::new(404, message.into(), Value::Null)
    }
    /// 409 with an object as `data`.
    pub fn conflict(message: impl Into<String>, data: Value) -> Self {
        Self::new(409, message.into(), data)
    }
    /// Another order or change of the same router is being deployed (§1.4, §8.13).
    pub fn busy_order() -> Self {
        Self::new(
            500,
            "Problem talking with network provisioning system, got code 500".into(),
            Value::Null,
        )
    }
    /// The same, for a cancellation (§1.4).
    pub fn busy_cancel() -> Self {
        Self::new(
            500,
            "Transaction silently rolled back because it has been marked as rollback-only".into(),
            Value::Null,
        )
    }
    pub fn into_res(self, trace: &str) -> Res {
        let body = json!({"message": self.message, "data": self.data, "trace_id": trace});
        Res::json(self.status, &body).with("trace-id", trace)
    }
}

/// 200 with `data`.
#[allow(clippy::unnecessary_wraps)] // the shape of every handler
pub fn ok(message: impl Into<String>, data: Value) -> Reply {
    Ok(Res::json(
        200,
        &json!({"message": message.into(), "terms": TERMS, "data": data}),
    ))
}

/// 202 of a query that is still running: a JSON body without data (§13.5).
#[allow(clippy::unnecessary_wraps)]
pub fn pending() -> Reply {
    Ok(Res::json(
        202,
        &json!({"message": "Operation is still in progress", "terms": TERMS}),
    ))
}
