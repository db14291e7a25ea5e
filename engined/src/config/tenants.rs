//! The part of the configuration about who may call and what each may have: `[tenants.NAME]` and `[plans.NAME]`.

use std::collections::BTreeMap;

use languages::{LimitName, Limits};
use toml::Table;

use super::reader::{Reader, Section};
use super::{GIB, KIB, MIB};
use crate::accounts::Accounts;
use crate::queue::Share;

const DEFAULT: &str = "default";

/// One tenant with its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantConfig {
    /// Its name, in logs.
    pub name: String,
    /// Ids of users who may call over the Unix socket.
    pub users: Vec<u32>,
    /// Ids of groups whose members may.
    pub groups: Vec<u32>,
    /// SHA-256 of each token.
    pub tokens: Vec<[u8; 32]>,
    /// What it may have at once.
    pub plan: Plan,
    /// What the plan is called.
    pub plan_name: String,
}

/// What a tenant may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// At once.
    pub share: Share,
    /// In one run.
    pub ceiling: Limits,
}

/// Reads plans and tenants. Without any tenant there is one that lets root and the engine's own user in.
pub(super) fn read(reader: &mut Reader, root: &mut Table, accounts: &Accounts) -> Vec<TenantConfig> {
    let mut tables = reader.tables(root, "plans");
    if !tables.iter().any(|(name, _)| name == DEFAULT) {
        tables.push((DEFAULT.to_owned(), Table::new()));
    }
    let plans: BTreeMap<String, Plan> =
        tables.into_iter().map(|(name, table)| (name.clone(), plan(reader, &name, table))).collect();
    let mut tables = reader.tables(root, "tenants");
    if tables.is_empty() {
        tables.push((DEFAULT.to_owned(), Table::new()));
    }
    let only = tables.len() == 1;
    let tenants: Vec<_> =
        tables.into_iter().map(|(name, table)| tenant(reader, &name, table, &plans, accounts, only)).collect();
    shared_keys(reader, &tenants);
    tenants
}

/// A caller that two tenants claim would be the one's or the other's by chance.
fn shared_keys(reader: &mut Reader, tenants: &[TenantConfig]) {
    for (at, tenant) in tenants.iter().enumerate() {
        for earlier in &tenants[..at] {
            let token = tenant.tokens.iter().any(|token| earlier.tokens.contains(token));
            let user = tenant.users.iter().any(|user| earlier.users.contains(user));
            let group = tenant.groups.iter().any(|group| earlier.groups.contains(group));
            for (key, shared) in [("tokens", token), ("allowed_users", user), ("allowed_groups", group)] {
                if shared {
                    let field = format!("tenants.{}.{key}", tenant.name);
                    let why = format!("has an entry that tenant {} has as well", earlier.name);
                    reader.mistake(&field, "", why, "let each caller belong to one tenant");
                }
            }
        }
    }
}

fn tenant(
    reader: &mut Reader,
    name: &str,
    table: Table,
    plans: &BTreeMap<String, Plan>,
    accounts: &Accounts,
    only: bool,
) -> TenantConfig {
    let doc = "A tenant: who may call on its account. Name users, groups or tokens.";
    let names_somebody = ["allowed_users", "allowed_groups", "tokens"]
        .iter()
        .any(|key| table.get(*key).is_some_and(|list| list.as_array().is_none_or(|list| !list.is_empty())));
    let mut s = reader.open(&format!("tenants.{name}"), table, doc);
    if !plain(name) {
        s.mistake("", "", format!("{name:?} is no plain name"), "write 1 to 64 of a-z A-Z 0-9 . _ -");
    }
    let plan = s.parsed("plan", Some(DEFAULT), "Its plan, one of [plans.NAME].", |text| {
        let unknown = || ("is no plan".to_owned(), format!("add [plans.{text}]"));
        plans.get(text).map(|plan| (text.to_owned(), *plan)).ok_or_else(unknown)
    });
    let doc = "Users who may call over the Unix socket. The only tenant lets root and the engine's own user in if it names nobody.";
    let mut users = s.list("allowed_users", doc, |user| {
        let unknown =
            || (format!("user {user} does not exist"), format!("useradd --system {user}, or correct the name"));
        accounts.user(user).ok_or_else(unknown)
    });
    let groups = s.list("allowed_groups", "Groups whose members may.", |group| {
        let unknown = || (format!("group {group} does not exist"), format!("groupadd --system {group}, or correct it"));
        accounts.group(group).ok_or_else(unknown)
    });
    let doc = "SHA-256 of each token for TCP: `engined token new` prints the line. Two at once allow rotation.";
    let tokens = s.list("tokens", doc, token_hash);
    if !names_somebody && only {
        users = vec![0, accounts.own];
        users.dedup();
    } else if !names_somebody {
        s.mistake("", "", "nobody can call on its account", "name allowed_users, allowed_groups or tokens");
    }
    s.end(&[]);
    let (plan_name, plan) = plan.unwrap_or_else(|| {
        let share = Share { weight: 1, running: 1, queued: 1 };
        (DEFAULT.to_owned(), Plan { share, ceiling: usual() })
    });
    TenantConfig { name: name.to_owned(), users, groups, tokens, plan, plan_name }
}

fn plan(reader: &mut Reader, name: &str, table: Table) -> Plan {
    let mut s = reader.open(&format!("plans.{name}"), table, "A plan: what each tenant that has it may use at once.");
    if !plain(name) {
        s.mistake("", "", format!("{name:?} is no plain name"), "write 1 to 64 of a-z A-Z 0-9 . _ -");
    }
    let mut narrow = |key, default, doc| u32::try_from(s.number(key, default, 1..=1_000_000, doc)).unwrap_or(u32::MAX);
    let share = Share {
        weight: narrow("weight", 1, "Its part of the slots when several tenants wait."),
        running: narrow("running", 1_000_000, "Runs under way at once; more wait."),
        queued: narrow("queued", 1_000_000, "Runs waiting at once; more get 429 quota_exceeded."),
    };
    let mut inner = s.end(&["ceiling"]);
    let mut s = reader.section(&mut inner, &format!("plans.{name}.ceiling"), "The most that a request may ask for.");
    let ceiling = ceiling(&mut s);
    s.end(&[]);
    Plan { share, ceiling }
}

/// What usual platforms allow at most.
pub(super) fn usual() -> Limits {
    Limits {
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
    }
}

fn ceiling(s: &mut Section<'_>) -> Limits {
    const HOUR: u64 = 3_600_000;
    const TIB: u64 = 1 << 40;
    let usual = usual();
    let mut number = |limit: LimitName, range, doc| s.number(limit.as_str(), usual.get(limit), range, doc);
    let mut limits = Limits {
        cpu_time_ms: number(LimitName::CpuTimeMs, 1..=24 * HOUR, "CPU time of a step."),
        wall_time_ms: number(LimitName::WallTimeMs, 1..=24 * HOUR, "Time from a step's start to its end."),
        memory_bytes: number(LimitName::MemoryBytes, MIB..=TIB, "Memory of a step."),
        processes: number(LimitName::Processes, 1..=65_536, "Processes and threads."),
        cpus_milli: usual.cpus_milli,
        output_bytes: number(LimitName::OutputBytes, 1..=GIB, "Each of stdout and stderr."),
        file_bytes: number(LimitName::FileBytes, 1..=TIB, "One file."),
        disk_bytes: number(LimitName::DiskBytes, 4 * KIB..=TIB, "The work directory."),
        open_files: number(LimitName::OpenFiles, 8..=1 << 20, "Open descriptors of a process."),
        stack_bytes: number(LimitName::StackBytes, 64 * KIB..=TIB, "Stack of the main thread."),
    };
    limits.cpus_milli = s.thousandths("cpus", usual.cpus_milli, 100..=1_024_000, "Share of cores.");
    limits
}

/// `sha256:` and 64 hexadecimal digits, or the digits alone.
fn token_hash(text: &str) -> Result<[u8; 32], (String, String)> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
    let mut hash = [0; 32];
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?));
    let legal =
        digits.len() == 64 && hash.iter_mut().zip(pairs).all(|(byte, pair)| pair.map(|pair| *byte = pair).is_some());
    let complaint =
        || ("is no SHA-256 of a token".to_owned(), "copy the line that `engined token new` prints".to_owned());
    legal.then_some(hash).ok_or_else(complaint)
}

fn plain(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
