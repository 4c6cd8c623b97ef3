//! The tree cut into tiles, as C2SP's [tlog-tiles](https://c2sp.org/tlog-tiles) lays it out.
//!
//! Owns where each hash stands and what a tile's file is called. A tile has up to 256 neighbouring hashes of one level; the
//! levels of tiles are eight levels of the tree apart, and what is between them is hashed anew. Refuses to know files.

use super::merkle::{Node, hash_children};
use crate::domain::Digest;

/// Hashes of a full tile.
pub const WIDTH: usize = 256;
/// Levels of the tree from one level of tiles to the next.
pub const HEIGHT: u8 = 8;
/// Bytes of a hash.
const HASH: usize = 32;

/// Which tile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tile {
    /// Its level; at 0 the hashes are leaves.
    pub level: u8,
    /// How many of that level stand before it.
    pub index: u64,
    /// How many hashes it has, 1 to [`WIDTH`].
    pub width: usize,
}

impl Tile {
    /// Its file, from the folder that holds `tile`: `tile/0/x001/x234/067`, with `.p/17` after it if it has only 17 hashes.
    #[must_use]
    pub fn path(&self) -> String {
        let mut number = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let partial = if self.width < WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{}/{number}{partial}", self.level)
    }
}

/// Where the hashes stand that `node` is made of: level of tiles, index of the tile, number of the first hash in it, how
/// many.
#[must_use]
pub fn place_of(node: Node) -> (u8, u64, usize, usize) {
    let below = node.level % HEIGHT;
    let first = node.index << below;
    let at = usize::try_from(first % WIDTH as u64).unwrap_or_default();
    (node.level / HEIGHT, first / WIDTH as u64, at, 1 << below)
}

/// The hash of the subtree above `hashes`, whose number is a power of two.
#[must_use]
pub fn top(hashes: &[Digest]) -> Option<Digest> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks(2).filter_map(|pair| Some(hash_children(pair.first()?, pair.get(1)?))).collect();
    }
    row.pop()
}

/// The hashes in the bytes of a tile's file; `None` if it is none.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Vec<Digest>> {
    let (hashes, rest) = bytes.as_chunks::<HASH>();
    let fits = rest.is_empty() && (1..=WIDTH).contains(&hashes.len());
    fits.then(|| hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect())
}

/// The bytes of a tile's file.
#[must_use]
pub fn bytes(hashes: &[Digest]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// The right edge of the tiles of a tree that grows.
#[derive(Clone, Debug, Default)]
pub struct Edge(Vec<Vec<Digest>>);

impl Edge {
    /// Takes a subtree that was just completed, as [`Tree::push_seen`](super::merkle::Tree::push_seen) shows them; gives the
    /// tile that it fills.
    pub fn add(&mut self, node: Node, hash: Digest) -> Option<(Tile, Vec<Digest>)> {
        if !node.level.is_multiple_of(HEIGHT) {
            return None;
        }
        let level = node.level / HEIGHT;
        let at = usize::from(level);
        if self.0.len() <= at {
            self.0.resize_with(at + 1, Vec::new);
        }
        let row = self.0.get_mut(at)?;
        row.push(hash);
        let full = row.len() == WIDTH;
        full.then(|| (Tile { level, index: node.index / WIDTH as u64, width: WIDTH }, std::mem::take(row)))
    }

    /// The tiles of a tree of `size` leaves that are not full; `size` is what was added.
    pub fn partial(&self, size: u64) -> impl Iterator<Item = (Tile, &[Digest])> {
        (0..).zip(&self.0).filter(|(_, row)| !row.is_empty()).map(move |(level, row)| {
            let hashes = size >> (u32::from(level) * u32::from(HEIGHT));
            (Tile { level, index: hashes / WIDTH as u64, width: row.len() }, row.as_slice())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::audit::merkle::{Tree, hash_leaf};

    #[test]
    fn files_are_called_as_elsewhere() {
        let cases =
            [(0, 0, 256), (0, 67, 1), (1, 999, 255), (2, 1000, 256), (3, 1_234_067, 17), (7, u64::MAX / 256, 256)];
        for (level, index, width) in cases {
            let theirs = tlog_tiles::tile::Tile::new(8, level, index, u32::try_from(width).unwrap(), false).path();
            // The other implementation puts the height into its paths, as the checksum database does.
            assert_eq!(Tile { level, index, width }.path(), theirs.replacen("tile/8/", "tile/", 1));
        }
    }

    #[test]
    fn the_tiles_of_a_tree_hold_every_node_of_it() {
        let (mut tree, mut edge) = (Tree::default(), Edge::default());
        let (mut full, mut nodes) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..70_000_u64 {
            tree.push_seen(hash_leaf(&number.to_be_bytes()), &mut |node, hash| {
                nodes.insert(node, hash);
                full.extend(edge.add(node, hash).map(|(tile, hashes)| ((tile.level, tile.index), hashes)));
            });
        }
        // The example of the specification.
        assert_eq!(full.keys().filter(|(level, _)| *level == 0).count(), 273);
        assert_eq!(full.keys().filter(|(level, _)| *level == 1).count(), 1);
        let partial: Vec<(Tile, &[Digest])> = edge.partial(70_000).collect();
        let paths: Vec<String> = partial.iter().map(|(tile, _)| tile.path()).collect();
        assert_eq!(paths, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
        for (node, hash) in nodes {
            let (level, index, at, count) = place_of(node);
            let in_partial = || partial.iter().find(|(tile, _)| (tile.level, tile.index) == (level, index));
            let hashes = full.get(&(level, index)).map_or_else(|| in_partial().unwrap().1, Vec::as_slice);
            assert_eq!(top(&hashes[at..at + count]), Some(hash), "{node:?}");
        }
    }

    #[test]
    fn bytes_are_a_tile_or_refused() {
        let hashes = vec![Digest::of(b"a"), Digest::of(b"b")];
        assert_eq!(parse(&bytes(&hashes)), Some(hashes));
        for wrong in [0, 1, 31, 33, 32 * 257] {
            assert_eq!(parse(&vec![0; wrong]), None, "{wrong}");
        }
    }
}
