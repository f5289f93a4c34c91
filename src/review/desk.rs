//! The desk: one run before one person. Both surfaces, page and terminal, act through it, so the
//! rules of a review are in one place.

use super::act::{Action, Change, CommandChange, MissingChange, Signing};
use super::claims::{self, Content};
use super::fold::{self, ClaimState, Folded};
use super::model::{Check, Decision, Entry, Event, Judged, Outcome, Review, State, Surface};
use super::{sign, store};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use crate::keys::Key;
use crate::limits::Limits;
use crate::record::{self, Run};
use crate::report::view::View;
use crate::report::{Command, Missing};
use crate::seal::Layer;
use crate::secrets::Masker;
use std::path::PathBuf;

/// Most characters of a reason, a comment, a note or a hypothesis.
pub const MAX_WORDS: usize = 4_000;
/// Most characters of one edited field.
const MAX_FIELD: usize = 2_000;
/// Most commands, or items to ask for, in one edited claim.
const MAX_ITEMS: usize = 20;
/// Fewest characters of a reason.
const MIN_REASON: usize = 3;

/// How to open a review.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The run's directory.
    pub dir: PathBuf,
    /// The runs directory; scratch space for verifying an edit.
    pub runs: PathBuf,
    /// The bundle, for verifying edits; where the run found it when none is given.
    pub bundle: Option<PathBuf>,
    /// The key to sign with; the person's own when none is given.
    pub key: Option<PathBuf>,
    /// The key of the audit log; the program's own when none is given.
    pub log_key: Option<PathBuf>,
    /// The person's name, to begin with.
    pub name: Option<String>,
    /// Whether to ask for a hypothesis before the findings are shown.
    pub hypothesis_first: bool,
    /// Why a signed review is taken up again.
    pub reopen: Option<String>,
    /// Where it is shown.
    pub surface: Surface,
    /// Limits of the workers that verify an edit.
    pub limits: Limits,
    /// Layers of the seal that may be missing.
    pub allow_weaker: Vec<Layer>,
}

/// Why an act did not happen.
#[derive(Debug)]
pub enum Fault {
    /// The rules of a review do not allow it; in words for the person.
    Refused(String),
    /// It failed.
    Failed(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

fn refuse<T>(why: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Refused(why.into()))
}

/// One run before one person.
pub struct Desk {
    opening: Opening,
    run: Run,
    view: View,
    review: Review,
    state: Folded,
    doubts: Vec<String>,
    altered: Vec<String>,
    // Held until the review ends: a second reviewer is turned away.
    _lock: files::DirLock,
}

impl Desk {
    /// Takes the run up: nobody else can while this lives.
    ///
    /// # Errors
    /// When the run or its review is damaged, signed, or before another person; when the bundle is another one.
    pub async fn open(mut opening: Opening) -> Result<Self> {
        let lock = files::DirLock::take(&opening.dir)?.ok_or_else(|| {
            Error::usage("this run is being reviewed by somebody now")
                .hint("end the other review first; what was decided there is kept")
        })?;
        let run = record::load(&opening.dir)?;
        let mut review = store::working(&opening.dir)?;
        if !review.run.is_empty() && review.run != run.record.id {
            return Err(Error::usage(format!(
                "the review in {} is of the run {:?}",
                files::shown(&opening.dir),
                review.run
            )));
        }
        review.run.clone_from(&run.record.id);
        if let Some(place) = store::first_break(&review)? {
            return Err(Error::refused(format!(
                "the history of the review was altered at its entry {place}"
            ))
            .hint("see what else does not fit: narrowroom review --check RUN"));
        }
        if let Some(signed) = fold::in_force(&review) {
            let Some(reason) = opening.reopen.as_deref().map(reason_of) else {
                return Err(Error::usage(format!(
                    "this run was signed by {} at {}",
                    crate::report::escape::terminal(&signed.name),
                    crate::report::escape::terminal(&signed.at)
                ))
                .hint(
                    "take it up again with --reopen REASON; the signature stays in its history",
                ));
            };
            let reason = reason.map_err(Error::usage)?;
            store::append(&mut review, Event::Reopened { reason })?;
            review.state = State::Pending;
        }
        match &opening.bundle {
            Some(bundle) => own_bundle(bundle, &run)?,
            None => opening.bundle = kept_bundle(&run),
        }
        let hypothesised = |entry: &Entry| matches!(entry.what, Event::Hypothesis { .. });
        let shown = |entry: &Entry| matches!(entry.what, Event::Seen { .. });
        if opening.hypothesis_first
            && review.history.iter().any(shown)
            && !review.history.iter().any(hypothesised)
        {
            return Err(Error::usage(
                "the findings of this run were shown already; a hypothesis comes before them",
            )
            .hint("go on without --hypothesis-first"));
        }
        let (doubts, altered) = vouched(&opening)?;
        store::append(
            &mut review,
            Event::Opened {
                surface: opening.surface,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                hypothesis_first: opening.hypothesis_first,
            },
        )?;
        store::save(&opening.dir, &review)?;
        let state = fold::fold(claims::of(&run), &review);
        let mut desk = Self {
            view: crate::triage::review_view(&run),
            opening,
            run,
            review,
            state,
            doubts,
            altered,
            _lock: lock,
        };
        desk.verify_pending().await?;
        Ok(desk)
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }
    /// What the renderers show of it, with all lines of context.
    pub fn view(&self) -> &View {
        &self.view
    }
    /// Where everything stands.
    pub fn state(&self) -> &Folded {
        &self.state
    }
    /// The history.
    pub fn review(&self) -> &Review {
        &self.review
    }
    /// How it was opened.
    pub fn opening(&self) -> &Opening {
        &self.opening
    }
    /// Why nobody vouches for the files of this run, or that they were altered; empty when all is well.
    pub fn doubts(&self) -> impl Iterator<Item = &str> {
        self.altered.iter().chain(&self.doubts).map(String::as_str)
    }
    /// Whether there is something to take back.
    pub fn can_undo(&self) -> bool {
        self.state.signed.is_none() && fold::last_undoable(&self.review).is_some()
    }

    /// Why approval is not open; empty when it is.
    pub fn why_closed(&self) -> Vec<String> {
        if self.state.signed.is_some() {
            return vec!["it is signed already".to_owned()];
        }
        let mut why = Vec::new();
        if self.state.is_hidden() {
            why.push("write what you believe first".to_owned());
        }
        if self.run.verdict.is_rejected() {
            why.push(
                "the verifier rejected this report as a whole; it can only be rejected".into(),
            );
        }
        if !self.altered.is_empty() {
            why.push("the files of this run are not what its attestation says".to_owned());
        }
        let count = |wanted: &dyn Fn(&ClaimState) -> bool| {
            self.state
                .claims
                .iter()
                .filter(|claim| wanted(claim))
                .count()
        };
        let unseen = count(&|claim| claim.seen.is_none());
        let open = count(&|claim| claim.decided.is_none());
        let unverified = count(&|claim| !claim.is_verified());
        for (n, one, many) in [
            (
                unseen,
                "claim was not seen to its end",
                "claims were not seen to their end",
            ),
            (open, "claim is not decided", "claims are not decided"),
            (unverified, "edit is not verified", "edits are not verified"),
        ] {
            if n > 0 {
                why.push(format!("{n} {}", if n == 1 { one } else { many }));
            }
        }
        why
    }

    /// Does what the person asked for, and writes it down.
    ///
    /// # Errors
    /// [`Fault::Refused`] when the rules do not allow it; nothing changed then.
    pub async fn act(&mut self, action: Action) -> Result<(), Fault> {
        if self.state.signed.is_some() {
            return refuse("this review is signed; nothing can be changed");
        }
        let hidden = self.state.is_hidden();
        match action {
            Action::Hypothesis { text } => {
                if !hidden {
                    return refuse(
                        "the findings were shown already; a hypothesis comes before them",
                    );
                }
                let text = words("your hypothesis", &text, MIN_REASON, MAX_WORDS)?;
                self.note(Event::Hypothesis { text })
            }
            Action::RejectReport(signing) => {
                if reason_of(&signing.note).is_err() {
                    return refuse("rejecting the report needs a reason");
                }
                self.sign(Outcome::Rejected, signing)
            }
            _ if hidden => refuse("write what you believe first; then the findings are shown"),
            Action::Seen {
                claim,
                version,
                shown,
            } => {
                let known = self.current(&claim, version)?;
                if known.seen.is_some() {
                    return Ok(());
                }
                let wanted = match self.opening.surface {
                    Surface::Page => super::page::shown_hash(self, known),
                    Surface::Terminal => super::terminal::shown_hash(self, known),
                };
                if wanted != shown {
                    return refuse("what was shown is not what is there now; load the page again");
                }
                let surface = self.opening.surface;
                self.note(Event::Seen {
                    claim,
                    version,
                    surface,
                    shown,
                })
            }
            Action::Accept { claim, version } => {
                let known = self.seen(&claim, version)?;
                if !known.is_verified() {
                    return refuse(
                        "this edit did not go through the verifier; it cannot be accepted",
                    );
                }
                self.note(Event::Decided {
                    claim,
                    version,
                    decision: Decision::Accept,
                    reason: String::new(),
                })
            }
            Action::Reject {
                claim,
                version,
                reason,
            } => {
                self.seen(&claim, version)?;
                let reason = reason_of(&reason).map_err(Fault::Refused)?;
                self.note(Event::Decided {
                    claim,
                    version,
                    decision: Decision::Reject,
                    reason,
                })
            }
            Action::Edit {
                claim,
                version,
                reason,
                change,
            } => self.edit(claim, version, &reason, change).await,
            Action::Verify { claim } => self.verify_again(&claim).await,
            Action::Comment { claim, text } => {
                if self.state.claim(&claim).is_none() {
                    return refuse("there is no such claim");
                }
                let text = words("the comment", &text, 1, MAX_WORDS)?;
                self.note(Event::Commented { claim, text })
            }
            Action::Undo {} => match fold::last_undoable(&self.review) {
                Some(entry) => self.note(Event::Undone { entry }),
                None => refuse("there is nothing to undo"),
            },
            Action::Approve(signing) => {
                if let Some(why) = self.why_closed().first() {
                    return refuse(format!("approval is not open: {why}"));
                }
                self.sign(Outcome::Approved, signing)
            }
        }
    }

    /// The claim, when `version` is its current one.
    fn current(&self, id: &str, version: u32) -> Result<&ClaimState, Fault> {
        match self.state.claim(id) {
            None => refuse("there is no such claim"),
            Some(claim) if claim.current().number != version => {
                refuse("this claim has another version by now; look at it again")
            }
            Some(claim) => Ok(claim),
        }
    }

    /// The claim, when its current version was seen.
    fn seen(&self, id: &str, version: u32) -> Result<&ClaimState, Fault> {
        let claim = self.current(id, version)?;
        if claim.seen.is_none() {
            return refuse("look at this claim to the end of its evidence first");
        }
        Ok(claim)
    }

    /// Writes an entry down and folds again.
    fn note(&mut self, what: Event) -> Result<(), Fault> {
        let mut review = self.review.clone();
        store::append(&mut review, what)?;
        store::save(&self.opening.dir, &review)?;
        self.review = review;
        self.state = fold::fold(claims::of(&self.run), &self.review);
        Ok(())
    }

    fn sign(&mut self, outcome: Outcome, signing: Signing) -> Result<(), Fault> {
        let name = words("your name", &signing.name, 2, 120)?;
        if name.chars().any(char::is_control) {
            return refuse("a name is one line");
        }
        let note = match signing.note.trim() {
            "" => String::new(),
            note => words("the note", note, 1, MAX_WORDS)?,
        };
        let hypothesis = self.state.hypothesis.is_some();
        if hypothesis && signing.agreement.is_none() {
            return refuse("say whether your hypothesis agrees with the report");
        }
        let program = match &self.opening.log_key {
            Some(path) => Key::load(path)?,
            None => Key::load_or_create(None)?,
        };
        let (signed, attestation) = sign::sign(
            self,
            &program,
            outcome,
            name,
            note,
            signing.agreement.filter(|_| hypothesis),
        )?;
        let mut review = self.review.clone();
        review.state = match outcome {
            Outcome::Approved => State::Approved,
            Outcome::Rejected => State::Rejected,
        };
        review.sign_offs.push(signed);
        let Opening { runs, dir, .. } = &self.opening;
        store::publish(runs, dir, &review, attestation, program)?;
        self.review = review;
        self.state = fold::fold(claims::of(&self.run), &self.review);
        Ok(())
    }

    async fn edit(
        &mut self,
        claim: String,
        version: u32,
        reason: &str,
        change: Change,
    ) -> Result<(), Fault> {
        let known = self.seen(&claim, version)?;
        let reason = reason_of(reason).map_err(Fault::Refused)?;
        let before = known.current().content.clone();
        let content = changed(&before, change)?;
        if content == before {
            return refuse("nothing was changed");
        }
        let (content, check) = self.judge(content).await?;
        let version = fold::next_version(&self.review, &claim);
        self.note(Event::Edited {
            claim,
            version,
            reason,
            content,
            check,
        })
    }

    async fn verify_again(&mut self, id: &str) -> Result<(), Fault> {
        let Some(known) = self.state.claim(id) else {
            return refuse("there is no such claim");
        };
        let current = known.current().clone();
        if current.check.as_ref().map(|check| check.judged) != Some(Judged::NotVerified) {
            return refuse("the verifier has judged this claim already");
        }
        if self.opening.bundle.is_none() {
            return refuse("the bundle is not at hand; start the review with --bundle FILE");
        }
        let (content, check) = self.judge(current.content).await?;
        self.note(Event::Verified {
            claim: id.to_owned(),
            version: current.number,
            content,
            check,
        })
    }

    /// Has every edit verified that was kept without the bundle, now that it is here.
    async fn verify_pending(&mut self) -> Result<()> {
        if self.opening.bundle.is_none() {
            return Ok(());
        }
        let pending: Vec<String> = self
            .state
            .claims
            .iter()
            .filter(|claim| {
                claim.current().check.as_ref().map(|check| check.judged)
                    == Some(Judged::NotVerified)
            })
            .map(|claim| claim.id.clone())
            .collect();
        for id in pending {
            match self.verify_again(&id).await {
                Ok(()) | Err(Fault::Refused(_)) => {}
                Err(Fault::Failed(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Asks the verifier, in a sealed process of its own, about a new version of a claim.
    async fn judge(&self, content: Content) -> Result<(Content, Check)> {
        let Some(bundle) = &self.opening.bundle else {
            return Ok((
                masked(content),
                Check {
                    judged: Judged::NotVerified,
                    claims: vec![],
                    why: "the bundle was not at hand".to_owned(),
                },
            ));
        };
        let report = claims::as_report(&self.run, &content);
        let text =
            serde_json::to_string(&report).or_fail(ExitCode::Bug, "failed to write the edit")?;
        let request = crate::triage::Request {
            bundle: bundle.clone(),
            playbook: None,
            playbook_given: None,
            model: None,
            ticket: None,
            runs: self.opening.runs.clone(),
            tenant: self.run.record.tenant.clone(),
            key: None,
            policy: None,
            seed: 0,
            threads: 1,
            limits: self.opening.limits.clone(),
            allow_weaker: self.opening.allow_weaker.clone(),
        };
        let edit = crate::triage::Unverified {
            text,
            is_prose: false,
        };
        let (verdict, passed) = Box::pin(crate::triage::verify(edit, &request, &mut Quiet)).await?;
        let judged = match verdict.is_rejected() {
            true => Judged::Failed,
            false => Judged::Verified,
        };
        let kept = claims::from_report(passed, &content).unwrap_or_else(|| masked(content));
        Ok((
            kept,
            Check {
                judged,
                claims: verdict.claims,
                why: String::new(),
            },
        ))
    }
}

/// Nobody watches a verifying of a single claim.
struct Quiet;

impl crate::triage::Watch for Quiet {
    fn progress(&mut self, _: &crate::room::protocol::Progress) {}
    fn provisional(&mut self, _: &crate::report::Report) {}
}

/// Holds the files of the run against its attestation: why nobody vouches for them, and where they
/// are not what it says.
fn vouched(opening: &Opening) -> Result<(Vec<String>, Vec<String>)> {
    if !files::exists(&opening.dir.join(crate::attest::FILE)) {
        return Ok((vec!["this run has no attestation".to_owned()], vec![]));
    }
    let program = match &opening.log_key {
        Some(path) => Key::load(path)?,
        None => Key::load_or_create(None)?,
    };
    Ok(
        match crate::attest::verify(&opening.dir, &program.public(), &[]) {
            Err(error) => (vec![error.chain()], vec![]),
            Ok(checked) => {
                let mut all: Vec<String> =
                    checked.into_iter().flat_map(|one| one.problems).collect();
                all.sort();
                all.dedup();
                // Signed by the program of another machine, or of another person: a doubt, no alteration.
                all.into_iter()
                    .partition(|problem| problem.starts_with("no signature"))
            }
        },
    )
}

/// Refuses a bundle that is not the one of the run.
fn own_bundle(bundle: &std::path::Path, run: &Run) -> Result<()> {
    drop(files::open_bundle(bundle)?);
    let sha256 = files::sha256(bundle).or_fail(
        ExitCode::InputRefused,
        format!("failed to read the bundle {}", files::shown(bundle)),
    )?;
    if sha256 != run.record.bundle.sha256 {
        return Err(Error::refused(format!(
            "{} is not the bundle of this run: the hashes differ",
            files::shown(bundle)
        ))
        .hint(format!(
            "the run is of {}, sha256 {}",
            crate::report::escape::terminal(&run.record.bundle.name),
            crate::report::escape::terminal(&run.record.bundle.sha256)
        )));
    }
    Ok(())
}

/// The bundle where the run found it, when it is still there and still the same.
fn kept_bundle(run: &Run) -> Option<PathBuf> {
    let bundle = &run.record.bundle;
    let path = PathBuf::from(bundle.path.as_ref()?);
    let same = files::size(&path) == bundle.bytes
        && files::open_bundle(&path).is_ok()
        && files::sha256(&path).is_ok_and(|sha256| sha256 == bundle.sha256);
    same.then_some(path)
}

/// The person's words, trimmed, within bounds, secrets masked: they may have been pasted.
fn words(what: &str, text: &str, fewest: usize, most: usize) -> Result<String, Fault> {
    let text = text.trim();
    let count = text.chars().count();
    if count < fewest {
        return refuse(match count {
            0 => format!("{what} is missing"),
            _ => format!("{what} is too short"),
        });
    }
    if count > most {
        return refuse(format!("{what} is longer than {most} characters"));
    }
    Ok(Masker::new().mask(text))
}

fn reason_of(text: &str) -> Result<String, String> {
    match words("a reason", text, MIN_REASON, MAX_WORDS) {
        Ok(text) => Ok(text),
        Err(Fault::Refused(why)) => Err(why),
        Err(Fault::Failed(error)) => Err(error.chain()),
    }
}

/// `before` with the change made, within bounds.
fn changed(before: &Content, change: Change) -> Result<Content, Fault> {
    let field = |what: &str, text: &str, fewest: usize| -> Result<String, Fault> {
        let text = text.trim();
        let count = text.chars().count();
        if count < fewest || count > MAX_FIELD {
            return refuse(format!("{what} needs {fewest} to {MAX_FIELD} characters"));
        }
        Ok(text.to_owned())
    };
    let few = |n: usize| match n {
        0..=MAX_ITEMS => Ok(()),
        _ => refuse(format!("at most {MAX_ITEMS} of these fit into one claim")),
    };
    match (before, change) {
        (Content::Finding(old), Change::Finding(new)) => {
            few(new.commands.len())?;
            let mut finding = (**old).clone();
            if let Some(title) = &new.title {
                finding.title = field("the title", title, MIN_REASON)?;
            }
            if let Some(text) = &new.root_cause {
                finding.root_cause = field("the statement", text, 0)?;
            }
            finding.evidence = old
                .evidence
                .iter()
                .enumerate()
                .filter(|(at, _)| new.evidence.contains(at))
                .map(|(_, evidence)| evidence.clone())
                .collect();
            finding.commands = new
                .commands
                .iter()
                .map(|command| match command {
                    CommandChange::Keep { keep } => kept(&old.commands, *keep),
                    CommandChange::New { command, why } => Ok(Command {
                        command: field("a command", command, 1)?,
                        why: field("a command's purpose", why, 0)?,
                        class: None,
                    }),
                })
                .collect::<Result<_, Fault>>()?;
            Ok(Content::Finding(Box::new(finding)))
        }
        (Content::Missing(old), Change::Missing(new)) => {
            few(new.len())?;
            let items = new
                .iter()
                .map(|item| match item {
                    MissingChange::Keep { keep } => kept(old, *keep),
                    MissingChange::New { what, why } => Ok(Missing {
                        what: field("what to ask for", what, MIN_REASON)?,
                        why: field("why it is asked for", why, 0)?,
                        path: None,
                    }),
                })
                .collect::<Result<_, Fault>>()?;
            Ok(Content::Missing(items))
        }
        _ => refuse("this edit is for another kind of claim"),
    }
}

/// The item at `at`, as it was.
fn kept<T: Clone>(items: &[T], at: usize) -> Result<T, Fault> {
    match items.get(at) {
        Some(item) => Ok(item.clone()),
        None => refuse("what was to be kept is not there"),
    }
}

/// Content as typed, secrets masked by their form; the verifier masks by value when it is asked.
fn masked(content: Content) -> Content {
    let mask = |text: &mut String| *text = Masker::new().mask(text);
    match content {
        Content::Finding(mut finding) => {
            for text in [&mut finding.title, &mut finding.root_cause] {
                mask(text);
            }
            for command in &mut finding.commands {
                mask(&mut command.command);
                mask(&mut command.why);
            }
            Content::Finding(finding)
        }
        Content::Missing(mut items) => {
            for item in &mut items {
                mask(&mut item.what);
                mask(&mut item.why);
            }
            Content::Missing(items)
        }
    }
}
