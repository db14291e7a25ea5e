//! The rules for single values: what may be a name, a path, a placeholder.

use std::path::{Component, Path};

use crate::definition::{Part, Phrase, Piece, Placeholder, Value};
use crate::mistake::{Fault, Verdict};

/// Two ids, the step and two slashes must fit the 64 bytes that a profile's name has on the link.
const ID_BYTES: usize = 24;
const FILE_NAME_BYTES: usize = 64;

fn ensure(holds: bool, why: &str, remedy: &str) -> Verdict {
    if holds { Ok(()) } else { Err(Fault::new(why, remedy)) }
}

pub(crate) fn id(id: &str) -> Verdict {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let plain = id.bytes().next().is_some_and(legal) && id.bytes().all(|b| legal(b) || b"._+-".contains(&b));
    ensure(
        plain && id.len() <= ID_BYTES,
        "is not a plain name",
        "write 1 to 24 of a-z 0-9 . _ + -, a letter or digit first",
    )
}

pub(crate) fn text(text: &str) -> Verdict {
    let one_line = !text.trim().is_empty() && !text.chars().any(char::is_control);
    ensure(one_line, "is empty or has control characters", "write one line of text")
}

pub(crate) fn reason(reason: &str) -> Verdict {
    ensure(!reason.trim().is_empty(), "is empty", "say in a sentence why strangers' programs may have this")
}

pub(crate) fn file_name(name: &str) -> Verdict {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._+-".contains(&b);
    let plain = name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_') && name.bytes().all(legal);
    ensure(
        plain && name.len() <= FILE_NAME_BYTES,
        "is not a plain file name",
        "write up to 64 of a-z A-Z 0-9 . _ + - without a folder, a letter, a digit or _ first",
    )
}

pub(crate) fn suffix(suffix: &str) -> Verdict {
    let rest = suffix.strip_prefix('.').unwrap_or_default();
    let plain = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+-".contains(&b));
    ensure(plain, "is no suffix", "write a dot and letters or digits, as in \".c\"")
}

pub(crate) fn argument(argument: &str) -> Verdict {
    ensure(!argument.contains('\0'), "has a NUL character", "remove it: no program can be given one")
}

pub(crate) fn command(args: &[String]) -> Verdict {
    ensure(!args.is_empty(), "is empty", "write a command, its placeholders as elements of their own")
}

/// Package names as apt takes them, one or several: they stand in a command that people copy into a root shell.
pub(crate) fn packages(packages: &str) -> Verdict {
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    let plain = |name: &str| name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && name.bytes().all(legal);
    let any = packages.split(' ').count() > 0 && packages.split(' ').all(plain);
    ensure(any, "is no package name", "write the names that apt-get install takes, with one space between")
}

pub(crate) fn env_name(name: &str) -> Verdict {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let plain = first && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    ensure(plain, "is no name of an environment variable", "write letters, digits and _, no digit first")
}

pub(crate) fn syscall(name: &str) -> Verdict {
    let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
    let plain = first && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    ensure(
        plain && name.len() <= 40,
        "is no name of a system call",
        "write the kernel's name, as in \"io_uring_setup\"",
    )
}

/// Absolute, normalised, printable: each component is a name.
fn absolute(path: &str) -> Verdict {
    let mut components = Path::new(path).components();
    let rooted = components.next() == Some(Component::RootDir);
    let named = components.all(|c| matches!(c, Component::Normal(_)));
    // `components` swallows what a naive reader of the text would stumble over.
    let tidy = !path.contains("//") && !path.contains("/./") && !path.ends_with('/') && !path.ends_with("/.");
    let printable = !path.chars().any(char::is_control);
    ensure(
        rooted && named && tidy && printable,
        "is not an absolute path without . and ..",
        "write the whole path, as in \"/usr/bin/gcc\"",
    )
}

/// A program must be somewhere in the tree that a payload sees, or nothing could start it.
pub(crate) fn program(path: &str, mount: Option<&Path>) -> Verdict {
    absolute(path)?;
    let path = Path::new(path);
    if ["/usr/local", "/usr/src"].iter().any(|hidden| path.starts_with(hidden)) {
        return Err(Fault::new(
            "is in a part of /usr that programs do not see",
            "install the toolchain from a package, or below /opt with a mount",
        ));
    }
    let seen = ["/usr", "/bin"].iter().any(|root| path.starts_with(root) && path != Path::new(root))
        || mount.is_some_and(|mount| path.starts_with(mount) && path != mount);
    ensure(
        seen,
        "is neither below /usr nor below this toolchain's mount",
        "add mount = { path = \"…\", reason = \"…\" } with the toolchain's folder",
    )
}

/// What the tree makes itself, or what would show the host's state to strangers.
const NEVER_MOUNTED: [&str; 18] = [
    "/bin", "/boot", "/box", "/dev", "/etc", "/home", "/lib", "/lib32", "/lib64", "/libx32", "/media", "/mnt", "/proc",
    "/root", "/run", "/sbin", "/sys", "/tmp",
];

pub(crate) fn mount(path: &str) -> Verdict {
    absolute(path)?;
    let path = Path::new(path);
    ensure(!path.starts_with("/usr"), "is below /usr, which every program sees already", "remove the mount")?;
    ensure(
        !path.starts_with("/var") && !NEVER_MOUNTED.iter().any(|root| path.starts_with(root)),
        "is a place that the tree makes itself or that holds the host's state",
        "install the toolchain below /opt",
    )?;
    ensure(
        !path.starts_with("/opt/engined"),
        "is where programs see what was made of toolchains",
        "install the toolchain elsewhere below /opt",
    )?;
    ensure(
        path.components().count() > 2,
        "is a folder of the root directory, which is more than one toolchain",
        "name the toolchain's own folder, as in \"/opt/python3.13\"",
    )
}

/// What the synthetic /etc writes itself, or what no stranger may read.
const NEVER_OF_ETC: [&str; 16] = [
    "engined",
    "group",
    "gshadow",
    "host.conf",
    "hostname",
    "hosts",
    "ld.so.cache",
    "ld.so.preload",
    "localtime",
    "nsswitch.conf",
    "passwd",
    "resolv.conf",
    "shadow",
    "ssh",
    "sudoers",
    "ssl/private",
];

pub(crate) fn etc(path: &str) -> Verdict {
    let relative = absolute(&format!("/{path}")).is_ok() && !path.starts_with('/');
    ensure(relative, "is not a path below /etc", "write it without /etc/, as in \"alternatives\"")?;
    let path = Path::new(path);
    // Neither the entry itself nor a folder that holds it.
    let clash = NEVER_OF_ETC.iter().map(Path::new).any(|never| path.starts_with(never) || never.starts_with(path));
    ensure(
        !clash && !path.to_string_lossy().contains("shadow"),
        "is made by the sandbox itself or holds secrets of the host",
        "name only what the toolchain must read",
    )
}

/// The beginning of an allowed flag: enough of it that the tail can't turn it into another option.
pub(crate) fn flag_prefix(prefix: &str) -> Verdict {
    ensure(
        prefix.starts_with('-') && prefix.len() >= 2 && prefix != "--",
        "is no beginning of a flag",
        "write - and at least one more character",
    )?;
    flag(prefix)
}

pub(crate) fn flag(flag: &str) -> Verdict {
    let printable = flag.bytes().all(|b| b.is_ascii_graphic());
    ensure(
        flag.starts_with('-') && flag.len() >= 2 && printable,
        "is no flag",
        "write -, and then visible ASCII characters without spaces",
    )
}

/// A path below a folder, as in `bin/python3`: each component is a name.
pub(crate) fn relative(path: &str) -> Verdict {
    let plain = !path.starts_with('/') && absolute(&format!("/{path}")).is_ok();
    ensure(plain, "is not a relative path without . and ..", "write the way from the folder, as in \"bin/python3\"")
}

/// What a name in braces may be.
pub(crate) fn value_name(name: &str) -> Verdict {
    let plain = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let taken = name == ENVIRONMENT
        || name == TUNING
        || Placeholder::ALL.into_iter().any(|p| p.as_str() == format!("{{{name}}}"));
    ensure(plain && !taken, "is no name for a value", "write a-z and _, and none of the placeholders' names")
}

const ENVIRONMENT: &str = "environment";
const TUNING: &str = "tuning";

/// What may stand between braces in a phrase, and what it is: the names of values by their places.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The values.
    pub(crate) values: &'a [Value],
    /// `{environment}` has a meaning here.
    pub(crate) environment: bool,
    /// `{tuning}` has a meaning here.
    pub(crate) tuning: bool,
}

impl<'a> Names<'a> {
    /// Values alone.
    pub(crate) fn of(values: &'a [Value]) -> Self {
        Names { values, environment: false, tuning: false }
    }
}

/// Reads a text with values in it.
pub(crate) fn phrase(text: &str, names: Names<'_>) -> Result<Phrase, Fault> {
    argument(text)?;
    let mut pieces = Vec::new();
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, inner, behind)) = braced(rest) {
        plain.push_str(before);
        let value = names.values.iter().position(|value| value.name == inner);
        let piece = match value {
            Some(index) => Piece::Value(index),
            None if names.environment && inner == ENVIRONMENT => Piece::Environment,
            None if names.tuning && inner == TUNING => Piece::Tuning,
            None => return Err(unknown(inner, names)),
        };
        if !plain.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
        }
        pieces.push(piece);
        rest = behind;
    }
    plain.push_str(rest);
    if !plain.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(plain));
    }
    Ok(Phrase(pieces))
}

/// The first `{name}` in a text, with what stands before and behind it.
fn braced(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let inner = &text[open + 1..];
        let end = inner.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(inner.len());
        if end > 0 && inner[end..].starts_with('}') {
            return Some((&text[..open], &inner[..end], &inner[end + 1..]));
        }
        from = open + 1;
    }
    None
}

fn unknown(inner: &str, names: Names<'_>) -> Fault {
    if Placeholder::ALL.into_iter().any(|p| p.as_str() == format!("{{{inner}}}")) {
        return Fault::new(format!("has {{{inner}}} inside an argument"), "make the placeholder an element of its own");
    }
    let values = names.values.iter().map(|value| format!("{{{}}}", value.name));
    let environment = names.environment.then(|| format!("{{{ENVIRONMENT}}}"));
    let environment = environment.or_else(|| names.tuning.then(|| format!("{{{TUNING}}}")));
    let placeholders = Placeholder::ALL.into_iter().map(|p| p.as_str().to_owned());
    let known: Vec<String> =
        if environment.is_some() { values.chain(environment).collect() } else { placeholders.chain(values).collect() };
    Fault::new(format!("has {{{inner}}}, which is no placeholder here"), format!("write one of {}", known.join(" ")))
}

/// Reads one element of a template.
pub(crate) fn part(element: &str, values: &[Value]) -> Result<Part, Fault> {
    if let Some(whole) = Placeholder::ALL.into_iter().find(|p| p.as_str() == element) {
        return Ok(Part::Placeholder(whole));
    }
    if let Some(name) = element.strip_prefix("{tuned:").and_then(|rest| rest.strip_suffix('}')) {
        return value_name(name).map(|()| Part::Tuned(name.to_owned()));
    }
    phrase(element, Names::of(values)).map(Part::Phrase)
}
