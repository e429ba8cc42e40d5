//! One host at a time on an embedded database.
//!
//! SQLite itself lets many processes in; two hosts on one file would both drive the same work. The lock is the operating system's,
//! on a file beside the database: it ends with the process that holds it, however that process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;

use super::StoreError;

/// Takes the lock of an SQLite address for as long as the file is kept. `who` is what the next one is told.
pub(super) fn hold(url: &str, who: &str) -> Result<Option<File>, StoreError> {
    let Some(path) = lock_path(url) else {
        return Ok(None);
    };
    let failed = |error: io::Error| StoreError::Lock(path.clone(), error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0).map_err(failed)?;
            file.write_all(who.as_bytes()).map_err(failed)?;
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            Err(StoreError::Held(holder.trim().to_owned()))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// `seatwise.db.lock` beside the database; none for one that is not a file.
fn lock_path(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("sqlite:")?;
    let file = rest.split('?').next().unwrap_or(rest);
    let file = file.strip_prefix("//").unwrap_or(file);
    (!file.is_empty() && file != ":memory:").then(|| PathBuf::from(format!("{file}.lock")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_the_second_is_told_who_holds_it_and_gets_it_when_that_one_ends() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("x.db").display());
        let first = hold(&url, "process 1").unwrap();
        assert!(
            matches!(hold(&url, "process 2"), Err(StoreError::Held(who)) if who == "process 1")
        );
        drop(first);
        assert!(hold(&url, "process 2").unwrap().is_some());
    }

    #[test]
    fn only_a_file_is_held() {
        for url in ["sqlite::memory:", "postgres://localhost/x", "sqlite:"] {
            assert!(hold(url, "process 1").unwrap().is_none(), "{url}");
        }
    }
}
