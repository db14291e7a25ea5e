//! Callers who read their answers slowly: each byte buys time for the next, as for bodies, and who falls behind loses the
//! connection and frees the memory. Who keeps up is left alone, however long it takes.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::{PATIENCE, Rig, TOKEN, wait_for};
use h2::client::{ResponseFuture, SendRequest};
use hyper::body::Bytes;
use serde_json::json;

/// Far more than the kernel keeps for a connection.
const OUTPUT: usize = 15 << 20;

/// Callers come over the Unix socket, whose buffer does not grow: it takes something again soon after each read.
fn rig(rate: u64) -> Rig {
    patient(1000, rate)
}

fn patient(write_timeout: u64, rate: u64) -> Rig {
    let user = nix::unistd::getuid();
    let settings = format!(
        "[http]\nwrite_timeout_ms = {write_timeout}\nidle_timeout_ms = 1000\nanswer_bytes_per_second = {rate}\n\
         [tenants.t]\nallowed_users = [\"{user}\"]\ntokens = [\"HASH\"]\n"
    );
    Rig::with(2, &settings, &[])
}

fn flood() -> Vec<u8> {
    let source = format!("flood {OUTPUT}");
    json!({"language": "python", "source": source, "limits": {"output_bytes": OUTPUT}}).to_string().into_bytes()
}

/// What came to somebody who reads.
#[derive(Debug)]
struct Came {
    bytes: usize,
    /// From the request to the end.
    took: Duration,
    /// The longest time from one read to the next.
    gap: Duration,
}

/// Reads 64 KiB, waits, and so on, to the end or until the engine has given it up.
fn read(rig: &Rig, pause: Duration) -> Came {
    let mut stream = UnixStream::connect(&rig.unix).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = flood();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap();
    let begun = Instant::now();
    let mut chunk = vec![0; 64 << 10];
    let mut came = Came { bytes: stream.read(&mut chunk).unwrap(), took: Duration::ZERO, gap: Duration::ZERO };
    let mut last = Instant::now();
    loop {
        let read = stream.read(&mut chunk);
        (came.took, came.gap, last) = (begun.elapsed(), came.gap.max(last.elapsed()), Instant::now());
        match read {
            // Closed, or reset with what was under way.
            Ok(0) | Err(_) => return came,
            Ok(read) => came.bytes += read,
        }
        std::thread::sleep(pause);
        if rig.engine.memory.used() == 0 && came.bytes < OUTPUT / 2 {
            return Came { took: begun.elapsed(), ..came };
        }
    }
}

#[test]
fn who_reads_too_slowly_frees_the_memory() {
    let rig = rig(4_000_000);
    // A third of the rate at most, and yet the socket takes more several times a second.
    let came = read(&rig, Duration::from_millis(50));
    assert!(came.bytes < OUTPUT / 2, "{came:?}");
    assert!(came.took >= Duration::from_millis(1000), "{came:?}");
    wait_for(|| rig.engine.memory.used() == 0);
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}

#[test]
fn who_keeps_up_gets_all_of_it() {
    let rig = rig(400_000);
    // Longer than a caller may read nothing, and than a connection may be idle. Whom a busy machine keeps from reading
    // has not kept up, and tries again.
    let kept_up = |came: &Came| came.gap < Duration::from_millis(500);
    let came = (0..100).map(|_| read(&rig, Duration::from_millis(5))).find(kept_up).unwrap();
    assert!(came.bytes > OUTPUT, "{came:?}");
    assert!(came.took >= Duration::from_millis(1000), "{came:?} is too short to show anything");
}

/// Over HTTP/2, with room for `window` bytes of the answer.
async fn post(rig: &Rig, window: u32, body: Vec<u8>) -> (SendRequest<Bytes>, ResponseFuture) {
    let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
    let (client, connection) = h2::client::Builder::new().initial_window_size(window).handshake(stream).await.unwrap();
    // It answers the engine's pings for as long as the connection is there.
    tokio::spawn(async move { drop(connection.await) });
    let request = hyper::Request::post("http://localhost/v1/executions")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json");
    let mut client = client.ready().await.unwrap();
    let (response, mut sent) = client.send_request(request.body(()).unwrap(), false).unwrap();
    sent.send_data(Bytes::from(body), true).unwrap();
    (client, response)
}

#[test]
fn an_unread_answer_keeps_no_program() {
    // It stays unread for as long as the test may take.
    let rig = patient(600_000, 1);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for megabytes in [1, 8] {
        // A program is its source here.
        let program = megabytes * 1_000_000;
        let pad = |n| json!({"path": format!("pad{n}.c"), "content": "#".repeat(1_000_000)});
        let main = json!({"path": "main.c", "content": "gate\nsay fine\n"});
        let files: Vec<_> = std::iter::once(main).chain((0..megabytes).map(pad)).collect();
        let request = json!({"language": "c", "files": files}).to_string().into_bytes();
        rig.fake.seen.open.store(false, Ordering::SeqCst);
        let before = rig.engine.memory.used();
        let (client, unread) = runtime.block_on(async {
            let (client, response) = post(&rig, 0, request).await;
            // With its request, while it runs.
            wait_for(|| rig.engine.memory.used() > before + 2 * program);
            rig.fake.seen.open.store(true, Ordering::SeqCst);
            (client, response.await.unwrap())
        });
        assert_eq!(unread.status(), 200);
        wait_for(|| rig.engine.memory.used() < before + program / 2);
        assert!(rig.engine.memory.used() > before, "the answer is held");
        drop((client, unread));
        wait_for(|| rig.engine.memory.used() == 0);
    }
}

#[test]
fn a_window_that_stays_shut_is_no_way_around_it() {
    let rig = rig(4_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, response) = post(&rig, 4096, flood()).await;
        // What it holds of the answer, from before there is one to after it was given up.
        let (engine, over) = (std::sync::Arc::clone(&rig.engine), std::sync::Arc::new(AtomicBool::new(false)));
        let ended = std::sync::Arc::clone(&over);
        let most = std::thread::spawn(move || {
            let mut most = 0;
            while !ended.load(Ordering::SeqCst) {
                most = engine.memory.used().max(most);
                std::thread::sleep(Duration::from_millis(1));
            }
            most
        });
        let unread = response.await.unwrap();
        assert_eq!(unread.status(), 200);
        // Others on the same connection keep it from being idle.
        let begun = Instant::now();
        let mut seen = 0;
        loop {
            // Here as well: the thread that looks may be held up.
            let held = rig.engine.memory.used();
            seen = held.max(seen);
            if held == 0 {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "still held");
            if let Ok(mut client) = client.clone().ready().await {
                let request = hyper::Request::get("http://localhost/healthz").body(()).unwrap();
                if let Ok((answer, _)) = client.send_request(request, true) {
                    drop(answer.await);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(unread);
        over.store(true, Ordering::SeqCst);
        let most = most.join().unwrap().max(seen);
        assert!(most >= OUTPUT as u64, "{most}");
    });
    wait_for(|| rig.engine.memory.used() == 0);
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}
