//! Giving capabilities up, in as few calls as the kernel takes: each is a new set of credentials, and every sandbox does it.

use std::io;

use super::check;

/// What `capset(2)` takes of either half of a 64-bit set.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Half {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

/// `_LINUX_CAPABILITY_VERSION_3`: two halves.
const VERSION: u32 = 0x2008_0522;

/// This process has these capabilities and no others, and gives none to a program: the ambient and the inheritable set are
/// empty. Bit N stands for capability N.
///
/// # Errors
/// That of `capset(2)`: `EPERM` for one that it does not have.
pub fn hold_only(kept: u64) -> io::Result<()> {
    // SAFETY: prctl takes numbers here and touches no memory.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) }.into())?;
    let half = |bits: u64| {
        let bits = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
        Half { effective: bits, permitted: bits, inheritable: 0 }
    };
    let header = Header { version: VERSION, pid: 0 };
    let halves = [half(kept), half(kept >> 32)];
    // SAFETY: the header asks for version 3, for which the kernel reads two halves; both live across the call.
    check(unsafe { libc::syscall(libc::SYS_capset, &raw const header, halves.as_ptr()) })?;
    Ok(())
}

/// No program that is executed from here on can gain a capability but these.
///
/// # Errors
/// `EPERM` without `CAP_SETPCAP`.
pub fn bound_to(kept: u64) -> io::Result<()> {
    // The first number that the kernel does not know ends the list; there are never more than bits.
    for number in (0..64).filter(|number| kept & 1 << number == 0) {
        // SAFETY: as above.
        match check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) }.into()) {
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) && number > 0 => break,
            other => other?,
        };
    }
    Ok(())
}
