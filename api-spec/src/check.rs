//! What must hold for every request, whatever the languages and the plan.

use std::collections::BTreeMap;

use crate::content::Content;
use crate::parse::escape;
use crate::problem::{Code, Problem, head};
use crate::request::{ExecutionRequest, SourceFile};

/// The longest path of a file, in bytes.
pub const PATH_BYTES: usize = 1024;
/// The longest part of a path between two slashes, in bytes: what every file system can store.
pub const PATH_PART_BYTES: usize = 255;
/// The most globs in `outputs`.
pub const OUTPUTS: usize = 16;
/// The longest glob, in bytes.
pub const GLOB_BYTES: usize = 1024;
/// How many plain globs one with braces may stand for. Each is tried for every file.
const GLOB_ALTERNATIVES: usize = 64;
/// The most labels.
pub const LABELS: usize = 16;
/// The longest name of a label, in bytes.
pub const LABEL_NAME_BYTES: usize = 64;
/// The longest value of a label, in bytes.
pub const LABEL_VALUE_BYTES: usize = 256;

/// How much a request may hold. Settings of the operator; these are the values of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The most files.
    pub files: usize,
    /// The longest source file, decoded.
    pub file_bytes: usize,
    /// Arguments and environment together, each with the byte that ends it; the same again for compiler flags.
    pub words_bytes: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Caps { files: 256, file_bytes: 1 << 20, words_bytes: 128 << 10 }
    }
}

pub(crate) type Checked = Result<(), Problem>;

/// What executions, submissions and checkers have in common.
pub(crate) struct Program<'a> {
    pub source: Option<&'a Content>,
    pub files: Option<&'a [SourceFile]>,
    pub entry: Option<&'a str>,
    pub compile_flags: &'a [String],
}

pub(crate) fn request(request: &ExecutionRequest, caps: &Caps) -> Checked {
    let ExecutionRequest { source, files, entry, compile_flags, .. } = request;
    program(
        &Program { source: source.as_ref(), files: files.as_deref(), entry: entry.as_deref(), compile_flags },
        caps,
    )?;
    words(&request.args, &request.env, caps)?;
    environment(&request.env)?;
    labels(&request.labels)?;
    outputs(&request.outputs)
}

pub(crate) fn program(program: &Program<'_>, caps: &Caps) -> Checked {
    sources(program, caps)?;
    program.entry.map_or(Ok(()), entry_name)?;
    flags(program.compile_flags, caps)
}

pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, detail).at(field)
}

/// There is exactly one program, and it is not too large. Counts come before anything that takes time per file.
fn sources(program: &Program<'_>, caps: &Caps) -> Checked {
    match (program.source, program.files) {
        (Some(source), None) => size("/source", source.len(), caps),
        (None, Some([])) => Err(invalid("/files", "files is empty: there is nothing to run")),
        (None, Some(files)) if files.len() > caps.files => {
            let detail = format!("there are {} files, at most {} are allowed", files.len(), caps.files);
            Err(Problem::new(Code::TooManyFiles, detail).at("/files"))
        }
        (None, Some(files)) => {
            paths(files)?;
            let mut sizes = files.iter().map(|file| file.content.len()).enumerate();
            sizes.try_for_each(|(index, length)| size(&format!("/files/{index}/content"), length, caps))
        }
        (None, None) => Err(invalid("/source", "there is no program: neither source nor files is given")
            .remedy("Send source for one file, or files for several.")),
        (Some(_), Some(_)) => Err(invalid("/files", "source and files are both given: exactly one is allowed")
            .remedy("Leave one of them out.")),
    }
}

fn size(field: &str, length: usize, caps: &Caps) -> Checked {
    if length <= caps.file_bytes {
        return Ok(());
    }
    let detail = format!("{field} is {length} bytes long, a source file may have {}", caps.file_bytes);
    Err(Problem::new(Code::SourceTooLarge, detail).at(field))
}

/// A path or, for Java, a class: which, only the language knows. Neither may be empty, huge or hold a NUL.
fn entry_name(entry: &str) -> Checked {
    if entry.is_empty() || entry.len() > PATH_BYTES || entry.contains('\0') {
        let detail =
            format!("{:?} can't be an entry: it must have 1 to {PATH_BYTES} bytes and no NUL", head(entry, 64));
        return Err(invalid("/entry", detail).remedy("Name one of the files, or leave entry out."));
    }
    Ok(())
}

/// The kernel takes arguments and environment together.
pub(crate) fn words(args: &[String], env: &BTreeMap<String, String>, caps: &Caps) -> Checked {
    without_nul("/args", args)?;
    let env: usize = env.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
    let run = length(args) + env;
    if run > caps.words_bytes {
        let field = if env > caps.words_bytes / 2 { "/env" } else { "/args" };
        let detail = format!("args and env have {run} bytes together, at most {} are allowed", caps.words_bytes);
        return Err(invalid(field, detail).remedy("Pass the data by stdin or as a file."));
    }
    Ok(())
}

fn flags(flags: &[String], caps: &Caps) -> Checked {
    without_nul("/compile_flags", flags)?;
    let length = length(flags);
    if length > caps.words_bytes {
        let detail = format!("compile_flags has {length} bytes, at most {} are allowed", caps.words_bytes);
        return Err(invalid("/compile_flags", detail).remedy("Leave some of them out."));
    }
    Ok(())
}

/// Each with the byte that ends it.
fn length(words: &[String]) -> usize {
    words.iter().map(|word| word.len() + 1).sum()
}

/// Each path by itself, then against the others: two files of one path, or a file where another one needs a folder.
fn paths(files: &[SourceFile]) -> Checked {
    let refused = |index: usize, why: String| Problem::new(Code::InvalidPath, why).at(format!("/files/{index}/path"));
    let mut seen = BTreeMap::new();
    for (index, file) in files.iter().enumerate() {
        check_path(&file.path).map_err(|why| refused(index, why))?;
        if let Some(first) = seen.insert(file.path.as_str(), index) {
            return Err(refused(index, format!("{:?} is also the path of file {first}", head(&file.path, 64))));
        }
    }
    for (index, file) in files.iter().enumerate() {
        let folders = file.path.match_indices('/').map(|(end, _)| &file.path[..end]);
        for folder in folders {
            if let Some(other) = seen.get(folder) {
                return Err(refused(
                    index,
                    format!("{:?} needs the folder {folder:?}, which is file {other}", head(&file.path, 64)),
                ));
            }
        }
    }
    Ok(())
}

/// Whether a path may stand in the work directory: relative, made of plain names, UTF-8 by type.
///
/// # Errors
/// What is wrong with it.
pub fn check_path(path: &str) -> Result<(), String> {
    let why = if path.is_empty() {
        "the path is empty".to_owned()
    } else if path.len() > PATH_BYTES {
        format!("the path is {} bytes long, at most {PATH_BYTES} are allowed", path.len())
    } else if path.contains('\0') {
        format!("{path:?} has a NUL in it")
    } else if path.starts_with('/') {
        format!("{path:?} is absolute: paths are relative to the work directory")
    } else if let Some(part) = path.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        match part {
            ".." => format!("{path:?} has a .. in it"),
            "." => format!("{path:?} has a . in it: leave it out"),
            _ => format!("{path:?} has an empty part: two slashes in a row, or one at the end"),
        }
    } else if let Some(part) = path.split('/').find(|part| part.len() > PATH_PART_BYTES) {
        format!("{:?}… is {} bytes long, a name may have {PATH_PART_BYTES}", head(part, 64), part.len())
    } else {
        return Ok(());
    };
    Err(why)
}

/// What may be brought back: globs that can only match beneath the work directory.
fn outputs(globs: &[String]) -> Checked {
    if globs.len() > OUTPUTS {
        let detail = format!("there are {} outputs, at most {OUTPUTS} are allowed", globs.len());
        return Err(invalid("/outputs", detail).remedy("Write fewer globs: out/** brings everything below out."));
    }
    globs.iter().enumerate().try_for_each(|(index, glob)| {
        glob_check(glob)
            .map_err(|(code, why, remedy)| Problem::new(code, why).remedy(remedy).at(format!("/outputs/{index}")))
    })
}

/// As for paths, but a part may be longer than a name: it may be several alternatives.
fn glob_check(glob: &str) -> Result<(), (Code, String, &'static str)> {
    let shown = head(glob, 64);
    let path = |why: String| {
        Err((Code::InvalidPath, why, "Use a path or a glob relative to the work directory, such as out/*.png or **."))
    };
    if glob.is_empty() {
        return path("the glob is empty".to_owned());
    }
    if glob.len() > GLOB_BYTES {
        return path(format!("the glob is {} bytes long, at most {GLOB_BYTES} are allowed", glob.len()));
    }
    if glob.contains('\0') {
        return path(format!("{shown:?} has a NUL in it"));
    }
    if glob.starts_with('/') {
        return path(format!("{shown:?} is absolute: globs are relative to the work directory"));
    }
    match glob.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some("") => return path(format!("{shown:?} has an empty part: two slashes in a row, or one at the end")),
        Some(part) => return path(format!("{shown:?} has a {part} in it")),
        None => {}
    }
    if glob.starts_with('!') {
        let remedy = "Name what you want; write \\! for a name that begins with an exclamation mark.";
        return Err((Code::InvalidRequest, format!("{shown:?} begins with !: no glob says what not to bring"), remedy));
    }
    if let Err(why) = fast_glob::validate(glob) {
        let remedy = "Close the bracket or brace, or write a backslash before it to mean the character.";
        return Err((Code::InvalidRequest, format!("{shown:?} is no glob: {why}"), remedy));
    }
    let groups = glob.split('{').skip(1).map(|group| 1 + group.matches(',').count());
    if groups.fold(1, usize::saturating_mul) > GLOB_ALTERNATIVES {
        let why = format!("the braces of {shown:?} make more than {GLOB_ALTERNATIVES} globs");
        return Err((Code::InvalidRequest, why, "Write several globs, or use * for what differs."));
    }
    Ok(())
}

/// NUL ends a string for the kernel: what follows would be lost.
fn without_nul(field: &str, words: &[String]) -> Checked {
    match words.iter().position(|word| word.contains('\0')) {
        Some(index) => Err(invalid(format!("{field}/{index}"), format!("{field}/{index} has a NUL in it"))),
        None => Ok(()),
    }
}

pub(crate) fn environment(env: &BTreeMap<String, String>) -> Checked {
    for (name, value) in env {
        let field = || format!("/env/{}", escape(name));
        let legal =
            |(at, byte): (usize, u8)| byte == b'_' || byte.is_ascii_alphabetic() || at > 0 && byte.is_ascii_digit();
        if name.is_empty() || !name.bytes().enumerate().all(legal) {
            return Err(invalid(
                field(),
                format!("{:?} can't name an environment variable: [A-Za-z_][A-Za-z0-9_]* can", head(name, 64)),
            ));
        }
        if value.contains('\0') {
            return Err(invalid(field(), format!("the value of {name} has a NUL in it")));
        }
    }
    Ok(())
}

pub(crate) fn labels(labels: &BTreeMap<String, String>) -> Checked {
    if labels.len() > LABELS {
        return Err(invalid("/labels", format!("there are {} labels, at most {LABELS} are allowed", labels.len())));
    }
    for (name, value) in labels {
        let field = || format!("/labels/{}", escape(name));
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
        if !(1..=LABEL_NAME_BYTES).contains(&name.len()) || !name.bytes().all(legal) {
            return Err(invalid(
                field(),
                format!("{:?} can't name a label: 1 to {LABEL_NAME_BYTES} of A-Z a-z 0-9 . _ - / can", head(name, 64)),
            ));
        }
        if value.len() > LABEL_VALUE_BYTES || value.chars().any(char::is_control) {
            return Err(invalid(
                field(),
                format!(
                    "the value of {name} has {} bytes or control characters: at most {LABEL_VALUE_BYTES} bytes, none of them control characters, are allowed",
                    value.len()
                ),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
