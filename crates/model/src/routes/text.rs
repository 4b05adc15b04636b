//! Tolerant readers for the pieces that several dialects share.

use ipnet::{IpNet, Ipv4Net};
use std::net::{IpAddr, Ipv4Addr};

/// A prefix, with Cisco's habit of leaving out a mask that equals the classful one (azure.md §2.5: `172.29.0.0` is a /16).
pub fn prefix(text: &str) -> Option<IpNet> {
    let text = text.trim();
    if text.contains('/') {
        return text.parse::<IpNet>().ok().map(|n| n.trunc());
    }
    match text.parse::<IpAddr>().ok()? {
        IpAddr::V4(a) => Ipv4Net::new(a, classful(a))
            .ok()
            .map(|n| IpNet::V4(n.trunc())),
        IpAddr::V6(a) => IpNet::new(IpAddr::V6(a), 128).ok(),
    }
}

fn classful(a: Ipv4Addr) -> u8 {
    match a.octets()[0] {
        // The default route is printed as 0.0.0.0.
        0 if a.is_unspecified() => 0,
        0..=127 => 8,
        128..=191 => 16,
        192..=223 => 24,
        _ => 32,
    }
}

/// An address that may carry a marker (`172.29.255.13*`) or a mask.
pub fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_end_matches('*').trim();
    if text.contains('/') {
        return text.parse::<IpNet>().ok().map(|n| n.addr());
    }
    text.parse().ok()
}

/// An AS path: separated by spaces (circuits, MCR) or dashes (gateways), perhaps with an origin letter at its end
/// (`64600 ?`) and AS sets in braces. `None` when something else is in it.
pub fn as_path(text: &str) -> Option<Vec<u32>> {
    let mut words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '-' | ',' | '{' | '}' | '(' | ')'))
        .filter(|w| !w.is_empty())
        .collect();
    if matches!(words.last(), Some(&("?" | "i" | "e" | "I" | "E"))) {
        words.pop();
    }
    words.into_iter().map(asn_number).collect()
}

/// An AS number, plain or in asdot (RFC 5396).
pub fn asn_number(text: &str) -> Option<u32> {
    if let Some((high, low)) = text.split_once('.') {
        let (high, low): (u16, u16) = (high.parse().ok()?, low.parse().ok()?);
        return Some((u32::from(high) << 16) | u32::from(low));
    }
    text.parse().ok()
}

/// A whole number that may be left out, or come as `12.0`. Outer `None`: something else stands there.
#[expect(
    clippy::option_option,
    reason = "absent and unreadable are two things, and this is the one place that tells them apart"
)]
pub fn number(text: &str) -> Option<Option<u32>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(None);
    }
    let whole = text.strip_suffix(".0").unwrap_or(text);
    whole.parse().ok().map(Some)
}

/// An address that may be left out. Outer `None`: something else stands there.
#[expect(
    clippy::option_option,
    reason = "absent and unreadable are two things, and this is the one place that tells them apart"
)]
pub fn optional_address(text: &str) -> Option<Option<IpAddr>> {
    if text.trim().is_empty() {
        return Some(None);
    }
    address(text).map(Some)
}

/// An AS number that may be left out. Outer `None`: something else stands there.
#[expect(
    clippy::option_option,
    reason = "absent and unreadable are two things, and this is the one place that tells them apart"
)]
pub fn optional_asn(text: &str) -> Option<Option<u32>> {
    if text.trim().is_empty() {
        return Some(None);
    }
    asn_number(text.trim()).map(Some)
}
