//! One request: who calls, what for, in which form; then the one table of routes.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api_spec::{
    ApiVersion, Code, Health, HealthResponse, JSON, Problem, Ready, ReadyResponse, VersionResponse, check_no_query,
};
use hyper::body::{Body, Incoming};
use hyper::header::{ACCEPT, AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::{Method, Request, Version};
use tracing::Instrument;

use super::answer::{self, Answer, REQUEST_ID, VERSION, new_id};
use super::metered::Metered;
use super::wire::Conn;
use super::{batches, blobs, catalogue, executions, operate, submit, usage};
use crate::audit::Caller;
use crate::confinement::Confinement;
use crate::contained::contained;
use crate::engine::Engine;
use crate::metrics::{NoText, Now};
use crate::problem::Error;
use crate::queue::TenantIndex;
use crate::refusals;
use crate::tenants::Peer;
use crate::trace::{TRACERESPONSE, Trace};

/// The media type of results of a batch.
pub const NDJSON: &str = "application/x-ndjson";
/// The media type of events.
pub const EVENT_STREAM: &str = "text/event-stream";
/// The media type of a blob.
pub const BYTES: &str = "application/octet-stream";
/// What a client of events has seen last.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Executions,
    Execution,
    Healthz,
    Readyz,
    Metrics,
    Version,
    Languages,
    Isolation,
    Batches,
    Batch,
    BatchResults,
    BatchEvents,
    BatchRejudge,
    Blob,
    Usage,
    Drain,
    OpenapiJson,
    OpenapiYaml,
}

impl Route {
    /// The media type of its answer.
    fn offers(self, method: &Method) -> &'static str {
        match self {
            Route::Metrics => "text/plain",
            Route::OpenapiYaml => "application/yaml",
            Route::BatchResults => NDJSON,
            Route::BatchEvents => EVENT_STREAM,
            Route::Blob if matches!(*method, Method::GET | Method::HEAD) => BYTES,
            _ => JSON,
        }
    }

    /// Whether it looks at the query string by itself. Others have none.
    fn reads_query(self) -> bool {
        matches!(
            self,
            Route::Executions
                | Route::Execution
                | Route::Batches
                | Route::Batch
                | Route::BatchResults
                | Route::BatchEvents
                | Route::Usage
        )
    }
}

/// Path, methods, and whether anybody may ask without being known. `{…}` stands for one part of a path; the first that fits
/// is taken.
const ROUTES: [(&str, Route, &str, bool); 18] = [
    ("/v1/executions", Route::Executions, "POST", false),
    ("/v1/executions/{id}", Route::Execution, "GET, HEAD, DELETE", false),
    ("/healthz", Route::Healthz, "GET, HEAD", true),
    ("/readyz", Route::Readyz, "GET, HEAD", true),
    ("/metrics", Route::Metrics, "GET, HEAD", false),
    ("/v1/version", Route::Version, "GET, HEAD", false),
    ("/v1/languages", Route::Languages, "GET, HEAD", false),
    ("/v1/isolation", Route::Isolation, "GET, HEAD", false),
    ("/v1/batches", Route::Batches, "GET, HEAD, POST", false),
    ("/v1/batches/{id}", Route::Batch, "GET, HEAD, DELETE", false),
    ("/v1/batches/{id}/results", Route::BatchResults, "GET, HEAD", false),
    ("/v1/batches/{id}/events", Route::BatchEvents, "GET, HEAD", false),
    ("/v1/batches/{id}/rejudge", Route::BatchRejudge, "POST", false),
    ("/v1/blobs/{sha256}", Route::Blob, "PUT, HEAD, GET, DELETE", false),
    ("/v1/usage", Route::Usage, "GET, HEAD", false),
    ("/v1/drain", Route::Drain, "POST", false),
    ("/openapi.json", Route::OpenapiJson, "GET, HEAD", false),
    ("/openapi.yaml", Route::OpenapiYaml, "GET, HEAD", false),
];

/// Who calls, as soon as that is known: the tenant, and the name of the token where it has one.
type Known = OnceLock<(TenantIndex, Option<Arc<str>>)>;

/// Answers one request, whatever happens.
pub async fn answer(engine: Arc<Engine>, conn: Arc<Conn>, peer: Peer, request: Request<Incoming>) -> Answer {
    let h1 = request.version() != Version::HTTP_2;
    if !h1 {
        conn.h2.store(true, std::sync::atomic::Ordering::Relaxed);
    }
    let id = sane_id(request.headers()).unwrap_or_else(new_id);
    let (method, path) = (request.method(), shown(request.uri().path()));
    let trace = Trace::of(request.headers());
    let span = tracing::info_span!(
        "request", id, %method, path,
        trace_id = trace.as_ref().map(|trace| trace.id.as_str()), span_id = trace.as_ref().map(|trace| trace.span.as_str()),
    );
    let caller = Caller { request: id.clone(), peer, token: None, trace };
    let has_body = !request.body().is_end_stream();
    let execution = *method == Method::POST && request.uri().path() == ROUTES[0].0;
    // Boxed: every wrapper would keep a copy of it, for each of the thousands that may be waiting.
    let (metered, known) = (Metered::default(), Known::new());
    let handled =
        contained(Box::pin(handle(&engine, caller, request, &metered, &known))).instrument(span.clone()).await;
    let _entered = span.enter();
    let result = handled.unwrap_or_else(|| {
        engine.metrics.panicked();
        Err(Error::internal("a handler panicked"))
    });
    let mut answer = match result {
        // On the way down a connection ends with the answer under way: the caller's next one finds another engine.
        Ok(done) => answer::seal(done, &id, h1 && engine.drain.begun()),
        Err(error) => {
            let problem = error.problem();
            engine.metrics.problem(problem.code, execution);
            refusals::tell(&engine.tenants(), known.get(), &error, &problem);
            let retry_after = error.retry_after().unwrap_or_else(|| match problem.code {
                Code::NotReady => Duration::from_secs(1),
                Code::Draining => Duration::from_secs(5),
                // Room comes when batches end, or somebody makes it.
                Code::StoreFull => Duration::from_secs(30),
                _ => engine.queue.retry_after(),
            });
            // What was not read of the body can't be told from a next request.
            answer::seal(
                answer::problem(&error, &problem, &id, retry_after),
                &id,
                h1 && (has_body || engine.drain.begun()),
            )
        }
    };
    if let Some(response) = trace.and_then(|trace| HeaderValue::from_str(&trace.response()).ok()) {
        answer.headers_mut().insert(HeaderName::from_static(TRACERESPONSE), response);
    }
    metered.tell(answer)
}

/// What stands for `{…}` in `path` if it is one of `known`; empty where that has none.
fn fits<'a>(known: &str, path: &'a str) -> Option<&'a str> {
    let (mut known, mut parts) = (known.split('/'), path.split('/'));
    let mut id = "";
    loop {
        match (known.next(), parts.next()) {
            (None, None) => return Some(id),
            (Some(name), Some(part)) if name.starts_with('{') && !part.is_empty() => id = part,
            (Some(name), Some(part)) if name == part => {}
            _ => return None,
        }
    }
}

async fn handle(
    engine: &Arc<Engine>,
    mut caller: Caller,
    request: Request<Incoming>,
    metered: &Metered,
    known: &Known,
) -> Result<Answer, Error> {
    let (path, peer) = (request.uri().path(), caller.peer);
    let route = ROUTES.iter().find_map(|route| Some((route, fits(route.0, path)?)));
    if engine.config.listen.development && matches!(peer, Peer::Tcp(_)) {
        local_only(&request)?;
    }
    let mut sent = request.headers().get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    // Two of them could be read differently by whoever stands in front of us.
    let authorization = match (sent.next(), sent.next()) {
        (Some(_), Some(_)) => Some(&b""[..]),
        (first, _) => first,
    };
    let tenants = engine.tenants();
    let tenant = tenants.identify(peer, authorization).map(|(tenant, token)| {
        known.get_or_init(|| (tenant, token.clone()));
        caller.token = token;
        tenant
    });
    let open = route.is_some_and(|((.., open), _)| *open);
    let tenant = if open { tenant.ok() } else { Some(tenant?) };
    let Some(((_, route, allow, _), id)) = route else { return Err(Error::NotFound { path: path.to_owned() }) };
    let method = request.method();
    if !allow.split(", ").any(|allowed| allowed == method.as_str()) {
        return Err(Error::Method { method: method.to_string(), allow });
    }
    acceptable(request.headers(), route.offers(method))?;
    if !route.reads_query() {
        check_no_query(request.uri().query())?;
    }
    match (route, tenant) {
        // Boxed: thousands may be waiting for a result, and need not be as large as a run.
        (Route::Executions, Some(tenant)) => {
            metered.ask(tenants.gate(tenant))?;
            drop(tenants);
            Box::pin(executions::post(engine, tenant, caller, request, metered)).await
        }
        (Route::Execution, Some(tenant)) => {
            let (id, query) = (id.to_owned(), request.uri().query().map(str::to_owned));
            let stops = *method == Method::DELETE;
            // Its headers share the connection's buffer, which would be held as long as the caller waits.
            drop(request);
            if stops {
                executions::delete(engine, tenant, &id, query.as_deref())
            } else {
                executions::get(engine, tenant, &id, query.as_deref()).await
            }
        }
        (
            Route::Batches | Route::Batch | Route::BatchResults | Route::BatchEvents | Route::BatchRejudge,
            Some(tenant),
        ) => {
            let (route, id) = (*route, id.to_owned());
            drop(tenants);
            of_batches(engine, (route, id), tenant, caller, request, metered).await
        }
        (Route::Blob, Some(tenant)) => {
            // It is work for the disk.
            metered.take(tenants.gate(tenant))?;
            drop(tenants);
            let name = id.to_owned();
            Box::pin(blobs::answer(engine, tenant, &name, request)).await
        }
        (Route::Usage, Some(tenant)) => {
            // It is work for the disk.
            metered.take(tenants.gate(tenant))?;
            usage::get(engine, tenant, request.uri().query()).await
        }
        (Route::Drain, Some(tenant)) => operate::drain(engine, tenant, caller, &request),
        (
            Route::Executions
            | Route::Execution
            | Route::Batches
            | Route::Batch
            | Route::BatchResults
            | Route::BatchEvents
            | Route::BatchRejudge
            | Route::Blob
            | Route::Metrics
            | Route::Languages
            | Route::Usage
            | Route::Drain,
            None,
        ) => Err(Error::Unauthenticated),
        (Route::Healthz, _) => answer::json(&HealthResponse { status: Health::Ok }, None),
        (Route::Readyz, _) => {
            let standing = engine.settled()?;
            let mut missing = standing.welcome.map(|welcome| catalogue::missing(&welcome)).unwrap_or_default();
            missing.extend(engine.confinement().map(Confinement::missing).unwrap_or_default());
            let degraded = engine.health.degraded();
            answer::json(&ReadyResponse { status: Ready::Ready, missing_layers: missing, degraded }, None)
        }
        (Route::Metrics, Some(tenant)) => {
            // They name other tenants.
            operate::admin(engine, tenant)?;
            metrics(engine).await
        }
        (Route::Version, _) => answer::json(&VersionResponse { engine: VERSION.to_owned(), api: ApiVersion::V1 }, None),
        (Route::Languages, Some(tenant)) => answer::json(&catalogue::languages(engine, tenant), None),
        (Route::Isolation, _) => answer::json(&catalogue::isolation(engine)?, None),
        (Route::OpenapiJson, _) => Ok(answer::plain(JSON, api_spec::OPENAPI_JSON, None)),
        (Route::OpenapiYaml, _) => Ok(answer::plain("application/yaml", api_spec::OPENAPI_YAML, None)),
    }
}

/// `/v1/batches` and what is below it.
async fn of_batches(
    engine: &Arc<Engine>,
    (route, id): (Route, String),
    tenant: TenantIndex,
    caller: Caller,
    request: Request<Incoming>,
    metered: &Metered,
) -> Result<Answer, Error> {
    let asked = match (route, request.method()) {
        (Route::Batches | Route::BatchRejudge, &Method::POST) => {
            metered.ask(engine.tenants().gate(tenant))?;
            let of = (route == Route::BatchRejudge).then_some(id);
            return Box::pin(submit::post(engine, tenant, caller, request, of, metered)).await;
        }
        (Route::Batches, _) => batches::Asked::List,
        (Route::BatchResults, _) => batches::Asked::Results,
        (Route::BatchEvents, _) => batches::Asked::Events { after: last_event(request.headers())? },
        (_, &Method::DELETE) => batches::Asked::Cancel,
        _ => batches::Asked::One,
    };
    // It is work for the store, which all tenants share. What ends work is never refused for what others have asked.
    if asked != batches::Asked::Cancel {
        metered.read(engine.tenants().gate(tenant))?;
    }
    let query = request.uri().query().map(str::to_owned);
    // As of an execution that is waited for.
    drop(request);
    Box::pin(batches::get(engine, tenant, asked, &id, query.as_deref())).await
}

/// `/metrics`, here or on a listener of its own.
pub async fn metrics(engine: &Engine) -> Result<Answer, Error> {
    let inventory = engine.link.inventory().await;
    engine.health.measure();
    engine.audit.measure();
    let now =
        Now { queue: &engine.queue, memory: &engine.memory, kills: &engine.link.kills, inventory: inventory.as_ref() };
    let text = engine.metrics.scrapes.text(|| engine.metrics.render(now)).await;
    match text {
        Ok(text) => Ok(answer::metrics(text)),
        Err(NoText::NotMade(error)) => Err(Error::internal(format!("metrics not rendered: {error}"))),
        Err(NoText::NoRoom(exhausted)) => Err(Error::Memory(exhausted)),
    }
}

/// The listener for `/metrics` alone.
pub async fn metrics_only(engine: &Engine, request: Request<Incoming>) -> Answer {
    let id = new_id();
    let (head, body) = request.into_parts();
    let result = match (head.method, head.uri.path()) {
        (Method::GET | Method::HEAD, "/metrics") => contained(Box::pin(metrics(engine))).await.unwrap_or_else(|| {
            engine.metrics.panicked();
            Err(Error::internal("a scrape panicked"))
        }),
        (method, "/metrics") => Err(Error::Method { method: method.to_string(), allow: "GET, HEAD" }),
        (_, path) => Err(Error::NotFound { path: path.to_owned() }),
    };
    let answer = result.unwrap_or_else(|error| {
        let problem = error.problem();
        engine.metrics.problem(problem.code, false);
        if let Error::Internal(why) = &error {
            tracing::error!(%why, "internal error");
        }
        answer::problem(&error, &problem, &id, Duration::from_secs(1))
    });
    answer::seal(answer, &id, !body.is_end_stream())
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

/// The value of a header, as far as it is text.
pub fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// `localhost`, `127.0.0.1` or `[::1]`, with or without a port.
fn is_loopback(authority: &str) -> bool {
    let port = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|p| p.parse::<u16>().is_ok());
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| authority.strip_prefix(host).is_some_and(port))
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

/// The number of the last event that the caller has seen, if it says one.
fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(said) = header(headers, &LAST_EVENT_ID).filter(|said| !said.is_empty()) else { return Ok(None) };
    let number = said.parse().ok().filter(|_| said.bytes().all(|b| b.is_ascii_digit()));
    number.map(Some).ok_or_else(|| {
        let shown: String = said.chars().take(64).collect();
        let problem = Problem::new(Code::InvalidRequest, format!("Last-Event-ID is {shown:?}, no number of an event"));
        Error::Request(problem.remedy("Send the id of the last event that came, or leave the header out."))
    })
}

/// The caller's id, if it is one that can stand in a log: 1 to 128 visible ASCII characters.
fn sane_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/+=@".contains(&b);
    ((1..=128).contains(&id.len()) && id.bytes().all(plain)).then(|| id.to_owned())
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
    fn an_id_is_one_part_of_a_path() {
        assert_eq!(fits("/v1/executions", "/v1/executions"), Some(""));
        assert_eq!(fits("/v1/executions/{id}", "/v1/executions/01K"), Some("01K"));
        for other in ["/v1/executions", "/v1/executions/", "/v1/executions/a/b", "/v1/executions/a/", "/v1/executionsa"]
        {
            assert_eq!(fits("/v1/executions/{id}", other), None, "{other}");
        }
        assert_eq!(fits("/v1/batches/{id}/results", "/v1/batches/01K/results"), Some("01K"));
        for other in
            ["/v1/batches/results", "/v1/batches//results", "/v1/batches/a/b/results", "/v1/batches/a/results/"]
        {
            assert_eq!(fits("/v1/batches/{id}/results", other), None, "{other}");
        }
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

    #[test]
    fn a_callers_id_must_be_plain() {
        let id = |value: &str| sane_id(&headers(&[("x-request-id", value)]));
        assert_eq!(id("abc-123").as_deref(), Some("abc-123"));
        for bad in ["", "a b", "a\tb", "\"", &"x".repeat(129)] {
            assert_eq!(id(bad), None, "{bad:?}");
        }
    }
}
