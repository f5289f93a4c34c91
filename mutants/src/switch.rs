//! Writes a source file with its mutants in it, each behind `crate::switched::on(ID)`.
//!
//! Text is only put in, nothing is taken out. An expression `a < b` becomes `(if on(7){a <= b}else{a < b})`; a function
//! returns early; an arm that may go gets a guard. Of two nested expressions the inner one is written plainly in what
//! the outer one becomes, for one mutant is on at a time: so the text grows with the depth only.

use crate::Mutant;
use proc_macro2::Span;
use std::collections::{HashMap, HashSet};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// Text to be put in. Of two at one place that end something the shorter comes first, of two that begin something the longer.
struct Insertion {
    at: usize,
    ends: bool,
    length: usize,
    text: String,
}

struct Source<'t> {
    text: &'t str,
    lines: Vec<usize>,
}

impl Source<'_> {
    /// Byte offset of a line (from 1) and a column (from 0, in characters).
    fn offset(&self, line: usize, column: usize) -> usize {
        let start = self.lines[line - 1];
        let mut places = self.text[start..].char_indices();
        places
            .nth(column)
            .map_or(self.text.len(), |(at, _)| start + at)
    }
    fn range(&self, span: Span) -> (usize, usize) {
        let (start, end) = (span.start(), span.end());
        (
            self.offset(start.line, start.column),
            self.offset(end.line, end.column),
        )
    }
}

struct Writer<'t> {
    source: Source<'t>,
    /// Mutants by the byte where they begin.
    mutants: HashMap<usize, Vec<Mutant>>,
    written: HashSet<usize>,
    insertions: Vec<Insertion>,
}

/// The file with its mutants, and which of them it has.
pub fn switched(text: &str, mutants: &[&Mutant]) -> Result<(String, HashSet<usize>), syn::Error> {
    let starts = text.match_indices('\n').map(|(at, _)| at + 1);
    let source = Source {
        text,
        lines: std::iter::once(0).chain(starts).collect(),
    };
    let mut by_start: HashMap<usize, Vec<Mutant>> = HashMap::new();
    for mutant in mutants {
        let at = source.offset(mutant.start.0, mutant.start.1 - 1);
        by_start.entry(at).or_default().push((*mutant).clone());
    }
    let mut writer = Writer {
        source,
        mutants: by_start,
        written: HashSet::new(),
        insertions: Vec::new(),
    };
    writer.visit_file(&syn::parse_file(text)?);
    let mut insertions: Vec<(usize, Insertion)> =
        writer.insertions.into_iter().enumerate().collect();
    insertions.sort_by(|(m, a), (n, b)| {
        let nesting = match a.ends {
            true => a.length.cmp(&b.length).then(n.cmp(m)),
            false => b.length.cmp(&a.length).then(m.cmp(n)),
        };
        a.at.cmp(&b.at).then(b.ends.cmp(&a.ends)).then(nesting)
    });
    let (mut out, mut at) = (String::new(), 0);
    for (_, insertion) in insertions {
        out.push_str(&text[at..insertion.at]);
        out.push_str(&insertion.text);
        at = insertion.at;
    }
    out.push_str(&text[at..]);
    Ok((out, writer.written))
}

fn on(id: usize) -> String {
    format!("crate::switched::on({id})")
}

/// Whether an expression is a part of a chain with `let`, whose `&&` has no other form.
fn has_let(expression: &syn::Expr) -> bool {
    match expression {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(binary) => has_let(&binary.left) || has_let(&binary.right),
        _ => false,
    }
}

impl Writer<'_> {
    fn at(&self, start: usize, genre: &str) -> Vec<Mutant> {
        let here = self.mutants.get(&start).into_iter().flatten();
        here.filter(|mutant| mutant.genre == genre)
            .cloned()
            .collect()
    }
    fn insert(&mut self, at: usize, ends: bool, length: usize, text: String) {
        self.insertions.push(Insertion {
            at,
            ends,
            length,
            text,
        });
    }
    /// An expression with what may stand in its place.
    fn choose(&mut self, (start, end): (usize, usize), others: Vec<(usize, String)>) {
        if others.is_empty() {
            return;
        }
        let mut text = String::from("(");
        for (id, other) in others {
            text.push_str(&format!("if {}{{{other}}}else ", on(id)));
            self.written.insert(id);
        }
        text.push('{');
        self.insert(start, false, end - start, text);
        self.insert(end, true, end - start, "})".into());
    }
}

impl<'ast> Visit<'ast> for Writer<'_> {
    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let operator = self.source.range(binary.op.span());
        let (start, end) = self.source.range(binary.span());
        if !(has_let(&binary.left) || has_let(&binary.right)) {
            let text = self.source.text;
            let (left, right) = (&text[start..operator.0], &text[operator.1..end]);
            let others = self.at(operator.0, "BinaryOperator").into_iter();
            let others =
                others.map(|other| (other.id, format!("{left} {} {right}", other.replacement)));
            self.choose((start, end), others.collect());
        }
        visit::visit_expr_binary(self, binary);
    }
    fn visit_expr_unary(&mut self, unary: &'ast syn::ExprUnary) {
        let operator = self.source.range(unary.op.span());
        let end = self.source.range(unary.expr.span()).1;
        let without = &self.source.text[operator.1..end];
        let others = self.at(operator.0, "UnaryOperator").into_iter();
        let others = others.map(|other| (other.id, without.to_owned()));
        self.choose((operator.0, end), others.collect());
        visit::visit_expr_unary(self, unary);
    }
    fn visit_expr_struct(&mut self, made: &'ast syn::ExprStruct) {
        let (start, end) = self.source.range(made.span());
        let text = self.source.text;
        let mut others = Vec::new();
        for field in &made.fields {
            let (from, to) = self.source.range(field.span());
            let rest = text[to..end].trim_start();
            let rest = rest.strip_prefix(',').unwrap_or(rest);
            let gone = self.at(from, "StructField").into_iter();
            others.extend(gone.map(|gone| (gone.id, format!("{}{rest}", &text[start..from]))));
        }
        self.choose((start, end), others);
        visit::visit_expr_struct(self, made);
    }
    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let start = self.source.range(arm.span()).0;
        let gone: Vec<String> = self
            .at(start, "MatchArm")
            .iter()
            .map(|gone| {
                self.written.insert(gone.id);
                format!("!{}", on(gone.id))
            })
            .collect();
        match &arm.guard {
            Some((_, guard)) if !has_let(guard) => {
                let (from, to) = self.source.range(guard.span());
                let others = self.at(from, "MatchArmGuard");
                if !(others.is_empty() && gone.is_empty()) {
                    let mut text: String = gone.iter().map(|gone| format!("{gone}&&")).collect();
                    text.push('(');
                    for (value, joined) in [("true", "||"), ("false", "&&")] {
                        for other in others.iter().filter(|other| other.replacement == value) {
                            let not = if value == "true" { "" } else { "!" };
                            text.push_str(&format!("{not}{}{joined}", on(other.id)));
                            self.written.insert(other.id);
                        }
                    }
                    text.push('(');
                    self.insert(from, false, to - from, text);
                    self.insert(to, true, to - from, "))".into());
                }
            }
            None if !gone.is_empty() => {
                let end = self.source.range(arm.pat.span()).1;
                self.insert(end, true, 0, format!(" if {} ", gone.join("&&")));
            }
            _ => {}
        }
        visit::visit_arm(self, arm);
    }
    fn visit_block(&mut self, block: &'ast syn::Block) {
        if let (Some(first), Some(last)) = (block.stmts.first(), block.stmts.last()) {
            let start = self.source.range(first.span()).0;
            let end = self.source.range(last.span()).1;
            for value in self.at(start, "FnValue") {
                let same = self.source.offset(value.end.0, value.end.1 - 1) == end;
                if same && self.written.insert(value.id) {
                    let text = format!("if {}{{return {};}}", on(value.id), value.replacement);
                    self.insert(start, false, usize::MAX, text);
                }
            }
        }
        visit::visit_block(self, block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(id: usize, genre: &str, column: usize, end: usize, replacement: &str) -> Mutant {
        Mutant {
            id,
            name: String::new(),
            file: String::new(),
            genre: genre.into(),
            replacement: replacement.into(),
            start: (1, column),
            end: (1, end),
            function: 1,
        }
    }

    fn of(text: &str, mutants: &[Mutant]) -> String {
        let all: Vec<&Mutant> = mutants.iter().collect();
        let (made, written) = switched(text, &all).expect("it parses");
        assert_eq!(written.len(), mutants.len(), "{made}");
        syn::parse_file(&made).expect("what is made parses");
        made.replace("crate::switched::on", "on")
    }

    #[test]
    fn an_inner_expression_is_plain_in_what_the_outer_one_becomes() {
        let text = "fn f() -> bool { a < b && c }";
        let made = of(
            text,
            &[
                mutant(1, "BinaryOperator", 20, 21, "=="),
                mutant(2, "BinaryOperator", 24, 26, "||"),
            ],
        );
        assert_eq!(
            made,
            "fn f() -> bool { (if on(2){a < b  ||  c}else {(if on(1){a  ==  b}else {a < b}) && c}) }"
        );
    }

    #[test]
    fn functions_arms_guards_and_signs_are_switched() {
        let made = of("fn f() -> u8 { g() }", &[mutant(3, "FnValue", 16, 19, "0")]);
        assert_eq!(made, "fn f() -> u8 { if on(3){return 0;}g() }");
        let text = "fn f() { match x { 1 => a, n if n > 2 => b, _ => c } }";
        let made = of(
            text,
            &[
                mutant(4, "MatchArm", 20, 26, ""),
                mutant(5, "MatchArm", 28, 43, ""),
                mutant(6, "MatchArmGuard", 33, 38, "true"),
                mutant(7, "MatchArmGuard", 33, 38, "false"),
                mutant(8, "BinaryOperator", 35, 36, ">="),
            ],
        );
        assert!(made.contains("1 if !on(4)  => a"), "{made}");
        let guard = "n if !on(5)&&(on(6)||!on(7)&&((if on(8){n  >=  2}else {n > 2}))) => b";
        assert!(made.contains(guard), "{made}");
        let made = of(
            "fn f() { !x.y() }",
            &[mutant(9, "UnaryOperator", 10, 11, "")],
        );
        assert_eq!(made, "fn f() { (if on(9){x.y()}else {!x.y()}) }");
    }

    #[test]
    fn a_field_that_goes_takes_its_comma_along_and_a_chain_with_let_stays() {
        let text = "fn f() -> S { S { a: 1, ..d } }";
        let made = of(text, &[mutant(1, "StructField", 19, 23, "")]);
        assert!(
            made.contains("if on(1){S {  ..d }}else {S { a: 1, ..d }}"),
            "{made}"
        );
        let text = "fn f() { if let Some(x) = y && z { } }";
        let chain = mutant(1, "BinaryOperator", 29, 31, "||");
        let (made, written) = switched(text, &[&chain]).expect("it parses");
        assert_eq!((made.as_str(), written.len()), (text, 0));
    }
}
