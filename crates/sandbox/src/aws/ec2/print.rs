//! EC2's objects in their response shapes (aws.md §2.4, §2.7, §6.1). Element names are those of the published model.

use crate::aws::objects::{Cgw, Life, Tags, TunnelOptions, Vgw, Vpc, Vpn};
use crate::aws::xml::Xml;
use crate::net::table::TunnelState;
use crate::time::SimTime;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

pub fn tags(x: &mut Xml, tags: &Tags) {
    if !tags.is_empty() {
        x.items("tagSet", tags, |x, (k, v)| {
            x.leaf("key", k).leaf("value", v);
        });
    }
}

pub fn vgw(x: &mut Xml, v: &Vgw) {
    x.leaf("vpnGatewayId", &v.id)
        .leaf("state", v.state.name())
        .leaf("type", "ipsec.1")
        .maybe("availabilityZone", v.availability_zone.as_ref())
        .items("attachments", &v.attachments, |x, a| {
            x.leaf("vpcId", &a.vpc).leaf("state", a.state.name());
        })
        .leaf("amazonSideAsn", v.asn);
    tags(x, &v.tags);
}

pub fn cgw(x: &mut Xml, c: &Cgw) {
    x.leaf("customerGatewayId", &c.id)
        .leaf("state", c.state.name())
        .leaf("type", "ipsec.1")
        .maybe("ipAddress", c.ip);
    // Two fields for one number, both as strings (aws.md §2.2).
    if c.asn <= 2_147_483_647 {
        x.leaf("bgpAsn", c.asn);
    } else {
        x.leaf("bgpAsnExtended", c.asn);
    }
    x.maybe("certificateArn", c.certificate_arn.as_ref())
        .maybe("deviceName", c.device_name.as_ref());
    tags(x, &c.tags);
}

pub fn vpc(x: &mut Xml, v: &Vpc, account: &str) {
    let w = &v.world;
    x.leaf("vpcId", &w.id)
        .leaf("ownerId", account)
        .leaf("state", "available")
        .maybe("cidrBlock", w.cidrs.first())
        .items(
            "cidrBlockAssociationSet",
            w.cidrs.iter().enumerate(),
            |x, (i, c)| {
                x.leaf("cidrBlock", c)
                    .leaf(
                        "associationId",
                        format!(
                            "vpc-cidr-assoc-{:x}{}",
                            i + 1,
                            w.id.get(5..).unwrap_or_default()
                        ),
                    )
                    .node("cidrBlockState", |x| {
                        x.leaf("state", "associated");
                    });
            },
        )
        .leaf("dhcpOptionsId", "dopt-0a1b2c3d4e5f60718")
        .leaf("instanceTenancy", "default")
        .leaf("isDefault", false);
    tags(x, &v.tags);
}

/// A route table as DescribeRouteTables shows it.
pub struct Table {
    pub id: String,
    pub vpc: String,
    pub associations: Vec<TableAssociation>,
    pub routes: Vec<Route>,
    pub propagating: Vec<String>,
    pub tags: Tags,
}

pub struct TableAssociation {
    pub id: String,
    pub main: bool,
    pub subnet: Option<String>,
}

pub struct Route {
    pub destination: Ipv4Net,
    pub gateway: String,
    pub origin: &'static str,
}

pub fn route_table(x: &mut Xml, t: &Table, account: &str) {
    x.leaf("routeTableId", &t.id)
        .leaf("vpcId", &t.vpc)
        .leaf("ownerId", account)
        .items("routeSet", &t.routes, |x, r| {
            x.leaf("destinationCidrBlock", r.destination)
                .leaf("gatewayId", &r.gateway)
                .leaf("state", "active")
                .leaf("origin", r.origin);
        })
        .items("associationSet", &t.associations, |x, a| {
            x.leaf("routeTableAssociationId", &a.id)
                .leaf("routeTableId", &t.id)
                .maybe("subnetId", a.subnet.as_ref())
                .leaf("main", a.main)
                .node("associationState", |x| {
                    x.leaf("state", "associated");
                });
        })
        .items("propagatingVgwSet", &t.propagating, |x, v| {
            x.leaf("gatewayId", v);
        });
    tags(x, &t.tags);
}

/// What a VPN connection's printout needs besides the connection itself.
pub struct VpnContext<'a> {
    /// How the network sees its tunnels now.
    pub tunnels: &'a [(Ipv4Addr, Option<TunnelState>)],
    pub cgw: Option<&'a Cgw>,
    pub vgw_asn: u32,
    /// The answer to a creating or modifying call has the configuration in any state.
    pub always_configuration: bool,
    pub account: &'a str,
    /// World option: show the state that the model lacks.
    pub unmodelled: bool,
}

pub fn vpn(x: &mut Xml, v: &Vpn, c: &VpnContext<'_>) {
    let state = match v.state {
        Life::Modifying if !c.unmodelled => "pending",
        s => s.name(),
    };
    x.leaf("vpnConnectionId", &v.id).leaf("state", state);
    // Only while it is pending or available (aws.md §2.4).
    let shown = matches!(v.state, Life::Pending | Life::Available | Life::Modifying);
    if shown || c.always_configuration {
        x.leaf("customerGatewayConfiguration", configuration(v, c));
    }
    x.leaf("type", "ipsec.1")
        .leaf("customerGatewayId", &v.cgw)
        .leaf("vpnGatewayId", &v.vgw)
        .leaf("category", "VPN")
        .leaf("gatewayAssociationState", "associated")
        .node("options", |x| {
            x.leaf("enableAcceleration", false)
                .leaf("staticRoutesOnly", v.static_routes_only)
                .leaf("localIpv4NetworkCidr", &v.local_cidr)
                .leaf("remoteIpv4NetworkCidr", &v.remote_cidr)
                .leaf("outsideIpAddressType", "PublicIpv4")
                .leaf("tunnelInsideIpVersion", "ipv4");
            let mut list: Vec<_> = v.tunnels.iter().collect();
            if v.swapped.options {
                list.reverse();
            }
            x.items("tunnelOptionSet", list, |x, t| {
                tunnel_options(x, t.outside, &t.options, v.keys_in_secrets_manager);
            })
            .leaf("tunnelBandwidth", "standard");
        })
        .items("routes", [(); 0], |_, ()| {});
    tags(x, &v.tags);
    telemetry(x, v, c);
    if v.keys_in_secrets_manager {
        x.leaf(
            "preSharedKeyArn",
            format!(
                "arn:aws:secretsmanager:{}:{}:secret:s2svpn!{}",
                v.region, c.account, v.id
            ),
        );
    }
}

fn telemetry(x: &mut Xml, v: &Vpn, c: &VpnContext<'_>) {
    // Empty while the connection is being built or torn down (aws.md §2.5).
    let mut list: Vec<_> = if matches!(v.state, Life::Available | Life::Modifying) {
        v.tunnels.iter().collect()
    } else {
        Vec::new()
    };
    if v.swapped.telemetry {
        list.reverse();
    }
    x.items("vgwTelemetry", list, |x, t| {
        let now = c
            .tunnels
            .iter()
            .find(|(o, _)| *o == t.outside)
            .and_then(|(_, s)| s.as_ref());
        let since = now.map_or(t.changed_at, |s| s.since.max(t.changed_at));
        let (ipsec, bgp, routes) = now.map_or((false, false, 0), |s| {
            (s.ipsec_up, s.bgp_up, s.accepted_routes)
        });
        // A BGP tunnel is UP when BGP is; a static one when IPsec is (aws.md §2.5).
        let up = if v.static_routes_only { ipsec } else { bgp };
        let message = match (ipsec, up) {
            (_, true) if v.static_routes_only => String::new(),
            (_, true) => format!("{routes} BGP ROUTES"),
            (true, false) => "IPSEC IS UP".to_owned(),
            (false, false) => "IPSEC IS DOWN".to_owned(),
        };
        x.leaf("acceptedRouteCount", if up { routes } else { 0 })
            .leaf("lastStatusChange", seconds(since))
            .leaf("outsideIpAddress", t.outside)
            .leaf("status", if up { "UP" } else { "DOWN" })
            .leaf("statusMessage", message);
    });
}

/// ISO 8601 in UTC with milliseconds, as EC2 prints times.
pub fn seconds(at: SimTime) -> String {
    let text = at.rfc3339();
    if text.contains('.') {
        text
    } else {
        text.replace('Z', ".000Z")
    }
}

fn tunnel_options(x: &mut Xml, outside: Ipv4Addr, o: &TunnelOptions, hidden: bool) {
    let strings = |x: &mut Xml, name: &str, list: &[String]| {
        x.items(name, list, |x, v| {
            x.leaf("value", v);
        });
    };
    let numbers = |x: &mut Xml, name: &str, list: &[u32]| {
        x.items(name, list, |x, v| {
            x.leaf("value", v);
        });
    };
    x.leaf("outsideIpAddress", outside)
        .leaf("tunnelInsideCidr", o.inside);
    // In clear for everyone who may describe, unless kept in Secrets Manager (aws.md §2.4).
    if !hidden {
        x.leaf("preSharedKey", &o.pre_shared_key);
    }
    x.leaf("phase1LifetimeSeconds", o.phase1_lifetime)
        .leaf("phase2LifetimeSeconds", o.phase2_lifetime)
        .leaf("rekeyMarginTimeSeconds", o.rekey_margin)
        .leaf("rekeyFuzzPercentage", o.rekey_fuzz)
        .leaf("replayWindowSize", o.replay_window)
        .leaf("dpdTimeoutSeconds", o.dpd_timeout)
        .leaf("dpdTimeoutAction", &o.dpd_action);
    strings(x, "phase1EncryptionAlgorithmSet", &o.phase1_encryption);
    strings(x, "phase2EncryptionAlgorithmSet", &o.phase2_encryption);
    strings(x, "phase1IntegrityAlgorithmSet", &o.phase1_integrity);
    strings(x, "phase2IntegrityAlgorithmSet", &o.phase2_integrity);
    numbers(x, "phase1DHGroupNumberSet", &o.phase1_dh);
    numbers(x, "phase2DHGroupNumberSet", &o.phase2_dh);
    strings(x, "ikeVersionSet", &o.ike_versions);
    x.leaf("startupAction", &o.startup_action)
        .node("logOptions", |x| {
            x.node("cloudWatchLogOptions", |x| {
                x.leaf("logEnabled", o.log_enabled)
                    .maybe("logGroupArn", o.log_group_arn.as_ref())
                    .maybe("logOutputFormat", o.log_format.as_ref())
                    .leaf("bgpLogEnabled", o.bgp_log_enabled)
                    .maybe("bgpLogGroupArn", o.bgp_log_group_arn.as_ref())
                    .maybe("bgpLogOutputFormat", o.bgp_log_format.as_ref());
            });
        })
        .leaf("enableTunnelLifecycleControl", o.lifecycle_control);
}

/// The sample configuration for the customer's device: shows one, the most compatible, algorithm set (aws.md §2.4).
fn configuration(v: &Vpn, c: &VpnContext<'_>) -> String {
    let mut x = Xml::new();
    let customer_ip = c.cgw.and_then(|g| g.ip);
    let customer_asn = c.cgw.map_or(65000, |g| g.asn);
    let mut tunnels: Vec<_> = v.tunnels.iter().collect();
    if v.swapped.configuration {
        tunnels.reverse();
    }
    x.leaf("customer_gateway_id", &v.cgw)
        .leaf("vpn_gateway_id", &v.vgw)
        .leaf("vpn_connection_type", "ipsec.1");
    for t in tunnels {
        let o = &t.options;
        let mut hosts = o.inside.hosts();
        let (amazon, customer) = (hosts.next(), hosts.next());
        let side = |x: &mut Xml, outside: Option<Ipv4Addr>, inside: Option<Ipv4Addr>, asn: u32| {
            x.node("tunnel_outside_address", |x| {
                x.maybe("ip_address", outside);
            })
            .node("tunnel_inside_address", |x| {
                x.maybe("ip_address", inside)
                    .leaf("network_mask", "255.255.255.252")
                    .leaf("network_cidr", 30);
            });
            if !v.static_routes_only {
                x.node("bgp", |x| {
                    x.leaf("asn", asn).leaf("hold_time", 30);
                });
            }
        };
        let group = |list: &[u32]| list.iter().min().map_or(2, |g| *g);
        let cipher = |list: &[String]| match list.first().map(String::as_str) {
            Some("AES256") => "aes-256-cbc",
            Some("AES128-GCM-16") => "aes-128-gcm",
            Some("AES256-GCM-16") => "aes-256-gcm",
            _ => "aes-128-cbc",
        };
        let integrity = |list: &[String]| match list.first().map(String::as_str) {
            Some("SHA2-256") => "sha2-256",
            Some("SHA2-384") => "sha2-384",
            Some("SHA2-512") => "sha2-512",
            _ => "sha1",
        };
        x.node("ipsec_tunnel", |x| {
            x.node("customer_gateway", |x| {
                side(x, customer_ip, customer, customer_asn);
            })
            .node("vpn_gateway", |x| {
                side(x, Some(t.outside), amazon, c.vgw_asn);
            })
            .node("ike", |x| {
                x.leaf("authentication_protocol", integrity(&o.phase1_integrity))
                    .leaf("encryption_protocol", cipher(&o.phase1_encryption))
                    .leaf("lifetime", o.phase1_lifetime)
                    .leaf(
                        "perfect_forward_secrecy",
                        format!("group{}", group(&o.phase1_dh)),
                    )
                    .leaf("mode", "main");
                if !v.keys_in_secrets_manager {
                    x.leaf("pre_shared_key", &o.pre_shared_key);
                }
            })
            .node("ipsec", |x| {
                x.leaf("protocol", "esp")
                    .leaf(
                        "authentication_protocol",
                        format!("hmac-{}-96", integrity(&o.phase2_integrity)),
                    )
                    .leaf("encryption_protocol", cipher(&o.phase2_encryption))
                    .leaf("lifetime", o.phase2_lifetime)
                    .leaf(
                        "perfect_forward_secrecy",
                        format!("group{}", group(&o.phase2_dh)),
                    )
                    .leaf("mode", "tunnel")
                    .leaf("clear_df_bit", true)
                    .leaf("fragmentation_before_encryption", true)
                    .leaf("tcp_mss_adjustment", 1379)
                    .node("dead_peer_detection", |x| {
                        x.leaf("interval", 10).leaf("retries", 3);
                    });
            });
        });
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<vpn_connection id=\"{}\">{}</vpn_connection>",
        v.id,
        x.into_string()
    )
}
