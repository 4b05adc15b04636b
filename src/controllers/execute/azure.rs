//! Azure's half of the executor. Updates are read, change, write with the ETag, on bodies that keep unknown fields
//! (azure.md §1.3); nothing waits for a long-running operation.

mod marks;

use super::{Done, Executor};
use crate::clients::azure::{
    Accepted, AzureClient, CircuitSpec, CustomBgpAddress, ExpressRouteConnectionSpec,
    ExpressRouteGatewaySpec, GatewaySku, IpsecConnectionSpec, IpsecPolicy, LocalGatewaySpec,
    PeeringSpec, PublicIpSpec, ResourceId, Sku, VpnGatewaySpec, VpnInstanceSpec,
};
use crate::clients::wire::WireSecret;
use crate::controllers::env::AzureEnv;
use crate::controllers::observe::arm_kind;
use causeway_model::desired::{Desired, Drift};
use causeway_model::intent::CloudError;
use causeway_model::plan::Action;
use causeway_model::slot::{Class, Slot};
use causeway_model::spec::IpsecProfile;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Names of the IP configurations of a VPN gateway that we make, by instance.
fn ip_configuration(instance: usize) -> String {
    format!("ipc{instance}")
}

/// The same as they are: a gateway that was taken over has names of its own.
fn ip_configuration_of(azure: &AzureEnv, gateway: &ResourceId, instance: usize) -> String {
    let group = gateway.resource_group().unwrap_or(&azure.resource_group);
    let found = azure.snapshot.group(group).and_then(|g| {
        let mut all = g.gateways.items.iter();
        all.find(|g| g.resource_id().is_some_and(|x| x == *gateway))
    });
    found
        .and_then(|g| g.properties.ip_configurations.get(instance))
        .map_or_else(|| ip_configuration(instance), |c| c.name.clone())
}

pub(super) async fn run(
    x: &Executor<'_>,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let Some(azure) = &x.env.azure else {
        return Err(x.defect(slot.provider, slot.id.as_str(), "no Azure account"));
    };
    let client = &azure.account.client;
    match action {
        Action::Create { .. } => create(x, azure, client, slot, action).await,
        Action::Update { drift, .. } => update(x, azure, client, slot, drift).await,
        Action::Refresh { .. } => {
            let id = ResourceId::new(x.id(slot)?);
            let key = peering_key(x, slot)?;
            Ok(done(
                Some(&id),
                Some(client.refresh_circuit(&id, key.as_ref()).await?),
            ))
        }
        Action::Delete { .. } => delete(x, client, slot).await,
        Action::Release { .. } => marks::release(x, client, slot).await,
        Action::Adopt { .. } => marks::adopt(x, azure, client, slot).await,
        Action::Confirm { .. } | Action::CancelTwin { .. } => Err(x.unsupported(slot, action)),
    }
}

fn done(id: Option<&ResourceId>, accepted: Option<Accepted>) -> Done {
    Done {
        id: id.map(|i| i.as_str().to_owned()),
        operation_url: accepted.and_then(|a| a.operation_url),
    }
}

/// The peering's MD5 key, which newer API versions hide in reads: written back with a refresh.
fn peering_key(
    x: &Executor<'_>,
    slot: &Slot,
) -> Result<Option<causeway_model::secret::Secret>, CloudError> {
    match x.graph.get("peering").map(|s| &s.desired) {
        Some(Desired::Peering {
            shared_key: Some(handle),
            ..
        }) => x.secret(slot, handle).map(Some),
        _ => Ok(None),
    }
}

async fn create(
    x: &Executor<'_>,
    azure: &AzureEnv,
    client: &AzureClient,
    slot: &Slot,
    action: &Action,
) -> Result<Done, CloudError> {
    let location = azure.location.clone();
    let tags = x.env.marks.tags(&slot.id, &azure.tags);
    let id = slot
        .desired
        .name()
        .map(|n| azure.id(arm_kind(slot.class), n));
    let network = || {
        azure
            .virtual_network
            .clone()
            .ok_or_else(|| x.missing(slot, "the virtual network"))
    };
    let (id, accepted) = match (&slot.desired, id) {
        (
            Desired::Circuit {
                service_provider,
                peering_location,
                bandwidth_mbps,
                tier,
                family,
                ..
            },
            Some(id),
        ) => {
            let spec = CircuitSpec {
                location,
                tags,
                sku_tier: tier.clone(),
                sku_family: family.clone(),
                service_provider: service_provider.clone(),
                peering_location: peering_location.clone(),
                bandwidth_mbps: *bandwidth_mbps,
            };
            let accepted = client.create_circuit(&id, &spec).await?;
            (id, accepted)
        }
        (Desired::Peering { .. }, _) => {
            let circuit = ResourceId::new(x.other(slot, "circuit")?);
            let accepted = client
                .put_private_peering(&circuit, &peering_spec(x, slot)?)
                .await?;
            (circuit.private_peering(), accepted)
        }
        (Desired::ErGateway { sku, .. }, Some(id)) => {
            let spec = ExpressRouteGatewaySpec {
                location,
                tags,
                sku: sku.clone(),
                subnet: network()?.gateway_subnet(),
            };
            let accepted = client.create_express_route_gateway(&id, &spec).await?;
            (id, accepted)
        }
        (
            Desired::VpnGateway {
                sku,
                generation,
                asn,
                apipa,
                ..
            },
            Some(id),
        ) => {
            let mut instances = Vec::new();
            for (i, addresses) in apipa.iter().enumerate() {
                instances.push(VpnInstanceSpec {
                    ip_configuration: ip_configuration(i),
                    public_ip: ResourceId::new(x.other(slot, &format!("pip-{i}"))?),
                    bgp_addresses: addresses.iter().map(Ipv4Addr::to_string).collect(),
                });
            }
            let spec = VpnGatewaySpec {
                location,
                tags,
                sku: sku.clone(),
                generation: generation.clone(),
                asn: *asn,
                subnet: network()?.gateway_subnet(),
                instances,
            };
            let accepted = client.create_vpn_gateway(&id, &spec).await?;
            (id, accepted)
        }
        (Desired::PublicIp { zones, .. }, Some(id)) => {
            let accepted = client
                .create_public_ip(
                    &id,
                    &PublicIpSpec {
                        location,
                        tags,
                        zones: zones.clone(),
                    },
                )
                .await?;
            (id, accepted)
        }
        (
            Desired::ErConnection {
                routing_weight,
                authorization_key,
                ..
            },
            Some(id),
        ) => {
            let spec = ExpressRouteConnectionSpec {
                location,
                tags,
                gateway: ResourceId::new(x.other(slot, "er-gateway")?),
                circuit: ResourceId::new(x.other(slot, "circuit")?),
                routing_weight: *routing_weight,
                authorization_key: authorization_key
                    .as_ref()
                    .map(|h| x.secret(slot, h))
                    .transpose()?,
            };
            let accepted = client.create_express_route_connection(&id, &spec).await?;
            (id, accepted)
        }
        (Desired::LocalNetworkGateway { .. }, Some(id)) => {
            let accepted = put_local_gateway(x, azure, client, slot, &id).await?;
            (id, accepted)
        }
        (
            Desired::IpsecConnection {
                shared_key,
                custom_bgp,
                ipsec,
                dpd_seconds,
                ..
            },
            Some(id),
        ) => {
            let pair = slot.id.as_str().strip_prefix("ipsec-").unwrap_or_default();
            let gateway = ResourceId::new(x.other(slot, "vpn-gateway")?);
            let spec = IpsecConnectionSpec {
                location,
                tags,
                local_gateway: ResourceId::new(x.other(slot, &format!("lng-{pair}"))?),
                shared_key: x.secret(slot, shared_key)?,
                enable_bgp: true,
                dpd_timeout_seconds: *dpd_seconds,
                policy: policy(ipsec),
                custom_bgp_addresses: custom_bgp
                    .iter()
                    .enumerate()
                    .map(|(i, a)| (ip_configuration_of(azure, &gateway, i), a.to_string()))
                    .collect(),
                gateway,
            };
            let accepted = client.create_ipsec_connection(&id, &spec).await?;
            (id, accepted)
        }
        _ => return Err(x.unsupported(slot, action)),
    };
    Ok(done(Some(&id), Some(accepted)))
}

fn policy(p: &IpsecProfile) -> IpsecPolicy {
    IpsecPolicy {
        sa_life_time_seconds: p.lifetime_seconds,
        // Azure's own default (azure.md §4.4); AWS has no counterpart.
        sa_data_size_kilobytes: 102_400_000,
        ipsec_encryption: p.esp_encryption.clone(),
        ipsec_integrity: p.esp_integrity.clone(),
        ike_encryption: p.ike_encryption.clone(),
        ike_integrity: p.ike_integrity.clone(),
        dh_group: p.dh_group.clone(),
        pfs_group: p.pfs_group.clone(),
    }
}

/// What the spec says of the peering, with its key.
fn peering_spec(x: &Executor<'_>, slot: &Slot) -> Result<PeeringSpec, CloudError> {
    let Desired::Peering {
        peer_asn,
        primary,
        secondary,
        vlan,
        shared_key,
    } = &slot.desired
    else {
        return Err(x.defect(slot.provider, slot.id.as_str(), "no peering is described"));
    };
    Ok(PeeringSpec {
        peer_asn: *peer_asn,
        primary_prefix: primary.trunc().to_string(),
        secondary_prefix: secondary.trunc().to_string(),
        vlan_id: *vlan,
        shared_key: shared_key.as_ref().map(|h| x.secret(slot, h)).transpose()?,
    })
}

/// Read, changed, written: what others set on the peering (IPv6, route filters) stays.
async fn change_peering(
    x: &Executor<'_>,
    client: &AzureClient,
    slot: &Slot,
    circuit: &ResourceId,
) -> Result<Accepted, CloudError> {
    let spec = peering_spec(x, slot)?;
    let Some(mut peering) = client.private_peering(circuit).await? else {
        return client.put_private_peering(circuit, &spec).await;
    };
    let p = &mut peering.properties;
    p.peer_asn = Some(spec.peer_asn);
    p.primary_peer_address_prefix = Some(spec.primary_prefix);
    p.secondary_peer_address_prefix = Some(spec.secondary_prefix);
    p.vlan_id = Some(u32::from(spec.vlan_id));
    p.state = Some("Enabled".to_owned());
    // Newer API versions hide the key in reads: it is written again with every change.
    if let Some(key) = spec.shared_key {
        p.shared_key = Some(WireSecret(key));
    }
    let etag = peering.etag.clone();
    client
        .put(
            "expressRouteCircuitPeerings.put",
            &circuit.private_peering(),
            &peering,
            etag.as_deref(),
        )
        .await
}

/// The user's tags as the spec has them now; ours and everybody else's stay.
async fn retag(
    x: &Executor<'_>,
    client: &AzureClient,
    slot: &Slot,
    id: &ResourceId,
) -> Result<Accepted, CloudError> {
    let mut tags = marks::tags(client, "retag", id).await?;
    let applied = x.observed.records.get(&slot.id).map(|r| &r.applied);
    for dropped in applied.iter().flat_map(|a| slot.dropped_tags(a)) {
        tags.remove(dropped);
    }
    tags.extend(slot.tags.clone());
    client.patch_tags("retag", id, &tags).await
}

async fn put_local_gateway(
    x: &Executor<'_>,
    azure: &AzureEnv,
    client: &AzureClient,
    slot: &Slot,
    id: &ResourceId,
) -> Result<Accepted, CloudError> {
    let Desired::LocalNetworkGateway {
        asn,
        bgp_address,
        inside,
        gateway,
        ..
    } = &slot.desired
    else {
        return Err(x.defect(
            slot.provider,
            slot.id.as_str(),
            "no local network gateway is described",
        ));
    };
    let outside = gateway
        .ok_or_else(|| x.missing(slot, &format!("the outside address of the tunnel {inside}")))?;
    let spec = LocalGatewaySpec {
        location: azure.location.clone(),
        tags: x.env.marks.tags(&slot.id, &azure.tags),
        gateway_address: outside.to_string(),
        asn: *asn,
        bgp_peering_address: bgp_address.to_string(),
    };
    client.put_local_gateway(id, &spec).await
}

async fn update(
    x: &Executor<'_>,
    azure: &AzureEnv,
    client: &AzureClient,
    slot: &Slot,
    drift: &[Drift],
) -> Result<Done, CloudError> {
    let id = ResourceId::new(x.id(slot)?);
    let gone = || x.missing(slot, slot.id.as_str());
    if drift.iter().any(|d| d.field == "tags") {
        // What else differs comes with the next look.
        let accepted = retag(x, client, slot, &id).await?;
        return Ok(done(Some(&id), Some(accepted)));
    }
    let accepted = match (&slot.desired, slot.class) {
        (Desired::Peering { .. }, _) => {
            let circuit = ResourceId::new(x.other(slot, "circuit")?);
            change_peering(x, client, slot, &circuit).await?
        }
        (
            Desired::LocalNetworkGateway {
                asn,
                bgp_address,
                gateway,
                ..
            },
            _,
        ) if !drift.is_empty() => {
            let mut l = client.local_gateway(&id).await?.ok_or_else(gone)?;
            if let Some(gateway) = gateway {
                l.properties.gateway_ip_address = Some(gateway.to_string());
            }
            let bgp = l.properties.bgp_settings.get_or_insert_default();
            bgp.asn = Some(*asn);
            bgp.bgp_peering_address = Some(bgp_address.to_string());
            let etag = l.etag.clone();
            client
                .put("localNetworkGateways.put", &id, &l, etag.as_deref())
                .await?
        }
        // Failed at the provider: the same body again (azure.md §1.2).
        (_, Class::Circuit) if drift.is_empty() => {
            client
                .refresh_circuit(&id, peering_key(x, slot)?.as_ref())
                .await?
        }
        _ if drift.is_empty() => {
            let body: Value = client.get("mend", &id).await?;
            let etag = body.get("etag").and_then(Value::as_str).map(str::to_owned);
            client.put("mend", &id, &body, etag.as_deref()).await?
        }
        (
            Desired::Circuit {
                bandwidth_mbps,
                tier,
                family,
                ..
            },
            _,
        ) => {
            let mut c = client.circuit(&id).await?.ok_or_else(gone)?;
            if let Some(p) = c.properties.service_provider_properties.as_mut() {
                p.bandwidth_in_mbps = Some(*bandwidth_mbps);
            }
            let sku = c.sku.get_or_insert_with(Sku::default);
            sku.name = Some(format!("{tier}_{family}"));
            sku.tier = Some(tier.clone());
            sku.family = Some(family.clone());
            client.update_circuit(&id, &c).await?
        }
        (Desired::ErGateway { sku, .. }, _) => {
            let mut g = client.gateway(&id).await?.ok_or_else(gone)?;
            set_sku(
                g.properties.sku.get_or_insert_with(GatewaySku::default),
                sku,
            );
            client.update_gateway(&id, &g).await?
        }
        (Desired::VpnGateway { sku, apipa, .. }, _) => {
            let mut g = client.gateway(&id).await?.ok_or_else(gone)?;
            set_sku(
                g.properties.sku.get_or_insert_with(GatewaySku::default),
                sku,
            );
            let names: Vec<String> = g
                .properties
                .ip_configurations
                .iter()
                .map(|c| c.name.to_lowercase())
                .collect();
            if let Some(bgp) = g.properties.bgp_settings.as_mut() {
                for (name, addresses) in names.iter().zip(apipa) {
                    let suffix = format!("/ipconfigurations/{name}");
                    if let Some(entry) = bgp
                        .bgp_peering_addresses
                        .iter_mut()
                        .find(|a| a.ip_configuration_id.to_lowercase().ends_with(&suffix))
                    {
                        entry.custom_bgp_ip_addresses =
                            addresses.iter().map(Ipv4Addr::to_string).collect();
                    }
                }
            }
            client.update_gateway(&id, &g).await?
        }
        (Desired::ErConnection { routing_weight, .. }, _) => {
            let mut c = client.connection(&id).await?.ok_or_else(gone)?;
            c.properties.routing_weight = Some(i64::from(*routing_weight));
            client.update_connection(&id, &c).await?
        }
        (
            Desired::IpsecConnection {
                custom_bgp,
                ipsec,
                dpd_seconds,
                ..
            },
            _,
        ) => {
            let gateway = ResourceId::new(x.other(slot, "vpn-gateway")?);
            let mut c = client.connection(&id).await?.ok_or_else(gone)?;
            c.properties.enable_bgp = Some(true);
            c.properties.dpd_timeout_seconds = Some(i64::from(*dpd_seconds));
            c.properties.ipsec_policies = vec![policy(ipsec)];
            c.properties.gateway_custom_bgp_ip_addresses = custom_bgp
                .iter()
                .enumerate()
                .map(|(i, a)| CustomBgpAddress {
                    ip_configuration_id: gateway
                        .child("ipConfigurations", &ip_configuration_of(azure, &gateway, i))
                        .as_str()
                        .to_owned(),
                    custom_bgp_ip_address: a.to_string(),
                })
                .collect();
            client.update_connection(&id, &c).await?
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
    };
    Ok(done(Some(&id), Some(accepted)))
}

fn set_sku(sku: &mut GatewaySku, name: &str) {
    // `tier` must equal `name` (azure.md §3.2).
    name.clone_into(&mut sku.name);
    name.clone_into(&mut sku.tier);
}

async fn delete(x: &Executor<'_>, client: &AzureClient, slot: &Slot) -> Result<Done, CloudError> {
    let id = ResourceId::new(x.id(slot)?);
    let accepted = match slot.class {
        Class::Circuit => client.delete_circuit(&id).await?,
        Class::Peering => {
            let circuit = id
                .as_str()
                .rsplit_once("/peerings/")
                .map_or_else(|| id.clone(), |(c, _)| ResourceId::new(c));
            client.delete_private_peering(&circuit).await?
        }
        Class::ErGateway | Class::VpnGateway => client.delete_gateway(&id).await?,
        Class::ErConnection | Class::IpsecConnection => client.delete_connection(&id).await?,
        Class::LocalNetworkGateway => client.delete_local_gateway(&id).await?,
        Class::PublicIp => client.delete_public_ip(&id).await?,
        _ => {
            return Err(x.unsupported(
                slot,
                &Action::Delete {
                    slot: slot.id.clone(),
                },
            ));
        }
    };
    Ok(done(None, accepted))
}
