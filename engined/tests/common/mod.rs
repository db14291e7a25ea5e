//! A live engine in this process with a fake jaild behind it, and a small HTTP client that shows what comes back.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]
#![allow(dead_code, reason = "each test file uses some of it")]

pub mod fake;
pub mod live;
pub mod opt;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use engined::accounts::Accounts;
use engined::config::{Config, Host};
use engined::engine::Engine;
use engined::http::{Bound, Listener, Server};
use jail::spec::Layer;
use serde_json::{Value, json};

pub use fake::Fake;

/// A folder that goes when its owner does.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("engined-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// The engine, listening on a port of its own.
pub struct Rig {
    pub address: SocketAddr,
    pub unix: PathBuf,
    pub engine: Arc<Engine>,
    pub server: Arc<Server>,
    pub fake: Fake,
    _scratch: Scratch,
    _runtime: tokio::runtime::Runtime,
}

/// Nothing that is waited for takes longer, however busy the machine is. Whoever waits goes on at once when it is there.
pub const PATIENCE: Duration = Duration::from_secs(150);

pub const TOKEN: &str = "engined_test-token";

impl Rig {
    pub fn start() -> Rig {
        Rig::with(2, "", &[])
    }

    /// `more` is added to the configuration.
    pub fn with(slots: u32, more: &str, missing: &[Layer]) -> Rig {
        let rig = Rig::unready(slots, more, missing);
        let deadline = Instant::now() + PATIENCE;
        while rig.engine.settled().is_err() || rig.engine.queue.gauges().slots == 0 {
            assert!(Instant::now() < deadline, "not ready: {:?}", rig.engine.standing().obstacles);
            std::thread::sleep(Duration::from_millis(5));
        }
        // What the engine asks on its own account is not what tests count.
        rig.fake.seen.most.store(0, Ordering::SeqCst);
        rig
    }

    /// Without waiting until it is ready.
    pub fn unready(slots: u32, more: &str, missing: &[Layer]) -> Rig {
        let scratch = Scratch::new();
        let socket = scratch.0.join("jaild.sock");
        let fake = Fake::start(&socket, slots, missing);
        let hash: String = engined::tenants::hash(TOKEN.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        let text = if more.contains("[tenants.") {
            String::new()
        } else {
            format!("[tenants.t]\nadmin = true\ntokens = [\"{hash}\"]\n")
        };
        let listen = if more.contains("[listen]") { "" } else { "[listen]\ntcp = \"127.0.0.1:0\"\n" };
        let jaild = format!("jaild_socket = {:?}\n", socket.to_str().unwrap());
        let more = if more.contains("[engine]") {
            more.replace("[engine]\n", &format!("[engine]\n{jaild}"))
        } else {
            format!("{more}\n[engine]\n{jaild}")
        };
        let text = format!("{listen}{more}\n{}", text.replace("HASH", &hash)).replace("HASH", &hash);
        let host = Host { accounts: Accounts::of_host(), memory: 16 << 30, cpus: 64 };
        let parsed = || Config::parse(&text, &host).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:?}")).0;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let catalogue = languages::Catalogue::builtin();
        let connections = parsed().http.connections;
        // A rig that was dropped has threads that end a little later, and only then let go of its files.
        let mut engine = Engine::new(parsed(), catalogue.clone(), &host.accounts);
        for _ in 0..1000 {
            if !engine.as_ref().is_err_and(|why| why.to_string().contains("another engined")) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            engine = Engine::new(parsed(), catalogue.clone(), &host.accounts);
        }
        let engine = engine.unwrap();
        let server = Server::new(Arc::clone(&engine), connections);
        let unix = scratch.0.join("engined.sock");
        let (listener, at) = runtime.block_on(async {
            let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            (tcp, Bound::unix(&unix, 0o660).and_then(Bound::open).unwrap())
        });
        let address = listener.local_addr().unwrap();
        runtime.spawn(Arc::clone(&engine).keep());
        runtime.spawn(Arc::clone(&server).accept(Listener::Tcp(listener)));
        runtime.spawn(Arc::clone(&server).accept(at));
        Rig { address, unix, engine, server, fake, _scratch: scratch, _runtime: runtime }
    }

    /// One more place where callers come in.
    pub fn listen(&self, kind: fn(tokio::net::TcpListener) -> Listener) -> SocketAddr {
        let listener = self._runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        self._runtime.spawn(Arc::clone(&self.server).accept(kind(listener)));
        address
    }

    /// Sends a request as the tenant, reads the answer, and compares it with the contract.
    pub fn call(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let auth = format!("Authorization: Bearer {TOKEN}\r\n");
        self.raw_call(method, path, &format!("{auth}{headers}"), body)
    }

    /// The same without a token.
    pub fn raw_call(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
        // In one piece, as far as it goes: between two an engine with little patience may have had enough. One that
        // refuses may close before it has read everything.
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap_or_default();
        let reply = Reply::read(&mut stream).unwrap();
        reply.conforms(method, path);
        reply
    }

    /// Says something on a connection of its own, which the engine shall close, and gives all that comes back.
    pub fn connect_and(&self, words: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(words.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn post(&self, body: &[u8]) -> Reply {
        self.call("POST", "/v1/executions", "Content-Type: application/json\r\n", body)
    }

    pub fn execute(&self, request: &Value) -> Reply {
        self.post(request.to_string().as_bytes())
    }

    /// Runs the words as Python and gives the result.
    pub fn run(&self, words: &str) -> Value {
        let reply = self.execute(&json!({"language": "python", "source": words}));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "", b"")
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// One answer from a stream that may stay open. `None` when it was closed without one.
    pub fn read(stream: &mut impl Read) -> Option<Reply> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let end = loop {
            if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break end;
            }
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return None,
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut body = bytes[end + 4..].to_vec();
        if headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked") {
            // One that is broken off never has its end.
            while !(body.ends_with(b"\r\n0\r\n\r\n") || body == b"0\r\n\r\n") {
                match stream.read(&mut chunk) {
                    Ok(0) | Err(_) => return None,
                    Ok(read) => body.extend_from_slice(&chunk[..read]),
                }
            }
            return Some(Reply { status, headers, body: unchunked(&body) });
        }
        let named = headers.iter().find(|(name, _)| name == "content-length");
        // An answer without content has no length either.
        let length = if status == 204 { Some(0) } else { named.map(|(_, v)| v.parse::<usize>().unwrap()) };
        while length.is_none_or(|length| body.len() < length) {
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => body.extend_from_slice(&chunk[..read]),
                Err(error) => panic!("{error} after {} bytes of {length:?}", body.len()),
            }
        }
        Some(Reply { status, headers, body })
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Is a problem of this status and code, complete, and gives it.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        for words in ["detail", "remedy", "title"] {
            assert!(problem[words].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        assert_eq!(self.header("retry-after").is_some(), matches!(status, 429 | 503), "{self:?}");
        problem
    }

    pub fn conforms(&self, method: &str, path: &str) {
        let kind = self.header("content-type").unwrap_or_default();
        api_spec::conformance::check(method, path, self.status, kind, &self.body)
            .unwrap_or_else(|why| panic!("{method} {path}: {why}\n{}", self.text()));
        assert!(self.header("x-request-id").is_some() && self.header("x-engine-version").is_some());
    }
}

/// The bytes of chunks, as far as they are whole.
pub fn unchunked(mut chunks: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(end) = chunks.windows(2).position(|w| w == b"\r\n") {
        let length = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        let Some(chunk) = chunks.get(end + 2..end + 2 + length) else { break };
        bytes.extend_from_slice(chunk);
        chunks = chunks.get(end + 4 + length..).unwrap_or_default();
    }
    bytes
}

/// A loopback address of this process alone: where a port has to be known before somebody listens there, or when its
/// listener comes back, nobody else takes it meanwhile. There are three.
pub fn own_loopback() -> std::net::Ipv4Addr {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let nth = u32::try_from(COUNT.fetch_add(1, Ordering::Relaxed)).unwrap();
    assert!(nth < 3, "ask for fewer");
    // 127.64.0.0 and up: a pid has 22 bits at the most.
    std::net::Ipv4Addr::from((127 << 24) | ((nth + 1) << 22) | std::process::id())
}

/// Waits until it holds.
pub fn wait_for(mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}
