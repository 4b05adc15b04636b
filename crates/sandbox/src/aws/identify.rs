//! Who calls what: the service by the credential scope (unsigned STS calls by their Action), the operation by Action or
//! target, the caller by a verified signature. Refuses like the service that was meant.

use super::sigv4::{Authorization, Failure};
use super::{dx, ec2, sts};
use crate::state::State;
use crate::wire::{Call, Listener, Provider, Req, Res};
use std::time::{SystemTime, UNIX_EPOCH};

/// An AWS service that the listener answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Ec2,
    DirectConnect,
    Sts,
}

/// Wall time in seconds since the epoch: signatures and sessions live in it.
pub fn wall_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// Service and region of a request that was let in.
pub fn scope(req: &Req) -> (Service, String) {
    match authorization(req) {
        Some(a) => (
            service_of(&a.service).unwrap_or(Service::Sts),
            a.region.clone(),
        ),
        None => (Service::Sts, "us-east-1".to_owned()),
    }
}

fn authorization(req: &Req) -> Option<Authorization> {
    req.header("authorization").and_then(Authorization::parse)
}

fn service_of(name: &str) -> Option<Service> {
    match name {
        "ec2" => Some(Service::Ec2),
        "directconnect" => Some(Service::DirectConnect),
        "sts" => Some(Service::Sts),
        _ => None,
    }
}

/// A parameter of the Query protocols: in the body of a POST, in the query of a GET.
pub fn query_params(req: &Req) -> Vec<(String, String)> {
    if req.body.is_empty() {
        req.query.clone()
    } else {
        req.form()
    }
}

/// The service that a request without a usable signature was meant for.
fn guess(req: &Req) -> Service {
    if req.header("x-amz-target").is_some() {
        Service::DirectConnect
    } else if query_params(req)
        .iter()
        .any(|(k, v)| k == "Action" && sts::is_operation(v))
    {
        Service::Sts
    } else {
        Service::Ec2
    }
}

fn refuse(service: Service, status: u16, code: &str, message: &str) -> Box<Res> {
    Box::new(match service {
        Service::Ec2 => ec2::error(status, code, message, ""),
        Service::DirectConnect => dx::error(status, code, message),
        Service::Sts => sts::error(status, code, message, ""),
    })
}

/// Says what a request is and who sent it, or refuses it as AWS does.
pub fn identify(state: &State, _listener: Listener, req: &Req) -> Result<Call, Box<Res>> {
    let Some(auth) = authorization(req) else {
        let service = guess(req);
        let params = query_params(req);
        let action = params.iter().find(|(k, _)| k == "Action");
        if let Some((_, action)) = action.filter(|(_, a)| a == "AssumeRoleWithWebIdentity") {
            return Ok(Call {
                provider: Provider::Aws,
                operation: action.clone(),
                mutating: false,
                resource: None,
                principal: String::new(),
            });
        }
        return Err(refuse(
            service,
            403,
            "MissingAuthenticationToken",
            "Request is missing Authentication Token",
        ));
    };
    let Some(service) = service_of(&auth.service) else {
        return Err(refuse(
            guess(req),
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to correct service: 'ec2', 'directconnect' or 'sts'.",
        ));
    };
    let principal = authenticate(state, service, &auth, req)?;
    let known_region = service == Service::Sts || state.world.aws.regions.contains(&auth.region);
    if !known_region {
        let (status, code) = codes(service).unknown;
        return Err(refuse(
            service,
            status,
            code,
            "Credential should be scoped to a valid region.",
        ));
    }
    let mut call = match service {
        Service::Ec2 => ec2::name(req),
        Service::DirectConnect => dx::name(req),
        Service::Sts => sts::name(req),
    };
    call.principal = principal;
    Ok(call)
}

/// How a service spells its refusals.
struct Codes {
    unknown: (u16, &'static str),
    mismatch: (u16, &'static str),
    expired: (u16, &'static str),
}

fn codes(service: Service) -> Codes {
    match service {
        Service::Ec2 => Codes {
            unknown: (401, "AuthFailure"),
            mismatch: (403, "SignatureDoesNotMatch"),
            expired: (400, "RequestExpired"),
        },
        Service::DirectConnect => Codes {
            unknown: (400, "UnrecognizedClientException"),
            mismatch: (400, "InvalidSignatureException"),
            expired: (400, "InvalidSignatureException"),
        },
        Service::Sts => Codes {
            unknown: (403, "InvalidClientTokenId"),
            mismatch: (403, "SignatureDoesNotMatch"),
            expired: (403, "SignatureDoesNotMatch"),
        },
    }
}

fn authenticate(
    state: &State,
    service: Service,
    auth: &Authorization,
    req: &Req,
) -> Result<String, Box<Res>> {
    let codes = codes(service);
    let unknown = || {
        let message = if service == Service::Ec2 {
            "AWS was not able to validate the provided access credentials"
        } else {
            "The security token included in the request is invalid."
        };
        refuse(service, codes.unknown.0, codes.unknown.1, message)
    };
    let now = wall_now();
    let keys = &state.world.aws.access_keys;
    let (secret, principal) =
        if let Some(key) = keys.iter().find(|k| k.access_key_id == auth.access_key) {
            (&key.secret_access_key, &key.principal)
        } else if let Some(session) = state.aws.sessions.get(&auth.access_key) {
            if req.header("x-amz-security-token") != Some(session.token.as_str()) {
                return Err(unknown());
            }
            if session.expires <= now {
                let (status, code) = match service {
                    Service::Ec2 => (400, "RequestExpired"),
                    Service::DirectConnect => (400, "ExpiredTokenException"),
                    Service::Sts => (403, "ExpiredToken"),
                };
                return Err(refuse(
                    service,
                    status,
                    code,
                    "The security token included in the request is expired",
                ));
            }
            (&session.secret, &session.principal)
        } else {
            return Err(unknown());
        };
    match auth.verify(req, secret, now) {
        Ok(()) => Ok(principal.clone()),
        Err(Failure::Skew(skew)) => {
            let message = if skew > 0 {
                "Request has expired. Signature expired: it is earlier than the permitted 15 min."
            } else {
                "Signature not yet current: the request's time is in the future."
            };
            Err(refuse(service, codes.expired.0, codes.expired.1, message))
        }
        Err(_) => Err(refuse(
            service,
            codes.mismatch.0,
            codes.mismatch.1,
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        )),
    }
}
