//! The SDK behind the traits. Reads may be repeated once by the SDK; writes never (two clients per service).

mod convert;
mod dx;
mod ec2;
mod error;
#[cfg(test)]
mod tests;

use crate::api::AwsApi;
use crate::classify::Service;
use crate::http::AwsHttp;
use crate::types::Caller;
use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use causeway_model::intent::{CloudError, Intent, Provider};
use causeway_model::secret::Secret;
use error::failed;
use std::time::Duration;

/// Where credentials come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AwsCredentials {
    Static {
        access_key_id: String,
        secret_access_key: Secret,
        session_token: Option<Secret>,
    },
    /// The SDK's chain: environment, profile, IRSA, Pod Identity, instance metadata.
    DefaultChain,
}

/// How a client is made.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    pub region: String,
    pub credentials: AwsCredentials,
    pub http: AwsHttp,
    /// One endpoint for all services; `None` means the SDK's own.
    pub endpoint: Option<String>,
}

/// AWS over its SDK, for one account and region. Clones share connections and cached credentials: make one per account
/// and region and keep it.
#[derive(Clone)]
pub struct SdkAws {
    region: String,
    ec2_reads: aws_sdk_ec2::Client,
    ec2_writes: aws_sdk_ec2::Client,
    dx_reads: aws_sdk_directconnect::Client,
    dx_writes: aws_sdk_directconnect::Client,
    sts: aws_sdk_sts::Client,
}

impl std::fmt::Debug for SdkAws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SdkAws")
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

impl SdkAws {
    /// Makes a client; nothing is sent. Fails when the extra CA cannot be used.
    pub async fn new(settings: AwsSettings) -> Result<Self, CloudError> {
        let http = settings.http.client().map_err(|why| {
            CloudError::new(
                Provider::Aws,
                "client",
                settings.region.clone(),
                Intent::Terminal,
                "InvalidConfiguration",
                format!("the HTTP client cannot be made (check --extra-ca-file): {why}"),
            )
        })?;
        // Only the connect timeout has a default in the SDK (aws.md §7).
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(10))
            .operation_attempt_timeout(Duration::from_secs(20))
            .operation_timeout(Duration::from_mins(1))
            .build();
        let region = Region::new(settings.region.clone());
        let base = match settings.credentials {
            AwsCredentials::Static {
                access_key_id,
                secret_access_key,
                session_token,
            } => {
                let credentials = Credentials::new(
                    access_key_id,
                    secret_access_key.expose(),
                    session_token.map(|t| t.expose().to_owned()),
                    None,
                    "causeway-secret",
                );
                SdkConfig::builder()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(SharedCredentialsProvider::new(credentials))
                    .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
                    .time_source(aws_smithy_async::time::SystemTimeSource::new())
                    .http_client(http)
                    .region(region)
                    .timeout_config(timeouts)
                    .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                    .build()
            }
            AwsCredentials::DefaultChain => {
                aws_config::defaults(BehaviorVersion::latest())
                    .http_client(http)
                    .region(region)
                    .timeout_config(timeouts)
                    .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
                    .load()
                    .await
            }
        };
        let reads = RetryConfig::standard()
            .with_max_attempts(2)
            .with_initial_backoff(Duration::from_millis(500))
            .with_max_backoff(Duration::from_secs(2));
        let writes = RetryConfig::disabled();
        let ec2 = |retry: &RetryConfig| {
            let mut c = aws_sdk_ec2::config::Builder::from(&base).retry_config(retry.clone());
            c.set_endpoint_url(settings.endpoint.clone().or_else(|| c_endpoint(&base)));
            aws_sdk_ec2::Client::from_conf(c.build())
        };
        let dx = |retry: &RetryConfig| {
            let mut c =
                aws_sdk_directconnect::config::Builder::from(&base).retry_config(retry.clone());
            c.set_endpoint_url(settings.endpoint.clone().or_else(|| c_endpoint(&base)));
            aws_sdk_directconnect::Client::from_conf(c.build())
        };
        let mut sts = aws_sdk_sts::config::Builder::from(&base).retry_config(reads.clone());
        sts.set_endpoint_url(settings.endpoint.clone().or_else(|| c_endpoint(&base)));
        Ok(Self {
            region: settings.region.clone(),
            ec2_reads: ec2(&reads),
            ec2_writes: ec2(&writes),
            dx_reads: dx(&reads),
            dx_writes: dx(&writes),
            sts: aws_sdk_sts::Client::from_conf(sts.build()),
        })
    }
}

/// The endpoint that the environment gives for all services; service-specific ones are the SDK's own business.
fn c_endpoint(base: &SdkConfig) -> Option<String> {
    base.endpoint_url().map(str::to_owned)
}

#[async_trait]
impl AwsApi for SdkAws {
    fn region(&self) -> &str {
        &self.region
    }

    async fn caller_identity(&self) -> Result<Caller, CloudError> {
        let operation = "GetCallerIdentity";
        let out = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|e| failed(Service::Sts, operation, "the caller", &e))?;
        // An order that names no account, or half of one, would be refused for good.
        let account = out.account.unwrap_or_default();
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            let intent = Intent::Transient { retry_after: None };
            let why =
                format!("the account of the credentials is not to be read from \"{account}\"");
            return Err(CloudError::new(
                Provider::Aws,
                operation,
                "the caller",
                intent,
                "UnreadableAnswer",
                why,
            ));
        }
        Ok(Caller {
            account,
            arn: out.arn.unwrap_or_default(),
        })
    }
}
