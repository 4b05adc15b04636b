//! The providers' token buckets, refilled in simulated time.
//!
//! Only what the references publish or call believed is here: ARM's buckets per principal and kind of operation and the
//! network provider's own per region (azure.md §1.5), EC2's buckets per account (aws.md §3), a strict bucket for Direct
//! Connect (aws.md §3: "believed stricter"). Megaport publishes none and gets none. A world file may change or switch
//! off each of them (`throttles`).

use crate::time::SimTime;
use crate::wire::{Call, Listener, Req, Res};
use crate::world::World;
use crate::{arm, aws};
use http::Method;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A bucket's size and refill.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limit {
    /// Requests that may come at once. 0 switches the bucket off.
    pub burst: u32,
    /// Requests that come back per simulated second.
    pub per_second: f64,
}

/// The default buckets, by the name that a world file may override them with.
pub const LIMITS: [(&str, Limit); 9] = [
    ("arm.reads", limit(250, 25.0)),
    ("arm.writes", limit(200, 10.0)),
    ("arm.deletes", limit(200, 10.0)),
    // Microsoft.Network's own, per region: 10000 reads and 1000 changes in five minutes.
    ("arm.network.reads", limit(10_000, 10_000.0 / 300.0)),
    ("arm.network.changes", limit(1000, 1000.0 / 300.0)),
    ("ec2.describe", limit(100, 20.0)),
    ("ec2.describe.unfiltered", limit(50, 10.0)),
    ("ec2.mutating", limit(50, 5.0)),
    ("directconnect", limit(50, 5.0)),
];

/// The subscription-wide cap over all principals is this many times the cap of one (azure.md §1.5).
const ALL_PRINCIPALS: u32 = 15;

const fn limit(burst: u32, per_second: f64) -> Limit {
    Limit { burst, per_second }
}

/// Tokens in thousandths: an integer, so that a saved state continues exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    milli: i64,
    at: SimTime,
    /// Requests before this moment are refused whatever the bucket holds (azure.md §1.5).
    not_before: SimTime,
}

/// All buckets that were ever used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    buckets: BTreeMap<String, Bucket>,
}

/// No token was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Whole simulated seconds until a request may pass, at least 1.
    pub retry_after: u64,
}

impl Throttle {
    /// Takes a token from bucket `key`; answers how many are left.
    pub fn take(&mut self, key: &str, limit: Limit, now: SimTime) -> Result<u64, Refused> {
        if limit.burst == 0 {
            return Ok(u64::MAX);
        }
        let full = i64::from(limit.burst) * 1000;
        if !self.buckets.contains_key(key) {
            let new = Bucket {
                milli: full,
                at: now,
                not_before: SimTime(i64::MIN),
            };
            self.buckets.insert(key.to_owned(), new);
        }
        let Some(bucket) = self.buckets.get_mut(key) else {
            return Ok(0);
        };
        // A token is a thousand thousandths, a second a thousand milliseconds: the rate per millisecond is `per_second`.
        let refill = ((now.0 - bucket.at.0) as f64 * limit.per_second) as i64;
        if refill > 0 || bucket.milli >= full {
            bucket.milli = full.min(bucket.milli.saturating_add(refill));
            bucket.at = now;
        }
        if bucket.milli >= 1000 && now >= bucket.not_before {
            bucket.milli -= 1000;
            return Ok((bucket.milli / 1000) as u64);
        }
        if now >= bucket.not_before {
            let missing = (1000 - bucket.milli).max(0) as f64 / 1000.0;
            let wait = (missing / limit.per_second.max(1e-6)).ceil().max(1.0);
            bucket.not_before = now.plus_secs(wait);
        }
        let retry_after = (bucket.not_before.secs_since(now).ceil() as u64).max(1);
        Err(Refused { retry_after })
    }
}

/// A world's value for a bucket.
fn of(world: &World, name: &str) -> Limit {
    world
        .throttles
        .get(name)
        .copied()
        .or_else(|| LIMITS.iter().find(|(n, _)| *n == name).map(|(_, l)| *l))
        .unwrap_or(limit(0, 0.0))
}

/// What a request that may pass carries away: headers for its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Passed {
    headers: Vec<(&'static str, String)>,
}

impl Passed {
    /// Adds the provider's rate-limit headers to an answer.
    pub fn mark(&self, mut res: Res) -> Res {
        for (name, value) in &self.headers {
            res = res.with(name, value);
        }
        res
    }
}

/// Takes the tokens of a request, or refuses it in the provider's own words.
pub fn admit(
    throttle: &mut Throttle,
    world: &World,
    now: SimTime,
    listener: Listener,
    call: &Call,
    req: &Req,
) -> Result<Passed, Box<Res>> {
    match listener {
        Listener::Azure => admit_arm(throttle, world, now, call, req),
        Listener::Aws => admit_aws(throttle, world, now, call, req),
        _ => Ok(Passed::default()),
    }
}

fn admit_arm(
    throttle: &mut Throttle,
    world: &World,
    now: SimTime,
    call: &Call,
    req: &Req,
) -> Result<Passed, Box<Res>> {
    let (kind, header, own) = match req.method {
        Method::GET | Method::HEAD => (
            "arm.reads",
            "x-ms-ratelimit-remaining-subscription-reads",
            Some("arm.network.reads"),
        ),
        Method::DELETE => (
            "arm.deletes",
            "x-ms-ratelimit-remaining-subscription-deletes",
            Some("arm.network.changes"),
        ),
        Method::PUT => (
            "arm.writes",
            "x-ms-ratelimit-remaining-subscription-writes",
            Some("arm.network.changes"),
        ),
        _ => (
            "arm.writes",
            "x-ms-ratelimit-remaining-subscription-writes",
            None,
        ),
    };
    let one = of(world, kind);
    let all = Limit {
        burst: one.burst * ALL_PRINCIPALS,
        per_second: one.per_second * f64::from(ALL_PRINCIPALS),
    };
    let refuse = |r: Refused, code: &str| {
        let message = format!(
            "The request is being throttled as the limit has been reached for operation type '{kind}'. Try again after \
             '{}' seconds.",
            r.retry_after
        );
        Box::new(arm::error(429, code, &message).with("retry-after", &r.retry_after.to_string()))
    };
    let left = throttle
        .take(&format!("{kind}/{}", call.principal), one, now)
        .map_err(|r| refuse(r, "SubscriptionRequestsThrottled"))?;
    throttle
        .take(&format!("{kind}/*"), all, now)
        .map_err(|r| refuse(r, "SubscriptionRequestsThrottled"))?;
    if let Some(own) = own {
        throttle
            .take(own, of(world, own), now)
            .map_err(|r| refuse(r, "TooManyRequests"))?;
    }
    let headers = if left == u64::MAX {
        Vec::new()
    } else {
        vec![(header, left.to_string())]
    };
    Ok(Passed { headers })
}

fn admit_aws(
    throttle: &mut Throttle,
    world: &World,
    now: SimTime,
    call: &Call,
    req: &Req,
) -> Result<Passed, Box<Res>> {
    // Direct Connect is the one service here that speaks AWS JSON, which names the operation in a header.
    if req.header("x-amz-target").is_some() {
        return throttle
            .take("directconnect", of(world, "directconnect"), now)
            .map(|_| Passed::default())
            .map_err(|_| {
                Box::new(aws::error(
                    call,
                    400,
                    "ThrottlingException",
                    "Rate exceeded",
                ))
            });
    }
    // STS has no bucket worth simulating; its query API has another version than EC2's.
    let form = req.form();
    if form
        .iter()
        .any(|(k, v)| k == "Version" && v == "2011-06-15")
    {
        return Ok(Passed::default());
    }
    let narrowed = form
        .iter()
        .any(|(k, _)| k.starts_with("Filter.") || k == "MaxResults" || k.ends_with("Id.1"));
    let name = match (call.mutating, narrowed) {
        (true, _) => "ec2.mutating",
        (false, true) => "ec2.describe",
        (false, false) => "ec2.describe.unfiltered",
    };
    throttle
        .take(name, of(world, name), now)
        .map(|_| Passed::default())
        .map_err(|_| {
            Box::new(aws::error(
                call,
                503,
                "RequestLimitExceeded",
                "Request limit exceeded.",
            ))
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills_in_simulated_time() {
        let mut t = Throttle::default();
        let l = limit(3, 2.0);
        let now = SimTime(0);
        assert_eq!(t.take("k", l, now), Ok(2));
        assert_eq!(t.take("k", l, now), Ok(1));
        assert_eq!(t.take("k", l, now), Ok(0));
        assert_eq!(t.take("k", l, now), Err(Refused { retry_after: 1 }));
        // Refused until the second is over although a token is back after half of it.
        assert_eq!(
            t.take("k", l, SimTime(600)),
            Err(Refused { retry_after: 1 })
        );
        assert_eq!(t.take("k", l, SimTime(2000)), Ok(2));
        assert_eq!(t.take("other", l, SimTime(2000)), Ok(2));
    }

    #[test]
    fn slow_refill_is_not_lost_between_frequent_requests() {
        let mut t = Throttle::default();
        let l = limit(1, 0.5);
        assert_eq!(t.take("k", l, SimTime(0)), Ok(0));
        let passed = (1..=10_000)
            .filter(|ms| t.take("k", l, SimTime(*ms)).is_ok())
            .count();
        // Each pass empties the bucket, the next request is told to come back in two seconds.
        assert_eq!(passed, 4);
    }

    #[test]
    fn burst_zero_is_off() {
        let mut t = Throttle::default();
        for _ in 0..1000 {
            assert!(t.take("k", limit(0, 0.0), SimTime(0)).is_ok());
        }
    }
    fn request(method: Method, target: Option<&'static str>, body: &str) -> Req {
        let mut headers = http::HeaderMap::new();
        if let Some(t) = target {
            headers.insert("x-amz-target", http::HeaderValue::from_static(t));
        }
        Req {
            method,
            path: "/".into(),
            query: Vec::new(),
            raw_query: String::new(),
            base: "https://cloud.test".into(),
            headers,
            body: bytes::Bytes::from(body.to_owned()),
        }
    }

    fn call(listener: Listener, operation: &str, principal: &str, mutating: bool) -> Call {
        let provider = match listener {
            Listener::Aws => crate::wire::Provider::Aws,
            Listener::Megaport => crate::wire::Provider::Megaport,
            _ => crate::wire::Provider::Azure,
        };
        Call {
            provider,
            operation: operation.into(),
            mutating,
            resource: None,
            principal: principal.into(),
        }
    }

    /// How many of 2000 requests at one moment pass, and the first refusal.
    fn burst(
        world: &World,
        listener: Listener,
        call: &Call,
        req: &Req,
    ) -> (usize, Option<Box<Res>>) {
        let mut t = Throttle::default();
        for passed in 0..2000 {
            if let Err(res) = admit(&mut t, world, SimTime(0), listener, call, req) {
                return (passed, Some(res));
            }
        }
        (2000, None)
    }

    #[test]
    fn arm_has_a_bucket_per_principal_and_kind() {
        let world = World::default();
        for (method, size) in [
            (Method::GET, 250),
            (Method::PUT, 200),
            (Method::POST, 200),
            (Method::DELETE, 200),
        ] {
            let req = request(method.clone(), None, "");
            let c = call(Listener::Azure, "x", "causeway", true);
            let (passed, refused) = burst(&world, Listener::Azure, &c, &req);
            let refused = refused.unwrap();
            assert_eq!((passed, refused.status.as_u16()), (size, 429), "{method}");
            assert_eq!(refused.headers["retry-after"], "1");
        }
        let mut t = Throttle::default();
        let get = request(Method::GET, None, "");
        let mut left = String::new();
        for who in ["causeway", "human"] {
            let c = call(Listener::Azure, "x", who, false);
            for _ in 0..250 {
                let passed = admit(&mut t, &world, SimTime(0), Listener::Azure, &c, &get).unwrap();
                let name = "x-ms-ratelimit-remaining-subscription-reads";
                left = passed.mark(Res::empty(200)).headers[name]
                    .to_str()
                    .unwrap()
                    .to_owned();
            }
            assert_eq!(left, "0");
        }
        // A second later each has 25 back.
        let c = call(Listener::Azure, "x", "human", false);
        let again = (0..100)
            .filter(|_| admit(&mut t, &world, SimTime(1000), Listener::Azure, &c, &get).is_ok())
            .count();
        assert_eq!(again, 25);
    }

    #[test]
    fn aws_tells_describes_from_changes_and_services_apart() {
        let world = World::default();
        let form = |body| request(Method::POST, None, body);
        let of = |c: &Call, req: &Req| {
            let (passed, refused) = burst(&world, Listener::Aws, c, req);
            (passed, refused.map(|r| r.status.as_u16()))
        };
        let describe = call(Listener::Aws, "DescribeVpnConnections", "causeway", false);
        let create = call(Listener::Aws, "CreateVpnGateway", "causeway", true);
        let all = form("Action=DescribeVpnConnections&Version=2016-11-15");
        let one = form("Action=DescribeVpnConnections&Version=2016-11-15&VpnConnectionId.1=vpn-1");
        let some = form("Action=DescribeVpnConnections&Version=2016-11-15&Filter.1.Name=state");
        let new = form("Action=CreateVpnGateway&Version=2016-11-15&Type=ipsec.1");
        let who = form("Action=GetCallerIdentity&Version=2011-06-15");
        let dx = request(
            Method::POST,
            Some("OvertureService.DescribeVirtualInterfaces"),
            "{}",
        );
        assert_eq!(of(&describe, &all), (50, Some(503)));
        assert_eq!(of(&describe, &one), (100, Some(503)));
        assert_eq!(of(&describe, &some), (100, Some(503)));
        assert_eq!(of(&create, &new), (50, Some(503)));
        assert_eq!(of(&describe, &dx), (50, Some(400)));
        assert_eq!(of(&describe, &who), (2000, None));
    }

    #[test]
    fn megaport_has_none_and_a_world_can_change_any() {
        let mut world = World::default();
        let get = request(Method::GET, None, "");
        let c = call(Listener::Megaport, "GET /v2/products", "causeway", false);
        assert_eq!(burst(&world, Listener::Megaport, &c, &get).0, 2000);
        let c = call(Listener::Azure, "x", "causeway", false);
        world.throttles.insert("arm.reads".into(), limit(7, 1.0));
        assert_eq!(burst(&world, Listener::Azure, &c, &get).0, 7);
        world.throttles.insert("arm.reads".into(), limit(0, 0.0));
        assert_eq!(burst(&world, Listener::Azure, &c, &get).0, 2000);
    }
}
