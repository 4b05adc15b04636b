//! The control API (contract §4): ground truth and faults for tests, over HTTP and as functions on [`Sandbox`].
//!
//! It has no authentication and must never be reachable from outside the machine (see [`crate::describe`]). It reads
//! and sets the simulation itself; nothing that a provider's API could do belongs here.

mod clock;
mod events;
mod faults;
mod network;
mod truth;

pub use clock::{ClockChange, ClockView};
pub use events::Happening;
pub use faults::FaultView;
pub use network::{PartView, SessionView, TraceBranch};
pub use truth::{CallView, Change, ChangedField, LedgerView, OperationView};

use crate::critical::Kind;
use crate::net::control::ControlError;
use crate::sandbox::Sandbox;
use crate::time::SimTime;
use crate::wire::{Req, Res};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Why a control call was refused; the text says what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request can not be understood or asks for something impossible.
    #[error("{0}")]
    Bad(String),
    /// There is no such call, fault, session, link, node or host.
    #[error("{0}")]
    NotFound(String),
    /// It can not be done in this state.
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Method(String),
}

impl Refusal {
    fn status(&self) -> u16 {
        match self {
            Self::Bad(_) => 400,
            Self::NotFound(_) => 404,
            Self::Method(_) => 405,
            Self::Conflict(_) => 409,
        }
    }
}

impl From<ControlError> for Refusal {
    fn from(e: ControlError) -> Self {
        match e {
            ControlError::NotFound(text) => Self::NotFound(text),
            ControlError::Refused(text) => Self::Conflict(text),
        }
    }
}

/// All calls, for whoever asks for something else.
pub const CALLS: [&str; 23] = [
    "GET /ledger",
    "GET /live",
    "GET /diff",
    "GET /calls?since=SEQ&bodies=true",
    "GET /operations",
    "GET /critical-path?kind=create|delete&since=TIME",
    "GET /sessions",
    "POST /sessions/{id}/shutdown",
    "POST /sessions/{id}/start",
    "GET /links",
    "POST /links/{id}/down",
    "POST /links/{id}/up",
    "GET /nodes",
    "POST /nodes/{id}/down",
    "POST /nodes/{id}/up",
    "POST /events",
    "GET /trace?from=NAME&to=NAME",
    "POST /faults",
    "GET /faults",
    "GET /faults/{id}",
    "DELETE /faults/{id}",
    "GET /clock",
    "PUT /clock",
];

/// Answers a request to the control listener.
pub fn respond(sandbox: &Sandbox, req: &Req) -> Res {
    match route(sandbox, req) {
        Ok(res) => res,
        Err(refusal) => Res::json(refusal.status(), &json!({"error": refusal.to_string()})),
    }
}

fn route(sandbox: &Sandbox, req: &Req) -> Result<Res, Refusal> {
    // IDs may hold slashes or spaces: segments are split first and decoded afterwards.
    let decoded: Vec<String> = req
        .path
        .split('/')
        .filter(|s| !s.is_empty())
        .map(percent_decode)
        .collect();
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    match (req.method.as_str(), segments.as_slice()) {
        ("GET", []) => answer(200, &json!({"calls": CALLS})),
        ("GET", ["ledger"]) => answer(200, &sandbox.ledger()),
        ("GET", ["live"]) => answer(200, &sandbox.live()),
        ("GET", ["diff"]) => answer(200, &sandbox.diff()),
        ("GET", ["calls"]) => {
            let since = number(req, "since")?.unwrap_or(0);
            answer(200, &sandbox.calls(since, flag(req, "bodies")?))
        }
        ("GET", ["operations"]) => answer(200, &sandbox.operations()),
        ("GET", ["critical-path"]) => {
            let kind = match req.query("kind") {
                Some("create") => Kind::Create,
                Some("delete") => Kind::Delete,
                other => {
                    return Err(Refusal::Bad(format!(
                        "kind is {}; it must be create or delete",
                        other.unwrap_or("missing")
                    )));
                }
            };
            answer(200, &sandbox.critical_path(kind, time(req, "since")?))
        }
        ("GET", ["sessions"]) => answer(200, &sandbox.sessions()),
        ("POST", ["sessions", id, what @ ("shutdown" | "start")]) => {
            sandbox.session_shutdown(id, *what == "shutdown")?;
            Ok(Res::empty(204))
        }
        ("GET", ["links"]) => answer(200, &sandbox.links()),
        ("GET", ["nodes"]) => answer(200, &sandbox.nodes()),
        ("POST", ["links", id, what @ ("down" | "up")]) => {
            sandbox.link(id, *what == "up")?;
            Ok(Res::empty(204))
        }
        ("POST", ["nodes", id, what @ ("down" | "up")]) => {
            sandbox.node(id, *what == "up")?;
            Ok(Res::empty(204))
        }
        ("POST", ["events"]) => {
            let happening: Happening = body(req)?;
            answer(200, &sandbox.happen(&happening)?)
        }
        ("GET", ["trace"]) => {
            let end = |name: &str| {
                req.query(name).ok_or_else(|| {
                    Refusal::Bad(format!("{name} is missing; give the name of a host"))
                })
            };
            answer(200, &sandbox.trace(end("from")?, end("to")?)?)
        }
        ("POST", ["faults"]) => {
            let id = sandbox.post_fault(body(req)?)?;
            answer(201, &json!({"id": id}))
        }
        ("GET", ["faults"]) => answer(200, &sandbox.faults()),
        ("GET", ["faults", id]) => {
            let found = sandbox.faults().into_iter().find(|f| f.id == *id);
            let fault =
                found.ok_or_else(|| Refusal::NotFound(format!("there is no fault {id}")))?;
            answer(200, &fault)
        }
        ("DELETE", ["faults", id]) => {
            if sandbox.remove_fault(id) {
                Ok(Res::empty(204))
            } else {
                Err(Refusal::NotFound(format!("there is no fault {id}")))
            }
        }
        ("GET", ["clock"]) => answer(200, &sandbox.clock_view()),
        ("PUT", ["clock"]) => answer(200, &sandbox.set_clock(&body(req)?)?),
        (method, path) => Err(unknown(method, path)),
    }
}

fn unknown(method: &str, path: &[&str]) -> Refusal {
    let first = path.first().copied().unwrap_or_default();
    let same: Vec<&str> = CALLS
        .iter()
        .copied()
        .filter(|c| c.split(['/', '?', ' ']).nth(2) == Some(first))
        .collect();
    let asked = format!("{method} /{}", path.join("/"));
    if same.is_empty() {
        Refusal::NotFound(format!("there is no {asked}; GET / lists the calls"))
    } else {
        Refusal::Method(format!("there is no {asked}, but {}", same.join(", ")))
    }
}

fn answer<T: Serialize>(status: u16, value: &T) -> Result<Res, Refusal> {
    let text = serde_json::to_string(value)
        .map_err(|e| Refusal::Conflict(format!("the answer can not be written: {e}")))?;
    Ok(Res::new(status, "application/json", text))
}

fn body<T: DeserializeOwned>(req: &Req) -> Result<T, Refusal> {
    serde_json::from_slice(&req.body)
        .map_err(|e| Refusal::Bad(format!("the body does not fit: {e}")))
}

fn number(req: &Req, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = req.query(name) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|_| Refusal::Bad(format!("{name}={text} is not a whole number")))
}

fn flag(req: &Req, name: &str) -> Result<bool, Refusal> {
    match req.query(name) {
        None | Some("false") => Ok(false),
        Some("true" | "") => Ok(true),
        Some(text) => Err(Refusal::Bad(format!(
            "{name}={text}; it must be true or false"
        ))),
    }
}

fn time(req: &Req, name: &str) -> Result<Option<SimTime>, Refusal> {
    let Some(text) = req.query(name) else {
        return Ok(None);
    };
    // A `+` of an offset that was not encoded has become a space.
    text.replace(' ', "+")
        .parse::<jiff::Timestamp>()
        .map(|t| Some(SimTime(t.as_millisecond())))
        .map_err(|_| {
            Refusal::Bad(format!(
                "{name}={text} is not a time such as 2026-11-26T08:00:00Z"
            ))
        })
}

fn percent_decode(segment: &str) -> String {
    let mut out = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u8::from_str_radix(h, 16).ok());
        out.push(code.unwrap_or(first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&out).into_owned()
}
