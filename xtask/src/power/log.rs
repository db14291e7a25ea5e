//! What QEMU's `blklogwrites` has written of a disk, and the disk that a power cut leaves.
//!
//! The format is that of Linux' dm-log-writes: blocks of 512 bytes, first a superblock, then for each write or flush a block
//! with four numbers and after it what was written.

use crate::soak::mix::Dice;

/// Of the log and of the disk.
pub const SECTOR: usize = 512;
const FLUSH: u64 = 1;
/// A write that was on the disk when it was answered.
const FUA: u64 = 2;
const DISCARD: u64 = 4;

/// A write or a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    sector: usize,
    flags: u64,
    /// Where in the log what was written is.
    from: usize,
    until: usize,
}

/// Where the power went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// All of the log before it had come to the disk, on its way or for good.
    pub end: u64,
    /// Sectors that were on their way and did not arrive.
    pub dropped: usize,
}

fn entries(log: &[u8]) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut at = SECTOR;
    loop {
        let number = |place: usize| {
            let bytes = log.get(at + place * 8..at + place * 8 + 8)?;
            bytes.try_into().ok().map(u64::from_le_bytes)
        };
        let (Some(sector), Some(sectors), Some(flags)) = (number(0), number(1), number(2)) else { break };
        let (Ok(sector), Ok(sectors)) = (usize::try_from(sector), usize::try_from(sectors)) else { break };
        let from = at + SECTOR;
        let until = if flags & DISCARD == 0 { from.saturating_add(sectors.saturating_mul(SECTOR)) } else { from };
        // Zeros are an entry that was not written any more.
        if (sectors == 0 && flags == 0) || until > log.len() {
            break;
        }
        found.push(Entry { sector, flags, from, until });
        at = until;
    }
    found
}

/// Brings `disk` from what it was when the log began to what it is when the power goes once so much of the log is written:
/// what was flushed is there, and of the rest a random part.
pub fn cut(disk: &mut [u8], log: &[u8], at: u64, dice: &mut Dice) -> Cut {
    let all = entries(log);
    // What was under way when QEMU was ended can have left a gap.
    let end = at.min(all.last().map_or(0, |entry| entry.until as u64));
    let answered = |entry: &Entry| entry.until as u64 <= end;
    // The last may be under way.
    let entries: Vec<Entry> = all.into_iter().take_while(|entry| ((entry.from - SECTOR) as u64) < end).collect();
    let flushed = entries.iter().rposition(|entry| entry.flags & FLUSH != 0 && answered(entry)).unwrap_or(0);
    let mut dropped = 0;
    for (place, entry) in entries.iter().enumerate() {
        let written = &log[entry.from..entry.until];
        let sectors = written.len() / SECTOR;
        let arrived = match dice.below(4) {
            _ if place < flushed || (entry.flags & FUA != 0 && answered(entry)) => sectors,
            0 => usize::try_from(dice.below(sectors as u64 + 1)).unwrap_or(0),
            1 => sectors,
            _ => 0,
        };
        dropped += sectors - arrived;
        let to = entry.sector * SECTOR;
        if let Some(there) = disk.get_mut(to..to + arrived * SECTOR) {
            there.copy_from_slice(&written[..arrived * SECTOR]);
        }
    }
    Cut { end, dropped }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(of: &[(u64, u64, u8)]) -> Vec<u8> {
        let mut log = vec![0; SECTOR];
        for (sector, flags, byte) in of {
            let sectors = u64::from(*flags & FLUSH == 0);
            let mut block = [*sector, sectors, *flags, 0].map(u64::to_le_bytes).concat();
            block.resize(SECTOR, 0);
            log.extend(block);
            log.extend(vec![*byte; usize::try_from(sectors).unwrap() * SECTOR]);
        }
        log
    }

    #[test]
    fn what_was_flushed_is_there_and_the_rest_may_be() {
        let mut all = vec![(0, 0, 1), (1, 0, 2), (0, FLUSH, 0), (0, 0, 3), (2, FUA, 4)];
        let written = log(&all).len() as u64;
        all.extend([(3, 0, 5), (3, FLUSH, 0)]);
        let log = log(&all);
        let mut seen = [false; 2];
        for seed in 0..20 {
            let mut disk = vec![0; 4 * SECTOR];
            let cut = cut(&mut disk, &log, written, &mut Dice::new(seed));
            assert_eq!(cut.end, written);
            assert_eq!((disk[SECTOR], disk[2 * SECTOR], disk[3 * SECTOR]), (2, 4, 0));
            assert!(disk[0] == 1 && cut.dropped == 1 || disk[0] == 3 && cut.dropped == 0, "{cut:?}");
            seen[usize::from(disk[0] == 3)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }

    #[test]
    fn what_is_under_way_may_come_half() {
        let log = log(&[(0, 0, 1), (1, FUA, 2), (0, FLUSH, 0)]);
        for (at, fixed) in [(log.len() as u64, true), (log.len() as u64 - 1, false)] {
            let mut lost = 0;
            for seed in 0..20 {
                let mut disk = vec![0; 2 * SECTOR];
                let cut = cut(&mut disk, &log, at, &mut Dice::new(seed));
                assert_eq!((cut.end, disk[SECTOR]), (at, 2));
                lost += cut.dropped;
            }
            assert_eq!(lost == 0, fixed, "{lost} lost at {at}");
        }
    }

    #[test]
    fn a_log_that_breaks_off_is_read_as_far_as_it_goes() {
        let whole = log(&[(0, 0, 1), (1, 0, 2)]);
        assert_eq!(entries(&whole).len(), 2);
        assert_eq!(entries(&whole[..whole.len() - 1]).len(), 1);
        assert_eq!(entries(&[whole, vec![0; 3 * SECTOR]].concat()).len(), 2);
        assert!(entries(&[]).is_empty());
    }
}
