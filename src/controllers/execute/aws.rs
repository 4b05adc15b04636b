//! AWS's half of the executor. EC2 and Direct Connect have no client tokens (aws.md §10.4), so every create was recorded
//! before it gets here, and what comes back is compared with our mark.

use super::{Done, Executor};
use crate::clients::azure::ResourceId;
use crate::controllers::env::AwsEnv;
use crate::controllers::marks::{CLUSTER_TAG, OBJECT_TAG, OWNER_TAG, SLOT_TAG};
use crate::controllers::observe::{other_key, other_policy};
use causeway_aws::{
    NewCustomerGateway, NewPrivateVif, NewVpnConnection, Tags, TunnelChange, TunnelOptions,
    TunnelPolicy, connection_arn, dx_gateway_arn, vif_arn,
};
use causeway_model::desired::{Desired, Drift, TunnelSpec};
use causeway_model::intent::{CloudError, Intent, Sent};
use causeway_model::observe::Ownership;
use causeway_model::plan::Action;
use causeway_model::secret::Secret;
use causeway_model::slot::{Class, Slot};
use ipnet::Ipv4Net;

pub(super) async fn run(
    x: &Executor<'_>,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let Some(aws) = &x.env.aws else {
        return Err(x.defect(slot.provider, slot.id.as_str(), "no AWS account"));
    };
    match action {
        Action::Create { .. } => create(x, aws, slot, action).await,
        Action::Update { drift, .. } => update(x, aws, slot, drift).await,
        Action::Confirm { .. } => confirm(x, aws, slot).await,
        Action::Delete { .. } => delete(x, aws, slot).await,
        Action::Release { .. } => release(x, aws, slot).await,
        Action::Adopt { .. } => adopt(x, aws, slot, action).await,
        Action::Refresh { .. } | Action::CancelTwin { .. } => Err(x.unsupported(slot, action)),
    }
}

fn made(id: String) -> Done {
    Done {
        id: Some(id),
        operation_url: None,
    }
}

/// The user's tags, our marks and a `Name` for the console.
fn tags(x: &Executor<'_>, aws: &AwsEnv, slot: &Slot) -> Tags {
    let mut tags = x.env.marks.tags(&slot.id, &aws.tags);
    if let Some(name) = slot.desired.name() {
        tags.entry("Name".to_owned())
            .or_insert_with(|| name.to_owned());
    }
    tags
}

async fn create(
    x: &Executor<'_>,
    aws: &AwsEnv,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let client = &aws.account.client;
    match &slot.desired {
        Desired::VirtualPrivateGateway { amazon_asn, .. } => Ok(made(
            client
                .create_vpn_gateway(*amazon_asn, &tags(x, aws, slot))
                .await?
                .id,
        )),
        Desired::VgwAttachment { vpc_id } => {
            let vgw = x.other(slot, "vgw")?;
            client.attach_vpn_gateway(&vgw, vpc_id).await?;
            Ok(made(format!("{vgw}/{vpc_id}")))
        }
        Desired::RoutePropagation { route_table_id } => {
            let vgw = x.other(slot, "vgw")?;
            client.enable_propagation(route_table_id, &vgw).await?;
            Ok(made(format!("{route_table_id}/{vgw}")))
        }
        Desired::DirectConnectGateway { name, amazon_asn } => Ok(made(
            client
                .create_dx_gateway(name, *amazon_asn, &tags(x, aws, slot))
                .await?
                .id,
        )),
        Desired::DxgwAssociation { allowed_prefixes } => {
            let (dxgw, vgw) = (x.other(slot, "dxgw")?, x.other(slot, "vgw")?);
            Ok(made(
                client
                    .create_dx_association(&dxgw, &vgw, allowed_prefixes)
                    .await?
                    .id,
            ))
        }
        Desired::CustomerGateway { asn, address, .. } => {
            let ip_address =
                address.ok_or_else(|| x.missing(slot, "the public address of Azure's gateway"))?;
            let new = NewCustomerGateway {
                ip_address,
                bgp_asn: *asn,
                // An identical request would return somebody's existing gateway (aws.md §2.2).
                device_name: x.env.marks.token(&slot.id),
                tags: tags(x, aws, slot),
            };
            let got = client.create_customer_gateway(&new).await?;
            ours(x, slot, &got.id, &got.tags)
        }
        Desired::VpnConnection {
            tunnels,
            ipsec,
            dpd_seconds,
            ..
        } => {
            let policy = TunnelPolicy::of(ipsec)
                .map_err(|why| x.defect(slot.provider, slot.id.as_str(), &why))?;
            let mut options = Vec::new();
            for t in tunnels {
                options.push(TunnelOptions {
                    inside_cidr: t.inside,
                    pre_shared_key: x.secret(slot, &t.pre_shared_key)?,
                    policy: policy.clone(),
                    dpd_timeout_seconds: *dpd_seconds,
                });
            }
            let number = slot.id.as_str().trim_start_matches("vpn-connection-");
            let new = NewVpnConnection {
                customer_gateway_id: x.other(slot, &format!("cgw-{number}"))?,
                vpn_gateway_id: x.other(slot, "vgw")?,
                tunnels: options.try_into().map_err(|_| {
                    x.defect(
                        slot.provider,
                        slot.id.as_str(),
                        "a VPN connection has exactly two tunnels",
                    )
                })?,
                tags: tags(x, aws, slot),
            };
            let got = client.create_vpn_connection(&new).await?;
            ours(x, slot, &got.id, &got.tags)
        }
        Desired::Vif {
            name,
            mtu,
            amazon_address,
            customer_address,
            auth_key,
        } => {
            let connection_id = x.other(slot, "connection")?;
            let connections = &aws.snapshot.connections.items;
            // The partner chose the VLAN; another is refused (aws.md §1.3).
            let vlan = connections
                .iter()
                .find(|c| c.id == connection_id)
                .map(|c| c.vlan)
                .ok_or_else(|| x.missing(slot, "the VLAN of the connection"))?;
            let new = NewPrivateVif {
                connection_id,
                name: name.clone(),
                vlan,
                asn: x.router_asn(slot)?,
                auth_key: Some(x.secret(slot, auth_key)?),
                amazon_address: Some(amazon_address.to_string()),
                customer_address: Some(customer_address.to_string()),
                mtu: *mtu,
                dx_gateway_id: x.other(slot, "dxgw")?,
                tags: tags(x, aws, slot),
            };
            Ok(made(client.create_private_vif(&new).await?.id))
        }
        _ => Err(x.unsupported(slot, action)),
    }
}

/// AWS may answer a create with an object that was there before (aws.md §2.2): then it is somebody's.
fn ours(x: &Executor<'_>, slot: &Slot, id: &str, tags: &Tags) -> Result<Done, CloudError> {
    match x.env.marks.judge(tags) {
        // Tags may not be visible yet; they were sent with the create.
        Ownership::Ours => Ok(made(id.to_owned())),
        Ownership::Unmarked if tags.is_empty() => Ok(made(id.to_owned())),
        Ownership::Unmarked | Ownership::Foreign(_) => Err(CloudError::new(
            slot.provider,
            "create",
            id,
            Intent::Terminal,
            "NameConflict",
            format!("AWS answered with {id}, which exists already and is not this object's: delete it or use another address"),
        )
        .sent(Sent::No)),
    }
}

async fn confirm(x: &Executor<'_>, aws: &AwsEnv, slot: &Slot) -> Result<Done, CloudError> {
    let client = &aws.account.client;
    let id = x.id(slot)?;
    let arn = if slot.class == Class::HostedConnection {
        client.confirm_connection(&id).await?;
        connection_arn(&aws.region, &aws.account_id, &id)
    } else {
        let gateway = x.other(slot, "dxgw")?;
        client.confirm_private_vif(&id, &gateway).await?;
        vif_arn(&aws.region, &aws.account_id, &id)
    };
    // What a partner made can only be tagged once it is ours (aws.md §1.2).
    if let Err(error) = client.tag_dx(&arn, &tags(x, aws, slot)).await {
        tracing::warn!(%id, %error, "a {} is confirmed but could not be tagged", slot.noun);
    }
    Ok(made(id))
}

async fn update(
    x: &Executor<'_>,
    aws: &AwsEnv,
    slot: &Slot,
    drift: &[Drift],
) -> Result<Done, CloudError> {
    let client = &aws.account.client;
    let id = x.id(slot)?;
    if drift.iter().any(|d| d.field == "tags") {
        retag(x, aws, slot, &id).await?;
        // What else differs comes with the next look.
        return Ok(made(id));
    }
    match &slot.desired {
        Desired::VpnConnection { tunnels, .. } => {
            return change_tunnel(x, aws, slot, &id, tunnels).await;
        }
        Desired::DxgwAssociation { allowed_prefixes } => {
            // Differences, not the whole list: a replacement would withdraw prefixes for minutes (aws.md §9.7).
            let have: Vec<Ipv4Net> = drift
                .iter()
                .find(|d| d.field == "allowedPrefixes")
                .map(|d| d.have.split(',').filter_map(|p| p.parse().ok()).collect())
                .unwrap_or_default();
            let want: Vec<Ipv4Net> = allowed_prefixes.iter().map(Ipv4Net::trunc).collect();
            let add: Vec<Ipv4Net> = want.iter().filter(|p| !have.contains(p)).copied().collect();
            let remove: Vec<Ipv4Net> = have.iter().filter(|p| !want.contains(p)).copied().collect();
            client.update_dx_association(&id, &add, &remove).await?;
        }
        Desired::Vif { mtu, .. } => client.update_vif(&id, Some(*mtu), None).await?,
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
    Ok(made(id))
}

/// The user's tags as the spec has them now; ours and everybody else's stay.
async fn retag(x: &Executor<'_>, aws: &AwsEnv, slot: &Slot, id: &str) -> Result<(), CloudError> {
    let client = &aws.account.client;
    let applied = x.observed.records.get(&slot.id).map(|r| &r.applied);
    let dropped: Vec<String> = applied
        .iter()
        .flat_map(|a| slot.dropped_tags(a))
        .map(str::to_owned)
        .collect();
    let arn = match slot.class {
        Class::DirectConnectGateway => Some(dx_gateway_arn(&aws.account_id, id)),
        Class::Vif => Some(vif_arn(&aws.region, &aws.account_id, id)),
        Class::HostedConnection => Some(connection_arn(&aws.region, &aws.account_id, id)),
        _ => None,
    };
    let ids = [id.to_owned()];
    if !slot.tags.is_empty() {
        match &arn {
            Some(arn) => client.tag_dx(arn, &slot.tags).await?,
            None => client.tag_ec2(&ids, &slot.tags).await?,
        }
    }
    if !dropped.is_empty() {
        match &arn {
            Some(arn) => client.untag_dx(arn, &dropped).await?,
            None => client.untag_ec2(&ids, &dropped).await?,
        }
    }
    Ok(())
}

/// Changes one tunnel on both sides, Azure first: AWS's side is what is compared, so that a change that broke off between
/// the two is taken up again. The other tunnel of the pair stays up meanwhile.
async fn change_tunnel(
    x: &Executor<'_>,
    aws: &AwsEnv,
    slot: &Slot,
    id: &str,
    tunnels: &[TunnelSpec],
) -> Result<Done, CloudError> {
    let Desired::VpnConnection {
        dpd_seconds, ipsec, ..
    } = &slot.desired
    else {
        return Ok(Done::default());
    };
    let found = aws
        .snapshot
        .vpn_connections
        .items
        .iter()
        .find(|v| v.id == id)
        .ok_or_else(|| x.missing(slot, slot.id.as_str()))?;
    for (j, t) in (1..).zip(tunnels) {
        let Some(is) = found.tunnel(t.inside) else {
            continue;
        };
        let key = other_key(x.env, found, t)
            .then(|| x.secret(slot, &t.pre_shared_key))
            .transpose()?;
        let dpd = is.dpd_timeout_seconds.filter(|d| d != dpd_seconds);
        let policy = other_policy(is, ipsec)
            .then(|| TunnelPolicy::of(ipsec))
            .transpose()
            .map_err(|why| x.defect(slot.provider, slot.id.as_str(), &why))?;
        if key.is_none() && dpd.is_none() && policy.is_none() {
            continue;
        }
        if let (Some(key), Some(azure)) = (&key, &x.env.azure) {
            let number = slot.id.as_str().trim_start_matches("vpn-connection-");
            let theirs = ResourceId::new(x.other(slot, &format!("ipsec-{number}-{j}"))?);
            let client = &azure.account.client;
            let is = client.shared_key(&theirs).await?;
            if is.as_ref().map(Secret::expose) != Some(key.expose()) {
                client.put_shared_key(&theirs, key).await?;
            }
        }
        let change = TunnelChange {
            pre_shared_key: key,
            policy,
            dpd_timeout_seconds: dpd.map(|_| *dpd_seconds),
        };
        aws.account
            .client
            .modify_tunnel(id, &is.health.outside_address, &change)
            .await?;
        break;
    }
    Ok(made(id.to_owned()))
}

async fn delete(x: &Executor<'_>, aws: &AwsEnv, slot: &Slot) -> Result<Done, CloudError> {
    let client = &aws.account.client;
    let id = x.id(slot)?;
    let pair = || {
        id.split_once('/')
            .ok_or_else(|| x.missing(slot, "its pair of IDs"))
    };
    match slot.class {
        Class::VirtualPrivateGateway => client.delete_vpn_gateway(&id).await?,
        Class::VgwAttachment => {
            let (vgw, vpc) = pair()?;
            client.detach_vpn_gateway(vgw, vpc).await?;
        }
        Class::RoutePropagation => {
            let (table, vgw) = pair()?;
            client.disable_propagation(table, vgw).await?;
        }
        Class::DirectConnectGateway => client.delete_dx_gateway(&id).await?,
        Class::DxgwAssociation => client.delete_dx_association(&id).await?,
        Class::Vif => client.delete_vif(&id).await?,
        Class::CustomerGateway => client.delete_customer_gateway(&id).await?,
        Class::VpnConnection => client.delete_vpn_connection(&id).await?,
        _ => {
            return Err(x.unsupported(
                slot,
                &Action::Delete {
                    slot: slot.id.clone(),
                },
            ));
        }
    }
    Ok(Done::default())
}

/// Our tags beside everybody else's; its `Name` stays as it is.
async fn adopt(
    x: &Executor<'_>,
    aws: &AwsEnv,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let client = &aws.account.client;
    let id = x.id(slot)?;
    let tags = x.env.marks.tags(&slot.id, &aws.tags);
    match slot.class {
        Class::VirtualPrivateGateway => client.tag_ec2(std::slice::from_ref(&id), &tags).await?,
        Class::DirectConnectGateway => {
            client
                .tag_dx(&dx_gateway_arn(&aws.account_id, &id), &tags)
                .await?;
        }
        _ => return Err(x.unsupported(slot, action)),
    }
    Ok(made(id))
}

async fn release(x: &Executor<'_>, aws: &AwsEnv, slot: &Slot) -> Result<Done, CloudError> {
    let client = &aws.account.client;
    let id = x.id(slot)?;
    let keys: Vec<String> = [OWNER_TAG, CLUSTER_TAG, SLOT_TAG, OBJECT_TAG]
        .map(str::to_owned)
        .to_vec();
    match slot.class {
        Class::VirtualPrivateGateway | Class::CustomerGateway | Class::VpnConnection => {
            client.untag_ec2(&[id], &keys).await?;
        }
        Class::DirectConnectGateway => {
            client
                .untag_dx(&dx_gateway_arn(&aws.account_id, &id), &keys)
                .await?;
        }
        Class::HostedConnection => {
            client
                .untag_dx(&connection_arn(&aws.region, &aws.account_id, &id), &keys)
                .await?;
        }
        Class::Vif => {
            client
                .untag_dx(&vif_arn(&aws.region, &aws.account_id, &id), &keys)
                .await?;
        }
        _ => {}
    }
    Ok(Done::default())
}
