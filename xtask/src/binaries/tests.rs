//! A script stands for a test binary.

use super::*;
use crate::engine::Scratch;
use std::fs;

/// A binary that fails as often as its folder has files `fail…`, and takes one away each time. `$try` is `first` or
/// `second`. A script `before` in the folder is run before the result is told, and `behind` when all is said.
const SCRIPT: &str = "#!/bin/sh
try=first name='a b'
case $* in *--exact*) try=second name=$2;; esac
failed=0 passed=0
for test in $name; do
    if rm fail-$test-$(ls | grep -c fail-$test-) 2>/dev/null; then
        echo \"test $test ... FAILED\"; failed=$((failed + 1))
    else
        echo \"test $test ... ok\"; passed=$((passed + 1))
    fi
done
test ! -e before || . ./before
if test $failed = 0; then
    echo \"test result: ok. $passed passed; 0 failed; 0 ignored\"
else
    printf 'failures:\\n\\n---- why ----\\nso it is\\n%s\\n\\nfailures:\\n    name\\n' \"$why\"
    echo \"test result: FAILED. $passed passed; $failed failed; 0 ignored\"
fi
echo 'test result: not of this kind' >&2
test ! -e behind || . ./behind
test $failed = 0 || exit 101
";

fn work(folder: &str, files: &[(&str, &str)], tries: &SecondTries) -> Tally {
    patiently(folder, files, tries, PATIENCE)
}

fn patiently(folder: &str, files: &[(&str, &str)], tries: &SecondTries, patience: Duration) -> Tally {
    let scratch = Scratch::new("binaries").unwrap();
    let folder = scratch.path().join(folder);
    fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    let (text, path) = (folder.join("text"), folder.join("binary"));
    fs::write(&text, SCRIPT).unwrap();
    // By a process of its own: who is forked beside this test has its descriptors until it executes, and nobody
    // executes what somebody may write.
    assert!(Command::new("install").args(["-m", "755"]).args([&text, &path]).status().unwrap().success());
    let binary = Binary { name: "binary".to_owned(), path, folder };
    Binaries { next: Mutex::new([binary].into()), patience }.work(tries).unwrap()
}

/// That each of `failures` has its part in one failure, and that nothing was unsteady.
fn assert_failed(tally: &Tally, failures: &[&str]) {
    assert_eq!(tally.failures().len(), failures.len(), "{tally:?}");
    for (failure, part) in tally.failures().iter().zip(failures) {
        assert!(failure.contains(part), "{tally:?}");
    }
    assert!(tally.unsteady().is_empty(), "{tally:?}");
}

#[test]
fn what_passes_at_the_second_try_is_told() {
    let tally = work("second", &[("fail-a-1", "")], &SecondTries::few());
    assert_eq!((tally.passed(), tally.failures()), (2, &[][..]));
    assert_eq!(tally.unsteady(), ["a"]);
    assert!(tally.again()[0].contains("so it is"), "{:?}", tally.again());
}

#[test]
fn what_fails_twice_has_failed() {
    let tally = work("twice", &[("fail-a-1", ""), ("fail-a-2", "")], &SecondTries::few());
    assert_eq!((tally.passed(), tally.failures(), tally.unsteady().len()), (1, &["a".to_owned()][..], 0));
}

#[test]
fn all_binaries_share_the_second_tries_and_walls_have_none() {
    let tries = SecondTries::few();
    assert_failed(&work("jail", &[("fail-a-1", "")], &tries), &["a"]);
    let tally = work("one", &[("fail-a-1", "")], &tries);
    assert_eq!((tally.failures().len(), tally.unsteady()), (0, &["a".to_owned()][..]));
    let tally = work("another", &[("fail-a-1", ""), ("fail-b-1", "")], &tries);
    assert_eq!((tally.failures(), tally.unsteady()), (&["b".to_owned()][..], &["a".to_owned()][..]));
    assert_failed(&work("third", &[("fail-a-1", "")], &tries), &["a"]);
    assert_failed(&work("none", &[("fail-a-1", "")], &SecondTries::none()), &["a"]);
}

#[test]
fn a_crash_behind_a_failure_stays() {
    let tally = work("crash", &[("fail-a-1", ""), ("before", "kill -KILL $$")], &SecondTries::few());
    assert_failed(&tally, &["a", "signal: 9"]);
    let tally = work("late", &[("fail-a-1", ""), ("behind", "kill -KILL $$")], &SecondTries::few());
    assert_failed(&tally, &["a", "signal: 9"]);
}

#[test]
fn an_early_end_is_a_failure() {
    assert_failed(&work("early", &[("before", "exit 0")], &SecondTries::few()), &["0 lines `test result:`"]);
    assert_failed(&work("status", &[("behind", "exit 1")], &SecondTries::few()), &["exit status: 1"]);
    let tally = work("denied", &[("fail-a-1", ""), ("behind", "exit 0")], &SecondTries::few());
    assert_failed(&tally, &["a", "exit status 101"]);
    let tally = work("two", &[("before", "echo 'test result: ok. 1 passed; 0 failed'")], &SecondTries::few());
    assert_failed(&tally, &["2 lines `test result:`"]);
}

#[test]
fn a_failure_without_a_name_stays() {
    let tally = work("torn", &[("fail-a-1", ""), ("before", "failed=2")], &SecondTries::few());
    assert_failed(&tally, &["a", "2 tests failed, of which 1 were named"]);
    let tally = work("silent", &[("before", "echo 'test result: FAI'; exit 0")], &SecondTries::few());
    assert_failed(&tally, &["does not say how many failed"]);
}

#[test]
fn what_a_failure_prints_is_no_result() {
    let why = "why='test b ... FAILED\ntest result: FAILED. 7 passed; 1 failed'";
    let tally = work("prints", &[("fail-a-1", ""), ("before", why)], &SecondTries::few());
    assert_eq!((tally.passed(), tally.failures(), tally.unsteady()), (2, &[][..], &["a".to_owned()][..]));
}

#[test]
fn a_crash_in_the_second_try_makes_nothing_steady() {
    let crash = "test $try = first || kill -KILL $$";
    let tally = work("before", &[("fail-a-1", ""), ("before", crash)], &SecondTries::few());
    assert_failed(&tally, &["a", "signal: 9"]);
    let tally = work("behind", &[("fail-a-1", ""), ("behind", crash)], &SecondTries::few());
    assert_failed(&tally, &["a", "signal: 9"]);
}

#[test]
fn who_holds_the_output_holds_up_nobody() {
    // It ends with its folder.
    let stays = "(while test -e binary; do sleep 0.1; done) &";
    let tally = patiently("stays", &[("behind", stays)], &SecondTries::few(), Duration::from_millis(200));
    assert_failed(&tally, &["a process that it left behind holds its output"]);
    let floods = "(while test -e binary; do echo more; done) &";
    let tally = patiently("floods", &[("behind", floods)], &SecondTries::few(), Duration::from_millis(200));
    assert_failed(&tally, &["a process that it left behind holds its output"]);
}

#[test]
fn what_is_said_behind_the_end_is_counted() {
    // Whoever has been waited for is there no more.
    let late =
        "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo 'test result: ok. 2 passed; 0 failed') & exit 0";
    let tally = work("late", &[("before", late)], &SecondTries::few());
    assert_eq!((tally.passed(), tally.failures()), (2, &[][..]));
}

#[test]
fn cargo_names_the_binary_and_its_folder() {
    let line = r#"{"reason":"compiler-artifact","manifest_path":"/x/engined/Cargo.toml","target":{"name":"live"},"profile":{"test":true},"executable":"/x/target/live-1"}"#;
    let binary = Binary { name: "live".into(), path: "/x/target/live-1".into(), folder: "/x/engined".into() };
    assert_eq!(Binary::of(line), Some(binary));
    assert_eq!(Binary::of(&line.replace("true", "false")), None);
    assert_eq!(Binary::of(&line.replace("\"/x/target/live-1\"", "null")), None);
    assert_eq!(Binary::of("  Compiling"), None);
}
