//! Prefix filter lists of an MCR (megaport.md §7.1).

use super::envelope::{Refusal, Reply, ok};
use super::types::{Mcr, PrefixEntry, PrefixList};
use crate::state::State;
use crate::time::SimTime;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    description: Option<String>,
    address_family: Option<String>,
    entries: Option<Vec<EntryOrder>>,
}

#[derive(Deserialize)]
struct EntryOrder {
    action: String,
    prefix: String,
    ge: Option<u8>,
    le: Option<u8>,
}

/// The MCR, or what the API says of a UID that is none.
fn router<'a>(state: &'a State, uid: &str) -> Result<&'a Mcr, Refusal> {
    if state.megaport.vxcs.contains_key(uid) {
        return Err(Refusal::bad("Not supported service type"));
    }
    state
        .megaport
        .mcrs
        .get(uid)
        .filter(|m| m.service.status.attached())
        .ok_or_else(|| Refusal::no_service(uid))
}

fn print(l: &PrefixList) -> Value {
    let entries: Vec<Value> = l
        .entries
        .iter()
        .map(|e| {
            let mut m = Map::new();
            m.insert("action".into(), json!(e.action));
            m.insert("prefix".into(), json!(e.prefix.to_string()));
            // Texts in answers, and absent when they equal a default.
            if let Some(ge) = e.ge.filter(|g| *g != e.prefix.prefix_len()) {
                m.insert("ge".into(), json!(ge.to_string()));
            }
            if let Some(le) = e.le.filter(|l| *l != e.prefix.prefix_len()) {
                m.insert("le".into(), json!(le.to_string()));
            }
            Value::Object(m)
        })
        .collect();
    json!({"id": l.id, "description": l.description, "addressFamily": l.family, "entries": entries})
}

fn parse(body: Value) -> Result<(String, String, Vec<PrefixEntry>), Refusal> {
    let o: Order =
        serde_json::from_value(body).map_err(|e| Refusal::invalid(format!("prefix list: {e}")))?;
    let family = o
        .address_family
        .filter(|f| matches!(f.as_str(), "IPv4" | "IPv6"))
        .ok_or_else(|| Refusal::invalid("addressFamily must be IPv4 or IPv6"))?;
    let description = o
        .description
        .filter(|d| !d.is_empty())
        .ok_or_else(|| Refusal::invalid("description is required"))?;
    let entries = o.entries.unwrap_or_default();
    if !(1..=200).contains(&entries.len()) {
        return Err(Refusal::invalid("a prefix list has 1 to 200 entries"));
    }
    let entries = entries
        .into_iter()
        .map(|e| entry(e, &family))
        .collect::<Result<Vec<_>, _>>()?;
    Ok((description, family, entries))
}

fn entry(e: EntryOrder, family: &str) -> Result<PrefixEntry, Refusal> {
    if !matches!(e.action.as_str(), "permit" | "deny") {
        return Err(Refusal::invalid(format!(
            "action '{}' is not one of permit, deny",
            e.action
        )));
    }
    let net: IpNet = e
        .prefix
        .parse()
        .map_err(|_| Refusal::invalid(format!("'{}' is not a prefix", e.prefix)))?;
    if net != net.trunc() {
        return Err(Refusal::invalid(format!(
            "prefix {} has host bits",
            e.prefix
        )));
    }
    if matches!(net, IpNet::V4(_)) != (family == "IPv4") {
        return Err(Refusal::invalid(format!(
            "prefix {} is not {family}",
            e.prefix
        )));
    }
    // Zero is what clients send for "not given".
    let ge = e.ge.filter(|g| *g != 0);
    let le = e.le.filter(|l| *l != 0);
    let least = ge.unwrap_or(net.prefix_len());
    let most = le.unwrap_or(net.max_prefix_len());
    if least < net.prefix_len() || most > net.max_prefix_len() || least > most {
        return Err(Refusal::invalid(format!(
            "ge or le of {} is out of range",
            e.prefix
        )));
    }
    Ok(PrefixEntry {
        action: e.action,
        prefix: net,
        ge,
        le,
    })
}

pub fn list(state: &State, uid: &str) -> Reply {
    let lists: Vec<Value> = router(state, uid)?
        .prefix_lists
        .iter()
        .map(|l| json!({"id": l.id, "description": l.description, "addressFamily": l.family}))
        .collect();
    ok("Prefix lists of the MCR", Value::Array(lists))
}

pub fn create(state: &mut State, uid: &str, body: Value) -> Reply {
    router(state, uid)?;
    let (description, family, entries) = parse(body)?;
    state.megaport.next_prefix_list += 1;
    let list = PrefixList {
        id: state.megaport.next_prefix_list,
        description,
        family,
        entries,
        held_until: SimTime(0),
    };
    let printed = print(&list);
    if let Some(m) = state.megaport.mcrs.get_mut(uid) {
        m.prefix_lists.push(list);
    }
    ok("Created a new prefix list for MCR", printed)
}

fn find<'a>(state: &'a State, uid: &str, id: &str) -> Result<&'a PrefixList, Refusal> {
    router(state, uid)?
        .prefix_lists
        .iter()
        .find(|l| l.id.to_string() == id)
        .ok_or_else(|| Refusal::missing(format!("Prefix list {id} was not found")))
}

pub fn get(state: &State, uid: &str, id: &str) -> Reply {
    let printed = print(find(state, uid, id)?);
    ok("Prefix list of the MCR", printed)
}

/// `PUT` replaces.
pub fn put(state: &mut State, uid: &str, id: &str, body: Value) -> Reply {
    let old = find(state, uid, id)?.clone();
    let (description, family, entries) = parse(body)?;
    if family != old.family {
        return Err(Refusal::invalid("addressFamily cannot be changed"));
    }
    let new = PrefixList {
        description,
        entries,
        ..old
    };
    let printed = print(&new);
    if let Some(slot) = state
        .megaport
        .mcrs
        .get_mut(uid)
        .and_then(|m| m.prefix_lists.iter_mut().find(|l| l.id == new.id))
    {
        *slot = new;
    }
    ok("Updated the prefix list of the MCR", printed)
}

/// 409 while a session refers to it, also one of a VXC that has just been removed (§5).
pub fn delete(state: &mut State, uid: &str, id: &str) -> Reply {
    let list = find(state, uid, id)?;
    let id = list.id;
    let used: Vec<&str> = state
        .megaport
        .vxcs
        .values()
        .filter(|v| v.service.status.attached() && v.touches(uid))
        .filter(|v| v.sessions().any(|b| b.prefix_lists().any(|l| l == id)))
        .map(|v| v.service.uid.as_str())
        .collect();
    if !used.is_empty() || list.held_until > state.now {
        let data = json!({"prefixListId": id, "vxcs": used});
        return Err(Refusal::conflict(
            "Prefix list is in use by BGP connections",
            data,
        ));
    }
    if let Some(m) = state.megaport.mcrs.get_mut(uid) {
        m.prefix_lists.retain(|l| l.id != id);
    }
    ok("Deleted the prefix list of the MCR", Value::Null)
}
