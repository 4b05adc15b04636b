//! Customer gateways. Two that are alike in type, address, ASN and device name are one (aws.md §2.2).

use super::fault::Fault;
use super::filter::Filters;
use super::{Ctx, Step, done, print, tags};
use crate::aws::objects::{Cgw, Life};
use crate::aws::xml::Xml;
use crate::aws::{Event, Lagged, Work, begin, durations};
use crate::ops::OpKind;
use std::net::Ipv4Addr;

/// ASNs that Amazon reserves per region (customer gateway options in the VPN user guide).
const RESERVED: [(u32, &str); 4] = [
    (7224, "us-east-1"),
    (9059, "eu-west-1"),
    (10124, "ap-northeast-1"),
    (17943, "ap-southeast-1"),
];

/// A customer gateway of this region that reads show and that is not deleted, as it really is.
pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Cgw, Fault> {
    ctx.state
        .aws
        .cgws
        .get(id)
        .filter(|v| v.seen(ctx.seen_at).is_some())
        .map(|v| v.get().clone())
        .filter(|v| v.region == ctx.region && v.state != Life::Deleted)
        .ok_or_else(|| Fault::no_cgw(id))
}

fn asn(ctx: &Ctx<'_>) -> Result<u32, Fault> {
    let asn = match (ctx.params.int("BgpAsn")?, ctx.params.int("BgpAsnExtended")?) {
        (Some(_), Some(_)) => {
            return Err(Fault::combination(
                "The parameters BgpAsn and BgpAsnExtended cannot be used together",
            ));
        }
        (Some(n), None) if !(1..=2_147_483_647).contains(&n) => {
            return Err(Fault::invalid(
                "bgpAsn",
                &n.to_string(),
                "It must be between 1 and 2147483647; a larger one goes into BgpAsnExtended",
            ));
        }
        (None, Some(n)) if !(2_147_483_648..=4_294_967_295).contains(&n) => {
            return Err(Fault::invalid(
                "bgpAsnExtended",
                &n.to_string(),
                "It must be between 2147483648 and 4294967295",
            ));
        }
        (Some(n), None) | (None, Some(n)) => u32::try_from(n).unwrap_or(u32::MAX),
        (None, None) => 65000,
    };
    let reserved = RESERVED.contains(&(asn, ctx.region)) || matches!(asn, 65535 | u32::MAX);
    if reserved {
        return Err(Fault::invalid(
            "bgpAsn",
            &asn.to_string(),
            "This ASN is reserved",
        ));
    }
    Ok(asn)
}

pub fn create(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let kind = ctx.need("Type")?;
    if kind != "ipsec.1" {
        return Err(Fault::invalid("type", &kind, "The only type is ipsec.1"));
    }
    let asn = asn(ctx)?;
    let ip = match (ctx.params.get("IpAddress"), ctx.params.get("PublicIp")) {
        (Some(_), Some(_)) => {
            return Err(Fault::combination(
                "The parameters IpAddress and PublicIp cannot be used together",
            ));
        }
        (Some(ip), None) | (None, Some(ip)) => {
            let address: Option<Ipv4Addr> = ip.parse().ok();
            Some(
                address
                    .filter(|a| {
                        !a.is_unspecified()
                            && !a.is_loopback()
                            && !a.is_multicast()
                            && !a.is_link_local()
                    })
                    .ok_or_else(|| Fault::invalid("ipAddress", ip, "Invalid IPv4 address"))?,
            )
        }
        (None, None) => None,
    };
    let certificate_arn = ctx.params.get("CertificateArn").map(str::to_owned);
    if ip.is_none() && certificate_arn.is_none() {
        return Err(Fault::client(
            "MissingParameter",
            "The request must contain the parameter ipAddress or certificateArn",
        ));
    }
    let device_name = ctx.params.get("DeviceName").map(str::to_owned);
    if device_name
        .as_ref()
        .is_some_and(|n| n.is_empty() || n.len() > 255)
    {
        return Err(Fault::invalid(
            "deviceName",
            device_name.as_deref().unwrap_or_default(),
            "It must have 1 to 255 characters",
        ));
    }
    let tags = tags::specified(&ctx.params, "customer-gateway")?;
    let here: Vec<&Cgw> = ctx
        .state
        .aws
        .cgws
        .values()
        .map(Lagged::get)
        .filter(|c| c.region == ctx.region && c.state != Life::Deleted)
        .collect();
    // The existing one comes back as it is: without the tags of this request (aws.md §2.2, §2.10).
    if let Some(same) = here.iter().find(|c| {
        c.ip == ip
            && c.asn == asn
            && c.device_name == device_name
            && c.certificate_arn == certificate_arn
            && c.state != Life::Deleting
    }) {
        let mut x = Xml::new();
        x.node("customerGateway", |x| print::cgw(x, same));
        return Ok(x);
    }
    if here.len() >= ctx.state.world.aws.quotas.customer_gateways {
        return Err(Fault::client(
            "CustomerGatewayLimitExceeded",
            "The maximum number of customer gateways has been reached.",
        ));
    }
    let cgw = Cgw {
        id: ctx.new_id("cgw"),
        region: ctx.region.to_owned(),
        ip,
        asn,
        device_name,
        certificate_arn,
        state: Life::Pending,
        tags,
    };
    let id = cgw.id.clone();
    let visible = ctx.visible_at();
    let mut x = Xml::new();
    x.node("customerGateway", |x| print::cgw(x, &cgw));
    let names: Vec<String> = cgw.ip.iter().map(ToString::to_string).collect();
    ctx.state
        .aws
        .cgws
        .insert(id.clone(), Lagged::new(cgw, visible));
    begin(
        ctx.state,
        &Work {
            operation: "CreateCustomerGateway",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::CGW_CREATE,
            names: &names,
        },
        |op| Event::Ec2 {
            id: id.clone(),
            step: Step::CgwAvailable,
            op: Some(op),
        },
    );
    Ok(x)
}

pub fn describe(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "bgp-asn",
        "customer-gateway-id",
        "device-name",
        "ip-address",
        "state",
        "type",
    ])?;
    let ids = ctx.params.list("CustomerGatewayId");
    let all: Vec<&Cgw> = ctx
        .state
        .aws
        .cgws
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| v.region == ctx.region)
        .collect();
    if let Some(id) = ids.iter().find(|id| all.iter().all(|v| v.id != **id)) {
        return Err(Fault::no_cgw(id));
    }
    let shown = all.into_iter().filter(|c| {
        (ids.is_empty() || ids.contains(&c.id.as_str()))
            && filters.pass(&c.tags, |name| match name {
                "bgp-asn" => vec![c.asn.to_string()],
                "device-name" => c.device_name.clone().into_iter().collect(),
                "ip-address" => c.ip.iter().map(ToString::to_string).collect(),
                "state" => vec![c.state.name().to_owned()],
                "type" => vec!["ipsec.1".to_owned()],
                _ => vec![c.id.clone()],
            })
    });
    let mut x = Xml::new();
    x.items("customerGatewaySet", shown, print::cgw);
    Ok(x)
}

pub fn delete(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let id = ctx.need("CustomerGatewayId")?;
    find(ctx, &id)?;
    let user = ctx
        .state
        .aws
        .vpns
        .values()
        .map(Lagged::get)
        .find(|v| v.cgw == id && v.state != Life::Deleted);
    if user.is_some() {
        return Err(Fault::state("The customer gateway is in use."));
    }
    let connections = ctx.state.aws.vpns.values().map(Lagged::get);
    let users: Vec<String> = connections
        .filter(|v| v.cgw == id)
        .map(|v| v.id.clone())
        .collect();
    let visible = ctx.visible_at();
    let now = ctx.now();
    if let Some(c) = ctx.state.aws.cgws.get_mut(&id) {
        c.write(now, visible, |c| c.state = Life::Deleted);
    }
    let op = ctx.state.ops.begin(
        now,
        &crate::ops::NewOp {
            provider: crate::wire::Provider::Aws,
            operation: "DeleteCustomerGateway",
            resource: &id,
            kind: OpKind::Delete,
            seconds: 0.0,
            names: &users,
            locks: &[],
        },
    );
    ctx.state.ops.finish(op, now);
    super::steps::linger(ctx.state, &id);
    Ok(done())
}
