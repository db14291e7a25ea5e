//! Who calls: every caller resolves to a tenant, or to nobody.
//!
//! A token is looked up by the first eight bytes of its SHA-256, and the whole hash is then compared in constant time.
//! That is sound although the look-up takes its time by what it finds: what an outsider could learn by it is how much of
//! a hash in the configuration is like the hash of a token of its own choice. It can't choose a hash, only guess tokens,
//! and whoever knows a whole hash still has none of the 256 bits of chance that the token is made of. So a thousand tenants
//! cost no more than one. Whatever is wrong with a token, the same is done (one hash made, one compared) and said.
//!
//! A reload makes a new list out of the old one. A tenant keeps its place in it for the life of the process; one that is
//! no longer configured, or has nobody left who may call, is *closed*: nobody resolves to it, what waits on its account is
//! dropped, and what runs ends by itself. One whose last token has only come to its end is not closed: that was agreed before,
//! and what was sent in time is run.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::accounts::Accounts;
use crate::budget::Budget;
use crate::clock;
use crate::config::{Plan, TenantConfig, Token, prefix};
use crate::problem::Error;
use crate::queue::{Share, TenantIndex};
use crate::rates::{Gate, Room};
use crate::refusals::Lines;

/// The longest token. `engined token new` makes 72 bytes.
const TOKEN_BYTES: usize = 512;
/// Hashed where there is no token.
const NO_TOKEN: &[u8] = &[b'-'; 72];

/// What is known of a caller before its request is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// On the Unix socket, with the user and group that the kernel vouches for.
    Unix {
        /// Effective user.
        uid: u32,
        /// Effective group.
        gid: u32,
    },
    /// On TCP.
    Tcp(IpAddr),
}

/// One tenant.
#[derive(Clone, Debug)]
struct Tenant {
    name: String,
    admin: bool,
    open: bool,
    plan: Arc<Plan>,
    gate: Arc<Gate>,
    /// Its shares of the engine's memory, for its runs and for its batches: who has batches judged must not be refused a run
    /// for that.
    memory: [Arc<Budget>; 2],
    refusals: Arc<Lines>,
}

impl Tenant {
    /// As it is configured. Buckets are as full as they were.
    fn new(config: &TenantConfig, earlier: Option<&Tenant>, all: &Tenants) -> Self {
        let Tenants { development, room, memory, .. } = all;
        let plan = Arc::clone(&config.plan);
        let memory = earlier.map_or_else(|| [memory.share(), memory.share()], |tenant| tenant.memory.clone());
        let gate = match earlier {
            Some(tenant) => Gate::renewed(&plan, &tenant.gate, room),
            None => Arc::new(Gate::new(&plan, room)),
        };
        let tokens = config.tokens.iter().any(|token| !token.revoked);
        let open = *development || tokens || !config.users.is_empty() || !config.groups.is_empty();
        let refusals = earlier.map(|tenant| Arc::clone(&tenant.refusals)).unwrap_or_default();
        let admin = config.admin || *development;
        Tenant { name: config.name.clone(), admin, open, plan, gate, memory, refusals }
    }
}

/// A token that somebody may have.
#[derive(Debug)]
struct Known {
    hash: [u8; 32],
    tenant: usize,
    /// For people.
    name: Option<Arc<str>>,
    expires: Option<i64>,
    revoked: bool,
}

impl Known {
    /// Compared with where there is no such token.
    fn nobody() -> Self {
        Known { hash: [0; 32], tenant: 0, name: None, expires: None, revoked: true }
    }
}

/// How callers are found. A user that is named goes before the group that a process runs with, and that before the other
/// groups of its user; the configuration has none of them twice.
#[derive(Debug, Default)]
struct Callers {
    tokens: HashMap<u64, Known>,
    users: HashMap<u32, usize>,
    groups: HashMap<u32, usize>,
    members: HashMap<u32, usize>,
}

impl Callers {
    fn add(&mut self, tenant: usize, config: &TenantConfig, accounts: &Accounts) {
        for Token { hash, expires, revoked, name } in &config.tokens {
            let name = name.as_deref().map(Arc::from);
            let known = Known { hash: *hash, tenant, name, expires: *expires, revoked: *revoked };
            self.tokens.insert(prefix(hash), known);
        }
        self.users.extend(config.users.iter().map(|user| (*user, tenant)));
        self.groups.extend(config.groups.iter().map(|group| (*group, tenant)));
        self.members.extend(accounts.members(&config.groups).into_iter().map(|user| (user, tenant)));
    }

    fn unix(&self, uid: u32, gid: u32) -> Option<usize> {
        self.users.get(&uid).or_else(|| self.groups.get(&gid)).or_else(|| self.members.get(&uid)).copied()
    }
}

/// All tenants, as of a reading of the configuration.
#[derive(Debug)]
pub struct Tenants {
    tenants: Vec<Tenant>,
    callers: Callers,
    development: bool,
    /// Whose account it is in development: that of the first tenant in the configuration.
    first: usize,
    room: Room,
    /// The engine's own.
    memory: Arc<Budget>,
    /// Lines of the log about those who are nobody's.
    strangers: Arc<Lines>,
    /// What a hash is compared with that is like none.
    nobody: Known,
}

impl Tenants {
    /// Those of the configuration, who share this memory. In development, callers on TCP are the first tenant without any
    /// token.
    #[must_use]
    pub fn new(config: &[TenantConfig], accounts: &Accounts, development: bool, memory: &Arc<Budget>) -> Self {
        let nobody = Known::nobody();
        let (callers, room) = (Callers::default(), Room::default());
        let (memory, strangers) = (Arc::clone(memory), Arc::default());
        let none = Tenants { tenants: Vec::new(), callers, development, first: 0, room, memory, strangers, nobody };
        none.renewed(config, accounts)
    }

    /// The same with another configuration: whoever was known keeps its place, who is new comes after them, and who is gone
    /// is closed.
    #[must_use]
    pub fn renewed(&self, config: &[TenantConfig], accounts: &Accounts) -> Self {
        let mut tenants = self.tenants.clone();
        tenants.iter_mut().for_each(|tenant| tenant.open = false);
        let places: HashMap<&str, usize> = self.tenants.iter().map(|tenant| tenant.name.as_str()).zip(0..).collect();
        let (mut callers, mut first) = (Callers::default(), None);
        for one in config {
            let place = places.get(one.name.as_str()).copied();
            let tenant = Tenant::new(one, place.map(|place| &self.tenants[place]), self);
            let place = match place {
                Some(place) => {
                    tenants[place] = tenant;
                    place
                }
                None => {
                    tenants.push(tenant);
                    tenants.len() - 1
                }
            };
            callers.add(place, one, accounts);
            first.get_or_insert(place);
        }
        let (nobody, room, memory) = (Known::nobody(), self.room.clone(), Arc::clone(&self.memory));
        let (development, first, strangers) =
            (self.development, first.unwrap_or(self.first), Arc::clone(&self.strangers));
        Tenants { tenants, callers, development, first, room, memory, strangers, nobody }
    }

    /// What each may have at once, in order: [`TenantIndex`] counts in this list. `None`: it is closed.
    #[must_use]
    pub fn shares(&self) -> Vec<Option<Share>> {
        self.tenants.iter().map(|tenant| tenant.open.then_some(tenant.plan.share)).collect()
    }

    /// Whether anybody may call on its account.
    #[must_use]
    pub fn is_open(&self, TenantIndex(index): TenantIndex) -> bool {
        self.tenants[index].open
    }

    /// The names of those who are open.
    #[must_use]
    pub fn open(&self) -> Vec<&str> {
        self.tenants.iter().filter(|tenant| tenant.open).map(|tenant| tenant.name.as_str()).collect()
    }

    /// Bytes of results that each may keep, in the same order.
    #[must_use]
    pub fn kept_bytes(&self) -> Vec<u64> {
        self.tenants.iter().map(|tenant| tenant.plan.kept_bytes).collect()
    }

    /// Everybody's name, in the same order, those who are closed included.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.tenants.iter().map(|tenant| tenant.name.as_str()).collect()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self, TenantIndex(index): TenantIndex) -> &str {
        &self.tenants[index].name
    }

    /// Its plan.
    #[must_use]
    pub fn plan(&self, TenantIndex(index): TenantIndex) -> &Arc<Plan> {
        &self.tenants[index].plan
    }

    /// The name of its plan.
    #[must_use]
    pub fn plan_name(&self, tenant: TenantIndex) -> &str {
        &self.plan(tenant).name
    }

    /// The name of everybody's plan, in the same order.
    #[must_use]
    pub fn plan_names(&self) -> Vec<&str> {
        self.tenants.iter().map(|tenant| tenant.plan.name.as_str()).collect()
    }

    /// Whether it may see everybody's usage and drain the engine.
    #[must_use]
    pub fn is_admin(&self, TenantIndex(index): TenantIndex) -> bool {
        self.tenants[index].admin
    }

    /// Its buckets.
    #[must_use]
    pub fn gate(&self, TenantIndex(index): TenantIndex) -> &Arc<Gate> {
        &self.tenants[index].gate
    }

    /// What it may have of the engine's memory for what it asks: a share, or all where there is nobody else.
    #[must_use]
    pub fn memory(&self, tenant: TenantIndex) -> &Arc<Budget> {
        self.share(tenant, 0)
    }

    /// The same for its batches.
    #[must_use]
    pub fn memory_of_batches(&self, tenant: TenantIndex) -> &Arc<Budget> {
        self.share(tenant, 1)
    }

    fn share(&self, TenantIndex(index): TenantIndex, of: usize) -> &Arc<Budget> {
        if self.tenants.len() == 1 { &self.memory } else { &self.tenants[index].memory[of] }
    }

    /// The lines that its refused requests have in the log; `None`: those of callers who are nobody's.
    #[must_use]
    pub fn refusals(&self, tenant: Option<TenantIndex>) -> &Lines {
        tenant.map_or(&self.strangers, |TenantIndex(index)| &self.tenants[index].refusals)
    }

    /// Everybody's, with the name of the tenant.
    pub fn all_refusals(&self) -> impl Iterator<Item = (Option<&str>, &Lines)> {
        let tenants = self.tenants.iter().map(|tenant| (Some(tenant.name.as_str()), &*tenant.refusals));
        tenants.chain(std::iter::once((None, &*self.strangers)))
    }

    /// Gives back the memory of buckets that say nothing any more.
    pub fn tidy(&self) {
        self.tenants.iter().for_each(|tenant| tenant.gate.tidy());
    }

    /// Whose account a call goes on.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for every reason.
    pub fn resolve(&self, peer: Peer, authorization: Option<&[u8]>) -> Result<TenantIndex, Error> {
        self.identify(peer, authorization).map(|(tenant, _)| tenant)
    }

    /// The same, and the name of the token that was shown, where it has one.
    ///
    /// # Errors
    /// As [`Tenants::resolve`].
    pub fn identify(&self, peer: Peer, authorization: Option<&[u8]>) -> Result<(TenantIndex, Option<Arc<str>>), Error> {
        let found = match peer {
            Peer::Unix { uid, gid } => self.callers.unix(uid, gid).map(|tenant| (tenant, None)),
            Peer::Tcp(address) if self.development => address.is_loopback().then_some((self.first, None)),
            Peer::Tcp(_) => {
                let known = self.by_token(authorization.and_then(bearer), clock::seconds());
                known.map(|known| (known.tenant, known.name.clone()))
            }
        };
        found.map(|(tenant, name)| (TenantIndex(tenant), name)).ok_or(Error::Unauthenticated)
    }

    /// Makes one hash and compares one, whatever there is.
    fn by_token(&self, token: Option<&[u8]>, now: i64) -> Option<&Known> {
        let token = token.filter(|token| (1..=TOKEN_BYTES).contains(&token.len()));
        let hash = hash(token.unwrap_or(NO_TOKEN));
        let known = self.callers.tokens.get(&prefix(&hash)).unwrap_or(&self.nobody);
        let same = compare(&known.hash, &hash);
        let valid = !known.revoked && known.expires.is_none_or(|end| now < end) && token.is_some();
        (same && valid).then_some(known)
    }
}

fn compare(known: &[u8; 32], sent: &[u8; 32]) -> bool {
    #[cfg(test)]
    tests::COMPARED.with(|count| count.set(count.get() + 1));
    bool::from(known.as_slice().ct_eq(sent))
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// What the configuration keeps of a token.
#[must_use]
pub fn hash(token: &[u8]) -> [u8; 32] {
    #[cfg(test)]
    tests::HASHED.with(|count| count.set(count.get() + 1));
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests;
