//! The call log: who asked for what, in order.

use crate::time::SimTime;
use crate::wire::Provider;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedCall {
    pub seq: u64,
    pub at: SimTime,
    pub provider: Provider,
    pub operation: String,
    pub method: String,
    pub path: String,
    /// 0 when no answer was given (a lost request).
    pub status: u16,
    pub mutating: bool,
    pub principal: String,
    pub query: String,
    /// Request headers without credentials.
    pub headers: Vec<(String, String)>,
    /// Request body as text, secrets masked.
    pub body: String,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CallLog {
    pub entries: Vec<LoggedCall>,
}

impl CallLog {
    /// The sequence number that the next call gets, counted from 1.
    pub fn next_seq(&self) -> u64 {
        self.entries.last().map_or(1, |c| c.seq + 1)
    }
}
