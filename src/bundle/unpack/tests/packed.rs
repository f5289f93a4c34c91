//! Writers of the compressed forms, by crates that the guest does not use for reading where there
//! is another one, and a zip writer that can lie.

use super::archives::gzip;
use std::io::{Cursor, Write};

pub fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Every compressed form of `bytes`, with the ending of its name.
pub fn all(bytes: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [
        ("gz", gzip(bytes)),
        ("bz2", bzip2(bytes)),
        ("xz", xz(bytes)),
        ("zst", zstd(bytes)),
    ]
}

/// A zip by a crate of its own.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (at, (name, content)) in files.iter().enumerate() {
        let method = if at % 2 == 0 {
            zip::CompressionMethod::Deflated
        } else {
            zip::CompressionMethod::Stored
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        out.start_file(*name, options).unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// One stored file of a zip, with room for lies: `None` says the truth.
#[derive(Clone, Default)]
pub struct Lie {
    pub name: Vec<u8>,
    pub content: Vec<u8>,
    pub local_name: Option<Vec<u8>>,
    pub local_size: Option<u32>,
    pub crc: Option<u32>,
    pub size: Option<u32>,
    pub packed: Option<u32>,
    pub offset: Option<u32>,
    pub method: u16,
    pub flags: u16,
    pub unix_mode: Option<u32>,
    pub extra: Vec<u8>,
}

impl Lie {
    pub fn file(name: &str, content: &[u8]) -> Self {
        Self {
            name: name.into(),
            content: content.into(),
            ..Self::default()
        }
    }
}

/// A zip of `files` with `comment`, whose end says `count` files, if given.
pub fn lying_zip(files: &[Lie], comment: &[u8], count: Option<u16>) -> Vec<u8> {
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for file in files {
        let mut crc = flate2::Crc::new();
        crc.update(&file.content);
        let crc = file.crc.unwrap_or(crc.sum());
        let length = u32::try_from(file.content.len()).unwrap();
        let offset = file.offset.unwrap_or(u32::try_from(out.len()).unwrap());
        let (size, packed) = (file.size.unwrap_or(length), file.packed.unwrap_or(length));
        let common = |name: &[u8], size: u32| {
            let mut head = Vec::new();
            for number in [20, file.flags, file.method, 0, 0] {
                head.extend_from_slice(&u16::to_le_bytes(number));
            }
            for number in [crc, packed, size] {
                head.extend_from_slice(&number.to_le_bytes());
            }
            for length in [name.len(), file.extra.len()] {
                head.extend_from_slice(&u16::try_from(length).unwrap().to_le_bytes());
            }
            head
        };
        let local_name = file.local_name.as_ref().unwrap_or(&file.name);
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common(local_name, file.local_size.unwrap_or(size)));
        out.extend_from_slice(local_name);
        out.extend_from_slice(&file.extra);
        out.extend_from_slice(&file.content);
        directory.extend_from_slice(b"PK\x01\x02");
        let made_by: u16 = if file.unix_mode.is_some() { 3 << 8 } else { 0 } | 20;
        directory.extend_from_slice(&made_by.to_le_bytes());
        directory.extend_from_slice(&common(&file.name, size));
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&(file.unix_mode.unwrap_or(0) << 16).to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(&file.name);
        directory.extend_from_slice(&file.extra);
    }
    let at = u32::try_from(out.len()).unwrap();
    out.extend_from_slice(&directory);
    let count = count.unwrap_or(u16::try_from(files.len()).unwrap());
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend_from_slice(&u32::try_from(directory.len()).unwrap().to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&u16::try_from(comment.len()).unwrap().to_le_bytes());
    out.extend_from_slice(comment);
    out
}
