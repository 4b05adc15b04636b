//! What a client must know, as files in the sandbox's folder: `endpoints.json` and `world.json` (contract §3).
//!
//! The only place that knows the layout of these files; the values come from the world and the ports.

use crate::persist::Ports;
use crate::world::World;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// `endpoints.json`. `dir` is where `ca.pem` is.
pub fn endpoints(ports: &Ports, dir: &Path) -> Value {
    // A client can not call "any address".
    let host = if ports.listen.is_unspecified() {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        ports.listen
    };
    let url = |port: u16| format!("https://{}", std::net::SocketAddr::new(host, port));
    json!({
        "azure": url(ports.azure),
        "azureAuthority": url(ports.azure_authority),
        "aws": url(ports.aws),
        "megaport": url(ports.megaport),
        "megaportAuth": format!("{}/oauth2/token", url(ports.megaport_auth)),
        "control": format!("https://{}", std::net::SocketAddr::new(control_address(ports.listen), ports.control)),
        "ca": dir.join("ca.pem"),
    })
}

/// The control API has no authentication: it listens on the loopback only, whatever the others listen on.
pub fn control_address(listen: IpAddr) -> IpAddr {
    if listen.is_loopback() {
        listen
    } else {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }
}

/// `world.json`.
pub fn world(world: &World) -> Value {
    json!({
        "azure": azure(world),
        "aws": aws(world),
        "megaport": megaport(world),
        "human": {
            "azure": human_azure(world),
            "aws": human_aws(world),
            "megaport": human_megaport(world),
        },
        "hosts": world.hosts,
    })
}

fn azure(world: &World) -> Value {
    let a = &world.azure;
    json!({
        "tenantID": a.tenant_id,
        "clientID": a.causeway.client_id,
        "clientSecret": a.causeway.client_secret,
        "subscriptionID": a.subscription_id(),
        "resourceGroup": a.resource_group(),
        "location": a.location(),
        "virtualNetwork": a.virtual_network(),
        "networkInterface": a.network_interface(),
    })
}

fn aws(world: &World) -> Value {
    let a = &world.aws;
    let mut v = json!({
        "accountID": a.account_id,
        "region": a.region,
        "vpcID": a.main_vpc().map(|v| &v.id),
        "subnetID": a.main_subnet().map(|s| &s.id),
        "routeTableID": a.main_route_table().map(|t| &t.id),
    });
    if let Some(key) = a.key_of("causeway") {
        v["accessKeyID"] = json!(key.access_key_id);
        v["secretAccessKey"] = json!(key.secret_access_key);
    }
    v
}

fn megaport(world: &World) -> Value {
    let m = &world.megaport;
    json!({
        "accessKey": m.causeway.access_key,
        "secretKey": m.causeway.secret_key.expose(),
        "companyUID": m.company_uid,
        "locationID": m.location_id,
        "awsPortUIDs": m.aws_port_uids(),
        "azurePeeringLocation": m.azure_peering_location,
    })
}

fn human_azure(world: &World) -> Value {
    let app = &world.azure.human;
    json!({"clientID": app.client_id, "clientSecret": app.client_secret})
}

fn human_aws(world: &World) -> Value {
    match world.aws.key_of("human") {
        Some(key) => {
            json!({"accessKeyID": key.access_key_id, "secretAccessKey": key.secret_access_key})
        }
        None => json!({}),
    }
}

fn human_megaport(world: &World) -> Value {
    let key = &world.megaport.human;
    json!({"accessKey": key.access_key, "secretKey": key.secret_key.expose()})
}
