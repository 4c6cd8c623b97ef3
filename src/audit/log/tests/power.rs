//! Power failure at any step, on a disk that may have failed before. The disk is modelled as POSIX promises it and no better:
//! what was written is there after a power failure only if it was synced; what was not may be there in part, in any order; a
//! name is there only if the folder was synced; after a sync that failed the pages are dropped, and the next sync succeeds.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::*;

mod failures;

/// What the disk does at one step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Harm {
    /// It says no, and has done nothing. A sync that fails has dropped what it should have written.
    Nothing,
    /// It has done all of it, or of a write one half, and says no.
    Done,
    /// It is full: half is written.
    Full,
    /// It takes its time.
    Slow,
}

#[derive(Clone, Debug)]
enum Piece {
    /// Written, not synced.
    Dirty(Vec<u8>),
    /// To be read until the power fails, and never on the disk: its sync failed.
    Dropped(Vec<u8>),
}

/// A file: what is on the disk for sure, and what came after that.
#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, usize),
    Unlink(String),
    Rename(String, String, usize),
}

/// A folder: its files, the names that are on the disk for sure, and the changes after that.
#[derive(Clone, Debug, Default)]
struct Model {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    changes: Vec<Change>,
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(name, file) => drop(names.insert(name.clone(), *file)),
        Change::Unlink(name) => drop(names.remove(name)),
        Change::Rename(from, to, file) => {
            names.remove(from);
            names.insert(to.clone(), *file);
        }
    }
}

/// Numbers that are the same in each run.
struct Lot(u64);

impl Lot {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end.max(1)
    }
}

impl Model {
    /// What is in `dir` now, all of it on the disk.
    fn of(dir: &Path) -> Self {
        let mut model = Self::default();
        for file in std::fs::read_dir(dir).unwrap() {
            let file = file.unwrap();
            let durable = std::fs::read(file.path()).unwrap();
            model.names.insert(file.file_name().into_string().unwrap(), model.files.len());
            model.files.push(Content { durable, pieces: Vec::new() });
        }
        model
    }

    fn seen(&self) -> BTreeMap<String, usize> {
        let mut names = self.names.clone();
        self.changes.iter().for_each(|change| apply(&mut names, change));
        names
    }

    fn file(&self, name: &str) -> usize {
        self.seen()[name]
    }

    /// One of the states in which a power failure may leave the disk: names and contents. Every second lot keeps the order of
    /// the names' changes, as file systems with a journal do.
    fn after_power_failure(&self, seed: u64) -> BTreeMap<String, Vec<u8>> {
        let mut lot = Lot(seed);
        let mut names = self.names.clone();
        if seed.is_multiple_of(2) {
            let kept = lot.below(self.changes.len() + 1);
            self.changes[..kept].iter().for_each(|change| apply(&mut names, change));
        } else {
            self.changes.iter().filter(|_| lot.below(2) == 1).for_each(|change| apply(&mut names, change));
        }
        let contents = names.into_iter().map(|(name, file)| (name, self.files[file].after_power_failure(&mut lot)));
        contents.collect()
    }
}

impl Content {
    fn after_power_failure(&self, lot: &mut Lot) -> Vec<u8> {
        let (mut bytes, mut end) = (self.durable.clone(), self.durable.len());
        for piece in &self.pieces {
            let (piece, fate) = match piece {
                Piece::Dirty(piece) => (piece, lot.below(4)),
                Piece::Dropped(piece) => (piece, 0),
            };
            let kept = match fate {
                0 => 0,
                1 => lot.below(piece.len()),
                _ => piece.len(),
            };
            if kept > 0 {
                // What comes after something that was lost has a hole before it.
                bytes.resize(end, 0);
                bytes.extend_from_slice(&piece[..kept]);
            }
            end += piece.len();
        }
        bytes
    }

    fn sync(&mut self) {
        let mut end = self.durable.len();
        for piece in std::mem::take(&mut self.pieces) {
            match piece {
                Piece::Dirty(piece) => {
                    self.durable.resize(end, 0);
                    self.durable.extend_from_slice(&piece);
                    end += piece.len();
                }
                Piece::Dropped(piece) => end += piece.len(),
            }
        }
    }
}

/// What stood at one step.
#[derive(Clone)]
struct Moment {
    step: u64,
    model: Model,
    /// How many decisions had been asked for, and how many of them released.
    asked: usize,
    released: usize,
}

struct Inside {
    model: Model,
    moments: Vec<Moment>,
    step: u64,
    harm: Option<(u64, Harm)>,
    asked: usize,
    released: usize,
}

/// A real folder for the present, and the model for what would be left of it.
#[derive(Clone)]
struct Fragile {
    folder: PathBuf,
    inside: Arc<StdMutex<Inside>>,
}

fn no<T>(harm: Harm) -> io::Result<T> {
    Err(if harm == Harm::Full { io::ErrorKind::StorageFull.into() } else { io::Error::other("injected") })
}

impl Fragile {
    fn new(dir: &Path, harm: Option<(u64, Harm)>) -> Self {
        let inside = Inside { model: Model::of(dir), moments: Vec::new(), step: 0, harm, asked: 0, released: 0 };
        Self { folder: dir.to_owned(), inside: Arc::new(StdMutex::new(inside)) }
    }

    fn inner(&self) -> Folder {
        Folder(self.folder.clone())
    }

    /// Remembers this moment, and gives what is to go wrong now.
    fn begin(&self) -> Option<Harm> {
        let mut inside = self.inside.lock().unwrap();
        let step = inside.step;
        inside.step += 1;
        let (asked, released) = (inside.asked, inside.released);
        let moment = Moment { step, model: inside.model.clone(), asked, released };
        inside.moments.push(moment);
        let harm = inside.harm.filter(|(at, _)| *at == step).map(|(_, harm)| harm);
        if harm == Some(Harm::Slow) {
            drop(inside);
            std::thread::sleep(Duration::from_millis(20));
            return None;
        }
        harm
    }

    fn model(&self, change: impl FnOnce(&mut Model)) {
        change(&mut self.inside.lock().unwrap().model);
    }

    /// A step that is done or not.
    fn step<T>(&self, work: impl FnOnce() -> io::Result<T>, change: impl FnOnce(&mut Model)) -> io::Result<T> {
        let harm = self.begin();
        if matches!(harm, Some(Harm::Nothing | Harm::Full)) {
            return no(Harm::Nothing);
        }
        let done = work()?;
        self.model(change);
        if harm.is_some() { no(Harm::Done) } else { Ok(done) }
    }

    fn handle(&self, handle: Box<dyn Handle>, name: &str) -> Box<dyn Handle> {
        let file = self.inside.lock().unwrap().model.file(name);
        Box::new(FragileHandle { disk: self.clone(), file, handle })
    }
}

impl Disk for Fragile {
    fn create(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        let link = |model: &mut Model| {
            model.changes.push(Change::Link(name.to_owned(), model.files.len()));
            model.files.push(Content::default());
        };
        let handle = self.step(|| self.inner().create(name), link)?;
        Ok(self.handle(handle, name))
    }

    fn append(&self, name: &str) -> io::Result<Box<dyn Handle>> {
        let handle = self.step(|| self.inner().append(name), |_| {})?;
        Ok(self.handle(handle, name))
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let cut = |model: &mut Model| {
            let file = model.file(name);
            model.files[file].sync();
            model.files[file].durable.resize(usize::try_from(length).unwrap(), 0);
        };
        self.step(|| self.inner().truncate(name, length), cut)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let change = |model: &mut Model| {
            let file = model.file(from);
            model.changes.push(Change::Rename(from.to_owned(), to.to_owned(), file));
        };
        self.step(|| self.inner().rename(from, to), change)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.step(|| self.inner().remove(name), |model| model.changes.push(Change::Unlink(name.to_owned())))
    }

    fn sync_names(&self) -> io::Result<()> {
        let keep = |model: &mut Model| {
            model.names = model.seen();
            model.changes.clear();
        };
        self.step(|| Ok(()), keep)
    }
}

struct FragileHandle {
    disk: Fragile,
    file: usize,
    handle: Box<dyn Handle>,
}

impl Handle for FragileHandle {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let harm = self.disk.begin();
        if harm == Some(Harm::Nothing) {
            return no(Harm::Nothing);
        }
        let written = if harm.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        self.handle.write(written)?;
        self.disk.model(|model| model.files[self.file].pieces.push(Piece::Dirty(written.to_vec())));
        harm.map_or(Ok(()), no)
    }

    fn sync(&mut self) -> io::Result<()> {
        let harm = self.disk.begin();
        if let Some(Harm::Nothing | Harm::Full) = harm {
            self.disk.model(|model| {
                for piece in &mut model.files[self.file].pieces {
                    if let Piece::Dirty(bytes) = piece {
                        *piece = Piece::Dropped(std::mem::take(bytes));
                    }
                }
            });
            return no(Harm::Nothing);
        }
        self.disk.model(|model| model.files[self.file].sync());
        if harm.is_some() { no(Harm::Done) } else { Ok(()) }
    }
}
