//! Start-up: wires settings, clients, leader election, admin server and controllers together, and ends them in order.

use crate::admin::Admin;
use crate::cli::{EndpointArgs, Run};
use crate::clients::http::{Endpoints, ReqwestTransport, Transport};
use crate::clock::Clock;
use crate::controllers::run::{Settings, run as run_controllers};
use crate::inventory::Pace;
use crate::inventory::accounts::Wiring;
use crate::leader::{Elector, Leadership, Terms};
use crate::telemetry;
use causeway_aws::AwsHttp;
use std::io::Write;
use std::sync::Arc;
use tokio::sync::watch;
use tracing::{error, info};

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
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(serve(args))
}

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
        lead(client, wiring, settings, &namespace, identity, &admin, stop).await
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

/// Stands by until the Lease is held, runs the controllers, and releases the Lease only after they have ended.
async fn lead(
    client: kube::Client,
    wiring: Wiring,
    settings: Settings,
    namespace: &str,
    identity: String,
    admin: &Admin,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let (elector, leadership, mut held) = Elector::new(
        client.clone(),
        namespace,
        identity,
        Terms::default(),
        wiring.clock.clone(),
    );
    // The Lease outlives the stop signal until the controllers have drained.
    let (release_tx, release) = watch::channel(false);
    let campaign = tokio::spawn(elector.run(release));
    // A stand-by is ready too: it can take over at any time.
    admin.set_ready(true);
    let won = tokio::select! {
        won = held.wait_for(|h| *h) => won.is_ok(),
        _ = stop.wait_for(|s| *s) => false,
    };
    let mut outcome = Ok(());
    if won && !*stop.borrow() {
        admin.set_ready(false);
        let (end_tx, end) = watch::channel(false);
        let ready = admin.clone();
        let controllers = tokio::spawn(run_controllers(
            client,
            wiring,
            settings,
            leadership,
            move || ready.set_ready(true),
            end,
        ));
        tokio::select! {
            _ = stop.wait_for(|s| *s) => {}
            _ = held.wait_for(|h| !*h) => {
                error!("leadership was lost: ending, a supervisor starts it again");
                outcome = Err("leadership was lost".into());
            }
        }
        end_tx.send_replace(true);
        match controllers.await {
            Ok(Ok(())) => {}
            Ok(Err(e)) => outcome = Err(e.into()),
            Err(e) => outcome = Err(e.into()),
        }
    }
    release_tx.send_replace(true);
    if let Err(e) = campaign.await {
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
