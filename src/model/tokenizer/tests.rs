use super::template::Segment;
use super::*;
use crate::model::gguf::Gguf;
use crate::model::testing::tiny_gguf;
use proptest::prelude::*;

fn tokenizer(pre: &str, template: Option<&str>) -> Tokenizer {
    let gguf = Gguf::parse(tiny_gguf("qwen2", pre)).unwrap();
    let rows = gguf.tensor("token_embd.weight").unwrap().rows();
    let mut vocabulary = Vocabulary::read(&gguf, rows).unwrap();
    vocabulary.template = template.map(str::to_owned);
    Tokenizer::new(&vocabulary).unwrap()
}

#[test]
fn merges_apply_in_their_order() {
    let tokenizer = tokenizer("qwen2", None);
    let names: Vec<String> = tokenizer
        .encode("the error in")
        .iter()
        .map(|id| tokenizer.decode(&[*id]))
        .collect();
    assert_eq!(names, ["the", " ", "error", " ", "in"]);
}

#[test]
fn composed_text_is_what_qwen_was_trained_on_and_exact_text_stays_exact() {
    let tokenizer = tokenizer("qwen2", None);
    assert_eq!(tokenizer.decode(&tokenizer.encode("e\u{301}")), "\u{e9}");
    assert_eq!(
        tokenizer.decode(&tokenizer.encode_exact("e\u{301}")),
        "e\u{301}"
    );
}

#[test]
fn the_template_decides_about_control_tokens_and_messages_do_not() {
    let template = "{% for message in messages %}{% if message.role == 'user' %}<|im_start|>{{ message.content | trim }}<|im_end|>{% else %}{{ message['content'] }}\n{% endif %}{% endfor %}";
    let tokenizer = tokenizer("qwen2", Some(template));
    let tokens = tokenizer
        .chat("<|im_end|>", &[Segment::Data("a<|endoftext|>".to_owned())])
        .unwrap();
    let control: Vec<u32> = tokens
        .iter()
        .copied()
        .filter(|token| tokenizer.bytes(*token).is_empty())
        .collect();
    assert_eq!(
        control,
        [
            tokenizer.control("<|im_start|>").unwrap(),
            tokenizer.control("<|im_end|>").unwrap()
        ]
    );
    assert_eq!(tokenizer.decode(&tokens), "<|im_end|>\na<|endoftext|>");
}

#[test]
fn templates_that_lose_or_double_a_message_are_refused() {
    for template in [
        "{{ messages[1].content }}",
        "{{ messages[0].content }}{{ messages[1].content }}{{ messages[1].content }}",
    ] {
        assert!(
            tokenizer("qwen2", Some(template))
                .chat("s", &[Segment::Text("u".to_owned())])
                .is_err(),
            "{template}"
        );
    }
}

#[test]
fn a_template_without_a_system_message_gets_its_words_with_the_user_s() {
    let template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}<|endoftext|>{{ messages[0].content }}";
    let gguf = Gguf::parse(tiny_gguf("qwen2", "qwen2")).unwrap();
    let rows = gguf.tensor("token_embd.weight").unwrap().rows();
    let mut vocabulary = Vocabulary::read(&gguf, rows).unwrap();
    vocabulary.template = Some(template.to_owned());
    // Without ChatML's tokens there is nothing else to fall back to.
    for token in &mut vocabulary.tokens {
        if token.starts_with("<|im_") {
            *token = token.replace("im", "x");
        }
    }
    let tokenizer = Tokenizer::new(&vocabulary).unwrap();
    let tokens = tokenizer
        .chat("be brief", &[Segment::Text("why?".to_owned())])
        .unwrap();
    assert_eq!(tokenizer.decode(&tokens), "be brief\n\nwhy?");
}

#[test]
fn a_template_that_does_not_run_gives_way_to_chatml() {
    let endless =
        "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}";
    let tokens = tokenizer("qwen2", Some(endless))
        .chat("s", &[Segment::Text("u".to_owned())])
        .unwrap();
    assert_eq!(
        tokenizer("qwen2", None)
            .chat("s", &[Segment::Text("u".to_owned())])
            .unwrap(),
        tokens
    );
}

/// A corpus of logs, YAML, languages and attempts at markup, with the ids of llama.cpp
/// (`scripts/tokenizer-reference.py`).
#[test]
fn ids_are_those_of_the_reference_tokenizer() {
    let Some(path) = std::env::var_os("NARROWROOM_TEST_MODEL") else {
        eprintln!("NARROWROOM_TEST_MODEL is not set: the reference ids were not compared");
        return;
    };
    let tokenizer = crate::model::tokenizer_of_file(path.as_ref()).unwrap();
    let corpus: Vec<serde_json::Value> = serde_json::from_str(include_str!(
        "../../../tests/data/tokenizer/smollm2-135m.json"
    ))
    .unwrap();
    assert!(corpus.len() > 100);
    for case in corpus {
        let text = case["text"].as_str().unwrap();
        let wanted: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
        assert_eq!(tokenizer.encode_start(text), wanted, "{text:?}");
    }
}

#[test]
fn a_sentencepiece_style_vocabulary_reads_bytes_spaces_and_markup() {
    let gguf = Gguf::parse(tiny_gguf("gemma3", "llama")).unwrap();
    let rows = gguf.tensor("token_embd.weight").unwrap().rows();
    let tokenizer = Tokenizer::new(&Vocabulary::read(&gguf, rows).unwrap()).unwrap();
    let text = "the error\né<|im_end|>";
    let ids = tokenizer.encode_start(text);
    assert_eq!(tokenizer.decode(&ids), format!(" {text}"));
    assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text);
    assert!(ids.iter().all(|id| !tokenizer.bytes(*id).is_empty()));
    let prompt = tokenizer
        .chat("be brief", &[Segment::Data("<|im_end|>".to_owned())])
        .unwrap();
    assert_eq!(prompt[0], 1, "it begins with the token that begins a text");
    let end = tokenizer.control("<|im_end|>").unwrap();
    assert_eq!(prompt.iter().filter(|id| **id == end).count(), 2);
}

proptest! {
    #[test]
    fn any_text_survives_and_holds_no_control_token(text in "(\\PC|<\\|im_(start|end)\\|>|[\\n\\t ]){0,60}", pre in prop::sample::select(vec!["qwen2", "smollm", "llama-bpe", "gpt-2"])) {
        let tokenizer = tokenizer(pre, None);
        let tokens = tokenizer.encode_exact(&text);
        prop_assert_eq!(tokenizer.decode(&tokens), text);
        prop_assert!(tokens.iter().all(|token| !tokenizer.bytes(*token).is_empty()));
    }
}
