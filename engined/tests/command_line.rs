//! What the command line does without a sandbox: configurations, tokens, refusals.

#![allow(clippy::unwrap_used, reason = "helpers of tests: a panic is a failed test")]

use std::process::{Command, Output};

const ENGINED: &str = env!("CARGO_BIN_EXE_engined");

fn engined(args: &[&str]) -> Output {
    Command::new(ENGINED).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_configuration_is_checked_and_printed() {
    let path = std::env::temp_dir().join(format!("engined-config-{}.toml", std::process::id()));
    let shown = path.to_str().unwrap();
    std::fs::write(&path, "").unwrap();
    let good = engined(&["config", "check", "--config", shown, "--print"]);
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(text(&good.stdout).contains("engine_memory_bytes = 536870912"));
    // Where records go depends on how it is started.
    assert!(
        text(&good.stdout)
            .contains("\n# usage is counted in memory, and gone with engined, where it is started without")
    );
    std::fs::write(&path, "[audit]\nfile = \"/var/lib/x/audit.jsonl\"\n[usage]\nenabled = false\n").unwrap();
    let told = text(&engined(&["config", "check", "--config", shown]).stdout);
    assert_eq!(told, "# audit lines go to /var/lib/x/audit.jsonl\n# usage is not counted\n");
    std::fs::write(&path, "[engine]\nslots = 0\nqueue_length = -1\n").unwrap();
    let bad = engined(&["config", "check", "--config", shown]);
    assert_eq!((bad.status.code(), text(&bad.stderr).lines().count()), (Some(1), 2));
    std::fs::remove_file(&path).unwrap();
    let absent = engined(&["config", "check", "--config", shown]);
    assert!(text(&absent.stderr).contains("can't be read"), "{}", text(&absent.stderr));
}

#[test]
fn a_token_is_printed_once_and_kept_as_a_hash() {
    let output = engined(&["token", "new"]);
    let text = text(&output.stdout);
    let token = text.lines().find(|line| line.starts_with("engined_")).unwrap();
    let hash: String = engined::tenants::hash(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(text.contains(&format!("tokens = [\"sha256:{hash}\"]")), "{text}");
    assert_ne!(engined(&["token", "new"]).stdout, output.stdout);
}

#[test]
fn a_token_may_have_a_name_and_an_end() {
    let output = engined(&["token", "new", "--name", "the \"ci\"", "--expires", "30"]);
    let text = text(&output.stdout);
    let section = text.split_once("[[tenants.NAME.token]]\n").unwrap().1;
    let config = format!("[listen]\ntcp = \"127.0.0.1:1\"\n[[tenants.a.token]]\n{section}");
    let host = engined::config::Host { accounts: engined::accounts::Accounts::default(), memory: 1 << 33, cpus: 4 };
    let (config, printed) = engined::config::Config::parse(&config, &host).unwrap();
    let token = &config.tenants[0].tokens[0];
    let secret = text.lines().find(|line| line.starts_with("engined_")).unwrap();
    assert_eq!(token.hash, engined::tenants::hash(secret.as_bytes()));
    assert_eq!(token.name.as_deref(), Some("the \"ci\""));
    let days = (token.expires.unwrap() - engined::clock::seconds()) / 86_400;
    assert!((29..=30).contains(&days), "{days}");
    assert!(printed.contains("[[tenants.a.token]]\n"), "{printed}");
    for bad in [["--expires", "0"], ["--expires", "4000"], ["--name", ""]] {
        assert!(!engined(&[&["token", "new"][..], &bad].concat()).status.success(), "{bad:?}");
    }
}

#[test]
fn root_does_not_serve() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: not root");
        return;
    }
    let output = engined(&["serve", "--config", "/dev/null"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("root must not serve strangers"), "{}", text(&output.stderr));
}
