//! What the pollers should look at while something is under way, and what an accepted long-running write has come to.
//! Also keeps the lock table in step with what reads back settled.

use super::act::failed;
use crate::clients::azure::{OperationStatus, ResourceId};
use crate::controllers::Prepared;
use crate::controllers::context::Context;
use crate::controllers::env::Env;
use crate::controllers::locks::Holder;
use crate::controllers::memo::ObjectMemo;
use crate::inventory::{Parts, aws, azure};
use causeway_model::observe::{Observed, Seen, State};
use causeway_model::plan::{Plan, Why};
use causeway_model::provider::Provider;
use causeway_model::slot::{Class, SlotId};
use jiff::Timestamp;
use std::time::Duration;
use tracing::{debug, info};

/// Asks how accepted long-running writes ended: the resource decides whether it is done, this gives the reason when it
/// failed, and frees locks early.
pub(super) async fn look_at_operations(ctx: &Context, prepared: &Prepared, memo: &mut ObjectMemo) {
    let Some(azure) = &prepared.env.azure else {
        return;
    };
    let client = &azure.account.client;
    let running: Vec<(SlotId, String, ResourceId)> = memo
        .slots
        .iter()
        .filter_map(|(slot, m)| {
            let id = ResourceId::new(m.object_id.clone().unwrap_or_default());
            Some((slot.clone(), m.operation_url.clone()?, id))
        })
        .collect();
    let looks = running
        .iter()
        .map(|(_, url, id)| client.operation_status("operations.get", id, url));
    let answers = futures::future::join_all(looks).await;
    for ((slot, _, _), answer) in running.iter().zip(answers) {
        let Some(m) = memo.slots.get_mut(slot) else {
            continue;
        };
        let parts = prepared
            .graph
            .slots
            .get(slot)
            .map_or(Parts::ALL, |s| parts_of(s.class));
        match answer {
            Ok(OperationStatus::InProgress { .. }) => {}
            Ok(OperationStatus::Succeeded) => {
                m.operation_url = None;
                azure.account.poller.kick(parts);
            }
            Ok(OperationStatus::Failed(error)) => {
                info!(%slot, %error, "a long-running operation failed");
                m.operation_url = None;
                m.memo.acted = None;
                failed(ctx, m, &error);
                azure.account.poller.kick(parts);
            }
            // It vanished, or is not readable: the resource tells.
            Err(error) if error.is_transient() => {
                debug!(%slot, %error, "an operation's status could not be read");
            }
            Err(_) => m.operation_url = None,
        }
    }
}

/// Frees what reads back settled, and takes what is observed to be settling (after a restart, say).
pub(super) fn settle_locks(
    ctx: &Context,
    key: &str,
    prepared: &Prepared,
    observed: &Observed,
    memo: &ObjectMemo,
    now: Timestamp,
) {
    for slot in prepared
        .graph
        .slots
        .values()
        .filter(|s| !s.imported && !s.locks.is_empty())
    {
        let holder = Holder {
            owner: key.to_owned(),
            slot: slot.id.clone(),
        };
        let m = memo.slots.get(&slot.id);
        if m.is_some_and(|m| m.operation_url.is_some()) {
            continue;
        }
        let acted = m.and_then(|m| m.memo.acted);
        let age = acted.map(|a| Duration::try_from(now.duration_since(a)).unwrap_or_default());
        let in_lag = age.is_some_and(|a| a < ctx.timing.lag(slot.provider));
        let stale = acted.is_some_and(|a| observed.read_at.get(&slot.id).is_none_or(|r| *r <= a));
        match observed.seen.get(&slot.id) {
            Some(Seen::Present(p)) => match p.state {
                // Nobody is at work on it, and it is to be cancelled again.
                State::Deleting if p.deletion_failed() && !in_lag && !stale => {
                    ctx.locks.release(&holder);
                }
                State::Settling { .. } | State::Deleting => {
                    ctx.locks.observe_settling(&holder, &slot.locks);
                }
                _ if stale => {}
                _ if m.is_some_and(|m| m.deleting) && in_lag => {}
                _ => {
                    ctx.locks.release(&holder);
                }
            },
            Some(Seen::Absent | Seen::Gone { .. })
                if !stale && (m.is_some_and(|m| m.deleting) || !in_lag) =>
            {
                ctx.locks.release(&holder);
            }
            _ => {}
        }
    }
}

/// The lists that show an object of this class, at its provider.
fn parts_of(class: Class) -> Parts {
    match class {
        Class::Circuit | Class::Peering => azure::CIRCUITS,
        Class::ErGateway | Class::VpnGateway => azure::GATEWAYS,
        Class::ErConnection | Class::IpsecConnection => azure::CONNECTIONS,
        Class::LocalNetworkGateway => azure::LOCAL_GATEWAYS,
        Class::PublicIp => azure::PUBLIC_IPS,
        Class::GatewaySubnet => azure::VIRTUAL_NETWORKS,
        Class::Vpc => aws::VPCS,
        Class::RoutePropagation => aws::ROUTE_TABLES,
        Class::VirtualPrivateGateway | Class::VgwAttachment => aws::VPN_GATEWAYS,
        Class::CustomerGateway => aws::CUSTOMER_GATEWAYS,
        Class::VpnConnection => aws::VPN_CONNECTIONS,
        Class::Vif => aws::VIFS,
        Class::HostedConnection => aws::HOSTED_CONNECTIONS,
        Class::DirectConnectGateway | Class::DxgwAssociation => aws::DIRECT_CONNECT,
        Class::Router | Class::VxcAzure | Class::VxcAws | Class::KeysSecret | Class::Dependent => {
            Parts::ALL
        }
    }
}

fn provider_of(class: Class) -> Provider {
    match class {
        Class::Circuit
        | Class::Peering
        | Class::ErGateway
        | Class::VpnGateway
        | Class::ErConnection
        | Class::IpsecConnection
        | Class::LocalNetworkGateway
        | Class::PublicIp
        | Class::GatewaySubnet => Provider::Azure,
        Class::Router | Class::VxcAzure | Class::VxcAws => Provider::Megaport,
        Class::KeysSecret | Class::Dependent => Provider::Kubernetes,
        _ => Provider::Aws,
    }
}

/// What each provider's poller should look at for these classes.
fn wishes(classes: &[Class]) -> [(Provider, Parts); 3] {
    [Provider::Azure, Provider::Aws, Provider::Megaport].map(|p| {
        (
            p,
            classes
                .iter()
                .filter(|c| provider_of(**c) == p)
                .fold(Parts::NONE, |all, c| all.and(parts_of(*c))),
        )
    })
}

/// Reads at once what calls have just touched.
pub(super) fn kick(env: &Env, touched: &[Class]) {
    for (provider, parts) in wishes(touched)
        .into_iter()
        .filter(|(_, parts)| *parts != Parts::NONE)
    {
        match provider {
            Provider::Azure => env.azure.iter().for_each(|a| a.account.poller.kick(parts)),
            Provider::Aws => env.aws.iter().for_each(|a| a.account.poller.kick(parts)),
            Provider::Megaport => env
                .megaport
                .iter()
                .for_each(|a| a.account.poller.kick(parts)),
            Provider::Kubernetes => {}
        }
    }
}

/// Polls at the busy pace the lists that show what is under way or waited for.
pub(super) fn keep_busy(ctx: &Context, prepared: &Prepared, plan: &Plan) {
    let d = ctx
        .scaled(Duration::from_mins(1))
        .max(Duration::from_millis(300));
    let slots = plan.blockers.iter().flat_map(|b| match &b.why {
        Why::WaitingFor { slot, .. } => vec![slot.clone()],
        Why::BlockedByDependents { slots } => slots.clone(),
        _ => vec![b.slot.clone()],
    });
    let classes: Vec<Class> = slots
        .chain(plan.actions.iter().map(|a| a.slot().clone()))
        .filter_map(|s| prepared.graph.slots.get(&s).map(|s| s.class))
        .collect();
    let env = &prepared.env;
    for (provider, parts) in wishes(&classes) {
        match provider {
            Provider::Azure => env
                .azure
                .iter()
                .for_each(|a| a.account.poller.busy_for(d, parts)),
            Provider::Aws => env
                .aws
                .iter()
                .for_each(|a| a.account.poller.busy_for(d, parts)),
            Provider::Megaport => env
                .megaport
                .iter()
                .for_each(|a| a.account.poller.busy_for(d, parts)),
            Provider::Kubernetes => {}
        }
    }
}
