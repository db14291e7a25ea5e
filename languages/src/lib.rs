//! What engined and jaild know of languages: manifests, their loader, the probe of what is installed.
#![forbid(unsafe_code)]

mod check;
mod definition;
mod expand;
mod flags;
mod limits;
mod loader;
mod manifest;
mod mistake;
mod probe;
mod reader;

pub use definition::{
    Compile, Definition, Entry, Etc, FlagPattern, FlagRule, Mount, Part, Placeholder, Probe, Run, Syscall, Tail,
    Template, Toolchain, work_directory,
};
pub use expand::Unsuitable;
pub use flags::FlagRefused;
pub use limits::{BelowFloor, LimitName, LimitSet, Limits, Step};
pub use loader::{Catalogue, Profile, untrusted};
pub use mistake::{Fault, Mistake};
pub use probe::{Presence, Selector, Version, newest, parse_version};
