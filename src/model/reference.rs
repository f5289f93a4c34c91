//! A plain forward pass in f64, written from the architectures' papers and nothing else of this program,
//! to compare the engine with.

use super::testing::tiny::Tiny;
use super::testing::{open_file, runtime};
use super::*;
use std::collections::BTreeMap;

struct Plain<'a> {
    model: &'a Tiny,
    weights: BTreeMap<String, Vec<f64>>,
}

impl<'a> Plain<'a> {
    fn new(model: &'a Tiny) -> Self {
        let weights = model
            .tensors()
            .into_iter()
            .map(|(name, _, values)| (name, values.iter().map(|x| f64::from(*x)).collect()))
            .collect();
        Self { model, weights }
    }
    fn weight(&self, name: &str) -> &[f64] {
        &self.weights[name]
    }
    /// Rows `rows` of a matrix times a vector.
    fn times(&self, name: &str, x: &[f64], rows: std::ops::Range<usize>) -> Vec<f64> {
        let weight = self.weight(name);
        rows.map(|row| {
            let row = &weight[row * x.len()..(row + 1) * x.len()];
            row.iter().zip(x).map(|(w, x)| w * x).sum()
        })
        .collect()
    }
    fn norm(&self, name: &str, x: &[f64]) -> Vec<f64> {
        let square = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let scale = 1.0 / (square + 1e-6).sqrt();
        let weight = self.weight(name);
        x.iter().zip(weight).map(|(x, w)| x * scale * w).collect()
    }
    fn rotate(&self, head: &mut [f64], position: usize) {
        let half = head.len() / 2;
        for i in 0..half {
            let factor = self.model.rope_factors.get(i).copied().unwrap_or(1.0);
            let frequency = 10_000f64.powf(-(i as f64) / half as f64) / f64::from(factor);
            let (sin, cos) = (position as f64 * frequency).sin_cos();
            let (a, b) = if self.model.architecture == "llama" {
                (2 * i, 2 * i + 1)
            } else {
                (i, i + half)
            };
            let (x, y) = (head[a], head[b]);
            head[a] = x * cos - y * sin;
            head[b] = x * sin + y * cos;
        }
    }
    /// Queries, keys and values of one position, rotated.
    fn project(&self, layer: usize, x: &[f64], position: usize) -> [Vec<f64>; 3] {
        let model = self.model;
        let (query, kv, dim) = (model.query(), model.kv(), model.head_dim);
        let name = |part: &str| format!("blk.{layer}.{part}");
        let mut parts = if model.packed {
            let packed = name("attn_qkv.weight");
            [
                self.times(&packed, x, 0..query),
                self.times(&packed, x, query..query + kv),
                self.times(&packed, x, query + kv..query + 2 * kv),
            ]
        } else {
            [("q", query), ("k", kv), ("v", kv)].map(|(part, width)| {
                let mut out = self.times(&name(&format!("attn_{part}.weight")), x, 0..width);
                if model.attention_bias {
                    let bias = self.weight(&name(&format!("attn_{part}.bias")));
                    out.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
                }
                out
            })
        };
        for (part, letter) in parts.iter_mut().zip(["q", "k"]) {
            for head in part.chunks_exact_mut(dim) {
                if model.head_norms {
                    let normed = self.norm(&name(&format!("attn_{letter}_norm.weight")), head);
                    head.copy_from_slice(&normed);
                }
                self.rotate(head, position);
            }
        }
        parts
    }
    fn activate(&self, x: f64) -> f64 {
        if self.model.architecture == "gemma3" {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x * x * x);
            0.5 * x * (1.0 + inner.tanh())
        } else {
            x / (1.0 + (-x).exp())
        }
    }
    /// Logits after the last of `ids`.
    fn logits(&self, ids: &[u32]) -> Vec<f64> {
        let model = self.model;
        let (hidden, dim, wide) = (model.hidden, model.head_dim, model.feed_forward);
        let scale = if model.architecture == "gemma3" {
            (hidden as f64).sqrt()
        } else {
            1.0
        };
        let table = self.weight("token_embd.weight");
        let mut stream: Vec<Vec<f64>> = ids
            .iter()
            .map(|id| {
                let row = &table[*id as usize * hidden..(*id as usize + 1) * hidden];
                row.iter().map(|x| x * scale).collect()
            })
            .collect();
        for layer in 0..model.layers {
            let name = |part: &str| format!("blk.{layer}.{part}.weight");
            let projected: Vec<[Vec<f64>; 3]> = stream
                .iter()
                .enumerate()
                .map(|(at, x)| self.project(layer, &self.norm(&name("attn_norm"), x), at))
                .collect();
            let full = model.architecture == "gemma3" && (layer + 1) % 6 == 0;
            for at in 0..stream.len() {
                let first = match model.window {
                    0 => 0,
                    _ if full => 0,
                    window => (at + 1).saturating_sub(window),
                };
                let mut joined = vec![0.0; model.query()];
                for head in 0..model.heads {
                    let shared = head / (model.heads / model.kv_heads);
                    let query = &projected[at][0][head * dim..(head + 1) * dim];
                    let scores: Vec<f64> = (first..=at)
                        .map(|other| {
                            let key = &projected[other][1][shared * dim..(shared + 1) * dim];
                            let dot: f64 = query.iter().zip(key).map(|(q, k)| q * k).sum();
                            dot / (dim as f64).sqrt()
                        })
                        .collect();
                    let most = scores.iter().fold(f64::MIN, |most, x| most.max(*x));
                    let total: f64 = scores.iter().map(|x| (x - most).exp()).sum();
                    for (other, score) in (first..=at).zip(&scores) {
                        let share = (score - most).exp() / total;
                        let value = &projected[other][2][shared * dim..(shared + 1) * dim];
                        for (out, v) in joined[head * dim..].iter_mut().zip(value) {
                            *out += share * v;
                        }
                    }
                }
                let mut out = self.times(&name("attn_output"), &joined, 0..hidden);
                if model.post_norms {
                    out = self.norm(&name("post_attention_norm"), &out);
                }
                stream[at].iter_mut().zip(&out).for_each(|(x, o)| *x += o);
                let x = self.norm(&name("ffn_norm"), &stream[at]);
                let (gate, up) = if model.packed {
                    let both = name("ffn_up");
                    (
                        self.times(&both, &x, 0..wide),
                        self.times(&both, &x, wide..2 * wide),
                    )
                } else {
                    (
                        self.times(&name("ffn_gate"), &x, 0..wide),
                        self.times(&name("ffn_up"), &x, 0..wide),
                    )
                };
                let gated: Vec<f64> = gate
                    .iter()
                    .zip(&up)
                    .map(|(gate, up)| self.activate(*gate) * up)
                    .collect();
                let mut out = self.times(&name("ffn_down"), &gated, 0..hidden);
                if model.post_norms {
                    out = self.norm(&name("post_ffw_norm"), &out);
                }
                stream[at].iter_mut().zip(&out).for_each(|(x, o)| *x += o);
            }
        }
        let last = self.norm("output_norm.weight", &stream[stream.len() - 1]);
        self.times("token_embd.weight", &last, 0..table.len() / hidden)
    }
}

/// Cosine of the angle between two lists, their means taken off.
fn alike(ours: &[f64], theirs: &[f64]) -> f64 {
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len() as f64;
    let (a, b) = (mean(ours), mean(theirs));
    let pairs = || ours.iter().zip(theirs).map(|(x, y)| (x - a, y - b));
    let dot: f64 = pairs().map(|(x, y)| x * y).sum();
    let (x, y) = pairs().fold((0.0, 0.0), |(s, t), (x, y)| (s + x * x, t + y * y));
    dot / (x * y).sqrt()
}

fn engine_logits(model: &mut Model, ids: &[u32], chunk: usize) -> Vec<f64> {
    model.roll_back(0);
    let mut logits = Vec::new();
    for part in ids.chunks(chunk) {
        logits = model.step(part, &[part.len() - 1]).unwrap();
    }
    logits.into_iter().map(f64::from).collect()
}

#[test]
fn every_architecture_computes_what_its_paper_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut cases: Vec<Tiny> = [
        ("qwen2", "qwen2"),
        ("qwen3", "qwen2"),
        ("llama", "smollm"),
        ("gemma3", "llama"),
        ("phi3", "llama"),
    ]
    .iter()
    .map(|(architecture, pre)| Tiny::new(architecture, pre))
    .collect();
    let mut scaled = Tiny::new("llama", "llama-bpe");
    scaled.rope_factors = vec![1.0, 1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 8.0];
    cases.push(scaled);
    let mut mistral = Tiny::new("llama", "llama");
    mistral.window = 6;
    cases.push(mistral);
    for (number, tiny) in cases.iter().enumerate() {
        let mut model = open_file(&runtime(), dir.path(), &format!("{number}"), tiny);
        let vocab = model.tokenizer().vocab_size() as u32;
        let ids: Vec<u32> = (0..40).map(|at| (at * 37 + 11) % vocab).collect();
        let plain = Plain::new(tiny);
        let wanted = plain.logits(&ids);
        for chunk in [40, 16, 1] {
            let cosine = alike(&engine_logits(&mut model, &ids, chunk), &wanted);
            assert!(
                cosine > 0.998,
                "{} in steps of {chunk}: {cosine}",
                tiny.architecture
            );
        }
        // The measure sees what matters: one token less in the window, or no window, is another result.
        let mut others = vec![Tiny {
            rope_factors: vec![2.0; tiny.head_dim / 2],
            ..tiny.clone()
        }];
        if tiny.window > 0 {
            others.push(Tiny {
                window: tiny.window + 1,
                ..tiny.clone()
            });
        }
        for other in others {
            let mut plain = Plain::new(tiny);
            plain.model = &other;
            let cosine = alike(&wanted, &plain.logits(&ids));
            assert!(cosine < 0.998, "{}: {cosine} {other:?}", tiny.architecture);
        }
    }
}
