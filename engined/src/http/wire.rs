//! One connection below HTTP: reads and writes it for hyper, ends it when the caller leaves its answer unread, puts a
//! proper problem in the place of hyper's own bare refusals, and closes it so that the answer arrives.

use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use api_spec::{Code, PROBLEM_JSON, Problem};
use nix::sys::socket::{Shutdown, shutdown};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Sleep;

use super::answer::{REQUEST_ID, VERSION, VERSION_HEADER, new_id};
use crate::config::Http;
use crate::metrics::Problems;

/// So long is a caller's data read and dropped after our last word, so that the kernel does not reset the connection
/// and the answer with it.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// A connected socket of either kind.
#[derive(Debug)]
pub enum Socket {
    /// TCP.
    Tcp(TcpStream),
    /// Unix.
    Unix(UnixStream),
}

impl Socket {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => stream.poll_read_ready(cx),
            Socket::Unix(stream) => stream.poll_read_ready(cx),
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Socket::Tcp(stream) => stream.poll_write_ready(cx),
            Socket::Unix(stream) => stream.poll_write_ready(cx),
        }
    }

    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.try_read(buffer),
            Socket::Unix(stream) => stream.try_read(buffer),
        }
    }

    fn try_read_into(&self, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.try_read_buf(buffer),
            Socket::Unix(stream) => stream.try_read_buf(buffer),
        }
    }

    fn try_write(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Socket::Tcp(stream) => stream.try_write_vectored(buffers),
            Socket::Unix(stream) => stream.try_write_vectored(buffers),
        }
    }

    fn shutdown(&self) -> io::Result<()> {
        let fd = match self {
            Socket::Tcp(stream) => stream.as_raw_fd(),
            Socket::Unix(stream) => stream.as_raw_fd(),
        };
        Ok(shutdown(fd, Shutdown::Write)?)
    }

    async fn readable(&self) -> io::Result<()> {
        match self {
            Socket::Tcp(stream) => stream.readable().await,
            Socket::Unix(stream) => stream.readable().await,
        }
    }
}

/// What the connection's task and its requests know of each other.
#[derive(Debug)]
pub struct Conn {
    socket: Socket,
    /// Requests under way, until their answers are sent.
    pub busy: AtomicUsize,
    /// The connection speaks HTTP/2.
    pub h2: AtomicBool,
    /// Bytes that came since the last request began or ended: a head that is not complete.
    head_bytes: AtomicU64,
    /// When the first of them came, in milliseconds since `begun`.
    head_since: AtomicU64,
    /// When the last request ended, in milliseconds since `begun`.
    idle_since: AtomicU64,
    begun: Instant,
    /// Answers under way.
    answers: Mutex<Vec<Arc<Pace>>>,
    problems: Problems,
}

/// How far the sending of an answer has come.
#[derive(Debug)]
struct Pace {
    /// Since when there is something to read, in milliseconds since the connection began.
    since: AtomicU64,
    /// Bytes that were taken since then.
    taken: AtomicU64,
    /// Bytes that there were to take since then, where it is made while it is sent: what is not there yet nobody can read.
    given: Option<AtomicU64>,
}

impl Conn {
    /// A connection that has just been accepted.
    #[must_use]
    pub fn new(socket: Socket, problems: Problems) -> Arc<Self> {
        Arc::new(Conn {
            socket,
            busy: AtomicUsize::new(0),
            h2: AtomicBool::new(false),
            head_bytes: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            begun: Instant::now(),
            answers: Mutex::default(),
            problems,
        })
    }

    /// Counts a request until the guard is dropped.
    #[must_use]
    pub fn request(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::Relaxed);
        Busy { conn: Arc::clone(self), pace: OnceLock::new() }
    }

    fn answers(&self) -> MutexGuard<'_, Vec<Arc<Pace>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes were taken of an answer that is read more slowly than allowed, if there is one. HTTP/2 has many at
    /// once, and a caller can leave each unread by itself.
    #[must_use]
    pub fn read_too_slowly(&self, limits: &Http) -> Option<u64> {
        let late = |pace: &Arc<Pace>| {
            let taken = pace.taken.load(Ordering::Relaxed);
            if pace.given.as_ref().is_some_and(|given| given.load(Ordering::Relaxed) <= taken) {
                return None;
            }
            // As for bodies: so long may nothing come of it, and each byte buys time for the next.
            let earned = Duration::from_millis(taken.saturating_mul(1000) / limits.answer_bytes_per_second);
            (self.since(&pace.since) > limits.write_timeout + earned).then_some(taken)
        };
        self.answers().iter().find_map(late)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn since(&self, then: &AtomicU64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(then.load(Ordering::Relaxed)))
    }

    fn came(&self, bytes: usize) {
        if self.busy.load(Ordering::Relaxed) == 0 && self.head_bytes.fetch_add(bytes as u64, Ordering::Relaxed) == 0 {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// How long a request's head has been incomplete; zero when there is none. HTTP/2 has frames of its own between
    /// requests, so there this means nothing.
    #[must_use]
    pub fn head(&self) -> Duration {
        let pending = self.busy.load(Ordering::Relaxed) == 0
            && self.head_bytes.load(Ordering::Relaxed) > 0
            && !self.h2.load(Ordering::Relaxed);
        if pending { self.since(&self.head_since) } else { Duration::ZERO }
    }

    /// Whether there is no request at the moment.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.busy.load(Ordering::Relaxed) == 0
    }

    /// How long there has been no request; zero while there is one.
    #[must_use]
    pub fn idle(&self) -> Duration {
        if self.busy.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        self.since(&self.idle_since)
    }

    /// Says a last word outside of HTTP's machinery, as far as the socket takes it at once.
    pub fn last_word(&self, problem: &Problem) {
        self.problems.count(problem.code);
        if let Err(error) = self.socket.try_write(&[IoSlice::new(&bare(problem))]) {
            tracing::debug!(%error, "last word not said");
        }
    }

    /// Ends our half, then reads and drops what is still under way, for a short time.
    pub async fn linger(&self) {
        if self.socket.shutdown().is_err() {
            return;
        }
        let drain = async {
            let mut scrap = vec![0; 16 << 10];
            let mut dropped = 0;
            while dropped < LINGER_BYTES && self.socket.readable().await.is_ok() {
                match self.socket.try_read(&mut scrap) {
                    Ok(0) => break,
                    Ok(read) => dropped += read,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
        };
        if tokio::time::timeout(LINGER, drain).await.is_err() {
            tracing::debug!("a caller went on sending after its answer");
        }
    }
}

/// A request under way on a connection, until its answer is sent.
#[derive(Debug)]
pub struct Busy {
    conn: Arc<Conn>,
    pace: OnceLock<Arc<Pace>>,
}

impl Busy {
    /// There is an answer: from here on the caller has to read it. In `pieces`: as far as they are given.
    pub fn answered(&self, pieces: bool) {
        let (since, taken) = (AtomicU64::new(self.conn.now()), AtomicU64::new(0));
        let pace = Arc::new(Pace { since, taken, given: pieces.then(AtomicU64::default) });
        if self.pace.set(Arc::clone(&pace)).is_ok() {
            self.conn.answers().push(pace);
        }
    }

    /// So many bytes more of it are there to be sent.
    pub fn gave(&self, bytes: usize) {
        let Some(pace) = self.pace.get() else { return };
        let Some(given) = &pace.given else { return };
        if given.load(Ordering::Relaxed) <= pace.taken.load(Ordering::Relaxed) {
            // All was read: the time for this one begins.
            pace.since.store(self.conn.now(), Ordering::Relaxed);
            pace.taken.store(0, Ordering::Relaxed);
            given.store(0, Ordering::Relaxed);
        }
        given.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So many bytes more of it are sent.
    pub fn took(&self, bytes: usize) {
        if let Some(pace) = self.pace.get() {
            pace.taken.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if let Some(pace) = self.pace.get() {
            self.conn.answers().retain(|other| !Arc::ptr_eq(other, pace));
        }
        self.conn.idle_since.store(self.conn.now(), Ordering::Relaxed);
        self.conn.head_bytes.store(0, Ordering::Relaxed);
        self.conn.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The connection as hyper sees it.
#[derive(Debug)]
pub struct Wire {
    conn: Arc<Conn>,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// hyper's half of `conn`, which ends when a write makes no progress for `patience`.
    #[must_use]
    pub fn new(conn: Arc<Conn>, patience: Duration) -> Self {
        Wire { conn, patience, stalled: None }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            match self.conn.socket.poll_write_ready(cx) {
                Poll::Ready(ready) => ready?,
                Poll::Pending => {
                    let sleep = || Box::pin(tokio::time::sleep(self.patience));
                    ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(cx));
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the caller does not read")));
                }
            }
            self.stalled = None;
            if let Some(problem) = buffers.first().and_then(|first| hypers_own(first)) {
                let word = bare(&problem);
                // Before it is read: whoever has it may ask for the count.
                self.conn.problems.count(problem.code);
                let sent = self.conn.socket.try_write(&[IoSlice::new(&word)]);
                return Poll::Ready(sent.map(|_| buffers.iter().map(|buffer| buffer.len()).sum()));
            }
            match self.conn.socket.try_write(buffers) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return Poll::Ready(other),
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.conn.socket.poll_read_ready(cx))?;
            // Not into bytes that are written with zeros first: hyper has room for thousands.
            match self.conn.socket.try_read_into(buffer) {
                Ok(read) => {
                    self.conn.came(read);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_send(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_send(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The task of the connection does it when it lingers.
        Poll::Ready(Ok(()))
    }
}

/// hyper answers what it can't parse by itself, with an empty body. All answers of ours have a body and an id.
fn hypers_own(head: &[u8]) -> Option<Problem> {
    let status = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?.get(..3)?;
    let text = std::str::from_utf8(head).ok()?.to_ascii_lowercase();
    if !text.contains("\r\ncontent-length: 0\r\n") || text.contains(REQUEST_ID) {
        return None;
    }
    match status {
        b"431" => Some(Problem::new(Code::HeadersTooLarge, "the headers are more or longer than allowed")),
        b"414" => Some(Problem::new(Code::HeadersTooLarge, "the request line is longer than allowed")),
        b"400" | b"505" => Some(
            Problem::new(Code::InvalidRequest, "the request is no HTTP that is understood here")
                .remedy("Send HTTP/1.1 or HTTP/2 as RFC 9110 to 9113 have it, made by an HTTP library."),
        ),
        _ => None,
    }
}

/// A whole HTTP/1.1 answer, after which the connection ends.
fn bare(problem: &Problem) -> Vec<u8> {
    let id = new_id();
    let body = serde_json::to_string(&problem.answer(&id)).unwrap_or_default();
    let (status, reason) = match problem.code {
        Code::HeadersTooLarge => (431, "Request Header Fields Too Large"),
        Code::RequestTimeout => (408, "Request Timeout"),
        _ => (400, "Bad Request"),
    };
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: {PROBLEM_JSON}\r\ncontent-length: {}\r\n{REQUEST_ID}: {id}\r\n\
         {VERSION_HEADER}: {VERSION}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.into_bytes(), body.into_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hypers_own_refusals_are_replaced() {
        let own = |text: &str| hypers_own(text.as_bytes()).map(|problem| problem.code);
        let date = "date: Mon, 01 Jan 2026 00:00:00 GMT\r\n\r\n";
        let bare = |status: &str| own(&format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n{date}"));
        assert_eq!(bare("431 Request Header Fields Too Large"), Some(Code::HeadersTooLarge));
        assert_eq!(bare("400 Bad Request"), Some(Code::InvalidRequest));
        assert_eq!(bare("200 OK"), None);
        assert_eq!(own(&format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 10\r\n{date}")), None);
        assert_eq!(own(&format!("HTTP/1.1 400 Bad\r\nx-request-id: 1\r\ncontent-length: 0\r\n{date}")), None);
        assert_eq!(own("{\"text\":\"HTTP/1.1 400 \"}"), None);
        assert_eq!(hypers_own(b"\xff"), None);
    }
}
