//! Keeps the tiles up with the log: from the file of leaf hashes, or from the log itself when that does not fit.

use std::io;
use std::path::{Path, PathBuf};

use super::Tiles;
use crate::audit::merkle::{Node, Tree};
use crate::audit::note::{Checkpoint, VerifierKey};
use crate::audit::segments::{Leaves, RESERVE};
use crate::audit::tile::Edge;
use crate::audit::verify::{self, Problem, Watch};
use crate::domain::Digest;

/// Why the tiles could not be written. The log is not touched by it.
#[derive(Debug, thiserror::Error)]
pub enum TilesError {
    /// The log is not what its checkpoint says.
    #[error(transparent)]
    Log(#[from] Problem),
    /// The system refused something.
    #[error("a tile cannot be written in {dir}: {source}")]
    Io {
        /// The log's folder.
        dir: String,
        /// What the system says.
        source: io::Error,
    },
}

/// Whoever keeps the tiles of a log. One at a time.
#[derive(Debug)]
pub struct Keeper {
    dir: PathBuf,
    key: VerifierKey,
    written: Written,
    /// The checkpoint that the tiles fit.
    last: Option<Checkpoint>,
}

impl Keeper {
    /// For the log in `dir`, signed by `key`. Nothing is read or written yet.
    #[must_use]
    pub fn new(dir: PathBuf, key: VerifierKey) -> Self {
        let written = Written::new(Tiles::of(&dir, "next"));
        Self { dir, key, written, last: None }
    }

    /// Writes the tiles of what was added since the last time; the first time looks at each tile, and writes those that are
    /// missing or wrong. Blocks; call it where no entry waits. Does nothing while the log's disk is full.
    ///
    /// # Errors
    /// [`TilesError`]. The next call begins from the start.
    pub fn update(&mut self) -> Result<(), TilesError> {
        let checkpoint = verify::checkpoint(&self.dir, &self.key)?;
        // Without its reserve the log has given up its last space for endings: none of that is for tiles.
        if self.last.as_ref() == Some(&checkpoint) || !self.dir.join(RESERVE).exists() {
            return Ok(());
        }
        self.last = None;
        let read = self.follow(&checkpoint);
        let fits = read.is_ok() && self.written.tree.root() == checkpoint.root && self.written.failed.is_none();
        if !fits {
            self.written.restart("next");
            verify::scan(&self.dir, &checkpoint, &mut self.written)?;
        }
        self.finish(checkpoint)
    }

    /// Makes all tiles from the entries themselves, whatever is there, and tells how many entries they cover.
    ///
    /// # Errors
    /// [`TilesError`].
    pub fn rebuild(&mut self) -> Result<u64, TilesError> {
        let checkpoint = verify::checkpoint(&self.dir, &self.key)?;
        let size = checkpoint.size;
        // A bastion may be keeping them at the same time; it writes the same.
        self.written.restart("next-rebuilt");
        verify::scan(&self.dir, &checkpoint, &mut self.written)?;
        self.finish(checkpoint)?;
        Ok(size)
    }

    fn finish(&mut self, checkpoint: Checkpoint) -> Result<(), TilesError> {
        self.written.write_edge();
        match self.written.failed.take() {
            Some(source) => {
                self.written.restart("next");
                Err(TilesError::Io { dir: self.dir.display().to_string(), source })
            }
            None => {
                self.last = Some(checkpoint);
                Ok(())
            }
        }
    }

    /// Reads on in the file of leaf hashes, to what the checkpoint covers.
    fn follow(&mut self, checkpoint: &Checkpoint) -> io::Result<()> {
        let missing = || io::Error::other("the file of leaf hashes is too short");
        let mut leaves = Leaves::open(&self.dir)?.ok_or_else(missing)?;
        if self.written.tree.size() > checkpoint.size {
            return Err(io::Error::other("the log has fewer entries than before"));
        }
        leaves.seek(self.written.tree.size())?;
        while self.written.tree.size() < checkpoint.size {
            let leaf = leaves.next()?.ok_or_else(missing)?;
            self.written.push(leaf);
        }
        Ok(())
    }
}

/// The tiles as far as they are written.
#[derive(Debug)]
struct Written {
    tiles: Tiles,
    tree: Tree,
    edge: Edge,
    failed: Option<io::Error>,
}

impl Written {
    fn new(tiles: Tiles) -> Self {
        Self { tiles, tree: Tree::default(), edge: Edge::default(), failed: None }
    }

    fn restart(&mut self, next: &str) {
        *self = Self::new(Tiles::of(Path::new(&self.tiles.dir), next));
    }

    fn push(&mut self, leaf: Digest) {
        let mut tree = std::mem::take(&mut self.tree);
        tree.push_seen(leaf, &mut |node, hash| self.add(node, hash));
        self.tree = tree;
    }

    fn add(&mut self, node: Node, hash: Digest) {
        if let Some((tile, hashes)) = self.edge.add(node, hash).filter(|_| self.failed.is_none()) {
            self.failed = self.tiles.put(tile, &hashes).err();
        }
    }

    fn write_edge(&mut self) {
        for (tile, hashes) in self.edge.partial(self.tree.size()) {
            if self.failed.is_none() {
                self.failed = self.tiles.put(tile, hashes).err();
            }
        }
    }
}

/// While the log itself is read.
impl Watch for Written {
    fn node(&mut self, node: Node, hash: Digest) {
        if node.level == 0 {
            self.push(hash);
        }
    }
}
