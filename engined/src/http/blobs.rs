//! `/v1/blobs/{sha256}`: data that is sent once, and then named by its hash.

use std::sync::Arc;
use std::time::Duration;

use api_spec::{Code, Problem, Sha256};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, StatusCode};
use tokio::time::Instant;

use super::answer::{self, Answer, Bytesful};
use super::beside::beside;
use super::service::{BYTES, header};
use super::stream::{self, Maker};
use crate::blobs::{Blob, Blobs, Placed, Refused, Removed, Upload};
use crate::budget::Budget;
use crate::engine::Engine;
use crate::problem::Error;
use crate::queue::TenantIndex;

/// So much of a blob is in memory while it comes or goes, and a little more where a piece of the network's is larger.
const PIECE: usize = 64 << 10;

/// One of a tenant's blobs, as it is asked for.
struct Asked<'a> {
    tenant: TenantIndex,
    /// The digits in the path.
    name: &'a str,
}

/// Whatever is asked of the blob `name` of a tenant.
///
/// # Errors
/// The caller's mistake, or that there is no room.
pub async fn answer(
    engine: &Arc<Engine>,
    tenant: TenantIndex,
    name: &str,
    request: Request<Incoming>,
) -> Result<Answer, Error> {
    let asked = Asked { tenant, name };
    match *request.method() {
        Method::PUT => put(engine, asked, request).await,
        Method::DELETE => delete(engine, asked).await,
        Method::HEAD => get(engine, asked, false).await,
        _ => get(engine, asked, true).await,
    }
}

/// The blobs of this engine.
///
/// # Errors
/// It keeps none.
pub fn of(engine: &Engine) -> Result<&Arc<Blobs>, Error> {
    engine.blobs.as_ref().ok_or_else(|| {
        let why = "this engine has no folder for blobs: start it with a state folder, or set blobs.folder";
        Error::NotReady(vec![why.to_owned()])
    })
}

/// `PUT`: 201, or 200 where it was there.
async fn put(engine: &Arc<Engine>, asked: Asked<'_>, request: Request<Incoming>) -> Result<Answer, Error> {
    let (blobs, hash) = (of(engine)?, named(asked.name)?);
    bytes_alone(request.headers())?;
    let (tenant, quota) = {
        let tenants = engine.tenants();
        (tenants.name(asked.tenant).to_owned(), tenants.plan(asked.tenant).batches.blob_bytes)
    };
    let placed = engine.drain.unless_cut(receive(engine, blobs, (&tenant, quota), hash, request.into_body())).await??;
    tracing::info!(tenant, %hash, ?placed, "blob");
    let mut answer = answer::plain(BYTES, Bytes::new(), None);
    answer.headers_mut().remove(CONTENT_TYPE);
    if placed == Placed::New {
        *answer.status_mut() = StatusCode::CREATED;
    }
    Ok(answer)
}

async fn receive(
    engine: &Arc<Engine>,
    blobs: &Arc<Blobs>,
    (tenant, quota): (&str, u64),
    hash: Sha256,
    mut body: Incoming,
) -> Result<Placed, Error> {
    let http = &engine.config.http;
    let places = blobs.place(tenant, http.header_timeout).await.map_err(refused)?;
    let _counted = blobs.on_its_way();
    let (length, owner, own) = (body.size_hint().exact(), tenant.to_owned(), Arc::clone(blobs));
    let mut upload =
        off_thread(move || own.receive(&owner, quota, (length, Some(hash)), Some(places)).map_err(refused)).await?;
    let begun = Instant::now();
    let rate = http.body_bytes_per_second;
    let (mut piece, mut received) = (Vec::with_capacity(PIECE), 0_u64);
    loop {
        let due = begun + http.header_timeout + Duration::from_millis(received.saturating_mul(1000) / rate);
        let frame = match tokio::time::timeout_at(due, body.frame()).await {
            Err(_) => return Err(Error::BodyTooSlow { received, rate }),
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "blob broken off");
                return Err(Error::BodyBroken);
            }
            Ok(Some(Ok(frame))) => frame,
            Ok(None) => break,
        };
        let Ok(data) = frame.into_data() else { continue };
        received = received.saturating_add(data.len() as u64);
        piece.extend_from_slice(&data);
        if piece.len() >= PIECE {
            (upload, piece) = write(upload, piece).await?;
        }
    }
    let (upload, _) = write(upload, piece).await?;
    off_thread(move || upload.finish(hash).map_err(refused)).await
}

/// Writes a piece, and gives its memory back.
async fn write(mut upload: Upload, mut piece: Vec<u8>) -> Result<(Upload, Vec<u8>), Error> {
    off_thread(move || {
        upload.write(&piece).map_err(refused)?;
        piece.clear();
        Ok((upload, piece))
    })
    .await
}

/// `GET` and `HEAD`.
async fn get(engine: &Arc<Engine>, asked: Asked<'_>, whole: bool) -> Result<Answer, Error> {
    let (blobs, hash) = (Arc::clone(of(engine)?), named(asked.name)?);
    let tenant = engine.tenants().name(asked.tenant).to_owned();
    let found = off_thread(move || blobs.find(&tenant, hash).map_err(failed)).await?;
    let blob = found.ok_or_else(|| missing(asked.name))?;
    if !whole {
        let mut answer = answer::plain(BYTES, Bytes::new(), None);
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(blob.bytes));
        return Ok(answer);
    }
    let (answer, maker) = stream::answer(BYTES, Some(blob.bytes));
    let memory = Arc::clone(engine.tenants().memory(asked.tenant));
    tokio::spawn(send(memory, blob, maker));
    Ok(answer)
}

async fn send(budget: Arc<Budget>, blob: Blob, maker: Maker) {
    let mut at = 0;
    while at < blob.bytes {
        // Where there is none any more the reader has gone.
        let Ok(place) = maker.place().await else { return };
        let Ok(memory) = budget.reserve(PIECE as u64) else {
            tracing::warn!("a blob is sent no further: the engine has no memory for a piece of it");
            return;
        };
        let length = usize::try_from(blob.bytes - at).map_or(PIECE, |left| left.min(PIECE));
        let from = blob.clone();
        let read = off_thread(move || from.piece(at, length).map_err(failed)).await;
        let piece = match read {
            Ok(piece) => piece,
            Err(error) => {
                tracing::error!(?error, "a blob is sent no further");
                return;
            }
        };
        at += piece.len() as u64;
        place.take(Bytesful::counted(piece, memory));
    }
    maker.end().await;
}

/// `DELETE`: 204, or 202 where a batch still refers to it.
async fn delete(engine: &Arc<Engine>, asked: Asked<'_>) -> Result<Answer, Error> {
    let (blobs, hash) = (of(engine)?, named(asked.name)?);
    let tenant = engine.tenants().name(asked.tenant).to_owned();
    let removed = blobs.remove(&tenant, hash).await.map_err(failed)?;
    let mut answer = answer::plain(BYTES, Bytes::new(), None);
    answer.headers_mut().remove(CONTENT_TYPE);
    *answer.status_mut() = match removed {
        Removed::Unknown => return Err(missing(asked.name)),
        Removed::Gone => StatusCode::NO_CONTENT,
        Removed::Later => StatusCode::ACCEPTED,
    };
    tracing::info!(tenant, %hash, ?removed, "blob deleted");
    Ok(answer)
}

async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    beside("work on a blob", work).await
}

fn named(digits: &str) -> Result<Sha256, Error> {
    digits.parse().map_err(|why: String| {
        let problem = Problem::new(Code::InvalidRequest, format!("the path: {why}"));
        Error::Request(problem.remedy("Name a blob as in /v1/blobs/ and what sha256sum prints."))
    })
}

fn missing(name: &str) -> Error {
    Error::NotFound { path: format!("/v1/blobs/{name}") }
}

fn bytes_alone(headers: &HeaderMap) -> Result<(), Error> {
    let found = header(headers, &CONTENT_TYPE);
    let essence = found.as_deref().map(|found| found.split(';').next().unwrap_or_default().trim());
    let encoded = header(headers, &CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"));
    let what = match (essence, encoded) {
        (Some(essence), None) if essence.eq_ignore_ascii_case(BYTES) => return Ok(()),
        (_, Some(encoding)) => format!("encoded as {:?}", head(&encoding)),
        (Some(_), None) => format!("of type {:?}", head(&found.unwrap_or_default())),
        (None, None) => "without a Content-Type".to_owned(),
    };
    let problem = Problem::new(Code::UnsupportedMediaType, format!("the body is {what}, {BYTES} is needed"));
    Err(Error::Request(problem.remedy(format!("Send the bytes as they are, with Content-Type: {BYTES}."))))
}

fn head(text: &str) -> String {
    text.chars().take(128).collect()
}

fn failed(error: std::io::Error) -> Error {
    Error::internal(format!("a blob: {error}"))
}

/// What a caller is told whose blob is not taken, wherever it comes from.
#[must_use]
pub fn refused(why: Refused) -> Error {
    let problem = match why {
        Refused::TooLarge { most } => {
            let detail = format!("the blob has more than {most} bytes (blobs.blob_most_bytes)");
            Problem::new(Code::BodyTooLarge, detail).remedy("Split the data, or have the operator raise the bound.")
        }
        Refused::Quota { wanted, used, quota } => {
            let detail = format!(
                "the blob counts {wanted} bytes, and the tenant's blobs have {used} of the {quota} of its plan \
                 (blob_bytes)"
            );
            Problem::new(Code::QuotaExceeded, detail)
                .remedy("Delete blobs that are no longer needed, let them expire, or have the plan raised.")
        }
        Refused::Counting => {
            let why = "the engine has just started and counts the tenant's blobs; it takes none before it knows how many there are";
            return Error::NotReady(vec![why.to_owned()]);
        }
        Refused::Full(why) => Problem::new(Code::StoreFull, format!("there is no room for the blob: {why}")),
        Refused::Other { found, announced } => {
            let detail = format!("the body is {found}, the path says {announced}");
            Problem::new(Code::InvalidRequest, detail)
                .remedy("Send exactly the bytes whose SHA-256 is in the path; nothing of these was kept.")
        }
        Refused::Part(places) => {
            let detail = format!("{places} uploads of the tenant are under way: its part of blobs.uploads");
            Problem::new(Code::QuotaExceeded, detail).remedy("Send fewer blobs at a time.")
        }
        Refused::Busy(places) => {
            Problem::new(Code::QueueFull, format!("{places} uploads are under way (blobs.uploads)"))
        }
        Refused::Failed(error) => return failed(error),
    };
    Error::Request(problem)
}
