//! PowerShell and cmd.exe: told apart from POSIX shells and judged verb by verb.

mod cmdlets;
mod methods;

use super::Judge;
use crate::report::CommandClass;
use cmdlets::cmdlet;
use methods::{asks, called};
use regex::Regex;
use std::sync::LazyLock;

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new($text).unwrap_or_else(|why| panic!("{}: {why}", stringify!($name)))
        });
    };
}

pattern!(
    CMDLET,
    r"(?i)(?:^|[|;&({=\n]|-Command\s+[\x22']?|\breturn\s)\s*(?:Get|Set|New|Remove|Stop|Start|Restart|Clear|Invoke|Test|Out|Add|Import|Export|Format|Select|Where|ForEach|Sort|Measure|Write|Enable|Disable|Uninstall|Install|Suspend|Resume|Resolve|Wait|Receive|Reset|Rename|Move|Copy|Mount|Dismount|Initialize|Repair|Update|Register|Unregister|Debug|Enter|Exit|Connect|Disconnect|Find|Show|Compare|ConvertTo|ConvertFrom|Join|Split|Push|Pop|Checkpoint|Restore|Limit|Save|Publish|Grant|Revoke|Block|Unblock|Tee|Group|Use|Expand|Compress|Trace|Watch|Undo|Complete|Optimize|Send)-[A-Z][A-Za-z]+\b|(?:^|[|;]\s*)(?:sal|nal|rni|cpi|clc|saps|sajb|rjb|iex|iwr|irm|gci|gwmi|gcim|gsv|spsv|sasv|spps|icm|sls|ogv)\s|\$_\.|^\s*[&.]\s*\(|\[(?:System\.)?[A-Za-z.]+\]::[A-Za-z]"
);
pattern!(
    METHOD,
    r"(?i)(?:\.|::)(?:kill|delete|remove\w*|stop\w*|terminate|shutdown|reboot|clear|format|dispose|invoke\w*|start)\s*$"
);
// A call of a class itself: `[IO.File]::ReadAllText`.
pattern!(STATIC, r"\]::(\w+)\s*$");
pattern!(CALL, r"^\.(\w+)\s*$");
// Two pieces of text that are put together.
pattern!(
    JOINED_TEXT,
    r#"'([^'"]*)'\s*\+\s*'([^'"]*)'|"([^'"$]*)"\s*\+\s*"([^'"$]*)""#
);
// cmd takes a caret before a letter away.
pattern!(CARET, r"(\w)\^(\w)");
pattern!(ALIAS, r"(?i)^(?:sal|nal|set-alias|new-alias)\s+(.*)$");
pattern!(WORD, r"[A-Za-z][A-Za-z0-9_.\\:-]*");
pattern!(CMD_FLAGS, r"^(?:/[a-z](?::on|:off)?\s*)+");
// A text in quotation marks, or the beginning of one that another part ends.
pattern!(QUOTED, r#"'[^']*'?|"[^"]*"?"#);
pattern!(
    REDIRECTED_TO_NOTHING,
    r"(?i)[\d*]?>{1,2}\s*(?:&\d|nul\b|\$null\b)|->"
);
pattern!(
    ENCODED,
    r"^(?:powershell|pwsh)\b.*\s-e(?:c|n\w*)?\s|-encodedcommand|-enc\s|frombase64string|downloadstring"
);
pattern!(
    CMD_ONLY,
    r"(?i)^\s*(?:cmd(?:\.exe)?\s+(?:/[a-z](?::on|:off)?\s+)*/[ckr]\b|powershell(?:\.exe)?\b|pwsh\b|(?:del|erase|rd|rmdir|format|copy|xcopy|robocopy|move|ren|type|dir|attrib|icacls|takeown|tasklist|taskkill|netsh|sc(?:\.exe)?|reg|wmic|schtasks|net1?|bcdedit|vssadmin|diskpart|fsutil|chkdsk|sfc|dism|cipher|wevtutil|ipconfig|systeminfo|nbtstat|route|gpupdate|gpresult|findstr|where|driverquery|quser|qwinsta|logoff|shutdown)(?:\.exe)?\s+(?:[^\n]*\s)?/[a-z?]|(?:tasklist|systeminfo|ipconfig|netsh|wevtutil|gpresult|driverquery|quser|qwinsta|vssadmin|bcdedit|diskpart|wmic|schtasks|fsutil|sfc|dism|taskkill|robocopy|icacls|takeown|findstr|chkdsk|iisreset|nltest|w32tm|certutil|dcdiag|repadmin|auditpol|gpupdate|wuauclt|defrag|pnputil|setx|tracert|pathping|nbtstat|getmac|openfiles)(?:\.exe)?\b|net\s+(?:stop|start|user|localgroup|use|share|session|view|statistics|accounts)\b|sc(?:\.exe)?\s+(?:query|queryex|stop|start|delete|config|create|qc|failure|sdshow|enumdepend)\b|reg(?:\.exe)?\s+(?:query|delete|add|export|import)\b)"
);

/// Whether the text is PowerShell or cmd rather than a POSIX shell.
pub(super) fn is_windows(text: &str) -> bool {
    CMDLET.is_match(text) || CMD_ONLY.is_match(text)
}

/// Judges it, part by part.
pub(super) fn judge(judge: &mut Judge, text: &str) {
    // `powershell -Command "…"` and `cmd /c …` run what follows.
    let lower = text.to_ascii_lowercase();
    if ENCODED.is_match(&lower) {
        return judge.destructive("hands control to code that is not shown");
    }
    let mut text = text.to_owned();
    while let Some(found) = JOINED_TEXT.captures(&text) {
        let (Some(whole), pieces) = (found.get(0), found.iter().skip(1).flatten()) else {
            break;
        };
        let joined: String = pieces.map(|piece| piece.as_str()).collect();
        text.replace_range(whole.range(), &format!("'{joined}'"));
    }
    if lower.starts_with("cmd") {
        // Twice, for letters between two carets.
        for _ in 0..2 {
            text = CARET.replace_all(&text, "$1$2").into_owned();
        }
        if text.contains(":~") {
            judge.unknown("it puts words together from parts of variables");
        }
    }
    // `& (…)` runs what an expression gives.
    if let Some(called) = text.trim_start().strip_prefix(['&', '.'])
        && let Some(called) = called.trim_start().strip_prefix('(')
        && !called.trim_start().starts_with(['\'', '"'])
    {
        judge.unknown("which program runs is put together by an expression");
    } else if text.trim_start().starts_with(['&', '.']) && text.contains(" -f ") {
        judge.destructive("which program runs is put together by an expression");
    }
    let parts = split(&text);
    for part in parts {
        one(judge, part.trim());
    }
    if judge.class.is_none() {
        judge.unknown("there is no command");
    }
}

/// Parts between separators, quotes respected for the separators.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quote = None;
    let mut chars = text.chars().peekable();
    let mut last = ' ';
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                push(&mut parts, c);
            }
            (Some(open), _) if open == c => {
                quote = None;
                push(&mut parts, c);
            }
            // `2>&1`
            (_, '&') if last == '>' && chars.peek().is_some_and(char::is_ascii_digit) => {
                push(&mut parts, c);
            }
            // In double quotes PowerShell runs $( … ), and -Command runs the whole.
            (None, '|' | ';' | '&' | '\n' | '{' | '}' | '(' | ')')
            | (Some('"'), '|' | ';' | '(' | ')' | '&' | '{' | '}') => parts.push(String::new()),
            _ => push(&mut parts, c),
        }
        last = c;
    }
    parts
}

fn push(parts: &mut [String], c: char) {
    if let Some(last) = parts.last_mut() {
        last.push(c);
    }
}

fn one(judge: &mut Judge, part: &str) {
    if REDIRECTED_TO_NOTHING
        .replace_all(&QUOTED.replace_all(part, ""), "")
        .contains('>')
    {
        judge.changes("writes a file");
    }
    if part.starts_with(['/', '\\'])
        || part.starts_with("./")
        || part.starts_with(".\\")
        || part.starts_with(". ")
    {
        return judge.unknown("runs a script that is not shown");
    }
    if let Some(found) = ALIAS.captures(part) {
        // From then on the other name means what is named here.
        let named = found[1]
            .split_whitespace()
            .filter(|word| !word.starts_with('-'))
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        return one(judge, &named);
    }
    if let Some(found) = STATIC.captures(part) {
        return called(judge, &found[1]);
    }
    if CALL
        .captures(part)
        .is_some_and(|found| asks(&found[1].to_ascii_lowercase()))
    {
        return judge.read_only();
    }
    if METHOD.is_match(part) {
        return judge.destructive("a method that deletes or stops something is called");
    }
    let expression = part
        .trim_start()
        .starts_with(['$', '@', '[', '"', '\'', '-', '_', ',', '%', '?', '!']);
    let part = part.trim_start_matches(['"', '\'', '$', '@', '!', '.', ' ']);
    // An assignment: what stands right of it runs.
    let part = match part.split_once('=') {
        Some((left, right))
            if WORD
                .find(left.trim())
                .is_some_and(|word| word.len() == left.trim().len())
                && !left.contains(' ')
                || left.trim_end().len() < left.len()
                    && WORD
                        .find(left.trim())
                        .is_some_and(|word| word.len() == left.trim().len()) =>
        {
            right.trim()
        }
        _ => part,
    };
    let Some(word) = WORD.find(part).filter(|word| word.start() == 0) else {
        judge.read_only();
        return;
    };
    let name = word.as_str().to_ascii_lowercase();
    let name = name.rsplit('\\').next().unwrap_or(&name);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    let rest = part[word.end()..].trim().to_ascii_lowercase();
    let first_argument = rest
        .split_whitespace()
        .find(|word| !word.starts_with(['/', '-']) || name == "route")
        .unwrap_or_default();
    // Only cmdlets know `-WhatIf`, and `-WhatIf:$false` takes it back.
    let preview = QUOTED
        .replace_all(&rest, "")
        .split_whitespace()
        .any(|word| word == "-whatif");
    if preview && name.contains('-') || rest == "/?" {
        return judge.read_only();
    }
    if let Some((verb, noun)) = name.split_once('-') {
        return cmdlet(judge, verb, noun, &rest);
    }
    use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
    let class = match name {
        "powershell" | "pwsh" | "cmd" => {
            let inner = CMD_FLAGS.replace(&rest, "");
            let inner = inner.trim_matches(['"', '\'', ' ', '&']);
            // Flags of the shell before the command.
            let mut words = inner.split_whitespace().peekable();
            let mut file = false;
            while let Some(word) = words.next_if(|word| {
                word.starts_with('-')
                    || matches!(*word, "bypass" | "unrestricted" | "hidden" | "remotesigned")
            }) {
                file |= word.len() > 1 && "-file".starts_with(word);
            }
            let inner = words.collect::<Vec<_>>().join(" ");
            let inner = inner.trim_matches(['"', '\'', ' ', '&']).to_owned();
            if file {
                return judge.unknown("runs a script that is not shown");
            }
            if !inner.is_empty() {
                return judge.deeper(|judge| self::judge(judge, &inner));
            }
            if quote_follows(part) {
                // The command begins behind the quotation mark and is judged as a part of its own.
                ReadOnly
            } else {
                return judge.unknown("a bare interactive shell");
            }
        }
        "dir" | "type" | "findstr" | "tasklist" | "systeminfo" | "ipconfig"
            if !rest.contains("/release")
                && !rest.contains("/flushdns")
                && !rest.contains("/renew") =>
        {
            ReadOnly
        }
        "ipconfig" => {
            if rest.contains("/renew") {
                ChangesState
            } else {
                Destructive
            }
        }
        "netstat" | "nbtstat" | "whoami" | "hostname" | "ping" | "tracert" | "pathping"
        | "nslookup" | "arp" | "gpresult" | "driverquery" | "quser" | "qwinsta" | "ver"
        | "where" | "tree" | "more" | "sort" | "find" | "echo" | "set" | "getmac" | "openfiles"
        | "fc" | "comp" | "verifier" | "gci" | "gc" | "gcm" | "gps" | "gsv" | "gwmi" | "ls"
        | "cat" | "select" | "sls" | "ft" | "fl" | "fw" | "ogv" | "measure" | "group"
        | "compare" | "pwd" | "cd" | "ps" | "help" | "man" | "if" | "else" | "elseif"
        | "foreach" | "for" | "return" | "in" | "where-object" | "true" | "false" | "null"
        | "env" | "property" | "descending" | "date" | "time" => ReadOnly,
        "del" | "erase" | "rd" | "rmdir" | "ri" | "rm" | "format" | "diskpart" | "cipher"
        | "taskkill" | "logoff" | "shutdown" | "spps" | "kill" | "iex" | "invoke" | "tskill"
        | "vssadmin"
            if !(name == "vssadmin" && first_argument == "list") =>
        {
            Destructive
        }
        "vssadmin" => ReadOnly,
        "net" | "net1" => match first_argument {
            "stop" => Destructive,
            "start" if rest.split_whitespace().count() > 1 => ChangesState,
            _ if rest.contains("/delete") || rest.contains("/del") => Destructive,
            _ if rest.contains("/add")
                || rest
                    .split_whitespace()
                    .filter(|word| !word.starts_with('/'))
                    .count()
                    > 2 =>
            {
                ChangesState
            }
            _ => ReadOnly,
        },
        "sc" => match first_argument {
            "query" | "queryex" | "qc" | "qfailure" | "qdescription" | "qtriggerinfo"
            | "enumdepend" | "sdshow" | "getdisplayname" => ReadOnly,
            "stop" | "delete" => Destructive,
            "start" | "config" | "create" | "failure" | "pause" | "continue" | "description"
            | "sdset" => ChangesState,
            _ => Unknown,
        },
        "reg" => match first_argument {
            "query" | "compare" => ReadOnly,
            "delete" => Destructive,
            _ => ChangesState,
        },
        "wmic" => {
            if rest.contains(" delete")
                || rest.contains("terminate")
                || rest.contains(" call ")
                    && (rest.contains("stop")
                        || rest.contains("shutdown")
                        || rest.contains("reboot")
                        || rest.contains("uninstall"))
            {
                Destructive
            } else if rest.contains(" call ") || rest.contains(" set ") || rest.contains(" create")
            {
                ChangesState
            } else if rest.contains(" get") || rest.contains(" list") {
                ReadOnly
            } else {
                Unknown
            }
        }
        "schtasks" => {
            if rest.contains("/delete") || rest.contains("/end") {
                Destructive
            } else if rest.contains("/create") || rest.contains("/run") || rest.contains("/change")
            {
                ChangesState
            } else {
                ReadOnly
            }
        }
        "netsh" => {
            if rest.contains(" delete")
                || rest.contains(" reset")
                || rest.contains("state off")
                || rest.contains("mode=disable") && rest.contains("opmode")
            {
                Destructive
            } else if rest.contains(" show") || rest.ends_with("show") {
                ReadOnly
            } else if rest.contains(" set") || rest.contains(" add") || rest.contains(" export") {
                ChangesState
            } else {
                Unknown
            }
        }
        "wevtutil" => match first_argument {
            "qe" | "query-events" | "el" | "enum-logs" | "gl" | "get-log" | "gli" | "ep" | "gp" => {
                ReadOnly
            }
            "cl" | "clear-log" => Destructive,
            "epl" | "export-log" | "sl" | "set-log" => ChangesState,
            _ => Unknown,
        },
        "bcdedit" => {
            if rest.is_empty() || rest.starts_with("/enum") {
                ReadOnly
            } else if rest.contains("delete") {
                Destructive
            } else {
                ChangesState
            }
        }
        "fsutil" => {
            if rest.contains("query") || rest.contains("info") || rest.contains("drives") {
                ReadOnly
            } else if rest.contains("delete") || rest.contains("setzerodata") {
                Destructive
            } else {
                Unknown
            }
        }
        "chkdsk" => {
            if rest.contains("/f") || rest.contains("/r") || rest.contains("/x") {
                ChangesState
            } else {
                ReadOnly
            }
        }
        "sfc" => {
            if rest.contains("verifyonly") || rest.contains("verifyfile") {
                ReadOnly
            } else {
                ChangesState
            }
        }
        "dism" => {
            if rest.contains("/get-")
                || rest.contains("/checkhealth")
                || rest.contains("/scanhealth")
            {
                ReadOnly
            } else if rest.contains("/remove") || rest.contains("/disable") {
                Destructive
            } else {
                ChangesState
            }
        }
        "route" => match first_argument {
            "print" => ReadOnly,
            "delete" | "-f" => Destructive,
            _ => ChangesState,
        },
        "robocopy" | "xcopy" | "copy" => {
            if rest.contains("/mir") || rest.contains("/purge") || rest.contains("/mov") {
                Destructive
            } else {
                ChangesState
            }
        }
        "move" | "ren" | "mi" => ChangesState,
        "icacls" | "attrib" => {
            if rest.contains('/')
                && (rest.contains("/grant")
                    || rest.contains("/deny")
                    || rest.contains("/reset")
                    || rest.contains("/remove")
                    || rest.contains("/set"))
                || rest.contains(" +")
                || rest.contains(" -")
            {
                ChangesState
            } else {
                ReadOnly
            }
        }
        "iisreset" => match first_argument_of(&rest) {
            "/start" | "/enable" => ChangesState,
            "/status" => ReadOnly,
            _ => Destructive,
        },
        "nltest" | "dcdiag" | "pnputil" | "query" | "defrag"
            if !rest.contains("reset")
                && !rest.contains("change_pwd")
                && !rest.contains("delete")
                && !rest.contains("/fix")
                && name != "defrag" =>
        {
            ReadOnly
        }
        "repadmin" => {
            if rest.starts_with("/show")
                || rest.starts_with("/replsummary")
                || rest.starts_with("/queue")
            {
                ReadOnly
            } else if rest.contains("/remove") || rest.contains("/delete") {
                Destructive
            } else {
                ChangesState
            }
        }
        "auditpol" => {
            if rest.starts_with("/get") || rest.starts_with("/list") {
                ReadOnly
            } else if rest.starts_with("/clear") || rest.starts_with("/remove") {
                Destructive
            } else {
                ChangesState
            }
        }
        "w32tm" => {
            if rest.starts_with("/query")
                || rest.starts_with("/stripchart")
                || rest.starts_with("/tz")
                || rest.starts_with("/monitor")
            {
                ReadOnly
            } else {
                ChangesState
            }
        }
        "certutil" => {
            if rest.contains("-delstore") || rest.contains("-delkey") || rest.contains("-revoke") {
                Destructive
            } else if rest.contains("-urlcache")
                || rest.contains("-decode")
                || rest.contains("-encode")
                || rest.contains("-addstore")
                || rest.contains("-import")
                || rest.contains("-f ")
            {
                ChangesState
            } else {
                ReadOnly
            }
        }
        "nltest" | "dcdiag" | "pnputil" | "defrag" | "wuauclt" => ChangesState,
        "takeown" | "gpupdate" | "mkdir" | "md" | "sasv" | "start" | "setx" | "winget"
        | "choco" | "msiexec" => {
            if rest.contains("uninstall") {
                Destructive
            } else {
                ChangesState
            }
        }
        "iwr" | "irm" | "curl" | "wget" => web(&rest),
        "kubectl" | "docker" | "helm" | "az" | "aws" | "gcloud" | "git" => {
            let text = part.to_owned();
            let words: Vec<super::words::Arg> = text
                .split_whitespace()
                .map(|word| super::words::Arg::new(word.trim_matches(['"', '\''])))
                .collect();
            return judge.argv(&words, &super::Stdin::None);
        }
        _ => {
            // What stands in brackets is a condition or an argument, not a command.
            if expression
                || part.contains("-eq ")
                || part.contains("-like ")
                || part.contains("-match ")
                || part.contains("-gt ")
                || part.contains("-lt ")
                || part.contains("-ne ")
                || part.starts_with('_')
            {
                ReadOnly
            } else {
                Unknown
            }
        }
    };
    judge.add(class, format!("`{name}` {}", effect(class)));
}

/// Whether the part ends where a quoted command begins: `powershell -Command "&`.
fn quote_follows(part: &str) -> bool {
    let part = part.trim_end().to_ascii_lowercase();
    part.ends_with('"') && part.contains("-c")
}

pattern!(
    SENDS,
    r"(?:^|\s)-(?:o|(?:bo\w*|inf\w*|form|d|f|t|-output|-data[\w-]*|-form|-json|-upload-file)(?:[\s:=]|$))|post|put|patch"
);

fn web(rest: &str) -> CommandClass {
    if rest.contains("delete") {
        CommandClass::Destructive
    } else if SENDS.is_match(rest) {
        CommandClass::ChangesState
    } else {
        CommandClass::ReadOnly
    }
}

fn first_argument_of(rest: &str) -> &str {
    rest.split_whitespace().next().unwrap_or_default()
}

fn effect(class: CommandClass) -> &'static str {
    match class {
        CommandClass::ReadOnly => "reads",
        CommandClass::Unknown => "is not on the list of what only reads",
        CommandClass::ChangesState => "changes state",
        CommandClass::Destructive => "deletes, overwrites or stops something",
    }
}
