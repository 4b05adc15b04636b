//! Paths and methods of the API, and the operation names made of them.

use crate::wire::Req;
use http::Method;

/// A request's route with what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    Locations,
    Rtt,
    Regions,
    PartnerPorts,
    SecureKey { partner: String, key: String },
    Availability,
    Validate,
    BuyV4,
    BuyV3,
    PriceBook,
    Products,
    Product(String),
    UpdateMcr(String),
    UpdateVxc(String),
    Action { uid: String, action: String },
    Lock(String),
    Unlock(String),
    Tags(String),
    PutTags(String),
    PrefixLists(String),
    NewPrefixList(String),
    PrefixList { mcr: String, id: String },
    PutPrefixList { mcr: String, id: String },
    DeletePrefixList { mcr: String, id: String },
    Diagnose { mcr: String, query: String },
    Diagnosis(String),
    NewAddOn(String),
    AddOn { mcr: String, add_on: String },
    IpSec(String),
    Telemetry { kind: String, uid: String },
    Approvals,
    Approve { uid: String, action: String },
    Maintenance,
    Outage,
}

/// The route of a request and its operation name (`POST /v4/networkdesign/buy`); `None` where the API has none.
pub fn route(req: &Req) -> Option<(Route, String)> {
    let parts: Vec<&str> = req.path.split('/').filter(|p| !p.is_empty()).collect();
    let own = |s: &&str| (*s).to_owned();
    let get = req.method == Method::GET;
    let post = req.method == Method::POST;
    let put = req.method == Method::PUT;
    let delete = req.method == Method::DELETE;
    let (route, template) = match parts.as_slice() {
        ["v3", "locations"] if get => (Route::Locations, "/v3/locations".to_owned()),
        ["v2", "locations", "rtt"] if get => (Route::Rtt, "/v2/locations/rtt".to_owned()),
        ["v2", "networkRegions"] if get => (Route::Regions, "/v2/networkRegions".to_owned()),
        ["v2", "dropdowns", "partner", "megaports"] if get => (
            Route::PartnerPorts,
            "/v2/dropdowns/partner/megaports".to_owned(),
        ),
        ["v2", "secure", partner, key] if get => (
            Route::SecureKey {
                partner: own(partner),
                key: own(key),
            },
            format!("/v2/secure/{partner}/{{key}}"),
        ),
        ["v1", "availability", "companies", _, "products"] if get => (
            Route::Availability,
            "/v1/availability/companies/{uid}/products".to_owned(),
        ),
        ["v3", "networkdesign", "validate"] if post => {
            (Route::Validate, "/v3/networkdesign/validate".to_owned())
        }
        ["v4", "networkdesign", "buy"] if post => {
            (Route::BuyV4, "/v4/networkdesign/buy".to_owned())
        }
        ["v3", "networkdesign", "buy"] if post => {
            (Route::BuyV3, "/v3/networkdesign/buy".to_owned())
        }
        ["v4", "pricebook", "product"] if post => {
            (Route::PriceBook, "/v4/pricebook/product".to_owned())
        }
        ["v2", "products"] if get => (Route::Products, "/v2/products".to_owned()),
        ["v3", "products", "mcrs", uid, "ipsec"] if get => (
            Route::IpSec(own(uid)),
            "/v3/products/mcrs/{uid}/ipsec".to_owned(),
        ),
        ["v2", "product", uid] if get => (Route::Product(own(uid)), "/v2/product/{uid}".to_owned()),
        ["v2", "product", "mcr2", uid] if put => (
            Route::UpdateMcr(own(uid)),
            "/v2/product/mcr2/{uid}".to_owned(),
        ),
        ["v3", "product", "vxc", uid] if put => (
            Route::UpdateVxc(own(uid)),
            "/v3/product/vxc/{uid}".to_owned(),
        ),
        ["v3", "product", uid, "action", action] if post => (
            Route::Action {
                uid: own(uid),
                action: own(action),
            },
            format!("/v3/product/{{uid}}/action/{action}"),
        ),
        ["v2", "product", uid, "lock"] if post => {
            (Route::Lock(own(uid)), "/v2/product/{uid}/lock".to_owned())
        }
        ["v2", "product", uid, "lock"] if delete => {
            (Route::Unlock(own(uid)), "/v2/product/{uid}/lock".to_owned())
        }
        ["v2", "product", uid, "tags"] if get => {
            (Route::Tags(own(uid)), "/v2/product/{uid}/tags".to_owned())
        }
        ["v2", "product", uid, "tags"] if put => (
            Route::PutTags(own(uid)),
            "/v2/product/{uid}/tags".to_owned(),
        ),
        ["v2", "product", "mcr2", uid, "prefixLists"] if get => (
            Route::PrefixLists(own(uid)),
            "/v2/product/mcr2/{uid}/prefixLists".to_owned(),
        ),
        ["v2", "product", "mcr2", uid, "prefixList"] if post => (
            Route::NewPrefixList(own(uid)),
            "/v2/product/mcr2/{uid}/prefixList".to_owned(),
        ),
        ["v2", "product", "mcr2", uid, "prefixList", id] if get || put || delete => {
            let (mcr, id) = (own(uid), own(id));
            let route = if get {
                Route::PrefixList { mcr, id }
            } else if put {
                Route::PutPrefixList { mcr, id }
            } else {
                Route::DeletePrefixList { mcr, id }
            };
            (route, "/v2/product/mcr2/{uid}/prefixList/{id}".to_owned())
        }
        [
            "v2",
            "product",
            "mcr2",
            uid,
            "diagnostics",
            "routes",
            "operation",
        ] if get => (
            Route::Diagnosis(own(uid)),
            "/v2/product/mcr2/{uid}/diagnostics/routes/operation".to_owned(),
        ),
        ["v2", "product", "mcr2", uid, "diagnostics", query @ ..]
            if get
                && matches!(
                    query,
                    ["routes", "ip" | "bgp"]
                        | ["routes", "bgp", "neighbor"]
                        | ["ping" | "traceroute"]
                ) =>
        {
            let query = query.join("/");
            let template = format!("/v2/product/mcr2/{{uid}}/diagnostics/{query}");
            (
                Route::Diagnose {
                    mcr: own(uid),
                    query,
                },
                template,
            )
        }
        ["v3", "product", uid, "addon"] if post => (
            Route::NewAddOn(own(uid)),
            "/v3/product/{uid}/addon".to_owned(),
        ),
        ["v3", "product", uid, "addon", add_on] if put => (
            Route::AddOn {
                mcr: own(uid),
                add_on: own(add_on),
            },
            "/v3/product/{uid}/addon/{addOnUid}".to_owned(),
        ),
        ["v2", "product", kind @ ("mcr2" | "vxc"), uid, "telemetry"] if get => (
            Route::Telemetry {
                kind: own(kind),
                uid: own(uid),
            },
            format!("/v2/product/{kind}/{{uid}}/telemetry"),
        ),
        ["v3", "order_approvals"] if get => (Route::Approvals, "/v3/order_approvals".to_owned()),
        [
            "v3",
            "order_approvals",
            uid,
            action @ ("approve" | "reject" | "withdraw"),
        ] if post => (
            Route::Approve {
                uid: own(uid),
                action: own(action),
            },
            format!("/v3/order_approvals/{{uid}}/{action}"),
        ),
        ["ens", "v1", "status", "maintenance"] if get => {
            (Route::Maintenance, "/ens/v1/status/maintenance".to_owned())
        }
        ["ens", "v1", "status", "outage"] if get => {
            (Route::Outage, "/ens/v1/status/outage".to_owned())
        }
        _ => return None,
    };
    Some((route, format!("{} {template}", req.method)))
}

impl Route {
    /// Whether it may change something (validation and prices only read).
    pub fn mutates(&self) -> bool {
        matches!(
            self,
            Self::BuyV4
                | Self::BuyV3
                | Self::UpdateMcr(_)
                | Self::UpdateVxc(_)
                | Self::Action { .. }
                | Self::Lock(_)
                | Self::Unlock(_)
                | Self::PutTags(_)
                | Self::NewPrefixList(_)
                | Self::PutPrefixList { .. }
                | Self::DeletePrefixList { .. }
                | Self::NewAddOn(_)
                | Self::AddOn { .. }
                | Self::Approve { .. }
        )
    }

    /// The product (or key) that the path names.
    pub fn resource(&self) -> Option<&str> {
        match self {
            Self::SecureKey { key, .. } => Some(key),
            Self::Product(uid)
            | Self::UpdateMcr(uid)
            | Self::UpdateVxc(uid)
            | Self::Action { uid, .. }
            | Self::Lock(uid)
            | Self::Unlock(uid)
            | Self::Tags(uid)
            | Self::PutTags(uid)
            | Self::PrefixLists(uid)
            | Self::NewPrefixList(uid)
            | Self::PrefixList { mcr: uid, .. }
            | Self::PutPrefixList { mcr: uid, .. }
            | Self::DeletePrefixList { mcr: uid, .. }
            | Self::Diagnose { mcr: uid, .. }
            | Self::Diagnosis(uid)
            | Self::NewAddOn(uid)
            | Self::AddOn { mcr: uid, .. }
            | Self::IpSec(uid)
            | Self::Telemetry { uid, .. }
            | Self::Approve { uid, .. } => Some(uid),
            _ => None,
        }
    }
}
