//! Users and groups of the host, read from `/etc/passwd` and `/etc/group` once, at start.

use std::collections::BTreeMap;
use std::fs;

/// Names and memberships by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    users: BTreeMap<String, (u32, u32)>,
    groups: BTreeMap<String, (u32, Vec<String>)>,
    /// The user that this process runs as.
    pub own: u32,
}

impl Accounts {
    /// Those of this host.
    #[must_use]
    pub fn of_host() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Accounts::parse(&text("/etc/passwd"), &text("/etc/group"), nix::unistd::geteuid().as_raw())
    }

    /// Reads the two files.
    #[must_use]
    pub fn parse(passwd: &str, group: &str, own: u32) -> Self {
        let fields = |line: &'_ str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
        let user = |line: &str| match fields(line).as_slice() {
            [name, _, uid, gid, ..] => Some((name.clone(), (uid.parse().ok()?, gid.parse().ok()?))),
            _ => None,
        };
        let members = |list: &str| list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let group_of = |line: &str| match fields(line).as_slice() {
            [name, _, gid, list] => Some((name.clone(), (gid.parse().ok()?, members(list)))),
            _ => None,
        };
        let users = passwd.lines().filter_map(user).collect();
        Accounts { users, groups: group.lines().filter_map(group_of).collect(), own }
    }

    /// The id of a user, by name or number.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<u32> {
        self.users.get(name).map(|(uid, _)| *uid).or_else(|| name.parse().ok())
    }

    /// The user's id and primary group.
    #[must_use]
    pub fn login(&self, name: &str) -> Option<(u32, u32)> {
        self.users.get(name).copied()
    }

    /// The id of a group, by name or number.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<u32> {
        self.groups.get(name).map(|(gid, _)| *gid).or_else(|| name.parse().ok())
    }

    /// Every user that is in one of these groups, as its primary one or as a member.
    #[must_use]
    pub fn members(&self, groups: &[u32]) -> Vec<u32> {
        let listed = self.groups.values().filter(|(gid, _)| groups.contains(gid)).flat_map(|(_, members)| members);
        let secondary = listed.filter_map(|name| self.users.get(name)).map(|(uid, _)| *uid);
        let primary = self.users.values().filter(|(_, gid)| groups.contains(gid)).map(|(uid, _)| *uid);
        secondary.chain(primary).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_their_primary_and_their_listed_members() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/:/bin/false\nci:x:990:980::/:/bin/false\nbroken\n";
        let group = "root:x:0:\nweb:x:33:\nrunners:x:980:web,nobody-here\n";
        let accounts = Accounts::parse(passwd, group, 7);
        assert_eq!(accounts.user("web"), Some(33));
        assert_eq!(accounts.user("1234"), Some(1234));
        assert_eq!(accounts.user("nobody-here"), None);
        assert_eq!(accounts.group("runners"), Some(980));
        assert_eq!(accounts.members(&[980]), [33, 990]);
        assert_eq!(accounts.members(&[]), [0; 0]);
        assert_eq!(accounts.login("ci"), Some((990, 980)));
    }
}
