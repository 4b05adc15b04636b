//! The life of a VPN pair: public IPs, active/active gateway, customer gateways, VPN connections, local network gateways,
//! IPsec connections; tables of both sides; the way back.

use crate::direct_connect::{attached_vgw, detached_and_deleted, vpc};
use crate::express_route::{done, finished, net};
use crate::support::Lab;
use causeway::clients::azure::{
    ConnectionStatus, IpsecConnectionSpec, IpsecPolicy, LocalGatewaySpec, PublicIpSpec, ResourceId,
    VpnGatewaySpec, VpnInstanceSpec,
};
use causeway_aws::{
    Ec2Api, NewCustomerGateway, NewVpnConnection, Select, State, TunnelChange, TunnelOptions,
    TunnelPolicy,
};
use causeway_model::routes::aws::{TunnelHealth, route_table};
use causeway_model::routes::{Learned, SessionState, azure};
use causeway_model::secret::Secret;
use causeway_model::spec::{IpsecProfile, first_host, second_host};
use ipnet::Ipv4Net;
use std::collections::BTreeMap;

fn inside(instance: usize, tunnel: usize) -> Ipv4Net {
    format!("169.254.{}.{}/30", 21 + tunnel, 4 * instance)
        .parse()
        .unwrap()
}

fn policy(profile: &IpsecProfile) -> IpsecPolicy {
    IpsecPolicy {
        sa_life_time_seconds: profile.lifetime_seconds,
        sa_data_size_kilobytes: 102_400_000,
        ipsec_encryption: profile.esp_encryption.clone(),
        ipsec_integrity: profile.esp_integrity.clone(),
        ike_encryption: profile.ike_encryption.clone(),
        ike_integrity: profile.ike_integrity.clone(),
        dh_group: profile.dh_group.clone(),
        pfs_group: profile.pfs_group.clone(),
    }
}

#[tokio::test]
async fn the_life_of_a_vpn_pair() {
    let lab = Lab::new().await;
    let (sub, rg) = (lab.subscription.as_str(), lab.resource_group.as_str());
    let (vpc_id, table_id) = vpc(&lab).await;
    let vgw = attached_vgw(&lab, &vpc_id).await;
    lab.aws.enable_propagation(&table_id, &vgw).await.unwrap();
    let vnet_id = ResourceId::virtual_network(sub, rg, "vnet");
    let gateway_id = ResourceId::gateway(sub, rg, "vnet-gateway");
    let profile = IpsecProfile::cbc();

    let pips: Vec<ResourceId> = (0..2)
        .map(|i| ResourceId::public_ip(sub, rg, &format!("lab-vpn-pip-{i}")))
        .collect();
    for id in &pips {
        let spec = PublicIpSpec {
            location: lab.location.clone(),
            tags: BTreeMap::new(),
            zones: ["1", "2", "3"].map(str::to_owned).to_vec(),
        };
        let op = lab.azure.create_public_ip(id, &spec).await.unwrap();
        finished(&lab, id, &op).await.unwrap();
    }
    let addresses: Vec<std::net::Ipv4Addr> = {
        let mut out = Vec::new();
        for id in &pips {
            out.push(
                lab.until("the address", 0.1, async || {
                    lab.azure
                        .public_ip(id)
                        .await
                        .unwrap()?
                        .properties
                        .ip_address?
                        .parse()
                        .ok()
                })
                .await,
            );
        }
        out
    };
    // The lab's way: the gateway gets only tunnel 1's APIPA address, connections name none.
    let spec = VpnGatewaySpec {
        location: lab.location.clone(),
        tags: BTreeMap::new(),
        sku: "VpnGw2AZ".to_owned(),
        generation: "Generation2".to_owned(),
        asn: 65515,
        subnet: vnet_id.gateway_subnet(),
        instances: (0..2)
            .map(|i| VpnInstanceSpec {
                ip_configuration: format!("ipc{i}"),
                public_ip: pips[i].clone(),
                bgp_addresses: vec![second_host(inside(i, 0)).to_string()],
            })
            .collect(),
    };
    let gateway_op = lab
        .azure
        .create_vpn_gateway(&gateway_id, &spec)
        .await
        .unwrap();

    // AWS's side meanwhile.
    let mut connections = Vec::new();
    let mut cgws = Vec::new();
    for (i, address) in addresses.iter().enumerate() {
        let new = NewCustomerGateway {
            ip_address: *address,
            bgp_asn: 65515,
            device_name: format!("causeway-uid-1-{i}"),
            tags: causeway_aws::Tags::from([("causeway.dev/owner".to_owned(), "uid-1".to_owned())]),
        };
        let cgw = lab.aws.create_customer_gateway(&new).await.unwrap();
        lab.until("the customer gateway", 0.1, async || {
            let list = lab
                .aws
                .customer_gateways(&Select::id(&cgw.id))
                .await
                .unwrap();
            list.into_iter().find(|g| g.state == State::Available)
        })
        .await;
        // An identical request returns the same object.
        assert_eq!(
            lab.aws.create_customer_gateway(&new).await.unwrap().id,
            cgw.id
        );
        let tunnel = |j: usize| TunnelOptions {
            inside_cidr: inside(i, j),
            pre_shared_key: Secret::new(format!("psk_{i}{j}_abcdefgh")),
            policy: TunnelPolicy::of(&profile).unwrap(),
            dpd_timeout_seconds: 45,
        };
        let new = NewVpnConnection {
            customer_gateway_id: cgw.id.clone(),
            vpn_gateway_id: vgw.clone(),
            tunnels: [tunnel(0), tunnel(1)],
            tags: causeway_aws::Tags::from([("causeway.dev/owner".to_owned(), "uid-1".to_owned())]),
        };
        connections.push(lab.aws.create_vpn_connection(&new).await.unwrap().id);
        cgws.push(cgw.id);
    }
    let select = Select::Ids(connections.clone());
    let made = lab
        .until("the VPN connections", 1.0, async || {
            let list = lab.aws.vpn_connections(&select).await.unwrap();
            (list.len() == 2 && list.iter().all(|c| c.state == State::Available)).then_some(list)
        })
        .await;

    finished(&lab, &gateway_id, &gateway_op).await.unwrap();
    let mut lngs = Vec::new();
    let mut ipsecs = Vec::new();
    for i in 0..2 {
        for j in 0..2 {
            let c = made.iter().find(|c| c.id == connections[i]).unwrap();
            let tunnel = c.tunnel(inside(i, j)).unwrap();
            assert_eq!(tunnel.policy.phase2_dh_groups, [14]);
            let lng = ResourceId::local_gateway(sub, rg, &format!("lab-vpn-lng-{i}-{j}"));
            let spec = LocalGatewaySpec {
                location: lab.location.clone(),
                tags: BTreeMap::new(),
                gateway_address: tunnel.health.outside_address.clone(),
                asn: 64900,
                bgp_peering_address: first_host(inside(i, j)).to_string(),
            };
            let op = lab.azure.put_local_gateway(&lng, &spec).await.unwrap();
            finished(&lab, &lng, &op).await.unwrap();
            lab.until("the local network gateway", 0.1, async || {
                lab.azure.local_gateway(&lng).await.unwrap()
            })
            .await;
            let connection = ResourceId::connection(sub, rg, &format!("lab-vpn-ipsec-{i}-{j}"));
            let spec = IpsecConnectionSpec {
                location: lab.location.clone(),
                tags: BTreeMap::new(),
                gateway: gateway_id.clone(),
                local_gateway: lng.clone(),
                shared_key: Secret::new(format!("psk_{i}{j}_abcdefgh")),
                enable_bgp: true,
                dpd_timeout_seconds: 45,
                policy: policy(&profile),
                custom_bgp_addresses: vec![],
            };
            // One at a time on a gateway: a second one meets the lock.
            let op = lab
                .until("a free gateway", 0.5, async || {
                    match lab.azure.create_ipsec_connection(&connection, &spec).await {
                        Ok(op) => Some(op),
                        Err(e) => {
                            assert!(e.is_blocked(), "{e:?}");
                            None
                        }
                    }
                })
                .await;
            finished(&lab, &connection, &op).await.unwrap();
            lngs.push(lng);
            ipsecs.push(connection);
        }
    }

    // The lab's state: IPsec everywhere, BGP on tunnel 1 of each connection.
    let list = lab
        .until("the tunnels", 1.0, async || {
            let list = lab.aws.vpn_connections(&select).await.unwrap();
            let up = list
                .iter()
                .flat_map(|c| &c.tunnels)
                .filter(|t| t.health.health() == TunnelHealth::Healthy)
                .count();
            (up == 2).then_some(list)
        })
        .await;
    for i in 0..2 {
        let c = list.iter().find(|c| c.id == connections[i]).unwrap();
        assert_eq!(
            c.tunnel(inside(i, 0)).unwrap().health.health(),
            TunnelHealth::Healthy
        );
        assert_eq!(
            c.tunnel(inside(i, 1)).unwrap().health.health(),
            TunnelHealth::IpsecOnly
        );
    }
    let first = lab.azure.connection(&ipsecs[0]).await.unwrap().unwrap();
    assert_eq!(
        first.properties.connection_status,
        ConnectionStatus::Connected
    );
    assert_eq!(first.properties.ipsec_policies, [policy(&profile)]);
    let key = lab.azure.shared_key(&ipsecs[0]).await.unwrap().unwrap();
    assert_eq!(key.expose(), "psk_00_abcdefgh");
    let rows = lab.azure.start_bgp_peers(&gateway_id).await.unwrap();
    let sessions = azure::gateway_sessions(&done(&lab, &gateway_id, rows).await.rows);
    assert!(sessions.not_understood.is_empty(), "{sessions:?}");
    for i in 0..2 {
        let aws = std::net::IpAddr::V4(first_host(inside(i, 0)));
        assert!(
            sessions
                .rows
                .iter()
                .any(|s| s.peer == aws && s.state == SessionState::Up),
            "{sessions:?}"
        );
    }
    let rows = lab.azure.start_learned_routes(&gateway_id).await.unwrap();
    let table = azure::gateway_routes(&done(&lab, &gateway_id, rows).await.rows);
    assert!(
        table
            .to(net("172.16.0.0/16"))
            .any(|r| r.learned == Learned::Ebgp && r.as_path == [64900]),
        "{table:?}"
    );
    let tables = lab
        .aws
        .route_tables(std::slice::from_ref(&vpc_id))
        .await
        .unwrap();
    let ours = tables.iter().find(|t| t.id == table_id).unwrap();
    assert!(
        route_table(&ours.routes).has(net("172.29.0.0/16")),
        "{:?}",
        ours.routes
    );

    // A key changed on both sides of one tunnel.
    let tunnel = made[0].tunnels.first().unwrap();
    let change = TunnelChange {
        pre_shared_key: Some(Secret::new("psk_new_abcdefgh")),
        ..TunnelChange::default()
    };
    lab.aws
        .modify_tunnel(&made[0].id, &tunnel.health.outside_address, &change)
        .await
        .unwrap();
    lab.until("the connection's modification", 1.0, async || {
        let list = lab.aws.vpn_connections(&select).await.unwrap();
        let t = list
            .iter()
            .flat_map(|c| &c.tunnels)
            .find(|t| t.health.outside_address == tunnel.health.outside_address)?;
        let settled = list.iter().all(|c| c.state == State::Available);
        (settled && t.pre_shared_key.as_ref().map(Secret::expose) == Some("psk_new_abcdefgh"))
            .then_some(())
    })
    .await;
    let op = lab
        .azure
        .put_shared_key(&ipsecs[0], &Secret::new("psk_new_abcdefgh"))
        .await
        .unwrap();
    finished(&lab, &ipsecs[0], &op).await.unwrap();

    // The way back.
    let e = lab.aws.delete_customer_gateway(&cgws[0]).await.unwrap_err();
    assert!(e.is_blocked(), "{e:?}");
    for id in &ipsecs {
        let op = lab
            .until("a free gateway", 0.5, async || {
                match lab.azure.delete_connection(id).await {
                    Ok(op) => Some(op),
                    Err(e) => {
                        assert!(e.is_blocked(), "{e:?}");
                        None
                    }
                }
            })
            .await;
        if let Some(op) = op {
            finished(&lab, id, &op).await.unwrap();
        }
    }
    for id in &connections {
        lab.aws.delete_vpn_connection(id).await.unwrap();
    }
    for id in &lngs {
        lab.until("the local network gateway's end", 0.5, async || {
            let deleted = lab.azure.delete_local_gateway(id).await;
            deleted.ok().and_then(|gone| gone.is_none().then_some(()))
        })
        .await;
    }
    let op = lab
        .until("a free gateway", 0.5, async || {
            lab.azure.delete_gateway(&gateway_id).await.ok()
        })
        .await
        .unwrap();
    finished(&lab, &gateway_id, &op).await.unwrap();
    for id in &pips {
        lab.until("the address's end", 0.5, async || {
            match lab.azure.delete_public_ip(id).await {
                Ok(None) => Some(()),
                Ok(Some(_)) => None,
                Err(e) => {
                    assert!(e.is_blocked(), "still in use for a while: {e:?}");
                    None
                }
            }
        })
        .await;
    }
    lab.until("the VPN connections' end", 1.0, async || {
        let list = lab.aws.vpn_connections(&select).await.unwrap();
        list.iter().all(|c| c.state == State::Deleted).then_some(())
    })
    .await;
    for id in &cgws {
        lab.until("the customer gateway's end", 0.5, async || {
            lab.aws.delete_customer_gateway(id).await.ok()
        })
        .await;
    }
    lab.aws.disable_propagation(&table_id, &vgw).await.unwrap();
    detached_and_deleted(&lab, &vgw, &vpc_id).await;
    lab.advance(7200.0);
    assert_eq!(lab.live(), Vec::<String>::new());
    let open: Vec<_> = lab
        .sandbox
        .ledger()
        .into_iter()
        .filter(|e| e.ended_at.is_none())
        .map(|e| e.name)
        .collect();
    assert_eq!(open, Vec::<String>::new());
}
