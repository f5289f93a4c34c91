//! What the renderers promise together: snapshots of whole reports, and that no text of a bundle
//! leaves its place.

use super::escape::is_hidden;
use super::samples;
use super::wrap::{COLUMNS, width};
use super::{View, html, markdown, terminal};
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

fn all() -> [(&'static str, View); 5] {
    [
        ("findings", samples::findings()),
        ("insufficient", samples::insufficient()),
        ("healthy", samples::healthy()),
        ("weaker_seal", samples::weaker_seal()),
        ("injection", samples::injection()),
    ]
}

#[test]
fn whole_reports() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, view) in all() {
            insta::assert_snapshot!(format!("terminal_{name}"), terminal::render(&view, false));
            insta::assert_snapshot!(format!("markdown_{name}"), markdown::render(&view));
            insta::assert_snapshot!(format!("html_{name}"), body(&html::render(&view)));
        }
    });
}

/// The document without its style sheet, which would drown the snapshot.
fn body(document: &str) -> &str {
    document
        .split_once("<body>")
        .map_or(document, |(_, body)| body)
}

/// Puts `text` into every field that a bundle can fill.
fn poisoned(text: &str) -> View {
    let mut view = samples::injection();
    let json = serde_json::to_string(&view).unwrap();
    let inner = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let json = json.replace(&inner(samples::hostile()), &inner(text));
    view = serde_json::from_str(&json).unwrap();
    view.report.findings[0].evidence[0].path = text.to_owned();
    view.run.profile = text.to_owned();
    view.run.id = text.to_owned();
    view.files[0].path = text.to_owned();
    view
}

#[test]
fn colour_changes_nothing_but_colour() {
    for (name, view) in all() {
        let mut plain = terminal::render(&view, true);
        for code in ["1;36", "1;31", "1", "2", "32", "33", "0"] {
            plain = plain.replace(&format!("\x1b[{code}m"), "");
        }
        assert_eq!(plain, terminal::render(&view, false), "{name}");
    }
}

#[test]
fn a_weaker_seal_stands_before_the_answer() {
    let view = samples::weaker_seal();
    for out in [
        terminal::render(&view, false),
        markdown::render(&view),
        body(&html::render(&view)).to_owned(),
    ] {
        let alarm = out.find("THE SEAL WAS WEAKER").expect("the alarm is there");
        assert!(alarm < out.find("No fault found").unwrap());
        assert!(out.contains("network-namespace") && out.contains("landlock"));
    }
    let sealed = samples::healthy();
    for out in [
        terminal::render(&sealed, false),
        markdown::render(&sealed),
        html::render(&sealed),
    ] {
        assert!(!out.contains("WEAKER"));
    }
}

#[test]
fn html_loads_and_runs_nothing() {
    use base64::Engine as _;
    use sha2::Digest as _;
    for (_, view) in all() {
        let out = html::render(&view);
        let style = out
            .split_once("<style>")
            .and_then(|(_, rest)| rest.split_once("</style>"))
            .unwrap()
            .0;
        let digest = base64::engine::general_purpose::STANDARD
            .encode(sha2::Sha256::digest(style.as_bytes()));
        assert!(out.contains(&format!(
            "default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        )));
        for tag in tags(&out) {
            let name = tag
                .trim_start_matches('/')
                .split([' ', '\n'])
                .next()
                .unwrap();
            assert!(
                !matches!(
                    name,
                    "script" | "img" | "iframe" | "link" | "object" | "form" | "svg" | "base"
                ),
                "{tag}"
            );
            assert!(
                !tag.split(' ').any(|part| part.starts_with("style=")
                    || part.starts_with("on") && part.contains('=')),
                "{tag}"
            );
        }
        assert!(!style.contains("url(") && !style.contains("@import"));
    }
}

/// The tags of a document, without their angle brackets.
fn tags(document: &str) -> Vec<&str> {
    document
        .split('<')
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(tag, _)| tag)
        .collect()
}

fn structure(document: &str) -> Vec<String> {
    // Spans for escapes and rows of a quote depend on the text; attribute values may hold it.
    tags(body(document))
        .into_iter()
        .map(|tag| tag.split(' ').next().unwrap_or(tag).to_owned())
        .filter(|tag| {
            !matches!(
                tag.as_str(),
                "span" | "/span" | "mark" | "/mark" | "a" | "/a" | "code" | "/code"
            )
        })
        .collect()
}

fn check(text: &str) {
    let view = poisoned(text);
    let out = terminal::render(&view, false);
    assert!(!out.chars().any(|c| is_hidden(c) || c == '\t'), "{out:?}");
    for line in out.lines() {
        assert!(width(line) <= COLUMNS, "{line:?}");
    }

    let out = html::render(&view);
    assert!(!out.chars().any(is_hidden));
    let is_blank = text.trim().is_empty();
    assert!(
        is_blank || structure(&out) == structure(&html::render(&poisoned("plain"))),
        "{out}"
    );

    let out = markdown::render(&view);
    assert!(!out.chars().any(is_hidden));
    assert!(
        shape(&out) == shape(&markdown::render(&poisoned("plain"))) || is_blank,
        "{out}"
    );
}

/// The block structure of Markdown; panics at what text of a bundle must never make.
fn shape(text: &str) -> Vec<String> {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH;
    let mut shape = Vec::new();
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(
                Tag::Link { .. }
                | Tag::Image { .. }
                | Tag::Table(_)
                | Tag::HtmlBlock
                | Tag::BlockQuote(_)
                | Tag::Emphasis
                | Tag::Strikethrough,
            )
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Rule => panic!("{event:?} in\n{text}"),
            Event::Start(tag) => shape.push(format!("{tag:?}")),
            _ => {}
        }
    }
    shape
}

#[test]
fn the_hostile_text_is_hostile_where_it_is_not_escaped() {
    let raw = samples::hostile();
    assert!(raw.chars().any(is_hidden));
    assert!(tags(raw).contains(&"script"));
    assert!(std::panic::catch_unwind(|| shape(raw)).is_err());
}

#[test]
fn known_attacks_stay_in_their_place() {
    for text in [
        samples::hostile(),
        "",
        "\n",
        "`",
        "```\n~~~",
        "| a | b |\n|---|---|",
        "</style><script>",
        "\\u{1b}",
        "-",
        "1.",
        "&lt;",
        "x\n===\ny",
        "    indented",
        "[a]: https://evil.example",
        "*a* _b_ ~~c~~ $d$",
        "\r\n# h",
        "<!--",
        "\u{1F468}\u{200D}\u{1F469}",
    ] {
        check(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_text_stays_in_its_place(text in "([\\x00-\\x7f]|\\PC|[\u{200b}-\u{202e}]){0,120}") {
        check(&text);
    }
}
