//! Accounts of the host, looked up once, at the first start.
//!
//! In `/etc/passwd` by jaild itself, and else, should the host keep accounts elsewhere, by getent(1): the C library's own
//! look-up loads code into whoever asks, by the host's nsswitch.conf, and a static program can't rely on it.

use std::io;
use std::path::Path;
use std::process::Command;

use jail::error::{At, JailError, Step};

/// Who somebody is on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// By name.
    ///
    /// # Errors
    /// When there is none, with the command that makes it.
    pub fn named(name: &str) -> Result<Self, JailError> {
        let make =
            format!("there is no user {name}: useradd --system --no-create-home --shell /usr/sbin/nologin {name}");
        look_up(name, |account| account.name == name).on(Step::Outer, name)?.ok_or_else(missing).on(Step::Outer, make)
    }

    /// By number.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_uid(uid: u32) -> Result<Self, JailError> {
        let found = look_up(&uid.to_string(), |account| account.uid == uid).on(Step::Outer, format!("uid {uid}"))?;
        found.ok_or_else(missing).on(Step::Outer, format!("no account has uid {uid}"))
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn look_up(key: &str, is_meant: impl Fn(&Account) -> bool) -> io::Result<Option<Account>> {
    let find = |text: &str| text.lines().filter_map(parse).find(|account| is_meant(account));
    let text = match std::fs::read(Path::new("/etc/passwd")) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    if let Some(account) = find(&String::from_utf8_lossy(&text)) {
        return Ok(Some(account));
    }
    match Command::new("getent").args(["passwd", "--", key]).output() {
        Ok(output) => Ok(find(&String::from_utf8_lossy(&output.stdout))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// A line of passwd(5).
fn parse(line: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let (name, _password, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    Some(Account { name: name.to_owned(), uid: uid.parse().ok()?, gid: gid.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_passwd_are_read() {
        let jaild = Account { name: "jaild".to_owned(), uid: 997, gid: 996 };
        assert_eq!(parse("jaild:x:997:996::/:/usr/sbin/nologin"), Some(jaild));
        for line in ["", "jaild", "jaild:x", "jaild:x:a:996::/:", "jaild:x:997:", "+::::::", "# comment"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn root_is_found_by_name_and_number_and_nobody_else_is_made_up() {
        let root = Account::named("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(Account::of_uid(0).unwrap().uid, 0);
        let none = Account::named("no-such-user-here").unwrap_err().to_string();
        assert!(none.contains("useradd"), "{none}");
        assert!(Account::of_uid(4_000_000_000).is_err());
    }
}
