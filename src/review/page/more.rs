//! What can be opened below a claim: the seal, the exact prompts, text that speaks to a model.

use super::super::desk::Desk;
use crate::report::escape::html as esc;
use crate::report::html_evidence::figure;
use crate::report::wording as say;
use crate::room::protocol::Exchange;

/// Most characters shown of one prompt or one output, and of all together.
const MAX_TEXT: usize = 64 << 10;
const MAX_ALL: usize = 1 << 20;

pub fn sections(out: &mut String, desk: &Desk) {
    let view = desk.view();
    out.push_str("<section class=\"more\" aria-label=\"How this was made\">\n");
    open(
        out,
        "seal",
        &format!(
            "The seal <span class=\"why\">{}</span>",
            esc(&say::seal(&view.seal))
        ),
    );
    seal(out, desk);
    out.push_str("</details>\n");
    open(
        out,
        "made",
        &format!(
            "The run <span class=\"why\">{}</span>",
            esc(&say::model(&view.run))
        ),
    );
    made(out, desk);
    out.push_str("</details>\n");
    let exchanges = &desk.run().transcript;
    open(
        out,
        "prompts",
        &format!(
            "Prompts and raw output <span class=\"why\">{}</span>",
            match exchanges.len() {
                0 => "no model was asked".to_owned(),
                n => say::plural(n as u64, "exchange", "exchanges"),
            }
        ),
    );
    prompts(out, exchanges);
    out.push_str("</details>\n");
    if !view.injections.is_empty() {
        open(
            out,
            "injections",
            &format!(
                "Text that speaks to a language model <span class=\"why\">{}</span>",
                esc(&say::injections(view))
            ),
        );
        for evidence in &view.injections {
            out.push_str(&figure(
                evidence,
                view.context_of(evidence),
                std::iter::empty(),
            ));
        }
        out.push_str("</details>\n");
    }
    out.push_str("</section>\n");
}

fn open(out: &mut String, id: &str, summary: &str) {
    out.push_str(&format!(
        "<details id=\"more-{id}\">\n<summary>{summary}</summary>\n"
    ));
}

fn fact(out: &mut String, name: &str, value: &str) {
    out.push_str(&format!("<dt>{name}</dt><dd>{value}</dd>\n"));
}

fn seal(out: &mut String, desk: &Desk) {
    for proof in &desk.run().record.seals {
        out.push_str(&format!(
            "<h3>{} <span class=\"why\">{}</span></h3>\n<ul class=\"probes\">\n",
            esc(&proof.zone.to_string()),
            esc(&format!("{:?}", proof.stage).to_lowercase())
        ));
        for layer in &proof.layers {
            let (class, mark, word) = match layer.enforced {
                true => ("ok", "✓", "enforced"),
                false => ("rejected", "✗", "NOT ENFORCED"),
            };
            out.push_str(&format!(
                "<li class=\"{class}\"><span aria-hidden=\"true\">{mark}</span> <b>{}</b> <span class=\"why\">{word}: {}</span></li>\n",
                esc(&layer.layer.to_string()),
                esc(&layer.detail)
            ));
        }
        let held = proof.probes.iter().filter(|probe| probe.held).count();
        out.push_str(&format!(
            "<li>{held} of {} probes as expected</li>\n",
            proof.probes.len()
        ));
        for probe in proof.probes.iter().filter(|probe| !probe.held) {
            out.push_str(&format!(
                "<li class=\"rejected\"><span aria-hidden=\"true\">✗</span> <b>{}</b></li>\n",
                esc(&probe.name)
            ));
        }
        out.push_str("</ul>\n");
    }
}

fn made(out: &mut String, desk: &Desk) {
    let view = desk.view();
    let run = &view.run;
    let record = &desk.run().record;
    out.push_str("<dl class=\"facts\">\n");
    fact(out, "Verifier", &esc(&say::verifier(view)));
    fact(out, "Model", &esc(&say::model(run)));
    if let Some(model) = &record.model {
        fact(
            out,
            "Weights",
            &format!("sha256 <code>{}</code>", esc(&model.sha256)),
        );
        fact(out, "Sampling", &esc(&model.sampling));
    }
    fact(
        out,
        "Playbook",
        &format!(
            "{} {}, sha256 <code>{}</code>",
            esc(&run.playbook.id),
            esc(&run.playbook.version),
            esc(&run.playbook.sha256)
        ),
    );
    fact(
        out,
        "Bundle",
        &format!("sha256 <code>{}</code>", esc(&run.bundle_sha256)),
    );
    if let Some(masked) = say::masked(view) {
        fact(out, "Secrets", &esc(&masked));
    }
    fact(out, "Started", &esc(&run.started));
    let stages: Vec<String> = run
        .stages
        .iter()
        .map(|stage| format!("{} {}", esc(&stage.stage), say::duration(stage.millis)))
        .collect();
    fact(out, "Time", &stages.join(", "));
    for note in &record.notes {
        fact(out, "Note", &esc(note));
    }
    out.push_str("</dl>\n");
}

fn prompts(out: &mut String, exchanges: &[Exchange]) {
    let mut left = MAX_ALL;
    for exchange in exchanges {
        out.push_str(&format!(
            "<h3>{} {} <span class=\"why\">{} tokens read, {} written, {}, {}: {}</span></h3>\n",
            esc(&exchange.step),
            exchange.attempt,
            say::grouped(exchange.prompt_tokens),
            say::grouped(exchange.output_tokens),
            say::duration(exchange.millis),
            esc(&exchange.stop),
            esc(&exchange.result)
        ));
        for (name, text) in [("Prompt", &exchange.prompt), ("Output", &exchange.output)] {
            let most = MAX_TEXT.min(left);
            let kept: String = text.chars().take(most).collect();
            left = left.saturating_sub(kept.len());
            let more = text.chars().count() - kept.chars().count();
            let more = match more {
                0 => String::new(),
                n => format!(
                    "<span class=\"cut\">… {} more characters: narrowroom show RUN --transcript</span>",
                    say::grouped(n as u64)
                ),
            };
            out.push_str(&format!(
                "<h4 class=\"why\">{name}</h4>\n<pre class=\"raw\" tabindex=\"0\">{}{more}</pre>\n",
                esc(&kept)
            ));
        }
    }
    if exchanges.is_empty() {
        out.push_str("<p>No model was asked in this run.</p>\n");
    }
}
