//! Private virtual interfaces that the account makes on a hosted connection of its own (aws.md §1.3).

use super::vif::{check_mtu, check_name, hold, print, target};
use super::{Ctx, Fault, Step, boolean, int, need, new_id, tags, text};
use crate::aws::objects::{ConnectionState, Vif, VifState};
use crate::aws::{Event, Lagged, Work, begin, durations};
use crate::ops::OpKind;
use crate::rng::Rng;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::net::Ipv4Addr;

/// A link network of Amazon's choice: (Amazon's address, the customer's).
pub fn auto_addresses(rng: &mut Rng) -> (Ipv4Net, Ipv4Net) {
    let base = u32::from(Ipv4Addr::new(169, 254, 240, 0)) + (rng.below(1024) as u32) * 4;
    let host = |n: u32| {
        Ipv4Net::new(Ipv4Addr::from(base + n), 30)
            .unwrap_or_else(|_| Ipv4Net::from(Ipv4Addr::from(base + n)))
    };
    (host(1), host(2))
}

/// On a hosted connection of one's own; exactly one VIF fits on it (aws.md §1.3).
pub fn create(ctx: &mut Ctx<'_>) -> Result<Value, Fault> {
    let connection = ctx.need("connectionId")?;
    let input = ctx
        .input
        .get("newPrivateVirtualInterface")
        .cloned()
        .unwrap_or_default();
    if !input.is_object() {
        return Err(Fault::client(
            "The parameter newPrivateVirtualInterface is required",
        ));
    }
    let name = need(&input, "virtualInterfaceName")?;
    check_name(&name)?;
    let vlan =
        int(&input, "vlan")?.ok_or_else(|| Fault::client("The parameter vlan is required"))?;
    let asn = match (int(&input, "asnLong")?, int(&input, "asn")?) {
        (Some(n), _) if (1..=4_294_967_294).contains(&n) => u32::try_from(n).unwrap_or(u32::MAX),
        (None, Some(n)) if (1..=65534).contains(&n) => u32::try_from(n).unwrap_or(u32::MAX),
        (None, None) => return Err(Fault::client("One of asn and asnLong is required")),
        _ => {
            return Err(Fault::client(
                "The ASN is not valid; a 4-byte one goes into asnLong",
            ));
        }
    };
    let mtu = int(&input, "mtu")?.map_or(Ok(1500), check_mtu)?;
    let auth_key = match text(&input, "authKey")? {
        Some(k) if !(6..=80).contains(&k.len()) => {
            return Err(Fault::client("The authKey must have 6 to 80 characters"));
        }
        Some(k) => k,
        None => ctx.state.rng.hex(24),
    };
    if text(&input, "addressFamily")?.is_some_and(|f| f != "ipv4") {
        return Err(Fault::client(
            "Only the address family ipv4 is available on this connection",
        ));
    }
    let addresses = (
        text(&input, "amazonAddress")?,
        text(&input, "customerAddress")?,
    );
    let address = |t: &str| {
        t.parse::<Ipv4Net>().map_err(|_| {
            Fault::client(format!(
                "{t} is not a valid address: CIDR notation is needed"
            ))
        })
    };
    let (amazon_address, customer_address) = match addresses {
        (Some(a), Some(c)) => {
            let (a, c) = (address(&a)?, address(&c)?);
            if a.trunc() != c.trunc() || a == c {
                return Err(Fault::client(
                    "amazonAddress and customerAddress must be two addresses of one network",
                ));
            }
            (a, c)
        }
        (None, None) => auto_addresses(&mut ctx.state.rng),
        _ => {
            return Err(Fault::client(
                "amazonAddress and customerAddress must be given together",
            ));
        }
    };
    let tags = tags::read(&input)?;
    let con = super::connection::find(ctx, &connection)?;
    if con.state != ConnectionState::Available {
        return Err(Fault::client(format!(
            "Connection {connection} is not in the available state"
        )));
    }
    if vlan != i64::from(con.vlan) {
        return Err(Fault::client(format!(
            "The VLAN of connection {connection} is {}",
            con.vlan
        )));
    }
    let taken = ctx.state.aws.vifs.values().map(Lagged::get).any(|v| {
        v.connection == connection && !matches!(v.state, VifState::Deleted | VifState::Rejected)
    });
    if taken {
        return Err(Fault::client(format!(
            "Connection {connection} already has a virtual interface"
        )));
    }
    let (dxgw, vgw) = target(ctx, &input)?;
    let names: Vec<String> = [connection.clone()]
        .into_iter()
        .chain(dxgw.clone())
        .chain(vgw.clone())
        .collect();
    let id = new_id(ctx.state, "dxvif");
    let peer = new_id(ctx.state, "dxpeer");
    let v = Vif {
        id: id.clone(),
        owner: ctx.account(),
        name,
        kind: "private".into(),
        region: ctx.region.to_owned(),
        location: con.location.clone(),
        connection,
        hosted: false,
        vlan: con.vlan,
        asn,
        amazon_asn: None,
        auth_key,
        amazon_address,
        customer_address,
        mtu,
        site_link: boolean(&input, "enableSiteLink")?.unwrap_or(false) && dxgw.is_some(),
        state: VifState::Pending,
        dxgw,
        vgw,
        peer,
        device: con.device.clone(),
        available_without_bgp: ctx.state.rng.below(2) == 1,
        tags,
    };
    hold(ctx.state, v.dxgw.as_deref(), &id);
    let visible = ctx.visible_at();
    let answer = print(ctx.state, &v);
    ctx.state
        .aws
        .vifs
        .insert(id.clone(), Lagged::new(v, visible));
    begin(
        ctx.state,
        &Work {
            operation: "CreatePrivateVirtualInterface",
            resource: &id,
            kind: OpKind::Create,
            duration: durations::VIF_CREATE,
            names: &names,
        },
        |op| Event::Dx {
            id: id.clone(),
            step: Step::VifProvisioned,
            op: Some(op),
        },
    );
    Ok(answer)
}
