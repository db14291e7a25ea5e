//! Addresses of batches and blobs: what each answers to a right request, and every parameter with good and bad values.

use serde_json::json;

use crate::common::{Rig, Scratch};
use crate::routes::{JSON, Row, refused, row};

const BYTES: &str = "Content-Type: application/octet-stream\r\n";
/// The SHA-256 of nothing.
const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const LOST: &str = "01K0ABCDEFGHJKMNPQRSTVWXYZ";
const INVALID: &str = "invalid_request";

/// Operation, right answer, media type of that if it has a body, and what is sent.
pub const OPERATIONS: [(&str, u16, Option<&str>); 10] = [
    ("POST /v1/batches", 202, Some("application/json")),
    ("GET /v1/batches", 200, Some("application/json")),
    ("POST /v1/batches/{id}/rejudge", 202, Some("application/json")),
    ("GET /v1/batches/{id}", 200, Some("application/json")),
    ("GET /v1/batches/{id}/results", 200, Some("application/x-ndjson")),
    ("GET /v1/batches/{id}/events", 200, Some("text/event-stream")),
    ("DELETE /v1/batches/{id}", 202, Some("application/json")),
    ("PUT /v1/blobs/{sha256}", 200, None),
    ("GET /v1/blobs/{sha256}", 200, Some("application/octet-stream")),
    ("DELETE /v1/blobs/{sha256}", 204, None),
];

/// A rig that keeps batches and blobs, in folders of its own.
pub fn rig(more: &str) -> (Rig, Scratch) {
    let folders = Scratch::new();
    let [batches, blobs] = ["batches", "blobs"].map(|name| folders.0.join(name));
    for folder in [&batches, &blobs] {
        engined::cache::folder::make(folder).unwrap();
    }
    (Rig::with(2, &format!("{more}\n[batches]\nfolder = {batches:?}\n[blobs]\nfolder = {blobs:?}\n"), &[]), folders)
}

/// The address of a batch that is over, of one program that waits at the gate, which is open from then on.
pub fn cancelled(rig: &Rig) -> String {
    // It can't be over before it is cancelled.
    let reply = rig.call("POST", "/v1/batches", JSON, batch().replace("say x", "gate").as_bytes());
    assert_eq!(reply.status, 202, "{}", reply.text());
    let address = reply.header("location").unwrap().to_owned();
    assert_eq!(rig.call("DELETE", &address, "", b"").status, 202);
    // Whoever judges it again passes.
    rig.fake.seen.open.store(true, std::sync::atomic::Ordering::SeqCst);
    address
}

fn batch() -> String {
    json!({"submissions": [{"id": "a", "language": "python", "source": "say x"}], "tests": [{"id": "1", "stdin": ""}]})
        .to_string()
}

/// What is sent to a path: header and body.
pub fn sent(method: &str, path: &str) -> (&'static str, String) {
    match (method, path) {
        ("POST", "/v1/batches") => (JSON, batch()),
        ("POST", _) if path.ends_with("/rejudge") => (JSON, String::new()),
        ("PUT", _) => (BYTES, String::new()),
        _ => ("", String::new()),
    }
}

/// The blob is there from now on.
pub fn send_blob(rig: &Rig) -> String {
    let path = format!("/v1/blobs/{NOTHING}");
    let status = rig.call("PUT", &path, BYTES, b"").status;
    assert!(matches!(status, 200 | 201), "{status}");
    path
}

const LIST: [&str; 4] = [
    "GET /v1/batches query cursor",
    "GET /v1/batches query status",
    "GET /v1/batches query label",
    "GET /v1/batches query limit",
];
const WAIT: &str = "GET /v1/batches/{id} query wait_ms";
const RESULTS_WAIT: &str = "GET /v1/batches/{id}/results query wait_ms";
const RESULTS_FROM: &str = "GET /v1/batches/{id}/results query from";
const EVENTS_FROM: &str = "GET /v1/batches/{id}/events query from";
const LAST: &str = "GET /v1/batches/{id}/events header Last-Event-ID";
const KEY: &str = "POST /v1/batches header Idempotency-Key";
const REJUDGE_KEY: &str = "POST /v1/batches/{id}/rejudge header Idempotency-Key";
const IDS: [(&str, &str); 5] = [
    ("GET /v1/batches/{id} path id", ""),
    ("GET /v1/batches/{id}/results path id", "/results"),
    ("GET /v1/batches/{id}/events path id", "/events"),
    ("POST /v1/batches/{id}/rejudge path id", "/rejudge"),
    ("DELETE /v1/batches/{id} path id", ""),
];
const BLOBS: [&str; 3] = [
    "PUT /v1/blobs/{sha256} path sha256",
    "GET /v1/blobs/{sha256} path sha256",
    "DELETE /v1/blobs/{sha256} path sha256",
];
/// Headers that no value of is refused.
const FREE: [&str; 4] = [
    "POST /v1/batches header X-Request-Id",
    "POST /v1/batches header traceparent",
    "POST /v1/batches/{id}/rejudge header X-Request-Id",
    "POST /v1/batches/{id}/rejudge header traceparent",
];

fn of(parameter: &'static str, id: &str, more: &str) -> Row {
    let (method, rest) = parameter.split_once(' ').unwrap();
    let path = rest.split(' ').next().unwrap().replace("{id}", id).replace("{sha256}", NOTHING);
    let status = match method {
        "POST" => 202,
        "DELETE" if path.contains("/v1/blobs/") => 204,
        "DELETE" => 202,
        _ => 200,
    };
    let (headers, body) = sent(method, &path);
    row(parameter, &format!("{path}{more}"), status).sending(headers, body)
}

/// `id` is that of a batch that is over. The blob of nothing is there.
pub fn good_parameters(id: &str) -> Vec<Row> {
    let mut rows = vec![
        of(LIST[0], id, &format!("?cursor={id}")),
        of(LIST[1], id, "?status=cancelled"),
        of(LIST[2], id, "?label=course%2Fa:b+c%3A"),
        of(LIST[3], id, "?limit=1"),
        of(LIST[3], id, "?limit=500"),
        of(LAST, id, "").headers("Last-Event-ID: 0\r\n"),
        of(KEY, id, "").headers("Idempotency-Key: a-key\r\n"),
        of(KEY, id, "").headers("Idempotency-Key: a-key\r\n"),
        of(REJUDGE_KEY, id, "").headers("Idempotency-Key: another\r\n"),
    ];
    rows.extend([WAIT, RESULTS_WAIT].map(|wait| of(wait, id, "?wait_ms=60000")));
    rows.extend([RESULTS_FROM, EVENTS_FROM].map(|from| of(from, id, "?from=1")));
    rows.extend(IDS.map(|(parameter, _)| of(parameter, id, "")));
    rows.extend(FREE.map(|parameter| of(parameter, id, "")));
    rows.extend(BLOBS.map(|parameter| of(parameter, id, "")));
    rows
}

/// As [`good_parameters`].
pub fn bad_parameters(id: &str) -> Vec<Row> {
    let bad = |parameter: &'static str, more: &str, says: &[&str]| {
        let (method, rest) = parameter.split_once(' ').unwrap();
        let path = rest.split(' ').next().unwrap().replace("{id}", id);
        let (headers, body) = sent(method, &path);
        refused(parameter, &format!("{path}{more}"), INVALID, says).sending(headers, body)
    };
    let mut rows = vec![
        bad(LIST[0], "?cursor=", &["cursor"]),
        bad(LIST[0], "?cursor=a-b", &["cursor", "\"a-b\""]),
        bad(LIST[1], "?status=done", &["status", "\"done\""]),
        bad(LIST[2], "?label=course", &["label", "\"course\""]),
        bad(LIST[3], "?limit=0", &["limit", "from 1 to 500"]),
        bad(LIST[3], "?limit=501", &["limit", "from 1 to 500"]),
        bad(LAST, "", &["Last-Event-ID", "x"]).headers("Last-Event-ID: x\r\n"),
        bad(KEY, "", &["Idempotency-Key", "a b"]).headers("Idempotency-Key: a b\r\n"),
        bad(REJUDGE_KEY, "", &["Idempotency-Key", "a b"]).headers("Idempotency-Key: a b\r\n"),
    ];
    for wait in ["60001", "-1", "", "x"] {
        let says = ["wait_ms", "from 0 to 60000"];
        rows.extend([WAIT, RESULTS_WAIT].map(|parameter| bad(parameter, &format!("?wait_ms={wait}"), &says)));
    }
    for from in ["0", "-1", "", "x", "1&from=1"] {
        rows.extend([RESULTS_FROM, EVENTS_FROM].map(|parameter| bad(parameter, &format!("?from={from}"), &["from"])));
    }
    for lost in [LOST, "x", "null"] {
        for (parameter, more) in IDS {
            let (headers, body) = sent(parameter.split(' ').next().unwrap(), more);
            let path = format!("/v1/batches/{lost}");
            rows.push(
                refused(parameter, &format!("{path}{more}"), "not_found", &["/v1/batches/"]).sending(headers, body),
            );
        }
    }
    for name in ["x", &NOTHING.to_uppercase(), &NOTHING[1..]] {
        for parameter in BLOBS {
            let (headers, body) = sent(parameter.split(' ').next().unwrap(), "");
            let path = format!("/v1/blobs/{name}");
            rows.push(refused(parameter, &path, INVALID, &["64 hexadecimal"]).sending(headers, body));
        }
    }
    let other = format!("/v1/blobs/{}", "0".repeat(64));
    rows.push(refused(BLOBS[0], &other, INVALID, &[NOTHING]).sending(BYTES, String::new()));
    rows.extend(FREE.map(|parameter| {
        of(parameter, id, "").headers(if parameter.contains("trace") {
            "traceparent: x\r\n"
        } else {
            "X-Request-Id: \"\r\n"
        })
    }));
    rows
}
