//! The part of the configuration about signs of abuse: `[abuse]`.

use std::time::Duration;

use toml::Table;

use super::count;
use super::reader::Reader;

/// When what a tenant's users do is told to the operator.
#[derive(Clone, Debug)]
pub struct Abuse {
    /// Whether signs are looked for.
    pub enabled: bool,
    /// The label that names the user.
    pub label: String,
    /// Within what time they count together.
    pub window: Duration,
    /// So many security violations are a sign.
    pub security_violations: u32,
    /// So many runs that asked for network sockets.
    pub sockets: u32,
    /// So many runs that computed for as long as they could and said next to nothing.
    pub miners: u32,
    /// Of what they could use of the CPU, in hundredths.
    pub miner_cpu_percent: u64,
    /// What is next to nothing.
    pub miner_output_bytes: u64,
    /// So many runs that hit their limit of processes or memory.
    pub limits: u32,
    /// A tenant as a whole needs so many times as many.
    pub whole_tenant_times: u32,
    /// Users that are counted at once.
    pub users: usize,
}

pub(super) fn read(reader: &mut Reader, root: &mut Table) -> Abuse {
    let doc = "Signs of abuse: a warning in the log and a metric, for each user of a tenant and for the tenant. Nobody is banned by them.";
    let mut s = reader.section(root, "abuse", doc);
    let enabled = s.flag("enabled", true, "Whether signs are looked for.");
    let doc = "The label of requests that names the user. Runs without it count for the tenant alone.";
    let label = s.parsed("label", Some("user"), doc, label).unwrap_or_default();
    let window = s.number("window_seconds", 600, 1..=86_400, "Within what time runs count together.");
    let mut runs =
        |key, default, doc| u32::try_from(s.number(key, default, 1..=1_000_000_000, doc)).unwrap_or(u32::MAX);
    let security_violations =
        runs("security_violations", 3, "So many runs that made a system call that ends whoever makes it.");
    let sockets = runs("sockets", 10, "So many runs that asked for a network socket.");
    let miners = runs("miners", 20, "So many runs that computed for as long as they could and wrote next to nothing.");
    let limits = runs("limits", 20, "So many runs that hit their limit of memory or of processes.");
    let doc = "A tenant as a whole needs so many times as many: many users may each do a little.";
    let whole_tenant_times = runs("whole_tenant_times", 10, doc);
    let doc = "Of the CPU time that a run could have used, so many hundredths are as long as it could.";
    let miner_cpu_percent = s.number("miner_cpu_percent", 90, 1..=100, doc);
    let miner_output_bytes =
        s.number("miner_output_bytes", 1024, 1..=1 << 30, "Less than so much output is next to nothing.");
    let doc = "Users who are counted at once; whoever was conspicuous longest ago is forgotten first.";
    let users = count(s.number("users", 4096, 1..=1_000_000, doc));
    s.end(&[]);
    let window = Duration::from_secs(window);
    Abuse {
        enabled,
        label,
        window,
        security_violations,
        sockets,
        miners,
        miner_cpu_percent,
        miner_output_bytes,
        limits,
        whole_tenant_times,
        users,
    }
}

/// What `api-spec` takes as the name of a label.
fn label(text: &str) -> Result<String, (String, String)> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte);
    let named = (1..=64).contains(&text.len()) && text.bytes().all(legal);
    let complaint = || ("is no name of a label".to_owned(), "write 1 to 64 of A-Z a-z 0-9 . _ - /".to_owned());
    named.then(|| text.to_owned()).ok_or_else(complaint)
}
