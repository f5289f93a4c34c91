//! Editors and pagers: what they are told besides what to show.

use crate::verify::command::flags::anywhere;
use crate::verify::command::words::Arg;

/// Whether an editor is called so that it can't write: nothing but a place to go to is told to it.
pub(super) fn only_views(base: &str, args: &[Arg]) -> bool {
    let parsed = anywhere(args, "");
    matches!(base, "vi" | "vim" | "nvim" | "view")
        && (base == "view" || parsed.has(&["-R"]))
        && parsed.flags.iter().all(|flag| {
            matches!(
                flag.name.as_str(),
                "-R" | "-M" | "-n" | "-b" | "-o" | "-O" | "-p"
            )
        })
        && parsed
            .words
            .iter()
            .filter_map(|word| word.text.strip_prefix('+'))
            .all(is_place)
}

/// Whether an editor is told something in a language that can run programs.
pub(super) fn told_in_code(args: &[Arg]) -> bool {
    let after_flag = args
        .windows(2)
        .filter(|pair| matches!(pair[0].text.as_str(), "-c" | "--cmd"))
        .map(|pair| pair[1].text.as_str());
    let after_plus = args.iter().filter_map(|arg| arg.text.strip_prefix('+'));
    after_flag.chain(after_plus).any(|told| {
        let told = told.trim_start_matches([':', ' ']);
        ["py", "lua", "perl", "ruby", "tcl"]
            .iter()
            .any(|language| told.starts_with(language))
    })
}

/// A place in a text as editors and pagers take it after a `+`: a line, an end, a pattern.
fn is_place(told: &str) -> bool {
    told.starts_with(['/', '?'])
        || told
            .chars()
            .all(|c| c.is_ascii_digit() || "GgFnNp%".contains(c))
}

/// Flags of `less` with a value.
pub(super) const LESS_VALUES: &str =
    "-o -O -b -h -j -k -p -P -t -T -x -y -z -D --log-file --LOG-FILE --pattern --prompt --tag";

/// Whether an argument of a pager is keys that do more than move.
pub(super) fn pager_is_told(arg: &str) -> bool {
    arg.strip_prefix('+')
        .is_some_and(|told| !is_place(told.trim_start_matches('+')))
}

/// Whether `man` is told which program shows the page.
pub(super) fn man_runs(args: &[Arg]) -> bool {
    anywhere(args, "-C -e -E -L -m -M -p -P -r -R -s -S")
        .flags
        .iter()
        .any(|flag| {
            matches!(flag.name.as_str(), "-P" | "-H")
                || flag.name.starts_with("--pag")
                || flag.name.starts_with("--ht")
        })
}
