//! The guard of GatewaySubnet: a route table on it can take the gateways' own sessions away (lab.md, bonus exercise;
//! azure.md §5.1). Pure: says which route catches them and exactly which route to add, and decides nothing about health.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The next hop type that keeps traffic inside the virtual network, as the API calls it (azure.md §5.1).
pub const VNET_LOCAL: &str = "VnetLocal";

/// A route table on GatewaySubnet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubnetRoutes {
    /// The table's name.
    pub name: String,
    pub propagation_disabled: bool,
    pub routes: Vec<UserRoute>,
    /// Routes whose prefix is none: service tags, which lead to no private address, and what nobody understands.
    pub other: Vec<String>,
}

/// A route that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserRoute {
    pub name: String,
    pub prefix: IpNet,
    /// `VnetLocal`, `VirtualAppliance`, `VirtualNetworkGateway`, `Internet`, `None`.
    pub next_hop_type: String,
    pub next_hop: Option<IpAddr>,
}

impl UserRoute {
    fn is_local(&self) -> bool {
        self.next_hop_type.eq_ignore_ascii_case(VNET_LOCAL)
    }

    /// Where it sends traffic, for people.
    fn target(&self) -> String {
        match (self.next_hop, self.next_hop_type.as_str()) {
            (Some(hop), _) => format!("the appliance {hop}"),
            (None, "Internet") => "the Internet".to_owned(),
            (None, "None") => "nowhere".to_owned(),
            (None, other) => other.to_owned(),
        }
    }
}

/// A route that catches the sessions between the gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// The route table's name.
    pub table: String,
    /// The route that wins.
    pub route: UserRoute,
    /// The routes to add, each with next hop type `VnetLocal`. Empty when the route lies inside a subnet of the gateways:
    /// then nothing but its removal helps.
    pub add: Vec<IpNet>,
}

impl Trap {
    /// What is wrong.
    pub fn cause(&self) -> String {
        format!(
            "route table {} on GatewaySubnet sends {} to {}, and with it the BGP sessions between the gateways",
            self.table,
            self.route.prefix,
            self.route.target()
        )
    }

    /// What to do.
    pub fn remedy(&self) -> String {
        if self.add.is_empty() {
            return format!(
                "remove the route {} from route table {}",
                self.route.name, self.table
            );
        }
        let list = self
            .add
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" and ");
        format!(
            "add a route for {list} with next hop type VnetLocal (\"Virtual network\" in the portal) to route table {}",
            self.table
        )
    }

    /// Both, as one sentence.
    pub fn sentence(&self) -> String {
        format!("{}: {}", self.cause(), self.remedy())
    }
}

/// Finds the trap. `network`: the virtual network's prefixes; `subnets`: those of GatewaySubnet, and of RouteServerSubnet
/// where there is one.
///
/// A route catches a subnet when it wins there: the longest prefix does, and at equal length a user's route goes before
/// the virtual network's own (azure.md §5.1). So a route that is wider than the virtual network catches nothing.
pub fn trap(table: &SubnetRoutes, network: &[IpNet], subnets: &[IpNet]) -> Option<Trap> {
    let mut found: Option<UserRoute> = None;
    let mut add = Vec::new();
    for subnet in subnets {
        let own = network
            .iter()
            .filter(|n| n.contains(subnet))
            .map(IpNet::prefix_len)
            .max()
            .unwrap_or_default();
        let winner = table
            .routes
            .iter()
            .filter(|r| r.prefix.contains(subnet) && r.prefix.prefix_len() >= own)
            .max_by_key(|r| r.prefix.prefix_len());
        if let Some(route) = winner.filter(|r| !r.is_local()) {
            found.get_or_insert_with(|| route.clone());
            // A route for the subnet itself is there already, with the wrong next hop: it must go.
            if route.prefix != *subnet {
                add.push(*subnet);
            }
        }
    }
    if let Some(route) = found {
        return Some(Trap {
            table: table.name.clone(),
            route,
            add,
        });
    }
    let inside = table.routes.iter().find(|r| {
        !r.is_local()
            && subnets
                .iter()
                .any(|s| s.contains(&r.prefix) && r.prefix != *s)
    })?;
    Some(Trap {
        table: table.name.clone(),
        route: inside.clone(),
        add: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // tests
    use super::*;

    fn net(s: &str) -> IpNet {
        s.parse().unwrap()
    }

    fn route(prefix: &str, kind: &str, hop: Option<&str>) -> UserRoute {
        UserRoute {
            name: format!("to-{kind}"),
            prefix: net(prefix),
            next_hop_type: kind.into(),
            next_hop: hop.map(|h| h.parse().unwrap()),
        }
    }

    fn table(routes: &[UserRoute]) -> SubnetRoutes {
        SubnetRoutes {
            name: "gw-routes".into(),
            routes: routes.to_vec(),
            ..SubnetRoutes::default()
        }
    }

    fn of(routes: &[UserRoute]) -> Option<Trap> {
        trap(
            &table(routes),
            &[net("172.29.0.0/16")],
            &[net("172.29.255.0/24")],
        )
    }

    #[test]
    fn the_labs_bonus_exercise() {
        let nva = route("172.29.0.0/16", "VirtualAppliance", Some("172.29.10.4"));
        let found = of(std::slice::from_ref(&nva)).unwrap();
        assert_eq!(
            found.sentence(),
            "route table gw-routes on GatewaySubnet sends 172.29.0.0/16 to the appliance 172.29.10.4, and with it the BGP sessions between the gateways: add a route for 172.29.255.0/24 with next hop type VnetLocal (\"Virtual network\" in the portal) to route table gw-routes"
        );
        // The route that mends it.
        assert_eq!(
            of(&[nva, route("172.29.255.0/24", "VnetLocal", None)]),
            None
        );
    }

    #[test]
    fn what_catches_and_what_does_not() {
        let caught = |prefix: &str, kind: &str| of(&[route(prefix, kind, None)]).map(|t| t.add);
        let mend = Some(vec![net("172.29.255.0/24")]);
        assert_eq!(caught("172.29.0.0/16", "None"), mend);
        assert_eq!(caught("172.29.128.0/17", "VirtualAppliance"), mend);
        // Wider than the virtual network, whose own route is longer.
        assert_eq!(caught("172.16.0.0/12", "VirtualAppliance"), None);
        assert_eq!(caught("172.16.0.0/16", "VirtualAppliance"), None);
        assert_eq!(caught("172.29.0.0/16", "vnetlocal"), None);
        // The subnet itself, or a part of it: only removal helps.
        assert_eq!(caught("172.29.255.0/24", "VirtualAppliance"), Some(vec![]));
        assert_eq!(caught("172.29.255.12/32", "None"), Some(vec![]));
        assert!(
            of(&[route("172.29.255.12/32", "None", None)])
                .unwrap()
                .sentence()
                .ends_with("remove the route to-None from route table gw-routes")
        );
        // A shorter local route does not outweigh a longer one to an appliance.
        assert!(
            of(&[
                route("172.29.0.0/16", "VnetLocal", None),
                route("172.29.254.0/23", "VirtualAppliance", Some("172.29.10.4"))
            ])
            .is_some()
        );
        // Route Server has a subnet of its own, and both must be named.
        let both = trap(
            &table(&[route("172.29.0.0/16", "None", None)]),
            &[net("172.29.0.0/16")],
            &[net("172.29.255.0/24"), net("172.29.254.0/27")],
        )
        .unwrap();
        assert_eq!(both.add, [net("172.29.255.0/24"), net("172.29.254.0/27")]);
        assert!(both.cause().contains("sends 172.29.0.0/16 to nowhere"));
    }
}
