//! Making a manifest: find the bundles, hash them, name their tenants, deal them out to shards.

use super::manifest::{Item, Manifest, Program, SCHEMA, Settings};
use super::tenant::TenantFrom;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files::{self, Walked};
use std::path::{Path, PathBuf};

/// Names that an archive ends with; other files of a folder are left out and counted.
const ENDINGS: &[&str] = &[
    ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tbz", ".tar.zst", ".tzst",
    ".zip",
];
/// Most bundles of one manifest: some engines' arrays and a person's patience end here.
const MAX_ITEMS: usize = 100_000;

/// What to plan.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// A folder of bundles, or a text file with a path a line (relative to that file's folder).
    pub from: PathBuf,
    /// How the tenant is found; `None`: the bundles have none.
    pub tenant: Option<TenantFrom>,
    /// Shards.
    pub shards: u32,
    /// How each bundle is triaged.
    pub settings: Settings,
    /// The build that runs it.
    pub program: Program,
}

/// A manifest, and what was left out of it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The manifest.
    pub manifest: Manifest,
    /// Files of the folder that are not called like an archive.
    pub left_out: Vec<PathBuf>,
}

/// Makes a manifest. The same folder, settings and program give the same one.
///
/// # Errors
/// A usage error for a path that is not there, a tenant that cannot be told, a bundle listed twice.
pub fn plan(request: &PlanRequest) -> Result<Planned> {
    let (root, found, left_out) = find(&request.from)?;
    if found.is_empty() {
        return Err(Error::usage(format!(
            "there is no bundle in {}",
            files::shown(&request.from)
        ))
        .hint(format!("a bundle is called {}", ENDINGS.join(", "))));
    }
    if found.len() > MAX_ITEMS {
        return Err(Error::usage(format!(
            "{} bundles are more than the {MAX_ITEMS} of one manifest",
            found.len()
        ))
        .hint("plan them in parts"));
    }
    let mut items = Vec::with_capacity(found.len());
    for file in found {
        let path = file.path.to_str().ok_or_else(|| {
            Error::usage(format!(
                "the name of {} is not UTF-8",
                files::shown(&file.path)
            ))
            .hint("rename the file")
        })?;
        let tenant = match &request.tenant {
            Some(from) => Some(from.of(&root, &file.path)?),
            None => None,
        };
        let sha256 = files::sha256(&root.join(&file.path)).or_fail(
            ExitCode::Usage,
            format!("failed to read the bundle {}", files::shown(&file.path)),
        )?;
        items.push(Item {
            id: Item::id_of(path, &sha256, tenant.as_deref()),
            path: path.to_owned(),
            bytes: file.bytes,
            sha256,
            tenant,
            shard: 0,
        });
    }
    items.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(twice) = items.windows(2).find(|pair| pair[0].path == pair[1].path) {
        return Err(Error::usage(format!(
            "the bundle {} is listed twice",
            files::shown(Path::new(&twice[0].path))
        )));
    }
    deal(&mut items, request.shards.max(1));
    let root = root
        .to_str()
        .ok_or_else(|| Error::usage(format!("the name of {} is not UTF-8", files::shown(&root))))?;
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        digest: String::new(),
        program: request.program.clone(),
        settings: request.settings.clone(),
        root: root.to_owned(),
        shards: request.shards.max(1),
        items,
    };
    manifest.digest = manifest.computed_digest()?;
    Ok(Planned { manifest, left_out })
}

/// The largest first, each to the shard that has the least to do: shards end at about the same time.
fn deal(items: &mut [Item], shards: u32) {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| (items[b].bytes, &items[a].path).cmp(&(items[a].bytes, &items[b].path)));
    let mut load = vec![(0_u64, 0_u64); shards as usize];
    for at in order {
        let least = (0..load.len())
            .min_by_key(|&shard| load[shard])
            .unwrap_or(0);
        load[least].0 = load[least].0.saturating_add(items[at].bytes);
        load[least].1 += 1;
        items[at].shard = u32::try_from(least).unwrap_or(0);
    }
}

fn find(from: &Path) -> Result<(PathBuf, Vec<Walked>, Vec<PathBuf>)> {
    let name = files::shown(from);
    let at = files::canonical(from)
        .or_fail(ExitCode::Usage, format!("failed to find {name}"))
        .map_err(|error| error.hint("give a folder of bundles, or a file with a path a line"))?;
    if files::is_dir(&at) {
        let (found, rest): (Vec<_>, Vec<_>) = files::walk(&at)?.into_iter().partition(|file| {
            let name = file.path.to_string_lossy().to_ascii_lowercase();
            ENDINGS.iter().any(|ending| name.ends_with(ending))
        });
        return Ok((at, found, rest.into_iter().map(|file| file.path).collect()));
    }
    let text = files::read_text(&at)
        .or_fail(ExitCode::Usage, format!("failed to read the list {name}"))
        .map_err(|error| error.hint("a list is a text file with the path of a bundle a line"))?;
    let base = at.parent().unwrap_or(Path::new("/"));
    let mut paths = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The folder is resolved, the name kept: a link keeps the name that the person knows.
        let given = base.join(line);
        let missing = || format!("failed to find the bundle of line {} of {name}", number + 1);
        let (Some(parent), Some(file)) = (given.parent(), given.file_name()) else {
            return Err(Error::usage(missing()));
        };
        let path = files::canonical(parent)
            .or_fail(ExitCode::Usage, missing())?
            .join(file);
        if !files::exists(&path) || files::is_dir(&path) {
            return Err(Error::usage(format!(
                "{}: {}",
                missing(),
                files::shown(&path)
            )));
        }
        paths.push(path);
    }
    let root = common(&paths);
    let mut found = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = files::size(&path);
        let below = path.strip_prefix(&root).unwrap_or(&path).to_owned();
        found.push(Walked { path: below, bytes });
    }
    Ok((root, found, vec![]))
}

/// The deepest folder that holds all of `paths`, which are absolute.
fn common(paths: &[PathBuf]) -> PathBuf {
    let mut root = paths
        .first()
        .and_then(|path| path.parent())
        .unwrap_or(Path::new("/"));
    for path in paths {
        while !path.starts_with(root) {
            root = root.parent().unwrap_or(Path::new("/"));
        }
    }
    root.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_even_and_the_common_folder_is_the_deepest() {
        let item = |path: &str, bytes| Item {
            id: String::new(),
            path: path.into(),
            bytes,
            sha256: String::new(),
            tenant: None,
            shard: 9,
        };
        let mut items = [
            item("a", 10),
            item("b", 60),
            item("c", 30),
            item("d", 20),
            item("e", 0),
        ];
        deal(&mut items, 2);
        let shards: Vec<_> = items.iter().map(|item| item.shard).collect();
        assert_eq!(shards, [1, 0, 1, 1, 0]);
        let paths = ["/in/a/1.tar", "/in/ab/2.tar"].map(PathBuf::from);
        assert_eq!(common(&paths), Path::new("/in"));
        assert_eq!(common(&paths[..1]), Path::new("/in/a"));
    }
}
