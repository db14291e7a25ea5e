//! Puts the honest and the hostile programs of the corpus into the binary, for `engined selftest`.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What `selftest` runs. What each language means is for the project's own tests.
const FOLDERS: [&str; 2] = ["benign", "hostile"];

fn main() -> Result<(), Box<dyn Error>> {
    let top = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../corpus");
    let mut text = String::from("&[\n");
    for folder in FOLDERS {
        let path = top.join(folder);
        // A folder: cargo looks at all that is in it.
        println!("cargo::rerun-if-changed={}", path.display());
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))? {
            let file = entry?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if file.is_file() && !name.starts_with('.') {
                files.push((name, absolute(&file)?));
            }
        }
        files.sort();
        for (name, file) in files {
            writeln!(text, "    ({folder:?}, {name:?}, include_bytes!({file:?})),")?;
        }
    }
    text.push_str("]\n");
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("corpus.rs");
    std::fs::write(&out, text).map_err(|error| format!("{}: {error}", out.display()))?;
    Ok(())
}

fn absolute(file: &Path) -> Result<String, Box<dyn Error>> {
    let path = file.canonicalize()?.into_os_string().into_string();
    path.map_err(|path| format!("{} is not UTF-8; move the checkout", path.display()).into())
}
