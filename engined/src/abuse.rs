//! Signs of abuse: what operators want to hear of before their provider tells them.
//!
//! Each run that ends is looked at: whether it made a [system call that ends its process](jail::spec::WatchedCall),
//! asked for a network socket, computed for as long as it could while it wrote next to nothing, or hit its limit of
//! memory or processes, whatever its verdict was then, and whether or not its caller was still there. Each of these
//! happens to honest programs. Where it happens again and again within a window, to one user of a tenant or to a tenant
//! as a whole, it is a [`Sign`]: a warning in the log and a line of the audit with tenant, user, count and the last
//! execution, and a count in `engined_abuse_signs_total`, once per window. Nothing is refused for it: what to do is for
//! people.
//!
//! The user is a label of the request, which the operator names (`abuse.label`). Its values are text of strangers: they
//! stand quoted in log and audit, never in a metric, and as many of them as `abuse.users` are counted. Of more, whoever was
//! conspicuous longest ago is forgotten; that many users do a little each is seen by what the tenant comes to. Runs in which
//! nothing is conspicuous leave no trace here.
//!
//! A window begins with the first such run and ends after its time, by the monotonic clock.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use api_spec::{ExecutionResult, LimitName, Usage, Verdict};
use jail::spec::{Ended, Limits, Outcome, WatchedCall};

use crate::audit::Act;
use crate::config;
use crate::job::Job;
use crate::metrics::AbuseMetrics;
use crate::queue::TenantIndex;

/// What is conspicuous in a run, and a sign when it is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A system call that ends whoever makes it.
    SecurityViolation,
    /// A network socket was asked for.
    Socket,
    /// It computed for as long as it could and wrote next to nothing.
    Miner,
    /// It hit its limit of memory or processes.
    Limit,
}

impl Sign {
    /// Every one.
    pub const ALL: [Sign; 4] = [Sign::SecurityViolation, Sign::Socket, Sign::Miner, Sign::Limit];

    /// Its label in the metrics, and its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Sign::SecurityViolation => "security_violation",
            Sign::Socket => "socket",
            Sign::Miner => "miner",
            Sign::Limit => "limit",
        }
    }

    fn threshold(self, settings: &config::Abuse) -> u32 {
        match self {
            Sign::SecurityViolation => settings.security_violations,
            Sign::Socket => settings.sockets,
            Sign::Miner => settings.miners,
            Sign::Limit => settings.limits,
        }
    }
}

/// One kind of run within one window.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    since: Option<Instant>,
    runs: u32,
    told: bool,
}

impl Count {
    /// One more. How many there are, if it is the one that makes a sign.
    fn add(&mut self, now: Instant, window: Duration, threshold: u32) -> Option<u32> {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= window) {
            *self = Count { since: Some(now), ..Count::default() };
        }
        self.runs = self.runs.saturating_add(1);
        let sign = self.runs >= threshold && !self.told;
        self.told |= sign;
        sign.then_some(self.runs)
    }
}

/// What ends whoever makes a call that the filter kills for.
const SIGSYS: u8 = 31;

/// In the order of [`Sign::ALL`].
type Counts = [Count; Sign::ALL.len()];
type User = (TenantIndex, Arc<str>);

/// The users that are counted, and who was conspicuous when.
#[derive(Debug, Default)]
struct Users {
    counts: HashMap<User, (u64, Counts)>,
    order: BTreeMap<u64, User>,
    last: u64,
}

impl Users {
    fn counts(&mut self, user: User, most: usize) -> &mut Counts {
        self.last += 1;
        let last = self.last;
        if let Some((seen, _)) = self.counts.get(&user) {
            self.order.remove(seen);
        } else {
            // More than one where a new configuration counts fewer.
            while self.counts.len() >= most
                && let Some((_, longest_ago)) = self.order.pop_first()
            {
                self.counts.remove(&longest_ago);
            }
        }
        self.order.insert(last, (user.0, Arc::clone(&user.1)));
        let (seen, counts) = self.counts.entry(user).or_default();
        *seen = last;
        counts
    }
}

#[derive(Debug, Default)]
struct State {
    tenants: Vec<Counts>,
    users: Users,
}

/// Looks for signs of abuse.
#[derive(Debug)]
pub struct Abuse {
    settings: RwLock<Arc<config::Abuse>>,
    state: Mutex<State>,
    metrics: AbuseMetrics,
}

/// Where a sign was seen: a user, or `None` for a tenant as a whole.
type Seen<'a> = (Sign, Option<&'a str>, u32);

impl Abuse {
    /// Of nobody yet.
    #[must_use]
    pub fn new(settings: config::Abuse, metrics: AbuseMetrics) -> Self {
        Abuse { settings: RwLock::new(Arc::new(settings)), state: Mutex::default(), metrics }
    }

    /// From now on these thresholds count. What has been counted stays.
    pub fn set(&self, settings: config::Abuse) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    fn settings(&self) -> Arc<config::Abuse> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// An execution of this job is over. `hit`: [a limit was](crate::audit::orphan::Orphan::hit), whatever the verdict. Tells the
    /// signs, and gives them for the audit.
    #[must_use]
    pub fn observe(
        &self,
        tenant: (TenantIndex, &str),
        request: &str,
        job: &Job,
        result: &ExecutionResult,
        hit: bool,
    ) -> Vec<Act> {
        let settings = self.settings();
        if !settings.enabled {
            return Vec::new();
        }
        let compile = job.program.compile.as_ref().map(|compile| &compile.step.limits);
        let mut found = conspicuous(&settings, &job.run.limits, compile, result);
        found[Sign::Limit as usize] |= hit;
        self.tell(&settings, tenant, &result.labels, (&result.id, request), found)
    }

    /// The same of an execution whose caller has left, by the steps that it got to, with their limits. What it wrote nobody
    /// has counted. `ids` are its own and that of the request, in whose span we are not.
    #[must_use]
    pub fn left<'a>(
        &self,
        tenant: (TenantIndex, &str),
        labels: &BTreeMap<String, String>,
        ids: (&str, &str),
        steps: impl Iterator<Item = (&'a Limits, &'a Ended)>,
        hit: bool,
    ) -> Vec<Act> {
        let settings = self.settings();
        if !settings.enabled {
            return Vec::new();
        }
        let mut found = [false; Sign::ALL.len()];
        for (limits, ended) in steps {
            let calls = || ended.attempts.iter().map(|(call, _)| call);
            found[Sign::Socket as usize] |= calls().any(|call| call == WatchedCall::SOCKET);
            let killed = ended.outcome == Outcome::Signalled(SIGSYS);
            found[Sign::SecurityViolation as usize] |= killed || calls().any(|call| call != WatchedCall::SOCKET);
            found[Sign::Miner as usize] |= computes(&settings, limits, ended.usage.cpu.0, 0);
        }
        found[Sign::Limit as usize] = hit;
        self.tell(&settings, tenant, labels, ids, found)
    }

    /// Counts what was conspicuous, tells the signs that it makes, and gives them.
    fn tell(
        &self,
        settings: &config::Abuse,
        tenant: (TenantIndex, &str),
        labels: &BTreeMap<String, String>,
        (id, request_id): (&str, &str),
        found: [bool; Sign::ALL.len()],
    ) -> Vec<Act> {
        if !found.contains(&true) {
            return Vec::new();
        }
        let user = labels.get(&settings.label).map(String::as_str);
        let within_s = settings.window.as_secs();
        let tell = |(sign, user, runs): Seen<'_>| {
            let (sign, tenant, execution) = (sign.name(), tenant.1, id);
            self.metrics.sign(sign, tenant);
            // Quoted: a stranger's text must not pass for a line or a field of ours.
            let quoted = user.map(tracing::field::debug);
            tracing::warn!(sign, tenant, user = quoted, runs, within_s, execution, request_id, "sign of abuse");
            let (tenant, user, execution) = (tenant.to_owned(), user.map(str::to_owned), execution.to_owned());
            let request_id = request_id.to_owned();
            Act::AbuseSign { sign, tenant, user, runs, within_s, execution, request_id }
        };
        self.note(Instant::now(), tenant.0, user, found).into_iter().map(tell).collect()
    }

    /// Counts what was conspicuous, and says of what there are enough now.
    fn note<'a>(
        &self,
        now: Instant,
        tenant: TenantIndex,
        user: Option<&'a str>,
        found: [bool; Sign::ALL.len()],
    ) -> Vec<Seen<'a>> {
        let settings = self.settings();
        let (window, times) = (settings.window, settings.whole_tenant_times);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut signs = Vec::new();
        let mut count = |counts: &mut Counts, user: Option<&'a str>, times: u32| {
            for ((sign, count), _) in Sign::ALL.into_iter().zip(counts).zip(found).filter(|(_, found)| *found) {
                let threshold = sign.threshold(&settings).saturating_mul(times);
                if let Some(runs) = count.add(now, window, threshold) {
                    signs.push((sign, user, runs));
                }
            }
        };
        if let Some(user) = user {
            count(state.users.counts((tenant, Arc::from(user)), settings.users), Some(user), 1);
        }
        if state.tenants.len() <= tenant.0 {
            state.tenants.resize(tenant.0 + 1, Counts::default());
        }
        count(&mut state.tenants[tenant.0], None, times);
        signs
    }
}

/// What is conspicuous in a result, in the order of [`Sign::ALL`]. `run` and `compile` are the limits of the steps. A compile
/// that is told again was looked at when it happened.
fn conspicuous(
    settings: &config::Abuse,
    run: &Limits,
    compile: Option<&Limits>,
    result: &ExecutionResult,
) -> [bool; Sign::ALL.len()] {
    let fresh = result.compile.as_ref().filter(|compile| !compile.cached);
    let steps = [result.run.as_ref().map(|run| &run.watched_calls), fresh.map(|compile| &compile.watched_calls)];
    let mut calls = steps.into_iter().flatten().flat_map(BTreeMap::keys);
    let network = WatchedCall::SOCKET.name();
    let socket = steps.into_iter().flatten().any(|calls| calls.contains_key(network));
    let violation = result.verdict == Verdict::SecurityViolation || calls.any(|call| call != network);
    let limit = match (result.verdict, &result.reason) {
        (Verdict::MemoryLimit | Verdict::ProcessLimit, _) => true,
        (Verdict::CompileError, Some(reason)) if fresh.is_some() => {
            matches!(reason.limit, Some(LimitName::MemoryBytes | LimitName::Processes))
        }
        _ => false,
    };
    let computes =
        |limits: &Limits, usage: &Usage, written: u64| computes(settings, limits, usage.cpu_time_us, written);
    let ran = result.run.as_ref().is_some_and(|step| computes(run, &step.usage, step.stdout.bytes + step.stderr.bytes));
    let compiled = fresh.zip(compile);
    let compiled =
        compiled.is_some_and(|(step, limits)| computes(limits, &step.usage, step.stdout.bytes + step.stderr.bytes));
    [violation, socket, ran || compiled, limit]
}

/// Whether a step has computed for as long as it could and said next to nothing.
fn computes(settings: &config::Abuse, limits: &Limits, cpu_us: u64, written: u64) -> bool {
    let of_wall = limits.wall_time.0.saturating_mul(limits.cpus_milli.into());
    let could_us = limits.cpu_time.0.saturating_mul(1000).min(of_wall);
    let most = cpu_us.saturating_mul(100) >= could_us.saturating_mul(settings.miner_cpu_percent);
    most && written < settings.miner_output_bytes
}

#[cfg(test)]
mod tests;
