//! The Direct Connect API (awsJson1.1): dispatch, envelopes, reading of inputs. Five error types are modelled; almost
//! everything is a `DirectConnectClientException` whose text says what it was (aws.md §1.1).

mod association;
mod connection;
mod failover;
mod gateway;
mod own_vif;
mod routes;
mod steps;
mod tags;
mod vif;

use super::visible_at;
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Provider, Req, Res};
pub(super) use own_vif::auto_addresses;
use serde_json::{Value, json};
pub use steps::{Step, on_step};
pub(super) use vif::release as release_vif;
pub use vif::{bgp_up, shown_state};

const TARGET: &str = "OvertureService.";

/// Carries out one operation.
type Run = fn(&mut Ctx<'_>) -> Result<Value, Fault>;

/// The operations that exist here.
const OPERATIONS: &[(&str, Run)] = &[
    ("DescribeVirtualInterfaces", vif::describe),
    ("ConfirmPrivateVirtualInterface", vif::confirm),
    ("CreatePrivateVirtualInterface", own_vif::create),
    ("UpdateVirtualInterfaceAttributes", vif::update),
    ("DeleteVirtualInterface", vif::delete),
    ("ListVirtualInterfaceRoutes", routes::list_routes),
    ("DescribeConnections", connection::describe),
    ("ConfirmConnection", connection::confirm),
    ("DescribeLocations", connection::locations),
    ("CreateDirectConnectGateway", gateway::create),
    ("DescribeDirectConnectGateways", gateway::describe),
    ("UpdateDirectConnectGateway", gateway::update),
    ("DeleteDirectConnectGateway", gateway::delete),
    (
        "DescribeDirectConnectGatewayAttachments",
        gateway::attachments,
    ),
    ("DescribeVirtualGateways", gateway::virtual_gateways),
    ("CreateDirectConnectGatewayAssociation", association::create),
    (
        "DescribeDirectConnectGatewayAssociations",
        association::describe,
    ),
    ("UpdateDirectConnectGatewayAssociation", association::update),
    ("DeleteDirectConnectGatewayAssociation", association::delete),
    ("TagResource", tags::tag),
    ("UntagResource", tags::untag),
    ("DescribeTags", tags::describe),
    ("StartBgpFailoverTest", failover::start),
    ("StopBgpFailoverTest", failover::stop),
    ("ListVirtualInterfaceTestHistory", failover::history),
];

/// A refusal in Direct Connect's terms.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fault {
    status: u16,
    code: &'static str,
    message: String,
}

impl Fault {
    fn client(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: "DirectConnectClientException",
            message: message.into(),
        }
    }
    /// Absence has no error type of its own: clients look for these words (aws.md §1.1).
    fn missing(what: &str, id: &str) -> Self {
        Self::client(format!("{what} with ID {id} does not exist"))
    }
    fn other(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }
}

/// One request being carried out.
struct Ctx<'a> {
    state: &'a mut State,
    input: Value,
    region: &'a str,
    call: &'a Call,
    /// The moment that reads show.
    seen_at: SimTime,
}

impl Ctx<'_> {
    fn now(&self) -> SimTime {
        self.state.now
    }
    fn account(&self) -> String {
        self.state.world.aws.account_id.clone()
    }
    fn visible_at(&mut self) -> SimTime {
        visible_at(self.state, "directconnect")
    }
    fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        text(&self.input, name)
    }
    fn need(&self, name: &str) -> Result<String, Fault> {
        need(&self.input, name)
    }
    fn int(&self, name: &str) -> Result<Option<i64>, Fault> {
        int(&self.input, name)
    }
    fn list(&self, name: &str) -> Result<Option<Vec<Value>>, Fault> {
        list(&self.input, name)
    }
    /// A page of `all` by `maxResults` (clamped to 100, aws.md §1.9) and `nextToken`, with the next token.
    fn page(&self, all: Vec<Value>) -> Result<(Vec<Value>, Option<String>), Fault> {
        let size = match self.int("maxResults")? {
            Some(n) if n < 1 => return Err(Fault::client("maxResults must be at least 1")),
            Some(n) => usize::try_from(n.min(100)).unwrap_or(100),
            None => 100,
        };
        let start = match self.text("nextToken")? {
            None => 0,
            Some(t) => t
                .strip_prefix("page-")
                .and_then(|n| n.parse::<usize>().ok())
                .ok_or_else(|| Fault::client("The nextToken is not valid"))?,
        };
        let total = all.len();
        let page: Vec<Value> = all.into_iter().skip(start).take(size).collect();
        let end = start + page.len();
        Ok((page, (end < total).then(|| format!("page-{end}"))))
    }
}

fn wrong_type(name: &str) -> Fault {
    Fault::other(
        "SerializationException",
        format!("The member {name} has a value of the wrong type"),
    )
}

fn text(input: &Value, name: &str) -> Result<Option<String>, Fault> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok(Some(s.clone())),
        Some(_) => Err(wrong_type(name)),
    }
}

fn need(input: &Value, name: &str) -> Result<String, Fault> {
    text(input, name)?
        .filter(|s| !s.is_empty())
        .ok_or_else(|| Fault::client(format!("The parameter {name} is required")))
}

fn int(input: &Value, name: &str) -> Result<Option<i64>, Fault> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(v) => v.as_i64().map(Some).ok_or_else(|| wrong_type(name)),
    }
}

fn boolean(input: &Value, name: &str) -> Result<Option<bool>, Fault> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(v) => v.as_bool().map(Some).ok_or_else(|| wrong_type(name)),
    }
}

fn list(input: &Value, name: &str) -> Result<Option<Vec<Value>>, Fault> {
    match input.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(a)) => Ok(Some(a.clone())),
        Some(_) => Err(wrong_type(name)),
    }
}

/// A list answer with its token; the token is left out at the end.
fn paged(name: &str, page: (Vec<Value>, Option<String>)) -> Value {
    let mut v = json!({ name: page.0 });
    if let Some(token) = page.1 {
        v["nextToken"] = json!(token);
    }
    v
}

/// Epoch seconds, as awsJson prints times.
fn epoch(at: SimTime) -> Value {
    json!(at.0 as f64 / 1000.0)
}

fn target(req: &Req) -> &str {
    req.header("x-amz-target")
        .and_then(|t| t.strip_prefix(TARGET))
        .unwrap_or_default()
}

/// Names the operation and the first resource that it is about.
pub fn name(req: &Req) -> Call {
    let operation = target(req).to_owned();
    let input = req.json().unwrap_or(Value::Null);
    let first = |n: &str| {
        input
            .get(n)
            .map(|v| v.get(0).unwrap_or(v))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let resource = [
        "virtualInterfaceId",
        "associationId",
        "directConnectGatewayId",
        "connectionId",
        "resourceArn",
        "resourceArns",
        "associatedGatewayId",
    ]
    .into_iter()
    .find_map(first);
    Call {
        provider: Provider::Aws,
        mutating: !operation.starts_with("Describe") && !operation.starts_with("List"),
        operation,
        resource,
        principal: String::new(),
    }
}

/// Whether a call was to Direct Connect: EC2 has an operation DescribeTags too.
pub fn is_operation(call: &Call) -> bool {
    if call.operation == "DescribeTags" {
        return call
            .resource
            .as_ref()
            .is_some_and(|r| r.starts_with("arn:aws:directconnect:"));
    }
    OPERATIONS.iter().any(|(n, _)| *n == call.operation)
}

/// Direct Connect's error envelope (aws.md §6.1).
pub fn error(status: u16, code: &str, message: &str) -> Res {
    let body = json!({"__type": code, "message": message});
    Res::new(status, "application/x-amz-json-1.1", body.to_string()).with("x-amzn-errortype", code)
}

pub fn handle(state: &mut State, call: &Call, req: &Req, region: &str) -> Res {
    match run(state, call, req, region) {
        Ok(v) => Res::new(200, "application/x-amz-json-1.1", v.to_string()),
        Err(f) => error(f.status, f.code, &f.message),
    }
}

fn run(state: &mut State, call: &Call, req: &Req, region: &str) -> Result<Value, Fault> {
    let Some((_, run)) = OPERATIONS.iter().find(|(n, _)| *n == call.operation) else {
        return Err(Fault::other(
            "UnknownOperationException",
            format!("Unknown operation {}", call.operation),
        ));
    };
    // The model prefers CBOR; this endpoint speaks JSON only, which every client falls back to (aws.md §1.1).
    let json = req
        .header("content-type")
        .is_some_and(|c| c.starts_with("application/x-amz-json-1.1"));
    let input = if json { req.json() } else { None };
    let input = input
        .map(|v| if v.is_null() { json!({}) } else { v })
        .filter(Value::is_object)
        .ok_or_else(|| {
            Fault::other(
                "SerializationException",
                "The body must be a JSON object of type application/x-amz-json-1.1",
            )
        })?;
    let seen_at = state.now;
    run(&mut Ctx {
        state,
        input,
        region,
        call,
        seen_at,
    })
}

/// An ID like `dxvif-fh12ab34`.
fn new_id(state: &mut State, prefix: &str) -> String {
    format!("{prefix}-f{}", state.rng.hex(7))
}

/// CIDR blocks of a list of `{cidr}`.
fn cidrs(input: &Value, name: &str) -> Result<Vec<ipnet::Ipv4Net>, Fault> {
    let mut out = Vec::new();
    for entry in list(input, name)?.unwrap_or_default() {
        let text = need(&entry, "cidr")?;
        let net: ipnet::Ipv4Net = text
            .parse()
            .map_err(|_| Fault::client(format!("{text} is not a valid CIDR block")))?;
        if net.trunc() != net || out.contains(&net) {
            return Err(Fault::client(format!(
                "{text} is not a network address, or is listed twice"
            )));
        }
        out.push(net);
    }
    Ok(out)
}
