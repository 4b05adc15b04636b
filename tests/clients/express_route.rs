//! The life of an ExpressRoute link: circuit, MCR, VXC, peering, gateway, connection, tables, and the way back.

use crate::support::Lab;
use causeway::clients::azure::{
    Accepted, CircuitSpec, ExpressRouteConnectionSpec, ExpressRouteGatewaySpec, Long,
    OperationStatus, PeeringSpec, ProviderState, ProvisioningState, ResourceId,
};
use causeway::clients::megaport::{
    Direction, FarEnd, McrOrder, ProductStatus, RouterBgp, RouterInterface, Tags, VxcOrder,
    VxcUpdate,
};
use causeway_model::intent::CloudError;
use causeway_model::routes::{Learned, SessionState, azure, megaport};
use causeway_model::secret::Secret;
use causeway_model::spec::PeeringPort;
use ipnet::IpNet;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

pub fn net(s: &str) -> IpNet {
    s.parse().unwrap()
}

/// Follows a long-running write to its end.
pub async fn finished(lab: &Lab, id: &ResourceId, accepted: &Accepted) -> Result<(), CloudError> {
    let Some(url) = &accepted.operation_url else {
        return Ok(());
    };
    lab.until("the operation", 2.0, async || {
        match lab.azure.operation_status("x", id, url).await.unwrap() {
            OperationStatus::InProgress { .. } => None,
            OperationStatus::Succeeded => Some(Ok(())),
            OperationStatus::Failed(e) => Some(Err(e)),
        }
    })
    .await
}

/// Follows a diagnostic to its end.
pub async fn done<T: DeserializeOwned + Default>(
    lab: &Lab,
    id: &ResourceId,
    started: Long<T>,
) -> T {
    let mut at = started;
    for _ in 0..60 {
        match at {
            Long::Done(t) => return t,
            Long::Running { location, .. } => {
                lab.advance(5.0);
                at = lab.azure.poll("x", id, &location).await.unwrap();
            }
        }
    }
    panic!("the diagnostic did not end");
}

pub fn mcr_order(token: &str) -> McrOrder {
    McrOrder {
        name: format!("lab-a [{token}]"),
        location_id: 67,
        port_speed_mbps: 1000,
        term_months: 1,
        asn: 64600,
        diversity_zone: Some("Red".to_owned()),
        cost_centre: None,
        tags: Tags::from([("causeway.dev/owner".to_owned(), token.to_owned())]),
    }
}

/// Buys an MCR and waits until it is live: while it is only configured, its lock is still held.
pub async fn mcr(lab: &Lab, token: &str) -> String {
    let order = mcr_order(token);
    lab.megaport.validate_mcr(&order).await.unwrap();
    let uid = lab.megaport.buy_mcr(&order).await.unwrap();
    lab.until("the MCR", 1.0, async || {
        lab.megaport
            .mcr(&uid)
            .await
            .unwrap()
            .filter(|m| m.status == ProductStatus::Live)
    })
    .await;
    uid
}

fn azure_vxc(router_uid: &str, port_uid: &str, key: &Secret) -> VxcOrder {
    VxcOrder {
        name: "lab-er-main-primary [token]".to_owned(),
        router_uid: router_uid.to_owned(),
        rate_limit_mbps: 50,
        term_months: 1,
        cost_centre: None,
        tags: Tags::new(),
        interfaces: vec![RouterInterface {
            description: "to-azure".to_owned(),
            vlan: Some(100),
            address: "169.254.101.217/30".parse().unwrap(),
            sessions: vec![RouterBgp {
                peer_asn: 12076,
                local_address: "169.254.101.217".parse().unwrap(),
                peer_address: "169.254.101.218".parse().unwrap(),
                password: None,
                shutdown: false,
                description: "lab".to_owned(),
                bfd: true,
                as_path_prepend: 0,
                med_out: None,
                deny_export_to: vec![],
            }],
        }],
        far_end: FarEnd::Azure {
            port_uid: port_uid.to_owned(),
            service_key: key.clone(),
        },
    }
}

#[tokio::test]
async fn the_life_of_an_expressroute_link() {
    let lab = Lab::new().await;
    let (sub, rg) = (lab.subscription.as_str(), lab.resource_group.as_str());
    let circuit_id = ResourceId::circuit(sub, rg, "to-megaport");
    let vnet_id = ResourceId::virtual_network(sub, rg, "vnet");

    // What is referenced is there, and the catalogue has what the lab wants.
    lab.azure.check_access(rg).await.unwrap();
    let vnet = lab.azure.virtual_network(&vnet_id).await.unwrap().unwrap();
    assert_eq!(
        vnet.properties.address_space.address_prefixes,
        ["172.29.0.0/16"]
    );
    let subnet = lab
        .azure
        .subnet(&vnet_id.gateway_subnet())
        .await
        .unwrap()
        .unwrap();
    assert!(!subnet.properties.prefixes().is_empty());
    let providers = lab.azure.service_providers().await.unwrap();
    let ours = providers.iter().find(|p| p.name == "Megaport").unwrap();
    assert!(
        ours.properties
            .peering_locations
            .iter()
            .any(|l| l == "Washington DC2")
    );
    assert!(
        ours.properties
            .bandwidths_offered
            .iter()
            .any(|b| b.value_in_mbps == Some(50))
    );

    // Circuit, gateway and MCR at once.
    let spec = CircuitSpec {
        location: lab.location.clone(),
        tags: BTreeMap::from([("causeway-owner".to_owned(), "uid-1".to_owned())]),
        sku_tier: "Standard".to_owned(),
        sku_family: "MeteredData".to_owned(),
        service_provider: "Megaport".to_owned(),
        peering_location: "Washington DC2".to_owned(),
        bandwidth_mbps: 50,
    };
    let circuit_op = lab.azure.create_circuit(&circuit_id, &spec).await.unwrap();
    let gateway_id = ResourceId::gateway(sub, rg, "ergw");
    let gateway_spec = ExpressRouteGatewaySpec {
        location: lab.location.clone(),
        tags: BTreeMap::new(),
        sku: "ErGw1AZ".to_owned(),
        subnet: vnet_id.gateway_subnet(),
    };
    let gateway_op = lab
        .azure
        .create_express_route_gateway(&gateway_id, &gateway_spec)
        .await
        .unwrap();
    let router = mcr(&lab, "uid-1").await;
    finished(&lab, &circuit_id, &circuit_op).await.unwrap();
    let circuit = lab
        .until("the circuit in reads", 0.1, async || {
            lab.azure.circuit(&circuit_id).await.unwrap()
        })
        .await;
    assert_eq!(
        circuit.tags.get("causeway-owner").map(String::as_str),
        Some("uid-1")
    );
    assert_eq!(
        circuit.properties.provisioning_state,
        ProvisioningState::Succeeded
    );
    let key = circuit.properties.key(&circuit_id).unwrap();

    // The VXC, on the port that the key names.
    let known = lab
        .until("the key at Megaport", 0.5, async || {
            match lab.megaport.azure_key(&key).await {
                Ok(k) => Some(k),
                Err(e) => {
                    assert!(e.is_blocked(), "{e:?}");
                    None
                }
            }
        })
        .await;
    let port = known.port(PeeringPort::Primary).unwrap();
    assert!(port.is_free());
    let order = azure_vxc(&router, &port.product_uid, &key);
    lab.megaport.validate_vxc(&order).await.unwrap();
    let vxc = lab.megaport.buy_vxc(&order).await.unwrap();
    lab.until("the VXC", 1.0, async || {
        lab.megaport
            .vxc(&vxc)
            .await
            .unwrap()
            .filter(|v| v.status.is_ready())
    })
    .await;
    let products = lab
        .until("the VXC in the list", 0.2, async || {
            let p = lab.megaport.products().await.unwrap();
            p.vxc(&vxc).is_some().then_some(p)
        })
        .await;
    assert_eq!(products.mcr(&router).unwrap().asn, Some(64600));
    assert_eq!(
        lab.megaport
            .tags(&router)
            .await
            .unwrap()
            .unwrap()
            .get("causeway.dev/owner")
            .map(String::as_str),
        Some("uid-1")
    );

    // The provider state follows; a refresh makes Azure look.
    lab.until("the provider state", 2.0, async || {
        let c = lab.azure.circuit(&circuit_id).await.unwrap().unwrap();
        if c.properties.service_provider_provisioning_state == ProviderState::Provisioned {
            return Some(());
        }
        match lab.azure.refresh_circuit(&circuit_id, None).await {
            Ok(op) => finished(&lab, &circuit_id, &op).await.unwrap(),
            Err(e) => assert!(e.is_blocked(), "{e:?}"),
        }
        None
    })
    .await;
    let peering_spec = PeeringSpec {
        peer_asn: 64600,
        primary_prefix: "169.254.101.216/30".to_owned(),
        secondary_prefix: "169.254.101.220/30".to_owned(),
        vlan_id: 100,
        shared_key: None,
    };
    let op = lab
        .azure
        .put_private_peering(&circuit_id, &peering_spec)
        .await
        .unwrap();
    finished(&lab, &circuit_id, &op).await.unwrap();
    lab.until("the peering in reads", 0.1, async || {
        lab.azure.private_peering(&circuit_id).await.unwrap()
    })
    .await;

    // The connection, once the gateway is there.
    finished(&lab, &gateway_id, &gateway_op).await.unwrap();
    let connection_id = ResourceId::connection(sub, rg, "lab-er-main");
    let connection_spec = ExpressRouteConnectionSpec {
        location: lab.location.clone(),
        tags: BTreeMap::new(),
        gateway: gateway_id.clone(),
        circuit: circuit_id.clone(),
        routing_weight: 0,
        authorization_key: None,
    };
    let op = lab
        .azure
        .create_express_route_connection(&connection_id, &connection_spec)
        .await
        .unwrap();
    finished(&lab, &connection_id, &op).await.unwrap();
    lab.advance(120.0);

    // Tables from every vantage of this half.
    let rows = lab
        .azure
        .start_circuit_routes(&circuit_id, PeeringPort::Primary)
        .await
        .unwrap();
    let table = azure::circuit_routes(&done(&lab, &circuit_id, rows).await.rows);
    assert!(table.not_understood.is_empty(), "{table:?}");
    assert!(
        table.to(net("172.29.0.0/16")).all(|r| r.as_path == [65515])
            && table.has(net("172.29.0.0/16")),
        "{table:?}"
    );
    let rows = lab
        .azure
        .start_circuit_summary(&circuit_id, PeeringPort::Primary)
        .await
        .unwrap();
    let sessions = azure::circuit_sessions(&done(&lab, &circuit_id, rows).await.rows);
    assert!(sessions.not_understood.is_empty(), "{sessions:?}");
    assert!(
        sessions
            .rows
            .iter()
            .any(|s| s.peer_asn == Some(64600) && s.state == SessionState::Up),
        "{sessions:?}"
    );
    let rows = lab.azure.start_bgp_peers(&gateway_id).await.unwrap();
    let sessions = azure::gateway_sessions(&done(&lab, &gateway_id, rows).await.rows);
    assert!(
        sessions
            .rows
            .iter()
            .filter(|s| s.peer_asn == Some(12076) && s.state == SessionState::Up)
            .count()
            >= 2,
        "{sessions:?}"
    );
    let rows = lab.azure.start_learned_routes(&gateway_id).await.unwrap();
    let table = azure::gateway_routes(&done(&lab, &gateway_id, rows).await.rows);
    assert!(table.not_understood.is_empty(), "{table:?}");
    assert!(
        table
            .to(net("169.254.101.216/30"))
            .any(|r| r.learned == Learned::Ebgp && r.as_path.first() == Some(&12076)),
        "{table:?}"
    );
    let nic = ResourceId::network_interface(sub, rg, "vm-nic");
    let rows = lab.azure.start_effective_routes(&nic).await.unwrap();
    let table = azure::effective_routes(&done(&lab, &nic, rows).await.rows);
    assert!(
        table.not_understood.is_empty() && table.has(net("172.29.0.0/16")),
        "{table:?}"
    );
    let operation = lab.megaport.start_bgp_routes(&router).await.unwrap();
    let rows = lab
        .until("the MCR's routes", 0.1, async || {
            lab.megaport
                .poll_bgp_routes(&router, &operation)
                .await
                .unwrap()
        })
        .await;
    let table = megaport::bgp_routes(&rows.rows);
    assert!(
        table.not_understood.is_empty() && table.has(net("172.29.0.0/16")),
        "{table:?}"
    );
    let operation = lab.megaport.start_ip_routes(&router).await.unwrap();
    let rows = lab
        .until("the MCR's table", 0.1, async || {
            lab.megaport
                .poll_ip_routes(&router, &operation)
                .await
                .unwrap()
        })
        .await;
    assert!(megaport::ip_routes(&rows.rows).has(net("172.29.0.0/16")));
    let peer = "169.254.101.218".parse().unwrap();
    let operation = lab
        .megaport
        .start_neighbor_routes(&router, peer, Direction::Received)
        .await
        .unwrap();
    let rows = lab
        .until("the neighbour's routes", 0.1, async || {
            lab.megaport
                .poll_bgp_routes(&router, &operation)
                .await
                .unwrap()
        })
        .await;
    assert!(!rows.rows.is_empty());
    let seen = lab.megaport.vxc(&vxc).await.unwrap().unwrap();
    assert_eq!(seen.sessions().rows[0].state, SessionState::Up, "{seen:?}");

    // A session shut on the MCR's side, as the portal does it.
    let mut shut = order.interfaces.clone();
    shut[0].sessions[0].shutdown = true;
    let update = VxcUpdate {
        interfaces: Some(shut),
        ..VxcUpdate::default()
    };
    lab.megaport.update_vxc(&vxc, &update).await.unwrap();
    lab.until("the shutdown", 0.2, async || {
        let v = lab.megaport.vxc(&vxc).await.unwrap().unwrap();
        (v.sessions().rows[0].state == SessionState::AdministrativelyDown).then_some(())
    })
    .await;

    teardown(
        &lab,
        &circuit_id,
        &connection_id,
        &gateway_id,
        &vxc,
        &router,
    )
    .await;
}

async fn teardown(
    lab: &Lab,
    circuit_id: &ResourceId,
    connection_id: &ResourceId,
    gateway_id: &ResourceId,
    vxc: &str,
    router: &str,
) {
    // In the wrong order it is refused in words that we understand.
    let e = lab.megaport.cancel_vxc(vxc).await.unwrap_err();
    assert!(e.is_blocked(), "the peering stands: {e:?}");
    let e = lab.megaport.cancel_mcr(router).await.unwrap_err();
    assert!(e.is_blocked(), "the VXC stands: {e:?}");

    let op = lab
        .azure
        .delete_connection(connection_id)
        .await
        .unwrap()
        .unwrap();
    finished(lab, connection_id, &op).await.unwrap();
    lab.until("the connection's end", 0.2, async || {
        lab.azure
            .connection(connection_id)
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    let gateway_op = lab.azure.delete_gateway(gateway_id).await.unwrap().unwrap();
    let op = lab
        .azure
        .delete_private_peering(circuit_id)
        .await
        .unwrap()
        .unwrap();
    finished(lab, circuit_id, &op).await.unwrap();
    lab.until("the VXC's cancellation", 0.5, async || {
        match lab.megaport.cancel_vxc(vxc).await {
            Ok(()) => Some(()),
            Err(e) => {
                assert!(e.is_blocked() || e.is_transient(), "{e:?}");
                None
            }
        }
    })
    .await;
    lab.until("the VXC's end", 0.5, async || {
        lab.megaport
            .vxc(vxc)
            .await
            .unwrap()
            .is_none_or(|v| v.status.is_gone())
            .then_some(())
    })
    .await;

    // Too early: accepted, and refused at the end of the operation.
    let op = lab.azure.delete_circuit(circuit_id).await.unwrap().unwrap();
    let e = finished(lab, circuit_id, &op).await.unwrap_err();
    assert!(e.is_blocked() && e.code == "ConflictError", "{e:?}");
    lab.until("the provider's release", 2.0, async || {
        let c = lab.azure.circuit(circuit_id).await.unwrap().unwrap();
        if c.properties
            .service_provider_provisioning_state
            .is_deletable()
        {
            return Some(());
        }
        match lab.azure.refresh_circuit(circuit_id, None).await {
            Ok(op) => finished(lab, circuit_id, &op).await.unwrap(),
            Err(e) => assert!(e.is_blocked() || e.is_conflict(), "{e:?}"),
        }
        None
    })
    .await;
    let op = lab
        .until("a free circuit", 0.5, async || {
            lab.azure.delete_circuit(circuit_id).await.ok()
        })
        .await
        .unwrap();
    finished(lab, circuit_id, &op).await.unwrap();
    lab.until("the circuit's end", 0.2, async || {
        lab.azure
            .circuit(circuit_id)
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
    lab.until("the MCR's cancellation", 0.5, async || {
        lab.megaport.cancel_mcr(router).await.ok()
    })
    .await;
    finished(lab, gateway_id, &gateway_op).await.unwrap();
    lab.advance(600.0);
    assert_eq!(lab.live(), Vec::<String>::new());
    let open: Vec<_> = lab
        .sandbox
        .ledger()
        .into_iter()
        .filter(|e| e.ended_at.is_none())
        .map(|e| e.name)
        .collect();
    assert_eq!(open, Vec::<String>::new(), "nothing is billed any more");
    // Deleting again is no error.
    assert!(
        lab.azure
            .delete_circuit(circuit_id)
            .await
            .unwrap()
            .is_none()
    );
}
