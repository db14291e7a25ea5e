//! An output that is compared with what is expected, as it comes out of its pipe.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api_spec::{CheckerKind, CheckerRequest, CheckerTold, Difference};
use grading::compare::{Rule, Tolerance};
use grading::{Compare, Expected, Opinion};

use super::{Checked, Finding};
use crate::budget::{Budget, Reservation};
use crate::capture::{Take, Tap};
use crate::job::Stdin;

/// By which rule outputs are compared. `None` where a program decides.
#[must_use]
pub fn rule(checker: Option<&CheckerRequest>) -> Option<Rule> {
    let Some(checker) = checker else { return Some(Rule::Lines) };
    match checker.kind {
        CheckerKind::Exact => Some(Rule::Exact),
        CheckerKind::Lines => Some(Rule::Lines),
        CheckerKind::Tokens => Some(Rule::Tokens),
        CheckerKind::Float => Some(Rule::Float(Tolerance::new(checker.absolute, checker.relative))),
        CheckerKind::UnorderedLines => Some(Rule::UnorderedLines),
        CheckerKind::Program => None,
    }
}

/// A comparison, as long as it goes well.
type Shared = Arc<Mutex<Option<io::Result<Box<dyn Compare>>>>>;

/// A comparison that is under way. The [`Tap`] that comes with it is for the run's standard output.
pub struct Comparing {
    /// Shared with the tap, which has it while the output comes.
    compare: Shared,
    /// What is expected may have to be waited for.
    on_disk: bool,
    /// As long as this is there what is expected is read.
    wanted: Arc<()>,
}

impl Comparing {
    /// A comparison with what is expected, which is read as far as the output reaches. What it holds of many lines is taken of
    /// `memory`.
    #[must_use]
    pub fn new(rule: Rule, expected: &Stdin, memory: &Arc<Budget>) -> (Comparing, Tap) {
        let wanted = Arc::new(());
        let (expected, on_disk): (Expected, bool) = match expected {
            Stdin::Bytes(bytes) => (Box::new(Cursor::new(bytes.clone())), false),
            Stdin::File(file) => {
                let file = Arc::clone(file);
                (Box::new(FromStart { file, at: 0, wanted: Arc::downgrade(&wanted) }), true)
            }
        };
        let compare: Shared = Arc::new(Mutex::new(Some(Ok(rule.against(expected, Box::new(Held(memory.nothing())))))));
        if on_disk && rule == Rule::UnorderedLines {
            // All of it is read before the first line is judged: better now than while the program waits, whose time runs.
            let compare = Arc::clone(&compare);
            tokio::task::spawn_blocking(move || feed(&compare, &[]));
        }
        let take = Box::new(Feed(Arc::clone(&compare)));
        let tap = if on_disk { Tap::elsewhere(take) } else { Tap::here(take) };
        (Comparing { compare, on_disk, wanted }, tap)
    }

    /// The output is over, and this is its tap.
    ///
    /// # Errors
    /// That of reading what is expected.
    pub async fn end(self, tap: Tap) -> io::Result<Checked> {
        drop(tap.end().await?);
        let Comparing { compare, on_disk, wanted } = self;
        let finish = move || {
            let compare = compare.lock().unwrap_or_else(PoisonError::into_inner).take();
            compare.ok_or_else(|| io::Error::other("a comparison that was ended before"))??.finish()
        };
        let opinion = if on_disk {
            // Whoever reads ahead may have it still: that is waited for where a thread may wait.
            tokio::task::spawn_blocking(finish).await.map_err(io::Error::other)??
        } else {
            finish()?
        };
        drop(wanted);
        Ok(checked(opinion))
    }
}

fn checked(opinion: Opinion) -> Checked {
    let grading::Difference { line, column, expected, found, message } = match opinion {
        Opinion::Right => return Checked { finding: Finding::Right, told: CheckerTold::default() },
        Opinion::Wrong(difference) => difference,
    };
    // What is no text is shown with marks in the place of what can't be.
    let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (expected, found) = (text(expected), text(found));
    let difference = (line > 0).then_some(Difference { line, column, expected, found });
    let told = CheckerTold { message: Some(message), difference, ..CheckerTold::default() };
    Checked { finding: Finding::Wrong, told }
}

/// What a comparison holds.
struct Held(Reservation);

impl grading::Memory for Held {
    fn hold(&mut self, bytes: u64) -> bool {
        let before = self.0.bytes();
        if bytes <= before {
            self.0.settle(bytes);
            return true;
        }
        let grown = self.0.grow(bytes - before);
        grown.inspect_err(|exhausted| tracing::debug!(%exhausted, "a comparison tells lines no longer apart")).is_ok()
    }
}

/// Compares what comes.
struct Feed(Shared);

impl Take for Feed {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        feed(&self.0, bytes);
        Ok(())
    }
}

/// What goes wrong is told at the end.
fn feed(compare: &Shared, bytes: &[u8]) {
    let mut compare = compare.lock().unwrap_or_else(PoisonError::into_inner);
    let fed = match compare.as_mut() {
        Some(Ok(compare)) if !compare.decided() => compare.feed(bytes),
        _ => Ok(()),
    };
    if let Err(error) = fed {
        *compare = Some(Err(error));
    }
}

/// A file that others read as well, from its beginning, as long as it is wanted: whoever reads it in a thread of its own can't
/// be stopped otherwise, and would go on after its run for as long as the file is.
struct FromStart {
    file: Arc<File>,
    at: u64,
    wanted: Weak<()>,
}

impl Read for FromStart {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wanted.strong_count() == 0 {
            return Err(io::Error::other("nobody waits for the comparison any more"));
        }
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::OwnedFd;

    use tokio::sync::Notify;

    use super::*;
    use crate::capture::{Keep, Output, Over, pipes};

    fn file(text: &[u8]) -> Stdin {
        let mut file = File::from(jail::records::empty_memfd().unwrap());
        file.write_all(text).unwrap();
        Stdin::File(Arc::new(file))
    }

    async fn compared(kind: CheckerKind, expected: &Stdin, output: &'static [u8]) -> io::Result<Checked> {
        compared_within(&Budget::new(1 << 20), kind, expected, output).await
    }

    async fn compared_within(
        memory: &Arc<Budget>,
        kind: CheckerKind,
        expected: &Stdin,
        output: &'static [u8],
    ) -> io::Result<Checked> {
        let request = CheckerRequest { kind, absolute: Some(0.1), relative: None, program: None };
        let (comparing, mut tap) = Comparing::new(rule(Some(&request)).unwrap(), expected, memory);
        let (ours, theirs) = pipes().unwrap();
        let program = tokio::task::spawn_blocking(move || {
            drop((theirs.stdin, theirs.stderr));
            File::from(theirs.stdout).write_all(output).unwrap();
        });
        let (mut streams, keep) = (Output::default(), Keep { head: 4, most: 1 << 30 });
        let (over, ended) = (Notify::new(), Over::default());
        ours.pump(&Stdin::default(), [keep; 2], Some(&mut tap), &mut streams, &over, &ended).await.unwrap();
        program.await.unwrap();
        comparing.end(tap).await
    }

    #[tokio::test]
    async fn an_output_is_compared_as_it_comes() {
        for expected in [Stdin::Bytes(b"1.5 x\n2\n".to_vec()), file(b"1.5 x\n2\n")] {
            let right = compared(CheckerKind::Lines, &expected, b"1.5 x \n2").await.unwrap();
            assert_eq!((right.finding, right.told), (Finding::Right, CheckerTold::default()));
            let right = compared(CheckerKind::Float, &expected, b"1.45 x 2.0").await.unwrap();
            assert_eq!(right.finding, Finding::Right);
            let wrong = compared(CheckerKind::Tokens, &expected, b"1.5 \xff").await.unwrap();
            assert_eq!(wrong.finding, Finding::Wrong);
            let (x, what) = (Some("x".to_owned()), Some("\u{fffd}".to_owned()));
            let difference = Difference { line: 1, column: 5, expected: x, found: what };
            assert_eq!(wrong.told.difference, Some(difference));
            assert!(wrong.told.message.is_some_and(|message| message.starts_with("line 1, column 5")));
            let unordered = compared(CheckerKind::UnorderedLines, &expected, b"2\n1.5 x").await.unwrap();
            assert_eq!(unordered.finding, Finding::Right);
            let short = compared(CheckerKind::Exact, &expected, b"1.5 x\n").await.unwrap();
            assert_eq!(short.told.difference.map(|difference| difference.found), Some(None));
        }
    }

    #[tokio::test]
    async fn many_lines_are_counted_and_judged_also_where_there_is_no_room_for_them() {
        let (expected, kind) = (Stdin::Bytes(b"1\n2\n".to_vec()), CheckerKind::UnorderedLines);
        let memory = Budget::new(1 << 20);
        let (comparing, tap) = Comparing::new(Rule::UnorderedLines, &expected, &memory);
        feed(&comparing.compare, b"2\n");
        assert!(memory.used() > 1_000, "{}", memory.used());
        drop((comparing, tap));
        assert_eq!(memory.used(), 0);
        let none = Budget::new(0);
        let right = compared_within(&none, kind, &expected, b"2\n1\n").await.unwrap();
        assert_eq!(right.finding, Finding::Right);
        let wrong = compared_within(&none, kind, &expected, b"2\n3\n").await.unwrap();
        assert_eq!((wrong.finding, wrong.told.difference), (Finding::Wrong, None));
        assert!(wrong.told.message.unwrap().contains("no memory"));
    }

    #[test]
    fn what_nobody_wants_is_not_read_to_its_end() {
        // It has none.
        let zeros = Arc::new(File::open("/dev/zero").unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (comparing, tap) = {
            let _entered = runtime.enter();
            Comparing::new(Rule::UnorderedLines, &Stdin::File(Arc::clone(&zeros)), &Budget::new(1 << 20))
        };
        assert!(Arc::strong_count(&zeros) > 1);
        drop((comparing, tap));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(150);
        while Arc::strong_count(&zeros) > 1 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        // Dropped, it would wait for who reads.
        runtime.shutdown_background();
        assert_eq!(Arc::strong_count(&zeros), 1);
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_our_failure() {
        let (_, writes_only) = io::pipe().unwrap();
        let broken = Stdin::File(Arc::new(File::from(OwnedFd::from(writes_only))));
        assert!(compared(CheckerKind::Lines, &broken, b"x").await.is_err());
        assert!(compared(CheckerKind::Lines, &broken, b"").await.is_err());
        assert!(compared(CheckerKind::UnorderedLines, &broken, b"x\n").await.is_err());
    }

    /// Is over when it is told.
    struct Blocks(std::sync::mpsc::Receiver<()>);

    impl Read for Blocks {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.recv().map(|()| 0).map_err(io::Error::other)
        }
    }

    /// On the one thread that there is here, as it would be on all threads if each had such an end to wait for.
    #[tokio::test]
    async fn nobody_waits_for_who_reads_ahead_where_others_wait() {
        let (told, blocks) = std::sync::mpsc::channel();
        let expected = Rule::UnorderedLines.against(Box::new(Blocks(blocks)), Box::new(Held(Budget::new(0).nothing())));
        let compare: Shared = Arc::new(Mutex::new(Some(Ok(expected))));
        let ahead = Arc::clone(&compare);
        let ahead = tokio::task::spawn_blocking(move || feed(&ahead, &[]));
        while compare.try_lock().is_ok() {
            tokio::task::yield_now().await;
        }
        let tap = Tap::elsewhere(Box::new(Feed(Arc::clone(&compare))));
        let comparing = Comparing { compare, on_disk: true, wanted: Arc::new(()) };
        let others = async {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            told.send(()).unwrap();
        };
        let (checked, ()) = tokio::join!(comparing.end(tap), others);
        assert_eq!(checked.unwrap().finding, Finding::Right);
        ahead.await.unwrap();
    }

    #[test]
    fn without_a_checker_lines_count() {
        assert_eq!(rule(None), Some(Rule::Lines));
        let program = CheckerRequest { kind: CheckerKind::Program, absolute: None, relative: None, program: None };
        assert_eq!(rule(Some(&program)), None);
    }
}
