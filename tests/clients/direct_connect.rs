//! The life of a Direct Connect link: VGW with attachment and propagation, Direct Connect gateway with association, MCR,
//! VXC, hosted virtual interface, tables, and the way back.

use crate::express_route::{mcr, net};
use crate::support::Lab;
use causeway::clients::megaport::{FarEnd, RouterBgp, RouterInterface, Tags, VxcOrder};
use causeway_aws::{
    AssociationOf, AssociationState, AttachmentOf, AttachmentState, AwsApi, DirectConnectApi,
    Ec2Api, Select, State, VifState, dx_gateway_arn, vif_arn,
};
use causeway_model::routes::SessionState;
use causeway_model::routes::aws::{VifDirection, route_table, vif_routes, vif_sessions};
use causeway_model::secret::Secret;

const KEY: &str = "lab-md5-key-0001";

fn tags(owner: &str) -> causeway_aws::Tags {
    causeway_aws::Tags::from([("causeway.dev/owner".to_owned(), owner.to_owned())])
}

/// A VGW attached to the VPC; answers its ID.
pub async fn attached_vgw(lab: &Lab, vpc: &str) -> String {
    let vgw = lab
        .aws
        .create_vpn_gateway(64900, &tags("uid-1"))
        .await
        .unwrap();
    lab.until("the VGW", 0.2, async || {
        let list = lab
            .aws
            .vpn_gateways(&Select::TagKey("causeway.dev/owner".to_owned()))
            .await
            .unwrap();
        list.into_iter()
            .find(|g| g.id == vgw.id && g.state == State::Available)
    })
    .await;
    lab.aws.attach_vpn_gateway(&vgw.id, vpc).await.unwrap();
    lab.until("the attachment", 0.5, async || {
        let list = lab.aws.vpn_gateways(&Select::id(&vgw.id)).await.unwrap();
        list.first()?
            .attachment(vpc)
            .filter(|a| a.state == AttachmentState::Attached)
            .cloned()
    })
    .await;
    vgw.id
}

pub async fn detached_and_deleted(lab: &Lab, vgw: &str, vpc: &str) {
    lab.aws.detach_vpn_gateway(vgw, vpc).await.unwrap();
    lab.until("the detachment", 1.0, async || {
        let list = lab.aws.vpn_gateways(&Select::id(vgw)).await.unwrap();
        list.first()
            .and_then(|g| g.attachment(vpc))
            .is_none_or(|a| a.state == AttachmentState::Detached)
            .then_some(())
    })
    .await;
    lab.aws.delete_vpn_gateway(vgw).await.unwrap();
    lab.until("the VGW's end", 0.5, async || {
        let list = lab.aws.vpn_gateways(&Select::id(vgw)).await.unwrap();
        list.iter().all(|g| g.state == State::Deleted).then_some(())
    })
    .await;
    lab.aws.delete_vpn_gateway(vgw).await.unwrap();
}

/// The world's VPC: its ID and its route table.
pub async fn vpc(lab: &Lab) -> (String, String) {
    let vpcs = lab.aws.vpcs(&Select::All).await.unwrap();
    let vpc = vpcs
        .iter()
        .find(|v| v.cidrs.contains(&"172.16.0.0/16".parse().unwrap()))
        .unwrap();
    let tables = lab
        .aws
        .route_tables(std::slice::from_ref(&vpc.id))
        .await
        .unwrap();
    assert!(route_table(&tables[0].routes).not_understood.is_empty());
    (vpc.id.clone(), tables[0].id.clone())
}

fn order(router: &str, port: &str, account: &str) -> VxcOrder {
    VxcOrder {
        name: "lab-dx-main [token]".to_owned(),
        router_uid: router.to_owned(),
        rate_limit_mbps: 50,
        term_months: 1,
        cost_centre: None,
        tags: Tags::new(),
        interfaces: vec![RouterInterface {
            description: "to-aws".to_owned(),
            vlan: None,
            address: "169.254.50.218/30".parse().unwrap(),
            sessions: vec![RouterBgp {
                peer_asn: 64901,
                local_address: "169.254.50.218".parse().unwrap(),
                peer_address: "169.254.50.217".parse().unwrap(),
                password: Some(Secret::new(KEY)),
                shutdown: false,
                description: "lab".to_owned(),
                bfd: true,
                as_path_prepend: 0,
                med_out: None,
                deny_export_to: vec![],
            }],
        }],
        far_end: FarEnd::AwsVif {
            port_uid: port.to_owned(),
            owner_account: account.to_owned(),
            vif_name: "lab-vif".to_owned(),
            asn: 64600,
            amazon_asn: Some(64901),
            auth_key: Secret::new(KEY),
            customer_address: "169.254.50.218/30".parse().unwrap(),
            amazon_address: "169.254.50.217/30".parse().unwrap(),
        },
    }
}

#[tokio::test]
async fn the_life_of_a_direct_connect_link() {
    let lab = Lab::new().await;
    let caller = lab.aws.caller_identity().await.unwrap();
    let (vpc_id, table_id) = vpc(&lab).await;

    let vgw = attached_vgw(&lab, &vpc_id).await;
    lab.aws.enable_propagation(&table_id, &vgw).await.unwrap();
    let dxgw = lab
        .aws
        .create_dx_gateway("lab", 64901, &tags("uid-1"))
        .await
        .unwrap();
    lab.until("the Direct Connect gateway", 0.5, async || {
        let list = lab.aws.dx_gateways().await.unwrap();
        list.into_iter()
            .find(|g| g.id == dxgw.id && g.state == State::Available)
    })
    .await;
    let prefixes = ["172.16.0.0/16".parse().unwrap()];
    let association = lab
        .aws
        .create_dx_association(&dxgw.id, &vgw, &prefixes)
        .await
        .unwrap();

    let router = mcr(&lab, "uid-1").await;
    let ports = lab.megaport.partner_ports("AWS").await.unwrap();
    let port = ports.iter().find(|p| p.location_id == 67).unwrap();
    let order = order(&router, &port.product_uid, &caller.account);
    lab.megaport.validate_vxc(&order).await.unwrap();
    let vxc = lab.megaport.buy_vxc(&order).await.unwrap();
    let vif = lab
        .until("the VIF's ID at Megaport", 1.0, async || {
            lab.megaport
                .vxc(&vxc)
                .await
                .unwrap()
                .and_then(|v| v.aws?.vif_id)
        })
        .await;
    let seen = lab
        .until("the VIF at AWS", 0.5, async || {
            lab.aws.vif(&vif).await.unwrap()
        })
        .await;
    assert_eq!((&seen.state, seen.asn), (&VifState::Confirming, 64600));
    assert_eq!(seen.auth_key.as_ref().map(Secret::expose), Some(KEY));
    lab.aws.confirm_private_vif(&vif, &dxgw.id).await.unwrap();
    let arn = vif_arn(lab.aws.region(), &caller.account, &vif);
    lab.aws.tag_dx(&arn, &tags("uid-1")).await.unwrap();
    lab.aws
        .tag_dx(&dx_gateway_arn(&caller.account, &dxgw.id), &tags("uid-1"))
        .await
        .unwrap();

    lab.until("the association", 1.5, async || {
        let list = lab
            .aws
            .dx_associations(&AssociationOf::DxGateway(dxgw.id.clone()))
            .await
            .unwrap();
        list.into_iter()
            .find(|a| a.id == association.id && a.state == AssociationState::Associated)
    })
    .await;
    let up = lab
        .until("the VIF's BGP", 1.0, async || {
            let v = lab
                .aws
                .vifs()
                .await
                .unwrap()
                .into_iter()
                .find(|v| v.id == vif)?;
            let up = vif_sessions(&v.peers)
                .rows
                .iter()
                .any(|s| s.state == SessionState::Up);
            (up && v.state == VifState::Available && v.tags.contains_key("causeway.dev/owner"))
                .then_some(v)
        })
        .await;
    assert_eq!(up.dx_gateway_id.as_deref(), Some(dxgw.id.as_str()));
    let attachments = lab
        .aws
        .dx_attachments(&AttachmentOf::Vif(vif.clone()))
        .await
        .unwrap();
    assert_eq!(attachments[0].state, AttachmentState::Attached);

    // Tables: the VPC's prefix goes out, the link's /30 comes back into the VPC's table.
    lab.advance(120.0);
    let rows = lab.aws.vif_routes(&vif).await.unwrap();
    assert!(
        vif_routes(&rows, VifDirection::Advertised).has(net("172.16.0.0/16")),
        "{rows:?}"
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
    let table = causeway_model::routes::megaport::bgp_routes(&rows.rows);
    assert!(
        table.to(net("172.16.0.0/16")).any(|r| r.as_path == [64901]),
        "{table:?}"
    );
    let tables = lab
        .aws
        .route_tables(std::slice::from_ref(&vpc_id))
        .await
        .unwrap();
    let table = tables.iter().find(|t| t.id == table_id).unwrap();
    assert!(table.propagating_vgws.contains(&vgw));
    assert!(
        route_table(&table.routes).has(net("169.254.50.216/30")),
        "{:?}",
        table.routes
    );

    // An allowed prefix more, and less.
    let more = "172.16.0.0/12".parse().unwrap();
    lab.aws
        .update_dx_association(&association.id, &[more], &[])
        .await
        .unwrap();
    lab.until("the wider association", 1.0, async || {
        let list = lab
            .aws
            .dx_associations(&AssociationOf::Gateway(vgw.clone()))
            .await
            .unwrap();
        list.into_iter()
            .find(|a| a.state == AssociationState::Associated && a.allowed_prefixes.contains(&more))
    })
    .await;

    // The way back: VIF and association in parallel, then VXC, gateway, VGW.
    lab.aws.delete_vif(&vif).await.unwrap();
    lab.aws
        .delete_dx_association(&association.id)
        .await
        .unwrap();
    lab.until("the VIF's end", 1.0, async || {
        lab.aws
            .vif(&vif)
            .await
            .unwrap()
            .is_none_or(|v| v.state == VifState::Deleted)
            .then_some(())
    })
    .await;
    lab.until("the VXC's cancellation", 0.5, async || {
        lab.megaport.cancel_vxc(&vxc).await.ok()
    })
    .await;
    lab.until("the association's end", 2.0, async || {
        let list = lab
            .aws
            .dx_associations(&AssociationOf::DxGateway(dxgw.id.clone()))
            .await
            .unwrap();
        list.iter()
            .all(|a| a.state == AssociationState::Disassociated)
            .then_some(())
    })
    .await;
    lab.aws.delete_dx_gateway(&dxgw.id).await.unwrap();
    lab.until("the gateway's end", 1.0, async || {
        lab.aws
            .dx_gateways()
            .await
            .unwrap()
            .iter()
            .all(|g| g.id != dxgw.id || g.state == State::Deleted)
            .then_some(())
    })
    .await;
    lab.aws.disable_propagation(&table_id, &vgw).await.unwrap();
    detached_and_deleted(&lab, &vgw, &vpc_id).await;
    lab.until("the VXC's end", 0.5, async || {
        lab.megaport
            .vxc(&vxc)
            .await
            .unwrap()
            .is_none_or(|v| v.status.is_gone())
            .then_some(())
    })
    .await;
    lab.until("the MCR's cancellation", 0.5, async || {
        lab.megaport.cancel_mcr(&router).await.ok()
    })
    .await;
    lab.advance(7200.0);
    assert_eq!(lab.live(), Vec::<String>::new());
    // What is gone is gone for every call.
    lab.aws.delete_vif(&vif).await.unwrap();
    lab.aws
        .delete_dx_association(&association.id)
        .await
        .unwrap();
    lab.aws.delete_dx_gateway(&dxgw.id).await.unwrap();
    lab.aws.detach_vpn_gateway(&vgw, &vpc_id).await.unwrap();
}

#[tokio::test]
async fn wrong_orders_are_refused_in_words_that_are_understood() {
    let lab = Lab::new().await;
    let (vpc_id, table_id) = vpc(&lab).await;
    let vgw = lab
        .aws
        .create_vpn_gateway(64900, &tags("uid-1"))
        .await
        .unwrap();
    lab.advance(60.0);
    // Propagation before the attachment has settled: wait.
    let e = lab
        .aws
        .enable_propagation(&table_id, &vgw.id)
        .await
        .unwrap_err();
    assert!(e.is_blocked(), "{e:?}");
    lab.aws.attach_vpn_gateway(&vgw.id, &vpc_id).await.unwrap();
    lab.advance(60.0);
    let e = lab.aws.delete_vpn_gateway(&vgw.id).await.unwrap_err();
    assert!(e.is_blocked(), "{e:?}");
    assert!(lab.aws.vif("dxvif-nothere").await.unwrap().is_none());
    assert!(
        lab.aws
            .dx_associations(&AssociationOf::Gateway("vgw-00000000000000000".to_owned()))
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        lab.aws
            .vpn_gateways(&Select::id("vgw-00000000000000000"))
            .await
            .unwrap()
            .is_empty()
    );
    let e = lab
        .aws
        .attach_vpn_gateway("vgw-00000000000000000", &vpc_id)
        .await
        .unwrap_err();
    assert!(e.is_not_found(), "{e:?}");
    let e = lab
        .aws
        .create_dx_gateway("lab", 7224, &tags("uid-1"))
        .await
        .unwrap_err();
    assert!(e.is_terminal() && !e.may_have_happened(), "{e:?}");
}

#[tokio::test]
async fn wrong_aws_credentials_are_an_auth_error() {
    use causeway::clients::http::{AwsExchange, Transport};
    use std::sync::Arc;
    let lab = Lab::new().await;
    let transport: Arc<dyn Transport> =
        Arc::new(crate::support::SandboxTransport(lab.sandbox.clone()));
    let stranger = causeway_aws::SdkAws::new(causeway_aws::AwsSettings {
        region: "us-east-1".to_owned(),
        credentials: causeway_aws::AwsCredentials::Static {
            access_key_id: "AKIANOBODY".to_owned(),
            secret_access_key: Secret::new("wrong-secret-value"),
            session_token: None,
        },
        http: causeway_aws::AwsHttp::Exchange(Arc::new(AwsExchange(transport))),
        endpoint: crate::support::endpoints().aws,
    })
    .await
    .unwrap();
    let e = stranger.caller_identity().await.unwrap_err();
    assert!(e.is_auth(), "{e:?}");
    let e = stranger.vpn_gateways(&Select::All).await.unwrap_err();
    assert!(e.is_auth(), "{e:?}");
    let e = stranger.vifs().await.unwrap_err();
    assert!(e.is_auth(), "{e:?}");
    assert!(!format!("{e:?}{e}").contains("wrong-secret-value"));
}
