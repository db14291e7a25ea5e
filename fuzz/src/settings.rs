//! What the operator writes: manifests and the two configurations. Only root can, but a mistake must be told, not crash.

use std::sync::OnceLock;

use engined::accounts::Accounts;
use engined::config::{Config, Host};
use languages::{Catalogue, Files, LimitName, Limits, Setting, Step, parse_version};

#[allow(dead_code, unexpected_cfgs, reason = "jaild's own file, taken as it is: only its configuration is read here")]
#[path = "../../jail/src/bin/jaild/config.rs"]
mod config;
#[allow(dead_code, reason = "as above: what it makes of pin")]
#[path = "../../jail/src/bin/jaild/pin.rs"]
mod pin;

fn text(data: &[u8]) -> &str {
    std::str::from_utf8(data).unwrap_or_else(|error| {
        // The valid head: a fuzzer that changes one byte should not lose the rest.
        std::str::from_utf8(&data[..error.valid_up_to()]).unwrap_or_default()
    })
}

/// A manifest, and what is made with the language that it describes.
pub fn manifest(data: &[u8]) {
    let catalogue = match Catalogue::with("fuzz.toml", text(data)) {
        Ok(catalogue) => catalogue,
        Err(mistakes) => {
            assert!(!mistakes.is_empty() && mistakes.iter().all(|mistake| !mistake.to_string().is_empty()));
            return;
        }
    };
    static BUILTIN: OnceLock<Catalogue> = OnceLock::new();
    let builtin = BUILTIN.get_or_init(Catalogue::builtin);
    for language in catalogue.languages() {
        if builtin.languages().contains(language) {
            continue;
        }
        let layout = language.layout(&Files::One(b"class A { static void main(String[] a) {} }"), None);
        for step in language.steps() {
            let limits = language.limits(step).resolved(step);
            assert!(LimitName::ALL.into_iter().all(|limit| limits.get(limit) > 0), "{limits:?}");
            for toolchain in &language.toolchains {
                let setting = Setting { toolchain, limits: &limits, tuned: None };
                assert!(!language.profile_name(toolchain, step).is_empty());
                let most = Limits { memory_bytes: u64::MAX, cpu_time_ms: u64::MAX, ..limits };
                drop(language.run_argv(Setting { limits: &most, ..setting }, None, &[]));
                let argv = language.run_argv(setting, layout.as_ref().ok().and_then(|l| l.entry.as_deref()), &[]);
                assert!(argv.first().is_some_and(|program| program.starts_with('/')), "{argv:?}");
                drop((language.run_env(setting, []), language.compile_env(setting), language.links(toolchain)));
                drop(language.compile_argv(setting, &["-x".to_owned()], &["a".to_owned()]));
                drop(language.probe_argv(toolchain));
                drop(parse_version(&toolchain.probe, data));
            }
        }
        drop(language.check_flags(&["-O2".to_owned(), String::new(), "é".to_owned()]));
        assert!(language.floors(Step::Run).memory_bytes.is_some_and(|least| least > 0));
    }
}

/// engined.toml and jaild.toml.
pub fn config(data: &[u8]) {
    let text = text(data);
    let host = Host { accounts: Accounts::parse("web:x:33:33::/:\n", "web:x:33:\n", 7), memory: 1 << 33, cpus: 64 };
    match Config::parse(text, &host) {
        Ok((config, printed)) => {
            // What is printed is a file like any other; sorted, it does not change any more.
            let once = Config::parse(&printed, &host).map(|(_, once)| once);
            let once = once.unwrap_or_else(|mistakes| panic!("{mistakes:?}: {printed}"));
            let twice = Config::parse(&once, &host).map(|(_, twice)| twice);
            assert_eq!(twice.as_deref(), Ok(once.as_str()));
            assert!(config.engine.memory > 0 && config.engine.queue_length > 0 && config.http.body_bytes > 0);
            assert!(config.outputs.total_bytes <= config.engine.memory);
            for tenant in &config.tenants {
                let ceiling = &tenant.plan.ceiling.all;
                assert!(LimitName::ALL.into_iter().all(|limit| ceiling.get(limit) > 0), "{ceiling:?}");
                let share = &tenant.plan.share;
                assert!(share.weight > 0 && share.running > 0 && share.queued > 0);
            }
        }
        Err(mistakes) => assert!(!mistakes.is_empty() && mistakes.iter().all(|one| !one.to_string().is_empty())),
    }
    let Ok(table) = text.parse() else { return };
    match config::Config::from_table(&table) {
        Ok(config) => {
            assert!((1..=4096).contains(&config.slots));
            let most = &config.ceiling;
            assert!(most.cpu_time.0 > 0 && most.memory.0 > 0 && most.processes > 0 && most.cpus_milli >= 100);
            if let Some(plan) = &config.cores {
                let enough = plan.sets.len() >= config.slots as usize;
                assert!(enough && most.cpus_milli as usize <= plan.least() * 1000 && !plan.rest.is_empty(), "{plan:?}");
            }
        }
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
}
