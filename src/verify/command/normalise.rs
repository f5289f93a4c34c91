//! Making a command's text fit for a shell parser, and refusing text that deceives a reader.

use super::words::HOLE;
use crate::bundle::path::is_invisible;
use regex::Regex;
use std::sync::LazyLock;

/// `<pod>`, `<your-namespace>`, `{{ name }}`, `[NAME]`-like slots that an author leaves to the reader, and the marks that
/// stand for secrets.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"<[A-Za-z][A-Za-z0-9 _./:|-]{0,60}>|\{\{[^{}\n]{1,60}\}\}|\[(?:[A-Z][A-Z0-9_-]{2,30})\]|‹secret:[a-z0-9-]{1,48}:(?:\d{1,8}|more)›",
    )
    .unwrap_or_else(|why| panic!("placeholder pattern: {why}"))
});
/// A prompt before the command.
static PROMPT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^\s*(?:\$|#|PS [A-Za-z]:[^>\n]{0,80}>|\[?[a-z0-9_-]+@[a-z0-9.-]+[^$#\n]{0,40}\]?[$#])\s+").unwrap_or_else(|why| panic!("prompt pattern: {why}"))
});

/// The text as a shell would be given it.
///
/// # Errors
/// Why the text deceives a reader: characters that can't be seen, or that look like others.
pub(super) fn normalise(text: &str) -> Result<String, String> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    for c in text.chars() {
        if is_invisible(c)
            || (c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
            || ('\u{E000}'..='\u{F8FF}').contains(&c)
        {
            return Err(format!(
                "it holds the invisible character U+{:04X}",
                u32::from(c)
            ));
        }
        if looks_like_another(c) {
            return Err(format!(
                "it holds U+{:04X}, which looks like another character",
                u32::from(c)
            ));
        }
    }
    // Typographic quotes, dashes and blanks come from documents; a shell takes them literally, the author means the plain ones.
    let text: String = text
        .chars()
        .map(|c| match c {
            '‘' | '’' => '\'',
            '“' | '”' => '"',
            '\u{00A0}' | '\u{202F}' | '\u{2009}' => ' ',
            c => c,
        })
        .collect();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut text = text.trim().to_owned();
    for fence in ["```bash", "```shell", "```sh", "```console", "```"] {
        if let Some(inner) = text
            .strip_prefix(fence)
            .and_then(|rest| rest.trim_end().strip_suffix("```"))
        {
            text = inner.trim().to_owned();
        }
    }
    if text.len() > 1
        && text.starts_with('`')
        && text.ends_with('`')
        && !text[1..text.len() - 1].contains('`')
    {
        text = text[1..text.len() - 1].trim().to_owned();
    }
    // `# ` begins a comment, unless every line begins so: then it is the prompt of root.
    let lines = || text.lines().filter(|line| !line.trim().is_empty());
    let prompts = lines().count() > 1 && lines().all(|line| line.trim_start().starts_with("# "));
    let text = if text.starts_with("#!") {
        text
    } else if prompts {
        PROMPT.replace_all(&text, "").into_owned()
    } else {
        lines()
            .map(|line| {
                if line.trim_start().starts_with('#') {
                    line.to_owned()
                } else {
                    PROMPT.replace_all(line, "").into_owned()
                }
            })
            .collect::<Vec<_>>()
            .join("\n")
    };
    let text = PLACEHOLDER.replace_all(&text, HOLE.to_string());
    Ok(text.trim().to_owned())
}

/// Letters of other alphabets and widths that pass for ASCII letters or for shell signs.
fn looks_like_another(c: char) -> bool {
    matches!(c,
        '\u{0370}'..='\u{03FF}' | '\u{0400}'..='\u{052F}' | '\u{0530}'..='\u{058F}' | '\u{13A0}'..='\u{13FF}' | '\u{2DE0}'..='\u{2DFF}' | '\u{A640}'..='\u{A69F}'
        | '\u{FF01}'..='\u{FF5E}' | '\u{1D400}'..='\u{1D7FF}' | '\u{2100}'..='\u{214F}' | '\u{2160}'..='\u{2188}' | '\u{0250}'..='\u{02AF}' | '\u{1D00}'..='\u{1DBF}'
        | '\u{2044}' | '\u{2215}' | '\u{29F8}' | '\u{2236}' | '\u{FE50}'..='\u{FE6F}' | '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{01C0}' | '\u{2223}' | '\u{0131}' | '\u{0237}'
        | '\u{A4D0}'..='\u{A4FF}' | '\u{2C80}'..='\u{2CFF}' | '\u{10400}'..='\u{1044F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_prompts_and_fences_are_taken_away() {
        assert_eq!(
            normalise("$ kubectl get pod <pod-name>").unwrap(),
            format!("kubectl get pod {HOLE}")
        );
        assert_eq!(normalise("```bash\nls -l\n```").unwrap(), "ls -l");
        assert_eq!(normalise("`df -h`").unwrap(), "df -h");
        assert_eq!(
            normalise("mysql -p‹secret:password:1› -e 'SELECT 1'").unwrap(),
            format!("mysql -p{HOLE} -e 'SELECT 1'")
        );
        assert_eq!(normalise("cat < file").unwrap(), "cat < file");
        assert_eq!(normalise("root@node1:~# uptime").unwrap(), "uptime");
    }

    #[test]
    fn what_documents_put_around_a_command_is_taken_away() {
        for (text, command) in [
            ("\u{FEFF}ls", "ls"),
            ("ls\t-l\r\ndf\rid", "ls\t-l\ndf\nid"),
            ("echo ‘a’ “b”", "echo 'a' \"b\""),
            ("ls\u{00A0}-l\u{202F}-a\u{2009}x", "ls -l -a x"),
            ("```\nls\n```", "ls"),
            ("```sh\nls\n```  ", "ls"),
            ("```shell\nls\n```", "ls"),
            ("```console\n$ ls\n```", "ls"),
            ("```bash\nls", "```bash\nls"),
            ("`ls`", "ls"),
            ("`ls", "`ls"),
            ("ls `", "ls `"),
            ("`", "`"),
            ("`ls` or `df`", "`ls` or `df`"),
            ("$ ls\n\n  $ df", "ls\ndf"),
            ("# ls\n\n# df", "ls\ndf"),
            ("# ls", "# ls"),
            ("# a note\n$ ls", "# a note\nls"),
            ("#!/bin/sh\n\n$ ls", "#!/bin/sh\n\n$ ls"),
            ("PS C:\\Users> dir", "dir"),
        ] {
            assert_eq!(normalise(text).unwrap(), command, "{text:?}");
        }
    }

    #[test]
    fn deception_is_refused() {
        for (text, point) in [
            ("ls\u{E000}", "U+E000"),
            ("ls\u{F8FF}", "U+F8FF"),
            ("l\u{7}s", "U+0007"),
        ] {
            assert!(normalise(text).unwrap_err().contains(point), "{text:?}");
        }
        for text in [
            "ls\u{200B} -l",
            "с\u{0430}t x",
            "rm \u{2013}rf /",
            "ls\u{202E}",
            "ｌｓ",
            "ls \x1b[2K",
        ] {
            assert!(normalise(text).is_err(), "{text:?}");
        }
    }
}
