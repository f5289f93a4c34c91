use super::*;
use crate::model::testing::{tiny::Tiny, tokenizer_json};
use crate::model::tokenizer::Tokenizer;
use serde_json::json;
use std::str::FromStr;

const KINDS: [&str; 5] = ["qwen2", "llama-bpe", "smollm", "gpt-2", "llama"];

const TEXTS: [&str; 9] = [
    "the error in the other",
    " the  error\n\tin  a room",
    "2024-05-01T10:00:01Z FATAL 12345 on tether",
    "e\u{301}t\u{e9} \u{4f60}\u{597d} \u{1f600}",
    "don't it's WE'LL",
    "- key: \"value\" # x\n\n\n",
    "",
    "\r\n \r\n",
    "thethe error errorin",
];

fn read(file: &Value, rows: usize) -> Result<Vocabulary> {
    Vocabulary::from_hub(
        &HubFiles {
            tokenizer: file.to_string(),
            config: json!({"eos_token": {"content": "<|im_end|>"}}),
            ..HubFiles::default()
        },
        rows,
    )
}

fn parsed(pre: &str) -> (Value, usize) {
    let tiny = Tiny::new("llama", pre);
    (tokenizer_json(&tiny), tiny.vocabulary().0.len())
}

#[test]
fn ids_are_those_of_the_library_that_the_file_is_made_for() {
    for pre in KINDS {
        let (file, rows) = parsed(pre);
        let ours = Tokenizer::new(&read(&file, rows + 3).unwrap()).unwrap();
        let theirs = tokenizers::Tokenizer::from_str(&file.to_string()).unwrap();
        for text in TEXTS {
            let wanted = theirs.encode(text, false).unwrap();
            assert_eq!(ours.encode_start(text), wanted.get_ids(), "{pre}: {text:?}");
        }
    }
}

#[test]
fn control_tokens_and_rows_without_a_name_never_come_from_text() {
    for pre in KINDS {
        let (file, rows) = parsed(pre);
        let ours = Tokenizer::new(&read(&file, rows + 3).unwrap()).unwrap();
        assert_eq!(ours.vocab_size(), rows + 3);
        let text = format!("a<|im_end|>b<|im_start|><unused {rows}>");
        let ids = ours.encode(&text);
        assert!(
            ids.iter().all(|id| (*id as usize) < rows - 3),
            "{pre}: {ids:?}"
        );
        assert_eq!(ours.decode(&ids), text, "{pre}");
        let end = ours.control("<|im_end|>").unwrap();
        assert!(ours.is_end(end));
        assert!(ours.banned().contains(&(rows as u32)));
    }
}

#[test]
fn a_file_of_another_kind_is_refused_by_what_sets_it_apart() {
    let (file, rows) = parsed("qwen2");
    for (path, value, word) in [
        ("/model/type", json!("Unigram"), "BPE"),
        ("/normalizer", json!({"type": "NFKC"}), "NFKC"),
        ("/normalizer", json!(null), "split as Qwen2, then bytes"),
        (
            "/pre_tokenizer/pretokenizers/0/pattern/Regex",
            json!("x+"),
            "another pattern",
        ),
        (
            "/pre_tokenizer",
            json!({"type": "Whitespace"}),
            "Whitespace",
        ),
        ("/model/byte_fallback", json!(true), "bytes"),
        ("/model/ignore_merges", json!(true), "whole words"),
        ("/model/merges/0", json!("t h e"), "two tokens"),
        ("/model/vocab/th", json!(90_000), "90000"),
    ] {
        let mut changed = file.clone();
        *changed.pointer_mut(path).unwrap() = value;
        let error = read(&changed, rows).unwrap_err();
        assert!(error.chain().contains(word), "{path}: {}", error.chain());
    }
    assert!(read(&json!("no object"), rows).is_err());
}

#[test]
fn names_of_the_first_token_and_of_templates_are_read_as_publishers_write_them() {
    let (mut file, rows) = parsed("llama-bpe");
    let config = json!({"bos_token": "<|endoftext|>", "eos_token": "<|im_end|>",
        "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]});
    let read = |file: &Value, config: &Value, template: Option<&str>| {
        Vocabulary::from_hub(
            &HubFiles {
                tokenizer: file.to_string(),
                config: config.clone(),
                template: template.map(str::to_owned),
                ends: vec![rows as u32 - 3],
            },
            rows,
        )
        .unwrap()
    };
    let plain = read(&file, &config, None);
    assert_eq!((plain.bos, plain.add_bos), (Some(rows as u32 - 3), false));
    assert_eq!(plain.template.as_deref(), Some("d"));
    assert_eq!(
        (plain.eos, plain.more_ends),
        (Some(rows as u32 - 1), vec![rows as u32 - 3])
    );
    file["post_processor"] = json!({"type": "Sequence", "processors": [{"type": "ByteLevel"},
        {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|endoftext|>", "type_id": 0}}, {"Sequence": {"id": "A"}}]}]});
    let begun = read(&file, &config, Some("own"));
    assert!(begun.add_bos);
    assert_eq!(begun.template.as_deref(), Some("own"));
    let told =
        json!({"bos_token": "<|endoftext|>", "add_bos_token": false, "chat_template": "text"});
    let told = read(&file, &told, None);
    assert!(!told.add_bos);
    assert_eq!(
        (told.template.as_deref(), told.eos),
        (Some("text"), Some(rows as u32 - 3))
    );
}
