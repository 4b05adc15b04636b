//! The production transports: reqwest, azure_identity over it, and the AWS SDK's own client, against the sandbox's HTTPS
//! with a private CA (kube.md §15). What is not trusted or not there is refused before anything is sent.

use crate::support::Lab;
use causeway::clients::azure::{API_VERSION, AzureClient, AzureCredential};
use causeway::clients::http::{Endpoints, ReqwestTransport, Transport};
use causeway::clients::megaport::{MegaportClient, MegaportCredential};
use causeway_aws::{AwsApi, AwsCredentials, AwsHttp, AwsSettings, Ec2Api, SdkAws, Select};
use causeway_model::intent::{CloudError, Sent};
use causeway_model::secret::Secret;
use causeway_sandbox::serve::{Options, Server};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

struct Clients {
    azure: AzureClient,
    megaport: MegaportClient,
    aws: SdkAws,
    resource_group: String,
}

fn folder(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("causeway-clients-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn json_file(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn endpoints(file: &Value, ca: Option<Vec<u8>>) -> Endpoints {
    let at = |k: &str| file[k].as_str();
    Endpoints::overridden(
        at("azure"),
        at("azureAuthority"),
        at("aws"),
        at("megaport"),
        at("megaportAuth"),
        ca,
    )
}

async fn clients(endpoints: &Endpoints, world: &Value) -> Clients {
    let text = |path: &str| world.pointer(path).unwrap().as_str().unwrap().to_owned();
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new(endpoints).unwrap());
    let credential = AzureCredential::ClientSecret {
        tenant_id: text("/azure/tenantID"),
        client_id: text("/azure/clientID"),
        client_secret: Secret::new(text("/azure/clientSecret")),
    };
    let key = MegaportCredential {
        access_key: text("/megaport/accessKey"),
        secret_key: Secret::new(text("/megaport/secretKey")),
    };
    Clients {
        azure: AzureClient::new(
            &text("/azure/subscriptionID"),
            &credential,
            transport.clone(),
            endpoints,
            API_VERSION,
        )
        .unwrap(),
        megaport: MegaportClient::new(&key, transport, endpoints),
        aws: SdkAws::new(AwsSettings {
            region: text("/aws/region"),
            credentials: AwsCredentials::Static {
                access_key_id: text("/aws/accessKeyID"),
                secret_access_key: Secret::new(text("/aws/secretAccessKey")),
                session_token: None,
            },
            http: AwsHttp::Sdk {
                extra_ca_pem: endpoints.extra_ca_pem.clone(),
            },
            endpoint: endpoints.aws.clone(),
        })
        .await
        .unwrap(),
        resource_group: text("/azure/resourceGroup"),
    }
}

/// Says which setting is missing.
fn untrusted(e: &CloudError) {
    unreachable(e);
    assert!(e.message.contains("--extra-ca-file"), "{e}");
}

fn unreachable(e: &CloudError) {
    assert!(e.is_transient(), "{e:?}");
    assert_eq!(
        (e.sent, e.code.as_str()),
        (Sent::No, "Unreachable"),
        "{e:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_three_clients_trust_the_extra_ca_and_nothing_else() {
    // reqwest and the SDK take the process's provider or bring the same one (design §9).
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let dir = folder("tls");
    let server = Server::start(Options::new(&dir)).unwrap();
    let file = json_file(&dir.join("endpoints.json"));
    let world = json_file(&dir.join("world.json"));
    let ca = std::fs::read(dir.join("ca.pem")).unwrap();

    let c = clients(&endpoints(&file, Some(ca.clone())), &world).await;
    c.azure.check_access(&c.resource_group).await.unwrap();
    assert!(
        !c.azure
            .virtual_networks(&c.resource_group)
            .await
            .unwrap()
            .is_empty()
    );
    c.megaport.check_access().await.unwrap();
    assert!(!c.megaport.locations().await.unwrap().is_empty());
    assert!(!c.aws.caller_identity().await.unwrap().account.is_empty());
    assert!(!c.aws.vpcs(&Select::All).await.unwrap().is_empty());

    // Without it nobody is trusted, and nothing is sent: not even a token request.
    let calls = server.sandbox.with(|s| s.calls.entries.len());
    let c = clients(&endpoints(&file, None), &world).await;
    untrusted(&c.azure.check_access(&c.resource_group).await.unwrap_err());
    untrusted(&c.megaport.check_access().await.unwrap_err());
    untrusted(
        &c.aws
            .create_vpn_gateway(64900, &causeway_aws::Tags::new())
            .await
            .unwrap_err(),
    );
    assert_eq!(server.sandbox.with(|s| s.calls.entries.len()), calls);

    // Nobody listens any more.
    server.shutdown().await.unwrap();
    let c = clients(&endpoints(&file, Some(ca)), &world).await;
    unreachable(&c.azure.check_access(&c.resource_group).await.unwrap_err());
    unreachable(&c.megaport.check_access().await.unwrap_err());
    unreachable(
        &c.aws
            .create_vpn_gateway(64900, &causeway_aws::Tags::new())
            .await
            .unwrap_err(),
    );
    let _ = std::fs::remove_dir_all(&dir);
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let bad = Endpoints {
        extra_ca_pem: Some(b"not a certificate".to_vec()),
        ..Endpoints::default()
    };
    let e = ReqwestTransport::new(&bad).unwrap_err();
    assert!(e.to_string().contains("--extra-ca-file"), "{e}");
}

#[tokio::test]
async fn a_call_that_is_lost_on_the_way_back_is_ambiguous_for_aws_too() {
    use causeway_sandbox::faults::{Effect, Fault, Match};
    let lab = Lab::new().await;
    lab.sandbox.add_fault(Fault {
        matches: Match {
            operation: Some("CreateVpnGateway".to_owned()),
            ..Match::default()
        },
        effect: Effect::LoseResponse,
        status: None,
        code: None,
        seconds: None,
        times: Some(1),
    });
    let e = lab
        .aws
        .create_vpn_gateway(64900, &causeway_aws::Tags::new())
        .await
        .unwrap_err();
    assert_eq!(e.sent, Sent::Maybe, "{e:?}");
    // Not sent again by the SDK: there is one.
    lab.advance(120.0);
    assert_eq!(lab.aws.vpn_gateways(&Select::All).await.unwrap().len(), 1);
}
