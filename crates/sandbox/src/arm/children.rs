//! PUT of children that live in their parent's body: subnets, routes, peerings, authorizations (azure.md §1.3, §2.4, §5).

use super::circuit;
use super::durations;
use super::errors::{ArmError, ArmResult};
use super::ids::{Child, Kind, Name};
use super::lro::{self, Start, Work};
use super::plan::Lock;
use super::put::{Ctx, check_etag, check_idle, check_locks, check_name};
use super::reads;
use super::seed;
use super::store::{Resource, list, named, text, touch};
use super::vnet;
use crate::ops::OpKind;
use crate::state::State;
use crate::wire::Res;
use serde_json::{Value, json};

/// PUT of a subnet, route, peering or authorization.
pub fn put(
    state: &mut State,
    ctx: Ctx<'_>,
    parent: &Name,
    kind: Child,
    child_name: &str,
) -> ArmResult<Res> {
    let key = parent.key();
    let Some(existing) = state.azure.resources.get(&key).cloned() else {
        return Err(ArmError::new(
            404,
            "ParentResourceNotFound",
            format!(
                "Failed to perform 'write' on resource(s) of type '{}/{}', because the parent resource '{}' could not be found.",
                parent.kind.path(),
                kind.path(),
                parent.id()
            ),
        ));
    };
    let parent = existing.name.clone();
    check_name(child_name)?;
    let body = ctx.req.json().filter(Value::is_object).ok_or_else(|| {
        ArmError::bad(
            "InvalidRequestContent",
            "The request content was invalid and could not be deserialized.",
        )
    })?;
    let shape = match kind {
        Child::Subnet => &vnet::SUBNET_ENTRY,
        Child::Route => &vnet::ROUTE_ENTRY,
        Child::Peering => &circuit::PEERING_ENTRY,
        Child::Authorization => &circuit::AUTHORIZATION_ENTRY,
    };
    let given = shape.read(&body, "")?;
    let properties = given
        .get("properties")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    check_etag(ctx.req, Some(&existing))?;
    check_idle(state, ctx.req, Some(&existing))?;
    let siblings = &existing.props()[kind.path()];
    let old = named(siblings, child_name).cloned();
    let child_name = old
        .as_ref()
        .map_or(child_name, |o| text(&o["name"]))
        .to_owned();
    let id = format!("{}/{}/{child_name}", parent.id(), kind.path());
    let mut uses = Vec::new();
    let mut hidden = None;
    let (mut entry, lock, duration) = match kind {
        Child::Subnet => {
            let space = vnet::vnet_prefixes(existing.props());
            let (p, used) = vnet::subnet(
                state,
                &parent,
                &space,
                list(siblings),
                &child_name,
                properties,
            )?;
            if let Some(old) = &old
                && vnet::subnet_prefixes(&old["properties"]) != vnet::subnet_prefixes(&p)
                && let Some(user) = vnet::subnet_users(state, &id).first()
            {
                return Err(ArmError::bad(
                    "InUsePrefixCannotBeDeleted",
                    format!(
                        "IpPrefix of subnet {id} cannot be changed because it is in use by {user}."
                    ),
                ));
            }
            uses = used;
            (
                seed::child(&parent, kind, &child_name, p),
                Some(Lock::on("vnet", &parent.id())),
                "arm.subnet",
            )
        }
        Child::Route => {
            let p = vnet::route(&id, &properties)?;
            let entry = seed::child(&parent, kind, &child_name, p);
            for subnet in vnet::attached_subnets(state, &parent.id(), "routeTable") {
                if vnet::is_gateway_subnet(subnet.rsplit('/').next().unwrap_or_default()) {
                    let after = json!({"routes": [entry]});
                    vnet::gateway_subnet_rules(Kind::RouteTable, &parent.name, &after)?;
                }
            }
            (entry, None, "arm.routeTable")
        }
        Child::Peering => {
            let (entry, md5) = circuit::peering(
                &parent,
                Some(&existing),
                &child_name,
                properties,
                "Customer",
            )?;
            hidden = md5.map(|k| (format!("peering/{}", child_name.to_lowercase()), k));
            (
                entry,
                Some(Lock::on("circuit", &parent.id())),
                "arm.peering.create",
            )
        }
        Child::Authorization => {
            if old.is_none() && list(siblings).len() >= 10 {
                return Err(ArmError::bad(
                    "AuthorizationLimitReached",
                    format!(
                        "Circuit {} has 10 authorizations, which is the most.",
                        parent.id()
                    ),
                ));
            }
            let slot = format!("authorization/{}", child_name.to_lowercase());
            if !existing.hidden.contains_key(&slot) {
                hidden = Some((slot, state.rng.uuid()));
            }
            let p = json!({"authorizationUseStatus": "Available"});
            (
                seed::child(&parent, kind, &child_name, p),
                Some(Lock::on("circuit", &parent.id())),
                "arm.authorization",
            )
        }
    };
    let locks: Vec<Lock> = lock.into_iter().collect();
    check_locks(state, ctx.req, &id, &uses, &locks)?;
    entry["properties"]["provisioningState"] = "Updating".into();
    let seconds = durations::of(state, duration);
    let lro = lro::begin(
        state,
        Start {
            call: ctx.call,
            subscription: &parent.subscription,
            location: existing.location(),
            api_version: ctx.api_version,
            resource: &id,
            kind: if old.is_none() {
                OpKind::Create
            } else {
                OpKind::Update
            },
            seconds,
            names: uses.iter().cloned().chain([parent.id()]).collect(),
            locks: locks.into_iter().map(|l| l.name).collect(),
            work: Work::PutChild {
                key: key.clone(),
                child: kind,
                name: child_name.clone(),
            },
        },
    );
    for used in &uses {
        if let Some(r) = state.azure.resources.get_mut(&used.to_lowercase()) {
            r.used_by.insert(key.clone());
        }
    }
    if let Some(r) = state.azure.resources.get_mut(&key) {
        place(r, kind, entry);
        r.hidden.extend(hidden);
        r.set_provisioning("Updating");
        r.last_operation = format!("Put{}Operation", kind_word(kind));
        r.lro = Some(lro.clone());
    }
    touch(state, &key);
    let body =
        reads::child_body(state, &key, kind, &child_name, ctx.api_version).unwrap_or_default();
    let res = Res::json(if old.is_none() { 201 } else { 200 }, &body);
    Ok(lro::headers(state, ctx.req, res, &lro, true, false))
}

fn kind_word(kind: Child) -> &'static str {
    match kind {
        Child::Subnet => "Subnet",
        Child::Route => "Route",
        Child::Peering => "ExpressRouteCircuitPeering",
        Child::Authorization => "ExpressRouteCircuitAuthorization",
    }
}

/// Puts a child's entry into its parent's body, in place of one of the same name.
pub fn place(parent: &mut Resource, kind: Child, entry: Value) {
    let name = text(&entry["name"]).to_owned();
    let slot = parent
        .props_mut()
        .entry(kind.path())
        .or_insert_with(|| json!([]));
    if let Some(children) = slot.as_array_mut() {
        match children
            .iter_mut()
            .find(|c| text(&c["name"]).eq_ignore_ascii_case(&name))
        {
            Some(c) => *c = entry,
            None => children.push(entry),
        }
    }
}
