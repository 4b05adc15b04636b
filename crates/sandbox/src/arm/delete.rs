//! DELETE: what is still in use is refused, what was never there is 204, and a circuit that its provider still holds is
//! accepted and fails later (azure.md §1.2, §2.6).

use super::address::{connections_using, public_ip_user};
use super::circuit;
use super::durations;
use super::errors::{ArmError, ArmResult};
use super::gateway;
use super::ids::{Child, Kind, Name};
use super::lro::{self, Start, Work};
use super::plan::Lock;
use super::put::{Ctx, check_etag, check_idle, check_locks};
use super::store::{Resource, list, named, text, touch};
use super::vnet;
use crate::ops::OpKind;
use crate::state::State;
use crate::wire::Res;

fn in_use(code: &str, id: &str, user: &str, remedy: &str) -> ArmError {
    ArmError::bad(
        code,
        format!("Resource {id} cannot be deleted because it is in use by {user}. {remedy}"),
    )
}

/// Who still uses a resource, as its refusal.
fn users(state: &State, r: &Resource) -> ArmResult<()> {
    let id = r.id();
    match r.name.kind {
        Kind::PublicIp => {
            if let Some(user) = public_ip_user(state, &id) {
                return Err(ArmError::bad(
                    "PublicIPAddressCannotBeDeleted",
                    format!(
                        "Public IP address {id} can not be deleted since it is still allocated to resource {user}. In order to delete the public IP, disassociate/detach the Public IP address from the resource."
                    ),
                ));
            }
        }
        Kind::VirtualNetwork => {
            for s in list(&r.props()["subnets"]) {
                if let Some(user) = vnet::subnet_users(state, text(&s["id"])).first() {
                    return Err(vnet::in_use_subnet(text(&s["name"]), user));
                }
            }
        }
        Kind::RouteTable | Kind::SecurityGroup => {
            let (member, code) = if r.name.kind == Kind::RouteTable {
                ("routeTable", "InUseRouteTableCannotBeDeleted")
            } else {
                (
                    "networkSecurityGroup",
                    "InUseNetworkSecurityGroupCannotBeDeleted",
                )
            };
            if let Some(user) = vnet::attached_subnets(state, &id, member).first() {
                return Err(in_use(
                    code,
                    &id,
                    user,
                    "Dissociate it from the subnet first.",
                ));
            }
        }
        // The codes of these three are made after the pattern of the others; public sources do not name them.
        Kind::LocalNetworkGateway => {
            if let Some(user) = connections_using(state, "localNetworkGateway2", &id).first() {
                return Err(in_use(
                    "InUseLocalNetworkGatewayCannotBeDeleted",
                    &id,
                    user,
                    "Delete the connection first.",
                ));
            }
        }
        Kind::VirtualNetworkGateway => {
            if let Some(user) = connections_using(state, "virtualNetworkGateway1", &id).first() {
                return Err(in_use(
                    "InUseVirtualNetworkGatewayCannotBeDeleted",
                    &id,
                    user,
                    "Delete its connections first.",
                ));
            }
        }
        Kind::Circuit => {
            if let Some(user) = circuit::connections(state, &id).first() {
                return Err(in_use(
                    "InUseExpressRouteCircuitCannotBeDeleted",
                    &id,
                    user,
                    "Delete the connection first.",
                ));
            }
        }
        Kind::Connection | Kind::NetworkInterface => {}
    }
    Ok(())
}

fn locks_and_duration(r: &Resource) -> (Vec<Lock>, &'static str) {
    let id = r.id();
    match r.name.kind {
        Kind::VirtualNetwork => (vec![Lock::on("vnet", &id)], "arm.virtualNetwork"),
        Kind::PublicIp => (Vec::new(), "arm.publicIPAddress"),
        Kind::LocalNetworkGateway => (Vec::new(), "arm.localNetworkGateway"),
        Kind::RouteTable => (Vec::new(), "arm.routeTable"),
        Kind::SecurityGroup | Kind::NetworkInterface => (Vec::new(), "arm.networkSecurityGroup"),
        Kind::Circuit => (
            vec![Lock::on("circuit", &id)],
            "arm.expressRouteCircuit.delete",
        ),
        Kind::VirtualNetworkGateway => (
            vec![
                Lock::on("vnet", &gateway::vnet_of(r.props())),
                Lock::on("gateway", &id),
            ],
            if r.props()["gatewayType"] == "ExpressRoute" {
                "arm.expressRouteGateway.delete"
            } else {
                "arm.vpnGateway.delete"
            },
        ),
        Kind::Connection => {
            let gateway = Lock::on("gateway", text(&r.props()["virtualNetworkGateway1"]["id"]));
            match r.props()["peer"]["id"].as_str() {
                Some(peer) => (
                    vec![gateway, Lock::on("circuit", peer)],
                    "arm.expressRouteConnection.delete",
                ),
                None => (vec![gateway], "arm.ipsecConnection.delete"),
            }
        }
    }
}

/// What a deletion holds, how long it takes and whose deletions come before it.
struct Removal<'a> {
    resource: &'a str,
    names: Vec<String>,
    locks: Vec<Lock>,
    duration: &'a str,
    work: Work,
}

fn start(state: &mut State, ctx: Ctx<'_>, r: &Resource, removal: Removal<'_>) -> String {
    let Removal {
        resource,
        names,
        locks,
        duration,
        work,
    } = removal;
    let seconds = durations::of(state, duration);
    lro::begin(
        state,
        Start {
            call: ctx.call,
            subscription: &r.name.subscription,
            location: r.location(),
            api_version: ctx.api_version,
            resource,
            kind: OpKind::Delete,
            seconds,
            names,
            locks: locks.into_iter().map(|l| l.name).collect(),
            work,
        },
    )
}

fn accepted(state: &State, ctx: Ctx<'_>, lro: &str) -> Res {
    lro::headers(state, ctx.req, Res::empty(202), lro, true, true)
}

pub fn item(state: &mut State, ctx: Ctx<'_>, name: &Name) -> ArmResult<Res> {
    let key = name.key();
    let Some(existing) = state.azure.resources.get(&key).cloned() else {
        return Ok(Res::empty(204));
    };
    if name.kind == Kind::NetworkInterface {
        return Err(ArmError::bad(
            "NicInUse",
            format!(
                "Network Interface {} is used by existing resource {}. In order to delete the network interface, it must be dissociated from the resource.",
                existing.id(),
                existing.props()["virtualMachine"]["id"]
            ),
        ));
    }
    // A second DELETE joins the first.
    if existing.provisioning() == "Deleting"
        && let Some(lro) = &existing.lro
    {
        return Ok(accepted(state, ctx, lro));
    }
    check_etag(ctx.req, Some(&existing))?;
    check_idle(state, ctx.req, Some(&existing))?;
    users(state, &existing)?;
    let (locks, duration) = locks_and_duration(&existing);
    check_locks(state, ctx.req, &existing.id(), &[], &locks)?;
    let names = existing.used_by.iter().cloned().collect();
    let lro = start(
        state,
        ctx,
        &existing,
        Removal {
            resource: &existing.id(),
            names,
            locks,
            duration,
            work: Work::Delete { key: key.clone() },
        },
    );
    if let Some(r) = state.azure.resources.get_mut(&key) {
        r.set_provisioning("Deleting");
        r.last_operation = format!("Delete{}Operation", r.name.kind.path());
        r.lro = Some(lro.clone());
        // A circuit that may not go yet stays in use.
        if name.kind != Kind::Circuit {
            r.applied = None;
        }
    }
    touch(state, &key);
    Ok(accepted(state, ctx, &lro))
}

pub fn child(
    state: &mut State,
    ctx: Ctx<'_>,
    parent: &Name,
    kind: Child,
    child_name: &str,
) -> ArmResult<Res> {
    let key = parent.key();
    let Some(existing) = state.azure.resources.get(&key).cloned() else {
        return Ok(Res::empty(204));
    };
    let Some(entry) = named(&existing.props()[kind.path()], child_name) else {
        return Ok(Res::empty(204));
    };
    let id = text(&entry["id"]).to_owned();
    if entry["properties"]["provisioningState"] == "Deleting"
        && let Some(lro) = &existing.lro
    {
        return Ok(accepted(state, ctx, lro));
    }
    check_etag(ctx.req, Some(&existing))?;
    check_idle(state, ctx.req, Some(&existing))?;
    let (lock, duration) = match kind {
        Child::Subnet => {
            if let Some(user) = vnet::subnet_users(state, &id).first() {
                return Err(vnet::in_use_subnet(text(&entry["name"]), user));
            }
            (Some(Lock::on("vnet", &existing.id())), "arm.subnet")
        }
        Child::Route => (None, "arm.routeTable"),
        Child::Peering => {
            if let Some(user) = circuit::connections(state, &existing.id()).first() {
                return Err(in_use(
                    "InUseExpressRouteCircuitPeeringCannotBeDeleted",
                    &id,
                    user,
                    "Delete the connection first.",
                ));
            }
            (
                Some(Lock::on("circuit", &existing.id())),
                "arm.peering.delete",
            )
        }
        Child::Authorization => {
            let slot = format!("authorization/{}", child_name.to_lowercase());
            let key = existing.hidden.get(&slot);
            let user = circuit::connections(state, &existing.id())
                .into_iter()
                .find(|c| {
                    state
                        .azure
                        .resources
                        .get(c)
                        .and_then(|c| c.hidden.get("authorizationKey"))
                        .is_some_and(|k| Some(k) == key)
                });
            if let Some(user) = user {
                return Err(in_use(
                    "InUseAuthorizationCannotBeDeleted",
                    &id,
                    &user,
                    "Delete the connection first.",
                ));
            }
            (
                Some(Lock::on("circuit", &existing.id())),
                "arm.authorization",
            )
        }
    };
    let locks: Vec<Lock> = lock.into_iter().collect();
    check_locks(state, ctx.req, &id, &[], &locks)?;
    let mut names: Vec<String> = existing.used_by.iter().cloned().collect();
    names.push(existing.id());
    let lro = start(
        state,
        ctx,
        &existing,
        Removal {
            resource: &id,
            names,
            locks,
            duration,
            work: Work::DeleteChild {
                key: key.clone(),
                child: kind,
                name: text(&entry["name"]).to_owned(),
            },
        },
    );
    if let Some(r) = state.azure.resources.get_mut(&key) {
        for doc in [Some(&mut r.doc), r.applied.as_mut()].into_iter().flatten() {
            if let Some(children) = doc["properties"][kind.path()].as_array_mut() {
                for c in children {
                    if text(&c["name"]).eq_ignore_ascii_case(child_name) {
                        c["properties"]["provisioningState"] = "Deleting".into();
                    }
                }
            }
        }
        r.set_provisioning("Updating");
        r.lro = Some(lro.clone());
    }
    touch(state, &key);
    Ok(accepted(state, ctx, &lro))
}
