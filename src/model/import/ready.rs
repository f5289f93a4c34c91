//! Models that come as an ONNX graph: the folders of Optimum, transformers.js and onnxruntime-genai.
//!
//! The graph and its weights are copied as they are. What the graph takes and gives is read from the graph
//! itself, sizes of the context and tokens that end a text from the JSON files beside it. All of it is
//! untrusted. A graph runs once before it is published, so that one that can't run is never in the store.

#![expect(clippy::disallowed_methods, reason = "reads a model's files by path")]

use super::Hashing;
use super::ImportProgress;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::model::manifest::{self, DataFile, Manifest, Ready, Stored};
use crate::model::onnx::{Port, Survey, running};
use crate::model::store::{ModelId, hash_file};
use crate::model::tokenizer::{HubFiles, Tokenizer, Vocabulary};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Largest graph: protobuf's own limit.
const MAX_GRAPH: u64 = 2 << 30;
/// Largest JSON file beside it.
const MAX_JSON: u64 = 256 << 20;
/// Most layers, heads and numbers of a head that are believed.
const MAX_SIZE: u64 = 1 << 16;
/// Element types, by their number in `TensorProto.DataType`.
const F32: u64 = 1;
const I64: u64 = 7;

/// The files of a model.
#[derive(Debug)]
pub(super) struct Folder {
    graph: PathBuf,
    /// Where the JSON files are.
    home: PathBuf,
}

/// Whether a path is the place of a ready-made graph rather than a GGUF file.
pub(super) fn is_one(path: &Path) -> bool {
    files::is_dir(path) || path.extension().is_some_and(|end| end == "onnx")
}

impl Folder {
    /// Finds the graph and the files beside it, of a folder or of the graph itself.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when there is no graph, or several.
    pub(super) fn find(path: &Path) -> Result<Self> {
        let graph = if files::is_dir(path) {
            the_graph(path)?
        } else {
            path.to_owned()
        };
        let beside = graph.parent().unwrap_or(Path::new(""));
        let above = beside.parent().filter(|_| beside.ends_with("onnx"));
        let home = [Some(beside), above]
            .into_iter()
            .flatten()
            .find(|dir| files::exists(&dir.join("tokenizer.json")))
            .map(Path::to_owned)
            .ok_or_else(|| {
                Error::usage(format!(
                    "there is no tokenizer.json beside {}, nor above its folder onnx",
                    files::shown(&graph)
                ))
                .hint("name the whole folder of the model, as its publisher ships it")
            })?;
        Ok(Self { graph, home })
    }
    /// The files whose bytes decide what the model says: the graph, its weights, the tokenizer's.
    fn parts(&self) -> Result<Vec<PathBuf>> {
        let mut parts = vec![self.graph.clone()];
        let (_, survey) = self.survey()?;
        for name in &survey.files {
            parts.push(self.data(name)?);
        }
        let beside = [
            "tokenizer.json",
            "tokenizer_config.json",
            "chat_template.jinja",
            "config.json",
            "generation_config.json",
            "genai_config.json",
        ];
        let there = beside.iter().map(|name| self.home.join(name));
        parts.extend(there.filter(|path| files::exists(path)));
        Ok(parts)
    }
    /// The graph's bytes and what they say.
    fn survey(&self) -> Result<(Vec<u8>, Survey)> {
        let graph = read(&self.graph, MAX_GRAPH)?;
        let survey = Survey::of(&graph).map_err(|cause| {
            Error::refused(format!("{} is no ONNX model", files::shown(&self.graph)))
                .source(cause.message)
        })?;
        Ok((graph, survey))
    }
    /// A file of weights, by the name that the graph gives it.
    fn data(&self, name: &str) -> Result<PathBuf> {
        let ours = [
            manifest::MANIFEST,
            manifest::GRAPH,
            manifest::TOKENIZER,
            manifest::PREPARED,
            crate::model::prefix::FOLDER,
        ];
        let plain = !name.is_empty()
            && !name.starts_with('.')
            && name.len() < 200
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-+ ".contains(c));
        if !plain || ours.contains(&name) {
            return Err(Error::refused(format!(
                "the graph names {name:?} as a file of its weights"
            ))
            .hint("weights lie in files beside the graph, without folders in their names"));
        }
        Ok(self.graph.with_file_name(name))
    }
    /// SHA-256 of the files' own, in order, hexadecimal.
    ///
    /// # Errors
    /// Refused when a file of the hub's cache is not the one that its name there says.
    pub(super) fn identity(&self, progress: &mut dyn FnMut(ImportProgress)) -> Result<String> {
        let mut all = Sha256::new();
        for path in self.parts()? {
            let found = hash_file(&path, &mut |done, size| {
                progress(ImportProgress::Hashing(done, size))
            })?;
            let blob = files::canonical(&path).unwrap_or_else(|_| path.clone());
            let named = blob.file_name().unwrap_or_default().to_string_lossy();
            if ModelId::parse(&named).is_ok_and(|named| named.as_str() != found) {
                return Err(Error::refused(format!(
                    "{} is not what its name says: its sha256 is {found}",
                    files::shown(&blob)
                ))
                .hint("fetch it again; nothing was imported"));
            }
            all.update(found);
        }
        Ok(hex::encode(all.finalize()))
    }

    /// Copies the model into `dir` and describes it.
    pub(super) fn convert(
        &self,
        sha256: &str,
        source: &str,
        dir: &Path,
        progress: &mut dyn FnMut(ImportProgress),
    ) -> Result<Manifest> {
        let (graph, survey) = self.survey()?;
        let asked = Asked::of(&survey)?;
        let config = self.json("config.json")?;
        let genai = self.json("genai_config.json")?;
        let vocabulary = self.vocabulary(&genai, asked.vocab)?;
        Tokenizer::new(&vocabulary)?;
        let mut bytes = graph.len() as u64;
        let mut all = Sha256::new();
        let mut data = Vec::new();
        for name in &survey.files {
            let (sha256, size) = copy(&self.data(name)?, &dir.join(name), progress)?;
            all.update(&sha256);
            bytes += size;
            data.push(DataFile {
                name: name.clone(),
                sha256,
            });
        }
        let running = running(&graph)?;
        let main = running.first();
        let quantisation = main.map_or("unknown".to_owned(), |main| match main.block {
            0 => format!("{} bits", main.bits),
            block => format!("{} bits in blocks of {block}", main.bits),
        });
        let manifest = Manifest {
            format: manifest::FORMAT,
            gguf_sha256: sha256.to_owned(),
            gguf_bytes: bytes,
            name: self.name(&config),
            architecture: shown(
                genai["model"]["type"]
                    .as_str()
                    .or(config["model_type"].as_str())
                    .unwrap_or("not named"),
            ),
            parameters: running.iter().map(|group| group.weights).sum(),
            run_quantisation: format!("{quantisation}, as the graph says"),
            file_quantisation: quantisation,
            trained_context: context(&config, &genai)?,
            layers: asked.layers,
            kv_heads: asked.kv_heads,
            head_dim: asked.head_dim,
            vocab: asked.vocab as u32,
            graph_sha256: super::write_file(&dir.join(manifest::GRAPH), &graph)?,
            weights_sha256: match data.as_slice() {
                [one] => one.sha256.clone(),
                _ => hex::encode(all.finalize()),
            },
            tokenizer_sha256: super::write_file(
                &dir.join(manifest::TOKENIZER),
                &super::to_json(&vocabulary)?,
            )?,
            source: source.to_owned(),
            storage: running
                .into_iter()
                .map(|group| Stored {
                    kind: format!("{} ({} bits)", group.operator, group.bits),
                    tensors: group.tensors,
                    weights: group.weights,
                    bytes: group.bytes,
                })
                .collect(),
            ready: Some(Ready {
                data,
                ..asked.ready
            }),
        };
        Ok(manifest)
    }
    /// The publisher's name for it, as far as there is one: of the hub's cache the repository's.
    fn name(&self, config: &Value) -> String {
        let folder = files::canonical(&self.home).unwrap_or_else(|_| self.home.clone());
        let mut names = folder.iter().map(|part| part.to_string_lossy());
        let repository = names.find_map(|part| {
            let (_, name) = part.strip_prefix("models--")?.split_once("--")?;
            Some(name.to_owned())
        });
        let named = config["_name_or_path"]
            .as_str()
            .filter(|name| !name.is_empty() && !name.starts_with(['/', '.']))
            .map(|name| name.rsplit('/').next().unwrap_or(name).to_owned());
        let last = folder.file_name().unwrap_or_default().to_string_lossy();
        shown(&repository.or(named).unwrap_or_else(|| last.into_owned()))
    }
    fn vocabulary(&self, genai: &Value, rows: usize) -> Result<Vocabulary> {
        let generation = self.json("generation_config.json")?;
        let ends = |value: &Value| -> Vec<u32> {
            let list = value.as_array().cloned().unwrap_or(vec![value.clone()]);
            let ids = list.iter().filter_map(Value::as_u64);
            ids.filter_map(|id| u32::try_from(id).ok()).collect()
        };
        let mut all = ends(&genai["model"]["eos_token_id"]);
        all.extend(ends(&generation["eos_token_id"]));
        let template = self.home.join("chat_template.jinja");
        Vocabulary::from_hub(
            &HubFiles {
                tokenizer: text(read(&self.home.join("tokenizer.json"), MAX_JSON)?)?,
                config: self.json("tokenizer_config.json")?,
                template: match files::exists(&template) {
                    true => Some(text(read(&template, MAX_JSON)?)?),
                    false => None,
                },
                ends: all,
            },
            rows,
        )
    }
    /// A JSON file beside the graph; null without one.
    fn json(&self, name: &str) -> Result<Value> {
        let path = self.home.join(name);
        if !files::exists(&path) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&read(&path, MAX_JSON)?).or_fail(
            ExitCode::InputRefused,
            format!("read {}", files::shown(&path)),
        )
    }
}

/// The one graph of a folder.
fn the_graph(dir: &Path) -> Result<PathBuf> {
    let genai = dir.join("genai_config.json");
    if files::exists(&genai) {
        let config: Value = serde_json::from_slice(&read(&genai, MAX_JSON)?).or_fail(
            ExitCode::InputRefused,
            format!("read {}", files::shown(&genai)),
        )?;
        let name = config["model"]["decoder"]["filename"].as_str();
        let name = name
            .filter(|name| !name.contains(['/', '\\']))
            .ok_or_else(|| {
                Error::refused(format!("{} names no graph", files::shown(&genai)))
                    .hint("a model with a single decoder is supported")
            })?;
        return Ok(dir.join(name));
    }
    let mut graphs = Vec::new();
    for folder in [dir.to_owned(), dir.join("onnx")] {
        let names = files::names(&folder).unwrap_or_default();
        let onnx = names.into_iter().filter(|name| name.ends_with(".onnx"));
        graphs.extend(onnx.map(|name| folder.join(name)));
    }
    graphs.sort();
    match graphs.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(
            Error::usage(format!("{} holds no ONNX model", files::shown(dir))).hint(
                "name a GGUF file, an .onnx file, or a folder with one in it or in its onnx/",
            ),
        ),
        several => {
            let list: Vec<String> = several.iter().map(|path| files::shown(path)).collect();
            Err(
                Error::usage(format!("{} holds several graphs", files::shown(dir)))
                    .hint(format!("name one: {}", list.join(", "))),
            )
        }
    }
}

/// How a graph is asked, and its sizes.
struct Asked {
    layers: u32,
    kv_heads: u32,
    head_dim: u32,
    vocab: usize,
    ready: Ready,
}

impl Asked {
    fn of(survey: &Survey) -> Result<Self> {
        let mut ready = Ready {
            attention_mask: false,
            position_ids: false,
            logits_to_keep: None,
            in_place: survey.operators.contains("GroupQueryAttention"),
            data: Vec::new(),
        };
        let (mut tokens, mut shape, mut caches) = (false, None, 0u64);
        for input in &survey.inputs {
            match (input.name.as_str(), input.elem) {
                ("input_ids", I64) => tokens = true,
                ("attention_mask", I64) => ready.attention_mask = true,
                ("position_ids", I64) => ready.position_ids = true,
                (name @ ("num_logits_to_keep" | "logits_to_keep"), I64) => {
                    ready.logits_to_keep = Some(name.to_owned());
                }
                (name, F32) if is_cache(name) => {
                    let found = heads(input)?;
                    if *shape.get_or_insert(found) != found {
                        return Err(unfit("layers of different sizes"));
                    }
                    caches += 1;
                }
                (name, _) if is_cache(name) => {
                    return Err(unfit("keys and values that are not 32-bit floats").hint(
                        "take the variant of the model that is made for processors, such as model_q4.onnx or a cpu-int4 folder",
                    ));
                }
                (name, elem) => {
                    return Err(unfit(&format!(
                        "an input {name:?} of the element type {elem}"
                    )));
                }
            }
        }
        let (kv_heads, head_dim) = shape.ok_or_else(|| {
            unfit("no past_key_values").hint(
                "export it with a cache of keys and values (in Optimum: text-generation-with-past)",
            )
        })?;
        let logits = survey.outputs.iter().find(|port| port.name == "logits");
        let logits = logits.ok_or_else(|| unfit("no output named logits"))?;
        let vocab = match logits.dims.as_slice() {
            [_, _, Some(vocab)] if logits.elem == F32 && *vocab <= 1 << 20 => *vocab as usize,
            _ => {
                return Err(unfit(
                    "logits that are not 32-bit floats, one for each token of a vocabulary",
                ));
            }
        };
        if !tokens || caches % 2 == 1 || caches / 2 > MAX_SIZE {
            return Err(unfit("no input_ids, or keys without values"));
        }
        Ok(Self {
            layers: (caches / 2) as u32,
            kv_heads,
            head_dim,
            vocab,
            ready,
        })
    }
}

fn unfit(what: &str) -> Error {
    Error::refused(format!("the graph has {what}")).hint(
        "supported are decoders with input_ids, attention_mask, position_ids and past_key_values, as Optimum, transformers.js and onnxruntime-genai write them; a GGUF file of the model may do",
    )
}

/// `past_key_values.N.key` or `.value`
fn is_cache(name: &str) -> bool {
    name.strip_prefix("past_key_values.")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(layer, part)| {
            layer.parse::<u32>().is_ok() && matches!(part, "key" | "value")
        })
}

/// Heads, and numbers of a head.
fn heads(port: &Port) -> Result<(u32, u32)> {
    match port.dims.as_slice() {
        [_, Some(heads), _, Some(size)]
            if (1..MAX_SIZE).contains(heads) && (1..MAX_SIZE).contains(size) =>
        {
            Ok((*heads as u32, *size as u32))
        }
        _ => Err(unfit("keys and values of unknown size")),
    }
}

/// Tokens that the model was trained for.
fn context(config: &Value, genai: &Value) -> Result<u32> {
    let places = [
        &genai["model"]["context_length"],
        &config["max_position_embeddings"],
        &config["text_config"]["max_position_embeddings"],
        &config["n_positions"],
    ];
    let found = places.iter().find_map(|value| value.as_u64());
    found
        .filter(|tokens| (1..=1 << 24).contains(tokens))
        .map(|tokens| tokens as u32)
        .ok_or_else(|| {
            Error::refused(
                "neither config.json nor genai_config.json says how long a context may be",
            )
            .hint("max_position_embeddings in config.json says it")
        })
}

/// Fit to be shown.
fn shown(name: &str) -> String {
    let plain = name.chars().filter(|c| !c.is_control());
    plain.take(200).collect()
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).or_fail(ExitCode::InputRefused, "read the tokenizer as text")
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let failed = || format!("read {}", files::shown(path));
    let mut bytes = Vec::new();
    let file = File::open(path).or_fail(ExitCode::Usage, failed())?;
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .or_fail(ExitCode::InputRefused, failed())?;
    if bytes.len() as u64 > most {
        return Err(Error::limit(format!(
            "{} is larger than {most} bytes",
            files::shown(path)
        )));
    }
    Ok(bytes)
}

/// Copies a file; gives the SHA-256 and the size of what was written.
fn copy(from: &Path, to: &Path, progress: &mut dyn FnMut(ImportProgress)) -> Result<(String, u64)> {
    let failed = || format!("copy {}", files::shown(from));
    let mut source = File::open(from).or_fail(ExitCode::InputRefused, failed())?;
    let all = files::size(from);
    let mut target = Hashing::create(to)?;
    let mut buffer = vec![0; 4 << 20];
    let mut done = 0;
    loop {
        let count = source
            .read(&mut buffer)
            .or_fail(ExitCode::InputRefused, failed())?;
        if count == 0 {
            return Ok((target.finish()?, done));
        }
        target
            .write_all(&buffer[..count])
            .or_fail(ExitCode::InputRefused, failed())
            .map_err(|error| error.hint("is the disk full?"))?;
        done += count as u64;
        progress(ImportProgress::Converting(done, all.max(done)));
    }
}

#[cfg(test)]
#[path = "ready_tests.rs"]
mod tests;
