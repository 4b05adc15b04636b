//! The sandbox over sockets: six HTTPS listeners around one [`Sandbox`], and the folder that it lives in.
//!
//! Sockets, files and signals are here and nowhere else in the crate. A provider never sees a socket: requests and
//! answers are values ([`crate::wire`]).

use crate::control;
use crate::describe;
use crate::persist::{self, PersistError, Ports, Store};
use crate::sandbox::{Outcome, Sandbox, Settings};
use crate::time::SimTime;
use crate::tls::{self, TlsError};
use crate::wire::{Listener, Req, Res};
use crate::world::World;
use axum::body::{Body, HttpBody};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsConfig;
use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;
use tower::Service;

/// The largest request body that is read, in bytes; no provider call comes near it.
const MAX_BODY: usize = 16 << 20;
/// How long connections get to finish at the end.
const GRACE: Duration = Duration::from_secs(2);
/// How often the state is saved while no change asks for it.
const SAVE_EVERY: Duration = Duration::from_secs(1);

/// How to serve; what is `None` is taken from the folder, or else is free to choose.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder for state, CA and the files that clients read.
    pub dir: PathBuf,
    /// The world of a new folder; one that is continued keeps its own.
    pub world: Option<World>,
    /// Simulated seconds per second.
    pub speed: Option<f64>,
    pub seed: Option<u64>,
    pub listen: Option<IpAddr>,
    pub azure_port: Option<u16>,
    pub aws_port: Option<u16>,
    pub megaport_port: Option<u16>,
    pub control_port: Option<u16>,
}

impl Options {
    /// Everything at its default, in `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            world: None,
            speed: None,
            seed: None,
            listen: None,
            azure_port: None,
            aws_port: None,
            megaport_port: None,
            control_port: None,
        }
    }
}

/// Why the sandbox can not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("{0}")]
    Persist(#[from] PersistError),
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error(
        "can not listen on {address} for {listener}: {source}; end what uses the port (another sandbox with this --dir?) \
         or choose another with {flag}"
    )]
    Bind {
        listener: &'static str,
        address: SocketAddr,
        flag: &'static str,
        source: std::io::Error,
    },
    #[error("the {listener} listener failed: {source}")]
    Listener {
        listener: &'static str,
        source: std::io::Error,
    },
    #[error("--speed {0} is not a positive number of simulated seconds per second")]
    Speed(f64),
}

/// The listeners with their names and the flags that fix their ports.
const LISTENERS: [(Listener, &str, &str); 6] = [
    (Listener::Azure, "azure", "--azure-port"),
    (Listener::AzureAuthority, "azureAuthority", "--listen"),
    (Listener::Aws, "aws", "--aws-port"),
    (Listener::Megaport, "megaport", "--megaport-port"),
    (Listener::MegaportAuth, "megaportAuth", "--listen"),
    (Listener::Control, "control", "--control-port"),
];

/// A sandbox that serves until it is shut down.
#[derive(Debug)]
pub struct Server {
    pub sandbox: Sandbox,
    pub ports: Ports,
    store: Arc<Store>,
    handles: Vec<Handle<SocketAddr>>,
    tasks: Vec<(&'static str, JoinHandle<std::io::Result<()>>)>,
    saver: JoinHandle<()>,
}

impl Server {
    /// Continues the folder's sandbox or starts a new one, binds the listeners, writes the folder's files and serves in
    /// the background, on the tokio runtime that it is called in.
    pub fn start(options: Options) -> Result<Self, ServeError> {
        if let Some(speed) = options.speed.filter(|s| !(s.is_finite() && *s > 0.0)) {
            return Err(ServeError::Speed(speed));
        }
        let dir = absolute(&options.dir)?;
        let saved = persist::load(&dir)?;
        let continued = saved.is_some();
        let old = saved.as_ref().map(|s| s.ports.clone());
        let (sandbox, seed) = match saved {
            Some(saved) => {
                if options.world.is_some() {
                    tracing::warn!(dir = %dir.display(), "--world is not used: this folder goes on with its own world");
                }
                let seed = saved.seed;
                (saved.resume(options.speed), seed)
            }
            None => {
                let seed = options.seed.unwrap_or(1);
                let settings = Settings {
                    world: options.world.clone().unwrap_or_default(),
                    seed,
                    speed: options.speed.unwrap_or(1.0),
                    start: wall_clock(),
                };
                (Sandbox::new(settings), seed)
            }
        };
        let (listeners, ports) = bind(&options, old.as_ref())?;
        let config = RustlsConfig::from_config(tls::server_config(&dir, ports.listen)?);
        let store = Arc::new(Store::open(
            &dir,
            ports.clone(),
            seed,
            sandbox.clone(),
            continued,
        )?);
        store.save_now()?;
        let mut handles = Vec::new();
        let mut tasks = Vec::new();
        for ((listener, name, _), socket) in LISTENERS.into_iter().zip(listeners) {
            let fail = |source| ServeError::Listener {
                listener: name,
                source,
            };
            let handle = Handle::new();
            let make = MakeEndpoint(Endpoint {
                listener,
                sandbox: sandbox.clone(),
                store: store.clone(),
            });
            // Small answers leave at once: with Nagle's algorithm the second part of one waits for the client's delayed
            // acknowledgement, 40 ms, which is 24 simulated seconds at speed 600.
            let server = axum_server::from_tcp_rustls(socket, config.clone())
                .map_err(fail)?
                .map(|tls| tls.acceptor(NoDelayAcceptor::new()))
                .handle(handle.clone());
            tasks.push((name, tokio::spawn(server.serve(make))));
            handles.push(handle);
        }
        let endpoints = describe::endpoints(&ports, &dir);
        let world = sandbox.raw(|s, _| {
            // ARM's challenges name the authority that issues its tokens.
            if let Some(authority) = endpoints["azureAuthority"].as_str() {
                authority.clone_into(&mut s.world.azure.authority);
            }
            describe::world(&s.world)
        });
        persist::write(&dir.join("world.json"), &pretty(&world))?;
        // Last: whoever waits for this file may call at once.
        persist::write(&dir.join("endpoints.json"), &pretty(&endpoints))?;
        let saver = tokio::spawn(save_now_and_then(store.clone()));
        Ok(Self {
            sandbox,
            ports,
            store,
            handles,
            tasks,
            saver,
        })
    }

    /// Waits until a listener fails, which none does by itself.
    pub async fn failed(&mut self) -> ServeError {
        loop {
            if let Some(i) = self.tasks.iter().position(|(_, t)| t.is_finished()) {
                let (listener, task) = self.tasks.remove(i);
                let source = match task.await {
                    Ok(Err(e)) => e,
                    Ok(Ok(())) => std::io::Error::other("it ended"),
                    Err(e) => std::io::Error::other(e),
                };
                return ServeError::Listener { listener, source };
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Lets connections finish, for a short time, and saves everything.
    pub async fn shutdown(self) -> Result<(), ServeError> {
        for handle in &self.handles {
            handle.graceful_shutdown(Some(GRACE));
        }
        for (listener, task) in self.tasks {
            // A task that panicked has nothing left to finish; saving matters more.
            if let Ok(Err(source)) = task.await {
                return Err(ServeError::Listener { listener, source });
            }
        }
        self.saver.abort();
        self.store.save_now()?;
        self.store.tick()?;
        Ok(())
    }
}

fn absolute(dir: &Path) -> Result<PathBuf, PersistError> {
    std::fs::create_dir_all(dir)
        .and_then(|()| dir.canonicalize())
        .map_err(|source| PersistError::Io {
            action: "create",
            path: dir.display().to_string(),
            source,
        })
}

/// A new sandbox's clouds begin at today's date.
fn wall_clock() -> SimTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    SimTime(since.map_or(0, |d| d.as_millis() as i64))
}

fn pretty(value: &serde_json::Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

/// Binds one. A port of the last time may belong for a moment to somebody's outgoing connection: that is waited for, five
/// seconds at most.
fn bound(address: SocketAddr, again: bool) -> std::io::Result<TcpListener> {
    let mut left = if again { 50 } else { 0 };
    loop {
        match TcpListener::bind(address) {
            Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && left > 0 => {
                left -= 1;
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            other => return other,
        }
    }
}

/// Binds all listeners, on the ports that were asked for, else those of the last time, else free ones.
fn bind(options: &Options, old: Option<&Ports>) -> Result<(Vec<TcpListener>, Ports), ServeError> {
    let listen = options
        .listen
        .or(old.map(|p| p.listen))
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let wanted = [
        options.azure_port.or(old.map(|p| p.azure)),
        old.map(|p| p.azure_authority),
        options.aws_port.or(old.map(|p| p.aws)),
        options.megaport_port.or(old.map(|p| p.megaport)),
        old.map(|p| p.megaport_auth),
        options.control_port.or(old.map(|p| p.control)),
    ];
    let mut sockets = Vec::new();
    let mut ports = Vec::new();
    for ((listener, name, flag), port) in LISTENERS.into_iter().zip(wanted) {
        let ip = if listener == Listener::Control {
            describe::control_address(listen)
        } else {
            listen
        };
        let address = SocketAddr::new(ip, port.unwrap_or(0));
        let fail = |source| ServeError::Bind {
            listener: name,
            address,
            flag,
            source,
        };
        let again = old.is_some() && port.is_some();
        let socket = bound(address, again).map_err(fail)?;
        socket.set_nonblocking(true).map_err(fail)?;
        ports.push(socket.local_addr().map_err(fail)?.port());
        sockets.push(socket);
    }
    let port = |i: usize| ports.get(i).copied().unwrap_or_default();
    let ports = Ports {
        listen,
        azure: port(0),
        azure_authority: port(1),
        aws: port(2),
        megaport: port(3),
        megaport_auth: port(4),
        control: port(5),
    };
    Ok((sockets, ports))
}

async fn save_now_and_then(store: Arc<Store>) {
    let mut pause = SAVE_EVERY;
    loop {
        tokio::time::sleep(pause).await;
        let begun = Instant::now();
        let store = store.clone();
        let saved =
            tokio::task::spawn_blocking(move || store.save_now().and_then(|()| store.tick()));
        report(saved.await);
        // A large state is saved less often: this must never take more than a twentieth of the time.
        pause = SAVE_EVERY.max(begun.elapsed() * 20);
    }
}

fn report(saved: Result<Result<(), PersistError>, tokio::task::JoinError>) {
    match saved {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the state could not be saved"),
        Err(error) => tracing::error!(%error, "the state could not be saved"),
    }
}

/// The connection is closed without an answer: hyper drops it when a service fails.
#[derive(Debug, thiserror::Error)]
#[error("an injected fault broke the connection")]
struct Broken;

/// One listener's requests.
#[derive(Debug, Clone)]
struct Endpoint {
    listener: Listener,
    sandbox: Sandbox,
    store: Arc<Store>,
}

impl Endpoint {
    async fn respond<B>(self, request: Request<B>) -> Result<Response<Full<Bytes>>, Broken>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let req = match read_request(request).await {
            Ok(req) => req,
            Err(error) => {
                let body = format!("the request's body can not be read: {error}");
                return Ok(to_http(Res::new(400, "text/plain", body)));
            }
        };
        let outcome = if self.listener == Listener::Control {
            Outcome::Answer(control::respond(&self.sandbox, &req))
        } else {
            self.sandbox.call(self.listener, req).await
        };
        self.keep().await;
        match outcome {
            Outcome::Answer(res) => Ok(to_http(res)),
            Outcome::Broken => Err(Broken),
        }
    }

    /// Puts on disk what the client may rely on after its answer.
    async fn keep(&self) {
        if self.store.behind() {
            let wanted = self.sandbox.changes();
            let store = self.store.clone();
            report(tokio::task::spawn_blocking(move || store.save(wanted)).await);
        }
        if let Err(error) = self.store.tick() {
            tracing::error!(%error, "the clock could not be saved");
        }
    }
}

async fn read_request<B>(request: Request<B>) -> Result<Req, axum::BoxError>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    let (parts, body) = request.into_parts();
    let body = Limited::new(Body::new(body), MAX_BODY)
        .collect()
        .await?
        .to_bytes();
    // HTTP/2 has the authority in the URI, HTTP/1.1 in the Host header.
    let host = parts
        .uri
        .authority()
        .map(|a| a.to_string())
        .or_else(|| host_header(&parts.headers))
        .unwrap_or_else(|| "localhost".to_owned());
    let raw_query = parts.uri.query().unwrap_or_default().to_owned();
    let query = url::form_urlencoded::parse(raw_query.as_bytes())
        .into_owned()
        .collect();
    Ok(Req {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query,
        raw_query,
        base: format!("https://{host}"),
        headers: parts.headers,
        body,
    })
}

fn host_header(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(http::header::HOST)?;
    value.to_str().ok().map(str::to_owned)
}

fn to_http(res: Res) -> Response<Full<Bytes>> {
    let mut out = Response::new(Full::new(res.body));
    *out.status_mut() = res.status;
    *out.headers_mut() = res.headers;
    out
}

impl<B> Service<Request<B>> for Endpoint
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(self.clone().respond(request))
    }
}

/// Gives each connection its endpoint.
#[derive(Debug, Clone)]
struct MakeEndpoint(Endpoint);

impl<T> Service<T> for MakeEndpoint {
    type Response = Endpoint;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Endpoint, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, _: T) -> Self::Future {
        std::future::ready(Ok(self.0.clone()))
    }
}
