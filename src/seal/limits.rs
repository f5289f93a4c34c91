//! Limits of the process, set hard and read back.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::advice::Missing;
use super::plan::{Layer, ProcessLimits};

/// The limits of a plan, resource by resource, with the name `ulimit` users know.
fn wanted(limits: &ProcessLimits) -> Vec<(Resource, &'static str, u64)> {
    let mut wanted = vec![
        (Resource::Core, "core", 0),
        (Resource::Data, "data", limits.memory_bytes),
        (Resource::Cpu, "cpu", limits.cpu_seconds),
        (Resource::Fsize, "file size", limits.file_bytes),
        (Resource::Nofile, "open files", limits.open_files),
        (
            Resource::Nproc,
            "processes",
            limits.threads.saturating_add(1),
        ),
        (Resource::Memlock, "locked memory", 0),
        (Resource::Msgqueue, "message queues", 0),
        (Resource::Sigpending, "pending signals", 64),
        (Resource::Rtprio, "realtime priority", 0),
    ];
    if let Some(bytes) = limits.address_space_bytes {
        wanted.push((Resource::As, "address space", bytes));
    }
    wanted
}

/// No memory image of this process or its children is written when it crashes: it may hold what a report is made of.
pub fn without_core() {
    let maximum = getrlimit(Resource::Core).maximum;
    let none = Rlimit {
        current: Some(0),
        maximum,
    };
    // A soft limit can always be lowered.
    let _ = setrlimit(Resource::Core, none);
}

/// Sets every limit, soft and hard. A hard limit that is already lower stays.
pub(super) fn apply(limits: &ProcessLimits) -> Result<(), Missing> {
    for (resource, name, value) in wanted(limits) {
        let value = match getrlimit(resource).maximum {
            Some(hard) => value.min(hard),
            None => value,
        };
        setrlimit(
            resource,
            Rlimit {
                current: Some(value),
                maximum: Some(value),
            },
        )
        .map_err(|errno| {
            let what = format!("setrlimit({name})");
            Missing::new(Layer::Rlimits, &what, errno.raw_os_error())
        })?;
    }
    Ok(())
}

/// Whether every limit is in force now, with words.
pub(super) fn check(limits: &ProcessLimits) -> (bool, String) {
    for (resource, name, value) in wanted(limits) {
        let now = getrlimit(resource);
        let over = |limit: Option<u64>| limit.is_none_or(|limit| limit > value);
        if over(now.current) || over(now.maximum) {
            let shown = now
                .maximum
                .map_or("unlimited".to_owned(), |limit| limit.to_string());
            return (false, format!("{name} is {shown}, wanted at most {value}"));
        }
    }
    let text = format!(
        "{} bytes of memory, {} s of processor time, files up to {} bytes, {} open files, {} \
         threads, no core dump",
        limits.memory_bytes,
        limits.cpu_seconds,
        limits.file_bytes,
        limits.open_files,
        limits.threads
    );
    (true, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::plan::Zone;

    #[test]
    fn an_ordinary_process_is_not_limited() {
        let (held, text) = check(&ProcessLimits::of(Zone::Verify));
        assert!(!held, "{text}");
    }
}
