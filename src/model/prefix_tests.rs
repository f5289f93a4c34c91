#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

use super::super::testing::open;
use super::super::{GenerateRequest, Model};
use super::*;
use std::ops::ControlFlow;

const FIXED: &str = "the error in the room is read by the person who signs what the room said";

fn reply(model: &mut Model, prompt: &[u32]) -> (Vec<u32>, usize) {
    let request = GenerateRequest {
        prompt,
        max_tokens: 24,
        ..GenerateRequest::default()
    };
    let made = model
        .generate(&request, &mut |_| ControlFlow::Continue(()))
        .unwrap();
    (made.tokens, made.timings.reused_tokens)
}

/// A model, its fixed beginning and a folder with that beginning's file, made by another model's process.
fn kept() -> (Model, Vec<u32>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let mut maker = open("qwen2", 1);
    let tokens = maker.tokens(FIXED);
    let fixed = maker.prefix(&tokens).unwrap().to_vec();
    let bytes = maker.prefix_file(&fixed).unwrap();
    std::fs::create_dir(dir.path().join(FOLDER)).unwrap();
    let path = dir.path().join(FOLDER).join(maker.prefix_name(&fixed));
    std::fs::write(path, bytes).unwrap();
    (open("qwen2", 9), fixed, dir)
}

#[test]
fn a_kept_beginning_saves_its_tokens_and_changes_no_answer() {
    let (mut with, fixed, dir) = kept();
    assert_eq!(
        with.read_prefixes(dir.path(), std::slice::from_ref(&fixed)),
        0
    );
    let mut without = open("qwen2", 1);
    for rest in [" and the disk", " while the network was denied", " twice"] {
        let prompt: Vec<u32> = fixed.iter().copied().chain(with.tokens(rest)).collect();
        // Something else comes between, so that nothing of the beginning is in place any more.
        let other = with.tokens("another prompt about something else");
        reply(&mut with, &other);
        let (kept, reused) = reply(&mut with, &prompt);
        assert!(reused >= fixed.len() - 2, "{reused} of {}", fixed.len());
        without.roll_back(0);
        let (plain, none) = reply(&mut without, &prompt);
        assert_eq!((kept, none), (plain, 0), "{rest}");
        let candidates = [with.tokens(" disk"), with.tokens(" the network cable")];
        reply(&mut with, &other);
        let scored = with.score(&prompt, &candidates).unwrap();
        without.roll_back(0);
        assert_eq!(scored, without.score(&prompt, &candidates).unwrap());
    }
}

#[test]
fn a_file_that_does_not_fit_is_not_used() {
    let (mut model, fixed, dir) = kept();
    let path = dir.path().join(FOLDER).join(model.prefix_name(&fixed));
    let whole = std::fs::read(&path).unwrap();
    let mut bad = vec![vec![], whole[..whole.len() - 1].to_vec()];
    bad.push([whole.as_slice(), b"x"].concat());
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut altered = whole.clone();
        altered[at] ^= 1;
        bad.push(altered);
    }
    for bytes in bad {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(
            model.read_prefixes(dir.path(), std::slice::from_ref(&fixed)),
            1
        );
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        model.read_prefixes(dir.path(), std::slice::from_ref(&fixed)),
        1
    );
    std::fs::write(&path, whole).unwrap();
    assert_eq!(model.read_prefixes(dir.path(), &[fixed]), 0);
}

#[test]
fn other_tokens_have_another_file_and_short_beginnings_have_none() {
    let model = open("qwen2", 1);
    let tokens = model.tokens(FIXED);
    let mut other = tokens.clone();
    other[3] += 1;
    assert_ne!(model.prefix_name(&tokens), model.prefix_name(&other));
    assert_ne!(model.prefix_name(&tokens), model.prefix_name(&tokens[..9]));
    assert!(model.prefix(&tokens[..3]).is_none());
    let long = tokens.repeat(60);
    assert!(model.prefix(&long).unwrap().len() <= CHUNK);
}
