//! A server of batches that runs nothing. What becomes of a submission stands in its source, a line for each test, in
//! order; the types are the API's.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use api_spec::{BatchRequest, BatchResponse, Caps, SubmissionVerdict, TestResult};
use serde_json::{Value, json};
use sha2::Digest;

/// What the server knows and has seen.
#[derive(Default)]
pub struct Known {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub request: Option<BatchRequest>,
    pub key: Option<String>,
    pub results: Vec<String>,
    pub cancelled: bool,
    /// Results up to this number are given.
    pub open: usize,
    /// The next connection that asks from the first number on ends within the line of the second.
    pub cut: Option<(usize, usize)>,
    /// A DELETE is not answered.
    pub hang: bool,
    /// The next POST is answered by this.
    pub refuse: Option<(u16, Value)>,
    /// `METHOD path` of each request.
    pub seen: Vec<String>,
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    known: Arc<(Mutex<Known>, Condvar)>,
}

impl Server {
    pub fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server { address: listener.local_addr().unwrap(), known: Arc::default() };
        server.known().open = usize::MAX;
        let ours = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = ours.clone();
                // Whoever hangs up has its reasons.
                std::thread::spawn(move || server.serve(stream).unwrap_or_default());
            }
        });
        server
    }

    pub fn known(&self) -> MutexGuard<'_, Known> {
        self.known.0.lock().unwrap()
    }

    pub fn open(&self, until: usize) {
        self.known().open = until;
        self.known.1.notify_all();
    }

    pub fn saw(&self, what: &str) -> usize {
        self.known().seen.iter().filter(|seen| seen.starts_with(what)).count()
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_owned());
        }
        let header = |name: &str| {
            let found = head.iter().skip(1).find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            });
            found.unwrap_or_default()
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body)?;
        let words: Vec<&str> = head.first().map_or("", String::as_str).split(' ').collect();
        let (method, path) = (words[0], words[1]);
        self.known().seen.push(format!("{method} {path}"));
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        match (method, path) {
            ("GET", "/readyz") => answer(stream, 200, &json!({"status": "ready"})),
            ("GET", "/v1/version") => {
                answer(stream, 200, &json!({"engine": "0.1.0", "api": "v1", "commit": null, "features": []}))
            }
            ("POST", "/v1/batches") => self.post(stream, &body, header("idempotency-key")),
            ("DELETE", _) => {
                let mut known = self.known();
                while known.hang {
                    known = self.known.1.wait(known).unwrap();
                }
                drop(known);
                self.known().cancelled = true;
                self.known.1.notify_all();
                answer(stream, 202, &serde_json::to_value(self.batch()).unwrap())
            }
            ("HEAD" | "PUT", _) => self.blob(stream, method, path.rsplit('/').next().unwrap(), body),
            ("GET", "/v1/batches/B1") => answer(stream, 200, &serde_json::to_value(self.batch()).unwrap()),
            ("GET", "/v1/batches/B1/results") => {
                let from = query.split('&').find_map(|pair| pair.strip_prefix("from=")?.parse().ok());
                self.results(stream, from.unwrap_or(1))
            }
            _ => answer(stream, 404, &problem(404, "not_found", None)),
        }
    }

    fn blob(&self, stream: TcpStream, method: &str, hash: &str, body: Vec<u8>) -> std::io::Result<()> {
        let there = self.known().blobs.contains_key(hash);
        if method == "HEAD" {
            return answer(stream, if there { 200 } else { 404 }, &Value::Null);
        }
        let is: String = sha2::Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(is, hash);
        self.known().blobs.insert(hash.to_owned(), body);
        answer(stream, 201, &json!({}))
    }

    fn post(&self, stream: TcpStream, body: &[u8], key: String) -> std::io::Result<()> {
        if let Some((status, problem)) = self.known().refuse.take() {
            return answer(stream, status, &problem);
        }
        let request = BatchRequest::from_json(body, &Caps::default()).unwrap();
        let mut known = self.known();
        if known.key.as_ref() != Some(&key) {
            known.results = results(&request);
            (known.request, known.key) = (Some(request), Some(key));
        }
        drop(known);
        answer(stream, 202, &serde_json::to_value(self.batch().batch).unwrap())
    }

    /// As it stands: everything that is open is done.
    fn batch(&self) -> BatchResponse {
        let known = self.known();
        let request = known.request.as_ref().unwrap();
        let done = known.results.len().min(known.open);
        let status = match () {
            () if known.cancelled => "cancelled",
            () if done == known.results.len() => "finished",
            () => "running",
        };
        let results: Vec<TestResult> =
            known.results[..done].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |id: &str| {
            let mut mine: Vec<&TestResult> = results.iter().filter(|result| result.submission == id).collect();
            mine.sort_by_key(|result| request.tests.iter().position(|test| test.id == result.test));
            let over = mine.len() == request.tests.len() * request.repeat as usize;
            let compile = over && mine.iter().all(|result| result.attempt == 0);
            let first = mine.iter().find(|result| result.verdict != api_spec::TestVerdict::Accepted);
            let verdict = match first {
                Some(_) if compile => json!("compile_error"),
                Some(first) => serde_json::to_value(first.verdict).unwrap(),
                None => json!("accepted"),
            };
            let verdict: SubmissionVerdict = serde_json::from_value(verdict).unwrap();
            let sum = |of: &dyn Fn(&api_spec::TestRequest) -> bool| -> (f64, f64) {
                let tests = || request.tests.iter().filter(|test| of(test));
                let got = mine.iter().filter(|one| tests().any(|test| test.id == one.test));
                (got.map(|one| one.points).sum(), tests().map(|test| test.points).sum())
            };
            // Each of them is all or nothing.
            let groups = request.groups.iter().map(|group| {
                let (got, most) = sum(&|test| test.group.as_ref() == Some(&group.id));
                (group.id.as_str(), if got < most { 0.0 } else { most }, most)
            });
            let groups: Vec<(&str, f64, f64)> = groups.collect();
            let points = sum(&|test| test.group.is_none()).0 + groups.iter().map(|(_, got, _)| got).sum::<f64>();
            let told_groups: Vec<Value> = groups
                .iter()
                .map(|(id, got, most)| json!({"id": id, "points": over.then_some(got), "max_points": most}))
                .collect();
            let unjudged = mine.iter().filter(|result| result.verdict.is_unjudged()).count();
            let cpu = mine.iter().filter_map(|result| result.usage).map(|usage| usage.cpu_time_us).max();
            let told = json!({"cached": false, "reason": {"limit": null, "value": null, "observed": null,
                "message": "The compiler ended with exit code 1.", "hint": null},
                "stdout": {"text": "", "bytes": 0, "truncated": false},
                "stderr": {"text": "a.c: In function main:\n\u{1b}[1ma.c:1:2: error: no ]]> & <such> thing\n", "bytes": 3,
                           "truncated": false}});
            json!({"id": id, "verdict": over.then_some(verdict), "points": over.then_some(points), "groups": told_groups,
                   "max_points": request.tests.iter().map(|test| test.points).sum::<f64>(), "done": mine.len(),
                   "unjudged": unjudged, "cpu_time_us_max": cpu, "memory_peak_bytes_max": cpu.map(|_| 3 << 20),
                   "compile": if compile { told } else { Value::Null }})
        };
        let submissions: Vec<Value> = request.submissions.iter().map(|one| of(&one.id)).collect();
        serde_json::from_value(json!({
            "id": "B1", "status": status, "submissions": submissions.len(), "tests": request.tests.len(),
            "results": known.results.len(), "done": done, "created_at": "2026-01-01T00:00:00Z", "finished_at": null,
            "rejudge_of": null, "labels": {}, "verdicts": {}, "submission_results": submissions,
        }))
        .unwrap()
    }

    /// Streams what is open from a number on, until all of it was given.
    fn results(&self, mut stream: TcpStream, from: usize) -> std::io::Result<()> {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/jsonl\r\nconnection: close\r\n\r\n")?;
        let mut next = from;
        loop {
            let mut known = self.known();
            while next > known.open && next <= known.results.len() && !known.cancelled {
                known = self.known.1.wait(known).unwrap();
            }
            let line = known.results.get(next - 1).filter(|_| next <= known.open).cloned();
            let Some(line) = line else { return Ok(()) };
            if known.cut == Some((from, next)) {
                known.cut = None;
                return stream.write_all(&line.as_bytes()[..line.len() / 2]);
            }
            drop(known);
            stream.write_all(format!("{line}\n").as_bytes())?;
            next += 1;
        }
    }
}

pub fn problem(status: u16, code: &str, field: Option<&str>) -> Value {
    json!({"type": "about:blank", "title": "No", "status": status, "code": code, "detail": "It is wrong",
           "remedy": "Correct it.", "field": field, "request_id": "r"})
}

fn answer(mut stream: TcpStream, status: u16, body: &Value) -> std::io::Result<()> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// In an order that is not that of the request, as if runs ended when they like.
fn results(request: &BatchRequest) -> Vec<String> {
    let mut lines = Vec::new();
    let ids: BTreeSet<&str> = request.tests.iter().map(|test| test.id.as_str()).collect();
    assert_eq!(ids.len(), request.tests.len());
    for (at, test) in request.tests.iter().enumerate().rev() {
        for submission in &request.submissions {
            let source = submission.source.clone().unwrap().into_bytes();
            let source = String::from_utf8(source).unwrap();
            let wish = source.lines().nth(at).unwrap_or("accepted").to_owned();
            for repeat in 1..=request.repeat {
                let ran = wish != "skipped";
                let usage = json!({"cpu_time_us": 1500 * (at + 1), "user_time_us": 0, "system_time_us": 0,
                    "wall_time_us": 2_000_001, "memory_peak_bytes": 3 << 20, "memory_peak_source": "kernel",
                    "processes_peak": 1, "throttled_us": 0, "involuntary_switches": 0});
                let (reason, checker, stdout) = told(&wish);
                lines.push(json!({
                    "seq": lines.len() + 1, "submission": submission.id, "test": test.id, "repeat": repeat,
                    "attempt": u8::from(ran), "verdict": wish, "points": if wish == "accepted" { test.points } else { 0.0 },
                    "reason": reason, "usage": if ran { usage } else { Value::Null }, "checker": checker, "stdout": stdout,
                    "stderr": null, "finished_at": "2026-01-01T00:00:00Z",
                }));
            }
        }
    }
    lines.iter().map(Value::to_string).collect()
}

fn told(verdict: &str) -> (Value, Value, Value) {
    match verdict {
        "wrong_answer" => {
            let difference = json!({"line": 1, "column": 3, "expected": "=1+1", "found": "\u{1b}]0;x\u{7}"});
            let checker =
                json!({"message": null, "difference": difference, "exit_code": null, "stderr": null, "files": {}});
            // "\x00\xff]]>", in base64.
            (Value::Null, checker, json!({"base64": "AP9dXT4=", "bytes": 5, "truncated": false}))
        }
        "checker_error" => {
            let stderr = json!({"text": "assert <failed>", "bytes": 15, "truncated": false});
            let message = "-the checker, it \"crashed\"\r\nbadly";
            let checker =
                json!({"message": message, "difference": null, "exit_code": 3, "stderr": stderr, "files": {}});
            (Value::Null, checker, Value::Null)
        }
        "cpu_time_limit" => {
            let reason = json!({"limit": "cpu_time_ms", "value": 1000, "observed": 1010, "message": "It used more.",
                                "hint": null});
            (reason, Value::Null, Value::Null)
        }
        _ => (Value::Null, Value::Null, Value::Null),
    }
}
