//! Code in other languages inside a command: awk, sed, Python, Perl, Ruby, JavaScript, PHP.

use super::flags::{Style, anywhere, leading, list, parse};
use super::words::{Arg, HOLE};
use super::{Judge, Stdin};
use regex::Regex;
use std::sync::LazyLock;

/// What a sed script does besides printing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SedEffect {
    Reads,
    Writes,
    Runs,
}

/// Looks for the `w`, `W`, `e` commands and flags of a sed script. Conservative: an unusual script counts as writing.
pub(super) fn sed_effect(script: &str) -> SedEffect {
    let mut effect = SedEffect::Reads;
    let mut chars = script.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '/' | '\\' => {
                // An address: up to its delimiter.
                let delimiter = if c == '\\' {
                    chars.next().map_or('/', |(_, c)| c)
                } else {
                    '/'
                };
                skip_to(&mut chars, delimiter);
            }
            's' | 'y' => {
                let Some((_, delimiter)) = chars.next() else {
                    break;
                };
                skip_to(&mut chars, delimiter);
                skip_to(&mut chars, delimiter);
                while let Some((_, flag)) =
                    chars.next_if(|(_, c)| c.is_ascii_alphanumeric() || *c == ' ')
                {
                    match flag {
                        'e' if c == 's' => return SedEffect::Runs,
                        'w' if c == 's' => {
                            if !script[at..].contains("/dev/std") {
                                effect = SedEffect::Writes;
                            }
                            while chars.next_if(|(_, c)| *c != '\n').is_some() {}
                        }
                        _ => {}
                    }
                }
            }
            'e' => return SedEffect::Runs,
            'w' | 'W' => {
                if !script[at..].contains("/dev/std") {
                    effect = SedEffect::Writes;
                }
                while chars.next_if(|(_, c)| *c != '\n').is_some() {}
            }
            // Text to be printed, labels, files to be read: the rest of the line is not commands.
            'a' | 'i' | 'c' | 'r' | 'R' | ':' | 'b' | 't' | 'T' | '#' => {
                while chars
                    .next_if(|(_, c)| {
                        *c != '\n'
                            && (!matches!(script.as_bytes()[at], b'b' | b't' | b'T')
                                || *c != ';' && *c != '}')
                    })
                    .is_some()
                {}
            }
            _ => {}
        }
    }
    effect
}

fn skip_to(chars: &mut std::iter::Peekable<std::str::CharIndices<'_>>, delimiter: char) {
    while let Some((_, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if c == delimiter {
            return;
        }
    }
}

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new($text).unwrap_or_else(|why| panic!("{}: {why}", stringify!($name)))
        });
    };
}

pattern!(
    STRINGS,
    r#""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|`([^`]*)`|q[qxw]?\s*[{(\[/|]([^})\]/|]*)"#
);
pattern!(
    DELETES,
    r#"(?i)\b(?:unlink|rmtree|rmdir|removedirs|remove_dir\w*|os\.remove|\.unlink|rm_rf|rm_r|rmSync|unlinkSync|rmdirSync|FileUtils\.rm\w*|File\.delete|Dir\.delete|truncate|os\.kill|killpg|terminate|process\.kill|Process\.kill|shutil\.move|os\.rename|drop_table|dropDatabase|deleteMany|delete_\w+|\.delete\(|mkfs|ftruncate)\b"#
);
pattern!(
    DECODES,
    r#"(?i)\b(?:b64decode|base64|decode_base64|unhexlify|fromhex|fromCharCode|atob|marshal\.loads|pickle\.loads|codecs\.decode|zlib\.decompress|rot13|pack\s*\(|chr\s*\()"#
);
pattern!(
    EVALUATES,
    r#"(?i)\b(?:eval|exec|compile|__import__|execfile|Function|instance_eval|require|include)\b\s*\(?|getattr\s*\("#
);
// Files opened for writing, with their names where they are written out.
pattern!(
    WRITES,
    r#"\bopen\s*\(?\s*(?:my\s+)?[$\w]+\s*,\s*["']\s*\+?>{1,2}\s*([^"'$]+)["']|\bopen\s*\(?\s*(?:my\s+)?[$\w]+\s*,\s*["']\+?>{1,2}["']\s*,\s*["']([^"']+)["']|\bopen\(\s*["']([^"']+)["']\s*,\s*(?:mode\s*=\s*)?["'](?:[wax][bt]?\+?[bt]?|r[bt]?\+[bt]?)["']|\bopen\b[^;\n]{0,80},\s*["']\+?>{1,2}|\b(?:File\.write|writeFile(?:Sync)?|appendFile(?:Sync)?|file_put_contents|write_text|write_bytes|createWriteStream)\b"#
);
pattern!(
    FETCHES,
    r#"(?i)\b(?:urlopen|urlretrieve|requests\.get|http\.client|LWP|open-uri|Net::HTTP|fetch\s*\(|socket)\b"#
);
pattern!(
    STARTS,
    r#"(?i)\b(?:system|os\.execute|popen|subprocess|spawn|spawnSync|execSync|child_process|exec|qx|shell_exec|passthru|proc_open|check_output|check_call|run|call|os\.system|IO\.popen|Open3|pty\.)\b|`"#
);
// A Python line that can only read and print: these modules, these names, no attribute that runs or writes.
pattern!(
    PYTHON_READS,
    r#"^(?:\s*(?:import|from)\s+(?:sys|json|re|math|datetime|time|collections|itertools|statistics|base64|textwrap|string|pprint|csv|hashlib|ipaddress|platform|socket|ssl|struct|urllib\.parse|functools|uuid|locale|calendar)\b[^;\n]*[;\n]?)*"#
);
pattern!(
    PYTHON_DANGER,
    r#"(?i)\b(?:open|exec|eval|compile|__\w+__|getattr|setattr|globals|locals|vars|input|breakpoint|connect|bind|listen|send|sendall|sendto|write|writelines|os|subprocess|shutil|pathlib|ctypes|importlib|builtins|pty|signal|dump|socket\(|create_connection|urlopen|load_module|modules|import_module|system|popen|spawn\w*|fork|kill\w*|remove|unlink|rename|truncate|rmdir|mkdir|chmod)\b"#
);
pattern!(
    AWK_RUNS,
    r#"\bsystem\s*\(|\|\s*getline|\bgetline\s*<\s*"/inet|\|&"#
);
pattern!(
    AWK_PRINTS_TO,
    r#"\bprintf?\b[^;}\n|]*\|\s*("(?:[^"\\]|\\.)*"|\w+)"#
);
pattern!(
    AWK_WRITES,
    r#"\bprintf?\b[^;}\n]*>{1,2}\s*("[^"]*"|[A-Za-z_$(]\w*)"#
);

impl Judge {
    /// Interpreters and awk; `false` if `name` is none.
    pub(super) fn script_program(&mut self, name: &str, args: &[Arg], stdin: &Stdin) -> bool {
        let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        match base {
            "awk" | "gawk" | "mawk" | "nawk" => self.awk(args),
            "python" | "pypy" | "perl" | "ruby" | "node" | "nodejs" | "php" | "lua" | "tclsh"
            | "osascript" | "Rscript" | "groovy" | "deno" | "bun" | "jshell" | "expect" => {
                self.interpreter(base, args, stdin)
            }
            "vi" | "vim" | "nvim" | "view" | "ed" | "ex" | "nano" | "emacs" => {
                let runs = args.iter().any(|arg| {
                    arg.text.contains('!')
                        || arg.text.contains("system(")
                        || arg.text.contains(":py")
                        || arg.text.contains(":lua")
                        || arg.text.contains("shell-command")
                        || arg.text.contains("call-process")
                }) || matches!(stdin, Stdin::Text(text) if text.contains('!'));
                if runs {
                    self.destructive(format!("`{name}` is told to run a command"));
                } else if args.iter().any(|arg| arg.text == "-R") || base == "view" {
                    self.read_only();
                } else {
                    self.changes(format!("`{name}` edits files"));
                }
            }
            "less" | "more" | "man" | "most" => {
                if args.iter().any(|arg| {
                    arg.text.starts_with("+!")
                        || arg.text.starts_with("-P") && name == "man"
                        || arg.text.contains("!sh")
                        || arg.text.contains("!/bin")
                }) {
                    self.destructive(format!("`{name}` is told to run a command"));
                } else {
                    self.read_only();
                }
            }
            "base" | "xxd" if name != "base" => {
                let parsed = anywhere(args, "-w --wrap -c -l -s -n -o -i -g");
                if name == "xxd" && parsed.words.len() > 1 {
                    self.changes("`xxd` writes a file");
                } else if let Some(path) = parsed.value(&["-o"]).filter(|_| name == "base64") {
                    let path = Arg::new(path);
                    self.writes_to(&path, false);
                } else {
                    self.read_only();
                }
            }
            _ => return false,
        }
        true
    }

    fn awk(&mut self, args: &[Arg]) {
        let parsed = leading(
            args,
            "-F -v -f -i -l -e -E --field-separator --assign --file --include --load --source --exec",
        );
        if parsed.flags.iter().any(|flag| {
            matches!(
                (flag.name.as_str(), flag.value.as_deref()),
                ("-i" | "--include", Some("inplace"))
            )
        }) {
            self.changes("`awk -i inplace` changes files in place");
        }
        if parsed.has(&["-f", "--file", "-E", "--exec", "-l", "--load"]) {
            return self.unknown("`awk` runs a program that is not shown");
        }
        let program = parsed
            .value(&["-e", "--source"])
            .map(str::to_owned)
            .or_else(|| parsed.words.first().map(|word| word.text.clone()));
        let Some(program) = program else {
            return self.unknown("`awk` without a program");
        };
        self.read_only();
        if AWK_RUNS.is_match(&program) {
            let shown: Vec<String> = strings(&program);
            let literal = program.matches("system").count() <= 1
                && program.contains("system(\"")
                && !program[program.find("system(\"").unwrap_or(0)..].contains("\" ");
            if literal {
                for text in shown {
                    self.deeper(|judge| judge.script(&text));
                }
                self.unknown("`awk` runs a command");
            } else {
                self.destructive("`awk` runs commands put together from its input");
            }
        }
        for found in AWK_PRINTS_TO.captures_iter(&program) {
            let target = found[1].trim_matches('"').to_owned();
            let words: Vec<Arg> = target.split_whitespace().map(Arg::new).collect();
            match words.first().map(|word| word.text.as_str()) {
                Some("sort" | "uniq" | "head" | "tail" | "cat" | "wc" | "column") => {
                    self.inner(&words, &Stdin::Piped)
                }
                Some(_) => {
                    self.inner(&words, &Stdin::Piped);
                    self.unknown("`awk` pipes into a command");
                }
                None => {}
            }
        }
        if let Some(found) = AWK_WRITES.captures(&program)
            && !found[1].starts_with('(')
        {
            let path = Arg::new(found[1].trim_matches('"'));
            // A comparison in a printed expression has no quoted text on its right side.
            if found[1].starts_with('"') {
                self.writes_to(&path, false)
            } else {
                self.changes("`awk` writes a file named by its input")
            }
        }
    }

    fn interpreter(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        let values = match name {
            "python" | "pypy" => list("-c -m -W -X -Q"),
            "perl" => list("-e -E -I -M -m -x"),
            "ruby" => list("-e -I -r -C -E"),
            "node" | "nodejs" => list("-e -p --eval --print -r --require --input-type"),
            "php" => list("-r -f -d -c"),
            "osascript" | "lua" | "Rscript" | "groovy" | "expect" => list("-e -c -l"),
            _ => list("-e -c"),
        };
        let one_dash = false;
        let parsed = parse(
            args,
            Style {
                values: &values,
                one_dash,
                stop_at_word: true,
            },
        );
        if (parsed.has(&["--version", "-V"])
            || parsed.has(&["-v"]) && matches!(name, "perl" | "ruby" | "node" | "nodejs" | "php"))
            && parsed.words.is_empty()
            && parsed.flags.len() == 1
        {
            return self.read_only();
        }
        if name == "php" && parsed.has(&["-m", "-i", "--ini", "-l"]) && !parsed.has(&["-r", "-f"]) {
            return self.read_only();
        }
        if let Some(module) = parsed.value(&["-m"]).filter(|_| name.starts_with("py")) {
            return match module {
                "json.tool" if parsed.words.len() < 2 => self.read_only(),
                "site" | "platform" | "this" | "sysconfig" | "calendar" => self.read_only(),
                "pip" => {
                    let words: Vec<Arg> = parsed.words.clone();
                    if !self.by_table("pip", &words) {
                        self.unknown("runs a Python module");
                    }
                }
                "http.server" | "SimpleHTTPServer" => {
                    self.changes("opens a server that gives files away")
                }
                _ => self.unknown("runs a Python module that is not known here"),
            };
        }
        if name == "perl"
            && args.iter().any(|arg| {
                arg.text.starts_with("-i")
                    || arg.text.starts_with("-pi")
                    || arg.text.starts_with("-ni")
            })
            || name == "ruby"
                && args
                    .iter()
                    .any(|arg| arg.text.starts_with("-i") || arg.text.starts_with("-pi"))
        {
            self.changes(format!("`{name} -i` changes files in place"));
        }
        let code = match name {
            "python" | "pypy" => parsed.value(&["-c"]),
            "php" => parsed.value(&["-r"]),
            _ => parsed.value(&["-e", "-E", "-p", "--eval", "--print", "-c"]),
        };
        // A cluster like -ne or -pe with the code after it.
        let code = code.map(str::to_owned).or_else(|| {
            let at = args.iter().position(|arg| {
                arg.text.starts_with('-')
                    && arg.text.len() > 2
                    && arg.text.ends_with('e')
                    && matches!(name, "perl" | "ruby")
            })?;
            args.get(at + 1).map(|arg| arg.text.clone())
        });
        match (code, parsed.words.first(), stdin) {
            (Some(code), ..) => self.code(name, &code, args),
            (None, Some(script), _) if script.substituted => {
                self.destructive("runs the output of a command as code")
            }
            (None, Some(script), _) if script.text != "-" => self.unknown(format!(
                "runs the script {}, which is not shown",
                super::shell::show(&script.text)
            )),
            (None, _, Stdin::Text(code)) => {
                let code = code.clone();
                self.code(name, &code, args);
            }
            (None, _, Stdin::Piped) => self.destructive(format!(
                "hands control to code that is not shown: a pipe into {name}"
            )),
            (None, _, Stdin::None) => self.unknown("a bare interactive session"),
        }
    }

    /// Judges code of a language that is not parsed here.
    fn code(&mut self, name: &str, code: &str, args: &[Arg]) {
        if args.iter().any(|arg| arg.substituted) {
            return self.destructive("runs the output of a command as code");
        }
        if DELETES.is_match(code) {
            self.destructive(format!("the {name} code deletes or stops something"));
        }
        for found in WRITES.captures_iter(code) {
            match found.iter().skip(1).flatten().next() {
                Some(path) => {
                    let path = path.as_str().trim_start_matches('>').trim();
                    self.writes_to(&Arg::new(path), false);
                }
                None => self.changes(format!("the {name} code writes a file")),
            }
        }
        if EVALUATES.is_match(code) && (DECODES.is_match(code) || FETCHES.is_match(code)) {
            self.destructive(format!("the {name} code runs decoded or fetched text"));
        }
        if STARTS.is_match(code) {
            // Each text in it may be a command line, or together they may be one.
            let texts = strings(code);
            for text in texts.iter().filter(|text| text.len() > 1).take(12) {
                let mut inner = Judge {
                    depth: self.depth + 1,
                    parts: self.parts,
                    ..Judge::default()
                };
                if inner.depth < super::MAX_DEPTH {
                    inner.script(text);
                    self.parts = inner.parts;
                    if inner.class == Some(crate::report::CommandClass::Destructive) {
                        self.destructive(format!("the {name} code runs a destructive command"));
                    }
                }
            }
            let words: Vec<Arg> = texts
                .iter()
                .flat_map(|text| text.split_whitespace())
                .map(Arg::new)
                .collect();
            let mut inner = Judge {
                depth: self.depth + 1,
                parts: self.parts,
                ..Judge::default()
            };
            if inner.depth < super::MAX_DEPTH && !words.is_empty() {
                inner.argv(&words, &Stdin::None);
                if inner.class == Some(crate::report::CommandClass::Destructive) {
                    self.destructive(format!("the {name} code runs a destructive command"));
                }
            }
        }
        let harmless_python = name == "python" && {
            let rest = PYTHON_READS.replace(code, "");
            !PYTHON_DANGER.is_match(&rest) && !rest.contains("import") && !code.contains(HOLE)
        };
        let harmless_perl =
            name == "perl" && PERL_READS.is_match(code) && !PERL_DANGER.is_match(code);
        if harmless_python || harmless_perl {
            self.read_only();
        } else {
            self.unknown(format!("what the {name} code does can't be told"));
        }
    }
}

pattern!(PERL_READS, r#"^[^`]{0,400}$"#);
pattern!(
    PERL_DANGER,
    r#"(?i)\b(?:system|exec|open|opendir|unlink|rename|qx|eval|require|use|do|sysopen|syswrite|socket|connect|kill|chmod|chown|mkdir|rmdir|link|symlink|truncate|fork|pipe|syscall|dump|glob|readpipe|utime)\b|\|\s*"|[/#!,{}]\s*[gimsx]*e[a-z]*\s*(?:;|$|\})|[|<>]\s*[\x22']|[\x22'][|<>+]|->|&|::|\*\{|@INC"#
);

fn strings(code: &str) -> Vec<String> {
    STRINGS
        .captures_iter(code)
        .filter_map(|found| {
            found
                .iter()
                .skip(1)
                .flatten()
                .next()
                .map(|text| text.as_str().to_owned())
        })
        .take(40)
        .collect()
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
        ] {
            assert_eq!(sed_effect(script), SedEffect::Reads, "{script}");
        }
        for script in ["s/a/b/w /tmp/x", "w /tmp/x", "/a/w out"] {
            assert_eq!(sed_effect(script), SedEffect::Writes, "{script}");
        }
        for script in ["s/a/b/e", "1e rm -rf /", "e", "s/a/rm x/ge"] {
            assert_eq!(sed_effect(script), SedEffect::Runs, "{script}");
        }
    }
}
