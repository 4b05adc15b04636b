//! Structured logs: one JSON object a line, one span per reconcile. Nothing secret reaches it: our secrets are newtypes that
//! print `***`, and what libraries say at their most talkative is left out.

use std::error::Error;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, Registry};

/// Whether a line may be written at all, whatever filter somebody chose. At TRACE the AWS SDK and the HTTP stack write out
/// bodies, and with them pre-shared keys and BGP keys (a test found them there).
fn harmless(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::DEBUG || line.target().starts_with("causeway")
}

/// What writes lines that pass `filter`, in the syntax of [`EnvFilter`], to `writer`.
///
/// # Errors
/// When the filter does not parse.
pub fn subscriber<W>(
    filter: &str,
    json: bool,
    writer: W,
) -> Result<impl Subscriber + Send + Sync, ParseError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter)?;
    let lines = fmt::layer().with_target(true).with_writer(writer);
    let lines = if json {
        let lines = lines.json().with_current_span(true);
        lines.with_span_list(false).boxed()
    } else {
        lines.with_ansi(false).boxed()
    };
    let lines = lines.with_filter(filter_fn(harmless));
    Ok(Registry::default().with(filter).with(lines))
}

/// Installs the subscriber for the process, which writes to standard error.
///
/// # Errors
/// When the filter does not parse or a subscriber is installed already.
pub fn install(filter: &str, json: bool) -> Result<(), Box<dyn Error + Send + Sync>> {
    let done: Result<(), TryInitError> = subscriber(filter, json, std::io::stderr)?.try_init();
    Ok(done?)
}
