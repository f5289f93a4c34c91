//! Models in several files, `name-00001-of-00003.gguf` and so on: the first holds all metadata, each a
//! part of the tensors (<https://github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split>).

use super::Gguf;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Most parts of a model.
const MAX_PARTS: u32 = 512;

/// What the name of a part says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitName<'a> {
    /// What stands before the numbers.
    pub stem: &'a str,
    /// Number of this part, from 1.
    pub number: u32,
    /// Number of parts.
    pub count: u32,
}

/// Reads a part's name; none for any other name.
pub fn split_name(name: &str) -> Option<SplitName<'_>> {
    let rest = name.strip_suffix(".gguf")?;
    let (rest, count) = rest.rsplit_once("-of-")?;
    let (stem, number) = rest.rsplit_once('-')?;
    let digits = |text: &str| {
        let fine = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
        fine.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (number, count) = (digits(number)?, digits(count)?);
    let fine = (1..=count).contains(&number) && (2..=MAX_PARTS).contains(&count);
    fine.then_some(SplitName {
        stem,
        number,
        count,
    })
}

/// The files of the model that `path` is one of, in order: itself, or all its parts.
///
/// # Errors
/// Refused when a part other than the first is named.
pub fn parts(path: &Path) -> Result<Vec<PathBuf>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(split) = split_name(&name) else {
        return Ok(vec![path.to_owned()]);
    };
    let part = |number| {
        path.with_file_name(format!(
            "{}-{number:05}-of-{:05}.gguf",
            split.stem, split.count
        ))
    };
    if split.number != 1 {
        return Err(Error::refused(format!(
            "{} is part {} of a model",
            path.display(),
            split.number
        ))
        .hint(format!("name its first part: {}", part(1).display())));
    }
    Ok((1..=split.count).map(part).collect())
}

impl<B: AsRef<[u8]>> Gguf<B> {
    /// Adds the tensors of another part, which must say that it is part `number`, counted from 0.
    pub(super) fn join(&mut self, part: Self, number: usize) -> Result<()> {
        if part.uint("split.no") != Some(number as u64)
            || part.uint("split.count") != self.uint("split.count")
        {
            return Err(Error::refused(format!(
                "part {} is not the one that its name says",
                number + 1
            )));
        }
        let at = self.files.len();
        self.files.extend(part.files);
        for (name, mut tensor) in part.tensors {
            tensor.part = at;
            if self.tensors.insert(name.clone(), tensor).is_some() {
                return Err(Error::refused(format!("tensor {name:?} is in two parts")));
            }
        }
        Ok(())
    }
    /// All parts that the metadata speaks of must be there, with all tensors.
    pub(super) fn check_parts(&self) -> Result<()> {
        let count = self.uint("split.count").unwrap_or(0).max(1);
        if count != self.files.len() as u64 {
            return Err(Error::refused(format!(
                "it is one of {count} parts, and {} are here",
                self.files.len()
            ))
            .hint(
                "keep the parts beside each other under their own names (…-00001-of-0000N.gguf)",
            ));
        }
        let wanted = self.uint("split.tensors.count");
        match wanted.filter(|wanted| *wanted != self.tensors.len() as u64) {
            Some(wanted) => Err(Error::refused(format!(
                "its parts hold {} tensors, not {wanted}",
                self.tensors.len()
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts_are_told_from_others() {
        let split = split_name("a-b-00002-of-00003.gguf").unwrap();
        assert_eq!((split.stem, split.number, split.count), ("a-b", 2, 3));
        for other in [
            "a.gguf",
            "a-1-of-3.gguf",
            "a-00004-of-00003.gguf",
            "a-00001-of-00001.gguf",
            "a-00000-of-00002.gguf",
            "a-00001-of-99999.gguf",
            "a-0000\u{0661}-of-00002.gguf",
        ] {
            assert_eq!(split_name(other), None, "{other}");
        }
        let all = parts(Path::new("/m/a-00001-of-00002.gguf")).unwrap();
        assert_eq!(all[1], Path::new("/m/a-00002-of-00002.gguf"));
        let error = parts(Path::new("/m/a-00002-of-00002.gguf")).unwrap_err();
        assert!(error.hint.unwrap().contains("a-00001-of-00002.gguf"));
    }
}
