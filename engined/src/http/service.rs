//! One request: who calls, what for, in which form; then the one table of routes.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use api_spec::{
    ApiVersion, Code, ExecutionRequest, Health, HealthResponse, JSON, Ready, ReadyResponse, Verdict, VersionResponse,
    check_execution_query,
};
use hyper::body::{Body, Incoming};
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN,
};
use hyper::{Method, Request, Version};
use tracing::Instrument;

use super::answer::{self, Answer, METRICS_TEXT, REQUEST_ID, VERSION, new_id};
use super::wire::Conn;
use super::{body, catalogue};
use crate::admission::{self, Rules};
use crate::engine::Engine;
use crate::execution;
use crate::problem::Error;
use crate::queue::TenantIndex;
use crate::tenants::Peer;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Executions,
    Healthz,
    Readyz,
    Metrics,
    Version,
    Languages,
    Isolation,
    OpenapiJson,
    OpenapiYaml,
}

/// Path, methods, and whether anybody may ask without being known.
const ROUTES: [(&str, Route, &str, bool); 9] = [
    ("/v1/executions", Route::Executions, "POST", false),
    ("/healthz", Route::Healthz, "GET, HEAD", true),
    ("/readyz", Route::Readyz, "GET, HEAD", true),
    ("/metrics", Route::Metrics, "GET, HEAD", false),
    ("/v1/version", Route::Version, "GET, HEAD", false),
    ("/v1/languages", Route::Languages, "GET, HEAD", false),
    ("/v1/isolation", Route::Isolation, "GET, HEAD", false),
    ("/openapi.json", Route::OpenapiJson, "GET, HEAD", false),
    ("/openapi.yaml", Route::OpenapiYaml, "GET, HEAD", false),
];

/// Answers one request, whatever happens.
pub async fn answer(engine: Arc<Engine>, conn: Arc<Conn>, peer: Peer, request: Request<Incoming>) -> Answer {
    let _busy = conn.request();
    let h1 = request.version() != Version::HTTP_2;
    if !h1 {
        conn.h2.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let id = sane_id(request.headers()).unwrap_or_else(new_id);
    let (method, path) = (request.method(), shown(request.uri().path()));
    let span = tracing::info_span!("request", id, %method, path, traceparent = trace(request.headers()));
    let has_body = !request.body().is_end_stream();
    let handled = contained(handle(&engine, peer, request)).instrument(span.clone()).await;
    let _entered = span.enter();
    let result = handled.unwrap_or_else(|| {
        engine.metrics.panicked();
        Err(Error::internal("a handler panicked"))
    });
    match result {
        Ok(done) => answer::seal(done, &id, false),
        Err(error) => {
            let problem = error.problem();
            engine.metrics.problem(problem.code);
            if let Error::Internal(why) = &error {
                tracing::error!(%why, "internal error");
            } else {
                // As a quoted text: what a caller sent must not begin a line of its own.
                tracing::info!(code = %problem.code, detail = ?problem.detail, "problem");
            }
            let retry_after = match problem.code {
                Code::NotReady | Code::MemoryBudget => Duration::from_secs(1),
                Code::Draining => Duration::from_secs(5),
                _ => engine.queue.retry_after(),
            };
            // What was not read of the body can't be told from a next request.
            answer::seal(answer::problem(&error, &problem, &id, retry_after), &id, h1 && has_body)
        }
    }
}

/// Polls a handler so that a panic in it ends this request alone. `None` when it panicked.
async fn contained<T>(handler: impl Future<Output = T>) -> Option<T> {
    let mut handler = pin!(handler);
    std::future::poll_fn(|cx| match std::panic::catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Some),
        Err(_) => Poll::Ready(None),
    })
    .await
}

async fn handle(engine: &Engine, peer: Peer, request: Request<Incoming>) -> Result<Answer, Error> {
    let path = request.uri().path();
    let route = ROUTES.iter().find(|(known, ..)| *known == path);
    if engine.config.listen.development && matches!(peer, Peer::Tcp(_)) {
        local_only(&request)?;
    }
    let mut sent = request.headers().get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    // Two of them could be read differently by whoever stands in front of us.
    let authorization = match (sent.next(), sent.next()) {
        (Some(_), Some(_)) => Some(&b""[..]),
        (first, _) => first,
    };
    let tenant = engine.tenants.resolve(peer, authorization);
    let open = route.is_some_and(|(.., open)| *open);
    let tenant = if open { tenant.ok() } else { Some(tenant?) };
    let Some((_, route, allow, _)) = route else { return Err(Error::NotFound { path: path.to_owned() }) };
    let method = request.method();
    if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
        return Err(Error::Method { method: method.to_string(), allow });
    }
    let offered = match route {
        Route::Metrics => "text/plain",
        Route::OpenapiYaml => "application/yaml",
        _ => JSON,
    };
    acceptable(request.headers(), offered)?;
    match (route, tenant) {
        (Route::Executions, Some(tenant)) => run(engine, tenant, request).await,
        (Route::Executions | Route::Languages, None) => Err(Error::Unauthenticated),
        (Route::Healthz, _) => answer::json(&HealthResponse { status: Health::Ok }, None),
        (Route::Readyz, _) => {
            let standing = engine.settled()?;
            let missing = standing.welcome.map(|welcome| catalogue::missing(&welcome)).unwrap_or_default();
            answer::json(&ReadyResponse { status: Ready::Ready, missing_layers: missing }, None)
        }
        (Route::Metrics, _) => metrics(engine),
        (Route::Version, _) => answer::json(&VersionResponse { engine: VERSION.to_owned(), api: ApiVersion::V1 }, None),
        (Route::Languages, Some(tenant)) => answer::json(&catalogue::languages(engine, tenant), None),
        (Route::Isolation, _) => answer::json(&catalogue::isolation(engine)?, None),
        (Route::OpenapiJson, _) => Ok(answer::plain(JSON, api_spec::OPENAPI_JSON, None)),
        (Route::OpenapiYaml, _) => Ok(answer::plain("application/yaml", api_spec::OPENAPI_YAML, None)),
    }
}

/// Tells of an execution whose caller hung up: its future is dropped, and nobody else is left who would.
struct GoneLine {
    id: String,
    tenant: String,
    received: Instant,
    armed: bool,
}

impl Drop for GoneLine {
    fn drop(&mut self) {
        if self.armed {
            let total_us = u64::try_from(self.received.elapsed().as_micros()).unwrap_or(u64::MAX);
            tracing::info!(execution = self.id, tenant = self.tenant, verdict = "cancelled", total_us, "caller gone");
        }
    }
}

/// `POST /v1/executions`.
async fn run(engine: &Engine, tenant: TenantIndex, request: Request<Incoming>) -> Result<Answer, Error> {
    json_body(request.headers())?;
    check_execution_query(request.uri().query())?;
    // Who comes when nothing can be run is told so before sending 64 MiB.
    let standing = engine.ready()?;
    let welcome = standing.welcome.ok_or_else(|| Error::NotReady(standing.obstacles.clone()))?;
    let body::Whole { bytes, mut memory } =
        body::read(request.into_body(), &engine.config.http, &engine.memory).await?;
    let received = Instant::now();
    let length = bytes.len() as u64;
    let parsed = ExecutionRequest::from_json(&bytes, &engine.config.caps)?;
    drop(bytes);
    let ceiling = engine.ceiling(tenant, Some(&welcome));
    let rules = Rules { offers: &standing.offers, ceiling: &ceiling };
    let job = admission::admit(parsed, &rules)?;
    memory.settle(length);

    // Not the request's id: callers may send the same one twice.
    let id = new_id();
    let mut gone = GoneLine { id: id.clone(), tenant: engine.tenants.name(tenant).to_owned(), received, armed: true };
    let execution = execution::execute(engine, tenant, id, job, received).await;
    gone.armed = false;
    let execution = execution?;
    drop(memory);
    let result = &execution.result;
    let usage = result.run.as_ref().map(|run| &run.usage);
    tracing::info!(
        execution = result.id,
        tenant = gone.tenant,
        language = result.language.id,
        version = result.language.version,
        verdict = %result.verdict,
        labels = ?result.labels,
        cpu_us = usage.map(|usage| usage.cpu_time_us),
        memory_peak_bytes = usage.map(|usage| usage.memory_peak_bytes),
        queue_us = result.timings.queue_us,
        total_us = result.timings.total_us,
        "executed"
    );
    if let (Verdict::EngineError, Some(reason)) = (result.verdict, &result.reason) {
        tracing::error!(why = reason.message, "engine error");
    }
    answer::json(result, Some(execution.memory))
}

/// `/metrics`, here or on a listener of its own.
pub fn metrics(engine: &Engine) -> Result<Answer, Error> {
    let text = engine.metrics.render(&engine.queue.gauges(), &engine.memory);
    let text = text.map_err(|error| Error::internal(format!("metrics not rendered: {error}")))?;
    Ok(answer::plain(METRICS_TEXT, text, None))
}

/// The listener for `/metrics` alone.
pub fn metrics_only(engine: &Engine, request: &Request<Incoming>) -> Answer {
    let id = new_id();
    let result = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => metrics(engine),
        (method, "/metrics") => Err(Error::Method { method: method.to_string(), allow: "GET, HEAD" }),
        (_, path) => Err(Error::NotFound { path: path.to_owned() }),
    };
    let answer = result.unwrap_or_else(|error| answer::problem(&error, &error.problem(), &id, Duration::ZERO));
    answer::seal(answer, &id, !request.body().is_end_stream())
}

/// In development there is no token, so the browser of somebody on this machine must not be able to call for a web
/// page: such calls name a foreign host (DNS rebinding) or come with a foreign origin.
fn local_only(request: &Request<Incoming>) -> Result<(), Error> {
    let headers = request.headers();
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let host = authority.or_else(|| header(headers, &HOST)).unwrap_or_default();
    if !is_loopback(&host) {
        return Err(Error::Foreign { header: "Host", value: host });
    }
    if let Some(origin) = header(headers, &ORIGIN)
        && !origin.strip_prefix("http://").is_some_and(is_loopback)
    {
        return Err(Error::Foreign { header: "Origin", value: origin });
    }
    Ok(())
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
fn is_loopback(authority: &str) -> bool {
    let port = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| authority.strip_prefix(host).is_some_and(port))
}

fn json_body(headers: &HeaderMap) -> Result<(), Error> {
    let found = header(headers, &CONTENT_TYPE);
    let essence = found.as_deref().map(|found| found.split(';').next().unwrap_or_default().trim());
    let encoded = header(headers, &CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    match (essence, encoded) {
        (Some(essence), None) if essence.eq_ignore_ascii_case(JSON) => Ok(()),
        (_, Some(encoding)) => Err(Error::MediaType { found: format!("encoded as {encoding:?}") }),
        (Some(_), None) => Err(Error::MediaType { found: format!("of type {:?}", found.unwrap_or_default()) }),
        (None, None) => Err(Error::MediaType { found: "without a Content-Type".to_owned() }),
    }
}

/// Whether one of the accepted types covers `offered`. Problems are sent whatever is accepted.
fn acceptable(headers: &HeaderMap, offered: &'static str) -> Result<(), Error> {
    let mut ranges =
        headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let kind = offered.split('/').next().unwrap_or_default();
    let covers = |range: &str| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let refused = parts.any(|part| {
            part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()).is_some_and(|quality| quality <= 0.0)
        });
        let any = name == "*/*" || name.strip_suffix("/*").is_some_and(|k| k.eq_ignore_ascii_case(kind));
        !refused && (any || name.eq_ignore_ascii_case(offered))
    };
    if !headers.contains_key(ACCEPT) || ranges.any(covers) { Ok(()) } else { Err(Error::NotAcceptable { offered }) }
}

/// The caller's id, if it is one that can stand in a log: 1 to 128 visible ASCII characters.
fn sane_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b);
    ((1..=128).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
}

/// The caller's place in its own trace, as W3C Trace Context has it; it stands in every line of the request.
fn trace(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get("traceparent")?.to_str().ok()?;
    let lengths = text.split('-').map(str::len);
    let legal = lengths.eq([2, 32, 16, 2])
        && text.bytes().all(|b| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    legal.then_some(text)
}

/// Enough of a path to recognise it. hyper lets visible ASCII through alone.
fn shown(path: &str) -> &str {
    path.get(..128).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn accept_is_what_http_says() {
        for good in
            ["*/*", "application/json", "application/*", "text/html, application/json;q=0.1", "Application/JSON"]
        {
            assert!(acceptable(&headers(&[("accept", good)]), JSON).is_ok(), "{good}");
        }
        for bad in ["text/html", "application/xml", "application/json;q=0", "image/*", ""] {
            assert!(acceptable(&headers(&[("accept", bad)]), JSON).is_err(), "{bad}");
        }
        assert!(acceptable(&headers(&[]), JSON).is_ok());
        assert!(acceptable(&headers(&[("accept", "text/html"), ("accept", "application/json")]), JSON).is_ok());
    }

    #[test]
    fn only_json_is_read() {
        for good in ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON"] {
            assert!(json_body(&headers(&[("content-type", good)])).is_ok(), "{good}");
        }
        for bad in ["text/plain", "application/jsonx", ""] {
            assert!(json_body(&headers(&[("content-type", bad)])).is_err(), "{bad}");
        }
        assert!(json_body(&headers(&[("content-type", "application/json"), ("content-encoding", "gzip")])).is_err());
        assert!(json_body(&headers(&[])).is_err());
    }

    #[test]
    fn only_the_loopback_has_a_local_name() {
        for good in ["localhost", "localhost:7070", "127.0.0.1:1", "[::1]:7070", "[::1]"] {
            assert!(is_loopback(good), "{good}");
        }
        for bad in ["", "example.org", "localhost.example.org", "127.0.0.1.nip.io", "localhost:x", "127.0.0.11"] {
            assert!(!is_loopback(bad), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_panic_ends_one_request_alone() {
        let answer = |panics: bool| async move {
            tokio::task::yield_now().await;
            assert!(!panics, "a bug");
            7
        };
        assert_eq!(contained(answer(false)).await, Some(7));
        assert_eq!(contained(answer(true)).await, None);
    }

    #[test]
    fn a_trace_is_carried_on_when_it_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(trace(&headers(&[("traceparent", good)])), Some(good));
        for bad in ["", "x", &good[..54], &good.to_uppercase(), &good.replace('f', "\"")] {
            assert_eq!(trace(&headers(&[("traceparent", bad)])), None, "{bad}");
        }
    }

    #[test]
    fn a_callers_id_must_be_plain() {
        let id = |value: &str| sane_id(&headers(&[("x-request-id", value)]));
        assert_eq!(id("abc-123").as_deref(), Some("abc-123"));
        for bad in ["", "a b", "a\tb", "\"", &"x".repeat(129)] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }
}
