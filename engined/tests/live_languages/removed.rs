//! A toolchain that is removed while it is offered: told as ours, then no longer offered, and nobody else suffers.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::common::live::{Up, descendants, live};
use crate::common::opt::Opt;
use crate::common::wait_for;
use crate::manifests::language;
use crate::said;
use crate::versions::{python, python_manifest};

#[test]
fn a_program_that_is_removed_is_told_and_then_not_offered() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    language(&opt, "mine", "");
    python(&opt, "nine", "9.9.1");
    opt.manifest("nine", &python_manifest("nine", "nine"));
    let up = Up::with(Some(&opt.manifests()));
    let requests = ["mine", "python"]
        .map(|language| json!({"language": language, "source": "import sys; print(sys.version_info[0])"}));
    for request in &requests {
        assert_eq!(said(&up, request), "3\n");
    }
    for (request, folder) in requests.iter().zip(["mine", "nine"]) {
        opt.remove(&format!("{folder}/bin/python3"));
        let result = up.run(request);
        assert_eq!(result["verdict"], "engine_error", "{result}");
        let wanted = format!("The toolchain is not whole any more: {}/{folder}/bin/python3 is gone.", opt.0.display());
        assert!(result["reason"]["message"].as_str().unwrap().starts_with(&wanted), "{result}");
        // The others go on meanwhile.
        assert_eq!(said(&up, &json!({"language": "python", "version": "3", "source": "print('on')"})), "on\n");
    }
    up.until(|up| up.offered("mine").is_empty() && up.offered("python")[0][1] == "cpython");
    let problem = up.call("POST", "/v1/executions", &requests[0]).unwrap().problem(422, "unknown_language");
    assert!(problem["remedy"].as_str().unwrap().contains("apt-get install python3"), "{problem}");
    assert_eq!(said(&up, &requests[1]), "3\n", "the next newest stands in");

    // It comes back as it came.
    python(&opt, "nine", "9.9.2");
    up.reload(|up| up.offered("python")[0][0] == "9.9.2");
    assert_eq!(said(&up, &requests[1]), "3\n");
    up.stop();
}

#[test]
fn a_folder_that_is_removed_keeps_no_sandbox_from_being_made() {
    if !live() {
        return;
    }
    let opt = Opt::new();
    language(&opt, "mine", "");
    let up = Up::with(Some(&opt.manifests()));
    let hello = |language: &str| json!({"language": language, "source": "print('hello')"});
    assert_eq!(said(&up, &hello("mine")), "hello\n");
    opt.remove("mine");
    // Every sandbox is made anew without a word to jaild about the folder.
    let jaild = u32::try_from(up.child("jaild")).unwrap();
    let spawners = || -> Vec<u32> {
        descendants(jaild).into_iter().filter(|(_, parent, _)| *parent == jaild).map(|(pid, ..)| pid).collect()
    };
    let before = spawners();
    assert!(before.len() > 2, "{before:?}");
    for pid in &before {
        kill(Pid::from_raw(i32::try_from(*pid).unwrap()), Signal::SIGKILL).unwrap();
    }
    wait_for(|| spawners().iter().filter(|pid| !before.contains(pid)).count() == before.len());
    assert_eq!(said(&up, &hello("python")), "hello\n");
    let result = up.run(&hello("mine"));
    assert_eq!(result["verdict"], "engine_error", "{result}");
    assert!(result["reason"]["message"].as_str().unwrap().contains("not whole any more"), "{result}");
    up.until(|up| up.offered("mine").is_empty());
    assert_eq!(said(&up, &hello("python")), "hello\n");
    up.stop();
}
