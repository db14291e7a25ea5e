//! Where callers come in: sockets that somebody holds for us, or our own.
//!
//! systemd (`engined.socket`) binds a socket once and passes it on to each engine in turn (`LISTEN_FDS`, see
//! `sd_listen_fds(3)`). While none runs, connections wait in the kernel's queue for the next one, and nobody is refused.
//! Such a socket is not ours to remove. Without one engined binds by itself what `[listen]` says.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use nix::sys::socket::sockopt::AcceptConn;
use nix::sys::socket::{Backlog, getsockopt, listen};

use crate::config::Config;
use crate::http::Bound;

/// Connections that wait to be accepted; the kernel allows as many by default.
const BACKLOG: i32 = 4096;
/// The `FileDescriptorName=` of the socket for `/metrics`. All others are for callers, whatever their name.
const METRICS: &str = "metrics";

/// What to do where an address can't be had.
pub const TAKEN: &str = "stop who listens there (ss -ltnp), or choose another port";

/// A place where callers come in.
#[derive(Debug)]
pub struct Door {
    /// The socket.
    pub bound: Bound,
    /// Somebody else holds it as well, and whoever comes when we are gone waits there.
    pub held: bool,
}

/// Takes what was passed to us, and binds the rest of what the configuration says. What was passed stands for what it
/// says: it is taken out of `config`.
///
/// # Errors
/// Everything that can't be had, and what to do about it.
pub fn open(config: &mut Config, supervisors: Option<RawFd>) -> Result<Vec<Door>, Vec<String>> {
    let (mut doors, mut troubles) = passed(config);
    if let Some(number) = supervisors {
        // It starts nobody after us but when we crash: until the end, whoever comes is ours to answer.
        match one(config, number, "callers") {
            Ok(bound) => doors.push(Door { bound, held: false }),
            Err(trouble) => troubles.push(trouble),
        }
    }
    let kinds = |doors: &[Door]| {
        let any = |kind: fn(&Bound) -> bool| doors.iter().any(|door| kind(&door.bound));
        (
            any(|bound| matches!(bound, Bound::Unix(_))),
            any(|bound| matches!(bound, Bound::Tcp(_))),
            any(|bound| matches!(bound, Bound::Metrics(_))),
        )
    };
    let (unix, tcp, metrics) = kinds(&doors);
    if !doors.is_empty() {
        tracing::info!(unix, tcp, metrics, "sockets taken over");
    }
    let listen = &mut config.listen;
    // It is somebody else's to remove, and to choose.
    listen.unix = listen.unix.take().filter(|_| !unix);
    listen.tcp = listen.tcp.filter(|_| !tcp);
    listen.metrics = listen.metrics.filter(|_| !metrics);
    let (own, more) = bind(config);
    doors.extend(own.into_iter().map(|bound| Door { bound, held: false }));
    troubles.extend(more);
    if troubles.is_empty() { Ok(doors) } else { Err(troubles) }
}

fn passed(config: &Config) -> (Vec<Door>, Vec<String>) {
    let (mut doors, mut troubles) = (Vec::new(), Vec::new());
    let sockets = match sd_notify::listen_fds_with_names() {
        Ok(sockets) => sockets,
        Err(error) => return (doors, vec![format!("LISTEN_FDS: {error}; start engined by systemd/engined.service")]),
    };
    for (number, name) in sockets {
        match one(config, number, &name) {
            Ok(bound) => doors.push(Door { bound, held: true }),
            Err(trouble) => troubles.push(trouble),
        }
    }
    (doors, troubles)
}

fn one(config: &Config, number: RawFd, name: &str) -> Result<Bound, String> {
    let bound = jail::sys::inherit(number).map_err(|error| error.to_string()).and_then(|fd| take(fd, name));
    let bound = bound.and_then(|bound| allowed(config, bound));
    bound.map_err(|why| format!("the socket {name:?} that was passed as descriptor {number}: {why}"))
}

/// Makes of a descriptor what it is.
fn take(fd: OwnedFd, name: &str) -> Result<Bound, String> {
    let remedy = "write ListenStream= with a path or an address, without Accept=yes";
    let listens = getsockopt(&fd, AcceptConn).map_err(|error| format!("is no socket ({error}); {remedy}"))?;
    if !listens {
        return Err(format!("is not listened on; {remedy}"));
    }
    let unix = UnixListener::from(fd);
    // It asks for the address, which only one of its kind has.
    let bound = if unix.local_addr().is_ok() {
        unix.set_nonblocking(true).map(|()| Bound::Unix(unix))
    } else {
        let tcp = TcpListener::from(OwnedFd::from(unix));
        tcp.local_addr().map_err(|error| format!("is neither Unix nor TCP ({error}); {remedy}"))?;
        let kind = if name == METRICS { Bound::Metrics } else { Bound::Tcp };
        tcp.set_nonblocking(true).map(|()| kind(tcp))
    };
    bound.map_err(|error| error.to_string())
}

/// The rules of `[listen]` hold for what was passed too.
fn allowed(config: &Config, bound: Bound) -> Result<Bound, String> {
    let Bound::Tcp(tcp) = &bound else { return Ok(bound) };
    let address = tcp.local_addr().map_err(|error| error.to_string())?;
    if config.listen.development && !address.ip().is_loopback() {
        let why = "is not the loopback interface, and in development there is no token";
        return Err(format!("{address} {why}; switch listen.development off and add a token"));
    }
    if !config.listen.development && config.tenants.iter().all(|tenant| tenant.tokens.is_empty()) {
        let remedy = "run `engined token new` and add the line that it prints to a tenant";
        return Err(format!("{address} needs a tenant with at least one token; {remedy}"));
    }
    Ok(bound)
}

fn bind(config: &Config) -> (Vec<Bound>, Vec<String>) {
    let (mut listeners, mut troubles) = (Vec::new(), Vec::new());
    let asked = &config.listen;
    if let Some((path, mode)) = &asked.unix {
        match Bound::unix(path, *mode) {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                let remedy =
                    "stop who listens there, or give its folder to the user that serves (systemd/engined.service does)";
                troubles.push(format!("listen.unix = {path:?}: {error}; {remedy}"));
            }
        }
    }
    let addresses =
        [("tcp", asked.tcp, Bound::Tcp as fn(TcpListener) -> Bound), ("metrics", asked.metrics, Bound::Metrics)];
    for (field, address, kind) in addresses {
        let Some(address) = address else { continue };
        match listen_on(address) {
            Ok(listener) => listeners.push(kind(listener)),
            Err(error) => troubles.push(format!("listen.{field} = \"{address}\": {error}; {TAKEN}")),
        }
    }
    (listeners, troubles)
}

/// With room for a crowd that comes at once: who finds none tries again a second later.
///
/// # Errors
/// That of binding it; what to do about it is [`TAKEN`].
pub fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listen(&listener.as_fd(), Backlog::new(BACKLOG)?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::accounts::Accounts;
    use crate::config::Host;

    fn config(text: &str) -> Config {
        let host = Host { accounts: Accounts::of_host(), memory: 1 << 30, cpus: 2 };
        Config::parse(text, &host).unwrap().0
    }

    fn tcp() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    #[test]
    fn a_descriptor_becomes_what_it_is() {
        assert!(matches!(take(tcp().into(), "tcp"), Ok(Bound::Tcp(_))));
        assert!(matches!(take(tcp().into(), "metrics"), Ok(Bound::Metrics(_))));
        let path = std::env::temp_dir().join(format!("engined-door-{}", std::process::id()));
        let unix = UnixListener::bind(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(take(unix.into(), "metrics"), Ok(Bound::Unix(_))));
        let listener = tcp();
        let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for (fd, word) in [
            (OwnedFd::from(connected), "not listened on"),
            (UnixDatagram::unbound().unwrap().into(), "not listened on"),
            (std::fs::File::open("/dev/null").unwrap().into(), "no socket"),
        ] {
            let why = take(fd, "tcp").unwrap_err();
            assert!(why.contains(word) && why.contains("ListenStream="), "{why}");
        }
    }

    #[test]
    fn what_was_passed_is_not_let_in_by_the_way() {
        let hash = "0".repeat(64);
        let nobody = config("[listen]\nunix = \"/run/x.sock\"\n");
        let why = allowed(&nobody, Bound::Tcp(tcp())).unwrap_err();
        assert!(why.contains("token"), "{why}");
        assert!(allowed(&nobody, Bound::Metrics(tcp())).is_ok());
        let token = config(&format!("[tenants.t]\ntokens = [\"{hash}\"]\n"));
        assert!(allowed(&token, Bound::Tcp(tcp())).is_ok());
        let open = config("[listen]\ntcp = \"127.0.0.1:0\"\ndevelopment = true\n");
        assert!(allowed(&open, Bound::Tcp(tcp())).is_ok());
        let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
        assert!(allowed(&open, Bound::Tcp(everywhere)).unwrap_err().contains("loopback"));
    }
}
