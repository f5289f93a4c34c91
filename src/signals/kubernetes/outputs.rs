//! What tools answered instead of doing what they were asked (helm, kubectl apply / drain / rollout,
//! argocd, flux, terraform): the words after `Error:` in small text files that are neither tables nor logs.

use super::model::*;
use regex::Regex;
use std::sync::LazyLock;

/// A file with more lines is no answer of a tool.
const MAX_LINES: usize = 3_000;
/// Answers taken of one file.
const MAX_ANSWERS: usize = 8;

/// Begin of what a tool says when it fails; `tool` is the tool where the words tell it.
static ANSWER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?x)^\s*(?:\x1b\[[0-9;]*m)*["']?(?:
        (?P<helm>(?:Error:\ )?(?:UPGRADE|INSTALLATION|ROLLBACK|INSTALL|UNINSTALL)\ FAILED:?|STATUS:\ failed|STATUS:\ pending-\w+|Error:\ another\ operation|DESCRIPTION:\ .*(?:failed|error).*)
      | (?P<argo>(?:Comparison|Sync|InvalidSpec|Operation|Unknown|Deletion|OrphanedResource|ExcludedResource|RepeatedResource|SharedResource)(?:Error|Warning)\b|(?:FATA|ERRO)\[\d+\])
      | (?P<flux>✗\s)
      | (?P<drain>error\ when\ evicting\ pods?|evicting\ pod.*error|There\ are\ pending\ nodes|error:\ unable\ to\ drain)
      | (?P<tf>│?\ ?Error:\s)
      | (?P<kube>error:\ |Error\ from\ server\ \(|The\ (?:\w+)\ "[^"]+"\ is\ invalid:|error\ (?:validating|when\ \w+ing|parsing|converting)|Error:\ )
    )"#).ok()
});

/// Collects the answers of a file; returns how many there were. `page`: a describe page, where indented
/// words are somebody else's. `log`: the file may be an application's, so that only words count which
/// nobody but one tool says.
pub fn read(
    cluster: &mut Cluster,
    file: u32,
    lines: &[(u32, &str)],
    page: bool,
    log: bool,
) -> usize {
    if lines.len() > MAX_LINES {
        return 0;
    }
    let mut found = 0;
    for (at, (number, line)) in lines.iter().enumerate() {
        if found >= MAX_ANSWERS {
            break;
        }
        if page && line.starts_with(char::is_whitespace) {
            continue;
        }
        let Some(captures) = ANSWER.as_ref().and_then(|regex| regex.captures(line)) else {
            continue;
        };
        let tool = ["helm", "argo", "flux", "drain"]
            .iter()
            .find(|tool| captures.name(tool).is_some())
            .copied()
            .unwrap_or("tool");
        if log && tool != "drain" {
            continue;
        }
        // The words may go on in the next line (`is invalid:` and a list).
        let bare = line.trim();
        let bare = bare
            .strip_prefix('"')
            .map_or(bare, |rest| rest.strip_suffix('"').unwrap_or(rest));
        let mut words = bare.to_owned();
        if words.ends_with(':') || words.len() < 24 {
            for (_, more) in lines.iter().skip(at + 1).take(2) {
                words.push(' ');
                words.push_str(more.trim());
            }
        }
        if super::read::is_refusal(line)
            && !words.contains("is invalid")
            && !words.contains("denied the request")
            && !words.contains("quota")
        {
            continue;
        }
        if cluster.answers.iter().any(|known| known.words == words) {
            continue;
        }
        found += 1;
        cluster.answers.push(Answer {
            tool,
            words,
            src: Src {
                file,
                line: *number,
                column: 0,
            },
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(text: &str) -> Vec<(&'static str, String)> {
        let lines: Vec<(u32, &str)> = text
            .lines()
            .enumerate()
            .map(|(n, line)| (n as u32 + 1, line))
            .collect();
        let mut cluster = Cluster::default();
        read(&mut cluster, 0, &lines, false, false);
        cluster
            .answers
            .into_iter()
            .map(|answer| (answer.tool, answer.words))
            .collect()
    }

    #[test]
    fn tools_that_fail_say_so_in_their_first_words() {
        for (text, tool) in [
            ("Error: UPGRADE FAILED: cannot patch \"web\"", "helm"),
            ("ComparisonError  Failed to load target state", "argo"),
            (
                "error when evicting pods/\"web\" -n \"app\" (will retry after 5s): Cannot evict pod",
                "drain",
            ),
            ("✗ Kustomization reconciliation failed", "flux"),
            ("error: resource mapping not found for name", "tool"),
            (
                "The Deployment \"web\" is invalid:\n* spec.selector: field is immutable",
                "tool",
            ),
        ] {
            let found = answers(text);
            assert_eq!(
                found.first().map(|(tool, _)| *tool),
                Some(tool),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn ordinary_answers_are_none() {
        for text in [
            "deployment.apps/web configured",
            "NAME: web\nSTATUS: deployed\nREVISION: 3",
            "node/n1 drained",
            "Errors: 0",
        ] {
            assert!(answers(text).is_empty(), "{text}");
        }
        // One answer, repeated while the tool retries, is one.
        assert_eq!(answers(&"error when evicting pods/\"web\" -n \"app\": Cannot evict pod as it would violate the pod's disruption budget.\n".repeat(9)).len(), 1);
    }
}
