#!/usr/bin/env python3
"""How near a model runs to its file computed in 32-bit floats: perplexity, and how often the likeliest token is the same.

    narrowroom model bench NAME --text FILE --json [--against llama.cpp] >BENCH.json
    scripts/fidelity-reference.py MODEL.gguf FILE BENCH.json [NARROWROOM]

Dequantises the GGUF (with the package gguf) and computes the same windows with numpy. Knows the architectures qwen2 and llama.
Takes minutes, and four bytes of memory for each weight.
"""
import json, subprocess, sys
import gguf, numpy as np

WINDOW = 512  # as in `model bench`; the second half is scored

path, text, bench = sys.argv[1:4]
program = sys.argv[4] if len(sys.argv) > 4 else "target/release/narrowroom"
bench = json.load(open(bench))["bench"]
reader = gguf.GGUFReader(path)
arch = bytes(reader.fields["general.architecture"].parts[-1]).decode()
if arch not in ("qwen2", "llama"):
    sys.exit(f"the architecture {arch} is not known here")


def setting(name, otherwise=None):
    field = reader.fields.get(f"{arch}.{name}")
    return field.parts[-1][0] if field else otherwise


layers, heads = int(setting("block_count")), int(setting("attention.head_count"))
kv_heads, epsilon = int(setting("attention.head_count_kv")), float(setting("attention.layer_norm_rms_epsilon"))
base = float(setting("rope.freq_base", 10000.0))
weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
table = weights["token_embd.weight"]
head = weights.get("output.weight", table)
size = table.shape[1] // heads
angles = np.arange(WINDOW)[:, None] * base ** (-np.arange(0, size, 2) / size)[None, :]
cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
mask = np.triu(np.full((WINDOW, WINDOW), -np.inf, np.float32), 1)


def norm(x, name):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * weights[name]


def linear(x, name):
    return x @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", np.float32(0))


def rotate(x):
    """x: tokens, heads, size. Qwen2 turns halves; files of llama hold neighbours side by side."""
    c, s = cos[:, None, :], sin[:, None, :]
    if arch == "qwen2":
        a, b = x[..., : size // 2], x[..., size // 2 :]
        return np.concatenate([a * c - b * s, b * c + a * s], -1)
    out = np.empty_like(x)
    a, b = x[..., 0::2], x[..., 1::2]
    out[..., 0::2], out[..., 1::2] = a * c - b * s, b * c + a * s
    return out


def logits(tokens, first):
    x = table[tokens]
    for i in range(layers):
        h = norm(x, f"blk.{i}.attn_norm.weight")
        q = rotate(linear(h, f"blk.{i}.attn_q").reshape(WINDOW, heads, size))
        k = rotate(linear(h, f"blk.{i}.attn_k").reshape(WINDOW, kv_heads, size))
        v = linear(h, f"blk.{i}.attn_v").reshape(WINDOW, kv_heads, size)
        out = np.empty_like(q)
        for j in range(heads):
            of = j * kv_heads // heads
            scores = q[:, j] @ k[:, of].T / np.sqrt(np.float32(size)) + mask
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            out[:, j] = scores / scores.sum(-1, keepdims=True) @ v[:, of]
        x = x + linear(out.reshape(WINDOW, -1), f"blk.{i}.attn_output")
        h = norm(x, f"blk.{i}.ffn_norm.weight")
        gate = linear(h, f"blk.{i}.ffn_gate")
        x = x + linear(gate / (1 + np.exp(-gate)) * linear(h, f"blk.{i}.ffn_up"), f"blk.{i}.ffn_down")
    return norm(x[first:-1], "output_norm.weight") @ head.T


words = open(text, errors="replace").read()[:400_000]
tokens = json.loads(subprocess.run([program, "model", "tokenize", path, "--json"], input=words.encode(), capture_output=True, check=True).stdout)
tokens = tokens["ids"] if isinstance(tokens, dict) else tokens
first, nats, likeliest = WINDOW // 2 - 1, 0.0, []
for at in range(len(tokens) // WINDOW):
    window = np.array(tokens[at * WINDOW : (at + 1) * WINDOW])
    rows = logits(window, first).astype(np.float64)
    top = rows.max(-1)
    nats -= (rows[np.arange(len(rows)), window[first + 1 :]] - top - np.log(np.exp(rows - top[:, None]).sum(-1))).sum()
    likeliest += rows.argmax(-1).tolist()
    print(f"window {at + 1} of {len(tokens) // WINDOW}", file=sys.stderr, flush=True)
exact = np.exp(nats / len(likeliest))
found = bench["perplexity"]
print(f"{'':12}{'perplexity':>12}{'ratio':>10}{'likeliest token the same':>28}")
print(f"{'32-bit':12}{exact:12.4f}")
for name, value, picks in [("narrowroom", found["ours"], found["likeliest"]), ("llama.cpp", found["theirs"], found["their_likeliest"])]:
    if picks is not None:
        same = sum(a == b for a, b in zip(picks, likeliest, strict=True))
        print(f"{name:12}{value:12.4f}{value / exact:10.4f}{100 * same / len(likeliest):26.2f} %")
print(f"over {len(likeliest)} of {len(tokens)} tokens")
