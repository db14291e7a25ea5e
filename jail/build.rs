//! Links `jaild` statically (static-pie) where the static C library is installed, which Debian's `libc6-dev` brings.
//!
//! Init and payload of each sandbox are copies of a process of `jaild`. Linked dynamically it has 36 mappings, linked
//! statically 12, and each is copied twice and taken down twice for every run: 0.2 ms of CPU on the project's machine.
//! `-C target-feature=+crt-static` would say the same, but cargo has no flags for one program, and with it for all it can't
//! build macros. So the linker is told to make a static program, and finds, before the shared libraries that Rust's own
//! name, scripts of the same names that lead to the static ones.
//!
//! Without the static library `jaild` is linked as any other program and works as well.
//!
//! When one of the archives goes or changes this is run again. What an older archive brought stays in a `jaild` that was
//! linked before: SECURITY.md tells whoever installs it to build it anew after an update of the C library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// Each shared library that Rust names, and what stands in for it.
const INSTEAD: [(&str, &[&str]); 3] = [
    ("libgcc_s.so", &["libgcc_eh.a", "libgcc.a", "libc.a"]),
    ("libm.so", &["libm.a", "libc.a"]),
    ("libc.so", &["libc.a", "libgcc_eh.a", "libgcc.a"]),
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let told = |name: &str| env::var(name).unwrap_or_default();
    let native = told("TARGET") == told("HOST") && told("TARGET") == "x86_64-unknown-linux-gnu";
    if !native || told("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static") {
        return Ok(());
    }
    let folder = PathBuf::from(told("OUT_DIR")).join("static");
    fs::create_dir_all(&folder)?;
    for (shared, archives) in INSTEAD {
        let Some(found) = archives.iter().map(|name| installed(name)).collect::<Option<Vec<PathBuf>>>() else {
            return Ok(());
        };
        for path in &found {
            // Else a script would lead to where a package was before.
            println!("cargo:rerun-if-changed={}", path.display());
        }
        let found: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
        fs::write(folder.join(shared), format!("GROUP ( {} )\n", found.join(" ")))?;
    }
    println!("cargo:rustc-link-arg-bin=jaild=-L{}", folder.display());
    println!("cargo:rustc-link-arg-bin=jaild=-static-pie");
    Ok(())
}

/// Where the C compiler has a library, if it has it.
fn installed(name: &str) -> Option<PathBuf> {
    let output = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    // A name that it does not know comes back as it is.
    let path = Path::new(path.trim());
    path.is_absolute().then(|| path.to_owned())
}
