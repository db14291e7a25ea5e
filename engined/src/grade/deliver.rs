//! Sends a batch: first the blobs that the server lacks, then the request, under its key. A server that has no room is
//! asked again, and one that went away for a moment too.

use std::fs::File;
use std::time::{Duration, Instant};

use api_spec::{BatchSummary, Sha256};
use hyper::Method;

use super::draft::Data;
use super::parcel::{Parcel, place_of};
use super::progress::Progress;
use crate::client::{Asked, Client, Reply, Silence};

/// So long a server may be away, or without room.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// Sends everything.
///
/// # Errors
/// What the server refuses, and which file or part of the batch it is about.
pub async fn deliver(client: &Client, parcel: &Parcel, progress: &Progress) -> Result<BatchSummary, String> {
    let all = parcel.blobs.len();
    for (at, (hash, data)) in parcel.blobs.iter().enumerate() {
        progress.says(&format!("test data {} of {all}", at + 1));
        blob(client, *hash, data).await?;
    }
    progress.says("the batch");
    let asked = || {
        let asked = Asked::new(Method::POST, "/v1/batches").header("idempotency-key", &parcel.key);
        Ok(asked.json(parcel.body.clone().into()))
    };
    let reply = patiently(client, "the batch", asked).await?;
    match reply.status {
        200 | 202 => serde_json::from_slice(&reply.body)
            .map_err(|error| format!("what {} answered is no batch: {error}", client.address)),
        _ => Err(refused(client, parcel, &reply)),
    }
}

/// Sends a blob, unless it is there.
async fn blob(client: &Client, hash: Sha256, data: &Data) -> Result<(), String> {
    let path = format!("/v1/blobs/{}", hash.hex());
    let what = match data {
        Data::File { path, .. } => path.display().to_string(),
        Data::Bytes(_) | Data::Blob(_) => format!("the data {hash}"),
    };
    let head = patiently(client, &what, || Ok(Asked::new(Method::HEAD, &path))).await?;
    match head.status {
        200 | 204 => return Ok(()),
        404 => {}
        _ => return Err(told(client, &what, &head)),
    }
    let asked = || {
        let asked = Asked::new(Method::PUT, &path);
        Ok(match data {
            Data::File { path, bytes } => {
                let file = File::open(path).map_err(|error| format!("{what}: can't be read: {error}"))?;
                asked.file(file, *bytes)
            }
            Data::Bytes(bytes) => asked.bytes(bytes.clone().into()),
            Data::Blob(_) => asked,
        })
    };
    let reply = patiently(client, &what, asked).await?;
    match reply.status {
        200 | 201 | 204 => Ok(()),
        _ => Err(told(client, &what, &reply)),
    }
}

/// Asks until the server has room and is there.
pub(super) async fn patiently(
    client: &Client,
    what: &str,
    asked: impl Fn() -> Result<Asked, String>,
) -> Result<Reply, String> {
    let began = Instant::now();
    let mut said = false;
    loop {
        let (pause, why) = match client.ask(asked()?).await {
            Ok(reply) if !matches!(reply.status, 429 | 503) || began.elapsed() > PATIENCE => return Ok(reply),
            Ok(reply) => (reply.pause(), reply.told()),
            Err(silence @ Silence::Forbidden(_)) => return Err(format!("{}: {silence}", client.address)),
            Err(silence) if began.elapsed() > PATIENCE => return Err(format!("{what}: {silence}")),
            Err(silence) => (PAUSE, silence.to_string()),
        };
        if !said {
            complain!("engined: {what}: asking again: {why}");
            said = true;
        }
        tokio::time::sleep(pause).await;
    }
}

fn told(client: &Client, what: &str, reply: &Reply) -> String {
    let more = match reply.status {
        401 | 403 => "; set ENGINED_TOKEN, or name a file that holds the token with --token-file",
        _ => "",
    };
    format!("{what} is refused by {}: {}{more}", client.address, reply.told())
}

/// With the name of what the server points at by its number.
fn refused(client: &Client, parcel: &Parcel, reply: &Reply) -> String {
    let field = reply.problem().and_then(|problem| problem.field);
    told(client, "the batch", reply) + &place_of(&parcel.request, field.as_deref())
}
