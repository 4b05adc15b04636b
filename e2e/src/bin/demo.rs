//! `demo`: what `make demo` runs. Exits with 0 only if everything in the lab's life held.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use causeway_e2e::demo::{self, Options};
use causeway_e2e::interrupt;
use clap::Parser;

/// The lab's whole life on this machine: apply, Ready, failover, delete, empty ledger.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where data and logs go; what an earlier demo left there is removed.
    #[arg(long)]
    dir: PathBuf,
    /// Simulated seconds per real second.
    #[arg(long, default_value_t = 120.0)]
    speed: f64,
    /// Leave everything running at the end.
    #[arg(long)]
    keep: bool,
    /// The manifest of the lab (default: the repository's config/samples/lab.yaml).
    #[arg(long)]
    manifest: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let Arguments {
        dir,
        speed,
        keep,
        manifest,
    } = Arguments::parse();
    if !(speed.is_finite() && speed > 0.0) {
        let _ = writeln!(io::stderr(), "demo: --speed must be above zero");
        return ExitCode::from(2);
    }
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/samples/lab.yaml");
    let options = Options {
        folder: dir.clone(),
        speed,
        keep,
        manifest: manifest.unwrap_or(sample),
    };
    // Abandoning the demo ends every process that it has started.
    let result = tokio::select! {
        result = demo::run(options) => result,
        signal = interrupt() => {
            let _ = writeln!(io::stderr(), "demo: {signal}; nothing was left running");
            return ExitCode::from(130);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "\ndemo failed: {error}");
            let logs = dir.join("logs");
            let _ = writeln!(
                io::stderr(),
                "The logs of every process: {}",
                logs.display()
            );
            ExitCode::FAILURE
        }
    }
}
