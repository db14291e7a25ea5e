//! SIGHUP: what can change while the engine serves changes, what can't is told, and a broken file changes nothing.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::live::ENGINED;
use common::{Fake, PATIENCE, Reply, Rig, Scratch, TOKEN, wait_for};
use engined::accounts::Accounts;
use engined::config::Host;
use engined::reload::{Outcome, Reloader};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

const JSON: &str = "Content-Type: application/json\r\n";

fn hash(token: &str) -> String {
    engined::tenants::hash(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An engine in this process, with a file that it reads again.
struct Reloading {
    rig: Rig,
    path: PathBuf,
    reloader: Reloader,
    _scratch: Scratch,
}

impl Reloading {
    fn start(config: &str) -> Reloading {
        let scratch = Scratch::new();
        let path = scratch.0.join("engined.toml");
        let config = format!("[listen]\ntcp = \"127.0.0.1:1\"\n{config}");
        fs::write(&path, &config).unwrap();
        let accounts = Accounts::parse("root:x:0:0::/:\nweb:x:33:33::/:\n", "", 7);
        let host = Host { accounts, memory: 8 << 30, cpus: 4 };
        let (_, printed) = engined::config::Config::load(&path, &host).unwrap();
        let reloader = Reloader::new(path.clone(), host, &printed);
        Reloading { rig: Rig::with(2, &config, &[]), path, reloader, _scratch: scratch }
    }

    fn reload(&self, config: &str) -> Outcome {
        fs::write(&self.path, format!("[listen]\ntcp = \"127.0.0.1:1\"\n{config}")).unwrap();
        self.reloader.reload(&self.rig.engine)
    }

    fn ask(&self, token: &str, words: &str) -> Reply {
        let body = json!({"language": "python", "source": words}).to_string();
        let headers = format!("Authorization: Bearer {token}\r\n{JSON}");
        self.rig.raw_call("POST", "/v1/executions", &headers, body.as_bytes())
    }

    fn reloads(&self, token: &str, outcome: &str) -> u64 {
        let text = self.rig.raw_call("GET", "/metrics", &format!("Authorization: Bearer {token}\r\n"), b"");
        let (text, name) = (text.text(), format!("engined_config_reloads_total{{outcome=\"{outcome}\"}} "));
        text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap()
    }
}

#[test]
fn tenants_plans_and_tokens_change_while_it_serves() {
    let tenant = |name: &str, token: &str| format!("[tenants.{name}]\nadmin = true\ntokens = [\"{}\"]\n", hash(token));
    let old = tenant("a", "a-old") + &tenant("b", "b");
    let it = Reloading::start(&old);
    assert_eq!((it.ask("a-old", "say x").status, it.ask("a-new", "say x").status), (200, 401));
    // Both tokens are valid while the caller learns the new one.
    let both = format!("[tenants.a]\nadmin = true\ntokens = [\"{}\", \"{}\"]\n", hash("a-old"), hash("a-new"))
        + &tenant("b", "b");
    assert_eq!(it.reload(&both), Outcome::Taken(Vec::new()));
    assert_eq!((it.ask("a-old", "say x").status, it.ask("a-new", "say x").status), (200, 200));
    // b goes while its run is under way; c comes; a has another plan.
    std::thread::scope(|scope| {
        let last = scope.spawn(|| it.ask("b", "gate\nsay done"));
        wait_for(|| it.rig.fake.seen.running.load(Ordering::SeqCst) == 1);
        let new = "[plans.default]\nrequests_per_minute = 1\nburst = 1\n[plans.free]\nlanguages = [\"c\"]\n".to_owned()
            + &tenant("c", "c")
            + "plan = \"free\"\n"
            + &tenant("a", "a-new");
        assert_eq!(it.reload(&new), Outcome::Taken(Vec::new()));
        it.ask("b", "say x").problem(401, "unauthenticated");
        it.ask("a-old", "say x").problem(401, "unauthenticated");
        it.ask("c", "say x").problem(403, "forbidden");
        it.rig.fake.seen.open.store(true, Ordering::SeqCst);
        assert_eq!(last.join().unwrap().json()["run"]["stdout"]["text"], "done\n", "what runs goes on");
    });
    assert_eq!(it.ask("a-new", "say x").status, 200);
    it.ask("a-new", "say x").problem(429, "rate_limited");
    // A reading fills no bucket.
    let same = fs::read_to_string(&it.path).unwrap();
    assert_eq!(it.reload(same.split_once("1\"\n").unwrap().1), Outcome::Taken(Vec::new()));
    it.ask("a-new", "say x").problem(429, "rate_limited");
    assert_eq!((it.reloads("a-new", "taken"), it.reloads("a-new", "refused")), (3, 0));
}

/// Tenants of these names, each with its name as its token.
fn tenants(names: &[&str]) -> String {
    names.iter().map(|name| format!("[tenants.{name}]\nadmin = true\ntokens = [\"{}\"]\n", hash(name))).collect()
}

impl Reloading {
    /// Begins a run that nobody waits for.
    fn begin(&self, token: &str, language: &str, words: &str) -> String {
        let body = json!({"language": language, "source": words}).to_string();
        let headers = format!("Authorization: Bearer {token}\r\n{JSON}");
        let reply = self.rig.raw_call("POST", "/v1/executions?wait=false", &headers, body.as_bytes());
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.header("location").unwrap().to_owned()
    }

    /// Stops it, and gives its verdict.
    fn stop(&self, token: &str, address: &str) -> String {
        let headers = format!("Authorization: Bearer {token}\r\n");
        let stopped = self.rig.raw_call("DELETE", address, &headers, b"").status;
        assert!([200, 202].contains(&stopped), "{stopped}");
        let result = self.rig.raw_call("GET", &format!("{address}?wait_ms=30000"), &headers, b"").json();
        result["verdict"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_waits_of_a_tenant_that_is_removed_never_runs_and_what_runs_goes_on() {
    let folder = Scratch::new();
    let file = folder.0.join("audit.jsonl");
    let audit = format!("[audit]\ntarget = \"file\"\nfile = {file:?}\n");
    let (both, one) = (audit.clone() + &tenants(&["keeper", "gone"]), audit + &tenants(&["keeper"]));
    let it = Reloading::start(&both);
    let runs = ["keeper", "gone"].map(|token| it.begin(token, "python", "sleep 60000"));
    wait_for(|| it.rig.engine.queue.gauges().running == 2);
    let kept = it.begin("keeper", "python", "say kept");
    let dropped = it.begin("gone", "python", "say unattended");
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| it.ask("gone", "say waited"));
        wait_for(|| it.rig.engine.queue.gauges().waiting == [3, 0]);
        assert_eq!(it.reload(&one), Outcome::Taken(Vec::new()));
        waits.join().unwrap().problem(403, "forbidden");
    });
    let gauges = it.rig.engine.queue.gauges();
    assert_eq!((gauges.waiting, gauges.running), ([1, 0], 2));
    it.ask("gone", "say late").problem(401, "unauthenticated");
    // It may come back, and finds what became of its runs.
    assert_eq!(it.reload(&both), Outcome::Taken(Vec::new()));
    let headers = "Authorization: Bearer gone\r\n";
    let result = it.rig.raw_call("GET", &format!("{dropped}?wait_ms=30000"), headers, b"").json();
    assert_eq!(result["verdict"], "cancelled", "{result}");
    assert!(result["reason"]["message"].as_str().unwrap().contains("was removed"), "{result}");
    assert_eq!(it.stop("gone", &runs[1]), "cancelled", "it ran all the time");
    assert_eq!(it.stop("keeper", &runs[0]), "cancelled");
    assert_eq!(it.ask("gone", "say again").status, 200);
    let headers = "Authorization: Bearer keeper\r\n";
    assert_eq!(it.rig.raw_call("GET", &format!("{kept}?wait_ms=30000"), headers, b"").json()["verdict"], "ok");
    let played: Vec<String> = it.rig.fake.seen.played.lock().unwrap().iter().map(|run| run.0.clone()).collect();
    assert!(!played.iter().any(|words| words.contains("waited") || words.contains("unattended")), "{played:?}");
    wait_for(|| it.rig.engine.audit.behind() == 0);
    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let has = |expected: serde_json::Value| {
        let expected = expected.as_object().unwrap();
        lines.iter().any(|line| expected.iter().all(|(field, value)| line[field] == *value))
    };
    assert!(has(json!({"act": "tenant_closed", "tenant": "gone", "waiting": 2})), "{text}");
    assert!(has(json!({"act": "refused", "tenant": "gone", "problem": "forbidden"})), "{text}");
}

#[test]
fn a_tenant_whose_last_token_is_revoked_is_closed_as_one_that_is_removed() {
    let tenants = |revoked: bool| {
        let token = format!("[[tenants.gone.token]]\nhash = \"{}\"\nrevoked = {revoked}\n", hash("gone"));
        tenants(&["keeper"]) + &token
    };
    let it = Reloading::start(&tenants(false));
    let runs = [0, 1].map(|_| it.begin("keeper", "python", "sleep 60000"));
    wait_for(|| it.rig.engine.queue.gauges().running == 2);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| it.ask("gone", "say waited"));
        wait_for(|| it.rig.engine.queue.gauges().waiting == [1, 0]);
        assert_eq!(it.reload(&tenants(true)), Outcome::Taken(Vec::new()));
        waits.join().unwrap().problem(403, "forbidden");
    });
    assert!(runs.iter().all(|run| it.stop("keeper", run) == "cancelled"));
}

#[test]
fn who_waits_for_the_compile_of_another_run_is_dropped_as_well() {
    let folder = Scratch::new();
    engined::cache::folder::make(&folder.0.join("artifacts")).unwrap();
    let cache = format!("[cache]\nfolder = {:?}\n", folder.0.join("artifacts"));
    let (both, one) = (cache.clone() + &tenants(&["keeper", "gone"]), cache + &tenants(&["keeper"]));
    let it = Reloading::start(&both);
    let words = "#sleep 60000\nsay waited\n";
    let begun = || it.rig.fake.seen.profiles.lock().unwrap().iter().filter(|at| *at == "c/gcc/compile").count();
    let before = begun();
    let compiles = it.begin("gone", "c", words);
    wait_for(|| begun() > before);
    let body = json!({"language": "c", "source": words}).to_string();
    let headers = format!("Authorization: Bearer gone\r\n{JSON}");
    std::thread::scope(|scope| {
        let joins = scope.spawn(|| it.rig.raw_call("POST", "/v1/executions", &headers, body.as_bytes()));
        wait_for(|| it.rig.engine.queue.gauges().waiting == [1, 0]);
        assert_eq!(it.reload(&one), Outcome::Taken(Vec::new()));
        joins.join().unwrap().problem(403, "forbidden");
    });
    assert_eq!(it.reload(&both), Outcome::Taken(Vec::new()));
    assert_eq!(it.stop("gone", &compiles), "cancelled");
}

#[test]
fn what_cannot_change_is_told_and_the_rest_is_taken() {
    let it = Reloading::start(&format!("[tenants.a]\nadmin = true\ntokens = [\"{}\"]\n", hash("a")));
    let told = it.reload(&format!(
        "[abuse]\nsockets = 7\n[engine]\nqueue_length = 5\n[http]\nheaders = 50\n[tenants.a]\nadmin = true\ntokens = [\"{}\"]\n",
        hash("new")
    ));
    let change = |setting: &str, was: &str, now: &str| (setting.to_owned(), was.to_owned(), now.to_owned());
    let expected = [change("engine.queue_length", "1000", "5"), change("http.headers", "100", "50")];
    assert_eq!(told, Outcome::Taken(expected.to_vec()));
    assert_eq!((it.ask("a", "say x").status, it.ask("new", "say x").status), (401, 200));
}

#[test]
fn a_broken_configuration_is_refused_with_every_mistake_and_the_old_one_stays() {
    let it = Reloading::start(&format!("[tenants.a]\nadmin = true\ntokens = [\"{}\"]\n", hash("a")));
    let broken = format!(
        "[plans.default]\nrunning = 0\n[plans.x]\nlanguages = [\"c\", \"jav\"]\n[plans.x.ceiling]\ncpus = 99\n\
         [tenants.a]\nadmin = true\ntokens = [\"{}\"]\nallowed_users = [\"newcomer\"]\n",
        hash("b")
    );
    let Outcome::Refused(mistakes) = it.reload(&broken) else { panic!("taken") };
    for words in [
        "plans.default.running = 0: is zero, which never means unlimited",
        "plans.x.ceiling.cpus = 99.000: is more than this host has: 4 processors",
        "tenants.a.allowed_users[0] = \"newcomer\": user newcomer does not exist; useradd --system newcomer and restart",
        "plans.x = jav: is no language",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.contains(words)), "{words}\n{mistakes:#?}");
    }
    assert_eq!(mistakes.len(), 4, "{mistakes:#?}");
    let Outcome::Refused(mistakes) =
        it.reload("[plans.x]\nlanguages = [\"pyhton\"]\n[tenants.a]\nallowed_users = [\"web\"]\n[listen]")
    else {
        panic!("taken")
    };
    assert_eq!(mistakes.len(), 1, "no TOML: {mistakes:#?}");
    let unknown =
        format!("[plans.x]\nlanguages = [\"pyhton\"]\n[tenants.a]\nadmin = true\ntokens = [\"{}\"]\n", hash("b"));
    let Outcome::Refused(mistakes) = it.reload(&unknown) else { panic!("taken") };
    assert!(mistakes[0].contains("plans.x = pyhton: is no language"), "{mistakes:#?}");
    fs::remove_file(&it.path).unwrap();
    let Outcome::Refused(mistakes) = it.reloader.reload(&it.rig.engine) else { panic!("taken") };
    assert!(mistakes[0].contains("can't be read"), "{mistakes:#?}");
    assert_eq!((it.ask("a", "say x").status, it.ask("b", "say x").status), (200, 401));
    assert_eq!((it.reloads("a", "taken"), it.reloads("a", "refused")), (0, 4));
}

/// `engined serve` by itself, confined as it is, with a fake jaild.
struct Serving {
    child: Child,
    address: SocketAddr,
    folder: Scratch,
    _fake: Fake,
}

impl Serving {
    /// `None` where this test can't become the user that serves.
    fn start(tenants: &str) -> Option<Serving> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let account = passwd.lines().find(|line| line.starts_with("engined:"));
        let why =
            if nix::unistd::geteuid().is_root() { "no account engined: run cargo xtask up once" } else { "not root" };
        let Some(account) = account.filter(|_| nix::unistd::geteuid().is_root()) else {
            eprintln!("SKIPPED: {why}");
            assert!(std::env::var_os("ENGINED_FORBID_SKIP").is_none_or(|v| v != "1"), "skipping is forbidden: {why}");
            return None;
        };
        let mut ids = account.split(':').skip(2).map(|id| id.parse::<u32>().unwrap());
        let (uid, gid) = (ids.next(), ids.next());
        let folder = Scratch::new();
        let path = |name: &str| folder.0.join(name);
        for name in ["etc", "state"] {
            fs::create_dir(path(name)).unwrap();
        }
        for name in ["", "etc", "state"] {
            chown(path(name), uid, gid).unwrap();
        }
        let fake = Fake::start(&path("jaild.sock"), 2, &[]);
        fs::set_permissions(path("jaild.sock"), fs::Permissions::from_mode(0o666)).unwrap();
        write(&folder, tenants);
        let mut child = Command::new(ENGINED)
            .args(["serve", "--notify", "--user", "engined", "--config"])
            .arg(path("etc/engined.toml"))
            .env("STATE_DIRECTORY", path("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(fs::File::create(path("log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix("listening ")?.parse().ok());
        let ready = address.is_some() && lines.any(|line| line.starts_with("ready "));
        let serving = Serving { child, address: address.unwrap(), folder, _fake: fake };
        assert!(ready, "{}", serving.log());
        Some(serving)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.0.join("log")).unwrap()
    }

    fn hang_up(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGHUP).unwrap();
    }

    fn call(&self, method: &str, path: &str, token: &str, body: &str) -> Reply {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{JSON}");
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").unwrap();
        Reply::read(&mut stream).unwrap()
    }

    fn run(&self, token: &str) -> Reply {
        self.call("POST", "/v1/executions", token, &json!({"language": "python", "source": "say x"}).to_string())
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.call("GET", "/metrics", TOKEN, "").text();
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        text.lines().find_map(value).unwrap_or_else(|| panic!("{name}\n{text}"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).unwrap();
    }
}

/// As editors do: a new file in the place of the old one.
fn write(folder: &Scratch, tenants: &str) {
    let path = |name: &str| folder.0.join(name);
    let text = format!("[listen]\ntcp = \"127.0.0.1:0\"\n[engine]\njaild_socket = {:?}\n{tenants}", path("jaild.sock"));
    fs::write(path("etc/new"), text).unwrap();
    fs::rename(path("etc/new"), path("etc/engined.toml")).unwrap();
}

fn keeper() -> String {
    format!("[tenants.t]\nadmin = true\ntokens = [\"{}\"]\n", hash(TOKEN))
}

#[test]
fn a_signal_has_a_confined_engine_read_its_file_again() {
    let Some(serving) = Serving::start(&keeper()) else { return };
    assert_eq!((serving.run(TOKEN).status, serving.run("later").status), (200, 401));
    write(&serving.folder, &format!("{}[tenants.u]\ntokens = [\"{}\"]\n", keeper(), hash("later")));
    serving.hang_up();
    wait_for(|| serving.run("later").status == 200);
    write(&serving.folder, "[tenants.t]\nadmin = true\ntokens = [\"no hash\"]\nplan = \"none\"\n");
    serving.hang_up();
    wait_for(|| serving.metric("engined_config_reloads_total{outcome=\"refused\"}") == 1);
    assert_eq!((serving.run(TOKEN).status, serving.run("later").status), (200, 200));
    let log = serving.log();
    for words in ["tenants.t.tokens[0]", "tenants.t.plan"] {
        assert!(log.lines().any(|line| line.contains("not taken") && line.contains(words)), "{words}\n{log}");
    }
}

#[test]
fn ten_signals_a_second_under_load_are_harmless() {
    let Some(serving) = Serving::start(&keeper()) else { return };
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let readings = || {
        let of = |outcome| serving.metric(&format!("engined_config_reloads_total{{outcome=\"{outcome}\"}}"));
        (of("taken"), of("refused"))
    };
    let mut signals = 0;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let reply = serving.run(TOKEN);
                    if reply.status != 200 {
                        over.store(true, Ordering::SeqCst);
                        panic!("{} {}", reply.status, reply.text());
                    }
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let begun = Instant::now();
        // As many more as it takes a busy engine to have met both kinds.
        for n in (0..1500_u32).take_while(|n| *n < 30 || readings().0 == 0 || readings().1 == 0) {
            signals = u64::from(n) + 1;
            // Now and then it is broken, or there is one tenant more.
            match n % 3 {
                0 => write(&serving.folder, &keeper()),
                1 => write(&serving.folder, "[plans.default]\nrunning = 0\n"),
                _ => write(
                    &serving.folder,
                    &format!("{}[tenants.n{n}]\ntokens = [\"{}\"]\n", keeper(), hash(&n.to_string())),
                ),
            }
            serving.hang_up();
            std::thread::sleep(
                (begun + Duration::from_millis(100) * (n + 1)).saturating_duration_since(Instant::now()),
            );
        }
        over.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 0);
    let (taken, refused) = readings();
    assert!(taken >= 1 && refused >= 1 && taken + refused <= signals, "{taken} {refused}");
    // The last one counts, however many came.
    write(&serving.folder, &format!("{}[tenants.last]\ntokens = [\"{}\"]\n", keeper(), hash("last")));
    serving.hang_up();
    wait_for(|| serving.run("last").status == 200);
    assert_eq!(serving.metric("engined_panics_total"), 0);
    println!("{} runs, {:?} readings", answered.load(Ordering::SeqCst), readings());
}
