//! `/metrics`, `/healthz` and `/readyz`. Serves what others measured; measures nothing itself.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What the endpoints show.
#[derive(Debug, Clone, Default)]
pub struct Admin {
    ready: Arc<AtomicBool>,
    registry: Arc<RwLock<Registry>>,
}

impl Admin {
    /// Ready means that the caches are filled, whether this process leads or stands by.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// Adds metric families.
    pub fn register(&self, f: impl FnOnce(&mut Registry)) {
        f(&mut self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner));
    }

    fn metrics(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(
            &mut text,
            &self.registry.read().unwrap_or_else(PoisonError::into_inner),
        )?;
        Ok(text)
    }

    pub fn router(&self) -> Router {
        let (ready, metrics) = (self.clone(), self.clone());
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route(
                "/readyz",
                get(move || async move {
                    if ready.ready.load(Ordering::Acquire) {
                        (StatusCode::OK, "ok\n")
                    } else {
                        (
                            StatusCode::SERVICE_UNAVAILABLE,
                            "caches are not filled yet\n",
                        )
                    }
                }),
            )
            .route(
                "/metrics",
                get(move || async move {
                    match metrics.metrics() {
                        Ok(text) => (
                            [(
                                header::CONTENT_TYPE,
                                "application/openmetrics-text; version=1.0.0; charset=utf-8",
                            )],
                            text,
                        )
                            .into_response(),
                        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                    }
                }),
            )
    }

    /// Listens and serves until the process ends.
    ///
    /// # Errors
    /// When the address can not be bound.
    pub async fn serve(self, address: SocketAddr) -> std::io::Result<()> {
        let listener = tokio::net::TcpListener::bind(address).await?;
        axum::serve(listener, self.router()).await
    }
}
