//! Drawing the screen.

use super::app::{App, Mode, Scroll, Side};
use super::content::{self, Ink, Line};
use crate::report::escape::terminal as esc;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Wrap};
use unicode_width::UnicodeWidthChar;

/// The smallest screen.
const LEAST: (u16, u16) = (60, 16);

pub fn screen(frame: &mut Frame, app: &mut App) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!("This needs {} columns and {} rows.", LEAST.0, LEAST.1);
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let [head, steps, body, message, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(5),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(title(app, head.width), head);
    let hidden = app.desk.state().is_hidden();
    if !hidden {
        frame.render_widget(Row::from(step_spans(app)), steps);
        match app.mode {
            Mode::More => {
                let lines = content::more(&app.desk);
                let colour = app.colour;
                pane(
                    frame,
                    body,
                    " How this was made ",
                    &lines,
                    &mut app.more,
                    true,
                    colour,
                );
            }
            _ => sides(frame, body, app),
        }
    }
    let style = match app.bad {
        true => ink(Ink::Bad, app.colour),
        false => ink(Ink::Good, app.colour),
    };
    frame.render_widget(
        Span::styled(fit(&app.message, message.width), style),
        message,
    );
    frame.render_widget(
        Span::styled(fit(key_line(app), keys.width), ink(Ink::Soft, app.colour)),
        keys,
    );
    match &app.mode {
        Mode::Ask(ask) => {
            let (before, after) = ask.field.parts();
            let mut rest = after.chars();
            let under = rest.next().unwrap_or(' ');
            let line = Row::from(vec![
                Span::raw(esc(&before)),
                Span::styled(
                    esc(&under.to_string()),
                    Style::default().add_modifier(Modifier::REVERSED),
                ),
                Span::raw(esc(rest.as_str())),
            ]);
            let text = vec![
                Row::styled(ask.question.clone(), ink(Ink::Strong, app.colour)),
                Row::default(),
                line,
            ];
            window(frame, area, " Enter: go on   Esc: leave it ", text);
        }
        Mode::Help => window(frame, area, " Any key: back ", help()),
        Mode::Sign => window(frame, area, " Any other key: back ", sign(app)),
        Mode::Agree(_) => {
            let text = vec![
                Row::from(format!(
                    "You believed: {}",
                    esc(app.desk.state().hypothesis.as_deref().unwrap_or(""))
                )),
                Row::default(),
                Row::from("Does the report agree?   y yes   p in part   n no"),
            ];
            window(frame, area, " Any other key: back ", text);
        }
        Mode::Signed => window(frame, area, " Any key: end ", signed(app)),
        Mode::Claims | Mode::More => {}
    }
}

fn key_line(app: &App) -> &'static str {
    match app.mode {
        Mode::More => "up down space scroll   any other key: back to the claims",
        _ => "j k claim  space read  tab side  a accept  r reject  e edit  s sign  ? help",
    }
}

fn title(app: &App, width: u16) -> Row<'static> {
    let run = &app.desk.view().run;
    let claims = &app.desk.state().claims;
    let decided = claims
        .iter()
        .filter(|claim| claim.decided.is_some())
        .count();
    let closed = match app.desk.why_closed().is_empty() {
        true => "ready to sign",
        false => "approval closed",
    };
    let right = format!(" {decided} of {} decided, {closed}", claims.len());
    let id = format!("  run {}", esc(&run.id));
    let room = usize::from(width).saturating_sub(right.len() + id.len());
    let name = fit(
        &esc(&run.bundle_name),
        u16::try_from(room).unwrap_or(u16::MAX),
    );
    let gap = " ".repeat(room.saturating_sub(name.chars().count()));
    Row::from(vec![
        Span::styled(name, Style::default().add_modifier(Modifier::BOLD)),
        Span::styled(id, ink(Ink::Soft, app.colour)),
        Span::raw(gap),
        Span::raw(right),
    ])
}

fn step_spans(app: &App) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (at, claim) in app.desk.state().claims.iter().enumerate() {
        let name = match claim.current().content.finding() {
            Some(_) => (at + 1).to_string(),
            None => "gaps".to_owned(),
        };
        let style = match claim.word() {
            "accepted" => ink(Ink::Good, app.colour),
            "rejected" | "edit refused" => ink(Ink::Bad, app.colour),
            "not verified" => ink(Ink::Warn, app.colour),
            _ => ink(Ink::Soft, app.colour),
        };
        let style = match at == app.at {
            true => style.add_modifier(Modifier::REVERSED),
            false => style,
        };
        spans.push(Span::styled(format!(" {name} {} ", claim.word()), style));
        spans.push(Span::raw(" "));
    }
    spans
}

fn sides(frame: &mut Frame, area: Rect, app: &mut App) {
    let Some(claim) = app.current() else { return };
    let (said, shown) = (
        content::claim(&app.desk, claim),
        content::evidence(&app.desk, claim),
    );
    let comments: Vec<Line> = claim
        .comments
        .iter()
        .map(|text| Line {
            pieces: vec![(Ink::Soft, "comment: ".into()), (Ink::Plain, esc(text))],
            indent: 2,
        })
        .chain(
            claim
                .decided
                .iter()
                .filter(|decided| !decided.reason.is_empty())
                .map(|decided| Line {
                    pieces: vec![
                        (Ink::Bad, "rejected: ".into()),
                        (Ink::Plain, esc(&decided.reason)),
                    ],
                    indent: 2,
                }),
        )
        .collect();
    let said: Vec<Line> = said.into_iter().chain(comments).collect();
    let [left, right] =
        Layout::horizontal([Constraint::Ratio(9, 20), Constraint::Ratio(11, 20)]).areas(area);
    app.rows = usize::from(area.height.saturating_sub(2));
    let (side, colour) = (app.side, app.colour);
    pane(
        frame,
        left,
        " Claim ",
        &said,
        &mut app.claim,
        side == Side::Claim,
        colour,
    );
    pane(
        frame,
        right,
        " Evidence ",
        &shown,
        &mut app.evidence,
        side == Side::Evidence,
        colour,
    );
}

/// A frame with lines broken to its width; says when there is more below.
fn pane(
    frame: &mut Frame,
    area: Rect,
    name: &'static str,
    lines: &[Line],
    scroll: &mut Scroll,
    active: bool,
    colour: bool,
) {
    let style = match active {
        true => Style::default(),
        false => ink(Ink::Soft, colour),
    };
    let (width, rows) = (
        usize::from(area.width.saturating_sub(2)),
        usize::from(area.height.saturating_sub(2)),
    );
    let broken: Vec<Row> = lines
        .iter()
        .flat_map(|line| rows_of(line, width, colour))
        .collect();
    scroll.most = broken.len().saturating_sub(rows);
    scroll.at = scroll.at.min(scroll.most);
    scroll.ended |= scroll.at == scroll.most;
    let below = broken.len().saturating_sub(scroll.at + rows);
    let foot = match below {
        0 => String::new(),
        n => format!(" {n} more below "),
    };
    let block = Block::default()
        .borders(Borders::ALL)
        .border_style(style)
        .title(name)
        .title_bottom(foot);
    let shown: Vec<Row> = broken.into_iter().skip(scroll.at).take(rows).collect();
    frame.render_widget(Paragraph::new(shown).block(block), area);
}

/// A line broken at spaces, or where it is full; what is broken off is set in.
fn rows_of(line: &Line, width: usize, colour: bool) -> Vec<Row<'static>> {
    let chars: Vec<(Ink, char)> = line
        .pieces
        .iter()
        .flat_map(|(ink, text)| text.chars().map(move |c| (*ink, c)))
        .collect();
    let mut rows = Vec::new();
    let mut from = 0;
    let width = width.max(10);
    while from < chars.len() || rows.is_empty() {
        let indent = if rows.is_empty() {
            0
        } else {
            line.indent.min(width / 2)
        };
        let (mut used, mut to) = (indent, from);
        while let Some((_, c)) = chars.get(to) {
            let w = c.width().unwrap_or(0);
            if used + w > width {
                break;
            }
            used += w;
            to += 1;
        }
        if to < chars.len() {
            let space = chars[from..to].iter().rposition(|(_, c)| *c == ' ');
            if let Some(space) = space.filter(|space| *space > (to - from) / 3) {
                to = from + space + 1;
            }
        }
        // A character wider than the screen would never fit.
        to = to.max((from + 1).min(chars.len()));
        let mut spans = vec![Span::raw(" ".repeat(indent))];
        let mut rest = &chars[from..to];
        while let Some((first, _)) = rest.first() {
            let n = rest.iter().take_while(|(ink, _)| ink == first).count();
            let text: String = rest[..n].iter().map(|(_, c)| c).collect();
            spans.push(Span::styled(text, ink(*first, colour)));
            rest = &rest[n..];
        }
        rows.push(Row::from(spans));
        from = to;
    }
    rows
}

fn ink(ink: Ink, colour: bool) -> Style {
    let style = Style::default();
    match (ink, colour) {
        (Ink::Plain, _) => style,
        (Ink::Strong, _) => style.add_modifier(Modifier::BOLD),
        (Ink::Soft, true) => style.add_modifier(Modifier::DIM),
        (Ink::Soft, false) => style,
        (Ink::Good, true) => style.fg(Color::Green),
        (Ink::Warn, true) => style.fg(Color::Yellow),
        (Ink::Bad, true) => style.fg(Color::Red).add_modifier(Modifier::BOLD),
        (Ink::Good | Ink::Warn | Ink::Bad, false) => style.add_modifier(Modifier::BOLD),
        (Ink::Mark, _) => style.add_modifier(Modifier::REVERSED),
    }
}

/// A window over the middle of the screen.
fn window(frame: &mut Frame, area: Rect, foot: &'static str, text: Vec<Row<'static>>) {
    let width = area.width.saturating_sub(4).min(76);
    let inside = usize::from(width.saturating_sub(4)).max(1);
    let rows: usize = text.iter().map(|row| row.width() / inside + 1).sum();
    let height = u16::try_from(rows + 2)
        .unwrap_or(u16::MAX)
        .clamp(5, area.height.saturating_sub(2));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::default()
        .borders(Borders::ALL)
        .title_bottom(foot)
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(
        Paragraph::new(text).wrap(Wrap { trim: false }).block(block),
        place,
    );
}

fn help() -> Vec<Row<'static>> {
    [
        ("j n right", "next claim"),
        ("k p left", "previous claim"),
        ("space", "read on: evidence, claim, next claim"),
        ("tab", "the other side; up, down and page keys scroll it"),
        ("a", "accept: the lines show it"),
        ("r", "reject, with a reason"),
        ("e", "edit, with a reason: a new version, verified again"),
        ("c", "comment"),
        ("u", "undo the last decision, edit or comment"),
        ("v", "the seal, the run, the exact prompts and raw output"),
        ("s", "sign: approve or reject the report"),
        ("q", "leave; what was decided is kept"),
    ]
    .into_iter()
    .map(|(key, what)| {
        Row::from(vec![
            Span::styled(
                format!("{key:<10} "),
                Style::default().add_modifier(Modifier::BOLD),
            ),
            Span::raw(what),
        ])
    })
    .collect()
}

fn sign(app: &App) -> Vec<Row<'static>> {
    let mut text: Vec<Row> = app
        .desk
        .state()
        .claims
        .iter()
        .map(|claim| {
            Row::from(format!(
                "{}: {}",
                fit(&esc(claim.current().content.title()), 52),
                claim.word()
            ))
        })
        .collect();
    text.push(Row::default());
    let closed = app.desk.why_closed();
    for why in &closed {
        text.push(Row::styled(
            format!("Approval is not open: {why}."),
            ink(Ink::Warn, app.colour),
        ));
    }
    if closed.is_empty() {
        text.push(Row::from("a  approve and sign"));
    }
    text.push(Row::from("r  reject the report and sign that"));
    text
}

fn signed(app: &App) -> Vec<Row<'static>> {
    let Some(signed) = &app.desk.state().signed else {
        return vec![];
    };
    let word = match signed.outcome {
        super::super::model::Outcome::Approved => "Approved",
        super::super::model::Outcome::Rejected => "Rejected",
    };
    vec![
        Row::from(format!("{word} by {} at {}.", esc(&signed.name), signed.at)),
        Row::from(format!("What was shown: sha256 {}", signed.digest)),
        Row::from(format!("Key: {}", signed.key)),
    ]
}

/// The beginning of a text that fits.
fn fit(text: &str, width: u16) -> String {
    let width = usize::from(width);
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = c.width().unwrap_or(0);
        if used + w > width {
            out.pop();
            out.push('…');
            break;
        }
        used += w;
        out.push(c);
    }
    out
}
