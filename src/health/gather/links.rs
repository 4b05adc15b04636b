//! The vantages around each link and gateway: views for the judge, and the same tables for the report.

use super::tables::{a_table, sessions_of};
use super::{Gather, key};
use crate::clients::azure::ResourceId;
use crate::health::report::Seed;
use crate::health::spec::{DxSpec, ErSpec, VpnSpec};
use crate::vantages::{Content, Source, What};
use causeway_api::report::VantageKind;
use causeway_api::status::Provider;
use causeway_aws::AssociationState;
use causeway_model::health::{
    DirectConnectView, ErGatewayView, ErPort, ExpressRouteView, Picture, Reading, RouterView,
    SubjectKind, VpnTunnelView, VpnView,
};
use causeway_model::routes::{Learned, NextHop, Route, Sessions, Table};
use causeway_model::spec::PeeringPort;
use ipnet::IpNet;

fn missing<T>() -> Reading<T> {
    Reading::Unknown("the circuit has no ID yet".to_owned())
}

impl Gather<'_> {
    pub(super) fn routers(&self, p: &mut Picture, seeds: &mut Vec<Seed>, complete: &mut bool) {
        for r in self.router_specs() {
            let source = self
                .env
                .megaport
                .as_ref()
                .map(|m| Source::Megaport(m.account.client.clone()));
            let routes = match &r.uid {
                Some(uid) => self.table(source, What::RouterRoutes(uid.clone()), complete, a_table),
                None => Reading::Unknown("the router has no ID yet".to_owned()),
            };
            let of_circuits = self.spec.express_routes.iter().flat_map(|e| {
                e.ports
                    .iter()
                    .filter(|(_, x)| x == r)
                    .map(|(port, _)| self.router_sees(e, *port))
            });
            let of_interfaces = self
                .spec
                .direct_connects
                .iter()
                .filter(|d| d.router == *r)
                .map(|d| self.router_sees_dx(d));
            let mut all = Sessions::default();
            for s in of_circuits.chain(of_interfaces) {
                if let Some(s) = s.shown() {
                    all.rows.extend(s.rows.iter().cloned());
                    all.not_understood.extend(s.not_understood.iter().cloned());
                }
            }
            let seed = Seed::new(
                format!("router-{}", r.name),
                Provider::Megaport,
                VantageKind::MegaportRouter,
                r.uid.as_deref(),
            );
            seeds.push(seed.routes(&routes).sessions(&Reading::Read(all)));
            p.routers.push(RouterView {
                key: key(r),
                name: r.name.clone(),
                asn: r.asn,
                routes,
            });
        }
    }

    pub(super) fn express_route(
        &self,
        er: &ErSpec,
        seeds: &mut Vec<Seed>,
        complete: &mut bool,
    ) -> ExpressRouteView {
        let circuit = self.id(&er.name, "circuit").map(ResourceId::new);
        let mut ports = Vec::new();
        for port in [PeeringPort::Primary, PeeringPort::Secondary] {
            let router = er.ports.iter().find(|(x, _)| *x == port).map(|(_, r)| r);
            let routes = circuit.clone().map_or_else(missing, |c| {
                let what = What::CircuitRoutes(c, port);
                self.table(self.azure(), what, complete, a_table)
            });
            let name = if self.spec.kind == SubjectKind::HybridInterconnect {
                format!("{}-circuit-{}", er.name, port.lower())
            } else {
                format!("circuit-{}", port.lower())
            };
            let object = circuit.as_ref().map(ResourceId::as_str);
            let mut edge = Reading::NotOffered("the port is not connected".to_owned());
            if let Some(router) = router {
                edge = circuit.clone().map_or_else(missing, |c| {
                    let what = What::CircuitSummary(c, port);
                    self.table(self.azure(), what, complete, sessions_of)
                });
                ports.push(ErPort {
                    port,
                    router: key(router),
                    router_asn: router.asn,
                    customer: er.customer(port),
                    microsoft: er.microsoft(port),
                    router_says: self.router_says(er, port),
                    edge_says: edge.clone(),
                    routes: routes.clone(),
                });
            }
            seeds.push(
                Seed::new(name, Provider::Azure, VantageKind::CircuitPort, object)
                    .routes(&routes)
                    .sessions(&edge),
            );
        }
        ExpressRouteView {
            name: er.name.clone(),
            circuit: er.circuit.clone(),
            ports,
            link_nets: vec![er.primary, er.secondary],
        }
    }

    pub(super) fn er_gateway(
        &self,
        seeds: &mut Vec<Seed>,
        complete: &mut bool,
    ) -> Option<ErGatewayView> {
        let id = ResourceId::new(self.own("er-gateway")?);
        let (peers, silent) = self.gateway_peers(&id, complete);
        let what = What::GatewayRoutes(id.clone());
        let learned = self.table(self.azure(), what, complete, a_table);
        let seed = Seed::new(
            "er-gateway".to_owned(),
            Provider::Azure,
            VantageKind::ExpressRouteGateway,
            Some(id.as_str()),
        );
        seeds.push(seed.routes(&learned).sessions(&peers));
        Some(ErGatewayView {
            name: id.name().to_owned(),
            peers,
            silent,
            learned,
        })
    }

    pub(super) fn vpn(&self, vpn: &VpnSpec, seeds: &mut Vec<Seed>, complete: &mut bool) -> VpnView {
        let id = self.id(&vpn.name, "vpn-gateway").map(ResourceId::new);
        let no_id = "the VPN gateway has no ID yet";
        let (peers, silent) = id.as_ref().map_or_else(
            || (Reading::Unknown(no_id.to_owned()), false),
            |g| self.gateway_peers(g, complete),
        );
        let learned = id.clone().map_or_else(
            || Reading::Unknown(no_id.to_owned()),
            |g| self.table(self.azure(), What::GatewayRoutes(g), complete, a_table),
        );
        let seed = Seed::new(
            "vpn-gateway".to_owned(),
            Provider::Azure,
            VantageKind::VpnGateway,
            id.as_ref().map(ResourceId::as_str),
        );
        seeds.push(seed.routes(&learned).sessions(&peers));
        let tunnels = vpn
            .tunnels
            .iter()
            .map(|t| {
                let telemetry = self.telemetry(vpn, t.name.instance(), t.inside);
                let connection =
                    self.id(&vpn.name, &format!("vpn-connection-{}", t.name.instance()));
                seeds.push(Seed::tunnel(
                    t.name.as_str(),
                    connection.as_deref(),
                    &telemetry,
                ));
                VpnTunnelView {
                    name: t.name.as_str().to_owned(),
                    inside: t.inside,
                    bgp_expected: t.bgp_expected,
                    telemetry,
                }
            })
            .collect();
        VpnView {
            name: vpn.name.clone(),
            gateway: vpn.gateway.clone(),
            tunnels,
            peers,
            silent,
            learned,
        }
    }

    pub(super) fn direct_connect(
        &self,
        dx: &DxSpec,
        seeds: &mut Vec<Seed>,
        complete: &mut bool,
    ) -> DirectConnectView {
        let vif = self.id(&dx.name, "vif");
        let source = self
            .env
            .aws
            .as_ref()
            .map(|a| Source::Aws(a.account.client.clone()));
        let both = match &vif {
            Some(id) => self.table(source, What::VifRoutes(id.clone()), complete, |c| {
                if let Content::Vif {
                    accepted,
                    advertised,
                } = c
                {
                    Some((accepted.clone(), advertised.clone()))
                } else {
                    None
                }
            }),
            None => Reading::Unknown("the virtual interface has no ID yet".to_owned()),
        };
        let accepted = both.clone().map(|(a, _)| a);
        let advertised = both.map(|(_, a)| a);
        let (amazon_says, testing) = self.amazon_says(dx);
        let name = if self.spec.kind == SubjectKind::HybridInterconnect {
            format!("{}-vif", dx.name)
        } else {
            "vif".to_owned()
        };
        let seed = Seed::new(
            name,
            Provider::AWS,
            VantageKind::VirtualInterface,
            vif.as_deref(),
        );
        seeds.push(
            seed.directed(&accepted, &advertised)
                .sessions(&self.amazon_sees(dx).0),
        );
        let associated = self.associated();
        if let Some(id) = self.own("dxgw") {
            let name = "dx-gateway".to_owned();
            if !seeds.iter().any(|s| s.name == name) {
                seeds.push(self.dx_gateway(name, &id));
            }
        }
        DirectConnectView {
            name: dx.name.clone(),
            router: key(&dx.router),
            router_asn: dx.router.asn,
            amazon: dx.amazon.addr(),
            customer: dx.customer.addr(),
            link_net: dx.amazon.trunc(),
            gateway_asn: dx.gateway_asn,
            router_says: self.router_says_dx(dx),
            amazon_says,
            testing,
            accepted,
            advertised,
            associated,
        }
    }

    /// The allowed prefixes of the gateway's associations, as routes: what AWS advertises over its interfaces.
    pub(super) fn dx_gateway(&self, name: String, id: &str) -> Seed {
        let table = match &self.env.aws {
            Some(aws) => self.cheap(&aws.snapshot.associations, |items| {
                let mut t = Table::default();
                let live = items.iter().filter(|a| {
                    a.dx_gateway_id == id && !matches!(a.state, AssociationState::Disassociated)
                });
                for a in live {
                    t.routes.extend(a.allowed_prefixes.iter().map(|p| {
                        Route::new(
                            IpNet::V4(*p),
                            NextHop::Object(a.gateway_id.clone()),
                            Learned::Static,
                        )
                    }));
                }
                Reading::Read(t)
            }),
            None => Reading::NotOffered("no AWS account".to_owned()),
        };
        Seed::new(
            name,
            Provider::AWS,
            VantageKind::DirectConnectGateway,
            Some(id),
        )
        .routes(&table)
    }
}
