//! Standard output that is not kept: somebody takes it as it comes, and of the stream itself no more than a head is held.

use std::any::Any;
use std::io;

use tokio::net::unix::pipe::Receiver;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::{Captured, DROP_READ, FIRST_READ, Keep, LEAST_COST, REST};

/// After reads of this cost there is a rest. What is taken is worth more of our time than what is dropped.
const COST_BETWEEN_RESTS: usize = 1 << 20;
/// So many pieces may be on their way to whoever takes them elsewhere.
const PIECES: usize = 2;

/// Takes a stream, piece by piece.
pub trait Take: Any + Send {
    /// The next piece.
    ///
    /// # Errors
    /// Nothing more is to be had from it then.
    fn take(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Somebody who takes a stream, and where that is done.
pub struct Tap(State);

enum State {
    /// In the thread that reads.
    Here(Box<dyn Take>),
    /// In one that may wait for a disk.
    Elsewhere(mpsc::Sender<Vec<u8>>, JoinHandle<io::Result<Box<dyn Take>>>),
    /// It has failed here.
    Failed(io::Error),
}

impl Tap {
    /// For somebody who never waits.
    #[must_use]
    pub fn here(take: Box<dyn Take>) -> Tap {
        Tap(State::Here(take))
    }

    /// For somebody who reads or writes a file: a disk can be slow without end, and others wait for our thread.
    #[must_use]
    pub fn elsewhere(mut take: Box<dyn Take>) -> Tap {
        let (pieces, mut coming) = mpsc::channel::<Vec<u8>>(PIECES);
        let taken = tokio::task::spawn_blocking(move || {
            while let Some(piece) = coming.blocking_recv() {
                take.take(&piece)?;
            }
            Ok(take)
        });
        Tap(State::Elsewhere(pieces, taken))
    }

    /// A failure is told at the end: the program is read all the same.
    async fn take(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Here(take) => {
                if let Err(error) = take.take(bytes) {
                    self.0 = State::Failed(error);
                }
            }
            // Who does not receive any more has failed.
            State::Elsewhere(pieces, _) => drop(pieces.send(bytes.to_vec()).await),
            State::Failed(_) => {}
        }
    }

    /// Gives back who has taken everything.
    ///
    /// # Errors
    /// That of a piece.
    pub async fn end(self) -> io::Result<Box<dyn Take>> {
        match self.0 {
            State::Here(take) => Ok(take),
            State::Elsewhere(pieces, taken) => {
                drop(pieces);
                taken.await.map_err(io::Error::other)?
            }
            State::Failed(error) => Err(error),
        }
    }
}

/// Reads a stream to its end. What comes in excess is dropped.
pub(super) async fn drain(
    pipe: Receiver,
    keep: Keep,
    tap: &mut Tap,
    into: &mut Captured,
    over: &Notify,
) -> io::Result<()> {
    let mut piece = vec![0; FIRST_READ];
    let mut cost = 0;
    loop {
        // Who takes it uses our CPU time: see the module above.
        if cost >= COST_BETWEEN_RESTS {
            cost = 0;
            tokio::time::sleep(REST).await;
        }
        pipe.readable().await?;
        match pipe.try_read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(read) => {
                let came = &piece[..read];
                let room = keep.head - into.kept.len();
                into.kept.extend_from_slice(&came[..room.min(read)]);
                let allowed = usize::try_from(keep.most.saturating_sub(into.bytes)).unwrap_or(usize::MAX);
                into.bytes += read as u64;
                cost += read.max(LEAST_COST);
                if allowed > 0 {
                    tap.take(&came[..allowed.min(read)]).await;
                }
                if into.bytes > keep.most {
                    over.notify_one();
                }
                if read == piece.len() && read < DROP_READ {
                    piece.resize(DROP_READ, 0);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::super::{Output, Over, pipes};
    use super::*;
    use crate::job::Stdin;

    #[derive(Clone, Default)]
    struct Sum(Arc<Mutex<Vec<u8>>>, Option<usize>);

    impl Take for Sum {
        fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
            let mut all = self.0.lock().unwrap();
            all.extend_from_slice(bytes);
            match self.1 {
                Some(most) if all.len() > most => Err(io::ErrorKind::StorageFull.into()),
                _ => Ok(()),
            }
        }
    }

    async fn through(mut tap: Tap, keep: Keep) -> (Output, bool, io::Result<()>) {
        let (ours, theirs) = pipes().unwrap();
        let program = tokio::task::spawn_blocking(move || {
            drop((theirs.stdin, theirs.stderr));
            let mut stdout = File::from(theirs.stdout);
            (0..1000_u32).for_each(|n| stdout.write_all(&[n.to_le_bytes()[0]; 1000]).unwrap());
        });
        let (mut output, over) = (Output::default(), Notify::new());
        ours.pump(&Stdin::default(), [keep, keep], Some(&mut tap), &mut output, &over, &Over::default()).await.unwrap();
        program.await.unwrap();
        let told = tokio::time::timeout(std::time::Duration::ZERO, over.notified()).await.is_ok();
        (output, told, tap.end().await.map(drop))
    }

    #[tokio::test]
    async fn everything_goes_through_and_the_head_stays() {
        for of in [Tap::here, Tap::elsewhere] {
            let sum = Sum::default();
            let (output, told, end) = through(of(Box::new(sum.clone())), Keep { head: 10, most: 1_000_000 }).await;
            end.unwrap();
            assert!(!told && output.stdout.bytes == 1_000_000 && output.stdout.kept == [0; 10]);
            let all = sum.0.lock().unwrap();
            assert!(
                all.len() == 1_000_000
                    && all.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at / 1000 % 256)
            );
        }
    }

    #[tokio::test]
    async fn what_is_too_much_is_read_and_not_passed_on() {
        let sum = Sum::default();
        let (output, told, end) = through(Tap::here(Box::new(sum.clone())), Keep { head: 10, most: 12_345 }).await;
        end.unwrap();
        assert!(told && output.stdout.bytes == 1_000_000);
        assert_eq!(sum.0.lock().unwrap().len(), 12_345);
    }

    #[tokio::test]
    async fn who_fails_ends_nothing() {
        for of in [Tap::here, Tap::elsewhere] {
            let sum = Sum(Arc::default(), Some(5000));
            let (output, _, end) = through(of(Box::new(sum)), Keep { head: 10, most: 1_000_000 }).await;
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::StorageFull);
            assert_eq!(output.stdout.bytes, 1_000_000);
        }
    }
}
