//! Filling command templates and prompts: slots only, no logic.

use std::collections::BTreeMap;

/// The names of the `{slots}` in `template`, in order of appearance.
pub fn slots(template: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let after = &rest[open + 1..];
        let Some(close) = after.find('}') else { break };
        let name = &after[..close];
        if !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            found.push(name);
            rest = &after[close + 1..];
        } else {
            rest = after;
        }
    }
    found
}

/// Fills every slot from `entities`; `None` when one has no value or a value that is not one plain
/// word (letters, digits and `-_.:/@=,+%`, not beginning with `-`): a name out of a bundle must not
/// be able to become an option or a second command.
pub fn fill(template: &str, entities: &BTreeMap<String, String>) -> Option<String> {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    for slot in slots(template) {
        let value = entities.get(slot)?;
        let plain = !value.is_empty()
            && value.len() <= 253
            && !value.starts_with('-')
            && value
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.:/@=,+%".contains(c));
        if !plain {
            return None;
        }
        let mark = format!("{{{slot}}}");
        let at = rest.find(&mark)?;
        out.push_str(&rest[..at]);
        out.push_str(value);
        rest = &rest[at + mark.len()..];
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entities(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn fills_whole_words_only_from_entities() {
        let known = entities(&[("namespace", "shop"), ("pod", "cart-5f9c")]);
        assert_eq!(
            fill("kubectl -n {namespace} logs {pod} --previous", &known).as_deref(),
            Some("kubectl -n shop logs cart-5f9c --previous")
        );
        assert_eq!(fill("kubectl get {node}", &known), None);
        assert_eq!(
            fill("kubectl get pods -o jsonpath='{.items[0]}'", &known).as_deref(),
            Some("kubectl get pods -o jsonpath='{.items[0]}'")
        );
    }

    #[test]
    fn a_hostile_name_cannot_become_a_command() {
        for value in [
            "a; rm -rf /",
            "$(id)",
            "-rf",
            "a b",
            "a\nb",
            "`id`",
            "a|b",
            "",
            "ａ",
        ] {
            assert_eq!(
                fill("kubectl get pod {pod}", &entities(&[("pod", value)])),
                None,
                "{value:?}"
            );
        }
    }
}
