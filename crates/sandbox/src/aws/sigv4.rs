//! AWS Signature Version 4 as a server checks it: the signature is recomputed over the canonical request. Pure: the
//! caller looks up keys and decides what a failure looks like in its dialect.
//!
//! Facts: the Signature Version 4 description in the IAM user guide. Services other than S3 encode the path twice; a
//! request's time may differ from the server's by 15 minutes, in wall time (ARCH: signatures do not run in simulated
//! time).

use crate::wire::Req;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// How far a request's time may be from the server's, in seconds.
pub const MAX_SKEW_SECS: i64 = 15 * 60;

/// The scope and signature of an `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    pub access_key: String,
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    pub service: String,
    pub signed_headers: Vec<String>,
    pub signature: String,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("the request carries no X-Amz-Date or Date header in a form that can be read")]
    NoDate,
    #[error("the date of the credential scope is not the date of the request")]
    ScopeDate,
    #[error("a header that must be signed is not: {0}")]
    Unsigned(String),
    /// Seconds by which the request is too old (positive) or too far ahead (negative).
    #[error("the request's time differs from the server's by {0} s")]
    Skew(i64),
    #[error("the signature does not match")]
    Mismatch,
}

impl Authorization {
    /// Reads an `Authorization` header; `None` when it is not a Signature Version 4 one.
    pub fn parse(header: &str) -> Option<Self> {
        let rest = header.strip_prefix("AWS4-HMAC-SHA256")?;
        let mut credential = None;
        let mut signed = None;
        let mut signature = None;
        for part in rest.split(',') {
            match part.trim().split_once('=')? {
                ("Credential", v) => credential = Some(v),
                ("SignedHeaders", v) => signed = Some(v),
                ("Signature", v) => signature = Some(v),
                _ => return None,
            }
        }
        let scope: Vec<&str> = credential?.split('/').collect();
        let [access_key, date, region, service, "aws4_request"] = scope[..] else {
            return None;
        };
        Some(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers: signed?.split(';').map(str::to_lowercase).collect(),
            signature: signature?.to_owned(),
        })
    }

    /// Checks the signature with the key's secret; `now` is wall time in seconds since the epoch.
    pub fn verify(&self, req: &Req, secret: &str, now: i64) -> Result<(), Failure> {
        let stamp = req.header("x-amz-date").ok_or(Failure::NoDate)?;
        let time = parse_stamp(stamp).ok_or(Failure::NoDate)?;
        if !stamp.starts_with(&self.date) {
            return Err(Failure::ScopeDate);
        }
        for must in ["host", "x-amz-date"] {
            if !self.signed_headers.iter().any(|h| h == must) {
                return Err(Failure::Unsigned(must.to_owned()));
            }
        }
        let skew = now - time;
        if skew.abs() > MAX_SKEW_SECS {
            return Err(Failure::Skew(skew));
        }
        let expected = sign(
            secret,
            stamp,
            &self.date,
            &self.region,
            &self.service,
            &canonical_request(req, &self.signed_headers),
        );
        // Not a secret-dependent early exit that matters: keys here are invented, and both sides are hex.
        if expected == self.signature {
            Ok(())
        } else {
            Err(Failure::Mismatch)
        }
    }
}

/// The signature over a canonical request, in lower-case hex.
pub fn sign(
    secret: &str,
    stamp: &str,
    date: &str,
    region: &str,
    service: &str,
    canonical: &str,
) -> String {
    let scope = format!("{date}/{region}/{service}/aws4_request");
    let hash = hex::encode(Sha256::digest(canonical.as_bytes()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
    let mut key = format!("AWS4{secret}").into_bytes();
    for part in [date, region, service, "aws4_request"] {
        key = hmac(&key, part);
    }
    hex::encode(hmac(&key, &to_sign))
}

/// The canonical form of a request with these signed headers (lower case, in order).
pub fn canonical_request(req: &Req, signed_headers: &[String]) -> String {
    let mut query: Vec<(String, String)> = req
        .query
        .iter()
        .map(|(k, v)| (encode(k, true), encode(v, true)))
        .collect();
    query.sort();
    let query = query
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect::<Vec<_>>()
        .join("&");
    let mut headers = String::new();
    for name in signed_headers {
        let mut values: Vec<String> = req
            .headers
            .get_all(name.as_str())
            .iter()
            .map(|v| {
                let text = String::from_utf8_lossy(v.as_bytes()).into_owned();
                text.split_whitespace().collect::<Vec<_>>().join(" ")
            })
            .collect();
        if values.is_empty() && name == "host" {
            // HTTP/2 carries the host as `:authority`.
            let base = req.base.split_once("://").map_or("", |(_, h)| h);
            values.push(base.to_owned());
        }
        let _ = writeln!(headers, "{name}:{}", values.join(","));
    }
    let path = if req.path.is_empty() { "/" } else { &req.path };
    format!(
        "{}\n{}\n{query}\n{headers}\n{}\n{}",
        req.method,
        encode(path, false),
        signed_headers.join(";"),
        hex::encode(Sha256::digest(&req.body)),
    )
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length; the error type only exists for algorithms that do not.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mut m| {
            m.update(text.as_bytes());
            m.finalize().into_bytes().to_vec()
        })
        .unwrap_or_default()
}

/// RFC 3986 percent-encoding as the signature wants it.
fn encode(text: &str, slash: bool) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        match b {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(b as char);
            }
            b'/' if !slash => out.push('/'),
            b => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    out
}

/// `YYYYMMDDTHHMMSSZ` as seconds since the epoch.
fn parse_stamp(stamp: &str) -> Option<i64> {
    let b = stamp.as_bytes();
    if b.len() != 16 || b[8] != b'T' || b[15] != b'Z' {
        return None;
    }
    let iso = format!(
        "{}-{}-{}T{}:{}:{}Z",
        stamp.get(0..4)?,
        stamp.get(4..6)?,
        stamp.get(6..8)?,
        stamp.get(9..11)?,
        stamp.get(11..13)?,
        stamp.get(13..15)?
    );
    iso.parse::<jiff::Timestamp>().ok().map(|t| t.as_second())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};

    /// The worked example of the Signature Version 4 description (`ListUsers` of 2015-08-30, IAM).
    fn example() -> Req {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("iam.amazonaws.com"));
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8"),
        );
        headers.insert("x-amz-date", HeaderValue::from_static("20150830T123600Z"));
        Req {
            method: Method::GET,
            path: "/".into(),
            query: vec![
                ("Action".into(), "ListUsers".into()),
                ("Version".into(), "2010-05-08".into()),
            ],
            raw_query: "Action=ListUsers&Version=2010-05-08".into(),
            base: "https://iam.amazonaws.com".into(),
            headers,
            body: Bytes::new(),
        }
    }
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    const HEADER: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
    const AT: i64 = 1_440_938_160;

    #[test]
    fn the_published_example_verifies() {
        let auth = Authorization::parse(HEADER).unwrap();
        assert_eq!(auth.service, "iam");
        auth.verify(&example(), SECRET, AT).unwrap();
    }

    #[test]
    fn another_secret_body_or_query_does_not() {
        let auth = Authorization::parse(HEADER).unwrap();
        assert_eq!(auth.verify(&example(), "x", AT), Err(Failure::Mismatch));
        let mut req = example();
        req.body = Bytes::from_static(b"x");
        assert_eq!(auth.verify(&req, SECRET, AT), Err(Failure::Mismatch));
        let mut req = example();
        req.query[0].1 = "ListRoles".into();
        assert_eq!(auth.verify(&req, SECRET, AT), Err(Failure::Mismatch));
    }

    #[test]
    fn a_skew_of_more_than_fifteen_minutes_is_refused_either_way() {
        let auth = Authorization::parse(HEADER).unwrap();
        assert!(auth.verify(&example(), SECRET, AT + 900).is_ok());
        assert_eq!(
            auth.verify(&example(), SECRET, AT + 901),
            Err(Failure::Skew(901))
        );
        assert_eq!(
            auth.verify(&example(), SECRET, AT - 901),
            Err(Failure::Skew(-901))
        );
    }
}
