//! Virtual private gateways: their life, their one attachment to a VPC, and propagation into its route tables
//! (aws.md §2.2, §2.7, §2.8).

use super::fault::Fault;
use super::filter::Filters;
use super::{Ctx, Step, done, print, tags};
use crate::aws::objects::{AssociationState, AttachState, Attachment, Life, Vgw};
use crate::aws::xml::Xml;
use crate::aws::{Event, Lagged, Work, begin, durations};
use crate::ops::OpKind;
use crate::state::State;

/// Private ASNs, the only ones that Amazon's side may have (aws.md §1.4, §2.2).
pub fn private_asn(asn: i64) -> Option<u32> {
    let ok = (64512..=65534).contains(&asn) || (4_200_000_000..=4_294_967_294).contains(&asn);
    ok.then(|| u32::try_from(asn).ok()).flatten()
}

/// A VGW of this region that reads show and that is not deleted, as it really is.
pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Vgw, Fault> {
    ctx.state
        .aws
        .vgws
        .get(id)
        .filter(|v| v.seen(ctx.seen_at).is_some())
        .map(|v| v.get().clone())
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .ok_or_else(|| Fault::no_vgw(id))
}

fn change(ctx: &mut Ctx<'_>, id: &str, f: impl FnOnce(&mut Vgw)) {
    let visible = ctx.visible_at();
    let now = ctx.now();
    if let Some(v) = ctx.state.aws.vgws.get_mut(id) {
        v.write(now, visible, f);
    }
}

pub fn create(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let kind = ctx.need("Type")?;
    if kind != "ipsec.1" {
        return Err(Fault::invalid("type", &kind, "The only type is ipsec.1"));
    }
    let asn = match ctx.params.int("AmazonSideAsn")? {
        None => 64512,
        Some(n) => private_asn(n).ok_or_else(|| {
            Fault::invalid(
                "amazonSideAsn",
                &n.to_string(),
                "It must be a private ASN: 64512-65534 or 4200000000-4294967294",
            )
        })?,
    };
    let zone = ctx.params.get("AvailabilityZone").map(str::to_owned);
    if let Some(z) = &zone
        && z.strip_prefix(ctx.region).is_none_or(|s| s.len() != 1)
    {
        return Err(Fault::invalid(
            "availabilityZone",
            z,
            "There is no such zone",
        ));
    }
    let tags = tags::specified(&ctx.params, "vpn-gateway")?;
    let used = ctx
        .state
        .aws
        .vgws
        .values()
        .map(Lagged::get)
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .count();
    if used >= ctx.state.world.aws.quotas.vpn_gateways {
        return Err(Fault::client(
            "VpnGatewayLimitExceeded",
            "The maximum number of virtual private gateways has been reached.",
        ));
    }
    let vgw = Vgw {
        id: ctx.new_id("vgw"),
        region: ctx.region.to_owned(),
        asn,
        availability_zone: zone,
        state: Life::Pending,
        attachments: Vec::new(),
        tags,
        associations: Vec::new(),
    };
    let id = vgw.id.clone();
    let visible = ctx.visible_at();
    let mut x = Xml::new();
    x.node("vpnGateway", |x| print::vgw(x, &vgw));
    ctx.state
        .aws
        .vgws
        .insert(id.clone(), Lagged::new(vgw, visible));
    begin(
        ctx.state,
        &Work {
            operation: "CreateVpnGateway",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::VGW_CREATE,
            names: &[],
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::VgwAvailable,
            op: Some(op),
        },
    );
    Ok(x)
}

pub fn describe(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "amazon-side-asn",
        "attachment.state",
        "attachment.vpc-id",
        "availability-zone",
        "state",
        "type",
        "vpn-gateway-id",
    ])?;
    let ids = ctx.params.list("VpnGatewayId");
    let all: Vec<&Vgw> = ctx
        .state
        .aws
        .vgws
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| v.region == ctx.region)
        .collect();
    if let Some(id) = ids.iter().find(|id| all.iter().all(|v| v.id != **id)) {
        return Err(Fault::no_vgw(id));
    }
    let shown = all.into_iter().filter(|v| {
        (ids.is_empty() || ids.contains(&v.id.as_str()))
            && filters.pass(&v.tags, |name| match name {
                "amazon-side-asn" => vec![v.asn.to_string()],
                "attachment.state" => {
                    let states = v.attachments.iter().map(|a| a.state.name().to_owned());
                    states.collect()
                }
                "attachment.vpc-id" => v.attachments.iter().map(|a| a.vpc.clone()).collect(),
                "availability-zone" => v.availability_zone.clone().into_iter().collect(),
                "state" => vec![v.state.name().to_owned()],
                "type" => vec!["ipsec.1".to_owned()],
                _ => vec![v.id.clone()],
            })
    });
    let mut x = Xml::new();
    x.items("vpnGatewaySet", shown, print::vgw);
    Ok(x)
}

pub fn attach(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let (vpc, id) = (ctx.need("VpcId")?, ctx.need("VpnGatewayId")?);
    let vgw = find(ctx, &id)?;
    super::vpc::find(ctx, &vpc)?;
    if vgw.state != Life::Available {
        return Err(Fault::state(format!(
            "The vpnGateway '{id}' is in state {}; it must be available to be attached.",
            vgw.state.name()
        )));
    }
    if let Some(a) = vgw.attachment() {
        return Err(Fault::client(
            "VpnGatewayAttachmentLimitExceeded",
            format!(
                "The vpnGateway '{id}' is already {} to '{}'.",
                a.state.name(),
                a.vpc
            ),
        ));
    }
    let other = ctx
        .state
        .aws
        .vgws
        .values()
        .map(Lagged::get)
        .find(|v| v.state != Life::Deleted && v.attachment().is_some_and(|a| a.vpc == vpc));
    if let Some(other) = other {
        return Err(Fault::client(
            "VpnGatewayAttachmentLimitExceeded",
            format!(
                "The vpc '{vpc}' already has the vpnGateway '{}' attached.",
                other.id
            ),
        ));
    }
    change(ctx, &id, |v| {
        v.attachments.push(Attachment {
            vpc: vpc.clone(),
            state: AttachState::Attaching,
        });
    });
    begin(
        ctx.state,
        &Work {
            operation: "AttachVpnGateway",
            resource: &format!("{id}/{vpc}"),
            kind: OpKind::Create,
            duration: durations::VGW_ATTACH,
            names: &[id.clone(), vpc.clone()],
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::Attached,
            op: Some(op),
        },
    );
    let mut x = Xml::new();
    x.node("attachment", |x| {
        x.leaf("vpcId", &vpc)
            .leaf("state", AttachState::Attaching.name());
    });
    Ok(x)
}

pub fn detach(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let (vpc, id) = (ctx.need("VpcId")?, ctx.need("VpnGatewayId")?);
    let vgw = find(ctx, &id)?;
    super::vpc::find(ctx, &vpc)?;
    let state = vgw
        .attachment()
        .filter(|a| a.vpc == vpc)
        .map(|a| a.state)
        .ok_or_else(|| {
            Fault::client(
                "InvalidVpnGatewayAttachment.NotFound",
                format!(
                    "The attachment with vpn gateway ID '{id}' and vpc ID '{vpc}' does not exist"
                ),
            )
        })?;
    if state != AttachState::Attached {
        return Err(Fault::state(format!(
            "The attachment of '{id}' to '{vpc}' is {}.",
            state.name()
        )));
    }
    change(ctx, &id, |v| {
        for a in &mut v.attachments {
            if a.state == AttachState::Attached {
                a.state = AttachState::Detaching;
            }
        }
    });
    let names: Vec<String> = vgw.associations.iter().chain([&id]).cloned().collect();
    let duration = if !vgw.associations.is_empty() {
        durations::VGW_DETACH_AFTER_DX
    } else {
        durations::VGW_DETACH
    };
    begin(
        ctx.state,
        &Work {
            operation: "DetachVpnGateway",
            resource: &format!("{id}/{vpc}"),
            kind: OpKind::Delete,
            duration,
            names: &names,
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::Detached,
            op: Some(op),
        },
    );
    Ok(done())
}

/// Whether a Direct Connect gateway association still holds the VGW.
pub fn associated(state: &State, vgw: &str) -> bool {
    state
        .aws
        .associations
        .values()
        .map(Lagged::get)
        .any(|a| a.vgw == vgw && a.state != AssociationState::Disassociated)
}

pub fn delete(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let id = ctx.need("VpnGatewayId")?;
    let vgw = find(ctx, &id)?;
    if vgw.state == Life::Deleting {
        return Ok(done());
    }
    if let Some(a) = vgw.attachment() {
        return Err(Fault::state(format!(
            "The vpnGateway '{id}' is {} to '{}': detach it first.",
            a.state.name(),
            a.vpc
        )));
    }
    let in_use = ctx
        .state
        .aws
        .vpns
        .values()
        .map(Lagged::get)
        .any(|v| v.vgw == id && v.state != Life::Deleted);
    if in_use || associated(ctx.state, &id) {
        return Err(Fault::state(format!("The vpnGateway '{id}' is in use.")));
    }
    if vgw.state == Life::Pending {
        return Err(Fault::state(format!("The vpnGateway '{id}' is pending.")));
    }
    // What it had to wait for: the end of the attachment and of every VPN connection.
    let mut waited_for: Vec<String> = vgw
        .attachments
        .iter()
        .map(|a| format!("{id}/{}", a.vpc))
        .collect();
    let connections = ctx.state.aws.vpns.values().map(Lagged::get);
    waited_for.extend(connections.filter(|v| v.vgw == id).map(|v| v.id.clone()));
    change(ctx, &id, |v| v.state = Life::Deleting);
    begin(
        ctx.state,
        &Work {
            operation: "DeleteVpnGateway",
            resource: &id,
            kind: OpKind::Delete,
            duration: durations::VGW_DELETE,
            names: &waited_for,
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::VgwDeleted,
            op: Some(op),
        },
    );
    Ok(done())
}

/// The VPC whose route table this is.
fn vpc_of(ctx: &Ctx<'_>, table: &str) -> Result<String, Fault> {
    ctx.state
        .aws
        .vpcs
        .values()
        .map(|v| &v.get().world)
        .find(|v| v.region == ctx.region && v.route_tables.iter().any(|t| t.id == table))
        .map(|v| v.id.clone())
        .ok_or_else(|| Fault::no_route_table(table))
}

fn propagate(ctx: &mut Ctx<'_>, enable: bool) -> Result<Xml, Fault> {
    let (id, table) = (ctx.need("GatewayId")?, ctx.need("RouteTableId")?);
    let vpc = vpc_of(ctx, &table)?;
    let vgw = find(ctx, &id)?;
    if enable && vgw.attached_to() != Some(&vpc) {
        return Err(Fault::client(
            "Gateway.NotAttached",
            format!(
                "The gateway '{id}' is not attached to the VPC '{vpc}' of route table '{table}'."
            ),
        ));
    }
    let visible = ctx.visible_at();
    let now = ctx.now();
    if let Some(v) = ctx.state.aws.vpcs.get_mut(&vpc) {
        v.write(now, visible, |v| {
            let set = v.propagating.entry(table.clone()).or_default();
            if enable {
                set.insert(id.clone());
            } else {
                set.remove(&id);
            }
        });
    }
    // Instant (aws.md §0), but on the critical path all the same.
    let (operation, kind) = if enable {
        ("EnableVgwRoutePropagation", OpKind::Create)
    } else {
        ("DisableVgwRoutePropagation", OpKind::Delete)
    };
    let op = ctx.state.ops.begin(
        now,
        &crate::ops::NewOp {
            provider: crate::wire::Provider::Aws,
            operation,
            resource: &format!("{table}/{id}"),
            kind,
            seconds: 0.0,
            names: &[format!("{id}/{vpc}")],
            locks: &[],
        },
    );
    ctx.state.ops.finish(op, now);
    Ok(done())
}

pub fn enable_propagation(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    propagate(ctx, true)
}

pub fn disable_propagation(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    propagate(ctx, false)
}
