//! The command line: one binary for people.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::audit;
use crate::embed::Talker;
use crate::run::amounts::Limit;
use crate::supervise::Kept;
use crate::{clock, config, doctor, grade, run, selftest, serve, store_command, supervise, tenants};

/// Where the configuration of the installed engine is.
pub(crate) const CONFIG: &str = "/etc/engined/engined.toml";
/// What systemd makes for the installed engine.
pub(crate) const STATE: &str = "/var/lib/engined";

/// Runs strangers' code: over HTTP, or a file from here.
#[derive(Debug, Parser)]
#[command(name = "engined", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start everything for development: both programs, without tokens, on the loopback interface
    Up {
        /// Where to listen; port 0 takes a free one
        #[arg(long, default_value = "127.0.0.1:7070", value_name = "ADDR")]
        listen: SocketAddr,
        /// An empty or new folder for sockets, taken away at the end
        #[arg(long, value_name = "DIR")]
        state: Option<PathBuf>,
        /// A folder with manifests of your own, read again on SIGHUP [default: /etc/engined/languages, where it exists]
        #[arg(long, value_name = "DIR")]
        languages: Option<PathBuf>,
        /// A folder for compiled programs that stays, or `off` [default: one of its own, taken away at the end]
        #[arg(long, value_name = "DIR|off")]
        cache: Option<Kept>,
        /// A folder for batches and their test data that stays [default: one of its own, taken away at the end]
        #[arg(long, value_name = "DIR")]
        batches: Option<PathBuf>,
        /// Where what is made of toolchains ahead of time is kept, or `off` [default: /var/cache/engined/tuning; started
        /// by an ordinary user ~/.cache/engined/tuning]
        #[arg(long, value_name = "DIR|off")]
        tuning: Option<String>,
        /// How many sandboxes wait, armed, for the next runs, or `off` [default: by cores and memory]
        #[arg(long, value_name = "N|off")]
        stock: Option<String>,
        #[arg(long, hide = true)]
        parent: Option<i32>,
    },
    /// Serve by a configuration; jaild is started by somebody else
    Serve {
        /// The configuration
        #[arg(long, default_value = CONFIG, value_name = "FILE")]
        config: PathBuf,
        /// Say on standard output where we listen and when we are ready
        #[arg(long, hide = true)]
        notify: bool,
        /// The descriptor of a socket that stands for listen.tcp
        #[arg(long, hide = true)]
        listener: Option<i32>,
        #[command(flatten)]
        hidden: Hidden,
    },
    /// Run a program as if directly: its input, output and exit code; then one line about what it used
    Run {
        /// Its files, the main one first
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Its language, where the suffix does not say it
        #[arg(long, value_name = "ID")]
        language: Option<String>,
        /// Which version of the language, as in 3.11
        #[arg(long = "version-of", value_name = "VERSION")]
        version: Option<String>,
        /// A limit of the run, or of the compiler: memory_bytes=64MiB, cpu_time_ms=2s, compile.wall_time_ms=90s
        #[arg(long = "limit", value_name = "[compile.]NAME=AMOUNT")]
        limits: Vec<Limit>,
        /// Which files to bring back: plot.png, 'out/**'
        #[arg(long = "output", value_name = "GLOB")]
        outputs: Vec<String>,
        /// The folder for them
        #[arg(long, value_name = "DIR", default_value = "outputs")]
        into: PathBuf,
        /// Print the whole result as JSON, as the API answers it, instead of the program's output
        #[arg(long)]
        json: bool,
        /// Its arguments
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<String>,
        #[arg(long, hide = true)]
        files_to: Option<i32>,
        #[command(flatten)]
        hidden: Hidden,
    },
    /// Look at this host: layers, toolchains and the audit, wanted and obtained, and what to do; exit code 1 if one is missing
    Doctor {
        /// For programs
        #[arg(long)]
        json: bool,
        /// The configuration that says where audit lines go [default: /etc/engined/engined.toml, where it exists]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        #[arg(long, hide = true)]
        all_wanted: bool,
        #[command(flatten)]
        hidden: Hidden,
    },
    /// Attack this host: run honest and hostile programs through the engine, and say what held and which layer held it
    ///
    /// The engine is the installed one, or one that is started for the test where none serves. Exit code 0: everything
    /// held and every layer is in force; 1: something did not hold; 2: nothing could be tried.
    Selftest(SelftestArgs),
    /// Grade: have programs judged by tests, and write a table, results.jsonl, results.csv, submissions.csv and junit.xml
    #[command(long_about = grade::help::ABOUT, after_long_help = grade::help::FOLDER)]
    Batch(BatchArgs),
    /// Look at a configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Copy batches, with their results and test data, and give them back
    #[command(subcommand)]
    Store(StoreCommand),
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Copy them into a new folder while the engine serves: all that was accepted and recorded at one moment
    Backup {
        /// The folder
        #[arg(value_name = "TO")]
        to: PathBuf,
        #[command(flatten)]
        kept: KeptArgs,
    },
    /// Give a backup to an engine that is stopped and has no batches of its own; what was not finished goes on at its start
    Restore {
        /// The folder of the backup
        #[arg(value_name = "FROM")]
        from: PathBuf,
        #[command(flatten)]
        kept: KeptArgs,
    },
}

/// Where an engine keeps batches.
#[derive(Args, Debug)]
struct KeptArgs {
    /// The configuration, which may name their folders
    #[arg(long, default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
    /// The engine's state folder, for folders that the configuration does not name
    #[arg(long, default_value = STATE, value_name = "DIR")]
    state: PathBuf,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Read the configuration and the manifests, and report every mistake
    Check {
        /// The configuration
        #[arg(long, default_value = CONFIG, value_name = "FILE")]
        config: PathBuf,
        /// Print every field with its meaning and the value in force
        #[arg(long)]
        print: bool,
    },
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Print a new token, once, and what goes into the configuration, which holds its hash alone
    New {
        /// What it is for; it stands in the configuration
        #[arg(long, value_name = "NAME", value_parser = token_name)]
        name: Option<String>,
        /// From so many days on it is not taken any more
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires: Option<u32>,
    },
}

#[derive(Args, Debug)]
struct SelftestArgs {
    /// Only these: names of programs, mechanisms (time, mem, net, …) or languages
    #[arg(long, value_name = "NAME|MECHANISM|LANGUAGE", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// One attack of each mechanism, and one honest program of each language
    #[arg(long)]
    quick: bool,
    /// The engine: unix:PATH or http://HOST:PORT [default: $ENGINED_URL, or the installed one]
    #[arg(long, value_name = "URL", conflicts_with = "embedded")]
    server: Option<String>,
    /// Start an engine for this test alone, even where one is installed
    #[arg(long)]
    embedded: bool,
    /// A file with the token for an engine that wants one [default: $ENGINED_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The configuration of the installed engine
    #[arg(long, default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
    /// Programs at a time [default: as many as the engine runs at once]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    jobs: Option<u16>,
    /// How often each program is tried
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// Multiplies time limits and allowed times: for slow hosts
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = scale)]
    scale: f64,
    /// For programs
    #[arg(long)]
    json: bool,
    /// Say what would be run, and run nothing
    #[arg(long)]
    list: bool,
}

impl From<SelftestArgs> for selftest::Options {
    fn from(args: SelftestArgs) -> Self {
        let SelftestArgs { only, quick, server, embedded, token_file, config, jobs, times, scale, json, list } = args;
        let wish = selftest::target::Wish { server, embedded, config, token_file };
        selftest::Options { wish, only, quick, jobs: jobs.map(usize::from), times, scale, json, list }
    }
}

#[derive(Args, Debug)]
struct BatchArgs {
    /// A batch as POST /v1/batches has it, in JSON; or a folder with tests/ and submissions/
    #[arg(value_name = "FILE|DIR")]
    what: PathBuf,
    /// The programs, where they do not lie in DIR/submissions
    #[arg(long, value_name = "DIR")]
    submissions: Option<PathBuf>,
    /// The language of files with this suffix, where the suffix does not say it
    #[arg(long = "language", value_name = "SUFFIX=LANGUAGE", value_parser = suffix)]
    languages: Vec<(String, String)>,
    /// The engine: unix:PATH or http://HOST:PORT [default: $ENGINED_URL, or the installed one]
    #[arg(long, value_name = "URL", conflicts_with = "embedded")]
    server: Option<String>,
    /// Start an engine for this batch alone, even where one is installed
    #[arg(long)]
    embedded: bool,
    /// A file with the token for an engine that wants one [default: $ENGINED_TOKEN]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The configuration of the installed engine
    #[arg(long, default_value = CONFIG, value_name = "FILE")]
    config: PathBuf,
    /// With --embedded: a folder in which the engine keeps the batch, so that it goes on after an interruption
    #[arg(long, value_name = "DIR", requires = "embedded")]
    state: Option<PathBuf>,
    /// A folder for results.jsonl, results.csv, submissions.csv and junit.xml; the same command goes on there after an interruption
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Ask whether each submission gets the verdict that its folder is named by, instead of whether all are accepted
    #[arg(long)]
    labels: bool,
    /// Judge once more what was sent before
    #[arg(long)]
    again: bool,
    /// Ctrl-C cancels the batch; without this it goes on at the server
    #[arg(long)]
    cancel_on_interrupt: bool,
    /// Print the batch as JSON, as GET /v1/batches/{id} answers it, instead of a table
    #[arg(long)]
    json: bool,
}

impl From<BatchArgs> for grade::Options {
    fn from(args: BatchArgs) -> Self {
        let wish = selftest::target::Wish {
            server: args.server,
            embedded: args.embedded,
            config: args.config,
            token_file: args.token_file,
        };
        grade::Options {
            what: args.what,
            submissions: args.submissions,
            languages: args.languages.into_iter().collect(),
            wish,
            state: args.state,
            out: args.out,
            labels: args.labels,
            again: args.again,
            cancel_on_interrupt: args.cancel_on_interrupt,
            json: args.json,
        }
    }
}

fn suffix(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(suffix, language)| !suffix.is_empty() && !language.is_empty());
    parts
        .map(|(suffix, language)| (suffix.to_owned(), language.to_owned()))
        .ok_or_else(|| "write SUFFIX=LANGUAGE, the language by its id or alias".to_owned())
}

fn scale(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| (1.0..=1000.0).contains(number));
    number.ok_or_else(|| "write a number from 1 to 1000".to_owned())
}

fn token_name(text: &str) -> Result<String, String> {
    let legal = (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control);
    if legal { Ok(text.to_owned()) } else { Err("write 1 to 64 characters".to_owned()) }
}

/// How the part that talks to jaild is started by its parent.
#[derive(Args, Clone, Debug)]
struct Hidden {
    #[arg(long, hide = true)]
    link: Option<PathBuf>,
    #[arg(long, hide = true)]
    user: Option<String>,
    #[arg(long, hide = true)]
    parent: Option<i32>,
}

impl From<Hidden> for Talker {
    fn from(Hidden { link, user, parent }: Hidden) -> Self {
        Talker { link, user, parent }
    }
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Up { listen, state, languages, cache, batches, tuning, stock, parent } => {
            let cache = cache.unwrap_or_default();
            supervise::up(&supervise::Options { listen, state, languages, cache, batches, tuning, stock, parent })
        }
        Command::Serve { config, notify, listener, hidden } => {
            serve::serve(&serve::Options { config, user: hidden.user, parent: hidden.parent, notify, listener })
        }
        Command::Run { files, language, version, limits, outputs, into, json, args, files_to, hidden } => {
            let talker = hidden.into();
            run::run(run::Options { files, args, language, version, limits, outputs, into, json, files_to, talker })
        }
        Command::Doctor { json, config, all_wanted, hidden } => {
            doctor::doctor(&doctor::Options { json, config, all_wanted, talker: hidden.into() })
        }
        Command::Selftest(args) => selftest::selftest(&args.into()),
        Command::Batch(args) => grade::grade(&args.into()),
        Command::Config(ConfigCommand::Check { config, print }) => check(&config, print),
        Command::Token(TokenCommand::New { name, expires }) => token(name.as_deref(), expires),
        Command::Store(StoreCommand::Backup { to, kept }) => {
            copied(places(&kept).and_then(|places| store_command::backup(&places, &to)), &to)
        }
        Command::Store(StoreCommand::Restore { from, kept }) => {
            copied(places(&kept).and_then(|places| store_command::restore(&from, &places)), &from)
        }
    }
}

/// Where the engine of this configuration keeps batches. Without a configuration, below its state folder.
fn places(kept: &KeptArgs) -> Result<store_command::Places, String> {
    let usual = store_command::Places::below(&kept.state);
    if kept.config == Path::new(CONFIG) && !kept.config.exists() {
        return Ok(usual);
    }
    let (config, ..) = serve::load(&kept.config).map_err(|mistakes| mistakes.join("\n"))?;
    let batches = config.batches.folder.unwrap_or(usual.batches);
    Ok(store_command::Places { batches, blobs: config.blobs.folder.unwrap_or(usual.blobs) })
}

fn copied(outcome: Result<store_command::Copied, String>, place: &Path) -> ExitCode {
    match outcome {
        Ok(store_command::Copied { blobs, bytes }) => {
            say!("{}: batches, and {blobs} blobs with {bytes} bytes", place.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain!("engined: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check(path: &Path, print: bool) -> ExitCode {
    match serve::load(path) {
        Ok((config, .., printed)) => {
            if print {
                say!("{}\n", printed.trim_end());
            }
            for doubt in config::doubts(&config, clock::seconds()) {
                complain!("engined: warning: {doubt}");
            }
            // What depends on more than the file. As comments, so that what is printed is a configuration.
            for line in audit::in_words(&config.audit, &config.usage) {
                say!("# {line}");
            }
            ExitCode::SUCCESS
        }
        Err(mistakes) => {
            for mistake in mistakes {
                complain!("{mistake}");
            }
            ExitCode::FAILURE
        }
    }
}

/// 256 bits of chance. Whoever has the configuration can't call with what stands in it.
fn token(name: Option<&str>, expires: Option<u32>) -> ExitCode {
    let mut chance = [0_u8; 32];
    if let Err(error) = getrandom::fill(&mut chance) {
        complain!("engined: no entropy: {error}");
        return ExitCode::FAILURE;
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let token = format!("engined_{}", hex(&chance));
    let hash = hex(&tenants::hash(token.as_bytes()));
    let of_token = match (name, expires) {
        (None, None) => {
            format!("# The line for [tenants.NAME] in engined.toml:\ntokens = [\"sha256:{hash}\"]\n")
        }
        _ => {
            let name = name.map(|name| format!("name = {}\n", toml::Value::from(name))).unwrap_or_default();
            let end = expires.map(|days| clock::seconds() + i64::from(days) * 86_400);
            let end = end.and_then(|second| jiff::Timestamp::from_second(second).ok());
            let end = end.map(|end| format!("expires = {end}\n")).unwrap_or_default();
            format!(
                "# For engined.toml, with the tenant's name in the place of NAME:\n\
                 [[tenants.NAME.token]]\nhash = \"sha256:{hash}\"\n{name}{end}"
            )
        }
    };
    let text =
        format!("# The token, for the caller (Authorization: Bearer …). It is not shown again:\n{token}\n\n{of_token}");
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }
}
