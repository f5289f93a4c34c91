#![expect(clippy::disallowed_methods, reason = "tests make files")]

use super::*;

/// A model that is five bytes long.
fn small() -> Known {
    Known {
        alias: "small",
        title: "Small",
        sha256: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        bytes: 5,
        licence: "CC0-1.0",
        published: ("a/b", "c"),
    }
}

fn put(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_model_is_found_in_each_foreign_store() {
    let dir = tempfile::tempdir().unwrap();
    let known = small();
    let at = |path: &str| dir.path().join(path);
    put(
        &at("ollama/blobs").join(format!("sha256-{}", known.sha256)),
        b"hello",
    );
    put(&at("hub/models--a--b/blobs").join(known.sha256), b"hello");
    put(&at("lm/a/b/x.gguf"), b"hello");
    let ollama = Places {
        ollama: vec![at("ollama")],
        ..Places::default()
    };
    let hub = Places {
        hub: vec![at("hub")],
        ..Places::default()
    };
    let studio = Places {
        lm_studio: vec![at("lm")],
        ..Places::default()
    };
    for places in [ollama, hub, studio] {
        assert!(
            find_existing(known.sha256, known.bytes, &places).is_some(),
            "{places:?}"
        );
    }
}

#[test]
fn a_file_with_the_right_name_and_size_and_other_content_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let known = small();
    put(
        &dir.path()
            .join("blobs")
            .join(format!("sha256-{}", known.sha256)),
        b"jello",
    );
    assert_eq!(
        find_existing(
            known.sha256,
            known.bytes,
            &Places {
                ollama: vec![dir.path().to_owned()],
                ..Places::default()
            }
        ),
        None
    );
}

#[test]
fn pending_folders_vanish_unless_published() {
    let dir = tempfile::tempdir().unwrap();
    let dropped = Pending::inside(dir.path()).unwrap();
    let path = dropped.path().to_owned();
    drop(dropped);
    assert!(!path.exists());
    let kept = Pending::inside(dir.path()).unwrap();
    std::fs::write(kept.path().join("a"), b"1").unwrap();
    kept.publish(&dir.path().join("final")).unwrap();
    assert_eq!(std::fs::read(dir.path().join("final/a")).unwrap(), b"1");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn names_are_aliases_or_unique_prefixes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path());
    let error = store.resolve("qwen2.5-coder-0.5b").unwrap_err();
    assert!(error.message.contains("not imported"), "{error}");
    assert!(
        store
            .resolve("gpt-9")
            .unwrap_err()
            .hint
            .unwrap()
            .contains("qwen2.5-coder-1.5b")
    );
    assert!(ModelId::parse("../../etc").is_err());
}

#[test]
fn catalogue_entries_are_well_formed_and_distinct() {
    let mut ids: Vec<ModelId> = CATALOGUE
        .iter()
        .map(|known| ModelId::parse(known.sha256).unwrap())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), CATALOGUE.len());
}
