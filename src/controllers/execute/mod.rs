//! Act: carries out the actions of a plan, each by one provider call (or read, change, write). Decides nothing: what is
//! done comes from the plan, what it is made of from the slot's desired content and from what was observed.

mod aws;
mod azure;
mod kubernetes;
mod megaport;

use super::env::Env;
use super::secrets::SecretValues;
use causeway_model::desired::SecretHandle;
use causeway_model::intent::{CloudError, Intent, Sent};
use causeway_model::observe::{Observed, Ownership, Seen};
use causeway_model::plan::Action;
use causeway_model::provider::Provider;
use causeway_model::secret::Secret;
use causeway_model::slot::{Graph, Slot};

/// What an accepted call yielded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The object's ID, where the answer gives it.
    pub id: Option<String>,
    /// Where Azure tells how the operation ended.
    pub operation_url: Option<String>,
}

/// Everything that an action is made of.
pub struct Executor<'a> {
    pub env: &'a Env,
    pub graph: &'a Graph,
    pub observed: &'a Observed,
    pub secrets: &'a SecretValues,
    pub client: &'a kube::Client,
    /// Owner reference for the keys Secret.
    pub owner: k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference,
}

impl Executor<'_> {
    /// Carries out one action.
    ///
    /// # Errors
    /// The provider's answer, classified.
    pub async fn run(&self, action: &Action) -> Result<Done, CloudError> {
        let Some(slot) = self.graph.slots.get(action.slot()) else {
            return Err(self.defect(
                Provider::Kubernetes,
                action.slot().as_str(),
                "the slot is not in the graph",
            ));
        };
        match slot.provider {
            Provider::Azure => azure::run(self, slot, action).await,
            Provider::Aws => aws::run(self, slot, action).await,
            Provider::Megaport => megaport::run(self, slot, action).await,
            Provider::Kubernetes => kubernetes::run(self, slot, action).await,
        }
    }

    /// The ID of a slot's object as observed.
    fn id(&self, slot: &Slot) -> Result<String, CloudError> {
        self.seen_id(slot.id.as_str())
            .or_else(|| {
                self.observed
                    .records
                    .get(&slot.id)
                    .and_then(|r| r.id.clone())
            })
            .ok_or_else(|| self.missing(slot, slot.id.as_str()))
    }

    fn seen_id(&self, slot: &str) -> Option<String> {
        self.observed
            .seen
            .get(slot)
            .and_then(Seen::present)
            .map(|p| p.id.clone())
    }

    /// The ID of another slot's object, which the plan promised to be there.
    fn other(&self, slot: &Slot, other: &str) -> Result<String, CloudError> {
        self.seen_id(other).ok_or_else(|| self.missing(slot, other))
    }

    /// The ASN of the router that the link hangs on, as Megaport says it.
    fn router_asn(&self, slot: &Slot) -> Result<u32, CloudError> {
        let uid = self.other(slot, "router")?;
        let router = self
            .env
            .megaport
            .as_ref()
            .and_then(|m| m.snapshot.mcr(&uid));
        router
            .and_then(|m| m.asn)
            .ok_or_else(|| self.missing(slot, "the ASN of the router"))
    }

    fn secret(&self, slot: &Slot, handle: &SecretHandle) -> Result<Secret, CloudError> {
        self.secrets.get(handle).ok_or_else(|| {
            let what = format!(
                "key {} of Secret {} is missing or empty: add it to the namespace {}",
                handle.key, handle.secret, self.env.namespace
            );
            self.blocked(slot, "readSecret", "SecretMissing", what)
        })
    }

    /// Something else must change first; says what.
    fn blocked(&self, slot: &Slot, operation: &str, code: &str, on: String) -> CloudError {
        let intent = Intent::Blocked {
            on: on.clone(),
            retry_after: None,
        };
        CloudError::new(slot.provider, operation, slot.id.as_str(), intent, code, on)
    }

    /// The last look before our marks go on an object: what its tags say now, not what a list said a moment ago.
    fn not_foreign(
        &self,
        slot: &Slot,
        id: &str,
        tags: &std::collections::BTreeMap<String, String>,
    ) -> Result<(), CloudError> {
        let Ownership::Foreign(owner) = self.env.marks.judge(tags) else {
            return Ok(());
        };
        let field = slot.adopt.as_ref().map_or("adoptID", |a| a.field.as_str());
        Err(CloudError::new(
            slot.provider,
            "adopt",
            id,
            Intent::Terminal,
            "NameConflict",
            format!("{field}: {} {id} belongs to {owner}: correct {field}, or set deletionPolicy Retain there and delete it first", slot.noun),
        )
        .sent(Sent::No))
    }

    fn missing(&self, slot: &Slot, other: &str) -> CloudError {
        let what = format!("{other} is not there (any more)");
        CloudError::new(
            slot.provider,
            "plan",
            slot.id.as_str(),
            Intent::Conflict,
            "Outdated",
            what,
        )
    }

    fn defect(&self, provider: Provider, slot: &str, what: &str) -> CloudError {
        CloudError::new(
            provider,
            "plan",
            slot,
            Intent::Terminal,
            "Unsupported",
            what,
        )
    }

    fn unsupported(&self, slot: &Slot, action: &Action) -> CloudError {
        self.defect(
            slot.provider,
            slot.id.as_str(),
            &format!("{} is not possible for a {}", action.verb(), slot.noun),
        )
    }
}
