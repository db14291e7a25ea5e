//! Writes down what has happened. Whoever has a result hands it over and goes on; what comes while one transaction is under way
//! is the next one, so that many results cost few. While the store has no room, or fails, what is to be written waits here and
//! is tried again, and those who have more wait as well: nothing is lost, and nothing grows.

use std::sync::Arc;
use std::time::Duration;

use jail::stop_point;
use store::{Record, Recorded, Store, StoreError};
use tokio::sync::{mpsc, oneshot};

/// The most that is written in one transaction, and that waits for the next.
const MOST: usize = 256;
/// So often what the store does not take, though it is not full, is tried.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A record, and who wants to know what became of it.
type Told = (Record, oneshot::Sender<Recorded>);

/// Takes records.
#[derive(Clone)]
pub struct Recorder(mpsc::Sender<Told>);

impl Recorder {
    /// Begins to write. It ends when the last of its handles is dropped.
    #[must_use]
    pub fn start(store: Arc<dyn Store>) -> Recorder {
        let (records, coming) = mpsc::channel(MOST);
        tokio::spawn(write(store, coming));
        Recorder(records)
    }

    /// Hands a record over. Those of one caller are written in their order. The answer comes when it is durable; nobody has
    /// to wait for it.
    pub async fn record(&self, record: Record) -> oneshot::Receiver<Recorded> {
        let (told, answer) = oneshot::channel();
        // The writer lives as long as we do; should it panic, the answer says so.
        drop(self.0.send((record, told)).await);
        answer
    }
}

async fn write(store: Arc<dyn Store>, mut coming: mpsc::Receiver<Told>) {
    let mut waiting = Vec::new();
    while coming.recv_many(&mut waiting, MOST).await > 0 {
        let (records, tell): (Vec<Record>, Vec<_>) = waiting.drain(..).unzip();
        let recorded = match all(&store, &records).await {
            Some(recorded) => recorded.into_iter().map(Some).collect(),
            None => each(&store, &records).await,
        };
        stop_point!("engined.batch.recorded");
        for (tell, recorded) in tell.into_iter().zip(recorded) {
            // Who has not waited for it knows enough.
            let _heard = recorded.is_some_and(|recorded| tell.send(recorded).is_ok());
        }
    }
}

/// All in one transaction, as soon as there is room for them. `None`: one of them is not taken, and so none is.
async fn all(store: &Arc<dyn Store>, records: &[Record]) -> Option<Vec<Recorded>> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match store.record(records.to_vec()).await {
            Ok(recorded) => return Some(recorded),
            Err(StoreError::Unknown) => return None,
            Err(error) => {
                let waiting = records.len();
                tracing::warn!(%error, waiting, "results of batches are not written yet, and are kept");
                if !matches!(error, StoreError::Full(_)) && attempt == ATTEMPTS {
                    return None;
                }
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    None
}

/// Each by itself. What is not taken even so is given up: its submission is not over then, and is taken up again.
async fn each(store: &Arc<dyn Store>, records: &[Record]) -> Vec<Option<Recorded>> {
    let mut recorded = Vec::with_capacity(records.len());
    for record in records {
        let one = all(store, std::slice::from_ref(record)).await;
        if one.is_none() {
            tracing::error!("a result of a batch can't be written, and will be made again");
        }
        recorded.push(one.and_then(|one| one.first().copied()));
    }
    recorded
}
