//! One request for a token at a time, whose failure is the answer to all who waited for it.
//!
//! The credential has a cache of its own, behind a read-write lock whose waiting readers wake each other for as long as
//! somebody holds it for writing (async-lock 3.5: a reader that is woken passes the wake on before it looks). After one
//! request for a token that failed that is so for the whole of the next one: a core is busy until Entra answers. So nobody
//! may wait inside the credential.

use super::auth::{AzureCredential, token_error};
use crate::clients::http::{Endpoints, Transport};
use azure_core::credentials::{AccessToken, TokenCredential};
use causeway_model::intent::CloudError;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Mutex;

/// The tokens of one credential.
#[derive(Debug)]
pub(super) struct Tokens {
    credential: Arc<dyn TokenCredential>,
    scope: &'static str,
    /// Whose credential it is, for messages.
    subject: String,
    /// How many requests for a token have failed.
    failures: AtomicU64,
    /// The last failure; held while a token is asked for.
    turn: Mutex<Option<CloudError>>,
}

impl Tokens {
    /// Fails with `Intent::Auth` when the credential is malformed. Nothing is sent.
    pub(super) fn new(
        credential: &AzureCredential,
        transport: &Arc<dyn Transport>,
        endpoints: &Endpoints,
    ) -> Result<Self, CloudError> {
        Ok(Self {
            credential: credential.token_credential(transport, endpoints)?,
            scope: endpoints.azure_scope(),
            subject: credential.subject(),
            failures: AtomicU64::new(0),
            turn: Mutex::new(None),
        })
    }

    /// A token that is valid: one that was had before, or a new one.
    pub(super) async fn get(&self) -> Result<AccessToken, CloudError> {
        let before = self.failures.load(Ordering::Acquire);
        let mut last = self.turn.lock().await;
        // It failed while this caller waited: asking once for each of them would take as many time-outs.
        if self.failures.load(Ordering::Acquire) != before
            && let Some(failure) = &*last
        {
            return Err(failure.clone());
        }
        let token = self.credential.get_token(&[self.scope], None).await;
        token.map_err(|e| {
            let failure = token_error(&self.subject, &e);
            *last = Some(failure.clone());
            self.failures.fetch_add(1, Ordering::Release);
            failure
        })
    }
}
