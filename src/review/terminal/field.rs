//! One line of text under a cursor.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Most characters that can be typed.
const MAX_CHARS: usize = 4_000;

/// A text field.
#[derive(Debug, Clone, Default)]
pub struct Field {
    chars: Vec<char>,
    at: usize,
}

impl Field {
    /// A field that holds `text`, the cursor at its end.
    pub fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().take(MAX_CHARS).collect();
        Self {
            at: chars.len(),
            chars,
        }
    }
    /// What is in it.
    pub fn text(&self) -> String {
        self.chars.iter().collect()
    }
    /// What stands before the cursor, and after it.
    pub fn parts(&self) -> (String, String) {
        let (before, after) = self.chars.split_at(self.at);
        (before.iter().collect(), after.iter().collect())
    }
    /// Takes a key that edits; other keys change nothing.
    pub fn key(&mut self, key: KeyEvent) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => {
                self.chars.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.chars.len(),
            KeyCode::Char(c) if !control && self.chars.len() < MAX_CHARS => {
                self.chars.insert(self.at, c);
                self.at += 1;
            }
            KeyCode::Backspace if self.at > 0 => {
                self.at -= 1;
                self.chars.remove(self.at);
            }
            KeyCode::Delete if self.at < self.chars.len() => {
                self.chars.remove(self.at);
            }
            KeyCode::Left => self.at = self.at.saturating_sub(1),
            KeyCode::Right => self.at = (self.at + 1).min(self.chars.len()),
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.chars.len(),
            _ => {}
        }
    }
}
