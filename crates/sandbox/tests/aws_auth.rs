//! Who may call AWS: signatures, time, sessions, regions, unknown operations.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed unwrap fails the test"
)]

mod aws_support;

use aws_support::{Aws, Xml};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_signed_call_is_let_in_and_logged_with_its_principal() {
    let aws = Aws::new();
    aws.ec2("DescribeVpcs", &[]).await.ok();
    aws.dx("DescribeDirectConnectGateways", json!({}))
        .await
        .ok();
    let log = aws.sandbox.snapshot().calls.entries;
    assert_eq!(log[0].operation, "DescribeVpcs");
    assert_eq!(log[0].principal, "causeway");
    assert!(!log[0].mutating);
    assert_eq!(log[1].operation, "DescribeDirectConnectGateways");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_key_is_refused_in_each_services_words() {
    let aws = Aws {
        key: "AKIANOBODY0000000000".into(),
        ..Aws::new()
    };
    aws.ec2("DescribeVpcs", &[]).await.refused("AuthFailure");
    aws.sts("GetCallerIdentity", &[])
        .await
        .refused("InvalidClientTokenId");
    let dx = aws.dx("DescribeVirtualInterfaces", json!({})).await;
    assert_eq!(dx.body["__type"], "UnrecognizedClientException");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_or_a_changed_body_does_not_match() {
    let aws = Aws {
        secret: "wrong".into(),
        ..Aws::new()
    };
    aws.ec2("DescribeVpcs", &[])
        .await
        .refused("SignatureDoesNotMatch");
    let dx = aws.dx("DescribeVirtualInterfaces", json!({})).await;
    assert_eq!(dx.body["__type"], "InvalidSignatureException");

    let aws = Aws::new();
    let mut req = aws.request("ec2", &[], Aws::form("DescribeVpcs", "2016-11-15", &[]));
    req.body = Aws::form("DescribeSubnets", "2016-11-15", &[]).into();
    let (status, body) = aws.send(req).await;
    Xml { status, body }.refused("SignatureDoesNotMatch");
}

#[tokio::test(start_paused = true)]
async fn wall_clock_skew_is_bounded_and_simulated_time_does_not_matter() {
    let mut aws = Aws::new();
    aws.skew = -1000;
    aws.ec2("DescribeVpcs", &[]).await.refused("RequestExpired");
    aws.skew = 1000;
    aws.ec2("DescribeVpcs", &[]).await.refused("RequestExpired");
    aws.skew = -800;
    aws.ec2("DescribeVpcs", &[]).await.ok();
    aws.skew = 0;
    aws.pass(30.0 * 86400.0).await;
    aws.ec2("DescribeVpcs", &[]).await.ok();
}

#[tokio::test(start_paused = true)]
async fn unsigned_calls_and_other_services_and_regions_are_refused() {
    let aws = Aws::new();
    let mut req = aws.request("ec2", &[], Aws::form("DescribeVpcs", "2016-11-15", &[]));
    req.headers.remove("authorization");
    let (status, body) = aws.send(req).await;
    Xml { status, body }.refused("MissingAuthenticationToken");
    let req = aws.request("s3", &[], Aws::form("DescribeVpcs", "2016-11-15", &[]));
    let (status, body) = aws.send(req).await;
    Xml { status, body }.refused("SignatureDoesNotMatch");
    aws.in_region("mars-north-1")
        .ec2("DescribeVpcs", &[])
        .await
        .refused("AuthFailure");
}

#[tokio::test(start_paused = true)]
async fn unknown_operations_versions_and_parameters_get_the_services_own_error() {
    let aws = Aws::new();
    aws.ec2("RunInstances", &[]).await.refused("InvalidAction");
    aws.ec2("DescribeVpcs", &[("VpcID.1", "x")])
        .await
        .refused("UnknownParameter");
    let dx = aws.dx("CreateLag", json!({})).await;
    assert_eq!(dx.body["__type"], "UnknownOperationException");
    let req = aws.request("ec2", &[], Aws::form("DescribeVpcs", "2014-01-01", &[]));
    let (status, body) = aws.send(req).await;
    Xml { status, body }.refused("NoSuchVersion");
    let log = aws.sandbox.snapshot().calls.entries;
    assert_eq!(
        log[0].operation, "RunInstances",
        "an unknown operation is logged by its name"
    );
}

#[tokio::test(start_paused = true)]
async fn dry_run_answers_412_and_does_nothing() {
    let aws = Aws::new();
    let res = aws
        .ec2(
            "CreateVpnGateway",
            &[("Type", "ipsec.1"), ("DryRun", "true")],
        )
        .await
        .refused("DryRunOperation");
    assert_eq!(res.status, 412);
    aws.ec2("DescribeVpnGateways", &[("DryRun", "true")])
        .await
        .refused("DryRunOperation");
    let all = aws.ec2("DescribeVpnGateways", &[]).await.ok();
    assert!(all.all("vpnGatewayId").is_empty());
    assert!(!aws.sandbox.snapshot().calls.entries[0].mutating);
}

#[tokio::test(start_paused = true)]
async fn identities_and_assumed_roles() {
    let aws = Aws::new();
    let me = aws.sts("GetCallerIdentity", &[]).await.ok();
    assert_eq!(me.get("Account"), "111122223333");
    assert_eq!(me.get("Arn"), "arn:aws:iam::111122223333:user/causeway");
    let role = [
        ("RoleArn", "arn:aws:iam::111122223333:role/causeway"),
        ("RoleSessionName", "test"),
    ];
    let made = aws.sts("AssumeRole", &role).await.ok();
    let session = Aws {
        key: made.get("AccessKeyId"),
        secret: made.get("SecretAccessKey"),
        token: Some(made.get("SessionToken")),
        ..aws.clone()
    };
    let me = session.sts("GetCallerIdentity", &[]).await.ok();
    assert_eq!(
        me.get("Arn"),
        "arn:aws:sts::111122223333:assumed-role/causeway/test"
    );
    session.ec2("DescribeVpcs", &[]).await.ok();
    let without = Aws {
        token: None,
        ..session
    };
    without
        .ec2("DescribeVpcs", &[])
        .await
        .refused("AuthFailure");
    let other = [
        ("RoleArn", "arn:aws:iam::111122223333:role/nobody"),
        role[1],
    ];
    aws.sts("AssumeRole", &other).await.refused("AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn a_web_identity_needs_no_signature() {
    let aws = Aws::new();
    let params = [
        ("RoleArn", "arn:aws:iam::111122223333:role/causeway"),
        ("RoleSessionName", "pod"),
        ("WebIdentityToken", "aaaa.bbbb.cccc"),
    ];
    let mut req = aws.request(
        "sts",
        &[],
        Aws::form("AssumeRoleWithWebIdentity", "2011-06-15", &params),
    );
    req.headers.remove("authorization");
    let (status, body) = aws.send(req).await;
    let made = Xml { status, body }.ok();
    let session = Aws {
        key: made.get("AccessKeyId"),
        secret: made.get("SecretAccessKey"),
        token: Some(made.get("SessionToken")),
        ..aws.clone()
    };
    session.ec2("DescribeVpcs", &[]).await.ok();
    let log = aws.sandbox.snapshot().calls.entries;
    assert!(
        !log[0].body.contains("bbbb"),
        "the token is masked in the log"
    );
}

#[tokio::test(start_paused = true)]
async fn injected_faults_speak_the_services_dialect() {
    use causeway_sandbox::faults::{Effect, Fault, Match};
    let aws = Aws::new();
    let fault = |operation: &str, status, code: &str| Fault {
        matches: Match {
            operation: Some(operation.into()),
            ..Match::default()
        },
        effect: Effect::Status,
        status: Some(status),
        code: Some(code.into()),
        seconds: None,
        times: None,
    };
    aws.sandbox.with(|s| {
        s.faults
            .add(fault("DescribeVpcs", 503, "RequestLimitExceeded"));
        s.faults.add(fault(
            "DescribeVirtualInterfaces",
            400,
            "DirectConnectServerException",
        ));
    });
    let res = aws
        .ec2("DescribeVpcs", &[])
        .await
        .refused("RequestLimitExceeded");
    assert_eq!(res.status, 503);
    let res = aws.dx("DescribeVirtualInterfaces", json!({})).await;
    assert_eq!(
        (res.status, &res.body["__type"]),
        (400, &json!("DirectConnectServerException"))
    );
}
