//! Structured logs: one JSON object a line, one span per reconcile. Nothing secret reaches it: secrets are newtypes that
//! print `***`.

use tracing_subscriber::EnvFilter;

/// Installs the subscriber for the process.
///
/// # Errors
/// When the filter does not parse or a subscriber is installed already.
pub fn install(filter: &str, json: bool) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(true)
        .with_writer(std::io::stderr);
    if json {
        builder
            .json()
            .with_current_span(true)
            .with_span_list(false)
            .try_init()
    } else {
        builder.with_ansi(false).try_init()
    }
}
