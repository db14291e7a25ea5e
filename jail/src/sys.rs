//! The only home of unsafe code: the system calls that neither std nor nix wraps, and descriptors that come from outside.

use std::convert::Infallible;
use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, connect, sendmsg, socket,
};

/// Turns the result of a raw system call into a `Result`.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A non-blocking connection to the `SOCK_SEQPACKET` socket at `path`.
pub(crate) fn connect_seqpacket(path: &Path) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(fd)
}

/// Sends `bytes` as one message with `descriptors` beside it.
///
/// # Errors
/// That of `sendmsg`; `EPIPE` never raises a signal.
pub fn send_with_descriptors(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&raw)];
    let control = if raw.is_empty() { &rights[..0] } else { &rights[..] };
    sendmsg::<()>(socket.as_raw_fd(), &[io::IoSlice::new(bytes)], control, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// Receives one message and at most `most` descriptors, close-on-exec. `(0, [])` is the end of the connection.
///
/// # Errors
/// `InvalidData` for more descriptors, or a message longer than `buffer`; `EMFILE` for descriptors for which this process
/// had no room, and `buffer` holds the message then. Whatever came is closed. Else that of `recvmsg`.
pub fn recv_with_descriptors(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    most: usize,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    // Room for as many as the kernel passes at once (253, SCM_MAX_FD). In words, which are aligned as a cmsghdr is.
    let mut control = [0_u64; 130];
    let mut iov = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: msghdr holds integers and pointers, for which all zeroes (null) is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    (message.msg_iov, message.msg_iovlen) = (&raw mut iov, 1);
    (message.msg_control, message.msg_controllen) = (control.as_mut_ptr().cast(), size_of_val(&control));
    // SAFETY: message names buffer, iov and control with their sizes, and all three live across the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    let descriptors = passed(&message);
    if message.msg_flags & libc::MSG_TRUNC != 0 || descriptors.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message with more bytes or descriptors than allowed",
        ));
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::from_raw_os_error(libc::EMFILE));
    }
    Ok((length, descriptors))
}

/// The descriptors that came with a message that `recvmsg` has just filled in, each once. nix gives none of them when the
/// kernel had to leave some out, and those that did come would stay open.
fn passed(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut descriptors = Vec::new();
    // SAFETY: the kernel has laid out msg_controllen bytes at msg_control, which still live.
    let mut item = unsafe { libc::CMSG_FIRSTHDR(message) };
    // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a header that lies whole in the control bytes.
    while let Some(header) = unsafe { item.as_ref() } {
        if (header.cmsg_level, header.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
            // SAFETY: computes a length, touches no memory.
            let empty = unsafe { libc::CMSG_LEN(0) };
            let count =
                header.cmsg_len.saturating_sub(usize::try_from(empty).unwrap_or(usize::MAX)) / size_of::<RawFd>();
            for index in 0..count {
                // SAFETY: the header's length says that so many numbers follow it. The kernel has just put each into our
                // table with this message and nobody else has seen it, so it is open and ours alone.
                descriptors.push(unsafe {
                    OwnedFd::from_raw_fd(libc::CMSG_DATA(item).cast::<RawFd>().add(index).read_unaligned())
                });
            }
        }
        // SAFETY: item is a header of this message.
        item = unsafe { libc::CMSG_NXTHDR(message, item) };
    }
    descriptors
}

/// Takes over a descriptor that was left open across `execve` under a number that the command line names.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn inherit(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD reads a flag of the table entry and touches no memory.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) }.into())?;
    // SAFETY: the call above shows that it is open; both programs inherit each number once, at their start.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    Ok(fd)
}

/// A child made by [`clone_child`].
#[derive(Debug)]
pub struct Child {
    /// Its pid in the caller's pid namespace.
    pub pid: i32,
    /// Readable once it has ended.
    pub pidfd: OwnedFd,
}

/// Forks, with the namespaces of `flags` fresh and, on cgroup v2, straight into `cgroup`; `body` runs in the child.
///
/// This is the only way in which the jail makes processes. The child has a copy of the memory (no `CLONE_VM`), so that
/// nothing it does to its own state, such as becoming undumpable, reaches the parent.
///
/// # Errors
/// That of `clone3(2)`.
pub fn clone_child<F>(flags: u64, cgroup: Option<BorrowedFd<'_>>, body: F) -> io::Result<Child>
where
    F: FnOnce() -> Infallible,
{
    const CLONE_PIDFD: u64 = 0x1000;
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    let mut pidfd: RawFd = -1;
    // SAFETY: clone_args holds integers only, for which all zeroes is a value.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = flags | CLONE_PIDFD | if cgroup.is_some() { CLONE_INTO_CGROUP } else { 0 };
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    args.cgroup = cgroup.map_or(0, |fd| u64::from(fd.as_raw_fd().cast_unsigned()));
    // SAFETY: args lives across the call and its size is given. Without CLONE_VM the child runs on a copy of this very
    // stack; every process of jaild is single-threaded, so no lock can be held by a thread that the child lacks.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<libc::clone_args>()) })?;
    if pid == 0 {
        // A panic must not unwind into the parent's frames: they own descriptors and children that are not ours.
        let _never = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        exit_now(70);
    }
    // SAFETY: the kernel stored a new descriptor, close-on-exec, that nobody else knows.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Child { pid: i32::try_from(pid).map_err(io::Error::other)?, pidfd })
}

/// The first four words of a file, shared with everybody who maps it, for good.
///
/// # Errors
/// That of `open(2)` or `mmap(2)`; `UnexpectedEof` for a file that is shorter.
#[cfg(feature = "test-hooks")]
pub fn shared_words(path: &Path) -> io::Result<&'static [std::sync::atomic::AtomicU32; 4]> {
    const BYTES: usize = size_of::<[u32; 4]>();
    let file = std::fs::File::options().read(true).write(true).open(path)?;
    if file.metadata()?.len() < BYTES as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let (protection, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
    // SAFETY: a null address lets the kernel choose one that nothing else is mapped at.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), BYTES, protection, shared, file.as_raw_fd(), 0) };
    if at == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping begins at a page, so it is aligned; the file has as many bytes, tests never shorten it; it is
    // never unmapped; and whoever shares it reads and writes it as these atomics alone.
    Ok(unsafe { &*at.cast() })
}

/// Ends this process at once: no destructors, no `atexit` handlers, which belong to the parent.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// Sends a signal to the process behind `pidfd`; a pid that was given to another process can't be hit.
///
/// # Errors
/// `ESRCH` when it has ended.
pub fn pidfd_kill(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    // SAFETY: the information pointer may be null, then the kernel fills it as for kill(2).
    check(unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    })?;
    Ok(())
}

/// Closes every descriptor but `keep` and the standard streams. Only for a child that never returns to the frames that
/// own the others.
///
/// # Errors
/// That of `close_range(2)`.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut numbers: Vec<u32> = keep.iter().map(|fd| fd.as_raw_fd().cast_unsigned()).collect();
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers.into_iter().filter(|number| *number >= 3) {
        if number > first {
            close_range(first, number - 1)?;
        }
        first = number + 1;
    }
    close_range(first, u32::MAX)
}

fn close_range(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: closing touches no memory; that no owner of these numbers is used again is the caller's promise above.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) })?;
    Ok(())
}

/// Which attributes `mount_setattr` puts on a mount.
#[derive(Clone, Copy, Debug)]
pub struct MountAttributes(u64);

impl MountAttributes {
    /// Nothing can be written.
    pub const READ_ONLY: Self = MountAttributes(libc::MOUNT_ATTR_RDONLY);
    /// Set-user-ID bits and file capabilities have no effect.
    pub const NO_SUID: Self = MountAttributes(libc::MOUNT_ATTR_NOSUID);
    /// Device nodes have no effect.
    pub const NO_DEV: Self = MountAttributes(libc::MOUNT_ATTR_NODEV);
    /// Nothing can be executed.
    pub const NO_EXEC: Self = MountAttributes(libc::MOUNT_ATTR_NOEXEC);

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        MountAttributes(self.0 | other.0)
    }
}

/// Adds attributes to the mount at `path`, and with `recursive` to all below it.
///
/// # Errors
/// That of `mount_setattr(2)`.
pub fn mount_setattr(path: &CStr, recursive: bool, attributes: MountAttributes) -> io::Result<()> {
    // SAFETY: mount_attr holds integers only, for which all zeroes is a value.
    let mut attr: libc::mount_attr = unsafe { std::mem::zeroed() };
    attr.attr_set = attributes.0;
    let flags = if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: path is terminated, attr lives across the call and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}

/// Brings the loopback interface of this network namespace up, with the address 127.0.0.2/8.
///
/// All of 127.0.0.0/8 is local then, 127.0.0.1 as everywhere; but a connection to 127.0.0.1 comes from 127.0.0.2. With
/// the same address on both sides TCP can connect a socket to itself, whenever the port that the kernel picks for it
/// is the one that it calls (one call in 28,000): to a program that looks for open ports that is an open port.
///
/// # Errors
/// That of `socket(2)` or `ioctl(2)`, see `netdevice(7)`.
pub fn loopback_up() -> io::Result<()> {
    let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: ifreq is plain data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l'.cast_signed();
    request.ifr_name[1] = b'o'.cast_signed();
    request.ifr_ifru.ifru_flags = 1; // IFF_UP
    // SAFETY: the request is a complete ifreq that lives across the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }.into())?;
    request.ifr_ifru.ifru_addr.sa_family = 2; // AF_INET
    // A sockaddr_in: two bytes of port, then the address.
    for (place, byte) in request_address(&mut request).iter_mut().skip(2).zip([127, 0, 0, 2_u8]) {
        *place = byte.cast_signed();
    }
    // SAFETY: as above.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFADDR, &raw const request) }.into())?;
    Ok(())
}

fn request_address(request: &mut libc::ifreq) -> &mut [libc::c_char; 14] {
    // SAFETY: every member of the union is plain data, and the caller has just stored a sockaddr in it.
    unsafe { &mut request.ifr_ifru.ifru_addr.sa_data }
}

/// Leaves whatever session keyring came with the login for a new, empty one.
///
/// # Errors
/// That of `keyctl(2)`, `ENOSYS` where the kernel has no keyrings.
pub fn leave_session_keyring() -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
    // SAFETY: a null name asks for an anonymous keyring; no memory is read.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) })?;
    Ok(())
}

/// Whether the system call `number` with all arguments zero answers `errno`: for proofs from inside the sandbox.
#[must_use]
pub fn answers(number: libc::c_long, errno: i32) -> bool {
    // SAFETY: the calls asked about (see probe.rs) are refused by the filter before the kernel looks at arguments, and
    // with zero arguments they name no memory.
    let result = unsafe { libc::syscall(number, 0, 0, 0, 0, 0, 0) };
    result == -1 && io::Error::last_os_error().raw_os_error() == Some(errno)
}

/// Calls on this descriptor fail with `EAGAIN` where they would wait.
///
/// # Errors
/// That of `fcntl(2)`.
pub fn never_block(fd: BorrowedFd<'_>) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The landlock ABI of the running kernel, see `landlock_create_ruleset(2)`.
///
/// # Errors
/// `ENOSYS` when it is not built in, `EOPNOTSUPP` when it is switched off.
pub fn landlock_abi() -> io::Result<u32> {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    // SAFETY: with this flag the kernel asks for a null pointer and size 0, and reads no memory.
    let abi = check(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    })?;
    u32::try_from(abi).map_err(io::Error::other)
}

/// Reaps one child that has ended: its pid and its status as `waitpid(2)` gives it (`None`: children live, none ended).
///
/// # Errors
/// `ECHILD` when there is no child, whatever signal it was to end with.
pub fn reap_any(wait: bool) -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    let flags = libc::__WALL | if wait { 0 } else { libc::WNOHANG };
    // SAFETY: status lives across the call.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, flags) }.into())?;
    Ok((pid != 0).then_some((i32::try_from(pid).map_err(io::Error::other)?, status)))
}

/// The exit code, or the signal that ended it (real-time signals included).
#[must_use]
pub fn outcome_of(status: i32) -> crate::spec::Outcome {
    if libc::WIFSIGNALED(status) {
        crate::spec::Outcome::Signalled(u8::try_from(libc::WTERMSIG(status)).unwrap_or(u8::MAX))
    } else {
        crate::spec::Outcome::Exited(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    }
}

/// Gives every signal its default action and blocks none: what is ignored or blocked would be so in the program too.
///
/// # Errors
/// That of `sigprocmask(2)`.
pub fn default_signals() -> io::Result<()> {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is no handler of ours, so no code can run in a signal's context. SIGKILL, SIGSTOP and the two
        // that glibc keeps for itself are refused, which is as good.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    Ok(nix::sys::signal::SigSet::all().thread_unblock()?)
}

/// Lets the kernel reap this process's children by itself.
pub fn ignore_children() {
    // SAFETY: SIG_IGN is no handler of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
}

/// The opposite, for a child of such a process.
pub fn heed_children() {
    // SAFETY: SIG_DFL is no handler of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Installs a filter for this thread, with a listener: see `seccomp_unotify(2)`. Close-on-exec.
///
/// # Errors
/// That of `seccomp(2)`: `EBUSY` when a filter below has a listener, `EACCES` without `no_new_privs`.
pub(crate) fn seccomp_listen(program: &[seccompiler::sock_filter]) -> io::Result<OwnedFd> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    let install = |flags: libc::c_ulong| {
        // SAFETY: the kernel copies `len` instructions and writes none of them; the slice lives across the call, and its
        // elements are laid out as struct sock_filter (repr(C), the same four fields).
        check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) })
    };
    let listener = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // Whoever waits for an answer is not disturbed by signals that do not kill; kernels before 5.19 lack that, and there
    // the call is made anew after the signal, through the filter again.
    let number = match install(listener | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        Err(e) if e.raw_os_error() == Some(libc::EINVAL) => install(listener)?,
        other => other?,
    };
    let number = RawFd::try_from(number).map_err(io::Error::other)?;
    // SAFETY: with this flag the result is a new descriptor, which nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// A system call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    /// Names the wait, never used twice by one listener.
    pub id: u64,
    /// The thread, in our pid namespace.
    pub thread: i32,
    /// The call's number.
    pub number: libc::c_long,
}

/// The next call that waits. To be called when the listener is readable; then it does not block.
///
/// # Errors
/// `ENOENT` when whoever waited has died, else that of `ioctl(2)`.
pub(crate) fn seccomp_receive(listener: BorrowedFd<'_>) -> io::Result<Waiting> {
    /// A later kernel may write a longer struct.
    #[repr(C)]
    struct Room {
        notification: libc::seccomp_notif,
        spare: [u64; 64],
    }
    // SAFETY: integers only, for which all zeroes is a value; the kernel asks for zeroes here.
    let mut room: Room = unsafe { std::mem::zeroed() };
    let request = libc::SECCOMP_IOCTL_NOTIF_RECV;
    // SAFETY: room lives across the call and has more space than the struct that the request's number names.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), request, &raw mut room) }.into())?;
    let Room { notification, .. } = room;
    let thread = i32::try_from(notification.pid).map_err(io::Error::other)?;
    Ok(Waiting { id: notification.id, thread, number: notification.data.nr.into() })
}

/// Lets a call that waits be made as it stands, without a look at the filters again. Sound only for a call whose filter
/// has judged all that the kernel will read: arguments in registers, no pointer.
///
/// # Errors
/// `ENOENT` when nobody waits under this id any more, else that of `ioctl(2)`.
pub(crate) fn seccomp_continue(listener: BorrowedFd<'_>, id: u64) -> io::Result<()> {
    let flags = u32::try_from(libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE).map_err(io::Error::other)?;
    let answer = libc::seccomp_notif_resp { id, val: 0, error: 0, flags };
    // SAFETY: answer is a complete seccomp_notif_resp that lives across the call.
    check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) }.into())?;
    Ok(())
}

/// Whether the thread that made this call still waits.
///
/// # Errors
/// That of `ioctl(2)`, but for the one that says no.
pub(crate) fn seccomp_is_waiting(listener: BorrowedFd<'_>, id: u64) -> io::Result<bool> {
    // SAFETY: the kernel reads one u64, which lives across the call.
    match check(unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) }.into())
    {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(e) => Err(e),
    }
}

/// A descriptor of the process with this pid, which must be a process's, not a thread's.
///
/// # Errors
/// That of `pidfd_open(2)`: `ESRCH` when there is none.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: two integers; no memory is touched.
    let number = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    let number = RawFd::try_from(number).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made this descriptor, close-on-exec, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Microseconds of `CLOCK_MONOTONIC`, by a system call: the kernel's own page of code for it would be two page faults for
/// each process of a sandbox, which asks a few times in its life.
#[must_use]
pub fn monotonic_us() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: now lives across the call.
    let done = unsafe { libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut now) };
    check(done).map_or(0, |_| now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() / 1000)
}

pub mod arena;
#[cfg(feature = "test-hooks")]
pub mod attempts;
pub mod capabilities;
pub mod child;
