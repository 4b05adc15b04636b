//! The call log: who asked for what, in order.

use crate::mask;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Provider, Req};
use crate::{arm, aws, megaport};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

    /// The calls after number `since`, in order; sequence numbers have no gaps, so nothing is searched.
    pub fn since(&self, since: u64) -> &[LoggedCall] {
        let first = self.entries.first().map_or(1, |c| c.seq);
        let skip = usize::try_from((since + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        self.entries.get(skip..).unwrap_or_default()
    }
}

/// Headers that are credentials.
const CREDENTIAL_HEADERS: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "x-amz-security-token",
    "cookie",
];

/// Appends a call to the log of `state`.
pub fn log(state: &mut State, call: &Call, req: &Req, status: u16) {
    let body = String::from_utf8_lossy(&req.body);
    let mut body = mask::by_name(&body, &req.path).into_owned();
    if call.mutating && !body.is_empty() {
        let secrets = [
            arm::secrets(state),
            aws::secrets(state),
            megaport::secrets(state),
        ]
        .concat();
        body = mask::by_value(body, &secrets);
    }
    let headers = req
        .headers
        .iter()
        .filter(|(k, _)| !CREDENTIAL_HEADERS.contains(&k.as_str()))
        .map(|(k, v)| {
            (
                k.to_string(),
                String::from_utf8_lossy(v.as_bytes()).into_owned(),
            )
        })
        .collect();
    let entry = LoggedCall {
        seq: state.calls.next_seq(),
        at: state.now,
        provider: call.provider,
        operation: call.operation.clone(),
        method: req.method.to_string(),
        path: req.path.clone(),
        status,
        mutating: call.mutating,
        principal: call.principal.clone(),
        query: mask::by_name(&req.raw_query, &req.path).into_owned(),
        headers,
        body,
    };
    state.calls.entries.push(entry);
}
