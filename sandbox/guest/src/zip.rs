//! The zip archive, read from its directory and held against its local headers.
//!
//! A zip says everything twice: in the directory at its end and before each file. Programs differ
//! in which they believe, so what the two say differently, what overlaps, and what a second
//! directory could hide is refused as a whole. Format: PKWARE APPNOTE 6.3.10.

use crate::abi::{Kind, Skip, Status};
use crate::host;
use crate::input::StreamLimits;
use crate::zipread::{u16_at, u32_at, u64_at, Content, Part, Window};

/// Bytes of content after which a step returns.
const STEP_BYTES: u64 = 4 << 20;
/// Entries after which a step returns.
const STEP_ENTRIES: u32 = 1_000;
/// Bytes of the record at the end, without its comment.
const END_BYTES: usize = 22;
/// Longest target of a symbolic link.
const MAX_TARGET: u64 = 4096;

/// One file of the directory.
struct Entry {
    name: Vec<u8>,
    unix_mode: Option<u16>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    header: u64,
}

/// Reads one zip.
pub struct Archive {
    limits: StreamLimits,
    /// Where the directory begins, and how far it was read.
    directory: u64,
    at: u64,
    end: u64,
    left: u64,
    /// Where local headers begin, in order: what a file may not reach into.
    starts: Vec<u64>,
    content: Option<Content>,
    total: u64,
}

impl Archive {
    /// Finds the directory of the input, which is a zip by its first bytes.
    ///
    /// # Errors
    /// No directory, one that contradicts itself, or an input that cannot be read from its end.
    pub fn open(limits: StreamLimits) -> Result<Self, Status> {
        let length = host::input_length().ok_or(Status::NeedsFile)?;
        let (end_at, end) = find_end(length)?;
        let mut fields = (
            u64::from(u16_at(&end, 10)),
            u64::from(u32_at(&end, 12)),
            u64::from(u32_at(&end, 16)),
        );
        let here = u64::from(u16_at(&end, 8));
        let disks = [u16_at(&end, 4), u16_at(&end, 6)];
        let mut directory_end = end_at;
        if let Some(at) = end_at.checked_sub(20) {
            let mut locator = Part::read(at, 20)?;
            if locator.take(4)? == b"PK\x06\x07" {
                locator.take(4)?;
                let record_at = locator.u64()?;
                if locator.u32()? > 1 {
                    return Err(Status::ZipForm);
                }
                let record = Part::read(record_at, 56)?.rest().to_vec();
                let size = u64_at(&record, 4);
                if &record[..4] != b"PK\x06\x06"
                    || record_at
                        .checked_add(size)
                        .and_then(|end| end.checked_add(12))
                        != Some(at)
                {
                    return Err(Status::Ambiguous);
                }
                let wide = (
                    u64_at(&record, 32),
                    u64_at(&record, 40),
                    u64_at(&record, 48),
                );
                // Where the short field holds a number at all, it must be the same one.
                let agree = |short: u64, none: u64, wide: u64| short == none || short == wide;
                if !(agree(fields.0, 0xffff, wide.0)
                    && agree(fields.1, 0xffff_ffff, wide.1)
                    && agree(fields.2, 0xffff_ffff, wide.2))
                {
                    return Err(Status::Ambiguous);
                }
                fields = wide;
                directory_end = record_at;
            } else if disks != [0, 0] || here != fields.0 {
                return Err(Status::ZipForm);
            }
        }
        let (count, size, directory) = fields;
        // Anything between or before would be seen by some programs and not by others.
        if directory.checked_add(size) != Some(directory_end) || count > size / 46 {
            return Err(Status::Ambiguous);
        }
        let mut archive = Self {
            limits,
            directory,
            at: directory,
            end: directory_end,
            left: count,
            starts: Vec::new(),
            content: None,
            total: 0,
        };
        archive.collect_starts()?;
        Ok(archive)
    }

    /// Bytes of content read so far.
    pub fn position(&self) -> u64 {
        self.total
    }

    /// Works until [`STEP_BYTES`] or [`STEP_ENTRIES`] are used up, or the archive is.
    ///
    /// # Errors
    /// Why the archive is refused as a whole.
    pub fn step(&mut self) -> Result<Status, Status> {
        let until = self.total.saturating_add(STEP_BYTES);
        let mut entries = 0;
        while self.total < until && entries < STEP_ENTRIES {
            match self.content.take() {
                Some(content) => self.content(content)?,
                None if self.left == 0 => return Ok(Status::Done),
                None => {
                    entries += 1;
                    let entry = self.next_entry()?;
                    self.entry(&entry)?;
                }
            }
        }
        Ok(Status::More)
    }

    /// First walk through the directory: its form, and where every file begins.
    fn collect_starts(&mut self) -> Result<(), Status> {
        let count = self.left;
        for _ in 0..count {
            let header = self.next_entry()?.header;
            if header >= self.directory {
                return Err(Status::Ambiguous);
            }
            self.starts.push(header);
        }
        if self.at != self.end {
            return Err(Status::Ambiguous);
        }
        self.starts.sort_unstable();
        // A program that reads from the front would see a file that the directory does not name.
        if self.starts.first().is_some_and(|first| *first != 0) {
            return Err(Status::Ambiguous);
        }
        if self.starts.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Status::Ambiguous);
        }
        (self.at, self.left) = (self.directory, count);
        Ok(())
    }

    fn next_entry(&mut self) -> Result<Entry, Status> {
        let mut fixed = Part::read(self.at, 46)?;
        if fixed.take(4)? != b"PK\x01\x02" {
            return Err(Status::Ambiguous);
        }
        let made_by = fixed.u16()?;
        fixed.take(2)?;
        let flags = fixed.u16()?;
        let method = fixed.u16()?;
        fixed.take(4)?;
        let crc = fixed.u32()?;
        let mut packed = u64::from(fixed.u32()?);
        let mut size = u64::from(fixed.u32()?);
        let (names, extras, comments) = (fixed.u16()?, fixed.u16()?, fixed.u16()?);
        let disk = fixed.u16()?;
        fixed.take(2)?;
        let attributes = fixed.u32()?;
        let mut header = u64::from(fixed.u32()?);
        let tail = u64::from(names) + u64::from(extras) + u64::from(comments);
        let next = self.at + 46 + tail;
        if next > self.end {
            return Err(Status::Ambiguous);
        }
        let mut rest = Part::read(self.at + 46, usize::from(names) + usize::from(extras))?;
        let name = rest.take(usize::from(names))?.to_vec();
        let extra = rest.rest();
        wide_fields(extra, &mut [&mut size, &mut packed, &mut header])?;
        if other_name(extra, &name)? || (disk != 0 && disk != 0xffff) {
            return Err(Status::Ambiguous);
        }
        if flags & 0x2000 != 0 {
            return Err(Status::ZipForm);
        }
        self.at = next;
        self.left -= 1;
        // 3 is Unix, 19 is macOS: there the upper half holds the mode.
        let unix_mode = matches!(made_by >> 8, 3 | 19).then_some((attributes >> 16) as u16);
        Ok(Entry {
            name,
            unix_mode,
            flags,
            method,
            crc,
            packed,
            size,
            header,
        })
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Status> {
        let data = self.local(entry)?;
        let skip = |reason| {
            host::skip_entry(reason, &entry.name);
            Ok(())
        };
        if entry.flags & 0x41 != 0 {
            return skip(Skip::Encrypted);
        }
        let kind = entry.unix_mode.map_or(0, |mode| mode & 0o170_000);
        if entry.name.ends_with(b"/") {
            if entry.size > 0 {
                return skip(Skip::FileNamedAsFolder);
            }
            host::begin_entry(Kind::Folder, &entry.name, &[], 0);
            return Ok(());
        }
        match kind {
            0o120_000 if entry.size > MAX_TARGET => return skip(Skip::Unsupported),
            0o010_000 | 0o140_000 => return skip(Skip::Pipe),
            0o020_000 | 0o060_000 => return skip(Skip::Device),
            _ => {}
        }
        let Some(mut content) = Content::open(
            Window::new(data, entry.packed),
            entry.method,
            entry.size,
            entry.crc,
        ) else {
            return skip(Skip::Method);
        };
        if kind == 0o120_000 {
            let mut target = Vec::new();
            while let Some(part) = content.next()? {
                target.extend_from_slice(part);
            }
            self.count(entry.size)?;
            host::begin_entry(Kind::Symlink, &entry.name, &target, 0);
            return Ok(());
        }
        content.wanted = host::begin_entry(Kind::File, &entry.name, &[], entry.size);
        if content.wanted {
            self.content = Some(content);
        }
        Ok(())
    }

    /// Holds the local header against the directory; where the content begins.
    fn local(&self, entry: &Entry) -> Result<u64, Status> {
        let mut fixed = Part::read(entry.header, 30)?;
        if fixed.take(4)? != b"PK\x03\x04" {
            return Err(Status::Ambiguous);
        }
        fixed.take(2)?;
        let (flags, method) = (fixed.u16()?, fixed.u16()?);
        fixed.take(4)?;
        let crc = fixed.u32()?;
        let mut packed = u64::from(fixed.u32()?);
        let mut size = u64::from(fixed.u32()?);
        let (names, extras) = (fixed.u16()?, fixed.u16()?);
        let mut rest = Part::read(entry.header + 30, usize::from(names) + usize::from(extras))?;
        let name = rest.take(usize::from(names))?.to_vec();
        let extra = rest.rest();
        let later = flags & 8 != 0;
        wide_fields(extra, &mut [&mut size, &mut packed])?;
        // With bit 3 the local header has no sizes: they follow the content.
        let same = (crc, packed, size) == (entry.crc, entry.packed, entry.size)
            || later
                && (crc == 0 || crc == entry.crc)
                && (size == 0 || size == entry.size)
                && (packed == 0 || packed == entry.packed);
        if name != entry.name
            || method != entry.method
            || (flags ^ entry.flags) & 0x2849 != 0
            || other_name(extra, &name)?
            || !same
        {
            return Err(Status::Ambiguous);
        }
        let data = entry.header + 30 + u64::from(names) + u64::from(extras);
        let ends = data.checked_add(entry.packed).ok_or(Status::Ambiguous)?;
        let after = self.starts.partition_point(|start| *start <= entry.header);
        if ends > self.starts.get(after).copied().unwrap_or(self.directory) {
            return Err(Status::Ambiguous);
        }
        Ok(data)
    }

    fn content(&mut self, mut content: Content) -> Result<(), Status> {
        let Some(part) = content.next()? else {
            host::end_entry();
            return Ok(());
        };
        host::send(part);
        let length = part.len() as u64;
        self.count(length)?;
        self.content = Some(content);
        Ok(())
    }

    fn count(&mut self, bytes: u64) -> Result<(), Status> {
        self.total += bytes;
        // Every packed byte lies before the directory.
        let allowed = self
            .limits
            .ratio_free_bytes
            .saturating_add(self.directory.saturating_mul(self.limits.ratio));
        match () {
            () if self.total > self.limits.bytes => Err(Status::TooManyBytes),
            () if self.total > allowed => Err(Status::Ratio),
            () => Ok(()),
        }
    }
}

/// The record at the end: the one whose comment reaches exactly to the end of the input.
fn find_end(length: u64) -> Result<(u64, Vec<u8>), Status> {
    let from = length.saturating_sub(END_BYTES as u64 + 0xffff);
    let tail = Part::read(from, (length - from) as usize)?.rest().to_vec();
    let mut found = None;
    for at in 0..=tail.len().saturating_sub(END_BYTES) {
        let Some(record) = tail.get(at..at + END_BYTES) else {
            break;
        };
        if record.starts_with(b"PK\x05\x06")
            && at + END_BYTES + usize::from(u16_at(record, 20)) == tail.len()
        {
            // A second one could lie in the comment of the first.
            if found.replace((from + at as u64, record.to_vec())).is_some() {
                return Err(Status::Ambiguous);
            }
        }
    }
    found.ok_or(Status::ZipCut)
}

/// Takes the 64-bit values of the fields that say they are there (APPNOTE 4.5.3), in their order.
fn wide_fields(extra: &[u8], fields: &mut [&mut u64]) -> Result<(), Status> {
    let wanted: Vec<_> = fields.iter().map(|field| **field == 0xffff_ffff).collect();
    if !wanted.contains(&true) {
        return Ok(());
    }
    let mut value = Part::of(extra_field(extra, 1)?.ok_or(Status::Ambiguous)?);
    for (field, wanted) in fields.iter_mut().zip(wanted) {
        if wanted {
            **field = value.u64()?;
        }
    }
    Ok(())
}

/// Whether an Info-ZIP Unicode path says another name than the header does.
fn other_name(extra: &[u8], name: &[u8]) -> Result<bool, Status> {
    Ok(extra_field(extra, 0x7075)?.is_some_and(|field| field.get(5..) != Some(name)))
}

fn extra_field(extra: &[u8], wanted: u16) -> Result<Option<&[u8]>, Status> {
    let (mut at, mut found) = (0, None);
    // Some writers pad with fewer bytes than a field's head takes.
    while extra.len() - at >= 4 {
        let (id, length) = (u16_at(extra, at), usize::from(u16_at(extra, at + 2)));
        let value = extra
            .get(at + 4..at + 4 + length)
            .ok_or(Status::Ambiguous)?;
        if id == wanted && found.replace(value).is_some() {
            return Err(Status::Ambiguous);
        }
        at += 4 + length;
    }
    Ok(found)
}
