//! Breaking text into lines by display width, for the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of the terminal that the renderer writes for.
pub const COLUMNS: usize = 80;

/// Columns that `text` takes. Text must be escaped already.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Breaks `text` at spaces into lines of at most `columns`; a longer word is cut, after a `/` where
/// there is one in its second half. Never returns an empty list.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = vec![String::new()];
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        for (at, piece) in cut(word, columns).into_iter().enumerate() {
            let Some(line) = lines.last_mut() else {
                continue;
            };
            let glued =
                at == 0 && width(line) + usize::from(!line.is_empty()) + width(&piece) <= columns;
            match (glued, line.is_empty()) {
                (true, true) => line.push_str(&piece),
                (true, false) => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                (false, true) => *line = piece,
                (false, false) => lines.push(piece),
            }
        }
    }
    lines
}

/// Like [`wrap`], keeping the spaces: for quotes of the bundle. Cuts where the line is full.
pub fn wrap_verbatim(text: &str, columns: usize) -> Vec<String> {
    cut(text, columns.max(8))
}

/// Cuts one word into pieces of at most `columns`.
fn cut(word: &str, columns: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut used = 0;
    for c in word.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > columns {
            let rest = good_break(&piece)
                .map(|at| piece.split_off(at))
                .unwrap_or_default();
            pieces.push(std::mem::replace(&mut piece, rest));
            used = width(&piece);
        }
        piece.push(c);
        used += w;
    }
    if !piece.is_empty() || pieces.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// Byte offset after the last `/`, `,` or space in the second half of `piece`.
fn good_break(piece: &str) -> Option<usize> {
    let at = piece.rfind(['/', ' ', ','])? + 1;
    (at > piece.len() / 2 && at < piece.len()).then_some(at)
}

/// Breaks a shell command with ` \` at spaces outside of quotes, so that it still can be copied and
/// run. A piece that cannot be broken so stays long: a wrong command is worse than a long line.
pub fn wrap_command(command: &str, columns: usize) -> Vec<String> {
    if width(command) <= columns {
        return vec![command.to_owned()];
    }
    let Some(words) = shell_words(command) else {
        return vec![command.to_owned()];
    };
    let mut lines = vec![String::new()];
    for word in words {
        let Some(line) = lines.last_mut() else {
            continue;
        };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) + 2 <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            line.push_str(" \\");
            lines.push(format!("  {word}"));
        }
    }
    lines
}

/// The words between spaces outside of quotes; `None` where a break could change the meaning (a
/// comment, an open quote, a substitution, several spaces that may matter).
fn shell_words(command: &str) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped) = (0, None, false);
    for (at, c) in command.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('#' | '`', None) => return None,
            (' ', None) => {
                if at > start {
                    words.push(&command[start..at]);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
    (quote.is_none() && !escaped && !command.contains("<<") && !command.contains("$(")).then(|| {
        if start < command.len() {
            words.push(&command[start..]);
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_break_after_a_slash() {
        assert_eq!(
            wrap("cluster-resources/pods/shop.json:12", 25),
            ["cluster-resources/pods/", "shop.json:12"]
        );
        assert_eq!(wrap("日本語日本語", 8), ["日本語日", "本語"]);
        assert_eq!(wrap("", 20), [""]);
    }

    #[test]
    fn commands_break_only_where_it_is_safe() {
        assert_eq!(
            wrap_command("kubectl get pods -n shop -o wide", 20),
            ["kubectl get pods \\", "  -n shop -o wide"]
        );
        for whole in [
            "echo 'one two three four five'",
            "a b c $(d e f) g h i j k l",
            "ls -l # a very long comment",
            "echo it's open and long too",
        ] {
            assert!(
                wrap_command(whole, 12)
                    .iter()
                    .all(|line| whole.contains(line.trim_end_matches(" \\").trim())),
                "{whole}"
            );
        }
        assert_eq!(
            wrap_command("ls -l # a very long comment", 12),
            ["ls -l # a very long comment"]
        );
    }

    proptest! {
        #[test]
        fn lines_fit_and_lose_nothing(text in "[a-z/ 日é,]{0,300}", columns in 8usize..100) {
            let lines = wrap(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            let squeezed: String = text.split(' ').collect();
            let joined: String = lines.concat().split(' ').collect();
            prop_assert_eq!(squeezed, joined);
            prop_assert_eq!(wrap_verbatim(&text, columns).concat(), text);
        }
    }
}
