//! A path inside a bundle: relative, `/`-separated, unable to climb or to attack a terminal.

use std::fmt;

/// Longest path accepted, in bytes (Linux `PATH_MAX` less the room the tree itself needs).
pub const MAX_PATH_BYTES: usize = 3072;
/// Longest single name accepted, in bytes (`NAME_MAX`).
pub const MAX_NAME_BYTES: usize = 255;
/// Deepest nesting accepted.
pub const MAX_DEPTH: usize = 64;

/// A checked path inside a bundle. Constructing one is the only way to name a bundle file.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct BundlePath(String);

/// Why a name was refused. The text is a reason for a person; it never contains the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathRefusal {
    #[error("the path is empty")]
    Empty,
    #[error("the path is absolute")]
    Absolute,
    #[error("the path climbs with '..'")]
    Climbs,
    #[error("the path holds a backslash")]
    Backslash,
    #[error("the path holds a control character")]
    Control,
    #[error("the path holds a bidirectional or invisible character")]
    Bidi,
    #[error("the path is longer than 3072 bytes")]
    TooLong,
    #[error("a name in the path is longer than 255 bytes")]
    NameTooLong,
    #[error("the path is nested deeper than 64 folders")]
    TooDeep,
    #[error("the path is not UTF-8")]
    NotUtf8,
}

/// Characters that reorder or hide text: bidi controls, zero-width and other invisible marks.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

impl BundlePath {
    /// Checks `text`; a leading `./`, doubled `/` and a trailing `/` are normalised away.
    ///
    /// # Errors
    /// Any [`PathRefusal`].
    pub fn parse(text: &str) -> Result<Self, PathRefusal> {
        if text.starts_with('/') {
            return Err(PathRefusal::Absolute);
        }
        for c in text.chars() {
            match c {
                '\\' => return Err(PathRefusal::Backslash),
                c if c.is_control() => return Err(PathRefusal::Control),
                c if is_invisible(c) => return Err(PathRefusal::Bidi),
                _ => {}
            }
        }
        let mut out = String::with_capacity(text.len());
        let mut depth = 0;
        for part in text.split('/') {
            match part {
                "" | "." => continue,
                ".." => return Err(PathRefusal::Climbs),
                name if name.len() > MAX_NAME_BYTES => return Err(PathRefusal::NameTooLong),
                name => {
                    if !out.is_empty() {
                        out.push('/');
                    }
                    out.push_str(name);
                    depth += 1;
                }
            }
        }
        match () {
            () if out.is_empty() => Err(PathRefusal::Empty),
            () if out.len() > MAX_PATH_BYTES => Err(PathRefusal::TooLong),
            () if depth > MAX_DEPTH => Err(PathRefusal::TooDeep),
            () => Ok(Self(out)),
        }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The last name.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
    /// Whether the path lies in the folder `dir` (or is it).
    pub fn is_under(&self, dir: &str) -> bool {
        self.0
            .strip_prefix(dir)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl AsRef<str> for BundlePath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}
impl<'de> serde::Deserialize<'de> for BundlePath {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_and_normalises_ordinary_paths() {
        assert_eq!(
            BundlePath::parse("./a//b/c.log/").unwrap().as_str(),
            "a/b/c.log"
        );
        assert_eq!(
            BundlePath::parse("ünïcode/日本語.txt").unwrap().name(),
            "日本語.txt"
        );
    }

    #[test]
    fn refuses_what_escapes_or_deceives() {
        for (text, why) in [
            ("/etc/passwd", PathRefusal::Absolute),
            ("a/../../b", PathRefusal::Climbs),
            ("a\\b", PathRefusal::Backslash),
            ("a\x1b[2Jb", PathRefusal::Control),
            ("a\u{202E}gpj.exe", PathRefusal::Bidi),
            ("", PathRefusal::Empty),
            ("././", PathRefusal::Empty),
        ] {
            assert_eq!(BundlePath::parse(text), Err(why), "{text:?}");
        }
        assert_eq!(
            BundlePath::parse(&"a".repeat(256)),
            Err(PathRefusal::NameTooLong)
        );
        assert_eq!(
            BundlePath::parse(&"a/".repeat(65)),
            Err(PathRefusal::TooDeep)
        );
        assert_eq!(
            BundlePath::parse(&format!("{}a", "abcdefghi/".repeat(60)).repeat(6)),
            Err(PathRefusal::TooLong)
        );
    }
}
