//! What an execution has used whose caller hung up while it ran, or that the deadline of a drain ended. Its future is dropped at once, and its sandbox is killed;
//! what that had used jaild says afterwards, to nobody but the link. The line waits for that: whoever lets a program run
//! and hangs up before its end has used what it has used.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api_spec::{Stage, Usage};

use super::inbox::Inbox;
use super::record::{Execution, Record};
use crate::drain::UnderWay;
use crate::execution::telling::{ended, usage};
use crate::link::RunEnd;

#[derive(Debug, Default)]
struct State {
    /// Orders that the link has not forgotten yet.
    outstanding: usize,
    compile: Option<Usage>,
    run: Option<Usage>,
    left: Option<(Arc<Inbox>, Box<Execution>)>,
}

/// What the steps of one execution have used, for the case that nobody else is left who could tell.
#[derive(Debug, Default)]
pub struct Orphan {
    state: Mutex<State>,
    /// Whoever waits for the last line waits for this.
    _under_way: Option<UnderWay>,
}

impl Orphan {
    /// Of an execution that is over when this is dropped.
    #[must_use]
    pub fn new(under_way: UnderWay) -> Arc<Orphan> {
        Arc::new(Orphan { state: Mutex::default(), _under_way: Some(under_way) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A step is over.
    pub fn used(&self, stage: Stage, end: &RunEnd) {
        let Some(ended) = ended(end) else { return };
        let more = usage(ended);
        let mut state = self.lock();
        let used = match stage {
            Stage::Compile => &mut state.compile,
            Stage::Run => &mut state.run,
        };
        *used = Some(used.map_or(more, |before| both(&before, &more)));
    }

    /// Nobody waits for it any more: the line is written as soon as no sandbox is left.
    pub fn left(&self, inbox: Arc<Inbox>, execution: Execution) {
        let mut state = self.lock();
        state.left = Some((inbox, Box::new(execution)));
        tell(state);
    }
}

/// A compile may be repeated.
fn both(before: &Usage, more: &Usage) -> Usage {
    Usage {
        cpu_time_us: before.cpu_time_us.saturating_add(more.cpu_time_us),
        user_time_us: before.user_time_us.saturating_add(more.user_time_us),
        system_time_us: before.system_time_us.saturating_add(more.system_time_us),
        wall_time_us: before.wall_time_us.saturating_add(more.wall_time_us),
        memory_peak_bytes: before.memory_peak_bytes.max(more.memory_peak_bytes),
        ..*more
    }
}

fn tell(mut state: MutexGuard<'_, State>) {
    if state.outstanding > 0 {
        return;
    }
    let Some((inbox, mut execution)) = state.left.take() else { return };
    (execution.used.compile, execution.used.run) = (state.compile, state.run);
    drop(state);
    // One that finds no room is counted as lost there.
    let _number: Option<u64> = inbox.push(Record::execution(*execution));
}

/// Held by the link as long as a step's sandbox may be there.
#[derive(Debug)]
pub struct Watch {
    orphan: Arc<Orphan>,
    stage: Stage,
}

impl Watch {
    /// Over a step that is ordered now.
    #[must_use]
    pub fn new(orphan: &Arc<Orphan>, stage: Stage) -> Watch {
        orphan.lock().outstanding += 1;
        Watch { orphan: Arc::clone(orphan), stage }
    }

    /// The step is over, and nobody was there to hear it.
    pub fn unheard(&self, end: &RunEnd) {
        self.orphan.used(self.stage, end);
    }

    /// Another for the same step.
    #[must_use]
    pub fn another(&self) -> Watch {
        Watch::new(&self.orphan, self.stage)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.orphan.lock();
        state.outstanding -= 1;
        tell(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::record::tests::execution;
    use crate::audit::record::{Ended, Used};

    #[test]
    fn the_line_waits_for_the_last_sandbox() {
        let orphan = Arc::new(Orphan::default());
        let inbox = Arc::new(Inbox::new(prometheus::IntCounter::new("lost", "lost").unwrap()));
        let gone = || execution(&[], Ended::Gone, Used::default());
        let watch = Watch::new(&orphan, Stage::Run);
        let runs = watch.another();
        orphan.left(Arc::clone(&inbox), gone());
        drop(runs);
        assert_eq!(inbox.waiting(), 0, "it is still there");
        watch.unheard(&RunEnd::Lost);
        drop(watch);
        assert_eq!(inbox.waiting(), 1);
        // One that waits for a slot has no sandbox.
        Orphan::default().left(Arc::clone(&inbox), gone());
        assert_eq!(inbox.waiting(), 2);
    }
}
