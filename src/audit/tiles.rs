//! The tiles on the disk: derived from the log, kept up by the bastion, and made anew at any time.
//!
//! Owns the folder `tile` beside the segments. Nothing in it is evidence: whoever uses a tile compares what follows from it
//! with a signed root, and a tile that is missing or wrong costs time and nothing else. So no file here is synced, and no
//! entry ever waits for one.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::tile::{self, Tile, WIDTH};
use crate::domain::Digest;

mod check;
mod keeper;

pub(super) use check::TileCheck;
pub use check::TileState;
pub use keeper::{Keeper, TilesError};

/// The longest file of a tile, in bytes.
const LONGEST: u64 = 8192;

/// The tiles of the log in one folder.
#[derive(Clone, Debug)]
pub(super) struct Tiles {
    dir: PathBuf,
    /// Where a tile is written before it takes its place.
    next: PathBuf,
}

impl Tiles {
    /// The tiles beside the segments in `dir`. Two that write at a time need different names for `next`.
    pub(super) fn of(dir: &Path, next: &str) -> Self {
        Self { dir: dir.to_owned(), next: dir.join("tile").join(next) }
    }

    /// The first hashes of a tile, at least so many; `None` if no file has them.
    pub(super) fn read(&self, level: u8, index: u64, at_least: usize) -> io::Result<Option<Vec<Digest>>> {
        if let Some(hashes) = self.file(Tile { level, index, width: WIDTH })? {
            return Ok(Some(hashes));
        }
        let widths = self.partial_widths(level, index)?;
        let Some(width) = widths.into_iter().filter(|&width| width >= at_least).min() else { return Ok(None) };
        self.file(Tile { level, index, width })
    }

    /// Exactly this tile; `None` if there is no such file, or it is not of that length.
    fn file(&self, tile: Tile) -> io::Result<Option<Vec<Digest>>> {
        let Some(bytes) = read_plain(&self.dir.join(tile.path()))? else { return Ok(None) };
        Ok(tile::parse(&bytes).filter(|hashes| hashes.len() == tile.width))
    }

    /// How wide the partial tiles at this place are.
    fn partial_widths(&self, level: u8, index: u64) -> io::Result<Vec<usize>> {
        let folder = match fs::read_dir(self.partials(level, index)) {
            Ok(folder) => folder,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        // No more than there can be: the folder may be somebody else's work.
        let names = folder.take(2 * WIDTH).filter_map(|file| file.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| name.parse().ok()).filter(|width| (1..WIDTH).contains(width)).collect())
    }

    fn partials(&self, level: u8, index: u64) -> PathBuf {
        let partial = self.dir.join(Tile { level, index, width: 1 }.path());
        partial.parent().map_or_else(|| self.dir.clone(), Path::to_owned)
    }

    /// Puts a tile in its place, whole, and removes the narrower ones before it.
    fn put(&self, tile: Tile, hashes: &[Digest]) -> io::Result<()> {
        let (path, bytes) = (self.dir.join(tile.path()), tile::bytes(hashes));
        if read_plain(&path).ok().flatten().as_ref() != Some(&bytes) {
            let folder = path.parent().unwrap_or(&self.dir);
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).clone();
            options.open(&self.next)?.write_all(&bytes)?;
            fs::rename(&self.next, &path)?;
        }
        for width in self.partial_widths(tile.level, tile.index)?.into_iter().filter(|&width| width != tile.width) {
            fs::remove_file(self.dir.join(Tile { width, ..tile }.path()))?;
        }
        if tile.width == WIDTH && self.partials(tile.level, tile.index).exists() {
            fs::remove_dir_all(self.partials(tile.level, tile.index))?;
        }
        Ok(())
    }
}

/// The start of a plain file, as much as a tile can have and one byte more; `None` if there is none. A pipe of that name
/// would make a reader wait for ever.
fn read_plain(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::symlink_metadata(path) {
        Ok(data) if !data.is_file() => return Err(io::Error::other("it is no plain file")),
        Ok(_) => {}
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
