//! The seccomp allow-lists: data under `sandbox/seccomp/`, compiled here and given to the kernel.

use seccompiler::{BpfProgram, TargetArch};
use std::collections::HashMap;

use super::advice::Missing;
use super::plan::{Layer, Zone};

const UNPACK: &str = include_str!("../../sandbox/seccomp/unpack.json");
const ROOM: &str = include_str!("../../sandbox/seccomp/room.json");
const NARROW: &str = include_str!("../../sandbox/seccomp/room-narrow.json");
const VERIFY: &str = include_str!("../../sandbox/seccomp/verify.json");
const IMPORT: &str = include_str!("../../sandbox/seccomp/import.json");
const WAITER: &str = include_str!("../../sandbox/seccomp/waiter.json");

/// The filter of a file that lists what is allowed; the rest is refused with EPERM.
const ALLOWED: &str = "allowed";
/// The filter of a file that lists what must look unimplemented (ENOSYS), so that the C library
/// falls back to a call whose arguments can be checked. Installed first; the stricter answer of
/// two filters wins.
const UNIMPLEMENTED: &str = "unimplemented";

/// The filter of a file that lists what is refused; the rest is allowed.
const DENIED: &str = "denied";

/// The compiled filters of one zone, in the order of installation.
#[derive(Debug)]
pub(super) struct Filters(Vec<BpfProgram>);

impl Filters {
    /// The filters a zone is closed with.
    pub fn of(zone: Zone) -> Result<Self, Missing> {
        compile(match zone {
            Zone::Unpack => UNPACK,
            Zone::Room => ROOM,
            Zone::Verify => VERIFY,
        })
    }

    /// The filter the room is narrowed with.
    pub fn narrow() -> Result<Self, Missing> {
        compile(NARROW)
    }

    /// Gives the filters to the kernel for this thread and all it starts.
    pub fn apply(&self) -> Result<(), Missing> {
        self.0
            .iter()
            .try_for_each(|program| seccompiler::apply_filter(program))
            .map_err(missing)
    }

    /// Gives the filters to the kernel for every thread of this process at once.
    pub fn apply_to_all_threads(&self) -> Result<(), Missing> {
        let apply = |program: &BpfProgram| seccompiler::apply_filter_all_threads(program);
        self.0.iter().try_for_each(apply).map_err(missing)
    }
}

/// Leaves the process that waits outside with next to nothing.
pub(super) fn apply_waiter() -> Result<(), Missing> {
    compile(WAITER)?.apply()
}

/// The filter of a process that imports a model.
pub(super) fn import() -> Result<Filters, Missing> {
    match programs(IMPORT)?.remove(DENIED) {
        Some(denied) => Ok(Filters(vec![denied])),
        None => Err(missing("it lists nothing")),
    }
}

fn programs(json: &str) -> Result<HashMap<String, BpfProgram>, Missing> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)
        .ok()
        .filter(|_| cfg!(target_arch = "x86_64"))
        .ok_or_else(|| {
            let text = format!("there is no allow-list for {}", std::env::consts::ARCH);
            Missing::because(Layer::Seccomp, text)
        })?;
    seccompiler::compile_from_json(json.as_bytes(), arch).map_err(missing)
}

fn compile(json: &str) -> Result<Filters, Missing> {
    let mut map = programs(json)?;
    let first = map.remove(UNIMPLEMENTED);
    let main = map.remove(ALLOWED);
    match (main, map.is_empty()) {
        (Some(main), true) => Ok(Filters(first.into_iter().chain([main]).collect())),
        _ => Err(Missing::because(
            Layer::Seccomp,
            "the allow-list has unknown or missing parts",
        )),
    }
}

fn missing(error: impl std::fmt::Display) -> Missing {
    Missing::because(
        Layer::Seccomp,
        format!("the allow-list could not be enforced: {error}"),
    )
}

/// Whether a filter is in force for this thread, with words.
pub(super) fn check() -> (bool, String) {
    match super::sys::prctl(libc::PR_GET_SECCOMP, [0; 4]) {
        Ok(2) => (true, "allow-list in force".to_owned()),
        Ok(mode) => (false, format!("mode {mode}, no allow-list")),
        Err(errno) => (
            false,
            format!("could not be read: {}", super::sys::errno_name(errno)),
        ),
    }
}

#[cfg(test)]
pub(super) use tests::{FILES, calls, unconditional};

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    /// Each list by the name of its state.
    pub const FILES: [(&str, &str); 5] = [
        ("unpack", UNPACK),
        ("room", ROOM),
        ("room-narrow", NARROW),
        ("verify", VERIFY),
        ("waiter", WAITER),
    ];

    /// The rules of a file's allow-list: call and conditions.
    fn rules(json: &str) -> Vec<(String, Option<serde_json::Value>)> {
        let file: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(file[ALLOWED]["mismatch_action"]["errno"], libc::EPERM);
        assert_eq!(file[ALLOWED]["match_action"], "allow");
        let rules = file[ALLOWED]["filter"].as_array().unwrap();
        rules
            .iter()
            .map(|rule| {
                let call = rule["syscall"].as_str().unwrap().to_owned();
                (call, rule.get("args").cloned())
            })
            .collect()
    }

    /// The calls a list names, with and without conditions.
    pub fn calls(json: &str) -> BTreeSet<String> {
        rules(json).into_iter().map(|(call, _)| call).collect()
    }

    /// The calls a list grants whatever their arguments are.
    pub fn unconditional(json: &str) -> BTreeSet<String> {
        let open = rules(json).into_iter().filter(|(_, args)| args.is_none());
        open.map(|(call, _)| call).collect()
    }

    #[test]
    fn every_list_compiles() {
        for (name, json) in FILES {
            assert!(compile(json).is_ok(), "{name}");
        }
    }

    #[test]
    fn no_rule_is_redundant() {
        for (name, json) in FILES {
            let mut seen: BTreeMap<String, Vec<Option<serde_json::Value>>> = BTreeMap::new();
            for (call, args) in rules(json) {
                let before = seen.entry(call.clone()).or_default();
                assert!(!before.contains(&args), "{name}: {call} is listed twice");
                before.push(args);
                let open = before.iter().any(Option::is_none);
                assert!(
                    !open || before.len() == 1,
                    "{name}: {call} has a rule without conditions"
                );
            }
        }
    }

    #[test]
    fn every_rule_says_why_it_is_there() {
        for (name, json) in FILES {
            let file: serde_json::Value = serde_json::from_str(json).unwrap();
            for (_, filter) in file.as_object().unwrap() {
                for rule in filter["filter"].as_array().unwrap() {
                    let why = rule["comment"].as_str().unwrap_or("");
                    assert!(why.len() > 8, "{name}: {} has no reason", rule["syscall"]);
                }
            }
        }
    }

    #[test]
    fn no_list_holds_a_way_out() {
        const NEVER: &[&str] = &[
            "socket",
            "connect",
            "bind",
            "listen",
            "accept",
            "accept4",
            "sendto",
            "sendmsg",
            "socketpair",
            "execve",
            "execveat",
            "fork",
            "vfork",
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "pidfd_open",
            "pidfd_getfd",
            "io_uring_setup",
            "io_uring_enter",
            "io_uring_register",
            "mount",
            "umount2",
            "unshare",
            "setns",
            "chroot",
            "pivot_root",
            "keyctl",
            "add_key",
            "request_key",
            "userfaultfd",
            "bpf",
            "perf_event_open",
            "shmget",
            "shmat",
            "semget",
            "msgget",
            "open_by_handle_at",
            "name_to_handle_at",
            "personality",
            "capset",
            "setuid",
            "setresuid",
            "setgid",
            "memfd_create",
            "memfd_secret",
            "pkey_mprotect",
            "remap_file_pages",
            "linkat",
            "link",
            "symlinkat",
            "symlink",
            "mknod",
            "mknodat",
            "chmod",
            "fchmod",
            "fchmodat",
            "chown",
            "fchown",
            "fchownat",
            "setxattr",
            "fsetxattr",
            "ioctl",
            "init_module",
            "kexec_load",
            "reboot",
        ];
        for (name, json) in FILES {
            for never in NEVER {
                assert!(!calls(json).contains(*never), "{name} allows {never}");
            }
        }
    }

    #[test]
    fn no_list_grants_executable_memory() {
        for (name, json) in FILES {
            for (call, args) in rules(json) {
                if call != "mmap" && call != "mprotect" {
                    continue;
                }
                let args = args.unwrap_or_else(|| panic!("{name}: {call} is unconditional"));
                let forbids = args.as_array().unwrap().iter().any(|arg| {
                    arg["index"] == 2
                        && arg["val"] == 0
                        && arg["op"]["masked_eq"]
                            .as_u64()
                            .is_some_and(|mask| mask & 4 == 4)
                });
                assert!(forbids, "{name}: {call} may make memory executable");
            }
        }
    }

    #[test]
    fn the_zones_that_write_nothing_have_no_call_that_writes_a_path() {
        let writes = [
            "mkdirat",
            "mkdir",
            "unlinkat",
            "unlink",
            "renameat",
            "renameat2",
            "ftruncate",
        ];
        for json in [ROOM, NARROW, VERIFY] {
            assert!(writes.iter().all(|call| !calls(json).contains(*call)));
        }
        assert!(
            calls(UNPACK).contains("mkdirat"),
            "the test must be able to see one"
        );
    }

    #[test]
    fn narrowing_only_takes_away() {
        let room = calls(ROOM);
        let more: Vec<_> = calls(NARROW).difference(&room).cloned().collect();
        assert!(
            more.is_empty(),
            "{more:?} is refused by the room's first list anyway"
        );
    }
}
