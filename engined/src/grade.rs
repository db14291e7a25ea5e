//! `engined batch FILE|DIR`: has an engine judge programs by tests, and writes what came of it.
//!
//! What is judged is a batch as the API has it, or a folder (`folder`). It becomes a [`parcel::Parcel`]: the
//! request, and the blobs that the server must have before. The parcel's key is made of its content, so that the same
//! command finds its batch again, whether it was ended by Ctrl-C or by a power cut: nothing is sent twice, and results
//! go on after the last one that stands in `results.jsonl`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use api_spec::BatchResponse;
use hyper::Method;

use crate::client::{Asked, Client};
use crate::selftest::target::{self, How, Start, Up, Wish};
use draft::Draft;
use follow::Follower;
use keep::{Kept, State};
use parcel::Parcel;
use progress::Progress;
use table::Judged;
use tally::Tally;

mod deliver;
pub mod draft;
pub mod folder;
mod follow;
pub mod help;
mod junit;
mod keep;
pub mod order;
pub mod parcel;
mod plain;
mod programs;
mod progress;
pub mod settings;
mod sheet;
mod table;
mod tally;

/// Everything is accepted, or as labelled.
const GOOD: u8 = 0;
/// Something is not.
const NOT_GOOD: u8 = 1;
/// The caller's mistake or ours: nothing is said about the programs.
const FAILED: u8 = 2;
/// What a shell says of a command that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;
/// What the folder of results remembers of an engine that keeps nothing.
const EPHEMERAL: &str = "an engine of its own";
/// An answer may take so long; a blob of a GiB over a slow line too.
const PATIENCE: Duration = Duration::from_secs(600);

/// What `batch` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// A batch as the API has it, or a folder.
    pub what: PathBuf,
    /// The folder of programs, where it is not that in `what`.
    pub submissions: Option<PathBuf>,
    /// Languages by suffix.
    pub languages: BTreeMap<String, String>,
    /// Which engine.
    pub wish: Wish,
    /// Where an engine of our own keeps the batch.
    pub state: Option<PathBuf>,
    /// The folder for results.
    pub out: Option<PathBuf>,
    /// Whether labels are what is asked about.
    pub labels: bool,
    /// A batch that was sent before is sent once more.
    pub again: bool,
    /// Ctrl-C ends the batch too.
    pub cancel_on_interrupt: bool,
    /// The batch as JSON instead of a table.
    pub json: bool,
}

/// `engined batch`.
#[must_use]
pub fn grade(options: &Options) -> ExitCode {
    ExitCode::from(run(options).unwrap_or_else(|trouble| {
        complain!("engined: {trouble}");
        FAILED
    }))
}

fn run(options: &Options) -> Result<u8, String> {
    let draft = draft(options)?;
    if options.labels && draft.expected.iter().all(Option::is_none) {
        return Err(
            "--labels: no submission has a label; put them into folders such as submissions/accepted/".to_owned()
        );
    }
    let again = if options.again { Some(chance()?) } else { None };
    let parcel = parcel::pack(draft, again.as_deref())?;
    let kept = options.out.as_deref().map(Kept::open).transpose()?;
    let target = target::choose(&options.wish)?;
    let token = target::token(&options.wish)?;
    if let Some(note) = &target.note {
        complain!("engined: {note}: one is started for this batch");
    }
    let mut up = match target.how {
        // From the main thread, before there is another.
        How::Embedded => Some(Up::start(&embedded(options.state.as_deref())?)?),
        How::Named | How::Installed => None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("threads: {error}"))?;
    let done = runtime.block_on(async {
        let mut interrupted = interrupted()?;
        let address = match (target.address, &mut up) {
            (Some(address), _) => address,
            (None, Some(up)) => tokio::select! {
                address = up.address() => address?,
                _ = interrupted.recv() => return Ok(INTERRUPTED),
            },
            (None, None) => return Err("there is no engine".to_owned()),
        };
        let client = Client { address, token, patience: PATIENCE };
        let place = match target.how {
            How::Embedded => match options.state.as_deref().map(std::path::absolute) {
                Some(Ok(state)) => format!("an engine of its own in {}", state.display()),
                _ => EPHEMERAL.to_owned(),
            },
            How::Named | How::Installed => client.address.to_string(),
        };
        let mut session = Session { options, parcel: &parcel, client, kept, place, batch: None, got: 0 };
        let engine_ended = async {
            match &mut up {
                Some(up) => up.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            done = session.run() => done,
            why = engine_ended => Err(why),
            _ = interrupted.recv() => session.interrupted().await,
        }
    });
    drop(up);
    done
}

fn draft(options: &Options) -> Result<Draft, String> {
    let what = &options.what;
    if !what.is_dir() {
        if options.submissions.is_some() || !options.languages.is_empty() {
            return Err("--submissions and --language go with a folder; a file says all by itself".to_owned());
        }
        return Draft::read(what);
    }
    let catalogue = crate::run::catalogue()?;
    let places = folder::Places {
        problem: what.clone(),
        submissions: options.submissions.clone(),
        languages: options.languages.clone(),
    };
    folder::read(&places, &catalogue).map_err(|mistakes| mistakes.join("\nengined: "))
}

/// Sixteen bytes that nobody had before.
fn chance() -> Result<String, String> {
    let mut chance = [0_u8; 16];
    getrandom::fill(&mut chance).map_err(|error| format!("no entropy: {error}"))?;
    Ok(chance.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// How an engine of our own is started. What is to outlive it lies in `state`.
fn embedded(state: Option<&Path>) -> Result<Start, String> {
    let Some(state) = state else { return Ok(Start::default()) };
    let told = |error: std::io::Error| format!("--state {}: {error}", state.display());
    std::fs::create_dir_all(state).map_err(told)?;
    let state = std::path::absolute(state).map_err(told)?;
    let mut options = Vec::new();
    for (option, name) in [("--cache", "cache"), ("--batches", "batches")] {
        options.extend([option.into(), state.join(name).into_os_string()]);
    }
    Ok(Start { options, ..Start::default() })
}

/// Tells of the first Ctrl-C. The second ends us at once, wherever we are.
fn interrupted() -> Result<tokio::sync::mpsc::Receiver<()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let told = |error: std::io::Error| format!("signals: {error}");
    let mut interrupt = signal(SignalKind::interrupt()).map_err(told)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(told)?;
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let mut told = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            // Whoever waits for the first may have taken it or not, or be gone.
            if std::mem::replace(&mut told, true) || sender.try_send(()).is_err() {
                std::process::exit(i32::from(INTERRUPTED));
            }
        }
    });
    Ok(receiver)
}

/// One command: from the parcel to the files.
struct Session<'a> {
    options: &'a Options,
    parcel: &'a Parcel,
    client: Client,
    kept: Option<Kept>,
    /// What the folder of results remembers of the engine.
    place: String,
    batch: Option<String>,
    got: u64,
}

impl Session<'_> {
    async fn run(&mut self) -> Result<u8, String> {
        target::greet(&self.client).await?;
        let progress = Progress::start();
        let mut tally = Tally::new(&self.parcel.request);
        let batch = match self.before()? {
            Some(batch) => {
                self.batch = Some(batch.clone());
                if let Some(kept) = &mut self.kept {
                    self.got = kept.recall(|result| tally.add(result))?;
                }
                batch
            }
            None => {
                let batch = deliver::deliver(&self.client, self.parcel, &progress).await?.id;
                self.batch = Some(batch.clone());
                if let Some(kept) = &mut self.kept {
                    let key = self.parcel.key.clone();
                    kept.begin(State { batch: batch.clone(), key, server: self.place.clone() })?;
                }
                batch
            }
        };
        let request = &self.parcel.request;
        let all =
            [request.submissions.len(), request.tests.len()].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        let all = all.iter().fold(u64::from(request.repeat), |product, count| product.saturating_mul(*count));
        progress.counts(&batch, self.got, all);
        let mut follower = Follower { client: &self.client, batch: &batch, last: self.got, progress: &progress };
        let (kept, got) = (&mut self.kept, &mut self.got);
        let response = follower
            .follow(|result, line| {
                let place = tally.add(result)?;
                if let Some(kept) = kept {
                    kept.append(place, line)?;
                }
                *got = result.seq;
                progress.done(result.seq, || tally.in_words());
                Ok(())
            })
            .await?;
        progress.end();
        self.finish(&response, &tally)
    }

    /// The batch that the folder of results belongs to, if it is this one.
    fn before(&self) -> Result<Option<String>, String> {
        let Some(state) = self.kept.as_ref().and_then(Kept::state) else { return Ok(None) };
        let out = self.options.out.as_deref().unwrap_or(Path::new("")).display();
        // What such an engine had is gone with it.
        if self.options.again || self.place == EPHEMERAL {
            return Ok(None);
        }
        if state.key != self.parcel.key {
            return Err(format!(
                "--out {out} holds the results of another batch, {}, or of this one before it was changed; name another \
                 folder, or add --again to write over it",
                state.batch
            ));
        }
        if state.server != self.place {
            return Err(format!(
                "--out {out} holds batch {} of {}, and this would be {}; name that one, another folder, or add --again",
                state.batch, state.server, self.place
            ));
        }
        Ok(Some(state.batch.clone()))
    }

    /// Writes the files and says what came of it.
    fn finish(&mut self, response: &BatchResponse, tally: &Tally) -> Result<u8, String> {
        let (request, labels) = (&self.parcel.request, self.options.labels);
        let judged = table::judged(request, response, tally, &self.parcel.expected);
        if let Some(kept) = &mut self.kept {
            kept.sync()?;
            kept.sort();
            kept.write(keep::SHEET, |file| sheet::write(file, request, kept))?;
            kept.write(keep::GRADES, |file| sheet::grades(file, request, response, tally))?;
            kept.write(keep::REPORT, |file| {
                if labels {
                    junit::write_labels(file, response, &judged)
                } else {
                    junit::write(file, request, response, kept)
                }
            })?;
        }
        let (good, sentence) = table::sentence(&judged, response, tally, labels);
        if self.options.json {
            say!("{}", serde_json::to_string_pretty(response).map_err(|error| error.to_string())?);
            complain!("engined: {sentence}");
        } else {
            self.show(&judged, &sentence);
        }
        // What could not be judged is our fault or the checker's, and says nothing about the programs.
        Ok(match (tally.unjudged(), good) {
            (Some(_), _) => FAILED,
            (None, true) => GOOD,
            (None, false) => NOT_GOOD,
        })
    }

    fn show(&self, judged: &[Judged], sentence: &str) {
        let size = console::Term::stdout().size_checked();
        let columns = size.map(|(_, columns)| usize::from(columns));
        say!("{}\n{sentence}", table::table(judged, self.options.labels, columns));
        if let Some(out) = &self.options.out {
            say!("Results: {}: results.jsonl, results.csv, submissions.csv, junit.xml", out.display());
        }
    }

    /// What becomes of the batch that nobody waits for any more.
    async fn interrupted(&mut self) -> Result<u8, String> {
        if let Some(kept) = &self.kept {
            kept.sync()?;
        }
        let Some(batch) = self.batch.clone() else {
            complain!("engined: interrupted before the batch was accepted");
            return Ok(INTERRUPTED);
        };
        if self.options.cancel_on_interrupt {
            let asked = Asked::new(Method::DELETE, &format!("/v1/batches/{batch}"));
            let reply = self.client.ask(asked).await.map_err(|silence| format!("batch {batch} goes on: {silence}"))?;
            if !matches!(reply.status, 200..=299) {
                return Err(format!("batch {batch} goes on: {}", reply.told()));
            }
            complain!("engined: interrupted after {} results; batch {batch} is cancelled", self.got);
            return Ok(INTERRUPTED);
        }
        let embedded = self.place != self.client.address.to_string();
        let what = match (embedded, &self.options.state) {
            (false, _) => format!("batch {batch} goes on at {}; the same command follows it again", self.place),
            (true, Some(_)) => "the same command goes on with it".to_owned(),
            (true, None) => "without --state nothing of it is kept".to_owned(),
        };
        complain!("engined: interrupted after {} results; {what}", self.got);
        Ok(INTERRUPTED)
    }
}
