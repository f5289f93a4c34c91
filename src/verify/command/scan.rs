//! A text that can't be parsed: whether destructive verbs stand in it plainly.

use super::Judge;
use regex::Regex;
use std::sync::LazyLock;

static VERBS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?:^|[\s;&|`(\x22'/=])(?:rm|rmdir|unlink|shred|wipefs|mkfs(?:\.\w+)?|fdisk|dd|kill|killall|pkill|reboot|shutdown|poweroff|halt|delete|destroy|drop|truncate|drain|purge|flushall|flushdb|uninstall|terminate|remove-\w+|stop-\w+|clear-\w+|format-\w+|del|rd|taskkill|vgremove|lvremove|pvremove|userdel|deluser|systemctl\s+(?:stop|kill|disable|mask)|--force|prune|revoke|erase)(?:$|[\s;&|`)\x22'/])",
    )
    .unwrap_or_else(|why| panic!("verb pattern: {why}"))
});

/// Words that begin a part of a compound command.
const LEADS: [&str; 12] = [
    "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "time", "coproc", "!",
];
/// Most pieces that are looked at.
const MAX_PIECES: usize = 64;

/// The parts of a text between what separates commands, wherever it stands, without the words that lead them.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', ';', '&', '|', '(', ')', '{', '}', '`'])
        .map(|piece| {
            let mut piece = piece.trim();
            while let Some((lead, rest)) = piece.split_once(char::is_whitespace)
                && LEADS.contains(&lead)
            {
                piece = rest.trim_start();
            }
            piece
        })
        .filter(move |piece| !piece.is_empty() && piece.len() < text.len())
        .take(MAX_PIECES)
}

/// Adds what can be seen without parsing; always at least unknown.
pub(super) fn visible(judge: &mut Judge, text: &str) {
    match VERBS.find(text) {
        Some(found) => judge.destructive(format!(
            "can't be parsed, and {:?} stands in it",
            found
                .as_str()
                .trim_matches(|c: char| !c.is_alphanumeric() && c != '-')
        )),
        None => judge.unknown("it can't be parsed as shell"),
    }
}
