//! Every mistake is told at once; nothing at all is a configuration.
use super::*;
use crate::accounts::Accounts;

fn host() -> Host {
    let passwd = "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n";
    Host { accounts: Accounts::parse(passwd, "callers:x:77:web\n", 999), memory: 8 * GIB, cpus: 64 }
}

fn mistakes(text: &str) -> Vec<String> {
    match Config::parse(text, &host()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn nothing_at_all_is_a_configuration() {
    let (config, printed) = Config::parse("", &host()).unwrap();
    assert_eq!(config.listen.unix, Some((UNIX.into(), 0o660)));
    assert_eq!((config.listen.tcp, config.listen.development), (None, false));
    assert_eq!(config.engine.memory, 512 * MIB);
    assert_eq!(config.engine.sandbox_memory, 6 * GIB);
    assert_eq!(config.http.body_bytes, 64 * MIB);
    assert_eq!(config.caps, Caps::default());
    assert_eq!(config.tenants.len(), 1);
    assert_eq!(config.tenants[0].users, [0, 999]);
    // What is printed says the same again, the accounts of this host apart.
    let (again, printed_again) = Config::parse(&printed, &host()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{config:?}"));
    assert_eq!(printed_again, printed);
}

#[test]
fn every_field_is_documented() {
    let (_, printed) = Config::parse("", &host()).unwrap();
    let lines: Vec<&str> = printed.lines().collect();
    for pair in lines.windows(2) {
        if pair[1].contains(" =") && !pair[1].starts_with("# A") {
            assert!(pair[0].starts_with("# ") && pair[0].len() > 8, "{pair:?}");
        }
    }
}

#[test]
fn the_example_of_the_units_is_sound() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../systemd/engined.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let accounts = Accounts::parse("root:x:0:0::/:/bin/sh\n", "engined:x:990:\n", 990);
    let host = Host { accounts, memory: 8 * GIB, cpus: 64 };
    let sound = |text: &str| {
        Config::parse(text, &host).map(|_| ()).map_err(|m| m.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(sound(&text), Ok(()));
    // Each default that stands there as a comment is a field of ours.
    let shown: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line))
        .fold(String::new(), |all, line| all + line + "\n");
    let shown = shown.replace("tcp = \"127.0.0.1:7070\"", "").replace("\nslots = 2\n", "\n");
    assert_eq!(sound(&shown), Ok(()));
}

#[test]
fn every_mistake_is_told_with_field_value_reason_and_remedy() {
    let told = mistakes(
        "colour = 1\n[listen]\ntcp = \"0.0.0.0\"\nunix = \"relative\"\nunix_mode = \"999\"\n[http]\nbody_bytes = 0\nfoo = 1\n\
         [outputs]\nfiles = 0\ntotal_bytes = 200_000_000\n\
         [engine]\nslots = \"two\"\n[results]\nkeep_seconds = 0\nbytes_per_tenant = 268435457\nper_tenant = -3\n[plans.default]\nrunning = -1\n[plans.default.ceiling]\ncpus = 0\nmemory_bytes = 1.5\n\
         [tenants.a]\nallowed_users = [\"nobody-at-all\", 3]\ntokens = [\"abc\"]\nplan = \"gold\"\n[tenants.b]\n",
    );
    for beginning in [
        "listen.unix = \"relative\": is no absolute path; ",
        "listen.unix_mode = \"999\": is no mode",
        "listen.tcp = \"0.0.0.0\": is no address with a port; ",
        "http.body_bytes = 0: is zero, which never means unlimited; write a number from 1024 to ",
        "http.foo = 1: is no field of this section; remove it, or write one of body_bytes, ",
        "outputs.files = 0: is zero, which never means unlimited; write a number from 1 to 4096",
        "outputs.total_bytes = 200000000: is out of its range; write a number from 1 to 134217728",
        "engine.slots = \"two\": is no whole number",
        "results.keep_seconds = 0: is zero, which never means unlimited; write a number from 1 to 86400",
        "results.bytes_per_tenant = 268435457: is out of its range; write a number from 1024 to 268435456",
        "results.per_tenant = -3: is no whole number from 1 up",
        "plans.default.running = -1: is no whole number from 1 up",
        "plans.default.ceiling.cpus = 0: is out of its range; write a number from 0.100 to ",
        "plans.default.ceiling.memory_bytes = 1.5: ",
        "tenants.a.plan = \"gold\": is no plan; add [plans.gold]",
        "tenants.a.allowed_users[0] = \"nobody-at-all\": user nobody-at-all does not exist; ",
        "tenants.a.allowed_users[1] = 3: is no text; ",
        "tenants.a.tokens[0] = (not shown): is no SHA-256 of a token; ",
        "tenants.b: nobody can call on its account; ",
        "colour = 1: is no field or section; ",
    ] {
        assert!(told.iter().any(|line| line.starts_with(beginning)), "{beginning}\n{told:#?}");
    }
    assert_eq!(told.len(), 20, "{told:#?}");
    assert_eq!(mistakes("[listen").len(), 1);
}

#[test]
fn nobody_is_let_in_by_chance() {
    let token = "ab".repeat(32);
    for (text, field) in [
        ("[listen]\ntcp = \"127.0.0.1:1\"\n", "listen.tcp"),
        ("[listen]\ntcp = \"10.0.0.1:1\"\ndevelopment = true\n", "listen.tcp"),
        ("[listen]\ndevelopment = true\n", "listen.development"),
        (
            &format!("[listen]\ntcp = \"127.0.0.1:1\"\ndevelopment = true\n[tenants.a]\ntokens = [\"{token}\"]\n"),
            "listen.development",
        ),
        (
            &format!("[tenants.a]\ntokens = [\"{token}\"]\n[tenants.b]\ntokens = [\"sha256:{token}\"]\n"),
            "tenants.b.tokens",
        ),
        ("[tenants.a]\nallowed_users = [\"web\"]\n[tenants.b]\nallowed_users = [\"33\"]\n", "tenants.b.allowed_users"),
    ] {
        let told = mistakes(text);
        assert!(told.len() == 1 && told[0].starts_with(field), "{text}\n{told:?}");
    }
    let text = format!("[listen]\ntcp = \"0.0.0.0:1\"\n[tenants.a]\ntokens = [\"sha256:{token}\"]\n");
    let (config, _) = Config::parse(&text, &host()).unwrap();
    assert_eq!(config.listen.unix, None, "who writes tcp alone gets tcp alone");
    assert_eq!(config.tenants[0].tokens[0].hash, [0xab; 32]);
}

#[test]
fn a_token_in_the_place_of_its_hash_is_not_shown() {
    let token = "engined_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    // Nor one that somebody else has made.
    for token in [token, "s3cret-of-another-kind"] {
        let q = format!("\"{token}\"");
        for text in [
            format!("[tenants.a]\ntokens = [{q}]\n"),
            format!("[tenants.a]\ntokens = {q}\n"),
            format!("[tenants.a]\ntokens = [{token}]\n"),
            format!("[tenants.a]\ntokens = [{q}\n"),
            format!("[tenants.a]\ntokens = [[{q}], {{ hash = {q} }}]\n"),
            format!("[tenants.a]\ntokens.plain = {q}\n"),
            format!("[tenants.a]\ntoken = {q}\n"),
            format!("[tenants.a]\ntoken = [{q}]\n"),
            format!("[tenants.a.token]\nhash = {q}\n"),
            format!("[[tenants.a.token]]\nhash = {q}\n"),
            format!("[[tenants.a.token]]\nhash = [{q}]\n"),
            format!("[[tenants.a.token]]\nhash = {token}\n"),
            format!("[tenants]\na = {q}\n"),
            format!("tenants = {q}\n"),
            format!("tenants = [{{ hash = {q} }}]\n"),
            format!("tokens = [{q}]\n"),
            format!("[[token]]\nhash = {q}\n"),
            format!("[tenants.a]\ntokns = [{q}]\n"),
            format!("[[tenants.a.token]]\nhsh = {q}\n"),
            format!("token-of-a = {q}\n"),
            format!("[tenant.a]\ntokens = [{q}]\n"),
            format!("[plans]\na = {{ tokens = [{q}] }}\n"),
            format!("[http]\nheaders = {{ tokens = [{q}] }}\n"),
            format!("[tenants.a]\nplan = {{ tokens = [{q}] }}\n"),
        ] {
            let told = mistakes(&text);
            assert!(!told.is_empty(), "{text}");
            assert!(told.iter().all(|line| !line.contains(&token[..12])), "{text}\n{told:#?}");
        }
    }
    // One of ours is known wherever it stands.
    for text in [
        format!("[tenants.a]\nallowed_users = [\"{token}\"]\n"),
        format!("[tenants.a]\nplan = \"{token}\"\n"),
        format!("[tenants.a]\n{token} = 1\n"),
        format!("[tenants.a.{token}]\n"),
        format!("[[tenants.a.token]]\nname = \"{}\"\n", &token[..60]),
        format!("{token}\n"),
    ] {
        let told = mistakes(&text);
        assert!(!told.is_empty() && told.iter().all(|line| !line.contains(&token[..16])), "{text}\n{told:#?}");
    }
    let told = mistakes("[listen]\n\n  tcp = [bare]\n");
    assert!(told[0].starts_with("the file is no TOML: line 3, column 10: "), "{told:?}");
}

#[test]
fn every_caller_that_two_tenants_claim_is_told() {
    let (one, two) = ("ab".repeat(32), "cd".repeat(32));
    let told = mistakes(&format!(
        "[tenants.a]\ntokens = [\"{one}\", \"{two}\"]\nallowed_users = [\"1\", \"2\"]\nallowed_groups = [\"3\", \"4\"]\n\
         [tenants.b]\ntokens = [\"{one}\", \"{two}\"]\nallowed_users = [\"1\", \"2\"]\nallowed_groups = [\"3\", \"4\"]\n"
    ));
    assert_eq!(told.len(), 6, "{told:#?}");
    assert!(told[1].contains("tenants.b.tokens: has the token whose hash begins with cdcd"), "{told:#?}");
    assert!(
        told[3].contains("tenants.b.allowed_users: has the user with the id 2, which tenant a has as well"),
        "{told:#?}"
    );
}

#[test]
fn what_is_hardly_meant_is_doubted() {
    let doubted = |text: &str, now: i64| {
        let (config, _) = Config::parse(text, &host()).unwrap();
        doubts(&config, now).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (one, two) = ("ab".repeat(32), "cd".repeat(32));
    let text = format!(
        "[listen]\ntcp = \"0.0.0.0:1\"\n[[tenants.a.token]]\nhash = \"{one}\"\nrevoked = true\n\
         [[tenants.a.token]]\nhash = \"{two}\"\nexpires = 2001-01-01T00:00:00Z\n"
    );
    assert_eq!(doubted(&text, 0), [""; 0]);
    let told = doubted(&text, 1_000_000_000);
    assert!(told.len() == 1 && told[0].starts_with("listen.tcp = 0.0.0.0:1: lets nobody in"), "{told:?}");
    let told = doubted("[usage]\nenabled = false\n[plans.a]\ncpu_seconds_per_day = 10\n", 0);
    assert!(told.len() == 1 && told[0].starts_with("plans.a.cpu_seconds_per_day = 10: begins anew"), "{told:?}");
}
