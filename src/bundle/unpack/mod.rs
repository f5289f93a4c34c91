//! Unpacking a customer's archive without parsing a byte of it natively.
//!
//! Owns: the host of the WebAssembly guest that holds the archive parsers (`sandbox/guest`), and
//! what becomes of the entries that it announces. Touches: one open file to read, one directory
//! capability to write. No network, no processes, no terminal, no threads. Zone: 1.
//!
//! The guest has no WASI: its eight imports are all it can do (see `imports`). It reads the
//! archive's bytes, announces entries and hands their content over; `sink` judges names, creates
//! files and hashes them; `table` keeps what was accepted and what was left out; `links` resolves the recorded
//! links. Limits ([`UnpackLimits`]) hold on this side whatever the guest does; its own checks only
//! make the messages better.
//!
//! Formats read: tar (ustar, PAX, GNU), plain or in gzip, bzip2, xz or zstd with any number of
//! members; zip (stored, deflate; 64-bit); one file in a compressed stream. Archives inside the
//! bundle are opened too ([`UnpackLimits::depth`]): the files of `logs/node.zip` lie in the folder
//! `logs/node.zip!`, that of `syslog.2.gz` is `syslog.2.gz!/syslog.2`.

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
    module: Module,
    linker: Linker<State>,
    entry: String,
    guest: Guest,
    limits: UnpackLimits,
    name: Option<String>,
}

/// One instance of the guest. One that stopped is not used again.
struct Guest {
    store: Store<State>,
    open: TypedFunc<(u64, u64, u64, u64, u32), u32>,
    step: TypedFunc<(), u32>,
    position: TypedFunc<(), u64>,
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
        let mut linker = Linker::new(&engine);
        imports::add(&mut linker).or_fail(ExitCode::Bug, failed)?;
        let guest = Guest::start(&module, &linker, step, State::new(limits))?;
        Ok(Self {
            module,
            linker,
            entry: step.to_owned(),
            guest,
            limits,
            name: None,
        })
    }

    /// Tells the bundle's file name. A stream called `app.log.gz` that is no archive is then a
    /// bundle of one file, `app.log`; without a name it is refused.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        self.name = names::single(name);
        self
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
        let fuel = self.limits.fuel;
        self.guest
            .store
            .set_fuel(fuel)
            .or_fail(ExitCode::Bug, "failed to start the archive parser")?;
        let mut sink = sink::Sink::new(out, self.limits);
        sink.name_stream(self.name.take());
        self.guest.store.data_mut().give(sink);
        let single = self.guest.sink()?.names_stream();
        self.guest
            .unpack(input, true, single, &self.limits, progress)
            .map_err(|stopped| stopped.error)?;
        let (archive_sha256, archive_bytes) = self.guest.store.data_mut().end_input()?;
        self.open_inner(progress)?;
        let sink = self.guest.take_sink()?;
        Ok(Unpacked {
            index: sink.finish()?,
            archive_sha256,
            archive_bytes,
        })
    }

    /// Opens the archives inside the bundle, those inside them, and so on.
    fn open_inner(&mut self, progress: &mut dyn FnMut(UnpackProgress)) -> Result<()> {
        let mut level = self.guest.sink()?.archives(None);
        let mut opened = 0;
        let mut stop = None;
        for depth in 0.. {
            let mut made = Vec::new();
            for path in std::mem::take(&mut level) {
                if !self.limits.inner_streams && names::single(&path).is_some() {
                    let why = "single compressed files are opened by narrowroom unpack";
                    self.guest.sink()?.stays_closed(&path, why);
                    continue;
                }
                if depth == self.limits.depth {
                    stop.get_or_insert("it lies too deep, an archive in archives");
                } else if opened == self.limits.inner_archives {
                    stop = Some("too many archives were opened before it");
                }
                if let Some(why) = stop {
                    self.guest.sink()?.stays_closed(&path, why);
                    continue;
                }
                opened += 1;
                stop = self.open_one(&path, &mut made, progress)?;
            }
            if made.is_empty() {
                return Ok(());
            }
            level = self.guest.sink()?.archives(Some(&made));
        }
        Ok(())
    }

    /// Opens one archive inside the bundle; what came out of it is added to `made`. Gives back why
    /// no further one is opened, if that is so.
    fn open_one(
        &mut self,
        path: &str,
        made: &mut Vec<String>,
        progress: &mut dyn FnMut(UnpackProgress),
    ) -> Result<Option<&'static str>> {
        let limits = self.limits;
        let sink = self.guest.sink()?;
        if !sink.enter(path) {
            return Ok(None);
        }
        let input = sink.open_again(path)?;
        let name = names::single(path);
        let single = name.is_some();
        sink.name_stream(name);
        match self.guest.unpack(input, false, single, &limits, progress) {
            Ok(()) => {
                made.extend(self.guest.sink()?.leave());
                Ok(None)
            }
            // The disk is full, or the program is at fault: that is not this archive's doing.
            Err(stopped) if stopped.error.exit != ExitCode::InputRefused && !stopped.guest => {
                Err(stopped.error)
            }
            Err(stopped) => {
                self.guest.sink()?.undo(path, &stopped.error.to_string())?;
                if stopped.out_of_fuel {
                    return Ok(Some("the work that the bundle's size explains is used up"));
                }
                if stopped.guest {
                    let sink = self.guest.take_sink()?;
                    let fuel = self.guest.store.get_fuel().unwrap_or(0);
                    let mut state = State::new(limits);
                    state.give(sink);
                    self.guest = Guest::start(&self.module, &self.linker, &self.entry, state)?;
                    self.guest
                        .store
                        .set_fuel(fuel)
                        .or_fail(ExitCode::Bug, "failed to start the archive parser")?;
                }
                Ok(None)
            }
        }
    }
}

/// Why an archive was not read to its end.
struct Stopped {
    error: Error,
    /// The guest itself stopped and may not go on.
    guest: bool,
    out_of_fuel: bool,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self {
            error,
            guest: false,
            out_of_fuel: false,
        }
    }
}

impl Guest {
    fn start(module: &Module, linker: &Linker<State>, step: &str, state: State) -> Result<Self> {
        let failed = "failed to load the archive parser";
        let mut store = Store::new(module.engine(), state);
        store.limiter(|state| &mut state.store_limits);
        store
            .set_fuel(UnpackLimits::default().fuel)
            .or_fail(ExitCode::Bug, failed)?;
        let guest = linker
            .instantiate(&mut store, module)
            .or_fail(ExitCode::Bug, failed)?;
        let mut guest = Self {
            open: function(&guest, &mut store, "open")?,
            step: function(&guest, &mut store, step)?,
            position: function(&guest, &mut store, "position")?,
            store,
        };
        // The first call into a guest sets up the thread's signal stack; after the seal is too late.
        guest
            .position
            .call(&mut guest.store, ())
            .or_fail(ExitCode::Bug, "failed to start the archive parser")?;
        Ok(guest)
    }

    fn sink(&mut self) -> Result<&mut sink::Sink> {
        self.store.data_mut().sink()
    }

    fn take_sink(&mut self) -> Result<sink::Sink> {
        self.store
            .data_mut()
            .take()
            .ok_or_else(|| Error::bug("the archive parser lost its output"))
    }

    /// Reads one archive to its end.
    fn unpack(
        &mut self,
        input: File,
        outer: bool,
        single: bool,
        limits: &UnpackLimits,
        progress: &mut dyn FnMut(UnpackProgress),
    ) -> std::result::Result<(), Stopped> {
        self.store.data_mut().start(input, outer);
        let opened = self.open.call(
            &mut self.store,
            (
                limits.stream_bytes(),
                limits.ratio,
                limits.ratio_free_bytes,
                limits.header_bytes,
                single.into(),
            ),
        );
        let mut status = self.judge(opened)?;
        while status == Status::More {
            self.charge(STEP_FUEL)?;
            let stepped = self.step.call(&mut self.store, ());
            status = self.judge(stepped)?;
            progress(self.store.data().progress());
        }
        if status == Status::Done {
            return Ok(self.sink()?.closed()?);
        }
        let position = self.position.call(&mut self.store, ()).unwrap_or(0);
        let at = self.store.data().progress();
        Err(refusal::refused(status, position, at.bytes_in, at.files, limits).into())
    }

    /// Takes `fuel` off what the guest may still do.
    fn charge(&mut self, fuel: u64) -> std::result::Result<(), Stopped> {
        let left = self
            .store
            .get_fuel()
            .ok()
            .and_then(|left| left.checked_sub(fuel))
            .ok_or_else(out_of_fuel)?;
        self.store.set_fuel(left).map_err(|error| {
            Error::bug("failed to keep account of the archive parser")
                .source(std::io::Error::other(error.to_string()))
                .into()
        })
    }

    /// What a call came to: the host's own failure first, then the guest's.
    fn judge(&mut self, result: wasmtime::Result<u32>) -> std::result::Result<Status, Stopped> {
        if let Some(error) = self.store.data_mut().failure.take() {
            // The guest was stopped in the middle of its work.
            return Err(Stopped {
                guest: error.exit == ExitCode::InputRefused,
                error,
                out_of_fuel: false,
            });
        }
        match result {
            Ok(code) => Ok(Status::from_code(code)
                .ok_or_else(|| refusal::broken_contract("it returned an unknown status"))?),
            Err(cause) if cause.downcast_ref() == Some(&Trap::OutOfFuel) => Err(out_of_fuel()),
            Err(cause) => Err(Stopped {
                error: refusal::guest_stopped(&cause),
                guest: true,
                out_of_fuel: false,
            }),
        }
    }
}

fn out_of_fuel() -> Stopped {
    Stopped {
        error: refusal::out_of_fuel(),
        guest: true,
        out_of_fuel: true,
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
