//! `[plans.NAME]`: what a tenant may have at once, in a run, in a minute and in a day.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use languages::{LimitName, LimitSet, Limits, Step};
use toml::Table;

use super::reader::{Reader, Section, key};
use super::{GIB, Host, KIB, MIB, count};
use crate::admission::lowered;
use crate::queue::{Priority, Share};
use crate::rates::{PerLabel, Rate};

/// The plan of tenants that name none.
pub(super) const DEFAULT: &str = "default";
/// In `languages`: all that are offered.
const ALL: &str = "*";

/// What a tenant may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its name, in metrics and problems.
    pub name: String,
    /// At once.
    pub share: Share,
    /// In a minute.
    pub rate: Rate,
    /// In a minute, for each value of a label.
    pub per_label: Option<PerLabel>,
    /// In a day, by UTC.
    pub cpu_seconds_per_day: u64,
    /// Bytes of results that are kept.
    pub kept_bytes: u64,
    /// In a batch, and of all together.
    pub batches: BatchShare,
    /// How urgent its runs may be. At least one.
    pub priorities: Vec<Priority>,
    /// The languages that it may use, where not all that are offered.
    pub languages: Option<Vec<String>>,
    /// In one run.
    pub ceiling: Ceiling,
    /// In one compile.
    pub compile_ceiling: Ceiling,
}

/// What a tenant may have of batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchShare {
    /// Submissions of one.
    pub submissions: u64,
    /// Tests of one.
    pub tests: u64,
    /// Results of one: submissions × tests × repeat.
    pub results: u64,
    /// Results of all that are waited for.
    pub queued_results: u64,
    /// Output of one of its runs, which is compared and not kept.
    pub output_bytes: u64,
    /// Bytes of blobs.
    pub blob_bytes: u64,
    /// Bytes of all batches that are kept, without blobs.
    pub bytes: u64,
}

impl Plan {
    /// Whether it lets a language be used, by its id.
    #[must_use]
    pub fn allows(&self, language: &str) -> bool {
        self.languages.as_ref().is_none_or(|allowed| allowed.iter().any(|id| id == language))
    }

    /// The most that a step in a language may ask for.
    #[must_use]
    pub fn ceiling_of(&self, language: &str, step: Step) -> &Limits {
        let ceiling = match step {
            Step::Run => &self.ceiling,
            Step::Compile => &self.compile_ceiling,
        };
        ceiling.by_language.get(language).unwrap_or(&ceiling.all)
    }

    /// Every language that it names.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        let by_name = self.ceiling.by_language.keys().chain(self.compile_ceiling.by_language.keys());
        self.languages.iter().flatten().chain(by_name).map(String::as_str)
    }
}

/// CPU seconds in a day that no machine has: no bound.
pub(super) const EVERY_DAY: u64 = 1_000_000_000;

/// The most that a request may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// In every language but those below.
    pub all: Limits,
    /// In one language.
    pub by_language: BTreeMap<String, Limits>,
}

/// What bounds every plan.
pub(super) struct Size<'h> {
    pub host: &'h Host,
    /// Memory of all sandboxes together.
    pub sandbox_memory: u64,
    /// Runs at once, where the configuration says so.
    pub slots: Option<usize>,
    /// Runs waiting at once.
    pub queue_length: usize,
    /// Results that a tenant may keep, where its plan does not say so, and at most.
    pub kept: (u64, u64),
    /// All batches.
    pub store_bytes: u64,
}

/// All plans.
pub(super) struct Plans {
    pub by_name: BTreeMap<String, Arc<Plan>>,
    /// Of tenants that name none.
    pub default: Arc<Plan>,
}

/// Reads every plan, the default one whether it stands there or not.
pub(super) fn read(reader: &mut Reader, root: &mut Table, size: &Size<'_>) -> Plans {
    let (mut by_name, mut default) = (BTreeMap::new(), None);
    for (name, table) in reader.tables(root, "plans") {
        let plan = Arc::new(plan(reader, &name, table, size));
        if name == DEFAULT {
            default = Some(Arc::clone(&plan));
        }
        by_name.insert(name, plan);
    }
    let default = default.unwrap_or_else(|| Arc::new(plan(reader, DEFAULT, Table::new(), size)));
    by_name.insert(DEFAULT.to_owned(), Arc::clone(&default));
    Plans { by_name, default }
}

fn plan(reader: &mut Reader, name: &str, table: Table, size: &Size<'_>) -> Plan {
    const MOST: u64 = 1_000_000;
    let mut s = reader.open(&format!("plans.{}", key(name)), table, "A plan: what each tenant that has it may use.");
    if !super::tenants::plain(name) {
        s.mistake("", "", format!("{name:?} is no plain name"), "write 1 to 64 of a-z A-Z 0-9 . _ -");
    }
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let slots = size.slots.map_or(MOST, |slots| MOST.min(slots as u64));
    let weight = narrow(s.number("weight", 1, 1..=MOST, "Its part of the slots when several tenants wait."));
    let running = s.number("running", slots, 1..=MOST, "Runs under way at once; more wait.");
    if running > slots {
        let why = format!("is more than the engine runs at once: {slots} (engine.slots)");
        s.mistake("running", &running.to_string(), why, format!("write at most {slots}"));
    }
    let length = size.queue_length as u64;
    let queued = s.number("queued", length, 1..=MOST, "Runs waiting at once; more get 429 quota_exceeded.");
    if queued > length {
        let why = format!("is more than the queue has places: {length} (engine.queue_length)");
        s.mistake("queued", &queued.to_string(), why, format!("write at most {length}"));
    }
    let queued = narrow(queued);
    let share = Share { weight, running: narrow(running), queued };
    let doc =
        "Requests for work in a minute, evenly; more get 429 rate_limited. Of reads of batches ten times as many.";
    let rate = rate(&mut s, 6 * MOST, doc, "How many of them may come at once after a pause.");
    let doc = "CPU seconds of all compiles and runs in a day by UTC; then 429 quota_exceeded until midnight.";
    let cpu_seconds_per_day = s.number("cpu_seconds_per_day", EVERY_DAY, 1..=EVERY_DAY, doc);
    let doc = "Bytes of results of wait=false that are kept; the oldest go first.";
    let kept_bytes = s.number("kept_bytes", size.kept.0, KIB..=size.kept.1, doc);
    let batches = batches(&mut s, size.store_bytes);
    let doc = "The priorities that a request may ask for; another gets 403 forbidden.";
    let priorities = s.list_or("priorities", &["interactive", "batch"], doc, priority);
    let doc = "The languages that may be used, by id; another gets 403 forbidden. \"*\" are all that are offered.";
    let languages = s.list_or("languages", &[ALL], doc, |text| Ok(text.to_owned()));
    let mut inner =
        s.end(&["per_label", "ceiling", "ceiling_by_language", "compile_ceiling", "compile_ceiling_by_language"]);
    let per_label = inner.contains_key("per_label").then(|| per_label(reader, &mut inner, name)).flatten();
    let doc = "The most that a request may ask for in a run, and in a compile unless it is said below.";
    let ceiling = ceiling(reader, &mut inner, (name, "ceiling"), &usual(size), size, doc);
    let doc = "The most that a request may ask for in a compile.";
    let compile_ceiling = self::ceiling(reader, &mut inner, (name, "compile_ceiling"), &ceiling.all, size, doc);
    Plan {
        name: name.to_owned(),
        share,
        rate,
        per_label,
        cpu_seconds_per_day,
        kept_bytes,
        batches,
        priorities,
        languages: (!languages.iter().any(|id| id == ALL)).then_some(languages),
        ceiling,
        compile_ceiling,
    }
}

fn batches(s: &mut Section<'_>, store_bytes: u64) -> BatchShare {
    const MOST: u64 = 1_000_000_000;
    let doc = "Submissions of one batch; more get 422 limit_above_ceiling.";
    let submissions = s.number("batch_submissions", 20_000, 1..=1_000_000, doc);
    let doc = "Tests of one batch; more get 422 limit_above_ceiling.";
    let tests = s.number("batch_tests", 10_000, 1..=1_000_000, doc);
    let doc = "Results of one batch, which are submissions x tests x repeat; more get 422 limit_above_ceiling.";
    let results = s.number("batch_results", 1_000_000, 1..=MOST, doc);
    let doc = "Results of all batches that are not there yet; more get 429 quota_exceeded.";
    let queued_results = s.number("queued_results", 2_000_000, 1..=MOST, doc);
    let doc = "Output of one run of a batch: it is compared as it comes, and not kept.";
    let output_bytes = s.number("batch_output_bytes", GIB, KIB..=1 << 44, doc);
    let doc = "Bytes of blobs, the data of tests that is sent once; more get 429 quota_exceeded.";
    let blob_bytes = s.number("blob_bytes", 10 * GIB, KIB..=1 << 44, doc);
    let doc =
        "Bytes of batches that are kept, all but blobs, of the engine's store_bytes; more get 429 quota_exceeded.";
    let bytes = s.number("batch_bytes", store_bytes / 4, MIB..=1 << 44, doc);
    BatchShare { submissions, tests, results, queued_results, output_bytes, blob_bytes, bytes }
}

fn priority(text: &str) -> Result<Priority, (String, String)> {
    match text {
        "interactive" => Ok(Priority::Interactive),
        "batch" => Ok(Priority::Batch),
        _ => Err(("is no priority".to_owned(), "write interactive or batch".to_owned())),
    }
}

fn rate(s: &mut Section<'_>, default: u64, doc: &str, burst_doc: &str) -> Rate {
    const MOST_AT_ONCE: u64 = 1_000_000;
    let per_minute = s.number("requests_per_minute", default, 1..=6_000_000, doc);
    let burst = s.number("burst", per_minute.min(MOST_AT_ONCE), 1..=MOST_AT_ONCE, burst_doc);
    let narrow = |number: u64| u32::try_from(number).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    Rate { per_minute: narrow(per_minute), burst: narrow(burst) }
}

fn per_label(reader: &mut Reader, inner: &mut Table, name: &str) -> Option<PerLabel> {
    let doc = "A bucket for each value of a label; the plan's own holds for all of them together.";
    let mut s = reader.section(inner, &format!("plans.{}.per_label", key(name)), doc);
    if !s.has("label") {
        s.mistake("label", "", "is missing", "write label = \"user\", or what callers name it");
    }
    let label = s.parsed("label", None, "The label. A request without it counts as one with an empty value.", |text| {
        let named = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
        let legal = (1..=64).contains(&text.len()) && text.bytes().all(named);
        let complaint = || ("is no name of a label".to_owned(), "write 1 to 64 of a-z A-Z 0-9 . _ - /".to_owned());
        legal.then(|| text.to_owned()).ok_or_else(complaint)
    });
    if !s.has("requests_per_minute") {
        s.mistake("requests_per_minute", "", "is missing", "write how many requests each value may make in a minute");
    }
    let doc = "Runs asked for in a minute with one value, evenly; more get 429 rate_limited.";
    let rate = rate(&mut s, 60, doc, "How many of them may come at once after a pause.");
    let doc = "Values with a bucket of their own at a time, 40 bytes each; what comes above them shares one.";
    let values = count(s.number("values", 16_384, 1..=1 << 20, doc));
    s.end(&[]);
    label.map(|label| PerLabel { label, rate, values })
}

/// What usual platforms allow at most, as far as this host has it.
fn usual(size: &Size<'_>) -> Limits {
    let usual = Limits {
        cpu_time_ms: 600_000,
        wall_time_ms: 600_000,
        memory_bytes: 4 * GIB,
        processes: 4096,
        cpus_milli: 64_000,
        output_bytes: 16 * MIB,
        file_bytes: 4 * GIB,
        disk_bytes: 4 * GIB,
        open_files: 65_536,
        stack_bytes: 4 * GIB,
    };
    let host = Limits { memory_bytes: size.sandbox_memory, cpus_milli: size.host.cpus_milli(), ..usual };
    lowered(&usual, &host)
}

fn range(limit: LimitName) -> (std::ops::RangeInclusive<u64>, &'static str) {
    const HOUR: u64 = 3_600_000;
    const TIB: u64 = 1 << 40;
    match limit {
        LimitName::CpuTimeMs => (1..=24 * HOUR, "CPU time of a step."),
        LimitName::WallTimeMs => (1..=24 * HOUR, "Time from a step's start to its end."),
        LimitName::MemoryBytes => (MIB..=TIB, "Memory of a step."),
        LimitName::Processes => (1..=65_536, "Processes and threads."),
        LimitName::Cpus => (100..=1_024_000, "Share of cores."),
        LimitName::OutputBytes => (1..=GIB, "Each of stdout and stderr."),
        LimitName::FileBytes => (1..=TIB, "One file."),
        LimitName::DiskBytes => (4 * KIB..=TIB, "The work directory."),
        LimitName::OpenFiles => (8..=1 << 20, "Open descriptors of a process."),
        LimitName::StackBytes => (64 * KIB..=TIB, "Stack of the main thread."),
    }
}

/// `[plans.NAME.KIND]` and `[plans.NAME.KIND_by_language.ID]`.
fn ceiling(
    reader: &mut Reader,
    inner: &mut Table,
    (name, kind): (&str, &str),
    default: &Limits,
    size: &Size<'_>,
    doc: &str,
) -> Ceiling {
    let mut s = reader.section(inner, &format!("plans.{}.{kind}", key(name)), doc);
    let mut set = LimitSet::default();
    for limit in LimitName::ALL {
        let ((range, doc), usual) = (range(limit), default.get(limit));
        let said = s.has(limit.as_str());
        let value = match limit {
            LimitName::Cpus => s.thousandths("cpus", usual, range, doc),
            _ => s.number(limit.as_str(), usual, range, doc),
        };
        if said {
            within(&mut s, limit, value, size);
        }
        put(&mut set, limit, value);
    }
    s.end(&[]);
    let all = over(default, &set);
    let section = format!("{kind}_by_language");
    let mut by_language = BTreeMap::new();
    for (id, table) in reader.tables_of(inner, &section, &format!("plans.{name}.{section}")) {
        let doc = "The same in one language, by its id, where it differs.";
        if !super::tenants::plain(&id) {
            let why = format!("{id:?} is no id of a language");
            reader.mistake(&format!("plans.{name}.{section}"), "", why, "write one of those that /v1/languages lists");
            continue;
        }
        let mut s = reader.open(&format!("plans.{}.{section}.{}", key(name), key(&id)), table, doc);
        let mut set = LimitSet::default();
        for limit in LimitName::ALL {
            let (range, doc) = range(limit);
            let value = match limit {
                LimitName::Cpus => s.optional_thousandths("cpus", range, doc),
                _ => s.optional(limit.as_str(), range, doc),
            };
            if let Some(value) = value {
                within(&mut s, limit, value, size);
                put(&mut set, limit, value);
            }
        }
        s.end(&[]);
        by_language.insert(id, over(&all, &set));
    }
    Ceiling { all, by_language }
}

/// What the host has not no plan can give.
fn within(s: &mut Section<'_>, limit: LimitName, value: u64, size: &Size<'_>) {
    let cpus = size.host.cpus_milli();
    match limit {
        LimitName::MemoryBytes if value > size.sandbox_memory => {
            let most = size.sandbox_memory;
            let why = format!(
                "is more than all sandboxes together may have: {most} (engine.sandbox_memory_bytes) of the host's {}",
                size.host.memory
            );
            s.mistake(limit.as_str(), &value.to_string(), why, format!("write at most {most}"));
        }
        LimitName::Cpus if value > cpus => {
            let shown = |milli: u64| format!("{}.{:03}", milli / 1000, milli % 1000);
            let why = format!("is more than this host has: {} processors", size.host.cpus);
            s.mistake(limit.as_str(), &shown(value), why, format!("write at most {}", shown(cpus)));
        }
        _ => {}
    }
}

fn put(set: &mut LimitSet, limit: LimitName, value: u64) {
    let place = match limit {
        LimitName::CpuTimeMs => &mut set.cpu_time_ms,
        LimitName::WallTimeMs => &mut set.wall_time_ms,
        LimitName::MemoryBytes => &mut set.memory_bytes,
        LimitName::Processes => &mut set.processes,
        LimitName::Cpus => &mut set.cpus_milli,
        LimitName::OutputBytes => &mut set.output_bytes,
        LimitName::FileBytes => &mut set.file_bytes,
        LimitName::DiskBytes => &mut set.disk_bytes,
        LimitName::OpenFiles => &mut set.open_files,
        LimitName::StackBytes => &mut set.stack_bytes,
    };
    *place = Some(value);
}

fn over(all: &Limits, set: &LimitSet) -> Limits {
    let of = |limit: LimitName| set.get(limit).unwrap_or_else(|| all.get(limit));
    Limits {
        cpu_time_ms: of(LimitName::CpuTimeMs),
        wall_time_ms: of(LimitName::WallTimeMs),
        memory_bytes: of(LimitName::MemoryBytes),
        processes: of(LimitName::Processes),
        cpus_milli: of(LimitName::Cpus),
        output_bytes: of(LimitName::OutputBytes),
        file_bytes: of(LimitName::FileBytes),
        disk_bytes: of(LimitName::DiskBytes),
        open_files: of(LimitName::OpenFiles),
        stack_bytes: of(LimitName::StackBytes),
    }
}

#[cfg(test)]
mod tests;
