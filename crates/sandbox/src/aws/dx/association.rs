//! Associations of a Direct Connect gateway with a VGW: slow both ways, not taggable, changed by differences
//! (aws.md §1.5, §1.6).

use super::{Ctx, Fault, Step, cidrs, gateway, paged};
use crate::aws::objects::{Association, AssociationState, Life, Vgw};
use crate::aws::{Event, Lagged, Work, begin, durations, will_fail};
use crate::ops::OpKind;
use ipnet::Ipv4Net;
use serde_json::{Value, json};

fn print(a: &Association, account: &str) -> Value {
    let mut v = json!({
        "directConnectGatewayId": a.dxgw,
        "directConnectGatewayOwnerAccount": account,
        "associationState": a.state.name(),
        "associatedGateway": {
            "id": a.vgw,
            "type": "virtualPrivateGateway",
            "ownerAccount": account,
            "region": a.region,
        },
        "associationId": a.id,
        "allowedPrefixesToDirectConnectGateway":
            a.prefixes.iter().map(|p| json!({"cidr": p.to_string()})).collect::<Vec<_>>(),
        "virtualGatewayId": a.vgw,
        "virtualGatewayRegion": a.region,
        "virtualGatewayOwnerAccount": account,
    });
    if let Some(e) = &a.error {
        v["stateChangeError"] = json!(e);
    }
    v
}

fn answer(ctx: &Ctx<'_>, id: &str) -> Value {
    let account = ctx.account();
    let shown = ctx
        .state
        .aws
        .associations
        .get(id)
        .map(|a| print(a.get(), &account));
    json!({"directConnectGatewayAssociation": shown})
}

/// The CIDR blocks of the VPC that a VGW is attached to.
fn vpc_prefixes(ctx: &Ctx<'_>, vgw: &Vgw) -> Vec<Ipv4Net> {
    vgw.attached_to()
        .and_then(|vpc| ctx.state.aws.vpcs.get(vpc))
        .map(|v| v.get().world.cidrs.clone())
        .unwrap_or_default()
}

pub fn create(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let dxgw = ctx.need("directConnectGatewayId")?;
    let vgw = match (ctx.text("gatewayId")?, ctx.text("virtualGatewayId")?) {
        (Some(_), Some(_)) => {
            return Err(Fault::client(
                "Only one of gatewayId and virtualGatewayId can be given",
            ));
        }
        (Some(g), None) | (None, Some(g)) => g,
        (None, None) => return Err(Fault::client("The parameter gatewayId is required")),
    };
    let gateway = gateway::find(ctx, &dxgw)?;
    if gateway.state != Life::Available {
        return Err(Fault::client(format!(
            "Direct Connect Gateway {dxgw} is not in the available state"
        )));
    }
    if vgw.starts_with("tgw-") {
        return Err(Fault::missing("Transit Gateway", &vgw));
    }
    let target = ctx
        .state
        .aws
        .vgws
        .get(&vgw)
        .filter(|v| v.seen(ctx.seen_at).is_some())
        .map(|v| v.get().clone())
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .ok_or_else(|| Fault::missing("Virtual Gateway", &vgw))?;
    if target.attached_to().is_none() {
        return Err(Fault::client(format!(
            "Virtual Gateway {vgw} is not attached to a VPC"
        )));
    }
    let others: Vec<&Association> = ctx
        .state
        .aws
        .associations
        .values()
        .map(Lagged::get)
        .filter(|a| a.state != AssociationState::Disassociated)
        .collect();
    if let Some(a) = others.iter().find(|a| a.vgw == vgw) {
        return Err(Fault::client(format!(
            "Virtual Gateway {vgw} is already associated with Direct Connect Gateway {}",
            a.dxgw
        )));
    }
    let same: Vec<&&Association> = others.iter().filter(|a| a.dxgw == dxgw).collect();
    let quota = ctx
        .state
        .world
        .aws
        .quotas
        .virtual_gateways_per_direct_connect_gateway;
    if same.len() >= quota {
        return Err(Fault::client(format!(
            "Direct Connect Gateway {dxgw} has reached its maximum number of virtual gateways"
        )));
    }
    let mine = vpc_prefixes(ctx, &target);
    let overlap = same.iter().any(|a| {
        ctx.state.aws.vgws.get(&a.vgw).is_some_and(|v| {
            vpc_prefixes(ctx, v.get())
                .iter()
                .any(|p| mine.iter().any(|m| m.contains(p) || p.contains(m)))
        })
    });
    if overlap {
        return Err(Fault::client(
            "The CIDR block of the VPC overlaps with that of another associated VPC",
        ));
    }
    let given = cidrs(&ctx.input, "addAllowedPrefixesToDirectConnectGateway")?;
    // Left out for a VGW: the VPC's CIDR blocks (aws.md §1.5).
    let prefixes = if given.is_empty() { mine } else { given };
    let failure = will_fail(ctx.state, ctx.call);
    let association = Association {
        id: ctx.state.rng.uuid(),
        dxgw: dxgw.clone(),
        vgw: vgw.clone(),
        region: ctx.region.to_owned(),
        state: AssociationState::Associating,
        prefixes,
        error: None,
    };
    let id = association.id.clone();
    let (visible, now) = (ctx.visible_at(), ctx.now());
    ctx.state
        .aws
        .associations
        .insert(id.clone(), Lagged::new(association, visible));
    if let Some(v) = ctx.state.aws.vgws.get_mut(&vgw) {
        v.settle(now, |v| v.associations.push(id.clone()));
    }
    if let Some(g) = ctx.state.aws.dxgws.get_mut(&dxgw) {
        g.settle(now, |g| g.held.push(id.clone()));
    }
    let vpc = target.attached_to().unwrap_or_default().to_owned();
    begin(
        ctx.state,
        &Work {
            operation: "CreateDirectConnectGatewayAssociation",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::ASSOCIATION_CREATE,
            names: &[dxgw, vgw.clone(), format!("{vgw}/{vpc}")],
        },
        |op| Event::Dx {
            id: id.clone(),
            step: match failure {
                Some(why) => Step::AssociationFailed { why },
                None => Step::Associated,
            },
            op: Some(op),
        },
    );
    Ok(answer(ctx, &id))
}

pub fn describe(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.text("associationId")?;
    let associated = ctx.text("associatedGatewayId")?;
    let dxgw = ctx.text("directConnectGatewayId")?;
    let vgw = ctx.text("virtualGatewayId")?;
    if [&id, &associated, &dxgw, &vgw].iter().all(|s| s.is_none()) {
        return Err(Fault::client(
            "At least one of associationId, associatedGatewayId, directConnectGatewayId and virtualGatewayId must be given",
        ));
    }
    if let Some(g) = &dxgw {
        gateway::find(ctx, g)?;
    }
    let account = ctx.account();
    let all = ctx
        .state
        .aws
        .associations
        .values()
        .filter_map(|a| a.seen(ctx.seen_at))
        .filter(|a| {
            id.as_ref().is_none_or(|x| *x == a.id)
                && associated.as_ref().is_none_or(|x| *x == a.vgw)
                && vgw.as_ref().is_none_or(|x| *x == a.vgw)
                && dxgw.as_ref().is_none_or(|x| *x == a.dxgw)
        })
        .map(|a| print(a, &account))
        .collect();
    Ok(paged("directConnectGatewayAssociations", ctx.page(all)?))
}

fn find(ctx: &Ctx<'_>, id: &str) -> Result<Association, Fault> {
    ctx.state
        .aws
        .associations
        .get(id)
        .filter(|a| a.seen(ctx.seen_at).is_some())
        .map(|a| a.get().clone())
        .ok_or_else(|| Fault::missing("Direct Connect Gateway association", id))
}

fn change(ctx: &mut Ctx<'_>, id: &str, f: impl FnOnce(&mut Association)) {
    let (visible, now) = (ctx.visible_at(), ctx.now());
    if let Some(a) = ctx.state.aws.associations.get_mut(id) {
        a.write(now, visible, f);
    }
}

/// Adds and removes; does not replace.
pub fn update(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("associationId")?;
    let a = find(ctx, &id)?;
    if a.state != AssociationState::Associated {
        return Err(Fault::client(format!(
            "Direct Connect Gateway association {id} is in the {} state and cannot be updated",
            a.state.name()
        )));
    }
    let add = cidrs(&ctx.input, "addAllowedPrefixesToDirectConnectGateway")?;
    let remove = cidrs(&ctx.input, "removeAllowedPrefixesToDirectConnectGateway")?;
    if add.is_empty() && remove.is_empty() {
        return Err(Fault::client(
            "No allowed prefixes to add or remove were given",
        ));
    }
    if let Some(p) = add.iter().find(|p| a.prefixes.contains(p)) {
        return Err(Fault::client(format!("The prefix {p} is already allowed")));
    }
    if let Some(p) = remove.iter().find(|p| !a.prefixes.contains(p)) {
        return Err(Fault::client(format!(
            "The prefix {p} is not an allowed prefix"
        )));
    }
    let mut prefixes = a.prefixes.clone();
    prefixes.retain(|p| !remove.contains(p));
    prefixes.extend(add);
    if prefixes.is_empty() {
        return Err(Fault::client("At least one allowed prefix must remain"));
    }
    change(ctx, &id, |a| {
        a.prefixes = prefixes;
        a.state = AssociationState::Updating;
        a.error = None;
    });
    begin(
        ctx.state,
        &Work {
            operation: "UpdateDirectConnectGatewayAssociation",
            resource: &id,
            kind: OpKind::Update,
            duration: durations::ASSOCIATION_UPDATE,
            names: &[],
        },
        |op| Event::Dx {
            id: id.clone(),
            step: Step::AssociationUpdated,
            op: Some(op),
        },
    );
    Ok(answer(ctx, &id))
}

pub fn delete(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let pair = (
        ctx.text("directConnectGatewayId")?,
        ctx.text("virtualGatewayId")?,
    );
    let id = match (ctx.text("associationId")?, pair) {
        (Some(id), _) => id,
        (None, (Some(d), Some(v))) => ctx
            .state
            .aws
            .associations
            .values()
            .map(Lagged::get)
            .find(|a| a.dxgw == d && a.vgw == v && a.state != AssociationState::Disassociated)
            .map(|a| a.id.clone())
            .ok_or_else(|| {
                Fault::missing("Direct Connect Gateway association", &format!("{d}/{v}"))
            })?,
        _ => {
            return Err(Fault::client(
                "Either associationId or directConnectGatewayId and virtualGatewayId must be given",
            ));
        }
    };
    let a = find(ctx, &id)?;
    match a.state {
        AssociationState::Associated => {}
        AssociationState::Disassociating => return Ok(answer(ctx, &id)),
        AssociationState::Disassociated => {
            return Err(Fault::missing("Direct Connect Gateway association", &id));
        }
        AssociationState::Associating | AssociationState::Updating => {
            return Err(Fault::client(format!(
                "Direct Connect Gateway association {id} is in the {} state and cannot be deleted",
                a.state.name()
            )));
        }
    }
    let failure = will_fail(ctx.state, ctx.call);
    change(ctx, &id, |a| {
        a.state = AssociationState::Disassociating;
        a.error = None;
    });
    begin(
        ctx.state,
        &Work {
            operation: "DeleteDirectConnectGatewayAssociation",
            resource: &id,
            kind: OpKind::Delete,
            duration: durations::ASSOCIATION_DELETE,
            names: &[],
        },
        |op| Event::Dx {
            id: id.clone(),
            step: match failure {
                Some(why) => Step::DisassociationFailed { why },
                None => Step::Disassociated,
            },
            op: Some(op),
        },
    );
    Ok(answer(ctx, &id))
}
