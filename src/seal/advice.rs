//! What to do when a layer is missing: the reason this machine gives, and the way out.

#![expect(
    clippy::disallowed_methods,
    reason = "reads /proc/sys to say why a layer is missing"
)]

use super::plan::Layer;
use super::sys::{Errno, errno_name};
use crate::error::Error;

/// A layer that could not be enforced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Missing {
    pub layer: Layer,
    pub detail: String,
    pub advice: String,
}

impl Missing {
    /// `layer` is missing because `what` failed.
    pub fn new(layer: Layer, what: &str, errno: Errno) -> Self {
        Self {
            layer,
            detail: format!("{what} met {}", errno_name(errno)),
            advice: advice(layer),
        }
    }

    /// `layer` is missing for a reason in words.
    pub fn because(layer: Layer, detail: impl Into<String>) -> Self {
        Self {
            layer,
            detail: detail.into(),
            advice: advice(layer),
        }
    }

    /// The error that stops a run that did not accept this.
    pub fn into_error(self) -> Error {
        refuse(&[self])
    }
}

/// The error that stops a run that did not accept that these are missing.
pub(super) fn refuse(missing: &[Missing]) -> Error {
    let each: Vec<_> = missing
        .iter()
        .map(|one| format!("{}: {}", one.layer, one.detail))
        .collect();
    let mut hints: Vec<&str> = Vec::new();
    for one in missing {
        if !hints.contains(&one.advice.as_str()) {
            hints.push(&one.advice);
        }
    }
    let flags: Vec<_> = missing
        .iter()
        .map(|one| format!("--allow-weaker-seal={}", one.layer))
        .collect();
    let layers = if missing.len() == 1 {
        "a layer"
    } else {
        "layers"
    };
    Error::unsealed(format!(
        "{layers} of the seal cannot be enforced: {}",
        each.join("; ")
    ))
    .hint(format!(
        "{}; `{}` goes on without and says so in the report",
        hints.join("; "),
        flags.join(" ")
    ))
}

/// What a person can do about a missing `layer` on this machine. Reads `/proc/sys` while it is
/// still visible.
pub(super) fn advice(layer: Layer) -> String {
    match layer {
        Layer::UserNamespace => user_namespaces(),
        Layer::NetworkNamespace
        | Layer::PidNamespace
        | Layer::IpcNamespace
        | Layer::MountNamespace
        | Layer::UtsNamespace => format!(
            "namespaces need a user namespace with its privileges: {}",
            user_namespaces()
        ),
        Layer::Landlock => "use a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or newer) and \
             `landlock` in the list of the boot parameter `lsm=`; in a container the runtime's \
             seccomp profile must allow the landlock system calls"
            .to_owned(),
        Layer::Seccomp => "use an x86-64 kernel with CONFIG_SECCOMP_FILTER; in a container the \
             runtime's profile must allow seccomp(2)"
            .to_owned(),
        Layer::NoNewPrivs => "use a kernel newer than 3.5".to_owned(),
        Layer::Rlimits => "raise the hard limits of the calling shell (`ulimit -H -a`) to at \
             least what the run asks for, or ask for less"
            .to_owned(),
        Layer::Capabilities => "run narrowroom as an ordinary user; as root, it must be able to \
             become the user nobody (65534)"
            .to_owned(),
        Layer::Descriptors => "use a kernel with close_range(2) (5.9 or newer)".to_owned(),
    }
}

/// The same, for a process that can no longer look at `/proc/sys`.
pub(super) fn advice_words(layer: Layer) -> String {
    format!(
        "{}; `narrowroom doctor` shows what this machine can enforce",
        advice(layer)
    )
}

fn sysctl(name: &str) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/sys/{name}")).ok()?;
    Some(text.trim().to_owned())
}

/// Why user namespaces fail here, as far as the machine says it.
fn user_namespaces() -> String {
    if sysctl("kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1") {
        return "AppArmor restricts user namespaces here (Ubuntu): give narrowroom an AppArmor \
             profile with `userns,`, or run `sysctl \
             kernel.apparmor_restrict_unprivileged_userns=0`"
            .to_owned();
    }
    if sysctl("kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        return "user namespaces are switched off for users here (Debian): run `sysctl \
             kernel.unprivileged_userns_clone=1`"
            .to_owned();
    }
    if sysctl("user/max_user_namespaces").as_deref() == Some("0") {
        return "user namespaces are switched off here: run `sysctl user.max_user_namespaces=1000`"
            .to_owned();
    }
    "inside a container, allow user namespaces (Docker: `--security-opt seccomp=PROFILE` that \
     permits unshare, clone and mount; Kubernetes: `hostUsers: false` and such a profile), or run \
     narrowroom outside of it"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_advice_and_its_error_names_the_layer_and_the_way_out() {
        for layer in Layer::ALL {
            let error = Missing::new(layer, "unshare", libc::EPERM).into_error();
            assert_eq!(error.exit, crate::error::ExitCode::Unsealed);
            assert!(error.message.contains(layer.name()) && error.message.contains("EPERM"));
            let hint = error.hint.unwrap_or_default();
            assert!(
                hint.contains(&format!("--allow-weaker-seal={layer}")),
                "{hint}"
            );
            assert!(hint.len() > 60, "{hint}");
        }
    }
}
