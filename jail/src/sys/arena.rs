//! Memory for a spawner and the processes of its sandboxes, from a few pages in a row.
//!
//! Init and payload are copies of their spawner, and so is its heap: every piece that glibc takes from its lists there, or
//! gives back to them, lies on another page, which the kernel has to copy first, in spawner and init after each fork too.
//! That was half of all page faults of a sandbox. So all three take small pieces one behind the other. None is used a
//! second time, until every one has been given back: then the arena begins anew. A spawner comes to that after each
//! sandbox; init and payload, which live for one run, need not.
//! Part of `sys` because an allocator is unsafe code.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What all small pieces of one process may come to. Beyond it, and for large pieces, glibc serves.
const BYTES: usize = 256 << 10;
/// As malloc(3) aligns: a buffer of bytes may be taken for one of control messages, which hold numbers.
const ALIGNMENT: usize = 16;
/// Larger pieces are buffers, which are freed again.
const LARGE: usize = 32 << 10;

/// The books are on the first page of what they are about: one page less.
#[repr(C, align(4096))]
struct Arena {
    begun: AtomicBool,
    full: AtomicBool,
    /// How many bytes are taken, and by how many pieces: see [`taken`]. One number, so that both change at once.
    taken: AtomicU64,
    pages: Pages,
}

#[repr(align(64))]
struct Pages(UnsafeCell<[u8; BYTES]>);

// SAFETY: no reference to the bytes is ever made; each piece is handed out by an atomic addition, and not again before it
// was given back.
unsafe impl Sync for Pages {}

/// Zero pages that nobody has touched take no memory.
static ARENA: Arena = Arena {
    begun: AtomicBool::new(false),
    full: AtomicBool::new(false),
    taken: AtomicU64::new(0),
    pages: Pages(UnsafeCell::new([0; BYTES])),
};

/// From now on this process, and whatever is forked from it, takes small pieces from the arena.
pub fn begin() {
    ARENA.begun.store(true, Ordering::Relaxed);
}

/// The allocator of jaild: glibc's, but for the processes of a sandbox.
#[derive(Clone, Copy, Debug)]
pub struct Allocator;

fn first() -> *mut u8 {
    ARENA.pages.0.get().cast()
}

fn is_inside(piece: *mut u8) -> bool {
    (piece as usize).wrapping_sub(first() as usize) < BYTES
}

/// Bytes and pieces out of the number that holds both.
fn taken(both: u64) -> (usize, u64) {
    (usize::try_from(both >> 32).unwrap_or(BYTES), both & u64::from(u32::MAX))
}

fn both(bytes: usize, pieces: u64) -> Option<u64> {
    Some(u64::from(u32::try_from(bytes).ok()?) << 32 | u64::from(u32::try_from(pieces).ok()?))
}

/// A piece of the arena, if there is still one of this size.
fn take(layout: Layout) -> Option<*mut u8> {
    if !ARENA.begun.load(Ordering::Relaxed) || layout.size() > LARGE || layout.align() > 64 {
        return None;
    }
    let alignment = layout.align().max(ALIGNMENT);
    // The pages are aligned as no piece is more, so what is left of a piece's alignment is that of its offset.
    let step = |before: u64| {
        let (bytes, pieces) = taken(before);
        let end = bytes.next_multiple_of(alignment).checked_add(layout.size()).filter(|end| *end <= BYTES)?;
        both(end, pieces + 1)
    };
    let Ok(before) = ARENA.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, step) else {
        ARENA.full.store(true, Ordering::Relaxed);
        return None;
    };
    // SAFETY: the sum is within the arena, by the lines above.
    Some(unsafe { first().add(taken(before).0.next_multiple_of(alignment)) })
}

/// A piece of the arena is given back. With the last of them all of it is free.
fn give_back() {
    let step = |before: u64| match taken(before) {
        (_, 0 | 1) => Some(0),
        (bytes, pieces) => both(bytes, pieces - 1),
    };
    // The step has an answer to every number.
    let (Ok(_) | Err(_)) = ARENA.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
}

// SAFETY: a piece of the arena is as large and as aligned as it was asked for, and belongs to nobody else until it is given
// back; all others are those of the system's allocator, and go back to it alone.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        take(layout).unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(piece) = take(layout) else {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.alloc_zeroed(layout) };
        };
        // SAFETY: it is as large, and the caller's alone.
        unsafe { piece.write_bytes(0, layout.size()) };
        piece
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if is_inside(piece) {
            return give_back();
        }
        // Until the arena is full, a small piece of the system's is of the time before it began. It stays: it is on a page
        // that would have to be copied.
        let early = layout.size() <= LARGE && ARENA.begun.load(Ordering::Relaxed);
        if !early || ARENA.full.load(Ordering::Relaxed) {
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
            // SAFETY: both are live, as large as said, and not the same; the old one is given up by its owner.
            unsafe {
                std::ptr::copy_nonoverlapping(piece, larger, layout.size().min(size));
                self.dealloc(piece, layout);
            }
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
        begin();
        let layouts: Vec<Layout> =
            (1..2000_usize).map(|n| Layout::from_size_align(n % 700 + 1, 1 << (n % 7)).unwrap()).collect();
        let mut began_at = None;
        for round in 0..3 {
            let mut pieces = Vec::new();
            for layout in &layouts {
                // SAFETY: no size is zero.
                let piece = unsafe { Allocator.alloc_zeroed(*layout) };
                assert!(!piece.is_null() && (piece as usize).is_multiple_of(layout.align().max(ALIGNMENT)));
                // SAFETY: it is as large as it was asked for.
                let bytes = unsafe { std::slice::from_raw_parts_mut(piece, layout.size()) };
                assert!(bytes.iter().all(|byte| *byte == 0), "another piece's");
                bytes.fill(0xee);
                pieces.push(piece);
            }
            assert!(is_inside(pieces[0]) && !is_inside(*pieces.last().unwrap()), "it has an end");
            assert_eq!(*began_at.get_or_insert(pieces[0]), pieces[0], "round {round}: all of it was given back");
            for (piece, layout) in pieces.into_iter().zip(&layouts) {
                let larger = Layout::from_size_align(layout.size() + LARGE, layout.align()).unwrap();
                // SAFETY: it came from there with this layout.
                unsafe {
                    let more = Allocator.realloc(piece, *layout, larger.size());
                    assert!(!is_inside(more) && *more == 0xee && *more.add(layout.size() - 1) == 0xee);
                    Allocator.dealloc(more, larger);
                }
            }
        }
    }
}
