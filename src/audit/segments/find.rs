//! Finds the line of one entry without reading the others: the numbers in the lines are in order.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use super::list;
use crate::audit::entry::{self, LONGEST_LINE};

/// From here on lines are read one after the other.
const NEAR: u64 = 16 * 1024;
/// Read at a time; most lines are shorter.
const BLOCK: usize = 4096;

/// The line that says it is entry `number`, without its newline; `None` if it is not where it should be. Whoever asks
/// compares it with the tree: in a log that was changed it may be any line.
pub(in crate::audit) fn find(dir: &Path, number: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(segment) = list(dir)?.into_iter().rev().find(|segment| segment.first <= number) else { return Ok(None) };
    let file = File::open(&segment.path)?;
    // The line begins at `low` or later, and before `high`.
    let (mut low, mut high) = (0, file.metadata()?.len());
    let mut reader = BufReader::with_capacity(BLOCK, file);
    while high - low > NEAR {
        let middle = low + (high - low) / 2;
        reader.seek(SeekFrom::Start(middle))?;
        let skipped = next_line(&mut reader)?.map_or(high, |line| line.len() as u64 + 1);
        let begins = middle + skipped;
        let later = begins >= high
            || match next_line(&mut reader)?.map(|line| entry::stamp(&line)) {
                Some(Ok(stamp)) => stamp.sequence > number,
                Some(Err(_)) => return Ok(None),
                None => true,
            };
        if later {
            high = middle + 1;
        } else {
            low = begins;
        }
    }
    reader.seek(SeekFrom::Start(low))?;
    while let Some(line) = next_line(&mut reader)? {
        match entry::stamp(&line) {
            Ok(stamp) if stamp.sequence == number => return Ok(Some(line)),
            Ok(stamp) if stamp.sequence < number => {}
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// What stands before the next newline; `None` at the end, or if no line is so long.
fn next_line(reader: &mut BufReader<File>) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line)?;
    Ok(line.pop_if(|last| *last == b'\n').map(|_| line))
}
