//! The tar archive: a state machine over 512-byte blocks that works in bounded steps.
//!
//! It resolves what belongs to the format (long names, PAX records, sizes) and leaves every
//! judgement about names, links and limits on files to the host. Where headers contradict each
//! other, programs are known to unpack different files; such an archive is refused as a whole.

use crate::abi::{Kind, Note, Skip, Status};
use crate::header::{self, Block, Header, BLOCK};
use crate::host;
use crate::input::Input;
use crate::pax::{self, Overrides};

/// Bytes of the stream after which a step returns, so that the host can show progress.
const STEP_BYTES: u64 = 4 << 20;
/// Entries after which a step returns.
const STEP_ENTRIES: u32 = 1_000;

enum State {
    /// A header, or the end, comes next.
    Header,
    /// Content: bytes left, bytes of padding behind it, whether the host wants it.
    Content {
        left: u64,
        padding: u64,
        wanted: bool,
    },
    /// The stream is no archive but one file, whose content goes on; whether the host wants it.
    Single { wanted: bool },
    /// The end marker was seen; the rest is read for its checksum. Holds the rest's length so far.
    Rest { bytes: u64, any: bool },
}

/// What extension headers said about the next entry.
#[derive(Default)]
struct Pending {
    pax: Option<Overrides>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

/// Reads one archive.
pub struct Archive {
    input: Input,
    state: State,
    pending: Pending,
    header_bytes: u64,
    first: bool,
    single: bool,
}

impl Archive {
    /// An archive in `input` whose extension headers may have `header_bytes` each; with `single`,
    /// a stream that does not begin like an archive is one file.
    pub fn new(input: Input, header_bytes: u64, single: bool) -> Self {
        Self {
            input,
            state: State::Header,
            pending: Pending::default(),
            header_bytes,
            first: true,
            single,
        }
    }

    /// Bytes of the decompressed stream read so far.
    pub fn position(&self) -> u64 {
        self.input.position()
    }

    /// Works until [`STEP_BYTES`] or [`STEP_ENTRIES`] are used up, or the archive is.
    ///
    /// # Errors
    /// Why the archive is refused as a whole.
    pub fn step(&mut self) -> Result<Status, Status> {
        let until = self.input.position().saturating_add(STEP_BYTES);
        let mut entries = 0;
        while self.input.position() < until && entries < STEP_ENTRIES {
            match self.state {
                State::Header => {
                    entries += 1;
                    if self.header()? {
                        return Ok(Status::Done);
                    }
                }
                State::Content {
                    left,
                    padding,
                    wanted,
                } => self.content(left, padding, wanted)?,
                State::Single { wanted } => {
                    let part = self.input.peek(u64::MAX)?;
                    let length = part.len();
                    if wanted && length > 0 {
                        host::send(part);
                    }
                    self.input.consume(length);
                    if length == 0 {
                        if wanted {
                            host::end_entry();
                        }
                        return Ok(Status::Done);
                    }
                }
                State::Rest { bytes, any } => {
                    let rest = self.input.peek(u64::MAX)?;
                    let length = rest.len();
                    if length == 0 {
                        if any {
                            host::tell(Note::AfterTar, bytes);
                        }
                        return Ok(Status::Done);
                    }
                    let any = any || rest.iter().any(|byte| *byte != 0);
                    self.input.consume(length);
                    self.state = State::Rest {
                        bytes: bytes + length as u64,
                        any,
                    };
                }
            }
        }
        Ok(Status::More)
    }

    fn content(&mut self, left: u64, padding: u64, wanted: bool) -> Result<(), Status> {
        let (part, in_file) = if left > 0 {
            (self.input.peek(left)?, true)
        } else {
            (self.input.peek(padding)?, false)
        };
        let length = part.len();
        if length == 0 && left + padding > 0 {
            return Err(Status::Truncated);
        }
        if in_file && wanted {
            host::send(part);
        }
        self.input.consume(length);
        let (left, padding) = if in_file {
            (left - length as u64, padding)
        } else {
            (0, padding - length as u64)
        };
        if in_file && left == 0 && wanted {
            host::end_entry();
        }
        self.state = if left + padding == 0 {
            State::Header
        } else {
            State::Content {
                left,
                padding,
                wanted,
            }
        };
        Ok(())
    }

    /// Reads one header and what belongs to it; `true` at the end of the stream.
    fn header(&mut self) -> Result<bool, Status> {
        let block = if self.first {
            let mut block = [0; BLOCK];
            let have = self.input.fill(&mut block)?;
            let zero = header::is_zero(&block) && !self.single;
            if have < BLOCK || !(zero || header::checksum_holds(&block)) {
                return self.not_an_archive(&block[..have]);
            }
            block
        } else if let Some(block) = self.input.block()? {
            block
        } else if self.input.is_compressed() && self.pending.is_empty() {
            host::tell(Note::NoEndMarker, 0);
            return Ok(true);
        } else {
            // A plain archive without its end marker can't be told from one that was cut.
            return Err(Status::Truncated);
        };
        if header::is_zero(&block) {
            return self.end_marker();
        }
        if !header::checksum_holds(&block) {
            return Err(Status::HeaderChecksum);
        }
        let header = header::parse(&block)?;
        self.first = false;
        match header.kind {
            b'x' | b'X' => {
                let found = pax::parse(&self.extension(header.size)?)?;
                let named_twice = found.name.is_some() && self.pending.long_name.is_some()
                    || found.link.is_some() && self.pending.long_link.is_some();
                if named_twice || self.pending.pax.replace(found).is_some() {
                    return Err(Status::Ambiguous);
                }
            }
            b'g' => {
                // A comment is common (git writes one); a name or size for every file is an attack.
                let found = pax::parse(&self.extension(header.size)?)?;
                if found.name.is_some()
                    || found.link.is_some()
                    || found.size.is_some()
                    || found.sparse
                {
                    return Err(Status::Ambiguous);
                }
            }
            b'L' => {
                let name = self.long_text(header.size)?;
                if self
                    .pending
                    .pax
                    .as_ref()
                    .is_some_and(|pax| pax.name.is_some())
                    || self.pending.long_name.replace(name).is_some()
                {
                    return Err(Status::Ambiguous);
                }
            }
            b'K' => {
                let link = self.long_text(header.size)?;
                if self
                    .pending
                    .pax
                    .as_ref()
                    .is_some_and(|pax| pax.link.is_some())
                    || self.pending.long_link.replace(link).is_some()
                {
                    return Err(Status::Ambiguous);
                }
            }
            _ => self.entry(header, &block)?,
        }
        Ok(false)
    }

    /// The stream does not begin like an archive: it is one file that begins with `head`, or refused.
    fn not_an_archive(&mut self, head: &[u8]) -> Result<bool, Status> {
        if !self.single {
            return Err(if self.input.is_compressed() {
                Status::NotAnArchiveCompressed
            } else {
                Status::NotAnArchive
            });
        }
        let wanted = host::begin_entry(Kind::Stream, &[], &[], 0);
        if wanted && !head.is_empty() {
            host::send(head);
        }
        self.first = false;
        self.state = State::Single { wanted };
        Ok(false)
    }

    fn end_marker(&mut self) -> Result<bool, Status> {
        if !self.pending.is_empty() {
            return Err(Status::ExtendedHeader);
        }
        self.first = false;
        self.state = State::Rest {
            bytes: 0,
            any: false,
        };
        match self.input.block()? {
            None => host::tell(Note::HalfEndMarker, 0),
            Some(block) if header::is_zero(&block) => {}
            // A lone zero block: the widespread readers stop here, so what follows is not read as files.
            Some(_) => {
                host::tell(Note::HalfEndMarker, 0);
                self.state = State::Rest {
                    bytes: BLOCK as u64,
                    any: true,
                };
            }
        }
        Ok(false)
    }

    /// Everything that is not an extension of another header.
    fn entry(&mut self, header: Header, block: &Block) -> Result<(), Status> {
        let pending = std::mem::take(&mut self.pending);
        let pax = pending.pax.unwrap_or_default();
        let name = pax.name.or(pending.long_name).unwrap_or(header.name);
        let link = pax.link.or(pending.long_link).unwrap_or(header.link);
        let size = match pax.size {
            // Writers put zero or the largest octal number where the real size does not fit.
            Some(size)
                if header.size != size && header.size != 0 && header.size < 0o777_7777_7777 =>
            {
                return Err(Status::Ambiguous)
            }
            Some(size) => size,
            None => header.size,
        };
        let leave_out = |reason| {
            host::skip_entry(reason, &name);
            false
        };
        let wanted = match header.kind {
            b'S' => {
                let mut more = header::sparse_map_continues(block, true);
                while more {
                    let map = self.input.block()?.ok_or(Status::Truncated)?;
                    more = header::sparse_map_continues(&map, false);
                }
                leave_out(Skip::Sparse)
            }
            b'0' | 0 | b'7' if pax.sparse => leave_out(Skip::Sparse),
            b'0' | 0 | b'7' if name.ends_with(b"/") && size > 0 => {
                leave_out(Skip::FileNamedAsFolder)
            }
            b'0' | 0 | b'7' if !name.ends_with(b"/") => {
                let wanted = host::begin_entry(Kind::File, &name, &[], size);
                if wanted && size == 0 {
                    host::end_entry();
                }
                wanted
            }
            b'1'..=b'6' if size > 0 => return Err(Status::Ambiguous),
            b'0' | 0 | b'7' | b'5' => host::begin_entry(Kind::Folder, &name, &[], 0),
            b'1' => host::begin_entry(Kind::HardLink, &name, &link, 0),
            b'2' => host::begin_entry(Kind::Symlink, &name, &link, 0),
            b'3' | b'4' => leave_out(Skip::Device),
            b'6' => leave_out(Skip::Pipe),
            _ => leave_out(Skip::Unsupported),
        };
        let padding = padding(size);
        if size > 0 {
            self.state = State::Content {
                left: size,
                padding,
                wanted,
            };
        }
        Ok(())
    }

    /// The content of an extension header, padding taken off.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, Status> {
        if size > self.header_bytes {
            return Err(Status::ExtendedHeaderTooLong);
        }
        let mut bytes = Vec::with_capacity(size as usize);
        for (mut left, keep) in [(size, true), (padding(size), false)] {
            while left > 0 {
                let part = self.input.peek(left)?;
                let length = part.len();
                if length == 0 {
                    return Err(Status::Truncated);
                }
                if keep {
                    bytes.extend_from_slice(part);
                }
                self.input.consume(length);
                left -= length as u64;
            }
        }
        Ok(bytes)
    }

    fn long_text(&mut self, size: u64) -> Result<Vec<u8>, Status> {
        let mut text = self.extension(size)?;
        while text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }
}

fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK as u64) - size
}
