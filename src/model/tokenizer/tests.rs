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

proptest! {
    #[test]
    fn any_text_survives_and_holds_no_control_token(text in "(\\PC|<\\|im_(start|end)\\|>|[\\n\\t ]){0,60}", pre in prop::sample::select(vec!["qwen2", "smollm", "llama-bpe", "gpt-2"])) {
        let tokenizer = tokenizer(pre, None);
        let tokens = tokenizer.encode_exact(&text);
        prop_assert_eq!(tokenizer.decode(&tokens), text);
        prop_assert!(tokens.iter().all(|token| !tokenizer.bytes(*token).is_empty()));
    }
}
