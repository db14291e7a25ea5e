//! Clients that are slow, in all three ways, and one that never reads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
use serde_json::{Value, json};

use crate::common::live::live;
use crate::rig::{Rig, allowed};

const EACH: usize = 334;

/// A connection with few bytes of room for what comes, on which this has been said.
fn client(rig: &Rig, said: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&rig.up.address).unwrap();
    setsockopt(&stream.as_fd(), RcvBuf, &4096).unwrap();
    stream.write_all(said.as_bytes()).unwrap();
    stream.set_nonblocking(true).unwrap();
    stream
}

/// Hellos, while the crowd is there, are as quick as they can be on this host. Not while it arrives and is given what
/// its sockets hold, which is work.
fn hellos(rig: &Rig, alone: Duration) {
    rig.until("the crowd has come", || {
        let since = Instant::now();
        rig.hello() && since.elapsed() <= allowed(alone)
    });
    // A busy host holds up one or the other: those that are quick are counted, and the others.
    let (mut quick, mut slow) = (0, Vec::new());
    while quick < 5 {
        let since = Instant::now();
        assert!(rig.hello(), "{}", rig.log());
        let (took, most) = (since.elapsed(), allowed(alone));
        if took <= most {
            quick += 1;
        } else {
            slow.push(took);
            assert!(slow.len() < 10, "hellos among slow clients took {slow:?}, more than {most:?}");
        }
    }
}

/// How many executions are over.
fn over(rig: &Rig) -> usize {
    let text = rig.up.call("GET", "/metrics", &Value::Null).unwrap().text();
    let counts = text.lines().filter(|line| line.starts_with("engined_executions_total{"));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}

/// What the engine holds for bodies, output and results.
fn held(rig: &Rig) -> u64 {
    let text = rig.up.call("GET", "/metrics", &Value::Null).unwrap().text();
    let line = text.lines().find_map(|line| line.strip_prefix("engined_memory_reserved_bytes "));
    line.unwrap_or_else(|| panic!("no such gauge:\n{text}")).parse().unwrap()
}

/// Says that it is over, also when a test fails: threads that wait for the word must end.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_thousand_slow_clients() {
    if !live() {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let rig = Rig::start();
    let since = Instant::now();
    assert!(rig.hello());
    let alone = since.elapsed();
    let post = "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\n";
    let body = format!("{post}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{{\"language\": \"");
    let document = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50);
    let mut writers: Vec<TcpStream> = (0..EACH).map(|_| client(&rig, &format!("{post}X-Slow: "))).collect();
    writers.extend((0..EACH).map(|_| client(&rig, &body)));
    let mut readers: Vec<TcpStream> = (0..EACH).map(|_| client(&rig, &document)).collect();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = Sets(&over);
        scope.spawn(|| {
            // A byte now and then: each of them is alive. Those that the engine has had enough of are refused.
            while !over.load(Ordering::Relaxed) {
                writers.iter_mut().for_each(|stream| drop(stream.write(b"x")));
                readers.iter_mut().for_each(|stream| drop(stream.read(&mut [0])));
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        hellos(&rig, alone);
    });
    drop((writers, readers));
    rig.recovers("a thousand slow clients", Instant::now(), &[]);
    // What the last hello held goes a little after its answer.
    rig.until("their memory", || held(&rig) == 0);
    rig.stop();
}

#[test]
fn clients_that_never_read() {
    if !live() {
        return;
    }
    let rig = Rig::start();
    let since = Instant::now();
    assert!(rig.hello());
    let alone = since.elapsed();
    let source = "import sys\nsys.stdout.write('y' * (4 << 20))";
    let request = json!({"language": "python", "source": source, "limits": {"output_bytes": 4 << 20}}).to_string();
    let said = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{request}",
        request.len()
    );
    let crowd: Vec<TcpStream> = (0..4).map(|_| client(&rig, &said)).collect();
    rig.until("their results", || over(&rig) > crowd.len());
    assert!(held(&rig) > 0, "their answers are held");
    hellos(&rig, alone);
    drop(crowd);
    rig.recovers("clients that never read", Instant::now(), &[]);
    rig.until("their memory", || held(&rig) == 0);
    rig.stop();
}
