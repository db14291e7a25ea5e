//! The smallest HTTP/1.1 client that can measure: one connection that is kept, JSON out and in.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::problem::{Context, Problem, Result};

const REMEDY: &str = "target/release/engined doctor";

/// A connection to an engine.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
    port: u16,
    /// Who asks, as a header.
    authorization: String,
    /// What the next request is called, as a header.
    request_id: String,
    /// How long the last answer asked to wait.
    retry_after: Option<Duration>,
    /// Whether that was the last answer on this connection.
    closed: bool,
}

impl Client {
    /// Connects to the loopback.
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).or_problem("no engine answers", REMEDY)?;
        // A request is one write: waiting for more to send with it would only be measured.
        stream.set_nodelay(true).or_problem("TCP_NODELAY was refused", REMEDY)?;
        stream.set_read_timeout(Some(Duration::from_secs(120))).or_problem("no time-out can be set", REMEDY)?;
        Ok(Client {
            stream: BufReader::new(stream),
            port,
            authorization: String::new(),
            request_id: String::new(),
            retry_after: None,
            closed: false,
        })
    }

    /// As the tenant of this token.
    pub fn with_token(self, token: &str) -> Self {
        Client { authorization: format!("Authorization: Bearer {token}\r\n"), ..self }
    }

    /// Names the next request, and those after it until it is named again.
    pub fn call_it(&mut self, request_id: &str) {
        self.request_id = format!("X-Request-Id: {request_id}\r\n");
    }

    /// How long the last answer asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the engine has ended the connection with its last answer.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Runs one program. Gives the result and the time from the first byte sent to the last received.
    pub fn execute(&mut self, request: &Value) -> Result<(Value, Duration)> {
        let body = request.to_string();
        let start = Instant::now();
        let (status, answer) = self.ask("POST", "/v1/executions", &body)?;
        let took = start.elapsed();
        let answer: Value = serde_json::from_slice(&answer).or_problem("the answer is no JSON", REMEDY)?;
        if status != 200 || answer["verdict"] != "ok" {
            return Err(Problem::new(format!("the engine answered {status}: {answer}"), REMEDY));
        }
        Ok((answer, took))
    }

    /// Sends one request, and gives the status and the body of its answer. An empty `body` is none.
    pub fn ask(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        self.send(method, path, body)?;
        self.answer()
    }

    /// Asks, and gives the time from the first byte sent to the last received; the answer must be 200 and hold `wanted`.
    pub fn timed(&mut self, method: &str, path: &str, body: &str, wanted: &[&[u8]]) -> Result<Duration> {
        let start = Instant::now();
        let (status, answer) = self.ask(method, path, body)?;
        let took = start.elapsed();
        let holds = |words: &&[u8]| answer.windows(words.len()).any(|part| part == *words);
        if status == 200 && wanted.iter().all(holds) {
            return Ok(took);
        }
        let missing =
            wanted.iter().find(|words| !holds(words)).map(|words| String::from_utf8_lossy(words).into_owned());
        let missing = missing.map(|words| format!(" without {words}")).unwrap_or_default();
        Err(Problem::new(format!("the engine answered {status}{missing}"), REMEDY))
    }

    /// Sends one request and waits for nothing.
    pub fn send(&mut self, method: &str, path: &str, body: &str) -> Result<()> {
        let mut message = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", self.port);
        message += &self.authorization;
        message += &self.request_id;
        if !body.is_empty() {
            message += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        }
        message = message + "\r\n" + body;
        self.stream.get_mut().write_all(message.as_bytes()).or_problem("the engine hung up", REMEDY)
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let head = self.line()?;
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        let status = status.ok_or_else(|| Problem::new(format!("`{head}` is no status line"), REMEDY))?;
        let mut length = None;
        self.retry_after = None;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':') {
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse::<usize>().ok(),
                    "connection" => self.closed = value.trim().eq_ignore_ascii_case("close"),
                    "retry-after" => self.retry_after = value.trim().parse().ok().map(Duration::from_secs),
                    _ => {}
                }
            }
        }
        let length = length.ok_or_else(|| Problem::new("the answer has no Content-Length", REMEDY))?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).or_problem("the answer broke off", REMEDY)?;
        Ok((status, body))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line).or_problem("the engine does not answer", REMEDY)?;
        if count == 0 {
            return Err(Problem::new("the engine closed the connection without an answer", REMEDY));
        }
        Ok(line.trim_end().to_owned())
    }
}
