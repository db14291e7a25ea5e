//! What a process leaves out of the copies that it makes of itself.
//!
//! A fork copies every mapping, and the exit of the copy takes each down again: about 2 µs for one, twice for each run.
//! Part of `sys` because unmapping is unsafe code.

use std::io;
use std::path::Path;

/// Libraries of which no child of a spawner ever executes or reads anything: nobody unwinds there (see
/// [`never_unwind`]), and nobody reckons with floating point.
const LEFT_OUT: [&str; 2] = ["libgcc_s.so", "libm.so"];

/// A panic ends this process, and every copy of it, at once.
pub fn never_unwind() {
    std::panic::set_hook(Box::new(|_| super::exit_now(70)));
}

/// Leaves the mappings of [`LEFT_OUT`] out of all children. To be called after [`never_unwind`].
///
/// # Errors
/// When `/proc/self/maps` can't be read, or the kernel refuses.
pub fn copy_less() -> io::Result<()> {
    for line in std::fs::read_to_string("/proc/self/maps")?.lines() {
        if let Some((first, length)) = left_out(line) {
            // SAFETY: this process keeps its mappings. A child lacks them, and nothing in it refers to them: it makes no
            // call into these libraries, and whoever did all the same would end by SIGSEGV.
            let done = unsafe { libc::madvise(first as *mut libc::c_void, length, libc::MADV_DONTFORK) };
            super::check(done.into())?;
        }
    }
    Ok(())
}

/// Where a line of maps, see proc_pid_maps(5), says that one of these libraries is.
fn left_out(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (range, name) = (fields.next()?, Path::new(fields.nth(4)?).file_name()?.to_str()?);
    let (first, end) = range.split_once('-')?;
    let (first, end) = (usize::from_str_radix(first, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    LEFT_OUT.iter().any(|library| name.starts_with(library)).then_some((first, end.checked_sub(first)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_children_do_not_use_are_told_from_others() {
        let line = |name| format!("7f00-8f00 r-xp 00003000 fe:00 326426                     {name}");
        assert_eq!(left_out(&line("/usr/lib/x86_64-linux-gnu/libgcc_s.so.1")), Some((0x7f00, 0x1000)));
        assert_eq!(left_out(&line("/lib/libm.so.6")), Some((0x7f00, 0x1000)));
        for other in ["/usr/lib/libc.so.6", "/usr/lib/libm.so.6/jaild", "[stack]", "", "/usr/lib/libmvec.so.1"] {
            assert_eq!(left_out(&line(other)), None, "{other}");
        }
    }
}
