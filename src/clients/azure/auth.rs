//! Who we are at Azure. Credentials come from a Secret of the custom resource or from the platform (workload identity).

use crate::clients::http::{AzureHttp, Endpoints, Transport};
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, RetryOptions};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use causeway_model::intent::{CloudError, Intent, Provider, Sent};
use causeway_model::secret::Secret;
use std::sync::Arc;

/// Where tokens come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AzureCredential {
    /// A service principal with a secret.
    ClientSecret {
        tenant_id: String,
        client_id: String,
        client_secret: Secret,
    },
    /// The pod's federated identity (`AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_FEDERATED_TOKEN_FILE`).
    WorkloadIdentity,
}

impl AzureCredential {
    pub(super) fn token_credential(
        &self,
        transport: &Arc<dyn Transport>,
        endpoints: &Endpoints,
    ) -> Result<Arc<dyn TokenCredential>, CloudError> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&endpoints.azure_authority);
        let client_options = ClientOptions {
            transport: Some(azure_core::http::Transport::new(Arc::new(AzureHttp(
                transport.clone(),
            )))),
            // When to try again is the controllers' decision, in their time scale.
            retry: RetryOptions::none(),
            cloud: Some(Arc::new(cloud.into())),
            ..ClientOptions::default()
        };
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match self {
            Self::ClientSecret {
                tenant_id,
                client_id,
                client_secret,
            } => ClientSecretCredential::new(
                tenant_id,
                client_id.clone(),
                client_secret.expose().to_owned().into(),
                Some(ClientSecretCredentialOptions { client_options }),
            )
            .map(|c| c as Arc<dyn TokenCredential>),
            Self::WorkloadIdentity => {
                WorkloadIdentityCredential::new(Some(WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions { client_options },
                    ..WorkloadIdentityCredentialOptions::default()
                }))
                .map(|c| c as Arc<dyn TokenCredential>)
            }
        };
        made.map_err(|e| {
            CloudError::new(
                Provider::Azure,
                "credentials",
                self.subject(),
                Intent::Auth,
                "CredentialsInvalid",
                e.to_string(),
            )
        })
    }

    /// Whose credentials they are, for messages.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::ClientSecret { client_id, .. } => format!("client {client_id}"),
            Self::WorkloadIdentity => "the pod's workload identity".to_owned(),
        }
    }
}

/// What a failed token request means. Nothing of it reached ARM, so `sent` is `No`.
pub(super) fn token_error(subject: &str, e: &azure_core::Error) -> CloudError {
    use azure_core::error::ErrorKind;
    let (intent, code) = match e.kind() {
        // Entra answers 400 and 401 to wrong tenants, clients and secrets (AADSTS…).
        ErrorKind::HttpResponse {
            status, error_code, ..
        } => {
            let code = error_code
                .as_deref()
                .map_or_else(|| u16::from(*status).to_string(), |c| format!("AADSTS{c}"));
            match u16::from(*status) {
                400 | 401 | 403 | 404 => (Intent::Auth, code),
                _ => (Intent::Transient { retry_after: None }, code),
            }
        }
        ErrorKind::Connection | ErrorKind::Io | ErrorKind::DataConversion => (
            Intent::Transient { retry_after: None },
            "Unreachable".to_owned(),
        ),
        // azure_identity wraps what the token endpoint said in a Credential error.
        ErrorKind::Credential | ErrorKind::Other => match nested_status(e) {
            Some(s) if s == 429 || s >= 500 => {
                (Intent::Transient { retry_after: None }, s.to_string())
            }
            Some(s) => (Intent::Auth, s.to_string()),
            None if nested_io(e) => (
                Intent::Transient { retry_after: None },
                "Unreachable".to_owned(),
            ),
            None => (Intent::Auth, "CredentialsInvalid".to_owned()),
        },
    };
    // Entra's text has a trace ID and a timestamp after its first line.
    let text = e.to_string();
    let message = text
        .lines()
        .next()
        .unwrap_or_default()
        .split(" Trace ID:")
        .next()
        .unwrap_or_default();
    CloudError::new(Provider::Azure, "token", subject, intent, code, message).sent(Sent::No)
}

fn nested<T>(
    e: &azure_core::Error,
    pick: impl Fn(&azure_core::error::ErrorKind) -> Option<T>,
) -> Option<T> {
    let mut source = std::error::Error::source(e);
    while let Some(s) = source {
        if let Some(inner) = s.downcast_ref::<azure_core::Error>()
            && let Some(found) = pick(inner.kind())
        {
            return Some(found);
        }
        source = s.source();
    }
    None
}

fn nested_status(e: &azure_core::Error) -> Option<u16> {
    nested(e, |k| match k {
        azure_core::error::ErrorKind::HttpResponse { status, .. } => Some(u16::from(*status)),
        _ => None,
    })
}

fn nested_io(e: &azure_core::Error) -> bool {
    nested(e, |k| {
        matches!(
            k,
            azure_core::error::ErrorKind::Connection | azure_core::error::ErrorKind::Io
        )
        .then_some(())
    })
    .is_some()
}
