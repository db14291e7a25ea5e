//! One step: ordered, fed and read, and over.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use api_spec::OnOutputLimit;
use jail::spec::{Collected, Ended, Outcome, StopReason};
use jail::stop_point;
use tokio::sync::Notify;

use super::telling::ended;
use crate::ahead;
use crate::audit::orphan::Watch;
use crate::capture::{Keep, Ours, Output, Over, Tap};
use crate::collection::{Artifact, Collector};
use crate::control::Control;
use crate::job::{Stdin, Step};
use crate::link::{Draft, Link, Run, RunEnd};
use crate::queue::Slot;
use crate::verdict::Facts;

/// Everybody is dead when jaild reports the end; what they wrote is in the pipes and read at once.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);
/// The same where somebody takes the output as it comes, who may wait for a disk.
const TAKE_WITHIN: Duration = Duration::from_secs(600);
/// jaild enforces the wall time; this is for a jaild that hangs.
const REPORT_WITHIN: Duration = Duration::from_secs(30);

/// What a step ends with.
pub struct Done {
    /// As jaild said.
    pub end: RunEnd,
    /// What it wrote.
    pub output: Output,
    on_output_limit: OnOutputLimit,
    pub(super) collector: Option<Collector>,
}

impl Done {
    /// A step that is over for long.
    #[must_use]
    pub fn replayed(end: RunEnd, output: Output) -> Self {
        Done { end, output, on_output_limit: OnOutputLimit::default(), collector: None }
    }

    fn succeeded(&self) -> bool {
        matches!(self.end, RunEnd::Ended(Ended { outcome: Outcome::Exited(0), .. }))
    }

    /// What became of the files to collect.
    pub(super) fn collected(&self) -> Collected {
        ended(&self.end).map_or(Collected::None, |ended| ended.collected)
    }

    pub(super) fn facts<'a>(&'a self, step: &'a Step) -> Facts<'a> {
        Facts {
            end: &self.end,
            step,
            output: &self.output,
            on_output_limit: self.on_output_limit,
            gone: if self.succeeded() { None } else { step.gone() },
        }
    }
}

/// The descriptors of a step beside its pipes.
pub struct Memfds {
    /// Arguments, environment, files. Other runs may have the same one.
    pub bundle: Arc<OwnedFd>,
    /// Of an earlier step. Other runs may have it, too: it is sealed, and read by position.
    pub artifact: Option<Arc<Artifact>>,
    /// The writing end of a pipe for the files that come back, see [`Collector`].
    pub collection: Option<OwnedFd>,
}

/// What a step is fed, what happens when it says too much, and who takes its files.
#[derive(Default)]
pub(super) struct Input<'a> {
    pub(super) stdin: Option<&'a Stdin>,
    pub(super) on_output_limit: OnOutputLimit,
    pub(super) collector: Option<Collector>,
    pub(super) through: Option<&'a mut Through>,
}

/// Of streams that are not kept.
pub struct Through {
    /// So much of each is.
    pub head: usize,
    /// Who takes standard output.
    pub tap: Option<Tap>,
}

/// Orders a step. What comes back is our end of its pipes, and its run.
///
/// # Errors
/// `NotConnected` while the link is down, else that of making pipes or sending.
pub async fn begin(
    link: &Arc<Link>,
    step: &Step,
    memfds: &Memfds,
    slot: Option<Arc<Slot>>,
    watch: Option<Watch>,
) -> io::Result<(Run, Ours)> {
    let (ours, theirs) = ahead::pipes()?;
    let Memfds { bundle, artifact, collection } = memfds;
    let draft = Draft {
        profile: step.profile.clone(),
        limits: step.limits,
        has_artifact: artifact.is_some(),
        collects: collection.is_some(),
    };
    let mut descriptors = vec![bundle.as_fd(), theirs.stdin.as_fd(), theirs.stdout.as_fd(), theirs.stderr.as_fd()];
    descriptors.extend(artifact.iter().map(|artifact| artifact.file.as_fd()).chain(collection.iter().map(AsFd::as_fd)));
    stop_point!("engined.prepared");
    let run = link.order(draft, &descriptors, slot, watch).await?;
    stop_point!("engined.ordered");
    // Our copies of the program's ends go here, or its streams would never end.
    drop(theirs);
    // jaild has all that it needs for now.
    ahead::prepare();
    Ok((run, ours))
}

/// Runs one step in a sandbox of its own: orders it, feeds and reads it, waits for its end.
pub(super) async fn run_step(
    link: &Arc<Link>,
    step: &Step,
    memfds: Memfds,
    input: Input<'_>,
    slot: Option<Arc<Slot>>,
    control: &Control,
) -> io::Result<Done> {
    let Input { stdin, on_output_limit, mut collector, through } = input;
    let stage = control.stage();
    let watch = slot.is_some().then(|| Watch::new(&control.orphan, stage));
    let (mut run, ours) = match begin(link, step, &memfds, slot, watch).await {
        Ok(begun) => begun,
        Err(error) if link_is_down(&error) => {
            // Between the slot and the order: the same as a link that is lost meanwhile.
            tracing::warn!(%error, "order not sent");
            return Ok(Done { end: RunEnd::Lost, output: Output::default(), on_output_limit, collector: None });
        }
        Err(error) => return Err(error),
    };
    // The sandbox has its own. A pipe that we hold open ourselves would never end.
    drop(memfds);
    let (mut output, over, ended, nothing) = (Output::default(), Notify::new(), Over::default(), Stdin::default());
    let all = Keep::all(step.output_bytes);
    let keep = Keep { head: through.as_ref().map_or(all.head, |through| through.head.min(all.head)), ..all };
    let tap = through.and_then(|through| through.tap.as_mut());
    let tapped = tap.is_some();
    let end = {
        let mut pump = pin!(async {
            let collect = async { if let Some(collector) = &mut collector { collector.read().await } else { Ok(()) } };
            let (pumped, collected) =
                tokio::join!(ours.pump(stdin.unwrap_or(&nothing), [keep; 2], tap, &mut output, &over, &ended), collect);
            pumped.and(collected)
        });
        let mut overdue = pin!(tokio::time::sleep(Duration::from_millis(step.limits.wall_time.0) + REPORT_WITHIN));
        let mut cancelled = pin!(control.cancelled());
        let (mut may_stop, mut may_cancel) = (on_output_limit == OnOutputLimit::Kill, true);
        let mut pumped = None;
        let end = loop {
            tokio::select! {
                end = run.end() => break end,
                result = &mut pump, if pumped.is_none() => pumped = Some(result),
                () = over.notified(), if may_stop => {
                    may_stop = false;
                    run.stop(StopReason::Output);
                }
                () = &mut cancelled, if may_cancel => {
                    may_cancel = false;
                    run.stop(StopReason::Cancelled);
                }
                () = &mut overdue => {
                    tracing::error!("jaild did not report the end of a run in time");
                    break RunEnd::Lost;
                }
            }
        };
        // For the case that the caller leaves from here on: nobody is told of an end twice.
        control.orphan.used(stage, &end);
        stop_point!("engined.ended");
        if pumped.is_none() && matches!(end, RunEnd::Ended(_)) {
            ended.set();
            let cancelled = async {
                if may_cancel {
                    cancelled.await
                }
            };
            let read = rest(pump, if tapped { TAKE_WITHIN } else { DRAIN_WITHIN }, cancelled).await;
            // Of what was cancelled nothing is judged.
            pumped = Some(if may_cancel { read } else { read.or(Ok(())) });
        }
        pumped.unwrap_or(Ok(()))?;
        stop_point!("engined.drained");
        end
    };
    Ok(Done { end, output, on_output_limit, collector })
}

/// The rest of what a program that is over has written. What is not whole says nothing of the program: it is our failure.
/// Where the run is cancelled nobody waits for it longer than for what nobody takes.
async fn rest(
    pump: impl Future<Output = io::Result<()>>,
    within: Duration,
    cancelled: impl Future<Output = ()>,
) -> io::Result<()> {
    let late = async {
        tokio::time::sleep(DRAIN_WITHIN).await;
        drop(tokio::time::timeout(within.saturating_sub(DRAIN_WITHIN), cancelled).await);
        Err(io::Error::new(io::ErrorKind::TimedOut, "what a run has written could not be read to its end in time"))
    };
    tokio::select! {
        biased;
        pumped = pump => pumped,
        late = late => late,
    }
}

fn link_is_down(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_output_that_is_cut_is_no_output() {
        let slow = || async {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        };
        rest(slow(), TAKE_WITHIN, pending()).await.unwrap();
        for (within, cancelled) in [(DRAIN_WITHIN, false), (TAKE_WITHIN, true)] {
            let begun = tokio::time::Instant::now();
            let cancelled = async {
                if !cancelled {
                    pending().await
                }
            };
            assert_eq!(rest(slow(), within, cancelled).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(begun.elapsed(), DRAIN_WITHIN);
        }
    }
}
