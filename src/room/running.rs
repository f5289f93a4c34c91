//! Which rooms run now: sealed workers of this program, found in proc(5) by what they were started with.
//!
//! Zone 0. Reads `/proc/<pid>/{cmdline,environ,stat,status}` of processes of the same user; nothing of a
//! bundle is in them.

use super::protocol::{BOOT_VARIABLE, Boot};
use crate::files;
use crate::model::Usage;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A sealed worker that has a model.
#[derive(Debug, Clone, Serialize)]
pub struct RunningRoom {
    /// Process id of the worker, as this machine counts.
    pub pid: u32,
    /// Process id of the program that started it.
    pub started_by: u32,
    /// What it does: `room` (triage) or `guard-room` (review of a change).
    pub task: String,
    /// The model's folder.
    pub model: PathBuf,
    /// Context asked of the model, in tokens.
    pub context: u32,
    /// Seconds since it was started.
    pub seconds: u64,
    /// Its resident memory.
    pub memory: Usage,
}

/// The rooms of this user that run now, the oldest first.
pub fn running() -> Vec<RunningRoom> {
    let mut processes = BTreeMap::new();
    for pid in files::names(Path::new("/proc")).unwrap_or_default() {
        if let Some(process) = pid.parse().ok().and_then(Process::read) {
            processes.insert(process.pid, process);
        }
    }
    // The outer process waits, the sealed one is its child and holds the memory.
    let mut rooms: Vec<RunningRoom> = processes
        .values()
        .filter(|process| !processes.contains_key(&process.parent))
        .filter_map(|outer| {
            let inner = processes
                .values()
                .filter(|process| process.parent == outer.pid);
            let family: Vec<&Process> = inner.chain([outer]).collect();
            let boot = family.iter().find_map(|process| process.boot.as_ref())?;
            Some(RunningRoom {
                pid: outer.pid,
                started_by: outer.parent,
                task: outer.task.clone(),
                model: boot.model.clone()?,
                context: boot.limits.context,
                seconds: outer.seconds,
                memory: family
                    .iter()
                    .filter_map(|process| Usage::of(process.pid))
                    .fold(Usage::default(), Usage::most),
            })
        })
        .collect();
    rooms.sort_by_key(|room| (std::cmp::Reverse(room.seconds), room.pid));
    rooms
}

/// Resident memory of a worker, the larger of its two processes; `outer` is the one that was started.
pub fn memory(outer: u32) -> Usage {
    let children = files::read_text(Path::new(&format!("/proc/{outer}/task/{outer}/children")));
    let children = children.unwrap_or_default();
    children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .chain([outer])
        .filter_map(Usage::of)
        .fold(Usage::default(), Usage::most)
}

struct Process {
    pid: u32,
    parent: u32,
    task: String,
    seconds: u64,
    boot: Option<Boot>,
}

impl Process {
    /// A worker of this program with a model; none for every other process.
    fn read(pid: u32) -> Option<Self> {
        let file = |name: &str| files::read_text(Path::new(&format!("/proc/{pid}/{name}"))).ok();
        let command = file("cmdline")?;
        let mut words = command.split('\0');
        let task = match (words.next()?, words.next()?, words.next()?) {
            ("narrowroom", "__worker", task) => task.to_owned(),
            _ => return None,
        };
        let (parent, ticks) = parse_stat(&file("stat")?)?;
        let environment = file("environ").unwrap_or_default();
        let boot = environment
            .split('\0')
            .find_map(|pair| pair.strip_prefix(BOOT_VARIABLE)?.strip_prefix('='))
            .and_then(|text| serde_json::from_str(text).ok());
        let uptime = files::read_text(Path::new("/proc/uptime")).ok()?;
        let uptime: f64 = uptime.split_whitespace().next()?.parse().ok()?;
        let rate = rustix::param::clock_ticks_per_second().max(1);
        Some(Self {
            pid,
            parent,
            task,
            seconds: (uptime as u64).saturating_sub(ticks / rate),
            boot,
        })
    }
}

/// Parent and start time in ticks. The name in parentheses may hold anything, so that fields are
/// counted from its end.
fn parse_stat(stat: &str) -> Option<(u32, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some((fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_does_not_shift_the_fields() {
        let stat = "77 (a) b (c) S 42 77 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9001 100 5";
        assert_eq!(parse_stat(stat), Some((42, 9001)));
        assert_eq!(parse_stat("77 (x"), None);
    }

    #[test]
    fn this_process_is_no_room() {
        let own = std::process::id();
        assert!(running().iter().all(|room| room.pid != own));
        assert!(memory(own).anonymous > 0);
    }
}
