//! Where the review stands, for the page's script.

use super::super::desk::Desk;
use super::super::model::{Decision, SignOff};
use super::shown_hash;
use crate::report::escape::terminal as plain;
use serde::Serialize;

/// The state as the script reads it. Text of the bundle is made plain: the script shows it as text.
#[derive(Debug, Serialize)]
pub struct PageState {
    claims: Vec<PageClaim>,
    closed: Vec<String>,
    can_undo: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<SignOff>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<String>,
}

#[derive(Debug, Serialize)]
struct PageClaim {
    id: String,
    title: String,
    version: u32,
    shown: String,
    seen: bool,
    verified: bool,
    word: &'static str,
    decision: Option<Decision>,
    reason: String,
    comments: Vec<String>,
}

/// The state of `desk`; without the claims while they are hidden.
pub fn of(desk: &Desk) -> PageState {
    let state = desk.state();
    let claims = match state.is_hidden() {
        true => vec![],
        false => state
            .claims
            .iter()
            .map(|claim| PageClaim {
                id: claim.id.clone(),
                title: plain(claim.current().content.title()),
                version: claim.current().number,
                shown: shown_hash(desk, claim),
                seen: claim.seen.is_some(),
                verified: claim.is_verified(),
                word: claim.word(),
                decision: claim.decided.as_ref().map(|decided| decided.decision),
                reason: claim
                    .decided
                    .as_ref()
                    .map(|decided| plain(&decided.reason))
                    .unwrap_or_default(),
                comments: claim.comments.iter().map(|text| plain(text)).collect(),
            })
            .collect(),
    };
    PageState {
        claims,
        closed: desk.why_closed(),
        can_undo: desk.can_undo(),
        signed: state.signed.clone(),
        reply: super::super::reply::of(desk.run(), state, desk.opening()).map(|reply| reply.text()),
    }
}
