//! Whether the tiles on the disk are those of the log, found while the log is verified.

use super::{Tiles, WIDTH};
use crate::audit::merkle::Node;
use crate::audit::tile::{Edge, Tile};
use crate::audit::verify::Watch;
use crate::domain::Digest;

/// What was found of the tiles. None of it says anything about the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TileState {
    /// There are none.
    None,
    /// Those that are there are right, and all that the log needs are there but for so many.
    Right {
        /// How many are missing: a bastion writes them within seconds.
        missing: u64,
    },
    /// At least one says something else than the log.
    Wrong {
        /// The first such file, from the log's folder.
        path: String,
    },
}

/// Compares tiles with the log as it is read.
pub(crate) struct TileCheck {
    tiles: Tiles,
    edge: Edge,
    wrong: Option<String>,
    found: u64,
    missing: u64,
}

impl TileCheck {
    pub(crate) fn new(tiles: Tiles) -> Self {
        Self { tiles, edge: Edge::default(), wrong: None, found: 0, missing: 0 }
    }

    fn compare(&mut self, tile: Tile, hashes: &[Digest]) {
        if self.wrong.is_some() {
            return;
        }
        match self.tiles.file(tile) {
            Ok(None) if !self.tiles.dir.join(tile.path()).exists() => self.missing += 1,
            Ok(Some(found)) if found == hashes => self.found += 1,
            _ => self.wrong = Some(tile.path()),
        }
    }

    /// The answer, after all of a log of `size` entries was shown.
    pub(crate) fn finish(mut self, size: u64) -> TileState {
        let edge = std::mem::take(&mut self.edge);
        for (tile, hashes) in edge.partial(size) {
            // Wider ones are of a later checkpoint: the log may be growing at this moment.
            for width in self.tiles.partial_widths(tile.level, tile.index).unwrap_or_default() {
                if let Some(hashes) = hashes.get(..width).filter(|_| width < tile.width) {
                    self.compare(Tile { width, ..tile }, hashes);
                }
            }
            let later = self.tiles.read(tile.level, tile.index, tile.width).ok().flatten();
            match later {
                Some(later) if later.len() == WIDTH && later.get(..tile.width) == Some(hashes) => self.found += 1,
                _ => self.compare(tile, hashes),
            }
        }
        match (self.wrong, self.found) {
            (Some(path), _) => TileState::Wrong { path },
            (None, 0) => TileState::None,
            (None, _) => TileState::Right { missing: self.missing },
        }
    }
}

impl Watch for TileCheck {
    fn node(&mut self, node: Node, hash: Digest) {
        if let Some((tile, hashes)) = self.edge.add(node, hash) {
            self.compare(tile, &hashes);
        }
    }
}
