//! The only home of unsafe code: the system calls that neither std nor nix wraps, and descriptors that come from outside.

use std::convert::Infallible;
use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, connect, recvmsg,
    sendmsg, socket,
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
/// `InvalidData` for more descriptors, or a message longer than `buffer`; whatever came is closed. Else that of
/// `recvmsg`.
pub fn recv_with_descriptors(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    most: usize,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    // Room for as many as the kernel passes at once (253, SCM_MAX_FD): with less, those that do not fit would be
    // dropped with an error that hides the others from us, and they would stay open.
    let mut control = nix::cmsg_space!([RawFd; 253]);
    let mut iov = [io::IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut iov, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for item in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(fds) = item {
            // SAFETY: the kernel has just put these descriptors into our table with this message and nobody else has
            // seen their numbers, so each is open and ours alone.
            descriptors.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if message.flags.intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC) || descriptors.len() > most {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "a message with more bytes or descriptors than allowed",
        ));
    }
    Ok((message.bytes, descriptors))
}

/// Takes over a descriptor that was left open across `execve` under a number that the command line names.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn inherit(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_GETFD reads a flag of the table entry and touches no memory.
    check(unsafe { libc::fcntl(number, libc::F_GETFD) }.into())?;
    // SAFETY: the call above shows that it is open; jaild inherits each number once, at start, before it opens others.
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
/// `ECHILD` when there is no child.
pub fn reap_any(wait: bool) -> io::Result<Option<(i32, i32)>> {
    let mut status = 0;
    // SAFETY: status lives across the call.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, if wait { 0 } else { libc::WNOHANG }) }.into())?;
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

/// Makes the system call `number` with two numbers: for tests that ask a process to break out.
///
/// # Errors
/// That of the call.
#[cfg(feature = "test-hooks")]
pub fn call(number: libc::c_long, first: libc::c_long, second: libc::c_long) -> io::Result<()> {
    // SAFETY: the tests pass numbers that are no addresses, so no memory of ours is named.
    check(unsafe { libc::syscall(number, first, second, 0, 0, 0, 0) }).map(drop)
}

/// Maps a page that could be executed: for tests that ask a process to break out.
///
/// # Errors
/// That of `mmap(2)`.
#[cfg(feature = "test-hooks")]
pub fn map_executable() -> io::Result<()> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps nothing; it is never used.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes a connected TCP socket off its peer and connects it to 127.0.0.1:`port`: for tests that ask a process to break
/// out.
///
/// # Errors
/// That of `connect(2)`.
#[cfg(feature = "test-hooks")]
pub fn redirect(socket: RawFd, port: u16) -> io::Result<()> {
    let [high, low] = port.to_be_bytes();
    let unspecified = [0_u8; 16];
    let loopback = [2, 0, high, low, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0_u8];
    // SAFETY: F_DUPFD_CLOEXEC touches no memory, and fails where the number is of no descriptor.
    let own = check(unsafe { libc::fcntl(socket, libc::F_DUPFD_CLOEXEC, 0) }.into())?;
    // SAFETY: the descriptor was made by the call above, and belongs to nobody else.
    let own = unsafe { OwnedFd::from_raw_fd(i32::try_from(own).map_err(io::Error::other)?) };
    for address in [unspecified, loopback] {
        let (at, length) = (address.as_ptr().cast::<libc::sockaddr>(), 16);
        // SAFETY: `address` lives across the call, is as long as is said, and may be read at any alignment by the kernel.
        let result = check(libc::c_long::from(unsafe { libc::connect(own.as_raw_fd(), at, length) }));
        // It does not wait, and the connection is under way.
        result.map(drop).or_else(|e| if e.raw_os_error() == Some(libc::EINPROGRESS) { Ok(()) } else { Err(e) })?;
    }
    Ok(())
}
