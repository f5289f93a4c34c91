//! Every way unpacking can fail, in words for a person, with what to do about it.

use super::abi::{Note, Skip, Status};
use super::limits::UnpackLimits;
use crate::bundle::index::Skipped;
use crate::bundle::path::BundlePath;
use crate::error::{Error, ExitCode};
use std::io;

/// The archive is refused as a whole at byte `position` of its decompressed stream.
pub fn refused(
    status: Status,
    position: u64,
    input_bytes: u64,
    files: u64,
    limits: &UnpackLimits,
) -> Error {
    let fetch_again = "fetch the bundle again and compare its size or checksum with the sender's";
    let ask = "ask for the bundle again, made with a common tar; what other programs unpack from this one can't be trusted";
    let damaged = |what: &str| {
        Error::refused(format!(
            "the archive is damaged: {what} at byte {position} of the unpacked stream"
        ))
    };
    match status {
        Status::NotAnArchive | Status::NotAnArchiveCompressed => {
            let what = if status == Status::NotAnArchive { "the input is neither a tar nor a zip archive" } else { "the input is compressed, but what it holds is not a tar archive" };
            Error::refused(what).hint("give it a bundle in the form it was collected (.tar, .tar.gz, .tar.xz, .tar.zst, .tar.bz2 or .zip), a folder, or a log by its own name, such as app.log.gz")
        }
        Status::NoInput => Error::refused("the input is empty").hint(fetch_again),
        Status::Truncated => {
            Error::refused(format!("the archive is cut off after {input_bytes} bytes, {files} files were whole until then")).hint(fetch_again)
        }
        Status::Damaged => Error::refused(format!("the archive is damaged: its compressed stream does not match its checksums, near byte {position} of the unpacked stream")).hint(fetch_again),
        Status::HeaderChecksum => damaged("a file header's checksum is wrong").hint(fetch_again),
        Status::HeaderNumber => damaged("a file header holds a size that is no number").hint(fetch_again),
        Status::ExtendedHeader => damaged("an extended file header is malformed").hint(ask),
        Status::ExtendedHeaderTooLong => {
            Error::refused(format!("a file header at byte {position} of the unpacked stream is longer than {} bytes", limits.header_bytes)).hint(ask)
        }
        Status::Ambiguous => Error::refused(format!("the archive contradicts itself at byte {position} of the unpacked stream: programs would read different files from it")).hint(ask),
        Status::TooManyBytes => too_many_bytes(limits.total_bytes),
        Status::Ratio => ratio(limits.ratio),
        Status::Window => Error::refused("the archive needs more memory to unpack than the parser may use").hint("it was packed with a very large window (zstd --long or xz --lzma2=dict=…): pack it again with the defaults"),
        Status::NeedsFile => Error::refused("a zip cannot be read from a pipe: its directory is at its end").hint("save it to a file and give its path"),
        Status::ZipCut => Error::refused("the zip is cut off: the directory at its end is missing").hint(fetch_again),
        Status::ZipForm => Error::refused("the zip is one part of several, or its directory is encrypted").hint("ask for it as one unencrypted file"),
        Status::More | Status::Done => broken_contract("it was refused without a reason"),
    }
}

/// Over the limit of the compression ratio.
pub fn ratio(limit: u64) -> Error {
    Error::refused(format!(
        "the archive grows more than {limit} times when unpacked, as only bombs do"
    ))
    .hint("if you trust it, unpack it yourself and pack it again without compression")
}

/// More than the limit of unpacked bytes.
pub fn too_many_bytes(limit: u64) -> Error {
    over_limit(
        format!("it unpacks to more than {limit} bytes"),
        Some("--max-bytes"),
    )
}

/// Over a limit of form; `flag` raises it.
pub fn over_limit(what: String, flag: Option<&str>) -> Error {
    let hint = flag.map_or_else(
        || "split the bundle".to_owned(),
        |flag| format!("raise {flag} if you trust where it came from"),
    );
    Error::refused(format!("the archive is over a limit: {what}")).hint(hint)
}

/// The archive holds nothing that could be looked at; `count` entries were left out.
pub fn no_files(first: Option<&Skipped>, count: u64) -> Error {
    let message = match first {
        None => "the archive holds no files".to_owned(),
        Some(first) => format!(
            "the archive holds no file that can be unpacked; {count} entries were left out, the first is {}: {}",
            first.name, first.reason
        ),
    };
    Error::refused(message).hint("check that the collection of the bundle came to its end")
}

/// Reading the input failed.
pub fn read_failed(error: io::Error) -> Error {
    let hint = if error.kind() == io::ErrorKind::IsADirectory {
        "give the folder itself to narrowroom, not a descriptor of it"
    } else {
        "check the file and the disk it is on"
    };
    Error::refused("failed to read the archive")
        .hint(hint)
        .source(error)
}

/// Writing a file failed.
pub fn write_failed(path: &BundlePath, error: io::Error) -> Error {
    disk(
        format!(
            "failed to write {}",
            super::names::shown(path.as_str().as_bytes())
        ),
        error,
    )
}

/// Creating a folder failed.
pub fn folder_failed(path: &str, error: io::Error) -> Error {
    disk(
        format!(
            "failed to create the folder {}",
            super::names::shown(path.as_bytes())
        ),
        error,
    )
}

fn disk(message: String, error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        StorageFull | QuotaExceeded => Error::limit(message)
            .hint("free disk space where the runs are kept, or choose another disk with --runs"),
        FileTooLarge => Error::limit(message).hint("raise --max-file-bytes"),
        ReadOnlyFilesystem => {
            Error::usage(message).hint("choose a directory that can be written with --runs")
        }
        _ => Error::bug(message),
    }
    .source(error)
}

/// The guest ran out of fuel.
pub fn out_of_fuel() -> Error {
    Error::limit("the archive takes more work to read than its size explains; it was stopped")
        .hint("it is made to waste time, or damaged: ask for the bundle again")
}

/// The guest stopped by itself: a flaw in it, which its walls contained.
pub fn guest_stopped(cause: &wasmtime::Error) -> Error {
    Error::bug(format!(
        "the archive parser stopped: {}",
        cause.root_cause()
    ))
    .hint("please report it; nothing of the bundle was used")
}

/// The guest did what its source never does: it was taken over by the archive, or it has a bug.
pub fn broken_contract(what: &str) -> Error {
    Error::new(
        ExitCode::InputRefused,
        format!("the archive parser broke its contract with its host: {what}"),
    )
    .hint("the archive may be an attack; please report it")
}

/// Why the guest left an entry out.
pub fn skipped(reason: Skip) -> &'static str {
    match reason {
        Skip::Device => "a device",
        Skip::Pipe => "a named pipe",
        Skip::Sparse => "a sparse file, which is not expanded",
        Skip::Unsupported => "an entry of a type that holds no file",
        Skip::Encrypted => "encrypted, so it cannot be read",
        Skip::Method => "compressed by a method that is not known here",
        Skip::FileNamedAsFolder => "a file with content whose name ends in '/'",
    }
}

/// What the guest found about the archive as a whole.
pub fn noted(note: Note, bytes: u64) -> String {
    match note {
        Note::AfterStream => {
            format!("{bytes} bytes lie after the end of its compressed stream and were not read")
        }
        Note::AfterTar => {
            format!("{bytes} bytes lie after the end of the archive and were not read")
        }
        Note::NoEndMarker => {
            "it ends without an end marker; files after this point may be missing".into()
        }
        Note::HalfEndMarker => {
            "its end marker is only half there; files after this point may be missing".into()
        }
    }
}
