//! `DirectConnectLink`.

use super::common::{self, no, not_yet, small};
use super::interconnect::takeover;
use crate::controllers::context::Context;
use crate::controllers::engine::ReconcileError;
use crate::controllers::status::Written;
use crate::controllers::{Managed, Prepared, Wakes};
use crate::health;
use causeway_api::DirectConnectLink;
use causeway_api::Managed as _;
use causeway_api::aws::DirectConnectType;
use causeway_api::children::KindPrefix;
use causeway_api::status::ResolvedReference;
use causeway_model::desired::SecretHandle;
use causeway_model::graph;
use causeway_model::report::{self, Rejection};
use causeway_model::spec::{DirectConnect, GeneratedKeys, ManagedDxgw, Source};
use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedSender;

/// The field of status under which the resolved partner port is kept: it is resolved once, because Megaport's ports
/// rotate (megaport.md §2.2).
const PARTNER_PORT: &str = "spec.partnerPort";
/// The generated key of the virtual interface within the keys Secret.
const VIF_KEY: &str = "vif-auth-key";

impl Managed for DirectConnectLink {
    const KIND: &'static str = "DirectConnectLink";
    const REPORT: report::Kind = report::Kind::DirectConnectLink;

    fn show(&mut self, w: &Written<'_>) {
        let status = self.status.get_or_insert_default();
        if let Some(h) = w.health {
            health::show_sessions(&mut status.bgp, h);
        }
        let vif = w.prepared.and_then(|p| {
            let id = w.observed?.seen.get("vif")?.present()?.id.clone();
            p.env
                .aws
                .as_ref()?
                .snapshot
                .vifs
                .items
                .iter()
                .find(|v| v.id == id)
                .cloned()
        });
        let connection = w.prepared.and_then(|p| {
            let id = &w.observed?.seen.get("connection")?.present()?.id;
            let connections = &p.env.aws.as_ref()?.snapshot.connections.items;
            connections.iter().find(|c| c.id == *id).cloned()
        });
        if let Some(c) = connection {
            status.connection_state = Some(c.state.as_str().to_owned());
        }
        if let Some(v) = vif {
            status.virtual_interface_state = Some(v.state.as_str().to_owned());
            status.virtual_interface_id = Some(v.id);
            status.vlan_id = Some(i64::from(v.vlan));
        }
    }
    fn secrets(&self) -> Vec<String> {
        let mut all: Vec<String> = self
            .spec
            .aws
            .credentials_secret_ref
            .iter()
            .map(|s| s.name.clone())
            .collect();
        all.push(self.spec.megaport.credentials_secret_ref.name.clone());
        all.extend(
            self.spec
                .settings
                .virtual_interface
                .auth_key_secret_ref
                .iter()
                .map(|s| s.name.clone()),
        );
        all
    }
    fn wake(wakes: &Wakes) -> &UnboundedSender<ObjectRef<Self>> {
        &wakes.direct_connects
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

async fn prepare(
    object: &Arc<DirectConnectLink>,
    ctx: &Arc<Context>,
    key: &str,
    now: Timestamp,
    deleting: bool,
) -> Result<Prepared, Rejection> {
    let spec = &object.spec;
    // An update of a VXC sends its keys again (megaport.md §4.5): one that we did not order has a key that we must know.
    if !deleting
        && let Some(id) = &spec.settings.adopt_id
        && spec
            .settings
            .virtual_interface
            .auth_key_secret_ref
            .is_none()
    {
        return Err(no(
            "AdoptionRefused",
            format!(
                "spec.adoptID: VXC {id} has a BGP key that a new one would not match: name the Secret that holds it in spec.virtualInterface.authKeySecretRef"
            ),
        ));
    }
    let mut env = common::env(&**object, ctx, key, now);
    takeover::hand_over_marks(ctx, &**object, &mut env.marks, deleting);
    let namespace = env.namespace.clone();
    let waker = || ctx.waker(&**object);
    let aws = common::aws(ctx, &namespace, &spec.aws, key, waker()).await?;
    let megaport = common::megaport(ctx, &namespace, &spec.megaport, key, waker()).await?;
    let name = object.name_any();
    let settings = &spec.settings;
    let lookup = common::Lookup {
        ctx,
        namespace: &namespace,
        own: object.common(),
        deleting,
    };
    let router = common::router(
        lookup,
        &megaport,
        &spec.router_ref,
        "spec.routerRef",
        "router",
    )?;
    let hosted_connection = settings.type_ == DirectConnectType::HostedConnection;

    let mut references: Vec<ResolvedReference> = object
        .common()
        .map(|c| c.references.clone())
        .unwrap_or_default();
    let kept = references
        .iter()
        .find(|r| r.field == PARTNER_PORT)
        .map(|r| r.id.clone());
    let port = &settings.partner_port;
    let partner_port = match (kept, port.as_ref().and_then(|p| p.product_uid.clone())) {
        (Some(kept), _) => Some(kept),
        (None, Some(uid)) => Some(uid),
        (None, None) if deleting => None,
        (None, None) => {
            let location = port
                .as_ref()
                .and_then(|p| p.location_id)
                .or(router.location_id);
            let zone = port
                .as_ref()
                .and_then(|p| p.diversity_zone)
                .map(|z| z.as_api().to_owned())
                .or_else(|| router.zone.clone());
            Some(
                megaport
                    .account
                    .partner_port(
                        hosted_connection,
                        location,
                        zone.as_deref(),
                        &spec.aws.region,
                    )
                    .await
                    .map_err(|e| match e {
                        crate::inventory::megaport::PortError::Provider(error) => {
                            not_yet("Validating", format!("spec.partnerPort: {error}"))
                        }
                        crate::inventory::megaport::PortError::None(why) => {
                            no("InvalidTopology", format!("spec.partnerPort: {why}"))
                        }
                    })?,
            )
        }
    };
    if let Some(uid) = &partner_port {
        references.retain(|r| r.field != PARTNER_PORT);
        references.push(ResolvedReference {
            field: PARTNER_PORT.to_owned(),
            id: uid.clone(),
        });
    }

    let mut gateway_asn = None;
    let gateway = match (&spec.gateway, &spec.gateway_ref) {
        (Some(g), _) => {
            if let Some(id) = &g.adopt_id {
                aws.account.want_gateway(id);
            }
            let prefixes = spec
                .association
                .as_ref()
                .and_then(|a| a.allowed_prefixes.clone())
                .unwrap_or_default();
            let mut allowed = Vec::new();
            for p in &prefixes {
                allowed.push(common::prefix(p, "spec.association.allowedPrefixes")?);
            }
            if allowed.is_empty() {
                allowed = vpc_prefixes_of_vgw(
                    &aws,
                    association_vgw(object, ctx, &namespace, &aws)?.as_deref(),
                );
            }
            Source::Managed(ManagedDxgw {
                name: g.name.clone().unwrap_or_else(|| name.clone()),
                amazon_asn: small(g.amazon_asn),
                allowed_prefixes: allowed,
            })
        }
        (None, Some(r)) => {
            let (id, describe) = if let Some(hi) = &r.hybrid_interconnect {
                let parent = lookup.parent(&hi.name, "spec.gatewayRef")?;
                gateway_asn = parent
                    .as_ref()
                    .and_then(|p| p.spec.aws.direct_connect_gateway.as_ref())
                    .map(|g| small(g.gateway.amazon_asn));
                let id = lookup.slot(parent.as_deref(), "dxgw", "dxgw");
                (
                    id,
                    format!("Direct Connect gateway of HybridInterconnect {}", hi.name),
                )
            } else if let Some(id) = &r.id {
                (Some(id.clone()), id.clone())
            } else if let Some(n) = &r.name {
                let found: Vec<_> = aws
                    .snapshot
                    .dx_gateways
                    .items
                    .iter()
                    .filter(|g| g.name == *n)
                    .collect();
                match found.as_slice() {
                    [one] => (Some(one.id.clone()), n.clone()),
                    [] if aws.snapshot.dx_gateways.read_at.is_none() => {
                        return Err(not_yet(
                            "Validating",
                            "Direct Connect gateways were not read yet",
                        ));
                    }
                    [] => {
                        return Err(no(
                            "ReferenceNotFound",
                            format!(
                                "spec.gatewayRef.name: the account has no Direct Connect gateway named {n}"
                            ),
                        ));
                    }
                    more => {
                        return Err(no(
                            "ReferenceNotFound",
                            format!(
                                "spec.gatewayRef.name: {} Direct Connect gateways are named {n}: use its id",
                                more.len()
                            ),
                        ));
                    }
                }
            } else {
                (
                    ctx.object_ref_id(
                        &namespace,
                        r.object_ref.as_ref(),
                        "spec.gatewayRef.objectRef",
                    )
                    .await?,
                    "gateway of the objectRef".to_owned(),
                )
            };
            if let Some(id) = &id {
                aws.account.want_gateway(id);
                gateway_asn = gateway_asn.or_else(|| {
                    aws.snapshot
                        .dx_gateways
                        .items
                        .iter()
                        .find(|g| g.id == *id)
                        .and_then(|g| g.amazon_asn)
                });
            }
            Source::Referenced { id, describe }
        }
        (None, None) => {
            return Err(no(
                "InvalidTopology",
                "spec.gateway or spec.gatewayRef is needed: one of them must say which Direct Connect gateway takes the virtual interface",
            ));
        }
    };
    let association_vgw = if spec.association.is_some() {
        Some(Source::Referenced {
            id: association_vgw(object, ctx, &namespace, &aws)?,
            describe: "virtual private gateway of the association".to_owned(),
        })
    } else {
        None
    };

    let given = settings
        .virtual_interface
        .auth_key_secret_ref
        .as_ref()
        .map(common::handle);
    let keys_secret = KindPrefix::Dx.keys_secret_name(&name);
    let generated = given.is_none().then(|| GeneratedKeys {
        secret: keys_secret.clone(),
        keys: vec![VIF_KEY.to_owned()],
    });
    let auth_key = given.unwrap_or(SecretHandle {
        secret: keys_secret,
        key: VIF_KEY.to_owned(),
    });
    let vif = &settings.virtual_interface;
    let model = DirectConnect {
        router_uid: router.uid,
        router_describe: router.describe,
        router_asn: router.asn,
        partner_port: partner_port.clone(),
        hosted_connection,
        vxc_name: settings
            .product_name
            .clone()
            .unwrap_or_else(|| format!("{name} aws")),
        bandwidth_mbps: small(settings.bandwidth_mbps),
        term_months: small(settings.term_months),
        vif_name: vif.name.clone().unwrap_or_else(|| name.clone()),
        amazon_address: common::prefix(&vif.amazon_address, "spec.virtualInterface.amazonAddress")?,
        customer_address: common::prefix(
            &vif.customer_address,
            "spec.virtualInterface.customerAddress",
        )?,
        mtu: small(vif.mtu),
        auth_key: auth_key.clone(),
        bgp: common::bgp(
            settings.bgp.bfd,
            settings.bgp.shutdown,
            settings.bgp.as_path_prepend,
            settings.bgp.med_out,
        ),
        gateway,
        gateway_asn,
        association_vgw,
        generated_keys: generated,
    };
    let parent = spec.gateway_ref.as_ref();
    let parent = parent.and_then(|r| r.hybrid_interconnect.as_ref());
    let recorded = takeover::own_records(lookup, &**object, parent)?;
    let mut graph = graph::directconnect::graph(&model, &recorded);
    common::tag(&mut graph, None, Some(&aws));
    if !crate::controllers::status::policy(object.policy()).observe_only {
        common::mark_confirmed(&mut graph, &env.marks, &aws.tags);
    }
    let vxc = settings.adopt_id.as_deref();
    let own = spec.gateway.as_ref().and_then(|g| g.adopt_id.as_deref());
    common::take_over(&mut graph, "vxc-aws", "spec.adoptID", vxc);
    common::take_over(&mut graph, "dxgw", "spec.gateway.adoptID", own);
    takeover::take_back(&**object, &env.marks, &mut graph, "dxgw");
    env.partner_port = partner_port;
    env.aws = Some(aws);
    env.megaport = Some(megaport);
    ctx.look_at_keys(&mut env, &graph, object.meta()).await?;
    if !deleting
        && let Some(finding) =
            crate::controllers::facts::direct_connect(object, ctx, &env, &model).await?
    {
        return Err(finding);
    }
    let health = health::direct_connect_spec(object, ctx, &model);
    Ok(Prepared {
        env,
        graph,
        secrets: vec![auth_key],
        references,
        other_path_proven: None,
        health,
    })
}

fn association_vgw(
    object: &DirectConnectLink,
    ctx: &Context,
    namespace: &str,
    aws: &crate::controllers::env::AwsEnv,
) -> Result<Option<String>, Rejection> {
    let Some(a) = &object.spec.association else {
        return Ok(None);
    };
    let r = &a.virtual_private_gateway_ref;
    if let Some(hi) = &r.hybrid_interconnect {
        let lookup = common::Lookup {
            ctx,
            namespace,
            own: object.common(),
            deleting: object.metadata.deletion_timestamp.is_some(),
        };
        let parent = lookup.parent(&hi.name, "spec.association.virtualPrivateGatewayRef")?;
        return Ok(lookup.slot(parent.as_deref(), "vgw", "vgw"));
    }
    if let Some(id) = &r.id {
        return Ok(Some(id.clone()));
    }
    let Some(n) = &r.name else { return Ok(None) };
    Ok(aws
        .snapshot
        .vpn_gateways
        .items
        .iter()
        .find(|g| g.tags.get("Name") == Some(n))
        .map(|g| g.id.clone()))
}

fn vpc_prefixes_of_vgw(
    aws: &crate::controllers::env::AwsEnv,
    vgw: Option<&str>,
) -> Vec<ipnet::Ipv4Net> {
    let vpc = vgw
        .and_then(|id| aws.snapshot.vpn_gateways.items.iter().find(|g| g.id == id))
        .and_then(|g| {
            g.attachments
                .iter()
                .find(|a| a.state == causeway_aws::AttachmentState::Attached)
        });
    vpc.and_then(|a| aws.snapshot.vpcs.items.iter().find(|v| v.id == a.vpc_id))
        .map(|v| v.cidrs.clone())
        .unwrap_or_default()
}
