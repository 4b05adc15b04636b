//! Changes of a VPN connection, each with what it interrupts: one tunnel or both (aws.md §2.2, §2.6).

use super::connection::{
    answer, change, check_pair, cidr, find, key_storage, outside, swapped, taken, target, tunnel,
};
use super::fault::Fault;
use super::{Ctx, Step, customer, done, options, vgw};
use crate::aws::objects::{Life, Vpn};
use crate::aws::xml::Xml;
use crate::aws::{Event, Work, begin, durations};
use crate::ops::OpKind;
use crate::state::State;
use std::net::Ipv4Addr;

/// A connection that may be changed now.
fn changeable(ctx: &Ctx<'_>) -> Result<Vpn, Fault> {
    let id = ctx.need("VpnConnectionId")?;
    let vpn = find(ctx, &id)?;
    if vpn.state != Life::Available {
        return Err(Fault::state(format!(
            "The vpnConnection '{id}' is {}; it must be available to be modified.",
            vpn.state.name()
        )));
    }
    Ok(vpn)
}

/// Interrupts the tunnels with these outside addresses until the change is done.
fn interrupt(ctx: &mut Ctx<'_>, vpn: &Vpn, which: &[Ipv4Addr], duration: durations::Named) {
    let now = ctx.now();
    change(ctx, &vpn.id, |v| {
        v.state = Life::Modifying;
        for t in &mut v.tunnels {
            if which.contains(&t.outside) {
                t.interrupted = true;
                t.changed_at = now;
            }
        }
    });
    let operation = ctx.call.operation.clone();
    begin(
        ctx.state,
        &Work {
            operation: &operation,
            resource: &vpn.id,
            kind: OpKind::Update,
            duration,
            names: &[],
        },
        |op| Event::Ec2 {
            id: vpn.id.clone(),
            step: Step::VpnModified,
            op: Some(op),
        },
    );
}

/// Another customer gateway or VGW: both tunnels drop and get new endpoints (aws.md §2.2, §2.6).
pub fn modify_target(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let vpn = changeable(ctx)?;
    let cgw_id = match ctx.params.get("CustomerGatewayId") {
        Some(id) => customer::find(ctx, id)?.id,
        None => vpn.cgw.clone(),
    };
    let vgw_id = if ctx.params.get("VpnGatewayId").is_some()
        || ctx.params.get("TransitGatewayId").is_some()
    {
        vgw::find(ctx, &target(ctx)?)?.id
    } else {
        vpn.vgw.clone()
    };
    if cgw_id == vpn.cgw && vgw_id == vpn.vgw {
        return Err(Fault::combination("The request changes nothing"));
    }
    let cgw = customer::find(ctx, &cgw_id)?;
    let gateway = vgw::find(ctx, &vgw_id)?;
    if gateway.state != Life::Available || cgw.state != Life::Available {
        return Err(Fault::state("The new gateway is not available."));
    }
    check_pair(gateway.asn, &cgw)?;
    let clash = taken(ctx, &vgw_id, &vpn.id);
    if vpn
        .tunnels
        .iter()
        .any(|t| clash.contains(&t.options.inside))
    {
        return Err(Fault::client(
            "InvalidParameterValue",
            "A tunnel inside CIDR of the connection is in use on the new virtual private gateway.",
        ));
    }
    let first = outside(ctx.state, &[]);
    let second = outside(ctx.state, &[first]);
    let order = swapped(&mut ctx.state.rng);
    change(ctx, &vpn.id, |v| {
        v.cgw.clone_from(&cgw_id);
        v.vgw.clone_from(&vgw_id);
        v.swapped = order;
        for (t, o) in v.tunnels.iter_mut().zip([first, second]) {
            t.outside = o;
        }
    });
    interrupt(ctx, &vpn, &[first, second], durations::VPN_MODIFY);
    Ok(answer(ctx, &vpn.id))
}

/// Other traffic selectors: both tunnels drop, addresses and tunnel options stay (aws.md §2.2).
pub fn modify_options(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let vpn = changeable(ctx)?;
    if ctx
        .params
        .get("TunnelBandwidth")
        .is_some_and(|b| b != "standard")
    {
        return Err(Fault::combination(
            "TunnelBandwidth large cannot be used with a virtual private gateway",
        ));
    }
    if ctx.params.get("LocalIpv6NetworkCidr").is_some()
        || ctx.params.get("RemoteIpv6NetworkCidr").is_some()
    {
        return Err(Fault::combination(
            "IPv6 CIDR blocks cannot be used with a virtual private gateway",
        ));
    }
    let given = |n: &str| ctx.params.get(n).is_some();
    if !given("LocalIpv4NetworkCidr") && !given("RemoteIpv4NetworkCidr") {
        return Err(Fault::client(
            "MissingParameter",
            "The request must contain at least one option to modify",
        ));
    }
    let local = cidr(ctx, "LocalIpv4NetworkCidr")?;
    let remote = cidr(ctx, "RemoteIpv4NetworkCidr")?;
    let (set_local, set_remote) = (
        given("LocalIpv4NetworkCidr"),
        given("RemoteIpv4NetworkCidr"),
    );
    change(ctx, &vpn.id, |v| {
        if set_local {
            v.local_cidr = local;
        }
        if set_remote {
            v.remote_cidr = remote;
        }
    });
    let all: Vec<Ipv4Addr> = vpn.tunnels.iter().map(|t| t.outside).collect();
    interrupt(ctx, &vpn, &all, durations::VPN_MODIFY);
    Ok(answer(ctx, &vpn.id))
}

/// One tunnel per call; that tunnel drops (aws.md §2.6).
pub fn modify_tunnel(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let address = ctx.need("VpnTunnelOutsideIpAddress")?;
    let wanted = ctx.params.within("TunnelOptions");
    let storage = key_storage(ctx)?;
    if wanted.is_empty() && storage.is_none() {
        return Err(Fault::client(
            "MissingParameter",
            "The request must contain the parameter TunnelOptions",
        ));
    }
    let vpn = changeable(ctx)?;
    let one = tunnel(&vpn, &address)?.clone();
    let skip = ctx.params.bool("SkipTunnelReplacement")?.unwrap_or(false);
    let only_lifecycle = wanted.names().all(|n| n == "EnableTunnelLifecycleControl");
    if skip && !only_lifecycle {
        return Err(Fault::combination(
            "SkipTunnelReplacement can only be used when EnableTunnelLifecycleControl alone is modified",
        ));
    }
    let mut taken = taken(ctx, &vpn.vgw, &vpn.id);
    taken.extend(
        vpn.tunnels
            .iter()
            .filter(|t| t.outside != one.outside)
            .map(|t| t.options.inside),
    );
    let has_address = ctx
        .state
        .aws
        .cgws
        .get(&vpn.cgw)
        .is_some_and(|c| c.get().ip.is_some());
    let mut changed = one.options.clone();
    options::apply(&wanted, &mut changed, &taken, has_address)?;
    let order = swapped(&mut ctx.state.rng);
    change(ctx, &vpn.id, |v| {
        v.swapped = order;
        if let Some(hidden) = storage {
            v.keys_in_secrets_manager = hidden;
        }
        for t in &mut v.tunnels {
            if t.outside == one.outside {
                t.options = changed.clone();
            }
        }
    });
    if !skip {
        interrupt(ctx, &vpn, &[one.outside], durations::VPN_MODIFY);
    }
    Ok(answer(ctx, &vpn.id))
}

/// A new endpoint for one tunnel, with the same outside address.
pub fn replace(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let address = ctx.need("VpnTunnelOutsideIpAddress")?;
    let vpn = changeable(ctx)?;
    let one = tunnel(&vpn, &address)?.outside;
    let apply = ctx.params.bool("ApplyPendingMaintenance")?.unwrap_or(false);
    let now = ctx.now();
    interrupt(ctx, &vpn, &[one], durations::VPN_TUNNEL_REPLACE);
    if apply {
        let at = ctx.visible_at();
        if let Some(v) = ctx.state.aws.vpns.get_mut(&vpn.id) {
            v.write(now, at, |v| {
                for t in v.tunnels.iter_mut().filter(|t| t.outside == one) {
                    t.last_maintenance = Some(now);
                }
            });
        }
    }
    Ok(done())
}

/// AWS replaces a tunnel's endpoint by itself (`POST /events`, tunnelReplacement); false when there is no such tunnel.
pub fn replace_tunnel(state: &mut State, vpn: &str, outside: Ipv4Addr) -> bool {
    let now = state.now;
    let Some(v) = state.aws.vpns.get_mut(vpn) else {
        return false;
    };
    if v.get().state != Life::Available || v.get().tunnels.iter().all(|t| t.outside != outside) {
        return false;
    }
    v.settle(now, |v| {
        for t in v.tunnels.iter_mut().filter(|t| t.outside == outside) {
            t.interrupted = true;
            t.changed_at = now;
            t.last_maintenance = Some(now);
        }
    });
    crate::aws::later(
        state,
        durations::VPN_TUNNEL_REPLACE,
        Event::Ec2 {
            id: vpn.to_owned(),
            step: Step::VpnModified,
            op: None,
        },
    );
    true
}

/// The tunnels' outside addresses of a connection, in the order in which AWS made them.
pub fn outside_addresses(state: &State, vpn: &str) -> Vec<Ipv4Addr> {
    state
        .aws
        .vpns
        .get(vpn)
        .map(|v| v.get().tunnels.iter().map(|t| t.outside).collect())
        .unwrap_or_default()
}
