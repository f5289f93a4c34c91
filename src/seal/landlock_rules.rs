//! Landlock: every right the kernel knows is handled, only the granted directories are given back.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::advice::Missing;
use super::plan::{Layer, SealPlan};
use super::sys;
use std::path::PathBuf;

/// The Landlock ABI of the running kernel, 0 where there is none.
pub(super) fn abi() -> u32 {
    const VERSION: usize = 1; // LANDLOCK_CREATE_RULESET_VERSION
    // SAFETY: with this flag the call takes no attribute and only returns a number.
    let real = unsafe { sys::call(libc::SYS_landlock_create_ruleset, [0, 0, VERSION, 0, 0, 0]) }
        .map_or(0, |version| u32::try_from(version).unwrap_or(0));
    super::mutation::landlock_abi(real)
}

/// The newest ABI that both the kernel and this program know.
fn known(abi: u32) -> Option<ABI> {
    Some(match abi {
        0 => return None,
        1 => ABI::V1,
        2 => ABI::V2,
        3 => ABI::V3,
        4 => ABI::V4,
        5 => ABI::V5,
        6 => ABI::V6,
        7 => ABI::V7,
        8 => ABI::V8,
        _ => ABI::V9,
    })
}

/// What a granted directory or file gives back.
fn rights(abi: ABI, writable: bool, is_dir: bool) -> BitFlags<AccessFs> {
    let mut rights = AccessFs::ReadFile | AccessFs::ReadDir;
    if writable {
        rights |= AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::MakeReg
            | AccessFs::MakeDir
            | AccessFs::RemoveFile
            | AccessFs::RemoveDir
            | AccessFs::Refer;
    }
    if !is_dir {
        rights &= AccessFs::from_file(abi);
    }
    rights & AccessFs::from_all(abi)
}

/// The rules of a plan, known to the kernel and not yet in force. Made while the worker still may
/// open what it is granted, in force after it became nobody.
#[derive(Debug)]
pub(super) struct Rules {
    created: RulesetCreated,
    kernel_abi: u32,
}

fn missing(detail: String) -> Missing {
    Missing::because(Layer::Landlock, detail)
}

fn failed(error: landlock::RulesetError) -> Missing {
    missing(error.to_string())
}

/// Prepares rules that handle everything the kernel has and give back what the plan grants.
///
/// # Errors
/// The missing layer: no Landlock, or a right or a path that cannot be handled.
pub(super) fn prepare(plan: &SealPlan, own_root: bool, kernel_abi: u32) -> Result<Rules, Missing> {
    let granted: Vec<(PathBuf, PathBuf, bool)> = plan
        .mounts()
        .filter_map(|(mount, writable)| {
            let path = plan.reach(&mount.inside, own_root)?;
            Some((mount.host.clone(), path, writable))
        })
        .collect();
    rules(&granted, kernel_abi)
}

/// As [`prepare`], for paths that are granted where they are; `true`: to be written too.
///
/// # Errors
/// As [`prepare`].
pub(super) fn grant(paths: &[(PathBuf, bool)], kernel_abi: u32) -> Result<Rules, Missing> {
    let granted: Vec<(PathBuf, PathBuf, bool)> = paths
        .iter()
        .map(|(path, writable)| (path.clone(), path.clone(), *writable))
        .collect();
    rules(&granted, kernel_abi)
}

/// Rules that give back paths, by the name a person knows, the name here, and whether they may be written.
fn rules(granted: &[(PathBuf, PathBuf, bool)], kernel_abi: u32) -> Result<Rules, Missing> {
    let abi = known(kernel_abi).ok_or_else(|| missing("this kernel has no Landlock".into()))?;

    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(abi))
        .map_err(failed)?;
    if kernel_abi >= 4 {
        ruleset = ruleset
            .handle_access(AccessNet::from_all(abi))
            .map_err(failed)?;
    }
    if kernel_abi >= 6 {
        ruleset = ruleset.scope(Scope::from_all(abi)).map_err(failed)?;
    }
    let mut created = ruleset.create().map_err(failed)?;
    for (shown, path, writable) in granted {
        let unreadable = |error: &dyn std::fmt::Display| {
            missing(format!("{} cannot be granted: {error}", shown.display()))
        };
        let is_dir = rustix::fs::stat(path)
            .map(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
            .map_err(|error| unreadable(&error))?;
        let fd = PathFd::new(path).map_err(|error| unreadable(&error))?;
        let rule = PathBeneath::new(fd, rights(abi, *writable, is_dir));
        created = created.add_rule(rule).map_err(failed)?;
    }
    Ok(Rules {
        created,
        kernel_abi,
    })
}

/// Restricts this thread and all that it starts from now on; what is restricted, in words.
///
/// # Errors
/// The missing layer, for anything but full enforcement.
pub(super) fn enforce(rules: Rules) -> Result<String, Missing> {
    // no_new_privs is a layer of its own and was set before.
    let status = rules
        .created
        .no_new_privs(false)
        .restrict_self()
        .map_err(failed)?;
    if status.ruleset != RulesetStatus::FullyEnforced {
        return Err(missing(format!(
            "the kernel enforces it only as {:?}",
            status.ruleset
        )));
    }
    Ok(match rules.kernel_abi {
        1 => "ABI 1: paths; not truncation, TCP, device ioctls, abstract sockets and signals",
        2 => "ABI 2: paths; not truncation, TCP, device ioctls, abstract sockets and signals",
        3 => "ABI 3: paths; not TCP, device ioctls, abstract sockets and signals",
        4 => "ABI 4: paths and TCP; not device ioctls, abstract sockets and signals",
        5 => "ABI 5: paths, TCP and device ioctls; not abstract sockets and signals",
        _ => "paths, TCP, device ioctls, abstract sockets and signals",
    }
    .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_granted_can_be_executed_and_only_writable_mounts_write() {
        for abi in 1..=9 {
            let abi = known(abi).unwrap();
            for writable in [false, true] {
                for is_dir in [false, true] {
                    let rights = rights(abi, writable, is_dir);
                    assert!(!rights.contains(AccessFs::Execute));
                    assert_eq!(rights.contains(AccessFs::WriteFile), writable);
                    assert!(!rights.intersects(
                        AccessFs::MakeSym
                            | AccessFs::MakeChar
                            | AccessFs::MakeBlock
                            | AccessFs::MakeSock
                            | AccessFs::MakeFifo
                    ));
                    assert!(is_dir || !rights.contains(AccessFs::ReadDir));
                }
            }
        }
        assert!(known(0).is_none());
    }
}
