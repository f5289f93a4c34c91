//! The summary as one HTML page without script, and as Markdown; in the style of the reports.

use super::summary::{Row, Summary};
use super::summary_text::{in_words, says, title};
use crate::report::escape::{html as esc, html_attribute, markdown as md, markdown_code};
use crate::report::wording as say;
use base64::Engine as _;
use sha2::{Digest as _, Sha256};

const REPORT_STYLE: &str = include_str!("../report/report.css");
const STYLE: &str = include_str!("summary.css");
/// Most rows of the pages; the JSON holds all.
const MAX_ROWS: usize = 5_000;

/// Renders `summary` as a whole HTML document; `runs`: where the runs lie relative to the page, when
/// they lie beside it.
pub fn html(summary: &Summary, runs: Option<&str>) -> String {
    let style = format!("{REPORT_STYLE}{STYLE}");
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style.as_bytes()));
    let counts = &summary.counts;
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{}</title>\n<style>{style}</style>\n</head>\n<body>\n<div class=\"page\">\n\
         <header class=\"top\">\n<strong>Batch</strong>\n<span>manifest <span class=\"mono\">{}</span></span>\n<span class=\"end\">{} of {} finished</span>\n</header>\n<main>\n",
        html_attribute(&title(summary)),
        esc(&say::short_hash(&summary.manifest)),
        say::grouped(counts.finished()),
        say::plural(counts.bundles, "bundle", "bundles"),
    );
    out.push_str(&format!(
        "<div class=\"answer\">\n<h1>{}</h1>\n<p class=\"lead\">{}</p>\n",
        esc(&title(summary)),
        esc(&in_words(counts))
    ));
    if summary.work_seconds > 0 {
        out.push_str(&format!(
            "<p class=\"notice\">{} of work, at most {} resident in a worker. None of these reports is signed: a person decides about each.</p>\n",
            say::duration(summary.work_seconds.saturating_mul(1_000)),
            super::show_bytes(summary.peak_kib.saturating_mul(1_024)),
        ));
    }
    out.push_str("</div>\n");
    if summary.tenants.len() > 1 {
        out.push_str("<section aria-labelledby=\"tenants\">\n<h2 class=\"section\" id=\"tenants\">Tenants</h2>\n<dl class=\"facts\">\n");
        for (name, counts) in summary.tenants.iter().take(MAX_ROWS) {
            out.push_str(&format!(
                "<dt>{}</dt><dd>{}</dd>\n",
                esc(name),
                esc(&in_words(counts))
            ));
        }
        out.push_str("</dl>\n</section>\n");
    }
    out.push_str("<section aria-labelledby=\"bundles\">\n<h2 class=\"section\" id=\"bundles\">Bundles, those that need a person first</h2>\n<ul class=\"rows\">\n");
    for row in summary.rows.iter().take(MAX_ROWS) {
        out.push_str(&html_row(row, runs));
    }
    out.push_str("</ul>\n");
    if summary.rows.len() > MAX_ROWS {
        out.push_str(&format!(
            "<p class=\"note\">{} more are in summary.json.</p>\n",
            say::grouped((summary.rows.len() - MAX_ROWS) as u64)
        ));
    }
    out.push_str("</section>\n</main>\n</div>\n</body>\n</html>\n");
    out
}

fn html_row(row: &Row, runs: Option<&str>) -> String {
    let class = match row.state {
        "done" => "good",
        "rejected" | "open" => "bad",
        _ => "",
    };
    let path = match (&row.run, runs) {
        (Some(run), Some(runs)) => {
            let tenant = row
                .tenant
                .as_ref()
                .map_or_else(String::new, |tenant| format!("tenants/{tenant}/"));
            format!(
                "<a href=\"{}\">{}</a>",
                html_attribute(&format!("{runs}/{tenant}{}/report.html", run.id)),
                esc(&row.path)
            )
        }
        _ => esc(&row.path),
    };
    let mut facts = Vec::new();
    facts.extend(
        row.tenant
            .as_ref()
            .map(|tenant| format!("tenant {}", esc(tenant))),
    );
    if let Some(run) = &row.run {
        facts.push(format!("{} layout", esc(&run.profile)));
        facts.push(format!("run <span class=\"mono\">{}</span>", esc(&run.id)));
        facts.push(say::duration(run.millis));
        if run.injections > 0 {
            facts.push("<b class=\"note\">holds text that addresses a model</b>".into());
        }
    }
    if row.attempts > 1 {
        facts.push(format!("started {} times", row.attempts));
    }
    let hint = row
        .failure
        .as_ref()
        .and_then(|failure| failure.hint.as_ref());
    let hint = hint.map_or_else(String::new, |hint| {
        format!("<p class=\"why\">{}</p>\n", esc(hint))
    });
    format!(
        "<li><p><span class=\"class {class}\">{}</span> <b>{path}</b></p>\n<p>{}</p>\n{hint}<p class=\"why\">{}</p></li>\n",
        esc(row.state),
        esc(&says(row)),
        facts.join(" · ")
    )
}

/// Renders `summary` as CommonMark.
pub fn markdown(summary: &Summary) -> String {
    let mut out = format!(
        "# {}\n\n{}\n\n",
        md(&title(summary)),
        md(&in_words(&summary.counts))
    );
    if summary.tenants.len() > 1 {
        out.push_str("## Tenants\n\n");
        for (name, counts) in summary.tenants.iter().take(MAX_ROWS) {
            out.push_str(&format!(
                "- {}: {}\n",
                markdown_code(name),
                md(&in_words(counts))
            ));
        }
        out.push('\n');
    }
    out.push_str("## Bundles, those that need a person first\n\n");
    for row in summary.rows.iter().take(MAX_ROWS) {
        let run = row.run.as_ref().map_or_else(String::new, |run| {
            format!(", run {}", markdown_code(&run.id))
        });
        let flag = row.run.as_ref().is_some_and(|run| run.injections > 0);
        let flag = if flag {
            ", holds text that addresses a model"
        } else {
            ""
        };
        out.push_str(&format!(
            "- {} {}{run}{flag}",
            row.state,
            markdown_code(&row.path)
        ));
        let says = says(row);
        if !says.is_empty() {
            out.push_str(&format!(": {}", md(&says)));
        }
        out.push('\n');
    }
    if summary.rows.len() > MAX_ROWS {
        out.push_str(&format!("- and {} more\n", summary.rows.len() - MAX_ROWS));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::item::{Failure, RunFacts};
    use super::super::summary::{Counts, SCHEMA};
    use super::super::text;
    use super::*;
    use crate::report::Outcome;

    /// A batch whose every text tries to leave its place.
    fn hostile() -> Summary {
        let evil = "<script>alert(1)</script>\x1b[31m[x](http://evil) \u{202e}";
        let row = |state, run, failure| Row {
            item: "0123456789abcdef".into(),
            path: format!("{evil}.tar"),
            tenant: Some("acme".into()),
            shard: 0,
            state,
            run,
            failure,
            attempts: 2,
        };
        let run = RunFacts {
            id: "abcdefghjk".into(),
            key: "00".into(),
            outcome: Outcome::Findings,
            title: Some(evil.into()),
            cause: Some(evil.into()),
            confidence: Some(0.9),
            profile: evil.into(),
            injections: 1,
            started: "2026-01-01T00:00:00Z".into(),
            millis: 1_234,
            peak_kib: 50_000,
        };
        let failure = Failure {
            exit: 3,
            message: evil.into(),
            hint: Some(evil.into()),
        };
        Summary {
            schema: SCHEMA,
            manifest: "ab".repeat(32),
            shard: None,
            tenant: None,
            counts: Counts {
                bundles: 2,
                done: 1,
                findings: 1,
                refused: 1,
                ..Counts::default()
            },
            tenants: Default::default(),
            shards: vec![],
            work_seconds: 2,
            peak_kib: 50_000,
            rows: vec![
                row("done", Some(run), None),
                row("refused", None, Some(failure)),
            ],
        }
    }

    #[test]
    fn text_of_a_bundle_stays_text_in_every_form() {
        let summary = hostile();
        let page = html(&summary, Some("runs"));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("runs/tenants/acme/abcdefghjk/report.html"));
        assert!(page.contains("default-src 'none'"));
        let shown = text(&summary);
        for rendered in [&page, &shown, &markdown(&summary)] {
            assert!(!rendered.contains('\x1b'));
            assert!(!rendered.contains('\u{202e}'));
        }
        assert!(
            shown
                .lines()
                .all(|line| crate::report::wrap::width(line) <= 80),
            "{shown}"
        );
        use pulldown_cmark::{Event, Tag};
        let page = markdown(&summary);
        for event in pulldown_cmark::Parser::new(&page) {
            let live = matches!(
                event,
                Event::Start(Tag::Link { .. } | Tag::Image { .. })
                    | Event::Html(_)
                    | Event::InlineHtml(_)
            );
            assert!(!live, "{event:?} in {page}");
        }
    }
}
