//! `causeway-sandbox`: the three clouds as a process. Only flags, logging and signals are here; see
//! [`causeway_sandbox::serve`].

use causeway_sandbox::World;
use causeway_sandbox::serve::{Options, Server};
use clap::Parser;
use std::io::IsTerminal;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Azure, AWS and Megaport simulated at the HTTP level, with the network between them.
///
/// Serves HTTPS with a CA of its own (DIR/ca.pem); DIR/endpoints.json says where, DIR/world.json with which credentials.
/// Started again with the same DIR it continues where it ended.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Folder for state, CA and the files that clients read
    #[arg(long, env = "CAUSEWAY_SANDBOX_DIR")]
    dir: PathBuf,
    /// World file (JSON) for a new DIR; the default is the lab's world
    #[arg(long)]
    world: Option<PathBuf>,
    /// Simulated seconds per real second [default: 1, or what DIR had]
    #[arg(long)]
    speed: Option<f64>,
    /// Seed of everything random in a new DIR [default: 1]
    #[arg(long)]
    seed: Option<u64>,
    /// Address to listen on; the control API stays on the loopback [default: 127.0.0.1, or what DIR had]
    #[arg(long)]
    listen: Option<IpAddr>,
    /// Port of Azure Resource Manager [default: a free one, or what DIR had; likewise for the others]
    #[arg(long)]
    azure_port: Option<u16>,
    /// Port of the AWS services
    #[arg(long)]
    aws_port: Option<u16>,
    /// Port of the Megaport API
    #[arg(long)]
    megaport_port: Option<u16>,
    /// Port of the control API
    #[arg(long)]
    control_port: Option<u16>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("causeway-sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    // Before anything is served, so that no signal is lost.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let world = args.world.as_deref().map(read_world).transpose()?;
    let mut server = Server::start(Options {
        dir: args.dir.clone(),
        world,
        speed: args.speed,
        seed: args.seed,
        listen: args.listen,
        azure_port: args.azure_port,
        aws_port: args.aws_port,
        megaport_port: args.megaport_port,
        control_port: args.control_port,
    })?;
    tracing::info!(dir = %args.dir.display(), ports = ?server.ports, now = %server.sandbox.now().rfc3339(), "serving");
    let failure = tokio::select! {
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
        error = server.failed() => Some(error),
    };
    tracing::info!("ending");
    server.shutdown().await?;
    failure.map_or(Ok(()), |e| Err(e.into()))
}

fn read_world(path: &Path) -> Result<World, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("can not read the world file {}: {e}", path.display()))?;
    serde_json::from_str(&text).map_err(|e| {
        format!(
            "world file {}: {e} (docs/sandbox.md has its schema)",
            path.display()
        )
        .into()
    })
}
