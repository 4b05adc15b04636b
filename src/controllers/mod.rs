//! The controllers of the four kinds: one engine, and per kind what differs (references, graph, health, links).

pub mod context;
pub mod engine;
pub mod env;
pub mod execute;
pub mod facts;
pub mod keys;
pub mod kinds;
pub mod locks;
pub mod marks;
pub mod memo;
pub mod observe;
pub mod run;
pub mod secrets;
pub mod status;

use crate::health::LastPath;
use causeway_api::status::{AccountIDs, ResolvedReference};
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::desired::SecretHandle;
use causeway_model::report::{self, HealthVerdicts, LinkState, Rejection};
use causeway_model::slot::Graph;
use context::Context;
use engine::ReconcileError;
use env::Env;
use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::core::object::HasSpec;
use kube::runtime::reflector::ObjectRef;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;

/// Where objects are sent that somebody wants looked at again.
#[derive(Debug, Clone)]
pub struct Wakes {
    pub interconnects: UnboundedSender<ObjectRef<HybridInterconnect>>,
    pub express_routes: UnboundedSender<ObjectRef<ExpressRouteLink>>,
    pub direct_connects: UnboundedSender<ObjectRef<DirectConnectLink>>,
    pub vpns: UnboundedSender<ObjectRef<VpnPair>>,
}

/// What gathering yields.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub env: Env,
    pub graph: Graph,
    /// Secret values that executing may need.
    pub secrets: Vec<SecretHandle>,
    /// References as resolved, kept in status.
    pub references: Vec<ResolvedReference>,
    /// Whether another path was proven; `None` where no path of anybody's is at stake.
    pub other_path_proven: Option<bool>,
    /// What health needs to know of the spec.
    pub health: kinds::HealthSpec,
}

impl Prepared {
    pub fn account_ids(&self) -> AccountIDs {
        AccountIDs {
            azure_subscription: self.env.azure.as_ref().map(|a| a.subscription.clone()),
            aws: self.env.aws.as_ref().map(|a| a.account_id.clone()),
            megaport_company: None,
        }
    }
}

/// What judging yields.
#[derive(Debug, Clone, Default)]
pub struct Health {
    pub verdicts: HealthVerdicts,
    pub sessions_up: usize,
    pub sessions_expected: usize,
    pub detail: kinds::HealthDetail,
    /// When to judge again, if sooner than the plan says.
    pub look_again: Option<Duration>,
}

/// A kind that the engine reconciles.
pub trait Managed:
    causeway_api::Managed
    + Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasSpec<Spec: Serialize>
    + Clone
    + Debug
    + PartialEq
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    const KIND: &'static str;
    const REPORT: report::Kind;

    /// Puts what only this kind's status shows of a report into it.
    fn show(&mut self, written: &status::Written<'_>);
    /// What status remembers of the active path and of failovers; only an interconnect has them.
    fn last_path(&self) -> LastPath {
        LastPath::default()
    }
    /// Names of the Secrets that the spec refers to.
    fn secrets(&self) -> Vec<String>;
    fn wake(wakes: &Wakes) -> &UnboundedSender<ObjectRef<Self>>;

    /// Resolves references, accounts and facts, checks the rules (not while deleting), and builds the graph.
    fn prepare(
        object: &Arc<Self>,
        ctx: &Arc<Context>,
        key: &str,
        now: Timestamp,
        deleting: bool,
    ) -> impl Future<Output = Result<Result<Prepared, Rejection>, ReconcileError>> + Send;

    /// Makes, changes and removes the links that the object owns; answers how they stand.
    fn links(
        _object: &Arc<Self>,
        _ctx: &Arc<Context>,
        _deleting: bool,
    ) -> impl Future<Output = Result<Vec<LinkState>, ReconcileError>> + Send {
        async { Ok(Vec::new()) }
    }

    /// How the links stand, without touching them.
    fn links_now(_object: &Self, _ctx: &Context) -> Vec<LinkState> {
        Vec::new()
    }
}
