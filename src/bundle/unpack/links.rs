//! Where a recorded link leads, resolved inside the table of unpacked names. No link ever exists on
//! disk, so nothing here can be raced or followed by the kernel.

use super::table::{Node, Table};
use std::collections::HashMap;

/// Longest chain of links followed, as Linux does (`MAXSYMLINKS`).
const MAX_CHAIN: usize = 40;

/// What a link leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A file of the bundle.
    File(String),
    /// A folder of the bundle; empty for its root.
    Folder(String),
}

/// Why a link leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Absolute, or climbs above the archive's root.
    Outside,
    /// Nothing of that name is in the bundle.
    Dangling,
    /// The links go in a circle, or the chain is too long.
    Loop,
}

/// Resolves links and remembers what was found, so that each target is walked once however many
/// links lead through it.
pub struct Resolver<'a> {
    table: &'a Table,
    known: HashMap<&'a str, Option<Result<Place, Lost>>>,
}

impl<'a> Resolver<'a> {
    /// A resolver over a finished table.
    pub fn new(table: &'a Table) -> Self {
        Self {
            table,
            known: HashMap::new(),
        }
    }

    /// Where the link at `path` leads.
    ///
    /// # Errors
    /// [`Lost`].
    pub fn resolve(&mut self, path: &str) -> Result<Place, Lost> {
        let table = self.table;
        match table.get_key_value(path) {
            Some((path, Node::Link { target, symbolic })) => {
                self.follow(path, target, *symbolic, 0)
            }
            _ => Err(Lost::Dangling),
        }
    }

    fn follow(
        &mut self,
        path: &'a str,
        target: &'a str,
        symbolic: bool,
        depth: usize,
    ) -> Result<Place, Lost> {
        match self.known.get(path) {
            Some(Some(known)) => return known.clone(),
            // In progress: the way leads back to itself.
            Some(None) => return Err(Lost::Loop),
            None if depth >= MAX_CHAIN => return Err(Lost::Loop),
            None => self.known.insert(path, None),
        };
        let from = if symbolic {
            path.rsplit_once('/').map_or("", |(folder, _)| folder)
        } else {
            ""
        };
        let found = self.walk(from, target, depth);
        self.known.insert(path, Some(found.clone()));
        found
    }

    fn walk(&mut self, from: &str, target: &str, depth: usize) -> Result<Place, Lost> {
        if target.starts_with('/') {
            return Err(Lost::Outside);
        }
        let table = self.table;
        let mut here = from.to_owned();
        let mut file = false;
        for part in target.split('/') {
            match part {
                "" | "." => continue,
                // A file has no parent to climb to.
                _ if file => return Err(Lost::Dangling),
                ".." if here.is_empty() => return Err(Lost::Outside),
                ".." => here.truncate(here.rfind('/').unwrap_or(0)),
                name => {
                    if !here.is_empty() {
                        here.push('/');
                    }
                    here.push_str(name);
                    match table.get_key_value(here.as_str()) {
                        None => return Err(Lost::Dangling),
                        Some((_, Node::Folder)) => {}
                        Some((_, Node::File { .. })) => file = true,
                        Some((path, Node::Link { target, symbolic })) => {
                            match self.follow(path, target, *symbolic, depth + 1)? {
                                Place::Folder(folder) => here = folder,
                                Place::File(path) => (here, file) = (path, true),
                            }
                        }
                    }
                }
            }
        }
        Ok(if file {
            Place::File(here)
        } else {
            Place::Folder(here)
        })
    }
}
