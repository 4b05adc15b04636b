//! Whether the two ends of an IPsec tunnel agree: pre-shared key, IKE version, proposals, who starts, and whether the
//! first rekey of phase 2 will succeed. Pure; what happens when is `engine`'s business.

use super::view::{IpsecConnection, IpsecPolicy, VpnTunnel};

/// Azure's default SA lifetime in seconds (azure.md §4.4).
const AZURE_DEFAULT_LIFETIME: u32 = 27_000;

/// Why a tunnel does not come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Refusal {
    NoAzureConnection,
    NoGatewayInstance,
    PreSharedKey,
    IkeVersion,
    Phase1,
    Phase2,
    NobodyStarts,
}

impl Refusal {
    pub fn text(self) -> &'static str {
        match self {
            Self::NoAzureConnection => {
                "no Azure connection has a local network gateway with this outside address"
            }
            Self::NoGatewayInstance => {
                "no Azure gateway instance has the customer gateway's address"
            }
            Self::PreSharedKey => "the pre-shared keys differ",
            Self::IkeVersion => "the AWS tunnel does not offer IKEv2",
            Self::Phase1 => "no phase 1 proposal in common",
            Self::Phase2 => "no phase 2 proposal in common",
            Self::NobodyStarts => {
                "neither side starts IKE (AWS StartupAction add, Azure ResponderOnly)"
            }
        }
    }
}

/// A cipher under AWS's name.
fn cipher(azure: &str) -> &str {
    match azure {
        "GCMAES128" => "AES128-GCM-16",
        "GCMAES192" => "AES192-GCM-16",
        "GCMAES256" => "AES256-GCM-16",
        other => other,
    }
}

fn integrity(azure: &str) -> &str {
    match azure {
        "SHA256" => "SHA2-256",
        "SHA384" => "SHA2-384",
        other => other,
    }
}

/// The Diffie-Hellman group number of Azure's `dhGroup` and `pfsGroup` names; `None` for no group.
fn group(azure: &str) -> Option<u32> {
    match azure {
        "DHGroup1" | "PFS1" => Some(1),
        "DHGroup2" | "PFS2" => Some(2),
        "DHGroup14" | "DHGroup2048" | "PFS14" | "PFS2048" => Some(14),
        "ECP256" => Some(19),
        "ECP384" => Some(20),
        "DHGroup24" | "PFS24" => Some(24),
        _ => None,
    }
}

/// Whether AWS's list (empty: everything it knows, aws.md §2.3) has the value.
fn offers<T: PartialEq>(list: &[T], all: &[T], value: &T) -> bool {
    if list.is_empty() {
        all.contains(value)
    } else {
        list.contains(value)
    }
}

const CIPHERS: [&str; 4] = ["AES128", "AES256", "AES128-GCM-16", "AES256-GCM-16"];
const INTEGRITIES: [&str; 4] = ["SHA1", "SHA2-256", "SHA2-384", "SHA2-512"];
const GROUPS_1: [u32; 13] = [2, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 35];
const GROUPS_2: [u32; 16] = [2, 5, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 35, 36, 37];

fn has(list: &[String], all: &[&str], value: &str) -> bool {
    if list.is_empty() {
        all.contains(&value)
    } else {
        list.iter().any(|v| v == value)
    }
}

fn phase1(aws: &VpnTunnel, cipher_name: &str, integrity_name: &str, dh: Option<u32>) -> bool {
    let cipher_name = cipher(cipher_name);
    has(&aws.phase1_encryption, &CIPHERS, cipher_name)
        // With GCM the integrity algorithm is only the pseudo-random function.
        && (cipher_name.contains("GCM")
            || has(&aws.phase1_integrity, &INTEGRITIES, integrity(integrity_name)))
        && dh.is_some_and(|g| offers(&aws.phase1_dh_groups, &GROUPS_1, &g))
}

fn phase2(aws: &VpnTunnel, cipher_name: &str, integrity_name: &str) -> bool {
    let cipher_name = cipher(cipher_name);
    has(&aws.phase2_encryption, &CIPHERS, cipher_name)
        && (cipher_name.contains("GCM")
            || has(
                &aws.phase2_integrity,
                &INTEGRITIES,
                integrity(integrity_name),
            ))
}

/// Azure's default set for phase 1 that AWS could know, and its phase 2 ciphers (azure.md §4.4).
const DEFAULT_1: [(&str, &str); 4] = [
    ("AES256", "SHA1"),
    ("AES256", "SHA256"),
    ("AES128", "SHA1"),
    ("AES128", "SHA256"),
];
const DEFAULT_2: [(&str, &str); 6] = [
    ("GCMAES256", "GCMAES256"),
    ("GCMAES128", "GCMAES128"),
    ("AES256", "SHA1"),
    ("AES256", "SHA256"),
    ("AES128", "SHA1"),
    ("AES128", "SHA256"),
];

/// Whether the tunnel comes up; the Azure side speaks IKEv2 only.
pub fn agree(azure: &IpsecConnection, aws: &VpnTunnel) -> Result<(), Refusal> {
    if azure.shared_key != aws.pre_shared_key {
        return Err(Refusal::PreSharedKey);
    }
    if !aws.ike_versions.is_empty() && !aws.ike_versions.iter().any(|v| v == "ikev2") {
        return Err(Refusal::IkeVersion);
    }
    let (one, two) = match &azure.policy {
        Some(p) => (
            phase1(aws, &p.ike_encryption, &p.ike_integrity, group(&p.dh_group)),
            phase2(aws, &p.ipsec_encryption, &p.ipsec_integrity),
        ),
        None => (
            DEFAULT_1.iter().any(|(c, i)| phase1(aws, c, i, Some(2)))
                || DEFAULT_1.iter().any(|(c, i)| phase1(aws, c, i, Some(14))),
            DEFAULT_2.iter().any(|(c, i)| phase2(aws, c, i)),
        ),
    };
    if !one {
        return Err(Refusal::Phase1);
    }
    if !two {
        return Err(Refusal::Phase2);
    }
    if aws.startup_action != "start" && azure.mode == "ResponderOnly" {
        return Err(Refusal::NobodyStarts);
    }
    Ok(())
}

/// Whether a rekey of phase 2 succeeds. AWS insists on perfect forward secrecy there; the first child SA comes out of
/// IKE_AUTH without it (RFC 7296 §1.2), so a tunnel without a common group lives exactly one lifetime (lab.md).
pub fn rekeys(policy: Option<&IpsecPolicy>, aws: &VpnTunnel) -> bool {
    match policy {
        Some(p) => {
            group(&p.pfs_group).is_some_and(|g| offers(&aws.phase2_dh_groups, &GROUPS_2, &g))
        }
        // As a responder Azure's default set takes groups 1, 2, 14 and 24, with CBC only.
        None => {
            DEFAULT_2[2..].iter().any(|(c, i)| phase2(aws, c, i))
                && [2, 14, 24]
                    .iter()
                    .any(|g| offers(&aws.phase2_dh_groups, &GROUPS_2, g))
        }
    }
}

/// Seconds until the first rekey: the shorter one of the two lifetimes.
pub fn lifetime(policy: Option<&IpsecPolicy>, aws: &VpnTunnel) -> f64 {
    let azure = policy.map_or(AZURE_DEFAULT_LIFETIME, |p| p.sa_life_time_seconds);
    f64::from(azure.min(if aws.phase2_lifetime == 0 {
        3600
    } else {
        aws.phase2_lifetime
    }))
}
