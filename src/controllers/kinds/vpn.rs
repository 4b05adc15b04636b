//! `VpnPair`.

use super::common::{self, no, not_yet, small};
use crate::clients::azure::ResourceId;
use crate::controllers::context::Context;
use crate::controllers::engine::ReconcileError;
use crate::controllers::env::AzureEnv;
use crate::controllers::marks::Marks;
use crate::controllers::status::Written;
use crate::controllers::{Managed, Prepared, Wakes};
use crate::health;
use causeway_api::Managed as _;
use causeway_api::VpnPair;
use causeway_api::azure::virtual_network_id;
use causeway_api::children::KindPrefix;
use causeway_api::status::ResolvedReference;
use causeway_api::vpn::{IpsecProfile as ApiProfile, TunnelName};
use causeway_model::desired::SecretHandle;
use causeway_model::graph;
use causeway_model::observe::Ownership;
use causeway_model::report::{self, Rejection};
use causeway_model::slot::SlotId;
use causeway_model::spec::{
    GeneratedKeys, IpsecProfile, ManagedVpnGateway, Source, Tunnel, Vpn, VpnNames, allocate_tunnels,
};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

impl Managed for VpnPair {
    const KIND: &'static str = "VpnPair";
    const REPORT: report::Kind = report::Kind::VpnPair;

    fn show(&mut self, w: &Written<'_>) {
        let status = self.status.get_or_insert_default();
        if let Some(h) = w.health {
            health::show_vpn(status, h);
        }
    }
    fn secrets(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .spec
            .azure
            .account
            .credentials_secret_ref
            .iter()
            .map(|s| s.name.clone())
            .collect();
        all.extend(
            self.spec
                .aws
                .credentials_secret_ref
                .iter()
                .map(|s| s.name.clone()),
        );
        all.extend(
            self.spec
                .settings
                .tunnels
                .iter()
                .filter_map(|t| t.pre_shared_key_secret_ref.as_ref())
                .map(|s| s.name.clone()),
        );
        all.sort();
        all.dedup();
        all
    }
    fn wake(wakes: &Wakes) -> &UnboundedSender<ObjectRef<Self>> {
        &wakes.vpns
    }

    async fn prepare(
        object: &Arc<Self>,
        ctx: &Arc<Context>,
        key: &str,
        now: Timestamp,
        deleting: bool,
    ) -> Result<Result<Prepared, Rejection>, ReconcileError> {
        Ok(prepare(object, ctx, key, now, deleting).await)
    }
}

/// The word that an enum of the API serialises to.
fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn profile(object: &VpnPair) -> IpsecProfile {
    let ipsec = &object.spec.settings.ipsec;
    match (&ipsec.profile, &ipsec.custom) {
        (ApiProfile::GCM, _) => IpsecProfile::gcm(),
        (ApiProfile::Custom, Some(c)) => IpsecProfile {
            ike_encryption: word(&c.ike.encryption),
            ike_integrity: word(&c.ike.integrity),
            dh_group: word(&c.ike.dh_group),
            esp_encryption: word(&c.esp.encryption),
            esp_integrity: word(&c.esp.integrity),
            pfs_group: word(&c.esp.pfs_group),
            lifetime_seconds: small(c.esp.lifetime_seconds),
        },
        _ => IpsecProfile::cbc(),
    }
}

async fn prepare(
    object: &Arc<VpnPair>,
    ctx: &Arc<Context>,
    key: &str,
    now: Timestamp,
    deleting: bool,
) -> Result<Prepared, Rejection> {
    let spec = &object.spec;
    let mut env = common::env(&**object, ctx, key, now);
    let namespace = env.namespace.clone();
    let waker = || ctx.waker(&**object);
    let mut azure = common::azure(ctx, &namespace, &spec.azure.account, key, waker()).await?;
    let aws = common::aws(ctx, &namespace, &spec.aws, key, waker()).await?;
    let name = object.name_any();
    let account = &spec.azure.account;
    let network = match virtual_network_id(account, &spec.virtual_network_ref) {
        Some(id) => ResourceId::new(id),
        None => match ctx
            .object_ref_id(
                &namespace,
                spec.virtual_network_ref.object_ref.as_ref(),
                "spec.virtualNetworkRef.objectRef",
            )
            .await?
        {
            Some(id) => ResourceId::new(id),
            None => {
                return Err(not_yet(
                    "ReferenceNotReady",
                    "spec.virtualNetworkRef.objectRef: the object has no ID in its status yet",
                ));
            }
        },
    };
    if let Some(group) = network.resource_group() {
        azure.account.want_group(group);
    }
    azure.virtual_network = Some(network.clone());

    let (gateway, gateway_id) = match (&spec.gateway, &spec.gateway_ref) {
        (Some(g), _) => {
            let kind = "virtualNetworkGateways";
            let field = "spec.gateway.adoptID";
            let adopted =
                common::adopted_arm(&azure, field, g.adopt_id.as_ref(), kind, g.name.as_ref())?;
            let id = common::own_id(object.common(), "vpn-gateway")
                .or(adopted)
                .unwrap_or_else(|| azure.id(kind, g.name.as_ref().unwrap_or(&name)));
            let gateway_name = id.name().to_owned();
            let managed = ManagedVpnGateway {
                name: gateway_name,
                sku: g.sku.as_str().to_owned(),
                generation: g.generation.as_str().to_owned(),
                asn: small(g.asn),
                zones: g.public_ip_zones.clone(),
            };
            (Source::Managed(managed), Some(id))
        }
        (None, Some(r)) => {
            let id = match (&r.id, &r.name) {
                (Some(id), _) => Some(id.clone()),
                (None, Some(n)) => Some(azure.id("virtualNetworkGateways", n).as_str().to_owned()),
                (None, None) => {
                    ctx.object_ref_id(
                        &namespace,
                        r.object_ref.as_ref(),
                        "spec.gatewayRef.objectRef",
                    )
                    .await?
                }
            };
            (
                Source::Referenced {
                    id: id.clone(),
                    describe: "referenced VPN gateway".to_owned(),
                },
                id.map(ResourceId::new),
            )
        }
        (None, None) => {
            return Err(no(
                "InvalidTopology",
                "spec.gateway or spec.gatewayRef is needed: one of them must say which VPN gateway ends the tunnels",
            ));
        }
    };
    if let Some(group) = gateway_id.as_ref().and_then(|g| g.resource_group()) {
        azure.account.want_group(group);
    }

    let r = &spec.virtual_private_gateway_ref;
    let mut vgw_asn = None;
    let vgw_id = if let Some(hi) = &r.hybrid_interconnect {
        let lookup = common::Lookup {
            ctx,
            namespace: &namespace,
            own: object.common(),
            deleting,
        };
        let parent = lookup.parent(&hi.name, "spec.virtualPrivateGatewayRef")?;
        vgw_asn = parent
            .as_ref()
            .and_then(|p| p.spec.aws.virtual_private_gateway.as_ref())
            .map(|g| small(g.amazon_asn));
        lookup.slot(parent.as_deref(), "vgw", "vgw")
    } else if let Some(id) = &r.id {
        Some(id.clone())
    } else if let Some(n) = &r.name {
        let found: Vec<_> = aws
            .snapshot
            .vpn_gateways
            .items
            .iter()
            .filter(|g| g.tags.get("Name") == Some(n) && g.state != causeway_aws::State::Deleted)
            .collect();
        match found.as_slice() {
            [one] => Some(one.id.clone()),
            [] if aws.snapshot.vpn_gateways.read_at.is_none() => {
                return Err(not_yet(
                    "Validating",
                    "virtual private gateways were not read yet",
                ));
            }
            [] => {
                return Err(no(
                    "ReferenceNotFound",
                    format!(
                        "spec.virtualPrivateGatewayRef.name: no virtual private gateway is tagged Name={n}"
                    ),
                ));
            }
            more => {
                return Err(no(
                    "ReferenceNotFound",
                    format!(
                        "spec.virtualPrivateGatewayRef.name: {} virtual private gateways are tagged Name={n}: use the id",
                        more.len()
                    ),
                ));
            }
        }
    } else {
        ctx.object_ref_id(
            &namespace,
            r.object_ref.as_ref(),
            "spec.virtualPrivateGatewayRef.objectRef",
        )
        .await?
    };
    let vgw_asn = vgw_asn.or_else(|| {
        let id = vgw_id.as_ref()?;
        aws.snapshot
            .vpn_gateways
            .items
            .iter()
            .find(|g| g.id == *id)?
            .amazon_asn
    });
    // A link alone may be made before its VGW is readable; the local network gateways need its ASN.
    let Some(vgw_asn) = vgw_asn.or(deleting.then_some(0)) else {
        return Err(not_yet(
            "ReferenceNotReady",
            "spec.virtualPrivateGatewayRef: the virtual private gateway is not readable yet",
        ));
    };

    let keys_secret = KindPrefix::Vpn.keys_secret_name(&name);
    let mut references: Vec<ResolvedReference> = object
        .common()
        .map(|c| c.references.clone())
        .unwrap_or_default();
    let others = if deleting {
        // Whoever else uses these addresses does not keep us from leaving.
        Vec::new()
    } else {
        used_by_others(object, &aws, vgw_id.as_deref(), &env.marks)
    };
    let tunnels = tunnels(object, &others, &mut references, &keys_secret)?;
    let generated: Vec<String> = tunnels
        .iter()
        .filter(|t| t.pre_shared_key.secret == keys_secret)
        .map(|t| t.pre_shared_key.key.clone())
        .collect();
    let model = Vpn {
        vnet_id: network.as_str().to_owned(),
        gateway_subnet_id: network.gateway_subnet().as_str().to_owned(),
        gateway,
        gateway_id: gateway_id
            .map(|g| g.as_str().to_owned())
            .unwrap_or_default(),
        vgw: Source::Referenced {
            id: vgw_id,
            describe: "virtual private gateway".to_owned(),
        },
        vgw_asn,
        bgp_tunnels_per_instance: u8::try_from(spec.settings.bgp_tunnels_per_instance).unwrap_or(1),
        tunnels: tunnels.clone(),
        ipsec: profile(object),
        dpd_seconds: small(spec.settings.dpd_timeout_seconds),
        names: VpnNames {
            prefix: name.clone(),
        },
        generated_keys: (!generated.is_empty()).then(|| GeneratedKeys {
            secret: keys_secret.clone(),
            keys: generated,
        }),
    };
    let recorded: Vec<SlotId> = crate::controllers::status::records(object.common())
        .into_keys()
        .collect();
    let mut graph = graph::vpn::graph(&model, &recorded);
    common::tag(&mut graph, Some(&azure), Some(&aws));
    if let Some(id) = spec.gateway.as_ref().and_then(|g| g.adopt_id.as_deref()) {
        let field = "spec.gateway.adoptID";
        let group = ResourceId::new(id.to_owned());
        let snapshot = group.resource_group().and_then(|g| azure.snapshot.group(g));
        if !deleting && snapshot.is_none_or(|g| g.gateways.read_at.is_none()) {
            return Err(not_yet(
                "Validating",
                format!("{field}: the gateways of its resource group were not read yet"),
            ));
        }
        common::take_over(&mut graph, "vpn-gateway", field, Some(id));
        // Its public addresses come along: nobody else can use them while it has them.
        for (i, ip) in public_ips(&azure, id).iter().enumerate() {
            common::take_over(&mut graph, &format!("pip-{i}"), field, Some(ip));
        }
    }
    env.azure = Some(azure);
    env.aws = Some(aws);
    ctx.look_at_keys(&mut env, &graph, object.meta()).await?;
    if !deleting
        && let Some(finding) = crate::controllers::facts::vpn(object, ctx, &env, &model).await?
    {
        return Err(finding);
    }
    let secrets = tunnels.iter().map(|t| t.pre_shared_key.clone()).collect();
    let health = health::vpn_spec(object, ctx, &model);
    Ok(Prepared {
        env,
        graph,
        secrets,
        references,
        other_path_proven: None,
        health,
    })
}

/// The public IPs of a gateway, in the order of its IP configurations.
fn public_ips(azure: &AzureEnv, gateway: &str) -> Vec<String> {
    let id = ResourceId::new(gateway.to_owned());
    let group = azure
        .snapshot
        .group(id.resource_group().unwrap_or(&azure.resource_group));
    let found = group.and_then(|g| {
        let mut all = g.gateways.items.iter();
        all.find(|g| g.resource_id().is_some_and(|x| x == id))
    });
    found
        .iter()
        .flat_map(|g| &g.properties.ip_configurations)
        .filter_map(|c| Some(c.properties.public_ip_address.as_ref()?.id.clone()))
        .collect()
}

/// Inside prefixes of connections on the same virtual private gateway that are not ours: neither recorded nor marked. A
/// record may lack the ID still, while the answer to its order is on its way or was lost.
fn used_by_others(
    object: &VpnPair,
    aws: &crate::controllers::env::AwsEnv,
    vgw: Option<&str>,
    marks: &Marks,
) -> Vec<Ipv4Net> {
    let own: Vec<String> = crate::controllers::status::records(object.common())
        .into_values()
        .filter_map(|r| r.id)
        .collect();
    aws.snapshot
        .vpn_connections
        .items
        .iter()
        .filter(|c| {
            c.state != causeway_aws::State::Deleted
                && c.vpn_gateway_id.as_deref() == vgw
                && !own.contains(&c.id)
                && marks.judge(&c.tags) != Ownership::Ours
        })
        .flat_map(|c| &c.tunnels)
        .filter_map(|t| t.health.inside_cidr.parse().ok())
        .collect()
}

/// The four tunnels: as given, as allocated earlier (kept in status), or allocated now beside what the VGW already has.
fn tunnels(
    object: &VpnPair,
    used: &[Ipv4Net],
    references: &mut Vec<ResolvedReference>,
    keys_secret: &str,
) -> Result<Vec<Tunnel>, Rejection> {
    let field = |t: TunnelName| format!("spec.tunnels[{}].insideCIDR", t.as_str());
    let mut fixed: BTreeMap<(u8, u8), Ipv4Net> = BTreeMap::new();
    for t in TunnelName::ALL {
        let given = object
            .spec
            .settings
            .tunnels
            .iter()
            .find(|x| x.name == t)
            .and_then(|x| x.inside_cidr.clone());
        let kept = references
            .iter()
            .find(|r| r.field == field(t))
            .map(|r| r.id.clone());
        if let Some(text) = given.or(kept) {
            fixed.insert(
                (t.instance(), t.tunnel()),
                common::prefix(&text, &field(t))?,
            );
        }
    }
    let all = allocate_tunnels(&fixed, used)
        .map_err(|why| no("InvalidTopology", format!("spec.tunnels: {why}")))?;
    Ok(TunnelName::ALL
        .into_iter()
        .filter_map(|t| {
            let inside = *all.get(&(t.instance(), t.tunnel()))?;
            references.retain(|r| r.field != field(t));
            references.push(ResolvedReference {
                field: field(t),
                id: inside.to_string(),
            });
            let given = object
                .spec
                .settings
                .tunnels
                .iter()
                .find(|x| x.name == t)
                .and_then(|x| x.pre_shared_key_secret_ref.as_ref());
            let pre_shared_key = given.map_or_else(
                || SecretHandle {
                    secret: keys_secret.to_owned(),
                    key: t.as_str().to_owned(),
                },
                common::handle,
            );
            Some(Tunnel {
                instance: t.instance(),
                tunnel: t.tunnel(),
                inside,
                pre_shared_key,
            })
        })
        .collect())
}
