//! What a program tries is counted and told: sockets that are made, calls that end their process, by whichever thread or
//! child, as often as it likes.
#![allow(clippy::unwrap_used, reason = "tests unwrap")]

mod common;

use std::fs;
use std::time::Duration;

use common::{Done, Jaild, Link, Run, Wish, can_run, descendants, field, limits, until};
use jail::spec::{Limits, Millis, Outcome, WatchedCall};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const SIGSYS: Outcome = Outcome::Signalled(31);

const CALL: &str = "import ctypes, os, signal, socket, sys, threading, time\n\
    libc = ctypes.CDLL(None, use_errno=True)\n\
    def ended(call):\n  \
      pid = os.fork()\n  \
      if pid == 0: call(); os._exit(0)\n  \
      return os.waitpid(pid, 0)[1]\n";

fn with_libc(body: &str) -> String {
    format!("{CALL}{body}")
}

/// What was tried, as `call=count` words.
fn tried(done: &Done) -> String {
    let words: Vec<_> = done.ended.attempts.iter().map(|(call, count)| format!("{}={count}", call.name())).collect();
    words.join(" ")
}

fn fatal(done: &Done) -> Option<&'static str> {
    done.ended.attempts.fatal.map(WatchedCall::name)
}

#[test]
fn sockets_are_counted_and_made() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let done = link.python(
        "import socket\n\
         server = socket.create_server(('127.0.0.1', 0))\n\
         with socket.create_connection(server.getsockname()) as s: s.sendall(b'through'); print(server.accept()[0].recv(9))\n\
         socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n\
         socket.socketpair(); socket.socket(socket.AF_UNIX)\n\
         for family, kind, protocol in [(16, 3, 0), (17, 3, 0), (2, 1, 132)]:\n  \
           try: socket.socket(family, kind, protocol); print('made')\n  \
           except OSError as e: assert e.errno == 97, e\n",
    );
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(0), "b'through'\n"), "{}", done.stderr);
    assert_eq!((tried(&done).as_str(), fatal(&done), done.ended.filter_killed), ("socket=3", None, false));
    let done = link.python("print('nothing')");
    assert_eq!(tried(&done), "", "a run begins at nothing");
}

#[test]
fn a_forbidden_call_ends_the_program_and_is_named() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // As a program that the filter itself has killed, whatever it does about signals.
    for (number, name) in [(101, "ptrace"), (165, "mount"), (321, "bpf"), (308, "setns"), (246, "kexec_load")] {
        let done = link.python(&with_libc(&format!(
            "signal.signal(signal.SIGSYS, signal.SIG_IGN)\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n\
             print(libc.syscall({number}, 0, 0, 0, 0, 0, 0), flush=True)"
        )));
        assert_eq!((done.ended.outcome, done.stdout.as_str()), (SIGSYS, ""), "{name}: {:?}", done.ended);
        assert!(done.ended.filter_killed && done.ended.stop.is_none());
        assert_eq!((fatal(&done), tried(&done)), (Some(name), format!("{name}=1")));
    }
    // x32 is the filter's own business: as ever, and nobody is asked.
    let done = link.python(&with_libc("libc.syscall(0x40000000 + 39)"));
    assert_eq!((done.ended.outcome, done.ended.filter_killed, fatal(&done)), (SIGSYS, true, None));
}

#[test]
fn a_thread_takes_its_process_along_and_a_child_only_itself() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let done = link.python(&with_libc(
        "threading.Thread(target=libc.ptrace, args=(0, 0, 0, 0)).start()\ntime.sleep(99)\nprint('alive')",
    ));
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (SIGSYS, ""), "{:?}", done.ended);
    assert_eq!((fatal(&done), tried(&done).as_str()), (Some("ptrace"), "ptrace=1"));
    // The first thread may be gone: its process is the one that a second thread belongs to.
    let done = link.python(&with_libc(
        "def late(): time.sleep(0.2); libc.setns(0, 0)\nthreading.Thread(target=late).start()\nlibc.syscall(60, 0)",
    ));
    assert_eq!((done.ended.outcome, fatal(&done)), (SIGSYS, Some("setns")), "{:?}", done.ended);
    // A child, a grandchild that init has taken in, and a child's thread; the program itself goes on, when the pipe says
    // that the last of them has ended.
    let done = link.python(&with_libc(
        "r, w = os.pipe()\n\
         def thread(): threading.Thread(target=libc.ptrace, args=(0, 0, 0, 0)).start(); time.sleep(99)\n\
         def orphan():\n  \
           if os.fork() == 0: libc.ptrace(0, 0, 0, 0); print('alive')\n\
         print(ended(lambda: libc.umount2(b'/', 0)), ended(thread), ended(orphan))\n\
         os.close(w); os.read(r, 1)\nsys.exit(4)",
    ));
    assert_eq!((done.ended.outcome, done.stdout.as_str()), (Outcome::Exited(4), "9 9 0\n"), "{:?}", done.ended);
    assert_eq!((fatal(&done), tried(&done).as_str()), (None, "ptrace=2 umount2=1"));
    assert!(!done.ended.filter_killed);
}

#[test]
fn many_at_once_are_all_counted() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    let patient = Limits { cpu_time: Millis(60_000), wall_time: Millis(60_000), ..limits() };
    let many = with_libc(
        "def make():\n  for i in range(20): socket.socket().close()\n\
         threads = [threading.Thread(target=make) for i in range(16)]\n\
         [t.start() for t in threads]; [t.join() for t in threads]\n\
         print({ended(lambda: libc.ptrace(0, 0, 0, 0)) for i in range(20)})",
    );
    let done = link.python_with(&many, patient);
    assert_eq!((done.stdout.as_str(), tried(&done).as_str()), ("{9}\n", "socket=320 ptrace=20"), "{:?}", done.ended);
    // Signals that do not kill come and go while a call waits: it is made again then, and may be counted again. (As any
    // call that waits it is not made again for a handler without SA_RESTART, which SECURITY.md says.)
    let interrupted = with_libc(
        "signal.signal(signal.SIGALRM, lambda *_: None); signal.siginterrupt(signal.SIGALRM, False)\n\
         signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\n\
         for i in range(300): socket.socket().close()\nsignal.setitimer(signal.ITIMER_REAL, 0); print('made')",
    );
    let done = link.python_with(&interrupted, patient);
    assert_eq!((done.stdout.as_str(), done.ended.outcome), ("made\n", Outcome::Exited(0)), "{}", done.stderr);
    assert!(done.ended.attempts.of(WatchedCall::SOCKET) >= 300, "{}", tried(&done));
}

#[test]
fn a_flood_costs_the_program_its_time_and_nobody_else_anything() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // Processes and threads together get what one would: 1,000 at once, then one in a millisecond.
    let done = link.python(&with_libc(
        "def flood(until):\n  \
           while time.monotonic() < until: socket.socket().close()\n\
         began = time.monotonic(); until = began + 3\n\
         for i in range(4):\n  \
           if os.fork() == 0:\n    \
             threading.Thread(target=flood, args=(until,)).start(); flood(until); os._exit(0)\n\
         while True:\n  \
           try: os.wait()\n  \
           except ChildProcessError: break\n\
         print(int((time.monotonic() - began) * 1000))",
    ));
    let took: u32 = done.stdout.trim().parse().unwrap_or_else(|_| panic!("{:?} {}", done.ended, done.stderr));
    let sockets = done.ended.attempts.of(WatchedCall::SOCKET);
    assert!((1..=1_000 + took + 100).contains(&sockets), "{sockets} in {took} ms");
    // Who waits for an answer is ended by a limit as anybody else.
    let endless = with_libc(
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nfor i in range(3): os.fork()\nwhile True: socket.socket().close()",
    );
    let done = link.python_with(&endless, Limits { wall_time: Millis(3_000), ..limits() });
    assert!(done.ended.stop.is_some() && done.ended.outcome == Outcome::Signalled(9), "{:?}", done.ended);
    // And a forbidden call in the middle of it still ends whoever makes it.
    let amid = with_libc(
        "if os.fork() == 0:\n  while True: socket.socket().close()\ntime.sleep(0.5)\nlibc.ptrace(0, 0, 0, 0)\nprint('alive')",
    );
    let done = link.python(&amid);
    assert_eq!((done.ended.outcome, fatal(&done), done.stdout.as_str()), (SIGSYS, Some("ptrace"), ""));
}

#[test]
fn the_program_cannot_reach_the_listener() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // Not among its own descriptors, not through init's, and no second one can be made. RECV and SEND of the ioctl on
    // whatever it has say that it has none.
    let done = link.python(&with_libc(
        "print(sorted(os.listdir('/proc/self/fd'))[:3], any('seccomp' in os.readlink('/proc/self/fd/' + n) for n in os.listdir('/proc/self/fd') if os.path.lexists('/proc/self/fd/' + n)))\n\
         try: print(os.listdir('/proc/1/fd'))\n\
         except PermissionError: print('closed')\n\
         print(libc.syscall(438, libc.syscall(434, 1, 0), 5, 0), libc.syscall(317, 1, 8, 0))\n\
         room = ctypes.create_string_buffer(4096)\n\
         print({libc.ioctl(fd, ctypes.c_ulong(request), room) for fd in range(64) for request in (0xc0502100, 0xc0182101)})\n",
    ));
    assert_eq!(done.stdout, "['0', '1', '2'] False\nclosed\n-1 -1\n{-1}\n", "{}", done.stderr);
    assert_eq!(done.ended.outcome, Outcome::Exited(0));
}

/// Begins a program that makes a call once it is told to, and finds it and its init.
fn waiting(jaild: &Jaild, link: &mut Link, call: &str) -> (Run, Pid, Pid) {
    let source = with_libc(&format!(
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\nlibc.prctl(15, b'armed')\n\
         signal.sigwait([signal.SIGUSR1])\n{call}\nprint('went on', flush=True)"
    ));
    let run = link.begin(Wish {
        argv: vec!["/usr/bin/python3", "main.py"],
        files: vec![("main.py", false, source.into_bytes())],
        ..Wish::default()
    });
    let mut found = None;
    until(|| {
        found = descendants(jaild.pid()).into_iter().find(|pid| field(*pid, "Name").as_deref() == Some("armed"));
        found.is_some()
    });
    let init = field(found.unwrap(), "PPid").unwrap().parse().unwrap();
    (run, Pid::from_raw(init), Pid::from_raw(found.unwrap()))
}

/// The system call that a process is in, by its number.
fn in_call(pid: Pid) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
    text.split(' ').next().unwrap().to_owned()
}

#[test]
fn an_init_that_is_stopped_or_dies_lets_nothing_through() {
    if !can_run() {
        return;
    }
    let jaild = Jaild::start(&[]);
    let mut link = jaild.link();
    // A listener that is closed fails the call, and the kernel closes an init's descriptors before it ends the rest of its
    // pid namespace: so a program may see ENOSYS in its last moment, but the call is not made.
    let ptrace = "assert libc.ptrace(0, 0, 0, 0) == -1 and ctypes.get_errno() == 38; sys.exit()";
    for (call, number, goes_on) in [("socket.socket()", "41", true), (ptrace, "101", false)] {
        for dies in [false, true] {
            let (run, init, program) = waiting(&jaild, &mut link, call);
            kill(init, Signal::SIGSTOP).unwrap();
            kill(program, Signal::SIGUSR1).unwrap();
            until(|| in_call(program) == number);
            std::thread::sleep(Duration::from_millis(200));
            assert_eq!(in_call(program), number, "it waits");
            kill(init, if dies { Signal::SIGKILL } else { Signal::SIGCONT }).unwrap();
            let done = link.finish(run);
            match (dies, goes_on) {
                (true, _) => assert!(matches!(done.ended.outcome, Outcome::Failed { .. }), "{:?}", done.ended),
                (false, true) => assert_eq!(done.ended.outcome, Outcome::Exited(0), "{:?}", done.ended),
                (false, false) => assert_eq!((done.ended.outcome, fatal(&done)), (SIGSYS, Some("ptrace"))),
            }
            assert_eq!(done.stdout, if goes_on && !dies { "went on\n" } else { "" }, "{call}, init dies: {dies}");
            assert!(!done.stderr.contains("AssertionError"), "the call was made: {}", done.stderr);
        }
    }
}
