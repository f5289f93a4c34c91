//! What the keys do: the state of the screen between two draws.

use super::super::act::{Action, Change, CommandChange, FindingChange, MissingChange, Signing};
use super::super::claims::Content;
use super::super::desk::Desk;
use super::super::fold::ClaimState;
use super::super::model::Agreement;
use super::field::Field;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What follows from a key.
pub enum Flow {
    Stay,
    Leave,
    Act(Box<Action>),
}

/// The two sides of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Claim,
    Evidence,
}

/// What is on the screen.
pub enum Mode {
    /// A claim and its evidence.
    Claims,
    /// The seal, the run, the prompts.
    More,
    /// The keys.
    Help,
    /// A question with a line to write on.
    Ask(Ask),
    /// Approve or reject the report.
    Sign,
    /// Whether the hypothesis agrees.
    Agree(Box<Ending>),
    /// It is signed.
    Signed,
}

/// What is being asked, and what for.
pub struct Ask {
    pub question: String,
    pub field: Field,
    pub then: Then,
}

/// What happens with the answer.
pub enum Then {
    Hypothesis,
    Reject,
    Comment,
    EditTitle,
    EditCause(Draft),
    EditEvidence(Draft),
    EditCommands(Draft),
    EditMissing,
    EditReason(Draft),
    Name(Box<Ending>),
    Note(Box<Ending>),
}

/// An edit under way.
#[derive(Default)]
pub struct Draft {
    title: Option<String>,
    cause: Option<String>,
    evidence: Vec<usize>,
    kept: Vec<usize>,
}

/// A sign-off under way.
#[derive(Default)]
pub struct Ending {
    approve: bool,
    signing: Signing,
}

/// How far each side is scrolled, and how far it can be.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scroll {
    pub at: usize,
    pub most: usize,
    /// Whether its end was on the screen.
    pub ended: bool,
}

/// The screen.
pub struct App {
    pub desk: Desk,
    pub colour: bool,
    pub at: usize,
    pub side: Side,
    pub claim: Scroll,
    pub evidence: Scroll,
    pub more: Scroll,
    pub mode: Mode,
    pub message: String,
    pub bad: bool,
    /// Rows of one side, from the last draw.
    pub rows: usize,
    /// What was seen could not be written down; it is tried again after the next key.
    pub stuck: bool,
}

/// What is said after an act.
pub fn done(action: &Action) -> &'static str {
    match action {
        Action::Hypothesis { .. } => "Kept. These are the findings.",
        Action::Seen { .. } => "",
        Action::Accept { .. } => "Accepted.",
        Action::Reject { .. } => "Rejected.",
        Action::Edit { .. } => "A new version was made.",
        Action::Verify { .. } => "Verified.",
        Action::Comment { .. } => "Kept.",
        Action::Undo {} => "Taken back; the history keeps it.",
        Action::Approve(_) | Action::RejectReport(_) => "Signed.",
    }
}

impl App {
    pub fn new(desk: Desk, colour: bool) -> Self {
        let mut app = Self {
            desk,
            colour,
            at: 0,
            side: Side::Evidence,
            claim: Scroll::default(),
            evidence: Scroll::default(),
            more: Scroll::default(),
            mode: Mode::Claims,
            message: String::new(),
            bad: false,
            rows: 1,
            stuck: false,
        };
        let doubt = app
            .desk
            .doubts()
            .next()
            .map(crate::report::escape::terminal);
        if let Some(doubt) = doubt {
            app.complain(&format!(
                "nobody vouches for the files of this run: {doubt}"
            ));
        }
        app.first_question();
        app
    }

    fn first_question(&mut self) {
        if self.desk.state().is_hidden() {
            self.ask(
                "What do you believe is the cause? The findings are shown after you have written it.",
                "",
                Then::Hypothesis,
            );
        }
    }

    pub fn current(&self) -> Option<&ClaimState> {
        self.desk.state().claims.get(self.at)
    }

    pub fn say(&mut self, text: &str) {
        text.clone_into(&mut self.message);
        self.bad = false;
    }

    pub fn complain(&mut self, text: &str) {
        text.clone_into(&mut self.message);
        self.bad = true;
    }

    /// The current claim, when its whole text was on the screen and that is not written down yet.
    pub fn now_seen(&self) -> Option<Action> {
        let claim = self.current()?;
        let whole = self.claim.ended && self.evidence.ended;
        let on_screen = matches!(self.mode, Mode::Claims) && !self.desk.state().is_hidden();
        (whole
            && on_screen
            && !self.stuck
            && claim.seen.is_none()
            && self.desk.state().signed.is_none())
        .then(|| Action::Seen {
            claim: claim.id.clone(),
            version: claim.current().number,
            shown: super::shown_hash(&self.desk, claim),
        })
    }

    /// After an act: a new version is read from its top; after a decision the next claim is shown.
    pub fn refresh(&mut self, decided: bool) {
        if self.desk.state().signed.is_some() {
            self.mode = Mode::Signed;
            return;
        }
        if decided {
            self.go(1);
        } else if self.current().is_some_and(|claim| claim.seen.is_none()) {
            self.top();
        }
    }

    fn top(&mut self) {
        self.claim = Scroll::default();
        self.evidence = Scroll::default();
    }

    fn go(&mut self, by: isize) {
        let last = self.desk.state().claims.len().saturating_sub(1);
        let to = self.at.saturating_add_signed(by).min(last);
        if to != self.at {
            self.at = to;
            self.top();
        }
    }

    fn ask(&mut self, question: &str, text: &str, then: Then) {
        self.message.clear();
        self.mode = Mode::Ask(Ask {
            question: question.to_owned(),
            field: Field::new(text),
            then,
        });
    }

    /// Obeys a key.
    pub fn key(&mut self, key: KeyEvent) -> Flow {
        self.stuck = false;
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Flow::Leave;
        }
        match &mut self.mode {
            Mode::Ask(_) => self.asked(key),
            Mode::Claims => self.deciding(key.code),
            Mode::More => {
                self.reading(key.code);
                Flow::Stay
            }
            Mode::Help => {
                self.mode = Mode::Claims;
                Flow::Stay
            }
            Mode::Sign => self.signing(key.code),
            Mode::Agree(_) => self.agreeing(key.code),
            Mode::Signed => Flow::Leave,
        }
    }

    fn scroll(&mut self, by: isize) {
        let side = match (&self.mode, self.side) {
            (Mode::More, _) => &mut self.more,
            (_, Side::Claim) => &mut self.claim,
            (_, Side::Evidence) => &mut self.evidence,
        };
        side.at = side.at.saturating_add_signed(by).min(side.most);
    }

    fn page(&self) -> isize {
        isize::try_from(self.rows.saturating_sub(2).max(1)).unwrap_or(1)
    }

    fn reading(&mut self, code: KeyCode) {
        match code {
            KeyCode::Down => self.scroll(1),
            KeyCode::Up => self.scroll(-1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll(self.page()),
            KeyCode::PageUp => self.scroll(-self.page()),
            _ => {
                self.mode = Mode::Claims;
            }
        }
    }

    fn deciding(&mut self, code: KeyCode) -> Flow {
        let Some(claim) = self.current() else {
            return Flow::Leave;
        };
        let (id, version, seen) = (
            claim.id.clone(),
            claim.current().number,
            claim.seen.is_some(),
        );
        match code {
            KeyCode::Char('j' | 'n') | KeyCode::Right => self.go(1),
            KeyCode::Char('k' | 'p') | KeyCode::Left => self.go(-1),
            KeyCode::Tab | KeyCode::BackTab => {
                self.side = match self.side {
                    Side::Claim => Side::Evidence,
                    Side::Evidence => Side::Claim,
                }
            }
            KeyCode::Down => self.scroll(1),
            KeyCode::Up => self.scroll(-1),
            KeyCode::PageUp => self.scroll(-self.page()),
            KeyCode::PageDown => self.scroll(self.page()),
            KeyCode::Char(' ') => self.onward(),
            KeyCode::Char('a') => {
                return Flow::Act(Box::new(Action::Accept { claim: id, version }));
            }
            KeyCode::Char('u') => return Flow::Act(Box::new(Action::Undo {})),
            KeyCode::Char('r') => {
                self.ask("Why do you reject this claim?", "", Then::Reject);
            }
            KeyCode::Char('c') => self.ask("Your comment:", "", Then::Comment),
            KeyCode::Char('e') if !seen => {
                self.complain("look at this claim to the end of its evidence first");
            }
            KeyCode::Char('e') => self.edit(),
            KeyCode::Char('s') => {
                self.message.clear();
                self.mode = Mode::Sign;
            }
            KeyCode::Char('v') => {
                self.more = Scroll::default();
                self.mode = Mode::More;
            }
            KeyCode::Char('?' | 'h') => self.mode = Mode::Help,
            KeyCode::Char('q') => return Flow::Leave,
            _ => {}
        }
        Flow::Stay
    }

    /// Reads on: the evidence first, then the claim, then the next claim.
    fn onward(&mut self) {
        let page = self.rows.saturating_sub(2).max(1);
        for (side, scroll) in [
            (Side::Evidence, &mut self.evidence),
            (Side::Claim, &mut self.claim),
        ] {
            if scroll.at < scroll.most {
                scroll.at = (scroll.at + page).min(scroll.most);
                self.side = side;
                return;
            }
        }
        self.go(1);
    }

    fn edit(&mut self) {
        let Some(claim) = self.current() else { return };
        match claim.current().content.clone() {
            Content::Finding(finding) => self.ask("Title:", &finding.title, Then::EditTitle),
            Content::Missing(items) if items.is_empty() => {
                self.complain("there is nothing to leave out; add items on the page");
            }
            Content::Missing(items) => self.ask(
                &format!("Which of the {} items stay? Their numbers:", items.len()),
                &numbers(items.len()),
                Then::EditMissing,
            ),
        }
    }

    fn asked(&mut self, key: KeyEvent) -> Flow {
        let Mode::Ask(ask) = &mut self.mode else {
            return Flow::Stay;
        };
        match key.code {
            KeyCode::Enter => {}
            KeyCode::Esc => {
                if matches!(ask.then, Then::Hypothesis) {
                    return Flow::Leave;
                }
                self.mode = Mode::Claims;
                return Flow::Stay;
            }
            _ => {
                ask.field.key(key);
                return Flow::Stay;
            }
        }
        let Mode::Ask(ask) = std::mem::replace(&mut self.mode, Mode::Claims) else {
            return Flow::Stay;
        };
        self.answered(ask)
    }

    fn answered(&mut self, ask: Ask) -> Flow {
        let text = ask.field.text();
        if matches!(ask.then, Then::Hypothesis) {
            if text.trim().chars().count() < 3 {
                self.first_question();
                return Flow::Stay;
            }
            return Flow::Act(Box::new(Action::Hypothesis { text }));
        }
        let Some(claim) = self.current() else {
            return Flow::Leave;
        };
        let (id, version) = (claim.id.clone(), claim.current().number);
        let content = claim.current().content.clone();
        let finding = content.finding();
        match ask.then {
            Then::Hypothesis => {}
            Then::Reject => {
                return Flow::Act(Box::new(Action::Reject {
                    claim: id,
                    version,
                    reason: text,
                }));
            }
            Then::Comment => return Flow::Act(Box::new(Action::Comment { claim: id, text })),
            Then::EditTitle => {
                let Some(finding) = finding else {
                    return Flow::Stay;
                };
                let title = (text != finding.title).then_some(text);
                self.ask(
                    "Statement:",
                    &finding.root_cause,
                    Then::EditCause(Draft {
                        title,
                        ..Draft::default()
                    }),
                );
            }
            Then::EditCause(mut draft) => {
                let Some(finding) = finding else {
                    return Flow::Stay;
                };
                draft.cause = (text != finding.root_cause).then_some(text);
                self.ask(
                    &format!(
                        "Which of the {} citations stay? Their numbers:",
                        finding.evidence.len()
                    ),
                    &numbers(finding.evidence.len()),
                    Then::EditEvidence(draft),
                );
            }
            Then::EditEvidence(mut draft) => {
                let Some(finding) = finding else {
                    return Flow::Stay;
                };
                draft.evidence = places(&text);
                self.ask(
                    &format!(
                        "Which of the {} commands stay? Their numbers:",
                        finding.commands.len()
                    ),
                    &numbers(finding.commands.len()),
                    Then::EditCommands(draft),
                );
            }
            Then::EditCommands(mut draft) => {
                draft.kept = places(&text);
                self.ask("Why do you edit this claim?", "", Then::EditReason(draft));
            }
            Then::EditMissing => {
                let draft = Draft {
                    kept: places(&text),
                    ..Draft::default()
                };
                self.ask("Why do you edit this claim?", "", Then::EditReason(draft));
            }
            Then::EditReason(draft) => {
                let change = match finding {
                    Some(_) => Change::Finding(FindingChange {
                        title: draft.title,
                        root_cause: draft.cause,
                        evidence: draft.evidence,
                        commands: draft
                            .kept
                            .into_iter()
                            .map(|keep| CommandChange::Keep { keep })
                            .collect(),
                    }),
                    None => Change::Missing(
                        draft
                            .kept
                            .into_iter()
                            .map(|keep| MissingChange::Keep { keep })
                            .collect(),
                    ),
                };
                return Flow::Act(Box::new(Action::Edit {
                    claim: id,
                    version,
                    reason: text,
                    change,
                }));
            }
            Then::Name(mut ending) => {
                ending.signing.name = text;
                let question = match ending.approve {
                    true => "A note, if you like:",
                    false => "Why do you reject the report?",
                };
                self.ask(question, "", Then::Note(ending));
            }
            Then::Note(mut ending) => {
                ending.signing.note = text;
                let Ending { approve, signing } = *ending;
                return Flow::Act(Box::new(match approve {
                    true => Action::Approve(signing),
                    false => Action::RejectReport(signing),
                }));
            }
        }
        Flow::Stay
    }

    fn signing(&mut self, code: KeyCode) -> Flow {
        let approve = match code {
            KeyCode::Char('a') => true,
            KeyCode::Char('r') => false,
            _ => {
                self.mode = Mode::Claims;
                return Flow::Stay;
            }
        };
        let closed = self.desk.why_closed();
        if approve && let Some(why) = closed.first() {
            self.mode = Mode::Claims;
            self.complain(&format!("approval is not open: {why}"));
            return Flow::Stay;
        }
        let ending = Box::new(Ending {
            approve,
            signing: Signing::default(),
        });
        match self.desk.state().hypothesis {
            Some(_) => self.mode = Mode::Agree(ending),
            None => self.name(ending),
        }
        Flow::Stay
    }

    fn agreeing(&mut self, code: KeyCode) -> Flow {
        let agreement = match code {
            KeyCode::Char('y') => Agreement::Yes,
            KeyCode::Char('p') => Agreement::Partly,
            KeyCode::Char('n') => Agreement::No,
            _ => {
                self.mode = Mode::Claims;
                return Flow::Stay;
            }
        };
        if let Mode::Agree(mut ending) = std::mem::replace(&mut self.mode, Mode::Claims) {
            ending.signing.agreement = Some(agreement);
            self.name(ending);
        }
        Flow::Stay
    }

    fn name(&mut self, ending: Box<Ending>) {
        let name = self.desk.opening().name.clone().unwrap_or_default();
        self.ask("Your name:", &name, Then::Name(ending));
    }
}

/// `1 2 3`.
fn numbers(n: usize) -> String {
    (1..=n).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")
}

/// The places from 0 that numbers from 1 stand for, each once; what is no number is left out.
fn places(text: &str) -> Vec<usize> {
    let mut places = Vec::new();
    for number in text.split(|c: char| !c.is_ascii_digit()) {
        if let Some(at) = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1))
            && !places.contains(&at)
        {
            places.push(at);
        }
    }
    places
}
