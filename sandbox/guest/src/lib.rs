//! narrowroom's archive parsers as a WebAssembly guest.
//!
//! Owns: everything that interprets the bytes of an archive ([`input`] decompresses, [`tar`] reads
//! headers). Touches: nothing but the six functions in [`host`]. Zone: inside zone 1's process, in
//! a linear memory of its own. A flaw here can give the host wrong names and wrong content, which
//! it checks anyway, and nothing else.
//!
//! The host calls [`open`] once, then [`step`] until it no longer returns [`abi::Status::More`].

mod abi;
mod header;
mod host;
mod input;
mod pax;
mod tar;

use abi::Status;
use std::cell::RefCell;

thread_local! {
    static ARCHIVE: RefCell<Option<tar::Archive>> = const { RefCell::new(None) };
}

/// Opens the archive; the result is a [`Status`], `More` when there is something to step through.
///
/// `bytes` limits the decompressed stream; `ratio` is how many decompressed bytes each compressed
/// one may become, beyond `ratio_free_bytes`; `header_bytes` limits each extension header.
#[no_mangle]
pub extern "C" fn open(bytes: u64, ratio: u64, ratio_free_bytes: u64, header_bytes: u64) -> u32 {
    match input::Input::open(input::StreamLimits {
        bytes,
        ratio,
        ratio_free_bytes,
    }) {
        Ok(input) => {
            ARCHIVE.set(Some(tar::Archive::new(input, header_bytes)));
            Status::More as u32
        }
        Err(status) => status as u32,
    }
}

/// Does a bounded piece of the work; the result is a [`Status`].
#[no_mangle]
pub extern "C" fn step() -> u32 {
    ARCHIVE.with_borrow_mut(|archive| match archive {
        Some(archive) => archive.step().unwrap_or_else(|refused| refused) as u32,
        None => Status::NoInput as u32,
    })
}

/// Bytes of the decompressed stream read so far: where it was when it was refused.
#[no_mangle]
pub extern "C" fn position() -> u64 {
    ARCHIVE.with_borrow(|archive| archive.as_ref().map_or(0, tar::Archive::position))
}
