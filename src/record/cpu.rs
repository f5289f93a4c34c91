//! The processor, as far as it decides which code computes.

use crate::files;
use std::path::Path;

/// Name of the processor and those of its features that matrix kernels are picked by, as the kernel
/// names them.
pub fn cpu() -> String {
    const TELLING: [&str; 12] = [
        "avx",
        "avx2",
        "avx512f",
        "avx512_vnni",
        "avx_vnni",
        "avx512_bf16",
        "amx_int8",
        "fma",
        "asimddp",
        "i8mm",
        "sve",
        "sve2",
    ];
    let text = files::read_text(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let field = |names: [&str; 2]| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            names
                .contains(&name.trim())
                .then(|| value.trim().to_owned())
        })
    };
    let flags = field(["flags", "Features"]).unwrap_or_default();
    let flags: Vec<&str> = flags
        .split_whitespace()
        .filter(|flag| TELLING.contains(flag))
        .collect();
    format!(
        "{} {} ({})",
        std::env::consts::ARCH,
        field(["model name", "CPU part"]).unwrap_or_default(),
        flags.join(" ")
    )
}
