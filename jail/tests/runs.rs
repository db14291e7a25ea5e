//! Programs in real sandboxes: what they see, what they use, how they end.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use common::{Jaild, Wish, can_run, descendants, field, limits, until};
use jail::records::collection::{Collection, Most};
use jail::records::{RecordReader, empty_memfd, seal};
use jail::spec::{Bytes, Collected, Layers, Limits, Millis, Outcome, StopReason};
use std::io::Write;
use std::os::fd::AsFd;

#[test]
fn hello() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    assert_eq!(link.welcome.wanted, Layers::all());
    assert_eq!(link.welcome.obtained, Layers::all());
    let done = link.python("import sys; print('hello', sys.stdin.read()); sys.exit(3)");
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("hello \n", ""));
    assert_eq!(done.ended.outcome, Outcome::Exited(3));
    let usage = done.ended.usage;
    assert!(usage.cpu.0 > 1000 && usage.wall.0 > 1000, "{usage:?}");
    assert!((1 << 20..64 << 20).contains(&usage.memory_peak.0), "{usage:?}");
    assert_eq!(done.ended.layers, Layers::all());
}

#[test]
fn c_is_compiled_and_its_artifact_run() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = b"#include <stdio.h>\nint main(int c,char**v){printf(\"%d %s\\n\",c,v[1]);return 7;}".to_vec();
    let done = link.run(Wish {
        profile: "c/gcc/compile",
        argv: vec!["/usr/bin/gcc", "-O2", "-o", "a.out", "main.c"],
        files: vec![("main.c", false, source)],
        collect: vec!["a.out", "absent"],
        ..Wish::default()
    });
    assert_eq!((done.ended.outcome, done.stderr.as_str()), (Outcome::Exited(0), ""));
    assert_eq!(done.ended.collected, Collected::Complete);
    let found = Collection::read(RecordReader::of(&done.collection), &Most { files: 1, bytes: 1 << 20 });
    assert!(found.broken.is_none() && found.files[0].executable && found.files[0].path == b"a.out", "{found:?}");
    assert_eq!(
        (found.skipped[0].path.as_slice(), found.skipped[0].reason.as_str()),
        (b"absent".as_slice(), "not found")
    );
    let mut artifact = std::fs::File::from(empty_memfd().unwrap());
    artifact.write_all(&done.collection).unwrap();
    seal(artifact.as_fd()).unwrap();
    let done = link.run(Wish {
        profile: "c/gcc/run",
        argv: vec!["/box/a.out", "x y"],
        artifact: Some(artifact.into()),
        ..Wish::default()
    });
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(7), "2 x y\n"));
}

#[test]
fn limits_end_a_run() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // Where jaild is held up by a busy machine the program is ended later, but not each time.
    let within_bounds = (0..50).any(|_| {
        let limits = Limits { cpu_time: Millis(300), wall_time: Millis(60_000), ..limits() };
        let done = link.python_with("while True: pass", limits);
        assert_eq!(done.ended.stop, Some(StopReason::CpuTime), "{:?}", done.ended);
        assert!(done.ended.usage.cpu.0 >= 300_000, "{:?}", done.ended.usage);
        done.ended.usage.cpu.0 < 450_000
    });
    assert!(within_bounds, "a limit of 300 ms ends no program before 450 ms");
    let done = link.python_with("import time; time.sleep(60)", Limits { wall_time: Millis(300), ..limits() });
    assert_eq!(done.ended.stop, Some(StopReason::WallTime), "{:?}", done.ended);
    let done = link.python_with("b = bytearray(512 << 20)", Limits { memory: Bytes(64 << 20), ..limits() });
    assert_eq!(done.ended.stop, Some(StopReason::Memory), "{:?}", done.ended);
    assert!(done.ended.usage.oom_kills > 0 && done.ended.usage.memory_peak.0 <= 64 << 20, "{:?}", done.ended.usage);
    let fork = "import os\nfor i in range(99):\n  if os.fork() == 0: os.pause() if hasattr(os, 'pause') else __import__('signal').pause()\n";
    let done = link.python_with(fork, Limits { processes: 10, ..limits() });
    assert!(done.ended.usage.processes_hit && done.stderr.contains("BlockingIOError"), "{:?}", done.stderr);
    assert_eq!(done.ended.usage.processes_peak, 10);
    let full = "open('/tmp/x', 'wb').write(bytes(1 << 22)); open('y', 'wb').write(bytes(1 << 22))";
    let done = link.python_with(full, Limits { disk: Bytes(6 << 20), ..limits() });
    assert!(done.stderr.contains("No space left"), "{}", done.stderr);
    assert!(done.ended.usage.disk_hit);
}

#[test]
fn a_run_can_be_stopped_and_leaves_nothing() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let daemon = "import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0: time.sleep(1000)\n  os._exit(0)\nos.wait()\nprint('done')";
    let done = link.python(daemon);
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(0), "done\n"));
    // Children that end with no signal or another than SIGCHLD, which a plain waitpid(2) does not count, and a sibling.
    let odd = "import ctypes, time\nlibc = ctypes.CDLL(None)\nmade = 0\nfor flags in [0, 10, 0x8000]:\n  \
        pid = libc.syscall(56, flags, 0, 0, 0, 0)\n  \
        if pid == 0: time.sleep(1000)\n  \
        made += pid > 0\nprint(made)";
    let done = link.python(odd);
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(0), "3\n"), "{}", done.stderr);
    until(|| !descendants(jaild.pid()).into_iter().any(|pid| field(pid, "Name").as_deref() == Some("python3")));
    let run = link.begin(Wish { argv: vec!["/usr/bin/sleep", "1000"], ..Wish::default() });
    until(|| descendants(jaild.pid()).into_iter().any(|pid| field(pid, "Name").as_deref() == Some("sleep")));
    link.stop(run.id, StopReason::Cancelled);
    let done = link.finish(run);
    assert_eq!((done.ended.stop, done.ended.outcome), (Some(StopReason::Cancelled), Outcome::Signalled(9)));
}

#[test]
fn a_thousand_runs_in_a_row() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    for number in 0..1000 {
        let done = link.run(Wish::default());
        assert_eq!(done.ended.outcome, Outcome::Exited(0), "run {number}: {:?}", done.ended);
    }
}

#[test]
fn the_covered_proc_stays_covered() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // Below the run's own /proc lies the spawner's, which would show the spawner and every init of the slot.
    let look = "import os\n\
        print(sorted(p for p in os.listdir('/proc') if p.isdigit()))\n\
        print(sum(' /proc ' in line for line in open('/proc/self/mountinfo')))\n\
        for path in ['/proc/1/root/proc', '/proc/1/cwd', '/proc/1/mem', '/proc/1/environ', '/proc/1/fd']:\n  \
          try: os.listdir(path) if 'fd' in path or 'root' in path or 'cwd' in path else open(path).read(1); print('ESCAPED', path)\n  \
          except OSError as e: pass\n";
    let done = link.python(look);
    assert_eq!(done.stdout, "['1', '2']\n2\n", "{}", done.stderr);
    let done = link.python("print(open('/proc/1/cmdline').read().split(chr(0))[:2])");
    assert_eq!(done.stdout, "['jaild', '--spawner']\n", "init tells nothing of the host");
    let uncover = "import ctypes\nprint(ctypes.CDLL(None).umount2(b'/proc', 2))";
    let done = link.python(uncover);
    assert!(done.ended.filter_killed, "{:?}", done.ended);
    // Even init, who may unmount in its own namespace, could not: mounts that come from outside are locked. What it has
    // mounted itself it could take off, and would then see what it could see before: its own slot, without a program.
}

#[test]
fn a_program_finds_what_programs_expect() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let source = "import os, pwd, socket, tempfile, time\n\
        me = pwd.getpwuid(os.getuid()); assert (me.pw_name, me.pw_dir) == ('sandbox', '/home/sandbox'), me\n\
        assert os.getcwd() == '/box' and os.listdir('.') == ['main.py'], os.listdir('.')\n\
        for folder in ['/box', '/home/sandbox', '/tmp', '/dev/shm']: open(folder + '/x', 'w').write('x')\n\
        for device in ['null', 'zero', 'full', 'random', 'urandom']: open('/dev/' + device, 'rb', 0).read(1)\n\
        open('/dev/null', 'w').write('x'); open('/dev/stdout', 'w').write('out\\n')\n\
        s = socket.create_server(('localhost', 0)); socket.create_connection(s.getsockname()); s.accept()\n\
        assert os.umask(0) == 0o022 and os.getpgrp() == os.getpid() and socket.gethostname() == 'sandbox'\n\
        time.tzset(); assert time.tzname[0] == 'UTC', time.tzname\n\
        import signal; assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL\n\
        assert not signal.pthread_sigmask(signal.SIG_BLOCK, [])\n\
        print('fine')\n";
    let done = link.python(source);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\nfine\n", ""));
}

#[test]
fn one_run_cannot_use_up_what_the_host_counts_for_root() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // inotify instances are counted in every namespace up to the host's; ours gives a run 16.
    let hog = "import ctypes\nlibc = ctypes.CDLL(None)\nprint(sum(libc.inotify_init() >= 0 for _ in range(100)))";
    assert_eq!(link.python(hog).stdout, "16\n");
}
