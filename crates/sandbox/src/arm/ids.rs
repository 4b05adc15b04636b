//! Resource types, resource IDs and the paths of requests (azure.md §2.1, §3.1, §4, §5). IDs are compared without case;
//! answers carry the service's own spelling.

use http::Method;
use serde::{Deserialize, Serialize};

/// Top-level resource types of Microsoft.Network that exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    VirtualNetwork,
    NetworkInterface,
    PublicIp,
    VirtualNetworkGateway,
    LocalNetworkGateway,
    Connection,
    Circuit,
    RouteTable,
    SecurityGroup,
}

pub const KINDS: &[Kind] = &[
    Kind::VirtualNetwork,
    Kind::NetworkInterface,
    Kind::PublicIp,
    Kind::VirtualNetworkGateway,
    Kind::LocalNetworkGateway,
    Kind::Connection,
    Kind::Circuit,
    Kind::RouteTable,
    Kind::SecurityGroup,
];

impl Kind {
    /// The type's name in paths, as ARM spells it.
    pub fn path(self) -> &'static str {
        match self {
            Self::VirtualNetwork => "virtualNetworks",
            Self::NetworkInterface => "networkInterfaces",
            Self::PublicIp => "publicIPAddresses",
            Self::VirtualNetworkGateway => "virtualNetworkGateways",
            Self::LocalNetworkGateway => "localNetworkGateways",
            Self::Connection => "connections",
            Self::Circuit => "expressRouteCircuits",
            Self::RouteTable => "routeTables",
            Self::SecurityGroup => "networkSecurityGroups",
        }
    }
    pub fn of(path: &str) -> Option<Self> {
        KINDS
            .iter()
            .copied()
            .find(|k| k.path().eq_ignore_ascii_case(path))
    }
    /// Whether the type has a list over the whole subscription (gateways, local gateways and connections have none,
    /// azure.md §3.1).
    pub fn listed_by_subscription(self) -> bool {
        !matches!(
            self,
            Self::VirtualNetworkGateway | Self::LocalNetworkGateway | Self::Connection
        )
    }
    /// Types of children that have paths of their own.
    pub fn child(self, path: &str) -> Option<Child> {
        let child = match self {
            Self::VirtualNetwork => Child::Subnet,
            Self::RouteTable => Child::Route,
            Self::Circuit if path.eq_ignore_ascii_case("authorizations") => Child::Authorization,
            Self::Circuit => Child::Peering,
            _ => return None,
        };
        child.path().eq_ignore_ascii_case(path).then_some(child)
    }
    /// POST actions on a resource of this type, as ARM spells them.
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::VirtualNetworkGateway => &[
                "getBgpPeerStatus",
                "getLearnedRoutes",
                "getAdvertisedRoutes",
                "reset",
            ],
            Self::NetworkInterface => &["effectiveRouteTable"],
            Self::Connection => &["resetconnection"],
            _ => &[],
        }
    }
}

/// Children that live inside their parent's body and also have paths of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Child {
    Subnet,
    Route,
    Peering,
    Authorization,
}

impl Child {
    pub fn path(self) -> &'static str {
        match self {
            Self::Subnet => "subnets",
            Self::Route => "routes",
            Self::Peering => "peerings",
            Self::Authorization => "authorizations",
        }
    }
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Peering => &["routeTables", "routeTablesSummary", "arpTables"],
            Self::Authorization => &["listKeys"],
            _ => &[],
        }
    }
}

/// The name of a resource: subscription, resource group, type and name, as written by whoever named it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    pub subscription: String,
    pub group: String,
    pub kind: Kind,
    pub name: String,
}

impl Name {
    /// The resource ID in the service's spelling.
    pub fn id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/{}/{}",
            self.subscription,
            self.group,
            self.kind.path(),
            self.name
        )
    }
    pub fn key(&self) -> String {
        self.id().to_lowercase()
    }
}

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Subscription {
        subscription: String,
    },
    ResourceGroup {
        subscription: String,
        group: String,
    },
    ServiceProviders {
        subscription: String,
    },
    /// `result` is the Location dialect, otherwise the Azure-AsyncOperation one.
    Operation {
        subscription: String,
        id: String,
        result: bool,
    },
    List {
        subscription: String,
        group: Option<String>,
        kind: Kind,
    },
    Item(Name),
    /// A sub-path of a resource: `stats`, `sharedkey`, `connections`, …
    Part(Name, &'static str),
    Action(Name, &'static str),
    Children(Name, Child),
    Child(Name, Child, String),
    /// `argument` is the last segment of a table's path (`primary`, `secondary`).
    ChildAction(Name, Child, String, &'static str, String),
}

impl Target {
    pub fn subscription(&self) -> &str {
        match self {
            Self::Subscription { subscription }
            | Self::ResourceGroup { subscription, .. }
            | Self::ServiceProviders { subscription }
            | Self::Operation { subscription, .. }
            | Self::List { subscription, .. } => subscription,
            _ => self.name().map_or("", |n| n.subscription.as_str()),
        }
    }
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::ResourceGroup { group, .. } => Some(group),
            Self::List { group, .. } => group.as_deref(),
            _ => self.name().map(|n| n.group.as_str()),
        }
    }
    pub fn name(&self) -> Option<&Name> {
        match self {
            Self::Item(n)
            | Self::Part(n, _)
            | Self::Action(n, _)
            | Self::Children(n, _)
            | Self::Child(n, ..)
            | Self::ChildAction(n, ..) => Some(n),
            _ => None,
        }
    }
    /// The ID that the path names, in the service's spelling.
    pub fn id(&self) -> Option<String> {
        let name = self.name()?;
        Some(match self {
            Self::Child(_, child, c) | Self::ChildAction(_, child, c, ..) => {
                format!("{}/{}/{c}", name.id(), child.path())
            }
            _ => name.id(),
        })
    }
    /// `Type.verb` (contract §4).
    pub fn operation(&self, method: &Method) -> String {
        let verb = match *method {
            Method::GET => "get",
            Method::PUT => "put",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            Method::HEAD => "head",
            _ => "post",
        };
        match self {
            Self::Subscription { .. } => format!("subscriptions.{verb}"),
            Self::ResourceGroup { .. } => format!("resourceGroups.{verb}"),
            Self::ServiceProviders { .. } => "expressRouteServiceProviders.list".into(),
            Self::Operation { result, .. } => if *result {
                "operationResults.get"
            } else {
                "operations.get"
            }
            .into(),
            Self::List { kind, .. } => format!("{}.list", kind.path()),
            Self::Item(n) => format!("{}.{verb}", n.kind.path()),
            Self::Part(n, part) if *method == Method::GET => format!("{}.{part}", n.kind.path()),
            Self::Part(n, part) => format!("{}/{part}.{verb}", n.kind.path()),
            Self::Action(n, action) => format!("{}.{action}", n.kind.path()),
            Self::Children(n, child) => format!("{}/{}.list", n.kind.path(), child.path()),
            Self::Child(n, child, _) => format!("{}/{}.{verb}", n.kind.path(), child.path()),
            Self::ChildAction(n, child, _, action, _) => {
                format!("{}/{}.{action}", n.kind.path(), child.path())
            }
        }
    }

    /// Reads a path; `None` when ARM has nothing there.
    pub fn parse(path: &str) -> Option<Self> {
        let decoded: Vec<String> = path
            .split('/')
            .filter(|s| !s.is_empty())
            .map(decode)
            .collect();
        let seg: Vec<&str> = decoded.iter().map(String::as_str).collect();
        let is = |i: usize, word: &str| seg.get(i).is_some_and(|s| s.eq_ignore_ascii_case(word));
        if !is(0, "subscriptions") {
            return None;
        }
        let subscription = (*seg.get(1)?).to_owned();
        if seg.len() == 2 {
            return Some(Self::Subscription { subscription });
        }
        let (group, rest) = if is(2, "resourceGroups") {
            (Some((*seg.get(3)?).to_owned()), &seg[4..])
        } else {
            (None, &seg[2..])
        };
        let Some((provider, rest)) = rest.split_first() else {
            return group.map(|group| Self::ResourceGroup {
                subscription,
                group,
            });
        };
        if !provider.eq_ignore_ascii_case("providers")
            || !rest
                .first()
                .is_some_and(|p| p.eq_ignore_ascii_case("Microsoft.Network"))
        {
            return None;
        }
        let rest = &rest[1..];
        let (kind_text, rest) = rest.split_first()?;
        let Some(group) = group else {
            return Self::parse_subscription(subscription, kind_text, rest);
        };
        let kind = Kind::of(kind_text)?;
        let Some((name, rest)) = rest.split_first() else {
            return Some(Self::List {
                subscription,
                group: Some(group),
                kind,
            });
        };
        let name = Name {
            subscription,
            group,
            kind,
            name: (*name).to_owned(),
        };
        match rest {
            [] => Some(Self::Item(name)),
            [part] => {
                if let Some(child) = kind.child(part) {
                    return Some(Self::Children(name, child));
                }
                let parts: &[&'static str] = match kind {
                    Kind::Circuit => &["stats"],
                    Kind::Connection => &["sharedkey"],
                    Kind::VirtualNetworkGateway => &["connections"],
                    _ => &[],
                };
                if let Some(p) = parts.iter().find(|p| p.eq_ignore_ascii_case(part)) {
                    return Some(Self::Part(name, p));
                }
                let action = kind
                    .actions()
                    .iter()
                    .find(|a| a.eq_ignore_ascii_case(part))?;
                Some(Self::Action(name, action))
            }
            [part, child_name] => {
                if kind == Kind::Connection
                    && part.eq_ignore_ascii_case("sharedkey")
                    && child_name.eq_ignore_ascii_case("reset")
                {
                    return Some(Self::Action(name, "sharedkey/reset"));
                }
                let child = kind.child(part)?;
                Some(Self::Child(name, child, (*child_name).to_owned()))
            }
            [part, child_name, verb, argument @ ..] if argument.len() <= 1 => {
                let child = kind.child(part)?;
                let verb = if verb.eq_ignore_ascii_case("stats") && child == Child::Peering {
                    "stats"
                } else {
                    child
                        .actions()
                        .iter()
                        .find(|a| a.eq_ignore_ascii_case(verb))?
                };
                let argument = argument.first().copied().unwrap_or_default().to_owned();
                Some(Self::ChildAction(
                    name,
                    child,
                    (*child_name).to_owned(),
                    verb,
                    argument,
                ))
            }
            _ => None,
        }
    }

    fn parse_subscription(subscription: String, kind: &str, rest: &[&str]) -> Option<Self> {
        if kind.eq_ignore_ascii_case("expressRouteServiceProviders") && rest.is_empty() {
            return Some(Self::ServiceProviders { subscription });
        }
        if kind.eq_ignore_ascii_case("locations") {
            let [_location, what, id] = rest else {
                return None;
            };
            let result = match what.to_ascii_lowercase().as_str() {
                "operations" => false,
                "operationresults" => true,
                _ => return None,
            };
            return Some(Self::Operation {
                subscription,
                id: (*id).to_owned(),
                result,
            });
        }
        let kind = Kind::of(kind).filter(|k| k.listed_by_subscription())?;
        rest.is_empty().then_some(Self::List {
            subscription,
            group: None,
            kind,
        })
    }
}

/// A resource ID found in a body: the resource's name and, for children, their type and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub name: Name,
    pub child: Option<(String, String)>,
}

/// Reads a resource ID of Microsoft.Network; `None` when it is not one.
pub fn reference(id: &str) -> Option<Reference> {
    let seg: Vec<&str> = id.split('/').filter(|s| !s.is_empty()).collect();
    if seg.len() < 8
        || !seg[0].eq_ignore_ascii_case("subscriptions")
        || !seg[2].eq_ignore_ascii_case("resourceGroups")
        || !seg[4].eq_ignore_ascii_case("providers")
        || !seg[5].eq_ignore_ascii_case("Microsoft.Network")
    {
        return None;
    }
    let child = match seg.len() {
        8 => None,
        10 => Some((seg[8].to_owned(), seg[9].to_owned())),
        _ => return None,
    };
    Some(Reference {
        name: Name {
            subscription: seg[1].to_owned(),
            group: seg[3].to_owned(),
            kind: Kind::of(seg[6])?,
            name: seg[7].to_owned(),
        },
        child,
    })
}

/// Whether two resource IDs name the same thing.
pub fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

fn decode(segment: &str) -> String {
    // A path segment has no '+' for blanks, so form decoding must not see one.
    let safe = segment
        .replace('+', "%2B")
        .replace('&', "%26")
        .replace('=', "%3D");
    url::form_urlencoded::parse(safe.as_bytes())
        .next()
        .map_or_else(String::new, |(k, _)| k.into_owned())
}

/// The api-versions of Microsoft.Network that are served (contract §3).
pub const API_VERSIONS: &[&str] = &[
    "2024-05-01",
    "2024-07-01",
    "2024-10-01",
    "2025-01-01",
    "2025-03-01",
    "2025-05-01",
    "2025-07-01",
    "2025-09-01",
    "2026-01-01",
    "2026-03-01",
];
