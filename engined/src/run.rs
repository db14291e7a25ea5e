//! `engined run FILE…`: runs a program in the sandbox as if it were run directly. Its input, output and exit code are
//! its own; one line on standard error says what it used.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use api_spec::{Caps, ExecutionRequest, OnOutputLimit, SourceFile, Verdict};
use jail::spec::{Ended, Outcome, StopReason};
use languages::Catalogue;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{SignalKind, signal};

use crate::admission::{self, Rules};
use crate::capture::{Captured, Output};
use crate::collection::Collector;
use crate::control::Control;
use crate::embed::{self, ENGINE_FAILED, Embedded, Talker};
use crate::engine::of_jaild;
use crate::execution::{self, Compiled, Memfds};
use crate::http::answer::new_id;
use crate::job::{Job, Stdin};
use crate::link::{Link, Run, RunEnd};
use crate::offers::Offers;
use crate::verdict::{self, Facts};
use crate::{probe, serve, state};
use amounts::Limit;

pub mod amounts;
pub mod files;

/// What is kept of the error stream to tell why a program ended.
const LAST_BYTES: usize = 8 << 10;

/// What a shell says of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// What `run` is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program's files, the main one first.
    pub files: Vec<PathBuf>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its language, where the suffix does not say it.
    pub language: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Limits that differ from the language's own.
    pub limits: Vec<Limit>,
    /// Which files come back.
    pub outputs: Vec<String>,
    /// Where they go.
    pub into: PathBuf,
    /// The result instead of the output.
    pub json: bool,
    /// The descriptor that takes the files to the parent.
    pub files_to: Option<i32>,
    /// The talking part.
    pub talker: Talker,
}

/// `engined run`.
#[must_use]
pub fn run(options: Options) -> ExitCode {
    let done = match options.talker.link.clone() {
        Some(link) => talk(options, &link),
        None => start(&options),
    };
    done.unwrap_or_else(|trouble| {
        complain!("engined: {trouble}");
        ExitCode::from(ENGINE_FAILED)
    })
}

fn start(options: &Options) -> Result<ExitCode, String> {
    // Before anything is started: a wrong name should cost nothing.
    request(options, &catalogue()?)?;
    let Some(embedded) = Embedded::start(None)? else { return Ok(ExitCode::from(ENGINE_FAILED)) };
    // The talking part is told what we were told, and where files go.
    let mut args: Vec<OsString> = Vec::new();
    let back = if options.outputs.is_empty() {
        None
    } else {
        let (receiving, theirs, number) = files::way_back().map_err(|error| error.to_string())?;
        args.extend(["--files-to".into(), number.to_string().into()]);
        Some((receiving, theirs))
    };
    args.extend(std::env::args_os().skip(2));
    let (receiving, theirs) = back.unzip();
    let code = embedded.run("run", &args)?;
    drop(theirs);
    if let Some(receiving) = receiving
        && let Err(trouble) = receiving.write(&options.into)
    {
        // The exit code is the program's all the same.
        complain!("engined: {trouble}");
    }
    Ok(code)
}

/// The languages that come with the program, and the operator's.
pub(crate) fn catalogue() -> Result<Catalogue, String> {
    Catalogue::load(state::manifests().as_deref())
        .map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn talk(options: Options, link: &Path) -> Result<ExitCode, String> {
    let catalogue = catalogue()?;
    // Looked up and read as the caller, run as somebody else.
    let tuning = state::tuning();
    let request = request(&options, &catalogue)?;
    let files = options.files_to.map(files::sending).transpose().map_err(|error| format!("the way back: {error}"))?;
    serve::confine(options.talker.user.as_deref(), options.talker.parent).map_err(|why| why.join("; "))?;
    let (runtime, link, welcome) = embed::connect(link)?;
    let ceiling = of_jaild(&welcome);
    let code = runtime.block_on(async {
        let mut offers = Offers::default();
        for definition in catalogue.languages() {
            let asked = definition.answers_to(&request.language);
            let probed = if asked {
                probe::toolchains(&link, definition, &ceiling, false, tuning.as_deref()).await
            } else {
                Vec::new()
            };
            offers.add(definition, probed);
        }
        let job = admission::admit(request, &Rules { offers: &offers, ceiling: &ceiling, plan: None });
        let mut job = job.map_err(|error| error.problem().to_string())?;
        if options.json { report(&link, &mut job, files).await } else { execute(&link, &job, files).await }
    });
    // Whoever waits for a line of our input is left behind.
    runtime.shutdown_background();
    code.map(ExitCode::from)
}

/// The files as a request. Paths below the working directory keep their folders, others their names alone.
fn request(options: &Options, catalogue: &Catalogue) -> Result<ExecutionRequest, String> {
    let mut files = Vec::new();
    for file in &options.files {
        let shown = file.display();
        let plain = file.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        let path: PathBuf = if plain {
            file.components().filter(|part| matches!(part, Component::Normal(_))).collect()
        } else {
            file.file_name().map(PathBuf::from).ok_or_else(|| format!("{shown} is no file; name one"))?
        };
        let path = path.into_os_string().into_string().map_err(|_| format!("{shown} is not UTF-8; rename it"))?;
        let content = std::fs::read(file).map_err(|error| format!("{shown} can't be read: {error}"))?;
        files.push(SourceFile { path, content: content.into() });
    }
    let main = files.first().map(|file| file.path.clone()).ok_or("name a file to run")?;
    let definition = match &options.language {
        Some(language) => catalogue.language(language),
        None => catalogue.languages_of_file(&main).first().copied(),
    };
    let known = || catalogue.languages().iter().map(|language| language.id.as_str()).collect::<Vec<_>>().join(", ");
    let definition = definition.ok_or_else(|| match &options.language {
        Some(language) => format!("there is no language {language:?}; there are {}", known()),
        None => format!("the name {main:?} does not say the language; add --language, one of {}", known()),
    })?;
    let entry = (definition.entry != languages::Entry::Refused).then_some(main);
    let request = ExecutionRequest {
        language: definition.id.clone(),
        version: options.version.clone(),
        files: Some(files),
        entry,
        args: options.args.clone(),
        outputs: options.outputs.clone(),
        ..ExecutionRequest::default()
    };
    let mut body = serde_json::to_value(request).map_err(|error| error.to_string())?;
    body["limits"] = amounts::of_step(&options.limits, false);
    body["compile_limits"] = amounts::of_step(&options.limits, true);
    // Checked as a caller's would be, in the same words.
    ExecutionRequest::from_json(body.to_string().as_bytes(), &Caps::default()).map_err(|problem| problem.to_string())
}

/// Runs the job as the API would, and prints its result.
async fn report(link: &Arc<Link>, job: &mut Job, files: Option<File>) -> Result<u8, String> {
    let told = |error: io::Error| error.to_string();
    let stdin = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    });
    job.stdin = Stdin::Bytes(stdin.await.map_err(|error| error.to_string())?.map_err(told)?);
    let (room, control) = (execution::room_for_one(), Control::default());
    let stop = interrupted().map_err(told)?;
    let result = {
        let mut run = pin!(execution::run_job(link, &room, new_id(), job, None, None, &control));
        tokio::select! {
            result = &mut run => result,
            () = stop => {
                control.cancel();
                run.await
            }
        }
    };
    let (result, _) = result.map_err(told)?;
    if let Some(to) = files {
        files::send(to, &result.outputs, &result.outputs_skipped, result.outputs_omitted).map_err(told)?;
    }
    let text = serde_json::to_string_pretty(&result).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{text}").map_err(told)?;
    let program = result.run.as_ref().and_then(|run| run.exit_code.or(run.signal.as_deref().and_then(signalled)));
    Ok(match result.verdict {
        Verdict::CompileError => 1,
        Verdict::Cancelled => INTERRUPTED,
        _ => program.unwrap_or(ENGINE_FAILED),
    })
}

/// What a shell makes of a signal's name.
fn signalled(name: &str) -> Option<u8> {
    (1..=64).find(|number| verdict::signal_name(*number) == name).map(|number| 128 + number)
}

/// Returns when somebody wants us to stop: Ctrl-C, or the parent.
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Runs the job with our streams as its own.
async fn execute(link: &Arc<Link>, job: &Job, files: Option<File>) -> Result<u8, String> {
    let told = |error: io::Error| error.to_string();
    let mut artifact = None;
    if let Some(step) = &job.program.compile {
        let (room, control) = (execution::room_for_one(), Control::default());
        let bundles = job.program.compile_bundles(step).map_err(told)?;
        let compiled = execution::compile(link, &room, step, bundles, None, &control).await;
        let Compiled { done, outcome, .. } = compiled.map_err(told)?;
        io::stderr().write_all(&done.output.stdout.kept).map_err(told)?;
        io::stderr().write_all(&done.output.stderr.kept).map_err(told)?;
        match outcome {
            Ok(made) => artifact = Some(Arc::new(made)),
            Err((verdict, reason)) => {
                tell(verdict, reason.map(|reason| reason.message), &done.end);
                return Ok(if verdict == Verdict::CompileError { 1 } else { ENGINE_FAILED });
            }
        }
    }
    let wanted = files.is_some();
    let (mut collector, collection) =
        wanted.then(|| Collector::of_outputs(&job.outputs)).transpose().map_err(told)?.unzip();
    let bundle = Arc::new(job.program.run_bundle(&job.run, &job.outputs).map_err(told)?);
    let memfds = Memfds { bundle, artifact, collection };
    let stop = interrupted().map_err(told)?;
    let (mut run, ours) = execution::begin(link, &job.run, &memfds, None, None).await.map_err(told)?;
    // The sandbox has its own. A pipe that we hold open ourselves would never end.
    drop(memfds);
    let (stdin, stdout, stderr) = ours.into_parts().map_err(told)?;
    std::thread::spawn(move || feed(stdin.into()));
    let out = tokio::spawn(pass_on(stdout, io::stdout()));
    let err = tokio::spawn(pass_on(stderr, io::stderr()));
    let collect = async { if let Some(collector) = &mut collector { collector.read().await } else { Ok(()) } };
    let (end, collected) = tokio::join!(stoppable(&mut run, stop), collect);
    // A reader of ours that has gone is the program's SIGPIPE, not our failure.
    drop(out.await);
    let last = err.await.ok().and_then(Result::ok).unwrap_or_default();
    let output = Output { stderr: Captured { bytes: 0, kept: last }, ..Output::default() };
    let succeeded = matches!(end, RunEnd::Ended(Ended { outcome: Outcome::Exited(0), .. }));
    let facts = Facts {
        end: &end,
        step: &job.run,
        output: &output,
        on_output_limit: OnOutputLimit::Truncate,
        gone: if succeeded { None } else { job.run.gone() },
    };
    let (verdict, reason) = verdict::of_run(&facts);
    tell(verdict, reason.map(|reason| reason.message), &end);
    if let (Some(to), Some(collector), RunEnd::Ended(ended)) = (files, collector, &end) {
        collected.map_err(told)?;
        let brought = collector.outputs(&job.outputs.globs, ended.collected);
        files::send(to, &brought.files, &brought.skipped, brought.omitted).map_err(told)?;
    }
    Ok(match &end {
        RunEnd::Ended(_) if verdict == Verdict::Cancelled => INTERRUPTED,
        RunEnd::Ended(ended) => match ended.outcome {
            Outcome::Exited(code) => code,
            Outcome::Signalled(signal) => 128_u8.saturating_add(signal),
            Outcome::Failed { .. } => ENGINE_FAILED,
        },
        RunEnd::Refused(_) | RunEnd::Lost => ENGINE_FAILED,
    })
}

/// Waits for the end of a run, and ends it when somebody wants us to stop.
async fn stoppable(run: &mut Run, stop: impl Future<Output = ()>) -> RunEnd {
    let stopped = tokio::select! {
        end = run.end() => Some(end),
        () = stop => None,
    };
    match stopped {
        Some(end) => end,
        None => {
            run.stop(StopReason::Cancelled);
            run.end().await
        }
    }
}

/// As it comes, so that a conversation works. Ends with our input, or when the program no longer reads.
fn feed(mut pipe: std::fs::File) {
    let mut chunk = [0; 64 << 10];
    let mut stdin = io::stdin().lock();
    while let Ok(read @ 1..) = stdin.read(&mut chunk) {
        if pipe.write_all(&chunk[..read]).is_err() {
            return;
        }
    }
}

/// The last of it, in which a runtime says what it died of.
async fn pass_on(pipe: Receiver, mut to: impl Write) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; 64 << 10];
    let mut last = Vec::new();
    loop {
        pipe.readable().await?;
        match pipe.try_read(&mut chunk) {
            Ok(0) => return Ok(last),
            Ok(read) => {
                to.write_all(&chunk[..read])?;
                to.flush()?;
                last.extend_from_slice(&chunk[..read]);
                last.drain(..last.len().saturating_sub(LAST_BYTES));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// The one line of ours.
fn tell(verdict: Verdict, reason: Option<String>, end: &RunEnd) {
    let used = match end {
        RunEnd::Ended(ended) => {
            let usage = &ended.usage;
            let ms = |micros: u64| format!("{}.{:03} s", micros / 1_000_000, micros / 1000 % 1000);
            let tenths = usage.memory_peak.0 * 10 / (1 << 20);
            format!(
                ", CPU {}, wall {}, peak memory {}.{} MiB",
                ms(usage.cpu.0),
                ms(usage.wall.0),
                tenths / 10,
                tenths % 10
            )
        }
        RunEnd::Refused(_) | RunEnd::Lost => String::new(),
    };
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    complain!("engined: {verdict}{used}{why}");
}
