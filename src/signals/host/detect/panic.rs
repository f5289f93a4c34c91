//! Whose code a crashed kernel was in: the function and module of the oops, and whether the module belongs to
//! the kernel or was brought by a product.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Host, cite};
use crate::signals::host::logs::Hits;

/// Lines of a report that are looked at after its first one.
const REPORT: usize = 160;

/// Modules that products bring, by how their names begin.
const PRODUCTS: &[(&[&str], &str)] = &[
    (
        &["tmhook", "bmhook", "gsch", "dsa_filter", "acdc"],
        "Trend Micro's agent",
    ),
    (&["falcon_"], "CrowdStrike Falcon"),
    (
        &["mfe_", "mfeaac", "linuxshield", "isecac"],
        "Trellix (McAfee) Endpoint Security",
    ),
    (
        &["symev", "symap", "sisips", "sisfim", "sisevt"],
        "Symantec's agent",
    ),
    (&["talpa_", "savsched"], "Sophos Anti-Virus"),
    (&["cbsensor", "cbproxy", "event_collector"], "Carbon Black"),
    (
        &[
            "redirfs", "avflt", "klflt", "kfs_", "eset_", "eea_", "bdfilter",
        ],
        "an anti-virus filter",
    ),
    (
        &[
            "vxfs", "vxdmp", "vxio", "vxspec", "vxodm", "vxglm", "vxfen", "llt", "gab",
        ],
        "Veritas InfoScale",
    ),
    (&["emcp"], "Dell PowerPath"),
    (
        &[
            "oracleacfs",
            "oracleadvm",
            "oracleoks",
            "oracleafd",
            "oracleasm",
        ],
        "Oracle ASM/ACFS",
    ),
    (&["mmfs", "tracedev"], "IBM Storage Scale (GPFS)"),
    (
        &["lustre", "lnet", "ptlrpc", "ldiskfs", "obdclass"],
        "Lustre",
    ),
    (&["wekafs"], "WekaFS"),
    (
        &["veeam", "dattobd", "snapapi", "elastio", "hcp", "rubrik"],
        "a backup agent's snapshot driver",
    ),
    (&["nvidia"], "the NVIDIA driver"),
    (&["amdgpu_pro", "fglrx"], "AMD's driver"),
    (&["vboxdrv", "vboxnet", "vboxguest", "vboxsf"], "VirtualBox"),
    (&["vmmon", "vmnet"], "VMware Workstation"),
    (&["zfs", "spl", "zcommon", "icp"], "OpenZFS"),
    (&["openafs", "libafs"], "OpenAFS"),
    (&["pf_ring"], "PF_RING"),
    (&["kpatch", "livepatch", "ksplice", "kcare"], "a live patch"),
    (
        &["gxfs", "scini", "scst", "drbd", "portworx", "px"],
        "a storage product",
    ),
];

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    let first = ["kernel-oops", "kernel-panic", "soft-lockup", "hung-task"]
        .into_iter()
        .take(2)
        .flat_map(|rule| hits.of(rule))
        .flat_map(|(_, group)| group.evidence())
        .collect::<Vec<_>>();
    for begin in first {
        if let Some(found) = place(host, &begin) {
            report(&found, begin, out);
            return;
        }
    }
}

/// Where the kernel was.
struct Place {
    function: String,
    module: Option<String>,
    foreign: bool,
    lines: Vec<Evidence>,
}

fn place(host: &Host, begin: &Evidence) -> Option<Place> {
    let entry = host.tree.index().get(&begin.path)?;
    let text = host.tree.text(entry).ok()??;
    let start = usize::try_from(begin.line_start).ok()?;
    // A panic's line stands at the end of its report, an oops's at the begin.
    let from = start.saturating_sub(60).max(1);
    let window =
        || (from..=(start + REPORT).min(text.len())).filter_map(|n| Some((n, text.line(n)?)));
    let linked: Vec<&str> = window()
        .filter(|(_, line)| line.contains("Modules linked in:"))
        .flat_map(|(_, line)| line.split_whitespace())
        .collect();
    // `name(OE)`: out of tree, unsigned; `(P…)`: proprietary.
    let foreign = |module: &str| {
        linked.iter().any(|word| {
            word.strip_prefix(module)
                .and_then(|rest| rest.strip_prefix('('))
                .is_some_and(|flags| flags.contains(['O', 'P']))
        }) || product(module).is_some()
    };
    let at = window().find_map(|(n, line)| Some((n, line, instruction(line)?)));
    let frames: Vec<_> = window()
        .filter_map(|(n, line)| Some((n, line, frame(line)?)))
        .collect();
    let blamed = at
        .iter()
        .chain(frames.iter().take(24))
        .find(|(_, _, (_, module))| module.as_deref().is_some_and(foreign))
        .or(at.as_ref())
        .or(frames.first())?;
    let (function, module) = blamed.2.clone();
    let mut lines = vec![cite(&begin.path, blamed.0, blamed.1)];
    for (n, line) in window().filter(|(_, line)| {
        line.contains("Kernel panic - not syncing") || line.contains("Modules linked in:")
    }) {
        lines.push(cite(&begin.path, n, line));
    }
    lines.truncate(3);
    Some(Place {
        foreign: module.as_deref().is_some_and(foreign),
        function,
        module,
        lines,
    })
}

/// `RIP: 0010:func+0x3c/0xf0 [module]`, arm64's `pc : func+0x3c/0xf0 [module]`, `NIP [c0…] func+0x3c/0xf0`.
fn instruction(line: &str) -> Option<(String, Option<String>)> {
    let rest = ["RIP: 0010:", "RIP: 0010:[<", "EIP: 0060:", "pc : ", "NIP ["]
        .iter()
        .find_map(|mark| line.split_once(mark))?
        .1;
    symbol(rest)
}

/// A frame of a call trace that is sure: no `?` before it.
fn frame(line: &str) -> Option<(String, Option<String>)> {
    let text = line.rsplit_once("] ").map_or(line, |(head, tail)| {
        // The bracket may be the module's, at the end.
        if tail.is_empty() { head } else { tail }
    });
    if line.contains(" ? ") || !line.contains("+0x") {
        return None;
    }
    symbol(text).or_else(|| symbol(line))
}

/// The first `func+0x1/0x2 [module]` of `text`.
fn symbol(text: &str) -> Option<(String, Option<String>)> {
    let at = text.find("+0x")?;
    let function = text[..at].rsplit([' ', ':', '>', ']', '[', '\t']).next()?;
    let sane = !function.is_empty()
        && function.len() < 80
        && function
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
    if !sane {
        return None;
    }
    let module = text[at..]
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map(|(name, _)| name.split(' ').next().unwrap_or_default().to_owned())
        .filter(|name| !name.is_empty() && name.len() < 60 && !name.starts_with('<'));
    Some((function.to_owned(), module))
}

fn product(module: &str) -> Option<&'static str> {
    PRODUCTS
        .iter()
        .find(|(names, _)| names.iter().any(|name| module.starts_with(name)))
        .map(|(_, product)| *product)
}

fn report(place: &Place, begin: Evidence, out: &mut Partial) {
    let Some(module) = &place.module else {
        return;
    };
    let what = begin
        .quote
        .split_once("] ")
        .or_else(|| begin.quote.split_once("kernel: "))
        .map_or(begin.quote.as_str(), |(_, tail)| tail)
        .chars()
        .take(120)
        .collect::<String>();
    let of = match (product(module), place.foreign) {
        (Some(product), _) => format!("third-party module {module} ({product})"),
        (None, true) => format!("third-party (out-of-tree) module {module}"),
        (None, false) => format!("module {module}"),
    };
    let (strength, advice) = if place.foreign {
        (
            0.96,
            "The module is no part of the kernel: its vendor has to mend it, or it does not fit this kernel; update or remove it.",
        )
    } else {
        (
            0.94,
            "A bug of this driver or of the kernel, or faulty hardware that it drives; look for a fixed kernel.",
        )
    };
    Draft::cause(
        "kernel-crash-module",
        "kernel-crash",
        strength,
        "Host",
        "host",
    )
    .says(
        format!("Kernel crash in {} of {of}: {what}", place.function),
        format!(
            "The kernel crashed (panic or oops) in the function {} of the {of}: {what}. {advice}",
            place.function
        ),
    )
    .cites(place.lines.iter().take(1).cloned())
    .cites([begin])
    .cites(place.lines.iter().skip(1).cloned())
    .with("module", module.as_str())
    .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::on;

    fn oops(rip: &str, frame: &str, linked: &str) -> String {
        format!(
            "[  100.000001] BUG: unable to handle page fault for address: 0000000000000018\n[  100.000002] {rip}\n[  100.000003] Call Trace:\n[  100.000004]  ? page_fault_oops+0x134/0x170\n[  100.000005]  {frame}\n[  100.000006] Modules linked in: {linked}\n[  100.000007] Kernel panic - not syncing: Fatal exception\n"
        )
    }

    #[test]
    fn the_module_of_a_product_is_named() {
        let text = oops(
            "RIP: 0010:acme_open+0x3c/0xf0 [acmefilter]",
            "do_sys_open+0x5/0x9",
            "acmefilter(OE) xfs dm_mod",
        );
        let out = on(&[("var/crash/a/vmcore-dmesg.txt", &text)]);
        let first = out
            .signals
            .iter()
            .max_by(|a, b| a.strength.total_cmp(&b.strength))
            .unwrap();
        assert!(
            first
                .title
                .contains("acme_open of third-party (out-of-tree) module acmefilter"),
            "{}",
            first.title
        );
        // The crash is in the kernel's own function, called by the module.
        let text = oops(
            "RIP: 0010:kfree+0x3c/0xf0",
            "acme_close+0x5/0x9 [acmefilter]",
            "acmefilter(POE) xfs",
        );
        let out = on(&[("var/crash/a/vmcore-dmesg.txt", &text)]);
        assert!(
            out.signals
                .iter()
                .any(|s| s.title.contains("module acmefilter"))
        );
    }

    #[test]
    fn a_driver_of_the_kernel_is_not_called_foreign() {
        let text = oops(
            "RIP: 0010:ixgbe_poll+0x3c/0xf0 [ixgbe]",
            "net_rx_action+0x5/0x9",
            "ixgbe acmefilter(OE)",
        );
        let out = on(&[("sos_commands/kernel/dmesg", &text)]);
        let found = out
            .signals
            .iter()
            .find(|s| s.detector == "host.kernel-crash-module")
            .unwrap();
        assert!(found.title.contains("of module ixgbe") && !found.title.contains("third"));
        let text = oops("RIP: 0010:kfree+0x3c/0xf0", "do_exit+0x5/0x9", "xfs");
        let out = on(&[("sos_commands/kernel/dmesg", &text)]);
        assert!(
            !out.signals
                .iter()
                .any(|s| s.detector == "host.kernel-crash-module")
        );
    }
}
