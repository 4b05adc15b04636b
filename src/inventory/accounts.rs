//! Accounts: which identity in which subscription, region or company, and its one poller. Objects that name the same
//! Secret share it, and so do Secrets with the same content; a rotated Secret gets a new one, and a poller ends when
//! nobody uses it.

use super::aws::AwsAccount;
use super::azure::AzureAccount;
use super::megaport::MegaportAccount;
use super::{Pace, Waker};
use crate::clients::azure::{API_VERSION, AzureClient, AzureCredential};
use crate::clients::http::{Endpoints, Guarded, Transport};
use crate::clients::megaport::{MegaportClient, MegaportCredential};
use crate::clock::Clock;
use crate::controllers::secrets::SecretStore;
use causeway_aws::{AwsApi, AwsCredentials, AwsHttp, AwsSettings, Gate, SdkAws};
use causeway_model::intent::CloudError;
use causeway_model::secret::Secret;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Why an account can not be had.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AccountError {
    #[error(
        "{field}: Secret {secret} does not exist in namespace {namespace}: create it with the keys {keys}"
    )]
    SecretMissing {
        field: &'static str,
        secret: String,
        namespace: String,
        keys: &'static str,
    },
    #[error(
        "{field}: Secret {secret} lacks the key {key} (or it is empty): it needs the keys {keys}"
    )]
    Malformed {
        field: &'static str,
        secret: String,
        key: &'static str,
        keys: &'static str,
    },
    /// Credentials that no API of the provider takes.
    #[error("{field}: Secret {secret} {what}: {remedy}")]
    WrongKind {
        field: &'static str,
        secret: String,
        what: &'static str,
        remedy: &'static str,
    },
    #[error("{field}: {identity}: {error}")]
    Provider {
        field: &'static str,
        /// The Secret, or in words that there is none.
        identity: String,
        error: CloudError,
    },
    /// The API server did not answer.
    #[error("{field}: Secret {secret} could not be read: {why}")]
    Unreadable {
        field: &'static str,
        secret: String,
        why: String,
    },
}

/// Whose credentials these are, for people.
fn identity(secret: Option<&str>) -> String {
    secret.map_or_else(
        || "the platform's identity".to_owned(),
        |name| format!("Secret {name}"),
    )
}

/// How requests leave this process, and by which clock it lives.
#[derive(Clone)]
pub struct Wiring {
    pub transport: Arc<dyn Transport>,
    pub aws_http: AwsHttp,
    pub endpoints: Endpoints,
    pub pace: Pace,
    pub clock: Clock,
}

impl Wiring {
    /// The same, with a gate before every request that may change something.
    #[must_use]
    pub fn guarded(self, gate: Arc<dyn Gate>) -> Self {
        Self {
            transport: Arc::new(Guarded::new(self.transport, gate.clone())),
            aws_http: AwsHttp::Gated {
                http: Box::new(self.aws_http),
                gate,
            },
            ..self
        }
    }
}

impl std::fmt::Debug for Wiring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wiring")
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

/// Where an account is asked for: namespace, Secret (empty: the platform's identity), and the place.
type Place = (String, String, String);

#[derive(Debug)]
struct Used<I, A> {
    identity: I,
    account: Arc<A>,
    users: BTreeSet<String>,
}

/// Accounts of one provider.
#[derive(Debug)]
struct Shelf<I, A> {
    by_place: Mutex<HashMap<Place, Used<I, A>>>,
    by_identity: Mutex<HashMap<I, Weak<A>>>,
    /// One account is made at a time, so that two objects do not make two.
    making: tokio::sync::Mutex<()>,
}

impl<I: Hash + Eq + Clone, A> Shelf<I, A> {
    fn new() -> Self {
        Self {
            by_place: Mutex::default(),
            by_identity: Mutex::default(),
            making: tokio::sync::Mutex::default(),
        }
    }

    fn find(&self, place: &Place, identity: &I, user: &str) -> Option<Arc<A>> {
        let mut places = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(used) = places.get_mut(place)
            && used.identity == *identity
        {
            used.users.insert(user.to_owned());
            return Some(used.account.clone());
        }
        let shared = self
            .by_identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(identity)
            .and_then(Weak::upgrade)?;
        let users = places.remove(place).map(|u| u.users).unwrap_or_default();
        let mut used = Used {
            identity: identity.clone(),
            account: shared.clone(),
            users,
        };
        used.users.insert(user.to_owned());
        places.insert(place.clone(), used);
        Some(shared)
    }

    async fn get<F>(
        &self,
        place: Place,
        identity: I,
        user: &str,
        make: F,
    ) -> Result<Arc<A>, CloudError>
    where
        F: AsyncFnOnce() -> Result<A, CloudError>,
    {
        if let Some(found) = self.find(&place, &identity, user) {
            return Ok(found);
        }
        let _one = self.making.lock().await;
        if let Some(found) = self.find(&place, &identity, user) {
            return Ok(found);
        }
        let account = Arc::new(make().await?);
        let mut identities = self
            .by_identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        identities.retain(|_, w| w.strong_count() > 0);
        identities.insert(identity.clone(), Arc::downgrade(&account));
        drop(identities);
        self.by_place
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(
                place,
                Used {
                    identity,
                    account: account.clone(),
                    users: BTreeSet::from([user.to_owned()]),
                },
            );
        Ok(account)
    }

    fn leave(&self, user: &str) -> Vec<Arc<A>> {
        let mut places = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let left = places
            .values_mut()
            .filter_map(|u| u.users.remove(user).then(|| u.account.clone()))
            .collect();
        places.retain(|_, u| !u.users.is_empty());
        left
    }
}

/// All accounts of this process.
#[derive(Debug)]
pub struct Accounts {
    wiring: Wiring,
    secrets: SecretStore,
    azure: Shelf<(String, AzureCredential), AzureAccount>,
    aws: Shelf<(String, AwsCredentials), AwsAccount>,
    megaport: Shelf<MegaportCredential, MegaportAccount>,
}

const AZURE_KEYS: &str = "tenantID, clientID, clientSecret";
const AWS_KEYS: &str = "accessKeyID, secretAccessKey (sessionToken is optional)";
const MEGAPORT_KEYS: &str = "accessKey, secretKey";

impl Accounts {
    pub fn new(wiring: Wiring, secrets: SecretStore) -> Self {
        Self {
            wiring,
            secrets,
            azure: Shelf::new(),
            aws: Shelf::new(),
            megaport: Shelf::new(),
        }
    }

    pub fn pace(&self) -> Pace {
        self.wiring.pace
    }

    async fn keys<const N: usize>(
        &self,
        field: &'static str,
        namespace: &str,
        secret: &str,
        names: [&'static str; N],
        keys: &'static str,
    ) -> Result<([Secret; N], Arc<crate::controllers::secrets::Content>), AccountError> {
        let content = self
            .secrets
            .read(namespace, secret)
            .await
            .map_err(|e| AccountError::Unreadable {
                field,
                secret: secret.to_owned(),
                why: e.to_string(),
            })?
            .ok_or_else(|| AccountError::SecretMissing {
                field,
                secret: secret.to_owned(),
                namespace: namespace.to_owned(),
                keys,
            })?;
        let mut out = Vec::with_capacity(N);
        for key in names {
            match content.values.get(key).filter(|v| !v.is_empty()) {
                Some(v) => out.push(v.clone()),
                None => {
                    return Err(AccountError::Malformed {
                        field,
                        secret: secret.to_owned(),
                        key,
                        keys,
                    });
                }
            }
        }
        let Ok(out) = <[Secret; N]>::try_from(out) else {
            return Err(AccountError::Malformed {
                field,
                secret: secret.to_owned(),
                key: "",
                keys,
            });
        };
        Ok((out, content))
    }

    /// An Azure subscription; without a Secret, the platform's workload identity.
    ///
    /// # Errors
    /// When the Secret is missing or malformed, or the credentials do not even parse.
    pub async fn azure(
        &self,
        namespace: &str,
        secret: Option<&str>,
        subscription: &str,
        user: &str,
        waker: Waker,
    ) -> Result<Arc<AzureAccount>, AccountError> {
        let field = "spec.azure.credentialsSecretRef";
        let credential = match secret {
            Some(name) => {
                let ([tenant, client, key], _) = self
                    .keys(
                        field,
                        namespace,
                        name,
                        ["tenantID", "clientID", "clientSecret"],
                        AZURE_KEYS,
                    )
                    .await?;
                AzureCredential::ClientSecret {
                    tenant_id: tenant.expose().to_owned(),
                    client_id: client.expose().to_owned(),
                    client_secret: key,
                }
            }
            None => AzureCredential::WorkloadIdentity,
        };
        let w = &self.wiring;
        let place = (
            namespace.to_owned(),
            secret.unwrap_or_default().to_owned(),
            subscription.to_owned(),
        );
        let account = self
            .azure
            .get(
                place,
                (subscription.to_owned(), credential.clone()),
                user,
                async || {
                    let client = AzureClient::new(
                        subscription,
                        &credential,
                        w.transport.clone(),
                        &w.endpoints,
                        API_VERSION,
                    )?;
                    Ok(AzureAccount::start(client, w.pace, w.clock.clone()))
                },
            )
            .await
            .map_err(|error| AccountError::Provider {
                field,
                identity: identity(secret),
                error,
            })?;
        account.poller.watch(user, waker);
        Ok(account)
    }

    /// An AWS account in a region; without a Secret, the platform's identity.
    ///
    /// # Errors
    /// When the Secret is missing or malformed, or AWS does not know the credentials.
    pub async fn aws(
        &self,
        namespace: &str,
        secret: Option<&str>,
        region: &str,
        user: &str,
        waker: Waker,
    ) -> Result<Arc<AwsAccount>, AccountError> {
        let field = "spec.aws.credentialsSecretRef";
        let credentials = match secret {
            Some(name) => {
                let ([id, key], content) = self
                    .keys(
                        field,
                        namespace,
                        name,
                        ["accessKeyID", "secretAccessKey"],
                        AWS_KEYS,
                    )
                    .await?;
                AwsCredentials::Static {
                    access_key_id: id.expose().to_owned(),
                    secret_access_key: key,
                    session_token: content
                        .values
                        .get("sessionToken")
                        .filter(|v| !v.is_empty())
                        .cloned(),
                }
            }
            None => AwsCredentials::DefaultChain,
        };
        let w = &self.wiring;
        let place = (
            namespace.to_owned(),
            secret.unwrap_or_default().to_owned(),
            region.to_owned(),
        );
        let account = self
            .aws
            .get(
                place,
                (region.to_owned(), credentials.clone()),
                user,
                async || {
                    let settings = AwsSettings {
                        region: region.to_owned(),
                        credentials: credentials.clone(),
                        http: w.aws_http.clone(),
                        endpoint: w.endpoints.aws.clone(),
                    };
                    let client: Arc<dyn AwsApi> = Arc::new(SdkAws::new(settings).await?);
                    let who = client.caller_identity().await?;
                    Ok(AwsAccount::start(
                        client,
                        who.account,
                        w.pace,
                        w.clock.clone(),
                    ))
                },
            )
            .await
            .map_err(|error| AccountError::Provider {
                field,
                identity: identity(secret),
                error,
            })?;
        account.poller.watch(user, waker);
        Ok(account)
    }

    /// A Megaport company.
    ///
    /// # Errors
    /// When the Secret is missing or malformed.
    pub async fn megaport(
        &self,
        namespace: &str,
        secret: &str,
        user: &str,
        waker: Waker,
    ) -> Result<Arc<MegaportAccount>, AccountError> {
        let field = "spec.megaport.credentialsSecretRef";
        // Megaport's API takes API keys only, which no second factor guards (megaport.md §1.2).
        let wrong_kind = |what| AccountError::WrongKind {
            field,
            secret: secret.to_owned(),
            what,
            remedy: "Megaport's API does not take what a person logs in to its portal with; make an API key there and give its accessKey and secretKey",
        };
        let keys = self
            .keys(
                field,
                namespace,
                secret,
                ["accessKey", "secretKey"],
                MEGAPORT_KEYS,
            )
            .await;
        if matches!(keys, Err(AccountError::Malformed { .. }))
            && let Ok(Some(content)) = self.secrets.read(namespace, secret).await
            && ["username", "user", "email", "password"]
                .iter()
                .any(|k| content.values.contains_key(*k))
        {
            return Err(wrong_kind("holds a portal user's name and password"));
        }
        let ([access_key, secret_key], _) = keys?;
        if access_key.expose().contains('@') {
            return Err(wrong_kind(
                "has a portal user's e-mail address as accessKey",
            ));
        }
        let credential = MegaportCredential {
            access_key: access_key.expose().to_owned(),
            secret_key,
        };
        let w = &self.wiring;
        let place = (namespace.to_owned(), secret.to_owned(), String::new());
        let account = self
            .megaport
            .get(place, credential.clone(), user, async || {
                let client = MegaportClient::new(&credential, w.transport.clone(), &w.endpoints);
                Ok(MegaportAccount::start(client, w.pace, w.clock.clone()))
            })
            .await
            .map_err(|error| AccountError::Provider {
                field,
                identity: identity(Some(secret)),
                error,
            })?;
        account.poller.watch(user, waker);
        Ok(account)
    }

    /// An object is gone: what only it used ends.
    pub fn leave(&self, user: &str) {
        for a in self.azure.leave(user) {
            a.poller.unwatch(user);
        }
        for a in self.aws.leave(user) {
            a.poller.unwatch(user);
        }
        for a in self.megaport.leave(user) {
            a.poller.unwatch(user);
        }
    }
}
