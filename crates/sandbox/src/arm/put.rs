//! PUT and PATCH: from a body to an accepted operation (azure.md §1.2, §1.3, §3.5).

use super::circuit;
use super::durations;
use super::errors::{ArmError, ArmResult};
use super::ids::{Kind, Name};
use super::lro::{self, Start, Work};
use super::plan::{Input, Lock, Plan};
use super::reads;
use super::shape::{Shape, Ty};
use super::store::{self, CircuitState, Resource, text, touch};
use super::{address, connection, gateway, vnet};
use crate::ops::OpKind;
use crate::state::State;
use crate::wire::{Call, Provider, Req, Res};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A request being carried out.
#[derive(Debug, Clone, Copy)]
pub struct Ctx<'a> {
    pub call: &'a Call,
    pub req: &'a Req,
    pub api_version: &'a str,
}

static SKU: Shape = Shape {
    name: "Sku",
    fields: &[("name", Ty::Str), ("tier", Ty::Str), ("family", Ty::Str)],
};
static TOP: Shape = Shape {
    name: "ResourceDefinition",
    fields: &[
        ("location", Ty::Str),
        ("tags", Ty::Any),
        ("properties", Ty::Any),
        ("sku", Ty::Obj(&SKU)),
        ("zones", Ty::Strs),
        ("id", Ty::ReadOnly),
        ("name", Ty::ReadOnly),
        ("type", Ty::ReadOnly),
        ("etag", Ty::ReadOnly),
        ("kind", Ty::ReadOnly),
        ("identity", Ty::ReadOnly),
        ("extendedLocation", Ty::ReadOnly),
    ],
};

/// The body as an object of the frame that ARM itself reads.
fn top(req: &Req) -> ArmResult<Map<String, Value>> {
    let invalid = |what: String| {
        ArmError::bad(
            "InvalidRequestContent",
            format!("The request content was invalid and could not be deserialized: '{what}'."),
        )
    };
    let body = req
        .json()
        .filter(Value::is_object)
        .ok_or_else(|| invalid("the body is not a JSON object".into()))?;
    TOP.read(&body, "").map_err(|e| {
        let what = e
            .details
            .first()
            .map_or(e.message.clone(), |(_, m)| m.clone());
        invalid(what)
    })
}

/// Tags: a flat map of strings (azure.md §1.6).
pub fn tags(value: Option<&Value>) -> ArmResult<Option<Value>> {
    let Some(value) = value.filter(|v| !v.is_null()) else {
        return Ok(None);
    };
    let bad = |message: String| ArmError::bad("InvalidTag", message);
    let map = value
        .as_object()
        .ok_or_else(|| bad("The tags are not an object.".into()))?;
    if map.len() > 50 {
        return Err(ArmError::bad(
            "InvalidTagCount",
            "The resource has more than 50 tags.",
        ));
    }
    for (name, value) in map {
        let value = value
            .as_str()
            .ok_or_else(|| bad(format!("The value of tag '{name}' is not a string.")))?;
        if name.is_empty() || name.len() > 512 || value.len() > 256 {
            return Err(bad(format!(
                "Tag '{name}' is too long: names have at most 512 characters, values 256."
            )));
        }
        if name.contains(['<', '>', '%', '&', '\\', '?', '/']) {
            return Err(ArmError::bad(
                "InvalidTagNameCharacters",
                format!(
                    "The tag name '{name}' has one of the reserved characters '<,>,%,&,\\,?,/'."
                ),
            ));
        }
    }
    Ok(Some(value.clone()))
}

pub fn check_name(name: &str) -> ArmResult<()> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let ok = !name.is_empty()
        && name.len() <= 80
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(word)
        && name.chars().all(|c| word(c) || c == '.' || c == '-');
    if ok {
        return Ok(());
    }
    Err(ArmError::bad(
        "InvalidResourceName",
        format!(
            "Resource name {name} is invalid. The name can be up to 80 characters long. It must begin with a word character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'."
        ),
    ))
}

/// A stale `If-Match` (azure.md §1.3).
pub fn check_etag(req: &Req, existing: Option<&Resource>) -> ArmResult<()> {
    let Some(wanted) = req.header("if-match") else {
        return Ok(());
    };
    let have = existing.map(|r| text(&r.doc["etag"]));
    if have == Some(wanted) || (wanted == "*" && have.is_some()) {
        return Ok(());
    }
    let subject = existing.map_or_else(String::new, Resource::id);
    Err(ArmError::new(
        412,
        "PreconditionFailed",
        "Precondition failed.",
    )
    .detail(
        "PreconditionFailedEtagMismatch",
        format!("Etag provided in if-match header {wanted} does not match etag {} of resource {subject} in NRP data store.", have.unwrap_or("(none)")),
    ))
}

/// Refuses while an operation runs on the resource itself.
pub fn check_idle(state: &State, req: &Req, existing: Option<&Resource>) -> ArmResult<()> {
    match existing.and_then(|r| r.lro.as_deref()) {
        Some(id) => Err(ArmError::busy(&lro::url(state, &req.base, id, false))),
        None => Ok(()),
    }
}

/// Refuses while another operation holds a lock, or what is referred to is not `Succeeded`.
pub fn check_locks(
    state: &State,
    req: &Req,
    id: &str,
    uses: &[String],
    locks: &[Lock],
) -> ArmResult<()> {
    for used in uses {
        if let Some(r) = state.azure.get(used)
            && !r.ready()
        {
            return Err(ArmError::not_provisioned(&r.id(), id, &r.last_operation));
        }
    }
    for lock in locks {
        let Some(holder) = state.ops.holder(&lock.name) else {
            continue;
        };
        if let Some(shown) = &lock.busy_resource {
            return Err(ArmError::not_provisioned(shown, id, "PutSubnetOperation"));
        }
        let url = lro::of_op(state, holder.id)
            .map(|l| lro::url(state, &req.base, l, false))
            .unwrap_or_default();
        return Err(ArmError::busy(&url));
    }
    Ok(())
}

/// Region names without blanks and capitals, as the service writes them.
fn normal_location(location: &str) -> String {
    location.replace(' ', "").to_lowercase()
}

fn operation_name(kind: Kind) -> String {
    let word = match kind {
        Kind::VirtualNetwork => "VirtualNetwork",
        Kind::NetworkInterface => "NetworkInterface",
        Kind::PublicIp => "PublicIpAddress",
        Kind::VirtualNetworkGateway => "VirtualNetworkGateway",
        Kind::LocalNetworkGateway => "LocalNetworkGateway",
        Kind::Connection => "VirtualNetworkGatewayConnection",
        Kind::Circuit => "ExpressRouteCircuit",
        Kind::RouteTable => "RouteTable",
        Kind::SecurityGroup => "NetworkSecurityGroup",
    };
    format!("Put{word}Operation")
}

pub fn item(state: &mut State, ctx: Ctx<'_>, name: &Name) -> ArmResult<Res> {
    let key = name.key();
    let existing = state.azure.resources.get(&key).cloned();
    // The first spelling of a name stays.
    let name = existing.as_ref().map_or(name, |r| &r.name).clone();
    check_name(&name.name)?;
    let top = top(ctx.req)?;
    check_etag(ctx.req, existing.as_ref())?;
    check_idle(state, ctx.req, existing.as_ref())?;
    let location = location(&name, &top, existing.as_ref())?;
    let tags = tags(top.get("tags"))?;
    let null = Value::Null;
    let input = Input {
        state,
        name: &name,
        existing: existing.as_ref(),
        top: &top,
        properties: top.get("properties").unwrap_or(&null),
        location: &location,
    };
    let plan = match name.kind {
        Kind::VirtualNetwork => vnet::virtual_network(&input),
        Kind::PublicIp => address::public_ip(&input),
        Kind::VirtualNetworkGateway => gateway::plan(&input),
        Kind::LocalNetworkGateway => address::local_gateway(&input),
        Kind::Connection => connection::plan(&input),
        Kind::Circuit => circuit::plan(&input),
        Kind::RouteTable => vnet::route_table(&input),
        Kind::SecurityGroup => vnet::security_group(&input),
        Kind::NetworkInterface => Err(ArmError::new(
            405,
            "MethodNotAllowed",
            "Network interfaces can only be read here: they belong to the start-up world.",
        )),
    }?;
    check_locks(state, ctx.req, &name.id(), &plan.uses, &plan.locks)?;
    Ok(accept(
        state,
        ctx,
        Accepted {
            name,
            existing,
            location: &location,
            tags,
        },
        plan,
    ))
}

/// A PUT that passed its checks.
struct Accepted<'a> {
    name: Name,
    existing: Option<Resource>,
    location: &'a str,
    tags: Option<Value>,
}

fn location(
    name: &Name,
    top: &Map<String, Value>,
    existing: Option<&Resource>,
) -> ArmResult<String> {
    let given = top.get("location").map(text).unwrap_or_default();
    if given.is_empty() {
        return Err(ArmError::bad(
            "LocationRequired",
            "The location property is required for this definition.",
        ));
    }
    let location = normal_location(given);
    if !location.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(ArmError::bad(
            "LocationNotAvailableForResourceType",
            format!(
                "The provided location '{given}' is not available for resource type 'Microsoft.Network/{}'.",
                name.kind.path()
            ),
        ));
    }
    if let Some(old) = existing.filter(|r| r.location() != location) {
        return Err(ArmError::new(
            409,
            "InvalidResourceLocation",
            format!(
                "The resource '{}' already exists in location '{}' in resource group '{}'. A resource with the same name cannot be created in location '{location}'. Please select a new resource name.",
                name.name,
                old.location(),
                name.group
            ),
        ));
    }
    Ok(location)
}

fn accept(state: &mut State, ctx: Ctx<'_>, request: Accepted<'_>, plan: Plan) -> Res {
    let Accepted {
        name,
        existing,
        location,
        tags,
    } = request;
    let key = name.key();
    let id = name.id();
    let created = existing.is_none();
    // A creation that failed is made up for by the next PUT, which takes as long.
    let fresh = existing.as_ref().is_none_or(|r| r.applied.is_none());
    let mut doc = store::skeleton(&name, location, &mut state.rng);
    if let Some(tags) = tags {
        doc["tags"] = tags;
    }
    let mut properties = plan.properties;
    let guid = existing
        .as_ref()
        .and_then(|r| r.props()["resourceGuid"].as_str().map(str::to_owned))
        .unwrap_or_else(|| state.rng.uuid());
    properties.insert("resourceGuid".into(), guid.into());
    doc["properties"] = Value::Object(properties);
    for (member, value) in plan.top {
        doc[member] = value;
    }
    let now = state.now;
    let mut hidden = plan.hidden;
    if name.kind == Kind::Connection
        && doc["properties"]["connectionType"] == "IPsec"
        && !hidden.contains_key("sharedKey")
    {
        // Without a key the service makes one (azure.md §4.3).
        hidden.insert("sharedKey".into(), state.rng.hex(32));
    }
    let (old_used_by, created_at, world, applied) = existing
        .map_or((BTreeSet::new(), now, false, None), |r| {
            (r.used_by, r.created_at, r.world, r.applied)
        });
    let mut resource = Resource {
        name: name.clone(),
        doc,
        applied,
        hidden,
        world,
        created_at,
        last_operation: operation_name(name.kind),
        lro: None,
        used_by: old_used_by,
    };
    resource.set_provisioning("Updating");
    state.azure.resources.insert(key.clone(), resource);
    for used in &plan.uses {
        if let Some(r) = state.azure.resources.get_mut(&used.to_lowercase()) {
            r.used_by.insert(key.clone());
        }
    }
    if name.kind == Kind::Circuit && !state.azure.circuits.contains_key(&key) {
        new_circuit(state, &key);
    }
    if created && let Some(product) = plan.product {
        state.ledger.order(
            Provider::Azure,
            product,
            &id,
            &name.name,
            now,
            &ctx.call.principal,
        );
    }
    touch(state, &key);
    let seconds = durations::of(
        state,
        if fresh {
            plan.create_duration
        } else {
            plan.update_duration
        },
    );
    let mut names = plan.uses.clone();
    if name.kind == Kind::VirtualNetworkGateway
        && let Some(r) = state.azure.resources.get(&key)
    {
        names.push(gateway::vnet_of(r.props()));
    }
    let lro = lro::begin(
        state,
        Start {
            call: ctx.call,
            subscription: &name.subscription,
            location,
            api_version: ctx.api_version,
            resource: &id,
            kind: if fresh {
                OpKind::Create
            } else {
                OpKind::Update
            },
            seconds,
            names,
            locks: plan.locks.into_iter().map(|l| l.name).collect(),
            work: Work::Put {
                key: key.clone(),
                created: fresh,
            },
        },
    );
    if let Some(r) = state.azure.resources.get_mut(&key) {
        r.lro = Some(lro.clone());
    }
    let body = reads::body(state, &key, ctx.api_version);
    let res = Res::json(if created { 201 } else { 200 }, &body);
    lro::headers(state, ctx.req, res, &lro, true, false)
}

fn new_circuit(state: &mut State, key: &str) {
    let service_key = state.rng.uuid();
    state.azure.next_s_tag += 1;
    let s_tag = state.azure.next_s_tag;
    state.azure.circuits.insert(
        key.to_owned(),
        CircuitState {
            service_key,
            s_tag,
            ports: BTreeMap::new(),
            actual: "NotProvisioned".into(),
            generation: 0,
        },
    );
    if state.azure.buried.contains(key) {
        // Found only a while after its operation is done; the real moment is set when it is.
        state
            .azure
            .unseen_until
            .insert(key.to_owned(), crate::time::SimTime(i64::MAX));
    }
}

/// PATCH: tags only (azure.md §1.3); on gateways and connections a long-running operation.
pub fn patch(state: &mut State, ctx: Ctx<'_>, name: &Name) -> ArmResult<Res> {
    let key = name.key();
    let Some(existing) = state.azure.resources.get(&key).cloned() else {
        return Err(ArmError::not_found(
            name.kind.path(),
            &name.name,
            &name.group,
        ));
    };
    let top = top(ctx.req)?;
    if let Some(member) = top.keys().find(|k| *k != "tags") {
        return Err(ArmError::bad(
            "InvalidRequestContent",
            format!(
                "The request content was invalid and could not be deserialized: 'Could not find member '{member}' on object of type 'TagsObject'.'."
            ),
        ));
    }
    let tags = tags(top.get("tags"))?.unwrap_or_else(|| json!({}));
    check_idle(state, ctx.req, Some(&existing))?;
    let slow = matches!(name.kind, Kind::VirtualNetworkGateway | Kind::Connection);
    if !slow {
        if let Some(r) = state.azure.resources.get_mut(&key) {
            r.doc["tags"] = tags.clone();
            if let Some(a) = &mut r.applied {
                a["tags"] = tags;
            }
        }
        touch(state, &key);
        return Ok(Res::json(200, &reads::body(state, &key, ctx.api_version)));
    }
    let gateway = if name.kind == Kind::Connection {
        text(&existing.props()["virtualNetworkGateway1"]["id"]).to_owned()
    } else {
        existing.id()
    };
    let locks = vec![Lock::on("gateway", &gateway)];
    check_locks(state, ctx.req, &existing.id(), &[], &locks)?;
    if let Some(r) = state.azure.resources.get_mut(&key) {
        r.doc["tags"] = tags;
    }
    let res = settle(state, ctx, &existing, locks, "arm.gateway.tags");
    touch(state, &key);
    let body = reads::body(state, &key, ctx.api_version);
    Ok(lro::headers(
        state,
        ctx.req,
        Res::json(200, &body),
        &res,
        true,
        false,
    ))
}

/// Starts an operation that only keeps the resource busy for a while; answers its ID.
pub fn settle(
    state: &mut State,
    ctx: Ctx<'_>,
    resource: &Resource,
    locks: Vec<Lock>,
    duration: &str,
) -> String {
    let key = resource.name.key();
    let seconds = durations::of(state, duration);
    let lro = lro::begin(
        state,
        Start {
            call: ctx.call,
            subscription: &resource.name.subscription,
            location: resource.location(),
            api_version: ctx.api_version,
            resource: &resource.id(),
            kind: OpKind::Update,
            seconds,
            names: Vec::new(),
            locks: locks.into_iter().map(|l| l.name).collect(),
            work: Work::Settle { key: key.clone() },
        },
    );
    if let Some(r) = state.azure.resources.get_mut(&key) {
        r.set_provisioning("Updating");
        r.lro = Some(lro.clone());
    }
    lro
}

/// PUT of a connection's shared key (azure.md §4.3).
pub fn shared_key(state: &mut State, ctx: Ctx<'_>, name: &Name) -> ArmResult<Res> {
    let body = ctx.req.json().unwrap_or_default();
    let Some(value) = body["value"].as_str().map(str::to_owned) else {
        return Err(ArmError::bad(
            "MissingJsonProperty",
            "Required property 'value' of ConnectionSharedKey is missing.",
        ));
    };
    change_key(state, ctx, name, value)
}

/// Sets a connection's key, which keeps the connection `Updating` for a while.
pub fn change_key(state: &mut State, ctx: Ctx<'_>, name: &Name, value: String) -> ArmResult<Res> {
    let key = name.key();
    let Some(existing) = state.azure.resources.get(&key).cloned() else {
        return Err(ArmError::not_found(
            name.kind.path(),
            &name.name,
            &name.group,
        ));
    };
    if existing.props()["connectionType"] == "ExpressRoute" {
        return Err(ArmError::bad(
            "SharedKeyNotSupported",
            format!(
                "Connection {} is an ExpressRoute connection and has no shared key.",
                existing.id()
            ),
        ));
    }
    connection::check_key(&existing.id(), &value)?;
    check_idle(state, ctx.req, Some(&existing))?;
    let gateway = text(&existing.props()["virtualNetworkGateway1"]["id"]).to_owned();
    let locks = vec![Lock::on("gateway", &gateway)];
    check_locks(state, ctx.req, &existing.id(), &[gateway], &locks)?;
    let seconds = durations::of(state, "arm.sharedKey");
    let answer = json!({"value": value});
    let lro = lro::begin(
        state,
        Start {
            call: ctx.call,
            subscription: &existing.name.subscription,
            location: existing.location(),
            api_version: ctx.api_version,
            resource: &existing.id(),
            kind: OpKind::Update,
            seconds,
            names: Vec::new(),
            locks: locks.into_iter().map(|l| l.name).collect(),
            work: Work::SharedKey {
                key: key.clone(),
                value,
            },
        },
    );
    if let Some(r) = state.azure.resources.get_mut(&key) {
        r.set_provisioning("Updating");
        r.lro = Some(lro.clone());
    }
    touch(state, &key);
    let reset = ctx.req.method == http::Method::POST;
    let res = if reset {
        Res::empty(202)
    } else {
        Res::json(200, &answer)
    };
    Ok(lro::headers(state, ctx.req, res, &lro, !reset, reset))
}
