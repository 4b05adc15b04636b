//! Azure Resource Manager as far as Microsoft.Network is concerned: virtual networks, gateways, circuits, connections,
//! their long-running operations and diagnostics, and the identity platform that issues its tokens.
//!
//! Rules, codes and dialects are those of the reference (azure.md); where a code is not in public sources, its use says
//! so. This module knows nothing of routing: tables come from `net`, what carries packets goes there by [`view`].

use crate::sandbox::LiveObject;
use crate::state::State;
use crate::wire::{Call, Listener, Provider, Req, Res};
use errors::{ArmError, ArmResult};
use http::Method;
use ids::{Child, Kind, Target};
use put::Ctx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
pub use store::AzureState;

mod actions;
mod address;
mod auth;
mod children;
mod circuit;
mod connection;
mod delete;
pub mod durations;
mod errors;
mod finish;
mod gateway;
mod ids;
mod lro;
mod plan;
pub mod provider_side;
mod put;
mod reads;
mod seed;
mod shape;
mod store;
mod view;
mod vnet;
mod vpn_gateway;
pub mod world;

/// What will happen on this provider's side.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Event {
    /// A long-running operation is due.
    OperationDue { id: String },
    /// The provider's word on a circuit arrives.
    ProviderState {
        key: String,
        generation: u64,
        to: String,
        op: u64,
        show: bool,
    },
    /// A circuit shows it without having been refreshed.
    ProviderStateShown { key: String, generation: u64 },
    /// The provider writes the private peering.
    ProviderPeering { key: String, given: Value, op: u64 },
}

pub fn on_event(state: &mut State, event: Event) {
    match event {
        Event::OperationDue { id } => lro::end(state, &id),
        Event::ProviderState {
            key,
            generation,
            to,
            op,
            show,
        } => provider_side::arrived(state, &key, generation, &to, op, show),
        Event::ProviderStateShown { key, generation } => {
            provider_side::shown(state, &key, generation);
        }
        Event::ProviderPeering { key, given, op } => {
            provider_side::write_peering(state, &key, given, op);
        }
    }
}

fn no_such_type(what: &str, api_version: &str) -> ArmError {
    ArmError::new(
        404,
        "InvalidResourceType",
        format!(
            "The resource type '{what}' could not be found in the namespace 'Microsoft.Network' for api version '{api_version}'."
        ),
    )
}

/// Says what a request is and who sent it, or refuses it (no or wrong credentials, no such route) as the provider does.
pub fn identify(state: &State, listener: Listener, req: &Req) -> Result<Call, Box<Res>> {
    if listener == Listener::AzureAuthority {
        return Ok(auth::identify(req));
    }
    let principal = auth::principal(state, req)?;
    let refuse = |e: ArmError| Box::new(e.answer());
    let Some(version) = req.query("api-version").filter(|v| !v.is_empty()) else {
        return Err(refuse(ArmError::bad(
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )));
    };
    let target = Target::parse(&req.path)
        .ok_or_else(|| refuse(no_such_type(req.path.trim_start_matches('/'), version)))?;
    let management = matches!(
        target,
        Target::Subscription { .. } | Target::ResourceGroup { .. }
    );
    if !management && !ids::API_VERSIONS.contains(&version) {
        return Err(refuse(ArmError::bad(
            "NoRegisteredProviderFound",
            format!(
                "No registered resource provider found for API version '{version}' of namespace 'Microsoft.Network'. The supported api-versions are '{}'.",
                ids::API_VERSIONS.join(", ")
            ),
        )));
    }
    known_place(state, &target).map_err(|e| refuse(*e))?;
    if !allowed(&target, &req.method) {
        return Err(refuse(ArmError::new(
            405,
            "MethodNotAllowed",
            format!(
                "The HTTP method {} is not supported at this path.",
                req.method
            ),
        )));
    }
    Ok(Call {
        provider: Provider::Azure,
        operation: target.operation(&req.method),
        mutating: matches!(req.method, Method::PUT | Method::PATCH | Method::DELETE)
            || matches!(&target, Target::Action(_, action) if mutates(action)),
        resource: target.id(),
        principal,
    })
}

/// POST actions that change something; the others read tables.
fn mutates(action: &str) -> bool {
    matches!(action, "reset" | "resetconnection" | "sharedkey/reset")
}

fn allowed(target: &Target, method: &Method) -> bool {
    match target {
        Target::Item(_) => matches!(
            *method,
            Method::GET | Method::PUT | Method::PATCH | Method::DELETE
        ),
        Target::Child(..) => matches!(*method, Method::GET | Method::PUT | Method::DELETE),
        Target::Part(_, "sharedkey") => matches!(*method, Method::GET | Method::PUT),
        Target::Action(..) => *method == Method::POST,
        Target::ChildAction(_, _, _, "stats", _) => *method == Method::GET,
        Target::ChildAction(..) => *method == Method::POST,
        Target::ResourceGroup { .. } => matches!(*method, Method::GET | Method::HEAD),
        _ => *method == Method::GET,
    }
}

/// Subscription and resource group must exist.
fn known_place(state: &State, target: &Target) -> Result<(), Box<ArmError>> {
    let subscription = target.subscription();
    let Some(known) = state
        .world
        .azure
        .subscriptions
        .iter()
        .find(|s| s.subscription_id.eq_ignore_ascii_case(subscription))
    else {
        return Err(Box::new(ArmError::new(
            404,
            "SubscriptionNotFound",
            format!("The subscription '{subscription}' could not be found."),
        )));
    };
    match target.group() {
        Some(group)
            if !known
                .resource_groups
                .iter()
                .any(|g| g.name.eq_ignore_ascii_case(group)) =>
        {
            Err(Box::new(ArmError::new(
                404,
                "ResourceGroupNotFound",
                format!("Resource group '{group}' could not be found."),
            )))
        }
        _ => Ok(()),
    }
}

/// Names in the service's own spelling: subscription and group as the world has them.
fn spell(state: &State, target: &mut Target) {
    let (Target::Item(name)
    | Target::Part(name, _)
    | Target::Action(name, _)
    | Target::Children(name, _)
    | Target::Child(name, ..)
    | Target::ChildAction(name, ..)) = target
    else {
        return;
    };
    for s in &state.world.azure.subscriptions {
        if s.subscription_id.eq_ignore_ascii_case(&name.subscription) {
            name.subscription.clone_from(&s.subscription_id);
            for g in &s.resource_groups {
                if g.name.eq_ignore_ascii_case(&name.group) {
                    name.group.clone_from(&g.name);
                }
            }
        }
    }
}

/// Carries out a request that was identified.
pub fn handle(state: &mut State, listener: Listener, call: &Call, req: &Req) -> Res {
    if listener == Listener::AzureAuthority {
        return auth::handle(state, call, req);
    }
    let ctx = Ctx {
        call,
        req,
        api_version: req.query("api-version").unwrap_or_default(),
    };
    let res = match Target::parse(&req.path) {
        Some(mut target) => {
            spell(state, &mut target);
            route(state, ctx, &target).unwrap_or_else(|e| e.answer())
        }
        None => no_such_type(&req.path, ctx.api_version).answer(),
    };
    correlated(state, req, res)
}

/// The headers by which support finds a request (azure.md §1.6).
fn correlated(state: &mut State, req: &Req, mut res: Res) -> Res {
    let id = state.rng.uuid();
    res = res
        .with("x-ms-request-id", &id)
        .with("x-ms-correlation-request-id", &id)
        .with(
            "x-ms-routing-request-id",
            &format!("EASTUS2:{}:{id}", state.now.rfc3339()),
        )
        .with("cache-control", "no-cache");
    if let Some(client) = req.header("x-ms-client-request-id") {
        let client = client.to_owned();
        res = res.with("x-ms-client-request-id", &client);
    }
    res
}

fn route(state: &mut State, ctx: Ctx<'_>, target: &Target) -> ArmResult<Res> {
    let method = &ctx.req.method;
    match target {
        Target::Subscription { subscription } => Ok(subscription_body(state, subscription)),
        Target::ResourceGroup {
            subscription,
            group,
        } => Ok(group_body(state, subscription, group, method)),
        Target::ServiceProviders { subscription } => {
            Ok(reads::service_providers(state, ctx, subscription))
        }
        Target::Operation { id, result, .. } => Ok(lro::poll(state, ctx.req, id, *result)),
        Target::List {
            subscription,
            group,
            kind,
        } => Ok(reads::all(
            state,
            ctx,
            subscription,
            group.as_deref(),
            *kind,
        )),
        Target::Item(name) => match *method {
            Method::GET => reads::item(state, ctx, name),
            Method::PUT => put::item(state, ctx, name),
            Method::PATCH => put::patch(state, ctx, name),
            _ => delete::item(state, ctx, name),
        },
        Target::Part(name, "stats") => actions::stats(state, name),
        Target::Part(name, "connections") => reads::gateway_connections(state, ctx, name),
        Target::Part(name, _) if *method == Method::GET => reads::shared_key(state, name),
        Target::Part(name, _) => put::shared_key(state, ctx, name),
        Target::Action(name, action) => actions::item(state, ctx, name, action),
        Target::Children(name, child) => reads::children(state, ctx, name, *child),
        Target::Child(name, kind, child) => match *method {
            Method::GET => reads::child(state, ctx, name, *kind, child),
            Method::PUT => children::put(state, ctx, name, *kind, child),
            _ => delete::child(state, ctx, name, *kind, child),
        },
        Target::ChildAction(name, _, _, "stats", _) => actions::stats(state, name),
        Target::ChildAction(name, kind, child, action, argument) => {
            actions::child(state, ctx, name, *kind, child, action, argument)
        }
    }
}

fn subscription_body(state: &State, id: &str) -> Res {
    let name = state
        .world
        .azure
        .subscriptions
        .iter()
        .find(|s| s.subscription_id.eq_ignore_ascii_case(id))
        .map_or("", |s| s.display_name.as_str());
    Res::json(
        200,
        &json!({
            "id": format!("/subscriptions/{id}"),
            "subscriptionId": id,
            "tenantId": state.world.azure.tenant_id,
            "displayName": name,
            "state": "Enabled",
            "authorizationSource": "RoleBased",
        }),
    )
}

fn group_body(state: &State, subscription: &str, group: &str, method: &Method) -> Res {
    if *method == Method::HEAD {
        return Res::empty(204);
    }
    let found = state
        .world
        .azure
        .subscriptions
        .iter()
        .filter(|s| s.subscription_id.eq_ignore_ascii_case(subscription))
        .flat_map(|s| &s.resource_groups)
        .find(|g| g.name.eq_ignore_ascii_case(group));
    let (name, location) = found.map_or((group, ""), |g| (g.name.as_str(), g.location.as_str()));
    Res::json(
        200,
        &json!({
            "id": format!("/subscriptions/{subscription}/resourceGroups/{name}"),
            "name": name,
            "type": "Microsoft.Resources/resourceGroups",
            "location": location,
            "properties": {"provisioningState": "Succeeded"},
        }),
    )
}

/// What exists now, apart from what the world started with (contract §4, `GET /live`).
pub fn live(state: &State) -> Vec<LiveObject> {
    let object = |kind: &str, id: &str, name: &str, state: &Value| LiveObject {
        provider: Provider::Azure,
        kind: kind.to_owned(),
        id: id.to_owned(),
        name: name.to_owned(),
        state: store::text(state).to_owned(),
    };
    let mut out = Vec::new();
    for r in state.azure.resources.values() {
        if !r.world {
            let p = &r.props()["provisioningState"];
            out.push(object(r.name.kind.path(), &r.id(), &r.name.name, p));
        }
        if r.name.kind == Kind::Circuit {
            for child in [Child::Peering, Child::Authorization] {
                for c in store::list(&r.props()[child.path()]) {
                    out.push(object(
                        &format!("{}/{}", r.name.kind.path(), child.path()),
                        store::text(&c["id"]),
                        store::text(&c["name"]),
                        &c["properties"]["provisioningState"],
                    ));
                }
            }
        }
    }
    out
}

/// The world's own objects as they are now, by ID, without what changes by itself: compared for `GET /diff`.
pub fn world_objects(state: &State) -> BTreeMap<String, Value> {
    state
        .azure
        .world_keys
        .iter()
        .map(|key| {
            let body = state.azure.resources.get(key).map_or(Value::Null, |r| {
                let mut doc = r.doc.clone();
                if let Some(map) = doc.as_object_mut() {
                    map.remove("etag");
                }
                doc
            });
            (key.clone(), body)
        })
        .collect()
}

/// Every secret value that this provider knows: masked in the call log.
pub fn secrets(state: &State) -> Vec<String> {
    let world = &state.world.azure;
    let mut out = vec![
        world.causeway.client_secret.clone(),
        world.human.client_secret.clone(),
        state.azure.token_key.clone(),
    ];
    out.extend(state.azure.circuits.values().map(|c| c.service_key.clone()));
    for r in state.azure.resources.values() {
        out.extend(
            r.hidden
                .iter()
                .filter(|(name, _)| name.as_str() != "running")
                .map(|(_, v)| v.clone()),
        );
    }
    for l in state.azure.lros.values() {
        if let lro::Work::SharedKey { value, .. } = &l.work {
            out.push(value.clone());
        }
    }
    out
}

/// Azure moves an existing VPN gateway from `VpnGwN` to `VpnGwNAZ` by itself (azure.md §3.3); answers the new SKU, or
/// `None` when there is no such gateway with such a SKU.
pub fn migrate_sku(state: &mut State, gateway: &str) -> Option<String> {
    let key = gateway.to_lowercase();
    let r = state.azure.resources.get_mut(&key)?;
    let old = store::text(&r.props()["sku"]["name"]).to_owned();
    if r.name.kind != Kind::VirtualNetworkGateway
        || !old.starts_with("VpnGw")
        || old.ends_with("AZ")
    {
        return None;
    }
    let new = format!("{old}AZ");
    for doc in [Some(&mut r.doc), r.applied.as_mut()].into_iter().flatten() {
        doc["properties"]["sku"]["name"] = new.clone().into();
        doc["properties"]["sku"]["tier"] = new.clone().into();
    }
    store::touch(state, &key);
    Some(new)
}

/// An error in this provider's envelope.
pub fn error(status: u16, code: &str, message: &str) -> Res {
    let mut e = ArmError::new(status, code, message);
    if status == 429 {
        e.retry_after = Some(10);
    }
    e.answer()
}

/// This provider's part of what the network simulation sees.
pub fn view(state: &State) -> crate::net::view::AzureView {
    view::build(state)
}
