//! Wrong credentials, broken connections and refused requests, as the clients report them.

use crate::express_route::mcr_order;
use crate::support::{Lab, SandboxTransport, endpoints};
use causeway::clients::azure::{API_VERSION, AzureClient, AzureCredential, ResourceId};
use causeway::clients::http::Transport;
use causeway::clients::megaport::{MegaportClient, MegaportCredential};
use causeway_model::intent::Sent;
use causeway_model::secret::Secret;
use causeway_sandbox::faults::{Effect, Fault, Match};
use causeway_sandbox::wire::Provider;
use std::sync::Arc;

fn fault(lab: &Lab, operation: &str, provider: Provider, effect: Effect) {
    lab.sandbox.add_fault(Fault {
        matches: Match {
            provider: Some(provider),
            operation: Some(operation.to_owned()),
            ..Match::default()
        },
        effect,
        status: None,
        code: None,
        seconds: None,
        times: Some(1),
    });
}

#[tokio::test]
async fn wrong_credentials_are_auth_errors_that_name_whose() {
    let lab = Lab::new().await;
    let transport: Arc<dyn Transport> = Arc::new(SandboxTransport(lab.sandbox.clone()));
    let credential = AzureCredential::ClientSecret {
        tenant_id: lab.sandbox.with(|s| s.world.azure.tenant_id.clone()),
        client_id: "99999999-0000-4000-8000-000000000009".to_owned(),
        client_secret: Secret::new("wrong-secret-value"),
    };
    let azure = AzureClient::new(
        &lab.subscription,
        &credential,
        transport.clone(),
        &endpoints(),
        API_VERSION,
    )
    .unwrap();
    let e = azure.check_access(&lab.resource_group).await.unwrap_err();
    assert!(
        e.is_auth()
            && e.to_string()
                .contains("99999999-0000-4000-8000-000000000009"),
        "{e}"
    );
    assert!(!e.to_string().contains("wrong-secret-value"));
    let megaport = MegaportClient::new(
        &MegaportCredential {
            access_key: "nobody".to_owned(),
            secret_key: Secret::new("wrong-secret-value"),
        },
        transport,
        &endpoints(),
    );
    let e = megaport.check_access().await.unwrap_err();
    assert!(e.is_auth() && e.to_string().contains("nobody"), "{e}");
    assert!(!e.to_string().contains("wrong-secret-value"));
}

#[tokio::test]
async fn an_order_whose_answer_is_lost_is_found_by_its_token() {
    let lab = Lab::new().await;
    for (effect, bought) in [(Effect::LoseRequest, false), (Effect::LoseResponse, true)] {
        fault(
            &lab,
            "POST /v4/networkdesign/buy",
            Provider::Megaport,
            effect,
        );
        let e = lab.megaport.buy_mcr(&mcr_order("uid-7")).await.unwrap_err();
        assert_eq!(e.sent, Sent::Maybe, "{e:?}");
        // Looking for as long as reads may lag (design §2.1) settles it.
        let mut found = false;
        for _ in 0..31 {
            let products = lab.megaport.products().await.unwrap();
            found = found || products.mcrs.iter().any(|m| m.name.contains("[uid-7]"));
            lab.advance(10.0);
        }
        assert_eq!(found, bought, "{effect:?}");
    }
    assert_eq!(lab.sandbox.ledger().len(), 1, "one purchase");
}

#[tokio::test]
async fn unreadable_answers_are_transient_and_a_buy_among_them_happened() {
    let lab = Lab::new().await;
    fault(
        &lab,
        "GET /v2/products",
        Provider::Megaport,
        Effect::Garbage,
    );
    let e = lab.megaport.products().await.unwrap_err();
    assert!(e.is_transient(), "{e:?}");
    fault(
        &lab,
        "POST /v4/networkdesign/buy",
        Provider::Megaport,
        Effect::Truncate,
    );
    let e = lab.megaport.buy_mcr(&mcr_order("uid-8")).await.unwrap_err();
    assert_eq!(e.sent, Sent::Yes, "{e:?}");
    let id = ResourceId::virtual_network(&lab.subscription, &lab.resource_group, "vnet");
    fault(
        &lab,
        "virtualNetworks.get",
        Provider::Azure,
        Effect::Garbage,
    );
    let e = lab.azure.virtual_network(&id).await.unwrap_err();
    assert!(e.is_transient(), "{e:?}");
    assert!(lab.azure.virtual_network(&id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_name_that_nobody_has_is_absent_and_a_group_that_nobody_has_is_not_found() {
    let lab = Lab::new().await;
    let id = ResourceId::circuit(&lab.subscription, &lab.resource_group, "nobody");
    assert!(lab.azure.circuit(&id).await.unwrap().is_none());
    assert!(lab.azure.delete_circuit(&id).await.unwrap().is_none());
    let e = lab.azure.check_access("no-such-group").await.unwrap_err();
    assert!(e.is_not_found(), "{e:?}");
    assert!(
        lab.megaport
            .vxc("99999999-0000-4000-8000-000000000009")
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_bad_order_is_refused_with_the_reason() {
    let lab = Lab::new().await;
    let mut order = mcr_order("uid-9");
    order.port_speed_mbps = 1234;
    let e = lab.megaport.validate_mcr(&order).await.unwrap_err();
    assert!(e.is_terminal() && e.message.contains("portSpeed"), "{e:?}");
    let e = lab.megaport.buy_mcr(&order).await.unwrap_err();
    assert!(e.is_terminal() && !e.may_have_happened(), "{e:?}");
    assert!(lab.sandbox.ledger().is_empty());
}
