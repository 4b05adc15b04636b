//! Cheap signals: what one list per account says of sessions, connections, telemetry and route tables.

use super::Gather;
use crate::clients::azure::ResourceId;
use crate::health::spec::{DxSpec, ErSpec, VpnSpec};
use crate::inventory::Part;
use causeway_aws::{AssociationState, State as AwsState, VifState};
use causeway_model::health::{Reading, RouteTableView};
use causeway_model::routes::{Session, Sessions, aws};
use causeway_model::spec::PeeringPort;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::net::IpAddr;

impl Gather<'_> {
    pub(super) fn cheap<T, U>(
        &self,
        part: &Part<T>,
        f: impl FnOnce(&[T]) -> Reading<U>,
    ) -> Reading<U> {
        match part.current(self.env.now, self.env.stale_after) {
            Ok(items) => f(items),
            Err(why) => Reading::Unknown(why),
        }
    }

    /// The cheap signals that are known now, by what they are about: when one changes, tables must be read again.
    pub(in crate::health) fn signals(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut put = |what: String, value: Option<String>| {
            if let Some(value) = value {
                out.insert(what, value);
            }
        };
        for er in &self.spec.express_routes {
            for (port, _) in &er.ports {
                put(
                    format!("{} {port:?}", er.name),
                    self.router_says(er, *port)
                        .known()
                        .map(|s| format!("{s:?}")),
                );
            }
            let id = self.id(&er.name, "er-connection");
            put(
                format!("{} connection", er.name),
                id.and_then(|id| self.connection_status(&id)),
            );
        }
        for dx in &self.spec.direct_connects {
            put(
                format!("{} router", dx.name),
                self.router_says_dx(dx).known().map(|s| format!("{s:?}")),
            );
            let (said, testing) = self.amazon_says(dx);
            put(
                format!("{} VIF", dx.name),
                said.known().map(|s| format!("{s:?} {testing}")),
            );
        }
        for vpn in &self.spec.vpns {
            for t in &vpn.tunnels {
                let row = self.telemetry(vpn, t.name.instance(), t.inside);
                put(
                    format!("{} {}", vpn.name, t.name.as_str()),
                    row.known()
                        .map(|r| format!("{:?} {:?}", r.health(), r.accepted_routes)),
                );
                let id = self.id(
                    &vpn.name,
                    &format!("ipsec-{}-{}", t.name.instance(), t.name.tunnel()),
                );
                put(
                    format!("{} {} connection", vpn.name, t.name.as_str()),
                    id.and_then(|id| self.connection_status(&id)),
                );
            }
        }
        let (gateway_routes, _) = self.gateway_routes();
        put(
            "GatewaySubnet".to_owned(),
            gateway_routes.known().map(|t| format!("{t:?}")),
        );
        for view in self.route_tables() {
            put(
                view.id.clone(),
                view.routes.known().map(|t| format!("{t:?}")),
            );
        }
        out
    }

    pub(super) fn connection_status(&self, id: &str) -> Option<String> {
        let azure = self.env.azure.as_ref()?;
        let id = ResourceId::new(id);
        let group = azure.snapshot.group(id.resource_group()?)?;
        let items = group
            .connections
            .current(self.env.now, self.env.stale_after)
            .ok()?;
        let found = items
            .iter()
            .find(|c| c.resource_id().is_some_and(|x| x == id))?;
        Some(format!("{:?}", found.properties.connection_status))
    }

    pub(super) fn vxc_sessions(&self, uid: Option<String>) -> Reading<Sessions> {
        let Some(megaport) = &self.env.megaport else {
            return Reading::NotOffered("no Megaport account".to_owned());
        };
        let Some(uid) = uid else {
            return Reading::Unknown("the VXC has no ID yet".to_owned());
        };
        self.cheap(&megaport.snapshot.products, |_| {
            let found = megaport.snapshot.vxcs().iter().find(|v| v.uid == uid);
            Reading::Read(
                found
                    .map(crate::clients::megaport::Vxc::sessions)
                    .unwrap_or_default(),
            )
        })
    }

    /// The router's sessions on the VXC of a circuit's port.
    pub(super) fn router_sees(&self, er: &ErSpec, port: PeeringPort) -> Reading<Sessions> {
        self.vxc_sessions(self.id(&er.name, &format!("vxc-{}", port.lower())))
    }

    /// The router's sessions on the VXC of a virtual interface.
    pub(super) fn router_sees_dx(&self, dx: &DxSpec) -> Reading<Sessions> {
        self.vxc_sessions(self.id(&dx.name, "vxc-aws"))
    }

    pub(super) fn router_says(&self, er: &ErSpec, port: PeeringPort) -> Reading<Option<Session>> {
        one(
            &self.router_sees(er, port),
            IpAddr::from(er.microsoft(port)),
        )
    }

    pub(super) fn router_says_dx(&self, dx: &DxSpec) -> Reading<Option<Session>> {
        one(&self.router_sees_dx(dx), IpAddr::from(dx.amazon.addr()))
    }

    /// The BGP peers of a virtual interface, and whether a failover test runs on it.
    pub(super) fn amazon_sees(&self, dx: &DxSpec) -> (Reading<Sessions>, bool) {
        let Some(aws) = &self.env.aws else {
            return (Reading::NotOffered("no AWS account".to_owned()), false);
        };
        let Some(id) = self.id(&dx.name, "vif") else {
            return (
                Reading::Unknown("the virtual interface has no ID yet".to_owned()),
                false,
            );
        };
        let mut testing = false;
        let said = self.cheap(&aws.snapshot.vifs, |items| {
            let vif = items.iter().find(|v| v.id == id);
            testing = vif.is_some_and(|v| v.state == VifState::Testing);
            Reading::Read(vif.map_or_else(Sessions::default, |v| aws::vif_sessions(&v.peers)))
        });
        (said, testing)
    }

    pub(super) fn amazon_says(&self, dx: &DxSpec) -> (Reading<Option<Session>>, bool) {
        let (all, testing) = self.amazon_sees(dx);
        (one(&all, IpAddr::from(dx.customer.addr())), testing)
    }

    pub(super) fn associated(&self) -> Reading<bool> {
        let (Some(aws), Some(dxgw)) = (&self.env.aws, self.own("dxgw")) else {
            return Reading::Unknown("the Direct Connect gateway has no ID yet".to_owned());
        };
        let vgw = self.own("vgw");
        self.cheap(&aws.snapshot.associations, |items| {
            let holds = |s: &AssociationState| {
                matches!(s, AssociationState::Associated | AssociationState::Updating)
            };
            Reading::Read(items.iter().any(|a| {
                a.dx_gateway_id == dxgw
                    && vgw.as_ref().is_none_or(|v| a.gateway_id == *v)
                    && holds(&a.state)
            }))
        })
    }

    pub(super) fn telemetry(
        &self,
        vpn: &VpnSpec,
        instance: u8,
        inside: Ipv4Net,
    ) -> Reading<aws::TunnelRow> {
        let Some(aws) = &self.env.aws else {
            return Reading::NotOffered("no AWS account".to_owned());
        };
        let Some(id) = self.id(&vpn.name, &format!("vpn-connection-{instance}")) else {
            return Reading::Unknown("the VPN connection has no ID yet".to_owned());
        };
        self.cheap(&aws.snapshot.vpn_connections, |items| {
            let found = items
                .iter()
                .filter(|c| c.state != AwsState::Deleted)
                .find(|c| c.id == id)
                .and_then(|c| c.tunnel(inside));
            found.map_or_else(
                || Reading::Unknown("AWS shows no such tunnel".to_owned()),
                |t| Reading::Read(t.health.clone()),
            )
        })
    }

    pub(super) fn route_tables(&self) -> Vec<RouteTableView> {
        let (Some(aws), Some(vgw)) = (&self.env.aws, self.own("vgw")) else {
            return Vec::new();
        };
        let listed = &self.spec.route_tables;
        match aws
            .snapshot
            .route_tables
            .current(self.env.now, self.env.stale_after)
        {
            Ok(items) => items
                .iter()
                .filter(|t| t.propagating_vgws.contains(&vgw) || listed.contains(&t.id))
                .map(|t| RouteTableView {
                    id: t.id.clone(),
                    routes: Reading::Read(aws::route_table(&t.routes)),
                })
                .collect(),
            Err(why) => listed
                .iter()
                .map(|id| RouteTableView {
                    id: id.clone(),
                    routes: Reading::Unknown(why.clone()),
                })
                .collect(),
        }
    }
}

/// The session with a peer. One that may hide in a row that nobody understood is not absent.
fn one(all: &Reading<Sessions>, peer: IpAddr) -> Reading<Option<Session>> {
    match all {
        Reading::Read(s) => match s.rows.iter().find(|r| r.peer == peer) {
            None if !s.is_whole() => Reading::Unknown(
                "its BGP sessions could not be understood; the RouteReport shows them as text"
                    .to_owned(),
            ),
            found => Reading::Read(found.cloned()),
        },
        Reading::Outdated(s) => Reading::Outdated(s.rows.iter().find(|r| r.peer == peer).cloned()),
        Reading::Unknown(why) => Reading::Unknown(why.clone()),
        Reading::NotOffered(why) => Reading::NotOffered(why.clone()),
    }
}
