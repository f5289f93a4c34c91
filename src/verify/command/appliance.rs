//! Command lines of switches, routers and firewalls (IOS, NX-OS, EOS, Junos, FortiOS and their kin), which are no shell.
//!
//! What each first word does stands in the policy under `network-device`. A line with any sign of a shell is left to
//! the shell's parser, so that nothing hides behind `show`.

use super::Judge;
use super::words::Arg;
use regex::Regex;
use std::sync::LazyLock;

/// The entry of the policy.
const ENTRY: &str = "network-device";

/// The beginnings of lines that only such a device understands.
static DEVICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)^\s*(?:
        (?:show|display|clear|undebug|diagnose|no)\s+[a-z]
        | (?:copy|delete|erase|more|dir|verify|rename|format|squeeze)\s+(?:/\w+\s+)*(?:running|startup|candidate|flash|bootflash|slavenvram|nvram|disk\d|tftp|sftp|usb\d?|slot\d|harddisk|crashinfo|system|logging)(?:-config(?:uration)?)?(?:[:\s-]|$)
        | (?:copy|dir)\s+(?:scp|ftp|https?):\s
        | write(?:\s+(?:erase|mem(?:ory)?|term(?:inal)?|network))\b | wr\s+(?:mem(?:ory)?|erase|term?)\b
        | reload(?:\s+(?:in|at|cancel|reason|now|slot|cpu|module|line|fast-boot|/\w+)\b|\s*$)
        | request\s+(?:system|chassis|support|security|vpn|license|high-availability|shutdown|restart|certificate|vmhost|pfe|routing-engine|content|anti-virus|dhcp|interface|session)\b
        | conf(?:ig(?:ure)?)?\s+(?:t|term|terminal|exclusive|private|session|replace|dual-stage)\b
        | debug\s+(?:all|ip|ipv6|bgp|ospf|eigrp|isis|spanning-tree|crypto|radius|aaa|flow|interface|lacp|vpc|dhcp|snmp)\b
        | terminal\s+(?:length|width|pager|monitor|no|datadump)\b
        | set\s+cli\s
        | commit(?:\s+(?:check|confirmed|and-quit|comment|full|synchronize)\b|\s*$)
        | get\s+(?:system|hardware|router|vpn|firewall|sys|log|ipsec|webfilter|test)\b
        | (?:execute|exec)\s+(?:reboot|shutdown|factoryreset|factoryreset2|formatlogdisk|erase-disk|restore|backup|ping|ping6|traceroute|log|ha|telnet|ssh|update-now|set-next-reboot|disconnect-admin-session|clear|dhcp|router|vpn|date|time|tac)\b
        )",
    )
    .unwrap_or_else(|why| panic!("device pattern: {why}"))
});

/// What a pipe of such a device may lead to without writing anything.
const FILTERS: &str = " include inc incl i exclude exc excl e begin beg b section sec s count c match m except find last no-more nomore trim resolve display json json-pretty xml xmlout text grep egrep head tail wc sort uniq cut hold human diff nz start end until next between by-linenum ";
/// What it may lead to that writes a file.
const WRITERS: &str = " redirect append tee save file write ";

/// Whether a line is one for a device, and holds nothing that a shell would do more with.
pub(super) fn is_appliance(text: &str) -> bool {
    !text.contains(['$', '`', '<', '>', '&', '(', ')', '{', '}', '\\', '\n'])
        && DEVICE.is_match(text)
}

/// Judges it; what stands behind a `;` or a pipe and is no filter is judged as shell.
pub(super) fn judge(judge: &mut Judge, text: &str) {
    for line in text.split(';').map(str::trim) {
        if line.is_empty() {
            continue;
        }
        if !is_appliance(line) {
            judge.deeper(|judge| judge.script(line));
            continue;
        }
        let mut parts = line.split('|');
        let words: Vec<Arg> = parts
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .map(|word| Arg::new(word.to_ascii_lowercase()))
            .collect();
        judge.by_table(ENTRY, &words);
        let mut filtered = false;
        for part in parts {
            let first = part.split_whitespace().next().unwrap_or_default();
            let word = format!(" {} ", first.to_ascii_lowercase());
            // `include up|down`: the rest of a pattern.
            let pattern = filtered
                && part.split_whitespace().count() <= 1
                && !super::is_program(first.trim_matches(['"', '\'']));
            if FILTERS.contains(&word) {
                filtered = true;
                judge.read_only();
            } else if WRITERS.contains(&word) {
                judge.changes(format!("`| {first}` writes a file"));
            } else if !pattern {
                judge.deeper(|judge| judge.script(part));
            }
        }
    }
}
