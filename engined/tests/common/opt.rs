//! A folder of root's below /opt for a test's own toolchains, packages and manifests: none of it may lie in a folder
//! that strangers can change, and jaild and engined, being others, must be able to read it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// It goes when its owner does.
pub struct Opt(pub PathBuf);

impl Opt {
    pub fn new() -> Opt {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("engined-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let opt = Opt(Path::new("/opt").join(name));
        opt.folder("languages", 0o755);
        opt
    }

    /// Where the manifests are.
    pub fn manifests(&self) -> PathBuf {
        self.0.join("languages")
    }

    pub fn folder(&self, name: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path
    }

    /// A file that is there with all of its text or not at all. `OPT` in it is this folder.
    pub fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let draft = path.with_extension("draft");
        fs::write(&draft, text.replace("OPT", self.0.to_str().unwrap())).unwrap();
        fs::set_permissions(&draft, PermissionsExt::from_mode(mode)).unwrap();
        fs::rename(&draft, &path).unwrap();
        path
    }

    pub fn manifest(&self, name: &str, text: &str) -> PathBuf {
        self.file(&format!("languages/{name}.toml"), text, 0o644)
    }

    pub fn remove(&self, name: &str) {
        let path = self.0.join(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.unwrap();
    }
}

impl Drop for Opt {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

/// Runs a tool of this host that makes what a test needs. What it said, when it failed.
pub fn tool(program: impl AsRef<Path>, args: &[&str], folder: &Path) -> Result<(), String> {
    let output = Command::new(program.as_ref()).args(args).current_dir(folder).output();
    let output = output.map_err(|error| format!("{}: {error}", program.as_ref().display()))?;
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&said).into_owned()) }
}
