//! `[tenants.NAME]`: who may call on whose account, and by which plan.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use toml::{Table, Value};

use super::plans::{DEFAULT, EVERY_DAY, Plan, Plans};
use super::reader::{Reader, Section, key};
use super::secret;
use super::{Config, Mistake};
use crate::accounts::Accounts;

/// One tenant with its plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantConfig {
    /// Its name, in logs.
    pub name: String,
    /// Whether it may see all tenants' usage and drain the engine.
    pub admin: bool,
    /// Ids of users who may call over the Unix socket.
    pub users: Vec<u32>,
    /// Ids of groups whose members may.
    pub groups: Vec<u32>,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// What it may have.
    pub plan: Arc<Plan>,
}

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// From this second since 1970 on it is as good as none.
    pub expires: Option<i64>,
    /// It is as good as none.
    pub revoked: bool,
    /// For people.
    pub name: Option<String>,
}

/// Where a token stands that lies in none of the lists.
const TOKEN: &str = "token";

/// Reads all tenants. Without any there is one that lets root and the engine's own user in.
pub(super) fn read(reader: &mut Reader, root: &mut Table, plans: &Plans, accounts: &Accounts) -> Vec<TenantConfig> {
    let mut tables = reader.tables(root, "tenants");
    if tables.is_empty() {
        tables.push((DEFAULT.to_owned(), Table::new()));
    }
    let only = tables.len() == 1;
    let tenants: Vec<_> =
        tables.into_iter().map(|(name, table)| tenant(reader, &name, table, plans, accounts, only)).collect();
    shared_keys(reader, &tenants, accounts);
    tenants
}

/// A caller that two tenants claim would be the one's or the other's by chance. Each such caller is told.
fn shared_keys(reader: &mut Reader, tenants: &[TenantConfig], accounts: &Accounts) {
    // A user that is named belongs there, whatever its groups are.
    let named: HashSet<u32> = tenants.iter().flat_map(|tenant| &tenant.users).copied().collect();
    let mut members = HashMap::new();
    let (mut tokens, mut users, mut groups) = (HashMap::new(), HashMap::new(), HashMap::new());
    for tenant in tenants {
        let mut claim = |key: &str, entry: &dyn Fn() -> String, earlier: Option<&str>| {
            if let Some(earlier) = earlier {
                let field = format!("tenants.{}.{key}", tenant.name);
                let why = match earlier == tenant.name {
                    true => format!("has {} twice", entry()),
                    false => format!("has {}, which tenant {earlier} has as well", entry()),
                };
                reader.mistake(&field, "", why, "let each caller belong to one tenant, and stand there once");
            }
        };
        let name = tenant.name.as_str();
        for Token { hash, .. } in &tenant.tokens {
            // As far as they are looked up by: two tokens that are alike so far are the same one.
            let prefix = prefix(hash);
            claim("tokens", &|| format!("the token whose hash begins with {prefix:016x}"), tokens.insert(prefix, name));
        }
        for user in &tenant.users {
            claim("allowed_users", &|| format!("the user with the id {user}"), users.insert(*user, name));
        }
        for group in &tenant.groups {
            claim("allowed_groups", &|| format!("the group with the id {group}"), groups.insert(*group, name));
        }
        for user in accounts.members(&tenant.groups).into_iter().filter(|user| !named.contains(user)) {
            let earlier = members.insert(user, name).filter(|earlier| *earlier != name);
            let entry = format!("a member with the id {user} (name it in allowed_users of one)");
            claim("allowed_groups", &|| entry.clone(), earlier);
        }
    }
}

/// What is no mistake, but hardly meant: in check, at the start and after a reload.
#[must_use]
pub fn doubts(config: &Config, now: i64) -> Vec<Mistake> {
    let mut doubts = Vec::new();
    let mut doubt = |field: String, value: String, why: &str, remedy: &str| {
        doubts.push(Mistake { field, value, why: why.to_owned(), remedy: remedy.to_owned() });
    };
    let tokens = || config.tenants.iter().flat_map(|tenant| &tenant.tokens);
    let works = |token: &Token| !token.revoked && token.expires.is_none_or(|end| now < end);
    if let Some(address) = config.listen.tcp.filter(|_| !config.listen.development)
        && !tokens().any(works)
    {
        let why = "lets nobody in: every token is revoked or has ended";
        doubt("listen.tcp".to_owned(), address.to_string(), why, "run `engined token new` and add what it prints");
    }
    for plan in config.plans.iter().filter(|plan| plan.cpu_seconds_per_day < EVERY_DAY && !config.usage.enabled) {
        let field = format!("plans.{}.cpu_seconds_per_day", key(&plan.name));
        let why = "begins anew whenever engined starts, as usage is not counted ([usage] enabled = false)";
        doubt(field, plan.cpu_seconds_per_day.to_string(), why, "count usage, or leave the bound out");
    }
    doubts
}

/// The part of a hash by which a token is found.
#[must_use]
pub fn prefix(hash: &[u8; 32]) -> u64 {
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn tenant(
    reader: &mut Reader,
    name: &str,
    table: Table,
    plans: &Plans,
    accounts: &Accounts,
    only: bool,
) -> TenantConfig {
    let doc = "A tenant: who may call on its account. Name users, groups or tokens.";
    let names_somebody = ["allowed_users", "allowed_groups", "tokens", TOKEN]
        .iter()
        .any(|key| table.get(*key).is_some_and(|list| list.as_array().is_none_or(|list| !list.is_empty())));
    let mut s = reader.open(&format!("tenants.{}", key(name)), table, doc);
    if !plain(name) {
        s.mistake("", "", format!("{name:?} is no plain name"), "write 1 to 64 of a-z A-Z 0-9 . _ -");
    }
    let plan = s.parsed("plan", Some(DEFAULT), "Its plan, one of [plans.NAME].", |text| {
        let unknown = || ("is no plan".to_owned(), format!("add [plans.{text}]"));
        plans.by_name.get(text).cloned().ok_or_else(unknown)
    });
    let doc = "Whether it may drain the engine and see every tenant's usage.";
    let admin = s.flag("admin", false, doc);
    let doc = "Users who may call over the Unix socket. The only tenant lets root and the engine's own user in if it names nobody.";
    // Both lists are those of the start: a serving engine reads none of the host's accounts.
    let mut users = s.list("allowed_users", doc, |user| {
        let remedy = || format!("useradd --system {user} and restart engined, or correct the name");
        accounts.user(user).ok_or_else(|| (format!("user {user} does not exist"), remedy()))
    });
    let groups = s.list("allowed_groups", "Groups whose members may.", |group| {
        let remedy = || format!("groupadd --system {group} and restart engined, or correct the name");
        accounts.group(group).ok_or_else(|| (format!("group {group} does not exist"), remedy()))
    });
    let doc = "SHA-256 of each token for TCP: `engined token new` prints the line. Two at once allow rotation. One that ends by itself is a [[tenants.NAME.token]].";
    let mut tokens = s.list("tokens", doc, |text| {
        token_hash(text).map(|hash| Token { hash, expires: None, revoked: false, name: None })
    });
    if !names_somebody && only {
        users = vec![0, accounts.own];
        users.dedup();
    } else if !names_somebody {
        s.mistake("", "", "nobody can call on its account", "name allowed_users, allowed_groups or tokens");
    }
    let mut inner = s.end(&[TOKEN]);
    tokens.extend(tokens_of(reader, name, &mut inner));
    let plan = plan.unwrap_or_else(|| Arc::clone(&plans.default));
    TenantConfig { name: name.to_owned(), admin, users, groups, tokens, plan }
}

/// `[[tenants.NAME.token]]`.
fn tokens_of(reader: &mut Reader, name: &str, inner: &mut Table) -> Vec<Token> {
    let field = format!("tenants.{}.{TOKEN}", key(name));
    let items = match inner.remove(TOKEN) {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(other) => {
            reader.mistake_in(&field, &other, "is no list of sections", format!("write [[{field}]]"));
            return Vec::new();
        }
    };
    let mut tokens = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match item {
            Value::Table(table) => {
                let doc = "A token with a name or an end.";
                let s = reader.open_item(&field, index, table, doc);
                tokens.extend(token(s));
            }
            other => {
                let field = format!("{field}[{index}]");
                reader.mistake_in(&field, &other, "is no section", format!("write [[tenants.{name}.{TOKEN}]]"));
            }
        }
    }
    tokens
}

fn token(mut s: Section<'_>) -> Option<Token> {
    if !s.has("hash") {
        s.mistake("hash", "", "is missing", "copy the section that `engined token new` prints");
    }
    let hash = s.parsed("hash", None, "Its SHA-256.", token_hash);
    let name = s.parsed("name", None, "For people: what it is for.", |text| {
        let short = (1..=64).contains(&text.chars().count()) && !text.contains(char::is_control);
        // It stands in audit lines.
        let legal = short && !secret::has_token(text);
        let complaint = || ("is no name".to_owned(), "write 1 to 64 characters, and not the token itself".to_owned());
        legal.then(|| text.to_owned()).ok_or_else(complaint)
    });
    let expires = s.instant("expires", "From then on it is not taken any more.");
    let revoked = s.flag("revoked", false, "Whether it is not taken any more from now on.");
    s.end(&[]);
    Some(Token { hash: hash?, expires, revoked, name })
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

pub(super) fn plain(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}
