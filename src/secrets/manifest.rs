//! Secrets that span lines: private keys and Kubernetes `Secret` manifests.

use std::ops::Range;

/// Longest private key block, in bytes.
const MAX_KEY_BYTES: usize = 32 << 10;
/// Most lines looked at on either side of a `kind: Secret`.
const MAX_MANIFEST_LINES: usize = 2_000;
/// Deepest nesting of JSON inside JSON strings (annotations hold manifests as text).
const MAX_NESTED_JSON: usize = 3;

/// PEM and OpenSSH private keys: the range of the body, from the header to the end mark, line breaks real or `\n`.
pub(super) fn private_keys(text: &str, mut report: impl FnMut(Range<usize>)) {
    let mut from = 0;
    // Looked for once, not again behind every header.
    let mut ends: Option<Vec<usize>> = None;
    while let Some(found) = text[from..].find("PRIVATE KEY") {
        let at = from + found;
        from = at + "PRIVATE KEY".len();
        let head = &text[ceil(text, at.saturating_sub(40))..at];
        let Some(begin) = head.rfind("-----BEGIN ") else {
            continue;
        };
        if !head[begin + 11..]
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ')
        {
            continue;
        }
        let rest = &text[from..ceil(text, (from + MAX_KEY_BYTES).min(text.len()))];
        let Some(dashes) = rest.find("-----").filter(|at| *at <= 6) else {
            continue;
        };
        let body = dashes + 5;
        let ends = ends.get_or_insert_with(|| {
            let found = text.match_indices("-----END");
            found.map(|(at, _)| at).collect()
        });
        let next = ends.partition_point(|end| *end < from + body);
        let end = ends
            .get(next)
            .map(|end| end - from)
            .filter(|end| end + "-----END".len() <= rest.len())
            .unwrap_or_else(|| body + key_length(&rest[body..]));
        if end > body + 16 {
            report(from + body..from + end);
        }
        from += end;
    }
}

/// The private part of a PuTTY key file: the lines that its header counts.
pub(super) fn putty_keys(text: &str, mut report: impl FnMut(Range<usize>)) {
    const HEAD: &str = "\nPrivate-Lines: ";
    let mut from = 0;
    while let Some(found) = text[from..].find(HEAD) {
        let at = from + found + HEAD.len();
        from = at;
        let line = text[at..].split('\n').next().unwrap_or_default();
        let Ok(count) = line.trim().parse::<usize>() else {
            continue;
        };
        let start = (at + line.len() + 1).min(text.len());
        let length: usize = text[start..]
            .split_inclusive('\n')
            .take(count.min(MAX_MANIFEST_LINES))
            .take_while(|line| !line.contains(':'))
            .map(str::len)
            .sum();
        report(start..start + text[start..start + length].trim_end().len());
    }
}

/// Length of what may still be a key's body when its end mark is missing; the headers of an encrypted one belong to it.
fn key_length(text: &str) -> usize {
    const HEADERS: [&str; 5] = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:", "Hash:"];
    let headers: usize = text
        .split_inclusive('\n')
        .take_while(|line| {
            let line = line.trim();
            line.is_empty() || HEADERS.iter().any(|header| line.starts_with(header))
        })
        .map(str::len)
        .sum();
    let body = text[headers..]
        .bytes()
        .take_while(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'+' | b'/' | b'=' | b'\n' | b'\r' | b' ' | b'\\')
        })
        .count();
    headers + body
}

fn ceil(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// What a certificate in PEM begins with in base64.
const CERTIFICATE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS";

/// What a Secret of a service account holds beside its token: names and certificates that everybody may know.
fn is_public(key: &str) -> bool {
    matches!(key, "namespace" | "ca.crt" | "service-ca.crt" | "tls.crt")
}

/// The column of the key on a YAML line, its key and its value; a leading `- ` counts as indentation.
fn yaml_key(line: &str) -> Option<(usize, &str, &str)> {
    let mut column = 0;
    let mut rest = line;
    loop {
        if let Some(next) = rest.strip_prefix(' ') {
            rest = next;
            column += 1;
        } else if let Some(next) = rest.strip_prefix("- ") {
            rest = next;
            column += 2;
        } else {
            break;
        }
    }
    let (key, value) = rest.split_once(':')?;
    let plain = !key.is_empty()
        && !key.contains(['{', '}', ' '])
        && (value.is_empty() || value.starts_with(' '));
    plain.then(|| (column, key.trim_matches(['"', '\'']), value.trim()))
}

/// A value without the comment behind it and without its quotes.
fn uncommented(value: &str) -> &str {
    let end = match value.starts_with('#') {
        true => 0,
        false => value.find(" #").unwrap_or(value.len()),
    };
    value[..end].trim().trim_matches(['"', '\''])
}

/// Values of the `data` and `stringData` of YAML manifests with `kind: Secret`.
pub(super) fn yaml_secrets(text: &str, mut report: impl FnMut(Range<usize>)) {
    if !text.contains("kind:") || !text.contains("Secret") {
        return;
    }
    let mut lines = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        lines.push((at, line.trim_end_matches(['\n', '\r'])));
        at += line.len();
    }
    let mut tell = |start: usize, line: &str, value: &str| {
        // What looks like a comment may be a part of the value, or not.
        let whole = value.trim_matches(['"', '\'']);
        let alone = Some(uncommented(value)).filter(|alone| *alone != whole);
        for value in std::iter::once(whole).chain(alone) {
            if !value.starts_with(CERTIFICATE)
                && !matches!(value, "|" | ">" | "|-" | ">-" | "|+")
                && !super::dummy::is_dummy(value)
            {
                let at = start + (value.as_ptr() as usize - line.as_ptr() as usize);
                report(at..at + value.len());
            }
        }
    };
    // Column and end of the last document: further `kind` lines in it make it no other one.
    let mut done = (0, 0);
    for (number, (_, line)) in lines.iter().enumerate() {
        let Some((column, "kind", kind)) = yaml_key(line) else {
            continue;
        };
        if !matches!(uncommented(kind), "Secret" | "SecretList") {
            continue;
        }
        if column == done.0 && number < done.1 {
            continue;
        }
        let is_item = |line: &str| {
            line.len() >= column
                && column >= 2
                && line.as_bytes()[column - 2] == b'-'
                && line[..column - 2].bytes().all(|b| b == b' ')
        };
        let blanks = |line: &str| line.bytes().take_while(|b| *b == b' ').count();
        // A comment stands anywhere; one that is not deeper than the fields is no part of a value.
        let aside = |line: &str| line.trim().starts_with('#') && blanks(line) <= column;
        let belongs = |line: &str| line.trim().is_empty() || blanks(line) >= column || aside(line);
        // The document begins at its first line, or at its item in a list.
        let mut first = number;
        while first > 0 && number - first < MAX_MANIFEST_LINES && !is_item(lines[first].1) {
            let above = lines[first - 1].1;
            if above.starts_with("---") || !(belongs(above) || is_item(above)) {
                break;
            }
            first -= 1;
        }
        let mut inside = false;
        for (index, (start, line)) in lines
            .iter()
            .enumerate()
            .skip(first)
            .take(2 * MAX_MANIFEST_LINES)
        {
            if index > number && (line.starts_with("---") || !belongs(line)) {
                break;
            }
            done = (column, index + 1);
            if let Some((here, key, value)) = yaml_key(line)
                && here == column
            {
                let holds = matches!(key, "data" | "stringData");
                inside = holds && uncommented(value).is_empty();
                if holds && let Some(fields) = value.strip_prefix('{') {
                    let fields = fields.split(['}', ',']);
                    for (key, value) in fields.filter_map(|field| field.split_once(':')) {
                        if !is_public(key.trim().trim_matches(['"', '\''])) {
                            tell(*start, line, value.trim());
                        }
                    }
                }
                continue;
            }
            if inside && !aside(line) {
                match yaml_key(line) {
                    Some((_, key, _)) if is_public(key) => {}
                    Some((_, _, value)) => tell(*start, line, value),
                    None => tell(*start, line, line.trim()),
                }
            }
        }
    }
}

/// Whether `text` may hold a Secret as JSON, also inside strings.
pub(super) fn may_hold_json_secret(text: &str) -> bool {
    text.match_indices("\"Secret").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let rest = rest.strip_prefix("List").unwrap_or(rest);
        rest.trim_start_matches('\\').starts_with('"')
    })
}

/// Values of `data` and `stringData` of JSON objects with `"kind": "Secret"`, also inside strings that hold JSON.
pub(super) fn json_secrets(value: &serde_json::Value, depth: usize, report: &mut impl FnMut(&str)) {
    match value {
        serde_json::Value::Object(map) => {
            let kind = map.get("kind").and_then(|kind| kind.as_str());
            if kind == Some("Secret") {
                secret_values(map, report);
            }
            for (key, inner) in map {
                if kind == Some("SecretList") && key == "items" {
                    for item in inner
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|item| item.as_object())
                    {
                        secret_values(item, report);
                    }
                }
                json_secrets(inner, depth, report);
            }
        }
        serde_json::Value::Array(items) => items
            .iter()
            .for_each(|item| json_secrets(item, depth, report)),
        serde_json::Value::String(text)
            if depth < MAX_NESTED_JSON && may_hold_json_secret(text) =>
        {
            if let Ok(inner) = serde_json::from_str(text) {
                json_secrets(&inner, depth + 1, report);
            }
        }
        _ => {}
    }
}

/// How `value` stands in JSON when it has to be escaped, and in strings that hold JSON. Go writes `<`, `>` and `&` by their numbers.
pub(super) fn escaped(value: &str) -> Vec<String> {
    let escape = |text: &str| {
        let quoted = serde_json::Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let numbered = |text: &str| {
        text.replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
    };
    let once = escape(value);
    let mut out = Vec::new();
    for mut text in [numbered(&once), once] {
        for _ in 0..=MAX_NESTED_JSON {
            if text == value {
                break;
            }
            let deeper = escape(&text);
            out.push(std::mem::replace(&mut text, deeper));
        }
    }
    out
}

fn secret_values(map: &serde_json::Map<String, serde_json::Value>, report: &mut impl FnMut(&str)) {
    for field in ["data", "stringData"] {
        for value in map
            .get(field)
            .and_then(|data| data.as_object())
            .into_iter()
            .flatten()
            .filter(|(key, _)| !is_public(key))
            .filter_map(|(_, value)| value.as_str())
        {
            if !super::dummy::is_dummy(value) && !value.starts_with(CERTIFICATE) {
                report(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_many_bytes_before_a_key_are_no_obstacle() {
        for blanks in 0..60 {
            let text = format!("\u{fffd}{}PRIVATE KEY-----\n", "x".repeat(blanks));
            private_keys(&text, |range| panic!("{range:?} of {text:?}"));
        }
    }

    #[test]
    fn private_keys_with_real_and_escaped_line_breaks() {
        for text in [
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx7Fq2mKc9vLw\nabcdef==\n-----END RSA PRIVATE KEY-----\n",
            "\"-----BEGIN PRIVATE KEY-----\\nMIIEowIBAAKCAQEAx7Fq2mKc9vLw\\n-----END PRIVATE KEY-----\\n\"",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmU\n",
        ] {
            let mut found = Vec::new();
            private_keys(text, |range| found.push(text[range].to_owned()));
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].contains('M') || found[0].contains("b3Bl"));
        }
        private_keys(
            "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
            |_| panic!("a certificate is public"),
        );
        private_keys("PRIVATE KEY PRIVATE KEY -----BEGIN PRIVATE KEY", |_| {
            panic!("no body")
        });
    }

    #[test]
    fn putty_keys_by_their_count_of_lines() {
        let text = "PuTTY-User-Key-File-3: ssh-rsa\nPublic-Lines: 1\nAAAA\nPrivate-Lines: 2\nAbCd\nEfGh\nPrivate-MAC: 00\n";
        let mut found = Vec::new();
        putty_keys(text, |range| found.push(&text[range]));
        assert_eq!(found, ["AbCd\nEfGh"]);
        putty_keys("\nPrivate-Lines: 99999999999", |_| {});
        putty_keys("\nPrivate-Lines: 3", |range| assert!(range.is_empty()));
    }

    #[test]
    fn yaml_secrets_in_documents_and_lists() {
        let text = "apiVersion: v1\ndata:\n  user: YWRtaW4=\n  pw: aHVudGVyMg==\nkind: Secret\nmetadata:\n  name: x\n---\nkind: ConfigMap\ndata:\n  a: harmless\n";
        let mut found = Vec::new();
        yaml_secrets(text, |range| found.push(&text[range]));
        assert_eq!(found, ["YWRtaW4=", "aHVudGVyMg=="]);
        let list = "items:\n- apiVersion: v1\n  kind: ConfigMap\n  data:\n    a: harmless\n- apiVersion: v1\n  kind: Secret\n  stringData:\n    pw: hunter2\n  type: Opaque\n- kind: Pod\n  data:\n    b: harmless\n";
        let mut found = Vec::new();
        yaml_secrets(list, |range| found.push(&list[range]));
        assert_eq!(found, ["hunter2"]);
    }

    #[test]
    fn the_namespace_and_the_certificates_of_a_service_account_are_public() {
        let text = "kind: Secret\ndata:\n  ca.crt: LS0tLS1CRUdJTiBD\n  namespace: c2hvcC1wcm9k\n  token: aHVudGVyMg==\n";
        let mut found = Vec::new();
        yaml_secrets(text, |range| found.push(&text[range]));
        assert_eq!(found, ["aHVudGVyMg=="]);
        let json = serde_json::json!({"kind": "Secret", "data": {"namespace": "c2hvcC1wcm9k", "service-ca.crt": "LS0t", "token": "aHVudGVyMg=="}});
        let mut found = Vec::new();
        json_secrets(&json, 0, &mut |value| found.push(value.to_owned()));
        assert_eq!(found, ["aHVudGVyMg=="]);
    }

    #[test]
    fn json_secrets_also_inside_strings() {
        let inner = r#"{"kind":"Secret","stringData":{"pw":"hunter2"}}"#;
        let outer = serde_json::json!({"kind": "List", "items": [{"kind": "Secret", "data": {"a": "aHVudGVyMg=="}, "metadata": {"annotations": {"last": inner}}}, {"kind": "ConfigMap", "data": {"a": "harmless"}}]});
        let mut found = Vec::new();
        json_secrets(&outer, 0, &mut |value| found.push(value.to_owned()));
        assert_eq!(found, ["aHVudGVyMg==", "hunter2"]);
    }

    fn keys(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        private_keys(text, |range| found.push(&text[range]));
        found
    }

    fn in_yaml(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        yaml_secrets(text, |range| found.push(&text[range]));
        found
    }

    fn in_json(value: &serde_json::Value) -> Vec<String> {
        let mut found = Vec::new();
        json_secrets(value, 0, &mut |value| found.push(value.to_owned()));
        found
    }

    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
    const END: &str = "-----END PRIVATE KEY-----";

    #[test]
    fn each_of_several_keys_is_found_from_its_header_to_its_end() {
        let one = "\nX-Label: shop.v1\n\nMIIEone0one0one0one0\n";
        let two = "\nMIIEtwo0two0two0two0\n";
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n";
        let text = format!("{certificate}{BEGIN}{one}{END}\n{certificate}{BEGIN}{two}{END}\n");
        assert_eq!(keys(&text), [one, two]);
        let empty = format!("{BEGIN}{END}\nnext:\n{BEGIN}{two}{END}\n");
        assert_eq!(keys(&empty), [two]);
        let encrypted =
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0F1E\n\nMIIEone0one0one0one0\n";
        let whole = format!("{BEGIN}{encrypted}{END}\n");
        assert_eq!(keys(&whole), [encrypted]);
        let cut = format!("{BEGIN}{encrypted}");
        assert_eq!(keys(&cut), [encrypted]);
        let cut = format!("{BEGIN}{two}- no key: goes on\n");
        assert_eq!(keys(&cut), [two]);
    }

    #[test]
    fn a_key_has_a_least_and_a_greatest_length() {
        for (length, found) in [(16, 0), (17, 1)] {
            let text = format!("{BEGIN}{}{END}", "M".repeat(length));
            assert_eq!(keys(&text).len(), found, "{length}");
        }
        let text = format!("{BEGIN}{}", "M".repeat(2 * MAX_KEY_BYTES));
        assert_eq!(keys(&text)[0].len(), MAX_KEY_BYTES - "-----".len());
    }

    #[test]
    fn values_are_found_wherever_a_list_or_a_document_puts_them() {
        for text in [
            "- kind: Secret\n  data:\n    app: tisch442x\n",
            "- data:\n    app: tisch442x\n  kind: Secret\n",
            "items:\n  - stringData:\n      app: tisch442x\n    kind: Secret\n",
            "all:\n    - stringData:\n        app: tisch442x\n      kind: Secret\n",
            "kind: SecretList\nitems:\n- kind: Secret\n  data:\n    app: tisch442x\n",
            "kind: ConfigMap\ndata:\n  a: harmless\n---\nkind: Secret\ndata:\n  app: tisch442x\n",
            "- data:\n    a: harmless\n- data:\n    app: tisch442x\n  kind: Secret\n- data:\n    b: harmless\n",
            "items:\n- kind: Secret\n  data:\n    app: tisch442x\nother:\n  data:\n    b: harmless\n",
            "items:\n- kind: Secret\n# of the shop\n  data:\n    app: tisch442x\n# end\n- data:\n    b: harmless\n",
            "kind: Secret\ndata: {app: tisch442x, y: null, \"ca.crt\": abcd5}\nmetadata: {name: shop-db}\n",
            "kind: Secret\ndata: {'app': \"tisch442x\"} # old\nspec:\n  name: shop-db\n",
            "kind: \"Secret\"\ndata:\n  app: tisch442x\n",
            "kind: 'Secret'\ndata:\n  app: tisch442x\n",
            "kind:  Secret # of the shop\ndata: # in base64\n  app: tisch442x\n",
            "kind: Secret\nmetadata:\n  name: shop-db\nstringData:\n  app: \"tisch442x\"\n\ntype: Opaque\n",
            "kind: Secret\ndata:\n  app: |\n    tisch442x\n  x.pem: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t\n  y: null\n",
        ] {
            assert_eq!(in_yaml(text), ["tisch442x"], "{text}");
        }
    }

    #[test]
    fn of_a_file_in_a_manifest_the_lines_are_hidden() {
        for (line, hidden) in [
            ("app: tisch442x", &["tisch442x"][..]),
            ("ada:tisch442x", &["ada:tisch442x"]),
            ("my user: tisch442x", &["my user: tisch442x"]),
            ("tisch442x", &["tisch442x"]),
            ("app: tisch442x # old", &["tisch442x # old", "tisch442x"]),
            (
                "app: \"tisch442x\" # old",
                &["tisch442x\" # old", "tisch442x"],
            ),
            ("# wolke-9", &["# wolke-9"]),
        ] {
            let text = format!("kind: Secret\nstringData:\n  file: |\n    {line}\n");
            assert_eq!(in_yaml(&text), hidden);
        }
        let store = "kind: SecretStore\ndata:\n  app: harmless\n";
        assert!(in_yaml(store).is_empty());
    }

    #[test]
    fn a_manifest_is_read_so_far_around_its_kind() {
        let fill = |lines: usize| "  # as it was\n".repeat(lines);
        let data = "data:\n  a: tisch442x\n";
        let most = MAX_MANIFEST_LINES - 3;
        for (above, found) in [(most, 1), (most + 1, 0)] {
            let text = format!(
                "{}---\n{data}metadata:\n{}kind: Secret\n",
                fill(9),
                fill(above)
            );
            assert_eq!(in_yaml(&text).len(), found, "{above}");
        }
        let late = format!("{}---\n{data}kind: Secret\n", fill(3_000));
        assert_eq!(in_yaml(&late), ["tisch442x"]);
        let most = 2 * MAX_MANIFEST_LINES - 4;
        for (below, found) in [(most, 1), (most + 1, 0)] {
            let text = format!("kind: Secret\nmetadata:\n{}{data}", fill(below));
            assert_eq!(in_yaml(&text).len(), found, "{below}");
        }
    }

    #[test]
    fn a_list_of_secrets_in_json_need_not_repeat_the_kind() {
        let list = serde_json::json!({
            "kind": "SecretList",
            "items": [{"data": {"app": "tisch442x", "x.pem": "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0t", "y": "null"}}],
            "others": [{"data": {"app": "harmless"}}],
        });
        assert_eq!(in_json(&list), ["tisch442x"]);
        let others = serde_json::json!({"kind": "List", "items": [{"data": {"app": "harmless"}}]});
        assert!(in_json(&others).is_empty());
    }

    #[test]
    fn strings_of_json_are_opened_to_a_small_depth() {
        let mut value = serde_json::json!({"kind": "Secret", "data": {"app": "tisch442x"}});
        for depth in 0..6 {
            let found = usize::from(depth <= MAX_NESTED_JSON);
            assert_eq!(in_json(&value).len(), found, "{depth}");
            assert!(may_hold_json_secret(&value.to_string()), "{depth}");
            value = serde_json::json!({"last": value.to_string()});
        }
        assert!(!may_hold_json_secret(
            "\"SecretStore\", \"Secrets\", Secret"
        ));
        assert!(may_hold_json_secret("{\"kind\":\"SecretList\"}"));
    }
}
