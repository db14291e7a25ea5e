//! Calls by which tests ask a process to break out. Part of `sys` because they need unsafe code; only under `test-hooks`.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::check;

/// Makes the system call `number` with two numbers.
///
/// # Errors
/// That of the call.
pub fn call(number: libc::c_long, first: libc::c_long, second: libc::c_long) -> io::Result<()> {
    // SAFETY: the tests pass numbers that are no addresses, so no memory of ours is named.
    check(unsafe { libc::syscall(number, first, second, 0, 0, 0, 0) }).map(drop)
}

/// Maps a page that could be executed.
///
/// # Errors
/// That of `mmap(2)`.
pub fn map_executable() -> io::Result<()> {
    let (protection, flags) = (libc::PROT_READ | libc::PROT_EXEC, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
    // SAFETY: an anonymous mapping at an address of the kernel's choice overlaps nothing; it is never used.
    let page = unsafe { libc::mmap(std::ptr::null_mut(), 4096, protection, flags, -1, 0) };
    if page == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Takes a connected TCP socket off its peer and connects it to 127.0.0.1:`port`.
///
/// # Errors
/// That of `connect(2)`.
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
