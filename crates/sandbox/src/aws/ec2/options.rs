//! Tunnel options of a VPN connection: their rules, and the defaults that come back for what was left out
//! (aws.md §2.3).

use super::fault::Fault;
use super::params::Params;
use crate::aws::objects::TunnelOptions;
use crate::rng::Rng;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

pub const ENCRYPTION: [&str; 4] = ["AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16"];
pub const INTEGRITY: [&str; 4] = ["SHA1", "SHA2-256", "SHA2-384", "SHA2-512"];
pub const IKE: [&str; 2] = ["ikev1", "ikev2"];
const PHASE1_DH: [u32; 13] = [2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 35];
const PHASE2_DH: [u32; 16] = [2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 35, 36, 37];

/// The /30s that AWS keeps for itself.
fn reserved(net: Ipv4Net) -> bool {
    let [_, _, c, d] = net.network().octets();
    (c <= 5 && d == 0) || (c == 169 && d == 252)
}

/// Checks an inside CIDR against AWS's rules and the ones in use on the same VGW.
pub fn inside(text: &str, taken: &[Ipv4Net]) -> Result<Ipv4Net, Fault> {
    let refuse = |why: &str| Fault::invalid("tunnelInsideCidr", text, why);
    let net: Ipv4Net = text
        .parse()
        .map_err(|_| refuse("It must be an IPv4 CIDR block"))?;
    if net.prefix_len() != 30 || net.addr().octets()[..2] != [169, 254] {
        return Err(refuse("It must be a /30 in 169.254.0.0/16"));
    }
    if net.addr() != net.network() {
        return Err(refuse("It must be the network address of the /30"));
    }
    if reserved(net) {
        return Err(refuse("This range is reserved"));
    }
    if taken.contains(&net) {
        return Err(refuse(
            "It is already in use on this virtual private gateway",
        ));
    }
    Ok(net)
}

/// An inside CIDR of AWS's choice.
pub fn choose_inside(rng: &mut Rng, taken: &[Ipv4Net]) -> Ipv4Net {
    loop {
        let n = rng.below(1 << 14) as u32;
        let base = u32::from(Ipv4Addr::new(169, 254, 0, 0)) + n * 4;
        if let Ok(net) = Ipv4Net::new(Ipv4Addr::from(base), 30)
            && !reserved(net)
            && !taken.contains(&net)
        {
            return net;
        }
    }
}

/// Checks a pre-shared key: 8–64 of `A-Z a-z 0-9 . _`, not starting with 0. The refusal does not repeat the key.
fn pre_shared_key(key: &str) -> Result<String, Fault> {
    let chars = key
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'_');
    if (8..=64).contains(&key.len()) && chars && !key.starts_with('0') {
        Ok(key.to_owned())
    } else {
        Err(Fault::invalid(
            "preSharedKey",
            "***",
            "It must have 8 to 64 of the characters A-Z a-z 0-9 . _ and must not start with 0",
        ))
    }
}

/// 32 random characters.
pub fn random_key(rng: &mut Rng) -> String {
    const CHARS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz123456789";
    (0..32)
        .map(|_| CHARS[rng.below(CHARS.len() as u64) as usize] as char)
        .collect()
}

fn strings(params: &Params, name: &str, allowed: &[&str]) -> Result<Option<Vec<String>>, Fault> {
    let given: Vec<Params> = params.structs(name);
    if given.is_empty() {
        return Ok(None);
    }
    let mut list = Vec::new();
    for p in given {
        let v = p.need("Value")?;
        if !allowed.contains(&v) {
            return Err(Fault::invalid(
                name,
                v,
                &format!("It must be one of {}", allowed.join(", ")),
            ));
        }
        list.push(v.to_owned());
    }
    Ok(Some(list))
}

fn numbers(params: &Params, name: &str, allowed: &[u32]) -> Result<Option<Vec<u32>>, Fault> {
    let given: Vec<Params> = params.structs(name);
    if given.is_empty() {
        return Ok(None);
    }
    let mut list = Vec::new();
    for p in given {
        let v = p.need("Value")?;
        let n = v.parse::<u32>().ok().filter(|n| allowed.contains(n));
        list.push(n.ok_or_else(|| {
            Fault::invalid(name, v, "This Diffie-Hellman group is not available")
        })?);
    }
    Ok(Some(list))
}

fn bounded(params: &Params, name: &str, low: i64, high: i64) -> Result<Option<u32>, Fault> {
    let Some(n) = params.int(name)? else {
        return Ok(None);
    };
    if !(low..=high).contains(&n) {
        return Err(Fault::invalid(
            name,
            &n.to_string(),
            &format!("It must be between {low} and {high}"),
        ));
    }
    Ok(u32::try_from(n).ok())
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

/// The options of a new tunnel for which nothing was asked.
pub fn defaults(inside: Ipv4Net, pre_shared_key: String) -> TunnelOptions {
    TunnelOptions {
        inside,
        pre_shared_key,
        phase1_lifetime: 28800,
        phase2_lifetime: 3600,
        rekey_margin: 270,
        rekey_fuzz: 100,
        replay_window: 1024,
        dpd_timeout: 30,
        dpd_action: "clear".into(),
        phase1_encryption: owned(&ENCRYPTION),
        phase2_encryption: owned(&ENCRYPTION),
        phase1_integrity: owned(&INTEGRITY),
        phase2_integrity: owned(&INTEGRITY),
        phase1_dh: PHASE1_DH.to_vec(),
        phase2_dh: PHASE2_DH.to_vec(),
        ike_versions: owned(&IKE),
        startup_action: "add".into(),
        lifecycle_control: false,
        log_enabled: false,
        log_group_arn: None,
        log_format: None,
        bgp_log_enabled: false,
        bgp_log_group_arn: None,
        bgp_log_format: None,
    }
}

/// Applies what a request says of a tunnel to `options`; `taken` are the inside CIDRs in use by other tunnels. The
/// whole is checked afterwards, so that a lifetime alone cannot break a rule between two.
pub fn apply(
    params: &Params,
    options: &mut TunnelOptions,
    taken: &[Ipv4Net],
    customer_has_address: bool,
) -> Result<(), Fault> {
    if params.get("TunnelInsideIpv6Cidr").is_some() {
        return Err(Fault::combination(
            "TunnelInsideIpv6Cidr cannot be used on a virtual private gateway",
        ));
    }
    if let Some(cidr) = params.get("TunnelInsideCidr") {
        options.inside = inside(cidr, taken)?;
    }
    if let Some(key) = params.get("PreSharedKey") {
        options.pre_shared_key = pre_shared_key(key)?;
    }
    macro_rules! set {
        ($field:ident, $value:expr) => {
            if let Some(v) = $value {
                options.$field = v;
            }
        };
    }
    set!(
        phase1_lifetime,
        bounded(params, "Phase1LifetimeSeconds", 900, 28800)?
    );
    set!(
        phase2_lifetime,
        bounded(params, "Phase2LifetimeSeconds", 900, 3600)?
    );
    set!(
        rekey_margin,
        bounded(params, "RekeyMarginTimeSeconds", 60, 1800)?
    );
    set!(rekey_fuzz, bounded(params, "RekeyFuzzPercentage", 0, 100)?);
    set!(
        replay_window,
        bounded(params, "ReplayWindowSize", 64, 2048)?
    );
    set!(
        dpd_timeout,
        bounded(params, "DPDTimeoutSeconds", 30, i64::from(i32::MAX))?
    );
    set!(
        phase1_encryption,
        strings(params, "Phase1EncryptionAlgorithm", &ENCRYPTION)?
    );
    set!(
        phase2_encryption,
        strings(params, "Phase2EncryptionAlgorithm", &ENCRYPTION)?
    );
    set!(
        phase1_integrity,
        strings(params, "Phase1IntegrityAlgorithm", &INTEGRITY)?
    );
    set!(
        phase2_integrity,
        strings(params, "Phase2IntegrityAlgorithm", &INTEGRITY)?
    );
    set!(
        phase1_dh,
        numbers(params, "Phase1DHGroupNumber", &PHASE1_DH)?
    );
    set!(
        phase2_dh,
        numbers(params, "Phase2DHGroupNumber", &PHASE2_DH)?
    );
    set!(ike_versions, strings(params, "IKEVersion", &IKE)?);
    set!(
        lifecycle_control,
        params.bool("EnableTunnelLifecycleControl")?
    );
    let word = |name: &str, allowed: &[&str]| match params.get(name) {
        Some(v) if !allowed.contains(&v) => Err(Fault::invalid(
            name,
            v,
            &format!("It must be one of {}", allowed.join(", ")),
        )),
        v => Ok(v.map(str::to_owned)),
    };
    set!(
        dpd_action,
        word("DPDTimeoutAction", &["clear", "none", "restart"])?
    );
    set!(startup_action, word("StartupAction", &["add", "start"])?);
    logs(params, options)?;

    if options.phase2_lifetime >= options.phase1_lifetime {
        return Err(Fault::invalid(
            "Phase2LifetimeSeconds",
            &options.phase2_lifetime.to_string(),
            "It must be less than Phase1LifetimeSeconds",
        ));
    }
    if options.rekey_margin > options.phase2_lifetime / 2 {
        return Err(Fault::invalid(
            "RekeyMarginTimeSeconds",
            &options.rekey_margin.to_string(),
            "It must be at most half of Phase2LifetimeSeconds",
        ));
    }
    if options.startup_action == "start"
        && !(options.ike_versions.iter().any(|v| v == "ikev2") && customer_has_address)
    {
        return Err(Fault::combination(
            "StartupAction start needs IKEv2 and a customer gateway with an IP address",
        ));
    }
    Ok(())
}

fn logs(params: &Params, options: &mut TunnelOptions) -> Result<(), Fault> {
    let p = params.within("LogOptions.CloudWatchLogOptions");
    let format = |name: &str| match p.get(name) {
        Some(v) if !["json", "text"].contains(&v) => {
            Err(Fault::invalid(name, v, "It must be json or text"))
        }
        v => Ok(v.map(str::to_owned)),
    };
    if let Some(on) = p.bool("LogEnabled")? {
        options.log_enabled = on;
        options.log_group_arn = p.get("LogGroupArn").map(str::to_owned);
        options.log_format = format("LogOutputFormat")?.or_else(|| on.then(|| "json".to_owned()));
        if on && options.log_group_arn.is_none() {
            return Err(Fault::client(
                "MissingParameter",
                "LogEnabled needs LogGroupArn",
            ));
        }
    }
    if let Some(on) = p.bool("BgpLogEnabled")? {
        options.bgp_log_enabled = on;
        options.bgp_log_group_arn = p.get("BgpLogGroupArn").map(str::to_owned);
        options.bgp_log_format =
            format("BgpLogOutputFormat")?.or_else(|| on.then(|| "json".to_owned()));
        if on && options.bgp_log_group_arn.is_none() {
            return Err(Fault::client(
                "MissingParameter",
                "BgpLogEnabled needs BgpLogGroupArn",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
    use super::*;

    #[test]
    fn inside_ranges() {
        for bad in [
            "169.254.0.0/30",
            "169.254.5.0/30",
            "169.254.169.252/30",
            "169.254.21.1/30",
            "169.254.21.0/29",
            "10.0.0.0/30",
        ] {
            assert!(inside(bad, &[]).is_err(), "{bad}");
        }
        let net = inside("169.254.21.4/30", &[]).unwrap();
        assert!(inside("169.254.21.4/30", &[net]).is_err());
        assert!(inside("169.254.6.0/30", &[]).is_ok());
        assert!(inside("169.254.5.4/30", &[]).is_ok());
    }

    #[test]
    fn keys() {
        for bad in [
            "short",
            "0startswithzero",
            "with-hyphen-in-it",
            "with space in it",
        ] {
            assert!(pre_shared_key(bad).is_err(), "{bad}");
        }
        assert!(pre_shared_key("Good.Key_1").is_ok());
        let mut rng = Rng::new(1);
        assert!(pre_shared_key(&random_key(&mut rng)).is_ok());
    }
}
