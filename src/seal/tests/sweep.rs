//! Every system call by its number, in a sealed process of each zone, compared with the table
//! `sandbox/seccomp/sweep.json`. A call that gets through and is not in the table, or the other way
//! round, fails the test by name.
//!
//! Each number is called twice, with all arguments -1 and with all arguments 0: no descriptor, no
//! address, no process. What the allow-list lets through then ends in the kernel's own refusal.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the table, which is data of the repository"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::filters::{self, Filters};
use super::super::{SealPlan, Zone, close, enter, privileges, sys};
use super::{pipe, plan};

/// The bit of the x32 interface's numbers.
const X32: u64 = 0x4000_0000;
/// The numbers of this kernel generation, with room above for later ones.
const KNOWN: u64 = 600;
/// Numbers that no kernel has: around the sign bit, and -1.
const FAR: [u64; 4] = [0xffff, 0x7fff_ffff, 0x8000_0000, u64::MAX];
/// How long one call may take before it counts as one that blocks.
const PATIENCE: Duration = Duration::from_secs(10);
/// A call that ended its process by a signal; which one depends on what lay on the stack.
const KILLED: &str = "killed";
/// What a refused call answers; not written into the table.
const REFUSED: &str = "EPERM";

/// The table: names by number, and what gets through in each state of each zone.
#[derive(Debug, Serialize, Deserialize)]
struct Table {
    about: String,
    /// Calls that newer kernels carry out or refuse without asking a filter.
    unfiltered: Vec<String>,
    /// Names of calls by number; an empty name for a number that was never given.
    names: Vec<String>,
    /// State, arguments, call, answer.
    states: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
}

fn path() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sandbox/seccomp/sweep.json")
}

fn numbers() -> Vec<u64> {
    let known = 0..KNOWN;
    known
        .clone()
        .chain(known.map(|number| X32 | number))
        .chain(FAR)
        .collect()
}

impl Table {
    fn name(&self, number: u64) -> String {
        let (prefix, plain) = if (X32..X32 + KNOWN).contains(&number) {
            ("x32 ", number & !X32)
        } else {
            ("", number)
        };
        let name = usize::try_from(plain)
            .ok()
            .and_then(|at| self.names.get(at))
            .filter(|name| !name.is_empty());
        match name {
            Some(name) => format!("{prefix}{name}"),
            None => format!("{prefix}number {plain}"),
        }
    }
}

/// The states a process of narrowroom can be in.
#[derive(Debug, Clone, Copy)]
enum State {
    Closed(Zone),
    Narrowed,
    Waiter,
    /// The control: no filter at all, and few calls, for the others would be carried out.
    Open,
}

impl State {
    const SEALED: [(&str, State); 5] = [
        ("unpack", State::Closed(Zone::Unpack)),
        ("room", State::Closed(Zone::Room)),
        ("room-narrow", State::Narrowed),
        ("verify", State::Closed(Zone::Verify)),
        ("waiter", State::Waiter),
    ];

    /// Puts this process into the state.
    fn take(self, plan: &SealPlan) -> Option<()> {
        match self {
            State::Closed(_) => enter(plan).and_then(close).map(drop).ok(),
            State::Narrowed => {
                let sealed = enter(plan).and_then(close).ok()?;
                Filters::narrow().ok()?.apply_to_all_threads().ok()?;
                std::mem::forget(sealed);
                Some(())
            }
            State::Waiter | State::Open => Some(()),
        }
    }
}

/// Calls `numbers` one by one and writes what each answers: the errno, 0 for success.
fn call_all(numbers: &[u64], argument: usize, out: &OwnedFd) {
    const STARTS_A_PROCESS: [libc::c_long; 4] = [
        libc::SYS_fork,
        libc::SYS_vfork,
        libc::SYS_clone,
        libc::SYS_clone3,
    ];
    for number in numbers {
        #[expect(clippy::cast_possible_wrap, reason = "the kernel takes the bits")]
        let number = *number as libc::c_long;
        // SAFETY: none is promised. Whatever the call does happens to a process that exists for
        // it; addresses are 0 or beyond every mapping.
        let answer = unsafe { sys::call(number, [argument; 6]) };
        if answer == Ok(0) && STARTS_A_PROCESS.contains(&number) {
            sys::exit_now(0);
        }
        let errno = answer.err().unwrap_or(0);
        if rustix::io::write(out, &errno.to_ne_bytes()) != Ok(4) {
            sys::exit_now(1);
        }
    }
}

/// What each of `numbers` answers in the process that waits, which cannot write: a process a call,
/// and its exit status tells.
fn sweep_waiter(numbers: &[u64], argument: usize) -> Vec<String> {
    let answer = |number: &u64| {
        // SAFETY: as in `start`.
        let pid = unsafe { sys::fork() }.unwrap();
        if pid == 0 {
            if privileges::no_new_privs().is_err() || filters::apply_waiter().is_err() {
                sys::exit_now(254);
            }
            #[expect(clippy::cast_possible_wrap, reason = "the kernel takes the bits")]
            let number = *number as libc::c_long;
            // SAFETY: as in `call_all`.
            let answer = unsafe { sys::call(number, [argument; 6]) };
            sys::exit_now(answer.err().unwrap_or(0));
        }
        let status = sys::wait(pid).unwrap();
        if libc::WIFSIGNALED(status) {
            return KILLED.to_owned();
        }
        match libc::WEXITSTATUS(status) {
            0 => "done".to_owned(),
            code @ 254.. => format!("ends with {code}"),
            errno => sys::errno_name(errno),
        }
    };
    numbers.iter().map(answer).collect()
}

/// What each of `numbers` answers in `state`, in words.
fn sweep(state: State, numbers: &[u64], argument: usize) -> Vec<String> {
    if matches!(state, State::Waiter) {
        return sweep_waiter(numbers, argument);
    }
    let scratch = tempfile::tempdir().unwrap();
    let mut answers = Vec::new();
    while answers.len() < numbers.len() {
        let (read, write) = pipe();
        let zone = match state {
            State::Closed(zone) => zone,
            _ => Zone::Room,
        };
        let mut plan = plan(zone, &scratch);
        plan.keep_fds = vec![write.as_raw_fd()];
        let left = &numbers[answers.len()..];
        // SAFETY: as in `start`.
        let pid = unsafe { sys::fork() }.unwrap();
        if pid == 0 {
            drop(read);
            if state.take(&plan).is_none() {
                sys::exit_now(super::NOT_SEALED);
            }
            call_all(left, argument, &write);
            sys::exit_now(0);
        }
        drop(write);
        let before = answers.len();
        let blocked = listen(read, &mut answers);
        if blocked {
            // SAFETY: the process was started above and not yet waited for.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        let status = sys::wait(pid).unwrap();
        if answers.len() == numbers.len() {
            break;
        }
        assert!(
            answers.len() > before
                || !libc::WIFEXITED(status)
                || libc::WEXITSTATUS(status) != super::NOT_SEALED,
            "{state:?} could not be sealed"
        );
        answers.push(match (blocked, libc::WIFSIGNALED(status)) {
            (true, _) => "blocks".to_owned(),
            (false, true) => KILLED.to_owned(),
            (false, false) => format!("ends with {}", libc::WEXITSTATUS(status)),
        });
    }
    answers
}

/// Reads answers to the end of the pipe; whether the end did not come.
fn listen(read: OwnedFd, answers: &mut Vec<String>) -> bool {
    let mut read = std::fs::File::from(read);
    loop {
        let mut poll = libc::pollfd {
            fd: read.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let patience = i32::try_from(PATIENCE.as_millis()).unwrap();
        // SAFETY: one structure, alive through the call.
        if unsafe { libc::poll(&mut poll, 1, patience) } == 0 {
            return true;
        }
        let mut errno = [0; 4];
        if read.read_exact(&mut errno).is_err() {
            return false;
        }
        answers.push(match i32::from_ne_bytes(errno) {
            0 => "done".to_owned(),
            errno => sys::errno_name(errno),
        });
    }
}

#[test]
fn each_system_call_is_answered_in_each_zone_as_the_table_says() {
    let mut table: Table = serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap();
    let mut found: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>> = BTreeMap::new();
    let numbers = numbers();
    for (name, state) in State::SEALED {
        for (arguments, argument) in [("all -1", usize::MAX), ("all 0", 0)] {
            let through = sweep(state, &numbers, argument)
                .into_iter()
                .zip(&numbers)
                .filter(|(answer, _)| answer != REFUSED)
                .map(|(answer, number)| (table.name(*number), answer))
                .collect();
            let of_state = found.entry(name.to_owned()).or_default();
            of_state.insert(arguments.to_owned(), through);
        }
    }
    if std::env::var_os("NARROWROOM_UPDATE_SWEEP").is_some() {
        table.states = found;
        let text = serde_json::to_string_pretty(&table).unwrap() + "\n";
        std::fs::write(path(), text).unwrap();
        return;
    }
    let differences = differences(&table, &found);
    assert!(
        differences.is_empty(),
        "{}\nEither sandbox/seccomp/*.json was changed, or this kernel or C library answers otherwise. \
         A call that got through and should not: take it off the list. If the difference is meant, \
         write the table again (NARROWROOM_UPDATE_SWEEP=1) and review what changed in it.",
        differences.join("\n")
    );
    let states = found.len();
    println!(
        "sweep: {} system-call numbers in {states} states, twice each, as the table says",
        numbers.len()
    );
}

type States = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

/// One sentence for each call that is answered otherwise than the table says.
fn differences(table: &Table, found: &States) -> Vec<String> {
    let refused = REFUSED.to_owned();
    let none = BTreeMap::new();
    let mut differences = Vec::new();
    for (state, sets) in found {
        for (arguments, answers) in sets {
            let wanted = table
                .states
                .get(state)
                .and_then(|sets| sets.get(arguments))
                .unwrap_or(&none);
            let calls: std::collections::BTreeSet<_> =
                wanted.keys().chain(answers.keys()).collect();
            for call in calls {
                let (want, got) = (
                    wanted.get(call).unwrap_or(&refused),
                    answers.get(call).unwrap_or(&refused),
                );
                if want != got && !(table.unfiltered.contains(call) && *got == refused) {
                    differences.push(format!(
                        "{state}: {call}, arguments {arguments}: {got}, and the table says {want}"
                    ));
                }
            }
        }
    }
    differences
}

#[test]
fn the_table_grants_exactly_what_the_lists_name() {
    let table: Table = serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap();
    for (state, json) in filters::FILES {
        let listed = filters::calls(json);
        let through: std::collections::BTreeSet<String> = table.states[state]
            .values()
            .flat_map(|answers| answers.keys().cloned())
            .collect();
        let more: Vec<_> = through
            .difference(&listed)
            .filter(|call| !table.unfiltered.contains(call))
            .collect();
        assert!(more.is_empty(), "{state}: {more:?} get through unlisted");
        // What is listed only with certain arguments is refused with these; all else gets through.
        let open: Vec<_> = filters::unconditional(json)
            .difference(&through)
            .cloned()
            .collect();
        assert!(open.is_empty(), "{state}: {open:?} are listed and refused");
    }
}

#[test]
fn without_a_seal_the_same_sweep_finds_calls_that_get_through() {
    let harmless = [
        libc::SYS_socket,
        libc::SYS_getpid,
        libc::SYS_execve,
        libc::SYS_ptrace,
        libc::SYS_io_uring_setup,
        libc::SYS_exit_group,
        libc::SYS_getppid,
    ]
    .map(|number| u64::try_from(number).unwrap());
    let answers = sweep(State::Open, &harmless, usize::MAX);
    assert_eq!(answers[1], "done");
    assert_eq!(answers[2], "EFAULT");
    assert_eq!(answers[5], "ends with 255");
    assert_eq!(answers[6], "done", "the sweep goes on after a death");
    assert!(
        answers.iter().all(|answer| answer != REFUSED),
        "{answers:?}"
    );
}

#[test]
fn a_difference_names_the_call_and_both_answers() {
    let states = |call: &str| -> States {
        let answers = BTreeMap::from([(call.to_owned(), "EBADF".to_owned())]);
        BTreeMap::from([(
            "room".to_owned(),
            BTreeMap::from([("all -1".to_owned(), answers)]),
        )])
    };
    let table = Table {
        about: String::new(),
        unfiltered: vec!["uprobe".into()],
        names: vec![],
        states: states("read"),
    };
    assert!(differences(&table, &states("read")).is_empty());
    let found = differences(&table, &states("socket"));
    assert_eq!(
        found,
        [
            "room: read, arguments all -1: EPERM, and the table says EBADF",
            "room: socket, arguments all -1: EBADF, and the table says EPERM",
        ]
    );
}
