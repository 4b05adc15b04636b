//! Megaport's half of the executor. There is no idempotency key (megaport.md §1.4): the intent was recorded and the
//! token looked for before an order gets here, and an order is sent once.

use super::{Done, Executor};
use crate::clients::megaport::{
    FarEnd, McrOrder, McrUpdate, RouterBgp, RouterInterface, Vxc, VxcOrder, VxcUpdate,
};
use crate::controllers::env::MegaportEnv;
use crate::controllers::keys;
use crate::controllers::marks::without_token;
use causeway_model::desired::{Desired, Drift, McrSession};
use causeway_model::intent::{CloudError, Intent};
use causeway_model::observe::Ownership;
use causeway_model::plan::Action;
use causeway_model::slot::{Class, Slot};
use causeway_model::spec::PeeringPort;
use ipnet::Ipv4Net;

pub(super) async fn run(
    x: &Executor<'_>,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let Some(megaport) = &x.env.megaport else {
        return Err(x.defect(slot.provider, slot.id.as_str(), "no Megaport account"));
    };
    let client = &megaport.account.client;
    match action {
        Action::Create { .. } => create(x, megaport, slot, action).await,
        Action::Update { drift, .. } => {
            surely_ours(x, megaport, slot).await?;
            update(x, megaport, slot, drift).await
        }
        Action::Delete { .. } => {
            surely_ours(x, megaport, slot).await?;
            let uid = x.id(slot)?;
            match slot.class {
                Class::Router => client.cancel_mcr(&uid).await?,
                _ => client.cancel_vxc(&uid).await?,
            }
            Ok(Done::default())
        }
        Action::CancelTwin { id, .. } => {
            match slot.class {
                Class::Router => client.cancel_mcr(id).await?,
                _ => client.cancel_vxc(id).await?,
            }
            Ok(Done::default())
        }
        Action::Adopt { .. } => {
            let uid = x.id(slot)?;
            let mut tags = client.tags(&uid).await?.unwrap_or_default();
            x.not_foreign(slot, &uid, &tags)?;
            tags.extend(
                x.env
                    .marks
                    .tags(&slot.id, &std::collections::BTreeMap::new()),
            );
            client.put_tags(&uid, &tags).await?;
            // The token is what finds it again: lists do not show tags (megaport.md §6).
            rename(megaport, slot, &uid, |name| {
                x.env.marks.product_name(without_token(name), &slot.id)
            })
            .await?;
            Ok(Done {
                id: Some(uid),
                operation_url: None,
            })
        }
        Action::Release { .. } => {
            let uid = x.id(slot)?;
            let mut tags = client.tags(&uid).await?.unwrap_or_default();
            tags.retain(|k, _| !k.starts_with(causeway_model::slot::MARK));
            client.put_tags(&uid, &tags).await?;
            // The token goes last: until then this product is still found as ours, and released again.
            rename(megaport, slot, &uid, |name| without_token(name).to_owned()).await?;
            Ok(Done::default())
        }
        Action::Confirm { .. } | Action::Refresh { .. } => Err(x.unsupported(slot, action)),
    }
}

/// Gives a product the name that `to` makes of its present one; everything else stays as it is.
async fn rename(
    megaport: &MegaportEnv,
    slot: &Slot,
    uid: &str,
    to: impl FnOnce(&str) -> String,
) -> Result<(), CloudError> {
    let client = &megaport.account.client;
    if slot.class == Class::Router {
        let Some(mcr) = client.mcr(uid).await? else {
            return Ok(());
        };
        let update = McrUpdate {
            name: Some(to(&mcr.name)),
            cost_centre: mcr.cost_centre.unwrap_or_default(),
            term_months: None,
        };
        return client.update_mcr(uid, &update).await;
    }
    let Some(vxc) = client.vxc(uid).await? else {
        return Ok(());
    };
    let update = VxcUpdate {
        name: Some(to(&vxc.name)),
        ..VxcUpdate::default()
    };
    client.update_vxc(uid, &update).await
}

/// The MCR's side of a VXC, whole and with its key: an update replaces everything (megaport.md §4.5).
fn interface(
    x: &Executor<'_>,
    slot: &Slot,
    s: &McrSession,
    vlan: Option<u16>,
    shutdown: bool,
    living: Option<&Vxc>,
) -> Result<RouterInterface, CloudError> {
    let address = Ipv4Net::new(s.local, s.prefix_len)
        .map_err(|e| x.defect(slot.provider, slot.id.as_str(), &e.to_string()))?;
    let given = || s.password.as_ref().map(|h| x.secret(slot, h)).transpose();
    let password = match living.and_then(|v| keys::to_send(x.env, v, s)) {
        Some(key) => Some(key),
        None => given()?,
    };
    Ok(RouterInterface {
        description: format!("causeway {}", slot.id),
        vlan,
        address,
        sessions: vec![RouterBgp {
            peer_asn: s.peer_asn,
            local_address: s.local,
            peer_address: s.peer,
            password,
            shutdown,
            description: format!("causeway {}", slot.id),
            bfd: s.bfd,
            as_path_prepend: s.prepend,
            med_out: s.med_out,
            deny_export_to: s.deny_export_to.clone(),
        }],
    })
}

async fn create(
    x: &Executor<'_>,
    megaport: &MegaportEnv,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let client = &megaport.account.client;
    let tags = x
        .env
        .marks
        .tags(&slot.id, &std::collections::BTreeMap::new());
    let uid = match &slot.desired {
        Desired::Router {
            name,
            location_id,
            port_speed_mbps,
            asn,
            term_months,
            diversity_zone,
            cost_centre,
        } => {
            let order = McrOrder {
                name: x.env.marks.product_name(name, &slot.id),
                location_id: *location_id,
                port_speed_mbps: *port_speed_mbps,
                term_months: *term_months,
                asn: *asn,
                diversity_zone: diversity_zone.clone(),
                cost_centre: cost_centre.clone().or_else(|| megaport.cost_centre.clone()),
                tags,
            };
            client.validate_mcr(&order).await?;
            client.buy_mcr(&order).await?
        }
        Desired::VxcAzure {
            name,
            port,
            rate_limit_mbps,
            term_months,
            vlan,
            session,
            ..
        } => {
            let router = if *port == PeeringPort::Primary {
                "router-primary"
            } else {
                "router-secondary"
            };
            let service_key = service_key(x, slot)?;
            let lookup = client.azure_key(&service_key).await?;
            let far = lookup.port(*port).ok_or_else(|| {
                x.missing(
                    slot,
                    &format!("the {} port of the service key at Megaport", port.lower()),
                )
            })?;
            if !far.is_free() {
                // Perhaps our own order of a moment ago that lists do not show yet.
                let on = format!(
                    "the {} port of the circuit, which another VXC holds at Megaport",
                    port.lower()
                );
                return Err(x.blocked(slot, "GET /v2/secure/azure/{key}", "PortTaken", on));
            }
            let order = VxcOrder {
                name: x.env.marks.product_name(name, &slot.id),
                router_uid: x.other(slot, router)?,
                rate_limit_mbps: *rate_limit_mbps,
                term_months: *term_months,
                cost_centre: megaport.cost_centre.clone(),
                tags,
                interfaces: vec![interface(
                    x,
                    slot,
                    session,
                    Some(*vlan),
                    session.shutdown,
                    None,
                )?],
                far_end: FarEnd::Azure {
                    port_uid: far.product_uid.clone(),
                    service_key,
                },
            };
            client.validate_vxc(&order).await?;
            client.buy_vxc(&order).await?
        }
        Desired::VxcAws {
            name,
            hosted_connection,
            rate_limit_mbps,
            term_months,
            vif_name,
            amazon_asn,
            amazon_address,
            customer_address,
            auth_key,
            session,
            ..
        } => {
            let port_uid = x
                .env
                .partner_port
                .clone()
                .ok_or_else(|| x.missing(slot, "the partner port"))?;
            let owner_account = x
                .env
                .aws
                .as_ref()
                .map(|a| a.account_id.clone())
                .ok_or_else(|| x.missing(slot, "the AWS account"))?;
            let router_uid = x.other(slot, "router")?;
            let asn = x.router_asn(slot)?;
            let mut session = session.clone();
            session.peer_asn = amazon_asn.unwrap_or(session.peer_asn);
            let far_end = if *hosted_connection {
                FarEnd::AwsConnection {
                    port_uid,
                    owner_account,
                    name: vif_name.clone(),
                }
            } else {
                FarEnd::AwsVif {
                    port_uid,
                    owner_account,
                    vif_name: vif_name.clone(),
                    asn,
                    amazon_asn: *amazon_asn,
                    auth_key: x.secret(slot, auth_key)?,
                    customer_address: *customer_address,
                    amazon_address: *amazon_address,
                }
            };
            let order = VxcOrder {
                name: x.env.marks.product_name(name, &slot.id),
                router_uid,
                rate_limit_mbps: *rate_limit_mbps,
                term_months: *term_months,
                cost_centre: megaport.cost_centre.clone(),
                tags,
                interfaces: vec![interface(x, slot, &session, None, session.shutdown, None)?],
                far_end,
            };
            client.validate_vxc(&order).await?;
            client.buy_vxc(&order).await?
        }
        _ => return Err(x.unsupported(slot, action)),
    };
    Ok(Done {
        id: Some(uid),
        operation_url: None,
    })
}

/// The circuit's service key, straight from the inventory: it never goes through status or the model.
fn service_key(
    x: &Executor<'_>,
    slot: &Slot,
) -> Result<causeway_model::secret::Secret, CloudError> {
    let id = crate::clients::azure::ResourceId::new(x.other(slot, "circuit")?);
    let azure = x
        .env
        .azure
        .as_ref()
        .ok_or_else(|| x.missing(slot, "the Azure account"))?;
    let group = id
        .resource_group()
        .unwrap_or(&azure.resource_group)
        .to_owned();
    let circuit = azure
        .snapshot
        .group(&group)
        .and_then(|g| {
            g.circuits
                .items
                .iter()
                .find(|c| c.resource_id().is_some_and(|x| x == id))
        })
        .ok_or_else(|| x.missing(slot, "the circuit"))?;
    circuit.properties.key(&id)
}

/// Status alone makes nothing ours: people can edit it. A product whose name has lost the token is changed only if its tags,
/// which lists do not show (megaport.md §6), carry this slot's mark.
async fn surely_ours(
    x: &Executor<'_>,
    megaport: &MegaportEnv,
    slot: &Slot,
) -> Result<(), CloudError> {
    let uid = x.id(slot)?;
    let s = &megaport.snapshot;
    let mut vxcs = s.vxcs().iter();
    let name = s
        .mcr(&uid)
        .map(|m| &m.name)
        .or_else(|| vxcs.find(|v| v.uid == uid).map(|v| &v.name));
    let marks = &x.env.marks;
    if name.is_some_and(|n| marks.judge_product(n, &slot.id) == Some(Ownership::Ours)) {
        return Ok(());
    }
    let tags = megaport.account.client.tags(&uid).await?;
    if tags.is_some_and(|t| marks.is_slot(&t, &slot.id)) {
        return Ok(());
    }
    let message = format!(
        "{} {uid} stands in this object's status, but neither its name nor its tags carry this object's mark, so it is left alone: if it is this object's, put [{}] back into its name",
        slot.noun,
        marks.token(&slot.id)
    );
    Err(CloudError::new(
        slot.provider,
        "check the mark",
        uid,
        Intent::Terminal,
        "NameConflict",
        message,
    ))
}

async fn update(
    x: &Executor<'_>,
    megaport: &MegaportEnv,
    slot: &Slot,
    drift: &[Drift],
) -> Result<Done, CloudError> {
    let client = &megaport.account.client;
    let uid = x.id(slot)?;
    let has = |f: &str| drift.iter().any(|d| d.field == f);
    match &slot.desired {
        Desired::Router { cost_centre, .. } => {
            let update = McrUpdate {
                name: None,
                cost_centre: cost_centre
                    .clone()
                    .or_else(|| megaport.cost_centre.clone())
                    .unwrap_or_default(),
                term_months: None,
            };
            client.update_mcr(&uid, &update).await?;
        }
        Desired::VxcAzure {
            rate_limit_mbps,
            session,
            ..
        }
        | Desired::VxcAws {
            rate_limit_mbps,
            session,
            ..
        } => {
            let vlan = if let Desired::VxcAzure { vlan, .. } = &slot.desired {
                Some(*vlan)
            } else {
                None
            };
            let session_changed = drift.iter().any(|d| d.field != "rateLimitMbps");
            // A session that somebody shut stays shut (api.md §2): the flag is sent back as it was read.
            let living = megaport.snapshot.vxcs().iter().find(|v| v.uid == uid);
            let shut = living
                .and_then(|v| v.session(session.peer))
                .is_some_and(|(_, s)| s.row.shutdown);
            let update = VxcUpdate {
                rate_limit_mbps: has("rateLimitMbps").then_some(*rate_limit_mbps),
                interfaces: if session_changed {
                    Some(vec![interface(
                        x,
                        slot,
                        session,
                        vlan,
                        if has("shutdown") {
                            session.shutdown
                        } else {
                            shut || session.shutdown
                        },
                        living,
                    )?])
                } else {
                    None
                },
                ..VxcUpdate::default()
            };
            client.update_vxc(&uid, &update).await?;
        }
        _ => {
            return Err(x.unsupported(
                slot,
                &Action::Update {
                    slot: slot.id.clone(),
                    drift: drift.to_vec(),
                },
            ));
        }
    }
    Ok(Done {
        id: Some(uid),
        operation_url: None,
    })
}
