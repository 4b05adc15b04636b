//! How AWS's objects are seen (aws.md §1.2, §1.5, §2.4). Found by our tag or the recorded ID; tombstones are `Gone`;
//! a state word that nobody modelled means "in progress".

mod dx;

use super::{Env, Sight, id_of, unreadable};
use crate::controllers::env::AwsEnv;
use crate::inventory::Part;
use causeway_aws::{
    AttachmentState, CustomerGateway, DxGateway, State as AwsState, Tags, Tunnel, TunnelPolicy,
    VpnConnection, VpnGateway,
};
use causeway_model::desired::{Desired, KEYS_AS_GIVEN, TunnelSpec, prefix_list};
use causeway_model::graph::outside_addresses;
use causeway_model::observe::{Ownership, Present, Record, Seen, State, Twin};
use causeway_model::slot::{Class, Output, Slot, SlotId};
use causeway_model::spec::IpsecProfile;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;

type Others<'a> = &'a BTreeMap<SlotId, Seen>;

pub(super) fn observe(
    env: &Env,
    slot: &Slot,
    record: Option<&Record>,
    others: Others<'_>,
) -> Sight {
    let Some(aws) = &env.aws else {
        return unreadable("no AWS account");
    };
    let s = &aws.snapshot;
    match slot.class {
        Class::VirtualPrivateGateway => tagged(env, slot, record, &s.vpn_gateways, vgw),
        Class::CustomerGateway => tagged(env, slot, record, &s.customer_gateways, cgw),
        Class::VpnConnection => tagged(env, slot, record, &s.vpn_connections, |v, p| {
            vpn(env, slot, v, p)
        }),
        Class::DirectConnectGateway => dx::dxgw(env, aws, slot, record),
        Class::VgwAttachment => attachment(env, aws, slot, record, others),
        Class::RoutePropagation => propagation(env, aws, slot, record, others),
        Class::DxgwAssociation => dx::association(env, aws, record, others),
        Class::HostedConnection => dx::connection(env, aws, record, others),
        Class::Vif => dx::vif(env, aws, slot, record, others),
        Class::Vpc => by_id(
            env,
            slot,
            &s.vpcs,
            |v| &v.id,
            |v| blank(&v.id, State::Ready, &v.state),
        ),
        _ => unreadable("not an object of AWS"),
    }
}

/// Other living VPN connections and gateways with this slot's tags. AWS tells no date of creation, so that none is surely
/// the later one.
pub(super) fn twins(env: &Env, slot: &Slot, kept: &str) -> Vec<Twin> {
    fn of<T: Tagged>(env: &Env, slot: &Slot, kept: &str, items: &[T]) -> Vec<Twin> {
        let living = |t: &&T| !matches!(t.state(), AwsState::Deleted | AwsState::Deleting);
        items
            .iter()
            .filter(living)
            .filter(|t| t.id() != kept && env.marks.is_slot(t.tags(), &slot.id))
            .map(|t| Twin {
                id: t.id().to_owned(),
                later: false,
                unused: false,
            })
            .collect()
    }
    let Some(aws) = &env.aws else {
        return Vec::new();
    };
    let s = &aws.snapshot;
    match slot.class {
        Class::VirtualPrivateGateway => of(env, slot, kept, &s.vpn_gateways.items),
        Class::VpnConnection => of(env, slot, kept, &s.vpn_connections.items),
        Class::DirectConnectGateway => of(env, slot, kept, &s.dx_gateways.items),
        _ => Vec::new(),
    }
}

fn blank(id: &str, state: State, words: &str) -> Present {
    Present {
        id: id.to_owned(),
        state,
        provider_state: words.to_owned(),
        ownership: Ownership::Unmarked,
        outputs: BTreeMap::new(),
        fields: BTreeMap::new(),
        tags: None,
        holds_deletion: None,
    }
}

fn state(s: &AwsState) -> State {
    match s {
        AwsState::Available => State::Ready,
        AwsState::Deleting | AwsState::Deleted => State::Deleting,
        AwsState::Pending | AwsState::Other(_) => State::Settling {
            forbids_deletion: false,
        },
    }
}

/// What the four kinds of tagged objects have in common.
trait Tagged {
    fn id(&self) -> &str;
    fn state(&self) -> &AwsState;
    fn tags(&self) -> &Tags;
}
macro_rules! tagged {
    ($($t:ty),*) => { $(impl Tagged for $t {
        fn id(&self) -> &str { &self.id }
        fn state(&self) -> &AwsState { &self.state }
        fn tags(&self) -> &Tags { &self.tags }
    })* };
}
tagged!(VpnGateway, CustomerGateway, VpnConnection, DxGateway);

fn by_id<T: PartialEq>(
    env: &Env,
    slot: &Slot,
    part: &Part<T>,
    id: impl Fn(&T) -> &String,
    fill: impl Fn(&T) -> Present,
) -> Sight {
    let Desired::Imported { id: Some(wanted) } = &slot.desired else {
        return (Seen::Absent, Some(env.now));
    };
    match part.current(env.now, env.stale_after) {
        Err(why) => (Seen::Unreadable(why), part.read_at),
        Ok(items) => (
            items
                .iter()
                .find(|t| id(t) == wanted)
                .map_or(Seen::Absent, |t| Seen::Present(Box::new(fill(t)))),
            part.read_at,
        ),
    }
}

fn tagged<T: Tagged + PartialEq>(
    env: &Env,
    slot: &Slot,
    record: Option<&Record>,
    part: &Part<T>,
    fill: impl Fn(&T, Present) -> Present,
) -> Sight {
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    let imported = if let Desired::Imported { id } = &slot.desired {
        Some(id.clone())
    } else {
        None
    };
    let recorded = record.and_then(|r| r.id.as_deref());
    let wanted = match &imported {
        Some(None) => return (Seen::Absent, Some(env.now)),
        Some(Some(id)) => Some(id.as_str()),
        None => recorded,
    };
    let adopted = slot.adopt.as_ref().map(|a| a.id.as_str());
    let live = |t: &&T| *t.state() != AwsState::Deleted;
    let found = wanted
        .and_then(|id| items.iter().find(|t| t.id() == id))
        .or_else(|| {
            // The lowest ID, so that two reads choose the same one should there ever be two.
            if imported.is_some() {
                None
            } else {
                items
                    .iter()
                    .filter(live)
                    .filter(|t| env.marks.is_slot(t.tags(), &slot.id))
                    .min_by_key(|t| t.id().to_owned())
            }
        })
        .or_else(|| items.iter().filter(live).find(|t| Some(t.id()) == adopted));
    let Some(found) = found else {
        return (Seen::Absent, part.read_at);
    };
    if *found.state() == AwsState::Deleted {
        // A tombstone of the recorded one; has it a successor with our mark?
        let next = items
            .iter()
            .filter(live)
            .find(|t| env.marks.is_slot(t.tags(), &slot.id));
        let Some(next) = next.filter(|_| imported.is_none()) else {
            return (
                Seen::Gone {
                    id: found.id().to_owned(),
                },
                part.read_at,
            );
        };
        return (
            Seen::Present(Box::new(filled(env, slot, next, &fill))),
            part.read_at,
        );
    }
    (
        Seen::Present(Box::new(filled(env, slot, found, &fill))),
        part.read_at,
    )
}

fn filled<T: Tagged>(
    env: &Env,
    slot: &Slot,
    t: &T,
    fill: &impl Fn(&T, Present) -> Present,
) -> Present {
    let mut p = blank(t.id(), state(t.state()), t.state().as_str());
    if !slot.imported {
        p.ownership = env.marks.judge(t.tags());
        p.tags = Some(t.tags().clone());
    }
    fill(t, p)
}

fn vgw(g: &VpnGateway, mut p: Present) -> Present {
    if let Some(asn) = g.amazon_asn {
        p.fields.insert("amazonASN".to_owned(), asn.to_string());
    }
    let attached = g
        .attachments
        .iter()
        .find(|a| a.state != AttachmentState::Detached);
    if let Some(a) = attached {
        p.fields.insert("vpcID".to_owned(), a.vpc_id.clone());
    }
    p
}

fn cgw(g: &CustomerGateway, mut p: Present) -> Present {
    if let Some(asn) = g.bgp_asn {
        p.fields.insert("bgpASN".to_owned(), asn.to_string());
    }
    if let Some(a) = &g.ip_address {
        p.fields.insert("ipAddress".to_owned(), a.clone());
    }
    p
}

fn vpn(env: &Env, slot: &Slot, v: &VpnConnection, mut p: Present) -> Present {
    let inside: Vec<Ipv4Net> = v
        .tunnels
        .iter()
        .filter_map(|t| t.health.inside_cidr.parse().ok())
        .collect();
    if !inside.is_empty() {
        p.fields
            .insert("insideCIDRs".to_owned(), prefix_list(&inside));
    }
    if let Desired::VpnConnection { tunnels, .. } = &slot.desired {
        if let Some(other) = tunnels.iter().find(|t| other_key(env, v, t)) {
            let text = format!("another one for the tunnel {}", other.inside.trunc());
            p.fields.insert("preSharedKeys".to_owned(), text);
        } else {
            p.fields
                .insert("preSharedKeys".to_owned(), KEYS_AS_GIVEN.to_owned());
        }
    }
    if let Desired::VpnConnection { ipsec, tunnels, .. } = &slot.desired {
        let other = tunnels
            .iter()
            .filter_map(|t| v.tunnel(t.inside))
            .find(|t| other_policy(t, ipsec));
        let text = other.map_or_else(|| ipsec.azure_text(), |t| words_of(&t.policy));
        p.fields.insert("ipsecPolicy".to_owned(), text);
    }
    let dpd = v.tunnels.iter().filter_map(|t| t.dpd_timeout_seconds);
    if let Some((low, high)) = dpd.clone().min().zip(dpd.max()) {
        let text = if low == high {
            low.to_string()
        } else {
            format!("{low} and {high}")
        };
        p.fields.insert("dpdTimeoutSeconds".to_owned(), text);
    }
    if v.tunnels.len() == 2
        && v.tunnels
            .iter()
            .all(|t| !t.health.outside_address.is_empty())
    {
        let ends = v.tunnels.iter().filter_map(|t| {
            let inside = t.health.inside_cidr.parse().ok()?;
            Some((inside, t.health.outside_address.as_str()))
        });
        p.outputs
            .insert(Output::OutsideAddress, outside_addresses(ends));
    }
    p
}

/// Whether a tunnel may negotiate something else than the profile names; what AWS does not tell is not compared.
pub fn other_policy(t: &Tunnel, ipsec: &IpsecProfile) -> bool {
    let Ok(want) = TunnelPolicy::of(ipsec) else {
        return false;
    };
    let differs = |have: &[String], want: &[String]| !have.is_empty() && have != want;
    let p = &t.policy;
    differs(&p.phase1_encryption, &want.phase1_encryption)
        || differs(&p.phase1_integrity, &want.phase1_integrity)
        || differs(&p.phase2_encryption, &want.phase2_encryption)
        || differs(&p.phase2_integrity, &want.phase2_integrity)
        || !p.phase1_dh_groups.is_empty() && p.phase1_dh_groups != want.phase1_dh_groups
        || !p.phase2_dh_groups.is_empty() && p.phase2_dh_groups != want.phase2_dh_groups
        || p.phase2_lifetime_seconds
            .is_some_and(|s| Some(s) != want.phase2_lifetime_seconds)
}

fn words_of(p: &TunnelPolicy) -> String {
    let groups = |g: &[u32]| g.iter().map(u32::to_string).collect::<Vec<_>>().join("+");
    format!(
        "{}/{}/{} {}/{}/{} {}s",
        p.phase1_encryption.join("+"),
        p.phase1_integrity.join("+"),
        groups(&p.phase1_dh_groups),
        p.phase2_encryption.join("+"),
        p.phase2_integrity.join("+"),
        groups(&p.phase2_dh_groups),
        p.phase2_lifetime_seconds.unwrap_or_default()
    )
}

/// Whether a tunnel's key is known to be another one than the Secret has.
pub fn other_key(env: &Env, v: &VpnConnection, t: &TunnelSpec) -> bool {
    let have = v.tunnel(t.inside).and_then(|t| t.pre_shared_key.as_ref());
    let want = env.secrets.get(&t.pre_shared_key);
    have.zip(want.as_ref())
        .is_some_and(|(have, want)| have.expose() != want.expose())
}

fn attachment(
    env: &Env,
    aws: &AwsEnv,
    slot: &Slot,
    record: Option<&Record>,
    others: Others<'_>,
) -> Sight {
    let part = &aws.snapshot.vpn_gateways;
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    let recorded = record
        .and_then(|r| r.id.as_deref())
        .and_then(|id| id.split_once('/'));
    let vgw_id = id_of(others, "vgw").or_else(|| recorded.map(|(v, _)| v.to_owned()));
    let vpc_id = match &slot.desired {
        Desired::VgwAttachment { vpc_id } => Some(vpc_id.clone()),
        _ => recorded.map(|(_, v)| v.to_owned()),
    };
    let (Some(vgw_id), Some(vpc_id)) = (vgw_id, vpc_id) else {
        return (Seen::Absent, part.read_at);
    };
    let found = items
        .iter()
        .find(|g| g.id == vgw_id)
        .and_then(|g| g.attachment(&vpc_id));
    let Some(found) = found else {
        return (Seen::Absent, part.read_at);
    };
    let id = format!("{vgw_id}/{vpc_id}");
    let state = match found.state {
        AttachmentState::Attached => State::Ready,
        AttachmentState::Detached => return (Seen::Gone { id }, part.read_at),
        AttachmentState::Detaching => State::Deleting,
        AttachmentState::Attaching | AttachmentState::Other(_) => State::Settling {
            forbids_deletion: true,
        },
    };
    let mut p = blank(&id, state, found.state.as_str());
    p.ownership = dx::inherited(others, "vgw");
    if p.state == State::Deleting {
        p.holds_deletion = dx::keeps_attached(aws, &vgw_id);
    }
    (Seen::Present(Box::new(p)), part.read_at)
}

fn propagation(
    env: &Env,
    aws: &AwsEnv,
    slot: &Slot,
    record: Option<&Record>,
    others: Others<'_>,
) -> Sight {
    let part = &aws.snapshot.route_tables;
    let items = match part.current(env.now, env.stale_after) {
        Ok(items) => items,
        Err(why) => return (Seen::Unreadable(why), part.read_at),
    };
    let recorded = record
        .and_then(|r| r.id.as_deref())
        .and_then(|id| id.split_once('/'));
    let table = slot
        .id
        .as_str()
        .strip_prefix("propagation-")
        .unwrap_or_default();
    let Some(vgw_id) = id_of(others, "vgw").or_else(|| recorded.map(|(_, v)| v.to_owned())) else {
        return (Seen::Absent, part.read_at);
    };
    let on = items
        .iter()
        .any(|t| t.id == table && t.propagating_vgws.contains(&vgw_id));
    if !on {
        return (Seen::Absent, part.read_at);
    }
    // Ours only when recorded before the call (api.md §3): found already on is somebody else's.
    (
        Seen::Present(Box::new(blank(
            &format!("{table}/{vgw_id}"),
            State::Ready,
            "enabled",
        ))),
        part.read_at,
    )
}
