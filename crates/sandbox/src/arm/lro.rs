//! Long-running operations in ARM's two dialects (azure.md §1.2): `Azure-AsyncOperation` (a status body, HTTP 200 even
//! when it failed) and `Location` (202 while running, then the bare result or error).

use super::errors::ArmError;
use super::ids::Child;
use super::{Event, finish};
use crate::faults::Effect;
use crate::ops::{NewOp, OpKind};
use crate::state::{self, State};
use crate::time::SimTime;
use crate::wire::{Call, Provider, Req, Res};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What happens when an operation ends.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "camelCase")]
pub enum Work {
    Put {
        key: String,
        created: bool,
    },
    PutChild {
        key: String,
        child: Child,
        name: String,
    },
    Delete {
        key: String,
    },
    DeleteChild {
        key: String,
        child: Child,
        name: String,
    },
    SharedKey {
        key: String,
        value: String,
    },
    /// Ends with no change but the state of the resource (tags, resets).
    Settle {
        key: String,
    },
    Query(super::actions::Query),
}

/// How an operation ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    Running,
    Done(Option<Value>),
    Failed(ArmError),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lro {
    /// Its entry in `GET /operations`; reads have none.
    pub op: Option<u64>,
    pub subscription: String,
    pub location: String,
    pub due: SimTime,
    pub outcome: Outcome,
    pub work: Work,
    /// What it ends in instead of success (an injected fault).
    pub fail: Option<ArmError>,
    /// Its status can not be read (an injected fault).
    pub vanished: bool,
    pub api_version: String,
}

/// A long-running operation about to start.
#[derive(Debug)]
pub struct Start<'a> {
    pub call: &'a Call,
    pub subscription: &'a str,
    pub location: &'a str,
    pub api_version: &'a str,
    /// ID of the resource that it works on.
    pub resource: &'a str,
    pub kind: OpKind,
    pub seconds: f64,
    /// IDs named in the request besides `resource`.
    pub names: Vec<String>,
    pub locks: Vec<String>,
    pub work: Work,
}

/// Starts an operation and answers its ID.
pub fn begin(state: &mut State, start: Start<'_>) -> String {
    let id = state.rng.uuid();
    let reads = matches!(start.work, Work::Query(_));
    let op = (!reads).then(|| {
        state.ops.begin(
            state.now,
            &NewOp {
                provider: Provider::Azure,
                operation: &start.call.operation,
                resource: start.resource,
                kind: start.kind,
                seconds: start.seconds,
                names: &start.names,
                locks: &start.locks,
            },
        )
    });
    let State { faults, rng, .. } = state;
    let fail = faults.take(rng, start.call, &[Effect::LroFails]).map(|a| {
        let code = a.fault.code.unwrap_or_else(|| "InternalServerError".into());
        ArmError::new(a.fault.status.unwrap_or(500), &code, "An error occurred.")
    });
    let vanished = faults
        .take(rng, start.call, &[Effect::LroVanishes])
        .is_some();
    let due = state.now.plus_secs(start.seconds);
    // Finished operations can be asked about for a while; then they are forgotten.
    let horizon = state.now.plus_secs(-7200.0);
    state.azure.lros.retain(|_, l| l.due > horizon);
    state.azure.lros.insert(
        id.clone(),
        Lro {
            op,
            subscription: start.subscription.to_owned(),
            location: start.location.to_owned(),
            due,
            outcome: Outcome::Running,
            work: start.work,
            fail,
            vanished,
            api_version: start.api_version.to_owned(),
        },
    );
    state.schedule(
        due,
        state::Event::Arm(Event::OperationDue { id: id.clone() }),
    );
    id
}

/// The operation is due: carries it out and keeps its outcome.
pub fn end(state: &mut State, id: &str) {
    let Some(lro) = state.azure.lros.get(id).cloned() else {
        return;
    };
    if !matches!(lro.outcome, Outcome::Running) {
        return;
    }
    let outcome = match finish::run(state, id, &lro) {
        Ok(result) => Outcome::Done(result),
        Err(e) => Outcome::Failed(e),
    };
    if let Some(l) = state.azure.lros.get_mut(id) {
        l.outcome = outcome;
    }
    if let Some(op) = lro.op {
        let now = state.now;
        state.ops.finish(op, now);
    }
}

/// URL of an operation's status; `result` chooses the Location dialect.
pub fn url(state: &State, base: &str, id: &str, result: bool) -> String {
    let Some(l) = state.azure.lros.get(id) else {
        return String::new();
    };
    let what = if result {
        "operationResults"
    } else {
        "operations"
    };
    format!(
        "{base}/subscriptions/{}/providers/Microsoft.Network/locations/{}/{what}/{id}?api-version={}",
        l.subscription, l.location, l.api_version
    )
}

/// How often the service asks to be polled: shorter for quick work.
fn retry_after(state: &State, id: &str) -> String {
    let left = state
        .azure
        .lros
        .get(id)
        .map_or(0.0, |l| l.due.secs_since(state.now));
    let secs = if left > 60.0 {
        10
    } else if left > 15.0 {
        5
    } else {
        2
    };
    secs.to_string()
}

/// Adds the headers of an accepted operation.
pub fn headers(state: &State, req: &Req, res: Res, id: &str, status: bool, location: bool) -> Res {
    let mut res = res.with("retry-after", &retry_after(state, id));
    if status {
        res = res.with("azure-asyncoperation", &url(state, &req.base, id, false));
    }
    if location {
        res = res.with("location", &url(state, &req.base, id, true));
    }
    res
}

/// Answers a poll.
pub fn poll(state: &State, req: &Req, id: &str, result: bool) -> Res {
    let Some(lro) = state.azure.lros.get(id).filter(|l| !l.vanished) else {
        return ArmError::new(
            404,
            "OperationNotFound",
            format!("The operation {id} was not found."),
        )
        .answer();
    };
    if result {
        return match &lro.outcome {
            Outcome::Running => headers(state, req, Res::empty(202), id, false, true),
            Outcome::Done(Some(value)) => Res::json(200, value),
            Outcome::Done(None) => Res::empty(204),
            Outcome::Failed(e) => e.answer(),
        };
    }
    match &lro.outcome {
        Outcome::Running => {
            let res = Res::json(200, &json!({"status": "InProgress"}));
            headers(state, req, res, id, false, false)
        }
        Outcome::Done(_) => Res::json(200, &json!({"status": "Succeeded"})),
        Outcome::Failed(e) => Res::json(200, &json!({"status": "Failed", "error": e.object()})),
    }
}

/// The running ARM operation behind an entry of `GET /operations`.
pub fn of_op(state: &State, op: u64) -> Option<&str> {
    state
        .azure
        .lros
        .iter()
        .find(|(_, l)| l.op == Some(op))
        .map(|(id, _)| id.as_str())
}
