//! Changes of living objects: tags, a circuit's bandwidth, a stale ETag, rates, costs; and the hosted-connection way to
//! AWS.

use crate::direct_connect::vpc;
use crate::express_route::{finished, mcr};
use crate::support::Lab;
use causeway::clients::azure::{CircuitSpec, ResourceId};
use causeway::clients::megaport::{FarEnd, McrUpdate, Tags, VxcOrder, VxcPriceRequest, VxcUpdate};
use causeway_aws::{AwsApi, ConnectionState, DirectConnectApi, NewPrivateVif, State, VifState};
use causeway_model::secret::Secret;
use std::collections::BTreeMap;

#[tokio::test]
async fn a_circuit_changes_with_its_etag_and_its_tags_by_themselves() {
    let lab = Lab::new().await;
    let id = ResourceId::circuit(&lab.subscription, &lab.resource_group, "to-megaport");
    let spec = CircuitSpec {
        location: lab.location.clone(),
        tags: BTreeMap::from([("a".to_owned(), "1".to_owned())]),
        sku_tier: "Standard".to_owned(),
        sku_family: "MeteredData".to_owned(),
        service_provider: "Megaport".to_owned(),
        peering_location: "Washington DC2".to_owned(),
        bandwidth_mbps: 50,
    };
    let op = lab.azure.create_circuit(&id, &spec).await.unwrap();
    finished(&lab, &id, &op).await.unwrap();
    let mut circuit = lab
        .until("the circuit", 0.1, async || {
            lab.azure.circuit(&id).await.unwrap()
        })
        .await;
    let stale = circuit.clone();
    circuit
        .properties
        .service_provider_properties
        .as_mut()
        .unwrap()
        .bandwidth_in_mbps = Some(100);
    let op = lab.azure.update_circuit(&id, &circuit).await.unwrap();
    finished(&lab, &id, &op).await.unwrap();
    lab.until("the new bandwidth", 0.1, async || {
        let c = lab.azure.circuit(&id).await.unwrap()?;
        (c.properties.service_provider_properties?.bandwidth_in_mbps == Some(100)).then_some(())
    })
    .await;
    let e = lab.azure.update_circuit(&id, &stale).await.unwrap_err();
    assert!(e.is_conflict(), "{e:?}");
    let tags = BTreeMap::from([("b".to_owned(), "2".to_owned())]);
    lab.azure
        .patch_tags("expressRouteCircuits.patch", &id, &tags)
        .await
        .unwrap();
    lab.until("the new tags", 0.1, async || {
        lab.azure
            .circuit(&id)
            .await
            .unwrap()
            .filter(|c| c.tags == tags)
    })
    .await;
    // A location that the catalogue lacks is a spec error.
    let bad = CircuitSpec {
        peering_location: "Atlantis".to_owned(),
        ..spec
    };
    let other = ResourceId::circuit(&lab.subscription, &lab.resource_group, "nowhere");
    let e = lab.azure.create_circuit(&other, &bad).await.unwrap_err();
    assert!(e.is_terminal() && !e.may_have_happened(), "{e:?}");
}

#[tokio::test]
async fn products_change_and_have_prices_and_tags() {
    let lab = Lab::new().await;
    let router = mcr(&lab, "uid-1").await;
    let update = McrUpdate {
        name: Some("lab-b [uid-1]".to_owned()),
        cost_centre: "net".to_owned(),
        term_months: None,
    };
    lab.megaport.update_mcr(&router, &update).await.unwrap();
    lab.until("the new name", 0.2, async || {
        lab.megaport
            .mcr(&router)
            .await
            .unwrap()
            .filter(|m| m.name == "lab-b [uid-1]" && m.cost_centre.as_deref() == Some("net"))
    })
    .await;
    let tags = Tags::from([("k".to_owned(), "v".to_owned())]);
    lab.megaport.put_tags(&router, &tags).await.unwrap();
    assert_eq!(lab.megaport.tags(&router).await.unwrap(), Some(tags));
    let price = lab.megaport.mcr_price(67, 1000, 1).await.unwrap();
    assert!(price.monthly_rate.unwrap() > 0.0 && !price.currency.is_empty());
    let request = VxcPriceRequest {
        a_location_id: 67,
        b_location_id: 67,
        speed_mbps: 50,
        term_months: 1,
        connect_type: Some("AWS".to_owned()),
    };
    assert!(
        lab.megaport
            .vxc_price(&request)
            .await
            .unwrap()
            .monthly_rate
            .unwrap()
            > 0.0
    );
}

#[tokio::test]
async fn a_hosted_connection_is_confirmed_and_gets_its_own_interface() {
    let lab = Lab::new().await;
    let caller = lab.aws.caller_identity().await.unwrap();
    let _ = vpc(&lab).await;
    let dxgw = lab
        .aws
        .create_dx_gateway("lab", 64901, &causeway_aws::Tags::new())
        .await
        .unwrap();
    lab.until("the Direct Connect gateway", 0.5, async || {
        lab.aws
            .dx_gateways()
            .await
            .unwrap()
            .into_iter()
            .find(|g| g.id == dxgw.id && g.state == State::Available)
    })
    .await;
    assert!(!lab.aws.dx_locations().await.unwrap().is_empty());
    let router = mcr(&lab, "uid-1").await;
    let ports = lab.megaport.partner_ports("AWSHC").await.unwrap();
    let order = VxcOrder {
        name: "lab-dx-hc [token]".to_owned(),
        router_uid: router,
        rate_limit_mbps: 50,
        term_months: 1,
        cost_centre: None,
        tags: Tags::new(),
        interfaces: vec![],
        far_end: FarEnd::AwsConnection {
            port_uid: ports[0].product_uid.clone(),
            owner_account: caller.account,
            name: "lab-hc".to_owned(),
        },
    };
    let vxc = lab.megaport.buy_vxc(&order).await.unwrap();
    let id = lab
        .until("the connection's ID at Megaport", 1.0, async || {
            lab.megaport
                .vxc(&vxc)
                .await
                .unwrap()
                .and_then(|v| v.aws?.connection_id)
        })
        .await;
    let connection = lab
        .until("the connection at AWS", 0.5, async || {
            lab.aws
                .connections()
                .await
                .unwrap()
                .into_iter()
                .find(|c| c.id == id)
        })
        .await;
    assert_eq!(connection.state, ConnectionState::Ordering);
    lab.aws.confirm_connection(&id).await.unwrap();
    let connection = lab
        .until("the confirmed connection", 1.0, async || {
            let list = lab.aws.connections().await.unwrap();
            list.into_iter()
                .find(|c| c.id == id && c.state == ConnectionState::Available)
        })
        .await;
    let new = NewPrivateVif {
        connection_id: id,
        name: "lab-vif".to_owned(),
        vlan: connection.vlan,
        asn: 64600,
        auth_key: Some(Secret::new("lab-md5-key-0001")),
        amazon_address: Some("169.254.50.217/30".to_owned()),
        customer_address: Some("169.254.50.218/30".to_owned()),
        mtu: 1500,
        dx_gateway_id: dxgw.id.clone(),
        tags: causeway_aws::Tags::from([("o".to_owned(), "1".to_owned())]),
    };
    let vif = lab.aws.create_private_vif(&new).await.unwrap();
    let seen = lab
        .until("the VIF", 1.0, async || {
            let v = lab.aws.vif(&vif.id).await.unwrap()?;
            matches!(v.state, VifState::Available | VifState::Down).then_some(v)
        })
        .await;
    assert_eq!(
        (seen.vlan, seen.asn, seen.mtu),
        (connection.vlan, 64600, Some(1500))
    );
    assert_eq!(seen.tags.get("o").map(String::as_str), Some("1"));
    lab.aws
        .update_vif(&vif.id, Some(8500), Some("renamed"))
        .await
        .unwrap();
    lab.until("the new MTU", 0.5, async || {
        lab.aws
            .vif(&vif.id)
            .await
            .unwrap()
            .filter(|v| v.mtu == Some(8500) && v.name == "renamed")
    })
    .await;
    // The rate of a hosted connection is fixed.
    let update = VxcUpdate {
        rate_limit_mbps: Some(100),
        ..VxcUpdate::default()
    };
    let e = lab.megaport.update_vxc(&vxc, &update).await.unwrap_err();
    assert!(e.is_terminal(), "{e:?}");
}
