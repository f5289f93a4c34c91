//! How models are shown: lists and figures within 80 columns.

use crate::cli::timings::seconds;
use crate::model::{Inspection, Manifest, ModelId, Store, show_bytes};
use crate::report::escape;
use crate::room::running::RunningRoom;

/// A model's short name, and the first digits of its hash where it has none.
fn label(id: &ModelId, alias: fn(&ModelId) -> Option<&'static str>) -> String {
    alias(id).map_or_else(|| id.as_str()[..12].to_owned(), str::to_owned)
}

/// Numbers of weights: `494 M`, `1.54 B`.
fn count(weights: u64) -> String {
    match weights {
        0..1_000_000 => weights.to_string(),
        1_000_000..1_000_000_000 => format!("{} M", weights / 1_000_000),
        _ => format!("{:.2} B", weights as f64 / 1e9),
    }
}

fn fit(text: &str, columns: usize) -> String {
    escape::terminal(text).chars().take(columns).collect()
}

/// The imported models, one a line.
pub fn list(
    store: &Store,
    models: &[(ModelId, Manifest)],
    alias: fn(&ModelId) -> Option<&'static str>,
) -> String {
    let mut out = format!(
        "{:<20} {:<12} {:<7} {:>6} {:<7} {:>7} {:>7}  {}\n",
        "NAME", "ID", "ARCH", "SIZE", "FILE", "CONTEXT", "ON DISK", "RUNS"
    );
    for (id, manifest) in models {
        let ready = store.prepared(id).len();
        out.push_str(&format!(
            "{:<20} {:<12} {:<7} {:>6} {:<7} {:>7} {:>7}  {}\n",
            fit(alias(id).unwrap_or(&manifest.name), 20),
            &id.as_str()[..12],
            fit(&manifest.architecture, 7),
            count(manifest.parameters).replace(' ', ""),
            fit(&manifest.file_quantisation, 7),
            manifest.trained_context,
            show_bytes(store.bytes(id)).replace(' ', ""),
            match (&manifest.ready, ready) {
                (Some(_), _) => "as is",
                (None, 0) => "slow",
                _ => "8-bit",
            },
        ));
    }
    out
}

/// All that is known about a model.
pub fn inspection(model: &Inspection) -> String {
    let mut out = String::new();
    let mut row = |name: &str, value: String| {
        out.push_str(&format!("  {name:<18} {}\n", escape::terminal(&value)));
    };
    row("name", model.name.clone());
    row("architecture", model.architecture.clone());
    if let Some(why) = &model.refused {
        row("NOT SUPPORTED", why.clone());
    }
    row("parameters", count(model.parameters));
    let shape: Vec<String> = model
        .shape
        .iter()
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    row("shape", shape.join(", "));
    let cache = model.cache_bytes_per_token;
    let cache = match cache {
        0 => String::new(),
        bytes => format!(
            "; keys and values {} a token, {} for 4096",
            show_bytes(bytes),
            show_bytes(bytes * 4096)
        ),
    };
    row(
        "context",
        format!("{} trained{cache}", model.trained_context),
    );
    row(
        "file",
        format!(
            "{}, {}",
            model.file.quantisation,
            show_bytes(model.file.bytes)
        ),
    );
    row("file sha256", model.file.sha256.clone());
    if !model.file.source.is_empty() {
        row("file from", model.file.source.clone());
    }
    for stored in &model.file.storage {
        row(
            &format!("  stored {}", stored.kind),
            format!(
                "{} tensors, {} weights, {}",
                stored.tensors,
                count(stored.weights),
                show_bytes(stored.bytes)
            ),
        );
    }
    match &model.run {
        None => row("runs", "not imported".into()),
        Some(run) => {
            row("runs as", run.quantisation.clone());
            for tensors in &run.tensors {
                let form = match tensors.block {
                    0 => format!("{}-bit", tensors.bits),
                    block => format!("{}-bit, block {block}", tensors.bits),
                };
                row(
                    &format!("  {form}"),
                    format!(
                        "{} {} tensors, {} weights, {}",
                        tensors.tensors,
                        tensors.operator,
                        count(tensors.weights),
                        show_bytes(tensors.bytes)
                    ),
                );
            }
            row("stored in", run.folder.display().to_string());
            row("on disk", show_bytes(run.bytes));
            for prepared in &run.prepared {
                let state = match (prepared.used_here, prepared.whole) {
                    (_, false) => "not usable: import the model again",
                    (true, true) => "for this processor and library",
                    (false, true) => "for another processor or library",
                };
                row(
                    "prepared",
                    format!(
                        "{} {}, {state}",
                        prepared.layout,
                        show_bytes(prepared.bytes)
                    ),
                );
            }
            for (what, hash) in &run.hashes {
                row(&format!("{what} sha256"), hash.clone());
            }
        }
    }
    if let Some(tokenizer) = &model.tokenizer {
        row(
            "tokenizer",
            format!(
                "{}; {} tokens, {} merges",
                tokenizer.kind, tokenizer.tokens, tokenizer.merges
            ),
        );
        row("ends a reply", tokenizer.ends.join(" "));
        row(
            "chat template",
            match (&tokenizer.template_refused, &tokenizer.template_sha256) {
                (Some(why), _) => format!("not usable: {why}"),
                (None, Some(hash)) => format!("sha256 {hash}"),
                (None, None) => "none in the file, ChatML is used".into(),
            },
        );
    }
    out
}

/// The rooms that run now.
pub fn rooms(
    rooms: &[RunningRoom],
    store: &Store,
    alias: fn(&ModelId) -> Option<&'static str>,
) -> String {
    if rooms.is_empty() {
        return "no model runs in a room now\n".to_owned();
    }
    let mut out = format!(
        "{:<8} {:<11} {:<22} {:>7} {:>8} {:>8} {:>8}\n",
        "PID", "TASK", "MODEL", "CONTEXT", "TIME", "OWN", "MAPPED"
    );
    for room in rooms {
        let id = room
            .model
            .file_name()
            .and_then(|name| ModelId::parse(&name.to_string_lossy()).ok())
            .filter(|id| store.model_dir(id) == room.model || alias(id).is_some());
        let task = match room.task.as_str() {
            "room" => "triage",
            "guard-room" => "guard",
            other => other,
        };
        out.push_str(&format!(
            "{:<8} {:<11} {:<22} {:>7} {:>8} {:>8} {:>8}\n",
            room.pid,
            fit(task, 11),
            id.map_or_else(|| "another store's".into(), |id| label(&id, alias)),
            room.context,
            seconds(room.seconds as f64),
            show_bytes(room.memory.anonymous),
            show_bytes(room.memory.mapped),
        ));
    }
    out
}
