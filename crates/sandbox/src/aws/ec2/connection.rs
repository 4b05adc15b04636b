//! Site-to-Site VPN connections: creation, description, deletion
//! (aws.md §2.2–§2.5, §2.8).

use super::fault::Fault;
use super::filter::Filters;
use super::{Ctx, Step, customer, done, options, print, tags, vgw};
use crate::aws::objects::{Cgw, Life, Swapped, Tunnel, Vpn};
use crate::aws::xml::Xml;
use crate::aws::{Event, Lagged, Work, begin, durations};
use crate::ledger::ProductKind;
use crate::net;
use crate::ops::OpKind;
use crate::rng::Rng;
use crate::state::State;
use crate::wire::Provider;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// A VPN connection of this region that reads show and that is not deleted, as it really is.
pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Vpn, Fault> {
    ctx.state
        .aws
        .vpns
        .get(id)
        .filter(|v| v.seen(ctx.seen_at).is_some())
        .map(|v| v.get().clone())
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .ok_or_else(|| Fault::no_vpn(id))
}

/// The tunnel with this outside address.
pub fn tunnel<'v>(vpn: &'v Vpn, outside: &str) -> Result<&'v Tunnel, Fault> {
    vpn.tunnels
        .iter()
        .find(|t| t.outside.to_string() == outside)
        .ok_or_else(|| {
            Fault::invalid(
                "vpnTunnelOutsideIpAddress",
                outside,
                &format!("{} has no tunnel with this outside IP address", vpn.id),
            )
        })
}

fn printed(state: &State, x: &mut Xml, v: &Vpn, always_configuration: bool) {
    let tunnels: Vec<_> = v
        .tunnels
        .iter()
        .map(|t| (t.outside, net::tunnel(state, &v.id, t.outside)))
        .collect();
    print::vpn(
        x,
        v,
        &print::VpnContext {
            tunnels: &tunnels,
            cgw: state.aws.cgws.get(&v.cgw).map(Lagged::get),
            vgw_asn: state.aws.vgws.get(&v.vgw).map_or(64512, |g| g.get().asn),
            always_configuration,
            account: &state.world.aws.account_id,
            unmodelled: state.world.aws.unmodelled_states,
        },
    );
}

pub fn answer(ctx: &Ctx<'_>, id: &str) -> Xml {
    let mut x = Xml::new();
    if let Some(v) = ctx.state.aws.vpns.get(id) {
        x.node("vpnConnection", |x| printed(ctx.state, x, v.get(), true));
    }
    x
}

pub fn change(ctx: &mut Ctx<'_>, id: &str, f: impl FnOnce(&mut Vpn)) {
    let visible = ctx.visible_at();
    let now = ctx.now();
    if let Some(v) = ctx.state.aws.vpns.get_mut(id) {
        v.write(now, visible, f);
    }
}

/// Inside CIDRs in use on a VGW, but for those of one connection.
pub fn taken(ctx: &Ctx<'_>, vgw: &str, but: &str) -> Vec<Ipv4Net> {
    ctx.state
        .aws
        .vpns
        .values()
        .map(Lagged::get)
        .filter(|v| v.vgw == vgw && v.id != but && v.state != Life::Deleted)
        .flat_map(|v| v.tunnels.iter().map(|t| t.options.inside))
        .collect()
}

/// Outside addresses cannot be chosen (aws.md §9.13); here they come from two documentation ranges, no two alike.
pub fn outside(state: &mut State, but: &[Ipv4Addr]) -> Ipv4Addr {
    let used: Vec<Ipv4Addr> = state
        .aws
        .vpns
        .values()
        .map(Lagged::get)
        .filter(|v| v.state != Life::Deleted)
        .flat_map(|v| v.tunnels.iter().map(|t| t.outside))
        .collect();
    loop {
        let n = state.rng.below(508);
        let last = (n % 254 + 1) as u8;
        let a = if n < 254 {
            Ipv4Addr::new(198, 51, 100, last)
        } else {
            Ipv4Addr::new(192, 0, 2, last)
        };
        if !used.contains(&a) && !but.contains(&a) {
            return a;
        }
    }
}

pub fn swapped(rng: &mut Rng) -> Swapped {
    let mut coin = || rng.below(2) == 1;
    Swapped {
        options: coin(),
        telemetry: coin(),
        configuration: coin(),
    }
}

pub fn cidr(ctx: &Ctx<'_>, name: &str) -> Result<String, Fault> {
    match ctx.params.get(name) {
        None => Ok("0.0.0.0/0".to_owned()),
        Some(c) => c
            .parse::<Ipv4Net>()
            .map(|n| n.to_string())
            .map_err(|_| Fault::invalid(name, c, "It must be an IPv4 CIDR block")),
    }
}

/// Options that a connection on a VGW cannot have (aws.md §2.3).
fn check_vgw_options(ctx: &Ctx<'_>) -> Result<(), Fault> {
    let p = &ctx.params;
    let refuse = |what: &str| {
        Err(Fault::combination(format!(
            "{what} cannot be used with a virtual private gateway"
        )))
    };
    if p.bool("Options.EnableAcceleration")? == Some(true) {
        return refuse("EnableAcceleration");
    }
    for (name, only, others) in [
        ("Options.TunnelInsideIpVersion", "ipv4", &["ipv6"][..]),
        (
            "Options.OutsideIpAddressType",
            "PublicIpv4",
            &["PrivateIpv4", "Ipv6"][..],
        ),
        ("Options.TunnelBandwidth", "standard", &["large"][..]),
    ] {
        match p.get(name) {
            None => {}
            Some(v) if v == only => {}
            Some(v) if others.contains(&v) => return refuse(&format!("{name} {v}")),
            Some(v) => return Err(Fault::invalid(name, v, &format!("It must be {only}"))),
        }
    }
    for name in [
        "Options.LocalIpv6NetworkCidr",
        "Options.RemoteIpv6NetworkCidr",
        "Options.TransportTransitGatewayAttachmentId",
    ] {
        if p.get(name).is_some() {
            return refuse(name);
        }
    }
    Ok(())
}

pub fn key_storage(ctx: &Ctx<'_>) -> Result<Option<bool>, Fault> {
    match ctx.params.get("PreSharedKeyStorage") {
        None => Ok(None),
        Some("Standard") => Ok(Some(false)),
        Some("SecretsManager") => Ok(Some(true)),
        Some(v) => Err(Fault::invalid(
            "preSharedKeyStorage",
            v,
            "It must be Standard or SecretsManager",
        )),
    }
}

/// The VGW that the request names as the target; the other kinds of target do not exist here.
pub fn target(ctx: &Ctx<'_>) -> Result<String, Fault> {
    let p = &ctx.params;
    let given: Vec<&str> = ["VpnGatewayId", "TransitGatewayId", "VpnConcentratorId"]
        .into_iter()
        .filter(|n| p.get(n).is_some())
        .collect();
    match given[..] {
        ["VpnGatewayId"] => ctx.need("VpnGatewayId"),
        ["TransitGatewayId"] => Err(Fault::client(
            "InvalidTransitGatewayID.NotFound",
            format!(
                "Transit Gateway {} was deleted or does not exist.",
                p.need("TransitGatewayId")?
            ),
        )),
        ["VpnConcentratorId"] => Err(Fault::client(
            "InvalidVpnConcentratorID.NotFound",
            "The VPN concentrator does not exist",
        )),
        [] => Err(Fault::client(
            "MissingParameter",
            "The request must contain the parameter vpnGatewayId or transitGatewayId",
        )),
        _ => Err(Fault::combination(
            "Only one of VpnGatewayId, TransitGatewayId and VpnConcentratorId can be given",
        )),
    }
}

pub fn check_pair(vgw_asn: u32, cgw: &Cgw) -> Result<(), Fault> {
    if vgw_asn == cgw.asn {
        return Err(Fault::client(
            "InvalidParameterValue",
            format!(
                "The ASN of the virtual private gateway ({vgw_asn}) must differ from the customer gateway's."
            ),
        ));
    }
    Ok(())
}

pub fn create(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let kind = ctx.need("Type")?;
    if kind != "ipsec.1" {
        return Err(Fault::invalid("type", &kind, "The only type is ipsec.1"));
    }
    let cgw_id = ctx.need("CustomerGatewayId")?;
    let vgw_id = target(ctx)?;
    check_vgw_options(ctx)?;
    let hidden = key_storage(ctx)?.unwrap_or(false);
    let tags = tags::specified(&ctx.params, "vpn-connection")?;
    let local_cidr = cidr(ctx, "Options.LocalIpv4NetworkCidr")?;
    let remote_cidr = cidr(ctx, "Options.RemoteIpv4NetworkCidr")?;
    let static_routes_only = ctx
        .params
        .bool("Options.StaticRoutesOnly")?
        .unwrap_or(false);
    let wanted = ctx.params.structs("Options.TunnelOptions");
    if wanted.len() > 2 {
        return Err(Fault::client(
            "InvalidParameterValue",
            "A VPN connection has two tunnels: at most two TunnelOptions can be given.",
        ));
    }
    let cgw = customer::find(ctx, &cgw_id)?;
    let gateway = vgw::find(ctx, &vgw_id)?;
    if gateway.state != Life::Available || cgw.state != Life::Available {
        let (id, state) = if gateway.state == Life::Available {
            (&cgw_id, cgw.state)
        } else {
            (&vgw_id, gateway.state)
        };
        return Err(Fault::state(format!("'{id}' is {}.", state.name())));
    }
    check_pair(gateway.asn, &cgw)?;
    let here: Vec<&Vpn> = ctx
        .state
        .aws
        .vpns
        .values()
        .map(Lagged::get)
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .collect();
    // Documented as idempotent: the pair's existing connection comes back, whatever was asked (aws.md §2.2, §9.9).
    if let Some(same) = here
        .iter()
        .find(|v| v.cgw == cgw_id && v.vgw == vgw_id && v.state != Life::Deleting)
    {
        let id = same.id.clone();
        return Ok(answer(ctx, &id));
    }
    let quotas = ctx.state.world.aws.quotas;
    if here.len() >= quotas.vpn_connections
        || here.iter().filter(|v| v.vgw == vgw_id).count() >= quotas.vpn_connections_per_gateway
    {
        return Err(Fault::client(
            "VpnConnectionLimitExceeded",
            "The maximum number of VPN connections has been reached.",
        ));
    }
    let mut taken = taken(ctx, &vgw_id, "");
    // What was asked for is settled first, so that a random choice cannot take it.
    let mut tunnels = Vec::new();
    let asked: Vec<Option<&str>> = wanted.iter().map(|p| p.get("TunnelInsideCidr")).collect();
    let mut reserved = taken.clone();
    for cidr in asked.iter().flatten() {
        let net = options::inside(cidr, &reserved)?;
        reserved.push(net);
    }
    for i in 0..2 {
        let rng = &mut ctx.state.rng;
        let inside = options::choose_inside(rng, &reserved);
        let mut o = options::defaults(inside, options::random_key(rng));
        if let Some(p) = wanted.get(i) {
            options::apply(p, &mut o, &taken, cgw.ip.is_some())?;
        }
        taken.push(o.inside);
        reserved.push(o.inside);
        let others: Vec<Ipv4Addr> = tunnels.iter().map(|t: &Tunnel| t.outside).collect();
        tunnels.push(Tunnel {
            outside: outside(ctx.state, &others),
            options: o,
            interrupted: false,
            changed_at: ctx.now(),
            last_maintenance: None,
        });
    }
    let id = ctx.new_id("vpn");
    let vpn = Vpn {
        id: id.clone(),
        region: ctx.region.to_owned(),
        cgw: cgw_id.clone(),
        vgw: vgw_id.clone(),
        state: Life::Pending,
        static_routes_only,
        local_cidr,
        remote_cidr,
        keys_in_secrets_manager: hidden,
        tunnels,
        swapped: swapped(&mut ctx.state.rng),
        tags,
    };
    let name = vpn.tags.get("Name").cloned().unwrap_or_default();
    let visible = ctx.visible_at();
    let now = ctx.now();
    ctx.state
        .aws
        .vpns
        .insert(id.clone(), Lagged::new(vpn, visible));
    ctx.state.ledger.order(
        Provider::Aws,
        ProductKind::VpnConnection,
        &id,
        &name,
        now,
        &ctx.call.principal,
    );
    begin(
        ctx.state,
        &Work {
            operation: "CreateVpnConnection",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::VPN_CREATE,
            names: &[cgw_id, vgw_id],
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::VpnAvailable,
            op: Some(op),
        },
    );
    Ok(answer(ctx, &id))
}

/// No pagination at all (aws.md §2.2).
pub fn describe(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "bgp-asn",
        "customer-gateway-configuration",
        "customer-gateway-id",
        "option.static-routes-only",
        "route.destination-cidr-block",
        "state",
        "transit-gateway-id",
        "type",
        "vpn-connection-id",
        "vpn-gateway-id",
    ])?;
    let ids = ctx.params.list("VpnConnectionId");
    let all: Vec<&Vpn> = ctx
        .state
        .aws
        .vpns
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| v.region == ctx.region)
        .collect();
    if let Some(id) = ids.iter().find(|id| all.iter().all(|v| v.id != **id)) {
        return Err(Fault::no_vpn(id));
    }
    let shown_modifying = if ctx.state.world.aws.unmodelled_states {
        "modifying"
    } else {
        "pending"
    };
    let shown = all.into_iter().filter(|v| {
        (ids.is_empty() || ids.contains(&v.id.as_str()))
            && filters.pass(&v.tags, |name| match name {
                "bgp-asn" => {
                    let cgw = ctx.state.aws.cgws.get(&v.cgw);
                    cgw.map(|c| c.get().asn.to_string()).into_iter().collect()
                }
                "customer-gateway-id" => vec![v.cgw.clone()],
                "option.static-routes-only" => vec![v.static_routes_only.to_string()],
                "state" if v.state == Life::Modifying => vec![shown_modifying.to_owned()],
                "state" => vec![v.state.name().to_owned()],
                "type" => vec!["ipsec.1".to_owned()],
                "vpn-connection-id" => vec![v.id.clone()],
                "vpn-gateway-id" => vec![v.vgw.clone()],
                _ => Vec::new(),
            })
    });
    let mut x = Xml::new();
    x.items("vpnConnectionSet", shown, |x, v| {
        printed(ctx.state, x, v, false);
    });
    Ok(x)
}

pub fn delete(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let id = ctx.need("VpnConnectionId")?;
    let vpn = find(ctx, &id)?;
    if vpn.state == Life::Deleting {
        return Ok(done());
    }
    let now = ctx.now();
    change(ctx, &id, |v| v.state = Life::Deleting);
    ctx.state.ledger.end(&id, now);
    begin(
        ctx.state,
        &Work {
            operation: "DeleteVpnConnection",
            resource: &id,
            kind: OpKind::Delete,
            duration: durations::VPN_DELETE,
            names: &[],
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::VpnDeleted,
            op: Some(op),
        },
    );
    Ok(done())
}
