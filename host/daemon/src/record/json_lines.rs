//! Files of JSON values, one a line, that a killed host may have left torn.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// How much is read at once while looking back for the last line end, in bytes.
const BLOCK: u64 = 64 * 1024;

/// A file that grows by whole lines. It has one writer at a time.
#[derive(Debug)]
pub struct JsonLines {
    file: File,
    /// Up to where its lines are whole.
    length: u64,
}

impl JsonLines {
    /// Opens a file for appending, making it if need be, for its owner only. A line
    /// that was only half written is cut off.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
        let length = whole_lines(&mut file)?;
        file.set_len(length)?;
        Ok(Self { file, length })
    }

    /// Appends values, all of them or none.
    pub fn append<T: Serialize>(&mut self, values: &[T]) -> io::Result<()> {
        let mut text = Vec::new();
        for value in values {
            serde_json::to_writer(&mut text, value)?;
            text.push(b'\n');
        }
        if let Err(error) = self.file.write_all(&text) {
            // What a full disk took of it goes again. If that fails, too, the next
            // start cuts it off.
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.length += text.len() as u64;
        Ok(())
    }
}

/// Where the last whole line ends.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        let mut block = Vec::new();
        file.take(end - start).read_to_end(&mut block)?;
        if let Some(last) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// Gives every value of a file to `take`, in order. A missing file is empty; lines
/// that are no such value, as a torn last one, are left out.
pub fn read<T: DeserializeOwned>(path: &Path, mut take: impl FnMut(T)) -> io::Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Ok(value) = serde_json::from_slice(&line) {
            take(value);
        }
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(path: &Path) -> Vec<u32> {
        let mut all = Vec::new();
        read(path, |value| all.push(value)).unwrap();
        all
    }

    #[test]
    fn a_half_written_last_line_is_left_out_and_cut_off_before_the_next() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.jsonl");
        JsonLines::open(&path).unwrap().append(&[1, 2]).unwrap();
        std::fs::write(&path, b"1\n2\n{\"half").unwrap();
        assert_eq!(all(&path), [1, 2]);
        JsonLines::open(&path).unwrap().append(&[3]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
    }

    #[test]
    fn a_torn_line_longer_than_a_block_is_cut_off_whole() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.jsonl");
        let torn = "9".repeat(usize::try_from(BLOCK).unwrap() * 2 + 1);
        std::fs::write(&path, format!("1\n{torn}")).unwrap();
        JsonLines::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
        std::fs::write(&path, torn).unwrap();
        JsonLines::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_missing_file_is_empty() {
        assert_eq!(all(Path::new("/nowhere/at/all")), [] as [u32; 0]);
    }
}
