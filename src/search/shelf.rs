//! One collection's index: opened or begun, moved aside when it is of no use, and seen through snapshots.

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use parking_lot::Mutex;
use tantivy::directory::MmapDirectory;
use tantivy::directory::error::OpenReadError;
use tantivy::index::SegmentComponent;
use tantivy::store::{Compressor, ZstdCompressor};
use tantivy::{Directory, Index, IndexReader, IndexSettings, ReloadPolicy, SegmentMeta};

use super::catalogue::Catalogue;
use super::error::{Fault, LibraryError};
use super::schema::{FORMAT_VERSION, Fields, schema};
use super::snapshot::{Snapshot, damaged};
use super::text;
use super::types::Indexing;
use crate::limits::{STORE_BLOCK_BYTES, STORE_CACHE_BLOCKS, STORE_LEVEL};
use crate::name::CollectionName;

/// Names the format that an index is in.
const VERSION_FILE: &str = "adit-format";
/// When folder and index last agreed, in seconds since 1970.
const AGREED_FILE: &str = "adit-agreed";
const NEVER: i64 = i64::MIN;

/// One collection: its index and the newest view of it.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) name: CollectionName,
    pub(super) root: PathBuf,
    pub(super) dir: PathBuf,
    pub(super) fields: Fields,
    pub(super) index: Index,
    /// The index's folder, for the files that are ours and not tantivy's.
    directory: MmapDirectory,
    reader: Reader,
    newest: ArcSwap<Snapshot>,
    writing: AtomicBool,
    agreed: AtomicI64,
    indexing: Mutex<Option<Indexing>>,
    /// Whether the newest snapshot may be another than what is on disk, after an error.
    is_unsure: AtomicBool,
    /// Whether another has taken its place.
    is_aside: AtomicBool,
    /// Why it was begun anew, until its folder has been read into it.
    begun_anew: Mutex<Option<String>>,
}

struct Reader(IndexReader);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

impl Shelf {
    /// Opens a collection's index in `parent`, or begins one. A damaged one, or one of another version, is moved aside.
    pub(super) fn open(name: CollectionName, root: PathBuf, parent: &Path) -> Result<Shelf, LibraryError> {
        match Shelf::look(&name, &root, parent) {
            Ok(shelf) => Ok(shelf),
            Err(Fault::Other(error)) => Err(error),
            Err(Fault::Damaged(reason)) => Shelf::begin_anew(name, root, parent, &reason),
        }
    }

    /// Moves a collection's index aside and begins another.
    pub(super) fn begin_anew(
        name: CollectionName,
        root: PathBuf,
        parent: &Path,
        reason: &str,
    ) -> Result<Shelf, LibraryError> {
        let dir = parent.join(name.as_str());
        let aside = move_aside(parent, &name).map_err(|source| LibraryError::io(&dir, source))?;
        tracing::warn!(collection = %name, reason, aside = %aside.display(), "index moved aside, building it again");
        let shelf = Shelf::try_open(&name, &root, &dir).map_err(|fault| match fault {
            Fault::Other(error) => error,
            Fault::Damaged(reason) => LibraryError::damaged(&dir, reason),
        })?;
        *shelf.begun_anew.lock() = Some(format!(
            "the index of {name} could not be used ({reason}): it was moved to {} and is being built again",
            aside.display()
        ));
        Ok(shelf)
    }

    /// Opens an index that may be damaged in any way. If the last process that did ended without a word, and before its bytes had been
    /// compared with their checksums, that comes first: what is read out of damaged bytes may be a length without end.
    fn look(name: &CollectionName, root: &Path, parent: &Path) -> Result<Shelf, Fault> {
        let dir = parent.join(name.as_str());
        let marker = marker(parent, name);
        let died = marker.try_exists().unwrap_or(false);
        // Where the disk is full or may not be written, opening goes on without.
        let _ = std::fs::create_dir_all(parent).and_then(|()| std::fs::write(&marker, ""));
        let wrong = if died { check_files(&dir, || ControlFlow::Continue(())).unwrap_or(None) } else { None };
        let opened = match wrong {
            Some(reason) => Err(Fault::Damaged(reason)),
            None => {
                guarded(|| Ok(Shelf::try_open(name, root, &dir))).unwrap_or_else(|error| Err(Fault::of(&dir, error)))
            }
        };
        if died || opened.is_err() {
            let _ = std::fs::remove_file(&marker);
        }
        opened
    }

    fn try_open(name: &CollectionName, root: &Path, dir: &Path) -> Result<Shelf, Fault> {
        let io = |source| Fault::Other(LibraryError::io(dir, source));
        std::fs::create_dir_all(dir).map_err(io)?;
        let begun = dir.join("meta.json").try_exists().map_err(io)?;
        let (schema, fields) = schema();
        let directory = MmapDirectory::open(dir).map_err(|error| Fault::of(dir, error.into()))?;
        let mut index = match begun {
            true => {
                check_version(dir)?;
                let index = Index::open(directory.clone()).map_err(|error| Fault::of(dir, error))?;
                if index.schema() != schema {
                    return Err(Fault::Damaged("its fields are others".to_owned()));
                }
                index
            }
            false => {
                let version = FORMAT_VERSION.to_string();
                directory.atomic_write(VERSION_FILE.as_ref(), version.as_bytes()).map_err(io)?;
                Index::create(directory.clone(), schema, settings()).map_err(|error| Fault::of(dir, error))?
            }
        };
        index.set_tokenizers(text::tokenizers());
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual);
        let reader = reader.doc_store_cache_num_blocks(STORE_CACHE_BLOCKS).try_into();
        let reader: IndexReader = reader.map_err(|error| Fault::of(dir, error))?;
        let snapshot = Snapshot::rebuilt(name, reader.searcher()).map_err(|error| Fault::of(dir, error))?;
        Ok(Shelf {
            name: name.clone(),
            root: root.to_owned(),
            dir: dir.to_owned(),
            fields,
            directory,
            index,
            reader: Reader(reader),
            newest: ArcSwap::from_pointee(snapshot),
            writing: AtomicBool::new(false),
            agreed: AtomicI64::new(read_agreed(dir)),
            indexing: Mutex::default(),
            is_unsure: AtomicBool::new(false),
            is_aside: AtomicBool::new(false),
            begun_anew: Mutex::default(),
        })
    }

    /// What can be seen now.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.newest.load_full()
    }

    /// Makes the names of what was committed durable: tantivy syncs its files, and the folder before but not after it puts a commit
    /// in the place of the one before.
    pub(super) fn sync(&self) -> tantivy::Result<()> {
        Ok(self.directory.sync_directory()?)
    }

    /// Shows what was committed, with the catalogue that belongs to it.
    pub(super) fn publish(&self, catalogue: Arc<Catalogue>) -> tantivy::Result<()> {
        self.reader.0.reload()?;
        let next = self.snapshot().next(&self.name, self.reader.0.searcher(), catalogue)?;
        self.newest.store(Arc::new(next));
        Ok(())
    }

    /// After an error what is on disk may be the last commit or the one that was under way: whoever writes next looks first.
    pub(super) fn doubt(&self) {
        self.is_unsure.store(true, Ordering::Release);
    }

    /// Looks at what is on disk, where that is in doubt.
    pub(super) fn settle(&self) -> tantivy::Result<()> {
        if self.is_unsure.load(Ordering::Acquire) {
            self.reader.0.reload()?;
            self.newest.store(Arc::new(Snapshot::rebuilt(&self.name, self.reader.0.searcher())?));
            self.is_unsure.store(false, Ordering::Release);
        }
        Ok(())
    }

    /// Compares every byte of the last commit with its checksums: what is wrong, if anything is.
    pub(super) fn check(&self, mut between: impl FnMut() -> ControlFlow<()>) -> Result<Option<String>, LibraryError> {
        let mut ended = false;
        let found = check_files(&self.dir, || {
            let go_on = between();
            ended |= go_on.is_break();
            go_on
        });
        if matches!(found, Ok(None)) && !ended {
            self.unmark();
        }
        found.map_err(|error| LibraryError::of(&self.dir, error))
    }

    /// It need not be checked at the next opening: it has been, or the process ends in good order.
    fn unmark(&self) {
        if let Some(parent) = self.dir.parent().filter(|_| !self.is_aside.load(Ordering::Acquire)) {
            let _ = std::fs::remove_file(marker(parent, &self.name));
        }
    }

    /// Another has taken its place.
    pub(super) fn put_aside(&self) {
        self.is_aside.store(true, Ordering::Release);
    }

    /// Why it was begun anew, until its folder has been read into it.
    pub(super) fn begun_anew(&self) -> Option<String> {
        self.begun_anew.lock().clone()
    }

    /// Takes the right to write; false where somebody has it.
    pub(super) fn begin_writing(&self) -> bool {
        !self.writing.swap(true, Ordering::AcqRel)
    }

    /// Gives the right to write back.
    pub(super) fn end_writing(&self) {
        self.writing.store(false, Ordering::Release);
    }

    /// How far reading has come; none where nothing is left to read.
    pub(super) fn indexing(&self) -> Option<Indexing> {
        *self.indexing.lock()
    }

    /// Notes how far reading has come.
    pub(super) fn set_indexing(&self, indexing: Option<Indexing>) {
        *self.indexing.lock() = indexing;
    }

    /// When folder and index last agreed.
    pub(super) fn agreed(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.agreed.load(Ordering::Relaxed)).ok()
    }

    /// Notes that folder and index agreed.
    pub(super) fn set_agreed(&self, at: Timestamp) {
        self.agreed.store(at.as_second(), Ordering::Relaxed);
        *self.begun_anew.lock() = None;
        // A figure to show after a restart: when it cannot be kept, the age is unknown until the next walk.
        let _ = self.directory.atomic_write(AGREED_FILE.as_ref(), at.as_second().to_string().as_bytes());
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        self.unmark();
    }
}

/// The file that is there while an index is open and has not been checked.
fn marker(parent: &Path, name: &CollectionName) -> PathBuf {
    parent.join(format!(".{name}.unchecked"))
}

/// Runs what may meet damaged bytes: tantivy, which believes what it reads, answers some of them with a panic.
pub(super) fn guarded<T>(work: impl FnOnce() -> tantivy::Result<T>) -> tantivy::Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        Err(damaged(&format!("reading it panicked: {words}")))
    })
}

/// Compares the files of an index's last commit with their checksums, on its own, since nothing else of it may be believed. Says what
/// is wrong, if anything is; none too where it was ended between two files.
fn check_files(dir: &Path, mut between: impl FnMut() -> ControlFlow<()>) -> tantivy::Result<Option<String>> {
    guarded(|| {
        let index = Index::open(MmapDirectory::open(dir)?)?;
        for path in committed_files(&index)? {
            if between().is_break() {
                return Ok(None);
            }
            // Read before it is mapped: what the disk does not give back is an error here, and there the end of the process.
            let read = || io::copy(&mut std::fs::File::open(dir.join(&path))?, &mut io::sink());
            let is_whole = match read() {
                Ok(_) => index.directory().validate_checksum(&path),
                Err(error) => Err(OpenReadError::wrap_io_error(error, path.clone())),
            };
            match is_whole {
                Ok(true) => {}
                // Where a merge has taken its place meanwhile, what there is now was written a moment ago.
                _ if !committed_files(&index)?.contains(&path) => continue,
                Ok(false) => return Ok(Some(format!("{} is not what was written", path.display()))),
                Err(error) => return Ok(Some(error.to_string())),
            }
        }
        Ok(None)
    })
}

/// The files that the last commit consists of, besides the one that lists its segments.
fn committed_files(index: &Index) -> tantivy::Result<Vec<PathBuf>> {
    use SegmentComponent::{Delete, FastFields, FieldNorms, Positions, Postings, Store, Terms};
    let files = |segment: SegmentMeta| {
        let all = [Postings, Positions, Terms, FieldNorms, FastFields, Store];
        let kinds = all.into_iter().chain(segment.has_deletes().then_some(Delete));
        kinds.map(|kind| segment.relative_path(kind)).collect::<Vec<_>>()
    };
    Ok(index.load_metas()?.segments.into_iter().flat_map(files).collect())
}

/// Texts are kept in blocks, compressed by zstd: two fifths of their size, where tantivy's lz4 makes three.
fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Zstd(ZstdCompressor { compression_level: Some(STORE_LEVEL) }),
        docstore_blocksize: STORE_BLOCK_BYTES,
        ..IndexSettings::default()
    }
}

fn check_version(dir: &Path) -> Result<(), Fault> {
    match std::fs::read_to_string(dir.join(VERSION_FILE)) {
        Ok(text) if text.trim() == FORMAT_VERSION.to_string() => Ok(()),
        Ok(_) => Err(Fault::Damaged("it is of another version".to_owned())),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            Err(Fault::Damaged("its version is unknown".to_owned()))
        }
        Err(error) => Err(Fault::Other(LibraryError::io(dir, error))),
    }
}

fn read_agreed(dir: &Path) -> i64 {
    let text = std::fs::read_to_string(dir.join(AGREED_FILE)).unwrap_or_default();
    text.trim().parse().unwrap_or(NEVER)
}

/// Renames an index's folder to `NAME.damaged-N`, and removes the one that was moved aside before: at most one is kept.
fn move_aside(parent: &Path, name: &CollectionName) -> io::Result<PathBuf> {
    let prefix = format!("{name}.damaged-");
    let mut last = 0;
    for entry in std::fs::read_dir(parent)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|file| file.strip_prefix(&prefix)?.parse::<u64>().ok());
        if let Some(number) = number {
            std::fs::remove_dir_all(entry.path())?;
            last = last.max(number);
        }
    }
    let aside = parent.join(format!("{prefix}{}", last.saturating_add(1)));
    match std::fs::rename(parent.join(name.as_str()), &aside) {
        // There is nothing left of it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    Ok(aside)
}
