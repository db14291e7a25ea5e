//! Plans and tokens: what they say, what they can't say, and the examples.

use languages::{Catalogue, LimitName, Step};

use crate::accounts::Accounts;
use crate::config::{Config, Host};
use crate::queue::Priority;
use crate::reload::unknown_languages;

fn parse(text: &str, memory: u64, cpus: u32) -> Result<Config, Vec<String>> {
    let host = Host { accounts: Accounts::parse("web:x:33:33::/:\n", "", 999), memory, cpus };
    let told = |mistakes: Vec<crate::config::Mistake>| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (config, printed) = Config::parse(text, &host).map_err(told)?;
    // What is printed says the same again.
    let (again, _) = Config::parse(&printed, &host).map_err(told)?;
    assert_eq!(format!("{:?}", again.plans), format!("{:?}", config.plans), "{printed}");
    assert_eq!(again.tenants, config.tenants, "{printed}");
    Ok(config)
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text, 8 << 30, 4).err().unwrap_or_default()
}

#[test]
fn the_examples_fit_four_platforms() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../systemd/examples/plans.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let config = parse(&text, 16 << 30, 8).unwrap();
    assert_eq!(unknown_languages(&config, &Catalogue::builtin()), []);
    let plan = |name: &str| config.plans.iter().find(|plan| plan.name == name).unwrap();
    assert_eq!(plan("free").ceiling_of("python", Step::Run).wall_time_ms, 30_000);
    assert_eq!(plan("paid").ceiling_of("python", Step::Run).wall_time_ms, 300_000);
    let (class, catalogue) = (plan("class"), Catalogue::builtin());
    assert_eq!(class.ceiling_of("python", Step::Run).cpu_time_ms, 5000);
    assert_eq!(class.ceiling_of("python", Step::Run).memory_bytes, 50_000_000);
    let floor = catalogue.language("java").unwrap().floors(Step::Run).memory_bytes;
    assert_eq!(Some(class.ceiling_of("java", Step::Run).memory_bytes), floor, "by name");
    for definition in catalogue.languages().iter().filter(|language| class.allows(&language.id)) {
        for step in [Step::Run, Step::Compile] {
            let (ceiling, floors) = (class.ceiling_of(&definition.id, step), definition.floors(step));
            let starts = |limit: LimitName| floors.get(limit).is_none_or(|floor| floor <= ceiling.get(limit));
            assert!(LimitName::ALL.into_iter().all(starts), "{} can't {step} under the plan", definition.id);
        }
    }
    let users = plan("users").per_label.as_ref().unwrap();
    assert_eq!((users.label.as_str(), users.rate.per_minute.get()), ("user", 20));
    assert_eq!(plan("contest").priorities, [Priority::Batch, Priority::Interactive]);
    assert!(config.tenants.iter().find(|tenant| tenant.name == "playground-paid").unwrap().tokens.len() == 2);
}

#[test]
fn no_plan_has_more_waiting_than_there_are_places() {
    let queued = |text: &str| parse(text, 8 << 30, 4).unwrap().plans[0].share.queued;
    assert_eq!((queued(""), queued("[engine]\nqueue_length = 7\n")), (1000, 7), "it follows the length");
    let told = mistakes("[plans.default]\nqueued = 1001\n");
    let expected = "plans.default.queued = 1001: is more than the queue has places: 1000 (engine.queue_length); write at most 1000";
    assert_eq!(told, [expected]);
}

#[test]
fn a_plan_above_the_hosts_size_is_told_with_the_hosts_figure() {
    let text = "[engine]\nslots = 2\n[plans.a]\nrunning = 3\n[plans.a.ceiling]\nmemory_bytes = 8_000_000_000\ncpus = 5\n\
                [plans.a.ceiling_by_language.java]\nmemory_bytes = 9_000_000_000\n";
    let told = mistakes(text);
    for beginning in [
        "plans.a.running = 3: is more than the engine runs at once: 2 (engine.slots); write at most 2",
        "plans.a.ceiling.memory_bytes = 8000000000: is more than all sandboxes together may have: 6442450944 \
         (engine.sandbox_memory_bytes) of the host's 8589934592; write at most 6442450944",
        "plans.a.ceiling.cpus = 5.000: is more than this host has: 4 processors; write at most 4.000",
        "plans.a.ceiling_by_language.java.memory_bytes = 9000000000: is more than",
    ] {
        assert!(told.iter().any(|line| line.starts_with(beginning)), "{beginning}\n{told:#?}");
    }
    // Nobody has said the defaults: they are as large as the host.
    let config = parse("", 2 << 30, 2).unwrap();
    let ceiling = &config.tenants[0].plan.ceiling.all;
    assert_eq!((ceiling.memory_bytes, ceiling.cpus_milli), ((2 << 30) / 4 * 3, 2000));
}

#[test]
fn what_a_plan_can_not_say() {
    for (text, beginning) in [
        ("requests_per_minute = 0", "plans.a.requests_per_minute = 0: is zero, which never means unlimited; "),
        ("burst = -1", "plans.a.burst = -1: is no whole number from 1 up"),
        ("cpu_seconds_per_day = 0", "plans.a.cpu_seconds_per_day = 0: is zero, "),
        ("kept_bytes = 1_000_000_000_000", "plans.a.kept_bytes = 1000000000000: is out of its range; "),
        ("priorities = []", "plans.a.priorities = []: is empty, which never means all; "),
        ("priorities = [\"soon\"]", "plans.a.priorities[0] = \"soon\": is no priority; write interactive or batch"),
        ("languages = []", "plans.a.languages = []: is empty, which never means all; "),
        ("[plans.a.per_label]\nrequests_per_minute = 5", "plans.a.per_label.label: is missing; "),
        ("[plans.a.per_label]\nlabel = \"user\"", "plans.a.per_label.requests_per_minute: is missing; "),
        (
            "[plans.a.per_label]\nlabel = \"\"\nrequests_per_minute = 1",
            "plans.a.per_label.label = \"\": is no name of a",
        ),
        (
            "[plans.a.ceiling_by_language.c]\nmemory = 1",
            "plans.a.ceiling_by_language.c.memory = 1: is no field of this",
        ),
        ("[plans.a.ceiling_by_language.\"a b\"]\n", "plans.a.ceiling_by_language: \"a b\" is no id of a language; "),
        ("[plans.a.ceiling_by_language]\nc = 1", "plans.a.ceiling_by_language.c = 1: is no section; "),
    ] {
        let told = mistakes(&format!("[plans.a]\n{text}\n"));
        assert!(told.len() == 1 && told[0].starts_with(beginning), "{text}\n{told:#?}");
    }
}

#[test]
fn a_language_that_nobody_has_described_is_told() {
    let text =
        "[plans.a]\nlanguages = [\"python\", \"pyhton\"]\n[plans.a.compile_ceiling_by_language.jav]\nprocesses = 9\n";
    let told = unknown_languages(&parse(text, 8 << 30, 4).unwrap(), &Catalogue::builtin());
    let told: Vec<String> = told.iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("plans.a = pyhton: is no language; write one of "), "{told:?}");
    assert!(told[1].starts_with("plans.a = jav: is no language; ") && told.len() == 2, "{told:?}");
}

#[test]
fn ceilings_follow_one_another() {
    let text = "[plans.a.ceiling]\nmemory_bytes = 50_000_000\n[plans.a.ceiling_by_language.java]\nmemory_bytes = 70_000_000\n\
                cpus = 0.5\n[plans.a.compile_ceiling]\ncpu_time_ms = 7\n";
    let config = parse(text, 8 << 30, 4).unwrap();
    let plan = config.plans.iter().find(|plan| plan.name == "a").unwrap();
    let of = |language, step| {
        let ceiling = plan.ceiling_of(language, step);
        (ceiling.memory_bytes, ceiling.cpus_milli, ceiling.cpu_time_ms)
    };
    assert_eq!(of("c", Step::Run), (50_000_000, 4000, 600_000));
    assert_eq!(of("java", Step::Run), (70_000_000, 500, 600_000));
    assert_eq!(of("java", Step::Compile), (50_000_000, 4000, 7));
}

#[test]
fn tokens_say_who_until_when() {
    let hash = |digit: &str| digit.repeat(64);
    let text = format!(
        "[tenants.a]\ntokens = [\"{}\"]\n[[tenants.a.token]]\nhash = \"sha256:{}\"\nname = \"ci\"\n\
         expires = 2027-01-31T12:00:00+02:00\n[[tenants.a.token]]\nhash = \"{}\"\nrevoked = true\n",
        hash("a"),
        hash("b"),
        hash("c")
    );
    let config = parse(&text, 8 << 30, 4).unwrap();
    let tokens = &config.tenants[0].tokens;
    assert_eq!((tokens.len(), tokens[0].expires, tokens[0].revoked), (3, None, false));
    assert_eq!((tokens[1].expires, tokens[1].name.as_deref()), (Some(1_801_389_600), Some("ci")));
    assert!(tokens[2].revoked);
    let long_ago = format!("[[tenants.a.token]]\nhash = \"{}\"\nexpires = \"-000044-03-15T12:00:00Z\"\n", hash("a"));
    assert!(parse(&long_ago, 8 << 30, 4).unwrap().tenants[0].tokens[0].expires.is_some_and(|end| end < 0));
    let one = format!("hash = \"{}\"", hash("a"));
    for (text, beginning) in [
        ("name = \"x\"", "tenants.a.token[0].hash: is missing; "),
        (&format!("{one}\nexpires = 2027-01-31"), "tenants.a.token[0].expires = 2027-01-31: is no time with a date"),
        (&format!("{one}\nexpires = \"soon\""), "tenants.a.token[0].expires = soon: is no time with a date and an"),
        (&format!("{one}\nuntil = 1"), "tenants.a.token[0].until = (not shown): is no field of this section; "),
        (
            &format!("{one}\n[[tenants.a.token]]\n{one}"),
            "tenants.a.tokens: has the token whose hash begins with aaaaaaaaaaaaaaaa twice; ",
        ),
        (&format!("{one}\n[tenants.b]\ntokens = [\"{}\"]", hash("a")), "tenants.b.tokens: has the token "),
    ] {
        let told = mistakes(&format!("[[tenants.a.token]]\n{text}\n"));
        assert!(told.len() == 1 && told[0].starts_with(beginning), "{text}\n{told:#?}");
    }
}
