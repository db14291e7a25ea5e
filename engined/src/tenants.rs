//! Who calls: every caller resolves to a tenant, or to nobody.

use std::net::IpAddr;

use languages::Limits;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::accounts::Accounts;
use crate::config::TenantConfig;
use crate::problem::Error;
use crate::queue::{Share, TenantIndex};

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
#[derive(Debug)]
struct Tenant {
    name: String,
    plan: String,
    users: Vec<u32>,
    groups: Vec<u32>,
    tokens: Vec<[u8; 32]>,
    ceiling: Limits,
    share: Share,
}

/// All tenants.
#[derive(Debug)]
pub struct Tenants {
    tenants: Vec<Tenant>,
    development: bool,
}

impl Tenants {
    /// Those of the configuration. In development, callers on TCP are the first tenant without any token.
    #[must_use]
    pub fn new(config: &[TenantConfig], accounts: &Accounts, development: bool) -> Self {
        let tenant = |config: &TenantConfig| {
            let TenantConfig { name, users, groups, tokens, plan, plan_name } = config.clone();
            let users = users.into_iter().chain(accounts.members(&groups)).collect();
            Tenant { name, plan: plan_name, users, groups, tokens, ceiling: plan.ceiling, share: plan.share }
        };
        Tenants { tenants: config.iter().map(tenant).collect(), development }
    }

    /// What each may have at once, in order: [`TenantIndex`] counts in this list.
    #[must_use]
    pub fn shares(&self) -> Vec<Share> {
        self.tenants.iter().map(|tenant| tenant.share).collect()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self, TenantIndex(index): TenantIndex) -> &str {
        &self.tenants[index].name
    }

    /// The name of its plan.
    #[must_use]
    pub fn plan_name(&self, TenantIndex(index): TenantIndex) -> &str {
        &self.tenants[index].plan
    }

    /// The most that it may ask for.
    #[must_use]
    pub fn ceiling(&self, TenantIndex(index): TenantIndex) -> &Limits {
        &self.tenants[index].ceiling
    }

    /// Whether it may see what others have used.
    #[must_use]
    pub fn is_admin(&self, TenantIndex(_): TenantIndex) -> bool {
        self.development
    }

    /// Whose account a call goes on.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for every reason.
    pub fn resolve(&self, peer: Peer, authorization: Option<&[u8]>) -> Result<TenantIndex, Error> {
        let found = match (peer, authorization) {
            (Peer::Unix { uid, gid }, _) => {
                let allows = |tenant: &Tenant| tenant.users.contains(&uid) || tenant.groups.contains(&gid);
                self.tenants.iter().position(allows)
            }
            (Peer::Tcp(address), _) if self.development => address.is_loopback().then_some(0),
            (Peer::Tcp(_), Some(header)) => bearer(header).and_then(|token| self.by_token(token)),
            (Peer::Tcp(_), None) => None,
        };
        found.map(TenantIndex).ok_or(Error::Unauthenticated)
    }

    /// Looks at every hash of every tenant, whatever is found: time tells nothing.
    fn by_token(&self, token: &[u8]) -> Option<usize> {
        let hash = hash(token);
        let mut found = None;
        for (index, tenant) in self.tenants.iter().enumerate() {
            for known in &tenant.tokens {
                if bool::from(known.as_slice().ct_eq(&hash)) {
                    found = Some(index);
                }
            }
        }
        found
    }
}

fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}

/// What the configuration keeps of a token.
#[must_use]
pub fn hash(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Host};

    fn tenants(text: &str) -> Tenants {
        let passwd = "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\nci:x:990:980::/:/bin/sh\n";
        let accounts = Accounts::parse(passwd, "runners:x:980:web\n", 7);
        let host = Host { accounts: accounts.clone(), memory: 1 << 33 };
        let (config, _) = Config::parse(text, &host).unwrap();
        Tenants::new(&config.tenants, &accounts, config.listen.development)
    }

    #[test]
    fn the_kernel_vouches_on_the_unix_socket() {
        let unix = |uid, gid| Peer::Unix { uid, gid };
        let open = tenants("");
        assert!(open.resolve(unix(0, 0), None).is_ok() && open.resolve(unix(7, 7), None).is_ok());
        assert!(open.resolve(unix(33, 33), None).is_err());
        let named = tenants("[tenants.a]\nallowed_users = [\"web\"]\n[tenants.b]\nallowed_groups = [\"runners\"]\n");
        let name = |peer| named.resolve(peer, None).map(|index| named.name(index).to_owned()).ok();
        assert_eq!(name(unix(33, 33)).as_deref(), Some("a"));
        assert_eq!(name(unix(990, 1)).as_deref(), Some("b"), "its primary group");
        assert_eq!(name(unix(5, 980)).as_deref(), Some("b"), "a process that runs with the group");
        assert_eq!(name(unix(0, 0)), None, "root must be named like anyone else");
    }

    #[test]
    fn tokens_are_known_by_their_hash() {
        let line: String = hash(b"secret").iter().map(|byte| format!("{byte:02x}")).collect();
        let text = format!("[listen]\ntcp = \"0.0.0.0:1\"\n[tenants.a]\ntokens = [\"sha256:{line}\"]\n");
        let tenants = tenants(&text);
        let tcp = Peer::Tcp([127, 0, 0, 1].into());
        for good in ["Bearer secret", "bearer secret", "BEARER  secret "] {
            assert!(tenants.resolve(tcp, Some(good.as_bytes())).is_ok(), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Basic secret", "secret", &line] {
            assert!(tenants.resolve(tcp, Some(bad.as_bytes())).is_err(), "{bad}");
        }
        assert!(tenants.resolve(tcp, None).is_err());
    }

    #[test]
    fn development_needs_no_token_on_the_loopback() {
        let tenants = tenants("[listen]\ntcp = \"127.0.0.1:1\"\ndevelopment = true\n");
        assert!(tenants.resolve(Peer::Tcp([127, 0, 0, 1].into()), None).is_ok());
        assert!(tenants.resolve(Peer::Tcp([10, 0, 0, 1].into()), None).is_err());
    }
}
