//! References and accounts, resolved the same way for every kind.

use crate::clients::azure::ResourceId;
use crate::controllers::context::Context;
use crate::controllers::env::{AwsEnv, AzureEnv, Env, MegaportEnv};
use crate::controllers::marks::Marks;
use crate::controllers::secrets::SecretValues;
use crate::inventory::{AccountError, Waker};
use causeway_api::OWNER_ID_ANNOTATION;
use causeway_api::aws::AwsAccount as ApiAws;
use causeway_api::azure::AzureAccount as ApiAzure;
use causeway_api::common::{RouterRef, SecretKeyRef};
use causeway_api::interconnect::HybridInterconnect;
use causeway_api::megaport::MegaportAccount as ApiMegaport;
use causeway_api::status::{CommonStatus, SlotPhase};
use causeway_model::desired::SecretHandle;
use causeway_model::provider::Provider;
use causeway_model::report::Rejection;
use causeway_model::slot::{Adoption, Birth, Graph, Recognition, Slot};
use causeway_model::spec::BgpOptions;
use ipnet::Ipv4Net;
use jiff::Timestamp;
use kube::ResourceExt;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn no(reason: &'static str, message: impl Into<String>) -> Rejection {
    Rejection {
        reason,
        message: message.into(),
        undecided: false,
    }
}

/// Nobody can tell yet: a provider did not answer, or another object is not that far.
pub(super) fn not_yet(reason: &'static str, message: impl Into<String>) -> Rejection {
    Rejection {
        reason,
        message: message.into(),
        undecided: true,
    }
}

pub(super) fn account_rejection(e: &AccountError) -> Rejection {
    match e {
        AccountError::SecretMissing { .. } => no("ReferenceNotFound", e.to_string()),
        AccountError::Malformed { .. } | AccountError::WrongKind { .. } => {
            no("CredentialsInvalid", e.to_string())
        }
        AccountError::Provider { error, .. } if error.is_auth() => {
            no("CredentialsInvalid", e.to_string())
        }
        AccountError::Provider { .. } | AccountError::Unreadable { .. } => {
            not_yet("Validating", e.to_string())
        }
    }
}

/// What `adoptID` asks to take over in Azure, as far as its ID alone tells whether it fits: the subscription, the kind and
/// the name. Whether the object fits is for the planner, which sees it.
///
/// # Errors
/// Names the field and what is wrong with the ID.
pub(super) fn adopted_arm(
    azure: &AzureEnv,
    field: &str,
    id: Option<&String>,
    kind: &str,
    name: Option<&String>,
) -> Result<Option<ResourceId>, Rejection> {
    let Some(id) = id else { return Ok(None) };
    let refused = |why: String| Err(no("AdoptionRefused", format!("{field}: {id} {why}")));
    let arm = ResourceId::new(id.clone());
    if !arm.kind().eq_ignore_ascii_case(kind) {
        return refused(format!("is not the ID of one of {kind}: correct it"));
    }
    if !arm
        .subscription()
        .is_some_and(|s| s.eq_ignore_ascii_case(&azure.subscription))
    {
        return refused(format!(
            "is in another subscription than spec.azure.subscriptionID {}: correct one of them",
            azure.subscription
        ));
    }
    if let Some(name) = name.filter(|n| !n.eq_ignore_ascii_case(arm.name())) {
        return refused(format!(
            "has another name than the spec gives ({name}): leave the name out, or correct one of them"
        ));
    }
    if let Some(group) = arm.resource_group() {
        azure.account.want_group(group);
    }
    Ok(Some(arm))
}

/// Where an object of Azure is that this link keeps among its slots, once it is known.
pub(super) fn own_id(common: Option<&CommonStatus>, slot: &str) -> Option<ResourceId> {
    let slots = &common?.slots;
    let known = slots.iter().find(|s| {
        s.name == slot
            && !matches!(
                s.phase,
                SlotPhase::Imported | SlotPhase::Gone | SlotPhase::Retained
            )
    })?;
    known.id.clone().map(ResourceId::new)
}

/// Gives every object of a graph that can carry them the tags that the spec asks for.
pub(super) fn tag(graph: &mut Graph, azure: Option<&AzureEnv>, aws: Option<&AwsEnv>) {
    for slot in graph.slots.values_mut().filter(|s| s.wanted && !s.imported) {
        let tags = match slot.provider {
            Provider::Azure => azure.map(|a| &a.tags),
            Provider::Aws => aws.map(|a| &a.tags),
            Provider::Megaport | Provider::Kubernetes => None,
        };
        // What is recognised by a record alone has no tags.
        if let Some(tags) = tags.filter(|_| slot.recognition != Recognition::Record) {
            slot.tags.clone_from(tags);
        }
    }
}

/// What a partner made is tagged after its confirmation, by a second call that may get lost with the process or with the
/// answer to the first one: so its marks, and the user's tags with them, are compared like every other field.
pub(super) fn mark_confirmed(graph: &mut Graph, marks: &Marks, user: &BTreeMap<String, String>) {
    let emerged = |s: &&mut Slot| s.wanted && !s.imported && s.birth != Birth::Created;
    for slot in graph.slots.values_mut().filter(emerged) {
        slot.tags = marks.tags(&slot.id, user);
    }
}

/// Has a slot take an existing object over instead of making one.
pub(super) fn take_over(graph: &mut Graph, slot: &str, field: &str, id: Option<&str>) {
    let found = graph
        .slots
        .get_mut(slot)
        .filter(|s| s.wanted && !s.imported);
    if let (Some(found), Some(id)) = (found, id) {
        found.adopt = Some(Adoption {
            id: id.to_owned(),
            field: field.to_owned(),
        });
    }
}

/// The empty environment of an object, to be filled with accounts.
pub(super) fn env<K: ResourceExt>(object: &K, ctx: &Context, key: &str, now: Timestamp) -> Env {
    let owner = object
        .annotations()
        .get(OWNER_ID_ANNOTATION)
        .cloned()
        .unwrap_or_default();
    Env {
        now,
        stale_after: ctx.accounts.pace().stale_after(),
        marks: ctx.marks(key, &owner),
        namespace: object.namespace().unwrap_or_default(),
        azure: None,
        aws: None,
        megaport: None,
        foreign: BTreeMap::new(),
        secrets: SecretValues::default(),
        partner_port: None,
    }
}

pub(super) async fn azure(
    ctx: &Context,
    namespace: &str,
    spec: &ApiAzure,
    user: &str,
    waker: Waker,
) -> Result<AzureEnv, Rejection> {
    let secret = spec
        .credentials_secret_ref
        .as_ref()
        .map(|s| s.name.as_str());
    let account = ctx
        .accounts
        .azure(namespace, secret, &spec.subscription_id, user, waker)
        .await
        .map_err(|e| account_rejection(&e))?;
    account.want_group(&spec.resource_group);
    let snapshot = account.poller.snapshot();
    if let Some(error) = snapshot
        .group(&spec.resource_group)
        .and_then(|g| g.virtual_networks.error.as_ref())
    {
        if error.is_auth() {
            return Err(no(
                "CredentialsInvalid",
                format!("{}: {error}", credentials("azure", secret)),
            ));
        }
        if error.is_not_found() {
            return Err(no(
                "ReferenceNotFound",
                format!(
                    "spec.azure.resourceGroup: {} does not exist in subscription {}: create it, or correct the name",
                    spec.resource_group, spec.subscription_id
                ),
            ));
        }
    }
    Ok(AzureEnv {
        account,
        snapshot,
        subscription: spec.subscription_id.clone(),
        resource_group: spec.resource_group.clone(),
        location: spec.location.clone(),
        tags: spec.tags.clone(),
        virtual_network: None,
        credentials: credentials("azure", secret),
    })
}

/// The field and the Secret to correct, where a provider refuses credentials.
fn credentials(provider: &str, secret: Option<&str>) -> String {
    match secret {
        Some(name) => format!("spec.{provider}.credentialsSecretRef: Secret {name}"),
        None => format!("spec.{provider}: the identity of the platform (no credentialsSecretRef)"),
    }
}

pub(super) async fn aws(
    ctx: &Context,
    namespace: &str,
    spec: &ApiAws,
    user: &str,
    waker: Waker,
) -> Result<AwsEnv, Rejection> {
    let secret = spec
        .credentials_secret_ref
        .as_ref()
        .map(|s| s.name.as_str());
    let account = ctx
        .accounts
        .aws(namespace, secret, &spec.region, user, waker)
        .await
        .map_err(|e| account_rejection(&e))?;
    if let Some(wanted) = spec
        .account_id
        .as_ref()
        .filter(|w| **w != account.account_id)
    {
        return Err(no(
            "CredentialsInvalid",
            format!(
                "spec.aws.accountID is {wanted}, but the credentials belong to account {}: correct one of them",
                account.account_id
            ),
        ));
    }
    let snapshot = account.poller.snapshot();
    if let Some(error) = snapshot.vpcs.error.as_ref().filter(|e| e.is_auth()) {
        return Err(no(
            "CredentialsInvalid",
            format!("{}: {error}", credentials("aws", secret)),
        ));
    }
    Ok(AwsEnv {
        account_id: account.account_id.clone(),
        account,
        snapshot,
        region: spec.region.clone(),
        tags: spec.tags.clone(),
    })
}

pub(super) async fn megaport(
    ctx: &Context,
    namespace: &str,
    spec: &ApiMegaport,
    user: &str,
    waker: Waker,
) -> Result<MegaportEnv, Rejection> {
    let account = ctx
        .accounts
        .megaport(namespace, &spec.credentials_secret_ref.name, user, waker)
        .await
        .map_err(|e| account_rejection(&e))?;
    let snapshot = account.poller.snapshot();
    if let Some(error) = snapshot.products.error.as_ref().filter(|e| e.is_auth()) {
        return Err(no(
            "CredentialsInvalid",
            format!(
                "{}: {error}",
                credentials("megaport", Some(&spec.credentials_secret_ref.name))
            ),
        ));
    }
    Ok(MegaportEnv {
        account,
        snapshot,
        cost_centre: spec.cost_centre.clone(),
        credentials: credentials("megaport", Some(&spec.credentials_secret_ref.name)),
    })
}

/// The ID of a slot's object in an interconnect's status, once it has one and is not on its way out.
pub(super) fn parent_slot(parent: &HybridInterconnect, slot: &str) -> Option<String> {
    let slots = &parent.status.as_ref()?.common.slots;
    slots
        .iter()
        .find(|s| s.name == slot && !matches!(s.phase, SlotPhase::Gone | SlotPhase::Retained))
        .and_then(|s| s.id.clone())
}

/// Where a link looks up what belongs to an interconnect. While the link is being deleted, an interconnect that is gone
/// (deleted with its links orphaned, say) must not strand what the link has: then its own status remembers the IDs.
#[derive(Clone, Copy)]
pub(super) struct Lookup<'a> {
    pub ctx: &'a Context,
    pub namespace: &'a str,
    pub own: Option<&'a CommonStatus>,
    pub deleting: bool,
}

impl Lookup<'_> {
    /// The interconnect; `None` when it is gone and the link is on its way out too.
    pub fn parent(
        &self,
        name: &str,
        field: &str,
    ) -> Result<Option<Arc<HybridInterconnect>>, Rejection> {
        match self.ctx.interconnect(self.namespace, name) {
            Some(found) => Ok(Some(found)),
            None if self.deleting => Ok(None),
            None => Err(no(
                "ReferenceNotFound",
                format!(
                    "{field}: HybridInterconnect {name} does not exist in namespace {}: create it, or correct the name",
                    self.namespace
                ),
            )),
        }
    }

    /// The ID of a parent's slot, else what this link's status remembers of it under its own name.
    pub fn slot(
        &self,
        parent: Option<&HybridInterconnect>,
        theirs: &str,
        own: &str,
    ) -> Option<String> {
        parent.and_then(|p| parent_slot(p, theirs)).or_else(|| {
            let slots = &self.own.filter(|_| self.deleting)?.slots;
            slots.iter().find(|s| s.name == own)?.id.clone()
        })
    }
}

/// A router as a link sees it.
pub(super) struct ResolvedRouter {
    pub uid: Option<String>,
    pub describe: String,
    pub asn: u32,
    pub location_id: Option<i64>,
    pub zone: Option<String>,
}

/// `own` is the name under which the link itself keeps the router among its slots.
pub(super) fn router(
    lookup: Lookup<'_>,
    megaport: &MegaportEnv,
    reference: &RouterRef,
    field: &str,
    own: &str,
) -> Result<ResolvedRouter, Rejection> {
    let unknown = |uid: Option<String>, describe: String| ResolvedRouter {
        uid,
        describe,
        asn: 0,
        location_id: None,
        zone: None,
    };
    if let Some(r) = &reference.hybrid_interconnect {
        let describe = format!("router {} of HybridInterconnect {}", r.router, r.name);
        let Some(parent) = lookup.parent(&r.name, field)? else {
            return Ok(unknown(lookup.slot(None, "", own), describe));
        };
        let entry = parent
            .spec
            .megaport
            .iter()
            .flat_map(|m| &m.routers)
            .find(|x| x.name == r.router);
        if entry.is_none() && lookup.deleting {
            return Ok(unknown(
                lookup.slot(Some(&parent), &format!("router-{}", r.router), own),
                describe,
            ));
        }
        let Some(entry) = entry else {
            return Err(no(
                "ReferenceNotFound",
                format!(
                    "{field}: HybridInterconnect {} has no router {}: add it to spec.megaport.routers, or correct the name",
                    r.name, r.router
                ),
            ));
        };
        if let Some(uid) = entry.reference.as_ref().map(|p| p.product_uid.clone()) {
            return by_uid(lookup, megaport, &uid, describe, field);
        }
        return Ok(ResolvedRouter {
            uid: lookup.slot(Some(&parent), &format!("router-{}", r.router), own),
            describe,
            asn: u32::try_from(entry.asn_or_default()).unwrap_or_default(),
            location_id: entry.location_id,
            zone: entry.diversity_zone.map(|z| z.as_api().to_owned()),
        });
    }
    let uid = reference.product_uid.clone().unwrap_or_default();
    by_uid(lookup, megaport, &uid, format!("router {uid}"), field)
}

fn by_uid(
    lookup: Lookup<'_>,
    megaport: &MegaportEnv,
    uid: &str,
    describe: String,
    field: &str,
) -> Result<ResolvedRouter, Rejection> {
    if megaport.snapshot.products.read_at.is_none() {
        return Err(not_yet(
            "Validating",
            format!("{field}: Megaport's products were not read yet"),
        ));
    }
    let Some(mcr) = megaport.snapshot.mcr(uid) else {
        if lookup.deleting {
            return Ok(ResolvedRouter {
                uid: Some(uid.to_owned()),
                describe,
                asn: 0,
                location_id: None,
                zone: None,
            });
        }
        return Err(no(
            "ReferenceNotFound",
            format!(
                "{field}: Megaport shows no live router with product UID {uid}: correct it, or use credentials of the company that owns it"
            ),
        ));
    };
    Ok(ResolvedRouter {
        uid: Some(uid.to_owned()),
        describe,
        asn: mcr.asn.unwrap_or_default(),
        location_id: Some(mcr.location_id),
        zone: mcr.diversity_zone.clone(),
    })
}

pub(super) fn handle(r: &SecretKeyRef) -> SecretHandle {
    SecretHandle {
        secret: r.name.clone(),
        key: r.key.clone(),
    }
}

/// A prefix that the schema has checked already.
pub(super) fn prefix(text: &str, field: &str) -> Result<Ipv4Net, Rejection> {
    text.parse().map_err(|_| {
        no(
            "InvalidTopology",
            format!("{field}: {text} is not an IPv4 prefix: write it like 169.254.101.216/30"),
        )
    })
}

pub(super) fn bgp(
    bfd: causeway_api::common::Toggle,
    shutdown: bool,
    prepend: i64,
    med_out: i64,
) -> BgpOptions {
    BgpOptions {
        bfd: bfd == causeway_api::common::Toggle::Enabled,
        shutdown,
        prepend: u8::try_from(prepend).unwrap_or_default(),
        med_out: u32::try_from(med_out).ok().filter(|m| *m > 0),
    }
}

pub(super) fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or_default()
}
