//! Which submissions are with a worker. This is in memory alone: after a start nobody has any.
use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, OptionalExtension};

/// Of one batch.
#[derive(Clone, Default)]
struct Hand {
    /// Where the next look begins: all before it were given out or are over.
    next: u32,
    /// Whether there is nothing from there on.
    dry: bool,
    /// What was given back.
    back: BTreeSet<u32>,
    /// What is out.
    out: BTreeSet<u32>,
}

/// Of all batches. Changes can be taken back, as those of a transaction can.
#[derive(Default)]
pub(crate) struct Hands {
    hands: HashMap<i64, Hand>,
    /// Of each tenant the batch that was served last.
    turns: HashMap<String, i64>,
    undo: Vec<(i64, Option<Hand>)>,
}

impl Hands {
    /// What was changed stays.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// To which to come back.
    pub(crate) fn mark(&self) -> usize {
        self.undo.len()
    }

    /// Takes back what was changed since the mark.
    pub(crate) fn back_to(&mut self, mark: usize) {
        for (batch, hand) in self.undo.split_off(mark).into_iter().rev() {
            match hand {
                Some(hand) => self.hands.insert(batch, hand),
                None => self.hands.remove(&batch),
            };
        }
    }

    fn remember(&mut self, batch: i64) {
        self.undo.push((batch, self.hands.get(&batch).cloned()));
    }

    /// The batch that was served last: it is the turn of the next one.
    pub(crate) fn last(&self, tenant: &str) -> i64 {
        self.turns.get(tenant).copied().unwrap_or(0)
    }

    /// This one was served.
    pub(crate) fn served(&mut self, tenant: &str, batch: i64) {
        self.turns.insert(tenant.to_owned(), batch);
    }

    /// Gives out the next submission of a batch.
    pub(crate) fn take(&mut self, db: &Connection, batch: i64) -> rusqlite::Result<Option<u32>> {
        if self.hands.get(&batch).is_some_and(|hand| hand.dry && hand.back.is_empty()) {
            return Ok(None);
        }
        self.remember(batch);
        let hand = self.hands.entry(batch).or_default();
        let found = match hand.back.pop_first() {
            Some(place) => Some(place),
            None => {
                let sql = "SELECT place FROM submission WHERE batch = ?1 AND place >= ?2 AND line IS NULL ORDER BY place LIMIT 1";
                let place: Option<u32> =
                    db.prepare_cached(sql)?.query_row((batch, hand.next), |row| row.get(0)).optional()?;
                match place {
                    Some(place) => hand.next = place.saturating_add(1),
                    None => hand.dry = true,
                }
                place
            }
        };
        if let Some(place) = found {
            hand.out.insert(place);
        }
        Ok(found)
    }

    /// Whether somebody has it.
    pub(crate) fn has(&self, batch: i64, submission: u32) -> bool {
        self.hands.get(&batch).is_some_and(|hand| hand.out.contains(&submission))
    }

    /// Whether somebody has any of this batch.
    pub(crate) fn has_any(&self, batch: i64) -> bool {
        self.hands.get(&batch).is_some_and(|hand| !hand.out.is_empty())
    }

    /// It is to be given out again. Says whether somebody had it.
    pub(crate) fn give_back(&mut self, batch: i64, submission: u32) -> bool {
        if !self.has(batch, submission) {
            return false;
        }
        self.remember(batch);
        let hand = self.hands.entry(batch).or_default();
        hand.out.remove(&submission);
        hand.back.insert(submission)
    }

    /// It is over.
    pub(crate) fn over(&mut self, batch: i64, submission: u32) {
        self.remember(batch);
        if let Some(hand) = self.hands.get_mut(&batch) {
            hand.out.remove(&submission);
            hand.back.remove(&submission);
        }
    }

    /// Nothing of this batch is given out any more.
    pub(crate) fn forget(&mut self, batch: i64) {
        self.remember(batch);
        self.hands.remove(&batch);
    }
}
