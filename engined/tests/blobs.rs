//! Data that is sent once: a confined engine as a process of its own before a fake jaild, and the real thing where it can
//! be had. Not as root no account is taken, and what needs a mount is skipped aloud.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;
#[path = "blobs/http2.rs"]
mod http2;
#[allow(dead_code, reason = "shared with the tests of the audit")]
#[path = "audit/place.rs"]
mod place;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use common::live::{Up, live};
use common::{PATIENCE, Reply, wait_for};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Engine, Place, TENANTS, account};
use serde_json::{Value, json};
use sha2::Digest;

const BLUE: &str = TENANTS[0];
const GREEN: &str = TENANTS[1];
const BYTES: &str = "Content-Type: application/octet-stream\r\n";

fn name(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An upload that has begun, and the connection that it comes on.
fn begin(address: &str, token: &str, name: &str, headers: &str) -> TcpStream {
    begin_with(address, token, name, headers, b"")
}

/// The same with its first bytes, in one piece with the head: between two an engine with little patience may have had
/// enough.
fn begin_with(address: &str, token: &str, name: &str, headers: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "PUT /v1/blobs/{name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n{headers}\r\n"
    );
    // One that is refused is not read to its end.
    stream.write_all(&[head.as_bytes(), bytes].concat()).unwrap_or_default();
    stream
}

/// The answer, and whether it is one of the contract's.
fn answer(stream: &mut TcpStream) -> Reply {
    let reply = Reply::read(stream).expect("an answer");
    reply.conforms("PUT", "/v1/blobs/x");
    reply
}

fn put_as(address: &str, token: &str, name: &str, bytes: &[u8]) -> Reply {
    answer(&mut begin_with(address, token, name, &format!("{BYTES}Content-Length: {}\r\n", bytes.len()), bytes))
}

fn put(engine: &Engine, bytes: &[u8]) -> u16 {
    put_as(&engine.address, BLUE, &name(bytes), bytes).status
}

/// Head and body of an answer: that to HEAD has the length of another.
fn ask(address: &str, token: &str, method: &str, name: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "{method} /v1/blobs/{name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let end = all.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(all[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, all[end + 4..].to_vec())
}

fn status(engine: &Engine, token: &str, method: &str, bytes: &[u8]) -> u16 {
    ask(&engine.address, token, method, &name(bytes)).0
}

fn fed(name: &str) -> Value {
    json!({"language": "python", "source": "cat", "stdin": {"blob": format!("sha256:{name}")}})
}

fn run(engine: &Engine, token: &str, request: &Value) -> Reply {
    let headers = format!("Authorization: Bearer {token}\r\n");
    place::call(&engine.address, "POST", "/v1/executions", &headers, &request.to_string()).unwrap()
}

fn unfinished(place: &Place) -> usize {
    fs::read_dir(place.path("state/blobs/unfinished")).unwrap().count()
}

#[test]
fn what_is_sent_once_is_used_by_its_tenant_until_it_is_deleted() {
    let place = Place::new("");
    let engine = place.start();
    let data = "äö\n".repeat(50_000).into_bytes();
    let name = name(&data);
    assert_eq!(run(&engine, BLUE, &fed(&name)).problem(422, "unknown_blob")["field"], "/stdin/blob");
    assert_eq!((put(&engine, &data), put(&engine, &data)), (201, 200));
    let (status_of_head, head, body) = ask(&engine.address, BLUE, "HEAD", &name);
    assert!(status_of_head == 200 && body.is_empty(), "{head}");
    assert!(head.to_ascii_lowercase().contains(&format!("content-length: {}", data.len())), "{head}");
    let (_, head, body) = ask(&engine.address, BLUE, "GET", &name);
    assert!(body == data && head.to_ascii_lowercase().contains("application/octet-stream"), "{head}");
    for _ in 0..3 {
        let result = run(&engine, BLUE, &fed(&name)).json();
        assert_eq!(result["run"]["stdout"]["text"].as_str().unwrap().as_bytes(), data);
    }
    // Nobody else's.
    for method in ["GET", "HEAD", "DELETE"] {
        assert_eq!(status(&engine, GREEN, method, &data), 404, "{method}");
    }
    run(&engine, GREEN, &fed(&name)).problem(422, "unknown_blob");
    assert_eq!(engine.metric("engined_blobs"), 1);
    assert_eq!(engine.metric("engined_blob_bytes"), (data.len() as u64).next_multiple_of(4096));
    engine.stop();
    let engine = place.start();
    // They are counted behind the start.
    wait_for(|| engine.metric("engined_blobs") == 1);
    assert_eq!(status(&engine, BLUE, "GET", &data), 200);
    assert_eq!((status(&engine, BLUE, "DELETE", &data), status(&engine, BLUE, "DELETE", &data)), (204, 404));
    assert_eq!((status(&engine, BLUE, "GET", &data), engine.metric("engined_blob_bytes")), (404, 0));
    run(&engine, BLUE, &fed(&name)).problem(422, "unknown_blob");
    // What has nothing in it is a blob as well.
    assert_eq!(put(&engine, b""), 201);
    assert_eq!(ask(&engine.address, BLUE, "GET", &self::name(b"")).2, b"");
    assert_eq!(run(&engine, BLUE, &fed(&self::name(b""))).json()["run"]["stdout"]["bytes"], 0);
    engine.stop();
}

#[test]
fn what_is_wrong_is_told_and_leaves_nothing_behind() {
    let place = Place::new(
        "[http]\nheader_timeout_ms = 400\nbody_bytes_per_second = 1000000\n[blobs]\nblob_most_bytes = 1048576\n\
         [plans.default]\nblob_bytes = 524288\n",
    );
    let engine = place.start();
    let (data, wrong) = (b"three".to_vec(), name(b"four"));
    let detail = put_as(&engine.address, BLUE, &wrong, &data).problem(400, "invalid_request");
    let detail = detail["detail"].as_str().unwrap();
    assert!(detail.contains(&wrong) && detail.contains(&name(&data)), "{detail}");
    for bad in ["abc", &name(&data).to_uppercase(), &format!("{}0", name(&data))] {
        let problem = put_as(&engine.address, BLUE, bad, &data).problem(400, "invalid_request");
        assert!(problem["detail"].as_str().unwrap().contains("64 hexadecimal digits"), "{problem}");
        assert_eq!(ask(&engine.address, BLUE, "GET", bad).0, 400);
    }
    for kind in ["", "Content-Type: application/json\r\n", &format!("{BYTES}Content-Encoding: gzip\r\n")] {
        let mut stream = begin(&engine.address, BLUE, &name(&data), &format!("{kind}Content-Length: 5\r\n"));
        stream.write_all(&data).unwrap();
        answer(&mut stream).problem(415, "unsupported_media_type");
    }
    // Too large, or above the quota: told before anything of it was read, or as soon as it shows.
    for (length, status, code) in [(1_048_577, 413, "body_too_large"), (524_289, 429, "quota_exceeded")] {
        let mut stream = begin(&engine.address, BLUE, &wrong, &format!("{BYTES}Content-Length: {length}\r\n"));
        answer(&mut stream).problem(status, code);
    }
    let mut stream = begin(&engine.address, BLUE, &wrong, &format!("{BYTES}Transfer-Encoding: chunked\r\n"));
    let piece = [&b"10000\r\n"[..], &[7; 65_536], b"\r\n"].concat();
    while stream.write_all(&piece).is_ok() {}
    // Connection and answer may meet.
    drop(stream);
    // Cut off, and too slow.
    let headers = format!("{BYTES}Content-Length: 100000\r\n");
    wait_for(|| {
        // Seen before it is too slow, by a test that may be held up.
        let stream = begin_with(&engine.address, BLUE, &name(&data), &headers, &[1; 70_000]);
        let seen = (0..1000).any(|_| unfinished(&place) == 1);
        drop(stream);
        wait_for(|| unfinished(&place) == 0);
        seen
    });
    answer(&mut begin_with(&engine.address, BLUE, &name(&data), &headers, b"and then")).problem(408, "request_timeout");
    wait_for(|| unfinished(&place) == 0);
    wait_for(|| engine.metric("engined_blob_uploads") == 0);
    assert_eq!(engine.metric("engined_blobs"), 0);
    // All of the quota is there, a little after the file has gone. A test that is held up is too slow as well.
    wait_for(|| match put(&engine, &vec![5; 524_288]) {
        408 | 429 => false,
        status => {
            assert_eq!(status, 201);
            true
        }
    });
    let full = put_as(&engine.address, BLUE, &name(&data), &data).problem(429, "quota_exceeded");
    assert!(full["detail"].as_str().unwrap().contains("524288 of the 524288"), "{full}");
    assert_eq!(put_as(&engine.address, GREEN, &name(&data), &data).status, 201, "another's quota is another's");
    engine.stop();
}

#[test]
fn two_who_send_the_same_at_once_have_it_once() {
    let place = Place::new("");
    let engine = place.start();
    let data: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    let headers = format!("{BYTES}Content-Length: {}\r\n", data.len());
    let mut streams = [(); 2].map(|()| begin(&engine.address, BLUE, &name(&data), &headers));
    for stream in &mut streams {
        stream.write_all(&data[..200_000]).unwrap();
    }
    wait_for(|| unfinished(&place) == 2);
    assert_eq!((status(&engine, BLUE, "GET", &data), engine.metric("engined_blob_uploads")), (404, 2));
    let mut told: Vec<u16> = streams
        .iter_mut()
        .map(|stream| {
            stream.write_all(&data[200_000..]).unwrap();
            answer(stream).status
        })
        .collect();
    told.sort_unstable();
    assert_eq!(told, [200, 201]);
    assert_eq!(engine.metric("engined_blobs"), 1);
    // The file that was sent needlessly goes behind the answer.
    wait_for(|| unfinished(&place) == 0);
    assert!(ask(&engine.address, BLUE, "GET", &name(&data)).2 == data);
    engine.stop();
}

#[test]
fn a_place_comes_free_or_others_are_told_to_come_again() {
    let place = Place::new("[http]\nheader_timeout_ms = 300\nbody_bytes_per_second = 1\n[blobs]\nuploads = 2\n");
    let engine = place.start();
    let headers = format!("{BYTES}Content-Length: 400\r\n");
    let hold = |token: &str| begin_with(&engine.address, token, &name(b"held"), &headers, &[1; 300]);
    let blues = hold(BLUE);
    wait_for(|| unfinished(&place) == 1);
    let refused = put_as(&engine.address, BLUE, &name(b"x"), b"x");
    assert!(refused.header("retry-after").is_some());
    refused.problem(429, "quota_exceeded");
    let greens = hold(GREEN);
    wait_for(|| unfinished(&place) == 2);
    put_as(&engine.address, "operator", &name(b"x"), b"x").problem(503, "queue_full");
    drop((blues, greens));
    wait_for(|| unfinished(&place) == 0);
    // The places come free a little after the files have gone.
    wait_for(|| match put(&engine, b"x") {
        429 | 503 => false,
        status => {
            assert_eq!(status, 201);
            true
        }
    });
    engine.stop();
}

#[test]
fn a_killed_engine_leaves_what_was_whole_and_nothing_else() {
    let place = Place::new("");
    let mut engine = place.start();
    let (whole, half) = (vec![1; 100_000], vec![2; 3_000_000]);
    assert_eq!(put(&engine, &whole), 201);
    let headers = format!("{BYTES}Content-Length: {}\r\n", half.len());
    let mut stream = begin(&engine.address, BLUE, &name(&half), &headers);
    stream.write_all(&half[..2_999_999]).unwrap();
    wait_for(|| unfinished(&place) == 1);
    engine.signal(Signal::SIGKILL);
    engine.child.wait().unwrap();
    drop(engine);
    assert_eq!(unfinished(&place), 1, "it had no time");
    let engine = place.start();
    assert_eq!(unfinished(&place), 0);
    assert_eq!((status(&engine, BLUE, "GET", &whole), status(&engine, BLUE, "GET", &half)), (200, 404));
    wait_for(|| engine.metric("engined_blobs") == 1);
    assert_eq!(engine.metric("engined_blob_bytes"), 102_400);
    assert_eq!(put(&engine, &half), 201);
    engine.stop();
}

#[test]
fn a_full_disk_takes_no_blob_and_keeps_those_that_it_has() {
    let Some((uid, gid)) = account() else {
        eprintln!("SKIPPED: not root");
        assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden");
        return;
    };
    let place = Place::new("[health]\ndisk_free_bytes = 1\n[blobs]\nfolder = \"FULL/blobs\"\n");
    let full = place.path("full");
    fs::create_dir(&full).unwrap();
    let config = fs::read_to_string(place.path("engined.toml")).unwrap();
    fs::write(place.path("engined.toml"), config.replace("FULL", full.to_str().unwrap())).unwrap();
    let mount =
        format!("mount -t tmpfs -o size=2m,mode=700,uid={uid},gid={gid} none {} && exec \"$@\"", full.display());
    let engine = place.started_by(&["unshare", "--mount", "sh", "-c", &mount, "sh"]);
    let seen = PathBuf::from(format!("/proc/{}/root{}/blobs/unfinished", engine.child.id(), full.display()));
    let left = || fs::read_dir(&seen).unwrap().count();
    let (small, large) = (vec![1; 1 << 20], vec![2; 3 << 20]);
    assert_eq!(put(&engine, &small), 201);
    // Announced, and coming as it comes.
    put_as(&engine.address, BLUE, &name(&large), &large).problem(503, "store_full");
    let mut stream = begin(&engine.address, BLUE, &name(&large), &format!("{BYTES}Transfer-Encoding: chunked\r\n"));
    let piece = [&b"100000\r\n"[..], &large[..1 << 20], b"\r\n"].concat();
    stream.write_all(&piece).unwrap();
    stream.write_all(&piece).unwrap_or_default();
    answer(&mut stream).problem(503, "store_full");
    wait_for(|| left() == 0);
    assert!(ask(&engine.address, BLUE, "GET", &name(&small)).2 == small);
    assert_eq!((put(&engine, &vec![3; 1 << 19]), engine.metric("engined_blobs")), (201, 2));
    assert_eq!(status(&engine, BLUE, "DELETE", &small), 204);
    assert_eq!(put(&engine, &vec![4; 1 << 20]), 201, "there is room again");
    engine.stop();
}

#[test]
fn what_a_batch_refers_to_stays_as_long_as_the_batch() {
    let place = Place::new("");
    let engine = place.start();
    let (data, other) = (b"1 2 3\n".repeat(40_000), b"4 5 6\n".to_vec());
    let blob = |bytes: &[u8]| json!({"blob": format!("sha256:{}", name(bytes))});
    let request = json!({
        "submissions": [{"id": "s", "language": "python", "source": "cat"}],
        "tests": [
            {"id": "same", "stdin": blob(&data), "expected": blob(&data)},
            {"id": "other", "stdin": blob(&other), "expected": blob(&data)},
            // Too long to be kept beside the batch: another blob of the tenant.
            {"id": "long", "stdin": "7 8 9\n".repeat(40_000), "expected": "7 8 9\n".repeat(40_000)},
        ],
    });
    let headers = format!("Authorization: Bearer {BLUE}\r\n");
    let ask_for =
        |method: &str, path: &str, body: &str| place::call(&engine.address, method, path, &headers, body).unwrap();
    let unknown = ask_for("POST", "/v1/batches", &request.to_string()).problem(422, "unknown_blob");
    assert_eq!(unknown["field"], "/tests/0/stdin/blob");
    assert_eq!((put(&engine, &data), put(&engine, &other)), (201, 201));
    let batch = ask_for("POST", "/v1/batches", &request.to_string());
    assert_eq!(batch.status, 202, "{}", batch.text());
    assert_eq!((status(&engine, BLUE, "DELETE", &data), status(&engine, BLUE, "DELETE", &data)), (202, 404));
    assert_eq!(engine.metric("engined_blobs"), 3);
    let path = format!("/v1/batches/{}?wait_ms=30000", batch.json()["id"].as_str().unwrap());
    let mut told = Value::Null;
    wait_for(|| {
        told = ask_for("GET", &path, "").json();
        told["status"] == "finished"
    });
    let results = ask_for("GET", &path.replace("?wait_ms=30000", "/results"), "").text();
    let verdict = |test: &str| {
        let mut lines = results.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["test"] == test).unwrap_or_else(|| panic!("{results}"))["verdict"].clone()
    };
    assert_eq!([verdict("same"), verdict("other"), verdict("long")], ["accepted", "wrong_answer", "accepted"]);
    assert_eq!((put(&engine, &data), status(&engine, BLUE, "GET", &data)), (201, 200), "it is back");
    engine.stop();
}

/// Resident memory of the serving engine, in KiB: now, and at most.
fn memory(pid: i32) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let of = |word: &str| {
        let line = text.lines().find(|line| line.starts_with(word)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[test]
fn much_data_goes_through_a_confined_engine_and_never_lies_in_its_memory() {
    if !live() {
        return;
    }
    let up = Up::start();
    let megabyte: Vec<u8> = (0..1 << 18).flat_map(|n: u32| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    const MEGABYTES: usize = 300;
    let mut hash = sha2::Sha256::new();
    (0..MEGABYTES).for_each(|_| hash.update(&megabyte));
    let name: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let engine = up.child("engined");
    let before = memory(engine).1;
    let headers = format!("{BYTES}Content-Length: {}\r\n", MEGABYTES << 20);
    let mut stream = begin(&up.address, "x", &name, &headers);
    for _ in 0..MEGABYTES {
        stream.write_all(&megabyte).unwrap();
    }
    assert_eq!(answer(&mut stream).status, 201);
    let source = "import sys, hashlib\nh = hashlib.sha256()\nn = 0\n\
                  while piece := sys.stdin.buffer.read(1 << 20):\n    h.update(piece)\n    n += len(piece)\n\
                  print(n, h.hexdigest())";
    let request = json!({"language": "python", "source": source, "stdin": {"blob": format!("sha256:{name}")},
        "limits": {"cpu_time_ms": 60_000, "wall_time_ms": 600_000}});
    let expected = format!("{} {name}\n", MEGABYTES << 20);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let result = up.run(&request);
                assert_eq!(result["run"]["stdout"]["text"], *expected, "{result}");
            });
        }
    });
    let mut stream = TcpStream::connect(&up.address).unwrap();
    write!(stream, "GET /v1/blobs/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let (mut hash, mut chunk, mut head) = (sha2::Sha256::new(), vec![0; 1 << 20], Vec::new());
    loop {
        let read = stream.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        if head.windows(4).all(|w| w != b"\r\n\r\n") {
            head.extend_from_slice(&chunk[..read]);
            if let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
                hash.update(&head[end + 4..]);
            }
        } else {
            hash.update(&chunk[..read]);
        }
    }
    assert_eq!(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>(), name);
    let (now, most) = memory(engine);
    eprintln!("the engine had {before} KiB before, {now} KiB now, {most} KiB at most");
    assert!(most < before + (48 << 10), "{before} KiB before, {most} KiB at most for a blob of 300 MiB");
    // Killed in the middle of an upload, and started anew by its supervisor.
    let mut stream = begin(&up.address, "x", &self::name(b"never"), &headers);
    stream.write_all(&megabyte).unwrap();
    let folder = up.state.join("records/blobs/unfinished");
    wait_for(|| fs::read_dir(&folder).unwrap().count() == 1);
    kill(Pid::from_raw(engine), Signal::SIGKILL).unwrap();
    up.comes_back(PATIENCE);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    assert_eq!(ask(&up.address, "x", "HEAD", &name).0, 200);
    assert_eq!(ask(&up.address, "x", "DELETE", &name).0, 204);
    assert!(!Path::new(&up.state).join("records/blobs").join(&name[..2]).exists());
    up.stop();
}
