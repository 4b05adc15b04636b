//! Hosted connections as their receiver sees them (aws.md §1.3), and Direct Connect locations.

use super::{Ctx, Fault, Step, paged, tags};
use crate::aws::objects::{Connection, ConnectionState};
use crate::aws::{Event, Work, begin, durations};
use crate::ops::OpKind;
use serde_json::{Value, json};

fn bandwidth(mbps: u32) -> String {
    if mbps >= 1000 && mbps.is_multiple_of(1000) {
        format!("{}Gbps", mbps / 1000)
    } else {
        format!("{mbps}Mbps")
    }
}

fn print(c: &Connection) -> Value {
    let mut v = json!({
        "ownerAccount": c.owner,
        "connectionId": c.id,
        "connectionName": c.name,
        "connectionState": c.state.name(),
        "region": c.region,
        "location": c.location,
        "bandwidth": bandwidth(c.mbps),
        "vlan": c.vlan,
        "partnerName": c.partner,
        "jumboFrameCapable": true,
        "awsDevice": c.device,
        "awsDeviceV2": c.device,
        "awsLogicalDeviceId": c.device,
        "hasLogicalRedundancy": "unknown",
        "providerName": c.partner,
        "macSecCapable": false,
    });
    tags::put(&mut v, &c.tags);
    v
}

pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Connection, Fault> {
    ctx.state
        .aws
        .connections
        .get(id)
        .filter(|c| c.seen(ctx.seen_at).is_some())
        .map(|c| c.get().clone())
        .filter(|c| c.region == ctx.region && c.owner == ctx.state.world.aws.account_id)
        .ok_or_else(|| Fault::missing("Connection", id))
}

/// The partner's own connection under a hosted VIF is not among them (aws.md §1.2).
pub fn describe(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.text("connectionId")?;
    if let Some(id) = &id {
        find(ctx, id)?;
    }
    let account = ctx.account();
    let all = ctx
        .state
        .aws
        .connections
        .values()
        .filter_map(|c| c.seen(ctx.seen_at))
        .filter(|c| c.region == ctx.region && c.owner == account)
        .filter(|c| id.as_ref().is_none_or(|x| *x == c.id))
        .map(print)
        .collect();
    Ok(paged("connections", ctx.page(all)?))
}

pub fn confirm(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("connectionId")?;
    let c = find(ctx, &id)?;
    if c.state != ConnectionState::Ordering {
        return Err(Fault::client(format!(
            "Connection {id} is in the {} state and cannot be confirmed",
            c.state.name()
        )));
    }
    let (visible, now) = (ctx.visible_at(), ctx.now());
    if let Some(c) = ctx.state.aws.connections.get_mut(&id) {
        c.write(now, visible, |c| c.state = ConnectionState::Pending);
    }
    begin(
        ctx.state,
        &Work {
            operation: "ConfirmConnection",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::CONNECTION_CONFIRM,
            names: &[],
        },
        |op| Event::Dx {
            id: id.clone(),
            step: Step::ConnectionAvailable,
            op: Some(op),
        },
    );
    Ok(json!({"connectionState": "pending"}))
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for all operations")]
pub fn locations(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let all: Vec<Value> = ctx
        .state
        .world
        .aws
        .locations
        .iter()
        .filter(|l| l.region == ctx.region)
        .map(|l| {
            json!({
                "locationCode": l.code,
                "locationName": l.name,
                "region": l.region,
                "availablePortSpeeds": ["1Gbps", "10Gbps", "100Gbps"],
                "availableProviders": ["Megaport"],
                "availableMacSecPortSpeeds": ["10Gbps", "100Gbps"],
            })
        })
        .collect();
    Ok(json!({"locations": all}))
}
