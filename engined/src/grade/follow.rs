//! Takes the results of a batch as they come, from where it stopped before. A connection that ends is made anew; what
//! comes twice is taken once.

use std::time::{Duration, Instant};

use api_spec::{BatchResponse, TestResult};
use http_body_util::BodyExt;
use hyper::Method;

use super::deliver::patiently;
use super::progress::Progress;
use crate::client::{Asked, Client};

/// Without a word for so long the connection is made anew: somebody between us may have dropped it.
const IDLE: Duration = Duration::from_secs(60);
/// How long the server is asked to wait for the next result.
const WAIT_MS: u64 = 20_000;
/// An answer without a result is not asked for more often than this.
const HASTY: Duration = Duration::from_millis(HASTY_MS);
const HASTY_MS: u64 = 1000;
/// A batch that is over gives its results within so many tries.
const MOST_WITHHELD: u32 = 10;
/// No line of a result is longer.
const LINE_BYTES: usize = 64 << 20;
/// So long a server may be away, an update of it included.
const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(500);

/// Which batch, and how far we are.
pub struct Follower<'a> {
    /// The server.
    pub client: &'a Client,
    /// The id.
    pub batch: &'a str,
    /// The last result that was taken.
    pub last: u64,
    /// For words about the connection.
    pub progress: &'a Progress,
}

impl Follower<'_> {
    /// Follows to the end, and gives the batch as it is then.
    ///
    /// # Errors
    /// The server is away for good, does not know the batch, or answers nonsense; or `each` fails.
    pub async fn follow(
        &mut self,
        mut each: impl FnMut(&TestResult, &[u8]) -> Result<(), String>,
    ) -> Result<BatchResponse, String> {
        let mut alone: Option<Instant> = None;
        let mut withheld = 0;
        loop {
            let before = self.last;
            let began = Instant::now();
            let ended = self.stream(&mut each).await?;
            // Whoever answers at once that there is nothing shall not be asked all the time.
            let hasty = self.last == before && began.elapsed() < HASTY;
            let batch = self.ask(if hasty { HASTY_MS } else { 0 }).await?;
            let over = batch.batch.status.is_over();
            if over && self.last >= batch.batch.done {
                return Ok(batch);
            }
            withheld = if over && self.last == before { withheld + 1 } else { 0 };
            if withheld == MOST_WITHHELD {
                let (last, done) = (self.last, batch.batch.done);
                return Err(self.nonsense(&format!("the batch is over, and after {last} of {done} no more come")));
            }
            match ended {
                None => alone = None,
                Some(why) => {
                    if alone.is_none() {
                        self.progress.tell(&format!("{why}; asking again"));
                    }
                    let since = *alone.get_or_insert_with(Instant::now);
                    if self.last == before && since.elapsed() > PATIENCE {
                        return Err(format!("{}: {why}", self.client.address));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
            if self.last > before {
                alone = None;
            }
        }
    }

    /// The batch as it is.
    ///
    /// # Errors
    /// The server does not know it.
    pub async fn ask(&self, wait_ms: u64) -> Result<BatchResponse, String> {
        let path = format!("/v1/batches/{}?wait_ms={wait_ms}", self.batch);
        let reply = patiently(self.client, "the batch", || Ok(Asked::new(Method::GET, &path))).await?;
        if reply.status != 200 {
            return Err(self.refused(&reply.told()));
        }
        serde_json::from_slice(&reply.body).map_err(|error| {
            format!("what {} says of batch {} makes no sense: {error}", self.client.address, self.batch)
        })
    }

    fn refused(&self, told: &str) -> String {
        format!("batch {} at {}: {told}; --again sends it anew", self.batch, self.client.address)
    }

    /// Takes what comes on one connection. Says why it ended before its time, if it did.
    async fn stream(
        &mut self,
        each: &mut impl FnMut(&TestResult, &[u8]) -> Result<(), String>,
    ) -> Result<Option<String>, String> {
        let next = self.last + 1;
        let path = format!("/v1/batches/{}/results?from={next}&wait_ms={WAIT_MS}", self.batch);
        let mut body = match self.client.follow(Asked::new(Method::GET, &path)).await {
            Ok(Ok(body)) => body,
            Ok(Err(reply)) if matches!(reply.status, 429 | 503) => {
                tokio::time::sleep(reply.pause()).await;
                return Ok(Some(reply.told()));
            }
            Ok(Err(reply)) => return Err(self.refused(&reply.told())),
            Err(silence) => return Ok(Some(silence.to_string())),
        };
        let mut line = Vec::new();
        loop {
            let frame = match tokio::time::timeout(IDLE, body.frame()).await {
                // Nothing is wrong: a batch may wait for its turn.
                Err(_) => return Ok(None),
                // A line that was cut comes again.
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Ok(Some(format!("the connection broke: {error}"))),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            let mut rest = &data[..];
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(&rest[..end]);
                rest = &rest[end + 1..];
                self.take(&line, each)?;
                line.clear();
            }
            line.extend_from_slice(rest);
            if line.len() > LINE_BYTES {
                return Err(self.nonsense("a line without end"));
            }
        }
    }

    fn take(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(&TestResult, &[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        let result: TestResult = serde_json::from_slice(line).map_err(|error| self.nonsense(&error.to_string()))?;
        if result.seq <= self.last {
            return Ok(());
        }
        if result.seq != self.last + 1 {
            return Err(self.nonsense(&format!("result {} comes after {}", result.seq, self.last)));
        }
        each(&result, line)?;
        self.last = result.seq;
        Ok(())
    }

    fn nonsense(&self, why: &str) -> String {
        format!("what {} answers is not what results are: {why}", self.client.address)
    }
}
