//! Log templates: a message with all that varies masked, so that repetitions of one event count as one.
//!
//! The idea of Drain (He et al., ICWS 2017) without its tree: numbers, identifiers, addresses and quoted
//! values are masked, the rest is the template. The table is bounded; what comes after it is full is
//! counted, not kept.

use super::time::Millis;
use std::collections::HashMap;

/// Most templates kept for one bundle.
pub const MAX_TEMPLATES: usize = 20_000;
/// Longest template in bytes.
const MAX_TEMPLATE_BYTES: usize = 240;

/// Masks what varies: each word with a digit, hexadecimal runs, quoted text, paths' variable parts.
pub fn mask(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(MAX_TEMPLATE_BYTES));
    let mut word = String::new();
    for c in message.chars() {
        if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') {
            word.push(c);
            continue;
        }
        flush(&mut out, &mut word);
        if c.is_whitespace() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else {
            out.push(c);
        }
        if out.len() >= MAX_TEMPLATE_BYTES {
            break;
        }
    }
    flush(&mut out, &mut word);
    out
}

fn flush(out: &mut String, word: &mut String) {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let hex = word.len() >= 8 && word.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if hex || digits > 0 {
        // Names such as "eth0" or "osd.3" keep their letters, so that different things stay apart.
        let stem: String = word.chars().take_while(|c| c.is_alphabetic()).collect();
        if !hex && stem.len() >= 3 && digits * 2 < word.len() {
            out.push_str(&stem);
        }
        if !out.ends_with('*') {
            out.push('*');
        }
    } else {
        out.push_str(word);
    }
    word.clear();
}

/// What is known about one template of one owner.
#[derive(Debug, Clone)]
pub struct Stat<K> {
    /// What the first line brought along.
    pub key: K,
    /// How often it was seen.
    pub count: u64,
    /// Time of the first line that had one.
    pub first: Option<Millis>,
    /// Time of the last line that had one.
    pub last: Option<Millis>,
    /// Most lines within one minute.
    pub burst: u32,
    minute: (Millis, u32),
}

/// A bounded table of templates.
#[derive(Debug)]
pub struct Templates<K> {
    table: HashMap<(u32, String), Stat<K>>,
    /// Lines that found the table full.
    pub dropped: u64,
}

impl<K> Default for Templates<K> {
    fn default() -> Self {
        Self {
            table: HashMap::new(),
            dropped: 0,
        }
    }
}

impl<K> Templates<K> {
    /// Counts one line of `owner`; `key` is asked for only the first time.
    pub fn add(
        &mut self,
        owner: u32,
        template: String,
        time: Option<Millis>,
        key: impl FnOnce() -> K,
    ) {
        let full = self.table.len() >= MAX_TEMPLATES;
        let slot = (owner, template);
        if full && !self.table.contains_key(&slot) {
            self.dropped += 1;
            return;
        }
        let stat = self.table.entry(slot).or_insert_with(|| Stat {
            key: key(),
            count: 0,
            first: None,
            last: None,
            burst: 0,
            minute: (0, 0),
        });
        stat.count += 1;
        if let Some(at) = time {
            stat.first = Some(stat.first.map_or(at, |first| first.min(at)));
            stat.last = Some(stat.last.map_or(at, |last| last.max(at)));
            let minute = at.div_euclid(60_000);
            stat.minute = if stat.minute.0 == minute {
                (minute, stat.minute.1 + 1)
            } else {
                (minute, 1)
            };
            stat.burst = stat.burst.max(stat.minute.1);
        }
    }
    /// All templates with their owner and statistics, in a fixed order.
    pub fn into_sorted(self) -> Vec<(u32, String, Stat<K>)> {
        let mut all: Vec<_> = self
            .table
            .into_iter()
            .map(|((owner, template), stat)| (owner, template, stat))
            .collect();
        all.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_varies_is_masked_and_names_stay() {
        let a = mask(
            "Connection to 10.0.0.1:5672 failed after 3 tries (id 3f2504e0-4f89-11d3-9a0c-0305e82c3301)",
        );
        let b = mask(
            "Connection to 10.0.0.27:5673 failed after 12 tries (id 00000000-4f89-11d3-9a0c-0305e82c3301)",
        );
        assert_eq!(a, b);
        assert_ne!(mask("disk sda is failing"), mask("disk sdb is failing"));
        assert_eq!(
            mask("reading deadbeef0123 done"),
            mask("reading cafebabe9999 done")
        );
    }

    #[test]
    fn the_table_counts_and_stays_bounded() {
        let mut table = Templates::default();
        for minute in 0..3 {
            for _ in 0..=minute {
                table.add(1, "x".into(), Some(minute * 60_000), || "first");
            }
        }
        for number in 0..MAX_TEMPLATES + 5 {
            table.add(2, number.to_string(), None, || "other");
        }
        assert_eq!(table.dropped, 6);
        let all = table.into_sorted();
        assert_eq!(all.len(), MAX_TEMPLATES);
        let (_, _, stat) = &all[0];
        assert_eq!(
            (stat.count, stat.burst, stat.first, stat.last),
            (6, 3, Some(0), Some(120_000))
        );
    }
}
