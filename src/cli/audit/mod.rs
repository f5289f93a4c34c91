//! `narrowroom audit …`: the log over all runs.

mod grown;
mod list;
mod prove;
mod verify;

use self::grown::{Export, Grown};
use self::list::List;
use self::prove::Prove;
use self::verify::Verify;
use super::{print, print_json};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::keys::{self, Key, PublicKey};
use clap::{Args, Subcommand};
use std::path::{Path, PathBuf};

/// The append-only log over all runs, failed and refused ones too.
#[derive(Subcommand)]
pub enum Audit {
    /// List what ran, on whose data, and how it ended
    List(List),
    /// Check the log and every file of every run, byte for byte
    Verify(Verify),
    /// Prove that a run is in the log, or that a tenant's runs could reach no other's data
    Prove(Prove),
    /// Prove that the log only grew between two checkpoints
    Consistency(Grown),
    /// Copy the log out, to be verified on another machine
    Export(Export),
    /// Show the public key that signs, or make a key
    Key(ShowKey),
}

impl Audit {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::List(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Prove(args) => args.run(),
            Self::Consistency(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Key(args) => args.run(),
        }
    }
}

/// The key that a log or an envelope must be signed with.
#[derive(Args, Clone)]
pub struct Public {
    /// The public key it must be signed with: 64 hex digits or a PEM file [default: this machine's own]
    #[arg(long, value_name = "KEY|FILE")]
    public: Option<String>,
}

impl Public {
    /// The key and where it is from: the given one, or this machine's own if there is one.
    ///
    /// # Errors
    /// A usage error when it is no key.
    pub fn get(&self) -> Result<Option<(PublicKey, String)>> {
        if let Some(text) = &self.public {
            return key(text).map(|key| Some((key, "the key given with --public".into())));
        }
        let own = keys::kept_at(keys::PROGRAM);
        if !files::exists(&own) {
            return Ok(None);
        }
        Ok(Some((
            Key::load(&own)?.public(),
            "this machine's own key".into(),
        )))
    }

    /// As [`Self::get`], but one must be there.
    ///
    /// # Errors
    /// A usage error when there is none.
    pub fn demand(&self) -> Result<PublicKey> {
        self.get()?.map(|(key, _)| key).ok_or_else(|| {
            Error::usage("there is no key to verify with")
                .hint("give the public key with --public KEY|FILE")
        })
    }
}

/// A public key: 64 hex digits, or the name of a PEM file.
///
/// # Errors
/// A usage error when it is neither.
pub fn key(text: &str) -> Result<PublicKey> {
    let path = Path::new(text);
    if files::exists(path) {
        let inside = files::read_text(path).or_fail(
            ExitCode::Usage,
            format!("failed to read the key {}", files::shown(path)),
        )?;
        return PublicKey::parse(&inside);
    }
    PublicKey::parse(text)
}

fn read(path: &Path, what: &str) -> Result<String> {
    files::read_text(path).or_fail(
        ExitCode::InputRefused,
        format!("failed to read the {what} {}", files::shown(path)),
    )
}

/// Show or make a key.
#[derive(Args)]
pub struct ShowKey {
    /// Of this private key [default: the program's own]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Make a new private key in this file and show its public half
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    new: Option<PathBuf>,
    /// Print the public key as PEM
    #[arg(long, conflicts_with = "json")]
    pem: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

impl ShowKey {
    fn run(self) -> Result<ExitCode> {
        let (path, key) = match (&self.new, &self.key) {
            (Some(path), _) => {
                if files::exists(path) {
                    return Err(
                        Error::usage(format!("{} is there already", files::shown(path)))
                            .hint("name a new file: a key is never overwritten"),
                    );
                }
                (path.clone(), Key::load_or_create(Some(path))?)
            }
            (None, Some(path)) => (path.clone(), Key::load(path)?),
            (None, None) => (keys::kept_at(keys::PROGRAM), Key::load_or_create(None)?),
        };
        if self.pem {
            return print(&key.public().pem()?).map(|()| ExitCode::Done);
        }
        if self.json {
            let shown =
                serde_json::json!({"public_key": key.public_hex(), "id": key.id(), "file": path});
            return print_json(&shown).map(|()| ExitCode::Done);
        }
        print(&format!(
            "public key {}\nid         {}\nprivate in {}\n",
            key.public_hex(),
            key.id(),
            files::shown(&path)
        ))
        .map(|()| ExitCode::Done)
    }
}
