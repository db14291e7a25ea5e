//! Operators' manifests: toolchains outside /usr, languages more, and all of it reloaded while programs run.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::common::live::{Up, live};
use crate::common::opt::Opt;
use crate::versions::{python, python_manifest};
use crate::{said, stdout};

/// A language of a test's own, in its own folder: Python by another name, with whatever else its manifest says.
pub fn language(opt: &Opt, id: &str, more: &str) {
    python(opt, id, "1.2.3");
    opt.manifest(
        id,
        &format!(
            "id = \"{id}\"\nname = \"Of {id}\"\nmain_file = \"main.py\"\nentry = \"allowed\"\nhello = \"print('hello')\"\n{more}\n\
             [[toolchain]]\nid = \"{id}\"\nprogram = \"OPT/{id}/bin/python3\"\npackage = \"python3\"\n\
             probe = {{ args = [\"-V\"], prefix = \"Python \" }}\nmount = {{ path = \"OPT/{id}\", reason = \"a test\" }}\n\
             [run]\nargs = [\"{{program}}\", \"{{entry}}\", \"{{args}}\"]\nenv = {{ PATH = \"/usr/bin:/bin\" }}\n"
        ),
    );
}

fn has(up: &Up, language: &str) -> bool {
    !up.offered(language).is_empty()
}

fn hello(language: &str) -> Value {
    json!({"language": language, "source": "print('hello')"})
}

#[test]
fn a_toolchain_outside_usr_is_seen_and_nothing_beside_it() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    // A program of its own, not only a script: the copy finds its library by the path that it was built with.
    fs::create_dir_all(opt.0.join("tool/bin")).unwrap();
    fs::copy("/usr/bin/python3", opt.0.join("tool/bin/real")).unwrap();
    let script = "#!/bin/sh\n[ \"$1\" = -V ] && { echo Python 9.9.1; exit; }\nexec OPT/tool/bin/real \"$@\"\n";
    opt.file("tool/bin/python3", script, 0o755);
    opt.file("tool/share/words", "to be read\n", 0o644);
    // (What was made of toolchains is in /opt/engined, for every program.)
    // What modes would let everybody change, the mount must not.
    opt.folder("tool/open", 0o777);
    opt.file("tool/open/file", "as it was\n", 0o666);
    opt.file("beside/secret", "not to be read\n", 0o644);
    opt.manifest("python", &python_manifest("tool", "own"));
    let up = Up::with(Some(&opt.manifests()));
    let source = r#"
import errno, os, sys
opt, tool = os.environ['OPT'], os.environ['OPT'] + '/tool'
print(sys.executable == tool + '/bin/real', [n for n in os.listdir('/opt') if n != 'engined'] == [os.path.basename(opt)], os.listdir(opt))
print(open(tool + '/share/words').read().strip(), sorted(os.listdir(tool)))
def refused(what):
    try:
        what()
    except OSError as error:
        return errno.errorcode[error.errno] in ('EROFS', 'EACCES', 'EPERM')
    return False
print([refused(what) for what in (
    lambda: open(tool + '/open/new', 'w'), lambda: open(tool + '/open/file', 'a'), lambda: os.remove(tool + '/open/file'),
    lambda: os.chmod(tool + '/open/file', 0o777), lambda: os.rename(tool + '/open', tool + '/closed'),
    lambda: open(opt + '/new', 'w'), lambda: os.mkdir('/opt/new'))])
print(os.path.exists(opt + '/beside'), os.path.exists(opt + '/languages'), os.access(tool + '/open', os.W_OK))
"#;
    let request = json!({"language": "python", "version": "9.9.1", "source": source, "env": {"OPT": opt.0}});
    let result = up.run(&request);
    assert_eq!(result["verdict"], "ok", "{result}");
    assert_eq!(result["language"], json!({"id": "python", "version": "9.9.1", "toolchain": "own"}));
    let all = format!("[{}]", ["True"; 7].join(", "));
    let wanted = format!("True True ['tool']\nto be read ['bin', 'open', 'share']\n{all}\nFalse False False\n");
    assert_eq!(stdout(&result), wanted, "{result}");
    assert_eq!(fs::read_to_string(opt.0.join("tool/open/file")).unwrap(), "as it was\n");
    up.stop();
}

#[test]
fn a_reload_brings_a_language_and_takes_it_away_while_programs_run() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    let up = Up::with(Some(&opt.manifests()));
    let waits = json!({"language": "python", "source": "import time\nprint('on', flush=True)\ntime.sleep(600)",
        "limits": {"wall_time_ms": 300_000}});
    let reply = up.call("POST", "/v1/executions?wait=false", &waits).unwrap();
    let address = reply.header("location").unwrap().to_owned();
    up.call("POST", "/v1/executions", &hello("mine")).unwrap().problem(422, "unknown_language");

    language(&opt, "mine", "aliases = [\"my\"]");
    up.reload(|up| has(up, "mine"));
    assert_eq!(said(&up, &hello("my")), "hello\n");

    // Another version of a language that is there.
    python(&opt, "nine", "9.9.1");
    opt.manifest("nine", &python_manifest("nine", "nine"));
    up.reload(|up| up.offered("python")[0][1] == "nine");
    assert_eq!(said(&up, &json!({"language": "python", "version": "9", "source": "print(9)"})), "9\n");

    opt.remove("languages/mine.toml");
    opt.remove("languages/nine.toml");
    up.reload(|up| !has(up, "mine") && up.offered("python")[0][1] == "cpython");
    up.call("POST", "/v1/executions", &hello("mine")).unwrap().problem(422, "unknown_language");
    let nine = json!({"language": "python", "version": "9", "source": "print(9)"});
    up.call("POST", "/v1/executions", &nine).unwrap().problem(422, "unknown_version");

    // All that time the first program has been running.
    let standing = up.call("GET", &address, &Value::Null).unwrap().json();
    assert_eq!((&standing["status"], &standing["stage"]), (&json!("running"), &json!("run")), "{standing}");
    assert_eq!(up.call("DELETE", &address, &Value::Null).unwrap().status, 202);
    let ended = up.call("GET", &format!("{address}?wait_ms=30000"), &Value::Null).unwrap().json();
    assert_eq!((&ended["verdict"], stdout(&ended)), (&json!("cancelled"), "on\n"), "{ended}");
    up.stop();
}

#[test]
fn a_bad_manifest_is_refused_with_every_mistake_and_the_old_ones_stay() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    language(&opt, "mine", "");
    let up = Up::with(Some(&opt.manifests()));
    assert_eq!(said(&up, &hello("mine")), "hello\n");

    // What is right in it is not taken either, nor is what was removed gone.
    language(&opt, "other", "");
    opt.remove("languages/mine.toml");
    opt.manifest("bad", "id = \"Bad Id\"\ncolour = \"red\"\n[[toolchain]]\nid = \"x\"\nprogram = \"relative\"\n");
    opt.manifest("worse", &python_manifest("mine", "x").replace("\"python\"\n", "\"cobol\"\n"));
    opt.manifest("worst", "id = \"open");
    // Of each mistake where it is, and what stands there.
    let told = |up: &Up, by: &str| {
        let log = up.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(by)).collect();
        let mistakes =
            ["bad.toml: id = \"Bad Id\"", "bad.toml: colour", "\"relative\"", "\"cobol\"", "worse.toml", "worst.toml"];
        mistakes.iter().all(|mistake| lines.iter().any(|line| line.contains(mistake)))
    };
    let jaild = "jaild: not taken, the old settings stay";
    let engined = "manifests not taken, the old ones stay";
    up.reload(|up| told(up, jaild) && told(up, engined));
    assert_eq!(said(&up, &hello("mine")), "hello\n");
    assert_eq!(said(&up, &hello("python")), "hello\n");
    up.call("POST", "/v1/executions", &hello("other")).unwrap().problem(422, "unknown_language");

    for bad in ["bad", "worse", "worst"] {
        opt.remove(&format!("languages/{bad}.toml"));
    }
    up.reload(|up| has(up, "other") && !has(up, "mine"));
    assert_eq!(said(&up, &hello("other")), "hello\n");
    up.stop();
}

#[test]
fn a_manifest_that_others_could_change_is_refused_by_both() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    language(&opt, "mine", "");
    let up = Up::with(Some(&opt.manifests()));
    let refused = |why: &str| {
        let before = up.log().len();
        up.reload(|up| {
            let log = &up.log()[before..];
            let tells = |by: &str| log.lines().any(|line| line.contains(by) && line.contains(why));
            tells("jaild: not taken, the old settings stay") && tells("manifests not taken, the old ones stay")
        });
        assert_eq!(said(&up, &hello("mine")), "hello\n");
        up.call("POST", "/v1/executions", &hello("other")).unwrap().problem(422, "unknown_language");
    };
    language(&opt, "other", "");
    let manifest = opt.0.join("languages/other.toml");
    let mode = |path, mode| fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(manifest.clone(), 0o664);
    refused("other.toml: has mode 664: group or others can change it; chmod go-w");
    mode(manifest.clone(), 0o644);
    mode(opt.manifests(), 0o777);
    refused("languages: has mode 777: group or others can change it; chmod go-w");
    mode(opt.manifests(), 0o755);
    // The folder that strangers' programs would see decides as much.
    mode(opt.0.join("other"), 0o777);
    refused("other: has mode 777: group or others can change it; chmod go-w");
    mode(opt.0.join("other"), 0o755);

    // To jaild in its user namespace all owners look alike; the engine tells them apart.
    chown(&manifest, Some(12_345), None).unwrap();
    let before = up.log().len();
    up.reload(|up| {
        let log = &up.log()[before..];
        log.lines().any(|line| line.contains("the old ones stay") && line.contains("other.toml: belongs to uid 12345"))
    });
    up.call("POST", "/v1/executions", &hello("other")).unwrap().problem(422, "unknown_language");
    chown(&manifest, Some(0), None).unwrap();
    up.reload(|up| has(up, "other"));
    assert_eq!(said(&up, &hello("other")), "hello\n");
    up.stop();
}

/// What the filter answers to `vmsplice` and `io_setup` with arguments that the kernel itself takes for wrong.
const PROBES_THE_FILTER: &str = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
    def call(*args):\n    libc.syscall(*args)\n    return ctypes.get_errno()\n\
    print(call(278, -1, None, 0, 0), call(206, 0, None))\n";

#[test]
fn twenty_reloads_in_two_seconds_hurt_nobody() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    let allows = |call: &str| format!("[[syscall]]\nname = \"{call}\"\nreason = \"a test\"\n");
    language(&opt, "bare", "");
    language(&opt, "vm", &allows("vmsplice"));
    language(&opt, "zio", &allows("io_setup"));
    let up = Up::with(Some(&opt.manifests()));
    // EPERM is the filter's, EBADF and EFAULT are the kernel's.
    let languages = [("bare", "1 1\n"), ("vm", "9 1\n"), ("zio", "1 14\n"), ("python", "1 1\n")];
    let (done, runs) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (up, done, runs) = (&up, &done, &runs);
            scope.spawn(move || {
                for (language, wanted) in languages.iter().cycle().skip(worker) {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let request = json!({"language": language, "source": PROBES_THE_FILTER});
                    assert_eq!(said(up, &request), *wanted, "{language}\n{}", up.log());
                    runs.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Limits are kept meanwhile, though jaild has much to read. A busy machine may keep it from one now and then.
        let (up, done) = (&up, &done);
        scope.spawn(move || {
            let mut used = Vec::new();
            while used.is_empty() || !done.load(Ordering::Relaxed) {
                let limits = json!({"cpu_time_ms": 200, "wall_time_ms": 60_000});
                let result = up.run(&json!({"language": "python", "source": "while True: pass", "limits": limits}));
                assert_eq!(result["verdict"], "cpu_time_limit", "{result}");
                used.push(result["run"]["usage"]["cpu_time_us"].as_u64().unwrap());
            }
            used.sort_unstable();
            assert!(used[used.len() / 2] < 1_000_000, "{used:?}");
        });
        for round in 0..20 {
            // Another set of calls, sometimes: the numbers of all filters move.
            if round % 2 == 0 {
                language(&opt, "also", &allows("add_key"));
            } else {
                opt.remove("languages/also.toml");
            }
            kill(Pid::from_raw(i32::try_from(up.child.id()).unwrap()), Signal::SIGHUP).unwrap();
            std::thread::sleep(Duration::from_millis(100));
        }
        // And on until the last one has been taken.
        let begun = runs.load(Ordering::Relaxed);
        up.until(|_| runs.load(Ordering::Relaxed) >= begun + 8);
        done.store(true, Ordering::Relaxed);
    });
    up.until(|up| !has(up, "also"));
    for (language, wanted) in languages {
        assert_eq!(said(&up, &json!({"language": language, "source": PROBES_THE_FILTER})), wanted, "{language}");
    }
    up.stop();
}
