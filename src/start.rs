//! Start-up: wires settings, clients, leader election, admin server and controllers together, and ends them in order.

use crate::admin::Admin;
use crate::cli::{EndpointArgs, Run};
use crate::clients::http::{Endpoints, ReqwestTransport, Transport};
use crate::clock::Clock;
use crate::controllers::run::{Settings, run as run_controllers};
use crate::inventory::Pace;
use crate::inventory::accounts::Wiring;
use crate::leader::{Elector, End, Leadership, Terms};
use crate::telemetry;
use causeway_aws::AwsHttp;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tracing::{error, info, warn};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Prints the custom resource definitions as YAML.
///
/// # Errors
/// When they can not be rendered or written.
pub fn print_crds() -> Result<(), Failure> {
    let yaml = causeway_api::all_crds_yaml()?;
    std::io::stdout().write_all(yaml.as_bytes())?;
    Ok(())
}

/// Where the clouds are, from the flags.
///
/// # Errors
/// When the CA file can not be read.
pub fn endpoints(args: &EndpointArgs) -> Result<Endpoints, Failure> {
    let pem = match &args.extra_ca_file {
        Some(path) => Some(
            std::fs::read(path).map_err(|e| format!("--extra-ca-file {}: {e}", path.display()))?,
        ),
        None => None,
    };
    Ok(Endpoints::overridden(
        Some(&args.azure_endpoint),
        Some(&args.azure_authority),
        Some(&args.aws_endpoint),
        Some(&args.megaport_endpoint),
        Some(&args.megaport_auth_endpoint),
        pem,
    ))
}

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// When it can not start, or leadership was lost (a supervisor starts it again).
pub fn run(args: Run) -> Result<(), Failure> {
    telemetry::install(&args.log, args.log_format == "json")?;
    // One TLS provider for kube, reqwest and the SDK, installed before any of them looks (kube.md §10).
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| "a TLS provider is installed already")?;
    let restart = args.leader_elect_restart;
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(args));
    match outcome {
        Err(e) if restart && e.is::<Lost>() => Err(again().into()),
        outcome => outcome,
    }
}

/// Becomes a new process image with the same arguments: nothing of this one's memory is left. Answers only when that fails.
fn again() -> std::io::Error {
    use std::os::unix::process::CommandExt;
    match std::env::current_exe() {
        Ok(program) => std::process::Command::new(program)
            .args(std::env::args_os().skip(1))
            .exec(),
        Err(error) => error,
    }
}

/// Another process may lead now.
#[derive(Debug, thiserror::Error)]
#[error("leadership was lost")]
pub struct Lost;

async fn serve(args: Run) -> Result<(), Failure> {
    let endpoints = endpoints(&args.endpoints)?;
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new(&endpoints)?);
    let aws_http = AwsHttp::Sdk {
        extra_ca_pem: endpoints.extra_ca_pem.clone(),
    };
    let wiring = Wiring {
        transport,
        aws_http,
        endpoints,
        pace: Pace::scaled(args.time_scale),
        clock: Clock::wall(),
    };
    let client = kube::Client::try_default().await?;
    let host = std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/etc/hostname").map(|s| s.trim().to_owned()))
        .unwrap_or_else(|_| "causeway".to_owned());
    let identity = args
        .leader_elect_identity
        .clone()
        .unwrap_or_else(|| format!("{host}_{}", uuid::Uuid::new_v4()));
    let settings = Settings {
        namespaces: args.watch_namespace.clone(),
        time_scale: args.time_scale,
        instance: identity.clone(),
    };
    let admin = Admin::default();
    let serving = tokio::spawn(admin.clone().serve(args.admin_address));
    let (stop_tx, stop) = watch::channel(false);
    tokio::spawn(async move {
        ended_by_signal().await;
        info!("ending");
        stop_tx.send_replace(true);
    });
    info!(version = env!("CARGO_PKG_VERSION"), %identity, time_scale = args.time_scale, "starting");
    let outcome = if args.leader_elect {
        let namespace = args
            .leader_elect_namespace
            .clone()
            .unwrap_or_else(own_namespace);
        let campaign = Campaign {
            namespace,
            identity,
            terms: Terms::default(),
        };
        let ready = admin.clone();
        let ready = move |is: bool| ready.set_ready(is);
        lead(client, wiring, settings, campaign, ready, stop).await
    } else {
        let ready = admin.clone();
        run_controllers(
            client,
            wiring,
            settings,
            Leadership::always(),
            move || ready.set_ready(true),
            stop,
        )
        .await
        .map_err(Failure::from)
    };
    serving.abort();
    outcome
}

/// How long work that has begun may take to end, once this process should: less than the 30 seconds that Kubernetes
/// gives a pod by default, with time left to release the Lease.
const DRAIN: Duration = Duration::from_secs(20);

/// Who campaigns for which Lease.
#[derive(Debug, Clone)]
pub struct Campaign {
    pub namespace: String,
    pub identity: String,
    pub terms: Terms,
}

/// Stands by until the Lease is held, and runs the controllers while it is. They end in order, and the Lease is released
/// only when nothing of theirs is under way any more: what does not end in time is abandoned, and then the Lease runs out
/// by itself, so that a successor waits for what may still arrive.
///
/// # Errors
/// When leadership was lost (a supervisor starts the process again), or the controllers can not run.
pub async fn lead(
    client: kube::Client,
    wiring: Wiring,
    settings: Settings,
    campaign: Campaign,
    ready: impl Fn(bool) + Clone + Send + Sync + 'static,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let (elector, leadership, mut held) = Elector::new(
        client.clone(),
        &campaign.namespace,
        campaign.identity,
        campaign.terms,
        wiring.clock.clone(),
    );
    // The Lease outlives the stop signal until the controllers have drained.
    let (end_tx, end) = watch::channel(None);
    let election = tokio::spawn(elector.run(end));
    // A stand-by is ready too: it can take over at any time.
    ready(true);
    let won = tokio::select! {
        won = held.wait_for(|h| *h) => won.is_ok(),
        _ = stop.wait_for(|s| *s) => false,
    };
    let mut outcome = Ok(());
    let mut end = End::Release;
    if won && !*stop.borrow() {
        ready(false);
        let (ending_tx, ending) = watch::channel(false);
        let now_ready = ready.clone();
        let mut controllers = tokio::spawn(run_controllers(
            client,
            wiring,
            settings,
            leadership,
            move || now_ready(true),
            ending,
        ));
        let ended = tokio::select! {
            _ = stop.wait_for(|s| *s) => None,
            _ = held.wait_for(|h| !*h) => {
                error!("leadership was lost: ending, a supervisor starts it again");
                outcome = Err(Lost.into());
                None
            }
            ended = &mut controllers => Some(ended),
        };
        ending_tx.send_replace(true);
        let ended = match ended {
            Some(ended) => Ok(ended),
            None => tokio::time::timeout(DRAIN, &mut controllers).await,
        };
        match ended {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(e))) => outcome = Err(e.into()),
            Ok(Err(e)) => outcome = Err(e.into()),
            Err(_) => {
                warn!(
                    seconds = DRAIN.as_secs(),
                    "work that had begun has not ended in time: it is abandoned, and the Lease is left to run out"
                );
                controllers.abort();
                end = End::Abandon;
            }
        }
    }
    end_tx.send_replace(Some(end));
    if let Err(e) = election.await {
        error!(error = %e, "leader election ended badly");
    }
    outcome
}

fn own_namespace() -> String {
    std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
        .map(|s| s.trim().to_owned())
        .unwrap_or_else(|_| "default".to_owned())
}

async fn ended_by_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut term) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
