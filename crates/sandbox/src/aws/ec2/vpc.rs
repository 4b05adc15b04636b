//! What is in a VPC: subnets, route tables with propagated routes, instances; and the regions. All of it is the
//! world's; only tags, propagation and the VPC's deletion change it.

use super::fault::Fault;
use super::filter::Filters;
use super::params::Params;
use super::{Ctx, done, print};
use crate::aws::objects::{AttachState, Life, Tags, Vpc};
use crate::aws::world::RouteTable;
use crate::aws::xml::Xml;
use crate::aws::{Lagged, world};
use crate::net;

/// A VPC of this region.
pub fn find(ctx: &Ctx<'_>, id: &str) -> Result<Vpc, Fault> {
    ctx.state
        .aws
        .vpcs
        .get(id)
        .map(|v| v.get().clone())
        .filter(|v| v.world.region == ctx.region)
        .ok_or_else(|| Fault::no_vpc(id))
}

fn vpcs(ctx: &Ctx<'_>) -> Vec<Vpc> {
    ctx.state
        .aws
        .vpcs
        .values()
        .filter_map(|v| v.seen(ctx.seen_at))
        .filter(|v| v.world.region == ctx.region)
        .cloned()
        .collect()
}

/// IDs and paging exclude each other (EC2's pagination rules).
fn ids<'a>(params: &'a Params, name: &str) -> Result<Vec<&'a str>, Fault> {
    let ids = params.list(name);
    if !ids.is_empty() && params.get("MaxResults").is_some() {
        return Err(Fault::combination(format!(
            "The parameter {name} cannot be used with the parameter maxResults"
        )));
    }
    Ok(ids)
}

pub fn describe_vpcs(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "cidr",
        "cidr-block-association.cidr-block",
        "is-default",
        "owner-id",
        "state",
        "vpc-id",
    ])?;
    let ids = ids(&ctx.params, "VpcId")?;
    let all = vpcs(ctx);
    if let Some(id) = ids.iter().find(|id| all.iter().all(|v| v.world.id != **id)) {
        return Err(Fault::no_vpc(id));
    }
    let account = ctx.state.world.aws.account_id.clone();
    let shown: Vec<Vpc> = all
        .into_iter()
        .filter(|v| {
            let w = &v.world;
            let cidrs = || w.cidrs.iter().map(ToString::to_string);
            (ids.is_empty() || ids.contains(&w.id.as_str()))
                && filters.pass(&v.tags, |name| match name {
                    "cidr" => cidrs().take(1).collect(),
                    "cidr-block-association.cidr-block" => cidrs().collect(),
                    "is-default" => vec!["false".to_owned()],
                    "owner-id" => vec![account.clone()],
                    "state" => vec!["available".to_owned()],
                    _ => vec![w.id.clone()],
                })
        })
        .collect();
    let (shown, next) = ctx.page(shown, 5, 1000)?;
    let mut x = Xml::new();
    x.items("vpcSet", shown, |x, v| print::vpc(x, &v, &account))
        .maybe("nextToken", next);
    Ok(x)
}

pub fn delete_vpc(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let id = ctx.need("VpcId")?;
    let vpc = find(ctx, &id)?;
    let attached = ctx.state.aws.vgws.values().map(Lagged::get).any(|v| {
        v.attachments
            .iter()
            .any(|a| a.vpc == id && a.state != AttachState::Detached && v.state != Life::Deleted)
    });
    if attached || !vpc.world.subnets.is_empty() || !vpc.world.instances.is_empty() {
        return Err(Fault::client(
            "DependencyViolation",
            format!("The vpc '{id}' has dependencies and cannot be deleted."),
        ));
    }
    ctx.state.aws.vpcs.remove(&id);
    Ok(done())
}

pub fn describe_subnets(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "availability-zone",
        "cidr-block",
        "state",
        "subnet-id",
        "vpc-id",
    ])?;
    let ids = ids(&ctx.params, "SubnetId")?;
    let mut all: Vec<(String, world::Subnet, usize, Tags)> = Vec::new();
    for v in vpcs(ctx) {
        for s in &v.world.subnets {
            let used = v
                .world
                .instances
                .iter()
                .filter(|i| i.subnet == s.id)
                .count();
            let tags = v.part_tags.get(&s.id).cloned().unwrap_or_default();
            all.push((v.world.id.clone(), s.clone(), used, tags));
        }
    }
    if let Some(id) = ids.iter().find(|id| all.iter().all(|s| s.1.id != **id)) {
        return Err(Fault::no_subnet(id));
    }
    all.retain(|(vpc, s, _, tags)| {
        (ids.is_empty() || ids.contains(&s.id.as_str()))
            && filters.pass(tags, |name| match name {
                "availability-zone" => vec![s.availability_zone.clone()],
                "cidr-block" => vec![s.cidr.to_string()],
                "state" => vec!["available".to_owned()],
                "subnet-id" => vec![s.id.clone()],
                _ => vec![vpc.clone()],
            })
    });
    let account = ctx.state.world.aws.account_id.clone();
    let (page, next) = ctx.page(all, 5, 1000)?;
    let region = ctx.region;
    let mut x = Xml::new();
    x.items("subnetSet", page, |x, (vpc, s, used, tags)| {
        // Amazon keeps five addresses of every subnet.
        let free = (1usize << (32 - s.cidr.prefix_len())).saturating_sub(5 + used);
        x.leaf("subnetId", &s.id)
            .leaf(
                "subnetArn",
                format!("arn:aws:ec2:{region}:{account}:subnet/{}", s.id),
            )
            .leaf("state", "available")
            .leaf("ownerId", &account)
            .leaf("vpcId", vpc)
            .leaf("cidrBlock", s.cidr)
            .items("ipv6CidrBlockAssociationSet", [(); 0], |_, ()| {})
            .leaf("availableIpAddressCount", free)
            .leaf("availabilityZone", &s.availability_zone)
            .leaf("availabilityZoneId", zone_id(&s.availability_zone))
            .leaf("defaultForAz", false)
            .leaf("mapPublicIpOnLaunch", false)
            .leaf("assignIpv6AddressOnCreation", false);
        print::tags(x, &tags);
    })
    .maybe("nextToken", next);
    Ok(x)
}

/// `us-east-1a` is `use1-az1` here.
fn zone_id(zone: &str) -> String {
    let mut parts = zone.split('-');
    let area = parts.next().unwrap_or_default();
    let side: String = parts.next().unwrap_or_default().chars().take(1).collect();
    let last = parts.next().unwrap_or_default();
    let (number, letter) = last.split_at(last.len().saturating_sub(1));
    let n = letter
        .bytes()
        .next()
        .map_or(1, |b| b.saturating_sub(b'a') + 1);
    format!("{area}{side}{number}-az{n}")
}

pub fn describe_route_tables(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "association.main",
        "association.route-table-association-id",
        "association.route-table-id",
        "association.subnet-id",
        "owner-id",
        "route.destination-cidr-block",
        "route.gateway-id",
        "route.origin",
        "route.state",
        "route-table-id",
        "vpc-id",
    ])?;
    let ids = ids(&ctx.params, "RouteTableId")?;
    let account = ctx.state.world.aws.account_id.clone();
    let mut all: Vec<print::Table> = Vec::new();
    for v in vpcs(ctx) {
        for t in &v.world.route_tables {
            all.push(table(ctx, &v, t));
        }
    }
    if let Some(id) = ids.iter().find(|id| all.iter().all(|t| t.id != **id)) {
        return Err(Fault::no_route_table(id));
    }
    all.retain(|t| {
        (ids.is_empty() || ids.contains(&t.id.as_str()))
            && filters.pass(&t.tags, |name| match name {
                "association.main" => t.associations.iter().map(|a| a.main.to_string()).collect(),
                "association.route-table-association-id" => {
                    t.associations.iter().map(|a| a.id.clone()).collect()
                }
                "association.route-table-id" if !t.associations.is_empty() => vec![t.id.clone()],
                "association.route-table-id" => vec![],
                "association.subnet-id" => t
                    .associations
                    .iter()
                    .filter_map(|a| a.subnet.clone())
                    .collect(),
                "owner-id" => vec![account.clone()],
                "route.destination-cidr-block" => {
                    t.routes.iter().map(|r| r.destination.to_string()).collect()
                }
                "route.gateway-id" => t.routes.iter().map(|r| r.gateway.clone()).collect(),
                "route.origin" => t.routes.iter().map(|r| r.origin.to_owned()).collect(),
                "route.state" => vec!["active".to_owned()],
                "route-table-id" => vec![t.id.clone()],
                _ => vec![t.vpc.clone()],
            })
    });
    let (page, next) = ctx.page(all, 5, 100)?;
    let mut x = Xml::new();
    x.items("routeTableSet", page, |x, t| {
        print::route_table(x, &t, &account);
    })
    .maybe("nextToken", next);
    Ok(x)
}

fn table(ctx: &Ctx<'_>, vpc: &Vpc, t: &RouteTable) -> print::Table {
    let route = |destination, gateway: &str, origin| print::Route {
        destination,
        gateway: gateway.to_owned(),
        origin,
    };
    let mut routes: Vec<print::Route> = vpc
        .world
        .cidrs
        .iter()
        .map(|c| route(*c, "local", "CreateRouteTable"))
        .collect();
    routes.extend(
        t.routes
            .iter()
            .map(|r| route(r.destination, &r.target, "CreateRoute")),
    );
    routes.extend(
        net::propagated(ctx.state, &t.id)
            .iter()
            .map(|p| route(p.prefix, &p.vgw, "EnableVgwRoutePropagation")),
    );
    let association = |suffix: &str, main, subnet| print::TableAssociation {
        // One ID per table and subnet, stable over time.
        id: format!("rtbassoc-{}", suffix.rsplit('-').next().unwrap_or_default()),
        main,
        subnet,
    };
    let mut associations = Vec::new();
    if t.main {
        associations.push(association(&t.id, true, None));
    }
    associations.extend(
        t.subnets
            .iter()
            .map(|s| association(s, false, Some(s.clone()))),
    );
    print::Table {
        id: t.id.clone(),
        vpc: vpc.world.id.clone(),
        associations,
        routes,
        propagating: vpc
            .propagating
            .get(&t.id)
            .into_iter()
            .flatten()
            .cloned()
            .collect(),
        tags: vpc.part_tags.get(&t.id).cloned().unwrap_or_default(),
    }
}

pub fn describe_instances(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&[
        "instance-id",
        "instance-state-name",
        "private-ip-address",
        "subnet-id",
        "vpc-id",
    ])?;
    let ids = ids(&ctx.params, "InstanceId")?;
    let mut all: Vec<(String, world::Instance, String, Tags)> = Vec::new();
    for v in vpcs(ctx) {
        for i in &v.world.instances {
            let zone = v
                .world
                .subnets
                .iter()
                .find(|s| s.id == i.subnet)
                .map_or_else(
                    || format!("{}a", ctx.region),
                    |s| s.availability_zone.clone(),
                );
            let tags = v.part_tags.get(&i.id).cloned().unwrap_or_default();
            all.push((v.world.id.clone(), i.clone(), zone, tags));
        }
    }
    if let Some(id) = ids.iter().find(|id| all.iter().all(|i| i.1.id != **id)) {
        return Err(Fault::no_instance(id));
    }
    all.retain(|(vpc, i, _, tags)| {
        (ids.is_empty() || ids.contains(&i.id.as_str()))
            && filters.pass(tags, |name| match name {
                "instance-id" => vec![i.id.clone()],
                "instance-state-name" => vec!["running".to_owned()],
                "private-ip-address" => vec![i.address.to_string()],
                "subnet-id" => vec![i.subnet.clone()],
                _ => vec![vpc.clone()],
            })
    });
    let account = ctx.state.world.aws.account_id.clone();
    let (page, next) = ctx.page(all, 5, 1000)?;
    let mut x = Xml::new();
    x.items("reservationSet", page, |x, (vpc, i, zone, tags)| {
        x.leaf("reservationId", i.id.replacen("i-", "r-", 1))
            .leaf("ownerId", &account)
            .items("instancesSet", [()], |x, ()| {
                x.leaf("instanceId", &i.id)
                    .node("instanceState", |x| {
                        x.leaf("code", 16).leaf("name", "running");
                    })
                    .leaf("instanceType", "t3.micro")
                    .node("placement", |x| {
                        x.leaf("availabilityZone", &zone).leaf("tenancy", "default");
                    })
                    .leaf("subnetId", &i.subnet)
                    .leaf("vpcId", &vpc)
                    .leaf("privateIpAddress", i.address)
                    .leaf("sourceDestCheck", true);
                print::tags(x, &tags);
            });
    })
    .maybe("nextToken", next);
    Ok(x)
}

pub fn describe_regions(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&["endpoint", "opt-in-status", "region-name"])?;
    let names = ctx.params.list("RegionName");
    let all = &ctx.state.world.aws.regions;
    if let Some(n) = names.iter().find(|n| all.iter().all(|r| r != *n)) {
        return Err(Fault::invalid("regionName", n, "There is no such region"));
    }
    let endpoint = |r: &str| format!("ec2.{r}.amazonaws.com");
    let shown = all.iter().filter(|r| {
        (names.is_empty() || names.contains(&r.as_str()))
            && filters.pass(&Tags::new(), |name| match name {
                "endpoint" => vec![endpoint(r)],
                "opt-in-status" => vec!["opt-in-not-required".to_owned()],
                _ => vec![(*r).clone()],
            })
    });
    let mut x = Xml::new();
    x.items("regionInfo", shown, |x, r| {
        x.leaf("regionName", r)
            .leaf("regionEndpoint", endpoint(r))
            .leaf("optInStatus", "opt-in-not-required");
    });
    Ok(x)
}

pub fn describe_zones(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&["region-name", "state", "zone-id", "zone-name", "zone-type"])?;
    let (names, zone_ids) = (ctx.params.list("ZoneName"), ctx.params.list("ZoneId"));
    let region = ctx.region;
    let all: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|l| format!("{region}{l}"))
        .collect();
    if let Some(n) = names.iter().find(|n| all.iter().all(|z| z != *n)) {
        return Err(Fault::invalid("zoneName", n, "There is no such zone"));
    }
    let shown = all.iter().filter(|z| {
        (names.is_empty() || names.contains(&z.as_str()))
            && (zone_ids.is_empty() || zone_ids.contains(&zone_id(z).as_str()))
            && filters.pass(&Tags::new(), |name| match name {
                "region-name" => vec![region.to_owned()],
                "state" => vec!["available".to_owned()],
                "zone-id" => vec![zone_id(z)],
                "zone-type" => vec!["availability-zone".to_owned()],
                _ => vec![(*z).clone()],
            })
    });
    let mut x = Xml::new();
    x.items("availabilityZoneInfo", shown, |x, z| {
        x.leaf("zoneName", z)
            .leaf("zoneId", zone_id(z))
            .leaf("zoneState", "available")
            .leaf("regionName", region)
            .leaf("optInStatus", "opt-in-not-required")
            .leaf("groupName", region)
            .leaf("networkBorderGroup", region)
            .leaf("zoneType", "availability-zone");
    });
    Ok(x)
}
