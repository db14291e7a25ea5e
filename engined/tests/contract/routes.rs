//! Every address with every method, and every parameter with good and bad values.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::common::{Reply, Rig, TOKEN, wait_for};
use crate::{document, grade, same};

pub const JSON: &str = "Content-Type: application/json\r\n";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// One value of a parameter, as it is sent, and what is answered.
#[derive(Clone)]
pub struct Row {
    /// As [`document::parameters`] writes it.
    pub parameter: &'static str,
    path: String,
    headers: String,
    body: String,
    status: u16,
    /// Of a problem: its code and what it must say.
    problem: Option<(&'static str, Vec<String>)>,
    /// What `X-Request-Id` must be; `None` for one that the engine has made.
    id: Option<String>,
}

/// One that is answered with this status.
pub fn row(parameter: &'static str, path: &str, status: u16) -> Row {
    let row = Row {
        parameter,
        path: path.to_owned(),
        headers: String::new(),
        body: String::new(),
        status,
        problem: None,
        id: None,
    };
    if !parameter.starts_with("POST") {
        return row;
    }
    row.sending(JSON, json!({"language": "python", "source": "say x"}).to_string())
}

/// One that is answered with a problem of this code, whose detail says these words.
pub fn refused(parameter: &'static str, path: &str, code: &'static str, says: &[&str]) -> Row {
    let status = api_spec::Code::ALL.iter().find(|known| known.name() == code).unwrap().status();
    let says = says.iter().map(|word| (*word).to_owned()).collect();
    Row { problem: Some((code, says)), ..row(parameter, path, status) }
}

/// Sends a request. The counters of usage are asked for two seconds: on a busy machine they may take longer, and the
/// caller is to come again.
fn ask(rig: &Rig, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
    let mut reply = rig.call(method, path, headers, body);
    wait_for(|| {
        let again = reply.status == 503 && path.starts_with("/v1/usage");
        if again {
            reply = rig.call(method, path, headers, body);
        }
        !again
    });
    reply
}

impl Row {
    /// With these headers and this body instead of the usual.
    pub fn sending(self, headers: &str, body: String) -> Row {
        Row { headers: headers.to_owned(), body, ..self }
    }

    /// With more headers.
    pub fn headers(mut self, more: &str) -> Row {
        self.headers += more;
        self
    }

    fn check(&self, rig: &Rig) {
        let method = self.parameter.split(' ').next().unwrap();
        let reply = ask(rig, method, &self.path, &self.headers, self.body.as_bytes());
        let shown = format!("{}: {} {}", self.parameter, self.path, self.headers);
        assert_eq!(reply.status, self.status, "{shown}\n{}", reply.text());
        if let Some((code, says)) = &self.problem {
            let problem = reply.problem(self.status, code);
            for word in says {
                assert!(problem["detail"].as_str().unwrap().contains(word), "{shown}\nmust say {word:?}: {problem}");
            }
        }
        let id = reply.header("x-request-id").unwrap();
        match &self.id {
            Some(sent) => assert_eq!(id, sent, "{shown}"),
            None => assert!(id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{shown}: {id:?}"),
        }
    }
}

const WAIT: &str = "POST /v1/executions query wait";
const VALIDATE: &str = "POST /v1/executions query validate";
const REQUEST_ID: &str = "POST /v1/executions header X-Request-Id";
const TRACE_PARENT: &str = "POST /v1/executions header traceparent";
const GET_ID: &str = "GET /v1/executions/{id} path id";
const GET_WAIT: &str = "GET /v1/executions/{id} query wait_ms";
const DELETE_ID: &str = "DELETE /v1/executions/{id} path id";
const USAGE_FROM: &str = "GET /v1/usage query from";
const USAGE_TO: &str = "GET /v1/usage query to";
const USAGE_TENANT: &str = "GET /v1/usage query tenant";
const CHECK: &str = "/v1/executions?validate=true";

/// `id` is that of an execution that is over.
pub fn good_parameters(id: &str) -> Vec<Row> {
    let at = format!("/v1/executions/{id}");
    let mut rows = vec![
        row(WAIT, "/v1/executions?wait=true", 200),
        row(WAIT, "/v1/executions?wait=false", 202),
        row(VALIDATE, "/v1/executions?validate=false", 200),
        row(VALIDATE, "/v1/executions?validate=true&wait=false", 200),
        row(TRACE_PARENT, CHECK, 200).headers(&format!("traceparent: {TRACE}\r\n")),
        row(GET_ID, &at, 200),
        row(DELETE_ID, &at, 200),
        row(DELETE_ID, &at, 200),
    ];
    for id in ["a", &*"Az09-_.:/+=@".repeat(10), &*"x".repeat(128)] {
        let sent = row(REQUEST_ID, CHECK, 200).headers(&format!("X-Request-Id: {id}\r\n"));
        rows.push(Row { id: Some(id.to_owned()), ..sent });
    }
    for day in ["0000-01-01", "2026-02-31", "9999-12-31"] {
        rows.push(row(USAGE_FROM, &format!("/v1/usage?from={day}"), 200));
        rows.push(row(USAGE_TO, &format!("/v1/usage?to={day}"), 200));
    }
    rows.push(row(USAGE_TENANT, "/v1/usage?tenant=t&from=2026-01-01&to=2026-12-31", 200));
    for wait in ["0", "1", "60000", "00007"] {
        rows.push(row(GET_WAIT, &format!("{at}?wait_ms={wait}"), 200));
    }
    rows
}

/// As [`good_parameters`].
pub fn bad_parameters(id: &str) -> Vec<Row> {
    const INVALID: &str = "invalid_request";
    let at = format!("/v1/executions/{id}");
    let mut rows = Vec::new();
    for (parameter, name) in [(WAIT, "wait"), (VALIDATE, "validate")] {
        for value in ["", "1", "yes", "True", "TRUE", "null", "true,false", "%74rue"] {
            let path = format!("/v1/executions?{name}={value}");
            rows.push(refused(parameter, &path, INVALID, &[name, &format!("{value:?}"), "true or false"]));
        }
        rows.push(refused(parameter, &format!("/v1/executions?{name}"), INVALID, &[name, "true or false"]));
        let twice = format!("/v1/executions?{name}=true&{name}=true");
        rows.push(refused(parameter, &twice, INVALID, &[name, "twice"]));
    }
    rows.push(refused(WAIT, "/v1/executions?wait_ms=1", INVALID, &["\"wait_ms\"", "wait, validate"]));
    for value in ["60001", "-1", "+1", "", "x", "1.5", "1e3", "0x10", "18446744073709551616", "%31"] {
        let says = ["wait_ms", &*format!("{value:?}"), "from 0 to 60000"];
        rows.push(refused(GET_WAIT, &format!("{at}?wait_ms={value}"), INVALID, &says));
    }
    rows.push(refused(GET_WAIT, &format!("{at}?wait_ms=0&wait_ms=0"), INVALID, &["wait_ms", "twice"]));
    let lower = id.to_lowercase();
    for id in ["01K0ABCDEFGHJKMNPQRSTVWXYZ", "x", "%20", "..", "null", &*lower, &*"0".repeat(300)] {
        let path = format!("/v1/executions/{id}");
        let head: String = path.chars().take(100).collect();
        rows.push(refused(GET_ID, &path, "not_found", &[&head]));
        rows.push(refused(DELETE_ID, &path, "not_found", &[&head]));
    }
    for (parameter, name) in [(USAGE_FROM, "from"), (USAGE_TO, "to")] {
        for value in ["", "today", "2026-13-01", "2026-01-00", "2026-1-1", "2026-01-011", "20260101", "-026-01-01"] {
            let path = format!("/v1/usage?{name}={value}");
            rows.push(refused(parameter, &path, INVALID, &[name, &format!("{value:?}"), "a day"]));
        }
        let twice = format!("/v1/usage?{name}=2026-01-01&{name}=2026-01-01");
        rows.push(refused(parameter, &twice, INVALID, &[name, "twice"]));
    }
    rows.push(refused(USAGE_FROM, "/v1/usage?from=2026-01-02&to=2026-01-01", INVALID, &["from", "not after"]));
    rows.push(refused(USAGE_TENANT, "/v1/usage?tenant=somebody", "forbidden", &["\"somebody\""]));
    // Of these nothing depends: one that is not sane is passed over.
    for value in ["a b", "\"", "é", &*"x".repeat(129), ""] {
        rows.push(row(REQUEST_ID, CHECK, 200).headers(&format!("X-Request-Id: {value}\r\n")));
    }
    for value in ["", "00-0-0-00", &*TRACE.to_uppercase(), &*"x".repeat(5000)] {
        rows.push(row(TRACE_PARENT, CHECK, 200).headers(&format!("traceparent: {value}\r\n")));
    }
    rows
}

/// The address of an execution that is over.
fn finished(rig: &Rig) -> String {
    let body = json!({"language": "python", "source": "say x"}).to_string();
    let reply = rig.call("POST", "/v1/executions?wait=false", JSON, body.as_bytes());
    let address = reply.header("location").unwrap().to_owned();
    assert_eq!(rig.get(&format!("{address}?wait_ms=60000")).json()["status"], "finished");
    address
}

#[test]
fn parameters_are_taken_or_refused_by_name() {
    let (rig, _folders) = grade::rig("[tenants.t]\ntokens = [\"HASH\"]\n");
    let address = finished(&rig);
    let id = address.rsplit('/').next().unwrap();
    for row in good_parameters(id).iter().chain(&bad_parameters(id)) {
        row.check(&rig);
    }
    let address = grade::cancelled(&rig);
    let id = address.rsplit('/').next().unwrap();
    grade::send_blob(&rig);
    for row in grade::good_parameters(id).iter().chain(&grade::bad_parameters(id)) {
        row.check(&rig);
    }
}

/// Every operation with its right answer, and the media type of that.
const OPERATIONS: [(&str, u16, &str); 13] = [
    ("POST /v1/executions", 200, "application/json"),
    ("GET /v1/executions/{id}", 200, "application/json"),
    ("DELETE /v1/executions/{id}", 200, "application/json"),
    ("GET /healthz", 200, "application/json"),
    ("GET /readyz", 200, "application/json"),
    ("GET /metrics", 200, "text/plain; version=0.0.4; charset=utf-8"),
    ("GET /v1/version", 200, "application/json"),
    ("GET /v1/languages", 200, "application/json"),
    ("GET /v1/isolation", 200, "application/json"),
    ("GET /v1/usage", 200, "application/json"),
    ("GET /openapi.json", 200, "application/json"),
    ("GET /openapi.yaml", 200, "application/yaml"),
    // The last: it takes no work from then on.
    ("POST /v1/drain", 202, "application/json"),
];

/// Those, and the ones of batches and blobs before the last, with the media type where there is a body.
fn all() -> impl Iterator<Item = (&'static str, u16, Option<&'static str>)> {
    let with_media = |(operation, status, media)| (operation, status, Some(media));
    let (last, others) = OPERATIONS.split_last().unwrap();
    others.iter().copied().map(with_media).chain(grade::OPERATIONS).chain(std::iter::once(with_media(*last)))
}

/// What stands for the `{…}` of paths.
struct Addresses {
    execution: String,
    batch: String,
    blob: String,
}

impl Addresses {
    fn of(rig: &Rig) -> Addresses {
        Addresses { execution: finished(rig), batch: grade::cancelled(rig), blob: grade::send_blob(rig) }
    }

    fn path(&self, template: &str) -> String {
        template
            .replace("/v1/executions/{id}", &self.execution)
            .replace("/v1/batches/{id}", &self.batch)
            .replace("/v1/blobs/{sha256}", &self.blob)
    }
}

/// Who may be asked by anybody.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

#[test]
fn every_operation_answers_and_refuses() {
    let (rig, _folders) = grade::rig("[tenants.t]\nadmin = true\ntokens = [\"HASH\"]\n");
    let named = all().map(|(operation, ..)| operation.to_owned()).collect();
    same("operation", &document::operations(), &named);
    let addresses = Addresses::of(&rig);
    let body = json!({"language": "python", "source": "say x"}).to_string();
    for (operation, status, media) in all() {
        let (method, path) = operation.split_once(' ').unwrap();
        let path = &addresses.path(path);
        let (kind, body) = if path == "/v1/executions" { (JSON, body.clone()) } else { grade::sent(method, path) };
        let body = body.as_bytes();
        let with = |headers: &str| ask(&rig, method, path, &format!("{kind}{headers}"), body);

        let reply = with("");
        assert_eq!((reply.status, reply.header("content-type")), (status, media), "{operation}");
        if operation == "DELETE /v1/blobs/{sha256}" {
            grade::send_blob(&rig);
        }
        assert_eq!(with("Accept: */*;q=0.1, text/html\r\n").status, status, "{operation}");
        let problem = with("Accept: image/png\r\n").problem(406, "not_acceptable");
        let plain = media.unwrap_or("application/json").split(';').next().unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(plain), "{operation}: {problem}");

        let mut unknown = rig.call(method, &format!("{path}?colour=red"), kind, body).problem(400, "invalid_request");
        assert!(unknown["detail"].as_str().unwrap().contains("\"colour\""), "{operation}: {unknown}");
        assert_eq!(unknown["field"].take(), Value::Null, "no place in the body is wrong");

        let stranger = rig.raw_call(method, path, kind, body);
        if OPEN.contains(&path.as_str()) {
            assert_eq!(stranger.status, status, "{operation}");
        } else {
            stranger.problem(401, "unauthenticated");
            assert_eq!(stranger.header("www-authenticate"), Some("Bearer"), "{operation}");
        }
    }
    rig.call("POST", "/v1/executions", "", body.as_bytes()).problem(415, "unsupported_media_type");
    let words = format!("{JSON}Content-Encoding: gzip\r\n");
    rig.call("POST", "/v1/executions", &words, body.as_bytes()).problem(415, "unsupported_media_type");
}

fn allowed(reply: &Reply) -> BTreeSet<String> {
    reply.header("allow").unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn every_other_method_is_refused_and_the_right_ones_named() {
    let (rig, _folders) = grade::rig("");
    let addresses = Addresses::of(&rig);
    let paths: BTreeSet<&str> = all().map(|(operation, ..)| operation.split_once(' ').unwrap().1).collect();
    for path in paths {
        let mut right: BTreeSet<String> = all()
            .filter_map(|(operation, ..)| operation.split_once(' ').filter(|(_, of)| *of == path))
            .map(|(method, _)| method.to_owned())
            .collect();
        // The answer to HEAD is that to GET without its body.
        if right.contains("GET") {
            right.insert("HEAD".to_owned());
        }
        let at = &addresses.path(path);
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "get"] {
            if !right.contains(method) {
                let reply = rig.call(method, at, JSON, b"{}");
                let problem = reply.problem(405, "method_not_allowed");
                assert_eq!(allowed(&reply), right, "{method} {path}");
                assert!(problem["detail"].as_str().unwrap().contains(method), "{method} {path}: {problem}");
            }
        }
        let head =
            format!("HEAD {at} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n");
        let head = rig.connect_and(&head);
        let expected = if right.contains("HEAD") { "HTTP/1.1 200 " } else { "HTTP/1.1 405 " };
        assert!(head.starts_with(expected) && head.ends_with("\r\n\r\n"), "{path}: {head}");
    }
    for path in
        ["/", "/v1", "/v1/", "/v1/executions/", "/v1/executions/a/b", "/V1/version", "/v1//version", "/healthz/"]
    {
        for method in ["GET", "POST", "DELETE"] {
            let problem = rig.call(method, path, JSON, b"{}").problem(404, "not_found");
            assert!(problem["detail"].as_str().unwrap().contains(path), "{problem}");
        }
    }
}
