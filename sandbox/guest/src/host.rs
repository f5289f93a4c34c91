//! The guest's whole world: eight imported functions. There is no file system, clock, network,
//! environment or randomness to reach, and no other import in the built module (a test of the host
//! checks that).

use crate::abi::{Kind, Note, Skip};

#[link(wasm_import_module = "narrowroom")]
extern "C" {
    fn read(to: *mut u8, len: usize) -> usize;
    fn read_at(to: *mut u8, len: usize, offset: u64) -> usize;
    fn input_bytes() -> u64;
    fn begin(
        kind: u32,
        name: *const u8,
        name_len: usize,
        link: *const u8,
        link_len: usize,
        bytes: u64,
    ) -> u32;
    fn data(from: *const u8, len: usize);
    fn end();
    fn skip(reason: u32, name: *const u8, name_len: usize);
    fn note(what: u32, bytes: u64);
}

/// Reads more of the archive; 0 at its end.
pub fn read_input(to: &mut [u8]) -> usize {
    // SAFETY: the host writes at most `to.len()` bytes at `to`, which is exclusively borrowed.
    let got = unsafe { read(to.as_mut_ptr(), to.len()) };
    got.min(to.len())
}

/// Reads the archive at `offset`; fewer bytes than asked for only at its end.
pub fn read_input_at(to: &mut [u8], offset: u64) -> usize {
    // SAFETY: the host writes at most `to.len()` bytes at `to`, which is exclusively borrowed.
    let got = unsafe { read_at(to.as_mut_ptr(), to.len(), offset) };
    got.min(to.len())
}

/// Bytes of the archive; `None` when it can only be read once, from its beginning.
pub fn input_length() -> Option<u64> {
    // SAFETY: takes nothing, returns a number.
    Some(unsafe { input_bytes() }).filter(|bytes| *bytes != u64::MAX)
}

/// Announces an entry; whether the host wants its content.
pub fn begin_entry(kind: Kind, name: &[u8], link: &[u8], bytes: u64) -> bool {
    // SAFETY: the host only reads the two slices, during the call.
    unsafe {
        begin(
            kind as u32,
            name.as_ptr(),
            name.len(),
            link.as_ptr(),
            link.len(),
            bytes,
        ) == 1
    }
}

/// Some content of the entry that was begun last.
pub fn send(bytes: &[u8]) {
    // SAFETY: the host only reads the slice, during the call.
    unsafe { data(bytes.as_ptr(), bytes.len()) }
}

/// The content of the entry that was begun last is complete.
pub fn end_entry() {
    // SAFETY: takes and returns nothing.
    unsafe { end() }
}

/// Reports an entry that is left out.
pub fn skip_entry(reason: Skip, name: &[u8]) {
    // SAFETY: the host only reads the slice, during the call.
    unsafe { skip(reason as u32, name.as_ptr(), name.len()) }
}

/// Reports something about the archive as a whole.
pub fn tell(what: Note, bytes: u64) {
    // SAFETY: takes two numbers.
    unsafe { note(what as u32, bytes) }
}
