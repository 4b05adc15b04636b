//! The command line: every flag has an environment variable of the same name (`--extra-ca-file`,
//! `CAUSEWAY_EXTRA_CA_FILE`). Parses and documents; decides nothing.

use clap::{Args, Parser, Subcommand};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Builds, watches and takes down the private and the backup path between Azure and AWS.
#[derive(Debug, Parser)]
#[command(name = "causeway", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the operator until SIGTERM or SIGINT.
    Run(Box<Run>),
    /// Prints the custom resource definitions as YAML.
    Crds,
}

#[derive(Debug, Clone, Args)]
pub struct Run {
    #[command(flatten)]
    pub endpoints: EndpointArgs,

    /// Namespace to watch; repeat it for several. None means all namespaces.
    #[arg(long, env = "CAUSEWAY_WATCH_NAMESPACE", value_delimiter = ',')]
    pub watch_namespace: Vec<String>,

    /// Take part in leader election: only the holder of the Lease acts.
    #[arg(long, env = "CAUSEWAY_LEADER_ELECT", default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub leader_elect: bool,

    /// Namespace of the Lease. Default: the pod's own, else `default`.
    #[arg(long, env = "CAUSEWAY_LEADER_ELECT_NAMESPACE")]
    pub leader_elect_namespace: Option<String>,

    /// Identity in the Lease. Default: the host name and a random part.
    #[arg(long, env = "CAUSEWAY_LEADER_ELECT_IDENTITY")]
    pub leader_elect_identity: Option<String>,

    /// Begin anew in place, under the same process ID, when the Lease is lost, instead of ending with an error: for places
    /// without a supervisor. In Kubernetes the kubelet is one.
    #[arg(long, env = "CAUSEWAY_LEADER_ELECT_RESTART")]
    pub leader_elect_restart: bool,

    /// Divides waits, poll periods, deadlines of cloud operations, lag and staleness windows and obeyed Retry-After by
    /// this: the counterpart of the sandbox's --speed. Transport and Kubernetes time-outs and the Lease stay in wall time.
    #[arg(long, env = "CAUSEWAY_TIME_SCALE", default_value_t = 1.0, value_parser = parse_scale)]
    pub time_scale: f64,

    /// Where /metrics, /healthz and /readyz listen.
    #[arg(long, env = "CAUSEWAY_ADMIN_ADDRESS", default_value = "0.0.0.0:8080")]
    pub admin_address: SocketAddr,

    /// Log filter in the syntax of tracing-subscriber's EnvFilter.
    #[arg(
        long,
        env = "CAUSEWAY_LOG",
        default_value = "info,kube=warn,hyper=warn"
    )]
    pub log: String,

    /// `json` (one object a line) or `text`.
    #[arg(long, env = "CAUSEWAY_LOG_FORMAT", default_value = "json", value_parser = ["json", "text"])]
    pub log_format: String,
}

/// Where the clouds are. Empty means the public cloud.
#[derive(Debug, Clone, Default, Args)]
pub struct EndpointArgs {
    /// Azure Resource Manager (sandboxes, sovereign clouds, private endpoints).
    #[arg(long, env = "CAUSEWAY_AZURE_ENDPOINT", default_value = "")]
    pub azure_endpoint: String,
    /// Azure token authority.
    #[arg(long, env = "CAUSEWAY_AZURE_AUTHORITY", default_value = "")]
    pub azure_authority: String,
    /// One endpoint for EC2, Direct Connect and STS.
    #[arg(long, env = "CAUSEWAY_AWS_ENDPOINT", default_value = "")]
    pub aws_endpoint: String,
    /// Megaport API.
    #[arg(long, env = "CAUSEWAY_MEGAPORT_ENDPOINT", default_value = "")]
    pub megaport_endpoint: String,
    /// Megaport token URL, in full.
    #[arg(long, env = "CAUSEWAY_MEGAPORT_AUTH_ENDPOINT", default_value = "")]
    pub megaport_auth_endpoint: String,
    /// PEM file whose certificates are trusted beside the platform's, for all three providers.
    #[arg(long, env = "CAUSEWAY_EXTRA_CA_FILE")]
    pub extra_ca_file: Option<PathBuf>,
}

fn parse_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n.is_finite() && (1.0..=100_000.0).contains(&n) => Ok(n),
        _ => Err("must be a number from 1 to 100000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed parse is the test's failure")]
    use super::*;

    fn run(args: &[&str]) -> Run {
        let all = [&["causeway", "run"], args].concat();
        match Cli::try_parse_from(all).unwrap().command {
            Command::Run(r) => *r,
            Command::Crds => unreachable!(),
        }
    }

    #[test]
    fn leader_election_is_on_and_can_be_switched_off() {
        assert!(run(&[]).leader_elect);
        assert!(!run(&["--leader-elect=false"]).leader_elect);
        assert!(run(&["--leader-elect"]).leader_elect);
    }

    #[test]
    fn the_time_scale_is_bounded() {
        assert!(Cli::try_parse_from(["causeway", "run", "--time-scale", "0.5"]).is_err());
        assert!((run(&["--time-scale", "600"]).time_scale - 600.0).abs() < f64::EPSILON);
    }
}
