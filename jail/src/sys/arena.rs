//! Memory for the processes of a sandbox, from a few pages in a row.
//!
//! Init and payload are copies of their spawner, and so is its heap: every piece that glibc takes from its lists there lies
//! on another page, which the kernel has to copy first. That was half of all page faults of a sandbox. Both live for one
//! run and give little back, so they take small pieces one behind the other and free none.
//! Part of `sys` because an allocator is unsafe code.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What all small pieces of one process may come to. Beyond it, and for large pieces, glibc serves.
const BYTES: usize = 256 << 10;
/// As malloc(3) aligns: a buffer of bytes may be taken for one of control messages, which hold numbers.
const ALIGNMENT: usize = 16;
/// Larger pieces are buffers, which are freed again.
const LARGE: usize = 8 << 10;

#[repr(align(4096))]
struct Pages(UnsafeCell<[u8; BYTES]>);

// SAFETY: no reference to the bytes is ever made; each piece is handed out once, by an atomic addition.
unsafe impl Sync for Pages {}

/// Zero pages that nobody has touched take no memory.
static PAGES: Pages = Pages(UnsafeCell::new([0; BYTES]));
static USED: AtomicUsize = AtomicUsize::new(0);
static SHORT_LIVED: AtomicBool = AtomicBool::new(false);

/// From now on this process, and whatever is forked from it, takes small pieces from the arena: it lives for one run.
pub fn live_for_one_run() {
    SHORT_LIVED.store(true, Ordering::Relaxed);
}

/// The allocator of jaild: glibc's, but for the processes of a sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Allocator;

fn first() -> *mut u8 {
    PAGES.0.get().cast()
}

fn is_inside(piece: *mut u8) -> bool {
    (piece as usize).wrapping_sub(first() as usize) < BYTES
}

/// A piece of the arena, if there is still one of this size.
fn take(layout: Layout) -> Option<*mut u8> {
    if !SHORT_LIVED.load(Ordering::Relaxed) || layout.size() > LARGE || layout.align() > 64 {
        return None;
    }
    let alignment = layout.align().max(ALIGNMENT);
    // The pages are aligned to more than any piece is, so what is left of a piece's alignment is that of its offset.
    let step = |used: usize| {
        let begin = used.next_multiple_of(alignment);
        begin.checked_add(layout.size()).filter(|end| *end <= BYTES)
    };
    let used = USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).ok()?;
    // SAFETY: the sum is within the arena, by the line above.
    Some(unsafe { first().add(used.next_multiple_of(alignment)) })
}

// SAFETY: a piece of the arena is as large and as aligned as it was asked for, and handed out once; all others are those
// of the system's allocator, and go back to it alone.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on. Pieces of the arena are new, and so zero.
        take(layout).unwrap_or_else(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if !is_inside(piece) {
            // SAFETY: it is not of the arena, so it is the system's.
            unsafe { System.dealloc(piece, layout) }
        }
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_inside(piece) {
            // SAFETY: it is not of the arena, so it is the system's.
            return unsafe { System.realloc(piece, layout, size) };
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else { return std::ptr::null_mut() };
        // SAFETY: the size is not zero, by the caller's promise.
        let larger = unsafe { self.alloc(wanted) };
        if !larger.is_null() {
            // SAFETY: both are live, as large as said, and not the same.
            unsafe { std::ptr::copy_nonoverlapping(piece, larger, layout.size().min(size)) }
        }
        larger
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_apart_aligned_and_zero_and_the_rest_is_the_systems() {
        // Of this process every allocation goes on as before: the allocator is jaild's alone.
        live_for_one_run();
        let layouts: Vec<Layout> =
            (1..2000_usize).map(|n| Layout::from_size_align(n % 700 + 1, 1 << (n % 7)).unwrap()).collect();
        let mut pieces = Vec::new();
        for layout in &layouts {
            // SAFETY: no size is zero.
            let piece = unsafe { Allocator.alloc_zeroed(*layout) };
            assert!(!piece.is_null() && piece as usize % layout.align().max(ALIGNMENT) == 0);
            // SAFETY: it is as large as it was asked for.
            let bytes = unsafe { std::slice::from_raw_parts_mut(piece, layout.size()) };
            assert!(bytes.iter().all(|byte| *byte == 0), "another piece's");
            bytes.fill(0xee);
            pieces.push(piece);
        }
        assert!(is_inside(pieces[0]) && !is_inside(*pieces.last().unwrap()), "it has an end");
        for (piece, layout) in pieces.into_iter().zip(layouts) {
            // SAFETY: it came from there with this layout.
            unsafe {
                let more = Allocator.realloc(piece, layout, layout.size() + 9000);
                assert!(!is_inside(more) && *more == 0xee && *more.add(layout.size() - 1) == 0xee);
                Allocator.dealloc(more, Layout::from_size_align(layout.size() + 9000, layout.align()).unwrap());
            }
        }
    }
}
