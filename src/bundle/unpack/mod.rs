//! Unpacking a customer's archive without parsing a byte of it natively.
//!
//! Owns: the host of the WebAssembly guest that holds the archive parsers (`sandbox/guest`), and
//! what becomes of the entries that it announces. Touches: one open file to read, one directory
//! capability to write. No network, no processes, no terminal, no threads. Zone: 1.
//!
//! The guest has no WASI: its six imports are all it can do (see `imports`). It reads the
//! archive's bytes, announces entries and hands their content over; `sink` judges names, creates
//! files and hashes them; `table` keeps what was accepted and what was left out; `links` resolves the recorded
//! links. Limits ([`UnpackLimits`]) hold on this side whatever the guest does; its own checks only
//! make the messages better.
//!
//! Formats read: tar (ustar, PAX, GNU), plain or in gzip with any number of members.

#[path = "../../../sandbox/guest/src/abi.rs"]
mod abi;
mod engine;
mod imports;
mod limits;
mod links;
mod names;
mod refusal;
mod sink;
mod table;
#[cfg(test)]
mod tests;

pub use limits::UnpackLimits;

use super::index::Index;
use crate::error::{Context, Error, ExitCode, Result};
use abi::Status;
use imports::State;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use wasmtime::{Engine, Instance, Linker, Module, Store, Trap, TypedFunc};

/// The guest, compiled by `build.rs` from the committed `sandbox/guest.wasm`.
static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/guest.cwasm"));

/// What a step costs in fuel whatever it does, so that a guest which only says "more" ends too. An
/// honest step does a hundred times this.
const STEP_FUEL: u64 = 1_000_000;

/// How far unpacking is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UnpackProgress {
    /// Files written.
    pub files: u64,
    /// Bytes of the archive read.
    pub bytes_in: u64,
    /// Bytes of files written.
    pub bytes_out: u64,
}

/// What came of an archive.
#[derive(Debug)]
pub struct Unpacked {
    /// The files, the recorded links, and what was left out.
    pub index: Index,
    /// SHA-256 of the archive as it was read, all of its bytes, lower-case hex.
    pub archive_sha256: String,
    /// Size of the archive in bytes.
    pub archive_bytes: u64,
}

/// The archive parsers, loaded and ready, before anything of an archive is read.
pub struct Unpacker {
    store: Store<State>,
    open: TypedFunc<(u64, u64, u64, u64), u32>,
    step: TypedFunc<(), u32>,
    position: TypedFunc<(), u64>,
    limits: UnpackLimits,
}

impl Unpacker {
    /// Loads the guest. To be called before the process is sealed: everything that maps memory, or
    /// makes it executable, happens here. No thread is started.
    ///
    /// # Errors
    /// When the guest does not load on this processor, or address space is short.
    pub fn new(limits: UnpackLimits) -> Result<Self> {
        // SAFETY: `GUEST` is the unmodified output of `Engine::precompile_module` in this very
        // build's build.rs, embedded in the program.
        unsafe { Self::load(GUEST, "step", limits) }
    }

    /// Loads a compiled guest whose function `step` does the work.
    ///
    /// # Safety
    /// `compiled` must be the unmodified output of `Engine::precompile_module`.
    unsafe fn load(compiled: &[u8], step: &str, limits: UnpackLimits) -> Result<Self> {
        let failed = "failed to load the archive parser";
        let engine = Engine::new(&engine::config()).or_fail(ExitCode::Bug, failed)?;
        // SAFETY: the caller vouches for the bytes.
        let module =
            unsafe { Module::deserialize(&engine, compiled) }.or_fail(ExitCode::Bug, failed)?;
        let mut store = Store::new(&engine, State::new(limits));
        store.limiter(|state| &mut state.store_limits);
        store
            .set_fuel(UnpackLimits::default().fuel)
            .or_fail(ExitCode::Bug, failed)?;
        let mut linker = Linker::new(&engine);
        imports::add(&mut linker).or_fail(ExitCode::Bug, failed)?;
        let guest = linker
            .instantiate(&mut store, &module)
            .or_fail(ExitCode::Bug, failed)?;
        let state = Self {
            open: function(&guest, &mut store, "open")?,
            step: function(&guest, &mut store, step)?,
            position: function(&guest, &mut store, "position")?,
            store,
            limits,
        };
        state.warm()
    }

    /// The first call into a guest sets up the thread's signal stack; after the seal is too late.
    fn warm(mut self) -> Result<Self> {
        self.position
            .call(&mut self.store, ())
            .or_fail(ExitCode::Bug, "failed to start the archive parser")?;
        Ok(self)
    }

    /// SHA-256 of the guest's WebAssembly, lower-case hex; it goes into the record of a run.
    pub fn guest_sha256() -> &'static str {
        env!("NARROWROOM_GUEST_SHA256")
    }

    /// Unpacks `input` into `out`, which must be an empty directory, and reads it to its end.
    /// `progress` is called at least every few megabytes.
    ///
    /// # Errors
    /// [`ExitCode::InputRefused`] for what is no archive, damaged, contradictory or over a limit;
    /// [`ExitCode::LimitReached`] for a full disk or an archive that wastes time. After an error
    /// nothing in `out` may be used.
    pub fn run(
        mut self,
        input: File,
        out: cap_std::fs::Dir,
        progress: &mut dyn FnMut(UnpackProgress),
    ) -> Result<Unpacked> {
        if out
            .entries()
            .or_fail(
                ExitCode::Bug,
                "failed to look into the directory to unpack into",
            )?
            .next()
            .is_some()
        {
            return Err(Error::bug("the directory to unpack into is not empty"));
        }
        self.store
            .set_fuel(self.limits.fuel)
            .or_fail(ExitCode::Bug, "failed to start the archive parser")?;
        self.store
            .data_mut()
            .start(input, sink::Sink::new(out, self.limits));
        let limits = self.limits;
        let opened = self.open.call(
            &mut self.store,
            (
                limits.stream_bytes(),
                limits.ratio,
                limits.ratio_free_bytes,
                limits.header_bytes,
            ),
        );
        let mut status = self.judge(opened)?;
        while status == Status::More {
            self.charge(STEP_FUEL)?;
            let stepped = self.step.call(&mut self.store, ());
            status = self.judge(stepped)?;
            progress(self.store.data().progress());
        }
        if status != Status::Done {
            let position = self.position.call(&mut self.store, ()).unwrap_or(0);
            let at = self.store.data().progress();
            return Err(refusal::refused(
                status,
                position,
                at.bytes_in,
                at.files,
                &limits,
            ));
        }
        self.store.into_data().finish()
    }

    /// Takes `fuel` off what the guest may still do.
    fn charge(&mut self, fuel: u64) -> Result<()> {
        let left = self
            .store
            .get_fuel()
            .ok()
            .and_then(|left| left.checked_sub(fuel))
            .ok_or_else(refusal::out_of_fuel)?;
        self.store.set_fuel(left).or_fail(
            ExitCode::Bug,
            "failed to keep account of the archive parser",
        )
    }

    /// What a call came to: the host's own failure first, then the guest's.
    fn judge(&mut self, result: wasmtime::Result<u32>) -> Result<Status> {
        if let Some(error) = self.store.data_mut().failure.take() {
            return Err(error);
        }
        match result {
            Ok(code) => Status::from_code(code)
                .ok_or_else(|| refusal::broken_contract("it returned an unknown status")),
            Err(cause) if cause.downcast_ref() == Some(&Trap::OutOfFuel) => {
                Err(refusal::out_of_fuel())
            }
            Err(cause) => Err(refusal::guest_stopped(&cause)),
        }
    }
}

fn function<P: wasmtime::WasmParams, R: wasmtime::WasmResults>(
    guest: &Instance,
    store: &mut Store<State>,
    name: &str,
) -> Result<TypedFunc<P, R>> {
    guest
        .get_typed_func(store, name)
        .or_fail(ExitCode::Bug, "failed to load the archive parser")
}

/// Hashes what of `input` is left, and returns how long that was.
fn drain(input: &mut File, hash: &mut Sha256, limit: u64) -> Result<u64> {
    let mut buffer = vec![0; 128 << 10];
    let mut total = 0;
    loop {
        match input.read(&mut buffer) {
            Ok(0) => return Ok(total),
            Ok(read) => {
                hash.update(&buffer[..read]);
                total += read as u64;
                if total > limit {
                    return Err(refusal::over_limit(
                        format!("more than {limit} bytes follow its end"),
                        None,
                    ));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(refusal::read_failed(error)),
        }
    }
}
