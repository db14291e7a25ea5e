//! What an execution has used and hit, step by step, whoever hears of it. When its caller hangs up, or the deadline of a
//! drain ends it, its future is dropped at once and its sandbox is killed; what that had used jaild says afterwards, to
//! nobody but the link. A compile that others wait for goes on. The line waits for that: whoever lets a program run and
//! leaves before its end has used what it has used, and what was conspicuous in it is a [sign](crate::abuse) as it is for
//! those who stay.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api_spec::{Stage, Usage};
use jail::spec::{Ended, Limits};

use super::inbox::Inbox;
use super::record::{Execution, Record};
use crate::abuse::Abuse;
use crate::drain::UnderWay;
use crate::execution::telling::{ended, usage};
use crate::link::RunEnd;
use crate::queue::TenantIndex;

/// One step, or both times of one that was repeated.
#[derive(Clone, Copy, Debug)]
struct Seen {
    usage: Usage,
    /// Of the last time.
    ended: Ended,
    /// A limit of memory or processes was hit at some time.
    hit: bool,
}

#[derive(Debug, Default)]
struct State {
    /// Orders that the link has not forgotten yet, and compiles under way.
    outstanding: usize,
    compile: Option<Seen>,
    run: Option<Seen>,
    left: Option<Box<Left>>,
}

/// What is to be told of an execution when no sandbox of it is left.
#[derive(Debug)]
pub struct Left {
    /// Its line, without what it has used.
    pub execution: Execution,
    /// Where lines go, if anywhere.
    pub inbox: Option<Arc<Inbox>>,
    /// Where what it did is looked at, unless that was done: by the limits of the run, and of a compile.
    pub look: Option<Look>,
}

/// For what it did to be looked at.
#[derive(Debug)]
pub struct Look {
    /// Who looks.
    pub abuse: Arc<Abuse>,
    /// On whose account it was.
    pub tenant: TenantIndex,
    /// Of the run.
    pub run: Limits,
    /// Of a compile.
    pub compile: Option<Limits>,
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
        let (more, hit) = (usage(ended), ended.usage.processes_hit || ended.usage.oom_kills > 0);
        let mut state = self.lock();
        let seen = match stage {
            Stage::Compile => &mut state.compile,
            Stage::Run => &mut state.run,
        };
        let before = seen.as_ref();
        let usage = before.map_or(more, |before| both(&before.usage, &more));
        *seen = Some(Seen { usage, ended: *ended, hit: hit || before.is_some_and(|before| before.hit) });
    }

    /// Whether one of its steps was refused a process or lost one for memory, whatever became of it then.
    #[must_use]
    pub fn hit(&self) -> bool {
        let state = self.lock();
        [state.compile, state.run].into_iter().flatten().any(|seen| seen.hit)
    }

    /// Nobody hears of it any more: the line is written as soon as no sandbox is left. Its number, where that is now.
    pub fn left(&self, left: Left) -> Option<u64> {
        let mut state = self.lock();
        state.left = Some(Box::new(left));
        tell(state)
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

fn tell(mut state: MutexGuard<'_, State>) -> Option<u64> {
    if state.outstanding > 0 {
        return None;
    }
    let Left { mut execution, inbox, look } = *state.left.take()?;
    let (compile, run) = (state.compile, state.run);
    drop(state);
    execution.used.compile = compile.map(|seen| seen.usage);
    execution.used.run = run.map(|seen| seen.usage);
    let signs = look.map_or_else(Vec::new, |look| {
        let limits = [compile.as_ref().zip(look.compile.as_ref()), run.as_ref().zip(Some(&look.run))];
        let steps = limits.into_iter().flatten().map(|(seen, limits)| (limits, &seen.ended));
        let hit = compile.into_iter().chain(run).any(|seen| seen.hit);
        look.abuse.left((look.tenant, &execution.tenant), &execution.labels, &execution.id, steps, hit)
    });
    let inbox = inbox?;
    // One that finds no room is counted as lost there.
    let number = inbox.push(Record::execution(execution));
    for sign in signs {
        let _number: Option<u64> = inbox.push(Record::act(sign));
    }
    number
}

/// Held by the link as long as a step's sandbox may be there, and by a compile that may be repeated.
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
    use crate::audit::record::Used;
    use crate::audit::record::tests::execution;

    #[test]
    fn the_line_waits_for_the_last_sandbox() {
        let orphan = Arc::new(Orphan::default());
        let inbox = Arc::new(Inbox::new(prometheus::IntCounter::new("lost", "lost").unwrap()));
        let gone = || {
            let execution = execution(&[], super::super::record::Ended::Gone, Used::default());
            Left { execution, inbox: Some(Arc::clone(&inbox)), look: None }
        };
        let watch = Watch::new(&orphan, Stage::Run);
        let runs = Watch::new(&orphan, Stage::Run);
        assert_eq!(orphan.left(gone()), None);
        drop(runs);
        assert_eq!(inbox.waiting(), 0, "it is still there");
        watch.unheard(&RunEnd::Lost);
        drop(watch);
        assert_eq!(inbox.waiting(), 1);
        // One that waits for a slot has no sandbox.
        assert!(Orphan::default().left(gone()).is_some());
        assert_eq!(inbox.waiting(), 2);
    }
}
