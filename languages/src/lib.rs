//! What engined and jaild know of languages: manifests, their loader, the probe of what is installed.
//!
//! # How it works
//!
//! A language is a *manifest*, one TOML file. Five come with the programs; an operator keeps more in a folder
//! (`--languages DIR` of jaild, `languages` in engined.toml), and both programs read the same folder at start and on
//! SIGHUP. Each takes what is its own to decide:
//!
//! - **engined** makes an argument vector and an environment from a request: [`Definition::layout`],
//!   [`Definition::check_flags`], [`Definition::compile_argv`], [`Definition::run_argv`]. It resolves limits: [`Definition::limits`], overlaid by the caller's, [resolved](LimitSet::resolved) over the
//!   contract's defaults, and held against [`Definition::floors`].
//! - **jaild** makes the tree and the filter of each [`Profile`]: one per step of every toolchain that is installed.
//!   What engined says can't widen them. As a manifest decides what strangers' programs may see, jaild reads it by
//!   [`Catalogue::load_trusted`], which believes only files that nobody but root and jaild itself can change.
//!
//! A language may have several *toolchains*. One is installed if its program and all that it needs are there
//! ([`Definition::presence`]). Its version is what its program says of itself: the caller runs it with the arguments of
//! its [`Probe`], in the sandbox, and [`parse_version`] reads the output. A request's `version` is a [`Selector`]; of
//! the versions that it matches [the newest](newest) wins. A language whose toolchains are all missing is still known:
//! [`Toolchain::remedy`] says how to get them.
//!
//! Loading never stops at the first mistake. It goes on to the end of every file, gives the whole list, and no
//! catalogue: a program that starts has understood every word of its manifests. A [`Definition`] therefore has been
//! checked for good, and loading the same files again gives an equal [`Catalogue`].
//!
//! # A language more
//!
//! A file in the operator's folder, such as `lua.toml`. The keys are those of [`Definition`] and the types below it.
//! Commands are lists of arguments, never lines for a shell; a placeholder is a whole argument.
//!
//! ```
//! # let folder = std::env::temp_dir().join(format!("languages-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let lua = r#"
//!     id = "lua"
//!     name = "Lua"
//!     aliases = ["lua5.4"]
//!     main_file = "main.lua"
//!     entry = "allowed"                   # a request may name the file that is run
//!
//!     [floors]                            # below them a request is refused as limit_too_low
//!     memory_bytes = 4194304
//!
//!     [[toolchain]]
//!     id = "puc"
//!     program = "/usr/bin/lua5.4"
//!     package = "lua5.4"                  # what apt-get install brings it
//!     probe = { args = ["-v"], prefix = "Lua " }
//!
//!     [run]
//!     args = ["{program}", "{entry}", "{args}"]
//!     env = { PATH = "/usr/bin:/bin", HOME = "/home/sandbox", LANG = "C.UTF-8" }
//! "#;
//! // One version more of a language that is there already: its folder lies outside /usr, so it is mounted.
//! let python = r#"
//!     add_to = "python"
//!
//!     [[toolchain]]
//!     id = "cpython-3.13-opt"
//!     program = "/opt/python3.13/bin/python3.13"
//!     package = "python3.13"
//!     probe = { args = ["-V"], prefix = "Python " }
//!     mount = { path = "/opt/python3.13", reason = "Debian 12 has no package of 3.13" }
//! "#;
//! std::fs::write(folder.join("lua.toml"), lua)?;
//! std::fs::write(folder.join("python-3.13.toml"), python)?;
//!
//! let catalogue = languages::Catalogue::load(Some(&folder)).expect("no mistakes");
//! let lua = catalogue.language("lua5.4").expect("an alias is as good as the id");
//! let limits = lua.limits(languages::Step::Run).resolved(languages::Step::Run);
//! let setting = languages::Setting { toolchain: &lua.toolchains[0], limits: &limits, tuned: None };
//! let argv = lua.run_argv(setting, Some("main.lua"), &["-x".to_owned()]);
//! assert_eq!(argv, ["/usr/bin/lua5.4", "main.lua", "-x"]);
//! assert!(catalogue.language("python").expect("built in").toolchains.iter().any(|one| one.id == "cpython-3.13-opt"));
//!
//! // A mistake says where, what stands there, why that can't be, and what to write instead.
//! std::fs::write(folder.join("lua.toml"), "add_to = \"lua\"")?;
//! let mistakes = languages::Catalogue::load(Some(&folder)).expect_err("it has no toolchain");
//! assert!(mistakes[0].to_string().ends_with("toolchain: is missing; describe at least one under [[toolchain]]"));
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A file with the `id` of a built-in language takes its place altogether.
//!
//! # Third-party packages
//!
//! A venv, a folder with `node_modules`, a folder of jars: an [`Environment`] of one toolchain, mounted read-only at its
//! own path. What it means to the language stands in the language's `[environment]` ([`EnvironmentUse`]).
//!
//! ```toml
//! add_to = "python"
//!
//! [[environment]]
//! toolchain = "cpython"                             # its id
//! path = "/opt/packages/python"                     # python3 -m venv /opt/packages/python, and pip install numpy there
//! needs = ["lib/python3.11/site-packages/numpy"]    # without it the version is not offered
//! reason = "the course on data needs NumPy"
//! ```
//!
//! A language with a compile step has `sources`, and `[compile]` with `args`, `artifact`, `env` and the allow-list
//! for `compile_flags` ([`FlagRule`]): see `manifests/c.toml`. What follows from a limit, such as the heap of a runtime,
//! is a [`Value`]: see `manifests/java.toml`. Whatever widens what a program may see or do (a mount, a
//! part of `/etc`, a system call, a flag) carries a `reason`.
#![forbid(unsafe_code)]

mod check;
mod definition;
mod digest;
mod expand;
mod flags;
mod java;
mod layout;
mod limits;
mod loader;
mod manifest;
mod mistake;
mod probe;
mod reader;
pub mod tuning;

pub use definition::{
    Compile, Definition, Entry, Environment, EnvironmentUse, Etc, FlagPattern, FlagRule, Mount, Part, Phrase,
    Placeholder, Probe, Rule, Run, Syscall, Tail, Template, Toolchain, Value, work_directory,
};
pub use digest::{Digest, Looks, Unreadable};
pub use expand::Setting;
pub use flags::FlagRefused;
pub use layout::{Files, Layout, Unsuitable};
pub use limits::{BelowFloor, LimitName, LimitSet, Limits, Step};
pub use loader::{Catalogue, Profile, untrusted};
pub use mistake::{Fault, Mistake};
pub use probe::{Presence, Selector, Version, newest, parse_version};
