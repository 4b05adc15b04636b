//! Validate, second half: gathers the facts that the topology rules need (virtual network, VPC, catalogues) and lets
//! `causeway-model` judge them.

use super::context::Context;
use super::env::Env;
use causeway_api::{DirectConnectLink, ExpressRouteLink, HybridInterconnect, VpnPair};
use causeway_model::report::Rejection;
use causeway_model::spec::{DirectConnect, ExpressRoute, Interconnect, Vpn};

pub async fn express_route(
    _object: &ExpressRouteLink,
    _ctx: &Context,
    _env: &Env,
    _model: &ExpressRoute,
) -> Result<Option<Rejection>, Rejection> {
    Ok(None)
}
pub async fn direct_connect(
    _object: &DirectConnectLink,
    _ctx: &Context,
    _env: &Env,
    _model: &DirectConnect,
) -> Result<Option<Rejection>, Rejection> {
    Ok(None)
}
pub async fn vpn(
    _object: &VpnPair,
    _ctx: &Context,
    _env: &Env,
    _model: &Vpn,
) -> Result<Option<Rejection>, Rejection> {
    Ok(None)
}
pub async fn interconnect(
    _object: &HybridInterconnect,
    _ctx: &Context,
    _env: &Env,
    _model: &Interconnect,
) -> Result<Option<Rejection>, Rejection> {
    Ok(None)
}
