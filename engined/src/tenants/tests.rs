//! Who is let in, and that nobody can tell why not.

use std::cell::Cell;

use super::*;
use crate::config::{Config, Host};

thread_local! {
    /// Hashes made and compared by this thread.
    pub static HASHED: Cell<usize> = const { Cell::new(0) };
    pub static COMPARED: Cell<usize> = const { Cell::new(0) };
}

const TCP: Peer = Peer::Tcp(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

fn accounts() -> Accounts {
    let passwd = "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\nci:x:990:980::/:/bin/sh\n";
    Accounts::parse(passwd, "runners:x:980:web\n", 7)
}

fn config(text: &str) -> Config {
    let host = Host { accounts: accounts(), memory: 1 << 33, cpus: 64 };
    Config::parse(text, &host).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes:?}")).0
}

fn tenants(text: &str) -> Tenants {
    let config = config(text);
    Tenants::new(&config.tenants, &accounts(), config.listen.development, &Budget::new(1 << 20))
}

fn line(token: &str) -> String {
    hash(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named(tenants: &Tenants, authorization: Option<&[u8]>) -> Option<String> {
    tenants.resolve(TCP, authorization).ok().map(|index| tenants.name(index).to_owned())
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
    let line = line("secret");
    let text = format!("[listen]\ntcp = \"0.0.0.0:1\"\n[tenants.a]\ntokens = [\"sha256:{line}\"]\n");
    let tenants = tenants(&text);
    for good in ["Bearer secret", "bearer secret", "BEARER  secret "] {
        assert!(tenants.resolve(TCP, Some(good.as_bytes())).is_ok(), "{good}");
    }
    for bad in ["", "Bearer", "Bearer ", "Bearer secre", "Bearer secret2", "Basic secret", "secret", &line] {
        assert!(tenants.resolve(TCP, Some(bad.as_bytes())).is_err(), "{bad}");
    }
    assert!(tenants.resolve(TCP, None).is_err());
}

#[test]
fn whatever_is_wrong_with_a_token_the_same_is_done() {
    let (good, old, gone) = (line("good"), line("old"), line("gone"));
    let text = format!(
        "[listen]\ntcp = \"0.0.0.0:1\"\n[tenants.a]\ntokens = [\"{good}\"]\n\
         [[tenants.a.token]]\nhash = \"{old}\"\nexpires = 2001-01-01T00:00:00Z\n\
         [[tenants.a.token]]\nhash = \"{gone}\"\nrevoked = true\nname = \"lost\"\n"
    );
    let tenants = tenants(&text);
    let long = format!("Bearer {}", "x".repeat(60_000));
    let cases: [(&str, Option<&[u8]>); 9] = [
        ("right", Some(b"Bearer good")),
        ("wrong", Some(b"Bearer wrong")),
        ("expired", Some(b"Bearer old")),
        ("revoked", Some(b"Bearer gone")),
        ("over-long", Some(long.as_bytes())),
        ("duplicated", Some(b"")),
        ("of another kind", Some(b"Basic good")),
        ("empty", Some(b"Bearer ")),
        ("absent", None),
    ];
    for (what, header) in cases {
        let before = (HASHED.get(), COMPARED.get());
        let found = tenants.resolve(TCP, header);
        assert_eq!((HASHED.get() - before.0, COMPARED.get() - before.1), (1, 1), "{what}");
        assert_eq!(found.is_ok(), what == "right", "{what}");
        if let Err(error) = found {
            assert_eq!(error.problem(), Error::Unauthenticated.problem(), "{what}");
        }
    }
}

#[test]
fn a_token_ends_when_it_was_said() {
    let text = format!(
        "[listen]\ntcp = \"0.0.0.0:1\"\n[[tenants.a.token]]\nhash = \"{}\"\nexpires = \"2100-01-01T01:00:00+01:00\"\n",
        line("t")
    );
    let tenants = tenants(&text);
    let end = 4_102_444_800;
    assert_eq!(tenants.by_token(Some(b"t"), end - 1).map(|known| known.tenant), Some(0));
    assert!(tenants.by_token(Some(b"t"), end).is_none());
}

#[test]
fn two_tokens_are_valid_while_one_takes_the_others_place() {
    let text =
        format!("[listen]\ntcp = \"0.0.0.0:1\"\n[tenants.a]\ntokens = [\"{}\", \"{}\"]\n", line("one"), line("two"));
    let tenants = tenants(&text);
    assert_eq!(named(&tenants, Some(b"Bearer one")), named(&tenants, Some(b"Bearer two")));
    assert!(named(&tenants, Some(b"Bearer one")).is_some());
}

#[test]
fn a_thousand_tenants_are_one_look() {
    let mut text = String::from("[listen]\ntcp = \"0.0.0.0:1\"\n");
    for n in 0..1000 {
        text += &format!("[tenants.t{n}]\ntokens = [\"{}\"]\n", line(&format!("token {n}")));
    }
    let tenants = tenants(&text);
    for n in [0, 1, 499, 999] {
        let before = (HASHED.get(), COMPARED.get());
        assert_eq!(named(&tenants, Some(format!("Bearer token {n}").as_bytes())), Some(format!("t{n}")));
        assert_eq!((HASHED.get() - before.0, COMPARED.get() - before.1), (1, 1));
    }
}

#[test]
fn development_needs_no_token_on_the_loopback() {
    let tenants = tenants("[listen]\ntcp = \"127.0.0.1:1\"\ndevelopment = true\n");
    let index = tenants.resolve(TCP, None).unwrap();
    assert!(tenants.is_admin(index), "whoever develops is its own operator");
    assert!(tenants.resolve(Peer::Tcp([10, 0, 0, 1].into()), None).is_err());
}

#[test]
fn a_tenant_keeps_its_place() {
    let listed = |names: &[&str], plan: &str| {
        let mut text = format!("[listen]\ntcp = \"0.0.0.0:1\"\n[plans.default]\n{plan}\n");
        for name in names {
            text += &format!("[tenants.{name}]\nadmin = true\ntokens = [\"{}\"]\n", line(name));
        }
        config(&text).tenants
    };
    let first = Tenants::new(
        &listed(&["a", "b", "c"], "requests_per_minute = 1\nburst = 1"),
        &accounts(),
        false,
        &Budget::new(1 << 20),
    );
    let b = first.resolve(TCP, Some(b"Bearer b")).unwrap();
    assert!(first.gate(b).take().is_ok());
    let second = first.renewed(&listed(&["0", "b", "c"], "requests_per_minute = 1\nburst = 1"), &accounts());
    assert_eq!(second.names(), ["a", "b", "c", "0"]);
    assert_eq!(second.resolve(TCP, Some(b"Bearer b")).unwrap(), b);
    assert_eq!(named(&second, Some(b"Bearer a")), None, "closed");
    assert_eq!((second.open(), second.shares()[0]), (vec!["b", "c", "0"], None));
    assert_eq!(named(&second, Some(b"Bearer 0")).as_deref(), Some("0"));
    assert!(second.gate(b).take().is_err(), "a reload fills no bucket");
    let third = second.renewed(&listed(&["a", "b"], "requests_per_minute = 5\nqueued = 3"), &accounts());
    assert_eq!(third.names(), ["a", "b", "c", "0"]);
    assert_eq!(third.resolve(TCP, Some(b"Bearer a")).unwrap(), TenantIndex(0), "open again");
    assert!(third.gate(b).take().is_err(), "other rates, and as empty as it was");
    assert_eq!((third.open(), third.shares()[b.0].unwrap().queued), (vec!["a", "b"], 3));
}

#[test]
fn a_named_user_goes_before_a_group_whatever_their_tenants_are_called() {
    let unix = |uid, gid| Peer::Unix { uid, gid };
    // web is in runners, and ci's own group is runners.
    for (named, grouped) in [("a", "z"), ("z", "a")] {
        let text = format!(
            "[tenants.{named}]\nallowed_users = [\"web\"]\n[tenants.{grouped}]\nallowed_groups = [\"runners\"]\n"
        );
        let start = tenants(&text);
        // The same after a reload in which either came first.
        let of_one = tenants(&format!("[tenants.{grouped}]\nallowed_groups = [\"runners\"]\n"));
        for found in [
            &start,
            &start.renewed(&config(&text).tenants, &accounts()),
            &of_one.renewed(&config(&text).tenants, &accounts()),
        ] {
            let name = |peer| found.resolve(peer, None).map(|index| found.name(index).to_owned()).ok();
            assert_eq!(name(unix(33, 33)).as_deref(), Some(named));
            assert_eq!(name(unix(33, 980)).as_deref(), Some(named), "although it runs with the group");
            assert_eq!(name(unix(990, 980)).as_deref(), Some(grouped));
        }
    }
    // The group that a process runs with goes before its user's others.
    let two = tenants(
        "[tenants.a]\nallowed_groups = [\"runners\"]\n[tenants.z]\nallowed_groups = [\"33\"]\nallowed_users = [\"web\"]\n",
    );
    assert_eq!(two.resolve(unix(5, 980), None).map(|index| two.name(index).to_owned()).ok().as_deref(), Some("a"));
    // Two tenants' groups that share a user are told.
    let host = Host { accounts: accounts(), memory: 1 << 33, cpus: 64 };
    let both = "[tenants.a]\nallowed_groups = [\"runners\"]\n[tenants.z]\nallowed_groups = [\"33\"]\n";
    let told = Config::parse(both, &host).map(|_| ()).unwrap_err();
    assert!(
        told.len() == 1 && told[0].to_string().starts_with("tenants.z.allowed_groups: has a member with the id 33"),
        "{told:?}"
    );
}

#[test]
fn in_development_callers_are_the_first_tenant_also_when_it_has_another_name() {
    let listed = |name: &str| {
        config(&format!(
            "[listen]\ntcp = \"127.0.0.1:1\"\ndevelopment = true\n[tenants.{name}]\nallowed_users = [\"web\"]\n"
        ))
    };
    let first = Tenants::new(&listed("old").tenants, &accounts(), true, &Budget::new(1 << 20));
    assert_eq!(named(&first, None).as_deref(), Some("old"));
    let second = first.renewed(&listed("new").tenants, &accounts());
    assert_eq!(named(&second, None).as_deref(), Some("new"), "the other one is closed");
    assert_eq!(named(&second.renewed(&listed("old").tenants, &accounts()), None).as_deref(), Some("old"));
}

#[test]
fn memory_is_shared_where_there_are_several() {
    let whole = Budget::new(1000);
    let with = |names: &[&str]| {
        let tables: String =
            names.iter().map(|name| format!("[tenants.{name}]\ntokens = [\"{}\"]\n", line(name))).collect();
        config(&tables).tenants
    };
    let one = Tenants::new(&with(&["a"]), &accounts(), false, &whole);
    let all = one.memory(TenantIndex(0)).reserve(1000).unwrap();
    assert!(Arc::ptr_eq(one.memory_of_batches(TenantIndex(0)), &whole));
    drop(all);
    let two = one.renewed(&with(&["a", "b"]), &accounts());
    let held = two.memory(TenantIndex(0)).reserve(750).unwrap();
    assert!(two.memory(TenantIndex(0)).reserve(1).is_err());
    assert!(two.memory_of_batches(TenantIndex(0)).reserve(180).is_ok(), "its batches are apart");
    assert!(two.memory(TenantIndex(1)).reserve(180).is_ok());
    let three = two.renewed(&with(&["c", "b", "a"]), &accounts());
    assert_eq!([0, 1, 2].map(|index| three.memory(TenantIndex(index)).used()), [750, 0, 0], "a reload changes nothing");
    drop(held);
    assert_eq!(whole.used(), 0);
}
