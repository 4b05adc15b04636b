//! Health: gathers the vantages of an object, lets `causeway-model` judge them, and writes the RouteReport.

use crate::controllers::context::Context;
use crate::controllers::{Health, Prepared};
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::observe::Observed;
use causeway_model::plan::Plan;
use causeway_model::spec::{DirectConnect, ExpressRoute, Interconnect, Vpn};
use std::sync::Arc;

/// What judging needs to know of a spec.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthSpec {}

/// What a kind's status shows beside the conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HealthDetail {}

pub fn express_route_spec(
    _object: &ExpressRouteLink,
    _ctx: &Context,
    _model: &ExpressRoute,
) -> HealthSpec {
    HealthSpec::default()
}
pub fn direct_connect_spec(
    _object: &DirectConnectLink,
    _ctx: &Context,
    _model: &DirectConnect,
) -> HealthSpec {
    HealthSpec::default()
}
pub fn vpn_spec(_object: &VpnPair, _ctx: &Context, _model: &Vpn) -> HealthSpec {
    HealthSpec::default()
}
pub fn interconnect_spec(
    _object: &HybridInterconnect,
    _ctx: &Context,
    _model: &Interconnect,
) -> HealthSpec {
    HealthSpec::default()
}

pub async fn judge_express_route(
    _object: &Arc<ExpressRouteLink>,
    _ctx: &Arc<Context>,
    _key: &str,
    _prepared: &Prepared,
    _observed: &Observed,
    _plan: &Plan,
) -> Health {
    Health::default()
}
pub async fn judge_direct_connect(
    _object: &Arc<DirectConnectLink>,
    _ctx: &Arc<Context>,
    _key: &str,
    _prepared: &Prepared,
    _observed: &Observed,
    _plan: &Plan,
) -> Health {
    Health::default()
}
pub async fn judge_vpn(
    _object: &Arc<VpnPair>,
    _ctx: &Arc<Context>,
    _key: &str,
    _prepared: &Prepared,
    _observed: &Observed,
    _plan: &Plan,
) -> Health {
    Health::default()
}
pub async fn judge_interconnect(
    _object: &Arc<HybridInterconnect>,
    _ctx: &Arc<Context>,
    _key: &str,
    _prepared: &Prepared,
    _observed: &Observed,
    _plan: &Plan,
) -> Health {
    Health::default()
}

/// Puts what was judged of an interconnect into its status.
pub fn show(_status: &mut causeway_api::HybridInterconnectStatus, _health: &Health) {}
