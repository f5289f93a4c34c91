//! The unpacker's limits in one table, each with its default and the reason for it.

/// Limits of one unpacking. Sizes are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnpackLimits {
    /// Unpacked bytes in all. Gathers of 32 GiB exist; twice that. Over it the archive is refused.
    pub total_bytes: u64,
    /// Entries of any sort in all. Host reports of 135,000 files exist. Over it the archive is refused.
    pub files: u64,
    /// A single file. Over it the file is left out and listed: a core dump must not stop a triage.
    pub file_bytes: u64,
    /// Names and link targets in all, which are held in memory until the end: 512 each on average.
    pub name_bytes: u64,
    /// Decompressed bytes each compressed byte may become. Deflate cannot exceed 1032; ordinary
    /// logs reach 5 to 30, one line repeated for ever about 300. Only zeros and the like come near
    /// 1000, so 500 refuses bombs and keeps logs.
    pub ratio: u64,
    /// Decompressed bytes to which `ratio` does not apply: a small archive of a host's zero-filled
    /// login records is not an attack, and this much does no harm.
    pub ratio_free_bytes: u64,
    /// One PAX header or GNU long name. Real ones are below 10 KiB (certificates and ACLs in
    /// extended attributes); readers without a limit buffer gigabytes.
    pub header_bytes: u64,
    /// Left-out entries that are listed one by one; further ones are counted.
    pub skipped_listed: usize,
    /// How deep archives inside the bundle are opened: a rotated log is 1, one in a node's zip 2.
    pub depth: usize,
    /// Archives inside the bundle that are opened in all.
    pub inner_archives: usize,
    /// Whether single compressed files inside the bundle (rotated logs) are opened as well.
    pub inner_streams: bool,
    /// Work the guest may do before the first byte, in Wasm instructions: enough for
    /// `ratio_free_bytes`. Reading takes 18 (zeros) to 100 (headers of empty files) for each
    /// unpacked byte, measured; a processor does some 8 billion a second.
    pub fuel: u64,
    /// Work the guest may do for each byte of input, in Wasm instructions: enough for a stream at
    /// `ratio`, twice over. Ordinary bundles take 170 to 320.
    pub fuel_per_byte: u64,
}

impl Default for UnpackLimits {
    fn default() -> Self {
        Self {
            total_bytes: 64 << 30,
            files: 1_000_000,
            file_bytes: 8 << 30,
            name_bytes: 512 << 20,
            ratio: 500,
            ratio_free_bytes: 256 << 20,
            header_bytes: 1 << 20,
            skipped_listed: 10_000,
            depth: 3,
            inner_archives: 20_000,
            inner_streams: true,
            fuel: 40_000_000_000,
            fuel_per_byte: 100_000,
        }
    }
}

impl UnpackLimits {
    /// Decompressed bytes in all, the archive's own headers and padding included.
    pub(super) fn stream_bytes(&self) -> u64 {
        self.total_bytes
            .saturating_add(self.files.saturating_mul(4096))
            .saturating_add(64 << 20)
    }
}
