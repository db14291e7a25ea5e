//! Callers who read their answers slowly: each byte buys time for the next, as for bodies, and who falls behind loses the
//! connection and frees the memory. Who keeps up is left alone, however long it takes.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::{Rig, TOKEN, wait_for};
use serde_json::json;

/// Far more than the kernel keeps for a connection.
const OUTPUT: usize = 15 << 20;

/// Callers come over the Unix socket, whose buffer does not grow: it takes something again soon after each read.
fn rig() -> Rig {
    let user = nix::unistd::getuid();
    let settings = format!(
        "[http]\nwrite_timeout_ms = 1000\nidle_timeout_ms = 1000\nanswer_bytes_per_second = 4000000\n\
         [tenants.t]\nallowed_users = [\"{user}\"]\ntokens = [\"HASH\"]\n"
    );
    Rig::with(2, &settings, &[])
}

fn flood() -> Vec<u8> {
    let source = format!("flood {OUTPUT}");
    json!({"language": "python", "source": source, "limits": {"output_bytes": OUTPUT}}).to_string().into_bytes()
}

/// Reads 64 KiB, waits, and so on, to the end or until the engine has given it up. How much came, and in what time.
fn read(rig: &Rig, pause: Duration) -> (usize, Duration) {
    let mut stream = UnixStream::connect(&rig.unix).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let body = flood();
    let head = format!(
        "POST /v1/executions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).unwrap();
    let mut chunk = vec![0; 64 << 10];
    let mut came = stream.read(&mut chunk).unwrap();
    let begun = Instant::now();
    loop {
        match stream.read(&mut chunk) {
            // Closed, or reset with what was under way.
            Ok(0) | Err(_) => return (came, begun.elapsed()),
            Ok(read) => came += read,
        }
        std::thread::sleep(pause);
        if rig.engine.memory.used() == 0 && came < OUTPUT / 2 {
            return (came, begun.elapsed());
        }
    }
}

#[test]
fn who_reads_too_slowly_frees_the_memory() {
    let rig = rig();
    // A third of the rate at most, and yet the socket takes more several times a second.
    let (came, took) = read(&rig, Duration::from_millis(50));
    assert!(came < OUTPUT / 2, "{came} in {took:?}");
    assert!(took >= Duration::from_millis(1000), "{came} in {took:?}");
    assert_eq!(rig.engine.memory.used(), 0);
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}

#[test]
fn who_keeps_up_gets_all_of_it() {
    let rig = rig();
    // Longer than a caller may read nothing, and than a connection may be idle.
    let (came, took) = read(&rig, Duration::from_millis(5));
    assert!(came > OUTPUT, "{came} in {took:?}");
    assert!(took >= Duration::from_millis(1000), "{took:?} is too short to show anything");
}

#[test]
fn a_window_that_stays_shut_is_no_way_around_it() {
    let rig = rig();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(rig.address).await.unwrap();
        let (mut client, connection) =
            h2::client::Builder::new().initial_window_size(4096).handshake(stream).await.unwrap();
        // It answers the engine's pings for as long as the connection is there.
        tokio::spawn(async move { drop(connection.await) });
        let request = hyper::Request::post("http://localhost/v1/executions")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json");
        client = client.ready().await.unwrap();
        let (response, mut body) = client.send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data(hyper::body::Bytes::from(flood()), true).unwrap();
        let unread = response.await.unwrap();
        assert_eq!(unread.status(), 200);
        let held = rig.engine.memory.used();
        assert!(held >= OUTPUT as u64, "{held}");
        // Others on the same connection keep it from being idle.
        let begun = Instant::now();
        while rig.engine.memory.used() > 0 {
            assert!(begun.elapsed() < Duration::from_secs(20), "still held");
            if let Ok(mut client) = client.clone().ready().await {
                let request = hyper::Request::get("http://localhost/healthz").body(()).unwrap();
                if let Ok((answer, _)) = client.send_request(request, true) {
                    drop(answer.await);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(unread);
    });
    wait_for(|| rig.engine.memory.used() == 0);
    assert_eq!(rig.run("say fine")["verdict"], "ok");
}
