//! Walking a parsed shell program: lists, pipelines, compounds, redirections.

use super::words::{Arg, HOLE};
use super::{Judge, Stdin, appliance, scan, windows};
use crate::report::CommandClass;
use brush_parser::ast::{
    AndOr, AndOrList, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem,
    CompoundCommand, CompoundList, ExtendedTestExpr, IoFileRedirectKind, IoFileRedirectTarget,
    IoRedirect, Pipeline, SimpleCommand, SubshellCommand,
};
use brush_parser::{Parser, ParserOptions};
use regex::Regex;
use std::sync::LazyLock;

/// Deepest nesting of brackets that is handed to the parser, whose work can grow fast with it.
const MAX_BRACKETS: usize = 14;
/// Most items of an array that are kept.
const MAX_ITEMS: usize = 64;
/// Most values of a `for` loop that are tried one by one.
const MAX_LOOP_VALUES: usize = 8;

/// Two opening brackets with blanks between them.
static SUBSHELLS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\(\s+\(").unwrap_or_else(|why| panic!("subshell pattern: {why}"))
});

/// An index with a command in it.
static INDEX: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\w\[[^\]]*(?:\$\(|`)").unwrap_or_else(|why| panic!("index pattern: {why}"))
});

impl Judge {
    /// Judges shell text.
    pub(super) fn script(&mut self, text: &str) {
        if !self.spend() {
            return;
        }
        if text.trim().is_empty() {
            return;
        }
        if windows::is_windows(text) {
            windows::judge(self, text);
            return;
        }
        if appliance::is_appliance(text) {
            return appliance::judge(self, text);
        }
        if bracket_depth(text) > MAX_BRACKETS {
            scan::visible(self, text);
            return;
        }
        // The parser takes `( (` for arithmetic, a shell for two subshells; a command in between tells them apart.
        let once = SUBSHELLS.replace_all(text, "( :; (");
        let text = SUBSHELLS.replace_all(&once, "( :; (").into_owned();
        if holds_huge_number(&text) {
            scan::visible(self, &text);
            return;
        }
        match Parser::new(text.as_bytes(), &ParserOptions::default()).parse_program() {
            Ok(program) if program.complete_commands.is_empty() => {
                // Nothing but comments.
                self.unknown("there is no command");
            }
            Ok(program) => program
                .complete_commands
                .iter()
                .for_each(|list| self.list(list)),
            Err(_) => {
                scan::visible(self, &text);
                self.torn(&text);
            }
        }
    }

    /// What the parser gives up on as a whole is read piece by piece, as a person would: a piece that parses by itself
    /// and does more than read tells what it does. The whole stays at least unknown.
    fn torn(&mut self, text: &str) {
        for piece in scan::pieces(text) {
            let parsed = Parser::new(piece.as_bytes(), &ParserOptions::default()).parse_program();
            if parsed.is_err() {
                continue;
            }
            self.deeper(|judge| {
                let mut part = Self {
                    policy: judge.policy.clone(),
                    depth: judge.depth,
                    parts: judge.parts,
                    ..Self::default()
                };
                part.script(piece);
                judge.parts = part.parts;
                let more = part.reasons.into_iter();
                for (class, reason) in more.filter(|(class, _)| *class > CommandClass::Unknown) {
                    judge.add(class, reason);
                }
            });
        }
    }

    fn list(&mut self, list: &CompoundList) {
        for item in &list.0 {
            self.and_or(&item.0);
        }
    }

    fn and_or(&mut self, list: &AndOrList) {
        self.pipeline(&list.first);
        for next in &list.additional {
            match next {
                AndOr::And(pipeline) | AndOr::Or(pipeline) => self.pipeline(pipeline),
            }
        }
    }

    fn pipeline(&mut self, pipeline: &Pipeline) {
        let mut stdin = Stdin::None;
        for command in &pipeline.seq {
            stdin = self.command(command, stdin);
        }
    }

    /// Judges one stage of a pipeline; gives what is known of its output.
    fn command(&mut self, command: &Command, stdin: Stdin) -> Stdin {
        if !self.spend() {
            return Stdin::Piped;
        }
        match command {
            Command::Simple(simple) => return self.simple(simple, stdin),
            Command::Compound(compound, redirects) => {
                self.deeper(|judge| judge.compound(compound));
                for redirect in redirects.iter().flat_map(|list| &list.0) {
                    self.redirect(redirect);
                }
            }
            Command::Function(function) => {
                let name = self.expand_whole(&function.fname.value).text;
                self.deeper(|judge| judge.compound(&function.body.0));
                for redirect in function.body.1.iter().flat_map(|list| &list.0) {
                    self.redirect(redirect);
                }
                // A function that calls itself through a pipe into itself is a fork bomb.
                let body = function.body.to_string();
                if body.matches(&name).count() >= 2 && body.contains('|') && body.contains('&') {
                    self.destructive("defines a function that multiplies itself");
                }
                self.scope.functions.push(name);
                self.read_only();
            }
            Command::ExtendedTest(test, redirects) => {
                self.test_words(&test.expr);
                self.read_only();
                for redirect in redirects.iter().flat_map(|list| &list.0) {
                    self.redirect(redirect);
                }
            }
        }
        Stdin::Piped
    }

    fn test_words(&mut self, expression: &ExtendedTestExpr) {
        match expression {
            ExtendedTestExpr::And(a, b) | ExtendedTestExpr::Or(a, b) => {
                self.test_words(a);
                self.test_words(b);
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => {
                self.test_words(inner)
            }
            ExtendedTestExpr::UnaryTest(_, word) => {
                let word = self.expand_whole(&word.value);
                self.index(&word.text);
            }
            ExtendedTestExpr::BinaryTest(_, a, b) => {
                for word in [a, b] {
                    let word = self.expand_whole(&word.value);
                    self.index(&word.text);
                }
            }
        }
    }

    /// Where a shell expects a variable or a number, it runs the commands in an index even of a quoted text.
    fn index(&mut self, text: &str) {
        if INDEX.is_match(text) {
            self.deeper(|judge| judge.inner_substitutions(text));
        }
    }

    fn compound(&mut self, compound: &CompoundCommand) {
        match compound {
            CompoundCommand::Arithmetic(arithmetic) => {
                self.expand_whole(&format!("$(({}))", arithmetic.expr.value));
                self.read_only();
            }
            CompoundCommand::ArithmeticForClause(clause) => {
                let parts = [&clause.initializer, &clause.condition, &clause.updater];
                for part in parts.into_iter().flatten() {
                    self.expand_whole(&format!("$(({}))", part.value));
                }
                self.list(&clause.body.list);
            }
            CompoundCommand::BraceGroup(group) => self.list(&group.list),
            CompoundCommand::Subshell(shell) => self.subshell(shell),
            CompoundCommand::ForClause(clause) => {
                let values: Vec<Arg> = clause
                    .values
                    .iter()
                    .flatten()
                    .flat_map(|word| self.expand(&word.value))
                    .collect();
                let known = !values.is_empty()
                    && values.len() <= MAX_LOOP_VALUES
                    && values.iter().all(Arg::known);
                if known {
                    for value in values {
                        self.scope
                            .variables
                            .insert(clause.variable_name.clone(), Some(value.text));
                        self.list(&clause.body.list);
                    }
                } else {
                    self.scope
                        .variables
                        .insert(clause.variable_name.clone(), None);
                    self.list(&clause.body.list);
                }
            }
            CompoundCommand::CaseClause(clause) => {
                self.expand_whole(&clause.value.value);
                for pattern in clause.cases.iter().flat_map(|case| &case.patterns) {
                    self.expand_whole(&pattern.value);
                }
                clause
                    .cases
                    .iter()
                    .filter_map(|case| case.cmd.as_ref())
                    .for_each(|list| self.list(list));
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition);
                self.list(&clause.then);
                for part in clause.elses.iter().flatten() {
                    if let Some(condition) = &part.condition {
                        self.list(condition);
                    }
                    self.list(&part.body);
                }
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0);
                self.list(&clause.1.list);
            }
            CompoundCommand::Coprocess(coprocess) => {
                self.command(&coprocess.body, Stdin::Piped);
            }
        }
    }

    fn subshell(&mut self, shell: &SubshellCommand) {
        let saved = self.scope.clone();
        self.list(&shell.list);
        self.scope = saved;
    }

    fn simple(&mut self, simple: &SimpleCommand, mut stdin: Stdin) -> Stdin {
        let mut environment = Vec::new();
        let mut args = Vec::new();
        let mut writes = Vec::new();
        let prefix = simple
            .prefix
            .iter()
            .flat_map(|items| &items.0)
            .map(|item| (true, item));
        let suffix = simple
            .suffix
            .iter()
            .flat_map(|items| &items.0)
            .map(|item| (false, item));
        for (before, item) in prefix {
            self.item(
                before,
                item,
                &mut environment,
                &mut args,
                &mut writes,
                &mut stdin,
            );
        }
        if let Some(word) = &simple.word_or_name {
            args.extend(self.expand(&word.value));
        }
        for (before, item) in suffix {
            self.item(
                before,
                item,
                &mut environment,
                &mut args,
                &mut writes,
                &mut stdin,
            );
        }
        let (sockets, writes): (Vec<Arg>, Vec<Arg>) =
            writes.into_iter().partition(|path| is_socket(&path.text));
        if args.is_empty() {
            for (name, value) in environment {
                self.assigned(&name, value.as_deref());
                self.scope.variables.insert(name, value);
            }
            self.read_only();
            self.emptied(&writes);
            return Stdin::Piped;
        }
        self.environment(&environment);
        if matches!(
            args[0].text.as_str(),
            "let" | "test" | "[" | "declare" | "typeset" | "local" | "unset" | "printf" | "read"
        ) {
            for arg in &args[1..] {
                self.index(&arg.text);
            }
        }
        let silent = is_silent(&args, &stdin);
        if silent {
            self.emptied(&writes);
        }
        for socket in sockets {
            // Nothing is sent: it only asks whether the port is open.
            if !silent {
                self.writes_to(&socket, false);
            }
        }
        if let Some(mut text) = self.scope.aliases.remove(&args[0].text) {
            for arg in &args[1..] {
                text.push_str(&format!(" '{}'", arg.text.replace('\'', "'\\''")));
            }
            self.deeper(|judge| judge.script(&text));
            return Stdin::Piped;
        }
        self.argv(&args, &stdin);
        if std::mem::take(&mut self.fed_from_net) && !takes_any_text(&args) {
            self.unknown("what it is told by a file comes from elsewhere");
        }
        if self.network
            && args.iter().any(|arg| {
                matches!(
                    arg.text.rsplit('/').next(),
                    Some("sh" | "bash" | "zsh" | "ksh" | "dash")
                )
            })
        {
            self.destructive("hands a shell to the other side of a network connection");
        }
        output(&args, stdin)
    }

    fn item(
        &mut self,
        before: bool,
        item: &CommandPrefixOrSuffixItem,
        environment: &mut Vec<(String, Option<String>)>,
        args: &mut Vec<Arg>,
        writes: &mut Vec<Arg>,
        stdin: &mut Stdin,
    ) {
        match item {
            CommandPrefixOrSuffixItem::Word(word) => args.extend(self.expand(&word.value)),
            CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                if let IoRedirect::File(
                    fd,
                    IoFileRedirectKind::Write | IoFileRedirectKind::Clobber,
                    IoFileRedirectTarget::Filename(word),
                ) = redirect
                {
                    let path = self.expand_whole(&word.value);
                    let socket = is_socket(&path.text) && fd.is_none_or(|fd| fd == 1);
                    writes.push(path);
                    if socket {
                        return;
                    }
                }
                if let Some(input) = self.redirect(redirect) {
                    *stdin = input;
                }
            }
            CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) if before => {
                let AssignmentName::VariableName(name) = &assignment.name else {
                    self.expand_whole(&word.value);
                    return;
                };
                let value = match &assignment.value {
                    AssignmentValue::Scalar(value) => {
                        let value = self.expand_whole(&value.value);
                        Some(value.text).filter(|_| !assignment.append)
                    }
                    AssignmentValue::Array(items) => {
                        for index in items.iter().filter_map(|(index, _)| index.as_ref()) {
                            self.expand_whole(&index.value);
                        }
                        let items: Vec<String> = items
                            .iter()
                            .map(|(_, value)| self.expand_whole(&value.value).text)
                            .take(MAX_ITEMS)
                            .collect();
                        for (index, item) in items.iter().enumerate() {
                            let value = Some(item.clone()).filter(|item| !item.contains(HOLE));
                            self.scope
                                .variables
                                .insert(format!("{name}[{index}]"), value);
                        }
                        let all = Some(items.join(" ")).filter(|all| !all.contains(HOLE));
                        self.scope.variables.insert(format!("{name}[@]"), all);
                        items.into_iter().next()
                    }
                };
                let value = if assignment.append {
                    match (
                        self.scope.variables.get(name).cloned().flatten(),
                        &assignment.value,
                    ) {
                        (Some(old), AssignmentValue::Scalar(new)) => {
                            Some(old + &self.expand_whole(&new.value).text)
                        }
                        _ => None,
                    }
                } else {
                    value
                };
                environment.push((name.clone(), value.filter(|text| !text.contains(HOLE))));
            }
            CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                args.push(self.expand_whole(&word.value))
            }
            CommandPrefixOrSuffixItem::ProcessSubstitution(_, shell) => {
                let before = std::mem::take(&mut self.fetched);
                let fed = std::mem::take(&mut self.fed_from_net);
                self.deeper(|judge| judge.subshell(shell));
                self.fed_from_net = fed || self.fetched;
                self.fetched |= before;
                args.push(Arg {
                    text: format!("/dev/fd/{HOLE}"),
                    substituted: true,
                });
            }
        }
    }

    /// Judges a redirection; gives the new standard input if it sets one.
    fn redirect(&mut self, redirect: &IoRedirect) -> Option<Stdin> {
        match redirect {
            IoRedirect::File(fd, kind, target) => {
                let word = match target {
                    IoFileRedirectTarget::Filename(word)
                    | IoFileRedirectTarget::Duplicate(word) => self.expand_whole(&word.value),
                    IoFileRedirectTarget::Fd(_) => return None,
                    IoFileRedirectTarget::ProcessSubstitution(_, shell) => {
                        self.deeper(|judge| judge.subshell(shell));
                        return Some(Stdin::Piped);
                    }
                };
                match kind {
                    IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput => {
                        if word.text.starts_with("/dev/tcp/") || word.text.starts_with("/dev/udp/")
                        {
                            self.unknown("it opens a network connection");
                        }
                        let nothing = word.text == "/dev/null";
                        return fd.is_none_or(|fd| fd == 0).then(|| {
                            if nothing {
                                Stdin::Text(String::new())
                            } else {
                                Stdin::Piped
                            }
                        });
                    }
                    IoFileRedirectKind::DuplicateOutput
                        if word.text == "-"
                            || word.text.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {}
                    IoFileRedirectKind::Append => self.writes_to(&word, true),
                    _ => self.writes_to(&word, false),
                }
                None
            }
            IoRedirect::OutputAndError(word, append) => {
                let word = self.expand_whole(&word.value);
                self.writes_to(&word, *append);
                None
            }
            IoRedirect::HereDocument(_, document) => {
                let text = if document.requires_expansion {
                    self.expand_whole(&format!("\"{}\"", document.doc.value.replace('"', "\\\"")))
                        .text
                } else {
                    document.doc.value.clone()
                };
                Some(Stdin::Text(text))
            }
            IoRedirect::HereString(_, word) => {
                let word = self.expand_whole(&word.value);
                Some(if word.substituted && !word.known() {
                    Stdin::Piped
                } else {
                    Stdin::Text(word.text)
                })
            }
        }
    }

    /// A file is written, by a redirection or by a program's own flag.
    pub(super) fn writes_to(&mut self, path: &Arg, append: bool) {
        let text = path.text.as_str();
        if self.written.len() < 64 && path.known() {
            self.written.push(text.to_owned());
        }
        const SYSTEM: &[&str] = &[
            "/etc/", "/usr/", "/bin/", "/sbin/", "/lib", "/boot/", "/var/", "/root/", "/opt/",
        ];
        match text {
            "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "-" | "NUL" | "nul"
            | "$null" => {}
            _ if text.starts_with("/dev/fd/") => {}
            _ if text.starts_with("/dev/tcp/") || text.starts_with("/dev/udp/") => {
                self.network = true;
                self.changes("sends data out over the network")
            }
            _ if text.starts_with("/dev/shm/") => self.changes("writes a file"),
            _ if text.starts_with("/dev/") => {
                self.destructive(format!("overwrites the device {}", show(text)))
            }
            "/proc/sysrq-trigger" => self.destructive("triggers a SysRq action of the kernel"),
            _ if text.starts_with("/sys/")
                && ["/delete", "/remove", "/unbind"]
                    .iter()
                    .any(|end| text.ends_with(end)) =>
            {
                self.destructive(format!("removes a device by {}", show(text)))
            }
            _ if text.starts_with("/proc/") || text.starts_with("/sys/") => {
                self.changes(format!("changes a kernel setting in {}", show(text)))
            }
            _ if !append
                && (SYSTEM.iter().any(|dir| text.starts_with(dir))
                    && !text.starts_with("/var/tmp/")
                    || text.contains("/.ssh/")) =>
            {
                self.destructive(format!("overwrites {}", show(text)))
            }
            _ => self.changes(format!("writes the file {}", show(text))),
        }
    }

    /// Redirections of nothing empty their file.
    fn emptied(&mut self, writes: &[Arg]) {
        for path in writes {
            if !path.text.starts_with("/dev/")
                && !path.text.starts_with("/tmp/")
                && !path.text.starts_with("/proc/")
                && !path.text.starts_with("/sys/")
            {
                self.destructive(format!("empties the file {}", show(&path.text)));
            }
        }
    }
}

/// A text for a reason: short, without what is not known.
pub(super) fn show(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c == HOLE { '…' } else { c })
        .filter(|c| !c.is_control())
        .take(60)
        .collect();
    text
}

/// Whether a path is bash's way to open a connection.
fn is_socket(path: &str) -> bool {
    path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/")
}

/// Programs for which a file is text, whoever wrote it.
fn takes_any_text(args: &[Arg]) -> bool {
    const READERS: &str = " cat diff cmp comm sdiff colordiff vimdiff grep egrep fgrep zgrep head tail sort uniq wc cut tr paste join column less more md5sum sha1sum sha256sum sha512sum cksum b2sum file od xxd hexdump strings base64 jq yq xmllint tee nl tac rev fold read mapfile readarray while test [ [[ openssl column zcat gzip gpg ";
    args.iter()
        .find(|arg| arg.text != "sudo")
        .is_some_and(|arg| READERS.contains(&format!(" {} ", arg.text)))
}

/// Commands that print nothing.
fn is_silent(args: &[Arg], stdin: &Stdin) -> bool {
    let rest = || {
        args[1..]
            .iter()
            .all(|arg| arg.text.is_empty() || arg.text == "-n" || arg.text == "-ne")
    };
    match args[0].text.as_str() {
        ":" | "true" => true,
        "echo" | "printf" => rest(),
        "cat" => {
            args.len() == 2 && args[1].text == "/dev/null"
                || args.len() == 1 && matches!(stdin, Stdin::Text(text) if text.is_empty())
        }
        _ => false,
    }
}

/// What is known of a command's output.
fn output(args: &[Arg], stdin: Stdin) -> Stdin {
    match args[0].text.as_str() {
        "echo" => {
            let (flags, words): (Vec<&Arg>, Vec<&Arg>) = {
                let is_flag =
                    |arg: &Arg| matches!(arg.text.as_str(), "-n" | "-e" | "-E" | "-ne" | "-en");
                let words = args[1..].iter().position(|arg| !is_flag(arg));
                let (flags, words) = args[1..].split_at(words.unwrap_or(args.len() - 1));
                (flags.iter().collect(), words.iter().collect())
            };
            let text = words
                .iter()
                .map(|arg| arg.text.as_str())
                .collect::<Vec<_>>()
                .join(" ");
            let decodes = flags.iter().any(|flag| flag.text.contains('e'));
            // Some shells decode without being told; a new line can end a comment.
            Stdin::Text(if decodes {
                super::words::ansi_c(&text)
            } else if text.contains("\\n") {
                format!("{text}\n{}", super::words::ansi_c(&text))
            } else {
                text
            })
        }
        "printf" if args.len() == 2 => Stdin::Text(super::words::ansi_c(&args[1].text)),
        // The format is used again for every argument.
        "printf"
            if args.len() > 2
                && matches!(
                    args[1].text.as_str(),
                    "%s" | "%s\\n" | "%s\n" | "%s " | "%b" | "%b\\n"
                ) =>
        {
            let after = super::words::ansi_c(&args[1].text[2..]);
            let decodes = args[1].text.starts_with("%b");
            Stdin::Text(
                args[2..]
                    .iter()
                    .map(|arg| {
                        if decodes {
                            super::words::ansi_c(&arg.text) + &after
                        } else {
                            arg.text.clone() + &after
                        }
                    })
                    .collect(),
            )
        }
        "cat" if args.len() == 1 || (args.len() == 2 && args[1].text == "-") => stdin,
        _ => Stdin::Piped,
    }
}

/// Deepest nesting of any brackets, quotes not regarded.
fn bracket_depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut backticks) = (0usize, 0, 0usize);
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b'}' => depth = depth.saturating_sub(1),
            b'`' => backticks += 1,
            _ => {}
        }
    }
    deepest.max(backticks / 4)
}

/// Whether a descriptor (`99…9>`) or a place in the stack of directories (`~99…9`) is longer than the
/// parser can hold: it would panic.
pub(super) fn holds_huge_number(text: &str) -> bool {
    /// Digits that fit 32 bits.
    const MAX_DIGITS: usize = 9;
    // The parser joins a line that ends in a backslash with the next one.
    let text = text.replace("\\\n", "");
    let (mut digits, mut places) = (0, false);
    let mut tilde = false;
    for byte in text.bytes().chain([b' ']) {
        if byte.is_ascii_digit() {
            digits += 1;
            continue;
        }
        if digits > MAX_DIGITS && (places || matches!(byte, b'<' | b'>')) {
            return true;
        }
        places = byte == b'~' || tilde && matches!(byte, b'+' | b'-');
        tilde = byte == b'~';
        digits = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use crate::report::CommandClass::{Destructive, ReadOnly};
    use crate::verify::command::classify;

    #[test]
    fn what_is_printed_into_a_shell_is_judged_as_the_shell_gets_it() {
        for (command, class) in [
            (r"printf 'df -h' | sh", ReadOnly),
            (r"printf 'd\x66 -h\n' | sh", ReadOnly),
            (r"printf '%s' 'df -h' | sh", ReadOnly),
            (r"printf '%s\n' 'df -h' 'ls -l' | sh", ReadOnly),
            (r"printf '%s ' df -h | sh", ReadOnly),
            (r"printf '%b' 'd\x66 -h' | sh", ReadOnly),
            (r"printf '%s\n' 'ls #' 'rm -rf /data' | sh", Destructive),
            (r"printf '%s' 'echo a' '#;rm -rf /data' | sh", Destructive),
            (r"printf '%b' 'ls #\nrm -rf /data' | sh", Destructive),
            (r"printf '%b\n' 'ls #' 'rm -rf /data' | sh", Destructive),
            (r"echo -e 'ls #\nrm -rf /data' | sh", Destructive),
            (r"echo 'ls #\nrm -rf /data' | sh", Destructive),
            (r"echo -e 'd\x66 -h' | sh", ReadOnly),
            (r"echo -n -e 'd\x66 -h' | sh", ReadOnly),
            (r"echo -E 'df -h' | sh", ReadOnly),
        ] {
            let judged = classify(command);
            assert_eq!(judged.class, class, "{command}: {:?}", judged.reasons);
        }
    }

    #[test]
    fn reasons_name_files_shortly_and_without_what_is_not_known() {
        let long = format!("echo x > /srv/{}", "a".repeat(80));
        let short = format!("writes the file /srv/{}", "a".repeat(55));
        for (command, reason) in [
            ("echo x > /srv/app.conf", "writes the file /srv/app.conf"),
            ("echo x > /srv/$APP.conf", "writes the file /srv/….conf"),
            ("echo x > $'/srv/a\\tb'", "writes the file /srv/ab"),
            (long.as_str(), short.as_str()),
            ("echo x > /etc/hosts", "overwrites /etc/hosts"),
            ("echo x > /dev/sda", "overwrites the device /dev/sda"),
            ("echo x > /dev/shm/a", "writes a file"),
            ("> app.log", "empties the file app.log"),
            (
                "echo 1 > /proc/sys/vm/swappiness",
                "changes a kernel setting in /proc/sys/vm/swappiness",
            ),
            (
                "echo 1 > /sys/kernel/mm/ksm/run",
                "changes a kernel setting in /sys/kernel/mm/ksm/run",
            ),
        ] {
            let judged = classify(command);
            assert!(
                judged.reasons.iter().any(|said| said == reason),
                "{command}: {:?}",
                judged.reasons
            );
        }
    }
}
