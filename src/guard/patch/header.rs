//! The header of one file in a patch, and the header of a hunk.

/// The mode of a submodule's entry in Git.
pub const SUBMODULE: u32 = 0o160_000;

/// No file has as many lines.
const MAX_LINES: u64 = 1 << 40;

/// What a patch says of one file before its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The new path; the old one of a deleted file. Bytes that are not UTF-8 are replaced.
    pub path: String,
    /// The path it was renamed or copied from.
    pub from: Option<String>,
    /// The file is new.
    pub new_file: bool,
    /// The file is gone.
    pub deleted: bool,
    /// Git's mode of the new side, where it is given.
    pub mode: Option<u32>,
    /// The mode changed.
    pub mode_changed: bool,
    /// The patch only says that the content differs.
    pub binary: bool,
    /// A merge is not finished: the index holds several versions.
    pub unmerged: bool,
}

impl Header {
    /// A header begun by this line, if it begins one.
    pub fn start(line: &[u8]) -> Option<Self> {
        let mut header = Self::default();
        if let Some(names) = line.strip_prefix(b"diff --git ") {
            header.path = both(names).unwrap_or_default();
        } else if let Some(name) = line
            .strip_prefix(b"diff --cc ")
            .or_else(|| line.strip_prefix(b"diff --combined "))
        {
            header.path = name_of(name);
        } else if let Some(name) = line.strip_prefix(b"* Unmerged path ") {
            header.path = name_of(name);
            header.unmerged = true;
        } else if let Some(rest) = line.strip_prefix(b"Submodule ") {
            // The form of `diff.submodule=log`.
            let end = rest.iter().position(|b| *b == b' ')?;
            header.path = name_of(&rest[..end]);
            header.mode = Some(SUBMODULE);
        } else {
            return None;
        }
        Some(header)
    }

    /// Reads one more line of the header; `false` when it is none.
    pub fn read(&mut self, line: &[u8]) -> bool {
        let after = |prefix: &str| line.strip_prefix(prefix.as_bytes());
        if let Some(mode) = after("new file mode ") {
            self.new_file = true;
            self.mode = octal(mode);
        } else if after("deleted file mode ").is_some() {
            self.deleted = true;
        } else if let Some(mode) = after("new mode ") {
            self.mode_changed = true;
            self.mode = octal(mode);
        } else if let Some(name) = after("rename from ").or_else(|| after("copy from ")) {
            self.from = Some(name_of(name));
        } else if let Some(name) = after("rename to ").or_else(|| after("copy to ")) {
            self.path = name_of(name);
        } else if let Some(rest) = after("index ") {
            let mode = rest.rsplit(|b| *b == b' ').next().and_then(octal);
            if rest.contains(&b' ') && mode.is_some() {
                self.mode = mode;
            }
        } else if let Some(rest) = after("mode ") {
            // Of a merge: "mode 100644,100644..100755".
            if let Some(at) = rest.windows(2).position(|two| two == b"..") {
                self.mode = octal(&rest[at + 2..]);
            }
        } else if let Some(name) = after("--- ") {
            if self.path.is_empty() && !is_null(name) {
                self.path = side(name, b"a/");
            }
        } else if let Some(name) = after("+++ ") {
            if is_null(name) {
                self.deleted = true;
            } else {
                self.path = side(name, b"b/");
            }
        } else if after("Binary files ").is_some() || after("GIT binary patch").is_some() {
            self.binary = true;
        } else {
            return [
                "old mode ",
                "similarity index ",
                "dissimilarity index ",
                "literal ",
                "delta ",
            ]
            .iter()
            .any(|prefix| after(prefix).is_some());
        }
        true
    }
}

/// `@@ -a,b +c,d @@` and `@@@ -a,b -c,d +e,f @@@`: lines of each old side, first line and lines of
/// the new one.
pub fn hunk_header(line: &[u8]) -> Option<(Vec<u64>, u64, u64)> {
    let text = std::str::from_utf8(&line[..line.len().min(400)])
        .unwrap_or_else(|error| std::str::from_utf8(&line[..error.valid_up_to()]).unwrap_or(""));
    let signs = text.bytes().take_while(|b| *b == b'@').count();
    let parents = signs.checked_sub(1).filter(|n| (1..=64).contains(n))?;
    let mut words = text[signs..].split_ascii_whitespace();
    let range = |word: &str| -> Option<(u64, u64)> {
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        let number = |text: &str| text.parse().ok().filter(|n| *n < MAX_LINES);
        Some((number(start)?, number(count)?))
    };
    let mut old = Vec::new();
    for _ in 0..parents {
        old.push(range(words.next()?.strip_prefix('-')?)?.1);
    }
    let (start, new) = range(words.next()?.strip_prefix('+')?)?;
    words
        .next()?
        .starts_with(&"@".repeat(signs))
        .then_some((old, start, new))
}

fn octal(text: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(text).ok()?.trim(), 8).ok()
}

fn is_null(name: &[u8]) -> bool {
    name == b"/dev/null" || name.starts_with(b"/dev/null\t")
}

/// A name of a `---` or `+++` line: what follows a tab is a time, a prefix is taken off.
fn side(name: &[u8], prefix: &[u8]) -> String {
    let plain = if name.first() == Some(&b'"') {
        unquote(name).map_or_else(|| name.to_vec(), |(name, _)| name)
    } else {
        let end = name.iter().position(|b| *b == b'\t').unwrap_or(name.len());
        name[..end].to_vec()
    };
    let short = match plain.as_slice() {
        // `diff.mnemonicPrefix` writes c/, i/, w/ and o/.
        [b'a' | b'b' | b'c' | b'i' | b'w' | b'o', b'/', rest @ ..] if !rest.is_empty() => rest,
        whole => whole.strip_prefix(prefix).unwrap_or(whole),
    };
    String::from_utf8_lossy(short).into_owned()
}

fn name_of(name: &[u8]) -> String {
    match unquote(name) {
        Some((plain, _)) => String::from_utf8_lossy(&plain).into_owned(),
        None => String::from_utf8_lossy(name).into_owned(),
    }
}

/// The new name of `a/X b/X`: with quotes where they are, else two equal halves.
fn both(names: &[u8]) -> Option<String> {
    if names.last() == Some(&b'"') {
        let at = match unquote(names) {
            // Both are quoted.
            Some((_, used)) => used + 1,
            None => names.windows(2).rposition(|two| two == b" \"")? + 1,
        };
        return Some(side(names.get(at..)?, b"b/"));
    }
    if let Some((_, used)) = unquote(names) {
        return Some(side(names.get(used + 1..)?, b"b/"));
    }
    let half = names.len() / 2;
    let (old, new) = (names.get(..half)?, names.get(half + 1..)?);
    let short = |name: &[u8]| {
        name.iter()
            .position(|b| *b == b'/')
            .map(|at| name[at + 1..].to_vec())
    };
    // A rename's names differ; its own lines follow and tell them.
    (names.get(half) == Some(&b' ') && (old == new || short(old) == short(new)))
        .then(|| side(new, b"b/"))
}

/// A name in Git's C-like quotes: its bytes and how long it was, quotes included.
fn unquote(text: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut at = 1;
    if text.first() != Some(&b'"') {
        return None;
    }
    let mut out = Vec::new();
    loop {
        match *text.get(at)? {
            b'"' => return Some((out, at + 1)),
            b'\\' => {
                at += 1;
                let c = *text.get(at)?;
                out.push(match c {
                    b'a' => 7,
                    b'b' => 8,
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'v' => 11,
                    b'f' => 12,
                    b'r' => b'\r',
                    b'0'..=b'3' => {
                        let digits = std::str::from_utf8(text.get(at..at + 3)?).ok()?;
                        at += 2;
                        u8::from_str_radix(digits, 8).ok()?
                    }
                    other => other,
                });
            }
            plain => out.push(plain),
        }
        at += 1;
    }
}
