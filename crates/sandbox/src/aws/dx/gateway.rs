//! Direct Connect gateways: global, without client tokens, and with a deletion that is accepted and then comes to
//! nothing while anything is attached (aws.md §1.4).

use super::{Ctx, Fault, Step, paged, tags, vif};
use crate::aws::ec2::private_asn;
use crate::aws::objects::{AssociationState, Dxgw, Life, VifState};
use crate::aws::{Event, Lagged, Work, begin, durations, will_fail};
use crate::ops::OpKind;
use crate::state::State;
use serde_json::{Value, json};

pub fn missing(id: &str) -> Fault {
    Fault::missing("Direct Connect Gateway", id)
}

/// A gateway that reads show, as it really is.
pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Dxgw, Fault> {
    ctx.state
        .aws
        .dxgws
        .get(id)
        .filter(|g| g.seen(ctx.seen_at).is_some())
        .map(|g| g.get().clone())
        .ok_or_else(|| missing(id))
}

fn print(g: &Dxgw, account: &str) -> Value {
    let mut v = json!({
        "directConnectGatewayId": g.id,
        "directConnectGatewayName": g.name,
        "amazonSideAsn": g.asn,
        "ownerAccount": account,
        "directConnectGatewayState": g.state.name(),
    });
    if let Some(e) = &g.error {
        v["stateChangeError"] = json!(e);
    }
    tags::put(&mut v, &g.tags);
    v
}

fn name(ctx: &Ctx<'_>, parameter: &str) -> Result<String, Fault> {
    let name = ctx.need(parameter)?;
    let ok = name.len() <= 100
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b' ');
    if ok {
        Ok(name)
    } else {
        Err(Fault::client(format!(
            "{name} is not a valid name for a Direct Connect Gateway: at most 100 letters, digits, hyphens"
        )))
    }
}

pub fn create(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let name = name(ctx, "directConnectGatewayName")?;
    let asn = match ctx.int("amazonSideAsn")? {
        None => 64512,
        Some(n) => private_asn(n).ok_or_else(|| {
            Fault::client(format!(
                "{n} is not a valid Amazon side ASN: 64512 to 65534 or 4200000000 to 4294967294"
            ))
        })?,
    };
    let tags = tags::read(&ctx.input)?;
    let quota = ctx.state.world.aws.quotas.direct_connect_gateways;
    if ctx.state.aws.dxgws.len() >= quota {
        return Err(Fault::client(
            "You have reached the maximum number of Direct Connect Gateways in your account",
        ));
    }
    // Names are not unique: a repeated call makes a second one (aws.md §1.4).
    let gateway = Dxgw {
        id: ctx.state.rng.uuid(),
        name,
        asn,
        state: Life::Pending,
        error: None,
        tags,
        held: Vec::new(),
    };
    let id = gateway.id.clone();
    let answer = json!({"directConnectGateway": print(&gateway, &ctx.account())});
    let visible = ctx.visible_at();
    ctx.state
        .aws
        .dxgws
        .insert(id.clone(), Lagged::new(gateway, visible));
    begin(
        ctx.state,
        &Work {
            operation: "CreateDirectConnectGateway",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::DXGW_CREATE,
            names: &[],
        },
        |op| Event::Dx {
            id: id.clone(),
            step: Step::DxgwAvailable,
            op: Some(op),
        },
    );
    Ok(answer)
}

/// An ID that does not exist gives an empty list (aws.md §1.1: both an error and this are seen).
pub fn describe(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.text("directConnectGatewayId")?;
    let account = ctx.account();
    let all = ctx
        .state
        .aws
        .dxgws
        .values()
        .filter_map(|g| g.seen(ctx.seen_at))
        .filter(|g| id.as_ref().is_none_or(|id| *id == g.id))
        .map(|g| print(g, &account))
        .collect();
    Ok(paged("directConnectGateways", ctx.page(all)?))
}

/// Only the name can be changed.
pub fn update(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("directConnectGatewayId")?;
    let name = name(ctx, "newDirectConnectGatewayName")?;
    let gateway = find(ctx, &id)?;
    if gateway.state != Life::Available {
        return Err(Fault::client(format!(
            "Direct Connect Gateway {id} is not in the available state"
        )));
    }
    let (visible, now) = (ctx.visible_at(), ctx.now());
    if let Some(g) = ctx.state.aws.dxgws.get_mut(&id) {
        g.write(now, visible, |g| g.name = name);
    }
    let gateway = ctx
        .state
        .aws
        .dxgws
        .get(&id)
        .map(|g| print(g.get(), &ctx.account()));
    Ok(json!({"directConnectGateway": gateway}))
}

/// What still hangs on a gateway: associations of any region, and attachments.
pub fn in_use(state: &State, id: &str) -> bool {
    let associated = state
        .aws
        .associations
        .values()
        .map(Lagged::get)
        .any(|a| a.dxgw == id && a.state != AssociationState::Disassociated);
    let attached = state.aws.vifs.values().map(Lagged::get).any(|v| {
        v.dxgw.as_deref() == Some(id) && !matches!(v.state, VifState::Deleted | VifState::Rejected)
    });
    associated || attached
}

/// Accepted even when it cannot succeed (aws.md §1.4).
pub fn delete(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("directConnectGatewayId")?;
    let gateway = find(ctx, &id)?;
    let account = ctx.account();
    match gateway.state {
        Life::Deleting => {
            return Ok(json!({"directConnectGateway": print(&gateway, &account)}));
        }
        Life::Available => {}
        other => {
            return Err(Fault::client(format!(
                "Direct Connect Gateway {id} is in the {} state and cannot be deleted",
                other.name()
            )));
        }
    }
    let failure = will_fail(ctx.state, ctx.call);
    let blocked = failure.is_some() || in_use(ctx.state, &id);
    let (visible, now) = (ctx.visible_at(), ctx.now());
    if let Some(g) = ctx.state.aws.dxgws.get_mut(&id) {
        g.write(now, visible, |g| {
            g.state = Life::Deleting;
            g.error.clone_from(&failure);
        });
    }
    begin(
        ctx.state,
        &Work {
            operation: "DeleteDirectConnectGateway",
            resource: &id,
            kind: OpKind::Delete,
            duration: if blocked {
                durations::DXGW_DELETE_REVERT
            } else {
                durations::DXGW_DELETE
            },
            names: &gateway.held,
        },
        |op| Event::Dx {
            id: id.clone(),
            step: if failure.is_some() {
                Step::DxgwDeleteFailed
            } else {
                Step::DxgwDeleted
            },
            op: Some(op),
        },
    );
    let shown = ctx
        .state
        .aws
        .dxgws
        .get(&id)
        .map(|g| print(g.get(), &account));
    Ok(json!({"directConnectGateway": shown}))
}

pub fn attachments(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let gateway = ctx.text("directConnectGatewayId")?;
    let interface = ctx.text("virtualInterfaceId")?;
    if gateway.is_none() && interface.is_none() {
        return Err(Fault::client(
            "Either directConnectGatewayId or virtualInterfaceId must be given",
        ));
    }
    if let Some(id) = &gateway {
        find(ctx, id)?;
    }
    let all = ctx
        .state
        .aws
        .vifs
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| interface.as_ref().is_none_or(|i| *i == v.id))
        .filter_map(|v| {
            let id = v.dxgw.as_ref()?;
            let state = match v.state {
                VifState::Pending => "attaching",
                VifState::Provisioned | VifState::Testing => "attached",
                VifState::Deleting => "detaching",
                VifState::Deleted | VifState::Rejected | VifState::Confirming => return None,
            };
            gateway.as_ref().is_none_or(|g| g == id).then(|| {
                json!({
                    "directConnectGatewayId": id,
                    "virtualInterfaceId": v.id,
                    "virtualInterfaceRegion": v.region,
                    "virtualInterfaceOwnerAccount": v.owner,
                    "attachmentState": state,
                    "attachmentType": vif::attachment_type(v),
                })
            })
        })
        .collect();
    Ok(paged("directConnectGatewayAttachments", ctx.page(all)?))
}

/// The account's VGWs in this region, as Direct Connect sees them.
#[expect(clippy::unnecessary_wraps, reason = "one signature for all operations")]
pub fn virtual_gateways(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let all: Vec<Value> = ctx
        .state
        .aws
        .vgws
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .map(|v| json!({"virtualGatewayId": v.id, "virtualGatewayState": v.state.name()}))
        .collect();
    Ok(json!({"virtualGateways": all}))
}
