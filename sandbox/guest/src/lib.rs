//! narrowroom's archive parsers as a WebAssembly guest.
//!
//! Owns: everything that interprets the bytes of an archive ([`decode`] decompresses, [`tar`] and
//! [`zip`] read headers). Touches: nothing but the eight functions in [`host`]. Zone: inside zone 1's process, in
//! a linear memory of its own. A flaw here can give the host wrong names and wrong content, which
//! it checks anyway, and nothing else.
//!
//! The host calls [`open`] once, then [`step`] until it no longer returns [`abi::Status::More`].

mod abi;
mod decode;
mod header;
mod host;
mod input;
mod pax;
mod raw;
mod tar;
mod zip;
mod zipread;

use abi::Status;
use std::cell::RefCell;

/// The archive that is being read.
enum Archive {
    Tar(tar::Archive),
    Zip(zip::Archive),
}

thread_local! {
    static ARCHIVE: RefCell<Option<Archive>> = const { RefCell::new(None) };
}

/// Opens the archive; the result is a [`Status`], `More` when there is something to step through.
///
/// `bytes` limits the decompressed stream; `ratio` is how many decompressed bytes each compressed
/// one may become, beyond `ratio_free_bytes`; `header_bytes` limits each extension header. With
/// `single` not 0, a stream that is no archive is one file. May be called again for another input.
#[no_mangle]
pub extern "C" fn open(
    bytes: u64,
    ratio: u64,
    ratio_free_bytes: u64,
    header_bytes: u64,
    single: u32,
) -> u32 {
    let limits = input::StreamLimits {
        bytes,
        ratio,
        ratio_free_bytes,
    };
    ARCHIVE.set(None);
    let mut raw = raw::Raw::new();
    let head = raw.peek(4);
    let opened = if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        zip::Archive::open(limits).map(Archive::Zip)
    } else {
        input::Input::open(raw, limits)
            .map(|input| Archive::Tar(tar::Archive::new(input, header_bytes, single != 0)))
    };
    match opened {
        Ok(archive) => {
            ARCHIVE.set(Some(archive));
            Status::More as u32
        }
        Err(status) => status as u32,
    }
}

/// Does a bounded piece of the work; the result is a [`Status`].
#[no_mangle]
pub extern "C" fn step() -> u32 {
    ARCHIVE.with_borrow_mut(|archive| {
        match archive {
            Some(Archive::Tar(archive)) => archive.step(),
            Some(Archive::Zip(archive)) => archive.step(),
            None => Err(Status::NoInput),
        }
        .unwrap_or_else(|refused| refused) as u32
    })
}

/// Bytes of the decompressed stream read so far: where it was when it was refused.
#[no_mangle]
pub extern "C" fn position() -> u64 {
    ARCHIVE.with_borrow(|archive| match archive {
        Some(Archive::Tar(archive)) => archive.position(),
        Some(Archive::Zip(archive)) => archive.position(),
        None => 0,
    })
}
