//! Words of a shell command, expanded as far as the text itself tells.

use super::Judge;
use brush_parser::ParserOptions;
use brush_parser::word::{
    Parameter, ParameterExpr, SpecialParameter, WordPiece, WordPieceWithSource, parse,
};
use std::collections::HashMap;

/// Stands for text that is not known: a placeholder, an unset variable, the output of a command.
/// Private-use characters are refused in commands, so it can't come from outside.
pub(super) const HOLE: char = '\u{E000}';
/// Longest word after expansion, in bytes.
const MAX_WORD_BYTES: usize = 32 << 10;

/// One argument.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Arg {
    /// Its text; [`HOLE`] where something is not known.
    pub text: String,
    /// Whether a part came from the output of a command.
    pub substituted: bool,
}

impl Arg {
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            substituted: false,
        }
    }
    /// Whether the whole text is known.
    pub fn known(&self) -> bool {
        !self.text.contains(HOLE)
    }
}

/// What the text has defined so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Variables; `None` when the value is not known.
    pub variables: HashMap<String, Option<String>>,
    /// Aliases and their replacement.
    pub aliases: HashMap<String, String>,
    /// Functions, whose bodies are judged where they are defined.
    pub functions: Vec<String>,
}

/// A word under construction: fields split where an unquoted expansion held blanks.
#[derive(Default)]
struct Fields {
    /// Whether it stays one word whatever it holds.
    whole: bool,
    done: Vec<Arg>,
    current: Arg,
    open: bool,
}

impl Fields {
    fn push(&mut self, text: &str) {
        self.open = true;
        if self.current.text.len() + text.len() <= MAX_WORD_BYTES {
            self.current.text.push_str(text);
        } else {
            self.current.text.push(HOLE);
        }
    }
    fn push_split(&mut self, text: &str) {
        let mut parts = text.split([' ', '\t', '\n']).peekable();
        while let Some(part) = parts.next() {
            if !part.is_empty() {
                self.push(part);
            }
            if parts.peek().is_some() && self.open {
                self.done.push(std::mem::take(&mut self.current));
                self.open = false;
            }
        }
    }
    fn finish(mut self) -> Vec<Arg> {
        if self.open {
            self.done.push(self.current);
        }
        self.done
    }
}

/// The pieces of a word; `None` if it can't be parsed.
fn pieces_of(word: &str) -> Option<Vec<WordPieceWithSource>> {
    if super::shell::holds_huge_number(word) {
        return None;
    }
    parse(word, &ParserOptions::default()).ok()
}

impl Judge {
    /// Expands one word into arguments; commands inside it are judged on the way.
    pub(super) fn expand(&mut self, word: &str) -> Vec<Arg> {
        let mut fields = Fields::default();
        match pieces_of(word) {
            Some(pieces) => self.pieces(&pieces, false, &mut fields),
            None => {
                self.unknown("a word of it can't be parsed");
                fields.push(&HOLE.to_string());
            }
        }
        let mut out = Vec::new();
        for arg in fields.finish() {
            braces(arg, word, &mut out);
        }
        out
    }

    /// Expands a word that is not split into fields (an assignment, a here-document, a redirection's target).
    pub(super) fn expand_whole(&mut self, word: &str) -> Arg {
        let mut fields = Fields {
            whole: true,
            ..Fields::default()
        };
        match pieces_of(word) {
            Some(pieces) => self.pieces(&pieces, true, &mut fields),
            None => fields.push(&HOLE.to_string()),
        }
        fields.current
    }

    fn pieces(&mut self, pieces: &[WordPieceWithSource], quoted: bool, fields: &mut Fields) {
        for piece in pieces {
            match &piece.piece {
                WordPiece::Text(text) | WordPiece::SingleQuotedText(text) => fields.push(text),
                WordPiece::AnsiCQuotedText(text) => fields.push(&ansi_c(text)),
                WordPiece::EscapeSequence(text) => {
                    let plain = text.strip_prefix('\\').unwrap_or(text);
                    fields.push(if plain == "\n" { "" } else { plain });
                }
                WordPiece::DoubleQuotedSequence(inner)
                | WordPiece::GettextDoubleQuotedSequence(inner) => {
                    fields.open = true;
                    self.pieces(inner, true, fields);
                }
                WordPiece::TildeExpansion(_) => fields.push("~"),
                WordPiece::ArithmeticExpression(inner) => {
                    if inner.value.contains("$(") || inner.value.contains('`') {
                        self.deeper(|judge| judge.inner_substitutions(&inner.value));
                    }
                    fields.push(&HOLE.to_string());
                }
                WordPiece::CommandSubstitution(text)
                | WordPiece::BackquotedCommandSubstitution(text) => {
                    let text = text.clone();
                    self.deeper(|judge| judge.script(&text));
                    fields.current.substituted = true;
                    // What echo prints is known.
                    match printed(&text) {
                        Some(printed) if quoted => fields.push(&printed),
                        Some(printed) => fields.push_split(&printed),
                        None => fields.push(&HOLE.to_string()),
                    }
                }
                WordPiece::ParameterExpansion(expression) => {
                    let value = self.parameter(expression);
                    // "$@" and "${list[@]}" stay several words in quotation marks.
                    let several = matches!(
                        expression,
                        ParameterExpr::Parameter {
                            parameter: Parameter::Special(
                                SpecialParameter::AllPositionalParameters { .. }
                            ) | Parameter::NamedWithAllIndices { .. },
                            ..
                        }
                    );
                    if quoted && (fields.whole || !several) {
                        fields.push(&value)
                    } else {
                        fields.push_split(&value)
                    }
                }
            }
        }
    }

    /// Command substitutions inside text that is not parsed further (arithmetic).
    pub(super) fn inner_substitutions(&mut self, text: &str) {
        self.expand_whole(&format!("\"{}\"", text.replace('"', "")));
    }

    /// A variable's value as far as the text tells.
    fn parameter(&mut self, expression: &ParameterExpr) -> String {
        let name = |parameter: &Parameter| match parameter {
            Parameter::Named(name) => Some(name.clone()),
            Parameter::Positional(number) => Some(number.to_string()),
            Parameter::Special(SpecialParameter::AllPositionalParameters { .. }) => {
                Some("@".to_owned())
            }
            Parameter::NamedWithAllIndices { name, .. } => Some(format!("{name}[@]")),
            Parameter::NamedWithIndex { name, index } => Some(format!("{name}[{index}]")),
            Parameter::Special(_) => None,
        };
        let hole = HOLE.to_string();
        // Indices, offsets and patterns are kept as text by the parser; a command in one of them runs all the same.
        let shown = format!("{expression:?}");
        let hidden = shown.contains("$(") || shown.contains('`') || shown.contains("<(");
        let judged = matches!(
            expression,
            ParameterExpr::UseDefaultValues { .. }
                | ParameterExpr::AssignDefaultValues { .. }
                | ParameterExpr::UseAlternativeValue { .. }
                | ParameterExpr::IndicateErrorIfNullOrUnset { .. }
                | ParameterExpr::ReplaceSubstring { .. }
                | ParameterExpr::RemoveSmallestSuffixPattern { .. }
                | ParameterExpr::RemoveLargestSuffixPattern { .. }
                | ParameterExpr::RemoveSmallestPrefixPattern { .. }
                | ParameterExpr::RemoveLargestPrefixPattern { .. }
        );
        if hidden && (!judged || shown.contains("index: ")) {
            super::scan::visible(self, &shown);
        }
        match expression {
            ParameterExpr::Parameter {
                parameter,
                indirect: false,
            } => match name(parameter) {
                Some(name) if name == "IFS" && !self.scope.variables.contains_key("IFS") => {
                    " ".to_owned()
                }
                Some(name) => self
                    .scope
                    .variables
                    .get(&name)
                    .cloned()
                    .flatten()
                    .unwrap_or(hole),
                None => hole,
            },
            ParameterExpr::UseDefaultValues {
                parameter,
                default_value,
                ..
            }
            | ParameterExpr::AssignDefaultValues {
                parameter,
                default_value,
                ..
            } => {
                let default = default_value
                    .as_deref()
                    .map(|value| self.expand_whole(value).text);
                match name(parameter).map(|name| self.scope.variables.get(&name).cloned()) {
                    Some(Some(Some(value))) if !value.is_empty() => value,
                    Some(None | Some(Some(_))) => default.unwrap_or(hole),
                    _ => hole,
                }
            }
            ParameterExpr::UseAlternativeValue {
                alternative_value, ..
            } => {
                let value = alternative_value
                    .as_deref()
                    .map(|value| self.expand_whole(value).text);
                value.filter(|value| !value.is_empty()).unwrap_or(hole)
            }
            ParameterExpr::ReplaceSubstring {
                pattern,
                replacement,
                ..
            } => {
                self.expand_whole(pattern);
                if let Some(text) = replacement {
                    self.expand_whole(text);
                }
                hole
            }
            ParameterExpr::RemoveSmallestSuffixPattern { pattern, .. }
            | ParameterExpr::RemoveLargestSuffixPattern { pattern, .. }
            | ParameterExpr::RemoveSmallestPrefixPattern { pattern, .. }
            | ParameterExpr::RemoveLargestPrefixPattern { pattern, .. } => {
                if let Some(text) = pattern {
                    self.expand_whole(text);
                }
                hole
            }
            ParameterExpr::IndicateErrorIfNullOrUnset {
                error_message: Some(text),
                ..
            } => {
                self.expand_whole(text);
                hole
            }
            _ => hole,
        }
    }
}

/// The output of an `echo` or `printf` of plain words, as far as the text tells.
fn printed(text: &str) -> Option<String> {
    let text = text.trim();
    let (rest, escapes) = match text.split_once(char::is_whitespace)? {
        ("echo", rest) => (rest.trim_start().strip_prefix("-n ").unwrap_or(rest), false),
        ("printf", rest) => (rest, true),
        _ => return None,
    };
    let rest = rest.trim();
    let quoted = |quote: char| {
        rest.strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
            .filter(|inner| !inner.contains(quote))
    };
    let plain = |text: &str| {
        !text.contains([
            '$', '`', '\\', '|', '&', ';', '<', '>', '(', ')', '*', '?', '[', '%', '{', HOLE,
        ])
    };
    match quoted('\'').or_else(|| quoted('"')) {
        Some(inner) if escapes && !inner.contains(['%', '$', '`', HOLE]) => Some(ansi_c(inner)),
        Some(inner) if plain(inner) => Some(inner.to_owned()),
        None if plain(rest) && !rest.contains(['"', '\'']) && !rest.starts_with('-') => {
            Some(rest.to_owned())
        }
        _ => None,
    }
}

/// `{a,b}` outside quotes becomes two arguments, one level deep and only where the word is written plainly.
fn braces(arg: Arg, written: &str, out: &mut Vec<Arg>) {
    let plain =
        !written.contains(['"', '\'', '\\']) && written.contains('{') && written.contains(',');
    let parts = plain.then(|| {
        let (before, rest) = arg.text.split_once('{')?;
        let (inner, after) = rest.split_once('}')?;
        (inner.contains(',') && !inner.contains('{')).then(|| {
            inner
                .split(',')
                .take(64)
                .map(|part| Arg {
                    text: format!("{before}{part}{after}"),
                    substituted: arg.substituted,
                })
                .collect::<Vec<_>>()
        })
    });
    match parts.flatten() {
        Some(parts) => out.extend(parts),
        None => out.push(arg),
    }
}

/// Decodes `$'…'`.
pub(super) fn ansi_c(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(next) = chars.next() else { break };
        let decoded = match next {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'x' => coded(&mut chars, 16, 2, None),
            'u' => coded(&mut chars, 16, 4, None),
            'U' => coded(&mut chars, 16, 8, None),
            '0'..='7' => coded(&mut chars, 8, 3, Some(next)),
            other => other,
        };
        out.push(decoded);
    }
    out
}

/// At most `most` digits of a number in `radix`, after `first`, as a character.
fn coded(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    most: usize,
    first: Option<char>,
) -> char {
    let mut digits: String = first.into_iter().collect();
    while digits.len() < most && chars.peek().is_some_and(|c| c.is_digit(radix)) {
        digits.extend(chars.next());
    }
    u32::from_str_radix(&digits, radix)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or(HOLE)
}
