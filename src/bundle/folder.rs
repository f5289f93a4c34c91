//! A folder as a bundle: packed into a tar stream on its way to the sealed unpacker, so that it
//! passes the same walls and limits as any archive.
//!
//! Owns: walking a folder in order and writing tar headers. Touches: one directory capability, to
//! read (links are recorded, never followed), and a pipe. Zone: 0; names and content pass through
//! as bytes, nothing is interpreted. The stream of the same content is always the same, times and
//! owners left out, so that its SHA-256 names the content.

use super::index::Skipped;
use crate::report::escape;
use cap_std::fs::{Dir, DirEntry};
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// Deepest folder walked; the unpacker refuses deeper names anyway.
const MAX_DEPTH: usize = 64;
/// Most left-out files listed.
const MAX_LISTED: usize = 10_000;

/// Writes `folder` as a tar stream whose names begin with `top`. Gives back what could not be read.
///
/// # Errors
/// Writing failed, or a file became shorter while it was read.
pub fn pack(folder: &Dir, top: &Path, out: impl Write) -> io::Result<Vec<Skipped>> {
    let mut packer = Packer {
        out: Builder::new(out),
        left_out: Vec::new(),
    };
    packer.folder(folder, top, 0)?;
    packer.out.into_inner()?.flush()?;
    Ok(packer.left_out)
}

struct Packer<W: Write> {
    out: Builder<W>,
    left_out: Vec<Skipped>,
}

impl<W: Write> Packer<W> {
    fn folder(&mut self, dir: &Dir, path: &Path, depth: usize) -> io::Result<()> {
        let mut names: Vec<(OsString, DirEntry)> = match dir.entries() {
            Ok(entries) => entries
                .filter_map(Result::ok)
                .map(|entry| (entry.file_name(), entry))
                .collect(),
            Err(error) => {
                self.leave_out(
                    path,
                    &format!("the folder could not be read: {}", error.kind()),
                );
                return Ok(());
            }
        };
        names.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if !path.as_os_str().is_empty() {
            let mut header = header(EntryType::Directory, 0);
            self.out.append_data(&mut header, path, io::empty())?;
        }
        for (name, entry) in names {
            self.entry(dir, &entry, &path.join(name), depth)?;
        }
        Ok(())
    }

    fn entry(&mut self, dir: &Dir, entry: &DirEntry, path: &Path, depth: usize) -> io::Result<()> {
        let name = entry.file_name();
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                self.leave_out(
                    path,
                    &format!("it could not be looked at: {}", error.kind()),
                );
                return Ok(());
            }
        };
        if kind.is_dir() {
            return match dir.open_dir_nofollow_compat(&name) {
                Ok(_) if depth == MAX_DEPTH => {
                    self.leave_out(path, "it lies too deep");
                    Ok(())
                }
                Ok(inner) => self.folder(&inner, path, depth + 1),
                Err(error) => {
                    self.leave_out(
                        path,
                        &format!("the folder could not be read: {}", error.kind()),
                    );
                    Ok(())
                }
            };
        }
        if kind.is_symlink() {
            return match dir.read_link_contents(&name) {
                Ok(target) => {
                    let mut header = header(EntryType::Symlink, 0);
                    self.out.append_link(&mut header, path, target)
                }
                Err(error) => {
                    self.leave_out(
                        path,
                        &format!("the link could not be read: {}", error.kind()),
                    );
                    Ok(())
                }
            };
        }
        if !kind.is_file() {
            self.leave_out(path, "a device, a pipe or a socket");
            return Ok(());
        }
        let opened = dir
            .open(&name)
            .and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((bytes, file)) => self.file(path, bytes, file),
            Err(error) => {
                self.leave_out(path, &format!("it could not be read: {}", error.kind()));
                Ok(())
            }
        }
    }

    fn file(&mut self, path: &Path, bytes: u64, file: impl Read) -> io::Result<()> {
        let mut content = file.take(bytes);
        let mut header = header(EntryType::Regular, bytes);
        self.out.append_data(&mut header, path, &mut content)?;
        if content.limit() > 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                format!("{} became shorter while it was read", shown(path)),
            ));
        }
        Ok(())
    }

    fn leave_out(&mut self, path: &Path, reason: &str) {
        if self.left_out.len() < MAX_LISTED {
            self.left_out.push(Skipped {
                name: shown(path),
                reason: reason.to_owned(),
            });
        }
    }
}

/// Opens a folder below `dir` without following a link in its last name.
trait NoFollow {
    fn open_dir_nofollow_compat(&self, name: &OsString) -> io::Result<Dir>;
}

impl NoFollow for Dir {
    fn open_dir_nofollow_compat(&self, name: &OsString) -> io::Result<Dir> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::RDONLY | OFlags::CLOEXEC;
        let file = openat(self, name.as_os_str(), flags, Mode::empty())?;
        Ok(Dir::from_std_file(file.into()))
    }
}

fn header(kind: EntryType, bytes: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(bytes);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn shown(path: &Path) -> String {
    let text = String::from_utf8_lossy(path.as_os_str().as_bytes());
    escape::terminal(&text).chars().take(200).collect()
}

/// The name that the files of the folder at `path` get before theirs: its own.
pub fn top(path: &Path) -> PathBuf {
    path.file_name()
        .map_or_else(|| PathBuf::from("bundle"), PathBuf::from)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "makes folders to pack")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn packed(path: &Path) -> (Vec<u8>, Vec<Skipped>) {
        let dir = Dir::open_ambient_dir(path, cap_std::ambient_authority()).unwrap();
        let mut out = Vec::new();
        let left_out = pack(&dir, Path::new("top"), &mut out).unwrap();
        (out, left_out)
    }

    #[test]
    fn a_folder_becomes_the_same_stream_each_time_and_links_are_not_followed() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (dir, order) in [(&a, ["x", "y"]), (&b, ["y", "x"])] {
            fs::create_dir(dir.path().join("sub")).unwrap();
            for name in order {
                fs::write(dir.path().join("sub").join(name), name).unwrap();
            }
            symlink("/etc/passwd", dir.path().join("link")).unwrap();
        }
        let (first, left_out) = packed(a.path());
        assert_eq!(first, packed(b.path()).0);
        assert!(left_out.is_empty());
        let mut archive = tar::Archive::new(&first[..]);
        let seen: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let kind = entry.header().entry_type();
                (
                    entry.path().unwrap().display().to_string(),
                    kind,
                    entry.size(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("top/".into(), EntryType::Directory, 0),
                ("top/link".into(), EntryType::Symlink, 0),
                ("top/sub/".into(), EntryType::Directory, 0),
                ("top/sub/x".into(), EntryType::Regular, 1),
                ("top/sub/y".into(), EntryType::Regular, 1),
            ]
            .map(|(name, kind, size): (String, _, u64)| {
                (name.trim_end_matches('/').to_owned(), kind, size)
            })
        );
    }

    #[test]
    fn what_is_no_file_is_said() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.log"), "line").unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            dir.path().join("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR,
            0,
        )
        .unwrap();
        let (_, left_out) = packed(dir.path());
        assert_eq!(left_out.len(), 1);
        assert_eq!(left_out[0].name, "top/pipe");
        assert!(left_out[0].reason.contains("pipe"));
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_an_error() {
        let mut packer = Packer {
            out: Builder::new(Vec::new()),
            left_out: vec![],
        };
        let error = packer
            .file(Path::new("a.log"), 10, &b"short"[..])
            .unwrap_err();
        assert!(error.to_string().contains("a.log became shorter"));
    }
}
