//! Fetching a file from the Hugging Face hub, when a person names one that isn't here.
//!
//! Zone 0, only ever for `model import hf:…`. The program holds no network client: it starts `curl`,
//! which may speak HTTPS only (plain HTTP to this machine itself, for a mirror on it). The hub names the
//! file's SHA-256 and size before the download; both are checked. A download that was cut short goes on
//! where it stopped.

#![expect(
    clippy::disallowed_methods,
    reason = "starts curl, which a person asked for"
)]

use super::source::Source;
use super::store::{ModelId, Store, file_bytes, hash_file};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The hub, unless `HF_ENDPOINT` names another.
const HUB: &str = "https://huggingface.co";

/// What the hub says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Announced {
    sha256: ModelId,
    bytes: u64,
}

/// Fetches the file of a [`Source::HuggingFace`] into the store's downloads; `show`: curl draws its
/// progress on standard error.
///
/// # Errors
/// [`ExitCode::Usage`] without curl or network; refused when the hub names no hash or the file is another.
pub fn fetch(source: &Source, store: &Store, show: bool) -> Result<PathBuf> {
    let Source::HuggingFace {
        repository,
        file,
        revision,
    } = source
    else {
        return Err(Error::bug("only files of the hub are fetched"));
    };
    if super::gguf::split_name(file).is_some() {
        return Err(
            Error::usage(format!("{file} is one of several parts")).hint(
                "fetch all of them with the hub's own program (hf download), then import the first",
            ),
        );
    }
    let hub = std::env::var("HF_ENDPOINT").unwrap_or_else(|_| HUB.to_owned());
    let hub = hub.trim_end_matches('/');
    let url = format!("{hub}/{repository}/resolve/{revision}/{file}");
    let said = announced(&curl(&["--head", "--silent", "--show-error"], &url, hub)?.stdout)
        .ok_or_else(|| {
            Error::refused(format!("{url} names no SHA-256"))
                .hint("is the name right? fetch the file yourself, and import it with --sha256")
        })?;
    let target = store.download(&said.sha256);
    if file_bytes(&target) == said.bytes {
        return Ok(target);
    }
    let parent = target.parent().unwrap_or(Path::new("/"));
    files::make_dir(parent)?;
    let partial = parent.join(format!(".{}.partial", said.sha256));
    if file_bytes(&partial) > said.bytes {
        files::remove_file(&partial)?;
    }
    if file_bytes(&partial) < said.bytes {
        let path = partial.to_string_lossy().into_owned();
        let progress = if show { "--progress-bar" } else { "--silent" };
        // More than was announced is never written.
        let most = said.bytes.to_string();
        let args = [
            progress,
            "--show-error",
            "--fail",
            "--location",
            "--continue-at",
            "-",
            "--max-filesize",
            &most,
            "--retry",
            "3",
            "--output",
            &path,
        ];
        curl(&args, &url, hub)?;
    }
    let found = hash_file(&partial, &mut |_, _| {})?;
    if file_bytes(&partial) != said.bytes || found != said.sha256.as_str() {
        files::remove_file(&partial)?;
        return Err(Error::refused(format!(
            "what came from {url} is not what the hub announced: sha256 {found}, not {}",
            said.sha256
        ))
        .hint("fetch it again; nothing was imported"));
    }
    std::fs::rename(&partial, &target)
        .or_fail(ExitCode::Usage, format!("keep {}", target.display()))?;
    Ok(target)
}

fn curl(args: &[&str], url: &str, hub: &str) -> Result<std::process::Output> {
    let local = ["http://127.0.0.1:", "http://localhost:", "http://[::1]:"]
        .iter()
        .any(|start| hub.starts_with(start));
    let mut child = Command::new("curl")
        // Nothing but what is said here: no .curlrc. The settings on standard input hold the token.
        .arg("-q")
        .args(["--config", "-", "--connect-timeout", "30"])
        .args(["--proto", if local { "=http,https" } else { "=https" }])
        .args([
            "--proto-redir",
            if local { "=http,https" } else { "=https" },
        ])
        .args([
            "--user-agent",
            concat!("narrowroom/", env!("CARGO_PKG_VERSION")),
        ])
        .args(args)
        .arg("--")
        .arg(url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .or_fail(ExitCode::Usage, "start curl")
        .map_err(|error| error.hint("install curl, or fetch the file yourself and import it"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let token = std::env::var("HF_TOKEN").unwrap_or_default();
        let fine = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if !token.is_empty() && token.chars().all(fine) {
            // A curl that is gone says so by its status.
            let _ = writeln!(stdin, "header = \"Authorization: Bearer {token}\"");
        }
    }
    let output = child
        .wait_with_output()
        .or_fail(ExitCode::Usage, "wait for curl")?;
    if output.status.success() {
        Ok(output)
    } else {
        Err(Error::usage(format!(
            "curl ended with {} at {url}",
            output.status.code().unwrap_or(-1)
        ))
        .hint("is the name right, is there a network? the next try goes on where this one stopped"))
    }
}

/// Hash and size in the headers of the hub's first answer. Its names for them are those of files that are
/// kept outside the repository, which model files are.
fn announced(headers: &[u8]) -> Option<Announced> {
    let text = String::from_utf8_lossy(headers);
    let field = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let value = value.trim().trim_matches('"');
            name.eq_ignore_ascii_case(wanted).then(|| value.to_owned())
        })
    };
    Some(Announced {
        sha256: ModelId::parse(&field("x-linked-etag")?).ok()?,
        bytes: field("x-linked-size")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_s_headers_tell_hash_and_size() {
        let hash = "0f".repeat(32);
        let headers = format!(
            "HTTP/2 302\r\nX-Linked-Size: 12\r\nx-linked-etag: \"{hash}\"\r\nlocation: x\r\n\r\n"
        );
        let said = announced(headers.as_bytes()).unwrap();
        assert_eq!((said.sha256.as_str(), said.bytes), (hash.as_str(), 12));
        assert_eq!(announced(b"HTTP/2 200\r\netag: \"abc\"\r\n\r\n"), None);
        assert_eq!(
            announced(b"HTTP/2 302\r\nx-linked-size: 1\r\nx-linked-etag: \"../x\"\r\n\r\n"),
            None
        );
    }
}
