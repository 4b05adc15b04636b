//! STS as far as SDKs need it: who am I, and temporary credentials by role. Sessions live in wall time.

use super::identify::{query_params, wall_now};
use super::objects::Session;
use super::xml::{Xml, escape};
use crate::state::State;
use crate::wire::{Call, Provider, Req, Res};

const OPERATIONS: [&str; 3] = [
    "GetCallerIdentity",
    "AssumeRole",
    "AssumeRoleWithWebIdentity",
];
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub fn is_operation(action: &str) -> bool {
    OPERATIONS.contains(&action)
}

pub fn name(req: &Req) -> Call {
    let params = query_params(req);
    let get = |name: &str| {
        params
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.clone())
    };
    Call {
        provider: Provider::Aws,
        operation: get("Action").unwrap_or_default(),
        mutating: false,
        resource: get("RoleArn"),
        principal: String::new(),
    }
}

pub fn error(status: u16, code: &str, message: &str, request_id: &str) -> Res {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
        escape(code),
        escape(message)
    );
    Res::new(status, "text/xml", body)
}

fn answer(action: &str, request_id: &str, result: Xml) -> Res {
    let body = format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{}</{action}Result><ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>",
        result.into_string()
    );
    Res::new(200, "text/xml", body)
}

pub fn handle(state: &mut State, call: &Call, req: &Req, request_id: &str) -> Res {
    let params = query_params(req);
    let get = |name: &str| {
        params
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
    };
    if !is_operation(&call.operation) {
        return error(
            400,
            "InvalidAction",
            &format!(
                "Could not find operation {} for version 2011-06-15",
                call.operation
            ),
            request_id,
        );
    }
    if get("Version") != Some("2011-06-15") {
        return error(
            400,
            "NoSuchVersion",
            "The requested version does not exist",
            request_id,
        );
    }
    let account = state.world.aws.account_id.clone();
    if call.operation == "GetCallerIdentity" {
        // A session shows as the role's session, a user as the user.
        let key = req
            .header("authorization")
            .and_then(super::sigv4::Authorization::parse)
            .map(|a| a.access_key)
            .unwrap_or_default();
        let mut x = Xml::new();
        match state.aws.sessions.get(&key) {
            Some(s) => x
                .leaf("Arn", format!("arn:aws:sts::{account}:{}", s.resource))
                .leaf(
                    "UserId",
                    format!("AROACAUSEWAYLAB000001:{}", session_name(&s.resource)),
                ),
            None => x
                .leaf(
                    "Arn",
                    format!("arn:aws:iam::{account}:user/{}", call.principal),
                )
                .leaf("UserId", key.replace("AKIA", "AIDA")),
        };
        x.leaf("Account", &account);
        return answer(&call.operation, request_id, x);
    }
    assume(state, call, &get, &account, request_id)
}

fn session_name(resource: &str) -> &str {
    resource.rsplit('/').next().unwrap_or(resource)
}

fn assume<'a>(
    state: &mut State,
    call: &Call,
    get: &impl Fn(&str) -> Option<&'a str>,
    account: &str,
    request_id: &str,
) -> Res {
    let web = call.operation == "AssumeRoleWithWebIdentity";
    let invalid = |message: &str| error(400, "ValidationError", message, request_id);
    let Some(arn) = get("RoleArn").filter(|a| (20..=2048).contains(&a.len())) else {
        return invalid("Value at 'roleArn' failed to satisfy constraint: length 20 to 2048");
    };
    let Some(session) = get("RoleSessionName").filter(|s| {
        (2..=64).contains(&s.len())
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
    }) else {
        return invalid(
            "Value at 'roleSessionName' failed to satisfy constraint: [\\w+=,.@-]{2,64}",
        );
    };
    let seconds = match get("DurationSeconds").map_or(Ok(3600), str::parse::<i64>) {
        Ok(s) if (900..=43200).contains(&s) => s,
        _ => {
            return invalid(
                "Value at 'durationSeconds' failed to satisfy constraint: 900 to 43200",
            );
        }
    };
    if web && get("WebIdentityToken").is_none_or(|t| t.split('.').count() != 3) {
        return error(
            400,
            "InvalidIdentityToken",
            "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
            request_id,
        );
    }
    let role = state
        .world
        .aws
        .roles
        .iter()
        .find(|r| arn == format!("arn:aws:iam::{account}:role/{}", r.name))
        .filter(|r| r.external_id.is_none() || r.external_id.as_deref() == get("ExternalId"))
        .cloned();
    let Some(role) = role else {
        return error(
            403,
            "AccessDenied",
            &format!(
                "User is not authorized to perform: sts:{} on resource: {arn}",
                call.operation
            ),
            request_id,
        );
    };
    let key = format!("ASIA{}", state.rng.hex(16).to_uppercase());
    let expires = wall_now() + seconds;
    let made = Session {
        secret: state.rng.hex(40),
        token: state.rng.hex(128),
        principal: role.principal.clone(),
        resource: format!("assumed-role/{}/{session}", role.name),
        expires,
    };
    let until = jiff::Timestamp::from_second(expires)
        .map(|t| t.to_string())
        .unwrap_or_default();
    let mut x = Xml::new();
    x.node("Credentials", |x| {
        x.leaf("AccessKeyId", &key)
            .leaf("SecretAccessKey", &made.secret)
            .leaf("SessionToken", &made.token)
            .leaf("Expiration", until);
    })
    .node("AssumedRoleUser", |x| {
        x.leaf("AssumedRoleId", format!("AROACAUSEWAYLAB000001:{session}"))
            .leaf("Arn", format!("arn:aws:sts::{account}:{}", made.resource));
    });
    state.aws.sessions.insert(key, made);
    answer(&call.operation, request_id, x)
}
