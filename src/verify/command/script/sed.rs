//! What a sed script does besides printing.

/// What a sed script does besides printing.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::verify::command) enum SedEffect {
    Reads,
    Writes,
    Runs,
}

/// Looks for the `w`, `W`, `e` commands and flags of a sed script. Conservative: an unusual script counts as writing.
pub(in crate::verify::command) fn sed_effect(script: &str) -> SedEffect {
    let mut effect = SedEffect::Reads;
    let mut chars = script.char_indices().peekable();
    while let Some((_, c)) = chars.next() {
        match c {
            '/' | '\\' => {
                // An address: up to its delimiter.
                let delimiter = if c == '\\' {
                    chars.next().map_or('/', |(_, c)| c)
                } else {
                    '/'
                };
                skip_pattern(&mut chars, delimiter);
            }
            'y' => {
                let Some((_, delimiter)) = chars.next() else {
                    break;
                };
                skip_to(&mut chars, delimiter);
                skip_to(&mut chars, delimiter);
            }
            's' => {
                let Some((_, delimiter)) = chars.next() else {
                    break;
                };
                skip_pattern(&mut chars, delimiter);
                skip_to(&mut chars, delimiter);
                while let Some((_, flag)) =
                    chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == ' ')
                {
                    match flag {
                        'e' => return SedEffect::Runs,
                        'w' if names_a_file(&mut chars) => effect = SedEffect::Writes,
                        _ => {}
                    }
                }
            }
            'e' => return SedEffect::Runs,
            'w' | 'W' if names_a_file(&mut chars) => effect = SedEffect::Writes,
            // Text to be printed: a backslash takes the line after it into the text.
            'a' | 'i' | 'c' => skip_to(&mut chars, '\n'),
            // Files to be read and comments: the rest of the line is not commands.
            'r' | 'R' | '#' => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            // A label ends where a word ends.
            ':' | 'b' | 't' | 'T' => {
                while chars.next_if(|(_, c)| matches!(c, ' ' | '\t')).is_some() {}
                while chars
                    .next_if(|(_, c)| !c.is_whitespace() && !matches!(c, ';' | '}'))
                    .is_some()
                {}
            }
            _ => {}
        }
    }
    effect
}

type Script<'s> = std::iter::Peekable<std::str::CharIndices<'s>>;

/// Takes the file name up to the end of the line; whether it is one, and not a terminal's.
fn names_a_file(chars: &mut Script<'_>) -> bool {
    let mut name = String::new();
    while let Some((_, c)) = chars.next_if(|(_, c)| *c != '\n') {
        name.push(c);
    }
    !matches!(name.trim(), "/dev/stdout" | "/dev/stderr")
}

/// Skips a regular expression up to its delimiter, which ends nothing inside brackets.
fn skip_pattern(chars: &mut Script<'_>, delimiter: char) {
    while let Some((_, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == delimiter {
            return;
        } else if c == '[' {
            skip_bracket(chars);
        }
    }
}

/// Skips `[…]` from behind its opening: a first `]` and what stands in `[:…:]` don't end it.
fn skip_bracket(chars: &mut Script<'_>) {
    chars.next_if(|(_, c)| *c == '^');
    chars.next_if(|(_, c)| *c == ']');
    while let Some((_, c)) = chars.next() {
        if c == ']' {
            return;
        }
        if c == '['
            && let Some((_, kind)) = chars.next_if(|(_, c)| matches!(c, ':' | '.' | '='))
        {
            let mut last = ' ';
            for (_, c) in chars.by_ref() {
                if last == kind && c == ']' {
                    break;
                }
                last = c;
            }
        }
    }
}

fn skip_to(chars: &mut Script<'_>, delimiter: char) {
    while let Some((_, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == delimiter {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sed_scripts() {
        for script in [
            "s/a/b/",
            "s/write/e/g",
            "/w/p",
            "5q",
            "1,10p",
            "/error/,/end/p",
            "s|e|w|g",
            "$!d",
            "/^#/d;/^$/d",
            "y/abc/ewW/",
            "y/a\\/b/ewe/",
            "s/\\/e/w/",
            "\\,e,p",
            "\\|w|d",
            "a rm; e id",
            "a echo",
            "i e",
            "c write",
            "s/[^]/x/e]/y/",
            "s/[[.].]/x/e]/y/",
            "i\\\ne id\\\nw out",
            "c\\\nw out",
            "r /srv/e",
            "# e id",
            ":a;N;$!ba;s/\\n/ /g",
            ": end",
            "/x/{p;b};p",
            "/x/b end;p;:end",
            "s/x/y/;te;p;:e",
            "s/[/e]/x/",
            "s/[]/e]/x/",
            "s/[^]/e]/x/",
            "s/[[:digit:]/e]/x/",
            "/[/e]/p",
            "s[a[b[",
            "w /dev/stdout",
            "s/a/b/w /dev/stderr",
        ] {
            assert_eq!(sed_effect(script), SedEffect::Reads, "{script}");
        }
        for script in [
            "s/a/b/w /tmp/x",
            "s/a/b/gw out",
            "w /tmp/x",
            "W out",
            "/a/w out",
            "w out\n# /dev/stdout",
            "w /dev/stdout.txt",
            "s/a/b/w out # /dev/stdout",
            "y/a/b/;w out",
            "b;w out",
            "a text\nw out",
            "r file\nw out",
        ] {
            assert_eq!(sed_effect(script), SedEffect::Writes, "{script}");
        }
        for script in [
            "s/a/b/e",
            "1e rm -rf /",
            "e",
            "s/a/rm x/ge",
            "s/[/]/x/e",
            "s/a/b/i;e id",
            "s/[]]/x/e",
            "s/[^]]/x/e",
            "s/[[:digit:]]/x/e",
            "s/[[.a.]b]/x/e",
            "/[/]/e id",
            "s[a[b[e",
            ":a;e id",
            ": a e id",
            "ba;e id",
            "{b};e id",
            "a text\\\nstill text\ne id",
            "a\\\ns/\ne id",
            "# comment\\\ne id",
            "r file\ne id",
            "w /dev/stdout\ne id",
            "y/a/b/;e id",
        ] {
            assert_eq!(sed_effect(script), SedEffect::Runs, "{script}");
        }
    }
}
