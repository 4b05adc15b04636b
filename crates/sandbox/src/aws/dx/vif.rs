//! Private virtual interfaces: hosted ones that a partner allocates and the account confirms once and for good, and
//! ones on a hosted connection (aws.md §1.2, §1.3, §1.6, §1.8).

use super::{Ctx, Fault, Step, boolean, gateway, paged, tags, text};
use crate::aws::objects::{Life, Vif, VifState};
use crate::aws::xml::Xml;
use crate::aws::{Event, Lagged, Work, begin, durations, later};
use crate::net;
use crate::ops::OpKind;
use crate::state::State;
use serde_json::{Value, json};

/// Whether the BGP session of a VIF is up.
pub fn bgp_up(state: &State, v: &Vif) -> bool {
    v.state == VifState::Provisioned && net::vif_bgp_up(state, &v.id)
}

/// `virtualInterfaceState`. A provisioned VIF without BGP is `available` or `down`: neither says more (aws.md §1.2).
pub fn shown_state(state: &State, v: &Vif) -> &'static str {
    match v.state {
        VifState::Confirming => "confirming",
        VifState::Pending => "pending",
        VifState::Provisioned if v.available_without_bgp || bgp_up(state, v) => "available",
        VifState::Provisioned => "down",
        VifState::Testing => "testing",
        VifState::Deleting => "deleting",
        VifState::Deleted => "deleted",
        VifState::Rejected => "rejected",
    }
}

pub fn attachment_type(v: &Vif) -> &'static str {
    if v.kind == "transit" {
        "TransitVirtualInterface"
    } else {
        "PrivateVirtualInterface"
    }
}

/// The ASN on Amazon's side: the gateway's, once there is one.
fn amazon_asn(state: &State, v: &Vif) -> Option<u32> {
    let dxgw = v
        .dxgw
        .as_ref()
        .and_then(|g| state.aws.dxgws.get(g))
        .map(|g| g.get().asn);
    let vgw = v
        .vgw
        .as_ref()
        .and_then(|g| state.aws.vgws.get(g))
        .map(|g| g.get().asn);
    dxgw.or(vgw).or(v.amazon_asn)
}

pub fn print(state: &State, v: &Vif) -> Value {
    // The old field cannot carry a 4-byte ASN and is 0 then (aws.md §1.2).
    let short = if v.asn > 65535 { 0 } else { v.asn };
    let peer_state = match v.state {
        VifState::Confirming | VifState::Pending => "pending",
        VifState::Provisioned | VifState::Testing => "available",
        VifState::Deleting => "deleting",
        VifState::Deleted | VifState::Rejected => "deleted",
    };
    let status = if bgp_up(state, v) { "up" } else { "down" };
    let asn = amazon_asn(state, v);
    let mut config = Xml::new();
    config
        .leaf("vlan", v.vlan)
        .leaf("customer_address", v.customer_address)
        .leaf("amazon_address", v.amazon_address)
        .leaf("bgp_asn", v.asn)
        .leaf("bgp_auth_key", &v.auth_key)
        .maybe("amazon_bgp_asn", asn)
        .leaf("connection_type", &v.kind);
    let mut out = json!({
        "ownerAccount": v.owner,
        "virtualInterfaceId": v.id,
        "location": v.location,
        "connectionId": v.connection,
        "virtualInterfaceType": v.kind,
        "virtualInterfaceName": v.name,
        "vlan": v.vlan,
        "asn": short,
        "asnLong": v.asn,
        "authKey": v.auth_key,
        "amazonAddress": v.amazon_address.to_string(),
        "customerAddress": v.customer_address.to_string(),
        "addressFamily": "ipv4",
        "virtualInterfaceState": shown_state(state, v),
        "customerRouterConfig": format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<logical_connection id=\"{}\">{}</logical_connection>",
            v.id,
            config.into_string()
        ),
        "mtu": v.mtu,
        "jumboFrameCapable": true,
        "routeFilterPrefixes": [],
        "bgpPeers": [{
            "bgpPeerId": v.peer,
            "asn": short,
            "asnLong": v.asn,
            "authKey": v.auth_key,
            "addressFamily": "ipv4",
            "amazonAddress": v.amazon_address.to_string(),
            "customerAddress": v.customer_address.to_string(),
            "bgpPeerState": peer_state,
            "bgpStatus": status,
            "awsDeviceV2": v.device,
            "awsLogicalDeviceId": v.device,
        }],
        "region": v.region,
        "awsDeviceV2": v.device,
        "awsLogicalDeviceId": v.device,
        "siteLinkEnabled": v.site_link,
    });
    if let Some(asn) = asn {
        out["amazonSideAsn"] = json!(asn);
    }
    // The legacy field is there and empty when the VIF is on a Direct Connect gateway.
    out["virtualGatewayId"] = json!(v.vgw.clone().unwrap_or_default());
    if let Some(g) = &v.dxgw {
        out["directConnectGatewayId"] = json!(g);
    }
    tags::put(&mut out, &v.tags);
    out
}

/// A VIF of this account and region that reads show, as it really is.
pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Vif, Fault> {
    ctx.state
        .aws
        .vifs
        .get(id)
        .filter(|v| v.seen(ctx.seen_at).is_some())
        .map(|v| v.get().clone())
        .filter(|v| v.region == ctx.region && v.owner == ctx.state.world.aws.account_id)
        .ok_or_else(|| Fault::missing("Virtual Interface", id))
}

pub fn change(ctx: &mut Ctx<'_>, id: &str, f: impl FnOnce(&mut Vif)) {
    let (visible, now) = (ctx.visible_at(), ctx.now());
    if let Some(v) = ctx.state.aws.vifs.get_mut(id) {
        v.write(now, visible, f);
    }
}

pub fn describe(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.text("virtualInterfaceId")?;
    let connection = ctx.text("connectionId")?;
    if let Some(id) = &id {
        find(ctx, id)?;
    }
    let account = ctx.account();
    let all = ctx
        .state
        .aws
        .vifs
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| v.region == ctx.region && v.owner == account)
        .filter(|v| id.as_ref().is_none_or(|x| *x == v.id))
        .filter(|v| connection.as_ref().is_none_or(|x| *x == v.connection))
        .map(|v| print(ctx.state, v))
        .collect();
    Ok(paged("virtualInterfaces", ctx.page(all)?))
}

/// Exactly one gateway, which must be ready; answers (DXGW, VGW).
pub fn target(ctx: &Ctx<'_>, input: &Value) -> Result<(Option<String>, Option<String>), Fault> {
    match (
        text(input, "directConnectGatewayId")?,
        text(input, "virtualGatewayId")?,
    ) {
        (Some(_), Some(_)) | (None, None) => Err(Fault::client(
            "Exactly one of directConnectGatewayId and virtualGatewayId must be given",
        )),
        (Some(id), None) => {
            let g = gateway::find(ctx, &id)?;
            if g.state != Life::Available {
                return Err(Fault::client(format!(
                    "Direct Connect Gateway {id} is not in the available state"
                )));
            }
            let quota = ctx
                .state
                .world
                .aws
                .quotas
                .virtual_interfaces_per_direct_connect_gateway;
            let used = ctx.state.aws.vifs.values().map(Lagged::get).filter(|v| {
                v.dxgw.as_ref() == Some(&id)
                    && !matches!(v.state, VifState::Deleted | VifState::Rejected)
            });
            if used.count() >= quota {
                return Err(Fault::client(format!(
                    "Direct Connect Gateway {id} has reached its maximum number of virtual interfaces"
                )));
            }
            Ok((Some(id), None))
        }
        (None, Some(id)) => ctx
            .state
            .aws
            .vgws
            .get(&id)
            .filter(|v| v.seen(ctx.seen_at).is_some())
            .map(Lagged::get)
            .filter(|v| v.region == ctx.region && v.state == Life::Available)
            .map(|v| (None, Some(v.id.clone())))
            .ok_or_else(|| Fault::missing("Virtual Gateway", &id)),
    }
}

/// Once and for good: the gateway of a VIF cannot be changed afterwards (aws.md §1.2).
pub fn confirm(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("virtualInterfaceId")?;
    let v = find(ctx, &id)?;
    let (dxgw, vgw) = target(ctx, &ctx.input)?;
    if v.kind != "private" {
        return Err(Fault::client(format!(
            "Virtual Interface {id} is not a private one"
        )));
    }
    if v.state != VifState::Confirming {
        return Err(Fault::client(format!(
            "Virtual Interface {id} is in the {} state and cannot be confirmed",
            shown_state(ctx.state, &v)
        )));
    }
    let names = [id.clone()]
        .into_iter()
        .chain(dxgw.clone())
        .chain(vgw.clone());
    let names: Vec<String> = names.collect();
    hold(ctx.state, dxgw.as_deref(), &id);
    change(ctx, &id, |v| {
        v.state = VifState::Pending;
        v.dxgw = dxgw;
        v.vgw = vgw;
    });
    begin(
        ctx.state,
        &Work {
            operation: "ConfirmPrivateVirtualInterface",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::VIF_CONFIRM,
            names: &names,
        },
        |op| Event::Dx {
            id: id.clone(),
            step: Step::VifProvisioned,
            op: Some(op),
        },
    );
    Ok(json!({"virtualInterfaceState": "pending"}))
}

/// Notes on the gateway that the VIF hangs on it.
pub fn hold(state: &mut State, dxgw: Option<&str>, vif: &str) {
    let now = state.now;
    if let Some(g) = dxgw.and_then(|id| state.aws.dxgws.get_mut(id)) {
        g.settle(now, |g| g.held.push(vif.to_owned()));
    }
}

pub fn check_name(name: &str) -> Result<(), Fault> {
    let ok = (1..=100).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    ok.then_some(()).ok_or_else(|| {
        Fault::client(format!(
            "{name} is not a valid name: at most 100 letters, digits and hyphens"
        ))
    })
}

pub fn check_mtu(mtu: i64) -> Result<u32, Fault> {
    match mtu {
        1500 => Ok(1500),
        8500 => Ok(8500),
        other => Err(Fault::client(format!(
            "{other} is not a valid MTU: 1500 or 8500"
        ))),
    }
}

pub fn update(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("virtualInterfaceId")?;
    let v = find(ctx, &id)?;
    if v.state != VifState::Provisioned {
        return Err(Fault::client(format!(
            "Virtual Interface {id} is in the {} state and cannot be updated",
            shown_state(ctx.state, &v)
        )));
    }
    let mtu = ctx.int("mtu")?.map(check_mtu).transpose()?;
    let site_link = boolean(&ctx.input, "enableSiteLink")?;
    let name = ctx.text("virtualInterfaceName")?;
    if let Some(n) = &name {
        check_name(n)?;
    }
    for dedicated in [
        "prefixPoolAllocatedCountIpv4",
        "prefixPoolAllocatedCountIpv6",
        "rateLimit",
    ] {
        if ctx.input.get(dedicated).is_some_and(|x| !x.is_null()) {
            return Err(Fault::client(format!(
                "{dedicated} can only be set on a dedicated connection"
            )));
        }
    }
    if site_link == Some(true) && v.dxgw.is_none() {
        return Err(Fault::client("SiteLink needs a Direct Connect Gateway"));
    }
    let interrupts = mtu.is_some_and(|m| m != v.mtu);
    change(ctx, &id, |v| {
        v.mtu = mtu.unwrap_or(v.mtu);
        v.site_link = site_link.unwrap_or(v.site_link);
        v.name = name.unwrap_or_else(|| v.name.clone());
        if interrupts {
            v.state = VifState::Pending;
        }
    });
    if interrupts {
        begin(
            ctx.state,
            &Work {
                operation: "UpdateVirtualInterfaceAttributes",
                resource: &id,
                kind: OpKind::Update,
                duration: durations::VIF_MTU,
                names: &[],
            },
            |op| Event::Dx {
                id: id.clone(),
                step: Step::VifProvisioned,
                op: Some(op),
            },
        );
    }
    let v = ctx.state.aws.vifs.get(&id).map(|v| v.get().clone());
    Ok(v.map(|v| print(ctx.state, &v)).unwrap_or_default())
}

pub fn delete(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("virtualInterfaceId")?;
    let v = find(ctx, &id)?;
    match v.state {
        VifState::Deleted | VifState::Rejected => {
            return Err(Fault::missing("Virtual Interface", &id));
        }
        VifState::Deleting => {}
        VifState::Confirming => {
            // Deleted by its owner before it was confirmed: rejected, for good (aws.md §1.2).
            change(ctx, &id, |v| v.state = VifState::Rejected);
            forget_later(ctx.state, &id);
            return Ok(json!({"virtualInterfaceState": "rejected"}));
        }
        VifState::Pending | VifState::Provisioned | VifState::Testing => {
            change(ctx, &id, |v| v.state = VifState::Deleting);
            super::failover::ended_by_deletion(ctx.state, &id);
            deleting(ctx.state, &id, "DeleteVirtualInterface", OpKind::Delete);
        }
    }
    Ok(json!({"virtualInterfaceState": "deleting"}))
}

fn deleting(state: &mut State, id: &str, operation: &str, kind: OpKind) {
    begin(
        state,
        &Work {
            operation,
            resource: id,
            kind,
            duration: durations::VIF_DELETE,
            names: &[],
        },
        |op| Event::Dx {
            id: id.to_owned(),
            step: Step::VifDeleted,
            op: Some(op),
        },
    );
}

fn forget_later(state: &mut State, id: &str) {
    later(
        state,
        durations::VIF_LINGER,
        Event::Dx {
            id: id.to_owned(),
            step: Step::VifForgotten,
            op: None,
        },
    );
}

/// The partner takes the VIF away (its VXC is gone, or it vanishes for reasons of AWS's own).
pub fn release(state: &mut State, id: &str) {
    let now = state.now;
    let Some(v) = state.aws.vifs.get_mut(id) else {
        return;
    };
    if matches!(
        v.get().state,
        VifState::Deleting | VifState::Deleted | VifState::Rejected
    ) {
        return;
    }
    v.settle(now, |v| v.state = VifState::Deleting);
    super::failover::ended_by_deletion(state, id);
    deleting(state, id, "virtualInterface.release", OpKind::Follow);
}

/// The VIF is gone; reads still show it for a while.
pub fn deleted(state: &mut State, id: &str) {
    let now = state.now;
    if let Some(v) = state.aws.vifs.get_mut(id) {
        v.settle(now, |v| v.state = VifState::Deleted);
    }
    forget_later(state, id);
}
