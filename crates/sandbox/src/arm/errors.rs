//! Azure's error envelope and the refusals that several resource types share. Codes are those of azure.md §1.4 where it
//! names one; the few that no public source names are marked at their use.

use crate::wire::Res;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmError {
    pub status: u16,
    pub code: String,
    pub message: String,
    pub details: Vec<(String, String)>,
    /// Seconds.
    pub retry_after: Option<u32>,
}

pub type ArmResult<T> = Result<T, ArmError>;

impl ArmError {
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
        }
    }
    pub fn bad(code: &str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }
    pub fn detail(mut self, code: &str, message: impl Into<String>) -> Self {
        self.details.push((code.to_owned(), message.into()));
        self
    }
    /// A body that is not what the type's JSON looks like: the useful text is in the detail.
    pub fn format(message: impl Into<String>) -> Self {
        Self::bad("InvalidRequestFormat", "Cannot parse the request.")
            .detail("InvalidJson", message)
    }
    /// A dependency is being worked on (azure.md §1.4: HTTP 429 that is not throttling).
    pub fn not_provisioned(id: &str, by: &str, operation: &str) -> Self {
        let mut e = Self::new(429, "RetryableError", "A retryable error occurred.").detail(
            "ReferencedResourceNotProvisioned",
            format!(
                "Cannot proceed with operation because resource {id} used by resource {by} is not in Succeeded state. \
                 Resource is in Updating state and the last operation that updated/is updating the resource is {operation}."
            ),
        );
        e.retry_after = Some(10);
        e
    }
    /// Another operation holds this resource or one that depends on it.
    pub fn busy(status_url: &str) -> Self {
        let mut e = Self::new(
            409,
            "AnotherOperationInProgress",
            format!(
                "Another operation on this or dependent resource is in progress. To retrieve status of the operation \
                 use uri: {status_url}."
            ),
        );
        e.retry_after = Some(10);
        e
    }
    pub fn not_found(type_path: &str, name: &str, group: &str) -> Self {
        Self::new(
            404,
            "ResourceNotFound",
            format!(
                "The Resource 'Microsoft.Network/{type_path}/{name}' under resource group '{group}' was not found. For \
                 more details please go to https://aka.ms/ARMResourceNotFoundFix"
            ),
        )
    }
    pub fn child_not_found(id: &str) -> Self {
        Self::new(404, "NotFound", format!("Resource {id} not found."))
    }
    /// A reference to something that does not exist.
    pub fn dangling(id: &str, by: &str) -> Self {
        Self::bad(
            "InvalidResourceReference",
            format!(
                "Resource {id} referenced by resource {by} was not found. Please make sure that the referenced resource \
                 exists, and that both resources are in the same region."
            ),
        )
    }
    /// A reference to something of another type.
    pub fn wrong_type(id: &str, path: &str, expected: &str) -> Self {
        Self::format(format!("Reference at {path} is not of the expected type.")).replace_detail(
            "InvalidJsonReferenceWrongType",
            format!("Reference Id {id} is referencing resource of a wrong type. The Id is expected to reference resources of type {expected}. Path {path}."),
        )
    }
    fn replace_detail(mut self, code: &str, message: String) -> Self {
        self.details = vec![(code.to_owned(), message)];
        self
    }

    /// The `error` object of an answer or of an operation's status.
    pub fn object(&self) -> Value {
        let details: Vec<Value> = self
            .details
            .iter()
            .map(|(code, message)| json!({"code": code, "message": message}))
            .collect();
        json!({"code": self.code, "message": self.message, "details": details})
    }
    pub fn answer(&self) -> Res {
        let res = Res::json(self.status, &json!({"error": self.object()}));
        match self.retry_after {
            Some(secs) => res.with("retry-after", &secs.to_string()),
            None => res,
        }
    }
}
