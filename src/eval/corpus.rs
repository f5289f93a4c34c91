//! A corpus on disk: `<id>/bundle.tar.gz` (or a folder `<id>/bundle/`) with `<id>/truth.json` or
//! `<id>/expect.toml`.

use super::truth::Truth;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use std::path::{Path, PathBuf};

/// Names a bundle may have.
const BUNDLES: [&str; 3] = ["bundle.tar.gz", "bundle.tar", "bundle"];

/// One labelled case.
#[derive(Debug, Clone)]
pub struct Case {
    /// Name of its folder.
    pub id: String,
    /// Its bundle: an archive, or a folder that is packed first.
    pub bundle: PathBuf,
    /// The right answer.
    pub truth: Truth,
}

/// Labelled cases, sorted by name.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The cases.
    pub cases: Vec<Case>,
}

impl Corpus {
    /// Reads the answer sheets; bundles are only looked for. `only`: these cases, or all.
    ///
    /// # Errors
    /// A usage error when there is no case, one of `only` is not there, or a truth is unusable.
    pub fn read(dir: &Path, only: &[String]) -> Result<Self> {
        let names = files::names(dir).or_fail(
            ExitCode::Usage,
            format!("failed to read the corpus {}", files::shown(dir)),
        )?;
        if let Some(unknown) = only.iter().find(|id| !names.contains(id)) {
            return Err(Error::usage(format!(
                "there is no case {unknown:?} in {}",
                files::shown(dir)
            )));
        }
        let mut cases = Vec::new();
        for id in names
            .into_iter()
            .filter(|id| only.is_empty() || only.contains(id))
        {
            let at = dir.join(&id);
            let Some(bundle) = BUNDLES
                .map(|name| at.join(name))
                .into_iter()
                .find(|path| files::exists(path))
            else {
                continue;
            };
            cases.push(Case {
                truth: truth(&id, &at)?,
                id,
                bundle,
            });
        }
        if cases.is_empty() {
            return Err(Error::usage(format!("{} holds no case", files::shown(dir)))
                .hint("a case is a folder with bundle.tar.gz and truth.json or expect.toml; see docs/eval.md"));
        }
        Ok(Self { cases })
    }
}

fn truth(id: &str, at: &Path) -> Result<Truth> {
    let text = |name: &str| {
        let path = at.join(name);
        files::exists(&path).then(|| {
            files::read_text(&path).or_fail(
                ExitCode::Usage,
                format!("failed to read {}", files::shown(&path)),
            )
        })
    };
    if let Some(text) = text("truth.json") {
        return Truth::from_json(id, &text?);
    }
    match text("expect.toml") {
        Some(text) => Truth::from_expect(id, &text?),
        None => Err(Error::usage(format!(
            "the case {id} has a bundle and no truth.json or expect.toml"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_and_what_is_no_case_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            files::make_dir(path.parent().unwrap()).unwrap();
            files::write_whole(&path, text.as_bytes()).unwrap();
        };
        put("b/bundle.tar.gz", "x");
        put("b/truth.json", r#"{"kind": "negative"}"#);
        put("a/bundle.tar", "x");
        put("a/expect.toml", "kind = \"healthy\"");
        put("notes/readme.txt", "x");
        let corpus = Corpus::read(dir.path(), &[]).unwrap();
        assert_eq!(
            corpus
                .cases
                .iter()
                .map(|case| case.id.as_str())
                .collect::<Vec<_>>(),
            ["a", "b"]
        );
        assert!(Corpus::read(dir.path(), &["c".into()]).is_err());
        put("c/bundle.tar.gz", "x");
        assert!(
            Corpus::read(dir.path(), &[])
                .unwrap_err()
                .message
                .contains("no truth.json")
        );
    }
}
