//! The configuration: all of it is read, every mistake is reported with field, value, reason and remedy, and only then
//! does anything start. An empty file works: one Unix socket for root and the engine's own user.
//! `engined config check --print` prints every field with its meaning and the value in force.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api_spec::Caps;
use jail::records;
use toml::Table;

use crate::confinement::Layer;
use crate::job::{ARTIFACT_BYTES, OUTPUT_CAPS};

pub use abuse::Abuse;
pub use batches::Batches;
pub use blobs::Blobs;
pub use health::Health;
pub use host::Host;
pub use plans::{BatchShare, Ceiling, Plan};
pub use reader::Mistake;
pub use results::Results;
pub use slo::Slo;
pub use tenants::{TenantConfig, Token, doubts, prefix};

use reader::Reader;

mod abuse;
pub mod audit;
mod batches;
mod blobs;
mod health;
mod host;
mod plans;
mod reader;
mod results;
mod secret;
mod slo;
mod tenants;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The Unix socket of an empty configuration.
pub const UNIX: &str = "/run/engined-api/engined.sock";
/// Where jaild listens unless told otherwise.
pub const JAILD: &str = "/run/engined/jaild.sock";

/// Everything that is set.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where callers come in.
    pub listen: Listen,
    /// Bounds of connections and messages.
    pub http: Http,
    /// Bounds of a request.
    pub caps: Caps,
    /// The most that comes back of a run's files.
    pub outputs: records::Caps,
    /// What the engine itself may use.
    pub engine: Engine,
    /// Compiled programs that are kept.
    pub cache: Cache,
    /// Data that is sent once and used by many runs.
    pub blobs: Blobs,
    /// Results that are kept until they are fetched.
    pub results: Results,
    /// Batches that are kept until they are judged, and after.
    pub batches: Batches,
    /// When what a tenant's users do is told to the operator.
    pub abuse: Abuse,
    /// What `/readyz` stands on.
    pub health: Health,
    /// How it logs.
    pub log: Log,
    /// What counts as good service.
    pub slo: Slo,
    /// Every plan, by name.
    pub plans: Vec<Arc<Plan>>,
    /// What is kept of what happened.
    pub audit: audit::Audit,
    /// What tenants have used.
    pub usage: audit::Usage,
    /// Who may call. At least one.
    pub tenants: Vec<TenantConfig>,
}

/// Where callers come in.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The Unix socket and its mode.
    pub unix: Option<(PathBuf, u32)>,
    /// The TCP address.
    pub tcp: Option<SocketAddr>,
    /// `/metrics` alone, without authentication.
    pub metrics: Option<SocketAddr>,
    /// One tenant without token, on the loopback interface.
    pub development: bool,
}

impl Engine {
    /// The operator's manifests: the folder that was named, else the usual one, where it exists, as jaild has it.
    #[must_use]
    pub fn manifests(&self) -> Option<PathBuf> {
        self.languages.clone().or_else(crate::state::manifests)
    }
}

/// What the engine itself may use.
#[derive(Clone, Debug)]
pub struct Engine {
    /// jaild's socket.
    pub jaild: PathBuf,
    /// The operator's manifests.
    pub languages: Option<PathBuf>,
    /// Runs at once, where it shall be fewer than jaild has slots.
    pub slots: Option<usize>,
    /// Runs waiting at once.
    pub queue_length: usize,
    /// How long a run may wait.
    pub queue_wait: Duration,
    /// Bodies, captured output, compiled programs and answers together.
    pub memory: u64,
    /// The most that one compiled program may have.
    pub artifact: u64,
    /// Memory limits of all running sandboxes together.
    pub sandbox_memory: u64,
    /// Where jaild keeps what it has made of toolchains, unless none of it shall be used.
    pub tuning: Option<PathBuf>,
    /// How long runs may go on after SIGTERM.
    pub drain: Duration,
    /// Layers of the engine's own confinement to go without where they can't be had.
    pub waived: Vec<Layer>,
}

impl Engine {
    /// Of the engine's memory, what kept results may have: the rest is for bodies and output.
    #[must_use]
    pub fn kept_bytes(&self) -> u64 {
        self.memory / 2
    }
}

/// Compiled programs that are kept.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Whether any are.
    pub enabled: bool,
    /// Where, if it was said.
    pub folder: Option<PathBuf>,
    /// How much of the disk they may take.
    pub bytes: u64,
    /// What lies there is not for us: none is kept, and nothing may be written there.
    pub refused: bool,
}

impl Cache {
    /// The folder: the one that was named, else one in what systemd has made for us. `None` where there is neither, and
    /// where it was refused.
    #[must_use]
    pub fn place(&self) -> Option<PathBuf> {
        let usual = || crate::confinement::state_folders().first().map(|state| state.join("artifacts"));
        self.folder.clone().or_else(usual).filter(|_| self.enabled && !self.refused)
    }
}

/// How the engine logs.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// Lines as JSON.
    pub json: bool,
    /// The least level that is written.
    pub level: tracing::Level,
}

/// Bounds of connections and messages.
#[derive(Clone, Copy, Debug)]
pub struct Http {
    /// The largest body.
    pub body_bytes: u64,
    /// The least rate of a body.
    pub body_bytes_per_second: u64,
    /// All headers together.
    pub header_bytes: usize,
    /// How many headers.
    pub headers: usize,
    /// How long a request's head may take.
    pub header_timeout: Duration,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// How long a reader may not read.
    pub write_timeout: Duration,
    /// The least rate at which an answer is read; that time comes on top.
    pub answer_bytes_per_second: u64,
    /// Connections at once.
    pub connections: usize,
}

impl Config {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn load(path: &Path, host: &Host) -> Result<(Config, String), Vec<Mistake>> {
        Config::load_with(path, host, |_| Vec::new())
    }

    /// The same, with the mistakes that `more` finds in what was understood of it.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn load_with(
        path: &Path,
        host: &Host,
        more: impl FnOnce(&Config) -> Vec<Mistake>,
    ) -> Result<(Config, String), Vec<Mistake>> {
        let text = fs::read_to_string(path).map_err(|error| {
            vec![Mistake {
                field: String::new(),
                value: String::new(),
                why: format!("{} can't be read: {error}", path.display()),
                remedy: "write it (an empty file works), or name another with --config".to_owned(),
            }]
        })?;
        Config::parse_with(&text, host, more)
    }

    /// Reads a configuration, and gives it back with a commented file that says what is in force.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn parse(text: &str, host: &Host) -> Result<(Config, String), Vec<Mistake>> {
        Config::parse_with(text, host, |_| Vec::new())
    }

    fn parse_with(
        text: &str,
        host: &Host,
        more: impl FnOnce(&Config) -> Vec<Mistake>,
    ) -> Result<(Config, String), Vec<Mistake>> {
        let mut reader = Reader::default();
        let mut root = match text.parse::<Table>() {
            Ok(root) => root,
            Err(error) => {
                reader.mistake("", "", secret::no_toml(text, &error), "correct the line");
                return Err(reader.mistakes);
            }
        };
        let config = read(&mut reader, &mut root, host);
        reader.end(
            &root,
            &[
                "listen", "http", "request", "outputs", "engine", "cache", "blobs", "results", "batches", "health",
                "abuse", "log", "audit", "usage", "slo", "plans", "tenants",
            ],
        );
        for Mistake { field, value, why, remedy } in more(&config) {
            reader.mistake(&field, &value, why, remedy);
        }
        if reader.mistakes.is_empty() { Ok((config, reader.printed)) } else { Err(reader.mistakes) }
    }
}

fn read(reader: &mut Reader, root: &mut Table, host: &Host) -> Config {
    let engine = engine(reader, root, host);
    let results = results::read(reader, root, engine.kept_bytes());
    let batches = batches::read(reader, root);
    let size = plans::Size {
        host,
        sandbox_memory: engine.sandbox_memory,
        slots: engine.slots,
        queue_length: engine.queue_length,
        kept: (results.bytes_per_tenant, engine.kept_bytes()),
        store_bytes: batches.store_bytes,
    };
    let plans = plans::read(reader, root, &size);
    let config = Config {
        listen: listen(reader, root),
        http: http(reader, root),
        caps: caps(reader, root),
        outputs: outputs(reader, root, engine.memory),
        cache: cache(reader, root),
        blobs: blobs::read(reader, root),
        results,
        batches,
        engine,
        abuse: abuse::read(reader, root),
        health: health::read(reader, root),
        log: log(reader, root),
        slo: slo::read(reader, root),
        audit: audit::audit(reader, root),
        usage: audit::usage(reader, root),
        tenants: tenants::read(reader, root, &plans, &host.accounts),
        plans: plans.by_name.into_values().collect(),
    };
    let has_token = config.tenants.iter().any(|tenant| !tenant.tokens.is_empty());
    match (config.listen.tcp, config.listen.development) {
        (Some(address), true) if !address.ip().is_loopback() => {
            let why = "is not the loopback interface, and in development there is no token";
            let remedy = "write 127.0.0.1:7070, or switch development off and add a token";
            reader.mistake("listen.tcp", &address.to_string(), why, remedy);
        }
        (None, true) => {
            let remedy = "write tcp = \"127.0.0.1:7070\" in [listen], or switch it off";
            reader.mistake("listen.development", "true", "is about a TCP address, and there is none", remedy);
        }
        (_, true) if has_token => {
            let why = "lets every local user in: tokens would not be asked for";
            reader.mistake("listen.development", "true", why, "remove the tokens, or switch development off");
        }
        (Some(address), false) if !has_token => {
            let remedy = "run `engined token new` and add the line that it prints to a tenant";
            reader.mistake("listen.tcp", &address.to_string(), "needs a tenant with at least one token", remedy);
        }
        _ => {}
    }
    config
}

fn listen(reader: &mut Reader, root: &mut Table) -> Listen {
    let tcp_only = root.get("listen").is_some_and(|listen| listen.get("tcp").is_some());
    let mut s = reader.section(root, "listen", "Where callers come in.");
    let default = (!tcp_only).then_some(UNIX);
    let doc = "The Unix socket; callers are known by their user. Set by default unless tcp is.";
    let unix = s.parsed("unix", default, doc, absolute);
    let doc = "Its mode: who may connect at all. Who is served stands in the tenants.";
    let mode = s.parsed("unix_mode", Some("0660"), doc, mode);
    let doc = "The TCP address; callers are known by a token. There is no TLS: keep it behind a proxy or on a private network.";
    let tcp = s.parsed("tcp", None, doc, address);
    let metrics =
        s.parsed("metrics", None, "One more TCP address that serves /metrics to everybody who reaches it.", address);
    let doc = "Development: no token, loopback only, no calls from web pages. Every local user can run programs.";
    let development = s.flag("development", false, doc);
    s.end(&[]);
    Listen { unix: unix.zip(mode), tcp, metrics, development }
}

fn http(reader: &mut Reader, root: &mut Table) -> Http {
    let mut s = reader.section(root, "http", "Bounds of connections and messages.");
    let http = Http {
        body_bytes: s.number("body_bytes", 64 * MIB, KIB..=GIB, "The largest body."),
        body_bytes_per_second: s.number("body_bytes_per_second", KIB, 1..=GIB, "The least rate of a body."),
        header_bytes: count(s.number("header_bytes", 64 * KIB, 8 * KIB..=MIB, "All headers of a request together.")),
        headers: count(s.number("headers", 100, 16..=1000, "How many headers a request may have.")),
        header_timeout: s.millis("header_timeout_ms", 10_000, "How long the headers of a request may take."),
        idle_timeout: s.millis("idle_timeout_ms", 75_000, "How long a connection may stay open without a request."),
        write_timeout: s.millis("write_timeout_ms", 60_000, "How long a caller may leave its answer unread."),
        answer_bytes_per_second: s.number(
            "answer_bytes_per_second",
            32 * KIB,
            1..=GIB,
            "The least rate at which an answer is read; the time above comes on top.",
        ),
        connections: count(s.number("connections", 12_288, 1..=100_000, "Connections at once; more wait.")),
    };
    s.end(&[]);
    http
}

fn caps(reader: &mut Reader, root: &mut Table) -> Caps {
    let mut s = reader.section(root, "request", "Bounds of one request.");
    let caps = Caps {
        file_bytes: count(s.number("source_bytes", MIB, 1..=64 * MIB, "The largest source file.")),
        files: count(s.number("files", 256, 1..=10_000, "The most files.")),
        words_bytes: count(s.number("args_bytes", 128 * KIB, 1..=MIB, "Arguments and environment together.")),
    };
    s.end(&[]);
    caps
}

fn outputs(reader: &mut Reader, root: &mut Table, memory: u64) -> records::Caps {
    // As they come and twice in base64: a request for files that could never get the memory would always be shed.
    let room = memory / 4;
    let mut s = reader.section(root, "outputs", "The files that a request asks back: the most per run.");
    let files = s.number("files", OUTPUT_CAPS.files, 1..=4096, "How many.");
    let doc = "Of one; of a longer one the head comes back.";
    let file_bytes = s.number("file_bytes", OUTPUT_CAPS.file_bytes, 1..=GIB, doc);
    let doc = "Of all together: at most a quarter of engine_memory_bytes.";
    let total_bytes = s.number("total_bytes", OUTPUT_CAPS.total_bytes.min(room), 1..=room, doc);
    s.end(&[]);
    records::Caps { files, file_bytes, total_bytes }
}

fn engine(reader: &mut Reader, root: &mut Table, host: &Host) -> Engine {
    let mut s = reader.section(root, "engine", "What the engine itself may use.");
    let jaild = s.parsed("jaild_socket", Some(JAILD), "The socket of jaild.", absolute).unwrap_or_default();
    let doc = "A folder with manifests of your own, /etc/engined/languages where it exists. Give jaild the same (--languages).";
    let languages = s.parsed("languages", None, doc, absolute);
    let slots = s.optional("slots", 1..=4096, "Runs at once, where it shall be fewer than jaild has slots.").map(count);
    let doc =
        "Runs waiting at once; more get 503 queue_full. Of several tenants none has more than three quarters of them.";
    let queue_length = count(s.number("queue_length", 1000, 1..=1_000_000, doc));
    let queue_wait = s.millis("queue_wait_ms", 120_000, "How long a run may wait for its slot.");
    let doc = "Bodies, captured output, compiled programs and answers together; beyond it 503 memory_budget. Of several \
               tenants each may hold three times what it leaves free.";
    let memory = s.number("engine_memory_bytes", 512 * MIB, MIB..=1 << 40, doc);
    let doc = "The most that one compiled program may have, at most a quarter of engine_memory_bytes; beyond it compile_error.";
    let artifact = s.number("artifact_bytes", ARTIFACT_BYTES.min(memory / 4), 1..=memory / 4, doc);
    let doc = "Memory limits of all running sandboxes together. By default three quarters of the host's memory.";
    let sandbox_memory = s.number("sandbox_memory_bytes", host.memory / 4 * 3, 16 * MIB..=1 << 44, doc);
    let doc = "Where jaild keeps what it has made of toolchains ahead of time (--tuning), or \"off\".";
    let tuning = s.parsed("tuning", Some(languages::tuning::FOLDER), doc, tuning).flatten();
    let drain = s.millis("drain_ms", 30_000, "How long runs may go on after SIGTERM.");
    let doc = "Layers of engined's own confinement to go without when the host cannot have them.";
    let waived = s.list("waive_layers", doc, layer);
    s.end(&[]);
    Engine {
        jaild,
        languages,
        slots,
        queue_length,
        queue_wait,
        memory,
        artifact,
        sandbox_memory,
        tuning,
        drain,
        waived,
    }
}

fn cache(reader: &mut Reader, root: &mut Table) -> Cache {
    let doc = "The artifact cache: what a tenant has compiled is not compiled again for it.";
    let mut s = reader.section(root, "cache", doc);
    let enabled =
        s.flag("enabled", true, "Whether compiled programs are kept, and equal compiles under way are joined.");
    let doc = "The folder for them, for the engine's user alone. By default `artifacts` in $STATE_DIRECTORY; without one nothing is kept.";
    let folder = s.parsed("folder", None, doc, absolute);
    let doc = "How much of the disk they may take, each at most a 64th of it; the least recently used go first.";
    let bytes = s.number("bytes", GIB, MIB..=1 << 44, doc);
    s.end(&[]);
    Cache { enabled, folder, bytes, refused: false }
}

fn log(reader: &mut Reader, root: &mut Table) -> Log {
    let mut s = reader.section(root, "log", "Where to look when something is wrong.");
    let format = s.parsed("format", Some("human"), "human or json.", |text| match text {
        "human" => Ok(false),
        "json" => Ok(true),
        _ => Err(("is no format".to_owned(), "write human or json".to_owned())),
    });
    let level =
        s.parsed("level", Some("info"), "error, warn, info, debug or trace. RUST_LOG goes before it.", |text| {
            text.parse().map_err(|_| ("is no level".to_owned(), "write error, warn, info, debug or trace".to_owned()))
        });
    s.end(&[]);
    Log { json: format.unwrap_or(false), level: level.unwrap_or(tracing::Level::INFO) }
}

type Complaint = (String, String);

fn layer(text: &str) -> Result<Layer, Complaint> {
    let names = || Layer::ALL.map(Layer::name).join(", ");
    Layer::from_name(text)
        .ok_or_else(|| ("names no layer of the engine".to_owned(), format!("write one of {}", names())))
}

fn absolute(text: &str) -> Result<PathBuf, Complaint> {
    let path = Path::new(text);
    if path.is_absolute() && !text.contains('\0') {
        return Ok(path.to_owned());
    }
    Err(("is no absolute path".to_owned(), "begin it with a slash".to_owned()))
}

fn tuning(text: &str) -> Result<Option<PathBuf>, Complaint> {
    if text == "off" { Ok(None) } else { absolute(text).map(Some) }
}

fn address(text: &str) -> Result<SocketAddr, Complaint> {
    text.parse().map_err(|_| ("is no address with a port".to_owned(), "write it as in 127.0.0.1:7070".to_owned()))
}

fn mode(text: &str) -> Result<u32, Complaint> {
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| (0o600..=0o777).contains(mode));
    mode.ok_or_else(|| ("is no mode of a socket".to_owned(), "write it as in \"0660\"".to_owned()))
}

/// The ranges above fit every machine that this runs on.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
