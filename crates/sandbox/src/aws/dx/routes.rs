//! What the BGP session of a VIF carries, either way (aws.md §1.8).

use super::vif::find;
use super::{Ctx, Fault, list, paged, text};
use crate::net;
use serde_json::{Value, json};

pub fn list_routes(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let id = ctx.need("virtualInterfaceId")?;
    let filters = ctx.input.get("filters").cloned().unwrap_or(json!({}));
    let direction = text(&filters, "routeDirection")?;
    if direction
        .as_ref()
        .is_some_and(|d| d != "accepted" && d != "advertised")
    {
        return Err(Fault::client(
            "routeDirection must be accepted or advertised",
        ));
    }
    let family = text(&filters, "addressFamily")?;
    let wanted = list(&filters, "cidrs")?;
    if wanted
        .as_ref()
        .is_some_and(|w| w.is_empty() || w.len() > 10)
    {
        return Err(Fault::client("cidrs must have 1 to 10 entries"));
    }
    let path = list(&filters, "asPath")?;
    let communities = list(&filters, "communities")?;
    let v = find(ctx, &id)?;
    let mut all = Vec::new();
    for accepted in [true, false] {
        let way = if accepted { "accepted" } else { "advertised" };
        if direction.as_ref().is_some_and(|d| d != way) || family.as_deref() == Some("ipv6") {
            continue;
        }
        for row in net::vif_routes(ctx.state, &v.id, accepted) {
            let cidr = row.prefix.to_string();
            let fits = wanted
                .as_ref()
                .is_none_or(|w| w.iter().any(|c| c == cidr.as_str()))
                && path.as_ref().is_none_or(|p| {
                    p.iter()
                        .map(Value::as_u64)
                        .eq(row.as_path.iter().map(|a| Some(u64::from(*a))))
                })
                && communities.as_ref().is_none_or(Vec::is_empty);
            if fits {
                all.push(json!({
                    "cidr": cidr,
                    "routeDirection": way,
                    "addressFamily": "ipv4",
                    "asPath": [{"pathType": "seq", "path": row.as_path}],
                    "communities": [],
                    "awsLogicalDeviceId": v.device,
                }));
            }
        }
    }
    let mut out = paged("routes", ctx.page(all)?);
    out["virtualInterfaceId"] = json!(id);
    Ok(out)
}
