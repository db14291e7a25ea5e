//! `engined run` and `engined doctor` without a server: the parent starts jaild and then this program again, as the
//! part that talks to it, which becomes an ordinary user first. The parent takes jaild away at the end.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jail::link::Welcome;
use nix::sys::signal::Signal;
use tokio::runtime::Runtime;

use crate::link::Link;
use crate::process::{Event, Kid, Signals};
use crate::state::{self, State};
use crate::supervise::{JAILD_ENDS, START, Trouble, Ward, first_line};

/// The link is there when the part that talks is started.
const WELCOME_WITHIN: Duration = Duration::from_secs(10);

/// What a shell says when a program could not be started: our failure, not the program's.
pub const ENGINE_FAILED: u8 = 125;
const LOG: &str = "jaild.log";

/// What jaild said.
fn show(log: &Path) {
    match std::fs::read_to_string(log) {
        Ok(text) => complain!("{}", text.trim_end()),
        Err(error) => complain!("engined: {}: {error}", log.display()),
    }
}

/// A jaild of our own, and where to find it.
pub struct Embedded {
    signals: Signals,
    jaild: Ward,
    state: State,
}

impl Embedded {
    /// Starts jaild and waits until it has proved every layer. `None`: we shall end instead.
    ///
    /// # Errors
    /// What jaild lacks stands on standard error already.
    pub fn start(config: Option<&str>) -> Result<Option<Self>, Trouble> {
        let told = |error: std::io::Error| error.to_string();
        let signals = Signals::block().map_err(told)?;
        let state = State::make(None).map_err(told)?;
        let mut command = state.jaild(None).map_err(told)?;
        // Standard error is the program's and ours; what jaild says matters when something went wrong.
        let log = state.file(LOG);
        command.stderr(File::create(&log).map_err(told)?);
        if let Some(config) = config {
            command.arg("--config").arg(state.write("jaild.toml", config).map_err(told)?);
        }
        let mut jaild = Ward::new("jaild");
        jaild.start(command).map_err(told)?;
        let ready =
            first_line(&signals, &mut [&mut jaild], "jaild ready", START, &mut false).inspect_err(|_| show(&log))?;
        Ok(ready.map(|_| Embedded { signals, jaild, state }))
    }

    /// Runs this program again as the part that talks to jaild, with our streams, and ends with its exit code.
    ///
    /// # Errors
    /// It could not be started, or jaild did not end well.
    pub fn run(mut self, command: &str, args: &[OsString]) -> Result<ExitCode, Trouble> {
        let told = |error: std::io::Error| error.to_string();
        let mut talker: Command = self.state.ourselves();
        talker.arg(command).arg("--link").arg(self.state.link()).args(state::identity()).args(args);
        talker.stdin(Stdio::inherit());
        let mut child = talker.spawn().map_err(told)?;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(told)? {
                break status;
            }
            let mut kids: Vec<&mut Kid> = self.jaild.kid.as_mut().into_iter().collect();
            let events = self.signals.wait(&mut kids, Duration::from_secs(60)).map_err(told)?;
            if events.contains(&Event::End) {
                let pid = i32::try_from(child.id()).map(nix::unistd::Pid::from_raw);
                if let Ok(pid) = pid
                    && let Err(error) = nix::sys::signal::kill(pid, Signal::SIGTERM)
                {
                    complain!("engined: {error}");
                }
            }
        };
        if let Some(mut jaild) = self.jaild.kid.take() {
            let ended = jaild.stop(&self.signals, JAILD_ENDS).map_err(told)?;
            if !ended.success() || status.code() == Some(i32::from(ENGINE_FAILED)) {
                show(&self.state.file(LOG));
                complain!("engined: jaild ended with {ended}");
            }
        }
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        let code = status.code().or(signal.map(|signal| 128 + signal)).and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(1)))
    }
}

/// The part that talks: a runtime and a link that is up.
///
/// # Errors
/// The link did not come up.
pub fn connect(link: &Path) -> Result<(Runtime, Arc<Link>, Welcome), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| format!("threads: {error}"))?;
    let link = Link::new(link);
    let welcome = runtime.block_on(async {
        let mut welcome = link.welcome();
        tokio::spawn(Arc::clone(&link).keep());
        let up = tokio::time::timeout(WELCOME_WITHIN, welcome.wait_for(Option::is_some)).await;
        up.ok().and_then(Result::ok).and_then(|welcome| *welcome)
    });
    let welcome = welcome.ok_or_else(|| "jaild did not say welcome; see its messages above".to_owned())?;
    Ok((runtime, link, welcome))
}

/// What the hidden options of the talking part say.
#[derive(Clone, Debug, Default)]
pub struct Talker {
    /// The socket of jaild; absent in the parent.
    pub link: Option<PathBuf>,
    /// Whom to become.
    pub user: Option<String>,
    /// With whom to end.
    pub parent: Option<i32>,
}
