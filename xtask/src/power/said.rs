//! What a guest has said of its store, and what the store must have for it.

use std::collections::BTreeMap;

type Check<T = ()> = Result<T, String>;

/// All by the name of a batch and more words.
#[derive(Debug, Default)]
pub struct Said {
    /// Submissions, tests, repeats, and how many results there are as the store counts them.
    batches: BTreeMap<String, (u32, u32, u32, u32)>,
    status: BTreeMap<String, String>,
    /// Each result and its number.
    results: BTreeMap<String, u32>,
    /// Submissions that are over.
    over: BTreeMap<String, ()>,
    /// Units without a result, and how often each was tried.
    attempts: BTreeMap<String, u32>,
}

impl Said {
    /// Reads what `store_torture` says.
    ///
    /// # Errors
    /// When a line is none of its, or says a thing twice that there is once.
    pub fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Check<Said> {
        let mut said = Said::default();
        lines.into_iter().try_for_each(|line| said.take(line))?;
        Ok(said)
    }

    fn take(&mut self, line: &str) -> Check {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |word: &str| word.parse::<u32>().map_err(|error| format!("{line:?}: {word}: {error}"));
        let twice = match words[..] {
            ["put", id, submissions, tests, repeat] => {
                let shape = (number(submissions)?, number(tests)?, number(repeat)?, 0);
                self.batches.insert(id.into(), shape).is_some()
            }
            ["batch", id, status, submissions, tests, repeat, done] => {
                let shape = (number(submissions)?, number(tests)?, number(repeat)?, number(done)?);
                self.status.insert(id.into(), status.into());
                self.batches.insert(id.into(), shape).is_some()
            }
            ["result", id, submission, test, repeat, seq] => {
                let unit = format!("{id} {submission} {test} {repeat}");
                self.attempts.remove(&unit);
                self.results.insert(unit, number(seq)?).is_some()
            }
            ["attempt", id, submission, test, repeat, times] => {
                self.attempts.insert(format!("{id} {submission} {test} {repeat}"), number(times)?);
                false
            }
            ["over", id, submission] => self.over.insert(format!("{id} {submission}"), ()).is_some(),
            ["cancel", id] => {
                self.status.insert(id.into(), "Cancelled".into());
                false
            }
            // The result of a compile, which has no number.
            ["result", _, _, "-", "0"] => false,
            _ => return Err(format!("{line:?} is nothing that the guest says; did it fail?")),
        };
        if twice { Err(format!("{line:?}: it was said before")) } else { Ok(()) }
    }

    /// All of this is in what the store has now.
    ///
    /// # Errors
    /// With what is gone.
    pub fn is_in(&self, now: &Said) -> Check {
        let gone = |what: String| Err(format!("{what} was acknowledged and is gone"));
        for (id, was) in &self.batches {
            match now.batches.get(id) {
                Some(is) if (is.0, is.1, is.2) == (was.0, was.1, was.2) && is.3 >= was.3 => {}
                is => return gone(format!("batch {id} {was:?} (now {is:?})")),
            }
        }
        for (unit, seq) in &self.results {
            let is = now.results.get(unit);
            if is != Some(seq) {
                return gone(format!("the result {unit} with number {seq} (now {is:?})"));
            }
        }
        if let Some(submission) = self.over.keys().find(|submission| !now.over.contains_key(*submission)) {
            return gone(format!("the end of submission {submission}"));
        }
        let cancelled = |status: Option<&String>| status.is_some_and(|status| status == "Cancelled");
        let mut ended = self.status.iter().filter(|(_, status)| cancelled(Some(status)));
        if let Some((id, _)) = ended.find(|(id, _)| !cancelled(now.status.get(*id))) {
            return gone(format!("the cancelling of {id}"));
        }
        for (unit, times) in &self.attempts {
            let id = unit.split(' ').next().unwrap_or_default();
            let open = now.status.get(id).is_some_and(|status| status == "Queued" || status == "Running");
            // A result may be durable before it is said; that of a compile has no line at all.
            let told = !open || unit.ends_with(" - 0") || now.results.contains_key(unit);
            if !told && now.attempts.get(unit).is_none_or(|now| now < times) {
                return gone(format!("attempt {times} of {unit}"));
            }
        }
        Ok(())
    }

    /// The results of each batch are numbered without a gap, and as many as it counts.
    ///
    /// # Errors
    /// With the batch of which that is not so.
    pub fn is_whole(&self) -> Check {
        let mut numbers: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (unit, seq) in &self.results {
            numbers.entry(unit.split(' ').next().unwrap_or_default()).or_default().push(*seq);
        }
        for (id, (.., done)) in &self.batches {
            let mut found = numbers.remove(id.as_str()).unwrap_or_default();
            found.sort_unstable();
            if !found.iter().copied().eq(1..=*done) {
                return Err(format!("{id} counts {done} results, they are numbered {found:?}"));
            }
        }
        if numbers.is_empty() { Ok(()) } else { Err(format!("results of no batch: {numbers:?}")) }
    }

    /// Every batch has come to its end, with a result for each unit.
    ///
    /// # Errors
    /// With the batch that has not.
    pub fn is_finished(&self) -> Check {
        for (id, (submissions, tests, repeat, done)) in &self.batches {
            match self.status.get(id).map(String::as_str) {
                Some("Cancelled") => {}
                Some("Finished") if submissions * tests * repeat == *done => {}
                status => return Err(format!("{id} is {status:?} with {done} results")),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THERE: [&str; 5] = [
        "batch b1 Running 1 2 1 1",
        "batch b2 Cancelled 1 1 1 0",
        "result b1 0 0 1 1",
        "attempt b1 0 1 1 2",
        "over b2 0",
    ];

    fn has(lines: &[&str], more: &[&str]) -> Check<Said> {
        Said::of(lines.iter().chain(more).copied())
    }

    #[test]
    fn what_is_gone_is_named() {
        let there = has(&THERE, &[]).unwrap();
        there.is_whole().unwrap();
        let kept = ["put b1 1 2 1", "result b1 0 0 1 1", "attempt b1 0 1 1 2", "over b2 0", "cancel b2"];
        has(&kept, &[]).unwrap().is_in(&there).unwrap();
        for (line, named) in [
            ("put b3 1 1 1", "batch b3"),
            ("put b1 1 3 1", "batch b1"),
            ("result b1 0 1 1 2", "the result b1 0 1 1 with number 2"),
            ("result b1 0 0 1 2", "the result b1 0 0 1"),
            ("over b1 0", "the end of submission b1 0"),
            ("cancel b1", "the cancelling of b1"),
            ("attempt b1 0 1 1 3", "attempt 3 of b1 0 1 1"),
        ] {
            let error = has(&[line], &[]).unwrap().is_in(&there).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn what_is_there_twice_or_with_a_gap_is_told() {
        assert!(has(&THERE, &["result b1 0 0 1 2"]).unwrap_err().contains("before"));
        assert!(has(&THERE, &["result b1 0 1 1 3"]).unwrap().is_whole().is_err());
        assert!(has(&["batch b1 Finished 1 2 1 1", "result b1 0 0 1 1"], &[]).unwrap().is_finished().is_err());
        assert!(has(&["thread 'main' panicked"], &[]).is_err());
    }
}
