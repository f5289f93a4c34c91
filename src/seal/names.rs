//! The zones and the layers, with the names that the command line and the records use.

use crate::error::{Error, Result};

/// The sealed zones of trust. Zone 0, the coordinator, and zone 4, the person, have no seal.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Zone {
    /// Zone 1: unpacks the bundle, may write one directory, has one thread.
    Unpack,
    /// Zone 2: reads the tree and the model, thinks with several threads, writes nothing.
    Room,
    /// Zone 3: reads the tree and judges, has one thread, writes nothing.
    Verify,
}

impl Zone {
    /// Every sealed zone, in the order of the data.
    pub const ALL: [Zone; 3] = [Zone::Unpack, Zone::Room, Zone::Verify];

    /// The name used on the command line and in records.
    pub fn name(self) -> &'static str {
        match self {
            Zone::Unpack => "unpack",
            Zone::Room => "room",
            Zone::Verify => "verify",
        }
    }

    /// Whether the zone's allow-list lets threads start after the seal is closed.
    pub fn may_start_threads(self) -> bool {
        self == Zone::Room
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Zone {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Zone::ALL
            .into_iter()
            .find(|zone| zone.name() == text)
            .ok_or_else(|| {
                Error::usage(format!("no zone is called {text:?}"))
                    .hint("the zones are unpack, room and verify")
            })
    }
}

/// One independent layer of the seal.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// A user namespace of its own: no identity and no privilege on the host.
    UserNamespace,
    /// A network namespace of its own: no interface that is up, no route, no abstract sockets.
    NetworkNamespace,
    /// A process-id namespace of its own: no other process can be named.
    PidNamespace,
    /// An IPC namespace of its own: no System V memory, semaphores or queues of the host.
    IpcNamespace,
    /// A mount namespace with an empty root: only the granted directories exist.
    MountNamespace,
    /// A host-name namespace of its own: the host's name is not visible.
    UtsNamespace,
    /// No program started from here can gain privileges.
    NoNewPrivs,
    /// Landlock: the kernel checks every opened path, TCP port, abstract socket and signal.
    Landlock,
    /// The zone's allow-list of system calls.
    Seccomp,
    /// Limits on memory, time, files, descriptors and processes; no core dumps.
    Rlimits,
    /// No capability in any set, and not the superuser's identity.
    Capabilities,
    /// No inherited descriptor but the ones that were granted.
    Descriptors,
}

impl Layer {
    /// Every layer, in the order in which they are enforced.
    pub const ALL: [Layer; 12] = [
        Layer::UserNamespace,
        Layer::NetworkNamespace,
        Layer::PidNamespace,
        Layer::IpcNamespace,
        Layer::MountNamespace,
        Layer::UtsNamespace,
        Layer::Rlimits,
        Layer::Descriptors,
        Layer::Capabilities,
        Layer::NoNewPrivs,
        Layer::Landlock,
        Layer::Seccomp,
    ];

    /// The name used by `--allow-weaker-seal` and in records.
    pub fn name(self) -> &'static str {
        match self {
            Layer::UserNamespace => "user-namespace",
            Layer::NetworkNamespace => "network-namespace",
            Layer::PidNamespace => "pid-namespace",
            Layer::IpcNamespace => "ipc-namespace",
            Layer::MountNamespace => "mount-namespace",
            Layer::UtsNamespace => "uts-namespace",
            Layer::NoNewPrivs => "no-new-privs",
            Layer::Landlock => "landlock",
            Layer::Seccomp => "seccomp",
            Layer::Rlimits => "rlimits",
            Layer::Capabilities => "capabilities",
            Layer::Descriptors => "descriptors",
        }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Layer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Layer::ALL
            .into_iter()
            .find(|layer| layer.name() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Layer::ALL.iter().map(|layer| layer.name()).collect();
                Error::usage(format!("no layer of the seal is called {text:?}"))
                    .hint(format!("the layers are {}", names.join(", ")))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for layer in Layer::ALL {
            assert_eq!(layer.name().parse::<Layer>().unwrap(), layer);
            let json = serde_json::to_string(&layer).unwrap();
            assert_eq!(json, format!("\"{}\"", layer.name()));
        }
        for zone in Zone::ALL {
            assert_eq!(zone.name().parse::<Zone>().unwrap(), zone);
            assert_eq!(serde_json::to_string(&zone).unwrap(), format!("\"{zone}\""));
        }
        assert!("landlocked".parse::<Layer>().is_err());
    }
}
