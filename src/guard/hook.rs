//! The plain Git hook: written, kept apart from an existing one, and taken away again. Zone 0.

use super::{git, host};
use crate::error::{Error, Result};
use crate::files;
use std::path::{Path, PathBuf};

/// The hook's name in Git.
const NAME: &str = "pre-commit";
/// What an existing hook is called while ours stands in its place; ours runs it first.
const EARLIER: &str = "pre-commit.before-narrowroom";
/// The line that tells our hook from others.
const MARK: &str = "# narrowroom guard hook, version 1";

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The hook's file.
    pub hook: PathBuf,
    /// The hook that was there before and is run first, or was put back.
    pub earlier: Option<PathBuf>,
    /// Whether `core.hooksPath` names the folder: other repositories may share it.
    pub shared: bool,
}

/// Writes the hook of the repository that `dir` lies in.
///
/// # Errors
/// A usage error outside of a repository, and when another hook is there and `force` is not given.
pub async fn install(dir: &Path, force: bool) -> Result<Installed> {
    let (hooks, shared) = git::hooks_dir(dir).await?;
    let (hook, earlier) = (hooks.join(NAME), hooks.join(EARLIER));
    if host::there(&hook) && !is_ours(&hook)? {
        if !force {
            return Err(Error::usage(format!("another hook is there: {}", files::shown(&hook))).hint(
                "with --force it is kept beside as pre-commit.before-narrowroom and run first; or call `narrowroom guard --staged --no-model` from it yourself",
            ));
        }
        host::rename(&hook, &earlier)?;
    }
    host::write_script(&hook, &script(&own_path()))?;
    Ok(Installed {
        hook,
        earlier: host::there(&earlier).then_some(earlier),
        shared,
    })
}

/// Takes the hook away and puts the earlier one back.
///
/// # Errors
/// A usage error when there is no hook of ours.
pub async fn uninstall(dir: &Path) -> Result<Installed> {
    let (hooks, shared) = git::hooks_dir(dir).await?;
    let (hook, earlier) = (hooks.join(NAME), hooks.join(EARLIER));
    if !host::there(&hook) || !is_ours(&hook)? {
        return Err(Error::usage(format!(
            "there is no hook of narrowroom at {}",
            files::shown(&hook)
        ))
        .hint("nothing was changed"));
    }
    host::remove(&hook)?;
    let back = host::there(&earlier);
    if back {
        host::rename(&earlier, &hook)?;
    }
    Ok(Installed {
        earlier: back.then(|| hook.clone()),
        hook,
        shared,
    })
}

fn is_ours(hook: &Path) -> Result<bool> {
    // A hook may be a program: what is no text is not ours.
    Ok(host::settings(hook)
        .ok()
        .flatten()
        .is_some_and(|text| text.lines().any(|line| line == MARK)))
}

fn own_path() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| path.to_str().map(str::to_owned))
        .unwrap_or_else(|| "narrowroom".into())
}

/// The hook: the earlier one, then the scan. If the program is gone, the commit stops and says so.
fn script(program: &str) -> String {
    let quoted = format!("'{}'", program.replace('\'', r"'\''"));
    format!(
        r#"#!/bin/sh
{MARK}
# Searches what is staged for secrets. Written by: narrowroom guard install
# Taken away by: narrowroom guard uninstall
earlier="$(dirname "$0")/{EARLIER}"
if [ -x "$earlier" ]; then
  "$earlier" "$@" || exit $?
fi
program={quoted}
if [ ! -x "$program" ]; then
  program=$(command -v narrowroom) || {{
    echo "error: narrowroom is not there any more, so the commit is not searched for secrets" >&2
    echo " hint: install it again, or remove this hook: $0" >&2
    exit 1
  }}
fi
exec "$program" guard --staged --no-model
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_path_cannot_break_out_of_its_quotes() {
        assert!(script("/a b/it's; rm -rf x").contains(r"program='/a b/it'\''s; rm -rf x'"));
    }
}
