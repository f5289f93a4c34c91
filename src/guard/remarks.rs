//! Rules for single added lines that need no model and make little noise: commands in scripts that
//! destroy or run what nobody has seen, debugger calls, numbers of accounts and people whose check digits hold,
//! text that is shown in another order than it runs. They remark; only `--strict` makes them block.

use super::doubtful;
use crate::report::CommandClass;
use crate::verify::command::classify;
use regex::{Regex, RegexSet};
use std::borrow::Cow;
use std::sync::LazyLock;

/// A command in a script that deserves a look.
pub const RISKY: &str = "risky-command";
/// A call that only a debugging session needs.
pub const DEBUG: &str = "debug-left-over";
/// A number that belongs to one person or account.
pub const PRIVATE: &str = "private-data";
/// A text that reads like a key.
pub const SECRET: &str = "possible-secret";
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
    // rm -rf $DIR/*, rm -rf "${DIR}/"; not ${DIR:?}, which stops when there is nothing in it.
    Command {
        pattern: r#"\brm\s+(?:-\S+\s+)+["']?\$(?:\w+|\{\w+\}|\(\w+\))["']?/(?:["']?(?:\*|\s|$|[;&|])|["']?\$)"#,
        confirm: true,
        why: "deletes from the root of the file system when the variable is empty",
    },
    Command {
        pattern: r"\b(?:kubectl|oc)\b.*\bdelete\b.*\s--all(?:=true)?(?:\s|$)",
        confirm: true,
        why: "deletes every object of the kind",
    },
    Command {
        pattern: r"(?i)\bdrop\s+(?:database|schema)\b",
        confirm: true,
        why: "drops a whole database",
    },
    Command {
        pattern: r"\brsync\b.*\s--delete\S*\s.*[:\s]\S*\$\{?\w+\}?/?\s*$",
        confirm: false,
        why: "deletes at a target that a variable names whatever the source does not hold",
    },
    Command {
        pattern: r"\bmkfs(?:\.\w+)?\s|\bwipefs\s|\bdd\b.*\bof=(?:/dev/(?:sd|nvme|vd|hd|xvd|mmcblk)|\$)",
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
        r"(?:^|;)\s*(?:binding\.(?:pry|irb)|byebug)\b",
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

/// A print whose text is a marker for its author, and comments that say that the line is to go.
static MARKED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"(?:(?-u:\b)print(?:ln|f)?!?|(?-u:\b)console\.(?:log|debug|error)|(?-u:\b)puts|(?-u:\b)fmt\.Print(?:ln|f)?|(?-u:\b)System\.(?:out|err)\.print(?:ln)?|(?-u:\b)var_dump|(?-u:\b)Console\.WriteLine|(?-u:\b)alert)\s*\(?\s*f?["'`](?:X{2,}|(?i:>*\s*(?:got\s+)?here(?-u:\b))|#{3,}|={3,}|!{2,}|\*{3,}|(?i:asdf|wtf|foo ?bar|debug(?:ging)?(?-u:\b)[: ]))|(?i:(?-u:\b)(?:todo|fixme|xxx|hack)(?-u:\b).{0,30}(?-u:\b)(?:remove|delete|revert)(?-u:\b)|(?-u:\b)do not (?:commit|merge|push)(?-u:\b)|(?-u:\b)nocommit(?-u:\b)|(?-u:\b)(?:remove|delete|revert) (?:this |me )?before (?:the )?(?:commit|merg|push|releas)\w*)"#;
    Regex::new(pattern).unwrap_or_else(|why| panic!("the pattern of markers: {why}"))
});

/// What may be the number of a bank account or a payment card.
static NUMBERS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?-u:\b)(?P<iban>[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?-u:\b)|(?-u:\b)(?P<card>[3-6][0-9]{3}(?:[ -]?[0-9]{4}){2}[ -]?[0-9]{3,4})(?-u:\b)";
    Regex::new(pattern).unwrap_or_else(|why| panic!("the pattern of numbers: {why}"))
});

/// Endings of files that hold data.
const DATA: &[&str] = &[
    "csv", "tsv", "sql", "json", "jsonl", "ndjson", "xml", "yaml", "yml", "txt", "md", "html",
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
    /// Whether it is source code, a script or a setting, where a print or a comment means what it says.
    code: bool,
    /// Whether it may hold records of people: data, or anything that a test is fed with.
    data: bool,
    /// Whether texts in it may be keys: nobody wrote lock files and what tools have made small.
    keys: bool,
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
    let lower = path.to_ascii_lowercase();
    let fixture = ["test", "fixture", "sample", "seed", "mock", "spec"];
    let made = [
        ".lock",
        "lock.json",
        "lock.yaml",
        "go.sum",
        ".min.js",
        ".min.css",
        ".map",
        ".svg",
        ".ipynb",
        ".snap",
    ];
    Rules {
        keys: !made.iter().any(|end| name.ends_with(end)),
        script,
        code: !matches!(
            ending,
            "md" | "rst" | "txt" | "adoc" | "html" | "log" | "csv" | "patch" | "diff"
        ),
        data: DATA.contains(&ending) || fixture.iter().any(|word| lower.contains(word)),
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
            || self.code && MARKED.is_match(text)
            || self.data && (NUMBERS.is_match(text) || text.contains(['@', '+', ' ']))
            || self.code && self.keys && doubtful::any_key(text)
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
        if self.code && MARKED.is_match(line) {
            let why = "prints a marker or says itself that it is to be removed";
            return Some((DEBUG, why.into()));
        }
        if self.data
            && let Some(why) = NUMBERS.captures_iter(line).find_map(|found| number(&found))
        {
            return Some((PRIVATE, why.into()));
        }
        if let Some(hit) = self.script.and_then(|script| risky(command(script, line)?)) {
            return Some((RISKY, hit.why.to_owned()));
        }
        if self.data && doubtful::tells_of_person(line) {
            let why = "names a person beside a place, number or address that is that person's own";
            return Some((PRIVATE, why.into()));
        }
        (self.code && self.keys && doubtful::holds_key(line)).then(|| {
            let why = "holds a text that reads like a key; what opens something belongs into a store of secrets";
            (SECRET, why.into())
        })
    }
}

/// The rule that a command of a script falls under.
fn risky(command: &str) -> Option<&'static Command> {
    COMMAND_SET
        .matches(command)
        .iter()
        .map(|at| &COMMANDS[at])
        .find(|rule| !rule.confirm || classify(command).class == CommandClass::Destructive)
}

/// `line` as a remark by `rule` may show it: a remark says where a person's numbers are, not what they are.
pub fn shown(rule: &str, line: &str) -> String {
    let line = without_numbers(line);
    if rule == PRIVATE {
        doubtful::without_details(&line)
    } else {
        line.into_owned()
    }
}

/// What a number is whose check digits hold and that no documentation uses.
fn number(found: &regex::Captures) -> Option<&'static str> {
    let of = |name: &str| {
        found.name(name).map(|part| {
            let kept = part.as_str().bytes().filter(u8::is_ascii_alphanumeric);
            kept.collect::<Vec<u8>>()
        })
    };
    if let Some(iban) = of("iban") {
        // ISO 7064, MOD 97-10: the first four characters go to the end, letters count from 10.
        let turned = iban[4..].iter().chain(&iban[..4]);
        let rest = turned.fold(0_u32, |rest, byte| match char::from(*byte).to_digit(36) {
            Some(digit) if digit > 9 => (rest * 100 + digit) % 97,
            Some(digit) => (rest * 10 + digit) % 97,
            None => rest,
        });
        let shown = iban[4..].iter().filter(|byte| **byte != b'0').count() > 4;
        return (rest == 1 && shown && !EXAMPLES.iter().any(|known| known.as_bytes() == iban))
            .then_some("holds a bank account's number (IBAN) whose check digits hold");
    }
    let card = of("card")?;
    // Luhn: every second digit from the end counts double.
    let sum: u32 = card
        .iter()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0') * (1 + at as u32 % 2);
            digit / 10 + digit % 10
        })
        .sum();
    let distinct = (b'0'..=b'9').filter(|digit| card.contains(digit)).count();
    (sum.is_multiple_of(10)
        && distinct > 4
        && !EXAMPLES.iter().any(|known| known.as_bytes() == card))
    .then_some("holds the number of a payment card whose check digit holds")
}

/// `line` without the numbers of accounts and cards.
fn without_numbers(line: &str) -> Cow<'_, str> {
    NUMBERS.replace_all(line, |found: &regex::Captures| {
        let kind = if found.name("iban").is_some() {
            "iban"
        } else {
            "card"
        };
        let whole = found[0].to_owned();
        number(found).map_or(whole, |_| format!("‹{kind}›"))
    })
}

/// Numbers that standards and payment providers print for tests.
const EXAMPLES: &[&str] = &[
    "DE89370400440532013000",
    "GB82WEST12345698765432",
    "GB29NWBK60161331926819",
    "FR1420041010050500013M02606",
    "NL91ABNA0417164300",
    "CH9300762011623852957",
    "AT611904300234573201",
    "BE68539007547034",
    "ES9121000418450200051332",
    "IT60X0542811101000000123456",
    "DK5000400440116243",
    "NO9386011117947",
    "SE4550000000058398257466",
    "PL61109010140000071219812874",
    "FI2112345600000785",
    "IE29AIBK93115212345678",
    "PT50000201231234567890154",
    "LU280019400644750000",
    "DE75512108001245126199",
    "5555555555554444",
    "378282246310005",
    "371449635398431",
    "6011111111111117",
    "6011000990139424",
    "30569309025904",
    "3530111333300000",
    "5105105105105100",
    "3566002020360505",
    "5200828282828210",
    "2223003122003222",
    "4000056655665556",
    "4012888888881881",
    "4242424242424242",
    "4111111111111111",
];

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
            ("a.sh", "rm -rf $BUILD_DIR/*"),
            ("a.sh", "rm -rf \"${TARGET}\"/"),
            ("Makefile", "\trm -rf $(PREFIX)/$(NAME)"),
            ("a.sh", "kubectl delete pvc --all -n $NS"),
            ("a.sh", "psql -c \"DROP DATABASE $DB\""),
            ("a.sh", "rsync -a --delete ./ root@$HOST:$DEST/"),
            ("a.sh", "dd if=image.raw of=$DEV bs=4M"),
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
            ("a.sh", "rm -rf \"${TARGET:?}/out\""),
            ("a.sh", "rm -rf \"$tmp/work\""),
            ("a.sh", "kubectl get pvc --all-namespaces"),
            ("a.sh", "psql -c 'DROP TABLE IF EXISTS staging'"),
            ("a.sh", "rsync -an ./dist/ deploy@web1:/srv/shop/"),
            ("a.sh", "dd if=/dev/zero of=./swapfile bs=1M count=64"),
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
            ("a.rb", "  puts x.inspect; binding.irb"),
            ("a.py", "    print(\"XXX total\", x)"),
            ("a.go", "\tfmt.Println(\"got here\", id)"),
            ("A.java", "    System.out.println(\"### \" + x);"),
            ("a.ts", "  console.log('HERE', x);"),
            ("s.py", "DEBUG = True  # TODO remove before merge"),
            ("a.c", "// do not commit"),
        ] {
            assert_eq!(says(path, line), Some(DEBUG), "{path}: {line}");
        }
        for (path, line) in [
            ("a.py", "# the debugger: breakpoint"),
            ("a.js", "const debuggerUrl = 1;"),
            ("a.txt", "debugger;"),
            ("a.rs", "println!(\"x\");"),
            ("a.py", "print(\"Usage: tool FILE\")"),
            ("a.py", "print(\"hereditary\")"),
            ("a.md", "Do not commit secrets."),
            ("a.py", "# TODO: support more formats"),
        ] {
            assert_eq!(says(path, line), None, "{path}: {line}");
        }
        assert_eq!(says("a.txt", "if (admin\u{202E} ) {"), Some(HIDDEN));
        assert_eq!(says("a.txt", "naïve, 日本, 👩‍💻"), None);
    }

    #[test]
    fn numbers_of_people_and_accounts() {
        for (path, line) in [
            ("tests/people.csv", "7,DE02 1203 0000 0000 2020 51,x"),
            ("seed.sql", "('NL02ABNA0123456789', 1)"),
            ("fixtures/cards.json", "{\"card\": \"4539 5787 6362 1486\"}"),
        ] {
            assert_eq!(says(path, line), Some(PRIVATE), "{path}: {line}");
        }
        for (path, line) in [
            ("tests/people.csv", "7,DE03 1203 0000 0000 2020 51,x"),
            ("tests/people.csv", "7,DE89370400440532013000,x"),
            ("tests/people.csv", "7,4111 1111 1111 1111,x"),
            ("tests/people.csv", "7,4539 5787 6362 1487,x"),
            ("data.json", "{\"id\": 5000000000000009}"),
            ("src/lib.rs", "const ID: u64 = 4539578763621486;"),
        ] {
            assert_eq!(says(path, line), None, "{path}: {line}");
        }
    }

    #[test]
    fn a_remark_does_not_say_the_number() {
        assert_eq!(
            without_numbers("7,DE02 1203 0000 0000 2020 51,4539 5787 6362 1486"),
            "7,‹iban›,‹card›"
        );
        let example = "7,4111 1111 1111 1111,x";
        assert_eq!(without_numbers(example), example);
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
