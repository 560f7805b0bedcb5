//! Nonces without storage (RFC 8555 §6.5).
//!
//! A nonce names the process that issued it and a counter, sealed. That process alone decides, by one bit in a window
//! over its last 2²⁶ nonces. An orderly stop saves the window; after a kill the old nonces are refused, since "exactly
//! once" goes before "never refuse a fresh one". A flood of newNonce moves the window and so shortens a nonce's life,
//! but costs neither memory nor disk (INCIDENTS T33, T34).

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use crate::seal::{Kind, Seal, Sealed};

/// One process's nonces.
pub struct Nonces {
    seal: Seal,
    /// 32 random bits that name this process among its fellows.
    process: u32,
    next: AtomicU64,
    /// Bits of used counters, by counter modulo the window; chunks come into being with their first nonce.
    used: Box<[OnceLock<Chunk>]>,
    /// Set before the window is saved: nothing is used up after that, and nothing new is good.
    closed: AtomicBool,
}

type Chunk = Box<[AtomicU64]>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    #[error("the nonce is not one of this server's")]
    Unknown,
    #[error("the nonce was issued by a process that is gone or does not answer")]
    Elsewhere,
    #[error("the nonce is too old")]
    Expired,
    #[error("the nonce was used before")]
    Used,
}

impl Nonces {
    pub fn new(seal: Seal, process: u32) -> Self {
        let used = (0..CHUNKS).map(|_| OnceLock::new()).collect();
        Self {
            seal,
            process,
            next: AtomicU64::new(1),
            used,
            closed: AtomicBool::new(false),
        }
    }

    /// Takes up where an orderly stop left off. The file is taken away first: what it says is true only once.
    pub fn resume(seal: Seal, fresh_process: u32, file: &Path) -> io::Result<Self> {
        let saved = match fs::read(file) {
            Ok(saved) => saved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::new(seal, fresh_process)),
            Err(error) => return Err(error),
        };
        fs::remove_file(file)?;
        // A power failure must not bring it back.
        sync_folder(file)?;
        Ok(match read_saved(&saved) {
            Some((process, next, chunks)) => {
                let nonces = Self {
                    process,
                    next: AtomicU64::new(next),
                    ..Self::new(seal, process)
                };
                for (index, words) in chunks {
                    let chunk = words.into_iter().map(AtomicU64::new).collect();
                    let _ = nonces.used[index].set(chunk);
                }
                nonces
            }
            // A file cut short by a crash: the old nonces are refused, as after a kill.
            None => Self::new(seal, fresh_process),
        })
    }

    /// Saves the window at an orderly stop and closes it: a request that is still under way finds no good nonce.
    pub fn save(&self, file: &Path) -> io::Result<()> {
        self.closed.store(true, SeqCst);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.process.to_be_bytes());
        bytes.extend_from_slice(&self.next.load(SeqCst).to_be_bytes());
        for (index, chunk) in self.used.iter().enumerate() {
            if let Some(chunk) = chunk.get() {
                bytes.extend_from_slice(&(index as u32).to_be_bytes());
                chunk
                    .iter()
                    .for_each(|word| bytes.extend_from_slice(&word.load(SeqCst).to_be_bytes()));
            }
        }
        let partial: PathBuf = file.with_extension("partial");
        let mut saved = File::create(&partial)?;
        saved.write_all(&bytes)?;
        saved.sync_all()?;
        fs::rename(partial, file)?;
        sync_folder(file)
    }

    pub fn issue(&self) -> String {
        if self.closed.load(SeqCst) {
            // Well formed and never good: the counter begins at 1.
            return self.seal.seal(
                Kind::Nonce,
                Sealed {
                    number: 0,
                    extra: self.process,
                },
            );
        }
        let counter = self.next.fetch_add(1, SeqCst);
        // After the counter has moved on: whoever still looks at the bit's old owner finds it out of the window.
        let (word, bit) = self.place(counter);
        word.fetch_and(!bit, SeqCst);
        self.seal.seal(
            Kind::Nonce,
            Sealed {
                number: counter,
                extra: self.process,
            },
        )
    }

    /// Uses a nonce up. Of any number of calls with the same nonce at most one is `Ok`.
    pub fn take(&self, nonce: &str) -> Result<(), NonceError> {
        let Sealed { number, extra } = self.seal.open(Kind::Nonce, nonce).ok_or(NonceError::Unknown)?;
        if extra != self.process {
            return Err(NonceError::Elsewhere);
        }
        self.check_age(number)?;
        let (word, bit) = self.place(number);
        if word.fetch_or(bit, SeqCst) & bit != 0 {
            return Err(NonceError::Used);
        }
        // The window may have moved over it between the two lines: then the cleared bit was its successor's.
        self.check_age(number)
    }

    /// The process that decides about a nonce, if it was sealed with our key.
    pub fn process_of(&self, nonce: &str) -> Option<u32> {
        self.seal.open(Kind::Nonce, nonce).map(|sealed| sealed.extra)
    }

    pub fn process(&self) -> u32 {
        self.process
    }

    fn check_age(&self, number: u64) -> Result<(), NonceError> {
        if self.closed.load(SeqCst) {
            return Err(NonceError::Elsewhere);
        }
        let next = self.next.load(SeqCst);
        match number {
            0 => Err(NonceError::Unknown),
            _ if number >= next => Err(NonceError::Unknown),
            _ if next - number > WINDOW => Err(NonceError::Expired),
            _ => Ok(()),
        }
    }

    fn place(&self, number: u64) -> (&AtomicU64, u64) {
        let slot = number % WINDOW;
        let chunk = &self.used[(slot / CHUNK_BITS) as usize];
        let words = chunk.get_or_init(|| (0..CHUNK_WORDS).map(|_| AtomicU64::new(0)).collect());
        let within = slot % CHUNK_BITS;
        (&words[(within / 64) as usize], 1 << (within % 64))
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

type SavedChunks = Vec<(usize, Vec<u64>)>;

fn read_saved(bytes: &[u8]) -> Option<(u32, u64, SavedChunks)> {
    let (process, rest) = bytes.split_first_chunk::<4>()?;
    let (next, rest) = rest.split_first_chunk::<8>()?;
    const ENTRY: usize = 4 + CHUNK_WORDS * 8;
    if rest.len() % ENTRY != 0 {
        return None;
    }
    let chunks = rest.chunks_exact(ENTRY).map(|entry| {
        let (index, words) = entry.split_first_chunk::<4>()?;
        let index = u32::from_be_bytes(*index) as usize;
        let words = words
            .chunks_exact(8)
            .filter_map(|word| Some(u64::from_be_bytes(word.try_into().ok()?)));
        (index < CHUNKS).then(|| (index, words.collect()))
    });
    Some((
        u32::from_be_bytes(*process),
        u64::from_be_bytes(*next),
        chunks.collect::<Option<_>>()?,
    ))
}

/// 8 MiB of bits at most: at 1,000 issuances a second and 6 nonces each, three hours.
const WINDOW: u64 = 1 << 26;
const CHUNK_WORDS: usize = 1024;
const CHUNK_BITS: u64 = CHUNK_WORDS as u64 * 64;
const CHUNKS: usize = (WINDOW / CHUNK_BITS) as usize;

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, sync::Arc};

    use super::*;

    fn nonces(process: u32) -> Nonces {
        Nonces::new(Seal::new(&[3; 32]), process)
    }

    // 8555-6.5-2, 8555-6.5-3
    #[test]
    fn a_nonce_is_taken_once_and_an_invented_one_never() {
        let nonces = nonces(1);
        let nonce = nonces.issue();
        assert_eq!(nonces.take(&nonce), Ok(()));
        assert_eq!(nonces.take(&nonce), Err(NonceError::Used));
        assert_eq!(nonces.take("AAAAAAAAAAAAAAAAAAAAAA"), Err(NonceError::Unknown));
        assert_eq!(nonces.take(&self::nonces(2).issue()), Err(NonceError::Elsewhere));
    }

    // 8555-6.5-8, t33
    #[test]
    fn of_64_parallel_replays_one_wins() {
        let nonces = Arc::new(nonces(1));
        for _ in 0..100 {
            let nonce = nonces.issue();
            let threads: Vec<_> = (0..64)
                .map(|_| {
                    let (nonces, nonce) = (Arc::clone(&nonces), nonce.clone());
                    std::thread::spawn(move || nonces.take(&nonce).is_ok())
                })
                .collect();
            let won = threads
                .into_iter()
                .filter(|_| true)
                .map(|t| t.join().unwrap())
                .filter(|won| *won)
                .count();
            assert_eq!(won, 1);
        }
    }

    // 8555-6.5-7
    #[test]
    fn a_hundred_thousand_nonces_are_all_different() {
        let nonces = nonces(1);
        let all: HashSet<_> = (0..100_000).map(|_| nonces.issue()).collect();
        assert_eq!(all.len(), 100_000);
    }

    // t33, t34
    #[test]
    fn t34_a_flood_expires_old_nonces_and_memory_ends_at_the_window() {
        let nonces = nonces(1);
        let old = nonces.issue();
        nonces.take(&old).unwrap();
        nonces.next.store(WINDOW + 1, SeqCst);
        // The successor of the old nonce's bit: good once, and the old one stays refused.
        let successor = nonces.issue();
        assert_eq!(nonces.take(&old), Err(NonceError::Expired));
        assert_eq!(nonces.take(&successor), Ok(()));
        assert_eq!(nonces.take(&successor), Err(NonceError::Used));
        let chunks = |nonces: &Nonces| nonces.used.iter().filter(|chunk| chunk.get().is_some()).count();
        for _ in 0..3 * CHUNK_BITS {
            nonces.next.fetch_add(1, SeqCst);
            nonces.issue();
        }
        assert!(
            chunks(&nonces) <= 8,
            "{} chunks for a flood of six chunks' worth",
            chunks(&nonces)
        );
    }

    #[test]
    fn after_the_window_was_saved_nothing_is_used_up_or_new() {
        let directory = tempfile::tempdir().unwrap();
        let nonces = nonces(1);
        let nonce = nonces.issue();
        nonces.save(&directory.path().join("nonces")).unwrap();
        assert!(nonces.take(&nonce).is_err());
        let late = nonces.issue();
        let after = Nonces::resume(Seal::new(&[3; 32]), 9, &directory.path().join("nonces")).unwrap();
        assert!(after.take(&late).is_err());
        assert_eq!(after.take(&nonce), Ok(()));
    }

    // t33
    #[test]
    fn t33_an_orderly_stop_keeps_nonces_good_and_used_ones_used() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("nonces");
        let before = nonces(1);
        let (used, unused) = (before.issue(), before.issue());
        before.take(&used).unwrap();
        before.save(&file).unwrap();
        let after = Nonces::resume(Seal::new(&[3; 32]), 9, &file).unwrap();
        assert_eq!(after.take(&used), Err(NonceError::Used));
        assert_eq!(after.take(&unused), Ok(()));
        assert!(!file.exists(), "a second process must not believe the same window");
        let killed = Nonces::resume(Seal::new(&[3; 32]), 9, &file).unwrap();
        assert_eq!(killed.take(&after.issue()), Err(NonceError::Elsewhere));
    }
}
