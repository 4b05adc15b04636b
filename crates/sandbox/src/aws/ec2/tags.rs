//! Tags of EC2 objects: rules, tag specifications of creating operations, CreateTags, DeleteTags, DescribeTags.

use super::fault::Fault;
use super::filter::Filters;
use super::params::Params;
use super::{Ctx, done};
use crate::aws::objects::{Life, Tags};
use crate::aws::xml::Xml;
use crate::state::State;
use crate::time::SimTime;

/// At most this many tags on a resource (aws.md §1.9 has the same for Direct Connect).
const LIMIT: usize = 50;

fn check(tags: &[(String, String)]) -> Result<(), Fault> {
    for (key, value) in tags {
        if key.is_empty() || key.chars().count() > 127 {
            return Err(Fault::invalid(
                "Tag.Key",
                key,
                "Tag keys must be between 1 and 127 characters in length",
            ));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(Fault::invalid(
                "Tag.Key",
                key,
                "Tag keys starting with 'aws:' are reserved for internal use",
            ));
        }
        if value.chars().count() > 256 {
            return Err(Fault::invalid(
                "Tag.Value",
                "…",
                "Tag values must be at most 256 characters in length",
            ));
        }
    }
    let mut keys: Vec<&String> = tags.iter().map(|(k, _)| k).collect();
    keys.sort();
    keys.dedup();
    if keys.len() != tags.len() {
        return Err(Fault::client(
            "InvalidParameterValue",
            "Duplicate tag key specified in the request.",
        ));
    }
    if tags.len() > LIMIT {
        return Err(Fault::client(
            "TagLimitExceeded",
            "The maximum number of tags for a resource has been reached.",
        ));
    }
    Ok(())
}

fn read(params: &Params) -> Result<Vec<(String, String)>, Fault> {
    params
        .structs("Tag")
        .iter()
        .map(|t| {
            Ok((
                t.need("Key")?.to_owned(),
                t.get("Value").unwrap_or_default().to_owned(),
            ))
        })
        .collect()
}

/// The tags that a creating operation gives to what it creates, of this resource type.
pub fn specified(params: &Params, resource_type: &str) -> Result<Tags, Fault> {
    let mut all = Vec::new();
    for spec in params.structs("TagSpecification") {
        let kind = spec.need("ResourceType")?;
        if kind != resource_type {
            return Err(Fault::client(
                "InvalidParameterValue",
                format!("'{kind}' is not a valid taggable resource type for this operation."),
            ));
        }
        all.extend(read(&spec)?);
    }
    check(&all)?;
    Ok(all.into_iter().collect())
}

/// What a tag operation works on.
enum Target {
    Vgw,
    Cgw,
    Vpn,
    /// A VPC, or a part of one.
    Vpc(String),
}

fn resource_type(id: &str) -> &'static str {
    match id.split('-').next().unwrap_or_default() {
        "vgw" => "vpn-gateway",
        "cgw" => "customer-gateway",
        "vpn" => "vpn-connection",
        "vpc" => "vpc",
        "subnet" => "subnet",
        "rtb" => "route-table",
        _ => "instance",
    }
}

fn find(ctx: &Ctx<'_>, id: &str) -> Result<Target, Fault> {
    let at = ctx.seen_at;
    let aws = &ctx.state.aws;
    let here = |region: &str, state: Life| region == ctx.region && state != Life::Deleted;
    match id.split('-').next().unwrap_or_default() {
        "vgw" => aws
            .vgws
            .get(id)
            .and_then(|v| v.seen(at))
            .filter(|v| here(&v.region, v.state))
            .map(|_| Target::Vgw)
            .ok_or_else(|| Fault::no_vgw(id)),
        "cgw" => aws
            .cgws
            .get(id)
            .and_then(|v| v.seen(at))
            .filter(|v| here(&v.region, v.state))
            .map(|_| Target::Cgw)
            .ok_or_else(|| Fault::no_cgw(id)),
        "vpn" => aws
            .vpns
            .get(id)
            .and_then(|v| v.seen(at))
            .filter(|v| here(&v.region, v.state))
            .map(|_| Target::Vpn)
            .ok_or_else(|| Fault::no_vpn(id)),
        kind => aws
            .vpcs
            .values()
            .map(|v| &v.get().world)
            .filter(|v| v.region == ctx.region)
            .find(|v| {
                v.id == id
                    || v.subnets.iter().any(|s| s.id == id)
                    || v.route_tables.iter().any(|t| t.id == id)
                    || v.instances.iter().any(|i| i.id == id)
            })
            .map(|v| Target::Vpc(v.id.clone()))
            .ok_or_else(|| match kind {
                "vpc" => Fault::no_vpc(id),
                "subnet" => Fault::no_subnet(id),
                "rtb" => Fault::no_route_table(id),
                "i" => Fault::no_instance(id),
                _ => Fault::client("InvalidID", format!("The ID '{id}' is not valid")),
            }),
    }
}

fn tags_mut(
    state: &mut State,
    id: &str,
    target: &Target,
    visible: SimTime,
    f: impl FnOnce(&mut Tags),
) {
    let now = state.now;
    let aws = &mut state.aws;
    match target {
        Target::Vgw => {
            if let Some(v) = aws.vgws.get_mut(id) {
                v.write(now, visible, |v| f(&mut v.tags));
            }
        }
        Target::Cgw => {
            if let Some(v) = aws.cgws.get_mut(id) {
                v.write(now, visible, |v| f(&mut v.tags));
            }
        }
        Target::Vpn => {
            if let Some(v) = aws.vpns.get_mut(id) {
                v.write(now, visible, |v| f(&mut v.tags));
            }
        }
        Target::Vpc(vpc) => {
            if let Some(v) = aws.vpcs.get_mut(vpc) {
                v.write(now, visible, |v| {
                    if v.world.id == id {
                        f(&mut v.tags);
                    } else {
                        f(v.part_tags.entry(id.to_owned()).or_default());
                    }
                });
            }
        }
    }
}

fn tags_of<'a>(state: &'a State, id: &str, target: &Target) -> Option<&'a Tags> {
    let aws = &state.aws;
    match target {
        Target::Vgw => aws.vgws.get(id).map(|v| &v.get().tags),
        Target::Cgw => aws.cgws.get(id).map(|v| &v.get().tags),
        Target::Vpn => aws.vpns.get(id).map(|v| &v.get().tags),
        Target::Vpc(vpc) => aws.vpcs.get(vpc).and_then(|v| {
            let v = v.get();
            if v.world.id == id {
                Some(&v.tags)
            } else {
                v.part_tags.get(id)
            }
        }),
    }
}

fn targets(ctx: &Ctx<'_>) -> Result<Vec<(String, Target)>, Fault> {
    let ids = ctx.params.list("ResourceId");
    if ids.is_empty() {
        return Err(Fault::client(
            "MissingParameter",
            "The request must contain the parameter resourceIdSet",
        ));
    }
    ids.into_iter()
        .map(|id| Ok((id.to_owned(), find(ctx, id)?)))
        .collect()
}

pub fn create(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let tags = read(&ctx.params)?;
    if tags.is_empty() {
        return Err(Fault::client(
            "MissingParameter",
            "The request must contain the parameter tagSet",
        ));
    }
    check(&tags)?;
    let targets = targets(ctx)?;
    for (id, target) in &targets {
        let have = tags_of(ctx.state, id, target);
        let new = tags
            .iter()
            .filter(|(k, _)| have.is_none_or(|h| !h.contains_key(k)))
            .count();
        if have.map_or(0, |h| h.len()) + new > LIMIT {
            return Err(Fault::client(
                "TagLimitExceeded",
                "The maximum number of tags for a resource has been reached.",
            ));
        }
    }
    for (id, target) in &targets {
        let visible = ctx.visible_at();
        tags_mut(ctx.state, id, target, visible, |t| t.extend(tags.clone()));
    }
    Ok(done())
}

/// Without tags all are taken off; a tag with a value only if it has that value.
pub fn delete(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let wanted: Vec<(String, Option<String>)> = ctx
        .params
        .structs("Tag")
        .iter()
        .map(|t| Ok((t.need("Key")?.to_owned(), t.get("Value").map(str::to_owned))))
        .collect::<Result<_, Fault>>()?;
    for (id, target) in &targets(ctx)? {
        let visible = ctx.visible_at();
        tags_mut(ctx.state, id, target, visible, |t| {
            if wanted.is_empty() {
                t.clear();
            }
            for (key, value) in &wanted {
                if value.as_ref().is_none_or(|v| t.get(key) == Some(v)) {
                    t.remove(key);
                }
            }
        });
    }
    Ok(done())
}

pub fn describe(ctx: &mut Ctx<'_>) -> Result<Xml, Fault> {
    let filters = Filters::read(&ctx.params)?;
    filters.check(&["key", "value", "resource-id", "resource-type"])?;
    let at = ctx.seen_at;
    let aws = &ctx.state.aws;
    let mut objects: Vec<(String, Tags)> = Vec::new();
    for v in aws.vgws.values().filter_map(|v| v.seen(at)) {
        if v.region == ctx.region {
            objects.push((v.id.clone(), v.tags.clone()));
        }
    }
    for v in aws.cgws.values().filter_map(|v| v.seen(at)) {
        if v.region == ctx.region {
            objects.push((v.id.clone(), v.tags.clone()));
        }
    }
    for v in aws.vpns.values().filter_map(|v| v.seen(at)) {
        if v.region == ctx.region {
            objects.push((v.id.clone(), v.tags.clone()));
        }
    }
    for v in aws.vpcs.values().filter_map(|v| v.seen(at)) {
        if v.world.region == ctx.region {
            objects.push((v.world.id.clone(), v.tags.clone()));
            objects.extend(v.part_tags.clone());
        }
    }
    let mut rows = Vec::new();
    for (id, tags) in objects {
        for (key, value) in &tags {
            let one = Tags::from([(key.clone(), value.clone())]);
            let pass = filters.pass(&one, |name| match name {
                "key" => vec![key.clone()],
                "value" => vec![value.clone()],
                "resource-id" => vec![id.clone()],
                _ => vec![resource_type(&id).to_owned()],
            });
            if pass {
                rows.push((id.clone(), key.clone(), value.clone()));
            }
        }
    }
    let (rows, next) = ctx.page(rows, 5, 1000)?;
    let mut x = Xml::new();
    x.items("tagSet", rows, |x, (id, key, value)| {
        x.leaf("key", key)
            .leaf("resourceId", &id)
            .leaf("resourceType", resource_type(&id))
            .leaf("value", value);
    })
    .maybe("nextToken", next);
    Ok(x)
}
