//! Tokens, refusals at the door, and what unchanged clients ask of the authority (azure.md §0, §1.1, §11).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod arm_support;
use arm_support::*;
use causeway_sandbox::wire::Listener;
use http::Method;

const SCOPE: &str = "https://management.azure.com/.default";

#[tokio::test(start_paused = true)]
async fn the_token_endpoint_refuses_as_entra_does() {
    let azure = Azure::new().await;
    let world = azure.sandbox.with(|s| s.world.azure.clone());
    let id = &world.causeway.client_id;
    for (id, secret, scope, status, error, code) in [
        (
            id.as_str(),
            "wrong",
            SCOPE,
            401,
            "invalid_client",
            7_000_215,
        ),
        ("nobody", "x", SCOPE, 400, "unauthorized_client", 700_016),
        (
            id,
            &world.causeway.client_secret,
            "https://management.azure.com",
            400,
            "invalid_scope",
            1_002_012,
        ),
        (
            id,
            &world.causeway.client_secret,
            "https://example.org/.default",
            400,
            "invalid_resource",
            500_011,
        ),
        (id, "", SCOPE, 401, "invalid_client", 7_000_218),
    ] {
        let a = token_answer(&azure.sandbox, id, secret, scope).await;
        assert_eq!(
            (a.status, a.body["error"].as_str().unwrap()),
            (status, error),
            "{}",
            a.body
        );
        assert_eq!(a.body["error_codes"][0], code);
        assert!(
            a.body["error_description"]
                .as_str()
                .unwrap()
                .starts_with(&format!("AADSTS{code}"))
        );
    }
    let human = &world.human;
    let a = token_answer(
        &azure.sandbox,
        &human.client_id,
        &human.client_secret,
        SCOPE,
    )
    .await;
    assert_eq!(a.status, 200);
    assert_eq!(a.body["token_type"], "Bearer");
    assert_eq!(a.body["expires_in"], 3599);
}

#[tokio::test(start_paused = true)]
async fn who_called_is_in_the_log() {
    let azure = Azure::new().await;
    azure.get("expressRouteCircuits").await;
    let human = azure.sandbox.with(|s| s.world.azure.human.clone());
    let token = token_answer(
        &azure.sandbox,
        &human.client_id,
        &human.client_secret,
        SCOPE,
    )
    .await;
    let person = Azure {
        sandbox: azure.sandbox.clone(),
        token: token.body["access_token"].as_str().unwrap().to_owned(),
    };
    person.get("expressRouteCircuits/none").await;
    let calls = azure.sandbox.with(|s| s.calls.entries.clone());
    let seen: Vec<_> = calls
        .iter()
        .filter(|c| c.operation.starts_with("expressRouteCircuits"))
        .map(|c| (c.operation.as_str(), c.principal.as_str(), c.status))
        .collect();
    assert_eq!(
        seen,
        [
            ("expressRouteCircuits.list", "causeway", 200),
            ("expressRouteCircuits.get", "human", 404)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn openid_configuration_and_instance_discovery_stay_on_the_host() {
    let azure = Azure::new().await;
    let tenant = azure.sandbox.with(|s| s.world.azure.tenant_id.clone());
    let ask = |path: String| {
        let sandbox = azure.sandbox.clone();
        async move {
            send(
                &sandbox,
                Listener::AzureAuthority,
                Method::GET,
                &path,
                &[],
                "",
            )
            .await
        }
    };
    let a = ask(format!("/{tenant}/v2.0/.well-known/openid-configuration")).await;
    assert_eq!(a.status, 200);
    for member in ["token_endpoint", "authorization_endpoint", "issuer"] {
        assert!(
            a.body[member].as_str().unwrap().starts_with(BASE),
            "{member}"
        );
    }
    let a = ask("/common/discovery/instance?api-version=1.1".to_owned()).await;
    assert!(
        a.body["tenant_discovery_endpoint"]
            .as_str()
            .unwrap()
            .starts_with(BASE)
    );
    assert_eq!(a.body["metadata"][0]["aliases"][0], "azure.test");
    let a = ask(
        "/11111111-1111-1111-1111-111111111111/v2.0/.well-known/openid-configuration".to_owned(),
    )
    .await;
    assert_eq!(
        (a.status, a.body["error_codes"][0].as_i64().unwrap()),
        (400, 90002)
    );
}

#[tokio::test(start_paused = true)]
async fn requests_without_a_good_token_get_a_challenge() {
    let azure = Azure::new().await;
    let url = format!("{NETWORK}/{CIRCUIT}?api-version={VERSION}");
    let stolen = format!("Bearer {}x", azure.token);
    for (headers, code) in [
        (vec![], "AuthenticationFailed"),
        (
            vec![("authorization", "Basic abc")],
            "AuthenticationFailedInvalidHeader",
        ),
        (
            vec![("authorization", "Bearer a.b.c")],
            "InvalidAuthenticationToken",
        ),
        (
            vec![("authorization", stolen.as_str())],
            "InvalidAuthenticationToken",
        ),
    ] {
        let a = send(
            &azure.sandbox,
            Listener::Azure,
            Method::GET,
            &url,
            &headers,
            "",
        )
        .await;
        assert_eq!((a.status, a.code()), (401, code));
        let challenge = a.header("www-authenticate");
        assert!(
            challenge.starts_with("Bearer authorization_uri=\"https://"),
            "{challenge}"
        );
        assert!(challenge.contains("error=\"invalid_token\""));
    }
    // Of another audience.
    let world = azure.sandbox.with(|s| s.world.azure.clone());
    let other = token_answer(
        &azure.sandbox,
        &world.causeway.client_id,
        &world.causeway.client_secret,
        "https://graph.microsoft.com/.default",
    )
    .await;
    let bearer = format!("Bearer {}", other.body["access_token"].as_str().unwrap());
    let a = send(
        &azure.sandbox,
        Listener::Azure,
        Method::GET,
        &url,
        &[("authorization", &bearer)],
        "",
    )
    .await;
    assert_eq!(a.code(), "InvalidAuthenticationTokenAudience");
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_refused() {
    let mut world = world();
    world.azure.token_lifetime_seconds = 0;
    let azure = Azure::with_world(world).await;
    let a = azure.get(CIRCUIT).await;
    assert_eq!((a.status, a.code()), (401, "ExpiredAuthenticationToken"));
}

#[tokio::test(start_paused = true)]
async fn api_versions_places_and_types_are_checked() {
    let azure = Azure::new().await;
    for v in ["2024-05-01", "2025-05-01", "2026-03-01"] {
        let a = azure
            .get(&format!("{NETWORK}/{CIRCUIT}?api-version={v}"))
            .await;
        assert_eq!(a.code(), "ResourceNotFound");
    }
    for v in ["2023-11-01", "2026-04-01", "nonsense"] {
        let a = azure
            .get(&format!("{NETWORK}/{CIRCUIT}?api-version={v}"))
            .await;
        assert_eq!((a.status, a.code()), (400, "NoRegisteredProviderFound"));
    }
    let none = format!("{NETWORK}/{CIRCUIT}?api-version=");
    assert_eq!(azure.get(&none).await.code(), "MissingApiVersionParameter");
    let elsewhere = "/subscriptions/00000000-0000-4000-8000-000000000009/resourceGroups/vpn-rg/providers/Microsoft.Network/virtualNetworks/vnet";
    let a = azure.get(elsewhere).await;
    assert_eq!((a.status, a.code()), (404, "SubscriptionNotFound"));
    let a = azure
        .get(&format!(
            "{SUBSCRIPTION}/resourceGroups/other/providers/Microsoft.Network/virtualNetworks/vnet"
        ))
        .await;
    assert_eq!((a.status, a.code()), (404, "ResourceGroupNotFound"));
    let a = azure.get("noSuchThings/x").await;
    assert_eq!((a.status, a.code()), (404, "InvalidResourceType"));
    // Gateways have no list over the subscription (azure.md §3.1).
    let a = azure
        .get(&format!(
            "{SUBSCRIPTION}/providers/Microsoft.Network/virtualNetworkGateways"
        ))
        .await;
    assert_eq!(a.status, 404);
    let a = azure
        .get(&format!(
            "{SUBSCRIPTION}/providers/Microsoft.Network/virtualNetworks"
        ))
        .await;
    assert_eq!(a.body["value"][0]["name"], "vnet");
    let a = azure
        .get(&format!("{SUBSCRIPTION}/resourceGroups/VPN-RG"))
        .await;
    assert_eq!(
        (a.status, a.body["name"].as_str().unwrap()),
        (200, "vpn-rg")
    );
    assert_eq!(azure.get(SUBSCRIPTION).await.body["state"], "Enabled");
}

#[tokio::test(start_paused = true)]
async fn ids_are_compared_without_case_and_answered_in_the_services_spelling() {
    let azure = Azure::new().await;
    let odd = NETWORK.to_lowercase().replace("vpn-rg", "VPN-rg");
    let a = azure.get(&format!("{odd}/VIRTUALNETWORKS/VNet")).await;
    assert_eq!(a.status, 200);
    assert_eq!(a.body["id"], format!("{NETWORK}/virtualNetworks/vnet"));
    let made = azure
        .make(
            &format!("{odd}/expressroutecircuits/To-Megaport"),
            &circuit(),
        )
        .await;
    assert_eq!(
        made["id"],
        format!("{NETWORK}/expressRouteCircuits/To-Megaport")
    );
    // The first spelling stays.
    let again = azure.make(CIRCUIT, &circuit()).await;
    assert_eq!(again["name"], "To-Megaport");
}

#[tokio::test(start_paused = true)]
async fn secrets_do_not_reach_the_call_log() {
    let azure = Azure::new().await;
    azure.make(CIRCUIT, &circuit()).await;
    azure.vpn().await;
    azure
        .make(
            "localNetworkGateways/l",
            &lng("203.0.113.10", "169.254.21.1"),
        )
        .await;
    azure.make("connections/c", &ipsec("l")).await;
    let (log, world) = azure.sandbox.with(|s| {
        (
            serde_json::to_string(&s.calls).unwrap(),
            s.world.azure.clone(),
        )
    });
    for secret in [
        world.causeway.client_secret.as_str(),
        "first-key-1234",
        azure.token.as_str(),
    ] {
        assert!(!log.contains(secret), "{secret}");
    }
}
