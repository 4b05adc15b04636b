//! The SDK client against shapes written from aws.md §6.1, through the SDK's own serialisers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests

use super::*;
use crate::api::{DirectConnectApi, Ec2Api};
use crate::http::{ExchangeError, HttpExchange};
use crate::types::*;
use bytes::Bytes;
use causeway_model::intent::Sent;
use causeway_model::routes::aws::{TunnelHealth, VifDirection};
use causeway_model::spec::IpsecProfile;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

enum Say {
    Xml(u16, String),
    Json(u16, &'static str),
    Fail(Sent, bool),
}

#[derive(Default)]
struct Scripted {
    answers: Mutex<VecDeque<Say>>,
    seen: Mutex<Vec<(http::HeaderMap, String)>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

#[async_trait]
impl HttpExchange for Scripted {
    async fn exchange(
        &self,
        req: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, ExchangeError> {
        let body = String::from_utf8(req.body().to_vec()).unwrap();
        self.seen
            .lock()
            .unwrap()
            .push((req.headers().clone(), body));
        let say = self
            .answers
            .lock()
            .unwrap()
            .pop_front()
            .expect("unexpected request");
        let (status, kind, body) = match say {
            Say::Xml(status, body) => (status, "text/xml", body),
            Say::Json(status, body) => (status, "application/x-amz-json-1.1", body.to_owned()),
            Say::Fail(sent, timeout) => {
                return Err(ExchangeError {
                    sent,
                    timeout,
                    message: "as scripted".to_owned(),
                });
            }
        };
        Ok(http::Response::builder()
            .status(status)
            .header("content-type", kind)
            .header("x-amzn-requestid", "r-1")
            .body(Bytes::from(body))
            .unwrap())
    }
}

impl Scripted {
    fn bodies(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(|(_, b)| b.clone())
            .collect()
    }
    /// The form parameters of request `n`.
    fn form(&self, n: usize) -> Vec<(String, String)> {
        self.bodies()[n]
            .split('&')
            .filter_map(|p| p.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.replace("%2F", "/").replace('+', " ")))
            .collect()
    }
}

async fn client(answers: Vec<Say>) -> (SdkAws, Arc<Scripted>) {
    let script = Arc::new(Scripted {
        answers: Mutex::new(answers.into()),
        ..Scripted::default()
    });
    let settings = AwsSettings {
        region: "us-east-1".to_owned(),
        credentials: AwsCredentials::Static {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: Secret::new("secret-access-key-value"),
            session_token: None,
        },
        http: AwsHttp::Exchange(script.clone()),
        endpoint: None,
    };
    assert!(!format!("{settings:?}").contains("secret-access-key-value"));
    (SdkAws::new(settings).await.unwrap(), script)
}

fn ec2_error(status: u16, code: &str) -> Say {
    Say::Xml(
        status,
        format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>why</Message></Error></Errors><RequestID>r-1</RequestID></Response>"
        ),
    )
}

/// Two tunnels; telemetry in the other order, and a state that the model does not know.
fn vpn_connection() -> String {
    let tunnel = |outside: &str, inside: &str, psk: &str| {
        format!(
            "<item><outsideIpAddress>{outside}</outsideIpAddress><tunnelInsideCidr>{inside}</tunnelInsideCidr><preSharedKey>{psk}</preSharedKey>\
             <phase2EncryptionAlgorithmSet><item><value>AES256</value></item></phase2EncryptionAlgorithmSet>\
             <phase2DHGroupNumberSet><item><value>14</value></item></phase2DHGroupNumberSet><startupAction>start</startupAction>\
             <dpdTimeoutSeconds>45</dpdTimeoutSeconds></item>"
        )
    };
    let telemetry = |outside: &str, status: &str, message: &str, n: u8| {
        format!(
            "<item><outsideIpAddress>{outside}</outsideIpAddress><status>{status}</status><statusMessage>{message}</statusMessage>\
             <acceptedRouteCount>{n}</acceptedRouteCount><lastStatusChange>2026-11-22T08:00:00Z</lastStatusChange></item>"
        )
    };
    format!(
        "<item><vpnConnectionId>vpn-1</vpnConnectionId><state>modifying</state><customerGatewayId>cgw-1</customerGatewayId><vpnGatewayId>vgw-1</vpnGatewayId>\
         <customerGatewayConfiguration>&lt;psk&gt;tunnel-psk-2&lt;/psk&gt;</customerGatewayConfiguration>\
         <options><staticRoutesOnly>false</staticRoutesOnly><tunnelOptionSet>{}{}</tunnelOptionSet></options>\
         <vgwTelemetry>{}{}</vgwTelemetry><tagSet><item><key>owner</key><value>uid-1</value></item></tagSet></item>",
        tunnel("203.0.113.2", "169.254.22.0/30", "tunnel-psk-2"),
        tunnel("203.0.113.1", "169.254.21.0/30", "tunnel-psk-1"),
        telemetry("203.0.113.1", "UP", "1 BGP ROUTES", 1),
        telemetry("203.0.113.2", "DOWN", "IPSEC IS UP", 0),
    )
}

#[tokio::test]
async fn tunnels_are_joined_by_address_and_states_stay_open() {
    let xml = format!(
        "<DescribeVpnConnectionsResponse><vpnConnectionSet>{}</vpnConnectionSet></DescribeVpnConnectionsResponse>",
        vpn_connection()
    );
    let (aws, script) = client(vec![Say::Xml(200, xml)]).await;
    let list = aws
        .vpn_connections(&Select::Ids(vec!["vpn-1".to_owned(), "vpn-2".to_owned()]))
        .await
        .unwrap();
    let c = &list[0];
    assert_eq!(c.state, State::Other("modifying".to_owned()));
    assert_eq!(c.tags.get("owner").map(String::as_str), Some("uid-1"));
    let one = c.tunnel("169.254.21.0/30".parse().unwrap()).unwrap();
    assert_eq!(
        (one.health.outside_address.as_str(), one.health.health()),
        ("203.0.113.1", TunnelHealth::Healthy)
    );
    assert_eq!(
        one.pre_shared_key.as_ref().unwrap().expose(),
        "tunnel-psk-1"
    );
    let two = c.tunnel("169.254.22.0/30".parse().unwrap()).unwrap();
    assert_eq!(
        (two.health.outside_address.as_str(), two.health.health()),
        ("203.0.113.2", TunnelHealth::IpsecOnly)
    );
    assert_eq!(two.policy.phase2_dh_groups, [14]);
    assert!(
        !format!("{list:?}").contains("tunnel-psk"),
        "no key in Debug"
    );
    let form = script.form(0);
    let has = |k: &str, v: &str| form.iter().any(|(a, b)| a == k && b == v);
    assert!(has("Action", "DescribeVpnConnections"));
    assert!(
        has("Filter.1.Name", "vpn-connection-id") && has("Filter.1.Value.2", "vpn-2"),
        "{form:?}"
    );
}

#[tokio::test]
async fn a_vpn_connection_is_made_with_two_full_tunnels() {
    let xml = format!(
        "<CreateVpnConnectionResponse>{}</CreateVpnConnectionResponse>",
        vpn_connection()
            .replacen("<item>", "<vpnConnection>", 1)
            .trim_end_matches("</item>")
            .to_owned()
            + "</vpnConnection>"
    );
    let (aws, script) = client(vec![Say::Xml(200, xml)]).await;
    let policy = TunnelPolicy::of(&IpsecProfile::cbc()).unwrap();
    let tunnel = |inside: &str, key: &str| TunnelOptions {
        inside_cidr: inside.parse().unwrap(),
        pre_shared_key: Secret::new(key),
        policy: policy.clone(),
        dpd_timeout_seconds: 45,
    };
    let new = NewVpnConnection {
        customer_gateway_id: "cgw-1".to_owned(),
        vpn_gateway_id: "vgw-1".to_owned(),
        tunnels: [
            tunnel("169.254.21.0/30", "tunnel-psk-1"),
            tunnel("169.254.22.0/30", "tunnel-psk-2"),
        ],
        tags: Tags::from([("owner".to_owned(), "uid-1".to_owned())]),
    };
    assert!(!format!("{new:?}").contains("tunnel-psk"));
    assert_eq!(aws.create_vpn_connection(&new).await.unwrap().id, "vpn-1");
    let form = script.form(0);
    for (k, v) in [
        ("Type", "ipsec.1"),
        ("Options.StaticRoutesOnly", "false"),
        (
            "Options.TunnelOptions.1.TunnelInsideCidr",
            "169.254.21.0/30",
        ),
        ("Options.TunnelOptions.1.PreSharedKey", "tunnel-psk-1"),
        ("Options.TunnelOptions.1.IKEVersion.1.Value", "ikev2"),
        (
            "Options.TunnelOptions.1.Phase1EncryptionAlgorithm.1.Value",
            "AES256",
        ),
        ("Options.TunnelOptions.1.Phase2DHGroupNumber.1.Value", "14"),
        (
            "Options.TunnelOptions.2.TunnelInsideCidr",
            "169.254.22.0/30",
        ),
        ("Options.TunnelOptions.2.StartupAction", "start"),
        ("Options.TunnelOptions.2.DPDTimeoutSeconds", "45"),
        ("Options.TunnelOptions.2.Phase2LifetimeSeconds", "3600"),
        ("TagSpecification.1.ResourceType", "vpn-connection"),
        ("TagSpecification.1.Tag.1.Value", "uid-1"),
    ] {
        assert!(
            form.iter().any(|(a, b)| a == k && b == v),
            "{k}={v} in {form:?}"
        );
    }
}

#[tokio::test]
async fn creates_are_sent_once_and_reads_twice() {
    let (aws, script) = client(vec![
        ec2_error(500, "InternalError"),
        ec2_error(500, "InternalError"),
        ec2_error(500, "InternalError"),
    ])
    .await;
    let e = aws
        .create_vpn_gateway(64900, &Tags::new())
        .await
        .unwrap_err();
    assert!(e.is_transient() && e.may_have_happened(), "{e:?}");
    assert_eq!(script.bodies().len(), 1);
    assert!(aws.vpn_gateways(&Select::All).await.is_err());
    assert_eq!(script.bodies().len(), 3);
}

#[tokio::test]
async fn what_is_gone_is_deleted_and_what_is_in_the_way_is_named() {
    let (aws, _) = client(vec![
        ec2_error(400, "InvalidVpnGatewayID.NotFound"),
        ec2_error(400, "InvalidVpnGatewayAttachment.NotFound"),
        ec2_error(400, "IncorrectState"),
        ec2_error(400, "VpnGatewayLimitExceeded"),
        ec2_error(403, "UnauthorizedOperation"),
    ])
    .await;
    aws.delete_vpn_gateway("vgw-1").await.unwrap();
    aws.detach_vpn_gateway("vgw-1", "vpc-1").await.unwrap();
    let e = aws.delete_customer_gateway("cgw-1").await.unwrap_err();
    assert!(
        e.is_blocked() && e.resource == "cgw-1" && e.request_id.as_deref() == Some("r-1"),
        "{e:?}"
    );
    let e = aws
        .create_vpn_gateway(64900, &Tags::new())
        .await
        .unwrap_err();
    assert!(e.is_quota() && !e.may_have_happened());
    assert!(
        aws.delete_vpn_connection("vpn-1")
            .await
            .unwrap_err()
            .is_auth()
    );
}

#[tokio::test]
async fn lost_answers_are_ambiguous_and_refused_connections_are_not() {
    for (say, sent, code) in [
        (Say::Fail(Sent::No, false), Sent::No, "Unreachable"),
        (
            Say::Fail(Sent::Maybe, false),
            Sent::Maybe,
            "ConnectionBroken",
        ),
        (Say::Fail(Sent::Maybe, true), Sent::Maybe, "Timeout"),
        (
            Say::Xml(200, "<html>upstream".to_owned()),
            Sent::Yes,
            "UnreadableAnswer",
        ),
        (
            Say::Xml(200, "<CreateVpnGatewayResponse/>".to_owned()),
            Sent::Yes,
            "UnreadableAnswer",
        ),
    ] {
        let (aws, script) = client(vec![say]).await;
        let e = aws
            .create_vpn_gateway(64900, &Tags::new())
            .await
            .unwrap_err();
        assert_eq!((e.sent, e.code.as_str()), (sent, code), "{e:?}");
        assert!(e.is_transient());
        assert_eq!(script.bodies().len(), 1);
    }
}

#[tokio::test]
async fn direct_connect_lists_page_until_the_token_is_gone() {
    let (aws, script) = client(vec![
        Say::Json(200, r#"{"virtualInterfaces":[{"virtualInterfaceId":"dxvif-1","virtualInterfaceState":"confirming","vlan":213,"asn":0,"asnLong":4200000001,"authKey":"vif-md5-key","amazonAddress":"169.254.50.217/30","customerAddress":"169.254.50.218/30","bgpPeers":[{"bgpPeerId":"p","asnLong":4200000001,"authKey":"vif-md5-key","amazonAddress":"169.254.50.217/30","customerAddress":"169.254.50.218/30","bgpPeerState":"available","bgpStatus":"up"}]}],"nextToken":"t-2"}"#),
        Say::Json(200, r#"{"virtualInterfaces":[{"virtualInterfaceId":"dxvif-2","virtualInterfaceState":"polishing","asn":64600}],"nextToken":""}"#),
    ])
    .await;
    let vifs = aws.vifs().await.unwrap();
    assert_eq!(vifs.len(), 2);
    assert_eq!(
        (vifs[0].asn, vifs[0].vlan, &vifs[0].state),
        (4_200_000_001, 213, &VifState::Confirming)
    );
    assert_eq!(
        (vifs[1].asn, &vifs[1].state),
        (64600, &VifState::Other("polishing".to_owned()))
    );
    assert_eq!(vifs[0].auth_key.as_ref().unwrap().expose(), "vif-md5-key");
    assert!(!format!("{vifs:?}").contains("vif-md5-key"));
    assert!(script.bodies()[1].contains("t-2"));
    let target = script.seen.lock().unwrap()[0]
        .0
        .get("x-amz-target")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(target, "OvertureService.DescribeVirtualInterfaces");
}

#[tokio::test]
async fn direct_connect_absence_is_in_the_words() {
    let missing = || {
        Say::Json(
            400,
            r#"{"__type":"DirectConnectClientException","message":"Virtual Interface dxvif-1 does not exist"}"#,
        )
    };
    let (aws, script) = client(vec![
        missing(),
        Say::Json(200, r#"{"virtualInterfaces":[]}"#),
        missing(),
        Say::Json(
            400,
            r#"{"__type":"DirectConnectServerException","message":"Unable to process request"}"#,
        ),
        missing(),
    ])
    .await;
    assert!(aws.vif("dxvif-1").await.unwrap().is_none());
    assert!(aws.vif("dxvif-1").await.unwrap().is_none());
    aws.delete_vif("dxvif-1").await.unwrap();
    let e = aws.delete_dx_association("a-1").await.unwrap_err();
    assert!(e.is_transient() && e.may_have_happened(), "{e:?}");
    assert_eq!(script.bodies().len(), 4, "a write is never repeated");
    assert!(
        aws.dx_associations(&AssociationOf::DxGateway("d".to_owned()))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn vif_routes_keep_direction_and_path() {
    let (aws, _) = client(vec![Say::Json(
        200,
        r#"{"virtualInterfaceId":"dxvif-1","routes":[{"cidr":"172.29.0.0/16","routeDirection":"accepted","asPath":[{"pathType":"seq","path":[64600,12076]},{"pathType":"set","path":[65515]}]},{"cidr":"172.16.0.0/16","routeDirection":"advertised"},{"cidr":"1.2.3.0/24","routeDirection":"sideways"}]}"#,
    )])
    .await;
    let rows = aws.vif_routes("dxvif-1").await.unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (rows[0].direction, rows[0].as_path.as_slice()),
        (VifDirection::Accepted, [64600, 12076, 65515].as_slice())
    );
}

#[tokio::test]
async fn the_caller_is_told_and_a_wrong_key_is_an_auth_error() {
    let (aws, script) = client(vec![
        Say::Xml(200, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/c</Arn><UserId>U</UserId><Account>111122223333</Account></GetCallerIdentityResult></GetCallerIdentityResponse>".to_owned()),
        Say::Xml(403, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message></Error><RequestId>r</RequestId></ErrorResponse>".to_owned()),
    ])
    .await;
    assert_eq!(aws.caller_identity().await.unwrap().account, "111122223333");
    let auth = script.seen.lock().unwrap()[0]
        .0
        .get("authorization")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(auth.contains("/us-east-1/sts/aws4_request"), "{auth}");
    let e = aws.caller_identity().await.unwrap_err();
    assert!(e.is_auth(), "{e:?}");
    assert!(!format!("{e:?}{e}").contains("secret-access-key-value"));
}

#[tokio::test]
async fn vpcs_route_tables_and_gateways_are_read() {
    let (aws, _) = client(vec![
        Say::Xml(200, "<DescribeVpcsResponse><vpcSet><item><vpcId>vpc-1</vpcId><state>available</state><cidrBlock>172.16.0.0/16</cidrBlock><cidrBlockAssociationSet><item><cidrBlock>172.16.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item><item><cidrBlock>10.9.0.0/16</cidrBlock><cidrBlockState><state>associated</state></cidrBlockState></item><item><cidrBlock>10.8.0.0/16</cidrBlock><cidrBlockState><state>disassociated</state></cidrBlockState></item></cidrBlockAssociationSet></item></vpcSet></DescribeVpcsResponse>".to_owned()),
        Say::Xml(200, "<DescribeRouteTablesResponse><routeTableSet><item><routeTableId>rtb-1</routeTableId><vpcId>vpc-1</vpcId><routeSet><item><destinationCidrBlock>172.29.0.0/16</destinationCidrBlock><gatewayId>vgw-1</gatewayId><origin>EnableVgwRoutePropagation</origin><state>active</state></item></routeSet><associationSet><item><main>true</main></item><item><main>false</main><subnetId>subnet-1</subnetId></item></associationSet><propagatingVgwSet><item><gatewayId>vgw-1</gatewayId></item></propagatingVgwSet></item></routeTableSet></DescribeRouteTablesResponse>".to_owned()),
        Say::Xml(200, "<DescribeVpnGatewaysResponse><vpnGatewaySet><item><vpnGatewayId>vgw-1</vpnGatewayId><state>available</state><amazonSideAsn>64900</amazonSideAsn><attachments><item><vpcId>vpc-1</vpcId><state>attached</state></item></attachments></item></vpnGatewaySet></DescribeVpnGatewaysResponse>".to_owned()),
        Say::Xml(200, "<DescribeCustomerGatewaysResponse><customerGatewaySet><item><customerGatewayId>cgw-1</customerGatewayId><state>available</state><ipAddress>198.51.100.1</ipAddress><bgpAsn>65515</bgpAsn><deviceName>op-1</deviceName></item></customerGatewaySet></DescribeCustomerGatewaysResponse>".to_owned()),
    ])
    .await;
    let vpc = &aws.vpcs(&Select::id("vpc-1")).await.unwrap()[0];
    assert_eq!(
        vpc.cidrs,
        [
            "172.16.0.0/16".parse().unwrap(),
            "10.9.0.0/16".parse::<ipnet::Ipv4Net>().unwrap()
        ]
    );
    let table = &aws.route_tables(&["vpc-1".to_owned()]).await.unwrap()[0];
    assert!(table.main && table.subnets == ["subnet-1"] && table.propagating_vgws == ["vgw-1"]);
    assert_eq!(table.routes[0].target, "vgw-1");
    let vgw = &aws
        .vpn_gateways(&Select::TagKey("owner".to_owned()))
        .await
        .unwrap()[0];
    assert_eq!(
        vgw.attachment("vpc-1").unwrap().state,
        AttachmentState::Attached
    );
    assert_eq!(vgw.amazon_asn, Some(64900));
    let cgw = &aws.customer_gateways(&Select::All).await.unwrap()[0];
    assert_eq!(
        (cgw.bgp_asn, cgw.device_name.as_deref()),
        (Some(65515), Some("op-1"))
    );
    assert!(
        aws.vpcs(&Select::Ids(vec![])).await.unwrap().is_empty(),
        "nothing asked, nothing sent"
    );
}

/// An answer that ends early is no answer: what is missing in it is not gone.
#[tokio::test]
async fn an_answer_that_is_cut_off_is_never_taken_for_a_shorter_one() {
    let list = "<DescribeVpnGatewaysResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><vpnGatewaySet><item><vpnGatewayId>vgw-1</vpnGatewayId><state>available</state><amazonSideAsn>64900</amazonSideAsn></item></vpnGatewaySet></DescribeVpnGatewaysResponse>";
    let mut accepted = Vec::new();
    for at in (0..list.len()).step_by(25) {
        // Reads are repeated by the SDK.
        let cut = || Say::Xml(200, list[..at].to_owned());
        let (aws, _) = client(vec![cut(), cut(), cut()]).await;
        if let Ok(found) = aws.vpn_gateways(&Select::id("vgw-1")).await {
            accepted.push((at, found.len()));
        }
    }
    assert!(accepted.is_empty(), "{accepted:?}");
}

#[tokio::test]
async fn an_answer_without_a_body_is_never_taken_for_an_empty_list() {
    let nothing = || Say::Json(200, "");
    let (aws, _) = client(vec![nothing(), nothing(), nothing()]).await;
    let e = aws.vifs().await.unwrap_err();
    assert!(e.to_string().contains("cut off"), "{e}");
    let nothing = || Say::Xml(200, String::new());
    let (aws, _) = client(vec![nothing(), nothing(), nothing()]).await;
    let e = aws.vpn_gateways(&Select::id("vgw-1")).await.unwrap_err();
    assert!(e.to_string().contains("cut off"), "{e}");
}

#[tokio::test]
async fn a_caller_without_an_account_is_asked_for_again() {
    let answer = |account: &str| {
        Say::Xml(
            200,
            format!(
                "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/x</Arn>{account}</GetCallerIdentityResult></GetCallerIdentityResponse>"
            ),
        )
    };
    let half = "<Account>1111</Account>";
    let (aws, _) = client(vec![answer(""), answer(half)]).await;
    for _ in 0..2 {
        let e = aws.caller_identity().await.unwrap_err();
        assert!(!e.is_terminal() && !e.is_auth(), "{e:?}");
    }
}
