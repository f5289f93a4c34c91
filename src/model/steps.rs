//! One step of a session: how a graph is asked, one that this program wrote or one that came ready-made.
//!
//! Graphs of ours take the inputs that `import/graph.rs` names. Ready-made ones follow the habit of
//! Optimum, transformers.js and onnxruntime-genai: `input_ids`, `attention_mask` and `position_ids`,
//! `past_key_values.N.key|value` in, `logits` of all tokens and `present.N.key|value` out.

use super::manifest::{Manifest, Ready};
use ort::memory::{Allocator, MemoryInfo};
use ort::session::{IoBinding, Session};
use ort::value::{PrimitiveTensorElementType, Tensor, TensorValueType};

/// A session with the keys and values that it works on.
pub(super) struct Steps {
    session: Session,
    binding: IoBinding,
    values: KeyValues,
    ready: Option<Ready>,
}

impl Steps {
    /// Allocates keys and values. Those that grow in place are made once, for `slots` tokens, and bound
    /// as past and as present.
    pub fn open(session: Session, manifest: &Manifest, slots: u32) -> ort::Result<Self> {
        let mut binding = session.create_binding()?;
        let ready = manifest.ready.clone();
        let in_place = ready.as_ref().is_none_or(|ready| ready.in_place);
        let mut values = KeyValues::new(manifest, if in_place { slots as usize } else { 0 })?;
        if in_place {
            for (name, buffer) in names(manifest.layers).zip(&mut values.buffers) {
                binding.bind_input(format!("past_key_values.{name}"), buffer)?;
                binding.bind_output(format!("present.{name}"), buffer)?;
            }
        }
        Ok(Self {
            session,
            binding,
            values,
            ready,
        })
    }
    /// Keys and values.
    pub fn values(&self) -> &KeyValues {
        &self.values
    }
    /// Puts the keys and values of the first `tokens` tokens in place, in the order of [`KeyValues::first`].
    pub fn put_values(&mut self, tokens: usize, numbers: &[f32]) -> ort::Result<()> {
        if self.in_place() {
            self.values.put(tokens, numbers);
            Ok(())
        } else {
            self.values.replace(tokens, numbers)
        }
    }
    fn in_place(&self) -> bool {
        self.ready.as_ref().is_none_or(|ready| ready.in_place)
    }

    /// Computes `tokens`, which follow what is there, so that `total` are there afterwards; whatever was
    /// there beyond is forgotten. Gives the logits after each of `rows`, indices into `tokens`.
    pub fn run(&mut self, tokens: &[u32], rows: &[usize], total: usize) -> ort::Result<Vec<f32>> {
        let count = tokens.len();
        let start = total
            .checked_sub(count)
            .ok_or_else(|| ort::Error::new("fewer tokens in all than new ones"))?;
        let ids = tokens.iter().map(|token| i64::from(*token)).collect();
        self.bind("input_ids", vec![1, count as i64], ids)?;
        match self.ready.clone() {
            None => {
                self.bind("seqlens_k", vec![1], vec![total as i32 - 1])?;
                self.bind("total_sequence_length", vec![], vec![total as i32])?;
                let wanted = rows.iter().map(|row| *row as i64).collect();
                self.bind("logits_idx", vec![rows.len() as i64], wanted)?;
            }
            Some(ready) => {
                if ready.attention_mask {
                    self.bind("attention_mask", vec![1, total as i64], vec![1i64; total])?;
                }
                if ready.position_ids {
                    let positions = (start as i64..total as i64).collect();
                    self.bind("position_ids", vec![1, count as i64], positions)?;
                }
                if let Some(name) = &ready.logits_to_keep {
                    let first = rows.iter().min().copied().unwrap_or(count - 1);
                    self.bind(name, vec![], vec![(count - first) as i64])?;
                }
                if !ready.in_place {
                    self.bind_grown(start)?;
                }
            }
        }
        // Bound anew for every run: a bound output keeps the shape of its first run.
        self.binding
            .bind_output_to_device("logits", &MemoryInfo::default())?;
        let mut outputs = self.session.run_binding(&self.binding)?;
        let (shape, logits) = outputs["logits"].try_extract_tensor::<f32>()?;
        let found = match self.ready {
            None => logits.to_vec(),
            Some(_) => pick(shape, logits, rows, count)?,
        };
        if let Some(ready) = &self.ready
            && !ready.in_place
        {
            for (name, buffer) in
                names(self.values.buffers.len() as u32 / 2).zip(&mut self.values.buffers)
            {
                let made = outputs.remove(format!("present.{name}"));
                *buffer = made
                    .ok_or_else(|| ort::Error::new(format!("present.{name} is missing")))?
                    .downcast::<TensorValueType<f32>>()?;
                let wanted = [
                    1,
                    self.values.heads as i64,
                    total as i64,
                    self.values.elements as i64,
                ];
                if **buffer.shape() != wanted {
                    return Err(ort::Error::new(format!(
                        "present.{name} has another shape than {wanted:?}"
                    )));
                }
            }
            self.values.slots = total;
        }
        Ok(found)
    }
    fn bind<T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
        &mut self,
        name: &str,
        shape: Vec<i64>,
        values: Vec<T>,
    ) -> ort::Result<()> {
        self.binding
            .bind_input(name, &Tensor::from_array((shape, values))?)
    }
    /// Keys and values that grow are given to each step, and come back longer.
    fn bind_grown(&mut self, start: usize) -> ort::Result<()> {
        if self.values.slots < start {
            return Err(ort::Error::new(
                "keys and values of earlier tokens are missing",
            ));
        }
        if self.values.slots > start {
            let kept = self.values.first(start);
            self.values.replace(start, &kept)?;
        }
        for (name, buffer) in names(self.values.buffers.len() as u32 / 2).zip(&self.values.buffers)
        {
            self.binding
                .bind_input(format!("past_key_values.{name}"), buffer)?;
            self.binding
                .bind_output_to_device(format!("present.{name}"), &MemoryInfo::default())?;
        }
        Ok(())
    }
}

/// `0.key`, `0.value`, `1.key`, …
fn names(layers: u32) -> impl Iterator<Item = String> {
    (0..layers).flat_map(|layer| ["key", "value"].map(|part| format!("{layer}.{part}")))
}

/// The wanted rows of logits that a graph gives for all `count` tokens, or for the last of them.
fn pick(shape: &[i64], logits: &[f32], rows: &[usize], count: usize) -> ort::Result<Vec<f32>> {
    let wrong = || ort::Error::new(format!("logits of the shape {shape:?} for {count} tokens"));
    let [1, given, width] = *shape else {
        return Err(wrong());
    };
    let (given, width) = (given as usize, width as usize);
    let left_out = count.checked_sub(given).ok_or_else(wrong)?;
    let mut picked = Vec::with_capacity(rows.len() * width);
    for row in rows {
        let at = row.checked_sub(left_out).ok_or_else(wrong)? * width;
        picked.extend_from_slice(logits.get(at..at + width).ok_or_else(wrong)?);
    }
    Ok(picked)
}

/// Keys and values, one buffer a layer and part, shaped 1 × heads × slots × elements.
pub(super) struct KeyValues {
    buffers: Vec<Tensor<f32>>,
    heads: usize,
    slots: usize,
    elements: usize,
}

impl KeyValues {
    fn new(manifest: &Manifest, slots: usize) -> ort::Result<Self> {
        let mut values = Self {
            buffers: Vec::new(),
            heads: manifest.kv_heads as usize,
            slots,
            elements: manifest.head_dim as usize,
        };
        for _ in names(manifest.layers) {
            values.buffers.push(values.buffer()?);
        }
        Ok(values)
    }
    /// A buffer of zeros.
    fn buffer(&self) -> ort::Result<Tensor<f32>> {
        let shape = [1, self.heads, self.slots, self.elements].map(|size| size as i64);
        let mut buffer = Tensor::<f32>::new(&Allocator::default(), shape)?;
        buffer.extract_tensor_mut().1.fill(0.0);
        Ok(buffer)
    }
    /// Numbers of one token in all buffers.
    pub fn per_token(&self) -> usize {
        self.buffers.len() * self.heads * self.elements
    }
    /// The numbers of the first `tokens` tokens.
    pub fn first(&self, tokens: usize) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.per_token() * tokens);
        if tokens == 0 {
            return all;
        }
        for buffer in &self.buffers {
            let (_, values) = buffer.extract_tensor();
            for head in values.chunks_exact(self.slots * self.elements) {
                all.extend_from_slice(&head[..tokens * self.elements]);
            }
        }
        all
    }
    /// Puts the numbers of the first `tokens` tokens back.
    fn put(&mut self, tokens: usize, numbers: &[f32]) {
        if tokens == 0 {
            return;
        }
        let (slots, elements) = (self.slots, self.elements);
        let mut parts = numbers.chunks_exact(tokens * elements);
        for buffer in &mut self.buffers {
            let (_, values) = buffer.extract_tensor_mut();
            for (head, part) in values.chunks_exact_mut(slots * elements).zip(&mut parts) {
                head[..part.len()].copy_from_slice(part);
            }
        }
    }
    /// Makes buffers of just these tokens.
    fn replace(&mut self, tokens: usize, numbers: &[f32]) -> ort::Result<()> {
        self.slots = tokens;
        let fresh = (0..self.buffers.len()).map(|_| self.buffer());
        self.buffers = fresh.collect::<ort::Result<_>>()?;
        self.put(tokens, numbers);
        Ok(())
    }
}
