//! Code in other languages inside a command: awk, sed, Python, Perl, Ruby, JavaScript, PHP.

use super::flags::{Parsed, Style, anywhere, leading, list, parse};
use super::words::{Arg, HOLE};
use super::{Judge, Stdin};
use regex::Regex;
use std::sync::LazyLock;

mod editors;
mod sed;

use editors::{LESS_VALUES, man_runs, only_views, pager_is_told, told_in_code};
pub(super) use sed::{SedEffect, sed_effect};

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
    r#"(?i)\b(?:open|exec|eval|compile|__\w+__|getattr|setattr|globals|locals|vars|input|breakpoint|connect|bind|listen|send|sendall|sendto|write|writelines|os|subprocess|shutil|pathlib|ctypes|importlib|builtins|pty|signal|dump|socket\(|create_connection|urlopen|load_module|modules|import_module|system|popen|spawn\w*|fork|kill\w*|remove|unlink|rename|truncate|rmdir|mkdir|chmod|_\w+|(?:f|gi|cr|ag|tb)_\w+|settrace|setprofile|sendmsg|sendfile|create_server)\b"#
);
pattern!(
    AWK_RUNS,
    r#"\bsystem\s*\(|\|\s*getline|\bgetline\s*<\s*"/inet|\|&|@\w+\s*\("#
);
pattern!(AWK_TEXT, r#""(?:[^"\\]|\\.)*""#);
pattern!(AWK_LOADS, r#"@(?:include|load)\s*""#);
// Texts are passed over as a whole where they can be: what stands in them ends no statement.
pattern!(
    AWK_PRINTS_TO,
    r#"\bprintf?\b(?:(?:"(?:[^"\\]|\\.)*"|[^;}\n|"])*|[^;}\n|]*)\|\s*("(?:[^"\\]|\\.)*"|\w+)"#
);
pattern!(
    AWK_WRITES,
    r#"\bprintf?\b((?:"(?:[^"\\]|\\.)*"|[^;}\n"])*|[^;}\n]*)>{1,2}\s*("[^"]*"|[A-Za-z_$(]\w*)"#
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
                }) || told_in_code(args)
                    || matches!(stdin, Stdin::Text(text) if text.contains('!'));
                if runs {
                    self.destructive(format!("`{name}` is told to run a command"));
                } else if only_views(base, args) {
                    self.read_only();
                } else {
                    self.changes(format!("`{name}` edits files"));
                }
            }
            "less" | "more" | "man" | "most" => {
                if args
                    .iter()
                    .any(|arg| arg.text.contains("!sh") || arg.text.contains("!/bin"))
                    || if name == "man" {
                        man_runs(args)
                    } else {
                        args.iter().any(|arg| pager_is_told(&arg.text))
                    }
                {
                    self.destructive(format!("`{name}` is told to run a command"));
                    return true;
                }
                let parsed = anywhere(args, LESS_VALUES);
                match parsed.value(&["-o", "-O", "--log-file", "--LOG-FILE"]) {
                    Some(path) if name == "less" => self.writes_to(&Arg::new(path), false),
                    _ => self.read_only(),
                }
            }
            "xxd" => {
                let values = list("-c -cols -g -l -len -n -name -o -R -s -seek");
                let style = Style {
                    values: &values,
                    one_dash: true,
                    stop_at_word: false,
                };
                if parse(args, style).all_words().len() > 1 {
                    self.changes("`xxd` writes a file");
                } else {
                    self.read_only();
                }
            }
            "base" if name != "base" => {
                let parsed = anywhere(args, "-w --wrap -i -o --output");
                match parsed.value(&["-o", "--output"]) {
                    Some(path) if name == "base64" => self.writes_to(&Arg::new(path), false),
                    _ => self.read_only(),
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
        let files = parsed.flags.iter();
        if files
            .filter(|flag| matches!(flag.name.as_str(), "-i" | "--include"))
            .any(|flag| flag.value.as_deref() != Some("inplace"))
        {
            self.unknown("`awk` runs a program that is not shown");
        }
        if parsed.has(&[
            "-o",
            "-d",
            "-p",
            "--pretty-print",
            "--dump-variables",
            "--profile",
        ]) {
            self.changes("`awk` writes a file about its program");
        }
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
        let program = pieces(&parsed, &["-e", "--source"])
            .or_else(|| parsed.words.first().map(|word| word.text.clone()));
        let Some(program) = program else {
            return self.unknown("`awk` without a program");
        };
        self.read_only();
        if AWK_LOADS.is_match(&program) {
            self.unknown("`awk` loads code that is not shown");
        }
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
        for found in AWK_WRITES.captures_iter(&program) {
            // In brackets `>` compares.
            let printed = AWK_TEXT.replace_all(&found[1], "");
            let compares = printed.matches('(').count() != printed.matches(')').count();
            if found[2].starts_with('"') {
                self.writes_to(&Arg::new(found[2].trim_matches('"')), false)
            } else if !(found[2].starts_with('(') && compares) {
                self.changes("`awk` writes a file named by its input")
            }
        }
    }

    fn interpreter(&mut self, name: &str, args: &[Arg], stdin: &Stdin) {
        let values = match name {
            "python" | "pypy" => list("-c -m -W -X -Q"),
            "perl" => list("-e -E -F -I -M -m -x"),
            "ruby" => list("-e -I -r -C -E"),
            "node" | "nodejs" => list("-e -p --eval --print -r --require --input-type"),
            "php" => list("-r -f -d -c -B -R -E -F -z"),
            "osascript" | "lua" | "Rscript" | "groovy" | "expect" => list("-e -c -l"),
            _ => list("-e -c"),
        };
        // `node -pe` is `-p` with the code after it.
        let args: Vec<Arg> = args
            .iter()
            .map(|arg| match arg.text.as_str() {
                "-pe" if name.starts_with("node") => Arg::new("-p"),
                _ => arg.clone(),
            })
            .collect();
        let args = args.as_slice();
        let parsed = parse(
            args,
            Style {
                values: &values,
                one_dash: false,
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
        if name == "php"
            && parsed.has(&["-m", "-i", "--ini", "-l"])
            && !parsed.has(&["-r", "-f", "-B", "-R", "-E", "-F", "-z"])
        {
            return self.read_only();
        }
        // Whichever of `-c` and `-m` comes first takes the rest for its arguments.
        let told = parsed
            .flags
            .iter()
            .find(|flag| matches!(flag.name.as_str(), "-c" | "-m"))
            .filter(|flag| name.starts_with("py") && flag.name == "-m");
        if let Some(module) = told.and_then(|flag| flag.value.as_deref()) {
            return match module {
                "json.tool" if parsed.all_words().len() < 2 => self.read_only(),
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
        if matches!(name, "perl" | "ruby") && parsed.has(&["-i"]) {
            self.changes(format!("`{name} -i` changes files in place"));
        }
        let code = match name {
            "php" => pieces(&parsed, &["-r", "-B", "-R", "-E"]),
            _ => pieces(&parsed, &["-e", "-E", "-p", "--eval", "--print", "-c"]),
        };
        if name == "perl" {
            self.perl_flags(&parsed, code.as_deref().unwrap_or_default());
        }
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

    /// What perl does besides running its code: it loads modules, and it opens the files that it reads by names that can
    /// be commands.
    fn perl_flags(&mut self, parsed: &Parsed, code: &str) {
        let modules = parsed
            .flags
            .iter()
            .filter(|flag| matches!(flag.name.as_str(), "-M" | "-m"));
        if parsed.has(&["-I", "-x", "-d"])
            || modules
                .filter_map(|flag| flag.value.as_deref())
                .any(|module| !PERL_MODULES.is_match(module))
        {
            self.unknown("`perl` loads code that is not shown");
        }
        let reads_files =
            parsed.has(&["-n", "-p"]) || code.contains("<>") || code.contains("<ARGV>");
        let opens = |arg: &Arg| {
            let name = arg.text.trim();
            name.starts_with(['>', '|']) || name.starts_with("+<") || name.ends_with('|')
        };
        if reads_files && parsed.all_words().iter().any(opens) {
            self.destructive("`perl` takes the name of a file for a command or writes to it");
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

// Modules that only compute, and what is taken from them.
pattern!(
    PERL_MODULES,
    r"^-?(?:strict|warnings|utf8|feature|bigint|bignum|integer|POSIX|JSON|JSON::PP|Encode|Socket|Data::Dumper|(?:List|Scalar)::Util|Time::(?:Local|Piece|HiRes)|MIME::Base64|URI::Escape|Digest::(?:MD5|SHA)|Text::[A-Z]\w+|Math::[A-Z]\w+)(?:=[\w,:]+)?$"
);
pattern!(PERL_READS, r#"^[^`]{0,400}$"#);
pattern!(
    PERL_DANGER,
    r#"(?i)\b(?:system|exec|open|opendir|unlink|rename|qx|eval|require|use|do|sysopen|syswrite|socket|connect|kill|chmod|chown|mkdir|rmdir|link|symlink|truncate|fork|pipe|syscall|dump|glob|readpipe|utime|remove|creat|mkfifo|write|raise)\b|\|\s*"|[/#!,{}]\s*[gimsx]*e[a-z]*\s*(?:;|$|\})|[|<>]\s*[\x22']|[\x22'][|<>+]|->|&|::|\*\{|@INC"#
);

/// The values of all of `flags`, which together are one program.
fn pieces(parsed: &Parsed, flags: &[&str]) -> Option<String> {
    let pieces: Vec<&str> = parsed
        .flags
        .iter()
        .filter(|flag| flags.contains(&flag.name.as_str()))
        .filter_map(|flag| flag.value.as_deref())
        .collect();
    (!pieces.is_empty()).then(|| pieces.join("\n"))
}

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
