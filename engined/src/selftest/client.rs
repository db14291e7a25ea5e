//! A small client of the API: one connection per request, over the Unix socket or TCP.

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use api_spec::ProblemBody;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// More than an answer with the largest output in base64 has.
const MOST_BYTES: usize = 256 << 20;
/// Between two tries when the engine has no room.
const SHORTEST_PAUSE: Duration = Duration::from_millis(200);

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `unix:PATH`.
    Unix(PathBuf),
    /// `http://HOST:PORT`.
    Tcp(String),
}

impl Address {
    /// Reads `unix:/path` or `http://host:port`.
    ///
    /// # Errors
    /// What is wrong with it, and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            return if path.is_absolute() { Ok(Address::Unix(path)) } else { Err(wrong(text, "has no absolute path")) };
        }
        if text.starts_with("https:") {
            let why = "wants TLS, which the engine does not speak: name the engine itself, not the proxy before it";
            return Err(wrong(text, why));
        }
        let Some(host) = text.strip_prefix("http://") else { return Err(wrong(text, "is no address of an engine")) };
        let host = host.trim_end_matches('/');
        if host.is_empty() || host.contains(['/', '@', '?', '#', ' ']) {
            return Err(wrong(text, "is more, or less, than host and port"));
        }
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        Ok(Address::Tcp(if has_port { host.to_owned() } else { format!("{host}:80") }))
    }

    /// Whether it is this host that an engine there runs on.
    #[must_use]
    pub fn is_here(&self) -> bool {
        match self {
            Address::Unix(_) => true,
            Address::Tcp(host) => ["127.", "localhost:", "[::1]:"].iter().any(|local| host.starts_with(local)),
        }
    }
}

fn wrong(text: &str, why: &str) -> String {
    format!("{text:?} {why}; write unix:/run/engined-api/engined.sock or http://127.0.0.1:7070")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => write!(f, "unix:{}", path.display()),
            Address::Tcp(host) => write!(f, "http://{host}"),
        }
    }
}

/// No answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody listens there.
    Absent(String),
    /// Somebody may, but we may not connect.
    Forbidden(String),
    /// The connection ended before the answer did.
    Gone(String),
    /// It took too long.
    Late(Duration),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Silence::Absent(why) => write!(f, "no engine answers: {why}"),
            Silence::Forbidden(why) => write!(f, "the engine can't be reached: {why}"),
            Silence::Gone(why) => write!(f, "the engine closed the connection without an answer: {why}"),
            Silence::Late(after) => write!(f, "no answer within {} s", after.as_secs()),
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
    /// From the request to the whole answer.
    pub took: Duration,
    retry_after: Option<u64>,
}

impl Reply {
    /// The problem that it is.
    #[must_use]
    pub fn problem(&self) -> Option<ProblemBody> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The problem that it is, or the beginning of what it is instead.
    #[must_use]
    pub fn told(&self) -> String {
        let told = match self.problem() {
            Some(ProblemBody { code, detail, remedy, .. }) => format!("{code}: {detail}. {remedy}"),
            None => String::from_utf8_lossy(&self.body).chars().take(200).collect(),
        };
        format!("HTTP {} {told}", self.status)
    }
}

/// Whoever asks.
#[derive(Clone, Debug)]
pub struct Client {
    /// Where the engine is.
    pub address: Address,
    /// By what it knows us, over TCP.
    pub token: Option<String>,
    /// How long an answer may take, a place in the queue included.
    pub patience: Duration,
}

impl Client {
    /// Asks for something.
    ///
    /// # Errors
    /// No answer came.
    pub async fn get(&self, path: &str) -> Result<Reply, Silence> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Runs a program. An engine that has no room just now is asked again.
    ///
    /// # Errors
    /// No answer came.
    pub async fn execute(&self, request: &[u8]) -> Result<Reply, Silence> {
        let body = Bytes::copy_from_slice(request);
        let deadline = Instant::now() + self.patience;
        loop {
            let reply = self.call(Method::POST, "/v1/executions", body.clone()).await?;
            if !matches!(reply.status, 429 | 503) || Instant::now() >= deadline {
                return Ok(reply);
            }
            tokio::time::sleep(reply.retry_after.map_or(SHORTEST_PAUSE, Duration::from_secs).max(SHORTEST_PAUSE)).await;
        }
    }

    /// The process that listens, where the system says so: over a Unix socket.
    pub async fn peer(&self) -> Option<i32> {
        match &self.address {
            Address::Unix(socket) => UnixStream::connect(socket).await.ok()?.peer_cred().ok()?.pid(),
            Address::Tcp(_) => None,
        }
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, Silence> {
        let began = Instant::now();
        let answer = async {
            match &self.address {
                Address::Unix(socket) => {
                    let stream = UnixStream::connect(socket).await;
                    let stream = stream.map_err(|error| unreached(&error, &socket.display().to_string()))?;
                    self.talk(stream, method, path, body).await
                }
                Address::Tcp(host) => {
                    let stream = TcpStream::connect(host).await.map_err(|error| unreached(&error, host))?;
                    self.talk(stream, method, path, body).await
                }
            }
        };
        let (status, retry_after, body) =
            tokio::time::timeout(self.patience, answer).await.map_err(|_| Silence::Late(self.patience))??;
        Ok(Reply { status, body, took: began.elapsed(), retry_after })
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(u16, Option<u64>, Bytes), Silence> {
        let gone = |error: hyper::Error| Silence::Gone(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        // It ends when the answer is there, or with the sender.
        tokio::spawn(connection);
        let host = match &self.address {
            Address::Unix(_) => "localhost",
            Address::Tcp(host) => host.as_str(),
        };
        let mut request = Request::builder().method(method).uri(path).header(HOST, host);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|error| Silence::Gone(error.to_string()))?;
        let response: Response<_> = sender.send_request(request).await.map_err(gone)?;
        let status = response.status().as_u16();
        let retry = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| Silence::Gone(error.to_string()))?;
        Ok((status, retry, body.to_bytes()))
    }
}

fn unreached(error: &std::io::Error, place: &str) -> Silence {
    let why = format!("{place}: {error}");
    if error.kind() == std::io::ErrorKind::PermissionDenied { Silence::Forbidden(why) } else { Silence::Absent(why) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let text = |text: &str| Address::parse(text).map(|address| address.to_string());
        assert_eq!(text("unix:/run/a.sock").unwrap(), "unix:/run/a.sock");
        assert_eq!(text("http://127.0.0.1:7070/").unwrap(), "http://127.0.0.1:7070");
        assert_eq!(text("http://judge").unwrap(), "http://judge:80");
        assert!(Address::parse("http://localhost:1").unwrap().is_here());
        assert!(!Address::parse("http://10.0.0.1:1").unwrap().is_here());
        let how = "write unix:/run/engined-api/engined.sock or http://127.0.0.1:7070";
        for (wrong, why) in [
            ("unix:a.sock", "has no absolute path"),
            ("127.0.0.1:7070", "is no address of an engine"),
            ("http://h:1/v1", "is more, or less, than host and port"),
            (
                "https://h",
                "wants TLS, which the engine does not speak: name the engine itself, not the proxy before it",
            ),
        ] {
            assert_eq!(text(wrong).unwrap_err(), format!("{wrong:?} {why}; {how}"));
        }
    }
}
