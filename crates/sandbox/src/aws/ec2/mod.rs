//! The EC2 API (Query protocol, version 2016-11-15): dispatch, envelopes and the checks that all operations share.

mod change;
mod connection;
mod customer;
mod fault;
mod filter;
mod options;
mod params;
mod print;
mod steps;
mod table;
mod tags;
mod vgw;
mod vpc;
mod vpn_status;

use super::identify::query_params;
use super::visible_at;
use super::xml::{Xml, escape};
use crate::state::State;
use crate::time::SimTime;
use crate::wire::{Call, Provider, Req, Res};
pub use change::{outside_addresses, replace_tunnel};
use fault::Fault;
use params::Params;
pub use steps::{Step, on_step};
pub(super) use vgw::private_asn;

const VERSION: &str = "2016-11-15";

/// One request being carried out.
struct Ctx<'a> {
    state: &'a mut State,
    params: Params,
    region: &'a str,
    call: &'a Call,
    /// The moment that reads show.
    seen_at: SimTime,
}

impl Ctx<'_> {
    fn now(&self) -> SimTime {
        self.state.now
    }
    fn visible_at(&mut self) -> SimTime {
        visible_at(self.state, "ec2")
    }
    /// A parameter that must be there, as an owned value.
    fn need(&self, name: &str) -> Result<String, Fault> {
        self.params.need(name).map(str::to_owned)
    }
    fn new_id(&mut self, prefix: &str) -> String {
        format!("{prefix}-{}", self.state.rng.hex(17))
    }
    /// Cuts a page out of `all` by `MaxResults` and `NextToken`; answers it with the next token.
    fn page<T>(&self, all: Vec<T>, min: i64, max: i64) -> Result<(Vec<T>, Option<String>), Fault> {
        let size = match self.params.int("MaxResults")? {
            Some(n) if (min..=max).contains(&n) => Some(usize::try_from(n).unwrap_or(usize::MAX)),
            Some(n) => {
                return Err(Fault::invalid(
                    "maxResults",
                    &n.to_string(),
                    &format!("Expecting a value between {min} and {max}"),
                ));
            }
            None => None,
        };
        let start = match self.params.get("NextToken") {
            None => 0,
            Some(t) => t
                .strip_prefix("eyJuIjo")
                .and_then(|n| usize::from_str_radix(n, 16).ok())
                .ok_or_else(|| Fault::client("InvalidNextToken", "The token is not valid"))?,
        };
        let total = all.len();
        let size = size.unwrap_or(usize::try_from(max).unwrap_or(usize::MAX));
        let page: Vec<T> = all.into_iter().skip(start).take(size).collect();
        let end = start + page.len();
        let next = (end < total).then(|| format!("eyJuIjo{end:04x}"));
        Ok((page, next))
    }
}

/// Names the operation and the first resource that it is about.
pub fn name(req: &Req) -> Call {
    let params = Params::new(query_params(req));
    let operation = params.get("Action").unwrap_or_default().to_owned();
    let reads = ["Describe", "Get", "List"]
        .iter()
        .any(|p| operation.starts_with(p));
    let dry = params.bool("DryRun").ok().flatten().unwrap_or(false);
    let resource = [
        "VpnConnectionId",
        "VpnConnectionId.1",
        "RouteTableId",
        "RouteTableId.1",
        "CustomerGatewayId",
        "CustomerGatewayId.1",
        "VpnGatewayId",
        "VpnGatewayId.1",
        "VpcId",
        "VpcId.1",
        "ResourceId.1",
    ]
    .iter()
    .find_map(|n| params.get(n))
    .map(str::to_owned);
    Call {
        provider: Provider::Aws,
        mutating: !reads && !dry,
        operation,
        resource,
        principal: String::new(),
    }
}

/// EC2's error envelope (aws.md §6.1).
pub fn error(status: u16, code: &str, message: &str, request_id: &str) -> Res {
    // What is refused before it is handled has no place in the call log yet, but every answer has an ID.
    let request_id = if request_id.is_empty() {
        "00000000-0000-4000-8000-0000000000e0"
    } else {
        request_id
    };
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>",
        escape(code),
        escape(message)
    );
    Res::new(status, "text/xml;charset=UTF-8", body)
}

pub fn handle(state: &mut State, call: &Call, req: &Req, region: &str, request_id: &str) -> Res {
    match run(state, call, req, region) {
        Ok(x) => {
            let action = &call.operation;
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/{VERSION}/\"><requestId>{request_id}</requestId>{}</{action}Response>",
                x.into_string()
            );
            Res::new(200, "text/xml;charset=UTF-8", body)
        }
        Err(f) => error(f.status, &f.code, &f.message, request_id),
    }
}

fn run(state: &mut State, call: &Call, req: &Req, region: &str) -> Result<Xml, Fault> {
    let params = Params::new(query_params(req));
    let Some(op) = table::find(&call.operation) else {
        return Err(Fault::client(
            "InvalidAction",
            format!(
                "The action {} is not valid for this web service.",
                call.operation
            ),
        ));
    };
    match params.get("Version") {
        Some(VERSION) => {}
        other => {
            return Err(Fault::client(
                "NoSuchVersion",
                format!(
                    "The requested version ({}) of service AmazonEC2 does not exist",
                    other.unwrap_or_default()
                ),
            ));
        }
    }
    params.check_known(op.parameters)?;
    // DryRun checks the permission only, not quotas or the state of things (aws.md §2.10).
    if params.bool("DryRun")? == Some(true) {
        return Err(Fault::new(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        ));
    }
    let seen_at = state.now;
    (op.run)(&mut Ctx {
        state,
        params,
        region,
        call,
        seen_at,
    })
}

/// `<return>true</return>`: success of an operation without a result.
fn done() -> Xml {
    let mut x = Xml::new();
    x.leaf("return", true);
    x
}
