//! A small client of the API, of `selftest` and `batch`: one connection per request, over the Unix socket or TCP.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use api_spec::ProblemBody;
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::{AUTHORIZATION, HOST, RETRY_AFTER};
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

    /// How long to wait before asking again.
    #[must_use]
    pub fn pause(&self) -> Duration {
        self.retry_after.map_or(SHORTEST_PAUSE, Duration::from_secs).max(SHORTEST_PAUSE)
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
            tokio::time::sleep(reply.pause()).await;
        }
    }

    /// The process that listens, where the system says so: over a Unix socket.
    pub async fn peer(&self) -> Option<i32> {
        match &self.address {
            Address::Unix(socket) => UnixStream::connect(socket).await.ok()?.peer_cred().ok()?.pid(),
            Address::Tcp(_) => None,
        }
    }

    /// Sends what is asked and reads the whole answer.
    ///
    /// # Errors
    /// No answer came.
    pub async fn ask(&self, asked: Asked) -> Result<Reply, Silence> {
        let began = Instant::now();
        let answer = async {
            let response = self.open(asked).await?;
            let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| Silence::Gone(error.to_string()))?.to_bytes();
            Ok(Reply { status, body, took: began.elapsed(), retry_after })
        };
        tokio::time::timeout(self.patience, answer).await.map_err(|_| Silence::Late(self.patience))?
    }

    /// Sends what is asked and gives the answer as soon as it begins, however long its body goes on. A status other than
    /// 200 is read to its end.
    ///
    /// # Errors
    /// No answer came.
    pub async fn follow(&self, asked: Asked) -> Result<Result<Incoming, Reply>, Silence> {
        let began = Instant::now();
        let answer = async {
            let response = self.open(asked).await?;
            let status = response.status().as_u16();
            if status == 200 {
                return Ok(Ok(response.into_body()));
            }
            let retry_after = retry_after(&response);
            let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
            let body = body.map_err(|error| Silence::Gone(error.to_string()))?.to_bytes();
            Ok(Err(Reply { status, body, took: began.elapsed(), retry_after }))
        };
        tokio::time::timeout(self.patience, answer).await.map_err(|_| Silence::Late(self.patience))?
    }

    async fn call(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, Silence> {
        let mut asked = Asked::new(method, path);
        if !body.is_empty() {
            asked = asked.json(body);
        }
        self.ask(asked).await
    }

    async fn open(&self, asked: Asked) -> Result<Response<Incoming>, Silence> {
        match &self.address {
            Address::Unix(socket) => {
                let stream = UnixStream::connect(socket).await;
                let stream = stream.map_err(|error| unreached(&error, &socket.display().to_string()))?;
                self.talk(stream, asked).await
            }
            Address::Tcp(host) => {
                let stream = TcpStream::connect(host).await.map_err(|error| unreached(&error, host))?;
                self.talk(stream, asked).await
            }
        }
    }

    async fn talk(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        asked: Asked,
    ) -> Result<Response<Incoming>, Silence> {
        let gone = |error: hyper::Error| Silence::Gone(in_full(&error));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(gone)?;
        // It ends when the answer is there, or with the sender.
        tokio::spawn(connection);
        let host = match &self.address {
            Address::Unix(_) => "localhost",
            Address::Tcp(host) => host.as_str(),
        };
        let mut request = Request::builder().method(asked.method).uri(asked.path).header(HOST, host);
        for (name, value) in asked.headers {
            request = request.header(name, value);
        }
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(asked.body).map_err(|error| Silence::Gone(error.to_string()))?;
        sender.send_request(request).await.map_err(gone)
    }
}

/// What is asked for.
pub struct Asked {
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: BoxBody<Bytes, io::Error>,
}

impl Asked {
    /// Without a body.
    #[must_use]
    pub fn new(method: Method, path: &str) -> Asked {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        Asked { method, path: path.to_owned(), headers: Vec::new(), body }
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Asked {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// With a body of JSON.
    #[must_use]
    pub fn json(mut self, body: Bytes) -> Asked {
        self.body = Full::new(body).map_err(|never| match never {}).boxed();
        self.header(CONTENT_TYPE_NAME, api_spec::JSON)
    }

    /// With bytes that are in memory.
    #[must_use]
    pub fn bytes(mut self, body: Bytes) -> Asked {
        self.body = Full::new(body).map_err(|never| match never {}).boxed();
        self.header(CONTENT_TYPE_NAME, OCTETS)
    }

    /// With the next `bytes` of a file, which are read as they are sent.
    #[must_use]
    pub fn file(mut self, file: File, bytes: u64) -> Asked {
        self.body = FileBody { file, left: bytes }.boxed();
        self.header(CONTENT_TYPE_NAME, OCTETS)
    }
}

const CONTENT_TYPE_NAME: &str = "content-type";
const OCTETS: &str = "application/octet-stream";
/// What is read of a file at a time.
const PIECE: usize = 64 << 10;

/// A file as a body of a known length.
struct FileBody {
    file: File,
    left: u64,
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    // A short read from the page cache or a disk, by a command that has nothing else to do.
    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(None);
        }
        let mut piece = vec![0; usize::try_from(this.left).unwrap_or(PIECE).min(PIECE)];
        Poll::Ready(Some(this.file.read(&mut piece).and_then(|read| {
            if read == 0 {
                let why = format!("the file has become shorter while it was sent: {} bytes are missing", this.left);
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
            }
            piece.truncate(read);
            this.left = this.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
            Ok(Frame::data(piece.into()))
        })))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn retry_after(response: &Response<Incoming>) -> Option<u64> {
    response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok())
}

/// With what lies below it: hyper's own words say little.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        told += &format!(": {cause}");
        below = cause.source();
    }
    told
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
