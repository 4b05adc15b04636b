//! `playground up` and `playground down` (contract.md §2).

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use causeway_e2e::interrupt;
use causeway_e2e::playground::{self, Options, Playground, PlaygroundError};
use clap::{Parser, Subcommand};

/// A real Kubernetes API server, the three clouds simulated, and the operator between them, on this machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts everything in the background and returns when it is ready. What an earlier run left in DIR is continued.
    Up {
        /// Where data, logs, playground.json and env go.
        #[arg(long)]
        dir: PathBuf,
        /// Simulated seconds per real second, for the sandbox and the operator.
        #[arg(long, default_value_t = 120.0, value_parser = speed)]
        speed: f64,
        /// World file for the sandbox (default: the lab's).
        #[arg(long)]
        world: Option<PathBuf>,
        /// Everything but the operator: to run it by hand (`. DIR/env && causeway run`).
        #[arg(long)]
        without_operator: bool,
        /// Only the control plane: no clouds, no Secrets, no operator.
        #[arg(long)]
        without_sandbox: bool,
        /// The folder of the custom resource definitions (default: the repository's crds/).
        #[arg(long)]
        crds: Option<PathBuf>,
    },
    /// Ends what `up` started, by process ID. Doing it twice is fine.
    Down {
        /// The folder given to `up`.
        #[arg(long)]
        dir: PathBuf,
    },
}

fn speed(text: &str) -> Result<f64, String> {
    let speed: f64 = text
        .parse()
        .map_err(|_| format!("{text:?} is not a number"))?;
    if speed.is_finite() && speed > 0.0 {
        Ok(speed)
    } else {
        Err("must be above zero".into())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Up {
            dir,
            speed,
            world,
            without_operator,
            without_sandbox,
            crds,
        } => {
            let mut options = Options::new(&dir);
            options.speed = speed;
            options.world = world;
            options.operator = !without_operator;
            options.sandbox = !without_sandbox;
            options.crds = crds.unwrap_or(options.crds);
            options.progress = Arc::new(say);
            // Abandoning `up` ends whatever it has started so far.
            tokio::select! {
                result = up(options) => result,
                signal = interrupt() => {
                    say(&format!("{signal}: nothing was left running"));
                    return ExitCode::from(130);
                }
            }
        }
        Command::Down { dir } => down(&dir),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn up(options: Options) -> Result<(), PlaygroundError> {
    let playground = Playground::start(options).await?;
    let folder = playground.folder().to_owned();
    playground.detach()?;
    let folder = folder.display();
    say(&format!(
        "everything runs; to use it:  . {folder}/env; to end it:  playground down --dir {folder}"
    ));
    Ok(())
}

fn down(folder: &Path) -> Result<(), PlaygroundError> {
    let ended = playground::down(folder)?;
    let names = ended
        .iter()
        .map(|id| format!("{} ({})", id.name, id.pid))
        .collect::<Vec<_>>()
        .join(", ");
    say(&if ended.is_empty() {
        format!("nothing runs in {}", folder.display())
    } else {
        format!("ended {names}")
    });
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "playground: {line}");
}
