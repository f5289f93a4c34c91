//! Hostile archives, made by code. Headers are written byte by byte, because the archives that
//! matter are those that no library would write.
//!
//! Each family's archive also holds harmless files, so that a test can see that refusing one thing
//! does not lose the rest. References are to the weaknesses of other unpackers that a family is
//! modelled on.

#![allow(dead_code)]

use std::io::Write;

/// Bytes of a tar block.
pub const BLOCK: usize = 512;

/// Content of the harmless files.
pub const HARMLESS: &[u8] = b"2026-01-01T00:00:00Z started\n";

/// A header before its checksum is set.
#[derive(Clone)]
pub struct Header(pub [u8; BLOCK]);

impl Header {
    /// A ustar header with mode 0644; `name` and `link` are cut to their fields.
    pub fn new(kind: u8, name: &[u8], size: u64, link: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        put(&mut block[..100], name);
        put(&mut block[100..107], b"0000644");
        put(&mut block[108..115], b"0000000");
        put(&mut block[116..123], b"0000000");
        put(&mut block[124..135], format!("{size:011o}").as_bytes());
        put(&mut block[136..147], b"00000000000");
        block[156] = kind;
        put(&mut block[157..257], link);
        put(&mut block[257..265], b"ustar\x0000");
        Self(block)
    }
    /// Overwrites bytes at `at`.
    pub fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }
    /// The block with its checksum.
    pub fn block(mut self) -> [u8; BLOCK] {
        self.0[148..156].fill(b' ');
        let sum: u64 = self.0.iter().map(|byte| u64::from(*byte)).sum();
        put(&mut self.0[148..156], format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

fn put(field: &mut [u8], bytes: &[u8]) {
    let length = bytes.len().min(field.len());
    field[..length].copy_from_slice(&bytes[..length]);
}

/// Writes an archive entry by entry.
#[derive(Clone, Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Bytes as they are.
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    /// Content, padded to a block.
    pub fn padded(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }
    /// A header.
    pub fn header(self, header: Header) -> Self {
        self.raw(&header.block())
    }
    /// An entry of any type with content.
    pub fn entry(self, kind: u8, name: &[u8], content: &[u8]) -> Self {
        self.header(Header::new(kind, name, content.len() as u64, b""))
            .padded(content)
    }
    /// An ordinary file.
    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.entry(b'0', name.as_bytes(), content)
    }
    /// An ordinary file whose name need not be text.
    pub fn file_named(self, name: &[u8], content: &[u8]) -> Self {
        self.entry(b'0', name, content)
    }
    /// A harmless file.
    pub fn harmless(self, name: &str) -> Self {
        self.file(name, HARMLESS)
    }
    /// A folder.
    pub fn folder(self, name: &str) -> Self {
        self.header(Header::new(b'5', name.as_bytes(), 0, b""))
    }
    /// A symbolic link.
    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.header(Header::new(b'2', name.as_bytes(), 0, target.as_bytes()))
    }
    /// A hard link.
    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.header(Header::new(b'1', name.as_bytes(), 0, target.as_bytes()))
    }
    /// A PAX header for the next entry, its records well-formed.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        self.entry(b'x', b"PaxHeaders/next", &pax_records(records))
    }
    /// A PAX header for all entries that follow.
    pub fn pax_global(self, records: &[(&str, &[u8])]) -> Self {
        self.entry(b'g', b"PaxHeaders/all", &pax_records(records))
    }
    /// A PAX header with this content, right or wrong.
    pub fn pax_raw(self, content: &[u8]) -> Self {
        self.entry(b'x', b"PaxHeaders/next", content)
    }
    /// A GNU long name for the next entry.
    pub fn gnu_long_name(self, name: &[u8]) -> Self {
        self.entry(b'L', b"././@LongLink", &[name, b"\0"].concat())
    }
    /// The end marker.
    pub fn end(self) -> Vec<u8> {
        self.raw(&[0; 2 * BLOCK]).0
    }
}

/// PAX records with correct lengths.
pub fn pax_records(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        out.extend_from_slice(format!("{length} {key}=").as_bytes());
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out
}

/// One gzip member.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("memory can be written to")
}

/// An ordinary small bundle: folders, files, an empty file, a link between files.
pub fn ordinary() -> Vec<u8> {
    Tar::new()
        .folder("bundle/")
        .file("bundle/version.yaml", b"apiVersion: v1\n")
        .folder("bundle/logs/")
        .harmless("bundle/logs/web.log")
        .file("bundle/logs/empty.log", b"")
        .symlink("bundle/latest.log", "logs/web.log")
        .end()
}

/// Names that climb or are absolute (CVE-2007-4559, CVE-2025-29787).
pub fn traversal() -> Vec<u8> {
    let mut tar = Tar::new().harmless("bundle/a.log");
    for name in [
        "../escaped",
        "bundle/../../escaped",
        "/escaped",
        "//escaped",
        "bundle/..",
        "..",
        "bundle/logs/../../../escaped/",
    ] {
        tar = tar.harmless(name);
    }
    let long = format!("bundle/{}../../../../escaped", "x/../".repeat(60));
    tar.gnu_long_name(long.as_bytes())
        .harmless("cut")
        .pax(&[("path", b"../escaped")])
        .harmless("bundle/innocent")
        .harmless("bundle/b.log")
        .end()
}

/// Names that attack a terminal or another system's separator.
pub fn deceiving_names() -> Vec<u8> {
    let names: [&[u8]; 9] = [
        "bundle/\u{202e}gol.exe".as_bytes(),
        "bundle/zero\u{200b}width".as_bytes(),
        b"bundle/escape\x1b[2Jscreen",
        b"bundle/new\nline",
        b"bundle/tab\there",
        b"bundle/del\x7f",
        b"..\\..\\escaped",
        b"C:\\windows\\system.ini",
        b"bundle/not-utf8-\xff\xfe",
    ];
    let mut tar = Tar::new();
    for name in names {
        tar = tar.file_named(name, HARMLESS);
    }
    tar.pax(&[("path", b"bundle/nul\0byte")])
        .harmless("bundle/x")
        .harmless("bundle/日本語 ünïcode.log")
        .end()
}

/// Links that lead out, and files that would be written through them (CVE-2018-20990,
/// CVE-2021-38511, CVE-2024-12718, CVE-2025-4517, CVE-2026-33056).
pub fn escaping_links() -> Vec<u8> {
    Tar::new()
        .harmless("bundle/a.log")
        .symlink("bundle/passwd", "/etc/passwd")
        .symlink("bundle/up", "../../escaped")
        .symlink("bundle/out", "..")
        .symlink("bundle/outer", "out/..")
        .harmless("bundle/out/written-through")
        .harmless("bundle/outer/written-through")
        .hard_link("bundle/hard", "../escaped")
        .hard_link("bundle/hard-absolute", "/etc/passwd")
        .hard_link("bundle/hard-through", "bundle/out/../../canary")
        .symlink("bundle/nowhere", "missing.log")
        .symlink("bundle/through-file", "a.log/b")
        .harmless("bundle/b.log")
        .end()
}

/// Links within the bundle, some through others, which all lead to files.
pub fn inner_links() -> Vec<u8> {
    Tar::new()
        .symlink("bundle/before", "pods/web/current.log")
        .harmless("bundle/pods/web/current.log")
        .symlink("bundle/collector/web.log", "../pods/web/current.log")
        .symlink("bundle/by-name", "pods/web")
        .symlink("bundle/through", "by-name/current.log")
        .symlink("bundle/chain-1", "chain-2")
        .symlink("bundle/chain-2", "./chain-3")
        .symlink("bundle/chain-3", "pods/../pods/web/./current.log")
        .hard_link("bundle/hard", "bundle/pods/web/current.log")
        .hard_link("bundle/hard-to-link", "bundle/chain-1")
        .end()
}

/// Links that lead to each other, to themselves, and in a chain of `length`.
pub fn link_loops(length: usize) -> Vec<u8> {
    let mut tar = Tar::new()
        .harmless("bundle/end")
        .symlink("bundle/self", "self")
        .symlink("bundle/a", "b")
        .symlink("bundle/b", "c/x")
        .symlink("bundle/c", "a")
        .hard_link("bundle/hard-self", "bundle/hard-self");
    for at in 0..length {
        let target = if at + 1 == length {
            "end".to_owned()
        } else {
            format!("long-{:05}", at + 1)
        };
        tar = tar.symlink(&format!("bundle/long-{at:05}"), &target);
    }
    tar.end()
}

/// Two sizes for one file: a reader that ignores one of them sees a hidden archive in its content
/// (CVE-2025-62518, CVE-2026-33055).
pub fn pax_size_desync() -> Vec<u8> {
    let hidden = Tar::new().file("hidden/file", b"seen by one reader only").0;
    Tar::new()
        .harmless("bundle/a.log")
        .pax(&[("size", hidden.len().to_string().as_bytes())])
        .header(Header::new(b'0', b"bundle/two-sizes", 512, b""))
        .raw(&hidden)
        .end()
}

/// A PAX size where the header's own is zero, as writers of large files do; not an attack.
pub fn pax_size_alone() -> Vec<u8> {
    let size = HARMLESS.len().to_string();
    Tar::new()
        .pax(&[("size", size.as_bytes())])
        .header(Header::new(b'0', b"bundle/a.log", 0, b""))
        .padded(HARMLESS)
        .harmless("bundle/b.log")
        .end()
}

/// A size on an extension header that follows a PAX size: the override is for the file only.
pub fn pax_size_then_long_name() -> Vec<u8> {
    let size = HARMLESS.len().to_string();
    Tar::new()
        .pax(&[("size", size.as_bytes())])
        .gnu_long_name(b"bundle/long.log")
        .header(Header::new(b'0', b"cut", 0, b""))
        .padded(HARMLESS)
        .harmless("bundle/b.log")
        .end()
}

/// Headers whose meaning depends on the reader, each with its name.
pub fn ambiguous() -> Vec<(&'static str, Vec<u8>)> {
    let file = |tar: Tar| tar.harmless("bundle/a.log").end();
    vec![
        ("two sizes", pax_size_desync()),
        (
            "two PAX headers",
            file(
                Tar::new()
                    .pax(&[("path", b"bundle/one")])
                    .pax(&[("path", b"bundle/two")]),
            ),
        ),
        (
            "two long names",
            file(
                Tar::new()
                    .gnu_long_name(b"bundle/one")
                    .gnu_long_name(b"bundle/two"),
            ),
        ),
        (
            "a PAX and a GNU name",
            file(
                Tar::new()
                    .pax(&[("path", b"bundle/one")])
                    .gnu_long_name(b"bundle/two"),
            ),
        ),
        (
            "a name for every file",
            file(Tar::new().pax_global(&[("path", b"bundle/one")])),
        ),
        (
            "a size for every file",
            file(Tar::new().pax_global(&[("size", b"0")])),
        ),
        (
            "a folder with content",
            file(Tar::new().entry(b'5', b"bundle/folder", &[b'x'; 600])),
        ),
        (
            "a link with content",
            file(
                Tar::new()
                    .header(Header::new(b'2', b"bundle/link", 512, b"a.log"))
                    .raw(&[0; BLOCK]),
            ),
        ),
        (
            "a hard link with content",
            file(
                Tar::new()
                    .header(Header::new(b'1', b"bundle/hard", 600, b"a.log"))
                    .raw(&[0; 2 * BLOCK]),
            ),
        ),
    ]
}

/// PAX headers that are malformed, each with its name.
pub fn malformed_pax() -> Vec<(&'static str, Vec<u8>)> {
    let cases: [(&str, &[u8]); 12] = [
        ("unterminated", b"15 path=bundle"),
        ("no newline", b"14 path=bundle"),
        ("length too long", b"99 path=bundle/x\n"),
        ("length too short", b"9 path=bundle/x\n"),
        ("length zero", b"0 path=x\n"),
        ("negative length", b"-12 path=ab\n"),
        ("signed length", b"+12 path=ab\n"),
        ("huge length", b"99999999999999999999 path=x\n"),
        ("no key", b"6 =ab\n"),
        ("no equals", b"8 patha\n"),
        ("negative size", b"10 size=-1\n"),
        ("trailing bytes", b"9 path=ab\n\0\0"),
    ];
    cases
        .into_iter()
        .map(|(name, content)| {
            (
                name,
                Tar::new()
                    .harmless("bundle/a.log")
                    .pax_raw(content)
                    .harmless("bundle/b.log")
                    .end(),
            )
        })
        .collect()
}

/// A PAX header of `bytes` bytes (tar 0.4.46 buffers any size).
pub fn huge_pax(bytes: usize) -> Vec<u8> {
    Tar::new()
        .pax(&[("comment", &vec![b'c'; bytes])])
        .harmless("bundle/a.log")
        .end()
}

/// A GNU long name of `bytes` bytes.
pub fn huge_long_name(bytes: usize) -> Vec<u8> {
    Tar::new()
        .gnu_long_name(&vec![b'n'; bytes])
        .harmless("cut")
        .harmless("bundle/a.log")
        .end()
}

/// Long names as GNU and PAX write them; not an attack.
pub fn long_names() -> Vec<u8> {
    let gnu = format!("bundle/{}/gnu.log", "g".repeat(200));
    let pax = format!("bundle/{}/pax.log", "p".repeat(200));
    let prefixed = Header::new(b'0', b"ustar.log", 0, b"").with(345, b"bundle/prefix");
    Tar::new()
        .gnu_long_name(gnu.as_bytes())
        .harmless("cut")
        .pax(&[("path", pax.as_bytes()), ("mtime", b"1.5")])
        .harmless("cut")
        .header(prefixed)
        .end()
}

/// Sparse files in the old GNU form, with a continued map, and in the PAX form
/// (CVE-2025-58183, CVE-2026-32288).
pub fn sparse() -> Vec<u8> {
    let mut old = Header::new(b'S', b"bundle/old-sparse", 512, b"").with(257, b"ustar  \0");
    old.0[482] = 1;
    let huge = Header::new(b'S', b"bundle/huge-sparse", 0, b"")
        .with(257, b"ustar  \0")
        .with(483, b"77777777777\0");
    Tar::new()
        .harmless("bundle/a.log")
        .header(old)
        .raw(&[0; BLOCK])
        .raw(&[b'd'; BLOCK])
        .header(huge)
        .pax(&[
            ("GNU.sparse.major", b"1"),
            ("GNU.sparse.minor", b"0"),
            ("GNU.sparse.name", b"bundle/pax-sparse"),
            ("GNU.sparse.realsize", b"99999999999"),
        ])
        .entry(b'0', b"GNUSparseFile.0/pax-sparse", b"1\n99999999998\n1\n")
        .harmless("bundle/b.log")
        .end()
}

/// Devices, pipes and types that hold no file.
pub fn special_files() -> Vec<u8> {
    let mut tar = Tar::new().harmless("bundle/a.log");
    for (kind, name) in [
        (b'3', "null"),
        (b'4', "sda"),
        (b'6', "pipe"),
        (b'V', "label"),
        (b'M', "part"),
        (b'D', "dump"),
        (b'Z', "odd"),
    ] {
        tar = tar.header(Header::new(
            kind,
            format!("bundle/{name}").as_bytes(),
            0,
            b"",
        ));
    }
    tar.entry(b'V', b"bundle/label-with-content", b"content")
        .harmless("bundle/b.log")
        .end()
}

/// A file and a folder with setuid, setgid and sticky bits, and a file nobody may read.
pub fn setuid() -> Vec<u8> {
    Tar::new()
        .header(Header::new(b'5', b"bundle/folder", 0, b"").with(100, b"0007777"))
        .header(
            Header::new(b'0', b"bundle/folder/setuid", HARMLESS.len() as u64, b"")
                .with(100, b"0006755"),
        )
        .padded(HARMLESS)
        .header(
            Header::new(
                b'0',
                b"bundle/folder/unreadable",
                HARMLESS.len() as u64,
                b"",
            )
            .with(100, b"0000000"),
        )
        .padded(HARMLESS)
        .end()
}

/// One name several times, as files, links and folders.
pub fn duplicates() -> Vec<u8> {
    Tar::new()
        .file("bundle/twice.log", b"first, and longer than the second\n")
        .file("bundle/twice.log", b"second\n")
        .symlink("bundle/link-then-file", "twice.log")
        .file("bundle/link-then-file", b"a file\n")
        .file("bundle/file-then-link", b"a file\n")
        .symlink("bundle/file-then-link", "twice.log")
        .harmless("bundle/folder/inside")
        .harmless("bundle/folder")
        .file("bundle/file", b"a file\n")
        .harmless("bundle/file/inside")
        .folder("bundle/file/")
        .folder("bundle/folder/")
        .end()
}

/// Names that differ in letter case or Unicode form only.
pub fn folding() -> Vec<u8> {
    Tar::new()
        .harmless("bundle/README")
        .harmless("bundle/readme")
        .harmless("bundle/caf\u{e9}.log")
        .harmless("bundle/cafe\u{301}.log")
        .harmless("bundle/other.log")
        .end()
}

/// A path `depth` folders deep.
pub fn deep(depth: usize) -> Vec<u8> {
    let name = format!("{}end", "d/".repeat(depth - 1));
    Tar::new()
        .gnu_long_name(name.as_bytes())
        .harmless("cut")
        .harmless("bundle/a.log")
        .end()
}

/// `count` empty files, 200 a folder.
pub fn many_empty_files(count: usize) -> Vec<u8> {
    (0..count)
        .fold(Tar::new(), |tar, at| {
            tar.file(&format!("bundle/d{:04}/file-{at:06}", at / 200), b"")
        })
        .end()
}

/// A gzip stream that unpacks to one file of `mib` MiB of zeros, a thousandfold.
pub fn bomb(mib: u64) -> Vec<u8> {
    let member = gzip(&vec![0; 1 << 20]);
    let mut out = gzip(&Header::new(b'0', b"bundle/bomb", mib << 20, b"").block());
    for _ in 0..mib {
        out.extend_from_slice(&member);
    }
    out.extend_from_slice(&gzip(&[0; 2 * BLOCK]));
    out
}

/// A file whose header claims `claimed` bytes, with one block of them there.
pub fn lying_size(claimed: u64) -> Vec<u8> {
    Tar::new()
        .harmless("bundle/a.log")
        .header(Header::new(b'0', b"bundle/liar", claimed, b""))
        .raw(&[b'x'; BLOCK])
        .0
}

/// Sizes that are no number: negative base 256, base 256 beyond 63 bits, a sign, a letter.
pub fn bad_sizes() -> Vec<(&'static str, Vec<u8>)> {
    let cases: [(&str, &[u8; 12]); 5] = [
        (
            "negative base 256",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ),
        (
            "base 256 over 63 bits",
            b"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff",
        ),
        ("base 256 over 64 bits", b"\x80\0\x01\0\0\0\0\0\0\0\0\x1d"),
        ("a sign", b"+0000000035\0"),
        ("a letter", b"0000000003z\0"),
    ];
    cases
        .into_iter()
        .map(|(name, size)| {
            (
                name,
                Tar::new()
                    .header(Header::new(b'0', b"bundle/a.log", 0, b"").with(124, size))
                    .padded(HARMLESS)
                    .harmless("bundle/b.log")
                    .end(),
            )
        })
        .collect()
}

/// The second header's checksum is wrong.
pub fn bad_checksum() -> Vec<u8> {
    let mut bytes = ordinary();
    bytes[BLOCK] ^= 1;
    bytes
}

/// Every hostile archive that is cheap to make, with a name, for whole-program tests. None of them
/// may leave anything outside its directory.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = [
        ("ordinary", ordinary()),
        ("traversal", traversal()),
        ("deceiving-names", deceiving_names()),
        ("escaping-links", escaping_links()),
        ("inner-links", inner_links()),
        ("link-loops", link_loops(60)),
        ("pax-size-alone", pax_size_alone()),
        ("huge-pax", huge_pax(2 << 20)),
        ("huge-long-name", huge_long_name(2 << 20)),
        ("long-names", long_names()),
        ("sparse", sparse()),
        ("special-files", special_files()),
        ("setuid", setuid()),
        ("duplicates", duplicates()),
        ("folding", folding()),
        ("deep", deep(200)),
        ("lying-size", lying_size(1 << 30)),
        ("bad-checksum", bad_checksum()),
        ("bomb", bomb(2048)),
        (
            "trailing-garbage",
            [gzip(&ordinary()), b"garbage".to_vec()].concat(),
        ),
        ("cut-gzip", gzip(&ordinary())[..100].to_vec()),
        ("empty-input", Vec::new()),
        ("empty-archive", Tar::new().end()),
        (
            "not-an-archive",
            b"this is a text file, and no archive\n".repeat(40),
        ),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect();
    for (family, cases) in [
        ("ambiguous", ambiguous()),
        ("malformed-pax", malformed_pax()),
        ("bad-size", bad_sizes()),
    ] {
        all.extend(
            cases
                .into_iter()
                .map(|(name, bytes)| (format!("{family}: {name}"), bytes)),
        );
    }
    all
}
