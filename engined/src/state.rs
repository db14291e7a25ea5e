//! The folder in which `up`, `run` and `doctor` keep the link's socket and their configuration, and which they take
//! away again; and the identity that the serving part takes.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use crate::privileges;
use crate::process::{Program, clean, find_jaild};

/// The account that serves when root starts it.
pub const USER: &str = "engined";
const OURS: &str = "engined-up-";
const LINK: &str = "jaild.sock";
/// The folder of compiled programs in ours.
pub const ARTIFACTS: &str = "artifacts";
/// The folder of audit lines and usage in ours.
pub const RECORDS: &str = "records";
/// Where operators put manifests of their own.
pub const MANIFESTS: &str = "/etc/engined/languages";

/// A folder of ours.
#[derive(Debug)]
pub struct State {
    path: PathBuf,
    made: bool,
    program: Program,
}

impl State {
    /// Makes the folder: the one that is named, or one of this process. Started as root, group `engined` can enter it.
    ///
    /// # Errors
    /// It can't be made, holds something already, or the account is missing.
    pub fn make(named: Option<&Path>) -> io::Result<Self> {
        let program = Program::this()?;
        let path = match named {
            Some(path) => std::path::absolute(path)?,
            None => {
                if let Err(error) = sweep(&usual()) {
                    complain!("engined: what a killed engined has left stays for now: {error}");
                }
                usual().join(format!("{OURS}{}", std::process::id()))
            }
        };
        let shown = path.display().to_string();
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{shown}: {error}"));
        let made = match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && named.is_some() => {
                if fs::read_dir(&path).map_err(told)?.next().is_some() {
                    let why = format!("{} holds something already; name an empty folder", path.display());
                    return Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, why));
                }
                false
            }
            Err(error) => return Err(told(error)),
        };
        let state = State { path, made, program };
        if let Some(user) = user() {
            let (_, gid) = privileges::account(user).map_err(io::Error::other)?;
            chown(&state.path, Some(0), Some(gid)).map_err(told)?;
            fs::set_permissions(&state.path, fs::Permissions::from_mode(0o710)).map_err(told)?;
        }
        Ok(state)
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file that the serving part can read.
    ///
    /// # Errors
    /// That of `write`.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.file(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
        Ok(path)
    }

    /// The socket of the link.
    #[must_use]
    pub fn link(&self) -> PathBuf {
        self.file(LINK)
    }

    /// The command that starts jaild for this folder.
    ///
    /// # Errors
    /// jaild is not there.
    pub fn jaild(&self, languages: Option<&Path>) -> io::Result<Command> {
        let mut command = broker(&self.link())?;
        if let Some(folder) = languages {
            command.arg("--languages").arg(folder);
        }
        command.args(["--bound", "yes"]);
        if let Some(user) = user() {
            command.args(["--client-user", user]);
        }
        Ok(command)
    }

    /// The command that starts this very program again, as the serving part.
    #[must_use]
    pub fn ourselves(&self) -> Command {
        self.program.command()
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Err(error) = leave(&self.link()) {
            complain!("engined: {error}");
        }
        let left = if self.made { fs::remove_dir_all(&self.path) } else { empty(&self.path) };
        if let Err(error) = left {
            complain!("engined: {} is left behind: {error}", self.path.display());
        }
    }
}

fn broker(link: &Path) -> io::Result<Command> {
    let mut command = clean(&find_jaild()?);
    command.arg("--socket").arg(link);
    Ok(command)
}

/// Removes the control groups of a jaild that has ended: they are root's, and it was not.
fn leave(link: &Path) -> io::Result<()> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let status = broker(link)?.args(["--leave", "yes"]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("jaild --leave ended with {status}"))) }
}

/// Takes away what a supervisor that was killed has left: control groups and folder.
fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix(OURS).filter(|pid| pid.parse::<u32>().is_ok()) else { continue };
        if Path::new("/proc").join(pid).exists() || fs::metadata(&path)?.uid() != geteuid().as_raw() {
            continue;
        }
        let link = path.join(LINK);
        // Its jaild ends with it, and is waited for.
        leave(&link)?;
        fs::remove_dir_all(&path)?;
    }
    Ok(())
}

fn empty(folder: &Path) -> io::Result<()> {
    fs::read_dir(folder)?.try_for_each(|entry| {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }
    })
}

/// Makes a folder that the serving part alone may look into, where there is none.
///
/// # Errors
/// It can't be made, or the account is missing.
pub fn folder_for_serving(path: &Path) -> io::Result<()> {
    let told = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made.map_err(told)?,
    }
    let Some(user) = user() else { return Ok(()) };
    let (uid, gid) = privileges::account(user).map_err(io::Error::other)?;
    chown(path, Some(uid), Some(gid)).map_err(told)
}

/// Whom the serving part becomes: an account of its own when root starts it, nobody else otherwise.
#[must_use]
pub fn user() -> Option<&'static str> {
    geteuid().is_root().then_some(USER)
}

/// The hidden options by which the serving part becomes that user and ends with us.
#[must_use]
pub fn identity() -> Vec<String> {
    let parent = vec!["--parent".to_owned(), std::process::id().to_string()];
    let user = user().map(|user| vec!["--user".to_owned(), user.to_owned()]);
    user.into_iter().flatten().chain(parent).collect()
}

/// The operator's manifests, where there are any: jaild looks in the same place.
#[must_use]
pub fn manifests() -> Option<PathBuf> {
    Some(PathBuf::from(MANIFESTS)).filter(|path| path.exists())
}

/// Where jaild keeps what it makes of toolchains: that of the host when root starts it, one of the user's own otherwise.
#[must_use]
pub fn tuning() -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some(PathBuf::from(languages::tuning::FOLDER));
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")));
    Some(cache?.join("engined/tuning")).filter(|path| path.is_absolute())
}

fn usual() -> PathBuf {
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_dir());
    match own {
        _ if geteuid().is_root() => PathBuf::from("/run"),
        Some(own) => own,
        None => std::env::temp_dir(),
    }
}
