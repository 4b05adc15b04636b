//! Tags of Direct Connect objects, by ARN. Associations have none (aws.md §1.9).

use super::{Ctx, Fault, list, need, text};
use crate::aws::objects::{Tags, VifState};
use serde_json::{Value, json};

const LIMIT: usize = 50;

/// Writes tags into a printed object; an empty list is left out, because the model's tag lists have at least one entry.
pub fn put(v: &mut Value, tags: &Tags) {
    if !tags.is_empty() {
        v["tags"] = print(tags);
    }
}

fn print(tags: &Tags) -> Value {
    tags.iter()
        .map(|(k, v)| json!({"key": k, "value": v}))
        .collect()
}

/// The tags of an input, checked.
pub fn read(input: &Value) -> Result<Tags, Fault> {
    let mut tags = Tags::new();
    for t in list(input, "tags")?.unwrap_or_default() {
        let key = need(&t, "key")?;
        let value = text(&t, "value")?.unwrap_or_default();
        let chars = |s: &str| {
            s.chars()
                .all(|c| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c))
        };
        if key.chars().count() > 128 || !chars(&key) {
            return Err(Fault::client(format!("{key} is not a valid tag key")));
        }
        if value.chars().count() > 256 || !chars(&value) {
            return Err(Fault::client(format!(
                "The value of tag {key} is not valid"
            )));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(Fault::client("Tag keys starting with aws: are reserved"));
        }
        if tags.insert(key.clone(), value).is_some() {
            return Err(Fault::other(
                "DuplicateTagKeysException",
                format!("The tag key {key} was given more than once"),
            ));
        }
    }
    if tags.len() > LIMIT {
        return Err(Fault::other(
            "TooManyTagsException",
            "A resource can have at most 50 tags",
        ));
    }
    Ok(tags)
}

/// Kind and ID of an ARN of this account: `arn:aws:directconnect:<region>:<account>:dxvif/<id>`; a gateway's has no
/// region (aws.md §1.4).
fn parse<'a>(ctx: &Ctx<'_>, arn: &'a str) -> Result<(&'a str, &'a str), Fault> {
    let invalid = || Fault::client(format!("{arn} is not a valid ARN"));
    let parts: Vec<&str> = arn.split(':').collect();
    let ["arn", "aws", "directconnect", region, account, resource] = parts[..] else {
        return Err(invalid());
    };
    let (kind, id) = resource.split_once('/').ok_or_else(invalid)?;
    let region_fits = if kind == "dx-gateway" {
        region.is_empty()
    } else {
        region == ctx.region
    };
    let known = ["dxvif", "dxcon", "dx-gateway"].contains(&kind);
    if !region_fits || !known || account != ctx.state.world.aws.account_id {
        return Err(invalid());
    }
    Ok((kind, id))
}

/// Present tags of what an ARN names.
fn current(ctx: &Ctx<'_>, arn: &str) -> Result<Tags, Fault> {
    let (kind, id) = parse(ctx, arn)?;
    match kind {
        "dxvif" => super::vif::find(ctx, id).map(|v| v.tags),
        "dxcon" => super::connection::find(ctx, id).map(|c| c.tags),
        _ => super::gateway::find(ctx, id).map(|g| g.tags),
    }
}

fn write(ctx: &mut Ctx<'_>, arn: &str, tags: Tags) -> Result<(), Fault> {
    let (kind, id) = parse(ctx, arn)?;
    let (visible, now) = (ctx.visible_at(), ctx.now());
    let aws = &mut ctx.state.aws;
    match kind {
        "dxvif" => {
            if let Some(v) = aws.vifs.get_mut(id) {
                v.write(now, visible, |v| v.tags = tags);
            }
        }
        "dxcon" => {
            if let Some(c) = aws.connections.get_mut(id) {
                c.write(now, visible, |c| c.tags = tags);
            }
        }
        _ => {
            if let Some(g) = aws.dxgws.get_mut(id) {
                g.write(now, visible, |g| g.tags = tags);
            }
        }
    }
    Ok(())
}

pub fn tag(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let arn = ctx.need("resourceArn")?;
    let new = read(&ctx.input)?;
    if new.is_empty() {
        return Err(Fault::client("The parameter tags is required"));
    }
    let mut tags = current(ctx, &arn)?;
    // A hosted VIF is the account's to tag only once it is accepted (aws.md §1.2).
    if let ("dxvif", id) = parse(ctx, &arn)?
        && super::vif::find(ctx, id)?.state == VifState::Confirming
    {
        return Err(Fault::client(format!(
            "Virtual Interface {id} is in the confirming state and cannot be tagged"
        )));
    }
    tags.extend(new);
    if tags.len() > LIMIT {
        return Err(Fault::other(
            "TooManyTagsException",
            "A resource can have at most 50 tags",
        ));
    }
    write(ctx, &arn, tags)?;
    Ok(json!({}))
}

pub fn untag(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let arn = ctx.need("resourceArn")?;
    let keys = ctx
        .list("tagKeys")?
        .ok_or_else(|| Fault::client("The parameter tagKeys is required"))?;
    let mut tags = current(ctx, &arn)?;
    tags.retain(|k, _| !keys.iter().any(|x| x == k.as_str()));
    write(ctx, &arn, tags)?;
    Ok(json!({}))
}

pub fn describe(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let arns = ctx
        .list("resourceArns")?
        .ok_or_else(|| Fault::client("The parameter resourceArns is required"))?;
    let mut out = Vec::new();
    for arn in &arns {
        let arn = arn
            .as_str()
            .ok_or_else(|| super::wrong_type("resourceArns"))?;
        let mut entry = json!({"resourceArn": arn});
        put(&mut entry, &current(ctx, arn)?);
        out.push(entry);
    }
    Ok(json!({"resourceTags": out}))
}
