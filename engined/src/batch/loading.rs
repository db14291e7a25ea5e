//! What a test is made of, when it is run: it comes from the store, and from blobs.
//!
//! A disk that fails for a while is nobody's fault, and no grade: who asks waits until it answers. What is not there any more
//! is told at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api_spec::Sha256;
use store::{Answer, Datum, Question, Store, StoreError};

use super::account::{Account, Missed};
use crate::blobs::Blobs;
use crate::engine::Engine;
use crate::job::Stdin;

/// Before it is asked again: first so long,
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// and never longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a test is made of.
#[derive(Debug)]
pub struct Data {
    /// What a program reads.
    pub stdin: Stdin,
    /// What it should write. `None`: nothing is said of it.
    pub expected: Option<Stdin>,
}

/// Why it can't be read.
enum Unread {
    /// That may pass.
    Yet(String),
    /// It never will be.
    Ever(String),
}

/// Loads the data of a test of the account's batch. The inner error: they are not there any more.
///
/// # Errors
/// It is not wanted any more.
pub async fn load(
    engine: &Engine,
    store: &Arc<dyn Store>,
    account: &Account,
    tenant: &str,
    test: u32,
) -> Result<Result<Data, String>, Missed> {
    let mut pause = FIRST_PAUSE;
    loop {
        let question = Question::Data { batch: account.batch.to_string(), test };
        let why = match read(store, engine.blobs.as_ref(), tenant, question).await {
            Ok(data) => return Ok(Ok(data)),
            Err(Unread::Ever(why)) => return Ok(Err(why)),
            Err(Unread::Yet(why)) => why,
        };
        tracing::warn!(batch = %account.batch, test, %why, "the data of a test can't be read yet, and are asked for again");
        account.pause(engine, pause).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn read(
    store: &Arc<dyn Store>,
    blobs: Option<&Arc<Blobs>>,
    tenant: &str,
    question: Question,
) -> Result<Data, Unread> {
    let answer = store.read(question).await.map_err(|error| match error {
        StoreError::Unknown => Unread::Ever(error.to_string()),
        error => Unread::Yet(error.to_string()),
    })?;
    let Answer::Data(stdin, expected) = answer else {
        return Err(Unread::Ever("The store has answered another question.".to_owned()));
    };
    let on_disk = [&stdin, &expected].into_iter().any(|datum| matches!(datum, Datum::Blob(_)));
    let (blobs, tenant) = (blobs.map(Arc::clone), tenant.to_owned());
    let open = move || {
        let open = |datum| opened(blobs.as_deref(), &tenant, datum);
        Ok(Data { stdin: open(stdin)?.unwrap_or_default(), expected: open(expected)? })
    };
    if !on_disk {
        return open();
    }
    // A disk can be slow without end, and others wait for this thread.
    let opened = tokio::task::spawn_blocking(open).await;
    opened.unwrap_or_else(|error| Err(Unread::Yet(error.to_string())))
}

fn opened(blobs: Option<&Blobs>, tenant: &str, datum: Datum) -> Result<Option<Stdin>, Unread> {
    let hash = match datum {
        Datum::Absent => return Ok(None),
        Datum::Inline(bytes) => return Ok(Some(Stdin::Bytes(bytes))),
        Datum::Blob(hash) => Sha256(hash),
    };
    let blobs = blobs.ok_or_else(|| Unread::Ever("The engine has no blobs any more: see [blobs].".to_owned()))?;
    let yet = |error: io::Error| Unread::Yet(format!("the blob {hash}: {error}"));
    let blob = blobs.referred(tenant, hash).map_err(yet)?;
    let blob = blob.ok_or_else(|| Unread::Ever(format!("The blob {hash} is not there any more.")))?;
    blob.stdin().map(Some).map_err(yet)
}

#[cfg(test)]
mod tests;
