//! What this machine can enforce, layer by layer, found by trying; for `doctor`.

use rustix::thread::UnshareFlags;

use super::advice::{Missing, advice};
use super::namespaces::Identity;
use super::plan::Layer;
use super::{landlock_rules, sys};

/// What this machine offers to a seal.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Release of the running kernel.
    pub kernel: String,
    /// Landlock ABI of the running kernel; 0 where there is none.
    pub landlock_abi: u32,
    /// One report a layer, in the order of [`Layer::ALL`].
    pub layers: Vec<LayerSurvey>,
}

/// Whether one layer can be enforced on this machine.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct LayerSurvey {
    /// Which layer.
    pub layer: Layer,
    /// Whether it can be enforced here, by this user.
    pub available: bool,
    /// What was seen.
    pub detail: String,
    /// What to do when it cannot be enforced.
    pub advice: Option<String>,
}

/// Tries every layer in throw-away processes. Changes nothing in this one; may be called from a
/// process with threads. Whether a whole seal holds is shown by [`super::trial`], in a process of
/// its own for each zone.
pub fn survey() -> Survey {
    let landlock_abi = landlock_rules::abi();
    Survey {
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
        landlock_abi,
        layers: Layer::ALL
            .into_iter()
            .map(|layer| look(layer, landlock_abi))
            .collect(),
    }
}

fn look(layer: Layer, landlock_abi: u32) -> LayerSurvey {
    match attempt(layer, landlock_abi) {
        Ok(detail) => LayerSurvey {
            layer,
            available: true,
            detail,
            advice: None,
        },
        Err(missing) => LayerSurvey {
            layer,
            available: false,
            detail: missing.detail,
            advice: Some(advice(layer)),
        },
    }
}

fn attempt(layer: Layer, landlock_abi: u32) -> Result<String, Missing> {
    let done = |detail: &str| Ok(detail.to_owned());
    let namespace = |flag: UnshareFlags, what: &str| {
        // Everything below the user namespace is tried within one, as `enter` does it.
        let flags = (UnshareFlags::NEWUSER | flag).bits() as usize;
        in_child(|| {
            // SAFETY: takes a number; the child has one thread and ends right after.
            unsafe { sys::call(libc::SYS_unshare, [flags, 0, 0, 0, 0, 0]) }.map(drop)
        })
        .map(|()| "can be made".to_owned())
        .map_err(|errno| Missing::new(layer, what, errno))
    };
    match layer {
        Layer::UserNamespace => namespace(UnshareFlags::NEWUSER, "unshare(user)"),
        Layer::NetworkNamespace => namespace(UnshareFlags::NEWNET, "unshare(net)"),
        Layer::PidNamespace => namespace(UnshareFlags::NEWPID, "unshare(pid)"),
        Layer::IpcNamespace => namespace(UnshareFlags::NEWIPC, "unshare(ipc)"),
        Layer::MountNamespace => namespace(UnshareFlags::NEWNS, "unshare(mnt)"),
        Layer::UtsNamespace => namespace(UnshareFlags::NEWUTS, "unshare(uts)"),
        Layer::NoNewPrivs => {
            in_child(|| sys::prctl(libc::PR_SET_NO_NEW_PRIVS, [1, 0, 0, 0]).map(drop))
                .map(|()| "can be set".to_owned())
                .map_err(|errno| Missing::new(layer, "prctl(PR_SET_NO_NEW_PRIVS)", errno))
        }
        Layer::Landlock if landlock_abi == 0 => Err(Missing::because(
            layer,
            "this kernel has no Landlock, or it is switched off",
        )),
        Layer::Landlock => Ok(format!("ABI {landlock_abi}")),
        Layer::Seccomp => {
            const GET_ACTION_AVAIL: usize = 2;
            let errno_action: u32 = 0x0005_0000; // SECCOMP_RET_ERRNO
            let args = [
                GET_ACTION_AVAIL,
                0,
                &raw const errno_action as usize,
                0,
                0,
                0,
            ];
            // SAFETY: reads one number that lives through the call.
            unsafe { sys::call(libc::SYS_seccomp, args) }
                .map_err(|errno| Missing::new(layer, "seccomp", errno))?;
            super::filters::Filters::of(super::plan::Zone::Verify)
                .map(|_| "filters can be installed".to_owned())
        }
        Layer::Rlimits => done("can be lowered by every process"),
        Layer::Capabilities => match Identity::choose() {
            Identity::Nobody => done("root here; the workers become nobody"),
            Identity::Caller { uid: 0, .. } => {
                done("root of a user namespace without the user nobody; the workers stay that user")
            }
            Identity::Caller { uid, .. } => Ok(format!("the workers are user {uid} without any")),
        },
        Layer::Descriptors => {
            let none = [u32::MAX as usize, u32::MAX as usize, 0, 0, 0, 0];
            // SAFETY: takes numbers; no descriptor has this one.
            unsafe { sys::call(libc::SYS_close_range, none) }
                .map(|_| "close_range is there".to_owned())
                .map_err(|errno| Missing::new(layer, "close_range", errno))
        }
    }
}

/// Makes one call in a child that ends with its errno.
fn in_child(call: impl FnOnce() -> Result<(), sys::Errno>) -> Result<(), sys::Errno> {
    // SAFETY: the child makes one raw system call and ends; nothing of it needs a lock.
    match unsafe { sys::fork() }? {
        0 => sys::exit_now(call().err().unwrap_or(0)),
        child => {
            let status = sys::wait(child)?;
            match (libc::WIFEXITED(status), libc::WEXITSTATUS(status)) {
                (true, 0) => Ok(()),
                (true, errno) => Err(errno),
                (false, _) => Err(libc::EPERM),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_looked_at_and_what_is_missing_has_advice() {
        let survey = survey();
        let layers: Vec<_> = survey.layers.iter().map(|report| report.layer).collect();
        assert_eq!(layers, Layer::ALL);
        for report in &survey.layers {
            assert_eq!(report.available, report.advice.is_none(), "{report:?}");
        }
    }

    #[test]
    fn a_child_reports_its_errno() {
        assert_eq!(in_child(|| Err(libc::EXDEV)), Err(libc::EXDEV));
        assert_eq!(in_child(|| Ok(())), Ok(()));
    }
}
