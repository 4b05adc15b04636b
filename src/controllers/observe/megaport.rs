//! How Megaport's products are seen (megaport.md §4): found by the token in their name, or by the recorded UID.

use super::{Env, Sight, unreadable};
use crate::clients::megaport::{Mcr, ProductStatus, SeenBgp, Vxc};
use crate::controllers::keys;
use causeway_model::desired::{Desired, address_list};
use causeway_model::observe::{Ownership, Present, Record, Seen, State, Twin};
use causeway_model::slot::{Class, Output, Slot};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

pub(super) fn observe(env: &Env, slot: &Slot, record: Option<&Record>) -> Sight {
    let Some(megaport) = &env.megaport else {
        return unreadable("no Megaport account");
    };
    let part = &megaport.snapshot.products;
    if let Err(why) = part.current(env.now, env.stale_after) {
        return (Seen::Unreadable(why), part.read_at);
    }
    let imported = if let Desired::Imported { id } = &slot.desired {
        Some(id.clone())
    } else {
        None
    };
    let seen = match slot.class {
        Class::Router => look(
            env,
            slot,
            record,
            imported.as_ref(),
            megaport.snapshot.mcrs(),
            |m| (&m.uid, &m.name, &m.status),
            fill_mcr,
        ),
        Class::VxcAzure | Class::VxcAws => look(
            env,
            slot,
            record,
            imported.as_ref(),
            megaport.snapshot.vxcs(),
            |v| (&v.uid, &v.name, &v.status),
            |v| fill_vxc(env, slot, v),
        ),
        _ => return unreadable("not a product of Megaport"),
    };
    (seen, part.read_at)
}

fn look<T>(
    env: &Env,
    slot: &Slot,
    record: Option<&Record>,
    imported: Option<&Option<String>>,
    all: &[T],
    head: impl Fn(&T) -> (&String, &String, &ProductStatus),
    fill: impl Fn(&T) -> (BTreeMap<Output, String>, BTreeMap<String, String>, bool),
) -> Seen {
    if let Some(None) = imported {
        return Seen::Absent;
    }
    let wanted = imported
        .and_then(|i| i.as_deref())
        .or_else(|| record.and_then(|r| r.id.as_deref()));
    let live = |t: &&T| !head(t).2.is_gone();
    let named = |t: &&T| env.marks.judge_product(head(t).1, &slot.id).is_some();
    let by_token = || {
        all.iter()
            .filter(live)
            .filter(named)
            .min_by_key(|t| head(t).0.clone())
    };
    let by_id = wanted.and_then(|id| all.iter().find(|t| head(t).0 == id));
    let found = match by_id {
        // A tombstone may have a successor with our token. And a name with the token counts for more than a status, which
        // people can edit; without any such name the recorded one was renamed.
        Some(t) if imported.is_none() && (head(t).2.is_gone() || !named(&t)) => {
            by_token().or(Some(t))
        }
        Some(t) => Some(t),
        None if imported.is_none() => by_token(),
        None => None,
    };
    let found = found.or_else(|| {
        let adoption = slot.adopt.as_ref()?;
        all.iter().filter(live).find(|t| adoption.means(head(t).0))
    });
    let Some(found) = found else {
        return Seen::Absent;
    };
    let (uid, name, status) = head(found);
    if status.is_gone() {
        return Seen::Gone { id: uid.clone() };
    }
    let (outputs, fields, locked) = fill(found);
    let state = match status {
        // Only LIVE is settled: until then the router's lock is held, and an order would be refused with a 500 that
        // nobody can tell from a lost one (megaport.md §8.13).
        ProductStatus::Live => State::Ready,
        ProductStatus::Failed => State::Failed {
            message: "Megaport could not deploy it; cancel it and order again, or ask Megaport"
                .to_owned(),
        },
        s if s.is_terminating() => State::Deleting,
        _ => State::Settling {
            forbids_deletion: false,
        },
    };
    // The recorded one is ours whatever its name says now: somebody may have renamed it in the portal.
    let recorded = record.and_then(|r| r.id.as_deref()) == Some(uid.as_str());
    let ownership = if imported.is_some() {
        Ownership::Unmarked
    } else {
        env.marks
            .judge_product(name, &slot.id)
            .unwrap_or(if recorded {
                Ownership::Ours
            } else {
                Ownership::Unmarked
            })
    };
    Seen::Present(Box::new(Present {
        id: uid.clone(),
        state,
        provider_state: status.as_str().to_owned(),
        ownership,
        outputs,
        fields,
        tags: None,
        holds_deletion: locked
            .then(|| "it is locked in Megaport's portal: unlock it there".to_owned()),
    }))
}

/// Other living products with this slot's token. The one with the later date of creation is the later one.
pub(super) fn twins(env: &Env, slot: &Slot, kept: &str) -> Vec<Twin> {
    let Some(megaport) = &env.megaport else {
        return Vec::new();
    };
    let s = &megaport.snapshot;
    let twin = |uid: &str, name: &str, status: &ProductStatus| {
        uid != kept
            && !status.is_gone()
            && !status.is_terminating()
            && env.marks.judge_product(name, &slot.id) == Some(Ownership::Ours)
    };
    let later = |created: Option<i64>, first: Option<i64>| {
        created
            .zip(first)
            .is_some_and(|(created, first)| created > first)
    };
    match slot.class {
        Class::Router => {
            let first = s.mcr(kept).and_then(|m| m.created);
            let carries = |uid: &String| {
                let vxc = s.vxcs().iter().find(|v| v.uid == *uid);
                vxc.is_none_or(|v| !v.status.is_gone())
            };
            let all = s.mcrs().iter().filter(|m| twin(&m.uid, &m.name, &m.status));
            all.map(|m| Twin {
                id: m.uid.clone(),
                later: later(m.created, first),
                unused: m.cancelable && !m.locked && !m.vxc_uids.iter().any(carries),
            })
            .collect()
        }
        Class::VxcAzure | Class::VxcAws => {
            let all = s.vxcs();
            let first = all.iter().find(|v| v.uid == kept).and_then(|v| v.created);
            let twins = all.iter().filter(|v| twin(&v.uid, &v.name, &v.status));
            twins
                .map(|v| Twin {
                    id: v.uid.clone(),
                    later: later(v.created, first),
                    // Whether traffic takes it can not be told from here.
                    unused: false,
                })
                .collect()
        }
        _ => Vec::new(),
    }
}

fn fill_mcr(m: &Mcr) -> (BTreeMap<Output, String>, BTreeMap<String, String>, bool) {
    let mut fields = BTreeMap::new();
    if let Some(asn) = m.asn {
        fields.insert("asn".to_owned(), asn.to_string());
    }
    fields.insert("portSpeedMbps".to_owned(), m.port_speed_mbps.to_string());
    fields.insert("locationID".to_owned(), m.location_id.to_string());
    fields.insert(
        "costCentre".to_owned(),
        m.cost_centre.clone().unwrap_or_default(),
    );
    (BTreeMap::new(), fields, m.locked)
}

fn fill_vxc(
    env: &Env,
    slot: &Slot,
    v: &Vxc,
) -> (BTreeMap<Output, String>, BTreeMap<String, String>, bool) {
    let mut outputs = BTreeMap::new();
    let mut fields = BTreeMap::new();
    fields.insert("rateLimitMbps".to_owned(), v.rate_limit_mbps.to_string());
    fields.insert("router".to_owned(), v.a_end.product_uid.clone());
    if let Some(id) = v
        .aws
        .as_ref()
        .and_then(|a| a.vif_id.clone())
        .filter(|i| !i.is_empty())
    {
        outputs.insert(Output::VifId, id);
    }
    if let Some(id) = v
        .aws
        .as_ref()
        .and_then(|a| a.connection_id.clone())
        .filter(|i| !i.is_empty())
    {
        outputs.insert(Output::ConnectionId, id);
    }
    let wanted = match &slot.desired {
        Desired::VxcAzure { session, .. } | Desired::VxcAws { session, .. } => Some(session),
        _ => None,
    };
    // Compared with the session that the spec describes.
    if let Some(wanted) = wanted.filter(|_| v.router.is_some()) {
        if let Some((interface, s)) = v.session(wanted.peer) {
            if matches!(slot.desired, Desired::VxcAzure { .. }) {
                // The inner VLAN, from whichever field carries it (api.md §3).
                if let Some(vlan) = interface
                    .vlan
                    .filter(|v| *v > 0)
                    .or(v.b_end.inner_vlan.filter(|v| *v > 0))
                {
                    fields.insert("vlanID".to_owned(), vlan.to_string());
                }
            }
            session_fields(&mut fields, s);
            if let Some(word) = keys::of_session(env, v, wanted) {
                fields.insert("bgpKey".to_owned(), word.to_owned());
            }
        } else {
            fields.insert(
                "peerASN".to_owned(),
                "none (the session is missing)".to_owned(),
            );
        }
    }
    (outputs, fields, v.locked)
}

fn session_fields(fields: &mut BTreeMap<String, String>, s: &SeenBgp) {
    if let Some(asn) = s.row.peer_asn {
        fields.insert("peerASN".to_owned(), asn.to_string());
    }
    fields.insert("bfdEnabled".to_owned(), s.bfd.to_string());
    fields.insert(
        "asPathPrependCount".to_owned(),
        s.as_path_prepend.to_string(),
    );
    fields.insert("medOut".to_owned(), s.med_out.unwrap_or(0).to_string());
    let deny: Vec<Ipv4Addr> = s
        .deny_export_to
        .iter()
        .filter_map(|a| a.parse().ok())
        .collect();
    fields.insert("denyExportTo".to_owned(), address_list(&deny));
}
