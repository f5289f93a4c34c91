//! Rules for single added lines that need no model and make little noise: commands in scripts that
//! destroy or run what nobody has seen, debugger calls, text that is shown in another order than it
//! runs. They remark; only `--strict` makes them block.

use crate::report::CommandClass;
use crate::verify::command::classify;
use regex::{Regex, RegexSet};
use std::sync::LazyLock;

/// A command in a script that deserves a look.
pub const RISKY: &str = "risky-command";
/// A call that only a debugging session needs.
pub const DEBUG: &str = "debug-left-over";
/// Characters that reorder the text around them.
pub const HIDDEN: &str = "hidden-characters";

struct Command {
    pattern: &'static str,
    /// Whether the classifier must agree that it destroys or hands over control: it knows what is only printed.
    confirm: bool,
    why: &'static str,
}

const COMMANDS: &[Command] = &[
    Command {
        pattern: r"\b(?:curl|wget|fetch|base64|openssl|xxd|uudecode)\b.*\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:/\S*/)?(?:(?:ba|z|da|k|a)?sh|python[0-9.]*|perl|ruby|node)\b",
        confirm: true,
        why: "runs what was downloaded or decoded without anybody having seen it",
    },
    Command {
        pattern: r#"(?:\b(?:ba|z|da|k)?sh\s+(?:-c\s+)?|\beval\s+|\bsource\s+|^\.\s+)["']?(?:<\(|\$\(|`)\s*(?:curl|wget|base64)\b"#,
        confirm: true,
        why: "runs what was downloaded or decoded without anybody having seen it",
    },
    Command {
        pattern: r#"\brm\s+(?:-\S+\s+)+["']?(?:/|/\*|~/?|\$\{?HOME\}?/?|/(?:etc|usr|var|home|boot|lib)/?)["']?\s*(?:$|[;&|*])"#,
        confirm: true,
        why: "deletes a system or home directory",
    },
    Command {
        pattern: r"\bmkfs(?:\.\w+)?\s|\bwipefs\s|\bdd\b.*\bof=/dev/(?:sd|nvme|vd|hd|xvd|mmcblk)",
        confirm: true,
        why: "overwrites a disk",
    },
    Command {
        pattern: r"\bgit\s+(?:-\S+\s+)*push\b.*(?:\s-f\b|\s--force(?:\s|$))",
        confirm: true,
        why: "overwrites the history of a remote branch",
    },
    Command {
        pattern: r"\bchmod\s+(?:-\S+\s+)*(?:0?777|a\+rwx|ugo\+rwx)\s",
        confirm: false,
        why: "lets everybody on the machine change the file",
    },
    Command {
        pattern: r"\bcurl\b.*\s(?:-[a-zA-Z]*k[a-zA-Z]*|--insecure)(?:\s|$)|\bwget\b.*\s--no-check-certificate\b",
        confirm: false,
        why: "downloads without checking who answers",
    },
];

/// File endings, and what a debugging session leaves in such files.
const DEBUGGERS: &[(&[&str], &str)] = &[
    (
        &["py"],
        r"^\s*(?:import\s+i?pdb\b|(?:i?pdb|pudb)\.set_trace\(|breakpoint\(\s*\))",
    ),
    (
        &["rb", "erb", "rake"],
        r"^\s*(?:binding\.(?:pry|irb)|byebug)\b",
    ),
    (
        &["js", "jsx", "ts", "tsx", "mjs", "cjs", "vue", "svelte"],
        r"^\s*debugger\s*;?\s*$|\b(?:describe|it|test|context)\.only\(",
    ),
    (&["rs"], r"\bdbg!\("),
    (&["ex", "exs"], r"\bIEx\.pry\b"),
    (&["php"], r"\b(?:xdebug_break|var_dump)\("),
    (&["cs"], r"\bDebugger\.(?:Break|Launch)\(\s*\)"),
];

static COMMAND_SET: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(COMMANDS.iter().map(|command| command.pattern))
        .unwrap_or_else(|why| panic!("the patterns of risky commands: {why}"))
});

static DEBUG_SET: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    DEBUGGERS
        .iter()
        .map(|(_, pattern)| {
            Regex::new(&format!("(?m){pattern}"))
                .unwrap_or_else(|why| panic!("the patterns of debuggers: {why}"))
        })
        .collect()
});

/// How commands stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Shell,
    Dockerfile,
    Makefile,
    Pipeline,
}

/// The rules that apply to one file.
pub struct Rules {
    script: Option<Script>,
    debug: Option<usize>,
}

/// The rules for a file: by its name, or by its first line.
pub fn for_path(path: &str, text: &str) -> Rules {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let shebang = text
        .strip_prefix("#!")
        .and_then(|rest| rest.lines().next())
        .is_some_and(|line| {
            line.split(['/', ' '])
                .any(|word| matches!(word.trim(), "sh" | "bash" | "zsh" | "dash" | "ksh"))
        });
    let script = if shebang || matches!(ending, "sh" | "bash" | "zsh" | "ksh") {
        Some(Script::Shell)
    } else if name.starts_with("dockerfile")
        || name.starts_with("containerfile")
        || ending == "dockerfile"
    {
        Some(Script::Dockerfile)
    } else if name == "makefile" || name == "gnumakefile" || ending == "mk" {
        Some(Script::Makefile)
    } else if matches!(ending, "yml" | "yaml")
        && (path.contains(".github/")
            || name.contains("-ci.")
            || path.contains(".circleci/")
            || name.contains("pipeline"))
    {
        Some(Script::Pipeline)
    } else {
        None
    };
    Rules {
        script,
        debug: DEBUGGERS
            .iter()
            .position(|(endings, _)| endings.contains(&ending)),
    }
}

fn reorders(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

impl Rules {
    /// Whether any line of `text` may be of interest; cheap.
    pub fn any(&self, text: &str) -> bool {
        self.script.is_some()
            || self.debug.is_some_and(|at| DEBUG_SET[at].is_match(text))
            || (!text.is_ascii() && text.chars().any(reorders))
    }

    /// The rule that a line, secrets masked, falls under, and what to say.
    pub fn check(&self, line: &str) -> Option<(&'static str, String)> {
        if !line.is_ascii() && line.chars().any(reorders) {
            return Some((
                HIDDEN,
                "holds characters that show the text in another order than it runs".into(),
            ));
        }
        if self.debug.is_some_and(|at| DEBUG_SET[at].is_match(line)) {
            return Some((DEBUG, "a call that only a debugging session needs".into()));
        }
        let command = command(self.script?, line)?;
        let hit = COMMAND_SET
            .matches(command)
            .iter()
            .map(|at| &COMMANDS[at])
            .find(|rule| !rule.confirm || classify(command).class == CommandClass::Destructive)?;
        Some((RISKY, hit.why.to_owned()))
    }
}

/// The command on a line of a script, without what its format puts around it.
fn command(script: Script, line: &str) -> Option<&str> {
    let line = match script {
        Script::Shell => line.trim(),
        Script::Dockerfile => {
            let line = line.trim();
            match line.split_once(char::is_whitespace) {
                Some((word, rest)) if word.eq_ignore_ascii_case("run") => rest.trim(),
                _ => line,
            }
        }
        Script::Makefile => line
            .strip_prefix('\t')?
            .trim()
            .trim_start_matches(['@', '-', '+']),
        Script::Pipeline => {
            let line = line.trim().trim_start_matches("- ").trim();
            line.strip_prefix("run:")
                .or_else(|| line.strip_prefix("script:"))
                .unwrap_or(line)
                .trim()
        }
    };
    let line = line.strip_suffix('\\').unwrap_or(line).trim();
    let line = line
        .trim_start_matches("&&")
        .trim_start_matches("||")
        .trim();
    (!line.is_empty() && !line.starts_with('#')).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(path: &str, line: &str) -> Option<&'static str> {
        for_path(path, "").check(line).map(|(rule, _)| rule)
    }

    #[test]
    fn risky_commands_in_scripts() {
        for (path, line) in [
            (
                "install.sh",
                "curl -fsSL https://example.org/i.sh | sudo bash",
            ),
            ("a.sh", "echo aGk= | base64 -d | sh"),
            ("a.sh", "bash <(curl -s https://example.org/x)"),
            ("a.sh", "rm -rf / "),
            ("a.sh", "rm -rf \"$HOME\""),
            ("a.sh", "dd if=/dev/zero of=/dev/sda bs=1M"),
            ("a.sh", "git push --force origin main"),
            ("a.sh", "chmod -R 777 /srv/www"),
            ("a.sh", "curl -k https://internal.example.org/"),
            ("Dockerfile", "RUN curl -s https://example.org/x | sh \\"),
            ("Makefile", "\t@curl -s https://example.org/x | sh"),
            (
                ".github/workflows/ci.yml",
                "      - run: curl https://example.org | bash",
            ),
        ] {
            assert_eq!(says(path, line), Some(RISKY), "{path}: {line}");
        }
    }

    #[test]
    fn ordinary_scripts_are_left_alone() {
        for (path, line) in [
            ("a.sh", "rm -rf \"$tmp\""),
            ("a.sh", "rm -rf /tmp/build"),
            ("a.sh", "# curl https://example.org | sh"),
            ("a.sh", "echo 'curl https://example.org | sh'"),
            ("a.sh", "git push --force-with-lease origin topic"),
            ("a.sh", "chmod 755 bin/x"),
            ("a.sh", "curl --key k.pem https://example.org"),
            ("README.md", "curl https://example.org | sh"),
            ("Makefile", "curl = curl | sh"),
            ("docs/x.yml", "run: curl https://example.org | bash"),
        ] {
            assert_eq!(says(path, line), None, "{path}: {line}");
        }
    }

    #[test]
    fn debuggers_and_reordered_text() {
        for (path, line) in [
            ("a.py", "    breakpoint()"),
            ("a.py", "import pdb; pdb.set_trace()"),
            ("a.ts", "  debugger;"),
            ("a.spec.ts", "it.only('works', () => {"),
            ("src/a.rs", "    dbg!(x);"),
            ("a.rb", "binding.pry"),
        ] {
            assert_eq!(says(path, line), Some(DEBUG), "{path}: {line}");
        }
        for (path, line) in [
            ("a.py", "# the debugger: breakpoint"),
            ("a.js", "const debuggerUrl = 1;"),
            ("a.txt", "debugger;"),
            ("a.rs", "println!(\"x\");"),
        ] {
            assert_eq!(says(path, line), None, "{path}: {line}");
        }
        assert_eq!(says("a.txt", "if (admin\u{202E} ) {"), Some(HIDDEN));
        assert_eq!(says("a.txt", "naïve, 日本, 👩‍💻"), None);
    }

    #[test]
    fn a_first_line_makes_a_script() {
        assert!(
            for_path("bin/deploy", "#!/usr/bin/env bash\nx\n")
                .script
                .is_some()
        );
        assert!(
            for_path("bin/tool", "#!/usr/bin/python3\n")
                .script
                .is_none()
        );
    }
}
