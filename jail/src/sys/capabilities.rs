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

/// What `prctl(2)` is given for an argument that it does not use. It takes words.
const NO: libc::c_ulong = 0;

/// `_LINUX_CAPABILITY_VERSION_3`: two halves.
const VERSION: u32 = 0x2008_0522;

/// This process has these capabilities and no others, and gives none to a program: the ambient and the inheritable set are
/// empty. Bit N stands for capability N.
///
/// # Errors
/// That of `capset(2)`: `EPERM` for one that it does not have.
pub fn hold_only(kept: u64) -> io::Result<()> {
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL as libc::c_ulong;
    // SAFETY: prctl takes numbers here and touches no memory.
    check(unsafe { libc::prctl(libc::PR_CAP_AMBIENT, clear, NO, NO, NO) }.into())?;
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
/// `EPERM` without `CAP_SETPCAP`; `EINVAL` where a filter refuses the call.
pub fn bound_to(kept: u64) -> io::Result<()> {
    drop_others(kept, |number| {
        // SAFETY: as above.
        check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, NO, NO, NO) }.into())?;
        Ok(())
    })
}

/// The first number that the kernel does not know ends the list; there are never more than bits. It says `EINVAL`, as do
/// our own filters for a call that they refuse: so it must have taken one before.
fn drop_others(kept: u64, mut give_up: impl FnMut(libc::c_ulong) -> io::Result<()>) -> io::Result<()> {
    let mut taken = false;
    for number in (0..64).filter(|number| kept & 1 << number == 0) {
        match give_up(number) {
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) && taken => break,
            other => other?,
        }
        taken = true;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that knows so many.
    fn tried(kept: u64, known: libc::c_ulong) -> (Vec<libc::c_ulong>, Option<i32>) {
        let mut tried = Vec::new();
        let result = drop_others(kept, |number| {
            tried.push(number);
            if number < known { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EINVAL)) }
        });
        (tried, result.err().and_then(|e| e.raw_os_error()))
    }

    #[test]
    fn the_bounding_set_ends_where_the_kernels_list_does() {
        assert_eq!(tried(0, 3), (vec![0, 1, 2, 3], None));
        assert_eq!(tried(0b1011, 5), (vec![2, 4, 5], None), "what is kept is not dropped");
        assert_eq!(tried(0, u64::MAX), ((0..64).collect(), None));
    }

    #[test]
    fn a_kernel_that_takes_none_is_no_end_of_the_list() {
        assert_eq!(tried(0, 0), (vec![0], Some(libc::EINVAL)));
        assert_eq!(tried(1, 0), (vec![1], Some(libc::EINVAL)), "also when the first is kept");
    }
}
