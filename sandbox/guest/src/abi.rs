//! What the guest and its host say to each other, in numbers only.
//!
//! Both sides compile this one file. The guest never sends text of its own: names come out of the
//! archive and are judged and escaped by the host, everything else is one of these codes.

/// Declares an enum that crosses the border as a `u32`.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u32)]
        pub enum $name { $($(#[$each])* $variant = $code,)+ }
        impl $name {
            /// The value behind `code`, if there is one.
            #[allow(dead_code)]
            pub fn from_code(code: u32) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

codes! {
    /// What an entry is, for `begin`.
    Kind {
        /// A file; its bytes follow through `data`, then `end`.
        File = 0,
        /// A folder.
        Folder = 1,
        /// A symbolic link; its target is relative to its own folder.
        Symlink = 2,
        /// A hard link; its target is relative to the archive.
        HardLink = 3,
        /// The one file of a compressed stream that is no archive: its name is the host's to give,
        /// its size is known at its `end`.
        Stream = 4,
    }
}

codes! {
    /// Why the guest leaves an entry out, for `skip`.
    Skip {
        /// A character or block device.
        Device = 1,
        /// A named pipe.
        Pipe = 2,
        /// A sparse file, old GNU form or PAX form.
        Sparse = 3,
        /// A volume label, a multi-volume part, an incremental folder list or an unknown type.
        Unsupported = 4,
        /// A file with content whose name ends in '/': programs disagree what it is.
        FileNamedAsFolder = 5,
        /// Encrypted.
        Encrypted = 6,
        /// Compressed in a way that is not known here.
        Method = 7,
    }
}

codes! {
    /// What is worth telling about an archive that is otherwise good, for `note`; the number with it is a count of bytes.
    Note {
        /// Bytes after the end of the compressed stream.
        AfterStream = 1,
        /// Bytes after the end of the tar archive.
        AfterTar = 2,
        /// The archive ends without its end marker, but its compressed stream is whole.
        NoEndMarker = 3,
        /// Only one of the two zero blocks of the end marker is there.
        HalfEndMarker = 4,
    }
}

codes! {
    /// How a step ended. Everything from `NotAnArchive` on refuses the archive as a whole.
    Status {
        /// There is more to do.
        More = 0,
        /// The archive was read to its end.
        Done = 1,
        /// The input does not start like a tar archive, compressed or not.
        NotAnArchive = 2,
        /// The input is a compressed stream of something else.
        NotAnArchiveCompressed = 3,
        /// No input at all.
        NoInput = 4,
        /// The input ends inside an entry.
        Truncated = 5,
        /// The compressed stream is damaged: a wrong checksum, length or code.
        Damaged = 6,
        /// A header's checksum is wrong.
        HeaderChecksum = 7,
        /// A number in a header is not one.
        HeaderNumber = 8,
        /// An extended header is malformed.
        ExtendedHeader = 9,
        /// An extended header or long name is over the limit.
        ExtendedHeaderTooLong = 10,
        /// Headers contradict each other, so programs would unpack different files from them.
        Ambiguous = 11,
        /// Over the limit of unpacked bytes.
        TooManyBytes = 12,
        /// Over the limit of the compression ratio.
        Ratio = 13,
        /// Unpacking needs a window larger than the guest's memory allows.
        Window = 14,
        /// A zip from a pipe: its directory is at its end.
        NeedsFile = 15,
        /// The directory at the end of a zip is missing.
        ZipCut = 16,
        /// A zip in several parts, or one whose directory is encrypted.
        ZipForm = 17,
    }
}
