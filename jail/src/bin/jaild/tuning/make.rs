//! `jaild --tune yes`: makes what is not there yet, once per machine, and ends.
//!
//! The commands are a manifest's, on files of a manifest's: nobody's program runs here. All the same they run as jaild's
//! ordinary user where root starts it, without groups, capabilities or a way to gain any, in an empty environment, with
//! a deadline, in a folder of that user's, and end with us. What they leave is copied into new files of root's, so that nobody holds a
//! descriptor that could still write to them; the folder gets its name when it is whole. A lock keeps a second
//! `--tune` waiting, which then finds the work done.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use jail::error::{At, JailError, Step};
use jail::{privileges, sys};
use languages::tuning::{Make, Tuning};
use languages::{Catalogue, Definition, Looks, Toolchain};
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat2};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::halt::{Halt, Woken};
use super::{SEAL, Store, recipes, seal_text};
use crate::slot::log;

/// The longest that one command may take. The slowest known takes 5 s alone.
const COMMAND: Duration = Duration::from_secs(300);
/// The longest to wait for another one that is making the same.
const OTHERS: Duration = Duration::from_secs(1800);
/// A folder that no `--tune` has asked for in so long is removed.
const UNUSED: Duration = Duration::from_secs(7 * 86_400);
/// What is kept of a command's words.
const SAID_BYTES: usize = 2000;
const PREFIX: &str = ".making-";

/// Whom the commands run as: uid and gid. `None`: whoever we are, who is not root.
pub type Maker = Option<(u32, u32)>;

/// Makes everything that the catalogue has a recipe for and that is not there, or that of one language alone. What fails
/// is logged, and no error. `false`: it was told to end before it was through; what it had begun is gone.
///
/// # Errors
/// The store can't be had.
pub fn tune(
    folder: &Path,
    catalogue: &Catalogue,
    only: Option<&str>,
    maker: Maker,
    halt: &Halt,
) -> Result<bool, JailError> {
    let shown = folder.display().to_string();
    DirBuilder::new().recursive(true).mode(0o755).create(folder).on(Step::Settings, shown.as_str())?;
    let owner = nix::unistd::geteuid().as_raw();
    if let Some(mistake) = languages::untrusted(folder, owner) {
        return Err(io::Error::other(mistake.to_string())).on(Step::Settings, shown);
    }
    let Some(_lock) = lock(folder, halt).on(Step::Settings, shown.as_str())? else { return Ok(false) };
    privileges::no_new_privs()?;
    let store = Store::at(folder, owner);
    sweep(folder).on(Step::Settings, shown.as_str())?;
    let (mut done, mut looks) = (Vec::new(), Looks::default());
    for (language, toolchain, recipe) in recipes(catalogue) {
        if halt.is_asked().at(Step::Settings)? {
            return Ok(false);
        }
        let name = format!("{}/{}", language.id, toolchain.id);
        let wanted = only.is_none_or(|only| language.answers_to(only));
        let key = match language.tuning_key(toolchain, recipe, &mut looks) {
            Ok(key) if done.contains(&key) => continue,
            Ok(key) => key,
            Err(e) => {
                log(&format!("{name} is not tuned: {e}"));
                continue;
            }
        };
        if wanted
            && let Err(why) = one(&store, &name, &key, (language, toolchain, recipe), maker, halt)
            && !halt.is_asked().at(Step::Settings)?
        {
            log(&format!("{name} is not tuned, its steps run as they are: {why}"));
        }
        done.push(key);
    }
    if halt.is_asked().at(Step::Settings)? {
        return Ok(false);
    }
    forget(folder, &done).on(Step::Settings, shown)?;
    Ok(true)
}

/// Waits for the lock. `None`: we shall end instead.
fn lock(folder: &Path, halt: &Halt) -> io::Result<Option<File>> {
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(folder.join(".lock"))?;
    let deadline = Instant::now() + OTHERS;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                if halt.wait(None, Instant::now() + Duration::from_millis(50))? == Woken::Halt {
                    return Ok(None);
                }
            }
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other(
                    "another jaild --tune holds .lock for too long: end it (fuser says which)",
                ));
            }
            Err(TryLockError::Error(e)) => return Err(e),
        }
    }
}

/// What one that was killed has left. We hold the lock.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Removes what nobody has asked for in a week: of toolchains and recipes that are no more. A jaild that shows such a
/// folder still goes on; its steps run untuned.
fn forget(folder: &Path, current: &[String]) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let ours = name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let age = SystemTime::now().duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if ours && !current.contains(&name) && age > UNUSED {
            fs::remove_dir_all(entry.path())?;
            log(&format!("{} is of a toolchain that is no more, and removed", entry.path().display()));
        }
    }
    Ok(())
}

type Recipe<'a> = (&'a Definition, &'a Toolchain, &'a Tuning);

fn one(store: &Store, name: &str, key: &str, recipe: Recipe<'_>, maker: Maker, halt: &Halt) -> Result<(), String> {
    let told = |e: io::Error| e.to_string();
    let home = store.folder.join(key);
    match store.sealed(key) {
        // Its age counts from the last time that it was asked for.
        Ok(true) => return File::open(&home).and_then(|open| open.set_modified(SystemTime::now())).map_err(told),
        Ok(false) => {}
        Err(why) => {
            log(&format!("{name}: made anew, because {why}"));
            remove(&home).map_err(|e| format!("{} can't be removed: {e}", home.display()))?;
        }
    }
    let started = Instant::now();
    let making = store.folder.join(format!("{PREFIX}{key}"));
    fs::create_dir(&making).map_err(told)?;
    let made = Workshop::set_up(&making, recipe.2, maker).map_err(told).and_then(|shop| {
        let made = shop.work(recipe, halt)?;
        if made.is_empty() {
            return Ok(made);
        }
        let contents = store.contents(&shop.result)?;
        write_new(&shop.result.join(SEAL), &mut seal_text(&contents).as_bytes(), 0o444).map_err(told)?;
        fs::rename(&shop.result, &home).map_err(|e| format!("{}: {e}", home.display()))?;
        Ok(made)
    });
    let swept = fs::remove_dir_all(&making).map_err(told);
    let made = made?;
    if !made.is_empty() {
        log(&format!("{name} is tuned: made {} in {:.1} s", made.join(" "), started.elapsed().as_secs_f32()));
    }
    swept
}

fn remove(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// The folders of one recipe at work.
struct Workshop {
    /// `{in}`: ours.
    inputs: PathBuf,
    /// `{out}`: the maker's.
    out: PathBuf,
    /// The working directory and home, the maker's too.
    home: PathBuf,
    /// What becomes the folder of the key: ours.
    result: PathBuf,
    maker: Maker,
}

impl Workshop {
    fn set_up(making: &Path, recipe: &Tuning, maker: Maker) -> io::Result<Self> {
        let folder = |name: &str, owner: Maker| {
            let path = making.join(name);
            DirBuilder::new().mode(0o755).create(&path)?;
            if let Some((uid, gid)) = owner {
                chown(&path, Some(uid), Some(gid))?;
            }
            Ok::<PathBuf, io::Error>(path)
        };
        let inputs = folder("in", None)?;
        for input in &recipe.inputs {
            write_new(&inputs.join(&input.name), &mut input.text.as_bytes(), 0o444)?;
        }
        // Folders in `out` while it is ours: in the maker's a name could lead elsewhere by the time that we give it away.
        let out = folder("out", None)?;
        let parents: BTreeSet<&Path> = recipe.makes.iter().filter_map(|make| Path::new(&make.out).parent()).collect();
        let nested: BTreeSet<PathBuf> = parents
            .into_iter()
            .flat_map(|parent| parent.ancestors())
            .filter(|part| !part.as_os_str().is_empty())
            .map(|part| out.join(part))
            .collect();
        for path in &nested {
            DirBuilder::new().mode(0o755).create(path)?;
        }
        if let Some((uid, gid)) = maker {
            // The deepest first: a folder above is ours until all below are given.
            nested.iter().rev().chain([&out]).try_for_each(|path| chown(path, Some(uid), Some(gid)))?;
        }
        let (home, result) = (folder("home", maker)?, folder("result", None)?);
        Ok(Workshop { inputs, out, home, result, maker })
    }

    /// Runs the commands and takes over what they made: the names.
    fn work(&self, (_, toolchain, recipe): Recipe<'_>, halt: &Halt) -> Result<Vec<String>, String> {
        let mut made = Vec::new();
        for make in &recipe.makes {
            if make.when.as_ref().is_some_and(|when| !when.exists()) {
                continue;
            }
            self.run(toolchain, make, halt)?;
            self.take(&make.out).map_err(|e| format!("{} of {:?} can't be taken: {e}", make.out, make.args))?;
            made.push(make.out.clone());
        }
        Ok(made)
    }

    fn run(&self, toolchain: &Toolchain, make: &Make, halt: &Halt) -> Result<(), String> {
        let told = |e: io::Error| e.to_string();
        let program = toolchain.program.to_string_lossy();
        let run_program = toolchain.run_program.as_ref().unwrap_or(&toolchain.program).to_string_lossy();
        let fill = |arg: &String| {
            let arg = arg.replace("{program}", &program).replace("{run_program}", &run_program);
            arg.replace("{in}", &self.inputs.to_string_lossy()).replace("{out}", &self.out.to_string_lossy())
        };
        let args: Vec<String> = make.args.iter().map(fill).collect();
        let (first, rest) = args.split_first().ok_or("an empty command")?;
        let (reader, writer) = io::pipe().map_err(told)?;
        let mut command = Command::new(first);
        command.args(rest).env_clear().env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
        command.env("HOME", &self.home).env("TMPDIR", &self.home).current_dir(&self.home);
        command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(told)?).stderr(writer).process_group(0);
        if let Some((uid, gid)) = self.maker {
            // No other groups: std empties the list for a root that changes its uid.
            command.gid(gid).uid(uid);
        }
        sys::child::begin_anew_and_end_with_us(&mut command);
        let mut child = command.spawn().map_err(|e| format!("{first} can't be started: {e}"))?;
        // Our copies of the writing end, or it would never end.
        drop(command);
        let said = listen(reader, Instant::now() + COMMAND, halt);
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
        // In time or not, nobody is left of it. Until it is reaped its group is there.
        killpg(group, Signal::SIGKILL).map_err(|e| format!("{first} can't be ended: {e}"))?;
        let status = child.wait().map_err(told)?;
        let said = said.map_err(|e| format!("{first}: {e}"))?;
        if status.success() { Ok(()) } else { Err(format!("{first} ended with {status}: {said}")) }
    }

    /// Copies a file that the maker left. Nothing of the maker's is followed: it could lead to what only we may read.
    fn take(&self, out: &str) -> io::Result<()> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let mut from = File::from(openat2(File::open(&self.out)?, out, how)?);
        let meta = from.metadata()?;
        let maker = self.maker.map_or_else(|| nix::unistd::geteuid().as_raw(), |(uid, _)| uid);
        if !meta.is_file() || meta.len() == 0 || meta.nlink() != 1 || meta.uid() != maker {
            return Err(io::Error::other("it is no file of the command's own, or empty"));
        }
        let to = self.result.join(out);
        if let Some(parent) = to.parent() {
            DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
        }
        write_new(&to, &mut from, if meta.mode() & 0o100 == 0 { 0o444 } else { 0o555 })
    }
}

/// Writes a file that was not there, to the disk.
fn write_new(path: &Path, from: &mut impl Read, mode: u32) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    io::copy(from, &mut file)?;
    file.flush()?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()
}

/// Reads what a command says until nobody can say more. The end of it.
fn listen(mut from: PipeReader, deadline: Instant, halt: &Halt) -> io::Result<String> {
    let mut said = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let why = match halt.wait(Some(from.as_fd()), deadline)? {
            Woken::Ready => None,
            Woken::Late => Some((io::ErrorKind::TimedOut, format!("took longer than {COMMAND:?}, and was ended"))),
            Woken::Halt => Some((io::ErrorKind::Interrupted, "was ended, as jaild was told to end".to_owned())),
        };
        if let Some((kind, why)) = why {
            return Err(io::Error::new(kind, why));
        }
        match from.read(&mut chunk)? {
            0 => return Ok(String::from_utf8_lossy(&said).trim().replace('\n', " ⏎ ")),
            read => said.extend_from_slice(&chunk[..read]),
        }
        let surplus = said.len().saturating_sub(SAID_BYTES);
        said.drain(..surplus);
    }
}
