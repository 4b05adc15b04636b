//! Fills a picture for the model: cheap signals from the inventories of this reconcile, tables from the vantages. Reads
//! nothing itself and judges nothing.

mod cheap;
mod links;
mod networks;
mod tables;

pub(super) use networks::{Networks, networks};

use super::report::Seed;
use super::spec::{RouterSpec, Subject};
use crate::controllers::env::Env;
use crate::inventory::Waker;
use crate::vantages::{Source, Vantages, What};
use causeway_api::report::VantageKind;
use causeway_api::status::Provider;
use causeway_model::health::{NicView, Picture, SubjectKind};
use causeway_model::observe::{Observed, Seen};
use ipnet::Ipv4Net;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use tables::a_table;

/// One gathering.
pub(super) struct Gather<'a> {
    pub spec: &'a Subject,
    pub env: &'a Env,
    pub observed: &'a Observed,
    pub vantages: &'a Arc<Vantages>,
    pub who: &'a str,
    pub waker: Waker,
    pub busy: bool,
    /// When a cheap signal last changed.
    pub since: Option<Timestamp>,
    pub networks: Networks,
}

/// What gathering yields.
pub(super) struct Gathered {
    pub picture: Picture,
    pub seeds: Vec<Seed>,
    /// Every table was read once, or is known not to be readable.
    pub complete: bool,
}

/// The ID of an own slot's object: as seen, else as recorded (right after a start nothing was seen yet).
fn id_of(observed: &Observed, slot: &str) -> Option<String> {
    match observed.seen.get(slot) {
        Some(Seen::Present(p)) => Some(p.id.clone()),
        Some(Seen::Absent | Seen::Gone { .. }) => None,
        Some(Seen::Unreadable(_)) | None => observed.records.get(slot).and_then(|r| r.id.clone()),
    }
}

impl Gather<'_> {
    fn own(&self, slot: &str) -> Option<String> {
        id_of(self.observed, slot)
    }

    fn id(&self, link: &str, slot: &str) -> Option<String> {
        if self.spec.kind == SubjectKind::HybridInterconnect {
            self.spec.slots.get(link)?.get(slot).cloned()
        } else {
            self.own(slot)
        }
    }

    fn azure(&self) -> Option<Source> {
        self.env
            .azure
            .as_ref()
            .map(|a| Source::Azure(a.account.client.clone()))
    }

    /// Everything.
    pub(super) fn all(&self) -> Gathered {
        let mut complete = self.env.looked_at();
        let mut seeds = Vec::new();
        let mut p = Picture::empty(self.spec.kind);
        self.frame(&mut p);
        let (gateway_routes, seed) = self.gateway_routes();
        p.gateway_routes = gateway_routes;
        seeds.extend(seed);
        for er in &self.spec.express_routes {
            let view = self.express_route(er, &mut seeds, &mut complete);
            p.express_routes.push(view);
        }
        if !self.spec.express_routes.is_empty() || self.spec.kind == SubjectKind::HybridInterconnect
        {
            p.er_gateway = self.er_gateway(&mut seeds, &mut complete);
        }
        for vpn in &self.spec.vpns {
            let view = self.vpn(vpn, &mut seeds, &mut complete);
            p.vpns.push(view);
        }
        self.routers(&mut p, &mut seeds, &mut complete);
        for dx in &self.spec.direct_connects {
            let view = self.direct_connect(dx, &mut seeds, &mut complete);
            p.direct_connects.push(view);
        }
        for (name, id) in &self.spec.network_interfaces {
            let routes = self.table(
                self.azure(),
                What::EffectiveRoutes(id.clone()),
                &mut complete,
                a_table,
            );
            let seed = Seed::new(
                format!("nic-{name}"),
                Provider::Azure,
                VantageKind::NetworkInterface,
                Some(id.as_str()),
            );
            seeds.push(seed.routes(&routes));
            p.nics.push(NicView {
                name: name.clone(),
                routes,
            });
        }
        p.route_tables = self.route_tables();
        for t in &p.route_tables {
            seeds.push(
                Seed::new(
                    t.id.clone(),
                    Provider::AWS,
                    VantageKind::RouteTable,
                    Some(&t.id),
                )
                .routes(&t.routes),
            );
        }
        Gathered {
            picture: p,
            seeds,
            complete,
        }
    }

    /// Contract and networks.
    fn frame(&self, p: &mut Picture) {
        let n = &self.networks;
        p.own_azure.clone_from(&n.azure);
        p.own_aws.clone_from(&n.aws);
        p.gateway_subnet = n.gateway_subnet;
        p.mesh_subnets.clone_from(&n.mesh_subnets);
        if let Some(c) = &self.spec.contract {
            p.azure_sees = c.azure_sees.clone().unwrap_or_else(|| n.aws.clone());
            p.aws_sees = c.aws_sees.clone().unwrap_or_else(|| n.azure.clone());
            p.deny_additional = c.deny_additional;
            p.prefer_express_route = c.prefer_express_route;
            p.contract = true;
        }
        // Every network between the routers and their neighbours is one that a router announces.
        if let Some(m) = &self.env.megaport {
            let of = |uid: &str| {
                m.snapshot
                    .vxcs()
                    .iter()
                    .filter(|v| v.a_end.product_uid == uid)
                    .flat_map(|v| v.router.iter().flat_map(|r| &r.interfaces))
                    .flat_map(|i| &i.ip_addresses)
                    .filter_map(|t| t.parse::<Ipv4Net>().ok())
                    .map(|n| n.trunc())
                    .collect::<Vec<_>>()
            };
            p.other_link_nets = self
                .router_specs()
                .iter()
                .filter_map(|r| r.uid.as_deref())
                .flat_map(of)
                .collect();
        }
    }

    fn router_specs(&self) -> Vec<&RouterSpec> {
        let mut out: Vec<&RouterSpec> = Vec::new();
        let of_er = self
            .spec
            .express_routes
            .iter()
            .flat_map(|e| e.ports.iter().map(|(_, r)| r));
        for r in of_er.chain(self.spec.direct_connects.iter().map(|d| &d.router)) {
            if !out.iter().any(|o| o.name == r.name && o.uid == r.uid) {
                out.push(r);
            }
        }
        out
    }

    /// The peers that must be up, for the report.
    pub(super) fn expected_peers(&self) -> BTreeSet<IpAddr> {
        let mut out = BTreeSet::new();
        for er in &self.spec.express_routes {
            for (port, _) in &er.ports {
                out.extend([
                    IpAddr::from(er.microsoft(*port)),
                    IpAddr::from(er.customer(*port)),
                ]);
            }
        }
        for dx in &self.spec.direct_connects {
            out.extend([
                IpAddr::from(dx.amazon.addr()),
                IpAddr::from(dx.customer.addr()),
            ]);
        }
        for t in self
            .spec
            .vpns
            .iter()
            .flat_map(|v| &v.tunnels)
            .filter(|t| t.bgp_expected)
        {
            out.extend([
                IpAddr::from(causeway_model::spec::first_host(t.inside)),
                IpAddr::from(causeway_model::spec::second_host(t.inside)),
            ]);
        }
        out
    }
}

fn key(r: &RouterSpec) -> String {
    r.uid.clone().unwrap_or_else(|| r.name.clone())
}
