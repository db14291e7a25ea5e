//! Where audit lines go and usage is counted by the configuration, and whether that can be written: as the user that we are,
//! which is the engine's when root asks.

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::Finding;
use crate::audit::journal;
use crate::cli::{CONFIG, STATE};
use crate::config::audit::{Audit, Place, Usage};
use crate::confinement::state_folders;
use crate::serve;

/// What is found by this configuration. `None`: by the usual one, and where that is not there nothing is wanted.
pub(super) fn findings(asked: Option<&Path>) -> Vec<Finding> {
    let path = asked.unwrap_or(Path::new(CONFIG));
    if asked.is_none() && !path.exists() {
        let detail = format!("there is no {}: nothing is served by it", path.display());
        return vec![Finding { detail, ..finding("lines", false) }];
    }
    match serve::load(path) {
        Ok((config, ..)) => {
            // A doctor that is started by hand has no state folder: what is installed has that of systemd.
            let state = state_folders().into_iter().next().unwrap_or_else(|| STATE.into());
            vec![lines(&config.audit, &state), usage(&config.usage, &state)]
        }
        Err(mistakes) => {
            let detail = mistakes.into_iter().next().unwrap_or_default();
            let remedy = Some(format!("engined config check --config {}", path.display()));
            vec![Finding { detail, remedy, ..finding("lines", true) }]
        }
    }
}

fn finding(name: &str, wanted: bool) -> Finding {
    Finding { kind: "audit", name: name.to_owned(), wanted, obtained: false, detail: String::new(), remedy: None }
}

fn lines(audit: &Audit, state: &Path) -> Finding {
    match audit.place_in(Some(state)) {
        Some(Place::File(file)) => written("lines", &file),
        Some(Place::Journald) => {
            let to = format!("to journald ({})", journal::SOCKET);
            match UnixDatagram::unbound().and_then(|socket| socket.connect(journal::SOCKET)) {
                Ok(()) => Finding { obtained: true, detail: to, ..finding("lines", true) },
                Err(error) => {
                    let remedy = "systemctl status systemd-journald, or choose another target in [audit]".to_owned();
                    Finding { detail: format!("{to}: {error}"), remedy: Some(remedy), ..finding("lines", true) }
                }
            }
        }
        Some(Place::Nowhere) | None => {
            Finding { detail: "switched off ([audit] target)".to_owned(), ..finding("lines", false) }
        }
    }
}

fn usage(usage: &Usage, state: &Path) -> Finding {
    match usage.place_in(Some(state)) {
        Some(file) => written("usage", &file),
        None => Finding { detail: "not counted ([usage] enabled)".to_owned(), ..finding("usage", false) },
    }
}

/// A file that is or can be made, in a folder in which others can be made beside it.
fn written(name: &str, file: &Path) -> Finding {
    let folder = file.parent().unwrap_or(Path::new("/"));
    // What is no folder has no `.`, whatever root may do.
    let around = access(&folder.join("."), AccessFlags::W_OK | AccessFlags::X_OK).map_err(|error| (folder, error));
    let there = if file.exists() { access(file, AccessFlags::W_OK).map_err(|error| (file, error)) } else { Ok(()) };
    match around.and(there) {
        Ok(()) => Finding { obtained: true, detail: format!("to {}", file.display()), ..finding(name, true) },
        Err((path, error)) => {
            let detail = format!("to {}: {} can't be written: {}", file.display(), path.display(), error.desc());
            let remedy = Some(remedy(path, folder));
            Finding { detail, remedy, ..finding(name, true) }
        }
    }
}

fn remedy(path: &Path, folder: &Path) -> String {
    match (path == folder, folder.ancestors().find(|place| place.exists() && !place.is_dir())) {
        (_, Some(file)) => format!("{} is no folder: choose another place in engined.toml", file.display()),
        (true, None) => format!("install -d -o engined -g engined -m 0750 {}", folder.display()),
        (false, None) => format!("chown engined:engined {}", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn told(folder: &Path, settings: &str) -> Vec<(bool, bool, String, Option<String>)> {
        let path = folder.join("engined.toml");
        fs::write(&path, format!("[listen]\nunix = \"/run/engined/engined.sock\"\n{settings}")).unwrap();
        let all = findings(Some(&path)).into_iter();
        all.map(|found| (found.wanted, found.obtained, found.detail, found.remedy)).collect()
    }

    #[test]
    fn a_place_is_looked_at_before_the_engine_finds_that_it_can_not_start() {
        let folder = std::env::temp_dir().join(format!("engined-doctor-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let settings =
            |audit: &str, usage: &str| format!("[audit]\nfile = {:?}\n[usage]\nfile = {:?}\n", at(audit), at(usage));
        let found = told(&folder, &settings("a.jsonl", "u.sqlite"));
        let there = |name: &str| (true, true, format!("to {}", at(name)), None);
        assert_eq!(found, [there("a.jsonl"), there("u.sqlite")]);
        // No folder, and one that can be none, whoever asks.
        fs::write(folder.join("file"), "").unwrap();
        let found = told(&folder, &settings("none/a.jsonl", "file/u.sqlite"));
        let detail =
            |file: &str, place: &str, why: &str| format!("to {}: {} can't be written: {why}", at(file), at(place));
        let missing = detail("none/a.jsonl", "none", "No such file or directory");
        let remedy = format!("install -d -o engined -g engined -m 0750 {}", at("none"));
        assert_eq!(found[0], (true, false, missing, Some(remedy)));
        let remedy = format!("{} is no folder: choose another place in engined.toml", at("file"));
        assert_eq!(found[1], (true, false, detail("file/u.sqlite", "file", "Not a directory"), Some(remedy)));
        let off = told(&folder, "[audit]\ntarget = \"off\"\n[usage]\nenabled = false\n");
        assert!(off.iter().all(|(wanted, obtained, ..)| !wanted && !obtained), "{off:?}");
        let broken = told(&folder, "[audit]\ntarget = \"nowhere\"\n");
        assert!(broken[0].0 && !broken[0].1 && broken[0].2.contains("is no target"), "{broken:?}");
        assert!(findings(Some(&folder.join("absent.toml")))[0].wanted, "it was asked for");
        fs::remove_dir_all(&folder).unwrap();
    }
}
