//! A page of `kubectl describe` as a tree by indentation.

use super::model::{Labels, Loc, Src};

/// Most lines read of one page.
const MAX_PAGE_LINES: usize = 20_000;

/// A line of a page with what is indented below it.
#[derive(Debug, Default)]
pub struct Item {
    /// `Key` of `Key: value`, "" for other lines.
    pub key: String,
    /// What follows the key.
    pub value: String,
    /// The whole line without its indentation.
    pub raw: String,
    /// Line, counted from 1; 0 for absent items.
    pub line: u32,
    /// What is indented below it.
    pub children: Vec<Item>,
}

static EMPTY: Item = Item {
    key: String::new(),
    value: String::new(),
    raw: String::new(),
    line: 0,
    children: Vec::new(),
};

impl Item {
    /// The child with this key, or an empty item.
    pub fn get(&self, key: &str) -> &Item {
        self.children
            .iter()
            .find(|item| item.key.eq_ignore_ascii_case(key))
            .unwrap_or(&EMPTY)
    }
    /// Whether there is a child with this key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).line > 0
    }
    /// The value, "" for `<none>` and the like.
    pub fn text(&self) -> &str {
        match self.value.as_str() {
            "<none>" | "<unset>" | "<nil>" | "<unknown>" => "",
            text => text,
        }
    }
    /// The value with its place.
    pub fn loc(&self, file: u32) -> Loc<String> {
        Loc::new(self.text().to_owned(), self.src(file))
    }
    /// Its place.
    pub fn src(&self, file: u32) -> Src {
        Src {
            file,
            line: self.line,
            column: 0,
        }
    }
    /// The value and the continuation lines below it.
    pub fn all(&self) -> impl Iterator<Item = (&str, u32)> {
        let own = (!self.text().is_empty()).then(|| (self.text(), self.line));
        own.into_iter().chain(
            self.children
                .iter()
                .map(|child| (child.raw.as_str(), child.line)),
        )
    }
    /// `key=value` pairs of the value and the lines below it.
    pub fn pairs(&self) -> Labels {
        self.all()
            .flat_map(|(text, _)| text.split(','))
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect()
    }
}

/// Whether `line` begins a describe page.
pub fn is_page_start(line: &str) -> bool {
    line.strip_prefix("Name:")
        .is_some_and(|rest| rest.starts_with("  ") && !rest.trim().is_empty())
}

/// `Key:` and `Key:   value`, the key without double spaces.
fn split_key(text: &str) -> Option<(&str, &str)> {
    let at = text.find(':')?;
    let (key, rest) = (&text[..at], &text[at + 1..]);
    let is_key = !key.is_empty()
        && key.len() <= 60
        && !key.contains("  ")
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b" ./()_-".contains(&b));
    (is_key && (rest.is_empty() || rest.starts_with(' '))).then(|| (key, rest.trim()))
}

/// The pages among numbered lines, each a tree by indentation.
pub fn pages(lines: &[(u32, &str)]) -> Vec<Item> {
    let mut pages: Vec<Item> = Vec::new();
    // Indent and item of each open level below the page.
    let mut open: Vec<(usize, Item)> = Vec::new();
    pub fn close(page: &mut Item, open: &mut Vec<(usize, Item)>, indent: usize) {
        while open.last().is_some_and(|(depth, _)| *depth >= indent) {
            if let Some((_, done)) = open.pop() {
                match open.last_mut() {
                    Some((_, parent)) => parent.children.push(done),
                    None => page.children.push(done),
                }
            }
        }
    }
    for (number, line) in lines {
        if is_page_start(line) {
            if let Some(page) = pages.last_mut() {
                close(page, &mut open, 0);
            }
            pages.push(Item {
                line: *number,
                ..Item::default()
            });
        }
        let Some(page) = pages.last_mut() else {
            continue;
        };
        let body = line.trim_start();
        if body.is_empty() || (*number - page.line) as usize > MAX_PAGE_LINES {
            continue;
        }
        let indent = line.len() - body.len();
        close(page, &mut open, indent);
        let (key, value) = split_key(body.trim_end()).unwrap_or(("", ""));
        if open.len() < 24 {
            open.push((
                indent,
                Item {
                    key: key.into(),
                    value: value.into(),
                    raw: body.trim_end().into(),
                    line: *number,
                    children: Vec::new(),
                },
            ));
        }
    }
    if let Some(page) = pages.last_mut() {
        close(page, &mut open, 0);
    }
    pages
}

/// Cells of a row, separated by two or more spaces.
pub fn split_wide(row: &str) -> Vec<&str> {
    split_wide_n(row, usize::MAX)
}

/// At most `n` cells, the last one with all that follows.
pub fn split_wide_n(row: &str, n: usize) -> Vec<&str> {
    let mut cells = Vec::new();
    let mut rest = row.trim();
    while !rest.is_empty() {
        if cells.len() + 1 == n {
            cells.push(rest);
            break;
        }
        match rest.find("  ") {
            Some(at) => {
                cells.push(&rest[..at]);
                rest = rest[at..].trim_start();
            }
            None => {
                cells.push(rest);
                break;
            }
        }
    }
    cells
}
