//! Cmdlets of PowerShell, by their verb and noun.

use super::{effect, web};
use crate::report::CommandClass;
use crate::verify::command::{Judge, sql};
use regex::Regex;
use std::sync::LazyLock;

static WEAKENS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)-disable\w+\s+(?:\$true|1)\b|-enable\w*realtime\w*\s+\$?false|-exclusion(?:path|process|extension|ipaddress)\b|-(?:mapsreporting|puaprotection)\s+(?:0|disabled)\b",
    )
    .unwrap_or_else(|why| panic!("weakens: {why}"))
});

const READING: &[&str] = &[
    "get",
    "test",
    "measure",
    "select",
    "where",
    "sort",
    "format",
    "find",
    "show",
    "resolve",
    "compare",
    "convertto",
    "convertfrom",
    "write",
    "foreach",
    "group",
    "join",
    "split",
    "trace",
    "receive",
    "wait",
    "tee",
    "search",
];
const CHANGING: &[&str] = &[
    "set",
    "new",
    "start",
    "restart",
    "resume",
    "add",
    "import",
    "export",
    "enable",
    "install",
    "rename",
    "copy",
    "mount",
    "initialize",
    "repair",
    "update",
    "register",
    "connect",
    "save",
    "publish",
    "grant",
    "unblock",
    "checkpoint",
    "limit",
    "push",
    "pop",
    "out",
    "expand",
    "compress",
    "restore",
    "send",
    "optimize",
    "undo",
    "complete",
    "use",
];
const DESTROYING: &[&str] = &[
    "remove",
    "stop",
    "clear",
    "uninstall",
    "suspend",
    "reset",
    "dismount",
    "disable",
    "revoke",
    "unregister",
    "block",
    "disconnect",
    "move",
    "exit",
];

pub(super) fn cmdlet(judge: &mut Judge, verb: &str, noun: &str, rest: &str) {
    use CommandClass::{ChangesState, Destructive, ReadOnly, Unknown};
    let class = match (verb, noun) {
        ("invoke", "webrequest" | "restmethod") => web(rest),
        ("set" | "add", "mppreference") if WEAKENS.is_match(rest) => Destructive,
        ("set", "netfirewallprofile") if rest.contains("false") => Destructive,
        ("set", "service") if rest.contains("disabled") => Destructive,
        ("invoke", "expression") => Destructive,
        ("invoke", "command") => ReadOnly, // its script block is judged as a part of its own
        ("invoke", "sqlcmd") => {
            let text = rest
                .split_once("-query")
                .map_or("", |(_, text)| text)
                .trim()
                .trim_matches(['"', '\''])
                .to_owned();
            sql::sql_class(&text).0
        }
        ("format", "volume")
        | ("restart" | "stop", "computer")
        | ("initialize", "disk")
        | ("stop", _) => Destructive,
        ("out", "string" | "host" | "null" | "gridview" | "default")
        | ("set", "location" | "variable" | "strictmode" | "psdebug")
        | ("new", "object" | "timespan" | "variable")
        | ("import", "module" | "csv" | "clixml")
        | ("wait", _) => ReadOnly,
        ("start", "sleep" | "transcript") => ReadOnly,
        ("new", "pssession") | ("enter", _) => Unknown,
        ("set" | "out", "content" | "file") => ChangesState,
        ("write", "volumecache" | "eventlog") => ChangesState,
        ("tee", _) => ChangesState,
        _ if READING.contains(&verb) => ReadOnly,
        _ if DESTROYING.contains(&verb) => Destructive,
        _ if CHANGING.contains(&verb) => ChangesState,
        _ => Unknown,
    };
    judge.add(class, format!("`{verb}-{noun}` {}", effect(class)));
}
