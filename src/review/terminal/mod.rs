//! The review in a terminal: claim left, evidence right, the same rules and the same record as the page.
//!
//! Owns: the screen while it runs. Touches: the terminal, through ratatui. It needs 80 columns and 24 rows.

mod app;
mod content;
mod draw;
mod field;
#[cfg(test)]
mod tests;

use super::act::Action;
use super::desk::{Desk, Fault, Opening};
use super::fold::ClaimState;
use super::model::SignOff;
use crate::error::{Context, Error, ExitCode, Result};
use crate::report::escape;
use app::{App, Flow};
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use sha2::{Digest, Sha256};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// How long the keyboard is waited for at a time.
const TICK: Duration = Duration::from_millis(200);

/// Hash of exactly the text that shows a claim here.
pub fn shown_hash(desk: &Desk, claim: &ClaimState) -> String {
    let mut hash = Sha256::new();
    for line in content::claim(desk, claim)
        .iter()
        .chain(&content::evidence(desk, claim))
    {
        hash.update(line.text());
        hash.update([b'\n']);
    }
    hex::encode(hash.finalize())
}

/// How it ended.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The sign-off, if there is one.
    pub signed: Option<SignOff>,
    /// Claims decided.
    pub decided: usize,
    /// All claims.
    pub claims: usize,
    /// Whether the idle time ended it.
    pub idle: bool,
}

/// Reviews in this terminal until the person signs or leaves.
///
/// # Errors
/// As [`Desk::open`]; when there is no terminal.
pub async fn run(opening: Opening, idle: Duration, colour: bool) -> Result<Closing> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        return Err(Error::usage("this is not a terminal")
            .hint("leave --terminal out to review on a page in the browser"));
    }
    let desk = Desk::open(opening).await?;
    let mut app = App::new(desk, colour);
    let mut terminal =
        ratatui::try_init().or_fail(ExitCode::Usage, "failed to take over the terminal")?;
    let ended = attend(&mut terminal, &mut app, idle).await;
    ratatui::restore();
    let idle = ended?;
    let state = app.desk.state();
    Ok(Closing {
        signed: state.signed.clone(),
        decided: state
            .claims
            .iter()
            .filter(|claim| claim.decided.is_some())
            .count(),
        claims: state.claims.len(),
        idle,
    })
}

/// Draws and obeys until the person leaves; true when the idle time ended it.
async fn attend(
    terminal: &mut ratatui::DefaultTerminal,
    app: &mut App,
    idle: Duration,
) -> Result<bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let fail = "failed to watch for signals";
    let mut terminate = signal(SignalKind::terminate()).or_fail(ExitCode::Bug, fail)?;
    let mut hangup = signal(SignalKind::hangup()).or_fail(ExitCode::Bug, fail)?;
    let mut last = Instant::now();
    loop {
        draw(terminal, app)?;
        // What the draw brought to its end on the screen was seen.
        if let Some(seen) = app.now_seen() {
            act(app, seen).await;
            continue;
        }
        let next = tokio::select! {
            _ = terminate.recv() => return Ok(false),
            _ = hangup.recv() => return Ok(false),
            next = tokio::task::spawn_blocking(read) => next,
        };
        let next = next
            .or_fail(ExitCode::Bug, "failed to read the keyboard")?
            .or_fail(ExitCode::Usage, "failed to read the keyboard")?;
        match next {
            Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                last = Instant::now();
                match app.key(key) {
                    Flow::Stay => {}
                    Flow::Leave => return Ok(false),
                    Flow::Act(action) => {
                        if matches!(*action, Action::Edit { .. } | Action::Verify { .. }) {
                            app.say("One moment: the verifier reads the bundle again …");
                            draw(terminal, app)?;
                        }
                        act(app, *action).await;
                    }
                }
            }
            _ => {}
        }
        if last.elapsed() >= idle {
            return Ok(true);
        }
    }
}

fn read() -> std::io::Result<Option<Event>> {
    match event::poll(TICK)? {
        true => event::read().map(Some),
        false => Ok(None),
    }
}

fn draw(terminal: &mut ratatui::DefaultTerminal, app: &mut App) -> Result<()> {
    terminal
        .draw(|frame| draw::screen(frame, app))
        .map(|_| ())
        .or_fail(ExitCode::Usage, "failed to draw on the terminal")
}

/// Does one act and says how it went.
async fn act(app: &mut App, action: Action) {
    let quiet = matches!(action, Action::Seen { .. });
    let moves = matches!(action, Action::Accept { .. } | Action::Reject { .. });
    let words = app::done(&action);
    match app.desk.act(action).await {
        Ok(()) => {
            if !quiet {
                app.say(words);
            }
            app.refresh(moves);
        }
        Err(fault) => {
            app.stuck = quiet;
            match fault {
                Fault::Refused(why) => app.complain(&why),
                Fault::Failed(error) => app.complain(&escape::terminal(&error.chain())),
            }
        }
    }
}
