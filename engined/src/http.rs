//! HTTP/1.1 and HTTP/2 on the Unix socket and on TCP: accepts connections, bounds them, hands requests to `service`.

use std::future::poll_fn;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};

use crate::config::Http;
use crate::engine::Engine;
use crate::problem::Error;
use crate::tenants::Peer;
use rounds::Rounds;
use sending::Sending;
use wire::{Conn, Socket, Wire};

pub mod answer;
pub mod batches;
mod beside;
pub mod blobs;
pub mod body;
pub mod catalogue;
pub mod events;
pub mod executions;
pub mod follow;
pub mod metered;
pub mod operate;
pub mod results;
pub mod rounds;
pub mod sending;
pub mod service;
pub mod stream;
pub mod submit;
pub mod usage;
pub mod wire;

/// Connections at once to the listener for `/metrics` alone: whoever reaches it must not take the places of callers.
const SCRAPERS: usize = 64;
/// Streams of one HTTP/2 connection at once.
const STREAMS: u32 = 128;
/// Streams that a caller may reset before they were answered until the connection is ended ("rapid reset").
const RESETS: usize = 32;
/// How long a connection that shall end may go on with what it has begun.
const GOODBYE: Duration = Duration::from_secs(5);
/// So long a connection without a request may still send one before it is ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A place where callers will come in, bound while this process still may, and before it has threads.
#[derive(Debug)]
pub enum Bound {
    /// Peers are known by their user.
    Unix(std::os::unix::net::UnixListener),
    /// Peers are known by a token.
    Tcp(std::net::TcpListener),
    /// `/metrics` for everybody.
    Metrics(std::net::TcpListener),
}

impl Bound {
    /// Binds a Unix socket. A socket that nobody listens on any more is replaced.
    ///
    /// # Errors
    /// `AddrInUse` while somebody listens on it, else that of `bind`.
    pub fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody listens on it")),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)?,
            Err(_) => {}
        }
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        Ok(Bound::Unix(listener))
    }

    /// Lets the runtime of this thread watch it.
    ///
    /// # Errors
    /// That of registering it.
    pub fn open(self) -> io::Result<Listener> {
        Ok(match self {
            Bound::Unix(listener) => Listener::Unix(UnixListener::from_std(listener)?),
            Bound::Tcp(listener) => Listener::Tcp(TcpListener::from_std(listener)?),
            Bound::Metrics(listener) => Listener::Metrics(TcpListener::from_std(listener)?),
        })
    }
}

/// A place where callers come in.
#[derive(Debug)]
pub enum Listener {
    /// Peers are known by their user.
    Unix(UnixListener),
    /// Peers are known by a token.
    Tcp(TcpListener),
    /// `/metrics` for everybody.
    Metrics(TcpListener),
}

impl Listener {
    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match self {
            Listener::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let cred = stream.peer_cred()?;
                Ok((Socket::Unix(stream), Peer::Unix { uid: cred.uid(), gid: cred.gid() }))
            }
            Listener::Tcp(listener) | Listener::Metrics(listener) => {
                let (stream, address) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Socket::Tcp(stream), Peer::Tcp(address.ip())))
            }
        }
    }
}

/// Which doors are shut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doors {
    /// None.
    #[default]
    Open,
    /// Those that somebody holds for the next engine: whoever comes there waits for it.
    HeldShut,
    /// All.
    Shut,
}

/// The server: listeners that share a cap on connections, and a way to end them all.
pub struct Server {
    engine: Arc<Engine>,
    builder: Builder<TokioExecutor>,
    connections: Arc<Semaphore>,
    scrapers: Arc<Semaphore>,
    /// Tasks that accept.
    accepting: watch::Sender<usize>,
    open: watch::Sender<usize>,
    doors: watch::Sender<Doors>,
    goodbye: watch::Sender<bool>,
}

impl Server {
    /// A server for `engine` that holds at most `connections` at once.
    #[must_use]
    pub fn new(engine: Arc<Engine>, connections: usize) -> Arc<Self> {
        let builder = builder(&engine.config.http);
        let [connections, scrapers] = [connections, SCRAPERS].map(|most| Arc::new(Semaphore::new(most)));
        Arc::new(Server {
            engine,
            builder,
            connections,
            scrapers,
            accepting: watch::Sender::default(),
            open: watch::Sender::default(),
            doors: watch::Sender::default(),
            goodbye: watch::Sender::default(),
        })
    }

    /// Accepts until all doors are shut. At the cap, callers wait in the kernel's queue.
    pub async fn accept(self: Arc<Self>, listener: Listener) {
        self.accept_until(listener, Doors::Shut).await;
    }

    /// Accepts until the doors are shut as far as `last`. Of our own socket whoever waits in the kernel's queue by then is
    /// let in, because nobody else would.
    pub async fn accept_until(self: Arc<Self>, listener: Listener, last: Doors) {
        let only_metrics = matches!(listener, Listener::Metrics(_));
        let places = if only_metrics { &self.scrapers } else { &self.connections };
        let last = if only_metrics { Doors::Shut } else { last };
        let _counted = Counted::new(&self.accepting);
        let mut doors = self.doors.subscribe();
        let mut shut = false;
        loop {
            let next = async {
                let place = Arc::clone(places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = async { drop(doors.wait_for(|doors| *doors >= last).await) }, if !shut => {
                    shut = true;
                    continue;
                }
                next = next, if !shut || last == Doors::Shut => next,
                // Everybody who waited is in, as far as there is room.
                () = std::future::ready(()), if shut => return,
            };
            let Ok(place) = place else { return };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // No descriptors left, or the caller has gone already.
                    tracing::warn!(%error, "connection not accepted");
                    if shut {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let server = Arc::clone(&self);
            let counted = Counted::new(&self.open);
            tokio::spawn(async move {
                server.serve(socket, peer, only_metrics).await;
                drop((counted, place));
            });
        }
    }

    /// Shuts doors. Nobody is let in there any more.
    pub fn shut(&self, doors: Doors) {
        self.doors.send_replace(doors);
    }

    async fn serve(&self, socket: Socket, peer: Peer, only_metrics: bool) {
        let _connected = self.engine.metrics.connected();
        let http = &self.engine.config.http;
        let conn = Conn::new(socket, self.engine.metrics.problems.clone());
        let io = TokioIo::new(Wire::new(Arc::clone(&conn), http.write_timeout));
        let service = service_fn(|request| {
            let (engine, conn) = (Arc::clone(&self.engine), Arc::clone(&conn));
            let busy = conn.request();
            async move {
                let answer = if only_metrics {
                    service::metrics_only(&engine, request).await
                } else {
                    service::answer(engine, conn, peer, request).await
                };
                Ok::<_, std::convert::Infallible>(answer.map(|answer| Sending::new(answer, busy)))
            }
        });
        let ended = {
            let mut connection = std::pin::pin!(self.builder.serve_connection(io, service));
            let rounds = Rounds::default();
            let mut goodbye = self.goodbye.subscribe();
            let mut leaving = false;
            loop {
                let patience = if leaving { GOODBYE } else { http.idle_timeout };
                // Nobody tells us when a head begins, or an answer is late, so we look from time to time.
                let look =
                    patience.saturating_sub(conn.idle()).min(http.header_timeout / 4).min(http.write_timeout / 4);
                tokio::select! {
                    result = poll_fn(|cx| rounds.poll(connection.as_mut(), cx)) => break result,
                    () = async { drop(goodbye.wait_for(|goodbye| *goodbye).await) }, if !leaving => {
                        leaving = true;
                        // hyper would close it, with a request unread that is on its way or has just come.
                        if conn.is_quiet() {
                            tokio::select! {
                                result = poll_fn(|cx| rounds.poll(connection.as_mut(), cx)) => break result,
                                () = tokio::time::sleep(LAST_WORDS) => {}
                            }
                        }
                        connection.as_mut().graceful_shutdown();
                    }
                    () = tokio::time::sleep(look.max(Duration::from_millis(10))) => {
                        if conn.head() >= http.header_timeout {
                            conn.last_word(&Error::HeadTooSlow.problem());
                            break Ok(());
                        }
                        if let Some(taken) = conn.read_too_slowly(http) {
                            tracing::info!(taken, rate = http.answer_bytes_per_second, "an answer is read too slowly");
                            break Ok(());
                        }
                        if conn.idle() >= patience {
                            if leaving {
                                break Ok(());
                            }
                            leaving = true;
                            connection.as_mut().graceful_shutdown();
                        }
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
        conn.linger().await;
    }

    /// Shuts every door, lets every connection end after what it has begun, and waits for that, at most `patience`.
    pub async fn end(&self, patience: Duration) {
        self.shut(Doors::Shut);
        let (mut accepting, mut open) = (self.accepting.subscribe(), self.open.subscribe());
        let ended = async {
            let last = accepting.wait_for(|accepting| *accepting == 0).await.is_ok();
            self.goodbye.send_replace(true);
            last && open.wait_for(|open| *open == 0).await.is_ok()
        };
        if tokio::time::timeout(patience, ended).await.is_err() {
            tracing::warn!(open = *self.open.borrow(), "connections were still open at the end");
        }
    }
}

/// Counts something while it is there.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|count| *count += 1);
        Counted(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

fn builder(http: &Http) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Ours: hyper's would end idle connections as well.
        .header_read_timeout(None)
        .max_headers(http.headers)
        .max_buf_size(http.header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(http.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
